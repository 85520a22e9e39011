/* Cross-Origin-Embedder-, -Opener- and -Resource-Policy.  The first two are structured fields (RFC 8941): a token. */
#include <ctype.h>
#include <stdio.h>

#include "posture/rules.h"

struct known {
	const char *value, *outcome;
};

static bool key_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || c == '*' || (!first && ((c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'));
}

static bool token_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~:/", c));
}

/* RFC 8941 4.2.3.1 for a parameter's value: a string, a token, a number, ?0 and ?1, or :base64: */
static const char *bare_item(const char *p)
{
	if (*p == '"') {
		for (p++; *p && *p != '"'; p++)
			if ((*p == '\\' && (p[1] != '"' && p[1] != '\\')) || (unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
				return NULL;
			else if (*p == '\\')
				p++;
		return *p ? p + 1 : NULL;
	}
	if (*p == '?')
		return p[1] == '0' || p[1] == '1' ? p + 2 : NULL;
	if (*p == ':') {
		for (p++; isalnum((unsigned char)*p) || *p == '+' || *p == '/' || *p == '='; p++)
			;
		return *p == ':' ? p + 1 : NULL;
	}
	bool number = isdigit((unsigned char)*p) || *p == '-', token = isalpha((unsigned char)*p) || *p == '*';
	if (!number && !token)
		return NULL;
	for (p++; number ? isdigit((unsigned char)*p) || *p == '.' : token_char(*p); p++)
		;
	return p;
}

static const char *spaces(const char *p)
{
	while (*p == ' ')
		p++;
	return p;
}

/* The token of an item with well-formed parameters; false otherwise. */
static bool token_of(const char *v, struct span *out)
{
	const char *p = v = spaces(v);
	if (!isalpha((unsigned char)*p) && *p != '*')
		return false;
	while (token_char(*p))
		p++;
	*out = (struct span){v, (size_t)(p - v)};
	while (*p == ';') {
		p = spaces(p + 1);
		if (!key_char(*p, true))
			return false;
		while (key_char(*p, false))
			p++;
		if (*p == '=' && !(p = bare_item(p + 1)))
			return false;
	}
	return *spaces(p) == 0;
}

static void by_token(const struct posture_response *r, const char *header, const char *absent, const char *invalid, const struct known *k,
		     struct posture_finding *f)
{
	const char *v = r ? posture_header_at(r, header, 0) : NULL;
	struct span token;
	if (!r)
		return;
	if (!v || !*v) {
		posture_is(f, absent);
		return;
	}
	posture_evidence(f, "%s: %.100s", header, v);
	if (posture_header_at(r, header, 1)) {
		posture_evidence(f, "; more than once");
		posture_is(f, invalid);
		return;
	}
	if (token_of(v, &token))
		for (; k->value; k++)
			if (span_eq(token, k->value)) {
				posture_is(f, k->outcome);
				return;
			}
	posture_is(f, invalid);
}

void rule_coep(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	static const struct known known[] = {
		{"require-corp", "coep-implemented-with-require-corp"},
		{"credentialless", "coep-implemented-with-credentialless"},
		{"unsafe-none", "coep-implemented-with-unsafe-none"},
		{NULL, NULL},
	};
	(void)a;
	by_token(c->page, "cross-origin-embedder-policy", "coep-not-implemented", "coep-header-invalid", known, f);
}

void rule_coop(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	static const struct known known[] = {
		{"same-origin", "coop-implemented-with-same-origin"},
		{"same-origin-allow-popups", "coop-implemented-with-same-origin-allow-popups"},
		{"noopener-allow-popups", "coop-implemented-with-noopener-allow-popups"},
		{"unsafe-none", "coop-implemented-with-unsafe-none"},
		{NULL, NULL},
	};
	(void)a;
	by_token(c->page, "cross-origin-opener-policy", "coop-not-implemented", "coop-header-invalid", known, f);
}

/* This one is a plain word in any case, and there is no <meta> for it that a browser reads. */
void rule_corp(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	static const struct known known[] = {
		{"same-origin", "corp-implemented-with-same-origin"},
		{"same-site", "corp-implemented-with-same-site"},
		{"cross-origin", "corp-implemented-with-cross-origin"},
		{NULL, NULL},
	};
	(void)a;
	if (!c->page)
		return;
	const char *v = posture_header_at(c->page, "cross-origin-resource-policy", 0);
	if (!v || !*v) {
		posture_is(f, "corp-not-implemented");
		return;
	}
	posture_evidence(f, "cross-origin-resource-policy: %.100s", v);
	bool twice = posture_header_at(c->page, "cross-origin-resource-policy", 1) != NULL;
	for (const struct known *k = known; k->value && !twice; k++)
		if (rules_word_is(v, k->value)) {
			posture_is(f, k->outcome);
			return;
		}
	posture_is(f, "corp-header-invalid");
}
