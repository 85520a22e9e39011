/*
 * What goes into the transparency log: nothing personal, and a hash of everything that Weir recorded.
 *
 * A leaf is one line of JSON, its members in this order and no space between them:
 *   {"weir":"event","seq":N,"at":SECONDS,"kind":"approve","vendor":"V","version":N,"sha256":HEX}
 *       an event of the registry: sha256 over a random salt and the event (registry.h, registry_leaves), so that nobody
 *       can try who or why
 *   {"weir":"batch","at":S,"from":N,"to":N,"frames":N,"lost":N,"root":HEX}
 *       frames of state/ledger/open with these numbers: an RFC 6962 tree of (u64 number, u8 type, body), little-endian.
 *       lost: stretches that can't be read
 *   {"weir":"day","at":S,"day":"2026-01-15","generation":N,"number":N,"days":N,"people":N,"bytes":N,"root":HEX,"head":HEX,
 *    "subjects":N,"dict":HEX,"sha256":HEX}
 *       a closed day of the ledger: its file, the root over its containers, the hash of its beginning, which says what they are
 *       about, and the root over the dictionary's first so many keys.  number: its own; days: how many files were in the log
 *       with it, by which a file without a leaf (a crash between the two) or a leaf without a file is noticed.  A day that was
 *       written again without somebody who was erased has another leaf, behind the erasure's.  people: decisions about them that
 *       were in the log before it
 *   {"weir":"people","at":S,"do":"erase","number":N,"identifiers":N,"forced":false,"sha256":HEX}
 *       a decision about people (restrict, release, erase): sha256 over its record with a random id (ledger_decisions).  number:
 *       how many there are with it
 *
 *   {"weir":"state","at":S,"days":N,"people":N,"subjects":N,"dict":HEX[,"answer":HEX]}
 *       how much of that there is, and the dictionary: behind an erasure, which changes its root; and where somebody wants proof,
 *       with the hash of what was answered (notary_spell)
 *
 * Where the next batch begins, and which days and events are in, is read from the log itself.  One thread.
 */
#ifndef KEEPER_NOTARY_H
#define KEEPER_NOTARY_H

#include <jansson.h>

#include "ledger/ledger.h"
#include "log/log.h"
#include "tlog/tlog.h"

#define NOTARY_CHECKED __attribute__((warn_unused_result))

/* The log's key: plans' and checkpoints'; its name, the log's origin, comes from it: "weir-log/" and 16 hex digits. */
void notary_key(const uint8_t public_key[static 32], struct tlog_key *out);

struct notary;
struct notary_place {
	const struct fio *io;
	int tlog;			/* state/tlog */
	int open;			/* state/ledger/open */
	const struct log_mark *mark;	/* of open/ */
	uint8_t public_key[32];
	const uint8_t *secret;		/* borrowed */
};
/* ERR_CORRUPT, ERR_CRYPTO: damage, or a folder from a backup. */
int notary_open(const struct notary_place *p, struct notary **out, struct err *err) NOTARY_CHECKED;
void notary_close(struct notary **n);

/* A leaf for what came to open/ since the last, if anything did.  Leaves added, or -1. */
int notary_batch(struct notary *n, int64_t at, struct err *err) NOTARY_CHECKED;
/* A leaf for each closed day that has none, or has become another one since by an erasure.  ERR_CORRUPT: a day's file is gone.  Leaves added, or -1. */
int notary_days(struct notary *n, struct ledger *l, int64_t at, struct err *err) NOTARY_CHECKED;
/* Everything of the ledger that is closed is in the log now.  answer: was given then; or NULL. */
int notary_state(struct notary *n, struct ledger *l, int64_t at, const json_t *answer, struct err *err) NOTARY_CHECKED;
/* All of the leaves above that are due, and then a state with the answer. */
int notary_answer(struct notary *n, struct ledger *l, int64_t at, const json_t *answer, struct err *err) NOTARY_CHECKED;
/* The one spelling of an answer: without `ok` and `checkpoint`, members sorted, no spaces. */
void notary_spell(const json_t *answer, struct buf *out);
/* A leaf for each decision about people that has none.  Leaves added, or -1. */
int notary_people(struct notary *n, const struct ledger *l, int64_t at, struct err *err) NOTARY_CHECKED;
/*
 * events: [{seq, at, kind, vendor, version, sha256}], rising; taken: the highest leaf that the registry was ever told, or
 * -1.  Fills leaves with [{seq, leaf}]; an event that is in the log already keeps its place.  ERR_CORRUPT: the log is
 * shorter than it was.
 */
int notary_events(struct notary *n, const json_t *events, int64_t taken, json_t *leaves, struct err *err) NOTARY_CHECKED;

/* The leaf of an event as notary_events has it; ERR_BUG when it isn't in form. */
int notary_event_leaf(const json_t *event, struct buf *leaf, struct err *err) NOTARY_CHECKED;

/*
 * Everything against everything (recheck.c): the log's folder against its signed checkpoint, and what Weir recorded against
 * the log: frames of open/ that are still there, files of closed days, events of the registry.
 */
struct notary_files {
	const struct fio *io;
	int tlog;
	int open, day, dict;	/* of state/ledger; -1: the log alone */
	const json_t *events;	/* of audit-events, all of them; NULL: not looked at */
	struct tlog_key key;
};
struct notary_checked {
	struct tlog_checked log;
	uint64_t batched_to;	/* frames of open/ that are in the log */
	uint64_t batches, batches_gone;	/* gone: their frames were released, in closed days */
	uint64_t days, events;
	uint64_t people;	/* decisions about them */
};
/* -1 only when the log's checkpoint can't be read; damage is told and counted in log.damages. */
int notary_check(const struct notary_files *f, void (*each_damage)(void *arg, const struct tlog_damage *d), void *arg,
		 struct notary_checked *out, struct err *err) NOTARY_CHECKED;

/* {"origin", "size", "root"}; the newest. */
json_t *notary_checkpoint(const struct notary *n);
json_t *notary_checkpoint_json(const struct tlog_checkpoint *c);
struct tlog *notary_log(struct notary *n);
uint64_t notary_size(const struct notary *n);

#endif
