/* Set-Cookie (RFC 6265bis) of every response of the visit; the worst cookie decides.  Evidence names cookies, no values. */
#include <ctype.h>
#include <strings.h>

#include "posture/rules.h"

enum { COOKIES_MAX = 256 };

/* From best to worst; what isn't here is better than all. */
static const char *const order[] = {
	"cookies-without-secure-flag-but-protected-by-hsts", "cookies-without-secure-flag",
	"cookies-session-without-secure-flag-but-protected-by-hsts", "cookies-samesite-flag-invalid",
	"cookies-anticsrf-without-samesite-flag", "cookies-session-without-httponly-flag", "cookies-session-without-secure-flag",
};

struct worst {
	size_t at;		/* in order, from 1; 0: nothing yet */
	const char *name;
	size_t name_len;
};

struct cookie {
	const char *name;
	size_t name_len;
	const char *domain, *path;	/* as given; for telling cookies apart */
	size_t domain_len, path_len;
	bool secure, http_only, samesite, samesite_none, samesite_bad, foreign;
};

static void worse(struct worst *w, const char *outcome, const struct cookie *k)
{
	for (size_t i = w->at; i < sizeof order / sizeof *order; i++)
		if (strcmp(order[i], outcome) == 0)
			*w = (struct worst){i + 1, k->name, k->name_len};
}

static struct span trim(const char *p, size_t n)
{
	while (n && isspace((unsigned char)*p))
		p++, n--;
	while (n && isspace((unsigned char)p[n - 1]))
		n--;
	return (struct span){p, n};
}

static bool is(struct span s, const char *lower)
{
	return s.len == strlen(lower) && strncasecmp(s.at, lower, s.len) == 0;
}

static void attribute(struct cookie *k, const char *host, struct span name, struct span value)
{
	if (is(name, "secure")) {
		k->secure = true;
	} else if (is(name, "httponly")) {
		k->http_only = true;
	} else if (is(name, "path")) {
		k->path = value.at;
		k->path_len = value.len;
	} else if (is(name, "samesite")) {
		k->samesite_none = is(value, "none");
		k->samesite = k->samesite_none || is(value, "lax") || is(value, "strict");
		k->samesite_bad |= !k->samesite;
	} else if (is(name, "domain") && value.len) {
		if (*value.at == '.')
			value.at++, value.len--;
		k->domain = value.at;
		k->domain_len = value.len;
		k->foreign = !rules_domain_has(value.at, value.len, host);
	}
}

/* False for what isn't a cookie, or one that a browser wouldn't take from this host. */
static bool parse(const struct posture_cookie *c, struct cookie *k)
{
	*k = (struct cookie){.name = "", .domain = c->host, .domain_len = strlen(c->host), .path = "", .path_len = 0};
	bool first = true;
	for (const char *p = c->value; p;) {
		const char *semicolon = strchr(p, ';');
		size_t n = semicolon ? (size_t)(semicolon - p) : strlen(p);
		const char *eq = memchr(p, '=', n);
		struct span name = trim(p, eq ? (size_t)(eq - p) : n), value = {"", 0};
		if (eq)
			value = trim(eq + 1, n - (size_t)(eq + 1 - p));
		if (first && eq) {
			k->name = name.at;
			k->name_len = name.len;
		} else if (!first) {
			attribute(k, c->host, name, value);
		}
		first = false;
		p = semicolon ? semicolon + 1 : NULL;
	}
	return k->name_len > 0 && !k->foreign;
}

static bool same(const struct cookie *a, const struct cookie *b)
{
	return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0 && a->domain_len == b->domain_len &&
	       strncasecmp(a->domain, b->domain, a->domain_len) == 0 && a->path_len == b->path_len && memcmp(a->path, b->path, a->path_len) == 0;
}

/* The visit's jar: a later cookie of that name, domain and path replaces the earlier. */
static size_t fill(const struct posture_capture *c, struct cookie *jar)
{
	size_t n = 0;
	for (size_t i = 0; i < c->cookies_len; i++) {
		struct cookie k;
		size_t at = 0;
		if (!parse(&c->cookies[i], &k))
			continue;
		/* Set by a hosting platform whatever its customer wants (mozilla/http-observatory issue 282). */
		if (k.name_len == 23 && memcmp(k.name, "heroku-session-affinity", 23) == 0)
			continue;
		while (at < n && !same(&jar[at], &k))
			at++;
		if (at < COOKIES_MAX)
			jar[at] = k;
		if (at == n && n < COOKIES_MAX)
			n++;
	}
	return n;
}

static bool holds(const struct cookie *k, const char *word)
{
	size_t n = strlen(word);
	for (size_t i = 0; i + n <= k->name_len; i++)
		if (strncasecmp(k->name + i, word, n) == 0)
			return true;
	return false;
}

static void judge(const struct cookie *k, bool hsts, struct worst *w)
{
	bool session = holds(k, "login") || holds(k, "sess");
	if (k->samesite_bad || (k->samesite_none && !k->secure))
		worse(w, "cookies-samesite-flag-invalid", k);
	if (!k->secure)
		worse(w, hsts ? "cookies-without-secure-flag-but-protected-by-hsts" : "cookies-without-secure-flag", k);
	if (holds(k, "csrf") && !k->samesite)
		worse(w, "cookies-anticsrf-without-samesite-flag", k);
	if (session && !k->secure)
		worse(w, hsts ? "cookies-session-without-secure-flag-but-protected-by-hsts" : "cookies-session-without-secure-flag", k);
	if (session && !k->http_only)
		worse(w, "cookies-session-without-httponly-flag", k);
}

void rule_cookies(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	struct worst w = {0};
	bool samesite = true;
	struct cookie *jar = arena_alloc(a, COOKIES_MAX * sizeof *jar);
	if (!c->page || !jar)
		return;
	size_t n = fill(c, jar);
	bool hsts = rules_hsts_passes(c, a);
	for (size_t i = 0; i < n; i++) {
		judge(&jar[i], hsts, &w);
		samesite &= jar[i].samesite;
	}
	posture_evidence(f, "%zu cookies", n);
	if (n == 0) {
		posture_is(f, "cookies-not-found");
	} else if (w.at) {
		posture_evidence(f, "; the worst: %.*s", (int)(w.name_len < 60 ? w.name_len : 60), w.name);
		posture_is(f, order[w.at - 1]);
	} else {
		posture_is(f, samesite ? "cookies-secure-with-httponly-sessions-and-samesite" : "cookies-secure-with-httponly-sessions");
	}
}
