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

static int find(const char *fields, struct canary_place *p, char token[static CANARY_TOKEN + 1])
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
	} rows[] = {
		{"properties.$browser: keep\n", "link-host"},	/* the detectors redact addresses and let a host stand */
		{"properties.n: {round: 0}\n", NULL},
		{"properties.plan: {oneof: [free, plus]}\n", NULL},
		{"properties.mail: {domain: true}\n", "address-domain"},
		{"properties.mail: {keep: true, detect: off}\n", "address"},
		{"properties.when: {truncate: day}\n", NULL},
		{"properties.id: {pseudonym: other}\n", NULL},
		{"properties.text: {mask: 4}\n", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct canary_place p;
		char token[CANARY_TOKEN + 1], again[CANARY_TOKEN + 1];
		int r = find(rows[i].fields, &p, token);
		if (r != (rows[i].form != NULL))
			fail_msg("row %zu: %d %s", i, r, p.form ? p.form : "-");
		if (r == 1) {
			if (i != 0)
				assert_string_equal(p.form, rows[i].form);
			assert_true(canary_find_token((struct span){p.value, strlen(p.value)}, again));
			assert_string_equal(again, token);
			assert_non_null(strstr((const char *)p.event.data, "\"event\":\"chat_opened\""));
		}
		canary_place_release(&p);
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
