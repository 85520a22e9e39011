/*
 * What the files of this folder share to read a contract: read.c (nodes), section*.c (the file's keys), rules.c (actions),
 * path.c, words.c (closed lists, dates, durations), canon.c (RFC 8785).  Nobody else includes this.
 */
#ifndef CONTRACT_READ_H
#define CONTRACT_READ_H


#include "base/codes.h"
#include "base/diag.h"
#include "base/yamldoc.h"
#include "contract/contract.h"

struct json_t;	/* jansson's; its header and json/json.h cannot stand in one file */

struct reader {
	struct contract *c;
	struct arena *a;	/* the model's */
	struct diags *d;
	bool canonical;		/* canonical JSON rather than a person's file */
};

#define FAULT(r, n, code, ...) diags_add((r)->d, DIAG_ERROR, (n)->line, (n)->col, CODE(code), __VA_ARGS__)
#define WARN(r, n, code, ...) diags_add((r)->d, DIAG_WARNING, (n)->line, (n)->col, CODE(code), __VA_ARGS__)

/* ---- keys of a map -------------------------------------------------------------------------------------------- */

struct key_row {
	const char *name;
	void (*read)(struct reader *r, const struct ynode *v, const struct key_row *k);
	size_t at;			/* in struct contract, for readers that fill one member */
	const char *const *words;	/* NULL-ended: what may stand here */
	bool required;
};
struct key_section {
	const char *name;	/* "delivery"; "" for the file itself */
	const struct key_row *rows;
	size_t n;
};
/* Every map with fixed keys, the file's own first; tests compare them with schema and manual. */
extern const struct key_section *const contract_sections[];
extern const size_t contract_sections_len;

const struct ynode *ynode_get(const struct ynode *map, const char *key);
/* Reads in the order of the rows, whatever the file's: later rows may rely on earlier ones. */
void read_map(struct reader *r, const struct ynode *map, const struct key_section *s);
bool expect_map(struct reader *r, const struct ynode *v, const char *what);
bool expect_list(struct reader *r, const struct ynode *v, const char *what);
bool expect_scalar(struct reader *r, const struct ynode *v, const char *what);
/* "did you mean": the nearest of a NULL-ended list, to the newest diagnostic. */
void hint_nearest(struct reader *r, struct span word, const char *const *words);
/* Index in a NULL-ended list, or -1. */
int word_index(struct span s, const char *const *words);
/* Texts of a list, each once and each passing check (NULL: any). */
void read_texts(struct reader *r, const struct ynode *list, const char *what,
		bool (*check)(struct reader *r, const struct ynode *v), struct span **out, size_t *n);
/* A whole number that isn't in quotes. */
bool read_int(struct reader *r, const struct ynode *v, const char *what, int64_t lo, int64_t hi, int64_t *out);
/* A JSON scalar: what is in quotes is text, then null, true, false and JSON's numbers, else text as written. */
bool read_scalar(struct reader *r, const struct ynode *v, struct scalar *out);

/* ---- rules ---------------------------------------------------------------------------------------------------- */

/* A map of paths to actions, sorted by path. */
void read_rules(struct reader *r, const struct ynode *map, struct rule **out, size_t *n);
bool read_path(struct reader *r, const struct ynode *at, struct path *out);
struct json_t *rule_json(const struct rule *r);
/* Option keys beside the action, and names of the truncation units; NULL-ended. */
extern const char *const rule_options[];
extern const char *const trunc_names[];

/* onhit.c: false when reported; and back, as JSON and in words ("mask: 4"). */
bool read_on_hit(struct reader *r, const struct ynode *v, struct on_hit *out);
struct json_t *on_hit_json(struct on_hit h);
void on_hit_text(struct on_hit h, struct buf *out);

/* ---- own detectors (own.c) ------------------------------------------------------------------------------------- */

void read_detectors(struct reader *r, const struct ynode *v);
struct json_t *detectors_json(const struct contract *c);

/* ---- paths ---------------------------------------------------------------------------------------------------- */

struct path_fault {
	size_t off;
	bool wildcard;
	const char *why;
};
bool path_parse(struct arena *a, struct span text, struct path *out, struct path_fault *f);
enum path_relation {
	PATH_APART, PATH_SAME,
	PATH_ABOVE,	/* the first contains the second */
	PATH_BELOW,
	PATH_CLASH,	/* one takes for an array what the other takes for an object */
};
enum path_relation path_relate(const struct path *a, const struct path *b);

/* ---- words ---------------------------------------------------------------------------------------------------- */

extern const char *const role_words[], *const basis_words[], *const clause_words[], *const flag_words[];
extern const char *const contract_categories[];	/* catalog/fideslang.txt */
bool country_known(struct span s);
/* 2026-01-15 to days since 1970. */
bool date_parse(struct span s, int64_t *days);

/* ---- canonical JSON ------------------------------------------------------------------------------------------- */

void canon_write(const struct json_t *v, struct buf *out);
void canon_string(const char *s, size_t n, struct buf *out);
/* As ECMAScript prints it (RFC 8785 3.2.2.3); out holds 48 bytes.  The number is finite. */
void canon_number(double v, char out[static 48]);
/* RFC 8785 3.2.3: order of the UTF-16 code units. */
int canon_compare(struct span a, struct span b);

#endif
