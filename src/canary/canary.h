/*
 * Canaries: one identity per vendor that belongs to nobody, planted through the real flow, and the traps that notice when
 * somebody uses it.  What can be planted is what the contract lets through: an address or a link whose token still
 * stands in what `plan_apply` leaves.  A contract that lets none through can't be planted, and that is said.
 *
 *   token    20 letters a-z; it is all that a trap needs to know again
 *   HTTP     /t/TOKEN on the API listener, or any request whose Host starts with TOKEN.
 *   SMTP     `weir canary trap`: mail to TOKEN@.. or ..@TOKEN.DOMAIN (RFC 5321; the mail itself is thrown away)
 *
 * A hit is an event of the vendor and a reported incident (source canary), one while such a report is still open.
 */
#ifndef CANARY_CANARY_H
#define CANARY_CANARY_H

#include "contract/contract.h"
#include "registry/registry.h"

enum { CANARY_TOKEN = 20, CANARY_VALUE_MAX = 200, CANARY_PATH_MAX = 200, CANARY_PLACE_TEXT_MAX = 4 * (CANARY_PATH_MAX + 2) };

void canary_token(char out[static CANARY_TOKEN + 1]);	/* random */
/* The first token in a text, at a label's border: 20 letters.  False: none. */
bool canary_find_token(struct span text, char out[static CANARY_TOKEN + 1]);

struct canary_place {
	char path[CANARY_PATH_MAX];	/* "properties.$referrer", of a profile "$initial_referrer" or "$distinct_id" */
	char value[CANARY_VALUE_MAX];	/* what was put there */
	const char *form;		/* "address", "link", "link-host", "address-domain" */
};
enum { CANARY_OBJECTS = 2, CANARY_PLACES = 2 * CANARY_OBJECTS };
struct canary_found {
	struct canary_place v[CANARY_PLACES];
	size_t n;
	struct buf object[CANARY_OBJECTS];	/* an event, a profile update; empty: nothing of it carries a token */
};
/*
 * Tries the identifier itself and every plain property of events, and the same of profiles, with every form; the event and
 * the profile are of one person.  web: "http://HOST:PORT"; mail: a domain.  source: the source's token, or NULL.
 * 1: found, 0: nothing lets a token through, -1.  Release *out in any case.
 */
int canary_find(const struct contract *c, const char *token, const char *web, const char *mail, const char *source,
		struct canary_found *out, struct err *err);
void canary_found_release(struct canary_found *f);

/*
 * canary-plant {vendor, token, place, form}   before it is sent; place: one path, or several with ", " between
 * canary-list {}
 * canary-hit {token, via}                     ERR_NOTFOUND for a token nobody planted
 */
extern const struct registry_word canary_words[];
int canary_hit(struct registry *r, const char *token, const char *via, int64_t at, json_t *answer, struct err *err);

/* smtp.c: a receiver on a listening socket, until *stop or SIGINT or SIGTERM. */
struct smtp_hooks {
	/* Of every RCPT TO that was accepted. */
	void (*recipient)(void *arg, struct span address);
	/* A whole message, dots unstuffed; may be NULL. */
	void (*message)(void *arg, struct span from, struct span to, struct span data);
	void *arg;
};
int smtp_receive(int listen_fd, const struct smtp_hooks *h, struct err *err);

#endif
