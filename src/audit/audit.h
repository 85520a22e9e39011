/*
 * Audits of vendors: what the contract declares against what the ledger observed, clauses present and absent, evidence
 * due, and when the next audit is.  A run is a record that stays (table audit, and an event with its digest); a report
 * is that record as text, HTML or PDF.  No personal data: places, categories and counts.
 *
 * Tiers come from what may leave: high when something identifying leaves as it is, medium under lasting pseudonyms, else
 * low.  High is audited every 180 days, medium every 365, low every 730; the time runs from the last audit.
 */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include <jansson.h>

#include "base/buf.h"
#include "registry/registry.h"

/*
 *   audit-plan    {}              -> {at, vendors: [{vendor, tier, why, last, due, overdue}]}       approved vendors
 *   audit-run     {vendor, why?}  -> the report, made with the ledger's answer (`ledger` and `then`, steward/count.c)
 *   audit-report  {vendor}        -> the newest report; ERR_NOTFOUND when there is none
 */
extern const struct registry_word audit_words[];

/* A whole page, readable without anything else; every text escaped. */
void audit_html(const json_t *report, struct buf *out);

#endif
