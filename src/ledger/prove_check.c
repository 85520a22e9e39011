/* Evidence of one identifier against what the transparency log says: bytes in, a decision out.  Whoever made it isn't trusted. */
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"

enum { CONTAINERS_MAX = 1 << 20, TEXT_MAX = 64 << 20 };

static int nothing(struct err *err, const char *why)
{
	return err_set(err, ERR_CRYPTO, "it proves nothing: %s", why);
}

/* One spelling: what is encoded again is the same.  NULL, or the caller's to free. */
static uint8_t *bytes_of(const json_t *j, size_t *n)
{
	const char *text = json_string_value(j);
	size_t len = text ? json_string_length(j) : 0;
	if (!text || len > TEXT_MAX)
		return NULL;
	uint8_t *p = xmalloc(3 * len / 4 + 4);
	char *again = xmalloc(len + 8);
	ssize_t got = base64_decode(text, len, p);
	bool good = got >= 0 && 4 * (((size_t)got + 2) / 3) == len;
	if (good) {
		base64_encode(p, (size_t)got, again);
		good = memcmp(again, text, len) == 0;
	}
	free(again);
	*n = good ? (size_t)got : 0;
	if (good)
		return p;
	free(p);
	return NULL;
}

static bool path_of(const json_t *list, struct tlog_path *out)
{
	*out = (struct tlog_path){0};
	if (!json_is_array(list) || json_array_size(list) > TLOG_PROOF_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		size_t n = 0;
		uint8_t *p = bytes_of(json_array_get(list, i), &n);
		if (n == TLOG_HASH)
			memcpy(out->v[out->n++].b, p, TLOG_HASH);
		free(p);
	}
	return out->n == json_array_size(list);
}

static int leaf_is_in(const void *p, size_t n, uint64_t index, uint64_t size, const json_t *path, const uint8_t root[static 32], struct err *err)
{
	struct tlog_hash leaf, want;
	struct tlog_path way;
	if (!path_of(path, &way))
		return nothing(err, "a path isn't in form");
	tlog_leaf(p, n, &leaf);
	memcpy(want.b, root, sizeof want.b);
	return tlog_check_inclusion(&leaf, index, size, way.v, way.n, &want, err);
}

static bool number_of(const json_t *j, const char *name, uint64_t max, uint64_t *out)
{
	const json_t *v = json_object_get(j, name);
	*out = (uint64_t)json_integer_value(v);
	return json_is_integer(v) && json_integer_value(v) >= 0 && *out <= max;
}

/* ---- the dictionary -------------------------------------------------------------------------------------------------- */

int ledger_check_key(const json_t *proof, uint32_t n, const uint8_t root[static 32], uint8_t key[static SUBJECT_BYTES], uint32_t *id,
		     struct err *err)
{
	const char *hex = json_string_value(json_object_get(proof, "subject"));
	uint64_t number;
	size_t got = 0;
	if (!hex || !hex_decode(hex, strlen(hex), key, SUBJECT_BYTES) || n == 0 || !number_of(proof, "id", n - 1, &number))
		return nothing(err, "it names no identifier");
	*id = (uint32_t)number;
	uint32_t leaf = *id / DICT_TREE_LEAF, leaves = (n - 1) / DICT_TREE_LEAF + 1;
	size_t want = (leaf + 1 < leaves ? DICT_TREE_LEAF : n - leaf * DICT_TREE_LEAF) * (size_t)SUBJECT_BYTES;
	uint8_t *keys = bytes_of(json_object_get(proof, "keys"), &got);
	int r = got != want ? nothing(err, "a leaf of the dictionary isn't whole")
			    : leaf_is_in(keys, got, leaf, leaves, json_object_get(proof, "path"), root, err);
	if (r == 0 && memcmp(keys + (size_t)(*id % DICT_TREE_LEAF) * SUBJECT_BYTES, key, SUBJECT_BYTES) != 0)
		r = nothing(err, "the number is another identifier's");
	free(keys);
	return r;
}

/* ---- a closed day ---------------------------------------------------------------------------------------------------- */

struct shown {		/* containers that are in the file, rising */
	struct container *v;
	uint64_t *index;
	uint8_t **bytes;
	size_t n;
	uint32_t of;	/* so many are in the file */
};

