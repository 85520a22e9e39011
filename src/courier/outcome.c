#include "courier/outcome.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/say.h"

enum { VERSION = 1, HEAD = 24, RECORD = 24 };
static const uint8_t stream[16] = "weir courier";

static void list_add(struct outcome_list *l, const struct outcome_record *r)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->v = xrealloc(l->v, l->cap * sizeof *l->v);
	}
	l->v[l->n++] = *r;
}

void outcomes_keep(struct outcome_list *l, enum outcome_kind kind, enum outcome_place place, uint64_t seq, uint32_t index)
{
	struct outcome_record *r = l->n ? &l->v[l->n - 1] : NULL;
	if (r && r->seq == seq && r->kind == kind && r->place == place && (index == r->last + 1 || index == r->last)) {
		r->last = index;
		return;
	}
	list_add(l, &(struct outcome_record){.kind = (uint8_t)kind, .place = (uint8_t)place, .first = index, .last = index, .seq = seq});
}

void outcomes_add(struct outcomes *o, enum outcome_kind kind, enum outcome_place place, uint64_t seq, uint32_t index)
{
	outcomes_keep(&o->pending, kind, place, seq, index);
}

/* ---- bytes ----------------------------------------------------------------------------------------------------- */

static void encode(struct buf *b, uint64_t passed, const struct outcome_list *l)
{
	uint8_t h[HEAD] = {VERSION};
	put_u64(h + 8, passed);
	put_u32(h + 16, (uint32_t)l->n);
	buf_add(b, h, sizeof h);
	for (size_t i = 0; i < l->n; i++) {
		uint8_t r[RECORD] = {l->v[i].kind, l->v[i].place};
		put_u32(r + 4, l->v[i].first);
		put_u64(r + 8, l->v[i].seq);
		put_u32(r + 16, l->v[i].last);
		buf_add(b, r, sizeof r);
	}
}

static bool decode(const uint8_t *p, size_t n, struct outcomes *o)
{
	if (n < HEAD || p[0] != VERSION || n != HEAD + (size_t)get_u32(p + 16) * RECORD)
		return false;
	uint64_t passed = get_u64(p + 8);
	if (passed > o->passed)
		o->passed = passed;
	for (const uint8_t *r = p + HEAD; r < p + n; r += RECORD) {
		struct outcome_record rec = {.kind = r[0], .place = r[1], .first = get_u32(r + 4), .seq = get_u64(r + 8), .last = get_u32(r + 16)};
		if (rec.place <= PLACE_QUEUE && rec.first <= rec.last)
			list_add(&o->known[rec.place], &rec);
	}
	return true;
}

/* ---- start ----------------------------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	const struct outcome_record *x = a, *y = b;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* Sorted, and overlapping ones joined, so that a look-up needs to see one record only. */
static void settle_list(struct outcome_list *l)
{
	if (l->n == 0)
		return;
	qsort(l->v, l->n, sizeof *l->v, by_place);
	size_t k = 0;
	for (size_t i = 1; i < l->n; i++) {
		struct outcome_record *last = &l->v[k], *r = &l->v[i];
		if (r->seq == last->seq && r->first <= (uint64_t)last->last + 1)
			last->last = r->last > last->last ? r->last : last->last;
		else
			l->v[++k] = *r;
	}
	l->n = k + 1;
}

/* Those up to passed are of no use any more. */
static void forget_passed(struct outcomes *o, uint64_t passed)
{
	struct outcome_list *l = &o->known[PLACE_LOG];
	size_t k = 0;
	while (k < l->n && l->v[k].seq <= passed)
		k++;
	l->n -= k;
	if (l->n)
		memmove(l->v, l->v + k, l->n * sizeof *l->v);
}

static int read_all(struct outcomes *o, const struct fio *io, int dir, struct err *err)
{
	struct log_reader *r;
	struct log_frame f;
	int rc;
	if (log_reader_open(io, dir, NULL, 0, &r, err) < 0)
		return -1;
	while ((rc = log_read(r, &f, err)) != 0) {
		if (rc < 0 && err->code != ERR_CORRUPT)
			break;
		if (rc < 0)	/* what is lost here is delivered again */
			say(SAY_ERROR, "outcomes-damaged", "why", S(err->msg), NULL);
		else if (f.type == LOG_OUTCOME && !decode(f.body, f.len, o))
			say(SAY_ERROR, "outcomes-damaged", "seq", I(f.seq), NULL);
	}
	log_reader_close(&r);
	return rc;
}

