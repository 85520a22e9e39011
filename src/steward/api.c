/* The API listener: /healthz, /metrics (Prometheus text exposition format 0.0.4), /tlog/ and the console (api/api.h). */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/say.h"
#include "canary/canary.h"
#include "discover/discover.h"
#include "steward/desk.h"
#include "steward/private.h"
#include "tlog/tlog.h"

static void reply(struct http_request *rq, int status, const char *type, struct span body)
{
	const struct http_header h[] = {{SPAN("Content-Type"), {type, strlen(type)}}, {SPAN("Cache-Control"), SPAN("no-store")}};
	http_reply(rq, &(const struct http_answer){.status = status, .headers = h, .headers_len = 2, .body = body});
}

static const char plain[] = "text/plain; charset=utf-8";

struct vendor_counts {
	struct buf flow, not_after;
};

static bool count_vendor(void *arg, const struct registry_vendor *v)
{
	static const char *const flows[] = {"open", "restricted", "suspended", "quarantined"};
	struct vendor_counts *c = arg;
	if (v->life != LIFE_APPROVED)
		return true;
	for (int i = 0; i < 4; i++)
		buf_addf(&c->flow, "weir_vendor_flow{vendor=\"%s\",flow=\"%s\"} %d\n", v->vendor, flows[i], (int)registry_flow(v) == i);
	if (v->not_after != INT64_MAX)
		buf_addf(&c->not_after, "weir_vendor_not_after_seconds{vendor=\"%s\"} %lld\n", v->vendor, (long long)v->not_after);
	return true;
}

static void add_own(struct steward *s, struct buf *b)
{
	struct err err;
	struct vendor_counts c;
	buf_init(&c.flow, 0);
	buf_init(&c.not_after, 0);
	if (registry_vendors(s->registry, count_vendor, &c, &err) < 0)
		buf_adds(b, "# the registry can't be read\n");
	metrics_head(b, "weir_vendor_flow", "gauge", "1 for the flow that an approved vendor has.");
	buf_add(b, c.flow.data, c.flow.len);
	metrics_head(b, "weir_vendor_not_after_seconds", "gauge", "When the vendor's plan ends by itself, Unix time; absent: never.");
	buf_add(b, c.not_after.data, c.not_after.len);
	discover_metrics(b);
	buf_release(&c.flow);
	buf_release(&c.not_after);
}

static void add_all(struct steward *s, json_t *answers, struct buf *out)
{
	const char *role;
	json_t *answer;
	struct buf b;
	buf_init(&b, 0);
	metrics_head(&b, "weir_process_answers", "gauge", "1: the process answered this request for metrics.");
	for (enum role r = ROLE_SUPERVISOR; r < ROLES; r++)
		if (r != ROLE_STEWARD)
			buf_addf(&b, "weir_process_answers{process=\"%s\"} %d\n", role_names[r], json_object_get(answers, role_names[r]) != NULL);
	json_object_foreach(answers, role, answer) {
		const char *text = json_string_value(json_object_get(answer, "text"));
		buf_adds(&b, text ? text : "");
		if (b.len && b.data[b.len - 1] != '\n')
			buf_addc(&b, '\n');
	}
	add_own(s, &b);
	*out = b;
}

static void on_health(struct steward *s, json_t *answers, void *arg)
{
	struct http_request *rq = arg;
	struct buf b;
	buf_init(&b, 0);
	bool good = truth_health(s->registry, answers, &b);
	char *body = arena_strndup(rq->arena, (const char *)b.data, b.len);
	struct span span = {body, body ? b.len : 0};
	buf_release(&b);
	reply(rq, good ? 200 : 503, plain, span);
}

static void on_metrics(struct steward *s, json_t *answers, void *arg)
{
	struct http_request *rq = arg;
	struct buf b;
	add_all(s, answers, &b);
	char *body = arena_strndup(rq->arena, (const char *)b.data, b.len);
	struct span span = {body, b.len};
	buf_release(&b);
	if (body)
		reply(rq, 200, "text/plain; version=0.0.4; charset=utf-8", span);
	else
		reply(rq, 503, plain, SPAN("too much to say\n"));
}

/* ---- the console's questions ------------------------------------------------------------------------------------ */

struct question {
	void (*done)(void *rq, const char *text);
	void *rq;
};

static void on_answers(struct steward *s, json_t *answers, void *arg)
{
	struct question *q = arg;
	struct buf b;
	add_all(s, answers, &b);
	buf_addc(&b, 0);
	q->done(q->rq, (const char *)b.data);
	buf_release(&b);
	free(q);
}

static void metrics(void *arg, void (*done)(void *rq, const char *text), void *rq)
{
	struct question *q = xcalloc(1, sizeof *q);
	*q = (struct question){done, rq};
	gather_start(arg, "metrics", on_answers, q);
}

