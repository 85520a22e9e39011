/* Names of people: the rows' own examples, what ends a name, and that long texts take time in proportion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/err.h"
#include "detect/detect.h"
#include "detect/names_rows.h"

enum { HITS = 64 };

/* The names that are found, with "|" between. */
static const char *names_in(const char *text, uint64_t types)
{
	static char out[4096];
	struct detect_hit hits[HITS];
	size_t n = strlen(text), at = 0;
	char *padded = calloc(1, n + 64);
	memcpy(padded, text, n);
	size_t k = detect_scan(padded, n, types, hits, HITS);
	out[0] = 0;
	for (size_t i = 0; i < k; i++) {
		assert_true(hits[i].start < hits[i].end && hits[i].end <= n);
		if (hits[i].type == DETECT_NAME) {
			assert_int_equal(hits[i].tier, DETECT_WEAK);
			at += (size_t)snprintf(out + at, sizeof out - at, "%s%.*s", at ? "|" : "", (int)(hits[i].end - hits[i].start), padded + hits[i].start);
		}
	}
	free(padded);
	return out;
}

static void examples(void **state)
{
	unsigned bad = 0, n = 0;
	(void)state;
	for (const struct name_example *x = name_examples; x->text; x++, n++) {
		const char *got = names_in(x->text, DETECT_BIT(DETECT_NAME));
		if (strcmp(got, x->found ? x->found : "") == 0)
			continue;
		bad++;
		print_error("%s: %s, not %s\n", x->text, got, x->found ? x->found : "nothing");
	}
	assert_true(n > 40);
	assert_int_equal(bad, 0);
}

static void only_when_asked(void **state)
{
	(void)state;
	assert_string_equal(names_in("my name is Ann Lee", DETECT_ALL), "");
	assert_string_equal(names_in("my name is Ann Lee", DETECT_ALL | DETECT_BIT(DETECT_NAME)), "Ann Lee");
	assert_int_equal(detect_type_of("name", 4), DETECT_NAME);
	assert_string_equal(detect_placeholder(DETECT_NAME), "[NAME]");
}

static void what_ends_a_name(void **state)
{
	static const struct {
		const char *text, *found;
	} rows[] = {
		{"my name is Ann and I", "Ann"}, {"my name is Ann. Please", "Ann"}, {"my name is Ann Mary Louise Beth Claire", "Ann Mary Louise Beth"},
		{"my name is: Ann", "Ann"}, {"MY NAME IS ANN LEE", "ANN LEE"}, {"my  name is Ann", ""}, {"Hi Ann! Hi Bob!", "Ann|Bob"},
		{"Dear Mr. and Mrs. Smith", "Smith"}, {"Dear Dr. Ann Lee", "Ann Lee"}, {"Herr von der Leyen kam", "von der Leyen"}, {"Maria de la Cruz sang", "Maria de la Cruz"},
		{"Jean-Luc Picard", "Jean-Luc Picard"}, {"J. R. R. Tolkien, said Mr. J. Smith", "J. Smith"}, {"Mr. D\xe2\x80\x99" "Angelo", "D\xe2\x80\x99" "Angelo"},
		{"name=Ann&plan=pro", "Ann"}, {"{\"name\": \"Ann Lee\"}", "Ann Lee"}, {"file_name: Report", ""}, {"customer.last_name: Lee", "Lee"},
		{"Ann\xc2\xa0Lee", "Ann\xc2\xa0Lee"}, {"\xff\xfe Ann Lee \xff", "Ann Lee"}, {"I am Ann", "Ann"}, {"I am Sure", ""}, {"Thanks, Ann", "Ann"},
		{"Thanks, Team", ""}, {"Katarzyna Nowak napisala", "Katarzyna Nowak"}, {"\xce\x9c\xce\xb1\xcf\x81\xce\xaf\xce\xb1 \xce\x9d\xce\xbf\xce\xbc\xce\xb9\xce\xba\xce\xbf\xcf\x8d", "\xce\x9c\xce\xb1\xcf\x81\xce\xaf\xce\xb1 \xce\x9d\xce\xbf\xce\xbc\xce\xb9\xce\xba\xce\xbf\xcf\x8d"},
		{"write to ann.lee@example.com, Ann Lee", "Ann Lee"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(names_in(rows[i].text, DETECT_ALL | DETECT_BIT(DETECT_NAME)), rows[i].found) != 0)
			fail_msg("%s: %s, not %s", rows[i].text, names_in(rows[i].text, DETECT_ALL | DETECT_BIT(DETECT_NAME)), rows[i].found);
}

/* What was taken out leaves nothing that is found again, and a megabyte takes less than a second of processor time. */
static void long_texts(void **state)
{
	static const char *const units[] = {"my name is ", "Ann Lee ", "Dear ", "Mr. ", "a ", "name:", "von ", "\xc3\x96", "Ann", "'", "best regards, ", "my name is Ann Lee. "};
	enum { N = 1 << 20 };
	char *text = calloc(1, N + 64);
	struct detect_hit *hits = calloc(N, sizeof *hits);
	(void)state;
	for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
		size_t len = strlen(units[u]), n = 0;
		for (; n + len <= N; n += len)
			memcpy(text + n, units[u], len);
		memset(text + n, 0, (size_t)N + 64 - n);
		clock_t began = clock();
		detect_scan(text, n, DETECT_ALL | DETECT_BIT(DETECT_NAME), hits, N);
		double took = (double)(clock() - began) / CLOCKS_PER_SEC;
		if (took > 2)
			fail_msg("%s: %.2f s for a megabyte", units[u], took);
	}
	free(hits);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples), cmocka_unit_test(only_when_asked), cmocka_unit_test(what_ends_a_name), cmocka_unit_test(long_texts),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL), all = (int)(sizeof tests / sizeof *tests);
	printf("%d passed, %d failed\n", all - failed, failed);
	return failed != 0;
}
