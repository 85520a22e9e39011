/*
 * The committer: the only thread that writes the log.  It takes every parcel that waits, seals each into a frame, commits
 * them with one write and one sync, and sends them home; what comes meanwhile is the next batch.  A parcel is marked
 * durable only behind a commit that succeeded (I2, I3); a failed commit fails its whole batch.
 *
 * The payload key of a segment is random, sealed to the courier in the segment's first frame, and forgotten with the
 * next: this process can't read back what it wrote.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hook.h"
#include "base/say.h"
#include "gate/inside.h"

enum { REST_MS = 200, SAY_AGAIN_US = 1000000, INVARIANT_LOSE_NOTHING = 3, INVARIANT_MINIMISE = 5, BROKEN_US = 20000,
       GATHER_US = 4000 };

static void on_segment(struct log_writer *w, const uint8_t salt[static 16], void *arg)
{
	struct committer *c = arg;
	uint8_t sealed[KEY_BYTES + SEAL_OVERHEAD];
	struct err err;
	(void)salt;
	crypt_random(c->key, sizeof(c->key));
	seal_box(c->key, sizeof(c->key), c->gate->courier_public, sealed);
	must(log_append(w, LOG_KEY, sealed, sizeof(sealed), NULL, &err) == 0);	/* the first of its batch always fits */
}

/* ---- one batch ------------------------------------------------------------------------------------------------ */

/*
 * The objects are sealed straight into the log's batch, behind their clear part.  Links go first: a crash, or a full batch,
 * may leave a link without its request, never a request whose links nobody knows.
 */
static int append(struct committer *c, const struct parcel *p, struct err *err)
{
	uint64_t seq;
	uint8_t *to;
	if (p->links.len && log_append(c->log, LOG_LINK, p->links.data, p->links.len, NULL, err) != 0)
		return -1;
	if (log_append_begin(c->log, LOG_REQUEST, p->clear.len + p->objects.len + AEAD_OVERHEAD, &to, &seq, err) != 0)
		return -1;
	memcpy(to, p->clear.data, p->clear.len);
	aead_seal(c->key, log_salt(c->log), seq, p->clear.data, p->clear.len, p->objects.data, p->objects.len, to + p->clear.len);
	log_append_end(c->log);
	return 0;
}

static void send_home(struct committer *c, struct parcel *first, const struct parcel *end, bool durable)
{
	struct gate *g = c->gate;
	for (struct parcel *p = first, *next; p != end; p = next) {
		struct loop *home = p->home;
		next = p->next;
		atomic_fetch_sub_explicit(&c->waiting_bytes, parcel_bytes(p), memory_order_relaxed);
		p->durable = durable;
		p->next = NULL;
		pthread_mutex_lock(&home->lock);
		*home->back_last = p;
		home->back_last = &p->next;
		pthread_mutex_unlock(&home->lock);
	}
	for (unsigned i = 0; i < g->loops_len; i++) {
		struct loop *l = &g->loops[i];
		pthread_mutex_lock(&l->lock);
		if (l->back && !l->ended)
			uv_async_send(&l->wake);
		pthread_mutex_unlock(&l->lock);
	}
}

static void complain(struct committer *c, const struct err *err)
{
	int64_t now = clock_mono_us();
	if (c->said_us && now - c->said_us < SAY_AGAIN_US)
		return;
	c->said_us = now;
	say(SAY_ERROR, "commit-failed", "why", S(err->msg), NULL);
}

/* Parcels first..end (not included) are in the log's batch: makes them durable, or none. */
static void settle(struct committer *c, struct parcel *first, const struct parcel *end, uint64_t frames)
{
	struct err err;
	int64_t began = clock_mono_us();
	if (hook_broken(INVARIANT_LOSE_NOTHING)) {	/* test builds: answers first, writes later */
		send_home(c, first, end, true);
		usleep(BROKEN_US);
		if (log_commit(c->log, &err) != 0)
			complain(c, &err);
		return;
	}
	bool ok = log_commit(c->log, &err) == 0;
	gate_metrics_commit(&c->stats, clock_mono_us() - began, ok, frames);
	if (!ok)
		complain(c, &err);
	send_home(c, first, end, ok);
}

static void write_all(struct committer *c, struct parcel *list)
{
	struct parcel *first = list;	/* of those in the batch */
	uint64_t frames = 0;
	struct err err;
	for (struct parcel *p = list, *next; p; p = next) {
		next = p->next;
		if (append(c, p, &err) == 0) {
			frames++;
			continue;
		}
		if (frames) {	/* the batch is full: make room and try once more */
			settle(c, first, p, frames);
			frames = 0;
			first = p;
			if (append(c, p, &err) == 0) {
				frames = 1;
				continue;
			}
		}
		complain(c, &err);
		send_home(c, p, next, false);
		first = next;
	}
	if (frames)
		settle(c, first, NULL, frames);
}

