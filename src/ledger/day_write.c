/* A part of a day as its file: format in day.c. */
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"

const char day_magic[8] = {'W', 'E', 'I', 'R', 'D', 'A', 'Y', '1'};

/* By their spelling: two ledgers that hold the same write the same bytes. */
int set_order(const void *a, const void *b)
{
	const struct buf *x = &(*(const struct set *const *)a)->combo->key, *y = &(*(const struct set *const *)b)->combo->key;
	size_t n = x->len < y->len ? x->len : y->len;
	int r = memcmp(x->data, y->data, n);
	return r ? r : x->len < y->len ? -1 : x->len > y->len;
}

static int by_id(const void *a, const void *b)
{
	return memcmp(((const struct record *)a)->id, ((const struct record *)b)->id, 16);
}

static int by_use(const void *a, const void *b)
{
	const struct used *x = a, *y = b;
	int r = strcmp(x->vendor, y->vendor);
	if (r == 0 && x->version != y->version)
		r = x->version < y->version ? -1 : 1;
	return r ? r : memcmp(x->digest, y->digest, 32);
}

static const struct set **sorted_sets(const struct part *p)
{
	const struct set **v = xcalloc((size_t)p->sets_n + 1, sizeof *v);
	for (uint32_t i = 0; i < p->sets_n; i++)
		v[i] = &p->sets[i];
	qsort(v, p->sets_n, sizeof *v, set_order);
	return v;
}

void record_spell(const struct record *r, struct buf *out)
{
	buf_add(out, r->id, 16);
	buf_add(out, &r->what, 1);
	spell_u64(out, (uint64_t)r->at);
	spell_u32(out, r->people);
	spell_text(out, r->vendor);
	spell_text(out, r->who);
	spell_text(out, r->why);
}

static void write_records(const struct part *p, struct buf *out)
{
	struct record *r = xcalloc(p->records_n + 1, sizeof *r);
	if (p->records_n)
		memcpy(r, p->records, p->records_n * sizeof *r);
	qsort(r, p->records_n, sizeof *r, by_id);
	spell_u32(out, (uint32_t)p->records_n);
	for (size_t i = 0; i < p->records_n; i++)
		record_spell(&r[i], out);
	free(r);
}

static void write_links(const struct part *p, const struct bits *gone, struct buf *out)
{
	struct link *k = xcalloc(p->links_n + 1, sizeof *k);
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->links_n; i++)
		if (!gone || (!bits_has(gone, p->links[i].from) && !bits_has(gone, p->links[i].to)))
			k[n++] = p->links[i];
	qsort(k, n, sizeof *k, link_order);
	spell_u32(out, n);
	for (uint32_t i = 0; i < n; i++) {
		spell_u32(out, k[i].kind);
		spell_u32(out, k[i].from);
		spell_u32(out, k[i].to);
	}
	free(k);
}

static int by_erasure(const void *a, const void *b)
{
	return memcmp(((const struct erased *)a)->id, ((const struct erased *)b)->id, 16);
}

static void write_erased(const struct part *p, struct buf *out)
{
	struct erased *e = xcalloc(p->erased_n + 1, sizeof *e);
	if (p->erased_n)
		memcpy(e, p->erased, p->erased_n * sizeof *e);
	qsort(e, p->erased_n, sizeof *e, by_erasure);
	spell_u32(out, (uint32_t)p->erased_n);
	for (size_t i = 0; i < p->erased_n; i++)
		erased_spell(&e[i], out);
	free(e);
}

