/* `weir assess`: what a vendor says about its security, what it shows for it, and what that comes to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assess/assess.h"
#include "base/clock.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "crypt/crypt.h"

enum { OPT_WHY = ARG_OWN, OPT_NOTE, OPT_EVIDENCE, OPT_UNTIL, OPT_STANDARD, OPT_OUT, EVIDENCE_BYTES = 256 << 20 };

static const struct opt opts[] = {
	ARGS_COMMON, {"--why", 0, true, OPT_WHY}, {"--note", 0, true, OPT_NOTE}, {"--evidence", 0, true, OPT_EVIDENCE},
	{"--valid-until", 0, true, OPT_UNTIL}, {"--standard", 0, true, OPT_STANDARD}, {"--output", 'o', true, OPT_OUT},
};

/* ---- evidence ------------------------------------------------------------------------------------------------------ */

/* {name, sha256, bytes}: the file itself stays where it is. */
static int digest_file(const char *path, json_t *e, struct err *err)
{
	struct buf b;
	uint8_t sha[32];
	char hex[65];
	const char *slash = strrchr(path, '/');
	buf_init(&b, 0);
	if (cli_read(path, EVIDENCE_BYTES, &b, err) < 0) {
		buf_release(&b);
		return -1;
	}
	crypt_sha256(b.data, b.len, sha);
	hex_encode(sha, 32, hex);
	json_object_set_new(e, "name", json_string(slash ? slash + 1 : path));
	json_object_set_new(e, "sha256", json_string(hex));
	json_object_set_new(e, "bytes", json_integer((json_int_t)b.len));
	buf_release(&b);
	return 0;
}

/* --valid-until belongs to the --evidence before it. */
static int until(const struct command *self, const char *day, json_t *evidence)
{
	json_t *last = json_array_get(evidence, json_array_size(evidence) - 1);
	int64_t at;
	if (!last || json_object_get(last, "valid_until"))
		return cli_wrong(self, "--valid-until DATE stands behind the --evidence FILE that it is about");
	if (strlen(day) != 10 || !clock_parse(day, 10, &at))
		return cli_wrong(self, "%s: --valid-until is a date such as 2027-01-31", day);
	json_object_set_new(last, "valid_until", json_string(day));
	return EXIT_DONE;
}

/* [{name, sha256, bytes, valid_until?}] of the options; the exit status. */
static int take_evidence(const struct command *self, const struct args *a, json_t *out)
{
	struct err err;
	int r = EXIT_DONE;
	for (size_t i = 0; i < a->given_len && r == EXIT_DONE; i++) {
		if (a->given[i].key == OPT_UNTIL)
			r = until(self, a->given[i].value, out);
		if (a->given[i].key != OPT_EVIDENCE)
			continue;
		json_t *e = json_object();
		json_array_append_new(out, e);
		if (digest_file(a->given[i].value, e, &err) < 0)
			r = cli_fail("assess answer", &err);
	}
	return r;
}

/* ---- printing ------------------------------------------------------------------------------------------------------ */

static void print_short(const json_t *a)
{
	printf("%s: %lld of 100 against %s", ask_text(a, "vendor"), ask_number(a, "score"), ask_text(a, "standard"));
	if (ask_number(a, "unanswered"))
		printf(", %lld controls unanswered", ask_number(a, "unanswered"));
	putchar('\n');
}

static void print_started(const json_t *a)
{
	printf("%s: an assessment against %s %s was started, %lld controls\n", ask_text(a, "vendor"), ask_text(a, "standard"), ask_text(a, "version"),
	       ask_number(a, "controls"));
}

static void halves(json_int_t n, char out[static 24])
{
	snprintf(out, 24, "%lld%s", (long long)(n / 2), n % 2 ? ".5" : "");
}

static void print_score(const json_t *a)
{
	char earned[24], of[24];
	halves(ask_number(a, "earned"), earned);
	halves(ask_number(a, "of"), of);
	print_short(a);
	printf("  %s of %s points; score = points x 100 / possible points, rounded down\n\n", earned, of);
	const json_t *list = json_object_get(a, "controls");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		halves(ask_number(c, "earned"), earned);
		halves(ask_number(c, "of"), of);
		printf("  %-4s %4s / %-4s %-32.32s %s%s\n", ask_text(c, "control"), earned, of, ask_text(c, "title"), ask_text(c, "why"),
		       json_is_true(json_object_get(c, "verified")) ? "" : " (id not verified)");
	}
}

