/* Names of members to categories.  The rule of the match stands in catalog/detectors/fields.yaml. */
#include "detect/fields.h"

#include <string.h>
#include <utf8proc.h>

#include "detect/fields_rows.h"
#include "detect/fold.h"

enum {
	WORDS_MAX = 32,		/* of a path; of a longer one the last */
	SEGMENTS = 4,		/* the last and its parents */
	WORD_BYTES = FOLD_BYTES,	/* a longer word is nobody's */
	NAME_WORDS = 5,
	TEXT_BYTES = WORDS_MAX * (WORD_BYTES + 1),
};

struct path_word {
	uint16_t at, len;	/* in text */
	uint16_t bits;
	uint8_t segment;	/* counted from the front */
	bool number;
};

struct path_words {
	struct path_word v[WORDS_MAX];
	unsigned n, segments;
	char text[TEXT_BYTES];
	size_t len;
};

/* ---- the tables -------------------------------------------------------------------------------------------------- */

static const struct field_word *word_of(const char *s, size_t n)
{
	for (unsigned at = fold_hash(s, n) & field_words_mask; field_words[at].word; at = (at + 1) & field_words_mask)
		if (strncmp(field_text + field_words[at].word, s, n) == 0 && field_text[field_words[at].word + n] == 0)
			return &field_words[at];
	return NULL;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

/* A word's singular, or the word as it stands. */
static uint16_t bits_of(const char *s, size_t *n)
{
	const struct field_word *w = NULL;
	for (size_t cut = 1; !w && cut <= 2 && *n >= 2 + cut && s[*n - 1] == 's' && (cut == 1 || s[*n - 2] == 'e'); cut++)
		if ((w = word_of(s, *n - cut)))
			*n -= cut;
	if (!w)
		w = word_of(s, *n);
	return w ? w->bits : 0;
}

static void add_word(struct path_words *p, const char *s, size_t n, bool number)
{
	if (p->len + WORD_BYTES > sizeof p->text)	/* a very long path: what was before doesn't count */
		p->n = 0, p->len = 0;
	size_t len = fold_word(s, n, p->text + p->len);
	if (p->n == WORDS_MAX) {	/* the front is the least that matters */
		memmove(p->v, p->v + 1, (WORDS_MAX - 1) * sizeof *p->v);
		p->n--;
	}
	struct path_word *w = &p->v[p->n++];
	*w = (struct path_word){.at = (uint16_t)p->len, .segment = (uint8_t)p->segments, .number = number};
	w->bits = number ? 0 : bits_of(p->text + p->len, &len);
	w->len = (uint16_t)len;
	p->len += len;
}

/*
 * Where the word that starts at s ends: at a border of kinds, at a hump ("userId", "IPAddress": the last capital belongs to
 * what follows), but not before the s of a plural ("userIDs").
 */
static size_t word_end(const char *s, size_t n)
{
	utf8proc_int32_t c;
	enum fold_class was = FOLD_BETWEEN;
	size_t capitals = 0, last = 0;
	for (size_t i = 0; i < n;) {
		utf8proc_ssize_t k = utf8proc_iterate((const utf8proc_uint8_t *)s + i, (utf8proc_ssize_t)(n - i), &c);
		enum fold_class is = k > 0 ? fold_class_of(c) : FOLD_BETWEEN;
		is = is == FOLD_UNCASED ? FOLD_LOWER : is;
		if (is == FOLD_MARK && was != FOLD_BETWEEN) {
			i += (size_t)k;
			continue;
		}
		if (is == FOLD_BETWEEN || is == FOLD_MARK || (was != FOLD_BETWEEN && (was == FOLD_DIGIT) != (is == FOLD_DIGIT)))
			return i;
		if (is == FOLD_UPPER && was == FOLD_LOWER)
			return i;
		bool plural = s[i] == 's' && (i + 1 == n || fold_class_of(s[i + 1] & 0x7f) != FOLD_LOWER);
		if (is == FOLD_LOWER && was == FOLD_UPPER && capitals > 1 && !plural)
			return last;
		capitals = is == FOLD_UPPER ? capitals + 1 : capitals;
		last = i;
		was = is;
		i += (size_t)k;
	}
	return n;
}

/* Segments end at a dot and around brackets; dots and brackets inside of ["quotes"] are only borders of words. */
static void cut(struct path_words *p, const char *s, size_t n)
{
	bool quoted = false;
	p->n = p->segments = 0;
	p->len = 0;
	for (size_t i = 0; i < n;) {
		size_t len = word_end(s + i, n - i);
		if (len) {
			bool digits = s[i] >= '0' && s[i] <= '9';
			if (!digits || quoted || !i || s[i - 1] != '[')	/* the place in an array is no word */
				add_word(p, s + i, len, digits);
			i += len;
			continue;
		}
		if (s[i] == '"' && (quoted ? i + 1 < n && s[i + 1] == ']' : i && s[i - 1] == '['))
			quoted = !quoted;
		if (!quoted && (s[i] == '.' || s[i] == '[') && p->n && p->v[p->n - 1].segment == p->segments && p->segments < UINT8_MAX)
			p->segments++;
		i++;
	}
}

/* ---- the match --------------------------------------------------------------------------------------------------- */

struct match {
	const struct field_row *row;
	unsigned when;
};

/* Of names that fit the same words: groups in their order, then what stands alone, then the rest. */
static unsigned rank(unsigned when)
{
	return when >= NAME_GROUP0 ? when - NAME_GROUP0 : 100 - when;
}

/* Is the word before `from` of this group?  Tails and numbers between don't count, nor where segments begin. */
static bool behind(const struct path_words *p, unsigned from, unsigned group)
{
	for (unsigned i = from; i > 0; i--) {
		const struct path_word *w = &p->v[i - 1];
		if (w->bits & WORD_GROUP0 << group)
			return true;
		if (!w->number && !(w->bits & (WORD_TAIL | WORD_ROLE)))
			return false;
	}
	return false;
}

/* Nothing but numbers beside it in its segment; a tail can't say it all behind a name. */
static bool alone(const struct path_words *p, unsigned from, unsigned to)
{
	unsigned segment = p->v[to - 1].segment;
	bool tail = to - from == 1 && p->v[from].bits & WORD_TAIL;
	if (p->v[from].segment != segment)
		return false;
	for (unsigned i = 0; i < p->n; i++) {
		bool passes = p->v[i].number || (i >= from && i < to) || (tail && p->v[i].bits & WORD_TAIL);
		if (!passes && (p->v[i].segment == segment || (tail && i < from)))
			return false;
	}
	return true;
}

/* What stands before it in its segment doesn't say that it is about the thing rather than the thing ("is", "num"). */
static bool headless(const struct path_words *p, unsigned from)
{
	for (unsigned i = from; i > 0 && p->v[i - 1].segment == p->v[from].segment; i--)
		if (p->v[i - 1].bits & WORD_HEAD)
			return false;
	return true;
}

static bool fits(const struct path_words *p, const struct field_name *n, unsigned from, unsigned to, unsigned seen)
{
	const struct field_row *r = &field_rows[n->row];
	if (n->when == NAME_ALONE && !alone(p, from, to))
		return false;
	if (n->when == NAME_SAME && p->v[from].segment != p->v[to - 1].segment)
		return false;
	if (n->when >= NAME_GROUP0 && !behind(p, from, n->when - NAME_GROUP0) &&
	    !(seen & FIELD_OF_PERSON && n->when == NAME_GROUP0 + GROUP_PERSON && alone(p, from, to)))
		return false;
	if (seen & (FIELD_SAW_TEXT | FIELD_SAW_NUMBER | FIELD_SAW_FLAG))
		switch (r->of) {
		case FIELD_OF_ANY:
			break;
		case FIELD_OF_DATA:
			if (!(seen & (FIELD_SAW_TEXT | FIELD_SAW_NUMBER)))
				return false;
			break;
		case FIELD_OF_TEXT:
			if (!(seen & FIELD_SAW_TEXT))
				return false;
			break;
		case FIELD_OF_NUMBER:
			if (!(seen & FIELD_SAW_NUMBER))
				return false;
			break;
		}
	return headless(p, from);
}

/* The row that words [from, to) name. */
static void look_up(const struct path_words *p, unsigned from, unsigned to, unsigned seen, struct match *best)
{
	char name[NAME_WORDS * (WORD_BYTES + 1)];
	size_t len = 0;
	for (unsigned i = from; i < to; i++) {
		const struct path_word *w = &p->v[i];
		if (w->len == 0)
			return;
		if (i > from)
			name[len++] = ' ';
		memcpy(name + len, p->text + w->at, w->len);
		len += w->len;
	}
	for (unsigned at = fold_hash(name, len) & field_names_mask; field_names[at].words; at = (at + 1) & field_names_mask) {
		const struct field_name *n = &field_names[at];
		if (strncmp(field_text + n->words, name, len) != 0 || field_text[n->words + len] || !fits(p, n, from, to, seen))
			continue;
		if (!best->row || rank(n->when) < rank(best->when))
			*best = (struct match){&field_rows[n->row], n->when};
	}
}

static bool only(const struct path_words *p, unsigned from, unsigned bits)
{
	for (unsigned i = from; i < p->n; i++)
		if (!p->v[i].number && !(p->v[i].bits & bits))
			return false;
	return true;
}

const char *detect_field(const char *path, size_t n, unsigned seen)
{
	struct path_words p;
	struct match best = {0};
	cut(&p, path, n);
	if (p.n == 0)
		return NULL;
	unsigned last = p.v[p.n - 1].segment, own = p.n, front = 0;
	while (own > 0 && p.v[own - 1].segment == last)
		own--;
	while (p.v[front].segment + (unsigned)SEGMENTS <= last)
		front++;
	/* Inside the last segment, or, where that holds nothing but tails, up to its beginning. */
	for (unsigned to = p.n; to > front && !best.row; to--) {
		if (!only(&p, to, to <= own ? WORD_TAIL : WORD_TAIL | WORD_ROLE))
			break;
		unsigned low = to > NAME_WORDS + front ? to - NAME_WORDS : front;
		for (unsigned from = low; from < to && !best.row; from++)
			look_up(&p, from, to, seen, &best);
	}
	return best.row ? best.row->category : NULL;
}

const char *detect_field_word(const char *category)
{
	static const struct {
		const char *category, *word;
	} rows[] = {
		{"user.contact.phone_number", "phone"}, {"user.contact.fax_number", "fax"}, {"user.financial.credit_card", "card"},
		{"user.demographic.date_of_birth", "dob"}, {"user.government_id", ""}, {"user.health_and_medical.record_id", ""},
		{"user.health_and_medical.insurance_beneficiary_id", ""}, {"user.device.device_id", ""},
	};
	for (size_t i = 0; category && i < sizeof rows / sizeof *rows; i++)
		if (detect_category_in(category, rows[i].category))
			return rows[i].word;
	return NULL;
}

bool detect_category_in(const char *category, const char *of)
{
	size_t n = strlen(of);
	return strncmp(category, of, n) == 0 && (category[n] == 0 || category[n] == '.');
}
