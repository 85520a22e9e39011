/*
 * A contract from traffic, for a company that is live already: captured, or what a running Weir has learned.  Pure.
 *
 * What is known about a vendor's default fields is let through in its safest useful form or left behind with the
 * reason; everything else is listed as lines to uncomment, with how often it was seen, what it looks like, and a rule
 * that its category asks for (detect/fields.h).  No value of an event ever stands in the output, and no name that
 * carries personal data itself (shape/shape.h).
 */
#ifndef CONTRACT_SUGGEST_H
#define CONTRACT_SUGGEST_H

#include "adapter/adapter.h"
#include "base/buf.h"
#include "base/err.h"
#include "shape/shape.h"

struct suggest_counts {
	size_t events, profiles, groups, links;	/* objects that were read */
	size_t skipped;	/* lines, requests or objects that weren't this adapter's */
};

/*
 * text: event objects, one a line or in an array; the lines of `weir sink --capture`; or a HAR file (its requests to
 * this adapter's routes).  yaml receives a contract that contract_parse takes as it is.
 *
 * ERR_INPUT when not a single object was found.
 */
int contract_suggest(const struct adapter *a, const char *text, size_t n, struct buf *yaml, struct suggest_counts *counts,
		     struct err *err);

/* The same from rows of shapes: begin, add each, end (which releases it).  vendor, first, last (days): for its head. */
struct suggestion *suggest_begin(const struct adapter *a);
void suggest_row(struct suggestion *s, const struct shape_row *row);
int suggest_end(struct suggestion **s, const char *vendor, const char *first, const char *last, struct buf *yaml,
		struct suggest_counts *counts, struct err *err);

/* ---- for the files of suggest only ---- */

enum seen_part { SEEN_EVENT_NAME, SEEN_EVENT, SEEN_OPERATION, SEEN_PROFILE, SEEN_GROUP_KEY, SEEN_GROUP, SEEN_PARTS };

struct seen_field {
	enum seen_part part;
	char *name;		/* canonical path, or the name itself */
	struct shape_counts c;
};

struct suggestion {
	const struct adapter *adapter;
	struct suggest_counts counts;
	struct shape_table *table;
	struct seen_field *fields;
	size_t n, cap;
	uint32_t *slots;	/* hash index: place + 1 */
	size_t hidden[SEEN_PARTS];	/* names that may not be shown, or past the ceiling */
	const char *vendor, *first, *last;	/* of what was learned; NULL: captured */
};

struct json_t;
void suggest_object(struct suggestion *s, const struct json_t *object);
void suggest_read(struct suggestion *s, const char *text, size_t n);
void suggest_print(const struct suggestion *s, struct buf *yaml);

/* What a member of nobody's table should be, by its name and what it looks like. */
struct suggested_rule {
	char text[160];		/* "{domain: true, category: user.contact.email}" */
	const char *why;	/* of a drop; NULL */
};
void suggest_rule(const struct seen_field *f, struct suggested_rule *out);

#endif
