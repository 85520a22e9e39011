/*
 * The ledger against a naive model: random exposures, records, deletions, duplicates, days that end, restarts; then
 * damage in every file, failing disks, and more field-sets than are kept apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "ledger/inside.h"
#include "log/block.h"
#include "plan/plan.h"

enum { VENDORS = 3, SERIALS = 2, PEOPLE = 200, MASKS = 40, PARTS = 400, PATHS = 64, OPERATIONS = 100000, DAY0 = 20000 };
#define DAY_US UINT64_C(86400000000)

static const char *const vendors[VENDORS] = {"acme", "globex", "initech"};
static const uint8_t stream[16] = "weir-keeper-open";

static uint64_t seed = 1;
static uint32_t pick(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((seed >> 33) % n);
}

/* ---- a folder ------------------------------------------------------------------------------------------------------- */

struct leaf_info {
	int path[PLAN_LEAVES_MAX];	/* place in rig.paths */
	size_t n, bytes;
};

struct rig {
	char dir[40];
	struct fio io, log_io;
	struct ledger_place place;
	uint8_t secret[SIGN_SECRET_BYTES];
	int open;
	struct log_mark mark;
	struct log_writer *w;
	struct ledger *l;
	struct pseudo *subject;
	struct leaf_info leaves[VENDORS][SERIALS];
	char *paths[PATHS], *categories[PATHS];
	int paths_n;
};

static uint64_t calls, fail_at;
static bool fails(void)
{
	errno = EIO;
	return ++calls == fail_at;
}
static ssize_t bad_pwrite(void *c, int fd, const void *p, size_t n, uint64_t off)
{
	return fails() ? -1 : fio_os.pwrite(c, fd, p, n, off);
}
static int bad_sync(void *c, int fd)
{
	(void)c;
	(void)fd;
	return fails() ? -1 : 0;	/* no power is cut here */
}
static int no_sync(void *c, int fd)
{
	(void)c;
	(void)fd;
	return 0;
}
static int bad_rename(void *c, int dir, const char *from, const char *to)
{
	return fails() ? -1 : fio_os.rename(c, dir, from, to);
}
static int bad_open(void *c, int dir, const char *path, int flags, unsigned mode)
{
	return flags & O_CREAT && fails() ? -1 : fio_os.open(c, dir, path, flags, mode);
}

static int path_id(struct rig *r, const char *path, const char *category)
{
	for (int i = 0; i < r->paths_n; i++)
		if (strcmp(r->paths[i], path) == 0 && strcmp(r->categories[i], category) == 0)
			return i;
	assert_true(r->paths_n < PATHS);
	r->paths[r->paths_n] = strdup(path);
	r->categories[r->paths_n] = strdup(category);
	return r->paths_n++;
}

static void contract_text(int vendor, int serial, char *out, size_t n)
{
	snprintf(out, n,
		 "weir: 1\nvendor: %s\nname: X\ncountry: US\nrole: processor\nservice: Analytics\ndata_regions: [US]\n"
		 "delivery: {adapter: mixpanel, upstream: \"https://api.example.com\", credential: \"env:T\", quota: 1MiB}\n"
		 "sources:\n  - {name: web, token: \"env:W\"}\npurpose: product-analytics\nbasis: consent\nversion: %d\nevents: [\"*\"]\n"
		 "fields:\n  event: keep\n  properties.a: {keep: true, category: user.contact.email}\n"
		 "  properties.b: {keep: true, category: user.contact}\n  properties.%s: {keep: true, category: user.device}\n"
		 "  properties.d: keep\n",
		 vendors[vendor], serial + 1, serial ? "late" : "c");
}

