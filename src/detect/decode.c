/*
 * Hidden forms: percent-encoding (RFC 3986), \uXXXX and &#N; left over from an inner JSON or HTML, characters that
 * only look like ASCII (full-width, mathematical, other scripts' digits), invisible ones, "name [at] host [dot] org",
 * and base64.
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
	{0x00a0, 0x00a0, ' ', 0}, {0x00ad, 0x00ad, DELETED, 0}, {0x034f, 0x034f, DELETED, 0}, {0x061c, 0x061c, DELETED, 0},
	{0x0660, 0x0669, '0', 10}, {0x06f0, 0x06f9, '0', 10}, {0x0966, 0x096f, '0', 10}, {0x180e, 0x180e, DELETED, 0},
	{0x2000, 0x200a, ' ', 0}, {0x200b, 0x200f, DELETED, 0}, {0x2010, 0x2015, '-', 0}, {0x2024, 0x2024, '.', 0},
	{0x202a, 0x202e, DELETED, 0}, {0x202f, 0x202f, ' ', 0}, {0x2060, 0x206f, DELETED, 0}, {0x2212, 0x2212, '-', 0},
	{0x2460, 0x2468, '1', 9}, {0x24ea, 0x24ea, '0', 0},	/* circled */
	{0xfe00, 0xfe0f, DELETED, 0}, {0xfe52, 0xfe52, '.', 0}, {0xfe63, 0xfe63, '-', 0}, {0xfe6b, 0xfe6b, '@', 0},
	{0xfeff, 0xfeff, DELETED, 0}, {0xff01, 0xff5e, '!', 94},
	{0x1d400, 0x1d433, 'A', 52}, {0x1d434, 0x1d6a3, 'A', 52},	/* mathematical letters: A-Z a-z again and again */
	{0x1d7ce, 0x1d7ff, '0', 10}, {0xe0000, 0xe007f, DELETED, 0}, {0xe0100, 0xe01ef, DELETED, 0},
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

static int look_alike(const uint8_t *p, size_t n, size_t *used)
{
	uint8_t c = p[0];
	size_t k = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
	if (k == 0 || k > n)
		return NOTHING;
	uint32_t cp = c & (0xffu >> (k + 1));
	for (size_t i = 1; i < k; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return NOTHING;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	*used = k;
	return fold(cp);
}

static int decode_one(const uint8_t *p, size_t n, size_t *used)
{
	if (*p >= 0x80)
		return look_alike(p, n, used);
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
	return decode_one(s->t + p, s->hi - p, &used) != NOTHING;
}

/* ---- the decoded copy ------------------------------------------------------------------------------------------- */

struct copy {
	uint8_t text[COPY + PAD];
	uint16_t from[COPY + 1];	/* where each byte's original starts; from[n] where the last one's ends */
	size_t n;
	bool spelled;	/* an [at] was seen: " dot " is a dot too */
	unsigned via;	/* what was decoded anywhere in it */
};

static unsigned via_of(uint8_t first)
{
	return first == '%' ? DETECT_VIA_PERCENT : first == '\\' || first == '&' ? DETECT_VIA_ESCAPE : DETECT_VIA_LOOKALIKE;
}

static bool is_odd(uint8_t c)
{
	return c >= 0x80 || c <= 8 || c == '%' || c == '\\' || c == '&' || c == '[' || c == '(';
}

static bool word_dot(const uint8_t *p, size_t n)
{
	return n >= 5 && p[0] == ' ' && (p[1] | 0x20) == 'd' && (p[2] | 0x20) == 'o' && (p[3] | 0x20) == 't' && p[4] == ' ';
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
		int v = is_odd(b) ? decode_one(c->text + i, c->n - i, &used) : NOTHING;
		if (v == NOTHING && c->spelled && word_dot(c->text + i, c->n - i)) {
			v = '.';
			used = 5;
		}
		if (v == NOTHING) {
			i++;
			if (tight && b == ' ')
				continue;
			tight = false;
			odd |= is_odd(b);
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
		odd |= is_odd((uint8_t)v) || sign;
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
	c->spelled = false;
	c->via = 0;
	for (unsigned k = 0; k < ROUNDS && decode_round(c, k ? 0 : first); k++)
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
		while (start > s->lo && inner(s->t[start - 1]))
			start--;
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
	copy_fill(&c, s->t + base, len, p - base);
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

/*
 * The best hit among the printable pieces of a decoded run.  A short piece counts only when it is most of the run:
 * random bytes look like a@b.cd now and then.
 */
static bool pieces(struct scan *s, uint8_t *t, size_t n, struct detect_hit *best)
{
	bool any = false;
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
 * gzip (RFC 1952) or zlib (RFC 1950) inside: the whole run is decoded and opened, to EXPANDED bytes at most.  What is larger,
 * cut or damaged stays closed.
 */
enum { PACKED = 1 << 16, EXPANDED = 1 << 17 };
static bool packed(struct scan *s, size_t start, size_t end, const uint8_t *head, struct detect_hit *best)
{
	bool gzip = head[0] == 0x1f && head[1] == 0x8b, any = false;
	bool zlib = head[0] == 0x78 && (head[1] == 0x01 || head[1] == 0x5e || head[1] == 0x9c || head[1] == 0xda);
	struct buf in, out;
	struct err err;
	if ((!gzip && !zlib) || end - start > PACKED)
		return false;
	buf_init(&in, 0);
	buf_init(&out, 0);
	must(buf_reserve(&in, end - start + PAD));
	in.len = decode_run(s->t + start, end - start, in.data);
	memset(in.data + in.len, 0, PAD);
	if (inflate_body(gzip ? INFLATE_GZIP : INFLATE_DEFLATE, in.data, in.len, EXPANDED, &out, &err) == 0)
		any = out.len && scan_copy(out.data, out.len, s->types, s->depth + 1, best, 1);
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

__attribute__((noinline)) void scan_base64(struct scan *s, size_t start, size_t end)
{
	uint8_t out[B64_COPY + PAD];
	struct detect_hit best = {0};
	unsigned set = alignments(s->t + start, end - start);
	for (unsigned a = 0; a < 4; a++) {
		if (!(set >> a & 1))
			continue;
		for (size_t p = start + a; p + 8 <= end; p += B64_CHARS - B64_BACK) {
			size_t n = end - p < B64_CHARS ? end - p : B64_CHARS;
			size_t len = decode_run(s->t + p, n, out);
			memset(out + len, 0, PAD);
			if ((a == 0 && p == start && len > 8 && packed(s, start, end, out, &best)) || pieces(s, out, len, &best)) {
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
