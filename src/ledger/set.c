/* Sets of subject ids: bits in memory, containers in files. */
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"

/* ---- bits --------------------------------------------------------------------------------------------------------- */

void bits_release(struct bits *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->v[i]);
	free(b->v);
	*b = (struct bits){0};
}

static uint64_t *chunk_of(struct bits *b, size_t i)
{
	if (i >= b->n) {
		b->v = xrealloc(b->v, (i + 1) * sizeof *b->v);
		memset(b->v + b->n, 0, (i + 1 - b->n) * sizeof *b->v);
		b->n = i + 1;
	}
	if (!b->v[i])
		b->v[i] = xcalloc(CHUNK_WORDS, sizeof **b->v);
	return b->v[i];
}

bool bits_set(struct bits *b, uint32_t id)
{
	uint64_t *w = &chunk_of(b, id / CHUNK_IDS)[id % CHUNK_IDS / 64], bit = UINT64_C(1) << id % 64;
	bool fresh = !(*w & bit);
	*w |= bit;
	return fresh;
}

void bits_clear(struct bits *b, uint32_t id)
{
	size_t i = id / CHUNK_IDS;
	if (i < b->n && b->v[i])
		b->v[i][id % CHUNK_IDS / 64] &= ~(UINT64_C(1) << id % 64);
}

bool bits_has(const struct bits *b, uint32_t id)
{
	size_t i = id / CHUNK_IDS;
	return i < b->n && b->v[i] && b->v[i][id % CHUNK_IDS / 64] >> id % 64 & 1;
}

uint64_t bits_count(const struct bits *b)
{
	uint64_t n = 0;
	for (size_t i = 0; i < b->n; i++)
		n += b->v[i] ? words_best()->count(b->v[i]) : 0;
	return n;
}

void bits_or_chunk(struct bits *to, size_t chunk, const uint64_t words[static CHUNK_WORDS])
{
	words_best()->or(chunk_of(to, chunk), words);
}

void bits_or(struct bits *to, const struct bits *from)
{
	for (size_t i = 0; i < from->n; i++)
		if (from->v[i])
			words_best()->or(chunk_of(to, i), from->v[i]);
}

void bits_and(struct bits *to, const struct bits *with)
{
	for (size_t i = 0; i < to->n; i++) {
		if (!to->v[i])
			continue;
		if (i < with->n && with->v[i]) {
			words_best()->and(to->v[i], with->v[i]);
			continue;
		}
		free(to->v[i]);
		to->v[i] = NULL;
	}
}

void bits_without(struct bits *to, const struct bits *gone)
{
	for (size_t i = 0; i < to->n && i < gone->n; i++)
		if (to->v[i] && gone->v[i])
			words_best()->without(to->v[i], gone->v[i]);
}

uint64_t bits_next(const struct bits *b, uint64_t from)
{
	for (size_t i = from / CHUNK_IDS; i < b->n; i++, from = (uint64_t)i * CHUNK_IDS) {
		if (!b->v[i])
			continue;
		size_t k = from % CHUNK_IDS / 64;
		uint64_t w = b->v[i][k] & ~UINT64_C(0) << from % 64;
		while (!w && ++k < CHUNK_WORDS)
			w = b->v[i][k];
		if (w)
			return (uint64_t)i * CHUNK_IDS + k * 64 + (uint64_t)__builtin_ctzll(w);
	}
	return UINT64_MAX;
}

/* ---- containers ----------------------------------------------------------------------------------------------------- */

/* The next bit that is `on`, from `at`; CHUNK_IDS: none. */
static uint32_t next_bit(const uint64_t *w, uint32_t at, bool on)
{
	while (at < CHUNK_IDS) {
		uint64_t x = (on ? w[at / 64] : ~w[at / 64]) >> at % 64;
		if (x)
			return at + (uint32_t)__builtin_ctzll(x);
		at = (at / 64 + 1) * 64;
	}
	return CHUNK_IDS;
}

static enum container_kind smallest(uint32_t card, uint32_t runs)
{
	uint32_t array = 2 * card, run = 4 * runs;
	if (array <= run && array <= CHUNK_BYTES)
		return CONTAINER_ARRAY;
	return run <= CHUNK_BYTES ? CONTAINER_RUN : CONTAINER_BITSET;
}

static uint32_t container_crc(const uint8_t *head, const uint8_t *data, size_t len)
{
	return crc32c(crc32c(0, head, 12), data, len);
}

