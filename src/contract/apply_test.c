/* Actions, byte identity, slots, kinds and limits of plan_apply; I1_default_deny is in deny_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "contract/contract.h"
#include "json/json.h"

static const uint8_t key[KEY_BYTES] = {7, 7, 7}, subject_key[KEY_BYTES] = {9};
static const char head[] = "weir: 1\nvendor: mixpanel\nname: M\ncountry: US\nrole: processor\nservice: S\n"
			   "delivery: {adapter: mixpanel, upstream: https://api.mixpanel.com, credential: env:T}\n"
			   "sources: [{name: web, token: env:W}]\nversion: 1\nsigned: 2026-01-15\npurpose: p\nbasis: consent\n"
			   "breach_notice: PT24H\nretention: P13M\n";

static struct contract *parsed(const char *body)
{
	struct buf b;
	struct diags d;
	buf_init(&b, 0);
	buf_adds(&b, head);
	buf_adds(&b, body);
	diags_init(&d, "t.yaml");
	struct contract *c = contract_parse((char *)b.data, b.len, &d);
	if (!c) {
		struct buf out;
		buf_init(&out, 0);
		diags_print(&d, &out);
		fail_msg("%s\n%s", (char *)out.data, body);
	}
	diags_release(&d);
	buf_release(&b);
	return c;
}

static struct plan *compiled(const char *body, enum flow flow)
{
	struct contract *c = parsed(body);
	struct err err;
	struct plan *p = NULL;
	if (plan_compile(c, flow, &p, &err) != 0)
		fail_msg("%s", err.msg);
	contract_free(&c);
	return p;
}

struct run {
	struct plan *p;
	struct apply_env env;
	struct apply_out out;
	struct err err;
	char *text;
};

static void run_init(struct run *r, const char *body, enum flow flow)
{
	struct err err;
	assert_int_equal(crypt_init(&err), 0);
	*r = (struct run){.p = compiled(body, flow), .env = {.vendor = pseudo_new(key, 0), .day = "2026-01-15", .detect = true}};
	apply_out_init(&r->out, 0);
}

static void run_release(struct run *r)
{
	pseudo_free(&r->env.vendor);
	pseudo_free(&r->env.subject);
	apply_out_release(&r->out);
	plan_free(&r->p);
	free(r->text);
}

static int apply(struct run *r, enum object_kind kind, const char *json, bool ndjson)
{
	size_t n = strlen(json);
	free(r->text);
	r->text = calloc(1, n + JSON_PAD);
	memcpy(r->text, json, n);
	apply_out_reset(&r->out);
	r->err = (struct err){.off = ERR_NOOFF};
	return plan_apply(r->p, &r->env, kind, r->text, n, ndjson, &r->out, &r->err);
}

/* The one object, or why it was dropped. */
static const char *one(struct run *r, enum object_kind kind, const char *json)
{
	static char out[8192];
	if (apply(r, kind, json, false) != 0) {
		snprintf(out, sizeof out, "error %d at %zu: %s", (int)r->err.code, r->err.off, r->err.msg);
		return out;
	}
	assert_int_equal(r->out.n, 1);
	const struct applied *a = &r->out.v[0];
	if (a->dropped)
		return drop_reason_names[a->dropped];
	struct err err;
	snprintf(out, sizeof out, "%.*s", (int)a->len, (char *)r->out.bytes.data + a->at);
	char *copy = calloc(1, a->len + JSON_PAD);
	memcpy(copy, out, a->len);
	if (json_check(copy, a->len, NULL, &err) != 0)
		fail_msg("output isn't JSON: %s", out);
	free(copy);
	return out;
}

static const char *id(const char *kind, const char *value, const char *day)
{
	static char out[4][PSEUDONYM_LEN + 1];
	static int turn;
	struct pseudo *p = pseudo_new(key, 0);
	char *o = out[turn++ % 4];
	assert_true(pseudo_id(p, kind, value, strlen(value), day, o));
	pseudo_free(&p);
	return o;
}

/* One action on properties.x: value in, value out ("" when dropped). */
struct row {
	const char *rule, *in, *out;
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char body[512], in[4096], want[4096];
		struct run r;
		snprintf(body, sizeof body, "events: [e]\nfields:\n  properties.x: %s\n", rows[i].rule);
		snprintf(in, sizeof in, "{\"event\":\"e\",\"properties\":{\"x\":%s}}", rows[i].in);
		if (rows[i].out[0])
			snprintf(want, sizeof want, "{\"event\":\"e\",\"properties\":{\"x\":%s}}", rows[i].out);
		else
			snprintf(want, sizeof want, "{\"event\":\"e\",\"properties\":{}}");
		run_init(&r, body, FLOW_OPEN);
		const char *got = one(&r, OBJECT_EVENT, in);
		if (strcmp(got, want) != 0)
			fail_msg("row %zu: %s of %s\n  got  %s\n  want %s", i, rows[i].rule, rows[i].in, got, want);
		run_release(&r);
	}
}

