/*
 * What flows, kept by day: shapes that the gate counted (shape/shape.h), what began and what ended, for suggestions and
 * drift reports.  Two tables of the registry's database:
 *
 *   shape        counts of a day, vendor, kind of object, source, event and place; gone after some days
 *   shape_began  the first day on which a place of a source was met, held something, was of a type or look
 *
 * Never a value, and a name only when it passes shape_name_ok: what the gate sends is checked again here.
 */
#ifndef DISCOVER_DISCOVER_H
#define DISCOVER_DISCOVER_H

#include "base/buf.h"
#include "registry/registry.h"

/*
 * The gate's message `shapes` {vendor, day, rows: [{k, s, e, p, c}]}.  Rows that aren't as they should be are passed over.
 * Says in the log (drift-began) what begins on a day that isn't the source's first.
 */
int discover_take(struct registry *r, const json_t *body, struct err *err) REGISTRY_CHECKED;

/*
 * drift    {vendor?, since?}  -> {since, until, drift: [...]} (drift.c says of what)
 * learned  {vendor}           -> {vendor, adapter, first, last, rows: [{k, e, p, c}]}: by place, and by event for the place ""
 */
extern const struct registry_word discover_words[];

/* Days that shapes are kept {90}; once at the start, with the registry that is open from then on.  What is older goes once a day. */
void discover_keep(int64_t days);
extern const struct registry_tick discover_tick;

/* weir_drift_total: what began since the start. */
void discover_metrics(struct buf *b);

#endif
