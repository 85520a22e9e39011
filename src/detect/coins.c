/*
 * Addresses of coins: base58check (Bitcoin, Litecoin, Dogecoin, Tron: double SHA-256), bech32 and bech32m (BIP 173, BIP 350),
 * and Ethereum's hex with the case that EIP-55 gives it.
 */
#include <string.h>

#include "crypt/crypt.h"
#include "detect/ids.h"

static const struct detect_kind btc = {"crypto.btc", "[CRYPTO.BTC]"}, ltc = {"crypto.ltc", "[CRYPTO.LTC]"},
				doge = {"crypto.doge", "[CRYPTO.DOGE]"}, trx = {"crypto.trx", "[CRYPTO.TRX]"},
				eth = {"crypto.eth", "[CRYPTO.ETH]"};

/* ---- base58check ------------------------------------------------------------------------------------------------- */

enum { B58_BYTES = 25, B58_LIMBS = 7 };

static bool base58(const uint8_t *t, size_t n, uint8_t out[static B58_BYTES])
{
	static const char alphabet[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
	uint32_t limbs[B58_LIMBS] = {0};	/* the least first */
	for (size_t i = 0; i < n; i++) {
		const char *at = memchr(alphabet, t[i], 58);
		if (!at)
			return false;
		uint64_t carry = (uint64_t)(at - alphabet);
		for (size_t k = 0; k < B58_LIMBS; k++) {
			carry += (uint64_t)limbs[k] * 58;
			limbs[k] = (uint32_t)carry;
			carry >>= 32;
		}
		if (carry)
			return false;
	}
	for (size_t i = 0; i < B58_BYTES; i++)
		out[B58_BYTES - 1 - i] = (uint8_t)(limbs[i / 4] >> 8 * (i % 4));
	return limbs[B58_LIMBS - 1] >> 8 == 0;
}

static const struct detect_kind *base58check(const uint8_t *t, size_t n)
{
	static const struct {
		uint8_t version;
		const struct detect_kind *kind;
	} versions[] = {{0x00, &btc}, {0x05, &btc}, {0x30, &ltc}, {0x32, &ltc}, {0x1e, &doge}, {0x16, &doge}, {0x41, &trx}};
	uint8_t b[B58_BYTES], sum[32];
	bool capitals = false;
	for (size_t i = 0; i < n; i++)
		capitals |= is(t[i], C_UPPER);
	if (!capitals || !base58(t, n, b))
		return NULL;
	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
		if (versions[i].version != b[0])
			continue;
		crypt_sha256(b, B58_BYTES - 4, sum);
		crypt_sha256(sum, sizeof sum, sum);
		return memcmp(sum, b + B58_BYTES - 4, 4) == 0 ? versions[i].kind : NULL;
	}
	return NULL;
}

/* ---- bech32 ------------------------------------------------------------------------------------------------------ */

