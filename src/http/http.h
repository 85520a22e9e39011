/*
 * An event-driven HTTP/1.1 server on libuv, parsed by llhttp in strict mode; gate and API share it.  RFC 9110, 9112.
 *
 * One server belongs to one loop (thread).  It reads a whole request (head and decoded body) and calls the handler,
 * which answers now or later on the same thread.  Keep-alive, pipelining (answers in order), chunked bodies,
 * Expect: 100-continue, gzip/deflate/zstd request bodies with a cap, limits on head, body and time, TLS.
 * What isn't unambiguous is 400 and a closed connection.  It never answers 3xx by itself and never logs a target.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <uv.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

struct http_limits {	/* zero fields mean the default in braces */
	uint32_t head_bytes;	/* {32768} request line and all fields: 431 (a long target: 414) */
	uint32_t fields;	/* {100} */
	uint64_t body_bytes;	/* {20 MiB} after decompression: 413 */
	uint32_t ratio;		/* {1000} decompressed / compressed: 413 */
	uint32_t head_ms;	/* {10000} from first byte to end of head: 408 */
	uint32_t body_ms;	/* {30000} */
	uint32_t idle_ms;	/* {75000} keep-alive: closed */
	uint32_t connections;	/* {10000} a loop: over it, accepted and closed */
	uint64_t memory_bytes;	/* {256 MiB} bodies held by all connections of the loop: 503 over it */
};

struct http_header {
	struct span name, value;	/* name as sent; compare without case */
};

/* Lives until http_answer (or until the handler is told that the client went away: `gone`). */
struct http_request {
	struct span method, path, query;	/* as sent, not decoded; query without '?' */
	const struct http_header *headers;
	size_t headers_len;
	struct span body;	/* decompressed; 64 readable zero bytes behind it */
	struct arena *arena;	/* for handler and answer */
	uv_loop_t *loop;
	bool secure;		/* TLS */
	bool gone;		/* the client closed; an answer goes nowhere */
	void *user;		/* the handler's */
};

struct http_answer {
	int status;
	const struct http_header *headers;	/* Date, Content-Length, Connection are ours */
	size_t headers_len;
	struct span body;	/* must live in the request's arena or be static */
	bool close;		/* close the connection behind it */
	bool reset;		/* no answer: RST (quarantine) */
};

typedef void (*http_handler)(struct http_request *rq, void *arg);

/* Case-insensitive look-up; empty span when absent. */
struct span http_field(const struct http_request *rq, const char *name);
/* Exactly once a request, on its loop's thread.  rq is gone afterwards. */
void http_reply(struct http_request *rq, const struct http_answer *a);

struct http_tls;
/* PEM bytes (certificate chain, key) rather than paths: the caller's sandbox may have no files.  TLS 1.2 and 1.3. */
int http_tls_new(struct span cert_pem, struct span key_pem, struct http_tls **out, struct err *err);
void http_tls_free(struct http_tls **t);

struct http_server;
/* listen_fd: a bound, listening TCP or Unix socket, shared between loops and across restarts; not closed by us. */
int http_server_new(uv_loop_t *loop, int listen_fd, struct http_tls *tls, const struct http_limits *l, http_handler h,
		    void *arg, struct http_server **out, struct err *err);
/* Graceful: stops accepting, answers what is under way (with Connection: close), then calls done.  grace_ms bounds it. */
void http_server_stop(struct http_server *s, uint32_t grace_ms, void (*done)(void *arg), void *arg);
void http_server_free(struct http_server **s);	/* after done */

/*
 * Fields for the answers that the server gives by itself (408, 413, 414, 431 ...), which no handler sees.  origin: the
 * request's Origin, where that much of the head was read, and there was one.  Fills out, returns how many; the values live
 * until it is called again.  Without it they have none.
 */
enum { HTTP_REFUSAL_FIELDS = 8 };
typedef size_t (*http_refusal)(struct span origin, struct http_header out[static HTTP_REFUSAL_FIELDS]);
void http_server_on_refusal(struct http_server *s, http_refusal fields);

struct http_stats {
	uint64_t accepted, requests, refused_syntax, refused_limit, timeouts;
	uint32_t open;
	uint64_t body_bytes_held;
};
struct http_stats http_server_stats(const struct http_server *s);

/* Bind and listen: "127.0.0.1:7080", "[::1]:0", ":7080".  bound receives the real address. */
int http_listen(const char *addr, int *fd, char bound[static 64], struct err *err);

#endif