/* The first frame of a segment: all that the older ones are still needed for. */
static void on_segment(struct log_writer *w, const uint8_t salt[static 16], void *arg)
{
	(void)salt;
	struct outcomes *o = arg;
	struct outcome_list l = {0};
	struct err err;
	struct buf b;
	buf_init(&b, 0);
	for (int p = 0; p < 2; p++)
		for (size_t i = 0; i < o->known[p].n; i++)
			list_add(&l, &o->known[p].v[i]);
	o->snapshot(o->arg, &l);
	encode(&b, o->passed, &l);
	if (log_append(w, LOG_OUTCOME, b.data, b.len, &o->snapshot_seq, &err) == 0)
		o->snapshot_new = true;
	else
		say(SAY_ERROR, "outcomes-snapshot", "why", S(err.msg), NULL);
	buf_release(&b);
	free(l.v);
}

int outcomes_open(struct outcomes *o, const struct fio *io, int dir, const struct log_limits *l,
		  void (*snapshot)(void *arg, struct outcome_list *l), void *arg, struct err *err)
{
	struct log_recovery found = {0};
	*o = (struct outcomes){.snapshot = snapshot, .arg = arg};
	int r = log_writer_open(io, dir, stream, l, &o->mark, on_segment, o, &o->log, &found, err);
	for (size_t i = 0; i < found.gaps_len; i++)
		say(SAY_ERROR, "outcomes-damaged", "first", I(found.gaps[i].first_seq), "last", I(found.gaps[i].last_seq), NULL);
	log_recovery_release(&found);
	if (r < 0 || read_all(o, io, dir, err) < 0) {
		outcomes_close(o);
		return -1;
	}
	settle_list(&o->known[PLACE_LOG]);
	settle_list(&o->known[PLACE_QUEUE]);
	forget_passed(o, o->passed);
	return 0;
}

void outcomes_close(struct outcomes *o)
{
	log_writer_close(&o->log);
	free(o->known[0].v);
	free(o->known[1].v);
	free(o->pending.v);
	*o = (struct outcomes){0};
}

bool outcomes_known(const struct outcomes *o, enum outcome_place place, uint64_t seq, uint32_t index)
{
	const struct outcome_list *l = &o->known[place];
	size_t lo = 0, hi = l->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct outcome_record *r = &l->v[mid];
		if (r->seq < seq || (r->seq == seq && r->last < index))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->n && l->v[lo].seq == seq && l->v[lo].first <= index;
}

bool outcomes_settled(void *arg, uint64_t seq, uint32_t index)
{
	struct outcomes *o = arg;
	/* It is on disk here, whatever the log of outcomes got to know: it needs no second copy. */
	if (seq > o->passed && !outcomes_known(o, PLACE_LOG, seq, index))
		outcomes_add(o, OUTCOME_PARKED, PLACE_LOG, seq, index);
	return outcomes_known(o, PLACE_QUEUE, seq, index);
}

void outcomes_adopt(struct outcomes *o)
{
	for (size_t i = 0; i < o->pending.n; i++)
		list_add(&o->known[PLACE_LOG], &o->pending.v[i]);
	settle_list(&o->known[PLACE_LOG]);
	o->known[PLACE_QUEUE].n = 0;
}

int outcomes_commit(struct outcomes *o, uint64_t passed, struct err *err)
{
	if (o->pending.n == 0 && passed == o->passed)
		return 0;
	struct buf b;
	buf_init(&b, 0);
	encode(&b, passed, &o->pending);
	o->snapshot_new = false;
	int r = log_append(o->log, LOG_OUTCOME, b.data, b.len, NULL, err);
	buf_release(&b);
	if (r < 0 || log_commit(o->log, err) < 0)
		return -1;
	o->pending.n = 0;
	o->passed = passed;
	if (o->snapshot_new && log_release(o->log, o->snapshot_seq - 1, err) < 0)
		say(SAY_WARN, "outcomes-release", "why", S(err->msg), NULL);
	if (o->known[PLACE_LOG].n)
		forget_passed(o, passed);
	return 0;
}
