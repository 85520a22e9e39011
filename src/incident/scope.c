/*
 * Scope versions: what was exposed, as the ledger counts it, kept with its digest.  A new version says how many people
 * are newly in it, and how many no longer.
 *
 * The counting is the keeper's: a word answers with
 *   "ledger": [requests], "then": {"do": "incident-counted", ...}
 * and whoever sends answers on (steward/count.c; office.c) asks the ledger, puts its answers into the member "ledger" of
 * `then`, and goes on with that request.  A request that comes from outside has that member taken away first.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "crypt/crypt.h"
#include "incident/private.h"

enum { DAY = 86400 };

/* ---- ranges ------------------------------------------------------------------------------------------------------ */

struct range {
	int64_t since, until;	/* days; open ends are far away */
	const char *category;	/* NULL: all */
};

static int64_t day_of(const json_t *request, const char *name, int64_t otherwise)
{
	const char *s = json_string_value(json_object_get(request, name));
	int64_t t;
	return s && clock_parse(s, strlen(s), &t) ? t / DAY : otherwise;
}

static struct range range_of(const json_t *request)
{
	return (struct range){day_of(request, "since", 0), day_of(request, "until", INT32_MAX),
			      json_string_value(json_object_get(request, "category"))};
}

static bool same_category(const struct range *a, const struct range *b)
{
	return a->category == b->category || (a->category && b->category && strcmp(a->category, b->category) == 0);
}

/* Everything of a is in b. */
static bool within(const struct range *a, const struct range *b)
{
	return b->since <= a->since && b->until >= a->until && (!b->category || same_category(a, b));
}

/* Can one question cover exactly both? */
static bool joined(const struct range *a, const struct range *b)
{
	return same_category(a, b) && a->since <= b->until + 1 && b->since <= a->until + 1;
}

static void set_day(json_t *request, const char *name, int64_t day, bool open)
{
	char text[11];
	if (open)
		return;
	clock_format_day(day * DAY, text);
	json_object_set_new(request, name, json_string(text));
}

/* The question that covers the old version and the new one, or NULL. */
static json_t *both_question(const char *vendor, const json_t *old, const json_t *new)
{
	struct range a = range_of(old), b = range_of(new);
	if (!joined(&a, &b) || within(&a, &b) || within(&b, &a))
		return NULL;
	json_t *q = json_pack("{s:s, s:s, s:s*}", "do", "blast", "vendor", vendor, "category", b.category);
	int64_t since = a.since < b.since ? a.since : b.since, until = a.until > b.until ? a.until : b.until;
	set_day(q, "since", since, since == 0);
	set_day(q, "until", until, until == INT32_MAX);
	return q;
}

/* ---- the newest version ------------------------------------------------------------------------------------------ */

static json_t *newest(struct registry *r, int64_t id, const char *column)
{
	struct rows rows;
	struct err err;
	json_t *j = NULL;
	char sql[120];
	snprintf(sql, sizeof sql, "SELECT %s FROM incident_scope WHERE incident = ? ORDER BY n DESC LIMIT 1", column);
	if (store_rows(registry_store(r), &rows, &err, sql, "i", id) == 0 && rows_next(&rows, &err) == 1)
		j = json_loads(rows_text(&rows, 0), 0, NULL);
	rows_end(&rows);
	return j;
}

json_t *scope_newest(struct registry *r, int64_t id)
{
	return newest(r, id, "answer");
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static void put_question(struct registry *r, const struct incident *x, json_t *question, const char *why, json_t *answer)
{
	json_t *old = r ? newest(r, x->id, "request") : NULL;
	json_t *both = old ? both_question(x->vendor, old, question) : NULL;
	json_object_set_new(answer, "then", json_pack("{s:s, s:I, s:s, s:O}", "do", "incident-counted", "id", (json_int_t)x->id, "why", why,
						      "request", question));
	json_t *list = json_pack("[o]", question);
	if (both)
		json_array_append_new(list, both);
	json_object_set_new(answer, "ledger", list);
	json_decref(old);
}

void scope_ask(const struct incident *x, json_t *answer)
{
	json_t *q = json_pack("{s:s, s:s}", "do", "blast", "vendor", x->vendor);
	if (*x->since)
		json_object_set_new(q, "since", json_string(x->since));
	if (*x->until)
		json_object_set_new(q, "until", json_string(x->until));
	put_question(NULL, x, q, "first count", answer);
}

int scope_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	static const char *const names[] = {"since", "until", "category"};
	const char *why, *v;
	struct incident x;
	(void)who;
	(void)at;
	const json_t *id = json_object_get(request, "id");
	if (incident_text(request, "why", INCIDENT_WHY_MAX, true, &why, err) < 0)
		return -1;
	if (!json_is_integer(id))
		return err_set(err, ERR_INPUT, "which incident?");
	if (incident_get(r, json_integer_value(id), &x, err) < 0)
		return -1;
	if (x.state != INCIDENT_OPEN && x.state != INCIDENT_REPORTED)
		return err_set(err, ERR_CONFLICT, "incident %" PRId64 " is %s: its scope stays", x.id, incident_state_names[x.state]);
	json_t *q = json_pack("{s:s, s:s}", "do", "blast", "vendor", x.vendor);
	for (size_t i = 0; i < 3; i++) {
		int64_t t;
		if (incident_text(request, names[i], INCIDENT_WHY_MAX, false, &v, err) < 0 ||
		    (v && i < 2 && (strlen(v) != 10 || !clock_parse(v, 10, &t)) &&
		     err_set(err, ERR_INPUT, "%s isn't a day such as 2025-11-25", names[i]) < 0)) {
			json_decref(q);
			return -1;
		}
		if (v)
			json_object_set_new(q, names[i], json_string(v));
	}
	struct range g = range_of(q);
	if (g.since > g.until) {
		json_decref(q);
		return err_set(err, ERR_INPUT, "since lies after until");
	}
	put_question(r, &x, q, why, answer);
	return 0;
}

