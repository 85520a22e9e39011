/* Erasure: what is left in the files, what a disk that fails leaves, and who may be erased. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/ledger_rig.h"

enum { BOB = 7, ANNA = 8, BROWSER = 150 };

/* Three days of somebody and others, with a link; the last is open.  Everything before it is rolled up. */
static void fill(struct rig *r)
{
	struct err err;
	for (int64_t day = DAY0; day < DAY0 + 3; day++) {
		for (uint32_t i = 0; i < 40; i++) {
			struct shown v = {.who = i % 20, .leaves = {0xff, (uint8_t)i}, .country = "DE"};
			expose(r, (uint64_t)(day - DAY0) * 100 + i + 1, (int)i % VENDORS, 0, day, &v, 1);
		}
		link_people(r, (uint64_t)(day - DAY0) * 100 + 99, 0, 0, day, (const uint8_t[8]){3}, (const uint32_t[]){BOB, BROWSER}, 2, 1);
		catch_up(r);
		if (day < DAY0 + 2)
			assert_true(ledger_close_days(r->l, day + 1, &err) >= 0 && ledger_roll_up(r->l, day + 1, false, &err) >= 0);
	}
}

struct search {
	const uint8_t *key;
	size_t found;
};

static void search_file(struct search *s, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	uint8_t *p = malloc((size_t)st.st_size + 1), *at = p;
	size_t found_here = 0;
	assert_int_equal(read(fd, p, (size_t)st.st_size), st.st_size);
	close(fd);
	/* The erasure itself says whose it was: in its frame, and in the file of its day. */
	bool may = strstr(path, "/open/") || strstr(path, "/day/2024-10-06.2");
	while ((at = memmem(at, (size_t)(p + st.st_size - at), s->key, SUBJECT_BYTES))) {
		if (!may || found_here++)
			fail_msg("the key stands in %s", path);
		s->found++;
		at++;
	}
	free(p);
}

static size_t search(const struct rig *r, const uint8_t *key)
{
	static const char *const dirs[] = {"dict", "open", "day", "month", "total"};
	struct search s = {.key = key};
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		char path[600];
		snprintf(path, sizeof path, "%s/ledger/%s", r->dir, dirs[i]);
		DIR *d = opendir(path);
		for (struct dirent *e; (e = readdir(d));) {
			snprintf(path, sizeof path, "%s/ledger/%s/%s", r->dir, dirs[i], e->d_name);
			if (e->d_name[0] != '.')
				search_file(&s, path);
		}
		closedir(d);
	}
	return s.found;
}

/* Closed days and roll-ups say nothing of the id. */
static void no_part_has(struct rig *r, uint32_t id)
{
	struct bits ids = {0};
	struct err err;
	bits_set(&ids, id);
	for (size_t i = 0; i < r->l->parts_n; i++)
		assert_int_equal(part_touches(r->l->parts[i], &ids, &err), 0);
	for (size_t i = 0; i < r->l->rollups_n; i++) {
		assert_int_equal(part_touches(&r->l->rollups[i]->live, &ids, &err), 0);
		assert_int_equal(part_touches(&r->l->rollups[i]->before, &ids, &err), 0);
	}
	bits_release(&ids);
}

static json_t *subject(struct rig *r, uint32_t who)
{
	char id[24];
	person_id(who, id);
	return ask(r, json_pack("{s:s, s:s}", "do", "subject", "id", id), DAY0 + 3);
}

static json_t *blast(struct rig *r)
{
	return ask(r, json_pack("{s:s, s:s}", "do", "blast", "vendor", "acme"), DAY0 + 3);
}

static void ignore(void *arg, const struct ledger_damage *d)
{
	(void)arg;
	print_message("%s: %s\n", d->file, d->why);
}

static void is_gone(struct rig *r, const uint32_t ids[static 2], const uint8_t keys[static 2][SUBJECT_BYTES])
{
	struct ledger_verified out;
	struct err err;
	for (int i = 0; i < 2; i++) {
		no_part_has(r, ids[i]);
		assert_true(search(r, keys[i]) > 0);
	}
	assert_int_equal(ledger_verify(&r->place, 0, ignore, NULL, &out, &err), 0);
	assert_int_equal(out.damages, 0);
	json_t *a = subject(r, BOB);
	assert_true(json_is_false(json_object_get(a, "found")) && json_is_true(json_object_get(a, "erased")));
	assert_int_equal(json_array_size(json_object_get(a, "vendors")), 0);
	json_decref(a);
}

