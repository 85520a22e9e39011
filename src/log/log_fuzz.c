/*
 * Any bytes as segments: recovery and readers end, what they return is inside the input, a second recovery agrees, and
 * the log can be written again.  The input is cut into up to three files; its first bytes say where and under which
 * names, and whether checksums are made right, so that the fuzzer reaches what lies behind them.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/fio_sim.h"
#include "log/block.h"
#include "log/log.h"
#include "log/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const uint8_t stream[16] = "fuzz";

/* Gives header and frames the checksums that they should have. */
static void repair(uint8_t *p, size_t n, uint64_t first)
{
	uint8_t head[29];
	if (n < LOG_SEGMENT_HEAD)
		return;
	segment_head(p, stream, first, p + 32, 0);
	memcpy(head, p + 32, 16);
	for (size_t off = LOG_SEGMENT_HEAD; n - off >= LOG_FRAME_HEAD;) {
		uint8_t *f = p + off;
		uint32_t len = get_u32(f) & 0xfff;
		if (len > n - off - LOG_FRAME_HEAD)
			return;
		put_u32(f, len);
		memcpy(head + 16, f, 5);
		memcpy(head + 21, f + 8, 8);
		if (f[19] & 1)	/* some stay wrong */
			put_u32(f + 16, crc32c(crc32c(0, head, 29), f + LOG_FRAME_HEAD, len));
		off += LOG_FRAME_HEAD + len;
	}
}

static uint64_t read_to_end(const struct fio *io, int dir, const struct log_mark *mark, uint64_t limit)
{
	struct log_reader *r;
	struct log_frame f;
	struct block b;
	struct err err;
	uint64_t frames = 0, last = 0;
	must(log_reader_open(io, dir, mark, 0, &r, &err) == 0);
	log_reader_patience(r, 0);
	for (int rc; (rc = log_read(r, &f, &err)) != 0;) {
		must(++frames <= limit);
		if (rc < 0) {
			must(err.code == ERR_CORRUPT);
			continue;
		}
		must(f.seq > last);
		last = f.seq;
		if (block_parse(f.body, f.len, &b, &err) == 0)
			for (uint32_t i = 0; i < b.head.count; i++) {
				struct block_object o;
				block_object_at(&b, i, &o);
				must(o.leaves + b.head.leaf_bytes <= f.body + f.len);
			}
	}
	log_reader_close(&r);
	return frames;
}

static uint64_t start(const struct fio *io, int dir, struct log_mark *mark, bool write)
{
	static const struct log_limits limits = {.segment_bytes = 4096, .segment_us = 1000};
	struct log_writer *w;
	struct log_recovery found;
	struct err err;
	if (log_writer_open(io, dir, stream, &limits, mark, NULL, NULL, &w, &found, &err) < 0)
		abort();
	uint64_t frames = found.frames;
	log_recovery_release(&found);
	if (write) {
		log_next_seq(w);
		must(log_append(w, LOG_LINK, "x", 1, NULL, &err) == 0);
		must(log_commit(w, &err) == 0);
	}
	log_writer_close(&w);
	return frames;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct block b;
	struct err err;
	(void)!block_parse(p, n, &b, &err);
	if (n < 8)
		return 0;
	struct fio_sim *disk = fio_sim_new(1);
	const struct fio *io = fio_sim_io(disk);
	int dir = fio_sim_root(disk);
	uint8_t how = p[0], *copy = xmalloc(n);
	uint64_t first = 1;
	size_t at = 8;
	memcpy(copy, p, n);
	for (int i = 0; i < 3 && at < n; i++) {
		size_t len = i < 2 ? (size_t)p[1 + i] * 4 : n;
		char name[LOG_NAME];
		len = len < n - at ? len : n - at;
		if (how & 1)
			repair(copy + at, len, first);
		segment_name(first, name);
		fio_sim_put(disk, name, copy + at, len);
		at += len;
		first += p[3 + i] + 1u;
	}
	struct log_mark mark = {0};
	if (how & 2)
		atomic_store(&mark.durable, p[6]);
	read_to_end(io, dir, NULL, n + 8);
	uint64_t frames = start(io, dir, &mark, false);
	read_to_end(io, dir, &mark, n + 8);
	/* A mark that points into nonsense lets the two searches begin at different numbers. */
	must(start(io, dir, &mark, true) == frames || (how & 2));
	read_to_end(io, dir, &mark, n + 9);
	free(copy);
	fio_sim_free(&disk);
	return 0;
}
