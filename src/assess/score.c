/* From answers to points: catalogue in, explanation out. */
#include <stdio.h>
#include <string.h>

#include "assess/assess.h"
#include "base/clock.h"

enum { SOON_S = 30 * 86400, DAY_SECONDS = 86400 };

struct scoring {
	const json_t *answers, *seen;
	json_t *controls, *findings, *expired;
	int64_t at;
	json_int_t earned, of;
	size_t unanswered;
};

/* What one control comes to. */
struct points {
	int half;		/* of two */
	bool counts;
	const char *by;		/* "vendor", "weir", "nobody" */
	const char *answer;
	char why[200];
};

static const char *text(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

static void finding(struct scoring *s, const char *control, const char *severity, const char *what)
{
	json_array_append_new(s->findings, json_pack("{s:s, s:s, s:s}", "control", control, "severity", severity, "text", what));
}

static void last_day(int64_t until, char out[static 11])
{
	clock_format_day(until - DAY_SECONDS, out);	/* a date lasts to 24:00 UTC */
}

/* The evidence that holds longest; its end, INT64_MAX for none, INT64_MIN when there is no evidence. */
static int64_t longest(const json_t *evidence, const json_t **which)
{
	int64_t best = INT64_MIN;
	for (size_t i = 0; i < json_array_size(evidence); i++) {
		const json_t *e = json_array_get(evidence, i), *end = json_object_get(e, "valid_until");
		int64_t until = json_is_integer(end) ? json_integer_value(end) : INT64_MAX;
		if (until < best || (best == INT64_MAX && until == best))
			continue;
		best = until;
		*which = e;
	}
	return best;
}

static void from_evidence(struct scoring *s, const char *id, const json_t *answer, bool expected, struct points *p)
{
	const json_t *which = NULL;
	char day[11], line[200];
	int64_t end = longest(json_object_get(answer, "evidence"), &which);
	if (end == INT64_MIN) {
		if (expected && p->half == 2) {
			p->half = 1;
			snprintf(p->why, sizeof p->why, "answered yes, but nothing is shown for it");
			finding(s, id, "medium", "evidence is expected and there is none");
		}
		return;
	}
	if (end == INT64_MAX)
		return;
	last_day(end, day);
	if (end <= s->at) {
		p->half = 0;
		snprintf(p->why, sizeof p->why, "the evidence ran out at the end of %s", day);
		finding(s, id, "high", p->why);
		snprintf(line, sizeof line, "%s %s", id, text(which, "name"));
		json_array_append_new(s->expired, json_string(line));
	} else if (end - s->at <= SOON_S) {
		snprintf(line, sizeof line, "the evidence runs out at the end of %s", day);
		finding(s, id, "low", line);
	}
}

static void from_answer(struct scoring *s, const char *id, const json_t *control, struct points *p)
{
	static const struct {
		const char *answer;
		int half;
		const char *why, *severity;
	} rows[] = {
		{"yes", 2, "answered yes", NULL},
		{"partial", 1, "answered partial", "low"},
		{"no", 0, "answered no", "medium"},
		{"na", 0, "doesn't apply; the note says why", NULL},
	};
	const json_t *a = json_object_get(s->answers, id);
	p->answer = text(a, "answer");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (strcmp(rows[i].answer, p->answer) != 0)
			continue;
		p->by = "vendor";
		p->half = rows[i].half;
		p->counts = strcmp(rows[i].answer, "na") != 0;
		snprintf(p->why, sizeof p->why, "%s", rows[i].why);
		if (rows[i].severity)
			finding(s, id, rows[i].severity, rows[i].why);
		if (p->half)
			from_evidence(s, id, a, strcmp(text(control, "evidence"), "expected") == 0, p);
		return;
	}
	s->unanswered++;
	finding(s, id, "medium", "not answered");
}

/* Weir's own eyes come first; a vendor who says otherwise is a finding. */
static bool from_seen(struct scoring *s, const char *id, struct points *p)
{
	const json_t *seen = json_object_get(s->seen, id);
	if (!seen)
		return false;
	const char *verdict = text(seen, "verdict");
	const char *said = text(json_object_get(s->answers, id), "answer");
	p->by = "weir";
	p->answer = verdict;
	p->half = strcmp(verdict, "pass") == 0 ? 2 : strcmp(verdict, "warn") == 0 ? 1 : 0;
	snprintf(p->why, sizeof p->why, "Weir looked: %s", text(seen, "why"));
	if (p->half == 0)
		finding(s, id, strcmp(said, "yes") == 0 ? "high" : "medium",
			strcmp(said, "yes") == 0 ? "the vendor says yes, and Weir sees otherwise" : p->why);
	return true;
}

static void one(struct scoring *s, const json_t *control)
{
	const char *id = text(control, "id");
	json_int_t weight = json_integer_value(json_object_get(control, "weight"));
	const json_t *a = json_object_get(s->answers, id), *evidence = json_object_get(a, "evidence");
	struct points p = {.counts = true, .by = "nobody", .answer = "", .why = "not answered"};
	if (!from_seen(s, id, &p))
		from_answer(s, id, control, &p);
	json_int_t earned = p.counts ? weight * p.half : 0, of = p.counts ? weight * 2 : 0;
	s->earned += earned;
	s->of += of;
	json_array_append_new(
		s->controls,
		json_pack("{s:s, s:s, s:s, s:O*, s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:s}", "control", id, "title", text(control, "title"), "question",
			  text(control, "question"), "verified", json_object_get(control, "verified"), "by", p.by, "answer",
			  *p.answer ? p.answer : "unanswered", "said", *text(a, "answer") ? text(a, "answer") : "unanswered", "note", text(a, "note"), "evidence",
			  evidence ? json_deep_copy(evidence) : json_array(), "earned", earned, "of", of, "why", p.why));
}

json_t *assess_score(const json_t *questionnaire, const json_t *answers, const json_t *seen, int64_t at)
{
	struct scoring s = {.answers = answers, .seen = seen, .controls = json_array(), .findings = json_array(),
			    .expired = json_array(), .at = at};
	const json_t *list = json_object_get(questionnaire, "controls");
	for (size_t i = 0; i < json_array_size(list); i++)
		one(&s, json_array_get(list, i));
	return json_pack("{s:I, s:I, s:I, s:b, s:I, s:o, s:o, s:o}", "score", s.of ? s.earned * 100 / s.of : 0, "earned", s.earned, "of", s.of,
			 "complete", s.unanswered == 0, "unanswered", (json_int_t)s.unanswered, "evidence_expired", s.expired, "controls",
			 s.controls, "findings", s.findings);
}
