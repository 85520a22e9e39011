/* Random operations, for the ledger and its model alike. */
#include "ledger/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static uint64_t fields_of(const struct play *p, int vendor, int serial, const uint8_t *leaves)
{
	const struct leaf_info *info = &p->leaves[vendor][serial];
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
			memcpy(v[i].country, countries[1 + pick(2)], 3);
		model_expose(p->m, day, vendor, v[i].who, fields_of(p, vendor, serial, v[i].leaves), v[i].country);
	}
	p->source++;
	if (p->r)
		expose(p->r, p->source, vendor, serial, day, v, n);
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
		model_expose(p->m, p->today, vendor, who[i], fields, NULL);
	p->m->events[model_part(p->m, p->today)][vendor] -= n;	/* the request counts it */
	p->source++;
	bool twice = pick(4) == 0;
	for (int i = 0; p->r && i <= twice; i++)
		link_people(p->r, p->source, vendor, serial, p->today, leaves, who, n, (uint8_t)people);
}

static void some_record(struct play *p)
{
	uint32_t who[8], n = 1 + pick(8);
	int vendor = (int)pick(VENDORS), field = p->mail;
	int64_t day = p->today - pick(5);
	for (uint32_t i = 0; i < n; i++) {
		who[i] = pick(PEOPLE);
		model_expose(p->m, day, vendor, who[i], UINT64_C(1) << field, NULL);
	}
	p->records++;
	bool twice = pick(4) == 0;	/* sent again */
	for (int i = 0; p->r && i <= twice; i++)
		record(p->r, false, vendor, day, who, n, p->records, "mail");
}

static void some_deletion(struct play *p)
{
	uint32_t who[40], n = 1 + pick(40);
	int vendor = (int)pick(VENDORS);
	int64_t day = p->today - pick(3);
	p->records++;
	if (pick(4) == 0) {
		model_delete_all(p->m, day, vendor);
		if (p->r)
			record(p->r, true, vendor, day, NULL, 0, p->records, NULL);
		return;
	}
	int at = model_part(p->m, day);
	for (uint32_t i = 0; i < n; i++) {
		who[i] = pick(PEOPLE);
		p->m->cell[at][vendor][who[i]].deleted = true;
		p->m->known[who[i]] = true;
	}
	if (p->r)
		record(p->r, true, vendor, day, who, n, p->records, NULL);
}

/* What was recorded before some day has arrived. */
static void some_arrival(struct play *p)
{
	struct buf b;
	int vendor = (int)pick(VENDORS), at = model_part(p->m, p->today);
	int64_t before = (p->today - pick(6)) * 86400 + pick(86400);
	if (before > p->m->arrived[at][vendor])
		p->m->arrived[at][vendor] = before;
	buf_init(&b, 0);
	ledger_arrived(vendors[vendor], before, p->today * 86400 + 7, &b);
	if (p->r)
		append(p->r, LOG_RECORD, &b);
	buf_release(&b);
}

static void close_days(struct play *p, int64_t before, bool roll_up, bool anew)
{
	struct err err;
	model_close(p->m, before);
	if (!p->r)
		return;
	catch_up(p->r);
	if (ledger_close_days(p->r->l, before, &err) < 0 || (roll_up && ledger_roll_up(p->r->l, p->today, anew, &err) < 0) ||
	    log_release(p->r->w, ledger_passed(p->r->l), &err) < 0)
		fail_msg("%s", err.msg);
}

static void a_day_ends(struct play *p)
{
	bool roll_up = pick(8), anew = pick(10) == 0;	/* now and then nobody gets to it */
	p->today += pick(3) ? 1 : 1 + pick(25);	/* some days nobody sends anything */
	close_days(p, p->today, roll_up, anew);
}

/* A part of a day closes before the day is over. */
static void a_part_closes(struct play *p)
{
	close_days(p, INT64_MAX, pick(2), false);
}

