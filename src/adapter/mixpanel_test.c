/*
 * Mixpanel's table and functions against what its SDKs send and expect.  Rows are taken from npm mixpanel 0.24,
 * mixpanel-browser 2.83, mixpanel-python 5.3 and the ingestion API reference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libdeflate.h>
#include <stdio.h>

#include "adapter/mixpanel.h"
#include "base/buf.h"

#define M (&adapter_mixpanel)
#define LEN(a) (sizeof(a) / sizeof *(a))
static const unsigned G = METHOD_GET, P = METHOD_POST;

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 64u << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static struct span span(const char *s)
{
	return (struct span){s, s ? strlen(s) : 0};
}

static const char *text(struct span s)
{
	return arena_strndup(&arena, s.at ? s.at : "", s.len);
}

/* ---- routes ---- */

static void routes(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		unsigned method;
		int want;	/* -1: 404 */
	} rows[] = {
		{"/track", 1, MIXPANEL_TRACK}, {"/track", 2, MIXPANEL_TRACK}, {"/track/", 2, MIXPANEL_TRACK},
		{"/import", 1, MIXPANEL_IMPORT}, {"/import", 2, MIXPANEL_IMPORT}, {"/import/", 2, MIXPANEL_IMPORT},
		{"/engage", 1, MIXPANEL_ENGAGE}, {"/engage/", 2, MIXPANEL_ENGAGE}, {"/engage#profile-set", 2, MIXPANEL_ENGAGE},
		{"/engage/#profile-batch-update", 2, MIXPANEL_ENGAGE},
		{"/groups", 1, MIXPANEL_GROUPS}, {"/groups/", 2, MIXPANEL_GROUPS}, {"/groups#group-set", 2, MIXPANEL_GROUPS},
		{"/settings", 1, MIXPANEL_SETTINGS}, {"/settings/", 1, MIXPANEL_SETTINGS}, {"/settings", 2, -1},
		{"/flags", 1, MIXPANEL_FLAGS}, {"/flags/", 1, MIXPANEL_FLAGS},
		{"/flags/definitions", 1, MIXPANEL_FLAG_DEFINITIONS}, {"/flags/definitions/", 1, MIXPANEL_FLAG_DEFINITIONS},
		{"/flags/2f6c/first-time-events", 2, MIXPANEL_FLAGS}, {"/flagship", 1, -1},
		{"/record", 2, MIXPANEL_RECORD}, {"/record/", 2, MIXPANEL_RECORD}, {"/decide", 1, MIXPANEL_DECIDE},
		{"/decide/", 1, MIXPANEL_DECIDE}, {"/lookup-tables", 1, MIXPANEL_LOOKUP_TABLES},
		{"/lookup-tables/4f2a", 2, MIXPANEL_LOOKUP_TABLES},
		{"/", 1, -1}, {"", 1, -1}, {"/track/x", 2, -1}, {"/tracker", 2, -1}, {"/TRACK", 2, -1}, {"/track//", 2, -1}, {"track", 2, -1},
	};
	for (size_t i = 0; i < LEN(rows); i++) {
		unsigned at = 99;
		const struct route *r = adapter_route(M, span(rows[i].path), rows[i].method, &at);
		if (rows[i].want < 0) {
			assert_null(r);
			continue;
		}
		assert_non_null(r);
		assert_int_equal(at, rows[i].want);
		assert_ptr_equal(r, &M->routes[at]);
	}
	assert_ptr_equal(adapter_find("mixpanel"), M);
	assert_null(adapter_find("mixpane"));
}

static void table_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < M->routes_len; i++) {
		const struct route *r = &M->routes[i];
		assert_non_null(r->name);
		assert_true(r->path[0] == '/' && r->methods);
		assert_int_equal(r->mode == ROUTE_PIN, r->pin_body && r->pin_type);
		assert_int_equal(r->mode == ROUTE_DELIVER, r->why == NULL);
	}
	/* I1: nothing that names a place or an address may pass by a slot. */
	static const char *const never[] = {"ip", "$ip", "$time", "$latitude", "$longitude", "$city", "$region",
					    "mp_country_code", "$current_url", "$referrer", "$email", "$name"};
	for (size_t i = 0; i < M->slots_len; i++) {
		const struct slot *s = &M->slots[i];
		const char *leaf = strncmp(s->path, "properties.", 11) == 0 ? s->path + 11 : s->path;
		for (size_t k = 0; k < LEN(never); k++)
			assert_string_not_equal(leaf, never[k]);
		assert_non_null(s->category);
		if (s->role == SLOT_KEEP)
			fail_msg("%s: a value that passes as it is needs a reason", s->path);
	}
	/* Each kind takes its credential exactly where its token slot stands. */
	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		char want[64];
		snprintf(want, sizeof want, "%s%s%s", M->splice_path[kind], *M->splice_path[kind] ? "." : "", M->splice_name[kind]);
		unsigned tokens = 0;
		for (size_t i = 0; i < M->slots_len; i++) {
			if ((int)M->slots[i].kind != kind || M->slots[i].role != SLOT_TOKEN)
				continue;
			assert_string_equal(M->slots[i].path, want);
			tokens++;
		}
		assert_int_equal(tokens, 1);
	}
}

