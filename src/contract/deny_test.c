/*
 * I1_default_deny: random JSON x random contracts x markers planted in every position (any depth, arrays, key names,
 * numbers, URLs, event names, duplicates, JSON in strings; plain, escaped, percent-encoded, base64): what no rule names
 * doesn't leave in any of these forms.  Which places are named is decided here by path text alone, not by the compiler.
 *
 * The same runs against apply_broken.c, where unnamed keys are copied, must find leaks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "contract/contract.h"
#include "json/json.h"

int plan_apply_broken(const struct plan *p, struct apply_env *env, enum object_kind kind, const char *json, size_t n, bool ndjson,
		      struct apply_out *out, struct err *err);

enum { ROUNDS = 20000, MARKERS = 256, RULES = 12 };

static uint64_t rng;
static uint32_t rnd(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 33) % n;
}

/* ---- a random contract ------------------------------------------------------------------------------------------------ */

static const char *const words[] = {"a", "b", "c", "name", "email", "items", "plan", "$city", "url", "token", "distinct_id", "properties",
				    "$insert_id", "time", "a_rather_long_key_name", "a_rather_long_key_nama"};
enum { WORDS = sizeof words / sizeof *words };

struct named {
	char path[200];
	enum action action;
};

struct setting {
	struct contract c;
	struct rule rules[RULES], profile_rules[RULES];
	struct named named[RULES], profile_named[RULES];
	size_t n, profile_n;
};

static struct path path_of(struct arena *a, const char *s)
{
	struct path p = {.v = arena_alloc(a, 16 * sizeof *p.v)};
	char *text = arena_strndup(a, s, strlen(s));
	p.text = (struct span){text, strlen(text)};
	for (const char *at = text; *at;) {
		size_t n = strcspn(at, ".[");
		if (n)
			p.v[p.n++] = (struct path_seg){{at, n}};
		at += n;
		if (*at == '[') {
			p.v[p.n++] = (struct path_seg){{NULL, 0}};
			at += 2;
		}
		at += *at == '.';
	}
	return p;
}

static void random_path(char *out, size_t max, const char *start)
{
	size_t n = (size_t)snprintf(out, max, "%s", start);
	for (uint32_t depth = 1 + rnd(3); depth; depth--) {
		n += (size_t)snprintf(out + n, max - n, "%s%s", n ? "." : "", words[rnd(WORDS)]);
		for (uint32_t e = rnd(4) == 0; e; e--)
			n += (size_t)snprintf(out + n, max - n, "[]");
	}
}

static size_t random_rules(struct arena *a, struct rule *rules, struct named *named, const char *start)
{
	static const enum action some[] = {ACT_KEEP, ACT_KEEP, ACT_KEEP, ACT_DROP, ACT_URL, ACT_PSEUDONYM, ACT_CONST, ACT_DOMAIN};
	size_t n = 0;
	for (uint32_t want = rnd(RULES); want; want--) {
		char path[200];
		bool taken = false;
		random_path(path, sizeof path, start);
		for (size_t i = 0; i < n; i++)
			taken |= strcmp(named[i].path, path) == 0;
		if (taken)
			continue;
		struct rule *r = &rules[n];
		*r = (struct rule){.path = path_of(a, path), .action = some[rnd(8)], .max = -1, .detect_off = rnd(2), .url_path = rnd(2),
				   .kind = ID_OTHER, .constant = {SCALAR_STRING, SPAN("\"const\""), SPAN("const")}};
		snprintf(named[n].path, sizeof named[n].path, "%s", path);
		named[n++].action = r->action;
	}
	return n;
}

static void setting_init(struct setting *s)
{
	static struct event_match all[] = {{{"", 0}, true}};
	static struct span ops[] = {{"set", 3}, {"unset", 5}, {"delete", 6}}, keys[] = {{"company", 7}};
	s->c = (struct contract){.vendor = SPAN("v"), .adapter = adapter_find("mixpanel"), .identity = IDENTITY_PSEUDONYM + rnd(3),
				 .events = all, .events_len = 1, .links = rnd(2), .profiles = true, .profile_ops = ops,
				 .profile_ops_len = rnd(4), .groups = rnd(2), .group_keys = keys, .group_keys_len = 1};
	arena_init(&s->c.arena, 0);
	s->n = random_rules(&s->c.arena, s->rules, s->named, rnd(4) ? "properties" : "");
	s->profile_n = random_rules(&s->c.arena, s->profile_rules, s->profile_named, "");
	s->c.fields = s->rules;
	s->c.fields_len = s->n;
	s->c.profile_fields = s->profile_rules;
	s->c.profile_fields_len = s->profile_n;
	s->c.group_fields = s->profile_rules;
	s->c.group_fields_len = s->profile_n;
}

