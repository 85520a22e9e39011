/* Rules files, and rules over a registry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the above */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assurance/assurance.h"
#include "store/store.h"

enum { DAY = 86400, NOW = 1780272000 };	/* 2026-06-01 */

static void builtin_reads(void **state)
{
	(void)state;
	struct diags d;
	struct assurance_rules r;
	diags_init(&d, "f");
	assert_int_equal(assurance_parse(assurance_builtin(), strlen(assurance_builtin()), &r, &d), 0);
	assert_int_equal(r.n, 2);
	assert_string_equal(r.v[0].name, "evidence-expired");
	assert_int_equal(r.v[0].then, FLOW_RESTRICTED);
	assert_int_equal(r.v[0].waive, REQUIRE_ASSESSMENT);
	assert_int_equal(r.v[1].waive, -1);
	assurance_rules_release(&r);
	diags_release(&d);
}

#define RULE(x) "weir: 1\nrules:\n  - " x "\n"
#define REST ", then: restrict, why: w}"

static void bad_rules(void **state)
{
	(void)state;
	static const struct {
		const char *text, *code;
	} rows[] = {
		{"", "yaml"}, {"weir: 2\nrules: []\n", "format_version"}, {"weir: 1\n", "missing_key"}, {"weir: 1\nrules: {}\n", "wrong_shape"},
		{RULE("{if: {evidence: expired}" REST), "missing_key"}, {RULE("{name: A, if: {evidence: expired}" REST), "bad_name"},
		{RULE("{name: requires-x, if: {evidence: expired}" REST), "bad_name"}, {RULE("{name: a, if: {}" REST), "missing_key"},
		{RULE("{name: a, if: {standard: mvsp}" REST), "missing_key"}, {RULE("{name: a, if: {evidence: old}" REST), "unknown_word"},
		{RULE("{name: a, if: {evidense: expired}" REST), "unknown_key"}, {RULE("{name: a, if: {score-below: 0}" REST), "bad_value"},
		{RULE("{name: a, if: {score-below: 101}" REST), "bad_value"}, {RULE("{name: a, if: {posture-below: E}" REST), "bad_value"},
		{RULE("{name: a, if: {assessment-older: 1y}" REST), "bad_duration"}, {RULE("{name: a, if: [x]" REST), "wrong_shape"},
		{RULE("{name: a, if: {evidence: expired}, then: open, why: w}"), "unknown_word"},
		{RULE("{name: a, if: {evidence: expired}, then: restrict, waive: all, why: w}"), "unknown_word"},
		{RULE("{name: a, if: {evidence: expired}, then: restrict, grace: 7, why: w}"), "bad_duration"},
		{RULE("{name: a, if: {evidence: expired}, then: restrict}"), "missing_key"},
		{"weir: 1\nrules:\n  - {name: a, if: {evidence: expired}" REST "\n  - {name: a, if: {evidence: expired}" REST "\n", "duplicate_value"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct diags d;
		struct assurance_rules r;
		diags_init(&d, "f");
		if (assurance_parse(rows[i].text, strlen(rows[i].text), &r, &d) == 0 || strcmp(d.v[0].code, rows[i].code) != 0)
			fail_msg("row %zu: %s, want %s", i, d.n ? d.v[0].code : "nothing", rows[i].code);
		assert_null(r.v);
		diags_release(&d);
	}
}

/* ---- over a registry ----------------------------------------------------------------------------------------------- */

#define BASE                                                                                                                              \
	"weir: 1\nvendor: acme\nversion: 1\ndelivery: {adapter: mixpanel, upstream: https://api.example.com, credential: env:T}\nevents: [e]\n"

struct place {
	char path[64];
	struct registry *r;
	struct contract *c;
};

static void import(struct place *p, const char *extra)
{
	char *text = xasprintf("%s%s", BASE, extra);
	struct diags d;
	struct buf json;
	struct err err;
	enum import what;
	diags_init(&d, "f");
	buf_init(&json, 0);
	p->c = contract_parse(text, strlen(text), &d);
	assert_non_null(p->c);
	contract_to_json(p->c, &json);
	struct registry_contract row = {.version = 1, .json = (char *)json.data, .json_len = json.len, .at = NOW};
	row.name = row.by = (char[]){"ann"};
	snprintf(row.vendor, sizeof row.vendor, "acme");
	crypt_sha256(json.data, json.len, row.digest);
	assert_int_equal(registry_import(p->r, &row, &what, &err), 0);
	buf_release(&json);
	diags_release(&d);
	free(text);
}

static int place_make(void **state)
{
	struct place *p = xcalloc(1, sizeof *p);
	struct err err;
	snprintf(p->path, sizeof p->path, "/tmp/assurance-%d.db", (int)getpid());
	unlink(p->path);
	assert_int_equal(registry_open(p->path, &p->r, &err), 0);
	*state = p;
	return 0;
}

static int place_clear(void **state)
{
	struct place *p = *state;
	contract_free(&p->c);
	registry_close(&p->r);
	static const char *const ends[] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < 3; i++) {
		char *f = xasprintf("%s%s", p->path, ends[i]);
		unlink(f);
		free(f);
	}
	free(p);
	return 0;
}

