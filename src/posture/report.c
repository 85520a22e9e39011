#include "posture/report.h"

#include "base/clock.h"

static json_t *finding(const struct posture_finding *f)
{
	const struct posture_outcome *o = f->outcome;
	return json_pack("{s:s, s:i, s:s, s:s, s:s?, s:o, s:b, s:s?, s:s}", "rule", f->rule->id, "version", (int)f->rule->version, "source",
			 f->rule->source, "verdict", posture_verdict_names[f->verdict], "outcome", o ? o->name : NULL, "points",
			 o ? json_integer(f->points) : json_null(), "counted", f->counted, "says", o ? o->says : NULL, "evidence", f->evidence);
}

static json_t *protocols(const struct posture_tls *t)
{
	json_t *o = json_object();
	for (enum tls_version v = 0; v < TLS_VERSIONS; v++)
		json_object_set_new(o, tls_version_names[v], t->versions[v] == NOT_TRIED ? json_null() : json_boolean(t->versions[v] == TRY_ACCEPTED));
	return o;
}

json_t *posture_report_json(const char *target, const struct posture_capture *c, const struct posture_report *r)
{
	json_t *results = json_array(), *observatory = json_null();
	char at[21];
	clock_format(c->at, at);
	for (size_t i = 0; i < r->findings_len; i++)
		json_array_append_new(results, finding(&r->findings[i]));
	if (r->observatory_score >= 0)
		observatory = json_pack("{s:i, s:i, s:s}", "version", 6, "score", r->observatory_score, "grade", posture_grade(r->observatory_score));
	return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:o, s:i, s:o, s:o, s:o}", "target", target, "profile", posture_profile_names[c->profile], "at", at,
			 "pack", POSTURE_PACK, "grade", r->grade, "score", r->grade ? json_integer(r->score) : json_null(), "coverage", (int)r->coverage,
			 "observatory", observatory, "protocols", protocols(&c->tls), "results", results);
}

/* ---- and back --------------------------------------------------------------------------------------------------- */

static int read_finding(const json_t *j, enum posture_profile profile, struct posture_report *out, struct err *err)
{
	const char *rule = json_string_value(json_object_get(j, "rule")), *outcome = json_string_value(json_object_get(j, "outcome")),
		   *evidence = json_string_value(json_object_get(j, "evidence"));
	const struct posture_rule *r = posture_rules;
	while (r->id && (!rule || strcmp(r->id, rule) != 0))
		r++;
	if (!r->id || r->outcomes[0].points[profile] == NA || out->findings_len == POSTURE_RULES_MAX)
		return err_set(err, ERR_INPUT, "no such rule in this profile");
	for (size_t i = 0; i < out->findings_len; i++)
		if (out->findings[i].rule == r)
			return err_set(err, ERR_INPUT, "%s: twice", r->id);
	struct posture_finding *f = &out->findings[out->findings_len++];
	*f = (struct posture_finding){.rule = r};
	const struct posture_outcome *o = r->outcomes;
	while (outcome && o->name && strcmp(o->name, outcome) != 0)
		o++;
	if (outcome && !o->name)
		return err_set(err, ERR_INPUT, "%s: no such outcome", r->id);
	f->outcome = outcome ? o : NULL;
	posture_evidence(f, "%s", evidence ? evidence : "");
	return 0;
}

int posture_report_read(const json_t *report, enum posture_profile *profile, struct posture_report *out, struct err *err)
{
	const json_t *results = json_object_get(report, "results");
	const char *p = json_string_value(json_object_get(report, "profile"));
	*out = (struct posture_report){0};
	if (!p || !json_is_array(results))
		return err_set(err, ERR_INPUT, "not a posture report");
	*profile = strcmp(p, posture_profile_names[PROFILE_WEB]) == 0 ? PROFILE_WEB : PROFILE_API;
	for (size_t i = 0; i < json_array_size(results); i++)
		if (read_finding(json_array_get(results, i), *profile, out, err) < 0)
			return -1;
	if (out->findings_len == 0)
		return err_set(err, ERR_INPUT, "a report without results");
	posture_total(out, *profile);
	return 0;
}

/* ---- for people ------------------------------------------------------------------------------------------------- */

static const char *text(const json_t *o, const char *name, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s && *s ? s : otherwise;
}

