/*
 * `weir demo`: a breach like that of November 2025 at an analytics vendor, replayed with synthetic people on this
 * machine: a folder of its own, a stand-in vendor, `weir serve`, a chat product's SDK traffic, the vendor's message,
 * the cut-off, the counts, the papers and the letters.  Every figure that it prints was measured in this run.
 */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

struct demo_options {
	bool headless;		/* no pauses; ends by itself */
	bool json;		/* figures as one JSON line, nothing else on standard output */
	bool colour, terminal;
	unsigned people;	/* {100000} */
	const char *api;	/* the page's address */
	const char *keep;	/* folder that stays, or NULL: a temporary one that goes */
	struct span contract;	/* catalog/demo/contract.yaml */
};

/* Returns the exit status: 0, 1 a figure isn't as it must be (bytes behind the cut-off, ...), 3. */
int demo_run(const struct demo_options *o, struct err *err);

#endif
