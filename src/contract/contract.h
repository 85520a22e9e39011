/*
 * Contracts: YAML -> model -> plan -> minimised bytes.  Design section 4; exact semantics in weir-contract(5).
 * Pure and without a clock: text, keys and dates come in from the caller.
 */
#ifndef CONTRACT_CONTRACT_H
#define CONTRACT_CONTRACT_H

#include "base/buf.h"
#include "base/diag.h"
#include "contract/model.h"
#include "crypt/crypt.h"
#include "detect/detect.h"
#include "detect/rules.h"

/* ---- model ---------------------------------------------------------------------------------------------------- */

/*
 * Parse a contract file; every mistake goes to d at once.  Returns the model when d->errors is 0, else NULL.
 * d->errors == 1 with code "yaml" or "utf8" means that it isn't YAML, or no text, at all.  d is sorted.  The text isn't
 * needed afterwards.
 */
struct contract *contract_parse(const char *text, size_t n, struct diags *d);
void contract_free(struct contract **c);

/*
 * A contract read from its file names files of detectors (c->detector_files).  The caller reads each and adds it here; a
 * name that another file has, too, goes to d (of the contract's file).  Until all are there no plan can be made of it.
 */
void contract_detectors_add(struct contract *c, size_t file, const struct detect_rules *rules, struct diags *d);
bool contract_detectors_whole(const struct contract *c);

/* The model as canonical JSON (RFC 8785) and its SHA-256; reading it back gives an equal model. */
void contract_to_json(const struct contract *c, struct buf *out);
void contract_digest(const struct contract *c, uint8_t out[static 32]);
struct contract *contract_from_json(const char *json, size_t n, struct err *err);

/* The published JSON Schema (draft 2020-12) of the file format. */
const char *contract_schema(void);

/* A duration as contracts write it: ISO 8601 without fractions; a year counts 365 days, a month 30. */
bool duration_parse(struct span s, int64_t *seconds);

/* What changes from a to b, a line each; wider is true when the vendor may receive more. */
struct contract_change {
	bool wider;
	char *text;
};
struct contract_changes {
	struct contract_change *v;
	size_t n;
	bool wider;	/* any */
};
void contract_diff(const struct contract *a, const struct contract *b, struct contract_changes *out);	/* a may be NULL */
void contract_changes_release(struct contract_changes *c);

/* ---- plan ----------------------------------------------------------------------------------------------------- */

enum flow { FLOW_OPEN, FLOW_RESTRICTED, FLOW_SUSPENDED, FLOW_QUARANTINED };	/* stricter to the right */
extern const char *const flow_names[4];

enum { PLAN_LEAVES_MAX = 512, PLAN_LEAF_WORDS = PLAN_LEAVES_MAX / 64, ATTRIBUTE_BYTES = 8 };

/* Compiled once, then read by any number of threads. */
struct plan;
/* flow: OPEN, or RESTRICTED (uses the `restricted` block; ERR_DENIED when there is none). */
int plan_compile(const struct contract *c, enum flow flow, struct plan **out, struct err *err);
void plan_free(struct plan **p);
/*
 * Makes the contract's own detectors ready, which takes up to seconds for a thousand of them; plan_apply fails without
 * (unless apply_env.detect is off).  Only who applies a plan needs this.  No-op when there are none.
 */
int plan_arm(struct plan *p, struct err *err);
/* The rows of a plan's own detectors; and the detectors, NULL before plan_arm and without rows.  Both live as long as the plan. */
size_t plan_own(const struct plan *p, const struct own_row **rows);
const struct detect_rules *plan_own_rules(const struct plan *p);
/* The same at no cost where another plan has the same detectors ready; false: it hasn't. */
bool plan_arm_like(struct plan *p, const struct plan *armed);

/* A leaf is a place that may leave, in the order of `contract show --effective`; its place is its number. */
struct plan_leaf {
	enum object_kind kind;
	struct span path;	/* "properties.$browser" */
	struct span what;	/* the action in words: "keep", "truncate: hour", "identity: pseudonym" */
	struct span category;	/* of what leaves, after the action: "user.contact.email.domain"; empty when nobody said */
	struct span on_hit;	/* what becomes of a hit: "redact", "mask: 4"; empty where the detectors don't look */
	bool from_adapter;	/* a protocol slot rather than a rule of the contract */
};
size_t plan_leaves(const struct plan *p, const struct plan_leaf **out);

/* Fideslang's key (catalog/fideslang.txt) that is nearest to the text; *same: it is that.  NULL: none is near. */
const char *category_nearest(const char *text, bool *same);
/* True for the category of a value that an action made less of: "user.contact.email.domain", "user.device.range". */
bool category_reduced(struct span category);

/* True when everything that `now` lets out, `then` let out too (same leaves, actions no wider, identity no wider). */
bool plan_within(const struct plan *now, const struct plan *then);

/* ---- applying it ---------------------------------------------------------------------------------------------- */

