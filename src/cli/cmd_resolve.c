/* `weir resolve`: who of my own list is affected. */
#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/idlist.h"
#include "cli/question.h"

enum { OPT_DIR, OPT_JSON, OPT_USERS, OPT_ID };

static const struct opt opts[] = {
	{"--dir", 0, true, OPT_DIR}, {"--json", 0, false, OPT_JSON}, {"--users", 0, true, OPT_USERS}, {"--id", 0, true, OPT_ID}, QUESTION_OPTS,
};

static void print(json_t *found, const json_t *ids)
{
	size_t i;
	json_t *row;
	json_array_foreach(found, i, row) {
		json_t *out = json_object();
		json_object_set(out, "id", json_array_get(ids, (size_t)json_integer_value(json_object_get(row, "i"))));
		json_object_del(row, "i");
		json_object_update(out, row);
		ask_print(out);
		json_decref(out);
	}
}

static int resolve(const struct command *self, const struct asked *q, const char *dir, const struct idlist *l)
{
	struct err err;
	json_t *answer, *ids;
	for (size_t at = 0; (ids = idlist_portion(l, &at));) {
		json_t *request = asked_request(q, "resolve");
		json_object_set(request, "ids", ids);
		int r = ask(dir, request, &answer, &err);
		if (r == 0) {
			print(json_object_get(answer, "found"), ids);
			json_decref(answer);
		}
		json_decref(ids);
		if (r < 0)
			return asked_fail(self->name, &err);
	}
	return EXIT_DONE;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked q = {0};
	const char *dir = NULL, *users = NULL, *column = NULL;
	struct opt_state s;
	struct err err;
	struct idlist l;
	opt_init(&s, argc, argv);
	for (int k; (k = opt_next(&s, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		if (k == OPT_HELP)
			return cli_help(self);
		if (k == OPT_BAD)
			return EXIT_USE;
		if (k == OPT_OPERAND)
			return cli_wrong(self, "%s: a list is named with --users", s.value);
		if (k != OPT_JSON && !asked_take(&q, k, s.value))
			*(k == OPT_DIR ? &dir : k == OPT_USERS ? &users : &column) = s.value;
	}
	if (!q.vendor || !users)
		return cli_wrong(self, "--vendor VENDOR and --users FILE are needed");
	if (idlist_read(users, column, &l, &err) < 0)
		return cli_fail(self->name, &err);
	int r = resolve(self, &q, dir, &l);
	idlist_release(&l);
	return r;
}

const struct command cmd_resolve = {
	"resolve", "who of your own list is affected",
	"usage: weir resolve --vendor VENDOR --users FILE [--id COLUMN] [--since DAY] [--until DAY]\n"
	"                    [--category CATEGORY] [--jurisdiction CODE] [--dir FOLDER]\n"
	"\n"
	"FILE (- for standard input) is your list of people: one [KIND:]ID a line, or with --id the column of that name of\n"
	"a CSV file with a header, or of NDJSON objects.  For each who is affected a line of JSON: id as in your list,\n"
	"subject, categories, first and last day.  The other options are those of `weir blast`.\n"
	"\n"
	"Nothing of the list is kept: each identifier becomes the ledger's pseudonym, and is compared.\n"
	"\n"
	"Exit status: 0 done, also for nobody; 2 wrong use or list; 3 the ledger is damaged, own fault.\n",
	run,
};
