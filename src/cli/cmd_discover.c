/* `weir discover`: what flows, and what began to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "shape/form.h"

enum { OPT_VENDOR = ARG_OWN, OPT_SINCE };

static const struct opt opts[] = {ARGS_COMMON, {"--vendor", 0, true, OPT_VENDOR}, {"--since", 0, true, OPT_SINCE}};

/* ---- a line ------------------------------------------------------------------------------------------------------- */

/* 1204 as "1,204". */
static const char *grouped(long long n, char out[static 32])
{
	char plain[32];
	size_t len = (size_t)snprintf(plain, sizeof plain, "%lld", n), at = 0;
	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = plain[i];
	}
	out[at] = 0;
	return out;
}

static const char *weekday(const char *day)
{
	static const char *const names[] = {"Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"};
	int64_t at = 0;
	return clock_parse(day, strlen(day), &at) ? names[at / 86400 % 7] : "";
}

static void print_share(const json_t *v, const char *what)
{
	char of[32];
	double share = 100 * json_real_value(json_object_get(v, "share"));
	if (share > 0 && share < 0.1)
		printf("under 0.1");
	else
		printf("%.1f", share);
	printf(" %% of %s %s", grouped(ask_number(v, "total"), of), what);
}

static void print_events(const json_t *v)
{
	json_t *name;
	size_t i;
	json_array_foreach(json_object_get(v, "events"), i, name)
		printf("%s%s", i ? ", " : " (", json_string_value(name));
	if (json_array_size(json_object_get(v, "events")))
		printf(")");
}

/* What a new member is like. */
static void print_shape(const json_t *v)
{
	struct shape_counts c;
	const char *between = ": ";
	if (!shape_from_json(json_object_get(v, "counts"), &c))
		return;
	for (int i = 0; i < SHAPE_TYPES; i++)
		if (c.types[i]) {
			printf("%s%s", between, shape_type_names[i]);
			between = " or ";
		}
	uint64_t values = c.types[SHAPE_TEXT] + c.types[SHAPE_NUMBER];
	for (int i = LOOK_UUID; i <= LOOK_PROSE; i++)
		if (i != LOOK_WORD && values && c.looks[i] * 10 >= values * 8)
			printf(", looks like %s", shape_look_words[i]);
}

/* By what a report says: words before and behind the day; %s is `of` in words. */
static const struct {
	const char *what, *before, *behind;
} sentences[] = {
	{"new", "is new since", "objects"}, {"carries", "began to carry %s on", "values"}, {"type", "began to be %s on", "values"},
	{"looks", "began to look like %s on", "values"}, {"many", "began to have many different values on", "objects"},
	{"vanished", "has not come since", "objects"},
};

static const char *in_words(const char *what, const char *of)
{
	if (strcmp(what, "carries") == 0)
		return shape_found_words(of);
	for (int i = 0; strcmp(what, "looks") == 0 && i < SHAPE_LOOKS; i++)
		if (strcmp(shape_look_names[i], of) == 0)
			return shape_look_words[i];
	return of;
}

static void print_line(const json_t *v)
{
	const char *what = ask_text(v, "what"), *day = ask_text(v, "day"), *kind = ask_text(v, "kind"), *category = ask_text(v, "category");
	size_t i = 0;
	while (strcmp(sentences[i].what, what) != 0)
		if (++i == sizeof sentences / sizeof *sentences)
			return;
	bool event = strcmp(kind, "event") == 0, gone = strcmp(what, "vanished") == 0;
	printf("%s: %s%s%s%s ", ask_text(v, "vendor"), ask_text(v, "path"), event ? "" : " (", event ? "" : kind, event ? "" : ")");
	const char *rest = strstr(sentences[i].before, "%s");
	if (rest)
		printf("%.*s%s%s", (int)(rest - sentences[i].before), sentences[i].before, in_words(what, ask_text(v, "of")), rest + 2);
	else
		printf("%s", sentences[i].before);
	printf(" %s %s, from source %s, ", weekday(day), day, ask_text(v, "source"));
	if (gone)
		printf("it was in ");
	print_share(v, strcmp(sentences[i].behind, "values") == 0 ? "values" : event ? "events" : "updates");
	if (gone)
		printf(" before");
	print_events(v);
	if (strcmp(what, "new") == 0)
		print_shape(v);
	printf("%s%s\n", *category ? "; " : "", category);
}

/* ---- drift -------------------------------------------------------------------------------------------------------- */

static int drift(const struct command *self, const struct args *a)
{
	json_t *answer, *v, *list;
	struct err err;
	size_t i;
	(void)self;
	json_t *request = json_pack("{s:s}", "do", "drift");
	if (a->value[OPT_VENDOR])
		json_object_set_new(request, "vendor", json_string(a->value[OPT_VENDOR]));
	if (a->value[OPT_SINCE])
		json_object_set_new(request, "since", json_string(a->value[OPT_SINCE]));
	if (ask(a->value[ARG_DIR], request, &answer, &err) < 0)
		return cli_fail("discover drift", &err);
	list = json_object_get(answer, "drift");
	bool any = json_array_size(list) > 0;
	if (a->value[ARG_JSON]) {
		ask_print(answer);
	} else {
		json_array_foreach(list, i, v)
			print_line(v);
		if (!any)
			printf("nothing began or ended from %s to %s\n", ask_text(answer, "since"), ask_text(answer, "until"));
	}
	json_decref(answer);
	return any ? EXIT_NO : EXIT_DONE;
}

static const struct word words[] = {{"drift", 0, 0, "", 1u << OPT_VENDOR | 1u << OPT_SINCE, drift}};

static int run(const struct command *self, int argc, char **argv)
{
	return args_words(self, argc, argv, opts, sizeof opts / sizeof *opts, words, sizeof words / sizeof *words);
}

const struct command cmd_discover = {
	"discover", "what began to flow that didn't before",
	"usage: weir discover drift [--vendor V] [--since DAY]\n"
	"       (with [--dir FOLDER] [--json])\n"
	"\n"
	"  drift   members of events and profiles that are new, that began to carry personal data or secrets, to be of another\n"
	"          type or look, or that come no more; by source, with the day and the share of events or values\n"
	"\n"
	"  --vendor V      of one vendor; else of all\n"
	"  --since DAY     what began on that day (YYYY-MM-DD, UTC) or later; else in the last seven days\n"
	"\n"
	"The gate counts which members senders' events have and what their values are like, also of what no contract names:\n"
	"types, lengths, what the detectors find, looks; never a value.  In `mode: learn` it looks at every event, else at a\n"
	"sample.  What is compared with is the days before; a source's first day begins nothing.  Shapes are kept for\n"
	"limits.learned days.\n"
	"\n"
	"Exit status: 0 nothing began or ended; 1 something did; 2 wrong use; 3 own fault.\n",
	run,
};
