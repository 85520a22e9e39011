/* The rules file; catalog/assurance.yaml says the format. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assurance/inside.h"
#include "base/arena.h"
#include "base/codes.h"
#include "base/yamldoc.h"

extern const char catalog_assurance[];

const char *assurance_builtin(void)
{
	return catalog_assurance;
}

static const char *const grades[] = {"A+", "A", "A-", "B+", "B", "B-", "C+", "C", "C-", "D+", "D", "D-", "F"};

int assurance_grade(struct span s)
{
	for (size_t i = 0; i < sizeof grades / sizeof *grades; i++)
		if (span_eq(s, grades[i]))
			return (int)i;
	return -1;
}

const char *assurance_grade_name(int place)
{
	return grades[place];
}

const struct condition_row condition_rows[CONDITIONS] = {
	[IF_ASSESSMENT] = {"assessment", TAKES_WORD, {"missing", "there"}},
	[IF_STANDARD] = {"standard", TAKES_NAME, {NULL}},
	[IF_SCORE_BELOW] = {"score-below", TAKES_SCORE, {NULL}},
	[IF_ASSESSMENT_OLDER] = {"assessment-older", TAKES_DURATION, {NULL}},
	[IF_EVIDENCE] = {"evidence", TAKES_WORD, {"expired", NULL}},
	[IF_CONTRACT] = {"contract", TAKES_WORD, {"expired", NULL}},
	[IF_CONTRACT_ENDS] = {"contract-ends-within", TAKES_DURATION, {NULL}},
	[IF_POSTURE] = {"posture", TAKES_WORD, {"missing", "there"}},
	[IF_POSTURE_BELOW] = {"posture-below", TAKES_GRADE, {NULL}},
	[IF_POSTURE_OLDER] = {"posture-older", TAKES_DURATION, {NULL}},
	[IF_INCIDENT] = {"incident", TAKES_WORD, {"open", NULL}},
	[IF_WAIVER] = {"waiver", TAKES_WORD, {"active", "ended"}},
};

struct reading {
	struct diags *d;
	struct assurance_rules *out;
	struct assurance_rule *rule;
};

#define WRONG(r, n, code, ...) diags_add((r)->d, DIAG_ERROR, (n)->line, (n)->col, CODE(code), __VA_ARGS__)

static bool word(struct reading *r, const struct ynode *v, const char *what)
{
	if (v->type != YN_SCALAR)
		WRONG(r, v, wrong_shape, "%s is one value", what);
	return v->type == YN_SCALAR;
}

/* ---- conditions ---------------------------------------------------------------------------------------------------- */

static bool read_value(struct reading *r, const struct ynode *v, const struct condition_row *c, int64_t *out)
{
	switch (c->takes) {
	case TAKES_WORD:
		for (int i = 0; i < 2 && c->words[i]; i++)
			if (span_eq(v->text, c->words[i])) {
				*out = i;
				return true;
			}
		WRONG(r, v, unknown_word, "%s is %s%s%s", c->name, c->words[0], c->words[1] ? " or " : "", c->words[1] ? c->words[1] : "");
		return false;
	case TAKES_NAME:
		if (!word_name(v->text)) {
			WRONG(r, v, bad_name, "a standard's name is 1 to 63 of a-z, 0-9 and -");
			return false;
		}
		snprintf(r->rule->standard, sizeof r->rule->standard, "%.*s", (int)v->text.len, v->text.at);
		return true;
	case TAKES_SCORE:
		if (v->quoted || !word_int(v->text, 1, 100, out))
			WRONG(r, v, bad_value, "%s is a whole number from 1 to 100", c->name);
		return true;
	case TAKES_DURATION:
		if (!duration_parse(v->text, out))
			WRONG(r, v, bad_duration, "%s is a duration such as P30D", c->name);
		return true;
	case TAKES_GRADE:
		*out = assurance_grade(v->text);
		if (*out < 0)
			WRONG(r, v, bad_value, "a grade is A+, A, A-, B+ and so on to D-, or F");
		return true;
	}
	return false;
}

static void k_if(void *ctx, const struct ynode *map)
{
	struct reading *r = ctx;
	const char *names[CONDITIONS];
	for (int i = 0; i < CONDITIONS; i++)
		names[i] = condition_rows[i].name;
	if (map->type != YN_MAP) {
		WRONG(r, map, wrong_shape, "if is a map of conditions");
		return;
	}
	for (const struct ynode *v = map->first; v; v = v->next) {
		int i = 0;
		while (i < CONDITIONS && !span_eq(v->key->text, names[i]))
			i++;
		if (i == CONDITIONS) {
			WRONG(r, v->key, unknown_key, "there is no such condition");
			const char *near = diag_nearest(v->key->text.at, v->key->text.len, names, CONDITIONS);
			if (near)
				diags_hint(r->d, "did you mean %s?", near);
		} else if (!v->bad && word(r, v, names[i]) && read_value(r, v, &condition_rows[i], &r->rule->value[i])) {
			r->rule->set |= 1U << i;
		}
	}
	if (!(r->rule->set & ~(1U << IF_STANDARD)) && !r->d->errors)
		WRONG(r, map, missing_key, "a rule without a condition would always hold");
}

