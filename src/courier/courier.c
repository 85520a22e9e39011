/*
 * The courier's loop.  One turn: read the log, park what can't go, commit the outcomes, tidy queues, send.
 *
 * The order is what makes it lose nothing: an event is settled in memory when the vendor has taken it or its copy in
 * queue/ or dead/ is synced; the position moves when those outcomes are synced; only then the gate may forget it.
 */
#include "courier/courier.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/say.h"
#include "courier/inside.h"

enum { TURN_MS = 5, IDLE_TURN_MS = 20, IDLE_AFTER_MS = 2000, TIDY_DEAD_S = 60, CORPSE_BUNDLE_S = 3600, DAY_S = 86400 };
enum { EXIT_CLEAN = 0, EXIT_FAULT = 3 };

static void turn(struct courier *c);

static void on_timer(uv_timer_t *h)
{
	turn(h->data);
}

void courier_wake(struct courier *c)
{
	uv_timer_start(&c->timer, on_timer, 0, 0);
}

/* ---- seats ------------------------------------------------------------------------------------------------------ */

static struct seat *seat_add(struct courier *c, const char *name)
{
	struct seat *s = xcalloc(1, sizeof *s);
	vendor_init(&s->v, name, &c->outcomes);
	s->wire = wire_new(&c->loop);
	s->next = c->seats;
	c->seats = s;
	return s;
}

struct seat *seat_of(struct courier *c, const char *name, size_t n)
{
	char word[64];
	if (!vendor_name_good(name, n))
		return NULL;
	for (struct seat *s = c->seats; s; s = s->next)
		if (strlen(s->v.name) == n && memcmp(s->v.name, name, n) == 0)
			return s;
	memcpy(word, name, n);
	word[n] = 0;
	return seat_add(c, word);
}

/* ---- sending ---------------------------------------------------------------------------------------------------- */

struct sending {	/* a batch as bytes */
	struct courier *c;
	struct seat *s;
	struct batch *b;
	struct arena arena;
	struct transfer *transfer;
};

static void sending_free(struct sending *x)
{
	arena_release(&x->arena);
	free(x);
}

static void send_all(struct courier *c, struct seat *s);

static void on_answer(void *arg, int status, struct span body, int64_t retry_after_s)
{
	struct sending *x = arg;
	struct courier *c = x->c;
	struct seat *s = x->s;
	vendor_answered(&s->v, x->b, status, body, retry_after_s, clock_mono_ms(), clock_now());
	sending_free(x);
	c->busy_ms = clock_mono_ms();
	if (!c->held_back && !c->stopping)
		send_all(c, s);
	else
		courier_wake(c);
}

static char *url_of(const struct vendor *v, struct span path)
{
	struct span u = v->plan.contract->upstream;
	while (u.len && u.at[u.len - 1] == '/')
		u.len--;
	return xasprintf("%.*s%.*s", (int)u.len, u.at, (int)path.len, path.at);
}

/* Encodes and starts; false when that can't be: the batch is given back. */
static bool send_one(struct courier *c, struct seat *s, struct batch *b)
{
	struct sending *x = xcalloc(1, sizeof *x);
	struct stored_object *objects = xcalloc(b->n, sizeof *objects);
	struct upstream_request rq = {0};
	const char *credential = s->v.credential ? s->v.credential : "";
	*x = (struct sending){.c = c, .s = s, .b = b};
	arena_init(&x->arena, 0);
	vendor_objects(b, objects);
	s->v.plan.contract->adapter->encode(b->route, objects, b->n, (struct span){credential, strlen(credential)}, &x->arena, &rq);
	free(objects);
	if (rq.body.at && rq.path.len) {
		char *url = url_of(&s->v, rq.path);
		struct wire_post p = {.url = url, .content_type = rq.content_type, .authorization = rq.authorization, .body = rq.body};
		x->transfer = wire_send(s->wire, &p, on_answer, x);
		free(url);
	}
	b->transfer = x;
	if (x->transfer)
		return true;
	say(SAY_ERROR, "request-start", "vendor", S(s->v.name), NULL);
	vendor_answered(&s->v, b, 0, (struct span){"", 0}, 0, clock_mono_ms(), clock_now());
	sending_free(x);
	return false;
}

static void send_all(struct courier *c, struct seat *s)
{
	for (struct batch *b; (b = vendor_pick(&s->v, clock_mono_ms(), clock_now()));)
		if (!send_one(c, s, b))
			return;
}

void seat_take_back(struct seat *s, bool all)
{
	for (struct batch *b = s->v.flying.first, *next; b; b = next) {
		next = b->next;
		if (!all && vendor_batch_allowed(&s->v, b, clock_now()))
			continue;
		struct sending *x = b->transfer;
		wire_cancel(x->transfer);
		sending_free(x);
		vendor_taken_back(&s->v, b);
	}
	if (all)
		vendor_dissolve(&s->v);
}

