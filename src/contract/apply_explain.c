/*
 * --explain: one note a field, told when the object's fate is known.  Paths are spelt as in contracts; a key that carries
 * personal data itself is shown as [KEY].  Off the hot path.
 */
#include <stdlib.h>
#include <string.h>

#include "contract/program.h"

static bool plain_key(struct span s)
{
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if ((uint8_t)s.at[i] <= 0x20 || s.at[i] == 0x7f || strchr(".[]\"*\\", s.at[i]))
			return false;
	return true;
}

/* A name of a member that an own detector finds something in. */
static bool own_key(struct walk *w, struct span text)
{
	return w->plan->own && !text_clean(w, text, DETECT_BIT(DETECT_CUSTOM));
}

void explain_push_key(struct walk *w, struct span raw, bool escaped)
{
	struct buf *b = &w->sc->path;
	struct value v = {.type = '"', .escaped = escaped, .at = raw.at, .len = (uint32_t)raw.len};
	static const char unknown[1 + JSON_PAD] = "?";
	struct span text;
	if (!value_text(w, &v, false, &text))
		text = (struct span){unknown, 1};
	if (detect_key_name(text.at, text.len) || own_key(w, text)) {
		buf_addf(b, "%s[KEY]", b->len ? "." : "");
	} else if (plain_key(text)) {
		if (b->len)
			buf_addc(b, '.');
		buf_add(b, text.at, text.len);
	} else {
		buf_addc(b, '[');
		buf_add_json(b, text.at, text.len);
		buf_addc(b, ']');
	}
}

void explain_push_element(struct walk *w)
{
	buf_adds(&w->sc->path, "[]");
}

void explain_note(struct walk *w, const char *action, const char *outcome, const char *reason, struct span category,
		  uint64_t found)
{
	struct scratch *sc = w->sc;
	if (sc->notes_len == sc->notes_cap) {
		sc->notes_cap = sc->notes_cap ? 2 * sc->notes_cap : 64;
		sc->notes = xrealloc(sc->notes, sc->notes_cap * sizeof *sc->notes);
	}
	const char *on_hit = found && strcmp(reason, "unnamed") != 0 ? on_hit_word(w->did) : NULL;
	const char *path = arena_strndup(&w->out->arena, sc->path.len ? (const char *)sc->path.data : "", sc->path.len);
	struct note *n = &sc->notes[sc->notes_len++];
	*n = (struct note){.path = path ? path : "", .action = action, .outcome = outcome, .reason = reason, .category = category,
			   .found = found, .own_len = found ? w->own_len : 0, .on_hit = on_hit};
	memcpy(n->own, w->own, sizeof n->own);
}

void explain_flush(struct walk *w)
{
	static const char *const reasons[DROP_REASONS] = {
		[DROP_EVENT] = "event", [DROP_OPERATION] = "event", [DROP_LINK] = "event",
		[DROP_DUPLICATE_KEY] = "duplicate_key", [DROP_LIMIT] = "limit", [DROP_TYPE_MISMATCH] = "type_mismatch",
		[DROP_DETECTOR] = "detector"};
	bool dropped = w->drop != DROP_NONE;
	struct span event = w->name;
	if (event.len && !text_clean(w, event, DETECT_ALL))
		event = (struct span){"", 0};
	if (dropped && w->sc->notes_len == 0)
		explain_note(w, "drop", "dropped", reasons[w->drop], SPAN(""), 0);
	for (size_t i = 0; i < w->sc->notes_len; i++) {
		const struct note *n = &w->sc->notes[i];
		bool was_kept = strcmp(n->outcome, "dropped") != 0;
		struct explained e = {
			.index = w->index,
			.event = event,
			.path = n->path,
			.action = n->action,
			.outcome = dropped ? "dropped" : n->outcome,
			.reason = dropped && was_kept ? reasons[w->drop] : n->reason,
			.category = n->category,
			.found = n->found,
			.own_len = n->own_len,
			.on_hit = n->on_hit,
		};
		memcpy(e.own, n->own, sizeof e.own);
		w->env->explain(w->env->explain_arg, &e);
	}
	w->sc->notes_len = 0;
}

