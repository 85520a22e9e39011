/*
 * Readers.  They share nothing with the writer but the files and the mark, and find their way by two rules: a number
 * above mark->durable doesn't exist, and a segment ends where the next one begins (log.c).
 *
 * While mark->segment names the segment being read, no later one exists, so its frames up to `durable` are good.  The
 * writer moves `segment` before `durable`: who sees the number sees the segment too.  Bytes are kept only as long as
 * the mark that was valid when they were read covers them; behind it the file may have been half written.
 */
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "log/segment.h"

struct log_reader {
	const struct fio *io;
	int dir;
	const struct log_mark *mark;
	uint64_t next;		/* the number to read */
	uint64_t after;		/* what the caller had; gaps up to it are not news */
	struct segment s;
	bool open;
	uint64_t at;		/* the number at s.off; it catches up with next inside a segment */
	uint64_t stop;		/* where s ends; LOG_SEQ_MAX: not known */
	uint64_t covered;	/* s.window was read when this was durable */
	bool rollback_told;
	/* Bytes that can't be read may be there again a moment later: they are a gap only after `patience`. */
	int64_t patience_ms, unreadable_since_ms;
	uint64_t unreadable_seq;
};

enum { PATIENCE_MS = 60000 };

int log_reader_open(const struct fio *io, int dir, const struct log_mark *mark, uint64_t after, struct log_reader **out,
		    struct err *err)
{
	if (after >= LOG_SEQ_MAX)
		return err_set(err, ERR_INPUT, "log: no such position");
	struct log_reader *r = xcalloc(1, sizeof *r);
	r->io = io;
	r->dir = dir;
	r->mark = mark;
	r->after = after;
	r->next = after + 1;
	r->patience_ms = PATIENCE_MS;
	*out = r;
	return 0;
}

void log_reader_patience(struct log_reader *r, int64_t ms)
{
	r->patience_ms = ms;
}

void log_reader_close(struct log_reader **rp)
{
	struct log_reader *r = *rp;
	if (!r)
		return;
	if (r->open)
		segment_close(&r->s);
	free(r);
	*rp = NULL;
}

static uint64_t durable(const struct log_reader *r)
{
	return r->mark ? atomic_load_explicit(&r->mark->durable, memory_order_acquire) : LOG_SEQ_MAX - 1;
}

static uint64_t writing(const struct log_reader *r)
{
	return r->mark ? atomic_load_explicit(&r->mark->segment, memory_order_acquire) : LOG_SEQ_MAX;
}

/* Whether to wait for what the disk wouldn't give us instead of counting it as lost. */
static bool wait_for_disk(struct log_reader *r, const struct segment *s, uint64_t seq)
{
	if (!s->unreadable)
		return false;
	if (r->unreadable_seq != seq) {
		r->unreadable_seq = seq;
		r->unreadable_since_ms = clock_mono_ms();
	}
	return clock_mono_ms() - r->unreadable_since_ms < r->patience_ms;
}

/* Opens one of the listed segments: 1, 0 when it is no segment or gone, -1. */
static int try_open(struct log_reader *r, uint64_t first, struct segment *s, struct err *err)
{
	struct err own;
	int rc = segment_open(s, r->io, r->dir, first, &own);
	if (rc < 0 && own.code == ERR_NOTFOUND)
		return 0;
	if (rc < 0)
		*err = own;
	if (rc == 0 && wait_for_disk(r, s, first))
		return err_set(err, ERR_IO, "log: the header of segment %llu can't be read", (unsigned long long)first);
	return rc;
}

