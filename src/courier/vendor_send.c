/* What goes to a vendor, and what its answers mean. */
#include "courier/vendor_parts.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/say.h"

/* ---- going out ------------------------------------------------------------------------------------------------- */

static void batches_add(struct batches *l, struct batch *b, bool front)
{
	b->prev = front ? NULL : l->last;
	b->next = front ? l->first : NULL;
	if (b->prev)
		b->prev->next = b;
	else
		l->first = b;
	if (b->next)
		b->next->prev = b;
	else
		l->last = b;
}

static void batches_remove(struct batches *l, struct batch *b)
{
	if (b->prev)
		b->prev->next = b->next;
	else
		l->first = b->next;
	if (b->next)
		b->next->prev = b->prev;
	else
		l->last = b->prev;
}

struct gather {
	struct vendor *v;
	struct batch *b;
	uint32_t cap;
	size_t bytes;
	int64_t now_s;
	bool full;
};

static void gather_add(struct gather *g, struct item *it, uint32_t i, unsigned route, bool ordered)
{
	struct batch *b = g->b;
	if (b->n == 0) {
		b->route = route;
		b->serial = it->serial;
		b->ordered = ordered;
	}
	if (b->n == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 16;
		b->refs = xrealloc(b->refs, g->cap * sizeof *b->refs);
	}
	b->refs[b->n++] = (struct ref){it, i};
	item_set(it, i, EVENT_FLIGHT);
}

static void gather_event(struct gather *g, struct item *it, uint32_t i)
{
	enum { WRAPPING = 64 };	/* comma, credential's key and quotes */
	const struct event *e = &it->v[i];
	struct vendor *v = g->v;
	const struct adapter *a = v->plan.contract->adapter;
	struct stored_object o = {.json = {(const char *)it->bytes + e->off, e->len}, .splice = e->splice, .time_s = e->time_s};
	bool ordered = e->kind < OBJECT_KINDS && a->ordered[e->kind];
	unsigned route = a->route_now ? a->route_now(it->route, &o, g->now_s) : it->route;
	size_t size = e->len + WRAPPING + (v->credential ? strlen(v->credential) : 0);
	if (ordered && v->ordered_flying)
		return;
	if (g->b->n && (ordered != g->b->ordered || route != g->b->route || it->serial != g->b->serial)) {
		g->full |= ordered && g->b->ordered;	/* log order: nothing behind this one may overtake it */
		return;
	}
	if (g->b->n && (g->b->n >= a->limits.batch_objects || g->bytes + size > a->limits.batch_bytes)) {
		g->full = true;
		return;
	}
	g->bytes += size;
	gather_add(g, it, i, route, ordered);
}

static void gather_items(struct gather *g, const struct items *l)
{
	for (struct item *it = l->first; it && !g->full; it = it->next) {
		if (it->waiting == 0 || !vendor_sends(g->v, it, g->now_s))
			continue;
		for (uint32_t i = 0; i < it->n && !g->full && it->waiting; i++)
			if (it->v[i].state == EVENT_WAIT)
				gather_event(g, it, i);
	}
}

static struct batch *launch(struct vendor *v, struct batch *b)
{
	batches_add(&v->flying, b, false);
	v->flights++;
	v->ordered_flying |= b->ordered;
	return b;
}

bool vendor_batch_allowed(const struct vendor *v, const struct batch *b, int64_t now_s)
{
	for (uint32_t k = 0; k < b->n; k++)
		if ((k == 0 || b->refs[k].it != b->refs[k - 1].it) && !vendor_sends(v, b->refs[k].it, now_s))
			return false;
	return true;
}

/* A prepared half, if the plan still lets it go. */
static struct batch *next_ready(struct vendor *v, int64_t now_s)
{
	for (struct batch *b; (b = v->ready.first);) {
		if (b->ordered && v->ordered_flying)
			return NULL;
		batches_remove(&v->ready, b);
		if (vendor_batch_allowed(v, b, now_s))
			return launch(v, b);
		vendor_taken_back(v, b);
	}
	return NULL;
}

