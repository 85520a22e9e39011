/* RFC 3161: a timestamp of a checkpoint, as the second way to show that the log stood so at a time. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ts.h>
#include <string.h>
#include <time.h>

#include "crypt/crypt.h"
#include "tlog/tlog.h"

static int refused(struct err *err, const char *what)
{
	const char *why = ERR_reason_error_string(ERR_get_error());
	ERR_clear_error();
	return err_set(err, ERR_CRYPTO, "%s%s%s", what, why ? ": " : "", why ? why : "");
}

int tlog_timestamp_request(struct span note, struct buf *out, struct err *err)
{
	uint8_t sha[32], *der = NULL;
	TS_REQ *req = TS_REQ_new();
	TS_MSG_IMPRINT *imprint = TS_MSG_IMPRINT_new();
	X509_ALGOR *algorithm = X509_ALGOR_new();
	must(req && imprint && algorithm);
	crypt_sha256(note.at, note.len, sha);
	X509_ALGOR_set0(algorithm, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL);
	int n = -1;
	if (TS_MSG_IMPRINT_set_algo(imprint, algorithm) == 1 && TS_MSG_IMPRINT_set_msg(imprint, sha, sizeof sha) == 1 &&
	    TS_REQ_set_version(req, 1) == 1 && TS_REQ_set_msg_imprint(req, imprint) == 1 && TS_REQ_set_cert_req(req, 1) == 1)
		n = i2d_TS_REQ(req, &der);
	if (n > 0)
		buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	X509_ALGOR_free(algorithm);
	TS_MSG_IMPRINT_free(imprint);
	TS_REQ_free(req);
	return n > 0 ? 0 : refused(err, "a timestamp can't be asked for");
}

static X509_STORE *store_of(struct span roots)
{
	BIO *b = BIO_new_mem_buf(roots.at, (int)roots.len);
	X509_STORE *s = X509_STORE_new();
	size_t n = 0;
	must(b && s);
	for (X509 *x; (x = PEM_read_bio_X509(b, NULL, NULL, NULL)); n++) {
		X509_STORE_add_cert(s, x);
		X509_free(x);
	}
	BIO_free(b);
	ERR_clear_error();
	if (n)
		return s;
	X509_STORE_free(s);
	return NULL;
}

static int64_t time_of(const TS_RESP *resp)
{
	TS_TST_INFO *info = TS_RESP_get_tst_info((TS_RESP *)(uintptr_t)resp);
	struct tm tm;
	const ASN1_GENERALIZEDTIME *t = info ? TS_TST_INFO_get_time(info) : NULL;
	return t && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : -1;
}

/* At the time that it states: a certificate that has expired since was good then. */
static bool verify(TS_RESP *resp, const uint8_t sha[static 32], X509_STORE *roots, int64_t at)
{
	TS_VERIFY_CTX *ctx = TS_VERIFY_CTX_new();
	uint8_t *imprint = OPENSSL_malloc(32);
	must(ctx && imprint);
	memcpy(imprint, sha, 32);
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(roots), (time_t)at);
	X509_STORE_up_ref(roots);
	TS_VERIFY_CTX_set_flags(ctx, TS_VFY_SIGNATURE | TS_VFY_VERSION | TS_VFY_IMPRINT);
	TS_VERIFY_CTX_set_imprint(ctx, imprint, 32);
	TS_VERIFY_CTX_set_store(ctx, roots);
	bool good = TS_RESP_verify_response(ctx, resp) == 1;
	TS_VERIFY_CTX_free(ctx);
	return good;
}

int tlog_timestamp_check(const uint8_t *p, size_t n, struct span note, struct span roots, int64_t *at, struct err *err)
{
	uint8_t sha[32];
	const uint8_t *end = p;
	TS_RESP *resp = n <= INT32_MAX ? d2i_TS_RESP(NULL, &end, (long)n) : NULL;
	if (!resp || end != p + n) {
		TS_RESP_free(resp);
		return refused(err, "not a timestamp");
	}
	X509_STORE *store = store_of(roots);
	*at = time_of(resp);
	crypt_sha256(note.at, note.len, sha);
	int r = 0;
	if (!store)
		r = err_set(err, ERR_INPUT, "no certificate of a timestamp authority to check it with");
	else if (*at < 0 || !verify(resp, sha, store, *at))
		r = refused(err, "the timestamp doesn't hold");
	X509_STORE_free(store);
	TS_RESP_free(resp);
	return r;
}
