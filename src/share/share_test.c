/* Identifiers against the standard's known answers, the gate, and what a peer's bundle may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "share/share.h"

/* STIX 2.1 errata 01, examples of section 2.9. */
static void known_identifiers(void **state)
{
	(void)state;
	static const uint8_t space[16] = {0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7};
	static const struct {
		const char *json, *want;
	} rows[] = {
		{"{\"value\":\"198.51.100.3\"}", "28bb3599-77cd-5a82-a950-b5bc3caf07c4"},
		{"{\"value\":\"example.com\"}", "bedb4899-d24b-5401-bc86-8f6b4cc18ec7"},
		{"{\"value\":\"john@example.com\"}", "7165e2a9-671f-585d-b1e1-ca59c671d934"},
		{"{\"value\":\"https://example.com/research/index.html\"}", "47c3cf9a-5027-5bf0-997a-017c7edc7c55"},
		{"{\"number\":15139}", "3aa27478-50b5-5ab8-9da9-cdc12b657fff"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char out[37];
		uuid5(space, rows[i].json, strlen(rows[i].json), out);
		assert_string_equal(out, rows[i].want);
	}
}

static json_t *facts(const char *upstream)
{
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:{s:s}, s:[{s:{s:i, s:[{s:s, s:i}]}}]}", "id", 7, "vendor", "acme", "vendor_name", "Acme, Inc.",
			 "state", "open", "at", "2025-11-25T09:00:00Z", "contract", "upstream", upstream, "scopes", "counts", "people", 4711,
			 "categories", "category", "user.contact.email", "people", 4711);
}

static void bundle_is_stable_and_counts_are_rough(void **state)
{
	(void)state;
	json_t *f = facts("https://api.acme.example/x"), *one, *two;
	struct err err;
	assert_int_equal(share_bundle(f, "Example Ltd", TLP_AMBER, &one, &err), 0);
	assert_int_equal(share_bundle(f, "Example Ltd", TLP_AMBER, &two, &err), 0);
	assert_true(json_equal(one, two));
	char *text = json_dumps(one, 0);
	assert_non_null(strstr(text, "api.acme.example"));
	assert_non_null(strstr(text, "\"individuals\": 10000"));
	assert_null(strstr(text, "4711"));
	/* and it can be read back */
	struct share_found found;
	assert_int_equal(share_read(text, strlen(text), &found, &err), 0);
	assert_int_equal(found.tlp, TLP_AMBER);
	assert_string_equal(found.title, "Security incident at Acme, Inc.");
	assert_int_equal(found.hosts_len, 1);
	assert_string_equal(found.hosts[0], "api.acme.example");
	share_found_release(&found);
	free(text);
	json_decref(one);
	json_decref(two);
	json_decref(f);
}

static void an_address_is_no_host(void **state)
{
	(void)state;
	json_t *f = facts("http://192.0.2.7:8080"), *b;
	struct err err;
	assert_int_equal(share_bundle(f, "Example Ltd", TLP_CLEAR, &b, &err), 0);
	char *text = json_dumps(b, 0);
	assert_null(strstr(text, "192.0.2.7"));
	free(text);
	json_decref(b);
	json_decref(f);
}

static void the_gate(void **state)
{
	(void)state;
	static const char *const planted[] = {"write to alice@example.com", "call +49 30 901820", "DE89 3704 0044 0532 0130 00"};
	for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
		json_t *f = facts("https://api.acme.example"), *b;
		struct err err;
		json_object_set_new(f, "vendor_name", json_string(planted[i]));
		assert_int_equal(share_bundle(f, "Example Ltd", TLP_AMBER, &b, &err), -1);
		assert_int_equal(err.code, ERR_DENIED);
		assert_null(b);
		assert_null(strstr(err.msg, "alice"));
		assert_int_equal(share_bundle(f, planted[i], TLP_AMBER, &b, &err), -1);
		json_decref(f);
	}
}

