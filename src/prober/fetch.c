/*
 * Pages by libcurl: the https chain, the http chain, robots.txt for its cookies, one CORS preflight, security.txt.
 * A request is made with the certificate checked; where that fails it is made again without, so that the rules see the
 * headers, and the response is marked as not verified.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "prober/private.h"

enum { HOPS_MAX = 10, BODY_MAX = 2 << 20, HEADERS_MAX = 200, HEADER_BYTES = 64 << 10, COOKIES_MAX = 200, CONNECT_MS = 5000, TOTAL_MS = 10000 };
static const char cors_origin[] = "https://posture-check.weir.example";

struct session {
	const struct probe_target *target;
	const struct probe_roots *roots;
	struct arena *a;
	CURL *curl;
	int64_t until_ms;
	bool home;		/* this request may go to a private address */
	/* the request under way */
	struct posture_header *headers;
	size_t headers_len, header_bytes;
	char *body;
	size_t body_len, body_cap;
	/* all of the visit */
	struct posture_cookie *cookies;
	size_t cookies_len;
};

struct visit {
	struct posture_response *last;	/* NULL: no answer */
	struct posture_hop hops[HOPS_MAX + 1];
	size_t hops_len;
	char *url;			/* of last */
	bool https;
};

/* ---- addresses -------------------------------------------------------------------------------------------------- */

static bool private_v4(uint32_t a)	/* host order; RFC 6890 */
{
	static const struct {
		uint32_t net;
		unsigned bits;
	} nets[] = {
		{0x00000000, 8}, {0x0a000000, 8}, {0x64400000, 10}, {0x7f000000, 8}, {0xa9fe0000, 16}, {0xac100000, 12},
		{0xc0000000, 24}, {0xc0a80000, 16}, {0xc6120000, 15}, {0xe0000000, 3},
	};
	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
		if ((a ^ nets[i].net) >> (32 - nets[i].bits) == 0)
			return true;
	return false;
}

bool address_is_private(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, a, sizeof in);
		return private_v4(ntohl(in.sin_addr.s_addr));
	}
	if (a->sa_family != AF_INET6)
		return true;
	struct sockaddr_in6 in6;
	memcpy(&in6, a, sizeof in6);
	const uint8_t *b = in6.sin6_addr.s6_addr;
	uint32_t v4;
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
		memcpy(&v4, b + 12, 4);
		return private_v4(ntohl(v4));
	}
	return (b[0] & 0xe0) != 0x20;	/* only 2000::/3 is public */
}

static curl_socket_t open_socket(void *arg, curlsocktype what, struct curl_sockaddr *a)
{
	const struct session *s = arg;
	(void)what;
	if (!s->home && address_is_private(&a->addr))
		return CURL_SOCKET_BAD;
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- one request ------------------------------------------------------------------------------------------------ */

static size_t on_body(char *p, size_t one, size_t n, void *arg)
{
	struct session *s = arg;
	size_t room = BODY_MAX - s->body_len, k = n * one < room ? n * one : room;
	if (s->body_len + k > s->body_cap) {
		s->body_cap = s->body_cap * 2 > s->body_len + k ? s->body_cap * 2 : s->body_len + k + 4096;
		s->body = xrealloc(s->body, s->body_cap);
	}
	memcpy(s->body + s->body_len, p, k);
	s->body_len += k;
	return k;	/* fewer than given ends the transfer: enough was seen */
}

static size_t on_header(char *p, size_t one, size_t n, void *arg)
{
	struct session *s = arg;
	size_t len = n * one;
	if (len >= 5 && memcmp(p, "HTTP/", 5) == 0) {	/* behind a 100 the real ones follow */
		s->headers_len = 0;
		return len;
	}
	const char *colon = memchr(p, ':', len);
	s->header_bytes += len;
	if (!colon || s->headers_len == HEADERS_MAX || s->header_bytes > HEADER_BYTES)
		return len;
	const char *v = colon + 1, *end = p + len;
	while (v < end && (*v == ' ' || *v == '\t'))
		v++;
	while (end > v && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
		end--;
	struct posture_header h = {arena_strndup(s->a, p, (size_t)(colon - p)), arena_strndup(s->a, v, (size_t)(end - v))};
	if (h.name && h.value)
		s->headers[s->headers_len++] = h;
	return len;
}

#define SET(o, v) curl_easy_setopt(s->curl, o, v)

static void lenient(struct session *s)
{
	SET(CURLOPT_SSL_VERIFYPEER, 0L);
	SET(CURLOPT_SSL_VERIFYHOST, 0L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_0);
	SET(CURLOPT_SSL_CIPHER_LIST, "ALL:!aNULL:!eNULL:@SECLEVEL=0");
}

static void strict(struct session *s)
{
	struct curl_blob roots = {s->roots->pem, s->roots->pem_len, CURL_BLOB_NOCOPY};
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_DEFAULT);
	SET(CURLOPT_SSL_CIPHER_LIST, "DEFAULT");
	SET(CURLOPT_CAINFO_BLOB, &roots);
}

static bool prepare(struct session *s, const char *url, const char *method, struct curl_slist *headers)
{
	s->headers = arena_alloc(s->a, HEADERS_MAX * sizeof *s->headers);
	s->headers_len = s->header_bytes = s->body_len = 0;
	int64_t left = s->until_ms - clock_mono_ms();
	bool ok = s->headers != NULL && left > 0;
	ok &= SET(CURLOPT_URL, url) == CURLE_OK && SET(CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
	SET(CURLOPT_HTTPGET, 1L);
	SET(CURLOPT_CUSTOMREQUEST, strcmp(method, "GET") == 0 ? NULL : method);
	SET(CURLOPT_HTTPHEADER, headers);
	SET(CURLOPT_USERAGENT, "weir/" WEIR_VERSION " (posture check)");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_ACCEPT_ENCODING, "");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	SET(CURLOPT_TIMEOUT_MS, (long)(left < TOTAL_MS ? left : TOTAL_MS));
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, s);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, s);
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(CURLOPT_OPENSOCKETDATA, s);
	return ok;
}