static int take_container(struct shown *s, const json_t *j, const uint8_t root[static 32], struct err *err)
{
	struct container *c = &s->v[s->n];
	size_t n = 0, size;
	const char *why;
	uint8_t *p = s->bytes[s->n] = bytes_of(json_object_get(j, "bytes"), &n);
	uint64_t *index = &s->index[s->n++];
	if (!p || !number_of(j, "index", UINT32_MAX, index) || (s->n > 1 && *index <= index[-1]))
		return nothing(err, "a container isn't in form");
	if (container_read(p, n, c, &size, &why) < 0 || size != n)
		return nothing(err, "what should be a container isn't");
	if (leaf_is_in(p, n, *index, s->of, json_object_get(j, "path"), root, err) < 0)
		return -1;
	const struct container *before = s->n > 1 ? c - 1 : NULL;
	bool ordered = !before || before->set < c->set || (before->set == c->set && before->chunk < c->chunk);
	return ordered ? 0 : nothing(err, "its containers are out of order");
}

static int take_shown(struct shown *s, const json_t *list, const uint8_t root[static 32], struct err *err)
{
	size_t n = json_array_size(list);
	if (!json_is_array(list) || n > CONTAINERS_MAX)
		return nothing(err, "it has no containers");
	s->v = xcalloc(n + 1, sizeof *s->v);
	s->index = xcalloc(n + 1, sizeof *s->index);
	s->bytes = xcalloc(n + 1, sizeof *s->bytes);
	for (size_t i = 0; i < n; i++)
		if (take_container(s, json_array_get(list, i), root, err) < 0)
			return -1;
	return 0;
}

static void shown_release(struct shown *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->bytes[i]);
	free(s->v);
	free(s->index);
	free(s->bytes);
}

/* 1: the id is in the set; 0: it isn't, since its container lacks it or its neighbours stand side by side; -1 */
static int set_says(const struct shown *s, uint32_t set, uint32_t id, struct err *err)
{
	uint16_t chunk = (uint16_t)(id / CHUNK_IDS);
	size_t at = prove_at(s->v, s->n, set, chunk);
	if (at < s->n && s->v[at].set == set && s->v[at].chunk == chunk)
		return container_has(&s->v[at], id % CHUNK_IDS);
	uint64_t before = at > 0 ? s->index[at - 1] + 1 : 0, behind = at < s->n ? s->index[at] : s->of;
	return before == behind ? 0 : nothing(err, "a container is missing that would say so");
}

static int check_sets(const struct part *p, const struct shown *s, uint32_t id, const char *vendor, ledger_fact *each, void *arg, struct err *err)
{
	for (uint32_t k = 0; k < p->sets_n; k++) {
		const struct combo *c = p->sets[k].combo;
		const char *what = prove_word(c, vendor);
		int has = what ? set_says(s, k, id, err) : 0;
		if (has < 0)
			return -1;
		if (has)
			each(arg, what, c->name);
	}
	return 0;
}

int ledger_check_day(const json_t *proof, struct ledger_day_proved *d, uint32_t id, const char *vendor, ledger_fact *each, void *arg,
		     struct err *err)
{
	struct combos combos = {0};
	struct part p = {0};
	struct shown s = {0};
	uint8_t sha[32];
	size_t n = 0;
	uint8_t *head = bytes_of(json_object_get(proof, "head"), &n);
	crypt_sha256(head ? head : (const uint8_t *)"", n, sha);
	int r = memcmp(sha, d->head, sizeof sha) == 0 ? day_head(head, n, &combos, &p, &s.of, err) : nothing(err, "a day's head isn't the one that was logged");
	if (r == 0 && memcmp(head + 48, d->root, 32) != 0)
		r = nothing(err, "a day's head names another root");
	if (r == 0)
		r = take_shown(&s, json_object_get(proof, "containers"), d->root, err);
	if (r == 0)
		r = check_sets(&p, &s, id, vendor, each, arg, err);
	d->day = p.day;
	d->generation = p.generation;
	shown_release(&s);
	part_release(&p);
	combos_release(&combos);
	free(head);
	return r;
}
