/* The writer's state, shared by log.c (appending) and recover.c (the start).  Private to src/log. */
#ifndef LOG_WRITER_H
#define LOG_WRITER_H

#include "log/log.h"

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

static inline struct part *newest(struct log_writer *w)
{
	return w->parts_len ? &w->parts[w->parts_len - 1] : NULL;
}

void part_add(struct log_writer *w, uint64_t first_seq, uint64_t bytes, int64_t created_us);
/* A new segment gets a new salt: w->salt for the numbers after w->durable. */
void choose_salt(struct log_writer *w);
int segment_create(struct log_writer *w, int64_t now_us, struct err *err);
/* Reads what is on disk, syncs its tail again, and settles which numbers are used.  Fills w->parts and w->durable. */
int recover(struct log_writer *w, struct log_recovery *found, struct err *err);

#endif
