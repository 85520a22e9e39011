/* `weir subject restrict|release|erase`: decisions about a person, or a list of them. */
#ifndef CLI_SUBJECT_DECIDE_H
#define CLI_SUBJECT_DECIDE_H

#include "cli/args.h"

/* Keys of cmd_subject's options; ARG_PROOF and the question's own are its own. */
enum { ARG_WHY = ARG_OWN, ARG_USERS, ARG_ID, ARG_FORCE, ARG_SUBJECT_OWN };
#define SUBJECT_DECIDE_OPTS \
	{"--why", 0, true, ARG_WHY}, {"--users", 0, true, ARG_USERS}, {"--id", 0, true, ARG_ID}, {"--force", 0, false, ARG_FORCE}

bool subject_decides(const char *word);	/* restrict, release, erase */
/* a->operand: the word, and the identifier unless --users.  The command's exit status. */
int subject_decide(const struct command *self, const struct args *a);

#endif
