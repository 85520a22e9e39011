/*
 * Inside the ledger: ids, sets, parts of days.  Second header of this folder because set.c, dict.c, day.c, fold.c,
 * ledger.c, blast.c and ask.c share the structs.
 */
#ifndef LEDGER_INSIDE_H
#define LEDGER_INSIDE_H

#include "adapter/adapter.h"
#include "ledger/ledger.h"
#include "ledger/words.h"
#include "tlog/tlog.h"

/* ---- bits over subject ids: bitsets of 65,536 ids, made when the first is set (set.c) ----------------------------- */

struct bits {
	uint64_t **v;	/* a chunk or NULL */
	size_t n;
};
void bits_release(struct bits *b);
bool bits_set(struct bits *b, uint32_t id);	/* true when it wasn't set */
void bits_clear(struct bits *b, uint32_t id);
bool bits_has(const struct bits *b, uint32_t id);
uint64_t bits_count(const struct bits *b);
void bits_or_chunk(struct bits *to, size_t chunk, const uint64_t words[static CHUNK_WORDS]);
void bits_or(struct bits *to, const struct bits *from);
void bits_and(struct bits *to, const struct bits *with);
void bits_without(struct bits *to, const struct bits *gone);
/* Ids in order, from `from` on: the next that is set, or UINT64_MAX. */
uint64_t bits_next(const struct bits *b, uint64_t from);

/*
 * A chunk of a closed day, as its file holds it: the smallest of three forms (array, then run, then bitset, where two are
 * equal), so that a set has one spelling.
 *   CONTAINER_ARRAY   n x u16, rising             CONTAINER_RUN   n x { u16 first, u16 length - 1 }, apart and rising
 *   CONTAINER_BITSET  8192 bytes, n bits are set
 */
enum container_kind { CONTAINER_ARRAY = 1, CONTAINER_BITSET, CONTAINER_RUN };
enum { CONTAINER_HEAD = 16 };	/* u32 set, u16 chunk, u8 kind, u8 0, u32 n, u32 crc32c of the 12 bytes before and the data */

struct container {
	const uint8_t *data;	/* behind its head */
	uint32_t set, n, len;
	uint16_t chunk;
	uint8_t kind;
	bool checked;
};
/* Appends head and data. */
void container_write(struct buf *b, uint32_t set, uint16_t chunk, const uint64_t words[static CHUNK_WORDS]);
/*
 * In two steps, so that a start needn't read everything: what the head says, then, before anything else is done with it,
 * checksum and canonical form.  0 and *size of the whole, or -1: why (a literal).
 */
int container_walk(const uint8_t *p, size_t n, struct container *out, size_t *size, const char **why);
int container_check(struct container *c, const char **why);
int container_read(const uint8_t *p, size_t n, struct container *out, size_t *size, const char **why);	/* both */
void container_or(const struct container *c, uint64_t words[static CHUNK_WORDS]);
bool container_has(const struct container *c, uint32_t low);
uint32_t container_count(const struct container *c);
void container_add(const struct container *c, struct bits *to);
uint32_t container_last(const struct container *c);	/* highest id */
/* RFC 6962 2.1 over the containers' bytes; n may be 0. */
void container_root(const struct container *v, size_t n, uint8_t root[static 32]);

/* ---- hash table (table.c) ---------------------------------------------------------------------------------------- */

struct table {		/* open addressing; holds index + 1 */
	uint32_t *v;
	size_t cap, n;
};
uint64_t table_hash(const void *p, size_t n);
/* The slot of the entry that same() accepts, or the empty one where it belongs. */
uint32_t *table_find(struct table *t, uint64_t hash, bool (*same)(const void *arg, uint32_t index, const void *key), const void *arg,
		     const void *key);
/* Room for one more; hash_of gives an entry's hash when they move. */
void table_grow(struct table *t, uint64_t (*hash_of)(const void *arg, uint32_t index), const void *arg);

