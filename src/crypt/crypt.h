/*
 * Keys, pseudonyms, sealing, signatures.  No I/O.  Secrets are wiped by the function that releases them.
 *
 * Pseudonym (design section 4): 'w', epoch character ('a' is 0), base32 in lower case of the first 15 bytes of
 * HMAC-SHA-256(vendor key, kind 0x00 value): 26 characters.  HMAC: RFC 2104 over OpenSSL's SHA-256, the
 * key hashed in once (pseudo.c says why not EVP_MAC).  Sealing: libsodium crypto_box_seal (X25519) for a segment's random key,
 * XChaCha20-Poly1305-IETF for each frame.  Signatures: Ed25519.
 */
#ifndef CRYPT_CRYPT_H
#define CRYPT_CRYPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { KEY_BYTES = 32, PSEUDONYM_LEN = 26, SUBJECT_BYTES = 16, SIGN_BYTES = 64, SIGN_SECRET_BYTES = 64 };

/* Once a process, before anything else here. */
int crypt_init(struct err *err);

/* A keyed HMAC context.  One thread. */
struct pseudo;
struct pseudo *pseudo_new(const uint8_t key[static KEY_BYTES], unsigned epoch);
void pseudo_free(struct pseudo **p);
void pseudo_mac(struct pseudo *p, const void *a, size_t an, const void *b, size_t bn, uint8_t out[static 32]);
/*
 * Pseudonym of a value of a kind ("user", "email", ...).  The value goes in as NFC; kind email is lower-cased (ASCII).
 * day: "2026-01-15" for identity `daily`, mixed in behind the value as 0x00 day; else NULL.
 * False when the value isn't valid UTF-8, or has more than 30 combining marks in a row (UAX 15 section 13; normalising
 * them would cost the square of their number): the caller drops it.
 */
bool pseudo_id(struct pseudo *p, const char *kind, const char *value, size_t n, const char *day,
	       char out[static PSEUDONYM_LEN + 1]);
/* The ledger's own pseudonym of a person: first 16 bytes of HMAC(subject key, kind 0x00 value), the value in the
 * same canonical form, so that A@x.org and a@x.org of kind email are one person.  False as above. */
bool pseudo_subject(struct pseudo *p, const char *kind, const char *value, size_t n, uint8_t out[static SUBJECT_BYTES]);

/* Vendor key of an epoch, from the folder's root key: HMAC(root, "weir vendor" 0x00 vendor 0x00 epoch in decimal). */
void crypt_vendor_key(const uint8_t root[static KEY_BYTES], const char *vendor, unsigned epoch, uint8_t out[static KEY_BYTES]);

/* X25519 sealed boxes for small secrets. */
enum { SEAL_PUBLIC = 32, SEAL_SECRET = 32, SEAL_OVERHEAD = 48 };
void seal_keypair(uint8_t pk[static SEAL_PUBLIC], uint8_t sk[static SEAL_SECRET]);
void seal_box(const void *m, size_t n, const uint8_t pk[static SEAL_PUBLIC], uint8_t *out);	/* out: n + SEAL_OVERHEAD */
int seal_open(const uint8_t *c, size_t n, const uint8_t pk[static SEAL_PUBLIC], const uint8_t sk[static SEAL_SECRET],
	      uint8_t *out, struct err *err);	/* n includes SEAL_OVERHEAD */

/* Frame sealing: nonce = 16 bytes context (segment salt) || seq (little-endian); ad = the clear part. */
enum { AEAD_OVERHEAD = 16 };
void aead_seal(const uint8_t key[static KEY_BYTES], const uint8_t salt[static 16], uint64_t seq, const void *ad, size_t adn,
	       const void *m, size_t n, uint8_t *out);	/* out: n + AEAD_OVERHEAD; may not overlap m */
int aead_open(const uint8_t key[static KEY_BYTES], const uint8_t salt[static 16], uint64_t seq, const void *ad, size_t adn,
	      const uint8_t *c, size_t n, uint8_t *out, struct err *err);

/* Ed25519. */
void sign_keypair(uint8_t pk[static 32], uint8_t sk[static SIGN_SECRET_BYTES]);
void sign_make(const uint8_t sk[static SIGN_SECRET_BYTES], const void *m, size_t n, uint8_t out[static SIGN_BYTES]);
bool sign_check(const uint8_t pk[static 32], const void *m, size_t n, const uint8_t sig[static SIGN_BYTES]);

void crypt_sha256(const void *m, size_t n, uint8_t out[static 32]);
void crypt_random(void *p, size_t n);
void crypt_wipe(void *p, size_t n);

#endif
