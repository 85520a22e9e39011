/* The tree: hashes, roots, proofs and their checks. */
#include <string.h>

#include "crypt/crypt.h"
#include "tlog/tlog.h"

void tlog_leaf(const void *entry, size_t n, struct tlog_hash *out)
{
	struct buf b;
	buf_init(&b, 0);
	buf_addc(&b, 0);
	buf_add(&b, entry, n);
	crypt_sha256(b.data, b.len, out->b);
	buf_release(&b);
}

void tlog_node(const struct tlog_hash *left, const struct tlog_hash *right, struct tlog_hash *out)
{
	uint8_t m[1 + 2 * TLOG_HASH] = {1};
	memcpy(m + 1, left->b, TLOG_HASH);
	memcpy(m + 1 + TLOG_HASH, right->b, TLOG_HASH);
	crypt_sha256(m, sizeof m, out->b);
}

/* The largest power of two below n; n > 1.  Its exponent. */
static unsigned split_height(uint64_t n)
{
	return 63u - (unsigned)__builtin_clzll(n - 1);
}

void tlog_root_of(const struct tlog_hash *v, size_t n, struct tlog_hash *out)
{
	struct tlog_hash left, right;
	if (n == 0) {
		crypt_sha256("", 0, out->b);
		return;
	}
	if (n == 1) {
		*out = *v;
		return;
	}
	size_t k = (size_t)1 << split_height(n);
	tlog_root_of(v, k, &left);
	tlog_root_of(v + k, n - k, &right);
	tlog_node(&left, &right, out);
}

/* ---- from a source ------------------------------------------------------------------------------------------------ */

/* Root of the leaves [from, from + n), n > 0; from is a multiple of the power of two at or above n. */
static int range_root(const struct tlog_source *s, uint64_t from, uint64_t n, struct tlog_hash *out, struct err *err)
{
	struct tlog_hash left, right;
	if ((n & (n - 1)) == 0) {
		unsigned height = (unsigned)__builtin_ctzll(n);
		return s->read(s->arg, height, from >> height, out, err);
	}
	uint64_t k = (uint64_t)1 << split_height(n);
	if (range_root(s, from, k, &left, err) < 0 || range_root(s, from + k, n - k, &right, err) < 0)
		return -1;
	tlog_node(&left, &right, out);
	return 0;
}

int tlog_root(const struct tlog_source *s, uint64_t size, struct tlog_hash *out, struct err *err)
{
	if (size > 0)
		return range_root(s, 0, size, out, err);
	tlog_root_of(NULL, 0, out);
	return 0;
}

/* Bottom up, as the proof lists them: the sibling of each split, from the last split back. */
static int inclusion(const struct tlog_source *s, uint64_t from, uint64_t n, uint64_t index, struct tlog_path *out, struct err *err)
{
	if (n == 1)
		return 0;
	uint64_t k = (uint64_t)1 << split_height(n);
	bool left = index < k;
	int r = left ? inclusion(s, from, k, index, out, err) : inclusion(s, from + k, n - k, index - k, out, err);
	if (r < 0)
		return -1;
	struct tlog_hash *to = &out->v[out->n++];
	return left ? range_root(s, from + k, n - k, to, err) : range_root(s, from, k, to, err);
}

int tlog_prove_inclusion(const struct tlog_source *s, uint64_t index, uint64_t size, struct tlog_path *out, struct err *err)
{
	out->n = 0;
	if (index >= size)
		return err_set(err, ERR_INPUT, "there is no entry %llu in a log of %llu", (unsigned long long)index, (unsigned long long)size);
	return inclusion(s, 0, size, index, out, err);
}

/* RFC 9162 2.1.4.1, SUBPROOF(m, D_n, b); whole: the verifier knows the root of this subtree. */
static int consistency(const struct tlog_source *s, uint64_t from, uint64_t m, uint64_t n, bool whole, struct tlog_path *out, struct err *err)
{
	if (m == n)
		return whole ? 0 : range_root(s, from, n, &out->v[out->n++], err);
	uint64_t k = (uint64_t)1 << split_height(n);
	if (m <= k) {
		if (consistency(s, from, m, k, whole, out, err) < 0)
			return -1;
		return range_root(s, from + k, n - k, &out->v[out->n++], err);
	}
	if (consistency(s, from + k, m - k, n - k, false, out, err) < 0)
		return -1;
	return range_root(s, from, k, &out->v[out->n++], err);
}

