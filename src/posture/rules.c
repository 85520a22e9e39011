/*
 * The rules, one table.  Points are {web, api}.
 *
 * Rules of source "observatory" are MDN HTTP Observatory's, algorithm 6: outcomes, order and points.  In the profile api
 * those that only a browser showing pages obeys aren't asked (NA), and HSTS counts little: no person types an API's address.
 *
 * The rest is Weir's own choice:
 *   TLS 1.0 and 1.1 are deprecated (RFC 8996): SSL Labs caps at B, the Dutch guideline fails; -20, an API -30 (its
 *     clients are machines that can speak better).  TLS 1.3 absent is a warning as at SSL Labs.
 *   A certificate that fails trust, name or time means that a client who checks can't connect, and one who connects
 *     doesn't check: -100 each, which is F whatever else is good.
 *   Keys and signatures: the CA/Browser Forum's least (RSA 2048, P-224) and SHA-1 as at SSL Labs: -60.
 *   security.txt is asked of sites only; MVSP 1.1 wants one, Observatory doesn't look.
 */
#include "posture/rules.h"

#define END {NULL, {0, 0}, NULL}

static const struct posture_outcome csp[] = {
	{"csp-implemented-with-no-unsafe-default-src-none", {10, NA}, "policy without unsafe sources, default-src 'none'"},
	{"csp-implemented-with-no-unsafe", {5, NA}, "policy without unsafe sources"},
	{"csp-implemented-with-unsafe-inline-in-style-src-only", {0, NA}, "unsafe sources for styles only"},
	{"csp-implemented-with-insecure-scheme-in-passive-content-only", {-10, NA}, "images or media may come over http"},
	{"csp-implemented-with-unsafe-eval", {-10, NA}, "policy allows eval"},
	{"csp-implemented-with-unsafe-inline", {-20, NA}, "policy allows inline scripts, data: or any host"},
	{"csp-implemented-with-insecure-scheme", {-20, NA}, "active content may come over http"},
	{"csp-header-invalid", {-25, NA}, "policy can't be read"},
	{"csp-not-implemented", {-25, NA}, "no policy"},
	{"csp-not-implemented-but-reporting-enabled", {-25, NA}, "policy only reports"},
	{"csp-implemented-but-duplicate-directives", {0, NA}, "good policy, reporting named twice"},
	END,
};
static const struct posture_outcome cookies[] = {
	{"cookies-secure-with-httponly-sessions-and-samesite", {5, NA}, "all Secure, sessions HttpOnly, all SameSite"},
	{"cookies-secure-with-httponly-sessions", {0, NA}, "all Secure, sessions HttpOnly"},
	{"cookies-not-found", {0, NA}, "no cookies"},
	{"cookies-without-secure-flag-but-protected-by-hsts", {-5, NA}, "a cookie without Secure, but HSTS"},
	{"cookies-session-without-secure-flag-but-protected-by-hsts", {-10, NA}, "a session cookie without Secure, but HSTS"},
	{"cookies-without-secure-flag", {-20, NA}, "a cookie without Secure"},
	{"cookies-samesite-flag-invalid", {-20, NA}, "SameSite with an invalid value, or None without Secure"},
	{"cookies-anticsrf-without-samesite-flag", {-20, NA}, "an anti-CSRF cookie without SameSite"},
	{"cookies-session-without-httponly-flag", {-30, NA}, "a session cookie that scripts can read"},
	{"cookies-session-without-secure-flag", {-40, NA}, "a session cookie without Secure"},
	END,
};
static const struct posture_outcome coep[] = {
	{"coep-implemented-with-require-corp", {10, NA}, "require-corp"},
	{"coep-implemented-with-credentialless", {10, NA}, "credentialless"},
	{"coep-implemented-with-unsafe-none", {0, NA}, "unsafe-none"},
	{"coep-not-implemented", {0, NA}, "no header"},
	{"coep-header-invalid", {-5, NA}, "header can't be read"},
	END,
};
static const struct posture_outcome coop[] = {
	{"coop-implemented-with-same-origin", {10, NA}, "same-origin"},
	{"coop-implemented-with-same-origin-allow-popups", {10, NA}, "same-origin-allow-popups"},
	{"coop-implemented-with-noopener-allow-popups", {10, NA}, "noopener-allow-popups"},
	{"coop-implemented-with-unsafe-none", {0, NA}, "unsafe-none"},
	{"coop-not-implemented", {0, NA}, "no header"},
	{"coop-header-invalid", {-5, NA}, "header can't be read"},
	END,
};
static const struct posture_outcome cors[] = {
	{"cross-origin-resource-sharing-not-implemented", {0, 0}, "other origins read nothing"},
	{"cross-origin-resource-sharing-implemented-with-public-access", {0, 0}, "all origins read, without credentials"},
	{"cross-origin-resource-sharing-implemented-with-restricted-access", {0, 0}, "some origins read"},
	{"cross-origin-resource-sharing-implemented-with-universal-access", {-50, -50}, "any origin reads with the user's credentials"},
	END,
};
static const struct posture_outcome redirection[] = {
	{"redirection-all-redirects-preloaded", {0, 0}, "all hosts of the redirects are preloaded for HSTS"},
	{"redirection-to-https", {0, 0}, "http goes to https on the same host"},
	{"redirection-not-needed-no-http", {0, 0}, "http isn't answered"},
	{"redirection-off-host-from-http", {-5, -5}, "http goes to another host first"},
	{"redirection-not-to-https-on-initial-redirection", {-10, -10}, "the first redirect stays on http"},
	{"redirection-not-to-https", {-20, -20}, "redirects end on http"},
	{"redirection-missing", {-20, -20}, "http is answered without a redirect"},
	{"redirection-invalid-cert", {-20, -20}, "redirects meet an untrusted certificate"},
	END,
};
static const struct posture_outcome referrer[] = {
	{"referrer-policy-private", {5, NA}, "referrers stay private"},
	{"referrer-policy-not-implemented", {0, NA}, "no policy: the browser's own applies"},
	{"referrer-policy-unsafe", {-5, NA}, "referrers leak to other sites"},
	{"referrer-policy-header-invalid", {-5, NA}, "policy has no known word"},
	END,
};
static const struct posture_outcome hsts[] = {
	{"hsts-preloaded", {5, 0}, "preloaded in browsers"},
	{"hsts-implemented-max-age-at-least-six-months", {0, 0}, "six months or more"},
	{"hsts-implemented-max-age-less-than-six-months", {-10, 0}, "less than six months"},
	{"hsts-not-implemented", {-20, -5}, "no header"},
	{"hsts-header-invalid", {-20, -5}, "header can't be read, or is set twice"},
	{"hsts-not-implemented-no-https", {-20, -5}, "no https"},
	{"hsts-invalid-cert", {-20, -5}, "untrusted certificate: browsers ignore the header"},
	END,
};
static const struct posture_outcome sri[] = {
	{"sri-implemented-and-all-scripts-loaded-securely", {5, NA}, "scripts carry hashes and come over https"},
	{"sri-implemented-and-external-scripts-loaded-securely", {5, NA}, "scripts from elsewhere carry hashes and come over https"},
	{"sri-not-implemented-response-not-html", {0, NA}, "not a page"},
	{"sri-not-implemented-but-no-scripts-loaded", {0, NA}, "no scripts"},
	{"sri-not-implemented-but-all-scripts-loaded-from-secure-origin", {0, NA}, "scripts come from the site itself"},
	{"sri-not-implemented-but-external-scripts-loaded-securely", {-5, NA}, "scripts from elsewhere without hashes"},
	{"sri-implemented-but-external-scripts-not-loaded-securely", {-20, NA}, "scripts from elsewhere over http, with hashes"},
	{"sri-not-implemented-and-external-scripts-not-loaded-securely", {-50, NA}, "scripts from elsewhere over http, without hashes"},
	END,
};
static const struct posture_outcome nosniff[] = {
	{"x-content-type-options-nosniff", {0, 0}, "nosniff"},
	{"x-content-type-options-not-implemented", {-5, -5}, "no header"},
	{"x-content-type-options-header-invalid", {-5, -5}, "header isn't nosniff"},
	END,
};
static const struct posture_outcome frames[] = {
	{"x-frame-options-implemented-via-csp", {5, NA}, "frame-ancestors in the policy"},
	{"x-frame-options-sameorigin-or-deny", {5, NA}, "DENY or SAMEORIGIN"},
	{"x-frame-options-allow-from-origin", {0, NA}, "ALLOW-FROM, which browsers ignore"},
	{"x-frame-options-not-implemented", {-20, NA}, "anyone may frame the pages"},
	{"x-frame-options-header-invalid", {-20, NA}, "header can't be read"},
	END,
};
static const struct posture_outcome corp[] = {
	{"corp-header-invalid", {-5, NA}, "header can't be read"},
	{"corp-implemented-with-cross-origin", {0, NA}, "cross-origin"},
	{"corp-implemented-with-same-origin", {10, NA}, "same-origin"},
	{"corp-implemented-with-same-site", {10, NA}, "same-site"},
	{"corp-not-implemented", {0, NA}, "no header"},
	END,
};