/* ---- the turn --------------------------------------------------------------------------------------------------- */

int courier_flush_seat(struct courier *c, struct seat *s, struct err *err)
{
	return vendor_flush(&s->v, c->io, c->queue_dir, c->dead_dir, &c->keys, clock_mono_ms(), clock_now(), err);
}

static int flush_all(struct courier *c)
{
	struct err err;
	int r = 0;
	for (struct seat *s = c->seats; s; s = s->next) {
		if (courier_flush_seat(c, s, &err) == 0)
			continue;
		r = -1;
		if (err.code != ERR_AGAIN)
			say(SAY_ERROR, "park-failed", "vendor", S(s->v.name), "why", S(err.msg), NULL);
	}
	return r;
}

static int commit(struct courier *c)
{
	struct err err;
	uint64_t passed = intake_passed(c);
	if (outcomes_commit(&c->outcomes, passed, &err) < 0) {
		say(SAY_ERROR, "outcomes-commit", "why", S(err.msg), NULL);
		return -1;
	}
	intake_forget(c, passed);
	atomic_store_explicit(&c->own_mark->passed, passed, memory_order_release);
	return 0;
}

static void raise_flags(struct courier *c, struct seat *s)
{
	uint64_t quota = s->v.has_plan ? s->v.plan.contract->quota_bytes : 0, bytes = s->v.queue_ready ? s->v.queue.bytes : 0;
	bool full = quota && (s->full ? bytes > quota / 10 * 9 : bytes >= quota);
	if (full == s->full)
		return;
	s->full = full;
	courier_mark_set_full(c->own_mark, shared_vendor_hash(s->v.name), full);
	say(full ? SAY_ERROR : SAY_INFO, full ? "queue-full" : "queue-has-room", "vendor", S(s->v.name), "bytes", I(bytes), NULL);
}

/* What was refused for good stays some days and then goes, a bundle at a time. */
static void tidy_dead(struct courier *c)
{
	int64_t now = clock_now();
	struct err err;
	if (now >= c->tidy_dead_s && now < c->tidy_dead_s + TIDY_DEAD_S)
		return;
	c->tidy_dead_s = now;
	for (struct seat *s = c->seats; s; s = s->next)
		for (struct bundle *b = s->v.dead_ready ? s->v.dead.first : NULL, *next; b; b = next) {
			next = b->next;
			if (b->created_us / 1000000 + CORPSE_BUNDLE_S + c->dead_s > now)
				continue;
			if (queue_remove(&s->v.dead, b, &err) < 0)
				say(SAY_ERROR, "dead-remove", "vendor", S(s->v.name), "why", S(err.msg), NULL);
		}
}

/* Done when nothing flies any more, or its time is over: what still flies is parked. */
static bool stop_now(struct courier *c)
{
	bool flies = false;
	for (struct seat *s = c->seats; s; s = s->next)
		flies |= s->v.flights > 0;
	if (flies && clock_mono_ms() < c->stop_at_ms)
		return false;
	for (struct seat *s = c->seats; s; s = s->next) {
		seat_take_back(s, true);
		vendor_park_all(&s->v);
	}
	if (flush_all(c) < 0 || commit(c) < 0)
		say(SAY_WARN, "stopped-early", "why", S("what could not be parked is read again at the next start"), NULL);
	uv_stop(&c->loop);
	return true;
}

static void wait_on(struct courier *c, bool more)
{
	int64_t now = clock_mono_ms(), wait = now - c->busy_ms > IDLE_AFTER_MS ? IDLE_TURN_MS : TURN_MS;
	for (struct seat *s = c->seats; s && wait; s = s->next) {
		int64_t left = vendor_wakes_ms(&s->v) - now;
		if (left > 0 && left < wait)
			wait = left;
	}
	uv_timer_start(&c->timer, on_timer, more ? 0 : (uint64_t)wait, 0);
}

static void turn(struct courier *c)
{
	bool more = false;
	if (c->stopping && stop_now(c))
		return;
	orders_ask_plans(c);
	uint64_t before = c->in.read;
	if (c->plans_known && !c->held_back && !c->stopping)
		more = intake_read(c);
	if (c->in.read != before)
		c->busy_ms = clock_mono_ms();
	int parked = flush_all(c);
	c->held_back = commit(c) < 0 || parked < 0;
	for (struct seat *s = c->seats; s; s = s->next) {
		orders_tend(c, s);
		vendor_tend(&s->v, clock_mono_ms(), clock_now(), c->forget_s);
		raise_flags(c, s);
		if (!c->held_back && !c->stopping && c->plans_known)
			send_all(c, s);
	}
	if (!c->held_back)
		orders_tell_arrived(c);
	tidy_dead(c);
	wait_on(c, more && !c->held_back);
}

