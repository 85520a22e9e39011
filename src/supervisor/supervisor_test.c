/*
 * The process tree for real: supervisor_run in a process of its own over a fresh folder, with this program as the binary
 * that it starts again as `--child ROLE`.  The children below take the same steps as the real ones (child_begin,
 * child_confine, ready) and then do what the scenario says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "supervisor/handout.h"
#include "supervisor/shared.h"

enum scenario { PROBE = 1, FORGE, SLOW_START, SECRETS };
enum { ALL = 1u << ROLE_GATE | 1u << ROLE_COURIER | 1u << ROLE_KEEPER | 1u << ROLE_STEWARD, WAIT_MS = 20000 };

/* ---- the child's side ------------------------------------------------------------------------------------------ */

static struct buf report;

static void note_on(const char *verb, const char *what, int r)
{
	buf_adds(&report, verb);
	buf_adds(&report, *verb ? " " : "");
	buf_adds(&report, what);
	buf_adds(&report, r >= 0 ? "=yes\n" : "=no\n");
}

static void note(const char *what, int r)
{
	note_on("", what, r);
}

static void probe_paths(void)
{
	static const char *const files[] = {"keys/vendor.root", "keys/courier.key", "keys/signing.key", "weir.yaml", "run/lock",
					    "state/log/gate/f", "state/log/courier/f", "state/queue/f", "state/dead/f", "state/plan/f",
					    "state/ledger/open/f", "state/registry.db", "/etc/passwd", "/proc/self/environ", "/proc/1/environ"};
	static const char *const dirs[] = {".", "state", "state/log/gate", "state/log/courier", "state/queue", "state/dead", "state/plan",
					   "state/ledger/open", "keys", "run", "/tmp"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		note_on("read", files[i], open(files[i], O_RDONLY));
		note_on("write", files[i], open(files[i], O_WRONLY));
	}
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		char path[128];
		snprintf(path, sizeof path, "%s/made-%d", dirs[i], getpid());
		note_on("make", dirs[i], open(path, O_WRONLY | O_CREAT, 0600));
		unlink(path);
	}
	note("rename plan", renameat(AT_FDCWD, "state/plan/f", AT_FDCWD, "state/plan/f"));
}

static void probe_network(const struct child *c)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const char *colon = strrchr(child_str(c, "gate_url", ":0"), ':');
	a.sin_port = htons((uint16_t)atoi(colon + 1));
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	note("socket inet", s);
	note("connect", s < 0 ? -1 : connect(s, (struct sockaddr *)&a, sizeof a) == 0 || errno == EINPROGRESS ? 0 : -1);
	note("socket unix", socket(AF_UNIX, SOCK_STREAM, 0));
	note("socket packet", socket(AF_PACKET, SOCK_RAW, 0));
	static const char *const sockets[] = {"listen", "api", "cutoff"};
	int listening = -1;
	for (size_t i = 0; i < 3 && listening < 0; i++)
		listening = child_fd(c, sockets[i]);
	note("accept", listening < 0 ? -1 : accept4(listening, NULL, NULL, SOCK_NONBLOCK) >= 0 || errno == EAGAIN ? 0 : -1);
}