/* ---- random JSON with markers ------------------------------------------------------------------------------------------- */

struct marker {
	char text[24];
	bool named, slot;
};

struct maker {
	struct buf b;
	struct marker m[MARKERS];
	size_t n;
	char path[1024];
	const struct setting *s;
	enum object_kind kind;
};

/* Slots that the protocol keeps as they are, of an event or a link; listed by --effective. */
static bool is_slot(const struct maker *k)
{
	return (k->kind == OBJECT_EVENT || k->kind == OBJECT_LINK) &&
	       (strcmp(k->path, "properties.$insert_id") == 0 || strcmp(k->path, "properties.time") == 0);
}

/* Does a rule keep the value at this very place? */
static bool is_named(const struct maker *k)
{
	const char *path = k->path;
	const struct named *v = k->s->named;
	size_t n = k->s->n;
	if (k->kind == OBJECT_EVENT && strcmp(path, "event") == 0)
		return true;
	if (k->kind == OBJECT_GROUP && strcmp(path, "$group_key") == 0)
		return true;
	if (is_slot(k))
		return true;
	if (k->kind == OBJECT_LINK)
		return false;
	if (k->kind != OBJECT_EVENT) {
		static const char *const ops[] = {"$set.", "$set_once.", "$add."};	/* a group takes every operation */
		size_t skip = 0;
		for (int i = 0; i < (k->kind == OBJECT_GROUP ? 3 : 1); i++)
			if (strncmp(path, ops[i], strlen(ops[i])) == 0)
				skip = strlen(ops[i]);
		if (!skip)
			return false;
		path += skip;
		v = k->s->profile_named;
		n = k->s->profile_n;
	}
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].path, path) == 0)
			return v[i].action == ACT_KEEP;
	return false;
}

static const char *plant(struct maker *k, bool named)
{
	if (k->n == MARKERS)
		return "full";
	struct marker *m = &k->m[k->n++];
	m->named = named;
	m->slot = is_slot(k);
	snprintf(m->text, sizeof m->text, "qz%05uzk", rnd(99999));
	for (size_t i = 0; i + 1 < k->n; i++)
		if (strcmp(k->m[i].text, m->text) == 0)
			m->named = k->m[i].named = true;	/* the same text twice says nothing */
	return m->text;
}

static void spelt(struct buf *b, const char *text, uint32_t how)
{
	char enc[64];
	for (const char *p = text; how < 2 && *p; p++)
		buf_addf(b, how == 0 || rnd(2) ? "\\u%04x" : "%c", *p);
	for (const char *p = text; how == 2 && *p; p++)
		buf_addf(b, "%%%02X", *p);
	if (how == 3) {
		base64_encode(text, strlen(text), enc);
		buf_adds(b, enc);
	}
	if (how > 3)
		buf_adds(b, text);
}

static void scalar(struct maker *k)
{
	bool named = is_named(k);
	const char *m;
	switch (rnd(9)) {
	case 0:
		buf_adds(&k->b, rnd(2) ? "true" : "null");
		break;
	case 1:	/* a number is a marker too */
		if (k->n < MARKERS) {
			struct marker *n = &k->m[k->n++];
			snprintf(n->text, sizeof n->text, "77%08u13", rnd(99999999));
			n->named = named;
			n->slot = is_slot(k);
			buf_addf(&k->b, "%s%s", n->text, rnd(3) ? "" : "e3");
		} else {
			buf_adds(&k->b, "0");
		}
		break;
	case 2:
		m = plant(k, named);
		buf_addf(&k->b, "\"https://%s:p@host.example/-?q=%s#%s\"", m, m, m);
		break;
	case 3:
		buf_addf(&k->b, "\"{\\\"x\\\":\\\"%s\\\"}\"", plant(k, named));
		break;
	default:
		buf_addc(&k->b, '"');
		spelt(&k->b, plant(k, named), rnd(6));
		buf_addc(&k->b, '"');
	}
}

