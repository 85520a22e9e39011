/* The link frame: round trip, and every length that can lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "log/link.h"

static const uint8_t leaves[2] = {0x81, 7}, attributes[8] = {'D', 'E', 2}, ids[5][16] = {{1}, {2}, {3}, {4}, {5}};
static const struct link_head head = {.plan_serial = UINT64_C(0x1122334455667788), .received_us = 1234567890123, .vendor = {"mixpanel", 8}, .leaf_bytes = 2};
enum { COUNT_AT = 21 + 8, FIRST = COUNT_AT + 4, SECOND = FIRST + 2 + 8 + 2 + 2 * 16 };

static void make(struct buf *b)
{
	buf_init(b, 0);
	buf_adds(b, "xx");	/* a frame may begin anywhere */
	size_t began = link_begin(b, &head);
	link_add(b, &head, &(struct link_one){.n = 2, .persons = 1, .attributes = attributes, .leaves = leaves, .subjects = ids[0]});
	link_add(b, &head, &(struct link_one){.n = 3, .persons = 3, .attributes = attributes, .leaves = leaves, .subjects = ids[2]});
	link_finish(b, began, 2);
}

static void round_trip(void **state)
{
	(void)state;
	struct buf b;
	struct link_frame f;
	struct link_one k;
	struct err err;
	make(&b);
	assert_int_equal(link_parse(b.data + 2, b.len - 2, &f, &err), 0);
	assert_true(f.head.plan_serial == head.plan_serial && f.head.received_us == head.received_us && f.head.leaf_bytes == 2);
	assert_true(span_eq(f.head.vendor, "mixpanel"));
	assert_int_equal(f.count, 2);
	for (int i = 0; i < 2; i++) {
		link_next(&f, &k);
		assert_int_equal(k.n, 2 + i);
		assert_int_equal(k.persons, i ? 3 : 1);
		assert_memory_equal(k.attributes, attributes, 8);
		assert_memory_equal(k.leaves, leaves, 2);
		assert_memory_equal(k.subjects, ids[2 * i], 16 * (size_t)k.n);
	}
	buf_release(&b);
}

static void refused(const uint8_t *p, size_t n, const char *what)
{
	struct link_frame f;
	struct err err;
	uint8_t *copy = malloc(n ? n : 1);	/* its own block, so that a read past the end is seen */
	memcpy(copy, p, n);
	if (link_parse(copy, n, &f, &err) == 0)
		fail_msg("%s, %zu bytes: accepted", what, n);
	assert_int_equal(err.code, ERR_CORRUPT);
	free(copy);
}

static void lies(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
	} rows[] = {
		{0, 2}, {2, 1}, {2, 255}, {20, 7}, {20, 255}, {COUNT_AT, 1}, {COUNT_AT, 3}, {COUNT_AT + 3, 255}, {FIRST, 1}, {FIRST, 3},
		{FIRST + 1, 0}, {FIRST + 1, 3}, {SECOND, 255}, {SECOND, 0}, {SECOND + 1, 4},
	};
	struct buf b;
	make(&b);
	for (size_t n = 0; n < b.len - 2; n++)
		refused(b.data + 2, n, "cut");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t *at = b.data + 2 + rows[i].at, was = *at;
		*at = rows[i].value;
		refused(b.data + 2, b.len - 2, "lie");
		*at = was;
	}
	buf_addc(&b, 0);
	refused(b.data + 2, b.len - 2, "longer");
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(lies)};
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
