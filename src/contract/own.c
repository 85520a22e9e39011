/*
 * An organisation's own detectors.  A contract names files of the folder `detectors`; whoever reads it from its file reads
 * those, too, and their rows become part of the model: of its digest, of what is approved, and of the signed plan.  The gate
 * compiles the rows that it finds there, and nothing else.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/err.h"
#include "contract/read.h"

bool own_row_same(const struct own_row *a, const struct own_row *b);
struct detect_rules *own_rules(const struct own_row *v, size_t n, struct err *err);

/* ---- read --------------------------------------------------------------------------------------------------------- */

static struct span copy(struct arena *a, const char *s)
{
	return (struct span){arena_strndup(a, s, strlen(s)), strlen(s)};
}

static bool text_of(const struct ynode *row, const char *key, struct span *out)
{
	const struct ynode *v = ynode_get(row, key);
	if (v && (v->type != YN_SCALAR || v->text.len == 0))
		return false;
	*out = v ? v->text : (struct span)SPAN("");
	return true;
}

/* A row as the canonical form has it; its examples were tried when it was read from its file. */
static bool read_row(struct reader *r, const struct ynode *v, struct own_row *out)
{
	const struct ynode *words = ynode_get(v, "context");
	*out = (struct own_row){.words = NULL};
	if (!text_of(v, "name", &out->name) || !text_of(v, "pattern", &out->pattern) || !text_of(v, "check", &out->check) || !out->name.len ||
	    !out->pattern.len || (words && words->type != YN_LIST))
		return false;
	out->words = arena_alloc(r->a, ((words ? words->n : 0) + 1) * sizeof *out->words);
	for (const struct ynode *w = words ? words->first : NULL; w; w = w->next) {
		if (w->type != YN_SCALAR)
			return false;
		out->words[out->words_len++] = w->text;
	}
	return true;
}

static bool named(const struct contract *c, struct span name)
{
	for (size_t i = 0; i < c->detector_files_len; i++)
		if (c->detector_files[i].name.len == name.len && memcmp(c->detector_files[i].name.at, name.at, name.len) == 0)
			return true;
	return false;
}

static void read_item(struct reader *r, const struct ynode *v)
{
	struct contract *c = r->c;
	if (v->type == YN_MAP && r->canonical) {
		if (read_row(r, v, &c->own[c->own_len]))
			c->own_len++;
		else
			FAULT(r, v, wrong_shape, "a detector has name, pattern, check and context");
	} else if (v->type != YN_SCALAR) {
		FAULT(r, v, wrong_shape, "detectors lists names of files in the folder detectors, such as [customers]");
	} else if (!word_name(v->text)) {
		FAULT(r, v, bad_name, "a name is [a-z0-9-]{1,63}: detectors/NAME.yaml");
	} else if (named(c, v->text)) {
		FAULT(r, v, duplicate_value, "%s stands twice", v->text.at);
	} else {
		c->detector_files[c->detector_files_len++] = (struct detector_file){v->text, (uint32_t)v->line, (uint32_t)v->col};
	}
}

void read_detectors(struct reader *r, const struct ynode *v)
{
	struct contract *c = r->c;
	if (!expect_list(r, v, "detectors"))
		return;
	if (v->n > DETECT_RULES_MAX) {
		FAULT(r, v, limit, "more than %d detectors", DETECT_RULES_MAX);
		return;
	}
	c->detector_files = arena_alloc(r->a, (v->n + 1) * sizeof *c->detector_files);
	c->own = arena_alloc(r->a, (v->n + 1) * sizeof *c->own);
	for (const struct ynode *i = v->first; i; i = i->next)
		if (!i->bad)
			read_item(r, i);
}

/* ---- the files ------------------------------------------------------------------------------------------------------ */

static const struct own_row *row_named(const struct contract *c, const char *name)
{
	for (size_t i = 0; i < c->own_len; i++)
		if (span_eq(c->own[i].name, name))
			return &c->own[i];
	return NULL;
}

