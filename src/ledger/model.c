#include "ledger/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* ---- the model ------------------------------------------------------------------------------------------------------ */

int model_part(struct model *m, int64_t day)
{
	uint32_t generation = 1;
	for (int i = 0; i < m->parts; i++) {
		if (m->day[i] != day)
			continue;
		if (m->open[i])
			return i;
		generation++;
	}
	assert_true(m->parts < PARTS);
	m->day[m->parts] = day;
	m->generation[m->parts] = generation;
	m->open[m->parts] = true;
	return m->parts++;
}

const char *const countries[COUNTRIES] = {"unknown", "DE", "US"};

void model_expose(struct model *m, int64_t day, int vendor, uint32_t who, uint64_t fields, const char *country)
{
	int p = model_part(m, day);
	m->any[p][vendor] = true;
	m->events[p][vendor]++;
	if (who >= PEOPLE)
		return;
	m->cell[p][vendor][who].fields |= fields;
	m->cell[p][vendor][who].deleted = false;
	m->known[who] = true;
	int at = 0;
	for (int i = 1; country && i < COUNTRIES; i++)
		if (strcmp(country, countries[i]) == 0)
			at = i;
	m->country[who][at] = true;
}

void model_close(struct model *m, int64_t before)
{
	for (int i = 0; i < m->parts; i++)
		if (m->day[i] < before)
			m->open[i] = false;
}

/* Of two parts, the later one is what an attested deletion in it covers the other by. */
static int64_t age_of(const struct model *m, int p)
{
	return m->day[p] * PARTS + m->generation[p];
}

/* The newest part with a deletion that counts: it covers itself and those before.  -1: none. */
static int64_t cover_of(const struct model *m, int vendor, uint32_t who, int64_t since, int64_t until)
{
	int64_t newest = -1;
	for (int i = 0; i < m->parts; i++)
		if (m->cell[i][vendor][who].deleted && m->day[i] <= until && (since < 0 || m->day[i] < since) && age_of(m, i) > newest)
			newest = age_of(m, i);
	return newest;
}

void model_delete_all(struct model *m, int64_t day, int vendor)
{
	if (day * 86400 + 100 > m->all_deleted[vendor])
		m->all_deleted[vendor] = day * 86400 + 100;
	int at = model_part(m, day);
	for (int p = 0; p < m->parts; p++)
		for (uint32_t w = 0; m->day[p] <= day && w < PEOPLE; w++)
			if (m->cell[p][vendor][w].fields)
				m->cell[at][vendor][w].deleted = true;
}

/* Spread until nothing changes; then what belongs to exactly one person is that person's. */
void model_people(struct model *m)
{
	uint32_t group[PEOPLE], owner[PEOPLE];
	bool owns[PEOPLE] = {false}, changed = true;
	for (uint32_t i = 0; i < PEOPLE; i++)
		group[i] = i;
	while (changed) {
		changed = false;
		for (uint32_t i = 0; i < PEOPLE; i++)
			for (uint32_t k = 0; k < PEOPLE; k++)
				if ((m->same[i][k] || m->same[k][i]) && group[k] < group[i]) {
					group[i] = group[k];
					changed = true;
				}
	}
	for (uint32_t g = 0; g < PEOPLE; g++)
		owner[g] = PEOPLE;
	for (uint32_t i = 0; i < PEOPLE; i++)
		for (uint32_t k = 0; k < PEOPLE; k++) {
			uint32_t g = group[i];
			if (!m->belongs[i][k] || g == group[k])
				continue;
			owns[group[k]] = true;
			owner[g] = owner[g] == PEOPLE || owner[g] == group[k] ? group[k] : PEOPLE + 1;
		}
	for (uint32_t i = 0; i < PEOPLE; i++) {
		uint32_t g = group[i];
		m->person[i] = owns[g] || owner[g] >= PEOPLE ? g : owner[g];
	}
}

struct crowd {	/* identifiers, and how many people they are */
	bool person[PEOPLE];
	json_int_t people, identifiers;
};

static void crowd_add(struct crowd *c, const struct model *m, uint32_t who)
{
	c->identifiers++;
	c->people += !c->person[m->person[who]];
	c->person[m->person[who]] = true;
}

/* Of `category` or `field`, as questions name them. */
static uint64_t fields_of(const struct rig *r, const char *what, const char *asked)
{
	uint64_t mask = 0;
	for (int i = 0; i < r->paths_n; i++)
		if (strcmp(what, "field") == 0 ? field_within(r->paths[i], asked) : category_within(r->categories[i], asked))
			mask |= UINT64_C(1) << i;
	return mask;
}

