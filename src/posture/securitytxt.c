/*
 * Two steps: the clear text is taken out of an OpenPGP clear-signed message (RFC 9580 section 7; the signature itself
 * isn't verified: nobody told us whose key it should be), then each line is a comment, empty, or `Field: value`.
 */
#include "posture/securitytxt.h"

#include <ctype.h>
#include <strings.h>
#include <utf8proc.h>

#include "base/clock.h"
#include "posture/rules.h"

const char *const security_txt_names[SECURITY_TXT_ALL] = {
#define X(n) #n,
	SECURITY_TXT_CODES(X)
#undef X
};

enum { YEAR = 366 * 86400, LANGUAGES_MAX = 35 };

struct reading {
	struct security_txt *out;
	const char *url;
	int64_t now;
	unsigned expires, languages, csaf, canonical;
	bool canonical_match, mail, encryption, is_signed;
};

static void found(struct reading *r, enum security_txt_code c)
{
	r->out->found |= 1u << c;
}

static bool space(char c)
{
	return c == ' ' || c == '\t';
}

static bool is(struct span s, const char *lower)
{
	return s.len == strlen(lower) && strncasecmp(s.at, lower, s.len) == 0;
}

static bool begins(struct span s, const char *lower)
{
	return s.len >= strlen(lower) && strncasecmp(s.at, lower, strlen(lower)) == 0;
}

/* ---- fields ----------------------------------------------------------------------------------------------------- */

/* RFC 3986 3.1: a scheme and something behind it; web addresses only by https (RFC 9116 2.4). */
static void uri(struct reading *r, struct span v)
{
	size_t n = 0;
	while (n < v.len && (isalnum((unsigned char)v.at[n]) || (n && strchr("+-.", v.at[n]))))
		n++;
	if (n == 0 || !isalpha((unsigned char)v.at[0]) || n + 1 >= v.len || v.at[n] != ':')
		found(r, SECTXT_no_uri);
	else if (begins(v, "http:"))
		found(r, SECTXT_no_https);
}

static void contact(struct reading *r, struct span v)
{
	uri(r, v);
	r->out->contacts++;
	r->mail |= begins(v, "mailto:");
}

static void encryption(struct reading *r, struct span v)
{
	uri(r, v);
	r->encryption = true;
}

static void canonical(struct reading *r, struct span v)
{
	uri(r, v);
	r->canonical++;
	r->canonical_match |= r->url && span_eq(v, r->url);
}

static void csaf(struct reading *r, struct span v)
{
	static const char file[] = "/provider-metadata.json";
	size_t n = sizeof file - 1;
	uri(r, v);
	if (r->csaf++)
		found(r, SECTXT_multiple_csaf_fields);
	if (v.len < n || memcmp(v.at + v.len - n, file, n) != 0)
		found(r, SECTXT_no_csaf_file);
}

static void expires(struct reading *r, struct span v)
{
	int64_t at;
	if (r->expires++) {
		found(r, SECTXT_multi_expire);
		return;
	}
	if (!memchr(v.at, 'T', v.len) || !clock_parse(v.at, v.len, &at)) {	/* a day alone isn't RFC 3339 5.6's date-time */
		found(r, SECTXT_invalid_expiry);
		return;
	}
	r->out->expires = at;
	if (at <= r->now)
		found(r, SECTXT_expired);
	else if (at - r->now > YEAR)
		found(r, SECTXT_long_expiry);
}

/* RFC 5646 as far as its shape: subtags of 1 to 8 letters and digits, the first of letters. */
static bool language(struct span s)
{
	size_t run = 0, subtag = 0;
	if (s.len == 0 || s.len > LANGUAGES_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '-') {
			if (run == 0)
				return false;
			run = 0;
			subtag++;
		} else if (++run > 8 || !isalnum((unsigned char)s.at[i]) || (subtag == 0 && isdigit((unsigned char)s.at[i]))) {
			return false;
		}
	}
	return run > 0 && (subtag > 0 || run >= 2);
}