static void print_show(const json_t *a)
{
	char day[11];
	print_score(a);
	const json_t *list = json_object_get(a, "controls"), *findings = json_object_get(a, "findings");
	puts("\nEvidence");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i), *es = json_object_get(c, "evidence");
		for (size_t k = 0; k < json_array_size(es); k++) {
			const json_t *e = json_array_get(es, k), *end = json_object_get(e, "valid_until");
			if (json_is_integer(end))
				clock_format_day(json_integer_value(end) - 86400, day);
			printf("  %-4s %-30s until %s  %s\n", ask_text(c, "control"), ask_text(e, "name"), json_is_integer(end) ? day : "-", ask_text(e, "sha256"));
		}
	}
	puts("\nFindings");
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);
		printf("  %-4s %-7s %s\n", ask_text(f, "control"), ask_text(f, "severity"), ask_text(f, "text"));
	}
	printf("\nThe standard: %s\n%s\n", ask_text(a, "source"), ask_text(a, "wording"));
}

static json_t *about(const struct args *a, json_t *request)
{
	if (a->value[OPT_STANDARD])
		json_object_set_new(request, "standard", json_string(a->value[OPT_STANDARD]));
	return request;
}

static int send(const struct args *a, const char *what, json_t *request, void (*print)(const json_t *a))
{
	return ask_show(what, a->value[ARG_DIR], a->value[ARG_JSON], about(a, request), print);
}

/* ---- words --------------------------------------------------------------------------------------------------------- */

static int start(const struct command *self, const struct args *a)
{
	const char *why = a->value[OPT_WHY];
	(void)self;
	return send(a, "assess start", json_pack("{s:s, s:s, s:s}", "do", "assess-start", "vendor", a->operand[0], "why", why ? why : ""),
		    print_started);
}

static int answer(const struct command *self, const struct args *a)
{
	json_t *evidence = json_array();
	int r = take_evidence(self, a, evidence);
	if (r == EXIT_DONE)
		r = send(a, "assess answer", json_pack("{s:s, s:s, s:s, s:s, s:s*, s:O*}", "do", "assess-answer", "vendor", a->operand[0],
						       "control", a->operand[1], "answer", a->operand[2], "note", a->value[OPT_NOTE],
						       "evidence", json_array_size(evidence) ? evidence : NULL),
			 print_short);
	json_decref(evidence);
	return r;
}

/* Evidence that has its digest is taken as it is; else the file lies beside the answer file. */
static int complete_evidence(const char *path, json_t *answers, struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t i, k;
	json_t *a, *e;
	json_array_foreach(answers, i, a) json_array_foreach(json_object_get(a, "evidence"), k, e) {
		const char *name = ask_text(e, "file");
		char *beside = slash && name[0] != '/' ? xasprintf("%.*s/%s", (int)(slash - path), path, name) : xstrdup(name);
		int r = 0;
		if (json_object_get(e, "sha256"))
			json_object_set_new(e, "name", json_string(name));
		else
			r = digest_file(beside, e, err);
		free(beside);
		if (r < 0)
			return -1;
		json_object_del(e, "file");
	}
	return 0;
}

static json_t *read_file(const char *path, int *status)
{
	struct buf b, out;
	struct err err;
	struct diags d;
	buf_init(&b, 0);
	*status = EXIT_DONE;
	if (cli_read(path, ASSESS_FILE_MAX, &b, &err) < 0) {
		*status = cli_fail(path, &err);
		buf_release(&b);
		return NULL;
	}
	diags_init(&d, path);
	buf_init(&out, 0);
	json_t *file = assess_file_read((const char *)b.data, b.len, &d);
	diags_print(&d, &out);
	if (out.len)
		fwrite(out.data, 1, out.len, stderr);
	if (!file)
		*status = EXIT_USE;
	else if (complete_evidence(path, json_object_get(file, "answers"), &err) < 0)
		*status = cli_fail(path, &err);
	buf_release(&out);
	buf_release(&b);
	diags_release(&d);
	return file;
}