static const struct posture_outcome tls_spoken[] = {
	{"tls-spoken", {0, 0}, "TLS is spoken"},
	{"tls-none", {-100, -100}, "no TLS: everybody on the way reads and changes what is sent"},
	END,
};
static const struct posture_outcome tls_old[] = {
	{"tls-old-refused", {0, 0}, "TLS 1.0 and 1.1 refused"},
	{"tls-old-accepted", {-20, -30}, "TLS 1.0 or 1.1 accepted"},
	END,
};
static const struct posture_outcome tls_current[] = {
	{"tls-1.3", {0, 0}, "TLS 1.3 accepted"},
	{"tls-1.2-only", {-5, -5}, "TLS 1.2, not 1.3"},
	{"tls-neither", {-60, -60}, "neither TLS 1.2 nor 1.3"},
	END,
};
static const struct posture_outcome tls_authentication[] = {
	{"tls-null-refused", {0, 0}, "suites without encryption or certificate refused"},
	{"tls-null-accepted", {-100, -100}, "a suite without encryption or certificate accepted"},
	END,
};
static const struct posture_outcome tls_secrecy[] = {
	{"tls-forward-secrecy", {0, 0}, "ephemeral keys"},
	{"tls-no-forward-secrecy", {-15, -20}, "no ephemeral keys: who gets the server's key later reads what was recorded"},
	END,
};
static const struct posture_outcome cert_trust[] = {
	{"cert-trusted", {0, 0}, "chain ends at a trusted root"},
	{"cert-self-signed", {-100, -100}, "self-signed"},
	{"cert-untrusted", {-100, -100}, "chain doesn't end at a trusted root"},
	END,
};
static const struct posture_outcome cert_name[] = {
	{"cert-name-matches", {0, 0}, "the host is named"},
	{"cert-name-mismatch", {-100, -100}, "the host isn't named"},
	END,
};
static const struct posture_outcome cert_time[] = {
	{"cert-in-time", {0, 0}, "all certificates are in their time"},
	{"cert-expired", {-100, -100}, "a certificate has expired"},
	{"cert-not-yet-valid", {-100, -100}, "a certificate isn't valid yet"},
	END,
};
static const struct posture_outcome cert_renewal[] = {
	{"cert-renewal-in-time", {0, 0}, "renewal isn't due"},
	{"cert-renewal-due", {-5, -5}, "less than a quarter of the lifetime, or 3 days, left"},
	{"cert-renewal-overdue", {-10, -10}, "less than a tenth of the lifetime left"},
	END,
};
static const struct posture_outcome cert_key[] = {
	{"cert-key-strong", {0, 0}, "RSA from 2048, EC from 224 bits, Ed25519, Ed448"},
	{"cert-key-weak", {-60, -60}, "a key that is too short or of a kind nobody should use"},
	END,
};
static const struct posture_outcome cert_signature[] = {
	{"cert-signature-strong", {0, 0}, "SHA-2 or better"},
	{"cert-signature-weak", {-60, -60}, "SHA-1, MD5 or unknown"},
	END,
};
static const struct posture_outcome security_txt[] = {
	{"security-txt-valid", {0, NA}, "present, and as RFC 9116 wants it"},
	{"security-txt-missing", {-5, NA}, "none: finders of a flaw don't know whom to tell"},
	{"security-txt-invalid", {-5, NA}, "present, with faults"},
	{"security-txt-expired", {-5, NA}, "present, past its Expires"},
	END,
};

