/*
 * A mail catcher with STARTTLS on loopback, for the demo's letters: takes them over, counts them, keeps the first of each
 * language.  A thread a connection; `weir incident notify` uses one.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "demo/mail.h"
#include "http/http.h"

enum { LINE = 2048, LETTER_MAX = 64 << 10, DAY_S = 86400 };

struct catcher {
	int fd;
	SSL_CTX *tls;
	pthread_t thread;
	pthread_mutex_t lock;
	struct buf first[CATCH_LANGS];	/* under lock */
	_Atomic uint64_t letters;
	_Atomic bool stop;
};

struct talk {
	struct catcher *m;
	int fd;
	SSL *ssl;	/* NULL: not yet */
	char in[4096];
	size_t at, len;
};

/* ---- bytes ------------------------------------------------------------------------------------------------------ */

static bool put(struct talk *t, const char *s)
{
	int n = (int)strlen(s);
	return t->ssl ? SSL_write(t->ssl, s, n) == n : send(t->fd, s, (size_t)n, MSG_NOSIGNAL) == n;
}

static int more(struct talk *t)
{
	t->at = 0;
	ssize_t n = t->ssl ? SSL_read(t->ssl, t->in, sizeof t->in) : recv(t->fd, t->in, sizeof t->in, 0);
	t->len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* Without the line's end; false: the connection ended, or a line is longer than there is. */
static bool line(struct talk *t, char out[static LINE])
{
	size_t n = 0;
	for (;;) {
		if (t->at == t->len && !more(t))
			return false;
		char c = t->in[t->at++];
		if (c == '\n')
			break;
		if (n == LINE - 1)
			return false;
		out[n++] = c;
	}
	if (n && out[n - 1] == '\r')
		n--;
	out[n] = 0;
	return true;
}

/* ---- a connection ----------------------------------------------------------------------------------------------- */

static void keep_first(struct catcher *m, const struct buf *letter)
{
	static const char *const marks[CATCH_LANGS] = {"Content-Language: en", "Content-Language: de"};
	pthread_mutex_lock(&m->lock);
	for (int i = 0; i < CATCH_LANGS; i++)
		if (!m->first[i].len && memmem(letter->data, letter->len, marks[i], strlen(marks[i])))
			buf_add(&m->first[i], letter->data, letter->len);
	pthread_mutex_unlock(&m->lock);
}

static bool data(struct talk *t)
{
	char text[LINE];
	struct buf letter;
	buf_init(&letter, LETTER_MAX);
	bool ok = put(t, "354 go on\r\n");
	while (ok && (ok = line(t, text)) && strcmp(text, ".") != 0)
		buf_addf(&letter, "%s\n", text + (text[0] == '.'));
	if (ok) {
		atomic_fetch_add(&t->m->letters, 1);
		keep_first(t->m, &letter);
		ok = put(t, "250 taken\r\n");
	}
	buf_release(&letter);
	return ok;
}

static bool start_tls(struct talk *t)
{
	if (t->ssl || !put(t, "220 go on\r\n"))
		return false;
	t->at = t->len = 0;	/* what came before the handshake doesn't count: RFC 3207 section 6 */
	t->ssl = SSL_new(t->m->tls);
	return t->ssl && SSL_set_fd(t->ssl, t->fd) == 1 && SSL_accept(t->ssl) == 1;
}

static bool command(struct talk *t, const char *text)
{
	static const struct {
		const char *word, *answer;
	} rows[] = {{"EHLO", NULL}, {"HELO", "250 catcher\r\n"}, {"RSET", "250 ok\r\n"}, {"NOOP", "250 ok\r\n"}, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}};
	if (strncasecmp(text, "QUIT", 4) == 0)
		return put(t, "221 bye\r\n") && false;
	if (strncasecmp(text, "STARTTLS", 8) == 0)
		return start_tls(t);
	if (strncasecmp(text, "EHLO", 4) == 0)
		return put(t, t->ssl ? "250-catcher\r\n250 8BITMIME\r\n" : "250-catcher\r\n250 STARTTLS\r\n");
	if (!t->ssl)
		return put(t, "530 STARTTLS first\r\n");
	if (strncasecmp(text, "DATA", 4) == 0)
		return data(t);
	for (size_t i = 1; i < sizeof rows / sizeof *rows; i++)
		if (strncasecmp(text, rows[i].word, 4) == 0)
			return put(t, rows[i].answer);
	return put(t, "500 not understood\r\n");
}

