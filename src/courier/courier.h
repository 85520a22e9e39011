/*
 * The courier: reads the gate's log, opens payloads, splices credentials in, delivers, and keeps what can't go.  The one
 * process with outgoing connections.
 */
#ifndef COURIER_COURIER_H
#define COURIER_COURIER_H

#include "supervisor/child.h"

/* Until `stop`; returns the exit status. */
int courier_run(struct child *c);

#endif
