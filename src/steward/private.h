/*
 * The steward process: shared by steward.c (loop, messages), control.c (the socket), gather.c (asking the other
 * processes) and api.c (HTTP).
 */
#ifndef STEWARD_PRIVATE_H
#define STEWARD_PRIVATE_H

#include <uv.h>

#include "http/http.h"
#include "keeper/control.h"
#include "registry/registry.h"
#include "supervisor/child.h"

struct gather;
struct conn;
struct refresh;
struct count;
struct probing;

struct steward {
	struct child *c;
	uv_loop_t loop;
	struct channel_watch watch;
	struct registry *registry;
	struct users *users;
	struct http_server *http;
	struct api *api;
	uv_poll_t control;	/* the listening socket */
	struct conn *conns;
	size_t conns_len;
	struct gather *gathers;
	struct refresh *refreshes;
	struct count *counts;
	struct probing *probes;
	uv_timer_t posture;
	uv_timer_t tick;
	uint64_t next_id;
	uint64_t leaves_id;	/* asked of the keeper; 0: nothing */
	int64_t leaves_ms;
	bool leaves_told;
	bool stopping;
};

void steward_send(struct steward *s, enum role to, const char *verb, json_t *body, const int *fds, size_t fds_len);

/*
 * Asks the running processes and calls done with what came within a second: an object with a member a role that
 * answered (its whole message body).  verb: "metrics" or "status".  The answers' verbs are metrics-text and status-is.
 */
typedef void (*gather_done)(struct steward *s, json_t *answers, void *arg);	/* answers: borrowed */
void gather_start(struct steward *s, const char *verb, gather_done done, void *arg);
bool gather_take(struct steward *s, const struct message *m);

/*
 * What the processes said (gather, "status") as the truth about Weir.  health: false when events are not taken, or a process
 * of the data path doesn't answer; text: "ok", or a line each of what is wrong.  vendors: each vendor of a desk's answer
 * (`vendors`, `vendor`) gets "gate": what happens to its events now, a word, or "unknown" when the gate doesn't answer.
 */
bool truth_health(struct registry *r, const json_t *answers, struct buf *text);
void truth_vendors(json_t *answer, const json_t *answers);

/*
 * The plan of a vendor follows what the registry now says that rules and incidents ask.  done (NULL: nobody waits) is
 * called once, when gate and courier confirmed the new plan or none was needed (err NULL), or with what went wrong:
 * the keeper's refusal, or its silence.
 */
typedef void (*refresh_done)(void *arg, const struct err *err);
void steward_refresh(struct steward *s, const char *vendor, refresh_done done, void *arg);
void refresh_take(struct steward *s, struct message *m);
void refresh_taken_up(struct steward *s, struct message *m);
/*
 * Takes an answer of desk_do: refreshes the vendors of its member "refresh", which is taken out, and only then calls
 * done with it (its owner from then on); a failure turns it into a refusal.  May call done before it returns.
 */
typedef void (*answer_done)(void *arg, json_t *answer);
void steward_answer_after(struct steward *s, json_t *answer, answer_done done, void *arg);
/*
 * Takes an answer with "ledger" and "then" (desk.h): asks the keeper, goes on, and calls done with the whole answer.  May
 * call done before it returns.
 */
void steward_answer_count(struct steward *s, json_t *answer, const char *who, answer_done done, void *arg);
void count_take(struct steward *s, struct message *m);
/* posture-run: has the prober look at a vendor's host, keeps the result, and calls done with the answer. */
void posture_run(struct steward *s, const json_t *request, answer_done done, void *arg);
void posture_take(struct steward *s, struct message *m);
void posture_start(struct steward *s);	/* probes that are due, from now on */
/* desk_tick, once a second from now. */
void tick_start(struct steward *s);
void tick_soon(struct steward *s);	/* something changed: not later than now */

/* The outbox to the keeper (leaves.c); once a second. */
void leaves_tick(struct steward *s);
void leaves_take(struct steward *s, struct message *m);

int control_start(struct steward *s, int listen_fd, struct err *err) __attribute__((warn_unused_result));
void control_stop(struct steward *s);

int api_start(struct steward *s, int listen_fd, struct err *err) __attribute__((warn_unused_result));

#endif
