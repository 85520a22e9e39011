/*
 * Letters to the people concerned, as `weir incident notify` makes them: the organisation's own list (never stored), who of it
 * the ledger says is affected, and one letter for each address.
 */
#ifndef CLI_LETTERS_H
#define CLI_LETTERS_H

#include <jansson.h>

#include "base/err.h"
#include "cli/incident.h"
#include "config/config.h"

struct addressee {
	char *id, *email, *lang;	/* lang: one of notice_langs */
};
struct addressees {
	struct addressee *v;
	size_t n, cap;
};

/* CSV with the columns id, email and lang.  ERR_INPUT names the line and never quotes it. */
int addressees_read(const char *text, size_t n, struct addressees *out, struct err *err);
void addressees_release(struct addressees *p);

/* One letter: everybody of the list with this address. */
struct letter {
	const char *email, *lang;	/* the list's */
	json_t *persons;		/* pseudonyms of the ledger, the first one stands for the letter */
	json_t *categories;
	char first[11], last[11];	/* days, YYYY-MM-DD */
};
struct letters {
	struct letter *v;
	size_t n;
	size_t unaffected;		/* of the list */
};

/* Asks the ledger, with the range of the incident's newest scope. */
int letters_resolve(const struct incident_args *a, const struct addressees *list, struct letters *out, struct err *err);
void letters_release(struct letters *l);

/* weir.yaml of the folder that `given` leads to; *dir is the caller's to free, also on -1. */
int letters_config(const char *given, char **dir, struct config *c, struct err *err);
/* a->id and the word are added to the request, which is consumed. */
int letters_ask(const struct incident_args *a, const char *word, json_t *request, json_t **answer, struct err *err);

#endif