/* ---- a rule -------------------------------------------------------------------------------------------------------- */

static void k_name(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	if (v->type != YN_SCALAR || !word_name(v->text) || strncmp(v->text.at, "requires-", 9) == 0) {
		WRONG(r, v, bad_name, "a rule's name is 1 to 63 of a-z, 0-9 and -, and doesn't begin with requires-");
		return;
	}
	for (size_t i = 0; i + 1 < r->out->n; i++)
		if (span_eq(v->text, r->out->v[i].name))
			WRONG(r, v, duplicate_value, "two rules have this name");
	snprintf(r->rule->name, sizeof r->rule->name, "%.*s", (int)v->text.len, v->text.at);
}

static void k_then(void *ctx, const struct ynode *v)
{
	static const char *const words[] = {"restrict", "suspend", "quarantine"};
	struct reading *r = ctx;
	for (int i = 0; v->type == YN_SCALAR && i < 3; i++)
		if (span_eq(v->text, words[i])) {
			r->rule->then = (enum flow)(i + 1);
			return;
		}
	WRONG(r, v, unknown_word, "then is restrict, suspend or quarantine");
}

static void k_grace(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	if (v->type != YN_SCALAR || !duration_parse(v->text, &r->rule->grace_s))
		WRONG(r, v, bad_duration, "grace is a duration such as P7D; leave it out for none");
}

static void k_waive(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	for (int i = 0; v->type == YN_SCALAR && i < REQUIREMENTS; i++)
		if (span_eq(v->text, requirement_names[i])) {
			r->rule->waive = i;
			return;
		}
	WRONG(r, v, unknown_word, "waive is assessment or posture; leave it out where nobody may");
}

static void k_why(void *ctx, const struct ynode *v)
{
	struct reading *r = ctx;
	bool plain = v->type == YN_SCALAR && v->text.len <= RULE_WHY_MAX;
	for (size_t i = 0; plain && i < v->text.len; i++)
		plain = (unsigned char)v->text.at[i] >= 32 && v->text.at[i] != 127;
	if (!plain)
		WRONG(r, v, bad_value, "why is one line of at most %d bytes", RULE_WHY_MAX);
	else
		snprintf(r->rule->why, sizeof r->rule->why, "%.*s", (int)v->text.len, v->text.at);
}

static const struct yaml_row rule_rows[] = {
	{"name", true, k_name}, {"if", true, k_if}, {"then", true, k_then}, {"grace", false, k_grace}, {"waive", false, k_waive},
	{"why", true, k_why},
};

static void k_rules(void *ctx, const struct ynode *list)
{
	struct reading *r = ctx;
	if (list->type != YN_LIST) {
		WRONG(r, list, wrong_shape, "rules is a list");
		return;
	}
	if (list->n > RULES_MAX) {
		WRONG(r, list, limit, "at most %d rules", RULES_MAX);
		return;
	}
	r->out->v = xcalloc(list->n + 1, sizeof *r->out->v);
	for (const struct ynode *v = list->first; v; v = v->next) {
		r->rule = &r->out->v[r->out->n++];
		r->rule->waive = -1;
		yaml_rows(v, "a rule", rule_rows, sizeof rule_rows / sizeof *rule_rows, r->d, r);
	}
}

static void k_weir(void *ctx, const struct ynode *v)
{
	if (v->type != YN_SCALAR || v->quoted || !span_eq(v->text, "1"))
		WRONG((struct reading *)ctx, v, format_version, "weir: must be 1");
}

static const struct yaml_row file_rows[] = {{"weir", true, k_weir}, {"rules", true, k_rules}};

int assurance_parse(const char *text, size_t n, struct assurance_rules *out, struct diags *d)
{
	struct arena a;
	struct reading r = {.d = d, .out = out};
	*out = (struct assurance_rules){0};
	arena_init(&a, 0);
	const struct ynode *tree = yaml_tree(text, n, &a, d);
	if (tree)
		yaml_rows(tree, "the file", file_rows, sizeof file_rows / sizeof *file_rows, d, &r);
	arena_release(&a);
	diags_sort(d);
	if (!d->errors)
		return 0;
	assurance_rules_release(out);
	return -1;
}

void assurance_rules_release(struct assurance_rules *rules)
{
	free(rules->v);
	*rules = (struct assurance_rules){0};
}