static void make_plan(struct rig *r, int vendor, int serial)
{
	char text[2048], name[16];
	struct diags d;
	struct err err;
	struct buf bytes;
	struct plan *plan;
	const struct plan_leaf *leaf;
	diags_init(&d, "c");
	contract_text(vendor, serial, text, sizeof text);
	struct contract *c = contract_parse(text, strlen(text), &d);
	if (!c) {
		struct buf b;
		buf_init(&b, 0);
		diags_print(&d, &b);
		fail_msg("%s", (char *)b.data);
	}
	diags_release(&d);
	struct plan_file f = {.serial = (uint64_t)serial + 1, .approved = true, .not_after = INT64_MAX, .at = 1, .by = strdup("t"), .contract = c};
	snprintf(f.vendor, sizeof f.vendor, "%s", vendors[vendor]);
	buf_init(&bytes, 0);
	plan_file_make(&f, r->secret, &bytes);
	snprintf(name, sizeof name, "%d", serial + 1);
	(void)mkdirat(r->place.plans, "history", 0700);
	char path[64];
	snprintf(path, sizeof path, "history/%s", vendors[vendor]);
	(void)mkdirat(r->place.plans, path, 0700);
	int dir = openat(r->place.plans, path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(plan_file_write(&fio_os, dir, name, &bytes, &err), 0);
	close(dir);
	buf_release(&bytes);
	struct leaf_info *info = &r->leaves[vendor][serial];
	assert_int_equal(plan_compile(c, FLOW_OPEN, &plan, &err), 0);
	info->n = plan_leaves(plan, &leaf);
	info->bytes = (info->n + 7) / 8;
	for (size_t i = 0; i < info->n; i++) {
		char *p = strndup(leaf[i].path.at, leaf[i].path.len), *cat = strndup(leaf[i].category.len ? leaf[i].category.at : "", leaf[i].category.len);
		info->path[i] = path_id(r, p, cat);
		free(p);
		free(cat);
	}
	plan_free(&plan);
	plan_file_release(&f);
}

static void rig_open(struct rig *r)
{
	const struct log_limits limits = {.segment_bytes = 1 << 16};
	struct log_recovery found = {0};
	struct err err;
	r->mark = (struct log_mark){0};
	if (log_writer_open(&r->log_io, r->open, stream, &limits, &r->mark, NULL, NULL, &r->w, &found, &err) != 0)
		fail_msg("%s", err.msg);
	log_recovery_release(&found);
	if (ledger_open(&r->place, &r->mark, &r->l, &err) != 0)
		fail_msg("%s", err.msg);
}

static void rig_close(struct rig *r)
{
	ledger_close(&r->l);
	log_writer_close(&r->w);
}

static int rig_make(void **state)
{
	struct rig *r = calloc(1, sizeof *r);
	struct err err;
	static const uint8_t key[KEY_BYTES] = {7};
	if (crypt_init(&err) < 0)
		return -1;
	snprintf(r->dir, sizeof r->dir, "/tmp/weir-ledger-XXXXXX");
	if (!mkdtemp(r->dir))
		return -1;
	int top = open(r->dir, O_RDONLY | O_DIRECTORY);
	(void)mkdirat(top, "ledger", 0700);
	(void)mkdirat(top, "ledger/open", 0700);
	(void)mkdirat(top, "plan", 0700);
	r->io = r->log_io = fio_os;
	r->log_io.sync = no_sync;
	r->io.pwrite = bad_pwrite;
	r->io.sync = bad_sync;
	r->io.rename = bad_rename;
	r->io.open = bad_open;
	fail_at = 0;
	r->place = (struct ledger_place){.io = &r->io, .dir = openat(top, "ledger", O_RDONLY | O_DIRECTORY), .plans = openat(top, "plan", O_RDONLY | O_DIRECTORY)};
	r->open = openat(top, "ledger/open", O_RDONLY | O_DIRECTORY);
	close(top);
	sign_keypair(r->place.public_key, r->secret);
	r->subject = pseudo_new(key, 0);
	for (int v = 0; v < VENDORS; v++)
		for (int s = 0; s < SERIALS; s++)
			make_plan(r, v, s);
	rig_open(r);
	*state = r;
	return 0;
}

static int gone(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static int rig_clear(void **state)
{
	struct rig *r = *state;
	rig_close(r);
	pseudo_free(&r->subject);
	close(r->open);
	close(r->place.dir);
	close(r->place.plans);
	for (int i = 0; i < r->paths_n; i++) {
		free(r->paths[i]);
		free(r->categories[i]);
	}
	nftw(r->dir, gone, 16, FTW_DEPTH | FTW_PHYS);
	free(r);
	return 0;
}

/* ---- frames --------------------------------------------------------------------------------------------------------- */

static void person_id(uint32_t who, char out[static 24])
{
	snprintf(out, 24, "person-%u", who);
}

static void person_key(struct rig *r, uint32_t who, uint8_t out[static SUBJECT_BYTES])
{
	char id[24];
	person_id(who, id);
	assert_true(pseudo_subject(r->subject, "user", id, strlen(id), out));
}

static void append(struct rig *r, enum log_type type, const struct buf *b)
{
	struct err err;
	if (log_append(r->w, type, b->data, b->len, NULL, &err) != 0 || log_commit(r->w, &err) != 0)
		fail_msg("%s", err.msg);
}

struct shown {	/* one object of a frame */
	uint32_t who;	/* PEOPLE: nobody */
	uint8_t leaves[8];
	char country[3];
};

static void expose(struct rig *r, uint64_t source, int vendor, int serial, int64_t day, const struct shown *v, uint32_t n)
{
	struct buf b;
	uint8_t seq[8];
	struct block_head h = {.plan_serial = (uint64_t)serial + 1, .received_us = (uint64_t)day * DAY_US + 5, .vendor = {vendors[vendor], strlen(vendors[vendor])},
			       .leaf_bytes = (uint16_t)r->leaves[vendor][serial].bytes, .count = n};
	buf_init(&b, 0);
	put_u64(seq, source);
	buf_add(&b, seq, 8);
	size_t began = block_begin(&b, &h);
	for (uint32_t i = 0; i < n; i++) {
		struct block_object o = {.leaves = v[i].leaves};
		if (v[i].who < PEOPLE)
			person_key(r, v[i].who, o.subject);
		memcpy(o.attributes, v[i].country, 2);
		block_add(&b, &h, &o);
	}
	block_finish(&b, began);
	append(r, LOG_EXPOSURE, &b);
	buf_release(&b);
}

/* who NULL: everybody (deleted). */
static void record(struct rig *r, bool deleted, int vendor, int64_t day, const uint32_t *who, uint32_t n, uint32_t number, const char *field)
{
	char id[33], date[11], name[24];
	struct err err;
	struct buf b;
	json_t *ids = who ? json_array() : NULL;
	snprintf(id, sizeof id, "%032x", number);
	clock_format_day(day * 86400, date);
	for (uint32_t i = 0; i < n; i++) {
		person_id(who[i], name);
		json_array_append_new(ids, json_string(name));
	}
	json_t *q = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o*}", "do", deleted ? "ledger-deleted" : "ledger-record", "vendor", vendors[vendor], "record",
			      id, "day", date, "why", "said so", "ids", ids);
	if (!deleted)
		json_object_set_new(q, "fields", json_pack("[{s:s}]", "path", field));
	buf_init(&b, 0);
	if (ledger_record(q, r->subject, "tester", day * 86400 + 100, &b, &err) != 0)
		fail_msg("%s", err.msg);
	append(r, LOG_RECORD, &b);
	buf_release(&b);
	json_decref(q);
}

