/* Transformations of text: times, addresses, URLs, decimal numbers.  Pure; semantics in docs/actions.md. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/program.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}
static bool is_alpha(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

/* A JSON number taken apart: digits without the point, and where the point stands among them. */
struct decimal {
	bool negative;
	char digits[512];
	size_t n;
	long point;	/* digits in front of the point; may be negative or past n */
};

enum { EXPONENT_MAX = 400 };

static bool decimal_read(struct span s, struct decimal *d)
{
	size_t i = 0;
	bool seen = false;
	d->negative = false;	/* not the digits: half a kilobyte */
	d->n = 0;
	d->point = 0;
	if (i < s.len && s.at[i] == '-') {
		d->negative = true;
		i++;
	}
	for (; i < s.len && (is_digit(s.at[i]) || s.at[i] == '.'); i++) {
		if (s.at[i] == '.') {
			seen = true;
			continue;
		}
		if (d->n == sizeof d->digits)
			return false;
		d->digits[d->n++] = s.at[i];
		d->point += !seen;
	}
	if (i == s.len)
		return d->n > 0;
	long exponent = 0;
	bool minus = false;
	i++;	/* e */
	if (i < s.len && (s.at[i] == '+' || s.at[i] == '-'))
		minus = s.at[i++] == '-';
	for (; i < s.len && is_digit(s.at[i]); i++)
		if (exponent <= EXPONENT_MAX)
			exponent = exponent * 10 + (s.at[i] - '0');
	if (exponent > EXPONENT_MAX)
		return false;
	d->point += minus ? -exponent : exponent;
	return d->n > 0;
}

static char digit_at(const struct decimal *d, long i)
{
	return i >= 0 && i < (long)d->n ? d->digits[i] : '0';
}

/* Half to even (IEEE 754 4.3.1) on the decimal text: is the last kept digit to be raised? */
static bool rounds_up(const struct decimal *d, long last)
{
	char next = digit_at(d, last + 1);
	if (next != '5')
		return next > '5';
	for (long i = last + 2; i < (long)d->n; i++)
		if (d->digits[i] != '0' && i >= 0)
			return true;
	return (digit_at(d, last) - '0') % 2 != 0;
}

bool number_round(struct span s, unsigned decimals, struct buf *out)
{
	struct decimal d;
	char text[1400];
	size_t from = 1, n = 1;	/* text[0] takes a carry */
	if (!decimal_read(s, &d))
		return false;
	bool exponent = memchr(s.at, 'e', s.len) || memchr(s.at, 'E', s.len);
	if (!exponent && (long)d.n - d.point <= (long)decimals) {
		buf_add(out, s.at, s.len);	/* no more decimals than asked for: as it is */
		return true;
	}
	long first = d.point < 1 ? d.point - 1 : 0, last = d.point + (long)decimals - 1;
	if (last - first + 1 > 1000)
		return false;
	text[0] = '0';
	for (long i = first; i <= last; i++)
		text[n++] = digit_at(&d, i);
	if (rounds_up(&d, last)) {
		size_t i = n;
		while (text[--i] == '9')
			text[i] = '0';
		text[i]++;
		if (i == 0)
			from = 0;
	}
	size_t whole = n - decimals;
	while (from + 1 < whole && text[from] == '0')
		from++;
	if (d.negative)
		buf_addc(out, '-');
	buf_add(out, text + from, whole - from);
	if (decimals) {
		buf_addc(out, '.');
		buf_add(out, text + whole, decimals);
	}
	return true;
}

bool number_read(struct span s, double *out)
{
	char text[340], *end;
	if (s.len == 0 || s.len >= sizeof text)
		return false;
	memcpy(text, s.at, s.len);
	text[s.len] = 0;
	*out = strtod(text, &end);	/* the process never leaves the C locale */
	return *end == 0;
}

/* ---- times ------------------------------------------------------------------------------------------------------ */

static const int64_t ms_from = 100000000000;	/* from 1e11 on a number counts milliseconds (seconds: year 5138) */
static const int64_t too_large = 100000000000000;	/* 1e14: microseconds and more are no form we know */

