/*
 * What a writer does before its first frame: every segment is read, holes are told, the tail is synced again before it is
 * published, and numbers that may have been given out are never used again.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "log/segment.h"
#include "log/writer.h"

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

int recover(struct log_writer *w, struct log_recovery *found, struct err *err)
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
