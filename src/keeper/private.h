/* The keeper process: shared by keeper.c (loop, messages, exposures) and jobs.c (one decision after the other). */
#ifndef KEEPER_PRIVATE_H
#define KEEPER_PRIVATE_H

#include <uv.h>

#include "keeper/control.h"
#include "keeper/keeper.h"
#include "keeper/notary.h"
#include "ledger/ledger.h"
#include "supervisor/child.h"

/* A vendor's plan as gate and courier are told of it. */
struct told {
	char vendor[VENDOR_MAX + 1];
	uint64_t serial;	/* 0: there is a file, but not one that we signed */
	uint8_t sha256[32];
	enum flow flow;
	bool open;	/* it is ours and its secrets are there; else the vendor is closed */
};

struct job;
struct owed;
struct caller;

struct keeper {
	struct child *c;
	uv_loop_t loop;
	struct channel_watch watch;
	uv_timer_t copy_timer, job_timer;
	struct keeper_books books;
	struct users *users;
	struct copier *copier;
	bool copy_failing;
	struct ledger *ledger;	/* NULL: ledger_err says why; decisions and copying go on without it */
	struct err ledger_err;
	struct pseudo *subject;
	struct notary *notary;	/* NULL: notary_err says why; everything but the transparency log goes on */
	struct err notary_err;
	int64_t batched_ms;
	struct reply *replies;
	json_t *arrived;	/* what the courier said last: {VENDOR: {before, waiting, dead}}; NULL: nothing yet */
	bool close_failing, rollup_failing;
	struct told *told;
	size_t told_len;
	size_t starting;	/* plans at the start whose secrets are still being looked for */
	unsigned waiting;	/* 1 << role: asked for plans while we were starting */
	struct job *first, **last;	/* the first is under way */
	struct owed *owed, **owed_last;	/* done, but the registry hasn't said that it recorded them */
	uv_timer_t owed_timer;
	uv_poll_t door;			/* run/cutoff.sock */
	struct caller *callers;
	size_t callers_len;
	uint64_t next_id;
	uint64_t decisions, refused;
};

struct told *told_find(struct keeper *k, const char *vendor, bool add);
void told_announce(struct keeper *k, const struct told *t, enum role to, uint64_t id);
/* {id, vendor, sources, credential} of a contract */
json_t *resolve_body(uint64_t id, const struct contract *c);
/* channel_send that logs its failure. */
void keeper_send(struct keeper *k, enum role to, const char *verb, json_t *body);

/* Takes over the caller's connection.  cut_off: it goes before whatever waits, and before what has changed nothing yet. */
void jobs_add(struct keeper *k, int fd, bool cut_off);
/* The steward's: answered `refreshed` with that id once gate and courier confirmed. */
void jobs_refresh(struct keeper *k, const char *vendor, json_int_t asked_as);
/* True when the message was the answer that the job under way waits for. */
bool jobs_take(struct keeper *k, const struct message *m);
void jobs_init(struct keeper *k);
void jobs_release(struct keeper *k);	/* those under way are told to ask again */

/* The socket for cut-offs (door.c). */
int door_open(struct keeper *k, int listen_fd, struct err *err) __attribute__((warn_unused_result));

/*
 * Questions to the ledger (questions.c).  keeper_copy brings it up to what the gate has recorded; each question does so
 * first.
 */
void keeper_copy(struct keeper *k);
void questions_open(struct keeper *k, const uint8_t subject_key[static KEY_BYTES]);
/* The courier's `arrived`: noted in the ledger where an answer needs it. */
void questions_arrived(struct keeper *k, const struct message *m);
void questions_close(struct keeper *k);
void questions_fold(struct keeper *k, bool caught_up);	/* behind a copy */
void questions_take(struct keeper *k, int fd);		/* the caller's connection; taken over */
void questions_ask(struct keeper *k, const struct message *m);	/* the steward's own */

/* The transparency log (notarise.c). */
void notarise_open(struct keeper *k);
void notarise_close(struct keeper *k);
void notarise_now(struct keeper *k);	/* a leaf for what open/ holds */
void notarise_due(struct keeper *k);	/* the same, if the last is some time ago */
void notarise_people(struct keeper *k);	/* leaves for what was decided about people */
bool notarise_days(struct keeper *k);	/* false: open/ must stay as it is */
int notarise_answer(struct keeper *k, const json_t *answer, struct err *err);	/* somebody wants proof of it */
void notarise_events(struct keeper *k, const struct message *m);

#endif
