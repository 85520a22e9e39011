/*
 * What a child may still do.  Three walls, each enough for most of it:
 *   capabilities  none (but CAP_DAC_OVERRIDE, when it runs as root over somebody else's folder)
 *   Landlock      only the directories and files of its role, by descriptor; no TCP it has no business with; no signal
 *                 or abstract socket out of its own domain (kernels that know these)
 *   seccomp       a list of allowed calls; everything else fails with EPERM (no exec, ptrace, io_uring, mount, chmod ...)
 *
 * Landlock's interface: Documentation/userspace-api/landlock.rst.  Debian 12's headers end at ABI 2, so the constants
 * are ours.
 */
#include "supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/say.h"

/* ---- Landlock -------------------------------------------------------------------------------------------------- */

enum { SYS_LANDLOCK_CREATE = 444, SYS_LANDLOCK_ADD = 445, SYS_LANDLOCK_RESTRICT = 446, LANDLOCK_VERSION = 1, LANDLOCK_BENEATH = 1 };

#define FS_EXECUTE (1ull << 0)
#define FS_WRITE_FILE (1ull << 1)
#define FS_READ_FILE (1ull << 2)
#define FS_READ_DIR (1ull << 3)
#define FS_REMOVE_DIR (1ull << 4)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_DIR (1ull << 7)
#define FS_MAKE_REG (1ull << 8)
#define FS_ABI1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13)	/* ABI 2 */
#define FS_TRUNCATE (1ull << 14)	/* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15)	/* ABI 5 */
#define NET_BIND_TCP (1ull << 0)	/* ABI 4 */
#define NET_CONNECT_TCP (1ull << 1)
#define SCOPE_ABSTRACT_UNIX (1ull << 0)	/* ABI 6 */
#define SCOPE_SIGNAL (1ull << 1)

#define FS_READ (FS_READ_FILE | FS_READ_DIR)
#define FS_WRITE (FS_READ | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE)
#define FS_ON_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

struct ruleset {
	uint64_t fs, net, scoped;
};
struct beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

static struct ruleset ruleset_of(long abi, const struct sandbox *s, size_t *size)
{
	struct ruleset r = {.fs = FS_ABI1};
	if (abi >= 2)
		r.fs |= FS_REFER;
	if (abi >= 3)
		r.fs |= FS_TRUNCATE;
	if (abi >= 5)
		r.fs |= FS_IOCTL_DEV;
	if (abi >= 4)
		r.net = NET_BIND_TCP | (s->connect ? 0 : NET_CONNECT_TCP);
	if (abi >= 6)
		r.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	*size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	return r;
}

static int add_rule(int ruleset, uint64_t handled, int fd, uint64_t allowed, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_sys(err, "sandbox: descriptor");
	if (!S_ISDIR(st.st_mode))
		allowed &= FS_ON_FILES;
	struct beneath b = {.allowed = allowed & handled, .fd = fd};
	if (syscall(SYS_LANDLOCK_ADD, ruleset, LANDLOCK_BENEATH, &b, 0) < 0)
		return err_sys(err, "sandbox: Landlock rule");
	return 0;
}

/*
 * What the C library's resolver reads.  Where /etc/resolv.conf points elsewhere, that directory: the file in it is
 * replaced at every change of network.
 */
static const char *const resolver_files[] = {
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services",
	"/etc/protocols", "/etc/ssl/certs", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager",
};

static int add_resolver(int ruleset, uint64_t handled, struct err *err)
{
	for (size_t i = 0; i < sizeof resolver_files / sizeof *resolver_files; i++) {
		int fd = open(resolver_files[i], O_PATH | O_CLOEXEC);
		if (fd < 0)
			continue;
		int r = add_rule(ruleset, handled, fd, FS_READ, err);
		close(fd);
		if (r < 0)
			return -1;
	}
	return 0;
}

static int landlock(const struct sandbox *s, long *abi, struct err *err)
{
	*abi = syscall(SYS_LANDLOCK_CREATE, NULL, 0, LANDLOCK_VERSION);
	if (*abi < 1) {
		say(SAY_WARN, "sandbox-weak", "missing", S("landlock"), "why", S(strerror(errno)), NULL);
		*abi = 0;
		return 0;
	}
	size_t size;
	struct ruleset rs = ruleset_of(*abi, s, &size);
	int fd = (int)syscall(SYS_LANDLOCK_CREATE, &rs, size, 0);
	if (fd < 0)
		return err_sys(err, "sandbox: Landlock");
	int r = 0;
	for (size_t i = 0; i < s->dirs_len && r == 0; i++)
		r = add_rule(fd, rs.fs, s->dirs[i].fd, s->dirs[i].write ? FS_WRITE : FS_READ, err);
	if (r == 0 && s->resolver)
		r = add_resolver(fd, rs.fs, err);
	if (r == 0 && syscall(SYS_LANDLOCK_RESTRICT, fd, 0) < 0)
		r = err_sys(err, "sandbox: Landlock");
	close(fd);
	return r;
}

