/*
 * The frames of a log's folder, each with its checksum: what is damaged or missing between two, and, as far as somebody knows that
 * they were there once, at the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ledger/inside.h"
#include "ledger/verify.h"

enum { FILE_NAME = LOG_NAME + 40 };

static void damage(const struct verify_log *l, const char *file, uint64_t from, uint64_t to, const char *why)
{
	l->each(l->arg, &(struct ledger_damage){file, from, to, why});
}

/* A damaged header whose salt the first frame proves does no harm to the frames; it is named all the same. */
static void verify_head(const struct verify_log *l, const struct segment *s, const char *file)
{
	uint8_t head[LOG_SEGMENT_HEAD];
	if (fio_read_all(s->io, s->fd, head, sizeof head, 0) == sizeof head && get_u32(head + 60) != crc32c(0, head, 60))
		damage(l, file, 0, LOG_SEGMENT_HEAD, "its header's checksum doesn't fit");
}

static void verify_frames(const struct verify_log *l, struct segment *s, const char *file, bool last, uint64_t stop, uint64_t *torn)
{
	uint64_t next = s->first_seq, good_end = LOG_SEGMENT_HEAD, gap;
	bool lost = false;
	uint32_t index = 0;
	struct frame f;
	for (;;) {
		enum segment_step found = segment_step(s, next, last ? LOG_SEQ_MAX : stop, last, &f, &gap);
		if (found == SEGMENT_END)
			break;
		if (found == SEGMENT_GAP) {
			lost = true;
			next = gap + 1;
			if (!last && next >= stop)
				break;
			continue;
		}
		/* The checksum doesn't cover a frame's place in its batch, which matters to nothing but a torn tail. */
		if (!lost && f.index != 0 && next > s->first_seq && f.index != index + 1)
			damage(l, file, f.off + 5, f.off + 8, "not a frame's place in its batch");
		index = f.index;
		if (lost)
			damage(l, file, good_end, f.off, "frames are damaged or missing");
		lost = false;
		good_end = f.end;
		next = f.seq + 1;
		if (l->frame)
			l->frame(l->arg, &f);
	}
	/* At the very end of the log a batch may be torn that nobody was told of; but not one that is in the transparency log. */
	if (lost || (last && next <= l->must))
		damage(l, file, good_end, s->size > good_end ? s->size : UINT64_MAX, "frames are damaged or missing");
	else if (last)
		*torn = s->size - good_end;
}

static int verify_segment(const struct verify_log *l, const uint64_t *first, size_t left, uint64_t *torn, struct err *err)
{
	struct segment s;
	char name[LOG_NAME], file[FILE_NAME];
	segment_name(*first, name);
	snprintf(file, sizeof file, "%.30s/%s", l->name, name);
	int opened = segment_open(&s, l->io, l->dir, *first, err);
	if (opened < 0)
		return err->code == ERR_NOTFOUND ? 0 : -1;	/* released meanwhile */
	if (opened == 0) {
		damage(l, file, 0, UINT64_MAX, "its header is damaged, and no frame can be read");
		return 0;
	}
	verify_head(l, &s, file);
	verify_frames(l, &s, file, left == 1, left == 1 ? LOG_SEQ_MAX : first[1], torn);
	segment_close(&s);
	return 0;
}

int verify_log(const struct verify_log *l, uint64_t *torn, struct err *err)
{
	uint64_t *first = NULL;
	size_t n = 0;
	*torn = 0;
	int r = segment_list(l->io, l->dir, &first, &n, err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = verify_segment(l, &first[i], n - i, torn, err);
	free(first);
	return r;
}

struct passing {
	void (*each)(void *arg, const struct ledger_damage *d);
	void *arg;
	size_t damages;
};

static void pass(void *arg, const struct ledger_damage *d)
{
	struct passing *p = arg;
	p->damages++;
	p->each(p->arg, d);
}

int ledger_verify_log(const struct fio *io, int dir, const char *name, uint64_t must, void (*each)(void *arg, const struct ledger_damage *d),
		      void *arg, size_t *damages, struct err *err)
{
	struct passing p = {.each = each, .arg = arg};
	uint64_t torn;
	int r = verify_log(&(struct verify_log){.io = io, .dir = dir, .name = name, .must = must, .each = pass, .arg = &p}, &torn, err);
	*damages += p.damages;
	return r;
}
