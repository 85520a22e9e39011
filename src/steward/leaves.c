/*
 * The registry's outbox on its way to the transparency log: once a second, and behind whatever changed something, the
 * keeper is told what it hasn't logged, and says where it stands.  What isn't answered is told again; the keeper knows it.
 */
#include "base/clock.h"
#include "base/say.h"
#include "steward/private.h"

enum { EVENTS_AT_ONCE = 256, PATIENCE_MS = 10000 };

void leaves_tick(struct steward *s)
{
	struct err err;
	int64_t now = clock_mono_ms(), taken;
	if (s->leaves_id && now - s->leaves_ms < PATIENCE_MS)
		return;
	json_t *events = json_array();
	if (registry_leaves(s->registry, EVENTS_AT_ONCE, events, &err) < 0 || registry_leaf_taken(s->registry, &taken, &err) < 0) {
		say(SAY_ERROR, "leaves-held", "why", S(err.msg), NULL);
		json_decref(events);
		return;
	}
	if (json_array_size(events) == 0 && s->leaves_told) {
		json_decref(events);
		return;
	}
	s->leaves_told = true;	/* once even if there is nothing new: the keeper sees whether its log is as long as it was */
	s->leaves_id = ++s->next_id;
	s->leaves_ms = now;
	steward_send(s, ROLE_KEEPER, "leaves",
		     json_pack("{s:I, s:I, s:o}", "id", (json_int_t)s->leaves_id, "taken", (json_int_t)taken, "events", events), NULL, 0);
}

void leaves_take(struct steward *s, struct message *m)
{
	const json_t *leaves = json_object_get(m->body, "leaves");
	struct err err;
	if ((uint64_t)json_integer_value(json_object_get(m->body, "id")) != s->leaves_id)
		return;	/* too late: told again since */
	bool all = json_is_true(json_object_get(m->body, "ok"));
	if (json_array_size(leaves) && registry_leaves_taken(s->registry, leaves, &err) < 0)
		say(SAY_ERROR, "leaves-held", "why", S(err.msg), NULL);
	else if (all)
		s->leaves_id = 0;
	if (all && json_array_size(leaves))
		tick_soon(s);
}
