/*
 * Writer of the durable log; recover.c is how it starts.
 *
 * A log is a folder of segments named by the number of their first frame, "%016x.log".  Everything is little-endian.
 *
 *   segment   0 "WEIRLOG1" | 8 stream[16] | 24 first_seq u64 | 32 salt[16] | 48 created_us u64 | 56 0 u32
 *            60 crc32c u32 over bytes 0..59
 *   frame     0 len u32 | 4 type u8 | 5 index u24 | 8 seq u64 | 16 crc32c u32 | 20 body[len]      packed, no padding
 *
 * A frame's checksum covers salt, len, type, seq and body.  The salt is random, so that old bytes of a disk never pass
 * for frames, and a number that had to be used again after a failed write makes another nonce.  `index` is the frame's
 * place in its batch.  It isn't in the checksum because it is a hint, read only when the last segment has a hole: a
 * frame behind the hole whose batch began at or before it says that the hole was never durable (a torn tail); one
 * whose batch began later says that it was, for a batch is written after the one before it is synced.
 *
 * Where a segment ends: at the first_seq of the next segment.  Frames with that number or a higher one are void, even
 * if their bytes are perfect: they belong to a batch that was refused before the next segment was opened.  This is what
 * makes a refused batch final without trusting a disk that has just failed to do anything more for us.
 *
 * Order of writing.  Segment: file "next", header, sync, name, sync of the folder, then the first frame.  Batch: one write, one
 * sync, then the mark.  Removal: oldest segment first, the folder synced after each, never the newest one (its name
 * carries the numbering over a restart).
 *
 * Readers see a frame when its number is not above the mark; how they find it is in reader.c.
 */
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "log/segment.h"
#include "log/writer.h"

void part_add(struct log_writer *w, uint64_t first_seq, uint64_t bytes, int64_t created_us)
{
	if (w->parts_len == w->parts_cap) {
		w->parts_cap = w->parts_cap ? w->parts_cap * 2 : 16;
		w->parts = xrealloc(w->parts, w->parts_cap * sizeof *w->parts);
	}
	w->parts[w->parts_len++] = (struct part){first_seq, bytes, created_us};
	w->bytes += bytes;
}

static void writer_close_segment(struct log_writer *w)
{
	if (w->fd >= 0)
		w->io->close(w->io->ctx, w->fd);
	w->fd = -1;
	w->salted = w->announced = false;
}

void choose_salt(struct log_writer *w)
{
	must(getrandom(w->salt, sizeof w->salt, 0) == (ssize_t)sizeof w->salt);
	w->salted = true;
	w->announced = false;
}

/* ---- segments ------------------------------------------------------------------------------------------------- */

static const char next_name[] = "next";

static int create_next(struct log_writer *w)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL;
	int fd = w->io->open(w->io->ctx, w->dir, next_name, flags, 0600);
	if (fd < 0 && errno == EEXIST && w->io->unlink(w->io->ctx, w->dir, next_name) == 0)
		fd = w->io->open(w->io->ctx, w->dir, next_name, flags, 0600);
	return fd;
}

/*
 * Makes the segment for the numbers after `durable`, with w->salt.  The file gets its name when its header is on disk.
 * A file that has this name already holds nothing that was published, for its number is still to be given out; it is
 * replaced in one step, because it may be the only one that remembers the numbering.
 *
 * On -1 the segment before it is still ours, unless the new name may be visible: then that one has ended, and only
 * another attempt helps.
 */
int segment_create(struct log_writer *w, int64_t now_us, struct err *err)
{
	char name[LOG_NAME];
	uint8_t head[LOG_SEGMENT_HEAD];
	uint64_t first = w->durable + 1;
	segment_name(first, name);
	int fd = create_next(w);
	if (fd < 0)
		return err_sys(err, "log: create %s", name);
	segment_head(head, w->stream, first, w->salt, now_us);
	const char *what = "write the header of";
	bool named = false;
	int bad = fio_write_all(w->io, fd, head, sizeof head, 0);
	if (!bad) {
		what = "sync";
		bad = w->io->sync(w->io->ctx, fd);
	}
	if (!bad) {
		what = "name";
		named = true;
		bad = w->io->rename(w->io->ctx, w->dir, next_name, name);
	}
	if (!bad) {
		what = "sync the folder of";
		bad = w->io->sync(w->io->ctx, w->dir);
	}
	if (bad) {
		err_sys(err, "log: %s %s", what, name);
		w->io->close(w->io->ctx, fd);
		if (named)
			writer_close_segment(w);
		return -1;
	}
	if (w->fd >= 0)
		w->io->close(w->io->ctx, w->fd);
	if (newest(w) && newest(w)->first_seq == first) {
		w->bytes -= newest(w)->bytes;
		w->parts_len--;
	}
	part_add(w, first, sizeof head, now_us);
	w->fd = fd;
	w->size = sizeof head;
	atomic_store_explicit(&w->mark->segment, first, memory_order_release);
	return 0;
}

