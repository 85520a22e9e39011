/* Inside the folder: tiles as files.  Second header because store.c, tile.c and check.c share them. */
#ifndef TLOG_INSIDE_H
#define TLOG_INSIDE_H

#include "tlog/tlog.h"

enum { TLOG_LEVELS = 8, TLOG_BUNDLE_MAX = TLOG_TILE * (2 + TLOG_ENTRY_MAX), TLOG_TILE_BYTES = TLOG_TILE * TLOG_HASH };

/* How many hashes of this level a tree of so many leaves has. */
uint64_t tlog_level_count(uint64_t size, unsigned level);
/* Of tile n of this level (or of entry bundle n) in such a tree: 0 when there is none, 256 when it is full. */
unsigned tlog_tile_width(uint64_t size, unsigned level, uint64_t n);

/* Root of a tree from the tiles of its right edge that aren't full. */
void tlog_edge_root(const struct tlog_hash (*tiles)[TLOG_TILE], uint64_t size, struct tlog_hash *out);

/* Exactly width hashes; the file must hold just them.  ERR_NOTFOUND, ERR_CORRUPT. */
int tlog_hashes_read(const struct fio *io, int dir, unsigned level, uint64_t n, unsigned width, struct tlog_hash *out, struct err *err);
/* The next entry of a bundle; false at its end, and when it is cut off (*at then stays before end). */
bool tlog_bundle_next(const uint8_t **at, const uint8_t *end, struct span *entry);
void tlog_bundle_add(struct buf *b, struct span entry);

#endif
