/*
 * The table: places (a tree, found by a hash that grows key by key), names of events, and a counter for each
 * (place, event, source, kind) that was met.
 *
 * The ordinary case is a member that was met before: two look-ups and some additions, no text and no allocation.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "json/json.h"
#include "shape/look.h"

enum {
	PATH_SLOTS = 4096, EVENT_SLOTS = 256, CELL_SLOTS = 16384,	/* powers of two, well over what they hold */
	ELEMENTS = 32,		/* of an array that are looked at */
	SCAN_BYTES = 1024,	/* of a text that the detectors look at */
	HITS = 8,
	OTHER = 0, ROOT = 1,	/* places that are always there: what there is no room for, and the object itself */
};

struct place {
	uint64_t hash;
	char *path;
	uint16_t len, kids;
};

struct event {
	uint64_t hash;
	char *name;
};

struct cell {
	uint32_t key;
	uint32_t last;		/* number of the object it was last met in */
	uint32_t sketch[SHAPE_FEW];	/* hashes of different values, while few */
	struct shape_counts c;
};

struct shape_table {
	uint64_t seed;
	struct place *places;
	struct event *events;
	struct cell *cells;
	size_t places_len, places_cap, events_len, events_cap, cells_len, cells_cap;
	uint16_t place_at[PATH_SLOTS], cell_at[CELL_SLOTS];	/* number + 1 */
	uint8_t event_at[EVENT_SLOTS];
	uint32_t object;	/* number of the one that is looked at */
	size_t names_bytes;
	struct buf text;	/* unescaped */
};

/* ---- hashes ------------------------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t h, const char *s, size_t n)
{
	uint64_t w;
	h ^= n * 0x9e3779b97f4a7c15ull;
	for (; n >= 8; s += 8, n -= 8) {
		memcpy(&w, s, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	w = 0;
	memcpy(&w, s, n);
	h = (h ^ w) * 0xc4ceb9fe1a85ec53ull;
	return h ^ h >> 29;
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

/* Its slot: of the place, or the empty one where it belongs. */
static uint16_t *place_find(struct shape_table *t, uint64_t hash)
{
	size_t at = hash % PATH_SLOTS;
	while (t->place_at[at] && t->places[t->place_at[at] - 1].hash != hash)
		at = (at + 1) % PATH_SLOTS;
	return &t->place_at[at];
}

static unsigned place_add(struct shape_table *t, uint64_t hash, const char *path, size_t len)
{
	if (t->places_len == t->places_cap) {
		t->places_cap = t->places_cap ? 2 * t->places_cap : 64;
		t->places = xrealloc(t->places, t->places_cap * sizeof *t->places);
	}
	t->places[t->places_len] = (struct place){hash, xstrndup(path, len), (uint16_t)len, 0};
	t->names_bytes += len + 1;
	uint16_t *slot = place_find(t, hash);
	*slot = (uint16_t)++t->places_len;
	return (unsigned)t->places_len - 1;
}

/* The path of a member: seg(.seg|["any text"]|[])*.  False: too long. */
static bool path_of(const struct place *parent, const char *key, size_t n, struct buf *b)
{
	bool plain = true, star = n == 1 && *key == '*';
	buf_init(b, 0);
	buf_add(b, parent->path, parent->len);
	for (size_t i = 0; i < n; i++)
		plain &= (unsigned char)key[i] > 0x20 && key[i] != 0x7f && !strchr(".[]\"*\\", key[i]);
	if (plain || star) {
		buf_adds(b, b->len ? "." : "");
		buf_add(b, key, n);
	} else if (n == 2 && memcmp(key, "[]", 2) == 0) {
		buf_adds(b, "[]");
	} else {
		buf_addc(b, '[');
		buf_add_json(b, key, n);
		buf_addc(b, ']');
	}
	return b->len <= SHAPE_PATH_BYTES;
}

static unsigned kid(struct shape_table *t, unsigned parent, const char *key, size_t n);

static unsigned kid_new(struct shape_table *t, unsigned parent, uint64_t hash, const char *key, size_t n)
{
	bool star = n == 1 && *key == '*', elements = n == 2 && memcmp(key, "[]", 2) == 0;
	unsigned made = OTHER;
	struct buf b;
	if (parent == OTHER || t->places_len == SHAPE_PATHS)
		return OTHER;
	if (!star && !elements && (t->places[parent].kids >= SHAPE_KIDS || !shape_name_ok(key, n)))
		return kid(t, parent, "*", 1);
	bool fits = path_of(&t->places[parent], key, n, &b);
	if (fits && (star || shape_path_ok((const char *)b.data, b.len))) {
		t->places[parent].kids++;
		made = place_add(t, hash, (const char *)b.data, b.len);
	} else if (fits) {	/* "ann@example" and "com" */
		made = kid(t, parent, "*", 1);
	}
	buf_release(&b);
	return made;
}

