/*
 * From a request to its vendor, adapter and route: by Host (gate.hosts) or by the path's first segment, which is
 * stripped.  With it CORS, since browsers' SDKs send credentials: the exact Origin is echoed, never `*`.
 * Nothing here answers 3xx, and nothing of a target is logged or echoed.
 */
#include <stdlib.h>
#include <strings.h>

#include "gate/inside.h"

enum { FIELDS_MAX = 8 };

struct fields {
	struct http_header v[FIELDS_MAX];
	size_t n;
};

static void field(struct fields *f, struct span name, struct span value)
{
	must(f->n < FIELDS_MAX);
	f->v[f->n++] = (struct http_header){name, value};
}

static void cors_of(struct span origin, struct fields *f)
{
	if (origin.len == 0)
		return;
	field(f, SPAN("Access-Control-Allow-Origin"), origin);
	field(f, SPAN("Access-Control-Allow-Credentials"), SPAN("true"));
	field(f, SPAN("Vary"), SPAN("Origin"));
}

static void cors(const struct http_request *rq, struct fields *f)
{
	cors_of(http_field(rq, "origin"), f);
}

/* What the server refuses by itself: without these a browser's SDK sees a network error, and can't halve or give up. */
size_t gate_refusal(struct span origin, struct http_header out[static HTTP_REFUSAL_FIELDS])
{
	struct fields f = {.n = 0};
	cors_of(origin, &f);
	memcpy(out, f.v, f.n * sizeof *out);
	return f.n;
}

static void send_out(struct http_request *rq, int status, struct fields *f, struct span body)
{
	http_reply(rq, &(struct http_answer){.status = status, .headers = f->v, .headers_len = f->n, .body = body});
}

void gate_answer(struct http_request *rq, const struct wire_reply *reply)
{
	struct fields f = {.n = 0};
	char seconds[16];
	cors(rq, &f);
	if (f.n)
		field(&f, SPAN("Access-Control-Expose-Headers"), SPAN("Retry-After"));
	if (reply->content_type)
		field(&f, SPAN("Content-Type"), (struct span){reply->content_type, strlen(reply->content_type)});
	if (reply->retry_after_s) {
		struct buf b;
		buf_init(&b, sizeof(seconds));
		buf_addf(&b, "%d", reply->retry_after_s);
		memcpy(seconds, b.data, b.len);
		field(&f, SPAN("Retry-After"), (struct span){seconds, b.len});
		buf_release(&b);
	}
	send_out(rq, reply->status, &f, reply->body);
}

/* What Weir itself has to say: no adapter speaks for a vendor that isn't known. */
static void answer_plain(struct http_request *rq, int status, const char *error)
{
	struct buf b;
	buf_init(&b, 256);
	buf_addf(&b, "{\"error\":\"weir: %s\"}\n", error);
	struct wire_reply r = {.status = status, .content_type = "application/json", .retry_after_s = status == 503 ? 10 : 0};
	r.body.at = arena_strndup(rq->arena, (const char *)b.data, b.len);
	r.body.len = r.body.at ? b.len : 0;
	buf_release(&b);
	gate_answer(rq, &r);
}

/* Fetch, "CORS-preflight request": mirrors what is asked, for the routes decide afterwards anyway. */
static void preflight(struct http_request *rq)
{
	struct fields f = {.n = 0};
	struct span wanted = http_field(rq, "access-control-request-headers");
	cors(rq, &f);
	field(&f, SPAN("Access-Control-Allow-Methods"), SPAN("GET, POST, OPTIONS"));
	if (wanted.len)
		field(&f, SPAN("Access-Control-Allow-Headers"), wanted);
	field(&f, SPAN("Access-Control-Max-Age"), SPAN("7200"));
	send_out(rq, 204, &f, (struct span){"", 0});
}

/* The vendor that gate.hosts gives this Host (port and case aside), or NULL. */
static const char *vendor_by_host(const struct gate *g, const struct http_request *rq)
{
	struct span host = http_field(rq, "host");
	const char *colon = host.len ? memrchr(host.at, ':', host.len) : NULL;
	if (colon && !memchr(colon, ']', (size_t)(host.at + host.len - colon)))
		host.len = (size_t)(colon - host.at);
	for (size_t i = 0; i < g->hosts_len; i++)
		if (strlen(g->host_names[i]) == host.len && strncasecmp(g->host_names[i], host.at, host.len) == 0)
			return g->host_vendors[i];
	return NULL;
}

/* Vendor's name; *path becomes what the vendor would see. */
static struct span split_vendor(const struct gate *g, const struct http_request *rq, struct span *path)
{
	const char *by_host = vendor_by_host(g, rq);
	*path = rq->path;
	if (by_host)
		return (struct span){by_host, strlen(by_host)};
	if (path->len < 2 || *path->at != '/')
		return (struct span){"", 0};
	const char *name = path->at + 1, *end = path->at + path->len, *slash = memchr(name, '/', (size_t)(end - name));
	*path = slash ? (struct span){slash, (size_t)(end - slash)} : SPAN("/");
	return (struct span){name, (size_t)((slash ? slash : end) - name)};
}

static unsigned method_of(const struct http_request *rq)
{
	return span_eq(rq->method, "POST") ? METHOD_POST : span_eq(rq->method, "GET") ? METHOD_GET : 0;
}

static void fixed_reply(struct http_request *rq, const struct adapter *a, const struct route *r, enum outcome o)
{
	struct wire_reply reply = {.status = 500};
	a->reply(r, NULL, o, 0, 0, NULL, rq->arena, &reply);
	gate_answer(rq, &reply);
}

static void to_route(struct loop *l, struct http_request *rq, struct view *v, struct span path)
{
	unsigned index, method = method_of(rq);
	const struct route *r = method ? adapter_route(v->adapter, path, method, &index) : NULL;
	if (!r) {
		answer_plain(rq, 404, "this vendor's protocol has no such path and method");
		return;
	}
	switch (r->mode) {
	case ROUTE_DELIVER:
		gate_request(l, rq, v, r, index, path, method);
		return;
	case ROUTE_PIN:
		fixed_reply(rq, v->adapter, r, OUTCOME_ACCEPTED);
		return;
	case ROUTE_SYNC:	/* no adapter needs it yet */
	case ROUTE_REFUSE:
		gate_count(v->vendor, COUNT_ROUTE, 1);
		fixed_reply(rq, v->adapter, r, OUTCOME_REJECTED);
		return;
	}
}

void gate_route(struct http_request *rq, void *loop)
{
	struct loop *l = loop;
	struct view v;
	struct span path, name = split_vendor(l->gate, rq, &path);
	if (!gate_view_take(l->gate, name, &v)) {
		if (name.len && !atomic_load(&l->gate->plans_known))
			answer_plain(rq, 503, "plans are still being loaded");
		else
			answer_plain(rq, 404, "no such vendor");
		return;
	}
	if (v.plan && v.plan->closed == CLOSED_QUARANTINED) {
		gate_count(v.vendor, COUNT_QUARANTINED, 1);
		http_reply(rq, &(struct http_answer){.reset = true});
	} else if (span_eq(rq->method, "OPTIONS")) {
		preflight(rq);
	} else if (!v.adapter) {
		gate_count(v.vendor, COUNT_NO_PLAN, 1);
		answer_plain(rq, 503, "this vendor has no valid plan");
	} else {
		to_route(l, rq, &v, path);	/* keeps the view when the request goes to the log */
	}
	gate_view_release(&v);
}
