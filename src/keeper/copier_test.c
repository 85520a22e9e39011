/* Exposure blocks from the gate's log to ledger/open: everything, nothing of the payload, and never passed before synced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "keeper/keeper.h"
#include "log/block.h"

static const char payload[] = "PAYLOAD-THAT-MUST-NOT-BE-COPIED";

struct place {
	char dir[32];
	int log, open;
	struct log_mark mark;
	struct log_writer *w;
	struct keeper_mark passed;
};

static int place_make(void **state)
{
	static const uint8_t stream[16] = "gate";
	const struct log_limits limits = {0};
	struct place *p = calloc(1, sizeof *p);
	struct log_recovery found = {0};
	struct err err;
	char path[64];
	snprintf(p->dir, sizeof p->dir, "/tmp/weir-copier-XXXXXX");
	if (!mkdtemp(p->dir))
		return -1;
	snprintf(path, sizeof path, "%s/log", p->dir);
	mkdir(path, 0700);
	p->log = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof path, "%s/open", p->dir);
	mkdir(path, 0700);
	p->open = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	int r = log_writer_open(&fio_os, p->log, stream, &limits, &p->mark, NULL, NULL, &p->w, &found, &err);
	log_recovery_release(&found);
	return r;
}

static int gone(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static int place_clear(void **state)
{
	struct place *p = *state;
	log_writer_close(&p->w);
	close(p->log);
	close(p->open);
	nftw(p->dir, gone, 8, FTW_DEPTH | FTW_PHYS);
	free(p);
	return 0;
}

/* One request frame; returns its seq. */
static uint64_t request(struct place *p, uint64_t serial)
{
	struct buf b;
	struct err err;
	uint64_t seq;
	uint8_t leaves[1] = {5};
	const struct block_head h = {.plan_serial = serial, .vendor = SPAN("acme"), .leaf_bytes = 1, .count = 2};
	const struct block_object o = {.len = sizeof payload / 2, .splice = UINT32_MAX, .leaves = leaves};
	buf_init(&b, 0);
	size_t at = block_begin(&b, &h);
	block_add(&b, &h, &o);
	block_add(&b, &h, &o);
	block_finish(&b, at);
	/* Stands for the sealed part: both objects and AEAD_OVERHEAD. */
	for (size_t i = 0; i < 2 * o.len + AEAD_OVERHEAD; i++)
		buf_addc(&b, payload[i % (sizeof payload - 1)]);
	assert_int_equal(log_append(p->w, LOG_REQUEST, b.data, b.len, &seq, &err), 0);
	buf_release(&b);
	return seq;
}

static uint64_t other(struct place *p, enum log_type type, const char *text)
{
	struct err err;
	uint64_t seq;
	assert_int_equal(log_append(p->w, type, text, strlen(text), &seq, &err), 0);
	return seq;
}

static void commit(struct place *p)
{
	struct err err;
	assert_int_equal(log_commit(p->w, &err), 0);
}

static struct copier *start(struct place *p, const struct fio *io)
{
	struct copier *c;
	struct err err = {0};
	if (copier_open(io, p->log, &p->mark, p->open, &p->passed, &c, &err) < 0)
		fail_msg("%s", err.msg);
	return c;
}

/* Source seqs of the copied frames in order, as text; also checks that no payload came along. */
static void assert_copied(struct place *p, const char *want)
{
	char got[1024] = "";
	struct log_reader *r;
	struct log_frame f;
	struct err err;
	assert_int_equal(log_reader_open(&fio_os, p->open, NULL, 0, &r, &err), 0);
	while (log_read(r, &f, &err) == 1) {
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s%d", *got ? " " : "", f.type == LOG_LINK ? "L" : "",
			 (int)get_u64(f.body));
		assert_null(memmem(f.body, f.len, payload, 8));
		struct block b;
		if (f.type == LOG_EXPOSURE) {
			assert_int_equal(block_parse(f.body + 8, f.len - 8, &b, &err), 0);
			assert_int_equal(b.sealed_len, 0);
			assert_int_equal(b.head.count, 2);
		}
	}
	log_reader_close(&r);
	assert_string_equal(got, want);
}

