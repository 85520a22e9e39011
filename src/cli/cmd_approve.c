/* `weir approve VENDOR@VERSION`: a person lets a contract take effect. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"

enum { OPT_DIR, OPT_JSON, OPT_WHY, OPT_WAIVE, OPT_UNTIL };

static const struct opt opts[] = {
	{"--dir", 0, true, OPT_DIR},	   {"--json", 0, false, OPT_JSON},   {"--why", 0, true, OPT_WHY},
	{"--waive", 0, true, OPT_WAIVE}, {"--until", 0, true, OPT_UNTIL},
};

struct arguments {
	const char *dir, *target, *why, *until;
	json_t *waive;
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
		else if (k == OPT_WHY)
			a->why = s.value;
		else if (k == OPT_UNTIL)
			a->until = s.value;
		else if (k == OPT_WAIVE)
			json_array_append_new(a->waive, json_string(s.value));
		else if (a->target) {
			cli_wrong(self, "one contract at a time");
			return OPT_BAD;
		} else
			a->target = s.value;
	}
	return 0;
}

/* "mixpanel@3" */
static bool split(const char *target, json_t *request)
{
	const char *at = strchr(target, '@');
	char *end;
	if (!at || at == target || at[1] < '1' || at[1] > '9')
		return false;
	errno = 0;
	long long version = strtoll(at + 1, &end, 10);
	if (errno || *end)
		return false;
	json_object_set_new(request, "vendor", json_stringn(target, (size_t)(at - target)));
	json_object_set_new(request, "version", json_integer(version));
	return true;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct arguments a = {.waive = json_array()};
	int k = parse(self, argc, argv, &a);
	json_t *request = json_pack("{s:s}", "do", "approve");
	int r = EXIT_USE;
	if (k == OPT_HELP)
		r = cli_help(self);
	else if (k == OPT_BAD)
		r = EXIT_USE;
	else if (!a.target)
		r = cli_wrong(self, "which contract? VENDOR@VERSION");
	else if (!split(a.target, request))
		r = cli_wrong(self, "%s: a contract is named VENDOR@VERSION, such as mixpanel@3", a.target);
	else if (!a.why)
		r = cli_wrong(self, "--why TEXT is needed: it is kept with the decision");
	else {
		json_object_set_new(request, "why", json_string(a.why));
		if (json_array_size(a.waive))
			json_object_set(request, "waive", a.waive);
		if (a.until)
			json_object_set_new(request, "until", json_string(a.until));
		r = ask_decide(self, a.dir, json_incref(request), a.json);
	}
	json_decref(request);
	json_decref(a.waive);
	return r;
}

const struct command cmd_approve = {
	"approve", "let a contract take effect",
	"usage: weir approve VENDOR@VERSION --why TEXT [--waive assessment|posture]... [--until DATE]\n"
	"                    [--dir FOLDER] [--json]\n"
	"\n"
	"  --why TEXT       the reason; it stays with the decision, your name and the time for ever\n"
	"  --waive WHAT     do without what the contract's `requires` asks for, until --until\n"
	"  --until DATE     the waiver's last day (UTC); from its end on nothing passes any more\n"
	"\n"
	"The contract must have been applied (`weir apply`).  While Weir runs, the keeper signs a plan, and the command\n"
	"returns once gate and courier obey it.  While it is stopped, the plan waits for the next `weir serve`.\n"
	"\n"
	"Exit status: 0 in force; 1 a requirement is unmet, a secret is missing, or the contract has expired;\n"
	"2 wrong use, or no such contract; 3 signed, but gate or courier did not confirm in time, or own fault.\n",
	run,
};
