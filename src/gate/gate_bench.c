/*
 * usage: gate_bench SECONDS [LOOPS]: a gate alone (no courier, no keeper: this program says "passed" at once) with a
 * contract of some ten fields, for a load generator; prints its address, and at the end what it had to do.
 *
 *   taskset -c 0 build-bench/gate_bench 30 & taskset -c 1 wrk -t1 -c64 -d10 -s post.lua http://ADDRESS/mixpanel/track
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gate/gate_rig.h"

int main(int argc, char **argv)
{
	struct rig r;
	struct rusage u;
	if (argc < 2) {
		fprintf(stderr, "gate_bench: how many seconds?\n");
		return 2;
	}
	rig_make(&r);
	r.loops = argc > 2 ? atoi(argv[2]) : 1;
	r.body_bytes = 20 << 20;
	rig_start(&r);
	printf("%s\n", r.bound);
	fflush(stdout);
	for (int i = atoi(argv[1]) * 10; i > 0; i--) {
		usleep(100000);
		uint64_t durable = atomic_load(&r.mark->durable);
		atomic_store(&r.courier->passed, durable);
		atomic_store(&r.keeper->passed, durable);
	}
	rig_send(&r, ROLE_STEWARD, "metrics", json_pack("{s:i}", "id", 1), NULL, 0);
	json_t *m = rig_expect(&r, "metrics-text");
	printf("%s", json_string_value(json_object_get(m, "text")));
	json_decref(m);
	rig_stop(&r);
	getrusage(RUSAGE_CHILDREN, &u);
	printf("cpu %.2f s user, %.2f s system; rss %ld KiB\n", (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6,
	       (double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6, u.ru_maxrss);
	rig_free(&r);
	return 0;
}
