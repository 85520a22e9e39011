/*
 * The courier's own log, state/log/courier: what became of every event.  Its position in the gate's log is derived from
 * this and from nothing else.
 *
 * A LOG_OUTCOME body, little-endian:
 *   u8 version=1, 0[7], u64 passed, u32 count, u32 0
 *   count x { u8 kind, u8 place, 0[2], u32 first, u64 seq, u32 last, u32 0 }
 * passed: every frame of the gate's log up to this number is settled (its events delivered, parked, dead or dropped).
 * A record settles the events first..last of frame seq, in the log (place 0) or in the queue (place 1).
 *
 * Each segment begins with a snapshot: passed, and the records that still matter.  Older segments go then.
 *
 * One thread.
 */
#ifndef COURIER_OUTCOME_H
#define COURIER_OUTCOME_H

#include "base/fio.h"
#include "log/log.h"

enum outcome_kind { OUTCOME_DELIVERED = 1, OUTCOME_PARKED, OUTCOME_DEAD, OUTCOME_DROPPED };
enum outcome_place { PLACE_LOG, PLACE_QUEUE };

struct outcome_record {
	uint8_t kind, place;
	uint32_t first, last;	/* events, inclusive */
	uint64_t seq;
};

struct outcome_list {
	struct outcome_record *v;
	size_t n, cap;
};

struct outcomes {
	struct log_writer *log;
	struct log_mark mark;
	struct outcome_list known[2];	/* by place: read at the start, sorted; what was settled before */
	struct outcome_list pending;	/* not yet durable */
	uint64_t passed;		/* durable */
	/* Adds (outcomes_keep) what still matters to a snapshot. */
	void (*snapshot)(void *arg, struct outcome_list *l);
	void *arg;
	uint64_t snapshot_seq;		/* of the newest segment's snapshot frame */
	bool snapshot_new;		/* in the batch being written */
};

/* dir: state/log/courier. */
int outcomes_open(struct outcomes *o, const struct fio *io, int dir, const struct log_limits *l,
		  void (*snapshot)(void *arg, struct outcome_list *l), void *arg, struct err *err);
void outcomes_close(struct outcomes *o);

/* Was it settled before the start? */
bool outcomes_known(const struct outcomes *o, enum outcome_place place, uint64_t seq, uint32_t index);
/*
 * For queue_open, arg: the outcomes.  Was this event of the queue settled?  An event that is there is parked, whatever the
 * log got to know of it: that is added.
 */
bool outcomes_settled(void *arg, uint64_t seq, uint32_t index);
/*
 * The queues are open: what was found there (outcomes_add) counts as known from the log, and known[PLACE_QUEUE] has been
 * written off.
 */
void outcomes_adopt(struct outcomes *o);

/* Joins the last record where it can. */
void outcomes_keep(struct outcome_list *l, enum outcome_kind kind, enum outcome_place place, uint64_t seq, uint32_t index);
void outcomes_add(struct outcomes *o, enum outcome_kind kind, enum outcome_place place, uint64_t seq, uint32_t index);

/*
 * Everything added, and that the log is settled up to `passed`, is durable; or (-1) it isn't and stays pending: try again.
 * Does nothing when there is nothing new.
 */
int outcomes_commit(struct outcomes *o, uint64_t passed, struct err *err);

#endif
