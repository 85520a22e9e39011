/* `weir resolve`: who of my own list is affected. */
#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/people.h"
#include "cli/question.h"
#include "cli/listing.h"

enum { OPT_DIR, OPT_JSON, OPT_USERS, OPT_ID, OPT_DB, OPT_QUERY, OPT_CSV };

static const struct opt opts[] = {
	{"--dir", 0, true, OPT_DIR}, {"--json", 0, false, OPT_JSON}, {"--users", 0, true, OPT_USERS}, {"--id", 0, true, OPT_ID},
	{"--db", 0, true, OPT_DB}, {"--query", 0, true, OPT_QUERY}, {"--csv", 0, false, OPT_CSV}, QUESTION_OPTS,
};
static const char *const columns[] = {"id", "subject", "categories", "first", "last", NULL};

static void print(struct listing *list, json_t *found, const json_t *ids)
{
	size_t i;
	json_t *row;
	json_array_foreach(found, i, row) {
		json_t *out = json_object();
		json_object_set(out, "id", json_array_get(ids, (size_t)json_integer_value(json_object_get(row, "i"))));
		json_object_del(row, "i");
		json_object_update(out, row);
		listing_print(list, out);
		json_decref(out);
	}
}

static int resolve(const struct asked *q, const char *dir, struct people *p, struct listing *list, struct err *err)
{
	json_t *answer, *ids;
	int more;
	while ((more = people_next(p, &ids, err)) > 0) {
		json_t *request = asked_request(q, "resolve");
		json_object_set(request, "ids", ids);
		int r = ask(dir, request, &answer, err);
		if (r == 0) {
			print(list, json_object_get(answer, "found"), ids);
			json_decref(answer);
		}
		json_decref(ids);
		if (r < 0)
			return -1;
		listing_progress(people_done(p), people_total(p));
	}
	listing_end(list);
	return more;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked q = {0};
	struct people_source source = {0};
	const char *dir = NULL, **values[] = {[OPT_DIR] = &dir,	      [OPT_USERS] = &source.users, [OPT_ID] = &source.id,
					      [OPT_DB] = &source.db, [OPT_QUERY] = &source.query};
	struct listing list = {.columns = columns};
	struct people *people;
	struct opt_state s;
	struct err err;
	opt_init(&s, argc, argv);
	for (int k; (k = opt_next(&s, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		if (k == OPT_HELP)
			return cli_help(self);
		if (k == OPT_BAD)
			return EXIT_USE;
		if (k == OPT_OPERAND)
			return cli_wrong(self, "%s: a list is named with --users", s.value);
		list.csv |= k == OPT_CSV;
		if (k != OPT_JSON && k != OPT_CSV && !asked_take(&q, k, s.value))
			*values[k] = s.value;
	}
	if (!q.vendor)
		return cli_wrong(self, "--vendor VENDOR is needed");
	if (people_wrong(&source))
		return cli_wrong(self, "%s", people_wrong(&source));
	if (people_open(&source, &people, &err) < 0)
		return cli_fail(self->name, &err);
	int r = resolve(&q, dir, people, &list, &err);
	listing_progress_end();
	people_close(&people);
	return r < 0 ? asked_fail(self->name, &err) : EXIT_DONE;
}

const struct command cmd_resolve = {
	"resolve", "who of your own list is affected",
	"usage: weir resolve --vendor VENDOR (--users FILE | --db CONNECTION --query SELECT) [--id COLUMN] [--since DAY]\n"
	"                    [--until DAY] [--category CATEGORY] [--field PATH] [--jurisdiction CODE] [--csv]\n"
	"                    [--dir FOLDER]\n"
	"\n"
	"  --users FILE     your list of people (- for standard input): one [KIND:]ID a line, or with --id the column of that\n"
	"                   name of a CSV file with a header, or of NDJSON objects\n"
	"  --db CONNECTION  a PostgreSQL database, as libpq has it: \"dbname=app host=db1\", or a URI; the password from\n"
	"                   PGPASSWORD or ~/.pgpass\n"
	"  --query SELECT   what to ask it: the first column, or the one that --id names, holds the identifiers.  Read-only,\n"
	"                   and streamed\n"
	"  --csv            a table instead of lines of JSON\n"
	"\n"
	"For each who is affected a line of JSON: id as in your list, subject, categories, first and last day.  The other\n"
	"options are those of `weir blast`.\n"
	"\n"
	"Nothing of the list is kept: each identifier becomes the ledger's pseudonym, and is compared.\n"
	"\n"
	"Exit status: 0 done, also for nobody; 2 wrong use or list; 3 the ledger is damaged, own fault.\n",
	run,
};