/*
 * With a backlog, memory fills with segments that nobody will read for a while.  What a reader is likely to want is the
 * newest one and the one before it; the rest can be read from the disk again.  The third is let go of while the newest
 * fills, a piece for a piece: all at once it would hold up a commit for longer than the disk does.
 */
static void cool_backlog(struct log_writer *w)
{
	enum { WARM = 2, PIECE = 1 << 20 };
	char name[LOG_NAME];
	if (w->parts_len <= WARM)
		return;
	const struct part *p = &w->parts[w->parts_len - 1 - WARM];
	if (p->first_seq != w->cooling) {
		w->cooling = p->first_seq;
		w->cooled = 0;
	}
	if (w->size < w->cooled + PIECE || w->cooled >= p->bytes)
		return;
	segment_name(p->first_seq, name);
	bool rest = w->size + PIECE >= w->limits.segment_bytes;
	w->io->cool(w->io->ctx, w->dir, name, w->cooled, rest ? 0 : w->size - w->cooled);
	w->cooled = rest ? p->bytes : w->size;
}

/*
 * A write or a sync failed.  What is on disk behind the last durable frame is unknown and stays so; the next segment
 * makes it void.  Cutting it off is a courtesy to whoever reads the disk before that.
 */
static void segment_abandon(struct log_writer *w)
{
	if (w->fd >= 0)
		w->io->truncate(w->io->ctx, w->fd, w->size);
	writer_close_segment(w);
}

/* ---- appending ------------------------------------------------------------------------------------------------ */

/* Before the first frame of a batch: settles which segment it goes to.  No I/O; the file is made by log_commit. */
static void batch_prepare(struct log_writer *w)
{
	if (w->batch_frames)
		return;
	if (w->fd >= 0 && w->size >= w->limits.segment_bytes)
		writer_close_segment(w);
	if (!w->salted)
		choose_salt(w);
	if (!w->announced) {
		w->announced = true;
		if (w->on_segment)
			w->on_segment(w, w->salt, w->arg);
	}
}

uint64_t log_next_seq(struct log_writer *w)
{
	batch_prepare(w);
	return w->durable + 1 + w->batch_frames;
}

const uint8_t *log_salt(const struct log_writer *w)
{
	return w->salt;
}

int log_append_begin(struct log_writer *w, enum log_type type, size_t n, uint8_t **body, uint64_t *seq, struct err *err)
{
	batch_prepare(w);
	if (n > LOG_BODY_MAX)
		return err_set(err, ERR_LIMIT, "log: a frame of %zu bytes is over the limit of %d", n, LOG_BODY_MAX);
	if (w->batch_frames == LOG_BATCH_FRAMES || w->batch.len + LOG_FRAME_HEAD + n > LOG_BATCH_MAX)
		return err_set(err, ERR_LIMIT, "log: the batch is full");
	w->frame_at = w->batch.len;
	uint64_t next = w->durable + 1 + w->batch_frames;
	*body = frame_begin(&w->batch, type, next, w->batch_frames, n);
	must(*body);
	if (seq)
		*seq = next;
	return 0;
}

void log_append_end(struct log_writer *w)
{
	frame_end(&w->batch, w->frame_at, w->salt);
	w->batch_frames++;
}

int log_append(struct log_writer *w, enum log_type type, const void *body, size_t n, uint64_t *seq, struct err *err)
{
	uint8_t *to;
	if (log_append_begin(w, type, n, &to, seq, err) < 0)
		return -1;
	if (n)
		memcpy(to, body, n);
	log_append_end(w);
	return 0;
}

static void batch_drop(struct log_writer *w)
{
	enum { KEEP = 4 << 20 };
	if (w->batch.cap > KEEP)
		buf_release(&w->batch);
	buf_reset(&w->batch);
	w->batch_frames = 0;
}

static int check_reserve(struct log_writer *w, struct err *err)
{
	uint64_t left;
	if (w->io->free_bytes(w->io->ctx, w->dir, &left) < 0)
		return err_sys(err, "log: free space");
	if (left < w->limits.reserve_bytes + w->batch.len)
		return err_set(err, ERR_FULL, "log: %llu bytes are free and %llu are kept in reserve",
			       (unsigned long long)left, (unsigned long long)w->limits.reserve_bytes);
	return 0;
}

