/* Requests out of bytes, answers in order: what becomes of a connection, its time, content codings. */
#include "http/work.h"

#include <stdlib.h>

#include "base/inflate.h"

/* ---- ends ----------------------------------------------------------------------------------------------------- */

static void finish(struct conn *c, enum conn_end how)
{
	c->state = CONN_END;
	c->deadline_ms = 0;
	conn_discharge(c);
	work_give(c->hub, &c->w);
	c->io->end(c, how);	/* c may be gone */
}

/*
 * The Origin of a request that is refused, perhaps before its head is whole: then spans are still offsets.  Empty when it
 * wasn't read to its end, or stands there twice.
 */
static struct span origin_of(const struct conn *c)
{
	const struct work *w = c->w;
	struct span origin = {"", 0};
	if (!w || w->spans == SPANS_BROKEN)
		return origin;
	const char *base = w->spans == SPANS_OFFSETS ? w->in + w->rs : NULL;
	size_t whole = w->headers_len - (w->spans == SPANS_OFFSETS && c->field_open);
	for (size_t i = 0; i < whole; i++) {
		struct span name = w->headers[i].name, value = w->headers[i].value;
		if (base) {
			name.at = base + (size_t)name.at;
			value.at = base + (size_t)value.at;
		}
		if (name.len != 6 || strncasecmp(name.at, "origin", 6) != 0 || value.len == 0)
			continue;
		if (origin.len)
			return (struct span){"", 0};
		origin = value;
		while (origin.len && (origin.at[origin.len - 1] == ' ' || origin.at[origin.len - 1] == '\t'))
			origin.len--;
	}
	return origin;
}

static void refuse(struct conn *c, int status)
{
	struct http_stats *s = &c->hub->stats;
	if (status == 408)
		s->timeouts++;
	else if (status == 413 || status == 414 || status == 431 || status == 503)
		s->refused_limit++;
	else
		s->refused_syntax++;
	struct http_header fields[HTTP_REFUSAL_FIELDS];
	struct span origin = origin_of(c);
	struct http_answer a = {.status = status, .headers = fields};
	if (origin.len && c->hub->refusal)
		a.headers_len = c->hub->refusal(origin, fields);
	answer_head(c->hub, &a, true, false);
	struct span out = {(const char *)c->hub->head.data, c->hub->head.len};
	c->io->send(c, &out, 1);
	if (!c->lost)
		finish(c, CONN_LINGER);
}

/* ---- a whole request ------------------------------------------------------------------------------------------ */

/* 64 zero bytes behind the body, moving it away from a request that follows it in the buffer. */
static bool pad_body(struct conn *c)
{
	struct work *w = c->w;
	if (w->place == BODY_INPLACE && w->start == w->end) {
		memset(w->in + w->body_at + w->body_len, 0, CONN_PAD);
		w->rq.body = (struct span){w->in + w->body_at, w->body_len};
		w->start = w->end = w->body_at + w->body_len + CONN_PAD;
		return true;
	}
	if (w->place == BODY_INPLACE && !work_apart(c, w->in + w->body_at, w->body_len))
		return false;
	if (!buf_reserve(&w->apart, CONN_PAD))
		return false;
	memset(w->apart.data + w->apart.len, 0, CONN_PAD);
	w->rq.body = (struct span){(const char *)w->apart.data, w->apart.len};
	return true;
}

static const struct {
	const char *word;
	int kind;	/* -1: as it is */
} codings[] = {
	{"identity", -1}, {"gzip", INFLATE_GZIP}, {"x-gzip", INFLATE_GZIP}, {"deflate", INFLATE_DEFLATE}, {"zstd", INFLATE_ZSTD},
};

/* 0, or the status of a refusal. */
static int decode_body(struct conn *c)
{
	struct work *w = c->w;
	struct http_limits *l = &c->hub->limits;
	struct span word = http_field(&w->rq, "content-encoding");
	size_t i = 0, known = sizeof(codings) / sizeof(*codings);
	if (word.len == 0 || w->rq.body.len == 0)
		return 0;
	while (i < known && !span_is(word, codings[i].word))
		i++;
	if (i == known)
		return 415;
	if (codings[i].kind < 0)
		return 0;
	uint64_t max = l->body_bytes, by_ratio = (uint64_t)w->rq.body.len * l->ratio;
	uint64_t left = l->memory_bytes - c->hub->stats.body_bytes_held;
	if (by_ratio < max)
		max = by_ratio;
	bool memory = left < max;
	struct err err;
	buf_reset(&w->plain);
	if (inflate_body((enum inflate_kind)codings[i].kind, w->rq.body.at, w->rq.body.len, (size_t)(memory ? left : max),
			 &w->plain, &err) != 0)
		return err.code == ERR_LIMIT ? (memory ? 503 : 413) : 400;
	if (!conn_charge(c, w->plain.len))
		return 503;
	w->rq.body = (struct span){(const char *)w->plain.data, w->plain.len};
	return 0;
}

