/*
 * Writer and recovery of the durable log.
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

struct part {	/* a segment on disk */
	uint64_t first_seq, bytes;
	int64_t created_us;
};

struct log_writer {
	const struct fio *io;
	int dir;
	uint8_t stream[16];
	struct log_limits limits;
	struct log_mark *mark;
	log_on_segment on_segment;
	void *arg;

	struct part *parts;	/* ascending; the last one is the newest */
	size_t parts_len, parts_cap;
	uint64_t bytes;		/* of all parts */

	/* The newest part when it is ours to write; fd -1: the next batch opens another one, with this salt. */
	int fd;
	uint64_t size;
	uint8_t salt[16];
	bool salted;		/* salt is chosen for the segment that the next batch goes to */
	bool announced;		/* on_segment was called for it */

	uint64_t cooling;	/* the segment that memory is letting go of, up to `cooled` */
	uint64_t cooled;

	uint64_t durable;	/* the last number published */
	struct buf batch;
	size_t frame_at;	/* in batch: the frame that log_append_begin began */
	uint32_t batch_frames;
};

static struct part *newest(struct log_writer *w)
{
	return w->parts_len ? &w->parts[w->parts_len - 1] : NULL;
}

static void part_add(struct log_writer *w, uint64_t first_seq, uint64_t bytes, int64_t created_us)
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

static void choose_salt(struct log_writer *w)
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
static int segment_create(struct log_writer *w, int64_t now_us, struct err *err)
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

/* ---- recovery ------------------------------------------------------------------------------------------------- */

void log_recovery_release(struct log_recovery *r)
{
	free(r->gaps);
	*r = (struct log_recovery){0};
}

/* What a reader has passed already may be gone: a removal that a failing disk forgot leaves such holes. */
static void gap_add(const struct log_writer *w, struct log_recovery *r, uint64_t first, uint64_t last, uint64_t segment)
{
	if (last <= w->limits.floor_seq)
		return;
	struct log_gap *g = r->gaps_len ? &r->gaps[r->gaps_len - 1] : NULL;
	if (g && g->last_seq + 1 == first) {
		g->last_seq = last;
		return;
	}
	r->gaps = xrealloc(r->gaps, (r->gaps_len + 1) * sizeof *r->gaps);
	g = &r->gaps[r->gaps_len++];
	*g = (struct log_gap){.first_seq = first, .last_seq = last};
	segment_name(segment, g->file);
}

struct scan {
	struct log_writer *w;
	struct log_recovery *found;
	uint64_t known;		/* the mark or a reader says that numbers up to here were durable */
	uint64_t last;		/* the highest number accounted for: a frame, or the end of a gap */
	uint64_t last_frame;	/* the highest that the files themselves show */
	uint64_t tail_off, tail_end;	/* the last batch of the newest segment */
	bool tail_unreadable;
};

static void scan_until(struct scan *sc, struct segment *s, uint64_t stop, bool open_end)
{
	struct frame f;
	uint64_t gap_last;
	for (;;) {
		enum segment_step step = segment_step(s, sc->last + 1, stop, open_end, &f, &gap_last);
		if (step == SEGMENT_END)
			return;
		if (step == SEGMENT_GAP) {
			gap_add(sc->w, sc->found, sc->last + 1, gap_last, s->first_seq);
			sc->last = gap_last;
			continue;
		}
		if (f.index == 0)
			sc->tail_off = f.off;
		sc->tail_end = f.end;
		sc->found->frames++;
		sc->last = sc->last_frame = f.seq;
	}
}

/* Reads the frames of one segment; stop is the next one's first number, or LOG_SEQ_MAX for the newest. */
static void scan_segment(struct scan *sc, struct segment *s, uint64_t stop)
{
	sc->last = sc->last_frame = s->first_seq - 1;
	if (stop != LOG_SEQ_MAX) {
		scan_until(sc, s, stop, false);
	} else {
		if (sc->known > sc->last)
			scan_until(sc, s, sc->known + 1, false);
		scan_until(sc, s, stop, true);
		if (s->size > s->off)
			sc->found->torn_bytes = s->size - s->off;
	}
	sc->found->bytes += s->size;
	sc->tail_unreadable = s->unreadable;
}

/*
 * The kernel may have failed to write these pages for the process before us, and hold them as clean: then a sync alone
 * succeeds without doing anything.  Writing the same bytes again makes them dirty, so that the sync means what it says.
 */
static int tail_sync(struct scan *sc, uint64_t first_seq, struct err *err)
{
	struct log_writer *w = sc->w;
	char name[LOG_NAME];
	segment_name(first_seq, name);
	int fd = w->io->open(w->io->ctx, w->dir, name, O_RDWR, 0);
	if (fd < 0)
		return err_sys(err, "log: open %s", name);
	uint64_t from = sc->tail_off ? sc->tail_off : 0;
	size_t n = sc->tail_end > from ? (size_t)(sc->tail_end - from) : LOG_SEGMENT_HEAD;
	uint8_t *bytes = xmalloc(n);
	ssize_t got = fio_read_all(w->io, fd, bytes, n, from);
	if (got > 0)	/* a full disk may refuse this; the sync below decides */
		(void)!fio_write_all(w->io, fd, bytes, (size_t)got, from);
	free(bytes);
	int rc = w->io->sync(w->io->ctx, fd) < 0 ? err_sys(err, "log: sync %s", name) : 0;
	w->io->close(w->io->ctx, fd);
	return rc;
}

