/*
 * Personal data in one record: a JSON text by its values and key names, anything else as plain text.  Pure.
 *
 * Second public header of this folder, because it allocates and knows JSON, and detect.h does neither.
 */
#ifndef DETECT_RECORD_H
#define DETECT_RECORD_H

#include "base/buf.h"
#include "detect/rules.h"

/* Buffers kept from record to record; one thread. */
struct detect_record {
	struct buf text;	/* a value, unescaped, behind its key */
	struct buf pointer;
	struct buf keys;	/* unescaped names on the way to the value */
	struct detect_hit *hits;
	const struct detect_rules *rules;	/* besides, unless NULL; not owned */
	struct detect_room *room;
	size_t hits_cap;
};
void detect_record_init(struct detect_record *r);
void detect_record_release(struct detect_record *r);

/*
 * pointer: RFC 6901, of the value, or of the member whose name holds the hit; names that carry personal data stand as
 * [KEY].  hit: byte offsets in the record as it is (not unescaped).  Both live during the call only.
 */
typedef void detect_record_fn(void *arg, const char *pointer, const struct detect_hit *hit);

/*
 * Calls each() for every hit in order of place.  A key's name stands as a word before its value, so `phone` makes a
 * number one.  64 zero bytes follow the text, which is under 2 GiB.
 *
 * True when the text is JSON (an object, an array or a string: RFC 8259, 256 levels), false when it was taken as plain
 * text; its pointer is "".
 */
bool detect_record_scan(struct detect_record *r, const char *text, size_t n, uint64_t types, detect_record_fn *each, void *arg);

/*
 * One value that isn't JSON, of a column of a table: text[at..at + n), its name before it as a word and as its pointer.
 * 64 readable bytes follow the whole text; offsets are in it.
 */
void detect_record_value(struct detect_record *r, const char *name, size_t name_len, const char *text, size_t at, size_t n, uint64_t types,
			 detect_record_fn *each, void *arg);

/* The cells of a table (RFC 4180; tabs and semicolons, too) in order; its first row names the columns.  64 zero bytes follow the text. */
void detect_record_table(struct detect_record *r, const char *text, size_t n, uint64_t types, detect_record_fn *each, void *arg);

#endif
