/* The state machine, the severity that is proposed, and that nothing which is refused changes anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypt/crypt.h"
#include "incident/private.h"

static char path[] = "/tmp/weir-incident-XXXXXX";
static struct registry *r;

static int set_up(void **state)
{
	(void)state;
	struct err err;
	static const char json[] = "{\"vendor\":\"acme\"}";
	struct registry_contract c = {.vendor = "acme", .name = (char[]){"Acme"}, .version = 1, .json = (char[]){"{\"vendor\":\"acme\"}"}, .json_len = strlen(json),
				      .at = 1, .by = (char[]){"t"}};
	enum import what;
	if (!mkdtemp(path) || crypt_init(&err) < 0)
		return -1;
	char *db = xasprintf("%s/registry.db", path);
	crypt_sha256(json, strlen(json), c.digest);
	int rc = registry_open(db, &r, &err) < 0 || registry_import(r, &c, &what, &err) < 0;
	free(db);
	return rc;
}

static int tear_down(void **state)
{
	(void)state;
	static const char *const files[] = {"registry.db", "registry.db-wal", "registry.db-shm"};
	registry_close(&r);
	for (size_t i = 0; i < 3; i++) {
		char *f = xasprintf("%s/%s", path, files[i]);
		unlink(f);
		free(f);
	}
	return rmdir(path);
}

/* request is taken over; the answer's error code, 0 for done. */
static int say_word(const char *word, json_t *request, json_t **answer)
{
	json_t *a = json_object();
	struct err err;
	int code = -1;
	for (const struct registry_word *w = incident_words; w->word; w++)
		if (strcmp(w->word, word) == 0)
			code = w->handle(r, request, "alice", 1764064800, a, &err) < 0 ? (int)err.code : 0;
	json_decref(request);
	if (answer)
		*answer = a;
	else
		json_decref(a);
	return code;
}

static int64_t report(void)
{
	int64_t id;
	struct err err;
	const struct incident_report w = {.vendor = "acme", .source = "peer", .who = "alice", .why = "x", .at = 1764064800, .tlp = "amber"};
	assert_int_equal(incident_report(r, &w, &id, &err), 0);
	return id;
}

static enum incident_state state_of(int64_t id)
{
	struct incident x;
	struct err err;
	assert_int_equal(incident_get(r, id, &x, &err), 0);
	return x.state;
}

/* Every act in every state: what must be possible, and where it leads. */
static void moves(void **state)
{
	(void)state;
	enum { NO = -1, R = INCIDENT_REPORTED, O = INCIDENT_OPEN, C = INCIDENT_CLOSED, D = INCIDENT_DISMISSED };
	static const int want[ACTS][INCIDENT_STATES] = {
		/*		     reported open closed dismissed */
		[ACT_NOTE] = {R, O, C, D},	[ACT_ANCHOR] = {R, O, NO, NO},	[ACT_MESSAGE] = {R, O, C, NO},	[ACT_SCOPE] = {R, O, NO, NO},
		[ACT_SEVERITY] = {R, O, NO, NO}, [ACT_FILE] = {NO, O, C, NO},	[ACT_CONFIRM] = {O, NO, NO, NO}, [ACT_CLOSE] = {NO, C, NO, NO},
		[ACT_DISMISS] = {D, NO, NO, NO}, [ACT_REOPEN] = {NO, NO, O, O},	[ACT_LIFT] = {NO, O, C, NO},	[ACT_DRAFT] = {R, O, NO, NO},
		[ACT_RELEASE] = {NO, O, NO, NO}, [ACT_NOTIFY] = {NO, O, NO, NO}, [ACT_SHARE] = {NO, O, C, NO},
	};
	for (int act = 0; act < ACTS; act++)
		for (int from = 0; from < INCIDENT_STATES; from++) {
			struct incident x = {.id = report(), .state = (enum incident_state)from};
			struct err err;
			snprintf(x.vendor, sizeof x.vendor, "acme");
			assert_int_equal(store_begin(registry_store(r), &err), 0);
			int got = incident_do(r, &x, (enum incident_act)act, "alice", "why", 1, NULL, &err);
			assert_int_equal(incident_end(r, got, &err), got);
			assert_int_equal(got == 0 ? (int)x.state : NO, want[act][from]);
			if (got < 0)
				assert_int_equal(err.code, ERR_CONFLICT);
		}
}

static void a_person_says_from_when(void **state)
{
	(void)state;
	json_t *shown;
	size_t i;
	json_t *c;
	int64_t id = report();
	assert_int_equal(say_word("incident-show", json_pack("{s:I}", "id", (json_int_t)id), &shown), 0);
	json_array_foreach(json_object_get(shown, "clocks"), i, c) assert_true(json_is_null(json_object_get(c, "due")));
	json_decref(shown);
	assert_int_equal(say_word("incident-aware", json_pack("{s:I, s:s}", "id", (json_int_t)id, "at", "2025-11-25T00:00:00Z"), NULL), ERR_INPUT);
	assert_int_equal(say_word("incident-aware", json_pack("{s:I, s:s, s:s}", "id", (json_int_t)id, "at", "2025-11-25T00:00:00Z", "why", "told"), NULL), 0);
	assert_int_equal(say_word("incident-show", json_pack("{s:I}", "id", (json_int_t)id), &shown), 0);
	size_t gdpr = 0, unmarked = 0;
	json_array_foreach(json_object_get(shown, "clocks"), i, c) {
		if (strcmp(json_string_value(json_object_get(c, "id")), "eu-gdpr-33-1") == 0) {
			assert_string_equal(json_string_value(json_object_get(c, "due")), "2025-11-28T00:00:00Z");
			gdpr++;
		}
		unmarked += json_is_false(json_object_get(c, "verified")) && !json_object_get(c, "warning");
	}
	assert_int_equal(gdpr, 1);
	assert_int_equal(unmarked, 0);
	json_decref(shown);
}

