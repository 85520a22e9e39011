/* The gate's log: frames are opened, given to their vendors, and counted until they are settled. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/say.h"
#include "courier/inside.h"

enum { READ_FRAMES = 4096, READ_BYTES = 8 << 20, STUCK_MS = 5000 };

int intake_open(struct courier *c, struct err *err)
{
	c->in.read = c->outcomes.passed;
	return log_reader_open(c->io, c->log_dir, c->mark, c->in.read, &c->in.reader, err);
}

void intake_close(struct courier *c)
{
	log_reader_close(&c->in.reader);
	for (struct position *p; (p = c->in.first);) {
		c->in.first = p->next;
		free(p);
	}
	c->in.last = NULL;
	crypt_wipe(c->in.key, sizeof c->in.key);
}

static int use_key(struct courier *c, const struct log_frame *f, struct err *err)
{
	if (f->len != KEY_BYTES + SEAL_OVERHEAD)
		return err_set(err, ERR_CORRUPT, "a segment's key of %zu bytes", f->len);
	if (seal_open(f->body, f->len, c->keys.public, c->keys.secret, c->in.key, err) < 0)
		return -1;
	c->in.segment = f->segment;
	return 0;
}

/* After a start in the middle of a segment: its key is its first frame. */
static int fetch_key(struct courier *c, uint64_t segment, struct err *err)
{
	struct log_reader *r;
	struct log_frame f;
	if (log_reader_open(c->io, c->log_dir, c->mark, segment - 1, &r, err) < 0)
		return -1;
	int rc = log_read(r, &f, err);
	if (rc == 1 && f.type == LOG_KEY && f.segment == segment)
		rc = use_key(c, &f, err);
	else if (rc >= 0)
		rc = err_set(err, ERR_CORRUPT, "segment %016llx has no key", (unsigned long long)segment);
	log_reader_close(&r);
	return rc;
}

static struct position *add_position(struct courier *c, uint64_t seq, uint32_t n)
{
	struct position *p = xcalloc(1, sizeof *p);
	*p = (struct position){.seq = seq, .n = n, .unsettled = n};
	if (c->in.last)
		c->in.last->next = p;
	else
		c->in.first = p;
	c->in.last = p;
	return p;
}

/* What an earlier run has settled doesn't go again. */
static void skip_known(struct courier *c, struct item *it)
{
	for (uint32_t i = 0; i < it->n && c->outcomes.known[PLACE_LOG].n; i++)
		if (outcomes_known(&c->outcomes, PLACE_LOG, it->seq, i)) {
			item_set(it, i, EVENT_SETTLED);
			it->position->unsettled--;
		}
}

static struct item *open_item(struct courier *c, const struct log_frame *f, const struct block *b, struct err *err)
{
	uint8_t *plain = xmalloc(b->sealed_len);
	struct item *it = NULL;
	if (aead_open(c->in.key, f->salt, f->seq, b->clear, b->clear_len, b->sealed, b->sealed_len, plain, err) == 0)
		it = item_new(b, f->seq, plain);
	crypt_wipe(plain, b->sealed_len);
	free(plain);
	return it;
}

/* A frame that nobody can ever deliver: damaged before it was sealed, or forged.  Said loudly, counted, passed. */
static void unreadable(const struct log_frame *f, const struct err *why)
{
	say(SAY_ERROR, "frame-unreadable", "seq", I(f->seq), "why", S(why->msg), NULL);
}

static void take_request(struct courier *c, const struct log_frame *f)
{
	struct block b;
	struct err err;
	if (block_parse(f->body, f->len, &b, &err) < 0) {
		unreadable(f, &err);
		return;
	}
	if (b.head.count == 0 || b.sealed_len == 0)	/* all dropped by the contract, or passed through already */
		return;
	struct seat *s = seat_of(c, b.head.vendor.at, b.head.vendor.len);
	struct item *it = s ? open_item(c, f, &b, &err) : NULL;
	if (!it) {
		if (!s)
			err_set(&err, ERR_CORRUPT, "a bad vendor's name");
		unreadable(f, &err);
		return;
	}
	it->position = add_position(c, f->seq, it->n);
	skip_known(c, it);
	if (it->unsettled == 0)
		item_free(it);
	else
		vendor_take(&s->v, it, clock_now());
}

/* 0, or -1: this frame can't be passed now. */
static int take_frame(struct courier *c, const struct log_frame *f, struct err *err)
{
	if (f->type == LOG_KEY)
		return use_key(c, f, err);
	if (f->type != LOG_REQUEST)
		return 0;
	if (c->in.segment != f->segment && fetch_key(c, f->segment, err) < 0)
		return -1;
	take_request(c, f);
	return 0;
}

/* Without the segment's key nothing in it can be delivered, and none of it may be passed: wait for a person. */
static void stuck(struct courier *c, const struct err *why)
{
	struct err err;
	say(SAY_ERROR, "log-sealed", "after", I(c->in.read), "why", S(why->msg), NULL);
	c->in.stuck_at_ms = clock_mono_ms() + STUCK_MS;
	log_reader_close(&c->in.reader);
	if (log_reader_open(c->io, c->log_dir, c->mark, c->in.read, &c->in.reader, &err) < 0)
		say(SAY_ERROR, "log-reader", "why", S(err.msg), NULL);
}

bool intake_read(struct courier *c)
{
	struct log_frame f;
	struct err err;
	size_t bytes = 0;
	if (!c->in.reader || clock_mono_ms() < c->in.stuck_at_ms)
		return false;
	for (int i = 0; i < READ_FRAMES && bytes < READ_BYTES; i++) {
		int64_t now_us = clock_now_us();
		int r = log_read(c->in.reader, &f, &err);
		if (r == 0) {
			c->in.all_us = now_us;
			return false;
		}
		if (r < 0) {
			say(SAY_ERROR, "log-damaged", "after", I(c->in.read), "why", S(err.msg), NULL);
			if (err.code != ERR_CORRUPT)
				return false;
			continue;
		}
		if (take_frame(c, &f, &err) < 0) {
			stuck(c, &err);
			return false;
		}
		c->in.read = f.seq;
		bytes += f.len;
	}
	return true;
}

uint64_t intake_passed(const struct courier *c)
{
	const struct position *p = c->in.first;
	while (p && p->unsettled == 0)
		p = p->next;
	return p ? p->seq - 1 : c->in.read;
}

void intake_forget(struct courier *c, uint64_t passed)
{
	for (struct position *p; (p = c->in.first) && p->seq <= passed && p->unsettled == 0;) {
		c->in.first = p->next;
		free(p);
	}
	if (!c->in.first)
		c->in.last = NULL;
}

/* Frames that are settled and wait for one before them; those that are settled in part are their vendors' to tell. */
void intake_snapshot(const struct courier *c, struct outcome_list *l)
{
	for (const struct position *p = c->in.first; p; p = p->next)
		for (uint32_t i = 0; i < p->n && p->unsettled == 0; i++)
			outcomes_keep(l, OUTCOME_DELIVERED, PLACE_LOG, p->seq, i);
}
