/* TLS 1.2 and 1.3 on memory BIOs: the loop moves the bytes, OpenSSL never sees a descriptor. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "http/conn.h"

struct http_tls {
	SSL_CTX *ctx;
};

struct tls_link {
	SSL *ssl;
	BIO *from_wire, *to_wire;	/* owned by ssl */
};

static int crypto_fail(struct err *err, const char *what)
{
	unsigned long e = ERR_peek_last_error();
	const char *why = e ? ERR_reason_error_string(e) : NULL;
	ERR_clear_error();
	return err_set(err, ERR_CRYPTO, "%s: %s", what, why ? why : "not usable");
}

static int use_chain(SSL_CTX *ctx, struct span pem, struct err *err)
{
	BIO *in = BIO_new_mem_buf(pem.at, (int)pem.len);
	X509 *leaf = in ? PEM_read_bio_X509_AUX(in, NULL, NULL, NULL) : NULL;
	int ok = leaf && SSL_CTX_use_certificate(ctx, leaf) == 1;
	X509_free(leaf);
	for (X509 *more; ok && (more = PEM_read_bio_X509(in, NULL, NULL, NULL));)
		if (SSL_CTX_add0_chain_cert(ctx, more) != 1) {
			X509_free(more);
			ok = 0;
		}
	BIO_free(in);
	if (!ok)
		return crypto_fail(err, "TLS certificate");
	ERR_clear_error();	/* "no start line" ends the chain */
	return 0;
}

static int no_password(char *b, int n, int w, void *u)
{
	(void)b, (void)n, (void)w, (void)u;
	return -1;	/* an encrypted key is an error, not a question on a terminal */
}

static int use_key(SSL_CTX *ctx, struct span pem, struct err *err)
{
	BIO *in = BIO_new_mem_buf(pem.at, (int)pem.len);
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_password, NULL) : NULL;
	int ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
	EVP_PKEY_free(key);
	BIO_free(in);
	return ok ? 0 : crypto_fail(err, "TLS key");
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len,
			   void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;
	(void)ssl, (void)arg;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

int http_tls_new(struct span cert_pem, struct span key_pem, struct http_tls **out, struct err *err)
{
	if (cert_pem.len > INT32_MAX || key_pem.len > INT32_MAX)
		return err_set(err, ERR_LIMIT, "TLS certificate or key is too long");
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx)
		return crypto_fail(err, "TLS");
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"weir", 4);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	if (use_chain(ctx, cert_pem, err) != 0 || use_key(ctx, key_pem, err) != 0) {
		SSL_CTX_free(ctx);
		return -1;
	}
	*out = xmalloc(sizeof(**out));
	(*out)->ctx = ctx;
	return 0;
}

void http_tls_free(struct http_tls **t)
{
	if (*t) {
		SSL_CTX_free((*t)->ctx);
		free(*t);
	}
	*t = NULL;
}

struct tls_link *tls_link_new(struct http_tls *t)
{
	struct tls_link *l = xcalloc(1, sizeof(*l));
	l->ssl = SSL_new(t->ctx);
	l->from_wire = BIO_new(BIO_s_mem());
	l->to_wire = BIO_new(BIO_s_mem());
	must(l->ssl && l->from_wire && l->to_wire);
	BIO_set_mem_eof_return(l->from_wire, -1);
	BIO_set_mem_eof_return(l->to_wire, -1);
	SSL_set_bio(l->ssl, l->from_wire, l->to_wire);
	SSL_set_accept_state(l->ssl);
	return l;
}

void tls_link_free(struct tls_link **l)
{
	if (*l) {
		SSL_free((*l)->ssl);
		free(*l);
	}
	*l = NULL;
}

void tls_link_feed(struct tls_link *l, const void *p, size_t n)
{
	must(BIO_write(l->from_wire, p, (int)n) == (int)n);
}

ssize_t tls_link_read(struct tls_link *l, void *p, size_t n)
{
	ERR_clear_error();
	int r = SSL_read(l->ssl, p, n > 1 << 30 ? 1 << 30 : (int)n);
	if (r > 0)
		return r;
	int e = SSL_get_error(l->ssl, r);
	ERR_clear_error();
	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? 0 : e == SSL_ERROR_ZERO_RETURN ? -1 : -2;
}

bool tls_link_write(struct tls_link *l, const void *p, size_t n)
{
	const char *at = p;
	while (n > 0) {
		ERR_clear_error();
		int r = SSL_write(l->ssl, at, n > 1 << 30 ? 1 << 30 : (int)n);
		if (r <= 0) {
			ERR_clear_error();
			return false;	/* a memory BIO is never full */
		}
		at += r;
		n -= (size_t)r;
	}
	return true;
}

void tls_link_bye(struct tls_link *l)
{
	ERR_clear_error();
	if (SSL_is_init_finished(l->ssl))
		SSL_shutdown(l->ssl);
	ERR_clear_error();
}

struct span tls_link_wire(struct tls_link *l)
{
	char *at = NULL;
	long n = BIO_get_mem_data(l->to_wire, &at);
	return (struct span){at, n > 0 ? (size_t)n : 0};
}

void tls_link_sent(struct tls_link *l)
{
	(void)BIO_reset(l->to_wire);
}
