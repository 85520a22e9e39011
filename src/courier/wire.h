/*
 * HTTP requests to one vendor: libcurl's multi interface on the loop, HTTP/1.1 keep-alive, one set of connections a
 * vendor, so that a cut-off can close exactly those.
 *
 * What goes out beside the body: Host, Content-Type, Content-Length, Authorization where the protocol has one, Accept,
 * and our own fixed User-Agent.  No redirect is followed, no proxy used, certificates are checked.
 */
#ifndef COURIER_WIRE_H
#define COURIER_WIRE_H

#include <uv.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

/* Once a process, before the sandbox. */
int wire_global(struct err *err);

struct wire;
struct transfer;

/* Never freed: a process has few vendors. */
struct wire *wire_new(uv_loop_t *loop);

struct wire_post {
	const char *url;
	struct span content_type, authorization;	/* authorization empty: none */
	struct span body;	/* lives until done was called or the transfer cancelled */
};
/* status 0: no answer (network, time-out, an answer over 1 MiB). */
typedef void (*wire_done)(void *arg, int status, struct span body, int64_t retry_after_s);
/* NULL when it could not be started; done is not called then.  Never calls done before it returns. */
struct transfer *wire_send(struct wire *w, const struct wire_post *p, wire_done done, void *arg);
/* Closes its connection; done is not called. */
void wire_cancel(struct transfer *t);
/* Closes every connection, idle ones too, with RST.  All transfers must have been cancelled. */
void wire_reset(struct wire *w);

#endif
