/*
 * The answer file: what a vendor fills in away from Weir, and sends back.
 *
 *   weir_assessment: 1
 *   vendor: mixpanel
 *   standard: mvsp
 *   version: v3.0-20231109
 *   answers:
 *     "1.1": {answer: yes, note: "...", evidence: [{file: report.pdf, valid_until: 2027-01-31}]}
 *
 * answer: yes, partial, no, na (needs a note) or unanswered.  YAML or JSON: one reader.
 */
#include <string.h>

#include "assess/assess.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/codes.h"
#include "base/yamldoc.h"

const char *const answer_names[ANSWERS] = {
	[ANSWER_YES] = "yes", [ANSWER_PARTIAL] = "partial", [ANSWER_NO] = "no", [ANSWER_NA] = "na",
};

struct reading {
	struct diags *d;
	const json_t *questionnaire;
	json_t *out;		/* the whole */
	json_t *answer;		/* under way */
	json_t *evidence;	/* under way */
};

#define WRONG(r, n, code, ...) diags_add((r)->d, DIAG_ERROR, (n)->line, (n)->col, CODE(code), __VA_ARGS__)

/* A line or paragraph for people: no control characters but line ends. */
static bool scalar(struct reading *r, const struct ynode *v, const char *what, size_t max, bool empty)
{
	if (v->type != YN_SCALAR) {
		WRONG(r, v, wrong_shape, "%s is one value", what);
		return false;
	}
	if ((v->text.len == 0 && !empty) || v->text.len > max) {
		WRONG(r, v, bad_value, "%s has 1 to %zu bytes", what, max);
		return false;
	}
	for (size_t i = 0; i < v->text.len; i++)
		if (((unsigned char)v->text.at[i] < 32 && !strchr("\n\t", v->text.at[i])) || v->text.at[i] == 127) {
			WRONG(r, v, bad_value, "%s holds a control character", what);
			return false;
		}
	return true;
}

static void put(json_t *o, const char *name, struct span s)
{
	json_object_set_new(o, name, json_stringn(s.at, s.len));
}

/* ---- evidence ------------------------------------------------------------------------------------------------------ */

static void k_file(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	if (scalar(r, v, "file", ASSESS_NAME_MAX, false))
		put(r->evidence, "file", v->text);
}

static void k_sha256(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	uint8_t digest[32];
	if (v->type != YN_SCALAR || !hex_decode(v->text.at, v->text.len, digest, 32))
		WRONG(r, v, bad_value, "sha256 has 64 hex digits");
	else
		put(r->evidence, "sha256", v->text);
}

static void k_valid_until(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	int64_t at;
	if (v->type != YN_SCALAR || v->text.len != 10 || !clock_parse(v->text.at, 10, &at))
		WRONG(r, v, bad_date, "valid_until is a date such as 2027-01-31");
	else
		put(r->evidence, "valid_until", v->text);
}

static const struct yaml_row evidence_rows[] = {
	{"file", true, k_file}, {"sha256", false, k_sha256}, {"valid_until", false, k_valid_until},
};

static void k_evidence(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	json_t *list = json_array();
	json_object_set_new(r->answer, "evidence", list);
	if (v->type != YN_LIST && !(v->type == YN_SCALAR && v->text.len == 0)) {
		WRONG(r, v, wrong_shape, "evidence is a list of {file, valid_until}");
		return;
	}
	if (v->n > ASSESS_EVIDENCE_MAX) {
		WRONG(r, v, limit, "at most %d pieces of evidence an answer", ASSESS_EVIDENCE_MAX);
		return;
	}
	for (const struct ynode *e = v->first; e; e = e->next) {
		r->evidence = json_object();
		json_array_append_new(list, r->evidence);
		yaml_rows(e, "a piece of evidence", evidence_rows, sizeof evidence_rows / sizeof *evidence_rows, r->d, r);
	}
}

/* ---- answers ------------------------------------------------------------------------------------------------------- */

static void k_answer(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	for (int i = 0; v->type == YN_SCALAR && i < ANSWERS; i++)
		if (span_eq(v->text, answer_names[i])) {
			json_object_set_new(r->answer, "answer", json_string(answer_names[i]));
			return;
		}
	if (v->type != YN_SCALAR || !span_eq(v->text, "unanswered"))
		WRONG(r, v, unknown_word, "an answer is yes, partial, no, na or unanswered");
}

static void k_note(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	if (scalar(r, v, "note", ASSESS_NOTE_MAX, true))
		put(r->answer, "note", v->text);
}

/* What `export` wrote for the reader; it isn't read back. */
static void k_ignored(void *ctx, const struct ynode *v)
{
	(void)ctx;
	(void)v;
}

static const struct yaml_row answer_rows[] = {
	{"answer", true, k_answer}, {"note", false, k_note}, {"evidence", false, k_evidence},
	{"title", false, k_ignored}, {"question", false, k_ignored},
};

