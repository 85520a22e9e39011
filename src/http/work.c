/* What the connections of a loop share: limits, and the pool of work. */
#include "http/work.h"

#include <stdlib.h>

static const struct http_limits defaults = {
	.head_bytes = 32768, .fields = 100, .body_bytes = 20u << 20, .ratio = 1000, .head_ms = 10000, .body_ms = 30000,
	.idle_ms = 75000, .connections = 10000, .memory_bytes = 256u << 20,
};

void hub_init(struct hub *h, const struct http_limits *l, http_handler handler, void *arg)
{
	*h = (struct hub){.limits = l ? *l : defaults, .handler = handler, .arg = arg, .date_at = -1};
	struct http_limits *m = &h->limits;
#define FILL(field) (m->field = m->field ? m->field : defaults.field)
	FILL(head_bytes), FILL(fields), FILL(body_bytes), FILL(ratio), FILL(head_ms), FILL(body_ms);
	FILL(idle_ms), FILL(connections), FILL(memory_bytes);
#undef FILL
	buf_init(&h->head, 0);
}

static void work_free(struct work *w)
{
	arena_release(&w->arena);
	buf_release(&w->apart);
	buf_release(&w->plain);
	free(w->headers);
	free(w->in);
	free(w);
}

void hub_release(struct hub *h)
{
	for (struct work *w = h->pool, *next; w; w = next) {
		next = w->next;
		work_free(w);
	}
	h->pool = NULL;
	h->pool_len = 0;
	buf_release(&h->head);
}

struct work *work_take(struct hub *h)
{
	struct work *w = h->pool;
	if (w) {
		h->pool = w->next;
		h->pool_len--;
	} else {
		w = xcalloc(1, sizeof(*w));
		w->cap = (size_t)h->limits.head_bytes * 2;
		if (w->cap < 64 * 1024)
			w->cap = 64 * 1024;
		w->in = xmalloc(w->cap + CONN_PAD);
		w->headers = xcalloc(h->limits.fields, sizeof(*w->headers));
		arena_init(&w->arena, (size_t)h->limits.body_bytes * 4 + (1u << 20));
		buf_init(&w->apart, 0);
		buf_init(&w->plain, 0);
	}
	w->next = NULL;
	w->rs = w->start = w->end = 0;
	return w;
}

static void buf_shed(struct buf *b)
{
	if (b->cap > CONN_KEEP_BYTES)
		buf_release(b);
	buf_reset(b);
}

void work_reset(struct work *w)
{
	arena_reset(&w->arena);
	buf_shed(&w->apart);
	buf_shed(&w->plain);
	w->rs = w->start;
	w->top = w->headers_len = w->head_extra = w->body_at = w->body_len = 0;
	w->target = (struct span){NULL, 0};
	w->spans = SPANS_OFFSETS;
	w->target_done = false;
	w->place = BODY_NONE;
	w->content_length = 0;
	if (w->start == w->end)
		w->rs = w->start = w->end = 0;
}

void work_give(struct hub *h, struct work **wp)
{
	struct work *w = *wp;
	*wp = NULL;
	if (!w)
		return;
	w->start = w->end = 0;
	work_reset(w);
	if (h->pool_len >= CONN_POOL) {
		work_free(w);
		return;
	}
	w->next = h->pool;
	h->pool = w;
	h->pool_len++;
}

bool conn_charge(struct conn *c, uint64_t n)
{
	struct hub *h = c->hub;
	if (h->stats.body_bytes_held + n > h->limits.memory_bytes)
		return false;
	h->stats.body_bytes_held += n;
	c->charged += n;
	return true;
}

void conn_discharge(struct conn *c)
{
	c->hub->stats.body_bytes_held -= c->charged;
	c->charged = 0;
}

uint64_t hub_now_ms(struct hub *h)
{
	if (h->loop)
		h->now_ms = uv_now(h->loop);
	return h->now_ms;
}

bool work_apart(struct conn *c, const char *at, size_t n)
{
	struct buf *b = &c->w->apart;
	size_t had = b->cap;
	if (!buf_reserve(b, n + CONN_PAD))
		return false;
	if (!conn_charge(c, b->cap - (c->charged ? had : 0)))
		return false;
	memcpy(b->data + b->len, at, n);
	b->len += n;
	return true;
}

void work_place(struct work *w, const char *at)
{
	size_t off = (size_t)(at - w->in);
	w->place = w->cap - off >= w->content_length ? BODY_INPLACE : BODY_APART;
	w->body_at = off;
}
