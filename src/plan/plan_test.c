/* plan: a signed plan comes back as it was, and no other bytes pass for one (I4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plan/plan.h"

static uint8_t pk[32], sk[SIGN_SECRET_BYTES];

static const char yaml[] =
	"weir: 1\nvendor: mixpanel\nname: Mixpanel, Inc.\ncountry: US\nrole: processor\nservice: Product analytics\n"
	"data_regions: [US]\ndelivery:\n  adapter: mixpanel\n  upstream: https://api.mixpanel.com\n  credential: env:MIXPANEL_TOKEN\n"
	"sources:\n  - {name: web, token: env:WEB_TOKEN}\nversion: 3\nsigned: 2026-01-15\nexpires: 2027-01-15\n"
	"purpose: product-analytics\nbasis: legitimate-interest\nidentity: pseudonym\nevents: [signup]\n"
	"fields:\n  event: keep\n  properties.plan: {oneof: [free, plus]}\n";

static struct contract *contract(void)
{
	struct diags d;
	diags_init(&d, "mixpanel.yaml");
	struct contract *c = contract_parse(yaml, sizeof yaml - 1, &d);
	if (!c)
		fail_msg("%zu faults, the first: %s", d.n, d.v[0].msg);
	diags_release(&d);
	return c;
}

static struct plan_file sample(uint64_t serial)
{
	struct plan_file f = {.vendor = "mixpanel", .serial = serial, .approved = true, .flow = FLOW_RESTRICTED, .person = FLOW_RESTRICTED,
			      .not_after = 1800000000, .at = 1768435200, .sends_len = 2, .drains_len = 1};
	f.by = xstrdup("ann \"the\tlawyer\" \xc3\xa9");
	f.contract = contract();
	f.sends = xcalloc(2, sizeof *f.sends);
	f.sends[0] = 1;
	f.sends[1] = 4;
	f.drains = xcalloc(1, sizeof *f.drains);
	f.drains[0] = (struct plan_drain){.serial = 2, .from = 100, .to = 199};
	return f;
}

static struct buf made(struct plan_file *f)
{
	struct buf b;
	buf_init(&b, 0);
	plan_file_make(f, sk, &b);
	return b;
}

static void round_trip(void **state)
{
	(void)state;
	struct plan_file f = sample(7), g;
	struct buf b = made(&f);
	struct err err;
	static const char head[] = "{\"at\":1768435200,\"by\":\"ann \\\"the\\tlawyer\\\" \xc3\xa9\",\"contract\":{";
	static const char tail[] =
		"},\"drains\":[{\"from\":100,\"serial\":2,\"to\":199}],\"flow\":\"restricted\",\"life\":\"approved\","
		"\"not_after\":1800000000,\"sends\":[1,4],\"serial\":7,\"vendor\":\"mixpanel\",\"weir_plan\":1}\nweir-plan-ed25519 ";
	assert_memory_equal(b.data, head, sizeof head - 1);
	assert_memory_equal(b.data + b.len - 1 - 88 - (sizeof tail - 1), tail, sizeof tail - 1);
	assert_int_equal(plan_file_parse(b.data, b.len, pk, &g, &err), 0);
	assert_string_equal(g.vendor, "mixpanel");
	assert_int_equal(g.serial, 7);
	assert_true(g.approved);
	assert_int_equal(g.flow, FLOW_RESTRICTED);
	assert_int_equal(g.person, FLOW_RESTRICTED);
	assert_int_equal(g.not_after, 1800000000);
	assert_int_equal(g.at, 1768435200);
	assert_string_equal(g.by, f.by);
	assert_int_equal(g.contract->version, 3);
	uint8_t one[32], two[32];
	contract_digest(f.contract, one);
	contract_digest(g.contract, two);
	assert_memory_equal(one, two, 32);
	assert_int_equal(g.sends_len, 2);
	assert_int_equal(g.sends[1], 4);
	assert_int_equal(g.drains_len, 1);
	assert_int_equal(g.drains[0].to, 199);
	assert_memory_equal(g.sha256, f.sha256, 32);
	plan_file_release(&g);

	f.not_after = INT64_MAX;
	f.approved = false;
	f.person = FLOW_OPEN;	/* a rule holds it */
	f.sends_len = f.drains_len = 0;
	buf_reset(&b);
	plan_file_make(&f, sk, &b);
	assert_int_equal(plan_file_parse(b.data, b.len, pk, &g, &err), 0);
	assert_int_equal(g.not_after, INT64_MAX);
	assert_false(g.approved);
	assert_int_equal(g.person, FLOW_OPEN);
	plan_file_release(&g);
	assert_false(plan_file_sends(&g, 0, 0));	/* what is left after release lets nothing flow */
	plan_file_release(&f);
	buf_release(&b);
}

