/* Queues and outcomes on disk. */
#include "courier/courier_lab.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- queue ------------------------------------------------------------------------------------------------------ */

static bool all[64];

static size_t grep_files(const struct lab *x, const char *text)
{
	char cmd[256], out[32] = "";
	snprintf(cmd, sizeof cmd, "grep -r -a -l -e '%s' '%s' | wc -l", text, x->path);
	FILE *f = popen(cmd, "r");
	assert_non_null(fgets(out, sizeof out, f));
	pclose(f);
	return (size_t)atoi(out);
}

static void park_frames(struct lab *x, uint64_t from, uint64_t to, uint32_t n)
{
	struct err err;
	for (uint64_t s = from; s <= to; s++) {
		struct item *it = frame(s, n, OBJECT_EVENT, SERIAL);
		queue_append(&x->v.queue, it, all);
		item_free(it);
	}
	assert_int_equal(queue_sync(&x->v.queue, &err), 0);
}

static void test_queue_keeps_and_seals(void **state)
{
	(void)state;
	struct lab x;
	struct err err;
	lab_begin(&x);
	memset(all, 1, sizeof all);
	park_frames(&x, 1, 5, 3);
	assert_int_equal(grep_files(&x, "payload"), 0);
	lab_restart(&x);
	struct queue *q = &x.v.queue;
	assert_int_equal(q->events, 15);
	assert_int_equal(queue_load(q, q->first, &err), 0);
	uint64_t seq = 1;
	for (struct item *it = q->first->items.first; it; it = it->next, seq++) {
		char want[64];
		assert_int_equal(it->seq, seq);
		assert_int_equal(it->serial, SERIAL);
		snprintf(want, sizeof want, "{\"payload\":\"%llu.2\"}", (unsigned long long)seq);
		assert_int_equal(it->v[2].len, strlen(want));
		assert_memory_equal(it->bytes + it->v[2].off, want, strlen(want));
		assert_int_equal(it->v[2].index, 2);
	}
	assert_int_equal(seq, 6);
	lab_end(&x);
}

/* I5: what was settled can't be opened from the file any more, even with the courier's key. */
static void test_rewritten_bundle_has_only_the_rest(void **state)
{
	(void)state;
	struct lab x;
	struct err err;
	bool gone;
	lab_begin(&x);
	park_frames(&x, 1, 3, 4);
	struct queue *q = &x.v.queue;
	struct bundle *b = q->first;
	assert_int_equal(queue_load(q, b, &err), 0);
	for (struct item *it = b->items.first; it; it = it->next)
		for (uint32_t i = 0; i < it->n; i++)
			if (!(it->seq == 2 && i == 3)) {
				item_set(it, i, EVENT_SETTLED);
				queue_settled(q, it, NOW_S);
			}
	uint64_t before = b->bytes;
	assert_int_equal(queue_rewrite(q, b, &gone, &err), 0);
	assert_false(gone);
	assert_true(b->bytes < before);
	assert_int_equal(b->serials[0].events, 1);
	lab_restart(&x);
	assert_int_equal(q->events, 1);
	assert_int_equal(queue_load(q, q->first, &err), 0);
	struct item *it = q->first->items.first;
	assert_int_equal(it->seq, 2);
	assert_int_equal(it->n, 1);
	assert_int_equal(it->v[0].index, 3);
	assert_null(it->next);
	item_set(it, 0, EVENT_SETTLED);
	queue_settled(q, it, NOW_S);
	assert_int_equal(queue_rewrite(q, q->first, &gone, &err), 0);
	assert_true(gone);
	assert_null(q->first);
	lab_end(&x);
}

static void test_front_comes_first(void **state)
{
	(void)state;
	struct lab x;
	struct err err;
	lab_begin(&x);
	park_frames(&x, 10, 11, 1);
	struct item *it = frame(4, 2, OBJECT_EVENT, SERIAL);
	queue_put_front(&x.v.queue, it, all);
	assert_int_equal(queue_sync_front(&x.v.queue, &err), 0);
	item_free(it);
	lab_restart(&x);
	assert_int_equal(queue_load(&x.v.queue, x.v.queue.first, &err), 0);
	assert_int_equal(x.v.queue.first->items.first->seq, 4);
	assert_int_equal(x.v.queue.events, 4);
	lab_end(&x);
}

static void test_torn_tail_and_foreign_files(void **state)
{
	(void)state;
	struct lab x;
	char cmd[256];
	lab_begin(&x);
	park_frames(&x, 1, 2, 2);
	lab_close(&x);
	snprintf(cmd, sizeof cmd, "cd '%s/queue/acme' && f=$(ls) && truncate -s -7 $f && echo x > 00000000000000ff.log && echo y > stray", x.path);
	assert_int_equal(system(cmd), 0);
	struct err err;
	assert_int_equal(lab_open(&x, &err), 0);
	assert_int_equal(x.v.queue.events, 2);	/* the whole frame; the torn one was never acknowledged */
	park_frames(&x, 3, 3, 2);
	lab_restart(&x);
	assert_int_equal(x.v.queue.events, 4);
	lab_end(&x);
}

