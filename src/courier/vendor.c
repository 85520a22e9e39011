/* A vendor's plan, credential and state, what is settled, and what comes in. */
#include "courier/vendor_parts.h"

#include <stdio.h>
#include <stdlib.h>

enum { FRESH_LEAST = 16 << 10, BUNDLE_LEAST = 16 << 10 };

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

void vendor_size_bundles(struct vendor *v)
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
	vendor_size_bundles(v);
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

void vendor_settle(struct vendor *v, struct item *it, uint32_t i, enum outcome_kind kind, int64_t now_s)
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
void vendor_let_go(struct vendor *v, struct items *l, struct item *it)
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
