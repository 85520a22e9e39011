/* Detectors of the organisation's own: part of the model and its digest, looked for by the plan, and never left out quietly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "contract/contract.h"
#include "json/json.h"

#define BASE "weir: 1\nvendor: mixpanel\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: [{name: w, token: env:W}]\nevents: [e]\n" \
	     "fields: {properties.a: keep, properties.o: {keep: true, detect: off}, properties.d: {keep: true, on_hit: drop_event}, properties.m: {keep: true, on_hit: {mask: 4}}, properties.ausweis: keep}\n"
#define NAMED BASE "detectors: [customers, badges]\n"
#define HEAD "weir: 1\ndetectors:\n"
#define KD "  - {name: customer_no, pattern: 'KD-[0-9]{6}', check: luhn, examples: [KD-123455]}\n"
#define BADGE "  - {name: hr.badge, pattern: '\\bB[0-9]{5}\\b', context: [badge, ausweis], examples: ['badge B12345']}\n"

static struct contract *parse(const char *text)
{
	struct diags d;
	diags_init(&d, "t.yaml");
	struct contract *c = contract_parse(text, strlen(text), &d);
	if (!c)
		fail_msg("%zu:%zu %s", d.v[0].line, d.v[0].col, d.v[0].msg);
	diags_release(&d);
	return c;
}

/* What the mistakes are; "" for none. */
static const char *add(struct contract *c, size_t file, const char *text)
{
	static char said[256];
	struct diags d, own;
	diags_init(&d, "t.yaml");
	diags_init(&own, "own.yaml");
	struct detect_rules *r = detect_rules_read(text, strlen(text), &own);
	if (!r)
		fail_msg("%s", own.v[0].msg);
	contract_detectors_add(c, file, r, &d);
	said[0] = 0;
	if (d.n)
		snprintf(said, sizeof said, "%zu:%zu [%s]", d.v[0].line, d.v[0].col, d.v[0].code);
	detect_rules_free(&r);	/* the contract has its own copy */
	diags_release(&d);
	diags_release(&own);
	return said;
}

static struct contract *whole(const char *first, const char *second)
{
	struct contract *c = parse(NAMED);
	assert_string_equal(add(c, 0, first), "");
	assert_string_equal(add(c, 1, second), "");
	return c;
}

static struct plan *plan_of(const struct contract *c)
{
	struct err err;
	struct plan *p;
	if (plan_compile(c, FLOW_OPEN, &p, &err) != 0)
		fail_msg("%s", err.msg);
	return p;
}

static void a_part_of_the_model(void **state)
{
	(void)state;
	struct err err;
	struct contract *plain = parse(BASE), *c = whole(HEAD KD, HEAD BADGE), *other = whole(HEAD KD, HEAD "  - {name: hr.badge, pattern: '\\bB[0-9]{6}\\b', context: [badge, ausweis], examples: ['badge B123456']}\n");
	uint8_t a[32], b[32], d[32], again[32];
	contract_digest(plain, a);
	contract_digest(c, b);
	contract_digest(other, d);
	assert_memory_not_equal(a, b, 32);
	assert_memory_not_equal(b, d, 32);
	struct buf json, json2;
	buf_init(&json, 0);
	buf_init(&json2, 0);
	contract_to_json(c, &json);
	assert_non_null(strstr((char *)json.data, "\"detectors\":[{\"check\":\"luhn\",\"name\":\"customer_no\",\"pattern\":\"KD-[0-9]{6}\"},"
						  "{\"context\":[\"badge\",\"ausweis\"],\"name\":\"hr.badge\",\"pattern\":\"\\\\bB[0-9]{5}\\\\b\"}]"));
	struct contract *back = contract_from_json((char *)json.data, json.len, &err);
	assert_non_null(back);
	assert_int_equal(back->own_len, 2);
	contract_to_json(back, &json2);
	assert_string_equal((char *)json.data, (char *)json2.data);
	contract_digest(back, again);
	assert_memory_equal(b, again, 32);
	buf_release(&json);
	buf_release(&json2);
	contract_free(&plain);
	contract_free(&c);
	contract_free(&other);
	contract_free(&back);
}