static void write_array(struct buf *b, const uint64_t *w)
{
	uint16_t v[CHUNK_BYTES / 2];
	size_t n = 0;
	for (uint32_t i = 0; i < CHUNK_WORDS; i++)
		for (uint64_t x = w[i]; x; x &= x - 1)
			v[n++] = (uint16_t)(64 * i + (uint32_t)__builtin_ctzll(x));
	buf_add(b, v, n * sizeof *v);
}

static void write_runs(struct buf *b, const uint64_t *w)
{
	for (uint32_t at = next_bit(w, 0, true); at < CHUNK_IDS;) {
		uint8_t pair[4];
		uint32_t end = next_bit(w, at, false);
		put_u16(pair, (uint16_t)at);
		put_u16(pair + 2, (uint16_t)(end - at - 1));
		buf_add(b, pair, sizeof pair);
		at = next_bit(w, end, true);
	}
}

void container_write(struct buf *b, uint32_t set, uint16_t chunk, const uint64_t words[static CHUNK_WORDS])
{
	uint8_t head[CONTAINER_HEAD] = {0};
	size_t start = b->len;
	uint32_t card = words_best()->count(words), runs = words_best()->runs(words);
	enum container_kind kind = smallest(card, runs);
	put_u32(head, set);
	put_u16(head + 4, chunk);
	head[6] = (uint8_t)kind;
	put_u32(head + 8, kind == CONTAINER_RUN ? runs : card);
	buf_add(b, head, sizeof head);
	if (kind == CONTAINER_BITSET)
		buf_add(b, words, CHUNK_BYTES);
	if (kind == CONTAINER_ARRAY)
		write_array(b, words);
	if (kind == CONTAINER_RUN)
		write_runs(b, words);
	if (!b->over)
		put_u32(b->data + start + 12, container_crc(head, b->data + start + CONTAINER_HEAD, b->len - start - CONTAINER_HEAD));
}

static uint32_t array_at(const struct container *c, uint32_t i)
{
	return get_u16(c->data + 2 * (size_t)i);
}

static uint32_t run_first(const struct container *c, uint32_t i)
{
	return get_u16(c->data + 4 * (size_t)i);
}

static uint32_t run_last(const struct container *c, uint32_t i)
{
	return run_first(c, i) + get_u16(c->data + 4 * (size_t)i + 2);
}

static bool array_canonical(const struct container *c)
{
	uint32_t falls, joins;
	words_best()->pairs(c->data, c->n, &falls, &joins);
	return falls == 0 && smallest(c->n, c->n - joins) == CONTAINER_ARRAY;
}

static bool run_canonical(const struct container *c)
{
	uint32_t card = 0, free_from = 0;	/* one more than the end before it, and apart */
	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t first = run_first(c, i), last = run_last(c, i);
		if (first < free_from || last >= CHUNK_IDS)
			return false;
		card += last - first + 1;
		free_from = last + 2;
	}
	return smallest(card, c->n) == CONTAINER_RUN;
}

/* One spelling a set: what we would write ourselves. */
static bool canonical(const struct container *c)
{
	if (c->kind == CONTAINER_ARRAY)
		return array_canonical(c);
	if (c->kind == CONTAINER_RUN)
		return run_canonical(c);
	return words_best()->count(c->data) == c->n && smallest(c->n, words_best()->runs(c->data)) == CONTAINER_BITSET;
}

static int wrong(const char **why, const char *what)
{
	*why = what;
	return -1;
}

int container_walk(const uint8_t *p, size_t n, struct container *out, size_t *size, const char **why)
{
	if (n < CONTAINER_HEAD)
		return wrong(why, "cut off");
	*out = (struct container){.set = get_u32(p), .chunk = get_u16(p + 4), .kind = p[6], .n = get_u32(p + 8), .data = p + CONTAINER_HEAD};
	if (out->kind < CONTAINER_ARRAY || out->kind > CONTAINER_RUN || out->n == 0 || out->n > CHUNK_IDS)
		return wrong(why, "not a container");
	out->len = out->kind == CONTAINER_BITSET ? CHUNK_BYTES : (out->kind == CONTAINER_ARRAY ? 2 : 4) * out->n;
	if (out->len > CHUNK_BYTES || out->len > n - CONTAINER_HEAD)
		return wrong(why, "cut off");
	*size = CONTAINER_HEAD + out->len;
	return 0;
}

