/*
 * A vendor's parked events on disk: queue/VENDOR/ (what can't go yet) and dead/VENDOR/ (what was refused for good).
 *
 * A queue is a row of bundles: files of about 1 MiB in the log's format (log.c): segment header, a LOG_KEY frame with the
 * bundle's own key sealed to the courier, LOG_REQUEST frames.  Unlike a log's segments, bundles go in any order as they
 * drain, and one that is partly drained is written anew with what is left, under a new key, and takes its old name in one
 * step: so no delivered payload outlives that.  In a queue's blocks
 *   request_no  is the number of the gate's frame (u64), then zeros
 *   subject     is the object's number in that frame (u32), then zeros; attributes are zeros; there are no leaves
 *
 * One thread.
 */
#ifndef COURIER_QUEUE_H
#define COURIER_QUEUE_H

#include "base/fio.h"
#include "courier/item.h"
#include "crypt/crypt.h"

enum { BUNDLE_SERIALS = 16, QUEUE_BUNDLE_BYTES = 1 << 20 };

struct queue_keys {
	uint8_t public[SEAL_PUBLIC], secret[SEAL_SECRET];
};

struct bundle_serial {	/* what it holds of one plan's events */
	uint64_t serial;	/* 0: of several plans, when they are many */
	uint64_t from, to;	/* of the gate's frames */
	uint32_t events;	/* not settled */
};

struct bundle {
	struct bundle *prev, *next;
	uint64_t number;	/* its name: the first sequence number of its frames */
	uint64_t bytes;		/* on disk */
	uint32_t frames;	/* durable LOG_REQUEST frames; what lies behind them doesn't count */
	uint32_t events;	/* not settled */
	uint32_t settled;	/* settled, and their bytes still in the file */
	int64_t settled_at;	/* seconds: the oldest of those */
	int64_t created_us, oldest_us;
	struct bundle_serial serials[BUNDLE_SERIALS];
	uint8_t serials_len;
	bool loaded;
	bool damaged;		/* it was summed up whole and can't be loaded: counted once */
	struct items items;	/* when loaded */
	size_t loaded_bytes;
	uint64_t idle_epoch;	/* the caller's: nothing in it could go at this epoch */
};

struct queue {
	const struct fio *io;
	const struct queue_keys *keys;
	int dir;
	char vendor[64];
	struct bundle *first, *last;
	uint64_t bytes, events;
	uint64_t damaged;	/* events, at least, that were in it and can't be read any more */
	uint64_t bundle_bytes;	/* {QUEUE_BUNDLE_BYTES} a bundle ends behind this */
	uint64_t next_seq;
	/* the bundle being written, == last, or fd -1 */
	int fd;
	uint8_t salt[16], key[KEY_BYTES];
	struct buf pending;	/* frames not yet written */
	struct bundle pending_sum;	/* what they will add */
	/* the bundle that goes in front of all */
	struct buf front;
	struct bundle front_sum;
	uint64_t front_seq;
	uint8_t front_salt[16], front_key[KEY_BYTES];
};

/*
 * parent: queue/ or dead/.  The folder is made (and synced) when it isn't there.  settled(arg, seq, index): was this
 * event settled before we came?  Such events don't count, and bundles with any are written anew at once.
 */
int queue_open(struct queue *q, const struct fio *io, int parent, const char *vendor, const struct queue_keys *keys,
	       bool (*settled)(void *arg, uint64_t seq, uint32_t index), void *arg, struct err *err);
void queue_close(struct queue *q);

/* The events of it for which pick[i] is set go to the end of the queue, once queue_sync says 0. */
void queue_append(struct queue *q, const struct item *it, const bool *pick);
/* Everything appended is durable, or (-1) none of it is and it is forgotten: append again. */
int queue_sync(struct queue *q, struct err *err);
/* The same for older events that go before everything else; they become one bundle. */
void queue_put_front(struct queue *q, const struct item *it, const bool *pick);
int queue_sync_front(struct queue *q, struct err *err);
/* What comes next goes into a new bundle. */
void queue_end(struct queue *q);

/* Opens a bundle's events into memory.  The bundle being written ends here. */
int queue_load(struct queue *q, struct bundle *b, struct err *err);
/* Forgets them; settled ones must have been written off by queue_rewrite first. */
void queue_unload(struct queue *q, struct bundle *b);
/* An event of this item, of a loaded bundle, has become settled. */
void queue_settled(struct queue *q, const struct item *it, int64_t now);
/* Writes a loaded bundle anew with what isn't settled.  Nothing left: removes it, b is gone then (*gone). */
int queue_rewrite(struct queue *q, struct bundle *b, bool *gone, struct err *err);
int queue_remove(struct queue *q, struct bundle *b, struct err *err);

#endif