/* From which day on something may have arrived on `since`. */
static int64_t model_reach(const struct model *m, int vendor, int64_t since)
{
	int64_t at = 0, first = since;
	for (int p = 0; p < m->parts; p++) {
		if (m->day[p] < since && m->arrived[p][vendor] > at)
			at = m->arrived[p][vendor];
		first = m->day[p] < first ? m->day[p] : first;
	}
	if (at == 0)
		return first;
	return at / 86400 < since ? at / 86400 : since;
}

/* ---- erasure -------------------------------------------------------------------------------------------------------- */

static uint64_t of_person(const struct model *m, int part, int vendor, uint32_t who, bool *live);

void model_held(const struct model *m, uint32_t who, int64_t today, bool held[static VENDORS], bool unattested[static VENDORS])
{
	(void)today;
	for (int v = 0; v < VENDORS; v++) {
		held[v] = unattested[v] = false;
		for (int p = 0; p < m->parts; p++)
			held[v] |= of_person(m, p, v, who, &unattested[v]) != 0;
	}
}

void model_erase(struct model *m, uint32_t who, int64_t today)
{
	bool held[VENDORS], unattested[VENDORS], gone[PEOPLE];
	model_held(m, who, today, held, unattested);
	for (uint32_t w = 0; w < PEOPLE; w++)
		gone[w] = m->known[w] && m->person[w] == m->person[who];
	assert_true(m->erasures < ERASURES);
	m->erasure[m->erasures].at = today * 86400 + 70;
	for (int v = 0; v < VENDORS; v++) {
		m->erasure[m->erasures].people[v] = held[v];
		m->erasure[m->erasures].unattested[v] = unattested[v];
	}
	m->erasures++;
	for (uint32_t w = 0; w < PEOPLE; w++) {
		if (!gone[w])
			continue;
		for (int p = 0; p < m->parts; p++)
			for (int v = 0; v < VENDORS; v++)
				m->cell[p][v][w] = (struct cell){0};
		for (uint32_t k = 0; k < PEOPLE; k++)
			m->same[w][k] = m->same[k][w] = m->belongs[w][k] = m->belongs[k][w] = false;
		m->known[w] = m->restricted[w] = false;
		m->erased[w] = true;
		memset(m->country[w], 0, sizeof m->country[w]);
	}
	model_people(m);
}

static void check_erased(const json_t *a, const struct model *m, int vendor)
{
	json_int_t people = 0, unattested = 0;
	for (int i = 0; i < m->erasures; i++) {
		people += m->erasure[i].people[vendor];
		unattested += m->all_deleted[vendor] >= m->erasure[i].at ? 0 : m->erasure[i].unattested[vendor];
	}
	assert_int_equal(json_integer_value(json_object_get(a, "erased")), people);
	assert_int_equal(json_integer_value(json_object_get(a, "erased_unattested")), unattested);
}

/* ---- answers -------------------------------------------------------------------------------------------------------- */

/* Of each day: how many people still have something of it at the vendor. */
static void check_days(const json_t *a, const struct model *m, int vendor, const int64_t *cover)
{
	size_t i;
	json_t *x;
	json_array_foreach(json_object_get(a, "days"), i, x) {
		struct crowd that_day = {0};
		char date[11];
		for (uint32_t w = 0; w < PEOPLE; w++) {
			bool has = false;
			for (int p = 0; p < m->parts; p++) {
				clock_format_day(m->day[p] * 86400, date);
				has |= m->cell[p][vendor][w].fields && age_of(m, p) > cover[w] && strcmp(date, json_string_value(json_object_get(x, "day"))) == 0;
			}
			if (has)
				crowd_add(&that_day, m, w);
		}
		assert_int_equal(json_integer_value(json_object_get(x, "people")), that_day.people);
	}
}