/* A file that is called a segment and isn't one: nothing in it can be read.  The bytes stay, under another name. */
static void set_aside(struct log_writer *w, uint64_t first_seq, uint64_t size)
{
	char name[LOG_NAME], aside[LOG_NAME + 8];
	segment_name(first_seq, name);
	snprintf(aside, sizeof aside, "%s.bad", name);
	if (size <= LOG_SEGMENT_HEAD)	/* its header was never finished: no frame was ever written behind it */
		w->io->unlink(w->io->ctx, w->dir, name);
	else
		w->io->rename(w->io->ctx, w->dir, name, aside);
}

/* The highest number that an unreadable file may have used: none of those may be given out again. */
static uint64_t highest_possible(uint64_t first_seq, uint64_t size)
{
	return first_seq + (size > LOG_SEGMENT_HEAD ? (size - LOG_SEGMENT_HEAD) / LOG_FRAME_HEAD : 0);
}

struct listing {	/* every file with a segment's name */
	struct entry {
		uint64_t first_seq, size;
		int64_t created_us;
		bool good, unreadable;
	} *v;
	size_t n;
};

static int listing_read(struct log_writer *w, struct listing *l, struct err *err)
{
	uint64_t *firsts = NULL;
	if (segment_list(w->io, w->dir, &firsts, &l->n, err) < 0)
		return -1;
	l->v = xcalloc(l->n + 1, sizeof *l->v);
	int rc = 0;
	for (size_t i = 0; i < l->n && rc >= 0; i++) {
		struct segment s;
		rc = segment_open(&s, w->io, w->dir, firsts[i], err);
		static const uint8_t unknown[16];
		l->v[i] = (struct entry){firsts[i], s.size, s.created_us, rc == 1, s.unreadable};
		if (rc != 1)
			continue;
		if (memcmp(s.stream, w->stream, 16) != 0 && memcmp(s.stream, unknown, 16) != 0)
			l->v[i].good = false;	/* a file of another log */
		segment_close(&s);
	}
	free(firsts);
	return rc < 0 ? -1 : 0;
}

static int scan_all(struct scan *sc, const struct listing *l, struct err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct entry *e = &l->v[i];
		if (!e->good)
			continue;
		uint64_t stop = LOG_SEQ_MAX;
		for (size_t k = i + 1; k < l->n && stop == LOG_SEQ_MAX; k++)
			if (l->v[k].good)
				stop = l->v[k].first_seq;
		struct segment s;
		int rc = segment_open(&s, sc->w->io, sc->w->dir, e->first_seq, err);
		if (rc < 0)
			return -1;
		if (i && !newest(sc->w) && l->v[0].size > LOG_SEGMENT_HEAD)	/* the oldest files are damaged */
			gap_add(sc->w, sc->found, l->v[0].first_seq, e->first_seq - 1, l->v[0].first_seq);
		sc->tail_off = sc->tail_end = 0;
		if (rc == 1)
			scan_segment(sc, &s, stop);
		segment_close(&s);
		part_add(sc->w, e->first_seq, s.size, e->created_us);
	}
	return 0;
}

/* Numbers that may have been given out before, though no frame says so: they are lost, and not used again. */
static uint64_t numbers_used(const struct scan *sc, const struct listing *l)
{
	enum { FAR = 1 << 28 };	/* further ahead, a name is a stray file and not our numbering */
	uint64_t used = sc->last > sc->known ? sc->last : sc->known;
	const struct part *p = newest(sc->w);
	for (size_t i = 0; i < l->n; i++) {
		const struct entry *e = &l->v[i];
		bool near = sc->last == 0 || (e->first_seq > sc->last && e->first_seq - sc->last < FAR);
		uint64_t top = highest_possible(e->first_seq, e->size);
		if (!e->good && near && e->size > LOG_SEGMENT_HEAD && top > used)
			used = top;
	}
	if (p && sc->tail_unreadable && highest_possible(p->first_seq, p->bytes) > used)
		used = highest_possible(p->first_seq, p->bytes);
	return used;
}

static int recover(struct log_writer *w, struct log_recovery *found, struct err *err)
{
	struct scan sc = {.w = w, .found = found, .known = atomic_load_explicit(&w->mark->durable, memory_order_acquire)};
	if (w->limits.floor_seq > sc.known)
		sc.known = w->limits.floor_seq;
	if (sc.known >= LOG_SEQ_MAX)
		return err_set(err, ERR_BUG, "log: no such number was ever given out");
	struct listing l = {0};
	int rc = listing_read(w, &l, err);
	if (rc == 0)
		rc = scan_all(&sc, &l, err);
	if (rc == 0 && newest(w))
		rc = tail_sync(&sc, newest(w)->first_seq, err);
	if (rc == 0 && w->io->sync(w->io->ctx, w->dir) < 0)
		rc = err_sys(err, "log: sync the folder");
	if (rc == 0) {
		w->durable = numbers_used(&sc, &l);
		if (w->durable > sc.last)
			gap_add(w, found, sc.last + 1, w->durable, newest(w) ? newest(w)->first_seq : sc.last + 1);
		if (w->durable > sc.last_frame) {	/* a segment says on disk that the numbers before it are gone */
			choose_salt(w);
			rc = segment_create(w, clock_now_us(), err);
		}
	}
	for (size_t i = 0; rc == 0 && i < l.n; i++)
		if (!l.v[i].good && !l.v[i].unreadable && !(newest(w) && newest(w)->first_seq == l.v[i].first_seq))
			set_aside(w, l.v[i].first_seq, l.v[i].size);
	free(l.v);
	return rc;
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
