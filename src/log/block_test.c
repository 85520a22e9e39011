/* The request block: round trip, and every length that can lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "crypt/crypt.h"
#include "log/block.h"

static const uint8_t leaves[3] = {0x81, 0, 0xff};
static const struct block_head head = {
	.route = 7, .plan_serial = UINT64_C(0x1122334455667788), .request_no = {1, 2, 3}, .received_us = 1234567890123,
	.vendor = {"mixpanel", 8}, .leaf_bytes = 3, .count = 2, .dropped = 5,
};
static const struct block_object objects[2] = {
	{.subject = {9}, .kind = 1, .attributes = {4}, .len = 10, .splice = 3, .time_s = -5, .leaves = leaves},
	{.subject = {8}, .kind = 2, .attributes = {6}, .len = 20, .splice = 9, .time_s = 1700000000, .leaves = leaves},
};

static void make(struct buf *b, bool sealed)
{
	buf_init(b, 0);
	size_t began = block_begin(b, &head);
	for (size_t i = 0; i < 2; i++)
		block_add(b, &head, &objects[i]);
	block_finish(b, began);
	for (size_t i = 0; sealed && i < 30 + AEAD_OVERHEAD; i++)
		buf_addc(b, (char)i);
}

static void round_trip(void **state)
{
	(void)state;
	for (int sealed = 0; sealed < 2; sealed++) {
		struct buf b;
		struct block k;
		struct err err;
		make(&b, sealed);
		assert_int_equal(block_parse(b.data, b.len, &k, &err), 0);
		assert_int_equal(k.head.route, 7);
		assert_true(k.head.plan_serial == head.plan_serial && k.head.received_us == head.received_us);
		assert_memory_equal(k.head.request_no, head.request_no, 16);
		assert_true(span_eq(k.head.vendor, "mixpanel"));
		assert_int_equal(k.head.count, 2);
		assert_int_equal(k.head.dropped, 5);
		assert_int_equal(k.sealed_len, sealed ? 46 : 0);
		assert_ptr_equal(k.sealed, k.clear + k.clear_len);
		for (uint32_t i = 0; i < 2; i++) {
			struct block_object o;
			block_object_at(&k, i, &o);
			assert_memory_equal(o.subject, objects[i].subject, 16);
			assert_memory_equal(o.attributes, objects[i].attributes, 8);
			assert_memory_equal(o.leaves, leaves, 3);
			assert_int_equal(o.kind, objects[i].kind);
			assert_int_equal(o.len, objects[i].len);
			assert_int_equal(o.splice, objects[i].splice);
			assert_true(o.time_s == objects[i].time_s);
		}
		buf_release(&b);
	}
}

/* Every cut is refused, except the one where a whole clear part remains. */
static void cuts(void **state)
{
	(void)state;
	struct buf b;
	struct block k;
	struct err err;
	make(&b, true);
	assert_int_equal(block_parse(b.data, b.len, &k, &err), 0);
	size_t clear = k.clear_len;
	for (size_t n = 0; n < b.len; n++) {
		uint8_t *copy = malloc(n ? n : 1);	/* its own block, so that a read past the end is seen */
		memcpy(copy, b.data, n);
		assert_int_equal(block_parse(copy, n, &k, &err), n == clear ? 0 : -1);
		if (n != clear)
			assert_int_equal(err.code, ERR_CORRUPT);
		free(copy);
	}
	buf_release(&b);
}

static void lying_lengths(void **state)
{
	(void)state;
	static const struct {
		size_t at, bytes;
		uint64_t value;
	} rows[] = {
		{0, 4, 0}, {0, 4, UINT32_MAX}, {0, 4, 60}, {4, 2, 2}, {40, 1, 255}, {40, 1, 0}, {49, 2, 0}, {49, 2, 65535},
		{51, 4, 0}, {51, 4, 1}, {51, 4, UINT32_MAX}, {59 + 28, 4, 11}, {59 + 28, 4, UINT32_MAX},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b;
		struct block k;
		struct err err;
		make(&b, true);
		memcpy(b.data + rows[i].at, &rows[i].value, rows[i].bytes);
		if (block_parse(b.data, b.len, &k, &err) == 0)
			fail_msg("row %zu was accepted", i);
		assert_int_equal(err.code, ERR_CORRUPT);
		buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip), cmocka_unit_test(cuts), cmocka_unit_test(lying_lengths),
	};
	return cmocka_run_group_tests_name("block", tests, NULL, NULL);
}
