/*
 * Which identifiers are one person.  Two kinds of statement, as links made them:
 *
 *   LINK_SAME      two names of one person (alias, merge); transitive
 *   LINK_BELONGS   an anonymous browser or a device, and the person who was identified on it
 *
 * What belongs to one person is counted with it.  What belongs to several (a shared tablet, a browser where one logged out
 * and another in) joins none of them and counts by itself, and a name that was identified itself is never taken for
 * somebody's anonymous browser: an answer may count too many people, never too few.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"

enum { NOBODY = UINT32_MAX, MANY = UINT32_MAX - 1 };

/* ---- links of a part ---------------------------------------------------------------------------------------------------- */

static uint64_t link_hash(const void *arg, uint32_t index)
{
	const struct part *p = arg;
	return table_hash(&p->links[index], sizeof *p->links);
}

static bool same_link(const void *arg, uint32_t index, const void *key)
{
	const struct part *p = arg;
	return memcmp(&p->links[index], key, sizeof *p->links) == 0;
}

bool part_link(struct part *p, enum link_kind kind, uint32_t from, uint32_t to)
{
	struct link k = {kind, from, to};
	if (from == to)
		return false;
	if (kind == LINK_SAME && from > to)
		k = (struct link){kind, to, from};
	table_grow(&p->link_table, link_hash, p);
	uint32_t *slot = table_find(&p->link_table, table_hash(&k, sizeof k), same_link, p, &k);
	if (*slot)
		return false;
	if (p->links_n == p->links_cap) {
		p->links_cap = p->links_cap ? 2 * p->links_cap : 64;
		p->links = xrealloc(p->links, p->links_cap * sizeof *p->links);
	}
	p->links[p->links_n++] = k;
	p->link_table.n++;
	*slot = p->links_n;
	return true;
}