/* The linked set of A1: one kind wherever a person's identifier stands, so that merging still works. */
static void identity_set(void **state)
{
	(void)state;
	static const struct {
		enum object_kind kind;
		const char *path;
		enum id_kind id;
		bool device_prefix;
	} rows[] = {
		{OBJECT_EVENT, "properties.distinct_id", ID_USER, true}, {OBJECT_EVENT, "properties.$user_id", ID_USER, true},
		{OBJECT_EVENT, "properties.$device_id", ID_DEVICE, true}, {OBJECT_LINK, "properties.distinct_id", ID_USER, true},
		{OBJECT_LINK, "properties.alias", ID_USER, true}, {OBJECT_LINK, "properties.$anon_distinct_id", ID_USER, true},
		{OBJECT_LINK, "properties.$anon_id", ID_USER, true}, {OBJECT_LINK, "properties.$identified_id", ID_USER, true},
		{OBJECT_LINK, "properties.$distinct_ids[]", ID_USER, true}, {OBJECT_LINK, "properties.$user_id", ID_USER, true},
		{OBJECT_LINK, "properties.$device_id", ID_DEVICE, true}, {OBJECT_PROFILE, "$distinct_id", ID_USER, true},
		{OBJECT_PROFILE, "$user_id", ID_USER, true}, {OBJECT_PROFILE, "$device_id", ID_DEVICE, true},
		{OBJECT_GROUP, "$group_id", ID_ACCOUNT, false},
	};
	size_t ids = 0;
	for (size_t i = 0; i < M->slots_len; i++)
		ids += M->slots[i].role == SLOT_ID;
	assert_int_equal(ids, LEN(rows));
	for (size_t i = 0; i < LEN(rows); i++) {
		const struct slot *s = NULL;
		for (size_t k = 0; k < M->slots_len && !s; k++)
			if (M->slots[k].kind == rows[i].kind && strcmp(M->slots[k].path, rows[i].path) == 0)
				s = &M->slots[k];
		assert_non_null(s);
		enum id_kind kind = ID_OTHER;
		assert_int_equal(slot_prefix(s, SPAN("alice"), &kind), 0);
		assert_int_equal(kind, rows[i].id);
		assert_int_equal(slot_prefix(s, SPAN("$device:18c2"), &kind), rows[i].device_prefix ? 8 : 0);
		assert_int_equal(kind, rows[i].device_prefix ? ID_DEVICE : rows[i].id);
		assert_int_equal(slot_prefix(s, SPAN("$devic"), &kind), 0);
		assert_int_equal(slot_prefix(s, SPAN(""), &kind), 0);
	}
	static const char *const link_names[] = {"$create_alias", "$identify", "$merge"};
	assert_int_equal(M->links_len, LEN(link_names));
	for (size_t i = 0; i < LEN(link_names); i++)
		assert_string_equal(M->links[i].event, link_names[i]);
	static const char *const ops[] = {"$set", "$set_once", "$add", "$append", "$union", "$remove", "$unset", "$delete"};
	assert_int_equal(M->operations_len, LEN(ops));
	for (size_t i = 0; i < LEN(ops); i++) {
		assert_string_equal(M->operations[i].key, ops[i]);
		assert_string_equal(M->operations[i].word, ops[i] + 1);
	}
}

/* ---- decode ---- */

static int decode(const char *query, const char *type, const char *auth, struct span body, size_t max, struct wire_objects *out,
		  struct err *err)
{
	char *padded = arena_alloc(&arena, body.len + 64);
	if (body.len)
		memcpy(padded, body.at, body.len);
	memset(padded + body.len, 0, 64);
	struct wire_request rq = {.method = body.len ? P : G, .path = SPAN("/track"), .query = span(query),
				  .content_type = span(type), .authorization = span(auth), .body = {padded, body.len}};
	*err = (struct err){.off = ERR_NOOFF};
	int r = M->decode(&M->routes[MIXPANEL_TRACK], &rq, max, &arena, out, err);
	if (r == 0)
		for (int i = 0; i < 64; i++)
			assert_int_equal(out->json.at[out->json.len + (size_t)i], 0);
	return r;
}

#define EVENT "{\"event\":\"a~~?>+b\",\"properties\":{}}"
#define EVENT64 "eyJldmVudCI6ImF+fj8+K2IiLCJwcm9wZXJ0aWVzIjp7fX0="	/* holds a '+' */
#define EVENT64_URL "eyJldmVudCI6ImF-fj8-K2IiLCJwcm9wZXJ0aWVzIjp7fX0"
#define FORM "application/x-www-form-urlencoded"