static void languages(struct reading *r, struct span v)
{
	if (r->languages++)
		found(r, SECTXT_multi_lang);
	for (size_t i = 0; i <= v.len;) {
		const char *comma = memchr(v.at + i, ',', v.len - i);
		size_t n = comma ? (size_t)(comma - v.at) - i : v.len - i;
		struct span s = {v.at + i, n};
		while (s.len && space(*s.at))
			s.at++, s.len--;
		while (s.len && space(s.at[s.len - 1]))
			s.len--;
		if (!language(s))
			found(r, SECTXT_invalid_lang);
		i += n + 1;
	}
}

static const struct {
	const char *name;
	void (*read)(struct reading *r, struct span v);
} fields[] = {
	{"contact", contact}, {"expires", expires}, {"encryption", encryption}, {"acknowledgments", uri},
	{"preferred-languages", languages}, {"canonical", canonical}, {"policy", uri}, {"hiring", uri}, {"csaf", csaf},
};

/* ---- lines ------------------------------------------------------------------------------------------------------ */

static void line(struct reading *r, struct span s)
{
	if (s.len == 0 || s.at[0] == '#')
		return;
	if (space(s.at[0])) {
		found(r, SECTXT_prec_ws);
		while (s.len && space(s.at[0]))
			s.at++, s.len--;
		if (s.len == 0 || s.at[0] == '#')
			return;
	}
	const char *colon = memchr(s.at, ':', s.len);
	if (!colon) {
		found(r, SECTXT_invalid_line);
		return;
	}
	struct span name = {s.at, (size_t)(colon - s.at)}, v = {colon + 1, s.len - (size_t)(colon + 1 - s.at)};
	while (name.len && space(name.at[name.len - 1])) {
		found(r, SECTXT_prec_ws);
		name.len--;
	}
	if (name.len == 0)
		found(r, SECTXT_empty_key);
	if (v.len && v.at[0] != ' ')
		found(r, SECTXT_no_space);
	while (v.len && space(v.at[0]))
		v.at++, v.len--;
	while (v.len && space(v.at[v.len - 1]))
		v.len--;
	if (v.len == 0)
		found(r, SECTXT_empty_value);
	if (v.len == 0 || name.len == 0)
		return;
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (is(name, fields[i].name)) {
			fields[i].read(r, v);
			return;
		}
	found(r, SECTXT_unknown_field);
}

/* The next line without its end; false at the end.  A last line without an end is a fault. */
static bool next_line(struct reading *r, struct span *rest, struct span *out)
{
	if (rest->len == 0)
		return false;
	const char *lf = memchr(rest->at, '\n', rest->len);
	size_t n = lf ? (size_t)(lf - rest->at) : rest->len;
	if (!lf)
		found(r, SECTXT_no_line_separators);
	*out = (struct span){rest->at, n};
	if (lf && n && out->at[n - 1] == '\r')
		out->len--;
	rest->at += lf ? n + 1 : n;
	rest->len -= lf ? n + 1 : n;
	return true;
}

static bool blank(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!space(s.at[i]))
			return false;
	return true;
}

enum part { TEXT, ARMOR_HEADERS, CLEAR, SIGNATURE, AFTER };

/* TEXT stays for a file without signature; else ARMOR_HEADERS > CLEAR > SIGNATURE > AFTER. */
static void lines(struct reading *r, struct span rest)
{
	enum part part = TEXT;
	struct span s;
	bool first = true;
	while (next_line(r, &rest, &s)) {
		bool head = span_eq(s, "-----BEGIN PGP SIGNED MESSAGE-----");
		switch (part) {
		case TEXT:
			if (head && first) {
				part = ARMOR_HEADERS;
				r->is_signed = true;
			} else if (head || begins(s, "-----begin pgp")) {
				found(r, SECTXT_signed_format_issue);
			} else {
				line(r, s);
			}
			break;
		case ARMOR_HEADERS:
			if (s.len == 0)
				part = CLEAR;
			else if (!memmem(s.at, s.len, ": ", 2))
				found(r, SECTXT_signed_format_issue);
			break;
		case CLEAR:
			if (span_eq(s, "-----BEGIN PGP SIGNATURE-----"))
				part = SIGNATURE;
			else if (s.len >= 2 && s.at[0] == '-' && s.at[1] == ' ')
				line(r, (struct span){s.at + 2, s.len - 2});
			else
				line(r, s);
			break;
		case SIGNATURE:
			if (span_eq(s, "-----END PGP SIGNATURE-----"))
				part = AFTER;
			break;
		case AFTER:
			if (!blank(s))
				found(r, SECTXT_data_after_sig);
			break;
		}
		first = false;
	}
	if (part != TEXT && part != AFTER)
		found(r, SECTXT_signed_format_issue);
}

