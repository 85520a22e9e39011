/* What is known of a vendor, and whether a rule's conditions hold over it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assurance/inside.h"
#include "base/clock.h"
#include "store/store.h"

static int read_grade(struct facts *f, struct err *err)
{
	struct rows rows;
	if (!assess_table(f->r, "posture_grade"))
		return 0;
	int got = store_rows(registry_store(f->r), &rows, err, "SELECT grade, at FROM posture_grade WHERE vendor = ? ORDER BY at DESC LIMIT 1", "s",
			     f->vendor);
	if (got == 0)
		got = rows_next(&rows, err);
	if (got == 1) {
		const char *g = rows_text(&rows, 0);
		f->grade = assurance_grade((struct span){g, strlen(g)});
		f->posture = f->grade >= 0;
		f->graded_at = rows_int(&rows, 1);
		snprintf(f->grade_text, sizeof f->grade_text, "%.3s", g);
	}
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static int read_waivers(struct facts *f, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(f->r), &rows, err,
			     "SELECT requirement, until FROM waiver WHERE vendor = ?1 AND event ="
			     " (SELECT max(seq) FROM event WHERE vendor = ?1 AND kind = 'approve')", "s", f->vendor);
	while (got >= 0 && (got = rows_next(&rows, err)) == 1)
		for (int q = 0; q < REQUIREMENTS; q++)
			if (strcmp(requirement_names[q], rows_text(&rows, 0)) == 0)
				f->waived_until[q] = rows_int(&rows, 1);
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

int facts_gather(struct registry *r, const char *vendor, const struct contract *c, int64_t at, struct facts *f, struct err *err)
{
	struct registry_vendor v;
	*f = (struct facts){.r = r, .vendor = vendor, .at = at, .contract = c};
	if (registry_vendor(r, vendor, &v, err) < 0)
		return -1;
	f->incident = v.asks[ASK_INCIDENT];
	registry_vendor_release(&v);
	return read_grade(f, err) < 0 ? -1 : read_waivers(f, err);
}

static int assessed(struct facts *f, const char *standard, struct err *err)
{
	if (f->has_assessed && strcmp(f->assessed_by, standard) == 0)
		return 0;
	if (assess_state(f->r, f->vendor, *standard ? standard : NULL, f->at, &f->assessed, err) < 0)
		return -1;
	snprintf(f->assessed_by, sizeof f->assessed_by, "%s", standard);
	f->has_assessed = true;
	return 0;
}

static void day_of(int64_t at, char out[static 11])
{
	clock_format_day(at, out);
}

/* One condition: holds, and what was found. */
static bool holds(const struct facts *f, enum condition c, int64_t value, char *found, size_t n)
{
	const struct assess_state *a = &f->assessed;
	bool complete = a->there && a->complete;
	char day[11];
	found[0] = 0;
	switch (c) {
	case IF_STANDARD:
		return true;
	case IF_ASSESSMENT:
		snprintf(found, n, "%s", complete ? "it is assessed" : a->there ? "its assessment has unanswered controls" : "it was never assessed");
		return complete == (value == 1);
	case IF_SCORE_BELOW:
		snprintf(found, n, "its score is %d, below %d", a->score, (int)value);
		return complete && a->score < value;
	case IF_ASSESSMENT_OLDER:
		day_of(a->reviewed, day);
		snprintf(found, n, "it was last assessed on %s", day);
		return complete && f->at - a->reviewed > value;
	case IF_EVIDENCE:
		snprintf(found, n, "evidence has run out: %s", a->which);
		return a->expired > 0;
	case IF_CONTRACT:
		snprintf(found, n, "the contract has ended");
		return f->contract->expires_at <= f->at;
	case IF_CONTRACT_ENDS:
		if (f->contract->expires_at == INT64_MAX)
			return false;
		day_of(f->contract->expires_at - 1, day);
		snprintf(found, n, "the contract ends on %s", day);
		return f->contract->expires_at - f->at <= value;
	case IF_POSTURE:
		snprintf(found, n, "%s", f->posture ? "its posture is known" : "its posture was never graded");
		return f->posture == (value == 1);
	case IF_POSTURE_BELOW:
		snprintf(found, n, "its posture is %s", f->grade_text);
		return f->posture && f->grade > value;
	case IF_POSTURE_OLDER:
		day_of(f->graded_at, day);
		snprintf(found, n, "its posture was last graded on %s", day);
		return f->posture && f->at - f->graded_at > value;
	case IF_INCIDENT:
		snprintf(found, n, "an incident is open");
		return f->incident > FLOW_OPEN;
	case IF_WAIVER:
		for (int q = 0; q < REQUIREMENTS; q++)
			if (f->waived_until[q] && (f->waived_until[q] > f->at) == (value == 0)) {
				day_of(f->waived_until[q] - 1, day);
				snprintf(found, n, "the waiver of %s ends on %s", requirement_names[q], day);
				return true;
			}
		return false;
	case CONDITIONS:
		break;
	}
	return false;
}

int facts_hold(struct facts *f, const struct assurance_rule *rule, char found[static RULE_WHY_MAX], struct err *err)
{
	static const unsigned needs = 1U << IF_ASSESSMENT | 1U << IF_SCORE_BELOW | 1U << IF_ASSESSMENT_OLDER | 1U << IF_EVIDENCE;
	size_t at = 0;
	found[0] = 0;
	if (rule->set & needs && assessed(f, rule->standard, err) < 0)
		return -1;
	for (int c = 0; c < CONDITIONS; c++) {
		char one[RULE_WHY_MAX];
		if (!(rule->set & 1U << c))
			continue;
		if (!holds(f, (enum condition)c, rule->value[c], one, sizeof one))
			return 0;
		int k = one[0] ? snprintf(found + at, RULE_WHY_MAX - at, "%s%s", at ? "; " : "", one) : 0;
		at = k > 0 && at + (size_t)k < RULE_WHY_MAX ? at + (size_t)k : at;
	}
	return 1;
}

/* ---- requires ------------------------------------------------------------------------------------------------------ */

static void make(struct assurance_rules *out, const char *name, enum condition c, int64_t value, enum requirement q, struct span standard)
{
	struct assurance_rule *r = &out->v[out->n++];
	*r = (struct assurance_rule){.set = 1U << c, .then = FLOW_RESTRICTED, .waive = (int)q};
	r->value[c] = value;
	snprintf(r->name, sizeof r->name, "%s", name);
	snprintf(r->standard, sizeof r->standard, "%.*s", (int)standard.len, standard.len ? standard.at : "");
	snprintf(r->why, sizeof r->why, "The contract requires it.");
}

void requires_rules(const struct contract *c, struct assurance_rules *out)
{
	const struct requires *q = &c->requires;
	*out = (struct assurance_rules){.v = xcalloc(8, sizeof *out->v)};
	if (q->assessment) {
		make(out, "requires-assessment", IF_ASSESSMENT, 0, REQUIRE_ASSESSMENT, q->standard);
		if (q->score > 0)
			make(out, "requires-score", IF_SCORE_BELOW, q->score, REQUIRE_ASSESSMENT, q->standard);
		if (q->within_s > 0)
			make(out, "requires-recent", IF_ASSESSMENT_OLDER, q->within_s, REQUIRE_ASSESSMENT, q->standard);
	}
	if (q->posture) {
		make(out, "requires-posture", IF_POSTURE, 0, REQUIRE_POSTURE, (struct span){0});
		make(out, "requires-grade", IF_POSTURE_BELOW, assurance_grade(q->grade), REQUIRE_POSTURE, (struct span){0});
	}
}
