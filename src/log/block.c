#include "log/block.h"

#include "crypt/crypt.h"

/* Fixed parts: see block.h. */
enum {
	VERSION = 1,
	HEAD_FIXED = 4 + 2 + 2 + 8 + 16 + 8 + 1,	/* up to vendor[] */
	HEAD_REST = 2 + 4 + 4,				/* behind vendor[] */
	OBJECT_FIXED = 16 + 1 + 8 + 3 + 4 + 4 + 8,	/* up to leaves[] */
};

static void add_u16(struct buf *b, uint16_t v)
{
	buf_add(b, &v, sizeof v);
}

static void add_u32(struct buf *b, uint32_t v)
{
	buf_add(b, &v, sizeof v);
}

static void add_u64(struct buf *b, uint64_t v)
{
	buf_add(b, &v, sizeof v);
}

size_t block_begin(struct buf *b, const struct block_head *h)
{
	size_t began = b->len;
	must(h->vendor.len <= UINT8_MAX);
	add_u32(b, 0);
	add_u16(b, VERSION);
	add_u16(b, h->route);
	add_u64(b, h->plan_serial);
	buf_add(b, h->request_no, sizeof h->request_no);
	add_u64(b, h->received_us);
	buf_addc(b, (char)h->vendor.len);
	buf_add(b, h->vendor.at, h->vendor.len);
	add_u16(b, h->leaf_bytes);
	add_u32(b, h->count);
	add_u32(b, h->dropped);
	return began;
}

void block_add(struct buf *b, const struct block_head *h, const struct block_object *o)
{
	static const uint8_t zeros[3];
	buf_add(b, o->subject, sizeof o->subject);
	buf_add(b, &o->kind, 1);
	buf_add(b, o->attributes, sizeof o->attributes);
	buf_add(b, zeros, sizeof zeros);
	add_u32(b, o->len);
	add_u32(b, o->splice);
	add_u64(b, (uint64_t)o->time_s);
	buf_add(b, o->leaves, h->leaf_bytes);
}

void block_finish(struct buf *b, size_t began)
{
	if (!b->over)
		put_u32(b->data + began, (uint32_t)(b->len - began));
}

static int damaged(struct err *err, size_t off, const char *what)
{
	return err_at(err, ERR_CORRUPT, off, "block: %s", what);
}

/* What lies behind the clear part is nothing, or exactly the sealed objects. */
static int check_sealed(const struct block *b, struct err *err)
{
	uint64_t sum = AEAD_OVERHEAD;
	for (uint32_t i = 0; i < b->head.count; i++)
		sum += get_u32(b->objects + i * b->stride + 28);
	if (b->sealed_len != 0 && b->sealed_len != sum)
		return damaged(err, b->clear_len, "the sealed part has another length than its objects");
	return 0;
}

int block_parse(const uint8_t *p, size_t n, struct block *out, struct err *err)
{
	if (n < HEAD_FIXED)
		return damaged(err, n, "cut short");
	size_t clear_len = get_u32(p), vendor_len = p[HEAD_FIXED - 1];
	if (get_u16(p + 4) != VERSION)
		return damaged(err, 4, "unknown version");
	if (clear_len > n || clear_len < HEAD_FIXED + vendor_len + HEAD_REST)
		return damaged(err, 0, "the clear part does not fit");
	const uint8_t *rest = p + HEAD_FIXED + vendor_len;
	struct block b = {
		.head = {.route = get_u16(p + 6), .plan_serial = get_u64(p + 8), .received_us = get_u64(p + 32),
			 .vendor = {(const char *)p + HEAD_FIXED, vendor_len}, .leaf_bytes = get_u16(rest),
			 .count = get_u32(rest + 2), .dropped = get_u32(rest + 6)},
		.clear = p, .clear_len = clear_len, .sealed = p + clear_len, .sealed_len = n - clear_len,
		.objects = rest + HEAD_REST,
	};
	memcpy(b.head.request_no, p + 16, sizeof b.head.request_no);
	b.stride = OBJECT_FIXED + (size_t)b.head.leaf_bytes;
	size_t room = clear_len - HEAD_FIXED - vendor_len - HEAD_REST;
	if (room % b.stride != 0 || room / b.stride != b.head.count)
		return damaged(err, (size_t)(rest + 2 - p), "the objects do not fill the clear part");
	if (check_sealed(&b, err) < 0)
		return -1;
	*out = b;
	return 0;
}

void block_object_at(const struct block *b, uint32_t i, struct block_object *out)
{
	must(i < b->head.count);
	const uint8_t *p = b->objects + i * b->stride;
	memcpy(out->subject, p, sizeof out->subject);
	out->kind = p[16];
	memcpy(out->attributes, p + 17, sizeof out->attributes);
	out->len = get_u32(p + 28);
	out->splice = get_u32(p + 32);
	out->time_s = (int64_t)get_u64(p + 36);
	out->leaves = p + OBJECT_FIXED;
}
