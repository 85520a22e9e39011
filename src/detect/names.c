/*
 * Names of people in text.  No text says for sure what a name is; these are the signs that are taken for one:
 *
 *   behind a phrase that introduces one ("my name is", "Frau", "Vorname:"): up to four words with capitals
 *   behind one that may ("I am", "Dear", "Best regards,"): a given name of catalog/names/first.txt, or two words with
 *   capitals where a greeting or a signature ends
 *   a given name that is no other word, and a word with a capital behind it
 *
 * Words are runs of letters; in scripts without capitals every word counts as one with a capital, behind a phrase only.
 * Weak all the same: DETECT_ALL doesn't hold DETECT_NAME.
 */
#include "detect/names.h"

#include <string.h>
#include <utf8proc.h>

#include "detect/fold.h"
#include "detect/names_rows.h"

enum { RECENT = 8, PHRASE_WORDS = 5, NAME_WORDS = 4, WORD_BYTES_MAX = 64 };

struct token {
	size_t start, end;
	uint8_t bits, len;	/* of the folded text */
	bool capital, shout, uncased;	/* its first letter; all of them; its script has none */
	char text[FOLD_BYTES];
};

/* ---- words ------------------------------------------------------------------------------------------------------- */

static uint8_t look_up(const struct name_word *table, unsigned mask, const char *s, size_t n)
{
	for (unsigned at = fold_hash(s, n) & mask; table[at].word; at = (at + 1) & mask)
		if (strncmp(name_text + table[at].word, s, n) == 0 && name_text[table[at].word + n] == 0)
			return table[at].bits;
	return 0;
}

/* The class of the character at p, and its length. */
static enum fold_class class_at(const struct scan *s, size_t p, size_t *len)
{
	utf8proc_int32_t c;
	*len = 1;
	if (p >= s->hi)
		return FOLD_BETWEEN;
	if (s->t[p] < 0x80)
		return fold_class_of(s->t[p]);
	utf8proc_ssize_t k = utf8proc_iterate(s->t + p, (utf8proc_ssize_t)(s->hi - p), &c);
	if (k <= 0)
		return FOLD_BETWEEN;
	*len = (size_t)k;
	return fold_class_of(c);
}

static bool is_letter(enum fold_class c)
{
	return c == FOLD_UPPER || c == FOLD_LOWER || c == FOLD_UNCASED;
}

/* The word that starts at p; false: none does. */
static bool read_token(const struct scan *s, size_t p, struct token *w)
{
	size_t len;
	enum fold_class c = class_at(s, p, &len);
	if (!is_letter(c))
		return false;
	w->start = p;
	w->capital = c == FOLD_UPPER;
	w->uncased = c == FOLD_UNCASED;
	w->shout = w->capital;
	for (p += len; p < s->hi; p += len) {
		c = class_at(s, p, &len);
		if (!is_letter(c) && c != FOLD_MARK)
			break;
		w->shout &= c != FOLD_LOWER;
	}
	w->end = p;
	w->len = (uint8_t)(p - w->start > WORD_BYTES_MAX ? 0 : fold_word((const char *)s->t + w->start, p - w->start, w->text));
	w->bits = w->len ? look_up(name_words, name_words_mask, w->text, w->len) : 0;
	return true;
}

/* ---- a name ------------------------------------------------------------------------------------------------------- */

struct name {
	size_t start, end;
	unsigned words;		/* with capitals */
	bool given, ambiguous;	/* the first of them */
	bool shout;
};

static size_t spaces(const struct scan *s, size_t p, unsigned most)
{
	for (unsigned n = 0; n < most; n++) {
		if (p < s->hi && (s->t[p] == ' ' || s->t[p] == '\t'))
			p++;
		else if (p + 1 < s->hi && s->t[p] == 0xc2 && s->t[p + 1] == 0xa0)	/* no-break space */
			p += 2;
		else
			break;
	}
	return p;
}

static bool is_title(const struct token *w)
{
	return w->len && look_up(name_phrases, name_phrases_mask, w->text, w->len) >> NAME_TITLE & 1;
}

/* Where the next word of a name could begin, behind one that ended at p: a hyphen, an apostrophe, a dot of an initial, a space. */
static size_t joined(const struct scan *s, const struct token *w, bool *tight)
{
	size_t p = w->end;
	*tight = true;
	if (p < s->hi && (s->t[p] == '-' || s->t[p] == '\''))
		return p + 1;
	if (p + 2 < s->hi && s->t[p] == 0xe2 && s->t[p + 1] == 0x80 && (s->t[p + 2] == 0x99 || s->t[p + 2] == 0x90))	/* ’ and a hyphen */
		return p + 3;
	*tight = false;
	if (p < s->hi && s->t[p] == '.' && w->end - w->start == 1)
		p++;
	return spaces(s, p, 1);
}