static void catch_up(struct rig *r)
{
	struct err err;
	if (ledger_catch_up(r->l, SIZE_MAX, &err) < 0)
		fail_msg("%s", err.msg);
}

static json_t *ask(struct rig *r, json_t *q, int64_t today)
{
	struct err err;
	json_t *a = json_object();
	if (ledger_ask(r->l, q, r->subject, today * 86400 + 50, a, &err) != 0)
		fail_msg("%s", err.msg);
	json_decref(q);
	return a;
}

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

/* What part p holds of who: does an attested deletion that counts cover it? */
static bool covered(const struct model *m, int p, int vendor, uint32_t who, int64_t since, int64_t until)
{
	for (int i = 0; i < m->parts; i++)
		if (m->cell[i][vendor][who].deleted && m->day[i] <= until && (since < 0 || m->day[i] < since) &&
		    (m->day[i] > m->day[p] || (m->day[i] == m->day[p] && m->generation[i] >= m->generation[p])))
			return true;
	return false;
}

static void model_delete_all(struct model *m, int64_t day, int vendor)
{
	int at = part_of(m, day);
	for (int p = 0; p < m->parts; p++)
		for (uint32_t w = 0; m->day[p] <= day && w < PEOPLE; w++)
			if (m->cell[p][vendor][w].fields)
				m->cell[at][vendor][w].deleted = true;
}

