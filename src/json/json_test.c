#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json/json.h"

static int check(const char *s, size_t n, const struct json_limits *l, struct err *err)
{
	char *p = calloc(1, n + JSON_PAD);
	memcpy(p, s, n);
	int r = json_check(p, n, l, err);
	free(p);
	return r;
}

static const enum json_kernel kernels[] = {JSON_PLAIN, JSON_SSE2, JSON_AVX2};

static size_t read_file(const char *path, char **out)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	*out = calloc(1, (1 << 20) + JSON_PAD);
	size_t n = fread(*out, 1, 1 << 20, f);
	fclose(f);
	return n;
}

static void json_test_suite(void **state)
{
	(void)state;
	char dir[512], path[1024];
	const char *data = getenv("WEIR_TESTDATA");
	snprintf(dir, sizeof dir, "%s/jsontestsuite", data ? data : "../../shared/testdata");
	DIR *d = opendir(dir);
	if (!d && !data) {
		snprintf(dir, sizeof dir, "../shared/testdata/jsontestsuite");
		d = opendir(dir);
	}
	if (!d) {
		printf("skipped: no test data at %s\n", dir);
		skip();
	}
	unsigned yes = 0, no = 0;
	for (struct dirent *e; (e = readdir(d));) {
		if (strlen(e->d_name) < 6 || strcmp(e->d_name + strlen(e->d_name) - 5, ".json") != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		char *text;
		size_t n = read_file(path, &text);
		for (size_t k = 0; k < 3; k++) {
			struct err err = {0};
			if (!json_kernel_force(kernels[k]))
				continue;
			int r = json_check(text, n, NULL, &err);
			if ((e->d_name[0] == 'y' && r != 0) || (e->d_name[0] == 'n' && r == 0))
				fail_msg("%s: kernel %zu says %d at %zu: %s", e->d_name, k, r, err.off, err.msg);
		}
		yes += e->d_name[0] == 'y';
		no += e->d_name[0] == 'n';
		free(text);
	}
	closedir(d);
	printf("JSONTestSuite: %u y_ accepted, %u n_ refused\n", yes, no);
	assert_true(yes >= 95 && no >= 187);
}

static void errors_point(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum err_code code;
		size_t off;
	} rows[] = {
		{"", ERR_SYNTAX, 0}, {"{\"a\":1,}", ERR_SYNTAX, 7}, {"{\"a\" 1}", ERR_SYNTAX, 5}, {"[1,2", ERR_SYNTAX, 4},
		{"\"abc", ERR_SYNTAX, 4}, {"[\"a\\x\"]", ERR_SYNTAX, 3}, {"[01]", ERR_SYNTAX, 2}, {"[1.]", ERR_SYNTAX, 3},
		{"[\"\t\"]", ERR_SYNTAX, 2}, {"[\"\xc0\xaf\"]", ERR_SYNTAX, 2}, {"[\"\xed\xa0\x80\"]", ERR_SYNTAX, 2},
		{"[1]x", ERR_SYNTAX, 3}, {"[1] \x0c", ERR_SYNTAX, 4}, {"{\"a\":tru}", ERR_SYNTAX, 8}, {"nul", ERR_SYNTAX, 3},
		{"[[[[[1]]]]]", ERR_LIMIT, 4}, {"{\"a\":1,\"b\":2,\"c\":3,\"d\":4}", ERR_LIMIT, ERR_NOOFF},
		{"[1,]\xff", ERR_SYNTAX, 3}, {"[\"\\u12\"]", ERR_SYNTAX, 2}, {"[1]\xff", ERR_SYNTAX, 3},
	};
	struct json_limits l = {.depth = 4, .keys = 3};
	for (size_t k = 0; k < 3; k++) {
		if (!json_kernel_force(kernels[k]))
			continue;
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
			struct err err = {.off = ERR_NOOFF};
			int r = check(rows[i].text, strlen(rows[i].text), &l, &err);
			if (r != -1 || err.code != rows[i].code || err.off != rows[i].off)
				fail_msg("kernel %zu row %zu: %d code %d off %zu (%s)", k, i, r, (int)err.code, err.off, err.msg);
		}
	}
}

