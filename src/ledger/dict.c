/*
 * Subjects: their pseudonyms, numbered in the order in which they were first seen.
 *
 * The index is made again at each start, so it has no format and needs no care.  A bucket is one line of the processor's
 * cache: twelve slots, a byte of the key for each, and a key is looked at only where that byte is the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ledger/inside.h"

enum { BUCKET = 12, AHEAD = 16, FILL_PERCENT = 75, FIRST_BUCKETS = 64, HUGE_PAGE = 2 << 20 };

struct dict_bucket {
	uint8_t tag[BUCKET];	/* 0: empty; filled from the front */
	uint32_t id[BUCKET];
	uint32_t unused;
};
_Static_assert(sizeof(struct dict_bucket) == 64, "one line of the cache");

/* ---- index ------------------------------------------------------------------------------------------------------------ */

/* A key is the output of a MAC: its bytes are a hash already. */
static size_t bucket_of(const struct dict *d, const uint8_t *key)
{
	return (size_t)((unsigned __int128)get_u64(key) * d->buckets_n >> 64);
}

static uint8_t tag_of(const uint8_t *key)
{
	return key[8] ? key[8] : 1;
}

const uint8_t *dict_key(const struct dict *d, uint32_t id)
{
	return id < d->file_n ? d->file.p + (size_t)id * SUBJECT_BYTES : d->keys[id - d->file_n];
}

void dict_prefetch(const struct dict *d, const uint8_t key[static SUBJECT_BYTES])
{
	if (d->buckets_n)
		__builtin_prefetch(&d->buckets[bucket_of(d, key)]);
}

void dict_prefetch_key(const struct dict *d, const uint8_t key[static SUBJECT_BYTES])
{
	if (!d->buckets_n)
		return;
	const struct dict_bucket *b = &d->buckets[bucket_of(d, key)];
	uint8_t tag = tag_of(key);
	for (int i = 0; i < BUCKET; i++)
		if (b->tag[i] == tag && b->id[i] != DICT_GONE)
			__builtin_prefetch(dict_key(d, b->id[i]));
}

/* Where the key is (true), or belongs. */
static bool look(const struct dict *d, const uint8_t *key, struct dict_bucket **bucket, int *slot)
{
	uint8_t tag = tag_of(key);
	for (size_t at = bucket_of(d, key);; at = at + 1 == d->buckets_n ? 0 : at + 1) {
		struct dict_bucket *b = &d->buckets[at];
		for (int i = 0; i < BUCKET; i++) {
			bool here = b->tag[i] == tag && b->id[i] != DICT_GONE && memcmp(dict_key(d, b->id[i]), key, SUBJECT_BYTES) == 0;
			if (b->tag[i] && !here)
				continue;
			*bucket = b;
			*slot = i;
			return here;
		}
	}
}

/* False: it is there already. */
static bool enter(struct dict *d, uint32_t id)
{
	struct dict_bucket *b;
	int i;
	if (look(d, dict_key(d, id), &b, &i))
		return false;
	b->tag[i] = tag_of(dict_key(d, id));
	b->id[i] = id;
	return true;
}

/* Buckets for so many; those that are there already are entered again. */
static void make_room(struct dict *d, uint32_t n)
{
	size_t want = (size_t)n * 100 / (BUCKET * FILL_PERCENT) + FIRST_BUCKETS, bytes = want * sizeof *d->buckets;
	size_t align = bytes < HUGE_PAGE ? sizeof *d->buckets : HUGE_PAGE;
	free(d->buckets);
	d->buckets = aligned_alloc(align, (bytes + align - 1) / align * align);
	must(d->buckets);
	if (align == HUGE_PAGE)	/* each look is at another page: fewer of them */
		(void)madvise(d->buckets, bytes, MADV_HUGEPAGE);
	memset(d->buckets, 0, want * sizeof *d->buckets);
	d->buckets_n = want;
	d->room = n;
}

/* The first id that is there twice, or n. */
static uint32_t enter_all(struct dict *d, uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < n; i++) {
		if (n - i > 2 * AHEAD)
			dict_prefetch(d, dict_key(d, i + 2 * AHEAD));
		if (n - i > AHEAD)
			dict_prefetch_key(d, dict_key(d, i + AHEAD));
		if (!bits_has(&d->gone, i) && !enter(d, i))
			return i;
	}
	return n;
}

