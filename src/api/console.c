/* Routes of the console: the page's files, login, and the three questions that the page asks. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "api/private.h"
#include "base/clock.h"
#include "base/say.h"

enum { BODY_MAX = 4096, TRIES = 10, TRY_EVERY_S = 3, HASHING_MAX = 4 };

struct api {
	struct api_host host;
	struct sessions sessions;
	int64_t tries_at;	/* when the bucket of tries was filled last */
	unsigned tries, hashing;
};

struct api *api_new(const struct api_host *h)
{
	struct api *a = xcalloc(1, sizeof *a);
	a->host = *h;
	a->tries = TRIES;
	a->tries_at = clock_mono_ms() / 1000;
	return a;
}

void api_free(struct api **a)
{
	if (*a)
		sodium_memzero(&(*a)->sessions, sizeof (*a)->sessions);
	free(*a);
	*a = NULL;
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

#define NOTHING_ELSE                                                                                                                 \
	{SPAN("X-Content-Type-Options"), SPAN("nosniff")}, {SPAN("Referrer-Policy"), SPAN("no-referrer")},                          \
		{SPAN("Cross-Origin-Resource-Policy"), SPAN("same-origin")}
static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
			     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

static void reply_asset(struct http_request *rq, const struct asset *a)
{
	const struct http_header h[] = {
		{SPAN("Content-Type"), {a->type, strlen(a->type)}}, {SPAN("Content-Security-Policy"), SPAN(policy)}, NOTHING_ELSE,
		{SPAN("Cross-Origin-Opener-Policy"), SPAN("same-origin")}, {SPAN("Cache-Control"), SPAN("no-cache")},
	};
	http_reply(rq, &(const struct http_answer){
			       .status = 200, .headers = h, .headers_len = sizeof h / sizeof *h, .body = {(const char *)a->at, a->len}});
}

/* Takes body over; cookie: a Set-Cookie field or NULL. */
static void reply_json(struct http_request *rq, int status, json_t *body, const char *cookie)
{
	const struct http_header h[] = {
		{SPAN("Content-Type"), SPAN("application/json")}, {SPAN("Cache-Control"), SPAN("no-store")}, NOTHING_ELSE,
		{SPAN("Set-Cookie"), {cookie, cookie ? strlen(cookie) : 0}},
	};
	char *text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	must(text);
	size_t n = strlen(text);
	char *copy = arena_strndup(rq->arena, text, n);
	free(text);
	struct http_answer a = {.status = status, .headers = h, .headers_len = sizeof h / sizeof *h - !cookie, .body = {copy, n}};
	if (!copy)
		a = (struct http_answer){.status = 503};
	http_reply(rq, &a);
}

static void refuse(struct http_request *rq, int status, const char *why)
{
	reply_json(rq, status, json_pack("{s:s}", "error", why), NULL);
}

/* ---- login ------------------------------------------------------------------------------------------------------ */

struct login {
	uv_work_t work;
	struct api *api;
	struct http_request *rq;
	char user[USER_NAME_MAX + 1], hash[USER_HASH_MAX];
	char *password;
	bool known, fits;
};

static void check(uv_work_t *w)
{
	struct login *l = w->data;
	l->fits = user_hash_fits(l->hash, l->password);
}

static void checked(uv_work_t *w, int status)
{
	struct login *l = w->data;
	struct api *a = l->api;
	a->hashing--;
	if (status == 0 && l->fits && l->known) {
		char id[2 * SESSION_BYTES + 1];
		session_begin(&a->sessions, l->user, clock_mono_ms() / 1000, id);
		char *cookie = xasprintf("weir=%s; Path=/; HttpOnly; SameSite=Strict%s", id, l->rq->secure ? "; Secure" : "");
		char *copy = arena_strndup(l->rq->arena, cookie, strlen(cookie));
		sodium_memzero(cookie, strlen(cookie));
		sodium_memzero(id, sizeof id);
		free(cookie);
		say(SAY_INFO, "login", "user", S(l->user), NULL);
		reply_json(l->rq, 200, json_pack("{s:s}", "user", l->user), copy);
	} else {
		say(SAY_WARN, "login-refused", NULL);
		refuse(l->rq, 401, "that name and password don't belong together");
	}
	sodium_memzero(l->password, strlen(l->password));
	free(l->password);
	free(l);
}

/* TRIES at once, then one every TRY_EVERY_S, for all accounts together: guessing stays slow however it is spread. */
static bool may_try(struct api *a)
{
	int64_t now = clock_mono_ms() / 1000, came = (now - a->tries_at) / TRY_EVERY_S;
	if (came > 0) {
		a->tries = a->tries + came > TRIES ? TRIES : a->tries + (unsigned)came;
		a->tries_at += came * TRY_EVERY_S;
	}
	if (a->tries == 0 || a->hashing == HASHING_MAX)
		return false;
	a->tries--;
	return true;
}

/* A page elsewhere can't send this type, or this header, without asking first. */
static bool from_here(const struct http_request *rq)
{
	struct span type = http_field(rq, "content-type"), site = http_field(rq, "sec-fetch-site");
	return type.len >= 16 && strncasecmp(type.at, "application/json", 16) == 0 && (site.len == 0 || span_eq(site, "same-origin"));
}

static void login(struct api *a, struct http_request *rq)
{
	json_t *body = rq->body.len <= BODY_MAX ? json_loadb(rq->body.at, rq->body.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const char *user = json_string_value(json_object_get(body, "user"));
	const char *password = json_string_value(json_object_get(body, "password"));
	if (!user || !password || strlen(password) > PASSWORD_MAX) {
		refuse(rq, 400, "an object with user and password is wanted");
	} else if (!may_try(a)) {
		refuse(rq, 429, "too many tries; wait a moment");
	} else {
		struct login *l = xcalloc(1, sizeof *l);
		*l = (struct login){.api = a, .rq = rq, .password = xstrdup(password)};
		l->work.data = l;
		l->known = user_name_ok(user) && user_hash_find(a->host.registry, user, l->hash);
		if (!l->known)
			user_hash_find(a->host.registry, "", l->hash);	/* as long as for an account that exists */
		else
			memcpy(l->user, user, strlen(user) + 1);
		a->hashing++;
		must(uv_queue_work(a->host.loop, &l->work, check, checked) == 0);
	}
	json_decref(body);
}

/* ---- questions -------------------------------------------------------------------------------------------------- */

static void on_metrics(void *arg, const char *text)
{
	struct http_request *rq = arg;
	json_t *flow = api_flow(text);
	json_object_set_new(flow, "at", json_integer(clock_now()));
	reply_json(rq, 200, flow, NULL);
}

static void flow(struct api *a, struct http_request *rq, const struct session *s)
{
	(void)s;
	a->host.metrics(a->host.arg, on_metrics, rq);
}

/* The newest events that say how a vendor came to stand as it does. */
static bool keep_why(void *arg, const struct registry_event *e)
{
	static const char *const opens[] = {"incident-open", "incident-confirm", "incident-lift"};
	json_t *list = arg;
	bool ours = strncmp(e->kind, "incident-", 9) != 0;
	for (size_t i = 0; i < sizeof opens / sizeof *opens; i++)
		ours |= strcmp(e->kind, opens[i]) == 0;
	if (!ours)	/* counts, messages, notes: the incident's own timeline has them */
		return true;
	json_array_insert_new(list, 0, json_pack("{s:I, s:s, s:s, s:s}", "at", (json_int_t)e->at, "who", e->who, "kind", e->kind, "why", e->why));
	if (json_array_size(list) > 5)
		json_array_remove(list, 5);
	return true;
}

static void vendors(struct api *a, struct http_request *rq, const struct session *s)
{
	struct err err;
	json_t *answer = a->host.ask(a->host.arg, json_pack("{s:s}", "do", "vendors")), *v;
	size_t i;
	(void)s;
	json_array_foreach(json_object_get(answer, "vendors"), i, v) {
		json_t *events = json_array();
		if (registry_events(a->host.registry, json_string_value(json_object_get(v, "vendor")), 0, INT32_MAX, keep_why, events, &err) < 0)
			say(SAY_WARN, "console", "why", S(err.msg), NULL);
		json_object_set_new(v, "events", events);
	}
	json_object_del(answer, "ok");
	json_object_set_new(answer, "at", json_integer(clock_now()));
	reply_json(rq, 200, answer, NULL);
}

/* Clocks that never started, or are of no concern here, aren't the page's business. */
static void only_running(json_t *incident)
{
	static const char *const quiet[] = {"not started", "not applicable", "proposed law"};
	json_t *clocks = json_object_get(incident, "clocks");
	for (size_t i = json_array_size(clocks); i > 0; i--) {
		const char *state = json_string_value(json_object_get(json_array_get(clocks, i - 1), "state"));
		for (size_t k = 0; state && k < sizeof quiet / sizeof *quiet; k++)
			if (strcmp(state, quiet[k]) == 0) {
				json_array_remove(clocks, i - 1);
				break;
			}
	}
}

/* The newest first, each with all that `weir incident show` says. */
static void incidents(struct api *a, struct http_request *rq, const struct session *s)
{
	enum { SHOWN = 20 };
	json_t *list = a->host.ask(a->host.arg, json_pack("{s:s}", "do", "incident-list")), *shown = json_array();
	const json_t *all = json_object_get(list, "incidents");
	(void)s;
	for (size_t i = json_array_size(all); i > 0 && json_array_size(shown) < SHOWN; i--) {
		json_t *row = json_array_get(all, i - 1);
		json_t *whole = a->host.ask(a->host.arg, json_pack("{s:s, s:O}", "do", "incident-show", "id", json_object_get(row, "id")));
		json_object_set(whole, "people", json_object_get(row, "people"));
		json_object_del(whole, "ok");
		only_running(whole);
		json_array_append_new(shown, whole);
	}
	json_decref(list);
	reply_json(rq, 200, json_pack("{s:o, s:I}", "incidents", shown, "at", (json_int_t)clock_now()), NULL);
}

static void who(struct api *a, struct http_request *rq, const struct session *s)
{
	(void)a;
	reply_json(rq, 200, json_pack("{s:s}", "user", s->user), NULL);
}

static void logout(struct api *a, struct http_request *rq)
{
	struct session *s = session_find(&a->sessions, http_field(rq, "cookie"), clock_mono_ms() / 1000);
	if (s)
		session_end(s);
	reply_json(rq, 200, json_object(), "weir=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
}

/* ---- routes ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *path;
	void (*answer)(struct api *a, struct http_request *rq, const struct session *s);	/* GET, behind a session */
	void (*post)(struct api *a, struct http_request *rq);					/* open to all */
} routes[] = {
	{"/api/login", NULL, login},   {"/api/logout", NULL, logout},	{"/api/session", who, NULL},
	{"/api/flow", flow, NULL},     {"/api/vendors", vendors, NULL}, {"/api/incidents", incidents, NULL},
};

static const struct asset *asset_of(struct span path)
{
	for (const struct asset *f = api_assets; f->path; f++)
		if (span_eq(path, f->path))
			return f;
	return NULL;
}

static void ask_session(struct api *a, struct http_request *rq, size_t i)
{
	struct session *s = session_find(&a->sessions, http_field(rq, "cookie"), clock_mono_ms() / 1000);
	char hash[USER_HASH_MAX];
	if (s && !user_hash_find(a->host.registry, s->user, hash)) {	/* the account has gone since */
		session_end_user(&a->sessions, s->user);
		s = NULL;
	}
	if (s)
		routes[i].answer(a, rq, s);
	else
		refuse(rq, 401, "log in first");
}

bool api_serve(struct api *a, struct http_request *rq)
{
	bool get = span_eq(rq->method, "GET") || span_eq(rq->method, "HEAD"), post = span_eq(rq->method, "POST");
	const struct asset *f = asset_of(rq->path);
	if (f) {
		if (get)
			reply_asset(rq, f);
		else
			refuse(rq, 405, "GET only");
		return true;
	}
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		if (!span_eq(rq->path, routes[i].path))
			continue;
		if (!(routes[i].post ? post : get))
			refuse(rq, 405, routes[i].post ? "POST only" : "GET only");
		else if (!routes[i].post)
			ask_session(a, rq, i);
		else if (from_here(rq))
			routes[i].post(a, rq);
		else
			refuse(rq, 400, "JSON from this site's own page is wanted");
		return true;
	}
	return false;
}
