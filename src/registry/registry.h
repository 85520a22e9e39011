/*
 * The registry: the truth for vendors, contract versions, states, approvals, waivers, and every event about them.
 * state/registry.db, owned by the steward; when Weir is stopped, by the command that holds run/lock.
 *
 * Nothing here lets a byte out: gate and courier obey signed plans only, and the keeper decides (keeper/decision.h).
 * The registry keeps what was imported, what was asked, who asked it and why.
 *
 * Events are append-only (triggers refuse UPDATE and DELETE); each is also a row of the outbox, from which the keeper
 * takes it into the transparency log.
 *
 *   life of a vendor   proposed -> approved -> offboarded, and offboarded -> approved by a new approval
 *   flow of a vendor   the strictest of what a person, a rule and an incident ask
 *
 * One thread.  Strings of structs filled here belong to the struct; *_release ends it.
 */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include <jansson.h>

#include "base/bytes.h"
#include "contract/contract.h"
#include "keeper/decision.h"

struct registry;
#define REGISTRY_CHECKED __attribute__((warn_unused_result))

int registry_open(const char *path, struct registry **out, struct err *err) REGISTRY_CHECKED;
void registry_close(struct registry **r);

/*
 * Capabilities that live in the registry (assessments, assurance, incidents, ...) keep their own tables in the same
 * database (schema.c: one migration each, at the end) and answer words of the control socket.  A capability exports one
 * table of words, closed with a NULL; the steward, and office_do while Weir is stopped, look there (steward/desk.c).
 *
 * handle fills answer (an object) and returns 0, or -1 with err: the caller is told.  who: the operating system's user.
 * A vendor whose flow it moved through registry_ask has its plan signed anew, and gate and courier have confirmed, before
 * the caller gets the answer; "refresh": [vendors] in the answer asks for the same where nothing was asked anew.
 */
struct registry_word {
	const char *word;	/* "assess-start" */
	int (*handle)(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err);
};
/*
 * Work that time brings (expiry, deadlines): the steward calls run once a second, and behind each request that may have
 * changed something; the table of ticks stands in steward/desk.c.  What it changes it notes; a flow it moves through
 * registry_ask: the plans then follow by themselves.  A second with nothing to do costs a query or two.
 */
struct registry_tick {
	const char *name;	/* "assurance" */
	int (*run)(struct registry *r, int64_t at, struct err *err);
};
struct store;
struct store *registry_store(struct registry *r);	/* one transaction at a time: store_begin, store_end */
/* An event that stays, with its outbox row; inside a transaction that the caller began.  detail is taken over. */
int registry_note(struct registry *r, const char *vendor, const char *kind, const char *who, const char *why, int64_t at,
		  json_t *detail, uint64_t *seq, struct err *err) REGISTRY_CHECKED;

/* ---- contract versions ------------------------------------------------------------------------------------------ */

struct registry_contract {
	char vendor[VENDOR_MAX + 1];
	char *name;		/* of the vendor, as the contract says */
	int64_t version;
	uint8_t digest[32];	/* SHA-256 of json */
	char *json;		/* canonical model */
	size_t json_len;
	int64_t at;		/* imported */
	char *by;
};
void registry_contract_release(struct registry_contract *c);

enum import { IMPORT_NEW, IMPORT_SAME };
/*
 * Adds a version, proposed.  The same version with the same digest changes nothing; with another one it is
 * ERR_CONFLICT, as is a digest that isn't the json's.
 */
int registry_import(struct registry *r, const struct registry_contract *c, enum import *what, struct err *err) REGISTRY_CHECKED;
/* What registry_import would do, and nothing is changed. */
int registry_try(struct registry *r, const struct registry_contract *c, enum import *what, struct err *err) REGISTRY_CHECKED;
/* version 0: the newest.  ERR_NOTFOUND names what there is. */
int registry_contract(struct registry *r, const char *vendor, int64_t version, struct registry_contract *out,
		      struct err *err) REGISTRY_CHECKED;

/* ---- vendors ---------------------------------------------------------------------------------------------------- */

