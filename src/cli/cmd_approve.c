/* `weir approve VENDOR@VERSION`: a person lets a contract take effect. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/ask.h"

enum { OPT_WHY = ARG_OWN, OPT_WAIVE, OPT_UNTIL };

static const struct opt opts[] = {
	ARGS_COMMON, {"--why", 0, true, OPT_WHY}, {"--waive", 0, true, OPT_WAIVE}, {"--until", 0, true, OPT_UNTIL},
};

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

static json_t *waivers(const struct args *a)
{
	json_t *list = json_array();
	for (size_t i = 0; i < a->given_len; i++)
		if (a->given[i].key == OPT_WAIVE)
			json_array_append_new(list, json_string(a->given[i].value));
	return list;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct args a;
	int status;
	if (!args_read(self, argc, argv, opts, sizeof opts / sizeof *opts, 1, &a, &status))
		return status;
	if (!a.n)
		return cli_wrong(self, "which contract? VENDOR@VERSION");
	if (!a.value[OPT_WHY])
		return cli_wrong(self, "--why TEXT is needed: it is kept with the decision");
	json_t *request = json_pack("{s:s, s:s, s:s*}", "do", "approve", "why", a.value[OPT_WHY], "until", a.value[OPT_UNTIL]);
	if (!split(a.operand[0], request)) {
		json_decref(request);
		return cli_wrong(self, "%s: a contract is named VENDOR@VERSION, such as mixpanel@3", a.operand[0]);
	}
	json_t *waive = waivers(&a);
	if (json_array_size(waive))
		json_object_set(request, "waive", waive);
	json_decref(waive);
	return ask_decide(self, a.value[ARG_DIR], request, a.value[ARG_JSON] != NULL);
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
