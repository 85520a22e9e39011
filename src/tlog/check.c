/*
 * A whole folder against its signed checkpoint, from the root down: a hash that its parent vouches for is trusted, and
 * what it stands for is compared with it.  So each damaged place is named by its file and bytes, however many there are.
 * Where a tile is damaged, its hashes are made again from below, and if those have the root that the parent vouches for,
 * the places that differ are named exactly.
 *
 * Files that the tree doesn't need (partial tiles that a crash or an older checkpoint left) are compared with what is
 * known; those beyond the tree's end are strays.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tlog/inside.h"

struct check {
	const struct fio *io;
	int dir;
	uint64_t size;
	void (*each_damage)(void *arg, const struct tlog_damage *d);
	void (*each_entry)(void *arg, uint64_t index, struct span entry);
	void *arg;
	struct tlog_checked *out;
};

struct tile {
	struct tlog_hash v[TLOG_TILE];
	unsigned n;
};

static void damage(struct check *c, const char *file, uint64_t from, uint64_t to, const char *why)
{
	const struct tlog_damage d = {file, from, to, why};
	c->out->damages++;
	c->each_damage(c->arg, &d);
}

static void tile_damage(struct check *c, unsigned level, uint64_t n, unsigned width, uint64_t from, uint64_t to, const char *why)
{
	char path[TLOG_PATH_MAX];
	tlog_tile_path(level, n, width, path);
	damage(c, path, from, to, why);
}

/* ---- made again from below ---------------------------------------------------------------------------------------- */

/* The file's bytes as far as they go; a file that isn't there is empty. */
static void slurp(const struct check *c, unsigned level, uint64_t n, unsigned width, struct buf *b)
{
	char path[TLOG_PATH_MAX];
	struct err err;
	tlog_tile_path(level, n, width, path);
	buf_reset(b);
	if (tlog_file_read(c->io, c->dir, path, TLOG_BUNDLE_MAX, b, &err) < 0)
		buf_reset(b);
}

/* Leaf hashes of a bundle's entries; how many there are. */
static unsigned bundle_leaves(const struct buf *b, unsigned width, struct tlog_hash *v)
{
	const uint8_t *at = b->data, *end = b->data ? b->data + b->len : NULL;
	struct span entry;
	unsigned i = 0;
	for (; i < width && at && tlog_bundle_next(&at, end, &entry); i++)
		tlog_leaf(entry.at, entry.len, &v[i]);
	return i;
}

/* The hashes that a tile should hold, from the level below; those that can't be had are zeros. */
static void remake(const struct check *c, unsigned level, uint64_t n, struct tile *out)
{
	struct buf b;
	memset(out->v, 0, sizeof out->v);
	out->n = tlog_tile_width(c->size, level, n);
	buf_init(&b, 0);
	if (level == 0) {
		slurp(c, TLOG_ENTRIES, n, out->n, &b);
		bundle_leaves(&b, out->n, out->v);
	} else {
		for (unsigned i = 0; i < out->n; i++) {
			slurp(c, level - 1, n * TLOG_TILE + i, TLOG_TILE, &b);
			if (b.len == TLOG_TILE_BYTES) {
				struct tlog_hash v[TLOG_TILE];
				memcpy(v, b.data, sizeof v);
				tlog_root_of(v, TLOG_TILE, &out->v[i]);
			}
		}
	}
	buf_release(&b);
}

/* ---- tiles -------------------------------------------------------------------------------------------------------- */

static void load(const struct check *c, unsigned level, uint64_t n, struct tile *t, size_t *len)
{
	struct buf b;
	buf_init(&b, 0);
	memset(t->v, 0, sizeof t->v);
	t->n = tlog_tile_width(c->size, level, n);
	slurp(c, level, n, t->n, &b);
	*len = b.len;
	if (b.len)
		memcpy(t->v, b.data, b.len < sizeof t->v ? b.len : sizeof t->v);
	buf_release(&b);
	c->out->tiles++;
}

/* Neighbours that differ are one place. */
static void name_differences(struct check *c, unsigned level, uint64_t n, const struct tile *is, const struct tile *should)
{
	for (unsigned i = 0, end; i < is->n; i = end) {
		end = i + 1;
		if (memcmp(&is->v[i], &should->v[i], sizeof is->v[i]) == 0)
			continue;
		while (end < is->n && memcmp(&is->v[end], &should->v[end], sizeof is->v[end]) != 0)
			end++;
		tile_damage(c, level, n, is->n, (uint64_t)i * TLOG_HASH, (uint64_t)end * TLOG_HASH, "not the hash of what it stands for");
	}
}

static void name_length(struct check *c, unsigned level, uint64_t n, unsigned width, size_t len)
{
	size_t want = (size_t)width * TLOG_HASH;
	if (len < want)
		tile_damage(c, level, n, width, len, want, len ? "cut off" : "missing, empty or unreadable");
	else if (len > want)
		tile_damage(c, level, n, width, want, len, "something follows its end");
}

