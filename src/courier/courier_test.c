/*
 * A vendor without network.  The last test is the property (I3): random answers, failing disks and restarts, and still
 * every event is delivered, dead or on disk.
 */
#include "courier/courier_lab.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- vendor ----------------------------------------------------------------------------------------------------- */

static void test_merges_up_to_the_limit(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	for (uint64_t s = 1; s <= 6; s++)
		take(&x, frame(s, 1, OBJECT_EVENT, SERIAL));
	struct batch *a = pick(&x), *b = pick(&x);
	assert_int_equal(a->n, 4);
	assert_int_equal(b->n, 2);
	assert_null(pick(&x));
	answer(&x, b, 200);
	assert_int_equal(passed(&x), 0);	/* the first four are still out */
	answer(&x, a, 200);
	assert_int_equal(passed(&x), 6);
	assert_true(settle_all(&x));
	assert_int_equal(x.v.counts.delivered, 6);
	assert_int_equal(x.v.queue.events, 0);
	lab_end(&x);
}

static void test_split_to_the_refused_single(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	take(&x, frame(1, 4, OBJECT_EVENT, SERIAL));
	for (struct batch *b; (b = pick(&x));) {
		bool bad = false;
		for (uint32_t k = 0; k < b->n; k++)
			bad |= b->refs[k].i == 2;
		answer(&x, b, bad ? 413 : 200);
	}
	assert_int_equal(passed(&x), 0);	/* not before it lies in dead/ */
	assert_true(settle_all(&x));
	assert_int_equal(passed(&x), 1);
	assert_int_equal(x.v.counts.delivered, 3);
	assert_int_equal(x.v.counts.dead, 1);
	assert_int_equal(x.v.dead.events, 1);
	lab_end(&x);
}

static void test_partial_kills_only_the_named(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	take(&x, frame(1, 4, OBJECT_EVENT, SERIAL));
	vendor_answered(&x.v, pick(&x), 207, (struct span){"\1\3", 2}, 0, x.now_ms, NOW_S);
	assert_true(settle_all(&x));
	assert_int_equal(x.v.counts.delivered, 2);
	assert_int_equal(x.v.counts.dead, 2);
	lab_end(&x);
}

