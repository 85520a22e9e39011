/*
 * Adapters: what a vendor's protocol looks like.  An adapter is a table of data (routes, slots, operations, replies,
 * limits) and the few functions that data can't say.  Pure: bytes in, bytes or a decision out.
 *
 * The word "object" means one JSON object that a vendor would store: an event, a profile update, a group update, or a
 * link (alias, merge, identify).  What may stay in an object is the contract's business (contract.h, which knows this
 * header and never the reverse); what the protocol itself needs is said here as slots and listed by
 * `weir contract show --effective` like any rule.
 *
 * Everything returned points into static data or the caller's arena.
 */
#ifndef ADAPTER_ADAPTER_H
#define ADAPTER_ADAPTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

enum object_kind { OBJECT_EVENT, OBJECT_PROFILE, OBJECT_GROUP, OBJECT_LINK, OBJECT_KINDS };

enum route_mode {
	ROUTE_DELIVER,	/* minimised, recorded, delivered */
	ROUTE_SYNC,	/* passed through while the caller waits (first adapter that needs it) */
	ROUTE_PIN,	/* answered by Weir with fixed bytes */
	ROUTE_REFUSE,	/* the protocol's final refusal */
};

struct route {
	const char *name;	/* "track": stable, stored in log frames by number (its place in the table) */
	const char *path;	/* "/track"; both slash forms match */
	bool prefix;		/* the path may go on behind it ("/flags/...") */
	unsigned methods;	/* METHOD_* */
	enum route_mode mode;
	enum object_kind kind;	/* what its objects are (an event may turn out to be a link: struct link_form) */
	const char *pin_type, *pin_body;	/* ROUTE_PIN */
	const char *why;	/* for pin and refuse: one line for people */
};
enum { METHOD_GET = 1, METHOD_POST = 2 };

/* Kinds of an identifier: pseudonyms of one kind under one key are equal wherever they stand. */
enum id_kind { ID_USER, ID_DEVICE, ID_EMAIL, ID_PHONE, ID_ACCOUNT, ID_OTHER, ID_KINDS };
extern const char *const id_kind_names[ID_KINDS];

enum slot_role {
	SLOT_NAME,	/* what the contract names: an event's name (`events`), a group's key (`groups.keys`); kept */
	SLOT_TOKEN,	/* the source token: matched, never kept; where the courier splices the credential */
	SLOT_ID,	/* a linked identifier: the contract's `identity` applies */
	SLOT_INSERT_ID,	/* the vendor's deduplication key: kept; minted when absent */
	SLOT_TIME,	/* the event's time: kept unless the contract has a rule; minted when absent */
	SLOT_KEEP,	/* the protocol needs it as it is (no personal data by its definition) */
};

/*
 * A place in an object that the protocol gives a meaning.  path as in contracts ("properties.$device_id",
 * "$distinct_ids[]").  Slots apply without a rule of the contract; a contract's rule on a SLOT_TIME, SLOT_INSERT_ID or
 * SLOT_KEEP path takes its place; a rule on SLOT_TOKEN or SLOT_ID is a mistake that the checker reports (except `drop`).
 */
struct slot {
	enum object_kind kind;
	const char *path;
	enum slot_role role;
	enum id_kind id;		/* SLOT_ID */
	const char *prefix;		/* "$device:": stays in front, and the rest has kind prefix_id in every slot */
	enum id_kind prefix_id;
	bool subject;			/* the adapter's default data subject (first present wins, in table order) */
	const char *category;		/* Fideslang */
	bool anonymous;			/* of a link: it belongs to the person that the link's other slots name */
};

/* An event name that is a link (Mixpanel $create_alias): its object is OBJECT_LINK, allowed by the contract's `links`. */
struct link_form {
	const char *event;
};

/* A profile or group operation: contract word and the object's key that holds the fields ("set" -> "$set"). */
struct operation {
	const char *word;
	const char *key;
	/* Object of fields; array of field names ($unset); bare ($delete).  The value of a bare one means nothing and is
	 * never kept (the browser SDK puts the person's identifier there): emit "". */
	enum { OP_FIELDS, OP_NAMES, OP_FLAG } shape;
};

struct adapter_limits {	/* the smaller of the documented figures */
	uint32_t batch_objects;
	uint32_t batch_bytes;	/* uncompressed */
	uint32_t object_bytes;
	uint32_t max_age_s;	/* older events take another route (0: none) */
};

struct http_field {
	struct span name, value;
};

/* One HTTP request as the gate has it.  path starts behind the vendor prefix, without the query. */
struct wire_request {
	unsigned method;	/* METHOD_* */
	struct span path, query;
	struct span content_type;	/* empty when absent */
	struct span authorization;
	struct span body;	/* decompressed as its headers say; 64 readable zero bytes behind it */
};

/* How the request wanted its answer, kept from decode to reply. */
struct wire_style {
	bool verbose, image;
	bool form;		/* came as data= (query or form): answered in the protocol's older words */
	struct span callback;	/* JSONP; checked to be an identifier path */
};

