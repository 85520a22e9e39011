/* What becomes of a hit: rows for each action, and random JSON in which nothing of what is found leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "contract/contract.h"
#include "json/json.h"

#define BASE "weir: 1\nvendor: mixpanel\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: [{name: w, token: env:W}]\nevents: [e]\n"

static const uint8_t key[KEY_BYTES] = {7, 7, 7};

struct run {
	struct contract *c;
	struct plan *p;
	struct apply_env env;
	struct apply_out out;
	struct err err;
	char *text;
};

static void run_init(struct run *r, const char *body)
{
	struct err err;
	struct buf b;
	struct diags d;
	assert_int_equal(crypt_init(&err), 0);
	buf_init(&b, 0);
	buf_addf(&b, BASE "%s", body);
	diags_init(&d, "t.yaml");
	*r = (struct run){.c = contract_parse((char *)b.data, b.len, &d), .env = {.vendor = pseudo_new(key, 0), .day = "2026-01-15", .detect = true}};
	if (!r->c)
		fail_msg("%zu:%zu %s\n%s", d.v[0].line, d.v[0].col, d.v[0].msg, body);
	assert_int_equal(plan_compile(r->c, FLOW_OPEN, &r->p, &err), 0);
	apply_out_init(&r->out, 0);
	diags_release(&d);
	buf_release(&b);
}

static void run_release(struct run *r)
{
	pseudo_free(&r->env.vendor);
	apply_out_release(&r->out);
	plan_free(&r->p);
	contract_free(&r->c);
	free(r->text);
}

static int apply(struct run *r, const char *json)
{
	size_t n = strlen(json);
	free(r->text);
	r->text = calloc(1, n + JSON_PAD);
	memcpy(r->text, json, n);
	apply_out_reset(&r->out);
	r->err = (struct err){.off = ERR_NOOFF};
	return plan_apply(r->p, &r->env, OBJECT_EVENT, r->text, n, false, &r->out, &r->err);
}

static const char *id(const char *kind, const char *value)
{
	static char out[4][PSEUDONYM_LEN + 1];
	static int turn;
	struct pseudo *p = pseudo_new(key, 0);
	char *o = out[turn++ % 4];
	assert_true(pseudo_id(p, kind, value, strlen(value), NULL, o));
	pseudo_free(&p);
	return o;
}

/* Of properties.x under this rule and default: what is left, "" for nothing, or why the object or request was dropped. */
static const char *became(const char *hit, const char *rule, const char *value)
{
	static char out[1024];
	char body[512], in[512];
	struct run r;
	snprintf(body, sizeof body, "%s%s%sfields:\n  properties.x: %s\n", hit ? "on_hit: " : "", hit ? hit : "", hit ? "\n" : "", rule);
	snprintf(in, sizeof in, "{\"event\":\"e\",\"properties\":{\"x\":%s}}", value);
	run_init(&r, body);
	int failed = apply(&r, in);
	if (failed)
		snprintf(out, sizeof out, "%s at %zu: %s", r.err.code == ERR_DENIED ? "denied" : "failed", r.err.off, r.err.msg);
	else if (r.out.v[0].dropped)
		snprintf(out, sizeof out, "%s", drop_reason_names[r.out.v[0].dropped]);
	else if (!strcmp((char *)r.out.bytes.data, "{\"event\":\"e\",\"properties\":{}}\n"))
		out[0] = 0;
	else
		snprintf(out, sizeof out, "%.*s", (int)(r.out.v[0].len - strlen("{\"event\":\"e\",\"properties\":{\"x\":}}")),
			 (char *)r.out.bytes.data + strlen("{\"event\":\"e\",\"properties\":{\"x\":"));
	run_release(&r);
	return out;
}