/* DORA: the next deadline counts from what was filed, not from the incident. */
static void filings_start_the_next_clock(void **state)
{
	(void)state;
	json_t *shown, *a;
	int64_t id = report();
	assert_int_equal(say_word("incident-confirm", json_pack("{s:I, s:s}", "id", (json_int_t)id, "why", "real"), &a), 0);
	json_decref(a);
	assert_int_equal(state_of(id), INCIDENT_OPEN);
	assert_int_equal(say_word("incident-file", json_pack("{s:I, s:s, s:s, s:s}", "id", (json_int_t)id, "deadline", "eu-dora-initial-awareness", "at",
							     "2025-11-25T06:00:00Z", "why", "sent"), NULL), 0);
	assert_int_equal(say_word("incident-show", json_pack("{s:I}", "id", (json_int_t)id), &shown), 0);
	const json_t *t = json_object_get(json_object_get(shown, "anchors"), "initial_submitted");
	assert_string_equal(json_string_value(json_object_get(t, "at")), "2025-11-25T06:00:00Z");
	json_decref(shown);
}

static void proposals(void **state)
{
	(void)state;
	static const struct {
		const char *categories[4];
		unsigned quarters;
	} rows[] = {
		{{"user.name", "user.contact.email"}, 8},			/* the Mixpanel record: 1 x 1 + 0.5 + 0.5 */
		{{"user.name", "user.contact.email", "user.location.imprecise"}, 12},
		{{"user.unique_id.pseudonymous"}, 5},
		{{"user.name", "user.contact.email.domain"}, 6},		/* a host is no address */
		{{"user.health_and_medical", "user.name", "user.contact.email"}, 20},
		{{NULL}, 5},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *list = json_array();
		struct severity_input in;
		struct severity s;
		struct err err;
		for (size_t k = 0; k < 4 && rows[i].categories[k]; k++)
			json_array_append_new(list, json_pack("{s:s, s:i}", "category", rows[i].categories[k], "people", 1));
		severity_propose(list, &in);
		assert_int_equal(severity_score(&in, &s, &err), 0);
		assert_int_equal(s.quarters, rows[i].quarters);
		json_decref(list);
	}
}

static json_t *counted(int64_t id, const char *since, const char *until, int n, int both)
{
	json_t *q = json_pack("{s:s, s:s*, s:s*}", "do", "blast", "since", since, "until", until);
	json_t *answers = json_pack("[{s:b, s:i}]", "ok", 1, "people", n);
	if (both >= 0)
		json_array_append_new(answers, json_pack("{s:b, s:i}", "ok", 1, "people", both));
	json_t *a;
	assert_int_equal(say_word("incident-counted", json_pack("{s:I, s:s, s:o, s:o}", "id", (json_int_t)id, "why", "w", "request", q, "ledger", answers), &a), 0);
	return a;
}

static void expect_delta(json_t *a, int newly, int dropped)
{
	const json_t *s = json_object_get(a, "scope"), *n = json_object_get(s, "newly"), *d = json_object_get(s, "dropped");
	assert_int_equal(json_is_null(n) ? -1 : json_integer_value(n), newly);
	assert_int_equal(json_is_null(d) ? -1 : json_integer_value(d), dropped);
	json_decref(a);
}

/* Facts H3: 1,000 told; the new set of 1,150 keeps 960 of them. */
static void scopes_say_who_is_new(void **state)
{
	(void)state;
	int64_t id = report();
	expect_delta(counted(id, "2025-11-01", "2025-11-10", 1000, -1), 1000, 0);
	expect_delta(counted(id, "2025-11-05", "2025-11-20", 1150, 1190), 190, 40);
	expect_delta(counted(id, "2025-11-01", "2025-11-20", 1190, -1), 40, 0);		/* wider */
	expect_delta(counted(id, "2025-11-01", "2025-11-02", 100, -1), 0, 1090);	/* narrower */
	expect_delta(counted(id, "2025-12-01", "2025-12-02", 50, -1), -1, -1);		/* apart: not known */
	assert_int_equal(say_word("incident-counted", json_pack("{s:I, s:s, s:{}}", "id", (json_int_t)id, "why", "w", "request"), NULL), ERR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves), cmocka_unit_test(a_person_says_from_when), cmocka_unit_test(filings_start_the_next_clock),
		cmocka_unit_test(proposals), cmocka_unit_test(scopes_say_who_is_new),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