static void any(struct maker *k, unsigned depth);

static void object(struct maker *k, unsigned depth, uint32_t members)
{
	size_t at = strlen(k->path);
	buf_addc(&k->b, '{');
	for (uint32_t i = 0; i < members; i++) {
		const char *word = words[rnd(WORDS)];
		if (i)
			buf_adds(&k->b, rnd(5) ? "," : " , ");
		buf_addc(&k->b, '"');
		if (rnd(12) == 0) {
			char name[40];
			snprintf(name, sizeof name, "k%s", plant(k, false));	/* a name that no contract has */
			spelt(&k->b, name, 1 + 4 * rnd(2));
			snprintf(k->path + at, sizeof k->path - at, "%s?", at ? "." : "");
		} else {
			spelt(&k->b, word, rnd(8) ? 9 : 1);
			snprintf(k->path + at, sizeof k->path - at, "%s%s", at ? "." : "", word);
		}
		buf_adds(&k->b, rnd(5) ? "\":" : "\" : ");
		any(k, depth + 1);
		k->path[at] = 0;
	}
	buf_addc(&k->b, '}');
}

static void any(struct maker *k, unsigned depth)
{
	size_t at = strlen(k->path);
	uint32_t what = depth > 5 ? 9 : rnd(10);
	if (what < 2) {
		object(k, depth, rnd(5));
	} else if (what == 2) {
		buf_addc(&k->b, '[');
		snprintf(k->path + at, sizeof k->path - at, "[]");
		for (uint32_t i = 0, n = rnd(4); i < n; i++) {
			if (i)
				buf_addc(&k->b, ',');
			any(k, depth + 1);
		}
		k->path[at] = 0;
		buf_addc(&k->b, ']');
	} else {
		scalar(k);
	}
}

static void member(struct maker *k, const char *name, uint32_t shape)
{
	if (k->b.data[k->b.len - 1] != '{')
		buf_addc(&k->b, ',');
	buf_addf(&k->b, "\"%s\":", name);
	snprintf(k->path, sizeof k->path, "%s", name);
	if (shape == 0)
		object(k, 1, 2 + rnd(10));
	else
		any(k, 1);
	k->path[0] = 0;
}

static void request(struct maker *k)
{
	static const char *const links[] = {"$create_alias", "$merge", "$identify"};
	buf_addc(&k->b, '{');
	if (k->kind == OBJECT_EVENT) {
		bool late = rnd(2);
		if (late)
			member(k, "properties", rnd(12) == 0);
		uint32_t name = rnd(6);
		if (name == 0)
			member(k, "event", 1);
		else if (k->b.len > 1)
			buf_addf(&k->b, ",\"event\":\"%s\"", name == 1 ? links[rnd(3)] : "e");
		else
			buf_addf(&k->b, "\"event\":\"%s\"", name == 1 ? links[rnd(3)] : "e");
		if (name == 1)
			k->kind = OBJECT_LINK;	/* the properties are a link's: nothing but slots is named */
		if (!late)
			member(k, "properties", rnd(12) == 0);
	} else {
		static const char *const ops[] = {"$set", "$set_once", "$unset", "$delete", "$add"};
		if (k->kind == OBJECT_GROUP)
			buf_adds(&k->b, "\"$group_key\":\"company\"");
		for (uint32_t i = 0, n = 1 + rnd(2), from = rnd(5); i < n; i++)
			member(k, ops[(from + i) % 5], rnd(4) == 0);
	}
	if (rnd(2))
		member(k, words[rnd(WORDS)], 1);
	buf_addc(&k->b, '}');
}

/* ---- the search -------------------------------------------------------------------------------------------------------- */

