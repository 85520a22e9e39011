/* The protocol without sockets: strictness (bakeoff's 41 cases and more), framing under every split, limits, codings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>
#include <libdeflate.h>

#include <cmocka.h>

#include "http/conn.h"

struct mem {
	struct conn c;	/* first */
	struct hub hub;
	struct buf out;
	struct buf bodies;	/* of requests, one behind the other, '|' between */
	bool ended, later, resumed;
	enum conn_end how;
	unsigned requests;
	struct http_request *waiting;
	char path[64], query[64], coding[64];
};

static void mem_send(struct conn *c, const struct span *v, size_t n)
{
	struct mem *m = (struct mem *)c;
	for (size_t i = 0; i < n; i++)
		buf_add(&m->out, v[i].at, v[i].len);
}
static void mem_end(struct conn *c, enum conn_end how)
{
	struct mem *m = (struct mem *)c;
	assert_false(m->ended);
	m->ended = true;
	m->how = how;
}
static void mem_resume(struct conn *c)
{
	((struct mem *)c)->resumed = true;
}
static const struct conn_io mem_io = {mem_send, mem_end, mem_resume};

static void copy(char out[64], struct span s)
{
	size_t n = s.len < 63 ? s.len : 63;
	memcpy(out, s.at, n);
	out[n] = 0;
}

static void answer(struct http_request *rq)
{
	struct http_answer a = {.status = 200, .body = SPAN("{\"status\":1}")};
	http_reply(rq, &a);
}

static void handler(struct http_request *rq, void *arg)
{
	struct mem *m = arg;
	m->requests++;
	for (size_t i = 0; i < CONN_PAD; i++)
		assert_int_equal(rq->body.at[rq->body.len + i], 0);
	buf_add(&m->bodies, rq->body.at, rq->body.len);
	buf_addc(&m->bodies, '|');
	copy(m->path, rq->path);
	copy(m->query, rq->query);
	copy(m->coding, http_field(rq, "CONTENT-encoding"));
	assert_non_null(arena_alloc(rq->arena, 100));
	if (m->later)
		m->waiting = rq;
	else
		answer(rq);
}

static void mem_open(struct mem *m, const struct http_limits *l)
{
	memset(m, 0, sizeof(*m));
	hub_init(&m->hub, l, handler, m);
	m->hub.now_ms = 1000;
	conn_init(&m->c, &m->hub, &mem_io, false);
}

static void mem_close(struct mem *m)
{
	conn_release(&m->c);
	assert_int_equal(m->hub.stats.body_bytes_held, 0);
	hub_release(&m->hub);
	buf_release(&m->out);
	buf_release(&m->bodies);
}

/* At most `step` bytes at a time; returns what the connection took. */
static size_t feed(struct mem *m, const char *p, size_t n, size_t step)
{
	size_t done = 0;
	while (done < n && !m->ended) {
		char *at;
		size_t room;
		if (!conn_room(&m->c, &at, &room))
			break;
		size_t k = n - done < room ? n - done : room;
		if (k > step)
			k = step;
		memcpy(at, p + done, k);
		conn_took(&m->c, k);
		done += k;
	}
	return done;
}

static unsigned count(const struct mem *m, const char *needle)
{
	unsigned k = 0;
	for (const char *at = (const char *)m->out.data; at && (at = strstr(at, needle)); at++)
		k++;
	return k;
}

static int first_status(const struct mem *m)
{
	return m->out.len > 12 ? atoi((const char *)m->out.data + 9) : 0;
}

/* ---- strictness ----------------------------------------------------------------------------------------------- */

#define P "POST /t HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
#define G P "Content-Length: 2\r\n\r\n{}"
enum want { OK1, OK3, REFUSED, ANY };

struct strict {
	const char *name;
	const char *bytes;
	size_t n;
	enum want want;
	int status;	/* of a refusal; 0: any 4xx or 5xx */
};
#define CASE(name, want, status, lit) {name, lit, sizeof(lit) - 1, want, status}

static const struct strict strict[] = {
	CASE("plain", OK1, 0, G),
	CASE("pipelined x3", OK3, 0, G G G),
	CASE("chunked", OK1, 0, P "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
	CASE("chunked, extension, trailer", OK1, 0, P "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n"),
	CASE("length twice, same", ANY, 0, P "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("length twice, different", REFUSED, 400, P "Content-Length: 2\r\nContent-Length: 7\r\n\r\n{}"),
	CASE("length '2, 2'", ANY, 0, P "Content-Length: 2, 2\r\n\r\n{}"),
	CASE("length '+2'", REFUSED, 400, P "Content-Length: +2\r\n\r\n{}"),
	CASE("length '-1'", REFUSED, 400, P "Content-Length: -1\r\n\r\n{}"),
	CASE("length '2 2'", REFUSED, 400, P "Content-Length: 2 2\r\n\r\n{}"),
	CASE("length '0x2'", REFUSED, 400, P "Content-Length: 0x2\r\n\r\n{}"),
	CASE("length 2^64+2", REFUSED, 400, P "Content-Length: 18446744073709551618\r\n\r\n{}"),
	CASE("length and chunked", REFUSED, 400, P "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	CASE("chunked and length", REFUSED, 400, P "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
	CASE("chunked, then identity", REFUSED, 400,
	     P "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
	CASE("xchunked", REFUSED, 400, P "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
	CASE("\\vchunked", REFUSED, 400, P "Transfer-Encoding: \x0b" "chunked\r\n\r\n0\r\n\r\n"),
	CASE("chunked in HTTP/1.0", REFUSED, 400,
	     "POST /t HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
	CASE("chunk size zz", REFUSED, 400, P "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
	CASE("chunk size of 17 digits", REFUSED, 400, P "Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n"),
	CASE("chunk size 0x2", REFUSED, 400, P "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n"),
	CASE("chunk without CRLF", REFUSED, 400, P "Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n"),
	CASE("chunk lines with bare LF", REFUSED, 400, P "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n"),
	CASE("bare LF everywhere", ANY, 0, "POST /t HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}"),
	CASE("bare CR in a value", REFUSED, 400, P "X: a\rTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("NUL in a value", REFUSED, 400, P "X: a\0b\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("space before colon", REFUSED, 400, P "Content-Length : 2\r\n\r\n{}"),
	CASE("folded line", REFUSED, 400, P "X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("folded empty line", REFUSED, 400, P "X:\r\n b\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("field without colon", REFUSED, 400, P "garbage\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("no Host", REFUSED, 400, "POST /t HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("two Hosts", REFUSED, 400, P "Host: y\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("http/1.1 in lower case", REFUSED, 400, "POST /t http/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("HTTP/3.7", REFUSED, 0, "POST /t HTTP/3.7\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("HTTP/2.0", REFUSED, 0, "POST /t HTTP/2.0\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("HTTP/0.9", REFUSED, 0, "POST /t HTTP/0.9\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("space in target", REFUSED, 400, "POST /t t HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("method with (", REFUSED, 400, "PO(T /t HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("leading CRLF", ANY, 0, "\r\n" G),
	CASE("Expect: 100-continue", OK1, 0, P "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("Expect: nonsense", REFUSED, 417, P "Expect: nonsense\r\nContent-Length: 2\r\n\r\n{}"),
	/* ours */
	CASE("HTTP/1.0 without Host", OK1, 0, "POST /t HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("gzip, chunked transfer", REFUSED, 400, P "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
	CASE("chunked twice", REFUSED, 400, P "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	CASE("absolute form", OK1, 0, "GET http://X/t?a=1 HTTP/1.1\r\nHost: x\r\n\r\n"),
	CASE("absolute form of another host", REFUSED, 400, "GET http://y/t HTTP/1.1\r\nHost: x\r\n\r\n"),
	CASE("fragment alone", REFUSED, 400, "GET #a HTTP/1.1\r\nHost: x\r\n\r\n"),
	CASE("* with GET", REFUSED, 400, "GET * HTTP/1.1\r\nHost: x\r\n\r\n"),
	CASE("* with OPTIONS", OK1, 0, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"),
	CASE("CONNECT", REFUSED, 0, "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
	CASE("userinfo in Host", REFUSED, 400, "GET /t HTTP/1.1\r\nHost: a@x\r\n\r\n"),
	CASE("Upgrade is ignored", OK1, 0, "GET /t HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"),
	CASE("HTTP/2 preface", REFUSED, 0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	CASE("TLS hello", REFUSED, 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
	CASE("unknown coding", REFUSED, 415, P "Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}"),
	CASE("two codings", REFUSED, 415, P "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
};

static void run_strict(const struct strict *s, size_t step)
{
	struct mem m;
	mem_open(&m, NULL);
	feed(&m, s->bytes, s->n, step);
	unsigned ok = count(&m, "HTTP/1.1 200 ");
	bool good = s->want == OK1 ? ok == 1 && m.requests == 1 : s->want == OK3 ? ok == 3 : s->want == ANY ? true
		: ok == 0 && m.requests == 0 && m.ended && m.how == CONN_LINGER && first_status(&m) >= 400 &&
			  count(&m, "Connection: close\r\n") == 1 && (!s->status || first_status(&m) == s->status);
	if (!good)
		fail_msg("%s, %zu bytes at a time: %u answers of 200, status %d, %u requests%s", s->name, step, ok,
			 first_status(&m), m.requests, m.ended ? ", ended" : "");
	assert_int_equal(count(&m, "HTTP/1.1 3"), 0);
	mem_close(&m);
}

static void strict_cases_under_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(strict) / sizeof(*strict); i++)
		for (size_t step = 1; step <= strict[i].n; step = step < 8 ? step + 1 : step * 2)
			run_strict(&strict[i], step == 7 ? strict[i].n : step);
}

static void smuggled_request_never_reaches_the_handler(void **state)
{
	(void)state;
	static const char *const heads[] = {
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
		"Transfer-Encoding: chunked, identity\r\n\r\n",
		"Transfer-Encoding : chunked\r\n\r\n",
		"Content-Length: 0\r\nContent-Length: 30\r\n\r\n",
		"Content-Length: 0,30\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		struct mem m;
		struct buf b;
		buf_init(&b, 0);
		buf_addf(&b, P "%s0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", heads[i]);
		mem_open(&m, NULL);
		feed(&m, (char *)b.data, b.len, b.len);
		assert_true(m.ended);
		assert_int_equal(m.requests, 0);
		assert_int_equal(count(&m, "HTTP/1.1 "), 1);
		mem_close(&m);
		buf_release(&b);
	}
}

/* ---- framing -------------------------------------------------------------------------------------------------- */

static void bodies_of_every_size_arrive_whole(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 63, 64, 65, 1500, 32768, 65000, 65530, 65536, 70000, 200000, 3000000};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (int chunked = 0; chunked < 2; chunked++) {
			struct buf b, want;
			struct mem m;
			buf_init(&b, 0);
			buf_init(&want, 0);
			for (size_t k = 0; k < sizes[i]; k++)
				buf_addc(&want, (char)('a' + (k * 7 + k / 251) % 26));
			for (int twice = 0; twice < 2; twice++) {
				buf_adds(&b, P);
				if (!chunked)
					buf_addf(&b, "Content-Length: %zu\r\n\r\n", sizes[i]);
				else
					buf_adds(&b, "Transfer-Encoding: chunked\r\n\r\n");
				for (size_t at = 0; chunked && at < sizes[i];) {
					size_t k = sizes[i] - at < 1000 + at % 777 ? sizes[i] - at : 1000 + at % 777;
					buf_addf(&b, "%zx\r\n", k);
					buf_add(&b, want.data + at, k);
					buf_adds(&b, "\r\n");
					at += k;
				}
				if (!chunked)
					buf_add(&b, want.data, want.len);
				else
					buf_adds(&b, "0\r\n\r\n");
			}
			buf_addc(&want, '|');
			for (size_t step = 1; step < 100000; step = step * 10 + 3) {
				if (step < 10 && sizes[i] > 100000)
					continue;
				mem_open(&m, NULL);
				assert_int_equal(feed(&m, (char *)b.data, b.len, step), b.len);
				assert_int_equal(m.requests, 2);
				assert_int_equal(m.bodies.len, 2 * want.len);
				assert_memory_equal(m.bodies.data, want.data, want.len);
				assert_memory_equal(m.bodies.data + want.len, want.data, want.len);
				assert_true(conn_idle(&m.c));
				assert_int_equal(m.hub.stats.body_bytes_held, 0);
				assert_null(m.c.w);	/* an idle connection holds no buffer */
				mem_close(&m);
			}
			buf_release(&b);
			buf_release(&want);
		}
}

static void answers_wait_for_their_turn(void **state)
{
	(void)state;
	struct mem m;
	mem_open(&m, NULL);
	m.later = true;
	feed(&m, G G G, sizeof(G G G) - 1, 10000);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(m.requests, i);
		assert_int_equal(count(&m, "HTTP/1.1 200 "), i - 1);
		answer(m.waiting);
	}
	assert_int_equal(count(&m, "HTTP/1.1 200 "), 3);
	assert_false(m.ended);
	mem_close(&m);
}

static void reading_stops_while_an_answer_is_outstanding(void **state)
{
	(void)state;
	struct mem m;
	mem_open(&m, NULL);
	m.later = true;
	struct buf b;
	buf_init(&b, 0);
	for (int i = 0; i < 5000; i++)
		buf_adds(&b, G);
	size_t took = feed(&m, (char *)b.data, b.len, b.len);
	assert_true(took < b.len && took <= 64 * 1024);
	unsigned done = 0;
	while (m.waiting && done < 5000) {
		struct http_request *rq = m.waiting;
		m.waiting = NULL;
		m.resumed = false;
		answer(rq);
		done++;
		if (m.resumed)
			took += feed(&m, (char *)b.data + took, b.len - took, b.len);
	}
	assert_int_equal(done, 5000);
	assert_int_equal(took, b.len);
	buf_release(&b);
	mem_close(&m);
}

static void half_closed_client_gets_its_answers(void **state)
{
	(void)state;
	struct mem m;
	mem_open(&m, NULL);
	m.later = true;
	feed(&m, G G, sizeof(G G) - 1, 10000);
	conn_eof(&m.c);
	assert_false(m.ended);
	answer(m.waiting);
	assert_int_equal(m.requests, 2);
	answer(m.waiting);
	assert_true(m.ended);
	assert_int_equal(count(&m, "HTTP/1.1 200 "), 2);
	mem_close(&m);
}

static void client_that_is_gone_is_told_to_the_handler(void **state)
{
	(void)state;
	struct mem m;
	mem_open(&m, NULL);
	m.later = true;
	feed(&m, G, sizeof(G) - 1, 10000);
	assert_false(m.waiting->gone);
	assert_false(conn_lost(&m.c));
	assert_true(m.waiting->gone);
	answer(m.waiting);
	assert_true(m.ended && m.how == CONN_GONE);
	assert_int_equal(m.out.len, 0);
	mem_close(&m);
}

static void reset_answers_nothing(void **state)
{
	(void)state;
	struct mem m;
	mem_open(&m, NULL);
	m.later = true;
	feed(&m, G, sizeof(G) - 1, 10000);
	http_reply(m.waiting, &(struct http_answer){.reset = true});
	assert_true(m.ended && m.how == CONN_RESET);
	assert_int_equal(m.out.len, 0);
	mem_close(&m);
}

static void answers_keep_their_form(void **state)
{
	(void)state;
	struct mem m;
	mem_open(&m, NULL);
	m.later = true;
	static const char head[] = "HEAD /t HTTP/1.1\r\nHost: x\r\n\r\n";
	feed(&m, head, sizeof(head) - 1, 10000);
	struct http_header fields[] = {{SPAN("X-Good"), SPAN("1")}, {SPAN("X-Bad"), SPAN("a\r\nSet-Cookie: x")}};
	http_reply(m.waiting, &(struct http_answer){.status = 200, .headers = fields, .headers_len = 2, .body = SPAN("four")});
	assert_int_equal(count(&m, "Content-Length: 4\r\n"), 1);
	assert_int_equal(count(&m, "four"), 0);
	assert_int_equal(count(&m, "X-Good: 1\r\n"), 1);
	assert_int_equal(count(&m, "Set-Cookie"), 0);
	assert_int_equal(count(&m, "Date: "), 1);
	buf_reset(&m.out);
	static const char get[] = "GET /t HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
	feed(&m, get, sizeof(get) - 1, 10000);
	http_reply(m.waiting, &(struct http_answer){.status = 204});
	assert_int_equal(count(&m, "Content-Length"), 0);
	assert_int_equal(count(&m, "Connection: keep-alive\r\n"), 1);
	assert_false(m.ended);
	mem_close(&m);
}

static void continue_is_sent_only_when_the_body_waits(void **state)
{
	(void)state;
	struct mem m;
	static const char head[] = P "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
	mem_open(&m, NULL);
	feed(&m, head, sizeof(head) - 1, 10000);
	assert_int_equal(count(&m, "HTTP/1.1 100 Continue\r\n\r\n"), 1);
	feed(&m, "{}", 2, 1);
	assert_int_equal(count(&m, "HTTP/1.1 200 "), 1);
	mem_close(&m);
	mem_open(&m, NULL);
	static const char all[] = P "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}";
	feed(&m, all, sizeof(all) - 1, 10000);
	assert_int_equal(count(&m, "HTTP/1.1 100"), 0);
	mem_close(&m);
	mem_open(&m, &(struct http_limits){.body_bytes = 10});
	static const char big[] = P "Expect: 100-continue\r\nContent-Length: 11\r\n\r\n";
	feed(&m, big, sizeof(big) - 1, 10000);
	assert_int_equal(first_status(&m), 413);	/* without asking for it first */
	mem_close(&m);
}

static void target_is_split_and_not_decoded(void **state)
{
	(void)state;
	struct mem m;
	mem_open(&m, NULL);
	static const char get[] = "GET /a%20b/?x=%41&y HTTP/1.1\r\nHost: x\r\n\r\n";
	feed(&m, get, sizeof(get) - 1, 3);
	assert_string_equal(m.path, "/a%20b/");
	assert_string_equal(m.query, "x=%41&y");
	static const char fragment[] = "GET /engage?v=1#profile-set HTTP/1.1\r\nHost: x\r\n\r\n";
	feed(&m, fragment, sizeof(fragment) - 1, 5);
	assert_string_equal(m.path, "/engage");
	assert_string_equal(m.query, "v=1");
	mem_close(&m);
}

/* ---- limits --------------------------------------------------------------------------------------------------- */

static int status_of(const struct http_limits *l, const struct buf *b, size_t step)
{
	struct mem m;
	mem_open(&m, l);
	feed(&m, (char *)b->data, b->len, step);
	int s = first_status(&m);
	assert_true(s == 200 || m.ended);
	mem_close(&m);
	return s;
}

static void limits_have_their_status(void **state)
{
	(void)state;
	for (size_t step = 1; step < 200000; step = step * 60 + 1) {
		struct buf b;
		buf_init(&b, 0);
		buf_adds(&b, P "X: ");
		for (int i = 0; i < 65536; i++)
			buf_addc(&b, 'a');
		buf_adds(&b, "\r\nContent-Length: 2\r\n\r\n{}");
		assert_int_equal(status_of(NULL, &b, step), 431);
		buf_reset(&b);
		buf_adds(&b, P "X: ");
		for (int i = 0; i < 33000; i++)	/* fits the buffer, and is over the limit */
			buf_addc(&b, 'a');
		buf_adds(&b, "\r\nContent-Length: 2\r\n\r\n{}");
		assert_int_equal(status_of(NULL, &b, step), 431);
		assert_int_equal(status_of(NULL, &b, b.len), 431);
		buf_reset(&b);
		buf_adds(&b, P);
		for (int i = 0; i < 2000; i++)
			buf_addf(&b, "X%d: y\r\n", i);
		buf_adds(&b, "Content-Length: 2\r\n\r\n{}");
		assert_int_equal(status_of(NULL, &b, step), 431);
		buf_reset(&b);
		buf_adds(&b, "GET /");
		for (int i = 0; i < 40000; i++)
			buf_addc(&b, 'a');
		assert_int_equal(status_of(NULL, &b, step), 414);
		buf_adds(&b, " HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_int_equal(status_of(NULL, &b, step), 414);
		buf_reset(&b);
		for (int i = 0; i < 40000; i++)
			buf_adds(&b, "\r\n");
		assert_true(status_of(NULL, &b, step) >= 400);
		buf_reset(&b);
		buf_adds(&b, P "Transfer-Encoding: chunked\r\n\r\n1;");
		for (int i = 0; i < 70000; i++)
			buf_addc(&b, 'e');
		assert_int_equal(status_of(NULL, &b, step), 431);
		buf_reset(&b);
		buf_adds(&b, P "Transfer-Encoding: chunked\r\n\r\n0\r\n");
		for (int i = 0; i < 9000; i++)
			buf_adds(&b, "Tr: y\r\n");
		assert_int_equal(status_of(NULL, &b, step), 431);
		buf_reset(&b);
		buf_adds(&b, P "Content-Length: 101\r\n\r\n");
		assert_int_equal(status_of(&(struct http_limits){.body_bytes = 100}, &b, step), 413);
		buf_reset(&b);
		buf_adds(&b, P "Transfer-Encoding: chunked\r\n\r\n");
		for (int i = 0; i < 11; i++)
			buf_adds(&b, "a\r\n0123456789\r\n");
		assert_int_equal(status_of(&(struct http_limits){.body_bytes = 100}, &b, step), 413);
		buf_reset(&b);
		buf_adds(&b, P "Content-Length: 3000000\r\n\r\n");
		for (int i = 0; i < 300000; i++)
			buf_adds(&b, "0123456789");
		assert_int_equal(status_of(&(struct http_limits){.memory_bytes = 1000000}, &b, step * 1000), 503);
		buf_release(&b);
	}
}

static void slow_requests_time_out(void **state)
{
	(void)state;
	struct mem m;
	mem_open(&m, NULL);
	assert_int_equal(m.c.deadline_ms, 1000 + 75000);
	feed(&m, "POST ", 5, 5);
	assert_int_equal(m.c.deadline_ms, 1000 + 10000);
	m.hub.now_ms = 9000;
	feed(&m, "/t", 2, 2);
	assert_int_equal(m.c.deadline_ms, 1000 + 10000);	/* from the first byte, not the last */
	conn_expired(&m.c);
	assert_int_equal(first_status(&m), 408);
	assert_int_equal(m.hub.stats.timeouts, 1);
	mem_close(&m);
	mem_open(&m, NULL);
	static const char head[] = P "Content-Length: 2\r\n\r\n";
	feed(&m, head, sizeof(head) - 1, 10000);
	assert_int_equal(m.c.deadline_ms, 1000 + 30000);
	conn_expired(&m.c);
	assert_int_equal(first_status(&m), 408);
	mem_close(&m);
	mem_open(&m, NULL);
	feed(&m, G, sizeof(G) - 1, 10000);
	buf_reset(&m.out);
	conn_expired(&m.c);
	assert_true(m.ended && m.how == CONN_CLOSE && m.out.len == 0);	/* idle: no 408 */
	mem_close(&m);
}

/* ---- codings -------------------------------------------------------------------------------------------------- */

static size_t compress(const char *word, const void *p, size_t n, void *out, size_t cap)
{
	if (strcmp(word, "zstd") == 0)
		return ZSTD_compress(out, cap, p, n, 3);
	struct libdeflate_compressor *z = libdeflate_alloc_compressor(9);
	size_t k = strcmp(word, "gzip") == 0 ? libdeflate_gzip_compress(z, p, n, out, cap)
					     : libdeflate_zlib_compress(z, p, n, out, cap);
	libdeflate_free_compressor(z);
	return k;
}

static int coded(const char *word, const void *p, size_t n, const struct http_limits *l, struct buf *body)
{
	struct mem m;
	struct buf b;
	buf_init(&b, 0);
	buf_addf(&b, P "Content-Encoding: %s\r\nContent-Length: %zu\r\n\r\n", word, n);
	buf_add(&b, p, n);
	mem_open(&m, l);
	feed(&m, (char *)b.data, b.len, 5000);
	int s = first_status(&m);
	if (body)
		buf_add(body, m.bodies.data, m.bodies.len);
	buf_release(&b);
	mem_close(&m);
	return s;
}

static void coded_bodies_are_decoded(void **state)
{
	(void)state;
	static const char *const words[] = {"gzip", "deflate", "zstd"};
	char *out = xmalloc(1 << 20), *zeros = xcalloc(30, 1 << 20);
	for (size_t i = 0; i < 3; i++) {
		struct buf body;
		buf_init(&body, 0);
		size_t n = compress(words[i], "{\"a\":1}", 7, out, 1 << 20);
		assert_int_equal(coded(words[i], out, n, NULL, &body), 200);
		assert_string_equal((char *)body.data, "{\"a\":1}|");
		assert_int_equal(coded(words[i], out, n - 3, NULL, NULL), 400);
		assert_int_equal(coded(words[i], "nonsense", 8, NULL, NULL), 400);
		n = compress(words[i], zeros, 30 << 20, out, 1 << 20);
		assert_true(n > 0);
		assert_int_equal(coded(words[i], out, n, NULL, NULL), 413);	/* over 20 MiB */
		n = compress(words[i], zeros, 1 << 20, out, 1 << 20);
		assert_int_equal(coded(words[i], out, n, &(struct http_limits){.ratio = 100}, NULL), 413);
		assert_int_equal(coded(words[i], out, n, &(struct http_limits){.memory_bytes = 500000, .ratio = 100000}, NULL), 503);
		assert_int_equal(coded("identity", "{}", 2, NULL, NULL), 200);
		buf_release(&body);
	}
	free(out);
	free(zeros);
}

/* What the server refuses by itself says so to the page that asked, where its Origin was read whole. */
static size_t fields_of(struct span origin, struct http_header out[static HTTP_REFUSAL_FIELDS])
{
	out[0] = (struct http_header){SPAN("Allow"), origin};
	return 1;
}

static void origin_of_refusals(void **state)
{
	(void)state;
	char big[5000];
	memset(big, 'a', sizeof big - 1);
	big[sizeof big - 1] = 0;
	const struct http_limits limits = {.head_bytes = 4096, .fields = 4, .body_bytes = 1000};
	const struct {
		const char *head, *tail;
		int status;
		bool known;
	} rows[] = {
		{"POST / HTTP/1.1\r\nHost: x\r\nOrigin: \t http://o \r\nContent-Length: 2000\r\n\r\n", "", 413, true},
		{"POST / HTTP/1.1\r\nContent-Length: 2000\r\nHost: x\r\noRIGIN:http://o\r\n\r\n", "", 413, true},
		{"POST / HTTP/1.1\r\nHost: x\r\nOrigin: http://o\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx", "", 400, true},
		{"POST / HTTP/1.1\r\nHost: x\r\nOrigin: http://o\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nxx", "", 415, true},
		{"POST / HTTP/1.1\r\nHost: x\r\nHost: y\r\nOrigin: http://o\r\n\r\n", "", 400, true},
		{"POST / HTTP/1.1\r\nHost: x\r\nOrigin: http://o\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "", 400, true},
		{"POST / HTTP/1.1\r\nHost: x\r\nOrigin: http://o\r\nX: ", big, 431, true},
		{"POST / HTTP/1.1\r\nA: x\r\nOrigin: http://o\r\nB: y\r\nC: z\r\nD: z\r\n\r\n", "", 431, true},
		{"POST / HTTP/1.1\r\nHost: x\r\nX: ", big, 431, false},	/* an Origin behind it isn't read */
		{"POST / HTTP/1.1\r\nHost: x\r\nOrigin: http://o", big, 431, false},	/* cut off: not what was meant */
		{"POST / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "", 400, false},
		{"POST / HTTP/1.1\r\nHost: x\r\nOrigin: http://o\r\nOrigin: http://o\r\nContent-Length: 2000\r\n\r\n", "", 413, false},
		{"POST / HTTP/1.1\r\nHost: x\r\nOrigin: http://o\r\n b\r\n\r\n", "", 400, false},
		{"POST ", big, 414, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t step = 1; step < 8000; step = step * 7 + 1) {
			struct mem m;
			mem_open(&m, &limits);
			m.hub.refusal = fields_of;
			feed(&m, rows[i].head, strlen(rows[i].head), step);
			if (!m.ended)
				feed(&m, rows[i].tail, strlen(rows[i].tail), step);
			buf_addc(&m.out, 0);
			if (first_status(&m) != rows[i].status || (count(&m, "Allow: http://o\r\n") == 1) != rows[i].known || count(&m, "Allow:") > 1)
				fail_msg("row %zu, step %zu: %s", i, step, (const char *)m.out.data);
			mem_close(&m);
		}
	struct mem m;
	mem_open(&m, &limits);
	m.hub.refusal = fields_of;
	static const char slow[] = "POST / HTTP/1.1\r\nHost: x\r\nOrigin: http://o\r\nX";
	feed(&m, slow, strlen(slow), 100);
	m.hub.now_ms += 60000;
	conn_expired(&m.c);
	buf_addc(&m.out, 0);
	assert_int_equal(first_status(&m), 408);
	assert_int_equal(count(&m, "Allow: http://o\r\n"), 1);
	mem_close(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(origin_of_refusals),
		cmocka_unit_test(strict_cases_under_every_split),
		cmocka_unit_test(smuggled_request_never_reaches_the_handler),
		cmocka_unit_test(bodies_of_every_size_arrive_whole),
		cmocka_unit_test(answers_wait_for_their_turn),
		cmocka_unit_test(reading_stops_while_an_answer_is_outstanding),
		cmocka_unit_test(half_closed_client_gets_its_answers),
		cmocka_unit_test(client_that_is_gone_is_told_to_the_handler),
		cmocka_unit_test(reset_answers_nothing),
		cmocka_unit_test(answers_keep_their_form),
		cmocka_unit_test(continue_is_sent_only_when_the_body_waits),
		cmocka_unit_test(target_is_split_and_not_decoded),
		cmocka_unit_test(limits_have_their_status),
		cmocka_unit_test(slow_requests_time_out),
		cmocka_unit_test(coded_bodies_are_decoded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
