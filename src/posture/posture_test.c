/* The rules over captures made here; and MDN Observatory's own fixtures, when they are there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "posture/capture_read.h"
#include "posture/csp.h"
#include "posture/html.h"
#include "posture/report.h"
#include "posture/securitytxt.h"

static const struct posture_finding *finding(const struct posture_report *r, const char *rule)
{
	for (size_t i = 0; i < r->findings_len; i++)
		if (strcmp(r->findings[i].rule->id, rule) == 0)
			return &r->findings[i];
	fail_msg("%s wasn't asked", rule);
	return NULL;
}

struct row {
	const char *rule, *header, *value, *page, *outcome;
};

#define CSP "content-security-policy"
static const struct row rows[] = {
	{CSP, NULL, NULL, "", "csp-not-implemented"},
	{CSP, CSP, "", "", "csp-header-invalid"},
	{CSP, CSP, "img-s", "", "csp-header-invalid"},
	{CSP, CSP, "img-src a.example; img-src b.example", "", "csp-header-invalid"},
	{CSP, CSP, "default-src 'none'", "", "csp-implemented-with-no-unsafe-default-src-none"},
	{CSP, CSP, "DEFAULT-SRC 'NONE';;", "", "csp-implemented-with-no-unsafe-default-src-none"},
	{CSP, CSP, "default-src 'self'", "", "csp-implemented-with-no-unsafe"},
	{CSP, CSP, "default-src 'self'; report-uri /a; report-uri /b", "", "csp-implemented-but-duplicate-directives"},
	{CSP, CSP, "default-src 'self' 'unsafe-eval'; report-uri /a; report-uri /b", "", "csp-implemented-with-unsafe-eval"},
	{CSP, CSP, "default-src 'self' 'unsafe-inline'", "", "csp-implemented-with-unsafe-inline"},
	{CSP, CSP, "default-src 'self' 'unsafe-inline' 'nonce-1'", "", "csp-implemented-with-no-unsafe"},
	{CSP, CSP, "default-src 'self'; style-src 'unsafe-inline'", "", "csp-implemented-with-unsafe-inline-in-style-src-only"},
	{CSP, CSP, "default-src 'self'; frame-src http://a.example", "", "csp-implemented-with-insecure-scheme"},
	{CSP, CSP, "default-src 'self'; img-src http://a.example", "", "csp-implemented-with-insecure-scheme-in-passive-content-only"},
	{CSP, CSP, "default-src 'self'; script-src 'strict-dynamic'", "", "csp-header-invalid"},
	{CSP, CSP, "object-src 'none'; script-src 'strict-dynamic' 'sha256-x' https: 'unsafe-inline'; style-src 'self'", "",
	 "csp-implemented-with-no-unsafe"},
	{CSP, CSP, "default-src 'none'; object-src https:", "", "csp-implemented-with-unsafe-inline"},
	{CSP, CSP, "script-src 'self'; style-src 'self'", "", "csp-implemented-with-unsafe-inline"},	/* objects from anywhere */
	{CSP, CSP, "default-src a.example, default-src b.example", "", "csp-implemented-with-no-unsafe-default-src-none"},
	{CSP, CSP, "default-src a.example b.example, default-src b.example", "", "csp-implemented-with-no-unsafe"},
	{CSP, CSP "-report-only", "default-src 'self'", "", "csp-not-implemented-but-reporting-enabled"},
	{CSP, NULL, NULL, "<meta http-equiv=content-security-policy content=\"default-src &#39;none&#39;\">",
	 "csp-implemented-with-no-unsafe-default-src-none"},
	{CSP, NULL, NULL, "<!-- <meta http-equiv=content-security-policy content=\"default-src 'none'\"> -->", "csp-not-implemented"},
	{CSP, NULL, NULL, "<script>'<meta http-equiv=content-security-policy content=\"default-src x\">'</script>", "csp-not-implemented"},
	{CSP, NULL, NULL, "<meta http-equiv=content-security-policy content=\"frame-ancestors 'none'\">", "csp-not-implemented"},
	{"x-frame-options", NULL, NULL, "<meta http-equiv=content-security-policy content=\"default-src 'self'; frame-ancestors 'none'\">",
	 "x-frame-options-not-implemented"},
	{"x-frame-options", "X-Frame-Options", "nonsense", "", "x-frame-options-header-invalid"},
	{"x-frame-options", CSP, "frame-ancestors 'none'", "", "x-frame-options-implemented-via-csp"},
	{"cross-origin-opener-policy", "Cross-Origin-Opener-Policy", "same-origin;report-to=\"a\\\"b\"", "", "coop-implemented-with-same-origin"},
	{"cross-origin-opener-policy", "Cross-Origin-Opener-Policy", "same-origin;report-to=\"a", "", "coop-header-invalid"},
	{"cross-origin-opener-policy", "Cross-Origin-Opener-Policy", "same-origin x", "", "coop-header-invalid"},
	{"cross-origin-embedder-policy", "Cross-Origin-Embedder-Policy", "Require-Corp", "", "coep-header-invalid"},
	{"cross-origin-resource-policy", "Cross-Origin-Resource-Policy", "SAME-SITE", "", "corp-implemented-with-same-site"},
	{"referrer-policy", "Referrer-Policy", "unsafe-url, no-referrer, later-word", "", "referrer-policy-private"},
	{"referrer-policy", "Referrer-Policy", "no-referrer", "<meta name=referrer content=origin>", "referrer-policy-unsafe"},
	{"x-content-type-options", "X-Content-Type-Options", " NoSniff ", "", "x-content-type-options-nosniff"},
	{"subresource-integrity", NULL, NULL, "<p>", "sri-not-implemented-but-no-scripts-loaded"},
	{"subresource-integrity", NULL, NULL, "<script src=/a.js></script>", "sri-not-implemented-but-all-scripts-loaded-from-secure-origin"},
	{"subresource-integrity", NULL, NULL, "<script src=https://cdn.vendor.example/a></script>",
	 "sri-not-implemented-but-all-scripts-loaded-from-secure-origin"},
	{"subresource-integrity", NULL, NULL, "<script src=https://other.example/a></script>", "sri-not-implemented-but-external-scripts-loaded-securely"},
	{"subresource-integrity", NULL, NULL, "<SCRIPT integrity=x SRC='https://other.example/a'></SCRIPT>",
	 "sri-implemented-and-external-scripts-loaded-securely"},
	{"subresource-integrity", NULL, NULL, "<script src=//vendor.example/a></script>", "sri-not-implemented-and-external-scripts-not-loaded-securely"},
	{"subresource-integrity", NULL, NULL, "<script src=http://other.example/a integrity=x></script>",
	 "sri-implemented-but-external-scripts-not-loaded-securely"},
	{"strict-transport-security", "Strict-Transport-Security", "max-age=15552000", "", "hsts-implemented-max-age-at-least-six-months"},
	{"strict-transport-security", "Strict-Transport-Security", "includeSubDomains; Max-Age=\"15551999\"", "",
	 "hsts-implemented-max-age-less-than-six-months"},
	{"strict-transport-security", "Strict-Transport-Security", "max-age=soon", "", "hsts-header-invalid"},
	{"strict-transport-security", "Strict-Transport-Security", "max-age=1, max-age=1", "", "hsts-header-invalid"},
};

