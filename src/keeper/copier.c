/*
 * Exposure blocks: gate's log -> state/ledger/open/.
 *
 * Body of a copied frame, little-endian: u64 seq of the source frame, then the source's clear part (LOG_EXPOSURE, see
 * log/block.h) or the whole body (LOG_LINK).  LOG_RECORD frames (ledger/record.c) start with a 0 there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/say.h"
#include "keeper/keeper.h"
#include "log/block.h"

enum { BATCH_BYTES = 8 << 20, COPIER_RESERVE = 1 << 20 };

static const uint8_t stream[16] = {"weir-keeper-open"};

struct copier {
	const struct fio *io;
	int log_dir, open_dir;
	const struct log_mark *mark;
	struct log_mark own;		/* of open/, which the ledger reads */
	struct keeper_mark *passed;
	struct log_writer *w;
	struct log_reader *r;
	struct buf body;
	struct copier_stats stats;
};

/* ---- position: derived from what was copied --------------------------------------------------------------------- */

struct segments {
	uint64_t *v;
	size_t n;
};

static bool note_segment(void *arg, const char *name)
{
	struct segments *s = arg;
	char *end;
	uint64_t first = strtoull(name, &end, 16);
	if (end == name + 16 && strcmp(end, ".log") == 0) {
		s->v = xrealloc(s->v, (s->n + 1) * sizeof *s->v);
		s->v[s->n++] = first;
	}
	return true;
}

static int newest_first(const void *a, const void *b)
{
	uint64_t x, y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? 1 : x > y ? -1 : 0;
}

/* Highest source seq in the frames from `first` on; damaged stretches are passed over: what they held is copied again. */
static int highest(struct copier *c, uint64_t first, uint64_t *out, struct err *err)
{
	struct log_reader *r;
	struct log_frame f;
	if (log_reader_open(c->io, c->open_dir, &c->own, first - 1, &r, err) < 0)
		return -1;
	int got;
	while ((got = log_read(r, &f, err)) == 1 || (got < 0 && err->code == ERR_CORRUPT))
		if (got == 1 && f.len >= 8 && get_u64(f.body) > *out)
			*out = get_u64(f.body);
	log_reader_close(&r);
	return got;
}

/* Source sequence numbers rise through the files, so the newest file with a frame holds the answer. */
static int position(struct copier *c, uint64_t *out, struct err *err)
{
	struct segments s = {0};
	*out = 0;
	if (c->io->list(c->io->ctx, c->open_dir, note_segment, &s) < 0) {
		free(s.v);
		return err_sys(err, "state/ledger/open");
	}
	if (s.n)
		qsort(s.v, s.n, sizeof *s.v, newest_first);
	int r = 0;
	for (size_t i = 0; i < s.n && r == 0 && *out == 0; i++)
		r = highest(c, s.v[i], out, err);
	free(s.v);
	return r;
}

/* ---- copying ---------------------------------------------------------------------------------------------------- */

static int read_from_passed(struct copier *c, struct err *err)
{
	log_reader_close(&c->r);
	return log_reader_open(c->io, c->log_dir, c->mark, c->stats.passed, &c->r, err);
}

int copier_open(const struct fio *io, int log_dir, const struct log_mark *mark, int open_dir, struct keeper_mark *passed,
		struct copier **out, struct err *err)
{
	struct copier *c = xcalloc(1, sizeof *c);
	/* The gate refuses far above this, so what it accepted can always be copied and its segments go. */
	const struct log_limits limits = {.reserve_bytes = COPIER_RESERVE};
	struct log_recovery found = {0};
	*c = (struct copier){.io = io, .log_dir = log_dir, .open_dir = open_dir, .mark = mark, .passed = passed};
	buf_init(&c->body, LOG_BODY_MAX);
	int r = log_writer_open(io, open_dir, stream, &limits, &c->own, NULL, NULL, &c->w, &found, err);
	if (r == 0)
		r = position(c, &c->stats.passed, err);
	if (r == 0)
		r = read_from_passed(c, err);
	if (r == 0) {
		atomic_store(&passed->passed, c->stats.passed);
		atomic_store(&passed->known, 1);
	} else {
		copier_close(&c);
	}
	log_recovery_release(&found);
	*out = c;
	return r;
}

