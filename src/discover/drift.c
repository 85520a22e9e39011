/*
 * The drift report: what began since a day, what isn't there any more.  One pass over the shapes of the days from some
 * weeks before that day on.
 *
 * A line is {vendor, source, kind, path, what, of, day, n, total, share, events, category, counts}:
 *   new        the place was never met before                     n objects of total
 *   carries    detectors find `of` ("email") in its values        n values of total
 *   type       values of type `of` ("text")                        n values of total, at least one in a hundred
 *   looks      values look like `of` ("uuid")                      n texts and numbers of total, at least one in a hundred
 *   many       more than a few different values
 *   vanished   not met since `day`, and should have been           n objects of total before
 * A source's first day begins nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "detect/fields.h"
#include "discover/inside.h"

enum {
	BEFORE_DAYS = 28,	/* what is looked at before the day */
	DEFAULT_DAYS = 7,
	EXPECTED = 20,		/* a place is missed when it would have been met so often */
	EVENTS_TOLD = 5,
	SLOTS = 8192,		/* a power of two, over what a vendor's day can hold */
	LINES_MAX = 2000,
};

struct total {	/* objects of a source and kind */
	struct total *next;
	int64_t kind;
	char *source;
	char first[DAY_LEN + 1];	/* ever */
	struct day {
		char day[DAY_LEN + 1];
		uint64_t n;
	} *days;
	size_t len, cap;
};

struct line {
	struct line *next;
	char what[64], day[DAY_LEN + 1];
	struct shape_counts c;	/* from that day on */
	json_t *events;		/* name -> objects */
};

struct place {
	struct place *next;
	int64_t kind;
	char *source, *path;
	char first[DAY_LEN + 1], last[DAY_LEN + 1];	/* met, of the days that are looked at */
	uint64_t objects;
	struct line *lines;
};

struct report {
	struct store *s;
	struct err *err;
	const char *vendor, *since;
	struct total *totals;
	struct place *places[SLOTS];
	json_t *out;
};

/* ---- what is held ------------------------------------------------------------------------------------------------ */

static struct total *total_of(struct report *r, int64_t kind, const char *source)
{
	struct total *t = r->totals;
	while (t && (t->kind != kind || strcmp(t->source, source) != 0))
		t = t->next;
	if (!t) {
		t = xcalloc(1, sizeof *t);
		*t = (struct total){.next = r->totals, .kind = kind, .source = xstrdup(source)};
		r->totals = t;
	}
	return t;
}

