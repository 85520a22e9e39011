/* The trie of a plan: nodes by path, and for each node a table of its keys in which no two meet. */
#include <string.h>

#include "contract/compile.h"

/* ---- copies --------------------------------------------------------------------------------------------------- */

void *plan_take(struct plan *p, size_t n)
{
	void *at = arena_alloc(&p->arena, n ? n : 1);
	memset(at, 0, n);
	return at;
}

/* 64 zero bytes behind every text, so that keys can be compared by words. */
struct span plan_text(struct plan *p, struct span s)
{
	char *at = plan_take(p, s.len + JSON_PAD);
	if (s.len)
		memcpy(at, s.at, s.len);
	return (struct span){at, s.len};
}

struct span *plan_texts(struct plan *p, const struct span *v, size_t n)
{
	struct span *out = plan_take(p, n * sizeof *v);
	for (size_t i = 0; i < n; i++)
		out[i] = plan_text(p, v[i]);
	return out;
}

static struct scalar copy_scalar(struct plan *p, struct scalar s)
{
	s.json = plan_text(p, s.json);
	s.text = plan_text(p, s.text);
	return s;
}

const struct rule *plan_rule(struct plan *p, const struct rule *from)
{
	struct rule *r = plan_take(p, sizeof *r);
	*r = *from;
	r->path.text = plan_text(p, from->path.text);
	r->path.v = NULL;
	r->path.n = 0;
	r->category = plan_text(p, from->category);
	r->constant = copy_scalar(p, from->constant);
	r->oneof = plan_take(p, from->oneof_len * sizeof *r->oneof);
	for (size_t i = 0; i < from->oneof_len; i++)
		r->oneof[i] = copy_scalar(p, from->oneof[i]);
	r->query = plan_texts(p, from->query, from->query_len);
	r->bounds = plan_take(p, from->bounds_len * sizeof *r->bounds);
	for (size_t i = 0; i < from->bounds_len; i++)
		r->bounds[i] = from->bounds[i];
	r->bound_text = plan_texts(p, from->bound_text, from->bounds_len);
	return r;
}

/* ---- trie ----------------------------------------------------------------------------------------------------- */

struct node *trie_node(struct plan *p)
{
	struct node *n = plan_take(p, sizeof *n);
	n->id = p->nodes++;
	return n;
}

static struct span json_key(struct plan *p, struct span name)
{
	struct buf b;
	buf_init(&b, 0);
	buf_addc(&b, '"');
	json_escape(&b, name.at, name.len);
	buf_adds(&b, "\":");
	struct span s = plan_text(p, (struct span){(const char *)b.data, b.len});
	buf_release(&b);
	return s;
}

struct node *trie_kid(struct plan *p, struct node *n, struct span name)
{
	for (size_t i = 0; i < n->kids_len; i++)
		if (n->kids[i]->name.len == name.len && memcmp(n->kids[i]->name.at, name.at, name.len) == 0)
			return n->kids[i];
	if (n->kids_len == n->kids_cap) {
		size_t cap = n->kids_cap ? 2 * n->kids_cap : 4;
		struct node **v = plan_take(p, cap * sizeof *v);
		if (n->kids_len)
			memcpy(v, n->kids, n->kids_len * sizeof *v);
		n->kids = v;
		n->kids_cap = cap;
	}
	struct node *k = trie_node(p);
	k->name = plan_text(p, name);
	k->key = json_key(p, name);
	n->kids[n->kids_len++] = k;
	return k;
}

struct node *trie_element(struct plan *p, struct node *n)
{
	if (!n->element)
		n->element = trie_node(p);
	return n->element;
}

struct node *trie_at(struct plan *p, struct node *n, const struct path *path)
{
	for (size_t i = 0; i < path->n; i++)
		n = path->v[i].key.at ? trie_kid(p, n, path->v[i].key) : trie_element(p, n);
	return n;
}

