/* Who: rows of a blast, who of a list is affected, and what is known of one subject. */
#include <stdlib.h>
#include <string.h>

#include "adapter/adapter.h"
#include "base/bytes.h"
#include "ledger/answer.h"

enum { ROWS_MAX = 20000, ROWS = 1000, IDS_MAX = 20000 };

/* ---- rows ------------------------------------------------------------------------------------------------------------------- */

static json_t *subject_json(const struct ledger *l, uint32_t id)
{
	char hex[2 * SUBJECT_BYTES + 1];
	hex_encode(dict_key(&l->dict, id), SUBJECT_BYTES, hex);
	return json_string(hex);
}

static bool any_has(const struct bits *b, const uint32_t *ids, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (bits_has(b, ids[i]))
			return true;
	return false;
}

/* Of one identifier, or of all that a person has; one of them is affected. */
static json_t *row(const struct ledger *l, const struct blast *b, const struct tallies *categories, uint32_t id, const uint32_t *ids, uint32_t n)
{
	json_t *names = json_array();
	int32_t first = INT32_MAX, last = -1;
	for (size_t i = 0; i < categories->n; i++)
		if (any_has(&categories->v[i].people, ids, n))
			json_array_append_new(names, json_string(categories->v[i].name));
	for (uint32_t i = 0; i < n; i++) {
		if (b->last[ids[i]] < 0)
			continue;
		first = b->first[ids[i]] < first ? b->first[ids[i]] : first;
		last = b->last[ids[i]] > last ? b->last[ids[i]] : last;
	}
	return json_pack("{s:o, s:o, s:o, s:o}", "subject", subject_json(l, id), "categories", names, "first", day_json(first), "last", day_json(last));
}

/* A row for each identifier; `person` is the same in the rows of one person. */
static json_t *list_row(const struct ledger *l, const struct blast *b, const struct tallies *categories, uint32_t id)
{
	const uint32_t *members;
	json_t *r = row(l, b, categories, id, &id, 1);
	(void)persons_of(&l->persons, &id, &members);
	json_object_set_new(r, "person", subject_json(l, members[0]));
	return r;
}

int ask_list(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	struct question q;
	struct tallies categories = {0};
	(void)subject;
	json_int_t after = json_integer_value(json_object_get(request, "after")), limit = json_integer_value(json_object_get(request, "limit"));
	if (question_of(l, request, now, &q, err) < 0)
		return -1;
	if (limit <= 0 || limit > ROWS_MAX)
		limit = ROWS;
	const struct blast *b = blast_make(l, &q, true, err);
	if (!b)
		return -1;
	json_t *rows = json_array();
	json_object_set_new(answer, "rows", rows);
	tally_fields(l, b, true, &categories);
	uint64_t id = after > 0 ? (uint64_t)after : 0;
	for (; limit > 0 && (id = bits_next(&b->people, id)) != UINT64_MAX; id++, limit--)
		json_array_append_new(rows, list_row(l, b, &categories, (uint32_t)id));
	if (id != UINT64_MAX && bits_next(&b->people, id) != UINT64_MAX)
		json_object_set_new(answer, "next", count_json(id));
	tally_release(&categories);
	return 0;
}

int ask_resolve(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	struct question q;
	struct tallies categories = {0};
	const json_t *ids = json_object_get(request, "ids");
	json_t *v, *found = json_array();
	enum id_kind kind;
	size_t i;
	json_object_set_new(answer, "found", found);
	if (question_of(l, request, now, &q, err) < 0)
		return -1;
	if (!json_is_array(ids) || json_array_size(ids) > IDS_MAX)
		return err_set(err, ERR_INPUT, "`ids` is a list of at most %d", IDS_MAX);
	const struct blast *b = blast_make(l, &q, true, err);
	if (!b)
		return -1;
	tally_fields(l, b, true, &categories);
	json_array_foreach((json_t *)(uintptr_t)ids, i, v) {
		uint8_t keys[ID_KINDS][SUBJECT_BYTES];
		size_t n = json_is_string(v) ? subject_keys(subject, json_string_value(v), json_string_length(v), keys, &kind) : 0;
		uint32_t told = UINT32_MAX;	/* the person that the identifier's likelier kinds have led to */
		for (size_t k = 0; k < n; k++) {
			const uint32_t *members;
			uint32_t id;
			if (!dict_find(&l->dict, keys[k], &id))
				continue;
			uint32_t members_n = persons_of(&l->persons, &id, &members);
			if (members[0] == told || !any_has(&b->people, members, members_n))
				continue;
			told = members[0];
			json_t *r = row(l, b, &categories, id, members, members_n);
			json_object_set_new(r, "i", count_json(i));
			json_array_append_new(found, r);
		}
	}
	tally_release(&categories);
	return 0;
}

/* ---- subject ---------------------------------------------------------------------------------------------------------------- */