static void each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *w = &rows[i];
		struct posture_header h[] = {{"Content-Type", "text/html; charset=utf-8"}, {w->header, w->value}};
		struct posture_response r = {200, true, h, w->header ? 2 : 1, {w->page, strlen(w->page)}};
		struct posture_capture c = {.host = "www.vendor.example", .page = &r, .https = &r, .page_https = true};
		struct posture_report out;
		posture_judge(&c, &out);
		const struct posture_finding *f = finding(&out, w->rule);
		if (!f->outcome || strcmp(f->outcome->name, w->outcome) != 0)
			fail_msg("row %zu: %s: %s, want %s", i, w->rule, f->outcome ? f->outcome->name : "unknown", w->outcome);
	}
}

static const struct {
	const char *cookies[3];
	bool hsts;
	const char *outcome;
} cookie_rows[] = {
	{{NULL}, false, "cookies-not-found"},
	{{"a=1; Secure; SameSite=Lax"}, false, "cookies-secure-with-httponly-sessions-and-samesite"},
	{{"a=1; Secure"}, false, "cookies-secure-with-httponly-sessions"},
	{{"a=1"}, false, "cookies-without-secure-flag"},
	{{"a=1"}, true, "cookies-without-secure-flag-but-protected-by-hsts"},
	{{"mySession=1; Secure"}, false, "cookies-session-without-httponly-flag"},
	{{"Login=1; HttpOnly"}, false, "cookies-session-without-secure-flag"},
	{{"Login=1; HttpOnly"}, true, "cookies-session-without-secure-flag-but-protected-by-hsts"},
	{{"xcsrf=1; Secure"}, false, "cookies-anticsrf-without-samesite-flag"},
	{{"a=1; Secure; SameSite=maybe"}, false, "cookies-samesite-flag-invalid"},
	{{"a=1; SameSite=None"}, true, "cookies-samesite-flag-invalid"},
	{{"a=1", "a=2; Secure"}, false, "cookies-secure-with-httponly-sessions"},	/* the later replaces it */
	{{"a=1; Domain=elsewhere.example"}, false, "cookies-not-found"},
	{{"heroku-session-affinity=1"}, false, "cookies-not-found"},
};

