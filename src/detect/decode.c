/*
 * Hidden forms: percent-encoding (RFC 3986), \uXXXX, \xXX and &#N; left over from an inner JSON or HTML, quoted-printable
 * (RFC 2045), characters that only look like ASCII (full-width, mathematical, other scripts' digits, Cyrillic and Greek
 * letters within Latin words), invisible ones, "name [at] host [dot] org", and base64.
 *
 * Where a mark says that something decodable starts, a window of the text is copied and decoded in place, several
 * times while that changes it (so %2540 is an @ too), with a map back to the original bytes.  The copy is scanned like
 * any text; its hits cover the original bytes of every character in them.
 */
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/inflate.h"
#include "detect/core.h"

enum { COPY = 4096, LEAD = 768, ROUNDS = 4, PAD = 64, SUB_HITS = 64 };

/* ---- one decodable thing ---------------------------------------------------------------------------------------- */

static int hex_value(uint8_t c)
{
	return is(c, C_DIGIT) ? c - '0' : is(c, C_HEX) ? (c | 0x20) - 'a' + 10 : -1;
}

enum { NOTHING = -2, DELETED = -1 };
/* What stands at p[0..n): a byte to put in its place, DELETED, or NOTHING; *used says how long it is. */

static int percent(const uint8_t *p, size_t n, size_t *used)
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

static int character(uint32_t cp)	/* of an escape */
{
	return cp < 0x80 ? (int)cp : fold(cp);
}

