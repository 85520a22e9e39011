/*
 * One request: decode, ask for the plan of the moment, minimise, filter by source, build the exposure block, hand over.
 *
 * Everything up to the hand-over happens in one call on the loop, so the loop's scratch (apply_out) is used by one
 * request at a time.  What a parcel needs later, it owns: its two buffers are swapped, not copied.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "gate/inside.h"

/* ---- parcels -------------------------------------------------------------------------------------------------- */

enum { PARCEL_KEEP_BYTES = 256 * 1024, OBJECTS_MAX = 20000 };

static struct parcel *parcel_take(struct loop *l)
{
	struct parcel *p = l->pool;
	if (p) {
		l->pool = p->next;
		p->next = NULL;
		return p;
	}
	p = xcalloc(1, sizeof(*p));
	p->home = l;
	buf_init(&p->clear, 0);
	buf_init(&p->links, 0);
	buf_init(&p->objects, 0);
	return p;
}

static void shed(struct buf *b)
{
	if (b->cap > PARCEL_KEEP_BYTES)
		buf_release(b);
	buf_reset(b);
}

static void parcel_give(struct parcel *p)
{
	gate_view_release(&p->view);
	shed(&p->clear);
	shed(&p->links);
	shed(&p->objects);
	p->rq = NULL;
	p->next = p->home->pool;
	p->home->pool = p;
}

/* ---- the loop's own ------------------------------------------------------------------------------------------- */

void gate_loop_init(struct loop *l)
{
	apply_out_init(&l->out, (size_t)l->gate->limits.body_bytes * 2 + (1u << 20));
	l->subject = pseudo_new(l->gate->subject_key, 0);
	l->env = (struct apply_env){.subject = l->subject, .detect = true, .mint = true,
				   .limits.objects = OBJECTS_MAX};
	l->day = INT64_MIN;
	gate_learn_init(l);
}

void gate_loop_release(struct loop *l)
{
	for (struct parcel *p = l->pool, *next; p; p = next) {
		next = p->next;
		buf_release(&p->clear);
		buf_release(&p->links);
		buf_release(&p->objects);
		free(p);
	}
	for (size_t i = 0; i < l->keys_len; i++)
		pseudo_free(&l->keys[i]);
	free(l->keys);
	gate_learn_release(l);
	pseudo_free(&l->subject);
	apply_out_release(&l->out);
}

static struct pseudo *vendor_pseudo(struct loop *l, const struct vendor *v)
{
	if (v->index >= l->keys_len) {
		l->keys = xrealloc(l->keys, (v->index + 1) * sizeof(*l->keys));
		memset(l->keys + l->keys_len, 0, (v->index + 1 - l->keys_len) * sizeof(*l->keys));
		l->keys_len = v->index + 1;
	}
	struct pseudo **k = &l->keys[v->index];
	if (!*k) {
		uint8_t key[KEY_BYTES];
		crypt_vendor_key(l->gate->vendor_root, v->name, 0, key);
		*k = pseudo_new(key, 0);
		crypt_wipe(key, sizeof(key));
	}
	return *k;
}

/* Sixteen random bytes; the kernel is asked for many at once. */
static void request_number(struct loop *l, uint8_t out[static 16])
{
	if (l->randoms_left < 16) {
		crypt_random(l->randoms, sizeof(l->randoms));
		l->randoms_left = sizeof(l->randoms);
	}
	l->randoms_left -= 16;
	memcpy(out, l->randoms + l->randoms_left, 16);
}

static void prepare_env(struct loop *l, const struct vendor *v, int64_t now_s)
{
	int64_t day = now_s / 86400;
	if (day != l->day) {
		clock_format_day(now_s, l->env.day);
		l->day = day;
	}
	l->env.vendor = vendor_pseudo(l, v);
	l->env.received_s = now_s;
	request_number(l, l->env.request_no);
}

/* ---- answers -------------------------------------------------------------------------------------------------- */

struct request {
	struct loop *l;
	struct http_request *rq;
	struct view *v;
	const struct route *route;
	unsigned index;
	struct wire_style style;
	struct span token;	/* that stands outside the objects */
};

