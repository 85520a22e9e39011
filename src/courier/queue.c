#include "courier/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/say.h"
#include "log/log.h"
#include "log/segment.h"

/* Numbers begin high, so that there is always room in front; a bundle in front has fewer frames than FRONT_ROOM. */
enum { NAME_BYTES = 32, FRONT_ROOM = 1 << 24 };
#define FIRST_NUMBER (UINT64_C(1) << 60)
static const uint8_t queue_stream[16] = "weir queue";

static void name_of(uint64_t number, char out[static LOG_NAME])
{
	segment_name(number, out);
}

/* ---- the row of bundles ---------------------------------------------------------------------------------------- */

static struct bundle *bundle_add(struct queue *q, uint64_t number)
{
	struct bundle *b = xcalloc(1, sizeof *b);
	b->number = number;
	b->oldest_us = INT64_MAX;
	b->idle_epoch = UINT64_MAX;
	b->prev = q->last;
	if (q->last)
		q->last->next = b;
	else
		q->first = b;
	q->last = b;
	return b;
}

static void bundle_forget(struct queue *q, struct bundle *b)
{
	if (b->prev)
		b->prev->next = b->next;
	else
		q->first = b->next;
	if (b->next)
		b->next->prev = b->prev;
	else
		q->last = b->prev;
	q->bytes -= b->bytes;
	q->events -= b->events;
	for (struct item *it; (it = b->items.first);) {
		items_remove(&b->items, it);
		item_free(it);
	}
	free(b);
}

/* The place of a serial; the last one serves for all that don't fit. */
static struct bundle_serial *serial_of(struct bundle *b, uint64_t serial)
{
	for (uint8_t i = 0; i < b->serials_len; i++)
		if (b->serials[i].serial == serial || b->serials[i].serial == 0)
			return &b->serials[i];
	bool last = b->serials_len == BUNDLE_SERIALS - 1;
	struct bundle_serial *s = &b->serials[b->serials_len++];
	*s = (struct bundle_serial){.serial = last ? 0 : serial, .from = UINT64_MAX};
	return s;
}

static void sum_serial(struct bundle *b, uint64_t serial, uint64_t from, uint64_t to, uint32_t events)
{
	struct bundle_serial *s = serial_of(b, serial);
	s->events += events;
	s->from = from < s->from ? from : s->from;
	s->to = to > s->to ? to : s->to;
}

static void sum_frame(struct bundle *b, const struct item *it, uint32_t events)
{
	b->frames++;
	b->events += events;
	sum_serial(b, it->serial, it->seq, it->seq, events);
	if (it->received_us < b->oldest_us)
		b->oldest_us = it->received_us;
}

/* The sums of what was just written join the bundle's. */
static void sum_join(struct bundle *b, const struct bundle *more)
{
	b->frames += more->frames;
	b->events += more->events;
	for (uint8_t i = 0; i < more->serials_len; i++)
		sum_serial(b, more->serials[i].serial, more->serials[i].from, more->serials[i].to, more->serials[i].events);
	b->oldest_us = more->oldest_us < b->oldest_us ? more->oldest_us : b->oldest_us;
}

/* ---- frames ---------------------------------------------------------------------------------------------------- */

/* One frame with the picked events; pick NULL: those that aren't settled.  Returns how many, 0: nothing was added. */
static uint32_t put_frame(struct buf *out, const struct queue *q, const uint8_t salt[static 16], const uint8_t key[static KEY_BYTES],
			  uint64_t seq, const struct item *it, const bool *pick)
{
	struct buf clear, plain;
	struct block_head h = {.route = it->route, .plan_serial = it->serial, .received_us = (uint64_t)it->received_us,
			       .vendor = {q->vendor, strlen(q->vendor)}};
	put_u64(h.request_no, it->seq);
	buf_init(&clear, 0);
	buf_init(&plain, 0);
	for (uint32_t i = 0; i < it->n; i++)
		h.count += pick ? pick[i] : it->v[i].state != EVENT_SETTLED;
	size_t began = block_begin(&clear, &h);
	for (uint32_t i = 0; i < it->n; i++) {
		const struct event *e = &it->v[i];
		struct block_object o = {.kind = e->kind, .len = e->len, .splice = e->splice, .time_s = e->time_s};
		if (!(pick ? pick[i] : e->state != EVENT_SETTLED))
			continue;
		put_u32(o.subject, e->index);
		block_add(&clear, &h, &o);
		buf_add(&plain, it->bytes + e->off, e->len);
	}
	block_finish(&clear, began);
	if (h.count) {
		size_t ad = clear.len;
		buf_reserve(&clear, plain.len + AEAD_OVERHEAD);
		aead_seal(key, salt, seq, clear.data, ad, plain.data, plain.len, clear.data + ad);
		clear.len += plain.len + AEAD_OVERHEAD;
		frame_add(out, salt, LOG_REQUEST, seq, 0, clear.data, clear.len);
	}
	buf_wipe(&plain);
	buf_release(&clear);
	return h.count;
}