static struct place *place_of(struct report *r, int64_t kind, const char *source, const char *path)
{
	uint64_t h = 14695981039346656037u + (uint64_t)kind;
	for (const char *p = source; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	for (const char *p = path; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	struct place **slot = &r->places[(h >> 17) % SLOTS], *p = *slot;
	while (p && (p->kind != kind || strcmp(p->source, source) != 0 || strcmp(p->path, path) != 0))
		p = p->next;
	if (!p) {
		p = xcalloc(1, sizeof *p);
		*p = (struct place){.next = *slot, .kind = kind, .source = xstrdup(source), .path = xstrdup(path)};
		*slot = p;
	}
	return p;
}

static void release(struct report *r)
{
	for (size_t i = 0; i < SLOTS; i++)
		for (struct place *p = r->places[i], *next; p; p = next) {
			next = p->next;
			for (struct line *l = p->lines, *after; l; l = after) {
				after = l->next;
				json_decref(l->events);
				free(l);
			}
			free(p->source);
			free(p->path);
			free(p);
		}
	for (struct total *t = r->totals, *next; t; t = next) {
		next = t->next;
		free(t->source);
		free(t->days);
		free(t);
	}
}

/* ---- what began -------------------------------------------------------------------------------------------------- */

static int read_firsts(struct report *r)
{
	struct rows q;
	if (store_rows(r->s, &q, r->err, "SELECT kind, source, day FROM shape_began WHERE vendor=? AND path='' AND what='field'", "s", r->vendor) < 0)
		return -1;
	int got;
	while ((got = rows_next(&q, r->err)) == 1)
		snprintf(total_of(r, rows_int(&q, 0), rows_text(&q, 1))->first, DAY_LEN + 1, "%s", rows_text(&q, 2));
	rows_end(&q);
	return got;
}

static int read_began(struct report *r)
{
	struct rows q;
	if (store_rows(r->s, &q, r->err, "SELECT kind, source, path, what, day FROM shape_began WHERE vendor=? AND day>=? AND path NOT IN ('', '*') LIMIT ?",
		       "ssi", r->vendor, r->since, (int64_t)LINES_MAX) < 0)
		return -1;
	int got;
	while ((got = rows_next(&q, r->err)) == 1) {
		const struct total *t = total_of(r, rows_int(&q, 0), rows_text(&q, 1));
		if (strcmp(rows_text(&q, 4), t->first) <= 0)
			continue;
		struct place *p = place_of(r, rows_int(&q, 0), rows_text(&q, 1), rows_text(&q, 2));
		struct line *l = xcalloc(1, sizeof *l);
		l->next = p->lines;
		l->events = json_object();
		snprintf(l->what, sizeof l->what, "%s", rows_text(&q, 3));
		snprintf(l->day, sizeof l->day, "%s", rows_text(&q, 4));
		p->lines = l;
	}
	rows_end(&q);
	return got;
}

/* ---- the pass over the days -------------------------------------------------------------------------------------- */

static void add_total(struct total *t, const char *day, uint64_t n)
{
	if (!t->len || strcmp(t->days[t->len - 1].day, day) != 0) {
		if (t->len == t->cap) {
			t->cap = t->cap ? 2 * t->cap : 32;
			t->days = xrealloc(t->days, t->cap * sizeof *t->days);
		}
		t->days[t->len] = (struct day){.n = 0};
		snprintf(t->days[t->len++].day, DAY_LEN + 1, "%s", day);
	}
	t->days[t->len - 1].n += n;
}

static void add_place(struct place *p, const char *day, const char *event, const struct shape_counts *c)
{
	if (!p->first[0])
		snprintf(p->first, sizeof p->first, "%s", day);
	snprintf(p->last, sizeof p->last, "%s", day);
	p->objects += c->objects;
	for (struct line *l = p->lines; l; l = l->next) {
		if (strcmp(day, l->day) < 0)
			continue;
		shape_add(&l->c, c);
		json_int_t was = json_integer_value(json_object_get(l->events, event));
		json_object_set_new(l->events, event, json_integer(was + (json_int_t)c->objects));
	}
}

static int read_shapes(struct report *r, const char *from)
{
	struct rows q;
	if (store_rows(r->s, &q, r->err, "SELECT day, kind, source, event, path, counts FROM shape WHERE vendor=? AND day>=? ORDER BY day", "ss", r->vendor,
		       from) < 0)
		return -1;
	int got;
	while ((got = rows_next(&q, r->err)) == 1) {
		struct shape_counts c;
		const char *path = rows_text(&q, 4);
		json_t *j = json_loads(rows_text(&q, 5), 0, NULL);
		if (!shape_from_json(j, &c))
			c = (struct shape_counts){0};
		json_decref(j);
		if (*path)
			add_place(place_of(r, rows_int(&q, 1), rows_text(&q, 2), path), rows_text(&q, 0), rows_text(&q, 3), &c);
		else
			add_total(total_of(r, rows_int(&q, 1), rows_text(&q, 2)), rows_text(&q, 0), c.objects);
	}
	rows_end(&q);
	return got;
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

/* Objects of the source from a day on (until: to the other day). */
static uint64_t objects_from(const struct total *t, const char *from, const char *until)
{
	uint64_t n = 0;
	for (size_t i = 0; i < t->len; i++)
		if (strcmp(t->days[i].day, from) >= 0 && (!until || strcmp(t->days[i].day, until) <= 0))
			n += t->days[i].n;
	return n;
}

static json_t *events_of(json_t *events)
{
	json_t *list = json_array(), *v;
	const char *name, *best;
	for (int i = 0; i < EVENTS_TOLD; i++) {
		json_int_t most = 0;
		best = NULL;
		json_object_foreach(events, name, v)
			if (json_integer_value(v) > most && *name) {
				most = json_integer_value(v);
				best = name;
			}
		if (!best)
			break;
		json_array_append_new(list, json_string(best));
		json_object_del(events, best);
	}
	return list;
}

static unsigned saw(const struct shape_counts *c, int64_t kind)
{
	return (c->types[SHAPE_TEXT] ? FIELD_SAW_TEXT : 0u) | (c->types[SHAPE_NUMBER] ? FIELD_SAW_NUMBER : 0u) |
	       (c->types[SHAPE_FLAG] ? FIELD_SAW_FLAG : 0u) | (kind == OBJECT_PROFILE ? FIELD_OF_PERSON : 0u);
}

static void tell(struct report *r, const struct place *p, const char *what, const char *of, const char *day, uint64_t n, uint64_t total, json_t *events,
		 const struct shape_counts *c)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:f, s:o}", "vendor", r->vendor, "source", p->source, "kind", discover_kinds[p->kind],
			      "path", p->path, "what", what, "day", day, "n", (json_int_t)n, "total", (json_int_t)total, "share",
			      total ? (double)n / (double)total : 0.0, "events", events);
	const char *category = detect_field(p->path, strlen(p->path), c ? saw(c, p->kind) : 0);
	if (of)
		json_object_set_new(o, "of", json_string(of));
	if (category)
		json_object_set_new(o, "category", json_string(category));
	if (c)
		json_object_set_new(o, "counts", shape_to_json(c));
	json_array_append_new(r->out, o);
}

