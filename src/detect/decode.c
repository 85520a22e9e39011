/*
 * Hidden forms: percent-encoding (RFC 3986), \uXXXX, \xXX and &#N; left over from an inner JSON or HTML, quoted-printable
 * (RFC 2045), characters that only look like ASCII (full-width, mathematical, other scripts' digits, Cyrillic and Greek
 * letters within Latin words), invisible ones, and "name [at] host [dot] org".
 *
 * Where a mark says that something decodable starts, a window of the text is copied and decoded in place, several
 * times while that changes it (so %2540 is an @ too), with a map back to the original bytes.  The copy is scanned like
 * any text; its hits cover the original bytes of every character in them.
 */
#include <limits.h>
#include <string.h>

#include "detect/core.h"

enum { COPY = 4096, LEAD = 768, ROUNDS = 4, PAD = 64, SUB_HITS = 64, BACKSLASHES = 16 };

/* ---- one decodable thing ---------------------------------------------------------------------------------------- */

enum { NOTHING = -2, DELETED = -1 };
/* What stands at p[0..n): a byte to put in its place, DELETED, or NOTHING; *used says how long it is.  `back` bytes before p are readable. */

static int hex_pair(const uint8_t *p, size_t n, size_t *used)
{
	if (n < 3 || hex_value(p[1]) < 0 || hex_value(p[2]) < 0)
		return NOTHING;
	*used = 3;
	return hex_value(p[1]) * 16 + hex_value(p[2]);
}

/* [at] (at) [dot] (dot) */
static int spelled(const uint8_t *p, size_t n, size_t *used)
{
	uint8_t close = p[0] == '[' ? ']' : ')';
	if (n >= 4 && (p[1] | 0x20) == 'a' && (p[2] | 0x20) == 't' && p[3] == close) {
		*used = 4;
		return '@';
	}
	if (n >= 5 && (p[1] | 0x20) == 'd' && (p[2] | 0x20) == 'o' && (p[3] | 0x20) == 't' && p[4] == close) {
		*used = 5;
		return '.';
	}
	return NOTHING;
}

