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
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/say.h"
#include "supervisor/inside.h"

enum { KILL_EXTRA_MS = 2000 };

/* Who stops together, in order: nothing is accepted any more before anything else stops. */
static const unsigned stop_stages[] = {
	1u << ROLE_GATE,
	1u << ROLE_STEWARD | 1u << ROLE_PROBER,
	1u << ROLE_COURIER | 1u << ROLE_KEEPER,
};
enum { STOP_STAGES = sizeof stop_stages / sizeof *stop_stages };

/* ---- stopping -------------------------------------------------------------------------------------------------- */

static void stop_stage(struct supervisor *s)
{
	int64_t grace = s->o->grace_ms ? s->o->grace_ms : 10000;
	for (enum role r = ROLE_GATE; r < ROLES; r++) {
		struct proc *p = &s->procs[r];
		if (!(stop_stages[s->stage] >> r & 1))
			continue;
		if (!proc_alive(p)) {
			p->state = GONE;
			continue;
		}
		p->state = STOPPING;
		p->kill_at_ms = clock_mono_ms() + grace + KILL_EXTRA_MS;
		message_send(s, r, "stop", json_pack("{s:I}", "grace_ms", (json_int_t)grace));
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
	procs_reap(s);
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
			messages_read(s, of[i]);
		if (f[i].revents & POLLOUT && of[i]->channel == f[i].fd)
			messages_flush(of[i]);
	}
	on_signals(s);
	procs_start(s);
	procs_look_after(s);
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
		messages_drop(p);
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
		procs_start(&s);
		while (!(s.stopping && stop_on(&s)))
			turn(&s);
		say(SAY_INFO, "stopped", NULL);
		close(s.signals);
		sigprocmask(SIG_SETMASK, &old, NULL);
	}
	release(&s);
	return r;
}
