/*
 * Capturing what a host shows: handshakes, pages, headers.  probe_run works in any process (`weir posture check`); the
 * process prober runs it for the steward, sandboxed: no key, no folder, only outgoing connections.
 *
 * Redirects are followed, but not to addresses of private networks or this machine unless the target itself was asked
 * for by that name: a vendor's host can't send us looking around at home.
 */
#ifndef PROBER_PROBER_H
#define PROBER_PROBER_H

#include <jansson.h>

#include "posture/posture.h"

struct child;

enum { PROBE_HOST_MAX = 253, PROBE_PATH_MAX = 1024 };

struct probe_target {
	char host[PROBE_HOST_MAX + 1];	/* lower case; an IPv6 address without brackets */
	unsigned port;			/* 443, or 80 when cleartext */
	unsigned http_port;		/* where redirection to https is looked for; 80 */
	bool cleartext;			/* only http is asked */
	char path[PROBE_PATH_MAX + 1];	/* "/" */
	enum posture_profile profile;
};
/* HOST[:PORT] or an http(s) URL; ERR_INPUT. */
int probe_target_parse(const char *text, struct probe_target *out, struct err *err) __attribute__((warn_unused_result));
/* The URL of it, for people. */
void probe_target_url(const struct probe_target *t, char *out, size_t n);

/* Trusted roots: the system's, and those of extra (PEM text) when given.  Read before a sandbox closes. */
struct probe_roots;
int probe_roots_load(const char *extra, struct probe_roots **out, struct err *err) __attribute__((warn_unused_result));
void probe_roots_free(struct probe_roots **r);

/* Once a process, before its threads. */
int probe_init(struct err *err) __attribute__((warn_unused_result));

struct probe {
	struct arena arena;
	struct posture_capture capture;
};
/*
 * Never fails: what couldn't be had is unknown in the capture.  At most about 25 seconds, and the time of a name's resolution.  Several threads may each run
 * one with the same roots.
 */
void probe_run(const struct probe_target *t, const struct probe_roots *roots, int64_t now, struct probe *out);
void probe_release(struct probe *p);

/* The answer of `posture check`, and of the prober: target, grade, results (posture/report.c). */
json_t *probe_report(const struct probe_target *t, const struct probe *p);

/* The process: ROLE_PROBER.  probe {id, vendor, url, profile} -> probed {id, vendor, report} */
int prober_run(struct child *c);

#endif