struct held {	/* what one vendor got of one subject */
	const char *vendor;
	int64_t first, last, last_live;	/* last_live: the newest day that no attested deletion covers; -1: none */
	uint64_t days;
	uint8_t *deleted;		/* by identifier; going back: from here on it attested to have deleted it */
	bool over_approximate;
	struct tallies categories, fields;
};

struct history {	/* of all identifiers that one person has */
	const uint32_t *ids;
	uint32_t ids_n;
	struct held *v;
	size_t n;
};

static struct held *held_of(struct history *h, const char *vendor)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].vendor == vendor)
			return &h->v[i];
	h->v = xrealloc(h->v, (h->n + 1) * sizeof *h->v);
	h->v[h->n] = (struct held){.vendor = vendor, .last_live = -1, .last = -1, .deleted = xcalloc(h->ids_n, 1)};
	return &h->v[h->n++];
}

static void note_held(struct held *h, uint32_t member, const struct part *p, const struct combo *c)
{
	static const struct bits none;
	if (h->last < 0)
		h->last = p->day;
	h->days += h->days == 0 || h->first != p->day;
	h->first = p->day;
	if (!h->deleted[member] && h->last_live < 0)
		h->last_live = p->day;
	h->over_approximate |= c->whole;
	for (uint32_t i = 0; i < c->n; i++) {
		tally_add(&h->fields, c->fields[i].path, &none);
		if (c->fields[i].category[0])
			tally_add(&h->categories, c->fields[i].category, &none);
	}
}

/* The part's deletions first: they cover what was recorded in it. */
static int hold_member(struct ledger *l, struct history *h, uint32_t member, const struct part *p, const bool *never, bool deleted, struct err *err)
{
	for (uint32_t k = 0; k < p->sets_n; k++) {
		const struct combo *c = p->sets[k].combo;
		if ((deleted ? c->kind != COMBO_DELETED : c->kind > COMBO_MEASURED) || (never && never[c->index]))
			continue;
		int has = ledger_has(l, p, &p->sets[k], h->ids[member], err);
		if (has < 0)
			return -1;
		if (has && deleted)
			held_of(h, c->name)->deleted[member] = 1;
		else if (has)
			note_held(held_of(h, c->name), member, p, c);
	}
	return 0;
}

/* In which sets a roll-up doesn't have the identifier, nor had; 1: it is damaged. */
static int learn_never(struct ledger *l, const struct rollup *r, uint32_t id, bool *never)
{
	struct err ignored;
	const struct part *images[] = {&r->live, &r->before};
	for (uint32_t i = 0; i < l->combos.n; i++)
		never[i] = true;
	for (size_t k = 0; k < 2; k++)
		for (uint32_t i = 0; i < images[k]->sets_n; i++) {
			int has = set_has(images[k], &images[k]->sets[i], id, &ignored);
			if (has < 0)
				return 1;
			if (has)
				never[images[k]->sets[i].combo->index] = false;
		}
	return 0;
}

/* For each identifier the sets that no closed day has it in, by combo; NULL: nothing is known. */
static bool *never_in(struct ledger *l, const struct history *h)
{
	const struct rollup *total = rollup_total(l);
	bool *never = total ? xcalloc((size_t)h->ids_n * l->combos.n + 1, sizeof *never) : NULL;
	for (uint32_t m = 0; never && m < h->ids_n; m++)
		if (learn_never(l, total, h->ids[m], never + (size_t)m * l->combos.n)) {
			rollup_drop(l, total);
			free(never);
			return NULL;
		}
	return never;
}

/* From the newest part back, as blast_make goes. */
static int hold(struct ledger *l, struct history *h, struct err *err)
{
	bool *never = never_in(l, h);
	int r = 0;
	for (size_t i = l->parts_n; i-- > 0 && r == 0;)
		for (uint32_t m = 0; m < h->ids_n && r == 0; m++) {
			const struct part *p = l->parts[i];
			const bool *not = never && p->generation ? never + (size_t)m * l->combos.n : NULL;
			r = hold_member(l, h, m, p, not, true, err) < 0 || hold_member(l, h, m, p, not, false, err) < 0 ? -1 : 0;
		}
	free(never);
	return r;
}

static json_t *names_json(struct tallies *t)
{
	json_t *list = json_array();
	tally_sort(t);
	for (size_t i = 0; i < t->n; i++)
		json_array_append_new(list, json_string(t->v[i].name));
	tally_release(t);
	return list;
}

static int by_vendor(const void *a, const void *b)
{
	return strcmp(((const struct held *)a)->vendor, ((const struct held *)b)->vendor);
}