/* Days since 1970-01-01 and back, proleptic Gregorian (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t day_of_month(int64_t days)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	return doy - (153 * mp + 2) / 5 + 1;
}

static int64_t floor_to(int64_t v, int64_t step)
{
	int64_t r = v % step;
	return v - (r < 0 ? r + step : r);
}

static int64_t truncate_seconds(int64_t s, enum trunc_unit unit)
{
	static const int64_t steps[] = {60, 3600, 86400, 86400};
	s = floor_to(s, steps[unit]);
	return unit == TRUNC_MONTH ? s - (day_of_month(s / 86400) - 1) * 86400 : s;
}

/* Whole part of a number, rounded down; false when it is too large to be a time in seconds or milliseconds. */
static bool whole(struct span s, int64_t *out)
{
	struct decimal d;
	int64_t v = 0;
	bool rest = false;
	size_t n = 0;
	while (n < s.len && n < 15 && is_digit(s.at[n]))	/* the ordinary case: digits, perhaps a point and digits */
		v = v * 10 + (s.at[n++] - '0');
	size_t more = n + (n < s.len && n > 0 && s.at[n] == '.');
	while (more > n && more < s.len && is_digit(s.at[more]))
		more++;
	if (n && more == s.len) {
		*out = v;
		return v < too_large;
	}
	v = 0;
	if (!decimal_read(s, &d) || d.point > 30)
		return false;
	for (long i = 0; i < d.point; i++) {
		v = v * 10 + (digit_at(&d, i) - '0');
		if (v >= too_large)
			return false;
	}
	for (long i = d.point < 0 ? 0 : d.point; i < (long)d.n; i++)
		rest |= d.digits[i] != '0';
	*out = d.negative ? -v - rest : v;
	return true;
}

bool time_truncate_number(struct span lexeme, enum trunc_unit unit, struct buf *out)
{
	int64_t v;
	if (!whole(lexeme, &v))
		return false;
	bool ms = v >= ms_from || v <= -ms_from;
	int64_t s = truncate_seconds(ms ? floor_to(v, 1000) / 1000 : v, unit);
	buf_addf(out, "%lld", (long long)(ms ? s * 1000 : s));
	return true;
}

static bool digits(const char *p, size_t n, int *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_digit(p[i]))
			return false;
		*out = *out * 10 + (p[i] - '0');
	}
	return true;
}

struct when {
	int y, mo, d, h, mi, s;
	size_t zone;		/* offset of Z or +hh:mm in the text */
	int offset_s;
};

/* RFC 3339 section 5.6: date-time, with a space or t for T and any number of fraction digits. */
static bool rfc3339(struct span t, struct when *w)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	const char *p = t.at;
	int oh, om;
	if (t.len < 20 || t.len > 64 || !digits(p, 4, &w->y) || p[4] != '-' || !digits(p + 5, 2, &w->mo) || p[7] != '-' ||
	    !digits(p + 8, 2, &w->d) || (p[10] != 'T' && p[10] != 't' && p[10] != ' ') || !digits(p + 11, 2, &w->h) ||
	    p[13] != ':' || !digits(p + 14, 2, &w->mi) || p[16] != ':' || !digits(p + 17, 2, &w->s))
		return false;
	size_t i = 19;
	if (p[i] == '.') {
		size_t from = ++i;
		while (i < t.len && is_digit(p[i]))
			i++;
		if (i == from)
			return false;
	}
	w->zone = i;
	w->offset_s = 0;
	if (t.len - i == 1 && (p[i] | 0x20) == 'z')
		i++;
	else if (t.len - i == 6 && (p[i] == '+' || p[i] == '-') && digits(p + i + 1, 2, &oh) && p[i + 3] == ':' &&
		 digits(p + i + 4, 2, &om) && oh < 24 && om < 60)
		w->offset_s = (p[i] == '-' ? -1 : 1) * (oh * 3600 + om * 60);
	else
		return false;
	return w->mo >= 1 && w->mo <= 12 && w->d >= 1 && w->d <= days[w->mo - 1] && w->h < 24 && w->mi < 60 && w->s <= 60;
}

