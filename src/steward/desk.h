/*
 * What the registry is asked, from the control socket, from the keeper, or from a command while Weir is stopped: one
 * function a word, the same in each case.  Decisions (keeper/decision.h) aren't among them: they go to the keeper.
 */
#ifndef STEWARD_DESK_H
#define STEWARD_DESK_H

#include <jansson.h>

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
 */
json_t *desk_do(struct registry *r, const json_t *request, const char *who, int64_t at);

/*
 * The keeper's: {vendor, version} -> {others, asked, digest, json}; version 0 gives no contract.  others: the strictest
 * flow that rules and incidents ask; asked: that anybody asks.
 */
json_t *desk_contract_get(struct registry *r, const json_t *body);
/* The keeper's: what it decided, or (found: true) found signed at its start. */
json_t *desk_event(struct registry *r, const json_t *body);

#endif