/* O'Brien, D’Angelo: what looks like a word of its own is part of the next. */
static bool elided(const struct scan *s, size_t p)
{
	size_t len;
	size_t sign = p < s->hi && s->t[p] == '\'' ? 1 : p + 2 < s->hi && s->t[p] == 0xe2 && s->t[p + 1] == 0x80 && s->t[p + 2] == 0x99 ? 3 : 0;
	return sign && class_at(s, p + sign, &len) == FOLD_UPPER;
}

/* The words from p on that a name could be; n->words is 0 when there are none. */
static void read_name(const struct scan *s, size_t p, struct name *n)
{
	struct token w, next;
	bool tight = false;
	*n = (struct name){.start = p};
	for (unsigned titles = 0; titles < 3 && read_token(s, p, &w) && w.capital && is_title(&w) && !(w.bits & NAME_GIVEN); titles++) {
		p = w.end + (w.end < s->hi && s->t[w.end] == '.');
		p = spaces(s, p, 2);
		n->start = p;
	}
	while (n->words < NAME_WORDS && read_token(s, p, &w)) {
		bool first = n->words == 0;
		if (w.bits & NAME_PARTICLE && !w.capital && !tight) {	/* counts with the word behind it only */
			size_t q = spaces(s, w.end, 1);
			if (q == w.end || !read_token(s, q, &next) || (!next.capital && !(next.bits & NAME_PARTICLE)))
				break;
			p = q;
			continue;
		}
		if (!(w.capital || w.uncased) || (w.bits & NAME_STOP && !tight && !(first && w.bits & NAME_GIVEN) && !elided(s, w.end)))
			break;
		if (first) {
			n->given = w.bits & NAME_GIVEN;
			n->ambiguous = w.bits & NAME_AMBIGUOUS;
			n->shout = w.shout && w.end - w.start > 2;
		}
		n->words += !tight || first;
		n->end = w.end;
		size_t q = joined(s, &w, &tight);
		if (q == w.end)
			break;
		p = q;
	}
}

/* Does a greeting or a signature end here: a comma, a full stop, the end of a line? */
static bool ends(const struct scan *s, size_t p)
{
	p = spaces(s, p, 2);
	return p >= s->hi || strchr(",.!?:;\n\r(<-", s->t[p]) != NULL;
}

struct sign {
	const char *why;
	uint8_t score;
};

static const struct sign signs[NAME_KINDS] = {
	[NAME_INTRO] = {"behind words that introduce a name", 80}, [NAME_PERHAPS] = {"a given name behind words for a person", 60},
	[NAME_TITLE] = {"behind a title", 75}, [NAME_GREETING] = {"behind a greeting", 65}, [NAME_CLOSING] = {"a signature", 60},
	[NAME_LABEL] = {"behind a label for a name", 80},
};
static const struct sign pair_sign = {"a given name and another word with a capital", 50};

static void add(struct scan *s, const struct name *n, const struct sign *sign)
{
	const struct finding f = {.type = DETECT_NAME, .tier = DETECT_WEAK, .score = sign->score, .why = sign->why};
	hit_add(s, n->start, n->end, &f, 0);
}

static bool convinces(const struct scan *s, enum name_kind kind, const struct name *n)
{
	bool given = n->given && (!n->ambiguous || n->words > 1 || ends(s, n->end));
	switch (kind) {
	case NAME_INTRO:
	case NAME_TITLE:
	case NAME_LABEL:
		return n->words > 0;
	case NAME_PERHAPS:
		return n->given && (!n->ambiguous || n->words > 1);
	case NAME_GREETING:
		return n->words && (given || (n->words > 1 && ends(s, n->end)));
	case NAME_CLOSING:
		return n->words && n->words < 4 && ends(s, n->end) && (n->given || n->words > 1);
	case NAME_KINDS:
		break;
	}
	return false;
}