static void each_action(void **state)
{
	(void)state;
	char mail[64], two[128];
	snprintf(mail, sizeof mail, "\"to %s\"", id("email", "a@b.io"));
	snprintf(two, sizeof two, "\"%s, %s\"", id("phone", "+49 30 1234567"), id("other", "192.0.2.77"));
	const struct {
		const char *hit, *rule, *in, *out;
	} rows[] = {
		{NULL, "{keep: true, on_hit: redact}", "\"to a@b.io\"", "\"to [EMAIL]\""},
		{NULL, "{keep: true, on_hit: {mask: 4}}", "\"card 4111 1111 1111 1111.\"", "\"card ***************1111.\""},
		{NULL, "{keep: true, on_hit: {mask: 0}}", "\"a@b.io\"", "\"******\""}, {NULL, "{keep: true, on_hit: {mask: 4}}", "\"a@b.io\"", "\"***.io\""},
		{NULL, "{keep: true, on_hit: {mask: 4}}", "\"clean \\u0041\"", "\"clean \\u0041\""},
		{NULL, "{keep: true, on_hit: {mask: 4}}", "\"\\u00fc \\u0022x\\u0040yz.de\\u0022\"", "\"\xc3\xbc \\\"****.de\\\"\""},
		{NULL, "{keep: true, on_hit: pseudonym}", "\"to A@b.io\"", mail}, {NULL, "{keep: true, on_hit: pseudonym}", "\"+49 30 1234567, 192.0.2.77\"", two},
		{NULL, "{keep: true, on_hit: drop}", "\"to a@b.io\"", ""}, {NULL, "{keep: true, on_hit: drop}", "\"clean\"", "\"clean\""},
		{NULL, "{keep: true, on_hit: drop_event}", "\"to a@b.io\"", "detector"}, {NULL, "{keep: true, on_hit: drop_event}", "1", "1"},
		{NULL, "{keep: true, on_hit: refuse}", "\"to a@b.io\"", "denied at 0: email in properties.x: the contract refuses the request"},
		/* numbers can't be half hidden */
		{NULL, "keep", "4111111111111111", ""}, {NULL, "{keep: true, on_hit: {mask: 4}}", "4111111111111111", ""},
		{NULL, "{keep: true, on_hit: pseudonym}", "4111111111111111", ""}, {NULL, "{keep: true, on_hit: drop_event}", "4111111111111111", "detector"},
		{NULL, "{round: 1, on_hit: drop_event}", "4111111111111111.5", "detector"},
		/* what max cuts away doesn't come back behind a mask */
		{NULL, "{keep: true, max: 12, on_hit: {mask: 4}}", "\"at bob@example.org\"", "\"at [EMAIL]\""},
		{NULL, "{keep: true, max: 2, on_hit: drop}", "\"at bob@example.org\"", "\"at\""},
		/* behind other actions */
		{NULL, "{url: origin+path, query: [q], on_hit: drop_event}", "\"https://x.io/a?q=a@b.io\"", "detector"},
		{NULL, "{url: origin+path, query: [q], on_hit: drop_event}", "\"https://x.io/a?r=a@b.io\"", "\"https://x.io/a\""},
		{NULL, "{mask: 6, on_hit: drop}", "\"then a@b.io\"", ""},
		/* the contract's own word, and a rule's against it */
		{"drop", "keep", "\"a@b.io\"", ""}, {"{mask: 3}", "keep", "\"ann@b.io\"", "\"*****.io\""}, {"drop_event", "keep", "\"a@b.io\"", "detector"},
		{"drop", "{keep: true, on_hit: redact}", "\"a@b.io\"", "\"[EMAIL]\""}, {"drop", "{redact: all}", "\"a@b.io\"", "\"[EMAIL]\""},
		{"drop", "{keep: true, detect: off}", "\"a@b.io\"", "\"a@b.io\""}, {"refuse", "{pseudonym: other}", "\"\"", ""},
		/* what a mask would leave is looked at again: here the end of a card begins another one */
		{NULL, "{keep: true, on_hit: {mask: 4}}", "\"4100000000094111 1111 1111 1111\"", "\"[CARD] 1111 1111 1111\""},
		{NULL, "{keep: true, on_hit: {mask: 4}, detect: names}", "\"my name is Ann Lee, 5\"", "\"my name is ****Lee, 5\""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *got = became(rows[i].hit, rows[i].rule, rows[i].in);
		if (strcmp(got, rows[i].out) != 0)
			fail_msg("row %zu: %s of %s: %s, not %s", i, rows[i].rule, rows[i].in, got, rows[i].out);
	}
}

/* Only an object that would have left stops the others. */
static void what_is_stopped(void **state)
{
	(void)state;
	struct run r;
	run_init(&r, "on_hit: drop_event\nfields:\n  properties.x: keep\n  properties.y: {keep: true, on_hit: refuse}\n");
	assert_int_equal(apply(&r, "[{\"event\":\"e\",\"properties\":{\"x\":\"a@b.io\"}},{\"event\":\"e\",\"properties\":{\"x\":\"fine\",\"z\":\"a@b.io\"}},"
				   "{\"event\":\"a@b.io\"},{\"properties\":{\"y\":\"a@b.io\"},\"event\":\"other\"}]"), 0);
	assert_string_equal((char *)r.out.bytes.data, "{\"event\":\"e\",\"properties\":{\"x\":\"fine\"}}\n");
	const enum drop_reason want[] = {DROP_DETECTOR, DROP_NONE, DROP_EVENT, DROP_EVENT};
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(r.out.v[i].dropped, want[i]);
	assert_int_equal(r.out.v[0].leaves[0], 0);	/* no exposure */
	assert_int_equal(apply(&r, "[{\"event\":\"e\",\"properties\":{\"x\":\"1\"}},{\"event\":\"e\",\"properties\":{\"y\":\"a@b.io\"}}]"), -1);
	assert_int_equal(r.err.code, ERR_DENIED);
	assert_int_equal(r.err.off, 38);
	assert_int_equal(r.out.found[DETECT_EMAIL], 1);
	/* an insert id keeps what it does */
	assert_int_equal(apply(&r, "{\"event\":\"e\",\"properties\":{\"$insert_id\":\"a@b.io\"}}"), 0);
	assert_int_equal(r.out.v[0].dropped, DROP_NONE);
	run_release(&r);
}

struct told {
	struct buf b;
};

static void tell(void *arg, const struct explained *e)
{
	struct buf *b = &((struct told *)arg)->b;
	buf_addf(b, "%u %s %s %s %s\n", e->index, e->path, e->outcome, e->reason, e->on_hit ? e->on_hit : "-");
}

static void explained(void **state)
{
	(void)state;
	struct told t;
	struct run r;
	buf_init(&t.b, 0);
	run_init(&r, "on_hit: {mask: 4}\nfields:\n  properties.a: keep\n  properties.d: {keep: true, on_hit: drop}\n  properties.s: {keep: true, on_hit: drop_event}\n"
		     "  properties.y: {keep: true, on_hit: refuse}\n");
	r.env.explain = tell;
	r.env.explain_arg = &t;
	assert_int_equal(apply(&r, "{\"event\":\"e\",\"properties\":{\"a\":\"a@b.io\",\"d\":\"a@b.io\",\"u\":\"a@b.io\"}}"), 0);
	assert_int_equal(apply(&r, "{\"event\":\"e\",\"properties\":{\"a\":4111111111111111,\"s\":\"a@b.io\"}}"), 0);
	assert_int_equal(apply(&r, "{\"event\":\"e\",\"properties\":{\"y\":\"a@b.io\"}}"), -1);
	assert_string_equal((char *)t.b.data,
			    "0 event kept adapter -\n0 properties.a redacted detector mask\n0 properties.d dropped detector drop\n0 properties.u dropped unnamed -\n"
			    "0 event dropped detector -\n0 properties.a dropped detector drop\n0 properties.s dropped detector drop_event\n"
			    "0 event dropped detector -\n0 properties.y dropped detector refuse\n");
	buf_release(&t.b);
	run_release(&r);
}

/* ---- random JSON x each action -------------------------------------------------------------------------------------- */

static uint64_t rng = 88172645463325252ull;
static uint32_t rnd(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 33) % n;
}

