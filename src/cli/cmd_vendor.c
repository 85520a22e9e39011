/* `weir vendor`: how vendors stand, and the switches of a person. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/diag.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/firewall.h"
#include "cli/question.h"

enum { OPT_DIR, OPT_JSON, OPT_WHY };

static const struct opt opts[] = {{"--dir", 0, true, OPT_DIR}, {"--json", 0, false, OPT_JSON}, {"--why", 0, true, OPT_WHY}};

struct arguments {
	const char *dir, *why, *word, *vendor;
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
		else if (k == OPT_WHY)
			a->why = s.value;
		else if (k == OPT_JSON)
			a->json = true;
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

/* ---- list, show ------------------------------------------------------------------------------------------------- */

static const char *text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "";
}

static long long number(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

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
	if (number(v, "version"))
		snprintf(version, sizeof version, "%lld", number(v, "version"));
	snprintf(newest, sizeof newest, "%lld", number(v, "newest"));
	printf("%-20s %-10s %-12s %8s %8s  %-20s  %s\n", text(v, "vendor"), text(v, "life"), text(v, "flow"), version, newest, at, text(v, "gate"));
}

static int list(const struct command *self, const struct arguments *a)
{
	struct err err;
	json_t *answer, *v;
	size_t i;
	if (a->vendor)
		return cli_wrong(self, "list takes no vendor; `weir vendor show %s` does", a->vendor);
	if (ask(a->dir, json_pack("{s:s}", "do", "vendors"), &answer, &err) < 0)
		return cli_fail("vendor list", &err);
	if (a->json) {
		ask_print(answer);
	} else {
		printf("%-20s %-10s %-12s %8s %8s  %-20s  %s\n", "VENDOR", "LIFE", "FLOW", "IN FORCE", "NEWEST", "UNTIL", "GATE NOW");
		json_array_foreach(json_object_get(answer, "vendors"), i, v) list_row(v);
	}
	json_decref(answer);
	return EXIT_DONE;
}

static void show_text(const json_t *answer)
{
	const json_t *v = json_object_get(answer, "vendor");
	char at[21];
	size_t i;
	json_t *e;
	const char *who;
	until(v, at);
	printf("%s (%s)\n", text(v, "vendor"), text(v, "name"));
	printf("  life      %s\n  flow      %s", text(v, "life"), text(v, "flow"));
	json_object_foreach(json_object_get(v, "asks"), who, e) if (strcmp(json_string_value(e), "open") != 0)
		printf(" (%s asks for %s)", who, json_string_value(e));
	printf("\n  contract  %lld in force, %lld the newest applied\n", number(v, "version"), number(v, "newest"));
	printf("  gate      %s\n", text(v, "gate"));
	printf("  plan      %lld\n  until     %s\n\n", number(v, "serial"), at);
	json_array_foreach(json_object_get(answer, "events"), i, e) {
		clock_format(number(e, "at"), at);
		printf("  %s  %-12s %-12s", at, text(e, "who"), text(e, "kind"));
		if (number(e, "version"))
			printf(" @%lld", number(e, "version"));
		printf("  %s\n", text(e, "why"));
	}
}

static int show(const struct command *self, const struct arguments *a)
{
	struct err err;
	json_t *answer;
	(void)self;
	if (ask(a->dir, json_pack("{s:s, s:s}", "do", "vendor", "vendor", a->vendor), &answer, &err) < 0)
		return cli_fail("vendor show", &err);
	if (a->json)
		ask_print(answer);
	else
		show_text(answer);
	json_decref(answer);
	return EXIT_DONE;
}

/* ---- switches --------------------------------------------------------------------------------------------------- */

static int turn(const struct command *self, const struct arguments *a)
{
	if (!a->why)
		return cli_wrong(self, "--why TEXT is needed: it is kept with the decision");
	return ask_decide(self, a->dir, json_pack("{s:s, s:s, s:s}", "do", a->word, "vendor", a->vendor, "why", a->why), a->json);
}

static int holdings(const struct command *self, const struct arguments *a)
{
	struct err err;
	json_t *answer;
	(void)self;
	if (ask(a->dir, json_pack("{s:s, s:s}", "do", "holdings", "vendor", a->vendor), &answer, &err) < 0)
		return asked_fail("vendor holdings", &err);
	if (a->json) {
		ask_print(answer);
	} else {
		printf("%s has data of %lld people, in %lld events", text(answer, "vendor"), number(answer, "people"), number(answer, "events"));
		printf(*text(answer, "first") ? ", from %s to %s\n" : "\n", text(answer, "first"), text(answer, "last"));
		asked_print_counts(answer, "categories", "category", "People by category");
		asked_print_counts(answer, "fields", "path", "People by field");
	}
	json_decref(answer);
	return EXIT_DONE;
}

static int firewall(const struct command *self, const struct arguments *a)
{
	(void)self;
	return firewall_print(a->dir, a->vendor, a->json);
}

static const struct {
	const char *word;
	int (*run)(const struct command *self, const struct arguments *a);
} words[] = {
	{"list", list},	      {"show", show},	    {"suspend", turn},	{"restrict", turn},
	{"quarantine", turn}, {"release", turn}, {"offboard", turn}, {"firewall", firewall}, {"holdings", holdings},
};
enum { WORDS = sizeof words / sizeof *words };

static int unknown(const struct command *self, const char *word)
{
	const char *names[WORDS];
	for (size_t i = 0; i < WORDS; i++)
		names[i] = words[i].word;
	const char *near = diag_nearest(word, strlen(word), names, WORDS);
	return cli_wrong(self, "%s: no such word%s%s%s", word, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int run(const struct command *self, int argc, char **argv)
{
	struct arguments a = {0};
	int k = parse(self, argc, argv, &a);
	if (k)
		return k == OPT_HELP ? cli_help(self) : EXIT_USE;
	if (!a.word)
		return cli_wrong(self, "list, show, suspend, restrict, quarantine, release, offboard, holdings or firewall?");
	for (size_t i = 0; i < WORDS; i++) {
		if (strcmp(words[i].word, a.word) != 0)
			continue;
		if (!a.vendor && words[i].run != list)
			return cli_wrong(self, "which vendor?");
		return words[i].run(self, &a);
	}
	return unknown(self, a.word);
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