/* ---- dictionary (dict.c) ----------------------------------------------------------------------------------------- */

enum { DICT_TREE_LEAF = 64, DICT_TREE_HEIGHTS = 27 };
struct dict_tree {	/* dict_tree.c: complete leaves so far, and the roots of their complete trees by height */
	uint32_t leaves;
	struct tlog_hash stack[DICT_TREE_HEIGHTS];
};

struct dict {
	struct fio_view file;	/* dict/keys as it was at the start: file_n keys */
	uint32_t file_n;
	uint8_t (*keys)[SUBJECT_BYTES];	/* those behind them */
	uint32_t n, cap;	/* n: of all.  cap: of keys */
	struct dict_bucket *buckets;
	size_t buckets_n;
	uint32_t room;		/* so many subjects before there must be more buckets */
	uint32_t synced;	/* in dict/keys, durably */
	uint32_t crc;		/* of those */
	struct bits gone;	/* no longer found by their key */
	struct dict_tree tree;
};
enum { DICT_MAX = UINT32_MAX - CHUNK_IDS, DICT_GONE = UINT32_MAX };
void dict_release(struct dict *d);
const uint8_t *dict_key(const struct dict *d, uint32_t id);
/* It will be asked for soon; the second some time after the first. */
void dict_prefetch(const struct dict *d, const uint8_t key[static SUBJECT_BYTES]);
void dict_prefetch_key(const struct dict *d, const uint8_t key[static SUBJECT_BYTES]);
uint32_t dict_add(struct dict *d, const uint8_t key[static SUBJECT_BYTES]);
bool dict_find(const struct dict *d, const uint8_t key[static SUBJECT_BYTES], uint32_t *id);
/* What a closed day says of the dictionary: so many subjects, with this checksum. */
struct dict_claim {
	uint32_t n, crc;
	char who[24];	/* the day's file */
};
/* Reads as many keys as the claims need and checks each. */
int dict_load(struct dict *d, const struct fio *io, int dir, const struct dict_claim *claims, size_t n, struct err *err);
/* Of its first n keys. */
void dict_root(struct dict *d, uint32_t n, struct tlog_hash *out);
void dict_tree_leaf(const uint8_t (*keys)[SUBJECT_BYTES], uint32_t n, struct tlog_hash *out);
/* The key leads nowhere from now on, in memory; added again it gets another id. */
void dict_unlink(struct dict *d, const uint8_t key[static SUBJECT_BYTES], uint32_t id);
/*
 * Random bytes in the place of the keys that were unlinked, durably: what days say of the dictionary still fits.  ids are synced.
 * A place that has another key already stays as it is: what was logged of it holds.
 */
struct leaving {
	uint32_t id;
	uint8_t key[SUBJECT_BYTES];
};
int dict_forget(struct dict *d, const struct fio *io, int dir, const struct leaving *v, size_t n, struct err *err);
/* Appends what isn't there yet; durable. */
int dict_sync(struct dict *d, const struct fio *io, int dir, struct err *err);

/* ---- spelling (spell.c) ------------------------------------------------------------------------------------------- */

void spell_u16(struct buf *b, size_t v);
void spell_u32(struct buf *b, uint32_t v);
void spell_u64(struct buf *b, uint64_t v);
void spell_text(struct buf *b, const char *s);	/* u16 length, text */

/* What isn't there reads as zeros, and sets bad. */
struct combos;
struct reader {
	const uint8_t *at, *end;
	bool bad;
};
const uint8_t *take_bytes(struct reader *r, size_t n);	/* n > 64: NULL when it isn't there */
uint16_t take_u16(struct reader *r);
uint32_t take_u32(struct reader *r);
uint64_t take_u64(struct reader *r);
uint32_t take_count(struct reader *r, size_t size);	/* a u32, of things that take at least size bytes each */
const char *take_text(struct reader *r, struct combos *c, size_t n);	/* interned; without a NUL in it */