/* Characters above ASCII, as ranges in order: `to` is the ASCII of the first, -1 for deleted; every `cycle` it starts again. */
static const struct fold {
	uint32_t from, last;
	int16_t to;
	uint8_t cycle;	/* 0: all of the range become `to` */
} folds[] = {
	{0x00a0, 0x00a0, ' ', 0}, {0x00ad, 0x00ad, DELETED, 0}, {0x00b2, 0x00b3, '2', 2}, {0x00b9, 0x00b9, '1', 0},
	{0x034f, 0x034f, DELETED, 0}, {0x061c, 0x061c, DELETED, 0}, {0x0660, 0x0669, '0', 10}, {0x06f0, 0x06f9, '0', 10},
	{0x07c0, 0x07c9, '0', 10}, {0x0966, 0x096f, '0', 10}, {0x09e6, 0x09ef, '0', 10}, {0x0a66, 0x0a6f, '0', 10},
	{0x0ae6, 0x0aef, '0', 10}, {0x0b66, 0x0b6f, '0', 10}, {0x0be6, 0x0bef, '0', 10}, {0x0c66, 0x0c6f, '0', 10},
	{0x0ce6, 0x0cef, '0', 10}, {0x0d66, 0x0d6f, '0', 10}, {0x0e50, 0x0e59, '0', 10}, {0x0ed0, 0x0ed9, '0', 10},
	{0x0f20, 0x0f29, '0', 10}, {0x1040, 0x1049, '0', 10}, {0x115f, 0x1160, DELETED, 0}, {0x17b4, 0x17b5, DELETED, 0},
	{0x17e0, 0x17e9, '0', 10}, {0x180b, 0x180f, DELETED, 0}, {0x1810, 0x1819, '0', 10},
	{0x2000, 0x200a, ' ', 0}, {0x200b, 0x200f, DELETED, 0}, {0x2010, 0x2015, '-', 0}, {0x2024, 0x2024, '.', 0},
	{0x2028, 0x2029, '\n', 0}, {0x202a, 0x202e, DELETED, 0}, {0x202f, 0x202f, ' ', 0}, {0x2043, 0x2043, '-', 0}, {0x205f, 0x205f, ' ', 0},
	{0x2060, 0x206f, DELETED, 0}, {0x2070, 0x2070, '0', 0}, {0x2074, 0x2079, '4', 6}, {0x2080, 0x2089, '0', 10}, {0x2212, 0x2212, '-', 0},
	{0x2460, 0x2468, '1', 9}, {0x2474, 0x247c, '1', 9}, {0x2488, 0x2490, '1', 9}, {0x24b6, 0x24cf, 'A', 26}, {0x24d0, 0x24e9, 'a', 26},
	{0x24ea, 0x24ea, '0', 0},	/* circled, in brackets, with a dot */
	{0x2776, 0x277e, '1', 9}, {0x2780, 0x2788, '1', 9}, {0x278a, 0x2792, '1', 9}, {0x3164, 0x3164, DELETED, 0},
	{0xfe00, 0xfe0f, DELETED, 0}, {0xfe52, 0xfe52, '.', 0}, {0xfe58, 0xfe58, '-', 0}, {0xfe62, 0xfe62, '+', 0}, {0xfe63, 0xfe63, '-', 0},
	{0xfe6b, 0xfe6b, '@', 0}, {0xfeff, 0xfeff, DELETED, 0}, {0xff01, 0xff5e, '!', 94}, {0xffa0, 0xffa0, DELETED, 0},
	{0xfff9, 0xfffb, DELETED, 0},
	{0x1d400, 0x1d433, 'A', 52}, {0x1d434, 0x1d6a3, 'A', 52},	/* mathematical letters: A-Z a-z again and again */
	{0x1d7ce, 0x1d7ff, '0', 10}, {0x1f130, 0x1f149, 'A', 26}, {0x1f150, 0x1f169, 'A', 26}, {0x1f170, 0x1f189, 'A', 26},
	{0x1fbf0, 0x1fbf9, '0', 10}, {0xe0000, 0xe007f, DELETED, 0}, {0xe0100, 0xe01ef, DELETED, 0},
};

