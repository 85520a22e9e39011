#include "detect/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "detect/fields.h"
#include "json/json.h"

void detect_record_init(struct detect_record *r)
{
	*r = (struct detect_record){0};
}

void detect_record_release(struct detect_record *r)
{
	buf_release(&r->text);
	buf_release(&r->pointer);
	buf_release(&r->keys);
	free(r->hits);
	detect_room_free(&r->room);
	*r = (struct detect_record){0};
}

/* One walk over one record. */
struct walk {
	struct detect_record *r;
	const char *text;
	uint64_t types;
	detect_record_fn *each;
	void *arg;
	size_t key_at, key_len;	/* of the nearest name, in r->keys */
};

/* Every hit has at least four bytes (a rule's; a@b.cd has six), so this many always suffice. */
static size_t scan(struct detect_record *r, const char *t, size_t n, uint64_t types)
{
	size_t need = n / 4 + 2;
	if (need > r->hits_cap) {
		r->hits_cap = need * 2;
		r->hits = xrealloc(r->hits, r->hits_cap * sizeof *r->hits);
	}
	if (r->rules && !r->room)
		r->room = detect_room_new(r->rules);
	return r->rules ? detect_scan_with(r->rules, r->room, t, n, types, r->hits, r->hits_cap)
			: detect_scan(t, n, types, r->hits, r->hits_cap);
}

/* A name as words before its value: "handynummer: phone: ". */
static void add_name(struct buf *b, const char *name, size_t n)
{
	enum { NAME_BYTES = 64 };
	if (n == 0 || n > NAME_BYTES)
		return;
	const char *word = detect_field_word(detect_field(name, n, 0));
	buf_add(b, name, n);
	buf_adds(b, ": ");
	if (word && *word) {
		buf_adds(b, word);
		buf_adds(b, ": ");
	}
}

static const char *string_end(const char *p)	/* of checked JSON, p behind the quote: the closing one */
{
	for (; *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p;
}

static const char *blank(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

/* ---- from the unescaped text back to the raw one ---------------------------------------------------------------- */

struct place {
	size_t raw, out;
};

static unsigned hex4(const char *p)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++)
		v = v << 4 | (unsigned)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	return v;
}

/* Lengths of the character at raw: escaped, and as json_unescape_lossy writes it (a lone surrogate as U+FFFD). */
static void character(const char *raw, size_t left, size_t *raw_len, size_t *out_len)
{
	*raw_len = *out_len = 1;
	if (*raw != '\\')
		return;
	*raw_len = 2;
	if (raw[1] != 'u')
		return;
	*raw_len = 6;
	unsigned c = hex4(raw + 2);
	bool pair = c >= 0xd800 && c < 0xdc00 && left >= 12 && raw[6] == '\\' && raw[7] == 'u' && hex4(raw + 8) >> 10 == 0x37;
	if (pair)
		*raw_len = 12;
	*out_len = pair ? 4 : c < 0x80 ? 1 : c < 0x800 ? 2 : 3;
}

/* Moves to the character that holds the unescaped byte `out`; ends behind it when `behind`. */
static size_t raw_of(const char *raw, size_t n, struct place *at, size_t out, bool behind)
{
	size_t raw_len = 0, out_len = 0;
	while (at->raw < n) {
		character(raw + at->raw, n - at->raw, &raw_len, &out_len);
		if (at->out + out_len > out)
			break;
		at->raw += raw_len;
		at->out += out_len;
	}
	return at->raw + (behind && at->raw < n ? raw_len : 0);
}

/* ---- values and names ------------------------------------------------------------------------------------------- */

/*
 * raw[0..n): content of a string or a number.  The nearest name stands before it; what is found in that part alone was
 * reported with the name.
 */
static void walk_scalar(struct walk *w, const char *raw, size_t n, bool with_key)
{
	struct buf *b = &w->r->text;
	buf_reset(b);
	if (with_key && w->key_len)
		add_name(b, (const char *)w->r->keys.data + w->key_at, w->key_len);
	size_t head = b->len;
	must(buf_reserve(b, n + JSON_PAD));
	b->len += json_unescape_lossy(raw, n, (char *)b->data + head);
	memset(b->data + b->len, 0, JSON_PAD);
	size_t hits = scan(w->r, (char *)b->data, b->len, w->types);
	struct place at = {0};
	for (size_t i = 0; i < hits; i++) {
		struct detect_hit h = w->r->hits[i];
		if (h.end <= head)
			continue;
		size_t start = h.start < head ? 0 : h.start - head, base = (size_t)(raw - w->text);
		h.start = (uint32_t)(base + raw_of(raw, n, &at, start, false));
		struct place end = at;
		h.end = (uint32_t)(base + raw_of(raw, n, &end, h.end - head - 1, true));
		w->each(w->arg, (char *)w->r->pointer.data, &h);
	}
}