/* At every alignment, and with long strings in front. */
static void seams(void **state)
{
	enum { WIDE = 4096 };
	(void)state;
	static const char piece[] = "{\"k\\\\\\\"\":[1,-2.5e+3,\"\\u00e9\\ud83d\\ude00\",\"\xf0\x9f\x98\x80\",true,null]}";
	char *text = calloc(1, 2 * WIDE + JSON_PAD);
	for (size_t k = 0; k < 3; k++) {
		if (!json_kernel_force(kernels[k]))
			continue;
		for (size_t pad = 0; pad < 200; pad++) {
			size_t lead = (pad < 100 ? 0 : WIDE - 100) + pad, n = sizeof piece - 1;
			struct err err = {0};
			memset(text, ' ', lead);
			memcpy(text + lead, piece, n);
			memset(text + lead + n, 0, JSON_PAD);
			if (json_check(text, lead + n, NULL, &err) != 0)
				fail_msg("kernel %zu pad %zu: %zu %s", k, pad, err.off, err.msg);
			text[0] = '"';	/* the same bytes inside a string: backslashes in place */
			text[lead + n - 1] = 'x';
			assert_int_equal(json_check(text, lead + n, NULL, &err), -1);
		}
	}
	free(text);
}

static uint64_t rng = 88172645463325252ull;
static uint32_t rnd(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 33) % n;
}

static void kernels_agree(void **state)
{
	(void)state;
	static const char seed[] = "[{\"event\":\"a\\nb\",\"properties\":{\"x\":-1.5e3,\"y\":[true,false,null,\"\\u0040\"],"
				   "\"gr\xc3\xb6\xc3\x9f\x65\":\"\xe6\x9d\xb1\xe4\xba\xac \xf0\x9f\x98\x80\",\"long\":\"0123456789abcdef0123456789"
				   "abcdef0123456789abcdef\\\\\\\"\"}},{\"a\":{}},[],\"\",0,-0,1e400,12345678901234567890]";
	static const char bytes[] = "{}[]:,\"\\ \t\n\r\x01\x0c\x1a\x7f\x80\xc3\xe6\xf0\xff" "0123456789eE+-.utrfalsn/b";
	enum { ROUNDS = 200000 };
	unsigned good = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		char text[sizeof seed + 16 + JSON_PAD] = {0};
		size_t n = sizeof seed - 1;
		memcpy(text, seed, n);
		for (uint32_t m = rnd(4); m > 0; m--) {
			size_t at = rnd((uint32_t)n);
			char c = bytes[rnd(sizeof bytes - 1)];
			if (rnd(3) == 0 && n < sizeof seed + 15) {
				memmove(text + at + 1, text + at, n - at);
				n++;
			} else if (rnd(6) == 0) {
				memmove(text + at, text + at + 1, n - at);
				n--;
				continue;
			}
			text[at] = c;
		}
		struct err want = {0};
		json_kernel_force(JSON_PLAIN);
		int r = json_check(text, n, NULL, &want);
		good += r == 0;
		for (size_t k = 1; k < 3; k++) {
			struct err err = {0};
			if (!json_kernel_force(kernels[k]))
				continue;
			int got = json_check(text, n, NULL, &err);
			if (got != r || err.off != want.off || err.code != want.code)
				fail_msg("round %u kernel %zu: %d at %zu, plain %d at %zu", round, k, got, err.off, r, want.off);
		}
	}
	printf("kernels agree on %d mutated texts, %u of them valid\n", ROUNDS, good);
	assert_true(good > ROUNDS / 10 && good < ROUNDS);
}

static void unescaping(void **state)
{
	(void)state;
	static const struct {
		const char *raw, *text;
	} rows[] = {
		{"", ""}, {"abc", "abc"}, {"a\\u0040b", "a@b"}, {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
		{"\\ud83d\\ude00", "\xf0\x9f\x98\x80"}, {"\\u00E9", "\xc3\xa9"}, {"\\u20ac!", "\xe2\x82\xac!"},
		{"\\ud800", NULL}, {"\\udc00\\ud800", NULL}, {"\\ud800\\u0041", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char out[64];
		ssize_t n = json_unescape(rows[i].raw, strlen(rows[i].raw), out);
		if (!rows[i].text) {
			assert_int_equal(n, -1);
			continue;
		}
		assert_int_equal(n, strlen(rows[i].text));
		assert_memory_equal(out, rows[i].text, (size_t)n);
	}
	char out[64];
	assert_int_equal(json_unescape_lossy("\\ud800\\u0041", 12, out), 4);
	assert_memory_equal(out, "\xef\xbf\xbd" "A", 4);
	struct buf b;
	buf_init(&b, 0);
	json_escape(&b, "a\"b\\c\n\x01/\xc3\xa9", 10);
	assert_string_equal((char *)b.data, "a\\\"b\\\\c\\n\\u0001/\xc3\xa9");
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_test_suite), cmocka_unit_test(errors_point), cmocka_unit_test(seams),
		cmocka_unit_test(kernels_agree), cmocka_unit_test(unescaping),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
