/*
 * Keyed pseudonyms: canonical form of the value, HMAC-SHA-256 (RFC 2104), base32.
 *
 * The two halves of HMAC are hashed up to behind the key once, and copied for each value: two compressions a value and no
 * allocation.  That needs SHA256_CTX, which OpenSSL 3 calls low-level; the same by EVP_MAC, re-initialised with a NULL key,
 * spends more on copying its contexts than on hashing (0.37 us against 0.25 in plan_apply).
 *
 * NFC by libutf8proc; text below U+0300 is NFC already (UAX 15, NFC_Quick_Check) and takes no part in it.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypt/crypt.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/bytes.h"
#include "crypt/private.h"

struct pseudo {
	SHA256_CTX inner, outer;	/* behind key ^ ipad, key ^ opad */
	SHA256_CTX now;
	char epoch;
	/* Room for canonical forms, kept from value to value; wiped at the end. */
	utf8proc_int32_t *points;
	size_t points_cap;
	char *lower;
	size_t lower_cap;
};

struct pseudo *pseudo_new(const uint8_t key[static KEY_BYTES], unsigned epoch)
{
	must(epoch < 26);
	struct pseudo *p = xcalloc(1, sizeof *p);
	uint8_t block[SHA256_CBLOCK];
	for (int half = 0; half < 2; half++) {
		SHA256_CTX *c = half ? &p->outer : &p->inner;
		memset(block, half ? 0x5c : 0x36, sizeof block);
		for (size_t i = 0; i < KEY_BYTES; i++)
			block[i] ^= key[i];
		must(SHA256_Init(c) == 1 && SHA256_Update(c, block, sizeof block) == 1);
	}
	crypt_wipe(block, sizeof block);
	p->epoch = (char)('a' + epoch);
	return p;
}

static void wipe_free(void *at, size_t n)
{
	if (at)
		crypt_wipe(at, n);
	free(at);
}

void pseudo_free(struct pseudo **p)
{
	if (!*p)
		return;
	wipe_free((*p)->points, (*p)->points_cap * sizeof *(*p)->points);
	wipe_free((*p)->lower, (*p)->lower_cap);
	wipe_free(*p, sizeof **p);
	*p = NULL;
}

static void mac_start(struct pseudo *p)
{
	p->now = p->inner;
}

static void mac_add(struct pseudo *p, const void *at, size_t n)
{
	must(SHA256_Update(&p->now, at, n) == 1);
}

static void mac_end(struct pseudo *p, uint8_t out[static 32])
{
	must(SHA256_Final(out, &p->now) == 1);
	p->now = p->outer;
	must(SHA256_Update(&p->now, out, 32) == 1 && SHA256_Final(out, &p->now) == 1);
}

void pseudo_mac(struct pseudo *p, const void *a, size_t an, const void *b, size_t bn, uint8_t out[static 32])
{
	mac_start(p);
	mac_add(p, a, an);
	mac_add(p, b, bn);
	mac_end(p, out);
}

/* The compression of one last block: what stands in block, n bytes of it, behind the 64 of the key; its words to out. */
static void last_block(struct pseudo *p, const SHA256_CTX *behind_key, uint8_t block[static SHA256_CBLOCK], size_t n, uint8_t *out)
{
	memset(block + n, 0, SHA256_CBLOCK - n);
	block[n] = 0x80;
	size_t bits = (SHA256_CBLOCK + n) * 8;
	block[62] = (uint8_t)(bits >> 8);
	block[63] = (uint8_t)bits;
	memcpy(p->now.h, behind_key->h, sizeof p->now.h);
	SHA256_Transform(&p->now, block);
	for (int i = 0; i < 8; i++) {
		uint32_t w = __builtin_bswap32((uint32_t)p->now.h[i]);
		memcpy(out + 4 * i, &w, 4);
	}
}

/* The same for the three pieces of an identifier that fit in one block with its padding (FIPS 180-4 5.1.1): nearly all. */
enum { SHORT_MAX = SHA256_CBLOCK - 9 };
static void mac_short(struct pseudo *p, const struct span piece[static 3], uint8_t out[static 32])
{
	uint8_t block[SHA256_CBLOCK];
	size_t n = 0;
	for (int i = 0; i < 3; i++) {
		memcpy(block + n, piece[i].at, piece[i].len);
		n += piece[i].len;
	}
	last_block(p, &p->inner, block, n, out);
	memcpy(block, out, 32);
	last_block(p, &p->outer, block, 32, out);
	explicit_bzero(block, sizeof block);
}

enum text { TEXT_BAD, TEXT_NFC, TEXT_UNKNOWN };