static struct own_row row_copy(struct arena *a, const struct detect_row *from)
{
	struct own_row row = {copy(a, from->name), copy(a, from->pattern), from->check ? copy(a, from->check) : (struct span)SPAN(""),
			      arena_alloc(a, (from->words_len + 1) * sizeof *row.words), from->words_len};
	for (size_t i = 0; i < from->words_len; i++)
		row.words[i] = copy(a, from->words[i]);
	return row;
}

void contract_detectors_add(struct contract *c, size_t file, const struct detect_rules *rules, struct diags *d)
{
	const struct detector_file *f = &c->detector_files[file];
	size_t n = detect_rules_count(rules);
	struct own_row *v = arena_alloc(&c->arena, (c->own_len + n + 1) * sizeof *v);
	if (c->own_len + n > DETECT_RULES_MAX) {
		diags_add(d, DIAG_ERROR, f->line, f->col, CODE(limit), "more than %d detectors together", DETECT_RULES_MAX);
		return;
	}
	if (c->own_len)
		memcpy(v, c->own, c->own_len * sizeof *v);
	c->own = v;
	for (size_t i = 0; i < n; i++) {
		struct detect_row row = detect_rules_row(rules, i);
		if (row_named(c, row.name))
			diags_add(d, DIAG_ERROR, f->line, f->col, CODE(duplicate_value), "%s.yaml has a detector %s, and so has another file", f->name.at, row.name);
		else
			c->own[c->own_len++] = row_copy(&c->arena, &row);
	}
	c->detector_files_read++;
}

bool contract_detectors_whole(const struct contract *c)
{
	return c->detector_files_read == c->detector_files_len;
}

/* ---- out ------------------------------------------------------------------------------------------------------------ */

static json_t *text(struct span s)
{
	return json_stringn_nocheck(s.at, s.len);
}

struct json_t *detectors_json(const struct contract *c)
{
	json_t *l = json_array();
	for (size_t i = 0; i < c->detector_files_len && !contract_detectors_whole(c); i++)
		json_array_append_new(l, text(c->detector_files[i].name));
	for (size_t i = 0; i < c->own_len; i++) {
		const struct own_row *row = &c->own[i];
		json_t *o = json_object();
		json_object_set_new(o, "name", text(row->name));
		json_object_set_new(o, "pattern", text(row->pattern));
		if (row->check.len)
			json_object_set_new(o, "check", text(row->check));
		if (row->words_len) {
			json_t *w = json_array();
			for (size_t k = 0; k < row->words_len; k++)
				json_array_append_new(w, text(row->words[k]));
			json_object_set_new(o, "context", w);
		}
		json_array_append_new(l, o);
	}
	return l;
}

/* ---- in a plan -------------------------------------------------------------------------------------------------------- */

static bool same(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool own_row_same(const struct own_row *a, const struct own_row *b)
{
	bool yes = same(a->pattern, b->pattern) && same(a->check, b->check) && a->words_len == b->words_len;
	for (size_t i = 0; yes && i < a->words_len; i++)
		yes = same(a->words[i], b->words[i]);
	return yes;
}

struct detect_rules *own_rules(const struct own_row *v, size_t n, struct err *err)
{
	struct arena a;
	arena_init(&a, 0);
	struct detect_row *rows = arena_alloc(&a, (n + 1) * sizeof *rows);
	for (size_t i = 0; i < n; i++) {
		const char **words = arena_alloc(&a, (v[i].words_len + 1) * sizeof *words);
		for (size_t k = 0; k < v[i].words_len; k++)
			words[k] = arena_strndup(&a, v[i].words[k].at, v[i].words[k].len);
		rows[i] = (struct detect_row){arena_strndup(&a, v[i].name.at, v[i].name.len), arena_strndup(&a, v[i].pattern.at, v[i].pattern.len),
					      v[i].check.len ? arena_strndup(&a, v[i].check.at, v[i].check.len) : NULL, words, v[i].words_len};
	}
	struct detect_rules *r = detect_rules_make(rows, n, err);
	arena_release(&a);
	return r;
}
