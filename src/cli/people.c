#include "cli/people.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <postgresql/libpq-fe.h>

#include "cli/idlist.h"

enum { FETCH = 10000 };

struct people {
	struct idlist file;
	size_t at, done;
	PGconn *db;
	PGresult *rows;		/* the ones at hand */
	int row, column;
	const char *id;
};

const char *people_wrong(const struct people_source *s)
{
	if (s->users && (s->db || s->query))
		return "--users and --db are two lists";
	if (!s->db != !s->query)
		return "--db CONNECTION and --query SELECT go together";
	return s->users || s->db ? NULL : "--users FILE, or --db CONNECTION and --query SELECT, is needed";
}

/* ---- libpq ------------------------------------------------------------------------------------------------------------------- */

/* Opened when it is asked for: the processes that serve have no use for it, nor for what it brings along. */
#define LIBPQ "libpq.so.5"
#define FUNCTIONS(F) \
	F(PQclear) F(PQconnectdb) F(PQerrorMessage) F(PQexecParams) F(PQfinish) F(PQfnumber) F(PQgetvalue) \
	F(PQnfields) F(PQntuples) F(PQresultErrorField) F(PQresultStatus) F(PQsetClientEncoding) F(PQstatus)
#define MEMBER(name) __typeof__(name) *name;
#define PLACE(name) {#name, offsetof(struct libpq, name)},

static struct libpq {
	FUNCTIONS(MEMBER)
} pq;

static const struct {
	const char *name;
	size_t at;
} functions[] = {FUNCTIONS(PLACE)};

static int load(struct err *err)
{
	void *lib = dlopen(LIBPQ, RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; lib && i < sizeof functions / sizeof *functions; i++) {
		void *f = dlsym(lib, functions[i].name);
		if (!f)
			return err_set(err, ERR_INPUT, "--db: " LIBPQ " has no %s", functions[i].name);
		memcpy((char *)&pq + functions[i].at, &f, sizeof f);
	}
	return lib ? 0 : err_set(err, ERR_INPUT, "--db: " LIBPQ " isn't installed (Debian: apt-get install libpq5)");
}

/* ---- a database ------------------------------------------------------------------------------------------------------------- */

static int refused(const char *what, const PGresult *r, struct err *err)
{
	const char *state = r ? pq.PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL, *text = r ? pq.PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	/* Class 42 speaks of the query's own words; others may quote what is in a row. */
	bool own = state && text && strncmp(state, "42", 2) == 0;
	return err_set(err, ERR_INPUT, "%s: SQLSTATE %s%s%.120s", what, state ? state : "unknown: the connection is lost", own ? ": " : "", own ? text : "");
}

/* One statement, whatever the text holds. */
static int run(struct people *p, const char *sql, ExecStatusType want, struct err *err)
{
	pq.PQclear(p->rows);
	p->rows = pq.PQexecParams(p->db, sql, 0, NULL, NULL, NULL, NULL, 0);
	p->row = 0;
	return pq.PQresultStatus(p->rows) == want ? 0 : refused("--query", p->rows, err);
}

static int connect_db(const char *to, struct people *p, struct err *err)
{
	if (load(err) < 0)
		return -1;
	p->db = pq.PQconnectdb(to);
	if (pq.PQstatus(p->db) != CONNECTION_OK) {
		const char *why = pq.PQerrorMessage(p->db);
		return err_set(err, ERR_INPUT, "--db: %.*s", (int)strcspn(why, "\n"), why);
	}
	pq.PQsetClientEncoding(p->db, "UTF8");
	return 0;
}

static int open_cursor(const char *query, struct people *p, struct err *err)
{
	char *sql = xasprintf("DECLARE weir_people NO SCROLL CURSOR FOR %s", query);
	int r = run(p, "BEGIN READ ONLY", PGRES_COMMAND_OK, err);
	if (r == 0)
		r = run(p, sql, PGRES_COMMAND_OK, err);
	free(sql);
	return r;
}

/* Into p->rows; 0 rows: the end. */
static int fetch(struct people *p, struct err *err)
{
	char sql[64];
	snprintf(sql, sizeof sql, "FETCH %d FROM weir_people", FETCH);
	if (run(p, sql, PGRES_TUPLES_OK, err) < 0)
		return -1;
	p->column = p->id ? pq.PQfnumber(p->rows, p->id) : 0;
	if (p->column < 0 || p->column >= pq.PQnfields(p->rows))
		return err_set(err, ERR_INPUT, "--query: it has no column of the name that --id gives");
	return 0;
}

static int add_rows(struct people *p, json_t *ids, size_t *bytes, bool *full, struct err *err)
{
	for (*full = false; p->row < pq.PQntuples(p->rows); p->row++) {
		const char *s = pq.PQgetvalue(p->rows, p->row, p->column);
		if (!*s)
			continue;	/* NULL is empty as well */
		if (!idlist_ok(s, strlen(s)))
			return err_set(err, ERR_INPUT, "--query: row %zu: not an identifier: over 8192 bytes", p->done + json_array_size(ids) + 1);
		if ((*full = !idlist_put(ids, bytes, s)))
			break;
	}
	return 0;
}

static int next_db(struct people *p, json_t *ids, struct err *err)
{
	size_t bytes = 0;
	for (bool full = false; !full;) {
		if (!p->rows || p->row == pq.PQntuples(p->rows)) {
			if (fetch(p, err) < 0)
				return -1;
			if (pq.PQntuples(p->rows) == 0)
				return 0;
		}
		if (add_rows(p, ids, &bytes, &full, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- either ------------------------------------------------------------------------------------------------------------------ */

int people_open(const struct people_source *s, struct people **out, struct err *err)
{
	struct people *p = *out = xcalloc(1, sizeof *p);
	p->id = s->id;
	int r = s->users ? idlist_read(s->users, s->id, &p->file, err) : connect_db(s->db, p, err);
	if (r == 0 && s->db)
		r = open_cursor(s->query, p, err);
	if (r == 0 && s->db) {
		pq.PQclear(p->rows);
		p->rows = NULL;
	}
	if (r < 0)
		people_close(out);
	return r;
}

int people_next(struct people *p, json_t **ids, struct err *err)
{
	*ids = p->db ? json_array() : idlist_portion(&p->file, &p->at);
	if (p->db && next_db(p, *ids, err) < 0) {
		json_decref(*ids);
		*ids = NULL;
		return -1;
	}
	if (*ids && json_array_size(*ids) == 0) {
		json_decref(*ids);
		*ids = NULL;
	}
	p->done += json_array_size(*ids);
	return *ids != NULL;
}

size_t people_done(const struct people *p)
{
	return p->done;
}

size_t people_total(const struct people *p)
{
	return p->file.n;
}

void people_close(struct people **p)
{
	if (!*p)
		return;
	idlist_release(&(*p)->file);
	if ((*p)->db) {
		pq.PQclear((*p)->rows);
		pq.PQfinish((*p)->db);
	}
	free(*p);
	*p = NULL;
}
