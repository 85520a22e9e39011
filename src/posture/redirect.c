#include "posture/rules.h"

void rule_redirection(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	(void)a;
	const struct posture_hop *r = c->route;
	size_t n = c->route_len;
	bool preloaded = c->preloaded != NULL;
	if (!c->page)
		return;
	for (size_t i = 0; i < n; i++) {
		posture_evidence(f, "%s%s://%.80s", i ? " > " : "", r[i].https ? "https" : "http", r[i].host);
		preloaded = preloaded && c->preloaded(r[i].host);
	}
	if (!c->http && n > 0) {
		posture_evidence(f, " > no answer");
		return;
	}
	if (!c->http)
		posture_is(f, "redirection-not-needed-no-http");
	else if (!c->http->verified)
		posture_is(f, "redirection-invalid-cert");
	else if (preloaded)
		posture_is(f, "redirection-all-redirects-preloaded");
	else if (n <= 1)
		posture_is(f, "redirection-missing");
	else if (!r[n - 1].https)
		posture_is(f, "redirection-not-to-https");
	else if (!r[1].https)
		posture_is(f, "redirection-not-to-https-on-initial-redirection");
	else if (strcmp(r[0].host, r[1].host) != 0)
		posture_is(f, "redirection-off-host-from-http");
	else
		posture_is(f, "redirection-to-https");
}
