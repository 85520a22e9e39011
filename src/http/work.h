/*
 * What a request needs while it is read and answered, taken from the hub's pool.  Private to conn.c, head.c and work.c.
 *
 * The read buffer of a request (`in`):
 *
 *   0 ... rs ............. top ........ start ........... end ............ cap (+ pad)
 *         |- pinned: head and, when it fits, the body -|- not yet parsed -|
 *
 * Header spans are offsets from rs until the head is complete, so that the buffer may be compacted before that.
 */
#ifndef HTTP_WORK_H
#define HTTP_WORK_H

#include <strings.h>

#include "http/conn.h"

enum body_place { BODY_NONE, BODY_INPLACE, BODY_APART, BODY_CHUNKED };

enum spans { SPANS_OFFSETS, SPANS_SETTLED, SPANS_BROKEN };

struct work {
	struct http_request rq;
	struct conn *c;
	struct work *next;
	char *in;
	size_t cap;		/* without the pad */
	size_t rs, start, end;
	size_t top;		/* end of the last head byte a span points to, from rs */
	struct arena arena;
	struct http_header *headers;
	size_t headers_len;
	enum spans spans;	/* of target and headers; broken: a folded line was met on the way */
	struct span target;	/* offset until the head is complete */
	bool target_done;
	size_t head_extra;	/* bytes of trailers and chunk extensions */
	enum body_place place;
	uint64_t content_length;
	size_t body_at, body_len;	/* BODY_INPLACE: offset in `in` */
	struct buf apart;		/* BODY_APART, BODY_CHUNKED */
	struct buf plain;		/* decompressed */
};

struct work *work_take(struct hub *h);
/* Ready for the next head; what is buffered behind the last request stays. */
void work_reset(struct work *w);
void work_give(struct hub *h, struct work **w);
/* Where a body of known length goes, seen from its first byte (or the place where that will be read). */
void work_place(struct work *w, const char *at);
/* Adds to the body that stands apart from the read buffer; false: over the loop's memory. */
bool work_apart(struct conn *c, const char *at, size_t n);

uint64_t hub_now_ms(struct hub *h);
/* Counts n more bytes of body memory; false over the loop's ceiling. */
bool conn_charge(struct conn *c, uint64_t n);
void conn_discharge(struct conn *c);

/* head.c: llhttp's callbacks.  They end the parse by setting c->refusal, and pause it behind a whole message. */
extern const llhttp_settings_t head_settings;

static inline bool span_is(struct span s, const char *word)	/* ASCII case doesn't count */
{
	return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

#endif
