/* From findings to score and grade; and what rules share. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "posture/rules.h"

const char *const posture_profile_names[PROFILES] = {"web", "api"};
const char *const posture_verdict_names[4] = {"pass", "warn", "fail", "unknown"};

enum { FULL = 100, BONUS_FROM = 90, WARN_TO = -10, STEP = 5 };

/* Index: score / 5. */
static const char *const chart[] = {"F", "F", "F", "F", "F", "D-", "D", "D", "D+", "C-", "C", "C", "C+", "B-", "B", "B", "B+", "A-", "A", "A", "A+"};
static const char *const ranks[] = {"F", "D-", "D", "D+", "C-", "C", "C+", "B-", "B", "B+", "A-", "A", "A+"};

const char *posture_grade(int score)
{
	int at = score < 0 ? 0 : score > FULL ? FULL / STEP : score / STEP;
	return chart[at];
}

int posture_grade_rank(const char *grade)
{
	for (int i = 0; i < (int)(sizeof ranks / sizeof *ranks); i++)
		if (strcmp(ranks[i], grade) == 0)
			return i;
	return -1;
}

enum posture_verdict posture_verdict_of(int points)
{
	return points >= 0 ? POSTURE_PASS : points >= WARN_TO ? POSTURE_WARN : POSTURE_FAIL;
}

void posture_is(struct posture_finding *f, const char *outcome)
{
	const struct posture_outcome *o = f->rule->outcomes;
	while (o->name && strcmp(o->name, outcome) != 0)
		o++;
	must(o->name);
	f->outcome = o;
}

void posture_evidence(struct posture_finding *f, const char *fmt, ...)
{
	size_t n = strlen(f->evidence);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(f->evidence + n, sizeof f->evidence - n, fmt, ap);
	va_end(ap);
	for (char *p = f->evidence + n; *p; p++)	/* what a host sent is shown as printable ASCII */
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
}

const char *posture_header_at(const struct posture_response *r, const char *name, size_t n)
{
	for (size_t i = 0; i < r->headers_len; i++)
		if (strcasecmp(r->headers[i].name, name) == 0 && n-- == 0)
			return r->headers[i].value;
	return NULL;
}

bool posture_is_html(const struct posture_response *r)
{
	const char *t = posture_header_at(r, "content-type", 0);
	size_t n = t ? strcspn(t, ";") : 0;
	while (n && t[n - 1] == ' ')
		n--;
	return (n == 9 && strncasecmp(t, "text/html", 9) == 0) || (n == 21 && strncasecmp(t, "application/xhtml+xml", 21) == 0);
}

bool rules_word_is(const char *v, const char *lower)
{
	size_t n = strlen(v);
	while (n && isspace((unsigned char)*v))
		v++, n--;
	while (n && isspace((unsigned char)v[n - 1]))
		n--;
	return n == strlen(lower) && strncasecmp(v, lower, n) == 0;
}

bool rules_domain_has(const char *domain, size_t len, const char *host)
{
	size_t n = strlen(host);
	return n >= len && strncasecmp(host + n - len, domain, len) == 0 && (n == len || host[n - len - 1] == '.');
}

/* ---- the score -------------------------------------------------------------------------------------------------- */

struct sum {
	int penalties, bonuses;
};

static void add(struct sum *s, int points)
{
	*(points < 0 ? &s->penalties : &s->bonuses) += points;
}

static int score_of(const struct sum *s)
{
	int score = FULL + s->penalties;
	if (score >= BONUS_FROM)
		score += s->bonuses;
	return score < 0 ? 0 : score;
}

static void ask(const struct posture_capture *c, const struct posture_rule *rule, struct posture_finding *f)
{
	struct arena a;
	arena_init(&a, 32 << 20);
	*f = (struct posture_finding){.rule = rule};
	rule->check(c, &a, f);
	if (!f->outcome && !*f->evidence && c->no_page && strcmp(rule->source, "observatory") == 0)
		posture_evidence(f, "%s", c->no_page);
	arena_release(&a);
}

void posture_total(struct posture_report *r, enum posture_profile profile)
{
	struct sum all = {0}, observatory = {0};
	unsigned known = 0, theirs = 0;
	for (size_t i = 0; i < r->findings_len; i++) {
		struct posture_finding *f = &r->findings[i];
		f->verdict = POSTURE_UNKNOWN;
		f->points = 0;
		if (!f->outcome)
			continue;
		f->points = f->outcome->points[profile];
		f->verdict = posture_verdict_of(f->points);
		known++;
		add(&all, f->points);
		if (strcmp(f->rule->source, "observatory") == 0) {
			theirs++;
			add(&observatory, f->points);
		}
	}
	for (size_t i = 0; i < r->findings_len; i++) {
		int p = r->findings[i].points;
		r->findings[i].counted = p < 0 || (p > 0 && FULL + all.penalties >= BONUS_FROM);
	}
	r->score = score_of(&all);
	r->grade = known ? posture_grade(r->score) : NULL;
	r->coverage = r->findings_len ? known * 100 / (unsigned)r->findings_len : 0;
	r->observatory_score = profile == PROFILE_WEB && theirs ? score_of(&observatory) : -1;
}

void posture_judge(const struct posture_capture *c, struct posture_report *r)
{
	*r = (struct posture_report){0};
	for (const struct posture_rule *rule = posture_rules; rule->id; rule++) {
		if (rule->outcomes[0].points[c->profile] == NA)
			continue;
		must(r->findings_len < POSTURE_RULES_MAX);
		ask(c, rule, &r->findings[r->findings_len++]);
	}
	posture_total(r, c->profile);
}
