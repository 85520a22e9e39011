/*
 * Requests out of bytes, answers in order.  Framing is llhttp's (strict mode); this file adds what stands above parsing:
 * one Host, limits, Expect, content codings, targets, time.  RFC 9112; the refusals name their section.
 *
 * The read buffer of a request (`in`):
 *
 *   0 ... rs ............. top ........ start ........... end ............ cap (+ pad)
 *         |- pinned: head and, when it fits, the body -|- not yet parsed -|
 *
 * Header spans are offsets from rs until the head is complete, so that the buffer may be compacted before that.
 */
#include "http/conn.h"

#include <stdlib.h>
#include <strings.h>

#include "base/inflate.h"

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

/* ---- hub and pool --------------------------------------------------------------------------------------------- */

static const struct http_limits defaults = {
	.head_bytes = 32768, .fields = 100, .body_bytes = 20u << 20, .ratio = 1000, .head_ms = 10000, .body_ms = 30000,
	.idle_ms = 75000, .connections = 10000, .memory_bytes = 256u << 20,
};

void hub_init(struct hub *h, const struct http_limits *l, http_handler handler, void *arg)
{
	*h = (struct hub){.limits = l ? *l : defaults, .handler = handler, .arg = arg, .date_at = -1};
	struct http_limits *m = &h->limits;
#define FILL(field) (m->field = m->field ? m->field : defaults.field)
	FILL(head_bytes), FILL(fields), FILL(body_bytes), FILL(ratio), FILL(head_ms), FILL(body_ms);
	FILL(idle_ms), FILL(connections), FILL(memory_bytes);
#undef FILL
	buf_init(&h->head, 0);
}

static void work_free(struct work *w)
{
	arena_release(&w->arena);
	buf_release(&w->apart);
	buf_release(&w->plain);
	free(w->headers);
	free(w->in);
	free(w);
}

void hub_release(struct hub *h)
{
	for (struct work *w = h->pool, *next; w; w = next) {
		next = w->next;
		work_free(w);
	}
	h->pool = NULL;
	h->pool_len = 0;
	buf_release(&h->head);
}

static struct work *work_take(struct hub *h)
{
	struct work *w = h->pool;
	if (w) {
		h->pool = w->next;
		h->pool_len--;
	} else {
		w = xcalloc(1, sizeof(*w));
		w->cap = (size_t)h->limits.head_bytes * 2;
		if (w->cap < 64 * 1024)
			w->cap = 64 * 1024;
		w->in = xmalloc(w->cap + CONN_PAD);
		w->headers = xcalloc(h->limits.fields, sizeof(*w->headers));
		arena_init(&w->arena, (size_t)h->limits.body_bytes * 4 + (1u << 20));
		buf_init(&w->apart, 0);
		buf_init(&w->plain, 0);
	}
	w->next = NULL;
	w->rs = w->start = w->end = 0;
	return w;
}

static void buf_shed(struct buf *b)
{
	if (b->cap > CONN_KEEP_BYTES)
		buf_release(b);
	buf_reset(b);
}

/* Ready for the next head; what is buffered behind the last request stays. */
static void work_reset(struct work *w)
{
	arena_reset(&w->arena);
	buf_shed(&w->apart);
	buf_shed(&w->plain);
	w->rs = w->start;
	w->top = w->headers_len = w->head_extra = w->body_at = w->body_len = 0;
	w->target = (struct span){NULL, 0};
	w->spans = SPANS_OFFSETS;
	w->target_done = false;
	w->place = BODY_NONE;
	w->content_length = 0;
	if (w->start == w->end)
		w->rs = w->start = w->end = 0;
}

static void work_give(struct hub *h, struct work **wp)
{
	struct work *w = *wp;
	*wp = NULL;
	if (!w)
		return;
	w->start = w->end = 0;
	work_reset(w);
	if (h->pool_len >= CONN_POOL) {
		work_free(w);
		return;
	}
	w->next = h->pool;
	h->pool = w;
	h->pool_len++;
}

