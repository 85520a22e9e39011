/* `weir queue`: what waits for a vendor, and letting it go or dropping it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cli.h"

enum { OPT_DIR, OPT_JSON, OPT_WHY, OPT_SERIAL, OPT_RANGE, OPT_YES };

static const struct opt opts[] = {
	{"--dir", 0, true, OPT_DIR},	   {"--json", 0, false, OPT_JSON}, {"--why", 0, true, OPT_WHY},
	{"--serial", 0, true, OPT_SERIAL}, {"--range", 0, true, OPT_RANGE}, {"--yes", 'y', false, OPT_YES},
};

struct arguments {
	const char *dir, *why, *serial, *range, *word, *vendor;
	bool json, yes;
};

static int parse(const struct command *self, int argc, char **argv, struct arguments *a)
{
	struct opt_state s;
	opt_init(&s, argc, argv);
	for (int k; (k = opt_next(&s, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		if (k == OPT_HELP || k == OPT_BAD)
			return k;
		if (k == OPT_JSON || k == OPT_YES)
			*(k == OPT_JSON ? &a->json : &a->yes) = true;
		else if (k != OPT_OPERAND)
			*(k == OPT_DIR ? &a->dir : k == OPT_WHY ? &a->why : k == OPT_SERIAL ? &a->serial : &a->range) = s.value;
		else if (!a->word)
			a->word = s.value;
		else if (!a->vendor)
			a->vendor = s.value;
		else {
			cli_wrong(self, "%s: one vendor at a time", s.value);
			return OPT_BAD;
		}
	}
	return 0;
}

/* A whole number from 1, with nothing behind it but `stop`. */
static bool number(const char *s, char stop, json_int_t *out, const char **end)
{
	char *e;
	errno = 0;
	*out = strtoll(s, &e, 10);
	*end = e;
	return *s >= '0' && *s <= '9' && !errno && *out >= 1 && *e == stop;
}

static long long of(const json_t *q, const char *name)
{
	return json_integer_value(json_object_get(q, name));
}

/* The courier's queues, or -1; *queues is a new reference. */
static int queues_of(const char *dir, json_t **queues, struct err *err)
{
	json_t *answer;
	if (ask(dir, json_pack("{s:s}", "do", "status"), &answer, err) < 0)
		return -1;
	json_t *courier = json_object_get(json_object_get(answer, "processes"), "courier");
	*queues = json_incref(json_object_get(courier, "queues"));
	json_decref(answer);
	return *queues ? 0 : err_set(err, ERR_AGAIN, "the courier does not answer");
}

/* ---- drain, drop ------------------------------------------------------------------------------------------------ */

struct range {
	json_int_t serial, from, to, events;
};

static int given_range(const struct command *self, const struct arguments *a, struct range *r)
{
	const char *end;
	if (!a->serial || !number(a->serial, 0, &r->serial, &end))
		return cli_wrong(self, "--serial N goes with --range: the plan under which the events came (`weir queue list`)");
	if (!a->range || !number(a->range, '-', &r->from, &end) || !number(end + 1, 0, &r->to, &end))
		return cli_wrong(self, "--range FROM-TO goes with --serial: sequence numbers, both included (`weir queue list`)");
	return 0;
}

/* What is queued now: for drain, only what waits for a person.  r: new, *n of them. */
static void queued_ranges(const json_t *queues, const char *vendor, bool waiting_only, struct range **r, size_t *n)
{
	size_t i, k;
	json_t *q, *p;
	*r = NULL;
	*n = 0;
	json_array_foreach((json_t *)(uintptr_t)queues, i, q) {
		const char *name = json_string_value(json_object_get(q, "vendor"));
		if (!name || strcmp(name, vendor) != 0)
			continue;
		json_array_foreach(json_object_get(q, "serials"), k, p) {
			if (waiting_only && json_is_true(json_object_get(p, "sends")))
				continue;
			*r = xrealloc(*r, (*n + 1) * sizeof **r);
			(*r)[(*n)++] = (struct range){of(p, "serial"), of(p, "from"), of(p, "to"), of(p, "events")};
		}
	}
}

static int find_ranges(const struct arguments *a, bool drain, struct range **r, size_t *n, struct err *err)
{
	json_t *queues, *answer;
	if (ask(a->dir, json_pack("{s:s, s:s}", "do", "vendor", "vendor", a->vendor), &answer, err) < 0)
		return -1;	/* says which vendors there are */
	json_decref(answer);
	if (queues_of(a->dir, &queues, err) < 0)
		return -1;
	queued_ranges(queues, a->vendor, drain, r, n);
	json_decref(queues);
	return 0;
}

