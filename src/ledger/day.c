/*
 * A part of a day in memory, and a closed one as a file.
 *
 * state/ledger/day/YYYY-MM-DD, little-endian:
 *   head, 96 bytes: "WEIRDAY1", u32 version=3, u32 generation, s64 day (since 1970), u32 sets, u32 containers,
 *                   u32 meta_len, u32 dict_n, u32 dict_crc, u32 0, root[32], salt[12], u32 crc32c(the 92 before, meta)
 *   meta:           sets x { u8 combo_kind, u8 whole, u16 name_len, u16 fields, name, fields x { u16 len, path, u16 len,
 *                   category }, u64 events };
 *                   u32 n, n x { u64 from, u64 to }      source frames counted here
 *                   u32 n, n x { u8 id[16], u8 what, s64 at, u32 people, u16 len, vendor, u16 len, who, u16 len, why }
 *                   u32 n, n x { u16 len, vendor, s64 version, u8 digest[32] }
 *                   u32 n, n x { u32 kind, u32 from, u32 to }     links between identifiers, in order; since version 2
 *                   u32 n, n x erasure (erase.c), by id; since version 3
 *   containers, by set, then chunk (inside.h); the file ends behind the last.
 * salt: random, so that a file that is written anew without somebody can't be guessed back from the hash of the old one; zeros in
 * a roll-up, and before version 3.
 * dict_n and dict_crc: the dictionary as it was, so that a day whose subjects were lost or changed says so.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"

enum { HEAD = DAY_HEAD, VERSION = DAY_VERSION };

/* ---- ranges ----------------------------------------------------------------------------------------------------------- */