static void write_meta(const struct part *p, const struct set *const *sets, const struct bits *gone, struct buf *out)
{
	for (uint32_t i = 0; i < p->sets_n; i++) {
		buf_add(out, sets[i]->combo->key.data, sets[i]->combo->key.len);
		spell_u64(out, sets[i]->events);
	}
	spell_u32(out, (uint32_t)p->sources.n);
	for (size_t i = 0; i < p->sources.n; i++) {
		spell_u64(out, p->sources.v[i].from);
		spell_u64(out, p->sources.v[i].to);
	}
	write_records(p, out);
	struct used *u = xcalloc(p->used_n + 1, sizeof *u);
	if (p->used_n)
		memcpy(u, p->used, p->used_n * sizeof *u);
	qsort(u, p->used_n, sizeof *u, by_use);
	spell_u32(out, (uint32_t)p->used_n);
	for (size_t i = 0; i < p->used_n; i++) {
		spell_text(out, u[i].vendor);
		spell_u64(out, (uint64_t)u[i].version);
		buf_add(out, u[i].digest, 32);
	}
	free(u);
	write_links(p, gone, out);
	write_erased(p, out);
}

static bool chunk_empty(const uint64_t *w)
{
	for (size_t i = 0; i < CHUNK_WORDS; i++)
		if (w[i])
			return false;
	return true;
}

static uint32_t write_open(const struct bits *b, uint32_t set, struct buf *out)
{
	uint32_t n = 0;
	for (size_t k = 0; k < b->n; k++)
		if (b->v[k] && !chunk_empty(b->v[k])) {
			container_write(out, set, (uint16_t)k, b->v[k]);
			n++;
		}
	return n;
}

/* What stays of a closed one; most are copied. */
static uint32_t write_closed(const struct container *c, uint32_t set, const struct bits *gone, struct buf *out)
{
	uint64_t words[CHUNK_WORDS] = {0};
	if (!gone || c->chunk >= gone->n || !gone->v[c->chunk]) {
		buf_add(out, c->data - CONTAINER_HEAD, CONTAINER_HEAD + c->len);
		return 1;
	}
	container_or(c, words);
	words_best()->without(words, gone->v[c->chunk]);
	if (chunk_empty(words))
		return 0;
	container_write(out, set, c->chunk, words);
	return 1;
}

static struct container *write_containers(const struct part *p, const struct set *const *sets, const struct bits *gone, struct buf *out, uint32_t *n)
{
	size_t start = out->len, size;
	const char *why;
	*n = 0;
	for (uint32_t i = 0; i < p->sets_n; i++) {
		*n += write_open(&sets[i]->bits, i, out);
		for (size_t k = 0; k < sets[i]->containers_n; k++)
			*n += write_closed(&sets[i]->containers[k], i, gone, out);
	}
	struct container *v = xcalloc((size_t)*n + 1, sizeof *v);
	for (uint32_t i = 0; i < *n; i++, start += size)
		must(container_read(out->data + start, out->len - start, &v[i], &size, &why) == 0);
	return v;
}

void day_write(const struct part *p, const struct bits *gone, struct buf *out)
{
	uint8_t head[DAY_HEAD] = {0};
	const struct set **sets = sorted_sets(p);
	uint32_t n;
	size_t start = out->len;
	memcpy(head, day_magic, sizeof day_magic);
	put_u32(head + 8, DAY_VERSION);
	put_u32(head + 12, p->generation);
	put_u64(head + 16, (uint64_t)p->day);
	put_u32(head + 24, p->sets_n);
	put_u32(head + 36, p->dict_n);
	put_u32(head + 40, p->dict_crc);
	buf_add(out, head, sizeof head);
	write_meta(p, sets, gone, out);
	size_t meta = out->len - start - DAY_HEAD;
	struct container *v = write_containers(p, sets, gone, out, &n);
	put_u32(head + 28, n);
	put_u32(head + 32, (uint32_t)meta);
	container_root(v, n, head + 48);
	memcpy(head + 80, p->salt, sizeof p->salt);
	memcpy(out->data + start, head, DAY_HEAD);
	put_u32(out->data + start + 92, crc32c(crc32c(0, head, 92), out->data + start + DAY_HEAD, meta));
	free(v);
	free(sets);
}

