/* `weir posture`: what a host shows to everyone, judged by rules. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "posture/report.h"
#include "prober/prober.h"

enum { OPT_PATH = ARG_OWN, OPT_PROFILE, OPT_CA, OPT_HTTP_PORT, CA_MAX = 4 << 20 };

static const struct opt opts[] = {
	ARGS_COMMON, {"--path", 0, true, OPT_PATH}, {"--profile", 0, true, OPT_PROFILE}, {"--ca", 0, true, OPT_CA},
	{"--http-port", 0, true, OPT_HTTP_PORT},
};

static void print_json(json_t *j)
{
	char *line = json_dumps(j, JSON_COMPACT);
	puts(line);
	free(line);
}

static void print_report(const json_t *report)
{
	struct buf b;
	buf_init(&b, 0);
	posture_report_print(report, cli_colour(STDOUT_FILENO), &b);
	cli_write_all(STDOUT_FILENO, b.data, b.len);
	buf_release(&b);
}

/* ---- check: without a folder ------------------------------------------------------------------------------------ */

static int target(const struct command *self, const struct args *a, struct probe_target *t)
{
	const char *path = a->value[OPT_PATH], *profile = a->value[OPT_PROFILE], *port = a->value[OPT_HTTP_PORT];
	struct err err;
	char *end;
	if (probe_target_parse(a->operand[0], t, &err) < 0)
		return cli_wrong(self, "%s: %s", a->operand[0], err.msg);
	if (path && (path[0] != '/' || strlen(path) > PROBE_PATH_MAX))
		return cli_wrong(self, "--path begins with / and has at most %d bytes", PROBE_PATH_MAX);
	if (path)
		strcpy(t->path, path);
	t->profile = PROFILE_WEB;
	if (profile && strcmp(profile, posture_profile_names[PROFILE_API]) == 0)
		t->profile = PROFILE_API;
	else if (profile && strcmp(profile, posture_profile_names[PROFILE_WEB]) != 0)
		return cli_wrong(self, "--profile is web or api");
	if (port) {
		unsigned long n = strtoul(port, &end, 10);
		if (*end || n == 0 || n > 65535)
			return cli_wrong(self, "--http-port is a port");
		t->http_port = (unsigned)n;
	}
	return EXIT_DONE;
}

/* 1 when something failed, or nothing could be seen. */
static int exit_of(const json_t *report)
{
	size_t i;
	json_t *f;
	if (!json_is_string(json_object_get(report, "grade")))
		return EXIT_NO;
	json_array_foreach(json_object_get(report, "results"), i, f)
		if (strcmp(json_string_value(json_object_get(f, "verdict")), "fail") == 0)
			return EXIT_NO;
	return EXIT_DONE;
}

static int check(const struct command *self, const struct args *a)
{
	struct probe_target t;
	struct probe_roots *roots = NULL;
	struct probe p;
	struct err err;
	struct buf ca;
	int rc = target(self, a, &t);
	if (rc != EXIT_DONE)
		return rc;
	buf_init(&ca, 0);
	if (clock_init(getenv("WEIR_NOW"), true, &err) < 0 || probe_init(&err) < 0 || (a->value[OPT_CA] && cli_read(a->value[OPT_CA], CA_MAX, &ca, &err) < 0) ||
	    probe_roots_load(a->value[OPT_CA] ? (const char *)ca.data : NULL, &roots, &err) < 0) {
		buf_release(&ca);
		return cli_fail("posture check", &err);
	}
	probe_run(&t, roots, clock_now(), &p);
	json_t *report = probe_report(&t, &p);
	if (a->value[ARG_JSON])
		print_json(report);
	else
		print_report(report);
	rc = exit_of(report);
	json_decref(report);
	probe_release(&p);
	probe_roots_free(&roots);
	buf_release(&ca);
	return rc;
}

