/*
 * What tests and benchmarks of the gate share: a folder with log and plans, shared pages, a channel, and a child that
 * ran child_begin and gate_run.  The caller stands in the places of supervisor, keeper and courier.
 */
#ifndef GATE_GATE_RIG_H
#define GATE_GATE_RIG_H

#include <sys/types.h>

#include "gate/inside.h"
#include "supervisor/ipc.h"

struct rig {
	char dir[64];
	int log_dir, plan_dir, listen, channel;
	int fds[3];		/* mark, courier_mark, keeper_mark */
	struct log_mark *mark;
	struct courier_mark *courier;
	struct keeper_mark *keeper;
	uint8_t root[32], subject[32], courier_pk[32], courier_sk[32], plan_pk[32], plan_sk[64];
	char bound[64];
	unsigned port;
	pid_t pid;
	uint64_t serial;
	/* settings */
	int64_t loops, segment_seconds, reserve_bytes, body_bytes;
	bool host;
};

struct plan_wish {
	const char *vendor, *mode, *more;
	const char *own;	/* text of the one file of detectors that `more` names */
	enum flow flow;
	bool unapproved, forged, silent, deny_links;
	int64_t not_after;
};

void rig_make(struct rig *r);
void rig_free(struct rig *r);
/* A gate with an open plan for vendor mixpanel (source token web-token, event signup), ready. */
void rig_start(struct rig *r);
/* The same by steps. */
void rig_fork(struct rig *r);
void rig_secrets(struct rig *r, const char *vendor);
/* Writes and announces the next plan; true when the gate obeys it. */
bool rig_plan(struct rig *r, struct plan_wish w);
/* Announces it only; the serial. */
uint64_t rig_plan_sent(struct rig *r, struct plan_wish w);
void rig_plans_end(struct rig *r);
/* Ends the gate in order: it must exit with 0. */
void rig_stop(struct rig *r);
void rig_kill(struct rig *r);

/* Takes over body. */
void rig_send(struct rig *r, enum role from, const char *verb, json_t *body, const int *fds, size_t n);
/* The body of the next message of this verb; others are passed over. */
json_t *rig_expect(struct rig *r, const char *verb);

#endif
