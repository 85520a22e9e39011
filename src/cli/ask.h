/* Requests of commands: through the control socket of a running Weir, else on the files, under the folder's lock. */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <stdbool.h>

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

/*
 * dir: --dir or NULL.  Takes request over.  *answer is filled when 0 is returned (the answer was ok); its owner is the
 * caller.  -1: err is what the other side said, or why it could not be asked.
 */
int ask(const char *dir, json_t *request, json_t **answer, struct err *err);

/* Nobody took the request up: it has changed nothing (or will only when they go on). */
bool ask_was_silent(const struct err *err);

/* One JSON line on standard output, without the member "ok". */
void ask_print(json_t *answer);
/* Asks and prints: the answer as JSON, or by print.  what: for the error, "user add".  Returns the exit status. */
int ask_show(const char *what, const char *dir, bool json, json_t *request, void (*print)(const json_t *answer));
/* Members of an answer, for printing: "" or 0 when there is none. */
const char *ask_text(const json_t *object, const char *name);
long long ask_number(const json_t *object, const char *name);
/* A decision's exit: prints what came of it or the error. what: "approve", ... */
struct command;
int ask_decide(const struct command *self, const char *dir, json_t *request, int json);

#endif
