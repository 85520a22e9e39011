/* The examples and counterexamples of catalog/detectors/ids.yaml, for the test that runs them. */
#ifndef DETECT_EXAMPLES_H
#define DETECT_EXAMPLES_H

#include "detect/detect.h"

struct detect_example {
	enum detect_type type;
	bool found;
	const char *text;
};
extern const struct detect_example detect_examples[];	/* ends with type DETECT_TYPES */

#endif
