/*
 * The durable log: one writer a stream, any number of readers; the one hand-over between gate, courier and keeper.
 * Formats: design section 7.  A file that opens src/log/log.c draws the bytes.
 *
 * Segment header, 64 B little-endian: "WEIRLOG1", stream[16], first_seq u64, salt[16], created_us u64, reserved u32,
 * crc32c u32 (over the 60 bytes before it).  Frame: len u32, type u8, 0[3], seq u64, crc u32 over
 * salt || len || type || seq || body, then body[len]; frames are packed.  The three bytes behind type hold the frame's
 * place in its batch, a hint for recovery (log.c).
 *
 * Writing: append frames to a batch, then log_commit writes them in one call, syncs once, and moves the durable
 * watermark.  A failed write or sync is final for the segment: the batch is refused (the caller answers "retry"), the
 * segment is closed at its last durable frame (truncated when possible), and the next commit opens a new one.
 *
 * Recovery (log_writer_open): every segment is read; a torn tail is legal in the last one only; a bad frame with valid
 * frames behind it is corruption: the range of sequence numbers is reported and skipped, never deleted, never a reason
 * not to start.  The tail is synced again before its frames are published, and the writer opens a new segment.
 *
 * seq starts at 1 and rises by one a frame across segments.
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fio.h"

enum { LOG_SEGMENT_HEAD = 64, LOG_FRAME_HEAD = 20, LOG_BODY_MAX = 64 << 20 };

enum log_type {	/* design section 7 */
	LOG_REQUEST = 1,	/* gate: exposure block and sealed objects */
	LOG_LINK = 2,		/* gate: identifiers of one person (link.h), before their request */
	LOG_ERASE = 3,		/* keeper */
	LOG_OUTCOME = 4,	/* courier */
	LOG_KEY = 5,		/* gate: first frame of a segment, its payload key sealed to the courier */
	LOG_EXPOSURE = 6,	/* keeper: an exposure block without payload */
	LOG_RECORD = 7,		/* keeper: data that went another way, or an attested deletion (ledger/record.c) */
};

/* In memory shared with the readers (mapped read-only there). */
struct log_mark {
	_Atomic uint64_t durable;	/* highest seq that is synced and published; 0: none */
	_Atomic uint64_t segment;	/* first_seq of the segment being written */
};

struct log_limits {
	uint64_t segment_bytes;	/* {16 MiB} */
	int64_t segment_us;	/* {60 s}: an older segment with frames is rolled */
	uint64_t reserve_bytes;	/* {64 MiB}: refuse to write below this much free space */
	uint64_t floor_seq;	/* {0} the highest number a reader is known to have passed: never given out again, even
				 * when the files that held it are lost or an old copy was put back */
};

struct log_gap {	/* damage found at recovery */
	uint64_t first_seq, last_seq;	/* inclusive */
	char file[64];
};

struct log_recovery {
	struct log_gap *gaps;
	size_t gaps_len;
	uint64_t torn_bytes;	/* void at the last segment's tail: of a batch that was never acknowledged */
	uint64_t frames, bytes;
	int64_t took_us;
};
void log_recovery_release(struct log_recovery *r);

struct log_writer;
/* Called at the start of every segment, so that the gate can put its LOG_KEY frame first: append with log_append. */
typedef void (*log_on_segment)(struct log_writer *w, const uint8_t salt[static 16], void *arg);

/*
 * dir: an open directory, its files named by the hexadecimal first_seq, "%016x.log".  mark: where to publish.
 * last (may be NULL): receives what recovery found.
 */
int log_writer_open(const struct fio *io, int dir, const uint8_t stream[static 16], const struct log_limits *l,
		    struct log_mark *mark, log_on_segment on_segment, void *arg, struct log_writer **out,
		    struct log_recovery *found, struct err *err);
void log_writer_close(struct log_writer **w);

/* The sequence number the next frame will get, and the salt of the segment it goes to (a roll happens here). */
uint64_t log_next_seq(struct log_writer *w);
const uint8_t *log_salt(const struct log_writer *w);
/* Adds a frame to the batch; body is copied.  ERR_LIMIT over LOG_BODY_MAX. */
int log_append(struct log_writer *w, enum log_type type, const void *body, size_t n, uint64_t *seq, struct err *err);
/*
 * log_append without the copy: *body is room for n bytes in the batch.  The caller fills all of it and calls
 * log_append_end, before anything else with this writer.
 */
int log_append_begin(struct log_writer *w, enum log_type type, size_t n, uint8_t **body, uint64_t *seq, struct err *err);
void log_append_end(struct log_writer *w);
/*
 * One write, one sync; then the mark moves.  On -1 (ERR_FULL, ERR_IO) nothing of the batch is published: its numbers go
 * to the next batch, in a segment with another salt.  Only a crash before that segment is made may publish the refused
 * batch after all, under the same numbers; whoever was told "retry" sends the same $insert_id again.
 */
int log_commit(struct log_writer *w, struct err *err);
/* Roll now if the current segment is older than segment_us and holds frames; cheap otherwise. */
int log_tick(struct log_writer *w, int64_t now_us, struct err *err);
/* Roll now if it holds frames, however young it is; nothing is waiting to be committed. */
int log_roll(struct log_writer *w, int64_t now_us, struct err *err);
/* Delete segments whose every frame is <= passed; the directory is synced first by whoever passed them. */
int log_release(struct log_writer *w, uint64_t passed, struct err *err);
uint64_t log_bytes(const struct log_writer *w);	/* of all segments */

/* ---- readers -------------------------------------------------------------------------------------------------- */

struct log_frame {
	uint64_t seq;
	enum log_type type;
	const uint8_t *body;	/* until the next call */
	size_t len;
	const uint8_t *salt;	/* of its segment, 16 bytes */
	uint64_t segment;	/* its first_seq */
};

struct log_reader;
/* Starts at the first frame with seq > after.  mark NULL: read to the end of what is on disk (offline). */
int log_reader_open(const struct fio *io, int dir, const struct log_mark *mark, uint64_t after, struct log_reader **out,
		    struct err *err);
void log_reader_close(struct log_reader **r);
/* 1: frame; 0: nothing durable beyond yet; -1 (ERR_CORRUPT: a gap; call again to go on behind it). */
int log_read(struct log_reader *r, struct log_frame *f, struct err *err);
/* How long it waits for bytes that can't be read before it calls them lost; 0 where nobody else writes the log. */
void log_reader_patience(struct log_reader *r, int64_t ms);

#endif