bool time_truncate_rfc3339(struct span text, enum trunc_unit unit, struct buf *out)
{
	static const size_t from[] = {17, 14, 11, 8};	/* the first byte that is set to its lowest */
	struct when w;
	if (!rfc3339(text, &w))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		bool zero = i >= from[unit] && i < w.zone && is_digit(text.at[i]);
		buf_addc(out, zero ? (char)(i == 9 ? '1' : '0') : text.at[i]);
	}
	return true;
}

bool time_read(struct span text, bool number, int64_t *seconds)
{
	struct when w;
	if (number) {
		if (!whole(text, seconds))
			return false;
		if (*seconds >= ms_from || *seconds <= -ms_from)
			*seconds = floor_to(*seconds, 1000) / 1000;
		return true;
	}
	if (!rfc3339(text, &w))
		return false;
	*seconds = days_of(w.y, w.mo, w.d) * 86400 + w.h * 3600 + w.mi * 60 + w.s - w.offset_s;
	return true;
}

/* ---- addresses ---------------------------------------------------------------------------------------------------- */

static bool ip4_out(const uint8_t a[4], unsigned bits, struct buf *out)
{
	uint32_t v = (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 | (uint32_t)a[2] << 8 | a[3];
	v &= bits ? 0xffffffffu << (32 - bits) : 0;
	buf_addf(out, "%u.%u.%u.%u", v >> 24, v >> 16 & 255, v >> 8 & 255, v & 255);
	return true;
}

bool ip_truncate(struct span text, unsigned ip4_bits, struct buf *out)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};	/* RFC 4291 2.5.5.2 */
	char s[INET6_ADDRSTRLEN + 1];
	uint8_t a[16];
	if (text.len == 0 || text.len > INET6_ADDRSTRLEN || memchr(text.at, 0, text.len))
		return false;
	memcpy(s, text.at, text.len);
	s[text.len] = 0;
	if (inet_pton(AF_INET, s, a) == 1)
		return ip4_out(a, ip4_bits, out);
	if (inet_pton(AF_INET6, s, a) != 1)
		return false;
	if (memcmp(a, mapped, sizeof mapped) == 0)
		return ip4_out(a + 12, ip4_bits, out);
	memset(a + 6, 0, 10);
	inet_ntop(AF_INET6, a, s, sizeof s);
	buf_adds(out, s);
	return true;
}

/* ---- URLs ----------------------------------------------------------------------------------------------------------- */

struct url {
	struct span scheme, host, port, path, query;
};

/* The first byte from there on that is one of the (at most four) in stop.  Looks at sixteen at once, so some behind the text. */
static inline __attribute__((always_inline)) size_t until(struct span s, size_t from, const char *stop)
{
	char a = stop[0], b = stop[1] ? stop[1] : a, c = b != a && stop[2] ? stop[2] : a, d = c != a && stop[3] ? stop[3] : a;
#if defined(__SSE2__)
	for (; from < s.len; from += 16) {
		__m128i v = _mm_loadu_si128((const void *)(s.at + from));
		__m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(a)), _mm_cmpeq_epi8(v, _mm_set1_epi8(b))),
					   _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(c)), _mm_cmpeq_epi8(v, _mm_set1_epi8(d))));
		unsigned m = (unsigned)_mm_movemask_epi8(hit);
		if (m) {
			from += (unsigned)__builtin_ctz(m);
			return from < s.len ? from : s.len;
		}
	}
	return s.len;
#else
	while (from < s.len && s.at[from] != a && s.at[from] != b && s.at[from] != c && s.at[from] != d)
		from++;
	return from;
#endif
}

/* What a host and a path segment are made of. */
enum { U_DIGIT = 1, U_LOWER = 2, U_UPPER = 4, U_HIGH = 8, U_MARK = 16, U_TILDE = 32, U_VOWEL = 64,
       U_LETTER = U_LOWER | U_UPPER | U_HIGH };
