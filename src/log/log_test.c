/* The log on a real folder: appending, rolling, reading, releasing, starting again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "log/log.h"
#include "log/segment.h"

static const uint8_t stream[16] = "test";

struct fix {
	char path[64];
	int dir;
	struct log_mark mark;
	struct log_limits limits;
	struct log_writer *w;
	struct log_recovery found;
	struct err err;
	int announced;
	bool with_key;
};

static void key_frame(struct log_writer *w, const uint8_t salt[static 16], void *arg)
{
	struct fix *t = arg;
	struct err err;
	t->announced++;
	assert_memory_equal(salt, log_salt(w), 16);
	if (t->with_key)
		assert_int_equal(log_append(w, LOG_KEY, salt, 16, NULL, &err), 0);
}

static int setup(void **state)
{
	struct fix *t = calloc(1, sizeof *t);
	strcpy(t->path, "/tmp/weir-log-XXXXXX");
	if (!mkdtemp(t->path))
		return -1;
	t->dir = open(t->path, O_RDONLY | O_DIRECTORY);
	t->limits = (struct log_limits){.segment_bytes = 1 << 20, .segment_us = 60000000};
	*state = t;
	return 0;
}

static void close_log(struct fix *t)
{
	log_writer_close(&t->w);
	log_recovery_release(&t->found);
}

static int teardown(void **state)
{
	struct fix *t = *state;
	close_log(t);
	close(t->dir);
	char cmd[96];
	snprintf(cmd, sizeof cmd, "rm -r %s", t->path);
	int rc = system(cmd);
	free(t);
	return rc;
}

static void open_log(struct fix *t)
{
	close_log(t);
	if (log_writer_open(&fio_os, t->dir, stream, &t->limits, &t->mark, key_frame, t, &t->w, &t->found, &t->err) < 0)
		fail_msg("%s", t->err.msg);
}

/* A frame says which it is: "N" and filling. */
static uint64_t put(struct fix *t, size_t n)
{
	uint8_t body[4096] = {0};
	uint64_t seq, next = log_next_seq(t->w);
	put_u64(body, next);
	if (log_append(t->w, LOG_REQUEST, body, n, &seq, &t->err) < 0)
		fail_msg("%s", t->err.msg);
	assert_true(seq == next);
	return seq;
}

static void commit(struct fix *t)
{
	if (log_commit(t->w, &t->err) < 0)
		fail_msg("%s", t->err.msg);
}

static void expect(struct fix *t, struct log_reader *r, uint64_t first, uint64_t last)
{
	struct log_frame f;
	for (uint64_t want = first; want <= last; want++) {
		int rc = log_read(r, &f, &t->err);
		if (rc != 1)
			fail_msg("frame %d: %d %s", (int)want, rc, rc < 0 ? t->err.msg : "");
		assert_int_equal(f.seq, want);
		if (f.type == LOG_REQUEST)
			assert_int_equal(get_u64(f.body), want);
	}
	assert_int_equal(log_read(r, &f, &t->err), 0);
}

static struct log_reader *reader(struct fix *t, bool live, uint64_t after)
{
	struct log_reader *r;
	assert_int_equal(log_reader_open(&fio_os, t->dir, live ? &t->mark : NULL, after, &r, &t->err), 0);
	return r;
}

static void write_and_read(void **state)
{
	struct fix *t = *state;
	struct log_frame f;
	open_log(t);
	struct log_reader *r = reader(t, true, 0);
	assert_int_equal(log_read(r, &f, &t->err), 0);
	uint64_t next = 1;
	for (int batch = 0; batch < 300; batch++) {
		uint64_t began = next;
		for (int i = 0; i <= batch % 7; i++)
			next = put(t, 8 + (size_t)(batch * 37 % 4000)) + 1;
		assert_int_equal(log_read(r, &f, &t->err), 0);	/* nothing is seen before it is durable */
		commit(t);
		expect(t, r, began, next - 1);
	}
	assert_true(t->announced > 1);
	struct log_reader *again = reader(t, true, 57), *offline = reader(t, false, 0);
	expect(t, again, 58, next - 1);
	expect(t, offline, 1, next - 1);
	log_reader_close(&r);
	log_reader_close(&again);
	log_reader_close(&offline);
}

