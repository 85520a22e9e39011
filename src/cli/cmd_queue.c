/* `weir queue`: what waits for a vendor, and letting it go or dropping it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"

enum { OPT_DIR, OPT_JSON, OPT_WHY, OPT_SERIAL, OPT_RANGE };

static const struct opt opts[] = {
	{"--dir", 0, true, OPT_DIR},	   {"--json", 0, false, OPT_JSON}, {"--why", 0, true, OPT_WHY},
	{"--serial", 0, true, OPT_SERIAL}, {"--range", 0, true, OPT_RANGE},
};

struct arguments {
	const char *dir, *why, *serial, *range, *word, *vendor;
	bool json;
};

static int parse(const struct command *self, int argc, char **argv, struct arguments *a)
{
	struct opt_state s;
	opt_init(&s, argc, argv);
	for (int k; (k = opt_next(&s, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		if (k == OPT_HELP || k == OPT_BAD)
			return k;
		if (k == OPT_JSON)
			a->json = true;
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

static int range(const struct command *self, const struct arguments *a, json_t *request)
{
	json_int_t serial, from, to;
	const char *end;
	if (!a->serial || !number(a->serial, 0, &serial, &end))
		return cli_wrong(self, "--serial N is needed: the plan under which the events were queued (`weir queue list`)");
	if (!a->range || !number(a->range, '-', &from, &end) || !number(end + 1, 0, &to, &end))
		return cli_wrong(self, "--range FROM-TO is needed: sequence numbers, both included (`weir queue list`)");
	json_object_set_new(request, "serial", json_integer(serial));
	json_object_set_new(request, "from", json_integer(from));
	json_object_set_new(request, "to", json_integer(to));
	return 0;
}

static int decide(const struct command *self, const struct arguments *a)
{
	if (!a->vendor)
		return cli_wrong(self, "which vendor?");
	if (!a->why)
		return cli_wrong(self, "--why TEXT is needed: it is kept with the decision");
	json_t *request = json_pack("{s:s, s:s, s:s}", "do", strcmp(a->word, "drain") == 0 ? "queue-drain" : "queue-drop", "vendor",
				    a->vendor, "why", a->why);
	int r = range(self, a, request);
	if (r) {
		json_decref(request);
		return r;
	}
	return ask_decide(self, a->dir, request, a->json);
}

static long long of(const json_t *q, const char *name)
{
	return json_integer_value(json_object_get(q, name));
}

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
	json_t *answer;
	(void)self;
	if (ask(a->dir, json_pack("{s:s}", "do", "status"), &answer, &err) < 0)
		return cli_fail("queue list", &err);
	json_t *courier = json_object_get(json_object_get(answer, "processes"), "courier");
	json_t *queues = json_object_get(courier, "queues");
	int r = EXIT_DONE;
	if (!courier) {
		err_set(&err, ERR_AGAIN, "the courier does not answer");
		r = cli_fail("queue list", &err);
	} else if (a->json) {
		json_t *j = json_pack("{s:O?}", "queues", queues);
		ask_print(j);
		json_decref(j);
	} else {
		print(queues, a->vendor);
	}
	json_decref(answer);
	return r;
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
	"       weir queue drain VENDOR --serial N --range FROM-TO --why TEXT\n"
	"       weir queue drop VENDOR --serial N --range FROM-TO --why TEXT\n"
	"       (each with [--dir FOLDER] [--json])\n"
	"\n"
	"  list    events on disk by vendor and by the plan under which they were accepted\n"
	"  drain   lets events go that a narrower contract holds back: a signed approval of exactly this range\n"
	"  drop    destroys them; recorded with your name and reason\n"
	"\n"
	"Drain is refused while the vendor is suspended, quarantined or expired.  List and drop need a running Weir.\n"
	"\n"
	"Exit status: 0 done; 1 refused as things stand; 2 wrong use, no such vendor or plan; 3 not confirmed, own fault.\n",
	run,
};
