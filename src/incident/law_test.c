/*
 * Severity over all 864 inputs, and the clocks of the shipped catalogue.  The due times below were computed apart from this
 * code, with the tz database and calendars written out by hand; the named vectors are those of the laws' own examples.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "incident/law.h"

static struct deadlines laws;

static int load(void **state)
{
	(void)state;
	size_t n;
	const char *text = deadlines_builtin(&n);
	struct diags d;
	diags_init(&d, "deadlines.json");
	int r = deadlines_load(text, n, &laws, &d);
	struct buf b;
	buf_init(&b, 0);
	diags_print(&d, &b);
	if (b.len)
		fputs((char *)b.data, stderr);
	buf_release(&b);
	diags_release(&d);
	return r;
}

static int unload(void **state)
{
	(void)state;
	deadlines_release(&laws);
	return 0;
}

static const struct deadline *law(const char *id)
{
	for (size_t i = 0; i < laws.n; i++)
		if (strcmp(laws.v[i].id, id) == 0)
			return &laws.v[i];
	fail_msg("no deadline %s", id);
	return NULL;
}

static int64_t at(const char *s)
{
	int64_t t = 0;
	assert_true(clock_parse(s, strlen(s), &t));
	return t;
}

static void golden_counts(void **state)
{
	(void)state;
	unsigned count[4] = {0}, total = 0;
	for (uint8_t dpc = 1; dpc <= 4; dpc++)
		for (uint8_t ei = 1; ei <= 4; ei++)
			for (uint8_t k = 0; k < 27; k++)
				for (uint8_t m = 0; m <= 2; m = (uint8_t)(m + 2)) {
					struct severity_input in = {dpc, ei, k % 3, k / 3 % 3, k / 9, m};
					struct severity s;
					struct err err;
					assert_int_equal(severity_score(&in, &s, &err), 0);
					assert_in_range(s.quarters, 1, 24);
					count[s.band]++;
					total++;
				}
	assert_int_equal(total, 864);
	assert_int_equal(count[SEVERITY_LOW], 273);
	assert_int_equal(count[SEVERITY_MEDIUM], 295);
	assert_int_equal(count[SEVERITY_HIGH], 170);
	assert_int_equal(count[SEVERITY_VERY_HIGH], 126);
}

static void severity_vectors(void **state)
{
	(void)state;
	static const struct {
		struct severity_input in;
		unsigned quarters;
		enum severity_band band;
	} rows[] = {
		{{1, 4, 2, 0, 0, 2}, 8, SEVERITY_MEDIUM},	/* the Mixpanel case: 1 x 1 + 0.5 + 0.5 = 2.0 */
		{{2, 4, 2, 0, 0, 2}, 12, SEVERITY_HIGH},
		{{1, 4, 1, 0, 0, 0}, 5, SEVERITY_LOW},		/* a wrong recipient who deleted it: 1.25 */
		{{4, 4, 1, 0, 0, 2}, 19, SEVERITY_VERY_HIGH},	/* 4.75 */
	};
	struct severity s;
	struct err err;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(severity_score(&rows[i].in, &s, &err), 0);
		assert_int_equal(s.quarters, rows[i].quarters);
		assert_int_equal(s.band, rows[i].band);
	}
	static const struct severity_input bad[] = {{0, 1, 0, 0, 0, 0}, {5, 1, 0, 0, 0, 0}, {1, 0, 0, 0, 0, 0}, {1, 5, 0, 0, 0, 0},
						    {1, 1, 3, 0, 0, 0}, {1, 1, 0, 3, 0, 0}, {1, 1, 0, 0, 3, 0}, {1, 1, 0, 0, 0, 1}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(severity_score(&bad[i], &s, &err), -1);
}

