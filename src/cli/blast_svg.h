/* A blast as a picture for a report: people a day, and people by category. */
#ifndef CLI_BLAST_SVG_H
#define CLI_BLAST_SVG_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

/* answer: as `weir blast --json` prints it.  SVG 1.1, no script, no font or picture from elsewhere. */
void blast_svg(const json_t *answer, struct buf *out);
/* Into a file, which is replaced. */
int blast_svg_write(const json_t *answer, const char *file, struct err *err);

#endif