/* ---- capabilities ---------------------------------------------------------------------------------------------- */

static bool foreign_folder(const struct sandbox *s)
{
	struct stat st;
	for (size_t i = 0; i < s->dirs_len; i++)
		if (fstat(s->dirs[i].fd, &st) == 0 && st.st_uid != geteuid())
			return true;
	return false;
}

static int drop_capabilities(const struct sandbox *s, struct err *err)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {0};
	if (geteuid() == 0 && foreign_folder(s))
		d[0].effective = d[0].permitted = 1u << CAP_DAC_OVERRIDE;
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);	/* needs a capability itself: without one there is none to drop */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &h, d) < 0)
		return err_sys(err, "sandbox: capabilities");
	return 0;
}

/* ---- seccomp --------------------------------------------------------------------------------------------------- */

#define C(name) SCMP_SYS(name)

static const int calls_always[] = {
	/* memory and threads */
	C(brk), C(munmap), C(mremap), C(madvise), C(mlock), C(munlock), C(mlock2), C(mincore), C(membarrier), C(futex), C(set_robust_list),
	C(get_robust_list), C(rseq), C(sched_yield), C(sched_getaffinity), C(sched_getparam), C(sched_getscheduler), C(gettid), C(getpid), C(getppid),
	C(exit), C(exit_group), C(restart_syscall), C(set_tid_address), C(arch_prctl),
	/* signals of its own */
	C(rt_sigaction), C(rt_sigprocmask), C(rt_sigreturn), C(sigaltstack), C(tgkill), C(rt_sigtimedwait), C(rt_sigpending),
	/* time and chance */
	C(clock_gettime), C(clock_getres), C(clock_nanosleep), C(nanosleep), C(gettimeofday), C(time), C(getrandom), C(times), C(getrusage),
	/* who and where */
	C(getuid), C(geteuid), C(getgid), C(getegid), C(getgroups), C(getresuid), C(getresgid), C(uname), C(sysinfo), C(getcwd), C(umask),
	C(getrlimit), C(getcpu), C(getpriority),
	/* descriptors */
	C(read), C(write), C(readv), C(writev), C(pread64), C(pwrite64), C(preadv), C(pwritev), C(preadv2), C(pwritev2), C(lseek), C(close),
	C(close_range), C(dup), C(dup2), C(dup3), C(fcntl), C(poll), C(ppoll), C(select), C(pselect6), C(epoll_create1), C(epoll_ctl),
	C(epoll_wait), C(epoll_pwait), C(epoll_pwait2), C(eventfd2), C(pipe2), C(pipe), C(timerfd_create), C(timerfd_settime),
	C(timerfd_gettime), C(memfd_create), C(sendfile), C(signalfd4),
	/* files: Landlock says which */
	C(open), C(openat), C(stat), C(fstat), C(lstat), C(newfstatat), C(statx), C(access), C(faccessat), C(faccessat2), C(readlink),
	C(readlinkat), C(getdents64), C(statfs), C(fstatfs), C(fsync), C(fdatasync), C(sync_file_range), C(ftruncate), C(truncate), C(fallocate),
	C(fadvise64), C(readahead), C(flock), C(rename), C(renameat), C(renameat2), C(unlink), C(unlinkat), C(mkdir), C(mkdirat), C(rmdir),
	/* sockets that are there already: the channel and what was handed out */
	C(recvmsg), C(sendmsg), C(recvfrom), C(sendto), C(shutdown), C(getsockopt), C(setsockopt), C(getsockname), C(getpeername),
};
static const int calls_accept[] = {C(accept), C(accept4)};
static const int calls_connect[] = {C(connect), C(bind), C(sendmmsg), C(recvmmsg)};

/* These answer ENOSYS rather than EPERM, so that the C library takes its older way. */
static const int calls_unknown[] = {C(clone3), C(openat2)};

