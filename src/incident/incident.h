/*
 * Incidents of vendors: who was exposed, what the law asks, what was said and done.  Rows of the registry's database
 * (schema.c "incidents"); everything that anybody does is an event of the vendor with {"incident": ID} in its detail, so
 * that the timeline is in the transparency log.  What laws say stands in law.h.
 *
 *   reported   somebody says so (a peer's bundle, a canary): our exposure is counted, nothing is cut off
 *   open       a person says so: the vendor is quarantined until somebody lifts it
 *   closed     dealt with; the record stays.  The cut-off stays too: `lift` ends it, closing never does
 *   dismissed  a false alarm
 *
 * incident.c holds the one table of moves.  One thread, the registry's.
 */
#ifndef INCIDENT_INCIDENT_H
#define INCIDENT_INCIDENT_H

#include <jansson.h>

#include "incident/law.h"
#include "registry/registry.h"

extern const struct registry_word incident_words[];

enum incident_state { INCIDENT_REPORTED, INCIDENT_OPEN, INCIDENT_CLOSED, INCIDENT_DISMISSED, INCIDENT_STATES };
extern const char *const incident_state_names[INCIDENT_STATES];

enum incident_act {
	ACT_NOTE, ACT_ANCHOR, ACT_MESSAGE, ACT_SCOPE, ACT_SEVERITY, ACT_FILE, ACT_CONFIRM, ACT_CLOSE, ACT_DISMISS, ACT_REOPEN,
	ACT_LIFT, ACT_DRAFT, ACT_RELEASE, ACT_NOTIFY, ACT_SHARE, ACTS
};

struct incident {
	int64_t id;
	char vendor[VENDOR_MAX + 1];
	enum incident_state state;
	bool cut_off;			/* this incident asks for the quarantine */
	char since[11], until[11];	/* days; "" none */
};
/* ERR_NOTFOUND. */
int incident_get(struct registry *r, int64_t id, struct incident *out, struct err *err) __attribute__((warn_unused_result));
/*
 * Inside a transaction: may this act be done now (ERR_CONFLICT says what may), what becomes of the state, and the event.
 * detail (an object or NULL) is taken over.
 */
int incident_do(struct registry *r, struct incident *x, enum incident_act act, const char *who, const char *why, int64_t at,
		json_t *detail, struct err *err) __attribute__((warn_unused_result));

/* A report, in a transaction of its own.  source: "peer", "canary"; tlp NULL: none. */
struct incident_report {
	const char *vendor, *source, *who, *why, *since, *until, *tlp;
	int64_t at;
};
int incident_report(struct registry *r, const struct incident_report *what, int64_t *id, struct err *err)
	__attribute__((warn_unused_result));

/* Everything about it, as the word incident-show answers it, into answer. */
int incident_facts(struct registry *r, int64_t id, int64_t at, json_t *answer, struct err *err) __attribute__((warn_unused_result));

/* What the ENISA score would be for these categories ([{category, people}]); the input is a proposal, a person confirms. */
void severity_propose(const json_t *categories, struct severity_input *out);
json_t *severity_json(const struct severity_input *in);

/* ---- requests ---------------------------------------------------------------------------------------------------- */

enum { INCIDENT_WHY_MAX = 500, INCIDENT_TEXT_MAX = 8000 };
/* A member of a request: text of at most max bytes, one line unless lines.  NULL with err when it isn't; required: or absent. */
int incident_text(const json_t *request, const char *name, size_t max, bool required, const char **out, struct err *err)
	__attribute__((warn_unused_result));

#endif
