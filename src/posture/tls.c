/* What the host speaks, as found by one handshake for each question. */
#include "posture/rules.h"

const char *const tls_version_names[TLS_VERSIONS] = {"TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"};

void rule_tls_spoken(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	(void)a;
	if (c->cleartext_only) {
		posture_evidence(f, c->loopback ? "named as http:// on this machine: nothing crosses a network" : "named as http://");
		if (!c->loopback)
			posture_is(f, "tls-none");
		return;
	}
	if (c->tls.spoken == NOT_TRIED || (c->tls.spoken == TRY_REFUSED && !c->http)) {
		posture_evidence(f, "%s", c->tls.why_not ? c->tls.why_not : "not reached");
		return; /* a host that is down is unknown, not bad */
	}
	if (c->tls.spoken == TRY_REFUSED)
		posture_evidence(f, "%s", c->tls.why_not ? c->tls.why_not : "no handshake succeeds");
	posture_is(f, c->tls.spoken == TRY_ACCEPTED ? "tls-spoken" : "tls-none");
}

static void list(const struct posture_capture *c, struct posture_finding *f)
{
	const char *comma = "accepted: ";
	for (enum tls_version v = 0; v < TLS_VERSIONS; v++)
		if (c->tls.versions[v] == TRY_ACCEPTED) {
			posture_evidence(f, "%s%s", comma, tls_version_names[v]);
			comma = ", ";
		}
}

static bool none_tried(const struct posture_capture *c, enum tls_version from, enum tls_version to)
{
	for (enum tls_version v = from; v <= to; v++)
		if (c->tls.versions[v] == NOT_TRIED)
			return true;
	return false;
}

void rule_tls_old(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	(void)a;
	if (c->tls.spoken != TRY_ACCEPTED)
		return;
	list(c, f);
	if (c->tls.versions[TLS_1_0] == TRY_ACCEPTED || c->tls.versions[TLS_1_1] == TRY_ACCEPTED)
		posture_is(f, "tls-old-accepted");
	else if (!none_tried(c, TLS_1_0, TLS_1_1))
		posture_is(f, "tls-old-refused");
}

void rule_tls_current(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	(void)a;
	if (c->tls.spoken != TRY_ACCEPTED)
		return;
	list(c, f);
	if (c->tls.versions[TLS_1_3] == TRY_ACCEPTED)
		posture_is(f, "tls-1.3");
	else if (none_tried(c, TLS_1_2, TLS_1_3))
		return;
	else
		posture_is(f, c->tls.versions[TLS_1_2] == TRY_ACCEPTED ? "tls-1.2-only" : "tls-neither");
}

void rule_tls_authentication(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	(void)a;
	if (c->tls.spoken == TRY_ACCEPTED && c->tls.no_authentication != NOT_TRIED)
		posture_is(f, c->tls.no_authentication == TRY_ACCEPTED ? "tls-null-accepted" : "tls-null-refused");
}

void rule_tls_secrecy(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	(void)a;
	if (c->tls.spoken == TRY_ACCEPTED && c->tls.forward_secrecy != NOT_TRIED)
		posture_is(f, c->tls.forward_secrecy == TRY_ACCEPTED ? "tls-forward-secrecy" : "tls-no-forward-secrecy");
}
