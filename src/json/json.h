/*
 * JSON by RFC 8259, strictly, in UTF-8 (RFC 3629), over bytes in memory.  Pure; no allocation; one thread a scanner.
 *
 * The hot path works on the caller's bytes and edits by copying spans: what is kept is kept byte for byte.  64 readable
 * bytes (zeros; at least the first is one) must follow every input: they stop every loop.  One pass: the grammar walks
 * the bytes, strings are searched by the widest SIMD kernel the machine has (AVX2, SSE2, plain C), chosen at run time.
 */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { JSON_PAD = 64, JSON_DEPTH_MAX = 256 };

enum json_kernel { JSON_PLAIN, JSON_SSE2, JSON_AVX2 };
/* The one in use; tests may force one (false when the machine lacks it). */
enum json_kernel json_kernel(void);
bool json_kernel_force(enum json_kernel k);

struct json_limits {
	uint32_t depth;		/* {64} */
	uint32_t keys;		/* object members in the whole text {1000000} */
};

/*
 * Is text exactly one JSON value?  ERR_SYNTAX with the offset of the first byte that can't stand, ERR_LIMIT past a limit.
 */
int json_check(const char *text, size_t n, const struct json_limits *l, struct err *err);

/* Raw content of a string (between its quotes, already checked) unescaped into dst (n bytes are always enough).
 * Returns the length, or -1 for a lone surrogate. */
ssize_t json_unescape(const char *raw, size_t n, char *dst);
/* The same with U+FFFD for each lone surrogate (three bytes for six: n still suffices). */
size_t json_unescape_lossy(const char *raw, size_t n, char *dst);
/* Unescaped text into b as string content, without quotes; escapes only what RFC 8259 demands. */
void json_escape(struct buf *b, const char *text, size_t n);

/* ---- scanner -------------------------------------------------------------------------------------------------- */

struct json_scan {
	const char *text;
	uint32_t n;
	uint32_t pos;		/* of the next byte to read */
	uint32_t depth_max;
	uint32_t keys;		/* object members read so far */
	bool near;		/* the first 16 bytes of a string are searched in line (SSE2) */
	const char *(*find)(const char *p);	/* the kernel: json_find_plain and its like */
	enum err_code code;	/* what json_fail was told */
	uint32_t fail_at;
	const char *fail_why;
};

/* n must be under UINT32_MAX - JSON_PAD, and text[n] 0. */
void json_scan_init(struct json_scan *s, const char *text, size_t n, uint32_t depth_max);
/* Always false, so that a caller can write `return json_fail(...)`; the first failure stays. */
bool json_fail(struct json_scan *s, enum err_code code, uint32_t off, const char *why);
int json_scan_err(const struct json_scan *s, struct err *err);	/* -1 */

static inline const char *json_space(const char *p)
{
	while (__builtin_expect((uint8_t)*p <= ' ', 0) && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}
/* The offset of the next byte that isn't white space; at the end n, where text[n] is 0. */
static inline uint32_t json_next(struct json_scan *s)
{
	uint32_t off = (uint32_t)(json_space(s->text + s->pos) - s->text);
	s->pos = off + (off < s->n);
	return off;
}

#if defined(__SSE2__)
/* Bit i: byte i ends a string, starts an escape, is a control character or isn't ASCII: " \\ <20 >7f. */
static inline unsigned json_hits(const char *p)
{
	__m128i v = _mm_loadu_si128((const void *)p);
	__m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))),
				   _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)));	/* signed: bytes over 7f too */
	return (unsigned)_mm_movemask_epi8(hit);
}
#endif

/* The first such byte, looking at 16 at once in line: for keys. */
static inline const char *json_find(const struct json_scan *s, const char *p)
{
#if defined(__SSE2__)
	if (__builtin_expect(s->near, 1)) {
		unsigned m = json_hits(p);
		if (__builtin_expect(m != 0, 1))
			return p + __builtin_ctz(m);
		p += 16;
	}
#endif
	return s->find(p);
}
/* 32 at once: for values, whose length is anybody's guess. */
static inline const char *json_find_far(const struct json_scan *s, const char *p)
{
#if defined(__SSE2__)
	if (__builtin_expect(s->near, 1)) {
		unsigned m = json_hits(p) | json_hits(p + 16) << 16;
		if (__builtin_expect(m != 0, 1))
			return p + __builtin_ctz(m);
		p += 32;
	}
#endif
	return s->find(p);
}

/* The slow half of json_string: at, the byte found, isn't the closing quote. */
bool json_string_rest(struct json_scan *s, const char *at, uint32_t *close, bool *escaped);
/* Behind an opening quote: the offset of the closing one; escapes and UTF-8 are checked. */
static inline bool json_string(struct json_scan *s, uint32_t *close, bool *escaped)
{
	const char *at = json_find_far(s, s->text + s->pos);
	*escaped = false;
	if (__builtin_expect(*at != '"', 0))
		return json_string_rest(s, at, close, escaped);
	*close = (uint32_t)(at - s->text);
	s->pos = *close + 1;
	return true;
}
/* A number, true, false or null that starts at off: the offset behind it. */
bool json_scalar(struct json_scan *s, uint32_t off, uint32_t *end);
/* Any value that starts at off, inside depth containers: the offset behind it. */
bool json_skip(struct json_scan *s, uint32_t off, uint32_t depth, uint32_t *end);
/* Nothing may follow. */
bool json_end(struct json_scan *s);

#endif