static void approve(struct place *p, unsigned waive, int64_t until)
{
	struct err err;
	struct decided x = {.d = {.kind = DECIDE_APPROVE, .vendor = "acme", .who = "ann", .why = "w", .at = NOW, .version = 1, .waive = waive, .until = until},
			    .serial = 1, .version = 1, .approved = true, .not_after = INT64_MAX};
	assert_int_equal(registry_record(p->r, &x, NULL, &err), 0);
}

static enum flow asked(struct place *p, int64_t at)
{
	struct registry_vendor v;
	struct err err;
	assert_int_equal(assurance_tick.run(p->r, at, &err), 0);
	assert_int_equal(registry_vendor(p->r, "acme", &v, &err), 0);
	enum flow f = v.asks[ASK_RULE];
	assert_int_equal(v.asks[ASK_PERSON], FLOW_OPEN);
	registry_vendor_release(&v);
	return f;
}

static void use(struct place *p, const char *rules)
{
	struct diags d;
	struct err err;
	diags_init(&d, "f");
	assert_int_equal(assurance_use(p->r, rules, rules ? strlen(rules) : 0, "ann", NOW, &d, &err), 0);
	diags_release(&d);
}

static void grade(struct place *p, const char *g, int64_t at)
{
	struct err err;
	assert_int_equal(store_run(registry_store(p->r), &err,
				   "INSERT INTO posture_grade (vendor, host, target, profile, pack, grade, score, coverage, at)"
				   " VALUES ('acme', 'api.example.com', 'https://api.example.com', 'api', 'x', ?, 0, 100, ?)", "si", g, at), 0);
}

static void contract_ends(void **state)
{
	struct place *p = *state;
	import(p, "expires: 2026-06-10\n");
	approve(p, 0, 0);
	assert_int_equal(asked(p, NOW), FLOW_OPEN);
	assert_int_equal(asked(p, NOW + 10 * DAY - 1), FLOW_OPEN);
	assert_int_equal(asked(p, NOW + 10 * DAY), FLOW_SUSPENDED);	/* dates last to 24:00 UTC */
	assert_int_equal(asked(p, NOW), FLOW_OPEN);
}