static void actions(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"keep", "\"a\"", "\"a\""}, {"keep", "{\"a\":1}", ""}, {"keep", "[1]", ""}, {"keep", "null", "null"},
		{"keep", "\"mail x@y.de now\"", "\"mail [EMAIL] now\""}, {"keep", "\"x\\u0040y.de\"", "\"[EMAIL]\""},
		{"{keep: true, detect: off}", "\"x@y.de\"", "\"x@y.de\""}, {"drop", "1", ""},
		{"{keep: true, max: 3}", "\"a\\u00e9\xc3\xa9" "bc\"", "\"a\xc3\xa9\xc3\xa9\""}, {"{keep: true, max: 3}", "\"abc\"", "\"abc\""},
		{"{keep: true, max: 9}", "\"at bob@example.org\"", "\"at [EMAIL]\""},
		{"{const: fixed}", "{\"a\":[1]}", "\"fixed\""}, {"{const: 1}", "\"a\"", "1"},
		{"{oneof: [free, 2, true]}", "\"fr\\u0065e\"", "\"free\""}, {"{oneof: [free, 2, true]}", "2.0", "2"},
		{"{oneof: [free, 2, true]}", "true", "true"}, {"{oneof: [free, 2, true]}", "\"2\"", ""},
		{"{oneof: [free, 2, true]}", "null", ""}, {"{oneof: [free]}", "[\"free\"]", ""},
		{"{redact: all}", "\"a@b.io and 192.168.7.9\"", "\"[EMAIL] and [IPV4]\""}, {"{redact: all}", "5", ""},
		{"{redact: all}", "\"my name is Ann Lee\"", "\"my name is Ann Lee\""},
		{"{redact: all, detect: names}", "\"my name is Ann Lee, a@b.io\"", "\"my name is [NAME], [EMAIL]\""},
		{"{keep: true, detect: names}", "\"Dear Ann, 5\"", "\"Dear [NAME], 5\""}, {"{keep: true, detect: names}", "\"Frau M\\u00fcller\"", "\"Frau [NAME]\""},
		{"{keep: true, detect: names}", "\"plain\"", "\"plain\""}, {"{redact: [name], detect: off}", "\"Mr. Lee, a@b.io\"", "\"Mr. [NAME], a@b.io\""},
		{"{redact: [email], detect: off}", "\"a@b.io 192.168.7.9\"", "\"[EMAIL] 192.168.7.9\""},
		{"{mask: 4}", "\"1234567890\"", "\"******7890\""}, {"{mask: 4}", "\"abc\"", "\"***\""},
		{"{mask: 1}", "\"\xc3\xa9\xc3\xa8\"", "\"*\xc3\xa8\""}, {"{mask: 4}", "12345678", ""},
		{"{truncate: minute}", "1700000059.5", "1700000040"}, {"{truncate: hour}", "1700000000", "1699999200"},
		{"{truncate: day}", "1700000000123", "1699920000000"}, {"{truncate: month}", "1700000000", "1698796800"},
		{"{truncate: hour}", "1.7e9", "1699999200"}, {"{truncate: hour}", "-1", "-3600"}, {"{truncate: hour}", "1e400", ""},
		{"{truncate: hour}", "\"2026-01-15T10:11:12.345Z\"", "\"2026-01-15T10:00:00.000Z\""},
		{"{truncate: day}", "\"2026-01-15T10:11:12+05:30\"", "\"2026-01-15T00:00:00+05:30\""},
		{"{truncate: month}", "\"2026-11-29T10:11:12Z\"", "\"2026-11-01T00:00:00Z\""},
		{"{truncate: minute}", "\"2026-01-15T10:11:12Z\"", "\"2026-01-15T10:11:00Z\""},
		{"{truncate: hour}", "\"yesterday\"", ""}, {"{truncate: hour}", "\"2026-13-15T10:11:12Z\"", ""},
		{"{ip: /24}", "\"192.0.2.77\"", "\"192.0.2.0\""}, {"{ip: /16}", "\"192.0.2.77\"", "\"192.0.0.0\""},
		{"{ip: /24}", "\"::ffff:192.0.2.77\"", "\"192.0.2.0\""}, {"{ip: /24}", "\"2001:db8:1:2::3\"", "\"2001:db8:1::\""},
		{"{ip: /24}", "\"192.0.2.77:80\"", ""}, {"{ip: /24}", "\"host\"", ""}, {"{ip: /24}", "3221226061", ""},
		{"{url: origin}", "\"https://u:p@shop.example.com:8443/a/b?q=1#f\"", "\"https://shop.example.com:8443\""},
		{"{url: origin+path}", "\"https://x.io/users/alice@b.de/orders/12345/edit\"", "\"https://x.io/users/-/orders/-/edit\""},
		{"{url: origin+path}", "\"https://x.io/v2/step-3/index.html\"", "\"https://x.io/v2/step-3/index.html\""},
		{"{url: origin+path}", "\"https://x.io/reset/aGVsbG8gd29ybGQ\"", "\"https://x.io/reset/-\""},
		{"{url: origin+path}", "\"https://x.io/a%40b\\/c;jsessionid=AB\"", "\"https://x.io/-/-\""},
		{"{url: origin+path}", "\"https://x.io/t/mU0WRvrUSi9qyva3/Z3Ab3qMdsquG/bikfddnxab5zd3tj\"", "\"https://x.io/t/-/-/-\""},
		{"{url: origin+path}", "\"https://x.io/t/EadYs9VG9ht_3UuoU_UUDt/RPYZGRPHJZ6PNBJC5SSFKSX1FT/jzjpnscwdlnnycb\"", "\"https://x.io/t/-/-/-\""},
		{"{url: origin+path}", "\"https://x.io/FELRFDSZABXEDIDP/fF0e9d\"", "\"https://x.io/-/-\""},
		{"{url: origin+path}", "\"https://x.io/b2b/i18n/iPhone15/MyAccount/Pages.Home/FAQ/v1.2/q4-report_final\"",
		 "\"https://x.io/b2b/i18n/iPhone15/MyAccount/Pages.Home/FAQ/v1.2/q4-report_final\""},
		{"{url: origin+path}", "\"https://x.io/Rechtsschutz/Ã¼ber-uns/æ±äº¬\"", "\"https://x.io/Rechtsschutz/Ã¼ber-uns/æ±äº¬\""},
		{"{url: origin+path, query: [utm_source]}", "\"https://x.io/a?q=1&utm_source=news&b=2\"", "\"https://x.io/a?utm_source=news\""},
		{"{url: origin}", "\"/relative\"", ""}, {"{url: origin}", "\"javascript:alert(1)\"", ""},
		{"{url: origin}", "\"https://evil\\\\@x.io/\"", "\"https://evil\""},
		{"{round: 1}", "52.5200066", "52.5"}, {"{round: 1}", "0.25", "0.2"}, {"{round: 1}", "0.35", "0.4"}, {"{round: 1}", "0.2500001", "0.3"},
		{"{round: 0}", "2.5", "2"}, {"{round: 0}", "3.5", "4"}, {"{round: 2}", "9.999", "10.00"}, {"{round: 2}", "1.5", "1.5"},
		{"{round: 1}", "-0.05", "-0.0"}, {"{round: 1}", "1.26e1", "12.6"}, {"{round: 1}", "5e-3", "0.0"}, {"{round: 0}", "\"1\"", ""},
		{"{round: 1}", "1e999", ""},
		{"{bucket: [1, 10, 100]}", "37", "10"}, {"{bucket: [1, 10, 100]}", "10", "10"}, {"{bucket: [1, 10, 100]}", "1e400", "100"},
		{"{bucket: [1, 10, 100]}", "0.5", ""}, {"{bucket: [1, 10, 100]}", "\"37\"", ""},
		{"{domain: true}", "\"Alice@Mail.Example.com\"", "\"mail.example.com\""},
		{"{domain: true}", "\"https://a.example.org:8080/x?y\"", "\"a.example.org\""}, {"{domain: true}", "\"mail me a@b.c\"", ""},
		{"{domain: true}", "\"nothing\"", ""},
	};
	check_rows(rows, sizeof rows / sizeof *rows);
}

