/*
 * Actions on one scalar.  Exact semantics: docs/actions.md.  Each writes its result at the end of the output or says why
 * nothing is left.  Order: the action, then `max`, then the detectors.
 */
#include <stdlib.h>
#include <string.h>

#include "contract/program.h"

enum { HITS = 64 };

bool value_text(struct walk *w, const struct value *v, bool lossless, struct span *out)
{
	struct buf *b = &w->sc->text;
	if (!v->escaped) {
		*out = (struct span){v->at, v->len};
		return true;
	}
	buf_reset(b);
	if (!buf_reserve(b, v->len + JSON_PAD))
		return false;
	if (lossless) {
		ssize_t n = json_unescape(v->at, v->len, (char *)b->data);
		if (n < 0)
			return false;
		b->len = (size_t)n;
	} else {
		b->len = json_unescape_lossy(v->at, v->len, (char *)b->data);
	}
	*out = (struct span){(const char *)b->data, b->len};
	return buf_pad(b);
}

bool text_clean(struct walk *w, struct span text, uint64_t types)
{
	static const struct act nowhere;
	struct detect_hit hit;
	return look_for(w, &nowhere, text, types, &hit, 1) == 0;
}

static bool is_string(const struct value *v)
{
	return v->type == '"';
}

static enum result raw_out(struct walk *w, const struct value *v)
{
	if (is_string(v))
		put(w->b, v->at - 1, v->len + 2);
	else
		put(w->b, v->at, v->len);
	return R_KEPT;
}

/* ---- text on its way out -------------------------------------------------------------------------------------------- */

static size_t first_points(struct span s, int64_t max)
{
	if (max < 0 || s.len <= (uint64_t)max)
		return s.len;
	size_t at = 0;
	for (int64_t n = 0; at < s.len; at++)
		if ((s.at[at] & 0xc0) != 0x80 && n++ == max)
			break;
	return at;
}

/* Bits that the detectors look for after act a. */
static uint64_t types_of(const struct walk *w, const struct act *a)
{
	if (w->env->detect)
		return a->detect;
	return a->rule && a->action == ACT_REDACT ? a->rule->redact_types : 0;
}

/*
 * Text as a JSON string: cut to max, then redacted.  raw: the value it came from when the action left it as it was; its
 * bytes are copied when nothing else changes it either.  The detectors look at the text before the cut, so that half an
 * address at its end doesn't pass.  64 bytes must be readable behind text.
 */
static enum result text_out(struct walk *w, const struct act *a, struct span text, const struct value *raw)
{
	struct detect_hit hits[HITS];
	size_t cut = first_points(text, a->max), n = 0;
	uint64_t types = types_of(w, a);
	if (types)
		n = look_for(w, a, text, types, hits, HITS);
	if (n > 0 && hits[0].start < cut)
		return found_out(w, a, text, cut, types, hits, n);
	if (cut == text.len && raw)
		return raw_out(w, raw);
	putc_raw(w->b, '"');
	text_add(w, text.at, cut);
	putc_raw(w->b, '"');
	return R_CHANGED;
}

/* What an action made in sc->made. */
static enum result made_out(struct walk *w, const struct act *a, const struct value *v, struct span text)
{
	struct buf *m = &w->sc->made;
	if (!buf_pad(m))
		return R_TYPE;
	struct span made = {(const char *)m->data, m->len};
	bool same = made.len == text.len && memcmp(made.at, text.at, text.len) == 0;
	return text_out(w, a, made, same ? v : NULL);
}

/* ---- numbers --------------------------------------------------------------------------------------------------------- */

static bool lexeme_clean(struct walk *w, const struct act *a, uint64_t types, struct span lexeme)
{
	struct detect_hit hits[4];
	bool look = a->context.len || detect_maybe(lexeme.at, lexeme.len) || own_maybe(w, a, lexeme.at, lexeme.len);
	size_t n = look ? look_for(w, a, lexeme, types, hits, 4) : 0;
	if (n)	/* it can't be half hidden */
		hits_note(w, a, hits, n, a->on_hit.what > HIT_DROP ? a->on_hit.what : HIT_DROP);
	return n == 0;
}

