/*
 * L1 and L2 of the log's harness, with real processes and real files:
 *
 *   log_lab kill  [--count N] [--broken WHAT] [--seed N]          kills writer and consumer at any moment
 *   log_lab power [--count N] [--broken WHAT] [--seed N] ext4|xfs cuts the power of a file system
 *
 * A writer appends, commits and releases; a consumer in another process reads along the mark and saves its position.
 * What was acknowledged stands in memory that only the parent owns and that outlives both.  After each death the log is
 * recovered and read: acknowledged frames are there, nothing is there that wasn't submitted, in order, no gap, and the
 * next start finds the same.
 *
 * --broken sync|dirsync|ack|position: a control, which must be caught.
 * Exit: 0 nothing lost, 1 something was, 2 wrong use, 77 this machine can't.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/power_lab.h"
#include "log/log.h"

enum { SEQS = 1 << 24, BODY = 3000, SKIP = 77 };

static const uint8_t stream[16] = "lab";
static const struct log_limits limits = {.segment_bytes = 128 << 10, .segment_us = 20000};

struct oracle {	/* shared with the children */
	struct log_mark mark;
	_Atomic uint64_t acked;		/* the highest number published so far, by the writer or by a recovery */
	_Atomic uint64_t passed;	/* the consumer's saved position */
	_Atomic uint64_t complaints;
	_Atomic bool cutting;		/* set before the power is cut: what returns later counts for nothing */
	char complaint[320];
	uint32_t life_of[SEQS];		/* which life's frame was published under this number */
};

static struct oracle *oracle;
static struct {
	bool no_sync, no_dirsync, early_ack, early_pass;
} broken;
static struct fio io;
static uint64_t random_state;
static uint32_t life;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void complain(const char *what, uint64_t seq)
{
	if (atomic_fetch_add(&oracle->complaints, 1) == 0)
		snprintf(oracle->complaint, sizeof oracle->complaint, "life %u: frame %llu: %s", life,
			 (unsigned long long)seq, what);
}

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "log_lab: %s: %s\n", what, err ? err->msg : strerror(errno));
	exit(3);
}

static int broken_sync(void *ctx, int fd)
{
	struct fio_stat st;
	if (fio_os.stat(ctx, fd, &st) < 0)
		return -1;
	return (st.is_dir ? broken.no_dirsync : broken.no_sync) ? 0 : fio_os.sync(ctx, fd);
}

/* A frame tells its number, the life that wrote it, and has filling that follows from both. */
static size_t body_of(uint64_t seq, uint32_t in_life, uint8_t *out)
{
	size_t n = 12 + (size_t)((seq * 2654435761u ^ in_life * 40503u) % (BODY - 12));
	put_u64(out, seq);
	put_u32(out + 8, in_life);
	memset(out + 12, (int)(seq + in_life), n - 12);
	return n;
}

static bool body_good(const struct log_frame *f, uint32_t *in_life)
{
	uint8_t want[BODY];
	if (f->len < 12 || get_u64(f->body) != f->seq)
		return false;
	*in_life = get_u32(f->body + 8);
	return *in_life <= life && body_of(f->seq, *in_life, want) == f->len && memcmp(want, f->body, f->len) == 0;
}

/* ---- the two processes ---------------------------------------------------------------------------------------- */

static void write_batch(struct log_writer *w)
{
	uint8_t body[BODY];
	struct err err;
	uint64_t first = log_next_seq(w), n = 1 + random_next() % 8;
	for (uint64_t seq = first; seq < first + n; seq++)
		if (log_append(w, LOG_REQUEST, body, body_of(seq, life, body), NULL, &err) < 0)
			die("append", &err);
	for (int turn = 0; turn < 2; turn++) {
		if (turn == !broken.early_ack)
			for (uint64_t seq = first; seq < first + n; seq++) {
				oracle->life_of[seq] = life;
				atomic_store(&oracle->acked, seq);
			}
		if (turn == broken.early_ack && (log_commit(w, &err) < 0 || atomic_load(&oracle->cutting)))
			exit(0);	/* the power is gone */
	}
}

static void writer_process(int dir)
{
	struct log_writer *w;
	struct err err;
	if (log_writer_open(&io, dir, stream, &limits, &oracle->mark, NULL, NULL, &w, NULL, &err) < 0) {
		if (err.code != ERR_IO)
			die("open", &err);
		exit(0);	/* the power is gone */
	}
	while (log_next_seq(w) + 100 < SEQS) {
		write_batch(w);
		if (log_tick(w, clock_now_us(), &err) < 0 || log_release(w, atomic_load(&oracle->passed), &err) < 0)
			exit(0);
	}
}