static uint64_t with_category(const struct rig *r, const char *asked)
{
	uint64_t mask = 0;
	for (int i = 0; i < r->paths_n; i++)
		if (category_within(r->categories[i], asked))
			mask |= UINT64_C(1) << i;
	return mask;
}

static json_int_t listed(const json_t *a, const char *list, const char *name, const char *value)
{
	size_t i;
	json_t *x;
	json_array_foreach(json_object_get(a, list), i, x) if (strcmp(json_string_value(json_object_get(x, name)), value) == 0) return json_integer_value(json_object_get(x, "people"));
	return 0;
}

/* The whole answer of blast, counted the slow way.  Field-sets decide: a category's people are those with a set that has it. */
static void check_blast(struct rig *r, const struct model *m, int vendor, int64_t since, int64_t until, int64_t today)
{
	char a_day[11], b_day[11];
	clock_format_day(since * 86400, a_day);
	clock_format_day(until * 86400, b_day);
	json_t *a = ask(r, json_pack("{s:s, s:s, s:s*, s:s}", "do", "blast", "vendor", vendors[vendor], "since", since < 0 ? NULL : a_day, "until", b_day), today);
	int64_t from = since < 0 ? INT64_MIN : since - 7;
	json_int_t people = 0, deleted = 0, events = 0, fields[PATHS] = {0};
	for (uint32_t w = 0; w < PEOPLE; w++) {
		uint64_t live = 0;
		bool ever = false;
		for (int p = 0; p < m->parts; p++) {
			uint64_t f = m->day[p] >= from && m->day[p] <= until ? m->cell[p][vendor][w].fields : 0;
			ever |= f != 0;
			live |= f && !covered(m, p, vendor, w, since, until) ? f : 0;
		}
		people += live != 0;
		deleted += ever && !live;
		for (int i = 0; i < r->paths_n; i++)
			fields[i] += (json_int_t)(live >> i & 1);
	}
	for (int p = 0; p < m->parts; p++)
		events += m->day[p] >= from && m->day[p] <= until ? (json_int_t)m->events[p][vendor] : 0;
	assert_int_equal(json_integer_value(json_object_get(a, "people")), people);
	assert_int_equal(json_integer_value(json_object_get(a, "attested_deleted")), deleted);
	assert_int_equal(json_integer_value(json_object_get(a, "events")), events);
	assert_false(json_is_true(json_object_get(a, "over_approximate")));
	for (int i = 0; i < r->paths_n; i++) {
		bool twice = false;	/* one path, two categories: summed as a union elsewhere */
		for (int k = 0; k < r->paths_n; k++)
			twice |= k != i && strcmp(r->paths[i], r->paths[k]) == 0;
		if (!twice)
			assert_int_equal(listed(a, "fields", "path", r->paths[i]), fields[i]);
	}
	json_decref(a);
}

