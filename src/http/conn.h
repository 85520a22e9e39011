/*
 * One connection's protocol without a socket: bytes in, handler calls and bytes out.  Private to src/http; server.c puts
 * it on libuv and TLS, http_fuzz.c and the tests put it on memory.
 *
 * A transport asks for room, fills it, says how much it took, and obeys the conn_io table.  One thread (the loop's).
 *
 *      HEAD --head complete--> BODY --body complete--> HANDLER --http_reply, keep-alive--> HEAD
 *        |                      |                         |
 *        +------ refused, timed out, closed, reset -------+--> END
 *
 * What a request needs (read buffer, header table, arena) is a `work`, taken from a pool at its first byte and given
 * back when the connection is idle: an idle connection costs a few hundred bytes, a busy one allocates nothing anew.
 */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include "base/buf.h"
#include "http/http.h"
#include "llhttp.h"

enum { CONN_PAD = 64, CONN_POOL = 64, CONN_KEEP_BYTES = 256 * 1024 };

struct conn;

enum conn_end {
	CONN_LINGER,	/* all is sent: half-close, let the peer read the answer, then close */
	CONN_CLOSE,	/* nothing left to say */
	CONN_RESET,	/* RST */
	CONN_GONE,	/* the peer had gone, and now the handler has answered too: memory may be freed */
};

struct conn_io {
	/* Sends or copies all of it.  May find the connection broken (conn_lost), and set c->corked: then no request is handled until conn_uncork. */
	void (*send)(struct conn *c, const struct span *v, size_t n);
	/* Last call about this connection.  c may be freed inside for CONN_GONE, behind the running call otherwise. */
	void (*end)(struct conn *c, enum conn_end how);
	/* There is room again behind a conn_room that said no. */
	void (*resume)(struct conn *c);
};

struct work;

/* What the connections of a loop share. */
struct hub {
	struct http_limits limits;	/* no zeros */
	http_handler handler;
	http_refusal refusal;		/* or NULL */
	void *arg;
	uv_loop_t *loop;		/* NULL in tests: now_ms is theirs */
	uint64_t now_ms;
	bool draining;			/* answers close their connection */
	struct http_stats stats;
	struct buf head;		/* an answer's head, composed */
	struct work *pool;
	size_t pool_len;
	int64_t date_at;
	char date[32];
};

enum conn_state { CONN_HEAD, CONN_BODY, CONN_HANDLER, CONN_END };

struct conn {
	struct hub *hub;
	const struct conn_io *io;
	struct work *w;			/* NULL: idle and nothing buffered */
	llhttp_t parser;
	enum conn_state state;
	bool secure, advancing, starved, corked, eof, lost;
	bool keep, expect, field_open, complete;
	uint64_t answered;		/* requests */
	uint64_t deadline_ms;		/* 0: none; the transport calls conn_expired past it */
	uint64_t charged;		/* body bytes counted in the hub */
	int refusal;			/* status to answer, set inside a parser callback */
};

void hub_init(struct hub *h, const struct http_limits *l, http_handler handler, void *arg);
void hub_release(struct hub *h);

void conn_init(struct conn *c, struct hub *h, const struct conn_io *io, bool secure);
void conn_release(struct conn *c);
/* Where the next bytes go; false: stop reading until io->resume. */
bool conn_room(struct conn *c, char **at, size_t *n);
void conn_took(struct conn *c, size_t n);
/* The peer will send no more (a half-close: what it asked is still answered). */
void conn_eof(struct conn *c);
/* The connection broke.  True when c may be freed now; else io->end(CONN_GONE) says when. */
bool conn_lost(struct conn *c);
void conn_uncork(struct conn *c);
void conn_expired(struct conn *c);
/* Nothing of a request has been read. */
bool conn_idle(const struct conn *c);

/* answer.c */
const char *http_status_text(int status);
void answer_head(struct hub *h, const struct http_answer *a, bool close, bool http10);

/* tls.c: TLS on memory BIOs. */
struct tls_link;
struct tls_link *tls_link_new(struct http_tls *t);
void tls_link_free(struct tls_link **l);
void tls_link_feed(struct tls_link *l, const void *p, size_t n);	/* from the wire */
/* > 0 bytes, 0 nothing now, -1 closed by the peer, -2 broken. */
ssize_t tls_link_read(struct tls_link *l, void *p, size_t n);
bool tls_link_write(struct tls_link *l, const void *p, size_t n);
void tls_link_bye(struct tls_link *l);
/* What must go to the wire; valid until the next call; forgotten by tls_link_sent. */
struct span tls_link_wire(struct tls_link *l);
void tls_link_sent(struct tls_link *l);

#endif
