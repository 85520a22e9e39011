/* What of a planted identity a contract lets through: found by trying, with the interpreter that the gate uses. */
#include "canary/canary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/crypt.h"

void canary_token(char out[static CANARY_TOKEN + 1])
{
	uint8_t random[CANARY_TOKEN * 2];
	crypt_random(random, sizeof random);
	for (int i = 0; i < CANARY_TOKEN; i++)
		out[i] = (char)('a' + (random[2 * i] << 8 | random[2 * i + 1]) % 26);
	out[CANARY_TOKEN] = 0;
}

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool canary_find_token(struct span s, char out[static CANARY_TOKEN + 1])
{
	size_t run = 0;
	for (size_t i = 0; i <= s.len; i++) {
		if (i < s.len && letter(s.at[i])) {
			run++;
			continue;
		}
		bool border = i == s.len || strchr("@./>?&", s.at[i]);
		if (run == CANARY_TOKEN && border) {
			for (size_t k = 0; k < CANARY_TOKEN; k++)
				out[k] = (char)(s.at[i - CANARY_TOKEN + k] | 0x20);
			out[CANARY_TOKEN] = 0;
			return true;
		}
		run = 0;
	}
	return false;
}

void canary_found_release(struct canary_found *f)
{
	for (size_t i = 0; i < CANARY_OBJECTS; i++)
		buf_release(&f->object[i]);
}

/* A name that the contract's events allow. */
static void event_name(const struct contract *c, struct buf *b)
{
	struct span s = c->events_len ? c->events[0].text : SPAN("opened");
	bool prefix = c->events_len && c->events[0].prefix;
	buf_add(b, s.at, s.len);
	if (prefix)
		buf_adds(b, "opened");
}

/* A plain name among an event's properties or a profile's fields: the rest is nested, or an array. */
static bool plain(enum object_kind kind, struct span path, struct span *name)
{
	const char *prefix = kind == OBJECT_EVENT ? "properties." : "";
	size_t n = strlen(prefix);
	if (path.len <= n || memcmp(path.at, prefix, n) != 0)
		return false;
	*name = (struct span){path.at + n, path.len - n};
	return !memchr(name->at, '.', name->len) && !memchr(name->at, '[', name->len) && !memchr(name->at, '"', name->len) &&
	       name->len < CANARY_PATH_MAX - n;
}

struct trial {
	const struct contract *c;
	const char *token, *web, *mail, *source;
	struct plan *plan;
	struct apply_env env;
	struct apply_out out;
	const char *operation;	/* of profiles: the object's key that holds the fields; NULL: the contract has none */
	char neutral[40];	/* the identity where none is planted: it doesn't hold the token */
};

struct member {
	struct span name;	/* empty: none */
	const char *value;
};

static void add_member(struct buf *b, const char *name, const char *value)
{
	buf_add_json(b, name, strlen(name));
	buf_addc(b, ':');
	buf_add_json(b, value, strlen(value));
	buf_addc(b, ',');
}

/* Closed with 64 bytes of 0 behind its length, as plan_apply wants. */
static void make_object(const struct trial *t, enum object_kind kind, const char *id, struct member field, struct buf *b)
{
	static const char pad[64];
	bool event = kind == OBJECT_EVENT;
	buf_reset(b);
	if (event) {
		buf_adds(b, "{\"event\":\"");
		event_name(t->c, b);
		buf_adds(b, "\",\"properties\":{");
	} else {
		buf_addc(b, '{');
	}
	if (t->source)
		add_member(b, event ? "token" : "$token", t->source);
	add_member(b, event ? "distinct_id" : "$distinct_id", id);
	if (event)
		b->len--;	/* the comma */
	else
		buf_addf(b, "\"%s\":{", t->operation);
	if (field.name.len) {
		if (event)
			buf_addc(b, ',');
		buf_add_json(b, field.name.at, field.name.len);
		buf_addc(b, ':');
		buf_add_json(b, field.value, strlen(field.value));
	}
	buf_adds(b, "}}");
	buf_add(b, pad, sizeof pad);
	b->len -= sizeof pad;
}

static bool kept(struct trial *t, enum object_kind kind, const struct buf *object)
{
	struct err err;
	apply_out_reset(&t->out);
	return plan_apply(t->plan, &t->env, kind, (const char *)object->data, object->len, false, &t->out, &err) == 0 && t->out.n == 1 &&
	       t->out.v[0].dropped == DROP_NONE;
}

static bool survives(struct trial *t, enum object_kind kind, const struct buf *object)
{
	return kept(t, kind, object) && memmem(t->out.bytes.data, t->out.bytes.len, t->token, CANARY_TOKEN);
}

