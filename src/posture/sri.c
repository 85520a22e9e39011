/* Subresource Integrity: scripts from elsewhere need a hash and https. */
#include <libpsl.h>
#include <strings.h>

#include "posture/html.h"
#include "posture/rules.h"

/* From best to worst, as Observatory ranks them. */
enum { NOTHING, ALL_SECURE, EXTERNAL_SECURE, BUT_INSECURE, MISSING, MISSING_INSECURE };
static const char *const outcomes[] = {
	[ALL_SECURE] = "sri-implemented-and-all-scripts-loaded-securely",
	[EXTERNAL_SECURE] = "sri-implemented-and-external-scripts-loaded-securely",
	[BUT_INSECURE] = "sri-implemented-but-external-scripts-not-loaded-securely",
	[MISSING] = "sri-not-implemented-but-external-scripts-loaded-securely",
	[MISSING_INSECURE] = "sri-not-implemented-and-external-scripts-not-loaded-securely",
};

static const char *registrable(const char *host)
{
	const psl_ctx_t *psl = psl_builtin();
	return psl ? psl_registrable_domain(psl, host) : NULL;
}

static bool same_site(const char *url, const char *host, struct arena *a)
{
	const char *at = strstr(url, "://") + 3;
	size_t n = strcspn(at, "/?#");
	const char *user = memrchr(at, '@', n);
	if (user) {
		n -= (size_t)(user + 1 - at);
		at = user + 1;
	}
	n = *at == '[' ? n : strcspn(at, "/?#:");
	char *h = arena_strndup(a, at, n);
	for (char *p = h; p && *p; p++)
		*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
	const char *mine = registrable(host), *theirs = h ? registrable(h) : NULL;
	return mine && theirs ? strcmp(mine, theirs) == 0 : !mine && !theirs && h && strcmp(h, host) == 0;
}

struct seen {
	size_t scripts, foreign;
	int result;
	const char *worst;
};

static void script(const struct posture_capture *c, struct arena *a, const char *src, bool integrity, struct seen *s)
{
	bool https = strncasecmp(src, "https://", 8) == 0, full = https || strncasecmp(src, "http://", 7) == 0;
	bool no_scheme = src[0] == '/' && src[1] == '/' && src[2] && src[2] != '/', relative = !full && !no_scheme;
	bool secure = https || (relative && c->page_https);
	int now;
	if (relative || (full && same_site(src, c->host, a))) {
		if (integrity && secure && !s->result)
			s->result = ALL_SECURE;
		return;
	}
	s->foreign++;
	if (integrity)
		now = secure ? NOTHING : BUT_INSECURE;
	else
		now = secure ? MISSING : MISSING_INSECURE;
	if (now > s->result) {
		s->result = now;
		s->worst = src;
	}
}

void rule_sri(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	struct seen s = {0};
	struct html_tag t;
	if (!c->page)
		return;
	if (posture_header_at(c->page, "content-type", 0) && !posture_is_html(c->page)) {
		posture_is(f, "sri-not-implemented-response-not-html");
		return;
	}
	struct html h = {.page = c->page->body};
	while (html_next(&h, &t)) {
		if (!html_is(t.name, "script"))
			continue;
		const char *src = html_attribute(&t, "src", a), *integrity = html_attribute(&t, "integrity", a);
		s.scripts++;
		if (src && *src)
			script(c, a, src, integrity && *integrity, &s);
	}
	posture_evidence(f, "%zu scripts, %zu from elsewhere", s.scripts, s.foreign);
	if (s.worst) {
		const char *host = s.worst + strcspn(s.worst, "/") + 2;
		posture_evidence(f, "; the worst from %.*s", (int)strcspn(host, "/?#") > 80 ? 80 : (int)strcspn(host, "/?#"), host);
	}
	if (s.scripts == 0)
		posture_is(f, "sri-not-implemented-but-no-scripts-loaded");
	else if (!s.result)
		posture_is(f, s.foreign ? outcomes[EXTERNAL_SECURE] : "sri-not-implemented-but-all-scripts-loaded-from-secure-origin");
	else
		posture_is(f, outcomes[s.result]);
}
