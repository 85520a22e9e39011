/* Sets and the dictionary by themselves: every kernel against plain loops, containers against bits, keys that look alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"

static uint64_t seed = 5;
static uint64_t pick(uint64_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (seed >> 20) % n;
}

/* Empty, full, runs, sparse, half, nearly full. */
static void fill(uint64_t *w, unsigned kind)
{
	for (size_t i = 0; i < CHUNK_WORDS; i++) {
		uint64_t r = pick(UINT64_MAX) << 32 ^ pick(UINT64_MAX), s = pick(UINT64_MAX) << 32 ^ pick(UINT64_MAX);
		const uint64_t forms[] = {0, ~UINT64_C(0), i / 7 % 3 ? ~UINT64_C(0) : 0, r & s & s << 7 & r << 5 & r >> 9, r, r | s | s << 3};
		w[i] = forms[kind % 6];
	}
}

static void test_kernels_agree(void **state)
{
	static uint64_t a[CHUNK_WORDS], x[CHUNK_WORDS];
	static uint8_t loose[CHUNK_BYTES + 1];
	(void)state;
	for (unsigned kind = 0; kind < 36; kind++)
		for (enum words_kernel k = WORDS_PLAIN; k < WORDS_KERNELS; k++) {
			const struct words_kernels *w = words_kernels(k), *plain = words_kernels(WORDS_PLAIN);
			if (!w)
				continue;
			uint64_t b[CHUNK_WORDS];
			uint32_t n = 0, runs = 0;
			bool before = false;
			fill(a, kind);
			fill(b, kind / 6);
			memcpy(loose + 1, b, CHUNK_BYTES);	/* as it may lie in a file */
			for (uint32_t i = 0; i < CHUNK_IDS; i++) {
				bool on = b[i / 64] >> i % 64 & 1;
				n += on;
				runs += on && !before;
				before = on;
			}
			assert_int_equal(w->count(loose + 1), n);
			assert_int_equal(w->runs(loose + 1), runs);
			assert_int_equal(plain->runs(b), runs);
			uint32_t falls, joins, falls_n = 0, joins_n = 0, some = 1 + (uint32_t)pick(CHUNK_BYTES / 2);
			for (uint32_t i = 1; i < some; i++) {
				if (pick(3))
					put_u16(loose + 1 + 2 * i, (uint16_t)(get_u16(loose + 1 + 2 * i - 2) + pick(3)));
				falls_n += get_u16(loose + 1 + 2 * i) <= get_u16(loose + 1 + 2 * i - 2);
				joins_n += get_u16(loose + 1 + 2 * i) == (uint16_t)(get_u16(loose + 1 + 2 * i - 2) + 1);
			}
			w->pairs(loose + 1, some, &falls, &joins);
			assert_int_equal(falls, falls_n);
			assert_int_equal(joins, joins_n);
			memcpy(loose + 1, b, CHUNK_BYTES);
			memcpy(x, a, sizeof x);
			w->or(x, loose + 1);
			for (size_t i = 0; i < CHUNK_WORDS; i++)
				assert_true(x[i] == (a[i] | b[i]));
			memcpy(x, a, sizeof x);
			w->and(x, loose + 1);
			for (size_t i = 0; i < CHUNK_WORDS; i++)
				assert_true(x[i] == (a[i] & b[i]));
			memcpy(x, a, sizeof x);
			w->without(x, loose + 1);
			for (size_t i = 0; i < CHUNK_WORDS; i++)
				assert_true(x[i] == (a[i] & ~b[i]));
		}
}

static void test_containers_hold_what_was_written(void **state)
{
	static uint64_t w[CHUNK_WORDS], back[CHUNK_WORDS];
	int seen[4] = {0};
	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		struct buf b;
		struct container c;
		size_t size;
		const char *why;
		fill(w, round);
		if (round % 6 == 0)
			w[pick(CHUNK_WORDS)] = 1 + pick(1000);
		if (round % 7 == 0)
			w[CHUNK_WORDS - 1] |= UINT64_C(1) << 63;
		buf_init(&b, 0);
		container_write(&b, 3, 9, w);
		if (container_read(b.data, b.len, &c, &size, &why) < 0)
			fail_msg("%s", why);
		assert_int_equal(size, b.len);
		seen[c.kind]++;
		memset(back, 0, sizeof back);
		container_or(&c, back);
		assert_memory_equal(back, w, sizeof w);
		uint32_t last = 0;
		assert_int_equal(container_count(&c), words_best()->count(w));
		for (uint32_t i = 0; i < CHUNK_IDS; i++) {
			bool on = w[i / 64] >> i % 64 & 1;
			assert_int_equal(container_has(&c, i), on);
			last = on ? i : last;
		}
		assert_int_equal(container_last(&c), 9 * CHUNK_IDS + last);
		buf_release(&b);
	}
	assert_true(seen[CONTAINER_ARRAY] && seen[CONTAINER_BITSET] && seen[CONTAINER_RUN]);
}

