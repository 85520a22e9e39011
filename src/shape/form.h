/* Counts as JSON, for files and messages.  Of its own, because jansson's names and json/json.h's don't go together. */
#ifndef SHAPE_FORM_H
#define SHAPE_FORM_H

#include <jansson.h>

#include "shape/shape.h"

/* {"n":12,"t":[..],"l":[..],"k":[..],"d":3,"f":{"email":[2,1]}}; false for anything else. */
json_t *shape_to_json(const struct shape_counts *c);
bool shape_from_json(const json_t *j, struct shape_counts *c);

#endif
