/* The child's side of the process tree. */
#include "supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/hook.h"
#include "base/say.h"
#include "supervisor/ipc.h"

enum { CHANNEL_FD = 3, BOOT_MS = 30000, SEND_MS = 5000, WATCH_BURST = 64, EXIT_ORPHAN = 3 };

/* ---- start ----------------------------------------------------------------------------------------------------- */

static int harden(struct err *err)
{
	struct rlimit none = {0, 0};
	if (close_range(CHANNEL_FD + 1, ~0u, 0) < 0)
		return err_sys(err, "close_range");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return err_sys(err, "prctl");
	/* A terminal's ^C and an init system's TERM go to the whole group; the supervisor says `stop` in order. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static int receive_boot(struct child *c, struct err *err)
{
	struct pollfd p = {.fd = c->channel, .events = POLLIN};
	if (poll(&p, 1, BOOT_MS) <= 0)
		return err_set(err, ERR_IO, "no boot message");
	int r = channel_receive(c->channel, &c->boot_message, err);
	if (r < 0)
		return -1;
	if (r == 0 || strcmp(c->boot_message.verb, "boot") != 0 || c->boot_message.from != ROLE_SUPERVISOR || !c->boot_message.body)
		return err_set(err, ERR_IO, "the first message isn't boot");
	c->boot = c->boot_message.body;
	const char *role = json_string_value(json_object_get(c->boot, "role"));
	if (!role || strcmp(role, role_names[c->role]) != 0)
		return err_set(err, ERR_IO, "booted for another role");
	if (json_array_size(json_object_get(c->boot, "fds")) != c->boot_message.fds_len)
		return err_set(err, ERR_IO, "the boot message's descriptors don't match their names");
	return 0;
}

static void start_clock(struct child *c)
{
	clock_set_offset_us(json_integer_value(json_object_get(c->boot, "clock_offset_us")));
	int fd = child_fd(c, "clock");
	if (fd >= 0)
		clock_watch(fd);
#ifdef WEIR_TEST_CLOCK
	const char *broken = json_string_value(json_object_get(c->boot, "broken"));
	hook_init(broken ? broken : "");
#endif
}

int child_begin(enum role role, struct child *c, struct err *err)
{
	*c = (struct child){.role = role, .channel = CHANNEL_FD};
	say_init(role_names[role]);
	ipc_wipe_json();
	if (fcntl(CHANNEL_FD, F_GETFD) < 0)
		return err_set(err, ERR_INPUT, "only `weir serve` starts this");
	if (harden(err) < 0 || receive_boot(c, err) < 0)
		return -1;
	start_clock(c);
	return 0;
}

int child_fd(const struct child *c, const char *name)
{
	json_t *names = json_object_get(c->boot, "fds");
	for (size_t i = 0; i < json_array_size(names) && i < c->boot_message.fds_len; i++)
		if (strcmp(json_string_value(json_array_get(names, i)), name) == 0)
			return c->boot_message.fds[i];
	return -1;
}

int child_key(struct child *c, const char *name, void *out, size_t n, struct err *err)
{
	json_t *keys = json_object_get(c->boot, "keys");
	const char *hex = json_string_value(json_object_get(keys, name));
	if (!hex)
		return err_set(err, ERR_NOTFOUND, "no key %s", name);
	if (!hex_decode(hex, strlen(hex), out, n))
		return err_set(err, ERR_INPUT, "key %s isn't %zu bytes of hex", name, n);
	json_object_del(keys, name);	/* wiped by ipc_wipe_json's allocator */
	return 0;
}

static const json_t *setting(const struct child *c, const char *name)
{
	return json_object_get(json_object_get(c->boot, "settings"), name);
}

int64_t child_int(const struct child *c, const char *name, int64_t otherwise)
{
	const json_t *v = setting(c, name);
	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

const char *child_str(const struct child *c, const char *name, const char *otherwise)
{
	const char *s = json_string_value(setting(c, name));
	return s ? s : otherwise;
}

int child_ready(struct child *c, struct err *err)
{
	return channel_send(c->channel, ROLE_SUPERVISOR, "ready", NULL, NULL, 0, err);
}

/* ---- the channel ----------------------------------------------------------------------------------------------- */

int channel_send(int channel, enum role to, const char *verb, json_t *body, const int *fds, size_t fds_len, struct err *err)
{
	struct packet p;
	if (packet_make(to, verb, body, fds, fds_len, &p, err) < 0)
		return -1;
	int r;
	int64_t until = clock_mono_ms() + SEND_MS;
	while ((r = packet_send(channel, &p)) == 0) {
		int64_t left = until - clock_mono_ms();
		struct pollfd f = {.fd = channel, .events = POLLOUT};
		if (left <= 0 || (poll(&f, 1, (int)(left < 50 ? left : 50)) < 0 && errno != EINTR))
			break;
	}
	packet_release(&p);
	if (r == 0)
		return err_set(err, ERR_AGAIN, "%s: the channel stays full", verb);
	return r < 0 ? err_sys(err, "%s: channel", verb) : 0;
}

int channel_receive(int channel, struct message *m, struct err *err)
{
	struct packet p;
	int r = packet_receive(channel, &p, err);
	if (r <= 0)
		return r;
	return packet_open(&p, m, err) < 0 ? -1 : 1;
}

/* `ping`: the loop turns, which is all that it asks. */
static bool ping_answered(struct channel_watch *w, const struct message *m)
{
	struct err err;
	if (strcmp(m->verb, "ping") != 0)
		return false;
	if (channel_send(w->channel, ROLE_SUPERVISOR, "pong", NULL, NULL, 0, &err) < 0)
		say(SAY_WARN, "send-failed", "verb", S("pong"), "why", S(err.msg), NULL);
	return true;
}

static void on_readable(uv_poll_t *h, int status, int events)
{
	(void)status;
	(void)events;
	struct channel_watch *w = h->data;
	for (int i = 0; i < WATCH_BURST && uv_is_active((uv_handle_t *)h); i++) {
		struct message m;
		struct err err;
		int r = channel_receive(w->channel, &m, &err);
		if (r == 0)
			return;
		if (r < 0) {
			/* Without a supervisor there is no one to stop for; what matters is on disk already. */
			say(SAY_WARN, "supervisor-gone", "why", S(err.msg), NULL);
			_exit(EXIT_ORPHAN);
		}
		if (!ping_answered(w, &m))
			w->on_message(&m, w->arg);
		message_release(&m);
	}
}

int channel_watch_start(uv_loop_t *loop, struct channel_watch *w, int channel, void (*on_message)(struct message *m, void *arg),
			void *arg, struct err *err)
{
	w->channel = channel;
	w->on_message = on_message;
	w->arg = arg;
	w->poll.data = w;
	int r = uv_poll_init(loop, &w->poll, channel);
	if (r == 0)
		r = uv_poll_start(&w->poll, UV_READABLE | UV_DISCONNECT, on_readable);
	return r < 0 ? err_set(err, ERR_IO, "channel: %s", uv_strerror(r)) : 0;
}

void channel_watch_stop(struct channel_watch *w)
{
	uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, NULL);
}
