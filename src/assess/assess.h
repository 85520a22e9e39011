/*
 * Assessments: what a vendor says about its security against a standard list, what it shows for it, until when that
 * holds, and what it comes to in points.  A score is a pure function of answers, evidence, what Weir sees itself, and
 * the time; every point says where it comes from.
 *
 * An assessment is reviewed from the moment every control is answered; of several, the newest reviewed one counts, so
 * that starting the next doesn't take the last one away.  Its age counts from then: a whole answer file (import) renews
 * it, a single answer doesn't.
 *
 * Evidence is a name, a SHA-256, a size and a date: the file itself stays with whoever keeps it.
 */
#ifndef ASSESS_ASSESS_H
#define ASSESS_ASSESS_H

#include <jansson.h>

#include "base/diag.h"
#include "registry/registry.h"

#define ASSESS_CHECKED __attribute__((warn_unused_result))

enum { ASSESS_FILE_MAX = 1 << 20, ASSESS_NOTE_MAX = 2000, ASSESS_NAME_MAX = 200, ASSESS_EVIDENCE_MAX = 20 };

/* ---- questionnaires: catalog/questionnaires/, checked whole when first asked for ---------------------------------- */

/* Borrowed, NULL when there is none of that id.  One thread. */
const json_t *questionnaire_find(const char *id);
/* ERR_INPUT with a JSON Pointer. */
int questionnaire_check(const json_t *q, struct err *err) ASSESS_CHECKED;
const json_t *questionnaire_control(const json_t *q, const char *id);	/* NULL: none */

/* ---- answers ------------------------------------------------------------------------------------------------------ */

enum answer { ANSWER_YES, ANSWER_PARTIAL, ANSWER_NO, ANSWER_NA, ANSWERS };
extern const char *const answer_names[ANSWERS];

/*
 * The file that a vendor fills in: YAML or JSON, as assess_file_write makes it.  Every mistake goes to d at once; the
 * answers when d->errors is 0 (new reference), else NULL:
 *   {vendor, standard, version, answers: [{control, answer, note, evidence: [{file, sha256?, valid_until?}]}]}
 * Controls left `unanswered` aren't listed.
 */
json_t *assess_file_read(const char *text, size_t n, struct diags *d);
/* shown: an answer of the word assess-show. */
void assess_file_write(const json_t *shown, struct buf *out);

/* ---- points ------------------------------------------------------------------------------------------------------- */

/*
 * answers: {CONTROL: {answer, note, evidence: [{name, sha256, valid_until: SECONDS|null}]}}
 * seen:    {CONTROL: {verdict: "pass"|"warn"|"fail", why}}; it overrides what was answered
 *
 * {score, earned, of, complete, unanswered, evidence_expired: [text], controls: [{control, title, question, by, answer, note,
 *  evidence, earned, of, why}], findings: [{control, severity, text}]}
 * earned and of are in half weights; score = earned * 100 / of, rounded down.  New reference.
 */
json_t *assess_score(const json_t *questionnaire, const json_t *answers, const json_t *seen, int64_t at);

/* ---- state -------------------------------------------------------------------------------------------------------- */

struct assess_state {
	bool there, complete;
	int score;		/* now: with evidence that has run out counted as such */
	int64_t reviewed;	/* seconds; 0: never */
	size_t expired;		/* controls whose evidence has run out */
	char which[120];	/* the first of them: "1.4 report.pdf" */
};
/* standard NULL: the vendor's newest assessment of any.  Not there is no error. */
int assess_state(struct registry *r, const char *vendor, const char *standard, int64_t at, struct assess_state *out,
		 struct err *err) ASSESS_CHECKED;
/* The contract in force, else the newest applied; ERR_NOTFOUND. */
int assess_contract(struct registry *r, const char *vendor, struct contract **out, struct err *err) ASSESS_CHECKED;
/* A table that another capability keeps is there. */
bool assess_table(struct registry *r, const char *name);

/*
 *   assess-start   {vendor, standard?, why?}
 *   assess-answer  {vendor, standard?, control, answer, note?, evidence?: [{name, sha256, bytes, valid_until?: "2027-01-31"}]}
 *   assess-import  {vendor, standard, version, answers: [...]}      all or nothing
 *   assess-show    {vendor, standard?, newest?}  (newest: the one that takes answers, rather than the one that counts) -> {vendor, standard, title, version, source, started, reviewed, ...assess_score}
 */
extern const struct registry_word assess_words[];

#endif
