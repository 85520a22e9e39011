/*
 * A compiled contract and the state of one walk.  Second header of this folder because compile.c makes what apply*.c
 * walk; nobody else includes it.
 *
 * Per kind of object there is a trie of keys.  A node stands for a place; its act says what happens to a scalar there.
 * Whatever has no node is not copied: default deny is the absence of a branch, not a check.
 */
#ifndef CONTRACT_PROGRAM_H
#define CONTRACT_PROGRAM_H

#include "contract/contract.h"
#include "json/json.h"

/* Bytes of a name that still count as words before its value. */
enum { CONTEXT_MAX = 64 };

enum attribute_id { ATTR_NONE, ATTR_JURISDICTION, ATTR_MINOR, ATTR_BUSINESS };

/* What happens to a scalar at a place. */
struct act {
	enum action action;
	const struct slot *slot;	/* NULL: a rule of the contract only */
	const struct rule *rule;	/* NULL: the slot's own behaviour */
	enum slot_role role;		/* with slot */
	enum identity identity;		/* SLOT_ID */
	enum id_kind id;
	unsigned rank;			/* SLOT_ID: place in the table, for the choice of the subject */
	int leaf;			/* number, -1: nothing leaves here */
	uint64_t detect;		/* DETECT_* bits that the detectors look for in the result */
	struct span context;		/* words that stand before a text for the detectors ("telefono phone: "); empty: none */
	bool repeats;			/* what it makes of a value depends on the value alone, and is worth remembering */
	int64_t max;
	struct on_hit on_hit;
	bool on_hit_own;		/* said by its rule */
};

/* Appends the category of what leaves where this act stands; nothing when it has none. */
void category_left(const struct act *a, struct buf *out);

struct node;
struct child {
	uint64_t head, tail;	/* first eight bytes of the key; the second eight, or a hash of the rest of a long one */
	const char *key;
	uint32_t len;
	struct node *node;
};

struct node {
	uint32_t id;		/* place in scratch.seen */
	struct child *table;	/* its keys, from 1; table[0] equals nothing */
	uint16_t *places;	/* hash & mask -> place in table: a hash without collisions */
	uint32_t mask;
	uint64_t seed;
	struct node *element;	/* of an array here */
	struct act *act;
	enum attribute_id attribute;
	bool plain;		/* a bare `keep`: its bytes are copied when the detectors have nothing to say */
	uint32_t plain_max;	/* bytes that surely pass its `max` */
	bool kept;		/* something at or under this node may leave */
	bool made;		/* the gate fills it when it is absent: a minted leaf, or the way to one or to the splice */
	bool splice;		/* the credential goes behind this object's brace */
	bool operation;		/* of a profile or group: seeing it makes the update an allowed one */
	bool names, flag;	/* OP_NAMES, OP_FLAG */
	struct span key;	/* as JSON, with quotes and colon: for what is made */
	struct node **kids;	/* in the order of the contract */
	size_t kids_len, kids_cap;
	struct node **makes;	/* the kids that are made when absent */
	size_t makes_len;
	struct span name;	/* unescaped key */
};

struct plan {
	struct arena arena;
	const struct adapter *adapter;
	struct node *root[OBJECT_KINDS];
	uint32_t nodes;
	struct event_match *events;
	size_t events_len;
	struct span *group_keys;
	size_t group_keys_len;
	struct node *profile_fields, *group_fields;
	struct span *profile_ops;
	size_t profile_ops_len;
	bool profiles, groups, links;
	int subject_kind;	/* enum id_kind, -1: the adapter's default */
	enum identity identity;
	struct plan_leaf *leaves;
	struct act **leaf_acts;	/* beside leaves; NULL for operations */
	struct own_row *own_rows;
	size_t own_len;
	struct detect_rules *own;	/* made of them by plan_arm */
	size_t leaves_len, leaves_cap;
};

