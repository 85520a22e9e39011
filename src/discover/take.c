/* Shapes into the tables, what begins, and what is too old. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/say.h"
#include "discover/inside.h"

enum {
	ROWS_DAY = 8192,	/* of a vendor's day; what comes past them is counted under "*" */
	SOURCE_MAX = 63,
	KNOWN = 1 << 16,	/* a power of two */
	VENDORS_COUNTED = 64,
};

static int64_t keep_days = 90;

/* What is surely in shape_began already, so that the database isn't asked for every row of every message. */
static uint64_t known[KNOWN];

void discover_keep(int64_t days)
{
	keep_days = days;
	memset(known, 0, sizeof known);
}

/* ---- what the metrics say ---------------------------------------------------------------------------------------- */

static struct {
	char vendor[VENDOR_MAX + 1];
	uint64_t n;
} counted[VENDORS_COUNTED];	/* the last one takes the rest */

static void count_one(const char *vendor)
{
	size_t i = 0;
	while (i < VENDORS_COUNTED - 1 && counted[i].vendor[0] && strcmp(counted[i].vendor, vendor) != 0)
		i++;
	if (!counted[i].vendor[0])
		snprintf(counted[i].vendor, sizeof counted[i].vendor, "%s", i == VENDORS_COUNTED - 1 ? "other" : vendor);
	counted[i].n++;
}

void discover_metrics(struct buf *b)
{
	metrics_head(b, "weir_drift_total", "counter", "Members that are new or began to carry something, since the start.");
	for (size_t i = 0; i < VENDORS_COUNTED && counted[i].vendor[0]; i++)
		buf_addf(b, "weir_drift_total{vendor=\"%s\"} %" PRIu64 "\n", counted[i].vendor, counted[i].n);
}

/* ---- one message ------------------------------------------------------------------------------------------------- */

struct taking {
	struct store *s;
	struct err *err;
	const char *vendor, *day;
	int64_t rows;		/* of that day, so far */
	bool failed;
	/* of the row that is looked at */
	int64_t kind;
	const char *source, *path;
	bool first_day;		/* of this source and kind: nothing of it is a change */
};

struct row {
	int64_t kind;
	const char *source, *event, *path;
	struct shape_counts c;
};

static bool word_ok(const char *s, size_t max)
{
	size_t n = s ? strlen(s) : max + 1;
	if (n > max)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == '"' || s[i] == '\\')
			return false;
	return true;
}

static bool read_row(const json_t *j, struct row *r)
{
	r->kind = json_integer_value(json_object_get(j, "k"));
	r->source = json_string_value(json_object_get(j, "s"));
	r->event = json_string_value(json_object_get(j, "e"));
	r->path = json_string_value(json_object_get(j, "p"));
	return r->kind >= 0 && r->kind < ALL_KINDS && word_ok(r->source, SOURCE_MAX) && r->event && r->path &&
	       (!*r->event || strcmp(r->event, "*") == 0 || shape_name_ok(r->event, strlen(r->event))) &&
	       shape_path_ok(r->path, strlen(r->path)) && shape_from_json(json_object_get(j, "c"), &r->c);
}

/* 1 there it is, 0 not, -1. */
static int find(struct taking *t, const struct row *r, struct shape_counts *c)
{
	struct rows q;
	if (store_rows(t->s, &q, t->err, "SELECT counts FROM shape WHERE vendor=? AND day=? AND kind=? AND source=? AND event=? AND path=?", "ssisss",
		       t->vendor, t->day, r->kind, r->source, r->event, r->path) < 0)
		return -1;
	int got = rows_next(&q, t->err);
	if (got == 1) {
		json_t *j = json_loads(rows_text(&q, 0), 0, NULL);
		if (!shape_from_json(j, c))
			*c = (struct shape_counts){0};
		json_decref(j);
	}
	rows_end(&q);
	return got;
}

static int put(struct taking *t, const struct row *r, const struct shape_counts *c)
{
	json_t *j = shape_to_json(c);
	char *text = json_dumps(j, JSON_COMPACT);
	int rc = store_run(t->s, t->err, "INSERT OR REPLACE INTO shape (vendor, day, kind, source, event, path, counts) VALUES (?,?,?,?,?,?,?)", "ssissss",
			   t->vendor, t->day, r->kind, r->source, r->event, r->path, text);
	free(text);
	json_decref(j);
	return rc;
}

static int add(struct taking *t, struct row *r)
{
	struct shape_counts c = {0};
	int got = find(t, r, &c);
	if (got == 0 && t->rows >= ROWS_DAY && *r->path) {
		r->event = r->path = "*";
		got = find(t, r, &c);
	}
	if (got < 0)
		return -1;
	t->rows += got == 0;
	shape_add(&c, &r->c);
	return put(t, r, &c);
}

/* ---- what begins ------------------------------------------------------------------------------------------------- */