int ledger_subject_history(struct ledger *l, const uint32_t *ids, uint32_t ids_n, json_t *vendors, struct err *err)
{
	struct history h = {.ids = ids, .ids_n = ids_n};
	int r = hold(l, &h, err);
	if (h.n)
		qsort(h.v, h.n, sizeof *h.v, by_vendor);
	for (size_t i = 0; i < h.n; i++) {
		struct held *v = &h.v[i];
		json_t *categories = names_json(&v->categories), *fields = names_json(&v->fields);
		free(v->deleted);
		if (v->days == 0) {	/* a deletion of what it never got */
			json_decref(categories);
			json_decref(fields);
			continue;
		}
		json_array_append_new(vendors, json_pack("{s:s, s:n, s:o, s:o, s:I, s:o, s:o, s:b, s:b}", "vendor", v->vendor, "vendor_id", "first",
							 day_json(v->first), "last", day_json(v->last), "days", (json_int_t)v->days, "categories",
							 categories, "fields", fields, "attested_deleted", v->last_live < 0, "over_approximate",
							 v->over_approximate));
	}
	free(h.v);
	return r;
}

/* Of each vendor that is left in the answer, or of the one that was asked for: under which contracts anything went. */
static json_t *contracts_json(const struct ledger *l, const json_t *vendors)
{
	json_t *list = json_array(), *have = json_object(), *v;
	size_t at;
	json_array_foreach((json_t *)(uintptr_t)vendors, at, v)
		json_object_set_new(have, json_string_value(json_object_get(v, "vendor")), json_object());
	for (size_t i = 0; i < l->parts_n; i++)
		for (size_t k = 0; k < l->parts[i]->used_n; k++) {
			const struct used *u = &l->parts[i]->used[k];
			json_t *of = json_object_get(have, u->vendor);
			char hex[65];
			hex_encode(u->digest, 32, hex);
			if (!of || json_object_get(of, hex))
				continue;
			json_object_set_new(of, hex, json_true());
			json_array_append_new(list, json_pack("{s:s, s:I, s:s}", "vendor", u->vendor, "version", (json_int_t)u->version, "digest", hex));
		}
	json_decref(have);
	return list;
}

static void keep_vendor(json_t *vendors, const char *vendor)
{
	for (size_t i = json_array_size(vendors); vendor && i-- > 0;)
		if (strcmp(json_string_value(json_object_get(json_array_get(vendors, i), "vendor")), vendor) != 0)
			json_array_remove(vendors, i);
}

int ask_subject(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	const json_t *v = json_object_get(request, "id");
	uint8_t keys[ID_KINDS][SUBJECT_BYTES];
	char hex[2 * SUBJECT_BYTES + 1];
	const uint32_t *ids;
	enum id_kind kind = ID_USER;
	uint32_t id;
	size_t at = 0;
	int r = 0;
	(void)now;
	const json_t *vendor = json_object_get(request, "vendor");
	if (vendor && (!json_is_string(vendor) || !*json_string_value(vendor)))
		return err_set(err, ERR_INPUT, "which vendor?");
	size_t n = json_is_string(v) ? subject_keys(subject, json_string_value(v), json_string_length(v), keys, &kind) : 0;
	if (n == 0)
		return err_set(err, ERR_INPUT, "an identifier is empty or isn't text in UTF-8");
	json_t *vendors = json_array(), *linked = json_array();
	while (at < n && !dict_find(&l->dict, keys[at], &id))
		at++;
	int restricted = 0;
	if (at < n) {
		uint32_t ids_n = persons_of(&l->persons, &id, &ids);
		r = ledger_subject_history(l, ids, ids_n, vendors, err);
		restricted = r == 0 ? ledger_restricted(l, id, err) : 0;
		for (uint32_t i = 0; i < ids_n; i++)
			if (ids[i] != id)
				json_array_append_new(linked, subject_json(l, ids[i]));
	}
	const struct erased *erased = at < n ? ledger_erased(l, keys[at]) : NULL;
	for (size_t k = 0; at == n && !erased && k < n; k++)
		erased = ledger_erased(l, keys[k]);
	hex_encode(keys[at < n ? at : 0], SUBJECT_BYTES, hex);
	keep_vendor(vendors, json_string_value(vendor));
	if (vendor)
		json_object_set(answer, "vendor", (json_t *)(uintptr_t)vendor);
	if (json_is_true(json_object_get(request, "proof")))
		json_object_set_new(answer, "contracts", contracts_json(l, vendors));
	json_object_set_new(answer, "known", json_boolean(at < n));
	json_object_set_new(answer, "found", json_boolean(json_array_size(vendors) > 0));
	json_object_set_new(answer, "kind", json_string(id_kind_names[kind + (at < n ? at : 0)]));
	json_object_set_new(answer, "subject", json_string(hex));
	json_object_set_new(answer, "linked", linked);
	json_object_set_new(answer, "restricted", json_boolean(restricted > 0));
	json_object_set_new(answer, "erased", json_boolean(erased));
	json_object_set_new(answer, "erased_on", erased ? day_json(erased->at / 86400) : json_null());
	json_object_set_new(answer, "vendors", vendors);
	return r < 0 || restricted < 0 ? -1 : 0;
}