/* ---- combos: what a set is about (combo.c) ------------------------------------------------------------------------ */

struct field {
	const char *path, *category;	/* interned; category may be "" */
};

enum combo_kind {
	COMBO_EXPOSURE = 1,	/* name: vendor.  Through the gate */
	COMBO_MEASURED,		/* name: vendor.  By another way, as recorded */
	COMBO_DELETED,		/* name: vendor.  Attested deletions of what it got up to that day; what is recorded behind the
				 * attestation for the same day takes its subject out again */
	COMBO_ATTRIBUTE,	/* name: "jurisdiction:DE", "minor:?", "business:yes" */
	COMBO_ANY,		/* name: vendor.  In roll-ups: whoever is in a set of it */
	COMBO_KINDS
};

enum { COMBOS_LIVE = 256, FIELDS_MAX = 1000, TEXT_MAX_LEN = 4096 };

struct combo {
	enum combo_kind kind;
	bool whole;		/* the vendor had too many field-sets: this is their union */
	const char *name;	/* interned */
	struct field *fields;	/* sorted by path, category; none twice */
	uint32_t n;
	uint32_t index;
	struct buf key;		/* its spelling in a day's file */
};

struct vendor_combos {	/* of exposures */
	const char *name;
	uint32_t live;
	struct combo *whole;
};

struct combos {
	struct combo **v;
	uint32_t n;
	struct table table, strings;
	char **text;
	uint32_t text_n;
	struct vendor_combos *vendors;
	size_t vendors_n;
};
void combos_release(struct combos *c);
const char *combos_text(struct combos *c, const char *s, size_t n);
/* fields is sorted in place; path and category are interned already. */
struct combo *combos_intern(struct combos *c, enum combo_kind kind, bool whole, const char *name, struct field *fields, size_t n);
/* For an exposure: the same, or past COMBOS_LIVE the vendor's union. */
struct combo *combos_exposed(struct combos *c, const char *vendor, struct field *fields, size_t n);

/* ---- parts of days (day.c) ---------------------------------------------------------------------------------------- */

struct set {
	const struct combo *combo;
	uint64_t events;
	struct bits bits;	/* open */
	struct container *containers;	/* closed */
	size_t containers_n;
};

struct range {
	uint64_t from, to;	/* inclusive */
};
struct ranges {		/* apart, rising */
	struct range *v;
	size_t n;
};
bool ranges_has(const struct ranges *r, uint64_t x);
void ranges_add(struct ranges *r, uint64_t x);
void ranges_add_all(struct ranges *r, const struct range *v, size_t n);

enum record_what {
	RECORD_MEASURED = 1,
	RECORD_DELETED,
	RECORD_ARRIVED,	/* Weir's own: on that day, everything recorded before `at` had reached the vendor, or never will */
	RECORD_RESTRICTED,	/* of people, not of a vendor: they are to be erased */
	RECORD_RELEASED,	/* and aren't after all */
};
extern const char *const record_names[];	/* "measured" */
struct record {
	uint8_t id[16];
	uint8_t what;		/* enum record_what */
	int64_t at;
	uint32_t people;	/* UINT32_MAX: everybody */
	const char *vendor, *who, *why;	/* interned */
};

struct used {		/* contract under which something went */
	const char *vendor;
	int64_t version;
	uint8_t digest[32];
};

/* What stays of people who were erased (erase.c). */
struct erased {
	uint8_t id[16];
	int64_t at;
	bool forced;		/* without that all vendors attested to have deleted them */
	uint32_t people;
	const char *who, *why;	/* interned */
	uint8_t (*keys)[SUBJECT_BYTES];	/* of all their identifiers */
	uint32_t keys_n;
	struct erased_vendor {
		const char *vendor;	/* interned */
		uint32_t people, unattested;	/* it had got something of; it hadn't attested to have deleted */
	} *vendors;
	uint32_t vendors_n;
};
enum { ERASED_LEAST = 41 };
void erased_spell(const struct erased *e, struct buf *b);
bool erased_take(struct reader *r, struct combos *c, struct erased *out);	/* release it in every case */
void erased_release(struct erased *e);