static void test_nothing_of_an_erased_person_is_left(void **state)
{
	struct rig *r = *state;
	struct err err;
	uint32_t ids[2];
	uint8_t keys[2][SUBJECT_BYTES];
	json_t *answer;
	fill(r);
	person_key(r, BOB, keys[0]);
	person_key(r, BROWSER, keys[1]);
	for (int i = 0; i < 2; i++)
		assert_true(dict_find(&r->l->dict, keys[i], &ids[i]));
	json_t *before = blast(r), *anna = subject(r, ANNA);
	char stray[96];
	snprintf(stray, sizeof stray, "%s/ledger/day/2024-10-04.new", r->dir);	/* a crash's */
	close(open(stray, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(erase(r, BOB, DAY0 + 2, 1, false, true, &answer), ERR_DENIED);
	json_decref(answer);
	assert_int_equal(erase(r, BOB, DAY0 + 2, 1, true, true, &answer), 0);
	assert_int_equal(json_integer_value(json_object_get(answer, "identifiers")), 2);
	assert_true(json_is_true(json_object_get(answer, "forced")));
	json_decref(answer);
	assert_int_equal(access(stray, F_OK), -1);
	is_gone(r, ids, keys);
	for (int round = 0; round < 3; round++) {	/* not by a restart, a rebuild, the day's end */
		json_t *after = blast(r), *her = subject(r, ANNA);
		assert_int_equal(json_integer_value(json_object_get(after, "people")), json_integer_value(json_object_get(before, "people")) - 1);
		assert_int_equal(json_integer_value(json_object_get(after, "events")), json_integer_value(json_object_get(before, "events")));
		assert_int_equal(json_integer_value(json_object_get(after, "erased")), 1);
		assert_true(json_equal(anna, her));
		json_decref(after);
		json_decref(her);
		rig_close(r);
		rig_open(r);
		assert_true(ledger_roll_up(r->l, DAY0 + 3, true, &err) > 0);
		if (round)
			assert_true(ledger_close_days(r->l, DAY0 + 3, &err) >= 0);
		is_gone(r, ids, keys);
	}
	assert_int_equal(erase(r, BOB, DAY0 + 3, 1, true, true, &answer), 0);	/* sent again */
	assert_int_equal(json_integer_value(json_object_get(answer, "identifiers")), 2);
	json_decref(answer);
	assert_int_equal(erase(r, BOB, DAY0 + 3, 2, true, true, &answer), ERR_NOTFOUND);
	json_decref(answer);
	struct shown again = {.who = BOB, .leaves = {1}};	/* what comes of him now is a history of its own */
	expose(r, 999, 1, 0, DAY0 + 3, &again, 1);
	catch_up(r);
	json_t *his = subject(r, BOB);
	assert_int_equal(json_array_size(json_object_get(his, "vendors")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(his, "vendors"), 0), "days")), 1);
	assert_true(json_is_true(json_object_get(his, "erased")) && json_array_size(json_object_get(his, "linked")) == 0);
	no_part_has(r, ids[0]);
	json_decref(his);
	json_decref(before);
	json_decref(anna);
}

static void test_attested_people_are_erased_without_force(void **state)
{
	struct rig *r = *state;
	json_t *answer;
	fill(r);
	for (int v = 0; v < VENDORS; v++)
		record(r, true, v, DAY0 + 2, (const uint32_t[]){ANNA}, 1, 50 + (uint32_t)v, NULL);
	catch_up(r);
	assert_int_equal(decide(r, "subject-restrict", ANNA, DAY0 + 2, 60, &answer), 0);
	json_decref(answer);
	json_t *a = subject(r, ANNA);
	assert_true(json_is_true(json_object_get(a, "restricted")));
	json_decref(a);
	assert_int_equal(erase(r, ANNA, DAY0 + 2, 61, false, true, &answer), 0);
	assert_true(json_is_false(json_object_get(answer, "forced")));
	json_decref(answer);
	a = blast(r);
	assert_int_equal(json_integer_value(json_object_get(a, "erased_unattested")), 0);
	assert_int_equal(json_integer_value(json_object_get(a, "attested_deleted")), 0);
	json_decref(a);
}

