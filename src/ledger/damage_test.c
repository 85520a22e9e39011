/* Damage in every file of the ledger is seen and named; a disk that fails loses nothing. */
#include "ledger/ledger_rig.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Without O_TRUNC, which has ext4 sync the file at each close. */
static void write_all(const char *path, const uint8_t *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0 && write(fd, p, n) == (ssize_t)n && ftruncate(fd, (off_t)n) == 0);
	close(fd);
}

static void expect_damage(struct rig *r, const char *names)
{
	struct ledger *l;
	struct err err;
	if (ledger_open(&r->place, &r->mark, &l, &err) == 0) {
		struct err again;
		if (ledger_check(l, SIZE_MAX, &err) >= 0)
			fail_msg("damage in %s was not seen", names);
		json_t *q = json_pack("{s:s, s:s}", "do", "subject", "id", "somebody"), *a = json_object();	/* from then on, nothing */
		assert_int_equal(ledger_ask(l, q, r->subject, 0, a, &again), -1);
		assert_string_equal(again.msg, err.msg);
		json_decref(q);
		json_decref(a);
		ledger_close(&l);
	}
	assert_int_equal(err.code, ERR_CORRUPT);
	if (!strstr(err.msg, names))
		fail_msg("'%s' doesn't name %s", err.msg, names);
}

struct named {
	const char *file;
	uint64_t at;
	bool hit;
	size_t n;
};

static void note_damage(void *arg, const struct ledger_damage *d)
{
	struct named *w = arg;
	w->n++;
	if (strstr(d->file, w->file) && d->from <= w->at && w->at < d->to)
		w->hit = true;
}

/* verify names the file and a range with the byte. */
static void expect_range(struct rig *r, const char *file, uint64_t must, size_t at)
{
	struct named w = {.file = file, .at = at};
	struct ledger_verified out;
	struct err err;
	assert_int_equal(ledger_verify(&r->place, must, note_damage, &w, &out, &err), 0);
	if (!w.hit)
		fail_msg("byte %zu of %s was changed, and %zu other places are named", at, file, w.n);
}

/* The three bytes of each frame that its checksum doesn't cover: its place in its batch. */
static bool uncovered(const char *file, const uint8_t *p, size_t n, size_t at)
{
	size_t frame = 64;
	if (strncmp(file, "open/", 5) != 0)
		return false;
	while (frame + 20 <= n && at >= frame + 20 + get_u32(p + frame))
		frame += 20 + get_u32(p + frame);
	return at >= frame + 5 && at < frame + 8;
}

static void flip_and_verify(struct rig *r, const char *file, uint64_t must)
{
	char path[128];
	uint8_t *p;
	size_t n;
	snprintf(path, sizeof path, "%s/ledger/%s", r->dir, file);
	read_all(path, &p, &n);
	for (size_t i = 0; i < n; i += i < 160 ? 1 : 11) {	/* heads whole, of the rest some */
		if (uncovered(file, p, n, i))
			continue;
		p[i] ^= (uint8_t)(1 << i % 8);
		write_all(path, p, n);
		expect_range(r, file, must, i);
		p[i] ^= (uint8_t)(1 << i % 8);
	}
	write_all(path, p, n);
	free(p);
}

static void test_verify_names_file_and_bytes(void **state)
{
	struct rig *r = *state;
	struct ledger_verified out;
	struct named none = {.file = ""};
	struct err err;
	char open_file[64] = "open/0000000000000001.log", sealed[64];
	fill(r, DAY0);
	memcpy(sealed, open_file, sizeof sealed);
	snprintf(open_file, sizeof open_file, "open/%016llx.log", (unsigned long long)atomic_load(&r->mark.durable) + 1);
	assert_int_equal(log_roll(r->w, 1, &err), 0);
	assert_int_equal(ledger_close_days(r->l, DAY0 + 1, &err), 1);
	fill(r, DAY0 + 1);
	assert_int_equal(ledger_close_days(r->l, DAY0 + 2, &err), 1);
	assert_int_equal(ledger_roll_up(r->l, DAY0 + 60, true, &err), 3);
	uint64_t frames = atomic_load(&r->mark.durable);
	rig_close(r);
	assert_int_equal(ledger_verify(&r->place, frames, note_damage, &none, &out, &err), 0);
	assert_int_equal(out.damages, 0);
	assert_true(out.days == 2 && out.frames == frames && out.subjects > 0);
	flip_and_verify(r, "day/2024-10-04", frames);
	flip_and_verify(r, "day/2024-10-05", frames);
	flip_and_verify(r, "dict/keys", frames);
	flip_and_verify(r, "total/closed", frames);
	flip_and_verify(r, "month/2024-10", frames);
	flip_and_verify(r, open_file, frames);
	flip_and_verify(r, sealed, frames);
	flip_and_verify(r, sealed, 0);	/* the next segment says where it ends */
	assert_int_equal(ledger_verify(&r->place, frames, note_damage, &none, &out, &err), 0);
	assert_int_equal(out.damages, 0);
	rig_open(r);
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
	struct ledger *l;	/* a question comes upon it as well */
	assert_int_equal(ledger_open(&r->place, &r->mark, &l, &err), 0);
	json_t *q = json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), *a = json_object();
	assert_int_equal(ledger_ask(l, q, r->subject, (DAY0 + 1) * 86400, a, &err), -1);
	assert_non_null(strstr(err.msg, "state/ledger/day/2024-10-04: container"));
	json_decref(q);
	json_decref(a);
	ledger_close(&l);
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