static int fold(uint32_t cp)
{
	size_t lo = 0, hi = sizeof folds / sizeof *folds;
	while (lo < hi) {	/* the first range that does not end before cp */
		size_t mid = (lo + hi) / 2;
		if (folds[mid].last < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == sizeof folds / sizeof *folds || cp < folds[lo].from)
		return NOTHING;
	const struct fold *f = &folds[lo];
	if (f->cycle == 0)
		return f->to;
	int k = (int)((cp - f->from) % f->cycle);
	return f->cycle == 52 && k >= 26 ? 'a' + k - 26 : f->to + k;
}

static int hex4(const uint8_t *p)
{
	int v = 0;
	for (int i = 0; i < 4; i++) {
		if (hex_value(p[i]) < 0)
			return -1;
		v = v << 4 | hex_value(p[i]);
	}
	return v;
}

/* Greek and Cyrillic letters with a Latin twin (Unicode TR 39, confusables): from U+0370 and U+0400, 0 for none. */
static uint8_t twin(uint32_t cp)
{
	static const uint8_t greek[0x60] = {
		[0x21] = 'A', [0x22] = 'B', [0x25] = 'E', [0x26] = 'Z', [0x27] = 'H', [0x29] = 'I', [0x2a] = 'K', [0x2c] = 'M', [0x2d] = 'N',
		[0x2f] = 'O', [0x31] = 'P', [0x34] = 'T', [0x35] = 'Y', [0x37] = 'X', [0x41] = 'a', [0x49] = 'i', [0x4d] = 'v', [0x4f] = 'o',
		[0x51] = 'p', [0x55] = 'u',
	}, cyrillic[0x60] = {
		[0x05] = 'S', [0x06] = 'I', [0x08] = 'J', [0x10] = 'A', [0x12] = 'B', [0x15] = 'E', [0x1a] = 'K', [0x1c] = 'M', [0x1d] = 'H',
		[0x1e] = 'O', [0x20] = 'P', [0x21] = 'C', [0x22] = 'T', [0x23] = 'Y', [0x25] = 'X', [0x30] = 'a', [0x35] = 'e', [0x3e] = 'o',
		[0x40] = 'p', [0x41] = 'c', [0x43] = 'y', [0x45] = 'x', [0x55] = 's', [0x56] = 'i', [0x58] = 'j',
	};
	return cp >= 0x370 && cp < 0x3d0 ? greek[cp - 0x370] : cp >= 0x400 && cp < 0x460 ? cyrillic[cp - 0x400] : 0;
}

/* What stands before p and the backslashes in front of it; 0: nothing. */
static uint8_t behind(const uint8_t *p, size_t back)
{
	size_t k = 0;
	while (k < back && k < BACKSLASHES && *(p - 1 - k) == '\\')
		k++;
	return k < back ? *(p - 1 - k) : 0;
}

/* Of an escape `used` bytes long: a Latin twin counts beside a letter, a digit or another escape. */
static int character(uint32_t cp, const uint8_t *p, size_t n, size_t back, size_t used)
{
	uint8_t latin = twin(cp), next = n > used ? p[used] : 0;
	if (cp < 0x80)
		return (int)cp;
	if (latin)
		return is(behind(p, back), C_ALNUM) || is(next, C_ALNUM) || next == *p ? latin : NOTHING;
	return fold(cp);
}

/* Backslashes from p on, at most BACKSLASHES. */
static size_t backslashes(const uint8_t *p, size_t n)
{
	size_t i = 0;
	while (i < n && i < BACKSLASHES && p[i] == '\\')
		i++;
	return i;
}

/* 4111\n1111: a break that an inner JSON writes so, where it could part a number. */
static int broken_line(const uint8_t *p, size_t n, size_t back, size_t *used)
{
	if (n < 3 || !is(p[2], C_DIGIT) || !is(behind(p, back), C_DIGIT))
		return NOTHING;
	*used = 2;
	return ' ';
}

/* \u{40} */
static int braced(const uint8_t *p, size_t n, size_t back, size_t *used)
{
	uint32_t v = 0;
	size_t i = 3;
	for (; i < n && i < 9 && hex_value(p[i]) >= 0; i++)
		v = v << 4 | (uint32_t)hex_value(p[i]);
	if (i == 3 || i >= n || p[i] != '}')
		return NOTHING;
	*used = i + 1;
	return character(v, p, n, back, *used);
}

/* \u0040; of a pair of surrogates both, whatever escapes the second one's backslash. */
static int unicode(const uint8_t *p, size_t n, size_t back, size_t *used)
{
	int c = n >= 6 ? hex4(p + 2) : -1;
	if (c < 0)
		return NOTHING;
	*used = 6;
	if (c < 0xd800 || c > 0xdbff)
		return character((uint32_t)c, p, n, back, 6);
	size_t k = 6 + backslashes(p + 6, n - 6);
	int low = k > 6 && n >= k + 5 && p[k] == 'u' ? hex4(p + k + 1) : -1;
	if (low < 0xdc00 || low > 0xdfff)
		return NOTHING;
	*used = k + 5;
	return fold(0x10000u + ((uint32_t)(c - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
}

static int escape(const uint8_t *p, size_t n, size_t back, size_t *used)
{
	const uint8_t c = n > 3 ? p[1] : 0;
	if (c == 'u')
		return p[2] == '{' ? braced(p, n, back, used) : unicode(p, n, back, used);
	if (c == 'n' || c == 't' || c == 'r')
		return broken_line(p, n, back, used);
	if (c == 'x') {
		int v = hex_pair(p + 1, n - 1, used);
		*used += v != NOTHING;
		return v;
	}
	if ((c == '0' || c == '1') && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {	/* \100 */
		*used = 4;
		return (c - '0') * 64 + (p[2] - '0') * 8 + p[3] - '0';
	}
	return NOTHING;
}

/* %40, and %u0040 as escape() of browsers writes it. */
static int percent(const uint8_t *p, size_t n, size_t back, size_t *used)
{
	return n >= 6 && p[1] == 'u' ? unicode(p, n, back, used) : hex_pair(p, n, used);
}

/* &amp; in front of what is a reference itself, once or more: &amp;#64;  Elsewhere it hides nothing, and is everywhere. */
static bool ampersand(const uint8_t *p, size_t n)
{
	size_t i = 1;
	while (i + 4 < n && i < 16 && memcmp(p + i, "amp;", 4) == 0)
		i += 4;
	return i > 1 && p[i] == '#';
}

static int html_reference(const uint8_t *p, size_t n, size_t back, size_t *used)
{
	static const struct {
		const char *name;
		char is;
	} named[] = {{"&commat;", '@'}, {"&period;", '.'}, {"&plus;", '+'}, {"&lpar;", '('}, {"&rpar;", ')'}, {"&hyphen;", '-'},
		     {"&colon;", ':'}, {"&sol;", '/'}, {"&lowbar;", '_'}, {"&nbsp;", ' '}};
	if (n > 5 && p[1] == 'a') {
		*used = 5;
		return ampersand(p, n) ? '&' : NOTHING;
	}
	for (size_t i = 0; n > 4 && p[1] != '#' && i < sizeof named / sizeof *named; i++) {
		size_t len = strlen(named[i].name);
		if (n >= len && memcmp(p, named[i].name, len) == 0) {
			*used = len;
			return named[i].is;
		}
	}
	if (n < 4 || p[1] != '#')
		return NOTHING;
	bool hex = (p[2] | 0x20) == 'x';
	uint32_t base = hex ? 16 : 10, v = 0;
	size_t first = hex ? 3 : 2, i = first;
	for (; i < n && i - first < 7 && hex_value(p[i]) >= 0 && (uint32_t)hex_value(p[i]) < base; i++)
		v = v * base + (uint32_t)hex_value(p[i]);
	if (i == first || v == 0)
		return NOTHING;
	*used = i < n && p[i] == ';' ? i + 1 : i;
	return character(v, p, n, back, *used);
}

/* A Latin twin counts where it stands within a Latin word or number. */
static int look_alike(const uint8_t *p, size_t n, size_t back, size_t *used)
{
	uint8_t c = p[0];
	size_t k = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
	if (k == 0 || k > n)
		return NOTHING;
	uint32_t cp = c & (0xffu >> (k + 1));
	for (size_t i = 1; i < k; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return NOTHING;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	*used = k;
	if (cp < 0x80)	/* longer than it needs to be: %C1%80 */
		return k == 2 ? (int)cp : NOTHING;
	uint8_t latin = k == 2 ? twin(cp) : 0;
	if (latin)
		return (n > 2 && is(p[2], C_ALNUM)) || (back && is(p[-1], C_ALNUM)) ? latin : NOTHING;
	return fold(cp);
}

/* The line break at p: \r\n, \n, or what an inner JSON writes for them; 0: none. */
static size_t line_end(const uint8_t *p, size_t n)
{
	size_t len = 0;
	for (const char *sign = "\r\n"; *sign; sign++) {
		size_t k = backslashes(p + len, n - len);
		if (len + k < n && p[len + k] == (k ? (*sign == '\n' ? 'n' : 'r') : (uint8_t)*sign))
			len += k + 1;
	}
	return len;
}

/*
 * =40, and = at the end of a line.  signs: how many = there are that are quoted-printable's: with more than two, letters and
 * digits may be written so, too; BREAKS: other = are none of it, only ends of lines count.
 */
enum { BREAKS = UINT_MAX };
static int quoted(const uint8_t *p, size_t n, unsigned signs, size_t *used)
{
	const uint8_t next = n > 1 ? p[1] : 0;
	size_t end = next == '\n' || next == '\r' || next == '\\' ? line_end(p + 1, n - 1) : 0;
	if (end) {
		*used = 1 + end;
		return DELETED;
	}
	int c = signs == BREAKS ? NOTHING : hex_pair(p, n, used);
	return c == '\n' || c == '\r' || c >= ' ' ? (is((uint8_t)c, C_ALNUM) && signs < 3 ? NOTHING : c) : NOTHING;
}

static int decode_one(const uint8_t *p, size_t n, size_t back, size_t *used)
{
	if (*p >= 0x80)
		return look_alike(p, n, back, used);
	switch (*p) {
	case '%':
		return percent(p, n, back, used);
	case '\\':
		return escape(p, n, back, used);
	case '&':
		return html_reference(p, n, back, used);
	case '[':
	case '(':
		return spelled(p, n, used);
	default:
		*used = 1;
		return *p <= 8 ? DELETED : NOTHING;	/* a\0b\0: UTF-16 read as bytes */
	}
}

bool decodable(const struct scan *s, size_t p)
{
	size_t used;
	return decode_one(s->t + p, s->hi - p, p - s->lo, &used) != NOTHING;
}

/* ---- the decoded copy ------------------------------------------------------------------------------------------- */

struct copy {
	uint8_t text[COPY + PAD];
	uint16_t from[COPY + 1];	/* where each byte's original starts; from[n] where the last one's ends */
	size_t n;
	bool spelled;	/* an [at] was seen: " dot " is a dot too */
	unsigned quoted;	/* how many = are quoted-printable's, or BREAKS; 0: it isn't that */
	unsigned via;	/* what was decoded anywhere in it */
};

static unsigned via_of(uint8_t first)
{
	return first == '%' ? DETECT_VIA_PERCENT : first == '\\' || first == '&' || first == '=' ? DETECT_VIA_ESCAPE : DETECT_VIA_LOOKALIKE;
}

/* What decode_one looks at; = only in quoted-printable. */
enum { ODD = 1, ODD_QUOTED = 2 };
static const uint8_t odd_bytes[256] = {
	[0 ... 8] = ODD, ['%'] = ODD, ['\\'] = ODD, ['&'] = ODD, ['['] = ODD, ['('] = ODD, ['='] = ODD_QUOTED, [0x80 ... 0xff] = ODD,
};

static bool word_dot(const uint8_t *p, size_t n)
{
	return n >= 5 && p[0] == ' ' && (p[1] | 0x20) == 'd' && (p[2] | 0x20) == 'o' && (p[3] | 0x20) == 't' && p[4] == ' ';
}

/* Every = begins two hex digits or ends a line, and one is an @ or ends one: a query (?a=b) or a table of settings has others. */
static unsigned quoted_signs(const uint8_t *t, size_t n)
{
	unsigned count = 0;
	size_t used;
	bool breaks = false, sign = false, other = false;
	for (const uint8_t *p = t; (p = memchr(p, '=', n - (size_t)(p - t))); p++, count++) {
		int v = quoted(p, n - (size_t)(p - t), 3, &used);
		other |= p + 1 < t + n && v == NOTHING;
		breaks |= v == DELETED;
		sign |= v == '@';
	}
	return other ? (breaks ? BREAKS : 0) : breaks || sign ? count : 0;
}

/* From `first` on.  True when something changed and something odd is left. */
static bool decode_round(struct copy *c, size_t first)
{
	size_t out = first;
	bool changed = false, odd = false, tight = false;	/* tight: blanks after a spelled sign go too */
	for (size_t i = first; i < c->n;) {
		uint8_t b = c->text[i];
		uint16_t from = c->from[i];
		size_t used = 1;
		int v = NOTHING;
		if (odd_bytes[b] == ODD)
			v = decode_one(c->text + i, c->n - i, i, &used);
		else if (odd_bytes[b] && c->quoted)
			v = quoted(c->text + i, c->n - i, c->quoted, &used);
		if (v == NOTHING && c->spelled && word_dot(c->text + i, c->n - i)) {
			v = '.';
			used = 5;
		}
		if (v == NOTHING) {
			i++;
			if (tight && (b == ' ' || b == '+'))
				continue;
			tight = false;
			odd |= odd_bytes[b] == ODD;
			c->text[out] = b;
			c->from[out++] = from;
			continue;
		}
		bool sign = used > 3 && (b == '[' || b == '(');
		i += used;
		changed = true;
		c->via |= via_of(b);
		if (b == '\\')	/* an escape of an escape */
			while (out > 0 && c->text[out - 1] == '\\')
				out--;
		if (v == DELETED)
			continue;
		if (sign) {
			while (out > 0 && (c->text[out - 1] == ' ' || c->text[out - 1] == '+'))
				out--;
			c->spelled |= v == '@';
		}
		tight = sign;
		odd |= odd_bytes[(uint8_t)v] == ODD || sign;
		c->text[out] = (uint8_t)v;
		c->from[out++] = from;
	}
	c->from[out] = c->from[c->n];
	c->n = out;
	return changed && odd;
}

static void copy_fill(struct copy *c, const uint8_t *t, size_t n, size_t first, unsigned quoted)
{
	memcpy(c->text, t, n);
	for (size_t i = 0; i <= n; i++)
		c->from[i] = (uint16_t)i;
	c->n = n;
	c->quoted = quoted;
	c->spelled = false;
	c->via = 0;
	for (unsigned k = 0; k < ROUNDS && decode_round(c, k || quoted ? 0 : first); k++)
		;
	memset(c->text + c->n, 0, PAD);
}

/* Not a blank, quote or control: a hit cut by the edge of a window goes on to the end of its word. */
static bool inner(uint8_t c)
{
	return c > ' ' && c != '"' && c != '\'' && c != '<' && c != '>' && c != ',';
}

static void add_copied(struct scan *s, const struct copy *c, size_t base, size_t len, const struct detect_hit *h)
{
	size_t start = base + c->from[h->start], end = base + c->from[h->end];
	if (h->end == c->n)
		end = base + len;
	if (end == base + len)
		while (end < s->hi && inner(s->t[end]))
			end++;
	if (h->start == 0)
		while (start > s->lo && inner(s->t[start - 1]) && !(s->count && s->hits[s->count - 1].end >= start))
			start--;	/* not into what is covered already: each window would go back to the beginning */
	const struct finding f = {h->type, (enum detect_tier)h->tier, h->score, h->why, h->kind};
	bool plain = end - start == h->end - h->start;	/* nothing in it was encoded */
	hit_add(s, start, end, &f, h->via | (plain ? 0u : c->via));
	if (end > s->decoded_until)
		s->decoded_until = end;
}

static void scan_filled(struct scan *s, const struct copy *c, size_t base, size_t len)
{
	struct detect_hit sub[SUB_HITS];
	size_t n = scan_copy(s, c->text, c->n, sub, SUB_HITS);
	for (size_t i = 0; i < n; i++)
		add_copied(s, c, base, len, &sub[i]);
}

/* Where = may be quoted-printable's (or a query's after all, u=4012...), the copy is made both ways. */
__attribute__((noinline)) void scan_decoded(struct scan *s, size_t p)
{
	if (p < s->decoded_until)
		return;
	struct copy c;
	size_t base = p - s->lo > LEAD ? p - LEAD : s->lo, len = s->hi - base < COPY ? s->hi - base : COPY;
	size_t first = base < s->decoded_until ? 0 : p - base;	/* what the last window decoded, this one does, too */
	unsigned quoted = quoted_signs(s->t + base, len);
	s->decoded_until = base + len == s->hi ? s->hi : base + len - LEAD;
	copy_fill(&c, s->t + base, len, first, 0);
	if (c.via || !quoted)
		scan_filled(s, &c, base, len);
	if (quoted) {
		copy_fill(&c, s->t + base, len, first, quoted);
		scan_filled(s, &c, base, len);
	}
}
