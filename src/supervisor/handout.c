#include "supervisor/handout.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "supervisor/shared.h"

enum { LOCK_WAIT_MS = 5000, PEM_MAX = 1 << 20, CONTROL_BACKLOG = 64 };

/* ---- the table ------------------------------------------------------------------------------------------------- */

enum give { GIVE_GATE, GIVE_API, GIVE_CONTROL, GIVE_CUTOFF, GIVE_DIR, GIVE_FILE, GIVE_MARK_RW, GIVE_MARK_RO };

/* Descriptors by role and name; child.h repeats it for readers.  What a process may do with a directory: sandbox.c. */
static const struct {
	enum role role;
	const char *name;
	enum give give;
	const char *path;	/* GIVE_DIR, GIVE_FILE: below the folder */
	enum mark mark;
} hand_outs[] = {
	{ROLE_GATE, "listen", GIVE_GATE, NULL, 0},
	{ROLE_GATE, "log", GIVE_DIR, "state/log/gate", 0},
	{ROLE_GATE, "plan", GIVE_DIR, "state/plan", 0},
	{ROLE_GATE, "mark", GIVE_MARK_RW, NULL, MARK_LOG},
	{ROLE_GATE, "courier_mark", GIVE_MARK_RO, NULL, MARK_COURIER},
	{ROLE_GATE, "keeper_mark", GIVE_MARK_RO, NULL, MARK_KEEPER},
	{ROLE_COURIER, "log", GIVE_DIR, "state/log/gate", 0},
	{ROLE_COURIER, "plan", GIVE_DIR, "state/plan", 0},
	{ROLE_COURIER, "own", GIVE_DIR, "state/log/courier", 0},
	{ROLE_COURIER, "queue", GIVE_DIR, "state/queue", 0},
	{ROLE_COURIER, "dead", GIVE_DIR, "state/dead", 0},
	{ROLE_COURIER, "mark", GIVE_MARK_RO, NULL, MARK_LOG},
	{ROLE_COURIER, "courier_mark", GIVE_MARK_RW, NULL, MARK_COURIER},
	{ROLE_KEEPER, "log", GIVE_DIR, "state/log/gate", 0},
	{ROLE_KEEPER, "plan", GIVE_DIR, "state/plan", 0},
	{ROLE_KEEPER, "open", GIVE_DIR, "state/ledger/open", 0},
	{ROLE_KEEPER, "ledger", GIVE_DIR, "state/ledger", 0},
	{ROLE_KEEPER, "cutoff", GIVE_CUTOFF, NULL, 0},
	{ROLE_KEEPER, "tlog", GIVE_DIR, "state/tlog", 0},
	{ROLE_KEEPER, "mark", GIVE_MARK_RO, NULL, MARK_LOG},
	{ROLE_KEEPER, "keeper_mark", GIVE_MARK_RW, NULL, MARK_KEEPER},
	{ROLE_STEWARD, "api", GIVE_API, NULL, 0},
	{ROLE_STEWARD, "control", GIVE_CONTROL, NULL, 0},
	{ROLE_STEWARD, "tlog", GIVE_DIR, "state/tlog", 0},
	{ROLE_STEWARD, "registry", GIVE_FILE, "state/registry.db", 0},
	{ROLE_STEWARD, "registry_wal", GIVE_FILE, "state/registry.db-wal", 0},
	{ROLE_STEWARD, "registry_shm", GIVE_FILE, "state/registry.db-shm", 0},
};
enum { HAND_OUTS = sizeof hand_outs / sizeof *hand_outs };

static const struct {
	const char *path;
	mode_t mode;
} folders[] = {
	{"state", 0700}, {"state/log", 0700}, {"state/log/gate", 0700}, {"state/log/courier", 0700}, {"state/queue", 0700},
	{"state/dead", 0700}, {"state/ledger", 0700}, {"state/ledger/open", 0700}, {"state/plan", 0700}, {"state/tlog", 0700}, {"run", 0710},
};

/* ---- folder, lock ---------------------------------------------------------------------------------------------- */

static int make_folders(int folder, struct err *err)
{
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (mkdirat(folder, folders[i].path, folders[i].mode) < 0 && errno != EEXIST)
			return err_sys(err, "%s", folders[i].path);
	return 0;
}

static pid_t holder(int fd)
{
	char s[32] = "";
	return pread(fd, s, sizeof s - 1, 0) > 0 ? (pid_t)strtol(s, NULL, 10) : 0;
}