/* ---- start ------------------------------------------------------------------------------------------------------ */

static void snapshot(void *arg, struct outcome_list *l)
{
	const struct courier *c = arg;
	intake_snapshot(c, l);
	for (const struct seat *s = c->seats; s; s = s->next)
		vendor_snapshot(&s->v, l);
}

struct folder {
	struct courier *c;
	bool dead;
	int result;
	struct err err;
};

static bool open_one(void *arg, const char *name)
{
	struct folder *f = arg;
	struct seat *s = seat_of(f->c, name, strlen(name));
	if (!s)
		return true;
	struct queue *q = f->dead ? &s->v.dead : &s->v.queue;
	bool *ready = f->dead ? &s->v.dead_ready : &s->v.queue_ready;
	f->result = queue_open(q, f->c->io, f->dead ? f->c->dead_dir : f->c->queue_dir, name, &f->c->keys, f->dead ? NULL : outcomes_settled,
			       &f->c->outcomes, &f->err);
	*ready = f->result == 0;
	return f->result == 0;
}

static int open_queues(struct courier *c, struct err *err)
{
	for (int dead = 0; dead < 2; dead++) {
		struct folder f = {.c = c, .dead = dead};
		if (c->io->list(c->io->ctx, dead ? c->dead_dir : c->queue_dir, open_one, &f) < 0)
			return err_sys(err, "queues");
		if (f.result < 0) {
			*err = f.err;
			return -1;
		}
	}
	outcomes_adopt(&c->outcomes);
	return 0;
}

static int open_keys(struct courier *c, struct err *err)
{
	struct child *k = c->child;
	if (child_key(k, "courier_public", c->keys.public, sizeof c->keys.public, err) < 0)
		return -1;
	if (child_key(k, "courier_secret", c->keys.secret, sizeof c->keys.secret, err) < 0)
		return -1;
	return child_key(k, "plan_public", c->plan_public, sizeof c->plan_public, err);
}

static int open_all(struct courier *c, struct err *err)
{
	struct child *k = c->child;
	struct log_limits limits = {.segment_bytes = (uint64_t)child_int(k, "segment_bytes", 16 << 20),
				    .segment_us = child_int(k, "segment_seconds", 60) * 1000000};
	c->log_dir = child_fd(k, "log");
	c->plan_dir = child_fd(k, "plan");
	c->own_dir = child_fd(k, "own");
	c->queue_dir = child_fd(k, "queue");
	c->dead_dir = child_fd(k, "dead");
	c->forget_s = child_int(k, "forget_seconds", 600);
	c->dead_s = child_int(k, "dead_days", 7) * DAY_S;
	c->mark = shared_map(child_fd(k, "mark"), false, err);
	c->own_mark = c->mark ? shared_map(child_fd(k, "courier_mark"), true, err) : NULL;
	if (!c->own_mark || open_keys(c, err) < 0)
		return -1;
	if (crypt_init(err) < 0 || wire_global(err) < 0 || child_confine(k, err) < 0)
		return -1;
	if (outcomes_open(&c->outcomes, c->io, c->own_dir, &limits, snapshot, c, err) < 0)
		return -1;
	if (open_queues(c, err) < 0)
		return -1;
	return intake_open(c, err);
}

/* Flags of the run before may name vendors that have room now; raise_flags sets them anew. */
static void clear_flags(struct courier *c)
{
	for (size_t i = 0; i < COURIER_FULL_SLOTS; i++)
		atomic_store(&c->own_mark->full[i], 0);
	atomic_store(&c->own_mark->all_full, 0);
}

int courier_run(struct child *child)
{
	static struct courier c;
	struct err err;
	c = (struct courier){.child = child, .io = &fio_os};
	if (uv_loop_init(&c.loop) < 0)
		return EXIT_FAULT;
	uv_timer_init(&c.loop, &c.timer);
	c.timer.data = &c;
	if (open_all(&c, &err) < 0 || channel_watch_start(&c.loop, &c.watch, child->channel, orders_take, &c, &err) < 0 ||
	    child_ready(child, &err) < 0) {
		say(SAY_ERROR, "process-start", "why", S(err.msg), NULL);
		return EXIT_FAULT;
	}
	clear_flags(&c);
	atomic_store_explicit(&c.own_mark->passed, c.outcomes.passed, memory_order_release);
	atomic_store_explicit(&c.own_mark->known, 1, memory_order_release);
	courier_wake(&c);
	uv_run(&c.loop, UV_RUN_DEFAULT);
	for (struct seat *s = c.seats; s; s = s->next)
		vendor_release(&s->v);
	intake_close(&c);
	outcomes_close(&c.outcomes);
	crypt_wipe(&c.keys, sizeof c.keys);
	return EXIT_CLEAN;
}
