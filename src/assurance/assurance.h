/*
 * Assurance: rules over what is known of a vendor (assessment, evidence, contract, posture, incident, waiver) that move
 * its flow by themselves.  The rules are a file (catalog/assurance.yaml says the format); what the contract in force
 * asks for under `requires` becomes rules, too.
 *
 * A rule acts when its condition has held for its grace and no waiver sets it aside.  The strictest acting rule is what
 * ASK_RULE asks for; plans follow (steward/refresh.c).  A waiver is a person's, taken at an approval
 * (weir approve --waive), and the newest approval's waivers are the only ones: at their end the rule acts again, and the
 * plan itself has ended.
 */
#ifndef ASSURANCE_ASSURANCE_H
#define ASSURANCE_ASSURANCE_H

#include "assess/assess.h"
#include "registry/registry.h"

enum { RULES_MAX = 100, RULE_WHY_MAX = 200 };

enum condition {
	IF_ASSESSMENT, IF_STANDARD, IF_SCORE_BELOW, IF_ASSESSMENT_OLDER, IF_EVIDENCE, IF_CONTRACT, IF_CONTRACT_ENDS, IF_POSTURE,
	IF_POSTURE_BELOW, IF_POSTURE_OLDER, IF_INCIDENT, IF_WAIVER, CONDITIONS
};

struct assurance_rule {
	char name[64];
	unsigned set;			/* 1 << condition */
	int64_t value[CONDITIONS];	/* a word's place, a score, seconds, a grade's place */
	char standard[64];
	enum flow then;
	int64_t grace_s;
	int waive;			/* enum requirement; -1: nobody may */
	char why[RULE_WHY_MAX + 1];
};
struct assurance_rules {
	struct assurance_rule *v;
	size_t n;
};

/* Every mistake goes to d at once; 0 when there is none. */
int assurance_parse(const char *text, size_t n, struct assurance_rules *out, struct diags *d) ASSESS_CHECKED;
void assurance_rules_release(struct assurance_rules *rules);
const char *assurance_builtin(void);
/* The place of a grade from A+ (0) to F, -1: none. */
int assurance_grade(struct span s);

/*
 * These rules hold from now on (NULL: the built in ones); they stay in the registry, with an event where they differ from
 * those before.  -1 with ERR_INPUT where the text is wrong (d says where): those before stay.
 */
int assurance_use(struct registry *r, const char *text, size_t n, const char *who, int64_t at, struct diags *d, struct err *err) ASSESS_CHECKED;

/* What an approval of this contract with these waivers would find. */
struct assurance_would {
	enum flow flow;			/* that the rules would ask for */
	unsigned met;			/* 1 << requirement of the contract's that holds now */
	unsigned waivable;		/* that a rule which holds now could be set aside by */
	char unmet[REQUIREMENTS][RULE_WHY_MAX];
};
int assurance_would(struct registry *r, const char *vendor, const struct contract *c, unsigned waive, int64_t at,
		    struct assurance_would *out, struct err *err) ASSESS_CHECKED;

extern const struct registry_tick assurance_tick;

/*
 *   assurance-list     {}        -> {source, sha256, rules: [{rule, if: text, then, grace_s, waive, why}]}
 *   assurance-explain  {vendor}  -> {vendor, asks, flow, rules: [{rule, holds, acts, since, acts_at, waived_until, then, waive, why, found}]}
 *   assurance-load     {text}    -> {sha256, rules}
 */
extern const struct registry_word assurance_words[];

#endif