static void cookies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cookie_rows / sizeof *cookie_rows; i++) {
		struct posture_header h = {"Strict-Transport-Security", "max-age=31536000"};
		struct posture_response r = {200, true, &h, cookie_rows[i].hsts, {"", 0}};
		struct posture_cookie jar[3];
		size_t n = 0;
		for (; n < 3 && cookie_rows[i].cookies[n]; n++)
			jar[n] = (struct posture_cookie){"vendor.example", cookie_rows[i].cookies[n]};
		struct posture_capture c = {.host = "vendor.example", .page = &r, .https = &r, .page_https = true, .cookies = jar, .cookies_len = n};
		struct posture_report out;
		posture_judge(&c, &out);
		assert_string_equal(finding(&out, "cookies")->outcome->name, cookie_rows[i].outcome);
	}
}

#define GOOD "Contact: mailto:security@vendor.example\nExpires: 2026-06-01T00:00:00Z\nEncryption: https://vendor.example/key\n"
static const struct {
	const char *text;
	enum security_txt_code code;
	bool found;
} txt_rows[] = {
	{GOOD, SECTXT_no_contact, false},
	{GOOD, SECTXT_no_line_separators, false},
	{"Expires: 2026-06-01T00:00:00Z\n", SECTXT_no_contact, true},
	{"Contact: https://a.example\n", SECTXT_no_expire, true},
	{GOOD "Expires: 2026-07-01T00:00:00Z\n", SECTXT_multi_expire, true},
	{"Contact: https://a.example\nExpires: 2025-12-31T23:59:59Z\n", SECTXT_expired, true},
	{"Contact: https://a.example\nExpires: 2026-06-01\n", SECTXT_invalid_expiry, true},
	{"Contact: https://a.example\nExpires: 2028-01-01T00:00:00Z\n", SECTXT_long_expiry, true},
	{"Contact: https://a.example\nExpires: 2026-06-01T00:00:00Z", SECTXT_no_line_separators, true},
	{"Contact: http://a.example\n", SECTXT_no_https, true},
	{"Contact: security@a.example\n", SECTXT_no_uri, true},
	{"Contact: mailto:a@b.example\n", SECTXT_no_encryption, true},
	{GOOD, SECTXT_no_encryption, false},
	{"Contact:https://a.example\n", SECTXT_no_space, true},
	{" Contact: https://a.example\n", SECTXT_prec_ws, true},
	{"Contact : https://a.example\n", SECTXT_prec_ws, true},
	{"Contact:\n", SECTXT_empty_value, true},
	{": x\n", SECTXT_empty_key, true},
	{"hello\n", SECTXT_invalid_line, true},
	{"# hello\n\n", SECTXT_invalid_line, false},
	{"Preferred-Languages: en, de-CH\n", SECTXT_invalid_lang, false},
	{"Preferred-Languages: en,, de\n", SECTXT_invalid_lang, true},
	{"Preferred-Languages: en\nPreferred-Languages: de\n", SECTXT_multi_lang, true},
	{"Canonical: https://vendor.example/.well-known/security.txt\n", SECTXT_no_canonical_match, false},
	{"Canonical: https://elsewhere.example/security.txt\n", SECTXT_no_canonical_match, true},
	{"CSAF: https://a.example/provider-metadata.json\n", SECTXT_no_csaf_file, false},
	{"CSAF: https://a.example/x.json\n", SECTXT_no_csaf_file, true},
	{"Colour: red\n", SECTXT_unknown_field, true},
	{"\xef\xbb\xbf" GOOD, SECTXT_bom_in_file, true},
	{"# \xff\n", SECTXT_utf8, true},
	{"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" GOOD "-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----\n",
	 SECTXT_not_signed, false},
	{"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" GOOD "-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----\n",
	 SECTXT_no_contact, false},
	{"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" GOOD, SECTXT_signed_format_issue, true},
	{"-----BEGIN PGP SIGNED MESSAGE-----\n\n-----BEGIN PGP SIGNATURE-----\n-----END PGP SIGNATURE-----\nmore\n", SECTXT_data_after_sig, true},
};

