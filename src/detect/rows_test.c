/* The rows of catalog/detectors do what they say: examples are found as their type, counterexamples are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "detect/examples.h"
#include "detect/ids.h"

static bool finds(const char *text, enum detect_type t, struct detect_hit *first)
{
	struct detect_hit hits[8];
	size_t n = strlen(text);
	char *p = xcalloc(n + 64, 1);
	memcpy(p, text, n);
	size_t k = detect_scan(p, n, DETECT_ALL, hits, 8);
	free(p);
	for (size_t i = 0; i < k; i++)
		if (hits[i].type == t) {
			*first = hits[i];
			return true;
		}
	return false;
}

static void examples(void **state)
{
	struct detect_hit h;
	unsigned wrong = 0, seen = 0;
	(void)state;
	for (const struct detect_example *x = detect_examples; x->type != DETECT_TYPES; x++, seen++)
		if (finds(x->text, x->type, &h) != x->found) {
			print_message("%s: \"%s\" is %sfound\n", detect_name(x->type), x->text, x->found ? "not " : "");
			wrong++;
		}
	assert_true(seen > 100);
	assert_int_equal(wrong, 0);
}

/* A body of the row's own characters, the same in every run. */
static uint64_t seed = 88172645463325252u;
static char next_of(unsigned class)
{
	for (;;) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		if (key_classes[seed >> 20 & 127] >> class & 1)
			return (char)(seed >> 20 & 127);
	}
}

static size_t make_key(const struct key_row *r, size_t body, char *out)
{
	size_t n = strlen(r->prefix);
	memcpy(out, r->prefix, n);
	for (size_t i = 0; i < body; i++)
		do
			out[n + i] = next_of(r->class);
		while (out[n + i] == '-' || out[n + i] == '_');
	out[n + body] = 0;
	return n + body;
}

static void keys(void **state)
{
	char text[700], key[400];
	struct detect_hit h;
	unsigned wrong = 0, seen = 0;
	(void)state;
	for (const struct key_row *r = key_rows; r->prefix; r++) {
		if (r->check)
			continue;	/* below */
		static const char *const around[][2] = {{"", ""}, {"key=", ";"}, {"https://h.example/?k=", "&x=1"}, {"{\"a\":\"", "\"}"}};
		for (size_t k = 0; k < sizeof around / sizeof *around; k++, seen++) {
			size_t n = make_key(r, r->min, key);
			snprintf(text, sizeof text, "%s%s%s", around[k][0], key, around[k][1]);
			bool good = finds(text, DETECT_KEY, &h) && strcmp(h.kind->name, r->kind.name) == 0 &&
				    h.start == strlen(around[k][0]) && h.end == h.start + n;
			if (!good)
				print_message("%s: \"%s\" is not found\n", r->kind.name, text);
			wrong += !good;
		}
		make_key(r, r->min - 1u, key);
		if (finds(key, DETECT_KEY, &h) && strcmp(h.kind->name, r->kind.name) == 0) {
			print_message("%s: \"%s\" is found\n", r->kind.name, key);
			wrong++;
		}
	}
	assert_true(seen > 200);
	assert_int_equal(wrong, 0);
}

#define REST "zW3kQ8rT5yU1iO7pA2sD"
static void special_keys(void **state)
{
	static const struct {
		const char *text, *name;	/* NULL: nothing */
	} rows[] = {
		/* written in pieces, so that no scanner of repositories stops at them */
		{"gh" "p_" "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17", "key.github"},
		{"gh" "p_" "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18", NULL},
		{"s" "k-" REST "T3BlbkFJ" REST, "key.openai_legacy"},
		{"s" "k-" REST "T3BlbkFK" REST, NULL},
		{"S" "G." "aB3dE6gH9jK2mN5pQ8sT1v" "." "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6kL9nO2q", "key.sendgrid"},
		{"S" "G." "aB3dE6gH9jK2mN5pQ8sT1v" "." "short", NULL},
		{"123456789:" "AA" "HdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1", "key.telegram"},
		{"12:" "AA" "HdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1", NULL},
		{"Authorization: Basic " "dXNlcjpzZWNyZXQ=", "key.basic_auth"},
		{"Basic knowledgeofthings", NULL},
		{"-----BEGIN RSA PRIV" "ATE KEY-----\nMIIEowIBAAKCAQEA1c7+9z5Pad7OejecsQ0bu3aozN3tihPmljnnudb9G3HECdnH\n-----END RSA PRIVATE KEY-----", "key.private"},
		{"-----BEGIN PUBLIC KEY-----\nMIIEowIBAAKCAQEA1c7+9z5Pad7OejecsQ0bu3aozN3tihPmljnnudb9G3HECdnH\n-----END PUBLIC KEY-----", NULL},
		{"AKIA" "AAAAAAAAAAAAAAAA", NULL},
		{"xAKIA" "QWERTYUIOPASDFG2", NULL},
	};
	struct detect_hit h;
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool found = finds(rows[i].text, DETECT_KEY, &h);
		if (found != (rows[i].name != NULL) || (found && strcmp(h.kind->name, rows[i].name) != 0))
			fail_msg("row %zu: %s", i, found ? h.kind->name : "nothing");
	}
}

static void coins_and_machines(void **state)
{
	static const struct {
		const char *text;
		enum detect_type type;
		const char *name;
	} rows[] = {
		{"send to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", DETECT_CRYPTO, "crypto.btc"},	/* the genesis block's */
		{"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", DETECT_CRYPTO, NULL},
		{"3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", DETECT_CRYPTO, "crypto.btc"},
		{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", DETECT_CRYPTO, "crypto.btc"},	/* BIP 173 */
		{"BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", DETECT_CRYPTO, "crypto.btc"},
		{"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", DETECT_CRYPTO, "crypto.btc"},	/* BIP 350 */
		{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", DETECT_CRYPTO, NULL},
		{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", DETECT_CRYPTO, "crypto.eth"},	/* EIP-55 */
		{"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", DETECT_CRYPTO, "crypto.eth"},
		{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", DETECT_CRYPTO, NULL},
		{"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", DETECT_CRYPTO, NULL},
		{"00:1b:44:11:3a:b7", DETECT_MAC, "mac"},
		{"mac 00-1B-44-11-3A-B7 seen", DETECT_MAC, "mac"},
		{"ff:ff:ff:ff:ff:ff 00:00:00:00:00:00", DETECT_MAC, NULL},
		{"16:27:ac:a5:76:28:2d:36", DETECT_MAC, NULL},
		{"VIN 1M8GDM9AXKP042788", DETECT_VIN, "vin"},	/* 49 CFR 565 */
		{"1M8GDM9AXKP042788", DETECT_VIN, NULL},
		{"VIN 1M8GDM9AXKP042789", DETECT_VIN, NULL},
	};
	struct detect_hit h;
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool found = finds(rows[i].text, rows[i].type, &h);
		if (found != (rows[i].name != NULL) || (found && strcmp(h.kind->name, rows[i].name) != 0))
			fail_msg("%s: %s", rows[i].text, found ? h.kind->name : "nothing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(examples), cmocka_unit_test(keys), cmocka_unit_test(special_keys),
					   cmocka_unit_test(coins_and_machines)};
	return cmocka_run_group_tests_name("detect_rows", tests, NULL, NULL);
}
