/*
 * Bytes into a connection, cut as the first byte says.  Property beside the sanitizers: the same bytes in one piece and
 * in many give the same requests and the same answers.
 */
#include <stdlib.h>

#include "http/conn.h"

struct mem {
	struct conn c;
	struct buf out, seen;
	bool ended;
};

static void mem_send(struct conn *c, const struct span *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_add(&((struct mem *)c)->out, v[i].at, v[i].len);
}
static void mem_end(struct conn *c, enum conn_end how)
{
	(void)how;
	must(!((struct mem *)c)->ended);
	((struct mem *)c)->ended = true;
}
static void mem_resume(struct conn *c)
{
	(void)c;
}
static const struct conn_io io = {mem_send, mem_end, mem_resume};

static void handler(struct http_request *rq, void *arg)
{
	struct mem *m = arg;
	for (size_t i = 0; i < CONN_PAD; i++)
		must(rq->body.at[rq->body.len + i] == 0);
	buf_add(&m->seen, rq->method.at, rq->method.len);
	buf_add(&m->seen, rq->path.at, rq->path.len);
	buf_add(&m->seen, rq->query.at, rq->query.len);
	for (size_t i = 0; i < rq->headers_len; i++)
		buf_add(&m->seen, rq->headers[i].value.at, rq->headers[i].value.len);
	buf_add(&m->seen, rq->body.at, rq->body.len);
	http_reply(rq, &(struct http_answer){.status = 200, .body = rq->path});
}

static void run(struct mem *m, const uint8_t *p, size_t n, unsigned step)
{
	struct hub h;
	memset(m, 0, sizeof(*m));
	hub_init(&h, &(struct http_limits){.head_bytes = 600, .fields = 12, .body_bytes = 100000, .memory_bytes = 200000}, handler, m);
	h.date_at = INT64_MAX;
	conn_init(&m->c, &h, &io, false);
	for (size_t at = 0, k; at < n && !m->ended; at += k) {
		char *to;
		size_t room;
		if (!conn_room(&m->c, &to, &room))
			break;
		k = step && step < room ? step : room;
		if (k > n - at)
			k = n - at;
		memcpy(to, p + at, k);
		conn_took(&m->c, k);
	}
	if (!m->ended)
		conn_eof(&m->c);
	must(h.stats.body_bytes_held == 0);
	conn_release(&m->c);
	hub_release(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 1)
		return 0;
	struct mem whole, cut;
	run(&whole, p + 1, n - 1, 0);
	run(&cut, p + 1, n - 1, 1u + p[0] % 64);
	must(whole.seen.len == cut.seen.len && (!cut.seen.len || memcmp(whole.seen.data, cut.seen.data, cut.seen.len) == 0));
	buf_release(&whole.out);
	buf_release(&whole.seen);
	buf_release(&cut.out);
	buf_release(&cut.seen);
	return 0;
}