static void security_txt(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof txt_rows / sizeof *txt_rows; i++) {
		struct security_txt t;
		security_txt_read((struct span){txt_rows[i].text, strlen(txt_rows[i].text)}, "https://vendor.example/.well-known/security.txt", 1767225600, &t);
		if ((t.found >> txt_rows[i].code & 1) != txt_rows[i].found)
			fail_msg("row %zu: %s is %d", i, security_txt_names[txt_rows[i].code], !txt_rows[i].found);
	}
}

static void grades(void **state)
{
	(void)state;
	static const struct {
		int score;
		const char *grade;
	} chart[] = {{-5, "F"}, {0, "F"}, {24, "F"}, {25, "D-"}, {30, "D"}, {44, "D+"}, {45, "C-"}, {59, "C"}, {60, "C+"}, {65, "B-"}, {79, "B"}, {80, "B+"},
		     {89, "A-"}, {90, "A"}, {99, "A"}, {100, "A+"}, {140, "A+"}};
	for (size_t i = 0; i < sizeof chart / sizeof *chart; i++)
		assert_string_equal(posture_grade(chart[i].score), chart[i].grade);
	assert_true(posture_grade_rank("A+") > posture_grade_rank("A") && posture_grade_rank("D-") > posture_grade_rank("F"));
	assert_int_equal(posture_grade_rank("E"), -1);
}

/* A report read back is the same report; names that the table doesn't have are refused. */
static void read_back(void **state)
{
	(void)state;
	struct posture_header h[] = {{"Content-Type", "text/html"}, {"X-Frame-Options", "DENY"}};
	struct posture_response r = {200, true, h, 2, {"", 0}};
	struct posture_capture c = {.host = "vendor.example", .page = &r, .https = &r, .page_https = true, .at = 1};
	struct posture_report one, two;
	enum posture_profile profile;
	struct err err;
	posture_judge(&c, &one);
	json_t *j = posture_report_json("https://vendor.example", &c, &one), *results = json_object_get(j, "results");
	json_object_set_new(j, "score", json_integer(100));	/* not believed */
	assert_int_equal(posture_report_read(j, &profile, &two, &err), 0);
	assert_int_equal(two.score, one.score);
	assert_string_equal(two.grade, one.grade);
	json_t *first = json_array_get(results, 11);
	json_object_set_new(first, "outcome", json_string("perfect"));
	assert_int_equal(posture_report_read(j, &profile, &two, &err), -1);
	json_object_set_new(first, "outcome", json_null());
	json_array_append(results, first);
	assert_int_equal(posture_report_read(j, &profile, &two, &err), -1);
	json_decref(j);
}

/* ---- MDN Observatory's fixtures --------------------------------------------------------------------------------- */

static json_t *fixture(const char *name)
{
	const char *data = getenv("WEIR_TESTDATA");
	char *path = xasprintf("%s%s/mdn-observatory/fixtures/%s.json", data ? data : WEIR_SOURCE "/../shared/testdata", "", name);
	json_error_t e;
	json_t *j = json_load_file(path, 0, &e);
	free(path);
	return j;
}

static void observatory(void **state)
{
	(void)state;
	static const struct {
		const char *name, *grade;
		int score;
	} want[] = {{"observatory-mozilla-org", "A+", 110}, {"mozilla-org", "B", 75}};
	for (size_t i = 0; i < 2; i++) {
		json_t *j = fixture(want[i].name);
		struct posture_capture c;
		struct posture_report r;
		struct arena a;
		if (!j) {
			print_message("skipped: no test data\n");
			skip();
		}
		arena_init(&a, 0);
		capture_read(j, &a, &c);
		posture_judge(&c, &r);
		assert_int_equal(r.observatory_score, want[i].score);
		assert_string_equal(posture_grade(r.observatory_score), want[i].grade);
		arena_release(&a);
		json_decref(j);
	}
}

/* man/weir-posture.1 names every rule. */
static void manual(void **state)
{
	(void)state;
	struct buf b, name;
	FILE *f = fopen(WEIR_SOURCE "/man/weir-posture.1", "re");
	assert_non_null(f);
	buf_init(&b, 0);
	for (int ch; (ch = getc(f)) != EOF;)
		if (ch != '\\')
			buf_addc(&b, (char)ch);
	fclose(f);
	buf_init(&name, 0);
	for (const struct posture_rule *r = posture_rules; r->id; r++) {
		buf_reset(&name);
		buf_addf(&name, "%s", r->id);
		if (!strstr((char *)b.data, (char *)name.data))
			fail_msg("man/weir-posture.1 doesn't name %s", r->id);
	}
	buf_release(&name);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row), cmocka_unit_test(cookies), cmocka_unit_test(security_txt), cmocka_unit_test(grades),
		cmocka_unit_test(read_back), cmocka_unit_test(observatory), cmocka_unit_test(manual),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
