#include "base/bytes.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

void hex_encode(const void *in, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = in;
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = 0;
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_decode(const char *in, size_t in_len, void *out, size_t n)
{
	uint8_t *o = out;
	if (in_len != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int hi = hex_value(in[2 * i]), lo = hex_value(in[2 * i + 1]);
		if (hi < 0 || lo < 0)
			return false;
		o[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

size_t base64_encode(const void *in, size_t n, char *out)
{
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = in;
	char *o = out;
	for (; n >= 3; n -= 3, p += 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		*o++ = abc[v >> 18];
		*o++ = abc[v >> 12 & 63];
		*o++ = abc[v >> 6 & 63];
		*o++ = abc[v & 63];
	}
	if (n) {
		uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
		*o++ = abc[v >> 18];
		*o++ = abc[v >> 12 & 63];
		*o++ = n == 2 ? abc[v >> 6 & 63] : '=';
		*o++ = '=';
	}
	*o = 0;
	return (size_t)(o - out);
}

static int base64_value(char c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '+' || c == '-' ? 62
	       : c == '/' || c == '_' ? 63
				      : -1;
}

ssize_t base64_decode(const char *in, size_t n, void *out)
{
	uint8_t *o = out;
	while (n > 0 && in[n - 1] == '=')
		n--;
	if (n % 4 == 1)
		return -1;
	uint32_t acc = 0;
	int bits = 0;
	for (size_t i = 0; i < n; i++) {
		int v = base64_value(in[i]);
		if (v < 0)
			return -1;
		acc = acc << 6 | (uint32_t)v;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*o++ = (uint8_t)(acc >> bits);
		}
	}
	return o - (uint8_t *)out;
}

/* Forty bits as eight characters, in the order of a big-endian word: all eight at once. */
static uint64_t base32_eight(uint64_t v)
{
	const uint64_t ones = 0x0101010101010101u;
	v = (v & 0x000000fffff00000u) << 12 | (v & 0x00000000000fffffu);
	v = (v & 0x000ffc00000ffc00u) << 6 | (v & 0x000003ff000003ffu);
	v = (v & 0x03e003e003e003e0u) << 3 | (v & 0x001f001f001f001fu);
	uint64_t digits = (v + ones * (0x80 - 26)) >> 7 & ones;	/* 26 and more are written as 2 to 7 */
	return v + ones * 'a' - digits * ('a' - ('2' - 26));
}

size_t base32_encode(const void *in, size_t n, char *out)
{
	static const char abc[] = "abcdefghijklmnopqrstuvwxyz234567";
	const uint8_t *p = in;
	char *o = out;
	uint32_t acc = 0;
	int bits = 0;
	for (; n >= 5; n -= 5, p += 5, o += 8) {
		uint64_t eight = __builtin_bswap64(base32_eight((uint64_t)p[0] << 32 | (uint64_t)p[1] << 24 | (uint64_t)p[2] << 16 |
								(uint64_t)p[3] << 8 | p[4]));
		memcpy(o, &eight, 8);
	}
	for (size_t i = 0; i < n; i++) {
		acc = acc << 8 | p[i];
		bits += 8;
		while (bits >= 5) {
			bits -= 5;
			*o++ = abc[acc >> bits & 31];
		}
	}
	if (bits)
		*o++ = abc[acc << (5 - bits) & 31];
	*o = 0;
	return (size_t)(o - out);
}

static uint32_t crc_plain(uint32_t crc, const uint8_t *p, size_t n)
{
	for (; n; n--, p++) {
		crc ^= *p;
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
	}
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_sse42(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t c = crc;
	for (; n >= 8; n -= 8, p += 8)
		c = _mm_crc32_u64(c, get_u64(p));
	for (; n; n--, p++)
		c = _mm_crc32_u8((uint32_t)c, *p);
	return (uint32_t)c;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_sse42(~crc, p, n);
#endif
	return ~crc_plain(~crc, p, n);
}
