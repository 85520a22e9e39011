/*
 * A contract from captured traffic, for a company that is live already.  Pure.
 *
 * What is known about a vendor's default fields is let through in its safest useful form or left behind with the
 * reason; everything else is listed as lines to uncomment, with how often it was seen and its shape.  No value of an
 * event ever stands in the output, and no key name that carries personal data itself; event names stand there when the
 * detectors pass them.
 */
#ifndef CONTRACT_SUGGEST_H
#define CONTRACT_SUGGEST_H

#include "adapter/adapter.h"
#include "base/buf.h"
#include "base/err.h"

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

/* ---- for the files of suggest only ---- */

enum seen_part { SEEN_EVENT_NAME, SEEN_EVENT, SEEN_OPERATION, SEEN_PROFILE, SEEN_GROUP_KEY, SEEN_GROUP, SEEN_PARTS };
enum { SHAPE_TEXT = 1, SHAPE_NUMBER = 2, SHAPE_FLAG = 4, SHAPE_NULL = 8, SHAPE_LIST = 16 };
enum { DISTINCT_MAX = 9 };

struct seen_field {
	enum seen_part part;
	char *name;		/* canonical path, or the name itself */
	size_t count;		/* objects it stood in */
	size_t last;		/* the newest of them */
	unsigned shapes;
	uint64_t found;		/* DETECT_BIT bits in its values */
	uint64_t distinct[DISTINCT_MAX];	/* hashes of different values, while few */
	unsigned distinct_len;
};

struct suggestion {
	const struct adapter *adapter;
	struct suggest_counts counts;
	struct seen_field *fields;
	size_t n, cap;
	uint32_t *slots;	/* hash index: place + 1 */
	size_t hidden[SEEN_PARTS];	/* names that may not be shown, or past the ceiling */
};

struct json_t;
void suggest_object(struct suggestion *s, const struct json_t *object);
void suggest_read(struct suggestion *s, const char *text, size_t n);
void suggest_print(const struct suggestion *s, struct buf *yaml);

#endif
