/*
 * The supervisor's loop.  A process moves
 *
 *   DOWN --start_at--> STARTING --ready--> READY --stop--> STOPPING --died--> GONE
 *     ^-----------died-----'-----died--------'
 *
 * A process that is READY is pinged every second.  One that doesn't answer is silent, which status and metrics say; one
 * that is silent and waits for something that isn't the disk (or, the steward, was stopped) for several looks in a row
 * hangs: it is killed, and restarted like any other that died.  One that computes, or waits for the disk, is left alone.
 *
 * It keeps its role, so what the others send while it is down waits for it (`held`) and goes out behind `boot`.
 */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/say.h"
#include "supervisor/handout.h"

enum { CHANNEL_FD = 3, BURST = 32, HELD_MAX = 4096, DOUBLINGS = 9, DELAY_CEILING = 300, KILL_EXTRA_MS = 2000, PING_MS = 1000, SILENT_MAX = 3 };

enum state { DOWN, STARTING, READY, STOPPING, GONE };
static const char *const state_names[] = {"down", "starting", "ready", "stopping", "gone"};

struct held {
	struct packet packet;
	struct held *next;
};

struct proc {
	enum role role;
	enum state state;
	pid_t pid;
	int channel;
	int64_t start_at_ms;
	int64_t kill_at_ms;	/* STOPPING: its grace ends */
	unsigned failures;	/* deaths before `ready` in a row */
	uint64_t restarts;
	bool pinged;		/* and hasn't answered yet */
	unsigned silent;	/* looks in a row since then */
	unsigned hung;		/* those of them, in a row, at which it hung */
	struct held *first, **last;
	size_t held_len;
};

/* Who stops together, in order: nothing is accepted any more before anything else stops. */
static const unsigned stop_stages[] = {
	1u << ROLE_GATE,
	1u << ROLE_STEWARD | 1u << ROLE_PROBER,
	1u << ROLE_COURIER | 1u << ROLE_KEEPER,
};
enum { STOP_STAGES = sizeof stop_stages / sizeof *stop_stages };

struct supervisor {
	const struct supervisor_options *o;
	struct handout hand;
	struct secrets secrets;
	struct proc procs[ROLES];
	int signals;
	bool announced;
	bool stopping;
	int64_t ping_at_ms;
	size_t stage;
};

/* ---- messages out ---------------------------------------------------------------------------------------------- */

static bool alive(const struct proc *p)
{
	return p->state == STARTING || p->state == READY || p->state == STOPPING;
}

static void hold(struct proc *p, struct packet *k)
{
	if (p->held_len >= HELD_MAX) {
		say(SAY_ERROR, "message-lost", "to", S(role_names[p->role]), "verb", S(k->head.verb), "why", S("too many wait"), NULL);
		packet_release(k);
		return;
	}
	struct held *h = xcalloc(1, sizeof *h);
	h->packet = *k;
	*p->last = h;
	p->last = &h->next;
	p->held_len++;
}

static void flush_held(struct proc *p)
{
	while (p->first && alive(p)) {
		struct held *h = p->first;
		if (packet_send(p->channel, &h->packet) <= 0)
			return;
		p->first = h->next;
		if (!p->first)
			p->last = &p->first;
		p->held_len--;
		packet_release(&h->packet);
		free(h);
	}
}

/* Takes the packet over. */
static void deliver(struct supervisor *s, struct packet *k)
{
	struct proc *p = &s->procs[k->head.to];
	if (!(s->o->roles >> p->role & 1) || p->state == GONE) {
		packet_release(k);
		return;
	}
	hold(p, k);
	flush_held(p);
}

static void send_to(struct supervisor *s, enum role to, const char *verb, json_t *body)
{
	struct packet k;
	struct err err;
	if (packet_make(to, verb, body, NULL, 0, &k, &err) < 0)
		say(SAY_ERROR, "message-lost", "to", S(role_names[to]), "verb", S(verb), "why", S(err.msg), NULL);
	else
		deliver(s, &k);
}

/* ---- messages to the supervisor itself ------------------------------------------------------------------------- */

static void send_secrets(struct supervisor *s, const char *vendor, enum role role)
{
	json_t *body = secrets_for(&s->secrets, vendor, role);
	if (body)
		send_to(s, role, "secrets", body);
}

static void send_both(struct supervisor *s, const char *vendor)
{
	send_secrets(s, vendor, ROLE_GATE);
	send_secrets(s, vendor, ROLE_COURIER);
}

