/* What the sink prints, without a socket: JSON lines keep the bytes, text can't move the cursor, bad bodies are named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "json/json.h"
#include "sink/seen.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static void see(struct seen *s, const char *method, const char *path, const char *query, const char *body)
{
	size_t n = strlen(body);
	char *padded = arena_alloc(&arena, n + 64);
	memcpy(padded, body, n);
	memset(padded + n, 0, 64);
	struct http_header *h = arena_alloc(&arena, sizeof *h);
	*h = (struct http_header){SPAN("Content-Type"), strchr(body, '\n') ? SPAN("application/x-ndjson") : SPAN("application/json")};
	const struct http_request rq = {.method = {method, strlen(method)}, .path = {path, strlen(path)},
					.query = {query, strlen(query)}, .headers = h, .headers_len = 1, .body = {padded, n}};
	seen_read(s, &rq, &arena);
	s->status = 200;
	s->at_us = 1768435200123456;
}

static const char *closed(struct buf *b)
{
	char *s = arena_strndup(&arena, b->len ? (const char *)b->data : "", b->len);
	buf_release(b);
	return s;
}

static const char *as_json(const struct seen *s)
{
	struct buf b;
	buf_init(&b, 0);
	seen_json(s, &b);
	return closed(&b);
}

static const char *as_text(const struct seen *s, struct seen_look look)
{
	struct buf b;
	buf_init(&b, 0);
	seen_text(s, &look, &b);
	return closed(&b);
}

static void walking(void **state)
{
	(void)state;
	struct walk w;
	struct member m;
	static const char text[] = " { \"a\\\"}\" : [ {\"x\":1} , 2 ] ,\"b\":\"}]\\\\\", \"c\" : -1e400 , \"d\":{ } }";
	static const struct {
		const char *key, *value;
	} rows[] = {{"a\\\"}", "[ {\"x\":1} , 2 ]"}, {"b", "\"}]\\\\\""}, {"c", "-1e400"}, {"d", "{ }"}};
	assert_true(walk_init(&w, (struct span){text, sizeof text - 1}));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_true(walk_next(&w, &m));
		assert_true(span_eq(m.key, rows[i].key));
		assert_true(span_eq(m.value, rows[i].value));
	}
	assert_false(walk_next(&w, &m));
	assert_false(walk_init(&w, SPAN("1")));
	assert_true(walk_init(&w, SPAN("[]")));
	assert_false(walk_next(&w, &m));
	assert_true(span_eq(walk_get(SPAN("{\"a\":1,\"b\":2}"), "b"), "2"));
	assert_null(walk_get(SPAN("{\"a\":1}"), "b").at);
}

static void json_lines(void **state)
{
	(void)state;
	struct seen s;
	see(&s, "POST", "/track", "verbose=1", "[ {\"event\": \"a b\", \"properties\": {\"n\": 1e400, \"s\": \"\\u00e9 \\\" x\"}}, {\"event\":\"c\"} ]");
	assert_int_equal(s.n, 2);
	const char *line = as_json(&s);
	assert_non_null(strstr(line, "\"at\":\"2026-01-15T00:00:00Z\",\"at_us\":1768435200123456,"));
	assert_non_null(strstr(line, "\"path\":\"/track?verbose=1\""));
	assert_non_null(strstr(line, "\"content-type\":\"application/json\""));
	assert_non_null(strstr(line, "[{\"event\":\"a b\",\"properties\":{\"n\":1e400,\"s\":\"\\u00e9 \\\" x\"}},{\"event\":\"c\"}],\"status\":200}\n"));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);

	see(&s, "POST", "/import/", "", "{\"event\":\"a\"}\n\n{\"event\":\"b\"}\r\n");
	assert_int_equal(s.n, 2);
	assert_non_null(strstr(as_json(&s), "\"events\":[{\"event\":\"a\"},{\"event\":\"b\"}]"));
	assert_non_null(strstr(as_json(&s), "\"body_b64\":\"eyJldmVudCI6ImEifQoKeyJldmVudCI6ImIifQ0K\""));
}

static void bad_requests(void **state)
{
	(void)state;
	static const struct {
		const char *method, *path, *body, *wrong;
	} rows[] = {
		{"POST", "/track", "[{\"event\":\"a\"},]", "not JSON"}, {"POST", "/track", "", "nothing to read"},
		{"POST", "/nowhere", "{}", "no such route"}, {"PUT", "/track", "{}", "no such route"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct seen s;
		see(&s, rows[i].method, rows[i].path, "", rows[i].body);
		assert_int_equal(s.n, 0);
		assert_non_null(strstr(s.wrong, rows[i].wrong));
		s.status = 400;
		assert_non_null(strstr(as_json(&s), "\"events\":[],\"status\":400}"));
		assert_non_null(strstr(as_text(&s, (struct seen_look){0}), "answered 400: "));
	}
}

static void text_lines(void **state)
{
	(void)state;
	struct seen s;
	see(&s, "POST", "/track", "",
	    "[{\"event\":\"signup\",\"properties\":{\"token\":\"SECRET\",\"distinct_id\":\"$device:waabcdefghijklmnopqrstuvwx\",\"note\":\"[EMAIL]\",\"n\":3}}]");
	const char *line = as_text(&s, (struct seen_look){0});
	assert_null(strstr(line, "SECRET"));
	assert_non_null(strstr(line, "  track    signup               token (credential)  distinct_id $device:waabcdefg…  note [EMAIL]  n 3\n"));

	see(&s, "POST", "/engage", "", "{\"$distinct_id\":\"u\",\"$set\":{\"$os\":\"Linux\",\"x\":{\"y\":[1, 2]}}}");
	line = as_text(&s, (struct seen_look){0});
	assert_non_null(strstr(line, "  engage   $set                 $distinct_id u  $set.$os Linux  $set.x {\"y\":[1, 2]}\n"));

	/* Wrapped under the first field, and coloured without leaving the colour on. */
	line = as_text(&s, (struct seen_look){.width = 70});
	assert_non_null(strstr(line, "\n                                        $set.x"));
	line = as_text(&s, (struct seen_look){.colour = true});
	assert_non_null(strstr(line, "\033[1m$set\033[0m"));

	/* A terminal takes no orders from an event. */
	see(&s, "POST", "/track", "", "{\"event\":\"a\x7f\xc2\x9b" "2J\\u001b[2J\",\"properties\":{\"k\xc2\x85\":\"\x7f\"}}");
	assert_int_equal(s.n, 1);
	line = as_text(&s, (struct seen_look){0});
	for (const char *p = line; *p; p++) {
		assert_false((unsigned char)*p < 0x20 && *p != '\n');
		assert_false(*p == 0x7f);
		assert_false((unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0);
	}

	see(&s, "POST", "/record", "", "x");
	s.status = 403;
	assert_non_null(strstr(as_text(&s, (struct seen_look){0}), "answered 403: session replay"));
	see(&s, "POST", "/track", "", "{\"event\":\"a\"}");
	s.status = 503;
	line = as_text(&s, (struct seen_look){0});
	assert_non_null(strstr(line, "  track    a\n"));
	assert_non_null(strstr(line, "answered 503\n"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(walking), T(json_lines), T(bad_requests), T(text_lines)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
