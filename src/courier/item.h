/*
 * What the courier holds in memory: an item is one frame of the gate's log, or what was parked of it, opened.
 *
 * An event of an item moves   WAIT -> FLIGHT -> SETTLED   (or back to WAIT).  SETTLED: its outcome is in the list that
 * goes to the courier's own log next, or already there.
 */
#ifndef COURIER_ITEM_H
#define COURIER_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log/block.h"

enum event_state { EVENT_WAIT, EVENT_FLIGHT, EVENT_SETTLED };

struct event {
	uint32_t off, len;	/* in item.bytes */
	uint32_t splice;
	uint32_t index;		/* its number in the gate's frame: (seq, index) names it for good */
	int64_t time_s;
	uint8_t kind;		/* enum object_kind */
	uint8_t state;
};

struct bundle;
struct item {
	struct item *prev, *next;	/* its vendor's fresh items, or its bundle's */
	struct bundle *bundle;		/* NULL: fresh, still in the gate's log */
	struct position *position;	/* fresh: where the log counts it */
	uint64_t seq;			/* of the gate's frame */
	uint64_t serial;		/* of the plan that made it */
	uint16_t route;
	int64_t received_us;
	uint8_t *bytes;			/* the objects, in clear; wiped when freed */
	size_t bytes_len;
	uint32_t waiting;		/* events in EVENT_WAIT */
	uint32_t unsettled;		/* events not in EVENT_SETTLED */
	uint32_t n;
	struct event v[];
};

struct items {
	struct item *first, *last;
};

/* From a parsed block and its opened objects (b->sealed_len - AEAD_OVERHEAD bytes), which are copied. */
struct item *item_new(const struct block *b, uint64_t seq, const uint8_t *plain);
void item_free(struct item *it);
void items_append(struct items *l, struct item *it);
void items_remove(struct items *l, struct item *it);
void item_set(struct item *it, uint32_t i, enum event_state to);

#endif
