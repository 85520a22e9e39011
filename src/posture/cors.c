#include "posture/rules.h"

/* One preflight from an origin that is nobody's: does the host let it read what its users can? */
void rule_cors(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	(void)a;
	if (!c->page)
		return;
	const char *origin = c->cors ? posture_header_at(c->cors, "access-control-allow-origin", 0) : NULL;
	const char *credentials = c->cors ? posture_header_at(c->cors, "access-control-allow-credentials", 0) : NULL;
	if (!origin || !*origin) {
		posture_is(f, "cross-origin-resource-sharing-not-implemented");
		return;
	}
	bool reflected = c->cors_origin && strcmp(c->cors_origin, origin) == 0;
	posture_evidence(f, "Access-Control-Allow-Origin: %.100s%s%s", reflected ? "the caller's" : origin, credentials ? "; Allow-Credentials: " : "",
			 credentials ? credentials : "");
	if (rules_word_is(origin, "*"))
		posture_is(f, "cross-origin-resource-sharing-implemented-with-public-access");
	else if (reflected && credentials && rules_word_is(credentials, "true"))
		posture_is(f, "cross-origin-resource-sharing-implemented-with-universal-access");
	else
		posture_is(f, "cross-origin-resource-sharing-implemented-with-restricted-access");
}