static void announce(struct supervisor *s)
{
	struct err err;
	for (enum role r = ROLE_GATE; r < ROLES; r++)
		if (s->o->roles >> r & 1 && s->procs[r].state != READY)
			return;
	if (s->announced)
		return;
	s->announced = true;
	if (handout_write_ready(&s->hand, &err) < 0)
		say(SAY_ERROR, "ready-file", "why", S(err.msg), NULL);
	printf("weir: ready gate=%s api=%s\n", s->hand.gate_url, s->hand.api_url);
	fflush(stdout);
}

static void on_ready(struct supervisor *s, struct message *m)
{
	struct proc *p = &s->procs[m->from];
	if (p->state != STARTING)
		return;
	p->state = READY;
	p->failures = 0;
	say(SAY_INFO, "process-ready", "role", S(role_names[p->role]), "pid", I(p->pid), NULL);
	announce(s);
}

static void on_pong(struct supervisor *s, struct message *m)
{
	s->procs[m->from].pinged = false;
	s->procs[m->from].silent = s->procs[m->from].hung = 0;
}

static void on_resolve(struct supervisor *s, struct message *m)
{
	const char *vendor = json_string_value(json_object_get(m->body, "vendor"));
	json_t *id = json_object_get(m->body, "id"), *missing = secrets_resolve(&s->secrets, s->hand.folder, m->body);
	if (vendor && json_array_size(missing) == 0 && !json_is_true(json_object_get(m->body, "hold")))
		send_both(s, vendor);
	send_to(s, ROLE_KEEPER, "resolved", json_pack("{s:O*, s:o}", "id", id, "missing", missing));
}

/* The first look may have come while it was busy. */
static bool is_silent(const struct proc *p)
{
	return p->silent > 1;
}

static void on_hand_over(struct supervisor *s, struct message *m)
{
	const char *vendor = json_string_value(json_object_get(m->body, "vendor"));
	if (vendor && secrets_release_held(&s->secrets, vendor))
		send_both(s, vendor);
}

static void on_status(struct supervisor *s, struct message *m)
{
	json_t *list = json_array();
	for (enum role r = ROLE_GATE; r < ROLES; r++) {
		const struct proc *p = &s->procs[r];
		if (s->o->roles >> r & 1)
			json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:b}", "process", role_names[r], "state",
							      state_names[p->state], "pid", (json_int_t)p->pid, "restarts",
							      (json_int_t)p->restarts, "silent", is_silent(p)));
	}
	send_to(s, m->from, "status-is", json_pack("{s:O*, s:o}", "id", json_object_get(m->body, "id"), "processes", list));
}

static void on_metrics(struct supervisor *s, struct message *m)
{
	struct buf b;
	buf_init(&b, 0);
	metrics_head(&b, "weir_process_restarts_total", "counter", "Restarts of a process since the start of Weir.");
	for (enum role r = ROLE_GATE; r < ROLES; r++)
		if (s->o->roles >> r & 1)
			buf_addf(&b, "weir_process_restarts_total{process=\"%s\"} %llu\n", role_names[r],
				 (unsigned long long)s->procs[r].restarts);
	metrics_head(&b, "weir_process_up", "gauge", "1: the process is ready and answers the supervisor.");
	for (enum role r = ROLE_GATE; r < ROLES; r++)
		if (s->o->roles >> r & 1)
			buf_addf(&b, "weir_process_up{process=\"%s\"} %d\n", role_names[r], s->procs[r].state == READY && !is_silent(&s->procs[r]));
	send_to(s, m->from, "metrics-text", json_pack("{s:O*, s:s}", "id", json_object_get(m->body, "id"), "text", (const char *)b.data));
	buf_release(&b);
}

static const struct {
	const char *verb;
	void (*handle)(struct supervisor *s, struct message *m);
} own_verbs[] = {
	{"ready", on_ready},
	{"pong", on_pong},
	{"resolve", on_resolve},
	{"hand-over", on_hand_over},
	{"status", on_status},
	{"metrics", on_metrics},
};

