/* What the ledger says: unions of field-sets, missing plans, jurisdictions, links between identifiers, wrong questions. */
#include "ledger/ledger_rig.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- more field-sets than are kept apart ---------------------------------------------------------------------------- */

static void test_too_many_field_sets_report_more_never_less(void **state)
{
	struct rig *r = *state;
	struct err err;
	const struct leaf_info *info = &r->leaves[0][0];
	assert_true(info->n >= 10);
	json_int_t truth[PATHS] = {0};
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t mask = i % 512 * 2 + 1;
		struct shown v = {.who = PEOPLE, .leaves = {(uint8_t)mask, (uint8_t)(mask >> 8)}};
		v.who = i % PEOPLE;
		expose(r, i + 1, 0, 0, DAY0 + i / 500, &v, 1);
	}
	catch_up(r);
	for (uint32_t who = 0; who < PEOPLE; who++)
		for (size_t k = 0; k < info->n && k < 10; k++) {
			bool has = false;
			for (uint32_t i = who; i < 1000; i += PEOPLE)
				has |= (i % 512 * 2 + 1) >> k & 1;
			truth[info->path[k]] += has;
		}
	for (int again = 0; again < 3; again++) {
		json_t *a = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), DAY0 + 9);
		assert_true(json_is_true(json_object_get(a, "over_approximate")));
		assert_int_equal(json_integer_value(json_object_get(a, "people")), PEOPLE);
		assert_int_equal(json_integer_value(json_object_get(a, "events")), 1000);
		for (int k = 0; k < r->paths_n; k++)
			assert_true(listed(a, "fields", "path", r->paths[k]) >= truth[k]);
		json_decref(a);
		assert_true(r->l->combos.n < COMBOS_LIVE + 32);
		if (again == 0)
			assert_int_equal(ledger_close_days(r->l, DAY0 + 1, &err), 1);
		rig_close(r);
		rig_open(r);
	}
}

static void test_a_missing_plan_is_counted_as_unknown(void **state)
{
	struct rig *r = *state;
	struct shown v = {.who = 5, .leaves = {1}};
	r->leaves[0][1].bytes = 1;
	char path[128];
	snprintf(path, sizeof path, "%s/plan/history/acme/2.plan", r->dir);
	unlink(path);
	expose(r, 1, 0, 1, DAY0, &v, 1);
	catch_up(r);
	json_t *a = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), DAY0);
	assert_int_equal(listed(a, "fields", "path", "(unknown)"), 1);
	json_decref(a);
	a = ask(r, json_pack("{s:s, s:s, s:s}", "do", "blast", "vendor", "acme", "category", "user.financial"), DAY0);
	assert_int_equal(json_integer_value(json_object_get(a, "people")), 1);	/* it may have been that */
	json_decref(a);
	a = ask(r, json_pack("{s:s, s:s, s:s}", "do", "blast", "vendor", "acme", "field", "properties.never"), DAY0);
	assert_int_equal(json_integer_value(json_object_get(a, "people")), 1);	/* or that */
	json_decref(a);
	assert_int_equal(ledger_stats(r->l).unreadable, 1);
}

/* A day's count is remembered once it is closed, and is another one for who got a field. */
static void test_a_field_narrows_closed_days(void **state)
{
	struct rig *r = *state;
	struct err err;
	const struct leaf_info *info = &r->leaves[0][0];
	for (uint32_t i = 0; i < 3; i++) {
		struct shown v = {.who = i, .leaves = {i == 2 ? 3 : 1}};
		expose(r, i + 1, 0, 0, DAY0, &v, 1);
	}
	catch_up(r);
	assert_int_equal(ledger_close_days(r->l, DAY0 + 1, &err), 1);
	for (int again = 0; again < 2; again++) {
		json_t *a = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), DAY0 + 2);
		assert_int_equal(listed(a, "days", "day", "2024-10-04"), 3);
		json_decref(a);
		a = ask(r, json_pack("{s:s, s:s, s:s}", "do", "blast", "vendor", "acme", "field", r->paths[info->path[1]]), DAY0 + 2);
		assert_int_equal(json_integer_value(json_object_get(a, "people")), 1);
		assert_int_equal(listed(a, "days", "day", "2024-10-04"), 1);
		json_decref(a);
	}
}

