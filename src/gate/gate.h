/*
 * The gate: speaks the vendors' protocols, applies the compiled plans, and acknowledges what is durable in the log.
 * Design sections 2, 4 and 6.  One process; `weir --child gate` runs it.
 */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include "supervisor/child.h"

/* From behind child_begin to the end of the process: its exit status. */
int gate_run(struct child *c);

#endif