static void grades_and_grace(void **state)
{
	struct place *p = *state;
	import(p, "");
	approve(p, 0, 0);
	use(p, "weir: 1\nrules:\n  - {name: g, if: {posture-below: B}, then: restrict, grace: PT1H, waive: posture, why: w}\n"
	       "  - {name: f, if: {posture-below: D-}, then: quarantine, why: w}\n");
	assert_int_equal(asked(p, NOW), FLOW_OPEN);	/* not graded */
	grade(p, "B", NOW);
	assert_int_equal(asked(p, NOW), FLOW_OPEN);
	grade(p, "B-", NOW + 1);
	assert_int_equal(asked(p, NOW + 1), FLOW_OPEN);
	assert_int_equal(asked(p, NOW + 3600), FLOW_OPEN);
	assert_int_equal(asked(p, NOW + 3601), FLOW_RESTRICTED);
	grade(p, "A", NOW + 3602);
	assert_int_equal(asked(p, NOW + 3602), FLOW_OPEN);
	grade(p, "C", NOW + 3603);
	assert_int_equal(asked(p, NOW + 3603), FLOW_OPEN);	/* grace starts anew */
	grade(p, "F", NOW + 3604);
	assert_int_equal(asked(p, NOW + 3604), FLOW_QUARANTINED);
	use(p, NULL);
	assert_int_equal(asked(p, NOW + 3605), FLOW_OPEN);
}

/* The newest approval's waivers alone; at their end the rule acts. */
static void waivers(void **state)
{
	struct place *p = *state;
	import(p, "requires:\n  posture: {grade: B}\n");
	grade(p, "C", NOW);
	approve(p, 0, 0);
	assert_int_equal(asked(p, NOW), FLOW_RESTRICTED);
	approve(p, 1U << REQUIRE_ASSESSMENT, NOW + 100);
	assert_int_equal(asked(p, NOW), FLOW_RESTRICTED);	/* another requirement */
	approve(p, 1U << REQUIRE_POSTURE, NOW + 100);
	assert_int_equal(asked(p, NOW), FLOW_OPEN);
	assert_int_equal(asked(p, NOW + 99), FLOW_OPEN);
	assert_int_equal(asked(p, NOW + 100), FLOW_RESTRICTED);
	approve(p, 0, 0);	/* without one: the old one is over */
	assert_int_equal(asked(p, NOW), FLOW_RESTRICTED);
}

static void would(void **state)
{
	struct place *p = *state;
	struct assurance_would w;
	struct err err;
	import(p, "requires:\n  assessment: {standard: mvsp, score: 80, within: P1Y}\n  posture: {grade: B}\n");
	assert_int_equal(assurance_would(p->r, "acme", p->c, 0, NOW, &w, &err), 0);
	assert_int_equal(w.met, 0);
	assert_int_equal(w.waivable, 3);
	assert_int_equal(w.flow, FLOW_RESTRICTED);
	assert_string_equal(w.unmet[REQUIRE_ASSESSMENT], "it was never assessed");
	assert_string_equal(w.unmet[REQUIRE_POSTURE], "its posture was never graded");
	grade(p, "C+", NOW);
	assert_int_equal(assurance_would(p->r, "acme", p->c, 0, NOW, &w, &err), 0);
	assert_string_equal(w.unmet[REQUIRE_POSTURE], "its posture is C+");
	grade(p, "B", NOW + 1);
	assert_int_equal(assurance_would(p->r, "acme", p->c, 1U << REQUIRE_ASSESSMENT, NOW + 1, &w, &err), 0);
	assert_int_equal(w.met, 1U << REQUIRE_POSTURE);
	assert_int_equal(w.flow, FLOW_OPEN);
}

/* A file with mistakes leaves the rules that were. */
static void refused(void **state)
{
	struct place *p = *state;
	struct diags d;
	struct err err;
	import(p, "expires: 2026-06-10\n");
	approve(p, 0, 0);
	use(p, RULE("{name: late, if: {contract: expired}, then: quarantine, why: w}"));
	diags_init(&d, "f");
	assert_int_equal(assurance_use(p->r, "rules: [\n", 9, "ann", NOW, &d, &err), -1);
	assert_int_equal(err.code, ERR_INPUT);
	assert_int_equal(d.errors, 1);
	diags_release(&d);
	assert_int_equal(asked(p, NOW + 30 * DAY), FLOW_QUARANTINED);
}

int main(void)
{
#define OVER(f) cmocka_unit_test_setup_teardown(f, place_make, place_clear)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builtin_reads), cmocka_unit_test(bad_rules), OVER(contract_ends), OVER(grades_and_grace), OVER(waivers), OVER(would),
		OVER(refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