static void test_retry_parks_and_backs_off(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	take(&x, frame(1, 2, OBJECT_EVENT, SERIAL));
	answer(&x, pick(&x), 503);
	assert_null(pick(&x));
	take(&x, frame(2, 2, OBJECT_EVENT, SERIAL));	/* behind the first */
	assert_true(settle_all(&x));
	assert_int_equal(passed(&x), 2);
	assert_int_equal(x.v.queue.events, 4);
	assert_int_equal(x.v.counts.parked, 4);
	lab_restart(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	assert_true(settle_all(&x));
	struct batch *b = pick(&x);
	assert_int_equal(b->n, 4);
	assert_int_equal(seq_of(b, 0), 1);
	vendor_answered(&x.v, b, 429, (struct span){"", 0}, 30, x.now_ms, NOW_S);
	assert_true(x.v.next_try_ms >= x.now_ms + 30000);	/* Retry-After */
	x.now_ms += 29000;
	assert_null(pick(&x));
	x.now_ms += 2000;
	answer(&x, pick(&x), 200);
	assert_true(settle_all(&x));
	assert_int_equal(x.v.queue.events, 0);
	assert_null(x.v.queue.first);
	lab_end(&x);
}

static void test_back_off_grows(void **state)
{
	(void)state;
	struct lab x;
	int64_t least = 0;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	take(&x, frame(1, 1, OBJECT_EVENT, SERIAL));
	for (int i = 0; i < 20; i++) {
		struct batch *b = pick(&x);
		assert_non_null(b);
		assert_null(pick(&x));	/* one at a time while it fails */
		answer(&x, b, 0);
		int64_t delay = x.v.next_try_ms - x.now_ms;
		assert_true(delay >= least && delay <= BACKOFF_MAX_MS);
		least = BACKOFF_MS / 2ll << i;
		least = least < BACKOFF_MAX_MS / 2 ? least : BACKOFF_MAX_MS / 2;
		assert_true(settle_all(&x));
		x.now_ms = x.v.next_try_ms;
		assert_true(settle_all(&x));
	}
	lab_end(&x);
}

static void test_ordered_one_in_flight(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	for (uint64_t s = 1; s <= 6; s++)
		take(&x, frame(s, 1, OBJECT_PROFILE, SERIAL));
	take(&x, frame(7, 1, OBJECT_EVENT, SERIAL));
	struct batch *p = pick(&x), *e = pick(&x);
	assert_int_equal(p->n, 4);
	assert_true(p->ordered);
	assert_false(e->ordered);
	assert_null(pick(&x));
	answer(&x, e, 200);
	/* It fails when later ones are parked already: what is older goes in front of them. */
	size_t held = x.v.fresh_bytes;
	x.v.fresh_bytes = FRESH_BYTES;	/* the window is full */
	take(&x, frame(8, 1, OBJECT_PROFILE, SERIAL));
	assert_true(settle_all(&x));
	x.v.fresh_bytes = held;
	assert_int_equal(x.v.queue.events, 1);
	answer(&x, p, 503);
	take(&x, frame(9, 1, OBJECT_PROFILE, SERIAL));
	assert_true(settle_all(&x));
	lab_restart(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	assert_true(settle_all(&x));
	uint64_t want = 1;
	for (struct batch *b; (b = pick(&x));) {
		for (uint32_t k = 0; k < b->n; k++) {
			if (want == 7)
				want++;
			assert_int_equal(seq_of(b, k), want++);
		}
		answer(&x, b, 200);
	}
	assert_int_equal(want, 10);
	lab_end(&x);
}

/* A frame that hangs in part while the log of outcomes rolls: what of it went doesn't go again after a restart. */
static void test_snapshot_keeps_what_is_settled(void **state)
{
	(void)state;
	struct lab x;
	struct err err;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	take(&x, frame(1, 5, OBJECT_EVENT, SERIAL));
	take(&x, frame(2, 2, OBJECT_PROFILE, SERIAL));
	struct batch *a = pick(&x), *hangs = pick(&x), *c = pick(&x);
	assert_int_equal(a->n, 4);
	assert_int_equal(hangs->n, 1);
	answer(&x, a, 200);
	answer(&x, c, 200);
	assert_true(settle_all(&x));
	for (uint64_t s = 0; s < 800; s++) {	/* something else is recorded, and the segment with the four goes */
		outcomes_add(&x.outcomes, OUTCOME_DELIVERED, PLACE_LOG, 9, (uint32_t)(2 * s));
		assert_int_equal(outcomes_commit(&x.outcomes, 0, &err), 0);
	}
	lab_restart(&x);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(outcomes_known(&x.outcomes, PLACE_LOG, 1, i), i < 4);
	assert_true(outcomes_known(&x.outcomes, PLACE_LOG, 2, 0) && outcomes_known(&x.outcomes, PLACE_LOG, 2, 1));
	lab_end(&x);
}

static void test_hold_waits_for_a_change(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	take(&x, frame(1, 3, OBJECT_EVENT, SERIAL));
	answer(&x, pick(&x), 401);
	assert_true(settle_all(&x));
	assert_string_equal(vendor_held(&x.v, NOW_S), "status");
	assert_int_equal(x.v.queue.events, 3);
	x.now_ms += HOLD_MS / 2;
	assert_true(settle_all(&x));
	assert_null(pick(&x));
	vendor_credential(&x.v, "another");
	assert_true(settle_all(&x));
	answer(&x, pick(&x), 200);
	assert_true(settle_all(&x));
	assert_null(vendor_held(&x.v, NOW_S));
	lab_end(&x);
}

static void test_only_what_the_plan_sends(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_SUSPENDED);
	take(&x, frame(1, 2, OBJECT_EVENT, SERIAL));
	take(&x, frame(2, 2, OBJECT_EVENT, SERIAL));
	assert_true(settle_all(&x));
	assert_null(pick(&x));
	assert_int_equal(x.v.queue.events, 4);
	assert_string_equal(vendor_held(&x.v, NOW_S), "suspended");
	/* A narrower version: the queued ones wait, later ones pass by. */
	open_flow(&x, SERIAL + 1, FLOW_OPEN);
	assert_true(settle_all(&x));
	assert_true(settle_all(&x));
	assert_null(pick(&x));
	assert_string_equal(vendor_held(&x.v, NOW_S), "version");
	take(&x, frame(3, 1, OBJECT_EVENT, SERIAL + 1));
	struct batch *b = pick(&x);
	assert_int_equal(b->n, 1);
	answer(&x, b, 200);
	assert_true(settle_all(&x));
	assert_int_equal(x.v.queue.events, 4);
	/* A person lets the first frame go. */
	struct plan_file p = plan(SERIAL + 2, FLOW_OPEN);
	p.sends = xcalloc(1, sizeof *p.sends);
	p.sends[0] = SERIAL + 1;
	p.sends_len = 1;
	p.drains = xcalloc(1, sizeof *p.drains);
	p.drains[0] = (struct plan_drain){SERIAL, 1, 1};
	p.drains_len = 1;
	vendor_plan(&x.v, &p);
	assert_true(settle_all(&x));
	b = pick(&x);
	assert_int_equal(b->n, 2);
	assert_int_equal(seq_of(b, 0), 1);
	assert_null(pick(&x));
	answer(&x, b, 200);
	assert_true(settle_all(&x));
	assert_int_equal(x.v.queue.events, 2);
	/* Past its end nothing goes, whatever the plan says. */
	p = plan(SERIAL, FLOW_OPEN);
	p.not_after = NOW_S;
	vendor_plan(&x.v, &p);
	assert_true(settle_all(&x));
	assert_null(pick(&x));
	assert_string_equal(vendor_held(&x.v, NOW_S), "expired");
	assert_null(vendor_closed(&x.v, NOW_S - 1));
	lab_end(&x);
}

static void test_no_plan_no_credential_no_cleartext(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	assert_string_equal(vendor_closed(&x.v, NOW_S), "no-plan");
	struct plan_file p = plan(SERIAL, FLOW_OPEN);
	vendor_plan(&x.v, &p);
	assert_string_equal(vendor_closed(&x.v, NOW_S), "no-credential");
	vendor_credential(&x.v, "secret");
	assert_null(vendor_closed(&x.v, NOW_S));
	static const struct {
		const char *upstream;
		bool good;
	} rows[] = {
		{"http://api.example.com", false}, {"http://127.0.0.1:80", true}, {"http://localhost/x", true}, {"http://[::1]:1", true},
		{"http://127.0.0.1.evil.example", false}, {"http://localhost.example", false}, {"ftp://127.0.0.1", false},
		{"https://api.example.com", true}, {"http://127.0.0.1@evil.example", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		p = plan(SERIAL, FLOW_OPEN);
		p.contract->upstream = (struct span){rows[i].upstream, strlen(rows[i].upstream)};
		vendor_plan(&x.v, &p);
		if ((vendor_closed(&x.v, NOW_S) == NULL) != rows[i].good)
			fail_msg("%s", rows[i].upstream);
	}
	lab_end(&x);
}

static void test_full_window_parks(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	x.v.plan.contract->quota_bytes = 64 << 10;	/* a window of 16 KiB */
	for (uint64_t s = 1; s <= 60; s++)
		take(&x, frame(s, 60, OBJECT_EVENT, SERIAL));
	assert_true(x.v.fresh_bytes <= 16 << 10);
	assert_non_null(x.v.late.first);
	assert_true(settle_all(&x));
	assert_null(x.v.late.first);
	assert_true(x.v.queue.events > 1000);
	lab_end(&x);
}

static void test_drop(void **state)
{
	(void)state;
	struct lab x;
	struct err err;
	uint64_t n;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_SUSPENDED);
	for (uint64_t s = 1; s <= 5; s++)
		take(&x, frame(s, 2, OBJECT_EVENT, s == 4 ? SERIAL - 1 : SERIAL));
	assert_true(settle_all(&x));
	assert_int_equal(vendor_drop(&x.v, &(struct vendor_range){SERIAL, 2, 4}, NOW_S, &n, &err), 0);
	assert_int_equal(n, 4);
	assert_true(settle_all(&x));
	lab_restart(&x);
	assert_int_equal(x.v.queue.events, 6);
	assert_int_equal(vendor_drop(&x.v, &(struct vendor_range){0, 1, UINT64_MAX}, NOW_S, &n, &err), 0);
	assert_int_equal(n, 6);
	assert_null(x.v.queue.first);
	lab_end(&x);
}

static void test_taken_back_comes_again(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	take(&x, frame(1, 2, OBJECT_EVENT, SERIAL));
	vendor_taken_back(&x.v, pick(&x));
	assert_true(settle_all(&x));
	assert_int_equal(x.v.queue.events, 2);
	struct batch *b = pick(&x);
	assert_int_equal(b->n, 2);
	answer(&x, b, 200);
	assert_true(settle_all(&x));
	assert_int_equal(x.v.queue.events, 0);
	lab_end(&x);
}

/* ---- the property ----------------------------------------------------------------------------------------------- */

enum { FRAMES = 60, PER_FRAME = 5 };

static unsigned dice(unsigned n)
{
	return (unsigned)rand() % n;
}

struct fates {
	unsigned delivered[FRAMES + 1][PER_FRAME];
	bool dead[FRAMES + 1][PER_FRAME];
};

static void note_answer(struct fates *f, const struct batch *b, int status)
{
	for (uint32_t k = 0; k < b->n; k++) {
		const struct item *it = b->refs[k].it;
		uint32_t index = it->v[b->refs[k].i].index;
		if (status == 200)
			f->delivered[it->seq][index]++;
	}
}

/* What lies in dead/ after another restart. */
static void note_dead(struct lab *x, struct fates *f)
{
	struct queue q;
	struct err err;
	lab_restart(x);
	assert_int_equal(queue_open(&q, &bad_fio, x->dead_dir, "acme", &x->keys, NULL, NULL, &err), 0);
	for (struct bundle *b = q.first; b; b = b->next) {
		assert_int_equal(queue_load(&q, b, &err), 0);
		for (struct item *it = b->items.first; it; it = it->next)
			for (uint32_t i = 0; i < it->n; i++)
				f->dead[it->seq][it->v[i].index] = true;
	}
	queue_close(&q);
}

static void storm(unsigned seed)
{
	static const int answers[] = {200, 200, 200, 503, 413, 401, 0};
	struct lab x;
	struct fates f = {0};
	struct batch *out[FLIGHTS_MAX + 1];
	size_t n = 0;
	srand(seed);
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	for (int step = 0; step < 1500; step++) {
		bool calm = step > 1200;
		unsigned what = calm ? 2 + dice(4) : dice(40);
		if (what == 0 || fail_at >= 0) {	/* the disk failed or not: the process is gone now and then */
			if (dice(4) == 0) {
				n = 0;
				lab_restart(&x);
				open_flow(&x, SERIAL, FLOW_OPEN);
			}
		} else if (what == 1) {
			calls = 0;
			fail_at = dice(12);
		}
		if (calm)
			fail_at = -1;
		if (x.read < FRAMES && dice(3) == 0)
			take(&x, frame(x.read + 1, PER_FRAME, (x.read + 1) % 3 ? OBJECT_EVENT : OBJECT_PROFILE, SERIAL));
		struct batch *b = n < FLIGHTS_MAX ? pick(&x) : NULL;
		if (b)
			out[n++] = b;
		if (n && dice(2)) {
			size_t k = dice((unsigned)n);
			b = out[k];
			out[k] = out[--n];
			int status = calm ? 200 : answers[dice(sizeof answers / sizeof *answers)];
			note_answer(&f, b, status);
			answer(&x, b, status);
		}
		if (dice(2) == 0)
			(void)settle_all(&x);
		x.now_ms += calm ? HOLD_MS : 200;
	}
	assert_true(settle_all(&x));
	assert_int_equal(x.read, FRAMES);
	assert_int_equal(passed(&x), FRAMES);
	assert_int_equal(x.v.queue.events, 0);
	note_dead(&x, &f);
	for (uint64_t s = 1; s <= FRAMES; s++)
		for (uint32_t i = 0; i < PER_FRAME; i++)
			if (!f.delivered[s][i] && !f.dead[s][i])
				fail_msg("seed %u: %llu.%u is lost", seed, (unsigned long long)s, i);
	lab_end(&x);
}

static void test_I3_nothing_is_lost(void **state)
{
	(void)state;
	const char *more = getenv("WEIR_STORMS");
	for (unsigned seed = 1; seed <= (more ? (unsigned)atoi(more) : 60); seed++)
		storm(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merges_up_to_the_limit),
		cmocka_unit_test(test_split_to_the_refused_single),
		cmocka_unit_test(test_partial_kills_only_the_named),
		cmocka_unit_test(test_retry_parks_and_backs_off),
		cmocka_unit_test(test_back_off_grows),
		cmocka_unit_test(test_ordered_one_in_flight),
		cmocka_unit_test(test_snapshot_keeps_what_is_settled),
		cmocka_unit_test(test_hold_waits_for_a_change),
		cmocka_unit_test(test_only_what_the_plan_sends),
		cmocka_unit_test(test_no_plan_no_credential_no_cleartext),
		cmocka_unit_test(test_full_window_parks),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_taken_back_comes_again),
		cmocka_unit_test(test_I3_nothing_is_lost),
	};
	return cmocka_run_group_tests_name("courier", tests, NULL, NULL);
}