static bool valid_utf8(struct span s)
{
	utf8proc_int32_t c;
	for (size_t i = 0; i < s.len;) {
		utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s.at + i, (utf8proc_ssize_t)(s.len - i), &c);
		if (n <= 0)
			return false;
		i += (size_t)n;
	}
	return true;
}

void security_txt_read(struct span body, const char *url, int64_t now, struct security_txt *out)
{
	struct reading r = {.out = out, .url = url, .now = now};
	*out = (struct security_txt){0};
	if (body.len > SECURITY_TXT_MAX) {
		found(&r, SECTXT_too_large);
		body.len = SECURITY_TXT_MAX;
	}
	if (!valid_utf8(body))
		found(&r, SECTXT_utf8);
	if (body.len >= 3 && memcmp(body.at, "\xef\xbb\xbf", 3) == 0) {
		found(&r, SECTXT_bom_in_file);
		body.at += 3;
		body.len -= 3;
	}
	lines(&r, body);
	if (!out->contacts)
		found(&r, SECTXT_no_contact);
	if (!r.expires)
		found(&r, SECTXT_no_expire);
	if (r.canonical && url && !r.canonical_match)
		found(&r, SECTXT_no_canonical_match);
	if (!r.is_signed)
		found(&r, SECTXT_not_signed);
	else if (!r.canonical)
		found(&r, SECTXT_no_canonical);
	if (r.mail && !r.encryption)
		found(&r, SECTXT_no_encryption);
}

/* ---- the rule --------------------------------------------------------------------------------------------------- */

static bool text_plain(const char *type)
{
	size_t n = strcspn(type, "; \t");
	const char *charset = strcasestr(type, "charset=");
	if (n != 10 || strncasecmp(type, "text/plain", 10) != 0)
		return false;
	if (!charset)
		return true;
	charset += 8;
	charset += *charset == '"';
	return strncasecmp(charset, "utf-8", 5) == 0;
}

void rule_security_txt(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	const struct posture_document *d = &c->security_txt;
	struct security_txt t;
	(void)a;
	if (d->status == 0)
		return;
	if (d->status != 200) {
		posture_evidence(f, "status %d", d->status);
		posture_is(f, "security-txt-missing");
		return;
	}
	security_txt_read(d->body, d->url, c->at, &t);
	/* A page that answers everything with 200 has no security.txt. */
	if (!t.contacts && !t.expires && d->type && !text_plain(d->type)) {
		posture_evidence(f, "status 200, and no security.txt in it");
		posture_is(f, "security-txt-missing");
		return;
	}
	bool bad = false;
	const struct {
		bool wrong;
		const char *code;
	} around[] = {
		{d->fallback, "location"}, {!d->https, "invalid_uri_scheme"}, {d->https && !d->verified, "invalid_cert"},
		{!d->type, "no_content_type"}, {d->type && !text_plain(d->type), "invalid_media"},
	};
	posture_evidence(f, "%u contacts", t.contacts);
	for (size_t i = 0; i < sizeof around / sizeof *around; i++)
		if (around[i].wrong) {
			bad = true;
			posture_evidence(f, ", %s", around[i].code);
		}
	for (unsigned k = 0; k < SECURITY_TXT_ALL; k++)
		if (t.found >> k & 1) {
			bad |= k < SECURITY_TXT_FAULTS;
			posture_evidence(f, "%s %s", k < SECURITY_TXT_FAULTS ? "," : "; advised:", security_txt_names[k]);
		}
	posture_is(f, t.found >> SECTXT_expired & 1 ? "security-txt-expired" : bad ? "security-txt-invalid" : "security-txt-valid");
}
