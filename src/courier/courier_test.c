/*
 * The courier without network: queue, outcomes and vendor over a folder in /tmp, with an adapter whose vendor answers as
 * the test says.  The last test is the property (I3): random answers, failing disks and restarts, and still every event
 * is delivered, dead or on disk.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "courier/vendor.h"
#include "log/log.h"

enum { NOW_S = 1800000000, SERIAL = 7 };

/* ---- a vendor that answers as told ------------------------------------------------------------------------------ */

static void fake_judge(unsigned route, size_t n, int status, struct span body, struct arena *a, struct judgement *out)
{
	(void)route;
	(void)n;
	*out = (struct judgement){.verdict = VERDICT_RETRY, .why = "status"};
	if (status == 200)
		out->verdict = VERDICT_DELIVERED;
	if (status == 413)
		out->verdict = VERDICT_SPLIT;
	if (status == 401)
		out->verdict = VERDICT_HOLD;
	if (status == 207) {	/* the body's bytes are the bad indices */
		out->verdict = VERDICT_PARTIAL;
		out->bad = arena_alloc(a, body.len * sizeof *out->bad);
		out->bad_len = body.len;
		for (size_t i = 0; i < body.len; i++)
			out->bad[i] = (uint32_t)body.at[i];
	}
}

static const struct adapter fake = {
	.name = "fake",
	.limits = {.batch_objects = 4, .batch_bytes = 100000},
	.ordered = {[OBJECT_PROFILE] = true},
	.judge = fake_judge,
};

static const char yaml[] =
	"weir: 1\nvendor: acme\nname: Acme\ncountry: US\nrole: processor\nservice: x\ndata_regions: [US]\n"
	"delivery: {adapter: mixpanel, upstream: https://api.example.com, credential: env:X, quota: 1GiB}\n"
	"sources:\n  - {name: web, token: env:T}\nversion: 1\nsigned: 2026-01-15\nexpires: 2027-01-15\npurpose: product-analytics\n"
	"basis: legitimate-interest\nbreach_notice: PT24H\nretention: P13M\nidentity: pseudonym\nevents: [signup]\nfields:\n  event: keep\n";

static struct plan_file plan(uint64_t serial, enum flow flow)
{
	struct diags d;
	diags_init(&d, "acme.yaml");
	struct contract *c = contract_parse(yaml, sizeof yaml - 1, &d);
	if (!c) {
		struct buf b;
		buf_init(&b, 0);
		diags_print(&d, &b);
		fail_msg("%s", (const char *)b.data);
	}
	diags_release(&d);
	c->adapter = &fake;
	struct plan_file p = {.vendor = "acme", .serial = serial, .approved = true, .flow = flow, .not_after = INT64_MAX, .contract = c};
	return p;
}

/* ---- a disk that fails at the n-th call ------------------------------------------------------------------------- */

static struct fio bad_fio;
static int64_t fail_at = -1, calls;	/* -1: never */

static bool fails(void)
{
	if (fail_at < 0 || calls++ != fail_at)
		return false;
	errno = ENOSPC;
	return true;
}

static ssize_t bad_pwrite(void *ctx, int fd, const void *p, size_t n, uint64_t off)
{
	if (fails()) {	/* half of it got there */
		(void)!fio_os.pwrite(ctx, fd, p, n / 2, off);
		errno = ENOSPC;
		return -1;
	}
	return fio_os.pwrite(ctx, fd, p, n, off);
}
static int bad_sync(void *ctx, int fd)
{
	return fails() ? -1 : fio_os.sync(ctx, fd);
}
static int bad_rename(void *ctx, int dir, const char *from, const char *to)
{
	return fails() ? -1 : fio_os.rename(ctx, dir, from, to);
}
static int bad_unlink(void *ctx, int dir, const char *path)
{
	return fails() ? -1 : fio_os.unlink(ctx, dir, path);
}
static int bad_open(void *ctx, int dir, const char *path, int flags, unsigned mode)
{
	return flags & O_CREAT && fails() ? -1 : fio_os.open(ctx, dir, path, flags, mode);
}

/* ---- a courier's worth of state --------------------------------------------------------------------------------- */

struct lab {
	char path[64];
	int queue_dir, dead_dir, own_dir;
	struct queue_keys keys;
	struct outcomes outcomes;
	struct vendor v;
	struct position *first, *last;
	uint64_t read;
	int64_t now_ms;
};

static void lab_snapshot(void *arg, struct outcome_list *l)
{
	const struct lab *x = arg;
	for (const struct position *p = x->first; p; p = p->next)
		for (uint32_t i = 0; i < p->n && p->unsettled == 0; i++)
			outcomes_keep(l, OUTCOME_DELIVERED, PLACE_LOG, p->seq, i);
	vendor_snapshot(&x->v, l);
}

