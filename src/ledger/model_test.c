/*
 * The ledger against a naive model: random exposures, links, records, deletions, duplicates, days that end, restarts.
 */
#include "ledger/ledger_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { MASKS = 40, PARTS = 400, OPERATIONS = 100000 };

/* ---- the model ------------------------------------------------------------------------------------------------------ */

struct cell {
	uint64_t fields;	/* of paths */
	bool deleted;
};

struct model {
	int64_t day[PARTS];	/* of a part: each is what came for a day until it was closed */
	uint32_t generation[PARTS];
	bool open[PARTS];
	uint64_t events[PARTS][VENDORS];
	bool any[PARTS][VENDORS];
	struct cell cell[PARTS][VENDORS][PEOPLE];
	int parts;
	bool same[PEOPLE][PEOPLE], belongs[PEOPLE][PEOPLE];
	int64_t arrived[PARTS][VENDORS];	/* before it; 0: nothing noted */
	uint32_t person[PEOPLE];	/* whose each identifier is; model_people */
};

static int part_of(struct model *m, int64_t day)
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

static void model_expose(struct model *m, int64_t day, int vendor, uint32_t who, uint64_t fields)
{
	int p = part_of(m, day);
	m->any[p][vendor] = true;
	m->events[p][vendor]++;
	if (who >= PEOPLE)
		return;
	m->cell[p][vendor][who].fields |= fields;
	m->cell[p][vendor][who].deleted = false;
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

static void model_delete_all(struct model *m, int64_t day, int vendor)
{
	int at = part_of(m, day);
	for (int p = 0; p < m->parts; p++)
		for (uint32_t w = 0; m->day[p] <= day && w < PEOPLE; w++)
			if (m->cell[p][vendor][w].fields)
				m->cell[at][vendor][w].deleted = true;
}

/* Spread until nothing changes; then what belongs to exactly one person is that person's. */
static void model_people(struct model *m)
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

static uint64_t with_category(const struct rig *r, const char *asked)
{
	uint64_t mask = 0;
	for (int i = 0; i < r->paths_n; i++)
		if (category_within(r->categories[i], asked))
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
static void check_blast(struct rig *r, const struct model *m, int vendor, int64_t since, int64_t until, int64_t today)
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

static void check_category(struct rig *r, const struct model *m, int vendor, const char *category, int64_t today)
{
	uint64_t mask = with_category(r, category);
	struct crowd affected = {0};
	json_t *a = ask(r, json_pack("{s:s, s:s, s:s}", "do", "blast", "vendor", vendors[vendor], "category", category), today), *x;
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
	json_decref(a);
	for (json_int_t after = 0; after >= 0;) {	/* the same people, page by page */
		a = ask(r, json_pack("{s:s, s:s, s:s, s:I, s:i}", "do", "blast-list", "vendor", vendors[vendor], "category", category, "after", after, "limit", 37), today);
		json_array_foreach(json_object_get(a, "rows"), i, x) rows++;
		x = json_object_get(a, "next");
		after = x ? json_integer_value(x) : -1;
		json_decref(a);
	}
	assert_int_equal(rows, affected.identifiers);
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

static void check_subject(struct rig *r, const struct model *m, uint32_t who, int64_t today)
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
	json_decref(a);
}

/* ---- 10^5 operations ------------------------------------------------------------------------------------------------ */

struct play {
	struct rig *r;
	struct model *m;
	uint64_t source;
	uint32_t records;
	int64_t today;
	uint8_t masks[VENDORS][SERIALS][MASKS][8];
	struct {
		uint64_t source;
		int vendor, serial;
		int64_t day;
		struct shown shown;
	} old[64];
};

static uint64_t fields_of(const struct play *p, int vendor, int serial, const uint8_t *leaves)
{
	const struct leaf_info *info = &p->r->leaves[vendor][serial];
	uint64_t fields = 0;
	for (size_t k = 0; k < info->n; k++)
		if (leaves[k / 8] >> k % 8 & 1)
			fields |= UINT64_C(1) << info->path[k];
	return fields;
}

/* Few are active on one day, and it takes a while until they are again: what was deleted stays deleted for long. */
static uint32_t someone(const struct play *p)
{
	return (uint32_t)((uint64_t)p->today * 13 + pick(40)) % PEOPLE;
}

static void some_exposure(struct play *p)
{
	struct shown v[4];
	uint32_t n = 1 + pick(4);
	int vendor = (int)pick(VENDORS), serial = (int)pick(SERIALS);
	int64_t day = p->today - (pick(50) == 0);	/* some come late */
	for (uint32_t i = 0; i < n; i++) {
		v[i] = (struct shown){.who = pick(50) ? someone(p) : PEOPLE};
		memcpy(v[i].leaves, p->masks[vendor][serial][pick(MASKS)], 8);
		if (pick(3) == 0)
			memcpy(v[i].country, pick(2) ? "DE" : "US", 3);
		model_expose(p->m, day, vendor, v[i].who, fields_of(p, vendor, serial, v[i].leaves));
	}
	expose(p->r, ++p->source, vendor, serial, day, v, n);
	size_t at = p->source % 64;
	p->old[at].source = p->source;
	p->old[at].vendor = vendor;
	p->old[at].serial = serial;
	p->old[at].day = day;
	p->old[at].shown = v[0];
}

/* Anybody's identifiers: most are one person's and a device, some are merged, a few devices are shared. */
static void some_link(struct play *p)
{
	uint32_t who[4], people = 1 + (pick(8) == 0);
	uint8_t n = (uint8_t)(people + (people == 1) + pick(2));
	int vendor = (int)pick(VENDORS), serial = (int)pick(SERIALS);
	const uint8_t *leaves = p->masks[vendor][serial][pick(MASKS)];
	uint64_t fields = fields_of(p, vendor, serial, leaves);
	who[0] = pick(PEOPLE / 3);
	for (uint8_t i = 1; i < n; i++) {
		do
			who[i] = i < people || pick(8) == 0 ? pick(PEOPLE / 3) : PEOPLE / 3 + pick(2 * PEOPLE / 3);
		while (who[i] == who[0] || (i == 2 && who[2] == who[1]));
		(i < people ? p->m->same : p->m->belongs)[who[i]][who[0]] = true;
	}
	for (uint8_t i = 0; i < n; i++)
		model_expose(p->m, p->today, vendor, who[i], fields);
	p->m->events[part_of(p->m, p->today)][vendor] -= n;	/* the request counts it */
	link_people(p->r, ++p->source, vendor, serial, p->today, leaves, who, n, (uint8_t)people);
	if (pick(4) == 0)
		link_people(p->r, p->source, vendor, serial, p->today, leaves, who, n, (uint8_t)people);
}

static void some_record(struct play *p)
{
	uint32_t who[8], n = 1 + pick(8);
	int vendor = (int)pick(VENDORS), field = path_id(p->r, "mail", "");
	int64_t day = p->today - pick(5);
	for (uint32_t i = 0; i < n; i++) {
		who[i] = pick(PEOPLE);
		model_expose(p->m, day, vendor, who[i], UINT64_C(1) << field);
	}
	record(p->r, false, vendor, day, who, n, ++p->records, "mail");
	if (pick(4) == 0)	/* sent again */
		record(p->r, false, vendor, day, who, n, p->records, "mail");
}

static void some_deletion(struct play *p)
{
	uint32_t who[40], n = 1 + pick(40);
	int vendor = (int)pick(VENDORS);
	int64_t day = p->today - pick(3);
	if (pick(4) == 0) {
		model_delete_all(p->m, day, vendor);
		record(p->r, true, vendor, day, NULL, 0, ++p->records, NULL);
		return;
	}
	int at = part_of(p->m, day);
	for (uint32_t i = 0; i < n; i++) {
		who[i] = pick(PEOPLE);
		p->m->cell[at][vendor][who[i]].deleted = true;
	}
	record(p->r, true, vendor, day, who, n, ++p->records, NULL);
}

/* What was recorded before some day has arrived. */
static void some_arrival(struct play *p)
{
	struct buf b;
	int vendor = (int)pick(VENDORS), at = part_of(p->m, p->today);
	int64_t before = (p->today - pick(6)) * 86400 + pick(86400);
	if (before > p->m->arrived[at][vendor])
		p->m->arrived[at][vendor] = before;
	buf_init(&b, 0);
	ledger_arrived(vendors[vendor], before, p->today * 86400 + 7, &b);
	append(p->r, LOG_RECORD, &b);
	buf_release(&b);
}

static void a_day_ends(struct play *p)
{
	struct err err;
	catch_up(p->r);
	p->today += pick(3) ? 1 : 1 + pick(25);	/* some days nobody sends anything */
	if (ledger_close_days(p->r->l, p->today, &err) < 0)
		fail_msg("%s", err.msg);
	if (pick(8) && ledger_roll_up(p->r->l, p->today, pick(10) == 0, &err) < 0)	/* now and then nobody gets to it */
		fail_msg("%s", err.msg);
	for (int i = 0; i < p->m->parts; i++)
		if (p->m->day[i] < p->today)
			p->m->open[i] = false;
	assert_int_equal(log_release(p->r->w, ledger_passed(p->r->l), &err), 0);
}

/* The same people as the whole answer says, without it. */
static void check_count(struct play *p, json_t *q)
{
	json_t *whole = ask(p->r, json_copy(q), p->today);
	json_object_set_new(q, "count", json_true());
	json_t *a = ask(p->r, q, p->today);
	assert_int_equal(json_integer_value(json_object_get(a, "people")), json_integer_value(json_object_get(whole, "people")));
	assert_int_equal(json_integer_value(json_object_get(a, "identifiers")), json_integer_value(json_object_get(whole, "identifiers")));
	json_decref(whole);
	json_decref(a);
}

static void look(struct play *p)
{
	catch_up(p->r);
	model_people(p->m);
	int vendor = (int)pick(VENDORS);
	int64_t until = p->today - (pick(2) ? pick(20) : pick(300)), since = pick(2) ? until - pick(pick(2) ? 15 : 200) : -1;
	check_blast(p->r, p->m, vendor, since, until, p->today);
	check_blast(p->r, p->m, vendor, -1, p->today, p->today);
	check_category(p->r, p->m, vendor, pick(2) ? "user.contact" : "user.device", p->today);
	for (int i = 0; i < 5; i++)
		check_subject(p->r, p->m, pick(PEOPLE), p->today);
	char from[11], to[11];
	clock_format_day((until - pick(60)) * 86400, from);
	clock_format_day(until * 86400, to);
	check_count(p, json_pack("{s:s, s:s, s:s*, s:s*}", "do", "blast", "vendor", vendors[vendor], "category", pick(2) ? "user.contact" : NULL, "jurisdiction", pick(3) ? NULL : "DE"));
	check_count(p, json_pack("{s:s, s:s, s:s, s:s}", "do", "blast", "vendor", vendors[vendor], "since", from, "until", to));
}

static void test_equals_a_naive_model(void **state)
{
	struct play p = {.r = *state, .m = calloc(1, sizeof *p.m), .today = DAY0};
	for (int v = 0; v < VENDORS; v++)
		for (int s = 0; s < SERIALS; s++)
			for (int k = 0; k < MASKS; k++)
				for (size_t i = 0; i < p.r->leaves[v][s].n; i++)
					p.masks[v][s][k][i / 8] |= (uint8_t)(pick(2) << i % 8);
	for (int v = 0; v < VENDORS; v++)	/* an empty field-set exposes nothing that the model could see */
		for (int s = 0; s < SERIALS; s++)
			for (int k = 0; k < MASKS; k++)
				p.masks[v][s][k][0] |= 1;
	uint64_t restarts = 0;
	for (int i = 0; i < OPERATIONS; i++) {
		uint32_t x = pick(10000);
		if (x < 40)
			some_record(&p);
		else if (x < 60)
			some_deletion(&p);
		else if (x < 65)
			a_day_ends(&p);
		else if (x >= 9980 && x < 9984)
			some_arrival(&p);
		else if (x >= 9988)
			some_link(&p);
		else if (x < 75) {
			rig_close(p.r);
			rig_open(p.r);
			restarts++;
		} else if (x < 102)
			look(&p);
		else if (x < 400 && p.source) {	/* the same frame again: it may be days old */
			size_t at = pick(64);
			if (p.old[at].source)
				expose(p.r, p.old[at].source, p.old[at].vendor, p.old[at].serial, p.old[at].day, &p.old[at].shown, 1);
		} else {
			some_exposure(&p);
		}
	}
	look(&p);
	struct ledger_stats s = ledger_stats(p.r->l);
	printf("%d operations, %d parts of days, %zu roll-ups, %llu restarts, %llu subjects\n", OPERATIONS, p.m->parts, p.r->l->rollups_n,
	       (unsigned long long)restarts, (unsigned long long)s.subjects);
	assert_true(p.r->l->rollups_n >= 2);
	assert_int_equal(s.unreadable, 0);
	free(p.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_equals_a_naive_model, rig_make, rig_clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