/* ---- the thread ----------------------------------------------------------------------------------------------- */

/* Segments roll by age, and go when courier and keeper have both passed them. */
static void keep_house(struct committer *c)
{
	struct gate *g = c->gate;
	struct err err;
	uint64_t courier = atomic_load_explicit(&g->courier->passed, memory_order_acquire);
	uint64_t keeper = atomic_load_explicit(&g->keeper->passed, memory_order_acquire);
	if (log_tick(c->log, clock_now_us(), &err) != 0)
		complain(c, &err);
	if (!hook_broken(INVARIANT_MINIMISE) && log_release(c->log, courier < keeper ? courier : keeper, &err) != 0)
		complain(c, &err);
	atomic_store_explicit(&c->stats.log_bytes, log_bytes(c->log), memory_order_relaxed);
}

/* Waits for parcels, at most REST_MS. */
static struct parcel *wait_parcels(struct committer *c, bool *stop)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += REST_MS * 1000000l;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&c->lock);
	c->idle = true;
	while (!c->first && !c->stop)
		if (pthread_cond_timedwait(&c->more, &c->lock, &until) != 0)
			break;
	c->idle = false;
	struct parcel *list = c->first;
	c->first = NULL;
	c->last = &c->first;
	*stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	return list;
}

static void *run(void *arg)
{
	struct committer *c = arg;
	int64_t housed = 0;
	for (bool stop = false;;) {
		struct parcel *list = wait_parcels(c, &stop);
		if (list)
			write_all(c, list);
		int64_t now = clock_mono_ms();
		if (now - housed >= REST_MS) {
			keep_house(c);
			housed = now;
		}
		if (stop && !list)
			return NULL;
	}
}

bool gate_commit_put(struct loop *l, struct parcel *p, int64_t now_us)
{
	struct committer *c = &l->gate->committer;
	size_t n = parcel_bytes(p);
	if (p->clear.over || p->objects.over || p->links.over || p->links.len > LOG_BODY_MAX ||
	    p->clear.len + p->objects.len + AEAD_OVERHEAD > LOG_BODY_MAX ||
	    atomic_load_explicit(&c->waiting_bytes, memory_order_relaxed) + n > l->gate->limits.memory_bytes)
		return false;
	atomic_fetch_add_explicit(&c->waiting_bytes, n, memory_order_relaxed);
	p->next = NULL;
	l->gathering = true;
	if (!l->gathered)
		l->gathered_us = now_us;
	*l->gathered_last = p;
	l->gathered_last = &p->next;
	if (now_us - l->gathered_us >= GATHER_US)
		gate_commit_flush(l);
	return true;
}

void gate_commit_flush(struct loop *l)
{
	struct committer *c = &l->gate->committer;
	if (!l->gathered)
		return;
	pthread_mutex_lock(&c->lock);
	*c->last = l->gathered;
	c->last = l->gathered_last;
	if (c->idle)
		pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
	l->gathered = NULL;
	l->gathered_last = &l->gathered;
}

static void say_recovery(struct log_recovery *r)
{
	for (size_t i = 0; i < r->gaps_len; i++)
		say(SAY_ERROR, "log-damaged", "file", S(r->gaps[i].file), "first", I(r->gaps[i].first_seq), "last",
		    I(r->gaps[i].last_seq), NULL);
	say(SAY_INFO, "log-opened", "frames", I(r->frames), "bytes", I(r->bytes), "torn_bytes", I(r->torn_bytes), "took_us",
	    I(r->took_us), NULL);
	log_recovery_release(r);
}

int gate_commit_start(struct gate *g, struct err *err)
{
	static const uint8_t stream[16] = "gate";
	struct committer *c = &g->committer;
	struct log_recovery found = {0};
	c->gate = g;
	c->last = &c->first;
	/* A log that was removed, or put back from an old copy, begins behind what its readers have passed: below that they
	 * would pass over what was acknowledged. */
	uint64_t courier = atomic_load_explicit(&g->courier->passed, memory_order_acquire);
	uint64_t keeper = atomic_load_explicit(&g->keeper->passed, memory_order_acquire);
	g->log_limits.floor_seq = courier > keeper ? courier : keeper;
	if (log_writer_open(g->io, g->log_dir, stream, &g->log_limits, g->mark, on_segment, c, &c->log, &found, err) != 0)
		return -1;
	say_recovery(&found);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->more, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&c->lock, NULL);
	if (pthread_create(&c->thread, NULL, run, c) != 0)
		return err_set(err, ERR_IO, "no thread for the committer");
	c->started = true;
	return 0;
}

void gate_commit_stop(struct gate *g)
{
	struct committer *c = &g->committer;
	if (!c->started)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	log_writer_close(&c->log);
	crypt_wipe(c->key, sizeof(c->key));
	pthread_cond_destroy(&c->more);
	pthread_mutex_destroy(&c->lock);
}
