/* Words as the tables of fields.yaml and names.yaml have them: small letters without accents (script/rowtables.py does the same). */
#ifndef DETECT_FOLD_H
#define DETECT_FOLD_H

#include <stddef.h>
#include <stdint.h>

enum { FOLD_BYTES = 48 };
/* Into out, FOLD_BYTES of room; returns the length, 0 when it is longer than that or not UTF-8. */
size_t fold_word(const char *s, size_t n, char *out);
uint32_t fold_hash(const char *s, size_t n);

/* Of a code point, as far as words are concerned. */
enum fold_class { FOLD_BETWEEN, FOLD_DIGIT, FOLD_UPPER, FOLD_LOWER, FOLD_UNCASED, FOLD_MARK };
enum fold_class fold_class_of(int32_t c);

#endif
