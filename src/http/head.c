/*
 * A request's head, as llhttp (strict mode) hands it over in fragments; this file adds what stands above parsing: one Host,
 * limits, Expect, targets.  RFC 9112; the refusals name their section.
 */
#include "http/work.h"

#include <stdlib.h>

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
		if (span_is(name, "host")) {
			hosts++;
			*host = value;
		} else if (span_is(name, "expect")) {
			if (!span_is(value, "100-continue"))
				return no(c, 417);
			c->expect = c->parser.http_minor == 1;
		} else if (span_is(name, "transfer-encoding")) {
			if (c->parser.http_minor == 0 || transfers++)
				return no(c, 400);	/* RFC 9112 6.1 */
			if (!span_is(value, "chunked"))
				return no(c, 400);	/* 501 by the book; a coding we don't undo is treated like smuggling */
		} else if (span_is(name, "content-encoding") && codings_seen++) {
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
	c->deadline_ms = hub_now_ms(h) + h->limits.body_ms;
	return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
	struct conn *c = of(p);
	struct work *w = c->w;
	if (w->place == BODY_NONE)
		work_place(w, at);
	w->body_len += n;
	if (w->place == BODY_INPLACE)
		return 0;
	if (w->body_len > c->hub->limits.body_bytes)
		return no(c, 413);
	if (w->apart.data && at == (const char *)w->apart.data + w->apart.len) {
		w->apart.len += n;	/* read straight into place */
		return 0;
	}
	return work_apart(c, at, n) ? 0 : no(c, 503);
}

static int on_complete(llhttp_t *p)
{
	of(p)->complete = true;
	return HPE_PAUSED;
}

const llhttp_settings_t head_settings = {
	.on_message_begin = on_begin, .on_url = on_url, .on_url_complete = on_url_complete, .on_header_field = on_field,
	.on_header_value = on_value, .on_header_value_complete = on_value_complete, .on_headers_complete = on_headers,
	.on_body = on_body, .on_message_complete = on_complete, .on_chunk_extension_name = on_extension,
	.on_chunk_extension_value = on_extension,
};
