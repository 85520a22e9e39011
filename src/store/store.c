#include "store/store.h"

#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct store {
	sqlite3 *db;
	char *path;
};

enum { BUSY_MS = 5000 };

static const struct {
	int sqlite;
	enum err_code code;
} codes[] = {
	{SQLITE_CONSTRAINT, ERR_CONFLICT}, {SQLITE_BUSY, ERR_AGAIN},	{SQLITE_LOCKED, ERR_AGAIN},
	{SQLITE_FULL, ERR_FULL},	   {SQLITE_CORRUPT, ERR_CORRUPT}, {SQLITE_NOTADB, ERR_CORRUPT},
	{SQLITE_CANTOPEN, ERR_IO},	   {SQLITE_IOERR, ERR_IO},	{SQLITE_READONLY, ERR_IO},
};

/* What the caller asked stands in the schema or the caller's words; the statement itself helps nobody. */
static int failed(const struct store *s, struct err *err)
{
	int rc = sqlite3_errcode(s->db) & 0xff;
	enum err_code code = ERR_BUG;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (codes[i].sqlite == rc)
			code = codes[i].code;
	return err_set(err, code, "%s: %s", s->path, sqlite3_errmsg(s->db));
}

static int exec(struct store *s, const char *sql, struct err *err)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(s, err);
}

/* ---- statements ------------------------------------------------------------------------------------------------- */

