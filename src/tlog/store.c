/*
 * The folder of a log, and how it grows.
 *
 * The newest checkpoint says what is in the log.  An append writes files that this checkpoint doesn't reach (full tiles,
 * partial ones of the new widths), syncs them and their folders, and then replaces the checkpoint: so a crash leaves
 * either log, and files behind its end, which nobody reads and a later append removes.  Partial tiles that the new
 * checkpoint doesn't need go last.
 *
 * In memory is the right edge: of each level the tile that isn't full, and the entry bundle that isn't.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/crypt.h"
#include "tlog/inside.h"

struct edge {
	uint64_t size;
	struct tlog_hash tiles[TLOG_LEVELS][TLOG_TILE];
	struct buf bundle;
};

struct cached {		/* a tile that was read last, of each level; the last bundle */
	uint64_t n;
	unsigned width;	/* 0: none */
	struct tlog_hash v[TLOG_TILE];
};

struct tlog {
	struct tlog_place place;
	struct edge edge;
	struct buf note;
	struct cached cached[TLOG_LEVELS];
	struct buf bundle;		/* as cached */
	uint64_t bundle_n;
	unsigned bundle_width;
	char synced[TLOG_LEVELS + 1][TLOG_PATH_MAX];	/* folder of the last file of each level: it and those above are durable */
	bool broken;			/* a checkpoint was replaced, and nobody knows whether durably */
};

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static int load_tile(struct tlog *l, unsigned level, uint64_t n, const struct tlog_hash **v, struct err *err)
{
	unsigned width = tlog_tile_width(l->edge.size, level, n);
	struct cached *c = &l->cached[level];
	if (width < TLOG_TILE) {
		*v = l->edge.tiles[level];
		return 0;
	}
	*v = c->v;
	if (c->width == width && c->n == n)
		return 0;
	c->width = 0;
	if (tlog_hashes_read(l->place.io, l->place.dir, level, n, width, c->v, err) < 0)
		return -1;
	c->n = n;
	c->width = width;
	return 0;
}

static int read_hash(void *arg, unsigned height, uint64_t index, struct tlog_hash *out, struct err *err)
{
	struct tlog *l = arg;
	unsigned level = height / 8, within = height % 8;
	uint64_t first = index << within;
	const struct tlog_hash *v;
	if (level >= TLOG_LEVELS || first + ((uint64_t)1 << within) > tlog_level_count(l->edge.size, level))
		return err_set(err, ERR_INPUT, "the log hasn't come so far");
	if (load_tile(l, level, first / TLOG_TILE, &v, err) < 0)
		return -1;
	tlog_root_of(v + first % TLOG_TILE, (size_t)1 << within, out);
	return 0;
}

struct tlog_source tlog_source(struct tlog *l)
{
	return (struct tlog_source){read_hash, l};
}

static int load_edge(struct tlog *l, struct err *err)
{
	const struct fio *io = l->place.io;
	for (unsigned level = 0; level < TLOG_LEVELS; level++) {
		uint64_t count = tlog_level_count(l->edge.size, level);
		if (count % TLOG_TILE && tlog_hashes_read(io, l->place.dir, level, count / TLOG_TILE, (unsigned)(count % TLOG_TILE),
							  l->edge.tiles[level], err) < 0)
			return -1;
	}
	if (l->edge.size % TLOG_TILE == 0)
		return 0;
	char path[TLOG_PATH_MAX];
	tlog_tile_path(TLOG_ENTRIES, l->edge.size / TLOG_TILE, (unsigned)(l->edge.size % TLOG_TILE), path);
	return tlog_file_read(io, l->place.dir, path, TLOG_BUNDLE_MAX, &l->edge.bundle, err);
}