static bool holds(const char *text, size_t n, const char *marker)
{
	return memmem(text, n, marker, strlen(marker)) != NULL;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* In the bytes, in what their escapes and percent signs mean, and as base64. */
static bool leaks(const struct buf *out, const char *marker)
{
	char plain[1 << 16], percent[1 << 16], b64[64];
	size_t n = out->len < sizeof plain ? json_unescape_lossy((const char *)out->data, out->len, plain) : 0, m = 0;
	for (size_t i = 0; i < n; m++) {
		bool escape = plain[i] == '%' && i + 2 < n && hex(plain[i + 1]) >= 0 && hex(plain[i + 2]) >= 0;
		percent[m] = escape ? (char)(hex(plain[i + 1]) * 16 + hex(plain[i + 2])) : plain[i];
		i += escape ? 3 : 1;
	}
	base64_encode(marker, strlen(marker), b64);
	return holds((const char *)out->data, out->len, marker) || holds(plain, n, marker) || holds(percent, m, marker) ||
	       holds(plain, n, b64);
}

typedef int apply_fn(const struct plan *, struct apply_env *, enum object_kind, const char *, size_t, bool, struct apply_out *,
		     struct err *);

struct tally {
	unsigned leaked, planted, left, kept, dropped;
};

static void round_of(apply_fn *apply, struct apply_env *env, struct apply_out *out, struct tally *t, bool stop)
{
	static const enum object_kind kinds[] = {OBJECT_EVENT, OBJECT_EVENT, OBJECT_PROFILE, OBJECT_GROUP};
	struct setting s;
	static struct maker k;
	struct plan *p = NULL;
	struct err err = {0};
	setting_init(&s);
	k.n = 0;
	k.s = &s;
	k.kind = kinds[rnd(4)];
	enum object_kind kind = k.kind;
	buf_reset(&k.b);
	request(&k);
	buf_reserve(&k.b, JSON_PAD);
	memset(k.b.data + k.b.len, 0, JSON_PAD);
	if (plan_compile(&s.c, FLOW_OPEN, &p, &err) != 0)
		fail_msg("%s", err.msg);
	apply_out_reset(out);
	env->detect = rnd(4) != 0;
	env->mint = rnd(2);
	if (apply(p, env, kind, (const char *)k.b.data, k.b.len, false, out, &err) != 0)
		fail_msg("%zu %s in %s", err.off, err.msg, (char *)k.b.data);
	if (out->n == 1 && out->v[0].kind == OBJECT_LINK)	/* perhaps told only behind its properties */
		for (size_t i = 0; i < k.n; i++)
			k.m[i].named = k.m[i].slot;
	for (size_t i = 0; i < k.n; i++) {
		bool leak = out->bytes.len && leaks(&out->bytes, k.m[i].text);
		t->planted += !k.m[i].named;
		t->left += leak && k.m[i].named;
		t->leaked += leak && !k.m[i].named;
		if (leak && !k.m[i].named && stop)
			fail_msg("%s left\n in  %s\n out %.*s", k.m[i].text, (char *)k.b.data, (int)out->bytes.len, (char *)out->bytes.data);
	}
	t->kept += out->v[0].dropped == DROP_NONE;
	t->dropped += out->v[0].dropped != DROP_NONE;
	plan_free(&p);
	arena_release(&s.c.arena);
}

static struct tally rounds(apply_fn *apply, unsigned n, bool stop)
{
	static const uint8_t key[KEY_BYTES] = {3};
	struct apply_env env = {.vendor = pseudo_new(key, 0), .day = "2026-01-15", .received_s = 1700000000};
	struct apply_out out;
	struct tally t = {0};
	apply_out_init(&out, 0);
	rng = 0x2545f4914f6cdd1dull;
	for (unsigned i = 0; i < n; i++)
		round_of(apply, &env, &out, &t, stop);
	apply_out_release(&out);
	pseudo_free(&env.vendor);
	return t;
}

static void I1_default_deny(void **state)
{
	(void)state;
	struct err err;
	assert_int_equal(crypt_init(&err), 0);
	struct tally t = rounds(plan_apply, ROUNDS, true);
	printf("%u objects kept, %u dropped; %u unnamed markers, none left; %u named ones left\n", t.kept, t.dropped, t.planted, t.left);
	assert_int_equal(t.leaked, 0);
	assert_true(t.planted > 5 * ROUNDS / 2 && t.left > ROUNDS / 50 && t.kept > ROUNDS / 4);
	struct tally broken = rounds(plan_apply_broken, ROUNDS / 20, false);
	printf("broken on purpose: %u unnamed markers left\n", broken.leaked);
	assert_true(broken.leaked > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(I1_default_deny)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
