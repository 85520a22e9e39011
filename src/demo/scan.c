/* Counts personal data in the bytes of a request by what stands there, whoever sent them. */
#include <ctype.h>
#include <string.h>

#include "demo/private.h"

/* Keys of the chat product's own naming; a value must follow. */
static const struct {
	enum seen what;
	const char *key;
} keys[] = {
	{SEEN_OBJECTS, "\"event\":\""}, {SEEN_OBJECTS, "\"$set\":{"},	      {SEEN_NAME, "\"name\":\""}, {SEEN_NAME, "\"$name\":\""},
	{SEEN_CITY, "\"city\":\""},	{SEEN_CITY, "\"$city\":\""},	      {SEEN_ORGANISATION, "\"organisation\":\""},
	{SEEN_TEXT, "\"feedback\":\""},
};

static uint64_t count(struct span s, const char *what)
{
	size_t n = strlen(what);
	uint64_t found = 0;
	for (const char *at = s.at, *end = s.at + s.len; (at = memmem(at, (size_t)(end - at), what, n)); at += n)
		found++;
	return found;
}

/* An @ between what may stand in an address, as it is or percent-encoded. */
static uint64_t addresses(struct span s)
{
	uint64_t found = 0;
	for (const char *at = s.at, *end = s.at + s.len; (at = memchr(at, '@', (size_t)(end - at))); at++)
		found += at > s.at && isalnum((unsigned char)at[-1]) && at + 1 < end && isalnum((unsigned char)at[1]);
	return found + count(s, "%40");
}

void scan_add(struct scan *s, struct span body)
{
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		atomic_fetch_add(&s->n[keys[i].what], count(body, keys[i].key));
	atomic_fetch_add(&s->n[SEEN_EMAIL], addresses(body));
	atomic_fetch_add(&s->bytes, body.len);
	atomic_fetch_add(&s->requests, 1);
}
