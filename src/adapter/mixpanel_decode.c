/*
 * Mixpanel's wire forms.  The same call travels as
 *
 *   GET  ?data=BASE64                       node: single events, profiles, groups
 *   POST data=BASE64, not percent-encoded   node: batches ('+', '/' and '=' stand as they are)
 *   POST data=BASE64, percent-encoded       browser; as text/plain from sendBeacon
 *   POST data=JSON, percent-encoded         python ('+' is a space), browser towards mixpanel.com
 *   POST JSON | NDJSON                      the API itself; any content type, gzip with or without a header
 *
 * so the content type says little and the first byte decides.  What is ambiguous (data= twice) is refused: reading one
 * of the two would lose the other.
 */
#include "adapter/mixpanel.h"

#include "base/buf.h"
#include "base/inflate.h"

enum { PAD = 64, CALLBACK_MAX = 128, TOKEN_MAX = 256 };

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One character at s[*i] of percent-encoded text; -1 for a broken escape. */
static int unpercent(struct span s, size_t *i)
{
	char c = s.at[(*i)++];
	if (c != '%')
		return (unsigned char)c;
	if (s.len - *i < 2)
		return -1;
	int hi = hex_digit(s.at[*i]), lo = hex_digit(s.at[*i + 1]);
	*i += 2;
	return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

/* Percent-decoding into the arena with PAD zero bytes behind; plus: what a bare '+' stands for. */
static int form_decode(struct span s, char plus, struct arena *a, struct span *out, struct err *err)
{
	char *to = arena_alloc(a, s.len + PAD);
	if (!to)
		return err_set(err, ERR_LIMIT, "request is larger than the gate may hold");
	size_t n = 0;
	for (size_t i = 0; i < s.len;) {
		bool bare = s.at[i] == '+';
		int c = unpercent(s, &i);
		if (c < 0)
			return err_set(err, ERR_SYNTAX, "the data parameter has a broken percent escape");
		to[n++] = bare ? plus : (char)c;
	}
	memset(to + n, 0, PAD);
	*out = (struct span){to, n};
	return 0;
}

static bool is_space(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool opens_json(int c)
{
	return c == '{' || c == '[';
}

/* Does percent-encoded text hold JSON?  No base64 begins with '{' or '['. */
static bool form_is_json(struct span s)
{
	for (size_t i = 0; i < s.len;) {
		int c = s.at[i] == '+' ? (i++, ' ') : unpercent(s, &i);
		if (!is_space(c))
			return opens_json(c);
	}
	return false;
}

static bool text_is_json(struct span s)
{
	size_t i = 0;
	while (i < s.len && is_space(s.at[i]))
		i++;
	return i < s.len && opens_json(s.at[i]);
}

/* The parameters of a query or form body that mean something to us; the rest is not looked at. */
struct params {
	struct span data, callback, token;
	bool verbose, image;
	unsigned data_count;
};

static bool truthy(struct span v)
{
	return v.len > 0 && !span_eq(v, "0") && !span_eq(v, "false");
}

static void params_take(struct params *p, struct span name, struct span value)
{
	if (span_eq(name, "data")) {
		p->data = value;
		p->data_count++;
	} else if (span_eq(name, "verbose")) {
		p->verbose = truthy(value);
	} else if (span_eq(name, "img")) {
		p->image = truthy(value);
	} else if (span_eq(name, "callback")) {
		p->callback = value;
	} else if (span_eq(name, "token")) {
		p->token = value;
	}
}

static void params_read(struct params *p, struct span s)
{
	while (s.len) {
		const char *amp = memchr(s.at, '&', s.len);
		size_t n = amp ? (size_t)(amp - s.at) : s.len;
		const char *eq = memchr(s.at, '=', n);
		size_t name = eq ? (size_t)(eq - s.at) : n;
		struct span value = eq ? (struct span){eq + 1, n - name - 1} : (struct span){s.at + n, 0};
		params_take(p, (struct span){s.at, name}, value);
		s = amp ? (struct span){amp + 1, s.len - n - 1} : (struct span){s.at + n, 0};
	}
}

static bool ident_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || (!first && c >= '0' && c <= '9');
}

/* name(.name|[digits])*: anything else would let a caller have us answer with script of their own. */
static bool callback_ok(struct span s)
{
	size_t i = 0;
	if (s.len == 0 || s.len > CALLBACK_MAX)
		return false;
	for (;;) {
		size_t start = i;
		while (i < s.len && ident_char(s.at[i], i == start))
			i++;
		if (i == start)
			return false;
		while (i < s.len && s.at[i] == '[') {
			size_t digits = ++i;
			while (i < s.len && s.at[i] >= '0' && s.at[i] <= '9')
				i++;
			if (i == digits || i == s.len || s.at[i++] != ']')
				return false;
		}
		if (i == s.len)
			return true;
		if (s.at[i++] != '.')
			return false;
	}
}

/* What the browser SDK sends when nobody listens. */
static const char no_callback[] = "(function(){})";

static int style_fill(const struct params *p, struct arena *a, struct wire_style *out, struct err *err)
{
	*out = (struct wire_style){.verbose = p->verbose, .image = p->image};
	if (p->callback.len == 0)
		return 0;
	struct span cb;
	if (p->callback.len > 3 * CALLBACK_MAX || form_decode(p->callback, '+', a, &cb, err) != 0 ||
	    !(callback_ok(cb) || span_eq(cb, no_callback)))
		return err_set(err, ERR_INPUT, "the callback parameter isn't a function's name");
	out->callback = cb;
	return 0;
}

/* "Basic base64(user:)": a user without a password is a project token.  With one it is a service account's name. */
static struct span basic_user(struct span auth, struct arena *a)
{
	static const char scheme[] = "basic ";
	size_t n = sizeof scheme - 1;
	if (auth.len <= n || auth.len > TOKEN_MAX * 2 || strncasecmp(auth.at, scheme, n) != 0)
		return (struct span){NULL, 0};
	char *to = arena_alloc(a, auth.len + PAD);
	ssize_t len = to ? base64_decode(auth.at + n, auth.len - n, to) : -1;
	if (len < 2 || memchr(to, ':', (size_t)len) != to + len - 1)
		return (struct span){NULL, 0};
	return (struct span){to, (size_t)len - 1};
}

static void token_fill(const struct params *p, const struct wire_request *rq, struct arena *a, struct wire_objects *out)
{
	struct err ignored;
	struct span t = {NULL, 0};
	if (p->token.len && p->token.len <= TOKEN_MAX && form_decode(p->token, '+', a, &t, &ignored) == 0)
		out->token = t;
	else
		out->token = basic_user(rq->authorization, a);
}

/* Base64 text, unescaped already.  A space was a '+' before somebody decoded the form twice; line breaks are old MIME. */
static int from_base64(struct span s, struct arena *a, struct span *out, struct err *err)
{
	char *text = arena_alloc(a, s.len + 1), *to = arena_alloc(a, s.len / 4 * 3 + 3 + PAD);
	if (!text || !to)
		return err_set(err, ERR_LIMIT, "request is larger than the gate may hold");
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] != '\r' && s.at[i] != '\n')
			text[n++] = s.at[i] == ' ' ? '+' : s.at[i];
	ssize_t len = base64_decode(text, n, to);
	if (len <= 0)
		return err_set(err, ERR_SYNTAX, "the data parameter is neither JSON nor base64");
	memset(to + len, 0, PAD);
	*out = (struct span){to, (size_t)len};
	return 0;
}

