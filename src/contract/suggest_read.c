/*
 * Where the objects come from: lines or an array of them, a sink's capture, or the requests of a HAR file (HTTP Archive
 * 1.2, log.entries[].request), each read by the adapter as the gate would.
 */
#include "contract/suggest.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { PAD = 64, BODY_MAX = 64 << 20 };

static bool looks_ours(const struct suggestion *s, const json_t *o)
{
	bool any = json_is_string(json_object_get(o, "event"));
	for (size_t i = 0; i < s->adapter->operations_len; i++)
		any |= json_object_get(o, s->adapter->operations[i].key) != NULL;
	return any;
}

static void take(struct suggestion *s, const json_t *v);

static void take_array(struct suggestion *s, const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		take(s, json_array_get(list, i));
}

/* An object of ours, an array of them, or a line of the sink's capture. */
static void take(struct suggestion *s, const json_t *v)
{
	const json_t *captured = json_object_get(v, "events");
	if (json_is_array(v))
		take_array(s, v);
	else if (json_object_get(v, "body_b64") && json_is_array(captured))
		take_array(s, captured);
	else if (looks_ours(s, v))
		suggest_object(s, v);
	else
		s->counts.skipped++;
}

static void take_text(struct suggestion *s, const char *text, size_t n)
{
	json_t *v = json_loadb(text, n, 0, NULL);
	if (v)
		take(s, v);
	else
		s->counts.skipped++;
	json_decref(v);
}

static void take_lines(struct suggestion *s, const char *text, size_t n)
{
	while (n) {
		const char *nl = memchr(text, '\n', n);
		size_t len = nl ? (size_t)(nl - text) : n;
		size_t blank = 0;
		while (blank < len && strchr(" \t\r", text[blank]))
			blank++;
		if (blank < len)
			take_text(s, text, len);
		text += len + (nl != NULL);
		n -= len + (nl != NULL);
	}
}

/* ---- HAR ---- */

static const char *member(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}

/* The route at the end of a URL's path, whatever stands before it (a proxy's or Weir's own prefix). */
static const struct route *route_of(const struct adapter *a, const char *url, unsigned method, struct wire_request *rq)
{
	const char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : NULL;
	size_t n = path ? strcspn(path, "?#") : 0;
	if (!path)
		return NULL;
	if (path[n] == '?')
		rq->query = (struct span){path + n + 1, strcspn(path + n + 1, "#")};
	for (const char *at = path; at; at = memchr(at + 1, '/', n - (size_t)(at + 1 - path))) {
		unsigned index;
		rq->path = (struct span){at, n - (size_t)(at - path)};
		const struct route *r = adapter_route(a, rq->path, method, &index);
		if (r)
			return r;
		if (at + 1 >= path + n)
			break;
	}
	return NULL;
}

/* postData holds the text, or only its parameters. */
static void body_of(const json_t *post, struct buf *body)
{
	const char *text = json_string_value(json_object_get(post, "text"));
	const json_t *params = json_object_get(post, "params");
	if (text && *text) {
		buf_add(body, text, json_string_length(json_object_get(post, "text")));
	} else {
		for (size_t i = 0; i < json_array_size(params); i++) {
			const json_t *p = json_array_get(params, i);
			buf_addf(body, "%s%s=%s", i ? "&" : "", member(p, "name"), member(p, "value"));
		}
	}
	static const char zeros[PAD];
	size_t len = body->len;
	buf_add(body, zeros, PAD);
	body->len = len;
}

static void take_request(struct suggestion *s, const json_t *request, struct arena *a)
{
	const char *method = member(request, "method");
	struct wire_request rq = {.method = strcmp(method, "POST") == 0 ? METHOD_POST : strcmp(method, "GET") == 0 ? METHOD_GET : 0};
	const json_t *post = json_object_get(request, "postData");
	const char *type = member(post, "mimeType");
	const struct route *r = route_of(s->adapter, member(request, "url"), rq.method, &rq);
	struct wire_objects out;
	struct err ignored;
	struct buf body;
	if (!r || r->mode != ROUTE_DELIVER) {
		s->counts.skipped++;
		return;
	}
	buf_init(&body, 0);
	body_of(post, &body);
	rq.content_type = (struct span){type, strlen(type)};
	rq.body = (struct span){(const char *)body.data, body.len};
	if (s->adapter->decode(r, &rq, BODY_MAX, a, &out, &ignored) != 0)
		s->counts.skipped++;
	else if (out.ndjson)
		take_lines(s, out.json.at, out.json.len);
	else
		take_text(s, out.json.at, out.json.len);
	buf_release(&body);
}

static void take_har(struct suggestion *s, const json_t *entries)
{
	struct arena a;
	arena_init(&a, 0);
	for (size_t i = 0; i < json_array_size(entries); i++) {
		take_request(s, json_object_get(json_array_get(entries, i), "request"), &a);
		arena_reset(&a);
	}
	arena_release(&a);
}

void suggest_read(struct suggestion *s, const char *text, size_t n)
{
	json_t *whole = json_loadb(text, n, 0, NULL);
	const json_t *entries = json_object_get(json_object_get(whole, "log"), "entries");
	if (json_is_array(entries))
		take_har(s, entries);
	else if (whole)
		take(s, whole);
	else
		take_lines(s, text, n);
	json_decref(whole);
}
