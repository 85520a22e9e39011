/*
 * L6: a log whose files somebody or something damaged.  Every byte flipped, every length cut, blocks zeroed, files
 * deleted, doubled, exchanged, bytes put in between: the log always starts, loses exactly the frames that were hit,
 * names them, gives no number out twice and goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/fio_sim.h"
#include "log/log.h"
#include "log/segment.h"

enum { FRAMES = 60, FILES = 16, SEGMENT = 1200 };

static const uint8_t stream[16] = "corrupt";
static const struct log_limits limits = {.segment_bytes = SEGMENT, .segment_us = INT64_MAX};

struct place {	/* where a frame lies */
	int file;
	size_t off, end;
	uint64_t batch;	/* number of the first frame of its batch */
};

struct sound {	/* an undamaged log */
	struct {
		char name[LOG_NAME];
		uint8_t bytes[8 << 10];
		size_t n;
		uint64_t first;
	} files[FILES];
	int files_n;
	struct place frames[FRAMES + 1];	/* from 1 */
	uint64_t last, last_batch;
};
static struct sound sound;

struct trial {
	struct fio_sim *disk;
	const struct fio *io;
	int dir;
	struct log_mark mark;
	struct log_writer *w;
	struct log_recovery found;
	bool lost[FRAMES + 2];	/* what this damage must cost */
	const char *what;
	int file;
	size_t at;
};

static size_t body_of(uint64_t seq, uint8_t *out)
{
	size_t n = 8 + (size_t)(seq * 37 % 90);
	memset(out, (int)seq, n);
	put_u64(out, seq);
	return n;
}

static void disk_new(struct trial *t)
{
	t->disk = fio_sim_new(1);
	t->io = fio_sim_io(t->disk);
	t->dir = fio_sim_root(t->disk);
}

static int make_sound(void **state)
{
	(void)state;
	struct trial t = {0};
	struct err err;
	uint8_t body[128];
	disk_new(&t);
	assert_int_equal(log_writer_open(t.io, t.dir, stream, &limits, &t.mark, NULL, NULL, &t.w, NULL, &err), 0);
	for (uint64_t seq = 1; seq <= FRAMES;) {
		uint64_t batch = seq;
		for (uint64_t n = 1 + seq % 4; n && seq <= FRAMES; n--, seq++) {
			log_next_seq(t.w);
			assert_int_equal(log_append(t.w, LOG_REQUEST, body, body_of(seq, body), NULL, &err), 0);
			sound.frames[seq].batch = batch;
		}
		assert_int_equal(log_commit(t.w, &err), 0);
		sound.last_batch = batch;
	}
	log_writer_close(&t.w);
	uint64_t *firsts;
	size_t n;
	assert_int_equal(segment_list(t.io, t.dir, &firsts, &n, &err), 0);
	assert_true(n > 3 && n <= FILES);
	for (size_t i = 0; i < n; i++) {
		segment_name(firsts[i], sound.files[i].name);
		const uint8_t *p = fio_sim_file(t.disk, sound.files[i].name, &sound.files[i].n);
		memcpy(sound.files[i].bytes, p, sound.files[i].n);
		sound.files[i].first = firsts[i];
		for (size_t off = LOG_SEGMENT_HEAD; off < sound.files[i].n; sound.last++) {
			struct place *f = &sound.frames[sound.last + 1];
			f->file = (int)i;
			f->off = off;
			f->end = off += LOG_FRAME_HEAD + get_u32(p + off);
		}
	}
	sound.files_n = (int)n;
	assert_int_equal(sound.last, FRAMES);
	free(firsts);
	fio_sim_free(&t.disk);
	return 0;
}

static void begin(struct trial *t, const char *what, int file, size_t at)
{
	memset(t, 0, sizeof *t);
	t->what = what;
	t->file = file;
	t->at = at;
	disk_new(t);
	for (int i = 0; i < sound.files_n; i++)
		fio_sim_put(t->disk, sound.files[i].name, sound.files[i].bytes, sound.files[i].n);
}

#define WRONG(t, ...)                                                                                                  \
	do {                                                                                                           \
		print_error("%s, file %d, at %zu: ", (t)->what, (t)->file, (t)->at);                                   \
		fail_msg(__VA_ARGS__);                                                                                 \
	} while (0)

static void lose_file(struct trial *t, int file)
{
	for (uint64_t seq = 1; seq <= FRAMES; seq++)
		t->lost[seq] |= sound.frames[seq].file == file;
}