enum drop_reason {	/* of a whole object; names are metric labels */
	DROP_NONE, DROP_EVENT, DROP_OPERATION, DROP_LINK, DROP_DUPLICATE_KEY, DROP_LIMIT, DROP_TYPE_MISMATCH, DROP_DETECTOR, DROP_REASONS
};
extern const char *const drop_reason_names[DROP_REASONS];

/* One object, minimised.  json lies in apply_out.bytes. */
struct applied {
	enum object_kind kind;		/* what it turned out to be */
	enum drop_reason dropped;	/* DROP_NONE: it was kept */
	uint32_t at, len;		/* in bytes */
	uint32_t src;			/* where it stands in the input */
	uint32_t splice;		/* behind the '{' that takes the credential, from `at`; SPLICE_NONE */
	uint64_t leaves[PLAN_LEAF_WORDS];	/* which places left */
	uint8_t subject[SUBJECT_BYTES];	/* zeros: nobody named */
	uint8_t attributes[ATTRIBUTE_BYTES];	/* [0..1] ISO country or 0 unknown, [2] minor, [3] business: 0 ?, 1 no, 2 yes */
	int64_t time_s;			/* the event's own time, 0 unknown */
	uint32_t held;			/* members that stayed behind, of a dropped object all (a count for people, not a proof) */
	struct span token;		/* unescaped source token in the arena or the input; empty when absent */
};

/* What happened to one field; for --explain.  Spans point into the input. */
enum { EXPLAINED_OWN = 8 };
struct explained {
	uint32_t index;			/* of the object in the request */
	struct span event;		/* name as kept or as raw key-safe text; empty unless it passes the detectors */
	const char *path;		/* canonical path text; key names that carry personal data are shown as [KEY] */
	const char *action, *outcome, *reason;
	struct span category;
	uint64_t found;			/* DETECT_BIT bits */
	const char *own[EXPLAINED_OWN];	/* with DETECT_CUSTOM: names of own detectors, the first of them */
	unsigned own_len;
	const char *on_hit;		/* what became of these: "redact", "mask", ...; NULL where nothing was found in a named place */
};

/*
 * The identifiers of one kept OBJECT_LINK, as subjects, none twice: the first `persons` are names of one person, the rest
 * belong to it (an anonymous browser, a device).  At least two.  An object that names more than LINK_IDS_MAX is dropped.
 */
enum { LINK_IDS_MAX = 16 };
struct link_ids {
	uint32_t object;	/* its place in apply_out.v */
	uint8_t n, persons;
	uint8_t ids[LINK_IDS_MAX][SUBJECT_BYTES];
};

/* Limits on input; zero fields mean the default in braces. */
struct apply_limits {
	uint32_t depth;		/* {64} */
	uint32_t keys;		/* per object text {10000} */
	uint32_t object_bytes;	/* {1 MiB} */
	uint32_t objects;	/* per request {20000} */
};

/* Per-thread surroundings of plan_apply. */
struct apply_env {
	struct pseudo *vendor;		/* the vendor's key */
	struct pseudo *subject;		/* the ledger's subject key; NULL: subjects stay zero */
	char day[11];			/* UTC date, for `daily` */
	bool detect;			/* false only in benchmarks and `filter --no-detect` */
	bool mint;			/* fill absent insert id and time */
	uint8_t request_no[16];		/* with mint: random number of the request */
	int64_t received_s;		/* with mint */
	struct apply_limits limits;
	void (*explain)(void *arg, const struct explained *e);	/* NULL: no */
	void *explain_arg;
	unsigned *shapes;		/* reserved for learn: NULL */
};

/* Reused from request to request; no allocation in the steady state. */
struct apply_out {
	struct buf bytes;	/* all kept objects, a newline behind each (outside its len) */
	struct applied *v;
	size_t n, cap;
	struct link_ids *links;	/* rising by object; none without a subject key */
	size_t links_n, links_cap;
	struct arena arena;
	uint64_t found[DETECT_TYPES];	/* what the detectors redacted, for metrics */
	uint64_t *own_found;		/* DETECT_CUSTOM by the plan's rows (plan_own) */
	size_t own_found_len;
	struct scratch *scratch;	/* plan_apply's own */
};
void apply_out_init(struct apply_out *o, size_t max_bytes);
void apply_out_reset(struct apply_out *o);
void apply_out_release(struct apply_out *o);
/* Room for the own detectors of the plan that was applied last, of this thread; NULL before the first with such. */
struct detect_room *apply_out_room(const struct apply_out *o);

/*
 * Minimise every object of a request: one pass over the bytes.  json holds one object, one array of objects, or
 * (ndjson) one of either a line; 64 readable zero bytes follow it.  kind is the route's.
 *
 * Returns -1 with ERR_SYNTAX (offset) when any of it isn't strict RFC 8259 JSON in UTF-8, ERR_LIMIT past depth, keys or
 * object count; with ERR_DENIED (offset of the object) when something was found at a place with `on_hit: refuse`: then
 * nothing of the request may leave.  An object over object_bytes is dropped (DROP_LIMIT).
 */
int plan_apply(const struct plan *p, struct apply_env *env, enum object_kind kind, const char *json, size_t n, bool ndjson,
	       struct apply_out *out, struct err *err);

#endif