void copier_close(struct copier **c)
{
	if (!*c)
		return;
	log_reader_close(&(*c)->r);
	log_writer_close(&(*c)->w);
	buf_release(&(*c)->body);
	free(*c);
	*c = NULL;
}

static int append(struct copier *c, enum log_type type, uint64_t source, const uint8_t *p, size_t n, struct err *err)
{
	uint8_t seq[8];
	put_u64(seq, source);
	buf_reset(&c->body);
	buf_add(&c->body, seq, sizeof seq);
	buf_add(&c->body, p, n);
	if (c->body.over)
		return err_set(err, ERR_LIMIT, "an exposure block of %zu bytes", n);
	return log_append(c->w, type, c->body.data, c->body.len, NULL, err);
}

struct batch {
	uint64_t last;		/* source seq read so far */
	size_t bytes;
	struct copier_stats adds;
};

static int copy_frame(struct copier *c, const struct log_frame *f, struct batch *b, struct err *err)
{
	struct block block;
	struct err damage;
	if (f->type == LOG_LINK) {
		b->adds.links++;
		b->bytes += f->len;
		return append(c, LOG_LINK, f->seq, f->body, f->len, err);
	}
	if (f->type != LOG_REQUEST)
		return 0;
	if (block_parse(f->body, f->len, &block, &damage) < 0) {	/* the courier can't send it either */
		say(SAY_ERROR, "exposures-damaged", "after", I(f->seq - 1), "why", S(damage.msg), NULL);
		b->adds.gaps++;
		return 0;
	}
	b->adds.exposures++;
	b->bytes += block.clear_len;
	return append(c, LOG_EXPOSURE, f->seq, block.clear, block.clear_len, err);
}

static int finish(struct copier *c, const struct batch *b, struct err *err)
{
	if (b->bytes) {
		if (log_commit(c->w, err) < 0)
			return -1;
		c->stats.commits++;
	}
	c->stats.exposures += b->adds.exposures;
	c->stats.links += b->adds.links;
	c->stats.gaps += b->adds.gaps;
	if (b->last > c->stats.passed) {
		c->stats.passed = b->last;
		atomic_store(&c->passed->passed, b->last);
	}
	return 0;
}

int64_t copier_step(struct copier *c, size_t limit, struct err *err)
{
	struct batch b = {0};
	int64_t n = 0;
	int got = 0;
	while ((size_t)n < limit && b.bytes < BATCH_BYTES) {
		struct log_frame f;
		got = log_read(c->r, &f, err);
		if (got < 0 && err->code == ERR_CORRUPT) {	/* the courier can't read it either; but somebody must know */
			say(SAY_ERROR, "exposures-damaged", "after", I(b.last ? b.last : c->stats.passed), "why", S(err->msg), NULL);
			b.adds.gaps++;
			continue;
		}
		if (got != 1)
			break;
		got = copy_frame(c, &f, &b, err);
		if (got < 0)
			break;
		b.last = f.seq;
		n++;
	}
	if (got >= 0 && finish(c, &b, err) == 0)
		return n;
	/* Nothing of it counts: the same frames are read again. */
	struct err second;
	if (read_from_passed(c, &second) < 0)
		*err = second;
	return -1;
}

int copier_record(struct copier *c, const void *body, size_t n, struct err *err)
{
	if (log_append(c->w, LOG_RECORD, body, n, NULL, err) < 0)
		return -1;
	return log_commit(c->w, err);
}

int copier_erase(struct copier *c, const void *body, size_t n, struct err *err)
{
	if (log_roll(c->w, clock_now() * 1000000, err) < 0 || log_append(c->w, LOG_ERASE, body, n, NULL, err) < 0)
		return -1;
	return log_commit(c->w, err);
}

const struct log_mark *copier_mark(const struct copier *c)
{
	return &c->own;
}

int copier_release(struct copier *c, uint64_t passed, struct err *err)
{
	return log_release(c->w, passed, err);
}

struct copier_stats copier_stats(const struct copier *c)
{
	return c->stats;
}