static int batch_write(struct log_writer *w, struct err *err)
{
	if (w->fd < 0 && segment_create(w, clock_now_us(), err) < 0)
		return -1;
	if (fio_write_all(w->io, w->fd, w->batch.data, w->batch.len, w->size) < 0)
		return err_sys(err, "log: write");
	if (w->io->sync(w->io->ctx, w->fd) < 0)
		return err_sys(err, "log: sync");
	return 0;
}

/* A segment gets a new salt (and its key frame again) unless published frames already use the one it has. */
static void batch_refuse(struct log_writer *w, bool touched)
{
	if (touched)
		segment_abandon(w);
	if (w->fd < 0)
		w->salted = false;
	if (w->fd < 0 || w->durable < newest(w)->first_seq)
		w->announced = false;
	batch_drop(w);
}

int log_commit(struct log_writer *w, struct err *err)
{
	if (!w->batch_frames)
		return 0;
	if (check_reserve(w, err) < 0) {
		batch_refuse(w, false);
		return -1;
	}
	if (batch_write(w, err) < 0) {
		batch_refuse(w, true);
		return -1;
	}
	w->size += w->batch.len;
	newest(w)->bytes += w->batch.len;
	w->bytes += w->batch.len;
	w->durable += w->batch_frames;
	batch_drop(w);
	atomic_store_explicit(&w->mark->durable, w->durable, memory_order_release);
	cool_backlog(w);
	return 0;
}

int log_tick(struct log_writer *w, int64_t now_us, struct err *err)
{
	enum { SLACK_US = 1000000 };	/* a clock set back further than this ages a segment too, else it never would */
	struct part *p = newest(w);
	if (w->batch_frames || !p || w->durable < p->first_seq)
		return 0;
	int64_t age = now_us - p->created_us;
	return age < w->limits.segment_us && age > -SLACK_US ? 0 : log_roll(w, now_us, err);
}

int log_roll(struct log_writer *w, int64_t now_us, struct err *err)
{
	const struct part *p = newest(w);
	if (w->batch_frames || !p || w->durable < p->first_seq)
		return 0;
	uint8_t salt[16];
	memcpy(salt, w->salt, sizeof salt);
	bool salted = w->salted, announced = w->announced;
	choose_salt(w);
	if (segment_create(w, now_us, err) == 0)
		return 0;
	if (w->fd >= 0) {	/* go on with the old one */
		memcpy(w->salt, salt, sizeof salt);
		w->salted = salted;
		w->announced = announced;
	}
	return -1;
}

int log_release(struct log_writer *w, uint64_t passed, struct err *err)
{
	size_t gone = 0;
	int rc = 0;
	while (rc == 0 && gone + 1 < w->parts_len && w->parts[gone + 1].first_seq - 1 <= passed) {
		char name[LOG_NAME];
		segment_name(w->parts[gone].first_seq, name);
		if (w->io->unlink(w->io->ctx, w->dir, name) < 0 && errno != ENOENT) {
			rc = err_sys(err, "log: remove %s", name);
			break;
		}
		w->bytes -= w->parts[gone++].bytes;
		if (w->io->sync(w->io->ctx, w->dir) < 0)
			rc = err_sys(err, "log: sync the folder");
	}
	w->parts_len -= gone;
	memmove(w->parts, w->parts + gone, w->parts_len * sizeof *w->parts);
	return rc;
}

uint64_t log_bytes(const struct log_writer *w)
{
	return w->bytes;
}

int log_writer_open(const struct fio *io, int dir, const uint8_t stream[static 16], const struct log_limits *l,
		    struct log_mark *mark, log_on_segment on_segment, void *arg, struct log_writer **out,
		    struct log_recovery *found, struct err *err)
{
	struct log_writer *w = xcalloc(1, sizeof *w);
	struct log_recovery own = {0};
	int64_t began = clock_mono_us();
	w->io = io;
	w->dir = dir;
	w->fd = -1;
	memcpy(w->stream, stream, 16);
	w->limits = *l;
	w->mark = mark;
	w->on_segment = on_segment;
	w->arg = arg;
	buf_init(&w->batch, 0);
	if (recover(w, &own, err) < 0) {
		log_recovery_release(&own);
		log_writer_close(&w);
		return -1;
	}
	uint64_t newest_first = newest(w) ? newest(w)->first_seq : 0;
	atomic_store_explicit(&mark->segment, newest_first, memory_order_release);
	atomic_store_explicit(&mark->durable, w->durable, memory_order_release);
	own.took_us = clock_mono_us() - began;
	if (found)
		*found = own;
	else
		log_recovery_release(&own);
	*out = w;
	return 0;
}

void log_writer_close(struct log_writer **wp)
{
	struct log_writer *w = *wp;
	if (!w)
		return;
	writer_close_segment(w);
	buf_wipe(&w->batch);
	free(w->parts);
	free(w);
	*wp = NULL;
}
