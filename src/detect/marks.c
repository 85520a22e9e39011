/*
 * Candidate bitmaps: which bytes could belong to a hit at all.  AVX2 or SSE2 where the machine has it, chosen at run
 * time, else a table and a loop; the three agree bit for bit (detect_test.c).
 */
#include "detect/core.h"

#include <stdatomic.h>
#include <string.h>

#include "base/err.h"

/* What stands behind the text is no part of it. */
static inline void clip(struct marks *k, unsigned left)
{
	uint64_t keep = ((uint64_t)1 << left) - 1;
	k->digit &= keep;
	k->dot &= keep;
	k->at &= keep;
	k->colon &= keep;
	k->base64 &= keep;
	k->upper &= keep;
	k->lower &= keep;
	k->word &= keep;
	k->odd &= keep;
}

static inline void join(struct marks *k, struct marks part, unsigned at)
{
	k->digit |= part.digit << at;
	k->dot |= part.dot << at;
	k->at |= part.at << at;
	k->colon |= part.colon << at;
	k->base64 |= part.base64 << at;
	k->upper |= part.upper << at;
	k->lower |= part.lower << at;
	k->word |= part.word << at;
	k->odd |= part.odd << at;
}

#if defined(__x86_64__)
#include <immintrin.h>

/*
 * AVX2.  A byte's class is a table's entry for its low half AND one for its high half, one bit a class; bytes above ASCII
 * have none.  The three highest bits are what may start something encoded.
 */
enum { K_DIGIT = 1, K_DOT = 2, K_SIGN = 4, K_LETTER_46 = 8, K_LETTER_57 = 16, K_ODD_2 = 32, K_ODD_5 = 64, K_CONTROL = 128 };
enum { K_LETTER = K_LETTER_46 | K_LETTER_57, K_BASE64 = K_DIGIT | K_SIGN | K_LETTER };
#define LOW_0 (K_DIGIT | K_LETTER_57 | K_CONTROL)	/* in 0x30, 0x50, 0x00 */
#define LOW_1 (LOW_0 | K_LETTER_46)
static const struct {
	_Alignas(32) uint8_t low[32], high[32];
	uint8_t half[32], odd[32], base64[32], letter[32], small[32], bar[32], at[32], colon[32], a[32], b[32], e[32], y[32];
} avx2_table = {
#define TWICE(...) {__VA_ARGS__, __VA_ARGS__}
#define ALL(x) TWICE(x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x)
	.low = TWICE(LOW_0, LOW_1, LOW_1, LOW_1, LOW_1, LOW_1 | K_ODD_2, LOW_1 | K_ODD_2, LOW_1, LOW_1 | K_ODD_2,
		     K_DIGIT | K_LETTER, K_LETTER, K_LETTER_46 | K_SIGN | K_ODD_5, K_LETTER_46 | K_ODD_5, K_LETTER_46 | K_SIGN,
		     K_LETTER_46 | K_DOT, K_LETTER_46 | K_SIGN),
	.high = TWICE(K_CONTROL, 0, K_DOT | K_SIGN | K_ODD_2, K_DIGIT, K_LETTER_46, K_LETTER_57 | K_ODD_5, K_LETTER_46, K_LETTER_57,
		      0, 0, 0, 0, 0, 0, 0, 0),
	.half = ALL(15), .odd = ALL(128 - K_ODD_2), .base64 = ALL(K_BASE64), .letter = ALL(K_LETTER), .small = ALL(0x20),
	.bar = ALL('_'), .at = ALL('@'), .colon = ALL(':'), .a = ALL('a'), .b = ALL('b'), .e = ALL('e'), .y = ALL('y'),
#undef ALL
#undef TWICE
};

#define TARGET __attribute__((target("avx2")))
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define CONST(name) _mm256_load_si256((const __m256i *)(const void *)table->name)
#define EQ(v, name) _mm256_cmpeq_epi8(v, CONST(name))
#define OR(a, b) _mm256_or_si256(a, b)
#define AND(a, b) _mm256_and_si256(a, b)
#define MASK(v) ((uint64_t)(uint32_t)_mm256_movemask_epi8(v))
#define TOP(v, bit) MASK(_mm256_slli_epi16(v, 7 - (bit)))	/* of each byte that bit */
#define NONE(v) ((uint32_t)MASK(_mm256_cmpeq_epi8(v, _mm256_setzero_si256())))
TARGET static inline struct marks part_avx2(const uint8_t *t)
{
	const __typeof__(avx2_table) *table = &avx2_table;
	__asm__("" : "+r"(table));	/* else the compiler makes each constant anew on every call */
	const __m256i c = LOAD(t), low = OR(c, CONST(small)), next = LOAD(t + 1), third = LOAD(t + 2);
	const __m256i k = AND(_mm256_shuffle_epi8(CONST(low), c),
			      _mm256_shuffle_epi8(CONST(high), AND(_mm256_srli_epi16(c, 4), CONST(half))));
	const __m256i bea = AND(AND(EQ(low, b), EQ(OR(next, CONST(small)), e)), EQ(OR(third, CONST(small)), a));
	const __m256i above = AND(c, _mm256_slli_epi16(c, 1));	/* its highest bit: 0xc0 and up */
	const uint32_t letter = ~NONE(AND(k, CONST(letter))), small = (uint32_t)TOP(c, 5);
	return (struct marks){
		.digit = TOP(k, 0),
		.dot = TOP(k, 1),
		.at = MASK(EQ(c, at)),
		.colon = MASK(EQ(c, colon)),
		.base64 = (uint32_t)~NONE(AND(k, CONST(base64))) | MASK(EQ(c, bar)),
		.upper = letter & ~small,
		.lower = letter & small,
		.word = MASK(OR(bea, AND(EQ(c, e), EQ(next, y)))),
		.odd = MASK(OR(_mm256_adds_epu8(k, CONST(odd)), above)),
	};
}
#undef LOAD
#undef CONST
#undef EQ
#undef OR
#undef AND
#undef MASK
#undef TOP
#undef NONE
#define WIDTH 32
#define PART part_avx2
#define KERNEL fill_avx2
#include "detect/kernel.h"