enum { NDJSON = 1, VERBOSE = 2, IMAGE = 4, FORM_STYLE = 8 };

static void wire_forms(void **state)
{
	(void)state;
	static const struct {
		const char *what, *query, *type, *body, *want;
		unsigned is;
	} rows[] = {
		{"node GET", "ip=0&verbose=0&data=eyJldmVudCI6ImF%2Bfj8%2BK2IiLCJwcm9wZXJ0aWVzIjp7fX0%3D", "", "", EVENT, FORM_STYLE},
		{"GET, base64 not escaped", "data=" EVENT64 "&verbose=1", "", "", EVENT, VERBOSE | FORM_STYLE},
		{"GET, url-safe alphabet", "data=" EVENT64_URL, "", "", EVENT, FORM_STYLE},
		{"GET, raw JSON", "data=%7B%22event%22%3A%22a%22%7D", "", "", "{\"event\":\"a\"}", FORM_STYLE},
		{"GET for an image", "data=%7B%7D&img=1", "", "", "{}", IMAGE | FORM_STYLE},
		{"node batch, raw base64", "ip=0&verbose=0", FORM, "data=W3siZXZlbnQiOiJhfn4/PitiIn1d", "[{\"event\":\"a~~?>+b\"}]", FORM_STYLE},
		{"node batch, raw base64 with padding and plus", "", FORM, "data=" EVENT64, EVENT, FORM_STYLE},
		{"browser, escaped base64", "verbose=1&ip=1&_=1700000000000", FORM,
		 "data=eyJldmVudCI6ImF%2Bfj8%2BK2IiLCJwcm9wZXJ0aWVzIjp7fX0%3D", EVENT, VERBOSE | FORM_STYLE},
		{"browser, JSON payload", "verbose=1&ip=1", FORM, "data=%5B%7B%22a%22%3A%22x%2By%20z%22%7D%5D", "[{\"a\":\"x+y z\"}]", VERBOSE | FORM_STYLE},
		{"sendBeacon", "verbose=1&ip=1", "text/plain;charset=UTF-8", "data=eyJldmVudCI6ImF%2Bfj8%2BK2IiLCJwcm9wZXJ0aWVzIjp7fX0%3D", EVENT, VERBOSE | FORM_STYLE},
		{"python", "", FORM, "data=%5B%7B%22a%22%3A+%22x%2By+z%22%7D%5D&verbose=1&ip=0", "[{\"a\": \"x+y z\"}]", VERBOSE | FORM_STYLE},
		{"python, other order", "", FORM, "verbose=1&ip=0&api_key=k&data=%7B%7D", "{}", VERBOSE | FORM_STYLE},
		{"base64, MIME lines", "", FORM, "data=eyJldmVudCI6ImF%2Bfj8%2BK2Ii%0D%0ALCJwcm9wZXJ0aWVzIjp7fX0%3D%0A", EVENT, FORM_STYLE},
		{"base64, decoded once too often", "", FORM, "data=eyJldmVudCI6ImF%20fj8%20K2IiLCJwcm9wZXJ0aWVzIjp7fX0=", EVENT, FORM_STYLE},
		{"API, JSON array", "strict=1", "application/json", "[{\"event\":\"a\"}]", "[{\"event\":\"a\"}]", 0},
		{"API, JSON object behind spaces", "verbose=1", "application/json; charset=utf-8", "\r\n\t {}", "\r\n\t {}", VERBOSE},
		{"API, NDJSON", "", "application/x-ndjson", "{\"event\":\"a\"}\n{\"event\":\"b\"}\n", "{\"event\":\"a\"}\n{\"event\":\"b\"}\n", NDJSON},
		{"JSON as text/plain", "", "text/plain", "[{}]", "[{}]", 0},
		{"JSON called a form", "", FORM, "{\"a\":\"data=1&b\"}", "{\"a\":\"data=1&b\"}", 0},
		{"JSON without a type", "", "", "{}", "{}", 0},
		{"verbose in words", "verbose=false&img=0", "", "{}", "{}", 0},
	};
	for (size_t i = 0; i < LEN(rows); i++) {
		struct wire_objects out;
		struct err err;
		int r = decode(rows[i].query, rows[i].type, NULL, span(rows[i].body), 1 << 20, &out, &err);
		if (r)
			fail_msg("%s: %s", rows[i].what, err.msg);
		if (strcmp(text(out.json), rows[i].want) != 0)
			fail_msg("%s: got %s", rows[i].what, text(out.json));
		unsigned is = (out.ndjson ? NDJSON : 0) | (out.style.verbose ? VERBOSE : 0) | (out.style.image ? IMAGE : 0) |
			      (out.style.form ? FORM_STYLE : 0);
		if (is != rows[i].is)
			fail_msg("%s: style %u", rows[i].what, is);
	}
}

