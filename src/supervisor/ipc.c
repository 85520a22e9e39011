/*
 * Packets on SOCK_SEQPACKET: one message is one packet, so a reader never sees a half, and descriptors stay with their
 * message (unix(7), SCM_RIGHTS).
 */
#include "supervisor/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

const char *const role_names[ROLES] = {"supervisor", "gate", "courier", "keeper", "steward", "prober"};

enum { CHANNEL_BUFFER = 4 << 20 };

#define R(role) (1u << ROLE_##role)
#define CHILDREN (R(GATE) | R(COURIER) | R(KEEPER) | R(STEWARD) | R(PROBER))
#define ANYONE (CHILDREN | R(SUPERVISOR))

/* Who may send what to whom.  What isn't here is dropped. */
static const struct {
	const char *verb;
	unsigned from, to;
	size_t fds;
} ipc_routes[] = {
	{"boot", R(SUPERVISOR), CHILDREN, MESSAGE_FDS},
	{"secrets", R(SUPERVISOR), R(GATE) | R(COURIER), 0},
	{"stop", R(SUPERVISOR), CHILDREN, 0},
	{"ready", CHILDREN, R(SUPERVISOR), 0},
	{"ping", R(SUPERVISOR), CHILDREN, 0},
	{"pong", CHILDREN, R(SUPERVISOR), 0},
	{"resolve", R(KEEPER), R(SUPERVISOR), 0},
	{"hand-over", R(KEEPER), R(SUPERVISOR), 0},
	{"resolved", R(SUPERVISOR), R(KEEPER), 0},
	{"plans", R(GATE) | R(COURIER), R(KEEPER), 0},
	{"plan", R(KEEPER), R(GATE) | R(COURIER), 0},
	{"plans-end", R(KEEPER), R(GATE) | R(COURIER), 0},
	{"plan-done", R(GATE) | R(COURIER), R(KEEPER), 0},
	{"decision", R(STEWARD), R(KEEPER), 1},
	{"refresh", R(STEWARD), R(KEEPER), 0},
	{"refreshing", R(KEEPER), R(STEWARD), 0},
	{"refreshed", R(KEEPER), R(STEWARD), 0},
	{"question", R(STEWARD), R(KEEPER), 1},
	{"ask", R(STEWARD), R(KEEPER), 0},
	{"answer", R(KEEPER), R(STEWARD), 0},
	{"leaves", R(STEWARD), R(KEEPER), 0},
	{"leaves-done", R(KEEPER), R(STEWARD), 0},
	{"probe", R(STEWARD), R(PROBER), 0},
	{"probed", R(PROBER), R(STEWARD), 0},
	{"contract-get", R(KEEPER), R(STEWARD), 0},
	{"contract", R(STEWARD), R(KEEPER), 0},
	{"event", R(KEEPER), R(STEWARD), 0},
	{"event-done", R(STEWARD), R(KEEPER), 0},
	{"queue-drop", R(KEEPER), R(COURIER), 0},
	{"queue-done", R(COURIER), R(KEEPER), 0},
	{"arrived", R(COURIER), R(KEEPER), 0},
	{"shapes", R(GATE), R(STEWARD), 0},
	{"metrics", R(STEWARD), ANYONE, 0},
	{"metrics-text", ANYONE, R(STEWARD), 0},
	{"status", R(STEWARD), ANYONE, 0},
	{"status-is", ANYONE, R(STEWARD), 0},
};

bool ipc_allowed(unsigned from, unsigned to, const char *verb, size_t fds_len)
{
	if (from >= ROLES || to >= ROLES || from == to)
		return false;
	for (size_t i = 0; i < sizeof ipc_routes / sizeof *ipc_routes; i++)
		if (strcmp(ipc_routes[i].verb, verb) == 0)
			return ipc_routes[i].from >> from & 1 && ipc_routes[i].to >> to & 1 && fds_len <= ipc_routes[i].fds;
	return false;
}

static void wiping_free(void *p)
{
	if (p) {
		explicit_bzero(p, malloc_usable_size(p));
		free(p);
	}
}

void ipc_wipe_json(void)
{
	json_set_alloc_funcs(malloc, wiping_free);
}

int ipc_pair(int pair[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(err, "socketpair");
	for (int i = 0; i < 2; i++) {
		int n = CHANNEL_BUFFER;
		/* FORCE needs a capability; without it the system's ceiling applies. */
		if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &n, sizeof n) < 0)
			(void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &n, sizeof n);
	}
	return 0;
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

void packet_release(struct packet *p)
{
	close_all(p->fds, p->fds_len);
	if (p->body)
		explicit_bzero(p->body, p->head.len);
	free(p->body);
	p->body = NULL;
	p->fds_len = 0;
}

void message_release(struct message *m)
{
	close_all(m->fds, m->fds_len);
	json_decref(m->body);
	m->body = NULL;
	m->fds_len = 0;
}

/* ---- making a packet ------------------------------------------------------------------------------------------- */

static int body_to_memfd(const char *text, size_t n, int *fd, struct err *err)
{
	*fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0)
		return err_sys(err, "memfd_create");
	for (size_t done = 0; done < n;) {
		ssize_t k = write(*fd, text + done, n - done);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			goto bad;
		done += (size_t)k;
	}
	if (fcntl(*fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0)
		return 0;
bad:
	err_sys(err, "message body");
	close(*fd);
	return -1;
}

