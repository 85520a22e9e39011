/* The server: one loop, one handler.  Answers wait in timers when they are delayed, in a list when they hang. */
#include "sink/sink.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sink/seen.h"

enum { SWEEP_MS = 1000, HEADERS = 8 };

struct pending {
	struct sink *sink;
	struct http_request *rq;
	struct http_answer answer;
	struct http_header headers[HEADERS];
	bool never;
	uv_timer_t timer;
};

struct sink {
	const struct sink_options *o;
	uv_loop_t loop;
	uv_signal_t term, interrupt;
	struct http_server *server;
	int capture;
	uint64_t requests, objects;
	struct buf line;
	bool stopping;
};

/* ---- printing ---- */

static bool write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t k = write(fd, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

static void show(struct sink *s, const struct seen *seen)
{
	const struct seen_look look = {.colour = s->o->colour, .width = s->o->width};
	if (s->o->json || s->capture >= 0) {
		buf_reset(&s->line);
		seen_json(seen, &s->line);
		int to = s->capture >= 0 ? s->capture : STDOUT_FILENO;
		if (!write_all(to, s->line.data, s->line.len))
			fprintf(stderr, "weir: sink: can't write what arrived: %s\n", strerror(errno));
	}
	if (s->o->json)
		return;
	buf_reset(&s->line);
	seen_text(seen, &look, &s->line);
	if (!write_all(STDOUT_FILENO, s->line.data, s->line.len))
		uv_stop(&s->loop);	/* nobody reads any more */
}

/* ---- answering ---- */

static void forget(uv_handle_t *h)
{
	free(h->data);
}

static void answer_now(struct pending *p)
{
	http_reply(p->rq, &p->answer);
	p->rq = NULL;
	uv_close((uv_handle_t *)&p->timer, forget);
}

static void due(uv_timer_t *t)
{
	struct pending *p = t->data;
	if (!p->never || p->rq->gone || p->sink->stopping)
		answer_now(p);
}

static void add_header(struct pending *p, const char *name, struct span value)
{
	must(p->answer.headers_len < HEADERS);
	p->headers[p->answer.headers_len++] = (struct http_header){{name, strlen(name)}, value};
}

/* A browser may be pointed here directly, to see what a page sends without Weir. */
static void add_cors(struct pending *p)
{
	struct span origin = http_field(p->rq, "origin"), asked = http_field(p->rq, "access-control-request-headers");
	if (!origin.len)
		return;
	add_header(p, "Access-Control-Allow-Origin", origin);
	add_header(p, "Access-Control-Allow-Credentials", SPAN("true"));
	add_header(p, "Vary", SPAN("Origin"));
	if (asked.len)
		add_header(p, "Access-Control-Allow-Headers", asked);
}

static bool unlucky(const struct sink_options *o)
{
	return o->fail_status && (double)random() / (double)RAND_MAX < o->fail_share;
}

/* What the vendor would say.  --fail 200 is Mixpanel's way to refuse: a fine status around {"status":0}. */
static void fill_answer(struct sink *s, struct pending *p, const struct seen *seen, struct arena *a)
{
	struct wire_reply r = {.status = 404, .content_type = "application/json", .body = SPAN("{\"status\":0,\"error\":\"no such route\"}")};
	bool fail = unlucky(s->o);
	if (seen->route) {
		enum outcome o = seen->route->mode == ROUTE_REFUSE ? OUTCOME_REJECTED
				 : seen->wrong || fail		   ? OUTCOME_UNREADABLE
								   : OUTCOME_ACCEPTED;
		const char *error = fail ? "asked for by --fail" : seen->wrong;
		seen->adapter->reply(seen->route, &seen->wire.style, o, (uint32_t)seen->n, 0, error, a, &r);
	}
	if (fail)
		r.status = s->o->fail_status;
	p->answer.status = r.status;
	p->answer.body = r.body;
	add_header(p, "Content-Type", (struct span){r.content_type, strlen(r.content_type)});
	if (fail && (r.status == 429 || r.status == 503))
		add_header(p, "Retry-After", SPAN("1"));
}

static void preflight(struct http_request *rq)
{
	struct pending p = {.rq = rq, .answer = {.status = 204}};
	p.answer.headers = p.headers;
	add_cors(&p);
	add_header(&p, "Access-Control-Allow-Methods", SPAN("GET, POST, OPTIONS"));
	http_reply(rq, &p.answer);
}

static void handle(struct http_request *rq, void *arg)
{
	struct sink *s = arg;
	struct seen seen;
	if (span_eq(rq->method, "OPTIONS")) {
		preflight(rq);
		return;
	}
	struct pending *p = xcalloc(1, sizeof *p);
	*p = (struct pending){.sink = s, .rq = rq, .never = s->o->hang};
	p->answer.headers = p->headers;
	seen_read(&seen, rq, rq->arena);
	fill_answer(s, p, &seen, rq->arena);
	add_cors(p);
	seen.status = p->never ? 0 : p->answer.status;
	s->requests++;
	s->objects += seen.n;
	show(s, &seen);
	uv_timer_init(&s->loop, &p->timer);
	p->timer.data = p;
	if (p->never)
		uv_timer_start(&p->timer, due, SWEEP_MS, SWEEP_MS);
	else if (s->o->delay_ms)
		uv_timer_start(&p->timer, due, s->o->delay_ms, 0);
	else
		answer_now(p);
}

/* ---- life ---- */

static void stopped(void *arg)
{
	struct sink *s = arg;
	uv_stop(&s->loop);
}

static void on_signal(uv_signal_t *h, int signum)
{
	struct sink *s = h->data;
	(void)signum;
	if (s->stopping)
		return;
	s->stopping = true;
	http_server_stop(s->server, s->o->hang ? 1 : 1000, stopped, s);
}

static int start(struct sink *s, int fd, struct err *err)
{
	uv_loop_init(&s->loop);
	uv_signal_init(&s->loop, &s->term);
	uv_signal_init(&s->loop, &s->interrupt);
	s->term.data = s->interrupt.data = s;
	uv_signal_start(&s->term, on_signal, SIGTERM);
	uv_signal_start(&s->interrupt, on_signal, SIGINT);
	const struct http_limits limits = {.body_bytes = 64u << 20, .memory_bytes = 1u << 30};
	return http_server_new(&s->loop, fd, NULL, &limits, handle, s, &s->server, err);
}

static int open_capture(struct sink *s, struct err *err)
{
	s->capture = -1;
	if (!s->o->capture)
		return 0;
	s->capture = open(s->o->capture, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return s->capture < 0 ? err_sys(err, "%s", s->o->capture) : 0;
}

int sink_run(const struct sink_options *o, struct err *err)
{
	struct sink s = {.o = o};
	char bound[64];
	int fd;
	buf_init(&s.line, 0);
	signal(SIGPIPE, SIG_IGN);
	srandom((unsigned)getpid());
	if (open_capture(&s, err) != 0 || http_listen(o->listen, &fd, bound, err) != 0)
		return -1;
	if (start(&s, fd, err) != 0)
		return -1;
	printf("weir: sink ready http://%s\n", bound);
	fflush(stdout);
	uv_run(&s.loop, UV_RUN_DEFAULT);
	fprintf(stderr, "weir: sink: %llu requests, %llu objects\n", (unsigned long long)s.requests, (unsigned long long)s.objects);
	buf_release(&s.line);
	if (s.capture >= 0)
		close(s.capture);
	close(fd);
	return 0;
}
