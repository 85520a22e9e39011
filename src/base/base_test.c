/* base: vectors from the documents that the helpers implement, and the ceilings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libdeflate.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/csv.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/inflate.h"

static void tables(void **state)
{
	(void)state;
	static const struct {
		const char *text, *cells;	/* cells end in | and rows in /, an open quote is ? */
	} rows[] = {	/* RFC 4180 section 2, and what spreadsheets write besides */
		{"", ""}, {"a", "a|/"}, {"aaa,bbb\r\nzzz,yyy\r\n", "aaa|bbb|/zzz|yyy|/"}, {"aaa,bbb\nzzz,yyy", "aaa|bbb|/zzz|yyy|/"},
		{"\"aaa\",\"b\r\nbb\",ccc", "aaa|b\r\nbb|ccc|/"}, {"\"b\"\"bb\",c", "b\"bb|c|/"}, {"\"\",", "||/"}, {",", "||/"},
		{"a,\n\n\r\nb", "a||/b|/"}, {"\xef\xbb\xbfid,x", "id|x|/"}, {"a,\"b", "a|?"}, {"a,\"b\"\"", "a|?"}, {"\"a\" x,b", "a x|b|/"},
		{"a\"b,c", "a\"b|c|/"}, {"a\r", "a|/"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct csv c = csv_of(rows[i].text, strlen(rows[i].text));
		struct buf cell, got;
		buf_init(&cell, 0);
		buf_init(&got, 0);
		buf_adds(&got, "");
		enum csv_cell step = CSV_LAST;
		while (step != CSV_OPEN && csv_row(&c)) {
			do {
				step = csv_cell(&c, &cell);
				buf_add(&got, step == CSV_OPEN ? NULL : cell.data, step == CSV_OPEN ? 0 : cell.len);
				buf_addc(&got, step == CSV_OPEN ? '?' : '|');
			} while (step == CSV_MORE);
			if (step == CSV_LAST)
				buf_addc(&got, '/');
		}
		assert_string_equal(got.data ? (const char *)got.data : "", rows[i].cells);
		buf_release(&cell);
		buf_release(&got);
	}
	struct csv c = csv_of("a\n\"x\ny\"\nb", 10);
	struct buf cell;
	buf_init(&cell, 0);
	size_t lines[3], n = 0;
	while (csv_row(&c) && n < 3) {
		lines[n++] = c.line;
		assert_int_equal(csv_cell(&c, &cell), CSV_LAST);
	}
	assert_int_equal(n, 3);
	assert_true(lines[0] == 1 && lines[1] == 2 && lines[2] == 4);
	buf_release(&cell);
}

static void encodings(void **state)
{
	(void)state;
	static const struct {
		const char *plain, *b64, *b32;
	} rows[] = {	/* RFC 4648 section 10 */
		{"", "", ""}, {"f", "Zg==", "my"}, {"fo", "Zm8=", "mzxq"}, {"foo", "Zm9v", "mzxw6"},
		{"foob", "Zm9vYg==", "mzxw6yq"}, {"fooba", "Zm9vYmE=", "mzxw6ytb"}, {"foobar", "Zm9vYmFy", "mzxw6ytboi"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char out[64], back[64];
		base64_encode(rows[i].plain, strlen(rows[i].plain), out);
		assert_string_equal(out, rows[i].b64);
		ssize_t n = base64_decode(out, strlen(out), back);
		assert_int_equal(n, strlen(rows[i].plain));
		assert_memory_equal(back, rows[i].plain, (size_t)n);
		base32_encode(rows[i].plain, strlen(rows[i].plain), out);
		assert_string_equal(out, rows[i].b32);
	}
	char back[64];
	assert_int_equal(base64_decode("Zg", 2, back), 1);
	assert_int_equal(base64_decode("Z", 1, back), -1);
	assert_int_equal(base64_decode("Z!==", 4, back), -1);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);	/* RFC 3720 B.4 polynomial, check value */
	uint8_t raw[2];
	assert_true(hex_decode("0aFF", 4, raw, 2));
	assert_int_equal(raw[1], 255);
	assert_false(hex_decode("0aFg", 4, raw, 2));
}

static void dates(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t want;
		bool ok;
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0, true}, {"2026-01-15", 1768435200, true}, {"2024-02-29T12:00:00+02:00", 1709200800, true},
		{"2023-02-29", 0, false}, {"2026-13-01", 0, false}, {"2026-01-01T24:00:00Z", 0, false}, {"2026-01-01T00:00:00", 0, false},
		{"2026-01-01T00:00:00.Z", 0, false}, {"2026-01-01T00:00:00.5Z", 1767225600, true}, {"", 0, false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t got = 0;
		assert_int_equal(clock_parse(rows[i].text, strlen(rows[i].text), &got), rows[i].ok);
		if (rows[i].ok)
			assert_int_equal(got, rows[i].want);
	}
	char out[21];
	clock_format(-1, out);
	assert_string_equal(out, "1969-12-31T23:59:59Z");
}

static void ceilings(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 4);
	buf_adds(&b, "abc");
	buf_adds(&b, "de");
	assert_true(b.over);
	assert_int_equal(b.len, 3);
	buf_release(&b);
	struct arena a;
	arena_init(&a, 100);
	assert_non_null(arena_alloc(&a, 80));
	assert_null(arena_alloc(&a, 80));
	assert_null(arena_alloc(&a, 1));
	arena_release(&a);
}

static void bombs(void **state)
{
	(void)state;
	static char zeros[1 << 20], packed[1 << 16];
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
	size_t n = libdeflate_gzip_compress(c, zeros, sizeof zeros, packed, sizeof packed);
	libdeflate_free_compressor(c);
	struct err err;
	struct buf out;
	buf_init(&out, 0);
	assert_int_equal(inflate_body(INFLATE_GZIP, packed, n, 1 << 20, &out, &err), 0);
	assert_int_equal(out.len, 1 << 20);
	buf_reset(&out);
	assert_int_equal(inflate_body(INFLATE_GZIP, packed, n, (1 << 20) - 1, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	buf_reset(&out);
	assert_int_equal(inflate_body(INFLATE_GZIP, packed, n - 1, 1 << 20, &out, &err), -1);	/* code: the cut may read as overlong output */
	buf_release(&out);
}

static void suggestions(void **state)
{
	(void)state;
	static const char *const words[] = {"keep", "drop", "pseudonym"};
	assert_string_equal(diag_nearest("kepe", 4, words, 3), "keep");
	assert_string_equal(diag_nearest("pseudonim", 9, words, 3), "pseudonym");
	assert_null(diag_nearest("xyzzy", 5, words, 3));
}

static void json_strings(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 0);
	buf_add_json(&b, "a\"\\\n\x01\xc3\xa4\xff\b\t\f\r", 12);
	assert_string_equal((char *)b.data, "\"a\\\"\\\\\\n\\u0001\xc3\xa4\xef\xbf\xbd\\b\\t\\f\\r\"");
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodings),
		cmocka_unit_test(tables), cmocka_unit_test(dates), cmocka_unit_test(ceilings),
		cmocka_unit_test(bombs), cmocka_unit_test(suggestions), cmocka_unit_test(json_strings),
	};
	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
