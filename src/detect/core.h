/*
 * What the files of this folder share.  One struct scan walks one region [lo, hi) of a text; finders look at it only
 * through at() and before(), for which everything outside the region is a bracket: the neighbour that a redacted
 * hit leaves behind.
 */
#ifndef DETECT_CORE_H
#define DETECT_CORE_H

#include "detect/detect.h"

struct detect_rules;
struct detect_room;
struct own {
	const struct detect_rules *rules;
	struct detect_room *room;
};

struct scan {
	const uint8_t *t;
	size_t lo, hi;		/* the region */
	size_t n;		/* length of the whole text; where an overflowing last hit ends */
	uint64_t types;
	const struct own *own;	/* a user's rules, or NULL */
	unsigned depth;		/* decodings above this text */
	struct detect_hit *hits;
	size_t count, max;
	size_t inserted;	/* how often a hit was put in */
	bool full;		/* an overflow happened: the last hit reaches to n */
	bool greedy;		/* hits swallow the region that they are in */
	bool letters;		/* perhaps some within NEAR bytes before the number that is looked at */
	/* Up to here the finder has looked already: what keeps them linear. */
	size_t numbers_until, colons_until, jwt_until, bearer_until, decoded_until, lines_until;
	size_t password_until, token_until, path_until;
	bool path_file;		/* the path that ends at path_until is a file's */
	size_t url_from, url_end;	/* a run of key_class KEY_URL that was measured (none: both 0) */
};

/* A hit of the tables: what is said about it besides its place. */
struct finding {
	enum detect_type type;
	enum detect_tier tier;
	uint8_t score;
	const char *why;
	const struct detect_kind *kind;	/* NULL: the type's own */
};
/* Keeps hits sorted and apart: what overlaps becomes one hit over both, of the stronger (then longer) one's kind. */
void hit_add(struct scan *s, size_t start, size_t end, const struct finding *f, unsigned via);

static inline bool wanted(const struct scan *s, enum detect_type t)
{
	return s->types >> t & 1;
}

static inline uint8_t at(const struct scan *s, size_t i)
{
	return i < s->hi ? s->t[i] : '[';
}
static inline uint8_t before(const struct scan *s, size_t i)
{
	return i > s->lo ? s->t[i - 1] : ']';
}

/* ---- character classes (classes.c) ------------------------------------------------------------------------------ */

enum {
	C_DIGIT = 1, C_UPPER = 2, C_LOWER = 4, C_HEX = 8,
	C_TOKEN = 16,	/* base64url: alnum - _ */
	C_ATOM = 32,	/* usual in the local part of an address: alnum . _ + - % ~ and everything above ASCII */
	C_RARE = 64,	/* allowed there by RFC 5322 atext, trimmed at its left end; / = ? & are left to URLs */
	C_SEP = 128,	/* between groups of digits: space - . / _ + tab, line break */
	C_ALPHA = C_UPPER | C_LOWER, C_ALNUM = C_ALPHA | C_DIGIT,
};
extern const uint8_t classes[256];

static inline bool is(uint8_t c, unsigned class)
{
	return classes[c] & class;
}

static inline int hex_value(uint8_t c)	/* -1: none */
{
	return is(c, C_DIGIT) ? c - '0' : is(c, C_HEX) ? (c | 0x20) - 'a' + 10 : -1;
}

/* ---- marks.c ---------------------------------------------------------------------------------------------------- */

/* One bit a byte of a 64-byte block. */
struct marks {
	uint64_t digit, dot, at, colon;
	uint64_t base64;	/* alnum + / - _ */
	uint64_t upper, lower;
	uint64_t word;		/* where a word of word_table may start */
	uint64_t odd;		/* may start something encoded: % \ & [ ( controls, the first byte of a character above ASCII */
};
/* Fills (n + 63) / 64 blocks; bits past n are 0.  Reads 64 bytes past the text at most. */
void marks_fill(const uint8_t *t, size_t n, struct marks *m);

struct word_table {	/* marks.c */
	_Alignas(32) uint8_t low[3][32], high[32];	/* a bit a word, for halves of its bytes; twice, for wide kernels */
};
extern const struct word_table word_table;

enum marks_kernel { MARKS_PLAIN, MARKS_SSSE3, MARKS_AVX2 };
/* For tests and benchmarks; false when this machine lacks it. */
bool marks_force(enum marks_kernel k);

/* ---- finders: called with the place of what triggers them ------------------------------------------------------- */

enum may_be { NUMBER_NONE, NUMBER_IPV4, NUMBER_LETTERED, NUMBER_ANY };
/* digit: first of a run.  ipv4 phone us_ssn card iban */
void find_number(struct scan *s, size_t digit, enum may_be may);
void find_email(struct scan *s, size_t sign);	/* @ */
void find_ipv6(struct scan *s, size_t colon);	/* and MAC addresses */
void find_mac(struct scan *s, size_t p, uint8_t sep);
void find_mac_dotted(struct scan *s, size_t dot);	/* 001b.4411.3ab7: the second dot */
void find_word(struct scan *s, size_t letter);	/* jwt bearer, and those of phrases.c */

/* phrases.c.  A first look at a place that marks.word names; then what such a word announces. */
bool word_matters(const uint8_t *text, size_t lo, size_t p);
void find_phrase(struct scan *s, size_t p);
/* True when user:password stands before this @ of a URL. */
bool find_url_password(struct scan *s, size_t sign);

/* Does one of the words (in lower case, NULL-ended) stand whole within `reach` bytes before p, in any case? */
enum { NEAR = 30 };	/* as Macie and Datadog have it */
bool near_word(const struct scan *s, size_t p, size_t reach, const char *const *words);

/* ---- decode.c --------------------------------------------------------------------------------------------------- */

enum { DEPTH_MAX = 3, WINDOW = 4096 };
/* Does something that decoding would change start here? */
bool decodable(const struct scan *s, size_t p);
/* Scans a decoded copy of what lies around p (whose marks were odd). */
void scan_decoded(struct scan *s, size_t p);

/* ---- base64.c --------------------------------------------------------------------------------------------------- */

/* A run of base64 characters of mixed case. */
void scan_base64(struct scan *s, size_t start, size_t end);
/* A word of hex digits or of base32 that may be text. */
void scan_hex(struct scan *s, size_t start, size_t end);
void scan_base32(struct scan *s, size_t start, size_t end);

/* detect.c: looks for the same in a text that was decoded from its own; 64 readable bytes behind t. */
size_t scan_copy(const struct scan *of, const uint8_t *t, size_t n, struct detect_hit *hits, size_t max);
/* detect_scan with a user's rules. */
size_t scan_with(const struct own *own, const char *text, size_t n, uint64_t types, struct detect_hit *hits, size_t max);
/* rules.c: s->own in the region. */
void find_own(struct scan *s);

#endif
