/*
 * Who is affected.  Days are gone through from the newest back: what a vendor attested to have deleted on a day covers
 * what it had got by then, so it is taken off that day and those before.  Where a roll-up stands for days, it is one of them.
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

bool field_within(const char *path, const char *asked)
{
	size_t n = strlen(asked);
	return strncmp(path, asked, n) == 0 && (path[n] == 0 || path[n] == '.' || path[n] == '[');
}

static bool has_field(const struct combo *c, const char *asked)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (field_within(c->fields[i].path, asked) || strcmp(c->fields[i].path, "(unknown)") == 0)
			return true;
	return false;
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
	return c->kind <= COMBO_MEASURED && strcmp(c->name, q->vendor) == 0 && (!q->category[0] || has_category(c, q->category)) &&
	       (!q->field[0] || has_field(c, q->field));
}

/* About any set of the vendor. */
static bool asks_all(const struct question *q)
{
	return !q->category[0] && !q->field[0];
}

bool question_deletes(const struct question *q, const struct part *p, const struct combo *c)
{
	return c->kind == COMBO_DELETED && strcmp(c->name, q->vendor) == 0 && p->day <= q->until && (!q->has_since || p->day < q->since);
}

/* ---- what a question goes through ------------------------------------------------------------------------------------------- */

struct making {
	struct ledger *l;
	const struct question *q;
	struct steps now, before;	/* before: as if nothing had been deleted */
	bool deletions;
};

static void making_release(struct making *m)
{
	steps_release(&m->now);
	steps_release(&m->before);
}

/* A roll-up that is damaged goes, and the days answer; 1: what it held mustn't be touched any more. */
static int use_set(struct ledger *l, const struct piece *p, const struct part *of, const struct set *s, struct err *err)
{
	if (!p->rollup)
		return ledger_use_set(l, of, s, err);
	if (set_check(of, s, err) == 0)
		return 0;
	rollup_drop(l, p->rollup);
	return 1;
}

static int add_set(struct making *m, const struct piece *p, const struct set *s, enum step_what what, struct err *err)
{
	const struct set *whole = p->rollup && what == STEP_ADD ? part_find(&p->rollup->before, s->combo) : NULL;
	int r = use_set(m->l, p, p->part, s, err);
	if (r == 0 && whole)
		r = use_set(m->l, p, &p->rollup->before, whole, err);
	if (r)
		return r;
	steps_add(&m->now, what, s);
	if (what == STEP_ADD)
		steps_add(&m->before, STEP_ADD, whole ? whole : s);
	m->deletions |= what == STEP_TAKE || whole;
	return 0;
}

static bool counts(const struct making *m, const struct piece *p, const struct combo *c, bool any)
{
	if (!p->rollup && !question_in(m->q, p->part))
		return false;
	if (any && p->rollup && strcmp(c->name, m->q->vendor) == 0)
		return c->kind == COMBO_ANY;
	return question_asks(m->q, c);
}

static int add_piece(struct making *m, const struct piece *p, bool any, struct err *err)
{
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < p->part->sets_n; i++)
		if (question_deletes(m->q, p->part, p->part->sets[i].combo))
			r = add_set(m, p, &p->part->sets[i], STEP_TAKE, err);
	for (uint32_t i = 0; r == 0 && i < p->part->sets_n; i++)
		if (counts(m, p, p->part->sets[i].combo, any))
			r = add_set(m, p, &p->part->sets[i], STEP_ADD, err);
	return r;
}

/* r is asked first everywhere: a roll-up that proves damaged is gone, with its sets, when use_set says 1. */

/* Of a roll-up, what it took off itself must not be taken off what it holds now: its deletions come behind it. */
static int add_rollup(struct making *m, const struct piece *p, bool any, struct err *err)
{
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < p->part->sets_n; i++)
		if (counts(m, p, p->part->sets[i].combo, any))
			r = add_set(m, p, &p->part->sets[i], STEP_ADD, err);
	for (uint32_t i = 0; r == 0 && i < p->part->sets_n; i++)
		if (p->part->sets[i].combo->kind == COMBO_DELETED && strcmp(p->part->sets[i].combo->name, m->q->vendor) == 0)
			r = add_set(m, p, &p->part->sets[i], STEP_TAKE, err);
	return r;
}

/* any: a vendor's people whatever they are in, so of a roll-up one set will do. */
static int prepare(struct making *m, bool any, struct err *err)
{
	int r;
	do {
		size_t n;
		struct piece *v = ledger_pieces(m->l, m->q, &n);
		making_release(m);
		m->deletions = false;
		r = 0;
		for (size_t i = 0; r == 0 && i < n; i++)
			r = (v[i].rollup ? add_rollup : add_piece)(m, &v[i], any, err);
		free(v);
	} while (r > 0);
	return r;
}

