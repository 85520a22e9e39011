/*
 * The exposure ledger: whose data went to which vendor, which fields of it, on which day (design section 5).
 *
 *   state/ledger/dict/keys          16 bytes a subject, its place is its id; append-only
 *   state/ledger/open/              the keeper's own log: copied exposure blocks, records of other flows, deletions
 *   state/ledger/day/YYYY-MM-DD[.N] a closed day: immutable, canonical, a checksum a container and a Merkle root;
 *                                   .2, .3 .. hold what came for that day after it was closed
 *   state/ledger/month/, total/     what closed days add up to (rollup.c): derived, made again when in doubt
 *
 * Links say which identifiers are one person (persons.c): every count of people counts people.
 *
 * What is in open/ is folded into memory at the start; a day that is closed leaves the memory for its file, and the log
 * goes.  The sets only grow: folding the same frame twice changes nothing, events included (a frame counts once, by its
 * source's sequence number; a record once, by its random id).
 *
 * A closed day is mapped and opened by its head; its containers are checked before they are used, each once.  Damage is
 * never skipped: ledger_open, or the call that comes upon it, fails with ERR_CORRUPT and names file and container, and so does
 * every call after it.  One thread.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include <jansson.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/fio.h"
#include "contract/contract.h"
#include "crypt/crypt.h"
#include "log/log.h"

#define LEDGER_CHECKED __attribute__((warn_unused_result))

struct ledger;

struct ledger_place {
	const struct fio *io;
	int dir;			/* state/ledger; its folders are made where they are missing */
	int plans;			/* state/plan: every signed plan says which places its leaves are */
	uint8_t public_key[32];		/* of the plans */
};

/*
 * mark: of open/ when somebody writes it in this process (only what is durable is read), else NULL: to its end.
 * Reads what open/ holds, the dictionary, and the heads of the closed days.  Writes nothing.
 */
int ledger_open(const struct ledger_place *p, const struct log_mark *mark, struct ledger **out, struct err *err) LEDGER_CHECKED;
void ledger_close(struct ledger **l);

/*
 * Checks at most limit closed days and roll-ups that weren't, wholly.  How many; 0: all are; -1: damage of a day.  A roll-up that
 * is damaged no longer counts.
 */
int ledger_check(struct ledger *l, size_t limit, struct err *err) LEDGER_CHECKED;

/* Folds what came to open/ since; at most limit frames.  How many, or -1: the ledger is damaged, or can't be read. */
int64_t ledger_catch_up(struct ledger *l, size_t limit, struct err *err) LEDGER_CHECKED;
/*
 * While Weir is stopped: folds what the gate's log holds beyond what was copied, into memory only.
 * log_dir: state/log/gate.
 */
int ledger_add_gate(struct ledger *l, int log_dir, struct err *err) LEDGER_CHECKED;

/*
 * Writes every day before `today` (days since 1970) that has something open to its file, durably.  Call it once
 * everything received before midnight is folded.  Returns the days written, or -1: they stay open, nothing is lost.
 */
int ledger_close_days(struct ledger *l, int64_t today, struct err *err) LEDGER_CHECKED;
/*
 * Makes the roll-ups of closed days that are missing, stale or damaged (anew: all of them), durably.  How many; -1: the disk
 * or a day doesn't allow it, and the days go on answering.  Offline commands needn't.
 */
int ledger_roll_up(struct ledger *l, int64_t today, bool anew, struct err *err) LEDGER_CHECKED;
/* A closed day's file.  ledger_check says whether its bytes have that root. */
struct ledger_day {
	int64_t day;		/* since 1970 */
	uint32_t generation;
	const uint8_t *bytes;	/* as long as the ledger is open */
	size_t n;
	size_t head_n;		/* of them: head and table of its sets, which say what its containers are about */
	uint32_t subjects;	/* of the dictionary then */
	uint8_t root[32];	/* over its containers */
};
void ledger_days(const struct ledger *l, void (*each)(void *arg, const struct ledger_day *d), void *arg);
/* The dictionary's first n keys, of those that are on disk: root of a tree with 64 keys a leaf (RFC 6962).  What an erasure changed
 * stays changed for what was before. */
uint32_t ledger_subjects_stored(const struct ledger *l);
void ledger_dict_root(struct ledger *l, uint32_t n, uint8_t root[static 32]);
/* The same of dict/keys itself, with no ledger open.  ERR_CORRUPT: it holds fewer. */
int ledger_keys_root(const struct fio *io, int dict, uint32_t n, uint8_t root[static 32], struct err *err) LEDGER_CHECKED;
/* Something that was mapped can't be read: what was just read isn't right, and the next call says which file. */
bool ledger_faulted(const struct ledger *l);
/* Frames of open/ up to this number are in closed days: log_release. */
uint64_t ledger_passed(const struct ledger *l);

