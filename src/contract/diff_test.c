/* contract_diff: what becomes wider is said to be wider, and nothing that widens goes unsaid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/contract.h"

#define HEAD "weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\n"
#define S "sources: [{name: a, token: env:A}]\n"
#define E "events: [a]\n"
#define F(x) HEAD S E "fields: {" x "}\n"

static const struct row {
	const char *a, *b;
	const char *want;	/* "+" for wider, "-" for not, then the text; lines joined */
} rows[] = {
	{F(""), F(""), ""},
	/* places and actions */
	{F(""), F("x: keep"), "+events: x may leave: keep\n"},
	{F("x: keep"), F(""), "-events: x no longer leaves, was keep\n"},
	{F("x: drop"), F(""), ""},
	{F("x: drop"), F("x: {mask: 1}"), "+events: x may leave: mask: 1\n"},
	{F("x: keep"), F("x: {round: 1}"), "-events: x: round: 1, was keep\n"},
	{F("x: {round: 1}"), F("x: keep"), "+events: x: keep, was round: 1\n"},
	{F("x: {round: 1}"), F("x: {round: 2}"), "+events: x: round: 2, was round: 1\n"},
	{F("x: {mask: 4}"), F("x: {mask: 2}"), "-events: x: mask: 2, was mask: 4\n"},
	{F("x: {oneof: [a, b]}"), F("x: {oneof: [b]}"), "-events: x: oneof: [\"b\"], was oneof: [\"a\", \"b\"]\n"},
	{F("x: {oneof: [a]}"), F("x: {oneof: [b]}"), "+events: x: oneof: [\"b\"], was oneof: [\"a\"]\n"},
	{F("x: {truncate: hour}"), F("x: {truncate: day}"), "-events: x: truncate: day, was truncate: hour\n"},
	{F("x: {ip: /16}"), F("x: {ip: /24}"), "+events: x: ip: /24, was ip: /16\n"},
	{F("x: {url: origin}"), F("x: {url: origin+path}"), "+events: x: url: origin+path, was url: origin\n"},
	{F("x: {keep: true, max: 5}"), F("x: keep"), "+events: x: keep, was keep, max: 5\n"},
	{F("x: keep"), F("x: {keep: true, detect: off}"), "+events: x: keep, detect: off, was keep\n"},
	{F("x: {keep: true, detect: off}"), F("x: keep"), "-events: x: keep, was keep, detect: off\n"},
	{F("x: keep"), F("x: {keep: true, detect: names}"), "-events: x: keep, detect: names, was keep\n"},
	{F("x: {redact: all, detect: names}"), F("x: {redact: all}"), "+events: x: redact: all, was redact: all, detect: names\n"},
	{F("x: {pseudonym: user}"), F("x: {pseudonym: email}"), "+events: x: pseudonym: email, was pseudonym: user\n"},
	{F("x: {const: a}"), F("x: {const: b}"), "+events: x: const: \"b\", was const: \"a\"\n"},
	{F("x: keep"), F("x: {mask: 4}"), "+events: x: mask: 4, was keep\n"},	/* keep hid a whole phone number */
	{F("x: keep"), F("x: {keep: true, category: user.content}"), "-events: x: category user.content, was \n"},
	/* what the protocol keeps by itself comes back when its rule goes */
	{F("properties.time: {truncate: hour}"), F(""), "+events: properties.time: keep, was truncate: hour\n"},
	{F(""), F("properties.time: {truncate: hour}"), "-events: properties.time: truncate: hour, was keep\n"},
	{F("properties.distinct_id: drop"), F(""), "+events: properties.distinct_id may leave: identity: pseudonym\n"},
	/* what becomes of hits: refuse, drop_event, drop, redact, then mask and pseudonym, which tell more each in its way */
	{F("x: keep"), F("x: {keep: true, on_hit: drop}"), "-events: x: on_hit drop, was redact\n"},
	{F("x: {keep: true, on_hit: refuse}"), F("x: {keep: true, on_hit: drop_event}"), "+events: x: on_hit drop_event, was refuse\n"},
	{F("x: keep"), F("x: {keep: true, on_hit: {mask: 2}}"), "+events: x: on_hit mask: 2, was redact\n"},
	{F("x: {keep: true, on_hit: {mask: 4}}"), F("x: {keep: true, on_hit: {mask: 2}}"), "-events: x: on_hit mask: 2, was mask: 4\n"},
	{F("x: {keep: true, on_hit: {mask: 2}}"), F("x: {keep: true, on_hit: pseudonym}"), "+events: x: on_hit pseudonym, was mask: 2\n"
	 "-events: x: category user.unique_id.pseudonymous, was \n"},
	{F("x: {keep: true, on_hit: pseudonym}"), F("x: {keep: true, on_hit: {mask: 0}}"), "+events: x: on_hit mask: 0, was pseudonym\n"
	 "-events: x: category , was user.unique_id.pseudonymous\n"},
	{F("x: {keep: true, on_hit: pseudonym}"), F("x: keep"), "-events: x: on_hit redact, was pseudonym\n"
	 "-events: x: category , was user.unique_id.pseudonymous\n"},
	{F("x: {keep: true, on_hit: drop_event}"), F("x: {keep: true, detect: off}"), "+events: x: keep, detect: off, was keep\n"},
	{F("x: {keep: true, on_hit: drop_event}"), F("x: {pseudonym: other}"), "+events: x: pseudonym: other, was keep\n"
	 "-events: x: category user.unique_id.pseudonymous, was \n"},
	{F("x: {keep: true, on_hit: drop_event}"), F(""), "+events: x no longer leaves, was keep, and what is found there stops nothing any more\n"},
	{F("x: keep") "on_hit: drop_event\n", F("x: keep"), "+on_hit: redact, was drop_event\n"},
	{F("x: keep, y: {keep: true, on_hit: drop}"), F("x: keep, y: {keep: true, on_hit: drop}") "on_hit: refuse\n", "-on_hit: refuse, was redact\n"},
	/* events */
	{HEAD S "events: [a]\n", HEAD S "events: [a, b]\n", "+events: adds b\n"},
	{HEAD S "events: ['a*']\n", HEAD S "events: ['a*', ab]\n", "-events: adds ab\n"},
	{HEAD S "events: [ab]\n", HEAD S "events: ['a*']\n", "+events: adds a*\n-events: takes away ab\n"},
	{HEAD S "events: ['a*']\n", HEAD S "events: ['ab*']\n", "-events: adds ab*\n-events: takes away a*\n"},
	/* switches */
	{HEAD S E, HEAD S E "links: allow\n", NULL},
	{HEAD S E "mode: learn\n", HEAD S E, "+mode: enforce: forwards now\n"},
	{HEAD S E, HEAD S E "mode: learn\n", "-mode: learn: nothing is forwarded any more\n"},
	{HEAD S E "consent: {refuse_when: [sec-gpc]}\n", HEAD S E, "+consent: events with Sec-GPC are no longer refused\n"},
	{HEAD S E, HEAD S E "identity: keep\n", "+identity: keep, was pseudonym\n"},
	{HEAD S E, HEAD S E "identity: daily\n", "-identity: daily, was pseudonym\n"},
	/* terms */
	{HEAD S E, HEAD "sources: [{name: a, token: env:A}, {name: b, token: env:B}]\n" E, "+sources: adds b\n"},
	{HEAD S E, HEAD "sources: [{name: a, token: env:B}]\n" E, "-sources: a has another token\n"},
	{HEAD S E "expires: 2027-01-01\n", HEAD S E "expires: 2027-01-02\n", "+expires: 2027-01-02, was 2027-01-01\n"},
	{HEAD S E "expires: 2027-01-01\n", HEAD S E, "+expires: no longer said, was 2027-01-01\n"},
	{HEAD S E, HEAD S E "expires: 2027-01-01\n", "-expires: 2027-01-01, was not said\n"},
	{HEAD S E, HEAD S E "subprocessors: [x]\n", "+subprocessors: adds x\n"},
	{HEAD S E "data_regions: [DE]\n", HEAD S E, "-data_regions: takes away DE\n"},
	{HEAD S E "requires: {posture: {grade: B}}\n", HEAD S E "requires: {posture: {grade: B-}}\n", "+requires.posture.grade: B-, was B\n"},
	{HEAD S E "requires: {posture: {grade: B}}\n", HEAD S E "requires: {posture: {grade: A+}}\n", "-requires.posture.grade: A+, was B\n"},
	{HEAD S E "requires: {posture: {grade: B}}\n", HEAD S E, "+requires.posture: no longer asked for\n"},
	{HEAD S E "requires: {assessment: {standard: m, score: 80}}\n", HEAD S E "requires: {assessment: {standard: m, score: 70}}\n",
	 "+requires.assessment.score: 70, was 80\n"},
	{HEAD S E "name: A\n", HEAD S E "name: B\n", "-name: B, was A\n"},
	/* restricted */
	{HEAD S E, HEAD S E "restricted: {identity: drop}\n", "+restricted: lets something through now\n"},
	{HEAD S E "restricted: {identity: drop}\n", HEAD S E "restricted: {identity: daily}\n", "+restricted.identity: daily, was drop\n"},
	{F("x: keep") "restricted: {drop: [x]}\n", F("x: keep") "restricted: {drop: []}\n", "+restricted.drop: takes away x\n"},
};