/* ---- jurisdiction ----------------------------------------------------------------------------------------------------------- */

static const char jurisdiction[] = "jurisdiction:";

static bool is_code(const struct combo *c, const char *code, bool same)
{
	size_t n = sizeof jurisdiction - 1;
	return c->kind == COMBO_ATTRIBUTE && strncmp(c->name, jurisdiction, n) == 0 && (strcmp(c->name + n, code) == 0) == same;
}

static int code_steps(struct ledger *l, const char *code, bool same, struct steps *out, struct err *err)
{
	size_t n;
	struct piece *v = ledger_pieces(l, NULL, &n);
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		for (uint32_t k = 0; r == 0 && k < v[i].part->sets_n; k++) {
			const struct set *s = &v[i].part->sets[k];
			if (!is_code(s->combo, code, same))
				continue;
			if ((r = use_set(l, &v[i], v[i].part, s, err)) == 0)
				steps_add(out, STEP_ADD, s);
		}
	free(v);
	return r;
}

static int add_code(struct ledger *l, const char *code, bool same, struct bits *out, struct err *err)
{
	struct steps s;
	int r;
	do {
		s = (struct steps){0};
		r = code_steps(l, code, same, &s, err);
		if (r == 0)
			(void)steps_run(&s, NULL, out);
		steps_release(&s);
	} while (r > 0);
	return r;
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

/* ---- how many --------------------------------------------------------------------------------------------------------------- */

static uint64_t people_of(const struct ledger *l, const struct steps *s, const struct bits *only, uint64_t *identifiers)
{
	struct bits x = {0};
	uint64_t n = steps_run(s, only, l->persons.n ? &x : NULL);
	if (identifiers)
		*identifiers = n;
	if (l->persons.n)
		n = persons_count(&l->persons, &x);
	bits_release(&x);
	return n;
}

int blast_count(struct ledger *l, const struct question *q, uint64_t *people, uint64_t *identifiers, struct err *err)
{
	struct making m = {.l = l, .q = q};
	struct bits only = {0};
	int r = q->jurisdiction[0] ? ledger_jurisdiction(l, q->jurisdiction, &only, err) : 0;
	if (r == 0)
		r = prepare(&m, asks_all(q), err);
	if (r == 0)
		*people = people_of(l, &m.now, q->jurisdiction[0] ? &only : NULL, identifiers);
	making_release(&m);
	bits_release(&only);
	return r;
}

/* ---- day by day ------------------------------------------------------------------------------------------------------------- */

struct walk {
	struct ledger *l;
	struct blast *b;
	const struct bits *only;	/* jurisdiction; NULL: any */
	struct bits gone;		/* deleted on later days */
	bool deletions;
	struct steps today;
	uint64_t events;
	bool closed;			/* all of the day's parts are */
};

static int walk_part(struct walk *w, const struct part *p, struct err *err)
{
	const struct question *q = &w->b->q;
	for (uint32_t i = 0; i < p->sets_n; i++) {
		if (!question_deletes(q, p, p->sets[i].combo))
			continue;
		if (ledger_use_set(w->l, p, &p->sets[i], err) < 0)
			return -1;
		steps_add(&w->today, STEP_TAKE, &p->sets[i]);
		w->deletions = true;
	}
	for (uint32_t i = 0; question_in(q, p) && i < p->sets_n; i++) {
		if (!question_asks(q, p->sets[i].combo))
			continue;
		steps_add(&w->today, STEP_ADD, &p->sets[i]);
		w->events += p->sets[i].events;
		w->b->over_approximate |= p->sets[i].combo->whole;
	}
	w->closed &= p->generation != 0;
	return 0;
}

/* What was deleted on this day covers the days before it. */
static void keep_gone(struct walk *w, const struct part *p)
{
	for (uint32_t i = 0; i < p->sets_n; i++)
		if (question_deletes(&w->b->q, p, p->sets[i].combo))
			set_add_to(&p->sets[i], &w->gone);
}

static bool has_add(const struct steps *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].what == STEP_ADD)
			return true;
	return false;
}

static void note_times(struct blast *b, const struct bits *today, int64_t day)
{
	for (uint64_t id = 0; (id = bits_next(today, id)) != UINT64_MAX; id++) {
		if (b->last[id] < 0)
			b->last[id] = (int32_t)day;
		b->first[id] = (int32_t)day;
	}
}

static int check_today(struct walk *w, size_t from, size_t to, struct err *err)
{
	for (size_t i = from; i < to; i++)
		for (uint32_t k = 0; k < w->l->parts[i]->sets_n; k++)
			if (question_asks(&w->b->q, w->l->parts[i]->sets[k].combo) &&
			    ledger_use_set(w->l, w->l->parts[i], &w->l->parts[i]->sets[k], err) < 0)
				return -1;
	return 0;
}