static void check_category(struct rig *r, const struct model *m, int vendor, const char *category, int64_t today)
{
	uint64_t mask = with_category(r, category);
	json_int_t people = 0;
	json_t *a = ask(r, json_pack("{s:s, s:s, s:s}", "do", "blast", "vendor", vendors[vendor], "category", category), today), *x;
	size_t rows = 0, i;
	for (uint32_t w = 0; w < PEOPLE; w++) {
		bool has = false;
		for (int p = 0; p < m->parts; p++)
			has |= m->cell[p][vendor][w].fields & mask && !covered(m, p, vendor, w, -1, today);
		people += has;
	}
	assert_int_equal(json_integer_value(json_object_get(a, "people")), people);
	json_decref(a);
	for (json_int_t after = 0; after >= 0;) {	/* the same people, page by page */
		a = ask(r, json_pack("{s:s, s:s, s:s, s:I, s:i}", "do", "blast-list", "vendor", vendors[vendor], "category", category, "after", after, "limit", 37), today);
		json_array_foreach(json_object_get(a, "rows"), i, x) rows++;
		x = json_object_get(a, "next");
		after = x ? json_integer_value(x) : -1;
		json_decref(a);
	}
	assert_int_equal(rows, people);
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
			if (!m->cell[p][v][who].fields)
				continue;
			fields |= m->cell[p][v][who].fields;
			bool counted = false;
			for (int k = 0; k < p; k++)
				counted |= m->day[k] == m->day[p] && m->cell[k][v][who].fields;
			days += !counted;
			first = m->day[p] < first ? m->day[p] : first;
			last = m->day[p] > last ? m->day[p] : last;
			live |= !covered(m, p, v, who, -1, INT64_MAX);
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

static void some_exposure(struct play *p)
{
	struct shown v[4];
	uint32_t n = 1 + pick(4);
	int vendor = (int)pick(VENDORS), serial = (int)pick(SERIALS);
	int64_t day = p->today - (pick(50) == 0);	/* some come late */
	const struct leaf_info *info = &p->r->leaves[vendor][serial];
	for (uint32_t i = 0; i < n; i++) {
		v[i] = (struct shown){.who = pick(PEOPLE + 2)};
		memcpy(v[i].leaves, p->masks[vendor][serial][pick(MASKS)], 8);
		if (pick(3) == 0)
			memcpy(v[i].country, pick(2) ? "DE" : "US", 3);
		uint64_t fields = 0;
		for (size_t k = 0; k < info->n; k++)
			if (v[i].leaves[k / 8] >> k % 8 & 1)
				fields |= UINT64_C(1) << info->path[k];
		model_expose(p->m, day, vendor, v[i].who, fields);
	}
	expose(p->r, ++p->source, vendor, serial, day, v, n);
	size_t at = p->source % 64;
	p->old[at].source = p->source;
	p->old[at].vendor = vendor;
	p->old[at].serial = serial;
	p->old[at].day = day;
	p->old[at].shown = v[0];
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

static void a_day_ends(struct play *p)
{
	struct err err;
	catch_up(p->r);
	p->today++;
	if (ledger_close_days(p->r->l, p->today, &err) < 0)
		fail_msg("%s", err.msg);
	for (int i = 0; i < p->m->parts; i++)
		if (p->m->day[i] < p->today)
			p->m->open[i] = false;
	assert_int_equal(log_release(p->r->w, ledger_passed(p->r->l), &err), 0);
}

static void look(struct play *p)
{
	catch_up(p->r);
	int vendor = (int)pick(VENDORS);
	int64_t until = p->today - pick(20), since = pick(2) ? until - pick(15) : -1;
	check_blast(p->r, p->m, vendor, since, until, p->today);
	check_blast(p->r, p->m, vendor, -1, p->today, p->today);
	check_category(p->r, p->m, vendor, pick(2) ? "user.contact" : "user.device", p->today);
	for (int i = 0; i < 5; i++)
		check_subject(p->r, p->m, pick(PEOPLE), p->today);
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
	printf("%d operations, %d parts of days, %llu restarts, %llu subjects\n", OPERATIONS, p.m->parts, (unsigned long long)restarts,
	       (unsigned long long)s.subjects);
	assert_int_equal(s.unreadable, 0);
	free(p.m);
}

/* ---- damage --------------------------------------------------------------------------------------------------------- */

static void fill(struct rig *r, int64_t day)
{
	for (uint32_t i = 0; i < 50; i++) {
		struct shown v = {.who = i * 3 % PEOPLE, .leaves = {0xff, (uint8_t)i}, .country = "DE"};
		expose(r, (uint64_t)day * 1000 + i, (int)i % VENDORS, 0, day, &v, 1);
	}
	catch_up(r);
}

static void read_all(const char *path, uint8_t **p, size_t *n)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	*n = (size_t)st.st_size;
	*p = malloc(*n + 1);
	assert_int_equal(read(fd, *p, *n), *n);
	close(fd);
}

static void write_all(const char *path, const uint8_t *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
	assert_true(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	close(fd);
}

static void expect_damage(struct rig *r, const char *names)
{
	struct ledger *l;
	struct err err;
	if (ledger_open(&r->place, &r->mark, &l, &err) == 0)
		fail_msg("damage in %s was not seen", names);
	assert_int_equal(err.code, ERR_CORRUPT);
	if (!strstr(err.msg, names))
		fail_msg("'%s' doesn't name %s", err.msg, names);
}

static void damage_each_byte(struct rig *r, const char *file, const char *names)
{
	char path[128];
	uint8_t *p;
	size_t n;
	snprintf(path, sizeof path, "%s/ledger/%s", r->dir, file);
	read_all(path, &p, &n);
	for (size_t i = 0; i < n; i++) {
		p[i] ^= (uint8_t)(1 << i % 8);
		write_all(path, p, n);
		expect_damage(r, names);
		p[i] ^= (uint8_t)(1 << i % 8);
	}
	for (size_t cut = 0; cut < n; cut += 1 + cut / 7) {
		write_all(path, p, cut);
		expect_damage(r, names);
	}
	unlink(path);
	if (strcmp(file, "day/2024-10-04.2") != 0)	/* the newest: nothing else knows of it */
		expect_damage(r, names);
	write_all(path, p, n);
	free(p);
}

static void test_damage_is_named(void **state)
{
	struct rig *r = *state;
	struct err err;
	fill(r, DAY0);
	assert_int_equal(ledger_close_days(r->l, DAY0 + 1, &err), 1);
	struct shown late = {.who = 1, .leaves = {0xff}};
	expose(r, 77, 0, 0, DAY0, &late, 1);	/* a second file of the same day */
	catch_up(r);
	assert_int_equal(ledger_close_days(r->l, DAY0 + 1, &err), 1);
	damage_each_byte(r, "day/2024-10-04", "2024-10-04");
	damage_each_byte(r, "day/2024-10-04.2", "2024-10-04.2");
	damage_each_byte(r, "dict/keys", "dict/keys");
	rig_close(r);
	rig_open(r);	/* it is whole again */
	char path[128];
	uint8_t *p;
	size_t n;
	snprintf(path, sizeof path, "%s/ledger/day/2024-10-04", r->dir);
	read_all(path, &p, &n);
	p[n - 1] ^= 1;
	write_all(path, p, n);
	expect_damage(r, "container");
	p[n - 1] ^= 1;
	write_all(path, p, n);
	free(p);
}

/* A disk that fails anywhere while a day is closed: nothing is lost, and later it closes. */
static void test_a_failing_disk_keeps_the_day_open(void **state)
{
	struct rig *r = *state;
	struct err err;
	uint64_t failures = 0;
	for (int64_t day = DAY0;; day++) {
		fill(r, day);
		json_t *before = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), day);
		calls = 0;
		fail_at = ++failures;
		int n = ledger_close_days(r->l, day + 1, &err);
		fail_at = 0;
		json_t *after = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), day);
		assert_true(json_equal(before, after));
		json_decref(after);
		rig_close(r);
		rig_open(r);
		assert_true(ledger_close_days(r->l, day + 1, &err) >= 0);
		after = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), day);
		assert_true(json_equal(before, after));
		json_decref(after);
		json_decref(before);
		if (n >= 0)
			break;
	}
	assert_true(failures > 5);
}