static void probe_process(void)
{
	char path[] = "/bin/true", *argv[] = {path, NULL};
	note("fork", (int)fork());
	note("exec", execv(path, argv));
	note("ptrace parent", (int)syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, getppid(), 0, 0));
	note("signal parent", kill(getppid(), 0));
	note("read memory of parent", (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
	note("code from data", mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
	note("io_uring", (int)syscall(SYS_io_uring_setup, 1, NULL));
	note("chmod", fchmodat(AT_FDCWD, "state", 0777, 0));
	note("unshare", (int)syscall(SYS_unshare, 0x10000000));
}

static void probe_marks(const struct child *c)
{
	static const char *const marks[] = {"mark", "courier_mark", "keeper_mark"};
	for (size_t i = 0; i < 3; i++) {
		char path[64];
		struct err err;
		int fd = child_fd(c, marks[i]);
		note_on("map", marks[i], fd >= 0 && shared_map(fd, true, &err) ? 0 : -1);
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		note_on("reopen", marks[i], open(path, O_RDWR));
	}
}

static void probe_keys(struct child *c)
{
	for (size_t i = 0; i < KEY_NAMES; i++) {
		uint8_t raw[KEY_FILE_BYTES_MAX];
		struct err err;
		note_on("key", key_grants[i].name, child_key(c, key_grants[i].name, raw, keys_table[i].bytes, &err));
	}
}

/* Where a child of this role may leave its report. */
static int report_fd(const struct child *c)
{
	static const char *const own[ROLES] = {[ROLE_GATE] = "log", [ROLE_COURIER] = "own", [ROLE_KEEPER] = "open"};
	if (c->role == ROLE_STEWARD)
		return open(child_str(c, "registry", ""), O_RDWR | O_TRUNC);
	return openat(child_fd(c, own[c->role]), "report", O_RDWR | O_CREAT | O_APPEND, 0600);
}

static void write_report(const struct child *c)
{
	int fd = report_fd(c);
	must(fd >= 0 && write(fd, report.data, report.len) == (ssize_t)report.len);
	close(fd);
	buf_reset(&report);
}

static void send_raw(int channel, enum role from, enum role to, const char *verb)
{
	struct packet p;
	struct err err;
	must(packet_make(to, verb, json_pack("{s:s}", "as", role_names[from]), NULL, 0, &p, &err) == 0);
	p.head.from = (uint8_t)from;
	must(packet_send(channel, &p) == 1);
	packet_release(&p);
}

static void forge(const struct child *c)
{
	if (c->role != ROLE_GATE)
		return;
	send_raw(c->channel, ROLE_KEEPER, ROLE_COURIER, "plan");	/* not for the gate to send */
	send_raw(c->channel, ROLE_SUPERVISOR, ROLE_COURIER, "secrets");
	send_raw(c->channel, ROLE_KEEPER, ROLE_SUPERVISOR, "resolve");
	send_raw(c->channel, ROLE_KEEPER, (enum role)77, "plan");
	send_raw(c->channel, ROLE_COURIER, ROLE_KEEPER, "plans");	/* allowed, but from the gate */
}

static bool on_message(struct child *c, struct message *m)
{
	if (strcmp(m->verb, "stop") == 0)
		return false;
	if (strcmp(m->verb, "ping") == 0) {
		struct err err;
		must(channel_send(c->channel, ROLE_SUPERVISOR, "pong", NULL, NULL, 0, &err) == 0);
		return true;
	}
	buf_addf(&report, "got %s from %s", m->verb, role_names[m->from]);
	json_t *v = json_object_get(m->body, "credential");
	if (json_is_string(v))
		buf_addf(&report, " credential %s", json_string_value(v));
	v = json_object_get(json_array_get(json_object_get(m->body, "tokens"), 0), "token");
	if (v)
		buf_addf(&report, " token %s", json_string_value(v));
	buf_addf(&report, " missing %zu\n", json_array_size(json_object_get(m->body, "missing")));
	write_report(c);
	return true;
}

static int serve(struct child *c)
{
	struct err err;
	for (;;) {
		struct pollfd f = {.fd = c->channel, .events = POLLIN};
		struct message m;
		poll(&f, 1, -1);
		int r = channel_receive(c->channel, &m, &err);
		if (r < 0)
			return 3;
		if (r == 0)
			continue;
		bool more = on_message(c, &m);
		message_release(&m);
		if (!more)
			return 0;
	}
}

static void hold_back(const struct child *c, const char *vendor, const char *token)
{
	struct err err;
	json_t *body = json_pack("{s:i, s:s, s:[{s:s, s:s}], s:b}", "id", 3, "vendor", vendor, "sources", "name", "web", "token", token, "hold", 1);
	must(channel_send(c->channel, ROLE_SUPERVISOR, "resolve", body, NULL, 0, &err) == 0);
}

static int be_child(const char *name)
{
	struct child c;
	struct err err;
	enum role role = ROLE_GATE;
	while (role < ROLES && strcmp(role_names[role], name) != 0)
		role++;
	buf_init(&report, 0);
	if (child_begin(role, &c, &err) < 0)
		return 2;
	enum scenario scenario = (enum scenario)child_int(&c, "dead_days", 0);
	buf_addf(&report, "start %d %lld\n", getpid(), (long long)clock_mono_ms());
	if (scenario == PROBE) {
		note("dumpable", prctl(PR_GET_DUMPABLE) ? 0 : -1);
		note("environment", environ && *environ ? 0 : -1);
		probe_keys(&c);
	}
	if (child_confine(&c, &err) < 0)
		return 2;
	if (scenario == PROBE) {
		probe_paths();
		probe_network(&c);
		probe_process();
		probe_marks(&c);
	}
	write_report(&c);
	if (scenario == SLOW_START && role == ROLE_GATE) {
		char text[4096] = "";
		int fd = report_fd(&c);
		must(pread(fd, text, sizeof text - 1, 0) >= 0);
		int starts = 0;
		for (char *p = text; (p = strstr(p, "start ")); p++)
			starts++;
		if (starts < 5)
			return 1;
	}
	if (child_ready(&c, &err) < 0)
		return 2;
	if (scenario == FORGE)
		forge(&c);
	if (scenario == SECRETS && role == ROLE_KEEPER) {
		json_t *sources = json_pack("[{s:s, s:s}]", "name", "web", "token", "env:TEST_TOKEN");
		json_t *bad = json_pack("{s:i, s:s, s:s}", "id", 2, "vendor", "other", "credential", "env:TEST_NOT_SET");
		must(channel_send(c.channel, ROLE_SUPERVISOR, "resolve", json_pack("{s:i, s:s, s:o, s:s}", "id", 1, "vendor", "acme", "sources",
				  sources, "credential", "file:secret.txt"), NULL, 0, &err) == 0);
		must(channel_send(c.channel, ROLE_SUPERVISOR, "resolve", bad, NULL, 0, &err) == 0);
		hold_back(&c, "held", "env:TEST_HELD");
		hold_back(&c, "handed", "env:TEST_HANDED");
		must(channel_send(c.channel, ROLE_SUPERVISOR, "hand-over", json_pack("{s:s}", "vendor", "handed"), NULL, 0, &err) == 0);
	}
	return serve(&c);
}

/* ---- the test's side ------------------------------------------------------------------------------------------- */

struct tree {
	char dir[64];
	pid_t pid;
};

static int listen_any(const char *addr, int *fd, char bound[static 64], struct err *err)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	(void)addr;
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0 || bind(*fd, (struct sockaddr *)&a, n) < 0 || listen(*fd, 8) < 0 || getsockname(*fd, (struct sockaddr *)&a, &n) < 0)
		return err_sys(err, "listen");
	snprintf(bound, 64, "127.0.0.1:%u", ntohs(a.sin_port));
	return 0;
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static char *get(const char *dir, const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "r");
	char *text = xcalloc(1, 65536);
	if (f) {
		(void)!fread(text, 1, 65535, f);
		fclose(f);
	}
	return text;
}