/*
 * Reads every file, whether a ledger opens or not, and names all the damage that they show: file and bytes (to UINT64_MAX:
 * its end).  must: frames of open/ up to this number were there once (the transparency log says so); 0: not known, and
 * what is torn at its end is taken for a batch that was never acknowledged.  Weir may run meanwhile.  -1: can't read.
 */
struct ledger_damage {
	const char *file;
	uint64_t from, to;
	const char *why;
};
struct ledger_verified {
	uint64_t days, containers, subjects, frames, torn_bytes;
	uint64_t copied;	/* frames of the gate's log up to this number are counted somewhere */
	size_t damages;
};
int ledger_verify(const struct ledger_place *p, uint64_t must, void (*each)(void *arg, const struct ledger_damage *d), void *arg,
		  struct ledger_verified *out, struct err *err) LEDGER_CHECKED;

/* The same of another log's folder: state/log/gate, with `must` as ledger_verify found it copied; state/log/courier.  name: for the damage. */
int ledger_verify_log(const struct fio *io, int dir, const char *name, uint64_t must, void (*each)(void *arg, const struct ledger_damage *d),
		      void *arg, size_t *damages, struct err *err) LEDGER_CHECKED;

struct ledger_stats {
	uint64_t subjects, frames, duplicates, records, days_closed, bytes_closed;
	uint64_t erasures;	/* frames of them that were folded, and files that were written again without somebody: a day may
				 * not be what was logged */
	uint64_t unreadable;	/* frames whose plan isn't there: counted with the field "(unknown)" */
};
struct ledger_stats ledger_stats(const struct ledger *l);

/* ---- what is written besides exposures -------------------------------------------------------------------------- */

/*
 * The body of a LOG_RECORD frame for open/ from a request; the caller appends and commits it, and the next catch-up folds
 * it.  subject: keyed with the subject key.  ids: ["[KIND:]ID", ...]; kind user unless named.
 *   {"do": "ledger-record",  "vendor", "ids", "fields": [{"path", "category"?}], "day"?, "why"?, "record"}
 *   {"do": "ledger-deleted", "vendor", "ids" (absent: everybody), "day"?, "why", "record"}
 * record: 32 hex digits, random; sent again it changes nothing.  day: "2026-01-15", not in the future; else today.
 */
int ledger_record(const json_t *request, struct pseudo *subject, const char *who, int64_t now, struct buf *body,
		  struct err *err) LEDGER_CHECKED;

/*
 * Weir's own note, for questions with `since`: everything recorded for this vendor before `before` (seconds) has reached it
 * by now, or never will.  A frame for open/ as above.  _due: a note would change an answer.
 */
bool ledger_arrived_due(const struct ledger *l, const char *vendor, int64_t before);
void ledger_arrived(const char *vendor, int64_t before, int64_t now, struct buf *body);

/* ---- people's rights ---------------------------------------------------------------------------------------------- */

/*
 * {"do": "subject-restrict" | "subject-release", "id" or "ids": ["[KIND:]ID", ...], "why", "record"}: a LOG_RECORD frame.
 * A person's identifiers are all of them.  answer: {people, identifiers, unknown, forced, vendors: [{vendor, people, unattested}]}.
 * ERR_NOTFOUND: nobody is known.
 */
int ledger_restrict(struct ledger *l, const json_t *request, struct pseudo *subject, const char *who, int64_t now, struct buf *body,
		    json_t *answer, struct err *err) LEDGER_CHECKED;
/*
 * {"do": "subject-erase", "id" or "ids", "why", "record", "force"?}: a LOG_ERASE frame, after which ledger_catch_up and
 * ledger_finish_erasing do it.  Everything open is closed first (ledger_close_days with INT64_MAX).  passed: of the copier; when the
 * frame is durable, those before it may go.  An empty body: sent again, and it was recorded.
 * ERR_DENIED: a vendor hasn't attested to have deleted it.
 */
int ledger_erase(struct ledger *l, const json_t *request, struct pseudo *subject, const char *who, int64_t now, uint64_t passed, struct buf *body,
		 json_t *answer, struct err *err) LEDGER_CHECKED;
/*
 * What was decided about people, each once, for the transparency log: sha256 over the record, whose random id nobody outside
 * knows.
 */
struct ledger_decision {
	const char *what;	/* "restrict", "release", "erase" */
	int64_t at;
	uint32_t identifiers;
	bool forced;
	uint8_t sha256[32];
};
void ledger_decisions(const struct ledger *l, void (*each)(void *arg, const struct ledger_decision *d), void *arg);
bool ledger_erasing(const struct ledger *l);	/* ledger_finish_erasing has something to do */
/* Durable.  -1: the disk or damage doesn't allow it now: until it does nothing is answered, for the files still hold them. */
int ledger_finish_erasing(struct ledger *l, struct err *err) LEDGER_CHECKED;

/* ---- questions -------------------------------------------------------------------------------------------------- */

/* True for the words below and those above (these set *writes). */
bool ledger_word(const char *word, bool *writes);