static void reply(const struct request *r, enum outcome o, uint32_t kept, uint32_t dropped, const char *error)
{
	struct wire_reply out = {.status = 500};
	r->v->adapter->reply(r->route, &r->style, o, kept, dropped, error, r->rq->arena, &out);
	gate_answer(r->rq, &out);
}

/* error: for the SDK's developer, what and where and never what stood there; NULL: the protocol's own words. */
static void refuse(const struct request *r, enum outcome o, enum count why, const char *error)
{
	gate_count(r->v->vendor, why, 1);
	reply(r, o, 0, 0, error);
}

/* A request that can't be read, or is too large.  The message points and doesn't quote (base/err.h). */
static void refuse_read(const struct request *r, bool large, const struct err *why)
{
	struct buf b;
	buf_init(&b, 512);
	buf_addf(&b, "weir: %s", why->msg);
	if (why->off != ERR_NOOFF)
		buf_addf(&b, ", at byte %zu of the JSON", why->off);
	char *text = why->msg[0] && !b.over ? arena_strndup(r->rq->arena, (const char *)b.data, b.len) : NULL;
	buf_release(&b);
	refuse(r, large ? OUTCOME_TOO_LARGE : OUTCOME_UNREADABLE, large ? COUNT_TOO_LARGE : COUNT_UNREADABLE, text);
}

/* `on_hit: refuse`: the message names a place of the contract and a kind. */
static void refuse_found(const struct request *r, const struct err *why)
{
	struct buf b;
	buf_init(&b, 512);
	buf_addf(&b, "weir: %s", why->msg);
	refuse(r, OUTCOME_REJECTED, COUNT_REFUSED, b.over ? NULL : arena_strndup(r->rq->arena, (const char *)b.data, b.len));
	buf_release(&b);
}

static void refuse_closed(const struct request *r, enum outcome o, enum count why)
{
	const char *reason = gate_count_reason(why);
	struct buf b;
	buf_init(&b, 128);
	buf_addf(&b, "weir: nothing goes to this vendor now: %s", reason);
	refuse(r, o, why, arena_strndup(r->rq->arena, (const char *)b.data, b.len));
	buf_release(&b);
}

/* ---- what is kept --------------------------------------------------------------------------------------------- */

struct tally {
	uint32_t kept, dropped, unknown;
};

static void count_found(const struct request *r)
{
	for (size_t i = 0; i < DETECT_TYPES; i++)
		if (r->l->out.found[i])
			atomic_fetch_add_explicit(&r->v->vendor->found[i], r->l->out.found[i], memory_order_relaxed);
	const struct own_row *rows;
	size_t n = r->l->out.found[DETECT_CUSTOM] ? plan_own(r->v->plan->plan, &rows) : 0;
	for (size_t i = 0; i < n; i++)
		if (r->l->out.own_found[i])
			atomic_fetch_add_explicit(&r->v->plan->own[i]->n, r->l->out.own_found[i], memory_order_relaxed);
}

/* Which of plan_apply's results stay: those whose source is known, unless all are held back. */
static struct tally tally_objects(const struct request *r, const struct wire_objects *o, enum count all_dropped_by, int64_t now_s)
{
	struct apply_out *out = &r->l->out;
	struct tally t = {0};
	struct flow_tally flow = {.vendor = r->v->vendor, .plan = r->v->plan};
	for (size_t i = 0; i < out->n; i++) {
		struct applied *a = &out->v[i];
		struct span token = a->token.len ? a->token : r->token;
		enum count why = (enum count)a->dropped;
		int source = gate_token_source(r->v->tokens, token);
		if (a->dropped == DROP_NONE && source < 0) {
			why = COUNT_UNKNOWN_SOURCE;
			t.unknown++;
		} else if (all_dropped_by) {
			why = all_dropped_by;
		}
		if (source >= 0) {
			gate_flow_count(&flow, (unsigned)source, a, why == COUNT_KEPT);
			gate_learn(r->l, r->v, (unsigned)source, a, o->json.at, o->json.len, now_s);
		}
		if (why == COUNT_KEPT) {
			t.kept++;
			continue;
		}
		a->dropped = DROP_EVENT;	/* not built into the block */
		t.dropped++;
		gate_count(r->v->vendor, why, 1);
	}
	gate_flow_settle(&flow);
	return t;
}

