#include "courier/wire.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"

enum { REPLY_MAX = 1 << 20, CONNECT_MS = 10000, TOTAL_MS = 30000, CONNECTIONS = 8, RECEIVE_BYTES = 16 << 10 };
/* Debian's bundle; the sandbox lets it be read. */
static const char ca_bundle[] = "/etc/ssl/certs/ca-certificates.crt";

struct wire {
	uv_loop_t *loop;
	uv_timer_t timer;
	CURLM *multi;
	bool reset;	/* connections end with RST */
};

struct transfer {
	struct wire *wire;
	CURL *easy;
	struct curl_slist *headers;
	struct buf reply;
	wire_done done;
	void *arg;
};

struct watched {
	uv_poll_t poll;
	struct wire *wire;
	curl_socket_t fd;
};

int wire_global(struct err *err)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : err_set(err, ERR_IO, "libcurl can't start");
}

/* ---- libcurl on libuv ------------------------------------------------------------------------------------------ */

static void transfer_free(struct transfer *t)
{
	curl_multi_remove_handle(t->wire->multi, t->easy);
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	buf_release(&t->reply);
	free(t);
}

static void finish(struct transfer *t, CURLcode code)
{
	long status = 0;
	curl_off_t retry_after = 0;
	if (code == CURLE_OK) {
		curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after);
	}
	t->done(t->arg, (int)status, (struct span){(const char *)t->reply.data, t->reply.len}, (int64_t)retry_after);
	transfer_free(t);
}

static void take_finished(struct wire *w)
{
	int left;
	for (CURLMsg *m; (m = curl_multi_info_read(w->multi, &left));) {
		struct transfer *t = NULL;
		if (m->msg != CURLMSG_DONE)
			continue;
		CURLcode code = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		finish(t, code);
	}
}

static void on_timer(uv_timer_t *h)
{
	struct wire *w = h->data;
	int running;
	curl_multi_socket_action(w->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	take_finished(w);
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
	struct wire *w = arg;
	(void)multi;
	if (ms < 0)
		uv_timer_stop(&w->timer);
	else	/* never at once: libcurl must not be entered from its own callback */
		uv_timer_start(&w->timer, on_timer, (uint64_t)ms, 0);
	return 0;
}

static void on_socket(uv_poll_t *h, int status, int events)
{
	struct watched *s = h->data;
	struct wire *w = s->wire;
	int flags = status < 0 ? CURL_CSELECT_ERR : 0, running;
	flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
	flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
	curl_multi_socket_action(w->multi, s->fd, flags, &running);	/* s may be gone now */
	take_finished(w);
}

static void free_watched(uv_handle_t *h)
{
	free(h->data);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct wire *w = arg;
	struct watched *s = known;
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s) {
			uv_poll_stop(&s->poll);
			uv_close((uv_handle_t *)&s->poll, free_watched);
			curl_multi_assign(w->multi, fd, NULL);
		}
		return 0;
	}
	if (!s) {
		s = xcalloc(1, sizeof *s);
		s->wire = w;
		s->fd = fd;
		s->poll.data = s;
		if (uv_poll_init(w->loop, &s->poll, fd) < 0) {
			free(s);
			return -1;
		}
		curl_multi_assign(w->multi, fd, s);
	}
	int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	return uv_poll_start(&s->poll, events, on_socket) < 0 ? -1 : 0;
}

static int close_socket(void *arg, curl_socket_t fd)
{
	const struct wire *w = arg;
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	if (w->reset)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	return close(fd);
}

static void open_multi(struct wire *w)
{
	w->multi = curl_multi_init();
	must(w->multi);
	curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w);
	curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w);
	curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS);
	curl_multi_setopt(w->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
}

struct wire *wire_new(uv_loop_t *loop)
{
	struct wire *w = xcalloc(1, sizeof *w);
	w->loop = loop;
	uv_timer_init(loop, &w->timer);
	w->timer.data = w;
	open_multi(w);
	return w;
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

static size_t on_reply(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	buf_add(&t->reply, p, size * n);
	return t->reply.over ? 0 : size * n;
}

static bool add_header(struct transfer *t, const char *name, struct span value)
{
	char *line = xasprintf("%s: %.*s", name, (int)value.len, value.at);
	struct curl_slist *l = curl_slist_append(t->headers, line);
	explicit_bzero(line, strlen(line));
	free(line);
	if (l)
		t->headers = l;
	return l != NULL;
}

static bool set_options(struct transfer *t, const struct wire_post *p)
{
	CURL *e = t->easy;
	bool good = add_header(t, "Content-Type", p->content_type) && add_header(t, "Accept", SPAN("application/json"));
	struct curl_slist *no_expect = curl_slist_append(t->headers, "Expect:");
	t->headers = no_expect ? no_expect : t->headers;
	if (p->authorization.len)
		good = good && add_header(t, "Authorization", p->authorization);
#define SET(option, value) good = good && curl_easy_setopt(e, option, value) == CURLE_OK
	SET(CURLOPT_URL, p->url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->body.len);
	SET(CURLOPT_POSTFIELDS, p->body.at);
	SET(CURLOPT_HTTPHEADER, t->headers);
	SET(CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_CAINFO, ca_bundle);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	SET(CURLOPT_TIMEOUT_MS, (long)TOTAL_MS);
	SET(CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
	SET(CURLOPT_WRITEFUNCTION, on_reply);
	SET(CURLOPT_WRITEDATA, t);
	SET(CURLOPT_PRIVATE, t);
	SET(CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	SET(CURLOPT_CLOSESOCKETDATA, t->wire);
#undef SET
	return good && no_expect;
}

struct transfer *wire_send(struct wire *w, const struct wire_post *p, wire_done done, void *arg)
{
	struct transfer *t = xcalloc(1, sizeof *t);
	*t = (struct transfer){.wire = w, .easy = curl_easy_init(), .done = done, .arg = arg};
	buf_init(&t->reply, REPLY_MAX);
	if (t->easy && set_options(t, p) && curl_multi_add_handle(w->multi, t->easy) == CURLM_OK)
		return t;
	if (t->easy)
		curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	buf_release(&t->reply);
	free(t);
	return NULL;
}

void wire_cancel(struct transfer *t)
{
	transfer_free(t);
}

void wire_reset(struct wire *w)
{
	w->reset = true;
	curl_multi_cleanup(w->multi);
	w->reset = false;
	uv_timer_stop(&w->timer);
	open_multi(w);
}
