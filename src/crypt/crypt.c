#include "crypt/crypt.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "crypt/private.h"

_Static_assert(SEAL_PUBLIC == crypto_box_PUBLICKEYBYTES && SEAL_SECRET == crypto_box_SECRETKEYBYTES &&
	       SEAL_OVERHEAD == crypto_box_SEALBYTES, "sealed boxes as libsodium makes them");
_Static_assert(AEAD_OVERHEAD == crypto_aead_xchacha20poly1305_ietf_ABYTES &&
	       KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "frames as libsodium seals them");
_Static_assert(SIGN_BYTES == crypto_sign_BYTES && SIGN_SECRET_BYTES == crypto_sign_SECRETKEYBYTES, "Ed25519 sizes");

/* Fetched once: a look-up costs more than a MAC.  They live as long as the process. */
static EVP_MAC *hmac;
static EVP_CIPHER *chacha;

int crypt_init(struct err *err)
{
	if (hmac)
		return 0;
	if (sodium_init() < 0)
		return err_set(err, ERR_BUG, "libsodium does not start: no random numbers");
	hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	chacha = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	if (!hmac || !chacha)
		return err_set(err, ERR_BUG, "OpenSSL offers no HMAC or no ChaCha20-Poly1305");
	return 0;
}

EVP_MAC_CTX *crypt_mac_new(const uint8_t key[static KEY_BYTES])
{
	must(hmac);	/* crypt_init came first */
	char sha256[] = "SHA256";
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256, 0), OSSL_PARAM_construct_end()};
	EVP_MAC_CTX *c = EVP_MAC_CTX_new(hmac);
	must(c && EVP_MAC_init(c, key, KEY_BYTES, params) == 1);
	return c;
}

void crypt_vendor_key(const uint8_t root[static KEY_BYTES], const char *vendor, unsigned epoch, uint8_t out[static KEY_BYTES])
{
	static const char label[] = "weir vendor";	/* its closing 0 is part of the message, and so is the vendor's */
	char number[12];
	int n = snprintf(number, sizeof number, "%u", epoch);
	EVP_MAC_CTX *c = crypt_mac_new(root);
	size_t len;
	must(EVP_MAC_update(c, (const uint8_t *)label, sizeof label) == 1 &&
	     EVP_MAC_update(c, (const uint8_t *)vendor, strlen(vendor) + 1) == 1 &&
	     EVP_MAC_update(c, (const uint8_t *)number, (size_t)n) == 1 && EVP_MAC_final(c, out, &len, KEY_BYTES) == 1 &&
	     len == KEY_BYTES);
	EVP_MAC_CTX_free(c);
}

void seal_keypair(uint8_t pk[static SEAL_PUBLIC], uint8_t sk[static SEAL_SECRET])
{
	must(crypto_box_keypair(pk, sk) == 0);
}

void seal_box(const void *m, size_t n, const uint8_t pk[static SEAL_PUBLIC], uint8_t *out)
{
	must(crypto_box_seal(out, m, n, pk) == 0);
}

int seal_open(const uint8_t *c, size_t n, const uint8_t pk[static SEAL_PUBLIC], const uint8_t sk[static SEAL_SECRET],
	      uint8_t *out, struct err *err)
{
	if (n < SEAL_OVERHEAD)
		return err_set(err, ERR_CRYPTO, "sealed box of %zu bytes: at least %d are needed", n, SEAL_OVERHEAD);
	if (crypto_box_seal_open(out, c, n, pk, sk) != 0)
		return err_set(err, ERR_CRYPTO, "sealed box does not open: another key, or changed bytes");
	return 0;
}

enum { NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES };
_Static_assert(NONCE_BYTES == 16 + 8, "salt and sequence number fill the nonce");

static void make_nonce(const uint8_t salt[static 16], uint64_t seq, uint8_t out[static NONCE_BYTES])
{
	memcpy(out, salt, 16);
	put_u64(out + 16, seq);
}

/*
 * XChaCha20-Poly1305 is ChaCha20-Poly1305 (RFC 8439) under a key made of key and the nonce's first half
 * (draft-irtf-cfrg-xchacha-03, 2.3).  Sealed with OpenSSL, whose code for wide vectors takes less than half the time, and
 * opened with libsodium: each checks the other.
 */
void aead_seal(const uint8_t key[static KEY_BYTES], const uint8_t salt[static 16], uint64_t seq, const void *ad, size_t adn,
	       const void *m, size_t n, uint8_t *out)
{
	uint8_t part_key[KEY_BYTES], nonce[12] = {0};
	int len;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	put_u64(nonce + 4, seq);
	must(n <= INT_MAX && adn <= INT_MAX && crypto_core_hchacha20(part_key, salt, key, NULL) == 0);
	must(c && chacha && EVP_EncryptInit_ex(c, chacha, NULL, part_key, nonce) == 1);
	must(adn == 0 || EVP_EncryptUpdate(c, NULL, &len, ad, (int)adn) == 1);
	must(n == 0 || EVP_EncryptUpdate(c, out, &len, m, (int)n) == 1);
	must(EVP_EncryptFinal_ex(c, out + n, &len) == 1 && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, out + n) == 1);
	EVP_CIPHER_CTX_free(c);
	crypt_wipe(part_key, sizeof part_key);
}

int aead_open(const uint8_t key[static KEY_BYTES], const uint8_t salt[static 16], uint64_t seq, const void *ad, size_t adn,
	      const uint8_t *c, size_t n, uint8_t *out, struct err *err)
{
	uint8_t nonce[NONCE_BYTES];
	make_nonce(salt, seq, nonce);
	if (n < AEAD_OVERHEAD)
		return err_set(err, ERR_CRYPTO, "sealed frame of %zu bytes: at least %d are needed", n, AEAD_OVERHEAD);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, c, n, ad, adn, nonce, key) != 0)
		return err_set(err, ERR_CRYPTO, "sealed frame does not open: another key, or changed bytes");
	return 0;
}

void sign_keypair(uint8_t pk[static 32], uint8_t sk[static SIGN_SECRET_BYTES])
{
	must(crypto_sign_keypair(pk, sk) == 0);
}

void sign_make(const uint8_t sk[static SIGN_SECRET_BYTES], const void *m, size_t n, uint8_t out[static SIGN_BYTES])
{
	must(crypto_sign_detached(out, NULL, m, n, sk) == 0);
}

bool sign_check(const uint8_t pk[static 32], const void *m, size_t n, const uint8_t sig[static SIGN_BYTES])
{
	return crypto_sign_verify_detached(sig, m, n, pk) == 0;
}

void crypt_sha256(const void *m, size_t n, uint8_t out[static 32])
{
	must(SHA256(m, n, out));
}

void crypt_random(void *p, size_t n)
{
	randombytes_buf(p, n);
}

void crypt_wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}