static bool is_new(const struct place *p)
{
	for (const struct line *l = p->lines; l; l = l->next)
		if (strcmp(l->what, "field") == 0)
			return true;
	return false;
}

static void tell_line(struct report *r, const struct place *p, struct line *l)
{
	static const struct {
		const char *prefix, *what;
		unsigned least;	/* in a hundred */
	} rows[] = {{"field", "new", 0}, {"holds:", "carries", 0}, {"type:", "type", 1}, {"look:", "looks", 1}, {"many", "many", 0}};
	struct shape_counts all = {.objects = objects_from(total_of(r, p->kind, p->source), l->day, NULL)};
	bool fresh = is_new(p);
	size_t i = 0;
	uint64_t n, total;
	while (strncmp(l->what, rows[i].prefix, strlen(rows[i].prefix)) != 0)
		if (++i == sizeof rows / sizeof *rows)
			return;
	discover_share(&l->c, &all, l->what, &n, &total);
	/* A new member says all of itself in its own line, but for what it carries. */
	if (!l->c.objects || (fresh && i > 1) || n * 100 < total * rows[i].least)
		return;
	const char *of = l->what + strlen(rows[i].prefix);
	if (strcmp(rows[i].what, "type") == 0)
		of = shape_type_names[atoi(of) % SHAPE_TYPES];
	tell(r, p, rows[i].what, *of ? of : NULL, l->day, n, total, events_of(l->events), &l->c);
}

/* The day after the last one on which it was met, by the source's own days; NULL: it is still there, or isn't missed. */
static const char *missed_since(const struct report *r, const struct place *p, const struct total *t)
{
	uint64_t before = objects_from(t, p->first, p->last), after = 0;
	const char *day = NULL;
	for (size_t i = 0; i < t->len; i++)
		if (strcmp(t->days[i].day, p->last) > 0) {
			day = day ? day : t->days[i].day;
			after += t->days[i].n;
		}
	if (!day || strcmp(day, r->since) < 0 || !before || (double)p->objects / (double)before * (double)after < EXPECTED)
		return NULL;
	return day;
}

