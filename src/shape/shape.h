/*
 * What flows: which members objects have, how often, and what their values are like, by kind of object, source and event.
 * Never a value.  A place is a path as contracts spell it; a key that is data itself (shape_name_ok) stands as `*`.
 *
 * A table is bounded: SHAPE_PATHS places, SHAPE_EVENTS names, SHAPE_CELLS counters, SHAPE_KIDS members an object; what comes
 * past that is counted under `*`.  Counting allocates only while a table grows.  Pure; one thread a table.
 */
#ifndef SHAPE_SHAPE_H
#define SHAPE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detect/rules.h"

enum shape_type { SHAPE_TEXT, SHAPE_NUMBER, SHAPE_FLAG, SHAPE_NULL, SHAPE_LIST, SHAPE_OBJECT, SHAPE_TYPES };
extern const char *const shape_type_names[SHAPE_TYPES];	/* "text", "number", "true/false", ... */

/* What a value is like: of a text the first that fits, then those of numbers (one of seconds or milliseconds is a time). */
enum shape_look {
	LOOK_EMPTY, LOOK_UUID, LOOK_TIME, LOOK_URL, LOOK_HEX, LOOK_DIGITS, LOOK_TOKEN, LOOK_WORD, LOOK_PROSE, LOOK_OTHER,
	LOOK_WHOLE, LOOK_FRACTION, SHAPE_LOOKS
};
extern const char *const shape_look_names[SHAPE_LOOKS];	/* words of files and answers: "uuid" */
extern const char *const shape_look_words[SHAPE_LOOKS];	/* for people: "UUIDs" */
/* "e-mail addresses": what a detector's kind is for people; its name where there is no better word. */
const char *shape_found_words(const char *type);

enum {
	SHAPE_LENGTHS = 8,	/* texts of 0, to 8, 16, 32, 64, 128, 256 bytes, longer */
	SHAPE_FOUND = 4,	/* kinds of findings kept apart; of more the first */
	SHAPE_FEW = 8,		/* that many different values are "few" */
	SHAPE_PATHS = 1000, SHAPE_EVENTS = 63, SHAPE_CELLS = 4096, SHAPE_KIDS = 300, SHAPE_SOURCES = 16,
	SHAPE_OWN_NAMES = 2000, SHAPE_DEPTH = 12, SHAPE_NAME_BYTES = 80, SHAPE_PATH_BYTES = 400,
};

/*
 * The one text for the name of a type or of an own detector (detect_rule_name), for the life of the process; "custom" past
 * SHAPE_OWN_NAMES of them, NULL when it can't be a name.  Any thread.
 */
const char *shape_found_type(const char *name, size_t n);

struct shape_found {
	const char *type;	/* a detector's name, as shape_found_type gives it */
	uint64_t n, whole;	/* values that hold it, and those that are nothing else */
};

struct shape_counts {
	uint64_t objects;	/* in which the place was met; of the place "": all of them */
	uint64_t types[SHAPE_TYPES];
	uint64_t lengths[SHAPE_LENGTHS];
	uint64_t looks[SHAPE_LOOKS];
	struct shape_found found[SHAPE_FOUND];
	unsigned found_len;
	unsigned distinct;	/* different texts and numbers, SHAPE_FEW + 1: more than a few; a lower bound */
};
void shape_add(struct shape_counts *to, const struct shape_counts *more);

/* May this key or event name be kept?  Not what the detectors find something in, what looks random, or can't be printed. */
bool shape_name_ok(const char *name, size_t n);
/* And a path of such keys, `*` and []. */
bool shape_path_ok(const char *path, size_t n);

struct shape_table;
/* seed: 8 random bytes, so that nobody outside can aim at a place of the table. */
struct shape_table *shape_table_new(uint64_t seed);
void shape_table_free(struct shape_table **t);

struct shape_where {
	unsigned kind;		/* 0..3: enum object_kind */
	unsigned source;	/* under SHAPE_SOURCES */
	const char *name;	/* path of the event's name in the object, "event"; NULL: it has none */
	const struct detect_rules *rules;	/* besides, unless NULL; with room for them */
	struct detect_room *room;
};
/* The object that starts at text[from], inside a checked JSON text of n bytes with JSON_PAD zero bytes behind it. */
void shape_observe(struct shape_table *t, const struct shape_where *w, const char *text, size_t n, size_t from);

struct shape_row {
	unsigned kind, source;
	const char *event, *path;	/* live until the table changes */
	struct shape_counts counts;
};
typedef void shape_each(void *arg, const struct shape_row *row);
/* Tells what was counted since the last time and counts from zero; `distinct` goes on. */
void shape_take(struct shape_table *t, shape_each *each, void *arg);
/* Forgets everything (a new day). */
void shape_clear(struct shape_table *t);
size_t shape_bytes(const struct shape_table *t);	/* of memory */

#endif
