/* What the gate tells, as the registry keeps it: merged, bounded, looked at again; and what a report makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/say.h"
#include "discover/inside.h"

static char dir[64];
static struct registry *r;

static int make(void **state)
{
	struct err err;
	char path[96];
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/discover-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/registry.db", dir);
	if (registry_open(path, &r, &err) < 0)
		fail_msg("%s", err.msg);
	discover_keep(90);
	return 0;
}

static int clear(void **state)
{
	static const char *const names[] = {"registry.db", "registry.db-wal", "registry.db-shm"};
	char path[128];
	(void)state;
	registry_close(&r);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
	return 0;
}

static void take(const char *day, const char *rows)
{
	struct err err;
	char *text = NULL;
	assert_true(asprintf(&text, "{\"vendor\":\"v\",\"day\":\"%s\",\"rows\":[%s]}", day, rows) > 0);
	json_t *j = json_loads(text, 0, NULL);
	if (!j)
		fail_msg("not JSON: %s", text);
	if (discover_take(r, j, &err) < 0)
		fail_msg("%s", err.msg);
	json_decref(j);
	free(text);
}

static json_t *drift_since(const char *since, int64_t at)
{
	struct err err;
	json_t *answer = json_object(), *request = json_pack("{s:s}", "since", since), *list;
	if (discover_drift(r, request, "me", at, answer, &err) < 0)
		fail_msg("%s", err.msg);
	list = json_incref(json_object_get(answer, "drift"));
	json_decref(request);
	json_decref(answer);
	return list;
}

static int64_t count(const char *sql)
{
	struct rows q;
	struct err err;
	assert_int_equal(store_rows(registry_store(r), &q, &err, sql, ""), 0);
	assert_int_equal(rows_next(&q, &err), 1);
	int64_t n = rows_int(&q, 0);
	rows_end(&q);
	return n;
}

#define ROW(source, event, path, counts) "{\"k\":0,\"s\":\"" source "\",\"e\":\"" event "\",\"p\":\"" path "\",\"c\":" counts "}"
#define TEXTS(n) "{\"n\":" #n ",\"t\":[" #n "],\"l\":[0," #n "],\"k\":[0,0,0,0,0,0,0," #n "],\"d\":2}"
#define OBJECTS(n) "{\"n\":" #n ",\"t\":[0,0,0,0,0," #n "],\"l\":[],\"k\":[],\"d\":0}"

static void rows_are_merged(void **state)
{
	struct rows q;
	struct err err;
	(void)state;
	take("2026-11-17", ROW("web", "signup", "", OBJECTS(3)) "," ROW("web", "signup", "a", TEXTS(3)));
	take("2026-11-17", ROW("web", "signup", "a", TEXTS(4)) "," ROW("app", "signup", "a", TEXTS(1)));
	take("2026-11-18", ROW("web", "signup", "a", TEXTS(1)));
	assert_int_equal(count("SELECT count(*) FROM shape"), 4);
	assert_int_equal(store_rows(registry_store(r), &q, &err, "SELECT counts FROM shape WHERE day='2026-11-17' AND path='a' AND source='web'", ""), 0);
	assert_int_equal(rows_next(&q, &err), 1);
	assert_string_equal(rows_text(&q, 0), TEXTS(7));
	rows_end(&q);
}

/* A gate that was taken over: what isn't a name or a count doesn't get in. */
static void rows_are_looked_at_again(void **state)
{
	static const char *const bad[] = {
		ROW("web", "e", "ann@example.com", TEXTS(1)), ROW("web", "ann@example.com", "a", TEXTS(1)), ROW("web", "e", "a.+49 30 901820", TEXTS(1)),
		ROW("web", "e", "a", "{\"n\":1}"), ROW("web", "e", "a", "7"), ROW("we\\\"b", "e", "a", TEXTS(1)), "{}", "7", "null",
		"{\"k\":9,\"s\":\"web\",\"e\":\"e\",\"p\":\"a\",\"c\":" TEXTS(1) "}", ROW("web", "e", "a\\nb", TEXTS(1)),
		ROW("web", "e", "4111111111111111", TEXTS(1)),
	};
	static const char *const bodies[] = {"{}", "{\"vendor\":\"v\"}", "{\"vendor\":\"v\",\"day\":\"2026-11-1x\"}", "{\"vendor\":7,\"day\":\"2026-11-17\"}"};
	struct err err;
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		take("2026-11-17", bad[i]);
	assert_int_equal(count("SELECT count(*) FROM shape"), 0);
	assert_int_equal(count("SELECT count(*) FROM shape_began"), 0);
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		json_t *j = json_loads(bodies[i], 0, NULL);
		assert_int_equal(discover_take(r, j, &err), -1);
		json_decref(j);
	}
}

