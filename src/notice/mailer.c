/*
 * SMTP by libcurl.  What matters is to know, letter by letter, whether the server took it: until the text is handed over
 * completely it can't have, after its 2xx it has, and in between nobody knows.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "crypt/crypt.h"
#include "notice/notice.h"

enum { CONNECT_S = 20, LETTER_S = 120 };

struct mailer {
	CURL *curl;
	char *from;
	const char *at;		/* of the letter under way */
	size_t left;
	bool handed_over;	/* all of it was read */
	char why[CURL_ERROR_SIZE];
};

static size_t give(char *to, size_t size, size_t count, void *arg)
{
	struct mailer *m = arg;
	size_t n = size * count < m->left ? size * count : m->left;
	memcpy(to, m->at, n);
	m->at += n;
	m->left -= n;
	if (m->left == 0)
		m->handed_over = true;
	return n;
}

static bool implicit_tls(const char *server)
{
	size_t n = strlen(server);
	return n > 4 && strcmp(server + n - 4, ":465") == 0;
}

#define SET(m, option, value) must(curl_easy_setopt((m)->curl, option, value) == CURLE_OK)

int mailer_new(const struct mailer_settings *s, struct mailer **out, struct err *err)
{
	*out = NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_IO, "libcurl doesn't start");
	struct mailer *m = xcalloc(1, sizeof *m);
	m->curl = curl_easy_init();
	m->from = xasprintf("<%s>", s->from);
	must(m->curl);
	char *url = xasprintf("%s://%s", implicit_tls(s->server) ? "smtps" : "smtp", s->server);
	SET(m, CURLOPT_URL, url);
	free(url);
	SET(m, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	SET(m, CURLOPT_PROXY, "");
	SET(m, CURLOPT_NOSIGNAL, 1L);
	SET(m, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);	/* no TLS, no letter */
	SET(m, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(m, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(m, CURLOPT_SSL_VERIFYHOST, 2L);
	if (s->ca)
		SET(m, CURLOPT_CAINFO, s->ca);
	if (s->user)
		SET(m, CURLOPT_USERNAME, s->user);
	if (s->password)
		SET(m, CURLOPT_PASSWORD, s->password);
	SET(m, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	SET(m, CURLOPT_TIMEOUT, (long)LETTER_S);
	SET(m, CURLOPT_ERRORBUFFER, m->why);
	SET(m, CURLOPT_UPLOAD, 1L);
	SET(m, CURLOPT_READFUNCTION, give);
	SET(m, CURLOPT_READDATA, m);
	SET(m, CURLOPT_MAIL_FROM, m->from);
	*out = m;
	return 0;
}

void mailer_free(struct mailer **m)
{
	if (!*m)
		return;
	curl_easy_cleanup((*m)->curl);
	free((*m)->from);
	free(*m);
	*m = NULL;
}

/* handed_over and the newest reply say what is known; libcurl's own code only tells failure from success. */
static enum mail_result judge(const struct mailer *m, CURLcode got, long code, struct err *err)
{
	if (got == CURLE_OK)
		return MAIL_ACCEPTED;
	if (got == CURLE_LOGIN_DENIED || got == CURLE_USE_SSL_FAILED || got == CURLE_PEER_FAILED_VERIFICATION || got == CURLE_SSL_CACERT_BADFILE) {
		err_set(err, ERR_DENIED, "%s", curl_easy_strerror(got));
		return MAIL_DOWN;
	}
	if (m->handed_over && code < 400)
		return MAIL_UNCERTAIN;
	if (code >= 500)
		return MAIL_HARD;
	if (code >= 400 && code != 421)
		return MAIL_SOFT;
	err_set(err, ERR_AGAIN, "%s", curl_easy_strerror(got));
	return MAIL_DOWN;
}

enum mail_result mailer_send(struct mailer *m, const char *to, const void *message, size_t n, long *code, struct err *err)
{
	char *rcpt = xasprintf("<%s>", to);
	struct curl_slist *list = curl_slist_append(NULL, rcpt);
	must(list);
	m->at = message;
	m->left = n;
	m->handed_over = false;
	*code = 0;
	SET(m, CURLOPT_MAIL_RCPT, list);
	SET(m, CURLOPT_INFILESIZE_LARGE, (curl_off_t)n);
	CURLcode got = curl_easy_perform(m->curl);
	curl_easy_getinfo(m->curl, CURLINFO_RESPONSE_CODE, code);
	SET(m, CURLOPT_MAIL_RCPT, NULL);
	curl_slist_free_all(list);
	free(rcpt);
	return judge(m, got, *code, err);
}
