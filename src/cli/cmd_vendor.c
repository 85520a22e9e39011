/* `weir vendor`: how vendors stand, and the switches of a person. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "cli/firewall.h"
#include "cli/question.h"

enum { OPT_WHY = ARG_OWN };

static const struct opt opts[] = {ARGS_COMMON, {"--why", 0, true, OPT_WHY}};

/* ---- list, show ------------------------------------------------------------------------------------------------- */

static void until(const json_t *v, char out[static 21])
{
	const json_t *end = json_object_get(v, "not_after");
	if (json_is_integer(end))
		clock_format(json_integer_value(end), out);
	else
		strcpy(out, "-");
}

static void list_row(const json_t *v)
{
	char at[21], version[24] = "-", newest[24];
	until(v, at);
	if (ask_number(v, "version"))
		snprintf(version, sizeof version, "%lld", ask_number(v, "version"));
	snprintf(newest, sizeof newest, "%lld", ask_number(v, "newest"));
	printf("%-20s %-10s %-12s %8s %8s  %-20s  %s\n", ask_text(v, "vendor"), ask_text(v, "life"), ask_text(v, "flow"), version, newest, at, ask_text(v, "gate"));
}

static void print_list(const json_t *answer)
{
	size_t i;
	json_t *v;
	printf("%-20s %-10s %-12s %8s %8s  %-20s  %s\n", "VENDOR", "LIFE", "FLOW", "IN FORCE", "NEWEST", "UNTIL", "GATE NOW");
	json_array_foreach(json_object_get(answer, "vendors"), i, v) list_row(v);
}

static int list(const struct command *self, const struct args *a)
{
	(void)self;
	return ask_show("vendor list", a->value[ARG_DIR], a->value[ARG_JSON], json_pack("{s:s}", "do", "vendors"), print_list);
}

static void show_text(const json_t *answer)
{
	const json_t *v = json_object_get(answer, "vendor");
	char at[21];
	size_t i;
	json_t *e;
	const char *who;
	until(v, at);
	printf("%s (%s)\n", ask_text(v, "vendor"), ask_text(v, "name"));
	printf("  life      %s\n  flow      %s", ask_text(v, "life"), ask_text(v, "flow"));
	json_object_foreach(json_object_get(v, "asks"), who, e) if (strcmp(json_string_value(e), "open") != 0)
		printf(" (%s asks for %s)", who, json_string_value(e));
	printf("\n  contract  %lld in force, %lld the newest applied\n", ask_number(v, "version"), ask_number(v, "newest"));
	printf("  gate      %s\n", ask_text(v, "gate"));
	printf("  plan      %lld\n  until     %s\n\n", ask_number(v, "serial"), at);
	json_array_foreach(json_object_get(answer, "events"), i, e) {
		clock_format(ask_number(e, "at"), at);
		printf("  %s  %-12s %-12s", at, ask_text(e, "who"), ask_text(e, "kind"));
		if (ask_number(e, "version"))
			printf(" @%lld", ask_number(e, "version"));
		printf("  %s\n", ask_text(e, "why"));
	}
}

static int show(const struct command *self, const struct args *a)
{
	(void)self;
	return ask_show("vendor show", a->value[ARG_DIR], a->value[ARG_JSON], json_pack("{s:s, s:s}", "do", "vendor", "vendor", a->operand[0]),
			show_text);
}

/* ---- switches --------------------------------------------------------------------------------------------------- */

static int turn(const struct command *self, const struct args *a)
{
	if (!a->value[OPT_WHY])
		return cli_wrong(self, "--why TEXT is needed: it is kept with the decision");
	return ask_decide(self, a->value[ARG_DIR], json_pack("{s:s, s:s, s:s}", "do", a->word, "vendor", a->operand[0], "why", a->value[OPT_WHY]), a->value[ARG_JSON] != NULL);
}

static int holdings(const struct command *self, const struct args *a)
{
	struct err err;
	json_t *answer;
	(void)self;
	if (ask(a->value[ARG_DIR], json_pack("{s:s, s:s}", "do", "holdings", "vendor", a->operand[0]), &answer, &err) < 0)
		return asked_fail("vendor holdings", &err);
	if (asked_nobody(answer) && asked_is_known(a->value[ARG_DIR], &(struct asked){.vendor = a->operand[0]}, &err) < 0) {
		json_decref(answer);
		return asked_fail("vendor holdings", &err);
	}
	if (a->value[ARG_JSON]) {
		ask_print(answer);
	} else {
		printf("%s has data of %lld people, in %lld events", ask_text(answer, "vendor"), ask_number(answer, "people"), ask_number(answer, "events"));
		printf(*ask_text(answer, "first") ? ", from %s to %s\n" : "\n", ask_text(answer, "first"), ask_text(answer, "last"));
		asked_print_counts(answer, "categories", "category", "People by category");
		asked_print_counts(answer, "fields", "path", "People by field");
	}
	json_decref(answer);
	return EXIT_DONE;
}

static int firewall(const struct command *self, const struct args *a)
{
	(void)self;
	return firewall_print(a->value[ARG_DIR], a->operand[0], a->value[ARG_JSON] != NULL);
}

enum { WHY = 1u << OPT_WHY };

static const struct word words[] = {
	{"list", 0, 0, "", 0, list}, {"show", 1, 1, "VENDOR", 0, show},
	{"suspend", 1, 1, "VENDOR", WHY, turn}, {"restrict", 1, 1, "VENDOR", WHY, turn}, {"quarantine", 1, 1, "VENDOR", WHY, turn},
	{"release", 1, 1, "VENDOR", WHY, turn}, {"offboard", 1, 1, "VENDOR", WHY, turn},
	{"holdings", 1, 1, "VENDOR", 0, holdings}, {"firewall", 1, 1, "VENDOR", 0, firewall},
};

static int run(const struct command *self, int argc, char **argv)
{
	return args_words(self, argc, argv, opts, sizeof opts / sizeof *opts, words, sizeof words / sizeof *words);
}

const struct command cmd_vendor = {
	"vendor", "show vendors, and cut them off",
	"usage: weir vendor list\n"
	"       weir vendor show VENDOR\n"
	"       weir vendor suspend|restrict|quarantine|release|offboard VENDOR --why TEXT\n"
	"       weir vendor holdings VENDOR\n"
	"       weir vendor firewall VENDOR\n"
	"       (each with [--dir FOLDER] [--json])\n"
	"\n"
	"  list        every vendor: life, flow, contract in force, newest applied, until when; and what the gate does with\n"
	"              its events now: passes, the reason for which it refuses them, unknown (it doesn't answer), stopped\n"
	"  show        one vendor, and what was decided about it, by whom and why\n"
	"  restrict    only what the contract's `restricted` block leaves; without one, nothing\n"
	"  suspend     nothing passes: SDKs get their final refusal, the queue is held\n"
	"  quarantine  as suspend; connections are reset and the courier drops the credential\n"
	"  release     takes back what a person asked for; what a rule or an incident asks stays\n"
	"  offboard    ends the contract: nothing passes until a version is approved anew\n"
	"  holdings    whose data, and which of it, the vendor has (weir blast asks in more detail)\n"
	"  firewall    what to let through and what to block, so that nothing goes around Weir\n"
	"\n"
	"The strictest of what a person, a rule and an incident ask holds.  While Weir runs, a switch returns once gate\n"
	"and courier obey; a cut-off made while it is stopped holds at the next start.\n"
	"\n"
	"Exit status: 0 done; 1 nothing of the vendor is approved; 2 wrong use, no such vendor; 3 signed, but gate or\n"
	"courier did not confirm in time, or own fault.\n",
	run,
};