static bool lab_settled(void *arg, uint64_t seq, uint32_t index)
{
	struct lab *x = arg;
	if (seq > x->outcomes.passed && !outcomes_known(&x->outcomes, PLACE_LOG, seq, index))
		outcomes_add(&x->outcomes, OUTCOME_PARKED, PLACE_LOG, seq, index);
	return outcomes_known(&x->outcomes, PLACE_QUEUE, seq, index);
}

static int sub(const char *path, const char *name)
{
	char full[128];
	snprintf(full, sizeof full, "%s/%s", path, name);
	mkdir(full, 0700);
	return open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int lab_open(struct lab *x, struct err *err)
{
	struct log_limits l = {.segment_bytes = 4096, .segment_us = 60000000};
	vendor_init(&x->v, "acme", &x->outcomes);
	x->first = x->last = NULL;
	if (outcomes_open(&x->outcomes, &bad_fio, x->own_dir, &l, lab_snapshot, x, err) < 0)
		return -1;
	if (queue_open(&x->v.queue, &bad_fio, x->queue_dir, "acme", &x->keys, lab_settled, x, err) < 0)
		return -1;
	x->v.queue_ready = true;
	x->v.queue.bundle_bytes = 4096;
	outcomes_adopt(&x->outcomes);
	x->read = x->outcomes.passed;
	return 0;
}

static void lab_close(struct lab *x)
{
	vendor_release(&x->v);
	outcomes_close(&x->outcomes);
	for (struct position *p; (p = x->first);) {
		x->first = p->next;
		free(p);
	}
	x->last = NULL;
}

static void lab_begin(struct lab *x)
{
	struct err err;
	*x = (struct lab){0};
	fail_at = -1;
	bad_fio = fio_os;
	bad_fio.pwrite = bad_pwrite;
	bad_fio.sync = bad_sync;
	bad_fio.rename = bad_rename;
	bad_fio.unlink = bad_unlink;
	bad_fio.open = bad_open;
	assert_int_equal(crypt_init(&err), 0);
	snprintf(x->path, sizeof x->path, "/tmp/weir-courier-XXXXXX");
	assert_non_null(mkdtemp(x->path));
	x->queue_dir = sub(x->path, "queue");
	x->dead_dir = sub(x->path, "dead");
	x->own_dir = sub(x->path, "own");
	seal_keypair(x->keys.public, x->keys.secret);
	assert_int_equal(lab_open(x, &err), 0);
}

static void lab_end(struct lab *x)
{
	char cmd[128];
	lab_close(x);
	close(x->queue_dir);
	close(x->dead_dir);
	close(x->own_dir);
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", x->path);
	assert_int_equal(system(cmd), 0);
}

static void lab_restart(struct lab *x)
{
	struct err err;
	lab_close(x);
	fail_at = -1;
	if (lab_open(x, &err) < 0)
		fail_msg("restart: %s", err.msg);
}

static void open_flow(struct lab *x, uint64_t serial, enum flow flow)
{
	struct plan_file p = plan(serial, flow);
	vendor_plan(&x->v, &p);
	vendor_credential(&x->v, "secret");
}

/* A frame of n events "payload SEQ.I". */
static struct item *frame(uint64_t seq, uint32_t n, enum object_kind kind, uint64_t serial)
{
	struct buf b, plain;
	struct block_head h = {.plan_serial = serial, .vendor = SPAN("acme"), .count = n, .received_us = (uint64_t)NOW_S * 1000000};
	struct block parsed;
	struct err err;
	buf_init(&b, 0);
	buf_init(&plain, 0);
	size_t began = block_begin(&b, &h);
	for (uint32_t i = 0; i < n; i++) {
		size_t before = plain.len;
		buf_addf(&plain, "{\"payload\":\"%llu.%u\"}", (unsigned long long)seq, i);
		struct block_object o = {.kind = (uint8_t)kind, .len = (uint32_t)(plain.len - before), .splice = 1};
		block_add(&b, &h, &o);
	}
	block_finish(&b, began);
	buf_reserve(&b, plain.len + AEAD_OVERHEAD);
	b.len += plain.len + AEAD_OVERHEAD;
	assert_int_equal(block_parse(b.data, b.len, &parsed, &err), 0);
	struct item *it = item_new(&parsed, seq, plain.data);
	buf_release(&b);
	buf_release(&plain);
	return it;
}

static void take(struct lab *x, struct item *it)
{
	struct position *p = xcalloc(1, sizeof *p);
	*p = (struct position){.seq = it->seq, .n = it->n, .unsettled = it->n};
	*(x->last ? &x->last->next : &x->first) = p;
	x->last = p;
	it->position = p;
	x->read = it->seq;
	for (uint32_t i = 0; i < it->n; i++)
		if (outcomes_known(&x->outcomes, PLACE_LOG, it->seq, i)) {
			item_set(it, i, EVENT_SETTLED);
			p->unsettled--;
		}
	if (it->unsettled)
		vendor_take(&x->v, it, NOW_S);
	else
		item_free(it);
}

static uint64_t passed(const struct lab *x)
{
	const struct position *p = x->first;
	while (p && p->unsettled == 0)
		p = p->next;
	return p ? p->seq - 1 : x->read;
}

/* Flush, commit, tend: what courier.c does each turn.  False when the disk failed. */
static bool settle_all(struct lab *x)
{
	struct err err;
	uint64_t at;
	x->now_ms += PARK_AGAIN_MS;
	bool good = vendor_flush(&x->v, &bad_fio, x->queue_dir, x->dead_dir, &x->keys, x->now_ms, NOW_S, &err) == 0;
	at = passed(x);
	if (outcomes_commit(&x->outcomes, at, &err) < 0)
		return false;
	for (struct position *p; (p = x->first) && p->seq <= at;) {
		x->first = p->next;
		free(p);
	}
	if (!x->first)
		x->last = NULL;
	vendor_tend(&x->v, x->now_ms, NOW_S, 600);
	return good;
}

static struct batch *pick(struct lab *x)
{
	return vendor_pick(&x->v, x->now_ms, NOW_S);
}

static void answer(struct lab *x, struct batch *b, int status)
{
	vendor_answered(&x->v, b, status, (struct span){"", 0}, 0, x->now_ms, NOW_S);
}

static uint64_t seq_of(const struct batch *b, uint32_t k)
{
	return b->refs[k].it->seq;
}

/* ---- queue ------------------------------------------------------------------------------------------------------ */

static bool all[64];

static size_t grep_files(const struct lab *x, const char *text)
{
	char cmd[256], out[32] = "";
	snprintf(cmd, sizeof cmd, "grep -r -a -l -e '%s' '%s' | wc -l", text, x->path);
	FILE *f = popen(cmd, "r");
	assert_non_null(fgets(out, sizeof out, f));
	pclose(f);
	return (size_t)atoi(out);
}

static void park_frames(struct lab *x, uint64_t from, uint64_t to, uint32_t n)
{
	struct err err;
	for (uint64_t s = from; s <= to; s++) {
		struct item *it = frame(s, n, OBJECT_EVENT, SERIAL);
		queue_append(&x->v.queue, it, all);
		item_free(it);
	}
	assert_int_equal(queue_sync(&x->v.queue, &err), 0);
}

static void test_queue_keeps_and_seals(void **state)
{
	(void)state;
	struct lab x;
	struct err err;
	lab_begin(&x);
	memset(all, 1, sizeof all);
	park_frames(&x, 1, 5, 3);
	assert_int_equal(grep_files(&x, "payload"), 0);
	lab_restart(&x);
	struct queue *q = &x.v.queue;
	assert_int_equal(q->events, 15);
	assert_int_equal(queue_load(q, q->first, &err), 0);
	uint64_t seq = 1;
	for (struct item *it = q->first->items.first; it; it = it->next, seq++) {
		char want[64];
		assert_int_equal(it->seq, seq);
		assert_int_equal(it->serial, SERIAL);
		snprintf(want, sizeof want, "{\"payload\":\"%llu.2\"}", (unsigned long long)seq);
		assert_int_equal(it->v[2].len, strlen(want));
		assert_memory_equal(it->bytes + it->v[2].off, want, strlen(want));
		assert_int_equal(it->v[2].index, 2);
	}
	assert_int_equal(seq, 6);
	lab_end(&x);
}

/* I5: what was settled can't be opened from the file any more, even with the courier's key. */
static void test_rewritten_bundle_has_only_the_rest(void **state)
{
	(void)state;
	struct lab x;
	struct err err;
	bool gone;
	lab_begin(&x);
	park_frames(&x, 1, 3, 4);
	struct queue *q = &x.v.queue;
	struct bundle *b = q->first;
	assert_int_equal(queue_load(q, b, &err), 0);
	for (struct item *it = b->items.first; it; it = it->next)
		for (uint32_t i = 0; i < it->n; i++)
			if (!(it->seq == 2 && i == 3)) {
				item_set(it, i, EVENT_SETTLED);
				queue_settled(q, it, NOW_S);
			}
	uint64_t before = b->bytes;
	assert_int_equal(queue_rewrite(q, b, &gone, &err), 0);
	assert_false(gone);
	assert_true(b->bytes < before);
	assert_int_equal(b->serials[0].events, 1);
	lab_restart(&x);
	assert_int_equal(q->events, 1);
	assert_int_equal(queue_load(q, q->first, &err), 0);
	struct item *it = q->first->items.first;
	assert_int_equal(it->seq, 2);
	assert_int_equal(it->n, 1);
	assert_int_equal(it->v[0].index, 3);
	assert_null(it->next);
	item_set(it, 0, EVENT_SETTLED);
	queue_settled(q, it, NOW_S);
	assert_int_equal(queue_rewrite(q, q->first, &gone, &err), 0);
	assert_true(gone);
	assert_null(q->first);
	lab_end(&x);
}

static void test_front_comes_first(void **state)
{
	(void)state;
	struct lab x;
	struct err err;
	lab_begin(&x);
	park_frames(&x, 10, 11, 1);
	struct item *it = frame(4, 2, OBJECT_EVENT, SERIAL);
	queue_put_front(&x.v.queue, it, all);
	assert_int_equal(queue_sync_front(&x.v.queue, &err), 0);
	item_free(it);
	lab_restart(&x);
	assert_int_equal(queue_load(&x.v.queue, x.v.queue.first, &err), 0);
	assert_int_equal(x.v.queue.first->items.first->seq, 4);
	assert_int_equal(x.v.queue.events, 4);
	lab_end(&x);
}

static void test_torn_tail_and_foreign_files(void **state)
{
	(void)state;
	struct lab x;
	char cmd[256];
	lab_begin(&x);
	park_frames(&x, 1, 2, 2);
	lab_close(&x);
	snprintf(cmd, sizeof cmd, "cd '%s/queue/acme' && f=$(ls) && truncate -s -7 $f && echo x > 00000000000000ff.log && echo y > stray", x.path);
	assert_int_equal(system(cmd), 0);
	struct err err;
	assert_int_equal(lab_open(&x, &err), 0);
	assert_int_equal(x.v.queue.events, 2);	/* the whole frame; the torn one was never acknowledged */
	park_frames(&x, 3, 3, 2);
	lab_restart(&x);
	assert_int_equal(x.v.queue.events, 4);
	lab_end(&x);
}

/* Whatever call fails: what queue_sync said is parked is there after a restart. */
static void test_park_under_failures(void **state)
{
	(void)state;
	for (int64_t n = 0; n < 40; n++) {
		struct lab x;
		struct err err;
		uint64_t acked = 0;
		lab_begin(&x);
		calls = 0;
		fail_at = n;
		for (uint64_t s = 1; s <= 8; s++) {
			struct item *it = frame(s, 60, OBJECT_EVENT, SERIAL);
			queue_append(&x.v.queue, it, all);
			item_free(it);
			acked += queue_sync(&x.v.queue, &err) == 0 ? 60 : 0;
		}
		assert_true(x.v.queue.events == acked);
		lab_restart(&x);
		assert_true(x.v.queue.events >= acked);
		lab_end(&x);
	}
}

/* ---- outcomes --------------------------------------------------------------------------------------------------- */

static void test_outcomes_give_the_position(void **state)
{
	(void)state;
	struct lab x;
	struct err err;
	lab_begin(&x);
	outcomes_add(&x.outcomes, OUTCOME_DELIVERED, PLACE_LOG, 9, 4);
	outcomes_add(&x.outcomes, OUTCOME_DELIVERED, PLACE_LOG, 9, 5);
	outcomes_add(&x.outcomes, OUTCOME_DEAD, PLACE_LOG, 9, 7);
	outcomes_add(&x.outcomes, OUTCOME_PARKED, PLACE_LOG, 3, 0);
	assert_int_equal(x.outcomes.pending.n, 3);
	assert_int_equal(outcomes_commit(&x.outcomes, 5, &err), 0);
	lab_restart(&x);
	assert_int_equal(x.outcomes.passed, 5);
	assert_true(outcomes_known(&x.outcomes, PLACE_LOG, 9, 5));
	assert_false(outcomes_known(&x.outcomes, PLACE_LOG, 9, 6));
	assert_true(outcomes_known(&x.outcomes, PLACE_LOG, 9, 7));
	assert_false(outcomes_known(&x.outcomes, PLACE_QUEUE, 9, 7));
	assert_false(outcomes_known(&x.outcomes, PLACE_LOG, 3, 0));	/* passed */
	lab_end(&x);
}

static size_t files_in(const struct lab *x, const char *name)
{
	char cmd[128], out[32] = "";
	snprintf(cmd, sizeof cmd, "ls '%s/%s' | wc -l", x->path, name);
	FILE *f = popen(cmd, "r");
	assert_non_null(fgets(out, sizeof out, f));
	pclose(f);
	return (size_t)atoi(out);
}

/* Rolls many times; old segments go and nothing that matters is forgotten. */
static void test_outcomes_stay_small(void **state)
{
	(void)state;
	struct lab x;
	struct err err;
	lab_begin(&x);
	outcomes_add(&x.outcomes, OUTCOME_DELIVERED, PLACE_LOG, 900, 3);
	assert_int_equal(outcomes_commit(&x.outcomes, 1, &err), 0);
	lab_restart(&x);	/* from here on 900.3 is known from before */
	for (uint64_t s = 2; s < 800; s++) {
		outcomes_add(&x.outcomes, OUTCOME_DELIVERED, PLACE_LOG, s, 0);
		assert_int_equal(outcomes_commit(&x.outcomes, s, &err), 0);
	}
	assert_true(files_in(&x, "own") <= 3);
	lab_restart(&x);
	assert_int_equal(x.outcomes.passed, 799);
	assert_true(outcomes_known(&x.outcomes, PLACE_LOG, 900, 3));
	lab_end(&x);
}

static void test_failed_commit_stays_pending(void **state)
{
	(void)state;
	for (int64_t n = 0; n < 12; n++) {
		struct lab x;
		struct err err;
		lab_begin(&x);
		outcomes_add(&x.outcomes, OUTCOME_DELIVERED, PLACE_LOG, 9, 4);
		calls = 0;
		fail_at = n;
		if (outcomes_commit(&x.outcomes, 2, &err) < 0) {
			assert_int_equal(x.outcomes.passed, 0);
			assert_int_equal(x.outcomes.pending.n, 1);
			fail_at = -1;
			assert_int_equal(outcomes_commit(&x.outcomes, 2, &err), 0);
		}
		lab_restart(&x);
		assert_int_equal(x.outcomes.passed, 2);
		assert_true(outcomes_known(&x.outcomes, PLACE_LOG, 9, 4));
		lab_end(&x);
	}
}

/* ---- vendor ----------------------------------------------------------------------------------------------------- */

static void test_merges_up_to_the_limit(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	for (uint64_t s = 1; s <= 6; s++)
		take(&x, frame(s, 1, OBJECT_EVENT, SERIAL));
	struct batch *a = pick(&x), *b = pick(&x);
	assert_int_equal(a->n, 4);
	assert_int_equal(b->n, 2);
	assert_null(pick(&x));
	answer(&x, b, 200);
	assert_int_equal(passed(&x), 0);	/* the first four are still out */
	answer(&x, a, 200);
	assert_int_equal(passed(&x), 6);
	assert_true(settle_all(&x));
	assert_int_equal(x.v.counts.delivered, 6);
	assert_int_equal(x.v.queue.events, 0);
	lab_end(&x);
}

static void test_split_to_the_refused_single(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	take(&x, frame(1, 4, OBJECT_EVENT, SERIAL));
	for (struct batch *b; (b = pick(&x));) {
		bool bad = false;
		for (uint32_t k = 0; k < b->n; k++)
			bad |= b->refs[k].i == 2;
		answer(&x, b, bad ? 413 : 200);
	}
	assert_int_equal(passed(&x), 0);	/* not before it lies in dead/ */
	assert_true(settle_all(&x));
	assert_int_equal(passed(&x), 1);
	assert_int_equal(x.v.counts.delivered, 3);
	assert_int_equal(x.v.counts.dead, 1);
	assert_int_equal(x.v.dead.events, 1);
	lab_end(&x);
}

static void test_partial_kills_only_the_named(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	take(&x, frame(1, 4, OBJECT_EVENT, SERIAL));
	vendor_answered(&x.v, pick(&x), 207, (struct span){"\1\3", 2}, 0, x.now_ms, NOW_S);
	assert_true(settle_all(&x));
	assert_int_equal(x.v.counts.delivered, 2);
	assert_int_equal(x.v.counts.dead, 2);
	lab_end(&x);
}

static void test_retry_parks_and_backs_off(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	take(&x, frame(1, 2, OBJECT_EVENT, SERIAL));
	answer(&x, pick(&x), 503);
	assert_null(pick(&x));
	take(&x, frame(2, 2, OBJECT_EVENT, SERIAL));	/* behind the first */
	assert_true(settle_all(&x));
	assert_int_equal(passed(&x), 2);
	assert_int_equal(x.v.queue.events, 4);
	assert_int_equal(x.v.counts.parked, 4);
	lab_restart(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	assert_true(settle_all(&x));
	struct batch *b = pick(&x);
	assert_int_equal(b->n, 4);
	assert_int_equal(seq_of(b, 0), 1);
	vendor_answered(&x.v, b, 429, (struct span){"", 0}, 30, x.now_ms, NOW_S);
	assert_true(x.v.next_try_ms >= x.now_ms + 30000);	/* Retry-After */
	x.now_ms += 29000;
	assert_null(pick(&x));
	x.now_ms += 2000;
	answer(&x, pick(&x), 200);
	assert_true(settle_all(&x));
	assert_int_equal(x.v.queue.events, 0);
	assert_null(x.v.queue.first);
	lab_end(&x);
}

static void test_back_off_grows(void **state)
{
	(void)state;
	struct lab x;
	int64_t least = 0;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	take(&x, frame(1, 1, OBJECT_EVENT, SERIAL));
	for (int i = 0; i < 20; i++) {
		struct batch *b = pick(&x);
		assert_non_null(b);
		assert_null(pick(&x));	/* one at a time while it fails */
		answer(&x, b, 0);
		int64_t delay = x.v.next_try_ms - x.now_ms;
		assert_true(delay >= least && delay <= BACKOFF_MAX_MS);
		least = BACKOFF_MS / 2ll << i;
		least = least < BACKOFF_MAX_MS / 2 ? least : BACKOFF_MAX_MS / 2;
		assert_true(settle_all(&x));
		x.now_ms = x.v.next_try_ms;
		assert_true(settle_all(&x));
	}
	lab_end(&x);
}

static void test_ordered_one_in_flight(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	for (uint64_t s = 1; s <= 6; s++)
		take(&x, frame(s, 1, OBJECT_PROFILE, SERIAL));
	take(&x, frame(7, 1, OBJECT_EVENT, SERIAL));
	struct batch *p = pick(&x), *e = pick(&x);
	assert_int_equal(p->n, 4);
	assert_true(p->ordered);
	assert_false(e->ordered);
	assert_null(pick(&x));
	answer(&x, e, 200);
	/* It fails, and those behind it must not overtake it on their way through the queue. */
	take(&x, frame(8, 1, OBJECT_PROFILE, SERIAL));
	answer(&x, p, 503);
	take(&x, frame(9, 1, OBJECT_PROFILE, SERIAL));
	assert_true(settle_all(&x));
	lab_restart(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	assert_true(settle_all(&x));
	uint64_t want = 1;
	for (struct batch *b; (b = pick(&x));) {
		for (uint32_t k = 0; k < b->n; k++) {
			if (want == 7)
				want++;
			assert_int_equal(seq_of(b, k), want++);
		}
		answer(&x, b, 200);
	}
	assert_int_equal(want, 10);
	lab_end(&x);
}

static void test_hold_waits_for_a_change(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	take(&x, frame(1, 3, OBJECT_EVENT, SERIAL));
	answer(&x, pick(&x), 401);
	assert_true(settle_all(&x));
	assert_string_equal(vendor_held(&x.v, NOW_S), "status");
	assert_int_equal(x.v.queue.events, 3);
	x.now_ms += HOLD_MS / 2;
	assert_true(settle_all(&x));
	assert_null(pick(&x));
	vendor_credential(&x.v, "another");
	assert_true(settle_all(&x));
	answer(&x, pick(&x), 200);
	assert_true(settle_all(&x));
	assert_null(vendor_held(&x.v, NOW_S));
	lab_end(&x);
}

static void test_only_what_the_plan_sends(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_SUSPENDED);
	take(&x, frame(1, 2, OBJECT_EVENT, SERIAL));
	take(&x, frame(2, 2, OBJECT_EVENT, SERIAL));
	assert_true(settle_all(&x));
	assert_null(pick(&x));
	assert_int_equal(x.v.queue.events, 4);
	assert_string_equal(vendor_held(&x.v, NOW_S), "suspended");
	/* A narrower version: the queued ones wait, later ones pass by. */
	open_flow(&x, SERIAL + 1, FLOW_OPEN);
	assert_true(settle_all(&x));
	assert_true(settle_all(&x));
	assert_null(pick(&x));
	assert_string_equal(vendor_held(&x.v, NOW_S), "version");
	take(&x, frame(3, 1, OBJECT_EVENT, SERIAL + 1));
	struct batch *b = pick(&x);
	assert_int_equal(b->n, 1);
	answer(&x, b, 200);
	assert_true(settle_all(&x));
	assert_int_equal(x.v.queue.events, 4);
	/* A person lets the first frame go. */
	struct plan_file p = plan(SERIAL + 2, FLOW_OPEN);
	p.sends = xcalloc(1, sizeof *p.sends);
	p.sends[0] = SERIAL + 1;
	p.sends_len = 1;
	p.drains = xcalloc(1, sizeof *p.drains);
	p.drains[0] = (struct plan_drain){SERIAL, 1, 1};
	p.drains_len = 1;
	vendor_plan(&x.v, &p);
	assert_true(settle_all(&x));
	b = pick(&x);
	assert_int_equal(b->n, 2);
	assert_int_equal(seq_of(b, 0), 1);
	assert_null(pick(&x));
	answer(&x, b, 200);
	assert_true(settle_all(&x));
	assert_int_equal(x.v.queue.events, 2);
	/* Past its end nothing goes, whatever the plan says. */
	p = plan(SERIAL, FLOW_OPEN);
	p.not_after = NOW_S;
	vendor_plan(&x.v, &p);
	assert_true(settle_all(&x));
	assert_null(pick(&x));
	assert_string_equal(vendor_held(&x.v, NOW_S), "expired");
	assert_null(vendor_closed(&x.v, NOW_S - 1));
	lab_end(&x);
}

static void test_no_plan_no_credential_no_cleartext(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	assert_string_equal(vendor_closed(&x.v, NOW_S), "no-plan");
	struct plan_file p = plan(SERIAL, FLOW_OPEN);
	vendor_plan(&x.v, &p);
	assert_string_equal(vendor_closed(&x.v, NOW_S), "no-credential");
	vendor_credential(&x.v, "secret");
	assert_null(vendor_closed(&x.v, NOW_S));
	static const struct {
		const char *upstream;
		bool good;
	} rows[] = {
		{"http://api.example.com", false}, {"http://127.0.0.1:80", true}, {"http://localhost/x", true}, {"http://[::1]:1", true},
		{"http://127.0.0.1.evil.example", false}, {"http://localhost.example", false}, {"ftp://127.0.0.1", false},
		{"https://api.example.com", true}, {"http://127.0.0.1@evil.example", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		p = plan(SERIAL, FLOW_OPEN);
		p.contract->upstream = (struct span){rows[i].upstream, strlen(rows[i].upstream)};
		vendor_plan(&x.v, &p);
		if ((vendor_closed(&x.v, NOW_S) == NULL) != rows[i].good)
			fail_msg("%s", rows[i].upstream);
	}
	lab_end(&x);
}

static void test_full_window_parks(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	x.v.plan.contract->quota_bytes = 64 << 10;	/* a window of 16 KiB */
	for (uint64_t s = 1; s <= 60; s++)
		take(&x, frame(s, 60, OBJECT_EVENT, SERIAL));
	assert_true(x.v.fresh_bytes <= 16 << 10);
	assert_non_null(x.v.late.first);
	assert_true(settle_all(&x));
	assert_null(x.v.late.first);
	assert_true(x.v.queue.events > 1000);
	lab_end(&x);
}

static void test_drop(void **state)
{
	(void)state;
	struct lab x;
	struct err err;
	uint64_t n;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_SUSPENDED);
	for (uint64_t s = 1; s <= 5; s++)
		take(&x, frame(s, 2, OBJECT_EVENT, s == 4 ? SERIAL - 1 : SERIAL));
	assert_true(settle_all(&x));
	assert_int_equal(vendor_drop(&x.v, &(struct vendor_range){SERIAL, 2, 4}, NOW_S, &n, &err), 0);
	assert_int_equal(n, 4);
	assert_true(settle_all(&x));
	lab_restart(&x);
	assert_int_equal(x.v.queue.events, 6);
	assert_int_equal(vendor_drop(&x.v, &(struct vendor_range){0, 1, UINT64_MAX}, NOW_S, &n, &err), 0);
	assert_int_equal(n, 6);
	assert_null(x.v.queue.first);
	lab_end(&x);
}

static void test_taken_back_comes_again(void **state)
{
	(void)state;
	struct lab x;
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	take(&x, frame(1, 2, OBJECT_EVENT, SERIAL));
	vendor_taken_back(&x.v, pick(&x));
	assert_true(settle_all(&x));
	assert_int_equal(x.v.queue.events, 2);
	struct batch *b = pick(&x);
	assert_int_equal(b->n, 2);
	answer(&x, b, 200);
	assert_true(settle_all(&x));
	assert_int_equal(x.v.queue.events, 0);
	lab_end(&x);
}

/* ---- the property ----------------------------------------------------------------------------------------------- */

enum { FRAMES = 60, PER_FRAME = 5 };

static unsigned dice(unsigned n)
{
	return (unsigned)rand() % n;
}

struct fates {
	unsigned delivered[FRAMES + 1][PER_FRAME], refused[FRAMES + 1][PER_FRAME];
};

static void note_answer(struct fates *f, const struct batch *b, int status)
{
	for (uint32_t k = 0; k < b->n; k++) {
		const struct item *it = b->refs[k].it;
		uint32_t index = it->v[b->refs[k].i].index;
		if (status == 200)
			f->delivered[it->seq][index]++;
		if (status == 413 && b->n == 1)
			f->refused[it->seq][index]++;
	}
}

static void storm(unsigned seed)
{
	static const int answers[] = {200, 200, 200, 503, 413, 401, 0};
	struct lab x;
	struct fates f = {0};
	struct batch *out[FLIGHTS_MAX + 1];
	size_t n = 0;
	srand(seed);
	lab_begin(&x);
	open_flow(&x, SERIAL, FLOW_OPEN);
	for (int step = 0; step < 1500; step++) {
		bool calm = step > 1200;
		unsigned what = calm ? 2 + dice(4) : dice(40);
		if (what == 0 || fail_at >= 0) {	/* the disk failed or not: the process is gone now and then */
			if (dice(4) == 0) {
				n = 0;
				lab_restart(&x);
				open_flow(&x, SERIAL, FLOW_OPEN);
			}
		} else if (what == 1) {
			calls = 0;
			fail_at = dice(12);
		}
		if (calm)
			fail_at = -1;
		if (x.read < FRAMES && dice(3) == 0)
			take(&x, frame(x.read + 1, PER_FRAME, (x.read + 1) % 3 ? OBJECT_EVENT : OBJECT_PROFILE, SERIAL));
		struct batch *b = n < FLIGHTS_MAX ? pick(&x) : NULL;
		if (b)
			out[n++] = b;
		if (n && dice(2)) {
			size_t k = dice((unsigned)n);
			b = out[k];
			out[k] = out[--n];
			int status = calm ? 200 : answers[dice(sizeof answers / sizeof *answers)];
			note_answer(&f, b, status);
			answer(&x, b, status);
		}
		if (dice(2) == 0)
			(void)settle_all(&x);
		x.now_ms += calm ? HOLD_MS : 200;
	}
	assert_true(settle_all(&x));
	assert_int_equal(x.read, FRAMES);
	assert_int_equal(passed(&x), FRAMES);
	assert_int_equal(x.v.queue.events, 0);
	for (uint64_t s = 1; s <= FRAMES; s++)
		for (uint32_t i = 0; i < PER_FRAME; i++)
			if (!f.delivered[s][i] && !f.refused[s][i])
				fail_msg("seed %u: %llu.%u is lost", seed, (unsigned long long)s, i);
	lab_end(&x);
}

static void test_I3_nothing_is_lost(void **state)
{
	(void)state;
	const char *more = getenv("WEIR_STORMS");
	for (unsigned seed = 1; seed <= (more ? (unsigned)atoi(more) : 60); seed++)
		storm(seed);
}

int main(void)
{
	memset(all, 1, sizeof all);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_keeps_and_seals),
		cmocka_unit_test(test_rewritten_bundle_has_only_the_rest),
		cmocka_unit_test(test_front_comes_first),
		cmocka_unit_test(test_torn_tail_and_foreign_files),
		cmocka_unit_test(test_park_under_failures),
		cmocka_unit_test(test_outcomes_give_the_position),
		cmocka_unit_test(test_outcomes_stay_small),
		cmocka_unit_test(test_failed_commit_stays_pending),
		cmocka_unit_test(test_merges_up_to_the_limit),
		cmocka_unit_test(test_split_to_the_refused_single),
		cmocka_unit_test(test_partial_kills_only_the_named),
		cmocka_unit_test(test_retry_parks_and_backs_off),
		cmocka_unit_test(test_back_off_grows),
		cmocka_unit_test(test_ordered_one_in_flight),
		cmocka_unit_test(test_hold_waits_for_a_change),
		cmocka_unit_test(test_only_what_the_plan_sends),
		cmocka_unit_test(test_no_plan_no_credential_no_cleartext),
		cmocka_unit_test(test_full_window_parks),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_taken_back_comes_again),
		cmocka_unit_test(test_I3_nothing_is_lost),
	};
	return cmocka_run_group_tests_name("courier", tests, NULL, NULL);
}
