/* The registry: what may be imported, what a decision changes, what stays for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "registry/private.h"

struct place {
	char dir[32], path[64];
	struct registry *r;
};

static int place_make(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	struct err err;
	snprintf(p->dir, sizeof p->dir, "/tmp/weir-reg-XXXXXX");
	if (!mkdtemp(p->dir))
		return -1;
	snprintf(p->path, sizeof p->path, "%s/registry.db", p->dir);
	*state = p;
	if (registry_open(p->path, &p->r, &err) < 0) {
		print_error("%s\n", err.msg);
		return -1;
	}
	return 0;
}

static int place_clear(void **state)
{
	struct place *p = *state;
	static const char *const tails[] = {"", "-wal", "-shm"};
	registry_close(&p->r);
	for (size_t i = 0; i < 3; i++) {
		char path[80];
		snprintf(path, sizeof path, "%s%s", p->path, tails[i]);
		unlink(path);
	}
	rmdir(p->dir);
	free(p);
	return 0;
}

static char name[] = "Acme, Inc.", alice[] = "alice";

static struct registry_contract version(const char *vendor, int64_t n, char *json)
{
	struct registry_contract c = {.name = name, .version = n, .json = json, .json_len = strlen(json), .at = 1000, .by = alice};
	snprintf(c.vendor, sizeof c.vendor, "%s", vendor);
	crypt_sha256(json, strlen(json), c.digest);
	return c;
}

static void import(struct registry *r, const char *vendor, int64_t n, char *json)
{
	struct err err;
	enum import what;
	struct registry_contract c = version(vendor, n, json);
	assert_int_equal(registry_import(r, &c, &what, &err), 0);
	assert_int_equal(what, IMPORT_NEW);
}

static struct decided decided(enum decision_kind kind, const char *vendor, uint64_t serial, enum flow flow)
{
	struct decided x = {
		.d = {.kind = kind, .who = "bob", .why = "because", .at = 2000},
		.serial = serial, .version = 1, .approved = true, .flow = flow, .person = flow, .not_after = INT64_MAX,
	};
	snprintf(x.d.vendor, sizeof x.d.vendor, "%s", vendor);
	memset(x.sha256, (int)serial, 32);
	return x;
}

struct seen {
	size_t n;
	char kinds[256];
	uint64_t last;
};

static bool see(void *arg, const struct registry_event *e)
{
	struct seen *s = arg;
	size_t at = strlen(s->kinds);
	snprintf(s->kinds + at, sizeof s->kinds - at, "%s%s", at ? " " : "", e->kind);
	s->n++;
	s->last = e->seq;
	return true;
}

static struct seen events(struct registry *r, const char *vendor)
{
	struct seen s = {0};
	struct err err;
	assert_int_equal(registry_events(r, vendor, 0, 100, see, &s, &err), 0);
	return s;
}

static void imports(void **state)
{
	struct registry *r = ((struct place *)*state)->r;
	struct err err;
	enum import what;
	char one[] = "{\"v\":1}", other[] = "{\"v\":9}", two[] = "{\"v\":2}";
	struct registry_contract c = version("acme", 1, one);
	assert_int_equal(registry_try(r, &c, &what, &err), 0);
	assert_int_equal(what, IMPORT_NEW);
	assert_int_equal(events(r, NULL).n, 0);
	import(r, "acme", 1, one);
	assert_int_equal(registry_import(r, &c, &what, &err), 0);
	assert_int_equal(what, IMPORT_SAME);
	assert_int_equal(events(r, NULL).n, 1);

	c = version("acme", 1, other);
	assert_int_equal(registry_try(r, &c, &what, &err), -1);
	assert_int_equal(registry_import(r, &c, &what, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_string_equal(err.msg,
			    "acme version 1 was imported with other content; a version never changes: give this one a new number");
	c = version("acme", 2, two);
	c.digest[0] ^= 1;
	assert_int_equal(registry_import(r, &c, &what, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(events(r, NULL).n, 1);

	import(r, "acme", 2, two);
	struct registry_contract got;
	assert_int_equal(registry_contract(r, "acme", 0, &got, &err), 0);
	assert_int_equal(got.version, 2);
	assert_string_equal(got.json, two);
	assert_string_equal(got.by, "alice");
	registry_contract_release(&got);
	assert_int_equal(registry_contract(r, "acme", 3, &got, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	assert_string_equal(err.msg, "no version 3 of acme; there are: 1, 2");
	assert_int_equal(registry_contract(r, "acne", 1, &got, &err), -1);
	assert_string_equal(err.msg, "no vendor acne; there are: acme");
}

static void strictest(void **state)
{
	struct registry *r = ((struct place *)*state)->r;
	struct err err;
	struct registry_vendor v;
	char one[] = "{}";
	import(r, "acme", 1, one);
	for (int p = 0; p < 4; p++)
		for (int q = 0; q < 4; q++)
			for (int i = 0; i < 4; i++) {
				assert_int_equal(registry_ask(r, "acme", ASK_PERSON, (enum flow)p, "x", 1, &err), 0);
				assert_int_equal(registry_ask(r, "acme", ASK_RULE, (enum flow)q, "x", 1, &err), 0);
				assert_int_equal(registry_ask(r, "acme", ASK_INCIDENT, (enum flow)i, "x", 1, &err), 0);
				assert_int_equal(registry_vendor(r, "acme", &v, &err), 0);
				int want = p > q ? p : q;
				assert_int_equal(registry_flow(&v), want > i ? want : i);
				registry_vendor_release(&v);
			}
	assert_int_equal(registry_ask(r, "nobody", ASK_RULE, FLOW_SUSPENDED, "x", 1, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	assert_int_equal(events(r, "nobody").n, 0);	/* nothing stays of what failed */
}