/* Bodies lie about their encoding: gzip is known by its first bytes. */
static int inflate_if(struct span *s, size_t max_bytes, struct arena *a, struct err *err)
{
	enum inflate_kind kind;
	if (!inflate_sniff(s->at, s->len, &kind))
		return 0;
	struct buf b;
	buf_init(&b, max_bytes + 4096);
	int r = inflate_body(kind, s->at, s->len, max_bytes, &b, err);
	char *to = r == 0 ? arena_alloc(a, b.len + PAD) : NULL;
	if (r == 0 && !to)
		r = err_set(err, ERR_LIMIT, "request is larger than the gate may hold");
	if (r == 0) {
		if (b.len)
			memcpy(to, b.data, b.len);
		memset(to + b.len, 0, PAD);
		*s = (struct span){to, b.len};
	}
	buf_release(&b);
	return r;
}

static int from_data(const struct params *p, size_t max_bytes, struct arena *a, struct span *out, struct err *err)
{
	if (p->data.len / 3 > max_bytes)
		return err_set(err, ERR_LIMIT, "request holds more than %zu bytes", max_bytes);
	if (form_is_json(p->data))
		return form_decode(p->data, ' ', a, out, err);
	struct span text;
	if (form_decode(p->data, '+', a, &text, err) != 0 || from_base64(text, a, out, err) != 0)
		return -1;
	return inflate_if(out, max_bytes, a, err);
}

static bool contains(struct span hay, const char *needle)
{
	return hay.len && memmem(hay.at, hay.len, needle, strlen(needle));
}

static int decode_params(struct params *p, struct span body, size_t max_bytes, struct arena *a, struct wire_objects *out,
			 struct err *err)
{
	params_read(p, body);
	if (p->data_count > 1)
		return err_set(err, ERR_INPUT, "the data parameter is given %u times", p->data_count);
	if (p->data.len == 0)
		return err_set(err, ERR_INPUT, "nothing to read: send JSON, or a data parameter with JSON or base64");
	out->style.form = true;
	return from_data(p, max_bytes, a, &out->json, err);
}

int mixpanel_decode(const struct route *r, const struct wire_request *rq, size_t max_bytes, struct arena *a,
		    struct wire_objects *out, struct err *err)
{
	(void)r;
	struct params p = {0};
	struct span body = rq->body;
	*out = (struct wire_objects){0};
	params_read(&p, rq->query);
	if (style_fill(&p, a, &out->style, err) != 0 || inflate_if(&body, max_bytes, a, err) != 0)
		return -1;
	token_fill(&p, rq, a, out);
	if (contains(rq->content_type, "multipart/"))
		return err_set(err, ERR_INPUT, "multipart bodies aren't part of this protocol");
	bool raw = text_is_json(body);
	if (raw && p.data_count)
		return err_set(err, ERR_INPUT, "both a JSON body and a data parameter are given");
	if (raw) {
		out->json = body;
		out->ndjson = contains(rq->content_type, "ndjson");
	} else {
		struct params form = p;
		int bad = decode_params(&form, body, max_bytes, a, out, err);
		out->style.verbose |= form.verbose;
		out->style.image |= form.image;
		if (bad)
			return -1;
	}
	if (out->json.len > max_bytes)
		return err_set(err, ERR_LIMIT, "request holds more than %zu bytes", max_bytes);
	return 0;
}