static void starts_again(void **state)
{
	struct fix *t = *state;
	uint64_t last = 0;
	t->with_key = true;
	for (int start = 0; start < 5; start++) {
		open_log(t);
		assert_int_equal(t->found.gaps_len, 0);
		assert_int_equal(t->found.torn_bytes, 0);
		assert_int_equal(t->found.frames, last);
		assert_int_equal(atomic_load(&t->mark.durable), last);
		put(t, 100);
		last = put(t, 100);
		commit(t);
		last = put(t, 100);
		commit(t);
	}
	assert_int_equal(last, 20);	/* a key frame and three others each time */
	struct log_reader *r = reader(t, true, 0);
	expect(t, r, 1, last);
	log_reader_close(&r);
}

static void rolls_and_releases(void **state)
{
	struct fix *t = *state;
	open_log(t);
	put(t, 1000);
	commit(t);
	int64_t later = INT64_MAX / 2;
	assert_int_equal(log_tick(t->w, later, &t->err), 0);
	uint64_t held = log_bytes(t->w);
	assert_int_equal(held, 64 + 1020 + 64);
	assert_int_equal(log_tick(t->w, later, &t->err), 0);	/* an empty one isn't rolled */
	assert_int_equal(log_bytes(t->w), held);
	assert_int_equal(log_release(t->w, 0, &t->err), 0);
	assert_int_equal(log_bytes(t->w), held);
	assert_int_equal(log_release(t->w, 1, &t->err), 0);
	assert_int_equal(log_bytes(t->w), 64);
	assert_int_equal(log_release(t->w, 1000, &t->err), 0);	/* the newest stays: it carries the numbering */
	memset(&t->mark, 0, sizeof t->mark);
	open_log(t);
	assert_int_equal(put(t, 10), 2);
	commit(t);
	struct log_reader *r = reader(t, true, 1);
	expect(t, r, 2, 2);
	log_reader_close(&r);
}

static void limits(void **state)
{
	struct fix *t = *state;
	uint64_t seq;
	open_log(t);
	static const uint8_t tiny[1];
	assert_int_equal(log_append(t->w, LOG_REQUEST, tiny, (size_t)LOG_BODY_MAX + 1, &seq, &t->err), -1);
	assert_int_equal(t->err.code, ERR_LIMIT);
	t->limits.reserve_bytes = UINT64_MAX / 2;
	open_log(t);
	put(t, 10);
	assert_int_equal(log_commit(t->w, &t->err), -1);
	assert_int_equal(t->err.code, ERR_FULL);
	assert_int_equal(atomic_load(&t->mark.durable), 0);
	t->limits.reserve_bytes = 0;
	open_log(t);
	assert_int_equal(put(t, 10), 1);
	commit(t);
}

/* The mark and a reader's position both keep numbers from being given out twice. */
static void never_reuses(void **state)
{
	struct fix *t = *state;
	open_log(t);
	put(t, 10);
	commit(t);
	atomic_store(&t->mark.durable, 7);
	open_log(t);
	assert_int_equal(t->found.gaps_len, 1);
	assert_int_equal(t->found.gaps[0].first_seq, 2);
	assert_int_equal(t->found.gaps[0].last_seq, 7);
	memset(&t->mark, 0, sizeof t->mark);
	t->limits.floor_seq = 9;
	open_log(t);
	assert_int_equal(put(t, 10), 10);
	commit(t);
	struct log_reader *r = reader(t, true, 0);
	struct log_frame f;
	assert_int_equal(log_read(r, &f, &t->err), 1);
	assert_int_equal(log_read(r, &f, &t->err), -1);
	assert_int_equal(t->err.code, ERR_CORRUPT);
	while (log_read(r, &f, &t->err) < 0)
		continue;
	assert_int_equal(f.seq, 10);
	log_reader_close(&r);
	r = reader(t, true, 50);
	assert_int_equal(log_read(r, &f, &t->err), -1);	/* a position from the future: an old copy was put back */
	assert_int_equal(log_read(r, &f, &t->err), 0);
	log_reader_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(write_and_read, setup, teardown),
		cmocka_unit_test_setup_teardown(starts_again, setup, teardown),
		cmocka_unit_test_setup_teardown(rolls_and_releases, setup, teardown),
		cmocka_unit_test_setup_teardown(limits, setup, teardown),
		cmocka_unit_test_setup_teardown(never_reuses, setup, teardown),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