int link_order(const void *a, const void *b)
{
	const struct link *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

/* ---- people ------------------------------------------------------------------------------------------------------------- */

struct node {	/* a linked identifier; by id */
	uint32_t id;
	uint32_t up;	/* union-find over places in nodes */
	uint32_t owner;	/* of a root: the one root that it belongs to; NOBODY, MANY */
	bool owns;	/* of a root: something was said to belong to it */
	uint32_t person;	/* place of its person's first node */
};

static int by_value(const void *a, const void *b)
{
	uint32_t x, y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

static uint32_t place_of(const struct node *v, uint32_t n, uint32_t id)
{
	uint32_t lo = 0, hi = n;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (v[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && v[lo].id == id ? lo : NOBODY;
}

static struct node *nodes_of(const struct ledger *l, uint32_t *n)
{
	size_t total = 0, k = 0;
	for (size_t i = 0; i < l->parts_n; i++)
		total += 2 * l->parts[i]->links_n;
	uint32_t *ids = xcalloc(total + 1, sizeof *ids);
	for (size_t i = 0; i < l->parts_n; i++)
		for (size_t j = 0; j < l->parts[i]->links_n; j++) {
			ids[k++] = l->parts[i]->links[j].from;
			ids[k++] = l->parts[i]->links[j].to;
		}
	qsort(ids, total, sizeof *ids, by_value);
	struct node *v = xcalloc(total + 1, sizeof *v);
	*n = 0;
	for (size_t i = 0; i < total; i++)
		if (i == 0 || ids[i] != ids[i - 1]) {
			v[*n] = (struct node){.id = ids[i], .up = *n, .owner = NOBODY};
			++*n;
		}
	free(ids);
	return v;
}

/* The root is the lowest place of all. */
static uint32_t root_of(struct node *v, uint32_t at)
{
	while (v[at].up != at)
		at = v[at].up = v[v[at].up].up;
	return at;
}

static void apply(struct node *v, uint32_t n, const struct link *k)
{
	uint32_t a = root_of(v, place_of(v, n, k->from)), b = root_of(v, place_of(v, n, k->to));
	if (a == b)
		return;
	if (k->kind == LINK_SAME) {
		v[a > b ? a : b].up = a > b ? b : a;
		return;
	}
	v[b].owns = true;
	v[a].owner = v[a].owner == NOBODY || v[a].owner == b ? b : MANY;
}

static void apply_all(const struct ledger *l, enum link_kind kind, struct node *v, uint32_t n)
{
	for (size_t i = 0; i < l->parts_n; i++)
		for (size_t j = 0; j < l->parts[i]->links_n; j++)
			if (l->parts[i]->links[j].kind == kind)
				apply(v, n, &l->parts[i]->links[j]);
}

/* Whose a root is: who owns it doesn't belong to anybody, so there are no chains. */
static uint32_t person_of(struct node *v, uint32_t at)
{
	uint32_t r = root_of(v, at);
	return v[r].owns || v[r].owner == NOBODY || v[r].owner == MANY ? r : v[r].owner;
}

/* Counted, then placed: ids by person, rising within each. */
static void arrange(struct persons *p, struct node *v, uint32_t n)
{
	uint32_t *size = xcalloc((size_t)n + 1, sizeof *size);
	for (uint32_t i = 0; i < n; i++)
		size[v[i].person = person_of(v, i)]++;
	p->ids = xcalloc((size_t)n + 1, sizeof *p->ids);
	p->of = xcalloc((size_t)n + 1, sizeof *p->of);
	p->start = xcalloc((size_t)n + 1, sizeof *p->start);
	p->members = xcalloc((size_t)n + 1, sizeof *p->members);
	uint32_t *number = xcalloc((size_t)n + 1, sizeof *number), at = 0;
	for (uint32_t i = 0; i < n; i++)
		if (size[i]) {
			number[i] = p->n;
			p->start[p->n++] = at;
			at += size[i];
			size[i] = at - size[i];	/* from now on: where its next member goes */
		}
	p->start[p->n] = at;
	for (uint32_t i = 0; i < n; i++) {
		p->ids[i] = v[i].id;
		p->of[i] = number[v[i].person];
		p->members[size[v[i].person]++] = v[i].id;
	}
	p->ids_n = n;
	free(size);
	free(number);
}

void persons_release(struct persons *p)
{
	free(p->ids);
	free(p->of);
	free(p->start);
	free(p->members);
	*p = (struct persons){0};
}

void persons_update(struct ledger *l)
{
	uint32_t n;
	if (l->persons.links == l->links)
		return;
	persons_release(&l->persons);
	struct node *v = nodes_of(l, &n);
	apply_all(l, LINK_SAME, v, n);
	apply_all(l, LINK_BELONGS, v, n);
	arrange(&l->persons, v, n);
	l->persons.links = l->links;
	free(v);
}

uint64_t persons_count(const struct persons *p, const struct bits *b)
{
	uint64_t n = bits_count(b);
	for (uint32_t i = 0; i < p->n; i++) {
		uint64_t here = 0;
		for (uint32_t k = p->start[i]; k < p->start[i + 1]; k++)
			here += bits_has(b, p->members[k]);
		n -= here ? here - 1 : 0;
	}
	return n;
}

void persons_widen(const struct persons *p, struct bits *b)
{
	for (uint32_t i = 0; i < p->n; i++) {
		bool any = false;
		for (uint32_t k = p->start[i]; k < p->start[i + 1] && !any; k++)
			any = bits_has(b, p->members[k]);
		for (uint32_t k = p->start[i]; any && k < p->start[i + 1]; k++)
			bits_set(b, p->members[k]);
	}
}

uint32_t persons_of(const struct persons *p, const uint32_t *id, const uint32_t **members)
{
	const uint32_t *at = p->ids_n ? bsearch(id, p->ids, p->ids_n, sizeof *p->ids, by_value) : NULL;
	*members = id;
	if (!at)
		return 1;
	uint32_t person = p->of[at - p->ids];
	*members = p->members + p->start[person];
	return p->start[person + 1] - p->start[person];
}