/* The lock lives as long as any process that inherited it, so a killed supervisor's children can't write beside new ones. */
static int lock_in(int run, int *fd, struct err *err)
{
	*fd = openat(run, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0)
		return err_sys(err, "run/lock");
	int64_t until = clock_mono_ms() + LOCK_WAIT_MS;
	while (flock(*fd, LOCK_EX | LOCK_NB) < 0) {
		pid_t pid = holder(*fd);
		bool dead = pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
		if (!dead || clock_mono_ms() > until) {
			close(*fd);
			*fd = -1;
			return err_set(err, ERR_CONFLICT, "the folder is in use by process %ld", (long)pid);
		}
		usleep(10000);
	}
	char s[32];
	int n = snprintf(s, sizeof s, "%ld\n", (long)getpid());
	if (ftruncate(*fd, 0) < 0 || pwrite(*fd, s, (size_t)n, 0) != n)
		return err_sys(err, "run/lock");
	return 0;
}

int folder_lock(const char *dir, int *fd, struct err *err)
{
	int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return err_sys(err, "%s", dir);
	int r = 0;
	if (mkdirat(folder, "run", 0710) < 0 && errno != EEXIST)
		r = err_sys(err, "run");
	int run = r == 0 ? openat(folder, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (r == 0 && run < 0)
		r = err_sys(err, "run");
	if (r == 0)
		r = lock_in(run, fd, err);
	if (run >= 0)
		close(run);
	close(folder);
	return r;
}

/* ---- files ----------------------------------------------------------------------------------------------------- */

int handout_read_text(int dir, const char *path, size_t max, char **text, struct err *err)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	*text = NULL;
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_sys(err, "%s", path);
		goto bad;
	}
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max) {
		err_set(err, S_ISREG(st.st_mode) ? ERR_LIMIT : ERR_INPUT, "%s: not a file of at most %zu bytes", path, max);
		goto bad;
	}
	*text = xcalloc(1, (size_t)st.st_size + 1);
	ssize_t n = pread(fd, *text, (size_t)st.st_size, 0);
	if (n < 0) {
		err_sys(err, "%s", path);
		goto bad;
	}
	close(fd);
	if (strlen(*text) == (size_t)n)
		return 0;
	err_set(err, ERR_INPUT, "%s: not a text", path);
	free(*text);
	*text = NULL;
	return -1;
bad:
	if (fd >= 0)
		close(fd);
	free(*text);
	*text = NULL;
	return -1;
}

