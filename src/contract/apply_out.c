/* What plan_apply fills, and the memory that it works with from call to call. */
#include <stdlib.h>
#include <string.h>

#include "contract/program.h"

const char *const drop_reason_names[DROP_REASONS] = {"none",	       "event", "operation", "link",
						     "duplicate_key", "limit", "type_mismatch", "detector"};

void apply_out_init(struct apply_out *o, size_t max_bytes)
{
	*o = (struct apply_out){.scratch = xcalloc(1, sizeof *o->scratch)};
	buf_init(&o->bytes, max_bytes);
	arena_init(&o->arena, 0);
	buf_init(&o->scratch->text, 0);
	buf_init(&o->scratch->made, 0);
	buf_init(&o->scratch->named, 0);
	buf_init(&o->scratch->hidden, 0);
	buf_init(&o->scratch->path, 0);
}

void apply_out_reset(struct apply_out *o)
{
	buf_reset(&o->bytes);
	o->n = o->links_n = 0;
	arena_reset(&o->arena);
	if (o->found[DETECT_CUSTOM])
		memset(o->own_found, 0, o->own_found_len * sizeof *o->own_found);
	memset(o->found, 0, sizeof o->found);
}

void apply_out_release(struct apply_out *o)
{
	struct scratch *sc = o->scratch;
	buf_wipe(&o->bytes);
	free(o->v);
	free(o->own_found);
	if (o->links)
		crypt_wipe(o->links, o->links_cap * sizeof *o->links);
	free(o->links);
	arena_release(&o->arena);
	if (sc) {
		buf_wipe(&sc->text);
		buf_wipe(&sc->made);
		buf_wipe(&sc->named);
		buf_wipe(&sc->hidden);
		buf_release(&sc->path);
		detect_room_free(&sc->room);
		free(sc->seen);
		free(sc->done);
		free(sc->notes);
		crypt_wipe(sc->memo, sizeof sc->memo);
		crypt_wipe(sc->said, sizeof sc->said);
		free(sc);
	}
	*o = (struct apply_out){0};
}

void apply_out_own(struct apply_out *o, const struct detect_rules *rules)
{
	size_t n = detect_rules_count(rules);
	detect_room_fit(&o->scratch->room, rules);
	if (n <= o->own_found_len)
		return;
	o->own_found = xrealloc(o->own_found, n * sizeof *o->own_found);
	memset(o->own_found + o->own_found_len, 0, (n - o->own_found_len) * sizeof *o->own_found);
	o->own_found_len = n;
}

struct detect_room *apply_out_room(const struct apply_out *o)
{
	return o->scratch->room;
}

void scratch_fit(struct scratch *sc, uint32_t nodes)
{
	if (sc->nodes >= nodes)
		return;
	sc->seen = xrealloc(sc->seen, nodes * sizeof *sc->seen);
	sc->done = xrealloc(sc->done, nodes * sizeof *sc->done);
	memset(sc->seen + sc->nodes, 0, (nodes - sc->nodes) * sizeof *sc->seen);
	memset(sc->done + sc->nodes, 0, (nodes - sc->nodes) * sizeof *sc->done);
	sc->nodes = nodes;
}