static void make_folder(struct tree *t)
{
	static const char *const extra[] = {"keys", "state", "state/log", "state/log/gate", "state/log/courier", "state/queue", "state/dead",
					    "state/plan", "state/ledger", "state/ledger/open"};
	char path[256], hex[130];
	snprintf(t->dir, sizeof t->dir, "/tmp/weir-supervisor-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	umask(077);
	for (size_t i = 0; i < sizeof extra / sizeof *extra; i++) {
		snprintf(path, sizeof path, "%s/%s", t->dir, extra[i]);
		assert_int_equal(mkdir(path, 0700), 0);
		if (i > 2) {
			snprintf(path, sizeof path, "%s/f", extra[i]);
			put(t->dir, path, "x");
		}
	}
	for (size_t i = 0; i < KEY_NAMES; i++) {
		memset(hex, 'a', sizeof hex);
		hex[2 * keys_table[i].bytes] = '\n';
		hex[2 * keys_table[i].bytes + 1] = 0;
		snprintf(path, sizeof path, "keys/%s", keys_table[i].file);
		put(t->dir, path, hex);
	}
	put(t->dir, "weir.yaml", "weir: 1\n");
	put(t->dir, "secret.txt", "from-file\n");
}

static int run_supervisor(const char *dir, enum scenario scenario)
{
	char any[] = "127.0.0.1:0";
	struct config c = {.gate_listen = any, .api_listen = any, .dead_days = scenario};
	struct supervisor_options o = {.dir = dir, .config = &c, .roles = ALL, .listen = listen_any, .grace_ms = 3000, .delay_ms = 40};
	struct err err;
	setenv("TEST_TOKEN", "from-env", 1);
	setenv("TEST_HELD", "from-held", 1);
	setenv("TEST_HANDED", "from-handed", 1);
	if (chdir(dir) < 0)
		return 9;
	if (supervisor_run(&o, &err) == 0)
		return 0;
	return err.code == ERR_CONFLICT ? 2 : 3;
}

static pid_t spawn(const char *dir, enum scenario scenario)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);
		if (!getenv("WEIR_TEST_SHOW"))
			dup2(null, 2);
		dup2(null, 1);
		_exit(run_supervisor(dir, scenario));
	}
	return pid;
}