static void test_jurisdictions_add_up(void **state)
{
	struct rig *r = *state;
	const char *const codes[] = {"DE", "US", "", "DE"};
	for (uint32_t i = 0; i < 4; i++) {
		struct shown v = {.who = i, .leaves = {1}};
		memcpy(v.country, codes[i], strlen(codes[i]));
		expose(r, i + 1, 0, 0, DAY0, &v, 1);
	}
	catch_up(r);
	json_t *a = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), DAY0);
	assert_int_equal(listed(a, "jurisdictions", "code", "DE"), 2);
	assert_int_equal(listed(a, "jurisdictions", "code", "US"), 1);
	assert_int_equal(listed(a, "jurisdictions", "code", "unknown"), 1);
	json_decref(a);
	a = ask(r, json_pack("{s:s, s:s, s:s}", "do", "blast", "vendor", "acme", "jurisdiction", "unknown"), DAY0);
	assert_int_equal(json_integer_value(json_object_get(a, "people")), 1);
	json_decref(a);
}

static void test_wrong_questions(void **state)
{
	struct rig *r = *state;
	static const struct {
		const char *json, *says;
	} rows[] = {
		{"{\"do\":\"blast\"}", "which vendor"},
		{"{\"do\":\"blast\",\"vendor\":3}", "vendor"},
		{"{\"do\":\"blast\",\"vendor\":\"x\",\"since\":\"yesterday\"}", "--since"},
		{"{\"do\":\"blast\",\"vendor\":\"x\",\"until\":7}", "--until"},
		{"{\"do\":\"blast\",\"vendor\":\"x\",\"since\":\"2026-02-02\",\"until\":\"2026-01-01\"}", "after"},
		{"{\"do\":\"blast\",\"vendor\":\"x\",\"jurisdiction\":\"Germany\"}", "jurisdiction"},
		{"{\"do\":\"subject\"}", "identifier"},
		{"{\"do\":\"subject\",\"id\":\"email:\"}", NULL},
		{"{\"do\":\"resolve\",\"vendor\":\"x\"}", "ids"},
		{"{\"do\":\"other\"}", "doesn't know"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {0};
		json_t *q = json_loads(rows[i].json, 0, NULL), *a = json_object();
		int rc = ledger_ask(r->l, q, r->subject, DAY0 * 86400, a, &err);
		assert_int_equal(rc, rows[i].says ? -1 : 0);
		if (rows[i].says && (err.code != ERR_INPUT || !strstr(err.msg, rows[i].says)))
			fail_msg("%s: %s", rows[i].json, err.msg);
		json_decref(q);
		json_decref(a);
	}
}

/* ---- links between identifiers --------------------------------------------------------------------------------------- */

static json_t *blast(struct rig *r, const char *name, const char *value)
{
	return ask(r, json_pack("{s:s, s:s, s:s*}", "do", "blast", "vendor", "acme", name ? name : "until", value), DAY0 + 5);
}

static void expect_counts(struct rig *r, json_int_t people, json_int_t identifiers)
{
	json_t *a = blast(r, NULL, NULL);
	assert_int_equal(json_integer_value(json_object_get(a, "people")), people);
	assert_int_equal(json_integer_value(json_object_get(a, "identifiers")), identifiers);
	json_decref(a);
}

static json_t *subject(struct rig *r, uint32_t who)
{
	char id[24];
	person_id(who, id);
	return ask(r, json_pack("{s:s, s:s}", "do", "subject", "id", id), DAY0 + 5);
}

static const uint8_t some_leaves[8] = {1};

static void test_a_shared_device_joins_nobody(void **state)
{
	struct rig *r = *state;
	enum { ANNA, BERT, TABLET, PHONE, OLD };
	link_people(r, 1, 0, 0, DAY0, some_leaves, (uint32_t[]){ANNA, TABLET, PHONE}, 3, 1);
	catch_up(r);
	expect_counts(r, 1, 3);
	link_people(r, 2, 0, 0, DAY0 + 1, some_leaves, (uint32_t[]){BERT, TABLET}, 2, 1);	/* somebody else's as well */
	catch_up(r);
	expect_counts(r, 3, 4);	/* Anna with her phone, Bert, and whoever used the tablet */
	link_people(r, 3, 0, 0, DAY0 + 1, some_leaves, (uint32_t[]){BERT, ANNA}, 2, 1);	/* Bert logs in where Anna was */
	catch_up(r);
	expect_counts(r, 3, 4);
	json_t *anna = subject(r, ANNA), *phone = subject(r, PHONE), *linked = json_object_get(anna, "linked");
	assert_int_equal(json_array_size(linked), 1);	/* her phone, and not Bert */
	assert_true(json_equal(json_array_get(linked, 0), json_object_get(phone, "subject")));
	json_decref(anna);
	json_decref(phone);
	link_people(r, 4, 0, 0, DAY0 + 1, some_leaves, (uint32_t[]){OLD, BERT}, 2, 2);	/* merged by name */
	catch_up(r);
	expect_counts(r, 3, 5);
	link_people(r, 5, 0, 0, DAY0 + 2, some_leaves, (uint32_t[]){ANNA, OLD}, 2, 2);	/* so all are one, and the tablet is its */
	catch_up(r);
	expect_counts(r, 1, 5);
}

static void test_a_person_is_known_by_every_identifier(void **state)
{
	struct rig *r = *state;
	struct shown on_device = {.who = 7, .leaves = {0xff}, .country = "DE"}, alone = {.who = 9, .leaves = {1}};
	expose(r, 1, 1, 0, DAY0, &on_device, 1);	/* another vendor, before anybody was identified */
	expose(r, 2, 0, 0, DAY0 + 1, &alone, 1);
	link_people(r, 3, 0, 0, DAY0 + 2, some_leaves, (uint32_t[]){8, 7}, 2, 1);
	catch_up(r);
	for (int again = 0; again < 3; again++) {
		struct err err;
		json_t *a = subject(r, 8), *b = subject(r, 7);
		assert_true(json_equal(json_object_get(a, "vendors"), json_object_get(b, "vendors")));
		assert_int_equal(json_array_size(json_object_get(a, "vendors")), 2);
		assert_int_equal(json_array_size(json_object_get(a, "linked")), 1);
		assert_true(json_equal(json_array_get(json_object_get(a, "linked"), 0), json_object_get(b, "subject")));
		json_decref(a);
		json_decref(b);
		/* Germany is known from the other identifier, and --jurisdiction finds both. */
		a = blast(r, "jurisdiction", "DE");
		assert_int_equal(json_integer_value(json_object_get(a, "people")), 1);
		assert_int_equal(json_integer_value(json_object_get(a, "identifiers")), 2);
		assert_int_equal(listed(a, "jurisdictions", "code", "unknown"), 0);
		json_decref(a);
		/* Somebody's own list has the name only. */
		a = ask(r, json_pack("{s:s, s:s, s:[s, s]}", "do", "resolve", "vendor", vendors[1], "ids", "person-8", "person-9"), DAY0 + 5);
		assert_int_equal(json_array_size(json_object_get(a, "found")), 1);
		assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(a, "found"), 0), "i")), 0);
		json_decref(a);
		if (again == 0)
			assert_int_equal(ledger_close_days(r->l, DAY0 + 4, &err), 3);
		rig_close(r);
		rig_open(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_clear)
		T(test_too_many_field_sets_report_more_never_less),
		T(test_a_missing_plan_is_counted_as_unknown),
		T(test_a_field_narrows_closed_days),
		T(test_jurisdictions_add_up),
		T(test_wrong_questions),
		T(test_a_shared_device_joins_nobody),
		T(test_a_person_is_known_by_every_identifier),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
