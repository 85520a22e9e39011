/* Questionnaires, answer files, points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the above */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "assess/assess.h"

enum { DAY = 86400, NOW = 1780272000 };	/* 2026-06-01 */

static void catalogue(void **state)
{
	(void)state;
	const json_t *q = questionnaire_find("mvsp");
	struct err err;
	assert_non_null(q);
	assert_int_equal(questionnaire_check(q, &err), 0);
	assert_int_equal(json_array_size(json_object_get(q, "controls")), 25);
	static const char *const ids[] = {"1.1", "1.8", "2.1", "2.8", "3.1", "3.5", "4.1", "4.4"};
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		assert_non_null(questionnaire_control(q, ids[i]));
	assert_null(questionnaire_control(q, "5.1"));
	assert_null(questionnaire_find("sig"));
}

/* Each change to the catalogue is refused with its place. */
static void bad_catalogues(void **state)
{
	(void)state;
	static const struct {
		const char *member, *value, *want;	/* of controls[1]; member NULL: of the file */
	} rows[] = {
		{"id", "\"1.1\"", "/controls/1 says the same as /controls/0"}, {"id", "\"\"", "/controls/1/id is missing or empty"},
		{"weight", "0", "/controls/1/weight is a whole number from 1 to 10"}, {"weight", "\"2\"", "/controls/1/weight is a whole number from 1 to 10"},
		{"verified", "1", "/controls/1/verified is true or false"}, {"evidence", "\"maybe\"", "/controls/1: evidence or seen isn't one of its words"},
		{"seen", "\"dreams\"", "/controls/1: evidence or seen isn't one of its words"}, {"seen", "\"posture\"", "/controls/1/rules names no posture rule"},
		{"question", "null", "/controls/1/question is missing or empty"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err;
		json_t *q = json_deep_copy(questionnaire_find("mvsp"));
		json_object_set_new(json_array_get(json_object_get(q, "controls"), 1), rows[i].member, json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
		assert_int_equal(questionnaire_check(q, &err), -1);
		assert_string_equal(err.msg, rows[i].want);
		json_decref(q);
	}
}

/* ---- points -------------------------------------------------------------------------------------------------------- */

static json_t *four(void)
{
	json_t *q = json_loads("{\"controls\":[{\"id\":\"a\",\"weight\":2,\"evidence\":\"no\"},{\"id\":\"b\",\"weight\":1,\"evidence\":\"expected\"},"
			       "{\"id\":\"c\",\"weight\":1,\"evidence\":\"no\"}]}", 0, NULL);
	assert_non_null(q);
	return q;
}

static void points(void **state)
{
	(void)state;
	static const struct {
		const char *answers, *seen;
		int score, earned, of, unanswered, expired, findings;
	} rows[] = {
		{"{}", "{}", 0, 0, 8, 3, 0, 3},
		{"{'a':{'answer':'yes'},'b':{'answer':'yes'},'c':{'answer':'yes'}}", "{}", 87, 7, 8, 0, 0, 1},	/* b: said, not shown */
		{"{'a':{'answer':'yes'},'b':{'answer':'yes','evidence':[{'name':'r','valid_until':null}]},'c':{'answer':'yes'}}", "{}", 100, 8, 8, 0, 0, 0},
		{"{'a':{'answer':'yes'},'b':{'answer':'yes','evidence':[{'name':'r','valid_until':1780272000}]},'c':{'answer':'yes'}}", "{}", 75, 6, 8, 0, 1, 1},
		{"{'a':{'answer':'yes'},'b':{'answer':'yes','evidence':[{'name':'r','valid_until':1780272001}]},'c':{'answer':'yes'}}", "{}", 100, 8, 8, 0, 0, 1},
		/* A newer piece replaces the one that ran out. */
		{"{'a':{'answer':'yes'},'b':{'answer':'yes','evidence':[{'name':'r','valid_until':1},{'name':'s','valid_until':1900000000}]},'c':{'answer':'yes'}}",
		 "{}", 100, 8, 8, 0, 0, 0},
		{"{'a':{'answer':'partial'},'b':{'answer':'no'},'c':{'answer':'na','note':'x'}}", "{}", 33, 2, 6, 0, 0, 2},
		/* What Weir sees counts, whatever was said. */
		{"{'a':{'answer':'yes'},'b':{'answer':'no'},'c':{'answer':'no'}}", "{'a':{'verdict':'fail','why':'x'}}", 0, 0, 8, 0, 0, 3},
		{"{'b':{'answer':'no'},'c':{'answer':'no'}}", "{'a':{'verdict':'pass','why':'x'}}", 50, 4, 8, 0, 0, 2},
		{"{'b':{'answer':'no'},'c':{'answer':'no'}}", "{'a':{'verdict':'warn','why':'x'}}", 25, 2, 8, 0, 0, 2},
		{"{'a':{'answer':'na'},'b':{'answer':'na'},'c':{'answer':'na'}}", "{}", 0, 0, 0, 0, 0, 0},
	};
	json_t *q = four();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *a = xstrdup(rows[i].answers), *s = xstrdup(rows[i].seen);
		for (char *p = a; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		for (char *p = s; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		json_t *answers = json_loads(a, 0, NULL), *seen = json_loads(s, 0, NULL), *r = assess_score(q, answers, seen, NOW);
		json_int_t sum = 0;
		json_t *c;
		size_t k;
		assert_int_equal(json_integer_value(json_object_get(r, "score")), rows[i].score);
		assert_int_equal(json_integer_value(json_object_get(r, "earned")), rows[i].earned);
		assert_int_equal(json_integer_value(json_object_get(r, "of")), rows[i].of);
		assert_int_equal(json_integer_value(json_object_get(r, "unanswered")), rows[i].unanswered);
		assert_int_equal(json_array_size(json_object_get(r, "evidence_expired")), rows[i].expired);
		assert_int_equal(json_array_size(json_object_get(r, "findings")), rows[i].findings);
		/* Every point is somebody's, and says why. */
		json_array_foreach(json_object_get(r, "controls"), k, c)
		{
			sum += json_integer_value(json_object_get(c, "earned"));
			assert_true(json_string_length(json_object_get(c, "why")) > 0);
		}
		assert_int_equal(sum, rows[i].earned);
		json_decref(answers);
		json_decref(seen);
		json_decref(r);
		free(a);
		free(s);
	}
	json_decref(q);
}

/* ---- answer files -------------------------------------------------------------------------------------------------- */

#define HEAD "weir_assessment: 1\nvendor: acme\nstandard: mvsp\nversion: v3.0-20231109\n"

static void good_files(void **state)
{
	(void)state;
	static const char *const files[] = {
		HEAD "answers:\n  \"1.2\": {answer: yes, note: \"a\\nb\"}\n  \"1.4\":\n    answer: yes\n    evidence: [{file: r.pdf, valid_until: 2027-01-31}]\n",
		"{\"weir_assessment\": 1, \"vendor\": \"acme\", \"standard\": \"mvsp\", \"version\": \"v3.0-20231109\",\n"
		" \"answers\": {\"1.2\": {\"answer\": \"yes\", \"note\": \"a\\nb\"}, \"1.4\": {\"answer\": \"yes\", \"evidence\":"
		" [{\"file\": \"r.pdf\", \"valid_until\": \"2027-01-31\"}]}}}\n",
	};
	json_t *got[2];
	for (size_t i = 0; i < 2; i++) {
		struct diags d;
		diags_init(&d, "f");
		got[i] = assess_file_read(files[i], strlen(files[i]), &d);
		assert_int_equal(d.errors, 0);
		assert_non_null(got[i]);
		diags_release(&d);
	}
	assert_true(json_equal(got[0], got[1]));
	assert_int_equal(json_array_size(json_object_get(got[0], "answers")), 2);
	json_decref(got[0]);
	json_decref(got[1]);
}

static void bad_files(void **state)
{
	(void)state;
	static const struct {
		const char *text, *code;
		size_t line, col;
	} rows[] = {
		{"", "yaml", 1, 1},
		{"[1]\n", "wrong_shape", 1, 1},
		{"weir_assessment: 2\nvendor: acme\nstandard: mvsp\nversion: v3.0-20231109\nanswers: {}\n", "format_version", 1, 18},
		{"weir_assessment: 1\nvendor: A\nstandard: mvsp\nversion: v3.0-20231109\nanswers: {}\n", "bad_name", 2, 9},
		{"weir_assessment: 1\nvendor: acme\nstandard: sig\nversion: v3.0-20231109\nanswers: {}\n", "unknown_word", 3, 11},
		{"weir_assessment: 1\nvendor: acme\nstandard: mvsp\nversion: v2\nanswers: {}\n", "bad_value", 4, 10},
		{"weir_assessment: 1\nvendor: acme\nstandard: mvsp\nversion: v3.0-20231109\n", "missing_key", 1, 1},
		{HEAD "answers: []\n", "wrong_shape", 5, 10},
		{HEAD "answers:\n  \"9.9\": {answer: yes}\n", "unknown_key", 6, 3},
		{HEAD "answers:\n  \"1.2\": yes\n", "wrong_shape", 6, 10},
		{HEAD "answers:\n  \"1.2\": {answer: maybe}\n", "unknown_word", 6, 19},
		{HEAD "answers:\n  \"1.2\": {anser: yes, answer: yes}\n", "unknown_key", 6, 11},
		{HEAD "answers:\n  \"1.2\": {note: x}\n", "missing_key", 6, 10},
		{HEAD "answers:\n  \"1.2\": {answer: na}\n", "missing_key", 6, 10},
		{HEAD "answers:\n  \"1.2\": {answer: yes, note: [x]}\n", "wrong_shape", 6, 30},
		{HEAD "answers:\n  \"1.2\": {answer: yes, note: \"\\x07\"}\n", "bad_value", 6, 30},
		{HEAD "answers:\n  \"1.2\": {answer: yes, evidence: r.pdf}\n", "wrong_shape", 6, 34},
		{HEAD "answers:\n  \"1.2\": {answer: yes, evidence: [{}]}\n", "missing_key", 6, 35},
		{HEAD "answers:\n  \"1.2\": {answer: yes, evidence: [{file: r, valid_until: 2027-13-01}]}\n", "bad_date", 6, 58},
		{HEAD "answers:\n  \"1.2\": {answer: yes, evidence: [{file: r, sha256: 12}]}\n", "bad_value", 6, 53},
		{HEAD "answers:\n  \"1.2\": {answer: yes}\n  \"1.2\": {answer: no}\n", "duplicate_key", 7, 3},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct diags d;
		diags_init(&d, "f");
		json_t *j = assess_file_read(rows[i].text, strlen(rows[i].text), &d);
		if (j || d.errors == 0 || strcmp(d.v[0].code, rows[i].code) != 0 || d.v[0].line != rows[i].line || d.v[0].col != rows[i].col)
			fail_msg("row %zu: %s at %zu:%zu, want %s at %zu:%zu", i, d.n ? d.v[0].code : "nothing", d.n ? d.v[0].line : 0, d.n ? d.v[0].col : 0,
				 rows[i].code, rows[i].line, rows[i].col);
		diags_release(&d);
	}
}

/* What export writes, import reads; texts that YAML could misread stay themselves. */
static void written(void **state)
{
	(void)state;
	json_t *answers = json_loads("{\"1.2\":{\"answer\":\"partial\",\"note\":\"off: [x] # \\\"y\\\"\\n- z\",\"evidence\":[{\"name\":\"a b: c.pdf\","
				     "\"sha256\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"valid_until\":1780272000}]}}", 0, NULL);
	json_t *seen = json_object(), *shown = assess_score(questionnaire_find("mvsp"), answers, seen, NOW);
	struct buf b;
	struct diags d;
	static const char *const members[] = {"title", "version", "source"};
	for (size_t i = 0; i < 3; i++)
		json_object_set(shown, members[i], json_object_get(questionnaire_find("mvsp"), members[i]));
	json_object_set_new(shown, "vendor", json_string("acme"));
	json_object_set_new(shown, "standard", json_string("mvsp"));
	buf_init(&b, 0);
	assess_file_write(shown, &b);
	diags_init(&d, "f");
	json_t *read = assess_file_read((const char *)b.data, b.len, &d);
	assert_non_null(read);
	const json_t *list = json_object_get(read, "answers"), *one = json_array_get(list, 0), *e = json_array_get(json_object_get(one, "evidence"), 0);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_object_get(one, "note")), "off: [x] # \"y\"\n- z");
	assert_string_equal(json_string_value(json_object_get(e, "file")), "a b: c.pdf");
	assert_string_equal(json_string_value(json_object_get(e, "valid_until")), "2026-05-31");
	json_decref(read);
	json_decref(shown);
	json_decref(seen);
	json_decref(answers);
	buf_release(&b);
	diags_release(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(catalogue), cmocka_unit_test(bad_catalogues), cmocka_unit_test(points),
		cmocka_unit_test(good_files), cmocka_unit_test(bad_files), cmocka_unit_test(written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
