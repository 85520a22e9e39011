/*
 * A command's arguments, read by its tables: options by key, operands in order, and words (`weir user add NAME`) with how
 * many operands each takes and which options it knows.  What a word has no use for is refused: an option that is silently
 * passed over is a wish that is silently not granted.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdint.h>

#include "cli/cli.h"

enum { ARGS_KEYS = 32, ARGS_OPERANDS = 6, ARGS_GIVEN = 64 };

/* Every command that asks a folder has these two; its own keys begin at ARG_OWN. */
enum { ARG_DIR, ARG_JSON, ARG_OWN };
#define ARGS_COMMON {"--dir", 0, true, ARG_DIR}, {"--json", 0, false, ARG_JSON}

/* Texts are the program's own argv. */
struct args {
	const char *word;		/* args_words: the one that was found */
	const char *value[ARGS_KEYS];	/* by key: the last one given, of a switch its name; NULL: not given */
	const char *operand[ARGS_OPERANDS + 1];	/* NULL behind the last one */
	size_t n;
	struct args_given {
		int key;
		const char *value;
	} given[ARGS_GIVEN];		/* all options in order, for those that repeat */
	size_t given_len;
};

struct word {
	const char *name;
	unsigned least, most;		/* operands behind the word */
	const char *takes;		/* what they are, for the message when they are too few or too many: "VENDOR" */
	uint32_t options;		/* 1u << key of each that it knows besides --dir and --json */
	int (*run)(const struct command *self, const struct args *a);
};

/* Reads them; at most `most` operands.  False: help or an error was printed, *status is what the command returns. */
bool args_read(const struct command *self, int argc, char **argv, const struct opt *opts, size_t opts_len, unsigned most,
	       struct args *out, int *status);
/* The whole of a command made of words: reads, finds the word, runs it. */
int args_words(const struct command *self, int argc, char **argv, const struct opt *opts, size_t opts_len, const struct word *words,
	       size_t words_len);

#endif
