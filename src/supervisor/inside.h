/*
 * What the supervisor's files share: the processes it keeps (procs.c), the messages it passes on and answers (messages.c), its
 * loop and its end (supervisor.c).  Nobody else includes this.
 */
#ifndef SUPERVISOR_INSIDE_H
#define SUPERVISOR_INSIDE_H

#include "supervisor/handout.h"
#include "supervisor/supervisor.h"

enum state { DOWN, STARTING, READY, STOPPING, GONE };
extern const char *const proc_states[];

struct held {
	struct packet packet;
	struct held *next;
};

struct proc {
	enum role role;
	enum state state;
	pid_t pid;
	int channel;
	int64_t start_at_ms;
	int64_t kill_at_ms;	/* STOPPING: its grace ends */
	unsigned failures;	/* deaths before `ready` in a row */
	uint64_t restarts;
	bool pinged;		/* and hasn't answered yet */
	unsigned silent;	/* looks in a row since then */
	unsigned hung;		/* those of them, in a row, at which it hung */
	struct held *first, **last;
	size_t held_len;
};

struct supervisor {
	const struct supervisor_options *o;
	struct handout hand;
	struct secrets secrets;
	struct proc procs[ROLES];
	int signals;
	bool announced;
	bool stopping;
	int64_t ping_at_ms;
	size_t stage;
};

/* Has it a process? */
static inline bool proc_alive(const struct proc *p)
{
	return p->state == STARTING || p->state == READY || p->state == STOPPING;
}
/* The first look may have come while it was busy. */
static inline bool proc_silent(const struct proc *p)
{
	return p->silent > 1;
}

/* ---- messages.c ------------------------------------------------------------------------------------------------ */

/* Waits for a process that is down; body is taken over. */
void message_send(struct supervisor *s, enum role to, const char *verb, json_t *body);
/* What the vendors' secrets of this role are, each in a message. */
void messages_secrets(struct supervisor *s, enum role role);
void messages_flush(struct proc *p);
void messages_drop(struct proc *p);
/* Reads what a process says; closes the channel when it has no more to say. */
void messages_read(struct supervisor *s, struct proc *p);

/* ---- procs.c --------------------------------------------------------------------------------------------------- */

void procs_start(struct supervisor *s);
void procs_reap(struct supervisor *s);
/* Pings; kills who hangs. */
void procs_look_after(struct supervisor *s);

#endif