/* A card number stays one with decimals or an exponent that only dresses it. */
static void dressed_numbers(void **state)
{
	(void)state;
	static const char *const hidden[] = {
		"4111111111111111", "-4111111111111111", "4111111111111111.0", "4111111111111111.5", "4111111111111111e0",
		"4111111111111111e30", "4111111111111111E-5", "-4111111111111111e-5", "4.111111111111111e15", "4111.111111111111e12",
		"41111111.11111111e8", "411111111111111100e-2",
	};
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		check_rows(&(struct row){"keep", hidden[i], ""}, 1);
	check_rows(&(struct row){"{round: 1}", "4111111111111111.5", ""}, 1);
}

/* The name of a place says what its numbers are; the weak kinds need no word in the text there. */
static void names_of_places(void **state)
{
	(void)state;
	static const struct {
		const char *path, *json, *want;	/* of the properties */
	} rows[] = {
		{"telefon", "{\"telefon\":\"491511234567\"}", "{\"telefon\":\"[PHONE]\"}"},
		{"telefon", "{\"telefon\":491511234567}", "{}"},
		{"telefon", "{\"telefon\":\"ring 491511234567 or a@b.io\"}", "{\"telefon\":\"ring [PHONE] or [EMAIL]\"}"},
		{"telefon", "{\"telefon\":\"none\"}", "{\"telefon\":\"none\"}"}, {"telefon", "{\"telefon\":7}", "{\"telefon\":7}"},
		{"telefon", "{\"telefon\":\"\"}", "{\"telefon\":\"\"}"},
		{"seats", "{\"seats\":\"491511234567\"}", "{\"seats\":\"491511234567\"}"},
		{"seats", "{\"seats\":491511234567}", "{\"seats\":491511234567}"},
		{"user.phones[]", "{\"user\":{\"phones\":[\"5552345678\",\"x\"]}}", "{\"user\":{\"phones\":[\"[PHONE]\",\"x\"]}}"},
		{"bsn", "{\"bsn\":\"111222333\"}", "{\"bsn\":\"[NL_BSN]\"}"}, {"n", "{\"n\":\"111222333\"}", "{\"n\":\"111222333\"}"},
		{"geburtsdatum", "{\"geburtsdatum\":\"1980-12-31\"}", "{\"geburtsdatum\":\"[DOB]\"}"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char body[256], in[512], want[512];
		struct run r;
		snprintf(body, sizeof body, "events: [e]\nfields:\n  properties.%s: keep\n", rows[i].path);
		snprintf(in, sizeof in, "{\"event\":\"e\",\"properties\":%s}", rows[i].json);
		snprintf(want, sizeof want, "{\"event\":\"e\",\"properties\":%s}", rows[i].want);
		run_init(&r, body, FLOW_OPEN);
		for (int again = 0; again < 2; again++)	/* what was remembered of it */
			if (strcmp(one(&r, OBJECT_EVENT, in), want) != 0)
				fail_msg("row %zu: %s of %s", i, one(&r, OBJECT_EVENT, in), rows[i].json);
		run_release(&r);
	}
}

/* What is kept is kept byte for byte, whatever a parser would make of it. */
static void kept_bytes(void **state)
{
	(void)state;
	static const char *const lexemes[] = {
		"1e400", "-1E-400", "9223372036854775807", "18446744073709551616", "-0", "-0.0", "0.10", "1.0", "1E+2",
		"3.141592653589793238462643383279", "\"\"", "\"\\u0041\\/\\n\\\"\"", "\"\\ud83d\\ude00\"", "\"\\ud800\"", "\"\xe6\x9d\xb1\"",
		"\"a\\\\\"", "true", "false", "null", "\"\\u0000\"",
	};
	struct row rows[2 * sizeof lexemes / sizeof *lexemes];
	size_t n = 0;
	for (size_t i = 0; i < sizeof lexemes / sizeof *lexemes; i++)
		rows[n++] = (struct row){"keep", lexemes[i], lexemes[i]};
	for (size_t i = 0; i < sizeof lexemes / sizeof *lexemes; i++)
		rows[n++] = (struct row){"{keep: true, detect: off}", lexemes[i], lexemes[i]};
	check_rows(rows, n);
	struct run r;
	run_init(&r, "events: [e]\nfields:\n  properties.b: keep\n  properties.a: keep\n  properties.items[].sku: keep\n", FLOW_OPEN);
	assert_string_equal(one(&r, OBJECT_EVENT, " { \"properties\" : { \"a\" : 1 , \"\\u0062\" : \"x\" ,\t\"z\":[{\"a\":1}] } ,\n\"event\":\"e\" } "),
			    "{\"properties\":{\"a\":1,\"\\u0062\":\"x\"},\"event\":\"e\"}");
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":\"e\",\"properties\":{\"items\":[{\"sku\":\"S\",\"n\":1},{},7,{\"n\":2},[{\"sku\":1}]]}}"),
			    "{\"event\":\"e\",\"properties\":{\"items\":[{\"sku\":\"S\"},{},{}]}}");
	run_release(&r);
}

