/*
 * L0: the log on a simulated disk that crashes at any call, loses, reorders and tears what was not synced, and fails
 * calls.  After every crash: what was published is there, what is there was submitted, in order, without a hole, and a
 * second recovery finds the same.  Controls break the disk or the program on purpose and must be caught.
 *
 * WEIR_CRASH_SEEDS sets the number of seeds {3000}; a failure prints its seed, WEIR_CRASH_SEED runs that one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/fio_sim.h"
#include "log/log.h"

#ifndef CRASH_CHECKSUM_OFF
#define CRASH_CHECKSUM_OFF 0
#endif

enum { SEQS = 4096, LIVES = 4, BODY = 3000, SEGMENT = 6000 };

static const uint8_t stream[16] = "crash";

struct broken {	/* what a control gets wrong */
	bool file_sync, dir_sync, early_ack, early_release;
};

struct world {
	struct fio_sim *disk;
	const struct fio *io;
	int dir;
	struct broken broken;
	struct log_mark mark;
	struct log_writer *w;
	struct log_reader *r;
	/* Every frame ever submitted has a tag: its first eight bytes, from which its length and filling follow. */
	uint64_t tag_seq[SEQS * 2];
	uint64_t tags;
	uint64_t published[SEQS];	/* by number: the tag that was acknowledged, or recovered once */
	uint64_t position;		/* the consumer's, synced */
	uint64_t states, frames;
	char violation[320];
};

#define VIOLATION(w, ...) ((w)->violation[0] ? (void)0 : (void)snprintf((w)->violation, sizeof (w)->violation, __VA_ARGS__))

static size_t fill(uint8_t *body, uint64_t tag)
{
	size_t n = 8 + (size_t)(tag * 2654435761u % (BODY - 8));
	n = tag % 3 ? n % 200 + 8 : n;
	put_u64(body, tag);
	for (size_t i = 8; i < n; i++)
		body[i] = (uint8_t)(tag * 31 + i);
	return n;
}

static uint64_t at_most(struct world *w, uint64_t n)
{
	return fio_sim_random(w->disk) % (n + 1);
}

/* ---- checking ------------------------------------------------------------------------------------------------- */

static void check_frame(struct world *w, const struct log_frame *f)
{
	uint8_t want[BODY];
	uint64_t tag = f->len >= 8 ? get_u64(f->body) : 0;
	if (f->type == LOG_KEY)
		return;
	if (tag == 0 || tag >= w->tags || w->tag_seq[tag] != f->seq || fill(want, tag) != f->len ||
	    memcmp(want, f->body, f->len) != 0)
		VIOLATION(w, "frame %d was never submitted", (int)f->seq);
	else if (w->published[f->seq] && w->published[f->seq] != tag)
		VIOLATION(w, "frame %d is another one than before", (int)f->seq);
	else
		w->published[f->seq] = tag;
}

/* Everything behind the position, in order.  Returns a digest of it. */
static uint32_t check_all(struct world *w)
{
	struct err err;
	struct log_reader *r;
	struct log_frame f;
	uint32_t digest = 0;
	uint64_t next = w->position + 1;
	int rc;
	assert_int_equal(log_reader_open(w->io, w->dir, &w->mark, w->position, &r, &err), 0);
	for (int tries = 0; (rc = log_read(r, &f, &err)) == 1 || (rc < 0 && err.code != ERR_CORRUPT && tries < 100);) {
		if (rc < 0) {	/* a call that failed; the reader is where it was */
			tries++;
			continue;
		}
		if (f.seq != next)
			VIOLATION(w, "frame %d follows %d", (int)f.seq, (int)next - 1);
		next = f.seq + 1;
		check_frame(w, &f);
		digest = crc32c(digest, f.body, f.len);
		w->frames++;
	}
	log_reader_close(&r);
	if (rc < 0 && !fio_sim_dead(w->disk))
		VIOLATION(w, "reading back: %s", err.msg);
	for (uint64_t seq = next; seq < SEQS && rc == 0; seq++)
		if (w->published[seq])
			VIOLATION(w, "frame %d was published and is gone", (int)seq);
	return digest;
}

/* ---- the consumer --------------------------------------------------------------------------------------------- */