static const struct {
	const char *id, *anchor, *due;
} due_rows[] = {
	{"eu-gdpr-33-1", "2025-11-25T00:00:00Z", "2025-11-28T00:00:00Z"},
	{"eu-gdpr-33-1", "2026-03-28T12:00:00Z", "2026-03-31T12:00:00Z"},
	{"eu-gdpr-33-1", "2026-10-24T23:30:00Z", "2026-10-27T23:30:00Z"},
	{"eu-gdpr-33-1", "2025-12-24T10:15:30Z", "2025-12-27T10:15:30Z"},
	{"uk-gdpr-33-1", "2026-02-28T23:59:59Z", "2026-03-03T23:59:59Z"},
	{"uk-pecr-5a", "2026-08-20T08:00:00Z", "2026-08-23T08:00:00Z"},
	{"eu-nis2-23-4a", "2026-06-30T23:00:00Z", "2026-07-01T23:00:00Z"},
	{"eu-nis2-23-4b", "2026-06-30T23:00:00Z", "2026-07-03T23:00:00Z"},
	{"eu-nis2-23-4d", "2026-01-31T10:00:00Z", "2026-02-28T22:59:59Z"},
	{"eu-nis2-23-4d", "2028-01-31T10:00:00Z", "2028-02-29T22:59:59Z"},
	{"eu-nis2-23-4d", "2026-02-28T10:00:00Z", "2026-03-28T22:59:59Z"},
	{"eu-nis2-23-4d", "2026-12-15T23:30:00Z", "2027-01-16T22:59:59Z"},
	{"eu-nis2-23-4d", "2026-02-28T23:30:00Z", "2026-04-01T21:59:59Z"},
	{"eu-dora-intermediate", "2026-05-04T09:00:00Z", "2026-05-07T09:00:00Z"},
	{"eu-dora-final", "2026-08-31T09:00:00Z", "2026-09-30T21:59:59Z"},
	{"eu-dora-final", "2026-09-28T12:00:00Z", "2026-10-28T22:59:59Z"},
	{"eu-cra-14-final-vuln", "2026-10-12T21:59:59Z", "2026-10-26T22:59:59Z"},
	{"eu-cra-14-final-vuln", "2026-10-12T22:00:00Z", "2026-10-27T22:59:59Z"},
	{"us-hipaa-164-404", "2026-01-05T15:00:00Z", "2026-03-07T04:59:59Z"},
	{"us-hipaa-164-404", "2026-01-06T04:30:00Z", "2026-03-07T04:59:59Z"},
	{"us-hipaa-164-404", "2026-09-10T12:00:00Z", "2026-11-10T04:59:59Z"},
	{"us-sec-8k-105", "2025-11-28T15:00:00Z", "2025-12-05T04:59:59Z"},
	{"us-sec-8k-105", "2025-11-26T20:00:00Z", "2025-12-04T04:59:59Z"},
	{"us-sec-8k-105", "2026-07-01T12:00:00Z", "2026-07-09T03:59:59Z"},
	{"us-sec-8k-105", "2025-12-22T12:00:00Z", "2025-12-30T04:59:59Z"},
	{"us-sec-8k-105", "2026-12-31T12:00:00Z", "2027-01-08T04:59:59Z"},
	{"us-sec-8k-105", "2027-06-15T12:00:00Z", "2027-06-23T03:59:59Z"},
	{"us-sec-8k-105", "2027-07-01T12:00:00Z", "2027-07-09T03:59:59Z"},
	{"us-sec-8k-105", "2026-10-08T03:00:00Z", "2026-10-15T03:59:59Z"},
	{"us-fcc-64-2011-authority", "2026-02-12T12:00:00Z", "2026-02-25T04:59:59Z"},
	{"us-fcc-64-2011-authority", "2026-05-20T12:00:00Z", "2026-06-02T03:59:59Z"},
	{"us-vt-ag", "2026-11-06T12:00:00Z", "2026-12-01T04:59:59Z"},
	{"us-ia-ag", "2026-08-31T12:00:00Z", "2026-09-09T04:59:59Z"},
	{"us-banking-36h", "2026-03-08T06:00:00Z", "2026-03-09T18:00:00Z"},
	{"us-ca-individuals", "2026-01-02T20:00:00Z", "2026-02-02T07:59:59Z"},
	{"us-ca-individuals", "2026-01-03T07:59:59Z", "2026-02-02T07:59:59Z"},
	{"us-ca-individuals", "2026-01-03T08:00:00Z", "2026-02-03T07:59:59Z"},
	{"us-ca-individuals", "2026-02-15T20:00:00Z", "2026-03-18T06:59:59Z"},
	{"us-ca-individuals", "2026-10-15T20:00:00Z", "2026-11-15T07:59:59Z"},
	{"us-ca-ag", "2026-02-01T20:00:00Z", "2026-02-17T07:59:59Z"},
	{"us-ca-ag", "2026-03-01T20:00:00Z", "2026-03-17T06:59:59Z"},
	{"us-tx-individuals", "2026-01-15T20:00:00Z", "2026-03-17T04:59:59Z"},
	{"us-tx-ag", "2026-01-15T20:00:00Z", "2026-02-15T05:59:59Z"},
	{"us-tx-ag", "2026-02-10T05:59:59Z", "2026-03-12T04:59:59Z"},
	{"us-tx-ag", "2026-02-10T06:00:00Z", "2026-03-13T04:59:59Z"},
	{"us-az-individuals", "2026-02-20T20:00:00Z", "2026-04-07T06:59:59Z"},
	{"us-co-individuals", "2026-02-20T20:00:00Z", "2026-03-23T05:59:59Z"},
	{"us-ny-individuals", "2026-10-20T02:00:00Z", "2026-11-19T04:59:59Z"},
	{"us-la-ag", "2026-03-01T12:00:00Z", "2026-03-12T04:59:59Z"},
	{"us-wa-individuals", "2026-10-05T12:00:00Z", "2026-11-05T07:59:59Z"},
	{"us-fl-individuals", "2028-02-01T12:00:00Z", "2028-03-03T04:59:59Z"},
	{"us-pr-daco", "2026-03-05T12:00:00Z", "2026-03-16T03:59:59Z"},
	{"us-ny-dfs-500-17a", "2026-11-01T03:00:00Z", "2026-11-04T03:00:00Z"},
	{"us-ny-dfs-500-17c-2", "2026-11-01T05:30:00Z", "2026-12-02T04:59:59Z"},
	{"br-lgpd-15-2024-anpd", "2025-11-25T00:00:00Z", "2025-11-28T02:59:59Z"},
	{"br-lgpd-15-2024-anpd", "2026-04-01T12:00:00Z", "2026-04-08T02:59:59Z"},
	{"br-lgpd-15-2024-individuals", "2026-10-30T12:00:00Z", "2026-11-06T02:59:59Z"},
	{"br-lgpd-15-2024-anpd", "2026-11-18T12:00:00Z", "2026-11-25T02:59:59Z"},
	{"in-certin-6h", "2025-11-25T00:00:00Z", "2025-11-25T06:00:00Z"},
	{"au-ndb-26wh", "2026-09-20T12:00:00Z", "2026-10-20T12:59:59Z"},
	{"au-ndb-26wh", "2026-03-20T12:00:00Z", "2026-04-19T13:59:59Z"},
	{"sg-pdpa-26d-1", "2026-01-30T15:59:59Z", "2026-02-02T15:59:59Z"},
	{"sg-pdpa-26d-1", "2026-01-30T16:00:00Z", "2026-02-03T15:59:59Z"},
	{"jp-appi-preliminary", "2026-12-29T15:00:00Z", "2027-01-04T14:59:59Z"},
	{"jp-appi-final-unlawful", "2026-01-01T00:00:00Z", "2026-03-02T14:59:59Z"},
	{"kr-pipa-34-individuals", "2025-11-25T00:00:00Z", "2025-11-28T00:00:00Z"},
	{"ke-dpa-43-vendor", "2026-05-05T05:05:05Z", "2026-05-07T05:05:05Z"},
	{"hk-cio-serious", "2026-05-05T05:05:05Z", "2026-05-05T17:05:05Z"},
	{"cn-cac-incident", "2026-05-05T22:05:05Z", "2026-05-06T02:05:05Z"},
};

