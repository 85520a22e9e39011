#include "cli/processes.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/say.h"
#include "cli/cli.h"

static const struct {
	enum role role;
	int (*run)(struct child *c);
} processes[] = {
#define X(name, r) {r, name##_run},
	PROCESSES(X)
#undef X
	{ROLES, NULL},
};

unsigned processes_all(void)
{
	unsigned all = 0;
	for (size_t i = 0; processes[i].run; i++)
		all |= 1u << processes[i].role;
	return all;
}

static int run(const char *role)
{
	struct child c;
	struct err err;
	for (size_t i = 0; processes[i].run; i++) {
		if (strcmp(role_names[processes[i].role], role) != 0)
			continue;
		if (child_begin(processes[i].role, &c, &err) < 0) {
			say(SAY_ERROR, "process-start", "why", S(err.msg), NULL);
			return EXIT_USE;
		}
		return processes[i].run(&c);
	}
	fprintf(stderr, "weir: --child: only `weir serve` starts this\n");
	return EXIT_USE;
}

/* _exit: behind the sandbox there is nothing that exit handlers could still do. */
void process_main(const char *role)
{
	_exit(run(role));
}
