/* The SQLite wrapper: migrations, transactions, bindings, and what it says when the file is bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"

static const struct store_migration first[] = {
	{"things", "CREATE TABLE thing (name TEXT PRIMARY KEY, n INTEGER, b BLOB) STRICT"},
};
static const struct store_migration both[] = {
	{"things", "CREATE TABLE thing (name TEXT PRIMARY KEY, n INTEGER, b BLOB) STRICT"},
	{"parts", "CREATE TABLE part (thing TEXT REFERENCES thing(name)) STRICT; INSERT INTO thing VALUES('old', 1, NULL)"},
};
static const struct store_migration broken[] = {
	{"things", "CREATE TABLE thing (name TEXT PRIMARY KEY, n INTEGER, b BLOB) STRICT"},
	{"halves", "CREATE TABLE half (a INTEGER) STRICT; CREATE NONSENSE"},
};

struct place {
	char dir[32], path[64];
};

static int place_make(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	snprintf(p->dir, sizeof p->dir, "/tmp/weir-store-XXXXXX");
	if (!p || !mkdtemp(p->dir))
		return -1;
	snprintf(p->path, sizeof p->path, "%s/t.db", p->dir);
	*state = p;
	return 0;
}

static int place_clear(void **state)
{
	struct place *p = *state;
	static const char *const tails[] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < 3; i++) {
		char path[80];
		snprintf(path, sizeof path, "%s%s", p->path, tails[i]);
		unlink(path);
	}
	rmdir(p->dir);
	free(p);
	return 0;
}

static int64_t count(struct store *s, const char *sql)
{
	struct err err;
	struct rows r;
	assert_int_equal(store_rows(s, &r, &err, sql, ""), 0);
	assert_int_equal(rows_next(&r, &err), 1);
	int64_t n = rows_int(&r, 0);
	rows_end(&r);
	return n;
}

static void settings(void **state)
{
	struct place *p = *state;
	struct err err;
	struct store *s;
	assert_int_equal(store_open(p->path, first, 1, &s, &err), 0);
	struct stat st;
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(count(s, "PRAGMA synchronous"), 2);	/* FULL */
	assert_int_equal(count(s, "PRAGMA foreign_keys"), 1);
	struct rows r;
	assert_int_equal(store_rows(s, &r, &err, "PRAGMA journal_mode", ""), 0);
	assert_int_equal(rows_next(&r, &err), 1);
	assert_string_equal(rows_text(&r, 0), "wal");
	rows_end(&r);
	store_close(&s);
	assert_null(s);
}

static void bindings(void **state)
{
	struct place *p = *state;
	struct err err;
	struct store *s;
	assert_int_equal(store_open(p->path, first, 1, &s, &err), 0);
	assert_int_equal(store_run(s, &err, "INSERT INTO thing VALUES(?,?,?)", "sib", "a", INT64_MIN, "\0x", (size_t)2), 0);
	assert_int_equal(store_run(s, &err, "INSERT INTO thing VALUES(?,?,?)", "snn", "b"), 0);
	assert_int_equal(store_run(s, &err, "INSERT INTO thing VALUES(?,?,?)", "snn", "b"), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(store_run(s, &err, "INSERT INTO thing VALUES(?,?,?)", "ssn", "c", "text"), -1);
	assert_int_equal(err.code, ERR_CONFLICT);	/* STRICT */
	struct rows r;
	assert_int_equal(store_rows(s, &r, &err, "SELECT n, b, name FROM thing WHERE name >= ? ORDER BY name", "s", "a"), 0);
	assert_int_equal(rows_next(&r, &err), 1);
	assert_true(rows_int(&r, 0) == INT64_MIN);
	assert_int_equal(rows_blob(&r, 1).len, 2);
	assert_memory_equal(rows_blob(&r, 1).at, "\0x", 2);
	assert_int_equal(rows_next(&r, &err), 1);
	assert_true(rows_null(&r, 0));
	assert_string_equal(rows_text(&r, 2), "b");
	assert_int_equal(rows_next(&r, &err), 0);
	rows_end(&r);
	rows_end(&r);
	store_close(&s);
}

static void transactions(void **state)
{
	struct place *p = *state;
	struct err err;
	struct store *s;
	assert_int_equal(store_open(p->path, both, 2, &s, &err), 0);
	assert_int_equal(store_begin(s, &err), 0);
	assert_int_equal(store_run(s, &err, "INSERT INTO thing VALUES('a',1,NULL)", ""), 0);
	assert_int_equal(store_end(s, false, &err), 0);
	assert_int_equal(count(s, "SELECT count(*) FROM thing"), 1);
	assert_int_equal(store_run(s, &err, "INSERT INTO part VALUES('nothing')", ""), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(store_begin(s, &err), 0);
	assert_int_equal(store_run(s, &err, "INSERT INTO part VALUES('old')", ""), 0);
	assert_int_equal(store_end(s, true, &err), 0);
	store_close(&s);
	assert_int_equal(store_open(p->path, both, 2, &s, &err), 0);
	assert_int_equal(count(s, "SELECT count(*) FROM part"), 1);
	store_close(&s);
}

static void migrations(void **state)
{
	struct place *p = *state;
	struct err err;
	struct store *s;
	assert_int_equal(store_open(p->path, first, 1, &s, &err), 0);
	store_close(&s);
	/* A migration that breaks half-way leaves what was there. */
	assert_int_equal(store_open(p->path, broken, 2, &s, &err), -1);
	assert_null(s);
	assert_non_null(strstr(err.msg, "migration halves: "));
	assert_int_equal(store_open(p->path, first, 1, &s, &err), 0);
	assert_int_equal(count(s, "SELECT count(*) FROM sqlite_schema WHERE name='half'"), 0);
	store_close(&s);
	assert_int_equal(store_open(p->path, both, 2, &s, &err), 0);
	assert_int_equal(count(s, "SELECT count(*) FROM thing"), 1);
	store_close(&s);
	assert_int_equal(store_open(p->path, both, 2, &s, &err), 0);	/* again: nothing to do */
	assert_int_equal(count(s, "SELECT count(*) FROM thing"), 1);
	store_close(&s);
	assert_int_equal(store_open(p->path, first, 1, &s, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "written by a newer Weir (version 2, this one knows 1)"));
}

static void bad_files(void **state)
{
	struct place *p = *state;
	struct err err;
	struct store *s;
	int fd = open(p->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char junk[4096];
	memset(junk, 'x', sizeof junk);
	assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
	close(fd);
	assert_int_equal(store_open(p->path, first, 1, &s, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	assert_int_equal(store_open("/nonexistent/t.db", first, 1, &s, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(settings, place_make, place_clear),
		cmocka_unit_test_setup_teardown(bindings, place_make, place_clear),
		cmocka_unit_test_setup_teardown(transactions, place_make, place_clear),
		cmocka_unit_test_setup_teardown(migrations, place_make, place_clear),
		cmocka_unit_test_setup_teardown(bad_files, place_make, place_clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