static void due_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof due_rows / sizeof *due_rows; i++) {
		char got[21];
		clock_format(law_due(law(due_rows[i].id), at(due_rows[i].anchor)), got);
		if (strcmp(got, due_rows[i].due) != 0)
			fail_msg("%s from %s: due %s, want %s", due_rows[i].id, due_rows[i].anchor, got, due_rows[i].due);
	}
	assert_true(sizeof due_rows / sizeof *due_rows >= 60);
}

static struct law_clock clock_of(const char *id, const struct clock_facts *f, const struct clock_mark *m)
{
	struct law_clock c;
	law_clock_of(&laws, law(id), f, m, &c);
	return c;
}

static void two_arms(void **state)
{
	(void)state;
	static const struct {
		const char *aware, *classified, *due;
	} rows[] = {	/* Monday 2026-05-04 */
		{"2026-05-04T08:00:00Z", "2026-05-05T06:00:00Z", "2026-05-05T08:00:00Z"},	/* not 10:00: the awareness arm */
		{"2026-05-04T08:00:00Z", "2026-05-04T10:00:00Z", "2026-05-04T14:00:00Z"},	/* the classification arm */
		{"2026-05-04T08:00:00Z", "2026-05-05T08:00:00Z", "2026-05-05T08:00:00Z"},	/* on the stroke */
		{"2026-05-04T08:00:00Z", "2026-05-05T09:00:00Z", "2026-05-05T13:00:00Z"},	/* classified late */
		{"2026-05-04T08:00:00Z", "2026-05-20T09:00:00Z", "2026-05-20T13:00:00Z"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct clock_facts f;
		clock_facts_init(&f, at("2026-05-04T09:00:00Z"));
		f.anchors[ANCHOR_aware] = at(rows[i].aware);
		f.anchors[ANCHOR_classified_major] = at(rows[i].classified);
		assert_int_equal(clock_of("eu-dora-initial-classification", &f, NULL).due, at(rows[i].due));
		assert_int_equal(clock_of("eu-dora-initial-awareness", &f, NULL).due, at(rows[i].due));
	}
	struct clock_facts f;
	clock_facts_init(&f, at("2026-05-04T09:00:00Z"));
	f.anchors[ANCHOR_aware] = at("2026-05-04T08:00:00Z");
	assert_int_equal(clock_of("eu-dora-initial-classification", &f, NULL).state, CLOCK_NOT_STARTED);
	assert_int_equal(clock_of("eu-dora-initial-awareness", &f, NULL).due, at("2026-05-05T08:00:00Z"));
}

static int64_t texans(void *arg, const char *place)
{
	return strcmp(place, "United States: Texas") == 0 || strcmp(place, "United States") == 0 ? *(int64_t *)arg : -1;
}

static void states(void **state)
{
	(void)state;
	struct clock_facts f;
	struct clock_mark filed = {.filed = at("2026-01-03T00:00:00Z"), .suspended_until = CLOCK_UNKNOWN};
	struct clock_mark late = {.filed = at("2026-01-09T00:00:00Z"), .suspended_until = CLOCK_UNKNOWN};
	struct clock_mark held = {.filed = CLOCK_UNKNOWN, .suspended_until = at("2026-02-01T00:00:00Z")};
	struct clock_mark off = {.filed = CLOCK_UNKNOWN, .suspended_until = CLOCK_UNKNOWN, .not_applicable = "no people in the EU"};
	clock_facts_init(&f, at("2026-01-05T00:00:00Z"));
	assert_int_equal(clock_of("eu-gdpr-33-1", &f, NULL).state, CLOCK_NOT_STARTED);
	assert_int_equal(clock_of("eu-gdpr-33-1", &f, NULL).due, CLOCK_UNKNOWN);
	f.anchors[ANCHOR_controller_aware] = at("2026-01-01T12:00:00Z");
	assert_int_equal(clock_of("eu-gdpr-33-1", &f, NULL).state, CLOCK_OVERDUE);
	assert_int_equal(clock_of("eu-gdpr-33-1", &f, &filed).state, CLOCK_MET);
	assert_int_equal(clock_of("eu-gdpr-33-1", &f, &late).state, CLOCK_LATE);
	assert_int_equal(clock_of("eu-gdpr-33-1", &f, &held).state, CLOCK_SUSPENDED);
	assert_int_equal(clock_of("eu-gdpr-33-1", &f, &off).state, CLOCK_NOT_APPLICABLE);
	assert_int_equal(clock_of("eu-gdpr-34-1", &f, NULL).state, CLOCK_NO_NUMBER);
	assert_int_equal(clock_of("eu-gdpr-omnibus-33-1", &f, NULL).state, CLOCK_PROPOSED_LAW);
	assert_int_equal(clock_of("in-dpdp-7-board", &f, NULL).state, CLOCK_PROPOSED_LAW);
	f.now = at("2026-01-04T12:00:00Z");
	assert_int_equal(clock_of("eu-gdpr-33-1", &f, NULL).state, CLOCK_RUNNING);	/* due on this very second */
	f.now++;
	assert_int_equal(clock_of("eu-gdpr-33-1", &f, NULL).state, CLOCK_OVERDUE);
}

static void thresholds(void **state)
{
	(void)state;
	int64_t people = 249;
	struct clock_facts f;
	clock_facts_init(&f, at("2026-01-20T00:00:00Z"));
	f.anchors[ANCHOR_determination] = f.anchors[ANCHOR_discovery] = at("2026-01-15T20:00:00Z");
	assert_int_equal(clock_of("us-tx-ag", &f, NULL).state, CLOCK_RUNNING);	/* unknown count: taken as applying */
	f.people = texans;
	f.people_arg = &people;
	assert_int_equal(clock_of("us-tx-ag", &f, NULL).state, CLOCK_NOT_APPLICABLE);
	people = 250;
	struct law_clock ag = clock_of("us-tx-ag", &f, NULL), them = clock_of("us-tx-individuals", &f, NULL);
	assert_int_equal(ag.state, CLOCK_RUNNING);
	assert_true(ag.due < them.due);		/* the order trap: the attorney general comes first */
	people = 499;
	assert_int_equal(clock_of("us-hipaa-164-408b", &f, NULL).state, CLOCK_NOT_APPLICABLE);
	assert_int_equal(clock_of("us-hipaa-164-408c", &f, NULL).state, CLOCK_RUNNING);
	people = 500;
	assert_int_equal(clock_of("us-hipaa-164-408b", &f, NULL).state, CLOCK_RUNNING);
	assert_int_equal(clock_of("us-hipaa-164-408c", &f, NULL).state, CLOCK_NOT_APPLICABLE);
}

static void year_end(void **state)
{
	(void)state;
	static const struct {
		const char *found, *day;
	} rows[] = {{"2026-05-01T12:00:00Z", "2027-03-01"}, {"2027-05-01T12:00:00Z", "2028-02-29"}, {"2027-01-01T04:59:59Z", "2027-03-01"},
		    {"2027-01-01T05:00:00Z", "2028-02-29"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct clock_facts f;
		char day[11];
		clock_facts_init(&f, at(rows[i].found));
		f.anchors[ANCHOR_discovery] = at(rows[i].found);
		clock_format_day(clock_of("us-hipaa-164-408c", &f, NULL).due - 5 * 3600, day);
		assert_string_equal(day, rows[i].day);
	}
}

static void chains(void **state)
{
	(void)state;
	struct clock_facts f;
	clock_facts_init(&f, at("2026-02-01T00:00:00Z"));
	f.anchors[ANCHOR_discovery_or_notification] = at("2026-01-02T20:00:00Z");
	assert_int_equal(clock_of("us-ca-ag", &f, NULL).state, CLOCK_NOT_STARTED);	/* only once people were told */
	f.anchors[ANCHOR_individuals_notified] = at("2026-01-30T20:00:00Z");
	assert_true(clock_of("us-ca-ag", &f, NULL).due > clock_of("us-ca-individuals", &f, NULL).due);
}

static void bad_files(void **state)
{
	(void)state;
	size_t n;
	const char *good = deadlines_builtin(&n);
	static const struct {
		const char *from, *to, *code;
	} rows[] = {
		{"\"PT72H\"", "\"PT72X\"", "deadline-duration"}, {"\"PT72H\"", "\"72\"", "deadline-duration"},
		{"\"PT72H\"", "null", "deadline-none"}, {"\"controller_aware\"", "\"controler_aware\"", "deadline-word"},
		{"\"authority\"", "\"authorities\"", "deadline-word"}, {"\"in_force\"", "\"inforce\"", "deadline-word"},
		{"\"eu-gdpr-33-2\"", "\"eu-gdpr-33-1\"", "deadline-twice"}, {"\"as_of\": \"2026-10-03\"", "\"as_of\": null", "deadline-unproven"},
		{"\"as_of\": \"2026-10-03\"", "\"as_of\": \"2026-13-03\"", "deadline-date"}, {"\"verified\": true", "\"verified\": 1", "deadline-type"},
		{"\"recipient\":", "\"recipients\":", "deadline-member"}, {"\"business_days\": false", "\"business_days\": \"no\"", "deadline-type"},
		{"\"threshold_count\": null", "\"threshold_count\": 0", "deadline-type"}, {"[", "{", "json"}, {"\"id\"", "id", "json"},
	};
	char *text = xmalloc(n + 64);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *place = strstr(good, rows[i].from);
		assert_non_null(place);
		size_t head = (size_t)(place - good), skip = strlen(rows[i].from);
		int len = snprintf(text, n + 64, "%.*s%s%s", (int)head, good, rows[i].to, good + head + skip);
		struct deadlines l;
		struct diags d;
		diags_init(&d, "x");
		assert_int_equal(deadlines_load(text, (size_t)len, &l, &d), -1);
		bool seen = false;
		for (size_t k = 0; k < d.n; k++)
			seen |= strcmp(d.v[k].code, rows[i].code) == 0;
		if (!seen)
			fail_msg("%s -> %s: no [%s]; first is [%s] %s", rows[i].from, rows[i].to, rows[i].code, d.v[0].code, d.v[0].msg);
		diags_release(&d);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_counts), cmocka_unit_test(severity_vectors), cmocka_unit_test(due_times), cmocka_unit_test(two_arms),
		cmocka_unit_test(states), cmocka_unit_test(thresholds), cmocka_unit_test(year_end), cmocka_unit_test(chains),
		cmocka_unit_test(bad_files),
	};
	return cmocka_run_group_tests_name("law", tests, load, unload);
}
