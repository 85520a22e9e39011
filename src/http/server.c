/*
 * The transport of connections: accepting, libuv streams, TLS, time, stopping.
 *
 * A link is a connection on a socket.  It lives until its handle is closed and its handler has answered, whichever is
 * later; such a link without a handle is an orphan and keeps the server's memory alive.
 *
 * Hand-over: the listening socket is shared.  A server that stops leaves what waits in the kernel's queue to the next
 * one, and gives connections that it had accepted and not yet heard from a moment to ask.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/conn.h"

enum { SCRATCH = 64 * 1024, TICK_MS = 100, LINGER_MS = 1000, IDLE_GRACE_MS = 500, ACCEPT_BURST = 32, SEND_PARTS = 4 };

struct link {
	struct conn conn;	/* first: conn_io gets its address */
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_tcp_t tcp;
		uv_pipe_t pipe;
	} u;
	struct http_server *s;
	struct link *prev, *next;
	struct tls_link *tls;
	size_t queued;		/* writes libuv holds */
	uint64_t linger_at, write_at;	/* 0, or when patience ends */
	bool reading, eof, linger, half_closed, closing, closed, pumping;
};

struct http_server {
	struct hub hub;
	uv_loop_t *loop;
	struct http_tls *tls;
	bool tcp;
	int fd;			/* our copy of the listening socket */
	uv_poll_t poll;
	uv_timer_t timer;
	struct link *links;
	unsigned handles;	/* poll and timer, until closed */
	unsigned orphans;
	bool paused, stopping, freed, told;
	uint64_t kill_at;
	void (*done)(void *arg);
	void *done_arg;
	char *scratch;
};

static void on_timer(uv_timer_t *t);

static void server_dispose(struct http_server *s)
{
	if (!s->freed || s->orphans)
		return;
	hub_release(&s->hub);
	free(s->scratch);
	free(s);
}

static void tell_done(struct http_server *s)
{
	if (s->told || !s->stopping || s->handles || s->links)
		return;
	s->told = true;
	if (s->done)
		s->done(s->done_arg);
}

static void on_own_closed(uv_handle_t *h)
{
	struct http_server *s = h->data;
	s->handles--;
	tell_done(s);
}

static void close_timer(struct http_server *s)
{
	if (!uv_is_closing((uv_handle_t *)&s->timer))
		uv_close((uv_handle_t *)&s->timer, on_own_closed);
}

/* ---- ending a link -------------------------------------------------------------------------------------------- */

static void link_free(struct link *l)
{
	conn_release(&l->conn);
	tls_link_free(&l->tls);
	free(l);
}

static void on_link_closed(uv_handle_t *h)
{
	struct link *l = h->data;
	struct http_server *s = l->s;
	l->closed = true;
	*(l->prev ? &l->prev->next : &s->links) = l->next;
	if (l->next)
		l->next->prev = l->prev;
	s->hub.stats.open--;
	if (l->conn.state == CONN_HANDLER)
		s->orphans++;
	else
		link_free(l);
	if (s->stopping && !s->links)
		close_timer(s);
	tell_done(s);
}

static void link_close(struct link *l, bool reset)
{
	if (l->closing)
		return;
	l->closing = true;
	if (!reset || !l->s->tcp || uv_tcp_close_reset(&l->u.tcp, on_link_closed) != 0)
		uv_close(&l->u.handle, on_link_closed);
}

static void link_broken(struct link *l)
{
	if (l->closing)
		return;
	(void)conn_lost(&l->conn);
	link_close(l, false);
}

/* ---- sending -------------------------------------------------------------------------------------------------- */

struct rest {	/* what the kernel didn't take */
	uv_write_t req;
	struct link *l;
	size_t len;
	char data[];
};

static void start_reading(struct link *l);