static bool has(const char *dir, const char *name, const char *text)
{
	char *s = get(dir, name);
	bool found = strstr(s, text) != NULL;
	free(s);
	return found;
}

static bool wait_for(const char *dir, const char *name, const char *text)
{
	for (int i = 0; i < WAIT_MS / 10; i++, usleep(10000))
		if (has(dir, name, text))
			return true;
	return false;
}

static void begin(struct tree *t, enum scenario scenario)
{
	make_folder(t);
	t->pid = spawn(t->dir, scenario);
	assert_true(wait_for(t->dir, "run/ready.json", "\"gate\":\"http://127.0.0.1:"));
}

static void remove_folder(const char *dir)
{
	char cmd[128];
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	assert_int_equal(system(cmd), 0);
}

static void end(struct tree *t)
{
	int st;
	kill(t->pid, SIGTERM);
	assert_int_equal(waitpid(t->pid, &st, 0), t->pid);
	assert_true(WIFEXITED(st));
	assert_int_equal(WEXITSTATUS(st), 0);
	char path[128];
	snprintf(path, sizeof path, "%s/run/ready.json", t->dir);
	assert_int_equal(access(path, F_OK), -1);
	remove_folder(t->dir);
}

static const char *const report_of[ROLES] = {
	[ROLE_GATE] = "state/log/gate/report", [ROLE_COURIER] = "state/log/courier/report",
	[ROLE_KEEPER] = "state/ledger/open/report", [ROLE_STEWARD] = "state/registry.db",
};

/* What each role may do of all that is probed; everything else must answer no. */
static const char *const may[ROLES][24] = {
	[ROLE_GATE] = {"read state/log/gate/f", "write state/log/gate/f", "read state/plan/f", "make state/log/gate", "accept", "map mark",
		       "key vendor_root", "key subject", "key courier_public", "key plan_public"},
	[ROLE_COURIER] = {"read state/log/gate/f", "read state/plan/f", "read state/log/courier/f", "write state/log/courier/f",
			  "read state/queue/f", "write state/queue/f", "read state/dead/f", "write state/dead/f", "make state/log/courier",
			  "make state/queue", "make state/dead", "socket inet", "connect", "map courier_mark",
			  "key courier_public", "key courier_secret", "key plan_public"},
	[ROLE_KEEPER] = {"read state/log/gate/f", "read state/plan/f", "write state/plan/f", "rename plan", "read state/ledger/open/f",
			 "write state/ledger/open/f", "make state/plan", "make state/ledger/open", "accept", "map keeper_mark",
			 "key subject", "key plan_public", "key signing_secret"},
	[ROLE_STEWARD] = {"read state/registry.db", "write state/registry.db", "accept", "key plan_public"},
};

static bool listed(enum role r, const char *what)
{
	for (size_t i = 0; i < 24 && may[r][i]; i++)
		if (strcmp(may[r][i], what) == 0)
			return true;
	return false;
}

static void test_reaches_only_its_own(void **state)
{
	(void)state;
	struct tree t;
	begin(&t, PROBE);
	for (enum role r = ROLE_GATE; r <= ROLE_STEWARD; r++) {
		char *text = get(t.dir, report_of[r]), *save = NULL;
		size_t probes = 0, yes = 0, expected = 0;
		for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			char *eq = strchr(line, '=');
			if (!eq)
				continue;
			*eq = 0;
			bool is = strcmp(eq + 1, "yes") == 0;
			if (is != listed(r, line))
				fail_msg("%s: %s: %s", role_names[r], line, eq + 1);
			probes++;
			yes += is;
		}
		while (expected < 24 && may[r][expected])
			expected++;
		assert_true(probes > 60);
		assert_int_equal(yes, expected);
		free(text);
	}
	end(&t);
}

