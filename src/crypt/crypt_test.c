/* crypt: vectors from the documents, pseudonyms computed by another implementation, and every flipped byte refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypt/crypt.h"

static void key_of(uint8_t key[KEY_BYTES])
{
	for (size_t i = 0; i < KEY_BYTES; i++)
		key[i] = (uint8_t)i;
}

static void hmac_vectors(void **state)
{
	(void)state;
	static const struct {	/* RFC 4231: keys shorter than the block are the same as keys padded with zeros (RFC 2104 2) */
		uint8_t byte, len;
		const char *ascii_key, *a, *b, *want;
	} rows[] = {
		{0x0b, 20, NULL, "Hi ", "There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},	/* 4.2 */
		{0, 4, "Jefe", "what do ya want ", "for nothing?",
		 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},	/* 4.3 */
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t key[KEY_BYTES] = {0}, got[32], want[32];
		if (rows[i].ascii_key)
			memcpy(key, rows[i].ascii_key, rows[i].len);
		else
			memset(key, rows[i].byte, rows[i].len);
		struct pseudo *p = pseudo_new(key, 0);
		assert_true(hex_decode(rows[i].want, 64, want, 32));
		for (int again = 0; again < 3; again++) {	/* the context is used again and again */
			pseudo_mac(p, rows[i].a, strlen(rows[i].a), rows[i].b, strlen(rows[i].b), got);
			assert_memory_equal(got, want, 32);
		}
		pseudo_free(&p);
		assert_null(p);
		pseudo_free(&p);
	}
}

/*
 * Computed with Python 3.11:
 *   d = hmac.new(bytes(range(32)), kind + b"\0" + value_nfc + (b"\0" + day), hashlib.sha256).digest()
 *   "w" + "a" + base64.b32encode(d[:15]).decode().lower();  subject: d[:16].hex()
 */
static void pseudonyms(void **state)
{
	(void)state;
	static const struct {
		const char *kind, *value, *day, *want, *subject;
	} rows[] = {
		{"user", "u-1", NULL, "wauaipwlg7u2i42p5xrekzke2f", "a010fb2cdfa691cd3fb7891595134515"},
		{"user", "u-1", "2026-01-15", "wa24kanqz76guv3tfauk3cood4", NULL},
		{"user", "", NULL, "wae7cgosxwob6ovjirbbinp2gw", "27c4674af6707ceaa5110850d7e8d6df"},
		{"email", "Ann@Example.COM", NULL, "waouq2rbof5zazgkm3sgdo6rro", "7521a885c5ee4193299b9186ef462eb7"},
		{"email", "ann@example.com", NULL, "waouq2rbof5zazgkm3sgdo6rro", "7521a885c5ee4193299b9186ef462eb7"},
		{"user", "Ann@Example.COM", NULL, "waaviogmxjs55hj73phwpd2hws", "0550e332e9977a74ff6f3d9e3d1ed2d5"},
		{"user", "caf\u00e9", NULL, "wa4jlzetfhosjx5al6ogsfi7ip", "e257924ca774937e817e71a4547d0fe4"},
		{"user", "cafe\u0301", NULL, "wa4jlzetfhosjx5al6ogsfi7ip", "e257924ca774937e817e71a4547d0fe4"},	/* NFD */
		{"user", "Zo\u00eb \u00c5", NULL, "waaf4atkbxnayqx3rhose3ejzj", "017809a83768310bee277489b2272904"},
		{"user", "Zoe\u0308 \u212b", NULL, "waaf4atkbxnayqx3rhose3ejzj", "017809a83768310bee277489b2272904"},
		{"user", "\u1100\u1161", NULL, "waoiuzphdqf5rle5424djg53ct", "7229979c702f62b2779ae0d26eec53de"},
		{"user", "\uac00", NULL, "waoiuzphdqf5rle5424djg53ct", "7229979c702f62b2779ae0d26eec53de"},
	};
	uint8_t key[KEY_BYTES];
	key_of(key);
	struct pseudo *p = pseudo_new(key, 0), *q = pseudo_new(key, 3);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char got[PSEUDONYM_LEN + 1];
		uint8_t subject[SUBJECT_BYTES], want[SUBJECT_BYTES];
		assert_true(pseudo_id(p, rows[i].kind, rows[i].value, strlen(rows[i].value), rows[i].day, got));
		assert_string_equal(got, rows[i].want);
		assert_true(pseudo_id(q, rows[i].kind, rows[i].value, strlen(rows[i].value), rows[i].day, got));
		assert_int_equal(got[1], 'd');
		assert_string_equal(got + 2, rows[i].want + 2);
		if (!rows[i].subject)
			continue;
		assert_true(pseudo_subject(p, rows[i].kind, rows[i].value, strlen(rows[i].value), subject));
		assert_true(hex_decode(rows[i].subject, 32, want, SUBJECT_BYTES));
		assert_memory_equal(subject, want, SUBJECT_BYTES);
	}
	pseudo_free(&p);
	pseudo_free(&q);
}

