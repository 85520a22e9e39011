/*
 * Who is affected.  Days are gone through from the newest back: what a vendor attested to have deleted on a day covers
 * what it had got by then, so it is taken off that day and those before.
 *
 * With --since, only what was deleted before that day is taken off: what was deleted later was there for an intruder.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"

enum { DAY_SECONDS = 86400 };

int64_t ledger_reach(const struct ledger *l, const char *vendor, int64_t since)
{
	int64_t arrived = INT64_MIN;
	for (size_t i = 0; i < l->parts_n && l->parts[i]->day < since; i++)
		for (size_t k = 0; k < l->parts[i]->records_n; k++) {
			const struct record *r = &l->parts[i]->records[k];
			if (r->what == RECORD_ARRIVED && r->at > arrived && strcmp(r->vendor, vendor) == 0)
				arrived = r->at;
		}
	int64_t day = arrived != INT64_MIN ? arrived / DAY_SECONDS : l->parts_n ? l->parts[0]->day : since;
	return day < since ? day : since;
}

static bool exposes(const struct part *p, const char *vendor)
{
	for (uint32_t k = 0; k < p->sets_n; k++)
		if (p->sets[k].combo->kind == COMBO_EXPOSURE && strcmp(p->sets[k].combo->name, vendor) == 0)
			return true;
	return false;
}

/* A day that had not arrived when it was last asked, and has now. */
bool ledger_arrived_due(const struct ledger *l, const char *vendor, int64_t before)
{
	int64_t from = ledger_reach(l, vendor, INT64_MAX), until = before / DAY_SECONDS;
	for (size_t i = 0; i < l->parts_n && l->parts[i]->day < until; i++)
		if (l->parts[i]->day >= from && exposes(l->parts[i], vendor))
			return true;
	return false;
}

bool question_in(const struct question *q, const struct part *p)
{
	return p->day <= q->until && p->day >= q->effective;
}

bool category_within(const char *category, const char *asked)
{
	size_t n = strlen(asked);
	return strncmp(category, asked, n) == 0 && (category[n] == 0 || category[n] == '.');
}

static bool has_category(const struct combo *c, const char *asked)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (category_within(c->fields[i].category, asked) || strcmp(c->fields[i].path, "(unknown)") == 0)
			return true;
	return false;
}

bool question_asks(const struct question *q, const struct combo *c)
{
	return c->kind <= COMBO_MEASURED && strcmp(c->name, q->vendor) == 0 && (!q->category[0] || has_category(c, q->category));
}

bool question_deletes(const struct question *q, const struct part *p, const struct combo *c)
{
	return c->kind == COMBO_DELETED && strcmp(c->name, q->vendor) == 0 && p->day <= q->until && (!q->has_since || p->day < q->since);
}

/* ---- jurisdiction ----------------------------------------------------------------------------------------------------------- */

static const char jurisdiction[] = "jurisdiction:";

static int add_code(struct ledger *l, const char *code, bool same, struct bits *out, struct err *err)
{
	for (size_t i = 0; i < l->parts_n; i++)
		for (uint32_t k = 0; k < l->parts[i]->sets_n; k++) {
			const struct set *s = &l->parts[i]->sets[k];
			const char *name = s->combo->name;
			if (s->combo->kind != COMBO_ATTRIBUTE || strncmp(name, jurisdiction, sizeof jurisdiction - 1) != 0)
				continue;
			if ((strcmp(name + sizeof jurisdiction - 1, code) == 0) != same)
				continue;
			if (ledger_use_set(l, l->parts[i], s, err) < 0)
				return -1;
			set_add_to(s, out);
		}
	return 0;
}

int ledger_jurisdiction(struct ledger *l, const char *code, struct bits *out, struct err *err)
{
	bool unknown = strcmp(code, "unknown") == 0;
	struct bits known = {0};
	if (add_code(l, unknown ? "?" : code, true, out, err) < 0 || (unknown && add_code(l, "?", false, &known, err) < 0)) {
		bits_release(&known);
		return -1;
	}
	persons_widen(&l->persons, out);	/* what is known of one identifier is known of the person */
	persons_widen(&l->persons, &known);
	bits_without(out, &known);
	bits_release(&known);
	return 0;
}

/* ---- the sets --------------------------------------------------------------------------------------------------------------- */

void blast_free(struct blast **b)
{
	struct blast *x = *b;
	if (!x)
		return;
	bits_release(&x->people);
	bits_release(&x->exposed);
	for (uint32_t i = 0; i < x->combos_n; i++)
		bits_release(&x->live[i]);
	free(x->live);
	free(x->days);
	free(x->first);
	free(x->last);
	free(x);
	*b = NULL;
}

