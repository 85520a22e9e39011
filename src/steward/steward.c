/* The steward process: its loop and messages. */
#include "steward/steward.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/say.h"
#include "crypt/crypt.h"
#include "discover/discover.h"
#include "steward/desk.h"
#include "steward/private.h"

enum { EXIT_FAILED = 3, STOP_MS = 2000 };

void steward_send(struct steward *s, enum role to, const char *verb, json_t *body, const int *fds, size_t fds_len)
{
	struct err err;
	if (channel_send(s->c->channel, to, verb, body, fds, fds_len, &err) < 0)
		say(SAY_ERROR, "send-failed", "verb", S(verb), "to", S(role_names[to]), "why", S(err.msg), NULL);
}

/* The keeper's questions: the answer carries the question's id. */
static void answer_keeper(struct steward *s, const struct message *m, const char *verb, json_t *answer)
{
	json_object_set(answer, "id", json_object_get(m->body, "id"));
	steward_send(s, ROLE_KEEPER, verb, answer, NULL, 0);
}

static void on_contract_get(struct steward *s, struct message *m)
{
	answer_keeper(s, m, "contract", desk_contract_get(s->registry, m->body, clock_now()));
}

static void on_event(struct steward *s, struct message *m)
{
	json_t *answer = desk_event(s->registry, m->body);
	struct err err;
	if (control_check(answer, &err) < 0)
		say(SAY_ERROR, "event-lost", "why", S(err.msg), NULL);
	answer_keeper(s, m, "event-done", answer);
	tick_soon(s);
}

static void on_shapes(struct steward *s, struct message *m)
{
	struct err err;
	if (discover_take(s->registry, m->body, &err) < 0)
		say(SAY_WARN, "shapes-lost", "why", S(err.msg), NULL);
}

static void on_stopped(void *arg)
{
	struct steward *s = arg;
	uv_stop(&s->loop);
}

static void on_stop(struct steward *s, struct message *m)
{
	(void)m;
	s->stopping = true;
	control_stop(s);
	http_server_stop(s->http, STOP_MS, on_stopped, s);
}

static const struct {
	const char *verb;
	void (*handle)(struct steward *s, struct message *m);
} verbs[] = {{"contract-get", on_contract_get}, {"event", on_event}, {"refreshing", refresh_taken_up}, {"refreshed", refresh_take}, {"answer", count_take}, {"leaves-done", leaves_take}, {"probed", posture_take}, {"shapes", on_shapes}, {"stop", on_stop}};

static void on_message(struct message *m, void *arg)
{
	struct steward *s = arg;
	if (gather_take(s, m))
		return;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verbs[i].verb, m->verb) == 0)
			verbs[i].handle(s, m);
}

/* The folder is two above the registry's file. */
static void load_rules(struct steward *s, const char *registry)
{
	char *dir = xstrdup(registry);
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(dir, '/');
		if (slash)
			*slash = 0;
	}
	desk_rules(s->registry, dir, clock_now());
	free(dir);
}

/* The registry opens before the sandbox closes: SQLite goes by paths, and keeps database, WAL and index open. */
static int begin(struct steward *s, struct err *err)
{
	const char *path = child_str(s->c, "registry", "");
	if (uv_loop_init(&s->loop) < 0)
		return err_set(err, ERR_IO, "no event loop");
	if (crypt_init(err) < 0 || registry_open(path, &s->registry, err) < 0)
		return -1;
	load_rules(s, path);
	discover_keep(child_int(s->c, "learned_days", 90));
	s->users = users_load();
	if (child_confine(s->c, err) < 0)
		return -1;
	if (channel_watch_start(&s->loop, &s->watch, s->c->channel, on_message, s, err) < 0)
		return -1;
	if (control_start(s, child_fd(s->c, "control"), err) < 0 || api_start(s, child_fd(s->c, "api"), err) < 0)
		return -1;
	tick_start(s);
	posture_start(s);
	return child_ready(s->c, err);
}

int steward_run(struct child *c)
{
	static struct steward s;
	struct err err;
	s.c = c;
	if (begin(&s, &err) < 0) {
		say(SAY_ERROR, "start-failed", "why", S(err.msg), NULL);
		return EXIT_FAILED;
	}
	uv_run(&s.loop, UV_RUN_DEFAULT);
	registry_close(&s.registry);
	users_free(&s.users);
	return 0;
}
