/* RFC 8259 sections 2 to 7; strings in UTF-8 (RFC 3629 section 4). */
#include "json/json.h"

bool json_fail(struct json_scan *s, enum err_code code, uint32_t off, const char *why)
{
	if (s->code)
		return false;
	s->code = code;
	s->fail_at = off;
	s->fail_why = why;
	return false;
}

int json_scan_err(const struct json_scan *s, struct err *err)
{
	return err_at(err, s->code, s->fail_at, "%s", s->fail_why);
}

static bool unexpected(struct json_scan *s, uint32_t off, const char *why)
{
	return json_fail(s, ERR_SYNTAX, off, off >= s->n ? "the text ends too early" : why);
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool escape_ok(const char *p)
{
	switch (p[1]) {
	case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
		return true;
	case 'u':
		return is_hex(p[2]) && is_hex(p[3]) && is_hex(p[4]) && is_hex(p[5]);
	default:
		return false;
	}
}

/* Length of the UTF-8 sequence at p, 0 when there is none.  The zero behind the text ends a cut one. */
static unsigned utf8_sequence(const uint8_t *p)
{
	uint8_t c = p[0], lo = 0x80, hi = 0xbf;
	unsigned k = c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
	if (k == 0)
		return 0;
	lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : lo;
	hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : hi;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (unsigned i = 2; i < k; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return k;
}

bool json_string_rest(struct json_scan *s, const char *at, uint32_t *close, bool *escaped)
{
	for (; *at != '"'; at = json_find(s, at)) {
		uint32_t off = (uint32_t)(at - s->text);
		if (*at == '\\') {
			if (!escape_ok(at))
				return json_fail(s, ERR_SYNTAX, off, "no such escape (RFC 8259 section 7)");
			*escaped = true;
			at += 2;
		} else if ((uint8_t)*at < 0x80) {
			return unexpected(s, off, "control character in a string (RFC 8259 section 7)");
		} else {
			for (unsigned k; (uint8_t)*at >= 0x80; at += k) {
				k = utf8_sequence((const uint8_t *)at);
				if (k == 0)
					return json_fail(s, ERR_SYNTAX, (uint32_t)(at - s->text), "not UTF-8 (RFC 3629)");
			}
		}
	}
	*close = (uint32_t)(at - s->text);
	s->pos = *close + 1;
	return true;
}

enum { N_DIGIT = 1, N_DELIM = 2 };
static const uint8_t number_class[256] = {
	['0' ... '9'] = N_DIGIT, [','] = N_DELIM, [']'] = N_DELIM, ['}'] = N_DELIM, [' '] = N_DELIM, ['\t'] = N_DELIM,
	['\n'] = N_DELIM, ['\r'] = N_DELIM, ['['] = N_DELIM, ['{'] = N_DELIM, [':'] = N_DELIM, ['"'] = N_DELIM,
};

static bool digit(char c)
{
	return number_class[(uint8_t)c] == N_DIGIT;
}

/* The byte behind the number at p, or (with *bad) the first byte that breaks it. */
static const char *number(const char *p, bool *bad)
{
	*bad = true;
	if (*p == '-')
		p++;
	if (!digit(*p))
		return p;
	if (*p == '0')
		p++;
	else
		while (digit(*p))
			p++;
	if (*p == '.') {
		if (!digit(*++p))
			return p;
		while (digit(*p))
			p++;
	}
	if ((*p | 0x20) == 'e') {
		p++;
		if (*p == '+' || *p == '-')
			p++;
		if (!digit(*p))
			return p;
		while (digit(*p))
			p++;
	}
	*bad = false;
	return p;
}

/*
 * An integer or a decimal fraction of less than 15 bytes, without a loop or a branch on its length: those are what
 * numbers cost.  0 when it is anything else, or wrong.
 */
static size_t short_number(const char *p)
{
#if defined(__SSE2__)
	__m128i v = _mm_sub_epi8(_mm_loadu_si128((const void *)p), _mm_set1_epi8('0'));
	unsigned m = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(9)), v));
	unsigned sign = *p == '-';
	unsigned whole = (unsigned)__builtin_ctz(~(m >> sign)), dot = sign + whole;	/* the byte behind the whole part */
	unsigned rest = (unsigned)__builtin_ctz(~(m >> dot >> 1)), has = p[dot] == '.';
	unsigned end = dot + (has ? 1 + rest : 0);
	unsigned zeros = (p[sign] == '0') & (whole > 1);	/* & and |: the parts are no two branches' worth of news */
	return ((whole == 0) | zeros | (has & (rest == 0)) | (end > 14)) ? 0 : end;