enum link_kind { LINK_SAME = 1, LINK_BELONGS };	/* persons.c */
struct link {		/* no padding: compared as bytes */
	uint32_t kind;	/* enum link_kind */
	uint32_t from, to;	/* subject ids; LINK_SAME: from < to.  LINK_BELONGS: from belongs to `to` */
};
int link_order(const void *a, const void *b);

struct day_count {	/* how many people one vendor got on a closed day */
	const char *vendor;
	uint64_t people, links;	/* links: of the ledger then */
	size_t parts;		/* of the day then; 0: not counted yet */
};

/* What was recorded for a day: open in memory, or one file. */
struct part {
	int64_t day;
	uint32_t generation;	/* of its file; 0: open */
	struct set *sets;
	uint32_t sets_n;
	uint32_t *by_combo;	/* open: combo index -> place in sets + 1 */
	uint32_t by_combo_n;
	struct ranges sources;
	struct record *records;
	size_t records_n;
	struct used *used;
	size_t used_n;
	struct link *links;	/* none twice; closed: in order */
	uint32_t links_n, links_cap;
	struct table link_table;	/* open */
	struct erased *erased;
	size_t erased_n;
	uint64_t first_own;	/* open: the first frame of open/ that it needs */
	bool deletions;		/* it has a COMBO_DELETED */
	struct fio_view view;	/* closed: the file */
	bool checked;		/* closed: all of it */
	struct day_count *counts;	/* closed, of a day's last part */
	size_t counts_n;
	struct container *containers;
	size_t containers_n;
	uint32_t dict_n, dict_crc;	/* closed */
	uint8_t salt[12];	/* to be written */
	size_t head_n;		/* closed: bytes of the file up to the end of the table of its sets */
};
void part_release(struct part *p);
struct set *part_set(struct part *p, const struct combo *c);	/* open; made when it isn't there; until the next call */
void set_add_to(const struct set *s, struct bits *to);	/* checked before */
void part_use(struct part *p, const char *vendor, int64_t version, const uint8_t digest[static 32]);
void part_record(struct part *p, const struct record *r);
bool part_link(struct part *p, enum link_kind kind, uint32_t from, uint32_t to);	/* open; true when it is new */

void part_erased(struct part *p, const struct erased *e);	/* taken over */

enum { DAY_HEAD = 96, DAY_VERSION = 3 };
extern const char day_magic[8];
/* dict_n, dict_crc, generation and salt are set; without those who are gone (NULL: nobody is).  A closed part is checked. */
void day_write(const struct part *p, const struct bits *gone, struct buf *out);
void record_spell(const struct record *r, struct buf *out);
int set_order(const void *a, const void *b);	/* of struct set **: as they stand in a file */
/*
 * A closed day is opened without reading it: sizes, order and the head's checksum are checked, and the containers are
 * found.  What is in them is checked before it is used, once: by set_check, set_has or part_check.  ERR_CORRUPT says
 * which container.
 *
 * day_walk    view is taken over in every case
 * day_read    walk and part_check; bytes: heap, taken over in every case
 * part_check  everything: each container, and that they have the Merkle root that the head names
 * set_has     1, 0 or -1
 */
