/*
 * The keeper: the one process that can sign a plan, and the one that carries exposure blocks from the gate's log into
 * the ledger's folder.  It never sees payload or credentials.
 *
 * The library below (plans.c, copier.c) is what the process and offline commands share: a cut-off made while Weir is
 * stopped is the same signed file as one made while it runs.
 */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include "base/fio.h"
#include "crypt/crypt.h"
#include "keeper/decision.h"
#include "log/log.h"
#include "plan/plan.h"
#include "supervisor/shared.h"

#define KEEPER_CHECKED __attribute__((warn_unused_result))

/* ---- plans ------------------------------------------------------------------------------------------------------ */

/* Wiped by its owner with crypt_wipe. */
struct keeper_books {
	const struct fio *io;
	int plans;		/* directory state/plan */
	uint8_t public_key[32], secret[SIGN_SECRET_BYTES];
};

/*
 * 1 the plan in force, 0 there never was one, -1: ERR_CRYPTO or ERR_CORRUPT for a file that isn't ours, is older than one
 * that was signed later (state/plan/history/VENDOR/), or is gone.
 */
int keeper_load(const struct keeper_books *b, const char *vendor, struct plan_file *now, struct err *err) KEEPER_CHECKED;
/* The same for a decision: a new approval replaces a plan that is damaged or not ours, so for it there is none. */
int keeper_load_for(const struct keeper_books *b, const struct decision *d, struct plan_file *now, struct err *err) KEEPER_CHECKED;
/* Every vendor that has, or once had, a plan; each() returns false to stop. */
int keeper_vendors(const struct keeper_books *b, bool (*each)(void *arg, const char *vendor), void *arg,
		   struct err *err) KEEPER_CHECKED;

/* A contract as the registry hands it over: digest, vendor and version must be what was asked for. */
int keeper_contract(const char *json, size_t n, const uint8_t digest[static 32], const char *vendor, int64_t version,
		    struct contract **out, struct err *err) KEEPER_CHECKED;

/*
 * Must the registry be asked before d can be taken?  A cut-off that leaves the flow at least as strict as it is acts first
 * and is recorded right after; everything else is recorded first.
 */
bool keeper_asks_first(const struct decision *d, const struct plan_file *now);

/*
 * The plan that d makes of the one in force (now; NULL: none).  others: the strictest flow that rules and incidents ask
 * (with approve, d->person is what a person asks: the plan that held it may have gone).
 * proposed: the contract of d->version, for approve; taken over.  Not for DECIDE_DROP, which changes no plan
 * (keeper_check_drop).
 *
 * `sends` holds the earlier serials whose frames may go out under the new plan: those whose effective rules, identity
 * and state it doesn't narrow.  They are read from state/plan/history/VENDOR/, where every signed plan is kept, since
 * frames of a serial several plans ago may still be queued.
 *
 * ERR_CORRUPT: there was a plan (d->recorded) and now there is none; an approval goes on behind its number.
 * ERR_DENIED: a requirement is unmet, the contract has expired, nothing is approved, the range may not be drained now.
 */
int keeper_next(const struct keeper_books *b, const struct decision *d, const struct plan_file *now, enum flow others,
		struct contract **proposed, struct plan_file *next, struct err *err) KEEPER_CHECKED;
int keeper_check_drop(const struct decision *d, const struct plan_file *now, struct err *err) KEEPER_CHECKED;

/* The decision that nobody takes: the plan follows what rules and incidents ask.  What a person asks stays. */
void keeper_refresh(const char *vendor, int64_t at, struct decision *d);

/* Signs next into bytes (and fills next->sha256). */
void keeper_sign(const struct keeper_books *b, struct plan_file *next, struct buf *bytes);
/* Durable; with a copy in the history. */
int keeper_write(const struct keeper_books *b, const struct plan_file *next, const struct buf *bytes, struct err *err) KEEPER_CHECKED;
/* What d led to; d NULL: the plan as it was found. */
void keeper_decided(const struct decision *d, const struct plan_file *p, struct decided *out);

/* ---- exposures -------------------------------------------------------------------------------------------------- */

/*
 * Copies what the ledger needs from the gate's log to state/ledger/open/: of a LOG_REQUEST frame the clear part, as a
 * LOG_EXPOSURE frame; LOG_LINK frames whole.  Each body starts with the source's sequence number (u64), from which the
 * position is derived at the next start: at-least-once, and folding twice changes nothing.
 */
struct copier;
int copier_open(const struct fio *io, int log_dir, const struct log_mark *mark, int open_dir, struct keeper_mark *passed,
		struct copier **out, struct err *err) KEEPER_CHECKED;
void copier_close(struct copier **c);
/*
 * Copies up to limit frames that are durable, syncs, and moves the mark.  Returns how many were read, or -1; then
 * nothing was passed and the next call tries again.
 */
int64_t copier_step(struct copier *c, size_t limit, struct err *err) KEEPER_CHECKED;
/* A frame of the keeper's own (LOG_RECORD), durable. */
int copier_record(struct copier *c, const void *body, size_t n, struct err *err) KEEPER_CHECKED;
/* A LOG_ERASE frame, durable, the first of a new file: those before it can go. */
int copier_erase(struct copier *c, const void *body, size_t n, struct err *err) KEEPER_CHECKED;
const struct log_mark *copier_mark(const struct copier *c);	/* of open/ */
/* Frames of open/ up to this number may go. */
int copier_release(struct copier *c, uint64_t passed, struct err *err) KEEPER_CHECKED;
struct copier_stats {
	uint64_t passed, exposures, links, gaps, commits;
};
struct copier_stats copier_stats(const struct copier *c);

/*
 * Restricts, releases or erases people (ledger.h): recorded durably, then done.  Frames of open/ that held them are gone when this
 * returns.  ERR_NOTFOUND, ERR_DENIED: the answer is no.  Other errors of an erasure may come after it was recorded: it will be
 * finished.
 */
struct ledger;
struct pseudo;
int keeper_people(struct copier *c, struct ledger *l, struct pseudo *subject, const json_t *request, const char *who, json_t *answer,
		  struct err *err) KEEPER_CHECKED;
/* One of its requests. */
bool keeper_people_word(const char *word);

/* ---- process ---------------------------------------------------------------------------------------------------- */

struct child;
int keeper_run(struct child *c);

#endif
