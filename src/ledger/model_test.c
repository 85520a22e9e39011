/*
 * The ledger against a naive model: random exposures, links, records, deletions, restrictions, erasures, duplicates, parts and days
 * that end, restarts.
 *
 * WEIR_MODEL_SEEDS (1), WEIR_MODEL_SEED (the first; 1), WEIR_MODEL_OPERATIONS (100000).
 */
#include <stdio.h>
#include <stdlib.h>

#include "ledger/model.h"

static uint64_t number(const char *name, uint64_t unless)
{
	const char *s = getenv(name);
	return s ? strtoull(s, NULL, 10) : unless;
}

static void play(struct rig *r, uint64_t seed, uint64_t n)
{
	struct play p;
	play_begin(&p, r, seed);
	for (uint64_t i = 0; i < n; i++)
		play_one(&p);
	play_look_at_all(&p);
	struct ledger_stats s = ledger_stats(r->l);
	printf("seed %llu: %llu operations, %d parts of days, %zu roll-ups, %llu restarts, %d erasures, %llu subjects\n", (unsigned long long)seed,
	       (unsigned long long)n, p.m->parts, r->l->rollups_n, (unsigned long long)p.restarts, p.m->erasures, (unsigned long long)s.subjects);
	assert_int_equal(s.unreadable, 0);
	play_end(&p);
}

static void test_equals_a_naive_model(void **state)
{
	(void)state;
	uint64_t first = number("WEIR_MODEL_SEED", 1), n = number("WEIR_MODEL_SEEDS", 1), operations = number("WEIR_MODEL_OPERATIONS", 100000);
	for (uint64_t seed = first; seed < first + n; seed++) {
		void *r;
		printf("WEIR_MODEL_SEED=%llu\n", (unsigned long long)seed);	/* what a failure is found again by */
		assert_int_equal(rig_make(&r), 0);
		play(r, seed, operations);
		rig_clear(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_equals_a_naive_model)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
