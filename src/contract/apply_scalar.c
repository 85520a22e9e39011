/* A scalar at its place in the plan: what the protocol reads from it, and what its act makes of it. */
#include <limits.h>
#include <string.h>

#include "contract/program.h"

/* ---- what the protocol reads from a scalar ---------------------------------------------------------------------- */

static void token_value(struct walk *w, const struct value *v)
{
	struct span text;
	if (v->type != '"' || !value_text(w, v, true, &text))
		return;
	if (v->escaped)
		text.at = arena_strndup(&w->out->arena, text.at, text.len);
	if (text.at)
		w->a->token = text;
}

static bool event_allowed(const struct plan *p, struct span name)
{
	for (size_t i = 0; i < p->events_len; i++) {
		const struct event_match *e = &p->events[i];
		if ((e->prefix ? name.len >= e->text.len : name.len == e->text.len) &&
		    memcmp(name.at, e->text.at, e->text.len) == 0)
			return true;
	}
	return false;
}

static bool is_link(const struct adapter *a, struct span name)
{
	for (size_t i = 0; i < a->links_len; i++)
		if (name.len && name.at[0] == a->links[i].event[0] && span_eq(name, a->links[i].event))
			return true;
	return false;
}

static bool group_key_allowed(const struct plan *p, struct span name)
{
	for (size_t i = 0; i < p->group_keys_len; i++)
		if (p->group_keys[i].len == name.len && memcmp(p->group_keys[i].at, name.at, name.len) == 0)
			return true;
	return false;
}

/* False when the object must be read again as a link. */
static bool name_value(struct walk *w, const struct value *v)
{
	struct span text;
	if (v->type != '"' || !value_text(w, v, true, &text))
		return true;
	if (w->explaining) {
		char *copy = arena_strndup(&w->out->arena, text.at, text.len + JSON_PAD);
		w->name = copy ? (struct span){copy, text.len} : (struct span){0};
	}
	switch (w->kind) {
	case OBJECT_EVENT:
		w->link = is_link(w->plan->adapter, text);
		w->name_ok = event_allowed(w->plan, text);
		return !w->link;
	case OBJECT_LINK:
		w->name_ok = is_link(w->plan->adapter, text);
		return true;
	case OBJECT_GROUP:
		w->name_ok = group_key_allowed(w->plan, text);
		return true;
	case OBJECT_PROFILE:
	case OBJECT_KINDS:
		return true;
	}
	return true;
}

static void attribute_value(struct walk *w, enum attribute_id id, const struct value *v)
{
	struct span text;
	uint8_t *out = w->a->attributes;
	if (id == ATTR_JURISDICTION) {
		if (v->type != '"' || !value_text(w, v, true, &text) || text.len != 2)
			return;
		for (int i = 0; i < 2; i++)
			if ((text.at[i] & ~0x20) < 'A' || (text.at[i] & ~0x20) > 'Z')
				return;
		out[0] = (uint8_t)(text.at[0] & ~0x20);
		out[1] = (uint8_t)(text.at[1] & ~0x20);
	} else if (v->type == 't' || v->type == 'f') {
		out[id == ATTR_MINOR ? 2 : 3] = v->type == 't' ? 2 : 1;
	}
}

/* ---- a scalar --------------------------------------------------------------------------------------------------- */

static void time_value(struct walk *w, size_t mark)
{
	const char *at = (const char *)w->b->data + mark;
	size_t len = w->b->len - mark;
	bool number = len == 0 || at[0] != '"';
	struct span s = number ? (struct span){at, len} : (struct span){at + 1, len - 2};
	if (!time_read(s, number, &w->a->time_s))
		w->a->time_s = 0;
}

bool scalar_value(struct walk *w, const struct node *n, const struct value *v, bool *kept)
{
	const struct act *a = n->act;
	size_t mark = w->b->len;
	if (n->plain && w->quiet && v->len <= n->plain_max) {
		size_t quotes = v->type == '"';
		put(w->b, v->at - quotes, v->len + 2 * quotes);
		leaf_left(w, a->leaf);
		*kept = true;
		return true;
	}
	found_none(w);
	*kept = false;
	if (n->attribute != ATTR_NONE)
		attribute_value(w, n->attribute, v);
	if (a && a->slot && a->role == SLOT_NAME && !name_value(w, v))
		return false;
	enum result r = R_RULE;
	if (a && a->slot && a->role == SLOT_TOKEN)
		token_value(w, v);
	else
		r = a ? act_run(w, a, v) : n->kept ? R_TYPE : R_RULE;
	*kept = r <= R_REDACTED;
	if (*kept) {
		leaf_left(w, a->leaf);
		if (a->slot && a->role == SLOT_TIME && a->action != ACT_KEEP)	/* act_time has read it */
			time_value(w, mark);
	}
	if (w->explaining)
		explain_result(w, a, r);
	return true;
}

bool scalar_read(struct walk *w, uint32_t off, struct value *v, uint32_t *end)
{
	const char *t = w->s->text;
	v->type = t[off];
	v->escaped = v->transient = false;
	if (v->type == '"') {
		uint32_t close;
		if (!json_string(w->s, &close, &v->escaped))
			return false;
		v->at = t + off + 1;
		v->len = close - off - 1;
		*end = close + 1;
		return true;
	}
	if (!json_scalar(w->s, off, end))
		return false;
	if (v->type != 't' && v->type != 'f' && v->type != 'n')
		v->type = '0';
	v->at = t + off;
	v->len = *end - off;
	return true;
}

/* ---- who is named ------------------------------------------------------------------------------------------------ */

void subject_offer(struct walk *w, const struct act *a, enum id_kind kind, struct span value, bool transient)
{
	if (!w->env->subject)
		return;
	if (w->kind == OBJECT_LINK) {	/* all of them are asked for */
		if (transient)
			value.at = arena_strndup(&w->out->arena, value.at, value.len);
		transient = false;
		if (!value.at || !link_offer(w, a, kind, value))
			return;
	}
	unsigned rank = a->rank;
	if (w->plan->subject_kind >= 0 && kind != (enum id_kind)w->plan->subject_kind)
		rank += UINT_MAX / 2;	/* the kind that the contract asks for comes before every other */
	if (!a->slot->subject && (w->plan->subject_kind < 0 || kind != (enum id_kind)w->plan->subject_kind))
		return;
	if (rank >= w->subject_rank)
		return;
	if (transient) {
		value.at = arena_strndup(&w->out->arena, value.at, value.len);
		if (!value.at)
			return;
	}
	w->subject_rank = rank;
	w->subject_kind = kind;
	w->subject = value;
}
