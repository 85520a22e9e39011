#include "courier/courier_lab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/log.h"

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

struct plan_file plan(uint64_t serial, enum flow flow)
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

struct fio bad_fio;
int64_t fail_at = -1, calls;

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

int lab_open(struct lab *x, struct err *err)
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

void lab_close(struct lab *x)
{
	vendor_release(&x->v);
	outcomes_close(&x->outcomes);
	for (struct position *p; (p = x->first);) {
		x->first = p->next;
		free(p);
	}
	x->last = NULL;
}

void lab_begin(struct lab *x)
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

void lab_end(struct lab *x)
{
	char cmd[128];
	lab_close(x);
	close(x->queue_dir);
	close(x->dead_dir);
	close(x->own_dir);
	snprintf(cmd, sizeof cmd, "rm -rf '%s'", x->path);
	assert_int_equal(system(cmd), 0);
}

void lab_restart(struct lab *x)
{
	struct err err;
	lab_close(x);
	fail_at = -1;
	if (lab_open(x, &err) < 0)
		fail_msg("restart: %s", err.msg);
}

void open_flow(struct lab *x, uint64_t serial, enum flow flow)
{
	struct plan_file p = plan(serial, flow);
	vendor_plan(&x->v, &p);
	vendor_credential(&x->v, "secret");
}

/* A frame of n events "payload SEQ.I". */
struct item *frame(uint64_t seq, uint32_t n, enum object_kind kind, uint64_t serial)
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

void take(struct lab *x, struct item *it)
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

uint64_t passed(const struct lab *x)
{
	const struct position *p = x->first;
	while (p && p->unsettled == 0)
		p = p->next;
	return p ? p->seq - 1 : x->read;
}

/* Flush, commit, tend: what courier.c does each turn.  False when the disk failed. */
bool settle_all(struct lab *x)
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

struct batch *pick(struct lab *x)
{
	return vendor_pick(&x->v, x->now_ms, NOW_S);
}

void answer(struct lab *x, struct batch *b, int status)
{
	vendor_answered(&x->v, b, status, (struct span){"", 0}, 0, x->now_ms, NOW_S);
}

uint64_t seq_of(const struct batch *b, uint32_t k)
{
	return b->refs[k].it->seq;
}
