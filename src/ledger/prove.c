/*
 * Evidence of one identifier, from the files: which number it has (a leaf of the dictionary), and of a closed day the containers
 * that hold that number or would hold it, each with its path to the root that the transparency log has.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"

/* ---- trees that are in memory ---------------------------------------------------------------------------------------- */

struct leaves {
	struct tlog_hash *v;
	uint64_t n;
};

static int subtree(void *arg, unsigned height, uint64_t index, struct tlog_hash *out, struct err *err)
{
	const struct leaves *l = arg;
	(void)err;
	tlog_root_of(l->v + (index << height), (size_t)1 << height, out);
	return 0;
}

static json_t *base64_json(const void *p, size_t n)
{
	char *text = xmalloc(4 * ((n + 2) / 3) + 1);
	base64_encode(p, n, text);
	json_t *j = json_string(text);
	free(text);
	return j;
}

static json_t *path_json(struct leaves *l, uint64_t index)
{
	const struct tlog_source s = {subtree, l};
	struct tlog_path path;
	struct err never;
	json_t *list = json_array();
	must(tlog_prove_inclusion(&s, index, l->n, &path, &never) == 0);
	for (size_t i = 0; i < path.n; i++)
		json_array_append_new(list, base64_json(path.v[i].b, TLOG_HASH));
	return list;
}

/* ---- the dictionary -------------------------------------------------------------------------------------------------- */

struct seeking {
	const uint8_t *key;
	uint8_t leaf[DICT_TREE_LEAF][SUBJECT_BYTES];	/* that has it */
	uint32_t leaf_n, id;
	bool found;
};

static void look_in(struct seeking *s, const uint8_t (*keys)[SUBJECT_BYTES], uint32_t from, uint32_t n)
{
	for (uint32_t i = 0; i < n && !s->found; i++)
		if (memcmp(keys[i], s->key, SUBJECT_BYTES) == 0) {
			s->found = true;
			s->id = from + i;
			s->leaf_n = n;
			memcpy(s->leaf, keys, (size_t)n * SUBJECT_BYTES);
		}
}

static int read_keys(const struct fio *io, int fd, uint32_t n, struct leaves *l, struct seeking *s, struct err *err)
{
	uint8_t keys[DICT_TREE_LEAF][SUBJECT_BYTES];
	for (uint32_t at = 0, step; at < n; at += step) {
		step = n - at < DICT_TREE_LEAF ? n - at : DICT_TREE_LEAF;
		ssize_t got = fio_read_all(io, fd, keys, (size_t)step * SUBJECT_BYTES, (uint64_t)at * SUBJECT_BYTES);
		if (got < 0)
			return err_sys(err, "state/ledger/dict/keys");
		if ((size_t)got != (size_t)step * SUBJECT_BYTES)
			return err_set(err, ERR_CORRUPT, "state/ledger/dict/keys: cut off");
		dict_tree_leaf(keys, step, &l->v[l->n++]);
		look_in(s, keys, at, step);
	}
	return 0;
}

static json_t *key_json(const struct seeking *s, struct leaves *l)
{
	char hex[2 * SUBJECT_BYTES + 1];
	hex_encode(s->key, SUBJECT_BYTES, hex);
	return json_pack("{s:s, s:I, s:o, s:o}", "subject", hex, "id", (json_int_t)s->id, "keys",
			 base64_json(s->leaf, (size_t)s->leaf_n * SUBJECT_BYTES), "path", path_json(l, s->id / DICT_TREE_LEAF));
}

int ledger_prove_key(const struct fio *io, int dict, uint32_t n, const uint8_t key[static SUBJECT_BYTES], uint32_t *id, json_t **out,
		     struct err *err)
{
	struct leaves l = {.v = xcalloc(n / DICT_TREE_LEAF + 1, sizeof *l.v)};
	struct seeking s = {.key = key};
	int fd = n ? io->open(io->ctx, dict, "keys", O_RDONLY | O_CLOEXEC, 0) : -1;
	int r = n && fd < 0 ? err_sys(err, "state/ledger/dict/keys") : read_keys(io, fd, n, &l, &s, err);
	if (fd >= 0)
		io->close(io->ctx, fd);
	if (r == 0 && !s.found)
		r = err_set(err, ERR_NOTFOUND, "the dictionary doesn't have the identifier");
	if (r == 0) {
		*id = s.id;
		*out = key_json(&s, &l);
	}
	free(l.v);
	return r;
}

/* ---- a closed day ---------------------------------------------------------------------------------------------------- */

const char *prove_word(const struct combo *c, const char *vendor)
{
	static const char *const words[COMBO_KINDS] = {[COMBO_EXPOSURE] = "exposure", [COMBO_MEASURED] = "measured", [COMBO_DELETED] = "deleted"};
	return words[c->kind] && (!vendor || strcmp(c->name, vendor) == 0) ? words[c->kind] : NULL;
}

size_t prove_at(const struct container *v, size_t n, uint32_t set, uint16_t chunk)
{
	size_t lo = 0, hi = n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (v[mid].set < set || (v[mid].set == set && v[mid].chunk < chunk))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void need(const struct part *p, uint32_t set, uint32_t id, bool *needed)
{
	uint16_t chunk = (uint16_t)(id / CHUNK_IDS);
	size_t at = prove_at(p->containers, p->containers_n, set, chunk);
	bool there = at < p->containers_n && p->containers[at].set == set && p->containers[at].chunk == chunk;
	if (at < p->containers_n)
		needed[at] = true;
	if (!there && at > 0)
		needed[at - 1] = true;
}

static json_t *containers_json(const struct part *p, const bool *needed)
{
	struct leaves l = {.v = xcalloc(p->containers_n + 1, sizeof *l.v), .n = p->containers_n};
	json_t *list = json_array();
	for (size_t i = 0; i < p->containers_n; i++)
		tlog_leaf(p->containers[i].data - CONTAINER_HEAD, CONTAINER_HEAD + p->containers[i].len, &l.v[i]);
	for (size_t i = 0; i < p->containers_n; i++)
		if (needed[i])
			json_array_append_new(list, json_pack("{s:I, s:o, s:o}", "index", (json_int_t)i, "bytes",
							      base64_json(p->containers[i].data - CONTAINER_HEAD, CONTAINER_HEAD + p->containers[i].len),
							      "path", path_json(&l, i)));
	free(l.v);
	return list;
}

int ledger_prove_day(const uint8_t *file, size_t n, const uint32_t *ids, size_t ids_n, const char *vendor, json_t **out, struct err *err)
{
	struct combos combos = {0};
	struct part p;
	uint8_t *copy = xmalloc(n + 1);
	memcpy(copy, file, n);
	int r = day_read(copy, n, &combos, &p, err);
	if (r == 0) {
		bool *needed = xcalloc(p.containers_n + 1, sizeof *needed);
		for (uint32_t k = 0; k < p.sets_n; k++)
			for (size_t i = 0; i < ids_n && prove_word(p.sets[k].combo, vendor); i++)
				need(&p, k, ids[i], needed);
		*out = json_pack("{s:o, s:o}", "head", base64_json(p.view.p, p.head_n), "containers", containers_json(&p, needed));
		free(needed);
		part_release(&p);
	}
	combos_release(&combos);
	return r;
}