static int apply(struct plan *p, struct apply_out *out, bool detect, const char *json)
{
	static char text[512 + JSON_PAD];
	struct err err;
	struct apply_env env = {.vendor = pseudo_new((const uint8_t[KEY_BYTES]){7}, 0), .day = "2026-01-15", .detect = detect};
	memset(text, 0, sizeof text);
	snprintf(text, sizeof text, "{\"event\":\"e\",\"properties\":%s}", json);
	apply_out_reset(out);
	int r = plan_apply(p, &env, OBJECT_EVENT, text, strlen(text), false, out, &err);
	pseudo_free(&env.vendor);
	return r;
}

static void found_by_the_plan(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;	/* NULL: the event is dropped */
	} rows[] = {
		{"{\"a\":\"see KD-123455, KD-123456 and a@b.io\"}", "{\"a\":\"see [CUSTOMER_NO], KD-123456 and [EMAIL]\"}"},
		{"{\"a\":\"KD-123455\"}", "{\"a\":\"[CUSTOMER_NO]\"}"}, {"{\"a\":\"\\u004bD-123455\"}", "{\"a\":\"[CUSTOMER_NO]\"}"},
		{"{\"a\":\"plain\"}", "{\"a\":\"plain\"}"}, {"{\"a\":\"B12345\"}", "{\"a\":\"B12345\"}"},
		{"{\"a\":\"my Badge: B12345\"}", "{\"a\":\"my Badge: [HR.BADGE]\"}"}, {"{\"o\":\"KD-123455\"}", "{\"o\":\"KD-123455\"}"},
		{"{\"d\":\"KD-123455\"}", NULL}, {"{\"d\":\"KD-123456\"}", "{\"d\":\"KD-123456\"}"}, {"{\"m\":\"KD-123455\"}", "{\"m\":\"*****3455\"}"},
		{"{\"ausweis\":\"B12345\"}", "{\"ausweis\":\"[HR.BADGE]\"}"},
		{"{\"a\":77889912}", "{}"}, {"{\"a\":77889812}", "{\"a\":77889812}"},
	};
	struct err err;
	struct apply_out out;
	struct contract *c = whole(HEAD KD "  - {name: till, pattern: '778899[0-9]{2}', examples: ['77889912']}\n", HEAD BADGE);
	struct plan *p = plan_of(c);
	assert_int_equal(crypt_init(&err), 0);
	apply_out_init(&out, 0);
	contract_free(&c);
	/* not without them */
	assert_int_equal(apply(p, &out, true, "{\"a\":\"KD-123455\"}"), -1);
	assert_int_equal(apply(p, &out, false, "{\"a\":\"KD-123455\"}"), 0);	/* measurements look for nothing */
	assert_int_equal(plan_arm(p, &err), 0);
	assert_int_equal(plan_arm(p, &err), 0);
	/* another plan shares them, and outlives the first; one with other detectors doesn't */
	struct plan *first = p, *other;
	c = whole(HEAD KD "  - {name: till, pattern: '778899[0-9]{2}', examples: ['77889912']}\n", HEAD BADGE);
	p = plan_of(c);
	contract_free(&c);
	c = whole(HEAD KD, HEAD BADGE);
	other = plan_of(c);
	contract_free(&c);
	assert_false(plan_arm_like(other, first));
	assert_int_equal(apply(other, &out, true, "{\"a\":\"KD-123455\"}"), -1);
	assert_false(plan_arm_like(p, other));
	assert_true(plan_arm_like(p, first));
	plan_free(&first);
	plan_free(&other);
	for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {	/* again, with what was remembered */
		char want[256];
		const char *in = rows[i / 2].in, *expect = rows[i / 2].out;
		assert_int_equal(apply(p, &out, true, in), 0);
		assert_int_equal(out.v[0].dropped, expect ? DROP_NONE : DROP_DETECTOR);
		snprintf(want, sizeof want, "{\"event\":\"e\",\"properties\":%s}\n", expect ? expect : "");
		if (expect && strcmp(want, (char *)out.bytes.data) != 0)
			fail_msg("%s: %s", in, (char *)out.bytes.data);
	}
	apply_out_release(&out);
	plan_free(&p);
}

