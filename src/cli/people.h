/*
 * A list of people of one's own: a file (idlist.h), or what a query of a PostgreSQL database answers, streamed from it with a cursor
 * in a read-only transaction.  Nothing of it is stored.  It is handed on in portions that fit one request.
 */
#ifndef CLI_PEOPLE_H
#define CLI_PEOPLE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct people_source {
	const char *users, *id;		/* file and column (NULL: one a line) */
	const char *db, *query;		/* libpq's connection string or URI; one SELECT.  id: its column (NULL: the first) */
};
/* NULL: it is one or the other, whole; else what is wrong with the options. */
const char *people_wrong(const struct people_source *s);

struct people;
/* ERR_INPUT names the line or SQLSTATE; never quotes a value. */
int people_open(const struct people_source *s, struct people **out, struct err *err);
/* 1 and a new array of identifiers, 0 at the end, -1. */
int people_next(struct people *p, json_t **ids, struct err *err);
/* How many were handed on, of how many; 0: not known. */
size_t people_done(const struct people *p);
size_t people_total(const struct people *p);
void people_close(struct people **p);

#endif