static void decisions(void **state)
{
	struct registry *r = ((struct place *)*state)->r;
	struct err err;
	struct registry_vendor v;
	char one[] = "{}";
	uint64_t seq;
	import(r, "acme", 1, one);
	struct decided x = decided(DECIDE_APPROVE, "acme", 1, FLOW_OPEN);
	x.d.waive = 1U << REQUIRE_POSTURE;
	x.d.until = x.not_after = 5000;
	assert_int_equal(registry_record(r, &x, &seq, &err), 0);
	assert_int_equal(seq, 2);
	assert_int_equal(registry_vendor(r, "acme", &v, &err), 0);
	assert_int_equal(v.life, LIFE_APPROVED);
	assert_int_equal(v.version, 1);
	assert_int_equal(v.serial, 1);
	assert_int_equal(v.not_after, 5000);
	registry_vendor_release(&v);

	x = decided(DECIDE_QUARANTINE, "acme", 2, FLOW_QUARANTINED);
	assert_int_equal(registry_record(r, &x, &seq, &err), 0);
	assert_int_equal(registry_vendor(r, "acme", &v, &err), 0);
	assert_int_equal(registry_flow(&v), FLOW_QUARANTINED);
	assert_true(v.not_after == INT64_MAX);
	registry_vendor_release(&v);
	x = decided(DECIDE_RELEASE, "acme", 3, FLOW_OPEN);
	assert_int_equal(registry_record(r, &x, &seq, &err), 0);
	assert_int_equal(registry_vendor(r, "acme", &v, &err), 0);
	assert_int_equal(registry_flow(&v), FLOW_OPEN);
	registry_vendor_release(&v);
	x = decided(DECIDE_OFFBOARD, "acme", 4, FLOW_OPEN);
	x.approved = false;
	assert_int_equal(registry_record(r, &x, &seq, &err), 0);
	assert_int_equal(registry_vendor(r, "acme", &v, &err), 0);
	assert_int_equal(v.life, LIFE_OFFBOARDED);
	registry_vendor_release(&v);
	assert_string_equal(events(r, "acme").kinds, "import approve quarantine release offboard");

	x = decided(DECIDE_SUSPEND, "nobody", 1, FLOW_SUSPENDED);
	assert_int_equal(registry_record(r, &x, &seq, &err), -1);
	assert_int_equal(events(r, NULL).n, 5);
}

