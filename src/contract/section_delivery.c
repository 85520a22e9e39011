/* The keys of `delivery` and `sources`: where data goes, and who may send it. */
#include <stdlib.h>
#include <string.h>

#include "contract/sections.h"

static void k_adapter(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (!expect_scalar(r, v, k->name))
		return;
	r->c->adapter = adapter_find(v->text.at);
	if (r->c->adapter)
		return;
	const char *names[32] = {0};
	for (size_t i = 0; adapters[i] && i < 31; i++)
		names[i] = adapters[i]->name;
	FAULT(r, v, unknown_adapter, "there is no adapter %s", v->text.at);
	hint_nearest(r, v->text, names);
}

/* https://host[:port][/path], of characters that need no quoting in a request; no user, query or fragment. */
static bool upstream_good(struct span s, bool *plain, bool *local)
{
	*plain = strncmp(s.at, "http://", 7) == 0;
	if (!*plain && strncmp(s.at, "https://", 8) != 0)
		return false;
	const char *host = s.at + (*plain ? 7 : 8), *p;
	if (*host == '[') {
		p = host + 1 + strspn(host + 1, "0123456789abcdefABCDEF:.");
		if (p == host + 1 || *p++ != ']')
			return false;
	} else {
		p = host + strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
	}
	struct span h = {host, (size_t)(p - host)};
	if (h.len == 0 || h.len > 253)
		return false;
	*local = span_eq(h, "localhost") || span_eq(h, "[::1]") || strncmp(host, "127.", 4) == 0;
	if (*p == ':') {
		size_t n = strspn(p + 1, "0123456789");
		int64_t port;
		if (!word_int((struct span){p + 1, n}, 1, 65535, &port))
			return false;
		p += 1 + n;
	}
	if (*p && *p != '/')
		return false;
	p += strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._~-%+,;=:!$&'()");
	return *p == 0;
}

static void k_upstream(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	bool plain = false, local = false;
	if (!expect_scalar(r, v, k->name))
		return;
	if (v->text.len > 1000 || !upstream_good(v->text, &plain, &local))
		FAULT(r, v, bad_url, "upstream is https://host[:port][/path], without user, query or fragment");
	else if (plain && !local)
		WARN(r, v, plain_http, "anyone on the way can read what is sent here: use https");
	r->c->upstream = v->text;
}

/* env:NAME or file:PATH.  Whatever else stands here may be the secret itself, so it is never quoted. */
static bool secret_ref(struct span s)
{
	if (s.len > 4 && memcmp(s.at, "env:", 4) == 0) {
		size_t n = strspn(s.at + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
		return 4 + n == s.len && s.len <= 200 && !(s.at[4] >= '0' && s.at[4] <= '9');
	}
	return s.len > 5 && s.len <= 1024 && memcmp(s.at, "file:", 5) == 0 && one_line(s);
}

static void read_secret(struct reader *r, const struct ynode *v, const char *what, struct span *out)
{
	if (v->type != YN_SCALAR || !secret_ref(v->text))
		FAULT(r, v, bad_secret, "%s is env:NAME or file:PATH; a secret itself never stands in a contract", what);
	else
		*out = v->text;
}

static void k_credential(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	read_secret(r, v, k->name, &r->c->credential);
}

static void k_quota(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (expect_scalar(r, v, k->name) && !word_size(v->text, &r->c->quota_bytes))
		FAULT(r, v, bad_size, "quota is a size such as 512MiB or 2GiB");
}

static const struct key_row delivery_rows[] = {
	{.name = "adapter", .read = k_adapter, .required = true},
	{.name = "upstream", .read = k_upstream},
	{.name = "credential", .read = k_credential},
	{.name = "quota", .read = k_quota},
};
const struct key_section delivery_section = SECTION("delivery", delivery_rows);

void k_delivery(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (expect_map(r, v, k->name))
		read_map(r, v, &delivery_section);
}

static void k_source_name(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	struct contract *c = r->c;
	if (!expect_scalar(r, v, k->name) || !check_name(r, v))
		return;
	for (size_t i = 0; i < c->sources_len; i++)
		if (c->sources[i].name.len == v->text.len && memcmp(c->sources[i].name.at, v->text.at, v->text.len) == 0)
			FAULT(r, v, duplicate_value, "two sources have the name %s", v->text.at);
	c->sources[c->sources_len].name = v->text;
}

static void k_source_token(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	struct contract *c = r->c;
	struct span t = {"", 0};
	read_secret(r, v, k->name, &t);
	for (size_t i = 0; i < c->sources_len; i++)
		if (t.len && c->sources[i].token.len == t.len && memcmp(c->sources[i].token.at, t.at, t.len) == 0)
			FAULT(r, v, duplicate_value, "two sources have the same token");
	c->sources[c->sources_len].token = t;
}

static const struct key_row source_rows[] = {
	{.name = "name", .read = k_source_name, .required = true},
	{.name = "token", .read = k_source_token, .required = true},
};
const struct key_section source_section = SECTION("sources[]", source_rows);

void k_sources(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (!expect_list(r, v, k->name))
		return;
	r->c->sources = arena_alloc(r->a, (v->n + 1) * sizeof *r->c->sources);
	for (const struct ynode *i = v->first; i; i = i->next) {
		if (i->bad || !expect_map(r, i, "a source"))
			continue;
		r->c->sources[r->c->sources_len] = (struct source){SPAN(""), SPAN("")};
		read_map(r, i, &source_section);
		r->c->sources_len++;
	}
}