void dict_release(struct dict *d)
{
	free(d->keys);
	free(d->buckets);
	bits_release(&d->gone);
	fio_view_release(&d->file);
	*d = (struct dict){0};
}

uint32_t dict_add(struct dict *d, const uint8_t key[static SUBJECT_BYTES])
{
	struct dict_bucket *b;
	int i;
	if (d->n >= d->room) {
		make_room(d, d->n + d->n / 2 + BUCKET * FIRST_BUCKETS / 2);
		must(enter_all(d, 0, d->n) == d->n);
	}
	if (look(d, key, &b, &i))
		return b->id[i];
	must(d->n < DICT_MAX);
	uint32_t at = d->n - d->file_n;
	if (at == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 1024;
		d->keys = xrealloc(d->keys, d->cap * sizeof *d->keys);
	}
	memcpy(d->keys[at], key, SUBJECT_BYTES);
	b->tag[i] = tag_of(key);
	b->id[i] = d->n;
	return d->n++;
}

bool dict_find(const struct dict *d, const uint8_t key[static SUBJECT_BYTES], uint32_t *id)
{
	struct dict_bucket *b;
	int i;
	if (!d->buckets_n || !look(d, key, &b, &i))
		return false;
	*id = b->id[i];
	return true;
}

/* ---- dict/keys -------------------------------------------------------------------------------------------------------- */

static int by_n(const void *a, const void *b)
{
	const struct dict_claim *x = a, *y = b;
	return x->n < y->n ? -1 : x->n > y->n;
}

static int view_keys(struct dict *d, const struct fio *io, int dir, uint32_t need, const char *who, struct err *err)
{
	struct fio_stat st;
	int fd = io->open(io->ctx, dir, "keys", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return errno == ENOENT ? err_set(err, ERR_CORRUPT, "state/ledger/dict/keys is gone, and day %s needs it", who)
				       : err_sys(err, "state/ledger/dict/keys");
	int got = fio_view(io, fd, (size_t)need * SUBJECT_BYTES, &d->file);
	int r = got < 0 ? err_sys(err, "state/ledger/dict/keys") : 0;
	if (got > 0 && io->stat(io->ctx, fd, &st) == 0)
		r = err_set(err, ERR_CORRUPT, "state/ledger/dict/keys holds %llu subjects, and day %s needs %u",
			    (unsigned long long)(st.size / SUBJECT_BYTES), who, need);
	io->close(io->ctx, fd);
	if (r == 0)
		d->n = d->file_n = need;
	return r;
}

static int check_keys(struct dict *d, const struct dict_claim *c, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (c[i].n > d->synced)
			d->crc = crc32c(d->crc, dict_key(d, d->synced), (size_t)(c[i].n - d->synced) * SUBJECT_BYTES);
		if (d->crc != c[i].crc)
			return err_set(err, ERR_CORRUPT, "state/ledger/dict/keys is damaged before subject %u (checked against day %s)", c[i].n,
				       c[i].who);
		d->synced = c[i].n;
	}
	make_room(d, d->n + d->n / 8);
	uint32_t twice = enter_all(d, 0, d->n);
	return twice == d->n ? 0 : err_set(err, ERR_CORRUPT, "state/ledger/dict/keys holds subject %u twice", twice);
}

int dict_load(struct dict *d, const struct fio *io, int dir, const struct dict_claim *claims, size_t n, struct err *err)
{
	if (n == 0)
		return 0;
	struct dict_claim *c = xcalloc(n, sizeof *c);
	memcpy(c, claims, n * sizeof *c);
	qsort(c, n, sizeof *c, by_n);
	int r = c[n - 1].n ? view_keys(d, io, dir, c[n - 1].n, c[n - 1].who, err) : 0;
	if (r == 0)
		r = check_keys(d, c, n, err);
	free(c);
	return r;
}

