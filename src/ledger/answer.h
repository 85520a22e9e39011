/*
 * Inside the ledger's answers: what ask.c (requests, words), ask_blast.c (how many) and ask_people.c (who) share.
 */
#ifndef LEDGER_ANSWER_H
#define LEDGER_ANSWER_H

#include "ledger/inside.h"

json_t *day_json(int64_t day);
json_t *count_json(uint64_t n);
/* Not of a RECORD_ARRIVED. */
json_t *record_json(const struct record *r, int64_t day);
int question_of(const struct ledger *l, const json_t *request, int64_t now, struct question *q, struct err *err);

struct tally {
	const char *name;	/* interned: compared by address */
	struct bits people;
};
struct tallies {
	struct tally *v;
	size_t n;
};
void tally_add(struct tallies *t, const char *name, const struct bits *people);
/* By category, or by field; sorted by name. */
void tally_fields(const struct ledger *l, const struct blast *b, bool category, struct tallies *t);
void tally_sort(struct tallies *t);
void tally_release(struct tallies *t);

typedef int ask_function(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err);
ask_function ask_blast, ask_holdings, ask_list, ask_resolve, ask_subject;

#endif