static bool agreed(const struct arguments *a, const struct range *r, size_t n)
{
	long long events = 0;
	char line[16];
	for (size_t i = 0; i < n; i++)
		events += r[i].events;
	printf("Destroy %lld queued events of %s? [y/N] ", events, a->vendor);
	fflush(stdout);
	return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static int decide_each(const struct command *self, const struct arguments *a, bool drain, const struct range *r, size_t n)
{
	int rc = EXIT_DONE;
	for (size_t i = 0; i < n && rc == EXIT_DONE; i++)
		rc = ask_decide(self, a->dir,
				json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "do", drain ? "queue-drain" : "queue-drop", "vendor", a->vendor,
					  "why", a->why, "serial", r[i].serial, "from", r[i].from, "to", r[i].to),
				a->json);
	return rc;
}

static int decide(const struct command *self, const struct arguments *a)
{
	bool drain = strcmp(a->word, "drain") == 0;
	struct range one = {0}, *found = NULL;
	struct err err;
	size_t n = 1;
	if (!a->vendor)
		return cli_wrong(self, "which vendor?");
	if (!a->why)
		return cli_wrong(self, "--why TEXT is needed: it is kept with the decision");
	if (a->serial || a->range) {
		int r = given_range(self, a, &one);
		if (r)
			return r;
	} else if (find_ranges(a, drain, &found, &n, &err) < 0) {
		return cli_fail("queue", &err);
	}
	int rc = EXIT_DONE;
	if (n == 0 && !a->json)
		printf("%s: nothing %s\n", a->vendor, drain ? "waits for a person" : "is queued");
	else if (!drain && !a->yes && (a->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		rc = cli_wrong(self, "no terminal to ask on: look at `weir queue list` and give --yes");
	else if (!drain && !a->yes && !agreed(a, found ? found : &one, n))
		rc = EXIT_NO;
	else
		rc = decide_each(self, a, drain, found ? found : &one, n);
	free(found);
	return rc;
}

/* ---- list ------------------------------------------------------------------------------------------------------- */

static void print(const json_t *queues, const char *vendor)
{
	size_t i, k;
	json_t *q, *p;
	printf("%-20s %8s %12s %14s %12s %8s  %s\n", "VENDOR", "PLAN", "EVENTS", "BYTES", "RANGE", "OLDEST", "");
	json_array_foreach(queues, i, q) {
		const char *name = json_string_value(json_object_get(q, "vendor")), *why = json_string_value(json_object_get(q, "held"));
		if (!name || (vendor && strcmp(vendor, name) != 0))
			continue;
		printf("%-20s %8s %12lld %14lld %12s %7llds  %s\n", name, "all", of(q, "events"), of(q, "bytes"), "", of(q, "oldest_seconds"),
		       why ? why : "");
		json_array_foreach(json_object_get(q, "serials"), k, p) {
			char range_text[48];
			snprintf(range_text, sizeof range_text, "%lld-%lld", of(p, "from"), of(p, "to"));
			printf("%-20s %8lld %12lld %14s %12s %8s  %s\n", "", of(p, "serial"), of(p, "events"), "", range_text, "",
			       json_is_false(json_object_get(p, "sends")) ? "waits for a person: weir queue drain" : "");
		}
	}
}

static int list(const struct command *self, const struct arguments *a)
{
	struct err err;
	json_t *queues;
	(void)self;
	if (queues_of(a->dir, &queues, &err) < 0)
		return cli_fail("queue list", &err);
	if (a->json) {
		json_t *j = json_pack("{s:O}", "queues", queues);
		ask_print(j);
		json_decref(j);
	} else {
		print(queues, a->vendor);
	}
	json_decref(queues);
	return EXIT_DONE;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct arguments a = {0};
	int k = parse(self, argc, argv, &a);
	if (k)
		return k == OPT_HELP ? cli_help(self) : EXIT_USE;
	if (!a.word)
		return cli_wrong(self, "list, drain or drop?");
	if (strcmp(a.word, "list") == 0)
		return list(self, &a);
	if (strcmp(a.word, "drain") == 0 || strcmp(a.word, "drop") == 0)
		return decide(self, &a);
	return cli_wrong(self, "%s: list, drain or drop", a.word);
}

const struct command cmd_queue = {
	"queue", "show what waits for a vendor, let it go, or drop it",
	"usage: weir queue list [VENDOR]\n"
	"       weir queue drain VENDOR --why TEXT [--serial N --range FROM-TO]\n"
	"       weir queue drop VENDOR --why TEXT [--serial N --range FROM-TO] [--yes]\n"
	"       (each with [--dir FOLDER] [--json])\n"
	"\n"
	"  list    events on disk by vendor and by the plan under which they were accepted\n"
	"  drain   lets events go that a narrower contract holds back: a signed approval of exactly these\n"
	"  drop    destroys them; recorded with your name and reason\n"
	"\n"
	"Without --serial and --range it is about what is queued now: for drain, all that waits for a person; for drop,\n"
	"everything.  Each plan's events are a decision of their own.\n"
	"Drain is refused while the vendor is suspended, quarantined or expired.  All of it works while Weir is stopped too;\n"
	"what the gate took and nobody parked yet is then not in a queue.\n"
	"\n"
	"Exit status: 0 done; 1 refused as things stand, or you said no; 2 wrong use, no such vendor or plan;\n"
	"3 not confirmed, own fault.\n",
	run,
};