/* I4: every bit of every byte. */
static void i4_flipped_bytes(void **state)
{
	(void)state;
	struct plan_file f = sample(7), g;
	struct buf b = made(&f);
	struct err err;
	for (size_t i = 0; i < b.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			b.data[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(plan_file_parse(b.data, b.len, pk, &g, &err), -1);
			assert_true(err.code == ERR_CRYPTO || err.code == ERR_CORRUPT);
			b.data[i] ^= (uint8_t)(1 << bit);
		}
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(plan_file_parse(b.data, n, pk, &g, &err), -1);
	buf_addc(&b, '\n');
	assert_int_equal(plan_file_parse(b.data, b.len, pk, &g, &err), -1);
	uint8_t other_pk[32], other_sk[SIGN_SECRET_BYTES];
	sign_keypair(other_pk, other_sk);
	assert_int_equal(plan_file_parse(b.data, b.len - 1, other_pk, &g, &err), -1);
	assert_int_equal(err.code, ERR_CRYPTO);
	assert_int_equal(plan_file_parse(b.data, b.len - 1, pk, &g, &err), 0);	/* and the untouched file passes */
	plan_file_release(&g);
	plan_file_release(&f);
	buf_release(&b);
}

/* Signed by the right key and still not a plan: one spelling, all members, nothing else. */
static void signed_nonsense(void **state)
{
	(void)state;
	static const struct {	/* a text of the good plan and what stands there instead */
		const char *was, *is;
	} rows[] = {
		{"\"weir_plan\":1", "\"weir_plan\":2"}, {"\"weir_plan\":1", "\"weir_plan\":1,\"weir_plan\":1"},
		{"\"vendor\":\"mixpanel\",\"weir_plan\"", "\"vendor\":\"other\",\"weir_plan\""},
		{"\"vendor\":\"mixpanel\",\"weir_plan\"", "\"vendor\":\"../x\",\"weir_plan\""},
		{"\"flow\":\"restricted\"", "\"flow\":\"wide\""}, {"\"life\":\"approved\"", "\"life\":\"proposed\""},
		{"\"not_after\":1800000000,", ""}, {"\"sends\"", "\"person\":\"wide\",\"sends\""},
		{"\"sends\"", "\"person\":\"restricted\",\"sends\""}, {"\"sends\"", "\"person\":\"suspended\",\"sends\""},
		{"\"sends\"", "\"person\":null,\"sends\""}, {"\"not_after\":1800000000", "\"not_after\":1.8e9"},
		{"\"sends\":[1,4]", "\"sends\":[-1]"}, {"\"sends\":[1,4]", "\"sends\":{}"}, {"\"sends\":[1,4]", "\"sends\":[1, 4]"},
		{"\"drains\":[{\"from\":100,\"serial\":2,\"to\":199}]", "\"drains\":[{}]"},
		{"\"drains\":[{\"from\":100,\"serial\":2,\"to\":199}]", "\"drains\":[1]"},
		{"\"drains\":[{\"from\":100,", "\"drains\":[{\"extra\":1,\"from\":100,"},
		{"\"serial\":7", "\"serial\":7.0"}, {"\"serial\":7", "\"serial\":07"}, {"\"serial\":7", "\"serial\":9007199254740993"},
		{"\"serial\":7", "\"serial\":7,\"serious\":0"}, {"\"at\":1768435200", "\"at\":-0"},
		{"\"by\":\"ann", "\"by\":\"\\u0061nn"}, {"\"by\":\"ann", "\"by\":\"\\u0000ann"}, {"\"by\":\"ann", "\"by\":\"\xff"},
		{"\"contract\":{", "\"contract\":{ "}, {"\"contract\":{", "\"contract\":{\"zzz\":1,"}, {"\"contract\":{", "\"contract\":["},
		{"\"version\":3", "\"version\":3.0"},
	};
	struct plan_file f = sample(7);
	struct buf good = made(&f);
	size_t line = good.len - 18 - 88 - 1;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t sig[SIGN_BYTES];
		char coded[100];
		struct plan_file g;
		struct err err = {0};
		struct buf b;
		buf_init(&b, 0);
		const char *at = memmem(good.data, line, rows[i].was, strlen(rows[i].was));
		assert_non_null(at);
		size_t before = (size_t)(at - (char *)good.data), after = before + strlen(rows[i].was);
		buf_add(&b, good.data, before);
		buf_adds(&b, rows[i].is);
		buf_add(&b, good.data + after, line - after);
		sign_make(sk, b.data, b.len, sig);
		base64_encode(sig, sizeof sig, coded);
		buf_addf(&b, "weir-plan-ed25519 %s\n", coded);
		if (plan_file_parse(b.data, b.len, pk, &g, &err) != -1 || err.code != ERR_CORRUPT)
			fail_msg("row %zu passed: %s", i, rows[i].is);
		buf_release(&b);
	}
	buf_release(&good);
	plan_file_release(&f);
}

