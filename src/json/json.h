/*
 * JSON by RFC 8259, strictly, in UTF-8 (RFC 3629), over bytes in memory.  Pure; no allocation; one thread a scanner.
 *
 * The hot path works on the caller's bytes and edits by copying spans: what is kept is kept byte for byte.  64 readable
 * bytes (zeros) must follow every input.  A structural index is made by the widest SIMD kernel the machine has (AVX2,
 * SSE2, plain C), chosen at run time.
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
/* Unescaped text into b as string content, without quotes; escapes only what RFC 8259 demands. */
void json_escape(struct buf *b, const char *text, size_t n);

#endif