static void restart(struct play *p)
{
	p->restarts++;
	if (!p->r)
		return;
	rig_close(p->r);
	rig_open(p->r);
}

static void some_restriction(struct play *p)
{
	uint32_t who = pick(PEOPLE);
	bool on = pick(3) > 0;
	json_t *answer;
	p->records++;
	model_people(p->m);
	for (uint32_t w = 0; p->m->known[who] && w < PEOPLE; w++)
		if (p->m->known[w] && p->m->person[w] == p->m->person[who])
			p->m->restricted[w] = on;
	if (p->m->known[who])
		(void)model_part(p->m, p->today);
	if (!p->r)
		return;
	catch_up(p->r);
	int code = decide(p->r, on ? "subject-restrict" : "subject-release", who, p->today, p->records, &answer);
	assert_int_equal(code, p->m->known[who] ? 0 : ERR_NOTFOUND);
	json_decref(answer);
}

/* What the ledger says of the erasure is what the model says, and it does as it says. */
static bool is_erased_by(const struct rig *r, uint32_t number)
{
	uint8_t id[16] = {0};
	for (int i = 0; i < 4; i++)	/* as its text has it */
		id[15 - i] = (uint8_t)(number >> 8 * i);
	for (size_t i = 0; i < r->l->parts_n; i++)
		for (size_t k = 0; k < r->l->parts[i]->erased_n; k++)
			if (memcmp(r->l->parts[i]->erased[k].id, id, sizeof id) == 0)
				return true;
	return false;
}

static void erase_in_the_ledger(struct play *p, uint32_t who, bool force, bool finish, int expected, const bool *held, const bool *unattested)
{
	json_t *answer, *v;
	size_t i, vendors_held = 0;
	catch_up(p->r);
	assert_int_equal(erase(p->r, who, p->today, p->records, force, finish, &answer), expected);
	json_array_foreach(json_object_get(answer, "vendors"), i, v)
		for (int k = 0; k < VENDORS; k++)
			if (strcmp(json_string_value(json_object_get(v, "vendor")), vendors[k]) == 0) {
				assert_true(held[k]);
				assert_int_equal(json_integer_value(json_object_get(v, "unattested")), unattested[k]);
			}
	for (int k = 0; k < VENDORS; k++)
		vendors_held += held[k];
	if (expected == 0)
		assert_int_equal(i, vendors_held);
	json_decref(answer);
}

static void expose_one(struct play *p, int64_t day, int vendor, uint32_t who)
{
	struct shown v = {.who = who};
	memcpy(v.leaves, p->masks[vendor][0][pick(MASKS)], 8);
	model_expose(p->m, day, vendor, who, fields_of(p, vendor, 0, v.leaves), v.country);
	p->source++;
	if (p->r)
		expose(p->r, p->source, vendor, 0, day, &v, 1);
}

