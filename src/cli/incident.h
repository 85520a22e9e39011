/* Shared by the files of `weir incident`. */
#ifndef CLI_INCIDENT_H
#define CLI_INCIDENT_H

#include <jansson.h>

#include "base/err.h"
#include "cli/cli.h"

struct incident_args {
	const char *dir, *sets, *file, *list, *kind, *lang;
	const char *operand;	/* behind the id */
	bool json, all, again;
	long long id;
	json_t *request;	/* what the options said */
};

/* Sends a->request as that word; 0 and an answer, or the exit status after the error was printed. */
int incident_ask(const struct command *self, struct incident_args *a, const char *word, json_t **answer);
/* Prints it and says what the command returns. */
int incident_exit(const struct command *self, const struct err *err);

/* incident_print.c */
void incident_print_opened(const json_t *answer);
void incident_print_list(const json_t *answer);
void incident_print_done(const json_t *answer);
void incident_print_scored(const json_t *answer);
void incident_print_shown(const json_t *answer, bool all);

/* incident_draft.c */
int incident_draft(const struct command *self, struct incident_args *a);
int incident_release(const struct command *self, struct incident_args *a);
int incident_letters(const struct command *self, struct incident_args *a);

/* incident_notify.c */
int incident_notify(const struct command *self, struct incident_args *a);

#endif
