/*
 * Numbers of catalog/detectors/ids.yaml: the rows whose shape may begin with a run of so many digits, and that either
 * may stand alone or have one of their words before them, are tried against the text.
 */
#include "detect/ids.h"

#include <string.h>

/* ---- words ------------------------------------------------------------------------------------------------------- */

enum { WORD_MAX = 24 };

static uint64_t rows_of_word(const uint8_t *t, size_t n)
{
	uint32_t h = 2166136261u;
	char w[WORD_MAX + 1];
	if (n < 2 || n > WORD_MAX || !(id_word_heads[(t[0] | 0x20) - 'a'] >> ((t[1] | 0x20) - 'a') & 1))
		return 0;
	for (size_t i = 0; i < n; i++) {
		w[i] = (char)(t[i] | 0x20);
		h = (h ^ (uint8_t)w[i]) * 16777619u;
	}
	w[n] = 0;
	h ^= h >> 15;
	for (; id_words[h & id_words_mask].word; h++)
		if (strcmp(id_words[h & id_words_mask].word, w) == 0)
			return id_words[h & id_words_mask].rows;
	return 0;
}

/* Rows whose words stand within NEAR bytes before p; a word ends where aB changes case, too. */
static uint64_t rows_named(const struct scan *s, size_t p)
{
	size_t low = p - s->lo > NEAR ? p - NEAR : s->lo;
	uint64_t rows = 0;
	for (size_t end = p; end > low;) {
		if (s->t[end - 1] == ']')
			break;	/* what was redacted stands between: its words are not about this */
		if (!is(s->t[end - 1], C_ALPHA)) {
			end--;
			continue;
		}
		size_t start = end, part = end;
		while (start > low && is(s->t[start - 1], C_ALPHA)) {
			start--;
			if (start > low && is(s->t[start], C_UPPER) && is(s->t[start - 1], C_LOWER)) {
				rows |= rows_of_word(s->t + start, part - start);
				part = start;
			}
		}
		if (!is(before(s, start), C_ALPHA)) {
			rows |= rows_of_word(s->t + start, part - start);
			if (part != end)
				rows |= rows_of_word(s->t + start, end - start);
		}
		end = start;
	}
	return rows;
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

struct match {
	char compact[ID_COMPACT + 1];
	unsigned n, seps, gaps;	/* separators met, and how many places there were for one */
	size_t end;
};

static bool separator(uint8_t c)
{
	return c == ' ' || c == '-' || c == '.' || c == '/';
}

static bool fits(uint8_t c, char want)
{
	switch (want) {
	case '9': return is(c, C_DIGIT);
	case 'A': return is(c, C_UPPER);
	case 'X': return is(c, C_DIGIT | C_UPPER);
	case '*': return c && strchr("-+ABCDEFYXWVU", c);
	default: return c == (uint8_t)want;
	}
}

static bool match_shape(const struct scan *s, size_t p, const char *shape, struct match *m)
{
	*m = (struct match){.end = p};
	for (; *shape; shape++) {
		uint8_t c = at(s, m->end);
		if (*shape == '-') {
			m->gaps++;
			if (separator(c)) {
				m->seps++;
				m->end++;
			}
			if (m->seps && m->seps != m->gaps)
				return false;
			continue;
		}
		if (*shape == '=') {
			m->gaps = ++m->seps;
			if (c != '-' && c != '+')
				return false;
			m->end++;
			continue;
		}
		if (!fits(c, *shape))
			return false;
		if (*shape != '.')
			m->compact[m->n++] = (char)c;
		m->end++;
	}
	return true;
}

/* Nothing of the same kind goes on behind it. */
static bool ends(const struct scan *s, size_t end)
{
	uint8_t c = at(s, end);
	if (is(c, C_ALNUM))
		return false;
	return !((c == '-' || c == '/' || c == '_' || c == '.') && is(at(s, end + 1), C_DIGIT));
}

static bool match_row(const struct scan *s, size_t p, const struct id_row *r, bool named, struct match *m)
{
	for (unsigned i = 0; wanted(s, r->type) && i < ID_SHAPES && r->shapes[i]; i++) {
		if (!match_shape(s, p, r->shapes[i], m) || !ends(s, m->end))
			continue;
		if (!named && r->alone == ALONE_GROUPED && !m->seps)
			continue;
		if (r->check(m->compact, m->n))
			return true;
	}
	return false;
}

/* The first of the rows that fits, or NULL. */
static const struct id_row *first_row(const struct scan *s, size_t p, uint64_t rows, uint64_t named, struct match *m)
{
	for (; rows; rows &= rows - 1) {
		unsigned i = (unsigned)__builtin_ctzll(rows);
		if (match_row(s, p, &id_rows[i], named >> i & 1, m))
			return &id_rows[i];
	}
	return NULL;
}

static bool try_rows(struct scan *s, size_t p, uint64_t rows)
{
	struct match m, better;
	uint64_t named = s->letters && rows & ~id_always ? rows_named(s, p) : 0;
	const struct id_row *r = first_row(s, p, rows & (id_alone | named), named, &m);
	if (!r)
		return false;
	if (s->letters) {	/* one number may be several countries': a word decides */
		if (!named)
			named = rows_named(s, p);
		const struct id_row *by_word = first_row(s, p, rows & named, named, &better);
		if (by_word) {
			r = by_word;
			m = better;
		}
	}
	bool strong = r->alone == ALONE_ALWAYS || (r->alone == ALONE_GROUPED && m.seps);
	const struct finding f = {r->type, strong ? DETECT_STRONG : DETECT_WEAK, r->score, strong ? r->title : r->named, NULL};
	hit_add(s, p, m.end, &f, 0);
	if (m.end > s->numbers_until)
		s->numbers_until = m.end;
	return true;
}

bool find_id(struct scan *s, size_t p, unsigned n)
{
	uint8_t prev = before(s, p);
	uint64_t rows = n < sizeof id_by_run / sizeof *id_by_run ? id_by_run[n] : 0;
	if (!s->letters)
		rows &= id_alone;
	if (!rows || prev == '+' || (is(prev, C_SEP) && prev != ' ' && p - 1 > s->lo && is(before(s, p - 1), C_DIGIT)))
		return false;
	return try_rows(s, p, rows);
}

bool find_lettered_id(struct scan *s, size_t p)
{
	size_t start = p;
	while (p - start < 7 && is(before(s, start), C_UPPER))
		start--;
	if (start == p && before(s, p) == ' ')	/* AB 12 34 56 C */
		for (start = p - 1; p - start < 4 && is(before(s, start), C_UPPER);)
			start--;
	if (start == p || is(before(s, start), C_ALNUM))
		return false;
	unsigned letters = 0;
	while (is(at(s, start + letters), C_UPPER))
		letters++;
	return letters < 8 && try_rows(s, start, id_by_letters[letters]);
}

bool id_is(enum detect_type t, const char *text)
{
	const size_t n = strlen(text);
	for (uint64_t rows = ~(uint64_t)0; rows; rows &= rows - 1) {
		const struct id_row *r = &id_rows[__builtin_ctzll(rows)];
		if (!r->check)
			break;
		struct scan s = {.t = (const uint8_t *)text, .hi = n, .n = n};
		struct match m;
		for (unsigned i = 0; r->type == t && i < ID_SHAPES && r->shapes[i]; i++)
			if (match_shape(&s, 0, r->shapes[i], &m) && m.end == n)
				return r->check(m.compact, m.n);
	}
	return false;
}