enum life { LIFE_PROPOSED, LIFE_APPROVED, LIFE_OFFBOARDED };
extern const char *const life_names[3];

enum asker { ASK_PERSON, ASK_RULE, ASK_INCIDENT, ASKERS };
extern const char *const asker_names[ASKERS];

struct registry_vendor {
	char vendor[VENDOR_MAX + 1];
	char *name;
	enum life life;
	enum flow asks[ASKERS];
	int64_t version;	/* approved; 0: none */
	int64_t newest;		/* imported */
	uint64_t serial;	/* of the plan in force; 0: none */
	int plan_flow;		/* enum flow of that plan; -1: not known.  Another than registry_flow: it needs a refresh */
	int64_t not_after;	/* INT64_MAX: none */
	int64_t at;		/* of the newest change */
};
void registry_vendor_release(struct registry_vendor *v);
enum flow registry_flow(const struct registry_vendor *v);	/* strictest of asks */

int registry_vendor(struct registry *r, const char *vendor, struct registry_vendor *out, struct err *err) REGISTRY_CHECKED;
/* In order of name; each() returns false to stop. */
int registry_vendors(struct registry *r, bool (*each)(void *arg, const struct registry_vendor *v), void *arg,
		     struct err *err) REGISTRY_CHECKED;

/* A rule's or an incident's ask; a person's goes through registry_record. */
int registry_ask(struct registry *r, const char *vendor, enum asker who, enum flow flow, const char *why, int64_t at,
		 struct err *err) REGISTRY_CHECKED;

/* The keeper looked: the plan in force has this flow. */
int registry_plan_flow(struct registry *r, const char *vendor, enum flow flow, struct err *err) REGISTRY_CHECKED;

/* ---- events ----------------------------------------------------------------------------------------------------- */

/* A decision that the keeper took: event, vendor's state, waivers, outbox row, in one transaction.  seq may be NULL. */
int registry_record(struct registry *r, const struct decided *x, uint64_t *seq, struct err *err) REGISTRY_CHECKED;
/* The very same decision: told again, for the keeper heard no answer. */
bool registry_has_recorded(struct registry *r, const struct decided *x);
/*
 * The plan in force, as the keeper found it signed at its start.  When the registry knows an older one (a cut-off acted
 * and its record was lost with the power) or a newer one (recorded, but never written), the plan is right: an event
 * `plan-found` says so and the state follows.
 */
int registry_reconcile(struct registry *r, const struct decided *plan, bool *differed, struct err *err) REGISTRY_CHECKED;

struct registry_event {
	uint64_t seq;
	int64_t at;
	const char *who, *kind, *vendor, *why;
	int64_t version;	/* 0: none */
	const char *detail;	/* JSON */
};
/* Newest last; vendor NULL: every one.  Only those with seq > after; at most limit. */
int registry_events(struct registry *r, const char *vendor, uint64_t after, size_t limit,
		    bool (*each)(void *arg, const struct registry_event *e), void *arg, struct err *err) REGISTRY_CHECKED;

/* The oldest events that are not in the transparency log yet, and that one now is, at this place. */
int registry_outbox(struct registry *r, size_t limit, bool (*each)(void *arg, const struct registry_event *e), void *arg,
		    struct err *err) REGISTRY_CHECKED;
int registry_outbox_taken(struct registry *r, uint64_t seq, uint64_t leaf, struct err *err) REGISTRY_CHECKED;
/*
 * The same as the keeper is told them: events gets [{seq, at, kind, vendor, version, sha256}], nothing personal (outbox.c
 * says what the hash is of); and its answer, [{seq, leaf}].
 */
int registry_leaves(struct registry *r, size_t limit, json_t *events, struct err *err) REGISTRY_CHECKED;
int registry_leaves_taken(struct registry *r, const json_t *leaves, struct err *err) REGISTRY_CHECKED;
/* The highest place that was ever told; -1: none. */
int registry_leaf_taken(struct registry *r, int64_t *leaf, struct err *err) REGISTRY_CHECKED;
extern const struct registry_word registry_log_words[];	/* audit-events */

#endif