static void dispatch(struct conn *c)
{
	c->complete = false;
	if (!pad_body(c)) {
		refuse(c, 503);
		return;
	}
	int status = decode_body(c);
	if (status) {
		refuse(c, status);
		return;
	}
	c->w->c = c;
	c->state = CONN_HANDLER;
	c->deadline_ms = 0;
	c->hub->stats.requests++;
	c->hub->handler(&c->w->rq, c->hub->arg);
}

static void parse_some(struct conn *c)
{
	struct work *w = c->w;
	c->refusal = 0;
	char *from = w->in + w->start;
	size_t n = w->end - w->start;
	llhttp_errno_t e = llhttp_execute(&c->parser, from, n);
	if (e == HPE_PAUSED) {
		w->start = (size_t)(llhttp_get_error_pos(&c->parser) - w->in);
		llhttp_resume(&c->parser);
	} else if (e == HPE_OK) {
		w->start = w->end;
	} else {
		refuse(c, c->refusal ? c->refusal : 400);
		return;
	}
	if (c->complete) {
		dispatch(c);
		return;
	}
	if (c->state == CONN_HEAD && w->start - w->rs > c->hub->limits.head_bytes) {
		refuse(c, w->target_done ? 431 : 414);
		return;
	}
	if (c->state != CONN_BODY)
		return;
	if (w->place == BODY_NONE && w->content_length)
		work_place(w, w->in + w->end);
	else if (w->place == BODY_CHUNKED || w->place == BODY_APART)
		w->start = w->end = w->rs + w->top;	/* the raw bytes have been used */
	if (c->expect && w->body_len == 0) {
		struct span go = SPAN("HTTP/1.1 100 Continue\r\n\r\n");
		c->expect = false;
		c->io->send(c, &go, 1);
	}
}

/* The loop of the connection: parse and handle while there is something to do and nobody to wait for. */
static void advance(struct conn *c)
{
	if (c->advancing)
		return;
	c->advancing = true;
	while ((c->state == CONN_HEAD || c->state == CONN_BODY) && !c->corked && !c->lost && c->w && c->w->start < c->w->end)
		parse_some(c);
	c->advancing = false;
	if (c->state == CONN_END || c->lost)
		return;
	if (c->state == CONN_HEAD && c->w && c->w->rs == c->w->end)
		work_give(c->hub, &c->w);
	if (c->eof && !c->corked && (c->state == CONN_HEAD || c->state == CONN_BODY)) {
		finish(c, CONN_LINGER);
		return;
	}
	if (c->starved && c->state != CONN_HANDLER) {
		c->starved = false;
		c->io->resume(c);
	}
}

/* ---- transport side ------------------------------------------------------------------------------------------- */

void conn_init(struct conn *c, struct hub *h, const struct conn_io *io, bool secure)
{
	*c = (struct conn){.hub = h, .io = io, .secure = secure};
	llhttp_init(&c->parser, HTTP_REQUEST, &head_settings);
	c->parser.data = c;
	c->deadline_ms = hub_now_ms(h) + h->limits.idle_ms;
}

void conn_release(struct conn *c)
{
	conn_discharge(c);
	work_give(c->hub, &c->w);
}

bool conn_idle(const struct conn *c)
{
	return c->state == CONN_HEAD && (!c->w || c->w->end == c->w->rs);
}

/* Straight into a body that stands apart; never past its end, so that the next request lands in `in`. */
static bool room_apart(struct conn *c, char **at, size_t *n)
{
	struct work *w = c->w;
	struct buf *b = &w->apart;
	size_t left = (size_t)(w->content_length - w->body_len);
	size_t want = b->len < 64 * 1024 ? 64 * 1024 : b->len;
	size_t had = b->cap, has = b->len + CONN_PAD + 1 < b->cap ? b->cap - b->len - CONN_PAD - 1 : 0;
	if (has == 0) {
		if (!buf_reserve(b, (want < left ? want : left) + CONN_PAD) || !conn_charge(c, b->cap - (c->charged ? had : 0))) {
			refuse(c, 503);
			return false;
		}
		has = b->cap - b->len - CONN_PAD - 1;
	}
	*at = (char *)b->data + b->len;
	*n = has < left ? has : left;
	return true;
}