static void half_close(struct link *l)
{
	uv_os_fd_t fd;
	l->half_closed = true;
	if (l->eof || uv_fileno(&l->u.handle, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
		link_close(l, false);
		return;
	}
	l->linger_at = uv_now(l->s->loop) + LINGER_MS;
	start_reading(l);
}

static void on_written(uv_write_t *req, int status)
{
	struct rest *r = (struct rest *)req;
	struct link *l = r->l;
	l->queued -= r->len;
	free(r);
	if (l->closing)
		return;
	if (status < 0) {
		link_broken(l);
		return;
	}
	if (l->queued)
		return;
	l->write_at = 0;
	if (l->linger)
		half_close(l);
	else
		conn_uncork(&l->conn);
}

/* One writev; what doesn't fit is copied and corks the connection. */
static void wire_send(struct link *l, const struct span *v, size_t n)
{
	uv_buf_t bufs[SEND_PARTS];
	size_t total = 0, sent = 0, at = 0;
	must(n <= SEND_PARTS);
	for (size_t i = 0; i < n; i++) {
		bufs[i] = uv_buf_init((char *)(uintptr_t)v[i].at, (unsigned)v[i].len);
		total += v[i].len;
	}
	if (total == 0)
		return;
	if (!l->queued) {
		int r = uv_try_write(&l->u.stream, bufs, (unsigned)n);
		if (r < 0 && r != UV_EAGAIN) {
			link_broken(l);
			return;
		}
		sent = r > 0 ? (size_t)r : 0;
	}
	if (sent == total)
		return;
	struct rest *r = xmalloc(sizeof(*r) + total - sent);
	r->l = l;
	r->len = total - sent;
	for (size_t i = 0; i < n; i++) {
		size_t skip = sent < v[i].len ? sent : v[i].len;
		memcpy(r->data + at, v[i].at + skip, v[i].len - skip);
		at += v[i].len - skip;
		sent -= skip;
	}
	uv_buf_t all = uv_buf_init(r->data, (unsigned)r->len);
	l->queued += r->len;
	l->conn.corked = true;
	l->write_at = uv_now(l->s->loop) + l->s->hub.limits.body_ms;
	if (uv_write(&r->req, &l->u.stream, &all, 1, on_written) != 0) {
		l->queued -= r->len;
		free(r);
		link_broken(l);
	}
}

static void flush_tls(struct link *l)
{
	struct span out = tls_link_wire(l->tls);
	if (out.len == 0 || l->closing)
		return;
	wire_send(l, &out, 1);
	tls_link_sent(l->tls);
}

static void link_send(struct conn *c, const struct span *v, size_t n)
{
	struct link *l = (struct link *)c;
	if (l->closing)
		return;
	if (!l->tls) {
		wire_send(l, v, n);
		return;
	}
	bool ok = true;
	if (n == 2 && v[0].len + v[1].len <= SCRATCH) {	/* one record, not two */
		memcpy(l->s->scratch, v[0].at, v[0].len);
		memcpy(l->s->scratch + v[0].len, v[1].at, v[1].len);
		ok = tls_link_write(l->tls, l->s->scratch, v[0].len + v[1].len);
	} else {
		for (size_t i = 0; i < n && ok; i++)
			ok = tls_link_write(l->tls, v[i].at, v[i].len);
	}
	flush_tls(l);
	if (!ok)
		link_broken(l);
}

static void link_end(struct conn *c, enum conn_end how)
{
	struct link *l = (struct link *)c;
	struct http_server *s = l->s;
	if (how == CONN_GONE) {
		if (l->closed) {
			s->orphans--;
			link_free(l);
			server_dispose(s);
		}
		return;
	}
	if (l->closing)
		return;
	if (how != CONN_RESET && l->tls) {
		tls_link_bye(l->tls);
		flush_tls(l);
	}
	if (how != CONN_LINGER) {
		link_close(l, how == CONN_RESET);
		return;
	}
	l->linger = true;
	if (!l->queued && !l->closing)
		half_close(l);
}

/* ---- receiving ------------------------------------------------------------------------------------------------ */

static void pump_tls(struct link *l)
{
	if (l->pumping)
		return;
	l->pumping = true;
	while (!l->closing && !l->linger) {
		char *at;
		size_t n;
		if (!conn_room(&l->conn, &at, &n))
			break;
		ssize_t r = tls_link_read(l->tls, at, n);
		conn_took(&l->conn, r > 0 ? (size_t)r : 0);
		if (r > 0)
			continue;
		if (r == -2) {
			flush_tls(l);	/* the alert */
			link_broken(l);
		} else if ((r == -1 || l->eof) && !l->closing && !l->linger) {
			conn_eof(&l->conn);
		}
		break;
	}
	l->pumping = false;
	if (!l->closing)
		flush_tls(l);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
	struct link *l = h->data;
	char *at = l->s->scratch;
	size_t n = SCRATCH;
	(void)suggested;
	if (!l->linger && !l->tls && !conn_room(&l->conn, &at, &n))
		n = 0;	/* comes back as UV_ENOBUFS */
	*buf = uv_buf_init(at, (unsigned)n);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct link *l = stream->data;
	if (l->closing)
		return;
	if (n == UV_ENOBUFS) {
		if (!l->linger) {
			uv_read_stop(stream);
			l->reading = false;
		}
	} else if (n == UV_EOF) {
		uv_read_stop(stream);
		l->reading = false;
		l->eof = true;
		if (l->half_closed)
			link_close(l, false);
		else if (l->tls && !l->linger)
			pump_tls(l);
		else if (!l->linger)
			conn_eof(&l->conn);
	} else if (n < 0) {
		link_broken(l);
	} else if (l->linger) {
		return;	/* read past, so that our answer isn't lost to a reset */
	} else if (l->tls) {
		if (n > 0)
			tls_link_feed(l->tls, buf->base, (size_t)n);
		pump_tls(l);
		if (l->conn.starved && !l->closing && !l->linger) {
			uv_read_stop(stream);
			l->reading = false;
		}
	} else {
		conn_took(&l->conn, (size_t)n);
	}
}

static void start_reading(struct link *l)
{
	if (l->reading || l->eof || l->closing)
		return;
	l->reading = true;
	if (uv_read_start(&l->u.stream, on_alloc, on_read) != 0)
		link_broken(l);
}

static void link_resume(struct conn *c)
{
	struct link *l = (struct link *)c;
	start_reading(l);
	if (l->tls)
		pump_tls(l);
}

static const struct conn_io link_io = {.send = link_send, .end = link_end, .resume = link_resume};

/* ---- accepting ------------------------------------------------------------------------------------------------ */

static void watch_time(struct http_server *s)
{
	if (!uv_is_active((uv_handle_t *)&s->timer))
		uv_timer_start(&s->timer, on_timer, TICK_MS, TICK_MS);
}

static void adopt(struct http_server *s, int fd)
{
	struct link *l = xcalloc(1, sizeof(*l));
	int r = s->tcp ? uv_tcp_init(s->loop, &l->u.tcp) : uv_pipe_init(s->loop, &l->u.pipe, 0);
	must(r == 0);
	l->s = s;
	l->u.handle.data = l;
	l->next = s->links;
	if (s->links)
		s->links->prev = l;
	s->links = l;
	s->hub.stats.open++;
	conn_init(&l->conn, &s->hub, &link_io, s->tls != NULL);
	if (s->tls) {
		l->tls = tls_link_new(s->tls);
		l->conn.deadline_ms = uv_now(s->loop) + s->hub.limits.head_ms;
	}
	watch_time(s);
	r = s->tcp ? uv_tcp_open(&l->u.tcp, fd) : uv_pipe_open(&l->u.pipe, fd);
	if (r != 0) {
		close(fd);
		link_broken(l);
		return;
	}
	if (s->tcp)
		uv_tcp_nodelay(&l->u.tcp, 1);
	start_reading(l);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct http_server *s = poll->data;
	(void)status, (void)events;
	for (int i = 0; i < ACCEPT_BURST; i++) {
		int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
				uv_poll_stop(poll);	/* until the next tick, or the loop would spin */
				s->paused = true;
				watch_time(s);
			}
			return;
		}
		s->hub.stats.accepted++;
		if (s->hub.stats.open >= s->hub.limits.connections)
			close(fd);
		else
			adopt(s, fd);
	}
}

