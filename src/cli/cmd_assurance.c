/* `weir assurance`: the rules that move a vendor's flow, and what they make of one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assurance/assurance.h"
#include "base/clock.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "config/config.h"

enum { RULES_FILE_MAX = 1 << 20 };

static const struct opt opts[] = {ARGS_COMMON};

/* ---- list, explain ------------------------------------------------------------------------------------------------- */

static void print_list(const json_t *answer)
{
	const json_t *list = json_object_get(answer, "rules");
	printf("%s, SHA-256 %s\n", ask_text(answer, "source"), ask_text(answer, "sha256"));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *r = json_array_get(list, i);
		printf("\n%s\n  if     %s\n  then   %s", ask_text(r, "rule"), ask_text(r, "if"), ask_text(r, "then"));
		if (json_integer_value(json_object_get(r, "grace_s")))
			printf(", after %lld s", (long long)json_integer_value(json_object_get(r, "grace_s")));
		printf("\n  waive  %s\n  why    %s\n", *ask_text(r, "waive") ? ask_text(r, "waive") : "nobody may", ask_text(r, "why"));
	}
}

static void print_moment(const char *label, const json_t *r, const char *name)
{
	char at[21];
	const json_t *v = json_object_get(r, name);
	if (!json_is_integer(v))
		return;
	clock_format(json_integer_value(v), at);
	printf("%s%s", label, at);
}

static void print_rule(const json_t *r)
{
	bool holds = json_is_true(json_object_get(r, "holds")), acts = json_is_true(json_object_get(r, "acts"));
	const char *how = acts ? "ACTS" : json_is_integer(json_object_get(r, "waived_until")) ? "waived" : holds ? "in grace" : "quiet";
	printf("  %-9s %-22s -> %s", how, ask_text(r, "rule"), ask_text(r, "then"));
	if (holds)
		printf(": %s", ask_text(r, "found"));
	print_moment("; since ", r, "since");
	if (holds && !acts)
		print_moment("; acts from ", r, "acts_at");
	print_moment("; waived until ", r, "waived_until");
	putchar('\n');
}

static void print_explain(const json_t *answer)
{
	const json_t *asks = json_object_get(answer, "asks"), *list = json_object_get(answer, "rules");
	printf("%s@%lld is %s, flow %s\n", ask_text(answer, "vendor"), (long long)json_integer_value(json_object_get(answer, "version")),
	       ask_text(answer, "life"), ask_text(answer, "flow"));
	printf("  a person asks for %s, rules for %s, incidents for %s: the strictest holds\n", ask_text(asks, "person"), ask_text(asks, "rule"),
	       ask_text(asks, "incident"));
	print_moment("  nothing passes from ", answer, "not_after");
	puts(json_is_integer(json_object_get(answer, "not_after")) ? " on\n" : "");
	for (size_t i = 0; i < json_array_size(list); i++)
		print_rule(json_array_get(list, i));
}

static int list(const struct command *self, const struct args *a)
{
	(void)self;
	return ask_show("assurance list", a->value[ARG_DIR], a->value[ARG_JSON], json_pack("{s:s}", "do", "assurance-list"), print_list);
}

static int explain(const struct command *self, const struct args *a)
{
	(void)self;
	return ask_show("assurance explain", a->value[ARG_DIR], a->value[ARG_JSON],
			json_pack("{s:s, s:s}", "do", "assurance-explain", "vendor", a->operand[0]), print_explain);
}

/* ---- check, load --------------------------------------------------------------------------------------------------- */

/* 0 sound, else the exit status (wrong: there are mistakes); the text stays in b. */
static int read_rules(const char *path, int wrong, struct buf *b)
{
	struct err err;
	struct diags d;
	struct buf out;
	struct assurance_rules rules;
	buf_init(b, 0);
	if (cli_read(path, RULES_FILE_MAX, b, &err) < 0)
		return cli_fail(path, &err);
	diags_init(&d, path);
	buf_init(&out, 0);
	int r = assurance_parse((const char *)b->data, b->len, &rules, &d) == 0 ? EXIT_DONE : wrong;
	if (r == wrong && d.n == 1 && strcmp(d.v[0].code, "utf8") == 0)	/* no text is wrong input, as for contract check */
		r = EXIT_USE;
	diags_print(&d, &out);
	if (out.len)
		fwrite(out.data, 1, out.len, stderr);
	if (r == EXIT_DONE)
		assurance_rules_release(&rules);
	buf_release(&out);
	diags_release(&d);
	return r;
}

static int check(const struct command *self, const struct args *a)
{
	struct buf b;
	(void)self;
	int r = read_rules(a->operand[0], EXIT_NO, &b);
	buf_release(&b);
	if (r == EXIT_DONE && !a->value[ARG_JSON])
		printf("%s: sound\n", a->operand[0]);
	return r;
}

/* Of the folder, and no other file. */
static int load(const struct command *self, const struct args *a)
{
	struct err err;
	struct buf b;
	char *dir = NULL;
	(void)self;
	if (folder_find(a->value[ARG_DIR], &dir, &err) < 0)
		return cli_fail("assurance load", &err);
	char *path = xasprintf("%s/assurance.yaml", dir);
	bool there = access(path, F_OK) == 0;
	int r = EXIT_DONE;
	buf_init(&b, 0);
	if (there)
		r = read_rules(path, EXIT_USE, &b);
	if (r == EXIT_DONE) {
		json_t *request = json_pack("{s:s, s:o}", "do", "assurance-load", "text",
					    there ? json_stringn((const char *)b.data, b.len) : json_null());
		r = ask_show("assurance load", dir, a->value[ARG_JSON], request, print_list);
	}
	buf_release(&b);
	free(path);
	free(dir);
	return r;
}

static const struct word words[] = {
	{"list", 0, 0, "", 0, list}, {"explain", 1, 1, "VENDOR", 0, explain}, {"check", 1, 1, "FILE", 0, check}, {"load", 0, 0, "", 0, load},
};

static int run(const struct command *self, int argc, char **argv)
{
	return args_words(self, argc, argv, opts, sizeof opts / sizeof *opts, words, sizeof words / sizeof *words);
}

const struct command cmd_assurance = {
	"assurance", "the rules that move a vendor's flow",
	"usage: weir assurance explain VENDOR\n"
	"       weir assurance list\n"
	"       weir assurance check FILE\n"
	"       weir assurance load\n"
	"       (each with [--dir FOLDER] [--json])\n"
	"\n"
	"  explain  every rule over one vendor: whether it holds, since when, whether it acts, and until when it is waived\n"
	"  list     the rules in force: the built in ones, or those of the folder's assurance.yaml\n"
	"  check    names every mistake of a rules file\n"
	"  load     makes the folder's assurance.yaml hold now (without one: the built in rules); so does the next start\n"
	"\n"
	"Rules are looked at behind every change and once a second.  What a contract asks for under `requires` is rules, too.\n"
	"A waiver is taken at an approval: weir approve VENDOR@VERSION --waive assessment --until DATE --why TEXT.\n"
	"\n"
	"Exit status: 0 done; 1 check found mistakes; 2 wrong use or input, no such vendor; 3 own fault.\n",
	run,
};