static void *talk_run(void *arg)
{
	struct talk *t = arg;
	char text[LINE];
	bool ok = put(t, "220 catcher\r\n");
	while (ok && line(t, text))
		ok = command(t, text);
	SSL_free(t->ssl);
	close(t->fd);
	free(t);
	return NULL;
}

static void *accept_run(void *arg)
{
	struct catcher *m = arg;
	for (int fd; (fd = accept4(m->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0 || !atomic_load(&m->stop);) {
		if (fd < 0) {
			usleep(10000);
			continue;
		}
		struct talk *t = xcalloc(1, sizeof *t);
		pthread_t thread;
		*t = (struct talk){.m = m, .fd = fd};
		if (pthread_create(&thread, NULL, talk_run, t) == 0) {
			pthread_detach(thread);
		} else {
			close(fd);
			free(t);
		}
	}
	return NULL;
}

/* ---- its certificate -------------------------------------------------------------------------------------------- */

static X509 *certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = x ? X509_get_subject_name(x) : NULL;
	X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
	bool ok = x && san && X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
		  X509_gmtime_adj(X509_getm_notBefore(x), -DAY_S) && X509_gmtime_adj(X509_getm_notAfter(x), DAY_S) &&
		  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"weir demo", -1, -1, 0) == 1 &&
		  X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 && X509_add_ext(x, san, -1) == 1 &&
		  X509_sign(x, key, EVP_sha256()) > 0;
	X509_EXTENSION_free(san);
	if (!ok) {
		X509_free(x);
		return NULL;
	}
	return x;
}

static int make_tls(struct catcher *m, const char *ca_path, struct err *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = key ? certificate(key) : NULL;
	FILE *f = x ? fopen(ca_path, "we") : NULL;
	m->tls = SSL_CTX_new(TLS_server_method());
	bool ok = f && m->tls && PEM_write_X509(f, x) == 1 && SSL_CTX_use_certificate(m->tls, x) == 1 && SSL_CTX_use_PrivateKey(m->tls, key) == 1;
	if (f)
		ok = fclose(f) == 0 && ok;
	X509_free(x);
	EVP_PKEY_free(key);
	return ok ? 0 : err_set(err, ERR_IO, "the mail catcher has no certificate");
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

int catcher_start(const char *ca_path, char bound[static 64], struct catcher **out, struct err *err)
{
	struct catcher *m = xcalloc(1, sizeof *m);
	*out = m;
	pthread_mutex_init(&m->lock, NULL);
	for (int i = 0; i < CATCH_LANGS; i++)
		buf_init(&m->first[i], LETTER_MAX);
	m->fd = -1;
	if (make_tls(m, ca_path, err) < 0 || http_listen("127.0.0.1:0", &m->fd, bound, err) < 0)
		return -1;
	/* blocking: the thread waits in accept until the socket is shut down */
	if (fcntl(m->fd, F_SETFL, fcntl(m->fd, F_GETFL) & ~O_NONBLOCK) < 0 || pthread_create(&m->thread, NULL, accept_run, m) != 0)
		return err_set(err, ERR_IO, "the mail catcher can't listen");
	return 0;
}

uint64_t catcher_letters(const struct catcher *m)
{
	return atomic_load(&m->letters);
}

char *catcher_first(struct catcher *m, unsigned lang)
{
	pthread_mutex_lock(&m->lock);
	char *text = m->first[lang].len ? xstrndup((const char *)m->first[lang].data, m->first[lang].len) : NULL;
	pthread_mutex_unlock(&m->lock);
	return text;
}

/* A connection that is still open has its thread; the program is about to end, so what it uses stays. */
void catcher_stop(struct catcher *m)
{
	if (!m || m->fd < 0)
		return;
	atomic_store(&m->stop, true);
	shutdown(m->fd, SHUT_RDWR);
	if (m->thread)
		pthread_join(m->thread, NULL);
	close(m->fd);
	m->fd = -1;
}
