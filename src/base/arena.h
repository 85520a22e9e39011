/*
 * A bump allocator for one request or one command, freed in one place.  Passing the ceiling is sticky: arena_alloc
 * returns NULL from then on and `over` is set.  Memory is 16-byte aligned and not zeroed.  One thread.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;
struct arena {
	struct arena_block *head;
	char *at, *end;
	size_t used, max;	/* bytes handed out; ceiling, 0 means none */
	bool over;
};

void arena_init(struct arena *a, size_t max);
void *arena_alloc(struct arena *a, size_t n);
char *arena_strndup(struct arena *a, const char *s, size_t n);
/* Forget everything but keep one block, so that a loop allocates nothing in the steady state. */
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

#endif
