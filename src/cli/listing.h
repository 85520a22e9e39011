/* Rows of an answer on standard output, as NDJSON or CSV (RFC 4180), and how far it is, on a terminal. */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct listing {
	bool csv;
	const char *const *columns;	/* of CSV, in order; closed with NULL */
	bool begun;
};
/* Members of object by the columns' names; a list's texts stand apart by a blank.  A header line before the first. */
void listing_print(struct listing *r, json_t *object);
void listing_end(struct listing *r);	/* the header of an empty table */

/* "  12,000 of 40,000", on standard error when it is a terminal, five times a second; total 0: not known. */
void listing_progress(size_t done, size_t total);
void listing_progress_end(void);	/* wipes the line */

#endif