static int import(const struct command *self, const struct args *a)
{
	int status;
	(void)self;
	json_t *file = read_file(a->operand[0], &status);
	if (status != EXIT_DONE) {
		json_decref(file);
		return status;
	}
	json_object_set_new(file, "do", json_string("assess-import"));
	return send(a, "assess import", file, print_short);
}

static int score(const struct command *self, const struct args *a)
{
	(void)self;
	return send(a, "assess score", json_pack("{s:s, s:s}", "do", "assess-show", "vendor", a->operand[0]), print_score);
}

static int show(const struct command *self, const struct args *a)
{
	(void)self;
	return send(a, "assess show", json_pack("{s:s, s:s}", "do", "assess-show", "vendor", a->operand[0]), print_show);
}

static int write_out(const char *path, const struct buf *b)
{
	FILE *f = path ? fopen(path, "wb") : stdout;
	bool ok = f && fwrite(b->data, 1, b->len, f) == b->len;
	if (f && f != stdout)
		ok &= fclose(f) == 0;
	if (ok)
		return EXIT_DONE;
	struct err err;
	err_sys(&err, "%s", path ? path : "standard output");
	return cli_fail("assess export", &err);
}

static int export(const struct command *self, const struct args *a)
{
	struct err err;
	struct buf b;
	json_t *answer, *q = json_pack("{s:s, s:s, s:b}", "do", "assess-show", "vendor", a->operand[0], "newest", 1);
	(void)self;
	if (ask(a->value[ARG_DIR], about(a, q), &answer, &err) < 0)
		return cli_fail("assess export", &err);
	buf_init(&b, 0);
	assess_file_write(answer, &b);
	int r = write_out(a->value[OPT_OUT], &b);
	buf_release(&b);
	json_decref(answer);
	return r;
}

enum { STANDARD = 1u << OPT_STANDARD };

static const struct word words[] = {
	{"start", 1, 1, "VENDOR", STANDARD | 1u << OPT_WHY, start},
	{"answer", 3, 3, "VENDOR CONTROL yes|partial|no|na", STANDARD | 1u << OPT_NOTE | 1u << OPT_EVIDENCE | 1u << OPT_UNTIL, answer},
	{"import", 1, 1, "FILE", STANDARD, import}, {"score", 1, 1, "VENDOR", STANDARD, score}, {"show", 1, 1, "VENDOR", STANDARD, show},
	{"export", 1, 1, "VENDOR", STANDARD | 1u << OPT_OUT, export},
};

static int run(const struct command *self, int argc, char **argv)
{
	return args_words(self, argc, argv, opts, sizeof opts / sizeof *opts, words, sizeof words / sizeof *words);
}

const struct command cmd_assess = {
	"assess", "a vendor's answers, evidence and score",
	"usage: weir assess start VENDOR [--why TEXT]\n"
	"       weir assess export VENDOR [-o FILE]\n"
	"       weir assess import FILE\n"
	"       weir assess answer VENDOR CONTROL yes|partial|no|na [--note TEXT] [--evidence FILE [--valid-until DATE]]...\n"
	"       weir assess score|show VENDOR\n"
	"       (each with [--standard mvsp] [--dir FOLDER] [--json])\n"
	"\n"
	"  start    begins an assessment; the one before it counts until the new one is answered whole\n"
	"  export   a file for the vendor to fill in, away from Weir\n"
	"  import   takes a filled file, all of it or nothing; evidence named in it lies beside it\n"
	"  answer   one answer; evidence is kept as name, size and SHA-256, with the last day on which it holds\n"
	"  score    0 to 100, with the reason of every point\n"
	"  show     the same, with evidence and findings\n"
	"\n"
	"What Weir sees itself (its probes of the vendor's hosts, the contract) overrides what was answered.\n"
	"\n"
	"Exit status: 0 done; 2 wrong use or input, no such vendor, never assessed; 3 own fault.\n",
	run,
};
