/*
 * A small SMTP receiver (RFC 5321): EHLO, HELO, MAIL, RCPT, DATA, RSET, NOOP, VRFY, QUIT, and nothing that relays.  It
 * takes mail for anybody, hands it to the hooks and keeps none.  One thread; limits on lines, messages and connections.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <uv.h>

#include "base/buf.h"
#include "canary/canary.h"

enum { LINE_MAX_BYTES = 1000, MESSAGE_MAX = 1 << 20, CONNS_MAX = 200, IDLE_MS = 60000, RCPTS_MAX = 100 };

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
	bool greeted, data, closing;
	struct buf line, message;
	char from[LINE_MAX_BYTES], to[LINE_MAX_BYTES];
	unsigned rcpts;
	char in[4096];
};

static void on_closed(uv_handle_t *h)
{
	struct smtp *c = h->data;
	if (--c->handles)
		return;
	c->r->conns--;
	buf_release(&c->line);
	buf_release(&c->message);
	free(c);
}

static void smtp_close(struct smtp *c)
{
	if (c->closing)
		return;
	c->closing = true;
	c->handles = 2;
	uv_close((uv_handle_t *)&c->tcp, on_closed);
	uv_close((uv_handle_t *)&c->idle, on_closed);
}

/* Answers are short: what the socket doesn't take at once ends the connection. */
static void reply(struct smtp *c, const char *text)
{
	uv_buf_t b = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));
	if (!c->closing && uv_try_write((uv_stream_t *)&c->tcp, &b, 1) != (int)b.len)
		smtp_close(c);
}

static void reset(struct smtp *c)
{
	c->from[0] = c->to[0] = 0;
	c->rcpts = 0;
	c->data = false;
	buf_reset(&c->message);
}

/* "<ADDRESS>" behind the colon; parameters are passed over. */
static bool address(const char *line, const char *word, char out[static LINE_MAX_BYTES])
{
	size_t n = strlen(word);
	if (strncasecmp(line, word, n) != 0)
		return false;
	const char *open = line + n;
	open += strspn(open, " ");
	const char *close = *open == '<' ? strchr(open, '>') : NULL;
	if (!close)
		return false;
	snprintf(out, LINE_MAX_BYTES, "%.*s", (int)(close - open - 1), open + 1);
	return true;
}

static void on_rcpt(struct smtp *c, const char *line)
{
	char to[LINE_MAX_BYTES];
	if (!c->greeted || !address(line, "RCPT TO:", to) || !*to) {
		reply(c, "501 RCPT TO:<address> is wanted\r\n");
		return;
	}
	if (c->rcpts++ == RCPTS_MAX) {
		reply(c, "452 too many recipients\r\n");
		return;
	}
	memcpy(c->to, to, sizeof to);
	if (c->r->h->recipient)
		c->r->h->recipient(c->r->h->arg, (struct span){to, strlen(to)});
	reply(c, "250 ok\r\n");
}

static void command(struct smtp *c, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0 || strncasecmp(line, "HELO", 4) == 0) {
		reset(c);
		c->greeted = true;
		reply(c, (line[0] | 0x20) == 'e' ? "250-weir\r\n250 8BITMIME\r\n" : "250 weir\r\n");
	} else if (strncasecmp(line, "MAIL FROM:", 10) == 0) {
		reset(c);
		reply(c, c->greeted && address(line, "MAIL FROM:", c->from) ? "250 ok\r\n" : "503 say EHLO, then MAIL FROM:<address>\r\n");
	} else if (strncasecmp(line, "RCPT", 4) == 0) {
		on_rcpt(c, line);
	} else if (strcasecmp(line, "DATA") == 0) {
		c->data = c->rcpts > 0;
		reply(c, c->data ? "354 end with a dot\r\n" : "503 no recipient yet\r\n");
	} else if (strcasecmp(line, "RSET") == 0) {
		reset(c);
		reply(c, "250 ok\r\n");
	} else if (strncasecmp(line, "NOOP", 4) == 0) {
		reply(c, "250 ok\r\n");
	} else if (strncasecmp(line, "VRFY", 4) == 0) {
		reply(c, "252 try it\r\n");
	} else if (strcasecmp(line, "QUIT") == 0) {
		reply(c, "221 bye\r\n");
		smtp_close(c);
	} else {
		reply(c, "500 not understood\r\n");
	}
}

static void data_line(struct smtp *c, const char *line, size_t n)
{
	if (n == 1 && line[0] == '.') {
		struct span whole = {c->message.data ? (const char *)c->message.data : "", c->message.len};
		bool over = c->message.over;
		if (!over && c->r->h->message)
			c->r->h->message(c->r->h->arg, (struct span){c->from, strlen(c->from)}, (struct span){c->to, strlen(c->to)}, whole);
		reset(c);
		reply(c, over ? "552 too large\r\n" : "250 ok\r\n");
		return;
	}
	if (n && line[0] == '.')	/* 4.5.2 */
		line++, n--;
	buf_add(&c->message, line, n);
	buf_add(&c->message, "\r\n", 2);
}

static void take_line(struct smtp *c)
{
	size_t n = c->line.len;
	if (n && c->line.data[n - 1] == '\r')
		n--;
	c->line.data[n] = 0;
	if (c->data)
		data_line(c, (const char *)c->line.data, n);
	else if (memchr(c->line.data, 0, n))
		reply(c, "500 not text\r\n");
	else
		command(c, (const char *)c->line.data);
	buf_reset(&c->line);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct smtp *c = s->data;
	if (n < 0) {
		smtp_close(c);
		return;
	}
	uv_timer_again(&c->idle);
	for (ssize_t i = 0; i < n && !c->closing; i++) {
		if (b->base[i] == '\n') {
			buf_reserve(&c->line, 1);
			take_line(c);
		} else if (c->line.len < LINE_MAX_BYTES - 2) {
			buf_addc(&c->line, b->base[i]);
		} else {
			reply(c, "500 line too long\r\n");
			smtp_close(c);
		}
	}
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
	buf_init(&c->line, 0);
	buf_init(&c->message, MESSAGE_MAX);
	must(uv_tcp_init(&r->loop, &c->tcp) == 0 && uv_timer_init(&r->loop, &c->idle) == 0);
	c->tcp.data = c->idle.data = c;
	uv_timer_start(&c->idle, on_idle, IDLE_MS, IDLE_MS);
	if (uv_tcp_open(&c->tcp, fd) < 0 || uv_read_start((uv_stream_t *)&c->tcp, give_room, on_read) < 0) {
		smtp_close(c);
		return;
	}
	reply(c, "220 weir\r\n");
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