/* Bytes [from, to) of a file are no longer what they were.  Three bytes of a frame's head are only a hint. */
static void lose_bytes(struct trial *t, int file, size_t from, size_t to)
{
	bool salt = from < 48 && to > 32;
	for (uint64_t seq = 1; seq <= FRAMES; seq++) {
		const struct place *f = &sound.frames[seq];
		bool hit = f->file == file && from < f->end && to > f->off;
		bool hint = from >= f->off + 5 && to <= f->off + 8;
		t->lost[seq] |= (hit && !hint) || (f->file == file && salt);
	}
	/* A bad header costs nothing as long as its salt proves the first frame. */
	uint64_t first = sound.files[file].first;
	if (from < LOG_SEGMENT_HEAD && t->lost[first])
		lose_file(t, file);
}

/* In the last batch of the last file damage looks like a torn write: all from there on. */
static void lose_tail(struct trial *t)
{
	bool torn = false;
	for (uint64_t seq = sound.last_batch; seq <= FRAMES; seq++)
		t->lost[seq] = torn |= t->lost[seq];
}

static void check_read(struct trial *t, bool live)
{
	struct log_reader *r;
	struct log_frame f;
	struct err err;
	uint8_t body[128];
	bool got[FRAMES + 2] = {false};
	uint64_t last = 0, fresh = 0;
	int rc, calls = 0;
	assert_int_equal(log_reader_open(t->io, t->dir, live ? &t->mark : NULL, 0, &r, &err), 0);
	while ((rc = log_read(r, &f, &err)) != 0) {
		if (++calls > 10 * FRAMES)
			WRONG(t, "the reader does not end");
		if (rc < 0 && err.code != ERR_CORRUPT)
			WRONG(t, "the reader: %s", err.msg);
		if (rc < 0)
			continue;
		if (f.seq <= last)
			WRONG(t, "frame %d follows %d", (int)f.seq, (int)last);
		last = f.seq;
		if (f.type == LOG_LINK)
			fresh++;
		else if (f.seq > FRAMES || f.len != body_of(f.seq, body) || memcmp(f.body, body, f.len) != 0)
			WRONG(t, "frame %d is not what it was", (int)f.seq);
		else
			got[f.seq] = true;
	}
	log_reader_close(&r);
	assert_int_equal(fresh, 1);
	for (uint64_t seq = 1; seq <= FRAMES; seq++)
		if (got[seq] == t->lost[seq])
			WRONG(t, "frame %d is %s", (int)seq, got[seq] ? "there" : "gone");
}

static bool named(const struct log_recovery *r, uint64_t seq)
{
	for (size_t i = 0; i < r->gaps_len; i++)
		if (seq >= r->gaps[i].first_seq && seq <= r->gaps[i].last_seq)
			return true;
	return false;
}

/* known: the mark or a reader knows how far the log went.  Without that, a lost end or beginning has no name. */
static void end(struct trial *t, bool known)
{
	struct err err;
	uint64_t seq, first = 1, last = FRAMES;
	if (known)
		atomic_store(&t->mark.durable, FRAMES);
	if (log_writer_open(t->io, t->dir, stream, &limits, &t->mark, NULL, NULL, &t->w, &t->found, &err) < 0)
		WRONG(t, "does not start: %s", err.msg);
	while (first < FRAMES && t->lost[first])
		first++;
	while (last > 0 && t->lost[last])
		last--;
	for (uint64_t i = 1; i <= FRAMES; i++) {
		bool may_be_silent = (!known && i > last) || i < first;
		if (named(&t->found, i) != t->lost[i] && !(t->lost[i] && may_be_silent))
			WRONG(t, "frame %d is %s", (int)i, t->lost[i] ? "lost and not named" : "named and not lost");
	}
	log_next_seq(t->w);
	assert_int_equal(log_append(t->w, LOG_LINK, "x", 1, &seq, &err), 0);
	assert_int_equal(log_commit(t->w, &err), 0);
	if (seq <= (known ? FRAMES : last))
		WRONG(t, "number %d is used again", (int)seq);
	check_read(t, true);
	check_read(t, false);
	log_recovery_release(&t->found);
	log_writer_close(&t->w);
	/* A second start finds the same. */
	if (log_writer_open(t->io, t->dir, stream, &limits, &t->mark, NULL, NULL, &t->w, &t->found, &err) < 0)
		WRONG(t, "does not start again: %s", err.msg);
	check_read(t, true);
	log_recovery_release(&t->found);
	log_writer_close(&t->w);
	fio_sim_free(&t->disk);
}

static bool is_last(int file)
{
	return file == sound.files_n - 1;
}

static void flip(void **state)
{
	(void)state;
	struct trial t;
	for (int known = 0; known < 2; known++)
		for (int file = 0; file < sound.files_n; file++)
			for (size_t at = 0; at < sound.files[file].n; at++) {
				begin(&t, "flip", file, at);
				size_t n;
				fio_sim_file(t.disk, sound.files[file].name, &n)[at] ^= (uint8_t)(1 << at % 8);
				lose_bytes(&t, file, at, at + 1);
				if (is_last(file) && !known)
					lose_tail(&t);
				end(&t, known);
			}
}