struct batch *vendor_pick(struct vendor *v, int64_t now_ms, int64_t now_s)
{
	unsigned limit = v->failures || v->hold ? 1 : FLIGHTS_MAX;	/* one that asks whether it works again */
	if (v->flights >= limit || now_ms < v->next_try_ms || vendor_closed(v, now_s))
		return NULL;
	struct batch *b = next_ready(v, now_s);
	if (b || v->ready.first)
		return b;
	struct gather g = {.v = v, .b = xcalloc(1, sizeof *b), .now_s = now_s};
	g.b->vendor = v;
	gather_items(&g, &v->fresh);
	for (struct bundle *q = v->queue_ready ? v->queue.first : NULL; q && !g.full; q = q->next)
		if (q->loaded)
			gather_items(&g, &q->items);
	if (g.b->n)
		return launch(v, g.b);
	free(g.b);
	return NULL;
}

void vendor_objects(const struct batch *b, struct stored_object *out)
{
	for (uint32_t k = 0; k < b->n; k++) {
		const struct event *e = &b->refs[k].it->v[b->refs[k].i];
		out[k] = (struct stored_object){.json = {(const char *)b->refs[k].it->bytes + e->off, e->len}, .splice = e->splice, .time_s = e->time_s};
	}
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

static void land(struct vendor *v, struct batch *b)
{
	batches_remove(&v->flying, b);
	v->flights--;
	if (b->ordered)
		v->ordered_flying = false;
}

static void free_batch(struct batch *b)
{
	free(b->refs);
	free(b);
}

/* Back to waiting; what is fresh goes to the queue, in front. */
static void wait_again(struct vendor *v, struct batch *b)
{
	for (uint32_t k = 0; k < b->n; k++) {
		item_set(b->refs[k].it, b->refs[k].i, EVENT_WAIT);
		v->park_fresh |= b->refs[k].it->bundle == NULL;
	}
}

void vendor_dissolve(struct vendor *v)
{
	for (struct batch *b; (b = v->ready.first);) {
		batches_remove(&v->ready, b);
		wait_again(v, b);
		free_batch(b);
	}
}

void vendor_taken_back(struct vendor *v, struct batch *b)
{
	bool flying = false;
	for (struct batch *f = v->flying.first; f && !flying; f = f->next)
		flying = f == b;
	if (flying)
		land(v, b);
	wait_again(v, b);
	v->park_fresh = true;
	free_batch(b);
}

void vendor_park_all(struct vendor *v)
{
	v->park_fresh = true;
	v->park_at_ms = 0;
}

static int64_t backoff_ms(unsigned failures)
{
	unsigned doublings = failures - 1 < 12 ? failures - 1 : 12;
	int64_t top = (int64_t)BACKOFF_MS << doublings;
	uint32_t chance;
	top = top < BACKOFF_MAX_MS ? top : BACKOFF_MAX_MS;
	crypt_random(&chance, sizeof chance);
	return top / 2 + (int64_t)(chance % (uint32_t)(top / 2 + 1));
}

static void on_delivered(struct vendor *v, struct batch *b, int64_t now_s)
{
	for (uint32_t k = 0; k < b->n; k++) {
		struct item *it = b->refs[k].it;
		vendor_settle(v, it, b->refs[k].i, OUTCOME_DELIVERED, now_s);
		vendor_let_go(v, &v->fresh, it);
	}
}

/* They stay in flight until they lie in dead/. */
static void on_refused(struct vendor *v, struct ref r)
{
	if (v->corpses_len == v->corpses_cap) {
		v->corpses_cap = v->corpses_cap ? v->corpses_cap * 2 : 16;
		v->corpses = xrealloc(v->corpses, v->corpses_cap * sizeof *v->corpses);
	}
	v->corpses[v->corpses_len++] = r;
}

static void on_partial(struct vendor *v, struct batch *b, const struct judgement *j, int64_t now_s)
{
	bool *bad = xcalloc(b->n, sizeof *bad);
	for (size_t k = 0; k < j->bad_len; k++)
		if (j->bad[k] < b->n)
			bad[j->bad[k]] = true;
	for (uint32_t k = 0; k < b->n; k++) {
		struct item *it = b->refs[k].it;
		if (bad[k]) {
			on_refused(v, b->refs[k]);
			continue;
		}
		vendor_settle(v, it, b->refs[k].i, OUTCOME_DELIVERED, now_s);
		vendor_let_go(v, &v->fresh, it);
	}
	free(bad);
}

static void on_split(struct vendor *v, struct batch *b)
{
	v->counts.split++;
	if (b->n == 1) {
		on_refused(v, b->refs[0]);
		return;
	}
	for (int half = 1; half >= 0; half--) {	/* the first half ends up in front */
		struct batch *h = xcalloc(1, sizeof *h);
		uint32_t from = half ? b->n / 2 : 0, to = half ? b->n : b->n / 2;
		*h = (struct batch){.vendor = v, .n = to - from, .route = b->route, .serial = b->serial, .ordered = b->ordered};
		h->refs = xcalloc(h->n, sizeof *h->refs);
		memcpy(h->refs, b->refs + from, h->n * sizeof *h->refs);
		batches_add(&v->ready, h, true);
	}
}

static void on_retry(struct vendor *v, struct batch *b, int64_t retry_after_s, int64_t now_ms)
{
	enum { RETRY_AFTER_MAX_S = 3600 };
	v->counts.retry++;
	v->failures++;
	int64_t delay = backoff_ms(v->failures);
	if (retry_after_s > RETRY_AFTER_MAX_S)
		retry_after_s = RETRY_AFTER_MAX_S;
	if (retry_after_s * 1000 > delay)
		delay = retry_after_s * 1000;
	if (now_ms + delay > v->next_try_ms)
		v->next_try_ms = now_ms + delay;
	wait_again(v, b);
	vendor_dissolve(v);
	v->park_fresh = true;
}

static void on_hold(struct vendor *v, struct batch *b, const char *why, int64_t now_ms)
{
	v->counts.hold++;
	if (!v->hold)
		say(SAY_ERROR, "vendor-holds", "vendor", S(v->name), "why", S(why), "again_in_ms", I(HOLD_MS), NULL);
	v->hold = why;
	v->next_try_ms = now_ms + HOLD_MS;
	wait_again(v, b);
	vendor_dissolve(v);
	v->park_fresh = true;
}

static void on_success(struct vendor *v)
{
	if (v->hold || v->failures)
		say(SAY_INFO, "vendor-takes-again", "vendor", S(v->name), NULL);
	v->failures = 0;
	v->hold = NULL;
	v->last_error = NULL;
	v->next_try_ms = 0;
}

void vendor_answered(struct vendor *v, struct batch *b, int status, struct span body, int64_t retry_after_s, int64_t now_ms,
		     int64_t now_s)
{
	enum { ARENA = 4 << 20 };
	struct arena a;
	struct judgement j = {.verdict = VERDICT_RETRY, .why = "network"};
	arena_init(&a, ARENA);
	if (v->has_plan)
		v->plan.contract->adapter->judge(b->route, b->n, status, body, &a, &j);
	land(v, b);
	if (j.verdict != VERDICT_DELIVERED)
		v->last_error = j.why;
	switch (j.verdict) {
	case VERDICT_DELIVERED:
		on_success(v);
		on_delivered(v, b, now_s);
		break;
	case VERDICT_PARTIAL:
		on_success(v);
		on_partial(v, b, &j, now_s);
		break;
	case VERDICT_SPLIT:
		on_split(v, b);
		break;
	case VERDICT_RETRY:
		on_retry(v, b, retry_after_s, now_ms);
		break;
	case VERDICT_HOLD:
		on_hold(v, b, j.why, now_ms);
		break;
	}
	free_batch(b);
	arena_release(&a);
}