/* Somebody is erased; or must not be yet; or nobody knows them. */
static void some_erasure(struct play *p)
{
	uint32_t who = pick(PEOPLE);
	bool force = pick(3) > 0, finish = pick(4) > 0, held[VENDORS], unattested[VENDORS], open = false;
	p->records++;
	model_people(p->m);
	model_held(p->m, who, p->today, held, unattested);
	for (int v = 0; v < VENDORS; v++)
		open |= unattested[v];
	int expected = !p->m->known[who] ? ERR_NOTFOUND : open && !force ? ERR_DENIED : 0;
	model_close(p->m, INT64_MAX);
	if (expected == 0) {
		model_erase(p->m, who, p->today);
		(void)model_part(p->m, p->today);
	}
	if (p->r && p->again)
		catch_up(p->r);
	if (p->r && !(p->again && is_erased_by(p->r, p->records)))
		erase_in_the_ledger(p, who, force, finish, expected, held, unattested);
	if (finish || expected)
		return;
	restart(p);
	if (pick(2))	/* they are back before anybody looks */
		expose_one(p, p->today, (int)pick(VENDORS), who);
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

static void again(struct play *p)
{
	size_t at = pick(64);	/* the same frame: it may be days old */
	if (p->r && p->old[at].source)
		expose(p->r, p->old[at].source, p->old[at].vendor, p->old[at].serial, p->old[at].day, &p->old[at].shown, 1);
}

/* ---- looking -------------------------------------------------------------------------------------------------------- */

static void look_at(struct play *p, int vendor)
{
	int64_t until = p->today - (pick(2) ? pick(20) : pick(300)), since = pick(2) ? until - pick(pick(2) ? 15 : 200) : -1;
	char from[11], to[11];
	check_blast(p->r, p->m, vendor, since, until, p->today);
	check_blast(p->r, p->m, vendor, -1, p->today, p->today);
	check_fields(p->r, p->m, vendor, "category", pick(2) ? "user.contact" : "user.device", p->today);
	if (p->r->paths_n)
		check_fields(p->r, p->m, vendor, "field", p->r->paths[pick((uint32_t)p->r->paths_n)], p->today);
	check_jurisdiction(p->r, p->m, vendor, (int)pick(COUNTRIES), p->today);
	check_holdings(p->r, p->m, vendor, p->today);
	clock_format_day((until - pick(60)) * 86400, from);
	clock_format_day(until * 86400, to);
	check_count(p, json_pack("{s:s, s:s, s:s*, s:s*}", "do", "blast", "vendor", vendors[vendor], "category", pick(2) ? "user.contact" : NULL,
				 "jurisdiction", pick(3) ? NULL : "DE"));
	check_count(p, json_pack("{s:s, s:s, s:s, s:s}", "do", "blast", "vendor", vendors[vendor], "since", from, "until", to));
}

void play_look(struct play *p)
{
	if (!p->r)
		return;
	catch_up(p->r);
	model_people(p->m);
	look_at(p, (int)pick(VENDORS));
	for (int i = 0; i < 5; i++)
		check_subject(p->r, p->m, pick(PEOPLE), p->today);
}

void play_look_at_all(struct play *p)
{
	catch_up(p->r);
	model_people(p->m);
	for (int v = 0; v < VENDORS; v++)
		look_at(p, v);
	for (uint32_t w = 0; w < PEOPLE; w++)
		check_subject(p->r, p->m, w, p->today);
}

/* ---- a row of them -------------------------------------------------------------------------------------------------- */

static const struct {
	uint32_t of_10000;
	void (*run)(struct play *p);
} operations[] = {
	{40, some_record}, {20, some_deletion}, {5, a_day_ends}, {2, a_part_closes}, {4, some_arrival}, {12, some_link}, {10, restart},
	{4, some_restriction}, {12, some_erasure}, {300, again}, {16, play_look},
	{10000, some_exposure},
};

void play_one(struct play *p)
{
	pick_from(p->random);
	uint32_t x = pick(10000);
	p->random = p->random * UINT64_C(2862933555777941757) + UINT64_C(3037000493);
	size_t i = 0;
	while (x >= operations[i].of_10000)
		x -= operations[i++].of_10000;
	operations[i].run(p);
	p->done++;
}

void play_begin(struct play *p, struct rig *r, uint64_t seed)
{
	*p = (struct play){.r = r, .m = calloc(1, sizeof *p->m), .today = DAY0, .random = seed, .leaves = r->leaves, .mail = path_id(r, "mail", "")};
	pick_from(seed);
	for (int v = 0; v < VENDORS; v++)
		for (int s = 0; s < SERIALS; s++)
			for (int k = 0; k < MASKS; k++) {
				for (size_t i = 0; i < r->leaves[v][s].n; i++)
					p->masks[v][s][k][i / 8] |= (uint8_t)(pick(2) << i % 8);
				p->masks[v][s][k][0] |= 1;	/* an empty field-set exposes nothing that the model could see */
			}
}

void play_end(struct play *p)
{
	free(p->m);
}
