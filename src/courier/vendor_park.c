/* What waits on disk: parked bundles, dead letters, and taking them up again. */
#include "courier/vendor_parts.h"

#include <stdlib.h>

#include "base/hook.h"
#include "base/say.h"

enum { CORPSE_BUNDLE_S = 3600 };

/* ---- parking --------------------------------------------------------------------------------------------------- */

static int ensure(struct queue *q, bool *ready, const struct vendor *v, const struct fio *io, int dir, const struct queue_keys *keys,
		  struct err *err)
{
	if (*ready)
		return 0;
	if (queue_open(q, io, dir, v->name, keys, NULL, NULL, err) < 0)
		return -1;
	*ready = true;
	return 0;
}

static bool *waiting_of(const struct item *it)
{
	bool *pick = xcalloc(it->n + 1, sizeof *pick);
	for (uint32_t i = 0; i < it->n; i++)
		pick[i] = it->v[i].state == EVENT_WAIT;
	return pick;
}

static void settle_waiting(struct vendor *v, struct items *l, int64_t now_s)
{
	for (struct item *it = l->first, *next; it; it = next) {
		next = it->next;
		for (uint32_t i = 0; i < it->n; i++)
			if (it->v[i].state == EVENT_WAIT)
				vendor_settle(v, it, i, OUTCOME_PARKED, now_s);
		vendor_let_go(v, l, it);
	}
}

static int park_list(struct vendor *v, struct items *l, bool front, int64_t now_s, struct err *err)
{
	for (struct item *it = l->first; it; it = it->next) {
		if (!it->waiting)
			continue;
		bool *pick = waiting_of(it);
		if (front)
			queue_put_front(&v->queue, it, pick);
		else
			queue_append(&v->queue, it, pick);
		free(pick);
	}
	if ((front ? queue_sync_front(&v->queue, err) : queue_sync(&v->queue, err)) < 0)
		return -1;
	settle_waiting(v, l, now_s);
	v->queue_busy = true;
	return 0;
}

static bool any_waiting(const struct items *l)
{
	for (const struct item *it = l->first; it; it = it->next)
		if (it->waiting)
			return true;
	return false;
}

static int park(struct vendor *v, const struct fio *io, int dir, const struct queue_keys *keys, int64_t now_s, struct err *err)
{
	bool fresh = v->park_fresh && any_waiting(&v->fresh);
	if (!fresh && !v->late.first) {
		v->park_fresh = false;
		return 0;
	}
	if (ensure(&v->queue, &v->queue_ready, v, io, dir, keys, err) < 0)
		return -1;
	vendor_size_bundles(v);
	if (fresh && park_list(v, &v->fresh, true, now_s, err) < 0)
		return -1;
	v->park_fresh = false;
	return v->late.first ? park_list(v, &v->late, false, now_s, err) : 0;
}

static int bury(struct vendor *v, const struct fio *io, int dir, const struct queue_keys *keys, int64_t now_s, struct err *err)
{
	if (v->corpses_len == 0)
		return 0;
	if (ensure(&v->dead, &v->dead_ready, v, io, dir, keys, err) < 0)
		return -1;
	if (v->dead.last && now_s - v->dead.last->created_us / 1000000 > CORPSE_BUNDLE_S)
		queue_end(&v->dead);
	for (size_t k = 0; k < v->corpses_len; k++) {
		struct item *it = v->corpses[k].it;
		bool *pick = xcalloc(it->n, sizeof *pick);
		pick[v->corpses[k].i] = true;
		queue_append(&v->dead, it, pick);
		free(pick);
	}
	if (queue_sync(&v->dead, err) < 0)
		return -1;
	say(SAY_WARN, "events-refused", "vendor", S(v->name), "events", I(v->corpses_len), "why", S(v->last_error), NULL);
	for (size_t k = 0; k < v->corpses_len; k++) {
		struct item *it = v->corpses[k].it;
		vendor_settle(v, it, v->corpses[k].i, OUTCOME_DEAD, now_s);
		vendor_let_go(v, &v->fresh, it);
	}
	v->corpses_len = 0;
	return 0;
}

int vendor_flush(struct vendor *v, const struct fio *io, int queue_dir, int dead_dir, const struct queue_keys *keys, int64_t now_ms,
		 int64_t now_s, struct err *err)
{
	if (now_ms < v->park_at_ms)
		return v->late.first || v->park_fresh || v->corpses_len ? err_set(err, ERR_AGAIN, "not yet") : 0;
	v->park_fresh |= v->fresh.first && (vendor_closed(v, now_s) || v->hold);
	if (park(v, io, queue_dir, keys, now_s, err) == 0 && bury(v, io, dead_dir, keys, now_s, err) == 0)
		return 0;
	v->park_at_ms = now_ms + PARK_AGAIN_MS;
	return -1;
}

/* ---- the queue ------------------------------------------------------------------------------------------------- */

enum vendor_sends_what vendor_serial_sends(const struct vendor *v, const struct bundle_serial *s)
{
	if (!v->has_plan || s->serial == 0)
		return v->has_plan ? SENDS_SOME : SENDS_NOTHING;
	if (plan_file_sends(&v->plan, s->serial, 0))
		return SENDS_ALL;
	for (size_t i = 0; i < v->plan.drains_len; i++) {
		const struct plan_drain *d = &v->plan.drains[i];
		if (d->serial == s->serial && d->from <= s->to && d->to >= s->from && plan_file_sends(&v->plan, d->serial, d->from))
			return d->from <= s->from && d->to >= s->to ? SENDS_ALL : SENDS_SOME;
	}
	return SENDS_NOTHING;
}

