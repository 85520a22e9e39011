/*
 * A small SMTP receiver (RFC 5321): EHLO, HELO, MAIL, RCPT, DATA, RSET, NOOP, VRFY, QUIT, and nothing that relays.  It
 * takes mail for anybody, hands it to the hooks and keeps none.  One thread; limits on lines, messages and connections.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "canary/talk.h"

enum { CONNS_MAX = 200, IDLE_MS = 60000 };

struct receiver {
	uv_loop_t loop;
	uv_poll_t listener;
	uv_signal_t term, interrupt;
	int fd;
	unsigned conns;
	const struct smtp_hooks *h;
};

struct smtp {
	struct receiver *r;
	uv_tcp_t tcp;
	uv_timer_t idle;
	unsigned handles;
	bool closing;
	struct smtp_talk talk;
	char in[4096];
};

static void on_closed(uv_handle_t *h)
{
	struct smtp *c = h->data;
	if (--c->handles)
		return;
	c->r->conns--;
	smtp_talk_release(&c->talk);
	free(c);
}

static void smtp_close(struct smtp *c)
{
	if (c->closing)
		return;
	c->closing = c->talk.ended = true;
	c->handles = 2;
	uv_close((uv_handle_t *)&c->tcp, on_closed);
	uv_close((uv_handle_t *)&c->idle, on_closed);
}

/* Answers are short: what the socket doesn't take at once ends the connection. */
static void say(void *arg, const char *text)
{
	struct smtp *c = arg;
	uv_buf_t b = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));
	if (!c->closing && uv_try_write((uv_stream_t *)&c->tcp, &b, 1) != (int)b.len)
		smtp_close(c);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct smtp *c = s->data;
	if (n < 0) {
		smtp_close(c);
		return;
	}
	uv_timer_again(&c->idle);
	smtp_talk_feed(&c->talk, b->base, (size_t)n);
	if (c->talk.ended)
		smtp_close(c);
}

static void give_room(uv_handle_t *h, size_t wanted, uv_buf_t *out)
{
	struct smtp *c = h->data;
	(void)wanted;
	*out = uv_buf_init(c->in, sizeof c->in);
}

static void on_idle(uv_timer_t *t)
{
	smtp_close(t->data);
}

static void on_connection(uv_poll_t *p, int status, int events)
{
	struct receiver *r = p->data;
	(void)events;
	int fd = status < 0 ? -1 : accept4(r->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (r->conns == CONNS_MAX) {
		close(fd);
		return;
	}
	struct smtp *c = xcalloc(1, sizeof *c);
	c->r = r;
	r->conns++;
	smtp_talk_init(&c->talk, r->h, say, c);
	must(uv_tcp_init(&r->loop, &c->tcp) == 0 && uv_timer_init(&r->loop, &c->idle) == 0);
	c->tcp.data = c->idle.data = c;
	uv_timer_start(&c->idle, on_idle, IDLE_MS, IDLE_MS);
	if (uv_tcp_open(&c->tcp, fd) < 0 || uv_read_start((uv_stream_t *)&c->tcp, give_room, on_read) < 0) {
		smtp_close(c);
		return;
	}
	say(c, "220 weir\r\n");
}

static void on_signal(uv_signal_t *s, int number)
{
	(void)number;
	uv_stop(s->loop);
}

int smtp_receive(int listen_fd, const struct smtp_hooks *h, struct err *err)
{
	static struct receiver r;
	r = (struct receiver){.h = h, .fd = listen_fd};
	if (uv_loop_init(&r.loop) < 0 || uv_poll_init(&r.loop, &r.listener, listen_fd) < 0)
		return err_set(err, ERR_IO, "no event loop");
	r.listener.data = &r;
	uv_signal_init(&r.loop, &r.term);
	uv_signal_init(&r.loop, &r.interrupt);
	uv_signal_start(&r.term, on_signal, SIGTERM);
	uv_signal_start(&r.interrupt, on_signal, SIGINT);
	uv_poll_start(&r.listener, UV_READABLE, on_connection);
	uv_run(&r.loop, UV_RUN_DEFAULT);
	return 0;
}
