/* Shared by the rules: one function a rule (rules.c has the table), and what several of them need. */
#ifndef POSTURE_RULES_H
#define POSTURE_RULES_H

#include "posture/posture.h"

typedef void rule_check(const struct posture_capture *c, struct arena *a, struct posture_finding *f);

rule_check rule_csp, rule_cookies, rule_coep, rule_coop, rule_corp, rule_cors, rule_redirection, rule_referrer, rule_hsts, rule_sri,
	rule_nosniff, rule_frames, rule_security_txt;
rule_check rule_tls_spoken, rule_tls_old, rule_tls_current, rule_tls_authentication, rule_tls_secrecy;
rule_check rule_cert_trust, rule_cert_name, rule_cert_time, rule_cert_renewal, rule_cert_key, rule_cert_signature;

/* The value without white space around it is this word, in any case. */
bool rules_word_is(const char *value, const char *lower);
/* Does HSTS hold (cookies are judged by it)? */
bool rules_hsts_passes(const struct posture_capture *c, struct arena *a);
/* host is domain, or below it. */
bool rules_domain_has(const char *domain, size_t domain_len, const char *host);

#endif
