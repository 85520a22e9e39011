/* The processes of `weir serve`: one word each, NAME_run in src/NAME/NAME.h.  It returns the exit status. */
#ifndef CLI_PROCESSES_H
#define CLI_PROCESSES_H

#include "supervisor/child.h"

/* X(name, ROLE) */
#define PROCESSES(X) \
	X(courier, ROLE_COURIER) \
	X(keeper, ROLE_KEEPER) \
	X(steward, ROLE_STEWARD) \
	X(prober, ROLE_PROBER) \
	X(gate, ROLE_GATE)

#define X(name, role) int name##_run(struct child *c);
PROCESSES(X)
#undef X

/* `weir --child ROLE`: never returns. */
_Noreturn void process_main(const char *role);
/* 1u << ROLE_* of all of them. */
unsigned processes_all(void);

#endif
