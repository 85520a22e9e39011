/* What the ledger's files and frames are spelt with: little-endian numbers, and texts behind their length. */
#include <string.h>

#include "ledger/inside.h"

void spell_u16(struct buf *b, size_t v)
{
	uint8_t p[2];
	put_u16(p, (uint16_t)v);
	buf_add(b, p, sizeof p);
}

void spell_u32(struct buf *b, uint32_t v)
{
	uint8_t p[4];
	put_u32(p, v);
	buf_add(b, p, sizeof p);
}

void spell_u64(struct buf *b, uint64_t v)
{
	uint8_t p[8];
	put_u64(p, v);
	buf_add(b, p, sizeof p);
}

void spell_text(struct buf *b, const char *s)
{
	spell_u16(b, strlen(s));
	buf_adds(b, s);
}

const uint8_t *take_bytes(struct reader *r, size_t n)
{
	static const uint8_t zeros[64];
	if (r->bad || (size_t)(r->end - r->at) < n) {
		r->bad = true;
		return n <= sizeof zeros ? zeros : NULL;
	}
	r->at += n;
	return r->at - n;
}

uint16_t take_u16(struct reader *r)
{
	return get_u16(take_bytes(r, 2));
}

uint32_t take_u32(struct reader *r)
{
	return get_u32(take_bytes(r, 4));
}

uint64_t take_u64(struct reader *r)
{
	return get_u64(take_bytes(r, 8));
}

const char *take_text(struct reader *r, struct combos *c, size_t n)
{
	const uint8_t *p = take_bytes(r, n);
	if (r->bad || n > TEXT_MAX_LEN || memchr(p, 0, n)) {
		r->bad = true;
		return "";
	}
	return combos_text(c, (const char *)p, n);
}


uint32_t take_count(struct reader *r, size_t size)
{
	uint32_t n = take_u32(r);
	if (!r->bad && (size_t)n * size > (size_t)(r->end - r->at))
		r->bad = true;
	return r->bad ? 0 : n;
}
