#include "courier/vendor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/hook.h"
#include "base/say.h"

enum { FRESH_LEAST = 16 << 10, BUNDLE_LEAST = 16 << 10, CORPSE_BUNDLE_S = 3600 };

bool vendor_name_good(const char *name, size_t n)
{
	if (n == 0 || n > 63)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') || name[i] == '-'))
			return false;
	return true;
}

void vendor_init(struct vendor *v, const char *name, struct outcomes *o)
{
	*v = (struct vendor){.outcomes = o, .queue.dir = -1, .dead.dir = -1};
	snprintf(v->name, sizeof v->name, "%s", name);
}

static void free_items(struct items *l)
{
	for (struct item *it; (it = l->first);) {
		items_remove(l, it);
		item_free(it);
	}
}

static void free_batches(struct batches *l)
{
	for (struct batch *b; (b = l->first);) {
		l->first = b->next;
		free(b->refs);
		free(b);
	}
	l->last = NULL;
}

void vendor_release(struct vendor *v)
{
	free_batches(&v->ready);
	free_batches(&v->flying);
	free_items(&v->fresh);
	free_items(&v->late);
	free(v->corpses);
	vendor_credential(v, NULL);
	if (v->has_plan)
		plan_file_release(&v->plan);
	if (v->queue_ready)
		queue_close(&v->queue);
	if (v->dead_ready)
		queue_close(&v->dead);
}

/* ---- plan and credential --------------------------------------------------------------------------------------- */

/* Everything that stood in the way is looked at again. */
static void look_again(struct vendor *v)
{
	v->epoch++;
	v->hold = NULL;
	v->failures = 0;
	v->next_try_ms = 0;
	v->queue_busy = v->queue_ready && v->queue.events;
}

static bool on_this_machine(struct span host)
{
	static const char *const here[] = {"localhost", "127.0.0.1", "[::1]"};
	for (size_t i = 0; i < sizeof here / sizeof *here; i++) {
		size_t n = strlen(here[i]);
		if (host.len >= n && memcmp(host.at, here[i], n) == 0 && (host.len == n || host.at[n] == ':' || host.at[n] == '/'))
			return true;
	}
	return false;
}

/* TLS, or a vendor that is this machine (a stand-in). */
static bool upstream_allowed(struct span u)
{
	if (u.len > 8 && memcmp(u.at, "https://", 8) == 0)
		return true;
	return u.len > 7 && memcmp(u.at, "http://", 7) == 0 && on_this_machine((struct span){u.at + 7, u.len - 7});
}

static uint64_t quota_of(const struct vendor *v)
{
	return v->has_plan && v->plan.contract->quota_bytes ? v->plan.contract->quota_bytes : UINT64_MAX;
}

static void size_bundles(struct vendor *v)
{
	uint64_t share = quota_of(v) / 16;
	v->queue.bundle_bytes = share > QUEUE_BUNDLE_BYTES ? QUEUE_BUNDLE_BYTES : share < BUNDLE_LEAST ? BUNDLE_LEAST : share;
}

void vendor_plan(struct vendor *v, struct plan_file *plan)
{
	if (v->has_plan)
		plan_file_release(&v->plan);
	v->plan = *plan;
	v->has_plan = true;
	v->cleartext_refused = !upstream_allowed(plan->contract->upstream);
	size_bundles(v);
	look_again(v);
}

void vendor_no_plan(struct vendor *v)
{
	if (v->has_plan)
		plan_file_release(&v->plan);
	v->has_plan = false;
	look_again(v);
}

void vendor_credential(struct vendor *v, const char *credential)
{
	if (v->credential) {
		crypt_wipe(v->credential, strlen(v->credential));
		free(v->credential);
	}
	v->credential = credential ? xstrdup(credential) : NULL;
	look_again(v);
}

const char *vendor_closed(const struct vendor *v, int64_t now_s)
{
	if (!v->has_plan)
		return "no-plan";
	if (!v->plan.approved)
		return "not-approved";
	if (v->plan.flow == FLOW_SUSPENDED || v->plan.flow == FLOW_QUARANTINED)
		return flow_names[v->plan.flow];
	if (now_s >= v->plan.not_after)
		return "expired";
	if (v->cleartext_refused)
		return "cleartext";
	if (v->plan.contract->credential.len && !v->credential)
		return "no-credential";
	return NULL;
}

bool vendor_sends(const struct vendor *v, const struct item *it, int64_t now_s)
{
	return vendor_closed(v, now_s) == NULL && plan_file_sends(&v->plan, it->serial, it->seq);
}

const char *vendor_held(const struct vendor *v, int64_t now_s)
{
	const char *closed = vendor_closed(v, now_s);
	if (closed || v->hold)
		return closed ? closed : v->hold;
	return v->queue_ready && v->queue.events && !v->queue_busy ? "version" : NULL;
}

int64_t vendor_wakes_ms(const struct vendor *v)
{
	bool waits = v->fresh.first || v->ready.first || v->queue_busy;
	return waits && v->next_try_ms ? v->next_try_ms : INT64_MAX;
}

/* ---- settling -------------------------------------------------------------------------------------------------- */

static void settle(struct vendor *v, struct item *it, uint32_t i, enum outcome_kind kind, int64_t now_s)
{
	item_set(it, i, EVENT_SETTLED);
	outcomes_add(v->outcomes, kind, it->bundle ? PLACE_QUEUE : PLACE_LOG, it->seq, it->v[i].index);
	uint64_t *const count[] = {[OUTCOME_DELIVERED] = &v->counts.delivered, [OUTCOME_PARKED] = &v->counts.parked,
				   [OUTCOME_DEAD] = &v->counts.dead, [OUTCOME_DROPPED] = &v->counts.dropped};
	++*count[kind];
	if (it->bundle)
		queue_settled(&v->queue, it, now_s);
	else
		it->position->unsettled--;
}

/* A fresh item whose events are all settled. */
static void let_go(struct vendor *v, struct items *l, struct item *it)
{
	if (it->bundle || it->unsettled)
		return;
	if (l == &v->fresh)
		v->fresh_bytes -= it->bytes_len;
	items_remove(l, it);
	item_free(it);
}

/* ---- coming in ------------------------------------------------------------------------------------------------- */

static size_t fresh_max(const struct vendor *v)
{
	uint64_t share = quota_of(v) / 4;
	return share > FRESH_BYTES ? FRESH_BYTES : share < FRESH_LEAST ? FRESH_LEAST : (size_t)share;
}

void vendor_take(struct vendor *v, struct item *it, int64_t now_s)
{
	bool now = vendor_sends(v, it, now_s) && !v->hold && !v->failures && !v->queue_busy && !v->late.first &&
		   v->fresh_bytes + it->bytes_len <= fresh_max(v);
	if (now) {
		items_append(&v->fresh, it);
		v->fresh_bytes += it->bytes_len;
	} else {
		items_append(&v->late, it);
	}
}

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
		settle(v, it, b->refs[k].i, OUTCOME_DELIVERED, now_s);
		let_go(v, &v->fresh, it);
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
		settle(v, it, b->refs[k].i, OUTCOME_DELIVERED, now_s);
		let_go(v, &v->fresh, it);
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
				settle(v, it, i, OUTCOME_PARKED, now_s);
		let_go(v, l, it);
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
	size_bundles(v);
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
		settle(v, it, v->corpses[k].i, OUTCOME_DEAD, now_s);
		let_go(v, &v->fresh, it);
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
				settle(v, it, i, OUTCOME_DROPPED, now_s);
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
