/*
 * The legal side of an incident that needs no state: ENISA severity, and the clocks that laws start.  Pure.
 *
 * Deadlines are data (catalog/deadlines.json, facts with source, date and whether they were verified); this file holds
 * the arithmetic.  Nothing is invented: a clock whose anchor is unknown has not started, a law that isn't in force is
 * never due, and what was not verified says so wherever it is shown.
 */
#ifndef INCIDENT_LAW_H
#define INCIDENT_LAW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/diag.h"
#include "base/err.h"

/* ---- severity -------------------------------------------------------------------------------------------------
 * ENISA, "Recommendations for a methodology of the assessment of severity of personal data breaches", v1.0, Dec 2013:
 * SE = DPC x EI + CB, here in quarters: q = dpc * ei + cb, cb = c + i + a + m.  864 inputs in all.
 */
struct severity_input {
	uint8_t dpc;	/* data processing context, 1..4 */
	uint8_t ei;	/* ease of identification in quarters, 1..4 */
	uint8_t confidentiality, integrity, availability;	/* circumstances in quarters, 0..2 each */
	uint8_t malice;	/* 0 or 2 */
};
enum severity_band { SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_VERY_HIGH };
extern const char *const severity_names[4];

struct severity {
	unsigned quarters;	/* 1..24; the score is quarters / 4 */
	enum severity_band band;
};
/* ERR_INPUT when a value is out of its range. */
int severity_score(const struct severity_input *in, struct severity *out, struct err *err);
/* One line a factor, why it has this value; static text. */
const char *severity_reason_dpc(unsigned dpc);
const char *severity_reason_ei(unsigned ei);
/* What the band means, and what Weir then presumes (policy, not law). */
const char *severity_meaning(enum severity_band b);

/* The class of a data category (Fideslang key) and its base context: what a breach of such data starts from. */
unsigned severity_base(struct span category);

/* ---- deadlines ------------------------------------------------------------------------------------------------ */

enum anchor {
#define ANCHORS(X) \
	X(aware) X(controller_aware) X(vendor_aware) X(vendor_discovery) X(noticed) X(detected) X(discovery) \
	X(discovery_or_notification) X(aware_personal_data_affected) X(suspicion) X(belief) X(reasonable_belief) \
	X(determination) X(confirmed) X(investigation_concluded) X(scope_identified) X(assessment_completed) \
	X(classified_major) X(materiality_determined) X(initial_submitted) X(incident_notification_submitted) \
	X(intermediate_submitted) X(statement_prepared) X(individuals_notified) X(extortion_payment) X(ransom_payment) \
	X(corrective_measure_available) X(calendar_year_end)
#define X(n) ANCHOR_##n,
	ANCHORS(X)
#undef X
	ANCHOR_KINDS
};
extern const char *const anchor_names[ANCHOR_KINDS];
int anchor_of(const char *name);	/* -1 */

enum duration_unit { DURATION_NONE, DURATION_HOURS, DURATION_DAYS, DURATION_MONTHS, DURATION_BUSINESS_DAYS };
enum law_status { LAW_IN_FORCE, LAW_PROPOSED, LAW_NOT_YET };

struct deadline {
	const char *id, *jurisdiction, *law, *article, *trigger;
	enum anchor starts;
	enum duration_unit unit;
	unsigned amount;
	const char *text;		/* in words when there is no number, else NULL */
	const char *recipient, *recipient_type;
	const char *threshold;		/* NULL: none */
	int64_t at_least;		/* people of that jurisdiction, 0: any */
	int64_t at_most;		/* INT64_MAX: any */
	enum law_status status;
	const char *source, *as_of, *checked_via, *note;
	bool verified;
};
struct deadlines {
	struct arena arena;
	struct deadline *v;
	size_t n;
};
/* Loads and checks the whole file: every mistake goes to d, and then nothing is returned. */
int deadlines_load(const char *json, size_t n, struct deadlines *out, struct diags *d);
void deadlines_release(struct deadlines *l);
/* The catalogue that this build carries. */
const char *deadlines_builtin(size_t *n);

/* ---- clocks --------------------------------------------------------------------------------------------------- */

#define CLOCK_UNKNOWN INT64_MIN

/* What an incident knows.  Times are seconds UTC or CLOCK_UNKNOWN. */
struct clock_facts {
	int64_t anchors[ANCHOR_KINDS];
	int64_t now;
	/* People affected per jurisdiction as the deadlines name it ("United States: Texas"); -1 unknown.  NULL: unknown. */
	int64_t (*people)(void *arg, const char *jurisdiction);
	void *people_arg;
};
void clock_facts_init(struct clock_facts *f, int64_t now);

enum clock_state {
	CLOCK_NOT_STARTED, CLOCK_RUNNING, CLOCK_NO_NUMBER, CLOCK_OVERDUE, CLOCK_MET, CLOCK_LATE, CLOCK_SUSPENDED,
	CLOCK_NOT_APPLICABLE, CLOCK_PROPOSED_LAW
};
extern const char *const clock_state_names[9];

struct law_clock {
	const struct deadline *law;
	enum clock_state state;
	int64_t started, due;	/* CLOCK_UNKNOWN when it has none */
	const char *why;	/* one line: which limb, which threshold; static or the deadline's */
};

/* What a person said about one deadline. */
struct clock_mark {
	int64_t filed;			/* CLOCK_UNKNOWN: not yet */
	int64_t suspended_until;	/* law-enforcement letter; CLOCK_UNKNOWN: none */
	const char *not_applicable;	/* reason, or NULL */
};
void law_clock_of(const struct deadlines *all, const struct deadline *law, const struct clock_facts *f,
		  const struct clock_mark *mark, struct law_clock *out);

/* Hours are exact; days end at 23:59:59 in the jurisdiction's zone; months clamp (31 Jan + 1 month = end of Feb). */
int64_t law_due(const struct deadline *law, int64_t anchor);

/* Offset from UTC of a jurisdiction at a time, seconds: standard time plus the EU's or the US' summer time. */
int64_t zone_offset(const char *jurisdiction, int64_t at);
/* A Saturday, Sunday or public holiday there (US federal, Brazilian national; elsewhere weekends alone). */
bool is_holiday(const char *jurisdiction, int64_t days_since_epoch);

#endif
