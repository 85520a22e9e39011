/*
 * JSON by RFC 8259, strictly, in UTF-8 (RFC 3629), over bytes in memory.  Pure; no allocation; one thread a scanner.
 *
 * The hot path works on the caller's bytes and edits by copying spans: what is kept is kept byte for byte.  64 readable
 * bytes (zeros) must follow every input.  A structural index is made by the widest SIMD kernel the machine has (AVX2,
 * SSE2, plain C), chosen at run time, one window of the text at a time; a grammar reads the index and never looks at
 * the inside of a string.
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

/*
 * An entry of the index is the offset of a byte that the grammar must see: both quotes of a string, each backslash that
 * starts an escape, { } [ ] : , outside strings, and the first byte of any other run (numbers, literals, rubbish).
 * Behind the last one stands n, where text[n] is 0, for ever.  Bytes that can't stand in any text (bad UTF-8, a control
 * character in a string) end the index early; the grammar then meets n and json_fail puts the blame on that byte.
 */
enum { JSON_WINDOW = 16384 };
struct json_scan {
	const char *text;
	uint32_t n;
	uint32_t depth_max;
	uint32_t keys;		/* object members read so far */
	const uint32_t *at, *end;	/* unread entries */
	uint32_t pos;		/* the index is made up to here */
	uint32_t utf8_to;	/* sequences are checked up to here */
	uint32_t stop_at;	/* offset of the byte that ended the index early; UINT32_MAX */
	const char *stop_why;
	uint64_t escaped, in_string, in_scalar;	/* carried from block to block */
	enum err_code code;	/* what json_fail was told */
	uint32_t fail_at;
	const char *fail_why;
	uint32_t index[JSON_WINDOW + 72];
};

/* n must be under UINT32_MAX - JSON_PAD. */
void json_scan_init(struct json_scan *s, const char *text, size_t n, uint32_t depth_max);
/* Go on from off, which must lie outside any string and any number. */
void json_scan_seek(struct json_scan *s, uint32_t off);
void json_refill(struct json_scan *s);
/* Always false, so that a caller can write `return json_fail(...)`; the first failure stays. */
bool json_fail(struct json_scan *s, enum err_code code, uint32_t off, const char *why);
int json_scan_err(const struct json_scan *s, struct err *err);	/* -1 */

static inline uint32_t json_next(struct json_scan *s)
{
	if (__builtin_expect(s->at == s->end, 0))
		json_refill(s);
	return *s->at++;
}
static inline uint32_t json_peek(struct json_scan *s)
{
	if (__builtin_expect(s->at == s->end, 0))
		json_refill(s);
	return *s->at;
}

/* The slow half of json_string: the entry e isn't the closing quote. */
bool json_string_escapes(struct json_scan *s, uint32_t e, uint32_t *close);
/* Behind an opening quote: the offset of the closing one; escapes are checked. */
static inline bool json_string(struct json_scan *s, uint32_t *close, bool *escaped)
{
	uint32_t e = json_next(s);
	if (__builtin_expect(s->text[e] == '"', 1)) {
		*close = e;
		*escaped = false;
		return true;
	}
	*escaped = true;
	return json_string_escapes(s, e, close);
}
/* A number, true, false or null that starts at off: the offset behind it. */
bool json_scalar(struct json_scan *s, uint32_t off, uint32_t *end);
/* Any value that starts at off, inside depth containers: the offset behind it. */
bool json_skip(struct json_scan *s, uint32_t off, uint32_t depth, uint32_t *end);
/* Nothing may follow. */
bool json_end(struct json_scan *s);

#endif
