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

void canary_place_release(struct canary_place *p)
{
	buf_release(&p->event);
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

/* `properties.NAME` with a plain name: the rest is nested, or an array. */
static bool plain(struct span path, struct span *name)
{
	size_t n = sizeof "properties." - 1;
	if (path.len <= n || memcmp(path.at, "properties.", n) != 0)
		return false;
	*name = (struct span){path.at + n, path.len - n};
	return !memchr(name->at, '.', name->len) && !memchr(name->at, '[', name->len) && !memchr(name->at, '"', name->len) &&
	       name->len < CANARY_PATH_MAX - n;
}

static void make_event(const struct contract *c, const char *token, const char *source, struct span name, const char *value, struct buf *b)
{
	buf_reset(b);
	buf_adds(b, "{\"event\":\"");
	event_name(c, b);
	buf_adds(b, "\",\"properties\":{");
	if (source) {
		buf_adds(b, "\"token\":");
		buf_add_json(b, source, strlen(source));
		buf_addc(b, ',');
	}
	buf_addf(b, "\"distinct_id\":\"canary-%s\",", token);
	buf_add_json(b, name.at, name.len);
	buf_addc(b, ':');
	buf_add_json(b, value, strlen(value));
	buf_adds(b, "}}");
	static const char pad[64];
	buf_add(b, pad, sizeof pad);
	b->len -= sizeof pad;
}

struct trial {
	struct plan *plan;
	struct apply_env env;
	struct apply_out out;
};

static bool survives(struct trial *t, const struct buf *event, const char *token)
{
	struct err err;
	apply_out_reset(&t->out);
	if (plan_apply(t->plan, &t->env, OBJECT_EVENT, (const char *)event->data, event->len, false, &t->out, &err) != 0 || t->out.n != 1 ||
	    t->out.v[0].dropped != DROP_NONE)
		return false;
	return memmem(t->out.bytes.data, t->out.bytes.len, token, CANARY_TOKEN) != NULL;
}

static const char *const forms[] = {"address", "link", "address-domain", "link-host"};
enum { FORMS = sizeof forms / sizeof *forms };

static void make_value(size_t form, const char *token, const char *web, const char *mail, char out[static CANARY_VALUE_MAX])
{
	const char *host = strstr(web, "://");
	host = host ? host + 3 : web;
	switch (form) {
	case 0: snprintf(out, CANARY_VALUE_MAX, "%s@%s", token, mail); break;
	case 1: snprintf(out, CANARY_VALUE_MAX, "%s/t/%s", web, token); break;
	case 2: snprintf(out, CANARY_VALUE_MAX, "info@%s.%s", token, mail); break;
	default: snprintf(out, CANARY_VALUE_MAX, "http://%s.%s/", token, host); break;
	}
}

static bool try_place(struct trial *t, const struct contract *c, const struct plan_leaf *leaf, const char *token, const char *web,
		      const char *mail, const char *source, struct canary_place *out)
{
	struct span name;
	if (leaf->kind != OBJECT_EVENT || leaf->from_adapter || !plain(leaf->path, &name))
		return false;
	for (size_t i = 0; i < FORMS; i++) {
		make_value(i, token, web, mail, out->value);
		make_event(c, token, source, name, out->value, &out->event);
		if (!survives(t, &out->event, token))
			continue;
		snprintf(out->path, sizeof out->path, "%.*s", (int)leaf->path.len, leaf->path.at);
		out->form = forms[i];
		return true;
	}
	return false;
}

int canary_find(const struct contract *c, const char *token, const char *web, const char *mail, const char *source,
		struct canary_place *out, struct err *err)
{
	uint8_t key[KEY_BYTES];
	struct trial t = {.env = {.detect = true, .day = "2026-01-01"}};
	const struct plan_leaf *leaves;
	int found = 0;
	*out = (struct canary_place){.form = NULL};
	buf_init(&out->event, 0);
	if (plan_compile(c, FLOW_OPEN, &t.plan, err) != 0)
		return -1;
	crypt_random(key, sizeof key);
	t.env.vendor = pseudo_new(key, 0);
	apply_out_init(&t.out, 1 << 20);
	size_t n = plan_leaves(t.plan, &leaves);
	for (size_t i = 0; i < n && !found; i++)
		found = try_place(&t, c, &leaves[i], token, web, mail, source, out);
	apply_out_release(&t.out);
	pseudo_free(&t.env.vendor);
	plan_free(&t.plan);
	return found;
}