enum { MARKERS = 32 };
struct marker {
	char secret[24];	/* what may never leave: the local part of an address, or digits */
	char whole[48];
};

struct made {
	struct buf b;
	struct marker m[MARKERS];
	size_t n;
};

static char check_digit(const char *s, size_t n)	/* Luhn */
{
	unsigned sum = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(s[n - 1 - i] - '0') << (i % 2 == 0);
		sum += d > 9 ? d - 9 : d;
	}
	return (char)('0' + (10 - sum % 10) % 10);
}

static struct marker *marker_new(struct made *k, bool number)
{
	struct marker *m = &k->m[k->n++];
	if (number || rnd(2)) {
		snprintf(m->whole, sizeof m->whole, "4%09u%05u", (unsigned)rnd(1000000000), (unsigned)rnd(100000));
		m->whole[15] = check_digit(m->whole, 15);
		m->whole[16] = 0;
		memcpy(m->secret, m->whole + 4, 9);	/* what a mask of four must hide of it */
		m->secret[9] = 0;
	} else {
		for (int i = 0; i < 10; i++)
			m->secret[i] = (char)('a' + rnd(26));
		m->secret[10] = 0;
		memcpy(m->whole, m->secret, 10);
		memcpy(m->whole + 10, "@example.org", sizeof "@example.org");
	}
	return m;
}

static void add_char(struct buf *b, char c)
{
	if (rnd(6) == 0)
		buf_addf(b, "\\u%04x", (unsigned)(uint8_t)c);
	else
		buf_addc(b, c);
}