static int save_position(struct world *w, uint64_t seq)
{
	uint8_t bytes[8];
	put_u64(bytes, seq);
	int fd = w->io->open(w->io->ctx, w->dir, "pos.new", O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return -1;
	int rc = fio_write_all(w->io, fd, bytes, 8, 0) < 0 || w->io->sync(w->io->ctx, fd) < 0 ? -1 : 0;
	w->io->close(w->io->ctx, fd);
	if (rc < 0 || w->io->rename(w->io->ctx, w->dir, "pos.new", "pos") < 0)
		return -1;
	return w->io->sync(w->io->ctx, w->dir);
}

static uint64_t load_position(struct world *w)
{
	size_t n;
	const uint8_t *p = fio_sim_file(w->disk, "pos", &n);
	return p && n >= 8 ? get_u64(p) : 0;
}

static void consume(struct world *w)
{
	struct err err;
	struct log_frame f;
	uint64_t seen = w->position;
	int rc;
	while ((rc = log_read(w->r, &f, &err)) == 1) {
		check_frame(w, &f);
		seen = f.seq;
	}
	if (rc < 0 && err.code == ERR_CORRUPT && !fio_sim_dead(w->disk))
		VIOLATION(w, "live reader: %s", err.msg);
	if (at_most(w, 2) || seen == w->position)
		return;
	/* The control forgets that the position must be on disk before anything is removed. */
	if (w->broken.early_release)
		(void)!log_release(w->w, seen, &err);
	if (save_position(w, seen) < 0)
		return;
	w->position = seen;
	(void)!log_release(w->w, seen, &err);
}

/* ---- one life ------------------------------------------------------------------------------------------------- */

static void key_frame(struct log_writer *lw, const uint8_t salt[static 16], void *arg)
{
	(void)arg;
	struct err err;
	(void)!log_append(lw, LOG_KEY, salt, 16, NULL, &err);
}

static bool open_writer(struct world *w)
{
	static const struct log_limits base = {.segment_bytes = SEGMENT, .segment_us = 1000};
	struct log_limits limits = base;
	struct log_recovery found;
	struct err err;
	limits.floor_seq = w->position;
	if (log_writer_open(w->io, w->dir, stream, &limits, &w->mark, key_frame, w, &w->w, &found, &err) < 0)
		return false;
	if (found.gaps_len)
		VIOLATION(w, "recovery reports a gap, %d to %d", (int)found.gaps[0].first_seq, (int)found.gaps[0].last_seq);
	log_recovery_release(&found);
	assert_int_equal(log_reader_open(w->io, w->dir, &w->mark, w->position, &w->r, &err), 0);
	return true;
}

static void batch(struct world *w)
{
	struct err err;
	uint8_t body[BODY];
	uint64_t first = w->tags, n = 1 + at_most(w, 4);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t tag = w->tags++;
		w->tag_seq[tag] = log_next_seq(w->w);
		assert_int_equal(log_append(w->w, LOG_REQUEST, body, fill(body, tag), NULL, &err), 0);
		if (w->broken.early_ack)
			w->published[w->tag_seq[tag]] = tag;
	}
	if (log_commit(w->w, &err) < 0)
		return;
	for (uint64_t tag = first; tag < w->tags; tag++)
		w->published[w->tag_seq[tag]] = tag;
}

static void live(struct world *w)
{
	struct err err;
	for (int i = 0; i < 60 && !fio_sim_dead(w->disk) && w->tags + 10 < SEQS; i++) {
		batch(w);
		if (at_most(w, 1))
			consume(w);
		if (at_most(w, 9) == 0)
			(void)!log_tick(w->w, INT64_MAX / 2, &err);
	}
}

static void choose_faults(struct world *w)
{
	struct fio_sim_faults *f = fio_sim_faults(w->disk);
	static const int errnos[] = {EIO, ENOSPC};
	f->crash_at = 1 + at_most(w, at_most(w, 3) ? 200 : 20);
	if (at_most(w, 2))
		return;
	f->fail_at = 1 + at_most(w, 100);
	f->fail_times = at_most(w, 3) ? 1 : 1 + at_most(w, 20);
	f->fail_errno = errnos[at_most(w, 1)];
	f->fail_short = at_most(w, 1);
}

static void die(struct world *w)
{
	log_reader_close(&w->r);
	log_writer_close(&w->w);
	w->states++;
	if (at_most(w, 3)) {
		fio_sim_power_cut(w->disk);
		memset(&w->mark, 0, sizeof w->mark);
		uint64_t position = load_position(w);
		if (position < w->position)
			VIOLATION(w, "the position went back: a fault of the simulated disk");
		w->position = position;
	} else {	/* a position that is seen but was not synced doesn't count */
		fio_sim_kill(w->disk);
		if (at_most(w, 1))
			memset(&w->mark, 0, sizeof w->mark);
	}
}