/*
 * A telephone or card number may come as a JSON number: as it stands, with decimals behind it, as 4.111111111111111e15,
 * or with an exponent that only dresses it (4111111111111111e-2).  It can't be half redacted.  pad() room is in m.
 */
static bool number_clean(struct walk *w, const struct act *a, struct span lexeme)
{
	struct buf *m = &w->sc->made;
	uint64_t types = types_of(w, a);
	size_t whole = 0;
	if (!types)
		return true;
	if (!lexeme_clean(w, a, types, lexeme))
		return false;
	bool negative = lexeme.len && lexeme.at[0] == '-';
	while (whole < lexeme.len && (lexeme.at[whole] == '-' || (lexeme.at[whole] >= '0' && lexeme.at[whole] <= '9')))
		whole++;
	if (whole == lexeme.len)
		return true;
	if (whole > 6) {	/* the digits in front of point or exponent alone */
		char head[40 + JSON_PAD] = {0};
		size_t n = whole - negative;
		if (n <= 40) {
			memcpy(head, lexeme.at + negative, n);
			if (!lexeme_clean(w, a, types, (struct span){head, n}))
				return false;
		}
	}
	if (!memchr(lexeme.at, 'e', lexeme.len) && !memchr(lexeme.at, 'E', lexeme.len))
		return true;
	buf_reset(m);
	return !number_round(lexeme, 0, m) || m->len > 40 || !buf_pad(m) || lexeme_clean(w, a, types, (struct span){(const char *)m->data, m->len});
}

/* ---- pseudonyms -------------------------------------------------------------------------------------------------------- */

