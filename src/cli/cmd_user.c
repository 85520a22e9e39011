/* `weir user`: who may look at the console. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "crypt/crypt.h"

enum { OPT_DIR, OPT_JSON };

static const struct opt opts[] = {{"--dir", 0, true, OPT_DIR}, {"--json", 0, false, OPT_JSON}};

struct arguments {
	const char *dir, *word, *name;
	bool json;
};

static int parse(const struct command *self, int argc, char **argv, struct arguments *a)
{
	struct opt_state s;
	opt_init(&s, argc, argv);
	for (int k; (k = opt_next(&s, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		if (k == OPT_HELP || k == OPT_BAD)
			return k;
		if (k == OPT_DIR)
			a->dir = s.value;
		else if (k == OPT_JSON)
			a->json = true;
		else if (!a->word)
			a->word = s.value;
		else if (!a->name)
			a->name = s.value;
		else {
			cli_wrong(self, "%s: one name at a time", s.value);
			return OPT_BAD;
		}
	}
	return 0;
}

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

static int done(const struct arguments *a, json_t *request, const char *said)
{
	struct err err;
	json_t *answer;
	if (ask(a->dir, request, &answer, &err) < 0)
		return cli_fail("user", &err);
	if (a->json)
		ask_print(answer);
	else
		printf("weir: user %s: %s\n", a->name, said);
	json_decref(answer);
	return EXIT_DONE;
}

static int add(const struct arguments *a)
{
	char password[PASSWORD_MAX + 2], hash[USER_HASH_MAX];
	struct err err = {.off = ERR_NOOFF};
	int r = user_name_ok(a->name) ? 0 : err_set(&err, ERR_INPUT, "a name has 1 to %d of the characters a-z 0-9 . _ -", USER_NAME_MAX);
	if (r == 0)
		r = crypt_init(&err);
	if (r == 0)
		r = read_password(password, &err);
	if (r == 0)
		r = user_hash_make(password, hash, &err);
	crypt_wipe(password, sizeof password);
	if (r < 0)
		return cli_fail("user", &err);
	return done(a, json_pack("{s:s, s:s, s:s}", "do", "user-add", "name", a->name, "hash", hash), "may look at the console");
}

static int list(const struct arguments *a)
{
	struct err err;
	json_t *answer, *u;
	size_t i;
	if (ask(a->dir, json_pack("{s:s}", "do", "user-list"), &answer, &err) < 0)
		return cli_fail("user", &err);
	if (a->json) {
		ask_print(answer);
	} else {
		printf("%-24s %-20s  %s\n", "NAME", "SINCE", "BY");
		json_array_foreach(json_object_get(answer, "users"), i, u) {
			char at[21];
			clock_format(json_integer_value(json_object_get(u, "at")), at);
			printf("%-24s %-20s  %s\n", json_string_value(json_object_get(u, "name")), at, json_string_value(json_object_get(u, "by")));
		}
	}
	json_decref(answer);
	return EXIT_DONE;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct arguments a = {0};
	int k = parse(self, argc, argv, &a);
	if (k)
		return k == OPT_HELP ? cli_help(self) : EXIT_USE;
	if (a.word && strcmp(a.word, "list") == 0)
		return a.name ? cli_wrong(self, "list takes no name") : list(&a);
	bool adds = a.word && strcmp(a.word, "add") == 0;
	if (!adds && !(a.word && strcmp(a.word, "remove") == 0))
		return cli_wrong(self, "add NAME, remove NAME or list");
	if (!a.name)
		return cli_wrong(self, "whose account?");
	return adds ? add(&a) : done(&a, json_pack("{s:s, s:s}", "do", "user-remove", "name", a.name), "removed");
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