/* Of one block or of several, the MAC is over kind, 0, value and perhaps 0 and day. */
static void lengths(void **state)
{
	(void)state;
	uint8_t key[KEY_BYTES], mac[32];
	char value[200], message[256], got[PSEUDONYM_LEN + 1], want[PSEUDONYM_LEN + 1] = "wa";
	key_of(key);
	memset(value, 'v', sizeof value);
	struct pseudo *p = pseudo_new(key, 0);
	for (size_t n = 0; n < sizeof value; n++)
		for (int dated = 0; dated < 2; dated++) {
			int len = snprintf(message, sizeof message, "user%c%.*s%c%s", 0, (int)n, value, 0, dated ? "2026-01-15" : "");
			pseudo_mac(p, message, (size_t)len - !dated, "", 0, mac);
			base32_encode(mac, 15, want + 2);
			assert_true(pseudo_id(p, "user", value, n, dated ? "2026-01-15" : NULL, got));
			assert_string_equal(got, want);
		}
	pseudo_free(&p);
}

static void bad_text(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "\xff", "plain text and then \xc3", "\xe2\x82", "12345678\xe2\x82", "\xf0\x9f\x98", "\xc3(",
	};
	uint8_t key[KEY_BYTES] = {0};
	struct pseudo *p = pseudo_new(key, 0);
	char out[PSEUDONYM_LEN + 1];
	uint8_t subject[SUBJECT_BYTES];
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_false(pseudo_id(p, "user", bad[i], strlen(bad[i]), NULL, out));
		assert_false(pseudo_subject(p, "user", bad[i], strlen(bad[i]), subject));
	}
	static const char *const good[] = {"\u00a0", "\ud7ff", "\ue000", "\uffff", "\U0010ffff", "\U00010000", "\U0001f600"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(pseudo_id(p, "user", good[i], strlen(good[i]), NULL, out));
	assert_true(pseudo_id(p, "user", "a\0b", 3, NULL, out));	/* a NUL is a character like others */

	/* Combining marks without end cost the square of their number: refused past 30 in a row, fast. */
	enum { MARKS = 200000 };
	char *marks = malloc(2 * MARKS);
	for (size_t i = 0; i < MARKS; i++)
		memcpy(marks + 2 * i, i & 1 ? "\u0316" : "\u0301", 2);
	assert_true(pseudo_id(p, "user", marks, 2 * 30, NULL, out));
	assert_false(pseudo_id(p, "user", marks, 2 * 31, NULL, out));
	assert_false(pseudo_id(p, "user", marks, 2 * MARKS, NULL, out));
	free(marks);
	pseudo_free(&p);
}

static void vendor_keys(void **state)
{
	(void)state;
	uint8_t root[KEY_BYTES], got[KEY_BYTES], want[KEY_BYTES], other[KEY_BYTES];
	key_of(root);
	/* hmac.new(bytes(range(32)), b"weir vendor\0mixpanel\0" + b"0", hashlib.sha256).hexdigest() */
	assert_true(hex_decode("36ddb34beb89d43e1d4186ad8dc7db49d2ffbb1ffb9ebf3b3ebefe15004a9967", 64, want, 32));
	crypt_vendor_key(root, "mixpanel", 0, got);
	assert_memory_equal(got, want, 32);
	crypt_vendor_key(root, "mixpanel", 1, other);
	assert_memory_not_equal(got, other, 32);
	crypt_vendor_key(root, "mixpane", 0, other);
	assert_memory_not_equal(got, other, 32);
}

enum { MSG = 97 };

static void sealed_boxes(void **state)
{
	(void)state;
	uint8_t pk[SEAL_PUBLIC], sk[SEAL_SECRET], m[MSG], c[MSG + SEAL_OVERHEAD], back[MSG];
	struct err err;
	seal_keypair(pk, sk);
	crypt_random(m, sizeof m);
	seal_box(m, sizeof m, pk, c);
	assert_int_equal(seal_open(c, sizeof c, pk, sk, back, &err), 0);
	assert_memory_equal(m, back, sizeof m);
	for (size_t i = 0; i < sizeof c; i++) {
		c[i] ^= 1;
		assert_int_equal(seal_open(c, sizeof c, pk, sk, back, &err), -1);
		assert_int_equal(err.code, ERR_CRYPTO);
		c[i] ^= 1;
	}
	for (size_t n = 0; n < sizeof c; n++)
		assert_int_equal(seal_open(c, n, pk, sk, back, &err), -1);
	uint8_t pk2[SEAL_PUBLIC], sk2[SEAL_SECRET];
	seal_keypair(pk2, sk2);
	assert_int_equal(seal_open(c, sizeof c, pk2, sk2, back, &err), -1);
	seal_box(NULL, 0, pk, c);
	assert_int_equal(seal_open(c, SEAL_OVERHEAD, pk, sk, back, &err), 0);
}

