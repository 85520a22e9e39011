/*
 * catalog/deadlines.json (facts: "deadlines.json format"): an array of objects, every member present, loaded and checked
 * whole.  Positions in messages are JSON pointers, since the file is data that a program wrote.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "incident/law.h"

static const char *const recipient_types[] = {"authority", "individual", "controller", "customer", "media", "investors", "internal"};
static const char *const statuses[] = {"in_force", "proposed", "not_yet_in_force"};	/* enum law_status */
static const char *const members[] = {
	"id", "jurisdiction", "law", "article", "trigger", "clock_starts", "deadline", "business_days", "deadline_text",
	"recipient", "recipient_type", "threshold", "threshold_count", "status", "source", "as_of", "verified", "checked_via", "note",
};
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Rows whose threshold is a ceiling ("fewer than 500"); the file's number is always a floor. */
static const struct {
	const char *id;
	int64_t at_most;
} ceilings[] = {{"us-hipaa-164-408c", 499}};

struct load {
	struct deadlines *out;
	struct diags *d;
	size_t index;
	const json_t *row;
};

#define WRONG(l, code, ...) diags_add((l)->d, DIAG_ERROR, (l)->index + 1, 0, code, __VA_ARGS__)

static const char *text(struct load *l, const char *name, bool required)
{
	const json_t *v = json_object_get(l->row, name);
	if (!v || (json_is_null(v) && required) || (!json_is_null(v) && !json_is_string(v))) {
		WRONG(l, "deadline-type", "/%zu/%s: %s", l->index, name, required ? "a string is needed" : "a string or null is needed");
		return required ? "" : NULL;
	}
	if (json_is_null(v))
		return NULL;
	if (required && json_string_length(v) == 0)
		WRONG(l, "deadline-empty", "/%zu/%s: is empty", l->index, name);
	return arena_strndup(&l->out->arena, json_string_value(v), json_string_length(v));
}

static bool flag(struct load *l, const char *name)
{
	const json_t *v = json_object_get(l->row, name);
	if (!json_is_boolean(v))
		WRONG(l, "deadline-type", "/%zu/%s: true or false is needed", l->index, name);
	return json_is_true(v);
}

static size_t word(struct load *l, const char *name, const char *const *list, size_t n)
{
	const char *w = text(l, name, true);
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], w) == 0)
			return i;
	WRONG(l, "deadline-word", "/%zu/%s: \"%s\" is not one of its words", l->index, name, w);
	const char *near = diag_nearest(w, strlen(w), list, n);
	if (near)
		diags_hint(l->d, "did you mean %s?", near);
	return 0;
}

/* PT72H, P30D, P1M; no other form stands in the file. */
static void duration(struct load *l, struct deadline *x)
{
	const char *s = text(l, "deadline", false);
	bool business = flag(l, "business_days");
	if (!s) {
		x->unit = DURATION_NONE;
		if (!x->text)
			WRONG(l, "deadline-none", "/%zu: neither deadline nor deadline_text says how long", l->index);
		return;
	}
	bool time = strncmp(s, "PT", 2) == 0;
	const char *at = s + (time ? 2 : 1);
	char *end;
	unsigned long n = *s == 'P' ? strtoul(at, &end, 10) : 0;
	if (*s != 'P' || end == at || n == 0 || n > 1000 || end[1] || !strchr(time ? "H" : "DM", *end)) {
		WRONG(l, "deadline-duration", "/%zu/deadline: \"%s\" is not PTnH, PnD or PnM", l->index, s);
		return;
	}
	x->amount = (unsigned)n;
	x->unit = *end == 'H' ? DURATION_HOURS : *end == 'M' ? DURATION_MONTHS : business ? DURATION_BUSINESS_DAYS : DURATION_DAYS;
	if (business && x->unit != DURATION_BUSINESS_DAYS)
		WRONG(l, "deadline-duration", "/%zu: business days need a number of days", l->index);
}

