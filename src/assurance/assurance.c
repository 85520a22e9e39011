/* Evaluating the rules, what they move, and their words. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assurance/inside.h"
#include "base/clock.h"
#include "store/store.h"

/* ---- which rules hold ---------------------------------------------------------------------------------------------- */

static int in_one(struct registry *r, int so_far, struct err *err)
{
	struct err second;
	int end = store_end(registry_store(r), so_far == 0, so_far == 0 ? err : &second);
	return so_far < 0 ? so_far : end;
}

static void digest_of(const char *text, size_t n, char hex[static 65])
{
	uint8_t sha[32];
	crypt_sha256(text, n, sha);
	hex_encode(sha, 32, hex);
}

/* The text in force (owned by the caller); built in where none was loaded. */
static int text_in_force(struct registry *r, char **text, bool *own, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err, "SELECT text FROM assurance_rules WHERE id = 1", "");
	if (got == 0)
		got = rows_next(&rows, err);
	*own = got == 1;
	if (got >= 0)
		*text = xstrdup(got == 1 ? rows_text(&rows, 0) : assurance_builtin());
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

/* Parsed once a text.  Borrowed until the next call; the registry's thread. */
static int rules_in_force(struct registry *r, const struct assurance_rules **out, char hex[static 65], bool *own, struct err *err)
{
	static struct assurance_rules parsed;
	static char of[65];
	char *text;
	if (text_in_force(r, &text, own, err) < 0)
		return -1;
	digest_of(text, strlen(text), hex);
	int rc = 0;
	if (strcmp(of, hex) != 0) {
		struct diags d;
		struct assurance_rules now;
		diags_init(&d, "assurance.yaml");
		if (assurance_parse(text, strlen(text), &now, &d) == 0) {
			assurance_rules_release(&parsed);
			parsed = now;
			memcpy(of, hex, sizeof of);
		} else {
			rc = err_set(err, ERR_CORRUPT, "the rules in the registry don't read");
		}
		diags_release(&d);
	}
	free(text);
	*out = &parsed;
	return rc;
}

static int store_rules(struct registry *r, const char *text, const char *hex, bool builtin, const char *who, int64_t at, struct err *err)
{
	int rc = builtin ? store_run(registry_store(r), err, "DELETE FROM assurance_rules", "")
			 : store_run(registry_store(r), err, "INSERT OR REPLACE INTO assurance_rules (id, text, sha256, at) VALUES (1, ?, ?, ?)",
				     "ssi", text, hex, at);
	if (rc < 0)
		return -1;
	return registry_note(r, "", "assurance-rules", who, builtin ? "the built in rules" : "the folder's assurance.yaml", at,
			     json_pack("{s:s}", "sha256", hex), NULL, err);
}

int assurance_use(struct registry *r, const char *text, size_t n, const char *who, int64_t at, struct diags *d, struct err *err)
{
	struct assurance_rules rules;
	char *now, hex[65], before[65];
	bool own;
	const char *wanted = text ? text : assurance_builtin();
	size_t len = text ? n : strlen(wanted);
	if (assurance_parse(wanted, len, &rules, d) < 0)
		return err_set(err, ERR_INPUT, "assurance.yaml has mistakes; the rules before it stay");
	assurance_rules_release(&rules);
	if (text_in_force(r, &now, &own, err) < 0)
		return -1;
	digest_of(wanted, len, hex);
	digest_of(now, strlen(now), before);
	free(now);
	if (strcmp(hex, before) == 0)
		return 0;
	char *copy = xstrndup(wanted, len);
	int rc = store_begin(registry_store(r), err);
	if (rc == 0)
		rc = in_one(r, store_rules(r, copy, hex, text == NULL, who, at, err), err);
	free(copy);
	return rc;
}

/* ---- one vendor ---------------------------------------------------------------------------------------------------- */

struct ruling {
	const struct assurance_rule *rule;
	bool holds, acts;
	int64_t since, acts_at, waived_until;	/* 0: none */
	char found[RULE_WHY_MAX];
};
struct rulings {
	struct ruling *v;
	size_t n;
	enum flow flow;
	char why[RULE_WHY_MAX + 80];	/* of the strictest */
	struct assurance_rules required;
	char sha256[65];
	bool own;
};

