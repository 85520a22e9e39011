/*
 * One vendor in the courier: its plan and credential, what waits for it, what is in flight, and what happens next.  No
 * network and no clock in here: courier.c brings both, vendor_test.c brings others.
 *
 * An event comes in fresh from the gate's log, or is parked in the queue:
 *
 *   fresh --delivered--------------------------------------> settled
 *     |  '--refused for good--> dead/VENDOR (synced) -------> settled
 *     '--can't go now--> queue/VENDOR (synced): settled in the log, and the same two ways from there
 *
 * Fresh events are always older than anything that waits in the queue (but for what a plan holds back), so they go
 * first, and when they must be parked after all they are put in front.
 */
#ifndef COURIER_VENDOR_H
#define COURIER_VENDOR_H

#include "courier/outcome.h"
#include "courier/queue.h"
#include "plan/plan.h"

enum {
	FLIGHTS_MAX = 8,		/* requests of a vendor at a time */
	FRESH_BYTES = 4 << 20,		/* of a vendor in memory; more is parked */
	LOADED_BYTES = 4 << 20,		/* of its queue in memory, and a bundle */
	BACKOFF_MS = 250, BACKOFF_MAX_MS = 300000,
	HOLD_MS = 300000,		/* a held queue is tried again this often */
	PARK_AGAIN_MS = 1000,		/* after a failed write */
	CUT_OFF_MS = 500,		/* what is in flight when a plan forbids it may still be answered in this time */
};

struct position {	/* a frame of the gate's log that isn't settled yet, or waits for one before it */
	struct position *next;
	uint64_t seq;
	uint32_t n, unsettled;
};

struct ref {
	struct item *it;
	uint32_t i;
};

struct batch {
	struct batch *prev, *next;
	struct vendor *vendor;
	struct ref *refs;
	uint32_t n;
	unsigned route;
	uint64_t serial;
	bool ordered;
	void *transfer;		/* courier.c's */
};

struct batches {
	struct batch *first, *last;
};

struct vendor_counts {
	uint64_t delivered, parked, dead, dropped;	/* events */
	uint64_t retry, hold, split;			/* requests that ended so */
};

struct vendor {
	struct vendor *next;
	char name[64];
	struct queue queue, dead;
	bool queue_ready, dead_ready;

	struct plan_file plan;
	bool has_plan;
	bool cleartext_refused;		/* http:// to somewhere else than this machine */
	char *credential;		/* wiped when dropped */
	uint64_t epoch;			/* rises with everything that may let more go */

	struct items fresh;
	size_t fresh_bytes;
	bool park_fresh;		/* all that waits fresh goes to the queue */
	bool queue_busy;		/* something in the queue may go: what comes goes behind it */
	struct items late;		/* fresh ones that go straight to the end of the queue */
	struct ref *corpses;		/* refused for good, not yet in dead/ */
	size_t corpses_len, corpses_cap;
	int64_t park_at_ms;		/* after a failed write: not before */

	struct batches ready;		/* halves that go next */
	struct batches flying;
	unsigned flights;
	bool ordered_flying;

	unsigned failures;
	int64_t next_try_ms;
	const char *hold;		/* why the vendor refuses us, or NULL */
	const char *last_error;		/* stable word */
	struct vendor_counts counts;
	struct outcomes *outcomes;
};

/* Opens queue/NAME if it is there already; both folders are made when first needed. */
void vendor_init(struct vendor *v, const char *name, struct outcomes *o);
void vendor_release(struct vendor *v);
bool vendor_name_good(const char *name, size_t n);

/* Takes plan over.  Everything is looked at again. */
void vendor_plan(struct vendor *v, struct plan_file *plan);
void vendor_no_plan(struct vendor *v);
/* NULL: dropped. */
void vendor_credential(struct vendor *v, const char *credential);

/* Why nothing at all goes out now: a stable word; NULL when something may. */
const char *vendor_closed(const struct vendor *v, int64_t now_s);
/* May this one's serial go? */
bool vendor_sends(const struct vendor *v, const struct item *it, int64_t now_s);

/* The same for all of a batch, and for what a bundle holds of a serial (but for whether anything may go at all). */
bool vendor_batch_allowed(const struct vendor *v, const struct batch *b, int64_t now_s);
enum vendor_sends_what { SENDS_NOTHING, SENDS_SOME, SENDS_ALL };
enum vendor_sends_what vendor_serial_sends(const struct vendor *v, const struct bundle_serial *s);

/* A frame of the log; takes it over.  Decides whether it waits in memory or is parked. */
void vendor_take(struct vendor *v, struct item *it, int64_t now_s);

/* The next request, its events in flight; NULL: none now. */
struct batch *vendor_pick(struct vendor *v, int64_t now_ms, int64_t now_s);
/* The vendor answered (status 0: it didn't); frees the batch. */
void vendor_answered(struct vendor *v, struct batch *b, int status, struct span body, int64_t retry_after_s, int64_t now_ms,
		     int64_t now_s);
/* Taken back before an answer; frees the batch. */
void vendor_taken_back(struct vendor *v, struct batch *b);
/* Prepared halves go back to waiting. */
void vendor_dissolve(struct vendor *v);
/* All that waits in memory goes to the queue with the next flush, also after a failed write. */
void vendor_park_all(struct vendor *v);
/* The objects of a batch as the adapter wants them; b->n of them. */
void vendor_objects(const struct batch *b, struct stored_object *out);

/* Writes what must be parked and what is dead.  -1: not all of it; it stays in memory and is tried again. */
int vendor_flush(struct vendor *v, const struct fio *io, int queue_dir, int dead_dir, const struct queue_keys *keys, int64_t now_ms,
		 int64_t now_s, struct err *err);
/* Behind a commit of outcomes: removes what is empty, writes anew what is half drained, loads what may go next. */
void vendor_tend(struct vendor *v, int64_t now_ms, int64_t now_s, int64_t forget_s);
struct vendor_range {
	uint64_t serial;	/* 0: any */
	uint64_t from, to;	/* of the gate's frames, inclusive */
};
/* What of it waits in the queue is dropped; in flight it isn't.  -1: some could not be read or written anew. */
int vendor_drop(struct vendor *v, const struct vendor_range *r, int64_t now_s, uint64_t *dropped, struct err *err);
/* For the snapshot of the outcomes. */
void vendor_snapshot(const struct vendor *v, struct outcome_list *l);

/* When the vendor may be tried next, for timers; INT64_MAX: nothing waits for time. */
int64_t vendor_wakes_ms(const struct vendor *v);
/* "version" when the queue holds only what the plan doesn't send, else vendor_closed's or the vendor's own word; NULL. */
const char *vendor_held(const struct vendor *v, int64_t now_s);

#endif
