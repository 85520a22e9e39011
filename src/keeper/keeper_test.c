/* What a decision makes of a plan: requirements, flow, what may still be sent, drains, and failing disks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/keeper.h"

#define NOW INT64_C(1780000000)	/* 2026-05-28 */

struct place {
	char dir[32];
	struct keeper_books b;
};

static int place_make(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	struct err err;
	snprintf(p->dir, sizeof p->dir, "/tmp/weir-keeper-XXXXXX");
	if (!mkdtemp(p->dir) || crypt_init(&err) < 0)
		return -1;
	p->b = (struct keeper_books){.io = &fio_os, .plans = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	sign_keypair(p->b.public_key, p->b.secret);
	*state = p;
	return p->b.plans < 0 ? -1 : 0;
}

static int gone(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static int place_clear(void **state)
{
	struct place *p = *state;
	close(p->b.plans);
	nftw(p->dir, gone, 8, FTW_DEPTH | FTW_PHYS);
	free(p);
	return 0;
}

/* ---- contracts and decisions ------------------------------------------------------------------------------------ */

#define HEAD                                                                                                                   \
	"weir: 1\nvendor: acme\nname: Acme\ncountry: US\nrole: processor\nservice: Analytics\ndata_regions: [US]\n"             \
	"delivery: {adapter: mixpanel, upstream: \"https://api.example.com\", credential: \"env:T\", quota: 1MiB}\n"            \
	"sources:\n  - {name: web, token: \"env:W\"}\npurpose: product-analytics\nbasis: consent\n"
#define EVENTS "events: [signup]\n"
#define NARROW "fields:\n  event: keep\n  properties.plan: keep\n"
#define WIDE NARROW "  properties.seats: keep\n"
#define RESTRICTED "restricted: {identity: drop, drop: [properties.plan]}\n"

static struct contract *contract(int version, const char *extra)
{
	struct diags d;
	struct buf out;
	char text[4096];
	snprintf(text, sizeof text, "%sversion: %d\n%s", HEAD, version, extra);
	diags_init(&d, "test");
	struct contract *c = contract_parse(text, strlen(text), &d);
	if (!c) {
		buf_init(&out, 0);
		diags_print(&d, &out);
		print_error("%s\n%s", text, (char *)out.data);
	}
	diags_release(&d);
	assert_non_null(c);
	return c;
}

static struct decision decision(enum decision_kind kind)
{
	return (struct decision){.kind = kind, .vendor = "acme", .who = "ann", .why = "test", .at = NOW};
}

/* Takes the decision with the disk as it is; the plan in force afterwards is what is on disk. */
static int take(struct keeper_books *b, const struct decision *d, struct contract *proposed, enum flow others, struct err *err)
{
	struct plan_file now, next;
	struct buf bytes;
	int got = keeper_load_for(b, d, &now, err);
	if (got < 0)
		return -1;
	int r = keeper_next(b, d, got == 1 ? &now : NULL, others, &proposed, &next, err);
	contract_free(&proposed);
	if (got == 1)
		plan_file_release(&now);
	if (r < 0)
		return -1;
	buf_init(&bytes, 0);
	keeper_sign(b, &next, &bytes);
	r = keeper_write(b, &next, &bytes, err);
	plan_file_release(&next);
	buf_release(&bytes);
	return r;
}

static void approve(struct keeper_books *b, int version, const char *extra)
{
	struct err err = {0};
	struct decision d = decision(DECIDE_APPROVE);
	d.version = version;
	if (take(b, &d, contract(version, extra), FLOW_OPEN, &err) < 0)
		fail_msg("%s", err.msg);
}

static void flow(struct keeper_books *b, enum decision_kind kind)
{
	struct err err = {0};
	struct decision d = decision(kind);
	if (take(b, &d, NULL, FLOW_OPEN, &err) < 0)
		fail_msg("%s", err.msg);
}

static struct plan_file in_force(struct keeper_books *b)
{
	struct plan_file f;
	struct err err;
	assert_int_equal(keeper_load(b, "acme", &f, &err), 1);
	return f;
}

/* "1 2 3", newest first as the plan lists them. */
static void assert_sends(struct keeper_books *b, const char *want)
{
	char got[128] = "";
	struct plan_file f = in_force(b);
	for (size_t i = 0; i < f.sends_len; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d", i ? " " : "", (int)f.sends[i]);
	plan_file_release(&f);
	assert_string_equal(got, want);
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

static void approval(void **state)
{
	struct keeper_books *b = &((struct place *)*state)->b;
	approve(b, 1, EVENTS NARROW "expires: 2027-01-15\n");
	struct plan_file f = in_force(b);
	assert_int_equal(f.serial, 1);
	assert_true(f.approved);
	assert_int_equal(f.flow, FLOW_OPEN);
	assert_string_equal(f.by, "ann");
	assert_true(f.not_after == INT64_C(1800057600));	/* 2027-01-16T00:00Z: the date lasts to 24:00 */
	plan_file_release(&f);
}

#define NEEDS "requires: {assessment: {standard: mvsp, score: 80}, posture: {grade: B}}\n"

static void requirements(void **state)
{
	struct keeper_books *b = &((struct place *)*state)->b;
	enum { A = 1U << REQUIRE_ASSESSMENT, P = 1U << REQUIRE_POSTURE };
	static const struct {
		const char *extra;
		unsigned waive;
		int64_t until;
		enum err_code code;
		const char *msg;
	} rows[] = {
		{NEEDS, 0, 0, ERR_DENIED, "acme@1 requires an assessment (mvsp) and there is none; do one, or --waive assessment --until DATE"},
		{NEEDS, A, NOW + 9, ERR_DENIED,
		 "acme@1 requires posture grade B and there is none; probe the vendor, or --waive posture --until DATE"},
		{NEEDS, P, NOW + 9, ERR_DENIED,
		 "acme@1 requires an assessment (mvsp) and there is none; do one, or --waive assessment --until DATE"},
		{NEEDS, A | P, NOW, ERR_INPUT, "the waiver would have ended already"},
		{"", P, NOW + 9, ERR_INPUT, "acme@1 doesn't require a posture, so there is nothing to waive"},
		{"expires: 2026-05-01\n", 0, 0, ERR_DENIED, "acme@1 expired at the end of 2026-05-01"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char extra[512];
		struct err err = {0};
		struct plan_file f;
		struct decision d = decision(DECIDE_APPROVE);
		d.version = 1;
		d.waive = rows[i].waive;
		d.until = rows[i].until;
		snprintf(extra, sizeof extra, "%s%s", EVENTS NARROW, rows[i].extra);
		assert_int_equal(take(b, &d, contract(1, extra), FLOW_OPEN, &err), -1);
		assert_string_equal(err.msg, rows[i].msg);
		assert_int_equal(err.code, rows[i].code);
		assert_int_equal(keeper_load(b, "acme", &f, &err), 0);
	}
}

static void waiver_ends(void **state)
{
	struct keeper_books *b = &((struct place *)*state)->b;
	static const struct {
		const char *extra;
		int64_t until, not_after;
	} rows[] = {
		{NEEDS, NOW + 9, NOW + 9},
		{NEEDS "expires: 2026-05-29\n", INT64_C(1900000000), INT64_C(1780099200)},	/* 2026-05-30T00:00Z */
		{NEEDS "expires: 2027-01-15\n", NOW + 9, NOW + 9},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char extra[512];
		struct err err = {0};
		struct decision d = decision(DECIDE_APPROVE);
		d.version = 1;
		d.waive = 3;
		d.until = rows[i].until;
		snprintf(extra, sizeof extra, "%s%s", EVENTS NARROW, rows[i].extra);
		assert_int_equal(take(b, &d, contract(1, extra), FLOW_OPEN, &err), 0);
		struct plan_file f = in_force(b);
		assert_true(f.not_after == rows[i].not_after);
		plan_file_release(&f);
		flow(b, DECIDE_SUSPEND);	/* every later plan keeps the end */
		f = in_force(b);
		assert_true(f.not_after == rows[i].not_after);
		plan_file_release(&f);
		flow(b, DECIDE_RELEASE);
	}
}

/* A cut-off acts first; whatever may widen is recorded first. */
static void order(void **state)
{
	(void)state;
	for (int k = 0; k < DECISIONS; k++)
		for (int f = 0; f < 4; f++) {
			const struct plan_file now = {.flow = (enum flow)f};
			struct decision d = decision((enum decision_kind)k);
			bool stricter = (k == DECIDE_RESTRICT && f <= FLOW_RESTRICTED) || (k == DECIDE_SUSPEND && f <= FLOW_SUSPENDED) ||
					(k == DECIDE_QUARANTINE && f <= FLOW_QUARANTINED) || k == DECIDE_OFFBOARD;
			assert_int_equal(keeper_asks_first(&d, &now), !stricter);
			assert_true(keeper_asks_first(&d, NULL));
		}
}

static void flows(void **state)
{
	struct keeper_books *b = &((struct place *)*state)->b;
	struct err err;
	static const enum decision_kind kinds[] = {DECIDE_RELEASE, DECIDE_RESTRICT, DECIDE_SUSPEND, DECIDE_QUARANTINE};
	struct decision d = decision(DECIDE_SUSPEND);
	assert_int_equal(take(b, &d, NULL, FLOW_OPEN, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_string_equal(err.msg, "nothing of acme is approved, so nothing flows");
	approve(b, 1, EVENTS NARROW RESTRICTED);
	uint64_t serial = 1;
	for (int person = 0; person < 4; person++)
		for (int others = 0; others < 4; others++) {
			d = decision(kinds[person]);
			assert_int_equal(take(b, &d, NULL, (enum flow)others, &err), 0);
			struct plan_file f = in_force(b);
			assert_int_equal(f.flow, person > others ? person : others);
			assert_int_equal(f.serial, ++serial);
			plan_file_release(&f);
		}
	/* A new version doesn't lift what somebody asked for. */
	flow(b, DECIDE_SUSPEND);
	approve(b, 2, EVENTS NARROW);
	struct plan_file f = in_force(b);
	assert_int_equal(f.flow, FLOW_SUSPENDED);
	plan_file_release(&f);
	flow(b, DECIDE_OFFBOARD);
	f = in_force(b);
	assert_false(f.approved);
	assert_int_equal(f.sends_len, 0);
	plan_file_release(&f);
	d = decision(DECIDE_RELEASE);
	assert_int_equal(take(b, &d, NULL, FLOW_OPEN, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
}

/* What a person asked stands in the plan; a refresh moves only what rules and incidents ask. */
static void refreshes(void **state)
{
	struct keeper_books *b = &((struct place *)*state)->b;
	static const enum decision_kind kinds[] = {DECIDE_RELEASE, DECIDE_RESTRICT, DECIDE_SUSPEND, DECIDE_QUARANTINE};
	struct err err;
	struct decision d;
	approve(b, 1, EVENTS NARROW RESTRICTED);
	for (int person = 0; person < 4; person++) {
		flow(b, kinds[person]);
		for (int others = 0; others < 8; others++) {
			keeper_refresh("acme", NOW, &d);
			assert_int_equal(take(b, &d, NULL, (enum flow)(others % 4), &err), 0);
			struct plan_file f = in_force(b);
			assert_int_equal(f.person, person);
			assert_int_equal(f.flow, person > others % 4 ? person : others % 4);
			assert_string_equal(f.by, "weir");
			plan_file_release(&f);
		}
	}
	/* Lifting it is a person's; offboarding asks nobody and lifts nothing. */
	flow(b, DECIDE_RELEASE);
	keeper_refresh("acme", NOW, &d);
	assert_int_equal(take(b, &d, NULL, FLOW_SUSPENDED, &err), 0);
	flow(b, DECIDE_OFFBOARD);
	struct plan_file f = in_force(b);
	assert_int_equal(f.flow, FLOW_SUSPENDED);
	assert_int_equal(f.person, FLOW_OPEN);
	plan_file_release(&f);
	keeper_refresh("acme", NOW, &d);
	assert_int_equal(take(b, &d, NULL, FLOW_OPEN, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
}

static void sends(void **state)
{
	struct keeper_books *b = &((struct place *)*state)->b;
	approve(b, 1, EVENTS WIDE RESTRICTED);
	assert_sends(b, "");
	approve(b, 2, EVENTS NARROW RESTRICTED);
	assert_sends(b, "");	/* 1 let seats out */
	approve(b, 3, EVENTS WIDE RESTRICTED);
	assert_sends(b, "2 1");
	flow(b, DECIDE_RESTRICT);
	assert_sends(b, "");
	flow(b, DECIDE_SUSPEND);
	assert_sends(b, "");
	flow(b, DECIDE_RELEASE);
	assert_sends(b, "4 3 2 1");	/* 5 was suspended: nothing left under it */
	approve(b, 7, EVENTS WIDE "consent: {refuse_when: [sec-gpc]}\n");
	assert_sends(b, "");
	approve(b, 8, EVENTS WIDE "consent: {refuse_when: [sec-gpc]}\nmode: learn\n");
	assert_sends(b, "");
	approve(b, 9, EVENTS WIDE "consent: {refuse_when: [sec-gpc]}\nidentity: drop\n");
	assert_sends(b, "");
	approve(b, 10, "events: [signup, login]\n" WIDE);
	assert_sends(b, "9 7 6 4 3 2 1");
}

static void drains(void **state)
{
	struct keeper_books *b = &((struct place *)*state)->b;
	struct err err;
	struct decision d = decision(DECIDE_DRAIN);
	d.serial = 1;
	d.from = 5;
	d.to = 9;
	approve(b, 1, EVENTS WIDE);
	approve(b, 2, EVENTS NARROW "expires: 2026-05-30\n");
	struct plan_file f = in_force(b);
	assert_false(plan_file_sends(&f, 1, 7));
	plan_file_release(&f);
	assert_int_equal(take(b, &d, NULL, FLOW_OPEN, &err), 0);
	f = in_force(b);
	assert_true(plan_file_sends(&f, 1, 5) && plan_file_sends(&f, 1, 9));
	assert_false(plan_file_sends(&f, 1, 4) || plan_file_sends(&f, 1, 10));
	plan_file_release(&f);

	flow(b, DECIDE_SUSPEND);
	assert_int_equal(take(b, &d, NULL, FLOW_OPEN, &err), -1);
	assert_string_equal(err.msg, "acme is suspended: release it first");
	flow(b, DECIDE_RELEASE);
	f = in_force(b);
	assert_true(plan_file_sends(&f, 1, 7));	/* the same rules: what was released stays released */
	plan_file_release(&f);

	d.at = INT64_C(1780185600);
	assert_int_equal(take(b, &d, NULL, FLOW_OPEN, &err), -1);
	assert_string_equal(err.msg, "acme has expired: approve a version that hasn't");
	d.at = NOW;
	d.serial = 9;
	assert_int_equal(take(b, &d, NULL, FLOW_OPEN, &err), -1);
	assert_string_equal(err.msg, "acme has no plan 9; the newest is 5");
	d.serial = 2;
	assert_int_equal(take(b, &d, NULL, FLOW_OPEN, &err), -1);
	assert_string_equal(err.msg, "what was queued under plan 2 goes out by itself");

	approve(b, 3, EVENTS "fields:\n  event: keep\n");
	f = in_force(b);
	assert_false(plan_file_sends(&f, 1, 7));	/* narrower still: a person is asked again */
	plan_file_release(&f);
}

static void overwrite(int dir, const char *name, off_t at, char with)
{
	int fd = openat(dir, name, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, &with, 1, at), 1);
	close(fd);
}

static void tampered(void **state)
{
	struct keeper_books *b = &((struct place *)*state)->b;
	struct err err;
	struct plan_file f;
	approve(b, 1, EVENTS NARROW);
	flow(b, DECIDE_SUSPEND);
	overwrite(b->plans, "acme.plan", 40, 'X');
	assert_int_equal(keeper_load(b, "acme", &f, &err), -1);
	assert_int_equal(err.code, ERR_CRYPTO);
	struct decision d = decision(DECIDE_RELEASE);
	assert_int_equal(take(b, &d, NULL, FLOW_OPEN, &err), -1);
	/* A new approval replaces it, above every serial that was ever signed, and with the flow that was asked for. */
	d = decision(DECIDE_APPROVE);
	d.version = 2;
	assert_int_equal(take(b, &d, contract(2, EVENTS NARROW), FLOW_SUSPENDED, &err), 0);
	f = in_force(b);
	assert_int_equal(f.serial, 3);
	assert_int_equal(f.flow, FLOW_SUSPENDED);
	plan_file_release(&f);
	/* So does one after the file was removed. */
	assert_int_equal(unlinkat(b->plans, "acme.plan", 0), 0);
	assert_int_equal(keeper_load(b, "acme", &f, &err), -1);
	assert_string_equal(err.msg, "state/plan/acme.plan is gone: plan 3 was signed");
	approve(b, 3, EVENTS NARROW);
	f = in_force(b);
	assert_int_equal(f.serial, 4);
	plan_file_release(&f);
	/* An earlier plan that was changed in the history counts for nothing. */
	overwrite(b->plans, "history/acme/1.plan", 40, 'X');
	approve(b, 4, EVENTS WIDE);
	assert_sends(b, "4");	/* 2 and 3 were suspended */
}

/* A plan that was in force once is signed, and yet not to be obeyed again. */
static void put_back(void **state)
{
	struct keeper_books *b = &((struct place *)*state)->b;
	struct err err;
	struct plan_file f;
	approve(b, 1, EVENTS NARROW);
	flow(b, DECIDE_SUSPEND);
	assert_int_equal(linkat(b->plans, "history/acme/1.plan", b->plans, "old", 0), 0);
	assert_int_equal(renameat(b->plans, "old", b->plans, "acme.plan"), 0);
	assert_int_equal(keeper_load(b, "acme", &f, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_string_equal(err.msg, "state/plan/acme.plan is an old one: plan 2 was signed");
}

static bool count_vendor(void *arg, const char *vendor)
{
	assert_string_equal(vendor, "acme");
	++*(int *)arg;
	return true;
}

/* A copy in the history that was lost is made before the next plan; a vendor whose plan is gone is still known. */
static void history(void **state)
{
	struct keeper_books *b = &((struct place *)*state)->b;
	struct err err;
	int n = 0;
	approve(b, 1, EVENTS NARROW);
	assert_int_equal(unlinkat(b->plans, "history/acme/1.plan", 0), 0);
	approve(b, 2, EVENTS NARROW);
	assert_sends(b, "1");
	approve(b, 3, EVENTS WIDE);
	assert_sends(b, "2 1");
	assert_int_equal(keeper_vendors(b, count_vendor, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(unlinkat(b->plans, "acme.plan", 0), 0);
	assert_int_equal(keeper_vendors(b, count_vendor, &n, &err), 0);
	assert_int_equal(n, 2);
}

static void handed_over(void **state)
{
	(void)state;
	struct err err;
	struct buf json;
	struct contract *c = contract(1, EVENTS NARROW), *out;
	uint8_t digest[32];
	buf_init(&json, 0);
	contract_to_json(c, &json);
	contract_digest(c, digest);
	const char *text = (const char *)json.data;
	assert_int_equal(keeper_contract(text, json.len, digest, "acme", 1, &out, &err), 0);
	contract_free(&out);
	assert_int_equal(keeper_contract(text, json.len, digest, "acme", 2, &out, &err), -1);
	assert_int_equal(keeper_contract(text, json.len, digest, "acne", 1, &out, &err), -1);
	digest[0] ^= 1;
	assert_int_equal(keeper_contract(text, json.len, digest, "acme", 1, &out, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	buf_release(&json);
	contract_free(&c);
}

/* ---- failing disks ---------------------------------------------------------------------------------------------- */

struct failing {
	int left;	/* calls until one fails */
};

#define FAIL(ctx)                                                                                                              \
	if (((struct failing *)(ctx))->left-- == 0) {                                                                           \
		errno = EIO;                                                                                                    \
		return -1;                                                                                                      \
	}

static ssize_t f_pwrite(void *ctx, int fd, const void *p, size_t n, uint64_t off)
{
	FAIL(ctx);
	return fio_os.pwrite(NULL, fd, p, n, off);
}

static int f_sync(void *ctx, int fd)
{
	FAIL(ctx);
	return fio_os.sync(NULL, fd);
}

static int f_rename(void *ctx, int dir, const char *from, const char *to)
{
	FAIL(ctx);
	return fio_os.rename(NULL, dir, from, to);
}

static int f_open(void *ctx, int dir, const char *path, int flags, unsigned mode)
{
	FAIL(ctx);
	return fio_os.open(NULL, dir, path, flags, mode);
}

/* Whatever call fails, the plan in force is the old one or the new one, whole. */
static void failing_disk(void **state)
{
	struct keeper_books *b = &((struct place *)*state)->b;
	struct failing f = {0};
	struct fio io = fio_os;
	bool done = false;
	io.ctx = &f;
	io.pwrite = f_pwrite;
	io.sync = f_sync;
	io.rename = f_rename;
	io.open = f_open;
	approve(b, 1, EVENTS NARROW RESTRICTED);
	for (int n = 0; !done && n < 100; n++) {
		struct err err;
		struct decision d = decision(n % 2 ? DECIDE_RELEASE : DECIDE_SUSPEND);
		struct plan_file before = in_force(b);
		b->io = &io;
		f.left = n;
		done = take(b, &d, NULL, FLOW_OPEN, &err) == 0 && f.left >= 0;
		b->io = &fio_os;
		struct plan_file after = in_force(b);
		assert_true(after.serial >= before.serial);
		if (after.serial != before.serial)
			assert_int_equal(after.flow, n % 2 ? FLOW_OPEN : FLOW_SUSPENDED);
		plan_file_release(&before);
		plan_file_release(&after);
	}
	assert_true(done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(approval, place_make, place_clear),
		cmocka_unit_test_setup_teardown(requirements, place_make, place_clear),
		cmocka_unit_test_setup_teardown(waiver_ends, place_make, place_clear),
		cmocka_unit_test(order),
		cmocka_unit_test_setup_teardown(flows, place_make, place_clear),
		cmocka_unit_test_setup_teardown(refreshes, place_make, place_clear),
		cmocka_unit_test_setup_teardown(sends, place_make, place_clear),
		cmocka_unit_test_setup_teardown(drains, place_make, place_clear),
		cmocka_unit_test_setup_teardown(tampered, place_make, place_clear),
		cmocka_unit_test_setup_teardown(put_back, place_make, place_clear),
		cmocka_unit_test_setup_teardown(history, place_make, place_clear),
		cmocka_unit_test(handed_over),
		cmocka_unit_test_setup_teardown(failing_disk, place_make, place_clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
