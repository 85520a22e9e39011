/* Questions and their answers as JSON (design section 7). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/adapter.h"
#include "base/clock.h"
#include "ledger/inside.h"

enum {
	DAY_SECONDS = 86400,
	REACH_DAYS = 7,		/* how long something may wait in a queue before it reaches the vendor (weir-blast(1)) */
	ROWS_MAX = 20000, ROWS = 1000, IDS_MAX = 20000, RECORDS_SHOWN = 100,
};

static json_t *day_json(int64_t day)
{
	char s[11];
	clock_format_day(day * DAY_SECONDS, s);
	return json_string(s);
}

static json_t *count_json(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* ---- the request -------------------------------------------------------------------------------------------------------- */

static int text_of(const json_t *request, const char *name, char *out, size_t n, struct err *err)
{
	const json_t *v = json_object_get(request, name);
	const char *s = json_string_value(v);
	out[0] = 0;
	if (!v || json_is_null(v))
		return 0;
	if (!s || !*s || strlen(s) >= n)
		return err_set(err, ERR_INPUT, "`%s` is empty or too long", name);
	memcpy(out, s, strlen(s) + 1);
	return 0;
}

static int day_of(const json_t *request, const char *name, bool *given, int64_t *day, struct err *err)
{
	const json_t *v = json_object_get(request, name);
	const char *s = json_string_value(v);
	int64_t at;
	*given = v && !json_is_null(v);
	if (!*given)
		return 0;
	if (!s || !clock_parse(s, strlen(s), &at))
		return err_set(err, ERR_INPUT, "--%s: a day reads 2026-01-15", name);
	*day = at >= 0 ? at / DAY_SECONDS : (at - DAY_SECONDS + 1) / DAY_SECONDS;
	return 0;
}

static int question_of(const json_t *request, int64_t now, struct question *q, struct err *err)
{
	bool until;
	*q = (struct question){.until = now / DAY_SECONDS, .effective = INT64_MIN};
	if (text_of(request, "vendor", q->vendor, sizeof q->vendor, err) < 0 ||
	    text_of(request, "category", q->category, sizeof q->category, err) < 0 ||
	    text_of(request, "jurisdiction", q->jurisdiction, sizeof q->jurisdiction, err) < 0 ||
	    day_of(request, "since", &q->has_since, &q->since, err) < 0 || day_of(request, "until", &until, &q->until, err) < 0)
		return -1;
	if (!q->vendor[0])
		return err_set(err, ERR_INPUT, "which vendor?");
	if (q->jurisdiction[0] && strcmp(q->jurisdiction, "unknown") != 0 &&
	    (strlen(q->jurisdiction) != 2 || strspn(q->jurisdiction, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 2))
		return err_set(err, ERR_INPUT, "--jurisdiction is two capital letters (ISO 3166), or `unknown`");
	if (q->has_since && q->since > q->until)
		return err_set(err, ERR_INPUT, "--since is after --until");
	if (q->has_since)
		q->effective = q->since - REACH_DAYS;
	return 0;
}

/* ---- names and how many people ------------------------------------------------------------------------------------------ */

struct tally {
	const char *name;	/* interned: compared by address */
	struct bits people;
};
struct tallies {
	struct tally *v;
	size_t n;
};

static void tally_add(struct tallies *t, const char *name, const struct bits *people)
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

static void tally_release(struct tallies *t)
{
	for (size_t i = 0; i < t->n; i++)
		bits_release(&t->v[i].people);
	free(t->v);
}

static void tally_fields(const struct ledger *l, const struct blast *b, bool category, struct tallies *t)
{
	for (uint32_t i = 0; i < b->combos_n; i++) {
		const struct combo *c = l->combos.v[i];
		if (!b->live[i].n)
			continue;
		for (uint32_t k = 0; k < c->n; k++) {
			const struct field *f = &c->fields[k];
			bool asked = !b->q.category[0] || category_within(f->category, b->q.category);
			if (asked && (!category || f->category[0]))
				tally_add(t, category ? f->category : f->path, &b->live[i]);
		}
	}
	if (t->n)
		qsort(t->v, t->n, sizeof *t->v, by_name);
}

static json_t *tally_json(const struct ledger *l, const struct blast *b, bool category)
{
	struct tallies t = {0};
	json_t *list = json_array();
	tally_fields(l, b, category, &t);
	for (size_t i = 0; i < t.n; i++) {
		uint64_t n = bits_count(&t.v[i].people);
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

static bool add_jurisdiction(const struct ledger *l, const struct blast *b, const char *code, json_t *list)
{
	struct bits x = {0};
	ledger_jurisdiction(l, code, &x);
	bits_and(&x, &b->people);
	uint64_t n = bits_count(&x);
	bits_release(&x);
	if (n)
		json_array_append_new(list, json_pack("{s:s, s:I}", "code", code, "people", (json_int_t)n));
	return n > 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static json_t *jurisdictions_json(const struct ledger *l, const struct blast *b)
{
	static const char prefix[] = "jurisdiction:";
	json_t *list = json_array();
	const char **codes = xcalloc((size_t)l->combos.n + 1, sizeof *codes);
	size_t n = 0;
	for (uint32_t i = 0; i < l->combos.n; i++) {
		const struct combo *c = l->combos.v[i];
		if (c->kind == COMBO_ATTRIBUTE && strncmp(c->name, prefix, sizeof prefix - 1) == 0 && strcmp(c->name, "jurisdiction:?") != 0)
			codes[n++] = c->name + sizeof prefix - 1;
	}
	qsort(codes, n, sizeof *codes, by_text);
	for (size_t i = 0; i < n; i++)
		add_jurisdiction(l, b, codes[i], list);
	add_jurisdiction(l, b, "unknown", list);
	free(codes);
	return list;
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
static json_t *measured_json(const struct ledger *l, const struct question *q)
{
	json_t *list = json_array();
	for (size_t i = 0; i < l->parts_n; i++)
		for (uint32_t k = 0; question_in(q, l->parts[i]) && k < l->parts[i]->sets_n; k++) {
			const struct set *s = &l->parts[i]->sets[k];
			struct bits x = {0};
			if (s->combo->kind != COMBO_MEASURED || !question_asks(q, s->combo))
				continue;
			json_t *fields = json_array();
			for (uint32_t f = 0; f < s->combo->n; f++)
				json_array_append_new(fields, json_string(s->combo->fields[f].path));
			set_add_to(s, &x);
			json_array_append_new(list, json_pack("{s:o, s:I, s:o}", "day", day_json(l->parts[i]->day), "people",
							      (json_int_t)bits_count(&x), "fields", fields));
			bits_release(&x);
		}
	return list;
}

static uint64_t deleted(const struct blast *b)
{
	return bits_count(&b->exposed) - bits_count(&b->people);
}

static void put_counts(struct ledger *l, const struct blast *b, json_t *answer)
{
	uint64_t people = bits_count(&b->people);
	json_object_set_new(answer, "people", count_json(people));
	json_object_set_new(answer, "identifiers", count_json(people));	/* no links yet: each identifier is a person */
	json_object_set_new(answer, "events", count_json(b->events));
	json_object_set_new(answer, "attested_deleted", count_json(deleted(b)));
	json_object_set_new(answer, "over_approximate", json_boolean(b->over_approximate));
	json_object_set_new(answer, "categories", tally_json(l, b, true));
	json_object_set_new(answer, "fields", tally_json(l, b, false));
	json_object_set_new(answer, "contracts", contracts_json(l, &b->q));
	json_object_set_new(answer, "measured", measured_json(l, &b->q));
}

static int ask_blast(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	struct question q;
	(void)subject;
	if (question_of(request, now, &q, err) < 0)
		return -1;
	const struct blast *b = blast_make(l, &q, false);
	json_object_set_new(answer, "vendor", json_string(q.vendor));
	json_object_set_new(answer, "since", q.has_since ? day_json(q.since) : json_null());
	json_object_set_new(answer, "until", day_json(q.until));
	json_object_set_new(answer, "since_effective", q.has_since ? day_json(q.effective) : json_null());
	put_counts(l, b, answer);
	json_object_set_new(answer, "events_undelivered", json_null());	/* the ledger doesn't see deliveries yet */
	json_object_set_new(answer, "erased", json_integer(0));
	json_object_set_new(answer, "days", days_json(b));
	json_object_set_new(answer, "jurisdictions", jurisdictions_json(l, b));
	json_object_set_new(answer, "declared", json_array());
	json_object_set_new(answer, "checkpoint", json_null());	/* until there is a transparency log */
	return 0;
}

static int ask_holdings(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	struct question q;
	(void)subject;
	if (question_of(request, now, &q, err) < 0)
		return -1;
	const struct blast *b = blast_make(l, &q, false);
	json_object_set_new(answer, "vendor", json_string(q.vendor));
	json_object_set_new(answer, "first", b->days_n ? day_json(b->days[0].day) : json_null());
	json_object_set_new(answer, "last", b->days_n ? day_json(b->days[b->days_n - 1].day) : json_null());
	put_counts(l, b, answer);
	return 0;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------- */

static json_t *row(const struct ledger *l, const struct blast *b, const struct tallies *categories, uint32_t id)
{
	char hex[2 * SUBJECT_BYTES + 1];
	json_t *names = json_array();
	for (size_t i = 0; i < categories->n; i++)
		if (bits_has(&categories->v[i].people, id))
			json_array_append_new(names, json_string(categories->v[i].name));
	hex_encode(l->dict.keys[id], SUBJECT_BYTES, hex);
	return json_pack("{s:s, s:o, s:o, s:o}", "subject", hex, "categories", names, "first", day_json(b->first[id]), "last",
			 day_json(b->last[id]));
}

static int ask_list(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	struct question q;
	struct tallies categories = {0};
	(void)subject;
	json_int_t after = json_integer_value(json_object_get(request, "after")), limit = json_integer_value(json_object_get(request, "limit"));
	if (question_of(request, now, &q, err) < 0)
		return -1;
	if (limit <= 0 || limit > ROWS_MAX)
		limit = ROWS;
	const struct blast *b = blast_make(l, &q, true);
	json_t *rows = json_array();
	json_object_set_new(answer, "rows", rows);
	tally_fields(l, b, true, &categories);
	uint64_t id = after > 0 ? (uint64_t)after : 0;
	for (; limit > 0 && (id = bits_next(&b->people, id)) != UINT64_MAX; id++, limit--)
		json_array_append_new(rows, row(l, b, &categories, (uint32_t)id));
	if (id != UINT64_MAX && bits_next(&b->people, id) != UINT64_MAX)
		json_object_set_new(answer, "next", count_json(id));
	tally_release(&categories);
	return 0;
}

static int ask_resolve(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	struct question q;
	struct tallies categories = {0};
	const json_t *ids = json_object_get(request, "ids");
	json_t *v, *found = json_array();
	size_t i;
	json_object_set_new(answer, "found", found);
	if (question_of(request, now, &q, err) < 0)
		return -1;
	if (!json_is_array(ids) || json_array_size(ids) > IDS_MAX)
		return err_set(err, ERR_INPUT, "`ids` is a list of at most %d", IDS_MAX);
	const struct blast *b = blast_make(l, &q, true);
	tally_fields(l, b, true, &categories);
	json_array_foreach((json_t *)(uintptr_t)ids, i, v) {
		uint8_t keys[ID_KINDS][SUBJECT_BYTES];
		size_t n = json_is_string(v) ? subject_keys(subject, json_string_value(v), json_string_length(v), keys) : 0;
		for (size_t k = 0; k < n; k++) {
			uint32_t id;
			if (!dict_find(&l->dict, keys[k], &id) || !bits_has(&b->people, id))
				continue;
			json_t *r = row(l, b, &categories, id);
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
	bool deleted;			/* going back: from here on it attested to have deleted it */
	bool over_approximate;
	struct tallies categories, fields;
};

static struct held *held_of(struct held **v, size_t *n, const char *vendor)
{
	for (size_t i = 0; i < *n; i++)
		if ((*v)[i].vendor == vendor)
			return &(*v)[i];
	*v = xrealloc(*v, (*n + 1) * sizeof **v);
	(*v)[*n] = (struct held){.vendor = vendor, .last_live = -1, .last = -1};
	return &(*v)[(*n)++];
}

static bool set_has(const struct set *s, uint32_t id)
{
	struct bits x = {0};
	bool has = bits_has(&s->bits, id);
	for (size_t i = 0; !has && i < s->containers_n; i++)
		if (s->containers[i].chunk == id / CHUNK_IDS) {
			container_add(&s->containers[i], &x);
			has = bits_has(&x, id);
		}
	bits_release(&x);
	return has;
}

static void note_held(struct held *h, const struct part *p, const struct combo *c)
{
	static const struct bits none;
	if (h->last < 0)
		h->last = p->day;
	h->days += h->days == 0 || h->first != p->day;
	h->first = p->day;
	if (!h->deleted && h->last_live < 0)
		h->last_live = p->day;
	h->over_approximate |= c->whole;
	for (uint32_t i = 0; i < c->n; i++) {
		tally_add(&h->fields, c->fields[i].path, &none);
		if (c->fields[i].category[0])
			tally_add(&h->categories, c->fields[i].category, &none);
	}
}

/* From the newest part back, as blast_make goes. */
static void hold(const struct ledger *l, uint32_t id, struct held **v, size_t *n)
{
	for (size_t i = l->parts_n; i-- > 0;) {
		const struct part *p = l->parts[i];
		for (uint32_t k = 0; k < p->sets_n; k++)
			if (p->sets[k].combo->kind == COMBO_DELETED && set_has(&p->sets[k], id))
				held_of(v, n, p->sets[k].combo->name)->deleted = true;
		for (uint32_t k = 0; k < p->sets_n; k++)
			if (p->sets[k].combo->kind <= COMBO_MEASURED && set_has(&p->sets[k], id))
				note_held(held_of(v, n, p->sets[k].combo->name), p, p->sets[k].combo);
	}
}

static json_t *names_json(struct tallies *t)
{
	json_t *list = json_array();
	if (t->n)
		qsort(t->v, t->n, sizeof *t->v, by_name);
	for (size_t i = 0; i < t->n; i++)
		json_array_append_new(list, json_string(t->v[i].name));
	tally_release(t);
	return list;
}

static int by_vendor(const void *a, const void *b)
{
	return strcmp(((const struct held *)a)->vendor, ((const struct held *)b)->vendor);
}

static void put_held(const struct ledger *l, uint32_t id, json_t *vendors)
{
	struct held *v = NULL;
	size_t n = 0;
	hold(l, id, &v, &n);
	if (n)
		qsort(v, n, sizeof *v, by_vendor);
	for (size_t i = 0; i < n; i++) {
		json_t *categories = names_json(&v[i].categories), *fields = names_json(&v[i].fields);
		if (v[i].days == 0) {	/* a deletion of what it never got */
			json_decref(categories);
			json_decref(fields);
			continue;
		}
		json_array_append_new(vendors, json_pack("{s:s, s:n, s:o, s:o, s:I, s:o, s:o, s:b, s:b}", "vendor", v[i].vendor, "vendor_id", "first",
							 day_json(v[i].first), "last", day_json(v[i].last), "days", (json_int_t)v[i].days,
							 "categories", categories, "fields", fields, "attested_deleted", v[i].last_live < 0,
							 "over_approximate", v[i].over_approximate));
	}
	free(v);
}

static int ask_subject(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	const json_t *v = json_object_get(request, "id");
	uint8_t keys[ID_KINDS][SUBJECT_BYTES];
	char hex[2 * SUBJECT_BYTES + 1];
	uint32_t id;
	(void)now;
	size_t n = json_is_string(v) ? subject_keys(subject, json_string_value(v), json_string_length(v), keys) : 0;
	if (n == 0)
		return err_set(err, ERR_INPUT, "an identifier is empty or isn't text in UTF-8");
	size_t at = 0;
	while (at < n && !dict_find(&l->dict, keys[at], &id))
		at++;
	json_t *vendors = json_array();
	if (at < n)
		put_held(l, id, vendors);
	hex_encode(keys[at < n ? at : 0], SUBJECT_BYTES, hex);
	json_object_set_new(answer, "found", json_boolean(json_array_size(vendors) > 0));
	json_object_set_new(answer, "subject", json_string(hex));
	json_object_set_new(answer, "linked", json_array());
	json_object_set_new(answer, "erased", json_false());
	json_object_set_new(answer, "vendors", vendors);
	return 0;
}

/* ---- status ----------------------------------------------------------------------------------------------------------------- */

static json_t *record_json(const struct record *r, int64_t day)
{
	char id[33], at[21];
	hex_encode(r->id, 16, id);
	clock_format(r->at, at);
	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:s, s:s}", "record", id, "what", r->what == RECORD_MEASURED ? "measured" : "deleted",
			 "vendor", r->vendor, "day", day_json(day), "at", at, "people",
			 r->people == UINT32_MAX ? json_null() : json_integer(r->people), "who", r->who, "why", r->why);
}

static int ask_status(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	struct ledger_stats s = ledger_stats(l);
	size_t open = 0, closed = 0;
	json_t *records = json_array();
	(void)request;
	(void)subject;
	(void)now;
	(void)err;
	for (size_t i = 0; i < l->parts_n; i++) {
		open += l->parts[i]->generation == 0;
		closed += l->parts[i]->generation != 0;
		for (size_t k = 0; k < l->parts[i]->records_n; k++) {
			json_array_append_new(records, record_json(&l->parts[i]->records[k], l->parts[i]->day));
			if (json_array_size(records) > RECORDS_SHOWN)
				json_array_remove(records, 0);
		}
	}
	json_object_set_new(answer, "subjects", count_json(s.subjects));
	json_object_set_new(answer, "combos", count_json(l->combos.n));
	json_object_set_new(answer, "open_days", count_json(open));
	json_object_set_new(answer, "closed", count_json(closed));
	json_object_set_new(answer, "unreadable", count_json(s.unreadable));
	json_object_set_new(answer, "records", records);
	return 0;
}

/* ---- words ------------------------------------------------------------------------------------------------------------------ */

static const struct {
	const char *word;
	int (*ask)(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err);
} words[] = {
	{"blast", ask_blast},	  {"blast-list", ask_list},	 {"holdings", ask_holdings},	{"subject", ask_subject},
	{"resolve", ask_resolve}, {"ledger-status", ask_status}, {"ledger-record", NULL}, {"ledger-deleted", NULL},
};
enum { WORDS = sizeof words / sizeof *words };

bool ledger_word(const char *word, bool *writes)
{
	for (size_t i = 0; i < WORDS; i++)
		if (strcmp(words[i].word, word) == 0) {
			*writes = !words[i].ask;
			return true;
		}
	return false;
}

int ledger_ask(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	const char *word = json_string_value(json_object_get(request, "do"));
	if (l->damage.code) {
		*err = l->damage;
		return -1;
	}
	for (size_t i = 0; i < WORDS; i++)
		if (word && words[i].ask && strcmp(words[i].word, word) == 0)
			return words[i].ask(l, request, subject, now, answer, err);
	return err_set(err, ERR_INPUT, "the ledger doesn't know the question");
}