/* Head and sets alone, of the first bytes of a file (part.head_n); containers: how many it has. */
int day_head(const uint8_t *p, size_t n, struct combos *combos, struct part *out, uint32_t *containers, struct err *err);
/* Does evidence of a vendor (NULL: any) speak of the set?  Its word for that, or NULL. */
const char *prove_word(const struct combo *c, const char *vendor);
/* The place of the first container at (set, chunk) or behind it; n: there is none. */
size_t prove_at(const struct container *v, size_t n, uint32_t set, uint16_t chunk);
int day_walk(struct fio_view *view, struct combos *combos, struct part *out, struct err *err);
int day_read(uint8_t *bytes, size_t n, struct combos *combos, struct part *out, struct err *err);
int part_check(const struct part *p, struct err *err);
int part_touches(const struct part *p, const struct bits *ids, struct err *err);	/* does it say anything of them?  1, 0, -1 */
int set_check(const struct part *p, const struct set *s, struct err *err);
int set_has(const struct part *p, const struct set *s, uint32_t id, struct err *err);
const uint8_t *part_root(const struct part *p);	/* closed; 32 bytes */

/* ---- many sets at once (steps.c) ------------------------------------------------------------------------------------- */

enum step_what {
	STEP_ADD,	/* whoever is in the set and hasn't been taken off by a step before it */
	STEP_TAKE,	/* takes its people off what is added after it */
};
struct step {		/* what it points to outlives it, and is checked */
	enum step_what what;
	const struct combo *combo;
	const struct bits *bits;
	const struct container *containers;
	size_t n;
};
struct steps {
	struct step *v;
	size_t n, cap;
};
void steps_release(struct steps *s);
void steps_add(struct steps *s, enum step_what what, const struct set *set);
void steps_add_gone(struct steps *s, const struct bits *gone);
void steps_of(const struct steps *from, const struct combo *c, struct steps *out);	/* those of one combo, and what is taken off */
/* How many; only: of these (NULL: of all).  They are added to out unless it is NULL. */
uint64_t steps_run(const struct steps *s, const struct bits *only, struct bits *out);

/* ---- roll-ups (rollup.c) ----------------------------------------------------------------------------------------------- */

struct question;
struct ledger;

struct rollup {
	char name[16];
	struct fio_view file;
	int64_t from, to;	/* days */
	struct rollup_part {
		int64_t day;
		uint32_t generation;
		uint8_t root[32];
	} *of;
	size_t of_n;
	bool checked;		/* all of it */
	struct part live, before;	/* before: as if nothing had been deleted, of vendors that deleted something */
};
struct piece {
	const struct part *part;	/* of a day, or the roll-up's live */
	const struct rollup *rollup;	/* NULL: a day */
};
/*
 * Parts and roll-ups that together hold everything, newest first; a roll-up only where it answers the question as its days
 * would.  q NULL: all attributes.  Free it.
 */
struct piece *ledger_pieces(const struct ledger *l, const struct question *q, size_t *n);
const struct rollup *rollup_total(const struct ledger *l);	/* of all closed parts, or NULL */
const struct set *part_find(const struct part *p, const struct combo *c);
/* Of a roll-up's file: what is wrong in which bytes; NULL: nothing. */
const char *rollup_damage(const uint8_t *p, size_t n, uint64_t bytes[static 2]);
void rollups_load(struct ledger *l);
void rollups_release(struct ledger *l);
size_t rollups_check(struct ledger *l, size_t limit);	/* how many were looked at; those that are damaged go */
void rollup_drop(struct ledger *l, const struct rollup *r);
int rollups_remove(struct ledger *l, struct err *err);	/* their files too */

/* ---- records of other flows and deletions (record.c) ---------------------------------------------------------------- */

struct record_view {
	struct record r;	/* spans into the body below */
	struct span vendor, who, why;
	int64_t day;
	uint16_t fields_n;
	const uint8_t *fields;	/* u16 path_len, path, u16 category_len, category */
	const uint8_t *subjects;	/* r.people x SUBJECT_BYTES, unless everybody */
};
int record_parse(const uint8_t *body, size_t n, struct record_view *out, struct err *err);
/* Restricted, or released: id, at, who, why and keys of e. */
void record_spell_people(enum record_what what, const struct erased *e, struct buf *body);
void record_field(const uint8_t **at, struct span *path, struct span *category);
/* "[KIND:]ID" -> key; the kind is user unless named, "$device:" makes it device.  ERR_INPUT. */
int subject_key(struct pseudo *subject, const char *id, size_t n, uint8_t out[static SUBJECT_BYTES], struct err *err);
/*
 * Every key that a bare ID may have been recorded under, likeliest first; one where the kind is named.  *first: the first
 * one's kind; the others follow in order.
 */