static void duplicates(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		bool dropped;
	} rows[] = {
		{"{\"event\":\"e\",\"properties\":{\"a\":1,\"a\":2}}", true}, {"{\"event\":\"e\",\"properties\":{\"a\":1,\"\\u0061\":2}}", true},
		{"{\"event\":\"e\",\"properties\":{},\"properties\":{}}", true}, {"{\"event\":\"e\",\"event\":\"e\"}", true},
		{"{\"event\":\"e\",\"properties\":{\"token\":\"a\",\"token\":\"b\"}}", true},
		{"{\"event\":\"e\",\"properties\":{\"distinct_id\":\"a\",\"distinct_id\":\"b\"}}", true},
		{"{\"event\":\"e\",\"properties\":{\"o\":{\"k\":1},\"o\":{}}}", true}, {"{\"event\":\"e\",\"properties\":{\"o\":{\"k\":1,\"k\":1}}}", true},
		{"{\"event\":\"e\",\"properties\":{\"z\":1,\"z\":2}}", false}, {"{\"event\":\"e\",\"properties\":{\"d\":1,\"d\":2}}", false},
		{"{\"event\":\"e\",\"properties\":{\"z\":{\"a\":1,\"a\":2}}}", false},
		{"{\"event\":\"e\",\"properties\":{\"l\":[{\"k\":1},{\"k\":2}]}}", false},
		{"{\"event\":\"e\",\"properties\":{\"l\":[{\"k\":1,\"k\":2}]}}", true},
	};
	struct run r;
	run_init(&r, "events: [e]\nfields:\n  properties.a: keep\n  properties.d: drop\n  properties.o.k: keep\n  properties.l[].k: keep\n",
		 FLOW_OPEN);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(apply(&r, OBJECT_EVENT, rows[i].json, false), 0);
		if ((r.out.v[0].dropped == DROP_DUPLICATE_KEY) != rows[i].dropped)
			fail_msg("row %zu %s: %s", i, rows[i].json, drop_reason_names[r.out.v[0].dropped]);
	}
	run_release(&r);
}