static bool is_known(const struct taking *t, const char *what)
{
	const char *const parts[] = {t->vendor, t->source, t->path, what};
	uint64_t h = 14695981039346656037u + (uint64_t)t->kind;
	for (size_t i = 0; i < 4; i++)
		for (const char *p = parts[i];; p++) {
			h = (h ^ (unsigned char)*p) * 1099511628211u;
			if (!*p)
				break;
		}
	uint64_t *slot = &known[(h >> 20) % KNOWN];
	if (*slot == h)
		return true;
	*slot = h;
	return false;
}

static void said(const struct taking *t, const char *what)
{
	bool field = strcmp(what, "field") == 0, holds = strncmp(what, "holds:", 6) == 0;
	if (!field && !holds)
		return;	/* changes of type and look are for the report */
	count_one(t->vendor);
	say(SAY_WARN, "drift-began", "vendor", S(t->vendor), "source", S(t->source), "path", S(t->path), "what", S(field ? "new" : what + 6),
	    "day", S(t->day), NULL);
}

static void began(void *arg, const char *what)
{
	struct taking *t = arg;
	if (t->failed || is_known(t, what))
		return;
	if (store_run(t->s, t->err, "INSERT OR IGNORE INTO shape_began (vendor, kind, source, path, what, day) VALUES (?,?,?,?,?,?)", "sissss", t->vendor,
		      t->kind, t->source, t->path, what, t->day) < 0)
		t->failed = true;
	else if (store_changed(t->s) && !t->first_day && strcmp(t->path, "*") != 0)
		said(t, what);
}

/* Was this source's first day, for this kind of object, before the message's? */
static int first_day(struct taking *t)
{
	struct rows q;
	if (store_rows(t->s, &q, t->err, "SELECT day FROM shape_began WHERE vendor=? AND kind=? AND source=? AND path='' AND what='field'", "sis", t->vendor,
		       t->kind, t->source) < 0)
		return -1;
	int got = rows_next(&q, t->err);
	t->first_day = got != 1 || strcmp(rows_text(&q, 0), t->day) >= 0;
	rows_end(&q);
	return got < 0 ? -1 : 0;
}

static int note_began(struct taking *t, const struct row *r)
{
	t->kind = r->kind;
	t->source = r->source;
	t->path = r->path;
	if (first_day(t) < 0)
		return -1;
	if (*r->path)
		discover_traits(&r->c, began, t);
	else
		began(t, "field");
	return t->failed ? -1 : 0;
}

static int count_rows(struct taking *t)
{
	struct rows q;
	if (store_rows(t->s, &q, t->err, "SELECT count(*) FROM shape WHERE vendor=? AND day=?", "ss", t->vendor, t->day) < 0)
		return -1;
	int got = rows_next(&q, t->err);
	t->rows = got == 1 ? rows_int(&q, 0) : 0;
	rows_end(&q);
	return got < 0 ? -1 : 0;
}

static int take_rows(struct taking *t, const json_t *rows)
{
	size_t i;
	json_t *j;
	struct row r;
	if (count_rows(t) < 0)
		return -1;
	json_array_foreach(rows, i, j)
		if (read_row(j, &r) && (add(t, &r) < 0 || note_began(t, &r) < 0))
			return -1;
	return 0;
}

int discover_take(struct registry *r, const json_t *body, struct err *err)
{
	const char *vendor = json_string_value(json_object_get(body, "vendor")), *day = json_string_value(json_object_get(body, "day"));
	if (!vendor || strlen(vendor) > VENDOR_MAX || !day || !discover_day(day))
		return err_set(err, ERR_INPUT, "shapes without a vendor and a day");
	struct taking t = {.s = registry_store(r), .err = err, .vendor = vendor, .day = day};
	if (store_begin(t.s, err) < 0)
		return -1;
	int rc = take_rows(&t, json_object_get(body, "rows"));
	struct err ignored;
	if (store_end(t.s, rc == 0, rc == 0 ? err : &ignored) < 0)
		rc = -1;
	if (rc < 0)
		memset(known, 0, sizeof known);	/* what was rolled back isn't there */
	return rc;
}

/* ---- what is too old --------------------------------------------------------------------------------------------- */

static int forget(struct registry *r, int64_t at, struct err *err)
{
	static int64_t done = -1;
	struct store *s = registry_store(r);
	char day[DAY_LEN + 1];
	if (at / 86400 == done)
		return 0;
	clock_format_day(at - keep_days * 86400, day);
	if (store_begin(s, err) < 0)
		return -1;
	int rc = store_run(s, err, "DELETE FROM shape WHERE day < ?", "s", day);
	if (rc == 0)	/* what hasn't come for so long begins anew when it comes again; so does a source */
		rc = store_run(s, err,
			       "DELETE FROM shape_began WHERE day < ? AND (vendor, kind, source, path) NOT IN"
			       " (SELECT vendor, kind, source, path FROM shape)", "s", day);
	struct err ignored;
	if (store_end(s, rc == 0, rc == 0 ? err : &ignored) < 0)
		rc = -1;
	if (rc == 0)
		done = at / 86400;
	memset(known, 0, sizeof known);
	return rc;
}

const struct registry_tick discover_tick = {"shapes", forget};
