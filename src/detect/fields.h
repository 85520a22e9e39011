/*
 * What the name of a member says about its value: key paths to categories of Fideslang, by the rows of
 * catalog/detectors/fields.yaml (which says how a name fits).  Pure; no allocation; any thread.
 *
 * Fourth public header of this folder, because it is about names and never sees a value.
 */
#ifndef DETECT_FIELDS_H
#define DETECT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

/* What was seen of the values, when something was: a field of true and false alone is no e-mail address. */
enum {
	FIELD_SAW_TEXT = 1,
	FIELD_SAW_NUMBER = 2,
	FIELD_SAW_FLAG = 4,	/* true, false; null says nothing */
	FIELD_OF_PERSON = 8,	/* the object describes a person (a profile): a bare "name" is theirs */
};

/*
 * path: as contracts spell it ("properties.user.email", "items[].sku", properties["Plan Name"]), or any key; UTF-8.
 * Returns a category ("user.contact.email", static), or NULL: the name says nothing that we know.
 */
const char *detect_field(const char *path, size_t n, unsigned seen);

/*
 * A word that gives a number of this category its meaning to the weak detectors ("phone"), "" where the name's own words are
 * what gives it ("bsn"), NULL where a name says nothing to them.
 */
const char *detect_field_word(const char *category);

/* Is `category` the same as `of` or under it? */
bool detect_category_in(const char *category, const char *of);

#endif
