/* Small pure helpers on bytes: little-endian fields, hex, base64, CRC32C, spans. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

/* Bytes that somebody else owns; not terminated. */
struct span {
	const char *at;
	size_t len;
};

#define SPAN(lit) ((struct span){lit, sizeof(lit) - 1})

static inline bool span_eq(struct span s, const char *lit)
{
	return s.len == strlen(lit) && (s.len == 0 || memcmp(s.at, lit, s.len) == 0);
}

static inline void put_u16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}
static inline void put_u32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}
static inline void put_u64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}
static inline uint16_t get_u16(const uint8_t *p)
{
	uint16_t v;
	memcpy(&v, p, 2);
	return v;
}
static inline uint32_t get_u32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}
static inline uint64_t get_u64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "formats are little-endian and so is every machine we build for");

/* Lower-case hex; out holds 2n+1 bytes. */
void hex_encode(const void *in, size_t n, char *out);
/* Exactly 2n hex digits into n bytes; false otherwise. */
bool hex_decode(const char *in, size_t in_len, void *out, size_t n);

/* RFC 4648 base64.  Decoding takes either alphabet, with or without padding, and refuses anything else;
 * out holds 3 * in_len / 4 + 3 bytes; returns the length or -1. */
size_t base64_encode(const void *in, size_t n, char *out);	/* out: 4*((n+2)/3)+1 bytes, closed with 0 */
ssize_t base64_decode(const char *in, size_t in_len, void *out);
/* RFC 4648 base32 in lower case without padding; out: (8n+4)/5 + 1 bytes. */
size_t base32_encode(const void *in, size_t n, char *out);

/* CRC-32C (Castagnoli, RFC 3720 B.4), continuing from crc; start with 0. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif
