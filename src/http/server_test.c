/* The server over loopback: keep-alive, TLS, slow and vanished clients, RST, stop and hand-over. */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/conn.h"

/* ---- a server on its own thread ------------------------------------------------------------------------------- */

struct late {
	uv_timer_t timer;
	struct http_request *rq;
	struct rig *rig;
};

struct rig {
	pthread_t thread;
	uv_loop_t loop;
	uv_async_t stop;
	struct http_server *server;
	struct http_limits limits;
	struct http_tls *tls;
	int fd;
	bool keep_fd;
	char bound[64];
	unsigned port;
	uint32_t grace_ms;
	_Atomic unsigned seen, gone, bodies;
	pthread_barrier_t up;
	struct http_stats stats;
};

static void close_late(uv_handle_t *h)
{
	free(h->data);
}

static void reply_late(uv_timer_t *t)
{
	struct late *l = t->data;
	l->rig->gone += l->rq->gone;
	http_reply(l->rq, &(struct http_answer){.status = 200, .body = SPAN("late")});
	uv_close((uv_handle_t *)t, close_late);
}

/* /now, /late (300 ms), /reset, /big (8 MB), /echo */
static void handler(struct http_request *rq, void *arg)
{
	struct rig *r = arg;
	r->seen++;
	if (span_eq(rq->path, "/late")) {
		struct late *l = xcalloc(1, sizeof(*l));
		uv_timer_init(rq->loop, &l->timer);
		l->timer.data = l;
		l->rq = rq;
		l->rig = r;
		uv_timer_start(&l->timer, reply_late, 300, 0);
		return;
	}
	struct http_answer a = {.status = 200, .body = SPAN("now"), .reset = span_eq(rq->path, "/reset")};
	if (span_eq(rq->path, "/big")) {
		a.body.len = 8 << 20;
		a.body.at = memset(arena_alloc(rq->arena, a.body.len), 'b', a.body.len);
	} else if (span_eq(rq->path, "/echo")) {
		a.body = rq->body;
	}
	http_reply(rq, &a);
}

static void stopped(void *arg)
{
	struct rig *r = arg;
	r->stats = http_server_stats(r->server);
	http_server_free(&r->server);
	uv_close((uv_handle_t *)&r->stop, NULL);
}

static void on_stop(uv_async_t *a)
{
	struct rig *r = a->data;
	http_server_stop(r->server, r->grace_ms, stopped, r);
}

static void *serve(void *arg)
{
	struct rig *r = arg;
	struct err err;
	uv_loop_init(&r->loop);
	uv_async_init(&r->loop, &r->stop, on_stop);
	r->stop.data = r;
	must(http_server_new(&r->loop, r->fd, r->tls, &r->limits, handler, r, &r->server, &err) == 0);
	pthread_barrier_wait(&r->up);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&r->loop) == 0);
	return NULL;
}

static void rig_start(struct rig *r)
{
	struct err err;
	if (!r->keep_fd)
		assert_int_equal(http_listen("127.0.0.1:0", &r->fd, r->bound, &err), 0);
	r->port = (unsigned)atoi(strrchr(r->bound, ':') + 1);
	if (!r->grace_ms)
		r->grace_ms = 2000;
	pthread_barrier_init(&r->up, NULL, 2);
	assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
	pthread_barrier_wait(&r->up);
}

static void rig_stop(struct rig *r)
{
	uv_async_send(&r->stop);
	pthread_join(r->thread, NULL);
	pthread_barrier_destroy(&r->up);
	assert_int_equal(r->stats.body_bytes_held, 0);
	if (!r->keep_fd)
		close(r->fd);
}

/* ---- a client ------------------------------------------------------------------------------------------------- */

static int dial(const struct rig *r)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	struct timeval tv = {5, 0};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

static void put(int fd, const char *s)
{
	assert_int_equal(send(fd, s, strlen(s), MSG_NOSIGNAL), strlen(s));
}

/* Reads until `want` shows up, the peer closes (0) or it fails (-errno). */
static int get_until(int fd, char *out, size_t cap, const char *want)
{
	size_t n = 0;
	out[0] = 0;
	while (n + 1 < cap) {
		ssize_t k = recv(fd, out + n, cap - n - 1, 0);
		if (k <= 0)
			return k < 0 ? -errno : 0;
		n += (size_t)k;
		out[n] = 0;
		if (want && strstr(out, want))
			return 1;
	}
	return 1;
}

static int64_t ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void one_connection_many_requests(void **state)
{
	(void)state;
	struct rig r = {0};
	char in[4096];
	rig_start(&r);
	int fd = dial(&r);
	for (int i = 0; i < 50; i++) {
		put(fd, GET("/now"));
		assert_int_equal(get_until(fd, in, sizeof(in), "\r\n\r\nnow"), 1);
	}
	put(fd, GET("/late") GET("/now"));
	assert_int_equal(get_until(fd, in, sizeof(in), "\r\n\r\nnow"), 1);
	assert_true(strstr(in, "late") && strstr(in, "late") < strstr(in, "\r\n\r\nnow"));
	close(fd);
	rig_stop(&r);
	assert_int_equal(r.stats.requests, 52);
	assert_int_equal(r.stats.accepted, 1);
	assert_int_equal(r.stats.open, 0);
}

static void answer_larger_than_the_socket_takes(void **state)
{
	(void)state;
	struct rig r = {0};
	rig_start(&r);
	int fd = dial(&r);
	put(fd, GET("/big") GET("/now"));
	usleep(100000);
	char *in = xmalloc(9 << 20);
	assert_int_equal(get_until(fd, in, 9 << 20, "\r\n\r\nnow"), 1);
	char *body = strstr(in, "\r\n\r\nb");
	assert_non_null(body);
	assert_int_equal(strspn(body + 4, "b"), 8 << 20);
	free(in);
	close(fd);
	rig_stop(&r);
}

static void refusal_reaches_a_client_that_still_sends(void **state)
{
	(void)state;
	struct rig r = {.limits = {.body_bytes = 1000}};
	char in[4096], chunk[4096];
	memset(chunk, 'x', sizeof(chunk));
	rig_start(&r);
	int fd = dial(&r);
	put(fd, "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n");
	for (int i = 0; i < 400; i++)
		if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) < 0)
			break;
	for (int i = 0; i < 3; i++) {	/* behind our answer, too */
		usleep(30000);
		assert_int_equal(send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL), sizeof(chunk));
	}
	assert_int_equal(get_until(fd, in, sizeof(in), NULL), 0);	/* to a clean end, no reset */
	assert_non_null(strstr(in, "HTTP/1.1 413 Content Too Large\r\n"));
	assert_non_null(strstr(in, "Connection: close\r\n"));
	close(fd);
	rig_stop(&r);
	assert_int_equal(r.stats.refused_limit, 1);
}

static void slow_clients_are_cut(void **state)
{
	(void)state;
	struct rig r = {.limits = {.head_ms = 300, .body_ms = 300, .idle_ms = 300}};
	char in[4096];
	rig_start(&r);
	static const struct {
		const char *send, *answer;
	} rows[] = {
		{"GET / HT", "HTTP/1.1 408 "},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{", "HTTP/1.1 408 "},
		{"", ""},
		{GET("/now"), "HTTP/1.1 200 "},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int fd = dial(&r);
		int64_t t = ms();
		if (*rows[i].send)
			put(fd, rows[i].send);
		assert_int_equal(get_until(fd, in, sizeof(in), NULL), 0);
		assert_true(strncmp(in, rows[i].answer, strlen(rows[i].answer)) == 0);
		assert_true(ms() - t >= 250 && ms() - t < 2000);
		close(fd);
	}
	rig_stop(&r);
	assert_int_equal(r.stats.timeouts, 2);
}

static void vanished_client_does_not_disturb(void **state)
{
	(void)state;
	struct rig r = {0};
	char in[4096];
	rig_start(&r);
	struct linger now = {1, 0};
	int fd = dial(&r);
	put(fd, GET("/late"));
	while (!r.seen)
		usleep(1000);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);	/* RST while the handler is pending */
	fd = dial(&r);
	put(fd, GET("/late"));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);	/* a half-close is not leaving */
	assert_int_equal(get_until(fd, in, sizeof(in), NULL), 0);
	assert_non_null(strstr(in, "late"));
	close(fd);
	rig_stop(&r);
	assert_int_equal(r.gone, 1);
}

