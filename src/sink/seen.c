/* What arrived: which adapter's route, which objects; and the JSON line. */
#include "sink/seen.h"

#include <string.h>

#include "base/clock.h"
#include "json/json.h"

enum { BODY_MAX = 64 << 20, OBJECTS_MAX = 1000000 };

static unsigned method_of(struct span m)
{
	return span_eq(m, "GET") ? METHOD_GET : span_eq(m, "POST") ? METHOD_POST : 0;
}

static void find_route(struct seen *s)
{
	unsigned index;
	for (const struct adapter *const *a = adapters; *a && !s->route; a++) {
		s->route = adapter_route(*a, s->path, method_of(s->method), &index);
		s->adapter = s->route ? *a : NULL;
	}
}

/* Objects of one JSON text: itself, or the elements of an array. */
static bool add_objects(struct seen *s, struct span json, size_t cap)
{
	struct walk w;
	struct member m;
	struct err err;
	if (json_check(json.at, json.len, NULL, &err) != 0 || !walk_init(&w, json))
		return false;
	if (w.object) {
		if (s->n < cap)
			s->objects[s->n++] = json;
		return true;
	}
	while (s->n < cap && walk_next(&w, &m))
		s->objects[s->n++] = m.value;
	return true;
}

/* No text holds more objects than opening brackets or lines. */
static size_t most(struct span json)
{
	size_t n = 1;
	for (size_t i = 0; i < json.len; i++)
		n += json.at[i] == '{' || json.at[i] == ',';
	return n < OBJECTS_MAX ? n : OBJECTS_MAX;
}

static bool split(struct seen *s, struct arena *a)
{
	struct span json = s->wire.json;
	size_t cap = most(json);
	s->objects = arena_alloc(a, cap * sizeof *s->objects);
	if (!s->objects)
		return false;
	if (!s->wire.ndjson)
		return add_objects(s, json, cap);
	while (json.len) {
		const char *nl = memchr(json.at, '\n', json.len);
		size_t n = nl ? (size_t)(nl - json.at) : json.len;
		/* json_check wants zeros behind its text, which a line in the middle hasn't got. */
		char *line = arena_alloc(a, n + JSON_PAD);
		if (!line)
			return false;
		memcpy(line, json.at, n);
		memset(line + n, 0, JSON_PAD);
		bool only_blank = strspn(line, " \t\r") == n;
		if (!only_blank && !add_objects(s, (struct span){line, n}, cap))
			return false;
		json = nl ? (struct span){nl + 1, json.len - n - 1} : (struct span){json.at + n, 0};
	}
	return true;
}

void seen_read(struct seen *s, const struct http_request *rq, struct arena *a)
{
	struct err err;
	*s = (struct seen){.at_us = clock_now_us(), .method = rq->method, .path = rq->path, .query = rq->query,
			   .headers = rq->headers, .headers_len = rq->headers_len, .body = rq->body};
	find_route(s);
	if (!s->route) {
		s->wrong = "no such route";
		return;
	}
	if (s->route->mode != ROUTE_DELIVER)
		return;
	struct wire_request w = {.method = method_of(rq->method), .path = rq->path, .query = rq->query,
				 .content_type = http_field(rq, "content-type"),
				 .authorization = http_field(rq, "authorization"), .body = rq->body};
	if (s->adapter->decode(s->route, &w, BODY_MAX, a, &s->wire, &err) != 0)
		s->wrong = arena_strndup(a, err.msg, strlen(err.msg));
	else if (!split(s, a)) {
		s->wrong = "not JSON";
		s->n = 0;
	}
}

/* JSON without the blanks between tokens, so that it fits a line. */
static void add_compact(struct buf *out, struct span json)
{
	bool text = false;
	size_t from = 0;
	for (size_t i = 0; i < json.len; i++) {
		char c = json.at[i];
		if (c == '"')
			text = !text;
		else if (c == '\\')
			i++;
		else if (!text && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) {
			buf_add(out, json.at + from, i - from);
			from = i + 1;
		}
	}
	buf_add(out, json.at + from, json.len - from);
}

static void add_headers(const struct seen *s, struct buf *out)
{
	for (size_t i = 0; i < s->headers_len; i++) {
		char name[256];
		size_t n = s->headers[i].name.len < sizeof name ? s->headers[i].name.len : sizeof name;
		for (size_t k = 0; k < n; k++) {
			char c = s->headers[i].name.at[k];
			name[k] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
		}
		if (i)
			buf_addc(out, ',');
		buf_add_json(out, name, n);
		buf_addc(out, ':');
		buf_add_json(out, s->headers[i].value.at, s->headers[i].value.len);
	}
}

static void add_base64(struct buf *out, struct span body)
{
	if (!buf_reserve(out, 4 * ((body.len + 2) / 3) + 1))
		return;
	out->len += base64_encode(body.at, body.len, (char *)out->data + out->len);
}

void seen_json(const struct seen *s, struct buf *out)
{
	char at[21];
	clock_format(s->at_us / 1000000, at);
	buf_addf(out, "{\"at\":\"%s\",\"at_us\":%lld,\"method\":", at, (long long)s->at_us);
	buf_add_json(out, s->method.at, s->method.len);
	buf_adds(out, ",\"path\":");
	struct buf target;
	buf_init(&target, 0);
	buf_add(&target, s->path.at, s->path.len);
	if (s->query.len) {
		buf_addc(&target, '?');
		buf_add(&target, s->query.at, s->query.len);
	}
	buf_add_json(out, target.data ? (char *)target.data : "", target.len);
	buf_release(&target);
	buf_adds(out, ",\"headers\":{");
	add_headers(s, out);
	buf_adds(out, "},\"body_b64\":\"");
	add_base64(out, s->body);
	buf_adds(out, "\",\"events\":[");
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			buf_addc(out, ',');
		add_compact(out, s->objects[i]);
	}
	buf_addf(out, "],\"status\":%d}\n", s->status);
}