/* ---- the count --------------------------------------------------------------------------------------------------- */

static int64_t people(const json_t *answer)
{
	return json_integer_value(json_object_get(answer, "people"));
}

/* -1: not known. */
struct delta {
	int64_t newly, dropped;
};

static struct delta compare(const json_t *old_request, const json_t *old_answer, const json_t *request, const json_t *answer,
			    const json_t *both)
{
	if (!old_request)
		return (struct delta){people(answer), 0};
	struct range a = range_of(old_request), b = range_of(request);
	int64_t was = people(old_answer), is = people(answer);
	if (within(&a, &b))
		return (struct delta){is > was ? is - was : 0, 0};
	if (within(&b, &a))
		return (struct delta){0, was > is ? was - is : 0};
	if (was == 0 || is == 0)
		return (struct delta){is, was};
	if (!both)
		return (struct delta){-1, -1};
	int64_t all = people(both);
	return (struct delta){all > was ? all - was : 0, all > is ? all - is : 0};
}

static void digest_of(const char *text, uint8_t out[static 32])
{
	crypt_sha256(text, strlen(text), out);
}

static int store_scope(struct registry *r, const struct incident *x, const json_t *request, const json_t *answer, struct delta d,
		       const char *who, const char *why, int64_t at, uint8_t digest[static 32], struct err *err)
{
	char *q = json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS), *a = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
	must(q && a);
	digest_of(a, digest);
	int rc = store_run(registry_store(r), err,
			   "INSERT INTO incident_scope (incident, n, at, by, why, request, answer, digest, newly, dropped) VALUES (?1,"
			   " (SELECT coalesce(max(n), 0) + 1 FROM incident_scope WHERE incident = ?1), ?2, ?3, ?4, ?5, ?6, ?7,"
			   " nullif(?8, -1), nullif(?9, -1))",
			   "iissssbii", x->id, at, who, why, q, a, digest, (size_t)32, d.newly, d.dropped);
	free(q);
	free(a);
	return rc;
}

static int counted(struct registry *r, struct incident *x, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const json_t *ledger = json_object_get(request, "ledger"), *question = json_object_get(request, "request");
	const char *why = json_string_value(json_object_get(request, "why"));
	json_t *count = json_deep_copy(json_array_get(ledger, 0)), *was = newest(r, x->id, "request"), *had = newest(r, x->id, "answer");
	uint8_t digest[32];
	char hex[65];
	json_object_del(count, "ok");
	struct delta d = compare(was, had, question, count, json_array_get(ledger, 1));
	int rc = store_scope(r, x, question, count, d, who, why, at, digest, err);
	hex_encode(digest, 32, hex);
	if (rc == 0)
		rc = incident_do(r, x, ACT_SCOPE, who, why, at,
				 json_pack("{s:s, s:I, s:O}", "sha256", hex, "people", (json_int_t)people(count), "request", question), err);
	json_object_set_new(answer, "id", json_integer(x->id));
	json_object_set_new(answer, "scope", json_pack("{s:O, s:s, s:o, s:o}", "counts", count, "sha256", hex, "newly",
						       d.newly < 0 ? json_null() : json_integer(d.newly), "dropped",
						       d.dropped < 0 ? json_null() : json_integer(d.dropped)));
	json_decref(count);
	json_decref(was);
	json_decref(had);
	return rc;
}

int counted_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const json_t *ledger = json_object_get(request, "ledger");
	struct incident x;
	if (json_array_size(ledger) == 0)
		return err_set(err, ERR_INPUT, "the count comes from the ledger; `weir incident scope` asks for one");
	if (incident_begin(r, request, &x, err) < 0)
		return -1;
	return incident_end(r, counted(r, &x, request, who, at, answer, err), err);
}

/* ---- showing ----------------------------------------------------------------------------------------------------- */

int scope_list(struct registry *r, int64_t id, json_t *list, struct err *err)
{
	struct rows rows;
	char hex[65];
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT n, at, by, why, request, answer, digest, newly, dropped FROM incident_scope WHERE incident = ? ORDER BY n", "i", id);
	while (got >= 0 && (got = rows_next(&rows, err)) == 1) {
		hex_encode(rows_blob(&rows, 6).at, 32, hex);
		json_array_append_new(list, json_pack("{s:I, s:o, s:s, s:s, s:o, s:o, s:s, s:o, s:o}", "n", (json_int_t)rows_int(&rows, 0), "at",
						      incident_time(rows_int(&rows, 1)), "by", rows_text(&rows, 2), "why", rows_text(&rows, 3),
						      "request", json_loads(rows_text(&rows, 4), 0, NULL), "counts",
						      json_loads(rows_text(&rows, 5), 0, NULL), "sha256", hex, "newly",
						      rows_null(&rows, 7) ? json_null() : json_integer(rows_int(&rows, 7)), "dropped",
						      rows_null(&rows, 8) ? json_null() : json_integer(rows_int(&rows, 8))));
	}
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}
