/*
 * Candidate bitmaps: which bytes could belong to a hit at all.  AVX2 or SSSE3 where the machine has it, chosen at run
 * time, else a table and a loop; the three agree bit for bit (detect_test.c).
 */
#include "detect/first.h"

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

/*
 * Words that may begin something, by their first three bytes in any case: each is a bit; what passes for a byte's place is the
 * entry of its low half, of the first byte AND that of its high half.  Other words pass, too: word_matters looks closer.
 *   1 bea (bearer)   2 ey (JWT, small only)   4 dot, =40   8 pas (password), pwd   16 sec (ret)   32 tok (en), api (key)
 *   64 = at a line's end (quoted-printable)   128 /us (ers), /ho (me), \us (ers)
 * detect_test.c makes the numbers from the words and compares.
 */
#define ROW(...) {__VA_ARGS__, __VA_ARGS__}
const struct word_table word_table = {
	.low = {ROW(0x08, 0x20, 0x01, 0x10, 0x24, 0x02, 0, 0, 0, 0, 0, 0, 0x80, 0x44, 0, 0x80),
		ROW(0x20, 0x08, 0, 0, 0x04, 0x91, 0, 0x08, 0x80, 0x02, 0x40, 0, 0x40, 0x40, 0, 0x24),
		ROW(0x46, 0x43, 0x42, 0xda, 0x4e, 0x42, 0x42, 0x42, 0x42, 0x62, 0x42, 0x62, 0x42, 0x42, 0x42, 0xc2)},
	.high = ROW(0, 0, 0x80, 0x44, 0x25, 0xb8, 0x27, 0x38, 0, 0, 0, 0, 0, 0, 0, 0),
};

#if defined(__x86_64__)
#include <immintrin.h>

/*
 * A byte's class is a table's entry for its low half AND one for its high half, one bit a class; bytes above ASCII have
 * none.  The three highest bits are what may start something encoded.
 */
enum { K_DIGIT = 1, K_DOT = 2, K_SIGN = 4, K_LETTER_46 = 8, K_LETTER_57 = 16, K_ODD_2 = 32, K_ODD_5 = 64, K_CONTROL = 128 };
enum { K_LETTER = K_LETTER_46 | K_LETTER_57, K_BASE64 = K_DIGIT | K_SIGN | K_LETTER };
#define LOW_0 (K_DIGIT | K_LETTER_57 | K_CONTROL)	/* in 0x30, 0x50, 0x00 */
#define LOW_1 (LOW_0 | K_LETTER_46)
#define ALL(x) ROW(x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x)
static const struct {
	_Alignas(32) uint8_t low[32], high[32];
	uint8_t half[32], odd[32], base64[32], letter[32], bar[32], at[32], colon[32];
} class_table = {
	.low = ROW(LOW_0, LOW_1, LOW_1, LOW_1, LOW_1, LOW_1 | K_ODD_2, LOW_1 | K_ODD_2, LOW_1, LOW_1 | K_ODD_2,
		   K_DIGIT | K_LETTER, K_LETTER, K_LETTER_46 | K_SIGN | K_ODD_5, K_LETTER_46 | K_ODD_5, K_LETTER_46 | K_SIGN,
		   K_LETTER_46 | K_DOT, K_LETTER_46 | K_SIGN),
	.high = ROW(K_CONTROL, 0, K_DOT | K_SIGN | K_ODD_2, K_DIGIT, K_LETTER_46, K_LETTER_57 | K_ODD_5, K_LETTER_46, K_LETTER_57,
		    0, 0, 0, 0, 0, 0, 0, 0),
	.half = ALL(15), .odd = ALL(128 - K_ODD_2), .base64 = ALL(K_BASE64), .letter = ALL(K_LETTER),
	.bar = ALL('_'), .at = ALL('@'), .colon = ALL(':'),
};
#undef ALL

#define WIDTH 32
#define VECTOR __m256i
#define DO(name, ...) _mm256_##name(__VA_ARGS__)
#define BITS(name, ...) _mm256_##name##_si256(__VA_ARGS__)
#define PART part_avx2
#define KERNEL fill_avx2
#define FIRST first_avx2
#define TARGET __attribute__((target("avx2")))
#include "detect/kernel.h"

#define WIDTH 16
#define VECTOR __m128i
#define DO(name, ...) _mm_##name(__VA_ARGS__)
#define BITS(name, ...) _mm_##name##_si128(__VA_ARGS__)
#define PART part_ssse3
#define KERNEL fill_ssse3
#define FIRST first_ssse3
#define TARGET __attribute__((target("ssse3")))
#include "detect/kernel.h"
#endif

static bool plain_odd(uint8_t c)
{
	return c == '%' || c == '\\' || c == '&' || c == '[' || c == '(' || c <= 8 || c >= 0xc0;
}

static bool plain_word(const uint8_t *t)
{
	unsigned bits = word_table.high[t[0] >> 4];
	for (int i = 0; i < 3; i++)
		bits &= t[i] < 0x80 ? word_table.low[i][t[i] & 15] : 0;
	return bits;
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

static bool first_plain(const uint8_t *t, size_t n, struct marks *m, struct summary *r)
{
	fill_plain(t, n, m);
	*r = of_block(t, m);
	m->word = r->word;
	return plain_candidate(r) || r->odd || r->base64;
}

static const struct kernel {
	void (*fill)(const uint8_t *t, size_t n, struct marks *m);
	bool (*first)(const uint8_t *t, size_t n, struct marks *m, struct summary *r);
} plain_kernel = {fill_plain, first_plain};
#if defined(__x86_64__)
static const struct kernel ssse3_kernel = {fill_ssse3, first_ssse3}, avx2_kernel = {fill_avx2, first_avx2};
#endif

/* NULL: this machine lacks it. */
static const struct kernel *kernel_of(enum marks_kernel k)
{
#if defined(__x86_64__)
	if (k == MARKS_AVX2)
		return __builtin_cpu_supports("avx2") ? &avx2_kernel : NULL;
	if (k == MARKS_SSSE3)
		return __builtin_cpu_supports("ssse3") ? &ssse3_kernel : NULL;
#endif
	return k == MARKS_PLAIN ? &plain_kernel : NULL;
}

static void fill_resolve(const uint8_t *t, size_t n, struct marks *m);
static bool first_resolve(const uint8_t *t, size_t n, struct marks *m, struct summary *r);
static const struct kernel resolve = {fill_resolve, first_resolve};
static const struct kernel *_Atomic chosen = &resolve;

static const struct kernel *choose(void)
{
	const struct kernel *k = NULL;
	for (int i = MARKS_AVX2; !k; i--)
		k = kernel_of((enum marks_kernel)i);
	atomic_store_explicit(&chosen, k, memory_order_relaxed);
	return k;
}

static void fill_resolve(const uint8_t *t, size_t n, struct marks *m)
{
	choose()->fill(t, n, m);
}

static bool first_resolve(const uint8_t *t, size_t n, struct marks *m, struct summary *r)
{
	return choose()->first(t, n, m, r);
}

bool marks_force(enum marks_kernel k)
{
	const struct kernel *f = kernel_of(k);
	if (f)
		atomic_store_explicit(&chosen, f, memory_order_relaxed);
	return f;
}

void marks_fill(const uint8_t *t, size_t n, struct marks *m)
{
	atomic_load_explicit(&chosen, memory_order_relaxed)->fill(t, n, m);
}

bool marks_first(const uint8_t *t, size_t n, struct marks *m, struct summary *r)
{
	return atomic_load_explicit(&chosen, memory_order_relaxed)->first(t, n, m, r);
}
