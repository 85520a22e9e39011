/*
 * The courier: reads the gate's log, opens payloads, splices credentials in, delivers, and keeps what can't go.  The one
 * process with outgoing connections.
 */
#ifndef COURIER_COURIER_H
#define COURIER_COURIER_H

#include "base/fio.h"
#include "crypt/crypt.h"
#include "supervisor/child.h"

/* Until `stop`; returns the exit status. */
int courier_run(struct child *c);

/*
 * The queues while Weir is stopped, for commands that hold the folder's lock: the same files, opened, counted and rewritten
 * by the same code.  Events that only the gate's log holds aren't among them; the courier takes those up at its start.
 * The directories belong to the caller and stay open.
 */
struct shelf_place {
	const struct fio *io;
	int own, queue, plans;		/* state/log/courier, state/queue, state/plan */
	uint8_t plan_public[32], public[SEAL_PUBLIC], secret[SEAL_SECRET];	/* wiped by the caller */
};
struct shelf;
int shelf_open(const struct shelf_place *p, struct shelf **out, struct err *err) __attribute__((warn_unused_result));
void shelf_close(struct shelf **s);
/* As the courier's status: an array, a vendor each. */
json_t *shelf_queues(const struct shelf *s);
/* serial 0: any.  Durable when it returns 0. */
int shelf_drop(struct shelf *s, const char *vendor, uint64_t serial, uint64_t from, uint64_t to, uint64_t *dropped,
	       struct err *err) __attribute__((warn_unused_result));

#endif