static int temporary_dir(char path[static 32])
{
	strcpy(path, "/tmp/weir-plan-XXXXXX");
	assert_non_null(mkdtemp(path));
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	return dir;
}

static void remove_dir(int dir, const char *path)
{
	static const char *const names[] = {"mixpanel.plan", "other.plan", "mixpanel.plan.new"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlinkat(dir, names[i], 0);
	close(dir);
	assert_int_equal(rmdir(path), 0);
}

static void i4_files(void **state)
{
	(void)state;
	char path[32];
	int dir = temporary_dir(path);
	struct plan_file old = sample(7), new = sample(8), got;
	struct buf a = made(&old), b = made(&new);
	struct err err;
	assert_int_equal(plan_file_read(&fio_os, dir, "mixpanel", pk, NULL, &got, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	assert_int_equal(plan_file_write(&fio_os, dir, "mixpanel", &a, &err), 0);
	assert_int_equal(plan_file_write(&fio_os, dir, "mixpanel", &b, &err), 0);
	assert_int_equal(faccessat(dir, "mixpanel.plan.new", F_OK, 0), -1);
	assert_int_equal(plan_file_read(&fio_os, dir, "mixpanel", pk, new.sha256, &got, &err), 0);
	assert_int_equal(got.serial, 8);
	plan_file_release(&got);

	/* The older plan, validly signed, put back: refused when the keeper has announced the newer. */
	assert_int_equal(plan_file_write(&fio_os, dir, "mixpanel", &a, &err), 0);
	assert_int_equal(plan_file_read(&fio_os, dir, "mixpanel", pk, new.sha256, &got, &err), -1);
	assert_int_equal(err.code, ERR_CRYPTO);
	assert_int_equal(plan_file_read(&fio_os, dir, "mixpanel", pk, old.sha256, &got, &err), 0);
	plan_file_release(&got);

	/* A plan under another vendor's name. */
	assert_int_equal(plan_file_write(&fio_os, dir, "other", &a, &err), 0);
	assert_int_equal(plan_file_read(&fio_os, dir, "other", pk, NULL, &got, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_int_equal(plan_file_read(&fio_os, dir, "other", pk, old.sha256, &got, &err), -1);

	static const char *const names[] = {"", "..", "a/b", "A", "../mixpanel",
					    "0123456789012345678901234567890123456789012345678901234567890123"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		assert_int_equal(plan_file_write(&fio_os, dir, names[i], &a, &err), -1);
		assert_int_equal(err.code, ERR_INPUT);
		assert_int_equal(plan_file_read(&fio_os, dir, names[i], pk, NULL, &got, &err), -1);
	}
	plan_file_release(&old);
	plan_file_release(&new);
	buf_release(&a);
	buf_release(&b);
	remove_dir(dir, path);
}

/* The n-th call that changes the disk fails, for every n: the error is reported and the old plan stays readable. */
static int countdown;

static bool out_of_luck(void)
{
	if (countdown-- != 0)
		return false;
	errno = ENOSPC;
	return true;
}
static int bad_open(void *ctx, int dir, const char *path, int flags, unsigned mode)
{
	return out_of_luck() ? -1 : fio_os.open(ctx, dir, path, flags, mode);
}
static ssize_t bad_pwrite(void *ctx, int fd, const void *p, size_t n, uint64_t off)
{
	return out_of_luck() ? -1 : fio_os.pwrite(ctx, fd, p, n, off);
}
static int bad_sync(void *ctx, int fd)
{
	return out_of_luck() ? -1 : fio_os.sync(ctx, fd);
}
static int bad_rename(void *ctx, int dir, const char *from, const char *to)
{
	return out_of_luck() ? -1 : fio_os.rename(ctx, dir, from, to);
}

static void failing_disk(void **state)
{
	(void)state;
	char path[32];
	int dir = temporary_dir(path), failures = 0;
	struct fio bad = fio_os;
	bad.open = bad_open;
	bad.pwrite = bad_pwrite;
	bad.sync = bad_sync;
	bad.rename = bad_rename;
	struct plan_file old = sample(7), new = sample(8), got;
	struct buf a = made(&old), b = made(&new);
	struct err err;
	assert_int_equal(plan_file_write(&fio_os, dir, "mixpanel", &a, &err), 0);
	for (int n = 0;; n++) {
		countdown = n;
		if (plan_file_write(&bad, dir, "mixpanel", &b, &err) == 0)
			break;
		failures++;
		assert_int_equal(err.code, ERR_FULL);
		assert_int_equal(faccessat(dir, "mixpanel.plan.new", F_OK, 0), -1);
		assert_int_equal(plan_file_read(&fio_os, dir, "mixpanel", pk, NULL, &got, &err), 0);
		assert_int_equal(got.serial, n < 4 ? 7 : 8);
		plan_file_release(&got);
	}
	assert_int_equal(failures, 5);	/* open, write, sync, rename, sync of the folder */
	plan_file_release(&old);
	plan_file_release(&new);
	buf_release(&a);
	buf_release(&b);
	remove_dir(dir, path);
}

static void what_may_go(void **state)
{
	(void)state;
	struct plan_file f = sample(7);
	static const struct {
		uint64_t serial, seq;
		bool goes;
	} rows[] = {
		{7, 0, true}, {7, UINT64_MAX, true}, {1, 5, true}, {4, 5, true}, {3, 5, false}, {8, 5, false},
		{2, 99, false}, {2, 100, true}, {2, 199, true}, {2, 200, false}, {0, 100, false},
	};
	static const struct {
		bool approved;
		enum flow flow;
		bool any;
	} states[] = {
		{true, FLOW_OPEN, true}, {true, FLOW_RESTRICTED, true}, {true, FLOW_SUSPENDED, false},
		{true, FLOW_QUARANTINED, false}, {false, FLOW_OPEN, false},
	};
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		f.approved = states[i].approved;
		f.flow = states[i].flow;
		for (size_t j = 0; j < sizeof rows / sizeof *rows; j++)
			assert_int_equal(plan_file_sends(&f, rows[j].serial, rows[j].seq), states[i].any && rows[j].goes);
	}
	plan_file_release(&f);
}

int main(void)
{
	struct err err;
	if (crypt_init(&err)) {
		fprintf(stderr, "plan_test: %s\n", err.msg);
		return 1;
	}
	sign_keypair(pk, sk);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip), cmocka_unit_test(i4_flipped_bytes), cmocka_unit_test(signed_nonsense),
		cmocka_unit_test(i4_files), cmocka_unit_test(failing_disk), cmocka_unit_test(what_may_go),
	};
	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