static void cut(void **state)
{
	(void)state;
	struct trial t;
	for (int file = 0; file < sound.files_n; file++)
		for (size_t at = 0; at < sound.files[file].n; at++) {
			begin(&t, "cut", file, at);
			fio_sim_put(t.disk, sound.files[file].name, sound.files[file].bytes, at);
			lose_bytes(&t, file, at, sound.files[file].n);
			end(&t, true);
		}
}

static void zero(void **state)
{
	(void)state;
	struct trial t;
	static const size_t sizes[] = {1, 20, 64, 100, 512, 4096};
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (int file = 0; file < sound.files_n; file++)
			for (size_t at = 0; at < sound.files[file].n; at += 1 + at % 7) {
				begin(&t, "zero", file, at);
				size_t n, to = at + sizes[s];
				uint8_t *p = fio_sim_file(t.disk, sound.files[file].name, &n);
				to = to < n ? to : n;
				bool same = true;
				for (size_t i = at; i < to; i++)
					same &= p[i] == 0;
				memset(p + at, 0, to - at);
				/* What was zero already is not damaged: narrow to what changed. */
				size_t from = at;
				while (from < to && sound.files[file].bytes[from] == 0)
					from++;
				while (to > from && sound.files[file].bytes[to - 1] == 0)
					to--;
				if (!same)
					lose_bytes(&t, file, from, to);
				end(&t, true);
			}
}

static void deleted(void **state)
{
	(void)state;
	struct trial t;
	for (int file = 0; file < sound.files_n; file++) {
		begin(&t, "delete", file, 0);
		fio_sim_put(t.disk, sound.files[file].name, NULL, 0);
		lose_file(&t, file);
		end(&t, true);
	}
	begin(&t, "delete all", 0, 0);
	for (int file = 0; file < sound.files_n; file++) {
		fio_sim_put(t.disk, sound.files[file].name, NULL, 0);
		lose_file(&t, file);
	}
	end(&t, true);
}

/* A file under a number that isn't its own, new or in the place of another. */
static void doubled(void **state)
{
	(void)state;
	struct trial t;
	for (int file = 0; file < sound.files_n; file++)
		for (uint64_t as = 1; as <= FRAMES; as++) {
			char name[LOG_NAME];
			if (as == sound.files[file].first)
				continue;
			segment_name(as, name);
			begin(&t, "double", file, as);
			fio_sim_put(t.disk, name, sound.files[file].bytes, sound.files[file].n);
			for (int k = 0; k < sound.files_n; k++)
				if (sound.files[k].first == as)
					lose_file(&t, k);
			end(&t, true);
		}
}

/* Foreign bytes between two frames, and a range of the file's own bytes twice: nothing is lost. */
static void inserted(void **state)
{
	(void)state;
	struct trial t;
	static uint8_t longer[16 << 10];
	for (uint64_t seq = 1; seq <= FRAMES; seq++)
		for (int own = 0; own < 2; own++) {
			const struct place *f = &sound.frames[seq];
			size_t n = sound.files[f->file].n, more = own ? f->end - f->off : 33;
			const uint8_t *p = sound.files[f->file].bytes;
			begin(&t, own ? "repeat" : "insert", f->file, f->off);
			memcpy(longer, p, f->off);
			memset(longer + f->off, 0xa5, more);
			if (own)
				memcpy(longer + f->off, p + f->off, more);
			memcpy(longer + f->off + more, p + f->off, n - f->off);
			fio_sim_put(t.disk, sound.files[f->file].name, longer, n + more);
			end(&t, true);
		}
}

/* A file of another log, and files that are no segments. */
static void strangers(void **state)
{
	(void)state;
	struct trial t;
	struct fio_sim *other = fio_sim_new(2);
	struct log_writer *w;
	struct log_mark mark = {0};
	struct err err;
	static const uint8_t another[16] = "another";
	assert_int_equal(log_writer_open(fio_sim_io(other), fio_sim_root(other), another, &limits, &mark, NULL, NULL, &w,
					 NULL, &err), 0);
	for (int i = 0; i < 3; i++) {
		log_next_seq(w);
		assert_int_equal(log_append(w, LOG_REQUEST, "abc", 3, NULL, &err), 0);
	}
	assert_int_equal(log_commit(w, &err), 0);
	log_writer_close(&w);
	size_t n;
	const uint8_t *p = fio_sim_file(other, "0000000000000001.log", &n);
	begin(&t, "another log's file", 0, 0);
	fio_sim_put(t.disk, "0000000000000001.log", p, n);
	lose_file(&t, 0);
	end(&t, true);
	fio_sim_free(&other);
	static const char *const names[] = {
		"0000000000000000.log", "ffffffffffffffff.log", "000000000000000A.log", "notes", "0000000000000005.log.bad",
		"000000000000005.log", "00000000000000055.log",
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		begin(&t, names[i], 0, 0);
		static const uint8_t junk[300] = {1, 2, 3};
		fio_sim_put(t.disk, names[i], junk, sizeof junk);
		end(&t, true);
	}
}

