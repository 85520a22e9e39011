/*
 * Lists of identifiers in files: one a line, or a column of a table (CSV with a header line, RFC 4180) or of NDJSON
 * objects.  They are handed on in portions that fit one request.
 */
#ifndef CLI_IDLIST_H
#define CLI_IDLIST_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct idlist {
	struct buf text;
	char **v;	/* identifiers, none empty */
	size_t n;
};

/* column NULL: one a line.  "-" is standard input.  ERR_INPUT names the line; never quotes it. */
int idlist_read(const char *path, const char *column, struct idlist *out, struct err *err);
void idlist_release(struct idlist *l);
/* The next portion from *at on, as a new array; NULL at the end. */
json_t *idlist_portion(const struct idlist *l, size_t *at);
/* UTF-8 without zeros, and not longer than an identifier may be. */
bool idlist_ok(const char *s, size_t n);
/* One more into a portion that *bytes are in; false: it is full. */
bool idlist_put(json_t *ids, size_t *bytes, const char *s);

#endif