static pid_t newest_pid(const struct tree *t, enum role r)
{
	char *text = get(t->dir, report_of[r]);
	pid_t pid = 0;
	for (char *p = text; (p = strstr(p, "start ")); p += 6)
		pid = (pid_t)atoi(p + 6);
	free(text);
	return pid;
}

/* Status lines and descriptors of the processes as the kernel shows them. */
static void test_walls_and_descriptors(void **state)
{
	(void)state;
	struct tree t;
	begin(&t, SECRETS);
	for (enum role r = ROLE_GATE; r <= ROLE_STEWARD; r++) {
		char name[64], path[320], target[256];
		snprintf(name, sizeof name, "%d", newest_pid(&t, r));
		snprintf(path, sizeof path, "/proc/%s", name);
		assert_true(has(path, "status", "NoNewPrivs:\t1"));
		assert_true(has(path, "status", "Seccomp:\t2"));
		assert_true(has(path, "status", "CapEff:\t0000000000000000"));
		char *environment = get(path, "environ");
		assert_string_equal(environment, "");
		free(environment);
		snprintf(path, sizeof path, "/proc/%s/fd", name);
		DIR *d = opendir(path);
		assert_non_null(d);
		for (struct dirent *e; (e = readdir(d));) {
			char link[600];
			snprintf(link, sizeof link, "%s/%s", path, e->d_name);
			ssize_t n = readlink(link, target, sizeof target - 1);
			target[n > 0 ? n : 0] = 0;
			if (strstr(target, "/keys") || strstr(target, "control") || strstr(target, "weir.yaml"))
				fail_msg("%s holds %s", role_names[r], target);
			if (strstr(target, "/state/log/courier"))
				assert_int_equal(r, ROLE_COURIER);
			if (strstr(target, "/state/registry"))
				assert_int_equal(r, ROLE_STEWARD);
			if (strstr(target, "/state/ledger"))
				assert_int_equal(r, ROLE_KEEPER);
		}
		closedir(d);
	}
	end(&t);
}

static void test_sender_is_stamped(void **state)
{
	(void)state;
	struct tree t;
	begin(&t, FORGE);
	assert_true(wait_for(t.dir, report_of[ROLE_KEEPER], "got plans from gate"));
	usleep(100000);
	assert_false(has(t.dir, report_of[ROLE_KEEPER], "from courier"));
	assert_false(has(t.dir, report_of[ROLE_KEEPER], "resolved"));
	assert_false(has(t.dir, report_of[ROLE_COURIER], "got"));
	end(&t);
}

static void test_back_off_before_ready(void **state)
{
	(void)state;
	struct tree t;
	begin(&t, SLOW_START);
	char *text = get(t.dir, report_of[ROLE_GATE]);
	long long at[8];
	size_t n = 0;
	for (char *p = text; (p = strstr(p, "start ")) && n < 8; p++)
		assert_int_equal(sscanf(p, "start %*d %lld", &at[n++]), 1);
	free(text);
	assert_int_equal(n, 5);
	for (size_t i = 2; i < 5; i++)	/* at once, then 40, 80, 160 ms */
		assert_true(at[i] - at[i - 1] >= 40ll << (i - 2));
	end(&t);
}

static bool gone(pid_t pid)
{
	for (int i = 0; i < WAIT_MS / 10; i++, usleep(10000))
		if (kill(pid, 0) < 0)
			return true;
	return false;
}

