/* For the files of this folder. */
#ifndef DISCOVER_INSIDE_H
#define DISCOVER_INSIDE_H

#include "discover/discover.h"
#include "shape/form.h"
#include "store/store.h"

enum { DAY_LEN = 10 };
#define ALL_KINDS 4
extern const char *const discover_kinds[ALL_KINDS];	/* "event", "profile", "group", "link" */

bool discover_day(const char *s);	/* YYYY-MM-DD, as the program writes it */

/*
 * What a place may begin to be: words of shape_began.what.
 *   field          it was met
 *   holds:TYPE     a detector found something
 *   type:NAME      a value of this type (shape_type_names by number: type:0 is a text)
 *   look:NAME      a telling look
 *   many           more than a few different values
 */
typedef void began_each(void *arg, const char *what);
void discover_traits(const struct shape_counts *c, began_each *each, void *arg);
/* How often of c's objects or values a trait is there: *n of *of. */
void discover_share(const struct shape_counts *c, const struct shape_counts *all, const char *what, uint64_t *n, uint64_t *of);

/* Of the words' table. */
int discover_drift(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err);
int discover_learned(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err);

#endif