/* What recovery publishes stays published, whatever happens next: cut the power right behind it, and look again. */
static void recover_twice(struct world *w)
{
	if (!open_writer(w))
		return;
	uint32_t first = check_all(w);
	uint64_t position = w->position;
	die(w);
	if (!open_writer(w))
		return;
	if (check_all(w) != first && w->position == position)
		VIOLATION(w, "the second recovery differs");
	die(w);
}

static void run(struct world *w, uint64_t seed, struct broken broken)
{
	memset(w, 0, sizeof *w);
	w->tags = 1;
	w->broken = broken;
	w->disk = fio_sim_new(seed);
	w->io = fio_sim_io(w->disk);
	w->dir = fio_sim_root(w->disk);
	fio_sim_faults(w->disk)->lose_file_sync = broken.file_sync;
	fio_sim_faults(w->disk)->lose_dir_sync = broken.dir_sync;
	for (int i = 0; i < LIVES && !w->violation[0]; i++) {
		choose_faults(w);
		if (open_writer(w)) {
			check_all(w);
			live(w);
		}
		die(w);
		recover_twice(w);
	}
	fio_sim_free(&w->disk);
}

static uint64_t env_number(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name);
	return v ? strtoull(v, NULL, 10) : otherwise;
}

/* Returns how many seeds were caught. */
static uint64_t sweep(struct broken broken, uint64_t seeds, bool complain)
{
	static struct world w;
	uint64_t one = env_number("WEIR_CRASH_SEED", 0), caught = 0, states = 0, frames = 0;
	for (uint64_t seed = one ? one : 1; seed <= (one ? one : seeds); seed++) {
		run(&w, seed, broken);
		states += w.states;
		frames += w.frames;
		caught += w.violation[0] != 0;
		if (w.violation[0] && complain)
			print_error("seed %llu: %s\n", (unsigned long long)seed, w.violation);
	}
	print_message("%llu crash states, %llu frames read back, %llu of %llu seeds caught\n", (unsigned long long)states,
		      (unsigned long long)frames, (unsigned long long)caught, (unsigned long long)seeds);
	return caught;
}

static void nothing_is_lost(void **state)
{
	(void)state;
	uint64_t caught = sweep((struct broken){0}, env_number("WEIR_CRASH_SEEDS", 3000), !CRASH_CHECKSUM_OFF);
	if (CRASH_CHECKSUM_OFF)
		assert_true(caught > 0);
	else
		assert_int_equal(caught, 0);
}

#if !CRASH_CHECKSUM_OFF
static void controls(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		struct broken broken;
	} rows[] = {
		{"no fdatasync", {.file_sync = true}}, {"no sync of the folder", {.dir_sync = true}},
		{"acknowledged before it is written", {.early_ack = true}},
		{"removed before the position is saved", {.early_release = true}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		print_message("%s: ", rows[i].what);
		assert_true(sweep(rows[i].broken, 200, false) > 0);
	}
}

/* ---- the n-th failing call ------------------------------------------------------------------------------------ */

/* Without a crash: every call in turn fails, once or for good; what was acknowledged is there, live and after a start. */
static bool one_failure(struct world *w, uint64_t n, int sys, bool cut, uint64_t times)
{
	memset(w, 0, sizeof *w);
	w->tags = 1;
	w->disk = fio_sim_new(n);
	w->io = fio_sim_io(w->disk);
	w->dir = fio_sim_root(w->disk);
	struct fio_sim_faults *f = fio_sim_faults(w->disk);
	*f = (struct fio_sim_faults){.fail_at = n, .fail_times = times, .fail_errno = sys, .fail_short = cut};
	bool opened = open_writer(w);
	for (int i = 0; opened && i < 12; i++) {
		batch(w);
		consume(w);
	}
	bool reached = fio_sim_calls(w->disk) >= n;
	f->fail_at = 0;
	if (opened) {
		uint64_t before = atomic_load(&w->mark.durable);
		batch(w);	/* the disk is well again, and so is the log */
		assert_true(atomic_load(&w->mark.durable) > before);
		check_all(w);
	}
	die(w);
	assert_true(open_writer(w));
	check_all(w);
	die(w);
	fio_sim_free(&w->disk);
	if (w->violation[0])
		fail_msg("call %llu, errno %d, short %d, times %llu: %s", (unsigned long long)n, sys, cut,
			 (unsigned long long)times, w->violation);
	return reached;
}

