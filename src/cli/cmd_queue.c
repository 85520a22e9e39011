/* `weir queue`: what waits for a vendor, and letting it go or dropping it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/ask.h"

enum { OPT_WHY = ARG_OWN, OPT_SERIAL, OPT_RANGE, OPT_YES };

static const struct opt opts[] = {
	ARGS_COMMON, {"--why", 0, true, OPT_WHY}, {"--serial", 0, true, OPT_SERIAL}, {"--range", 0, true, OPT_RANGE},
	{"--yes", 'y', false, OPT_YES},
};

/* A whole number from 1, with nothing behind it but `stop`. */
static bool number(const char *s, char stop, json_int_t *out, const char **end)
{
	char *e;
	errno = 0;
	*out = strtoll(s, &e, 10);
	*end = e;
	return *s >= '0' && *s <= '9' && !errno && *out >= 1 && *e == stop;
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

static int given_range(const struct command *self, const struct args *a, struct range *r)
{
	const char *end;
	if (!a->value[OPT_SERIAL] || !number(a->value[OPT_SERIAL], 0, &r->serial, &end))
		return cli_wrong(self, "--serial N goes with --range: the plan under which the events came (`weir queue list`)");
	if (!a->value[OPT_RANGE] || !number(a->value[OPT_RANGE], '-', &r->from, &end) || !number(end + 1, 0, &r->to, &end))
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
			(*r)[(*n)++] = (struct range){ask_number(p, "serial"), ask_number(p, "from"), ask_number(p, "to"), ask_number(p, "events")};
		}
	}
}

static int find_ranges(const struct args *a, bool drain, struct range **r, size_t *n, struct err *err)
{
	json_t *queues, *answer;
	if (ask(a->value[ARG_DIR], json_pack("{s:s, s:s}", "do", "vendor", "vendor", a->operand[0]), &answer, err) < 0)
		return -1;	/* says which vendors there are */
	json_decref(answer);
	if (queues_of(a->value[ARG_DIR], &queues, err) < 0)
		return -1;
	queued_ranges(queues, a->operand[0], drain, r, n);
	json_decref(queues);
	return 0;
}

static bool agreed(const struct args *a, const struct range *r, size_t n)
{
	long long events = 0;
	char line[16];
	for (size_t i = 0; i < n; i++)
		events += r[i].events;
	printf("Destroy %lld queued events of %s? [y/N] ", events, a->operand[0]);
	fflush(stdout);
	return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static int decide_each(const struct command *self, const struct args *a, bool drain, const struct range *r, size_t n)
{
	int rc = EXIT_DONE;
	for (size_t i = 0; i < n && rc == EXIT_DONE; i++)
		rc = ask_decide(self, a->value[ARG_DIR],
				json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "do", drain ? "queue-drain" : "queue-drop", "vendor", a->operand[0],
					  "why", a->value[OPT_WHY], "serial", r[i].serial, "from", r[i].from, "to", r[i].to),
				a->value[ARG_JSON] != NULL);
	return rc;
}

static int decide(const struct command *self, const struct args *a)
{
	bool drain = strcmp(a->word, "drain") == 0;
	struct range one = {0}, *found = NULL;
	struct err err;
	size_t n = 1;
	if (!a->value[OPT_WHY])
		return cli_wrong(self, "--why TEXT is needed: it is kept with the decision");
	if (a->value[OPT_SERIAL] || a->value[OPT_RANGE]) {
		int r = given_range(self, a, &one);
		if (r)
			return r;
	} else if (find_ranges(a, drain, &found, &n, &err) < 0) {
		return cli_fail("queue", &err);
	}
	int rc = EXIT_DONE;
	if (n == 0 && !a->value[ARG_JSON])
		printf("%s: nothing %s\n", a->operand[0], drain ? "waits for a person" : "is queued");
	else if (!drain && !a->value[OPT_YES] && (a->value[ARG_JSON] || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		rc = cli_wrong(self, "no terminal to ask on: look at `weir queue list` and give --yes");
	else if (!drain && !a->value[OPT_YES] && !agreed(a, found ? found : &one, n))
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
		printf("%-20s %8s %12lld %14lld %12s %7llds  %s\n", name, "all", ask_number(q, "events"), ask_number(q, "bytes"), "", ask_number(q, "oldest_seconds"),
		       why ? why : "");
		json_array_foreach(json_object_get(q, "serials"), k, p) {
			char range_text[48];
			snprintf(range_text, sizeof range_text, "%lld-%lld", ask_number(p, "from"), ask_number(p, "to"));
			printf("%-20s %8lld %12lld %14s %12s %8s  %s\n", "", ask_number(p, "serial"), ask_number(p, "events"), "", range_text, "",
			       json_is_false(json_object_get(p, "sends")) ? "waits for a person: weir queue drain" : "");
		}
	}
}

static int list(const struct command *self, const struct args *a)
{
	struct err err;
	json_t *queues;
	(void)self;
	if (queues_of(a->value[ARG_DIR], &queues, &err) < 0)
		return cli_fail("queue list", &err);
	if (a->value[ARG_JSON]) {
		json_t *j = json_pack("{s:O}", "queues", queues);
		ask_print(j);
		json_decref(j);
	} else {
		print(queues, a->operand[0]);
	}
	json_decref(queues);
	return EXIT_DONE;
}

enum { DECISION = 1u << OPT_WHY | 1u << OPT_SERIAL | 1u << OPT_RANGE };

static const struct word words[] = {
	{"list", 0, 1, "one VENDOR", 0, list}, {"drain", 1, 1, "VENDOR", DECISION | 1u << OPT_YES, decide},
	{"drop", 1, 1, "VENDOR", DECISION | 1u << OPT_YES, decide},
};

static int run(const struct command *self, int argc, char **argv)
{
	return args_words(self, argc, argv, opts, sizeof opts / sizeof *opts, words, sizeof words / sizeof *words);
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
