#include <arpa/inet.h>
#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "posture/report.h"
#include "prober/private.h"

enum { CAPTURE_MAX = 64 << 20, ROOTS_MAX = 8 << 20, HTTP_PORT = 80 };
static const char system_roots[] = "/etc/ssl/certs/ca-certificates.crt";

/* ---- the target ------------------------------------------------------------------------------------------------- */

static int part(CURLU *u, CURLUPart what, unsigned flags, char *out, size_t n, struct err *err)
{
	char *s = NULL;
	int r = 0;
	if (curl_url_get(u, what, &s, flags) != CURLUE_OK || strlen(s) >= n)
		r = err_set(err, ERR_INPUT, "not a host that can be probed");
	else
		strcpy(out, s);
	curl_free(s);
	return r;
}

static int read_url(CURLU *u, struct probe_target *t, struct err *err)
{
	char scheme[8], port[8], host[PROBE_HOST_MAX + 3];
	if (part(u, CURLUPART_SCHEME, 0, scheme, sizeof scheme, err) < 0 || part(u, CURLUPART_HOST, 0, host, sizeof host, err) < 0 ||
	    part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof port, err) < 0 || part(u, CURLUPART_PATH, 0, t->path, sizeof t->path, err) < 0)
		return -1;
	t->cleartext = strcmp(scheme, "http") == 0;
	if (!t->cleartext && strcmp(scheme, "https") != 0)
		return err_set(err, ERR_INPUT, "only http and https can be probed");
	t->port = (unsigned)strtoul(port, NULL, 10);
	t->http_port = t->cleartext ? t->port : HTTP_PORT;
	size_t n = strlen(host), v6 = n > 2 && host[0] == '[';
	if (n == 0 || n - 2 * v6 > PROBE_HOST_MAX || t->port == 0 || t->port > 65535)
		return err_set(err, ERR_INPUT, "not a host that can be probed");
	for (size_t i = 0; i < n - 2 * v6; i++) {
		char c = host[i + v6];
		t->host[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	t->host[n - 2 * v6] = 0;
	return 0;
}

int probe_target_parse(const char *text, struct probe_target *out, struct err *err)
{
	CURLU *u = curl_url();
	char *url = strstr(text, "://") ? xstrdup(text) : xasprintf("https://%s", text);
	*out = (struct probe_target){0};
	int r = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK ? read_url(u, out, err)
									  : err_set(err, ERR_INPUT, "not HOST[:PORT] or a URL");
	free(url);
	curl_url_cleanup(u);
	return r;
}

void probe_target_url(const struct probe_target *t, char *out, size_t n)
{
	snprintf(out, n, strchr(t->host, ':') ? "%s://[%s]:%u" : "%s://%s:%u", t->cleartext ? "http" : "https", t->host, t->port);
}

/* ---- roots ------------------------------------------------------------------------------------------------------ */

static int read_system(struct buf *b, struct err *err)
{
	FILE *f = fopen(system_roots, "re");
	if (!f)
		return err_sys(err, "%s", system_roots);
	for (size_t n = 1; n && buf_reserve(b, 64 << 10);) {
		n = fread(b->data + b->len, 1, 64 << 10, f);
		b->len += n;
	}
	fclose(f);
	return b->over ? err_set(err, ERR_LIMIT, "%s is larger than %d bytes", system_roots, ROOTS_MAX) : 0;
}

/* Number of certificates. */
static size_t add_roots(X509_STORE *store, const char *pem, size_t n)
{
	size_t added = 0;
	BIO *b = BIO_new_mem_buf(pem, (int)n);
	for (X509 *x; b && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)); X509_free(x))
		added += X509_STORE_add_cert(store, x) == 1;
	BIO_free(b);
	ERR_clear_error();
	return added;
}

int probe_roots_load(const char *extra, struct probe_roots **out, struct err *err)
{
	struct buf b;
	struct err ignored;
	buf_init(&b, ROOTS_MAX);
	/* Without the system's roots only the extra ones are trusted. */
	if (read_system(&b, &ignored) < 0 && !extra) {
		*err = ignored;
		buf_release(&b);
		return -1;
	}
	X509_STORE *store = X509_STORE_new();
	must(store);
	add_roots(store, (char *)b.data, b.len);
	if (extra && add_roots(store, extra, strlen(extra)) == 0) {
		X509_STORE_free(store);
		buf_release(&b);
		return err_set(err, ERR_INPUT, "no certificate in PEM");
	}
	if (extra) {
		buf_addc(&b, '\n');
		buf_adds(&b, extra);
	}
	buf_addc(&b, '\n');
	*out = xcalloc(1, sizeof **out);
	**out = (struct probe_roots){(char *)b.data, b.len, store};	/* takes the buffer's bytes over */
	return 0;
}

void probe_roots_free(struct probe_roots **r)
{
	if (!*r)
		return;
	X509_STORE_free((*r)->store);
	free((*r)->pem);
	free(*r);
	*r = NULL;
}

/* ---- the probe -------------------------------------------------------------------------------------------------- */

int probe_init(struct err *err)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : err_set(err, ERR_IO, "libcurl doesn't start");
}

static bool is_loopback(const char *host)
{
	struct in_addr a;
	if (inet_pton(AF_INET, host, &a) == 1)
		return ntohl(a.s_addr) >> 24 == 127;
	size_t n = strlen(host);
	return strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0 || (n > 10 && strcmp(host + n - 10, ".localhost") == 0);
}

void probe_run(const struct probe_target *t, const struct probe_roots *roots, int64_t now, struct probe *out)
{
	*out = (struct probe){.capture = {.host = t->host, .profile = t->profile, .cleartext_only = t->cleartext,
					  .loopback = is_loopback(t->host), .at = now, .roots = roots->store}};
	arena_init(&out->arena, CAPTURE_MAX);
	int64_t began = clock_mono_ms();
	if (!t->cleartext)
		handshakes(t, &out->arena, &out->capture.tls, began + HANDSHAKES_MS);
	fetches(t, roots, out, began + PROBE_MS);
}

void probe_release(struct probe *p)
{
	arena_release(&p->arena);
}

json_t *probe_report(const struct probe_target *t, const struct probe *p)
{
	struct posture_report r;
	char url[PROBE_HOST_MAX + 32];
	probe_target_url(t, url, sizeof url);
	posture_judge(&p->capture, &r);
	return posture_report_json(url, &p->capture, &r);
}
