/*
 * Tables as text, RFC 4180: cells between commas, quoted where they hold commas, quotes ("" is one) or line ends.  Lines end in
 * LF or CRLF.  Nothing is allocated but the caller's buffer.
 */
#ifndef BASE_CSV_H
#define BASE_CSV_H

#include <stdbool.h>

#include "base/buf.h"

struct csv {
	const char *at, *end;	/* what is still to be read */
	size_t line;		/* of `at`, from 1 on; for messages */
};

/* Of at..end, behind a byte order mark if there is one. */
struct csv csv_of(const char *text, size_t n);
/* True while rows are left.  Empty lines are passed over. */
bool csv_row(struct csv *c);
enum csv_cell { CSV_MORE, CSV_LAST, CSV_OPEN };
/* The next cell of the row into `cell` (replaced).  CSV_LAST: it ends the row.  CSV_OPEN: a quote is never closed. */
enum csv_cell csv_cell(struct csv *c, struct buf *cell);

#endif