static json_t *try(struct ledger *l, struct rig *r, const char *question, struct err *err)
{
	json_t *q = json_loads(question, 0, NULL), *a = json_object();
	if (ledger_ask(l, q, r->subject, (DAY0 + 9) * INT64_C(86400), a, err) < 0) {
		json_decref(a);
		a = NULL;
	}
	json_decref(q);
	return a;
}

/* Cut off while it is mapped and was looked at: an answer that is right, or an error that names it; and nothing ends the process. */
static void cut_under_us(struct rig *r, const char *file, size_t left, bool derived, const json_t *whole)
{
	static const char question[] = "{\"do\":\"blast\",\"vendor\":\"acme\",\"since\":\"2024-10-05\"}", person[] = "{\"do\":\"subject\",\"id\":\"person-3\"}";
	char path[128];
	struct ledger *l;
	struct err err = {0};
	uint8_t *p;
	size_t n;
	snprintf(path, sizeof path, "%s/ledger/%s", r->dir, file);
	read_all(path, &p, &n);
	assert_int_equal(ledger_open(&r->place, &r->mark, &l, &err), 0);
	assert_true(ledger_check(l, SIZE_MAX, &err) > 0);
	json_decref(try(l, r, question, &err));
	l->changes++;	/* not from memory */
	assert_int_equal(truncate(path, (off_t)left), 0);
	for (int i = 0; left && i < 20 && ledger_check(l, 1, &err) >= 0; i++)	/* the rest of a page reads as zeros: its length tells */
		;
	json_t *a = try(l, r, question, &err), *b = a ? try(l, r, person, &err) : NULL;
	if (derived && (!a || !json_equal(a, whole)))
		fail_msg("%s cut to %zu: %s", file, left, a ? "another answer" : err.msg);
	if (!derived && (b || err.code != ERR_CORRUPT || !strstr(err.msg, file)))
		fail_msg("%s cut to %zu: %s", file, left, b ? "an answer" : err.msg);
	json_decref(a);
	json_decref(b);
	ledger_close(&l);
	write_all(path, p, n);
	free(p);
}

static void test_a_file_that_is_cut_while_it_is_mapped(void **state)
{
	struct rig *r = *state;
	struct err err;
	static const struct {
		const char *file;
		bool derived;
	} rows[] = {{"day/2024-10-05", false}, {"dict/keys", false}, {"total/closed", true}, {"month/2024-10", true}, {"month/2024-10-04", true}};
	for (int i = 0; i < 9; i++)
		fill(r, DAY0 + i);
	for (uint32_t i = 0; i < 3000; i++)	/* more than a page of subjects */
		record(r, false, 0, DAY0 + 1, (uint32_t[]){1000 + i}, 1, 1 + i, "mail");
	catch_up(r);
	assert_int_equal(ledger_close_days(r->l, DAY0 + 9, &err), 9);
	assert_true(ledger_roll_up(r->l, DAY0 + 60, false, &err) > 3);
	fio_guard();
	json_t *whole = ask(r, json_pack("{s:s, s:s, s:s}", "do", "blast", "vendor", "acme", "since", "2024-10-05"), DAY0 + 9);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		cut_under_us(r, rows[i].file, 0, rows[i].derived, whole);
		cut_under_us(r, rows[i].file, 100, rows[i].derived, whole);
		if (!rows[i].derived)
			cut_under_us(r, rows[i].file, 4096, rows[i].derived, whole);
	}
	json_decref(whole);
}

static void look(struct ledger *l, struct rig *r, json_t *out)
{
	static const char *const rows[] = {
		"{\"do\":\"blast\",\"vendor\":\"acme\"}", "{\"do\":\"blast\",\"vendor\":\"globex\",\"jurisdiction\":\"DE\"}",
		"{\"do\":\"blast\",\"vendor\":\"acme\",\"category\":\"user.contact\",\"count\":true}", "{\"do\":\"holdings\",\"vendor\":\"globex\"}",
		"{\"do\":\"blast\",\"vendor\":\"initech\",\"count\":true}",
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *q = json_loads(rows[i], 0, NULL), *a = json_object();
		struct err err;
		if (ledger_ask(l, q, r->subject, (DAY0 + 60) * INT64_C(86400), a, &err) < 0)
			fail_msg("%s", err.msg);
		json_array_append_new(out, a);
		json_decref(q);
	}
}