static void copies(void **state)
{
	struct place *p = *state;
	struct err err;
	struct copier *c = start(p, &fio_os);
	assert_int_equal(copier_step(c, 100, &err), 0);
	other(p, LOG_KEY, "key");
	request(p, 1);
	other(p, LOG_LINK, "link");
	assert_int_equal(copier_step(c, 100, &err), 0);	/* not durable: not seen */
	commit(p);
	assert_int_equal(copier_step(c, 100, &err), 3);
	assert_int_equal(p->passed.passed, 3);
	request(p, 1);
	request(p, 1);
	commit(p);
	assert_int_equal(copier_step(c, 1, &err), 1);
	assert_int_equal(p->passed.passed, 4);
	assert_int_equal(copier_step(c, 100, &err), 1);
	assert_copied(p, "2 L3 4 5");
	copier_close(&c);
}

/* The position comes from what was copied; a lost mark, or frames without content at the end, cost nothing. */
static void position(void **state)
{
	struct place *p = *state;
	struct err err;
	for (int i = 0; i < 5; i++) {
		request(p, 1);
		commit(p);
		struct copier *c = start(p, &fio_os);
		assert_int_equal(p->passed.passed, i);
		assert_int_equal(copier_step(c, 100, &err), 1);
		copier_close(&c);
		p->passed.passed = 0;
	}
	other(p, LOG_KEY, "key");
	commit(p);
	struct copier *c = start(p, &fio_os);
	assert_int_equal(copier_step(c, 100, &err), 1);
	assert_int_equal(p->passed.passed, 6);
	copier_close(&c);
	c = start(p, &fio_os);
	assert_int_equal(p->passed.passed, 5);
	copier_close(&c);
	assert_copied(p, "1 2 3 4 5");
}

struct failing {
	int left;
};

static ssize_t f_pwrite(void *ctx, int fd, const void *b, size_t n, uint64_t off)
{
	struct failing *f = ctx;
	if (f->left-- == 0) {
		errno = EIO;
		return -1;
	}
	return fio_os.pwrite(NULL, fd, b, n, off);
}

static int f_sync(void *ctx, int fd)
{
	struct failing *f = ctx;
	if (f->left-- == 0) {
		errno = EIO;
		return -1;
	}
	return fio_os.sync(NULL, fd);
}

/* I2: whichever write or sync fails, what was passed is there, and the next step brings the rest. */
static void failing_disk(void **state)
{
	struct place *p = *state;
	struct failing f = {.left = 1 << 30};
	struct fio io = fio_os;
	io.ctx = &f;
	io.pwrite = f_pwrite;
	io.sync = f_sync;
	struct copier *c = start(p, &io);
	uint64_t last = 0;
	int failed = 0;
	for (int n = 0; n < 8; n++) {
		struct err err;
		for (int i = 0; i < 3; i++)
			last = request(p, 1);
		commit(p);
		f.left = n % 4;
		int64_t r = copier_step(c, 100, &err);
		failed += r < 0;
		if (r < 0)
			assert_true(p->passed.passed < last);
		f.left = 1 << 30;
		while (p->passed.passed < last) {
			int64_t again = copier_step(c, 100, &err);
			assert_true(again >= 0);
		}
	}
	assert_true(failed > 0);
	copier_close(&c);
	/* Everything is there; what a failed try left behind may be there twice. */
	struct log_reader *r;
	struct log_frame fr;
	struct err err;
	bool seen[64] = {false};
	assert_int_equal(log_reader_open(&fio_os, p->open, NULL, 0, &r, &err), 0);
	while (log_read(r, &fr, &err) == 1)
		seen[get_u64(fr.body)] = true;
	log_reader_close(&r);
	for (uint64_t i = 1; i <= last; i++)
		assert_true(seen[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(copies, place_make, place_clear),
		cmocka_unit_test_setup_teardown(position, place_make, place_clear),
		cmocka_unit_test_setup_teardown(failing_disk, place_make, place_clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