static void scalar_note(struct walk *w, const struct value *v)
{
	static const struct act nowhere;
	struct detect_hit hits[16];
	struct span text = {v->at, v->len};
	found_none(w);
	if (v->type != '"' || value_text(w, v, false, &text)) {
		size_t n = look_for(w, &nowhere, text, DETECT_ALL, hits, 16);
		for (size_t i = 0; i < n; i++)
			found_add(w, &hits[i]);
	}
	explain_note(w, "drop", "dropped", "unnamed", SPAN(""), w->found);
}

static bool unnamed_scalar(struct walk *w, uint32_t off, uint32_t *end)
{
	const char *t = w->s->text;
	struct value v = {.type = t[off], .at = t + off};
	if (v.type == '"') {
		uint32_t close;
		if (!json_string(w->s, &close, &v.escaped))
			return false;
		v.at++;
		v.len = close - off - 1;
		*end = close + 1;
	} else {
		if (!json_scalar(w->s, off, end))
			return false;
		v.len = *end - off;
	}
	scalar_note(w, &v);
	return true;
}

static bool unnamed_key(struct walk *w, uint32_t e)
{
	const char *t = w->s->text;
	uint32_t close;
	bool escaped;
	if (t[e] != '"')
		return json_fail(w->s, ERR_SYNTAX, e, "a key belongs here");
	w->s->keys++;
	if (!json_string(w->s, &close, &escaped))
		return false;
	explain_push_key(w, (struct span){t + e + 1, close - e - 1}, escaped);
	uint32_t colon = json_next(w->s);
	return t[colon] == ':' || json_fail(w->s, ERR_SYNTAX, colon, "a colon belongs here");
}

bool explain_unnamed(struct walk *w, uint32_t off, uint32_t depth, uint32_t *end)
{
	const char *t = w->s->text;
	const bool object = t[off] == '{';
	const char close = object ? '}' : ']';
	const size_t path = w->sc->path.len;
	if (!object && t[off] != '[')
		return unnamed_scalar(w, off, end);
	if (depth + 1 > w->s->depth_max)
		return json_fail(w->s, ERR_LIMIT, off, "nested too deep");
	uint32_t e = json_next(w->s);
	if (t[e] == close)	/* nothing in it: the place itself is told */
		explain_note(w, "drop", "dropped", "unnamed", SPAN(""), 0);
	while (t[e] != close) {
		if (object) {
			if (!unnamed_key(w, e))
				return false;
			e = json_next(w->s);
		} else {
			explain_push_element(w);
		}
		if (!explain_unnamed(w, e, depth + 1, end))
			return false;
		w->sc->path.len = path;
		e = json_next(w->s);
		if (t[e] == close)
			break;
		if (t[e] != ',')
			return json_fail(w->s, ERR_SYNTAX, e, "a comma belongs here");
		e = json_next(w->s);
		if (t[e] == close)
			return json_fail(w->s, ERR_SYNTAX, e, "not a JSON value (RFC 8259 section 3)");
	}
	*end = e + 1;
	return true;
}

static const char *act_word(const struct act *a)
{
	if (!a)
		return "drop";
	if (a->slot && !a->rule && a->role == SLOT_TOKEN)
		return "token";
	return a->slot && !a->rule && a->role == SLOT_ID ? identity_names[a->identity] : action_names[a->action];
}

void explain_result(struct walk *w, const struct act *a, enum result r)
{
	static const char *const outcomes[] = {"kept", "changed", "redacted", "dropped", "dropped", "dropped"};
	static const char *const reasons[] = {NULL, NULL, "detector", "type_mismatch", NULL, "detector"};
	const char *reason = reasons[r];
	if (!reason)
		reason = !a ? "unnamed" : a->rule ? "rule" : "adapter";
	struct span category = {"", 0};
	if (a && a->rule && a->rule->category.len)
		category = a->rule->category;
	else if (a && a->slot && a->slot->category)
		category = (struct span){a->slot->category, strlen(a->slot->category)};
	explain_note(w, act_word(a), outcomes[r], reason, category, w->found);
}