/* Did `then` let out whatever `now` lets out?  Of two acts at one place; NULL: an operation. */
bool act_within(const struct act *now, const struct act *then);

/* own.c: do they find the same?  The name is only what it is called. */
bool own_row_same(const struct own_row *a, const struct own_row *b);
struct detect_rules *own_rules(const struct own_row *v, size_t n, struct err *err);

bool on_hit_within(struct on_hit now, struct on_hit then);
/* Does a hit there end the whole object? */
bool act_stops(const struct act *a);

/* Masks for the first and the second eight bytes of a key, by its length up to 16. */
extern const uint64_t key_mask[2][17];

static inline uint64_t key_word(const char *k, uint32_t len, int which)
{
	uint64_t w;
	memcpy(&w, k + 8 * which, 8);	/* 64 readable bytes stand behind every text */
	return w & key_mask[which][len < 16 ? len : 16];
}
/* Of a long key: everything behind its first eight bytes. */
static inline uint64_t key_rest(const char *k, uint32_t len)
{
	uint64_t h = len, w;
	for (uint32_t i = 8; i < len; i += 8) {
		memcpy(&w, k + i, 8);
		w &= key_mask[0][len - i < 16 ? len - i : 16];
		h = (h ^ w) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	return h;
}
static inline uint64_t key_tail(const char *k, uint32_t len)
{
	return len <= 16 ? key_word(k, len, 1) : key_rest(k, len);
}
static inline uint32_t key_hash(uint64_t head, uint64_t tail, uint32_t len, uint64_t seed)
{
	return (uint32_t)(((head ^ (tail << 7 | tail >> 57) ^ len) * seed) >> 40);
}
/* 64 bytes must be readable behind key.  The table has no collisions: one place, one comparison. */
static inline const struct node *node_child(const struct node *n, const char *key, uint32_t len)
{
	uint64_t head = key_word(key, len, 0), tail = key_tail(key, len);
	const struct child *c = &n->table[n->places[key_hash(head, tail, len, n->seed) & n->mask]];
	if (((c->head ^ head) | (c->tail ^ tail) | (c->len ^ len)) == 0 && (len <= 16 || memcmp(c->key, key, len) == 0))
		return c->node;
	return NULL;
}

/* ---- one walk ------------------------------------------------------------------------------------------------- */

/* A scalar of the input (or a minted one).  at: content of a string without quotes (which stand around it), else all. */
struct value {
	char type;	/* '"', '0' number, 't', 'f', 'n' */
	bool escaped;
	bool transient;	/* minted: the bytes don't outlive the call */
	const char *at;
	uint32_t len;
};

enum result {	/* of an act on a value */
	R_KEPT, R_CHANGED, R_REDACTED,
	R_TYPE, R_RULE, R_DETECTOR,	/* not kept, and why */
};

struct memo {	/* a pseudonym made in this request */
	uint64_t request;
	const char *at;
	uint32_t len;
	uint16_t kind;
	bool daily;
	char text[PSEUDONYM_LEN + 1];
};
enum { MEMOS = 1024 };

/* What an action made of a value earlier in this request: most of a batch's values come again and again. */
enum { SAIDS = 256, SAID_VALUE_MAX = 256, SAID_OUT_MAX = 78 };
struct said {
	uint64_t request;
	const struct act *act;
	const char *at;		/* the value, a string with its quotes, in the input */
	uint64_t head, tail;	/* its first and last eight bytes */
	uint32_t len;
	uint8_t result;		/* enum result */
	uint8_t out_len;
	char out[SAID_OUT_MAX];	/* what was written, when it isn't the value itself (R_KEPT) */
};

struct note {	/* a line of --explain, kept until the object's fate is known */
	const char *path, *action, *outcome, *reason;
	struct span category;
	uint64_t found;
	const char *own[EXPLAINED_OWN];
	unsigned own_len;
	const char *on_hit;
};

struct member {	/* an identifier that a link names */
	struct span value;
	enum id_kind kind;
	bool anonymous;
};

struct scratch {
	uint64_t gen;		/* rises with every object that is entered, over the life of the scratch */
	uint64_t request;	/* rises with every call */
	uint64_t *seen, *done;	/* per node: the visit in which its key was met, and in which it was kept */
	uint32_t nodes;
	struct buf text;	/* unescaped */
	struct buf made;	/* result of an action */
	struct buf named;	/* a text behind its act's context */
	struct buf hidden;	/* a text with its hits masked */
	struct memo memo[MEMOS];
	struct said said[SAIDS];
	struct member members[LINK_IDS_MAX];
	unsigned members_n;
	struct note *notes;
	size_t notes_len, notes_cap;
	struct buf path;	/* explain: where the walk is */
	struct json_scan scan;
	struct detect_room *room;	/* for plans with detectors of their own */
};

struct walk {
	const struct plan *plan;
	struct apply_env *env;
	struct apply_out *out;
	struct scratch *sc;
	struct json_scan *s;
	struct buf *b;		/* out->bytes */
	enum object_kind kind;
	struct applied *a;
	uint32_t index;
	enum drop_reason drop;
	bool explaining, quiet;	/* quiet: nobody looks at what is kept */
	bool name_ok, link, operation_seen;
	uint32_t boxes, made;	/* containers that were kept; leaves that the gate added */
	struct span name;	/* the event's, unescaped, in the arena or input (explain) */
	uint64_t found;		/* by the act that runs now */
	const char *own[EXPLAINED_OWN];	/* names of own detectors among it */
	unsigned own_len;
	enum hit_action did;	/* what became of it */
	enum hit_action stop;	/* the strictest of the object's hits: HIT_DROP_EVENT, HIT_REFUSE, or less */
	const struct act *stopped_by;
	const char *stop_name;
	unsigned subject_rank;	/* best so far; UINT_MAX: none */
	enum id_kind subject_kind;
	struct span subject;
};

/* apply_scalar.c.  The scalar at off, its end behind it. */
bool scalar_read(struct walk *w, uint32_t off, struct value *v, uint32_t *end);
/* Writes what is left of it; false when the object must be read again as a link. */
bool scalar_value(struct walk *w, const struct node *n, const struct value *v, bool *kept);
static inline void leaf_left(struct walk *w, int leaf)
{
	if (leaf >= 0)
		w->a->leaves[leaf / 64] |= 1ull << (leaf % 64);
}
/* An identifier was met; the best one becomes the subject. */
void subject_offer(struct walk *w, const struct act *a, enum id_kind kind, struct span value, bool transient);

/* apply_link.c: an identifier of a link; false: too many.  Then, of a link that is kept, what the ledger learns. */
bool link_offer(struct walk *w, const struct act *a, enum id_kind kind, struct span value);
void link_make(struct walk *w);

/* Place of a value in scratch.said. */
static inline struct said *said_at(struct scratch *sc, const struct act *a, const char *at, uint32_t len, uint64_t *head, uint64_t *tail)
{
	uint64_t mask = key_mask[0][len < 16 ? len : 16];
	memcpy(head, at, 8);
	memcpy(tail, at + (len > 8 ? len - 8 : 0), 8);
	*head &= mask;
	*tail &= mask;
	return &sc->said[((*head ^ (*tail << 29 | *tail >> 35)) + (uintptr_t)a + len) * 0x9e3779b97f4a7c15ull >> 56];
}
static inline bool said_is(const struct scratch *sc, const struct said *m, const struct act *a, const char *at, uint32_t len,
			   uint64_t head, uint64_t tail)
{
	return m->request == sc->request && m->act == a && m->len == len && m->head == head && m->tail == tail &&
	       (len <= 16 || memcmp(m->at, at, len) == 0);
}

/* apply_value.c: writes what is left of v at a place, or nothing when the result is R_TYPE or later. */
enum result act_run(struct walk *w, const struct act *a, const struct value *v);
/* Does a bare keep pass this value (a string with its quotes) of plain ASCII, as far as the detectors are concerned? */
bool keep_clean(struct walk *w, const struct act *a, const char *at, uint32_t len);
/* Unescaped text of a string; false when lossless is asked for and it holds a lone surrogate.  Lives until the next call. */
bool value_text(struct walk *w, const struct value *v, bool lossless, struct span *out);
/* Does this text pass the detectors? */
bool text_clean(struct walk *w, struct span text, uint64_t types);

/* found.c: JSON_PAD zero bytes behind what is in b. */
bool buf_pad(struct buf *b);
/* String content without quotes; 64 bytes must be readable behind it. */
void text_add(struct walk *w, const char *text, size_t n);
/* detect_scan; where the place gives numbers their meaning, its words stand before the text. */
size_t look_for(struct walk *w, const struct act *a, struct span text, uint64_t types, struct detect_hit *hits, size_t max);
/* A first look with the contract's own detectors, if it has any. */
bool own_maybe(struct walk *w, const struct act *a, const char *text, size_t n);
/* Before an act runs: nothing found yet; then each hit. */
static inline void found_none(struct walk *w)
{
	w->found = 0;
	w->own_len = 0;
}
void found_add(struct walk *w, const struct detect_hit *h);
/* Hits are counted, and what became of them; the object or request ends with it where the contract says so. */
void hits_note(struct walk *w, const struct act *a, const struct detect_hit *hits, size_t n, enum hit_action did);
/* A string with hits, the first of them before `cut` (its length, or where `max` cuts it): what the contract says becomes of it. */
enum result found_out(struct walk *w, const struct act *a, struct span text, size_t cut, uint64_t types, const struct detect_hit *hits, size_t n);

/* apply_text.c: pure text transformations; each appends to out and returns false for a wrong type. */
bool time_truncate_number(struct span lexeme, enum trunc_unit unit, struct buf *out);
bool time_truncate_rfc3339(struct span text, enum trunc_unit unit, struct buf *out);
bool time_read(struct span text, bool number, int64_t *seconds);
bool ip_truncate(struct span text, unsigned ip4_bits, struct buf *out);
bool url_reduce(struct span text, const struct rule *r, struct buf *out);
bool domain_of(struct span text, struct buf *out);
bool number_round(struct span lexeme, unsigned decimals, struct buf *out);
bool number_read(struct span lexeme, double *out);

/* apply_out.c: room for a plan of so many nodes. */
void scratch_fit(struct scratch *sc, uint32_t nodes);
/* Makes room in o for what these detectors need and count. */
void apply_out_own(struct apply_out *o, const struct detect_rules *rules);

/* apply_explain.c */
void explain_push_key(struct walk *w, struct span raw, bool escaped);
void explain_push_element(struct walk *w);
void explain_note(struct walk *w, const char *action, const char *outcome, const char *reason, struct span category,
		  uint64_t found);
/* What came of a value at an act (NULL: there is none). */
void explain_result(struct walk *w, const struct act *a, enum result r);
void explain_flush(struct walk *w);
/* Reads the value at off like json_skip and notes every scalar in it as unnamed. */
bool explain_unnamed(struct walk *w, uint32_t off, uint32_t depth, uint32_t *end);

static inline void put(struct buf *b, const void *p, size_t n)
{
	if (b->len + n + 64 > b->cap && !buf_reserve(b, n + 64))
		return;
	uint8_t *d = b->data + b->len;
	if (n <= 32) {	/* input and output both have room behind */
		memcpy(d, p, 16);
		memcpy(d + 16, (const uint8_t *)p + 16, 16);
	} else {
		memcpy(d, p, n);
	}
	b->len += n;
}
static inline void putc_raw(struct buf *b, char c)
{
	if (b->len + 64 > b->cap && !buf_reserve(b, 64))
		return;
	b->data[b->len++] = (uint8_t)c;
}

#endif