/* Whatever call fails: what queue_sync said is parked is there after a restart. */
static void test_park_under_failures(void **state)
{
	(void)state;
	for (int64_t n = 0; n < 40; n++) {
		struct lab x;
		struct err err;
		uint64_t acked = 0;
		lab_begin(&x);
		calls = 0;
		fail_at = n;
		for (uint64_t s = 1; s <= 8; s++) {
			struct item *it = frame(s, 60, OBJECT_EVENT, SERIAL);
			queue_append(&x.v.queue, it, all);
			item_free(it);
			acked += queue_sync(&x.v.queue, &err) == 0 ? 60 : 0;
		}
		assert_true(x.v.queue.events == acked);
		lab_restart(&x);
		assert_true(x.v.queue.events >= acked);
		lab_end(&x);
	}
}

/* ---- outcomes --------------------------------------------------------------------------------------------------- */

static void test_outcomes_give_the_position(void **state)
{
	(void)state;
	struct lab x;
	struct err err;
	lab_begin(&x);
	outcomes_add(&x.outcomes, OUTCOME_DELIVERED, PLACE_LOG, 9, 4);
	outcomes_add(&x.outcomes, OUTCOME_DELIVERED, PLACE_LOG, 9, 5);
	outcomes_add(&x.outcomes, OUTCOME_DEAD, PLACE_LOG, 9, 7);
	outcomes_add(&x.outcomes, OUTCOME_PARKED, PLACE_LOG, 3, 0);
	assert_int_equal(x.outcomes.pending.n, 3);
	assert_int_equal(outcomes_commit(&x.outcomes, 5, &err), 0);
	lab_restart(&x);
	assert_int_equal(x.outcomes.passed, 5);
	assert_true(outcomes_known(&x.outcomes, PLACE_LOG, 9, 5));
	assert_false(outcomes_known(&x.outcomes, PLACE_LOG, 9, 6));
	assert_true(outcomes_known(&x.outcomes, PLACE_LOG, 9, 7));
	assert_false(outcomes_known(&x.outcomes, PLACE_QUEUE, 9, 7));
	assert_false(outcomes_known(&x.outcomes, PLACE_LOG, 3, 0));	/* passed */
	lab_end(&x);
}

static size_t files_in(const struct lab *x, const char *name)
{
	char cmd[128], out[32] = "";
	snprintf(cmd, sizeof cmd, "ls '%s/%s' | wc -l", x->path, name);
	FILE *f = popen(cmd, "r");
	assert_non_null(fgets(out, sizeof out, f));
	pclose(f);
	return (size_t)atoi(out);
}

/* Rolls many times; old segments go and nothing that matters is forgotten. */
static void test_outcomes_stay_small(void **state)
{
	(void)state;
	struct lab x;
	struct err err;
	lab_begin(&x);
	outcomes_add(&x.outcomes, OUTCOME_DELIVERED, PLACE_LOG, 900, 3);
	assert_int_equal(outcomes_commit(&x.outcomes, 1, &err), 0);
	lab_restart(&x);	/* from here on 900.3 is known from before */
	for (uint64_t s = 2; s < 800; s++) {
		outcomes_add(&x.outcomes, OUTCOME_DELIVERED, PLACE_LOG, s, 0);
		assert_int_equal(outcomes_commit(&x.outcomes, s, &err), 0);
	}
	assert_true(files_in(&x, "own") <= 3);
	lab_restart(&x);
	assert_int_equal(x.outcomes.passed, 799);
	assert_true(outcomes_known(&x.outcomes, PLACE_LOG, 900, 3));
	lab_end(&x);
}

static void test_failed_commit_stays_pending(void **state)
{
	(void)state;
	for (int64_t n = 0; n < 12; n++) {
		struct lab x;
		struct err err;
		lab_begin(&x);
		outcomes_add(&x.outcomes, OUTCOME_DELIVERED, PLACE_LOG, 9, 4);
		calls = 0;
		fail_at = n;
		if (outcomes_commit(&x.outcomes, 2, &err) < 0) {
			assert_int_equal(x.outcomes.passed, 0);
			assert_int_equal(x.outcomes.pending.n, 1);
			fail_at = -1;
			assert_int_equal(outcomes_commit(&x.outcomes, 2, &err), 0);
		}
		lab_restart(&x);
		assert_int_equal(x.outcomes.passed, 2);
		assert_true(outcomes_known(&x.outcomes, PLACE_LOG, 9, 4));
		lab_end(&x);
	}
}

int main(void)
{
	memset(all, 1, sizeof all);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_keeps_and_seals),
		cmocka_unit_test(test_rewritten_bundle_has_only_the_rest),
		cmocka_unit_test(test_front_comes_first),
		cmocka_unit_test(test_torn_tail_and_foreign_files),
		cmocka_unit_test(test_park_under_failures),
		cmocka_unit_test(test_outcomes_give_the_position),
		cmocka_unit_test(test_outcomes_stay_small),
		cmocka_unit_test(test_failed_commit_stays_pending),
	};
	return cmocka_run_group_tests_name("courier-queue", tests, NULL, NULL);
}