bool conn_room(struct conn *c, char **at, size_t *n)
{
	if (c->state == CONN_END || c->lost)
		return false;
	if (!c->w) {
		c->w = work_take(c->hub);
		c->w->c = c;
	}
	struct work *w = c->w;
	if (c->state == CONN_BODY && w->place == BODY_APART && w->start == w->end)
		return room_apart(c, at, n);
	if (c->state == CONN_HEAD && w->rs > 0 && w->cap - w->end < w->cap / 2) {
		memmove(w->in, w->in + w->rs, w->end - w->rs);
		w->start -= w->rs;
		w->end -= w->rs;
		w->rs = 0;
	}
	*at = w->in + w->end;
	*n = w->end < w->cap ? w->cap - w->end : 0;
	if (c->state == CONN_BODY && w->place == BODY_INPLACE && *n > w->content_length - w->body_len)
		*n = (size_t)(w->content_length - w->body_len);
	if (*n == 0)
		c->starved = true;
	return *n > 0;
}

void conn_took(struct conn *c, size_t n)
{
	struct work *w = c->w;
	if (c->state == CONN_END)
		return;
	if (n == 0) {
		if (conn_idle(c))
			work_give(c->hub, &c->w);
		return;
	}
	hub_now_ms(c->hub);
	if (c->state == CONN_BODY && w->place == BODY_APART && w->start == w->end) {
		/* The bytes are in place already; llhttp only counts them. */
		struct buf *b = &w->apart;
		c->refusal = 0;
		llhttp_errno_t e = llhttp_execute(&c->parser, (char *)b->data + b->len, n);
		if (e == HPE_PAUSED)
			llhttp_resume(&c->parser);
		else if (e != HPE_OK) {
			refuse(c, c->refusal ? c->refusal : 400);
			return;
		}
		if (c->complete) {
			c->advancing = true;
			dispatch(c);
			c->advancing = false;
		}
		if (c->state != CONN_END)
			advance(c);
		return;
	}
	if (conn_idle(c))
		c->deadline_ms = c->hub->now_ms + c->hub->limits.head_ms;
	w->end += n;
	advance(c);
}

void conn_eof(struct conn *c)
{
	c->eof = true;
	if (c->state != CONN_END)
		advance(c);
}

bool conn_lost(struct conn *c)
{
	c->lost = true;
	c->deadline_ms = 0;
	if (c->state == CONN_HANDLER) {
		c->w->rq.gone = true;
		return false;
	}
	c->state = CONN_END;
	return true;
}

void conn_uncork(struct conn *c)
{
	c->corked = false;
	if (c->state != CONN_END)
		advance(c);
}

void conn_expired(struct conn *c)
{
	c->deadline_ms = 0;
	if (c->state == CONN_HANDLER || c->state == CONN_END)
		return;
	if (conn_idle(c)) {
		finish(c, CONN_CLOSE);
		return;
	}
	refuse(c, 408);
}

/* ---- handler side --------------------------------------------------------------------------------------------- */

struct span http_field(const struct http_request *rq, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < rq->headers_len; i++)
		if (rq->headers[i].name.len == n && strncasecmp(rq->headers[i].name.at, name, n) == 0)
			return rq->headers[i].value;
	return (struct span){"", 0};
}

void http_reply(struct http_request *rq, const struct http_answer *a)
{
	struct conn *c = ((struct work *)rq)->c;
	struct hub *h = c->hub;
	must(c->state == CONN_HANDLER);
	if (c->lost) {
		finish(c, CONN_GONE);
		return;
	}
	if (a->reset) {
		finish(c, CONN_RESET);
		return;
	}
	bool keep = c->keep && !a->close && !h->draining;
	bool head_only = c->parser.method == HTTP_HEAD || a->status == 204 || a->status == 304;
	answer_head(h, a, !keep, c->parser.http_minor == 0);
	struct span v[2] = {{(const char *)h->head.data, h->head.len}, a->body};
	c->io->send(c, v, head_only || a->body.len == 0 ? 1 : 2);
	if (c->lost) {
		finish(c, CONN_GONE);
		return;
	}
	c->answered++;
	if (!keep) {
		finish(c, CONN_LINGER);
		return;
	}
	conn_discharge(c);
	work_reset(c->w);
	c->state = CONN_HEAD;
	c->deadline_ms = hub_now_ms(h) + (c->w->start < c->w->end ? h->limits.head_ms : h->limits.idle_ms);
	advance(c);
}
