/*
 * The certificate: trust, name, time, key and signature are five answers, so that one fault doesn't hide another
 * (a chain is trusted or not whatever its dates and names are).
 */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "posture/rules.h"

enum { DAY = 86400, RSA_LEAST = 2048, EC_LEAST = 224, CHAIN_MAX = 16 };

struct chain {
	X509 *leaf;
	STACK_OF(X509) *rest;
};

static void chain_release(struct chain *k)
{
	X509_free(k->leaf);
	sk_X509_pop_free(k->rest, X509_free);
}

/* False when nothing was sent; what can't be read isn't there. */
static bool chain_of(const struct posture_capture *c, struct chain *k)
{
	*k = (struct chain){.rest = sk_X509_new_null()};
	for (size_t i = 0; i < c->tls.certs_len && i < CHAIN_MAX; i++) {
		const unsigned char *p = (const unsigned char *)c->tls.certs[i].at;
		X509 *x = d2i_X509(NULL, &p, (long)c->tls.certs[i].len);
		if (i == 0)
			k->leaf = x;
		else if (x && !sk_X509_push(k->rest, x))
			X509_free(x);
	}
	if (k->leaf && k->rest)
		return true;
	chain_release(k);
	return false;
}

static bool times_of(const X509 *x, int64_t *from, int64_t *to)
{
	struct tm a, b;
	if (!ASN1_TIME_to_tm(X509_get0_notBefore(x), &a) || !ASN1_TIME_to_tm(X509_get0_notAfter(x), &b))
		return false;
	*from = timegm(&a);
	*to = timegm(&b);
	return true;
}

static void names(X509 *x, struct posture_finding *f)
{
	GENERAL_NAMES *g = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int n = sk_GENERAL_NAME_num(g), shown = 0;
	posture_evidence(f, "names:");
	for (int i = 0; i < n && shown < 4; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(g, i);
		if (name->type != GEN_DNS)
			continue;
		posture_evidence(f, " %.*s", ASN1_STRING_length(name->d.dNSName) > 60 ? 60 : ASN1_STRING_length(name->d.dNSName),
				 (const char *)ASN1_STRING_get0_data(name->d.dNSName));
		shown++;
	}
	posture_evidence(f, shown ? n > shown ? " and more" : "" : " no host name");
	GENERAL_NAMES_free(g);
}

void rule_cert_trust(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	struct chain k;
	(void)a;
	if (!c->roots || !chain_of(c, &k))
		return;
	X509_STORE *roots = (X509_STORE *)(uintptr_t)c->roots;
	X509_STORE_CTX *v = X509_STORE_CTX_new();
	if (v && X509_STORE_CTX_init(v, roots, k.leaf, k.rest) == 1) {
		X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(v);
		X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_NO_CHECK_TIME);
		X509_VERIFY_PARAM_set_auth_level(p, 0);	/* keys and signatures are rules of their own */
		X509_VERIFY_PARAM_set_purpose(p, X509_PURPOSE_SSL_SERVER);
		bool good = X509_verify_cert(v) == 1;
		int e = X509_STORE_CTX_get_error(v);
		posture_evidence(f, "%zu certificates sent", c->tls.certs_len);
		if (!good)
			posture_evidence(f, "; %s", X509_verify_cert_error_string(e));
		posture_is(f, good ? "cert-trusted" : e == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ? "cert-self-signed" : "cert-untrusted");
	}
	X509_STORE_CTX_free(v);
	chain_release(&k);
}

