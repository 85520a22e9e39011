/*
 * The console: a read-only page on the API listener, and the local accounts that may look at it.
 *
 *   GET  / /app.js /app.css /icon.svg       the page; holds no data, so it needs no account
 *   POST /api/login {"user","password"}     sets the session's cookie; 401, or 429 after too many wrong tries
 *   POST /api/logout
 *   GET  /api/session                       {"user"}
 *   GET  /api/flow /api/vendors /api/incidents   with a session; else 401
 *
 * Accounts are rows of the registry (users.c); passwords are argon2id (libsodium), hashed where they are typed, so that
 * no message carries one.  Sessions live in the steward's memory: a restart ends them.  Bodies are JSON with their
 * content type, which a foreign page can't send without a preflight that nobody answers; the cookie is HttpOnly and
 * SameSite=Strict.  One thread, except for the hashing (uv_queue_work).
 */
#ifndef API_API_H
#define API_API_H

#include <jansson.h>
#include <uv.h>

#include "http/http.h"
#include "registry/registry.h"

struct api;
struct api_host {	/* the steward's side */
	uv_loop_t *loop;
	struct registry *registry;
	/* A word of the registry: always an answer (new reference), "ok" true or not. */
	json_t *(*ask)(void *arg, json_t *request);	/* takes request over */
	/* The processes' metrics; text is closed with 0 and borrowed. */
	void (*metrics)(void *arg, void (*done)(void *rq, const char *text), void *rq);
	void *arg;
};
struct api *api_new(const struct api_host *h);
void api_free(struct api **a);
/* True when the path is the console's: then the request is answered, now or later. */
bool api_serve(struct api *a, struct http_request *rq);

/* user-add {name, hash}, user-list {}, user-remove {name}; a name that is there already gets the new password. */
extern const struct registry_word api_words[];

/* flow.c: what /api/flow says, from metrics in Prometheus' text format. */
json_t *api_flow(const char *metrics);

/* users.c */
enum { USER_NAME_MAX = 63, USER_HASH_MAX = 128, PASSWORD_MIN = 10, PASSWORD_MAX = 1024 };
bool user_name_ok(const char *name);
int user_hash_make(const char *password, char hash[static USER_HASH_MAX], struct err *err);
bool user_hash_fits(const char hash[static USER_HASH_MAX], const char *password);	/* tens of milliseconds */
/* False: no such account.  hash then holds one that nothing fits, so that the time taken tells nothing. */
bool user_hash_find(struct registry *r, const char *name, char hash[static USER_HASH_MAX]);

#endif
