/* A small hash table of numbers; its owner keeps what they stand for. */
#include <stdlib.h>

#include "ledger/inside.h"

uint64_t table_hash(const void *p, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);	/* FNV-1a */
	for (const uint8_t *at = p, *end = at + n; at < end; at++)
		h = (h ^ *at) * UINT64_C(0x100000001b3);
	return h ^ h >> 32;
}

uint32_t *table_find(struct table *t, uint64_t hash, bool (*same)(const void *arg, uint32_t index, const void *key), const void *arg,
		     const void *key)
{
	size_t i = hash & (t->cap - 1);
	while (t->v[i] && !same(arg, t->v[i] - 1, key))
		i = (i + 1) & (t->cap - 1);
	return &t->v[i];
}

void table_grow(struct table *t, uint64_t (*hash_of)(const void *arg, uint32_t index), const void *arg)
{
	if (2 * (t->n + 1) <= t->cap)
		return;
	struct table bigger = {.cap = t->cap ? 2 * t->cap : 64, .n = t->n};
	bigger.v = xcalloc(bigger.cap, sizeof *bigger.v);
	for (size_t k = 0; k < t->cap; k++) {
		if (!t->v[k])
			continue;
		size_t i = hash_of(arg, t->v[k] - 1) & (bigger.cap - 1);
		while (bigger.v[i])
			i = (i + 1) & (bigger.cap - 1);
		bigger.v[i] = t->v[k];
	}
	free(t->v);
	*t = bigger;
}