static const char *colour_of(const char *verdict)
{
	return strcmp(verdict, "pass") == 0 ? "32" : strcmp(verdict, "warn") == 0 ? "33" : strcmp(verdict, "fail") == 0 ? "31" : "2";
}

static void print_result(const json_t *f, bool colour, struct buf *out)
{
	const char *verdict = text(f, "verdict", "unknown");
	const json_t *points = json_object_get(f, "points");
	if (colour)
		buf_addf(out, "\033[%sm", colour_of(verdict));
	buf_addf(out, "%-8s", verdict);
	if (colour)
		buf_adds(out, "\033[0m");
	if (json_is_integer(points))
		buf_addf(out, "%+5lld%s ", (long long)json_integer_value(points), json_integer_value(points) > 0 && json_is_false(json_object_get(f, "counted")) ? "*" : " ");
	else
		buf_adds(out, "    -  ");
	buf_addf(out, "%-30s %s", text(f, "rule", ""), text(f, "says", "could not be observed"));
	if (*text(f, "evidence", ""))
		buf_addf(out, "\n%47s%s", "", text(f, "evidence", ""));
	buf_addc(out, '\n');
}

void posture_report_print(const json_t *r, bool colour, struct buf *out)
{
	size_t i;
	json_t *f;
	bool idle = false;
	buf_addf(out, "%s  profile %s, rules %s, %s\n\n", text(r, "target", ""), text(r, "profile", ""), text(r, "pack", ""), text(r, "at", ""));
	json_array_foreach(json_object_get(r, "results"), i, f) {
		print_result(f, colour, out);
		idle |= json_integer_value(json_object_get(f, "points")) > 0 && json_is_false(json_object_get(f, "counted"));
	}
	if (idle)
		buf_adds(out, "\n* a bonus counts only when the penalties leave 90 or more\n");
	const json_t *grade = json_object_get(r, "grade"), *o = json_object_get(r, "observatory");
	if (json_is_string(grade))
		buf_addf(out, "\ngrade %s, score %lld of 100", json_string_value(grade), (long long)json_integer_value(json_object_get(r, "score")));
	else
		buf_adds(out, "\nno grade: nothing could be observed");
	buf_addf(out, ", %lld %% of the rules answered", (long long)json_integer_value(json_object_get(r, "coverage")));
	if (json_is_object(o))
		buf_addf(out, "; MDN Observatory's part: %s, %lld", text(o, "grade", ""), (long long)json_integer_value(json_object_get(o, "score")));
	buf_addc(out, '\n');
}

/* ---- the table -------------------------------------------------------------------------------------------------- */

static json_t *points(int p)
{
	return p == NA ? json_null() : json_integer(p);
}

json_t *posture_rules_json(void)
{
	json_t *rules = json_array();
	for (const struct posture_rule *r = posture_rules; r->id; r++) {
		json_t *outcomes = json_array();
		for (const struct posture_outcome *o = r->outcomes; o->name; o++)
			json_array_append_new(outcomes, json_pack("{s:s, s:o, s:o, s:s}", "outcome", o->name, "web", points(o->points[PROFILE_WEB]), "api",
								  points(o->points[PROFILE_API]), "says", o->says));
		json_array_append_new(rules, json_pack("{s:s, s:i, s:s, s:s, s:o}", "rule", r->id, "version", (int)r->version, "source", r->source, "title",
						       r->title, "outcomes", outcomes));
	}
	return json_pack("{s:s, s:o}", "pack", POSTURE_PACK, "rules", rules);
}

static void print_points(int p, struct buf *out)
{
	if (p == NA)
		buf_adds(out, "     -");
	else
		buf_addf(out, "%+6d", p);
}

void posture_rules_print(struct buf *out)
{
	buf_addf(out, "rules %s; points in the profiles web and api, - where a rule isn't asked\n", POSTURE_PACK);
	for (const struct posture_rule *r = posture_rules; r->id; r++) {
		buf_addf(out, "\n%s@%u  %s (%s)\n", r->id, r->version, r->title, r->source);
		for (const struct posture_outcome *o = r->outcomes; o->name; o++) {
			print_points(o->points[PROFILE_WEB], out);
			print_points(o->points[PROFILE_API], out);
			buf_addf(out, "  %-66s %s\n", o->name, o->says);
		}
	}
}
