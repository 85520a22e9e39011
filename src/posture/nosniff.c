#include "posture/rules.h"

void rule_nosniff(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	(void)a;
	if (!c->page)
		return;
	const char *v = posture_header_at(c->page, "x-content-type-options", 0);
	if (!v || !*v) {
		posture_is(f, "x-content-type-options-not-implemented");
		return;
	}
	posture_evidence(f, "X-Content-Type-Options: %.100s", v);
	posture_is(f, rules_word_is(v, "nosniff") ? "x-content-type-options-nosniff" : "x-content-type-options-header-invalid");
}