static struct contract *parse(const char *text)
{
	struct diags d;
	diags_init(&d, "f");
	struct contract *c = contract_parse(text, strlen(text), &d);
	if (!c)
		fail_msg("%s: %s", text, d.v[0].msg);
	diags_release(&d);
	return c;
}

static void join(const struct contract_changes *ch, struct buf *out)
{
	buf_reset(out);
	buf_adds(out, "");
	for (size_t i = 0; i < ch->n; i++)
		buf_addf(out, "%c%s\n", ch->v[i].wider ? '+' : '-', ch->v[i].text);
}

static void each_change(void **state)
{
	(void)state;
	struct buf got;
	buf_init(&got, 0);
	size_t wrong = 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct contract *a = parse(rows[i].a), *b = parse(rows[i].b);
		struct contract_changes ch;
		contract_diff(a, b, &ch);
		join(&ch, &got);
		if (rows[i].want && strcmp((char *)got.data, rows[i].want) != 0) {
			print_error("row %zu\n  got  %s  want %s", i, (char *)got.data, rows[i].want);
			wrong++;
		}
		contract_changes_release(&ch);
		contract_free(&a);
		contract_free(&b);
	}
	buf_release(&got);
	assert_int_equal(wrong, 0);
}

/* Whatever plan_within calls not within is called wider here, for every pair of the rows. */
static void wider_agrees_with_the_plan(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
			struct contract *a = parse(rows[i].a), *b = parse(rows[k].b);
			struct contract_changes ch;
			struct plan *pa, *pb;
			struct err err;
			contract_diff(a, b, &ch);
			assert_int_equal(plan_compile(a, FLOW_OPEN, &pa, &err), 0);
			assert_int_equal(plan_compile(b, FLOW_OPEN, &pb, &err), 0);
			if (!plan_within(pb, pa) && !ch.wider)
				fail_msg("%zu to %zu widens and isn't said:\n%s%s", i, k, rows[i].a, rows[k].b);
			plan_free(&pa);
			plan_free(&pb);
			contract_changes_release(&ch);
			contract_free(&a);
			contract_free(&b);
		}
	}
}

static void a_new_vendor_is_wider(void **state)
{
	(void)state;
	struct contract *b = parse(F("x: keep"));
	struct contract_changes ch;
	struct buf got;
	buf_init(&got, 0);
	contract_diff(NULL, b, &ch);
	join(&ch, &got);
	assert_true(ch.wider);
	assert_non_null(strstr((char *)got.data, "+new: v receives"));
	assert_non_null(strstr((char *)got.data, "+events: x may leave: keep"));
	assert_non_null(strstr((char *)got.data, "+events: adds a"));
	contract_changes_release(&ch);
	contract_free(&b);
	buf_release(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_change),
		cmocka_unit_test(wider_agrees_with_the_plan),
		cmocka_unit_test(a_new_vendor_is_wider),
	};
	return cmocka_run_group_tests_name("contract-diff", tests, NULL, NULL);
}