static int rules(const struct command *self, const struct args *a)
{
	struct buf b;
	(void)self;
	if (a->value[ARG_JSON]) {
		json_t *j = posture_rules_json();
		print_json(j);
		json_decref(j);
		return EXIT_DONE;
	}
	buf_init(&b, 0);
	posture_rules_print(&b);
	cli_write_all(STDOUT_FILENO, b.data, b.len);
	buf_release(&b);
	return EXIT_DONE;
}

/* ---- of a folder's vendors -------------------------------------------------------------------------------------- */

static void print_answer(const json_t *answer)
{
	print_report(json_object_get(answer, "report"));
}

static const char *cell(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "-";
}

static void print_list(const json_t *answer)
{
	size_t i;
	json_t *v;
	printf("%-20s %-6s %5s %8s  %-20s %s\n", "VENDOR", "GRADE", "SCORE", "ANSWERED", "AT", "HOST");
	json_array_foreach(json_object_get(answer, "vendors"), i, v) {
		const json_t *score = json_object_get(v, "score");
		printf("%-20s %-6s ", cell(v, "vendor"), cell(v, "grade"));
		if (json_is_integer(score))
			printf("%5lld %7lld%%", (long long)json_integer_value(score), (long long)json_integer_value(json_object_get(v, "coverage")));
		else
			printf("%5s %8s", "-", "-");
		printf("  %-20s %s\n", cell(v, "at"), cell(v, "host"));
	}
}

static int ask_about(const struct args *a, const char *word, void (*print)(const json_t *answer))
{
	return ask_show("posture", a->value[ARG_DIR], a->value[ARG_JSON], json_pack("{s:s, s:s*}", "do", word, "vendor", a->operand[0]),
			print);
}

static int run(const struct command *self, const struct args *a)
{
	(void)self;
	return ask_about(a, "posture-run", print_answer);
}

static int show(const struct command *self, const struct args *a)
{
	(void)self;
	return ask_about(a, "posture-show", print_answer);
}

static int list(const struct command *self, const struct args *a)
{
	(void)self;
	return ask_about(a, "posture-list", print_list);
}

static const struct word words[] = {
	{"check", 1, 1, "HOST", 1u << OPT_PATH | 1u << OPT_PROFILE | 1u << OPT_CA | 1u << OPT_HTTP_PORT, check},
	{"run", 1, 1, "VENDOR", 0, run}, {"list", 0, 0, "", 0, list}, {"show", 1, 1, "VENDOR", 0, show}, {"rules", 0, 0, "", 0, rules},
};

static int run_posture(const struct command *self, int argc, char **argv)
{
	return args_words(self, argc, argv, opts, sizeof opts / sizeof *opts, words, sizeof words / sizeof *words);
}

const struct command cmd_posture = {
	"posture", "check what a host shows: TLS, certificate, headers, security.txt",
	"usage: weir posture check HOST[:PORT]|URL [--path P] [--profile web|api] [--ca FILE] [--http-port N]\n"
	"       weir posture run VENDOR\n"
	"       weir posture list\n"
	"       weir posture show VENDOR\n"
	"       weir posture rules\n"
	"\n"
	"  check     probes a host now and prints every rule's verdict and points; needs no folder\n"
	"  run       has the running Weir probe the host that receives this vendor's data, and keeps the result\n"
	"  list      every vendor's newest grade\n"
	"  show      a vendor's newest result, rule by rule\n"
	"  rules     the table of rules, outcomes and points\n"
	"\n"
	"  --path P         the page to look at {/}\n"
	"  --profile P      web: pages people look at {default of check}; api: hosts that receive data by machines\n"
	"  --ca FILE        trust these certificates (PEM) too\n"
	"  --http-port N    where redirection to https is looked for {80}\n"
	"  --dir FOLDER     of run, list and show\n"
	"  --json           one JSON object\n"
	"\n"
	"Weir probes approved vendors' https hosts by itself, every posture.hours (weir.yaml).\n"
	"\n"
	"exit: 0 done; 1 check: a rule failed or nothing could be observed; 2 wrong use; 3 own fault\n",
	run_posture,
};