/* learn and consent hold everything back; 0: neither. */
static enum count held_back(const struct request *r)
{
	const struct contract *c = r->v->plan->file.contract;
	if (c->learn)
		return COUNT_LEARN;
	if (c->refuse_sec_gpc && span_eq(http_field(r->rq, "sec-gpc"), "1"))
		return COUNT_CONSENT;
	return 0;
}

static void add_object(struct buf *clear, const struct block_head *h, const struct applied *a)
{
	struct block_object o = {.kind = (uint8_t)a->kind, .len = a->len, .splice = a->splice, .time_s = a->time_s,
				 .leaves = (const uint8_t *)a->leaves};
	memcpy(o.subject, a->subject, sizeof(o.subject));
	memcpy(o.attributes, a->attributes, sizeof(o.attributes));
	block_add(clear, h, &o);
}

/* What the links that are kept say of the people, for the ledger. */
static void fill_links(struct parcel *p, const struct request *r, int64_t now_us)
{
	const struct apply_out *out = &r->l->out;
	const struct link_head h = {.plan_serial = r->v->plan->file.serial, .received_us = (uint64_t)now_us, .leaf_bytes = r->v->plan->leaf_bytes,
				    .vendor = {r->v->vendor->name, r->v->vendor->name_len}};
	uint32_t n = 0;
	size_t began = link_begin(&p->links, &h);
	for (size_t i = 0; i < out->links_n; i++) {
		const struct link_ids *k = &out->links[i];
		const struct applied *a = &out->v[k->object];
		if (a->dropped != DROP_NONE)
			continue;
		link_add(&p->links, &h, &(struct link_one){.n = k->n, .persons = k->persons, .attributes = a->attributes,
							   .leaves = (const uint8_t *)a->leaves, .subjects = k->ids[0]});
		n++;
	}
	link_finish(&p->links, began, n);
	if (n == 0)
		buf_reset(&p->links);
}

/* The block, and the kept objects moved together; the bytes change hands without a copy. */
static void fill_parcel(struct parcel *p, const struct request *r, int64_t now_us)
{
	struct apply_out *out = &r->l->out;
	struct block_head h = {.route = (uint16_t)r->index, .plan_serial = r->v->plan->file.serial, .received_us = (uint64_t)now_us,
			       .vendor = {r->v->vendor->name, r->v->vendor->name_len}, .leaf_bytes = r->v->plan->leaf_bytes,
			       .count = p->kept, .dropped = p->dropped};
	size_t at = 0, began;
	memcpy(h.request_no, r->l->env.request_no, sizeof(h.request_no));
	began = block_begin(&p->clear, &h);
	for (size_t i = 0; i < out->n; i++) {
		struct applied *a = &out->v[i];
		if (a->dropped != DROP_NONE)
			continue;
		add_object(&p->clear, &h, a);
		if (a->at != at)
			memmove(out->bytes.data + at, out->bytes.data + a->at, a->len);
		at += a->len;
	}
	block_finish(&p->clear, began);
	out->bytes.len = at;
	struct buf spare = p->objects;
	p->objects = out->bytes;
	spare.max = out->bytes.max;
	out->bytes = spare;
}

static void hand_over(const struct request *r, const struct tally *t, int64_t now_us)
{
	struct parcel *p = parcel_take(r->l);
	p->kept = t->kept;
	p->dropped = t->dropped;
	p->durable = false;
	if (r->l->out.links_n)
		fill_links(p, r, now_us);
	fill_parcel(p, r, now_us);
	p->rq = r->rq;
	p->route = r->route;
	p->style = r->style;
	p->view = *r->v;
	r->v->plan = NULL;	/* the references moved */
	r->v->tokens = NULL;
	if (gate_commit_put(r->l, p, now_us))
		return;
	gate_count(p->view.vendor, COUNT_MEMORY, p->kept);
	struct wire_reply out = {.status = 503};
	p->view.adapter->reply(p->route, &p->style, OUTCOME_RETRY, 0, 0, NULL, p->rq->arena, &out);
	gate_answer(p->rq, &out);
	parcel_give(p);
}

