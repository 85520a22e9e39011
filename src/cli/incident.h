/* Shared by the files of `weir incident`. */
#ifndef CLI_INCIDENT_H
#define CLI_INCIDENT_H

#include <jansson.h>

#include "cli/cli.h"

struct incident_args {
	const char *dir, *sets, *file, *list, *kind, *lang;
	const char *operands[4];
	size_t operands_len;
	bool json, all, again;
	long long id;
	json_t *request;	/* what the options said */
};

/* Sends a->request as that word; 0 and an answer, or the exit status after the error was printed. */
int incident_ask(const struct command *self, struct incident_args *a, const char *word, json_t **answer);

/* incident_notify.c */
int incident_draft(const struct command *self, struct incident_args *a);
int incident_release(const struct command *self, struct incident_args *a);
int incident_letters(const struct command *self, struct incident_args *a);
int incident_notify(const struct command *self, struct incident_args *a);

#endif