static uint32_t polymod(uint32_t c, uint8_t v)
{
	static const uint32_t gen[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
	uint32_t top = c >> 25;
	c = (c & 0x1ffffff) << 5 ^ v;
	for (int i = 0; i < 5; i++)
		if (top >> i & 1)
			c ^= gen[i];
	return c;
}

static bool bech32(const uint8_t *t, size_t n, const char *hrp)
{
	static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
	uint32_t c = 1;
	size_t h = strlen(hrp);
	bool upper = is(t[0], C_UPPER);
	for (size_t i = 0; i < h; i++)
		c = polymod(c, (uint8_t)(hrp[i] >> 5));
	c = polymod(c, 0);
	for (size_t i = 0; i < h; i++)
		c = polymod(c, hrp[i] & 31);
	for (size_t i = h + 1; i < n; i++) {
		if (is(t[i], upper ? C_LOWER : C_UPPER))
			return false;
		const char *at = memchr(alphabet, is(t[i], C_UPPER) ? t[i] | 0x20 : t[i], 32);
		if (!at)
			return false;
		c = polymod(c, (uint8_t)(at - alphabet));
	}
	return c == 1 || c == 0x2bc830a3;	/* bech32, bech32m */
}

/* ---- Ethereum ---------------------------------------------------------------------------------------------------- */

/* Keccak-f[1600] (FIPS 202 without its padding's domain bits: what Ethereum froze before the standard did). */
static void keccak_f(uint64_t a[25])
{
	static const uint64_t rounds[24] = {
		0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b, 0x0000000080000001,
		0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
		0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
		0x000000000000800a, 0x800000008000000a, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};
	static const uint8_t turn[24] = {1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44};
	static const uint8_t lane[24] = {10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1};
	for (int r = 0; r < 24; r++) {
		uint64_t c[5], t;
		for (int x = 0; x < 5; x++)
			c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
		for (int x = 0; x < 5; x++) {
			t = c[(x + 4) % 5] ^ (c[(x + 1) % 5] << 1 | c[(x + 1) % 5] >> 63);
			for (int y = 0; y < 25; y += 5)
				a[y + x] ^= t;
		}
		t = a[1];
		for (int i = 0; i < 24; i++) {
			uint64_t next = a[lane[i]];
			a[lane[i]] = t << turn[i] | t >> (64 - turn[i]);
			t = next;
		}
		for (int y = 0; y < 25; y += 5) {
			memcpy(c, a + y, sizeof c);
			for (int x = 0; x < 5; x++)
				a[y + x] = c[x] ^ (~c[(x + 1) % 5] & c[(x + 2) % 5]);
		}
		a[0] ^= rounds[r];
	}
}

static void keccak256_of_40(const uint8_t *m, uint8_t out[static 32])
{
	enum { RATE = 136 };
	uint8_t block[RATE] = {0};
	uint64_t a[25] = {0};
	memcpy(block, m, 40);
	block[40] = 1;
	block[RATE - 1] = 0x80;
	for (int i = 0; i < RATE / 8; i++)
		for (int k = 7; k >= 0; k--)
			a[i] = a[i] << 8 | block[i * 8 + k];
	keccak_f(a);
	for (int i = 0; i < 32; i++)
		out[i] = (uint8_t)(a[i / 8] >> 8 * (i % 8));
}

/* EIP-55: letters are capitals where the hash of the small ones has a nibble over 7.  In one case alone there is no checksum. */
static bool eip55(const uint8_t *t)	/* 40 hex digits */
{
	uint8_t small[40], hash[32];
	unsigned upper = 0, lower = 0;
	for (int i = 0; i < 40; i++) {
		if (!is(t[i], C_HEX))
			return false;
		upper += is(t[i], C_UPPER);
		lower += is(t[i], C_LOWER);
		small[i] = t[i] | 0x20;
	}
	if (!upper || !lower)
		return upper || lower;
	keccak256_of_40(small, hash);
	for (int i = 0; i < 40; i++)
		if (is(t[i], C_ALPHA) && is(t[i], C_UPPER) != (((hash[i / 2] >> (i % 2 ? 0 : 4)) & 15) > 7))
			return false;
	return true;
}

const struct detect_kind *coin_of(const uint8_t *t, size_t n)
{
	if (n == 42 && t[0] == '0' && t[1] == 'x')
		return eip55(t + 2) ? &eth : NULL;
	if (n >= 14 && n <= 74 && (t[0] | 0x20) == 'b' && (t[1] | 0x20) == 'c' && t[2] == '1')
		return bech32(t, n, "bc") ? &btc : NULL;
	if (n >= 14 && n <= 74 && (t[0] | 0x20) == 'l' && memcmp(t + 1, "tc1", 3) == 0)
		return bech32(t, n, "ltc") ? &ltc : NULL;
	if (n >= 26 && n <= 35 && t[0] && strchr("13LMD9AT", t[0]))
		return base58check(t, n);
	return NULL;
}