/*
 * Fills answer (an object).  The control socket, the steward's `ask` and offline commands use the same words:
 *   blast     {vendor, since?, until?, category?, jurisdiction?, count?}     design section 7; count: true: only how many
 *   blast-list  the same and {after?, limit?} -> {rows: [{subject, person, categories, first, last}], next?}
 *               an identifier a row; person: the same for all that one person has
 *   holdings  {vendor}
 *   subject   {id: "[KIND:]ID", vendor?, proof?}   -> {found, known, kind, subject, linked, restricted, erased, erased_on, vendors}
 *               known: the dictionary has it; proof: also contracts
 *   resolve   {vendor, ids: [...], since?, until?, category?, jurisdiction?}
 *               -> {found: [{i, subject, categories, first, last}]}      i: place in ids; of all that the person has
 *   ledger-status {}                           -> counts, days, records
 *   ledger-rebuild {}                          -> {rebuilt}: every roll-up is made anew
 * blast's events_undelivered is null here: who knows the courier fills it in (keeper/questions.c).
 * A vendor nobody ever sent anything to has an empty answer; that isn't an error here.
 * ERR_INPUT for a request that is wrong.
 */
int ledger_ask(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer,
	       struct err *err) LEDGER_CHECKED;

/* ---- for other engines (export.c) --------------------------------------------------------------------------------------- */

enum ledger_table { LEDGER_CHUNK, LEDGER_EVENTS, LEDGER_SET, LEDGER_FIELD, LEDGER_SUBJECT, LEDGER_PERSON, LEDGER_RECORD, LEDGER_TABLES };
extern const struct ledger_table_info {
	const char *name, *columns, *engine;	/* ClickHouse's words */
} ledger_tables[LEDGER_TABLES];
struct ledger_sink {
	int (*put)(void *arg, enum ledger_table t, const void *p, size_t n, struct err *err);	/* more bytes of a table; -1 ends it */
	void *arg;
};
/*
 * Everything in the ledger.  Generation 65535 is what of a day isn't closed.  Every identifier of whoever has more than one is in
 * weir_person; `person` is one of them.
 *   _clickhouse  each table in RowBinary: a row of weir_chunk is a set's ids of one day in one range of 65,536, as a groupBitmap
 *   _lines       NDJSON, whatever the table: {"set", "kind", "vendor"|"name", "over_approximate", "fields": [{path, category}]},
 *                {"day", "generation", "set", "events"}, {"person": [subjects]}, {"day", "generation", "record", "what", "at",
 *                "vendor", "who", "why"}, {"day", "generation", "set", "subjects": [..]}
 */
int ledger_export_clickhouse(struct ledger *l, const struct ledger_sink *to, struct err *err) LEDGER_CHECKED;
int ledger_export_lines(struct ledger *l, const struct ledger_sink *to, struct err *err) LEDGER_CHECKED;

/* ---- evidence of one identifier (prove.c, prove_check.c): JSON that is checked with neither ledger nor key ------------------ */

/*
 * {"subject": HEX, "id": N, "keys": BASE64, "path": [BASE64 ..]}: the leaf of the dictionary that has the key, under the root of its
 * first n keys.  ERR_NOTFOUND: none of them is it.
 */
int ledger_prove_key(const struct fio *io, int dict, uint32_t n, const uint8_t key[static SUBJECT_BYTES], uint32_t *id, json_t **out,
		     struct err *err) LEDGER_CHECKED;
/*
 * {"head": BASE64, "containers": [{"index", "bytes": BASE64, "path": [BASE64 ..]}]}: of a closed day's file what says whether the ids
 * are in its sets, of one vendor or of all (NULL).  Where a set has no container for an id, its neighbours: they stand in order.
 */
int ledger_prove_day(const uint8_t *file, size_t n, const uint32_t *ids, size_t ids_n, const char *vendor, json_t **out,
		     struct err *err) LEDGER_CHECKED;

/* ERR_CRYPTO: it proves nothing. */
int ledger_check_key(const json_t *proof, uint32_t n, const uint8_t root[static 32], uint8_t key[static SUBJECT_BYTES], uint32_t *id,
		     struct err *err) LEDGER_CHECKED;
struct ledger_day_proved {
	uint8_t head[32], root[32];	/* in: what the day's leaf says */
	int64_t day;			/* out */
	uint32_t generation;
};
/* what: "exposure", "measured", "deleted".  Called for each set that has the id; for all other sets of the vendor it is proved that they don't. */
typedef void ledger_fact(void *arg, const char *what, const char *vendor);
int ledger_check_day(const json_t *proof, struct ledger_day_proved *d, uint32_t id, const char *vendor, ledger_fact *each, void *arg,
		     struct err *err) LEDGER_CHECKED;

/*
 * In another process: the same request as {"do": WORD, ...}; steward -> keeper `ask {id, request}`, answered by
 * `answer {id, answer}`; answer is what the control socket would say ({"ok": true, ...} or a refusal).
 */

#endif