/* Whatever call fails: nothing is answered, or all of it is done; and later it is. */
static void test_a_failing_disk_only_delays_it(void **state)
{
	uint64_t failures = 0;
	bool done = false;
	(void)state;
	while (!done) {
		void *s;
		assert_int_equal(rig_make(&s), 0);
		struct rig *r = s;
		struct err err;
		uint32_t ids[2];
		uint8_t keys[2][SUBJECT_BYTES];
		json_t *answer, *q = json_pack("{s:s, s:s}", "do", "subject", "id", "person-7"), *a = json_object();
		fill(r);
		person_key(r, BOB, keys[0]);
		person_key(r, BROWSER, keys[1]);
		for (int i = 0; i < 2; i++)
			assert_true(dict_find(&r->l->dict, keys[i], &ids[i]));
		assert_int_equal(erase(r, BOB, DAY0 + 2, 1, true, false, &answer), 0);
		json_decref(answer);
		calls = 0;
		fail_at = ++failures;
		done = ledger_finish_erasing(r->l, &err) == 0;
		fail_at = 0;
		if (!done && failures % 2) {
			rig_close(r);
			rig_open(r);
			assert_true(ledger_erasing(r->l));
		}
		if (ledger_ask(r->l, q, r->subject, (DAY0 + 3) * 86400, a, &err) < 0)	/* it finishes first */
			fail_msg("%s", err.msg);
		assert_true(json_is_false(json_object_get(a, "found")));
		assert_int_equal(log_release(r->w, ledger_passed(r->l), &err), 0);
		is_gone(r, ids, keys);
		json_decref(q);
		json_decref(a);
		rig_clear(&s);
	}
	assert_true(failures > 10);
}

/* Random bytes in the place of a key: every checksum over a dictionary stays what it was. */
static void test_a_key_is_replaced_under_its_checksum(void **state)
{
	struct rig *r = *state;
	struct err err;
	struct dict d = {0}, again = {0};
	const struct dict_claim claim[2] = {{.n = 100, .who = "a"}, {.n = 1000, .who = "b"}};
	struct dict_claim good[2];
	uint8_t key[SUBJECT_BYTES], old[1000][SUBJECT_BYTES];
	struct leaving gone[1000];
	uint32_t id;
	for (uint32_t i = 0; i < 1000; i++) {
		crypt_random(old[i], SUBJECT_BYTES);
		assert_int_equal(dict_add(&d, old[i]), i);
		if (i == 99 || i == 999)
			assert_int_equal(dict_sync(&d, r->place.io, r->l->dict_dir, &err), 0);
		if (i == 99 || i == 999) {
			good[i / 999] = claim[i / 999];
			good[i / 999].crc = d.crc;
		}
	}
	for (uint32_t i = 0; i < 1000; i++) {
		if (i % 3)
			dict_unlink(&d, old[i], i);
		assert_int_equal(dict_find(&d, old[i], &id), i % 3 == 0);
	}
	size_t n = 0;
	for (uint32_t i = 0; i < 1000; i++)
		if (i % 3)
			memcpy(gone[n].key, old[i], SUBJECT_BYTES), gone[n++].id = i;
	assert_int_equal(dict_forget(&d, r->place.io, r->l->dict_dir, gone, n, &err), 0);
	uint8_t root[32], root_again[32];
	assert_int_equal(ledger_keys_root(r->place.io, r->l->dict_dir, 1000, root, &err), 0);
	assert_int_equal(dict_forget(&d, r->place.io, r->l->dict_dir, gone, n, &err), 0);	/* behind a restart */
	assert_int_equal(ledger_keys_root(r->place.io, r->l->dict_dir, 1000, root_again, &err), 0);
	assert_memory_equal(root, root_again, sizeof root);
	if (dict_load(&again, r->place.io, r->l->dict_dir, good, 2, &err) < 0)
		fail_msg("%s", err.msg);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(memcmp(dict_key(&again, i), old[i], SUBJECT_BYTES) == 0, i % 3 == 0);
		assert_int_equal(dict_find(&again, old[i], &id), i % 3 == 0);
	}
	memcpy(key, old[1], sizeof key);
	assert_int_equal(dict_add(&d, key), 1000);
	dict_release(&d);
	dict_release(&again);
	struct stat st;
	assert_int_equal(fstatat(r->l->dict_dir, "keys", &st, 0), 0);
	assert_int_equal(unlinkat(r->l->dict_dir, "keys", 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_clear)
		T(test_nothing_of_an_erased_person_is_left),
		T(test_attested_people_are_erased_without_force),
		cmocka_unit_test(test_a_failing_disk_only_delays_it),
		T(test_a_key_is_replaced_under_its_checksum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
