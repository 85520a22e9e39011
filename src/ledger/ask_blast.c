/* How many: whose data a vendor has (blast), and what it has now (holdings). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "ledger/answer.h"

/* ---- names and how many people ------------------------------------------------------------------------------------------ */

void tally_add(struct tallies *t, const char *name, const struct bits *people)
{
	size_t i = 0;
	while (i < t->n && t->v[i].name != name)
		i++;
	if (i == t->n) {
		t->v = xrealloc(t->v, (t->n + 1) * sizeof *t->v);
		t->v[t->n++] = (struct tally){.name = name};
	}
	bits_or(&t->v[i].people, people);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tally *)a)->name, ((const struct tally *)b)->name);
}

void tally_sort(struct tallies *t)
{
	if (t->n)
		qsort(t->v, t->n, sizeof *t->v, by_name);
}

void tally_release(struct tallies *t)
{
	for (size_t i = 0; i < t->n; i++)
		bits_release(&t->v[i].people);
	free(t->v);
}

void tally_fields(const struct ledger *l, const struct blast *b, bool category, struct tallies *t)
{
	for (uint32_t i = 0; i < b->combos_n; i++) {
		const struct combo *c = l->combos.v[i];
		if (!b->live[i].n)
			continue;
		for (uint32_t k = 0; k < c->n; k++) {
			const struct field *f = &c->fields[k];
			bool asked = (!b->q.category[0] || category_within(f->category, b->q.category)) &&
				     (!b->q.field[0] || field_within(f->path, b->q.field));
			if (asked && (!category || f->category[0]))
				tally_add(t, category ? f->category : f->path, &b->live[i]);
		}
	}
	tally_sort(t);
}

static json_t *tally_json(const struct ledger *l, const struct blast *b, bool category)
{
	struct tallies t = {0};
	json_t *list = json_array();
	tally_fields(l, b, category, &t);
	for (size_t i = 0; i < t.n; i++) {
		uint64_t n = persons_count(&l->persons, &t.v[i].people);
		if (n)
			json_array_append_new(list, json_pack("{s:s, s:I}", category ? "category" : "path", t.v[i].name, "people", (json_int_t)n));
	}
	tally_release(&t);
	return list;
}

/* ---- blast ---------------------------------------------------------------------------------------------------------------- */

static json_t *days_json(const struct blast *b)
{
	json_t *list = json_array();
	for (size_t i = 0; i < b->days_n; i++)
		json_array_append_new(list, json_pack("{s:o, s:I, s:I}", "day", day_json(b->days[i].day), "people",
						      (json_int_t)b->days[i].people, "events", (json_int_t)b->days[i].events));
	return list;
}