size_t subject_keys(struct pseudo *subject, const char *id, size_t n, uint8_t (*out)[SUBJECT_BYTES], enum id_kind *first);

/* ---- who was erased (erase.c) ----------------------------------------------------------------------------------------- */

const struct erased *ledger_erased(const struct ledger *l, const uint8_t key[static SUBJECT_BYTES]);	/* the newest, or NULL */
/* Of how many people who were erased since the vendor had got something, and of how many it hadn't attested to have deleted it. */
void ledger_erased_of(const struct ledger *l, const char *vendor, uint64_t *people, uint64_t *unattested);
/* 1: on its way to be erased, 0, -1. */
int ledger_restricted(struct ledger *l, uint32_t id, struct err *err);

/* ---- people (persons.c) ------------------------------------------------------------------------------------------------ */

struct persons {	/* of those who have more than one identifier; made again when links have come */
	uint64_t links;		/* ledger.links when it was made */
	uint32_t *ids, *of;	/* linked identifiers, rising; whose each is */
	uint32_t ids_n;
	uint32_t *start;	/* person -> place in members; one more than there are */
	uint32_t *members;	/* ids, by person */
	uint32_t n;
};
void persons_release(struct persons *p);
void persons_update(struct ledger *l);
/* How many people the identifiers are. */
uint64_t persons_count(const struct persons *p, const struct bits *b);
/* Adds every other identifier of the people who have one in b. */
void persons_widen(const struct persons *p, struct bits *b);
/* All identifiers of whoever has this one, rising; itself alone when it isn't linked (then *members is id). */
uint32_t persons_of(const struct persons *p, const uint32_t *id, const uint32_t **members);

/* ---- the ledger ----------------------------------------------------------------------------------------------------- */

struct plan_view;	/* fold.c */
struct blast;

struct ledger {
	struct ledger_place place;
	int day_dir, dict_dir, open_dir, month_dir, total_dir;
	struct dict dict;
	struct combos combos;
	struct part **parts;	/* by day, then generation; the open one last of its day */
	size_t parts_n;
	struct rollup **rollups;
	size_t rollups_n;
	struct ranges sources;	/* of all parts */
	struct table records;	/* ids of all parts' records */
	struct plan_view **plans;
	size_t plans_n;
	struct log_reader *open;
	uint64_t newest_own;	/* frame of open/ that holds the newest exposure: it stays, the copier's position is in it */
	uint64_t changes;	/* rises with each fold */
	uint64_t links;		/* rises with each link that wasn't known */
	struct persons persons;
	struct leaving *leaving;	/* of an erasure that isn't through every file yet */
	size_t leaving_n;
	struct {		/* combos that every exposure needs; NULL: not yet */
		const struct combo *jurisdiction[1 + 26 * 26], *minor[3], *business[3];
	} attributes;
	struct err damage;	/* code 0: none */
	unsigned faults;	/* of fio_faults: those that are known */
	size_t looked_at;
	struct ledger_stats stats;
	struct blast *last;	/* the newest answer, for the next page of it */
};

struct part *ledger_open_part(struct ledger *l, int64_t day, uint64_t own);
enum { DAY_NAME = 24 };
void ledger_day_name(int64_t day, uint32_t generation, char out[static DAY_NAME]);
/*
 * Behind whatever read through views: 0: what was read was there; 1: a roll-up is gone, what was read of it isn't right; -1: the
 * ledger is damaged.
 */
