/* Names of people in text, by what stands before them and by given names (names.c). */
#ifndef DETECT_NAMES_H
#define DETECT_NAMES_H

#include "detect/core.h"

/* Adds hits of DETECT_NAME in [s->lo, s->hi): weak ones, linear in time. */
void find_names(struct scan *s);

#endif