static unsigned kid(struct shape_table *t, unsigned parent, const char *key, size_t n)
{
	uint64_t hash = mix(t->places[parent].hash, key, n);
	uint16_t at = *place_find(t, hash);
	return at ? at - 1u : kid_new(t, parent, hash, key, n);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static unsigned event_find(struct shape_table *t, const char *name, size_t n)
{
	uint64_t hash = mix(t->seed, name, n);
	size_t at = hash % EVENT_SLOTS;
	if (n == 0)
		return ROOT;
	for (; t->event_at[at]; at = (at + 1) % EVENT_SLOTS)
		if (t->events[t->event_at[at] - 1].hash == hash)
			return t->event_at[at] - 1u;
	if (t->events_len == SHAPE_EVENTS + 2 || !shape_name_ok(name, n))
		return OTHER;
	if (t->events_len == t->events_cap) {
		t->events_cap = 2 * t->events_cap;
		t->events = xrealloc(t->events, t->events_cap * sizeof *t->events);
	}
	t->events[t->events_len] = (struct event){hash, xstrndup(name, n)};
	t->names_bytes += n + 1;
	t->event_at[at] = (uint8_t)++t->events_len;
	return (unsigned)t->events_len - 1;
}

/* ---- counters ---------------------------------------------------------------------------------------------------- */

static struct cell *cell_of(struct shape_table *t, unsigned kind, unsigned source, unsigned event, unsigned place)
{
	uint32_t key = place | event << 12 | source << 20 | kind << 28;
	size_t at = (key * 0x9e3779b1u >> 7) % CELL_SLOTS;
	for (; t->cell_at[at]; at = (at + 1) % CELL_SLOTS)
		if (t->cells[t->cell_at[at] - 1].key == key)
			return &t->cells[t->cell_at[at] - 1];
	/* The last quarter is for what everything else is counted under, and for its objects. */
	bool spare = place == OTHER || place == ROOT || event == OTHER;
	if (t->cells_len >= (spare ? SHAPE_CELLS : SHAPE_CELLS / 4 * 3)) {
		if (event != OTHER)
			return cell_of(t, kind, source, OTHER, place);
		return place != OTHER ? cell_of(t, kind, source, OTHER, OTHER) : NULL;
	}
	if (t->cells_len == t->cells_cap) {
		t->cells_cap = t->cells_cap ? 2 * t->cells_cap : 64;
		t->cells = xrealloc(t->cells, t->cells_cap * sizeof *t->cells);
	}
	t->cells[t->cells_len] = (struct cell){.key = key};
	t->cell_at[at] = (uint16_t)++t->cells_len;
	return &t->cells[t->cells_len - 1];
}

static void distinct(struct cell *c, uint64_t value)
{
	uint32_t h = (uint32_t)(value >> 32);
	if (c->c.distinct > SHAPE_FEW)
		return;
	for (unsigned i = 0; i < c->c.distinct; i++)
		if (c->sketch[i] == h)
			return;
	if (c->c.distinct < SHAPE_FEW)
		c->sketch[c->c.distinct] = h;
	c->c.distinct++;
}

static void found(struct shape_counts *c, const char *type, bool whole)
{
	unsigned i = 0;
	while (i < c->found_len && c->found[i].type != type)
		i++;
	if (i == SHAPE_FOUND)
		return;
	if (i == c->found_len)
		c->found[c->found_len++] = (struct shape_found){.type = type};
	c->found[i].n++;
	c->found[i].whole += whole;
}

/* text: 64 readable bytes behind it. */
static void detect_in(struct shape_counts *c, const struct shape_where *w, const char *text, size_t n)
{
	struct detect_hit hits[HITS];
	const char *seen[HITS];
	size_t seen_len = 0;
	if (n > SCAN_BYTES)
		n = SCAN_BYTES;
	if (n < 4 || !(detect_maybe(text, n) || (w->rules && detect_rules_maybe(w->rules, w->room, text, n))))
		return;
	size_t k = w->rules ? detect_scan_with(w->rules, w->room, text, n, DETECT_ALL, hits, HITS) : detect_scan(text, n, DETECT_ALL, hits, HITS);
	for (size_t i = 0; i < k; i++) {
		const char *name = detect_hit_name(&hits[i]), *type = shape_found_type(name, strlen(name));
		size_t at = 0;
		while (at < seen_len && seen[at] != type)
			at++;
		if (at < seen_len)
			continue;
		seen[seen_len++] = type;
		found(c, type, hits[i].start == 0 && hits[i].end == n);
	}
}

/* ---- the walk ---------------------------------------------------------------------------------------------------- */

struct look {
	struct shape_table *t;
	const struct shape_where *w;
	struct json_scan s;
	unsigned kind, source, event;
};

static bool value(struct look *k, uint32_t off, unsigned place, unsigned depth, uint32_t *end);

/* Raw content of a string, unescaped: in place when it holds no escapes. */
static struct span unescaped(struct look *k, uint32_t from, uint32_t to, bool escaped)
{
	struct buf *b = &k->t->text;
	const char *raw = k->s.text + from;
	size_t n = to - from;
	if (!escaped)
		return (struct span){raw, n};
	buf_reset(b);
	if (!buf_reserve(b, n + JSON_PAD))
		return (struct span){"", 0};
	b->len = json_unescape_lossy(raw, n, (char *)b->data);
	memset(b->data + b->len, 0, JSON_PAD);
	return (struct span){(const char *)b->data, b->len};
}

static void text_value(struct look *k, struct cell *c, struct span s)
{
	c->c.lengths[length_class(s.len)]++;
	c->c.looks[look_of_text(s.at, s.len)]++;
	if (c->c.distinct <= SHAPE_FEW)
		distinct(c, mix(k->t->seed, s.at, s.len < 64 ? s.len : 64));
	detect_in(&c->c, k->w, s.at, s.len);
}

static void number_value(struct look *k, struct cell *c, struct span s)
{
	c->c.looks[look_of_number(s.at, s.len)]++;
	distinct(c, mix(~k->t->seed, s.at, s.len));
}

/* Do own detectors let a name be kept?  text: 64 readable bytes behind it. */
static bool own_name_ok(const struct shape_where *w, struct span name)
{
	struct detect_hit hit;
	return !w->rules || name.len > SHAPE_NAME_BYTES || detect_scan_with(w->rules, w->room, name.at, name.len, DETECT_BIT(DETECT_CUSTOM), &hit, 1) == 0;
}

static struct cell *met(struct look *k, unsigned place, enum shape_type type)
{
	struct cell *c = cell_of(k->t, k->kind, k->source, k->event, place);
	if (!c)
		return NULL;
	c->c.objects += c->last != k->t->object;
	c->last = k->t->object;
	c->c.types[type]++;
	return c;
}

static bool scalar(struct look *k, uint32_t off, unsigned place, uint32_t *end)
{
	const char *t = k->s.text;
	struct cell *c;
	if (t[off] == '"') {
		uint32_t close;
		bool escaped;
		if (!json_string(&k->s, &close, &escaped))
			return false;
		*end = close + 1;
		if ((c = met(k, place, SHAPE_TEXT)))
			text_value(k, c, unescaped(k, off + 1, close, escaped));
		return true;
	}
	if (!json_scalar(&k->s, off, end))
		return false;
	enum shape_type type = t[off] == 'n' ? SHAPE_NULL : t[off] == 't' || t[off] == 'f' ? SHAPE_FLAG : SHAPE_NUMBER;
	if ((c = met(k, place, type)) && type == SHAPE_NUMBER)
		number_value(k, c, (struct span){t + off, *end - off});
	return true;
}

static bool object(struct look *k, unsigned place, unsigned depth, uint32_t *end)
{
	const char *t = k->s.text;
	uint32_t e = json_next(&k->s), close;
	while (t[e] == '"') {
		bool escaped;
		if (!json_string(&k->s, &close, &escaped))
			return false;
		struct span key = unescaped(k, e + 1, close, escaped);
		unsigned at = own_name_ok(k->w, key) ? kid(k->t, place, key.at, key.len) : kid(k->t, place, "*", 1);
		/* What is in a key that may not be kept says what the keys of this object are. */
		bool data = k->t->places[at].len && k->t->places[at].path[k->t->places[at].len - 1] == '*';
		struct cell *c = data ? cell_of(k->t, k->kind, k->source, k->event, at) : NULL;
		if (c)
			detect_in(&c->c, k->w, key.at, key.len);
		json_next(&k->s);	/* the colon */
		if (!value(k, json_next(&k->s), at, depth, end))
			return false;
		e = json_next(&k->s);
		if (t[e] == ',')
			e = json_next(&k->s);
	}
	*end = e + 1;
	return t[e] == '}';
}

static bool array(struct look *k, unsigned place, unsigned depth, uint32_t *end)
{
	const char *t = k->s.text;
	uint32_t off = json_next(&k->s);
	unsigned elements = t[off] == ']' ? OTHER : kid(k->t, place, "[]", 2);
	for (unsigned i = 0; t[off] != ']'; i++) {
		if (!(i < ELEMENTS ? value(k, off, elements, depth, end) : json_skip(&k->s, off, depth, end)))
			return false;
		off = json_next(&k->s);
		if (t[off] == ',')
			off = json_next(&k->s);
	}
	*end = off + 1;
	return true;
}

/* Recursion is bounded by SHAPE_DEPTH. */
static bool value(struct look *k, uint32_t off, unsigned place, unsigned depth, uint32_t *end)
{
	char c = k->s.text[off];
	if (c != '{' && c != '[')
		return scalar(k, off, place, end);
	met(k, place, c == '{' ? SHAPE_OBJECT : SHAPE_LIST);
	if (depth == SHAPE_DEPTH)
		return json_skip(&k->s, off, depth, end);
	return c == '{' ? object(k, place, depth + 1, end) : array(k, place, depth + 1, end);
}

/* The text at a path of plain keys ("event", "traits.name"), from the object's brace on. */
static struct span name_at(struct look *k, const char *path)
{
	const char *t = k->s.text;
	size_t want = strcspn(path, ".");
	struct span none = {"", 0};
	for (uint32_t e = json_next(&k->s); t[e] == '"'; e = json_next(&k->s)) {
		uint32_t close, end;
		bool escaped;
		if (!json_string(&k->s, &close, &escaped))
			return none;
		bool here = close - e - 1 == want && memcmp(t + e + 1, path, want) == 0;
		json_next(&k->s);
		uint32_t off = json_next(&k->s);
		if (here && path[want] == '.' && t[off] == '{')
			return name_at(k, path + want + 1);
		if (here && !path[want] && t[off] == '"')
			return json_string(&k->s, &close, &escaped) ? unescaped(k, off + 1, close, escaped) : none;
		if (!json_skip(&k->s, off, 1, &end))
			return none;
		uint32_t comma = json_next(&k->s);
		if (t[comma] != ',')
			break;
	}
	return none;
}

void shape_observe(struct shape_table *t, const struct shape_where *w, const char *text, size_t n, size_t from)
{
	struct look k = {.t = t, .w = w, .kind = w->kind & 3, .source = w->source < SHAPE_SOURCES ? w->source : SHAPE_SOURCES - 1, .event = ROOT};
	uint32_t end;
	if (text[from] != '{')
		return;
	json_scan_init(&k.s, text, n, JSON_DEPTH_MAX);
	t->object++;
	if (w->name) {
		k.s.pos = (uint32_t)from + 1;
		struct span name = name_at(&k, w->name);
		k.event = own_name_ok(w, name) ? event_find(t, name.at, name.len) : OTHER;
	}
	k.s.pos = (uint32_t)from + 1;
	value(&k, (uint32_t)from, ROOT, 0, &end);
}

/* ---- taking it --------------------------------------------------------------------------------------------------- */

void shape_take(struct shape_table *t, shape_each *each, void *arg)
{
	for (size_t i = 0; i < t->cells_len; i++) {
		struct cell *c = &t->cells[i];
		const struct shape_counts none = {.distinct = c->c.distinct};
		bool met_now = c->c.objects || c->c.found_len;
		if (!met_now)
			continue;
		const struct shape_row row = {.kind = c->key >> 28, .source = c->key >> 20 & 255, .event = t->events[c->key >> 12 & 255].name,
					      .path = t->places[c->key & 4095].path, .counts = c->c};
		each(arg, &row);
		c->c = none;
	}
}

static void begin(struct shape_table *t)
{
	t->events_cap = 8;
	t->events = xcalloc(t->events_cap, sizeof *t->events);
	t->events[OTHER] = (struct event){mix(t->seed, "*", 1), xstrdup("*")};	/* no name holds a * */
	t->events[ROOT] = (struct event){mix(t->seed, "", 0), xstrdup("")};
	t->events_len = 2;
	place_add(t, ~t->seed, "*", 1);
	place_add(t, t->seed, "", 0);
}

struct shape_table *shape_table_new(uint64_t seed)
{
	struct shape_table *t = xcalloc(1, sizeof *t);
	t->seed = seed;
	buf_init(&t->text, 0);
	begin(t);
	return t;
}

static void release(struct shape_table *t)
{
	for (size_t i = 0; i < t->places_len; i++)
		free(t->places[i].path);
	for (size_t i = 0; i < t->events_len; i++)
		free(t->events[i].name);
	free(t->places);
	free(t->events);
	free(t->cells);
	buf_release(&t->text);
}

void shape_clear(struct shape_table *t)
{
	uint64_t seed = t->seed;
	release(t);
	*t = (struct shape_table){.seed = seed};
	buf_init(&t->text, 0);
	begin(t);
}

void shape_table_free(struct shape_table **t)
{
	if (*t)
		release(*t);
	free(*t);
	*t = NULL;
}

size_t shape_bytes(const struct shape_table *t)
{
	return sizeof *t + t->places_cap * sizeof *t->places + t->events_cap * sizeof *t->events + t->cells_cap * sizeof *t->cells +
	       t->names_bytes + t->text.cap;
}
