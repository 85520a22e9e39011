#include "base/yamldoc.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/codes.h"
#include "base/err.h"

#define X(code, what) const char diag_code_##code[] = #code;
DIAG_CODES(X)
#undef X

const char *const diag_codes[] = {
#define X(code, what) diag_code_##code,
	DIAG_CODES(X)
#undef X
	NULL,
};

struct builder {
	struct arena *a;
	struct diags *d;
	struct ynode *open[YAML_DEPTH_MAX], *last[YAML_DEPTH_MAX], *key[YAML_DEPTH_MAX];
	size_t depth;
	struct ynode *root;
	unsigned documents;
	bool stop;
};

static void fault(struct builder *b, const yaml_mark_t *at, const char *code, const char *what)
{
	diags_add(b->d, DIAG_ERROR, at->line + 1, at->column + 1, code, "%s", what);
}

void ynode_append(struct ynode *parent, struct ynode **last, struct ynode *key, struct ynode *child)
{
	child->key = key;
	if (*last)
		(*last)->next = child;
	else
		parent->first = child;
	*last = child;
	parent->n++;
}

static bool has_key(const struct ynode *map, struct span k)
{
	for (const struct ynode *m = map->first; m; m = m->next)
		if (m->key && m->key->text.len == k.len && memcmp(m->key->text.at, k.at, k.len) == 0)
			return true;
	return false;
}

/* Puts a finished scalar or an opening container where the event stream says. */
static void place(struct builder *b, struct ynode *n)
{
	if (b->depth == 0) {
		b->root = n;
		return;
	}
	size_t i = b->depth - 1;
	struct ynode *parent = b->open[i];
	if (parent->n >= YAML_MEMBERS_MAX) {
		diags_add(b->d, DIAG_ERROR, n->line, n->col, CODE(limit), "more than %d entries here", YAML_MEMBERS_MAX);
		b->stop = true;
		return;
	}
	if (parent->type == YN_LIST) {
		ynode_append(parent, &b->last[i], NULL, n);
		return;
	}
	if (!b->key[i]) {
		if (n->type != YN_SCALAR) {
			diags_add(b->d, DIAG_ERROR, n->line, n->col, CODE(yaml_key), "a key must be plain text");
			n->bad = true;
		} else if (has_key(parent, n->text)) {
			diags_add(b->d, DIAG_ERROR, n->line, n->col, CODE(duplicate_key), "%s stands twice", n->text.at);
			n->bad = true;
		}
		b->key[i] = n;
		return;
	}
	if (b->key[i]->bad)
		n->bad = true;	/* of a repeated or broken key: checked no further */
	ynode_append(parent, &b->last[i], b->key[i], n);
	b->key[i] = NULL;
}

static struct ynode *make(struct builder *b, enum ynode_type t, const yaml_event_t *e)
{
	struct ynode *n = arena_alloc(b->a, sizeof *n);
	must(n);
	*n = (struct ynode){.type = t, .text = {"", 0}, .line = (uint32_t)e->start_mark.line + 1, .col = (uint32_t)e->start_mark.column + 1};
	return n;
}

static void check_props(struct builder *b, const yaml_event_t *e, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		fault(b, &e->start_mark, CODE(yaml_anchor), "anchors aren't read: write the value where it belongs");
	if (tag)
		fault(b, &e->start_mark, CODE(yaml_tag), "tags aren't read: leave it out");
}

static void on_scalar(struct builder *b, const yaml_event_t *e)
{
	check_props(b, e, e->data.scalar.anchor, e->data.scalar.tag);
	struct ynode *n = make(b, YN_SCALAR, e);
	n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	n->text.len = e->data.scalar.length;
	n->text.at = arena_strndup(b->a, (const char *)e->data.scalar.value, n->text.len);
	if (memchr(n->text.at, 0, n->text.len)) {
		fault(b, &e->start_mark, CODE(bad_value), "text may not hold a zero byte");
		n->text.len = strlen(n->text.at);
		n->bad = true;
	}
	place(b, n);
}