static int set_body(struct packet *p, json_t *body, struct err *err)
{
	char *text = json_dumps(body, JSON_COMPACT);
	if (!text)
		return err_set(err, ERR_BUG, "a message body can't be written as JSON");
	size_t n = strlen(text);
	int r = 0, fd;
	p->head.len = (uint32_t)n;
	if (n > MESSAGE_BYTES) {
		r = err_set(err, ERR_LIMIT, "a message of %zu bytes", n);
	} else if (n <= PACKET_INLINE) {
		p->body = (uint8_t *)xmalloc(n + 1);
		memcpy(p->body, text, n + 1);
	} else if ((r = body_to_memfd(text, n, &fd, err)) == 0) {
		p->head.in_memfd = 1;
		p->fds[p->fds_len++] = fd;
	}
	wiping_free(text);
	return r;
}

int packet_make(enum role to, const char *verb, json_t *body, const int *fds, size_t fds_len, struct packet *out, struct err *err)
{
	*out = (struct packet){.head.to = (uint8_t)to};
	int r = 0;
	must(strlen(verb) < sizeof out->head.verb && fds_len <= MESSAGE_FDS);
	memcpy(out->head.verb, verb, strlen(verb));
	for (size_t i = 0; i < fds_len && r == 0; i++) {
		out->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		if (out->fds[i] < 0)
			r = err_sys(err, "descriptor of %s", verb);
		else
			out->fds_len++;
	}
	if (r == 0 && body)
		r = set_body(out, body, err);
	json_decref(body);
	if (r < 0)
		packet_release(out);
	return r;
}

/* ---- the wire -------------------------------------------------------------------------------------------------- */

union control {
	char bytes[CMSG_SPACE(sizeof(int) * PACKET_FDS)];
	struct cmsghdr align;
};

int packet_send(int channel, const struct packet *p)
{
	struct packet_head head = p->head;
	struct iovec v[2] = {{&head, sizeof head}, {p->body, p->head.in_memfd ? 0 : p->head.len}};
	union control c = {0};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	if (p->fds_len) {
		m.msg_control = c.bytes;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * p->fds_len);
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int) * p->fds_len);
		memcpy(CMSG_DATA(h), p->fds, sizeof(int) * p->fds_len);
	}
	for (;;) {
		if (sendmsg(channel, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 1;
		if (errno == EINTR)
			continue;
		/* ETOOMANYREFS: too many descriptors in flight; the reader will take some. */
		return errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS ? 0 : -1;
	}
}

static void take_fds(struct msghdr *m, struct packet *p)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
			if (p->fds_len < PACKET_FDS)
				p->fds[p->fds_len++] = fd;
			else
				close(fd);
		}
	}
}

static bool sound(const struct packet *p, size_t body_len, int flags)
{
	if (flags & (MSG_TRUNC | MSG_CTRUNC) || memchr(p->head.verb, 0, sizeof p->head.verb) == NULL || p->head.in_memfd > 1)
		return false;
	return p->head.in_memfd ? body_len == 0 && p->fds_len > 0 : body_len == p->head.len && p->fds_len <= MESSAGE_FDS;
}

int packet_receive(int channel, struct packet *p, struct err *err)
{
	*p = (struct packet){0};
	p->body = xmalloc(PACKET_INLINE + 1);
	struct iovec v[2] = {{&p->head, sizeof p->head}, {p->body, PACKET_INLINE}};
	union control c;
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_control = c.bytes, .msg_controllen = sizeof c.bytes};
	ssize_t n;
	do
		n = recvmsg(channel, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		int sys = n == 0 ? ECONNRESET : errno;
		p->head.len = 0;
		packet_release(p);
		errno = sys;
		return sys == EAGAIN ? 0 : err_sys(err, "channel");
	}
	take_fds(&m, p);
	size_t body_len = (size_t)n > sizeof p->head ? (size_t)n - sizeof p->head : 0;
	if ((size_t)n < sizeof p->head || !sound(p, body_len, m.msg_flags)) {
		p->head.len = (uint32_t)body_len;
		packet_release(p);
		return err_set(err, ERR_CORRUPT, "channel: not a message");
	}
	if (p->head.in_memfd) {
		free(p->body);
		p->body = NULL;
	}
	return 1;
}

static int memfd_to_body(struct packet *p, struct err *err)
{
	int fd = p->fds[--p->fds_len], r = 0;
	int want = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	if (p->head.len > MESSAGE_BYTES || (fcntl(fd, F_GET_SEALS) & want) != want) {
		r = err_set(err, ERR_CORRUPT, "channel: a body that isn't sealed");
	} else {
		p->body = xmalloc((size_t)p->head.len + 1);
		size_t got = 0;
		ssize_t k;
		while (got < p->head.len && (k = pread(fd, p->body + got, p->head.len - got, (off_t)got)) > 0)
			got += (size_t)k;
		if (got < p->head.len)
			r = err_set(err, ERR_CORRUPT, "channel: a short body");
	}
	close(fd);
	return r;
}

int packet_open(struct packet *p, struct message *m, struct err *err)
{
	*m = (struct message){.from = (enum role)p->head.from, .to = (enum role)p->head.to};
	memcpy(m->verb, p->head.verb, sizeof m->verb);
	int r = 0;
	if (p->head.in_memfd)
		r = memfd_to_body(p, err);
	if (r == 0 && p->head.len) {
		json_error_t je;
		m->body = json_loadb((const char *)p->body, p->head.len, JSON_REJECT_DUPLICATES, &je);
		if (!m->body)
			r = err_set(err, ERR_CORRUPT, "channel: %s: the body isn't JSON", m->verb);
	}
	if (r < 0) {
		packet_release(p);
		return -1;
	}
	memcpy(m->fds, p->fds, sizeof(int) * p->fds_len);
	m->fds_len = p->fds_len;
	p->fds_len = 0;
	packet_release(p);
	return 0;
}
