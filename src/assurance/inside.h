/* Shared by the files of this folder: conditions, and what is known of a vendor. */
#ifndef ASSURANCE_INSIDE_H
#define ASSURANCE_INSIDE_H

#include "assurance/assurance.h"

enum takes { TAKES_WORD, TAKES_NAME, TAKES_SCORE, TAKES_DURATION, TAKES_GRADE };
struct condition_row {
	const char *name;
	enum takes takes;
	const char *words[2];
};
extern const struct condition_row condition_rows[CONDITIONS];

/* What the rules look at. */
struct facts {
	struct registry *r;
	const char *vendor;
	int64_t at;
	const struct contract *contract;
	enum flow incident;
	int64_t waived_until[REQUIREMENTS];	/* of the newest approval; 0: not waived */
	bool posture;				/* a grade is known */
	int grade;
	char grade_text[4];
	int64_t graded_at;
	struct assess_state assessed;		/* against assessed_by */
	char assessed_by[64];
	bool has_assessed;
};
int facts_gather(struct registry *r, const char *vendor, const struct contract *c, int64_t at, struct facts *f, struct err *err) ASSESS_CHECKED;
/* 1 the rule's conditions all hold (found: what was found, one line), 0 not, -1. */
int facts_hold(struct facts *f, const struct assurance_rule *rule, char found[static RULE_WHY_MAX], struct err *err) ASSESS_CHECKED;

const char *assurance_grade_name(int place);

/* The rules that the contract's `requires` makes. */
void requires_rules(const struct contract *c, struct assurance_rules *out);

#endif
