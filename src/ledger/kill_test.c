/*
 * The ledger under SIGKILL: a process plays the model's operations on a folder and is killed anywhere; what it was at is done once
 * more, as whoever asked would, and then every answer is the model's.
 *
 * WEIR_KILL_SEED (1), WEIR_LEDGER_KILLS (40).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ledger/model.h"

enum { MS = 1000000, LEAST_MS = 2, MORE_MS = 60 };

static uint64_t number(const char *name, uint64_t unless)
{
	const char *s = getenv(name);
	return s ? strtoull(s, NULL, 10) : unless;
}

/* The model alone, up to there; then the folder goes with it. */
static void replay(struct play *p, struct rig *r, uint64_t seed, int done)
{
	play_begin(p, r, seed);
	p->r = NULL;
	while (p->done < done)
		play_one(p);
	p->r = r;
}

static void play_until_killed(struct rig *r, uint64_t seed, int done, _Atomic int *counter)
{
	struct play p;
	replay(&p, r, seed, done);
	rig_open(r);
	p.again = true;	/* the one that it was at when it was killed */
	for (;;) {
		play_one(&p);
		p.again = false;
		atomic_store(counter, p.done);
	}
}

static void kill_one(struct rig *r, uint64_t seed, _Atomic int *counter, uint64_t wait_ms)
{
	int done = atomic_load(counter), status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		play_until_killed(r, seed, done, counter);
		_exit(1);
	}
	nanosleep(&(struct timespec){.tv_nsec = (long)(wait_ms * MS)}, NULL);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("it ended by itself behind operation %d", atomic_load(counter));
}

static void test_a_killed_ledger_answers_as_the_model(void **state)
{
	uint64_t seed = number("WEIR_KILL_SEED", 1), kills = number("WEIR_LEDGER_KILLS", 40), waits = seed;
	_Atomic int *counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct play p;
	void *rig;
	(void)state;
	assert_true(counter != MAP_FAILED);
	assert_int_equal(rig_make(&rig), 0);
	struct rig *r = rig;
	rig_close(r);
	for (uint64_t i = 0; i < kills; i++) {
		waits = waits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		kill_one(r, seed, counter, LEAST_MS + (waits >> 33) % MORE_MS + (uint64_t)atomic_load(counter) / 400);
	}
	replay(&p, r, seed, atomic_load(counter));
	rig_open(r);
	p.again = true;
	play_one(&p);
	p.again = false;
	play_look_at_all(&p);
	printf("seed %llu: %llu kills in %d operations, %d erasures, %d parts of days\n", (unsigned long long)seed, (unsigned long long)kills, p.done,
	       p.m->erasures, p.m->parts);
	assert_true(p.done > (int)kills);
	play_end(&p);
	rig_clear(&rig);
	munmap((void *)(uintptr_t)counter, sizeof *counter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_killed_ledger_answers_as_the_model)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
