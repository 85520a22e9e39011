/*
 * One handshake for each question about TLS, all with the same address.  Certificates aren't checked here, and OpenSSL's
 * security level is 0: the point is to see what the host would do, with whatever it sends.  What this OpenSSL can't
 * speak (SSL 2 and 3, RC4, 3DES, export suites) isn't asked, and the manual says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "prober/private.h"

enum { CONNECT_MS = 5000, HANDSHAKE_MS = 6000, CERTS_MAX = 16, CERT_BYTES = 64 << 10 };

static const int versions[TLS_VERSIONS] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};

struct question {
	int min, max;
	const char *ciphers;	/* up to TLS 1.2 */
};

struct place {
	int64_t until_ms;	/* of all handshakes */
	struct sockaddr_storage addr;
	socklen_t len;
	int family;
};

/* ---- TCP -------------------------------------------------------------------------------------------------------- */

static bool wait_for(int fd, short events, int64_t until_ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	for (;;) {
		int64_t left = until_ms - clock_mono_ms();
		if (left <= 0)
			return false;
		int r = poll(&p, 1, (int)left);
		if (r > 0)
			return true;
		if (r == 0 || errno != EINTR)
			return false;
	}
}

static int64_t sooner(int64_t until_ms, int64_t ms)
{
	int64_t t = clock_mono_ms() + ms;
	return t < until_ms ? t : until_ms;
}

/* A connected non-blocking socket, or -1 with errno. */
static int dial(const struct place *p)
{
	int fd = socket(p->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), e = 0;
	socklen_t n = sizeof e;
	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&p->addr, p->len) == 0)
		return fd;
	e = errno;
	if (e == EINPROGRESS) {
		e = ETIMEDOUT;
		if (wait_for(fd, POLLOUT, sooner(p->until_ms, CONNECT_MS)) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n) == 0 && e == 0)
			return fd;
	}
	close(fd);
	errno = e;
	return -1;
}

/* The first address that takes a connection; -1 with why. */
static int find(const struct probe_target *t, int64_t until_ms, struct place *out, const char **why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list;
	char port[8];
	snprintf(port, sizeof port, "%u", t->port);
	int r = getaddrinfo(t->host, port, &hints, &list), fd = -1;
	if (r != 0) {
		*why = "the name doesn't resolve";
		return -1;
	}
	*why = "no connection";
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
		if (a->ai_addrlen > sizeof out->addr)
			continue;
		*out = (struct place){.until_ms = until_ms, .len = a->ai_addrlen, .family = a->ai_family};
		memcpy(&out->addr, a->ai_addr, a->ai_addrlen);
		fd = dial(out);
		if (fd < 0 && errno == ECONNREFUSED)
			*why = "connection refused";
		else if (fd < 0 && errno == ETIMEDOUT)
			*why = "no answer in time";
	}
	freeaddrinfo(list);
	return fd;
}

/* ---- TLS -------------------------------------------------------------------------------------------------------- */

static SSL_CTX *context(const struct question *q)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx)
		return NULL;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_options(ctx, SSL_OP_LEGACY_SERVER_CONNECT);
	if (SSL_CTX_set_cipher_list(ctx, q->ciphers) == 1 && SSL_CTX_set_min_proto_version(ctx, q->min) == 1 &&
	    SSL_CTX_set_max_proto_version(ctx, q->max) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* Refused is what the other side says by TLS or by hanging up; running out of time says nothing. */
static enum tried shake(SSL *ssl, int fd, int64_t until)
{
	for (;;) {
		ERR_clear_error();
		int r = SSL_connect(ssl);
		if (r == 1)
			return TRY_ACCEPTED;
		int e = SSL_get_error(ssl, r);
		if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
			return TRY_REFUSED;
		if (!wait_for(fd, e == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until))
			return NOT_TRIED;
	}
}

static void keep_certs(SSL *ssl, struct arena *a, struct posture_tls *tls)
{
	STACK_OF(X509) *sent = SSL_get_peer_cert_chain(ssl);
	int n = sent ? sk_X509_num(sent) : 0;
	struct span *v = arena_alloc(a, CERTS_MAX * sizeof *v);
	for (int i = 0; v && i < n && tls->certs_len < CERTS_MAX; i++) {
		int len = i2d_X509(sk_X509_value(sent, i), NULL);
		unsigned char *der = len > 0 && len <= CERT_BYTES ? arena_alloc(a, (size_t)len) : NULL, *p = der;
		if (!der)
			break;
		i2d_X509(sk_X509_value(sent, i), &p);
		v[tls->certs_len++] = (struct span){(char *)der, (size_t)len};
	}
	tls->certs = v;
}

/* fd is taken over; certs are kept when a isn't NULL. */
static enum tried question(const struct probe_target *t, const struct place *p, int fd, const struct question *q, struct arena *a, struct posture_tls *tls)
{
	enum tried r = NOT_TRIED;
	SSL_CTX *ctx = context(q);
	SSL *ssl = ctx ? SSL_new(ctx) : NULL;
	bool name = strspn(t->host, "0123456789.") != strlen(t->host) && !strchr(t->host, ':');
	/* The macro SSL_set_tlsext_host_name casts const away. */
	if (ssl && SSL_set_fd(ssl, fd) == 1 &&
	    (!name || SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)t->host) == 1))
		r = shake(ssl, fd, sooner(p->until_ms, HANDSHAKE_MS));
	if (r == TRY_ACCEPTED && a)
		keep_certs(ssl, a, tls);
	if (r == TRY_ACCEPTED)
		SSL_shutdown(ssl);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	close(fd);
	return r;
}

static enum tried again(const struct probe_target *t, const struct place *p, const struct question *q)
{
	int fd = dial(p);
	return fd < 0 ? NOT_TRIED : question(t, p, fd, q, NULL, NULL);
}

void handshakes(const struct probe_target *t, struct arena *a, struct posture_tls *tls, int64_t until_ms)
{
	static const char all[] = "ALL:!aNULL:!eNULL:@SECLEVEL=0";
	struct place p;
	const struct question any = {TLS1_VERSION, TLS1_3_VERSION, all}, null = {TLS1_VERSION, TLS1_2_VERSION, "aNULL:eNULL:@SECLEVEL=0"},
			      secret = {TLS1_VERSION, TLS1_2_VERSION, "ECDHE:DHE:!aNULL:!eNULL:@SECLEVEL=0"};
	int fd = find(t, until_ms, &p, &tls->why_not);
	if (fd < 0)
		return;
	tls->why_not = "no handshake succeeds";
	tls->spoken = question(t, &p, fd, &any, a, tls);
	if (tls->spoken != TRY_ACCEPTED)
		return;
	tls->why_not = NULL;
	for (enum tls_version v = 0; v < TLS_VERSIONS; v++)
		tls->versions[v] = again(t, &p, &(struct question){versions[v], versions[v], all});
	tls->no_authentication = again(t, &p, &null);
	tls->forward_secrecy = tls->versions[TLS_1_3] == TRY_ACCEPTED ? TRY_ACCEPTED : again(t, &p, &secret);
}