static struct memo *memo_at(struct scratch *sc, struct span s, unsigned kind)
{
	uint64_t h = s.len * 0x9e3779b97f4a7c15ull + kind, x = 0;
	for (size_t i = 0; i + 8 <= s.len; i += 8) {
		memcpy(&x, s.at + i, 8);
		h = (h ^ x) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	x = 0;
	memcpy(&x, s.at + s.len / 8 * 8, s.len % 8);
	h = (h ^ x) * 0xff51afd7ed558ccdull;
	return &sc->memo[(h >> 40) % MEMOS];
}

/* lasting: the bytes live as long as the request, so that the memo may point at them. */
static const char *pseudonym(struct walk *w, enum id_kind kind, struct span value, bool daily, bool lasting, char *room)
{
	const char *day = daily ? w->env->day : NULL;
	struct memo *m = memo_at(w->sc, value, kind);
	if (m->request == w->sc->request && m->kind == kind && m->daily == daily && m->len == value.len &&
	    memcmp(m->at, value.at, value.len) == 0)
		return m->text;
	if (!lasting)
		return pseudo_id(w->env->vendor, id_kind_names[kind], value.at, value.len, day, room) ? room : NULL;
	m->request = 0;
	if (!pseudo_id(w->env->vendor, id_kind_names[kind], value.at, value.len, day, m->text))
		return NULL;
	m->request = w->sc->request;
	m->at = value.at;
	m->len = (uint32_t)value.len;
	m->kind = (uint16_t)kind;
	m->daily = daily;
	return m->text;
}

static enum result pseudonym_out(struct walk *w, const struct value *v, struct span text, size_t prefix, enum id_kind kind,
				 bool daily)
{
	char room[PSEUDONYM_LEN + 1];
	struct span rest = {text.at + prefix, text.len - prefix};
	if (rest.len == 0)
		return R_TYPE;
	const char *p = pseudonym(w, kind, rest, daily, !v->escaped && !v->transient, room);
	if (!p)
		return R_TYPE;
	putc_raw(w->b, '"');
	text_add(w, text.at, prefix);
	buf_add(w->b, p, PSEUDONYM_LEN);
	putc_raw(w->b, '"');
	return R_CHANGED;
}

/* A string or a number as text; anything else names nobody. */
static bool identifier(struct walk *w, const struct value *v, struct span *out)
{
	if (is_string(v))
		return value_text(w, v, true, out);
	*out = (struct span){v->at, v->len};
	return v->type == '0';
}

static enum result act_identity(struct walk *w, const struct act *a, const struct value *v)
{
	struct span text;
	enum id_kind kind;
	if (!identifier(w, v, &text) || text.len == 0)
		return R_TYPE;
	const char *start = a->slot->prefix;
	size_t prefix = 0;
	kind = a->slot->id;
	if (start && text.at[0] == start[0])
		prefix = slot_prefix(a->slot, text, &kind);
	subject_offer(w, a, kind, (struct span){text.at + prefix, text.len - prefix}, v->escaped);
	if (a->action == ACT_DROP || a->identity == IDENTITY_DROP)
		return R_RULE;
	if (a->identity == IDENTITY_KEEP)
		return raw_out(w, v);
	return pseudonym_out(w, v, text, prefix, kind, a->identity == IDENTITY_DAILY);
}

static enum result act_pseudonym(struct walk *w, const struct act *a, const struct value *v)
{
	struct span text;
	if (!identifier(w, v, &text))
		return R_TYPE;
	return pseudonym_out(w, v, text, 0, a->rule->kind, false);
}

/* ---- the other actions -------------------------------------------------------------------------------------------------- */

static enum result act_keep(struct walk *w, const struct act *a, const struct value *v)
{
	struct span text;
	if (is_string(v)) {
		if (!a->detect && a->max < 0)
			return raw_out(w, v);
		return value_text(w, v, false, &text) ? text_out(w, a, text, v) : R_TYPE;
	}
	if (v->type == '0' && !number_clean(w, a, (struct span){v->at, v->len}))
		return R_DETECTOR;
	return raw_out(w, v);
}

static enum result act_drop(struct walk *w, const struct act *a, const struct value *v)
{
	(void)w;
	(void)a;
	(void)v;
	return R_RULE;
}

static enum result act_const(struct walk *w, const struct act *a, const struct value *v)
{
	(void)v;
	buf_add(w->b, a->rule->constant.json.at, a->rule->constant.json.len);
	return R_CHANGED;
}

/* Strings by their characters, numbers by value; what can't be told apart in a double must be equal byte for byte. */
static bool scalar_is(const struct scalar *s, const struct value *v, struct span text)
{
	double x, y;
	if (is_string(v))
		return s->type == SCALAR_STRING && s->text.len == text.len && memcmp(s->text.at, text.at, text.len) == 0;
	if (s->type == SCALAR_STRING)
		return false;
	if (s->json.len == v->len && memcmp(s->json.at, v->at, v->len) == 0)
		return true;
	return s->type == SCALAR_NUMBER && v->type == '0' && number_read((struct span){v->at, v->len}, &x) &&
	       number_read(s->json, &y) && x == y && x > -9007199254740992.0 && x < 9007199254740992.0;
}

static enum result act_oneof(struct walk *w, const struct act *a, const struct value *v)
{
	struct span text = {"", 0};
	if (is_string(v) && !value_text(w, v, true, &text))
		return R_TYPE;
	for (size_t i = 0; i < a->rule->oneof_len; i++) {
		const struct scalar *s = &a->rule->oneof[i];
		if (!scalar_is(s, v, text))
			continue;
		bool same = is_string(v) ? s->json.len == (size_t)v->len + 2 && memcmp(s->json.at, v->at - 1, s->json.len) == 0
					 : s->json.len == v->len && memcmp(s->json.at, v->at, v->len) == 0;
		buf_add(w->b, s->json.at, s->json.len);
		return same ? R_KEPT : R_CHANGED;
	}
	return R_RULE;
}

static enum result act_redact(struct walk *w, const struct act *a, const struct value *v)
{
	struct span text;
	return is_string(v) && value_text(w, v, false, &text) ? text_out(w, a, text, v) : R_TYPE;
}

static enum result act_mask(struct walk *w, const struct act *a, const struct value *v)
{
	struct buf *m = &w->sc->made;
	struct span text;
	size_t points = 0;
	if (!is_string(v) || !value_text(w, v, false, &text))
		return R_TYPE;
	for (size_t i = 0; i < text.len; i++)
		points += (text.at[i] & 0xc0) != 0x80;
	/* As short as what would stay: then nothing stays. */
	size_t stars = points > a->rule->mask_keep ? points - a->rule->mask_keep : points;
	struct span tail = {text.at + first_points(text, (int64_t)stars), 0};
	tail.len = text.len - (size_t)(tail.at - text.at);
	buf_reset(m);
	for (size_t i = 0; i < stars; i++)
		buf_addc(m, '*');
	buf_add(m, tail.at, tail.len);
	return made_out(w, a, v, text);
}

static enum result act_truncate(struct walk *w, const struct act *a, const struct value *v)
{
	struct buf *m = &w->sc->made;
	struct span text = {v->at, v->len};
	bool number = v->type == '0';
	buf_reset(m);
	if (!number && (!is_string(v) || !value_text(w, v, true, &text)))
		return R_TYPE;
	if (!(number ? time_truncate_number : time_truncate_rfc3339)(text, a->rule->unit, m))
		return R_TYPE;
	if (!number)
		return made_out(w, a, v, text);
	buf_add(w->b, m->data, m->len);
	return m->len == text.len && memcmp(m->data, text.at, text.len) == 0 ? R_KEPT : R_CHANGED;
}

static enum result text_act(struct walk *w, const struct act *a, const struct value *v,
			    bool (*make)(struct span, const struct rule *, struct buf *))
{
	struct span text;
	buf_reset(&w->sc->made);
	if (!is_string(v) || !value_text(w, v, true, &text) || !make(text, a->rule, &w->sc->made))
		return R_TYPE;
	return made_out(w, a, v, text);
}

static bool make_ip(struct span text, const struct rule *r, struct buf *out)
{
	return ip_truncate(text, r->ip4_bits, out);
}

static bool make_domain(struct span text, const struct rule *r, struct buf *out)
{
	(void)r;
	return domain_of(text, out);
}

static enum result act_ip(struct walk *w, const struct act *a, const struct value *v)
{
	return text_act(w, a, v, make_ip);
}

static enum result act_url(struct walk *w, const struct act *a, const struct value *v)
{
	return text_act(w, a, v, url_reduce);
}

static enum result act_domain(struct walk *w, const struct act *a, const struct value *v)
{
	return text_act(w, a, v, make_domain);
}

static enum result act_round(struct walk *w, const struct act *a, const struct value *v)
{
	struct buf *m = &w->sc->made;
	struct span lexeme = {v->at, v->len};
	buf_reset(m);
	if (v->type != '0' || !number_round(lexeme, a->rule->decimals, m) || !buf_pad(m))
		return R_TYPE;
	bool same = m->len == lexeme.len && memcmp(m->data, lexeme.at, lexeme.len) == 0;
	size_t mark = w->b->len;
	buf_add(w->b, m->data, m->len);
	if (number_clean(w, a, (struct span){(const char *)m->data, m->len}))
		return same ? R_KEPT : R_CHANGED;
	w->b->len = mark;
	return R_DETECTOR;
}

static enum result act_bucket(struct walk *w, const struct act *a, const struct value *v)
{
	const struct rule *r = a->rule;
	double x;
	if (v->type != '0' || !number_read((struct span){v->at, v->len}, &x))
		return R_TYPE;
	for (size_t i = r->bounds_len; i-- > 0;)
		if (x >= r->bounds[i]) {
			buf_add(w->b, r->bound_text[i].at, r->bound_text[i].len);
			return R_CHANGED;
		}
	return R_RULE;	/* below the lowest bound there is no bucket */
}

/* ---- slots of the protocol ------------------------------------------------------------------------------------------------ */

static enum result act_time(struct walk *w, const struct act *a, const struct value *v)
{
	struct span text = {v->at, v->len};
	(void)a;
	if (v->type != '0' && (!is_string(v) || !value_text(w, v, true, &text)))
		return R_TYPE;
	if (time_read(text, v->type == '0', &w->a->time_s))
		return raw_out(w, v);
	w->a->time_s = 0;
	return R_TYPE;
}

/* Letters, digits and '-', at most 36: the most that a vendor's deduplication key may be.  Anything else is text. */
static bool is_key(struct span s)
{
	static const uint8_t part[256] = {['a' ... 'z'] = 1, ['A' ... 'Z'] = 1, ['0' ... '9'] = 1, ['-'] = 1, ['_'] = 1};
	unsigned all = s.len <= 36;
	for (size_t i = 0; all && i < s.len; i++)
		all = part[(uint8_t)s.at[i]];
	return all;
}

/* Two copies of an event must keep one key, whatever it looks like: text, and what the detectors don't pass, becomes a
 * pseudonym. */
static enum result act_insert_id(struct walk *w, const struct act *a, const struct value *v)
{
	struct span text;
	if (!identifier(w, v, &text) || text.len == 0)
		return R_TYPE;
	bool off = a->rule && !a->detect;
	if (off || (is_key(text) && (!w->env->detect || text_clean(w, text, a->detect))))
		return raw_out(w, v);
	enum result r = pseudonym_out(w, v, text, 0, ID_OTHER, false);
	return r == R_CHANGED ? R_REDACTED : r;
}

static enum result (*const actions[ACTIONS])(struct walk *, const struct act *, const struct value *) = {
	[ACT_KEEP] = act_keep,	   [ACT_DROP] = act_drop,     [ACT_CONST] = act_const,	     [ACT_ONEOF] = act_oneof,
	[ACT_PSEUDONYM] = act_pseudonym, [ACT_REDACT] = act_redact, [ACT_MASK] = act_mask,   [ACT_TRUNCATE] = act_truncate,
	[ACT_IP] = act_ip,	   [ACT_URL] = act_url,	      [ACT_ROUND] = act_round,	     [ACT_BUCKET] = act_bucket,
	[ACT_DOMAIN] = act_domain,
};

static enum result act_now(struct walk *w, const struct act *a, const struct value *v)
{
	if (a->slot && a->role == SLOT_ID)
		return act_identity(w, a, v);
	if (a->slot && a->action == ACT_KEEP) {
		if (a->role == SLOT_TIME)
			return act_time(w, a, v);
		if (a->role == SLOT_INSERT_ID)
			return act_insert_id(w, a, v);
	}
	return actions[a->action](w, a, v);
}

/* ---- what came before ----------------------------------------------------------------------------------------------------- */

/* Everything but what was written: clearing that would cost more than the rest. */
static void said_set(struct said *m, const struct walk *w, const struct act *a, const char *at, uint32_t len, uint64_t head, uint64_t tail,
		     enum result r)
{
	m->request = w->sc->request;
	m->act = a;
	m->at = at;
	m->head = head;
	m->tail = tail;
	m->len = len;
	m->result = (uint8_t)r;
	m->out_len = 0;
}

bool keep_clean(struct walk *w, const struct act *a, const char *at, uint32_t len)
{
	const uint32_t quotes = *at == '"';
	uint64_t head, tail;
	struct said *m = said_at(w->sc, a, at, len, &head, &tail);
	if (said_is(w->sc, m, a, at, len, head, tail))
		return m->result == R_KEPT;
	if (a->context.len || (a->detect & DETECT_BIT(DETECT_NAME) && quotes) || detect_maybe(at + quotes, len - 2 * quotes) ||
	    (__builtin_expect(w->plan->own != NULL, 0) && own_maybe(w, a, at + quotes, len - 2 * quotes)))
		return false;
	said_set(m, w, a, at, len, head, tail, R_KEPT);
	return true;
}

enum result act_run(struct walk *w, const struct act *a, const struct value *v)
{
	const uint32_t quotes = is_string(v), len = v->len + 2 * quotes;
	const char *at = v->at - quotes;
	if (!a->repeats || v->escaped || v->transient || v->len > SAID_VALUE_MAX || w->explaining)
		return act_now(w, a, v);
	uint64_t head, tail;
	struct said *m = said_at(w->sc, a, at, len, &head, &tail);
	if (said_is(w->sc, m, a, at, len, head, tail)) {
		enum result r = (enum result)m->result;
		if (r <= R_REDACTED)
			put(w->b, r == R_KEPT ? at : m->out, r == R_KEPT ? len : m->out_len);
		return r;
	}
	size_t mark = w->b->len;
	enum result r = act_now(w, a, v);
	size_t made = w->b->len - mark;
	if (w->found || w->b->over || (r != R_KEPT && made > SAID_OUT_MAX))	/* a hit is counted each time */
		return r;
	said_set(m, w, a, at, len, head, tail, r);
	if (r != R_KEPT) {
		m->out_len = (uint8_t)made;
		memcpy(m->out, w->b->data + mark, made);
	}
	return r;
}
