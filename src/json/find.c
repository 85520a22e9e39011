/*
 * Kernels that search a string for the next byte that matters.  The zero behind every text stops them; a kernel may look
 * at up to 32 bytes past it, never more.
 */
#include "json/json.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static const uint8_t matters[256] = {[0 ... 31] = 1, ['"'] = 1, ['\\'] = 1, [128 ... 255] = 1};

static const char *find_plain(const char *p)
{
	while (!matters[(uint8_t)*p])
		p++;
	return p;
}

#if defined(__x86_64__)
static const char *find_sse2(const char *p)
{
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(0x20);
	for (;; p += 16) {
		__m128i v = _mm_loadu_si128((const void *)p);
		__m128i hit = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
					   _mm_cmplt_epi8(v, space));
		unsigned m = (unsigned)_mm_movemask_epi8(hit);
		if (m)
			return p + __builtin_ctz(m);
	}
}

__attribute__((target("avx2,bmi"))) static const char *find_avx2(const char *p)
{
	const __m256i quote = _mm256_set1_epi8('"'), backslash = _mm256_set1_epi8('\\'), space = _mm256_set1_epi8(0x20);
	for (;; p += 32) {
		__m256i v = _mm256_loadu_si256((const void *)p);
		__m256i hit = _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, backslash)),
					      _mm256_cmpgt_epi8(space, v));
		unsigned m = (unsigned)_mm256_movemask_epi8(hit);
		if (m)
			return p + __builtin_ctz(m);
	}
}
#endif

static bool has(enum json_kernel k)
{
#if defined(__x86_64__)
	if (k == JSON_AVX2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
	return k == JSON_SSE2 || k == JSON_PLAIN;
#else
	return k == JSON_PLAIN;
#endif
}

static const char *(*const kernels[])(const char *) = {
	[JSON_PLAIN] = find_plain,
#if defined(__x86_64__)
	[JSON_SSE2] = find_sse2,
	[JSON_AVX2] = find_avx2,
#endif
};

/* -1 until first use.  Threads that race here write the same value. */
static _Atomic int chosen = -1;

enum json_kernel json_kernel(void)
{
	int k = chosen;
	if (k < 0) {
		k = has(JSON_AVX2) ? JSON_AVX2 : has(JSON_SSE2) ? JSON_SSE2 : JSON_PLAIN;
		chosen = k;
	}
	return (enum json_kernel)k;
}

bool json_kernel_force(enum json_kernel k)
{
	if (!has(k))
		return false;
	chosen = (int)k;
	return true;
}

void json_scan_init(struct json_scan *s, const char *text, size_t n, uint32_t depth_max)
{
	enum json_kernel k = json_kernel();
	*s = (struct json_scan){
		.text = text,
		.n = (uint32_t)n,
		.depth_max = depth_max < JSON_DEPTH_MAX ? depth_max : JSON_DEPTH_MAX,
		.near = k != JSON_PLAIN,
		.find = kernels[k],
	};
}
