/* Shared by the files of this folder. */
#ifndef ASSESS_INSIDE_H
#define ASSESS_INSIDE_H

#include "assess/assess.h"

/* Adds {CONTROL: {verdict, why}} for what can be seen of the vendor now. */
int assess_seen(struct registry *r, const char *vendor, const json_t *questionnaire, json_t *seen, struct err *err) ASSESS_CHECKED;

#endif