int ledger_sound(struct ledger *l, struct err *err);
int ledger_look_at_one(struct ledger *l, struct err *err);	/* one file's length after the other */
/* Before a set's containers are used, and whether it has an id (1, 0): ERR_CORRUPT is the ledger's damage from then on. */
int ledger_use_set(struct ledger *l, const struct part *p, const struct set *s, struct err *err);
int ledger_has(struct ledger *l, const struct part *p, const struct set *s, uint32_t id, struct err *err);
void ledger_forget_checks(struct ledger *l);	/* the files may have been damaged since */
bool ledger_has_record(const struct ledger *l, const uint8_t id[static 16]);
/* own: number in open/, or 0.  ERR_CORRUPT: it isn't what its checksum says it is. */
int fold_frame(struct ledger *l, const struct log_frame *f, struct err *err);
int fold_block(struct ledger *l, uint64_t source, uint64_t own, const uint8_t *body, size_t n, struct err *err);
int fold_link(struct ledger *l, uint64_t source, uint64_t own, const uint8_t *body, size_t n, struct err *err);
int fold_erase(struct ledger *l, const struct log_frame *f, struct err *err);
void fold_release(struct ledger *l);
/* parts[at] is closed: its file again, without those who are gone.  Durable. */
int ledger_rewrite(struct ledger *l, size_t at, const struct bits *gone, struct err *err);

/* ---- for other engines (export.c) ------------------------------------------------------------------------------------- */

void ledger_bitmap_state(const struct container *c, struct buf *b);	/* ClickHouse's groupBitmap of its ids */

/* ---- who is affected (blast.c) ---------------------------------------------------------------------------------------- */

struct question {
	char vendor[64];
	bool has_since;
	int64_t since, until;	/* days, inclusive */
	int64_t effective;	/* the first day that counts; INT64_MIN: from the beginning */
	char category[128], jurisdiction[16], field[256];	/* "": any */
};

struct blast_day {
	int64_t day;
	uint64_t people, events;
};

struct blast {
	struct question q;
	uint64_t changes;	/* of the ledger when it was made */
	struct bits people, exposed;	/* exposed: before attested deletions were taken off; empty without any */
	bool deletions;
	struct bits *live;	/* by combo index: who is affected by it */
	uint32_t combos_n;
	struct blast_day *days;	/* rising */
	size_t days_n;
	uint64_t events;
	bool over_approximate;
	bool timed;
	int32_t *first, *last;	/* timed: by subject id, days */
};
/* Lives until the next call.  NULL: the ledger is damaged. */
const struct blast *blast_make(struct ledger *l, const struct question *q, bool timed, struct err *err);
void blast_free(struct blast **b);
/* Only how many. */
int blast_count(struct ledger *l, const struct question *q, uint64_t *people, uint64_t *identifiers, struct err *err);
bool category_within(const char *category, const char *asked);	/* "user.contact" holds "user.contact.email" */
bool field_within(const char *path, const char *asked);		/* "properties.items" holds "properties.items[].sku" */
/* Identifiers of people of whom the code was ever seen; "unknown": of whom none was. */
int ledger_jurisdiction(struct ledger *l, const char *code, struct bits *out, struct err *err);
/*
 * The first day whose records can have reached the vendor on `since` or later: the last RECORD_ARRIVED of the days before
 * knows what hadn't arrived then.  Where there is none, everything may have waited.
 */
int64_t ledger_reach(const struct ledger *l, const char *vendor, int64_t since);
/* What each vendor got of whoever has these identifiers, as objects of `vendors`. */
int ledger_subject_history(struct ledger *l, const uint32_t *ids, uint32_t ids_n, json_t *vendors, struct err *err);
bool question_in(const struct question *q, const struct part *p);
/* A set that the question is about. */
bool question_asks(const struct question *q, const struct combo *c);
bool question_deletes(const struct question *q, const struct part *p, const struct combo *c);

#endif