/* ---- more field-sets than are kept apart ---------------------------------------------------------------------------- */

static void test_too_many_field_sets_report_more_never_less(void **state)
{
	struct rig *r = *state;
	struct err err;
	const struct leaf_info *info = &r->leaves[0][0];
	assert_true(info->n >= 10);
	json_int_t truth[PATHS] = {0};
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t mask = i % 512 * 2 + 1;
		struct shown v = {.who = PEOPLE, .leaves = {(uint8_t)mask, (uint8_t)(mask >> 8)}};
		v.who = i % PEOPLE;
		expose(r, i + 1, 0, 0, DAY0 + i / 500, &v, 1);
	}
	catch_up(r);
	for (uint32_t who = 0; who < PEOPLE; who++)
		for (size_t k = 0; k < info->n && k < 10; k++) {
			bool has = false;
			for (uint32_t i = who; i < 1000; i += PEOPLE)
				has |= (i % 512 * 2 + 1) >> k & 1;
			truth[info->path[k]] += has;
		}
	for (int again = 0; again < 3; again++) {
		json_t *a = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), DAY0 + 9);
		assert_true(json_is_true(json_object_get(a, "over_approximate")));
		assert_int_equal(json_integer_value(json_object_get(a, "people")), PEOPLE);
		assert_int_equal(json_integer_value(json_object_get(a, "events")), 1000);
		for (int k = 0; k < r->paths_n; k++)
			assert_true(listed(a, "fields", "path", r->paths[k]) >= truth[k]);
		json_decref(a);
		assert_true(r->l->combos.n < COMBOS_LIVE + 32);
		if (again == 0)
			assert_int_equal(ledger_close_days(r->l, DAY0 + 1, &err), 1);
		rig_close(r);
		rig_open(r);
	}
}

