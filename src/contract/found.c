/*
 * What the detectors find in a value, and what becomes of it there (`on_hit`).
 *
 * Redacting leaves no hit behind: detect_scan looks at the gaps as they will be.  Masks and pseudonyms bring other neighbours
 * than a bracket, so the text is looked at again as it would leave, and redacted instead when anything shows.
 */
#include <string.h>

#include "contract/program.h"

bool buf_pad(struct buf *b)
{
	if (b->len + JSON_PAD >= b->cap && !buf_reserve(b, JSON_PAD))
		return false;
	memset(b->data + b->len, 0, JSON_PAD);
	return true;
}

/* Plain ASCII with nothing to escape?  False may mean that it wasn't looked at. */
static bool surely_plain(const char *text, size_t n)
{
#if defined(__SSE2__)
	for (size_t i = 0; i < n; i += 16) {
		unsigned m = json_hits(text + i);
		if (n - i < 16)
			m &= (1u << (n - i)) - 1;
		if (m)
			return false;
	}
	return true;
#else
	(void)text;
	return n == 0;
#endif
}

void text_add(struct walk *w, const char *text, size_t n)
{
	if (surely_plain(text, n))
		put(w->b, text, n);
	else
		json_escape(w->b, text, n);
}

static size_t scan(struct walk *w, struct span text, uint64_t types, struct detect_hit *hits, size_t max)
{
	if (__builtin_expect(w->plan->own != NULL, 0))
		return detect_scan_with(w->plan->own, w->sc->room, text.at, text.len, types, hits, max);
	return detect_scan(text.at, text.len, types, hits, max);
}

bool own_maybe(struct walk *w, const struct act *a, const char *text, size_t n)
{
	return w->plan->own && a->detect & DETECT_BIT(DETECT_CUSTOM) && detect_rules_maybe(w->plan->own, w->sc->room, text, n);
}

size_t look_for(struct walk *w, const struct act *a, struct span text, uint64_t types, struct detect_hit *hits, size_t max)
{
	struct buf *b = &w->sc->named;
	const size_t head = a->context.len;
	size_t n = 0;
	if (!head)
		return scan(w, text, types, hits, max);
	buf_reset(b);
	buf_add(b, a->context.at, head);
	buf_add(b, text.at, text.len);
	must(buf_pad(b));	/* it has no ceiling */
	size_t found = scan(w, (struct span){(const char *)b->data, b->len}, types, hits, max);
	for (size_t i = 0; i < found; i++) {
		struct detect_hit h = hits[i];
		if (h.end <= head)
			continue;	/* of the words alone */
		h.start = h.start < head ? 0 : h.start - (uint32_t)head;
		h.end -= (uint32_t)head;
		hits[n++] = h;
	}
	return n;
}

void found_add(struct walk *w, const struct detect_hit *h)
{
	w->found |= DETECT_BIT(h->type);
	if (h->type != DETECT_CUSTOM || !w->explaining)
		return;
	for (unsigned i = 0; i < w->own_len; i++)
		if (w->own[i] == h->kind->name)
			return;
	if (w->own_len < EXPLAINED_OWN)
		w->own[w->own_len++] = h->kind->name;
}

void hits_note(struct walk *w, const struct act *a, const struct detect_hit *hits, size_t n, enum hit_action did)
{
	for (size_t i = 0; i < n; i++) {
		found_add(w, &hits[i]);
		w->out->found[hits[i].type]++;
		if (hits[i].type == DETECT_CUSTOM)
			w->out->own_found[detect_rules_index(w->plan->own, &hits[i])]++;
	}
	w->did = did;
	if (did > w->stop) {
		w->stop = did;
		w->stopped_by = a;
		w->stop_name = detect_hit_name(&hits[0]);
	}
}

/* ---- in a text ---------------------------------------------------------------------------------------------------- */

