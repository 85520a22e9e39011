/* Tiles and bundles as files: c2sp.org/tlog-tiles, "Merkle Tree" and "Log Entries". */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tlog/inside.h"

uint64_t tlog_level_count(uint64_t size, unsigned level)
{
	return level == TLOG_ENTRIES ? size : level >= TLOG_LEVELS ? 0 : size >> (8 * level);
}

unsigned tlog_tile_width(uint64_t size, unsigned level, uint64_t n)
{
	uint64_t count = tlog_level_count(size, level);
	if (n >= count / TLOG_TILE + 1)
		return 0;
	return n < count / TLOG_TILE ? TLOG_TILE : (unsigned)(count % TLOG_TILE);
}

/* What is right of a level's last whole hash stands behind it like one more: splits fall as in the tree of leaves. */
void tlog_edge_root(const struct tlog_hash (*tiles)[TLOG_TILE], uint64_t size, struct tlog_hash *out)
{
	struct tlog_hash v[TLOG_TILE + 1];
	size_t right = 0;	/* 1: v holds the root of what is below */
	for (unsigned level = 0; level < TLOG_LEVELS; level++) {
		size_t n = (size_t)(tlog_level_count(size, level) % TLOG_TILE);
		if (n == 0)
			continue;
		v[n] = v[0];
		memcpy(v, tiles[level], n * sizeof *v);
		tlog_root_of(v, n + right, &v[0]);
		right = 1;
	}
	if (right)
		*out = v[0];
	else
		tlog_root_of(NULL, 0, out);
}

/* ---- paths -------------------------------------------------------------------------------------------------------- */

void tlog_tile_path(unsigned level, uint64_t n, unsigned width, char out[static TLOG_PATH_MAX])
{
	char *at = out;
	unsigned part[8], n_parts = 0;	/* a u64 has seven groups of three digits */
	do
		part[n_parts++] = (unsigned)(n % 1000);
	while (n /= 1000);
	at += level == TLOG_ENTRIES ? sprintf(at, "tile/entries/") : sprintf(at, "tile/%u/", level);
	while (n_parts-- > 1)
		at += sprintf(at, "x%03u/", part[n_parts]);
	at += sprintf(at, "%03u", part[0]);
	if (width && width < TLOG_TILE)
		sprintf(at, ".p/%u", width);
}

static bool take_number(const char **at, const char *end, uint64_t *out)
{
	const char *start = *at;
	for (*out = 0; *at < end && **at >= '0' && **at <= '9' && *at - start < 3; ++*at)
		*out = *out * 10 + (uint64_t)(**at - '0');
	return *at > start;
}

static bool take_word(const char **at, const char *end, const char *word)
{
	size_t n = strlen(word);
	if ((size_t)(end - *at) < n || memcmp(*at, word, n) != 0)
		return false;
	*at += n;
	return true;
}

/* Reads generously; what isn't what tlog_tile_path would write is then no path. */
bool tlog_tile_parse(struct span path, unsigned *level, uint64_t *n, unsigned *width)
{
	const char *at = path.at, *end = path.at + path.len;
	char again[TLOG_PATH_MAX];
	uint64_t number, part;
	*n = 0;
	*width = TLOG_TILE;
	if (!take_word(&at, end, "tile/"))
		return false;
	if (take_word(&at, end, "entries/"))
		*level = TLOG_ENTRIES;
	else if (take_number(&at, end, &number) && number < TLOG_ENTRIES && take_word(&at, end, "/"))
		*level = (unsigned)number;
	else
		return false;
	for (int digits = 0; take_word(&at, end, "x"); digits += 3) {
		if (digits >= 15 || !take_number(&at, end, &part) || !take_word(&at, end, "/"))
			return false;
		*n = *n * 1000 + part;
	}
	if (!take_number(&at, end, &part))
		return false;
	*n = *n * 1000 + part;
	if (take_word(&at, end, ".p/")) {
		if (!take_number(&at, end, &part) || part == 0 || part >= TLOG_TILE)
			return false;
		*width = (unsigned)part;
	}
	tlog_tile_path(*level, *n, *width, again);
	return at == end && strlen(again) == path.len && memcmp(again, path.at, path.len) == 0;
}

/* ---- bytes -------------------------------------------------------------------------------------------------------- */

bool tlog_bundle_next(const uint8_t **at, const uint8_t *end, struct span *entry)
{
	if (end - *at < 2)
		return false;
	size_t n = (size_t)(*at)[0] << 8 | (*at)[1];
	if ((size_t)(end - *at) - 2 < n)
		return false;
	*entry = (struct span){(const char *)*at + 2, n};
	*at += 2 + n;
	return true;
}

