/* One value as it is looked at; for the files of this folder. */
#ifndef SHAPE_LOOK_H
#define SHAPE_LOOK_H

#include "shape/shape.h"

/* text: unescaped. */
enum shape_look look_of_text(const char *text, size_t n);
enum shape_look look_of_number(const char *lexeme, size_t n);
unsigned length_class(size_t n);

#endif
