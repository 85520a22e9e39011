/*
 * run/cutoff.sock: cut-offs straight to the keeper, which alone can sign one, so that no other process that hangs keeps
 * it waiting.  Everything else is refused here; it has run/control.sock.
 *
 *   PEEK (until the line is whole) --> the job's (jobs.c), or refused
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "keeper/private.h"

enum { CALLERS_MAX = 16, LOOK_MS = 5, LINE_MS = 2000 };

struct caller {
	struct caller *next;
	struct keeper *k;
	int fd;		/* -1: handed on */
	int64_t until_ms;
	uv_timer_t timer;
};

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void leave(struct caller *c)
{
	for (struct caller **p = &c->k->callers; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			break;
		}
	c->k->callers_len--;
	if (c->fd >= 0)
		close(c->fd);
	uv_close((uv_handle_t *)&c->timer, on_closed);
}

static void refuse(struct caller *c, const struct err *err)
{
	size_t n;
	json_t *j = control_refusal(err);
	char *line = control_line(j, &n);
	(void)!send(c->fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	free(line);
	json_decref(j);
	leave(c);
}

static void take(struct caller *c, const char *line, size_t n)
{
	struct err err;
	json_t *request;
	if (control_parse(line, n, &request, &err) < 0) {
		refuse(c, &err);
		return;
	}
	const char *word = json_string_value(json_object_get(request, "do"));
	int kind = word ? decision_kind_of(word) : -1;
	json_decref(request);
	if (kind < 0 || !decision_cuts_off((enum decision_kind)kind)) {
		err_set(&err, ERR_INPUT, "this socket takes cut-offs only; ask on run/control.sock");
		refuse(c, &err);
		return;
	}
	struct keeper *k = c->k;
	int fd = c->fd;
	c->fd = -1;
	leave(c);
	jobs_add(k, fd, true);
}

/* A few commands a day come here: looking again costs less than watching would in code. */
static void on_look(uv_timer_t *t)
{
	static char line[CONTROL_DECISION_MAX];
	struct caller *c = t->data;
	ssize_t n = recv(c->fd, line, sizeof line, MSG_PEEK | MSG_DONTWAIT);
	bool nothing = n < 0 && (errno == EAGAIN || errno == EINTR);
	const char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
	if (end)
		take(c, line, (size_t)(end - line));
	else if ((n <= 0 && !nothing) || n == (ssize_t)sizeof line || clock_mono_ms() > c->until_ms)
		leave(c);
}

static void on_door(uv_poll_t *h, int status, int events)
{
	struct keeper *k = h->data;
	uv_os_fd_t listener;
	(void)status;
	(void)events;
	if (uv_fileno((uv_handle_t *)h, &listener) < 0)
		return;
	for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
		if (k->callers_len == CALLERS_MAX) {
			close(fd);
			continue;
		}
		struct caller *c = xcalloc(1, sizeof *c);
		*c = (struct caller){.next = k->callers, .k = k, .fd = fd, .until_ms = clock_mono_ms() + LINE_MS};
		k->callers = c;
		k->callers_len++;
		uv_timer_init(&k->loop, &c->timer);
		c->timer.data = c;
		uv_timer_start(&c->timer, on_look, 0, LOOK_MS);
	}
}

int door_open(struct keeper *k, int listen_fd, struct err *err)
{
	int r = uv_poll_init(&k->loop, &k->door, listen_fd);
	k->door.data = k;
	if (r == 0)
		r = uv_poll_start(&k->door, UV_READABLE, on_door);
	return r < 0 ? err_set(err, ERR_IO, "run/cutoff.sock: %s", uv_strerror(r)) : 0;
}