static void take(struct supervisor *s, struct packet *k)
{
	struct message m;
	struct err err;
	enum role from = (enum role)k->head.from;
	if (packet_open(k, &m, &err) < 0) {
		say(SAY_ERROR, "message-bad", "from", S(role_names[from]), "why", S(err.msg), NULL);
		return;
	}
	for (size_t i = 0; i < sizeof own_verbs / sizeof *own_verbs; i++)
		if (strcmp(own_verbs[i].verb, m.verb) == 0)
			own_verbs[i].handle(s, &m);
	message_release(&m);
}

static void route(struct supervisor *s, struct proc *p, struct packet *k)
{
	k->head.from = (uint8_t)p->role;	/* whatever it claims */
	if (!ipc_allowed(k->head.from, k->head.to, k->head.verb, k->fds_len - k->head.in_memfd)) {
		say(SAY_ERROR, "message-refused", "from", S(role_names[p->role]), "to",
		    S(k->head.to < ROLES ? role_names[k->head.to] : "nobody"), "verb", S(k->head.verb), NULL);
		packet_release(k);
	} else if (k->head.to == ROLE_SUPERVISOR) {
		take(s, k);
	} else {
		deliver(s, k);
	}
}

static void on_channel(struct supervisor *s, struct proc *p)
{
	struct packet k;
	struct err err;
	for (int i = 0; i < BURST; i++) {
		int r = packet_receive(p->channel, &k, &err);
		if (r == 0)
			return;
		if (r < 0 && err.code == ERR_CORRUPT) {
			say(SAY_ERROR, "message-bad", "from", S(role_names[p->role]), "why", S(err.msg), NULL);
			continue;
		}
		if (r < 0) {	/* it is dying; SIGCHLD says the rest */
			close(p->channel);
			p->channel = -1;
			return;
		}
		route(s, p, &k);
	}
}

/* ---- processes ------------------------------------------------------------------------------------------------- */

/* Between fork and exec: async-signal-safe calls only. */
static void become(enum role role, int channel, pid_t parent)
{
	char name[16];
	sigset_t none;
	int null = open("/dev/null", O_RDWR);
	strcpy(name, role_names[role]);
	char weir[] = "weir", child[] = "--child", *argv[] = {weir, child, name, NULL}, *envp[] = {NULL};
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(126);
	if (channel == CHANNEL_FD ? fcntl(channel, F_SETFD, 0) < 0 : dup2(channel, CHANNEL_FD) < 0)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(126);
	execve("/proc/self/exe", argv, envp);
	_exit(127);
}

static void died(struct supervisor *s, struct proc *p, const char *how, int code);

static int start(struct supervisor *s, struct proc *p, struct err *err)
{
	struct packet boot;
	int pair[2];
	if (handout_boot(&s->hand, p->role, &boot, err) < 0)
		return -1;
	if (ipc_pair(pair, err) < 0) {
		packet_release(&boot);
		return -1;
	}
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		become(p->role, pair[1], parent);
	close(pair[1]);
	if (pid < 0 || packet_send(pair[0], &boot) <= 0) {
		err_sys(err, "fork");
		packet_release(&boot);
		close(pair[0]);
		if (pid > 0)
			kill(pid, SIGKILL);	/* reaped as nobody's */
		return -1;
	}
	packet_release(&boot);
	p->pid = pid;
	p->channel = pair[0];
	p->state = STARTING;
	const char *vendor;
	json_t *entry;
	if (p->role == ROLE_GATE || p->role == ROLE_COURIER)
		json_object_foreach(s->secrets.vendors, vendor, entry)
			send_secrets(s, vendor, p->role);
	flush_held(p);
	return 0;
}

static int64_t delay_after(const struct supervisor *s, unsigned failures)
{
	int64_t unit = s->o->delay_ms ? s->o->delay_ms : 100;
	if (failures <= 1)	/* the first one may have been bad luck */
		return 0;
	unsigned doublings = failures - 2 < DOUBLINGS ? failures - 2 : DOUBLINGS;
	int64_t delay = unit << doublings;
	return delay < unit * DELAY_CEILING ? delay : unit * DELAY_CEILING;
}

/* how: "exit" or "signal" with its number, or "start" when it didn't come to that. */
static void died(struct supervisor *s, struct proc *p, const char *how, int code)
{
	if (p->channel >= 0) {
		on_channel(s, p);	/* its last words */
		if (p->channel >= 0)
			close(p->channel);
	}
	p->channel = -1;
	p->pid = 0;
	if (p->state == STOPPING) {
		p->state = GONE;
		return;
	}
	p->pinged = false;
	p->silent = p->hung = 0;
	p->failures = p->state == READY ? 0 : p->failures + 1;
	int64_t delay = delay_after(s, p->failures);
	say(SAY_ERROR, "process-died", "role", S(role_names[p->role]), how, I(code), "was", S(state_names[p->state]), "again_in_ms", I(delay),
	    NULL);
	p->state = s->stopping ? GONE : DOWN;
	p->start_at_ms = clock_mono_ms() + delay;
	p->restarts++;
}

