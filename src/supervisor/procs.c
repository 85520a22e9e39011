/* The supervisor's processes: started, waited for, started again when they die, killed when they hang. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/say.h"
#include "supervisor/inside.h"

enum { CHANNEL_FD = 3, DOUBLINGS = 9, DELAY_CEILING = 300, PING_MS = 1000, SILENT_MAX = 3 };

const char *const proc_states[] = {"down", "starting", "ready", "stopping", "gone"};

/* ---- from start to death --------------------------------------------------------------------------------------- */

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
	if (p->role == ROLE_GATE || p->role == ROLE_COURIER)
		messages_secrets(s, p->role);
	messages_flush(p);
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
		messages_read(s, p);	/* its last words */
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
	say(SAY_ERROR, "process-died", "role", S(role_names[p->role]), how, I(code), "was", S(proc_states[p->state]), "again_in_ms", I(delay),
	    NULL);
	p->state = s->stopping ? GONE : DOWN;
	p->start_at_ms = clock_mono_ms() + delay;
	p->restarts++;
}

void procs_start(struct supervisor *s)
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

void procs_reap(struct supervisor *s)
{
	int st;
	pid_t pid;
	while ((pid = waitpid(-1, &st, WNOHANG)) > 0)
		for (enum role r = ROLE_GATE; r < ROLES; r++)
			if (s->procs[r].pid == pid)
				died(s, &s->procs[r], WIFSIGNALED(st) ? "signal" : "exit", WIFSIGNALED(st) ? WTERMSIG(st) : WEXITSTATUS(st));
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
		message_send(s, p->role, "ping", NULL);
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
void procs_look_after(struct supervisor *s)
{
	int64_t now = clock_mono_ms();
	if (s->stopping || now < s->ping_at_ms)
		return;
	s->ping_at_ms = now + PING_MS;
	for (enum role r = ROLE_GATE; r < ROLES; r++)
		if (s->procs[r].state == READY)
			look_after(s, &s->procs[r]);
}