/* The bundle's entries are the leaves of the edge, no more and no fewer. */
static int check_bundle(const struct tlog *l, struct err *err)
{
	const uint8_t *at = l->edge.bundle.data, *end = at + l->edge.bundle.len;
	struct span entry;
	struct tlog_hash leaf;
	unsigned i = 0, width = (unsigned)(l->edge.size % TLOG_TILE);
	while (i < width && tlog_bundle_next(&at, end, &entry)) {
		tlog_leaf(entry.at, entry.len, &leaf);
		if (memcmp(&leaf, &l->edge.tiles[0][i], sizeof leaf) != 0)
			break;
		i++;
	}
	return i == width && at == end ? 0 : err_set(err, ERR_CORRUPT, "entry %" PRIu64 " isn't the one that was logged",
						     l->edge.size - width + i);
}

static int load(struct tlog *l, struct err *err)
{
	struct tlog_note note;
	struct tlog_checkpoint c;
	struct tlog_hash root;
	if (tlog_checkpoint_open((const char *)l->note.data, l->note.len, &l->place.key, &note, &c, err) < 0)
		return err_prefix(err, "checkpoint: ");
	l->edge.size = c.size;
	if (load_edge(l, err) < 0) {
		err->code = err->code == ERR_NOTFOUND ? ERR_CORRUPT : err->code;
		return -1;
	}
	tlog_edge_root(l->edge.tiles, c.size, &root);
	if (memcmp(&root, &c.root, sizeof root) != 0)
		return err_set(err, ERR_CORRUPT, "the tiles have another root than the checkpoint of %" PRIu64 " entries", c.size);
	return check_bundle(l, err);
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

static int sync_dir(const struct tlog *l, const char *path, struct err *err)
{
	const struct fio *io = l->place.io;
	int fd = *path ? io->open(io->ctx, l->place.dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) : l->place.dir;
	int r = fd < 0 || io->sync(io->ctx, fd) < 0 ? err_sys(err, "%s", *path ? path : "state/tlog") : 0;
	if (*path && fd >= 0)
		io->close(io->ctx, fd);
	return r;
}

/*
 * Makes the folders of path and has them last.  They are synced once a process even where they are there already: the
 * one that made them may not have come so far.  1: for the first time.
 */
static int make_dirs(struct tlog *l, const char *path, char *synced, struct err *err)
{
	const struct fio *io = l->place.io;
	char dir[TLOG_PATH_MAX], above[TLOG_PATH_MAX] = "";
	size_t n = (size_t)(strrchr(path, '/') - path);
	if (strncmp(synced, path, n) == 0 && synced[n] == 0)
		return 0;
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/')
			continue;
		snprintf(dir, sizeof dir, "%.*s", (int)i, path);
		if (io->mkdir(io->ctx, l->place.dir, dir, 0700) < 0 && errno != EEXIST)
			return err_sys(err, "%s", dir);
		if (sync_dir(l, above, err) < 0)
			return -1;
		memcpy(above, dir, sizeof above);
	}
	snprintf(synced, TLOG_PATH_MAX, "%.*s", (int)n, path);
	return 1;
}

/* Over nothing: a file that a sync failed for, or that a crash left, is another one. */
static int write_file(const struct tlog *l, const char *path, const void *p, size_t n, struct err *err)
{
	const struct fio *io = l->place.io;
	if (io->unlink(io->ctx, l->place.dir, path) < 0 && errno != ENOENT)
		return err_sys(err, "%s", path);
	int fd = io->open(io->ctx, l->place.dir, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "%s", path);
	int r = fio_write_all(io, fd, p, n, 0) < 0 || io->sync(io->ctx, fd) < 0 ? err_sys(err, "%s", path) : 0;
	io->close(io->ctx, fd);
	return r;
}

static bool note_width(void *arg, const char *name)
{
	bool *widths = arg;
	unsigned long w = strtoul(name, NULL, 10);
	if (w < TLOG_TILE)
		widths[w] = true;
	return true;
}

/*
 * What an append that didn't come to its end left among the partial tiles: a later reader would take it for an older part
 * of the log.
 */
