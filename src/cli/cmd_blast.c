/* `weir blast`: whose data a vendor has. */
#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/blast_svg.h"
#include "cli/bundle.h"
#include "cli/listing.h"
#include "cli/question.h"

enum { OPT_DIR, OPT_JSON, OPT_LIST, OPT_PROOF, OPT_KNOWN, OPT_SVG, OPT_CSV };

static const struct opt opts[] = {
	{"--dir", 0, true, OPT_DIR}, {"--json", 0, false, OPT_JSON}, {"--list", 0, false, OPT_LIST}, {"--proof", 0, true, OPT_PROOF},
	{"--known", 0, true, OPT_KNOWN}, {"--svg", 0, true, OPT_SVG}, {"--csv", 0, false, OPT_CSV}, QUESTION_OPTS,
};

static const char *const columns[] = {"subject", "person", "categories", "first", "last", NULL};

static const char *text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "";
}

static long long number(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

static void print(const json_t *a)
{
	printf("%s", text(a, "vendor"));
	if (*text(a, "since"))
		printf(", since %s (counted from %s, for what waited in a queue)", text(a, "since"), text(a, "since_effective"));
	printf(", until %s\n\n", text(a, "until"));
	printf("  %10lld  people\n", number(a, "people"));
	if (number(a, "identifiers") != number(a, "people"))
		printf("  %10lld  identifiers that they are known by\n", number(a, "identifiers"));
	printf("  %10lld  events\n", number(a, "events"));
	if (number(a, "attested_deleted"))
		printf("  %10lld  more, of whom the vendor attested to have deleted everything\n", number(a, "attested_deleted"));
	if (number(a, "erased"))
		printf("  %10lld  more were erased here%s\n", number(a, "erased"), number(a, "erased_unattested") ? ":" : "");
	if (number(a, "erased_unattested"))
		printf("  %10lld    of them without the vendor's word that it deleted what it got\n", number(a, "erased_unattested"));
	if (number(a, "events_undelivered"))
		printf("  %10lld  of the events still wait here, the vendor hasn't got them\n", number(a, "events_undelivered"));
	if (json_is_true(json_object_get(a, "over_approximate")))
		puts("\nThe vendor got more field-sets than are kept apart: some people are counted with fields they didn't have.");
	asked_print_counts(a, "categories", "category", "People by category");
	asked_print_counts(a, "fields", "path", "People by field");
	asked_print_counts(a, "jurisdictions", "code", "People by jurisdiction");
	asked_print_counts(a, "days", "day", "People by day");
	asked_print_counts(a, "measured", "day", "Of these by other ways (weir ledger record), by day");
}

static int list(const struct command *self, const struct asked *q, const char *dir, bool csv)
{
	struct listing out = {.csv = csv, .columns = columns};
	struct err err;
	json_t *answer, *row;
	size_t i, done = 0;
	for (json_int_t after = 0; after >= 0;) {
		json_t *request = asked_request(q, "blast-list");
		json_object_set_new(request, "after", json_integer(after));
		json_object_set_new(request, "limit", json_integer(20000));
		if (ask(dir, request, &answer, &err) < 0) {
			listing_progress_end();
			return asked_fail(self->name, &err);
		}
		json_array_foreach(json_object_get(answer, "rows"), i, row) listing_print(&out, row);
		listing_progress(done += i, 0);
		const json_t *next = json_object_get(answer, "next");
		after = next ? json_integer_value(next) : -1;
		json_decref(answer);
	}
	listing_progress_end();
	if (done == 0 && asked_is_known(dir, q, &err) < 0)
		return asked_fail(self->name, &err);
	listing_end(&out);
	return EXIT_DONE;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked q = {0};
	const char *dir = NULL, *proof = NULL, *known = NULL, *svg = NULL;
	bool json = false, each = false, csv = false;
	struct opt_state s;
	struct err err;
	json_t *answer;
	opt_init(&s, argc, argv);
	for (int k; (k = opt_next(&s, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		if (k == OPT_HELP)
			return cli_help(self);
		if (k == OPT_BAD)
			return EXIT_USE;
		if (k == OPT_OPERAND)
			return cli_wrong(self, "%s: a vendor is named with --vendor", s.value);
		if (k == OPT_DIR)
			dir = s.value;
		else if (k == OPT_PROOF)
			proof = s.value;
		else if (k == OPT_KNOWN)
			known = s.value;
		else if (k == OPT_SVG)
			svg = s.value;
		else if (!asked_take(&q, k, s.value))
			*(k == OPT_JSON ? &json : k == OPT_CSV ? &csv : &each) = true;
	}
	if (!q.vendor)
		return cli_wrong(self, "--vendor VENDOR is needed");
	if (each && (proof || svg))
		return cli_wrong(self, "--list and %s are two answers", proof ? "--proof" : "--svg");
	if (csv && !each)
		return cli_wrong(self, "--csv goes with --list");
	if (each)
		return list(self, &q, dir, csv);
	if (known && !proof)
		return cli_wrong(self, "--known is for --proof");
	json_t *request = asked_request(&q, "blast");
	if (proof && request)
		json_object_set_new(request, "proof", json_true());
	if (ask(dir, request, &answer, &err) < 0)
		return asked_fail(self->name, &err);
	if (asked_nobody(answer) && asked_is_known(dir, &q, &err) < 0) {
		json_decref(answer);
		return asked_fail(self->name, &err);
	}
	if (proof && bundle_make(dir, proof, known, answer, &err) < 0) {
		json_decref(answer);
		return cli_fail("blast --proof", &err);
	}
	if (svg && blast_svg_write(answer, svg, &err) < 0) {
		json_decref(answer);
		return cli_fail("blast --svg", &err);
	}
	if (json)
		ask_print(answer);
	else
		print(answer);
	json_decref(answer);
	return EXIT_DONE;
}

const struct command cmd_blast = {
	"blast", "whose data a vendor has",
	"usage: weir blast --vendor VENDOR [--since DAY] [--until DAY] [--category CATEGORY] [--field PATH]\n"
	"                  [--jurisdiction CODE] [--list [--csv]] [--proof FOLDER [--known FILE]] [--svg FILE]\n"
	"                  [--dir FOLDER] [--json]\n"
	"\n"
	"  --until DAY          everything up to that day, UTC, inclusive (today)\n"
	"  --since DAY          only what reached the vendor from that day on; counted from earlier, as far as something\n"
	"                       may have waited in a queue\n"
	"  --category CATEGORY  only people of whom that category went (user.contact holds user.contact.email)\n"
	"  --field PATH         only people of whom that field went (properties.items holds properties.items[].sku)\n"
	"  --jurisdiction CODE  only people of that country (ISO 3166), or `unknown`\n"
	"  --list               a line of JSON each: pseudonym, person, categories, first and last day\n"
	"  --csv                the list as a table\n"
	"  --proof FOLDER       also makes FOLDER with the answer and what others need to check it: entries of the\n"
	"                       transparency log and their proofs, contracts, how to verify with other tools (weir audit\n"
	"                       verify FOLDER).  --known: also that the log goes on from the checkpoint in FILE\n"
	"  --svg FILE           also draws people a day and by category, for a report\n"
	"\n"
	"What the vendor attested to have deleted isn't counted (weir ledger deleted).  The ledger may report too much,\n"
	"never too little.  `weir resolve` says who of your own list it is.\n"
	"\n"
	"Exit status: 0 done, also for nobody; 2 wrong use; 3 the ledger is damaged, own fault.\n",
	run,
};