/* The first good segment behind `first`, not beyond the one being written; LOG_SEQ_MAX when there is none. */
static int find_stop(struct log_reader *r, uint64_t first, const uint64_t *v, size_t n, struct err *err)
{
	uint64_t newest = writing(r);
	r->stop = LOG_SEQ_MAX;
	for (size_t i = 0; i < n; i++) {
		if (v[i] <= first || v[i] > newest)
			continue;
		struct segment s;
		int rc = try_open(r, v[i], &s, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		segment_close(&s);
		r->stop = v[i];
		return 0;
	}
	return 0;
}

static void leave(struct log_reader *r)
{
	segment_close(&r->s);
	r->open = false;
}

static int locate_in(struct log_reader *r, const uint64_t *v, size_t n, struct err *err)
{
	uint64_t newest = writing(r);
	size_t i = n;
	while (i > 0 && (v[i - 1] > r->next || v[i - 1] > newest))
		i--;
	int rc = 0;
	size_t k = i;
	while (k > 0 && rc == 0)	/* the last one that begins at or before `next` */
		rc = try_open(r, v[--k], &r->s, err);
	for (k = i; k < n && rc == 0 && v[k] <= newest; k++)	/* or the first one behind it */
		rc = try_open(r, v[k], &r->s, err);
	if (rc <= 0)
		return rc;
	r->open = true;
	r->at = r->s.first_seq;
	r->covered = 0;
	if (find_stop(r, r->s.first_seq, v, n, err) == 0)
		return 1;
	leave(r);
	return -1;
}

/* Opens the segment for r->next, or the first one behind it.  1, 0 when there is none, -1. */
static int locate(struct log_reader *r, struct err *err)
{
	uint64_t *v = NULL;
	size_t n;
	if (segment_list(r->io, r->dir, &v, &n, err) < 0)
		return -1;
	int rc = locate_in(r, v, n, err);
	free(v);
	return rc;
}

static int gap(struct log_reader *r, uint64_t last, struct err *err)
{
	uint64_t first = r->next;
	r->next = last + 1;
	return err_set(err, ERR_CORRUPT, "log: frames %llu to %llu are damaged or missing", (unsigned long long)first,
		       (unsigned long long)last);
}

/* While another segment is being written, ours has an end; learn it once. */
static int learn_stop(struct log_reader *r, struct err *err)
{
	if (r->stop != LOG_SEQ_MAX || !r->mark || writing(r) == r->s.first_seq)
		return 0;
	uint64_t *v = NULL;
	size_t n;
	if (segment_list(r->io, r->dir, &v, &n, err) < 0)
		return -1;
	int rc = find_stop(r, r->s.first_seq, v, n, err);
	free(v);
	return rc;
}

enum turn { TURN_AGAIN = 2 };

/* One step in the open segment: 1, 0, -1 as log_read, or TURN_AGAIN. */
static int step(struct log_reader *r, uint64_t limit, struct log_frame *out, struct err *err)
{
	if (r->at == r->stop) {
		leave(r);
		return TURN_AGAIN;
	}
	if (r->at > r->covered) {
		segment_refresh(&r->s);
		r->covered = limit;
	}
	bool open_end = !r->mark && r->stop == LOG_SEQ_MAX;
	uint64_t stop = r->stop <= limit ? r->stop : open_end ? LOG_SEQ_MAX : limit + 1, gap_last;
	struct frame f;
	uint64_t off = r->s.off;
	enum segment_step found = segment_step(&r->s, r->at, stop, open_end, &f, &gap_last);
	if (found != SEGMENT_FRAME && wait_for_disk(r, &r->s, r->at)) {
		r->s.off = off;
		segment_refresh(&r->s);
		return err_set(err, ERR_IO, "log: frame %llu can't be read", (unsigned long long)r->at);
	}
	switch (found) {
	case SEGMENT_END:
		return 0;
	case SEGMENT_GAP:
		r->at = gap_last + 1;
		return gap_last < r->next ? TURN_AGAIN : gap(r, gap_last, err);
	case SEGMENT_FRAME:
		break;
	}
	r->at++;
	if (f.seq < r->next)
		return TURN_AGAIN;
	r->next = f.seq + 1;
	*out = (struct log_frame){.seq = f.seq, .type = f.type, .body = f.body, .len = f.len, .salt = r->s.salt,
				  .segment = r->s.first_seq};
	return 1;
}

int log_read(struct log_reader *r, struct log_frame *f, struct err *err)
{
	for (;;) {
		uint64_t limit = durable(r);
		if (limit && limit + 1 < r->next && !r->rollback_told) {
			r->rollback_told = true;
			return err_set(err, ERR_CORRUPT, "log: it ends at %llu, before the position %llu: an old copy?",
				       (unsigned long long)limit, (unsigned long long)r->next - 1);
		}
		if (r->next > limit)
			return 0;
		if (!r->open) {
			int rc = locate(r, err);
			if (rc < 0)
				return -1;
			if (rc == 0)
				return r->mark ? gap(r, limit, err) : 0;
			if (r->s.first_seq > r->next) {
				if (r->after)
					return gap(r, r->s.first_seq - 1, err);
				r->next = r->s.first_seq;
			}
		}
		r->after = r->next;
		if (learn_stop(r, err) < 0)
			return -1;
		int rc = step(r, limit, f, err);
		if (rc != TURN_AGAIN)
			return rc;
	}
}
