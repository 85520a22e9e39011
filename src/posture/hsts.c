/* Strict-Transport-Security (RFC 6797). */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "posture/rules.h"

enum { SIX_MONTHS = 15552000 };	/* what many sites use for it, rather than 15768000 */

/* The number behind max-age=, which may be quoted; -1 when it isn't one. */
static long long max_age(const char *p)
{
	char *end;
	while (*p == ' ' || *p == '"')
		p++;
	if (!isdigit((unsigned char)*p))
		return -1;
	errno = 0;
	long long n = strtoll(p, &end, 10);
	if (errno)
		return INT64_MAX;
	while (*end == ' ' || *end == '"')
		end++;
	return *end == 0 || *end == ';' ? n : -1;
}

static long long read_age(const char *v)
{
	long long age = -1;
	if (strchr(v, ','))
		return -1;	/* set twice */
	for (const char *p = v; p; p = strchr(p, ';')) {
		while (*p == ';' || *p == ' ' || *p == '\t')
			p++;
		if (strncasecmp(p, "max-age=", 8) == 0)
			age = max_age(p + 8);
	}
	return age;
}

void rule_hsts(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	(void)a;
	const char *v = c->https ? posture_header_at(c->https, "strict-transport-security", 0) : NULL;
	if (!c->page)
		return;
	if (v)
		posture_evidence(f, "Strict-Transport-Security: %.100s", v);
	if (c->https && c->preloaded && c->preloaded(c->host)) {
		posture_is(f, "hsts-preloaded");
	} else if (!c->https) {
		posture_is(f, "hsts-not-implemented-no-https");
	} else if (!c->https->verified) {
		posture_is(f, "hsts-invalid-cert");
	} else if (!v) {
		posture_is(f, "hsts-not-implemented");
	} else {
		long long age = read_age(v);
		posture_is(f, age < 0 ? "hsts-header-invalid" : age < SIX_MONTHS ? "hsts-implemented-max-age-less-than-six-months"
				      : "hsts-implemented-max-age-at-least-six-months");
	}
}

bool rules_hsts_passes(const struct posture_capture *c, struct arena *a)
{
	const struct posture_rule *r = posture_rules;
	while (r->id && r->check != rule_hsts)
		r++;
	struct posture_finding f = {.rule = r};
	rule_hsts(c, a, &f);
	return f.outcome && (strcmp(f.outcome->name, "hsts-preloaded") == 0 ||
			     strcmp(f.outcome->name, "hsts-implemented-max-age-at-least-six-months") == 0);
}