/* The whole answer of blast, counted the slow way.  Field-sets decide: a category's people are those with a set that has it. */
void check_blast(struct rig *r, const struct model *m, int vendor, int64_t since, int64_t until, int64_t today)
{
	char a_day[11], b_day[11];
	clock_format_day(since * 86400, a_day);
	clock_format_day(until * 86400, b_day);
	json_t *a = ask(r, json_pack("{s:s, s:s, s:s*, s:s}", "do", "blast", "vendor", vendors[vendor], "since", since < 0 ? NULL : a_day, "until", b_day), today);
	int64_t from = since < 0 ? INT64_MIN : model_reach(m, vendor, since);
	assert_int_equal(json_is_null(json_object_get(a, "since_effective")), since < 0);
	struct crowd affected = {0}, exposed = {0}, fields[PATHS] = {0};
	json_int_t events = 0;
	int64_t covers[PEOPLE];
	for (uint32_t w = 0; w < PEOPLE; w++) {
		const int64_t cover = covers[w] = cover_of(m, vendor, w, since, until);
		uint64_t live = 0;
		bool ever = false;
		for (int p = 0; p < m->parts; p++) {
			uint64_t f = m->day[p] >= from && m->day[p] <= until ? m->cell[p][vendor][w].fields : 0;
			ever |= f != 0;
			live |= age_of(m, p) > cover ? f : 0;
		}
		if (live)
			crowd_add(&affected, m, w);
		if (ever)
			crowd_add(&exposed, m, w);
		for (int i = 0; i < r->paths_n; i++)
			if (live >> i & 1)
				crowd_add(&fields[i], m, w);
	}
	for (int p = 0; p < m->parts; p++)
		events += m->day[p] >= from && m->day[p] <= until ? (json_int_t)m->events[p][vendor] : 0;
	assert_int_equal(json_integer_value(json_object_get(a, "people")), affected.people);
	assert_int_equal(json_integer_value(json_object_get(a, "identifiers")), affected.identifiers);
	assert_int_equal(json_integer_value(json_object_get(a, "attested_deleted")), exposed.people - affected.people);
	assert_int_equal(json_integer_value(json_object_get(a, "events")), events);
	check_erased(a, m, vendor);
	if (pick(8) == 0)
		check_days(a, m, vendor, covers);
	assert_false(json_is_true(json_object_get(a, "over_approximate")));
	for (int i = 0; i < r->paths_n; i++) {
		bool twice = false;	/* one path, two categories: summed as a union elsewhere */
		for (int k = 0; k < r->paths_n; k++)
			twice |= k != i && strcmp(r->paths[i], r->paths[k]) == 0;
		if (!twice)
			assert_int_equal(listed(a, "fields", "path", r->paths[i]), fields[i].people);
	}
	json_decref(a);
}

void check_fields(struct rig *r, const struct model *m, int vendor, const char *what, const char *name, int64_t today)
{
	uint64_t mask = fields_of(r, what, name);
	struct crowd affected = {0};
	json_t *a = ask(r, json_pack("{s:s, s:s, s:s}", "do", "blast", "vendor", vendors[vendor], what, name), today), *x;
	size_t rows = 0, i;
	for (uint32_t w = 0; w < PEOPLE; w++) {
		const int64_t cover = cover_of(m, vendor, w, -1, today);
		bool has = false;
		for (int p = 0; p < m->parts; p++)
			has |= m->cell[p][vendor][w].fields & mask && age_of(m, p) > cover;
		if (has)
			crowd_add(&affected, m, w);
	}
	assert_int_equal(json_integer_value(json_object_get(a, "people")), affected.people);
	assert_int_equal(json_integer_value(json_object_get(a, "identifiers")), affected.identifiers);
	json_array_foreach(json_object_get(a, "days"), i, x)
		assert_true(json_integer_value(json_object_get(x, "people")) <= (json_int_t)affected.people);
	json_decref(a);
	a = ask(r, json_pack("{s:s, s:s, s:s, s:b}", "do", "blast", "vendor", vendors[vendor], what, name, "count", 1), today);
	assert_int_equal(json_integer_value(json_object_get(a, "people")), affected.people);
	json_decref(a);
	for (json_int_t after = 0; after >= 0;) {	/* the same people, page by page */
		a = ask(r, json_pack("{s:s, s:s, s:s, s:I, s:i}", "do", "blast-list", "vendor", vendors[vendor], what, name, "after", after, "limit", 37), today);
		json_array_foreach(json_object_get(a, "rows"), i, x) rows++;
		x = json_object_get(a, "next");
		after = x ? json_integer_value(x) : -1;
		json_decref(a);
	}
	assert_int_equal(rows, affected.identifiers);
}

/* Whose country was ever seen, of any of a person's identifiers. */
static bool from(const struct model *m, uint32_t who, int country)
{
	bool has = false;
	for (uint32_t w = 0; w < PEOPLE; w++)
		has |= m->person[w] == m->person[who] && m->country[w][country];
	return has;
}

void check_jurisdiction(struct rig *r, const struct model *m, int vendor, int country, int64_t today)
{
	struct crowd affected = {0};
	json_t *a = ask(r, json_pack("{s:s, s:s, s:s, s:b}", "do", "blast", "vendor", vendors[vendor], "jurisdiction", countries[country], "count", pick(2)), today);
	for (uint32_t w = 0; w < PEOPLE; w++) {
		bool has = false, fits = from(m, w, country);
		for (int i = 1; country == 0 && i < COUNTRIES; i++)
			fits &= !from(m, w, i);
		for (int p = 0; fits && p < m->parts; p++)
			has |= m->cell[p][vendor][w].fields && age_of(m, p) > cover_of(m, vendor, w, -1, today);
		if (has)
			crowd_add(&affected, m, w);
	}
	assert_int_equal(json_integer_value(json_object_get(a, "people")), affected.people);
	assert_int_equal(json_integer_value(json_object_get(a, "identifiers")), affected.identifiers);
	json_decref(a);
}

