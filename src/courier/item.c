#include "courier/item.h"

#include <stdlib.h>

#include "crypt/crypt.h"

struct item *item_new(const struct block *b, uint64_t seq, const uint8_t *plain)
{
	struct item *it = xcalloc(1, sizeof *it + b->head.count * sizeof it->v[0]);
	it->seq = seq;
	it->serial = b->head.plan_serial;
	it->route = b->head.route;
	it->received_us = (int64_t)b->head.received_us;
	it->n = it->waiting = it->unsettled = b->head.count;
	it->bytes_len = b->sealed_len - AEAD_OVERHEAD;
	it->bytes = xmalloc(it->bytes_len + 1);
	memcpy(it->bytes, plain, it->bytes_len);
	uint32_t off = 0;
	for (uint32_t i = 0; i < it->n; i++) {
		struct block_object o;
		block_object_at(b, i, &o);
		it->v[i] = (struct event){.off = off, .len = o.len, .splice = o.splice, .index = i, .time_s = o.time_s, .kind = o.kind};
		off += o.len;
	}
	return it;
}

void item_free(struct item *it)
{
	crypt_wipe(it->bytes, it->bytes_len);
	free(it->bytes);
	free(it);
}

void items_append(struct items *l, struct item *it)
{
	it->prev = l->last;
	it->next = NULL;
	if (l->last)
		l->last->next = it;
	else
		l->first = it;
	l->last = it;
}

void items_remove(struct items *l, struct item *it)
{
	if (it->prev)
		it->prev->next = it->next;
	else
		l->first = it->next;
	if (it->next)
		it->next->prev = it->prev;
	else
		l->last = it->prev;
	it->prev = it->next = NULL;
}

void item_set(struct item *it, uint32_t i, enum event_state to)
{
	enum event_state from = (enum event_state)it->v[i].state;
	must(from != EVENT_SETTLED);
	it->waiting -= from == EVENT_WAIT;
	it->waiting += to == EVENT_WAIT;
	it->unsettled -= to == EVENT_SETTLED;
	it->v[i].state = (uint8_t)to;
}
