/* This program's own commands, run as anybody would. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <curl/curl.h>

#include "demo/private.h"

const char demo_web_token[] = "web-demo-token", demo_ios_token[] = "ios-demo-token";
enum { ARGS_MAX = 40 };

/* A clean environment, so that nothing of the caller's folder or credentials is used. */
static char *const environment[] = {(char[]){"PATH=/usr/local/bin:/usr/bin:/bin"}, (char[]){"LANG=C.UTF-8"}, (char[]){"NO_COLOR=1"},
				    (char[]){"WEB_TOKEN=web-demo-token"}, (char[]){"IOS_TOKEN=ios-demo-token"},
				    (char[]){"MIXPANEL_TOKEN=vendor-demo-credential"}, NULL};

static void fill(char **argv, const char *dir, const char *const *args)
{
	static char name[] = "weir", option[] = "--dir";
	size_t n = 0;
	argv[n++] = name;
	for (; args[n - 1]; n++) {
		must(n < ARGS_MAX - 3);
		argv[n] = (char *)(uintptr_t)args[n - 1];
	}
	if (dir) {
		argv[n++] = option;
		argv[n++] = (char *)(uintptr_t)dir;
	}
	argv[n] = NULL;
}

enum { NOBODY = 65534 };

static pid_t start(const char *dir, const char *const *args, int in, int out, int error, bool other)
{
	char *argv[ARGS_MAX];
	pid_t parent = getpid(), pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(3);
	setpgid(0, 0);	/* Ctrl-C is the demo's to answer */
	fill(argv, dir, args);
	dup2(in, 0);
	dup2(out, 1);
	dup2(error, 2);
	if (other && setresuid(NOBODY, NOBODY, NOBODY) < 0)
		_exit(126);
	execve("/proc/self/exe", argv, environment);
	_exit(127);
}

static int scratch(const char *text)
{
	int fd = memfd_create("demo", MFD_CLOEXEC);
	if (fd >= 0 && text) {
		(void)!write(fd, text, strlen(text));
		lseek(fd, 0, SEEK_SET);
	}
	return fd;
}

static char *contents(int fd)
{
	off_t n = lseek(fd, 0, SEEK_END);
	char *text = xcalloc(1, (size_t)(n > 0 ? n : 0) + 1);
	if (n > 0 && pread(fd, text, (size_t)n, 0) != n)
		text[0] = 0;
	return text;
}

static int run_as(bool other, const char *dir, const char *const *args, const char *input, struct run *r, struct err *err)
{
	int in = scratch(input), out = scratch(NULL), error = scratch(NULL), status;
	*r = (struct run){.status = -1};
	pid_t pid = in < 0 || out < 0 || error < 0 ? -1 : start(dir, args, in, out, error, other);
	if (pid > 0) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		r->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		r->out = contents(out);
		r->err = contents(error);
		r->json = json_loads(r->out, JSON_DISABLE_EOF_CHECK, NULL);
	}
	close(in);
	close(out);
	close(error);
	return pid > 0 ? 0 : err_sys(err, "weir %s", args[0]);
}

int run_weir(const char *dir, const char *const *args, const char *input, struct run *r, struct err *err)
{
	return run_as(false, dir, args, input, r, err);
}

int run_weir_as_other(const char *dir, const char *const *args, struct run *r, struct err *err)
{
	return run_as(true, dir, args, NULL, r, err);
}

void run_release(struct run *r)
{
	free(r->out);
	free(r->err);
	json_decref(r->json);
	*r = (struct run){0};
}

int run_start(const char *dir, const char *const *args, const char *log, pid_t *pid, struct err *err)
{
	int in = open("/dev/null", O_RDWR | O_CLOEXEC), error = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	*pid = in < 0 || error < 0 ? -1 : start(dir, args, in, in, error, false);
	if (in >= 0)
		close(in);
	if (error >= 0)
		close(error);
	return *pid > 0 ? 0 : err_sys(err, "weir %s", args[0]);
}

static size_t take(char *at, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;
	buf_add(b, at, size * n);
	return b->over ? 0 : size * n;
}

char *fetch(const char *url, const char *path)
{
	struct buf b;
	char *whole = xasprintf("%s%s", url, path), *text = NULL;
	CURL *c = curl_easy_init();
	buf_init(&b, 16 << 20);
	if (c) {
		curl_easy_setopt(c, CURLOPT_URL, whole);
		curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
		curl_easy_setopt(c, CURLOPT_WRITEDATA, &b);
		curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 3000L);
		curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(c, CURLOPT_PROXY, "");
		if (curl_easy_perform(c) == CURLE_OK)
			text = xstrndup(b.len ? (const char *)b.data : "", b.len);
		curl_easy_cleanup(c);
	}
	buf_release(&b);
	free(whole);
	return text;
}