static void quarantine_resets(void **state)
{
	(void)state;
	struct rig r = {0};
	char in[64];
	rig_start(&r);
	int fd = dial(&r);
	put(fd, GET("/reset"));
	assert_int_equal(get_until(fd, in, sizeof(in), NULL), -ECONNRESET);
	close(fd);
	rig_stop(&r);
}

static void connections_over_the_limit_are_closed(void **state)
{
	(void)state;
	struct rig r = {.limits = {.connections = 2}};
	char in[4096];
	rig_start(&r);
	int a = dial(&r), b = dial(&r);
	put(a, GET("/now"));
	assert_int_equal(get_until(a, in, sizeof(in), "now"), 1);
	put(b, GET("/now"));
	assert_int_equal(get_until(b, in, sizeof(in), "now"), 1);
	int c = dial(&r);
	assert_true(get_until(c, in, sizeof(in), NULL) <= 0);
	close(a);
	close(b);
	close(c);
	rig_stop(&r);
}

/* ---- stop and hand-over --------------------------------------------------------------------------------------- */

static void stop_answers_what_is_under_way(void **state)
{
	(void)state;
	struct rig r = {0};
	char in[4096];
	rig_start(&r);
	int fd = dial(&r), idle = dial(&r), fresh = dial(&r);
	put(idle, GET("/now"));
	assert_int_equal(get_until(idle, in, sizeof(in), "now"), 1);
	put(fd, GET("/late"));
	while (r.seen < 2)
		usleep(1000);
	int64_t t = ms();
	uv_async_send(&r.stop);
	usleep(200000);
	put(fresh, GET("/now"));	/* accepted before, heard from just now */
	assert_int_equal(get_until(fresh, in, sizeof(in), NULL), 0);
	assert_non_null(strstr(in, "\r\n\r\nnow"));
	close(fresh);
	assert_int_equal(get_until(fd, in, sizeof(in), NULL), 0);
	assert_non_null(strstr(in, "late"));
	assert_non_null(strstr(in, "Connection: close\r\n"));
	assert_int_equal(get_until(idle, in, sizeof(in), NULL), 0);
	close(fd);
	close(idle);
	pthread_join(r.thread, NULL);
	pthread_barrier_destroy(&r.up);
	close(r.fd);
	assert_true(ms() - t < 1900);
}

static void stop_is_bounded(void **state)
{
	(void)state;
	struct rig r = {.grace_ms = 100};
	rig_start(&r);
	int fd = dial(&r);
	put(fd, GET("/late"));	/* answers after the server has gone */
	while (r.seen < 1)
		usleep(1000);
	rig_stop(&r);
	assert_int_equal(r.gone, 1);
	close(fd);
}

struct load {
	struct rig *rig;
	_Atomic bool end;
	unsigned asked, answered, refused;
};

static void *load_run(void *arg)
{
	struct load *l = arg;
	char in[4096];
	while (!l->end) {
		int fd = dial(l->rig);
		put(fd, GET("/now"));
		l->asked++;
		if (get_until(fd, in, sizeof(in), "\r\n\r\nnow") == 1)
			l->answered++;
		close(fd);
	}
	return NULL;
}

static void hand_over_refuses_nobody(void **state)
{
	(void)state;
	struct rig r[6] = {{0}};
	struct err err;
	int fd;
	char bound[64];
	pthread_t thread;
	assert_int_equal(http_listen("127.0.0.1:0", &fd, bound, &err), 0);
	for (size_t i = 0; i < 6; i++) {
		r[i].keep_fd = true;
		r[i].fd = fd;
		memcpy(r[i].bound, bound, sizeof(bound));
	}
	rig_start(&r[0]);
	struct load l = {.rig = &r[0]};
	pthread_create(&thread, NULL, load_run, &l);
	for (size_t i = 1; i < 6; i++) {
		usleep(30000);
		rig_stop(&r[i - 1]);
		usleep(30000);	/* nobody serves: the kernel's queue holds them */
		rig_start(&r[i]);
	}
	l.end = true;
	pthread_join(thread, NULL);
	rig_stop(&r[5]);
	close(fd);
	assert_true(l.asked > 50);
	assert_int_equal(l.answered, l.asked);
}