static void test_a_missing_plan_is_counted_as_unknown(void **state)
{
	struct rig *r = *state;
	struct shown v = {.who = 5, .leaves = {1}};
	r->leaves[0][1].bytes = 1;
	char path[128];
	snprintf(path, sizeof path, "%s/plan/history/acme/2.plan", r->dir);
	unlink(path);
	expose(r, 1, 0, 1, DAY0, &v, 1);
	catch_up(r);
	json_t *a = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), DAY0);
	assert_int_equal(listed(a, "fields", "path", "(unknown)"), 1);
	json_decref(a);
	a = ask(r, json_pack("{s:s, s:s, s:s}", "do", "blast", "vendor", "acme", "category", "user.financial"), DAY0);
	assert_int_equal(json_integer_value(json_object_get(a, "people")), 1);	/* it may have been that */
	json_decref(a);
	assert_int_equal(ledger_stats(r->l).unreadable, 1);
}

static void test_jurisdictions_add_up(void **state)
{
	struct rig *r = *state;
	const char *const codes[] = {"DE", "US", "", "DE"};
	for (uint32_t i = 0; i < 4; i++) {
		struct shown v = {.who = i, .leaves = {1}};
		memcpy(v.country, codes[i], strlen(codes[i]));
		expose(r, i + 1, 0, 0, DAY0, &v, 1);
	}
	catch_up(r);
	json_t *a = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), DAY0);
	assert_int_equal(listed(a, "jurisdictions", "code", "DE"), 2);
	assert_int_equal(listed(a, "jurisdictions", "code", "US"), 1);
	assert_int_equal(listed(a, "jurisdictions", "code", "unknown"), 1);
	json_decref(a);
	a = ask(r, json_pack("{s:s, s:s, s:s}", "do", "blast", "vendor", "acme", "jurisdiction", "unknown"), DAY0);
	assert_int_equal(json_integer_value(json_object_get(a, "people")), 1);
	json_decref(a);
}

static void test_wrong_questions(void **state)
{
	struct rig *r = *state;
	static const struct {
		const char *json, *says;
	} rows[] = {
		{"{\"do\":\"blast\"}", "which vendor"},
		{"{\"do\":\"blast\",\"vendor\":3}", "vendor"},
		{"{\"do\":\"blast\",\"vendor\":\"x\",\"since\":\"yesterday\"}", "--since"},
		{"{\"do\":\"blast\",\"vendor\":\"x\",\"until\":7}", "--until"},
		{"{\"do\":\"blast\",\"vendor\":\"x\",\"since\":\"2026-02-02\",\"until\":\"2026-01-01\"}", "after"},
		{"{\"do\":\"blast\",\"vendor\":\"x\",\"jurisdiction\":\"Germany\"}", "jurisdiction"},
		{"{\"do\":\"subject\"}", "identifier"},
		{"{\"do\":\"subject\",\"id\":\"email:\"}", NULL},
		{"{\"do\":\"resolve\",\"vendor\":\"x\"}", "ids"},
		{"{\"do\":\"other\"}", "doesn't know"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {0};
		json_t *q = json_loads(rows[i].json, 0, NULL), *a = json_object();
		int rc = ledger_ask(r->l, q, r->subject, DAY0 * 86400, a, &err);
		assert_int_equal(rc, rows[i].says ? -1 : 0);
		if (rows[i].says && (err.code != ERR_INPUT || !strstr(err.msg, rows[i].says)))
			fail_msg("%s: %s", rows[i].json, err.msg);
		json_decref(q);
		json_decref(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_clear)
		T(test_equals_a_naive_model),	 T(test_damage_is_named),
		T(test_a_failing_disk_keeps_the_day_open), T(test_too_many_field_sets_report_more_never_less),
		T(test_a_missing_plan_is_counted_as_unknown), T(test_jurisdictions_add_up), T(test_wrong_questions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
