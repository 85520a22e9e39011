#include "cli/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "config/config.h"
#include "keeper/control.h"
#include "steward/office.h"
#include "supervisor/supervisor.h"

enum { TRIES = 60, TRY_MS = 50, ANSWER_S = 30, STEP = 64 << 10 };

/* By descriptor: a folder's path may be longer than sun_path.  -1 with errno. */
static int dial(const char *dir)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char *run = xasprintf("%s/run", dir);
	int at = open(run, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(run);
	if (at < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/control.sock", at);
	int r = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof a);
	int sys = errno;
	close(at);
	if (r == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = sys;
	return -1;
}

static int read_answer(int fd, json_t **answer, struct err *err)
{
	struct buf b;
	buf_init(&b, CONTROL_ANSWER_MAX);
	int r = -2;
	while (r == -2) {
		ssize_t n = buf_reserve(&b, STEP) ? recv(fd, b.data + b.len, STEP, 0) : -1;
		if (n < 0 && errno == EINTR)
			continue;
		const uint8_t *end = n > 0 ? memchr(b.data + b.len, '\n', (size_t)n) : NULL;
		if (end)
			r = control_parse((const char *)b.data, (size_t)(end - b.data), answer, err);
		else if (n <= 0)
			r = err_set(err, ERR_AGAIN, "Weir gave no answer; `weir vendor list` shows how things stand");
		else
			b.len += (size_t)n;
	}
	buf_release(&b);
	return r;
}

static int converse(int fd, const json_t *request, json_t **answer, struct err *err)
{
	struct timeval patience = {.tv_sec = ANSWER_S};
	size_t n;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	char *line = control_line(request, &n);
	for (size_t at = 0; at < n;) {
		ssize_t k = send(fd, line + at, n - at, MSG_NOSIGNAL);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			break;	/* refused early: the answer says why */
		at += (size_t)k;
	}
	free(line);
	return read_answer(fd, answer, err);
}

/* Weir may be starting or stopping: it holds the lock, and its socket isn't there. */
static int reach(const char *dir, const json_t *request, json_t **answer, struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		int fd = dial(dir), lock;
		if (fd >= 0) {
			int r = converse(fd, request, answer, err);
			close(fd);
			return r;
		}
		if (errno != ENOENT && errno != ECONNREFUSED)
			return err_sys(err, "%s/run/control.sock", dir);
		if (folder_lock(dir, &lock, err) == 0) {
			*answer = office_do(dir, request);
			close(lock);
			return 0;
		}
		if (err->code != ERR_CONFLICT)
			return -1;
		usleep(TRY_MS * 1000);
	}
	return -1;
}

int ask(const char *given, json_t *request, json_t **answer, struct err *err)
{
	char *dir = NULL;
	*answer = NULL;
	int r = clock_init(getenv("WEIR_NOW"), true, err);
	if (r == 0)
		r = folder_find(given, &dir, err);
	if (r == 0)
		r = reach(dir, request, answer, err);
	if (r == 0)
		r = control_check(*answer, err);
	if (r < 0) {
		json_decref(*answer);
		*answer = NULL;
	}
	json_decref(request);
	free(dir);
	return r;
}

void ask_print(json_t *answer)
{
	json_object_del(answer, "ok");
	char *line = json_dumps(answer, JSON_COMPACT);
	puts(line);
	free(line);
}

static void tell(const json_t *a)
{
	const char *vendor = json_string_value(json_object_get(a, "vendor")), *flow = json_string_value(json_object_get(a, "flow"));
	json_int_t version = json_integer_value(json_object_get(a, "version")), serial = json_integer_value(json_object_get(a, "serial"));
	const json_t *end = json_object_get(a, "not_after"), *dropped = json_object_get(a, "dropped");
	if (dropped) {
		printf("%s: %lld queued events dropped\n", vendor, (long long)json_integer_value(dropped));
		return;
	}
	printf("%s@%lld is %s, plan %lld", vendor, (long long)version, json_is_true(json_object_get(a, "approved")) ? flow : "offboarded",
	       (long long)serial);
	if (json_is_integer(end)) {
		char at[21];
		clock_format(json_integer_value(end), at);
		printf(", until %s", at);
	}
	putchar('\n');
}

int ask_decide(const struct command *self, const char *dir, json_t *request, int json)
{
	struct err err;
	json_t *answer;
	if (ask(dir, request, &answer, &err) < 0)
		return cli_fail(self->name, &err);
	if (json)
		ask_print(answer);
	else
		tell(answer);
	json_decref(answer);
	return EXIT_DONE;
}
