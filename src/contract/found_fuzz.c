/*
 * What becomes of hits, with every on_hit: the output parses, and no string that left holds a hit of a kind that needs no words
 * around it.  Byte 0 chooses the plan and the kernel; the rest is JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/contract.h"
#include "json/json.h"

static const char *const hits[] = {"redact", "{mask: 4}", "{mask: 1}", "pseudonym", "drop", "drop_event", "refuse"};
enum { PLANS = sizeof hits / sizeof *hits };
static struct plan *plans[PLANS];
static struct apply_env env;
static struct apply_out out;

static void start(void)
{
	static const uint8_t key[KEY_BYTES] = {1};
	struct err err;
	must(crypt_init(&err) == 0);
	for (int i = 0; i < PLANS; i++) {
		char text[512];
		struct diags d;
		snprintf(text, sizeof text, "weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nsources: [{name: w, token: env:W}]\nversion: 1\nevents: [e]\n"
			 "on_hit: %s\nfields: {properties.a: keep, 'properties.b[]': keep, properties.c: {redact: all}}\n", hits[i]);
		diags_init(&d, "fuzz");
		struct contract *c = contract_parse(text, strlen(text), &d);
		must(c && plan_compile(c, FLOW_OPEN, &plans[i], &err) == 0);
		contract_free(&c);
		diags_release(&d);
	}
	env = (struct apply_env){.vendor = pseudo_new(key, 0), .day = "2026-01-15", .detect = true};
	apply_out_init(&out, 0);
}

/* Every string of the JSON text, unescaped. */
static void strings_are_clean(const char *at, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t from = i + 1;
		struct detect_hit hit;
		if (at[i] != '"')
			continue;
		for (i++; at[i] != '"'; i++)
			i += at[i] == '\\';
		char *text = calloc(1, i - from + JSON_PAD);
		size_t len = json_unescape_lossy(at + from, i - from, text);
		must(detect_scan(text, len, DETECT_ALL, &hit, 1) == 0);
		free(text);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (!plans[0])
		start();
	if (n == 0)
		return 0;
	struct err err;
	struct buf b;
	buf_init(&b, 0);
	buf_adds(&b, "{\"event\":\"e\",\"properties\":");
	buf_add(&b, data + 1, n - 1);
	buf_addc(&b, '}');
	size_t len = b.len;
	must(buf_reserve(&b, JSON_PAD));
	memset(b.data + len, 0, JSON_PAD);
	apply_out_reset(&out);
	if (plan_apply(plans[data[0] % PLANS], &env, OBJECT_EVENT, (const char *)b.data, len, false, &out, &err) == 0 && !out.v[0].dropped) {
		char *copy = calloc(1, out.v[0].len + JSON_PAD);
		memcpy(copy, out.bytes.data + out.v[0].at, out.v[0].len);
		must(json_check(copy, out.v[0].len, NULL, &err) == 0);
		strings_are_clean(copy, out.v[0].len);
		free(copy);
	}
	buf_release(&b);
	return 0;
}