#else
	(void)p;
	return 0;
#endif
}

bool json_scalar(struct json_scan *s, uint32_t off, uint32_t *end)
{
	const char *t = s->text + off, *p;
	bool bad = false;
	if (memcmp(t, "true", 4) == 0 || memcmp(t, "null", 4) == 0 || memcmp(t, "false", 5) == 0) {
		uint32_t behind = off + (*t == 'f' ? 5 : 4);
		if (behind <= s->n && (behind == s->n || number_class[(uint8_t)s->text[behind]] == N_DELIM)) {
			*end = s->pos = behind;
			return true;
		}
	}
	size_t n = short_number(t);
	if (n && off + n < s->n && number_class[(uint8_t)t[n]] == N_DELIM) {
		*end = s->pos = off + (uint32_t)n;
		return true;
	}
	if (*t == '-' || digit(*t)) {
		p = number(t, &bad);
	} else {
		const char *word = *t == 't' ? "true" : *t == 'f' ? "false" : *t == 'n' ? "null" : "";
		for (p = t; *word && *p == *word; word++)
			p++;
		bad = *word || p == t;
	}
	uint32_t at = (uint32_t)(p - s->text);
	if (bad || (at < s->n && number_class[(uint8_t)*p] != N_DELIM))
		return unexpected(s, at, "not a JSON value (RFC 8259 section 3)");
	*end = s->pos = at;
	return true;
}

bool json_skip(struct json_scan *s, uint32_t off, uint32_t depth, uint32_t *end)
{
	const char *const t = s->text;
	const uint32_t base = depth;
	uint64_t object[JSON_DEPTH_MAX / 64 + 1];	/* bit d: the container at depth d is an object */
	bool in_object = false, escaped;
	uint32_t e;
value:
	switch (t[off]) {
	case '"':
		if (!json_string(s, &e, &escaped))
			return false;
		*end = e + 1;
		break;
	case '{':
	case '[':
		if (++depth > s->depth_max)
			return json_fail(s, ERR_LIMIT, off, "nested too deep");
		in_object = t[off] == '{';
		if (in_object)
			object[depth / 64] |= 1ull << (depth % 64);
		else
			object[depth / 64] &= ~(1ull << (depth % 64));
		e = json_next(s);
		if (t[e] == (in_object ? '}' : ']'))
			goto close;
		if (in_object)
			goto key;
		off = e;
		goto value;
	default:
		if (!json_scalar(s, off, end))
			return false;
	}
after:
	if (depth == base)
		return true;
	e = json_next(s);
	if (in_object) {
		if (t[e] == ',') {
			e = json_next(s);
			goto key;
		}
		if (t[e] == '}')
			goto close;
		return unexpected(s, e, "a comma or } belongs here");
	}
	if (t[e] == ',') {
		off = json_next(s);
		goto value;
	}
	if (t[e] != ']')
		return unexpected(s, e, "a comma or ] belongs here");
close:
	depth--;
	in_object = depth > base && (object[depth / 64] >> (depth % 64) & 1);
	*end = e + 1;
	goto after;
key:
	if (t[e] != '"')
		return unexpected(s, e, "a key belongs here");
	s->keys++;
	if (!json_string(s, &e, &escaped))
		return false;
	e = json_next(s);
	if (t[e] != ':')
		return unexpected(s, e, "a colon belongs here");
	off = json_next(s);
	goto value;
}

bool json_end(struct json_scan *s)
{
	uint32_t e = json_next(s);
	if (e < s->n)
		return json_fail(s, ERR_SYNTAX, e, "text behind the value");
	return true;
}

int json_check(const char *text, size_t n, const struct json_limits *l, struct err *err)
{
	struct json_scan s;
	uint32_t depth = l && l->depth ? l->depth : 64, keys = l && l->keys ? l->keys : 1000000, end;
	if (n >= UINT32_MAX - JSON_PAD)
		return err_set(err, ERR_LIMIT, "longer than 4 GiB");
	if (text[n] != 0)
		return err_set(err, ERR_BUG, "no zero byte behind the text");
	json_scan_init(&s, text, n, depth);
	if (!json_skip(&s, json_next(&s), 0, &end) || !json_end(&s))
		return json_scan_err(&s, err);
	if (s.keys > keys)
		return err_set(err, ERR_LIMIT, "more than %u object members", keys);
	return 0;
}
