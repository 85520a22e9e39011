/*
 * Combos: vendor x field-set, interned.  A vendor has at most COMBOS_LIVE of them; what would be one more is recorded as
 * the union of all that the vendor ever got, and flagged: the ledger reports too much, never too little.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"

void combos_release(struct combos *c)
{
	for (uint32_t i = 0; i < c->n; i++) {
		free(c->v[i]->fields);
		buf_release(&c->v[i]->key);
		free(c->v[i]);
	}
	for (uint32_t i = 0; i < c->text_n; i++)
		free(c->text[i]);
	free(c->v);
	free(c->text);
	free(c->vendors);
	free(c->table.v);
	free(c->strings.v);
	*c = (struct combos){0};
}

/* ---- texts ------------------------------------------------------------------------------------------------------------ */

static bool same_text(const void *arg, uint32_t index, const void *key)
{
	const struct combos *c = arg;
	const struct span *s = key;
	return strlen(c->text[index]) == s->len && memcmp(c->text[index], s->at, s->len) == 0;
}

static uint64_t text_hash(const void *arg, uint32_t index)
{
	const struct combos *c = arg;
	return table_hash(c->text[index], strlen(c->text[index]));
}

const char *combos_text(struct combos *c, const char *s, size_t n)
{
	struct span key = {s, n};
	table_grow(&c->strings, text_hash, c);
	uint32_t *slot = table_find(&c->strings, table_hash(s, n), same_text, c, &key);
	if (!*slot) {
		c->text = xrealloc(c->text, (c->text_n + 1) * sizeof *c->text);
		c->text[c->text_n++] = xstrndup(n ? s : "", n);
		*slot = c->text_n;
		c->strings.n++;
	}
	return c->text[*slot - 1];
}

/* ---- combos ----------------------------------------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	const struct field *x = a, *y = b;
	int r = strcmp(x->path, y->path);
	return r ? r : strcmp(x->category, y->category);
}

static size_t sort_fields(struct field *f, size_t n)
{
	size_t kept = 0;
	if (n)
		qsort(f, n, sizeof *f, by_path);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || by_path(&f[kept - 1], &f[i]) != 0)
			f[kept++] = f[i];
	return kept;
}

static void spell(struct buf *b, enum combo_kind kind, bool whole, const char *name, const struct field *f, size_t n)
{
	uint8_t head[6] = {(uint8_t)kind, whole};
	put_u16(head + 2, (uint16_t)strlen(name));
	put_u16(head + 4, (uint16_t)n);
	buf_add(b, head, sizeof head);
	buf_adds(b, name);
	for (size_t i = 0; i < n; i++) {
		spell_text(b, f[i].path);
		spell_text(b, f[i].category);
	}
}

static bool same_combo(const void *arg, uint32_t index, const void *key)
{
	const struct combos *c = arg;
	const struct buf *k = key, *have = &c->v[index]->key;
	return have->len == k->len && memcmp(have->data, k->data, k->len) == 0;
}

static uint64_t combo_hash(const void *arg, uint32_t index)
{
	const struct combos *c = arg;
	return table_hash(c->v[index]->key.data, c->v[index]->key.len);
}

static struct vendor_combos *vendor_of(struct combos *c, const char *name)
{
	for (size_t i = 0; i < c->vendors_n; i++)
		if (c->vendors[i].name == name)
			return &c->vendors[i];
	c->vendors = xrealloc(c->vendors, (c->vendors_n + 1) * sizeof *c->vendors);
	c->vendors[c->vendors_n] = (struct vendor_combos){.name = name};
	return &c->vendors[c->vendors_n++];
}

/* Each union holds the one before it, so the largest is the newest. */
static void count_in(struct combos *c, struct combo *x)
{
	if (x->kind != COMBO_EXPOSURE)
		return;
	struct vendor_combos *v = vendor_of(c, x->name);
	if (!x->whole)
		v->live++;
	else if (!v->whole || v->whole->n < x->n)
		v->whole = x;
}

static struct combo *find(struct combos *c, struct buf *key)
{
	table_grow(&c->table, combo_hash, c);
	uint32_t at = *table_find(&c->table, table_hash(key->data, key->len), same_combo, c, key);
	return at ? c->v[at - 1] : NULL;
}

struct combo *combos_intern(struct combos *c, enum combo_kind kind, bool whole, const char *name, struct field *fields, size_t n)
{
	struct buf key;
	buf_init(&key, 0);
	n = sort_fields(fields, n);
	spell(&key, kind, whole, name, fields, n);
	struct combo *x = find(c, &key);
	if (x) {
		buf_release(&key);
		return x;
	}
	x = xcalloc(1, sizeof *x);
	*x = (struct combo){.kind = kind, .whole = whole, .name = combos_text(c, name, strlen(name)), .n = (uint32_t)n, .index = c->n, .key = key};
	x->fields = xcalloc(n + 1, sizeof *x->fields);
	if (n)
		memcpy(x->fields, fields, n * sizeof *x->fields);
	c->v = xrealloc(c->v, (c->n + 1) * sizeof *c->v);
	c->v[c->n++] = x;
	*table_find(&c->table, table_hash(key.data, key.len), same_combo, c, &key) = c->n;
	c->table.n++;
	count_in(c, x);
	return x;
}

/* ---- past the limit --------------------------------------------------------------------------------------------------- */

static bool holds(const struct combo *x, const struct field *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!bsearch(&f[i], x->fields, x->n, sizeof *x->fields, by_path))
			return false;
	return true;
}

struct combo *combos_exposed(struct combos *c, const char *vendor, struct field *fields, size_t n)
{
	struct buf key;
	const char *name = combos_text(c, vendor, strlen(vendor));
	struct vendor_combos *v = vendor_of(c, name);
	buf_init(&key, 0);
	n = sort_fields(fields, n);
	spell(&key, COMBO_EXPOSURE, false, name, fields, n);
	struct combo *x = find(c, &key);
	buf_release(&key);
	if (x)
		return x;
	if (v->live < COMBOS_LIVE)
		return combos_intern(c, COMBO_EXPOSURE, false, name, fields, n);
	if (v->whole && holds(v->whole, fields, n))
		return v->whole;
	struct field *all = NULL;
	size_t all_n = 0;
	for (uint32_t i = 0; i <= c->n; i++) {
		const struct field *f = i < c->n ? c->v[i]->fields : fields;
		size_t more = i < c->n ? c->v[i]->n : n;
		if (i < c->n && (c->v[i]->kind != COMBO_EXPOSURE || c->v[i]->name != name))
			continue;
		all = xrealloc(all, (all_n + more + 1) * sizeof *all);
		if (more)
			memcpy(all + all_n, f, more * sizeof *all);
		all_n += more;
	}
	x = combos_intern(c, COMBO_EXPOSURE, true, name, all, all_n);
	free(all);
	return x;
}