static void start_due(struct supervisor *s)
{
	struct err err;
	for (enum role r = ROLE_GATE; r < ROLES; r++) {
		struct proc *p = &s->procs[r];
		if (s->stopping || !(s->o->roles >> r & 1) || p->state != DOWN || p->start_at_ms > clock_mono_ms())
			continue;
		if (start(s, p, &err) < 0) {
			say(SAY_ERROR, "process-start", "role", S(role_names[r]), "why", S(err.msg), NULL);
			died(s, p, "errno", err.sys);
		}
	}
}

static void reap(struct supervisor *s)
{
	int st;
	pid_t pid;
	while ((pid = waitpid(-1, &st, WNOHANG)) > 0)
		for (enum role r = ROLE_GATE; r < ROLES; r++)
			if (s->procs[r].pid == pid)
				died(s, &s->procs[r], WIFSIGNALED(st) ? "signal" : "exit", WIFSIGNALED(st) ? WTERMSIG(st) : WEXITSTATUS(st));
}

/* ---- stopping -------------------------------------------------------------------------------------------------- */

static void stop_stage(struct supervisor *s)
{
	int64_t grace = s->o->grace_ms ? s->o->grace_ms : 10000;
	for (enum role r = ROLE_GATE; r < ROLES; r++) {
		struct proc *p = &s->procs[r];
		if (!(stop_stages[s->stage] >> r & 1))
			continue;
		if (!alive(p)) {
			p->state = GONE;
			continue;
		}
		p->state = STOPPING;
		p->kill_at_ms = clock_mono_ms() + grace + KILL_EXTRA_MS;
		send_to(s, r, "stop", json_pack("{s:I}", "grace_ms", (json_int_t)grace));
	}
}

static bool stage_done(const struct supervisor *s)
{
	for (enum role r = ROLE_GATE; r < ROLES; r++)
		if (stop_stages[s->stage] >> r & 1 && s->procs[r].state != GONE)
			return false;
	return true;
}

/* True when everything has stopped. */
static bool stop_on(struct supervisor *s)
{
	while (stage_done(s)) {
		if (++s->stage == STOP_STAGES)
			return true;
		stop_stage(s);
	}
	for (enum role r = ROLE_GATE; r < ROLES; r++) {
		struct proc *p = &s->procs[r];
		if (p->state == STOPPING && p->kill_at_ms <= clock_mono_ms()) {
			say(SAY_ERROR, "process-killed", "role", S(role_names[r]), "why", S("its time to stop is over"), NULL);
			kill(p->pid, SIGKILL);
			p->kill_at_ms = INT64_MAX;
		}
	}
	return false;
}

static void kill_all(struct supervisor *s)
{
	for (enum role r = ROLE_GATE; r < ROLES; r++)
		if (s->procs[r].pid > 0)
			kill(s->procs[r].pid, SIGKILL);
}

static void on_signals(struct supervisor *s)
{
	struct signalfd_siginfo si;
	while (read(s->signals, &si, sizeof si) == (ssize_t)sizeof si) {
		if (si.ssi_signo != SIGTERM && si.ssi_signo != SIGINT)
			continue;
		if (s->stopping) {	/* twice: somebody is in a hurry */
			kill_all(s);
			continue;
		}
		say(SAY_INFO, "stopping", NULL);
		s->stopping = true;
		s->stage = 0;
		stop_stage(s);
	}
	reap(s);
}

/* ---- who hangs ------------------------------------------------------------------------------------------------- */

/* Its main thread's state in /proc/PID/stat: behind the name, which may hold anything. */
static char thread_state(pid_t pid)
{
	char path[40], text[256];
	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return '?';
	text[n] = 0;
	const char *end = strrchr(text, ')');
	return end && end[1] == ' ' ? end[2] : '?';
}

/*
 * Silent for a reason that won't pass by itself.  What somebody stopped by hand stays so, for the steward can tell it;
 * nobody could tell of a stopped steward.
 */