/* Bytes all over it: the answers are the same, and it is written again as it was. */
static void renewed_each_time(struct rig *r, const char *file, const json_t *whole)
{
	char path[128];
	uint8_t *p, *again;
	size_t n, again_n;
	snprintf(path, sizeof path, "%s/ledger/%s", r->dir, file);
	read_all(path, &p, &n);
	for (size_t i = 0; i < n; i += i < 160 ? 3 : 47) {
		struct ledger *l;
		struct err err;
		json_t *answers = json_array();
		p[i] ^= (uint8_t)(1 << i % 8);
		write_all(path, p, i % 5 ? n : i);
		p[i] ^= (uint8_t)(1 << i % 8);
		if (ledger_open(&r->place, &r->mark, &l, &err) < 0)
			fail_msg("%s", err.msg);
		look(l, r, answers);
		if (!json_equal(answers, whole))
			fail_msg("%s, byte %zu: other answers", file, i);
		assert_true(ledger_check(l, SIZE_MAX, &err) >= 0);
		assert_int_equal(ledger_roll_up(l, DAY0 + 60, false, &err), 1);
		assert_int_equal(ledger_roll_up(l, DAY0 + 60, false, &err), 0);
		ledger_close(&l);
		read_all(path, &again, &again_n);
		assert_int_equal(again_n, n);
		assert_memory_equal(again, p, n);
		free(again);
		json_decref(answers);
	}
	free(p);
}

static void test_a_damaged_roll_up_is_made_again(void **state)
{
	struct rig *r = *state;
	struct err err;
	json_t *plain = json_array(), *whole = json_array();
	fill(r, DAY0);
	fill(r, DAY0 + 1);
	record(r, true, 1, DAY0 + 1, (uint32_t[]){3, 12, 21}, 3, 1, NULL);
	fill(r, DAY0 + 40);
	assert_int_equal(ledger_close_days(r->l, DAY0 + 41, &err), 3);
	look(r->l, r, plain);
	assert_int_equal(ledger_roll_up(r->l, DAY0 + 60, false, &err), 5);	/* twice four days, two months, and all */
	assert_int_equal(r->l->rollups_n, 5);
	r->l->changes++;
	look(r->l, r, whole);
	assert_true(json_equal(plain, whole));
	renewed_each_time(r, "total/closed", whole);
	renewed_each_time(r, "month/2024-10", whole);
	renewed_each_time(r, "month/2024-10-04", whole);
	json_decref(plain);
	json_decref(whole);
}

/* A roll-up of other days doesn't count, however well it is made. */
static void test_a_stale_roll_up_does_not_count(void **state)
{
	struct rig *r = *state;
	struct err err;
	char path[128];
	uint8_t *old;
	size_t n;
	struct shown late = {.who = 199, .leaves = {0xff}};
	fill(r, DAY0);
	assert_int_equal(ledger_close_days(r->l, DAY0 + 1, &err), 1);
	assert_int_equal(ledger_roll_up(r->l, DAY0 + 1, false, &err), 1);
	snprintf(path, sizeof path, "%s/ledger/total/closed", r->dir);
	read_all(path, &old, &n);
	expose(r, 77, 0, 0, DAY0 + 1, &late, 1);
	catch_up(r);
	assert_int_equal(ledger_close_days(r->l, DAY0 + 2, &err), 1);
	json_t *before = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), DAY0 + 2);
	assert_int_equal(ledger_roll_up(r->l, DAY0 + 2, false, &err), 1);
	expose(r, 78, 0, 0, DAY0, &late, 1);	/* and for a day that it holds already */
	catch_up(r);
	assert_int_equal(ledger_close_days(r->l, DAY0 + 2, &err), 1);
	json_t *after = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), DAY0 + 2);
	rig_close(r);
	write_all(path, old, n);
	rig_open(r);
	json_t *again = ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), DAY0 + 2);
	assert_true(json_equal(after, again));
	assert_int_equal(json_integer_value(json_object_get(before, "events")) + 1, json_integer_value(json_object_get(after, "events")));
	assert_int_equal(ledger_roll_up(r->l, DAY0 + 2, false, &err), 1);
	rig_close(r);
	free(old);
	read_all(path, &old, &n);	/* of the same days by name, but not by content */
	assert_int_equal(get_u32(old + 12), 3);
	old[48 + 16] ^= 1;
	put_u32(old + 44, crc32c(crc32c(0, old, 44), old + 48, 3 * 48));
	write_all(path, old, n);
	rig_open(r);
	assert_int_equal(ledger_roll_up(r->l, DAY0 + 2, false, &err), 1);
	json_decref(before);
	json_decref(after);
	json_decref(again);
	free(old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_clear)
		T(test_verify_names_file_and_bytes),
		T(test_damage_is_named),
		T(test_a_failing_disk_keeps_the_day_open),
		T(test_a_file_that_is_cut_while_it_is_mapped),
		T(test_a_damaged_roll_up_is_made_again),
		T(test_a_stale_roll_up_does_not_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
