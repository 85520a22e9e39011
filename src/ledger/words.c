/*
 * Kernels over one chunk of 1,024 words.  Each is written once and compiled for several processors; the widest that this
 * one has is taken.  `from` may lie in a mapped file, at any address.
 */
#include "ledger/words.h"

typedef uint64_t loose __attribute__((aligned(1), may_alias));
typedef uint16_t loose16 __attribute__((aligned(1), may_alias));

enum { AT_ONCE = 32 };	/* a trip count that compilers can see */

#define KERNELS(name, attributes)                                                                                                      \
	attributes static void or_##name(uint64_t *restrict to, const void *restrict from)                                             \
	{                                                                                                                              \
		const loose *f = from;                                                                                                 \
		for (int i = 0; i < CHUNK_WORDS; i++)                                                                                  \
			to[i] |= f[i];                                                                                                 \
	}                                                                                                                              \
	attributes static void and_##name(uint64_t *restrict to, const void *restrict from)                                            \
	{                                                                                                                              \
		const loose *f = from;                                                                                                 \
		for (int i = 0; i < CHUNK_WORDS; i++)                                                                                  \
			to[i] &= f[i];                                                                                                 \
	}                                                                                                                              \
	attributes static void without_##name(uint64_t *restrict to, const void *restrict from)                                        \
	{                                                                                                                              \
		const loose *f = from;                                                                                                 \
		for (int i = 0; i < CHUNK_WORDS; i++)                                                                                  \
			to[i] &= ~f[i];                                                                                                \
	}                                                                                                                              \
	attributes static uint32_t count_##name(const void *from)                                                                      \
	{                                                                                                                              \
		const loose *f = from;                                                                                                 \
		uint64_t n = 0;                                                                                                        \
		for (int i = 0; i < CHUNK_WORDS; i++)                                                                                  \
			n += (uint64_t)__builtin_popcountll(f[i]);                                                                     \
		return (uint32_t)n;                                                                                                    \
	}                                                                                                                              \
	attributes static uint32_t runs_##name(const void *from)                                                                       \
	{                                                                                                                              \
		const loose *f = from;                                                                                                 \
		uint64_t n = (uint64_t)__builtin_popcountll(f[0] & ~(f[0] << 1));                                                      \
		for (int i = 1; i < CHUNK_WORDS; i++)                                                                                  \
			n += (uint64_t)__builtin_popcountll(f[i] & ~(f[i] << 1 | f[i - 1] >> 63));                                     \
		return (uint32_t)n;                                                                                                    \
	}                                                                                                                              \
	attributes static void pairs_##name(const void *from, uint32_t n, uint32_t *falls, uint32_t *joins)                            \
	{                                                                                                                              \
		const loose16 *f = from;                                                                                               \
		uint32_t i = 1;                                                                                                        \
		*falls = *joins = 0;                                                                                                   \
		for (; i + AT_ONCE <= n; i += AT_ONCE) {                                                                               \
			uint16_t down = 0, next = 0;                                                                                   \
			for (int k = 0; k < AT_ONCE; k++) {                                                                            \
				uint16_t before = f[i + (uint32_t)k - 1], at = f[i + (uint32_t)k];                                     \
				down = (uint16_t)(down + (at <= before));                                                              \
				next = (uint16_t)(next + (at == (uint16_t)(before + 1)));                                              \
			}                                                                                                              \
			*falls += down;                                                                                                \
			*joins += next;                                                                                                \
		}                                                                                                                      \
		for (; i < n; i++) {                                                                                                   \
			*falls += f[i] <= f[i - 1];                                                                                    \
			*joins += f[i] == (uint16_t)(f[i - 1] + 1);                                                                    \
		}                                                                                                                      \
	}

#define TABLE(name) {or_##name, and_##name, without_##name, count_##name, runs_##name, pairs_##name}

KERNELS(plain, )
#if defined(__x86_64__)
KERNELS(avx2, __attribute__((target("avx2,popcnt"))))
KERNELS(avx512, __attribute__((target("avx512f,avx512bw,avx512vl,avx512vpopcntdq,popcnt"))))
#endif

static const struct words_kernels tables[] = {
	[WORDS_PLAIN] = TABLE(plain),
#if defined(__x86_64__)
	[WORDS_AVX2] = TABLE(avx2),
	[WORDS_AVX512] = TABLE(avx512),
#endif
};

static bool has(enum words_kernel k)
{
#if defined(__x86_64__)
	if (k == WORDS_AVX512)
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
		       __builtin_cpu_supports("avx512vpopcntdq");
	if (k == WORDS_AVX2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
#endif
	return k == WORDS_PLAIN;
}

const struct words_kernels *words_kernels(enum words_kernel k)
{
	return has(k) ? &tables[k] : NULL;
}

const struct words_kernels *words_best(void)
{
	static const struct words_kernels *best;	/* whoever sets it sets the same */
	for (enum words_kernel k = WORDS_KERNELS; !best && k-- > WORDS_PLAIN;)
		best = words_kernels(k);
	return best;
}