static void nth_failure(void **state)
{
	(void)state;
	static struct world w;
	static const int errnos[] = {EIO, ENOSPC, EDQUOT, EINTR};
	uint64_t runs = 0;
	for (size_t e = 0; e < 4; e++)
		for (int cut = 0; cut < 2; cut++)
			for (uint64_t times = 1; times < 4; times++)
				for (uint64_t n = 1; one_failure(&w, n, errnos[e], cut, times); n++)
					runs++;
	print_message("%llu runs\n", (unsigned long long)runs);
	assert_true(runs > 500);
}

/*
 * The sync of a batch fails and the process is killed before it can do anything about it.  Its successor sees the bytes
 * in the page cache, and a sync of them says 0 although they are not on disk: it must not publish them on that word.
 */
static void sync_that_lied(void **state)
{
	(void)state;
	static struct world w;
	for (uint64_t seed = 1; seed < 200; seed++) {
		memset(&w, 0, sizeof w);
		w.tags = 1;
		w.disk = fio_sim_new(seed);
		w.io = fio_sim_io(w.disk);
		w.dir = fio_sim_root(w.disk);
		assert_true(open_writer(&w));
		batch(&w);
		uint64_t n = fio_sim_calls(w.disk);
		*fio_sim_faults(w.disk) = (struct fio_sim_faults){.fail_at = n + 2, .fail_times = 1, .fail_errno = EIO, .crash_at = n + 3};
		batch(&w);
		assert_true(fio_sim_dead(w.disk));
		log_reader_close(&w.r);
		log_writer_close(&w.w);
		fio_sim_kill(w.disk);
		memset(&w.mark, 0, sizeof w.mark);
		recover_twice(&w);
		assert_true(open_writer(&w));
		check_all(&w);
		log_reader_close(&w.r);
		log_writer_close(&w.w);
		fio_sim_free(&w.disk);
		if (w.violation[0])
			fail_msg("seed %llu: %s", (unsigned long long)seed, w.violation);
	}
}

/* A refused batch's numbers are used again, so its salt must not be: number and salt are the nonce. */
static void refused_salt(void **state)
{
	(void)state;
	static struct world w;
	for (uint64_t call = 1; call < 3; call++) {
		memset(&w, 0, sizeof w);
		w.tags = 1;
		w.disk = fio_sim_new(call);
		w.io = fio_sim_io(w.disk);
		w.dir = fio_sim_root(w.disk);
		assert_true(open_writer(&w));
		batch(&w);
		uint8_t salt[16];
		uint64_t next = atomic_load(&w.mark.durable) + 1;
		memcpy(salt, log_salt(w.w), 16);
		*fio_sim_faults(w.disk) = (struct fio_sim_faults){
			.fail_at = fio_sim_calls(w.disk) + call, .fail_times = 1, .fail_errno = EIO};
		batch(&w);
		assert_int_equal(atomic_load(&w.mark.durable), next - 1);
		assert_int_equal(log_next_seq(w.w), next + 1);	/* the key frame of the new segment took the first */
		assert_memory_not_equal(log_salt(w.w), salt, 16);
		log_reader_close(&w.r);
		log_writer_close(&w.w);
		fio_sim_free(&w.disk);
	}
}

/* A disk that fills up: refused, nothing lost, and it goes on by itself when there is room again. */
static void full_disk(void **state)
{
	(void)state;
	static struct world w;
	for (uint64_t room = 0; room < 9000; room += 137) {
		memset(&w, 0, sizeof w);
		w.tags = 1;
		w.disk = fio_sim_new(room);
		w.io = fio_sim_io(w.disk);
		w.dir = fio_sim_root(w.disk);
		fio_sim_capacity(w.disk, 1 + room);
		assert_true(open_writer(&w));
		for (int i = 0; i < 12; i++)
			batch(&w);
		check_all(&w);
		fio_sim_capacity(w.disk, 0);
		uint64_t before = atomic_load(&w.mark.durable);
		batch(&w);
		assert_true(atomic_load(&w.mark.durable) > before);
		check_all(&w);
		die(&w);
		assert_true(open_writer(&w));
		check_all(&w);
		die(&w);
		fio_sim_free(&w.disk);
		assert_string_equal(w.violation, "");
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost),
#if !CRASH_CHECKSUM_OFF
		cmocka_unit_test(controls), cmocka_unit_test(nth_failure), cmocka_unit_test(full_disk),
		cmocka_unit_test(sync_that_lied), cmocka_unit_test(refused_salt),
#endif
	};
	return cmocka_run_group_tests_name("log_crash", tests, NULL, NULL);
}
