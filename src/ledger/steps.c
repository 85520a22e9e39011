/*
 * Unions and differences of many sets at once, chunk by chunk: what is worked on stays in the processor's nearest cache, and
 * nothing is kept but the answer.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"

void steps_release(struct steps *s)
{
	free(s->v);
	*s = (struct steps){0};
}

static void push(struct steps *s, struct step x)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 32;
		s->v = xrealloc(s->v, s->cap * sizeof *s->v);
	}
	s->v[s->n++] = x;
}

void steps_add(struct steps *s, enum step_what what, const struct set *set)
{
	push(s, (struct step){.what = what, .combo = set->combo, .bits = &set->bits, .containers = set->containers, .n = set->containers_n});
}

void steps_add_gone(struct steps *s, const struct bits *gone)
{
	push(s, (struct step){.what = STEP_TAKE, .bits = gone});
}

void steps_of(const struct steps *from, const struct combo *c, struct steps *out)
{
	for (size_t i = 0; i < from->n; i++)
		if (from->v[i].what == STEP_TAKE || from->v[i].combo == c)
			push(out, from->v[i]);
}

static size_t chunks_of(const struct steps *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++) {
		const struct step *x = &s->v[i];
		size_t here = x->n ? (size_t)x->containers[x->n - 1].chunk + 1 : 0;
		if (x->bits->n > here)
			here = x->bits->n;
		n = here > n ? here : n;
	}
	return n;
}

/* Chunks are asked for in order; at: how far this step has come.  False: it has nothing there. */
static bool or_chunk(const struct step *s, size_t *at, size_t chunk, uint64_t *words)
{
	bool any = chunk < s->bits->n && s->bits->v[chunk];
	if (any)
		words_best()->or(words, s->bits->v[chunk]);
	if (*at < s->n && s->containers[*at].chunk == chunk) {
		container_or(&s->containers[(*at)++], words);
		any = true;
	}
	return any;
}

struct run {
	const struct steps *s;
	size_t *at;
	uint64_t people[CHUNK_WORDS], gone[CHUNK_WORDS], one[CHUNK_WORDS];
};

/* False: nobody. */
static bool run_chunk(struct run *r, size_t chunk)
{
	bool any = false, gone = false;
	memset(r->people, 0, sizeof r->people);
	for (size_t i = 0; i < r->s->n; i++) {
		const struct step *x = &r->s->v[i];
		if (x->what == STEP_TAKE) {
			if (!gone)
				memset(r->gone, 0, sizeof r->gone);
			gone |= or_chunk(x, &r->at[i], chunk, r->gone);
			continue;
		}
		if (!gone) {
			any |= or_chunk(x, &r->at[i], chunk, r->people);
			continue;
		}
		memset(r->one, 0, sizeof r->one);
		if (!or_chunk(x, &r->at[i], chunk, r->one))
			continue;
		words_best()->without(r->one, r->gone);
		words_best()->or(r->people, r->one);
		any = true;
	}
	return any;
}

/* The one step that has something in this chunk: its container says how many.  NULL: it takes more. */
static const struct container *alone(const struct run *r, size_t chunk, size_t *which)
{
	const struct container *found = NULL;
	for (size_t i = 0; i < r->s->n; i++) {
		const struct step *x = &r->s->v[i];
		bool here = r->at[i] < x->n && x->containers[r->at[i]].chunk == chunk;
		if ((chunk < x->bits->n && x->bits->v[chunk]) || (here && (found || x->what == STEP_TAKE)))
			return NULL;
		if (here) {
			found = &x->containers[r->at[i]];
			*which = i;
		}
	}
	return found;
}

uint64_t steps_run(const struct steps *s, const struct bits *only, struct bits *out)
{
	struct run r = {.s = s, .at = xcalloc(s->n + 1, sizeof *r.at)};
	size_t chunks = chunks_of(s);
	uint64_t total = 0;
	for (size_t c = 0; c < chunks; c++) {
		size_t which;
		const struct container *one = only || out ? NULL : alone(&r, c, &which);
		if (one) {
			total += container_count(one);
			r.at[which]++;
			continue;
		}
		if (!run_chunk(&r, c))
			continue;
		if (only && (c >= only->n || !only->v[c]))
			continue;
		if (only)
			words_best()->and(r.people, only->v[c]);
		uint32_t n = words_best()->count(r.people);
		if (n && out)
			bits_or_chunk(out, c, r.people);
		total += n;
	}
	free(r.at);
	return total;
}