static void threshold(struct load *l, struct deadline *x)
{
	const json_t *v = json_object_get(l->row, "threshold_count");
	x->at_most = INT64_MAX;
	if (!json_is_null(v) && (!json_is_integer(v) || json_integer_value(v) < 1))
		WRONG(l, "deadline-type", "/%zu/threshold_count: a count from 1 or null is needed", l->index);
	x->at_least = json_is_integer(v) ? json_integer_value(v) : 0;
	for (size_t i = 0; i < COUNT(ceilings); i++)
		if (strcmp(ceilings[i].id, x->id) == 0)
			x->at_most = ceilings[i].at_most;
}

static void provenance(struct load *l, struct deadline *x)
{
	int64_t day;
	x->source = text(l, "source", false);
	x->as_of = text(l, "as_of", false);
	x->checked_via = text(l, "checked_via", false);
	x->note = text(l, "note", false);
	x->verified = flag(l, "verified");
	if (x->as_of && !clock_parse(x->as_of, strlen(x->as_of), &day))
		WRONG(l, "deadline-date", "/%zu/as_of: is not a date", l->index);
	if (x->verified && (!x->source || !x->as_of || !x->checked_via))
		WRONG(l, "deadline-unproven", "/%zu: \"%s\" says verified without source, as_of and checked_via", l->index, x->id);
}

static void names(struct load *l)
{
	const char *name;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)l->row, name, v) {
		size_t i = 0;
		while (i < COUNT(members) && strcmp(members[i], name) != 0)
			i++;
		if (i == COUNT(members))
			WRONG(l, "deadline-member", "/%zu: unknown member \"%.40s\"", l->index, name);
	}
}

static void row(struct load *l, struct deadline *x)
{
	names(l);
	x->id = text(l, "id", true);
	for (size_t i = 0; i < l->index; i++)
		if (strcmp(l->out->v[i].id, x->id) == 0)
			WRONG(l, "deadline-twice", "/%zu/id: \"%s\" stands at /%zu already", l->index, x->id, i);
	x->jurisdiction = text(l, "jurisdiction", true);
	x->law = text(l, "law", true);
	x->article = text(l, "article", false);
	x->trigger = text(l, "trigger", false);
	x->starts = (enum anchor)word(l, "clock_starts", anchor_names, ANCHOR_KINDS);
	x->text = text(l, "deadline_text", false);
	duration(l, x);
	x->recipient = text(l, "recipient", true);
	x->recipient_type = recipient_types[word(l, "recipient_type", recipient_types, COUNT(recipient_types))];
	x->threshold = text(l, "threshold", false);
	x->status = (enum law_status)word(l, "status", statuses, COUNT(statuses));
	threshold(l, x);
	provenance(l, x);
}

int deadlines_load(const char *json, size_t n, struct deadlines *out, struct diags *d)
{
	json_error_t e;
	json_t *all = json_loadb(json, n, JSON_REJECT_DUPLICATES, &e);
	*out = (struct deadlines){0};
	arena_init(&out->arena, 0);
	if (!json_is_array(all)) {
		diags_add(d, DIAG_ERROR, all ? 1 : (size_t)e.line, all ? 1 : (size_t)e.column, "json", "%s",
			  all ? "an array is needed" : e.text);
		json_decref(all);
		return -1;
	}
	out->n = json_array_size(all);
	out->v = arena_alloc(&out->arena, (out->n + 1) * sizeof *out->v);
	memset(out->v, 0, (out->n + 1) * sizeof *out->v);
	if (out->n == 0)
		diags_add(d, DIAG_ERROR, 1, 1, "deadline-none", "the file names no deadline");
	for (size_t i = 0; i < out->n; i++) {
		struct load l = {out, d, i, json_array_get(all, i)};
		if (json_is_object(l.row))
			row(&l, &out->v[i]);
		else
			WRONG(&l, "deadline-type", "/%zu: an object is needed", i);
	}
	json_decref(all);
	if (d->errors) {
		deadlines_release(out);
		return -1;
	}
	return 0;
}

void deadlines_release(struct deadlines *l)
{
	arena_release(&l->arena);
	*l = (struct deadlines){0};
}

extern const char catalog_deadlines[];

const char *deadlines_builtin(size_t *n)
{
	*n = strlen(catalog_deadlines);
	return catalog_deadlines;
}
