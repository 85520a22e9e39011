/*
 * The first byte picks plan and options, the rest is a request.  Whatever comes: no crash, every kernel gives the same
 * bytes, what is left is JSON, and the marker "qzq" stands in it only where a rule names the place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/contract.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { PLANS = 3 };
static struct plan *plans[PLANS];
static struct apply_env env;
static struct apply_out out, other;

static const char head[] = "weir: 1\nvendor: mixpanel\nname: M\ncountry: US\nrole: processor\nservice: S\n"
			   "delivery: {adapter: mixpanel, upstream: https://api.mixpanel.com, credential: env:T}\n"
			   "sources: [{name: web, token: env:W}]\nversion: 1\nsigned: 2026-01-15\npurpose: p\nbasis: consent\n"
			   "breach_notice: PT24H\nretention: P13M\nevents: [e]\nlinks: allow\n"
			   "profiles: {operations: [set, unset, delete, append], fields: {n: {round: 2}, o.t: {truncate: day}}}\n"
			   "groups: {keys: [company], fields: {seats: {bucket: [1, 10]}}}\n";
/* Nothing here keeps free text, so that the marker can't leave by right. */
static const char *const tails[PLANS] = {
	"identity: pseudonym\nfields:\n  properties.a: {const: x}\n  properties.b[].c: {round: 1}\n  properties.u: {pseudonym: other}\n"
	"  properties.$insert_id: drop\n  properties.time: {truncate: hour}\n  properties.ip: {ip: /24}\n",
	"identity: daily\nattributes: {jurisdiction: properties.cc, minor: x.y}\nfields:\n"
	"  properties.$insert_id: {pseudonym: other}\n  properties.a: {bucket: [0, 5]}\n",
	"identity: drop\nsubject: {kind: device}\nfields:\n  properties.$insert_id: {const: 1}\n"
	"  properties.s: {oneof: [x, 1, true]}\n",
};

static void start(void)
{
	static const uint8_t key[KEY_BYTES] = {1};
	struct err err;
	must(crypt_init(&err) == 0);
	for (int i = 0; i < PLANS; i++) {
		struct buf b;
		struct diags d;
		buf_init(&b, 0);
		buf_adds(&b, head);
		buf_adds(&b, tails[i]);
		diags_init(&d, "fuzz");
		struct contract *c = contract_parse((const char *)b.data, b.len, &d);
		if (!c) {
			buf_reset(&b);
			diags_print(&d, &b);
			fprintf(stderr, "%s", (const char *)b.data);
		}
		must(c && plan_compile(c, FLOW_OPEN, &plans[i], &err) == 0);
		contract_free(&c);
		diags_release(&d);
		buf_release(&b);
	}
	env = (struct apply_env){.vendor = pseudo_new(key, 0), .subject = pseudo_new(key, 1), .day = "2026-01-15", .received_s = 1700000000};
	apply_out_init(&out, 0);
	apply_out_init(&other, 0);
}

static void ignore(void *arg, const struct explained *e)
{
	(void)arg;
	must(e->path && e->outcome && e->reason);
}

static void objects_parse(void)
{
	for (size_t i = 0; i < out.n; i++) {
		const struct applied *a = &out.v[i];
		struct err err;
		char *copy = calloc(1, a->len + JSON_PAD);
		memcpy(copy, out.bytes.data + a->at, a->len);
		must(a->dropped ? a->len == 0 : json_check(copy, a->len, NULL, &err) == 0);
		must(a->splice == SPLICE_NONE || (a->splice <= a->len && copy[a->splice - 1] == '{'));
		free(copy);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (!plans[0])
		start();
	if (n == 0)
		return 0;
	uint8_t how = data[0];
	struct err err = {0}, first = {0};
	char *text = calloc(1, n + JSON_PAD);
	memcpy(text, data + 1, n - 1);
	env.detect = how & 8;
	env.mint = how & 16;
	env.explain = how & 128 ? ignore : NULL;
	enum object_kind kind = (enum object_kind)(how >> 5 & 3);
	json_kernel_force(JSON_PLAIN);
	apply_out_reset(&out);
	int r = plan_apply(plans[how % PLANS], &env, kind, text, n - 1, how & 4, &out, &first);
	if (r == 0) {
		objects_parse();
		must(!out.bytes.len || !memmem(out.bytes.data, out.bytes.len, "qzq", 3));
	}
	for (enum json_kernel k = JSON_SSE2; k <= JSON_AVX2; k++) {
		if (!json_kernel_force(k))
			continue;
		apply_out_reset(&other);
		must(plan_apply(plans[how % PLANS], &env, kind, text, n - 1, how & 4, &other, &err) == r);
		must(r != 0 ? err.off == first.off
			    : other.bytes.len == out.bytes.len && memcmp(other.bytes.data, out.bytes.data, out.bytes.len) == 0);
	}
	free(text);
	return 0;
}