void gate_request_done(struct parcel *p)
{
	struct wire_reply out = {.status = 500};
	gate_count(p->view.vendor, p->durable ? COUNT_KEPT : COUNT_DISK, p->kept);
	p->view.adapter->reply(p->route, &p->style, p->durable ? OUTCOME_ACCEPTED : OUTCOME_RETRY, p->kept, p->dropped, NULL,
			       p->rq->arena, &out);
	gate_answer(p->rq, &out);
	parcel_give(p);
}

/* ---- the request ---------------------------------------------------------------------------------------------- */

static bool decode(struct request *r, struct span path, unsigned method, struct wire_objects *o)
{
	struct http_request *rq = r->rq;
	struct wire_request wire = {.method = method, .path = path, .query = rq->query, .body = rq->body,
				    .content_type = http_field(rq, "content-type"),
				    .authorization = http_field(rq, "authorization")};
	struct err err = {.off = ERR_NOOFF};
	*o = (struct wire_objects){.ndjson = false};
	int bad = r->v->adapter->decode(r->route, &wire, (size_t)r->l->gate->limits.body_bytes, rq->arena, o, &err);
	r->style = o->style;
	r->token = o->token;
	if (!bad)
		return true;
	refuse_read(r, err.code == ERR_LIMIT, &err);
	return false;
}

static bool may_pass(const struct request *r, int64_t now_s)
{
	enum outcome outcome;
	enum count why;
	if (!gate_plan_passes(r->v, now_s, &outcome, &why)) {
		refuse_closed(r, outcome, why);
		return false;
	}
	if (courier_mark_is_full(r->l->gate->courier, r->v->vendor->hash)) {
		refuse_closed(r, OUTCOME_RETRY, COUNT_QUOTA);
		return false;
	}
	return true;
}

/*
 * Too much of something: 413, which SDKs answer with smaller batches.  Not so for one object nested too deep or with too
 * many members (an error that points at a byte, before the number of objects ran out): no smaller batch would help.
 */
static bool is_large(const struct apply_out *out, const struct err *err)
{
	return err->code == ERR_LIMIT && (err->off == ERR_NOOFF || out->n >= OBJECTS_MAX);
}

static bool minimise(const struct request *r, const struct wire_objects *o, int64_t now_s)
{
	struct err err = {.off = ERR_NOOFF};
	struct apply_out *out = &r->l->out;
	prepare_env(r->l, r->v->vendor, now_s);
	apply_out_reset(out);
	int failed = plan_apply(r->v->plan->plan, &r->l->env, r->route->kind, o->json.at, o->json.len, o->ndjson, out, &err);
	count_found(r);
	if (!failed && !out->bytes.over)
		return true;
	if (!failed)
		err = (struct err){.code = ERR_LIMIT, .off = ERR_NOOFF};
	if (err.code == ERR_DENIED)
		refuse_found(r, &err);
	else
		refuse_read(r, is_large(out, &err), &err);
	return false;
}

void gate_request(struct loop *l, struct http_request *rq, struct view *v, const struct route *route, unsigned index,
		  struct span path, unsigned method)
{
	struct request r = {.l = l, .rq = rq, .v = v, .route = route, .index = index};
	struct wire_objects o;
	int64_t now_us = clock_now_us();
	if (!decode(&r, path, method, &o) || !may_pass(&r, now_us / 1000000) || !minimise(&r, &o, now_us / 1000000))
		return;
	struct tally t = tally_objects(&r, &o, held_back(&r), now_us / 1000000);
	if (t.kept)
		hand_over(&r, &t, now_us);
	else if (t.unknown && t.unknown == l->out.n)
		reply(&r, OUTCOME_REJECTED, 0, t.dropped, "weir: the token is no source's of this vendor");
	else
		reply(&r, OUTCOME_ACCEPTED, 0, t.dropped, NULL);
}