static void frames(void **state)
{
	(void)state;
	uint8_t key[KEY_BYTES], salt[16], ad[21], m[MSG], c[MSG + AEAD_OVERHEAD], back[MSG];
	struct err err;
	crypt_random(key, sizeof key);
	crypt_random(salt, sizeof salt);
	crypt_random(ad, sizeof ad);
	crypt_random(m, sizeof m);
	aead_seal(key, salt, 7, ad, sizeof ad, m, sizeof m, c);
	assert_int_equal(aead_open(key, salt, 7, ad, sizeof ad, c, sizeof c, back, &err), 0);
	assert_memory_equal(m, back, sizeof m);
	assert_int_equal(aead_open(key, salt, 8, ad, sizeof ad, c, sizeof c, back, &err), -1);
	assert_int_equal(err.code, ERR_CRYPTO);
	struct {
		uint8_t *at;
		size_t n;
	} parts[] = {{key, sizeof key}, {salt, sizeof salt}, {ad, sizeof ad}, {c, sizeof c}};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		for (size_t j = 0; j < parts[i].n; j++) {
			parts[i].at[j] ^= 0x40;
			assert_int_equal(aead_open(key, salt, 7, ad, sizeof ad, c, sizeof c, back, &err), -1);
			parts[i].at[j] ^= 0x40;
		}
	for (size_t n = 0; n < sizeof c; n++)
		assert_int_equal(aead_open(key, salt, 7, ad, sizeof ad, c, n, back, &err), -1);
	assert_int_equal(aead_open(key, salt, 7, ad, sizeof ad - 1, c, sizeof c, back, &err), -1);
	aead_seal(key, salt, 1, NULL, 0, NULL, 0, c);
	assert_int_equal(aead_open(key, salt, 1, NULL, 0, c, AEAD_OVERHEAD, back, &err), 0);
}

static void signatures(void **state)
{
	(void)state;
	static const struct {	/* RFC 8032 7.1, tests 1 to 3: secret seed, public key, message, signature */
		const char *seed, *pk, *m, *sig;
	} rows[] = {
		{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		 "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
		 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
		 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
		 "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
		{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
		 "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
		 "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t sk[SIGN_SECRET_BYTES], pk[32], m[2] = {0}, want[SIGN_BYTES], got[SIGN_BYTES];
		size_t n = strlen(rows[i].m) / 2;
		assert_true(hex_decode(rows[i].seed, 64, sk, 32));
		assert_true(hex_decode(rows[i].pk, 64, pk, 32));
		memcpy(sk + 32, pk, 32);	/* libsodium keeps seed and public key together */
		assert_true(hex_decode(rows[i].m, 2 * n, m, n));
		assert_true(hex_decode(rows[i].sig, 128, want, SIGN_BYTES));
		sign_make(sk, m, n, got);
		assert_memory_equal(got, want, SIGN_BYTES);
		assert_true(sign_check(pk, m, n, want));
		for (size_t j = 0; j < SIGN_BYTES; j++) {
			want[j] ^= 1;
			assert_false(sign_check(pk, m, n, want));
			want[j] ^= 1;
		}
	}
	uint8_t pk[32], sk[SIGN_SECRET_BYTES], sig[SIGN_BYTES], m[MSG];
	sign_keypair(pk, sk);
	crypt_random(m, sizeof m);
	sign_make(sk, m, sizeof m, sig);
	assert_true(sign_check(pk, m, sizeof m, sig));
	for (size_t i = 0; i < sizeof m; i++) {
		m[i] ^= 0x80;
		assert_false(sign_check(pk, m, sizeof m, sig));
		m[i] ^= 0x80;
	}
	assert_false(sign_check(pk, m, sizeof m - 1, sig));
}

static void digest_and_wipe(void **state)
{
	(void)state;
	uint8_t got[32], want[32];	/* FIPS 180-4 example */
	crypt_sha256("abc", 3, got);
	assert_true(hex_decode("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 64, want, 32));
	assert_memory_equal(got, want, 32);
	crypt_wipe(got, sizeof got);
	memset(want, 0, sizeof want);
	assert_memory_equal(got, want, 32);
	crypt_random(got, sizeof got);
	assert_memory_not_equal(got, want, 32);
}

int main(void)
{
	struct err err;
	if (crypt_init(&err) || crypt_init(&err)) {
		fprintf(stderr, "crypt_test: %s\n", err.msg);
		return 1;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hmac_vectors), cmocka_unit_test(pseudonyms), cmocka_unit_test(lengths), cmocka_unit_test(bad_text),
		cmocka_unit_test(vendor_keys), cmocka_unit_test(sealed_boxes), cmocka_unit_test(frames),
		cmocka_unit_test(signatures), cmocka_unit_test(digest_and_wipe),
	};
	return cmocka_run_group_tests_name("crypt", tests, NULL, NULL);
}