static int clean(const struct tlog *l, unsigned level, uint64_t n, struct err *err)
{
	const struct fio *io = l->place.io;
	bool widths[TLOG_TILE] = {false}, removed = false;
	char path[TLOG_PATH_MAX];
	tlog_tile_path(level, n, 1, path);
	*strrchr(path, '/') = 0;
	int fd = io->open(io->ctx, l->place.dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "%s", path);
	int r = io->list(io->ctx, fd, note_width, widths) < 0 ? err_sys(err, "%s", path) : 0;
	widths[tlog_tile_width(l->edge.size, level, n) % TLOG_TILE] = false;
	for (unsigned w = 1; w < TLOG_TILE && r == 0; w++) {
		if (!widths[w])
			continue;
		removed = true;
		tlog_tile_path(level, n, w, path);
		if (io->unlink(io->ctx, l->place.dir, path) < 0 && errno != ENOENT)
			r = err_sys(err, "%s", path);
	}
	if (r == 0 && removed && io->sync(io->ctx, fd) < 0)
		r = err_sys(err, "%s", path);
	io->close(io->ctx, fd);
	return r;
}

static int write_tile(struct tlog *l, unsigned level, uint64_t n, unsigned width, const void *p, size_t len, struct err *err)
{
	char path[TLOG_PATH_MAX], *synced = l->synced[level == TLOG_ENTRIES ? TLOG_LEVELS : level];
	tlog_tile_path(level, n, width, path);
	int made = make_dirs(l, path, synced, err);
	if (made < 0 || ((made == 1 || width == TLOG_TILE) && clean(l, level, n, err) < 0) || write_file(l, path, p, len, err) < 0)
		return -1;
	return sync_dir(l, synced, err);
}

/* A hash came to this level; a tile that it fills is written, and its root comes to the next. */
static int push(struct tlog *l, struct edge *e, unsigned level, uint64_t at, const struct tlog_hash *h, struct err *err)
{
	struct tlog_hash root;
	e->tiles[level][at % TLOG_TILE] = *h;
	if (at % TLOG_TILE != TLOG_TILE - 1)
		return 0;
	if (write_tile(l, level, at / TLOG_TILE, TLOG_TILE, e->tiles[level], TLOG_TILE_BYTES, err) < 0)
		return -1;
	tlog_root_of(e->tiles[level], TLOG_TILE, &root);
	return level + 1 < TLOG_LEVELS ? push(l, e, level + 1, at / TLOG_TILE, &root, err)
				       : err_set(err, ERR_LIMIT, "the log is full");
}

static int add_entry(struct tlog *l, struct edge *e, struct span entry, struct err *err)
{
	struct tlog_hash leaf;
	tlog_bundle_add(&e->bundle, entry);
	tlog_leaf(entry.at, entry.len, &leaf);
	if (e->size % TLOG_TILE == TLOG_TILE - 1) {
		if (write_tile(l, TLOG_ENTRIES, e->size / TLOG_TILE, TLOG_TILE, e->bundle.data, e->bundle.len, err) < 0)
			return -1;
		buf_reset(&e->bundle);
	}
	if (push(l, e, 0, e->size, &leaf, err) < 0)
		return -1;
	e->size++;
	return 0;
}

static int write_partial(struct tlog *l, const struct edge *e, struct err *err)
{
	unsigned width = (unsigned)(e->size % TLOG_TILE);
	if (width && write_tile(l, TLOG_ENTRIES, e->size / TLOG_TILE, width, e->bundle.data, e->bundle.len, err) < 0)
		return -1;
	for (unsigned level = 0; level < TLOG_LEVELS; level++) {
		uint64_t count = tlog_level_count(e->size, level);
		width = (unsigned)(count % TLOG_TILE);
		if (count == tlog_level_count(l->edge.size, level) || width == 0)
			continue;
		if (write_tile(l, level, count / TLOG_TILE, width, e->tiles[level], (size_t)width * TLOG_HASH, err) < 0)
			return -1;
	}
	return 0;
}

static int write_checkpoint(struct tlog *l, const struct buf *note, struct err *err)
{
	const struct fio *io = l->place.io;
	if (write_file(l, "checkpoint.new", note->data, note->len, err) < 0)
		return -1;
	if (io->rename(io->ctx, l->place.dir, "checkpoint.new", "checkpoint") < 0)
		return err_sys(err, "checkpoint");
	if (io->sync(io->ctx, l->place.dir) == 0)
		return 0;
	l->broken = true;
	return err_sys(err, "checkpoint");
}