static int add_jurisdiction(struct ledger *l, const struct blast *b, const char *code, json_t *list, struct err *err)
{
	struct bits x = {0};
	if (ledger_jurisdiction(l, code, &x, err) < 0) {
		bits_release(&x);
		return -1;
	}
	bits_and(&x, &b->people);
	uint64_t n = persons_count(&l->persons, &x);
	bits_release(&x);
	if (n)
		json_array_append_new(list, json_pack("{s:s, s:I}", "code", code, "people", (json_int_t)n));
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int put_jurisdictions(struct ledger *l, const struct blast *b, json_t *list, struct err *err)
{
	static const char prefix[] = "jurisdiction:";
	const char **codes = xcalloc((size_t)l->combos.n + 2, sizeof *codes);
	size_t n = 0;
	for (uint32_t i = 0; i < l->combos.n; i++) {
		const struct combo *c = l->combos.v[i];
		if (c->kind == COMBO_ATTRIBUTE && strncmp(c->name, prefix, sizeof prefix - 1) == 0 && strcmp(c->name, "jurisdiction:?") != 0)
			codes[n++] = c->name + sizeof prefix - 1;
	}
	qsort(codes, n, sizeof *codes, by_text);
	codes[n++] = "unknown";
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_jurisdiction(l, b, codes[i], list, err);
	free(codes);
	return r;
}

static json_t *contracts_json(const struct ledger *l, const struct question *q)
{
	json_t *list = json_array(), *have = json_object();
	for (size_t i = 0; i < l->parts_n; i++)
		for (size_t k = 0; question_in(q, l->parts[i]) && k < l->parts[i]->used_n; k++) {
			const struct used *u = &l->parts[i]->used[k];
			char hex[65];
			hex_encode(u->digest, 32, hex);
			if (strcmp(u->vendor, q->vendor) != 0 || json_object_get(have, hex))
				continue;
			json_object_set_new(have, hex, json_true());
			json_array_append_new(list, json_pack("{s:I, s:s}", "version", (json_int_t)u->version, "digest", hex));
		}
	json_decref(have);
	return list;
}

/* Other flows stand apart as well as in the counts. */
static int put_measured(struct ledger *l, const struct question *q, json_t *list, struct err *err)
{
	for (size_t i = 0; i < l->parts_n; i++)
		for (uint32_t k = 0; question_in(q, l->parts[i]) && k < l->parts[i]->sets_n; k++) {
			const struct set *s = &l->parts[i]->sets[k];
			struct bits x = {0};
			if (s->combo->kind != COMBO_MEASURED || !question_asks(q, s->combo))
				continue;
			if (ledger_use_set(l, l->parts[i], s, err) < 0)
				return -1;
			json_t *fields = json_array();
			for (uint32_t f = 0; f < s->combo->n; f++)
				json_array_append_new(fields, json_string(s->combo->fields[f].path));
			set_add_to(s, &x);
			json_array_append_new(list, json_pack("{s:o, s:I, s:o}", "day", day_json(l->parts[i]->day), "people",
							      (json_int_t)persons_count(&l->persons, &x), "fields", fields));
			bits_release(&x);
		}
	return 0;
}

static bool has_measured(const struct question *q, const struct part *p)
{
	for (uint32_t k = 0; k < p->sets_n; k++)
		if (p->sets[k].combo->kind == COMBO_MEASURED && question_asks(q, p->sets[k].combo))
			return true;
	return false;
}

/* What people declared (weir ledger record): each by itself, with who and why. */
static json_t *declared_json(const struct ledger *l, const struct question *q)
{
	json_t *list = json_array();
	for (size_t i = 0; i < l->parts_n; i++) {
		const struct part *p = l->parts[i];
		for (size_t k = 0; question_in(q, p) && has_measured(q, p) && k < p->records_n; k++) {
			const struct record *r = &p->records[k];
			if (r->what == RECORD_MEASURED && strcmp(r->vendor, q->vendor) == 0)
				json_array_append_new(list, record_json(r, p->day));
		}
	}
	return list;
}

static uint64_t deleted(const struct ledger *l, const struct blast *b)
{
	return !b->deletions ? 0 : persons_count(&l->persons, &b->exposed) - persons_count(&l->persons, &b->people);
}

static int put_counts(struct ledger *l, const struct blast *b, json_t *answer, struct err *err)
{
	json_t *measured = json_array();
	json_object_set_new(answer, "people", count_json(persons_count(&l->persons, &b->people)));
	json_object_set_new(answer, "identifiers", count_json(bits_count(&b->people)));
	json_object_set_new(answer, "events", count_json(b->events));
	uint64_t erased, unattested;
	json_object_set_new(answer, "attested_deleted", count_json(deleted(l, b)));
	ledger_erased_of(l, b->q.vendor, &erased, &unattested);
	json_object_set_new(answer, "erased", count_json(erased));
	json_object_set_new(answer, "erased_unattested", count_json(unattested));
	json_object_set_new(answer, "over_approximate", json_boolean(b->over_approximate));
	json_object_set_new(answer, "categories", tally_json(l, b, true));
	json_object_set_new(answer, "fields", tally_json(l, b, false));
	json_object_set_new(answer, "contracts", contracts_json(l, &b->q));
	json_object_set_new(answer, "measured", measured);
	return put_measured(l, &b->q, measured, err);
}

static int put_count(struct ledger *l, const struct question *q, json_t *answer, struct err *err)
{
	uint64_t people, identifiers;
	if (blast_count(l, q, &people, &identifiers, err) < 0)
		return -1;
	json_object_set_new(answer, "people", count_json(people));
	json_object_set_new(answer, "identifiers", count_json(identifiers));
	return 0;
}

int ask_blast(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	struct question q;
	(void)subject;
	if (question_of(l, request, now, &q, err) < 0)
		return -1;
	json_object_set_new(answer, "vendor", json_string(q.vendor));
	json_object_set_new(answer, "since", q.has_since ? day_json(q.since) : json_null());
	json_object_set_new(answer, "until", day_json(q.until));
	json_object_set_new(answer, "since_effective", q.has_since ? day_json(q.effective) : json_null());
	if (json_is_true(json_object_get(request, "count")))
		return put_count(l, &q, answer, err);
	const struct blast *b = blast_make(l, &q, false, err);
	if (!b || put_counts(l, b, answer, err) < 0)
		return -1;
	json_t *jurisdictions = json_array();
	json_object_set_new(answer, "jurisdictions", jurisdictions);
	json_object_set_new(answer, "events_undelivered", json_null());	/* the keeper knows, while it runs */
	json_object_set_new(answer, "days", days_json(b));
	json_object_set_new(answer, "declared", declared_json(l, &q));
	json_object_set_new(answer, "checkpoint", json_null());	/* until there is a transparency log */
	return put_jurisdictions(l, b, jurisdictions, err);
}

int ask_holdings(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	struct question q;
	(void)subject;
	if (question_of(l, request, now, &q, err) < 0)
		return -1;
	const struct blast *b = blast_make(l, &q, false, err);
	if (!b)
		return -1;
	json_object_set_new(answer, "vendor", json_string(q.vendor));
	json_object_set_new(answer, "first", b->days_n ? day_json(b->days[0].day) : json_null());
	json_object_set_new(answer, "last", b->days_n ? day_json(b->days[b->days_n - 1].day) : json_null());
	return put_counts(l, b, answer, err);
}

