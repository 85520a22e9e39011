/* A courier's worth of state in /tmp, for queue_test.c and courier_test.c: real files, an adapter whose vendor answers as the
 * test says, and a disk that fails at the n-th call. */
#ifndef COURIER_COURIER_LAB_H
#define COURIER_COURIER_LAB_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "courier/vendor.h"

enum { NOW_S = 1800000000, SERIAL = 7 };

extern struct fio bad_fio;
extern int64_t fail_at, calls;	/* the call that fails, counted from calls = 0; -1: none */

struct lab {
	char path[64];
	int queue_dir, dead_dir, own_dir;
	struct queue_keys keys;
	struct outcomes outcomes;
	struct vendor v;
	struct position *first, *last;
	uint64_t read;
	int64_t now_ms;
};

struct plan_file plan(uint64_t serial, enum flow flow);	/* of the vendor acme */
int lab_open(struct lab *x, struct err *err);
void lab_begin(struct lab *x);
void lab_end(struct lab *x);
void lab_restart(struct lab *x);
void lab_close(struct lab *x);
void open_flow(struct lab *x, uint64_t serial, enum flow flow);
/* A frame of n events "payload SEQ.I". */
struct item *frame(uint64_t seq, uint32_t n, enum object_kind kind, uint64_t serial);
void take(struct lab *x, struct item *it);
uint64_t passed(const struct lab *x);
/* Flush, commit, tend: what courier.c does each turn.  False when the disk failed. */
bool settle_all(struct lab *x);
struct batch *pick(struct lab *x);
void answer(struct lab *x, struct batch *b, int status);
uint64_t seq_of(const struct batch *b, uint32_t k);

#endif