/* Header and key frame of a new file. */
static void put_start(struct buf *out, const struct queue *q, uint64_t number, uint8_t salt[static 16], uint8_t key[static KEY_BYTES])
{
	uint8_t head[LOG_SEGMENT_HEAD], sealed[KEY_BYTES + SEAL_OVERHEAD];
	crypt_random(salt, 16);
	crypt_random(key, KEY_BYTES);
	segment_head(head, queue_stream, number, salt, clock_now_us());
	buf_add(out, head, sizeof head);
	seal_box(key, KEY_BYTES, q->keys->public, sealed);
	frame_add(out, salt, LOG_KEY, number, 0, sealed, sizeof sealed);
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

static void end_bundle(struct queue *q)
{
	if (q->fd >= 0)
		q->io->close(q->io->ctx, q->fd);
	q->fd = -1;
	crypt_wipe(q->key, sizeof q->key);
}

static void forget_pending(struct queue *q)
{
	buf_wipe(&q->pending);
	buf_init(&q->pending, 0);
	q->pending_sum = (struct bundle){.oldest_us = INT64_MAX};
}

void queue_append(struct queue *q, const struct item *it, const bool *pick)
{
	if (q->fd < 0 && q->pending.len == 0) {
		bundle_add(q, q->next_seq)->created_us = clock_now_us();
		put_start(&q->pending, q, q->next_seq++, q->salt, q->key);
	}
	uint32_t n = put_frame(&q->pending, q, q->salt, q->key, q->next_seq, it, pick);
	if (n == 0)
		return;
	q->next_seq++;
	sum_frame(&q->pending_sum, it, n);
}

static int write_pending(struct queue *q, struct err *err)
{
	char name[LOG_NAME];
	bool fresh = q->fd < 0;
	name_of(q->last->number, name);
	if (fresh)
		q->fd = q->io->open(q->io->ctx, q->dir, name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (q->fd < 0)
		return err_sys(err, "queue %s: new bundle", q->vendor);
	if (fio_write_all(q->io, q->fd, q->pending.data, q->pending.len, q->last->bytes) < 0)
		return err_sys(err, "queue %s: write", q->vendor);
	if (q->io->sync(q->io->ctx, q->fd) < 0 || (fresh && q->io->sync(q->io->ctx, q->dir) < 0))
		return err_sys(err, "queue %s: sync", q->vendor);
	return 0;
}

int queue_sync(struct queue *q, struct err *err)
{
	if (q->pending.len == 0)
		return 0;
	struct bundle *b = q->last;
	if (write_pending(q, err) < 0) {
		/* What is behind b->frames never counts; cutting it off is a courtesy. */
		if (q->fd >= 0)
			q->io->truncate(q->io->ctx, q->fd, b->bytes);
		end_bundle(q);
		forget_pending(q);
		if (b->frames == 0) {
			char name[LOG_NAME];
			name_of(b->number, name);
			q->io->unlink(q->io->ctx, q->dir, name);
			bundle_forget(q, b);
		}
		return -1;
	}
	b->bytes += q->pending.len;
	q->bytes += q->pending.len;
	q->events += q->pending_sum.events;
	sum_join(b, &q->pending_sum);
	b->idle_epoch = UINT64_MAX;
	forget_pending(q);
	if (b->bytes >= q->bundle_bytes)
		end_bundle(q);
	return 0;
}

void queue_end(struct queue *q)
{
	must(q->pending.len == 0);
	end_bundle(q);
}

int queue_remove(struct queue *q, struct bundle *b, struct err *err)
{
	char name[LOG_NAME];
	if (b == q->last)
		end_bundle(q);
	name_of(b->number, name);
	if (q->io->unlink(q->io->ctx, q->dir, name) < 0 && errno != ENOENT)
		return err_sys(err, "queue %s: remove %s", q->vendor, name);
	bundle_forget(q, b);
	return q->io->sync(q->io->ctx, q->dir) < 0 ? err_sys(err, "queue %s: sync", q->vendor) : 0;
}

/* A file under a name that no reader takes for a bundle, then the name. */
static int replace(struct queue *q, uint64_t number, const struct buf *bytes, struct err *err)
{
	static const char next[] = "next";
	char name[LOG_NAME];
	name_of(number, name);
	int fd = q->io->open(q->io->ctx, q->dir, next, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return err_sys(err, "queue %s: write anew", q->vendor);
	int r = 0;
	if (fio_write_all(q->io, fd, bytes->data, bytes->len, 0) < 0 || q->io->sync(q->io->ctx, fd) < 0 ||
	    q->io->rename(q->io->ctx, q->dir, next, name) < 0 || q->io->sync(q->io->ctx, q->dir) < 0)
		r = err_sys(err, "queue %s: write anew", q->vendor);
	q->io->close(q->io->ctx, fd);
	return r;
}

static void forget_front(struct queue *q)
{
	buf_wipe(&q->front);
	buf_init(&q->front, 0);
	crypt_wipe(q->front_key, sizeof q->front_key);
	q->front_sum = (struct bundle){.oldest_us = INT64_MAX};
}

void queue_put_front(struct queue *q, const struct item *it, const bool *pick)
{
	if (q->front.len == 0) {
		q->front_sum.number = (q->first ? q->first->number : q->next_seq) - FRONT_ROOM;
		q->front_seq = q->front_sum.number;
		put_start(&q->front, q, q->front_seq++, q->front_salt, q->front_key);
	}
	uint32_t n = put_frame(&q->front, q, q->front_salt, q->front_key, q->front_seq, it, pick);
	if (n == 0)
		return;
	q->front_seq++;
	sum_frame(&q->front_sum, it, n);
}

int queue_sync_front(struct queue *q, struct err *err)
{
	if (q->front.len == 0)
		return 0;
	int r = replace(q, q->front_sum.number, &q->front, err);
	if (r == 0) {
		struct bundle *b = xcalloc(1, sizeof *b);
		*b = q->front_sum;
		b->bytes = q->front.len;
		b->created_us = clock_now_us();
		b->idle_epoch = UINT64_MAX;
		b->next = q->first;
		if (q->first)
			q->first->prev = b;
		else
			q->last = b;
		q->first = b;
		q->bytes += b->bytes;
		q->events += b->events;
	}
	forget_front(q);
	return r;
}

int queue_rewrite(struct queue *q, struct bundle *b, bool *gone, struct err *err)
{
	struct buf out;
	uint8_t salt[16], key[KEY_BYTES];
	must(b->loaded);
	*gone = b->events == 0;
	if (*gone)
		return queue_remove(q, b, err);
	struct bundle sum = {.oldest_us = INT64_MAX};
	uint64_t seq = b->number;
	buf_init(&out, 0);
	put_start(&out, q, b->number, salt, key);
	for (struct item *it = b->items.first; it; it = it->next) {
		uint32_t n = put_frame(&out, q, salt, key, seq + 1, it, NULL);
		if (n == 0)
			continue;
		seq++;
		sum_frame(&sum, it, n);
	}
	int r = replace(q, b->number, &out, err);
	if (r == 0) {
		q->bytes += out.len - b->bytes;
		b->bytes = out.len;
		b->frames = sum.frames;
		b->settled = 0;
		b->oldest_us = sum.oldest_us;
		b->serials_len = sum.serials_len;
		memcpy(b->serials, sum.serials, sizeof b->serials);
	}
	buf_release(&out);
	crypt_wipe(key, sizeof key);
	return r;
}

void queue_settled(struct queue *q, const struct item *it, int64_t now)
{
	struct bundle *b = it->bundle;
	if (b->settled == 0)
		b->settled_at = now;
	b->events--;
	b->settled++;
	q->events--;
	serial_of(b, it->serial)->events--;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

static struct item *open_frame(const uint8_t key[static KEY_BYTES], const uint8_t *salt, const struct frame *f, struct err *err)
{
	struct block b;
	if (block_parse(f->body, f->len, &b, err) < 0)
		return NULL;
	if (b.sealed_len < AEAD_OVERHEAD) {
		err_set(err, ERR_CORRUPT, "a frame without payload");
		return NULL;
	}
	uint8_t *plain = xmalloc(b.sealed_len);
	struct item *it = NULL;
	if (aead_open(key, salt, f->seq, b.clear, b.clear_len, b.sealed, b.sealed_len, plain, err) == 0) {
		it = item_new(&b, get_u64(b.head.request_no), plain);
		for (uint32_t i = 0; i < it->n; i++) {
			struct block_object o;
			block_object_at(&b, i, &o);
			it->v[i].index = get_u32(o.subject);
		}
	}
	crypt_wipe(plain, b.sealed_len);
	free(plain);
	return it;
}

/*
 * Bytes behind the last good frame.  A write that a crash cut short leaves less than its head announces, and nothing was
 * parked by it; where all of it is there, it was damaged later.
 */
static bool tail_damaged(const struct queue *q, const struct segment *s)
{
	uint8_t head[LOG_FRAME_HEAD];
	if (s->size - s->off < sizeof head || fio_read_all(q->io, s->fd, head, sizeof head, s->off) != (ssize_t)sizeof head)
		return false;
	uint64_t len = get_u32(head);
	return len && len <= LOG_BODY_MAX && s->off + sizeof head + len <= s->size;
}

/* Reads one file: items into b, at most `frames` of them. */
static int read_bundle(struct queue *q, struct bundle *b, uint32_t frames, struct err *err)
{
	struct segment s;
	struct frame f;
	uint8_t key[KEY_BYTES] = {0};
	uint64_t want = b->number, gap_last;
	uint32_t got = 0;
	int r = segment_open(&s, q->io, q->dir, b->number, err);
	if (r <= 0)
		return r < 0 ? -1 : err_set(err, ERR_CORRUPT, "queue %s: %016llx isn't a bundle", q->vendor, (unsigned long long)b->number);
	b->created_us = s.created_us;
	r = 0;
	while (r == 0 && got < frames) {
		enum segment_step step = segment_step(&s, want, LOG_SEQ_MAX, true, &f, &gap_last);
		if (step == SEGMENT_END && frames == UINT32_MAX && tail_damaged(q, &s)) {
			say(SAY_ERROR, "queue-damaged", "vendor", S(q->vendor), "bundle", I(b->number), "first", I(want), NULL);
			q->damaged++;
			b->damaged = true;
		}
		if (step == SEGMENT_END)
			break;
		if (step == SEGMENT_GAP) {
			say(SAY_ERROR, "queue-damaged", "vendor", S(q->vendor), "bundle", I(b->number), "first", I(want), "last", I(gap_last), NULL);
			q->damaged += gap_last - want + 1;	/* a frame holds one event or more */
			want = gap_last + 1;
			continue;
		}
		want = f.seq + 1;
		if (f.type == LOG_KEY && f.len == KEY_BYTES + SEAL_OVERHEAD)
			r = seal_open(f.body, f.len, q->keys->public, q->keys->secret, key, err);
		if (f.type != LOG_REQUEST)
			continue;
		struct item *it = open_frame(key, s.salt, &f, err);
		if (!it) {
			r = -1;
			break;
		}
		got++;
		it->bundle = b;
		items_append(&b->items, it);
		b->loaded_bytes += it->bytes_len + it->n * sizeof it->v[0];
	}
	segment_close(&s);
	crypt_wipe(key, sizeof key);
	if (want > q->next_seq)
		q->next_seq = want;
	b->loaded = r == 0;
	return r;
}

int queue_load(struct queue *q, struct bundle *b, struct err *err)
{
	must(q->pending.len == 0);
	if (b == q->last)
		end_bundle(q);
	if (b->loaded || read_bundle(q, b, b->frames, err) == 0)
		return 0;
	queue_unload(q, b);
	q->damaged += b->damaged ? 0 : b->events;
	b->damaged = true;
	return -1;
}

void queue_unload(struct queue *q, struct bundle *b)
{
	(void)q;
	for (struct item *it; (it = b->items.first);) {
		items_remove(&b->items, it);
		item_free(it);
	}
	b->loaded = false;
	b->loaded_bytes = 0;
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static int open_folder(struct queue *q, int parent, struct err *err)
{
	q->dir = q->io->open(q->io->ctx, parent, q->vendor, O_RDONLY | O_DIRECTORY, 0);
	if (q->dir >= 0)
		return 0;
	if (errno != ENOENT || q->io->mkdir(q->io->ctx, parent, q->vendor, 0700) < 0 || q->io->sync(q->io->ctx, parent) < 0)
		return err_sys(err, "queue %s", q->vendor);
	q->dir = q->io->open(q->io->ctx, parent, q->vendor, O_RDONLY | O_DIRECTORY, 0);
	return q->dir < 0 ? err_sys(err, "queue %s", q->vendor) : 0;
}

/* A file that can't be read stays, under a name that says so. */
static void set_aside(struct queue *q, struct bundle *b, const struct err *why)
{
	char name[LOG_NAME], bad[NAME_BYTES];
	name_of(b->number, name);
	snprintf(bad, sizeof bad, "%s.bad", name);
	say(SAY_ERROR, "queue-damaged", "vendor", S(q->vendor), "file", S(name), "why", S(why->msg), NULL);
	q->io->rename(q->io->ctx, q->dir, name, bad);
	q->damaged++;	/* in the end only the file's name says that something was in it */
	if (b->number >= q->next_seq)
		q->next_seq = b->number + 1;
	bundle_forget(q, b);
}

static void mark_settled(struct queue *q, struct bundle *b, bool (*settled)(void *, uint64_t, uint32_t), void *arg)
{
	for (struct item *it = b->items.first; it && settled; it = it->next)
		for (uint32_t i = 0; i < it->n; i++)
			if (settled(arg, it->seq, it->v[i].index)) {
				item_set(it, i, EVENT_SETTLED);
				queue_settled(q, it, 0);
			}
}

/* Reads a bundle that was there, sums it up, writes it anew where needed.  A crash may have left it half written. */
static int take_up(struct queue *q, uint64_t number, bool (*settled)(void *, uint64_t, uint32_t), void *arg, struct err *err)
{
	struct bundle *b = bundle_add(q, number);
	struct err why;
	bool gone;
	int r = read_bundle(q, b, UINT32_MAX, &why);
	if (r == 0 && b->damaged && !b->items.first) {	/* it would be removed as empty */
		q->damaged--;
		r = err_set(&why, ERR_CORRUPT, "nothing in it can be read");
	}
	if (r < 0) {
		set_aside(q, b, &why);
		return 0;
	}
	for (struct item *it = b->items.first; it; it = it->next)
		sum_frame(b, it, it->n);
	char name[LOG_NAME];
	struct fio_stat st;
	name_of(number, name);
	int fd = q->io->open(q->io->ctx, q->dir, name, O_RDONLY, 0);
	if (fd < 0 || q->io->stat(q->io->ctx, fd, &st) < 0)
		return err_sys(err, "queue %s: %s", q->vendor, name);
	/* It may have been written and not synced: it counts as parked from here on, so it must be on disk. */
	r = q->io->sync(q->io->ctx, fd) < 0 ? err_sys(err, "queue %s: sync", q->vendor) : 0;
	q->io->close(q->io->ctx, fd);
	if (r < 0)
		return -1;
	b->bytes = st.size;
	q->bytes += b->bytes;
	q->events += b->events;
	mark_settled(q, b, settled, arg);
	bool anew = b->settled || b->events == 0;
	if (anew && queue_rewrite(q, b, &gone, err) < 0)
		return -1;
	if (!anew || !gone)
		queue_unload(q, b);
	return 0;
}

/* Those that an earlier start set aside. */
static bool count_bad(void *arg, const char *name)
{
	struct queue *q = arg;
	size_t n = strlen(name);
	q->damaged += n > 4 && strcmp(name + n - 4, ".bad") == 0;
	return true;
}

int queue_open(struct queue *q, const struct fio *io, int parent, const char *vendor, const struct queue_keys *keys,
	       bool (*settled)(void *arg, uint64_t seq, uint32_t index), void *arg, struct err *err)
{
	*q = (struct queue){.io = io, .keys = keys, .dir = -1, .fd = -1, .next_seq = FIRST_NUMBER, .bundle_bytes = QUEUE_BUNDLE_BYTES};
	snprintf(q->vendor, sizeof q->vendor, "%s", vendor);
	buf_init(&q->pending, 0);
	buf_init(&q->front, 0);
	forget_pending(q);
	forget_front(q);
	uint64_t *numbers = NULL;
	size_t n = 0;
	if (open_folder(q, parent, err) < 0 || segment_list(io, q->dir, &numbers, &n, err) < 0) {
		queue_close(q);
		return -1;
	}
	io->unlink(io->ctx, q->dir, "next");
	io->list(io->ctx, q->dir, count_bad, q);
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = take_up(q, numbers[i], settled, arg, err);
	free(numbers);
	if (r < 0)
		queue_close(q);
	return r;
}

void queue_close(struct queue *q)
{
	while (q->first)
		bundle_forget(q, q->first);
	end_bundle(q);
	buf_wipe(&q->pending);
	buf_wipe(&q->front);
	if (q->dir >= 0)
		q->io->close(q->io->ctx, q->dir);
	q->dir = -1;
}
