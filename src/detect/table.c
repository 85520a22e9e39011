/*
 * Tables (RFC 4180): the first row names the columns.  Unlike base/csv.h this reader takes any bytes for a table, as far as they
 * make one, since nothing may be passed over, and knows where in the text each cell stands.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "detect/record.h"

enum { COLUMNS_MAX = 4096 };	/* further ones have no name */
struct cell {
	size_t at, len;	/* content, without its quotes */
};

struct table {
	const char *text;
	size_t n, at;
	char sep;
};

/* Where the content of a quoted cell ends that begins at `at`: at its last quote, or at the end of all. */
static size_t quoted_end(const struct table *t, size_t at)
{
	for (; at < t->n && (t->text[at] != '"' || (at + 1 < t->n && t->text[at + 1] == '"')); at++)
		at += t->text[at] == '"';
	return at < t->n ? at : t->n;
}

/* The next cell; true when its row goes on behind it.  What stands behind a closing quote belongs to the cell, quotes and all. */
static bool read_cell(struct table *t, struct cell *c)
{
	const size_t start = t->at;
	const bool quoted = start < t->n && t->text[start] == '"';
	size_t close = quoted ? quoted_end(t, start + 1) : start, behind = close < t->n ? close + quoted : close, end = behind;
	while (end < t->n && t->text[end] != t->sep && t->text[end] != '\n')
		end++;
	t->at = end + 1;
	bool more = end < t->n && t->text[end] == t->sep;
	end -= end > behind && t->text[end - 1] == '\r';
	*c = quoted && end == behind ? (struct cell){start + 1, close - start - 1} : (struct cell){start, end - start};
	return more;
}

/* Tab, comma or semicolon: the first of them that the first row has. */
static char separator(const char *text, size_t n)
{
	const char *nl = memchr(text, '\n', n);
	size_t first = nl ? (size_t)(nl - text) : n;
	for (const char *sep = "\t,;"; *sep; sep++)
		if (memchr(text, *sep, first))
			return *sep;
	return ',';
}

void detect_record_table(struct detect_record *r, const char *text, size_t n, uint64_t types, detect_record_fn *each, void *arg)
{
	static const struct cell none;
	struct cell *names = xcalloc(COLUMNS_MAX, sizeof *names), c;
	struct table t = {.text = text, .n = n, .sep = separator(text, n)};
	size_t columns = 0;
	for (bool first = true; t.at < n; first = false) {
		bool more = true;
		for (size_t i = 0; more; i++) {
			more = read_cell(&t, &c);
			const struct cell *name = !first && i < columns ? &names[i] : &none;
			detect_record_value(r, text + name->at, name->len, text, c.at, c.len, types, each, arg);
			if (first && i < COLUMNS_MAX)
				names[columns++] = c;
		}
	}
	free(names);
}