static bool hangs(const struct proc *p)
{
	char state = thread_state(p->pid);
	return state == 'S' || (state == 'T' && p->role == ROLE_STEWARD);
}

static void look_after(struct supervisor *s, struct proc *p)
{
	if (!p->pinged) {
		p->pinged = true;
		send_to(s, p->role, "ping", NULL);
		return;
	}
	p->silent++;
	p->hung = hangs(p) ? p->hung + 1 : 0;
	if (p->hung < SILENT_MAX)
		return;
	say(SAY_ERROR, "process-silent", "role", S(role_names[p->role]), "pid", I(p->pid), "looks", I(p->silent), NULL);
	kill(p->pid, SIGKILL);	/* SIGCHLD says the rest */
	p->hung = 0;
}

/* Looks are counted, not seconds: after the machine slept everybody gets their turn first. */
static void look_after_all(struct supervisor *s)
{
	int64_t now = clock_mono_ms();
	if (s->stopping || now < s->ping_at_ms)
		return;
	s->ping_at_ms = now + PING_MS;
	for (enum role r = ROLE_GATE; r < ROLES; r++)
		if (s->procs[r].state == READY)
			look_after(s, &s->procs[r]);
}

/* ---- the loop -------------------------------------------------------------------------------------------------- */

static int wait_ms(const struct supervisor *s)
{
	int64_t now = clock_mono_ms(), until = s->stopping ? now + 60000 : s->ping_at_ms;
	for (enum role r = ROLE_GATE; r < ROLES; r++) {
		const struct proc *p = &s->procs[r];
		if (p->state == DOWN && s->o->roles >> r & 1 && p->start_at_ms < until)
			until = p->start_at_ms;
		if (p->state == STOPPING && p->kill_at_ms < until)
			until = p->kill_at_ms;
	}
	return until > now ? (int)(until - now) : 0;
}

static void turn(struct supervisor *s)
{
	struct pollfd f[ROLES + 1];
	struct proc *of[ROLES + 1] = {NULL};
	nfds_t n = 0;
	f[n++] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	for (enum role r = ROLE_GATE; r < ROLES; r++) {
		struct proc *p = &s->procs[r];
		if (p->channel < 0)
			continue;
		of[n] = p;
		f[n++] = (struct pollfd){.fd = p->channel, .events = (short)(POLLIN | (p->first ? POLLOUT : 0))};
	}
	if (poll(f, n, wait_ms(s)) < 0 && errno != EINTR)
		must_fail(__FILE__, __LINE__, "poll");
	for (nfds_t i = 1; i < n; i++) {
		if (f[i].revents & (POLLIN | POLLHUP | POLLERR) && of[i]->channel == f[i].fd)
			on_channel(s, of[i]);
		if (f[i].revents & POLLOUT && of[i]->channel == f[i].fd)
			flush_held(of[i]);
	}
	on_signals(s);
	start_due(s);
	look_after_all(s);
}

static int block_signals(struct supervisor *s, sigset_t *old, struct err *err)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, old);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? err_sys(err, "signalfd") : 0;
}

static void release(struct supervisor *s)
{
	for (enum role r = ROLE_GATE; r < ROLES; r++) {
		struct proc *p = &s->procs[r];
		for (struct held *h; (h = p->first);) {
			p->first = h->next;
			packet_release(&h->packet);
			free(h);
		}
		if (p->channel >= 0)
			close(p->channel);
	}
	secrets_release(&s->secrets);
	handout_release(&s->hand);
}

int supervisor_run(const struct supervisor_options *o, struct err *err)
{
	struct supervisor s = {.o = o, .signals = -1};
	struct rlimit none = {0, 0};
	sigset_t old;
	say_init("supervisor");
	ipc_wipe_json();
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &none);
	if (handout_open(o, &s.hand, err) < 0)
		return -1;
	secrets_init(&s.secrets);
	for (enum role r = 0; r < ROLES; r++)
		s.procs[r] = (struct proc){.role = r, .channel = -1, .last = &s.procs[r].first};
	int r = block_signals(&s, &old, err);
	if (r == 0) {
		start_due(&s);
		while (!(s.stopping && stop_on(&s)))
			turn(&s);
		say(SAY_INFO, "stopped", NULL);
		close(s.signals);
		sigprocmask(SIG_SETMASK, &old, NULL);
	}
	release(&s);
	return r;
}