/* Counts n more bytes of body memory; false over the loop's ceiling. */
static bool charge(struct conn *c, uint64_t n)
{
	struct hub *h = c->hub;
	if (h->stats.body_bytes_held + n > h->limits.memory_bytes)
		return false;
	h->stats.body_bytes_held += n;
	c->charged += n;
	return true;
}

static void discharge(struct conn *c)
{
	c->hub->stats.body_bytes_held -= c->charged;
	c->charged = 0;
}

/* ---- ends ----------------------------------------------------------------------------------------------------- */

static uint64_t now_ms(struct hub *h)
{
	if (h->loop)
		h->now_ms = uv_now(h->loop);
	return h->now_ms;
}

static void finish(struct conn *c, enum conn_end how)
{
	c->state = CONN_END;
	c->deadline_ms = 0;
	discharge(c);
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

/* ---- parser callbacks ----------------------------------------------------------------------------------------- */

static struct conn *of(llhttp_t *p)
{
	return p->data;
}

/* Ends the parse with this status. */
static int no(struct conn *c, int status)
{
	c->refusal = status;
	return -1;
}

/* Joins a fragment to a span held as offsets; fragments of one token stand side by side unless it was folded. */
static bool join(struct work *w, struct span *s, const char *at, size_t n, bool first)
{
	size_t off = (size_t)(at - (w->in + w->rs));
	if (first)
		*s = (struct span){(const char *)off, 0};
	else if ((size_t)s->at + s->len != off)
		return false;
	s->len += n;
	w->top = off + n;
	return true;
}

static int on_begin(llhttp_t *p)
{
	struct conn *c = of(p);
	c->field_open = false;
	return 0;
}

static int on_url(llhttp_t *p, const char *at, size_t n)
{
	struct conn *c = of(p);
	return join(c->w, &c->w->target, at, n, c->w->target.len == 0) ? 0 : no(c, 400);
}

static int on_url_complete(llhttp_t *p)
{
	of(p)->w->target_done = true;
	return 0;
}

/* Trailers and chunk extensions are read past, and bounded together. */
static int extra(struct conn *c, size_t n)
{
	c->w->head_extra += n + 2;
	return c->w->head_extra > c->hub->limits.head_bytes ? no(c, 431) : 0;
}

static int on_extension(llhttp_t *p, const char *at, size_t n)
{
	(void)at;
	return extra(of(p), n);
}

static int on_field(llhttp_t *p, const char *at, size_t n)
{
	struct conn *c = of(p);
	struct work *w = c->w;
	if (c->state == CONN_BODY)
		return extra(c, n);
	bool first = !c->field_open;
	if (first) {
		if (w->headers_len == c->hub->limits.fields)
			return no(c, 431);
		w->headers[w->headers_len++] = (struct http_header){{NULL, 0}, {NULL, 0}};
		c->field_open = true;
	}
	return join(w, &w->headers[w->headers_len - 1].name, at, n, first) ? 0 : no(c, 400);
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	struct conn *c = of(p);
	struct work *w = c->w;
	if (c->state == CONN_BODY)
		return extra(c, n);
	struct span *v = &w->headers[w->headers_len - 1].value;
	return join(w, v, at, n, v->len == 0) ? 0 : no(c, 400);	/* RFC 9112 5.2: folded lines are refused */
}

static int on_value_complete(llhttp_t *p)
{
	of(p)->field_open = false;
	return 0;
}

static bool same(struct span s, const char *lit)
{
	return s.len == strlen(lit) && strncasecmp(s.at, lit, s.len) == 0;
}

/* Offsets become pointers; outer blanks of values go (RFC 9110 5.5).  False for a folded line. */
static bool settle_spans(struct work *w)
{
	const char *base = w->in + w->rs;
	w->spans = SPANS_BROKEN;
	w->target.at = base + (size_t)w->target.at;
	for (size_t i = 0; i < w->headers_len; i++) {
		struct span *n = &w->headers[i].name, *v = &w->headers[i].value;
		n->at = base + (size_t)n->at;
		v->at = v->len ? base + (size_t)v->at : n->at + n->len;
		if (memchr(n->at, '\n', (size_t)(v->at - n->at)))
			return false;
		while (v->len && (v->at[v->len - 1] == ' ' || v->at[v->len - 1] == '\t'))
			v->len--;
		while (v->len && (*v->at == ' ' || *v->at == '\t'))
			v->at++, v->len--;
	}
	w->spans = SPANS_SETTLED;
	return true;
}

/*
 * RFC 9112 3.2: origin form, absolute form that agrees with Host, or * for OPTIONS.  A fragment isn't sent by the book,
 * but Mixpanel documents its profile calls with one (/engage#profile-set) and clients copy it; it is left off.
 */
static int split_target(struct conn *c, struct span host)
{
	struct http_request *rq = &c->w->rq;
	struct span t = c->w->target;
	const char *hash = memchr(t.at, '#', t.len);
	if (hash)
		t.len = (size_t)(hash - t.at);
	size_t scheme = t.len > 7 && strncasecmp(t.at, "http://", 7) == 0	 ? 7
			: t.len > 8 && strncasecmp(t.at, "https://", 8) == 0 ? 8
									     : 0;
	if (scheme) {
		const char *at = t.at + scheme, *end = t.at + t.len, *slash = at;
		while (slash < end && *slash != '/' && *slash != '?')
			slash++;
		if ((size_t)(slash - at) != host.len || strncasecmp(at, host.at, host.len) != 0)
			return no(c, 400);
		t = slash == end ? SPAN("/") : (struct span){slash, (size_t)(end - slash)};
	}
	if (t.len == 0 || (*t.at != '/' && !(span_eq(t, "*") && c->parser.method == HTTP_OPTIONS)))
		return no(c, 400);
	const char *q = memchr(t.at, '?', t.len);
	rq->path = (struct span){t.at, q ? (size_t)(q - t.at) : t.len};
	rq->query = q ? (struct span){q + 1, (size_t)(t.at + t.len - q) - 1} : (struct span){"", 0};
	return 0;
}

/* What a Host may hold (RFC 3986 authority without userinfo), so that routing by it can't be confused. */
static bool host_clean(struct span h)
{
	for (size_t i = 0; i < h.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%", h.at[i]))
			return false;
	return true;
}

/* Fields that decide framing and routing, checked together. */
static int check_fields(struct conn *c, struct span *host)
{
	struct work *w = c->w;
	unsigned hosts = 0, transfers = 0, codings_seen = 0;
	for (size_t i = 0; i < w->headers_len; i++) {
		struct span name = w->headers[i].name, value = w->headers[i].value;
		if (same(name, "host")) {
			hosts++;
			*host = value;
		} else if (same(name, "expect")) {
			if (!same(value, "100-continue"))
				return no(c, 417);
			c->expect = c->parser.http_minor == 1;
		} else if (same(name, "transfer-encoding")) {
			if (c->parser.http_minor == 0 || transfers++)
				return no(c, 400);	/* RFC 9112 6.1 */
			if (!same(value, "chunked"))
				return no(c, 400);	/* 501 by the book; a coding we don't undo is treated like smuggling */
		} else if (same(name, "content-encoding") && codings_seen++) {
			return no(c, 415);
		}
	}
	if (hosts > 1 || (hosts == 0 && c->parser.http_minor == 1) || !host_clean(*host))
		return no(c, 400);	/* RFC 9112 3.2 */
	return 0;
}

static int on_headers(llhttp_t *p)
{
	struct conn *c = of(p);
	struct hub *h = c->hub;
	struct work *w = c->w;
	struct span host = {"", 0};
	if (w->top > h->limits.head_bytes)
		return no(c, w->target.len > h->limits.head_bytes ? 414 : 431);
	if (p->http_major != 1 || p->http_minor > 1)
		return no(c, 505);
	if (p->method == HTTP_CONNECT)
		return no(c, 405);
	p->upgrade = 0;	/* RFC 9110 7.8: a server may ignore Upgrade */
	if (!settle_spans(w))
		return no(c, 400);
	if (check_fields(c, &host) != 0)
		return -1;
	const char *method = llhttp_method_name((llhttp_method_t)p->method);
	w->rq = (struct http_request){.method = {method, strlen(method)}, .headers = w->headers, .headers_len = w->headers_len,
				      .body = {"", 0}, .arena = &w->arena, .loop = h->loop, .secure = c->secure};
	if (split_target(c, host) != 0)
		return -1;
	c->keep = llhttp_should_keep_alive(p);
	if (!(p->flags & F_CHUNKED)) {
		w->content_length = p->content_length;
		if (p->content_length > h->limits.body_bytes)
			return no(c, 413);
	} else {
		w->place = BODY_CHUNKED;
	}
	c->state = CONN_BODY;
	c->deadline_ms = now_ms(h) + h->limits.body_ms;
	return 0;
}

static bool apart_add(struct conn *c, const char *at, size_t n)
{
	struct buf *b = &c->w->apart;
	size_t had = b->cap;
	if (!buf_reserve(b, n + CONN_PAD))
		return false;
	if (!charge(c, b->cap - (c->charged ? had : 0)))
		return false;
	memcpy(b->data + b->len, at, n);
	b->len += n;
	return true;
}

/* Where a body of known length goes, seen from its first byte (or the place where that will be read). */
static void place_body(struct work *w, const char *at)
{
	size_t off = (size_t)(at - w->in);
	w->place = w->cap - off >= w->content_length ? BODY_INPLACE : BODY_APART;
	w->body_at = off;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
	struct conn *c = of(p);
	struct work *w = c->w;
	if (w->place == BODY_NONE)
		place_body(w, at);
	w->body_len += n;
	if (w->place == BODY_INPLACE)
		return 0;
	if (w->body_len > c->hub->limits.body_bytes)
		return no(c, 413);
	if (w->apart.data && at == (const char *)w->apart.data + w->apart.len) {
		w->apart.len += n;	/* read straight into place */
		return 0;
	}
	return apart_add(c, at, n) ? 0 : no(c, 503);
}

static int on_complete(llhttp_t *p)
{
	of(p)->complete = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_message_begin = on_begin, .on_url = on_url, .on_url_complete = on_url_complete, .on_header_field = on_field,
	.on_header_value = on_value, .on_header_value_complete = on_value_complete, .on_headers_complete = on_headers,
	.on_body = on_body, .on_message_complete = on_complete, .on_chunk_extension_name = on_extension,
	.on_chunk_extension_value = on_extension,
};

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
	if (w->place == BODY_INPLACE && !apart_add(c, w->in + w->body_at, w->body_len))
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
	while (i < known && !same(word, codings[i].word))
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
	if (!charge(c, w->plain.len))
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
		place_body(w, w->in + w->end);
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
	llhttp_init(&c->parser, HTTP_REQUEST, &settings);
	c->parser.data = c;
	c->deadline_ms = now_ms(h) + h->limits.idle_ms;
}

void conn_release(struct conn *c)
{
	discharge(c);
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
		if (!buf_reserve(b, (want < left ? want : left) + CONN_PAD) || !charge(c, b->cap - (c->charged ? had : 0))) {
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
	now_ms(c->hub);
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
	discharge(c);
	work_reset(c->w);
	c->state = CONN_HEAD;
	c->deadline_ms = now_ms(h) + (c->w->start < c->w->end ? h->limits.head_ms : h->limits.idle_ms);
	advance(c);
}