static int save_position(int dir, uint64_t seq)
{
	uint8_t bytes[8];
	put_u64(bytes, seq);
	int fd = io.open(io.ctx, dir, "pos.new", O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return -1;
	int rc = fio_write_all(&io, fd, bytes, 8, 0) < 0 || io.sync(io.ctx, fd) < 0 ? -1 : 0;
	io.close(io.ctx, fd);
	return rc < 0 || io.rename(io.ctx, dir, "pos.new", "pos") < 0 ? -1 : io.sync(io.ctx, dir);
}

static uint64_t load_position(int dir)
{
	uint8_t bytes[8];
	int fd = io.open(io.ctx, dir, "pos", O_RDONLY, 0);
	if (fd < 0)
		return 0;
	uint64_t seq = fio_read_all(&io, fd, bytes, 8, 0) == 8 ? get_u64(bytes) : 0;
	io.close(io.ctx, fd);
	return seq;
}

static void consumer_process(int dir)
{
	struct log_reader *r;
	struct log_frame f;
	struct err err;
	uint64_t seen = atomic_load(&oracle->passed);
	if (log_reader_open(&io, dir, &oracle->mark, seen, &r, &err) < 0)
		die("reader", &err);
	for (;;) {
		int rc = log_read(r, &f, &err);
		uint32_t in_life;
		if (rc < 0 && err.code == ERR_CORRUPT)
			complain("the live reader finds a gap", seen + 1);
		else if (rc < 0)
			exit(0);
		if (rc == 1 && !body_good(&f, &in_life))
			complain("the live reader sees what was never submitted", f.seq);
		if (rc == 1 && f.seq != seen + 1)
			complain("the live reader skips", f.seq);
		if (rc == 1)
			seen = f.seq;
		if (rc == 0) {
			uint64_t before = atomic_load(&oracle->passed);
			if (broken.early_pass)
				atomic_store(&oracle->passed, seen);
			if (seen != before && (save_position(dir, seen) < 0 || atomic_load(&oracle->cutting)))
				exit(0);
			atomic_store(&oracle->passed, seen);
			usleep(300);
		}
	}
}

/* ---- after a death -------------------------------------------------------------------------------------------- */

struct tally {
	uint64_t rounds, torn, unacked, frames;
	uint32_t digest;
};

static uint32_t read_all(int dir, struct tally *t, uint64_t *last)
{
	struct log_reader *r;
	struct log_frame f;
	struct err err;
	uint32_t digest = 0, in_life;
	uint64_t position = load_position(dir);
	*last = position;
	if (log_reader_open(&io, dir, &oracle->mark, position, &r, &err) < 0)
		die("reader", &err);
	int rc;
	while ((rc = log_read(r, &f, &err)) == 1) {
		if (f.seq != *last + 1)
			complain("does not follow the one before", f.seq);
		*last = f.seq;
		t->frames++;
		digest = crc32c(digest, f.body, f.len);
		if (!body_good(&f, &in_life))
			complain("was never submitted", f.seq);
		else if (f.seq <= atomic_load(&oracle->acked) && oracle->life_of[f.seq] != in_life)
			complain("is another one than was acknowledged", f.seq);
		else
			oracle->life_of[f.seq] = in_life;
	}
	log_reader_close(&r);
	if (rc < 0)
		complain(err.code == ERR_CORRUPT ? "reading back finds a gap" : "reading back fails", *last + 1);
	return digest;
}

static uint32_t recover(int dir, struct tally *t)
{
	struct log_writer *w;
	struct log_recovery found;
	struct err err;
	uint64_t last, acked = atomic_load(&oracle->acked);
	if (log_writer_open(&io, dir, stream, &limits, &oracle->mark, NULL, NULL, &w, &found, &err) < 0) {
		complain(err.msg, 0);
		return 0;
	}
	if (found.gaps_len)
		complain("recovery reports a gap", found.gaps[0].first_seq);
	t->torn += found.torn_bytes != 0;
	log_recovery_release(&found);
	uint32_t digest = read_all(dir, t, &last);
	if (last < acked)
		complain("was acknowledged and is gone", last + 1);
	t->unacked += last > acked ? last - acked : 0;
	atomic_store(&oracle->acked, last);
	log_writer_close(&w);
	return digest;
}

/* forget: whether the mark's memory is gone too. */
static void check(int dir, struct tally *t, bool forget)
{
	t->rounds++;
	if (forget) {
		atomic_store(&oracle->mark.durable, 0);
		atomic_store(&oracle->mark.segment, 0);
	}
	/* A position that was saved but not yet told is as good; one that was told and not saved is the control's fault. */
	uint64_t position = load_position(dir);
	if (position < atomic_load(&oracle->passed) && !broken.early_pass)
		complain("the consumer's position went back", position);
	atomic_store(&oracle->passed, position);
	uint32_t first = recover(dir, t);
	if (recover(dir, t) != first)
		complain("the second recovery differs", 0);
}

/* ---- rounds --------------------------------------------------------------------------------------------------- */

static pid_t start(void (*run)(int dir), int dir)
{
	random_next();
	pid_t pid = fork();
	if (pid < 0)
		die("fork", NULL);
	if (pid == 0) {
		run(dir);
		exit(0);
	}
	return pid;
}

static void await(pid_t pid, int flags)
{
	int status = 0;
	while (waitpid(pid, &status, flags) < 0 && errno == EINTR)
		continue;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
		complain("a process failed", 0);
}

/* Mostly somewhere in the writing, sometimes in the start. */
static void let_run(unsigned most_us)
{
	uint64_t acked = atomic_load(&oracle->acked);
	if (random_next() % 8)
		for (int i = 0; i < 2000 && atomic_load(&oracle->acked) == acked; i++)
			usleep(100);
	usleep((unsigned)(random_next() % most_us));
}

static int open_dir(const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		die(path, NULL);
	return dir;
}

static void kill_round(const char *path, struct tally *t)
{
	int dir = open_dir(path);
	pid_t w = start(writer_process, dir), c = start(consumer_process, dir);
	let_run(6000);
	bool writer_first = random_next() & 1;
	kill(writer_first ? w : c, SIGKILL);
	if (random_next() & 1)
		usleep(1000);
	kill(writer_first ? c : w, SIGKILL);
	await(w, 0);
	await(c, 0);
	check(dir, t, random_next() & 1);
	close(dir);
}

/* Half of the cuts meet the two processes in the middle of what they do, half find them stopped. */
static void power_round(struct power *p, struct tally *t)
{
	int dir = open_dir(power_path(p));
	pid_t w = start(writer_process, dir), c = start(consumer_process, dir);
	let_run(6000);
	if (random_next() & 1) {
		kill(w, SIGSTOP);
		kill(c, SIGSTOP);
		await(w, WUNTRACED);
		await(c, WUNTRACED);
	}
	atomic_store(&oracle->cutting, true);
	if (power_cut(p) < 0)
		die("cut the power", NULL);
	kill(w, SIGKILL);
	kill(c, SIGKILL);
	await(w, 0);
	await(c, 0);
	atomic_store(&oracle->cutting, false);
	close(dir);
	if (power_back(p) < 0)
		die("mount again", NULL);
	dir = open_dir(power_path(p));
	check(dir, t, true);
	close(dir);
}

static int report(const char *what, const struct tally *t, int64_t began_ms)
{
	uint64_t n = atomic_load(&oracle->complaints);
	printf("%s: %llu deaths, %llu frames acknowledged or recovered, %llu read back, %llu torn tails, "
	       "%llu unacknowledged ones kept, %.1f s: ",
	       what, (unsigned long long)t->rounds, (unsigned long long)atomic_load(&oracle->acked),
	       (unsigned long long)t->frames, (unsigned long long)t->torn, (unsigned long long)t->unacked,
	       (double)(clock_mono_ms() - began_ms) / 1000);
	if (n)
		printf("%llu faults, first in %s\n", (unsigned long long)n, oracle->complaint);
	else
		printf("0 lost\n");
	return n ? 1 : 0;
}

static int kill_main(uint64_t count)
{
	const char *tmp = getenv("TMPDIR");
	char path[64], cmd[96];
	struct tally t = {0};
	int64_t began = clock_mono_ms();
	snprintf(path, sizeof path, "%.40s/weir-kill-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(path))
		die("temporary folder", NULL);
	for (life = 1; life <= count && atomic_load(&oracle->complaints) == 0; life++)
		kill_round(path, &t);
	snprintf(cmd, sizeof cmd, "rm -r %s", path);
	if (system(cmd) != 0)
		fprintf(stderr, "log_lab: %s is left behind\n", path);
	return report("kill", &t, began);
}

static int power_main(uint64_t count, const char *kind)
{
	char why[200];
	struct tally t = {0};
	struct power *p = power_new(kind, why, sizeof why);
	if (!p) {
		printf("power on %s: skipped: %s\n", kind, why);
		return SKIP;
	}
	int64_t began = clock_mono_ms();
	for (life = 1; life <= count && atomic_load(&oracle->complaints) == 0; life++)
		power_round(p, &t);
	power_free(&p);
	return report(kind, &t, began);
}

static int usage(void)
{
	fprintf(stderr, "usage: log_lab kill|power [--count N] [--seed N] [--broken sync|dirsync|ack|position] [ext4|xfs]\n");
	return 2;
}

static bool set_broken(const char *what)
{
	bool *const which[] = {&broken.no_sync, &broken.no_dirsync, &broken.early_ack, &broken.early_pass};
	static const char *const names[] = {"sync", "dirsync", "ack", "position"};
	for (int i = 0; i < 4; i++)
		if (strcmp(what, names[i]) == 0)
			return *which[i] = true;
	return false;
}

int main(int argc, char **argv)
{
	uint64_t count = 500, seed = (uint64_t)clock_now_us();
	const char *kind = NULL;
	if (argc < 2)
		return usage();
	for (int i = 2; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(argv[i], "--count") == 0 && next)
			count = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0 && next)
			seed = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--broken") == 0 && next && set_broken(next))
			i++;
		else if (argv[i][0] != '-' && !kind)
			kind = argv[i];
		else
			return usage();
	}
	oracle = mmap(NULL, sizeof *oracle, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (oracle == MAP_FAILED)
		die("shared memory", NULL);
	random_state = seed * 2 + 1;
	io = fio_os;
	io.sync = broken_sync;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(argv[1], "kill") == 0 && !kind)
		return kill_main(count);
	if (strcmp(argv[1], "power") == 0 && kind && (strcmp(kind, "ext4") == 0 || strcmp(kind, "xfs") == 0))
		return power_main(count, kind);
	return usage();
}
