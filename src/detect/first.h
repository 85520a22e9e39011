/*
 * A first look at the marks of one block: could anything be in it at all?  Most strings are short and hold nothing; they
 * end here, within the kernel that made the marks (marks.c), before those are stored.
 */
#ifndef DETECT_FIRST_H
#define DETECT_FIRST_H

#include "detect/core.h"

/* Are at least four, five bits set? */
static inline bool four(uint64_t x)
{
	x &= x - 1;
	x &= x - 1;
	return x & (x - 1);
}

static inline bool five(uint64_t x)
{
	return four(x & (x - 1));
}

/* Where twelve ones in a row begin. */
static inline uint64_t twelve(uint64_t x)
{
	x &= x >> 1;
	x &= x >> 2;
	x &= x >> 4;
	return x & x >> 4;
}

/*
 * First digits that can begin something: those behind no letter; for an IBAN those behind exactly two with another digit
 * to follow; for a number that begins with capitals those behind one and seven digits long, behind five and four digits
 * long, and behind six.  Ids in hex and base64 have digits behind letters all over: here they cost nothing.
 */
struct carry {
	uint64_t digit, alpha, upper, dot;	/* of the block before */
};
static inline uint64_t behind_capitals(const struct marks *m, const struct carry *c, uint64_t was, uint64_t alnum)
{
#define BACK(now, then, k) (now << (k) | then >> (64 - (k)))
#define AHEAD(k) (m->digit >> (k) | ~(~(uint64_t)0 >> (k)))	/* what the next block has is not known: let it pass */
	uint64_t u = BACK(m->upper, c->upper, 1), five_up, two_up = u & BACK(m->upper, c->upper, 2);
	uint64_t run4 = m->digit & AHEAD(1), found = 0;
	uint64_t alone = u & ~BACK(alnum, was, 2) & run4;
	if (alone)
		found = alone & AHEAD(2) & AHEAD(3) & AHEAD(4) & AHEAD(5) & AHEAD(6);
	two_up &= BACK(two_up, c->upper, 2);	/* four; too many may pass, from the block before */
	five_up = two_up & BACK(m->upper, c->upper, 5) & run4;
	if (five_up)
		found |= five_up & ((~BACK(alnum, was, 6) & AHEAD(2) & AHEAD(3)) | (BACK(m->upper, c->upper, 6) & ~BACK(alnum, was, 7)));
	return found;
}

static inline uint64_t number_starts(const struct marks *m, struct carry *c, uint64_t iban, uint64_t capitals)
{
	uint64_t alpha = m->upper | m->lower, alnum = alpha | m->digit, was = c->alpha | c->digit;
	uint64_t one = BACK(alpha, c->alpha, 1), two = BACK(alpha, c->alpha, 2), three = BACK(alnum, was, 3);
	uint64_t first = m->digit & ~BACK(m->digit, c->digit, 1);
	uint64_t more = one & two & ~three & AHEAD(1) & iban;
	if (capitals && m->upper | c->upper)
		more |= behind_capitals(m, c, was, alnum);
	c->digit = m->digit;
	c->alpha = alpha;
	c->upper = m->upper;
	c->dot = m->dot;
	return first & (~one | more);
#undef BACK
#undef AHEAD
}

/* Words begin behind no letter or digit, or where the case changes (accessToken); a sign may stand behind anything. */
static inline uint64_t word_starts(const struct marks *m, const struct carry *c)
{
	uint64_t alpha = m->upper | m->lower, alnum = alpha | m->digit;
	uint64_t behind = alnum << 1 | (c->alpha | c->digit) >> 63, small = m->lower << 1 | (c->alpha & ~c->upper) >> 63;
	return m->word & (~alnum | ~behind | (m->upper & small));
}

/* What a window holds at all; a short text with none of it is done. */
struct summary {
	bool digits, base64;
	uint64_t at, colon, word, odd;
	uint64_t starts;	/* of one block: digits that may begin a number; 0 without `digits` */
};

/* An IPv6 address has eight groups or "::", a MAC address six octets: in a text of one window, fewer colons can be left out. */
static inline bool colons(uint64_t x)
{
	return x & x >> 1 || five(x);
}

static inline struct summary of_block(const uint8_t *t, const struct marks *m)
{
	struct summary r = {.at = m->at | (m->dot & m->dot << 5), .odd = m->odd, .colon = colons(m->colon) ? m->colon : 0};
	const struct carry none = {0};
	if (__builtin_expect(m->word != 0, 0))
		for (uint64_t todo = word_starts(m, &none); todo; todo &= todo - 1)
			r.word |= word_matters(t, 0, (size_t)__builtin_ctzll(todo)) ? todo & -todo : 0;
	if (four(m->digit)) {
		struct carry fresh = {0};
		bool plain = five(m->digit & (m->digit - 1)) || m->dot;
		uint64_t alpha = m->upper | m->lower, starts = number_starts(m, &fresh, ~(uint64_t)0, ~(uint64_t)0);
		r.digits = starts & (plain ? starts : alpha << 1);
		r.starts = r.digits ? starts : 0;
	}
	r.base64 = twelve(m->base64);
	return r;
}

static inline bool plain_candidate(const struct summary *r)
{
	return r->at || r->colon || r->word || r->digits;
}

/* The marks of a text of at most 64 bytes and what they hold; false, and nothing in *m, when that is nothing. */
bool marks_first(const uint8_t *t, size_t n, struct marks *m, struct summary *r);

#endif