/* A reader that looked ahead saw a frame half written; once the mark covers it, it looks again. */
static void half_written(void **state)
{
	(void)state;
	for (uint64_t seq = 2; seq < sound.files[1].first; seq++) {
		struct trial t;
		struct log_reader *r;
		struct log_frame f;
		struct err err;
		size_t n, off = sound.frames[seq].off + 9;
		begin(&t, "half written", 0, seq);
		uint8_t *p = fio_sim_file(t.disk, sound.files[0].name, &n);
		memset(p + off, 0, n - off);
		atomic_store(&t.mark.segment, 1);
		atomic_store(&t.mark.durable, seq - 1);
		assert_int_equal(log_reader_open(t.io, t.dir, &t.mark, 0, &r, &err), 0);
		for (uint64_t i = 1; i < seq; i++)
			assert_int_equal(log_read(r, &f, &err), 1);
		assert_int_equal(log_read(r, &f, &err), 0);
		memcpy(p, sound.files[0].bytes, n);
		atomic_store(&t.mark.durable, seq);
		assert_int_equal(log_read(r, &f, &err), 1);
		assert_int_equal(f.seq, seq);
		log_reader_close(&r);
		fio_sim_free(&t.disk);
	}
}

/* Bytes that can't be read for a while are neither lost nor skipped. */
static void unreadable(void **state)
{
	(void)state;
	for (uint64_t n = 1; n < 60; n++)
		for (uint64_t times = 1; times < 6; times++) {
			struct trial t;
			struct log_reader *r;
			struct log_frame f;
			struct err err;
			uint64_t next = 1;
			begin(&t, "unreadable", (int)times, n);
			atomic_store(&t.mark.durable, FRAMES);
			atomic_store(&t.mark.segment, sound.files[sound.files_n - 1].first);
			*fio_sim_faults(t.disk) = (struct fio_sim_faults){
				.fail_at = n, .fail_times = times, .fail_errno = EIO, .fail_reads = true};
			assert_int_equal(log_reader_open(t.io, t.dir, &t.mark, 0, &r, &err), 0);
			for (int rc; (rc = log_read(r, &f, &err)) != 0;) {
				if (rc < 0 && err.code != ERR_IO)
					WRONG(&t, "%s", err.msg);
				if (rc == 1)
					assert_int_equal(f.seq, next++);
			}
			assert_int_equal(next, FRAMES + 1);
			log_reader_close(&r);
			fio_sim_free(&t.disk);
		}
}

/* The same while starting: it may not start, or count what it couldn't see as lost, but nothing is removed. */
static void unreadable_start(void **state)
{
	(void)state;
	for (uint64_t n = 1; n < 60; n++)
		for (uint64_t times = 1; times < 6; times++) {
			struct trial t;
			struct err err;
			begin(&t, "unreadable at start", (int)times, n);
			struct fio_sim_faults *faults = fio_sim_faults(t.disk);
			*faults = (struct fio_sim_faults){
				.fail_at = n, .fail_times = times, .fail_errno = EIO, .fail_reads = true};
			if (log_writer_open(t.io, t.dir, stream, &limits, &t.mark, NULL, NULL, &t.w, NULL, &err) == 0)
				log_writer_close(&t.w);
			else
				assert_int_equal(err.code, ERR_IO);
			faults->fail_at = 0;
			assert_int_equal(log_writer_open(t.io, t.dir, stream, &limits, &t.mark, NULL, NULL, &t.w, NULL, &err), 0);
			log_next_seq(t.w);
			assert_int_equal(log_append(t.w, LOG_LINK, "x", 1, NULL, &err), 0);
			assert_int_equal(log_commit(t.w, &err), 0);
			check_read(&t, true);
			log_writer_close(&t.w);
			fio_sim_free(&t.disk);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flip), cmocka_unit_test(cut), cmocka_unit_test(zero), cmocka_unit_test(deleted),
		cmocka_unit_test(doubled), cmocka_unit_test(inserted), cmocka_unit_test(strangers),
		cmocka_unit_test(half_written), cmocka_unit_test(unreadable),
		cmocka_unit_test(unreadable_start),
	};
	return cmocka_run_group_tests_name("log_corrupt", tests, make_sound, NULL);
}
