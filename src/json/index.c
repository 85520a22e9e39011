/*
 * The structural index, 64 bytes at a time: a kernel turns a block into six bitmaps (one bit a byte), the rest is
 * arithmetic on them.  After Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019), with two differences: the
 * closing quote and each escape are entries too, so that the grammar needn't read strings again; and only blocks that hold
 * non-ASCII bytes pay for UTF-8.
 */
#include "json/json.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

struct maps {
	uint64_t quote, backslash, op, space, control, high;
};

#define INLINE static inline __attribute__((always_inline))

/* ---- kernels -------------------------------------------------------------------------------------------------- */

enum { C_QUOTE = 1, C_BACKSLASH = 2, C_OP = 4, C_SPACE = 8, C_CONTROL = 16, C_HIGH = 32 };
static const uint8_t class_of[256] = {
	[0 ... 8] = C_CONTROL, ['\t'] = C_CONTROL | C_SPACE, ['\n'] = C_CONTROL | C_SPACE, [11 ... 12] = C_CONTROL,
	['\r'] = C_CONTROL | C_SPACE, [14 ... 31] = C_CONTROL, [' '] = C_SPACE, ['"'] = C_QUOTE, ['\\'] = C_BACKSLASH,
	['{'] = C_OP, ['}'] = C_OP, ['['] = C_OP, [']'] = C_OP, [':'] = C_OP, [','] = C_OP, [128 ... 255] = C_HIGH,
};

INLINE struct maps maps_plain(const uint8_t *p)
{
	struct maps m = {0};
	for (unsigned i = 0; i < 64; i++) {
		uint64_t c = class_of[p[i]];
		m.quote |= (c & 1) << i;
		m.backslash |= (c >> 1 & 1) << i;
		m.op |= (c >> 2 & 1) << i;
		m.space |= (c >> 3 & 1) << i;
		m.control |= (c >> 4 & 1) << i;
		m.high |= (c >> 5 & 1) << i;
	}
	return m;
}

INLINE uint64_t prefix_xor_plain(uint64_t x)
{
	x ^= x << 1;
	x ^= x << 2;
	x ^= x << 4;
	x ^= x << 8;
	x ^= x << 16;
	return x ^ x << 32;
}

#if defined(__x86_64__)
INLINE uint64_t bits16(__m128i v, unsigned i)
{
	return (uint64_t)(uint16_t)_mm_movemask_epi8(v) << (16 * i);
}

INLINE struct maps maps_sse2(const uint8_t *p)
{
	struct maps m = {0};
	for (unsigned i = 0; i < 4; i++) {
		__m128i v = _mm_loadu_si128((const void *)(p + 16 * i));
		__m128i folded = _mm_or_si128(v, _mm_set1_epi8(0x20));	/* [ becomes {, ] becomes } */
		__m128i op = _mm_or_si128(
			_mm_or_si128(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')), _mm_cmpeq_epi8(folded, _mm_set1_epi8('}'))),
			_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(':')), _mm_cmpeq_epi8(v, _mm_set1_epi8(','))));
		__m128i space = _mm_or_si128(
			_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\n'))),
			_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\r')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'))));
		m.quote |= bits16(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), i);
		m.backslash |= bits16(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')), i);
		m.op |= bits16(op, i);
		m.space |= bits16(space, i);
		m.control |= bits16(_mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v), i);
		m.high |= bits16(v, i);
	}
	return m;
}

#define AVX2 __attribute__((target("avx2,pclmul,bmi,lzcnt")))

