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
#include "keeper/decision.h"
#include "ledger/ledger.h"
#include "steward/office.h"
#include "supervisor/supervisor.h"

enum { TRIES = 60, TRY_MS = 50, ANSWER_MS = 30000, CUT_OFF_MS = 1000, TAKEN_UP_MS = 5000, STEP = 64 << 10 };

/*
 * Who takes a request up, one after the other: each says so with an empty line (keeper/control.h), within ms; what the
 * last of them does has its own bounds.  A cut-off goes to the keeper's own socket and needs nobody else.
 */
struct way {
	const char *socket;
	const char *who[3];	/* closed with NULL */
	int ms;
};

static struct way way_of(const json_t *request)
{
	const char *word = json_string_value(json_object_get(request, "do"));
	int kind = word ? decision_kind_of(word) : -1;
	bool writes;
	if (kind >= 0 && decision_cuts_off((enum decision_kind)kind))
		return (struct way){CUTOFF_SOCKET, {"keeper"}, CUT_OFF_MS};
	if (word && (kind >= 0 || ledger_word(word, &writes)))
		return (struct way){CONTROL_SOCKET, {"steward", "keeper"}, TAKEN_UP_MS};
	bool opens = word && strcmp(word, "incident-open") == 0;	/* a cut-off as well */
	return (struct way){CONTROL_SOCKET, {"steward"}, opens ? CUT_OFF_MS : TAKEN_UP_MS};
}

static void patience(int fd, int option, int ms)
{
	struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	setsockopt(fd, SOL_SOCKET, option, &t, sizeof t);
}

/* By descriptor: a folder's path may be longer than sun_path.  -1 with errno; EAGAIN: nobody accepts. */
static int dial(const char *dir, const struct way *way)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char *run = xasprintf("%s/run", dir);
	int at = open(run, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(run);
	if (at < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/%s", at, way->socket);
	if (fd >= 0)
		patience(fd, SO_SNDTIMEO, way->ms);
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

static int silent(const char *who, struct err *err)
{
	err_set(err, ERR_AGAIN, "the %s does not answer", who);
	err->sys = ETIMEDOUT;
	return -1;
}

bool ask_was_silent(const struct err *err)
{
	return err->code == ERR_AGAIN && err->sys == ETIMEDOUT;
}

/* The empty lines in front; *hop is how many have come. */
static void take_greetings(struct buf *b, const struct way *way, size_t *hop)
{
	size_t n = 0;
	for (; n < b->len && b->data[n] == '\n'; n++)
		*hop += way->who[*hop] != NULL;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

static int read_answer(int fd, const struct way *way, json_t **answer, struct err *err)
{
	struct buf b;
	size_t hop = 0;
	buf_init(&b, CONTROL_ANSWER_MAX);
	int r = -2;
	while (r == -2) {
		patience(fd, SO_RCVTIMEO, way->who[hop] && b.len == 0 ? way->ms : ANSWER_MS);
		ssize_t n = buf_reserve(&b, STEP) ? recv(fd, b.data + b.len, STEP, 0) : -1;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN && way->who[hop]) {
			r = silent(way->who[hop], err);
			continue;
		}
		b.len += n > 0 ? (size_t)n : 0;
		take_greetings(&b, way, &hop);
		const uint8_t *end = b.len ? memchr(b.data, '\n', b.len) : NULL;
		if (end)
			r = control_parse((const char *)b.data, (size_t)(end - b.data), answer, err);
		else if (n <= 0)
			r = err_set(err, ERR_AGAIN, "Weir gave no answer; `weir vendor list` shows how things stand");
	}
	buf_release(&b);
	return r;
}

static int converse(int fd, const struct way *way, const json_t *request, json_t **answer, struct err *err)
{
	size_t n;
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
	return read_answer(fd, way, answer, err);
}

/* Weir may be starting or stopping: it holds the lock, and its socket isn't there. */
static int reach(const char *dir, const json_t *request, json_t **answer, struct err *err)
{
	struct way way = way_of(request);
	for (int i = 0; i < TRIES; i++) {
		int fd = dial(dir, &way), lock;
		if (fd >= 0) {
			int r = converse(fd, &way, request, answer, err);
			close(fd);
			return r;
		}
		if (errno == EAGAIN)
			return silent(way.who[0], err);
		if (errno != ENOENT && errno != ECONNREFUSED)
			return err_sys(err, "%s/run/%s", dir, way.socket);
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

int ask_show(const char *what, const char *dir, bool json, json_t *request, void (*print)(const json_t *answer))
{
	struct err err;
	json_t *answer;
	if (ask(dir, request, &answer, &err) < 0)
		return cli_fail(what, &err);
	if (json)
		ask_print(answer);
	else
		print(answer);
	json_decref(answer);
	return EXIT_DONE;
}

const char *ask_text(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));
	return s ? s : "";
}

long long ask_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

int ask_decide(const struct command *self, const char *dir, json_t *request, int json)
{
	struct err err;
	json_t *answer;
	if (ask(dir, request, &answer, &err) < 0)
		return cli_fail(self->name, &err);
	const json_t *recorded = json_object_get(answer, "recorded");
	if (json)
		ask_print(answer);
	else
		tell(answer);
	if (recorded && json_is_false(recorded))
		fprintf(stderr, "weir: %s: done, but not recorded yet: the registry does not answer; the keeper tells it as soon as it does\n",
			self->name);
	json_decref(answer);
	return EXIT_DONE;
}