/* SSE2, which every x86-64 has. */
#define LOAD(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define SET(x) _mm_set1_epi8((char)(x))
#define EQ(v, x) _mm_cmpeq_epi8(v, SET(x))
#define UPTO(v, from, span) \
	_mm_cmpeq_epi8(_mm_min_epu8(_mm_sub_epi8(v, SET(from)), SET(span)), _mm_sub_epi8(v, SET(from)))
#define OR(a, b) _mm_or_si128(a, b)
#define AND(a, b) _mm_and_si128(a, b)
#define MASK(v) ((uint64_t)(uint32_t)_mm_movemask_epi8(v))
static inline struct marks part_sse2(const uint8_t *t)
{
	const __m128i c = LOAD(t), low = OR(c, SET(0x20)), next = LOAD(t + 1), third = LOAD(t + 2);
	const __m128i digit = UPTO(c, '0', 9), letter = UPTO(low, 'a', 25), upper = UPTO(c, 'A', 25);
	const __m128i sign = OR(OR(EQ(c, '+'), EQ(c, '/')), OR(EQ(c, '-'), EQ(c, '_')));
	const __m128i odd = OR(OR(EQ(c, '%'), EQ(c, '\\')), OR(EQ(c, '&'), OR(EQ(c, '['), EQ(c, '('))));
	const __m128i bea = AND(AND(EQ(low, 'b'), EQ(OR(next, SET(0x20)), 'e')), EQ(OR(third, SET(0x20)), 'a'));
	return (struct marks){
		.digit = MASK(digit),
		.dot = MASK(EQ(c, '.')),
		.at = MASK(EQ(c, '@')),
		.colon = MASK(EQ(c, ':')),
		.base64 = MASK(OR(OR(digit, letter), sign)),
		.upper = MASK(upper),
		.lower = MASK(letter) ^ MASK(upper),
		.word = MASK(OR(bea, AND(EQ(c, 'e'), EQ(next, 'y')))),
		.odd = MASK(OR(odd, OR(UPTO(c, 0, 8), UPTO(c, 0xc0, 0x3f)))),
	};
}
#define TARGET
#define WIDTH 16
#define PART part_sse2
#define KERNEL fill_sse2
#include "detect/kernel.h"
#endif

static bool plain_odd(uint8_t c)
{
	return c == '%' || c == '\\' || c == '&' || c == '[' || c == '(' || c <= 8 || c >= 0xc0;
}

static bool plain_word(const uint8_t *t)
{
	return (*t == 'e' && t[1] == 'y') || ((*t | 0x20) == 'b' && (t[1] | 0x20) == 'e' && (t[2] | 0x20) == 'a');
}

static void fill_plain(const uint8_t *t, size_t n, struct marks *m)
{
	for (size_t done = 0; done < n; done += 64, t += 64, m++) {
		unsigned left = n - done < 64 ? (unsigned)(n - done) : 64;
		struct marks k = {0};
		for (unsigned i = 0; i < left; i++) {
			uint8_t c = t[i], cl = classes[c];
			uint64_t bit = (uint64_t)1 << i;
			if (cl & C_DIGIT)
				k.digit |= bit;
			if (cl & C_UPPER)
				k.upper |= bit;
			if (cl & C_LOWER)
				k.lower |= bit;
			if ((cl & C_TOKEN) || c == '+' || c == '/')
				k.base64 |= bit;
			if (c == '@')
				k.at |= bit;
			if (c == ':')
				k.colon |= bit;
			if (c == '.')
				k.dot |= bit;
			if (plain_odd(c))
				k.odd |= bit;
			if (plain_word(t + i))
				k.word |= bit;
		}
		if (left < 64)
			clip(&k, left);
		*m = k;
	}
}

typedef void fill_fn(const uint8_t *t, size_t n, struct marks *m);

static fill_fn *best(enum marks_kernel k)
{
	switch (k) {
	case MARKS_AVX2:
#if defined(__x86_64__)
		return __builtin_cpu_supports("avx2") ? fill_avx2 : NULL;
#else
		return NULL;
#endif
	case MARKS_SSE2:
#if defined(__x86_64__)
		return fill_sse2;
#else
		return NULL;
#endif
	case MARKS_PLAIN:
		return fill_plain;
	}
	return NULL;
}

static fill_fn resolve;
static _Atomic(fill_fn *) chosen = resolve;

static void resolve(const uint8_t *t, size_t n, struct marks *m)
{
	fill_fn *f = best(MARKS_AVX2);
	if (!f)
		f = best(MARKS_SSE2);
	if (!f)
		f = fill_plain;
	atomic_store_explicit(&chosen, f, memory_order_relaxed);
	f(t, n, m);
}

bool marks_force(enum marks_kernel k)
{
	fill_fn *f = best(k);
	if (f)
		atomic_store_explicit(&chosen, f, memory_order_relaxed);
	return f;
}

void marks_fill(const uint8_t *t, size_t n, struct marks *m)
{
	atomic_load_explicit(&chosen, memory_order_relaxed)(t, n, m);
}
