/* Any request and any answer of the vendor: no crash, what is decoded stays in bounds and padded, judgements make sense. */
#include "adapter/mixpanel.h"

#include "base/inflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { MAX = 1 << 20, PAD = 64 };

static void decode(unsigned flags, struct span query, struct span body, struct arena *a)
{
	static const char *const types[] = {"", "application/json", "application/x-ndjson", "text/plain;charset=UTF-8",
					    "application/x-www-form-urlencoded", "multipart/form-data", "*", "text/html"};
	const char *type = types[flags & 7];
	char *padded = arena_alloc(a, body.len + PAD);
	must(padded);
	if (body.len)
		memcpy(padded, body.at, body.len);
	memset(padded + body.len, 0, PAD);
	struct wire_request rq = {
		.method = METHOD_POST, .path = SPAN("/track"), .query = query, .content_type = {type, strlen(type)},
		.authorization = flags & 8 ? query : (struct span){NULL, 0}, .body = {padded, body.len},
	};
	struct wire_objects out;
	struct err err;
	struct wire_reply reply;
	const struct route *r = &adapter_mixpanel.routes[flags % MIXPANEL_ROUTES];
	int bad = adapter_mixpanel.decode(r, &rq, MAX, a, &out, &err);
	must(!bad || err.code == ERR_SYNTAX || err.code == ERR_INPUT || err.code == ERR_LIMIT);
	if (!bad) {
		must(out.json.len <= MAX);
		for (size_t i = 0; i < PAD; i++)
			must(out.json.at[out.json.len + i] == 0);
	}
	adapter_mixpanel.reply(r, &out.style, flags % OUTCOME_KINDS, 1, 0, NULL, a, &reply);
	must(reply.status >= 200 && reply.body.at);
}

static void judge(unsigned flags, struct span body, struct arena *a)
{
	static const int statuses[] = {200, 204, 301, 400, 401, 413, 429, 503};
	struct judgement j;
	size_t batch = 1 + flags % 50;
	adapter_mixpanel.judge(flags & 3, batch, statuses[flags >> 2 & 7], body, a, &j);
	must(j.why && (j.verdict == VERDICT_PARTIAL) == (j.bad_len > 0));
	for (size_t i = 0; i < j.bad_len; i++)
		must(j.bad[i] < batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n < 2)
		return 0;
	struct arena a;
	arena_init(&a, 16u << 20);
	const char *text = (const char *)p + 2;
	size_t query = p[1] < n - 2 ? p[1] : n - 2;
	decode(p[0], (struct span){text, query}, (struct span){text + query, n - 2 - query}, &a);
	judge(p[0], (struct span){text, n - 2}, &a);
	arena_release(&a);
	return 0;
}
