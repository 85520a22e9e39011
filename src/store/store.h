/*
 * SQLite as the registry needs it: one writer, WAL, synchronous=FULL (a commit that returned survives a power cut),
 * foreign keys on, a busy timeout, and migrations that stand in the tree.
 *
 * Statements take their arguments by a format, one letter each: s text (NULL is SQL NULL), i int64_t, b blob (pointer,
 * size_t), n nothing (SQL NULL, takes no argument).  Text and blobs need to live until the call returns (store_run) or
 * until rows_end (store_rows).
 *
 * ERR_CONFLICT: a constraint of the schema said no.  ERR_AGAIN: another process holds the database.  ERR_FULL: disk.
 * ERR_CORRUPT: damaged, or written by a newer Weir.  A store belongs to one thread.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

#define STORE_CHECKED __attribute__((warn_unused_result))

/* Row i takes the database from version i to i + 1; rows are only ever added. */
struct store_migration {
	const char *name;
	const char *sql;
};

struct store;
/* Opens or creates, mode 0600, and migrates in one transaction. */
int store_open(const char *path, const struct store_migration *m, size_t n, struct store **out, struct err *err) STORE_CHECKED;
void store_close(struct store **s);

/* One transaction at a time.  store_end commits when ok, else rolls back; after a failed commit it has rolled back. */
int store_begin(struct store *s, struct err *err) STORE_CHECKED;
int store_end(struct store *s, bool ok, struct err *err) STORE_CHECKED;

int store_run(struct store *s, struct err *err, const char *sql, const char *fmt, ...) STORE_CHECKED;
int64_t store_last_id(const struct store *s);
int64_t store_changed(const struct store *s);	/* rows that the newest statement changed */

/* rows_next: 1 a row, 0 the end, -1.  Column values live until the next rows_next.  rows_end may always be called. */
struct rows {
	struct store *store;
	void *stmt;
};
int store_rows(struct store *s, struct rows *r, struct err *err, const char *sql, const char *fmt, ...) STORE_CHECKED;
int rows_next(struct rows *r, struct err *err) STORE_CHECKED;
int64_t rows_int(const struct rows *r, int col);
const char *rows_text(const struct rows *r, int col);	/* "" for NULL */
bool rows_null(const struct rows *r, int col);
struct span rows_blob(const struct rows *r, int col);
void rows_end(struct rows *r);

#endif
