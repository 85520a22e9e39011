/*
 * Runs of letters and digits that are text in base64 (RFC 4648, one line or many), base32 or hex, and what is packed inside of
 * base64.  What is found in one covers the whole run.
 */
#include <string.h>

#include "base/buf.h"
#include "base/inflate.h"
#include "detect/core.h"

enum { TEXT = 4096, PAD = 64 };

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
			size_t k = scan_copy(s, t + start, len, hit, 4);
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
		any = out.len && scan_copy(s, out.data, out.len, best, 1);
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
	if (!text_in(t, n) || !scan_copy(s, t, n, &hit, 1))
		return;
	const struct finding f = {hit.type, (enum detect_tier)hit.tier, hit.score, hit.why, hit.kind};
	hit_add(s, start, end, &f, hit.via | DETECT_VIA_HEX);
}

__attribute__((noinline)) void scan_hex(struct scan *s, size_t start, size_t end)
{
	uint8_t out[TEXT + PAD];
	size_t n = 0;
	for (size_t p = start; p + 2 <= end && n < TEXT; p += 2) {
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
	uint8_t out[TEXT + PAD];
	size_t n = 0;
	uint32_t bits = 0, have = 0;
	for (size_t p = start; p < end && n < TEXT; p++) {
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

/* How long a break of the line is that stands at p: \n, \r, and what an inner JSON writes for them, however deep; or 0. */
static size_t line_break(const struct scan *s, size_t p)
{
	enum { BACKSLASHES = 8 };
	size_t k = 0;
	if (at(s, p) == '\n' || at(s, p) == '\r')
		return 1;
	while (k < BACKSLASHES && at(s, p + k) == '\\')
		k++;
	return k && (at(s, p + k) == 'n' || at(s, p + k) == 'r') ? k + 1 : 0;
}

/* Behind a line of base64: where the next one begins, or 0 (RFC 2045 6.8, RFC 7468). */
static size_t next_line(const struct scan *s, size_t p)
{
	size_t i = p, k;
	for (unsigned signs = 0; signs < 6; signs++, i += k)
		if (!(k = line_break(s, i)) && !(k = i > p && at(s, i) == ' '))
			break;
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

static __attribute__((noinline)) bool scan_one(struct scan *s, size_t start, size_t end)
{
	uint8_t out[B64_COPY + PAD];
	struct detect_hit best = {0};
	if ((at(s, end) == '\n' || at(s, end) == '\r' || at(s, end) == '\\') && scan_lines(s, start, end))
		return true;
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
				return true;
			}
			if (p + n == end)
				break;
		}
	}
	return false;
}

static bool packed_start(const uint8_t *t)
{
	return memcmp(t, "H4sI", 4) == 0 || memcmp(t, "KLUv", 4) == 0;
}

/*
 * As one, and, since / is a sign of base64 and of paths, too, what stands between two of them (/users/ZW1haWw/edit); the first
 * part that says it is packed goes on to the end.
 */
void scan_base64(struct scan *s, size_t start, size_t end)
{
	enum { PART_MIN = 12 };
	bool opened = false;
	if (scan_one(s, start, end))
		return;
	for (size_t p = start, to; p < end; p = to + 1) {
		const uint8_t *slash = memchr(s->t + p, '/', end - p);
		to = slash ? (size_t)(slash - s->t) : end;
		if (p == start && to == end)
			return;
		if (!opened && end - p >= PART_MIN && packed_start(s->t + p)) {
			opened = true;
			to = scan_one(s, p, end) ? end : to;
		} else if (to - p >= PART_MIN) {
			scan_one(s, p, to);
		}
	}
}
