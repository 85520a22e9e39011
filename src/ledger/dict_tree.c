/*
 * What the transparency log says of the dictionary: the root of an RFC 6962 tree whose leaves are 64 keys each (the last may
 * be fewer).  It is added to as the dictionary grows; an erasure, or a question about what it was, begins anew.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"

static void push(struct dict_tree *t, struct tlog_hash leaf)
{
	uint32_t height = 0;
	for (; t->leaves >> height & 1; height++)
		tlog_node(&t->stack[height], &leaf, &leaf);
	t->stack[height] = leaf;
	t->leaves++;
}

static void root_of(const struct dict_tree *t, struct tlog_hash *out)
{
	bool any = false;
	for (uint32_t height = 0; height < DICT_TREE_HEIGHTS; height++) {
		if (!(t->leaves >> height & 1))
			continue;
		if (any)
			tlog_node(&t->stack[height], out, out);
		else
			*out = t->stack[height];
		any = true;
	}
	if (!any)
		tlog_root_of(NULL, 0, out);
}

void dict_tree_leaf(const uint8_t (*keys)[SUBJECT_BYTES], uint32_t n, struct tlog_hash *out)
{
	tlog_leaf(keys, (size_t)n * SUBJECT_BYTES, out);
}

/* Keys may lie in two places: the file, and behind it. */
static struct tlog_hash leaf_at(const struct dict *d, uint32_t from, uint32_t n)
{
	uint8_t keys[DICT_TREE_LEAF][SUBJECT_BYTES];
	struct tlog_hash h;
	for (uint32_t i = 0; i < n; i++)
		memcpy(keys[i], dict_key(d, from + i), SUBJECT_BYTES);
	dict_tree_leaf(keys, n, &h);
	return h;
}

void dict_root(struct dict *d, uint32_t n, struct tlog_hash *out)
{
	must(n <= d->n);
	if ((uint64_t)d->tree.leaves * DICT_TREE_LEAF > n)
		d->tree = (struct dict_tree){0};
	while ((d->tree.leaves + 1) * DICT_TREE_LEAF <= n)
		push(&d->tree, leaf_at(d, d->tree.leaves * DICT_TREE_LEAF, DICT_TREE_LEAF));
	struct dict_tree whole = d->tree;
	uint32_t left = n - whole.leaves * DICT_TREE_LEAF;
	if (left)
		push(&whole, leaf_at(d, whole.leaves * DICT_TREE_LEAF, left));
	root_of(&whole, out);
}

/* ---- the file itself ------------------------------------------------------------------------------------------------- */

enum { STEP_KEYS = DICT_TREE_LEAF * 1024 };

static int push_file(struct dict_tree *t, const struct fio *io, int fd, uint32_t n, struct err *err)
{
	uint8_t (*keys)[SUBJECT_BYTES] = xcalloc(STEP_KEYS, SUBJECT_BYTES);
	int r = 0;
	for (uint32_t at = 0, step; at < n && r == 0; at += step) {
		step = n - at < STEP_KEYS ? n - at : STEP_KEYS;
		ssize_t got = fio_read_all(io, fd, keys, (size_t)step * SUBJECT_BYTES, (uint64_t)at * SUBJECT_BYTES);
		if (got < 0)
			r = err_sys(err, "state/ledger/dict/keys");
		else if ((size_t)got != (size_t)step * SUBJECT_BYTES)
			r = err_set(err, ERR_CORRUPT, "state/ledger/dict/keys: cut off");
		for (uint32_t i = 0; i < step && r == 0; i += DICT_TREE_LEAF) {
			struct tlog_hash h;
			dict_tree_leaf(keys + i, step - i < DICT_TREE_LEAF ? step - i : DICT_TREE_LEAF, &h);
			push(t, h);
		}
	}
	free(keys);
	return r;
}

int ledger_keys_root(const struct fio *io, int dict, uint32_t n, uint8_t root[static 32], struct err *err)
{
	struct dict_tree t = {0};
	struct tlog_hash h;
	int fd = n ? io->open(io->ctx, dict, "keys", O_RDONLY | O_CLOEXEC, 0) : -1;
	int r = n && fd < 0 ? err_sys(err, "state/ledger/dict/keys") : push_file(&t, io, fd, n, err);
	if (fd >= 0)
		io->close(io->ctx, fd);
	root_of(&t, &h);
	memcpy(root, h.b, sizeof h.b);
	return r;
}