/* What a closed day's count was, as long as no filter, deletion or link can have changed it. */
static struct day_count *remembered(struct walk *w, struct part *last, size_t parts)
{
	const char *vendor = w->b->q.vendor;
	if (!w->closed || w->deletions || w->only || !asks_all(&w->b->q) || w->b->timed)
		return NULL;
	for (size_t i = 0; i < last->counts_n; i++)
		if (strcmp(last->counts[i].vendor, vendor) == 0) {
			if (last->counts[i].links != w->l->links || last->counts[i].parts != parts)
				last->counts[i] = (struct day_count){.vendor = last->counts[i].vendor};
			return &last->counts[i];
		}
	last->counts = xrealloc(last->counts, (last->counts_n + 1) * sizeof *last->counts);
	last->counts[last->counts_n] = (struct day_count){.vendor = combos_text(&w->l->combos, vendor, strlen(vendor))};
	return &last->counts[last->counts_n++];
}

/* Parts from..to are of one day. */
static int end_day(struct walk *w, size_t from, size_t to, struct err *err)
{
	struct blast *b = w->b;
	struct part *last = w->l->parts[to - 1];
	struct day_count *known = remembered(w, last, to - from);
	uint64_t people = known && known->parts ? known->people : 0;
	if (!known || !known->parts) {
		struct bits today = {0};
		if (check_today(w, from, to, err) < 0)
			return -1;
		if (b->timed) {
			(void)steps_run(&w->today, w->only, &today);
			people = persons_count(&w->l->persons, &today);
			note_times(b, &today, last->day);
		} else {
			people = people_of(w->l, &w->today, w->only, NULL);
		}
		bits_release(&today);
		if (known)
			*known = (struct day_count){.vendor = known->vendor, .people = people, .links = w->l->links, .parts = to - from};
	}
	b->days = xrealloc(b->days, (b->days_n + 1) * sizeof *b->days);
	b->days[b->days_n++] = (struct blast_day){last->day, people, w->events};
	b->events += w->events;
	return 0;
}

static int walk_days(struct ledger *l, struct blast *b, const struct bits *only, struct err *err)
{
	struct walk w = {.l = l, .b = b, .only = only};
	int r = 0;
	for (size_t to = l->parts_n, from; to > 0 && r == 0; to = from) {
		w.closed = true;
		w.events = 0;
		if (w.deletions)
			steps_add_gone(&w.today, &w.gone);
		for (from = to; from > 0 && l->parts[from - 1]->day == l->parts[to - 1]->day && r == 0;)
			r = walk_part(&w, l->parts[--from], err);
		if (r == 0 && has_add(&w.today))
			r = end_day(&w, from, to, err);
		for (size_t i = from; i < to && r == 0; i++)
			keep_gone(&w, l->parts[i]);
		steps_release(&w.today);
	}
	bits_release(&w.gone);
	return r;
}

/* ---- the whole answer ------------------------------------------------------------------------------------------------------- */

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
	       a->effective == b->effective && strcmp(a->category, b->category) == 0 && strcmp(a->jurisdiction, b->jurisdiction) == 0 &&
	       strcmp(a->field, b->field) == 0;
}

static void fill_sets(struct blast *b, const struct making *m, const struct bits *only)
{
	for (uint32_t i = 0; i < b->combos_n; i++) {
		struct steps s = {0};
		steps_of(&m->now, m->l->combos.v[i], &s);
		if (has_add(&s))
			(void)steps_run(&s, only, &b->live[i]);
		steps_release(&s);
	}
	(void)steps_run(&m->now, only, &b->people);
	b->deletions = m->deletions;
	if (m->deletions)
		(void)steps_run(&m->before, only, &b->exposed);
}

static int make(struct ledger *l, struct blast *b, struct err *err)
{
	struct making m = {.l = l, .q = &b->q};
	struct bits only = {0};
	const struct bits *filter = b->q.jurisdiction[0] ? &only : NULL;
	int r = filter ? ledger_jurisdiction(l, b->q.jurisdiction, &only, err) : 0;
	if (r == 0)
		r = prepare(&m, false, err);
	if (r == 0) {
		fill_sets(b, &m, filter);
		r = walk_days(l, b, filter, err);
		reverse(b->days, b->days_n);
	}
	making_release(&m);
	bits_release(&only);
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
	if (l->last && l->last->changes == l->changes && (l->last->timed || !timed) && same(&l->last->q, q))
		return l->last;
	blast_free(&l->last);
	l->last = blast_new(l, q, timed);
	if (make(l, l->last, err) < 0)
		blast_free(&l->last);
	return l->last;
}