static void narrower_and_wider(void **state)
{
	(void)state;
	struct contract *plain = parse(BASE), *c = whole(HEAD KD, HEAD BADGE);
	struct plan *a = plan_of(plain), *b = plan_of(c);
	struct contract_changes ch;
	assert_true(plan_within(b, a));
	assert_false(plan_within(a, b));	/* it lets out what b would have found */
	contract_diff(plain, c, &ch);
	assert_int_equal(ch.n, 2);
	assert_false(ch.wider);
	assert_string_equal(ch.v[0].text, "detectors: adds customer_no");
	contract_changes_release(&ch);
	contract_diff(c, plain, &ch);
	assert_true(ch.v[0].wider && ch.v[1].wider);
	contract_changes_release(&ch);
	struct contract *other = whole(HEAD "  - {name: customer_no, pattern: 'KD-[0-9]{6}', examples: [KD-123455]}\n", HEAD BADGE);
	struct plan *o = plan_of(other);
	assert_false(plan_within(o, b));
	contract_diff(c, other, &ch);
	assert_int_equal(ch.n, 1);
	assert_true(ch.wider);
	contract_changes_release(&ch);
	plan_free(&a);
	plan_free(&b);
	plan_free(&o);
	contract_free(&plain);
	contract_free(&c);
	contract_free(&other);
}

static void no_plan_without_them(void **state)
{
	(void)state;
	struct err err;
	struct plan *p = NULL;
	struct contract *c = parse(NAMED);
	assert_int_equal(plan_compile(c, FLOW_OPEN, &p, &err), -1);
	assert_string_equal(add(c, 0, HEAD KD), "");
	assert_int_equal(plan_compile(c, FLOW_OPEN, &p, &err), -1);
	assert_string_equal(add(c, 1, HEAD KD), "8:24 [duplicate_value]");
	contract_free(&c);
	/* rows that can't be detectors: signed or not, there is no plan that looks for less */
	static const char *const rows[] = {"{\"name\":\"a_b\",\"pattern\":\"KD-[0-9\"}", "{\"name\":\"email\",\"pattern\":\"KD-[0-9]{6}\"}",
					   "{\"name\":\"a_b\",\"pattern\":\"KD-[0-9]{6}\",\"check\":\"crc\"}"};
	static const char *const unread[] = {"{\"name\":\"a_b\"}", "{\"pattern\":\"KD-[0-9]{6}\"}", "{\"name\":\"a_b\",\"pattern\":\"KD-[0-9]{6}\",\"context\":\"x\"}", "5", "[]"};
	static const char form[] = "{\"weir\":1,\"vendor\":\"v\",\"delivery\":{\"adapter\":\"mixpanel\"},\"version\":1,\"detectors\":[%s]}";
	char text[512];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(text, sizeof text, form, rows[i]);
		c = contract_from_json(text, strlen(text), &err);
		assert_non_null(c);
		p = plan_of(c);
		if (plan_arm(p, &err) == 0)
			fail_msg("%s", rows[i]);
		plan_free(&p);
		contract_free(&c);
	}
	for (size_t i = 0; i < sizeof unread / sizeof *unread; i++) {
		snprintf(text, sizeof text, form, unread[i]);
		c = contract_from_json(text, strlen(text), &err);
		if (c && i != 3)
			fail_msg("%s", unread[i]);
		if (c)	/* a number is a name like any other, of a file that wasn't read */
			assert_int_equal(plan_compile(c, FLOW_OPEN, &p, &err), -1);
		contract_free(&c);
	}
}

int main(void)
{
	struct diags d;
	diags_init(&d, "x");
	struct detect_rules *r = detect_rules_read(HEAD KD, strlen(HEAD KD), &d);
	diags_release(&d);
	if (!r) {
		puts("0 passed, 0 failed, 4 skipped: no Vectorscan here");
		return 77;
	}
	detect_rules_free(&r);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_of_the_model), cmocka_unit_test(found_by_the_plan), cmocka_unit_test(narrower_and_wider), cmocka_unit_test(no_plan_without_them),
	};
	return cmocka_run_group_tests_name("contract-own", tests, NULL, NULL);
}