static void test_others_survive_a_kill(void **state)
{
	(void)state;
	struct tree t;
	begin(&t, SECRETS);
	for (enum role r = ROLE_GATE; r <= ROLE_STEWARD; r++) {
		pid_t before[ROLES], pid = 0;
		for (enum role o = ROLE_GATE; o <= ROLE_STEWARD; o++)
			before[o] = newest_pid(&t, o);
		int64_t at = clock_mono_ms();
		assert_int_equal(kill(before[r], SIGKILL), 0);
		for (int i = 0; i < WAIT_MS / 5 && (pid == 0 || pid == before[r]); i++, usleep(5000))
			pid = newest_pid(&t, r);
		assert_int_not_equal(pid, before[r]);
		print_message("%s was back after %lld ms\n", role_names[r], (long long)(clock_mono_ms() - at));
		for (enum role o = ROLE_GATE; o <= ROLE_STEWARD; o++)
			if (o != r) {
				assert_int_equal(newest_pid(&t, o), before[o]);
				assert_int_equal(kill(before[o], 0), 0);
			}
	}
	end(&t);
}

static void test_secrets_go_where_they_belong(void **state)
{
	(void)state;
	struct tree t;
	begin(&t, SECRETS);
	assert_true(wait_for(t.dir, report_of[ROLE_GATE], "got secrets from supervisor token from-env missing 0"));
	assert_true(wait_for(t.dir, report_of[ROLE_COURIER], "got secrets from supervisor credential from-file missing 0"));
	assert_true(wait_for(t.dir, report_of[ROLE_KEEPER], "got resolved from supervisor missing 0"));
	assert_true(wait_for(t.dir, report_of[ROLE_KEEPER], "got resolved from supervisor missing 1"));
	assert_true(wait_for(t.dir, report_of[ROLE_GATE], "token from-handed"));
	assert_false(has(t.dir, report_of[ROLE_GATE], "from-held"));	/* its plan was never signed */
	assert_false(has(t.dir, report_of[ROLE_GATE], "from-file"));
	assert_false(has(t.dir, report_of[ROLE_COURIER], "from-env"));
	/* A process that comes back gets them again. */
	put(t.dir, report_of[ROLE_COURIER], "");
	pid_t keeper = newest_pid(&t, ROLE_KEEPER);
	assert_int_equal(keeper > 0, 1);
	char *text = get(t.dir, report_of[ROLE_GATE]);
	free(text);
	kill(newest_pid(&t, ROLE_GATE), SIGKILL);
	usleep(300000);
	size_t times = 0;
	text = get(t.dir, report_of[ROLE_GATE]);
	for (char *p = text; (p = strstr(p, "token from-env")); p++)
		times++;
	free(text);
	assert_int_equal(times, 2);
	end(&t);
}

static void test_second_start_is_refused(void **state)
{
	(void)state;
	struct tree t;
	int st;
	begin(&t, SECRETS);
	pid_t second = spawn(t.dir, SECRETS);
	assert_int_equal(waitpid(second, &st, 0), second);
	assert_int_equal(WEXITSTATUS(st), 2);
	end(&t);
}

/* A killed supervisor takes its processes with it, and the next start waits for the last of them. */
static void test_orphans_end(void **state)
{
	(void)state;
	struct tree t;
	int st;
	begin(&t, SECRETS);
	pid_t old[ROLES];
	for (enum role r = ROLE_GATE; r <= ROLE_STEWARD; r++)
		old[r] = newest_pid(&t, r);
	kill(t.pid, SIGKILL);
	waitpid(t.pid, &st, 0);
	put(t.dir, "run/ready.json", "");
	t.pid = spawn(t.dir, SECRETS);
	assert_true(wait_for(t.dir, "run/ready.json", "gate"));
	for (enum role r = ROLE_GATE; r <= ROLE_STEWARD; r++)
		assert_true(gone(old[r]));
	end(&t);
}

static void test_bad_key_is_named(void **state)
{
	(void)state;
	struct tree t;
	int st;
	make_folder(&t);
	put(t.dir, "keys/subject.key", "abc\n");
	pid_t pid = spawn(t.dir, SECRETS);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_int_equal(WEXITSTATUS(st), 3);	/* see run_supervisor */
	remove_folder(t.dir);
}

