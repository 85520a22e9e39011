/* What contracts let through of a planted identity; tokens found again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "canary/canary.h"
#include "crypt/crypt.h"

static const char head[] = "weir: 1\nvendor: mixpanel\nname: M\ncountry: US\nrole: processor\nservice: S\n"
			   "delivery: {adapter: mixpanel, upstream: https://api.mixpanel.com, credential: env:T}\n"
			   "sources: [{name: web, token: env:W}]\nversion: 1\nsigned: 2026-01-15\npurpose: p\nbasis: consent\n"
			   "breach_notice: PT24H\nretention: P13M\nevents: [\"chat_*\"]\nfields:\n  event: keep\n  ";

static int find(const char *fields, struct canary_found *p, char token[static CANARY_TOKEN + 1])
{
	struct err err;
	struct diags d;
	struct buf b;
	buf_init(&b, 0);
	buf_adds(&b, head);
	buf_adds(&b, fields);
	diags_init(&d, "t");
	struct contract *c = contract_parse((const char *)b.data, b.len, &d);
	assert_non_null(c);
	assert_int_equal(crypt_init(&err), 0);
	canary_token(token);
	int r = canary_find(c, token, "http://127.0.0.1:7081", "mail.example", "tok", p, &err);
	contract_free(&c);
	diags_release(&d);
	buf_release(&b);
	return r;
}

static void plants_what_the_contract_lets_through(void **state)
{
	(void)state;
	static const struct {
		const char *fields, *form;	/* NULL: nothing */
		const char *path, *profile;	/* NULL: whichever; none */
		size_t n;			/* places; 0: 1 */
	} rows[] = {
		{.fields = "properties.$browser: keep\n", .form = "link-host"},	/* the detectors redact addresses and let a host stand */
		{.fields = "properties.n: {round: 0}\n", .form = NULL},
		{.fields = "properties.plan: {oneof: [free, plus]}\n", .form = NULL},
		{.fields = "properties.mail: {domain: true}\n", .form = "address-domain"},
		{.fields = "properties.mail: {keep: true, detect: off}\n", .form = "address"},
		{.fields = "properties.when: {truncate: day}\n", .form = NULL},
		{.fields = "properties.id: {pseudonym: other}\n", .form = NULL},
		{.fields = "properties.text: {mask: 4}\n", .form = NULL},
		/* the identifier itself, and no property that drops it on the way */
		{.fields = "properties.n: {round: 0}\nidentity: keep\n", .form = "address", .path = "properties.distinct_id"},
		{.fields = "properties.n: {round: 0}\nidentity: keep\nprofiles: {operations: [set_once], fields: {plan: {oneof: [free]}}}\n",
		 .form = "address", .path = "properties.distinct_id", .profile = "@mail.example\",\"$set_once\":{}}", .n = 2},
		/* a profile alone, and beside an event */
		{.fields = "properties.n: {round: 0}\nprofiles: {operations: [unset, set], fields: {plan: {oneof: [free]}, mail: {domain: true}}}\n",
		 .form = "address-domain", .path = "mail", .profile = "\"$set\":{\"mail\":\"info@", .n = 1},
		{.fields = "properties.mail: {domain: true}\nprofiles: {operations: [set], fields: {mail: {domain: true}}}\n", .form = "address-domain",
		 .path = "properties.mail", .profile = "\"$distinct_id\":\"canary-", .n = 2},
		{.fields = "properties.n: {round: 0}\nprofiles: {operations: [delete], fields: {mail: keep}}\n", .form = NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct canary_found p;
		char token[CANARY_TOKEN + 1], again[CANARY_TOKEN + 1];
		int r = find(rows[i].fields, &p, token);
		if (r != (rows[i].form != NULL))
			fail_msg("row %zu: %d %s", i, r, p.n ? p.v[0].form : "-");
		if (r == 1) {
			if (i != 0)
				assert_string_equal(p.v[0].form, rows[i].form);
			for (size_t k = 0; k < p.n; k++) {
				assert_true(canary_find_token((struct span){p.v[k].value, strlen(p.v[k].value)}, again));
				assert_string_equal(again, token);
			}
			assert_string_equal(p.n ? p.v[0].path : "", rows[i].path ? rows[i].path : p.v[0].path);
			assert_int_equal(p.n, rows[i].n ? rows[i].n : 1);
			assert_true(p.object[0].len == 0 || strstr((const char *)p.object[0].data, "\"event\":\"chat_opened\""));
			assert_int_equal(p.object[1].len > 0, rows[i].profile != NULL);
			assert_true(!rows[i].profile || strstr((const char *)p.object[1].data, rows[i].profile));
		}
		canary_found_release(&p);
	}
}

static void tokens_are_found_at_borders_only(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool found;
	} rows[] = {{"abcdefghijklmnopqrst@mail.example", true}, {"info@ABCDEFGHIJKLMNOPQRST.mail.example", true}, {"/t/abcdefghijklmnopqrst", true},
		    {"/t/abcdefghijklmnopqrst/", true}, {"abcdefghijklmnopqrs@x", false}, {"abcdefghijklmnopqrstu@x", false},
		    {"abcdefghij1klmnopqrst@x", false}, {"", false}, {"abcdefghijklmnopqrst1", false}, {"a@b", false}};
	char token[CANARY_TOKEN + 1];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (canary_find_token((struct span){rows[i].text, strlen(rows[i].text)}, token) != rows[i].found)
			fail_msg("row %zu", i);
	canary_token(token);
	assert_int_equal(strlen(token), CANARY_TOKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plants_what_the_contract_lets_through),
		cmocka_unit_test(tokens_are_found_at_borders_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
