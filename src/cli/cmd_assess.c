/* `weir assess`: what a vendor says about its security, what it shows for it, and what that comes to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assess/assess.h"
#include "base/clock.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "crypt/crypt.h"

enum { OPT_DIR, OPT_JSON, OPT_WHY, OPT_NOTE, OPT_EVIDENCE, OPT_UNTIL, OPT_STANDARD, OPT_OUT, OPERANDS = 4, EVIDENCE_BYTES = 256 << 20 };

static const struct opt opts[] = {
	{"--dir", 0, true, OPT_DIR},   {"--json", 0, false, OPT_JSON},	     {"--why", 0, true, OPT_WHY},
	{"--note", 0, true, OPT_NOTE}, {"--evidence", 0, true, OPT_EVIDENCE}, {"--valid-until", 0, true, OPT_UNTIL},
	{"--standard", 0, true, OPT_STANDARD}, {"--output", 'o', true, OPT_OUT},
};

struct arguments {
	const char *dir, *why, *note, *standard, *out, *operands[OPERANDS];
	size_t n;
	json_t *evidence;	/* [{path, valid_until?}] */
	bool json;
};

/* --valid-until belongs to the --evidence before it. */
static int until(const struct command *self, struct arguments *a, const char *day)
{
	json_t *last = json_array_get(a->evidence, json_array_size(a->evidence) - 1);
	int64_t at;
	if (json_array_size(a->evidence) == 0 || json_object_get(last, "valid_until")) {
		cli_wrong(self, "--valid-until DATE stands behind the --evidence FILE that it is about");
		return OPT_BAD;
	}
	if (strlen(day) != 10 || !clock_parse(day, 10, &at)) {
		cli_wrong(self, "%s: --valid-until is a date such as 2027-01-31", day);
		return OPT_BAD;
	}
	json_object_set_new(last, "valid_until", json_string(day));
	return 0;
}

static int parse(const struct command *self, int argc, char **argv, struct arguments *a)
{
	struct opt_state s;
	opt_init(&s, argc, argv);
	const char **const texts[] = {[OPT_DIR] = &a->dir, [OPT_WHY] = &a->why, [OPT_NOTE] = &a->note, [OPT_STANDARD] = &a->standard, [OPT_OUT] = &a->out};
	for (int k; (k = opt_next(&s, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		if (k == OPT_HELP || k == OPT_BAD)
			return k;
		if (k == OPT_JSON)
			a->json = true;
		else if (k == OPT_EVIDENCE)
			json_array_append_new(a->evidence, json_pack("{s:s}", "path", s.value));
		else if (k == OPT_UNTIL) {
			if (until(self, a, s.value) < 0)
				return OPT_BAD;
		} else if (k != OPT_OPERAND)
			*texts[k] = s.value;
		else if (a->n < OPERANDS)
			a->operands[a->n++] = s.value;
		else {
			cli_wrong(self, "%s: too many words", s.value);
			return OPT_BAD;
		}
	}
	return 0;
}

static const char *text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "";
}

static long long number(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

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

/* [{path, valid_until?}] to [{name, sha256, bytes, valid_until?}] */
static int take_evidence(const json_t *given, json_t *out, struct err *err)
{
	for (size_t i = 0; i < json_array_size(given); i++) {
		const json_t *g = json_array_get(given, i), *day = json_object_get(g, "valid_until");
		json_t *e = json_object();
		json_array_append_new(out, e);
		if (digest_file(text(g, "path"), e, err) < 0)
			return -1;
		if (day)
			json_object_set(e, "valid_until", (json_t *)(uintptr_t)day);
	}
	return 0;
}

/* ---- printing ------------------------------------------------------------------------------------------------------ */

static void print_short(const json_t *a)
{
	printf("%s: %lld of 100 against %s", text(a, "vendor"), number(a, "score"), text(a, "standard"));
	if (number(a, "unanswered"))
		printf(", %lld controls unanswered", number(a, "unanswered"));
	putchar('\n');
}

static void print_started(const json_t *a)
{
	printf("%s: an assessment against %s %s was started, %lld controls\n", text(a, "vendor"), text(a, "standard"), text(a, "version"),
	       number(a, "controls"));
}

static void halves(json_int_t n, char out[static 24])
{
	snprintf(out, 24, "%lld%s", (long long)(n / 2), n % 2 ? ".5" : "");
}

static void print_score(const json_t *a)
{
	char earned[24], of[24];
	halves(number(a, "earned"), earned);
	halves(number(a, "of"), of);
	print_short(a);
	printf("  %s of %s points; score = points x 100 / possible points, rounded down\n\n", earned, of);
	const json_t *list = json_object_get(a, "controls");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		halves(number(c, "earned"), earned);
		halves(number(c, "of"), of);
		printf("  %-4s %4s / %-4s %-32.32s %s%s\n", text(c, "control"), earned, of, text(c, "title"), text(c, "why"),
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
			printf("  %-4s %-30s until %s  %s\n", text(c, "control"), text(e, "name"), json_is_integer(end) ? day : "-", text(e, "sha256"));
		}
	}
	puts("\nFindings");
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);
		printf("  %-4s %-7s %s\n", text(f, "control"), text(f, "severity"), text(f, "text"));
	}
	printf("\nThe standard: %s\n%s\n", text(a, "source"), text(a, "wording"));
}

