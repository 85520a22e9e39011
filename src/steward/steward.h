/*
 * The steward: owner of the registry, server of the control socket (run/control.sock) and of the API listener
 * (/healthz, /metrics).  It sees no payload and can't sign a plan: decisions go to the keeper as the caller's own
 * connection, unread.
 */
#ifndef STEWARD_STEWARD_H
#define STEWARD_STEWARD_H

struct child;
int steward_run(struct child *c);

#endif