int tlog_prove_consistency(const struct tlog_source *s, uint64_t old, uint64_t size, struct tlog_path *out, struct err *err)
{
	out->n = 0;
	if (old > size)
		return err_set(err, ERR_INPUT, "a log of %llu entries has no state of %llu", (unsigned long long)size, (unsigned long long)old);
	return old == 0 ? 0 : consistency(s, 0, old, size, true, out, err);
}

/* ---- checks ------------------------------------------------------------------------------------------------------- */

static bool same(const struct tlog_hash *a, const struct tlog_hash *b)
{
	return memcmp(a->b, b->b, TLOG_HASH) == 0;
}

static int proves_nothing(struct err *err, const char *why)
{
	return err_set(err, ERR_CRYPTO, "the proof %s", why);
}

int tlog_check_inclusion(const struct tlog_hash *leaf, uint64_t index, uint64_t size, const struct tlog_hash *proof, size_t n,
			 const struct tlog_hash *root, struct err *err)
{
	struct tlog_hash r = *leaf;
	if (index >= size)
		return proves_nothing(err, "is for an entry that the log doesn't have");
	uint64_t fn = index, sn = size - 1;
	for (size_t i = 0; i < n; i++) {
		if (sn == 0)
			return proves_nothing(err, "is too long");
		if ((fn & 1) || fn == sn) {
			tlog_node(&proof[i], &r, &r);
			while (!(fn & 1) && fn != 0) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			tlog_node(&r, &proof[i], &r);
		}
		fn >>= 1;
		sn >>= 1;
	}
	if (sn != 0)
		return proves_nothing(err, "is too short");
	return same(&r, root) ? 0 : proves_nothing(err, "leads to another root");
}

/* RFC 9162 2.1.4.2, steps 4 to 8. */
static int walk_consistency(uint64_t old, const struct tlog_hash *old_root, uint64_t size, const struct tlog_hash *root,
			    const struct tlog_hash *proof, size_t n, struct err *err)
{
	uint64_t fn = old - 1, sn = size - 1;
	size_t at = 0;
	struct tlog_hash fr, sr;
	while (fn & 1) {
		fn >>= 1;
		sn >>= 1;
	}
	/* A power of two: its root starts the path, and isn't sent. */
	fr = sr = (old & (old - 1)) == 0 ? *old_root : proof[at++];
	for (; at < n; at++) {
		if (sn == 0)
			return proves_nothing(err, "is too long");
		if ((fn & 1) || fn == sn) {
			tlog_node(&proof[at], &fr, &fr);
			tlog_node(&proof[at], &sr, &sr);
			while (!(fn & 1) && fn != 0) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			tlog_node(&sr, &proof[at], &sr);
		}
		fn >>= 1;
		sn >>= 1;
	}
	if (sn != 0)
		return proves_nothing(err, "is too short");
	if (!same(&fr, old_root))
		return proves_nothing(err, "doesn't lead to the older root");
	return same(&sr, root) ? 0 : proves_nothing(err, "leads to another root");
}

int tlog_check_consistency(uint64_t old, const struct tlog_hash *old_root, uint64_t size, const struct tlog_hash *root,
			   const struct tlog_hash *proof, size_t n, struct err *err)
{
	if (old == 0 || old > size)
		return proves_nothing(err, "is between sizes that don't follow each other");
	if (old == size) {
		if (n != 0)
			return proves_nothing(err, "is too long");
		return same(old_root, root) ? 0 : proves_nothing(err, "can't join two roots of one size");
	}
	if (n == 0)
		return proves_nothing(err, "is empty");
	return walk_consistency(old, old_root, size, root, proof, n, err);
}
