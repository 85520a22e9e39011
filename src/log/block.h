/*
 * The body of a LOG_REQUEST frame: the exposure block in clear, then the sealed objects.  Written by the gate, read by
 * courier (both parts) and keeper (the clear part only, copied as it is into a LOG_EXPOSURE frame).
 *
 * Little-endian:
 *   u32 block_len   length of the clear part, this field included
 *   u16 version=1, u16 route
 *   u64 plan_serial, u8 request_no[16], u64 received_us
 *   u8 vendor_len, vendor[]
 *   u16 leaf_bytes  (the plan's leaves / 8, rounded up)
 *   u32 count, u32 dropped (objects of the request that the contract dropped)
 *   count x { subject[16], u8 kind, u8 attributes[8], u8 0[3], u32 object_len, u32 splice, s64 time_s, leaves[leaf_bytes] }
 *   -- end of the clear part --
 *   sealed: aead(count objects one behind the other), AEAD_OVERHEAD longer than the sum of object_len
 * The clear part is the associated data; nonce = segment salt and the frame's seq.
 *
 * A frame without payload (sync relays, the keeper's copy) ends behind the clear part.
 */
#ifndef LOG_BLOCK_H
#define LOG_BLOCK_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

struct block_head {
	uint16_t route;
	uint64_t plan_serial;
	uint8_t request_no[16];
	uint64_t received_us;
	struct span vendor;
	uint16_t leaf_bytes;
	uint32_t count, dropped;
};

struct block_object {
	uint8_t subject[16];
	uint8_t kind;
	uint8_t attributes[8];
	uint32_t len, splice;
	int64_t time_s;
	const uint8_t *leaves;	/* leaf_bytes */
};

/* Appends the clear part's head; then one call per object; block_finish sets block_len. */
size_t block_begin(struct buf *b, const struct block_head *h);	/* returns where it began */
void block_add(struct buf *b, const struct block_head *h, const struct block_object *o);
void block_finish(struct buf *b, size_t began);

struct block {
	struct block_head head;
	const uint8_t *clear;
	size_t clear_len;
	const uint8_t *sealed;
	size_t sealed_len;
	const uint8_t *objects;	/* first object record */
	size_t stride;
};
/* Checks every length.  ERR_CORRUPT otherwise. */
int block_parse(const uint8_t *body, size_t n, struct block *out, struct err *err);
void block_object_at(const struct block *b, uint32_t i, struct block_object *out);	/* i < head.count */

#endif
