/* A report as JSON and as text for people. */
#ifndef POSTURE_REPORT_H
#define POSTURE_REPORT_H

#include <jansson.h>

#include "base/buf.h"
#include "posture/posture.h"

/*
 * {"target","profile","at","pack","grade","score","coverage","observatory":{"version","score","grade"}|null,
 *  "protocols":{"TLS 1.2":true,...},
 *  "results":[{"rule","version","source","verdict","outcome","points","counted","says","evidence"}]}
 * grade and score are null when nothing could be observed; points are null for unknown.
 */
json_t *posture_report_json(const char *target, const struct posture_capture *c, const struct posture_report *r);
/*
 * The other way: rules and outcomes by their names, evidence; points and score are made again.  Rules and outcomes that the
 * table doesn't have are refused (ERR_INPUT), as is a rule twice.
 */
int posture_report_read(const json_t *report, enum posture_profile *profile, struct posture_report *out, struct err *err);
/* The same object as lines; colour when asked. */
void posture_report_print(const json_t *report, bool colour, struct buf *out);
/* The table of rules. */
json_t *posture_rules_json(void);
void posture_rules_print(struct buf *out);

#endif