AVX2 INLINE uint64_t bits32(__m256i a, __m256i b)
{
	return (uint32_t)_mm256_movemask_epi8(a) | (uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32;
}

AVX2 INLINE struct maps maps_avx2(const uint8_t *p)
{
	/* By low nibble: the only byte with that nibble that is a space, or (with 0x20 set) an operator.  0x0c and 0x1a look
	 * like operators here; outside strings the grammar refuses both anyway. */
	const __m256i spaces = _mm256_setr_epi8(' ', 100, 100, 100, 17, 100, 113, 2, 100, '\t', '\n', 112, 100, '\r', 100, 100,
						' ', 100, 100, 100, 17, 100, 113, 2, 100, '\t', '\n', 112, 100, '\r', 100, 100);
	const __m256i ops = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0,
					     0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ':', '{', ',', '}', 0, 0);
	const __m256i fold = _mm256_set1_epi8(0x20), low = _mm256_set1_epi8(0x1f);
	const __m256i q = _mm256_set1_epi8('"'), bs = _mm256_set1_epi8('\\');
	__m256i a = _mm256_loadu_si256((const void *)p), b = _mm256_loadu_si256((const void *)(p + 32));
	return (struct maps){
		.quote = bits32(_mm256_cmpeq_epi8(a, q), _mm256_cmpeq_epi8(b, q)),
		.backslash = bits32(_mm256_cmpeq_epi8(a, bs), _mm256_cmpeq_epi8(b, bs)),
		.op = bits32(_mm256_cmpeq_epi8(_mm256_or_si256(a, fold), _mm256_shuffle_epi8(ops, a)),
			     _mm256_cmpeq_epi8(_mm256_or_si256(b, fold), _mm256_shuffle_epi8(ops, b))),
		.space = bits32(_mm256_cmpeq_epi8(a, _mm256_shuffle_epi8(spaces, a)),
				_mm256_cmpeq_epi8(b, _mm256_shuffle_epi8(spaces, b))),
		.control = bits32(_mm256_cmpeq_epi8(_mm256_min_epu8(a, low), a), _mm256_cmpeq_epi8(_mm256_min_epu8(b, low), b)),
		.high = bits32(a, b),
	};
}

AVX2 INLINE uint64_t prefix_xor_avx2(uint64_t x)
{
	__m128i r = _mm_clmulepi64_si128(_mm_set_epi64x(0, (long long)x), _mm_set1_epi8(-1), 0);
	return (uint64_t)_mm_cvtsi128_si64(r);
}
#endif

/* ---- what the kernels share ----------------------------------------------------------------------------------- */

