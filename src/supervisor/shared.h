/*
 * Memory that processes share: pages of memfds that the supervisor makes and hands out, writable for one process and
 * read-only for the rest.  They outlive the processes, so a restarted one finds the last values.
 *
 *   mark (struct log_mark)   gate writes; courier, keeper read
 *   courier_mark             courier writes; gate reads
 *   keeper_mark              keeper writes; gate reads
 */
#ifndef SUPERVISOR_SHARED_H
#define SUPERVISOR_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { SHARED_BYTES = 4096, COURIER_FULL_SLOTS = 32 };

struct courier_mark {
	_Atomic uint64_t passed;	/* every frame of the gate's log up to here has its effect synced */
	_Atomic uint64_t full[COURIER_FULL_SLOTS];	/* shared_vendor_hash of vendors over their quota; 0: empty */
	_Atomic uint64_t all_full;	/* more vendors over quota than slots: treat every vendor as full */
	_Atomic uint64_t known;		/* passed has been said: the gate opens its log behind it */
};

struct keeper_mark {
	_Atomic uint64_t passed;
	_Atomic uint64_t known;
};

/* SHARED_BYTES of the descriptor; NULL on failure.  Stays mapped for the life of the process. */
void *shared_map(int fd, bool write, struct err *err);

/* FNV-1a, never 0. */
uint64_t shared_vendor_hash(const char *vendor);
bool courier_mark_is_full(const struct courier_mark *m, uint64_t vendor_hash);
/* For the courier only. */
void courier_mark_set_full(struct courier_mark *m, uint64_t vendor_hash, bool full);

#endif
