/*
 * plan_within: does one plan let out nothing that another doesn't?  Used to decide which queued frames may still go, so
 * every doubt answers no.  Narrower means: any value that leaves under `now` carries nothing that did not leave under
 * `then` at the same place.
 */
#include <string.h>

#include "contract/program.h"

static bool same(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static bool subset(const struct span *a, size_t an, const struct span *b, size_t bn)
{
	for (size_t i = 0; i < an; i++) {
		bool found = false;
		for (size_t k = 0; k < bn && !found; k++)
			found = same(a[i], b[k]);
		if (!found)
			return false;
	}
	return true;
}

static bool oneof_within(const struct rule *now, const struct rule *then)
{
	for (size_t i = 0; i < now->oneof_len; i++) {
		bool found = false;
		for (size_t k = 0; k < then->oneof_len && !found; k++)
			found = same(now->oneof[i].json, then->oneof[k].json);
		if (!found)
			return false;
	}
	return true;
}

/* Same action: are now's arguments as narrow? */
static bool arguments_within(const struct rule *now, const struct rule *then)
{
	switch (now->action) {
	case ACT_KEEP:
	case ACT_DROP:
	case ACT_DOMAIN:
	case ACTIONS:
		return true;
	case ACT_CONST:
		return same(now->constant.json, then->constant.json);
	case ACT_ONEOF:
		return oneof_within(now, then);
	case ACT_PSEUDONYM:
		return now->kind == then->kind;
	case ACT_REDACT:
		return (then->redact_types & ~now->redact_types) == 0;
	case ACT_MASK:
		return now->mask_keep <= then->mask_keep;
	case ACT_TRUNCATE:
		return now->unit >= then->unit;
	case ACT_IP:
		return now->ip4_bits <= then->ip4_bits;
	case ACT_URL:
		return (!now->url_path || then->url_path) && subset(now->query, now->query_len, then->query, then->query_len);
	case ACT_ROUND:
		return now->decimals <= then->decimals;
	case ACT_BUCKET:
		return now->bounds_len <= then->bounds_len &&
		       subset(now->bound_text, now->bounds_len, then->bound_text, then->bounds_len);
	}
	return false;
}

/* Nothing leaves < the kind of the hit < its length, its end or a name for it. */
static unsigned hit_rank(enum hit_action what)
{
	static const unsigned ranks[HIT_ACTIONS] = {
		[HIT_REFUSE] = 0, [HIT_DROP_EVENT] = 1, [HIT_DROP] = 2, [HIT_REDACT] = 3, [HIT_MASK] = 4, [HIT_PSEUDONYM] = 4};
	return ranks[what];
}

bool on_hit_within(struct on_hit now, struct on_hit then)
{
	if (now.what == then.what)
		return now.keep <= then.keep;
	return hit_rank(now.what) < hit_rank(then.what);
}

/* A value that then would have stopped, or not have let out at all, may not pass now because nobody looks at it. */
static bool hits_within(const struct act *now, const struct act *then)
{
	if (!then->detect)
		return true;
	return now->detect ? on_hit_within(now->on_hit, then->on_hit) : hit_rank(then->on_hit.what) >= hit_rank(HIT_REDACT);
}

bool act_stops(const struct act *a)
{
	return a && a->detect && hit_rank(a->on_hit.what) < hit_rank(HIT_DROP);
}

/* A plain keep of the contract lets out whatever a rule makes of the value, provided its own limits are no tighter. */
bool act_within(const struct act *now, const struct act *then)
{
	if (!now || !then)
		return now == then;	/* operations */
	bool now_id = now->slot && now->role == SLOT_ID && !now->rule, then_id = then->slot && then->role == SLOT_ID && !then->rule;
	if (now_id || then_id)
		return now_id && then_id && now->identity >= then->identity && now->id == then->id;
	if (!hits_within(now, then))
		return false;
	if ((then->detect & ~now->detect) && (now->action == then->action || now->action == ACT_KEEP))
		return false;	/* then looked for more */
	if (then->max >= 0 && (now->max < 0 || now->max > then->max))
		return false;
	if (now->action == then->action)
		return !now->rule || !then->rule || arguments_within(now->rule, then->rule);
	if (then->action != ACT_KEEP)
		return false;
	switch (now->action) {
	case ACT_CONST:
		return false;	/* text that then never held */
	case ACT_DROP:
	case ACT_ONEOF:
	case ACT_PSEUDONYM:
	case ACT_REDACT:
	case ACT_TRUNCATE:
	case ACT_ROUND:
	case ACT_BUCKET:
		return (then->detect & ~now->detect) == 0 || now->action == ACT_PSEUDONYM || now->action == ACT_TRUNCATE ||
		       now->action == ACT_BUCKET || now->action == ACT_ONEOF;
	case ACT_KEEP:
	case ACT_MASK:	/* keep hid a whole phone number; mask shows its last digits */
	case ACT_IP:
	case ACT_URL:
	case ACT_DOMAIN:
	case ACTIONS:
		return then->detect == 0;	/* its result may be what then's detectors take away */
	}
	return false;
}

/* What then looked at, and stopped the whole object for, is looked at now. */
static bool stops_within(const struct plan *now, const struct plan *then)
{
	for (size_t i = 0; i < then->leaves_len; i++) {
		bool found = !act_stops(then->leaf_acts[i]);
		for (size_t k = 0; k < now->leaves_len && !found; k++)
			found = now->leaves[k].kind == then->leaves[i].kind && same(now->leaves[k].path, then->leaves[i].path);
		if (!found)
			return false;
	}
	return true;
}

/* What then looked for, now looks for. */
static bool own_within(const struct plan *now, const struct plan *then)
{
	for (size_t i = 0; i < then->own_len; i++) {
		bool found = false;
		for (size_t k = 0; k < now->own_len && !found; k++)
			found = own_row_same(&then->own_rows[i], &now->own_rows[k]);
		if (!found)
			return false;
	}
	return true;
}

static bool events_within(const struct plan *now, const struct plan *then)
{
	for (size_t i = 0; i < now->events_len; i++) {
		const struct event_match *e = &now->events[i];
		bool found = false;
		for (size_t k = 0; k < then->events_len && !found; k++) {
			const struct event_match *t = &then->events[k];
			found = t->prefix ? e->text.len >= t->text.len && memcmp(e->text.at, t->text.at, t->text.len) == 0
					  : !e->prefix && same(e->text, t->text);
		}
		if (!found)
			return false;
	}
	return true;
}

bool plan_within(const struct plan *now, const struct plan *then)
{
	if (now->adapter != then->adapter || (now->profiles && !then->profiles) || (now->groups && !then->groups) ||
	    (now->links && !then->links))
		return false;
	if (!events_within(now, then) || !stops_within(now, then) || !own_within(now, then) || !subset(now->profile_ops, now->profile_ops_len, then->profile_ops, then->profile_ops_len) ||
	    !subset(now->group_keys, now->group_keys_len, then->group_keys, then->group_keys_len))
		return false;
	for (size_t i = 0; i < now->leaves_len; i++) {
		bool found = false;
		for (size_t k = 0; k < then->leaves_len && !found; k++)
			found = now->leaves[i].kind == then->leaves[k].kind &&
				same(now->leaves[i].path, then->leaves[k].path) &&
				act_within(now->leaf_acts[i], then->leaf_acts[k]);
		if (!found)
			return false;
	}
	return true;
}