/* fcntl and the like are cheap to allow; these are allowed with one argument fixed. */
static const unsigned long ioctls[] = {FIONBIO, FIONREAD, FIOCLEX, FIONCLEX, TCGETS, TIOCGWINSZ};
static const int socket_families[] = {AF_INET, AF_INET6, AF_NETLINK};

static int allow(scmp_filter_ctx f, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 0);
		if (r < 0 && r != -EDOM)	/* a call that this architecture doesn't have */
			return r;
	}
	return 0;
}
#define ALLOW(f, list) allow(f, list, sizeof(list) / sizeof *(list))

/* No memory that is code and was data; no process, only threads; prlimit64 only to read. */
static int allow_with_care(scmp_filter_ctx f)
{
	int r = seccomp_rule_add(f, SCMP_ACT_ALLOW, C(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, C(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, C(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, C(prlimit64), 1, SCMP_A2(SCMP_CMP_EQ, 0, 0));
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, C(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0));
	for (size_t i = 0; i < sizeof ioctls / sizeof *ioctls && r == 0; i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, C(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, ioctls[i], 0));
	for (size_t i = 0; i < sizeof calls_unknown / sizeof *calls_unknown && r == 0; i++)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), calls_unknown[i], 0);
	return r;
}

static int allow_connect(scmp_filter_ctx f)
{
	int r = ALLOW(f, calls_connect);
	for (size_t i = 0; i < sizeof socket_families / sizeof *socket_families && r == 0; i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, C(socket), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)socket_families[i], 0));
	if (r == 0)	/* how libcurl's threads wake each other */
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, C(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	return r;
}

static int load_filter(const struct sandbox *s, struct err *err)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!f)
		return err_set(err, ERR_IO, "sandbox: seccomp isn't to be had");
	int r = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);	/* a tree: the gate's calls are many */
	if (r == 0)
		r = ALLOW(f, calls_always);
	if (r == 0)
		r = allow_with_care(f);
	if (r == 0 && s->accept)
		r = ALLOW(f, calls_accept);
	if (r == 0 && s->connect)
		r = allow_connect(f);
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	errno = -r;
	return r < 0 ? err_sys(err, "sandbox: seccomp") : 0;
}

/* ---- the roles ------------------------------------------------------------------------------------------------- */

struct grant {
	const char *fd;		/* child_fd's name */
	bool write;
};

enum { GRANTS_MAX = 8 };

/* What each process reaches on disk and network; all else is closed (design section 2, the table's last column). */
static const struct {
	struct grant dirs[GRANTS_MAX];
	bool connect, accept, resolver;
} roles[ROLES] = {
	[ROLE_GATE] = {.dirs = {{"log", true}, {"plan", false}}, .accept = true},
	[ROLE_COURIER] = {.dirs = {{"log", false}, {"plan", false}, {"own", true}, {"queue", true}, {"dead", true}},
			  .connect = true, .resolver = true},
	[ROLE_KEEPER] = {.dirs = {{"log", false}, {"plan", true}, {"open", true}, {"ledger", true}, {"tlog", true}}, .accept = true},
	[ROLE_STEWARD] = {.dirs = {{"registry", true}, {"registry_wal", true}, {"registry_shm", true}, {"tlog", false}}, .accept = true},
	[ROLE_PROBER] = {.connect = true, .resolver = true},
};

int child_sandbox(const struct child *c, const struct sandbox *s, struct err *err)
{
	long abi = 0;
	/* OpenSSL reads its configuration at first use: now, while it still can. */
	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "sandbox: no_new_privs");
	if (drop_capabilities(s, err) < 0 || landlock(s, &abi, err) < 0 || load_filter(s, err) < 0)
		return -1;
	say(SAY_INFO, "sandboxed", "role", S(role_names[c->role]), "landlock", I(abi), NULL);
	return 0;
}

int child_confine(const struct child *c, struct err *err)
{
	struct sandbox_dir dirs[GRANTS_MAX];
	struct sandbox s = {.dirs = dirs, .connect = roles[c->role].connect, .accept = roles[c->role].accept,
			    .resolver = roles[c->role].resolver};
	for (size_t i = 0; i < GRANTS_MAX && roles[c->role].dirs[i].fd; i++) {
		const struct grant *g = &roles[c->role].dirs[i];
		int fd = child_fd(c, g->fd);
		if (fd >= 0)
			dirs[s.dirs_len++] = (struct sandbox_dir){fd, g->write};
	}
	return child_sandbox(c, &s, err);
}
