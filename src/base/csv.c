#include "base/csv.h"

#include <string.h>

struct csv csv_of(const char *text, size_t n)
{
	size_t mark = n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	return (struct csv){text + mark, text + n, 1};
}

bool csv_row(struct csv *c)
{
	while (c->at < c->end && (*c->at == '\r' || *c->at == '\n'))
		c->line += *c->at++ == '\n';
	return c->at < c->end;
}

/* Behind the cell: its comma, its line end, or the end. */
static enum csv_cell step_over(struct csv *c)
{
	if (c->at == c->end)
		return CSV_LAST;
	const char sep = *c->at++;
	c->line += sep == '\n';
	return sep == ',' ? CSV_MORE : CSV_LAST;
}

static enum csv_cell quoted(struct csv *c, struct buf *cell)
{
	for (c->at++; c->at < c->end; c->at++) {
		if (*c->at == '"') {
			if (c->at + 1 == c->end || c->at[1] != '"')
				break;
			c->at++;
		}
		c->line += *c->at == '\n';
		buf_addc(cell, *c->at);
	}
	return c->at == c->end ? CSV_OPEN : (c->at++, CSV_MORE);
}

enum csv_cell csv_cell(struct csv *c, struct buf *cell)
{
	buf_reset(cell);
	if (c->at < c->end && *c->at == '"' && quoted(c, cell) == CSV_OPEN)
		return CSV_OPEN;
	const char *from = c->at;	/* all of a plain cell; what stands behind a closing quote, should anything */
	while (c->at < c->end && *c->at != ',' && *c->at != '\n')
		c->at++;
	const char *to = c->at;
	if (to > from && to[-1] == '\r')
		to--;
	buf_add(cell, from, (size_t)(to - from));
	return step_over(c);
}