/* Length of the UTF-8 sequence at p (RFC 3629 section 4), 0 when there is none within room bytes. */
static uint32_t utf8_sequence(const uint8_t *p, size_t room)
{
	uint8_t c = p[0], lo = 0x80, hi = 0xbf;
	uint32_t k = c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
	if (k == 0 || k > room)
		return 0;
	lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : lo;
	hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : hi;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (uint32_t i = 2; i < k; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return k;
}

/* Checks the sequences that start in the block at pos; the offset of a bad byte in the block, or 64. */
static unsigned utf8_block(struct json_scan *s, uint32_t pos, uint64_t high)
{
	while (high) {
		unsigned i = (unsigned)__builtin_ctzll(high);
		uint32_t at = pos + i;
		if (at >= s->utf8_to) {
			uint32_t k = utf8_sequence((const uint8_t *)s->text + at, s->n - at);
			if (k == 0)
				return i;
			s->utf8_to = at + k;
		}
		high &= high - 1;
	}
	return 64;
}

INLINE uint64_t escapes(struct json_scan *s, uint64_t backslash, uint64_t *escaped)
{
	const uint64_t odd = 0xaaaaaaaaaaaaaaaaull;
	if (!backslash) {
		*escaped = s->escaped;
		s->escaped = 0;
		return 0;
	}
	uint64_t potential = backslash & ~s->escaped;
	uint64_t series = ((potential << 1 | odd) - potential) ^ odd;
	*escaped = series ^ (backslash | s->escaped);
	uint64_t starts = series & backslash;
	s->escaped = starts >> 63;
	return starts;
}

INLINE uint32_t *flatten(uint32_t *out, uint32_t pos, uint64_t bits)
{
	unsigned n = (unsigned)__builtin_popcountll(bits);
	for (unsigned done = 0; done < n; done += 8) {	/* writes up to 7 too many: the array has room */
		for (unsigned i = 0; i < 8; i++) {
			out[done + i] = pos + (uint32_t)(bits ? __builtin_ctzll(bits) : 0);
			bits &= bits - 1;
		}
	}
	return out + n;
}

static uint64_t stop(struct json_scan *s, uint32_t pos, unsigned i, const char *why, uint64_t entries)
{
	s->stop_at = pos + i;
	s->stop_why = why;
	s->pos = s->n;
	return i ? entries & (~0ull >> (64 - i)) : 0;
}

INLINE uint32_t *block(struct json_scan *s, uint32_t *out, uint32_t pos, struct maps m, uint64_t (*prefix_xor)(uint64_t))
{
	uint64_t escaped, starts = escapes(s, m.backslash, &escaped);
	uint64_t quote = m.quote & ~escaped;
	uint64_t string = prefix_xor(quote) ^ s->in_string;	/* from the opening quote up to, not with, the closing one */
	s->in_string = (uint64_t)((int64_t)string >> 63);
	uint64_t scalar = ~(m.op | m.space | quote | string);
	uint64_t first = scalar & ~(scalar << 1 | s->in_scalar);
	s->in_scalar = scalar >> 63;
	uint64_t entries = quote | (m.op & ~string) | (starts & string) | first;
	uint64_t control = m.control & string;
	if (__builtin_expect((control | m.high) != 0, 0)) {
		unsigned bad = utf8_block(s, pos, m.high), c = control ? (unsigned)__builtin_ctzll(control) : 64;
		if (c < bad)
			entries = stop(s, pos, c, "control character in a string (RFC 8259 section 7)", entries);
		else if (bad < 64)
			entries = stop(s, pos, bad, "not UTF-8 (RFC 3629)", entries);
	}
	return flatten(out, pos, entries);
}

/* Behind n stands nothing: what the kernel saw there is taken back. */
INLINE struct maps cut(struct maps m, uint32_t left)
{
	uint64_t valid = left >= 64 ? ~0ull : (1ull << left) - 1;
	return (struct maps){m.quote & valid, m.backslash & valid, m.op & valid, m.space | ~valid, m.control & valid,
			     m.high & valid};
}

/* One window: whole blocks, then what is left of the text. */
#define WINDOW(NAME, TARGET, MAPS, PREFIX)                                                                                     \
	TARGET static void NAME(struct json_scan *s)                                                                           \
	{                                                                                                                      \
		const uint8_t *t = (const uint8_t *)s->text;                                                                   \
		uint32_t *out = s->index, left = s->n - s->pos;                                                                \
		uint32_t whole = (left > JSON_WINDOW ? JSON_WINDOW : left) & ~63u;                                             \
		uint32_t to = s->pos + whole;                                                                                  \
		for (uint32_t pos = s->pos; pos < to && s->stop_at == UINT32_MAX; pos += 64)                                   \
			out = block(s, out, pos, MAPS(t + pos), PREFIX);                                                       \
		if (s->stop_at == UINT32_MAX)                                                                                  \
			s->pos = to;                                                                                           \
		if (s->stop_at == UINT32_MAX && whole < JSON_WINDOW && to < s->n) {                                            \
			s->pos = s->n;                                                                                         \
			out = block(s, out, to, cut(MAPS(t + to), s->n - to), PREFIX);                                         \
		}                                                                                                              \
		s->end = out;                                                                                                  \
	}

WINDOW(window_plain, , maps_plain, prefix_xor_plain)
#if defined(__x86_64__)
WINDOW(window_sse2, , maps_sse2, prefix_xor_plain)
WINDOW(window_avx2, AVX2, maps_avx2, prefix_xor_avx2)
#endif

/* ---- choice of kernel ----------------------------------------------------------------------------------------- */

static bool has(enum json_kernel k)
{
#if defined(__x86_64__)
	if (k == JSON_AVX2)
		return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("bmi");
	return k == JSON_SSE2 || k == JSON_PLAIN;
#else
	return k == JSON_PLAIN;
#endif
}

static void (*const windows[])(struct json_scan *) = {
	[JSON_PLAIN] = window_plain,
#if defined(__x86_64__)
	[JSON_SSE2] = window_sse2,
	[JSON_AVX2] = window_avx2,
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
	must(n < UINT32_MAX - JSON_PAD);
	s->text = text;
	s->n = (uint32_t)n;
	s->depth_max = depth_max < JSON_DEPTH_MAX ? depth_max : JSON_DEPTH_MAX;
	s->keys = 0;
	s->code = 0;
	json_scan_seek(s, 0);
}

void json_scan_seek(struct json_scan *s, uint32_t off)
{
	s->at = s->end = s->index;
	s->pos = off;
	s->utf8_to = off;
	s->stop_at = UINT32_MAX;
	s->escaped = s->in_string = s->in_scalar = 0;
}

void json_refill(struct json_scan *s)
{
	void (*window)(struct json_scan *) = windows[json_kernel()];
	s->at = s->end = s->index;
	while (s->pos < s->n && s->end == s->index)
		window(s);
	if (s->end == s->index) {
		s->index[0] = s->n;
		s->end = s->index + 1;
	}
}