/* RFC 6901 section 3. */
static void push_name(struct buf *pointer, const char *name, size_t n)
{
	buf_addc(pointer, '/');
	if (detect_key_name(name, n)) {
		buf_adds(pointer, "[KEY]");
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (name[i] == '~')
			buf_adds(pointer, "~0");
		else if (name[i] == '/')
			buf_adds(pointer, "~1");
		else
			buf_addc(pointer, name[i]);
}

static void truncate(struct buf *b, size_t len)
{
	b->len = len;
	b->data[len] = 0;
}

static const char *walk_value(struct walk *w, const char *p);

static const char *walk_member(struct walk *w, const char *p)	/* p: its opening quote */
{
	struct buf *pointer = &w->r->pointer, *keys = &w->r->keys;
	const char *name = p + 1, *end = string_end(name);
	size_t pointer_was = pointer->len, keys_was = keys->len, at_was = w->key_at, len_was = w->key_len, n = (size_t)(end - name);
	must(buf_reserve(keys, n));
	w->key_at = keys->len;
	w->key_len = json_unescape_lossy(name, n, (char *)keys->data + keys->len);
	keys->len += w->key_len;
	push_name(pointer, (char *)keys->data + w->key_at, w->key_len);
	walk_scalar(w, name, n, false);
	p = walk_value(w, blank(blank(end + 1) + 1));
	truncate(pointer, pointer_was);
	truncate(keys, keys_was);
	w->key_at = at_was;
	w->key_len = len_was;
	return p;
}

static const char *walk_element(struct walk *w, const char *p, size_t index)
{
	size_t was = w->r->pointer.len;
	buf_addf(&w->r->pointer, "/%zu", index);
	p = walk_value(w, p);
	truncate(&w->r->pointer, was);
	return p;
}

static const char *walk_value(struct walk *w, const char *p)	/* returns what stands behind it, blanks skipped */
{
	if (*p == '{' || *p == '[') {
		bool object = *p == '{';
		p = blank(p + 1);
		for (size_t i = 0; *p != '}' && *p != ']'; i++) {
			p = object ? walk_member(w, p) : walk_element(w, p, i);
			if (*p == ',')
				p = blank(p + 1);
		}
		return blank(p + 1);
	}
	if (*p == '"') {
		const char *end = string_end(p + 1);
		walk_scalar(w, p + 1, (size_t)(end - p - 1), true);
		return blank(end + 1);
	}
	size_t n = strcspn(p, ",]} \t\r\n");
	if (*p == '-' || (*p >= '0' && *p <= '9'))
		walk_scalar(w, p, n, true);
	return blank(p + n);
}

bool detect_record_scan(struct detect_record *r, const char *text, size_t n, uint64_t types, detect_record_fn *each, void *arg)
{
	struct walk w = {.r = r, .text = text, .types = types, .each = each, .arg = arg};
	const struct json_limits limits = {.depth = JSON_DEPTH_MAX};
	const char *p = blank(text);
	struct err err;
	buf_reset(&r->pointer);
	buf_add(&r->pointer, "", 0);
	buf_reset(&r->keys);
	if ((*p == '{' || *p == '[' || *p == '"') && json_check(text, n, &limits, &err) == 0) {
		walk_value(&w, p);
		return true;
	}
	size_t hits = scan(r, text, n, types);
	for (size_t i = 0; i < hits; i++)
		each(arg, "", &r->hits[i]);
	return false;
}

void detect_record_value(struct detect_record *r, const char *name, size_t name_len, const char *text, size_t at, size_t n, uint64_t types,
			 detect_record_fn *each, void *arg)
{
	struct buf *b = &r->text;
	buf_reset(b);
	buf_reset(&r->pointer);
	buf_add(&r->pointer, "", 0);
	add_name(b, name, name_len);
	if (name_len && name_len <= 64)
		push_name(&r->pointer, name, name_len);
	size_t head = b->len;
	must(buf_reserve(b, n + JSON_PAD));
	memcpy(b->data + head, text + at, n);
	b->len += n;
	memset(b->data + b->len, 0, JSON_PAD);
	size_t hits = scan(r, (char *)b->data, b->len, types);
	for (size_t i = 0; i < hits; i++) {
		struct detect_hit h = r->hits[i];
		if (h.end <= head)
			continue;
		h.start = (uint32_t)(at + (h.start < head ? 0 : h.start - head));
		h.end = (uint32_t)(at + h.end - head);
		each(arg, (char *)r->pointer.data, &h);
	}
}
