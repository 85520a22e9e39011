/* The organisation's own list of people, as a table. */
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "cli/letters.h"
#include "notice/notice.h"

enum { COLUMNS = 3, CELLS_MAX = 32 };
static const char *const columns[COLUMNS] = {"id", "email", "lang"};

void addressees_release(struct addressees *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].id);
		free(p->v[i].email);
		free(p->v[i].lang);
	}
	free(p->v);
	*p = (struct addressees){0};
}

/* Which column each cell belongs to (COLUMNS: none of ours); how many cells, or -1. */
static int read_head(struct csv *c, unsigned column[CELLS_MAX], struct buf *cell)
{
	unsigned seen = 0;
	int n = 0;
	enum csv_cell step = csv_row(c) ? CSV_MORE : CSV_OPEN;
	for (; step == CSV_MORE && n < CELLS_MAX; n++) {
		step = csv_cell(c, cell);
		column[n] = COLUMNS;
		for (unsigned k = 0; k < COLUMNS; k++)
			if (cell->len == strlen(columns[k]) && memcmp(cell->data, columns[k], cell->len) == 0 && !(seen & 1u << k)) {
				column[n] = k;
				seen |= 1u << k;
			}
	}
	return step == CSV_LAST && seen == (1u << COLUMNS) - 1 ? n : -1;
}

static int check(const struct addressee *e, size_t line, struct err *err)
{
	if (!*e->id || strlen(e->id) > 512)
		return err_set(err, ERR_INPUT, "line %zu: an id is 1 to 512 bytes", line);
	if (!mail_address_ok(e->email))
		return err_set(err, ERR_INPUT, "line %zu: the address can't be written to", line);
	for (size_t i = 0; i < 2; i++)
		if (strcmp(e->lang, notice_langs[i]) == 0)
			return 0;
	return err_set(err, ERR_INPUT, "line %zu: lang is en or de", line);
}

/* The cells that are ours, as texts; what isn't read stays NULL. */
static int read_row(struct csv *c, const unsigned *column, int n, char *out[COLUMNS], struct buf *cell, struct err *err)
{
	const size_t line = c->line;
	enum csv_cell step = CSV_MORE;
	int i = 0;
	for (; step == CSV_MORE && i < n; i++) {
		step = csv_cell(c, cell);
		if (step == CSV_OPEN)
			return err_set(err, ERR_INPUT, "line %zu: a quote isn't closed", line);
		if (column[i] < COLUMNS)
			out[column[i]] = xstrndup(cell->len ? (const char *)cell->data : "", cell->len);
	}
	return step == CSV_LAST && i == n ? 0 : err_set(err, ERR_INPUT, "line %zu: not %d fields", line, n);
}

static void add(struct addressees *p, char *const cells[COLUMNS])
{
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 1024;
		p->v = xrealloc(p->v, p->cap * sizeof *p->v);
	}
	p->v[p->n++] = (struct addressee){cells[0], cells[1], cells[2]};
}

static int read_rows(struct csv *c, struct addressees *out, struct buf *cell, struct err *err)
{
	unsigned column[CELLS_MAX];
	int n = read_head(c, column, cell);
	if (n < 0)
		return err_set(err, ERR_INPUT, "the first line names the columns: id,email,lang");
	while (csv_row(c)) {
		const size_t line = c->line;
		char *cells[COLUMNS] = {0};
		int rc = read_row(c, column, n, cells, cell, err);
		add(out, cells);
		if (rc < 0 || check(&out->v[out->n - 1], line, err) < 0)
			return -1;
	}
	return out->n ? 0 : err_set(err, ERR_INPUT, "the list names nobody");
}

int addressees_read(const char *text, size_t n, struct addressees *out, struct err *err)
{
	struct buf cell;
	struct csv c = csv_of(text, n);
	*out = (struct addressees){0};
	if (n && memchr(text, 0, n))
		return err_set(err, ERR_INPUT, "the list isn't text");
	buf_init(&cell, 0);
	int rc = read_rows(&c, out, &cell, err);
	buf_wipe(&cell);
	if (rc < 0)
		addressees_release(out);
	return rc;
}