static void rulings_release(struct rulings *v)
{
	free(v->v);
	assurance_rules_release(&v->required);
	*v = (struct rulings){0};
}

static int since_of(struct registry *r, const char *vendor, const char *rule, int64_t *since, struct err *err)
{
	struct rows rows;
	*since = 0;
	int got = store_rows(registry_store(r), &rows, err, "SELECT since FROM assurance_state WHERE vendor = ? AND rule = ?", "ss", vendor, rule);
	if (got == 0)
		got = rows_next(&rows, err);
	if (got == 1)
		*since = rows_int(&rows, 0);
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static int judge(struct facts *f, const struct assurance_rule *rule, struct rulings *out, struct err *err)
{
	struct ruling *v = &out->v[out->n++];
	*v = (struct ruling){.rule = rule};
	int got = facts_hold(f, rule, v->found, err);
	if (got < 0 || since_of(f->r, f->vendor, rule->name, &v->since, err) < 0)
		return -1;
	v->holds = got == 1;
	if (!v->holds)
		return 0;
	v->acts_at = (v->since ? v->since : f->at) + rule->grace_s;
	if (rule->waive >= 0 && f->waived_until[rule->waive] > f->at)
		v->waived_until = f->waived_until[rule->waive];
	v->acts = v->acts_at <= f->at && !v->waived_until;
	if (v->acts && rule->then > out->flow) {
		out->flow = rule->then;
		snprintf(out->why, sizeof out->why, "%s: %s", rule->name, v->found);
	}
	return 0;
}

static int evaluate(struct facts *f, struct rulings *out, struct err *err)
{
	const struct assurance_rules *rules;
	*out = (struct rulings){0};
	if (rules_in_force(f->r, &rules, out->sha256, &out->own, err) < 0)
		return -1;
	requires_rules(f->contract, &out->required);
	out->v = xcalloc(rules->n + out->required.n + 1, sizeof *out->v);
	int rc = 0;
	for (size_t i = 0; i < out->required.n && rc == 0; i++)
		rc = judge(f, &out->required.v[i], out, err);
	for (size_t i = 0; i < rules->n && rc == 0; i++)
		rc = judge(f, &rules->v[i], out, err);
	if (rc < 0)
		rulings_release(out);
	return rc;
}

int assurance_would(struct registry *r, const char *vendor, const struct contract *c, unsigned waive, int64_t at,
		    struct assurance_would *out, struct err *err)
{
	struct facts f;
	struct rulings v;
	*out = (struct assurance_would){.met = (1U << REQUIREMENTS) - 1};
	if (facts_gather(r, vendor, c, at, &f, err) < 0)
		return -1;
	for (int q = 0; q < REQUIREMENTS; q++)	/* the newest approval's waivers are the only ones: this one's */
		f.waived_until[q] = waive & 1U << q ? INT64_MAX : 0;
	if (evaluate(&f, &v, err) < 0)
		return -1;
	out->flow = v.flow;
	for (size_t i = 0; i < v.n; i++) {
		const struct ruling *x = &v.v[i];
		if (!x->holds || x->rule->waive < 0)
			continue;
		out->waivable |= 1U << x->rule->waive;
		if (i >= v.required.n || !(out->met & 1U << x->rule->waive))
			continue;
		out->met &= ~(1U << x->rule->waive);
		memcpy(out->unmet[x->rule->waive], x->found, sizeof x->found);
	}
	rulings_release(&v);
	return 0;
}

/* ---- what follows -------------------------------------------------------------------------------------------------- */

/* A rule begins to hold, or has ceased to: noted once, so that grace counts from there. */
static int note_state(struct facts *f, const struct ruling *v, struct err *err)
{
	struct registry *r = f->r;
	if (v->holds == (v->since != 0))
		return 0;
	if (store_begin(registry_store(r), err) < 0)
		return -1;
	int rc = v->holds ? store_run(registry_store(r), err, "INSERT INTO assurance_state (vendor, rule, since, why) VALUES (?,?,?,?)", "ssis", f->vendor,
				      v->rule->name, f->at, v->found)
			  : store_run(registry_store(r), err, "DELETE FROM assurance_state WHERE vendor = ? AND rule = ?", "ss", f->vendor, v->rule->name);
	if (rc == 0)
		rc = registry_note(r, f->vendor, v->holds ? "rule-holds" : "rule-over", "rule", v->holds ? v->found : "", f->at,
				   json_pack("{s:s}", "rule", v->rule->name), NULL, err);
	return in_one(r, rc, err);
}

/* Rules that a changed contract or file no longer has. */
static int forget_others(struct facts *f, const struct rulings *v, struct err *err)
{
	struct rows rows;
	json_t *gone = json_array();
	int got = store_rows(registry_store(f->r), &rows, err, "SELECT rule FROM assurance_state WHERE vendor = ?", "s", f->vendor);
	while (got >= 0 && (got = rows_next(&rows, err)) == 1) {
		bool known = false;
		for (size_t i = 0; i < v->n; i++)
			known |= strcmp(v->v[i].rule->name, rows_text(&rows, 0)) == 0;
		if (!known)
			json_array_append_new(gone, json_string(rows_text(&rows, 0)));
	}
	rows_end(&rows);
	int rc = got < 0 ? -1 : 0;
	for (size_t i = 0; i < json_array_size(gone) && rc == 0; i++)
		rc = store_run(registry_store(f->r), err, "DELETE FROM assurance_state WHERE vendor = ? AND rule = ?", "ss", f->vendor,
			       json_string_value(json_array_get(gone, i)));
	json_decref(gone);
	return rc;
}

static int look_at(struct registry *r, const char *vendor, enum flow asked, int64_t at, struct err *err)
{
	struct contract *c;
	struct facts f;
	struct rulings v = {0};
	if (assess_contract(r, vendor, &c, err) < 0)
		return -1;
	int rc = facts_gather(r, vendor, c, at, &f, err);
	if (rc == 0)
		rc = evaluate(&f, &v, err);
	for (size_t i = 0; rc == 0 && i < v.n; i++)
		rc = note_state(&f, &v.v[i], err);
	if (rc == 0)
		rc = forget_others(&f, &v, err);
	if (rc == 0 && v.flow != asked)
		rc = registry_ask(r, vendor, ASK_RULE, v.flow, v.flow == FLOW_OPEN ? "no rule acts any more" : v.why, at, err);
	rulings_release(&v);
	contract_free(&c);
	return rc;
}

static bool add_approved(void *arg, const struct registry_vendor *v)
{
	if (v->life == LIFE_APPROVED)
		json_array_append_new(arg, json_pack("{s:s, s:i}", "vendor", v->vendor, "asked", (int)v->asks[ASK_RULE]));
	return true;
}

/* Every vendor is looked at, also behind one that can't be: its error is the answer. */
static int tick(struct registry *r, int64_t at, struct err *err)
{
	json_t *list = json_array();
	int rc = registry_vendors(r, add_approved, list, err);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);
		struct err one;
		if (look_at(r, json_string_value(json_object_get(v, "vendor")), (enum flow)json_integer_value(json_object_get(v, "asked")), at,
			    &one) < 0 && rc == 0) {
			*err = one;
			rc = -1;
		}
	}
	json_decref(list);
	return rc;
}