static void slots(void **state)
{
	(void)state;
	char want[512];
	struct run r;
	run_init(&r, "events: [e, \"chat_*\"]\nidentity: pseudonym\nlinks: allow\nfields:\n  properties.time: {truncate: hour}\n", FLOW_OPEN);
	snprintf(want, sizeof want, "{\"event\":\"chat_x\",\"properties\":{\"distinct_id\":\"$device:%s\",\"$device_id\":\"%s\",\"$user_id\":\"%s\",\"time\":1699999200}}",
		 id("device", "d-1", NULL), id("device", "d-1", NULL), id("user", "42", NULL));
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":\"chat_x\",\"properties\":{\"distinct_id\":\"$device:d-1\",\"$device_id\":\"d\\u002d1\","
						  "\"$user_id\":42,\"time\":1700000000,\"token\":\"s\\u0065cret\"}}"),
			    want);
	assert_true(span_eq(r.out.v[0].token, "secret"));
	assert_int_equal(r.out.v[0].time_s, 1699999200);
	assert_int_equal(r.out.v[0].splice, strlen("{\"event\":\"chat_x\",\"properties\":{"));
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"properties\":{\"$user_id\":null,\"distinct_id\":\"\",\"$device_id\":true},\"event\":\"e\"}"),
			    "{\"properties\":{},\"event\":\"e\"}");
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":\"other\",\"properties\":{}}"), "event");
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":7,\"properties\":{}}"), "event");
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"properties\":{}}"), "event");
	run_release(&r);

	run_init(&r, "events: [e]\nidentity: daily\ngroups: {keys: [company]}\nfields: {properties.a: keep}\n", FLOW_OPEN);
	snprintf(want, sizeof want, "{\"event\":\"e\",\"properties\":{\"distinct_id\":\"%s\",\"company\":[\"%s\",\"%s\"]}}",
		 id("user", "u", "2026-01-15"), id("account", "acme", "2026-01-15"), id("account", "7", "2026-01-15"));
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":\"e\",\"properties\":{\"distinct_id\":\"u\",\"company\":[\"acme\",7,null]}}"), want);
	run_release(&r);

	run_init(&r, "events: [e]\nidentity: drop\nfields: {properties.a: keep}\n", FLOW_OPEN);
	r.env.subject = pseudo_new(subject_key, 0);
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":\"e\",\"properties\":{\"distinct_id\":\"u\",\"a\":1}}"),
			    "{\"event\":\"e\",\"properties\":{\"a\":1}}");
	uint8_t subject[SUBJECT_BYTES];
	assert_true(pseudo_subject(r.env.subject, "user", "u", 1, subject));
	assert_memory_equal(r.out.v[0].subject, subject, sizeof subject);	/* dropped for the vendor, not for the ledger */
	run_release(&r);

	run_init(&r, "events: [e]\nidentity: keep\nsubject: {kind: device}\nattributes: {jurisdiction: properties.country, minor: properties.c.kid}\n"
		     "fields: {properties.a: keep}\n", FLOW_OPEN);
	r.env.subject = pseudo_new(subject_key, 0);
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":\"e\",\"properties\":{\"distinct_id\":\"u\\u0031\",\"$device_id\":\"d\",\"country\":\"de\",\"c\":{\"kid\":true}}}"),
			    "{\"event\":\"e\",\"properties\":{\"distinct_id\":\"u\\u0031\",\"$device_id\":\"d\"}}");
	assert_true(pseudo_subject(r.env.subject, "device", "d", 1, subject));
	assert_memory_equal(r.out.v[0].subject, subject, sizeof subject);
	assert_memory_equal(r.out.v[0].attributes, "DE\2", 3);
	run_release(&r);
}

static void kinds(void **state)
{
	(void)state;
	char want[512];
	struct run r;
	run_init(&r, "events: [e]\nidentity: pseudonym\nprofiles: {operations: [set, unset, delete], fields: {plan: keep, a.b: keep}}\n"
		     "groups: {keys: [company], fields: {seats: keep}}\nfields: {properties.a: keep}\n", FLOW_OPEN);
	snprintf(want, sizeof want, "{\"$distinct_id\":\"%s\",\"$set\":{\"plan\":\"pro\",\"a\":{\"b\":1}}}", id("user", "u", NULL));
	assert_string_equal(one(&r, OBJECT_PROFILE, "{\"$token\":\"t\",\"$distinct_id\":\"u\",\"$ip\":\"1.2.3.4\",\"$set\":{\"plan\":\"pro\",\"$email\":\"a@b.io\",\"a\":{\"b\":1,\"c\":2}}}"), want);
	assert_int_equal(r.out.v[0].splice, 1);
	snprintf(want, sizeof want, "{\"$distinct_id\":\"%s\",\"$unset\":[\"plan\",\"a\"]}", id("user", "u", NULL));
	assert_string_equal(one(&r, OBJECT_PROFILE, "{\"$distinct_id\":\"u\",\"$unset\":[\"plan\",\"a@b.io\",\"a\",1,[]]}"), want);
	snprintf(want, sizeof want, "{\"$delete\":\"\",\"$distinct_id\":\"%s\"}", id("user", "u", NULL));
	assert_string_equal(one(&r, OBJECT_PROFILE, "{\"$delete\":\"u\",\"$distinct_id\":\"u\"}"), want);
	assert_string_equal(one(&r, OBJECT_PROFILE, "{\"$distinct_id\":\"u\",\"$add\":{\"plan\":1}}"), "operation");
	assert_string_equal(one(&r, OBJECT_PROFILE, "{\"$distinct_id\":\"u\",\"$set\":\"x\"}"), "operation");
	snprintf(want, sizeof want, "{\"$group_key\":\"company\",\"$group_id\":\"%s\",\"$set\":{\"seats\":5}}", id("account", "acme", NULL));
	assert_string_equal(one(&r, OBJECT_GROUP, "{\"$group_key\":\"company\",\"$group_id\":\"acme\",\"$set\":{\"seats\":5,\"x\":1}}"), want);
	assert_string_equal(one(&r, OBJECT_GROUP, "{\"$group_key\":\"family\",\"$group_id\":\"acme\",\"$set\":{\"seats\":5}}"), "operation");
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"properties\":{\"alias\":\"b\",\"distinct_id\":\"a\"},\"event\":\"$create_alias\"}"), "link");
	assert_int_equal(r.out.v[0].kind, OBJECT_LINK);
	assert_int_equal(apply(&r, OBJECT_EVENT, "[1,\"x\",[],{\"event\":\"e\",\"properties\":{}}]", false), 0);
	assert_int_equal(r.out.n, 4);
	assert_int_equal(r.out.v[0].dropped, DROP_TYPE_MISMATCH);
	assert_int_equal(r.out.v[3].dropped, DROP_NONE);
	run_release(&r);

	run_init(&r, "events: [e]\nidentity: pseudonym\nlinks: allow\nfields: {properties.a: keep}\n", FLOW_OPEN);
	snprintf(want, sizeof want, "{\"properties\":{\"alias\":\"%s\",\"distinct_id\":\"%s\"},\"event\":\"$create_alias\"}", id("user", "b", NULL), id("user", "a", NULL));
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"properties\":{\"alias\":\"b\",\"a\":1,\"distinct_id\":\"a\",\"token\":\"t\"},\"event\":\"$create_alias\"}"), want);
	assert_true(span_eq(r.out.v[0].token, "t"));
	snprintf(want, sizeof want, "{\"event\":\"$merge\",\"properties\":{\"$distinct_ids\":[\"%s\",\"%s\"]}}", id("user", "a", NULL), id("user", "b", NULL));
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":\"$merge\",\"properties\":{\"$distinct_ids\":[\"a\",\"b\",{}]}}"), want);
	assert_string_equal(one(&r, OBJECT_PROFILE, "{\"$distinct_id\":\"u\",\"$set\":{\"plan\":1}}"), "operation");
	assert_string_equal(one(&r, OBJECT_GROUP, "{\"$group_key\":\"company\",\"$group_id\":\"acme\",\"$set\":{}}"), "operation");
	run_release(&r);
}