struct making {
	struct blast *b;
	const struct persons *persons;
	const struct bits *only;	/* jurisdiction; NULL: any */
	struct bits gone, today;
	uint64_t events;	/* of the day */
	bool any;		/* the day has a set of this vendor */
};

static void add_set(struct making *m, const struct set *s)
{
	struct bits x = {0};
	set_add_to(s, &x);
	if (m->only)
		bits_and(&x, m->only);
	bits_or(&m->b->exposed, &x);
	bits_without(&x, &m->gone);
	bits_or(&m->b->live[s->combo->index], &x);
	bits_or(&m->today, &x);
	bits_release(&x);
	m->events += s->events;
	m->b->over_approximate |= s->combo->whole;
	m->any = true;
}

static int add_part(struct ledger *l, struct making *m, const struct part *p, struct err *err)
{
	const struct question *q = &m->b->q;
	for (uint32_t i = 0; i < p->sets_n; i++) {
		if (!question_deletes(q, p, p->sets[i].combo))
			continue;
		if (ledger_use_set(l, p, &p->sets[i], err) < 0)
			return -1;
		set_add_to(&p->sets[i], &m->gone);
	}
	for (uint32_t i = 0; question_in(q, p) && i < p->sets_n; i++) {
		if (!question_asks(q, p->sets[i].combo))
			continue;
		if (ledger_use_set(l, p, &p->sets[i], err) < 0)
			return -1;
		add_set(m, &p->sets[i]);
	}
	return 0;
}

static void note_times(struct blast *b, const struct bits *today, int64_t day)
{
	for (uint64_t id = 0; (id = bits_next(today, id)) != UINT64_MAX; id++) {
		if (b->last[id] < 0)
			b->last[id] = (int32_t)day;
		b->first[id] = (int32_t)day;
	}
}

static void end_day(struct making *m, int64_t day)
{
	struct blast *b = m->b;
	if (m->any) {
		b->days = xrealloc(b->days, (b->days_n + 1) * sizeof *b->days);
		b->days[b->days_n++] = (struct blast_day){day, persons_count(m->persons, &m->today), m->events};
		b->events += m->events;
		bits_or(&b->people, &m->today);
		if (b->timed)
			note_times(b, &m->today, day);
	}
	bits_release(&m->today);
	m->events = 0;
	m->any = false;
}

static void reverse(struct blast_day *v, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct blast_day x = v[i];
		v[i] = v[n - 1 - i];
		v[n - 1 - i] = x;
	}
}

static bool same(const struct question *a, const struct question *b)
{
	return strcmp(a->vendor, b->vendor) == 0 && a->has_since == b->has_since && a->since == b->since && a->until == b->until &&
	       a->effective == b->effective && strcmp(a->category, b->category) == 0 && strcmp(a->jurisdiction, b->jurisdiction) == 0;
}

static int make(struct ledger *l, struct making *m, struct err *err)
{
	int r = 0;
	for (size_t i = l->parts_n; i-- > 0 && r == 0;) {
		r = add_part(l, m, l->parts[i], err);
		if (i == 0 || l->parts[i - 1]->day != l->parts[i]->day)
			end_day(m, l->parts[i]->day);
	}
	reverse(m->b->days, m->b->days_n);
	return r;
}

static struct blast *blast_new(const struct ledger *l, const struct question *q, bool timed)
{
	struct blast *b = xcalloc(1, sizeof *b);
	*b = (struct blast){.q = *q, .changes = l->changes, .timed = timed, .combos_n = l->combos.n};
	b->live = xcalloc((size_t)b->combos_n + 1, sizeof *b->live);
	if (timed) {
		b->first = xcalloc((size_t)l->dict.n + 1, sizeof *b->first);
		b->last = xmalloc(((size_t)l->dict.n + 1) * sizeof *b->last);
		memset(b->last, 0xff, ((size_t)l->dict.n + 1) * sizeof *b->last);
	}
	return b;
}

const struct blast *blast_make(struct ledger *l, const struct question *q, bool timed, struct err *err)
{
	struct bits only = {0};
	if (l->last && l->last->changes == l->changes && (l->last->timed || !timed) && same(&l->last->q, q))
		return l->last;
	blast_free(&l->last);
	l->last = blast_new(l, q, timed);
	struct making m = {.b = l->last, .persons = &l->persons, .only = q->jurisdiction[0] ? &only : NULL};
	int r = q->jurisdiction[0] ? ledger_jurisdiction(l, q->jurisdiction, &only, err) : 0;
	if (r == 0)
		r = make(l, &m, err);
	bits_release(&m.gone);
	bits_release(&m.today);
	bits_release(&only);
	if (r < 0)
		blast_free(&l->last);
	return l->last;
}
