/* Records: where in a JSON text something was found, in the bytes as they stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "detect/record.h"

struct seen {
	struct buf out;
	const char *text;
};

static void note(void *arg, const char *pointer, const struct detect_hit *h)
{
	struct seen *s = arg;
	buf_addf(&s->out, "%s%s=%s<%.*s>", s->out.len ? " " : "", pointer, detect_name(h->type), (int)(h->end - h->start),
		 s->text + h->start);
}

static void places(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
		bool json;
	} rows[] = {
		{"write to ann@example.org", "=email<ann@example.org>", false},
		{"\"ann@example.org\"", "=email<ann@example.org>", true},
		{"{\"a\":[[{\"b\":\"x@y.de\"}]]}", "/a/0/0/b=email<x@y.de>", true},
		{"{\"a/b~c\":\"x@y.de\"}", "/a~1b~0c=email<x@y.de>", true},
		{"{ \"a\" : [ 1 , null , \"x@y.de\" , true ] , \"b\" : \"203.0.113.9\" }", "/a/2=email<x@y.de> /b=ipv4<203.0.113.9>", true},
		{"{\"a\":\"\\u00e9\\n\\ud83d\\ude00 x\\u0040y.de \\\"\"}", "/a=email<x\\u0040y.de>", true},
		{"{\"a\":\"\\ud800 x@y.de\"}", "/a=email<x@y.de>", true},
		{"{\"a\":\"x@y.d\\u0065\",\"b\":1}", "/a=email<x@y.d\\u0065>", true},
		{"{\"x@y.de\":{\"plan\":\"pro\",\"mail\":\"a@b.cd\"}}", "/[KEY]=email<x@y.de> /[KEY]/mail=email<a@b.cd>", true},
		{"{\"votes\":{\"+4930123456789\":1}}", "/votes/[KEY]=phone<+4930123456789>", true},
		{"{\"15552345678\":\"x@y.de\"}", "/[KEY]=email<x@y.de>", true},
		{"{\"phone\":15552345678}", "/phone=phone<15552345678>", true},
		{"{\"home_phone\":\"030 1234567\"}", "/home_phone=phone<030 1234567>", true},
		{"{\"telefon\":\"491511234567\",\"n\":\"491511234567\"}", "/telefon=phone<491511234567>", true},
		{"{\"geburtsdatum\":\"1980-12-31\",\"n\":\"1980-12-31\"}", "/geburtsdatum=dob<1980-12-31>", true},
		{"{\"phones\":{\"cell\":[5552345678]}}", "/phones/cell/0=phone<5552345678>", true},
		{"{\"pan\":4111111111111111,\"n\":4111111111111112}", "/pan=card<4111111111111111>", true},
		{"{\"app_version\":\"1.2.3.4\",\"ip\":\"1.2.3.4\"}", "/ip=ipv4<1.2.3.4>", true},
		{"{\"t\":1737000000000,\"id\":\"550e8400-e29b-41d4-a716-446655440000\"}", "", true},
		{"{\"args\":\"{\\\"email\\\":\\\"x@y.de\\\"}\"}", "/args=email<x@y.de>", true},
		{"{\"a\":\"x@y.de\"", "=email<x@y.de>", false},
		{"{\"a\":\"x@y.de\",}", "=email<x@y.de>", false},
		{"[]", "", true},
		{"", "", false},
		{"203.0.113.9", "=ipv4<203.0.113.9>", false},
	};
	struct detect_record r;
	detect_record_init(&r);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t n = strlen(rows[i].text);
		char *p = xcalloc(n + 64, 1);
		memcpy(p, rows[i].text, n);
		struct seen s = {.text = p};
		buf_init(&s.out, 0);
		buf_add(&s.out, "", 0);
		assert_int_equal(detect_record_scan(&r, p, n, DETECT_ALL, note, &s), rows[i].json);
		assert_string_equal((char *)s.out.data, rows[i].want);
		buf_release(&s.out);
		free(p);
	}
	detect_record_release(&r);
}

static void deep(void **state)
{
	(void)state;
	enum { LEVELS = 2000 };
	char *p = xcalloc(2 * LEVELS + 16 + 64, 1);
	memset(p, '[', LEVELS);
	memcpy(p + LEVELS, "\"x@y.de\"", 8);
	memset(p + LEVELS + 8, ']', LEVELS);
	struct detect_record r;
	struct seen s = {.text = p};
	detect_record_init(&r);
	buf_init(&s.out, 0);
	assert_false(detect_record_scan(&r, p, 2 * LEVELS + 8, DETECT_ALL, note, &s));	/* too deep: looked at as text */
	assert_string_equal((char *)s.out.data, "=email<x@y.de>");
	buf_release(&s.out);
	detect_record_release(&r);
	free(p);
}

static void tables(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"a,mail\r\n1,x@y.de\r\n", "/mail=email<x@y.de>"}, {"a\tmail\n1\tx@y.de", "/mail=email<x@y.de>"}, {"a;mail\n1;x@y.de\n", "/mail=email<x@y.de>"},
		{"x@y.de,b\n1,2", "=email<x@y.de>"}, {"a,b\n\"x@y.de, \"\"q\"\"\",a@b.cd", "/a=email<x@y.de> /b=email<a@b.cd>"}, {"a\n\"x@y.de", "/a=email<x@y.de>"},
		{"a\n\"\"x@y.de", "/a=email<x@y.de>"}, {"a\n\"1\"x@y.de", "/a=email<x@y.de>"},
		{"phone,n\n15552345678,15552345678\n", "/phone=phone<15552345678>"}, {"a\n1,2,x@y.de", "=email<x@y.de>"}, {"", ""}, {"\"", ""}, {"\n\n\n", ""},
	};
	struct detect_record r;
	detect_record_init(&r);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t n = strlen(rows[i].text);
		char *text = xcalloc(n + 64, 1);
		memcpy(text, rows[i].text, n);
		struct seen s = {.text = text};
		buf_init(&s.out, 0);
		detect_record_table(&r, text, n, DETECT_ALL, note, &s);
		if (strcmp(s.out.len ? (char *)s.out.data : "", rows[i].want) != 0)
			fail_msg("row %zu: %.*s", i, (int)s.out.len, s.out.len ? (char *)s.out.data : "");
		buf_release(&s.out);
		free(text);
	}
	detect_record_release(&r);
}

/* A table wider than its names: every cell is looked at. */
static void wide_table(void **state)
{
	(void)state;
	enum { COLUMNS = 5000 };
	struct detect_record r;
	struct seen s = {0};
	struct buf b;
	buf_init(&b, 0);
	buf_init(&s.out, 0);
	for (int i = 0; i < COLUMNS; i++)
		buf_adds(&b, i ? ",a" : "a");
	buf_adds(&b, "\n");
	for (int i = 0; i < COLUMNS; i++)
		buf_adds(&b, ",");
	buf_adds(&b, "x@y.de");
	must(buf_reserve(&b, 64));
	memset(b.data + b.len, 0, 64);
	s.text = (char *)b.data;
	detect_record_init(&r);
	detect_record_table(&r, (char *)b.data, b.len, DETECT_ALL, note, &s);
	assert_string_equal((char *)s.out.data, "=email<x@y.de>");
	detect_record_release(&r);
	buf_release(&s.out);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(places), cmocka_unit_test(deep), cmocka_unit_test(tables), cmocka_unit_test(wide_table)};
	return cmocka_run_group_tests_name("detect_record", tests, NULL, NULL);
}
