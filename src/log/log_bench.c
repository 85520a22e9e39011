/*
 * The log on a real disk: durable frames a second against a plain loop of write and fdatasync of the same bytes (in
 * turns, so that neighbours hit both), and how fast a backlog is recovered.
 *
 * usage: log_bench [FOLDER [GIB]]	FOLDER {/tmp}, GIB of backlog {1}
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/log.h"

enum { BODY = 1024, ROUNDS = 11, ROUND_US = 200000 };

static const uint8_t stream[16] = "bench";
static const struct log_limits limits = {.segment_bytes = 16 << 20, .segment_us = 60000000};
static uint8_t body[BODY];
static struct log_mark mark;
static struct log_writer *w;
static struct err err;

static void must_work(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "log_bench: %s: %s\n", what, err.msg[0] ? err.msg : strerror(errno));
	exit(3);
}

static void log_batch(unsigned frames)
{
	for (unsigned i = 0; i < frames; i++)
		must_work(log_append(w, LOG_REQUEST, body, BODY, NULL, &err), "append");
	must_work(log_commit(w, &err), "commit");
}

static int plain_fd;
static off_t plain_at;

static void plain_batch(unsigned frames)
{
	static uint8_t bytes[128 * (BODY + LOG_FRAME_HEAD)];
	size_t n = frames * (BODY + LOG_FRAME_HEAD);
	if (plain_at > 16 << 20) {	/* a new file where the log would take one */
		must_work(ftruncate(plain_fd, 0), "truncate");
		plain_at = 0;
	}
	must_work(pwrite(plain_fd, bytes, n, plain_at) == (ssize_t)n ? 0 : -1, "write");
	must_work(fdatasync(plain_fd), "fdatasync");
	plain_at += (off_t)n;
}

/* Frames a second. */
static double rate(void (*batch)(unsigned frames), unsigned frames)
{
	int64_t began = clock_mono_us(), now;
	uint64_t done = 0;
	do {
		batch(frames);
		done += frames;
		now = clock_mono_us();
	} while (now - began < ROUND_US);
	return (double)done * 1e6 / (double)(now - began);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void paired(unsigned frames)
{
	double log[ROUNDS], plain[ROUNDS], ratio[ROUNDS];
	for (int i = 0; i < ROUNDS; i++) {
		log[i] = rate(log_batch, frames);
		plain[i] = rate(plain_batch, frames);
		ratio[i] = log[i] / plain[i];
		must_work(log_release(w, atomic_load(&mark.durable), &err), "release");
	}
	qsort(log, ROUNDS, sizeof *log, by_value);
	qsort(plain, ROUNDS, sizeof *plain, by_value);
	qsort(ratio, ROUNDS, sizeof *ratio, by_value);
	printf("%4u x 1 KB a commit: %8.0f durable frames/s, plain write+fdatasync %8.0f, ratio %.2f (median of %d pairs)\n",
	       frames, log[ROUNDS / 2], plain[ROUNDS / 2], ratio[ROUNDS / 2], ROUNDS);
}

static void start(int dir, struct log_recovery *found)
{
	log_writer_close(&w);
	memset(&mark, 0, sizeof mark);
	must_work(log_writer_open(&fio_os, dir, stream, &limits, &mark, NULL, NULL, &w, found, &err), "open");
}

static bool drop_one(void *arg, const char *name)
{
	int fd = openat(*(int *)arg, name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
	return true;
}

static void recovery(int dir, double gib)
{
	struct log_recovery found;
	uint64_t want = (uint64_t)(gib * (double)(1 << 30));
	while (log_bytes(w) < want)
		log_batch(128);
	for (int i = 0; i < 3; i++) {
		bool cold = i == 0;
		if (cold)
			must_work(fio_os.list(NULL, dir, drop_one, &dir), "drop the cache");
		start(dir, &found);
		printf("recovery, %s cache: %.2f GB, %llu frames in %.0f ms: %.2f GB/s\n", cold ? "cold" : "warm",
		       (double)found.bytes / 1e9, (unsigned long long)found.frames, (double)found.took_us / 1000,
		       (double)found.bytes / 1e3 / (double)found.took_us);
		log_recovery_release(&found);
	}
	struct log_reader *r;
	struct log_frame f;
	uint64_t bytes = 0;
	int64_t began = clock_mono_us();
	must_work(log_reader_open(&fio_os, dir, &mark, 0, &r, &err), "reader");
	while (log_read(r, &f, &err) == 1)
		bytes += f.len;
	log_reader_close(&r);
	printf("reader, warm cache: %.2f GB/s\n", (double)bytes / 1e3 / (double)(clock_mono_us() - began));
}

int main(int argc, char **argv)
{
	char path[200], cmd[256];
	snprintf(path, sizeof path, "%.150s/weir-log-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
	must_work(mkdtemp(path) ? 0 : -1, path);
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	plain_fd = openat(dir, "plain", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must_work(dir < 0 ? dir : plain_fd, path);
	memset(body, 'x', sizeof body);
	start(dir, NULL);
	static const unsigned sizes[] = {1, 16, 128};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		paired(sizes[i]);
	recovery(dir, argc > 2 ? atof(argv[2]) : 1);
	log_writer_close(&w);
	snprintf(cmd, sizeof cmd, "rm -r %s", path);
	return system(cmd) == 0 ? 0 : 3;
}