/* The first range that ends at x - 1 or later. */
static size_t range_at(const struct ranges *r, uint64_t x)
{
	size_t lo = 0, hi = r->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (r->v[mid].to + 1 < x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool ranges_has(const struct ranges *r, uint64_t x)
{
	for (size_t i = range_at(r, x); i < r->n && r->v[i].from <= x; i++)
		if (x <= r->v[i].to)
			return true;
	return false;
}

void ranges_add(struct ranges *r, uint64_t x)
{
	ranges_add_all(r, &(struct range){x, x}, 1);
}

static void add_range(struct ranges *r, struct range x)
{
	size_t i = range_at(r, x.from), end = i;
	while (end < r->n && (r->v[end].from <= x.to || r->v[end].from - 1 == x.to))
		end++;
	if (end > i) {
		if (r->v[i].from < x.from)
			x.from = r->v[i].from;
		if (r->v[end - 1].to > x.to)
			x.to = r->v[end - 1].to;
	} else {
		r->v = xrealloc(r->v, (r->n + 1) * sizeof *r->v);
	}
	memmove(r->v + i + 1, r->v + end, (r->n - end) * sizeof *r->v);
	r->v[i] = x;
	r->n = r->n + 1 - (end - i);
}

void ranges_add_all(struct ranges *r, const struct range *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_range(r, v[i]);
}

/* ---- parts ------------------------------------------------------------------------------------------------------------ */

void part_release(struct part *p)
{
	for (uint32_t i = 0; i < p->sets_n; i++)
		bits_release(&p->sets[i].bits);
	free(p->sets);
	free(p->by_combo);
	free(p->sources.v);
	free(p->records);
	free(p->used);
	free(p->links);
	free(p->link_table.v);
	for (size_t i = 0; i < p->erased_n; i++)
		erased_release(&p->erased[i]);
	free(p->erased);
	free(p->containers);
	free(p->counts);
	fio_view_release(&p->view);
	*p = (struct part){0};
}

struct set *part_set(struct part *p, const struct combo *c)
{
	if (c->index >= p->by_combo_n) {
		uint32_t n = 2 * c->index + 16;
		p->by_combo = xrealloc(p->by_combo, n * sizeof *p->by_combo);
		memset(p->by_combo + p->by_combo_n, 0, (n - p->by_combo_n) * sizeof *p->by_combo);
		p->by_combo_n = n;
	}
	if (!p->by_combo[c->index]) {
		p->sets = xrealloc(p->sets, (p->sets_n + 1) * sizeof *p->sets);
		p->sets[p->sets_n++] = (struct set){.combo = c};
		p->by_combo[c->index] = p->sets_n;
	}
	return &p->sets[p->by_combo[c->index] - 1];
}

void set_add_to(const struct set *s, struct bits *to)
{
	bits_or(to, &s->bits);
	for (size_t i = 0; i < s->containers_n; i++)
		container_add(&s->containers[i], to);
}

void part_use(struct part *p, const char *vendor, int64_t version, const uint8_t digest[static 32])
{
	for (size_t i = p->used_n; i-- > 0;)
		if (p->used[i].vendor == vendor && p->used[i].version == version && memcmp(p->used[i].digest, digest, 32) == 0)
			return;
	p->used = xrealloc(p->used, (p->used_n + 1) * sizeof *p->used);
	p->used[p->used_n] = (struct used){.vendor = vendor, .version = version};
	memcpy(p->used[p->used_n++].digest, digest, 32);
}

void part_record(struct part *p, const struct record *r)
{
	p->records = xrealloc(p->records, (p->records_n + 1) * sizeof *p->records);
	p->records[p->records_n++] = *r;
}

void part_erased(struct part *p, const struct erased *e)
{
	p->erased = xrealloc(p->erased, (p->erased_n + 1) * sizeof *p->erased);
	p->erased[p->erased_n++] = *e;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

static const struct combo *take_combo(struct reader *r, struct combos *c)
{
	const uint8_t *start = r->at;
	uint8_t kind = *take_bytes(r, 1), whole = *take_bytes(r, 1);
	uint16_t name_len = take_u16(r), n = take_u16(r);
	const char *name = take_text(r, c, name_len);
	if (r->bad || kind < COMBO_EXPOSURE || kind >= COMBO_KINDS || whole > 1 || (size_t)n * 4 > (size_t)(r->end - r->at)) {
		r->bad = true;
		return NULL;
	}
	struct field *f = xcalloc((size_t)n + 1, sizeof *f);
	for (uint16_t i = 0; i < n; i++) {
		f[i].path = take_text(r, c, take_u16(r));
		f[i].category = take_text(r, c, take_u16(r));
	}
	const struct combo *x = r->bad ? NULL : combos_intern(c, (enum combo_kind)kind, whole, name, f, n);
	free(f);
	/* Sorted and none twice: the one spelling. */
	if (x && (x->key.len != (size_t)(r->at - start) || memcmp(x->key.data, start, x->key.len) != 0))
		r->bad = true;
	return x;
}

static void take_sets(struct reader *r, struct combos *c, uint32_t n, struct part *out)
{
	if ((size_t)n * 14 > (size_t)(r->end - r->at)) {
		r->bad = true;
		return;
	}
	out->sets = xcalloc((size_t)n + 1, sizeof *out->sets);
	for (uint32_t i = 0; i < n && !r->bad; i++) {
		struct set *s = &out->sets[i];
		s->combo = take_combo(r, c);
		s->events = take_u64(r);
		const struct set *a = i ? &out->sets[i - 1] : NULL;
		if (!r->bad && a && set_order(&a, &(const struct set *){s}) >= 0)
			r->bad = true;
		out->sets_n += !r->bad;
	}
}

static void take_rest(struct reader *r, struct combos *c, struct part *out)
{
	for (uint32_t n = take_count(r, 16); n-- > 0;) {
		struct range x = {take_u64(r), 0};
		x.to = take_u64(r);
		bool apart = out->sources.n == 0 || x.from > out->sources.v[out->sources.n - 1].to + 1;
		if (r->bad || x.from > x.to || x.from == 0 || x.to == UINT64_MAX || !apart)
			r->bad = true;
		else
			add_range(&out->sources, x);
	}
	for (uint32_t n = take_count(r, 35); n-- > 0 && !r->bad;) {
		struct record x = {0};
		memcpy(x.id, take_bytes(r, 16), 16);
		x.what = *take_bytes(r, 1);
		x.at = (int64_t)take_u64(r);
		x.people = take_u32(r);
		x.vendor = take_text(r, c, take_u16(r));
		x.who = take_text(r, c, take_u16(r));
		x.why = take_text(r, c, take_u16(r));
		if (x.what < RECORD_MEASURED || x.what > RECORD_RELEASED)
			r->bad = true;
		part_record(out, &x);
	}
	for (uint32_t n = take_count(r, 42); n-- > 0 && !r->bad;) {
		const char *vendor = take_text(r, c, take_u16(r));
		int64_t version = (int64_t)take_u64(r);
		const uint8_t *digest = take_bytes(r, 32);
		if (!r->bad)
			part_use(out, vendor, version, digest);
	}
}

static void take_links(struct reader *r, struct part *out)
{
	uint32_t n = take_count(r, 12);
	out->links = xcalloc((size_t)n + 1, sizeof *out->links);
	for (; n-- > 0 && !r->bad; out->links_n++) {
		struct link *k = &out->links[out->links_n];
		*k = (struct link){.kind = take_u32(r)};
		k->from = take_u32(r);
		k->to = take_u32(r);
		bool good = k->kind == LINK_SAME ? k->from < k->to : k->kind == LINK_BELONGS && k->from != k->to;
		if (!good || k->from >= out->dict_n || k->to >= out->dict_n || (out->links_n && link_order(k - 1, k) >= 0))
			r->bad = true;
	}
}

static void take_erased(struct reader *r, struct combos *c, struct part *out)
{
	struct erased e;
	if (!erased_take(r, c, &e) || (out->erased_n && memcmp(out->erased[out->erased_n - 1].id, e.id, sizeof e.id) >= 0)) {
		erased_release(&e);
		r->bad = true;
		return;
	}
	part_erased(out, &e);
}

static int walk_containers(struct reader *r, uint32_t n, struct part *out, struct err *err)
{
	out->containers = xcalloc((size_t)n + 1, sizeof *out->containers);
	for (uint32_t i = 0; i < n; i++) {
		struct container *c = &out->containers[i];
		const struct container *before = i ? c - 1 : NULL;
		size_t size = 0;
		const char *why = NULL;
		if (container_walk(r->at, (size_t)(r->end - r->at), c, &size, &why) < 0)
			return err_set(err, ERR_CORRUPT, "container %u of %u: %s", i, n, why);
		if (c->set >= out->sets_n || (before && (before->set > c->set || (before->set == c->set && before->chunk >= c->chunk))))
			return err_set(err, ERR_CORRUPT, "container %u of %u: out of order", i, n);
		struct set *s = &out->sets[c->set];
		if (!s->containers_n++)
			s->containers = c;
		r->at += size;
		out->containers_n++;
	}
	return r->at == r->end ? 0 : err_set(err, ERR_CORRUPT, "something follows the last container");
}

static int walk_all(const uint8_t *p, size_t n, struct combos *combos, struct part *out, struct err *err)
{
	if (n < HEAD || memcmp(p, day_magic, sizeof day_magic) != 0)
		return err_set(err, ERR_CORRUPT, "not a day of the ledger");
	uint32_t version = get_u32(p + 8), meta = get_u32(p + 32);
	if (version < 1 || version > VERSION)
		return err_set(err, ERR_CORRUPT, "its format is version %u, and this Weir knows %d", version, VERSION);
	if (meta > n - HEAD || crc32c(crc32c(0, p, 92), p + HEAD, meta) != get_u32(p + 92))
		return err_set(err, ERR_CORRUPT, "its head's checksum doesn't fit");
	out->generation = get_u32(p + 12);
	out->day = (int64_t)get_u64(p + 16);
	out->dict_n = get_u32(p + 36);
	out->dict_crc = get_u32(p + 40);
	struct reader r = {p + HEAD, p + HEAD + meta, get_u32(p + 44) != 0 || out->generation == 0 || out->dict_n > DICT_MAX};
	static const uint8_t zeros[12];
	r.bad |= (version < 3 && memcmp(p + 80, zeros, sizeof zeros) != 0) || out->day < -1000000 || out->day > 10000000;
	if (!r.bad)
		take_sets(&r, combos, get_u32(p + 24), out);
	out->head_n = (size_t)(r.at - p);
	if (!r.bad)
		take_rest(&r, combos, out);
	if (!r.bad && version >= 2)
		take_links(&r, out);
	for (uint32_t k = !r.bad && version >= 3 ? take_count(&r, ERASED_LEAST) : 0; k-- > 0 && !r.bad;)
		take_erased(&r, combos, out);
	r.bad |= r.at != r.end;
	if (r.bad || out->sets_n != get_u32(p + 24))
		return err_set(err, ERR_CORRUPT, "its head is not in form");
	uint32_t containers = get_u32(p + 28);
	if ((size_t)containers * CONTAINER_HEAD > n - HEAD - meta)
		return err_set(err, ERR_CORRUPT, "cut off: it doesn't hold its %u containers", containers);
	struct reader c = {p + HEAD + meta, p + n, false};
	return walk_containers(&c, containers, out, err);
}

int day_head(const uint8_t *p, size_t n, struct combos *combos, struct part *out, uint32_t *containers, struct err *err)
{
	*out = (struct part){0};
	if (n < HEAD || memcmp(p, day_magic, sizeof day_magic) != 0 || get_u32(p + 8) < 1 || get_u32(p + 8) > VERSION)
		return err_set(err, ERR_CORRUPT, "not the head of a day of the ledger");
	struct reader r = {p + HEAD, p + n, false};
	out->generation = get_u32(p + 12);
	out->day = (int64_t)get_u64(p + 16);
	out->dict_n = get_u32(p + 36);
	*containers = get_u32(p + 28);
	take_sets(&r, combos, get_u32(p + 24), out);
	bool day_good = out->day >= -1000000 && out->day <= 10000000;
	if (day_good && !r.bad && r.at == r.end && out->sets_n == get_u32(p + 24))
		return 0;
	part_release(out);
	return err_set(err, ERR_CORRUPT, "the head of a day isn't in form");
}

int day_walk(struct fio_view *view, struct combos *combos, struct part *out, struct err *err)
{
	*out = (struct part){.view = *view};
	*view = (struct fio_view){0};
	if (walk_all(out->view.p, out->view.n, combos, out, err) == 0)
		return 0;
	part_release(out);
	return -1;
}

const uint8_t *part_root(const struct part *p)
{
	return p->view.p + 48;
}

/* ---- before it is used ------------------------------------------------------------------------------------------------- */

static int check_container(const struct part *p, struct container *c, struct err *err)
{
	size_t i = (size_t)(c - p->containers);
	const char *why;
	if (c->checked)
		return 0;
	if (container_check(c, &why) < 0)
		return err_set(err, ERR_CORRUPT, "container %zu of %zu: %s", i, p->containers_n, why);
	if (container_last(c) < p->dict_n)
		return 0;
	c->checked = false;
	return err_set(err, ERR_CORRUPT, "container %zu of %zu: names subjects beyond the dictionary's %u", i, p->containers_n, p->dict_n);
}

int set_check(const struct part *p, const struct set *s, struct err *err)
{
	for (size_t i = 0; i < s->containers_n; i++)
		if (check_container(p, &s->containers[i], err) < 0)
			return -1;
	return 0;
}

static bool container_touches(const struct container *c, const struct bits *ids)
{
	uint64_t words[CHUNK_WORDS] = {0};
	container_or(c, words);
	words_best()->and(words, ids->v[c->chunk]);
	return words_best()->count(words) > 0;
}

int part_touches(const struct part *p, const struct bits *ids, struct err *err)
{
	for (uint32_t i = 0; i < p->links_n; i++)
		if (bits_has(ids, p->links[i].from) || bits_has(ids, p->links[i].to))
			return 1;
	for (size_t i = 0; i < p->containers_n; i++) {
		struct container *c = &p->containers[i];
		if (c->chunk >= ids->n || !ids->v[c->chunk])
			continue;
		if (check_container(p, c, err) < 0)
			return -1;
		if (container_touches(c, ids))
			return 1;
	}
	return 0;
}

int part_check(const struct part *p, struct err *err)
{
	uint8_t root[32];
	for (uint32_t i = 0; i < p->sets_n; i++)
		if (set_check(p, &p->sets[i], err) < 0)
			return -1;
	if (!p->view.p)
		return 0;
	container_root(p->containers, p->containers_n, root);
	return memcmp(root, part_root(p), 32) == 0 ? 0
						    : err_set(err, ERR_CORRUPT, "its containers don't have the Merkle root that it names");
}

int day_read(uint8_t *bytes, size_t n, struct combos *combos, struct part *out, struct err *err)
{
	struct fio_view v = {.p = bytes, .n = n};
	if (day_walk(&v, combos, out, err) < 0)
		return -1;
	if (part_check(out, err) == 0)
		return 0;
	part_release(out);
	return -1;
}

int set_has(const struct part *p, const struct set *s, uint32_t id, struct err *err)
{
	size_t lo = 0, hi = s->containers_n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (s->containers[mid].chunk < id / CHUNK_IDS)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == s->containers_n || s->containers[lo].chunk != id / CHUNK_IDS)
		return bits_has(&s->bits, id);
	if (check_container(p, &s->containers[lo], err) < 0)
		return -1;
	return container_has(&s->containers[lo], id % CHUNK_IDS);
}
