/*
 * What the registry is asked, from the control socket, from the keeper, or from a command while Weir is stopped: one
 * function a word, the same in each case.  Decisions (keeper/decision.h) aren't among them: they go to the keeper.
 */
#ifndef STEWARD_DESK_H
#define STEWARD_DESK_H

#include <jansson.h>
#include <stdbool.h>

#include "registry/registry.h"

/*
 * Always an answer (new reference).  who: the user who asks.
 *
 *   apply     {contracts: [{json}], dry_run}   json: the canonical model, a string
 *             -> {changes: [{vendor, version, digest, new, against, wider, lines: [{wider, text}]}]}
 *             All or nothing: one that can't be imported refuses the request.
 *   vendors   {}                               -> {vendors: [...]}
 *   vendor    {vendor}                         -> {vendor: {...}, versions: [...], events: [...]}
 *   contract  {vendor, version}                -> {vendor, version, digest, json}; version 0: in force, else newest
 *
 * An answer may hold "refresh": the vendors whose plan must follow before the caller is told.  Whoever sends it on takes
 * the member out (steward_answer_after; office.c).
 *
 * An answer may also hold "ledger", questions for the ledger (ledger.h), and "then", a request: it goes on with the
 * ledger's answers in its member "ledger", and what that answers joins the answer (steward_answer_count; office.c).  A
 * request from outside has a member "ledger" taken away, so that nobody else says what the ledger counted.
 */
json_t *desk_do(struct registry *r, const json_t *request, const char *who, int64_t at);
/* Takes "ledger" and "then" out of the answer; true: they are there and the answer is ok, new references. */
bool answer_continues(json_t *answer, json_t **questions, json_t **then);
/* What the continuation said (taken over) joins the answer; a failure becomes its member "uncounted". */
void answer_merge(json_t *answer, json_t *more);

/*
 * The folder's assurance.yaml holds from now on, without one the built in rules; one with mistakes is logged, and the
 * rules before it stay.
 */
void desk_rules(struct registry *r, const char *dir, int64_t at);

/*
 * Everything that time or a change may have moved: each capability's tick, and plans that don't have the flow that is
 * asked for.  Adds the vendors to refresh to the array, each once; what fails is logged.
 */
void desk_tick(struct registry *r, int64_t at, json_t *refresh);
/* The keeper's answer to a refresh. */
int desk_refreshed(struct registry *r, const json_t *body, struct err *err) __attribute__((warn_unused_result));

/*
 * The keeper's: {vendor, version} -> {others, person, digest, json}; version 0 gives no contract.  others: the strictest
 * flow that rules and incidents ask; person: what a person asks.
 * For an approval (approve: true, waive: [..]) others is what the rules would then ask for, and there are met, waivable
 * (requirements), unmet ({requirement: text}).
 */
json_t *desk_contract_get(struct registry *r, const json_t *body, int64_t at);
/* The keeper's: what it decided, or (found: true) found signed at its start. */
json_t *desk_event(struct registry *r, const json_t *body);

#endif