static enum result redacted_out(struct walk *w, struct span text, size_t cut, const struct detect_hit *hits, size_t n)
{
	size_t at = 0;
	putc_raw(w->b, '"');
	for (size_t i = 0; i < n; i++) {
		text_add(w, text.at + at, hits[i].start - at);
		buf_adds(w->b, hits[i].kind->placeholder);
		at = hits[i].end;
	}
	if (at < cut)
		text_add(w, text.at + at, cut - at);
	putc_raw(w->b, '"');
	return R_REDACTED;
}

static bool point_starts(char c)
{
	return (c & 0xc0) != 0x80;
}

/* All but the last `keep` code points, and never more than half of them. */
static void add_masked(struct buf *b, struct span hit, unsigned keep)
{
	size_t points = 0, i = 0;
	for (size_t k = 0; k < hit.len; k++)
		points += point_starts(hit.at[k]);
	size_t stars = points - (keep < points / 2 ? keep : points / 2);
	for (size_t k = 0; k < stars; k++)
		buf_addc(b, '*');
	for (size_t seen = 0; i < hit.len; i++)
		if (point_starts(hit.at[i]) && seen++ == stars)
			break;
	buf_add(b, hit.at + i, hit.len - i);
}

/* The same as a rule `pseudonym: KIND` makes of the value alone. */
static bool add_pseudonym(struct walk *w, struct buf *b, struct span hit, enum detect_type type)
{
	char text[PSEUDONYM_LEN + 1];
	enum id_kind kind = type == DETECT_EMAIL ? ID_EMAIL : type == DETECT_PHONE ? ID_PHONE : ID_OTHER;
	if (!pseudo_id(w->env->vendor, id_kind_names[kind], hit.at, hit.len, NULL, text))
		return false;
	buf_add(b, text, PSEUDONYM_LEN);
	return true;
}

/* In sc->hidden; false: it has to be redacted instead. */
static bool hide(struct walk *w, const struct act *a, struct span text, size_t cut, uint64_t types, const struct detect_hit *hits, size_t n)
{
	struct detect_hit again;
	struct buf *b = &w->sc->hidden;
	size_t at = 0;
	buf_reset(b);
	for (size_t i = 0; i < n; i++) {
		struct span hit = {text.at + hits[i].start, hits[i].end - hits[i].start};
		if (hits[i].end > cut)
			return false;	/* `max` takes its end away */
		buf_add(b, text.at + at, hits[i].start - at);
		if (a->on_hit.what == HIT_MASK)
			add_masked(b, hit, a->on_hit.keep);
		else if (!add_pseudonym(w, b, hit, hits[i].type))
			return false;
		at = hits[i].end;
	}
	buf_add(b, text.at + at, cut - at);
	must(buf_pad(b));
	return look_for(w, a, (struct span){(const char *)b->data, b->len}, types, &again, 1) == 0;
}

static enum result hidden_out(struct walk *w)
{
	putc_raw(w->b, '"');
	text_add(w, (const char *)w->sc->hidden.data, w->sc->hidden.len);
	putc_raw(w->b, '"');
	return R_REDACTED;
}

enum result found_out(struct walk *w, const struct act *a, struct span text, size_t cut, uint64_t types, const struct detect_hit *hits, size_t n)
{
	enum hit_action what = a->on_hit.what;
	while (n && hits[n - 1].start >= cut)
		n--;
	if ((what == HIT_MASK || what == HIT_PSEUDONYM) && !hide(w, a, text, cut, types, hits, n))
		what = HIT_REDACT;
	hits_note(w, a, hits, n, what);
	switch (what) {
	case HIT_REDACT:
		return redacted_out(w, text, cut, hits, n);
	case HIT_MASK:
	case HIT_PSEUDONYM:
		return hidden_out(w);
	case HIT_DROP:
	case HIT_DROP_EVENT:
	case HIT_REFUSE:
	case HIT_ACTIONS:
		break;
	}
	return R_DETECTOR;
}