int dict_sync(struct dict *d, const struct fio *io, int dir, struct err *err)
{
	if (d->synced == d->n)
		return 0;
	size_t n = (size_t)(d->n - d->synced) * SUBJECT_BYTES;
	const uint8_t *fresh = d->keys[d->synced - d->file_n];
	int fd = io->open(io->ctx, dir, "keys", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "state/ledger/dict/keys");
	bool good = fio_write_all(io, fd, fresh, n, (uint64_t)d->synced * SUBJECT_BYTES) == 0 && io->sync(io->ctx, fd) == 0 &&
		    io->sync(io->ctx, dir) == 0;
	int r = good ? 0 : err_sys(err, "state/ledger/dict/keys");
	io->close(io->ctx, fd);
	if (r == 0) {
		d->crc = crc32c(d->crc, fresh, n);
		d->synced = d->n;
	}
	return r;
}

/* ---- keys that are taken out ------------------------------------------------------------------------------------------ */

void dict_unlink(struct dict *d, const uint8_t key[static SUBJECT_BYTES], uint32_t id)
{
	struct dict_bucket *b;
	int i;
	if (d->buckets_n && look(d, key, &b, &i) && b->id[i] == id)
		b->id[i] = DICT_GONE;	/* the slot stays: a search goes on behind it */
	bits_set(&d->gone, id);
}

static uint32_t crc_with(uint8_t key[static SUBJECT_BYTES], uint32_t last)
{
	put_u32(key + SUBJECT_BYTES - 4, last);
	return crc32c(0, key, SUBJECT_BYTES);
}

/*
 * Twelve random bytes and the four that give the whole the checksum of the old key, so that what days say of the dictionary
 * fits as before.  A CRC is affine in each bit, and one-to-one in its last four bytes: 32 equations, solved by elimination.
 */
static void replace(uint8_t key[static SUBJECT_BYTES])
{
	const uint32_t target = crc32c(0, key, SUBJECT_BYTES);
	struct {
		uint32_t effect, bits;	/* on the checksum, of these of the last 32 bits */
	} row[32];
	uint32_t last = 0;
	crypt_random(key, SUBJECT_BYTES);
	const uint32_t none = crc_with(key, 0);
	for (int i = 0; i < 32; i++) {
		row[i].bits = UINT32_C(1) << i;
		row[i].effect = crc_with(key, row[i].bits) ^ none;
	}
	for (uint32_t n = 0, left = target ^ none; n < 32; n++) {
		const uint32_t top = UINT32_C(1) << (31 - n);
		uint32_t pivot = n;
		while (!(row[pivot].effect & top))
			must(++pivot < 32);
		uint32_t effect = row[pivot].effect, bits = row[pivot].bits;
		row[pivot] = row[n];
		for (uint32_t i = n + 1; i < 32; i++)
			if (row[i].effect & top) {
				row[i].effect ^= effect;
				row[i].bits ^= bits;
			}
		if (left & top) {
			left ^= effect;
			last ^= bits;
		}
	}
	must(crc_with(key, last) == target);
}

/* Where the key of a synced id is in memory, unless that is the file itself. */
static uint8_t *own_copy(struct dict *d, uint32_t id)
{
	if (id >= d->file_n)
		return d->keys[id - d->file_n];
	return d->file.mapped ? NULL : (uint8_t *)(uintptr_t)d->file.p + (size_t)id * SUBJECT_BYTES;
}

int dict_forget(struct dict *d, const struct fio *io, int dir, const struct leaving *v, size_t n, struct err *err)
{
	int fd = io->open(io->ctx, dir, "keys", O_RDWR | O_CLOEXEC, 0);
	bool good = fd >= 0;
	for (size_t i = 0; i < n && good; i++) {
		uint8_t key[SUBJECT_BYTES], *own = own_copy(d, v[i].id);
		must(v[i].id < d->synced);
		memcpy(key, dict_key(d, v[i].id), sizeof key);
		if (memcmp(key, v[i].key, sizeof key) != 0)
			continue;
		replace(key);
		good = fio_write_all(io, fd, key, sizeof key, (uint64_t)v[i].id * SUBJECT_BYTES) == 0;
		if (good && own)
			memcpy(own, key, sizeof key);
	}
	good = good && io->sync(io->ctx, fd) == 0;
	int r = good ? 0 : err_sys(err, "state/ledger/dict/keys");
	d->tree = (struct dict_tree){0};
	if (fd >= 0)
		io->close(io->ctx, fd);
	return r;
}