/* May anything in it go, as far as its sums tell? */
static bool may_hold_sendable(const struct vendor *v, const struct bundle *b, int64_t now_s)
{
	if (b->idle_epoch == v->epoch || b->events == 0 || vendor_closed(v, now_s))
		return false;
	for (uint8_t i = 0; i < b->serials_len; i++)
		if (b->serials[i].events && vendor_serial_sends(v, &b->serials[i]) != SENDS_NOTHING)
			return true;
	return false;
}

static bool in_use(const struct vendor *v, const struct bundle *b, int64_t now_s)
{
	for (const struct item *it = b->items.first; it; it = it->next)
		if (it->unsettled > it->waiting || (it->waiting && vendor_sends(v, it, now_s)))
			return true;
	return false;
}

static int rewrite(struct vendor *v, struct bundle *b)
{
	struct err err;
	bool gone;
	int r = queue_rewrite(&v->queue, b, &gone, &err);
	if (r < 0)
		say(SAY_ERROR, "queue-rewrite", "vendor", S(v->name), "why", S(err.msg), NULL);
	return r;
}

/* Removes or unloads what needs no more memory. */
static void tidy(struct vendor *v, int64_t now_s, int64_t forget_s)
{
	for (struct bundle *b = v->queue.first, *next; b; b = next) {
		next = b->next;
		if (!b->loaded)
			continue;
		bool used = in_use(v, b, now_s), old = b->settled && now_s - b->settled_at >= forget_s / 2;
		if (used && !old)
			continue;
		if (b->settled || b->events == 0) {
			bool empty = b->events == 0;
			if (hook_broken(5) || rewrite(v, b) < 0 || empty)
				continue;	/* gone, or tried again next time */
		}
		if (!used) {
			queue_unload(&v->queue, b);
			b->idle_epoch = v->epoch;
		}
	}
}

static void load_next(struct vendor *v, int64_t now_s)
{
	size_t loaded = 0;
	struct err err;
	for (struct bundle *b = v->queue.first; b; b = b->next)
		loaded += b->loaded ? b->loaded_bytes : 0;
	for (struct bundle *b = v->queue.first; b && loaded < LOADED_BYTES; b = b->next) {
		if (b->loaded || !may_hold_sendable(v, b, now_s))
			continue;
		if (queue_load(&v->queue, b, &err) < 0) {
			say(SAY_ERROR, "queue-load", "vendor", S(v->name), "why", S(err.msg), NULL);
			b->idle_epoch = v->epoch;
			continue;
		}
		loaded += b->loaded_bytes;
	}
}

static void see_if_busy(struct vendor *v, int64_t now_s)
{
	v->queue_busy = false;
	for (struct bundle *b = v->queue.first; b && !v->queue_busy; b = b->next)
		v->queue_busy = (b->loaded && b->events) || may_hold_sendable(v, b, now_s);
}

void vendor_tend(struct vendor *v, int64_t now_ms, int64_t now_s, int64_t forget_s)
{
	if (!v->queue_ready)
		return;
	tidy(v, now_s, forget_s);
	if (now_ms >= v->next_try_ms && v->queue.pending.len == 0)
		load_next(v, now_s);
	see_if_busy(v, now_s);
}

static bool touches(const struct bundle *b, const struct vendor_range *r)
{
	for (uint8_t i = 0; i < b->serials_len; i++) {
		const struct bundle_serial *s = &b->serials[i];
		if (s->events && s->from <= r->to && s->to >= r->from && (!r->serial || !s->serial || s->serial == r->serial))
			return true;
	}
	return false;
}

static uint64_t drop_items(struct vendor *v, struct items *l, const struct vendor_range *r, int64_t now_s)
{
	uint64_t n = 0;
	for (struct item *it = l->first; it; it = it->next) {
		if (it->seq < r->from || it->seq > r->to || (r->serial && it->serial != r->serial))
			continue;
		for (uint32_t i = 0; i < it->n; i++)
			if (it->v[i].state == EVENT_WAIT) {
				vendor_settle(v, it, i, OUTCOME_DROPPED, now_s);
				n++;
			}
	}
	return n;
}

int vendor_drop(struct vendor *v, const struct vendor_range *r, int64_t now_s, uint64_t *dropped, struct err *err)
{
	*dropped = 0;
	for (struct bundle *b = v->queue_ready ? v->queue.first : NULL, *next; b; b = next) {
		bool gone = false;
		next = b->next;
		if (!touches(b, r))
			continue;
		if (queue_load(&v->queue, b, err) < 0)
			return -1;
		*dropped += drop_items(v, &b->items, r, now_s);
		if (b->settled && queue_rewrite(&v->queue, b, &gone, err) < 0)
			return -1;
		if (!gone && !in_use(v, b, now_s))
			queue_unload(&v->queue, b);
	}
	return 0;
}

static void snapshot_items(const struct items *l, enum outcome_place place, struct outcome_list *out)
{
	for (const struct item *it = l->first; it; it = it->next)
		for (uint32_t i = 0; i < it->n && it->unsettled < it->n; i++)
			if (it->v[i].state == EVENT_SETTLED)
				outcomes_keep(out, OUTCOME_DELIVERED, place, it->seq, it->v[i].index);
}

void vendor_snapshot(const struct vendor *v, struct outcome_list *l)
{
	snapshot_items(&v->fresh, PLACE_LOG, l);
	snapshot_items(&v->late, PLACE_LOG, l);
	for (const struct bundle *b = v->queue_ready ? v->queue.first : NULL; b; b = b->next)
		if (b->loaded)
			snapshot_items(&b->items, PLACE_QUEUE, l);
}
