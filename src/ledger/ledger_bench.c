/*
 * What the ledger costs: folding, closing a day, starting, asking.
 *   build-bench/ledger_bench [SUBJECTS [DAYS]]      {1000000 30}; one vendor, 12 sets of up to 5 fields, each subject on one
 *                                                   day in three
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "ledger/inside.h"
#include "log/block.h"
#include "plan/plan.h"

enum { FRAME = 500, SETS = 12, DAY0 = 20000 };
#define DAY_US UINT64_C(86400000000)

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void frame(struct ledger *l, uint64_t *source, int64_t day, const uint32_t *who, uint32_t n)
{
	struct buf b;
	struct err err;
	struct block_head h = {.plan_serial = 1, .received_us = (uint64_t)day * DAY_US, .vendor = SPAN("acme"), .leaf_bytes = 2, .count = n};
	buf_init(&b, 0);
	size_t began = block_begin(&b, &h);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t leaves[2] = {(uint8_t)(mix(who[i] * 7 + (uint64_t)day) % SETS + 1), 0};
		struct block_object o = {.leaves = leaves, .attributes = {'D', 'E'}};
		put_u64(o.subject, mix(who[i] + 1));
		block_add(&b, &h, &o);
	}
	block_finish(&b, began);
	must(fold_block(l, ++*source, 0, b.data, b.len, &err) == 0);
	buf_release(&b);
}

/* A signed plan in the history, so that leaves have names. */
static void make_plan(struct ledger_place *place)
{
	static const char text[] =
		"weir: 1\nvendor: acme\nname: X\ncountry: US\nrole: processor\nservice: A\ndata_regions: [US]\n"
		"delivery: {adapter: mixpanel, upstream: \"https://api.example.com\", credential: \"env:T\", quota: 1MiB}\n"
		"sources:\n  - {name: web, token: \"env:W\"}\npurpose: product-analytics\nbasis: consent\nversion: 1\nevents: [\"*\"]\n"
		"fields: {event: keep, properties.a: {keep: true, category: user.contact}, properties.b: keep}\n";
	uint8_t secret[SIGN_SECRET_BYTES];
	struct diags d;
	struct buf bytes;
	struct err err;
	sign_keypair(place->public_key, secret);
	diags_init(&d, "bench");
	struct plan_file f = {.vendor = "acme", .serial = 1, .approved = true, .not_after = INT64_MAX, .at = 1, .by = xstrdup("bench"),
			      .contract = contract_parse(text, sizeof text - 1, &d)};
	must(f.contract);
	buf_init(&bytes, 0);
	plan_file_make(&f, secret, &bytes);
	must(plan_file_write(&fio_os, place->plans, "acme", &bytes, &err) == 0);
	buf_release(&bytes);
	diags_release(&d);
	plan_file_release(&f);
}

static double since(int64_t t)
{
	return (double)(clock_mono_us() - t) / 1e6;
}

static double ask(struct ledger *l, struct pseudo *p, json_t *q)
{
	struct err err;
	json_t *a = json_object();
	int64_t t = clock_mono_us();
	must(ledger_ask(l, q, p, (DAY0 + 4000) * INT64_C(86400), a, &err) == 0);
	double s = since(t);
	json_decref(a);
	json_decref(q);
	return s * 1000;
}

int main(int argc, char **argv)
{
	uint32_t subjects = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000, days = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 30;
	char dir[] = "/tmp/weir-ledger-bench-XXXXXX";
	struct err err;
	struct ledger *l;
	static const uint8_t key[KEY_BYTES] = {1};
	must(crypt_init(&err) == 0 && mkdtemp(dir));
	struct ledger_place place = {.io = &fio_os, .dir = open(dir, O_RDONLY | O_DIRECTORY)};
	place.plans = place.dir;
	make_plan(&place);
	struct pseudo *p = pseudo_new(key, 0);
	must(ledger_open(&place, NULL, &l, &err) == 0);
	uint64_t source = 0, objects = 0;
	double fold = 0, closing = 0;
	uint32_t who[FRAME], n = 0;
	for (uint32_t d = 0; d < days; d++) {
		int64_t t = clock_mono_us();
		for (uint32_t i = 0; i < subjects; i++) {
			if (mix(i + (uint64_t)d * subjects) % 3)
				continue;
			who[n++] = i;
			objects++;
			if (n == FRAME) {
				frame(l, &source, DAY0 + d, who, n);
				n = 0;
			}
		}
		fold += since(t);
		t = clock_mono_us();
		must(ledger_close_days(l, DAY0 + d + 1, &err) >= 0);
		closing += since(t);
	}
	struct ledger_stats s = ledger_stats(l);
	ledger_close(&l);
	int64_t t = clock_mono_us();
	must(ledger_open(&place, NULL, &l, &err) == 0);
	printf("%u subjects, %u days, %llu objects, %llu bytes of closed days\n", subjects, days, (unsigned long long)objects,
	       (unsigned long long)s.bytes_closed);
	printf("fold      %8.0f objects/ms\n", (double)objects / fold / 1000);
	printf("close     %8.1f ms a day\nopen      %8.1f ms\n", closing * 1000 / days, since(t) * 1000);
	printf("blast     %8.2f ms\n", ask(l, p, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme")));
	printf("1000 rows %8.2f ms\n", ask(l, p, json_pack("{s:s, s:s}", "do", "blast-list", "vendor", "acme")));
	printf("the next  %8.2f ms\n", ask(l, p, json_pack("{s:s, s:s, s:i}", "do", "blast-list", "vendor", "acme", "after", 1000)));
	printf("subject   %8.3f ms\n", ask(l, p, json_pack("{s:s, s:s}", "do", "subject", "id", "somebody")));
	ledger_close(&l);
	pseudo_free(&p);
	return 0;
}
