/* What stands in the objects: places, how often, in what shape. */
#include "contract/suggest.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "detect/detect.h"

enum {
	FIELDS_MAX = 4000,
	INDEX = 16384,		/* a power of two, well over FIELDS_MAX */
	DEPTH_MAX = 12,
	NAME_MAX_BYTES = 80,	/* a longer key is data */
	DIGITS_MAX = 5,		/* a run of more digits in a key is somebody's number */
	PATH_MAX_BYTES = 512,
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

/*
 * Characters that a name in a file of ours can't have: what YAML takes for a line break or doesn't print, and what
 * changes the order of a line or can't be seen by whoever reviews it.  UTF-8, valid.
 */
static bool unprintable(const char *s, size_t n)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {{0, 0x1f}, {0x7f, 0x9f}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xffff},
		      {0xe0000, 0xe007f}};
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		uint32_t cp = c < 0x80 ? c : c < 0xe0 ? c & 0x1fu : c < 0xf0 ? c & 0x0fu : c & 0x07u;
		while (i + 1 < n && ((unsigned char)s[i + 1] & 0xc0) == 0x80)
			cp = cp << 6 | ((unsigned char)s[++i] & 0x3fu);
		for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++)
			if (cp >= ranges[k].from && cp <= ranges[k].to)
				return true;
	}
	return false;
}

/* May this key or event name stand in a file?  Not when it is data in a key's place. */
static bool name_ok(const char *s, size_t n)
{
	char padded[NAME_MAX_BYTES + 64] = {0};
	struct detect_hit hit;
	unsigned digits = 0;
	if (n == 0 || n > NAME_MAX_BYTES || strlen(s) != n || unprintable(s, n))
		return false;
	for (size_t i = 0; i < n; i++) {
		digits = s[i] >= '0' && s[i] <= '9' ? digits + 1 : 0;
		if (digits > DIGITS_MAX)
			return false;
	}
	memcpy(padded, s, n);
	return !detect_key_name(padded, n) && detect_scan(padded, n, DETECT_ALL, &hit, 1) == 0;
}

static void note(struct suggestion *s, enum seen_part part, const char *name, unsigned shapes, uint64_t found, uint64_t value)
{
	struct seen_field *f = field_of(s, part, name);
	if (!f) {
		s->hidden[part]++;
		return;
	}
	size_t now = objects_seen(s);
	if (f->last != now)
		f->count++;
	f->last = now;
	f->shapes |= shapes;
	f->found |= found;
	for (unsigned i = 0; i < f->distinct_len; i++)
		if (f->distinct[i] == value)
			return;
	if (f->distinct_len < DISTINCT_MAX)
		f->distinct[f->distinct_len++] = value;
}

static uint64_t detected(const char *text, size_t n)
{
	enum { HITS = 16 };
	struct detect_hit hits[HITS];
	char *padded = xcalloc(1, n + 64);
	memcpy(padded, text, n);
	uint64_t found = 0;
	size_t k = detect_scan(padded, n, DETECT_ALL, hits, HITS);
	for (size_t i = 0; i < k; i++)
		found |= DETECT_BIT(hits[i].type);
	free(padded);
	return found;
}

static void note_scalar(struct suggestion *s, enum seen_part part, const char *path, const json_t *v)
{
	const char *text = json_string_value(v);
	size_t n = json_string_length(v);
	double number = json_number_value(v);
	if (text)
		note(s, part, path, SHAPE_TEXT, detected(text, n), fnv(1, text, n));
	else if (json_is_number(v))
		note(s, part, path, SHAPE_NUMBER, 0, fnv(2, (const char *)&number, sizeof number));
	else if (json_is_null(v))
		note(s, part, path, SHAPE_NULL, 0, 3);
	else
		note(s, part, path, SHAPE_FLAG, 0, json_is_true(v) ? 4 : 5);
}

/* A path of the contract format: seg(.seg|["any text"]|[])*. */
static bool path_add(struct buf *b, const char *key, size_t n)
{
	bool plain = true;
	for (size_t i = 0; i < n; i++)
		plain &= (unsigned char)key[i] > 0x20 && key[i] != 0x7f && !strchr(".[]\"*", key[i]);
	if (plain) {
		buf_adds(b, b->len ? "." : "");
		buf_add(b, key, n);
	} else {
		buf_addc(b, '[');
		buf_add_json(b, key, n);
		buf_addc(b, ']');
	}
	return b->len < PATH_MAX_BYTES;
}