/* The right checksum doesn't make it right. */
static void test_other_spellings_are_refused(void **state)
{
	static const struct {
		uint8_t kind;
		uint32_t n;
		uint16_t v[8];
	} rows[] = {
		{CONTAINER_ARRAY, 2, {5, 5}},		{CONTAINER_ARRAY, 2, {6, 5}},	     {CONTAINER_ARRAY, 3, {1, 2, 3}},
		{CONTAINER_RUN, 1, {1, 0}},		{CONTAINER_RUN, 2, {1, 9, 11, 9}},   {CONTAINER_RUN, 2, {20, 9, 0, 9}},
		{CONTAINER_RUN, 1, {65530, 6}},		{CONTAINER_RUN, 2, {0, 9, 9, 20}},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t p[64] = {0};
		struct container c;
		size_t size, len = (rows[i].kind == CONTAINER_ARRAY ? 2 : 4) * (size_t)rows[i].n;
		const char *why = "";
		p[6] = rows[i].kind;
		put_u32(p + 8, rows[i].n);
		memcpy(p + CONTAINER_HEAD, rows[i].v, len);
		put_u32(p + 12, crc32c(crc32c(0, p, 12), p + CONTAINER_HEAD, len));
		assert_int_equal(container_walk(p, sizeof p, &c, &size, &why), 0);
		if (container_check(&c, &why) == 0)
			fail_msg("row %zu is accepted", i);
		assert_string_equal(why, "not in canonical form");
	}
}

/* Open and closed sets, added and taken off in any order, against one bit at a time. */
static void test_steps_agree_with_single_bits(void **state)
{
	enum { SETS = 5, CHUNKS = 3 };
	static uint64_t w[SETS][CHUNKS][CHUNK_WORDS];
	(void)state;
	for (unsigned round = 0; round < 80; round++) {
		struct set sets[SETS] = {0};
		struct container c[SETS][CHUNKS];
		struct buf b[SETS];
		struct steps steps = {0};
		struct bits only = {0}, out = {0};
		bool takes[SETS];
		uint64_t want = 0, filtered = 0;
		for (int i = 0; i < SETS; i++) {
			size_t at = 0, size;
			const char *why;
			bool closed = pick(3) > 0;
			takes[i] = pick(4) == 0;
			buf_init(&b[i], 0);
			for (size_t k = 0; k < CHUNKS; k++) {
				if (round % 3 == 0 ? pick(SETS) == 0 : pick(2) == 0)
					fill(w[i][k], (unsigned)pick(6));
				else
					memset(w[i][k], 0, CHUNK_BYTES);
				bool some = words_best()->count(w[i][k]) > 0;
				if (some && closed)
					container_write(&b[i], 0, (uint16_t)k, w[i][k]);
				else if (some)
					bits_or_chunk(&sets[i].bits, k, w[i][k]);
			}
			while (at < b[i].len) {
				assert_int_equal(container_read(b[i].data + at, b[i].len - at, &c[i][sets[i].containers_n++], &size, &why), 0);
				at += size;
			}
			sets[i].containers = c[i];
			steps_add(&steps, takes[i] ? STEP_TAKE : STEP_ADD, &sets[i]);
		}
		for (uint32_t id = 0; id < CHUNKS * CHUNK_IDS; id += 3)
			if (pick(2))
				(void)bits_set(&only, id);
		for (uint32_t id = 0; id < CHUNKS * CHUNK_IDS; id++) {
			bool in = false, gone = false;
			for (int i = 0; i < SETS; i++) {
				bool here = w[i][id / CHUNK_IDS][id % CHUNK_IDS / 64] >> id % 64 & 1;
				gone |= takes[i] && here;
				in |= !takes[i] && here && !gone;
			}
			want += in;
			filtered += in && bits_has(&only, id);
		}
		assert_int_equal(steps_run(&steps, NULL, NULL), want);
		assert_int_equal(steps_run(&steps, NULL, &out), want);
		assert_int_equal(bits_count(&out), want);
		assert_int_equal(steps_run(&steps, &only, NULL), filtered);
		for (int i = 0; i < SETS; i++) {
			bits_release(&sets[i].bits);
			buf_release(&b[i]);
		}
		bits_release(&only);
		bits_release(&out);
		steps_release(&steps);
	}
}