static void reconciled(void **state)
{
	struct registry *r = ((struct place *)*state)->r;
	struct err err;
	struct registry_vendor v;
	bool differed;
	char one[] = "{}";
	import(r, "acme", 1, one);
	struct decided x = decided(DECIDE_APPROVE, "acme", 1, FLOW_OPEN);
	assert_int_equal(registry_record(r, &x, NULL, &err), 0);
	assert_int_equal(registry_reconcile(r, &x, &differed, &err), 0);
	assert_false(differed);
	/* A cut-off that acted and whose record was lost. */
	x = decided(DECIDE_SUSPEND, "acme", 2, FLOW_SUSPENDED);
	assert_int_equal(registry_reconcile(r, &x, &differed, &err), 0);
	assert_true(differed);
	assert_int_equal(registry_vendor(r, "acme", &v, &err), 0);
	assert_int_equal(v.serial, 2);
	assert_int_equal(v.asks[ASK_PERSON], FLOW_SUSPENDED);
	registry_vendor_release(&v);
	assert_string_equal(events(r, "acme").kinds, "import approve plan-found");
	/* A rule holds the plan and nobody's ask is made a person's. */
	x = decided(DECIDE_REFRESH, "acme", 3, FLOW_RESTRICTED);
	x.person = FLOW_OPEN;
	assert_int_equal(registry_reconcile(r, &x, &differed, &err), 0);
	assert_int_equal(registry_vendor(r, "acme", &v, &err), 0);
	assert_int_equal(v.asks[ASK_PERSON], FLOW_OPEN);
	assert_int_equal(v.plan_flow, FLOW_RESTRICTED);
	registry_vendor_release(&v);
}

static void append_only(void **state)
{
	struct registry *r = ((struct place *)*state)->r;
	struct err err;
	char one[] = "{}";
	import(r, "acme", 1, one);
	static const char *const attempts[] = {
		"UPDATE event SET who = 'mallory'", "DELETE FROM event", "UPDATE contract SET json = '[]'", "DELETE FROM contract",
	};
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
		assert_int_equal(store_run(r->store, &err, attempts[i], ""), -1);
		assert_int_equal(err.code, ERR_CONFLICT);
	}
}