static const char *path_text(const struct buf *b)
{
	return b->data ? (const char *)b->data : "";
}

static void cut(struct buf *b, size_t len)
{
	b->len = len;
	if (b->data)
		b->data[len] = 0;
}

/* Recursion is bounded by DEPTH_MAX. */
static void walk(struct suggestion *s, enum seen_part part, struct buf *path, json_t *v, unsigned depth)
{
	size_t at = path->len, i, n;
	const char *key;
	json_t *m;
	if (json_is_array(v)) {
		note(s, part, path_text(path), SHAPE_LIST, 0, 0);
		buf_adds(path, "[]");
		if (depth < DEPTH_MAX)
			json_array_foreach(v, i, m)
				walk(s, part, path, m, depth + 1);
		cut(path, at);
		return;
	}
	if (!json_is_object(v)) {
		note_scalar(s, part, path_text(path), v);
		return;
	}
	json_object_keylen_foreach(v, key, n, m) {
		if (depth < DEPTH_MAX && name_ok(key, n) && path_add(path, key, n))
			walk(s, part, path, m, depth + 1);
		else
			s->hidden[part]++;
		cut(path, at);
	}
}

static void walk_root(struct suggestion *s, enum seen_part part, const json_t *v)
{
	struct buf path;
	buf_init(&path, 0);
	walk(s, part, &path, (json_t *)(uintptr_t)v, 0);
	buf_release(&path);
}

static void note_name(struct suggestion *s, enum seen_part part, const char *name)
{
	size_t n = strlen(name);
	if (name_ok(name, n) && !strchr(name, '*'))	/* a * is a pattern there */
		note(s, part, name, SHAPE_TEXT, 0, 0);
	else
		s->hidden[part]++;
}

static bool is_link(const struct adapter *a, const char *event)
{
	for (size_t i = 0; i < a->links_len; i++)
		if (strcmp(a->links[i].event, event) == 0)
			return true;
	return false;
}

/* Fields of the operations that an update holds; false when it holds none. */
static bool operations(struct suggestion *s, const json_t *object, enum seen_part fields)
{
	const struct adapter *a = s->adapter;
	bool any = false;
	for (size_t i = 0; i < a->operations_len; i++) {
		const json_t *v = json_object_get(object, a->operations[i].key);
		if (!v)
			continue;
		any = true;
		if (fields == SEEN_PROFILE)
			note(s, SEEN_OPERATION, a->operations[i].word, SHAPE_TEXT, 0, 0);
		if (a->operations[i].shape == OP_FIELDS && json_is_object(v))
			walk_root(s, fields, v);
	}
	return any;
}

/* The key under which an adapter's objects of a kind carry their name: "event", "$group_key". */
static const char *name_slot(const struct adapter *a, enum object_kind kind)
{
	for (size_t i = 0; i < a->slots_len; i++)
		if (a->slots[i].kind == kind && a->slots[i].role == SLOT_NAME)
			return a->slots[i].path;
	return "";
}

void suggest_object(struct suggestion *s, const json_t *o)
{
	const char *event = json_string_value(json_object_get(o, name_slot(s->adapter, OBJECT_EVENT)));
	const char *group = json_string_value(json_object_get(o, name_slot(s->adapter, OBJECT_GROUP)));
	if (event && is_link(s->adapter, event)) {
		s->counts.links++;
	} else if (event) {
		s->counts.events++;
		note_name(s, SEEN_EVENT_NAME, event);
		walk_root(s, SEEN_EVENT, o);
	} else if (group) {
		s->counts.groups++;
		note_name(s, SEEN_GROUP_KEY, group);
		operations(s, o, SEEN_GROUP);
	} else {
		s->counts.profiles++;
		if (!operations(s, o, SEEN_PROFILE)) {
			s->counts.profiles--;
			s->counts.skipped++;
		}
	}
}

int contract_suggest(const struct adapter *a, const char *text, size_t n, struct buf *yaml, struct suggest_counts *counts,
		     struct err *err)
{
	struct suggestion s = {.adapter = a, .slots = xcalloc(INDEX, sizeof *s.slots)};
	int r = 0;
	suggest_read(&s, text, n);
	*counts = s.counts;
	if (objects_seen(&s) == 0)
		r = err_set(err, ERR_INPUT, "no event of %s in it (%zu parts were something else)", a->title, s.counts.skipped);
	else
		suggest_print(&s, yaml);
	for (size_t i = 0; i < s.n; i++)
		free(s.fields[i].name);
	free(s.fields);
	free(s.slots);
	return r;
}