/* Signs the tree that the edge holds. */
static void make_note(const struct tlog *l, const struct edge *e, struct buf *note)
{
	struct tlog_checkpoint c = {.origin = {l->place.key.name, strlen(l->place.key.name)}, .size = e->size, .more = {"", 0}};
	struct buf line;
	tlog_edge_root(e->tiles, e->size, &c.root);
	tlog_checkpoint_print(&c, note);
	buf_init(&line, 0);
	tlog_note_sign((struct span){(const char *)note->data, note->len}, &l->place.key, l->place.secret, 0, &line);
	buf_addc(note, '\n');
	buf_add(note, line.data, line.len);
	buf_release(&line);
}

/* Partial tiles of this tree that a larger one doesn't need. */
static void drop_partial(struct tlog *l, uint64_t size, uint64_t than)
{
	static const unsigned levels[] = {TLOG_ENTRIES, 0, 1, 2, 3, 4, 5, 6, 7};
	const struct fio *io = l->place.io;
	char path[TLOG_PATH_MAX];
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		uint64_t count = tlog_level_count(size, levels[i]);
		if (count % TLOG_TILE == 0 || count == tlog_level_count(than, levels[i]))
			continue;
		tlog_tile_path(levels[i], count / TLOG_TILE, (unsigned)(count % TLOG_TILE), path);
		(void)!io->unlink(io->ctx, l->place.dir, path);	/* it is right, only of no use: one that stays does no harm */
	}
}

int tlog_append(struct tlog *l, const struct span *entries, size_t n, uint64_t *first, struct err *err)
{
	struct buf note;
	int r = 0;
	if (l->broken || !l->place.secret)
		return err_set(err, ERR_IO, "the log can't be written: %s", l->broken ? "its newest checkpoint may not be durable" : "no key");
	for (size_t i = 0; i < n; i++)
		if (entries[i].len > TLOG_ENTRY_MAX)
			return err_set(err, ERR_LIMIT, "an entry has at most %d bytes", TLOG_ENTRY_MAX);
	struct edge *e = xmalloc(sizeof *e);
	memcpy(e, &l->edge, sizeof *e);
	buf_init(&e->bundle, 0);
	buf_add(&e->bundle, l->edge.bundle.data, l->edge.bundle.len);
	buf_init(&note, 0);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_entry(l, e, entries[i], err);
	if (r == 0)
		r = write_partial(l, e, err);
	if (r == 0) {
		make_note(l, e, &note);
		r = write_checkpoint(l, &note, err);
	}
	if (r == 0) {
		*first = l->edge.size;
		drop_partial(l, l->edge.size, e->size);
		buf_release(&l->edge.bundle);
		buf_release(&l->note);
		l->edge = *e;
		l->note = note;
	} else {
		memset(l->synced, 0, sizeof l->synced);	/* what it left is cleaned by the next */
		buf_release(&e->bundle);
		buf_release(&note);
	}
	free(e);
	return r;
}

int tlog_cosign(struct tlog *l, struct span text, struct span lines, struct err *err)
{
	struct tlog_note note, added;
	struct buf now;
	if (l->broken || !l->place.secret)
		return err_set(err, ERR_IO, "the log can't be written");
	if (tlog_note_parse((const char *)l->note.data, l->note.len, &note, err) < 0)
		return -1;
	if (note.text.len != text.len || memcmp(note.text.at, text.at, text.len) != 0)
		return err_set(err, ERR_AGAIN, "the checkpoint is no longer the newest");
	buf_init(&now, TLOG_NOTE_MAX);
	buf_add(&now, l->note.data, l->note.len);
	buf_add(&now, lines.at, lines.len);
	int r = now.over ? err_set(err, ERR_LIMIT, "too many cosignatures") : tlog_note_parse((const char *)now.data, now.len, &added, err);
	if (r == 0)
		r = write_checkpoint(l, &now, err);
	if (r < 0) {
		buf_release(&now);
		return -1;
	}
	buf_release(&l->note);
	l->note = now;
	return 0;
}