static void minting(void **state)
{
	(void)state;
	char want[512], mac32[40];
	uint8_t mac[32];
	struct run r;
	run_init(&r, "events: [e]\nfields: {properties.time: {truncate: day}}\n", FLOW_OPEN);
	r.env.mint = true;
	r.env.received_s = 1700000000;
	memset(r.env.request_no, 5, sizeof r.env.request_no);
	pseudo_mac(r.env.vendor, r.env.request_no, 16, "\0\0\0\0", 4, mac);
	base32_encode(mac, 15, mac32);
	snprintf(want, sizeof want, "{\"event\":\"e\",\"properties\":{\"$insert_id\":\"%s\",\"time\":1699920000}}", mac32);
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":\"e\"}"), want);
	assert_int_equal(r.out.v[0].splice, strlen("{\"event\":\"e\",\"properties\":{"));
	assert_int_equal(r.out.v[0].time_s, 1699920000);
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":\"e\",\"properties\":7}"), want);
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":\"e\",\"properties\":{\"time\":\"soon\"}}"), want);
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":\"e\",\"properties\":{\"$insert_id\":\"i\",\"time\":1700000000}}"),
			    "{\"event\":\"e\",\"properties\":{\"$insert_id\":\"i\",\"time\":1699920000}}");
	assert_true(strlen(mac32) <= 36);
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":\"e\",\"properties\":{\"$insert_id\":\"Ab_9-x\",\"time\":1700000000}}"),
			    "{\"event\":\"e\",\"properties\":{\"$insert_id\":\"Ab_9-x\",\"time\":1699920000}}");
	/* A sentence, or more than a key may hold, is no key: copies of it still get the same. */
	static const char *const texts[] = {"Alice Smith called about her bill", "0123456789012345678901234567890123456", "\xe6\x9d\xb1"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char in[256];
		snprintf(in, sizeof in, "{\"event\":\"e\",\"properties\":{\"$insert_id\":\"%s\",\"time\":1700000000}}", texts[i]);
		snprintf(want, sizeof want, "{\"event\":\"e\",\"properties\":{\"$insert_id\":\"%s\",\"time\":1699920000}}",
			 id("other", texts[i], NULL));
		assert_string_equal(one(&r, OBJECT_EVENT, in), want);
	}
	run_release(&r);
	run_init(&r, "events: [e]\nfields: {properties.time: drop}\n", FLOW_OPEN);
	r.env.mint = true;
	assert_null(strstr(one(&r, OBJECT_EVENT, "{\"event\":\"e\",\"properties\":{}}"), "time"));
	run_release(&r);
}

