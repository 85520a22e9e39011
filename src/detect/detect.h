/*
 * Personal data and secrets in text: the core kinds.  Pure; no allocation; bounded time (linear in n).
 *
 * The text is already unescaped (a \u0040 hides an @).  Hits are half-open byte ranges, sorted, not overlapping; where
 * two kinds compete the stronger, then the longer, wins.  Sources for each check stand in detect.c's table
 * (docs/../facts A.4: RFC 5321/5322, E.164, RFC 4291, ISO 13616, ISO/IEC 7812-1, SSA, RFC 7519, RFC 6750).
 */
#ifndef DETECT_DETECT_H
#define DETECT_DETECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum detect_type {
	DETECT_EMAIL, DETECT_PHONE, DETECT_IPV4, DETECT_IPV6, DETECT_IBAN, DETECT_CARD, DETECT_US_SSN, DETECT_JWT,
	DETECT_BEARER, DETECT_TYPES
};

enum detect_tier { DETECT_STRONG, DETECT_WEAK };	/* weak fires only with context; the core has mostly strong ones */

struct detect_hit {
	uint32_t start, end;
	enum detect_type type;
	uint8_t tier, score;	/* 0..100 */
	uint8_t via;		/* DETECT_VIA_* decodings that led to it */
	const char *why;	/* rule in words, static: "Luhn and issuer prefix" */
};
enum {
	DETECT_VIA_PERCENT = 1,
	DETECT_VIA_BASE64 = 2,
	DETECT_VIA_ESCAPE = 4,		/* \u0040 or &#64; left over from an inner JSON or HTML */
	DETECT_VIA_LOOKALIKE = 8,	/* full-width and the like, invisible characters, "name [at] host" */
};

/* "email"; and as a placeholder "[EMAIL]". */
const char *detect_name(enum detect_type t);
const char *detect_placeholder(enum detect_type t);
/* By name; -1 when unknown. */
int detect_type_of(const char *name, size_t n);

/* Bit t set: look for type t.  All of them: */
#define DETECT_ALL ((1u << DETECT_TYPES) - 1)

/*
 * Find at most max hits in text; returns how many.  When more would be found, the last one reaches to n, so that
 * redacting what is returned never leaves a hit behind: what is left, with placeholders in the places of the hits, is
 * looked at again before this returns.  64 readable bytes must follow the text (as for detect_maybe), max is at least 1
 * and the text is under 4 GiB: both asserted.  Any thread.
 */
size_t detect_scan(const char *text, size_t n, unsigned types, struct detect_hit *hits, size_t max);
/* Cheap first look: false means that detect_scan would find nothing. */
bool detect_maybe(const char *text, size_t n);

/* True when a key name carries personal data itself (an address as a key): such a name is never stored. */
bool detect_key_name(const char *text, size_t n);

#endif
