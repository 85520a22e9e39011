#include "ledger/ledger_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/block.h"
#include "log/link.h"
#include "plan/plan.h"

#define DAY_US UINT64_C(86400000000)

const char *const vendors[VENDORS] = {"acme", "globex", "initech"};
static const uint8_t stream[16] = "weir-keeper-open";

static uint64_t seed = 1;
void pick_from(uint64_t from)
{
	seed = from;
}

uint32_t pick(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((seed >> 33) % n);
}

/* ---- a folder ------------------------------------------------------------------------------------------------------- */

uint64_t calls, fail_at;
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

int path_id(struct rig *r, const char *path, const char *category)
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

void rig_open(struct rig *r)
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

void rig_close(struct rig *r)
{
	ledger_close(&r->l);
	log_writer_close(&r->w);
}

int rig_make(void **state)
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

int rig_clear(void **state)
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

void person_id(uint32_t who, char out[static 24])
{
	snprintf(out, 24, "person-%u", who);
}

void person_key(struct rig *r, uint32_t who, uint8_t out[static SUBJECT_BYTES])
{
	char id[24];
	person_id(who, id);
	assert_true(pseudo_subject(r->subject, "user", id, strlen(id), out));
}

void append(struct rig *r, enum log_type type, const struct buf *b)
{
	struct err err;
	if (log_append(r->w, type, b->data, b->len, NULL, &err) != 0 || log_commit(r->w, &err) != 0)
		fail_msg("%s", err.msg);
}

void expose(struct rig *r, uint64_t source, int vendor, int serial, int64_t day, const struct shown *v, uint32_t n)
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

void link_people(struct rig *r, uint64_t source, int vendor, int serial, int64_t day, const uint8_t leaves[static 8], const uint32_t *who, uint8_t n,
		 uint8_t persons)
{
	struct buf b;
	uint8_t seq[8], keys[255][SUBJECT_BYTES];
	static const uint8_t unknown[ATTRIBUTE_BYTES];
	const struct link_head h = {.plan_serial = (uint64_t)serial + 1, .received_us = (uint64_t)day * DAY_US + 5,
				    .vendor = {vendors[vendor], strlen(vendors[vendor])}, .leaf_bytes = (uint16_t)r->leaves[vendor][serial].bytes};
	for (uint8_t i = 0; i < n; i++)
		person_key(r, who[i], keys[i]);
	buf_init(&b, 0);
	put_u64(seq, source);
	buf_add(&b, seq, 8);
	size_t began = link_begin(&b, &h);
	link_add(&b, &h, &(struct link_one){.n = n, .persons = persons, .attributes = unknown, .leaves = leaves, .subjects = keys[0]});
	link_finish(&b, began, 1);
	append(r, LOG_LINK, &b);
	buf_release(&b);
}

/* who NULL: everybody (deleted). */
void record(struct rig *r, bool deleted, int vendor, int64_t day, const uint32_t *who, uint32_t n, uint32_t number, const char *field)
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

static json_t *decision(const char *word, uint32_t who, uint32_t number, bool force)
{
	char id[33], name[24];
	snprintf(id, sizeof id, "%032x", number);
	person_id(who, name);
	return json_pack("{s:s, s:s, s:s, s:s, s:b}", "do", word, "id", name, "record", id, "why", "asked for it", "force", force);
}

int decide(struct rig *r, const char *word, uint32_t who, int64_t today, uint32_t number, json_t **answer)
{
	json_t *q = decision(word, who, number, false);
	struct err err = {0};
	struct buf b;
	*answer = json_object();
	buf_init(&b, 0);
	if (ledger_restrict(r->l, q, r->subject, "tester", today * 86400 + 70, &b, *answer, &err) == 0)
		append(r, LOG_RECORD, &b);
	buf_release(&b);
	json_decref(q);
	catch_up(r);
	return (int)err.code;
}

int erase(struct rig *r, uint32_t who, int64_t today, uint32_t number, bool force, bool finish, json_t **answer)
{
	json_t *q = decision("subject-erase", who, number, force);
	struct err err = {0};
	struct buf b;
	*answer = json_object();
	buf_init(&b, 0);
	if (ledger_close_days(r->l, INT64_MAX, &err) < 0)
		fail_msg("%s", err.msg);
	int done = ledger_erase(r->l, q, r->subject, "tester", today * 86400 + 70, 0, &b, *answer, &err);
	json_decref(q);
	if (done == 0 && b.len) {	/* nothing: it was recorded before */
		struct err ignored;
		(void)!log_roll(r->w, 1, &ignored);
		append(r, LOG_ERASE, &b);
		catch_up(r);
	}
	if (done == 0 && finish && (ledger_finish_erasing(r->l, &err) < 0 || log_release(r->w, ledger_passed(r->l), &err) < 0))
		fail_msg("%s", err.msg);
	buf_release(&b);
	return done == 0 ? 0 : (int)err.code;
}

void catch_up(struct rig *r)
{
	struct err err;
	if (ledger_catch_up(r->l, SIZE_MAX, &err) < 0)
		fail_msg("%s", err.msg);
}

json_t *ask(struct rig *r, json_t *q, int64_t today)
{
	struct err err;
	json_t *a = json_object();
	if (ledger_ask(r->l, q, r->subject, today * 86400 + 50, a, &err) != 0)
		fail_msg("%s", err.msg);
	json_decref(q);
	return a;
}

json_int_t listed(const json_t *a, const char *list, const char *name, const char *value)
{
	size_t i;
	json_t *x;
	json_array_foreach(json_object_get(a, list), i, x) if (strcmp(json_string_value(json_object_get(x, name)), value) == 0) return json_integer_value(json_object_get(x, "people"));
	return 0;
}

