/*
 * `weir serve`: starts the processes of a folder, hands out keys and sockets, restarts what dies, stops in order.
 * One thread.  Parses nothing from outside except weir.yaml (by its caller) and the key files.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include <stdint.h>

#include "base/err.h"
#include "config/config.h"
#include "supervisor/child.h"

/*
 * Sockets in run/.  The steward serves the first; the second is the keeper's, for cut-offs alone, so that one needs
 * nobody but those who carry it out.
 */
#define CONTROL_SOCKET "control.sock"
#define CUTOFF_SOCKET "cutoff.sock"

struct supervisor_options {
	const char *dir;		/* the folder */
	const struct config *config;	/* listen addresses already overridden by the command line */
	unsigned roles;			/* 1u << ROLE_*: started, and all needed for `ready` */
	int (*listen)(const char *addr, int *fd, char bound[static 64], struct err *err);	/* http_listen */
	int64_t grace_ms;		/* {10000} a process gets to stop */
	int64_t delay_ms;		/* {100} delay of a process that died twice before it was ready; doubles up to 300 times it */
};

/*
 * Returns 0 after SIGTERM or SIGINT and an orderly stop.  -1: ERR_CONFLICT when the folder is served already,
 * ERR_NOTFOUND or ERR_INPUT for a key or certificate, ERR_IO otherwise.  Changes signal masks: call it from main only.
 */
int supervisor_run(const struct supervisor_options *o, struct err *err);

/*
 * The lock of a folder, run/lock: held by `serve` and all its processes, and by commands that work on the files.
 * ERR_CONFLICT when somebody lives who has it; a dead holder's last processes are waited for.  Close fd to unlock.
 */
int folder_lock(const char *dir, int *fd, struct err *err);

#endif