static void a_day_is_bounded(void **state)
{
	char rows[64 * 300];
	(void)state;
	for (int i = 0; i < 45; i++) {
		size_t n = 0;
		for (int k = 0; k < 200; k++)
			n += (size_t)snprintf(rows + n, sizeof rows - n, "%s{\"k\":0,\"s\":\"w\",\"e\":\"e\",\"p\":\"a%c%c%c\",\"c\":" OBJECTS(1) "}", k ? "," : "",
					      'a' + i % 26, 'a' + i / 26 * 13 + k / 26, 'a' + k % 26);
		take("2026-11-17", rows);
	}
	assert_int_equal(count("SELECT count(*) FROM shape"), 8192 + 1);
	assert_int_equal(count("SELECT json_extract(counts, '$.n') FROM shape WHERE path='*'"), 9000 - 8192);
}

static void what_begins(void **state)
{
	(void)state;
	take("2026-11-16", ROW("web", "e", "", OBJECTS(100)) "," ROW("web", "e", "a", TEXTS(100)) "," ROW("web", "e", "old", TEXTS(90)));
	take("2026-11-17", ROW("web", "e", "", OBJECTS(200)) ","
			   ROW("web", "e", "a", "{\"n\":200,\"t\":[199,0,0,1],\"l\":[],\"k\":[0,0,0,199],\"d\":9,\"f\":{\"iban\":[1,0]}}") ","
			   ROW("web", "f", "b", TEXTS(50)) "," ROW("app", "e", "", OBJECTS(5)) "," ROW("app", "e", "c", TEXTS(5)));
	json_t *list = drift_since("2026-11-17", 1795000000), *v;
	static const char *const wanted[] = {"a carries iban 1/200", "a looks url 199/199", "a many  200/200", "b new  50/200", "old vanished  90/100"};
	char line[128];
	size_t i;
	assert_int_equal(json_array_size(list), 5);
	json_array_foreach(list, i, v) {
		const char *of = json_string_value(json_object_get(v, "of"));
		snprintf(line, sizeof line, "%s %s %s %lld/%lld", json_string_value(json_object_get(v, "path")), json_string_value(json_object_get(v, "what")),
			 of ? of : "", json_integer_value(json_object_get(v, "n")), json_integer_value(json_object_get(v, "total")));
		assert_string_equal(line, wanted[i]);
	}
	json_decref(list);
	/* The day after, the same is no news; what began stays told by its day. */
	take("2026-11-18", ROW("web", "e", "", OBJECTS(10)) "," ROW("web", "e", "b", TEXTS(10)));
	list = drift_since("2026-11-18", 1795100000);
	assert_int_equal(json_array_size(list), 0);	/* ten events say nothing about what is missed */
	json_decref(list);
	struct err err;
	json_t *answer = json_object(), *request = json_pack("{s:s}", "since", "2026-02-30");
	assert_int_equal(discover_drift(r, request, "me", 1795100000, answer, &err), -1);
	assert_int_equal(err.code, ERR_INPUT);
	json_decref(request);
	json_decref(answer);
}

static void old_days_go(void **state)
{
	struct err err;
	(void)state;
	discover_keep(30);
	take("2026-10-01", ROW("web", "e", "", OBJECTS(1)) "," ROW("web", "e", "a", TEXTS(1)) "," ROW("web", "e", "b", TEXTS(1)));
	take("2026-11-17", ROW("web", "e", "", OBJECTS(1)) "," ROW("web", "e", "a", TEXTS(1)));
	assert_int_equal(discover_tick.run(r, 1795000000, &err), 0);	/* 2026-11-18 */
	assert_int_equal(count("SELECT count(*) FROM shape"), 2);
	assert_int_equal(count("SELECT count(*) FROM shape_began WHERE path='b'"), 0);
	assert_int_equal(count("SELECT count(*) FROM shape_began WHERE path='a' AND what='field' AND day='2026-10-01'"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_are_merged, make, clear), cmocka_unit_test_setup_teardown(rows_are_looked_at_again, make, clear),
		cmocka_unit_test_setup_teardown(a_day_is_bounded, make, clear), cmocka_unit_test_setup_teardown(what_begins, make, clear),
		cmocka_unit_test_setup_teardown(old_days_go, make, clear),
	};
	if (!getenv("SHOW") && !freopen("/dev/null", "w", stderr))	/* drift-began */
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL), all = (int)(sizeof tests / sizeof *tests);
	printf("%d passed, %d failed\n", all - failed, failed);
	return failed != 0;
}