/* ---- opening ------------------------------------------------------------------------------------------------------ */

static bool there(const struct tlog *l, const char *name)
{
	const struct fio *io = l->place.io;
	int fd = io->open(io->ctx, l->place.dir, name, O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0)
		io->close(io->ctx, fd);
	return fd >= 0 || errno != ENOENT;
}

static int begin(struct tlog *l, struct err *err)
{
	if (there(l, "tile"))
		return err_set(err, ERR_CORRUPT, "checkpoint: it is gone, and the log's tiles are there");
	if (!l->place.secret)
		return err_set(err, ERR_NOTFOUND, "there is no transparency log yet");
	make_note(l, &l->edge, &l->note);
	return write_checkpoint(l, &l->note, err);
}

/* The two halves of the key belong together. */
static int check_key(const struct tlog_place *p, struct err *err)
{
	uint8_t sig[SIGN_BYTES];
	if (!p->secret)
		return 0;
	sign_make(p->secret, "", 0, sig);
	return sign_check(p->key.public_key, "", 0, sig) ? 0 : err_set(err, ERR_CRYPTO, "the log's public key isn't that of its secret one");
}

int tlog_open(const struct tlog_place *p, struct tlog **out, struct err *err)
{
	*out = NULL;
	if (check_key(p, err) < 0)
		return -1;
	struct tlog *l = xcalloc(1, sizeof *l);
	l->place = *p;
	buf_init(&l->note, 0);
	buf_init(&l->edge.bundle, 0);
	buf_init(&l->bundle, 0);
	int r = tlog_file_read(p->io, p->dir, "checkpoint", TLOG_NOTE_MAX, &l->note, err);
	if (r < 0 && err->code == ERR_NOTFOUND)
		r = begin(l, err);
	if (r == 0)
		r = load(l, err);
	/* Whoever replaced the checkpoint may have died before it was durable, and now something depends on it. */
	if (r == 0 && p->secret)
		r = sync_dir(l, "", err);
	if (r == 0)
		*out = l;
	else
		tlog_close(&l);
	return r;
}

void tlog_close(struct tlog **l)
{
	if (!*l)
		return;
	buf_release(&(*l)->note);
	buf_release(&(*l)->edge.bundle);
	buf_release(&(*l)->bundle);
	free(*l);
	*l = NULL;
}

uint64_t tlog_size(const struct tlog *l)
{
	return l->edge.size;
}

struct span tlog_checkpoint_note(const struct tlog *l)
{
	return (struct span){(const char *)l->note.data, l->note.len};
}

void tlog_checkpoint_now(const struct tlog *l, struct tlog_checkpoint *out)
{
	struct tlog_note note;
	struct err err;
	must(tlog_note_parse((const char *)l->note.data, l->note.len, &note, &err) == 0 && tlog_checkpoint_parse(note.text, out, &err) == 0);
}

int tlog_proof_under(struct tlog *l, uint64_t index, struct span text, struct buf *out, struct err *err)
{
	struct tlog_proof p = {.index = index, .extra = {"", 0}, .checkpoint = text};
	const struct tlog_source s = tlog_source(l);
	struct tlog_note note;
	struct tlog_checkpoint c;
	if (tlog_note_parse(text.at, text.len, &note, err) < 0 || tlog_checkpoint_parse(note.text, &c, err) < 0 ||
	    tlog_prove_inclusion(&s, index, c.size, &p.path, err) < 0)
		return -1;
	tlog_proof_print(&p, out);
	return 0;
}

int tlog_proof_make(struct tlog *l, uint64_t index, struct buf *out, struct err *err)
{
	return tlog_proof_under(l, index, tlog_checkpoint_note(l), out, err);
}

/* ---- entries ------------------------------------------------------------------------------------------------------ */

