/*
 * What the supervisor hands to its children: opened and read once at start.  Second header of this folder because
 * supervisor.c and handout.c share it.
 */
#ifndef SUPERVISOR_HANDOUT_H
#define SUPERVISOR_HANDOUT_H

#include "supervisor/ipc.h"
#include "supervisor/keys.h"
#include "supervisor/supervisor.h"

enum mark { MARK_LOG, MARK_COURIER, MARK_KEEPER, MARKS };

struct handout {
	const struct supervisor_options *o;
	int folder, run, lock;
	int gate, api, control, cutoff;	/* listening sockets, or -1 */
	char gate_url[96], api_url[96];
	int mark_rw[MARKS], mark_ro[MARKS];
	char *key_hex[KEY_NAMES];	/* wiped by handout_release */
	char *posture_roots;		/* PEM text, or NULL */
	char *tls_cert, *tls_key;	/* PEM text, or NULL */
	int clock;			/* run/clock in test builds, or -1 */
	char broken[16];		/* run/broken in test builds */
};

int handout_open(const struct supervisor_options *o, struct handout *h, struct err *err);
void handout_release(struct handout *h);
/* The boot packet of a role. */
int handout_boot(const struct handout *h, enum role role, struct packet *out, struct err *err);
int handout_write_ready(const struct handout *h, struct err *err);

/* Regular file below dir (or absolute) as text; ERR_LIMIT over max bytes.  The caller wipes and frees. */
int handout_read_text(int dir, const char *path, size_t max, char **text, struct err *err);

/* ---- secrets.c: env:NAME and file:PATH of the contracts --------------------------------------------------------- */

struct secrets {
	json_t *vendors;	/* vendor -> {tokens: [{name, token}], credential} */
	json_t *held;		/* the same, for plans that aren't signed yet: handed to nobody */
};
void secrets_init(struct secrets *s);
void secrets_release(struct secrets *s);
/* Body of `resolve`; returns the list of what is missing (new reference).  Nothing missing: the vendor's entry is new. */
json_t *secrets_resolve(struct secrets *s, int folder, json_t *body);
/* The plan is signed: what was held for the vendor is its entry now.  False: nothing was. */
bool secrets_release_held(struct secrets *s, const char *vendor);
/* Body of `secrets` for gate or courier (new reference); NULL when there is none for this vendor. */
json_t *secrets_for(const struct secrets *s, const char *vendor, enum role role);

#endif