static int bind(sqlite3_stmt *stmt, const char *fmt, va_list ap)
{
	int rc = SQLITE_OK;
	must(sqlite3_bind_parameter_count(stmt) == (int)strlen(fmt));
	for (int i = 1; *fmt && rc == SQLITE_OK; i++, fmt++) {
		if (*fmt == 's') {
			rc = sqlite3_bind_text(stmt, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		} else if (*fmt == 'i') {
			rc = sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
		} else if (*fmt == 'b') {
			const void *p = va_arg(ap, const void *);
			rc = sqlite3_bind_blob64(stmt, i, p, va_arg(ap, size_t), SQLITE_STATIC);
		} else {
			must(*fmt == 'n');
			rc = sqlite3_bind_null(stmt, i);
		}
	}
	return rc;
}

static int prepare(struct store *s, const char *sql, const char *fmt, va_list ap, sqlite3_stmt **out, struct err *err)
{
	*out = NULL;
	if (sqlite3_prepare_v2(s->db, sql, -1, out, NULL) != SQLITE_OK)
		return failed(s, err);
	if (bind(*out, fmt, ap) == SQLITE_OK)
		return 0;
	failed(s, err);
	sqlite3_finalize(*out);
	*out = NULL;
	return -1;
}

int store_run(struct store *s, struct err *err, const char *sql, const char *fmt, ...)
{
	sqlite3_stmt *stmt;
	va_list ap;
	va_start(ap, fmt);
	int r = prepare(s, sql, fmt, ap, &stmt, err);
	va_end(ap);
	if (r < 0)
		return -1;
	int rc;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		continue;
	if (rc != SQLITE_DONE)
		r = failed(s, err);
	sqlite3_finalize(stmt);
	return r;
}

int64_t store_last_id(const struct store *s)
{
	return sqlite3_last_insert_rowid(s->db);
}

int64_t store_changed(const struct store *s)
{
	return sqlite3_changes64(s->db);
}

int store_rows(struct store *s, struct rows *r, struct err *err, const char *sql, const char *fmt, ...)
{
	*r = (struct rows){.store = s};
	sqlite3_stmt *stmt;
	va_list ap;
	va_start(ap, fmt);
	int rc = prepare(s, sql, fmt, ap, &stmt, err);
	va_end(ap);
	r->stmt = stmt;
	return rc;
}

int rows_next(struct rows *r, struct err *err)
{
	int rc = sqlite3_step(r->stmt);
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : failed(r->store, err);
}

int64_t rows_int(const struct rows *r, int col)
{
	return sqlite3_column_int64(r->stmt, col);
}

const char *rows_text(const struct rows *r, int col)
{
	const unsigned char *t = sqlite3_column_text(r->stmt, col);
	return t ? (const char *)t : "";
}

bool rows_null(const struct rows *r, int col)
{
	return sqlite3_column_type(r->stmt, col) == SQLITE_NULL;
}

struct span rows_blob(const struct rows *r, int col)
{
	const void *p = sqlite3_column_blob(r->stmt, col);
	return (struct span){p, p ? (size_t)sqlite3_column_bytes(r->stmt, col) : 0};
}

void rows_end(struct rows *r)
{
	sqlite3_finalize(r->stmt);
	r->stmt = NULL;
}

/* ---- transactions, opening -------------------------------------------------------------------------------------- */

int store_begin(struct store *s, struct err *err)
{
	return exec(s, "BEGIN IMMEDIATE", err);	/* fails now rather than in the middle */
}

int store_end(struct store *s, bool ok, struct err *err)
{
	if (ok && exec(s, "COMMIT", err) == 0)
		return 0;
	if (!sqlite3_get_autocommit(s->db)) {
		struct err second;	/* the first error is the one to tell */
		if (exec(s, "ROLLBACK", ok ? &second : err) < 0)
			return -1;
	}
	return ok ? -1 : 0;
}

static int version_read(struct store *s, int64_t *version, struct err *err)
{
	struct rows r;
	int got = store_rows(s, &r, err, "PRAGMA user_version", "");
	if (got == 0)
		got = rows_next(&r, err);
	*version = got == 1 ? rows_int(&r, 0) : 0;
	rows_end(&r);
	return got < 0 ? -1 : 0;
}

static int migrate_from(struct store *s, const struct store_migration *m, size_t n, size_t from, struct err *err)
{
	for (size_t i = from; i < n; i++) {
		char sql[64];
		sqlite3_snprintf(sizeof sql, sql, "PRAGMA user_version=%d", (int)i + 1);
		if (exec(s, m[i].sql, err) < 0 || exec(s, sql, err) < 0)
			return err_prefix(err, "migration %s: ", m[i].name);
	}
	return 0;
}

static int migrate(struct store *s, const struct store_migration *m, size_t n, struct err *err)
{
	int64_t at;
	if (store_begin(s, err) < 0)
		return -1;
	int r = version_read(s, &at, err);
	if (r == 0 && (at < 0 || (uint64_t)at > n))
		r = err_set(err, ERR_CORRUPT, "%s: written by a newer Weir (version %lld, this one knows %zu)", s->path,
			    (long long)at, n);
	if (r == 0)
		r = migrate_from(s, m, n, (size_t)at, err);
	struct err second;
	int e = store_end(s, r == 0, r == 0 ? err : &second);
	return r < 0 ? r : e;
}

/* SQLite would create it with the umask; what is in here is for the owner alone. */
static int create_private(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "%s", path);
	close(fd);
	return 0;
}

/* trusted_schema off and defensive on: a doctored file can't make SQLite call functions or write its own pages. */
static int settle(struct store *s, struct err *err)
{
	sqlite3_busy_timeout(s->db, BUSY_MS);
	sqlite3_extended_result_codes(s->db, 0);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	return exec(s,
		    "PRAGMA trusted_schema=OFF; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
		    "PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON;",
		    err);
}

int store_open(const char *path, const struct store_migration *m, size_t n, struct store **out, struct err *err)
{
	*out = NULL;
	if (create_private(path, err) < 0)
		return -1;
	struct store *s = xcalloc(1, sizeof *s);
	s->path = xstrdup(path);
	int r;
	if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		r = s->db ? failed(s, err) : err_set(err, ERR_IO, "%s: SQLite has no memory", path);
	else
		r = settle(s, err) < 0 ? -1 : migrate(s, m, n, err);
	if (r < 0)
		store_close(&s);
	*out = s;
	return r;
}

void store_close(struct store **s)
{
	if (!*s)
		return;
	sqlite3_close((*s)->db);
	free((*s)->path);
	free(*s);
	*s = NULL;
}