/*
 * A decoded request.  json is one JSON text holding an object, an array of objects, or newline-separated objects, in
 * the request's own bytes or the arena, followed by 64 readable zero bytes; it is NOT yet checked for syntax.
 */
struct wire_objects {
	struct span json;
	bool ndjson;
	/* A source token outside the objects (query, Basic user without a password), or empty: for objects without one. */
	struct span token;
	struct wire_style style;
};

enum outcome {	/* of a request as a whole; design section 2, "Replies by outcome" */
	OUTCOME_ACCEPTED,	/* any event kept, or all dropped by contract, consent or learn */
	OUTCOME_UNREADABLE,	/* final error */
	OUTCOME_TOO_LARGE,	/* a limit of size: 413, or the protocol's word for it */
	OUTCOME_REJECTED,	/* unknown token, suspended, quarantined, expired: the protocol's reject (facts A13) */
	OUTCOME_RETRY,		/* quota, full disk, failed commit, missing plan */
	OUTCOME_KINDS
};

struct wire_reply {
	int status;
	const char *content_type;
	struct span body;
	int retry_after_s;	/* 0: none */
};

/* An object as the log holds it: without credential, with the place where the courier puts it. */
struct stored_object {
	struct span json;
	uint32_t splice;	/* offset just behind the '{' that takes the credential; SPLICE_NONE */
	int64_t time_s;		/* event time, for max_age_s; 0 unknown */
};
#define SPLICE_NONE UINT32_MAX

struct upstream_request {	/* courier -> vendor; method is POST */
	struct span path;	/* with query, starts with '/' */
	struct span content_type;
	struct span authorization;	/* empty: none */
	struct span body;	/* in the arena */
};

enum verdict {
	VERDICT_DELIVERED,
	VERDICT_RETRY,		/* 408 425 429 5xx, network */
	VERDICT_SPLIT,		/* 400 or 413 on several: halve; on a single one it is refused for good */
	VERDICT_HOLD,		/* 401 403 404: hold this vendor's queue, raise an alarm */
	VERDICT_PARTIAL,	/* some refused: bad[] names them */
};

struct judgement {
	enum verdict verdict;
	uint32_t *bad;		/* VERDICT_PARTIAL: indices into the batch, in the arena */
	size_t bad_len;
	const char *why;	/* stable word for metrics and logs: "status", "body", "too-large", ... */
};

struct adapter {
	const char *name;	/* "mixpanel" */
	const char *title;
	const char *upstream;	/* documented default */
	const char *const *side_channels;	/* hosts a host override does not capture (facts A12); NULL-ended */
	const struct route *routes;
	size_t routes_len;
	const struct slot *slots;
	size_t slots_len;
	const struct link_form *links;
	size_t links_len;
	const struct operation *operations;
	size_t operations_len;
	const char *splice_key;	/* "token": key of the credential inside the spliced object, per kind */
	const char *splice_path[OBJECT_KINDS];	/* "properties" or "" (the object itself) */
	const char *splice_name[OBJECT_KINDS];	/* "token", "$token" */
	struct adapter_limits limits;
	bool ordered[OBJECT_KINDS];	/* log order, one in flight */

	/* ERR_SYNTAX or ERR_INPUT: unreadable; ERR_LIMIT: too large. */
	int (*decode)(const struct route *r, const struct wire_request *rq, size_t max_bytes, struct arena *a,
		      struct wire_objects *out, struct err *err);
	/* kept/dropped: objects of this request.  error: short text for a person, never payload; NULL: the outcome's own
	 * words.  A pinned route with OUTCOME_ACCEPTED gives its fixed bytes; s may be NULL when nothing was decoded. */
	void (*reply)(const struct route *r, const struct wire_style *s, enum outcome o, uint32_t kept, uint32_t dropped,
		      const char *error, struct arena *a, struct wire_reply *out);
	/* Which route a stored object takes now (an old Mixpanel event goes to import). */
	unsigned (*route_now)(unsigned route, const struct stored_object *o, int64_t now_s);
	/* out->body.at is NULL when the arena's ceiling was passed.  credential: the vendor's token, without a newline. */
	void (*encode)(unsigned route, const struct stored_object *o, size_t n, struct span credential, struct arena *a,
		       struct upstream_request *out);
	void (*judge)(unsigned route, size_t n, int status, struct span body, struct arena *a, struct judgement *out);
};

/* Every adapter, NULL-ended; by name, or NULL. */
extern const struct adapter *const adapters[];
const struct adapter *adapter_find(const char *name);

/* The route for a path and method, or NULL (404).  *index is its place in the table. */
const struct route *adapter_route(const struct adapter *a, struct span path, unsigned method, unsigned *index);

/* Where an object of this kind carries the name that contracts know it by ("event", "$group_key"); NULL: nowhere. */
const char *adapter_name_path(const struct adapter *a, enum object_kind kind);

/* "$device:abc" in a slot -> prefix length, kind of the rest. */
size_t slot_prefix(const struct slot *s, struct span value, enum id_kind *kind);

#endif
