/*
 * Posture in the registry: what was found of each vendor's host, newest rule by rule, and every grade it had.
 *   posture_grade   a row a probe that saw something     posture_result   newest verdict of each rule
 *   posture_probe   when each vendor was last probed, also in vain
 * A probe in vain changes no grade: a vendor who is down, or a broken line of ours, isn't bad posture.
 */
#ifndef POSTURE_BOOK_H
#define POSTURE_BOOK_H

#include "posture/posture.h"
#include "registry/registry.h"

enum { POSTURE_URL_MAX = 1100 };

/* posture-list {} -> {vendors}, posture-show {vendor} -> {report}, posture-run: refused here, it needs the prober. */
extern const struct registry_word posture_words[];

/* Where this vendor's data goes: the upstream of its contract in force, else of the newest.  ERR_NOTFOUND. */
int posture_upstream(struct registry *r, const char *vendor, char url[static POSTURE_URL_MAX], struct err *err) REGISTRY_CHECKED;
/* The vendors to be probed by themselves now: approved, upstream https, not probed for interval seconds; new array. */
int posture_due(struct registry *r, int64_t at, int64_t interval, json_t **vendors, struct err *err) REGISTRY_CHECKED;
/*
 * A report of the prober, which is believed only as far as the table of rules goes: verdicts, points and grade are made
 * again from the outcomes' names.  changed: the grade isn't the one before.
 */
int posture_record(struct registry *r, const char *vendor, const json_t *report, int64_t at, bool *changed, struct err *err) REGISTRY_CHECKED;
/* The prober was asked in vain. */
int posture_missed(struct registry *r, const char *vendor, int64_t at, struct err *err) REGISTRY_CHECKED;

#endif
