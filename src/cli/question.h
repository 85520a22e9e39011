/* The options that blast and resolve share: --vendor, --since, --until, --category, --jurisdiction, --field. */
#ifndef CLI_QUESTION_H
#define CLI_QUESTION_H

#include <jansson.h>

#include "cli/cli.h"

enum { OPT_VENDOR = 100, OPT_SINCE, OPT_UNTIL, OPT_CATEGORY, OPT_JURISDICTION, OPT_FIELD };
#define QUESTION_OPTS                                                                                                  \
	{"--vendor", 0, true, OPT_VENDOR}, {"--since", 0, true, OPT_SINCE}, {"--until", 0, true, OPT_UNTIL},           \
	{"--category", 0, true, OPT_CATEGORY}, {"--jurisdiction", 0, true, OPT_JURISDICTION}, {"--field", 0, true, OPT_FIELD}

struct asked {
	const char *vendor, *since, *until, *category, *jurisdiction, *field;
};
/* True when key is one of them. */
bool asked_take(struct asked *a, int key, const char *value);
/* As cli_fail, but a damaged ledger is 3: 1 would read as "never seen". */
int asked_fail(const char *what, const struct err *err);
/*
 * Behind an answer that has nobody in it: is there such a vendor, and such a category?  0 means 0 only then; a slip of the pen is
 * ERR_INPUT.  In the registry, or in the ledger.
 */
int asked_is_known(const char *dir, const struct asked *a, struct err *err);
bool asked_nobody(const json_t *answer);
json_t *asked_request(const struct asked *a, const char *word);
/* "  12  user.contact.email", a row an element of list; its names: name and "people".  In a terminal with a bar. */
void asked_print_counts(const json_t *answer, const char *list, const char *name, const char *title);

#endif