/* Valid UTF-8 (RFC 3629 section 4)?  And if so, is it below U+0300 throughout, which is NFC as it stands? */
static enum text look(const uint8_t *s, size_t n)
{
	size_t i = 0;
	for (; i + 8 <= n && !(get_u64(s + i) & 0x8080808080808080u); i += 8)
		;
	uint8_t top = 0;
	while (i < n) {
		uint8_t c = s[i];
		if (c < 0x80) {
			i++;
			continue;
		}
		size_t k = c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
		if (k == 0 || k > n - i)
			return TEXT_BAD;
		uint8_t lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
		uint8_t hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
		if (s[i + 1] < lo || s[i + 1] > hi)
			return TEXT_BAD;
		for (size_t j = 2; j < k; j++)
			if ((s[i + j] & 0xc0) != 0x80)
				return TEXT_BAD;
		if (c > top)
			top = c;
		i += k;
	}
	return top < 0xcc ? TEXT_NFC : TEXT_UNKNOWN;	/* 0xcc leads U+0300 */
}

/*
 * Canonical ordering costs the square of a run of combining marks in libutf8proc, so a run longer than the Stream-Safe
 * Text Format allows (UAX 15 section 13: 30) is refused like broken UTF-8: no name or address has one.
 */
enum { MARKS_MAX = 30 };

static bool stream_safe(const uint8_t *s, size_t n)
{
	unsigned run = 0;
	for (size_t i = 0; i < n;) {
		utf8proc_int32_t cp;
		utf8proc_ssize_t k = utf8proc_iterate(s + i, (utf8proc_ssize_t)(n - i), &cp);
		if (k <= 0)
			return false;
		run = utf8proc_get_property(cp)->combining_class ? run + 1 : 0;
		if (run > MARKS_MAX)
			return false;
		i += (size_t)k;
	}
	return true;
}

static bool to_nfc(struct pseudo *p, struct span *v)
{
	const uint8_t *s = (const uint8_t *)v->at;
	if (!stream_safe(s, v->len))
		return false;
	const utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
	utf8proc_ssize_t want = utf8proc_decompose(s, (utf8proc_ssize_t)v->len, p->points, (utf8proc_ssize_t)p->points_cap, how);
	if (want < 0)
		return false;
	if ((size_t)want >= p->points_cap) {	/* reencode adds a closing 0 */
		wipe_free(p->points, p->points_cap * sizeof *p->points);
		p->points_cap = (size_t)want + 64;
		p->points = xmalloc(p->points_cap * sizeof *p->points);
		want = utf8proc_decompose(s, (utf8proc_ssize_t)v->len, p->points, (utf8proc_ssize_t)p->points_cap, how);
	}
	utf8proc_ssize_t n = utf8proc_reencode(p->points, want, how);
	if (n < 0)
		return false;
	*v = (struct span){(const char *)p->points, (size_t)n};
	return true;
}

static void to_lower(struct pseudo *p, struct span *v)
{
	if (v->len > p->lower_cap) {
		wipe_free(p->lower, p->lower_cap);
		p->lower_cap = v->len + 64;
		p->lower = xmalloc(p->lower_cap);
	}
	for (size_t i = 0; i < v->len; i++) {
		char c = v->at[i];
		p->lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	v->at = p->lower;
}

static bool canonical(struct pseudo *p, const char *kind, struct span *v)
{
	switch (look((const uint8_t *)v->at, v->len)) {
	case TEXT_BAD:
		return false;
	case TEXT_UNKNOWN:
		if (!to_nfc(p, v))
			return false;
		break;
	case TEXT_NFC:
		break;
	}
	if (strcmp(kind, "email") == 0)
		to_lower(p, v);
	return true;
}

static bool mac_value(struct pseudo *p, const char *kind, struct span v, const char *day, uint8_t out[static 32])
{
	if (!canonical(p, kind, &v))
		return false;
	char dated[32] = {0};	/* a 0 and the day */
	size_t day_len = day ? strlen(day) : 0;
	must(day_len < sizeof dated);
	if (day)
		memcpy(dated + 1, day, day_len);
	const struct span piece[3] = {{kind, strlen(kind) + 1}, v, {dated, day ? day_len + 1 : 0}};	/* kind with its 0 */
	if (piece[0].len + v.len + piece[2].len <= SHORT_MAX) {
		mac_short(p, piece, out);
		return true;
	}
	mac_start(p);
	for (int i = 0; i < 3; i++)
		mac_add(p, piece[i].at, piece[i].len);
	mac_end(p, out);
	return true;
}

bool pseudo_id(struct pseudo *p, const char *kind, const char *value, size_t n, const char *day,
	       char out[static PSEUDONYM_LEN + 1])
{
	uint8_t mac[32];
	if (!mac_value(p, kind, (struct span){value, n}, day, mac))
		return false;
	out[0] = 'w';
	out[1] = p->epoch;
	must(base32_encode(mac, 15, out + 2) == PSEUDONYM_LEN - 2);
	return true;
}

bool pseudo_subject(struct pseudo *p, const char *kind, const char *value, size_t n, uint8_t out[static SUBJECT_BYTES])
{
	uint8_t mac[32];
	if (!mac_value(p, kind, (struct span){value, n}, NULL, mac))
		return false;
	memcpy(out, mac, SUBJECT_BYTES);
	return true;
}