static bool tls_trouble(CURLcode r)
{
	return r == CURLE_SSL_CONNECT_ERROR || r == CURLE_PEER_FAILED_VERIFICATION || r == CURLE_SSL_CACERT_BADFILE || r == CURLE_SSL_ISSUER_ERROR ||
	       r == CURLE_SSL_CERTPROBLEM || r == CURLE_SSL_CIPHER;
}

static void keep_cookies(struct session *s, const char *host)
{
	for (size_t i = 0; i < s->headers_len && s->cookies_len < COOKIES_MAX; i++)
		if (strcasecmp(s->headers[i].name, "set-cookie") == 0)
			s->cookies[s->cookies_len++] = (struct posture_cookie){host, s->headers[i].value};
}

/* NULL: no answer. */
static struct posture_response *request(struct session *s, const char *url, const char *host, const char *method, const char *const *headers)
{
	struct curl_slist *list = NULL;
	struct posture_response *out = NULL;
	bool verified = true;
	long status = 0;
	for (; headers && *headers; headers++)
		list = curl_slist_append(list, *headers);
	s->home = strcmp(host, s->target->host) == 0;
	strict(s);
	CURLcode r = prepare(s, url, method, list) ? curl_easy_perform(s->curl) : CURLE_FAILED_INIT;
	if (tls_trouble(r)) {
		verified = false;
		lenient(s);
		r = prepare(s, url, method, list) ? curl_easy_perform(s->curl) : CURLE_FAILED_INIT;
	}
	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	bool cut = (r == CURLE_WRITE_ERROR || r == CURLE_PARTIAL_FILE || r == CURLE_BAD_CONTENT_ENCODING || r == CURLE_OPERATION_TIMEDOUT) && s->headers_len;
	if ((r == CURLE_OK || cut) && status >= 100 && status < 600)
		out = arena_alloc(s->a, sizeof *out);
	char *body = out ? arena_alloc(s->a, s->body_len + 1) : NULL;
	if (out) {
		*out = (struct posture_response){(int)status, verified, s->headers, s->headers_len, {"", 0}};
		if (body && s->body_len) {
			memcpy(body, s->body, s->body_len);
			out->body = (struct span){body, s->body_len};
		}
		keep_cookies(s, host);
	}
	curl_slist_free_all(list);
	return out;
}

/* ---- chains ----------------------------------------------------------------------------------------------------- */

/* Host of a URL into the arena, lower case and without brackets; *https by its scheme; NULL when it isn't http(s). */
static const char *host_of(struct session *s, CURLU *u, bool *https)
{
	char *scheme = NULL, *host = NULL;
	const char *out = NULL;
	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		*https = strcmp(scheme, "https") == 0;
		size_t n = strlen(host);
		bool v6 = n > 2 && host[0] == '[';
		char *h = *https || strcmp(scheme, "http") == 0 ? arena_strndup(s->a, host + v6, n - (v6 ? 2 : 0)) : NULL;
		for (char *p = h; p && *p; p++)
			*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
		out = h;
	}
	curl_free(scheme);
	curl_free(host);
	return out;
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void follow(struct session *s, const char *url, const char *const *headers, struct visit *v)
{
	CURLU *u = curl_url();
	*v = (struct visit){0};
	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK) {
		curl_url_cleanup(u);
		return;
	}
	while (v->hops_len <= HOPS_MAX) {
		char *text = NULL;
		bool https = false;
		const char *host = host_of(s, u, &https);
		if (!host || curl_url_get(u, CURLUPART_URL, &text, 0) != CURLUE_OK)
			break;
		struct posture_response *r = request(s, text, host, "GET", headers);
		char *kept = r ? arena_strndup(s->a, text, strlen(text)) : NULL;
		curl_free(text);
		if (!kept) {	/* a chain that ends in nothing has no response */
			v->last = NULL;
			break;
		}
		v->hops[v->hops_len++] = (struct posture_hop){https, host, r->status};
		v->last = r;
		v->url = kept;
		v->https = https;
		const char *to = is_redirect(r->status) ? posture_header_at(r, "location", 0) : NULL;
		if (!to || curl_url_set(u, CURLUPART_URL, to, 0) != CURLUE_OK)
			break;
	}
	curl_url_cleanup(u);
}

