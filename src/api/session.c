/* Sessions of the console: a random cookie each, kept as its hash. */
#include <string.h>

#include <sodium.h>

#include "api/private.h"
#include "crypt/crypt.h"

static const char cookie_name[] = "weir=";

static void id_of(const char *hex, uint8_t id[static 32])
{
	crypto_hash_sha256(id, (const unsigned char *)hex, 2 * SESSION_BYTES);
}

static bool alive(const struct session *s, int64_t now)
{
	return s->began && now - s->seen < SESSION_IDLE_S && now - s->began < SESSION_LIFE_S;
}

void session_end(struct session *s)
{
	crypt_wipe(s, sizeof *s);
}

void session_end_user(struct sessions *s, const char *user)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (s->v[i].began && strcmp(s->v[i].user, user) == 0)
			session_end(&s->v[i]);
}

void session_begin(struct sessions *s, const char *user, int64_t now, char cookie[static 2 * SESSION_BYTES + 1])
{
	uint8_t random[SESSION_BYTES];
	struct session *free_one = &s->v[0];
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		if (!alive(&s->v[i], now))
			session_end(&s->v[i]);
		if (s->v[i].seen < free_one->seen)
			free_one = &s->v[i];
	}
	crypt_random(random, sizeof random);
	hex_encode(random, sizeof random, cookie);
	crypt_wipe(random, sizeof random);
	session_end(free_one);
	free_one->began = free_one->seen = now > 0 ? now : 1;
	id_of(cookie, free_one->id);
	strncpy(free_one->user, user, USER_NAME_MAX);
}

/* RFC 6265 4.2.1: pairs, "; " between them. */
static const char *value_of(struct span field)
{
	const char *at = field.at, *end = field.at + field.len;
	size_t name = sizeof cookie_name - 1;
	while (at < end) {
		while (at < end && *at == ' ')
			at++;
		const char *stop = memchr(at, ';', (size_t)(end - at));
		stop = stop ? stop : end;
		if ((size_t)(stop - at) == name + 2 * SESSION_BYTES && memcmp(at, cookie_name, name) == 0)
			return at + name;
		at = stop + 1;
	}
	return NULL;
}

struct session *session_find(struct sessions *s, struct span cookie_field, int64_t now)
{
	const char *hex = value_of(cookie_field);
	uint8_t id[32];
	if (!hex)
		return NULL;
	id_of(hex, id);
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (s->v[i].began && sodium_memcmp(s->v[i].id, id, sizeof id) == 0) {
			if (!alive(&s->v[i], now)) {
				session_end(&s->v[i]);
				return NULL;
			}
			s->v[i].seen = now;
			return &s->v[i];
		}
	return NULL;
}
