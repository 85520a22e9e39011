/* Shared by courier.c (the loop), intake.c (the gate's log) and orders.c (messages). */
#ifndef COURIER_INSIDE_H
#define COURIER_INSIDE_H

#include "courier/vendor.h"
#include "courier/wire.h"
#include "supervisor/child.h"
#include "supervisor/shared.h"

struct ack {	/* a plan that is confirmed once nothing forbidden is in flight any more */
	struct ack *next;
	uint64_t id, serial;
};

struct seat {	/* a vendor with what the process has for it */
	struct vendor v;
	struct seat *next;
	struct wire *wire;
	struct ack *acks;
	int64_t cut_at_ms;	/* with acks: then what is forbidden and still in flight is taken back */
	bool full;		/* its flag in shared memory */
};

struct intake {	/* the gate's log, read */
	struct log_reader *reader;
	uint64_t segment;	/* whose key this is; 0: none */
	uint8_t key[KEY_BYTES];
	uint64_t read;		/* the last number read */
	int64_t all_us;		/* when everything durable was read last; 0: not yet */
	struct position *first, *last;
	int64_t stuck_at_ms;	/* a key that can't be opened: not before */
};

struct courier {
	struct child *child;
	uv_loop_t loop;
	uv_timer_t timer;
	struct channel_watch watch;
	const struct fio *io;
	int log_dir, plan_dir, own_dir, queue_dir, dead_dir;
	const struct log_mark *mark;
	struct courier_mark *own_mark;
	struct queue_keys keys;
	uint8_t plan_public[32];
	struct outcomes outcomes;
	struct intake in;
	struct seat *seats;
	bool plans_known;	/* plans-end has come */
	int64_t ask_plans_ms;
	int64_t told_ms;	/* orders_tell_arrived */
	uint64_t told_events;
	int64_t busy_ms;	/* when something last happened */
	int64_t tidy_dead_s;
	bool held_back;		/* the last flush or commit failed: nothing more is read or sent */
	bool stopping;
	int64_t stop_at_ms;
	int64_t forget_s, dead_s;
};

/* ---- courier.c -------------------------------------------------------------------------------------------------- */

/* The vendor's seat, made when needed; NULL for a bad name. */
struct seat *seat_of(struct courier *c, const char *name, size_t n);
/* Takes back what is in flight: all of it, or only what the plan no longer allows. */
void seat_take_back(struct seat *s, bool all);
int courier_flush_seat(struct courier *c, struct seat *s, struct err *err);
/* Something changed: look at everything at once. */
void courier_wake(struct courier *c);

/* ---- intake.c --------------------------------------------------------------------------------------------------- */

int intake_open(struct courier *c, struct err *err);
void intake_close(struct courier *c);
/* Reads what is durable, to a limit; true when there is more. */
bool intake_read(struct courier *c);
/* Every frame up to this number is settled. */
uint64_t intake_passed(const struct courier *c);
/* Forgets the frames up to it. */
void intake_forget(struct courier *c, uint64_t passed);
void intake_snapshot(const struct courier *c, struct outcome_list *l);

/* ---- status.c --------------------------------------------------------------------------------------------------- */

/* {vendor, events, bytes, oldest_seconds, held, in_flight, error, serials: [{serial, events, from, to, sends}], damaged} */
json_t *vendor_status(const struct vendor *v);
int64_t vendor_oldest_us(const struct vendor *v);	/* of what is queued, received; INT64_MAX: nothing is */
int64_t vendor_oldest_seconds(const struct vendor *v);

/* ---- orders.c --------------------------------------------------------------------------------------------------- */

void orders_take(struct message *m, void *arg);
/* Confirms plans whose forbidden requests are gone, cutting off those that had their time. */
void orders_tend(struct courier *c, struct seat *s);
void orders_ask_plans(struct courier *c);
/* Tells the keeper what has arrived, behind a commit of outcomes; now and then, and when something has changed. */
void orders_tell_arrived(struct courier *c);

#endif
