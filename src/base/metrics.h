/*
 * Metrics as Prometheus reads them (text exposition format 0.0.4).  A family's head stands once, before all its samples and
 * next to them.  Labels are vendors' names and our own words, none of which needs an escape.  docs/metrics.md lists all.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdint.h>

#include "base/buf.h"

/* type: "counter" | "gauge" | "histogram".  help: one sentence. */
void metrics_head(struct buf *b, const char *name, const char *type, const char *help);
/* A family of one sample without labels. */
void metrics_single(struct buf *b, const char *name, const char *type, const char *help, uint64_t v);

#endif