static const char *const forms[] = {"address", "link", "address-domain", "link-host"};
enum { FORMS = sizeof forms / sizeof *forms };

static void make_value(size_t form, const struct trial *t, char out[static CANARY_VALUE_MAX])
{
	const char *host = strstr(t->web, "://");
	host = host ? host + 3 : t->web;
	switch (form) {
	case 0: snprintf(out, CANARY_VALUE_MAX, "%s@%s", t->token, t->mail); break;
	case 1: snprintf(out, CANARY_VALUE_MAX, "%s/t/%s", t->web, t->token); break;
	case 2: snprintf(out, CANARY_VALUE_MAX, "info@%s.%s", t->token, t->mail); break;
	default: snprintf(out, CANARY_VALUE_MAX, "http://%s.%s/", t->token, host); break;
	}
}

/* The identifier itself, where `identity: keep` lets it stand; *name empty: that.  Else a property or a field. */
static bool try_forms(struct trial *t, enum object_kind kind, struct span name, struct span path, struct buf *b, struct canary_place *out)
{
	for (size_t i = 0; i < FORMS; i++) {
		make_value(i, t, out->value);
		make_object(t, kind, name.len ? t->neutral : out->value, (struct member){name, out->value}, b);
		if (!survives(t, kind, b))
			continue;
		snprintf(out->path, sizeof out->path, "%.*s", (int)path.len, path.at);
		out->form = forms[i];
		return true;
	}
	return false;
}

static bool try_fields(struct trial *t, enum object_kind kind, struct buf *b, struct canary_place *out)
{
	const struct plan_leaf *leaves;
	size_t n = plan_leaves(t->plan, &leaves);
	struct span name;
	for (size_t i = 0; i < n; i++)
		if (leaves[i].kind == kind && !leaves[i].from_adapter && plain(kind, leaves[i].path, &name) &&
		    try_forms(t, kind, name, leaves[i].path, b, out))
			return true;
	return false;
}

/* The first operation with fields that the contract lets through. */
static void find_operation(struct trial *t, struct buf *b)
{
	const struct adapter *a = t->c->adapter;
	for (size_t i = 0; i < a->operations_len; i++) {
		t->operation = a->operations[i].key;
		if (a->operations[i].shape != OP_FIELDS)
			continue;
		make_object(t, OBJECT_PROFILE, t->neutral, (struct member){0}, b);
		if (kept(t, OBJECT_PROFILE, b))
			return;
	}
	t->operation = NULL;
}

/* One object of that kind with everything in it that can carry the token. */
static void try_kind(struct trial *t, enum object_kind kind, struct canary_found *f)
{
	struct span slot = kind == OBJECT_EVENT ? SPAN("properties.distinct_id") : SPAN("$distinct_id"), name = {0};
	struct buf *b = &f->object[kind == OBJECT_PROFILE];
	size_t before = f->n;
	const char *id = t->neutral;
	struct canary_place *p = &f->v[f->n];
	if (try_forms(t, kind, (struct span){0}, slot, b, p)) {
		id = p->value;
		f->n++;
	}
	p = &f->v[f->n];
	if (try_fields(t, kind, b, p)) {
		must(plain(kind, (struct span){p->path, strlen(p->path)}, &name));
		f->n++;
	}
	if (f->n == before)
		buf_reset(b);
	else
		make_object(t, kind, id, (struct member){name, p->value}, b);
}

int canary_find(const struct contract *c, const char *token, const char *web, const char *mail, const char *source, struct canary_found *out,
		struct err *err)
{
	uint8_t key[KEY_BYTES];
	struct trial t = {.c = c, .token = token, .web = web, .mail = mail, .source = source, .env = {.detect = true, .day = "2026-01-01"}};
	*out = (struct canary_found){.n = 0};
	for (size_t i = 0; i < CANARY_OBJECTS; i++)
		buf_init(&out->object[i], 0);
	if (plan_compile(c, FLOW_OPEN, &t.plan, err) != 0 || plan_arm(t.plan, err) != 0) {
		plan_free(&t.plan);
		return -1;
	}
	crypt_random(key, sizeof key);
	t.env.vendor = pseudo_new(key, 0);
	apply_out_init(&t.out, 1 << 20);
	snprintf(t.neutral, sizeof t.neutral, "canary-%s", token + CANARY_TOKEN - 8);
	try_kind(&t, OBJECT_EVENT, out);
	find_operation(&t, &out->object[1]);
	buf_reset(&out->object[1]);
	if (t.operation)
		try_kind(&t, OBJECT_PROFILE, out);
	apply_out_release(&t.out);
	pseudo_free(&t.env.vendor);
	plan_free(&t.plan);
	return out->n > 0;
}