void rule_cert_name(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	struct chain k;
	(void)a;
	if (!chain_of(c, &k))
		return;
	bool good = X509_check_ip_asc(k.leaf, c->host, 0) == 1 ||
		    X509_check_host(k.leaf, c->host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
	names(k.leaf, f);
	posture_is(f, good ? "cert-name-matches" : "cert-name-mismatch");
	chain_release(&k);
}

/* Every certificate sent counts: an expired one in the middle breaks clients too. */
void rule_cert_time(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	struct chain k;
	int64_t from, to;
	char when[21];
	(void)a;
	if (!chain_of(c, &k))
		return;
	for (int i = -1; i < sk_X509_num(k.rest) && !f->outcome; i++) {
		if (!times_of(i < 0 ? k.leaf : sk_X509_value(k.rest, i), &from, &to))
			continue;
		clock_format(c->at > to ? to : from, when);
		if (c->at > to || c->at < from)
			posture_evidence(f, "certificate %d %s %s", i + 2, c->at > to ? "expired" : "is valid from", when);
		if (c->at > to)
			posture_is(f, "cert-expired");
		else if (c->at < from)
			posture_is(f, "cert-not-yet-valid");
	}
	if (!f->outcome && times_of(k.leaf, &from, &to)) {
		clock_format(to, when);
		posture_evidence(f, "valid until %s", when);
		posture_is(f, "cert-in-time");
	}
	chain_release(&k);
}

/*
 * Lifetimes shrink (SC-081v3: 47 days from 2029), so "30 days left" means nothing: late is measured by the
 * certificate's own lifetime.
 */
void rule_cert_renewal(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	struct chain k;
	int64_t from, to;
	(void)a;
	if (!chain_of(c, &k))
		return;
	if (times_of(k.leaf, &from, &to) && c->at <= to) {
		int64_t life = to - from, left = to - c->at, warn = life / 4 > 3 * DAY ? life / 4 : 3 * DAY;
		posture_evidence(f, "%lld of %lld days left", (long long)(left / DAY), (long long)(life / DAY));
		posture_is(f, left < life / 10 ? "cert-renewal-overdue" : left < warn ? "cert-renewal-due" : "cert-renewal-in-time");
	}
	chain_release(&k);
}

static bool weak_key(X509 *x, char *what, size_t n)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	int bits = key ? EVP_PKEY_get_bits(key) : 0, type = key ? EVP_PKEY_get_base_id(key) : 0;
	const char *name = type == EVP_PKEY_RSA ? "RSA" : type == EVP_PKEY_RSA_PSS ? "RSA-PSS" : type == EVP_PKEY_EC ? "EC" : type == EVP_PKEY_ED25519 ?
			   "Ed25519" : type == EVP_PKEY_ED448 ? "Ed448" : type == EVP_PKEY_DSA ? "DSA" : "unknown";
	snprintf(what, n, "%s %d bits", name, bits);
	if (type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS) {
		BIGNUM *e = NULL;
		bool tiny = EVP_PKEY_get_bn_param(key, "e", &e) == 1 && BN_is_one(e);
		BN_free(e);
		return bits < RSA_LEAST || tiny;
	}
	if (type == EVP_PKEY_EC)
		return bits < EC_LEAST;
	return type != EVP_PKEY_ED25519 && type != EVP_PKEY_ED448;
}

void rule_cert_key(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	struct chain k;
	char what[48];
	(void)a;
	if (!chain_of(c, &k))
		return;
	const char *outcome = "cert-key-strong";
	for (int i = -1; i < sk_X509_num(k.rest); i++) {
		bool weak = weak_key(i < 0 ? k.leaf : sk_X509_value(k.rest, i), what, sizeof what);
		if (i < 0 || weak)
			posture_evidence(f, "%s%s%s", i < 0 ? "" : "; in the chain: ", what, weak ? ", weak" : "");
		if (weak)
			outcome = "cert-key-weak";
	}
	posture_is(f, outcome);
	chain_release(&k);
}

/* A root's signature on itself proves nothing and isn't looked at. */
void rule_cert_signature(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	struct chain k;
	(void)a;
	if (!chain_of(c, &k))
		return;
	const char *outcome = "cert-signature-strong";
	for (int i = -1; i < sk_X509_num(k.rest); i++) {
		X509 *x = i < 0 ? k.leaf : sk_X509_value(k.rest, i);
		int md = NID_undef, bits = 0;
		if (i >= 0 && X509_self_signed(x, 0) == 1)
			continue;
		bool known = X509_get_signature_info(x, &md, NULL, &bits, NULL) == 1;
		bool digestless = known && md == NID_undef;	/* Ed25519, Ed448 */
		bool weak = !known || md == NID_sha1 || md == NID_md5 || md == NID_md5_sha1 || md == NID_md4 || md == NID_md2;
		const char *name = digestless ? "EdDSA" : known ? OBJ_nid2sn(md) : "unknown";
		if (i < 0 || weak)
			posture_evidence(f, "%s%s%s", i < 0 ? "" : "; in the chain: ", name, weak ? ", broken" : "");
		if (weak)
			outcome = "cert-signature-weak";
	}
	posture_is(f, outcome);
	chain_release(&k);
}