const struct posture_rule posture_rules[] = {
	{"tls", 1, "weir", "TLS spoken", tls_spoken, rule_tls_spoken},
	{"tls-old", 1, "weir", "old versions", tls_old, rule_tls_old},
	{"tls-current", 1, "weir", "current versions", tls_current, rule_tls_current},
	{"tls-null", 1, "weir", "null and anonymous suites", tls_authentication, rule_tls_authentication},
	{"tls-forward-secrecy", 1, "weir", "forward secrecy", tls_secrecy, rule_tls_secrecy},
	{"cert-trust", 1, "weir", "certificate trusted", cert_trust, rule_cert_trust},
	{"cert-name", 1, "weir", "certificate's name", cert_name, rule_cert_name},
	{"cert-time", 1, "weir", "certificate's time", cert_time, rule_cert_time},
	{"cert-renewal", 1, "weir", "certificate's renewal", cert_renewal, rule_cert_renewal},
	{"cert-key", 1, "weir", "certificates' keys", cert_key, rule_cert_key},
	{"cert-signature", 1, "weir", "certificates' signatures", cert_signature, rule_cert_signature},
	{"content-security-policy", 1, "observatory", "Content Security Policy", csp, rule_csp},
	{"cookies", 1, "observatory", "cookies", cookies, rule_cookies},
	{"cross-origin-embedder-policy", 1, "observatory", "embedder policy", coep, rule_coep},
	{"cross-origin-opener-policy", 1, "observatory", "opener policy", coop, rule_coop},
	{"cross-origin-resource-sharing", 1, "observatory", "cross-origin sharing", cors, rule_cors},
	{"redirection", 1, "observatory", "redirection to https", redirection, rule_redirection},
	{"referrer-policy", 1, "observatory", "referrer policy", referrer, rule_referrer},
	{"strict-transport-security", 1, "observatory", "HSTS", hsts, rule_hsts},
	{"subresource-integrity", 1, "observatory", "subresource integrity", sri, rule_sri},
	{"x-content-type-options", 1, "observatory", "content type sniffing", nosniff, rule_nosniff},
	{"x-frame-options", 1, "observatory", "framing", frames, rule_frames},
	{"cross-origin-resource-policy", 1, "observatory", "resource policy", corp, rule_corp},
	{"security-txt", 1, "rfc9116", "security.txt", security_txt, rule_security_txt},
	{NULL, 0, NULL, NULL, NULL, NULL},
};