const struct registry_tick assurance_tick = {"assurance", tick};

/* ---- words --------------------------------------------------------------------------------------------------------- */

static json_t *if_text(const struct assurance_rule *rule)
{
	struct buf b;
	buf_init(&b, 0);
	for (int c = 0; c < CONDITIONS; c++) {
		const struct condition_row *row = &condition_rows[c];
		if (!(rule->set & 1U << c))
			continue;
		buf_addf(&b, "%s%s: ", b.len ? ", " : "", row->name);
		switch (row->takes) {
		case TAKES_WORD:
			buf_adds(&b, row->words[rule->value[c]]);
			break;
		case TAKES_NAME:
			buf_adds(&b, rule->standard);
			break;
		case TAKES_SCORE:
			buf_addf(&b, "%" PRId64, rule->value[c]);
			break;
		case TAKES_DURATION:
			buf_addf(&b, "PT%" PRId64 "S", rule->value[c]);
			break;
		case TAKES_GRADE:
			buf_addf(&b, "%s", assurance_grade_name((int)rule->value[c]));
			break;
		}
	}
	json_t *j = json_stringn((const char *)b.data, b.len);
	buf_release(&b);
	return j;
}

static json_t *rule_json(const struct assurance_rule *rule)
{
	return json_pack("{s:s, s:o, s:s, s:I, s:s*, s:s}", "rule", rule->name, "if", if_text(rule), "then", flow_names[rule->then], "grace_s",
			 (json_int_t)rule->grace_s, "waive", rule->waive < 0 ? NULL : requirement_names[rule->waive], "why", rule->why);
}