static void on_open(struct builder *b, const yaml_event_t *e, enum ynode_type t)
{
	if (t == YN_MAP)
		check_props(b, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
	else
		check_props(b, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
	struct ynode *n = make(b, t, e);
	place(b, n);
	if (b->depth == YAML_DEPTH_MAX) {
		fault(b, &e->start_mark, CODE(limit), "nested too deeply");
		b->stop = true;
		return;
	}
	b->open[b->depth] = n;
	b->last[b->depth] = b->key[b->depth] = NULL;
	b->depth++;
}

static void on_event(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
			fault(b, &e->start_mark, CODE(yaml_tag), "tags aren't read: leave the %TAG line out");
		if (++b->documents > 1) {
			fault(b, &e->start_mark, CODE(yaml_documents), "a second document: one file holds one");
			b->stop = true;
		}
		break;
	case YAML_ALIAS_EVENT: {
		fault(b, &e->start_mark, CODE(yaml_anchor), "aliases aren't read: write the value where it belongs");
		struct ynode *n = make(b, YN_SCALAR, e);
		n->text.at = "";
		n->bad = true;
		place(b, n);
		break;
	}
	case YAML_SCALAR_EVENT:
		on_scalar(b, e);
		break;
	case YAML_SEQUENCE_START_EVENT:
		on_open(b, e, YN_LIST);
		break;
	case YAML_MAPPING_START_EVENT:
		on_open(b, e, YN_MAP);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		break;
	case YAML_STREAM_END_EVENT:
		b->stop = true;
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
}

/* libyaml says where it noticed; its words never hold text of the file. */
static void syntax(struct diags *d, const yaml_parser_t *p)
{
	const yaml_mark_t *at = p->error == YAML_READER_ERROR ? &p->mark : &p->problem_mark;
	const char *why = p->problem ? p->problem : "cannot be read";
	if (p->context)
		diags_add(d, DIAG_ERROR, at->line + 1, at->column + 1, CODE(yaml), "not YAML: %s, %s", p->context, why);
	else
		diags_add(d, DIAG_ERROR, at->line + 1, at->column + 1, CODE(yaml), "not YAML: %s", why);
}

/* RFC 3629.  Returns the offset of the first byte that can't stand, or n. */
static size_t utf8_bad(const char *text, size_t n)
{
	const uint8_t *s = (const uint8_t *)text;
	for (size_t i = 0; i < n;) {
		uint8_t c = s[i];
		size_t k = c < 0x80 ? 1 : c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
		if (k == 0 || k > n - i)
			return i;
		for (size_t j = 1; j < k; j++)
			if ((s[i + j] & 0xc0) != 0x80)
				return i;
		if ((c == 0xe0 && s[i + 1] < 0xa0) || (c == 0xed && s[i + 1] > 0x9f) || (c == 0xf0 && s[i + 1] < 0x90) ||
		    (c == 0xf4 && s[i + 1] > 0x8f))
			return i;
		i += k;
	}
	return n;
}

static bool readable(const char *text, size_t n, struct diags *d)
{
	if (n > YAML_BYTES_MAX) {
		diags_add(d, DIAG_ERROR, 1, 1, CODE(limit), "larger than %d bytes", YAML_BYTES_MAX);
		return false;
	}
	size_t bad = utf8_bad(text, n), line = 1, col = 1;
	if (bad == n)
		return true;
	for (size_t i = 0; i < bad; i++) {
		if (text[i] == '\n') {
			line++;
			col = 1;
		} else {
			col += ((uint8_t)text[i] & 0xc0) != 0x80;
		}
	}
	diags_add(d, DIAG_ERROR, line, col, CODE(utf8), "not UTF-8");
	return false;
}

static void forget_after(struct diags *d, size_t n)
{
	while (d->n > n) {
		struct diag *g = &d->v[--d->n];
		d->errors -= g->level == DIAG_ERROR;
		free(g->msg);
		free(g->hint);
	}
}

struct ynode *yaml_tree(const char *text, size_t n, struct arena *a, struct diags *d)
{
	size_t before = d->n;
	if (!readable(text, n, d))
		return NULL;
	struct builder b = {.a = a, .d = d};
	yaml_parser_t p;
	must(yaml_parser_initialize(&p));
	yaml_parser_set_input_string(&p, (const unsigned char *)text, n);
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	bool good = true;
	while (!b.stop) {
		yaml_event_t e;
		if (!yaml_parser_parse(&p, &e)) {
			forget_after(d, before);	/* half a file would be blamed for what its other half says */
			syntax(d, &p);
			good = false;
			break;
		}
		on_event(&b, &e);
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&p);
	if (good && !b.root) {
		forget_after(d, before);
		diags_add(d, DIAG_ERROR, 1, 1, CODE(yaml), "the file is empty");
	}
	return good ? b.root : NULL;
}

bool word_int(struct span s, int64_t lo, int64_t hi, int64_t *out)
{
	int64_t v = 0;
	if (s.len == 0 || s.len > 18 || (s.len > 1 && s.at[0] == '0'))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		v = v * 10 + (s.at[i] - '0');
	}
	if (v < lo || v > hi)
		return false;
	*out = v;
	return true;
}

bool word_size(struct span s, uint64_t *out)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = {{"", 0}, {"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
	const uint64_t most = UINT64_C(1) << 53;
	size_t digits = 0;
	while (digits < s.len && s.at[digits] >= '0' && s.at[digits] <= '9')
		digits++;
	int64_t v;
	if (!word_int((struct span){s.at, digits}, 1, INT64_C(1) << 53, &v))
		return false;
	struct span unit = {s.at + digits, s.len - digits};
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (span_eq(unit, units[i].unit) && (uint64_t)v <= most >> units[i].shift) {
			*out = (uint64_t)v << units[i].shift;
			return true;
		}
	return false;
}

bool word_name(struct span s)
{
	if (s.len == 0 || s.len > 63)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!(s.at[i] >= 'a' && s.at[i] <= 'z') && !(s.at[i] >= '0' && s.at[i] <= '9') && s.at[i] != '-')
			return false;
	return true;
}

/* ---- maps with fixed keys ---------------------------------------------------------------------------------------- */

static void unknown_row(const struct ynode *key, const char *what, const struct yaml_row *rows, size_t n, struct diags *d)
{
	const char *names[32];
	must(n <= sizeof names / sizeof *names);
	for (size_t i = 0; i < n; i++)
		names[i] = rows[i].name;
	diags_add(d, DIAG_ERROR, key->line, key->col, CODE(unknown_key), "%s has no such key", what);
	const char *near = diag_nearest(key->text.at, key->text.len, names, n);
	if (near)
		diags_hint(d, "did you mean %s?", near);
}

void yaml_rows(const struct ynode *map, const char *what, const struct yaml_row *rows, size_t n, struct diags *d, void *ctx)
{
	if (map->type != YN_MAP) {
		if (!map->bad)
			diags_add(d, DIAG_ERROR, map->line, map->col, CODE(wrong_shape), "%s is a map of keys", what);
		return;
	}
	for (const struct ynode *v = map->first; v; v = v->next) {
		size_t i = 0;
		while (i < n && !span_eq(v->key->text, rows[i].name))
			i++;
		if (i == n && !v->bad)
			unknown_row(v->key, what, rows, n, d);
	}
	for (size_t i = 0; i < n; i++) {
		const struct ynode *v = map->first;
		while (v && !span_eq(v->key->text, rows[i].name))
			v = v->next;
		if (v && !v->bad)
			rows[i].read(ctx, v);
		else if (!v && rows[i].required)
			diags_add(d, DIAG_ERROR, map->line, map->col, CODE(missing_key), "%s needs the key %s", what, rows[i].name);
	}
}
