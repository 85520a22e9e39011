/*
 * The identifiers that a link names, as the ledger's pseudonyms: those of the person first, then those that merely belong
 * to it (a browser, a device).  No allocation in the steady state; what doesn't fit is dropped with the whole link, since
 * what can't be recorded doesn't leave.
 */
#include <stdlib.h>
#include <string.h>

#include "contract/program.h"

bool link_offer(struct walk *w, const struct act *a, enum id_kind kind, struct span value)
{
	struct scratch *sc = w->sc;
	if (sc->members_n == LINK_IDS_MAX) {
		w->drop = DROP_LIMIT;
		return false;
	}
	sc->members[sc->members_n++] = (struct member){value, kind, a->slot->anonymous || kind == ID_DEVICE};
	return true;
}

static struct link_ids *next(struct apply_out *o)
{
	if (o->links_n == o->links_cap) {
		o->links_cap = o->links_cap ? 2 * o->links_cap : 64;
		o->links = xrealloc(o->links, o->links_cap * sizeof *o->links);
	}
	return &o->links[o->links_n];
}

static void add(struct walk *w, struct link_ids *k, const struct member *m)
{
	uint8_t *key = k->ids[k->n];
	if (!pseudo_subject(w->env->subject, id_kind_names[m->kind], m->value.at, m->value.len, key))
		return;
	for (unsigned i = 0; i < k->n; i++)
		if (memcmp(k->ids[i], key, SUBJECT_BYTES) == 0)
			return;
	k->n++;
}

void link_make(struct walk *w)
{
	const struct scratch *sc = w->sc;
	if (sc->members_n < 2)
		return;
	struct link_ids *k = next(w->out);
	k->object = w->index;
	k->n = 0;
	for (int anonymous = 0; anonymous < 2; anonymous++) {
		for (unsigned i = 0; i < sc->members_n; i++)
			if (sc->members[i].anonymous == anonymous)
				add(w, k, &sc->members[i]);
		if (!anonymous)
			k->persons = k->n;
	}
	if (k->persons == 0)	/* two devices: the first stands for whoever it is */
		k->persons = 1;
	if (k->n >= 2)
		w->out->links_n++;
}