static json_t *ask(void *arg, json_t *request)
{
	struct steward *s = arg;
	json_t *answer = desk_do(s->registry, request, "console", clock_now());
	json_decref(request);
	return answer;
}

/*
 * The canaries' trap: /t/TOKEN, or a Host that starts with TOKEN.  Whoever comes gets the same empty answer, planted or not.
 */
static bool trapped(struct steward *s, struct http_request *rq)
{
	char token[CANARY_TOKEN + 1];
	struct err err;
	struct span host = http_field(rq, "host");
	bool path = rq->path.len >= 3 && memcmp(rq->path.at, "/t/", 3) == 0;
	bool named = host.len > CANARY_TOKEN && host.at[CANARY_TOKEN] == '.';
	if (!path && !named)
		return false;
	if (canary_find_token(path ? rq->path : (struct span){host.at, CANARY_TOKEN + 1}, token)) {
		json_t *answer = json_object();
		if (canary_hit(s->registry, token, "web", clock_now(), answer, &err) < 0 && err.code != ERR_NOTFOUND)
			say(SAY_ERROR, "canary-lost", "why", S(err.msg), NULL);
		json_decref(answer);
	}
	http_reply(rq, &(const struct http_answer){.status = 204});
	return true;
}

/* ---- the transparency log, as c2sp.org/tlog-tiles has it ----------------------------------------------------------- */

/* Tiles never change; the checkpoint does.  What is there is for everybody: it holds nothing personal. */
static void reply_log(struct http_request *rq, const struct buf *b, bool tile)
{
	const char *type = tile ? "application/octet-stream" : plain;
	const struct http_header h[] = {
		{SPAN("Content-Type"), {type, strlen(type)}},
		{SPAN("Cache-Control"), tile ? SPAN("public, max-age=31536000, immutable") : SPAN("no-cache")},
		{SPAN("X-Content-Type-Options"), SPAN("nosniff")},
	};
	const char *body = arena_strndup(rq->arena, (const char *)b->data, b->len);
	struct http_answer a = {.status = 200, .headers = h, .headers_len = 3, .body = {body, b->len}};
	if (body)
		http_reply(rq, &a);
	else
		reply(rq, 503, plain, SPAN("too much to say\n"));
}

static void serve_log(struct steward *s, struct http_request *rq)
{
	struct span path = {rq->path.at + sizeof "/tlog/" - 1, rq->path.len - (sizeof "/tlog/" - 1)};
	unsigned level, width;
	uint64_t n;
	int dir = child_fd(s->c, "tlog"), r = -1;
	struct err err = {.code = ERR_NOTFOUND};
	struct buf b;
	buf_init(&b, 0);
	bool tile = tlog_tile_parse(path, &level, &n, &width);
	if (tile)
		r = tlog_tile_read(&fio_os, dir, level, n, width, &b, &err);
	else if (span_eq(path, "checkpoint"))
		r = tlog_file_read(&fio_os, dir, "checkpoint", TLOG_NOTE_MAX, &b, &err);
	if (r == 0)
		reply_log(rq, &b, tile);
	else if (err.code == ERR_NOTFOUND)
		reply(rq, 404, plain, SPAN("there is checkpoint, and the tiles that it reaches\n"));
	else
		reply(rq, 500, plain, SPAN("the log can't be read\n"));
	buf_release(&b);
}

static bool is_log(const struct http_request *rq)
{
	return rq->path.len > 6 && memcmp(rq->path.at, "/tlog/", 6) == 0;
}

static void on_request(struct http_request *rq, void *arg)
{
	struct steward *s = arg;
	if (!s->stopping && trapped(s, rq))
		return;
	if (!s->stopping && api_serve(s->api, rq))
		return;
	if (!span_eq(rq->method, "GET") && !span_eq(rq->method, "HEAD"))
		reply(rq, 405, plain, SPAN("GET only\n"));
	else if (span_eq(rq->path, "/healthz") && !s->stopping)
		gather_start(s, "status", on_health, rq);
	else if (is_log(rq) && !s->stopping)
		serve_log(s, rq);
	else if (span_eq(rq->path, "/metrics") && !s->stopping)
		gather_start(s, "metrics", on_metrics, rq);
	else
		reply(rq, s->stopping ? 503 : 404, plain, s->stopping ? SPAN("stopping\n") : SPAN("there is /healthz, /metrics and /tlog/checkpoint\n"));
}

int api_start(struct steward *s, int listen_fd, struct err *err)
{
	const struct http_limits limits = {.body_bytes = 1 << 20, .connections = 1000, .memory_bytes = 16 << 20};
	s->api = api_new(&(const struct api_host){.loop = &s->loop, .registry = s->registry, .ask = ask, .metrics = metrics, .arg = s});
	return http_server_new(&s->loop, listen_fd, NULL, &limits, on_request, s, &s->http, err);
}