void tlog_bundle_add(struct buf *b, struct span entry)
{
	const uint8_t len[2] = {(uint8_t)(entry.len >> 8), (uint8_t)entry.len};
	buf_add(b, len, sizeof len);
	buf_add(b, entry.at, entry.len);
}

int tlog_file_read(const struct fio *io, int dir, const char *path, size_t max, struct buf *out, struct err *err)
{
	struct fio_stat st;
	int fd = io->open(io->ctx, dir, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "%s", path);
	int r = io->stat(io->ctx, fd, &st) < 0 || st.is_dir ? err_sys(err, "%s", path) : 0;
	if (r == 0 && (st.size > max || !buf_reserve(out, (size_t)st.size)))
		r = err_set(err, ERR_CORRUPT, "%s: %" PRIu64 " bytes, more than it can have", path, st.size);
	ssize_t n = r == 0 ? fio_read_all(io, fd, out->data + out->len, (size_t)st.size, 0) : 0;
	if (n < 0)
		r = err_sys(err, "%s", path);
	else if (r == 0)
		out->len += (size_t)n;
	io->close(io->ctx, fd);
	return r;
}

int tlog_hashes_read(const struct fio *io, int dir, unsigned level, uint64_t n, unsigned width, struct tlog_hash *out, struct err *err)
{
	char path[TLOG_PATH_MAX];
	struct buf b;
	tlog_tile_path(level, n, width, path);
	buf_init(&b, 0);
	int r = tlog_file_read(io, dir, path, TLOG_TILE_BYTES, &b, err);
	if (r == 0 && b.len != (size_t)width * TLOG_HASH)
		r = err_set(err, ERR_CORRUPT, "%s: %zu bytes, and %u hashes are %zu", path, b.len, width, (size_t)width * TLOG_HASH);
	if (r == 0 && width)
		memcpy(out, b.data, b.len);
	buf_release(&b);
	return r;
}

/* ---- for readers over HTTP ---------------------------------------------------------------------------------------- */

static int size_now(const struct fio *io, int dir, uint64_t *size, struct err *err)
{
	struct buf b;
	struct tlog_note note;
	struct tlog_checkpoint c;
	buf_init(&b, 0);
	int r = tlog_file_read(io, dir, "checkpoint", TLOG_NOTE_MAX, &b, err);
	if (r == 0)
		r = tlog_note_parse((const char *)b.data, b.len, &note, err);
	if (r == 0)
		r = tlog_checkpoint_parse(note.text, &c, err);
	if (r == 0)
		*size = c.size;
	buf_release(&b);
	return r;
}

/* Bytes of the first `width` hashes or entries. */
static bool cut(struct buf *b, size_t start, unsigned level, unsigned width)
{
	const uint8_t *at = b->data + start, *end = b->data + b->len;
	struct span entry;
	if (level != TLOG_ENTRIES)
		at = (size_t)(end - at) < (size_t)width * TLOG_HASH ? end : at + (size_t)width * TLOG_HASH;
	else
		for (unsigned i = 0; i < width; i++)
			if (!tlog_bundle_next(&at, end, &entry))
				return false;
	b->len = (size_t)(at - b->data);
	return level == TLOG_ENTRIES || b->len - start == (size_t)width * TLOG_HASH;
}

int tlog_tile_read(const struct fio *io, int dir, unsigned level, uint64_t n, unsigned width, struct buf *out, struct err *err)
{
	enum { TRIES = 5 };	/* the log may grow between checkpoint and tile, and narrower partial tiles go */
	char path[TLOG_PATH_MAX];
	size_t start = out->len;
	int r = -1;
	tlog_tile_path(level, n, width, path);
	for (int i = 0; i < TRIES && r < 0; i++) {
		uint64_t size;
		if (size_now(io, dir, &size, err) < 0)
			return -1;
		unsigned there = tlog_tile_width(size, level, n);
		if (width == 0 || width > there)
			return err_set(err, ERR_NOTFOUND, "%s: the log hasn't come so far", path);
		tlog_tile_path(level, n, there, path);
		r = tlog_file_read(io, dir, path, TLOG_BUNDLE_MAX, out, err);
		if (r < 0 && err->code != ERR_NOTFOUND)
			return -1;
	}
	if (r == 0 && !cut(out, start, level, width))
		r = err_set(err, ERR_CORRUPT, "%s: shorter than it should be", path);
	return r;
}
