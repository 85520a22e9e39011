/*
 * Towards Mixpanel: always a JSON array by POST, whatever form the SDK chose, so that nothing stands in a query string.
 * ip=0 says that the connection's address, ours, is nobody's place.  The credential is the project's token: spliced
 * into each object, and the Basic user of /import.
 */
#include "adapter/mixpanel.h"

#include <jansson.h>

#include "base/buf.h"

enum { ROUTES_OUT = MIXPANEL_GROUPS + 1 };

static const struct {
	const char *path;
	const char *key;	/* of the credential */
	bool auth;
} upstream[ROUTES_OUT] = {
	[MIXPANEL_TRACK] = {"/track?verbose=1&ip=0", "token", false},
	[MIXPANEL_IMPORT] = {"/import?strict=1", "token", true},
	[MIXPANEL_ENGAGE] = {"/engage?verbose=1&ip=0", "$token", false},
	[MIXPANEL_GROUPS] = {"/groups?verbose=1&ip=0", "$token", false},
};

static struct span to_arena(struct arena *a, struct buf *b)
{
	char *p = b->over ? NULL : arena_strndup(a, (const char *)b->data, b->len);
	struct span s = {p, p ? b->len : 0};
	buf_wipe(b);
	return s;
}

static struct span basic(struct span credential, struct arena *a)
{
	char *plain = arena_alloc(a, credential.len + 1);
	char *to = arena_alloc(a, 6 + 4 * ((credential.len + 3) / 3) + 1);
	if (!plain || !to)
		return (struct span){NULL, 0};
	if (credential.len)
		memcpy(plain, credential.at, credential.len);
	plain[credential.len] = ':';
	memcpy(to, "Basic ", 6);
	return (struct span){to, 6 + base64_encode(plain, credential.len + 1, to + 6)};
}

/* Is the object that begins just before `at` empty? */
static bool empty_object(struct span json, size_t at)
{
	while (at < json.len && (json.at[at] == ' ' || json.at[at] == '\t' || json.at[at] == '\r' || json.at[at] == '\n'))
		at++;
	return at >= json.len || json.at[at] == '}';
}

static char *put(char *to, const char *from, size_t n)
{
	if (n)
		memcpy(to, from, n);
	return to + n;
}

/* member: "token":"..." in JSON. */
static char *put_spliced(char *to, const struct stored_object *o, struct span member)
{
	if (o->splice == SPLICE_NONE || o->splice > o->json.len)
		return put(to, o->json.at, o->json.len);
	to = put(to, o->json.at, o->splice);
	to = put(to, member.at, member.len);
	if (!empty_object(o->json, o->splice))
		*to++ = ',';
	return put(to, o->json.at + o->splice, o->json.len - o->splice);
}

void mixpanel_encode(unsigned route, const struct stored_object *o, size_t n, struct span credential, struct arena *a,
		     struct upstream_request *out)
{
	must(route < ROUTES_OUT);
	struct buf b;
	buf_init(&b, 0);
	buf_addf(&b, "\"%s\":", upstream[route].key);
	buf_add_json(&b, credential.at, credential.len);
	struct span member = to_arena(a, &b);
	size_t size = 2;
	for (size_t i = 0; i < n; i++)
		size += o[i].json.len + member.len + 2;
	char *body = arena_alloc(a, size), *to = body;
	*out = (struct upstream_request){
		.path = {upstream[route].path, strlen(upstream[route].path)},
		.content_type = SPAN("application/json"),
	};
	if (upstream[route].auth)
		out->authorization = basic(credential, a);
	if (!body || !member.at || a->over)
		return;
	*to++ = '[';
	for (size_t i = 0; i < n; i++) {
		if (i)
			*to++ = ',';
		to = put_spliced(to, &o[i], member);
	}
	*to++ = ']';
	out->body = (struct span){body, (size_t)(to - body)};
}

/* ---- the vendor's answer ---- */

static const struct {
	int status;
	enum verdict verdict;
	const char *why;
} statuses[] = {
	{0, VERDICT_RETRY, "network"},	      {400, VERDICT_SPLIT, "refused"},	   {401, VERDICT_HOLD, "credential"},
	{402, VERDICT_HOLD, "plan"},	      {403, VERDICT_HOLD, "forbidden"},	   {404, VERDICT_HOLD, "not-found"},
	{408, VERDICT_RETRY, "timeout"},      {413, VERDICT_SPLIT, "too-large"},   {422, VERDICT_SPLIT, "refused"},
	{425, VERDICT_RETRY, "status"},	      {429, VERDICT_RETRY, "rate-limit"},
};

