/* What stands in the objects: places, how often, in what shape (counted by src/shape), sorted into the contract's parts. */
#include "contract/suggest.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIELDS_MAX = 4000,
	INDEX = 16384,		/* a power of two, well over FIELDS_MAX */
	PAD = 64,
};

static uint64_t fnv(uint64_t h, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 1099511628211u;
	return h;
}

static struct seen_field *field_of(struct suggestion *s, enum seen_part part, const char *name)
{
	size_t n = strlen(name);
	uint64_t h = fnv(14695981039346656037u + part, name, n);
	size_t at = h % INDEX;
	for (; s->slots[at]; at = (at + 1) % INDEX) {
		struct seen_field *f = &s->fields[s->slots[at] - 1];
		if (f->part == part && strcmp(f->name, name) == 0)
			return f;
	}
	if (s->n == FIELDS_MAX)
		return NULL;
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->fields = xrealloc(s->fields, s->cap * sizeof *s->fields);
	}
	s->fields[s->n] = (struct seen_field){.part = part, .name = xstrndup(name, n)};
	s->slots[at] = (uint32_t)++s->n;
	return &s->fields[s->n - 1];
}

static size_t objects_seen(const struct suggestion *s)
{
	return s->counts.events + s->counts.profiles + s->counts.groups + s->counts.links;
}

/* ---- from rows to parts ------------------------------------------------------------------------------------------ */

static void note(struct suggestion *s, enum seen_part part, const char *name, const struct shape_counts *c)
{
	struct seen_field *f = strchr(name, '*') ? NULL : field_of(s, part, name);
	if (f)
		shape_add(&f->c, c);
	else
		s->hidden[part] += c->objects;
}

/* "$set.plan" -> "plan", `$set["Plan Name"]` -> `["Plan Name"]`; NULL: the operation itself. */
static const char *inside(const char *path, const char *key)
{
	const char *rest = path + strlen(key);
	return *rest == 0 ? NULL : *rest == '.' ? rest + 1 : rest;
}

static void operation_row(struct suggestion *s, enum seen_part fields, const struct shape_row *row)
{
	const struct adapter *a = s->adapter;
	for (size_t i = 0; i < a->operations_len; i++) {
		const struct operation *o = &a->operations[i];
		size_t n = strlen(o->key);
		if (strncmp(row->path, o->key, n) != 0 || (row->path[n] && row->path[n] != '.' && row->path[n] != '['))
			continue;
		const char *field = inside(row->path, o->key);
		if (!field && fields == SEEN_PROFILE)
			note(s, SEEN_OPERATION, o->word, &row->counts);
		else if (field && o->shape == OP_FIELDS && strncmp(field, "[]", 2) != 0)
			note(s, fields, field, &row->counts);
	}
}

void suggest_row(struct suggestion *s, const struct shape_row *row)
{
	bool whole = *row->path == 0;
	size_t n = whole ? row->counts.objects : 0;
	switch ((enum object_kind)row->kind) {
	case OBJECT_EVENT:
		s->counts.events += n;
		if (whole)
			note(s, SEEN_EVENT_NAME, *row->event ? row->event : "*", &row->counts);
		else
			note(s, SEEN_EVENT, row->path, &row->counts);
		break;
	case OBJECT_LINK:
		s->counts.links += n;
		break;
	case OBJECT_GROUP:
		s->counts.groups += n;
		if (whole)
			note(s, SEEN_GROUP_KEY, *row->event ? row->event : "*", &row->counts);
		else
			operation_row(s, SEEN_GROUP, row);
		break;
	case OBJECT_PROFILE:
		s->counts.profiles += n;
		if (!whole)
			operation_row(s, SEEN_PROFILE, row);
		break;
	case OBJECT_KINDS:
		break;
	}
}

static void take_row(void *arg, const struct shape_row *row)
{
	suggest_row(arg, row);
}

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static bool is_link(const struct adapter *a, const char *event)
{
	for (size_t i = 0; i < a->links_len; i++)
		if (strcmp(a->links[i].event, event) == 0)
			return true;
	return false;
}

static bool has_operation(const struct adapter *a, const json_t *object)
{
	for (size_t i = 0; i < a->operations_len; i++)
		if (json_object_get(object, a->operations[i].key))
			return true;
	return false;
}

static const char *named(const struct adapter *a, enum object_kind kind, const json_t *o)
{
	const char *path = adapter_name_path(a, kind);
	return path ? json_string_value(json_object_get(o, path)) : NULL;
}

void suggest_object(struct suggestion *s, const json_t *o)
{
	const struct adapter *a = s->adapter;
	const char *event = named(a, OBJECT_EVENT, o);
	const char *group = named(a, OBJECT_GROUP, o);
	enum object_kind kind = event ? is_link(a, event) ? OBJECT_LINK : OBJECT_EVENT : group ? OBJECT_GROUP : OBJECT_PROFILE;
	if (kind == OBJECT_PROFILE && !has_operation(a, o)) {
		s->counts.skipped++;
		return;
	}
	char *text = json_dumps(o, JSON_COMPACT);
	size_t n = text ? strlen(text) : 0;
	if (!text)
		return;
	text = xrealloc(text, n + PAD);
	memset(text + n, 0, PAD);
	const struct shape_where w = {.kind = kind, .name = adapter_name_path(a, kind)};
	shape_observe(s->table, &w, text, n, 0);
	free(text);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

struct suggestion *suggest_begin(const struct adapter *a)
{
	struct suggestion *s = xcalloc(1, sizeof *s);
	s->adapter = a;
	s->slots = xcalloc(INDEX, sizeof *s->slots);
	s->table = shape_table_new(0);
	return s;
}

int suggest_end(struct suggestion **sp, const char *vendor, const char *first, const char *last, struct buf *yaml,
		struct suggest_counts *counts, struct err *err)
{
	struct suggestion *s = *sp;
	int r = 0;
	shape_take(s->table, take_row, s);
	s->vendor = vendor;
	s->first = first;
	s->last = last;
	*counts = s->counts;
	if (objects_seen(s) == 0)
		r = err_set(err, ERR_INPUT, "no event of %s in it (%zu parts were something else)", s->adapter->title, s->counts.skipped);
	else
		suggest_print(s, yaml);
	for (size_t i = 0; i < s->n; i++)
		free(s->fields[i].name);
	free(s->fields);
	free(s->slots);
	shape_table_free(&s->table);
	free(s);
	*sp = NULL;
	return r;
}

int contract_suggest(const struct adapter *a, const char *text, size_t n, struct buf *yaml, struct suggest_counts *counts,
		     struct err *err)
{
	struct suggestion *s = suggest_begin(a);
	suggest_read(s, text, n);
	return suggest_end(&s, NULL, NULL, NULL, yaml, counts, err);
}
