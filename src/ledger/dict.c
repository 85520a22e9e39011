/* Subjects: their pseudonyms, numbered in the order in which they were first seen. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"

/* ---- hash table ----------------------------------------------------------------------------------------------------- */

uint64_t table_hash(const void *p, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);	/* FNV-1a */
	for (const uint8_t *at = p, *end = at + n; at < end; at++)
		h = (h ^ *at) * UINT64_C(0x100000001b3);
	return h ^ h >> 32;
}

uint32_t *table_find(struct table *t, uint64_t hash, bool (*same)(const void *arg, uint32_t index, const void *key), const void *arg,
		     const void *key)
{
	size_t i = hash & (t->cap - 1);
	while (t->v[i] && !same(arg, t->v[i] - 1, key))
		i = (i + 1) & (t->cap - 1);
	return &t->v[i];
}

void table_grow(struct table *t, uint64_t (*hash_of)(const void *arg, uint32_t index), const void *arg)
{
	if (2 * (t->n + 1) <= t->cap)
		return;
	struct table bigger = {.cap = t->cap ? 2 * t->cap : 64, .n = t->n};
	bigger.v = xcalloc(bigger.cap, sizeof *bigger.v);
	for (size_t k = 0; k < t->cap; k++) {
		if (!t->v[k])
			continue;
		size_t i = hash_of(arg, t->v[k] - 1) & (bigger.cap - 1);
		while (bigger.v[i])
			i = (i + 1) & (bigger.cap - 1);
		bigger.v[i] = t->v[k];
	}
	free(t->v);
	*t = bigger;
}

/* ---- keys ------------------------------------------------------------------------------------------------------------- */

/* A key is the output of a MAC: its first bytes are a hash already. */
static uint64_t key_hash(const uint8_t *key)
{
	return get_u64(key);
}

static uint64_t hash_at(const void *arg, uint32_t index)
{
	const struct dict *d = arg;
	return key_hash(d->keys[index]);
}

static bool same_key(const void *arg, uint32_t index, const void *key)
{
	const struct dict *d = arg;
	return memcmp(d->keys[index], key, SUBJECT_BYTES) == 0;
}

void dict_release(struct dict *d)
{
	free(d->keys);
	free(d->table.v);
	*d = (struct dict){0};
}

uint32_t dict_add(struct dict *d, const uint8_t key[static SUBJECT_BYTES])
{
	table_grow(&d->table, hash_at, d);
	uint32_t *slot = table_find(&d->table, key_hash(key), same_key, d, key);
	if (*slot)
		return *slot - 1;
	must(d->n < DICT_MAX);
	if (d->n == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 1024;
		d->keys = xrealloc(d->keys, d->cap * sizeof *d->keys);
	}
	memcpy(d->keys[d->n], key, SUBJECT_BYTES);
	d->table.n++;
	*slot = ++d->n;
	return d->n - 1;
}

bool dict_find(const struct dict *d, const uint8_t key[static SUBJECT_BYTES], uint32_t *id)
{
	struct table t = d->table;
	if (!t.cap)
		return false;
	const uint32_t *slot = table_find(&t, key_hash(key), same_key, d, key);
	if (*slot)
		*id = *slot - 1;
	return *slot != 0;
}

/* ---- dict/keys -------------------------------------------------------------------------------------------------------- */

static int by_n(const void *a, const void *b)
{
	const struct dict_claim *x = a, *y = b;
	return x->n < y->n ? -1 : x->n > y->n;
}

static int read_keys(struct dict *d, const struct fio *io, int dir, uint32_t need, const char *who, struct err *err)
{
	int fd = io->open(io->ctx, dir, "keys", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return errno == ENOENT ? err_set(err, ERR_CORRUPT, "state/ledger/dict/keys is gone, and day %s needs it", who)
				       : err_sys(err, "state/ledger/dict/keys");
	uint8_t *keys = xmalloc((size_t)need * SUBJECT_BYTES);
	ssize_t n = fio_read_all(io, fd, keys, (size_t)need * SUBJECT_BYTES, 0);
	int r = n < 0 ? err_sys(err, "state/ledger/dict/keys") : 0;
	io->close(io->ctx, fd);
	if (r == 0 && (size_t)n < (size_t)need * SUBJECT_BYTES)
		r = err_set(err, ERR_CORRUPT, "state/ledger/dict/keys holds %zd subjects, and day %s needs %u", n / SUBJECT_BYTES, who, need);
	for (uint32_t i = 0; r == 0 && i < need; i++)
		if (dict_add(d, keys + (size_t)i * SUBJECT_BYTES) != i)
			r = err_set(err, ERR_CORRUPT, "state/ledger/dict/keys holds subject %u twice", i);
	free(keys);
	return r;
}

int dict_load(struct dict *d, const struct fio *io, int dir, const struct dict_claim *claims, size_t n, struct err *err)
{
	if (n == 0)
		return 0;
	struct dict_claim *c = xcalloc(n, sizeof *c);
	memcpy(c, claims, n * sizeof *c);
	qsort(c, n, sizeof *c, by_n);
	int r = c[n - 1].n ? read_keys(d, io, dir, c[n - 1].n, c[n - 1].who, err) : 0;
	uint32_t at = 0, crc = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (c[i].n > at)
			crc = crc32c(crc, d->keys[at], (size_t)(c[i].n - at) * SUBJECT_BYTES);
		if (crc != c[i].crc)
			r = err_set(err, ERR_CORRUPT, "state/ledger/dict/keys is damaged before subject %u (checked against day %s)", c[i].n,
				    c[i].who);
		at = c[i].n;
	}
	d->synced = at;
	d->crc = crc;
	free(c);
	return r;
}

int dict_sync(struct dict *d, const struct fio *io, int dir, struct err *err)
{
	if (d->synced == d->n)
		return 0;
	size_t n = (size_t)(d->n - d->synced) * SUBJECT_BYTES;
	int fd = io->open(io->ctx, dir, "keys", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "state/ledger/dict/keys");
	bool good = fio_write_all(io, fd, d->keys[d->synced], n, (uint64_t)d->synced * SUBJECT_BYTES) == 0 && io->sync(io->ctx, fd) == 0 &&
		    io->sync(io->ctx, dir) == 0;
	int r = good ? 0 : err_sys(err, "state/ledger/dict/keys");
	io->close(io->ctx, fd);
	if (r == 0) {
		d->crc = crc32c(d->crc, d->keys[d->synced], n);
		d->synced = d->n;
	}
	return r;
}