static int send(const struct arguments *a, const char *what, json_t *request, void (*print)(const json_t *a))
{
	struct err err;
	json_t *answer;
	if (a->standard)
		json_object_set_new(request, "standard", json_string(a->standard));
	if (ask(a->dir, request, &answer, &err) < 0)
		return cli_fail(what, &err);
	if (a->json)
		ask_print(answer);
	else
		print(answer);
	json_decref(answer);
	return EXIT_DONE;
}

/* ---- words --------------------------------------------------------------------------------------------------------- */

static int start(const struct command *self, const struct arguments *a)
{
	(void)self;
	return send(a, "assess start", json_pack("{s:s, s:s, s:s}", "do", "assess-start", "vendor", a->operands[1], "why", a->why ? a->why : ""),
		    print_started);
}

static int answer(const struct command *self, const struct arguments *a)
{
	struct err err;
	if (a->n < 4)
		return cli_wrong(self, "answer takes VENDOR CONTROL and yes, partial, no or na");
	json_t *q = json_pack("{s:s, s:s, s:s, s:s}", "do", "assess-answer", "vendor", a->operands[1], "control", a->operands[2], "answer",
			      a->operands[3]);
	json_t *evidence = json_array();
	if (a->note)
		json_object_set_new(q, "note", json_string(a->note));
	int r = take_evidence(a->evidence, evidence, &err) < 0 ? cli_fail("assess answer", &err) : EXIT_DONE;
	if (json_array_size(evidence))
		json_object_set(q, "evidence", evidence);
	json_decref(evidence);
	if (r != EXIT_DONE) {
		json_decref(q);
		return r;
	}
	return send(a, "assess answer", q, print_short);
}

/* Evidence that has its digest is taken as it is; else the file lies beside the answer file. */
static int complete_evidence(const char *path, json_t *answers, struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t i, k;
	json_t *a, *e;
	json_array_foreach(answers, i, a) json_array_foreach(json_object_get(a, "evidence"), k, e) {
		const char *name = text(e, "file");
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

static int import(const struct command *self, const struct arguments *a)
{
	int status;
	if (a->n != 2)
		return cli_wrong(self, "import takes one answer file; it names its vendor");
	json_t *file = read_file(a->operands[1], &status);
	if (status != EXIT_DONE) {
		json_decref(file);
		return status;
	}
	json_object_set_new(file, "do", json_string("assess-import"));
	return send(a, "assess import", file, print_short);
}

static int score(const struct command *self, const struct arguments *a)
{
	(void)self;
	return send(a, "assess score", json_pack("{s:s, s:s}", "do", "assess-show", "vendor", a->operands[1]), print_score);
}

static int show(const struct command *self, const struct arguments *a)
{
	(void)self;
	return send(a, "assess show", json_pack("{s:s, s:s}", "do", "assess-show", "vendor", a->operands[1]), print_show);
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

static int export(const struct command *self, const struct arguments *a)
{
	struct err err;
	struct buf b;
	json_t *answer, *q = json_pack("{s:s, s:s, s:b}", "do", "assess-show", "vendor", a->operands[1], "newest", 1);
	(void)self;
	if (a->standard)
		json_object_set_new(q, "standard", json_string(a->standard));
	if (ask(a->dir, q, &answer, &err) < 0)
		return cli_fail("assess export", &err);
	buf_init(&b, 0);
	assess_file_write(answer, &b);
	int r = write_out(a->out, &b);
	buf_release(&b);
	json_decref(answer);
	return r;
}

static const struct {
	const char *word;
	int (*run)(const struct command *self, const struct arguments *a);
} words[] = {{"start", start}, {"answer", answer}, {"import", import}, {"score", score}, {"show", show}, {"export", export}};

static int dispatch(const struct command *self, const struct arguments *a)
{
	for (size_t i = 0; a->n && i < sizeof words / sizeof *words; i++) {
		if (strcmp(words[i].word, a->operands[0]) != 0)
			continue;
		if (a->n < 2)
			return cli_wrong(self, words[i].run == import ? "which answer file?" : "which vendor?");
		if (a->n > 2 && words[i].run != answer)
			return cli_wrong(self, "%s: one vendor at a time", a->operands[2]);
		return words[i].run(self, a);
	}
	return cli_wrong(self, "start, answer, import, score, show or export?");
}

static int run(const struct command *self, int argc, char **argv)
{
	struct arguments a = {.evidence = json_array()};
	int k = parse(self, argc, argv, &a);
	int r = k == OPT_HELP ? cli_help(self) : k == OPT_BAD ? EXIT_USE : dispatch(self, &a);
	json_decref(a.evidence);
	return r;
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