static int load_bundle(struct tlog *l, uint64_t n, struct span *out, struct err *err)
{
	unsigned width = tlog_tile_width(l->edge.size, TLOG_ENTRIES, n);
	char path[TLOG_PATH_MAX];
	if (width < TLOG_TILE) {
		*out = (struct span){(const char *)l->edge.bundle.data, l->edge.bundle.len};
		return 0;
	}
	if (l->bundle_width != width || l->bundle_n != n) {
		l->bundle_width = 0;
		buf_reset(&l->bundle);
		tlog_tile_path(TLOG_ENTRIES, n, width, path);
		if (tlog_file_read(l->place.io, l->place.dir, path, TLOG_BUNDLE_MAX, &l->bundle, err) < 0)
			return -1;
		l->bundle_n = n;
		l->bundle_width = width;
	}
	*out = (struct span){(const char *)l->bundle.data, l->bundle.len};
	return 0;
}

/* The entries of a bundle, each against its leaf; width of them. */
static int open_bundle(struct tlog *l, uint64_t n, unsigned width, struct span *entries, struct err *err)
{
	struct span bytes;
	const struct tlog_hash *leaves;
	struct tlog_hash leaf;
	if (load_bundle(l, n, &bytes, err) < 0 || load_tile(l, 0, n, &leaves, err) < 0)
		return -1;
	const uint8_t *at = (const uint8_t *)bytes.at, *end = at + bytes.len;
	for (unsigned i = 0; i < width; i++) {
		bool good = tlog_bundle_next(&at, end, &entries[i]);
		if (good)
			tlog_leaf(entries[i].at, entries[i].len, &leaf);
		if (!good || memcmp(&leaf, &leaves[i], sizeof leaf) != 0)
			return err_set(err, ERR_CORRUPT, "entry %" PRIu64 " isn't the one that was logged", n * TLOG_TILE + i);
	}
	return 0;
}

int tlog_entry(struct tlog *l, uint64_t index, struct buf *out, struct err *err)
{
	struct span entries[TLOG_TILE];
	if (index >= l->edge.size)
		return err_set(err, ERR_INPUT, "there is no entry %" PRIu64 " in a log of %" PRIu64, index, l->edge.size);
	unsigned at = (unsigned)(index % TLOG_TILE);
	if (open_bundle(l, index / TLOG_TILE, at + 1, entries, err) < 0)
		return -1;
	buf_add(out, entries[at].at, entries[at].len);
	return 0;
}

int tlog_entries_back(struct tlog *l, uint64_t before, bool (*each)(void *arg, uint64_t index, struct span entry), void *arg, struct err *err)
{
	struct span entries[TLOG_TILE];
	while (before > 0) {
		uint64_t n = (before - 1) / TLOG_TILE;
		unsigned width = (unsigned)(before - n * TLOG_TILE);
		if (open_bundle(l, n, width, entries, err) < 0)
			return -1;
		while (width-- > 0)
			if (!each(arg, n * TLOG_TILE + width, entries[width]))
				return 0;
		before = n * TLOG_TILE;
	}
	return 0;
}

int tlog_compare(struct span then, struct span now, const struct tlog_key *k, const struct tlog_source *s, struct err *err)
{
	struct tlog_note a_note, b_note;
	struct tlog_checkpoint a, b;
	struct tlog_path path;
	if (tlog_checkpoint_open(then.at, then.len, k, &a_note, &a, err) < 0)
		return err_prefix(err, "the remembered checkpoint: ");
	if (tlog_checkpoint_open(now.at, now.len, k, &b_note, &b, err) < 0)
		return -1;
	if (a.size > b.size)
		return err_set(err, ERR_DENIED, "rolled back: it holds %" PRIu64 " entries, and %" PRIu64 " were signed before", b.size, a.size);
	if (a.size == 0)
		return 0;
	if (tlog_prove_consistency(s, a.size, b.size, &path, err) < 0)
		return -1;
	if (tlog_check_consistency(a.size, &a.root, b.size, &b.root, path.v, path.n, err) < 0)
		return err_set(err, ERR_DENIED, "forked: its first %" PRIu64 " entries aren't those that were signed before", a.size);
	return 0;
}
