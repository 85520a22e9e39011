/* keeper: what was recorded is in the transparency log once, behind restarts, lost answers and crashes between two steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "keeper/notary.h"

enum { DAY = 86400 };

struct place {
	char dir[64];
	int ledger, open, tlog, log, plans;
	struct log_mark gate_mark;
	struct keeper_mark passed;
	struct copier *copier;
	struct ledger *l;
	struct notary *n;
	struct pseudo *subject;
	uint8_t pk[32], sk[64];
};

static int make_dir(const struct place *p, const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", p->dir, name);
	mkdir(path, 0700);
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	return fd;
}

static int open_notary(struct place *p, struct err *err)
{
	struct notary_place at = {.io = &fio_os, .tlog = p->tlog, .open = p->open, .mark = copier_mark(p->copier), .secret = p->sk};
	memcpy(at.public_key, p->pk, 32);
	return notary_open(&at, &p->n, err);
}

static void start(struct place *p)
{
	struct err err;
	struct ledger_place at = {.io = &fio_os, .dir = p->ledger, .plans = p->plans};
	memcpy(at.public_key, p->pk, 32);
	assert_int_equal(copier_open(&fio_os, p->log, &p->gate_mark, p->open, &p->passed, &p->copier, &err), 0);
	if (open_notary(p, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(ledger_open(&at, copier_mark(p->copier), &p->l, &err), 0);
}

static void stop(struct place *p)
{
	notary_close(&p->n);
	ledger_close(&p->l);
	copier_close(&p->copier);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	struct err err;
	uint8_t key[32] = {1};
	snprintf(p->dir, sizeof p->dir, "/tmp/weir-notary-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(crypt_init(&err), 0);
	sign_keypair(p->pk, p->sk);
	p->subject = pseudo_new(key, 0);
	p->ledger = make_dir(p, "ledger");
	p->open = make_dir(p, "ledger/open");
	p->tlog = make_dir(p, "tlog");
	p->log = make_dir(p, "log");
	p->plans = make_dir(p, "plan");
	start(p);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	char command[100];
	stop(p);
	int fds[] = {p->ledger, p->open, p->tlog, p->log, p->plans};
	for (size_t i = 0; i < 5; i++)
		close(fds[i]);
	pseudo_free(&p->subject);
	snprintf(command, sizeof command, "rm -rf %s", p->dir);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

/* A record for one person on a day. */
static void record(struct place *p, int i, int64_t now)
{
	struct err err;
	struct buf body;
	char id[33], who[24];
	snprintf(id, sizeof id, "%032x", i);
	snprintf(who, sizeof who, "person%d", i);
	json_t *request = json_pack("{s:s, s:s, s:[s], s:[{s:s}], s:s}", "do", "ledger-record", "vendor", "acme", "ids", who, "fields", "path", "name",
				    "record", id);
	buf_init(&body, 0);
	if (ledger_record(request, p->subject, "ann", now, &body, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(copier_record(p->copier, body.data, body.len, &err), 0);
	assert_true(ledger_catch_up(p->l, SIZE_MAX, &err) >= 0);
	buf_release(&body);
	json_decref(request);
}

static int batch(struct place *p)
{
	struct err err;
	int n = notary_batch(p->n, 1000, &err);
	if (n < 0)
		fail_msg("%s", err.msg);
	return n;
}

static char *leaf(struct place *p, uint64_t index)
{
	struct err err;
	struct buf b;
	buf_init(&b, 0);
	if (tlog_entry(notary_log(p->n), index, &b, &err) < 0)
		fail_msg("%s", err.msg);
	char *s = xstrndup((char *)b.data, b.len);
	buf_release(&b);
	return s;
}

static void frames_are_batched_once(void **state)
{
	struct place *p = *state;
	assert_int_equal(batch(p), 0);
	record(p, 1, DAY);
	record(p, 2, DAY);
	assert_int_equal(batch(p), 1);
	assert_int_equal(batch(p), 0);
	record(p, 3, DAY);
	stop(p);	/* before it has a leaf */
	start(p);
	assert_int_equal(batch(p), 1);
	stop(p);
	start(p);
	assert_int_equal(batch(p), 0);
	assert_int_equal(notary_size(p->n), 2);
	char *one = leaf(p, 0), *two = leaf(p, 1);
	assert_non_null(strstr(one, "{\"weir\":\"batch\",\"at\":1000,\"from\":1,\"to\":2,\"frames\":2,\"lost\":0,\"root\":\""));
	assert_non_null(strstr(two, "\"from\":3,\"to\":3,\"frames\":1,"));
	assert_null(strstr(one, "acme"));
	free(one);
	free(two);
}

static int days(struct place *p, struct err *err)
{
	return notary_days(p->n, p->l, 1000, err);
}

static void every_day_file_has_its_leaf(void **state)
{
	struct place *p = *state;
	struct err err;
	for (int i = 1; i <= 3; i++)
		record(p, i, i * (int64_t)DAY);
	assert_int_equal(days(p, &err), 0);
	assert_int_equal(ledger_close_days(p->l, 3, &err), 2);
	assert_int_equal(days(p, &err), 2);
	assert_int_equal(days(p, &err), 0);
	assert_int_equal(ledger_close_days(p->l, 4, &err), 1);
	record(p, 4, DAY);
	assert_int_equal(ledger_close_days(p->l, 4, &err), 1);	/* came late: generation 2 */
	stop(p);	/* a crash between the files and their leaves */
	start(p);
	assert_int_equal(days(p, &err), 2);
	stop(p);
	start(p);
	assert_int_equal(days(p, &err), 0);
	char *last = leaf(p, notary_size(p->n) - 1), *before = leaf(p, notary_size(p->n) - 2);
	assert_non_null(strstr(before, "\"day\":\"1970-01-02\",\"generation\":2,\"number\":3,\"days\":3,"));
	assert_non_null(strstr(last, "\"day\":\"1970-01-04\",\"generation\":1,\"number\":4,\"days\":4,"));
	free(last);
	free(before);
	stop(p);
	char path[128];
	snprintf(path, sizeof path, "%s/ledger/day/1970-01-03", p->dir);
	assert_int_equal(unlink(path), 0);
	start(p);
	assert_int_equal(days(p, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
}

static void keys_root(const struct place *p, uint32_t n, char hex[static 65])
{
	struct err err;
	uint8_t root[32];
	int dict = make_dir(p, "ledger/dict");
	if (ledger_keys_root(&fio_os, dict, n, root, &err) < 0)
		fail_msg("%s", err.msg);
	close(dict);
	hex_encode(root, sizeof root, hex);
}

static void expect_leaf(struct place *p, uint64_t index, const char *begin, const char *end)
{
	char *s = leaf(p, index);
	if (strncmp(s, begin, strlen(begin)) != 0 || !strstr(s, end))
		fail_msg("%s", s);
	free(s);
}

static void erase_one(struct place *p, const char *who, const char *id)
{
	struct err err;
	json_t *q = json_pack("{s:s, s:s, s:s, s:s, s:b}", "do", "subject-erase", "id", who, "record", id, "why", "asked", "force", 1);
	json_t *a = json_object();
	if (keeper_people(p->copier, p->l, p->subject, q, "ann", a, &err) < 0)
		fail_msg("%s", err.msg);
	json_decref(q);
	json_decref(a);
}

/* Each day says which identifiers there were; an erasure changes that, and so a leaf behind it says it anew. */
static void the_dictionary_is_in_the_log(void **state)
{
	struct place *p = *state;
	struct err err;
	char root[65], before[65], end[200];
	for (int i = 1; i <= 100; i++)
		record(p, i, DAY);
	assert_int_equal(ledger_close_days(p->l, 2, &err), 1);
	assert_int_equal(days(p, &err), 1);
	keys_root(p, 100, before);
	snprintf(end, sizeof end, "\"subjects\":100,\"dict\":\"%s\",\"sha256\":", before);
	expect_leaf(p, 0, "{\"weir\":\"day\",\"at\":1000,\"day\":\"1970-01-02\",\"generation\":1,\"number\":1,\"days\":1,\"people\":0,", end);
	erase_one(p, "person7", "0000000000000000000000000000abcd");
	keys_root(p, 100, root);
	assert_string_not_equal(root, before);
	assert_int_equal(notary_people(p->n, p->l, 1000, &err), 1);
	stop(p);	/* a crash between the decision's leaf and the others */
	start(p);
	assert_int_equal(days(p, &err), 2);	/* the day again, and the state */
	assert_int_equal(days(p, &err), 0);
	snprintf(end, sizeof end, "\"number\":1,\"days\":1,\"people\":1,");
	expect_leaf(p, 2, "{\"weir\":\"day\",\"at\":1000,\"day\":\"1970-01-02\",\"generation\":1,", end);
	snprintf(end, sizeof end, "\"subjects\":100,\"dict\":\"%s\"", root);
	expect_leaf(p, 2, "{\"weir\":\"day\",", end);
	expect_leaf(p, 3, "{\"weir\":\"state\",\"at\":1000,\"days\":1,\"people\":1,", end);
	erase_one(p, "person9", "0000000000000000000000000000dcba");
	keys_root(p, 100, root);
	assert_int_equal(notary_people(p->n, p->l, 1000, &err), 1);
	assert_int_equal(days(p, &err), 2);	/* and that of the first erasure, which says it all */
	snprintf(end, sizeof end, "\"subjects\":100,\"dict\":\"%s\"", root);
	expect_leaf(p, 5, "{\"weir\":\"day\",\"at\":1000,\"day\":\"1970-01-02\",\"generation\":1,\"number\":1,", end);
	expect_leaf(p, 6, "{\"weir\":\"day\",", end);
	assert_int_equal(notary_state(p->n, p->l, 2000, NULL, &err), 0);
	expect_leaf(p, notary_size(p->n) - 1, "{\"weir\":\"state\",\"at\":2000,\"days\":2,\"people\":2,", end);
}

static void note_root(void *arg, const struct ledger_day *d)
{
	hex_encode(d->root, 32, arg);
}

/* A leaf as it was before days had numbers: an erasure doesn't make it two days. */
static void days_that_were_logged_without_a_number(void **state)
{
	struct place *p = *state;
	struct err err;
	char root[65] = "", text[400];
	uint64_t index;
	record(p, 1, DAY);
	record(p, 2, DAY);
	assert_int_equal(ledger_close_days(p->l, 2, &err), 1);
	ledger_days(p->l, note_root, root);
	int n = snprintf(text, sizeof text, "{\"weir\":\"day\",\"at\":1,\"day\":\"1970-01-02\",\"generation\":1,\"days\":1,\"people\":0,\"bytes\":9,\"root\":\"%s\",\"sha256\":\"%s\"}",
			 root, root);
	assert_int_equal(tlog_append(notary_log(p->n), &(struct span){text, (size_t)n}, 1, &index, &err), 0);
	stop(p);
	start(p);
	assert_int_equal(days(p, &err), 0);
	erase_one(p, "person1", "0000000000000000000000000000abcd");
	assert_int_equal(notary_people(p->n, p->l, 1000, &err), 1);
	assert_int_equal(days(p, &err), 2);
	expect_leaf(p, 2, "{\"weir\":\"day\",\"at\":1000,\"day\":\"1970-01-02\",\"generation\":1,\"number\":1,\"days\":1,", "dict");
	assert_int_equal(days(p, &err), 0);
}

static json_t *event(int seq, char fill)
{
	char sha[65];
	memset(sha, fill, 64);
	sha[64] = 0;
	return json_pack("{s:i, s:i, s:s, s:s, s:i, s:s}", "seq", seq, "at", 5, "kind", "approve", "vendor", "acme", "version", 1, "sha256", sha);
}

static json_int_t told(struct place *p, int seq, char fill, int64_t taken)
{
	struct err err;
	json_t *events = json_pack("[o]", event(seq, fill)), *leaves = json_array();
	if (notary_events(p->n, events, taken, leaves, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(leaves, 0), "seq")), seq);
	json_int_t at = json_integer_value(json_object_get(json_array_get(leaves, 0), "leaf"));
	json_decref(events);
	json_decref(leaves);
	return at;
}

static void events_keep_their_place(void **state)
{
	struct place *p = *state;
	assert_int_equal(told(p, 1, 'a', -1), 0);
	record(p, 1, DAY);
	batch(p);
	assert_int_equal(told(p, 2, 'b', 0), 2);
	assert_int_equal(told(p, 1, 'a', -1), 0);	/* the answer was lost */
	stop(p);
	start(p);
	assert_int_equal(told(p, 2, 'b', 0), 2);
	assert_int_equal(told(p, 3, 'c', 2), 3);
	/* The registry was put back from a copy and says something else of number 2: that is another leaf. */
	assert_int_equal(told(p, 2, 'd', 0), 4);
	assert_int_equal(notary_size(p->n), 5);
	char *s = leaf(p, 0);
	assert_string_equal(s, "{\"weir\":\"event\",\"seq\":1,\"at\":5,\"kind\":\"approve\",\"vendor\":\"acme\",\"version\":1,\"sha256\":"
			       "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}");
	free(s);
}

static void a_shorter_log_is_noticed(void **state)
{
	struct place *p = *state;
	struct err err;
	json_t *none = json_array();
	told(p, 1, 'a', -1);
	assert_int_equal(notary_events(p->n, none, 0, none, &err), 0);
	assert_int_equal(notary_events(p->n, none, 1, none, &err), -1);
	assert_int_equal(err.code, ERR_CORRUPT);
	json_decref(none);
}

static void events_out_of_form_are_refused(void **state)
{
	struct place *p = *state;
	struct err err;
	static const struct {
		const char *member, *value;
	} rows[] = {{"kind", "a\"b"}, {"kind", "Ann Smith"}, {"vendor", "a b"}, {"sha256", "aa"}, {"kind", NULL}, {"seq", NULL}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		json_t *e = event(1, 'a'), *events = json_pack("[O]", e), *leaves = json_array();
		if (rows[i].value)
			json_object_set_new(e, rows[i].member, json_string(rows[i].value));
		else
			json_object_del(e, rows[i].member);
		assert_int_equal(notary_events(p->n, events, -1, leaves, &err), -1);
		json_decref(e);
		json_decref(events);
		json_decref(leaves);
	}
	assert_int_equal(notary_size(p->n), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {T(frames_are_batched_once), T(every_day_file_has_its_leaf), T(the_dictionary_is_in_the_log), T(days_that_were_logged_without_a_number),
					   T(events_keep_their_place),
					   T(a_shorter_log_is_noticed), T(events_out_of_form_are_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