static void control(struct reading *r, const struct ynode *v)
{
	json_t *list = json_object_get(r->out, "answers");
	struct span id = v->key->text;
	if (r->questionnaire && !questionnaire_control(r->questionnaire, id.at)) {
		WRONG(r, v->key, unknown_key, "the standard has no such control");
		return;
	}
	r->answer = json_object();
	put(r->answer, "control", id);
	yaml_rows(v, "an answer", answer_rows, sizeof answer_rows / sizeof *answer_rows, r->d, r);
	const char *answer = json_string_value(json_object_get(r->answer, "answer"));
	if (answer && strcmp(answer, "na") == 0 && json_string_length(json_object_get(r->answer, "note")) == 0)
		WRONG(r, v, missing_key, "`na` needs a note that says why");
	if (answer)
		json_array_append(list, r->answer);
	json_decref(r->answer);
	r->answer = NULL;
}

static void k_answers(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	json_object_set_new(r->out, "answers", json_array());
	if (v->type != YN_MAP) {
		WRONG(r, v, wrong_shape, "answers is a map of controls");
		return;
	}
	for (const struct ynode *c = v->first; c; c = c->next)
		if (!c->bad)
			control(r, c);
}

/* ---- the file ------------------------------------------------------------------------------------------------------ */

static void k_format(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	if (v->type != YN_SCALAR || v->quoted || !span_eq(v->text, "1"))
		WRONG(r, v, format_version, "weir_assessment: must be 1");
}

static void k_vendor(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	if (v->type != YN_SCALAR || !word_name(v->text))
		WRONG(r, v, bad_name, "a vendor's name is 1 to 63 of a-z, 0-9 and -");
	else
		put(r->out, "vendor", v->text);
}

static void k_standard(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	if (v->type == YN_SCALAR && v->text.len)
		r->questionnaire = questionnaire_find(v->text.at);
	if (r->questionnaire)
		put(r->out, "standard", v->text);
	else
		WRONG(r, v, unknown_word, "Weir knows no standard of this name (it knows: mvsp)");
}

static void k_version(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	const char *known = json_string_value(json_object_get(r->questionnaire, "version"));
	if (v->type != YN_SCALAR || (known && !span_eq(v->text, known)))
		WRONG(r, v, bad_value, "these answers are to another version; this Weir asks for %s", known ? known : "one it knows");
	else
		put(r->out, "version", v->text);
}

static void k_free(void *ctx, const struct ynode *v)
{
	(void)scalar(ctx, v, "answered_by", ASSESS_NAME_MAX, true);
}

static const struct yaml_row file_rows[] = {
	{"weir_assessment", true, k_format}, {"vendor", true, k_vendor}, {"standard", true, k_standard},
	{"version", true, k_version}, {"answered_by", false, k_free}, {"answers", true, k_answers},
};

json_t *assess_file_read(const char *text, size_t n, struct diags *d)
{
	struct arena a;
	struct reading r = {.d = d, .out = json_object()};
	arena_init(&a, 0);
	const struct ynode *tree = yaml_tree(text, n, &a, d);
	if (tree)
		yaml_rows(tree, "the file", file_rows, sizeof file_rows / sizeof *file_rows, d, &r);
	arena_release(&a);
	diags_sort(d);
	if (d->errors) {
		json_decref(r.out);
		return NULL;
	}
	return r.out;
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static const char *member(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

/* JSON's strings are YAML's double-quoted ones. */
static void line(struct buf *out, const char *indent, const char *name, const char *value)
{
	buf_addf(out, "%s%s: ", indent, name);
	buf_add_json(out, value, strlen(value));
	buf_addc(out, '\n');
}

static void write_evidence(const json_t *list, struct buf *out)
{
	buf_addf(out, "    evidence:%s\n", json_array_size(list) ? "" : " []");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *e = json_array_get(list, i), *end = json_object_get(e, "valid_until");
		buf_adds(out, "      - file: ");
		buf_add_json(out, member(e, "name"), strlen(member(e, "name")));
		buf_addf(out, "\n        sha256: %s\n", member(e, "sha256"));
		if (json_is_integer(end)) {
			char day[11];
			clock_format_day(json_integer_value(end) - 86400, day);
			buf_addf(out, "        valid_until: %s\n", day);
		}
	}
}

void assess_file_write(const json_t *shown, struct buf *out)
{
	const json_t *list = json_object_get(shown, "controls");
	buf_addf(out,
		 "# %s %s, for %s.  The standard: %s\n"
		 "# Answer each with yes, partial, no or na (na needs a note), and send the file back.\n"
		 "# Evidence: files that you send along, each with the last day it holds: [{file: report.pdf, valid_until: 2027-01-31}]\n"
		 "weir_assessment: 1\nvendor: %s\nstandard: %s\nversion: %s\nanswered_by: \"\"\nanswers:\n",
		 member(shown, "title"), member(shown, "version"), member(shown, "vendor"), member(shown, "source"), member(shown, "vendor"),
		 member(shown, "standard"), member(shown, "version"));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		buf_addf(out, "\n  \"%s\":\n", member(c, "control"));
		line(out, "    ", "title", member(c, "title"));
		line(out, "    ", "question", member(c, "question"));
		buf_addf(out, "    answer: %s\n", member(c, "said"));
		line(out, "    ", "note", member(c, "note"));
		write_evidence(json_object_get(c, "evidence"), out);
	}
}
