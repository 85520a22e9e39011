/* What a link says of people: whose identifiers the ledger learns, and that nothing is learnt from one that is denied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "contract/contract.h"
#include "json/json.h"

static const uint8_t key[KEY_BYTES] = {7}, subject_key[KEY_BYTES] = {9};
static const char head[] = "weir: 1\nvendor: mixpanel\nname: M\ncountry: US\nrole: processor\nservice: S\n"
			   "delivery: {adapter: mixpanel, upstream: https://api.mixpanel.com, credential: env:T}\n"
			   "sources: [{name: web, token: env:W}]\nversion: 1\nsigned: 2026-01-15\npurpose: p\nbasis: consent\n"
			   "breach_notice: PT24H\nretention: P13M\nevents: [e]\nfields: {properties.a: keep}\n";

struct run {
	struct plan *p;
	struct apply_env env;
	struct apply_out out;
	struct pseudo *subject;
};

static void begin(struct run *r, const char *more)
{
	char text[2048];
	struct diags d;
	struct err err;
	snprintf(text, sizeof text, "%s%s", head, more);
	assert_int_equal(crypt_init(&err), 0);
	diags_init(&d, "t.yaml");
	struct contract *c = contract_parse(text, strlen(text), &d);
	assert_non_null(c);
	diags_release(&d);
	*r = (struct run){.subject = pseudo_new(subject_key, 0), .env = {.vendor = pseudo_new(key, 0), .day = "2026-01-15", .detect = true}};
	r->env.subject = r->subject;
	assert_int_equal(plan_compile(c, FLOW_OPEN, &r->p, &err), 0);
	contract_free(&c);
	apply_out_init(&r->out, 0);
}

static void end(struct run *r)
{
	pseudo_free(&r->env.vendor);
	pseudo_free(&r->subject);
	apply_out_release(&r->out);
	plan_free(&r->p);
}

static void apply(struct run *r, const char *json)
{
	struct err err;
	size_t n = strlen(json);
	char *text = calloc(1, n + JSON_PAD);
	memcpy(text, json, n);
	apply_out_reset(&r->out);
	if (plan_apply(r->p, &r->env, OBJECT_EVENT, text, n, false, &r->out, &err) != 0)
		fail_msg("%s", err.msg);
	free(text);
}

/* "user:a+user:b device:x": names, then what belongs to them. */
static void expect(struct run *r, size_t at, uint32_t object, const char *want)
{
	assert_true(at < r->out.links_n);
	const struct link_ids *k = &r->out.links[at];
	unsigned n = 0, persons = 0;
	assert_int_equal(k->object, object);
	for (const char *p = want; *p; p += *p != 0) {
		char kind[16];
		uint8_t id[SUBJECT_BYTES];
		size_t len = strcspn(p, ":"), rest = strcspn(p, "+ ");
		snprintf(kind, sizeof kind, "%.*s", (int)len, p);
		assert_true(pseudo_subject(r->subject, kind, p + len + 1, rest - len - 1, id));
		assert_true(n < k->n);
		assert_memory_equal(k->ids[n++], id, SUBJECT_BYTES);
		p += rest;
		if (!persons && *p != '+')
			persons = n;
	}
	assert_int_equal(k->n, n);
	assert_int_equal(k->persons, persons);
}

#define LINK(name, properties) "{\"event\":\"" name "\",\"properties\":{" properties "}}"

