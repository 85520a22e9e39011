/* The category of what leaves is that of the value after its action. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "contract/contract.h"

#define BASE "weir: 1\nvendor: mixpanel\ndelivery: {adapter: mixpanel, upstream: \"https://api.mixpanel.com\", credential: env:T}\n" \
	     "version: 1\nsources: [{name: web, token: env:W}]\nevents: [signup]\n"

static void check(const char *more, const char *path, const char *category)
{
	char text[2048];
	struct diags d;
	struct err err;
	struct plan *p;
	const struct plan_leaf *leaves;
	snprintf(text, sizeof text, BASE "%s", more);
	diags_init(&d, "category.yaml");
	struct contract *c = contract_parse(text, strlen(text), &d);
	assert_non_null(c);
	diags_release(&d);
	assert_int_equal(plan_compile(c, FLOW_OPEN, &p, &err), 0);
	size_t n = plan_leaves(p, &leaves), found = 0;
	for (size_t i = 0; i < n; i++) {
		if (leaves[i].kind != OBJECT_EVENT || !span_eq(leaves[i].path, path))
			continue;
		found++;
		if (!span_eq(leaves[i].category, category))
			fail_msg("%s: %s: %.*s", more, path, (int)leaves[i].category.len, leaves[i].category.at);
	}
	assert_int_equal(found, 1);
	plan_free(&p);
	contract_free(&c);
}

static void a_category_is_what_the_value_became(void **state)
{
	(void)state;
	static const struct {
		const char *rule, *category;
	} rows[] = {
		{"{keep: true, category: user.contact.email}", "user.contact.email"},
		{"{keep: true}", ""},
		{"{keep: true, on_hit: pseudonym}", "user.unique_id.pseudonymous"},
		{"{keep: true, on_hit: pseudonym, category: user.content}", "user.content"},
		{"{keep: true, on_hit: {mask: 4}, category: user.content}", "user.content"},
		{"{domain: true, category: user.contact.email}", "user.contact.email.domain"},
		{"{domain: true}", ""},
		{"{pseudonym: email, category: user.contact.email}", "user.unique_id.pseudonymous"},
		{"{pseudonym: email}", "user.unique_id.pseudonymous"},
		{"{const: none, category: user.contact.email}", ""},
		{"{ip: /24, category: user.device.ip_address}", "user.device.ip_address.network"},
		{"{bucket: [0, 10], category: user.device}", "user.device.range"},
		{"{mask: 2, category: user.contact.phone_number}", "user.contact.phone_number.masked"},
		{"{url: origin, category: user.behavior.browsing_history}", "user.behavior.browsing_history.origin"},
		{"{url: origin+path, category: user.behavior.browsing_history}", "user.behavior.browsing_history"},
		{"{round: 2, category: user.location.precise}", "user.location.imprecise"},
		{"{round: 3, category: user.location.precise}", "user.location.precise"},
		{"{round: 0, category: user.device}", "user.device"},
		{"{redact: all, category: user.content}", "user.content"},
		{"{truncate: day, category: user.behavior}", "user.behavior"},
		{"{oneof: [a], category: user.account}", "user.account"},
	};
	char more[256];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(more, sizeof more, "fields: {properties.x: %s}\n", rows[i].rule);
		check(more, "properties.x", rows[i].category);
	}
}

static void an_identity_is_a_pseudonym_unless_it_is_kept(void **state)
{
	(void)state;
	check("identity: pseudonym\n", "properties.distinct_id", "user.unique_id.pseudonymous");
	check("identity: daily\n", "properties.distinct_id", "user.unique_id.pseudonymous");
	check("identity: keep\n", "properties.distinct_id", "user.unique_id");
}

static void what_was_reduced_says_so(void **state)
{
	(void)state;
	assert_true(category_reduced((struct span)SPAN("user.contact.email.domain")));
	assert_true(category_reduced((struct span)SPAN("user.device.range")));
	assert_false(category_reduced((struct span)SPAN("user.contact.email")));
	assert_false(category_reduced((struct span)SPAN("user.unique_id.pseudonymous")));
	assert_false(category_reduced((struct span)SPAN(".domain")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_category_is_what_the_value_became),
		cmocka_unit_test(an_identity_is_a_pseudonym_unless_it_is_kept),
		cmocka_unit_test(what_was_reduced_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