/* scheme://host:port/path into out. */
static const char *url_for(struct session *s, bool https, unsigned port, const char *path)
{
	const char *h = s->target->host;
	char *t = xasprintf(strchr(h, ':') ? "%s://[%s]:%u%s" : "%s://%s:%u%s", https ? "https" : "http", h, port, path);
	const char *out = arena_strndup(s->a, t, strlen(t));
	free(t);
	return out;
}

static bool can_be_scanned(int status)
{
	return (status >= 200 && status < 400) || status == 401 || status == 403;
}

static void pages(struct session *s, struct posture_capture *c, struct visit *page)
{
	static const char *const accept[] = {"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", NULL};
	const struct probe_target *t = s->target;
	struct visit http = {0}, https = {0};
	if (!t->cleartext)
		follow(s, url_for(s, true, t->port, t->path), accept, &https);
	follow(s, url_for(s, false, t->http_port, t->path), accept, &http);
	struct posture_hop *route = arena_alloc(s->a, sizeof http.hops);
	if (route) {
		memcpy(route, http.hops, sizeof http.hops);
		c->route = route;
		c->route_len = http.hops_len;
	}
	c->http = http.last;
	c->https = https.last;
	c->page_https = https.last != NULL;
	*page = https.last ? https : http;
	c->page = page->last;
	if (!c->page) {
		c->no_page = "no answer";
	} else if (c->profile == PROFILE_WEB && !can_be_scanned(c->page->status)) {
		char *why = arena_alloc(s->a, 32);
		if (why)
			snprintf(why, 32, "the page's status is %d", c->page->status);
		c->no_page = why;
		c->page = NULL;
	}
}

static void robots(struct session *s, const struct visit *page)
{
	static const char *const accept[] = {"Accept: text/plain,*/*;q=0.8", NULL};
	struct visit v;
	CURLU *u = curl_url();
	char *url = NULL;
	if (u && curl_url_set(u, CURLUPART_URL, page->url, 0) == CURLUE_OK && curl_url_set(u, CURLUPART_URL, "/robots.txt", 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK)
		follow(s, url, accept, &v);
	curl_free(url);
	curl_url_cleanup(u);
}

static void preflight(struct session *s, struct posture_capture *c, const struct visit *page)
{
	static const char *const headers[] = {"Access-Control-Request-Method: GET", "Origin: https://posture-check.weir.example", NULL};
	c->cors_origin = cors_origin;
	c->cors = request(s, page->url, page->hops[page->hops_len - 1].host, "OPTIONS", headers);
}

static void document(struct visit *v, bool fallback, struct posture_document *d)
{
	*d = (struct posture_document){
		.status = v->last->status, .https = v->https, .verified = v->last->verified, .fallback = fallback,
		.type = posture_header_at(v->last, "content-type", 0), .body = v->last->body, .url = v->url,
	};
}

static void security_txt(struct session *s, struct posture_document *d)
{
	static const char *const accept[] = {"Accept: text/plain,*/*;q=0.8", NULL};
	static const char *const paths[] = {"/.well-known/security.txt", "/security.txt"};
	struct visit v;
	for (size_t i = 0; i < 2 && d->status != 200; i++) {
		follow(s, url_for(s, !s->target->cleartext, s->target->port, paths[i]), accept, &v);
		if (v.last && (i == 0 || v.last->status == 200))
			document(&v, i > 0, d);
	}
}

void fetches(const struct probe_target *t, const struct probe_roots *roots, struct probe *p, int64_t until_ms)
{
	struct session s = {.target = t, .roots = roots, .a = &p->arena, .curl = curl_easy_init(), .until_ms = until_ms};
	struct posture_capture *c = &p->capture;
	struct visit page = {0};
	s.cookies = arena_alloc(s.a, COOKIES_MAX * sizeof *s.cookies);
	if (!s.curl || !s.cookies)
		goto out;
	curl_easy_setopt(s.curl, CURLOPT_COOKIEFILE, "");	/* a jar for this visit */
	pages(&s, c, &page);
	if (c->page) {
		if (c->profile == PROFILE_WEB)
			robots(&s, &page);
		preflight(&s, c, &page);
	}
	if (c->profile == PROFILE_WEB)
		security_txt(&s, &c->security_txt);
	c->cookies = s.cookies;
	c->cookies_len = s.cookies_len;
out:
	curl_easy_cleanup(s.curl);
	free(s.body);
}
