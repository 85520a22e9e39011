/*
 * The body of a LOG_LINK frame: identifiers of one person that a link (alias, merge, identify) of a request told a vendor.
 * Written by the gate in front of the request's own frame, in the same commit; copied whole by the keeper.
 *
 * Little-endian:
 *   u16 version=1, u16 leaf_bytes, u64 plan_serial, u64 received_us, u8 vendor_len, vendor[], u32 count
 *   count x { u8 n, u8 persons, u8 attributes[8], leaves[leaf_bytes], n x subject[16] }
 * The first `persons` of n are names of one person, the rest (an anonymous browser, a device) belong to it.  leaves: what of
 * the link's object left; the vendor got it under each of the identifiers.
 */
#ifndef LOG_LINK_H
#define LOG_LINK_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"

struct link_head {
	uint64_t plan_serial, received_us;
	struct span vendor;
	uint16_t leaf_bytes;
};

struct link_one {
	uint8_t n, persons;		/* n >= 2, 1 <= persons <= n */
	const uint8_t *attributes;	/* 8 */
	const uint8_t *leaves;		/* leaf_bytes */
	const uint8_t *subjects;	/* n x 16 */
};

struct link_frame {
	struct link_head head;
	uint32_t count;
	const uint8_t *at;	/* of the next one */
};

/* Returns where it began; then one call per link; link_finish sets count. */
size_t link_begin(struct buf *b, const struct link_head *h);
void link_add(struct buf *b, const struct link_head *h, const struct link_one *k);
void link_finish(struct buf *b, size_t began, uint32_t count);

/* Checks every length.  ERR_CORRUPT otherwise. */
int link_parse(const uint8_t *body, size_t n, struct link_frame *out, struct err *err);
/* count times. */
void link_next(struct link_frame *f, struct link_one *out);

#endif