#define LETTERS(a, e, i, o, u, y, z, kind) \
	[a] = kind | U_VOWEL, [a + 1 ... e - 1] = kind, [e] = kind | U_VOWEL, [e + 1 ... i - 1] = kind, [i] = kind | U_VOWEL, \
	[i + 1 ... o - 1] = kind, [o] = kind | U_VOWEL, [o + 1 ... u - 1] = kind, [u] = kind | U_VOWEL, \
	[u + 1 ... y - 1] = kind, [y] = kind | U_VOWEL, [z] = kind
static const uint8_t url_class[256] = {
	LETTERS('a', 'e', 'i', 'o', 'u', 'y', 'z', U_LOWER), LETTERS('A', 'E', 'I', 'O', 'U', 'Y', 'Z', U_UPPER),
	['0' ... '9'] = U_DIGIT, [128 ... 255] = U_HIGH, ['-'] = U_MARK, ['_'] = U_MARK, ['.'] = U_MARK, ['~'] = U_TILDE,
};

static bool host_ok(struct span h)
{
	if (h.len == 0 || h.len > 253)
		return false;
	bool literal = h.at[0] == '[' && h.at[h.len - 1] == ']';
	if (!literal) {
		unsigned wrong = 0;
		for (size_t i = 0; i < h.len; i++)
			wrong |= !(url_class[(uint8_t)h.at[i]] & (U_LETTER | U_DIGIT | U_MARK));
		return !wrong;
	}
	for (size_t i = 1; i < h.len - 1; i++) {
		char c = h.at[i];
		if (!is_digit(c) && ((c | 0x20) < 'a' || (c | 0x20) > 'f') && c != ':' && c != '.')
			return false;
	}
	return true;
}

/* scheme "://" [userinfo "@"] host [":" port] path ["?" query] ["#" fragment] (RFC 3986 section 3; \ ends the host). */
static bool url_read(struct span s, struct url *u)
{
	size_t i = 0;
	while (i < s.len && (is_alpha(s.at[i]) || (i && (is_digit(s.at[i]) || s.at[i] == '+' || s.at[i] == '-' || s.at[i] == '.'))))
		i++;
	if (i == 0 || i > 20 || s.len < i + 4 || memcmp(s.at + i, "://", 3) != 0)
		return false;
	u->scheme = (struct span){s.at, i};
	size_t from = i + 3, end = until(s, from, "/?#\\");
	for (size_t k = from; (k = until((struct span){s.at, end}, k, "@")) < end; k++)
		from = k + 1;
	struct span authority = {s.at + from, end - from};
	size_t colon = authority.len && authority.at[0] == '[' ? until(authority, 0, "]") + 1 : until(authority, 0, ":");
	if (colon > authority.len)
		return false;
	u->host = (struct span){authority.at, colon};
	u->port = (struct span){authority.at + colon, authority.len - colon};
	for (size_t k = 0; k < u->port.len; k++)
		if (k == 0 ? u->port.at[k] != ':' : !is_digit(u->port.at[k]))
			return false;
	size_t path_end = until(s, end, "?#");
	u->path = (struct span){s.at + end, path_end - end};
	u->query = (struct span){s.at + path_end, 0};
	if (path_end < s.len && s.at[path_end] == '?')
		u->query = (struct span){s.at + path_end + 1, until(s, path_end + 1, "#") - path_end - 1};
	return host_ok(u->host) && u->port.len <= 6;
}

/*
 * A part of a segment (between - _ . ~) reads like a word: letters all small, all capital (12 at most), or of up to four
 * humps ("MyAccount", "iPhone15"); at most 20 letters in a row, at most seven consonants; digits in one run, inside only
 * of short words ("b2b", "i18n").  Random text in base62 or base64 has more changes than that.
 */