/* What is held today is what a blast without an end says. */
void check_holdings(struct rig *r, const struct model *m, int vendor, int64_t today)
{
	static const char *const members[] = {"people", "identifiers", "events", "attested_deleted", "erased", "categories", "fields", "contracts", "measured"};
	json_t *a = ask(r, json_pack("{s:s, s:s}", "do", "holdings", "vendor", vendors[vendor]), today);
	json_t *b = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", vendors[vendor]), today), *days = json_object_get(b, "days");
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (!json_equal(json_object_get(a, members[i]), json_object_get(b, members[i])))
			fail_msg("holdings: other %s than blast's", members[i]);
	if (json_array_size(days))
		assert_true(json_equal(json_object_get(a, "first"), json_object_get(json_array_get(days, 0), "day")));
	check_erased(a, m, vendor);
	json_decref(a);
	json_decref(b);
}

/* What a part holds of any identifier of the person; *live: some of it isn't attested to be deleted. */
static uint64_t of_person(const struct model *m, int part, int vendor, uint32_t who, bool *live)
{
	uint64_t fields = 0;
	for (uint32_t w = 0; w < PEOPLE; w++) {
		if (m->person[w] != m->person[who] || !m->cell[part][vendor][w].fields)
			continue;
		fields |= m->cell[part][vendor][w].fields;
		*live |= age_of(m, part) > cover_of(m, vendor, w, -1, INT64_MAX);
	}
	return fields;
}

void check_subject(struct rig *r, const struct model *m, uint32_t who, int64_t today)
{
	char id[24];
	size_t vendors_seen = 0;
	person_id(who, id);
	json_t *a = ask(r, json_pack("{s:s, s:s}", "do", "subject", "id", id), today), *list = json_object_get(a, "vendors");
	for (int v = 0; v < VENDORS; v++) {
		uint64_t fields = 0;
		int64_t first = INT64_MAX, last = -1;
		json_int_t days = 0;
		bool live = false;
		for (int p = 0; p < m->parts; p++) {
			uint64_t here = of_person(m, p, v, who, &live);
			if (!here)
				continue;
			fields |= here;
			bool counted = false;
			for (int k = 0; k < p; k++)
				counted |= m->day[k] == m->day[p] && of_person(m, k, v, who, &(bool){false});
			days += !counted;
			first = m->day[p] < first ? m->day[p] : first;
			last = m->day[p] > last ? m->day[p] : last;
		}
		if (!fields)
			continue;
		json_t *x = json_array_get(list, vendors_seen++);
		char day[11];
		assert_string_equal(json_string_value(json_object_get(x, "vendor")), vendors[v]);
		clock_format_day(first * 86400, day);
		assert_string_equal(json_string_value(json_object_get(x, "first")), day);
		clock_format_day(last * 86400, day);
		assert_string_equal(json_string_value(json_object_get(x, "last")), day);
		assert_int_equal(json_integer_value(json_object_get(x, "days")), days);
		assert_int_equal(json_is_true(json_object_get(x, "attested_deleted")), !live);
		json_t *f;
		size_t i, n = 0;
		for (int k = 0; k < r->paths_n; k++) {
			bool before = false;
			for (int j = 0; j < k; j++)
				before |= fields >> j & 1 && strcmp(r->paths[j], r->paths[k]) == 0;
			n += (fields >> k & 1) && !before;
		}
		assert_int_equal(json_array_size(json_object_get(x, "fields")), n);
		json_array_foreach(json_object_get(x, "fields"), i, f) {
			bool has = false;
			for (int k = 0; k < r->paths_n; k++)
				has |= fields >> k & 1 && strcmp(r->paths[k], json_string_value(f)) == 0;
			assert_true(has);
		}
	}
	size_t linked = 0;
	for (uint32_t w = 0; w < PEOPLE; w++)
		linked += w != who && m->person[w] == m->person[who];
	assert_int_equal(json_array_size(json_object_get(a, "linked")), linked);
	assert_int_equal(json_array_size(list), vendors_seen);
	assert_int_equal(json_is_true(json_object_get(a, "found")), vendors_seen > 0);
	assert_int_equal(json_is_true(json_object_get(a, "restricted")), m->restricted[who]);
	assert_int_equal(json_is_true(json_object_get(a, "erased")), m->erased[who]);
	assert_int_equal(json_is_string(json_object_get(a, "erased_on")), m->erased[who]);
	json_decref(a);
}