static void tell_place(struct report *r, const struct place *p)
{
	const struct total *t = total_of(r, p->kind, p->source);
	const char *day = p->last[0] && strcmp(p->path, "*") != 0 ? missed_since(r, p, t) : NULL;
	for (struct line *l = p->lines; l; l = l->next)
		tell_line(r, p, l);
	if (day)
		tell(r, p, "vanished", NULL, day, p->objects, objects_from(t, p->first, p->last), json_array(), NULL);
}

static int by_day(const void *a, const void *b)
{
	static const char *const keys[] = {"day", "path", "source", "what", "of"};
	const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
	int r = 0;
	for (size_t i = 0; i < sizeof keys / sizeof *keys && r == 0; i++) {
		const char *s = json_string_value(json_object_get(x, keys[i])), *t = json_string_value(json_object_get(y, keys[i]));
		r = strcmp(s ? s : "", t ? t : "");
	}
	return r;
}

static void sort_into(json_t *from, json_t *to)
{
	size_t n = json_array_size(from);
	json_t **v = xcalloc(n + 1, sizeof *v);
	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(from, i);
	qsort(v, n, sizeof *v, by_day);
	for (size_t i = 0; i < n; i++)
		json_array_append(to, v[i]);
	free(v);
}

/* ---- the word ---------------------------------------------------------------------------------------------------- */

static int report_vendor(struct registry *reg, const char *vendor, const char *since, const char *from, json_t *list, struct err *err)
{
	struct report *r = xcalloc(1, sizeof *r);
	*r = (struct report){.s = registry_store(reg), .err = err, .vendor = vendor, .since = since, .out = json_array()};
	int rc = read_firsts(r) < 0 || read_began(r) < 0 || read_shapes(r, from) < 0 ? -1 : 0;
	for (size_t i = 0; i < SLOTS && rc == 0; i++)
		for (const struct place *p = r->places[i]; p; p = p->next)
			tell_place(r, p);
	sort_into(r->out, list);
	json_decref(r->out);
	release(r);
	free(r);
	return rc;
}

static int vendors_of(struct registry *r, const char *vendor, json_t *names, struct err *err)
{
	struct rows q;
	if (vendor) {
		json_array_append_new(names, json_string(vendor));
		return 0;
	}
	if (store_rows(registry_store(r), &q, err, "SELECT DISTINCT vendor FROM shape_began ORDER BY vendor", "") < 0)
		return -1;
	int got;
	while ((got = rows_next(&q, err)) == 1)
		json_array_append_new(names, json_string(rows_text(&q, 0)));
	rows_end(&q);
	return got;
}

int discover_drift(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *vendor = json_string_value(json_object_get(request, "vendor")), *given = json_string_value(json_object_get(request, "since"));
	char since[DAY_LEN + 1], from[DAY_LEN + 1], today[DAY_LEN + 1];
	int64_t begin;
	(void)who;
	clock_format_day(at, today);
	clock_format_day(at - DEFAULT_DAYS * 86400, since);
	if (given) {
		if (!discover_day(given) || !clock_parse(given, DAY_LEN, &begin))
			return err_set(err, ERR_INPUT, "since: %s isn't a day (YYYY-MM-DD)", given);
		snprintf(since, sizeof since, "%s", given);
	} else {
		begin = at - DEFAULT_DAYS * 86400;
	}
	clock_format_day(begin - BEFORE_DAYS * 86400, from);
	json_t *names = json_array(), *list = json_array(), *name;
	size_t i;
	json_object_set_new(answer, "since", json_string(since));
	json_object_set_new(answer, "until", json_string(today));
	json_object_set_new(answer, "drift", list);
	int rc = vendors_of(r, vendor, names, err);
	json_array_foreach(names, i, name)
		if (rc == 0)
			rc = report_vendor(r, json_string_value(name), since, from, list, err);
	json_decref(names);
	return rc;
}
