/*
 * What commands do while Weir is stopped: the same requests, answered in the process that holds run/lock, with the
 * same functions that steward and keeper use.  A cut-off made here is the signed plan that `weir serve` starts with.
 */
#ifndef STEWARD_OFFICE_H
#define STEWARD_OFFICE_H

#include <jansson.h>

#include "base/err.h"
#include "keeper/decision.h"

/*
 * dir: the folder; the caller holds its lock.  Always an answer (new reference), as on the control socket.
 */
json_t *office_do(const char *dir, const json_t *request);

/* The queues while Weir is stopped: as the courier's status has them (new reference). */
int office_queues(const char *dir, json_t **queues, struct err *err) __attribute__((warn_unused_result));
/* x: a drop that keeper_check_drop allowed; x->dropped is filled. */
int office_queue_drop(const char *dir, struct decided *x, struct err *err) __attribute__((warn_unused_result));

/* The ledger while Weir is stopped: what is on disk, and what the gate recorded beyond. */
struct office_ledger;
int office_ledger_open(const char *dir, struct office_ledger **out, struct err *err) __attribute__((warn_unused_result));
void office_ledger_close(struct office_ledger **o);
/* A word of ledger.h; always an answer.  Records are written to open/, as the keeper does. */
json_t *office_ledger_do(struct office_ledger *o, const json_t *request, const char *who);

#endif
