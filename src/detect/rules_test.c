/* A user's own detectors: what is read, what is refused and where, and what is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "detect/rules.h"

#define HEAD "weir: 1\ndetectors:\n"
#define KD "  - {name: customer_no, pattern: 'KD-[0-9]{6}', check: luhn, examples: [KD-123455], counterexamples: [KD-123456, KD-12345]}\n"
#define BADGE "  - {name: hr.badge, pattern: '\\bB[0-9]{5}\\b', context: [badge, ausweis], examples: ['badge B12345'], counterexamples: [B12345]}\n"

static struct detect_rules *read_text(const char *text, struct buf *said)
{
	struct diags d;
	diags_init(&d, "own.yaml");
	struct detect_rules *r = detect_rules_read(text, strlen(text), &d);
	buf_init(said, 0);
	buf_adds(said, "");
	diags_print(&d, said);
	diags_release(&d);
	return r;
}

static void own_rules_find(void **state)
{
	static const char text[] = "mail ann@example.org, KD-123455 and KD-123456; my badge: B12345, seat B12345";
	struct detect_hit hits[8];
	struct buf said;
	struct detect_rules *r = read_text(HEAD KD BADGE, &said);
	(void)state;
	assert_non_null(r);
	assert_int_equal(detect_rules_count(r), 2);
	struct detect_room *room = detect_room_new(r);
	char *p = xcalloc(sizeof text + 64, 1);
	memcpy(p, text, sizeof text - 1);
	size_t n = detect_scan_with(r, room, p, sizeof text - 1, DETECT_ALL, hits, 8);
	assert_int_equal(n, 4);	/* "badge" is near enough for both */
	assert_int_equal(hits[0].type, DETECT_EMAIL);
	assert_string_equal(hits[1].kind->name, "customer_no");
	assert_string_equal(hits[1].kind->placeholder, "[CUSTOMER_NO]");
	assert_memory_equal(text + hits[1].start, "KD-123455", hits[1].end - hits[1].start);
	assert_string_equal(hits[2].kind->name, "hr.badge");
	assert_int_equal(hits[2].tier, DETECT_WEAK);
	assert_int_equal(detect_scan_with(r, room, p, sizeof text - 1, DETECT_BIT(DETECT_EMAIL), hits, 8), 1);
	n = detect_scan_with(r, room, p, sizeof text - 1, DETECT_ALL, hits, 2);
	assert_int_equal(n, 2);
	assert_int_equal(hits[1].end, sizeof text - 1);	/* no room: the last reaches to the end */
	free(p);
	detect_room_free(&room);
	detect_rules_free(&r);
	buf_release(&said);
}

static void mistakes_are_told(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"weir: 2\ndetectors:\n" KD, "[format_version]"},
		{"weir: 1\n", "[missing_key]"},
		{HEAD "  - {name: customer_no, pattern: 'KD-[0-9]{6}', check: luhn, examples: [KD-123456]}\n", "this example isn't found"},
		{HEAD "  - {name: a_b, pattern: 'KD-[0-9]{6}', examples: [KD-123456], counterexamples: [KD-123455]}\n", "this counterexample is found"},
		{HEAD "  - {name: a_b, pattern: 'KD-[0-9', examples: [x]}\n", "3:26: error: the pattern is none"},
		{HEAD "  - {name: a_b, pattern: '.*', examples: [x]}\n", "fewer than four bytes"},
		{HEAD "  - {name: a_b, pattern: '[0-9]{8}', examples: ['12345678']}\n", "warning: no three fixed characters"},
		{HEAD "  - {name: a_b, pattern: 'KD-(?=x)[0-9]{6}', examples: [x]}\n", "the pattern is none"},
		{HEAD "  - {name: email, pattern: 'KD-[0-9]{6}', examples: [KD-123456]}\n", "not that of a kind"},
		{HEAD KD KD, "[duplicate_value]"},
		{HEAD "  - {name: a_b, pattern: 'KD-[0-9]{6}', check: crc, examples: [KD-123456]}\n", "[unknown_word]"},
		{HEAD "  - {name: a_b, pattern: 'KD-[0-9]{6}', examples: []}\n", "has an example"},
		{HEAD "  - {name: a_b, pattern: 'KD-[0-9]{6}', examples: [KD-123456], context: [Kunde]}\n", "two letters a-z"},
		{HEAD "  - {name: a_b, pattern: 'KD-[0-9]{6}', exmaples: [KD-123456]}\n", "[unknown_key]"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf said;
		struct detect_rules *r = read_text(rows[i].text, &said);
		if (!strstr((char *)said.data, rows[i].says) || (r == NULL) != (strstr((char *)said.data, "error:") != NULL))
			fail_msg("row %zu: %s", i, (char *)said.data);
		detect_rules_free(&r);
		buf_release(&said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(own_rules_find), cmocka_unit_test(mistakes_are_told)};
	return cmocka_run_group_tests_name("detect_rules", tests, NULL, NULL);
}
