/* The rows of catalog/detectors/names.yaml and catalog/names/first.txt as script/names writes them. */
#ifndef DETECT_NAMES_ROWS_H
#define DETECT_NAMES_ROWS_H

#include <stdint.h>

enum { NAME_GIVEN = 1, NAME_AMBIGUOUS = 2, NAME_PARTICLE = 4, NAME_STOP = 8, NAME_ENDS = 16 };	/* ENDS: perhaps of a phrase */
/* Kinds of phrases, in the order of their weight; a phrase may be several: bits 1 << kind. */
enum name_kind { NAME_INTRO, NAME_PERHAPS, NAME_TITLE, NAME_GREETING, NAME_CLOSING, NAME_LABEL, NAME_KINDS };

/* Open hash tables, by fold_hash; one empty place more than the mask says ends the array. */
struct name_word {
	uint32_t word;	/* where in name_text; 0: an empty place */
	uint8_t bits;
};
extern const char name_text[];
extern const struct name_word name_words[], name_phrases[];
extern const unsigned name_words_mask, name_phrases_mask;

struct name_example {
	const char *text, *found;	/* found: NULL: no name in it */
};
extern const struct name_example name_examples[];	/* ends with NULL */

#endif