static int unicode_escape(const uint8_t *p, size_t n, size_t *used)
{
	if (n >= 4 && p[1] == 'x') {
		int v = percent(p + 1, n - 1, used);
		*used += v != NOTHING;
		return v;
	}
	int c = n >= 6 && p[1] == 'u' ? hex4(p + 2) : -1;
	if (c < 0)
		return NOTHING;
	*used = 6;
	if (c < 0xd800 || c > 0xdbff)
		return character((uint32_t)c);
	int low = n >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8) : -1;
	if (low < 0xdc00 || low > 0xdfff)
		return NOTHING;
	*used = 12;
	return character(0x10000u + ((uint32_t)(c - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
}

static int html_reference(const uint8_t *p, size_t n, size_t *used)
{
	static const struct {
		const char *name;
		char is;
	} named[] = {{"&commat;", '@'}, {"&period;", '.'}, {"&plus;", '+'}, {"&lpar;", '('}, {"&rpar;", ')'}, {"&hyphen;", '-'},
		     {"&colon;", ':'}, {"&sol;", '/'}, {"&lowbar;", '_'}, {"&nbsp;", ' '}};
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
	return character(v);
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

/* A Latin twin counts where it stands within a Latin word or number: p[-1] is readable unless first. */
static int look_alike(const uint8_t *p, size_t n, bool first, size_t *used)
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
		return (n > 2 && is(p[2], C_ALNUM)) || (!first && is(p[-1], C_ALNUM)) ? latin : NOTHING;
	return fold(cp);
}

/* =40, and = at the end of a line.  `many`: letters and digits are written so, too. */
static int quoted(const uint8_t *p, size_t n, bool many, size_t *used)
{
	if (n > 1 && (p[1] == '\n' || p[1] == '\r')) {
		*used = p[1] == '\r' && n > 2 && p[2] == '\n' ? 3 : 2;
		return DELETED;
	}
	int c = percent(p, n, used);
	return c == '\n' || c == '\r' || c >= ' ' ? (is((uint8_t)c, C_ALNUM) && !many ? NOTHING : c) : NOTHING;
}

static int decode_one(const uint8_t *p, size_t n, bool first, size_t *used)
{
	if (*p >= 0x80)
		return look_alike(p, n, first, used);
	switch (*p) {
	case '%':
		return percent(p, n, used);
	case '\\':
		return unicode_escape(p, n, used);
	case '&':
		return html_reference(p, n, used);
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
	return decode_one(s->t + p, s->hi - p, p == s->lo, &used) != NOTHING;
}

/* ---- the decoded copy ------------------------------------------------------------------------------------------- */

struct copy {
	uint8_t text[COPY + PAD];
	uint16_t from[COPY + 1];	/* where each byte's original starts; from[n] where the last one's ends */
	size_t n;
	bool spelled;	/* an [at] was seen: " dot " is a dot too */
	unsigned quoted;	/* how many = are quoted-printable's; 0: it isn't that */
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

/* Every = begins two hex digits or ends a line: a query (?a=b) or a table of settings has others. */
static unsigned quoted_signs(const uint8_t *t, size_t n)
{
	unsigned count = 0;
	size_t used;
	for (const uint8_t *p = t; (p = memchr(p, '=', n - (size_t)(p - t))); p++, count++)
		if (p + 1 < t + n && quoted(p, n - (size_t)(p - t), true, &used) == NOTHING)
			return 0;
	return count;
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
			v = decode_one(c->text + i, c->n - i, i == 0, &used);
		else if (odd_bytes[b] && c->quoted)
			v = quoted(c->text + i, c->n - i, c->quoted > 2, &used);
		if (v == NOTHING && c->spelled && word_dot(c->text + i, c->n - i)) {
			v = '.';
			used = 5;
		}
		if (v == NOTHING) {
			i++;
			if (tight && b == ' ')
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
			while (out > 0 && c->text[out - 1] == ' ')
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

static void copy_fill(struct copy *c, const uint8_t *t, size_t n, size_t first)
{
	memcpy(c->text, t, n);
	for (size_t i = 0; i <= n; i++)
		c->from[i] = (uint16_t)i;
	c->n = n;
	c->quoted = quoted_signs(t, n);
	c->spelled = false;
	c->via = 0;
	for (unsigned k = 0; k < ROUNDS && decode_round(c, k || c->quoted ? 0 : first); k++)
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

__attribute__((noinline)) void scan_decoded(struct scan *s, size_t p)
{
	if (p < s->decoded_until)
		return;
	struct copy c;
	struct detect_hit sub[SUB_HITS];
	size_t base = p - s->lo > LEAD ? p - LEAD : s->lo, len = s->hi - base < COPY ? s->hi - base : COPY;
	copy_fill(&c, s->t + base, len, base < s->decoded_until ? 0 : p - base);	/* what the last window decoded, this one does, too */
	s->decoded_until = base + len == s->hi ? s->hi : base + len - LEAD;
	size_t n = scan_copy(c.text, c.n, s->types, s->depth + 1, sub, SUB_HITS);
	for (size_t i = 0; i < n; i++)
		add_copied(s, &c, base, len, &sub[i]);
}

/* ---- base64 ----------------------------------------------------------------------------------------------------- */

/* Values of the base64 and base64url characters, from the space on; asked only for such characters. */
static const uint8_t sextets[96] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 62, 0, 62, 0, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 0, 0, 0, 0, 0, 0,
	0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 0, 0, 0, 0, 63,
	0, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 0, 0, 0, 0, 0,
};

static uint8_t sextet(uint8_t c)
{
	return sextets[c - ' '];
}

static bool text_byte(uint8_t c)
{
	return (c >= ' ' && c < 0x7f) || c == '\n' || c == '\t' || c == '\r';
}

/* n characters from p, decoded; a last odd character is ignored. */
static size_t decode_run(const uint8_t *p, size_t n, uint8_t *out)
{
	size_t len = 0;
	while (n >= 2) {
		uint32_t v = (uint32_t)sextet(p[0]) << 18 | (uint32_t)sextet(p[1]) << 12;
		if (n >= 3)
			v |= (uint32_t)sextet(p[2]) << 6;
		if (n >= 4)
			v |= sextet(p[3]);
		out[len++] = (uint8_t)(v >> 16);
		if (n >= 3)
			out[len++] = (uint8_t)(v >> 8);
		if (n >= 4)
			out[len++] = (uint8_t)v;
		p += n < 4 ? n : 4;
		n -= n < 4 ? n : 4;
	}
	return len;
}

enum { B64_COPY = 3072, B64_CHARS = B64_COPY / 3 * 4, B64_BACK = 512, PIECE_MIN = 6, PIECE_SURE = 16 };

/* UTF-16: every other byte is zero.  Without them; returns how many are left, zeros behind them. */
static size_t narrow(uint8_t *t, size_t n)
{
	size_t zeros = 0, out = 0;
	for (size_t i = 0; i < n; i++)
		zeros += t[i] == 0;
	if (zeros * 5 < n * 2)
		return n;
	for (size_t i = 0; i < n; i++)
		if (t[i])
			t[out++] = t[i];
	memset(t + out, 0, n - out);
	return out;
}

/*
 * The best hit among the printable pieces of a decoded run.  A short piece counts only when it is most of the run:
 * random bytes look like a@b.cd now and then.
 */
static inline __attribute__((always_inline)) bool pieces(struct scan *s, uint8_t *t, size_t n, struct detect_hit *best)
{
	bool any = false;
	if (n >= 8 && (t[4] == 0) != (t[5] == 0))
		n = narrow(t, n);
	for (size_t i = 0; i < n;) {
		size_t start = i;
		while (i < n && text_byte(t[i]))
			i++;
		size_t len = i - start;
		if (len >= PIECE_MIN && (len >= PIECE_SURE || len * 4 >= n * 3)) {
			uint8_t keep = t[i];
			struct detect_hit hit[4];
			t[i] = 0;	/* what stands behind a piece is no part of it */
			size_t k = scan_copy(t + start, len, s->types, s->depth + 1, hit, 4);
			t[i] = keep;
			for (size_t j = 0; j < k; j++)
				if (!any || hit[j].score > best->score) {
					*best = hit[j];
					any = true;
				}
		}
		i += i == start;
	}
	return any;
}

/* Which of the four alignments can hold text: that of the start and those behind - _ + /, which often join words. */
static unsigned alignments(const uint8_t *p, size_t n)
{
	unsigned set = 1;
	for (size_t i = 0; i < n && set != 15; i++)
		if (!is(p[i], C_ALNUM))
			set |= 1u << (i + 1) % 4;
	return set;
}

/*
 * gzip (RFC 1952), zstd (RFC 8878) or zlib (RFC 1950) inside: the whole run is decoded and opened, to EXPANDED bytes at most.
 * What says that it is gzip or zstd and can't be opened is a hit itself; zlib's two bytes say too little for that.
 */
enum { PACKED = 1 << 16, EXPANDED = 1 << 17 };
static const struct detect_hit closed = {.type = DETECT_PACKED, .tier = DETECT_STRONG, .score = 60, .via = DETECT_VIA_GZIP,
					 .why = "gzip or zstd that can't be opened: damaged, cut off or too large"};

static bool packed_kind(const uint8_t *p, size_t n, enum inflate_kind *kind)
{
	if (inflate_sniff(p, n, kind))
		return *kind == INFLATE_ZSTD || (p[3] & 0xe0) == 0;	/* RFC 1952 2.3.1.2: reserved flags are zero */
	*kind = INFLATE_DEFLATE;
	return p[0] == 0x78 && (p[1] == 0x01 || p[1] == 0x5e || p[1] == 0x9c || p[1] == 0xda);
}

static bool packed(struct scan *s, size_t start, size_t end, const uint8_t *head, size_t head_len, struct detect_hit *best)
{
	enum inflate_kind kind;
	struct buf in, out;
	struct err err;
	bool any = false, opened = false;
	if (!packed_kind(head, head_len, &kind))
		return false;
	buf_init(&in, 0);
	buf_init(&out, 0);
	if (end - start <= PACKED) {
		must(buf_reserve(&in, end - start + PAD));
		in.len = decode_run(s->t + start, end - start, in.data);
		memset(in.data + in.len, 0, PAD);
		opened = inflate_body(kind, in.data, in.len, EXPANDED, &out, &err) == 0;
	}
	if (opened)
		any = out.len && scan_copy(out.data, out.len, s->types, s->depth + 1, best, 1);
	else if (kind != INFLATE_DEFLATE && wanted(s, DETECT_PACKED))
		*best = closed, any = true;
	buf_release(&in);
	buf_release(&out);
	best->via |= any ? DETECT_VIA_GZIP : 0;
	return any;
}

static bool text_in(const uint8_t *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!text_byte(t[i]))
			return false;
	return n > 0;
}

/* All of the word, or as much as fits, is text: what is found in it covers the word. */
static void scan_word(struct scan *s, size_t start, size_t end, uint8_t *t, size_t n)
{
	struct detect_hit hit;
	memset(t + n, 0, PAD);
	if (!text_in(t, n) || !scan_copy(t, n, s->types, s->depth + 1, &hit, 1))
		return;
	const struct finding f = {hit.type, (enum detect_tier)hit.tier, hit.score, hit.why, hit.kind};
	hit_add(s, start, end, &f, hit.via | DETECT_VIA_HEX);
}

__attribute__((noinline)) void scan_hex(struct scan *s, size_t start, size_t end)
{
	uint8_t out[COPY + PAD];
	size_t n = 0;
	for (size_t p = start; p + 2 <= end && n < COPY; p += 2) {
		int high = hex_value(s->t[p]), low = hex_value(s->t[p + 1]);
		if (high < 0 || low < 0)
			return;
		out[n++] = (uint8_t)(high * 16 + low);
	}
	scan_word(s, start, end, out, n);
}

/* RFC 4648 section 6. */
__attribute__((noinline)) void scan_base32(struct scan *s, size_t start, size_t end)
{
	uint8_t out[COPY + PAD];
	size_t n = 0;
	uint32_t bits = 0, have = 0;
	for (size_t p = start; p < end && n < COPY; p++) {
		uint8_t c = s->t[p];
		if (!is(c, C_UPPER) && (c < '2' || c > '7'))
			return;
		bits = bits << 5 | (is(c, C_UPPER) ? c - 'A' + 0u : c - '2' + 26u);
		have += 5;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	while (at(s, end) == '=')
		end++;
	scan_word(s, start, end, out, n);
}

static bool base64_byte(uint8_t c)
{
	return is(c, C_TOKEN) || c == '+' || c == '/';
}

/* Behind a line of base64: where the next one begins, or 0 (RFC 2045 6.8, RFC 7468; a break may be written \\n). */
static size_t next_line(const struct scan *s, size_t p)
{
	size_t i = p;
	for (bool slash; i - p < 6; i += slash ? 2 : 1) {
		slash = at(s, i) == '\\' && (at(s, i + 1) == 'n' || at(s, i + 1) == 'r');
		if (!slash && at(s, i) != '\n' && at(s, i) != '\r' && (at(s, i) != ' ' || i == p))
			break;
	}
	return i > p && base64_byte(at(s, i)) ? i : 0;
}

/* The character behind the one at p, of the same line or the next; 0: there is none.  *end: behind p. */
static size_t chain_next(const struct scan *s, size_t p, size_t *end)
{
	*end = ++p;
	return base64_byte(at(s, p)) ? p : next_line(s, p);
}

/* The lines from start on as one run, in pieces that overlap; what is found covers them all.  Each chain once. */
static __attribute__((noinline)) bool scan_lines(struct scan *s, size_t start, size_t end)
{
	uint8_t chars[B64_CHARS], out[B64_COPY + PAD];
	struct detect_hit best = {0};
	size_t n = 0, p = start;
	bool any = false, more = true;
	if (start < s->lines_until || (end - start) % 4 || !next_line(s, end))
		return false;
	while (more && !any) {
		size_t keep = n < B64_BACK ? n : B64_BACK;
		memmove(chars, chars + n - keep, keep);
		for (n = keep; more && n < B64_CHARS; more = p != 0) {
			chars[n++] = s->t[p];
			p = chain_next(s, p, &end);
		}
		size_t len = decode_run(chars, n, out);
		memset(out + len, 0, PAD);
		any = pieces(s, out, len, &best);
	}
	while (p)
		p = chain_next(s, p, &end);
	s->lines_until = end;
	for (; at(s, end) == '='; end++)
		;
	const struct finding f = {best.type, (enum detect_tier)best.tier, best.score, best.why, best.kind};
	if (any)
		hit_add(s, start, end, &f, best.via | DETECT_VIA_BASE64);
	return any;
}

__attribute__((noinline)) void scan_base64(struct scan *s, size_t start, size_t end)
{
	uint8_t out[B64_COPY + PAD];
	struct detect_hit best = {0};
	if ((at(s, end) == '\n' || at(s, end) == '\r' || at(s, end) == '\\') && scan_lines(s, start, end))
		return;
	unsigned set = alignments(s->t + start, end - start);
	for (unsigned a = 0; a < 4; a++) {
		if (!(set >> a & 1))
			continue;
		for (size_t p = start + a; p + 8 <= end; p += B64_CHARS - B64_BACK) {
			size_t n = end - p < B64_CHARS ? end - p : B64_CHARS;
			size_t len = decode_run(s->t + p, n, out);
			memset(out + len, 0, PAD);
			if ((a == 0 && p == start && len > 8 && packed(s, start, end, out, len, &best)) || pieces(s, out, len, &best)) {
				const struct finding f = {best.type, (enum detect_tier)best.tier, best.score, best.why, best.kind};
				while (at(s, end) == '=')
					end++;
				hit_add(s, start, end, &f, best.via | DETECT_VIA_BASE64);
				return;
			}
			if (p + n == end)
				break;
		}
	}
}
