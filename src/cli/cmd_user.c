/* `weir user`: who may look at the console. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "crypt/crypt.h"

static const struct opt opts[] = {ARGS_COMMON};

/* One line without echo on a terminal; else the first line of standard input. */
static int read_line(const char *prompt, char line[static PASSWORD_MAX + 2], struct err *err)
{
	struct termios before, quiet;
	bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
	if (terminal) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
		fputs(prompt, stderr);
	}
	bool got = fgets(line, PASSWORD_MAX + 2, stdin) != NULL;
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	if (!got)
		return err_set(err, ERR_INPUT, "no password came");
	line[strcspn(line, "\n")] = 0;
	return 0;
}

static int read_password(char password[static PASSWORD_MAX + 2], struct err *err)
{
	char again[PASSWORD_MAX + 2];
	if (read_line("Password: ", password, err) < 0)
		return -1;
	if (!isatty(STDIN_FILENO))
		return 0;
	int r = read_line("Once more: ", again, err);
	if (r == 0 && strcmp(password, again) != 0)
		r = err_set(err, ERR_INPUT, "the two differ");
	crypt_wipe(again, sizeof again);
	return r;
}

static int done(const struct args *a, json_t *request, const char *said)
{
	struct err err;
	json_t *answer;
	if (ask(a->value[ARG_DIR], request, &answer, &err) < 0)
		return cli_fail("user", &err);
	if (a->value[ARG_JSON])
		ask_print(answer);
	else
		printf("weir: user %s: %s\n", a->operand[0], said);
	json_decref(answer);
	return EXIT_DONE;
}

static int add(const struct command *self, const struct args *a)
{
	const char *name = a->operand[0];
	(void)self;
	char password[PASSWORD_MAX + 2], hash[USER_HASH_MAX];
	struct err err = {.off = ERR_NOOFF};
	int r = user_name_ok(name) ? 0 : err_set(&err, ERR_INPUT, "a name has 1 to %d of the characters a-z 0-9 . _ -", USER_NAME_MAX);
	if (r == 0)
		r = crypt_init(&err);
	if (r == 0)
		r = read_password(password, &err);
	if (r == 0)
		r = user_hash_make(password, hash, &err);
	crypt_wipe(password, sizeof password);
	if (r < 0)
		return cli_fail("user", &err);
	return done(a, json_pack("{s:s, s:s, s:s}", "do", "user-add", "name", name, "hash", hash), "may look at the console");
}

static int take_away(const struct command *self, const struct args *a)
{
	(void)self;
	return done(a, json_pack("{s:s, s:s}", "do", "user-remove", "name", a->operand[0]), "removed");
}

static void print_list(const json_t *answer)
{
	json_t *u;
	size_t i;
	printf("%-24s %-20s  %s\n", "NAME", "SINCE", "BY");
	json_array_foreach(json_object_get(answer, "users"), i, u) {
		char at[21];
		clock_format(ask_number(u, "at"), at);
		printf("%-24s %-20s  %s\n", ask_text(u, "name"), at, ask_text(u, "by"));
	}
}

static int list(const struct command *self, const struct args *a)
{
	(void)self;
	return ask_show("user", a->value[ARG_DIR], a->value[ARG_JSON], json_pack("{s:s}", "do", "user-list"), print_list);
}

static const struct word words[] = {
	{"add", 1, 1, "NAME", 0, add}, {"remove", 1, 1, "NAME", 0, take_away}, {"list", 0, 0, "", 0, list},
};

static int run(const struct command *self, int argc, char **argv)
{
	return args_words(self, argc, argv, opts, sizeof opts / sizeof *opts, words, sizeof words / sizeof *words);
}

const struct command cmd_user = {
	"user", "who may look at the console",
	"usage: weir user add NAME [--dir FOLDER] [--json]\n"
	"       weir user remove NAME\n"
	"       weir user list\n"
	"\n"
	"add asks for a password (10 bytes or more) on the terminal, twice, or reads it as the first line of standard input; a\n"
	"name that is there already gets the new one.  Only its argon2id hash is kept.  The console is read-only and stands\n"
	"on the API address (127.0.0.1:7081).  Sessions end after an hour without use, after twelve, or with the account.\n"
	"\n"
	"Exit status: 0 done; 2 wrong use, a password too short, no such user; 3 own fault.\n",
	run,
};