/* Of a status that isn't 2xx.  Only 400, 413 and 422 speak about the data; whatever else we didn't foresee must not
 * cost an event, so other 4xx hold (somebody has to look) and the rest is tried again. */
static void by_status(int status, struct judgement *out)
{
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		if (statuses[i].status == status) {
			*out = (struct judgement){.verdict = statuses[i].verdict, .why = statuses[i].why};
			return;
		}
	}
	if (status >= 400 && status < 500)
		*out = (struct judgement){.verdict = VERDICT_HOLD, .why = "status"};
	else
		*out = (struct judgement){.verdict = VERDICT_RETRY, .why = status >= 300 && status < 400 ? "redirect" : "status"};
}

static const struct judgement delivered = {.verdict = VERDICT_DELIVERED, .why = "delivered"};
static const struct judgement refused = {.verdict = VERDICT_SPLIT, .why = "refused"};
static const struct judgement no_token = {.verdict = VERDICT_HOLD, .why = "credential"};
static const struct judgement not_understood = {.verdict = VERDICT_RETRY, .why = "body"};

static bool word_is(struct span body, char c)
{
	while (body.len && (body.at[body.len - 1] == '\n' || body.at[body.len - 1] == '\r'))
		body.len--;
	return body.len == 1 && body.at[0] == c;
}

/* {"status":0,"error":"token, missing or empty"} is about our credential and not about the events. */
static const struct judgement *refusal(const json_t *reply)
{
	const char *error = json_string_value(json_object_get(reply, "error"));
	return error && strncmp(error, "token", 5) == 0 ? &no_token : &refused;
}

/* A 2xx counts only with the body that says so: a proxy's friendly page is no acknowledgement. */
static void by_body(struct span body, struct judgement *out)
{
	json_t *j = body.len ? json_loadb(body.at, body.len, 0, NULL) : NULL;
	json_t *code = json_object_get(j, "code"), *status = json_object_get(j, "status");
	if (word_is(body, '1'))
		*out = delivered;
	else if (word_is(body, '0'))
		*out = refused;
	else if (json_is_integer(code))
		*out = json_integer_value(code) == 200 ? delivered : *refusal(j);
	else if (json_is_integer(status))
		*out = json_integer_value(status) == 1 ? delivered : *refusal(j);
	else
		*out = not_understood;
	json_decref(j);
}

static bool already(const uint32_t *v, size_t n, uint32_t x)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == x)
			return true;
	return false;
}

/* /import 400: the good ones were taken, failed_records names the others.  False when the list can't be trusted. */
static bool by_failed_records(struct span body, size_t n, struct arena *a, struct judgement *out)
{
	json_t *j = body.len ? json_loadb(body.at, body.len, 0, NULL) : NULL;
	json_t *failed = json_object_get(j, "failed_records");
	size_t len = json_array_size(failed), bad_len = 0;
	uint32_t *bad = len && len <= n ? arena_alloc(a, len * sizeof *bad) : NULL;
	bool ok = bad;
	for (size_t i = 0; ok && i < len; i++) {
		json_t *index = json_object_get(json_array_get(failed, i), "index");
		json_int_t at = json_is_integer(index) ? json_integer_value(index) : -1;
		ok = at >= 0 && (uint64_t)at < n;
		if (ok && !already(bad, bad_len, (uint32_t)at))
			bad[bad_len++] = (uint32_t)at;
	}
	json_decref(j);
	if (ok)
		*out = (struct judgement){.verdict = VERDICT_PARTIAL, .bad = bad, .bad_len = bad_len, .why = "refused"};
	return ok;
}

void mixpanel_judge(unsigned route, size_t n, int status, struct span body, struct arena *a, struct judgement *out)
{
	if (status >= 200 && status < 300)
		by_body(body, out);
	else if (!(route == MIXPANEL_IMPORT && status == 400 && by_failed_records(body, n, a, out)))
		by_status(status, out);
}