/* Adapter paths are plain: keys joined by dots, [] behind a key. */
struct node *trie_at_slot(struct plan *p, struct node *n, const char *path)
{
	while (*path) {
		size_t len = strcspn(path, ".[");
		if (len)
			n = trie_kid(p, n, (struct span){path, len});
		path += len;
		if (*path == '[') {
			n = trie_element(p, n);
			path += 2;
		}
		path += *path == '.';
	}
	return n;
}

#define ONES(n) ((n) >= 8 ? ~0ull : (1ull << (8 * ((n) & 7))) - 1)
const uint64_t key_mask[2][17] = {
	{ONES(0), ONES(1), ONES(2), ONES(3), ONES(4), ONES(5), ONES(6), ONES(7), ONES(8), ONES(8), ONES(8), ONES(8), ONES(8),
	 ONES(8), ONES(8), ONES(8), ONES(8)},
	{0, 0, 0, 0, 0, 0, 0, 0, 0, ONES(1), ONES(2), ONES(3), ONES(4), ONES(5), ONES(6), ONES(7), ONES(8)},
};

static bool place_all(struct node *n)
{
	memset(n->places, 0, (n->mask + 1) * sizeof *n->places);
	for (size_t i = 1; i <= n->kids_len; i++) {
		const struct child *c = &n->table[i];
		uint16_t *at = &n->places[key_hash(c->head, c->tail, c->len, n->seed) & n->mask];
		if (*at)
			return false;
		*at = (uint16_t)i;
	}
	return true;
}

/* A seed and a size under which no two keys meet: lookup is one comparison, without a loop to mispredict. */
static void hash_place(struct plan *p, struct node *n)
{
	enum { SEEDS = 64, PLACES_MAX = 1 << 22 };
	uint32_t places = 8, tries = 0;
	while (places < 4 * n->kids_len)
		places *= 2;
	n->seed = 0x9e3779b97f4a7c15ull;
	for (;; n->seed = (n->seed * 6364136223846793005ull + 1442695040888963407ull) | 1, tries++) {
		must(places <= PLACES_MAX && n->kids_len < UINT16_MAX);
		if (tries % SEEDS == 0) {
			places *= tries ? 2 : 1;
			n->places = plan_take(p, places * sizeof *n->places);
			n->mask = places - 1;
		}
		if (place_all(n))
			return;
	}
}

/* Times and identifiers are seldom met twice, and are noted besides; a constant or a drop costs nothing. */
static bool act_repeats(const struct act *a)
{
	return (!a->slot || a->role == SLOT_NAME || a->role == SLOT_KEEP) && a->action != ACT_PSEUDONYM &&
	       a->action != ACT_CONST && a->action != ACT_DROP;
}

void trie_finish(struct plan *p, struct node *n)
{
	const struct act *a = n->act;
	n->plain = a && !n->operation && a->leaf >= 0 && a->action == ACT_KEEP && n->attribute == ATTR_NONE && !n->kids_len && !n->element &&
		   (!a->slot || a->role == SLOT_KEEP);
	if (n->act)
		n->act->repeats = act_repeats(a);
	n->plain_max = a && a->max >= 0 && a->max < UINT32_MAX ? (uint32_t)a->max : UINT32_MAX;
	if (n->table)
		return;	/* done before: the fields of several operations are one subtree */
	n->makes = plan_take(p, n->kids_len * sizeof *n->makes);
	n->table = plan_take(p, (n->kids_len + 1) * sizeof *n->table);
	n->table[0].len = UINT32_MAX;
	for (size_t i = 0; i < n->kids_len; i++) {
		struct node *k = n->kids[i];
		uint32_t len = (uint32_t)k->name.len;
		n->table[i + 1] = (struct child){key_word(k->name.at, len, 0), key_tail(k->name.at, len), k->name.at, len, k};
		trie_finish(p, k);
		n->kept |= k->kept;
		if (k->made)
			n->makes[n->makes_len++] = k;
	}
	if (n->element) {
		trie_finish(p, n->element);
		n->kept |= n->element->kept;
	}
	hash_place(p, n);
}
