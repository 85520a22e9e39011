/*
 * The model of a contract file (weir-contract(5)): what parse.c reads from YAML or canonical JSON, and what compile.c
 * turns into a plan.  Second header of this folder because parser, checker, canonicaliser and compiler share the
 * struct; other folders use it read-only.  Everything lives in the model's arena: one contract_free ends it.
 */
#ifndef CONTRACT_MODEL_H
#define CONTRACT_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "adapter/adapter.h"
#include "base/arena.h"
#include "base/bytes.h"

/* seg(.seg|["any text"]|[])*: an object's key, or "each element of the array". */
struct path_seg {
	struct span key;	/* at == NULL for [] */
};
struct path {
	struct path_seg *v;
	size_t n;
	struct span text;	/* canonical spelling */
};

enum action {
	ACT_KEEP, ACT_DROP, ACT_CONST, ACT_ONEOF, ACT_PSEUDONYM, ACT_REDACT, ACT_MASK, ACT_TRUNCATE, ACT_IP, ACT_URL,
	ACT_ROUND, ACT_BUCKET, ACT_DOMAIN, ACTIONS
};
extern const char *const action_names[ACTIONS];

enum trunc_unit { TRUNC_MINUTE, TRUNC_HOUR, TRUNC_DAY, TRUNC_MONTH };

/* A JSON scalar of the contract: the bytes to emit (a string with its quotes, in canonical JSON). */
struct scalar {
	enum { SCALAR_NULL, SCALAR_BOOL, SCALAR_NUMBER, SCALAR_STRING } type;
	struct span json;	/* "\"free\"", "12", "true" */
	struct span text;	/* SCALAR_STRING: unescaped bytes */
};

/* What becomes of a value that the detectors find something in. */
enum hit_action { HIT_REDACT, HIT_MASK, HIT_PSEUDONYM, HIT_DROP, HIT_DROP_EVENT, HIT_REFUSE, HIT_ACTIONS };
struct on_hit {
	enum hit_action what;
	uint8_t keep;	/* HIT_MASK: the last code points of a hit that stay */
};

const char *on_hit_word(enum hit_action what);	/* "drop_event" */
static inline bool on_hit_same(struct on_hit a, struct on_hit b)
{
	return a.what == b.what && a.keep == b.keep;
}

struct rule {
	struct path path;
	enum action action;
	struct scalar constant;			/* CONST */
	struct scalar *oneof; size_t oneof_len;	/* ONEOF */
	enum id_kind kind;			/* PSEUDONYM */
	uint64_t redact_types;			/* REDACT: DETECT_BIT bits, DETECT_ALL for all */
	uint32_t mask_keep;			/* MASK: last N code points stay */
	enum trunc_unit unit;			/* TRUNCATE */
	uint8_t ip4_bits;			/* IP: 8, 16 or 24; IPv6 is always /48 */
	bool url_path;				/* URL: origin+path */
	struct span *query; size_t query_len;	/* URL: kept query keys */
	uint8_t decimals;			/* ROUND: 0..15 */
	double *bounds; struct span *bound_text; size_t bounds_len;	/* BUCKET: ascending; text is emitted */
	int64_t max;				/* code points, -1: none */
	bool detect_off, detect_names;
	bool on_hit_said;			/* else the contract's */
	struct on_hit on_hit;
	struct span category;			/* Fideslang, or empty */
	uint32_t line, col;
};

enum identity { IDENTITY_KEEP, IDENTITY_PSEUDONYM, IDENTITY_DAILY, IDENTITY_DROP };	/* narrower to the right */
extern const char *const identity_names[4];

struct source {
	struct span name, token;	/* token: env:NAME or file:PATH, as written */
};

struct event_match {
	struct span text;	/* without the trailing * */
	bool prefix;
};

struct attribute {
	struct span name;	/* jurisdiction | minor | business */
	struct path path;
};

struct requires {
	bool assessment, posture;
	struct span standard;
	int32_t score;		/* -1: none */
	int64_t within_s;	/* 0: none */
	struct span grade;	/* "B" */
};

/* A detector of the organisation's own (detect/rules.h), without the examples that it passed. */
struct own_row {
	struct span name, pattern, check;	/* check: may be empty */
	struct span *words; size_t words_len;
};
struct detector_file {
	struct span name;	/* "customers": detectors/customers.yaml */
	uint32_t line, col;
};

struct contract {
	struct arena arena;
	struct span vendor, name, country, role, service;
	struct span *data_regions; size_t data_regions_len;
	struct span *subprocessors; size_t subprocessors_len;
	const struct adapter *adapter;
	struct span upstream, credential;
	uint64_t quota_bytes;
	struct source *sources; size_t sources_len;
	int64_t version;
	struct span signed_on, expires;	/* dates as written; expiry lasts to 24:00 UTC */
	int64_t expires_at;		/* seconds; INT64_MAX: none */
	struct span purpose, basis, breach_notice, retention;
	struct span *clauses; size_t clauses_len;
	struct requires requires;
	bool learn;			/* mode: learn */
	bool refuse_sec_gpc;		/* consent: {refuse_when: [sec-gpc]} */
	enum identity identity;
	struct span subject_kind;	/* empty: the adapter's default */
	struct attribute *attributes; size_t attributes_len;
	struct detector_file *detector_files; size_t detector_files_len, detector_files_read;
	struct own_row *own; size_t own_len;	/* of these files, or of the canonical form */
	struct on_hit on_hit;		/* where a rule says nothing else */
	struct event_match *events; size_t events_len;
	struct rule *fields; size_t fields_len;
	bool profiles;			/* the section is present */
	struct span *profile_ops; size_t profile_ops_len;
	struct rule *profile_fields; size_t profile_fields_len;
	bool groups;
	struct span *group_keys; size_t group_keys_len;
	struct rule *group_fields; size_t group_fields_len;
	bool links;			/* links: allow */
	bool restricted;		/* the block is present */
	enum identity restricted_identity;
	struct path *restricted_drop; size_t restricted_drop_len;
};

#endif
