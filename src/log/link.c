#include "log/link.h"

enum { VERSION = 1, HEAD_FIXED = 2 + 2 + 8 + 8 + 1, ATTRIBUTES = 8, SUBJECT = 16 };

size_t link_begin(struct buf *b, const struct link_head *h)
{
	size_t began = b->len;
	uint8_t p[HEAD_FIXED], count[4] = {0};
	must(h->vendor.len <= UINT8_MAX);
	put_u16(p, VERSION);
	put_u16(p + 2, h->leaf_bytes);
	put_u64(p + 4, h->plan_serial);
	put_u64(p + 12, h->received_us);
	p[20] = (uint8_t)h->vendor.len;
	buf_add(b, p, sizeof p);
	buf_add(b, h->vendor.at, h->vendor.len);
	buf_add(b, count, sizeof count);
	return began;
}

void link_add(struct buf *b, const struct link_head *h, const struct link_one *k)
{
	buf_add(b, &k->n, 1);
	buf_add(b, &k->persons, 1);
	buf_add(b, k->attributes, ATTRIBUTES);
	buf_add(b, k->leaves, h->leaf_bytes);
	buf_add(b, k->subjects, (size_t)k->n * SUBJECT);
}

void link_finish(struct buf *b, size_t began, uint32_t count)
{
	if (!b->over)
		put_u32(b->data + began + HEAD_FIXED + b->data[began + 20], count);
}

void link_next(struct link_frame *f, struct link_one *out)
{
	const uint8_t *p = f->at;
	*out = (struct link_one){.n = p[0], .persons = p[1], .attributes = p + 2, .leaves = p + 2 + ATTRIBUTES};
	out->subjects = out->leaves + f->head.leaf_bytes;
	f->at = out->subjects + (size_t)out->n * SUBJECT;
}

static int damaged(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "link: %s", what);
}

int link_parse(const uint8_t *p, size_t n, struct link_frame *out, struct err *err)
{
	if (n < HEAD_FIXED || get_u16(p) != VERSION)
		return damaged(err, "cut short, or of an unknown version");
	size_t vendor_len = p[20], at = HEAD_FIXED + vendor_len + 4;
	if (n < at)
		return damaged(err, "cut short");
	struct link_frame f = {
		.head = {.leaf_bytes = get_u16(p + 2), .plan_serial = get_u64(p + 4), .received_us = get_u64(p + 12),
			 .vendor = {(const char *)p + HEAD_FIXED, vendor_len}},
		.count = get_u32(p + at - 4), .at = p + at,
	};
	const size_t fixed = 2 + ATTRIBUTES + (size_t)f.head.leaf_bytes;
	for (uint32_t i = 0; i < f.count; i++) {
		if (n - at < fixed)
			return damaged(err, "fewer links than it says");
		const uint8_t ids = p[at], persons = p[at + 1];
		if (ids < 2 || persons < 1 || persons > ids || n - at - fixed < (size_t)ids * SUBJECT)
			return damaged(err, "a link that names too few");
		at += fixed + (size_t)ids * SUBJECT;
	}
	if (at != n)
		return damaged(err, "something follows the last one");
	*out = f;
	return 0;
}