static bool fits(const struct tile *t, const struct tlog_hash *root)
{
	struct tlog_hash r;
	tlog_root_of(t->v, t->n, &r);
	return memcmp(&r, root, sizeof r) == 0;
}

/* ---- entries ------------------------------------------------------------------------------------------------------ */

/*
 * An entry's length is part of its bytes: where one is wrong, those behind it can't be found.  Then the place is all that
 * is left of the bundle.
 */
static void check_bundle(struct check *c, uint64_t n, const struct tile *leaves)
{
	struct buf b;
	struct span entry;
	struct tlog_hash leaf;
	buf_init(&b, 0);
	slurp(c, TLOG_ENTRIES, n, leaves->n, &b);
	const uint8_t *start = b.data, *at = b.data, *end = b.data ? b.data + b.len : NULL;
	struct {
		uint64_t from, to;
	} bad[TLOG_TILE];
	unsigned i = 0, bad_n = 0;
	bool apart = false;
	for (; i < leaves->n; i++) {
		const uint8_t *from = at;
		if (!at || !tlog_bundle_next(&at, end, &entry))
			break;
		tlog_leaf(entry.at, entry.len, &leaf);
		if (memcmp(&leaf, &leaves->v[i], sizeof leaf) == 0) {
			apart = bad_n > 0;	/* found again behind a wrong one */
			if (c->each_entry)
				c->each_entry(c->arg, n * TLOG_TILE + i, entry);
			c->out->entries++;
			continue;
		}
		bad[bad_n].from = (uint64_t)(from - start);
		bad[bad_n++].to = (uint64_t)(at - start);
	}
	bool whole = i == leaves->n && at == end;
	if (bad_n && !whole && !apart)
		tile_damage(c, TLOG_ENTRIES, n, leaves->n, bad[0].from, b.len, "not what was logged");
	else
		for (unsigned k = 0; k < bad_n; k++)
			tile_damage(c, TLOG_ENTRIES, n, leaves->n, bad[k].from, bad[k].to, "not the entry that was logged");
	if (!bad_n && i < leaves->n)
		tile_damage(c, TLOG_ENTRIES, n, leaves->n, (uint64_t)(at - start), UINT64_MAX, b.len ? "cut off" : "missing, empty or unreadable");
	else if (!bad_n && at != end)
		tile_damage(c, TLOG_ENTRIES, n, leaves->n, (uint64_t)(at - start), b.len, "something follows its end");
	buf_release(&b);
}

/* ---- downward ----------------------------------------------------------------------------------------------------- */

/* root: what the parent says; NULL: t is of the right edge and vouched for already. */
static void check_tile(struct check *c, unsigned level, uint64_t n, const struct tlog_hash *root, const struct tile *edge)
{
	struct tile *t = xmalloc(sizeof *t), *again = NULL;
	size_t len;
	load(c, level, n, t, &len);
	if (edge) {
		name_length(c, level, n, t->n, len);
		name_differences(c, level, n, t, edge);
		*t = *edge;
	} else {
		name_length(c, level, n, t->n, len);
		if (!fits(t, root)) {
			again = xmalloc(sizeof *again);
			remake(c, level, n, again);
			if (fits(again, root)) {
				name_differences(c, level, n, t, again);
				*t = *again;
			} else {
				tile_damage(c, level, n, t->n, 0, (uint64_t)t->n * TLOG_HASH, "not what the tree says, and what is below it is damaged too");
			}
		}
	}
	if (level == 0)
		check_bundle(c, n, t);
	else
		for (unsigned i = 0; i < t->n; i++)
			check_tile(c, level - 1, n * TLOG_TILE + i, &t->v[i], NULL);
	free(again);
	free(t);
}

/*
 * The tiles of the right edge have no parent but the checkpoint: those that are stored, or any choice between stored and
 * made again that has its root.
 */
static bool find_edge(const struct check *c, const struct tlog_hash *root, struct tlog_hash (*tiles)[TLOG_TILE])
{
	struct tlog_hash r;
	unsigned levels[TLOG_LEVELS], n = 0;
	struct tile *v = xcalloc((size_t)2 * TLOG_LEVELS, sizeof *v);
	for (unsigned level = 0; level < TLOG_LEVELS; level++) {
		uint64_t count = tlog_level_count(c->size, level);
		size_t len;
		if (count % TLOG_TILE == 0)
			continue;
		load(c, level, count / TLOG_TILE, &v[2 * n], &len);
		remake(c, level, count / TLOG_TILE, &v[2 * n + 1]);
		levels[n++] = level;
	}
	bool found = false;
	for (unsigned choice = 0; choice < 1u << n && !found; choice++) {
		for (unsigned i = 0; i < n; i++)
			memcpy(tiles[levels[i]], v[2 * i + (choice >> i & 1)].v, sizeof *tiles);
		tlog_edge_root((const struct tlog_hash (*)[TLOG_TILE])tiles, c->size, &r);
		found = memcmp(&r, root, sizeof r) == 0;
	}
	free(v);
	return found;
}

