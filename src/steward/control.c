/*
 * The control socket.  A connection carries one request and its answer:
 *
 *   PEEK --a decision, a question to the ledger--> handed to the keeper, unread (its descriptor is duplicated and ours closed)
 *     '----else----> READ --> (answered, or WAIT for the other processes) --> WRITE --> closed
 *
 * The first line is looked at with MSG_PEEK and no more than a decision may be long, so that the keeper reads a
 * decision itself, from the caller, with the caller's credentials.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/say.h"
#include "ledger/ledger.h"
#include "steward/desk.h"
#include "steward/private.h"

enum { CONNS_MAX = 64, RETRY_MS = 5, REQUEST_MS = 10000, STEP = 64 << 10 };

enum state { PEEK, READ, WAIT, WRITE, CLOSED };

struct conn {
	struct conn *next;
	struct steward *s;
	enum state state;
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;	/* PEEK: looks again; else the time a request may take */
	int64_t until_ms;
	unsigned handles;	/* still to be closed */
	struct buf in;
	char *out;
	size_t out_len, out_at;
	bool of_vendors;	/* `vendors`, `vendor`: joined by what the gate says */
	json_t *told;	/* an answer that waits for the gate, or a request that does */
	char who[WHO_MAX + 1];
};

static void on_event(uv_poll_t *h, int status, int events);
static void on_timer(uv_timer_t *t);

/* ---- ends ------------------------------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *h)
{
	struct conn *c = h->data;
	if (--c->handles)
		return;
	for (struct conn **p = &c->s->conns; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			break;
		}
	c->s->conns_len--;
	close(c->fd);
	buf_release(&c->in);
	free(c->out);
	free(c);
}

static void conn_close(struct conn *c)
{
	if (c->state == CLOSED)
		return;
	c->state = CLOSED;
	c->handles = 2;
	uv_close((uv_handle_t *)&c->poll, on_closed);
	uv_close((uv_handle_t *)&c->timer, on_closed);
}

static void write_some(struct conn *c)
{
	while (c->out_at < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		c->out_at += (size_t)n;
	}
	conn_close(c);
}

/* Takes answer over. */
static void answer(struct conn *c, json_t *j)
{
	c->out = control_line(j, &c->out_len);
	json_decref(j);
	c->state = WRITE;
	uv_poll_start(&c->poll, UV_WRITABLE, on_event);
	uv_timer_start(&c->timer, on_timer, REQUEST_MS, 0);
}

static void refuse(struct conn *c, const struct err *err)
{
	answer(c, control_refusal(err));
}

/* ---- requests --------------------------------------------------------------------------------------------------- */

static void on_status(struct steward *s, json_t *answers, void *arg)
{
	(void)s;
	struct conn *c = arg;	/* in WAIT nothing but us ends it: poll and timer are stopped */
	json_t *j = json_object();
	json_object_set_new(j, "ok", json_true());
	json_object_set(j, "processes", answers);
	answer(c, j);
}

static void on_counted(void *arg, json_t *j)
{
	answer(arg, j);
}

static void on_truth(struct steward *s, json_t *answers, void *arg)
{
	struct conn *c = arg;
	json_t *j = c->told;
	(void)s;
	c->told = NULL;
	truth_vendors(j, answers);
	answer(c, j);
}

static void on_answer(void *arg, json_t *j)
{
	struct conn *c = arg;
	if (c->of_vendors) {
		c->told = j;
		gather_start(c->s, "status", on_truth, c);
		return;
	}
	steward_answer_count(c->s, j, c->who, on_counted, c);
}

/* Everything that the gate counted up to now is in the registry. */
static void on_fresh(struct steward *s, json_t *answers, void *arg)
{
	struct conn *c = arg;
	json_t *request = c->told;
	(void)answers;
	c->told = NULL;
	steward_answer_after(s, desk_do(s->registry, request, c->who, clock_now()), on_answer, c);
	json_decref(request);
}

/* Reports of what flows wait for what the gate hasn't told yet. */
static bool is_of_shapes(const char *word)
{
	return word && (strcmp(word, "drift") == 0 || strcmp(word, "learned") == 0);
}

static void handle(struct conn *c, json_t *request)
{
	struct err err;
	const char *word = json_string_value(json_object_get(request, "do"));
	bool writes;
	if (word && (decision_kind_of(word) >= 0 || ledger_word(word, &writes))) {
		err_set(&err, ERR_LIMIT, "a decision or a question to the ledger is one line of at most %d bytes", CONTROL_DECISION_MAX);
		refuse(c, &err);
	} else if (word && strcmp(word, "status") == 0) {
		c->state = WAIT;
		uv_poll_stop(&c->poll);
		uv_timer_stop(&c->timer);
		gather_start(c->s, "status", on_status, c);
	} else if (control_peer(c->fd, c->s->users, c->who, sizeof c->who, &err) < 0) {
		refuse(c, &err);
	} else if (word && strcmp(word, "posture-run") == 0) {
		c->state = WAIT;
		uv_poll_stop(&c->poll);
		uv_timer_stop(&c->timer);
		posture_run(c->s, request, on_counted, c);
	} else if (is_of_shapes(word)) {
		c->state = WAIT;
		uv_poll_stop(&c->poll);
		uv_timer_stop(&c->timer);
		c->told = json_incref(request);
		gather_start(c->s, "status", on_fresh, c);
	} else {
		c->state = WAIT;
		uv_poll_stop(&c->poll);
		uv_timer_stop(&c->timer);
		c->of_vendors = word && (strcmp(word, "vendors") == 0 || strcmp(word, "vendor") == 0);
		json_object_del(request, "ledger");	/* what the ledger counted comes from the keeper alone */
		steward_answer_after(c->s, desk_do(c->s->registry, request, c->who, clock_now()), on_answer, c);
	}
}

