/*
 * The command line: one table of commands (main.c), one file a command (cmd_NAME.c).  A command parses its arguments
 * with opt_next, calls the library, prints, and returns the exit status: 0 done, 1 the answer is no, 2 wrong use or
 * input, 3 own fault.  Errors read "weir: WHAT: WHY" on standard error.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum { EXIT_DONE = 0, EXIT_NO = 1, EXIT_USE = 2, EXIT_FAULT = 3 };

struct command {
	const char *name;
	const char *brief;	/* one line in `weir help` */
	const char *usage;	/* whole help text: synopsis, options, examples, exit status */
	int (*run)(const struct command *self, int argc, char **argv);	/* argv[0] is the command's name */
};

/* Options in any order among the operands; "--" ends them; --name VALUE and --name=VALUE; -c is a short form. */
struct opt {
	const char *name;	/* "--file" */
	char brief;		/* 'f', or 0 */
	bool value;
	int key;		/* returned */
};
struct opt_state {
	int at, argc;
	char **argv;
	const char *value;	/* of the option just returned */
	bool ended;
};
/* Operands come back as OPT_OPERAND with value set; OPT_HELP for --help and -h; OPT_BAD after an error was printed. */
enum { OPT_END = -1, OPT_BAD = -2, OPT_HELP = -3, OPT_OPERAND = -4 };
void opt_init(struct opt_state *s, int argc, char **argv);
int opt_next(struct opt_state *s, const struct command *self, const struct opt *opts, size_t n);

/* "weir: what: why"; returns the exit status that fits the error's code (2 for input, 1 for denied, 3 for the rest). */
int cli_fail(const char *what, const struct err *err);
int cli_wrong(const struct command *self, const char *fmt, ...) __attribute__((format(printf, 2, 3)));	/* 2, points to help */
int cli_help(const struct command *self);	/* 0 */

bool cli_colour(int fd);	/* a terminal and no NO_COLOR */
/* Whole file or "-" for standard input, 64 zero bytes behind it; ERR_NOTFOUND, ERR_IO, ERR_LIMIT over max_bytes. */
int cli_read(const char *path, size_t max_bytes, struct buf *out, struct err *err);
int cli_write_all(int fd, const void *p, size_t n);

/* One a file cmd_NAME.c, in the order of `weir help`: main.c puts chapters before some. */
#define COMMANDS(X) X(demo) X(filter) X(sink) X(detect) \
	X(init) X(contract) X(apply) X(approve) X(serve) X(vendor) X(discover) X(queue) \
	X(assess) X(assurance) X(audit) X(posture) X(canary) \
	X(blast) X(subject) X(resolve) X(ledger) \
	X(incident) X(share) \
	X(user) X(version) X(help)
#define X(n) extern const struct command cmd_##n;
COMMANDS(X)
#undef X

#endif
