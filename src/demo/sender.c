/* The chat product: its SDKs' requests, a connection a thread, a batch at a time. */
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "demo/private.h"

enum { BATCH_PEOPLE = 25, LATER_EVENTS = 20, LATER_MS = 10, ANSWER_MAX = 4096, WAIT_S = 10 };

struct work {
	struct sender *s;
	unsigned number;
	int fd;
	struct buf body;
};

static int dial(const struct sender *s)
{
	struct addrinfo *a, hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	const struct timeval wait = {.tv_sec = WAIT_S};
	if (getaddrinfo(s->host, s->port, &hints, &a) != 0)
		return -1;
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)	/* head and body are two writes */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(a);
	return fd;
}

static bool send_all(int fd, const void *data, size_t n)
{
	const char *at = data;
	while (n) {
		ssize_t k = send(fd, at, n, MSG_NOSIGNAL);
		if (k <= 0)
			return false;
		at += k;
		n -= (size_t)k;
	}
	return true;
}

/* The answer's status, or -1.  Answers are short and have a Content-Length. */
static int answer(int fd)
{
	char in[ANSWER_MAX + 1];
	size_t n = 0;
	while (n < ANSWER_MAX) {
		ssize_t k = recv(fd, in + n, ANSWER_MAX - n, 0);
		if (k <= 0)
			return -1;
		n += (size_t)k;
		in[n] = 0;
		const char *end = strstr(in, "\r\n\r\n"), *length = strcasestr(in, "content-length:");
		if (end && length && n >= (size_t)(end + 4 - in) + strtoul(length + 15, NULL, 10))
			return atoi(in + 9);	/* behind "HTTP/1.1 " */
	}
	return -1;
}

/* 200, another status, or -1. */
static int post(struct work *w, const char *path)
{
	char head[256];
	int n = snprintf(head, sizeof head, "POST /analytics%s HTTP/1.1\r\nHost: %s:%s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
			 path, w->s->host, w->s->port, w->body.len);
	if (w->fd < 0)
		w->fd = dial(w->s);
	int status = -1;
	if (w->fd >= 0 && send_all(w->fd, head, (size_t)n) && send_all(w->fd, w->body.data, w->body.len))
		status = answer(w->fd);
	if (status < 0 && w->fd >= 0) {
		close(w->fd);
		w->fd = -1;
	}
	return status;
}

static void begin(struct buf *b)
{
	buf_reset(b);
	buf_addc(b, '[');
}

static void end(struct buf *b)
{
	b->data[b->len - 1] = ']';	/* over the last comma */
}

static bool send_one(struct work *w, const char *path)
{
	struct sender *s = w->s;
	end(&w->body);
	int status = post(w, path);
	scan_add(&s->sent, (struct span){(const char *)w->body.data, w->body.len});
	atomic_fetch_add(status == 200 ? &s->accepted : status > 0 ? &s->refused : &s->failed, 1);
	return status == 200;
}

static void send_people(struct work *w, unsigned from, unsigned to)
{
	struct person p;
	int64_t now = clock_now();
	begin(&w->body);
	for (unsigned i = from; i < to; i++) {
		person_make(i, &p);
		person_events(&p, now, &w->body);
	}
	bool took = send_one(w, "/track");
	begin(&w->body);
	for (unsigned i = from; i < to; i++) {
		person_make(i, &p);
		person_profile(&p, &w->body);
	}
	if (send_one(w, "/engage") && took)
		atomic_fetch_add(&w->s->done, to - from);
}

static void rest(int64_t ms)
{
	if (ms > 0)
		nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* The product goes on while the people of the vendor's customer read what has happened. */
static void go_on(struct work *w)
{
	struct sender *s = w->s;
	while (!atomic_load(&s->go) && !atomic_load(&s->stop))
		rest(LATER_MS);
	for (unsigned i = w->number; !atomic_load(&s->stop); i += SENDERS) {
		struct person p;
		begin(&w->body);
		for (unsigned k = 0; k < LATER_EVENTS; k++) {
			person_make((i * LATER_EVENTS + k) % s->people, &p);
			person_later(&p, clock_now(), &w->body);
		}
		end(&w->body);
		int status = post(w, "/track");
		atomic_fetch_add(&s->later, 1);
		if (status != 200)
			atomic_fetch_add(&s->later_refused, 1);
		rest(LATER_MS);
	}
}

static void *run(void *arg)
{
	struct work *w = arg;
	struct sender *s = w->s;
	int64_t began = clock_mono_ms();
	for (unsigned i = w->number * BATCH_PEOPLE; i < s->people && !atomic_load(&s->stop); i += SENDERS * BATCH_PEOPLE) {
		send_people(w, i, i + BATCH_PEOPLE < s->people ? i + BATCH_PEOPLE : s->people);
		if (s->people_per_s > 0)
			rest(began + (int64_t)(1000.0 * i / s->people_per_s) - clock_mono_ms());
	}
	atomic_fetch_add(&s->finished, 1);
	go_on(w);
	if (w->fd >= 0)
		close(w->fd);
	buf_release(&w->body);
	free(w);
	return NULL;
}

int sender_start(struct sender *s, struct err *err)
{
	for (unsigned i = 0; i < SENDERS; i++) {
		struct work *w = xcalloc(1, sizeof *w);
		*w = (struct work){.s = s, .number = i, .fd = -1};
		buf_init(&w->body, 0);
		if (pthread_create(&s->thread[i], NULL, run, w) != 0) {
			free(w);
			return err_set(err, ERR_IO, "no thread");
		}
		s->started++;
	}
	return 0;
}

void sender_stop(struct sender *s)
{
	atomic_store(&s->stop, true);
	for (; s->started; s->started--)
		pthread_join(s->thread[s->started - 1], NULL);
}