static void take_line(struct conn *c, size_t n)
{
	struct err err;
	json_t *request;
	if (control_gone(c->fd)) {
		conn_close(c);
		return;
	}
	if (control_parse((const char *)c->in.data, n, &request, &err) < 0) {
		refuse(c, &err);
		return;
	}
	handle(c, request);
	json_decref(request);
}

static void read_some(struct conn *c)
{
	struct err err;
	for (;;) {
		if (!buf_reserve(&c->in, STEP)) {
			err_set(&err, ERR_LIMIT, "a request is at most %d bytes", CONTROL_REQUEST_MAX);
			refuse(c, &err);
			return;
		}
		size_t before = c->in.len;
		ssize_t n = recv(c->fd, c->in.data + before, STEP, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			conn_close(c);
			return;
		}
		c->in.len += (size_t)n;
		const uint8_t *end = memchr(c->in.data + before, '\n', (size_t)n);
		if (end) {
			take_line(c, (size_t)(end - c->in.data));
			return;
		}
	}
}

/* The keeper's verb for it, "" for what is the registry's, NULL: the line isn't complete. */
static const char *looked_at(const char *line, size_t n)
{
	const char *end = memchr(line, '\n', n);
	json_t *request;
	struct err err;
	bool writes;
	if (!end)
		return n == CONTROL_DECISION_MAX ? "" : NULL;
	if (control_parse(line, (size_t)(end - line), &request, &err) < 0)
		return "";
	const char *word = json_string_value(json_object_get(request, "do"));
	const char *verb = !word ? "" : decision_kind_of(word) >= 0 ? "decision" : ledger_word(word, &writes) ? "question" : "";
	json_decref(request);
	return verb;
}

static void peek(struct conn *c)
{
	static char line[CONTROL_DECISION_MAX];
	ssize_t n = recv(c->fd, line, sizeof line, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_close(c);
		return;
	}
	const char *verb = looked_at(line, (size_t)n);
	if (!verb) {	/* the rest is on its way; what was peeked at would wake us at once */
		uv_poll_stop(&c->poll);
		uv_timer_start(&c->timer, on_timer, RETRY_MS, 0);
	} else if (*verb && control_gone(c->fd)) {
		conn_close(c);
	} else if (*verb) {
		steward_send(c->s, ROLE_KEEPER, verb, json_object(), &c->fd, 1);
		conn_close(c);
	} else {
		c->state = READ;
		uv_timer_start(&c->timer, on_timer, REQUEST_MS, 0);
		read_some(c);
	}
}

static void on_event(uv_poll_t *h, int status, int events)
{
	struct conn *c = h->data;
	(void)events;
	if (status < 0)
		conn_close(c);
	else if (c->state == PEEK)
		peek(c);
	else if (c->state == READ)
		read_some(c);
	else if (c->state == WRITE)
		write_some(c);
}

static void on_timer(uv_timer_t *t)
{
	struct conn *c = t->data;
	if (c->state != PEEK || clock_mono_ms() > c->until_ms) {
		conn_close(c);
		return;
	}
	uv_poll_start(&c->poll, UV_READABLE | UV_DISCONNECT, on_event);
	peek(c);
}

/* ---- the listening socket --------------------------------------------------------------------------------------- */

static void conn_new(struct steward *s, int fd)
{
	struct conn *c = xcalloc(1, sizeof *c);
	*c = (struct conn){.next = s->conns, .s = s, .fd = fd, .until_ms = clock_mono_ms() + REQUEST_MS};
	buf_init(&c->in, CONTROL_REQUEST_MAX);
	if (uv_poll_init(&s->loop, &c->poll, fd) < 0) {
		close(fd);
		free(c);
		return;
	}
	uv_timer_init(&s->loop, &c->timer);
	c->poll.data = c->timer.data = c;
	s->conns = c;
	s->conns_len++;
	uv_poll_start(&c->poll, UV_READABLE | UV_DISCONNECT, on_event);
	uv_timer_start(&c->timer, on_timer, REQUEST_MS, 0);
}

static void on_listen(uv_poll_t *h, int status, int events)
{
	struct steward *s = h->data;
	(void)status;
	(void)events;
	uv_os_fd_t listener;
	if (uv_fileno((uv_handle_t *)h, &listener) < 0)
		return;
	for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
		if (s->conns_len >= CONNS_MAX) {
			close(fd);
			continue;
		}
		control_greet(fd);
		conn_new(s, fd);
	}
}

int control_start(struct steward *s, int listen_fd, struct err *err)
{
	int r = uv_poll_init(&s->loop, &s->control, listen_fd);
	s->control.data = s;
	if (r == 0)
		r = uv_poll_start(&s->control, UV_READABLE, on_listen);
	return r < 0 ? err_set(err, ERR_IO, "control socket: %s", uv_strerror(r)) : 0;
}

void control_stop(struct steward *s)
{
	uv_poll_stop(&s->control);
}
