/* Evidence of one identifier: it says what the files say, of every set, and nothing can be left out of it or put in another's place. */
#include <stdlib.h>
#include <string.h>

#include "ledger/ledger_rig.h"

enum { MANY = 70000, STEP = 1000 };	/* more than one chunk */

struct truth {
	char *list;	/* "exposure acme;..." in the order of the sets */
};

static void note(void *arg, const char *what, const char *vendor)
{
	struct truth *t = arg;
	char *more = xasprintf("%s%s %s;", t->list ? t->list : "", what, vendor);
	free(t->list);
	t->list = more;
}

static void two_days(struct rig *r)
{
	struct err err;
	uint32_t who[STEP];
	for (uint32_t i = 0; i < MANY; i += STEP) {
		for (uint32_t k = 0; k < STEP; k++)
			who[k] = 1000 + i + k;
		record(r, false, 0, DAY0, who, STEP, 1 + i, "mail");
	}
	for (int64_t day = DAY0; day < DAY0 + 2; day++)
		for (uint32_t i = 0; i < 60; i++) {
			struct shown v = {.who = i * 3 % PEOPLE, .leaves = {0xff, (uint8_t)i}, .country = "DE"};
			expose(r, (uint64_t)day * 1000 + i, (int)i % VENDORS, 0, day, &v, 1);
		}
	record(r, true, 0, DAY0 + 1, (uint32_t[]){3, 1000 + MANY - 1}, 2, 900000, NULL);
	record(r, false, 1, DAY0 + 1, (uint32_t[]){1000 + MANY - 1}, 1, 900001, "phone");
	catch_up(r);
	assert_int_equal(ledger_close_days(r->l, DAY0 + 2, &err), 2);
}

static struct ledger_day_proved said(const struct part *p)
{
	struct ledger_day_proved d = {.day = 0};
	crypt_sha256(p->view.p, p->head_n, d.head);
	memcpy(d.root, part_root(p), sizeof d.root);
	return d;
}

/* What the ledger itself says of an id. */
static void look(struct rig *r, const struct part *p, uint32_t id, const char *vendor, struct truth *t)
{
	struct err err;
	for (uint32_t k = 0; k < p->sets_n; k++) {
		const char *what = prove_word(p->sets[k].combo, vendor);
		if (what && ledger_has(r->l, p, &p->sets[k], id, &err) == 1)
			note(t, what, p->sets[k].combo->name);
	}
}

static int check(const json_t *proof, const struct part *p, uint32_t id, const char *vendor, struct truth *t)
{
	struct ledger_day_proved d = said(p);
	struct err err = {0};
	free(t->list);
	t->list = NULL;
	if (ledger_check_day(proof, &d, id, vendor, note, t, &err) < 0)
		return (int)err.code;
	assert_int_equal(d.day, p->day);
	assert_int_equal(d.generation, p->generation);
	return 0;
}

/* Each container that is in it is needed. */
static void nothing_may_be_missing(const json_t *proof, const struct part *p, uint32_t id, const char *vendor)
{
	struct truth t = {0};
	for (size_t i = 0; i < json_array_size(json_object_get(proof, "containers")); i++) {
		json_t *less = json_deep_copy(proof), *list = json_object_get(less, "containers");
		json_array_remove(list, i);
		assert_int_equal(check(less, p, id, vendor, &t), ERR_CRYPTO);
		json_decref(less);
		json_t *moved = json_deep_copy(proof), *one = json_array_get(json_object_get(moved, "containers"), i);
		json_object_set_new(one, "index", json_integer(json_integer_value(json_object_get(one, "index")) + 1));
		assert_int_equal(check(moved, p, id, vendor, &t), ERR_CRYPTO);
		json_decref(moved);
	}
	/* A set that is about somebody else. */
	json_t *other = json_deep_copy(proof);
	char *head = strdup(json_string_value(json_object_get(other, "head")));
	head[140] = head[140] == 'A' ? 'B' : 'A';
	json_object_set_new(other, "head", json_string(head));
	assert_int_equal(check(other, p, id, vendor, &t), ERR_CRYPTO);
	json_decref(other);
	free(head);
	free(t.list);
}

static void test_days_say_what_they_hold(void **state)
{
	struct rig *r = *state;
	static const char *const asked[] = {NULL, "acme", "globex", "initech", "nobody"};
	size_t facts = 0;
	two_days(r);
	for (size_t i = 0; i < r->l->parts_n; i++)
		for (int n = 0; n < 60; n++) {
			const struct part *p = r->l->parts[i];
			uint32_t id = n < 20 ? (uint32_t)n : n < 40 ? pick(r->l->dict.n) : r->l->dict.n - 1 - (uint32_t)(n - 40);
			const char *vendor = asked[n % 5];
			struct truth want = {0}, got = {0};
			struct err err;
			json_t *proof;
			assert_int_equal(ledger_prove_day(p->view.p, p->view.n, &id, 1, vendor, &proof, &err), 0);
			look(r, p, id, vendor, &want);
			assert_int_equal(check(proof, p, id, vendor, &got), 0);
			assert_string_equal(got.list ? got.list : "", want.list ? want.list : "");
			facts += want.list != NULL;
			nothing_may_be_missing(proof, p, id, vendor);
			assert_int_equal(check(proof, r->l->parts[1 - i], id, vendor, &got), ERR_CRYPTO);	/* for another day */
			json_decref(proof);
			free(want.list);
			free(got.list);
		}
	assert_true(facts > 20);
}

static void test_identifiers_have_their_numbers(void **state)
{
	struct rig *r = *state;
	struct err err;
	two_days(r);
	uint32_t n = r->l->dict.n, ids[] = {0, 63, 64, 65535, 65536, n - 1};
	uint8_t root[32], key[SUBJECT_BYTES];
	ledger_dict_root(r->l, n, root);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		uint32_t id, again;
		json_t *proof;
		assert_int_equal(ledger_prove_key(r->place.io, r->l->dict_dir, n, dict_key(&r->l->dict, ids[i]), &id, &proof, &err), 0);
		assert_int_equal(ledger_check_key(proof, n, root, key, &again, &err), 0);
		assert_true(id == ids[i] && again == id && memcmp(key, dict_key(&r->l->dict, id), sizeof key) == 0);
		json_object_set_new(proof, "id", json_integer(id ? id - 1 : 1));
		assert_int_equal(ledger_check_key(proof, n, root, key, &again, &err), -1);
		json_object_set_new(proof, "id", json_integer(id));
		json_object_set_new(proof, "subject", json_string("00000000000000000000000000000000"));
		assert_int_equal(ledger_check_key(proof, n, root, key, &again, &err), -1);
		assert_int_equal(err.code, ERR_CRYPTO);
		json_decref(proof);
		/* Not of those that were there then. */
		if (id > 0)
			assert_int_equal(ledger_prove_key(r->place.io, r->l->dict_dir, id, dict_key(&r->l->dict, id), &again, &proof, &err), -1);
	}
	assert_int_equal(ledger_prove_key(r->place.io, r->l->dict_dir, n, (const uint8_t[SUBJECT_BYTES]){1}, &ids[0], NULL, &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_make, rig_clear)
	const struct CMUnitTest tests[] = {T(test_days_say_what_they_hold), T(test_identifiers_have_their_numbers)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
