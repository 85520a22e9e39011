/*
 * Candidate bitmaps: which bytes could belong to a hit at all.  AVX2 or SSE2 where the machine has it, chosen at run
 * time, else a table and a loop; the three agree bit for bit (detect_test.c).
 */
#include "detect/core.h"

#include <stdatomic.h>
#include <string.h>

#include "base/err.h"

#define LAST ((uint64_t)1 << 63)	/* the second letter stands in the next block: the finder looks itself */

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))
#define KERNEL fill_avx2
#define VEC __m256i
#define WIDTH 32
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define SET(x) _mm256_set1_epi8((char)(x))
#define EQ(v, x) _mm256_cmpeq_epi8(v, SET(x))
#define UPTO(v, from, span) \
	_mm256_cmpeq_epi8(_mm256_min_epu8(_mm256_sub_epi8(v, SET(from)), SET(span)), _mm256_sub_epi8(v, SET(from)))
#define OR(a, b) _mm256_or_si256(a, b)
#define MASK(v) ((uint64_t)(uint32_t)_mm256_movemask_epi8(v))
#include "detect/kernel.h"

#define TARGET
#define KERNEL fill_sse2
#define VEC __m128i
#define WIDTH 16
#define LOAD(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define SET(x) _mm_set1_epi8((char)(x))
#define EQ(v, x) _mm_cmpeq_epi8(v, SET(x))
#define UPTO(v, from, span) \
	_mm_cmpeq_epi8(_mm_min_epu8(_mm_sub_epi8(v, SET(from)), SET(span)), _mm_sub_epi8(v, SET(from)))
#define OR(a, b) _mm_or_si128(a, b)
#define MASK(v) ((uint64_t)(uint32_t)_mm_movemask_epi8(v))
#include "detect/kernel.h"
#endif

static bool plain_odd(uint8_t c)
{
	return c == '%' || c == '\\' || c == '&' || c == '[' || c == '(' || c <= 8 || c >= 0x80;
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
			if (plain_odd(c))
				k.odd |= bit;
			uint8_t next = i < 63 ? t[i + 1] : 0;
			if (((c | 0x20) == 'b' && ((next | 0x20) == 'e' || i == 63)) || (c == 'e' && (next == 'y' || i == 63)))
				k.word |= bit;
		}
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
	if (n % 64) {
		uint64_t keep = ((uint64_t)1 << n % 64) - 1;
		struct marks *k = &m[n / 64];
		k->digit &= keep;
		k->at &= keep;
		k->colon &= keep;
		k->base64 &= keep;
		k->upper &= keep;
		k->lower &= keep;
		k->word &= keep;
		k->odd &= keep;
	}
}
