/* The rows of catalog/detectors/fields.yaml as script/fields writes them. */
#ifndef DETECT_FIELDS_ROWS_H
#define DETECT_FIELDS_ROWS_H

#include <stdint.h>

enum field_of { FIELD_OF_DATA, FIELD_OF_TEXT, FIELD_OF_NUMBER, FIELD_OF_ANY };
struct field_row {
	const char *category;	/* NULL: none, whatever the last word says */
	enum field_of of;
};
extern const struct field_row field_rows[];

/* Open hash tables; equal names stand behind one another.  One empty place more than the mask says ends the array. */
extern const char field_text[];
enum { NAME_ANY, NAME_SAME, NAME_ALONE, NAME_GROUP0 };	/* NAME_GROUP0 + i: behind a word of group i */
struct field_name {
	uint32_t words;		/* "first name", where in field_text; 0: an empty place */
	uint16_t row;
	uint8_t when;
};
extern const struct field_name field_names[];
extern const unsigned field_names_mask;

enum { WORD_TAIL = 1, WORD_HEAD = 2, WORD_ROLE = 4, WORD_GROUP0 = 8 };
enum { GROUP_PERSON = 5 };	/* the last one */
struct field_word {
	uint32_t word;		/* in field_text */
	uint16_t bits;
};
extern const struct field_word field_words[];
extern const unsigned field_words_mask;

struct field_example {
	const char *category;
	int fits;
	const char *path;
};
extern const struct field_example field_examples[];	/* ends with NULL */

#endif
