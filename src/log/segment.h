/* Private to src/log, to the courier's queue which keeps the same format, and to ledger/verify.c, which wants the bytes: one segment file, its frames and how to find them when some are damaged. */
#ifndef LOG_SEGMENT_H
#define LOG_SEGMENT_H

#include "log/log.h"

enum {
	LOG_BATCH_MAX = 128 << 20,	/* bytes of one commit */
	LOG_BATCH_FRAMES = 1 << 24,	/* the index in the batch has three bytes */
	LOG_NAME = 24,			/* "%016x.log" and its 0 */
};
#define LOG_SEQ_MAX (UINT64_C(1) << 62)	/* a larger number in a file or a name is damage, not a number */

void segment_name(uint64_t first_seq, char out[static LOG_NAME]);

/* The first_seq of every segment in the directory, ascending; the caller frees *out. */
int segment_list(const struct fio *io, int dir, uint64_t **out, size_t *n, struct err *err);

/* The header's bytes. */
void segment_head(uint8_t out[static LOG_SEGMENT_HEAD], const uint8_t stream[static 16], uint64_t first_seq,
		  const uint8_t salt[static 16], int64_t created_us);

/*
 * A frame in two steps: room for its body (n bytes, to be filled; NULL when b is over), then its checksum.  `at` is b->len
 * before frame_begin.
 */
uint8_t *frame_begin(struct buf *b, enum log_type type, uint64_t seq, uint32_t index, size_t n);
void frame_end(struct buf *b, size_t at, const uint8_t salt[static 16]);
/* Adds a frame's bytes; index is its place in the batch, from 0. */
void frame_add(struct buf *b, const uint8_t salt[static 16], enum log_type type, uint64_t seq, uint32_t index,
	       const void *body, size_t n);

struct frame {
	uint64_t off, end;	/* in the file */
	uint64_t seq;
	uint32_t index;
	enum log_type type;
	const uint8_t *body;	/* until the segment is read again */
	size_t len;
};

/* A segment opened for reading.  One thread. */
struct segment {
	const struct fio *io;
	int fd;
	uint64_t first_seq;
	uint8_t stream[16], salt[16];
	int64_t created_us;
	uint64_t size;
	bool unreadable;	/* a read failed; its bytes look damaged, and may come back */
	uint64_t off;		/* of the next frame */
	uint64_t budget;	/* bytes that searching may still checksum, so that no input makes it crawl */
	uint8_t *window;
	size_t window_len, window_cap;
	uint64_t window_off;
};

/*
 * Opens NAME(first_seq).  1: its header is good (or only its salt is, and the first frame proves that); 0: it is not,
 * s->size and s->unreadable are set and nothing is open; -1: the file could not be opened (ERR_NOTFOUND: it is gone).
 */
int segment_open(struct segment *s, const struct fio *io, int dir, uint64_t first_seq, struct err *err);
void segment_close(struct segment *s);
/* Forgets what was read and what could not be, because both may differ now. */
void segment_refresh(struct segment *s);

enum segment_step { SEGMENT_END, SEGMENT_FRAME, SEGMENT_GAP };
/*
 * The frame with number `want`, of a segment whose numbers end before `stop`; want <= stop.
 *
 * SEGMENT_GAP: want up to *gap_last are damaged; go on with *gap_last + 1.
 * open_end: nothing says where this segment ends (the last one after a crash).  Then bad bytes with nothing behind them
 * but rests of the same batch are a torn tail: SEGMENT_END, s->off is where it begins.
 */
enum segment_step segment_step(struct segment *s, uint64_t want, uint64_t stop, bool open_end, struct frame *f,
			       uint64_t *gap_last);

#endif
