/*
 * What Mixpanel's SDKs take for an answer.
 *
 *   node      success is the body "1", or {"status":1} when verbose; anything else is handed to the caller as
 *             "Mixpanel Server Error: BODY"; the status is not looked at and nothing is ever retried
 *   python    {"status":1} (it always asks for verbose); 5xx is tried again, four times
 *   browser   429 and 5xx are tried again with growing pauses, 413 halves the batch, and everything else, 4xx
 *             included, is taken as delivered and deleted
 *   API       /import with a JSON body answers {"code":200,"num_records_imported":N,"status":"OK"}
 *
 * So one reply per outcome serves them all, if its body is right.
 */
#include "adapter/mixpanel.h"

#include "base/buf.h"

static const struct {
	int status;
	const char *phrase, *error;
	int retry_after_s;
} outcomes[OUTCOME_KINDS] = {
	[OUTCOME_ACCEPTED] = {200, "OK", NULL, 0},
	[OUTCOME_UNREADABLE] = {400, "Bad Request", "weir: the request can't be read", 0},
	[OUTCOME_TOO_LARGE] = {413, "Payload Too Large", "weir: the request is too large", 0},
	[OUTCOME_REJECTED] = {403, "Forbidden", "weir: this vendor is closed, or the token isn't known", 0},
	[OUTCOME_RETRY] = {503, "Service Unavailable", "weir: can't take this now; try again", 10},
};

/* 1x1, transparent. */
static const char pixel[] = "GIF89a\1\0\1\0\200\0\0\0\0\0\377\377\377!\371\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;";

static struct span keep(struct arena *a, struct buf *b)
{
	char *p = b->over ? NULL : arena_strndup(a, (const char *)b->data, b->len);
	struct span s = {p, p ? b->len : 0};
	buf_release(b);
	return s;
}

static void import_json(struct buf *b, enum outcome o, uint32_t kept, const char *error)
{
	buf_addf(b, "{\"code\":%d,", outcomes[o].status);
	if (o == OUTCOME_ACCEPTED) {
		buf_addf(b, "\"num_records_imported\":%u,", kept);
	} else {
		buf_adds(b, "\"error\":");
		buf_add_json(b, error, strlen(error));
		buf_addc(b, ',');
	}
	buf_addf(b, "\"status\":\"%s\"}", outcomes[o].phrase);
}

static void verbose_json(struct buf *b, enum outcome o, const char *error)
{
	buf_addf(b, "{\"status\":%d,\"error\":", o == OUTCOME_ACCEPTED);
	if (o == OUTCOME_ACCEPTED)
		buf_adds(b, "null");
	else
		buf_add_json(b, error, strlen(error));
	buf_addc(b, '}');
}

void mixpanel_reply(const struct route *r, const struct wire_style *style, enum outcome o, uint32_t kept, uint32_t dropped,
		    const char *error, struct arena *a, struct wire_reply *out)
{
	static const struct wire_style plain;
	const struct wire_style *s = style ? style : &plain;
	bool ok = o == OUTCOME_ACCEPTED, deliver = r->mode == ROUTE_DELIVER;
	(void)dropped;
	*out = (struct wire_reply){.status = outcomes[o].status, .retry_after_s = outcomes[o].retry_after_s};
	if (!error)
		error = r->mode == ROUTE_REFUSE ? r->why : outcomes[o].error;
	if (r->mode == ROUTE_PIN && ok) {
		out->content_type = r->pin_type;
		out->body = (struct span){r->pin_body, strlen(r->pin_body)};
		return;
	}
	if (s->image) {
		out->content_type = "image/gif";
		out->body = (struct span){pixel, sizeof pixel - 1};
		return;
	}
	bool import = deliver && strcmp(r->name, "import") == 0 && !s->form;
	/* A caller without data= and without verbose reads the status; errors then say more as JSON. */
	bool json = import || s->verbose || !deliver || (!s->form && !ok);
	struct buf b;
	buf_init(&b, 4096);
	if (s->callback.len) {
		buf_add(&b, s->callback.at, s->callback.len);
		buf_addc(&b, '(');
	}
	if (import)
		import_json(&b, o, kept, error);
	else if (json)
		verbose_json(&b, o, error);
	else
		/* The documented word for failure is 0; node shows people the body, so it says what is wrong. */
		buf_adds(&b, ok ? "1" : s->callback.len ? "0" : error);
	if (s->callback.len)
		buf_adds(&b, ");");
	out->content_type = s->callback.len ? "application/javascript" : json ? "application/json" : "text/plain";
	out->body = keep(a, &b);
}