static void a_marking_is_never_loosened(void **state)
{
	(void)state;
	struct err err;
	for (int came = 0; came < TLPS; came++)
		for (int goes = 0; goes < TLPS; goes++) {
			json_t *f = facts("https://api.acme.example"), *b;
			json_object_set_new(f, "tlp", json_string(tlp_names[came]));
			assert_int_equal(share_bundle(f, "Example Ltd", (enum tlp)goes, &b, &err), goes >= came ? 0 : -1);
			json_decref(b);
			json_decref(f);
		}
}

#define HEAD "{\"type\":\"bundle\",\"id\":\"bundle--04398f03-41d7-4f9b-9672-7d79bed01b97\",\"objects\":["
#define INCIDENT "{\"type\":\"incident\",\"id\":\"incident--28dce5d8-581a-4c61-a0e1-5642669c17fb\",\"name\":\"%s\",\"object_marking_refs\":[\"marking-definition--%s\"]}"
#define GREEN "bab4a63c-aed9-4cf5-a766-dfca5abac2bb"

static void bad_bundles(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum err_code code;
	} rows[] = {
		{"", ERR_SYNTAX}, {"[]", ERR_INPUT}, {"{}", ERR_INPUT}, {"{\"type\":\"bundle\"}", ERR_INPUT}, {"{\"a\":1,\"a\":2}", ERR_SYNTAX},
		{"{\"type\":\"bundle\",\"id\":\"bundle--x\",\"objects\":[]}", ERR_INPUT},
		{HEAD "]}", ERR_INPUT},						/* no incident */
		{HEAD "7]}", ERR_INPUT}, {HEAD "{\"type\":\"incident\"}]}", ERR_INPUT},
		{HEAD "{\"type\":\"incident\",\"id\":\"identity--28dce5d8-581a-4c61-a0e1-5642669c17fb\"}]}", ERR_INPUT},
		{HEAD "{\"type\":\"incident\",\"id\":\"incident--28dce5d8-581a-4c61-a0e1-5642669c17fb\",\"name\":\"x\"}]}", ERR_INPUT},	/* unmarked */
		{HEAD "{\"type\":\"incident\",\"id\":\"incident--28dce5d8-581a-4c61-a0e1-5642669c17fb\",\"object_marking_refs\":7}]}", ERR_INPUT},
		{"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", ERR_LIMIT},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct share_found f;
		struct err err;
		assert_int_equal(share_read(rows[i].text, strlen(rows[i].text), &f, &err), -1);
		assert_int_equal(err.code, rows[i].code);
		share_found_release(&f);
	}
}

static void peers_text_is_data(void **state)
{
	(void)state;
	static const struct {
		const char *name, *want;
	} rows[] = {
		{"A\\nB\\u0007C", "A B C"}, {"ask alice@example.com", "(withheld: personal data)"},
	};
	for (size_t i = 0; i < 2; i++) {
		char *text = xasprintf(HEAD INCIDENT "]}", rows[i].name, GREEN);
		struct share_found f;
		struct err err;
		assert_int_equal(share_read(text, strlen(text), &f, &err), 0);
		assert_string_equal(f.title, rows[i].want);
		assert_int_equal(f.tlp, TLP_GREEN);
		share_found_release(&f);
		free(text);
	}
	/* cut between characters */
	char name[500] = "";
	for (int i = 0; i < 150; i++)
		strcat(name, "\xc3\xa4");
	char *text = xasprintf(HEAD INCIDENT "]}", name, GREEN);
	struct share_found f;
	struct err err;
	assert_int_equal(share_read(text, strlen(text), &f, &err), 0);
	assert_int_equal(strlen(f.title), SHARE_TEXT_MAX);
	share_found_release(&f);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_identifiers), cmocka_unit_test(bundle_is_stable_and_counts_are_rough), cmocka_unit_test(an_address_is_no_host),
		cmocka_unit_test(the_gate), cmocka_unit_test(a_marking_is_never_loosened), cmocka_unit_test(bad_bundles),
		cmocka_unit_test(peers_text_is_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