/* What ClickHouse 26.5 writes for groupBitmapState(number * step + 65536) of so many numbers: its first bytes, and how many. */
static void test_bitmap_states_are_as_clickhouse_writes_them(void **state)
{
	static const struct {
		uint32_t n, step;
		size_t len;
		const char *begin;
	} rows[] = {
		{3, 3, 14, "0003000001000300010006000100"},
		{32, 3, 130, "0020000001000300010006000100090001000c0001000f00"},
		{33, 3, 84, "01523a300000010000000100200010000000000003000600"},
		{5000, 3, 8211, "0190403a3000000100000001008713100000004992244992"},
		{1000, 1, 17, "010f3b300000010100e70301000000e703"},
		{20000, 2, 8211, "0190403a3000000100000001001f4e10000000555555555555"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint64_t words[CHUNK_WORDS] = {0};
		struct buf spelled, out;
		struct container c;
		size_t size;
		const char *why;
		char hex[2 * 26 + 1];
		for (uint32_t k = 0; k < rows[i].n; k++)
			words[k * rows[i].step / 64] |= UINT64_C(1) << k * rows[i].step % 64;
		buf_init(&spelled, 0);
		buf_init(&out, 0);
		container_write(&spelled, 0, 1, words);
		assert_int_equal(container_read(spelled.data, spelled.len, &c, &size, &why), 0);
		ledger_bitmap_state(&c, &out);
		assert_int_equal(out.len, rows[i].len);
		hex_encode(out.data, strlen(rows[i].begin) / 2, hex);
		assert_string_equal(hex, rows[i].begin);
		buf_release(&spelled);
		buf_release(&out);
	}
}

/* Keys that fall into one bucket, with one tag, differing in the last byte; grown many times over. */
static void test_the_dictionary_finds_each_key(void **state)
{
	enum { N = 60000 };
	struct dict d = {0};
	uint8_t (*keys)[SUBJECT_BYTES] = calloc(N, sizeof *keys);
	uint32_t id;
	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		put_u64(keys[i], i % 3 ? pick(UINT64_MAX) : UINT64_MAX - i % 50);
		keys[i][8] = i % 5 ? (uint8_t)pick(256) : 0;
		put_u32(keys[i] + 12, i);
		assert_false(dict_find(&d, keys[i], &id));
		assert_int_equal(dict_add(&d, keys[i]), i);
		assert_int_equal(dict_add(&d, keys[pick(i + 1)]) <= i, true);
	}
	assert_int_equal(d.n, N);
	for (uint32_t i = 0; i < N; i++) {
		assert_true(dict_find(&d, keys[i], &id));
		assert_int_equal(id, i);
		assert_memory_equal(dict_key(&d, i), keys[i], SUBJECT_BYTES);
	}
	dict_release(&d);
	free(keys);
}

/* Of any number of its keys, in any order, as the tree over the whole has it. */
static void test_the_dictionary_has_its_root(void **state)
{
	enum { N = 64 * 21 + 5 };
	struct dict d = {0};
	static uint8_t keys[N][SUBJECT_BYTES];
	struct tlog_hash leaves[N / 64 + 1], want, got;
	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		put_u64(keys[i], pick(UINT64_MAX));
		put_u32(keys[i] + 12, i);
		assert_int_equal(dict_add(&d, keys[i]), i);
	}
	for (uint32_t round = 0; round < 400; round++) {
		uint32_t n = round < 70 ? round * 20 % (N + 1) : (uint32_t)pick(N + 1), k = 0;
		for (uint32_t at = 0; at < n; at += 64)
			tlog_leaf(keys[at], (n - at < 64 ? n - at : 64) * SUBJECT_BYTES, &leaves[k++]);
		tlog_root_of(leaves, k, &want);
		dict_root(&d, n, &got);
		assert_memory_equal(got.b, want.b, sizeof got.b);
	}
	dict_release(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_dictionary_has_its_root),
		cmocka_unit_test(test_kernels_agree),
		cmocka_unit_test(test_containers_hold_what_was_written),
		cmocka_unit_test(test_other_spellings_are_refused),
		cmocka_unit_test(test_steps_agree_with_single_bits),
		cmocka_unit_test(test_bitmap_states_are_as_clickhouse_writes_them),
		cmocka_unit_test(test_the_dictionary_finds_each_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
