/* Shared by console.c (routes) and session.c. */
#ifndef API_PRIVATE_H
#define API_PRIVATE_H

#include "api/api.h"

enum { SESSION_BYTES = 32, SESSIONS_MAX = 256, SESSION_IDLE_S = 3600, SESSION_LIFE_S = 12 * 3600 };

struct session {
	uint8_t id[32];	/* SHA-256 of the cookie: a copy of this memory opens nothing */
	char user[USER_NAME_MAX + 1];
	int64_t began, seen;	/* monotonic seconds; began 0: free */
};

struct sessions {
	struct session v[SESSIONS_MAX];
};

/* cookie: 64 hex digits and 0.  The longest unseen goes when all are taken. */
void session_begin(struct sessions *s, const char *user, int64_t now, char cookie[static 2 * SESSION_BYTES + 1]);
/* The session that the request's Cookie field names, or NULL. */
struct session *session_find(struct sessions *s, struct span cookie_field, int64_t now);
void session_end(struct session *s);
/* Ends those of a user whose account has gone or changed. */
void session_end_user(struct sessions *s, const char *user);

struct asset {
	const char *path, *type;
	const unsigned char *at;
	size_t len;
};
extern const struct asset api_assets[];	/* closed with a NULL path */

#endif