static void add_string(struct made *k)
{
	static const char *const between[] = {" ", ", ", "\\n", "\\\"", " \xc3\xa9 ", "\\ud83d\\ude00", " - ", "<", "\xe6\x9d\xb1 ", "\\u0000 ", "; "};
	buf_addc(&k->b, '"');
	for (uint32_t parts = rnd(5); parts; parts--) {
		if (rnd(3) == 0 && k->n < MARKERS)
			for (const char *s = marker_new(k, false)->whole; *s; s++)
				add_char(&k->b, *s);
		else
			for (uint32_t i = rnd(8); i; i--)
				add_char(&k->b, (char)('g' + rnd(20)));
		buf_adds(&k->b, between[rnd(sizeof between / sizeof *between)]);
	}
	buf_addc(&k->b, '"');
}

static void add_value(struct made *k)
{
	static const char *const plain[] = {"true", "null", "12", "-0.5e3", "1e400", "{\"q\":1}", "[1]"};
	uint32_t sort = rnd(6);
	if (sort == 0)
		buf_adds(&k->b, plain[rnd(sizeof plain / sizeof *plain)]);
	else if (sort == 1 && k->n < MARKERS)
		buf_adds(&k->b, marker_new(k, true)->whole);
	else
		add_string(k);
}

static void add_event(struct made *k)
{
	buf_adds(&k->b, "{\"event\":\"e\",\"properties\":{");
	for (uint32_t i = 0, any = 0; i < 9; i++) {
		if (rnd(3) == 0)
			continue;
		buf_addf(&k->b, "%s\"%c\":", any++ ? "," : "", 'a' + (char)i);
		if (rnd(4) == 0) {
			buf_adds(&k->b, "[");
			add_value(k);
			buf_adds(&k->b, " , ");
			add_value(k);
			buf_adds(&k->b, "]");
		} else {
			add_value(k);
		}
	}
	buf_adds(&k->b, "}}");
}

static bool holds(const struct buf *b, const char *s)
{
	return memmem(b->data, b->len, s, strlen(s)) != NULL;
}

static void nothing_found_leaves(void **state)
{
	(void)state;
	static const char *const hits[] = {"redact", "{mask: 4}", "{mask: 0}", "pseudonym", "drop", "drop_event", "refuse"};
	enum { HITS = sizeof hits / sizeof *hits, ROUNDS = 4000 };
	size_t kept = 0, stopped = 0;
	for (size_t h = 0; h < HITS; h++) {
		char body[256];
		struct run r;
		snprintf(body, sizeof body, "on_hit: %s\nfields: {properties.a: keep, properties.b: {keep: true, max: 20}, properties.c: {redact: all}, "
			 "properties.d: {keep: true, on_hit: {mask: 1}}, \"properties.e[]\": keep, properties.f: keep, properties.g: keep}\n", hits[h]);
		run_init(&r, body);
		for (int round = 0; round < ROUNDS; round++) {
			struct made k = {.n = 0};
			struct buf plain;
			struct err err;
			buf_init(&k.b, 0);
			buf_init(&plain, 0);
			add_event(&k);
			if (apply(&r, (char *)k.b.data) != 0) {
				if (r.err.code != ERR_DENIED || strcmp(hits[h], "refuse") != 0)
					fail_msg("%s: %s of %s", hits[h], r.err.msg, (char *)k.b.data);
				stopped++;
			} else if (r.out.v[0].dropped) {
				assert_int_equal(r.out.v[0].dropped, DROP_DETECTOR);
				assert_string_equal(hits[h], "drop_event");
				stopped++;
			} else {
				kept++;
				buf_add(&plain, r.out.bytes.data, r.out.v[0].len);
				assert_true(buf_reserve(&plain, JSON_PAD));
				memset(plain.data + plain.len, 0, JSON_PAD);
				if (json_check((char *)plain.data, plain.len, NULL, &err) != 0)
					fail_msg("%s: %s\n%s", hits[h], (char *)k.b.data, (char *)plain.data);
				plain.len = json_unescape_lossy((char *)r.out.bytes.data, r.out.v[0].len, (char *)plain.data);
				for (size_t i = 0; i < k.n; i++)
					if (holds(&plain, k.m[i].secret))
						fail_msg("%s lets %s out: %s\n%s", hits[h], k.m[i].whole, (char *)k.b.data, (char *)plain.data);
			}
			buf_release(&k.b);
			buf_release(&plain);
		}
		run_release(&r);
	}
	assert_true(kept > 3 * ROUNDS && stopped > ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_action), cmocka_unit_test(what_is_stopped), cmocka_unit_test(explained), cmocka_unit_test(nothing_found_leaves),
	};
	return cmocka_run_group_tests_name("contract-found", tests, NULL, NULL);
}