static struct span gzip(const char *s, size_t n)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
	char *out = arena_alloc(&arena, n + 1024);
	size_t len = libdeflate_gzip_compress(c, s, n, out, n + 1024);
	libdeflate_free_compressor(c);
	assert_true(len > 0);
	return (struct span){out, len};
}

static void hidden_gzip(void **state)
{
	(void)state;
	struct wire_objects out;
	struct err err;
	struct span z = gzip(EVENT, strlen(EVENT));
	assert_int_equal(decode("", "text/plain", NULL, z, 1 << 20, &out, &err), 0);
	assert_string_equal(text(out.json), EVENT);
	z = gzip("data=" EVENT64, strlen("data=" EVENT64));
	assert_int_equal(decode("", FORM, NULL, z, 1 << 20, &out, &err), 0);
	assert_string_equal(text(out.json), EVENT);
	z = gzip(EVENT, strlen(EVENT));	/* gzip inside base64 */
	char *form = arena_alloc(&arena, 4096);
	memcpy(form, "data=", 5);
	size_t n = 5 + base64_encode(z.at, z.len, form + 5);
	assert_int_equal(decode("", FORM, NULL, (struct span){form, n}, 1 << 20, &out, &err), 0);
	assert_string_equal(text(out.json), EVENT);
	char *zeros = arena_alloc(&arena, 4 << 20);	/* a bomb */
	memset(zeros, ' ', 4 << 20);
	zeros[0] = '[';
	z = gzip(zeros, 4 << 20);
	assert_int_equal(decode("", "", NULL, z, 1 << 20, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	z = gzip(EVENT, strlen(EVENT));
	z.len -= 5;
	assert_int_equal(decode("", "", NULL, z, 1 << 20, &out, &err), -1);
	assert_int_equal(err.code, ERR_SYNTAX);
}

static void unreadable(void **state)
{
	(void)state;
	static const struct {
		const char *query, *type, *body;
		enum err_code code;
	} rows[] = {
		{"", "", "", ERR_INPUT}, {"verbose=1", FORM, "ip=0", ERR_INPUT}, {"data=", "", "", ERR_INPUT},
		{"data=%7B%7D", FORM, "data=%7B%7D", ERR_INPUT}, {"", FORM, "data=%7B%7D&data=%7B%7D", ERR_INPUT},
		{"data=%7B%7D", "application/json", "{}", ERR_INPUT}, {"data=%7", "", "", ERR_SYNTAX}, {"data=%7B%2", "", "", ERR_SYNTAX},
		{"data=%zz", "", "", ERR_SYNTAX}, {"data=abcde", "", "", ERR_SYNTAX}, {"data=ab*d", "", "", ERR_SYNTAX},
		{"data=====", "", "", ERR_SYNTAX}, {"", "multipart/form-data; boundary=x", "--x\r\n", ERR_INPUT},
		{"data=%7B%7D&callback=alert(1)//", "", "", ERR_INPUT}, {"data=%7B%7D&callback=a%0Ab", "", "", ERR_INPUT},
		{"data=%7B%7D&callback=a[1", "", "", ERR_INPUT}, {"data=%7B%7D&callback=a[]", "", "", ERR_INPUT},
		{"data=%7B%7D&callback=a..b", "", "", ERR_INPUT}, {"data=%7B%7D&callback=1a", "", "", ERR_INPUT},
		{"data=%7B%7D&callback=a.", "", "", ERR_INPUT}, {"", "", "SECRET hello", ERR_INPUT}, {"", "", "\xef\xbb\xbf{}", ERR_INPUT},
	};
	for (size_t i = 0; i < LEN(rows); i++) {
		struct wire_objects out;
		struct err err;
		if (decode(rows[i].query, rows[i].type, NULL, span(rows[i].body), 1 << 20, &out, &err) == 0)
			fail_msg("row %zu is accepted", i);
		if (err.code != rows[i].code)
			fail_msg("row %zu: %s (%s)", i, err_code_name(err.code), err.msg);
		assert_null(strstr(err.msg, "SECRET"));
	}
	struct wire_objects out;
	struct err err;
	assert_int_equal(decode("", "application/json", NULL, SPAN("[{\"a\":\"0123456789\"}]"), 10, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(decode("data=%5B%7B%22a%22%3A%220123456789%22%7D%5D", "", NULL, SPAN(""), 10, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

static void styles_and_tokens(void **state)
{
	(void)state;
	static const struct {
		const char *query, *auth, *callback, *token;
	} rows[] = {
		{"data=%7B%7D&callback=mixpanel._jsc%5B12345%5D", NULL, "mixpanel._jsc[12345]", ""},
		{"data=%7B%7D&callback=(function()%7B%7D)", NULL, "(function(){})", ""},
		{"data=%7B%7D&callback=$a_1.b", NULL, "$a_1.b", ""},
		{"data=%7B%7D", "Basic dG9rZW46", "", "token"},		/* token: */
		{"data=%7B%7D", "basic dG9rZW46", "", "token"},
		{"data=%7B%7D", "Basic dXNlcjpwYXNz", "", ""},		/* user:pass: a service account */
		{"data=%7B%7D", "Basic Og==", "", ""},			/* : */
		{"data=%7B%7D", "Basic dG9rZW4=", "", ""},		/* no colon */
		{"data=%7B%7D", "Basic !!", "", ""}, {"data=%7B%7D", "Bearer dG9rZW46", "", ""},
		{"data=%7B%7D&token=abc", "Basic dG9rZW46", "", "abc"},
	};
	for (size_t i = 0; i < LEN(rows); i++) {
		struct wire_objects out;
		struct err err;
		if (decode(rows[i].query, "", rows[i].auth, SPAN(""), 1 << 20, &out, &err))
			fail_msg("row %zu: %s", i, err.msg);
		assert_string_equal(text(out.style.callback), rows[i].callback);
		assert_string_equal(text(out.token), rows[i].token);
	}
}

/* ---- reply ---- */

static void replies(void **state)
{
	(void)state;
	static const char *const why = "weir: \"x\"";
	static const struct {
		enum mixpanel_route route;
		struct wire_style style;
		enum outcome outcome;
		int status;
		const char *body;	/* NULL: an image */
		const char *type;
	} rows[] = {
		/* node: exactly 1; anything else is shown to the caller */
		{MIXPANEL_TRACK, {.form = 1}, OUTCOME_ACCEPTED, 200, "1", "text/plain"},
		{MIXPANEL_ENGAGE, {.form = 1}, OUTCOME_ACCEPTED, 200, "1", "text/plain"},
		{MIXPANEL_GROUPS, {.form = 1}, OUTCOME_ACCEPTED, 200, "1", "text/plain"},
		{MIXPANEL_IMPORT, {.form = 1}, OUTCOME_ACCEPTED, 200, "1", "text/plain"},
		{MIXPANEL_TRACK, {.form = 1}, OUTCOME_REJECTED, 403, "weir: \"x\"", "text/plain"},
		{MIXPANEL_TRACK, {.form = 1}, OUTCOME_RETRY, 503, "weir: \"x\"", "text/plain"},
		/* browser, python, node with verbose */
		{MIXPANEL_TRACK, {.form = 1, .verbose = 1}, OUTCOME_ACCEPTED, 200, "{\"status\":1,\"error\":null}", "application/json"},
		{MIXPANEL_IMPORT, {.form = 1, .verbose = 1}, OUTCOME_ACCEPTED, 200, "{\"status\":1,\"error\":null}", "application/json"},
		{MIXPANEL_TRACK, {.form = 1, .verbose = 1}, OUTCOME_UNREADABLE, 400, "{\"status\":0,\"error\":\"weir: \\\"x\\\"\"}", "application/json"},
		{MIXPANEL_TRACK, {.form = 1, .verbose = 1}, OUTCOME_TOO_LARGE, 413, "{\"status\":0,\"error\":\"weir: \\\"x\\\"\"}", "application/json"},
		{MIXPANEL_TRACK, {.form = 1, .verbose = 1}, OUTCOME_REJECTED, 403, "{\"status\":0,\"error\":\"weir: \\\"x\\\"\"}", "application/json"},
		{MIXPANEL_TRACK, {.form = 1, .verbose = 1}, OUTCOME_RETRY, 503, "{\"status\":0,\"error\":\"weir: \\\"x\\\"\"}", "application/json"},
		/* API */
		{MIXPANEL_TRACK, {0}, OUTCOME_ACCEPTED, 200, "1", "text/plain"},
		{MIXPANEL_TRACK, {0}, OUTCOME_UNREADABLE, 400, "{\"status\":0,\"error\":\"weir: \\\"x\\\"\"}", "application/json"},
		{MIXPANEL_TRACK, {.verbose = 1}, OUTCOME_ACCEPTED, 200, "{\"status\":1,\"error\":null}", "application/json"},
		{MIXPANEL_IMPORT, {0}, OUTCOME_ACCEPTED, 200, "{\"code\":200,\"num_records_imported\":7,\"status\":\"OK\"}", "application/json"},
		{MIXPANEL_IMPORT, {0}, OUTCOME_UNREADABLE, 400, "{\"code\":400,\"error\":\"weir: \\\"x\\\"\",\"status\":\"Bad Request\"}", "application/json"},
		{MIXPANEL_IMPORT, {0}, OUTCOME_TOO_LARGE, 413, "{\"code\":413,\"error\":\"weir: \\\"x\\\"\",\"status\":\"Payload Too Large\"}", "application/json"},
		{MIXPANEL_IMPORT, {0}, OUTCOME_REJECTED, 403, "{\"code\":403,\"error\":\"weir: \\\"x\\\"\",\"status\":\"Forbidden\"}", "application/json"},
		{MIXPANEL_IMPORT, {0}, OUTCOME_RETRY, 503, "{\"code\":503,\"error\":\"weir: \\\"x\\\"\",\"status\":\"Service Unavailable\"}", "application/json"},
		/* image and script */
		{MIXPANEL_TRACK, {.form = 1, .image = 1}, OUTCOME_ACCEPTED, 200, NULL, "image/gif"},
		{MIXPANEL_TRACK, {.form = 1, .image = 1}, OUTCOME_REJECTED, 403, NULL, "image/gif"},
		{MIXPANEL_TRACK, {.form = 1, .callback = {"f", 1}}, OUTCOME_ACCEPTED, 200, "f(1);", "application/javascript"},
		{MIXPANEL_TRACK, {.form = 1, .callback = {"f", 1}}, OUTCOME_REJECTED, 403, "f(0);", "application/javascript"},
		{MIXPANEL_TRACK, {.form = 1, .verbose = 1, .callback = {"f", 1}}, OUTCOME_ACCEPTED, 200, "f({\"status\":1,\"error\":null});", "application/javascript"},
		/* pinned and refused */
		{MIXPANEL_SETTINGS, {0}, OUTCOME_ACCEPTED, 200, "{\"sdk_config\":{\"config\":{\"record_sessions_percent\":0}}}", "application/json"},
		{MIXPANEL_FLAGS, {0}, OUTCOME_ACCEPTED, 200, "{\"flags\":{}}", "application/json"},
		{MIXPANEL_FLAG_DEFINITIONS, {0}, OUTCOME_ACCEPTED, 200, "{\"flags\":[]}", "application/json"},
		{MIXPANEL_SETTINGS, {0}, OUTCOME_REJECTED, 403, "{\"status\":0,\"error\":\"weir: \\\"x\\\"\"}", "application/json"},
		{MIXPANEL_RECORD, {0}, OUTCOME_REJECTED, 403, "{\"status\":0,\"error\":\"weir: \\\"x\\\"\"}", "application/json"},
		{MIXPANEL_DECIDE, {0}, OUTCOME_REJECTED, 403, "{\"status\":0,\"error\":\"weir: \\\"x\\\"\"}", "application/json"},
	};
	for (size_t i = 0; i < LEN(rows); i++) {
		struct wire_reply r;
		M->reply(&M->routes[rows[i].route], &rows[i].style, rows[i].outcome, 7, 2, why, &arena, &r);
		assert_int_equal(r.status, rows[i].status);
		assert_string_equal(r.content_type, rows[i].type);
		assert_int_equal(r.retry_after_s > 0, rows[i].outcome == OUTCOME_RETRY);
		if (rows[i].body)
			assert_string_equal(text(r.body), rows[i].body);
		else
			assert_true(r.body.len == 43 && memcmp(r.body.at, "GIF89a", 6) == 0 && r.body.at[42] == ';');
	}
	/* Without words of its own each outcome and each refused route has some, and no style is a style. */
	for (unsigned route = 0; route < MIXPANEL_ROUTES; route++) {
		for (int o = 0; o < OUTCOME_KINDS; o++) {
			struct wire_reply r;
			M->reply(&M->routes[route], NULL, (enum outcome)o, 0, 0, NULL, &arena, &r);
			assert_true(r.body.len > 0);
			assert_false(r.status >= 300 && r.status < 400);	/* node takes the 200 behind a 301 for delivery */
		}
	}
}

/*
 * The browser's, node's and python's own rules, replayed on our replies: success is success, refusal ends it, retry
 * is retried by those who ever retry.
 */
static void sdk_rules(void **state)
{
	(void)state;
	for (unsigned route = MIXPANEL_TRACK; route <= MIXPANEL_GROUPS; route++) {
		for (int o = 0; o < OUTCOME_KINDS; o++) {
			struct wire_reply node, browser;
			M->reply(&M->routes[route], &(struct wire_style){.form = true}, (enum outcome)o, 1, 0, NULL, &arena, &node);
			M->reply(&M->routes[route], &(struct wire_style){.form = true, .verbose = true}, (enum outcome)o, 1, 0, NULL,
				 &arena, &browser);
			assert_int_equal(span_eq(node.body, "1"), o == OUTCOME_ACCEPTED);
			bool again = browser.status == 429 || browser.status >= 500, halve = browser.status == 413;
			assert_int_equal(again, o == OUTCOME_RETRY);
			assert_int_equal(halve, o == OUTCOME_TOO_LARGE);
			assert_int_equal(browser.status >= 500, o == OUTCOME_RETRY);	/* python */
			assert_int_equal(memmem(browser.body.at, browser.body.len, "\"status\":1", 10) != NULL, o == OUTCOME_ACCEPTED);
		}
	}
}

/* ---- upstream ---- */

static void encoding(void **state)
{
	(void)state;
	static const struct {
		unsigned route;
		const char *objects[3];
		int32_t splice[3];
		const char *credential, *path, *body, *auth;
	} rows[] = {
		{MIXPANEL_TRACK, {"{\"event\":\"a\",\"properties\":{\"b\":1}}", "{\"properties\":{ },\"event\":\"b\"}"}, {27, 15}, "T0k",
		 "/track?verbose=1&ip=0",
		 "[{\"event\":\"a\",\"properties\":{\"token\":\"T0k\",\"b\":1}},{\"properties\":{\"token\":\"T0k\" },\"event\":\"b\"}]", ""},
		{MIXPANEL_IMPORT, {"{\"event\":\"a\",\"properties\":{}}"}, {27}, "T0k", "/import?strict=1",
		 "[{\"event\":\"a\",\"properties\":{\"token\":\"T0k\"}}]", "Basic VDBrOg=="},
		{MIXPANEL_ENGAGE, {"{\"$set\":{}}"}, {1}, "q\"\\\x01", "/engage?verbose=1&ip=0",
		 "[{\"$token\":\"q\\\"\\\\\\u0001\",\"$set\":{}}]", ""},
		{MIXPANEL_GROUPS, {"{}"}, {1}, "T0k", "/groups?verbose=1&ip=0", "[{\"$token\":\"T0k\"}]", ""},
		{MIXPANEL_TRACK, {"{\"event\":\"a\"}"}, {-1}, "T0k", "/track?verbose=1&ip=0", "[{\"event\":\"a\"}]", ""},
	};
	for (size_t i = 0; i < LEN(rows); i++) {
		struct stored_object o[3];
		size_t n = 0;
		for (; n < 3 && rows[i].objects[n]; n++)
			o[n] = (struct stored_object){.json = span(rows[i].objects[n]), .splice = (uint32_t)rows[i].splice[n]};
		struct upstream_request rq;
		M->encode(rows[i].route, o, n, span(rows[i].credential), &arena, &rq);
		assert_string_equal(text(rq.path), rows[i].path);
		assert_string_equal(text(rq.body), rows[i].body);
		assert_string_equal(text(rq.authorization), rows[i].auth);
		assert_string_equal(text(rq.content_type), "application/json");
	}
	struct arena small;
	arena_init(&small, 64);
	struct stored_object o = {.json = SPAN("{\"event\":\"a\",\"properties\":{}}"), .splice = 27};
	struct upstream_request rq;
	M->encode(MIXPANEL_TRACK, &o, 1, SPAN("0123456789012345678901234567890123456789"), &small, &rq);
	assert_null(rq.body.at);
	arena_release(&small);
}

static void old_events(void **state)
{
	(void)state;
	static const struct {
		unsigned route;
		int64_t age;
		unsigned want;
	} rows[] = {
		{MIXPANEL_TRACK, 0, MIXPANEL_TRACK}, {MIXPANEL_TRACK, 4 * 86400, MIXPANEL_TRACK},
		{MIXPANEL_TRACK, 5 * 86400 - 60, MIXPANEL_IMPORT}, {MIXPANEL_TRACK, 5 * 86400 + 1, MIXPANEL_IMPORT},
		{MIXPANEL_TRACK, -86400, MIXPANEL_TRACK}, {MIXPANEL_ENGAGE, 9 * 86400, MIXPANEL_ENGAGE},
		{MIXPANEL_GROUPS, 9 * 86400, MIXPANEL_GROUPS}, {MIXPANEL_IMPORT, 0, MIXPANEL_IMPORT},
	};
	for (size_t i = 0; i < LEN(rows); i++) {
		struct stored_object o = {.time_s = 1700000000 - rows[i].age};
		assert_int_equal(M->route_now(rows[i].route, &o, 1700000000), rows[i].want);
	}
	struct stored_object unknown = {.time_s = 0};
	assert_int_equal(M->route_now(MIXPANEL_TRACK, &unknown, 1700000000), MIXPANEL_TRACK);
}

static void judging(void **state)
{
	(void)state;
	static const struct {
		unsigned route;
		int status;
		const char *body;
		enum verdict want;
		const char *bad;
	} rows[] = {
		{MIXPANEL_TRACK, 200, "{\"status\":1,\"error\":null}", VERDICT_DELIVERED, ""}, {MIXPANEL_TRACK, 200, "1", VERDICT_DELIVERED, ""},
		{MIXPANEL_ENGAGE, 200, "1\n", VERDICT_DELIVERED, ""}, {MIXPANEL_TRACK, 200, "0", VERDICT_SPLIT, ""},
		{MIXPANEL_TRACK, 200, "{\"status\":0,\"error\":\"data, missing or empty\"}", VERDICT_SPLIT, ""},
		{MIXPANEL_TRACK, 200, "{\"status\":0,\"error\":\"token, missing or empty\"}", VERDICT_HOLD, ""},
		{MIXPANEL_TRACK, 200, "", VERDICT_RETRY, ""}, {MIXPANEL_TRACK, 200, "<html>welcome</html>", VERDICT_RETRY, ""},
		{MIXPANEL_TRACK, 200, "{\"status\":\"1\"}", VERDICT_RETRY, ""}, {MIXPANEL_TRACK, 200, "[1]", VERDICT_RETRY, ""},
		{MIXPANEL_TRACK, 204, "", VERDICT_RETRY, ""}, {MIXPANEL_TRACK, 202, "{\"status\":1}", VERDICT_DELIVERED, ""},
		{MIXPANEL_IMPORT, 200, "{\"code\":200,\"num_records_imported\":5,\"status\":\"OK\"}", VERDICT_DELIVERED, ""},
		{MIXPANEL_IMPORT, 200, "{\"code\":400,\"status\":\"Bad Request\"}", VERDICT_SPLIT, ""},
		{MIXPANEL_IMPORT, 400, "{\"code\":400,\"failed_records\":[{\"index\":1},{\"index\":4},{\"index\":1}]}", VERDICT_PARTIAL, "1 4 "},
		{MIXPANEL_IMPORT, 400, "{\"code\":400,\"failed_records\":[{\"index\":5}]}", VERDICT_SPLIT, ""},
		{MIXPANEL_IMPORT, 400, "{\"code\":400,\"failed_records\":[{\"index\":-1}]}", VERDICT_SPLIT, ""},
		{MIXPANEL_IMPORT, 400, "{\"code\":400,\"failed_records\":[{\"index\":\"1\"}]}", VERDICT_SPLIT, ""},
		{MIXPANEL_IMPORT, 400, "{\"code\":400,\"failed_records\":[]}", VERDICT_SPLIT, ""},
		{MIXPANEL_IMPORT, 400, "{\"code\":400,\"error\":\"some data points in the request failed validation\"}", VERDICT_SPLIT, ""},
		{MIXPANEL_TRACK, 400, "{\"failed_records\":[{\"index\":1}]}", VERDICT_SPLIT, ""},
		{MIXPANEL_IMPORT, 413, "", VERDICT_SPLIT, ""}, {MIXPANEL_IMPORT, 401, "{\"code\":401}", VERDICT_HOLD, ""},
		{MIXPANEL_TRACK, 0, "", VERDICT_RETRY, ""}, {MIXPANEL_TRACK, 301, "1", VERDICT_RETRY, ""}, {MIXPANEL_TRACK, 307, "", VERDICT_RETRY, ""},
		{MIXPANEL_TRACK, 400, "", VERDICT_SPLIT, ""}, {MIXPANEL_TRACK, 401, "", VERDICT_HOLD, ""}, {MIXPANEL_TRACK, 402, "", VERDICT_HOLD, ""},
		{MIXPANEL_TRACK, 403, "1", VERDICT_HOLD, ""}, {MIXPANEL_TRACK, 404, "", VERDICT_HOLD, ""}, {MIXPANEL_TRACK, 405, "", VERDICT_HOLD, ""},
		{MIXPANEL_TRACK, 408, "", VERDICT_RETRY, ""}, {MIXPANEL_TRACK, 413, "", VERDICT_SPLIT, ""}, {MIXPANEL_TRACK, 422, "", VERDICT_SPLIT, ""},
		{MIXPANEL_TRACK, 425, "", VERDICT_RETRY, ""}, {MIXPANEL_TRACK, 429, "", VERDICT_RETRY, ""}, {MIXPANEL_TRACK, 500, "1", VERDICT_RETRY, ""},
		{MIXPANEL_TRACK, 503, "", VERDICT_RETRY, ""}, {MIXPANEL_TRACK, 599, "", VERDICT_RETRY, ""},
	};
	for (size_t i = 0; i < LEN(rows); i++) {
		struct judgement j = {0};
		M->judge(rows[i].route, 5, rows[i].status, span(rows[i].body), &arena, &j);
		if (j.verdict != rows[i].want)
			fail_msg("row %zu: %d %s: verdict %d", i, rows[i].status, rows[i].body, j.verdict);
		assert_non_null(j.why);
		struct buf b;
		buf_init(&b, 0);
		buf_adds(&b, "");
		for (size_t k = 0; k < j.bad_len; k++)
			buf_addf(&b, "%u ", j.bad[k]);
		assert_string_equal(b.len ? (const char *)b.data : "", rows[i].bad);
		buf_release(&b);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(routes), T(table_is_whole), T(identity_set), T(wire_forms), T(hidden_gzip), T(unreadable), T(styles_and_tokens),
		T(replies), T(sdk_rules), T(encoding), T(old_events), T(judging),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