static bool past(uint64_t at, uint64_t now)
{
	return at && now >= at;
}

static void on_timer(uv_timer_t *t)
{
	struct http_server *s = t->data;
	uint64_t now = uv_now(s->loop);
	bool kill = s->stopping && now >= s->kill_at;
	for (struct link *l = s->links; l; l = l->next) {
		if (l->closing)
			continue;
		if (kill || past(l->write_at, now))
			link_broken(l);
		else if (past(l->linger_at, now))
			link_close(l, false);
		else if (!l->linger && past(l->conn.deadline_ms, now))
			conn_expired(&l->conn);
	}
	if (s->paused && !s->stopping) {
		s->paused = false;
		uv_poll_start(&s->poll, UV_READABLE, on_connection);
	}
	if (!s->links && !s->stopping)
		uv_timer_stop(t);
}

/* ---- the public face ------------------------------------------------------------------------------------------ */

void http_server_on_refusal(struct http_server *s, http_refusal fields)
{
	s->hub.refusal = fields;
}

int http_server_new(uv_loop_t *loop, int listen_fd, struct http_tls *tls, const struct http_limits *l, http_handler h,
		    void *arg, struct http_server **out, struct err *err)
{
	int domain = 0;
	socklen_t n = sizeof(domain);
	if (getsockopt(listen_fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) != 0)
		return err_sys(err, "listening socket");
	int fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_sys(err, "listening socket");
	struct http_server *s = xcalloc(1, sizeof(*s));
	hub_init(&s->hub, l, h, arg);
	s->hub.loop = loop;
	s->loop = loop;
	s->tls = tls;
	s->tcp = domain != AF_UNIX;
	s->fd = fd;
	if (uv_poll_init(loop, &s->poll, fd) != 0) {
		close(fd);
		hub_release(&s->hub);
		free(s);
		return err_set(err, ERR_IO, "listening socket can't be watched");
	}
	s->scratch = xmalloc(SCRATCH);
	uv_timer_init(loop, &s->timer);
	s->poll.data = s->timer.data = s;
	s->handles = 2;
	uv_poll_start(&s->poll, UV_READABLE, on_connection);
	*out = s;
	return 0;
}

static void on_poll_closed(uv_handle_t *h)
{
	struct http_server *s = h->data;
	close(s->fd);
	on_own_closed(h);
}

void http_server_stop(struct http_server *s, uint32_t grace_ms, void (*done)(void *arg), void *arg)
{
	must(!s->stopping);
	uint64_t now = uv_now(s->loop), idle = grace_ms / 2 < IDLE_GRACE_MS ? grace_ms / 2 : IDLE_GRACE_MS;
	s->stopping = s->hub.draining = true;
	s->done = done;
	s->done_arg = arg;
	s->kill_at = now + grace_ms;
	uv_close((uv_handle_t *)&s->poll, on_poll_closed);
	for (struct link *l = s->links; l; l = l->next)
		if (!l->closing && conn_idle(&l->conn) && l->conn.deadline_ms > now + idle)
			l->conn.deadline_ms = now + idle;
	if (s->links)
		watch_time(s);
	else
		close_timer(s);
}

void http_server_free(struct http_server **sp)
{
	struct http_server *s = *sp;
	*sp = NULL;
	if (!s)
		return;
	must(s->told);
	s->freed = true;
	server_dispose(s);
}

struct http_stats http_server_stats(const struct http_server *s)
{
	return s->hub.stats;
}