static int do_list(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const struct assurance_rules *rules;
	char hex[65];
	bool own;
	(void)request;
	(void)who;
	(void)at;
	if (rules_in_force(r, &rules, hex, &own, err) < 0)
		return -1;
	json_t *list = json_array();
	for (size_t i = 0; i < rules->n; i++)
		json_array_append_new(list, rule_json(&rules->v[i]));
	json_object_set_new(answer, "source", json_string(own ? "assurance.yaml" : "built in"));
	json_object_set_new(answer, "sha256", json_string(hex));
	json_object_set_new(answer, "rules", list);
	return 0;
}

static json_t *moment(int64_t at)
{
	return at ? json_integer(at) : json_null();
}

static json_t *ruling_json(const struct ruling *v)
{
	json_t *j = rule_json(v->rule);
	json_object_set_new(j, "holds", json_boolean(v->holds));
	json_object_set_new(j, "acts", json_boolean(v->acts));
	json_object_set_new(j, "since", moment(v->holds ? v->since : 0));
	json_object_set_new(j, "acts_at", moment(v->acts_at));
	json_object_set_new(j, "waived_until", moment(v->waived_until));
	json_object_set_new(j, "found", json_string(v->holds ? v->found : ""));
	return j;
}

static int explain(struct registry *r, const struct registry_vendor *vendor, int64_t at, json_t *answer, struct err *err)
{
	struct contract *c;
	struct facts f;
	struct rulings v = {0};
	if (assess_contract(r, vendor->vendor, &c, err) < 0)
		return -1;
	int rc = facts_gather(r, vendor->vendor, c, at, &f, err);
	if (rc == 0)
		rc = evaluate(&f, &v, err);
	if (rc == 0) {
		json_t *list = json_array(), *asks = json_object();
		for (size_t i = 0; i < v.n; i++)
			json_array_append_new(list, ruling_json(&v.v[i]));
		for (int i = 0; i < ASKERS; i++)
			json_object_set_new(asks, asker_names[i], json_string(flow_names[vendor->asks[i]]));
		json_object_set_new(answer, "vendor", json_string(vendor->vendor));
		json_object_set_new(answer, "life", json_string(life_names[vendor->life]));
		json_object_set_new(answer, "version", json_integer(c->version));
		json_object_set_new(answer, "flow", json_string(flow_names[registry_flow(vendor)]));
		json_object_set_new(answer, "asks", asks);
		json_object_set_new(answer, "not_after", vendor->not_after == INT64_MAX ? json_null() : json_integer(vendor->not_after));
		json_object_set_new(answer, "at", json_integer(at));
		json_object_set_new(answer, "rules", list);
	}
	rulings_release(&v);
	contract_free(&c);
	return rc;
}

static int do_explain(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *name = json_string_value(json_object_get(request, "vendor"));
	struct registry_vendor v;
	(void)who;
	if (!name)
		return err_set(err, ERR_INPUT, "which vendor?");
	if (registry_vendor(r, name, &v, err) < 0)
		return -1;
	int rc = explain(r, &v, at, answer, err);
	registry_vendor_release(&v);
	return rc;
}

static int do_load(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const json_t *text = json_object_get(request, "text");
	struct diags d;
	if (!json_is_string(text) && !json_is_null(text))
		return err_set(err, ERR_INPUT, "the rules' text is missing");
	diags_init(&d, "assurance.yaml");
	int rc = assurance_use(r, json_string_value(text), json_string_length(text), who, at, &d, err);
	diags_release(&d);
	return rc < 0 ? -1 : do_list(r, request, who, at, answer, err);
}

const struct registry_word assurance_words[] = {
	{"assurance-list", do_list}, {"assurance-explain", do_explain}, {"assurance-load", do_load}, {NULL, NULL},
};