static void addresses_are_checked(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "::1:80", "999.1.1.1:80"};
	struct err err;
	char bound[64];
	int fd, again;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(http_listen(bad[i], &fd, bound, &err), -1);
	assert_int_equal(http_listen("127.0.0.1:0", &fd, bound, &err), 0);
	char copy[64];
	memcpy(copy, bound, sizeof(copy));
	assert_int_equal(http_listen(copy, &again, bound, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	close(fd);
}

/* ---- TLS ------------------------------------------------------------------------------------------------------ */

static void self_signed(struct buf *cert, struct buf *key)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, k);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	must(X509_sign(x, k, EVP_sha256()) > 0);
	BIO *b = BIO_new(BIO_s_mem()), *c = BIO_new(BIO_s_mem());
	char *p;
	PEM_write_bio_X509(b, x);
	buf_add(cert, (BIO_get_mem_data(b, &p), p), (size_t)BIO_get_mem_data(b, &p));
	PEM_write_bio_PrivateKey(c, k, NULL, NULL, 0, NULL, NULL);
	buf_add(key, (BIO_get_mem_data(c, &p), p), (size_t)BIO_get_mem_data(c, &p));
	BIO_free(b);
	BIO_free(c);
	X509_free(x);
	EVP_PKEY_free(k);
}

static void over_tls(void **state)
{
	(void)state;
	struct buf cert, key;
	struct err err;
	struct rig r = {0};
	buf_init(&cert, 0);
	buf_init(&key, 0);
	self_signed(&cert, &key);
	struct span c = {(char *)cert.data, cert.len}, k = {(char *)key.data, key.len};
	assert_int_equal(http_tls_new(SPAN("nonsense"), k, &r.tls, &err), -1);
	assert_int_equal(http_tls_new(c, SPAN("nonsense"), &r.tls, &err), -1);
	assert_int_equal(http_tls_new(c, k, &r.tls, &err), 0);
	rig_start(&r);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		int fd = dial(&r);
		SSL *ssl = SSL_new(ctx);
		SSL_set_min_proto_version(ssl, version);
		SSL_set_max_proto_version(ssl, version);
		SSL_set_alpn_protos(ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12);
		SSL_set_fd(ssl, fd);
		assert_int_equal(SSL_connect(ssl), 1);
		size_t n = 300000, got = 0, total;
		char *big = xmalloc(n), *in = xmalloc(n + 1000);
		memset(big, 'e', n);
		for (int round = 0; round < 3; round++) {
			char head[128];
			int h = snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", n);
			assert_int_equal(SSL_write(ssl, head, h), h);
			assert_int_equal(SSL_write(ssl, big, (int)n), (int)n);
			for (got = 0, total = SIZE_MAX; got < total;) {
				int x = SSL_read(ssl, in + got, (int)(n + 999 - got));
				assert_true(x > 0);
				got += (size_t)x;
				in[got] = 0;
				char *end = strstr(in, "\r\n\r\n");
				if (end)
					total = (size_t)(end + 4 - in) + n;
			}
			assert_int_equal(got, total);
			assert_int_equal(strspn(in + total - n, "e"), n);
		}
		free(big);
		free(in);
		SSL_shutdown(ssl);
		SSL_free(ssl);
		close(fd);
	}
	char in[512];
	int fd = dial(&r);	/* plain HTTP to the TLS port */
	put(fd, GET("/now"));
	assert_true(get_until(fd, in, sizeof(in), NULL) <= 0);
	close(fd);
	assert_int_equal(r.seen, 6);
	SSL_CTX_free(ctx);
	rig_stop(&r);
	http_tls_free(&r.tls);
	buf_release(&cert);
	buf_wipe(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_connection_many_requests),
		cmocka_unit_test(answer_larger_than_the_socket_takes),
		cmocka_unit_test(refusal_reaches_a_client_that_still_sends),
		cmocka_unit_test(slow_clients_are_cut),
		cmocka_unit_test(vanished_client_does_not_disturb),
		cmocka_unit_test(quarantine_resets),
		cmocka_unit_test(connections_over_the_limit_are_closed),
		cmocka_unit_test(stop_answers_what_is_under_way),
		cmocka_unit_test(stop_is_bounded),
		cmocka_unit_test(hand_over_refuses_nobody),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(over_tls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
