/* Shared by incident.c (words, moves), facts.c (what is shown) and scope.c (counting). */
#ifndef INCIDENT_PRIVATE_H
#define INCIDENT_PRIVATE_H

#include "incident/incident.h"
#include "store/store.h"

/* The catalogue, loaded once. */
const struct deadlines *incident_laws(void);
const struct deadline *incident_law(const char *id);

/* The answer asks for the ledger's count and to be continued with `incident-counted` (registry.h, "continuations"). */
void scope_ask(const struct incident *x, json_t *answer);
int scope_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err);
int counted_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err);
/* Newest scope's answer of the ledger, or NULL; new reference. */
json_t *scope_newest(struct registry *r, int64_t id);
int scope_list(struct registry *r, int64_t id, json_t *list, struct err *err);

int severity_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err);
int severity_facts(struct registry *r, int64_t id, json_t *answer, struct err *err);

int clocks_facts(struct registry *r, const struct incident *x, int64_t at, json_t *answer, struct err *err);
int incident_begin(struct registry *r, const json_t *request, struct incident *x, struct err *err);
int incident_end(struct registry *r, int so_far, struct err *err);
json_t *incident_time(int64_t at);

#endif