static void who_is_linked(void **state)
{
	(void)state;
	static const struct {
		const char *json, *says;	/* NULL: nothing */
	} rows[] = {
		{LINK("$identify", "\"distinct_id\":\"anna\",\"$user_id\":\"anna\",\"$device_id\":\"d1\",\"$anon_distinct_id\":\"$device:d1\""), "user:anna device:d1"},
		{LINK("$identify", "\"$anon_distinct_id\":\"old\",\"distinct_id\":\"anna\""), "user:anna user:old"},
		{LINK("$identify", "\"$anon_id\":\"x\",\"$identified_id\":\"y\""), "user:y user:x"},
		{LINK("$create_alias", "\"alias\":\"b\",\"distinct_id\":\"a\""), "user:b+user:a"},
		{LINK("$create_alias", "\"alias\":\"\\u0062\",\"distinct_id\":\"\\u0061\""), "user:b+user:a"},
		{LINK("$merge", "\"$distinct_ids\":[\"a\",7,\"b\",{},\"a\"]"), "user:a+user:7+user:b"},
		{LINK("$merge", "\"$distinct_ids\":[\"$device:q\",\"$device:r\"]"), "device:q device:r"},
		{"{\"properties\":{\"alias\":\"b\",\"distinct_id\":\"a\"},\"event\":\"$create_alias\"}", "user:b+user:a"},
		{LINK("$identify", "\"distinct_id\":\"a\""), NULL},
		{LINK("$identify", "\"distinct_id\":\"a\",\"$user_id\":\"a\""), NULL},
		{LINK("$merge", "\"$distinct_ids\":[\"a\",[],null,\"\"]"), NULL},
		{LINK("e", "\"distinct_id\":\"a\",\"$device_id\":\"d\",\"alias\":\"b\""), NULL},	/* two identifiers, but no link */
	};
	struct run r;
	begin(&r, "links: allow\n");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		apply(&r, rows[i].json);
		if (r.out.links_n != (rows[i].says != NULL))
			fail_msg("%s: %zu links", rows[i].json, r.out.links_n);
		if (rows[i].says)
			expect(&r, 0, 0, rows[i].says);
	}
	apply(&r, "[" LINK("e", "\"distinct_id\":\"z\"") "," LINK("$create_alias", "\"alias\":\"b\",\"distinct_id\":\"a\"") "," LINK("no", "") ","
	      LINK("$create_alias", "\"alias\":\"c\",\"distinct_id\":\"a\"") "]");
	assert_int_equal(r.out.links_n, 2);
	expect(&r, 0, 1, "user:b+user:a");
	expect(&r, 1, 3, "user:c+user:a");
	end(&r);
}

static void a_denied_link_says_nothing(void **state)
{
	(void)state;
	static const char *const rows[] = {
		LINK("$create_alias", "\"alias\":\"b\",\"distinct_id\":\"a\""),
		LINK("$create_alias", "\"distinct_id\":\"a\",\"distinct_id\":\"b\",\"alias\":\"c\""),	/* twice the same key */
	};
	struct run r;
	for (size_t i = 0; i < 2; i++) {
		begin(&r, i ? "links: allow\n" : "links: deny\n");
		apply(&r, rows[i]);
		assert_int_not_equal(r.out.v[0].dropped, DROP_NONE);
		assert_int_equal(r.out.links_n, 0);
		end(&r);
	}
}

/* What can't be recorded doesn't leave. */
static void a_link_of_too_many_is_dropped(void **state)
{
	(void)state;
	struct run r;
	begin(&r, "links: allow\n");
	for (int n = LINK_IDS_MAX; n <= LINK_IDS_MAX + 1; n++) {
		char json[1024];
		size_t at = (size_t)snprintf(json, sizeof json, "{\"event\":\"$merge\",\"properties\":{\"$distinct_ids\":[0");
		for (int i = 1; i < n; i++)
			at += (size_t)snprintf(json + at, sizeof json - at, ",%d", i);
		snprintf(json + at, sizeof json - at, "]}}");
		apply(&r, json);
		assert_int_equal(r.out.v[0].dropped, n > LINK_IDS_MAX ? DROP_LIMIT : DROP_NONE);
		assert_int_equal(r.out.links_n, n <= LINK_IDS_MAX);
	}
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_linked), cmocka_unit_test(a_denied_link_says_nothing), cmocka_unit_test(a_link_of_too_many_is_dropped),
	};
	return cmocka_run_group_tests_name("contract-link", tests, NULL, NULL);
}
