/*
 * A decision of a person about a vendor: what they asked, who they are, why; and what it led to.  Requests come as one
 * JSON object a line on the control socket; the same JSON goes to the registry as the event that stays.
 */
#ifndef KEEPER_DECISION_H
#define KEEPER_DECISION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "contract/contract.h"

enum decision_kind {
	DECIDE_APPROVE, DECIDE_SUSPEND, DECIDE_RESTRICT, DECIDE_QUARANTINE, DECIDE_RELEASE, DECIDE_OFFBOARD,
	DECIDE_DRAIN, DECIDE_DROP,
	DECIDE_REFRESH,	/* nobody's: rules and incidents ask for another flow, and the plan follows; last of all */
	DECISIONS
};
extern const char *const decision_names[DECISIONS];	/* the request's "do": "approve", ... "queue-drain", "queue-drop", "refresh" */

/* What a contract's `requires` may name; bits 1 << n in decision.waive. */
enum requirement { REQUIRE_ASSESSMENT, REQUIRE_POSTURE, REQUIREMENTS };
extern const char *const requirement_names[REQUIREMENTS];

enum { WHY_MAX = 500, WHO_MAX = 64, VENDOR_MAX = 63 };

struct decision {
	enum decision_kind kind;
	char vendor[VENDOR_MAX + 1];
	char who[WHO_MAX + 1];		/* the operating system's user of the connection, never from the request */
	char why[WHY_MAX + 1];
	int64_t at;			/* seconds */
	int64_t version;		/* approve */
	unsigned waive;			/* approve */
	int64_t until;			/* approve with waive: the waiver's end, 24:00 UTC of the day named */
	uint64_t serial, from, to;	/* drain, drop: inclusive range of sequence numbers */
	/* approve, as the registry says; the keeper's to fill: */
	uint64_t recorded;		/* the newest plan that it knows of; 0: none, or it wasn't asked */
	enum flow person;		/* what a person asks */
	unsigned met, waivable;		/* requirements that hold; those that a rule which holds now can be set aside by */
	char unmet[REQUIREMENTS][120];	/* what is found instead; "": nothing */
};

struct decided {
	struct decision d;
	uint64_t serial;	/* of the plan that holds it; 0 for a drop */
	uint8_t sha256[32];	/* of that plan's file */
	int64_t version;	/* of its contract */
	bool approved;
	enum flow flow, person;
	int64_t not_after;	/* INT64_MAX: none */
	uint64_t dropped;	/* drop: events */
};

/* [a-z0-9-]{1,63} */
bool vendor_name_ok(const char *s);
/* The decision of a person that a request's "do" asks for, or -1 when it isn't one. */
int decision_kind_of(const char *word);

/* A switch towards closed: suspend, restrict, quarantine, offboard. */
bool decision_cuts_off(enum decision_kind k);

/*
 * From a request; who and at are the caller's to fill.  Everything is checked: an unknown member, a wrong type, a
 * missing reason and a waiver without an end are ERR_INPUT.
 */
int decision_parse(const json_t *request, struct decision *d, struct err *err) __attribute__((warn_unused_result));

/* The registry is asked with contract-get (without its id); d learns person, met, waivable and unmet from the answer. */
json_t *decision_question(const struct decision *d);
enum flow decision_learn(struct decision *d, const json_t *answer);	/* what rules and incidents ask */

json_t *decided_to_json(const struct decided *x);
int decided_from_json(const json_t *j, struct decided *x, struct err *err) __attribute__((warn_unused_result));

#endif