static void limits(void **state)
{
	(void)state;
	struct run r;
	run_init(&r, "events: [e]\nfields: {properties.a: keep}\n", FLOW_OPEN);
	r.env.limits = (struct apply_limits){.depth = 4, .keys = 5, .object_bytes = 60, .objects = 2};
	static const struct {
		const char *json, *want;
	} rows[] = {
		{"{\"event\":\"e\",\"x\":[[[1]]]}", "{\"event\":\"e\"}"}, {"{\"event\":\"e\",\"x\":[[[[1]]]]}", "error 2 at 20: nested too deep"},
		{"{\"event\":\"e\",\"a\":1,\"b\":2,\"c\":3,\"d\":4}", "{\"event\":\"e\"}"},
		{"{\"event\":\"e\",\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"f\":1}", "error 2 at 0: too many members in one object"},
		{"{\"event\":\"e\",\"x\":\"0123456789012345678901234567890123456789012345\"}", "limit"},
		{"{\"event\":\"e\"} x", "error 1 at 14: text behind the value"}, {"", "error 1 at 0: the text ends too early"},
		{"{\"event\":\"e\",}", "error 1 at 13: a key belongs here"}, {"{\"event\":\"e\"", "error 1 at 12: the text ends too early"},
		{"{\"event\":\"e\",\"x\":{\"a\":01}}", "error 1 at 24: a comma or } belongs here"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *got = one(&r, OBJECT_EVENT, rows[i].json);
		if (strcmp(got, rows[i].want) != 0 && !(i == 9 && strncmp(got, "error 1", 7) == 0))
			fail_msg("row %zu %s: got %s", i, rows[i].json, got);
	}
	assert_int_equal(apply(&r, OBJECT_EVENT, "[{},{},{}]", false), -1);
	assert_int_equal(r.err.code, ERR_LIMIT);
	assert_int_equal(apply(&r, OBJECT_EVENT, "{\"event\":\"e\"}\n\n[{\"event\":\"e\"}]\r\n", true), 0);
	assert_int_equal(r.out.n, 2);
	assert_int_equal(apply(&r, OBJECT_EVENT, "{\"event\":\"e\"}{\"event\":\"e\"}", true), -1);
	assert_int_equal(apply(&r, OBJECT_EVENT, "", true), 0);
	run_release(&r);
}

static void restricting(void **state)
{
	(void)state;
	static const char body[] = "events: [e]\nidentity: pseudonym\nfields: {properties.a: keep, properties.m.x: keep, properties.m.y: keep}\n"
				   "restricted: {identity: drop, drop: [properties.m]}\n";
	struct run r;
	struct err err;
	run_init(&r, body, FLOW_RESTRICTED);
	assert_string_equal(one(&r, OBJECT_EVENT, "{\"event\":\"e\",\"properties\":{\"a\":1,\"m\":{\"x\":1,\"y\":2},\"distinct_id\":\"u\"}}"),
			    "{\"event\":\"e\",\"properties\":{\"a\":1}}");
	struct plan *open = compiled(body, FLOW_OPEN), *none = NULL;
	assert_true(plan_within(r.p, open));
	assert_false(plan_within(open, r.p));
	struct contract *c = parsed("events: [e]\nfields: {properties.a: keep}\n");
	assert_int_equal(plan_compile(c, FLOW_RESTRICTED, &none, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	contract_free(&c);
	plan_free(&open);
	run_release(&r);
}

static void within(void **state)
{
	(void)state;
	static const struct {
		const char *now, *then;
		bool within;
	} rows[] = {
		{"keep", "keep", true}, {"{truncate: hour}", "keep", true}, {"keep", "{truncate: hour}", false},
		{"{truncate: day}", "{truncate: hour}", true}, {"{truncate: minute}", "{truncate: hour}", false},
		{"{ip: /16}", "{ip: /24}", true}, {"{ip: /24}", "{ip: /16}", false}, {"{keep: true, detect: off}", "keep", false},
		{"keep", "{keep: true, detect: off}", true}, {"{keep: true, max: 5}", "{keep: true, max: 9}", true},
		{"{keep: true, max: 9}", "{keep: true, max: 5}", false}, {"{oneof: [a]}", "{oneof: [a, b]}", true},
		{"{oneof: [a, b]}", "{oneof: [a]}", false}, {"{const: x}", "keep", false}, {"{bucket: [1, 100]}", "{bucket: [1, 10, 100]}", true},
		{"{url: origin}", "{url: origin+path}", true}, {"{url: origin+path}", "{url: origin}", false}, {"drop", "keep", true},
		{"keep", "drop", false}, {"{mask: 2}", "{mask: 4}", true}, {"{mask: 4}", "{mask: 2}", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char a[256], b[256];
		snprintf(a, sizeof a, "events: [e]\nfields: {properties.x: %s}\n", rows[i].now);
		snprintf(b, sizeof b, "events: [\"*\"]\nfields: {properties.x: %s, properties.more: keep}\n", rows[i].then);
		struct plan *now = compiled(a, FLOW_OPEN), *then = compiled(b, FLOW_OPEN);
		if (plan_within(now, then) != rows[i].within)
			fail_msg("row %zu: %s within %s", i, rows[i].now, rows[i].then);
		assert_false(plan_within(then, now));	/* more events */
		plan_free(&now);
		plan_free(&then);
	}
}

/* ---- explain -------------------------------------------------------------------------------------------------------- */

/* What is remembered within a request changes nothing: a batch gives what its objects give one by one. */
static void repeats(void **state)
{
	(void)state;
	static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "$city"};
	static const char *const values[] = {
		"1", "\"1\"", "12", "\"12\"", "1.5", "true", "\"true\"", "null", "\"\"", "[]", "{\"a\":1}", "\"abcdefgh\"", "\"abcdefghi\"",
		"\"https://a.example.org/some/path/1234\"", "\"https://b.example.org/some/path/1234\"", "\"https://b.example.org/some/path/1234/\"",
		"\"x@y.de\"", "\"mail bob@example.com or +14155550132\"", "\"2026-01-15T10:11:12Z\"", "\"2026-01-15T10:11:13Z\"", "4111111111111111",
		"\"a\\u0062c\"", "\"abc\"", ("\"Stra\xc3\x9f" "e\""), "1700000000", "1700000001", "-0", "1e2",
		"\"https://www.example.org/a/very/long/way/to/say/hello/again/and/again/and/again/and/again/and/again/and/again\""};
	enum { OBJECTS = 300 };
	uint64_t found[DETECT_TYPES] = {0}, seed = 1;
	struct buf all, want, one_text[OBJECTS];
	struct run r;
	run_init(&r, "events: [e, f]\nidentity: pseudonym\nfields:\n  properties.a: keep\n  properties.b: {keep: true, max: 3}\n  properties.c: {url: origin+path}\n"
		     "  properties.d: {domain: true}\n  properties.e: {round: 0}\n  properties.f: {bucket: [0, 10]}\n  properties.g: {oneof: [1, \"12\", true]}\n"
		     "  properties.h: {truncate: hour}\n  properties.i: {redact: all}\n  properties.j: {mask: 2}\n  properties.k: {pseudonym: other}\n"
		     "  properties.$city: {keep: true, detect: off}\n", FLOW_OPEN);
	buf_init(&all, 0);
	buf_init(&want, 0);
	buf_addc(&all, '[');
	for (int i = 0; i < OBJECTS; i++) {
		struct buf *b = &one_text[i];
		buf_init(b, 0);
		buf_addf(b, "{\"event\":\"%c\",\"properties\":{", "effg"[seed >> 40 & 3]);
		for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			buf_addf(b, "%s\"%s\":%s", k ? "," : "", keys[k], values[(seed >> 33) % (sizeof values / sizeof *values)]);
		}
		buf_adds(b, "}}");
		if (i)
			buf_addc(&all, ',');
		buf_add(&all, b->data, b->len);
	}
	buf_addc(&all, ']');
	for (int i = 0; i < OBJECTS; i++) {
		assert_int_equal(apply(&r, OBJECT_EVENT, (char *)one_text[i].data, false), 0);
		buf_add(&want, r.out.bytes.data, r.out.bytes.len);
		for (int t = 0; t < DETECT_TYPES; t++)
			found[t] += r.out.found[t];
		buf_release(&one_text[i]);
	}
	assert_int_equal(apply(&r, OBJECT_EVENT, (char *)all.data, false), 0);
	assert_true(want.len > 10000 && found[DETECT_EMAIL] > 10);
	assert_int_equal(r.out.bytes.len, want.len);
	assert_memory_equal(r.out.bytes.data, want.data, want.len);
	assert_memory_equal(r.out.found, found, sizeof found);
	buf_release(&all);
	buf_release(&want);
	run_release(&r);
}

static char told[4096];
static void tell(void *arg, const struct explained *e)
{
	(void)arg;
	size_t n = strlen(told);
	snprintf(told + n, sizeof told - n, "%s %s %s %s %u\n", e->path, e->action, e->outcome, e->reason, e->found != 0);
}

static void explaining(void **state)
{
	(void)state;
	struct run r;
	run_init(&r, "events: [e]\nidentity: pseudonym\nfields: {properties.a: keep, properties.n: keep}\n", FLOW_OPEN);
	r.env.explain = tell;
	told[0] = 0;
	one(&r, OBJECT_EVENT, "{\"event\":\"e\",\"properties\":{\"token\":\"t\",\"a\":\"x@y.de\",\"n\":{\"z\":1},\"distinct_id\":\"u\",\"u v\":[{\"b\":\"x@y.de\"}],\"x@y.de\":1,\"o\":{}}}");
	assert_string_equal(told, "event keep kept adapter 0\n"
				  "properties.token token dropped adapter 0\n"
				  "properties.a keep redacted detector 1\n"
				  "properties.n keep dropped type_mismatch 0\n"
				  "properties.distinct_id pseudonym changed adapter 0\n"
				  "properties[\"u v\"][].b drop dropped unnamed 1\n"
				  "properties.[KEY] drop dropped unnamed 0\n"
				  "properties.o drop dropped unnamed 0\n");
	told[0] = 0;
	one(&r, OBJECT_EVENT, "{\"event\":\"f\",\"properties\":{\"a\":\"x\",\"b\":1}}");
	assert_string_equal(told, "event keep dropped event 0\nproperties.a keep dropped event 0\nproperties.b drop dropped unnamed 0\n");
	run_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(actions),   cmocka_unit_test(dressed_numbers), cmocka_unit_test(names_of_places), cmocka_unit_test(kept_bytes), cmocka_unit_test(duplicates), cmocka_unit_test(slots),
		cmocka_unit_test(kinds),     cmocka_unit_test(minting),	   cmocka_unit_test(limits),	 cmocka_unit_test(restricting),
		cmocka_unit_test(within),    cmocka_unit_test(explaining), cmocka_unit_test(repeats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
