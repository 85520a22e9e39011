/* The walk with its default deny broken: what I1_default_deny must catch (apply_test.c). */
#define APPLY_BROKEN
#include "contract/apply.c"
