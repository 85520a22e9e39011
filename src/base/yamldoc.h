/*
 * A YAML file that people write, as a tree in which every node knows its place.  libyaml scans; what makes YAML
 * surprising is refused here, for every file that Weir reads: anchors and aliases, tags, second documents, duplicate
 * keys, keys that aren't scalars.  Scalars are the text as written: `off` is "off", never false.
 *
 * Everything lives in the caller's arena.
 */
#ifndef BASE_YAMLDOC_H
#define BASE_YAMLDOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/diag.h"

enum ynode_type { YN_SCALAR, YN_LIST, YN_MAP };

struct ynode {
	enum ynode_type type;
	bool quoted;		/* scalar in quotes or block style: a string whatever it looks like */
	bool bad;		/* already reported: readers pass over it */
	uint32_t line, col;	/* from 1; columns count code points; 0: unknown (the tree was made from JSON) */
	struct span text;	/* scalar; closed with 0 and without one inside */
	struct ynode *key;	/* member of a map: its key */
	struct ynode *first;	/* children, linked by next */
	struct ynode *next;
	size_t n;		/* how many children */
};

enum { YAML_BYTES_MAX = 1 << 20, YAML_DEPTH_MAX = 32, YAML_MEMBERS_MAX = 4096 };

/*
 * The tree, or NULL when there is none: then d gained exactly one error (CODE(yaml), CODE(utf8) or CODE(limit)).
 * A tree may come with errors in d.
 */
struct ynode *yaml_tree(const char *text, size_t n, struct arena *a, struct diags *d);

/* Appends to a list or map; key NULL for a list. */
void ynode_append(struct ynode *parent, struct ynode **last, struct ynode *key, struct ynode *child);

/*
 * A map with fixed keys: each row's key is given to read in the order of the rows; what is missing or unknown is reported.
 * A node that isn't a map is reported as `what`.
 */
struct yaml_row {
	const char *name;
	bool required;
	void (*read)(void *ctx, const struct ynode *v);
};
void yaml_rows(const struct ynode *map, const char *what, const struct yaml_row *rows, size_t n, struct diags *d, void *ctx);

/* Decimal without sign, spaces or leading zeros, lo..hi. */
bool word_int(struct span s, int64_t lo, int64_t hi, int64_t *out);
/* A count of bytes: digits, then nothing, B, KiB, MiB, GiB or TiB; 1..2^53. */
bool word_size(struct span s, uint64_t *out);
/* [a-z0-9-]{1,63}: vendors, sources, sub-processors. */
bool word_name(struct span s);

#endif