static void check_tree(struct check *c, const struct tlog_hash *root)
{
	struct tlog_hash (*tiles)[TLOG_TILE] = xcalloc(TLOG_LEVELS, sizeof *tiles);
	if (!find_edge(c, root, tiles)) {
		damage(c, "checkpoint", 0, UINT64_MAX,
		       "it is signed over another tree than the one here: several files were changed, or this is another log");
		free(tiles);
		return;
	}
	struct tile *edge = xmalloc(sizeof *edge);
	for (unsigned level = 0; level < TLOG_LEVELS; level++) {
		uint64_t count = tlog_level_count(c->size, level);
		edge->n = (unsigned)(count % TLOG_TILE);
		memcpy(edge->v, tiles[level], sizeof edge->v);
		if (edge->n)
			check_tile(c, level, count / TLOG_TILE, NULL, edge);
	}
	free(edge);
	free(tiles);
}

/* ---- files that the tree doesn't need ------------------------------------------------------------------------------- */

struct names {
	char (*v)[TLOG_PATH_MAX];
	size_t n;
	const char *dir;
};

static bool note_name(void *arg, const char *name)
{
	struct names *s = arg;
	s->v = xrealloc(s->v, (s->n + 1) * sizeof *s->v);
	snprintf(s->v[s->n++], sizeof *s->v, "%.60s%s%.30s", s->dir, *s->dir ? "/" : "", name);
	return true;
}

static void compare_extra(struct check *c, const char *path, unsigned level, uint64_t n, unsigned width)
{
	struct buf extra, known;
	struct err err;
	unsigned there = tlog_tile_width(c->size, level, n);
	buf_init(&extra, 0);
	buf_init(&known, 0);
	slurp(c, level, n, width, &extra);
	if (width > there)
		c->out->strays++;
	else if (tlog_tile_read(c->io, c->dir, level, n, width, &known, &err) == 0 &&
		 (known.len != extra.len || (extra.len && memcmp(known.data, extra.data, extra.len) != 0)))
		damage(c, path, 0, UINT64_MAX, "an older part of the log that isn't what it was");
	buf_release(&extra);
	buf_release(&known);
}

static void look(struct check *c, const char *path);

static void look_in(struct check *c, int fd, const char *path)
{
	struct names s = {.dir = path};
	if (c->io->list(c->io->ctx, fd, note_name, &s) < 0)
		damage(c, path, 0, UINT64_MAX, "the folder can't be read");
	for (size_t i = 0; i < s.n; i++)
		look(c, s.v[i]);
	free(s.v);
}

static void look(struct check *c, const char *path)
{
	static const char *const ours[] = {"checkpoint", "checkpoint.new", "timestamp", "witness"};
	unsigned level, width;
	uint64_t n;
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (strcmp(path, ours[i]) == 0)
			return;
	struct fio_stat st = {0};
	int fd = c->io->open(c->io->ctx, c->dir, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0 && c->io->stat(c->io->ctx, fd, &st) == 0 && st.is_dir)
		look_in(c, fd, path);
	else if (!tlog_tile_parse((struct span){path, strlen(path)}, &level, &n, &width))
		c->out->strays++;
	else if (width != tlog_tile_width(c->size, level, n))
		compare_extra(c, path, level, n, width);
	if (fd >= 0)
		c->io->close(c->io->ctx, fd);
}

int tlog_check(const struct fio *io, int dir, const struct tlog_key *k, void (*each_damage)(void *arg, const struct tlog_damage *d),
	       void (*each_entry)(void *arg, uint64_t index, struct span entry), void *arg, struct tlog_checked *out, struct err *err)
{
	struct buf b;
	struct tlog_note note;
	struct tlog_checkpoint cp;
	*out = (struct tlog_checked){0};
	struct check c = {.io = io, .dir = dir, .each_damage = each_damage, .each_entry = each_entry, .arg = arg, .out = out};
	buf_init(&b, 0);
	if (tlog_file_read(io, dir, "checkpoint", TLOG_NOTE_MAX, &b, err) < 0) {
		buf_release(&b);
		return -1;
	}
	struct err why;
	if (tlog_checkpoint_open((const char *)b.data, b.len, k, &note, &cp, &why) < 0) {
		damage(&c, "checkpoint", 0, b.len, why.msg);
	} else {
		c.size = out->size = cp.size;
		out->root = cp.root;
		check_tree(&c, &cp.root);
		look_in(&c, dir, "");
	}
	buf_release(&b);
	return 0;
}