static void wipe_text(char **s)
{
	if (*s)
		explicit_bzero(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

static int read_keys(struct handout *h, struct err *err)
{
	int r = 0, dir = openat(h->folder, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, "keys");
	for (enum key_name k = 0; k < KEY_NAMES && r == 0; k++) {
		uint8_t raw[KEY_FILE_BYTES_MAX];
		r = key_file_read(dir, k, raw, err);
		if (r == 0) {
			h->key_hex[k] = xmalloc(2 * keys_table[k].bytes + 1);
			hex_encode(raw, keys_table[k].bytes, h->key_hex[k]);
		}
		explicit_bzero(raw, sizeof raw);
	}
	close(dir);
	return r;
}

static int read_pem(struct handout *h, struct err *err)
{
	const struct config *c = h->o->config;
	if (c->posture_roots && handout_read_text(h->folder, c->posture_roots, PEM_MAX, &h->posture_roots, err) < 0)
		return -1;
	if (!c->tls_cert || !c->tls_key)
		return 0;
	if (handout_read_text(h->folder, c->tls_cert, PEM_MAX, &h->tls_cert, err) < 0)
		return -1;
	return handout_read_text(h->folder, c->tls_key, PEM_MAX, &h->tls_key, err);
}

static int make_mark(struct handout *h, enum mark m, struct err *err)
{
	char path[64];
	int fd = memfd_create("mark", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, SHARED_BYTES) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return err_sys(err, "shared memory");
	h->mark_rw[m] = fd;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	h->mark_ro[m] = open(path, O_RDONLY | O_CLOEXEC);
	/* So that a child that got the read-only one can't open it again for writing; the sandbox has no chmod. */
	if (h->mark_ro[m] < 0 || fchmod(fd, 0444) < 0)
		return err_sys(err, "shared memory");
	return 0;
}

/* ---- sockets --------------------------------------------------------------------------------------------------- */

/* run/NAME, for the owner and the folder's group. */
static int open_local(struct handout *h, const char *name, int *out, struct err *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct stat st;
	/* By descriptor: a folder's path may be longer than sun_path. */
	snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/%s", h->run, name);
	unlinkat(h->run, name, 0);
	*out = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t old = umask(0117);
	int r = *out < 0 ? -1 : bind(*out, (struct sockaddr *)&a, sizeof a);
	umask(old);
	if (r < 0 || listen(*out, CONTROL_BACKLOG) < 0)
		return err_sys(err, "run/%s", name);
	if (fstat(h->folder, &st) == 0 && st.st_gid != getegid())
		(void)!fchownat(h->run, name, (uid_t)-1, st.st_gid, 0);	/* else only its owner can use it */
	return 0;
}

static int open_sockets(struct handout *h, struct err *err)
{
	char bound[64];
	const struct config *c = h->o->config;
	if (h->o->listen(c->gate_listen, &h->gate, bound, err) < 0)
		return err_prefix(err, "gate: ");
	snprintf(h->gate_url, sizeof h->gate_url, "%s://%s", c->tls_cert ? "https" : "http", bound);
	if (h->o->listen(c->api_listen, &h->api, bound, err) < 0)
		return err_prefix(err, "api: ");
	snprintf(h->api_url, sizeof h->api_url, "http://%s", bound);
	if (open_local(h, CUTOFF_SOCKET, &h->cutoff, err) < 0)
		return -1;
	return open_local(h, CONTROL_SOCKET, &h->control, err);	/* last: who reaches it reaches all */
}

#ifdef WEIR_TEST_CLOCK
static int open_test_files(struct handout *h, struct err *err)
{
	char *broken;
	struct err ignored;
	/* Write into it, never replace it: children hold it open. */
	h->clock = openat(h->run, "clock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (h->clock < 0)
		return err_sys(err, "run/clock");
	if (handout_read_text(h->run, "broken", sizeof h->broken - 1, &broken, &ignored) == 0) {
		snprintf(h->broken, sizeof h->broken, "%s", broken);
		free(broken);
	}
	return clock_init(getenv("WEIR_NOW"), false, err);
}
#else
static int open_test_files(struct handout *h, struct err *err)
{
	(void)h;
	(void)err;
	return 0;
}
#endif

static int open_all(struct handout *h, struct err *err)
{
	h->folder = open(h->o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (h->folder < 0)
		return err_sys(err, "%s", h->o->dir);
	if (make_folders(h->folder, err) < 0)
		return -1;
	h->run = openat(h->folder, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (h->run < 0)
		return err_sys(err, "run");
	if (lock_in(h->run, &h->lock, err) < 0)
		return -1;
	unlinkat(h->run, "ready.json", 0);
	if (read_keys(h, err) < 0 || read_pem(h, err) < 0 || open_test_files(h, err) < 0)
		return -1;
	for (enum mark m = 0; m < MARKS; m++)
		if (make_mark(h, m, err) < 0)
			return -1;
	return open_sockets(h, err);
}

int handout_open(const struct supervisor_options *o, struct handout *h, struct err *err)
{
	*h = (struct handout){.o = o, .folder = -1, .run = -1, .lock = -1, .gate = -1, .api = -1, .control = -1, .cutoff = -1, .clock = -1};
	for (enum mark m = 0; m < MARKS; m++)
		h->mark_rw[m] = h->mark_ro[m] = -1;
	if (open_all(h, err) == 0)
		return 0;
	handout_release(h);
	return -1;
}

void handout_release(struct handout *h)
{
	/* The lock last: who waits for it may start at once. */
	if (h->control >= 0)
		unlinkat(h->run, CONTROL_SOCKET, 0);
	if (h->cutoff >= 0)
		unlinkat(h->run, CUTOFF_SOCKET, 0);
	if (h->lock >= 0)
		unlinkat(h->run, "ready.json", 0);
	int fds[] = {h->gate, h->api, h->control, h->cutoff, h->clock, h->folder, h->run, h->lock};
	for (enum mark m = 0; m < MARKS; m++) {
		if (h->mark_rw[m] >= 0)
			close(h->mark_rw[m]);
		if (h->mark_ro[m] >= 0)
			close(h->mark_ro[m]);
	}
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (enum key_name k = 0; k < KEY_NAMES; k++)
		wipe_text(&h->key_hex[k]);
	wipe_text(&h->tls_cert);
	wipe_text(&h->tls_key);
	wipe_text(&h->posture_roots);
}

int handout_write_ready(const struct handout *h, struct err *err)
{
	char text[512];
	int n = snprintf(text, sizeof text, "{\"pid\":%ld,\"gate\":\"%s\",\"api\":\"%s\"}\n", (long)getpid(), h->gate_url, h->api_url);
	int fd = openat(h->run, "ready.tmp", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, "run/ready.json");
	bool good = write(fd, text, (size_t)n) == n;
	close(fd);
	if (!good || renameat(h->run, "ready.tmp", h->run, "ready.json") < 0)
		return err_sys(err, "run/ready.json");
	return 0;
}

/* ---- boot ------------------------------------------------------------------------------------------------------ */

static int open_file(int folder, const char *path)
{
	int fd = openat(folder, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	return openat(folder, path, O_PATH | O_CLOEXEC);
}

/* *own: the caller closes it once it is sent. */
static int give(const struct handout *h, size_t i, bool *own)
{
	*own = hand_outs[i].give == GIVE_DIR || hand_outs[i].give == GIVE_FILE;
	switch (hand_outs[i].give) {
	case GIVE_GATE:
		return h->gate;
	case GIVE_API:
		return h->api;
	case GIVE_CONTROL:
		return h->control;
	case GIVE_CUTOFF:
		return h->cutoff;
	case GIVE_DIR:
		return openat(h->folder, hand_outs[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case GIVE_FILE:
		return open_file(h->folder, hand_outs[i].path);
	case GIVE_MARK_RW:
		return h->mark_rw[hand_outs[i].mark];
	case GIVE_MARK_RO:
		return h->mark_ro[hand_outs[i].mark];
	}
	return -1;
}

static json_t *boot_settings(const struct handout *h, enum role role)
{
	const struct config *c = h->o->config;
	const struct {
		const char *name;
		int64_t v;
	} numbers[] = {
		{"gate_loops", c->gate_loops}, {"segment_bytes", c->segment_bytes}, {"segment_seconds", c->segment_seconds},
		{"reserve_bytes", c->reserve_bytes}, {"body_bytes", c->body_bytes}, {"memory_bytes", c->memory_bytes},
		{"connections", c->connections}, {"forget_seconds", c->forget_seconds}, {"dead_days", c->dead_days},
		{"posture_hours", c->posture_hours}, {"learned_days", c->learned_days},
	};
	json_t *s = json_object();
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		json_object_set_new(s, numbers[i].name, json_integer(numbers[i].v));
	json_object_set_new(s, "gate_url", json_string(h->gate_url));
	json_object_set_new(s, "api_url", json_string(h->api_url));
	if (role == ROLE_STEWARD) {
		char *full = realpath(h->o->dir, NULL);
		json_object_set_new(s, "registry", json_sprintf("%s/state/registry.db", full ? full : h->o->dir));
		free(full);
	}
	if (role == ROLE_PROBER && h->posture_roots)
		json_object_set_new(s, "posture_roots", json_string(h->posture_roots));
	if (role != ROLE_GATE)
		return s;
	if (h->tls_cert) {
		json_object_set_new(s, "tls_cert", json_string(h->tls_cert));
		json_object_set_new(s, "tls_key", json_string(h->tls_key));
	}
	json_t *hosts = json_array();
	for (size_t i = 0; i < c->hosts_len; i++)
		json_array_append_new(hosts, json_pack("{s:s, s:s}", "host", c->hosts[i].host, "vendor", c->hosts[i].vendor));
	json_object_set_new(s, "hosts", hosts);
	return s;
}

static json_t *boot_keys(const struct handout *h, enum role role)
{
	json_t *keys = json_object();
	for (enum key_name k = 0; k < KEY_NAMES; k++)
		if (key_grants[k].roles >> role & 1)
			json_object_set_new(keys, key_grants[k].name, json_string(h->key_hex[k]));
	return keys;
}

int handout_boot(const struct handout *h, enum role role, struct packet *out, struct err *err)
{
	int fds[MESSAGE_FDS], mine[MESSAGE_FDS], r = 0;
	size_t n = 0, mine_len = 0;
	json_t *names = json_array();
	for (size_t i = 0; i < HAND_OUTS && r == 0; i++) {
		bool own;
		if (hand_outs[i].role != role)
			continue;
		int fd = give(h, i, &own);
		if (fd < 0) {
			r = err_sys(err, "%s", hand_outs[i].path ? hand_outs[i].path : hand_outs[i].name);
			break;
		}
		fds[n++] = fd;
		if (own)
			mine[mine_len++] = fd;
		json_array_append_new(names, json_string(hand_outs[i].name));
	}
	fds[n++] = h->lock;
	json_array_append_new(names, json_string("lock"));
	if (h->clock >= 0) {
		fds[n++] = h->clock;
		json_array_append_new(names, json_string("clock"));
	}
	json_t *body = json_pack("{s:s, s:o, s:o, s:o, s:I, s:s}", "role", role_names[role], "fds", names, "settings", boot_settings(h, role),
				 "keys", boot_keys(h, role), "clock_offset_us", (json_int_t)clock_offset_us(), "broken", h->broken);
	if (r == 0)
		r = packet_make(role, "boot", body, fds, n, out, err);
	else
		json_decref(body);
	for (size_t i = 0; i < mine_len; i++)
		close(mine[i]);
	return r;
}
