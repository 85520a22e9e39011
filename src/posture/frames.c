#include <strings.h>

#include "posture/csp.h"
#include "posture/rules.h"

static const char *by_header(const char *v)
{
	while (*v == ' ' || *v == '\t')
		v++;
	if (rules_word_is(v, "deny") || rules_word_is(v, "sameorigin"))
		return "x-frame-options-sameorigin-or-deny";
	return strncasecmp(v, "allow-from", 10) == 0 ? "x-frame-options-allow-from-origin" : "x-frame-options-header-invalid";
}

/* frame-ancestors in the header makes X-Frame-Options needless, even a wrong one. */
void rule_frames(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	if (!c->page)
		return;
	const char *v = posture_header_at(c->page, "x-frame-options", 0);
	bool given = v && *v;
	if (given)
		posture_evidence(f, "X-Frame-Options: %.100s", v);
	if (csp_names_ancestors(c->page, a)) {
		posture_evidence(f, "%sframe-ancestors in Content-Security-Policy", given ? "; " : "");
		posture_is(f, "x-frame-options-implemented-via-csp");
		return;
	}
	posture_is(f, given ? by_header(v) : "x-frame-options-not-implemented");
}