static bool word_ok(struct span s)
{
	size_t run = 0, hard = 0, small = 0, capital = 0, humps = 0, short_humps = 0, hump = 0, digit_runs = 0;
	bool wide = false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i], before = i ? s.at[i - 1] : 0;
		bool upper = c >= 'A' && c <= 'Z';
		if (is_digit(c)) {
			digit_runs += !is_digit(before);
			run = hard = 0;
			continue;
		}
		wide |= (c & 0x80) != 0;
		run++;
		hard = url_class[(uint8_t)c] & (U_HIGH | U_VOWEL) ? 0 : hard + 1;
		if (run > 20 * (wide ? 3 : 1) || hard > 7)
			return false;
		small += !upper;
		capital += upper;
		if (upper && i) {
			humps++;
			short_humps += hump < 2 && humps > 1;
			hump = 0;
		}
		hump++;
	}
	short_humps += humps > 0 && hump < 2;
	bool inside = digit_runs && s.len > 5 && !is_digit(s.at[0]) && !is_digit(s.at[s.len - 1]);
	if (digit_runs > 1 || inside)
		return false;
	return !capital || (small ? humps <= 3 && !short_humps : capital <= 12);
}

/*
 * Does this path segment read like words of the site's own?  Anything else (numbers, ids, tokens, addresses, what hides
 * in percent escapes) becomes "-": at most three digits in all, and not only digits.
 */
static bool segment_ok(struct span s)
{
	size_t digit_count = 0, letters = 0, from = 0;
	if (s.len > 64)
		return false;
	for (size_t i = 0; i <= s.len; i++) {
		const unsigned c = i < s.len ? url_class[(uint8_t)s.at[i]] : U_MARK;
		if (c & (U_MARK | U_TILDE)) {
			if (!word_ok((struct span){s.at + from, i - from}))
				return false;
			from = i + 1;
		}
		digit_count += c & U_DIGIT;
		letters += (c & U_LETTER) != 0;
		if (!c || digit_count > 3)
			return false;
	}
	return s.len == 0 || letters > 0;
}

static void path_out(struct span path, struct buf *out)
{
	for (size_t i = 0; i < path.len;) {
		putc_raw(out, '/');
		i++;
		size_t end = until(path, i, "/\\");
		struct span seg = {path.at + i, end - i};
		if (segment_ok(seg))
			put(out, seg.at, seg.len);
		else
			putc_raw(out, '-');
		i = end;
	}
}

static bool query_kept(struct span key, const struct rule *r)
{
	for (size_t i = 0; i < r->query_len; i++)
		if (r->query[i].len == key.len && memcmp(r->query[i].at, key.at, key.len) == 0)
			return true;
	return false;
}

static void query_out(struct span q, const struct rule *r, struct buf *out)
{
	char mark = '?';
	for (size_t i = 0; i < q.len;) {
		size_t end = until(q, i, "&");
		struct span pair = {q.at + i, end - i};
		size_t eq = until(pair, 0, "=");
		if (query_kept((struct span){pair.at, eq}, r)) {
			putc_raw(out, mark);
			put(out, pair.at, pair.len);
			mark = '&';
		}
		i = end + 1;
	}
}

bool url_reduce(struct span text, const struct rule *r, struct buf *out)
{
	struct url u;
	if (!url_read(text, &u))
		return false;
	put(out, u.scheme.at, u.scheme.len + 3);	/* with :// */
	put(out, u.host.at, u.host.len);
	put(out, u.port.at, u.port.len);
	if (r->url_path)
		path_out(u.path, out);
	query_out(u.query, r, out);
	return true;
}

bool domain_of(struct span text, struct buf *out)
{
	struct url u;
	struct span host = {NULL, 0};
	if (url_read(text, &u)) {
		host = u.host;
	} else {
		const char *at = memrchr(text.at, '@', text.len);
		if (!at || at == text.at)
			return false;
		for (const char *p = text.at; p < at; p++)
			if ((uint8_t)*p <= ' ')
				return false;
		host = (struct span){at + 1, text.len - (size_t)(at + 1 - text.at)};
	}
	if (!host_ok(host))
		return false;
	size_t from = out->len;
	put(out, host.at, host.len);
	for (size_t i = from; i < out->len; i++)
		out->data[i] |= url_class[out->data[i]] & U_UPPER ? 0x20 : 0;
	return true;
}