static void outbox(void **state)
{
	struct registry *r = ((struct place *)*state)->r;
	struct err err;
	char one[] = "{}", two[] = "{\"a\":2}";
	import(r, "acme", 1, one);
	import(r, "acme", 2, two);
	struct seen s = {0};
	assert_int_equal(registry_outbox(r, 10, see, &s, &err), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(registry_outbox_taken(r, 1, 77, &err), 0);
	assert_int_equal(registry_outbox_taken(r, 1, 78, &err), -1);
	assert_int_equal(registry_outbox_taken(r, 9, 78, &err), -1);
	s = (struct seen){0};
	assert_int_equal(registry_outbox(r, 10, see, &s, &err), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.last, 2);
}

static void requests(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		const char *wrong;	/* NULL: accepted */
	} rows[] = {
		{"{\"do\":\"suspend\",\"vendor\":\"acme\",\"why\":\"breach\"}", NULL},
		{"{\"do\":\"approve\",\"vendor\":\"acme\",\"version\":3,\"why\":\"ok\"}", NULL},
		{"{\"do\":\"approve\",\"vendor\":\"acme\",\"version\":3,\"why\":\"ok\",\"waive\":[\"posture\"],\"until\":\"2026-06-30\"}", NULL},
		{"{\"do\":\"queue-drain\",\"vendor\":\"acme\",\"why\":\"ok\",\"serial\":1,\"from\":4,\"to\":9}", NULL},
		{"{\"do\":\"apply\"}", "not a decision"},
		{"[]", "not a decision"},
		{"{\"do\":\"suspend\",\"vendor\":\"acme\"}", "the reason (--why) is empty"},
		{"{\"do\":\"suspend\",\"vendor\":\"acme\",\"why\":\" \\t\"}", "the reason (--why) is empty"},
		{"{\"do\":\"suspend\",\"vendor\":\"../x\",\"why\":\"y\"}", "a vendor's name is 1 to 63 of a-z, 0-9 and -"},
		{"{\"do\":\"suspend\",\"vendor\":\"acme\",\"why\":\"y\",\"who\":\"root\"}", "unknown member in the request"},
		{"{\"do\":\"suspend\",\"vendor\":\"acme\",\"why\":\"y\",\"version\":1}", "unknown member in the request"},
		{"{\"do\":\"approve\",\"vendor\":\"acme\",\"why\":\"y\",\"version\":0}", "a version is a whole number from 1"},
		{"{\"do\":\"approve\",\"vendor\":\"acme\",\"why\":\"y\",\"version\":1,\"waive\":[\"posture\"]}",
		 "a waiver needs an end: --until DATE"},
		{"{\"do\":\"approve\",\"vendor\":\"acme\",\"why\":\"y\",\"version\":1,\"until\":\"2026-06-30\"}", "--until without --waive"},
		{"{\"do\":\"approve\",\"vendor\":\"acme\",\"why\":\"y\",\"version\":1,\"waive\":[\"expiry\"],\"until\":\"2026-06-30\"}",
		 "only `assessment` and `posture` can be waived"},
		{"{\"do\":\"approve\",\"vendor\":\"acme\",\"why\":\"y\",\"version\":1,\"waive\":[\"posture\"],\"until\":\"soon\"}",
		 "the waiver's end (--until) is a date like 2026-06-30"},
		{"{\"do\":\"queue-drop\",\"vendor\":\"acme\",\"why\":\"ok\",\"serial\":1,\"from\":9,\"to\":4}",
		 "the range ends before it starts"},
		{"{\"do\":\"queue-drop\",\"vendor\":\"acme\",\"why\":\"ok\",\"serial\":-1,\"from\":1,\"to\":4}",
		 "the plan's serial is a whole number from 1"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct decision d;
		struct err err = {0};
		json_t *j = json_loads(rows[i].json, 0, NULL);
		assert_non_null(j);
		int r = decision_parse(j, &d, &err);
		json_decref(j);
		if (rows[i].wrong)
			assert_string_equal(err.msg, rows[i].wrong);
		assert_int_equal(r, rows[i].wrong ? -1 : 0);
	}
}

/* The event that goes to the registry reads back as what was decided. */
static void round_trip(void **state)
{
	(void)state;
	struct err err;
	for (int k = 0; k < DECISIONS; k++) {
		struct decided x = decided((enum decision_kind)k, "acme", 7, FLOW_RESTRICTED), y;
		x.d.version = x.version;
		if (k == DECIDE_APPROVE) {
			x.d.waive = 3;
			x.d.until = x.not_after = 99;
		}
		if (k == DECIDE_DRAIN || k == DECIDE_DROP) {
			x.d.serial = 3;
			x.d.from = 4;
			x.d.to = 5;
			x.dropped = k == DECIDE_DROP ? 6 : 0;
		}
		json_t *j = decided_to_json(&x);
		assert_int_equal(decided_from_json(j, &y, &err), 0);
		json_t *again = decided_to_json(&y);
		assert_true(json_equal(j, again));
		assert_int_equal(y.d.from, x.d.from);
		assert_int_equal(y.d.waive, x.d.waive);
		json_decref(j);
		json_decref(again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(imports, place_make, place_clear),
		cmocka_unit_test_setup_teardown(strictest, place_make, place_clear),
		cmocka_unit_test_setup_teardown(decisions, place_make, place_clear),
		cmocka_unit_test_setup_teardown(reconciled, place_make, place_clear),
		cmocka_unit_test_setup_teardown(append_only, place_make, place_clear),
		cmocka_unit_test_setup_teardown(outbox, place_make, place_clear),
		cmocka_unit_test(requests),
		cmocka_unit_test(round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
