/*
 * What makes a plan of a contract: compile.c (slots and rules become acts), trie.c (where they stand), leaves.c (what they let out,
 * in words).  Nobody else includes this.
 */
#ifndef CONTRACT_COMPILE_H
#define CONTRACT_COMPILE_H

#include "contract/program.h"
#include "contract/read.h"

struct compiler {
	struct plan *p;
	const struct contract *c;
	enum identity identity;
	bool restricted;
	struct err *err;
	bool full;	/* more leaves than a bitset holds */
};

/* ---- trie.c: everything lives in the plan's arena ------------------------------------------------------------------------ */

void *plan_take(struct plan *p, size_t n);	/* zeroed */
/* 64 zero bytes behind every text, so that keys can be compared by words. */
struct span plan_text(struct plan *p, struct span s);
struct span *plan_texts(struct plan *p, const struct span *v, size_t n);
const struct rule *plan_rule(struct plan *p, const struct rule *from);	/* without its path */

struct node *trie_node(struct plan *p);
/* Each is made when it isn't there. */
struct node *trie_kid(struct plan *p, struct node *n, struct span name);
struct node *trie_element(struct plan *p, struct node *n);
struct node *trie_at(struct plan *p, struct node *n, const struct path *path);
/* Adapter paths are plain: keys joined by dots, [] behind a key. */
struct node *trie_at_slot(struct plan *p, struct node *n, const char *path);
/* What the walk needs of n and below, when all acts are there. */
void trie_finish(struct plan *p, struct node *n);

/* ---- leaves.c ------------------------------------------------------------------------------------------------------------ */

/* Its number, -1: there are too many (c->full). */
int leaf_add(struct compiler *c, struct plan_leaf leaf, struct act *act);
/* Of a node from whose act something leaves, if it has none yet. */
void leaf_for(struct compiler *c, struct node *n, enum object_kind kind, struct span path);

#endif
