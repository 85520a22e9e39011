#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum { BLOCK = 64 * 1024, HEAD = 32 };

struct arena_block {
	struct arena_block *next;
	size_t size;	/* payload bytes behind HEAD */
};

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){.max = max};
}

void *arena_alloc(struct arena *a, size_t n)
{
	if (n > SIZE_MAX / 2) {
		a->over = true;
		return NULL;
	}
	n = (n + 15) & ~(size_t)15;
	if (a->over || (a->max && a->used + n > a->max)) {
		a->over = true;
		return NULL;
	}
	if ((size_t)(a->end - a->at) < n) {
		size_t size = n > BLOCK - HEAD ? n : BLOCK - HEAD;
		struct arena_block *b = xmalloc(HEAD + size);
		b->next = a->head;
		b->size = size;
		a->head = b;
		a->at = (char *)b + HEAD;
		a->end = a->at + size;
	}
	void *p = a->at;
	a->at += n;
	a->used += n;
	return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);
	if (p) {
		memcpy(p, s, n);
		p[n] = 0;
	}
	return p;
}

void arena_reset(struct arena *a)
{
	struct arena_block *keep = NULL;
	for (struct arena_block *b = a->head, *next; b; b = next) {
		next = b->next;
		if (!keep && b->size == BLOCK - HEAD) {
			keep = b;
			keep->next = NULL;
		} else {
			free(b);
		}
	}
	a->head = keep;
	a->at = keep ? (char *)keep + HEAD : NULL;
	a->end = keep ? a->at + keep->size : NULL;
	a->used = 0;
	a->over = false;
}

void arena_release(struct arena *a)
{
	for (struct arena_block *b = a->head, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	*a = (struct arena){.max = a->max};
}
