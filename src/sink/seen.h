/*
 * One request as the sink saw it, and the two ways to print it.  Second header of this folder because the server fills
 * the struct and tests print it without a server.
 */
#ifndef SINK_SEEN_H
#define SINK_SEEN_H

#include "adapter/adapter.h"
#include "base/buf.h"
#include "http/http.h"

struct seen {
	int64_t at_us;
	struct span method, path, query;
	const struct http_header *headers;
	size_t headers_len;
	struct span body;
	const struct adapter *adapter;	/* NULL: nobody's route */
	const struct route *route;
	struct wire_objects wire;	/* json is valid when n > 0 */
	struct span *objects;		/* of the request, in wire.json */
	size_t n;
	const char *wrong;		/* why there are none, or NULL */
	int status;			/* of the answer; 0: none was given */
};

/* Fills everything but the answer: which adapter, which route, which objects.  Spans live as long as rq and a do. */
void seen_read(struct seen *s, const struct http_request *rq, struct arena *a);

/* {"at","at_us","method","path","headers","body_b64","events":[],"status"} and a newline: design section 7.  Objects are
 * the bytes that came, without the blanks between tokens. */
void seen_json(const struct seen *s, struct buf *out);

struct seen_look {
	bool colour;
	uint32_t width;	/* 0: one line an object, however long */
};
/* An aligned line an object: time, route, name, fields.  Nothing in it can move a terminal's cursor. */
void seen_text(const struct seen *s, const struct seen_look *look, struct buf *out);

/* ---- members of JSON that json_check has passed ---- */

struct member {
	struct span key;	/* raw, without quotes; empty in arrays */
	struct span value;
};
struct walk {
	const char *at, *end;
	bool object;
};
/* Over the members of an object or array value; false when it is neither. */
bool walk_init(struct walk *w, struct span value);
bool walk_next(struct walk *w, struct member *m);
/* The member's value of an object, or an empty span. */
struct span walk_get(struct span object, const char *key);

#endif
