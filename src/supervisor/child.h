/*
 * The process tree (design section 2): what a child process sees of it.
 *
 * `weir serve` is the supervisor.  Each child is fork + exec of /proc/self/exe as `weir --child ROLE` with an empty
 * environment, descriptor 3 as its channel (SOCK_SEQPACKET), standard error for say(), and nothing else.  The first
 * message on the channel is `boot`: settings, keys and descriptors, by name.  Everything later goes over the same
 * channel: a star, with the supervisor forwarding by role, never reading a body, and stamping the true sender.  So a
 * restarted process is reachable at once under its role, and sockets survive their processes.
 *
 * A message is a verb, a JSON body and a few descriptors.  ipc_routes (ipc.c) says which role may send which verb
 * to which; anything else is dropped and logged.
 *
 * One thread (the process's main loop) uses a channel.
 */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

enum role { ROLE_SUPERVISOR, ROLE_GATE, ROLE_COURIER, ROLE_KEEPER, ROLE_STEWARD, ROLE_PROBER, ROLES };
extern const char *const role_names[ROLES];

enum {
	MESSAGE_FDS = 16,
	MESSAGE_BYTES = 4 << 20,	/* a body over 48 KiB goes through a sealed memfd, transparently */
};

struct message {
	enum role from, to;
	char verb[24];
	json_t *body;		/* object, or NULL; owned by the message */
	int fds[MESSAGE_FDS];
	size_t fds_len;		/* owned by the message; set to -1 what you keep */
};
void message_release(struct message *m);

/*
 * Verbs.  Requests carry "id"; the answer carries the same "id".
 *   supervisor -> child     boot {role, settings, keys, fds}, secrets {vendor, tokens|credential}, stop {}
 *   supervisor -> child     ping {}                                 child -> supervisor  pong {}, by channel_watch itself
 *   child -> supervisor     ready {}, log-marks are in shared memory and need no message
 *   keeper -> supervisor    resolve {id, vendor, sources: [{name, token}], credential, hold}   (env:/file: references)
 *   supervisor -> keeper    resolved {id, missing: [text]}          without hold: `secrets` has gone to gate and courier
 *   keeper -> supervisor    hand-over {vendor}                      the plan is signed: what was held goes to gate and courier
 *   gate, courier -> keeper plans {}                                (at start) answered by one `plan` each, then
 *   keeper -> gate, courier plan {id, vendor, serial, sha256, flow} , plans-end {}
 *   gate, courier -> keeper plan-done {id, vendor, serial, ok, why}
 *   steward -> keeper       decision {} + the caller's connection
 *   steward -> keeper       refresh {id, vendor}                    keeper -> steward  refreshing {id} at once, then
 *                                                                   refreshed {id, ok, flow, ...} once confirmed
 *   steward -> keeper       question {} + the caller's connection
 *   steward -> keeper       ask {id, request} (ledger.h)            keeper -> steward  answer {id, answer}
 *   steward -> keeper       leaves {id, taken, events: [{seq, at, kind, vendor, version, sha256}]} (notary.h)
 *   keeper -> steward       leaves-done {id, ok, leaves: [{seq, leaf}]}
 *   keeper -> steward       contract-get {id, vendor, version}, event {id, seq, ...}
 *   steward -> keeper       contract {id, json, digest} , event-done {id}
 *   keeper -> courier       queue-drop {id, vendor, from, to}       courier -> keeper  queue-done {id, ok, why, dropped}
 *   steward -> prober       probe {id, vendor, url, profile}        prober -> steward  probed {id, vendor, report | why}
 *   gate -> steward         shapes {vendor, day, rows: [{k, s, e, p, c}]}   kind, source, event, path, counts (shape/form.h)
 *   steward -> any          metrics {id}, status {id}               any -> steward     metrics-text {id, text}, status-is {id, ...}
 */

struct child {
	enum role role;
	int channel;
	json_t *boot;		/* body of the boot message, keys taken out by child_key are wiped from it */
	struct message boot_message;
};

/* Reads `boot`, closes every other descriptor, forbids dumps and new privileges, starts clock, hooks and say(). */
int child_begin(enum role role, struct child *c, struct err *err);
/* A descriptor of the boot message by its name ("listen", "log", ...); -1 when absent.  The child owns it. */
int child_fd(const struct child *c, const char *name);
/* A key of the boot message, hex in "keys": exactly n bytes; wiped from the boot body. */
int child_key(struct child *c, const char *name, void *out, size_t n, struct err *err);
/*
 * What the supervisor hands out, by role (supervisor.c, hand_outs):
 *   gate     fds listen log plan mark(rw) courier_mark keeper_mark
 *   courier  fds log plan mark courier_mark(rw) own (state/log/courier) queue dead
 *   keeper   fds log plan open (state/ledger/open) ledger tlog cutoff mark keeper_mark(rw)
 *   steward  fds api control tlog registry registry_wal registry_shm (paths only: open settings.registry)
 *   settings every number of weir.yaml by its name in struct config; gate: tls_cert, tls_key (PEM text), hosts
 *            [{host, vendor}]; steward: registry (absolute path), gate_url, api_url
 * Keys: supervisor/keys.h.
 */
/* A setting: settings.NAME or the default. */
int64_t child_int(const struct child *c, const char *name, int64_t otherwise);
const char *child_str(const struct child *c, const char *name, const char *otherwise);
/* Tells the supervisor that the process serves. */
int child_ready(struct child *c, struct err *err);

/* Never blocks for long (the channel's buffer is large); takes over body; fds are duplicated. */
int channel_send(int channel, enum role to, const char *verb, json_t *body, const int *fds, size_t fds_len, struct err *err);
/* 1 message, 0 nothing now (non-blocking), -1 the supervisor has gone. */
int channel_receive(int channel, struct message *m, struct err *err);
/* Calls on_message for each message on the loop, but answers `ping` itself; ends the process when the supervisor has gone. */
struct channel_watch {
	uv_poll_t poll;
	int channel;
	void (*on_message)(struct message *m, void *arg);	/* message is released behind it */
	void *arg;
};
int channel_watch_start(uv_loop_t *loop, struct channel_watch *w, int channel, void (*on_message)(struct message *m, void *arg),
			void *arg, struct err *err);
void channel_watch_stop(struct channel_watch *w);

/*
 * What the process may still do, from here on, for good: Landlock rules (by directory descriptor) and a seccomp filter.
 * On a kernel without Landlock says so in a log line and goes on; without seccomp it refuses to start.
 */
struct sandbox_dir {
	int fd;
	bool write;	/* read and write beneath; else read only */
};
struct sandbox {
	const struct sandbox_dir *dirs;
	size_t dirs_len;
	bool connect;	/* may open outgoing connections (courier, prober) */
	bool accept;	/* may accept on inherited sockets */
	bool resolver;	/* may read /etc/resolv.conf, /etc/hosts, /etc/ssl */
};
int child_sandbox(const struct child *c, const struct sandbox *s, struct err *err);
/*
 * The same from the table of roles in sandbox.c.  Call it before the first thread starts and behind everything that
 * opens files by path (certificates, configuration of libraries).  This is what a process should use; child_sandbox is
 * for tests.
 */
int child_confine(const struct child *c, struct err *err);

#endif
