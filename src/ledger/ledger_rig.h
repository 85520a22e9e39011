/*
 * For the ledger's tests: a folder with signed plans of three vendors, a log that plays the keeper's, and frames for it.
 */
#ifndef LEDGER_RIG_H
#define LEDGER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ledger/inside.h"

enum { VENDORS = 3, SERIALS = 2, PEOPLE = 200, PATHS = 64, DAY0 = 20000 };
extern const char *const vendors[VENDORS];

uint32_t pick(uint32_t n);	/* the same row of numbers in each run */
void pick_from(uint64_t seed);

struct leaf_info {
	int path[PLAN_LEAVES_MAX];	/* place in rig.paths */
	size_t n, bytes;
};

struct rig {
	char dir[40];
	struct fio io, log_io;
	struct ledger_place place;
	uint8_t secret[SIGN_SECRET_BYTES];
	int open;
	struct log_mark mark;
	struct log_writer *w;
	struct ledger *l;
	struct pseudo *subject;
	struct leaf_info leaves[VENDORS][SERIALS];
	char *paths[PATHS], *categories[PATHS];
	int paths_n;
};

extern uint64_t calls, fail_at;	/* of the place's writes: which one fails; 0: none */

int rig_make(void **state);
int rig_clear(void **state);
void rig_open(struct rig *r);
void rig_close(struct rig *r);
int path_id(struct rig *r, const char *path, const char *category);

void person_id(uint32_t who, char out[static 24]);
void person_key(struct rig *r, uint32_t who, uint8_t out[static SUBJECT_BYTES]);
void append(struct rig *r, enum log_type type, const struct buf *b);

struct shown {	/* one object of a frame */
	uint32_t who;	/* PEOPLE: nobody */
	uint8_t leaves[8];
	char country[3];
};
void expose(struct rig *r, uint64_t source, int vendor, int serial, int64_t day, const struct shown *v, uint32_t n);
/* n identifiers, of which the first are names of one person and the rest belong to it. */
void link_people(struct rig *r, uint64_t source, int vendor, int serial, int64_t day, const uint8_t leaves[static 8], const uint32_t *who, uint8_t n,
		 uint8_t persons);
/* who NULL: everybody (deleted). */
void record(struct rig *r, bool deleted, int vendor, int64_t day, const uint32_t *who, uint32_t n, uint32_t number, const char *field);
/* restrict, release: 0, or what is wrong with it (enum err_code). */
int decide(struct rig *r, const char *word, uint32_t who, int64_t today, uint32_t number, json_t **answer);
/* What the keeper does with an erasure; finish false: it is killed behind the frame. */
int erase(struct rig *r, uint32_t who, int64_t today, uint32_t number, bool force, bool finish, json_t **answer);
void catch_up(struct rig *r);
json_t *ask(struct rig *r, json_t *q, int64_t today);	/* q is taken over */
json_int_t listed(const json_t *a, const char *list, const char *name, const char *value);

#endif