/* Where the name would begin, behind a phrase of this kind that ended at p; SIZE_MAX: the wrong signs stand between. */
static size_t begins(const struct scan *s, enum name_kind kind, size_t p)
{
	size_t q;
	switch (kind) {
	case NAME_LABEL:
		q = p;
		while (q < s->hi && q < p + 3 && (s->t[q] == '"' || s->t[q] == '\'' || s->t[q] == ' '))
			q++;
		if (q >= s->hi || (s->t[q] != ':' && s->t[q] != '='))
			return SIZE_MAX;
		for (p = q + 1; p < s->hi && p < q + 5 && (s->t[p] == ' ' || s->t[p] == '"' || s->t[p] == '\'');)
			p++;
		return p;
	case NAME_CLOSING:
		for (q = p; q < s->hi && q < p + 8 && strchr(" ,.!-\r\n\t", s->t[q]);)
			q++;
		return q > p ? q : SIZE_MAX;
	case NAME_TITLE:
		q = p + (p < s->hi && s->t[p] == '.');
		return spaces(s, q, 2) > p ? spaces(s, q, 2) : SIZE_MAX;
	case NAME_INTRO:
	case NAME_PERHAPS:
	case NAME_GREETING:
		q = p + (p < s->hi && (s->t[p] == ':' || s->t[p] == ','));
		q = spaces(s, q, 2);
		return q > p ? q : SIZE_MAX;
	case NAME_KINDS:
		break;
	}
	return SIZE_MAX;
}

/* ---- phrases ------------------------------------------------------------------------------------------------------ */

/* Between the words of a phrase: one sign or space ("my name is", "c/o", "je m'appelle", "first_name"). */
static bool adjacent(const struct scan *s, const struct token *a, const struct token *b)
{
	size_t gap = b->start - a->end;
	if (gap == 3 && s->t[a->end] == 0xe2 && s->t[a->end + 1] == 0x80)	/* ’ */
		return true;
	return gap == 1 && strchr(" '_-/", s->t[a->end]) != NULL;
}

/* A label stands at a border: "class name:" is none. */
static bool at_border(const struct scan *s, size_t p)
{
	if (p > s->lo && (s->t[p - 1] == ' ' || s->t[p - 1] == '_' || s->t[p - 1] == '-'))
		p--;
	else
		return true;
	return p == s->lo || !(is(s->t[p - 1], C_ALNUM) || s->t[p - 1] >= 0x80);
}

static size_t try_kinds(struct scan *s, unsigned kinds, const struct token *from, const struct token *last)
{
	for (enum name_kind k = 0; k < NAME_KINDS; k++) {
		struct name n;
		size_t p;
		if (!(kinds >> k & 1) || (k == NAME_LABEL && !at_border(s, from->start)))
			continue;
		if ((p = begins(s, k, last->end)) >= s->hi)
			continue;
		read_name(s, p, &n);
		if (!convinces(s, k, &n))
			continue;
		add(s, &n, &signs[k]);
		return n.end;
	}
	return 0;
}

/* The phrases that end with the newest of the recent words, the longest first; where the name behind it ended, or 0. */
static size_t try_phrases(struct scan *s, const struct token *recent, unsigned count)
{
	const struct token *last = &recent[(count - 1) % RECENT];
	char text[PHRASE_WORDS * (FOLD_BYTES + 1)];
	size_t at = sizeof text;
	unsigned kinds[PHRASE_WORDS] = {0}, words = 0;
	for (; words < PHRASE_WORDS && words < count; words++) {
		const struct token *w = &recent[(count - 1 - words) % RECENT];
		if (!w->len || (words && !adjacent(s, w, &recent[(count - words) % RECENT])))
			break;
		if (words)
			text[--at] = ' ';
		at -= w->len;
		memcpy(text + at, w->text, w->len);
		kinds[words] = look_up(name_phrases, name_phrases_mask, text + at, sizeof text - at);
	}
	while (words-- > 0) {
		size_t end = kinds[words] ? try_kinds(s, kinds[words], &recent[(count - 1 - words) % RECENT], last) : 0;
		if (end)
			return end;
	}
	return 0;
}

static size_t try_pair(struct scan *s, const struct token *w)
{
	struct name n;
	size_t len;
	bool double_name = w->end < s->hi && s->t[w->end] == '-' && class_at(s, w->end + 1, &len) == FOLD_UPPER;
	if (!w->capital || (w->shout && w->end - w->start > 1) || !(w->bits & NAME_GIVEN) || (w->bits & NAME_AMBIGUOUS && !double_name))
		return 0;
	read_name(s, w->start, &n);
	if (n.words < 2)
		return 0;
	add(s, &n, &pair_sign);
	return n.end;
}

void find_names(struct scan *s)
{
	struct token recent[RECENT];
	unsigned count = 0;
	size_t len;
	for (size_t p = s->lo; p < s->hi;) {
		struct token *w = &recent[count % RECENT];
		if (!read_token(s, p, w)) {
			class_at(s, p, &len);
			p += len;
			continue;
		}
		count++;
		size_t end = w->bits & NAME_ENDS ? try_phrases(s, recent, count) : 0;
		if (!end)
			end = try_pair(s, w);
		if (end)
			count = 0;	/* what ended there begins no phrase */
		p = end ? end : w->end;
	}
}
