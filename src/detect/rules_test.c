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

/* What Weir's own kinds would see, own ones see, too; and what a hit leaves beside it is looked at again. */
static void hidden_forms(void **state)
{
	static const struct {
		const char *text, *hit;	/* NULL: none */
		unsigned via;
	} rows[] = {
		{"a KD%2D123455 b", "KD%2D123455", DETECT_VIA_PERCENT}, {"a KD\\u002d123455 b", "KD\\u002d123455", DETECT_VIA_ESCAPE},
		{"a KD&#45;123455 b", "KD&#45;123455", DETECT_VIA_ESCAPE}, {"a KD-12\u200b3455 b", "KD-12\u200b3455", DETECT_VIA_LOOKALIKE},
		{"a S0QtMTIzNDU1 b", "S0QtMTIzNDU1", DETECT_VIA_BASE64}, {"a 4b442d313233343535 b", "4b442d313233343535", DETECT_VIA_HEX},
		{"a UzBRdE1USXpORFUx b", "UzBRdE1USXpORFUx", DETECT_VIA_BASE64},
		{"a KD%2D123456 b", NULL, 0}, {"a S0QtMTIzNDU2 b", NULL, 0},
	};
	struct buf said;
	struct detect_rules *r = read_text(HEAD KD BADGE, &said);
	struct detect_room *room = detect_room_new(r);
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct detect_hit hits[4];
		char text[128 + 64] = {0};
		size_t len = strlen(rows[i].text);
		memcpy(text, rows[i].text, len);
		size_t n = detect_scan_with(r, room, text, len, DETECT_BIT(DETECT_CUSTOM), hits, 4);
		const char *at = rows[i].hit ? strstr(text, rows[i].hit) : NULL;
		bool same = rows[i].hit ? n == 1 && hits[0].start == (size_t)(at - text) && hits[0].end - hits[0].start == strlen(rows[i].hit) &&
						  hits[0].via & rows[i].via && strcmp(hits[0].kind->name, "customer_no") == 0
					: n == 0;
		if (!same)
			fail_msg("%s: %zu hits", text, n);
	}
	detect_room_free(&room);
	detect_rules_free(&r);
	buf_release(&said);
}

/* 5S-12345 is no seat; once what stands before it is taken out, it is one, and would be found in what is left. */
static void gaps_are_looked_at_again(void **state)
{
	static const char said_so[] = "a KD-123455S-12345 b", innocent[] = "a KD-123456S-12345 b";
	struct detect_hit hits[4];
	struct buf said;
	struct detect_rules *r = read_text(HEAD KD "  - {name: seat, pattern: '\\bS-[0-9]{5}\\b', examples: [S-12345]}\n", &said);
	struct detect_room *room = detect_room_new(r);
	char text[sizeof said_so + 64] = {0};
	(void)state;
	memcpy(text, said_so, sizeof said_so);
	assert_int_equal(detect_scan_with(r, room, text, sizeof said_so - 1, DETECT_ALL, hits, 4), 2);
	assert_string_equal(hits[0].kind->name, "customer_no");
	assert_string_equal(hits[1].kind->name, "seat");
	memcpy(text, innocent, sizeof innocent);
	assert_int_equal(detect_scan_with(r, room, text, sizeof innocent - 1, DETECT_ALL, hits, 4), 0);
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
	const struct CMUnitTest tests[] = {cmocka_unit_test(own_rules_find), cmocka_unit_test(hidden_forms), cmocka_unit_test(gaps_are_looked_at_again),
					   cmocka_unit_test(mistakes_are_told)};
	return cmocka_run_group_tests_name("detect_rules", tests, NULL, NULL);
}