static void test_routes(void **state)
{
	(void)state;
	assert_true(ipc_allowed(ROLE_KEEPER, ROLE_GATE, "plan", 0));
	assert_false(ipc_allowed(ROLE_KEEPER, ROLE_GATE, "plan", 1));
	assert_false(ipc_allowed(ROLE_STEWARD, ROLE_GATE, "plan", 0));
	assert_true(ipc_allowed(ROLE_STEWARD, ROLE_KEEPER, "decision", 1));
	assert_false(ipc_allowed(ROLE_GATE, ROLE_COURIER, "boot", 0));
	assert_false(ipc_allowed(ROLE_COURIER, ROLE_SUPERVISOR, "resolve", 0));
	assert_false(ipc_allowed(ROLE_GATE, ROLE_KEEPER, "no-such-verb", 0));
	assert_false(ipc_allowed(99, ROLE_KEEPER, "plans", 0));
}

static void test_large_bodies(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, PACKET_INLINE - 8, PACKET_INLINE, PACKET_INLINE + 1, 3 << 20};
	int pair[2];
	struct err err;
	assert_int_equal(ipc_pair(pair, &err), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		char *s = xmalloc(sizes[i] + 1);
		memset(s, 'q', sizes[i]);
		s[sizes[i]] = 0;
		int fds[2] = {pair[0], pair[1]};
		assert_int_equal(channel_send(pair[0], ROLE_KEEPER, "plans", json_pack("{s:s}", "x", s), fds, 2, &err), 0);
		struct message m;
		assert_int_equal(channel_receive(pair[1], &m, &err), 1);
		assert_string_equal(json_string_value(json_object_get(m.body, "x")), s);
		assert_int_equal(m.fds_len, 2);
		message_release(&m);
		free(s);
	}
	struct message m;
	assert_int_equal(channel_receive(pair[1], &m, &err), 0);
	char *s = xmalloc(MESSAGE_BYTES + 1);
	memset(s, 'q', MESSAGE_BYTES);
	s[MESSAGE_BYTES] = 0;
	assert_int_equal(channel_send(pair[0], ROLE_KEEPER, "plans", json_pack("{s:s}", "x", s), NULL, 0, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	free(s);
	/* Not a packet; a body that its sender could still change. */
	assert_int_equal(send(pair[0], "short", 5, 0), 5);
	assert_int_equal(channel_receive(pair[1], &m, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	struct packet p = {.head = {.to = ROLE_KEEPER, .in_memfd = 1, .verb = "plans", .len = 2}, .fds_len = 1};
	p.fds[0] = memfd_create("open", MFD_ALLOW_SEALING);
	assert_int_equal(write(p.fds[0], "{}", 2), 2);
	assert_int_equal(packet_send(pair[0], &p), 1);
	packet_release(&p);
	assert_int_equal(channel_receive(pair[1], &m, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	close(pair[0]);
	close(pair[1]);
}

static void test_full_flags(void **state)
{
	(void)state;
	struct courier_mark m = {0};
	char name[16];
	uint64_t acme = shared_vendor_hash("acme");
	assert_false(courier_mark_is_full(&m, acme));
	courier_mark_set_full(&m, acme, true);
	courier_mark_set_full(&m, acme, true);
	assert_true(courier_mark_is_full(&m, acme));
	assert_false(courier_mark_is_full(&m, shared_vendor_hash("other")));
	courier_mark_set_full(&m, acme, false);
	assert_false(courier_mark_is_full(&m, acme));
	for (int i = 0; i < COURIER_FULL_SLOTS + 1; i++) {
		snprintf(name, sizeof name, "v%d", i);
		courier_mark_set_full(&m, shared_vendor_hash(name), true);
	}
	assert_true(courier_mark_is_full(&m, acme));	/* rather too many than too few */
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--child") == 0)
		_exit(be_child(argv[2]));
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_large_bodies),
		cmocka_unit_test(test_full_flags),
		cmocka_unit_test(test_reaches_only_its_own),
		cmocka_unit_test(test_walls_and_descriptors),
		cmocka_unit_test(test_sender_is_stamped),
		cmocka_unit_test(test_back_off_before_ready),
		cmocka_unit_test(test_others_survive_a_kill),
		cmocka_unit_test(test_secrets_go_where_they_belong),
		cmocka_unit_test(test_second_start_is_refused),
		cmocka_unit_test(test_orphans_end),
		cmocka_unit_test(test_bad_key_is_named),
	};
	return cmocka_run_group_tests_name("supervisor", tests, NULL, NULL);
}