int container_check(struct container *c, const char **why)
{
	const uint8_t *head = c->data - CONTAINER_HEAD;
	if (c->checked)
		return 0;
	if (container_crc(head, c->data, c->len) != get_u32(head + 12))
		return wrong(why, "its checksum doesn't fit");
	if (head[7] != 0 || !canonical(c))
		return wrong(why, "not in canonical form");
	c->checked = true;
	return 0;
}

int container_read(const uint8_t *p, size_t n, struct container *out, size_t *size, const char **why)
{
	return container_walk(p, n, out, size, why) < 0 ? -1 : container_check(out, why);
}

static void or_run(uint64_t *w, uint32_t first, uint32_t last)
{
	uint64_t from = ~UINT64_C(0) << first % 64, to = ~UINT64_C(0) >> (63 - last % 64);
	if (first / 64 == last / 64) {
		w[first / 64] |= from & to;
		return;
	}
	w[first / 64] |= from;
	for (uint32_t i = first / 64 + 1; i < last / 64; i++)
		w[i] = ~UINT64_C(0);
	w[last / 64] |= to;
}

void container_or(const struct container *c, uint64_t words[static CHUNK_WORDS])
{
	must(c->checked);	/* what comes from the disk is looked at before it is used */
	if (c->kind == CONTAINER_BITSET)
		words_best()->or(words, c->data);
	for (uint32_t i = 0; c->kind == CONTAINER_ARRAY && i < c->n; i++)
		words[array_at(c, i) / 64] |= UINT64_C(1) << array_at(c, i) % 64;
	for (uint32_t i = 0; c->kind == CONTAINER_RUN && i < c->n; i++)
		or_run(words, run_first(c, i), run_last(c, i));
}

uint32_t container_count(const struct container *c)
{
	uint32_t n = c->kind == CONTAINER_RUN ? 0 : c->n;
	must(c->checked);
	for (uint32_t i = 0; c->kind == CONTAINER_RUN && i < c->n; i++)
		n += run_last(c, i) - run_first(c, i) + 1;
	return n;
}

bool container_has(const struct container *c, uint32_t low)
{
	must(c->checked);
	if (c->kind == CONTAINER_BITSET)
		return c->data[low / 8] >> low % 8 & 1;
	uint32_t lo = 0, hi = c->n;	/* the last that begins at low or before it */
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;
		if ((c->kind == CONTAINER_ARRAY ? array_at(c, mid) : run_first(c, mid)) <= low)
			lo = mid;
		else
			hi = mid;
	}
	return c->kind == CONTAINER_ARRAY ? array_at(c, lo) == low : run_first(c, lo) <= low && low <= run_last(c, lo);
}

void container_add(const struct container *c, struct bits *to)
{
	container_or(c, chunk_of(to, c->chunk));
}

uint32_t container_last(const struct container *c)
{
	uint32_t low = 0, base = (uint32_t)c->chunk * CHUNK_IDS;
	if (c->kind == CONTAINER_ARRAY)
		low = get_u16(c->data + 2 * (size_t)(c->n - 1));
	else if (c->kind == CONTAINER_RUN)
		low = (uint32_t)get_u16(c->data + 4 * (size_t)(c->n - 1)) + get_u16(c->data + 4 * (size_t)(c->n - 1) + 2);
	else
		for (uint32_t i = CHUNK_BYTES; i-- > 0;)
			if (c->data[i]) {
				low = 8 * i + 31 - (uint32_t)__builtin_clz(c->data[i]);
				break;
			}
	return base + low;
}

/* ---- Merkle root ---------------------------------------------------------------------------------------------------- */

static void hash_leaf(const struct container *c, uint8_t out[static 32])
{
	uint8_t m[1 + CONTAINER_HEAD + CHUNK_BYTES] = {0};
	memcpy(m + 1, c->data - CONTAINER_HEAD, CONTAINER_HEAD + c->len);
	crypt_sha256(m, 1 + CONTAINER_HEAD + c->len, out);
}

void container_root(const struct container *v, size_t n, uint8_t root[static 32])
{
	uint8_t m[65] = {1};
	if (n == 0) {
		crypt_sha256("", 0, root);
		return;
	}
	if (n == 1) {
		hash_leaf(v, root);
		return;
	}
	size_t k = 1;	/* the largest power of two below n */
	while (2 * k < n)
		k *= 2;
	container_root(v, k, m + 1);
	container_root(v + k, n - k, m + 33);
	crypt_sha256(m, sizeof m, root);
}
