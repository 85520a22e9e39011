/*
 * Events on their way to the transparency log.  What goes out names kind, vendor and version, and of the rest only a hash
 * with a random salt of the event's own, which stays here: without it nobody can try who did it, or why.
 *
 *   sha256 = SHA-256(salt[16] || {"at":..,"detail":"..","kind":"..","seq":..,"vendor":"..","version":..,"who":"..","why":".."})
 *
 * members sorted, no spaces; detail is the text as it is stored.
 */
#include <stdlib.h>
#include <string.h>

#include "crypt/crypt.h"
#include "registry/private.h"

enum { SALT = 16, SHOWN_MAX = 1000 };

static void digest_of(const struct rows *row, const uint8_t salt[static SALT], uint8_t out[static 32])
{
	json_t *j = json_pack("{s:I, s:I, s:s, s:s, s:s, s:I, s:s, s:s}", "seq", (json_int_t)rows_int(row, 0), "at", (json_int_t)rows_int(row, 1),
			      "who", rows_text(row, 2), "kind", rows_text(row, 3), "vendor", rows_text(row, 4), "version",
			      (json_int_t)rows_int(row, 5), "why", rows_text(row, 6), "detail", rows_text(row, 7));
	char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	struct buf b;
	must(text);
	buf_init(&b, 0);
	buf_add(&b, salt, SALT);
	buf_adds(&b, text);
	crypt_sha256(b.data, b.len, out);
	buf_release(&b);
	free(text);
	json_decref(j);
}

static json_t *event_json(const struct rows *row, const uint8_t salt[static SALT])
{
	uint8_t sha[32];
	char hex[65];
	digest_of(row, salt, sha);
	hex_encode(sha, 32, hex);
	return json_pack("{s:I, s:I, s:s, s:s, s:I, s:s}", "seq", (json_int_t)rows_int(row, 0), "at", (json_int_t)rows_int(row, 1), "kind",
			 rows_text(row, 3), "vendor", rows_text(row, 4), "version", (json_int_t)rows_int(row, 5), "sha256", hex);
}

#define COLUMNS "e.seq, e.at, e.who, e.kind, e.vendor, e.version, e.why, e.detail, o.salt, o.leaf"

/* Those that have no salt yet get one; a row that is lost before it is in the log gets another, and nobody minds. */
static int salt_all(struct registry *r, size_t limit, struct err *err)
{
	int rc = store_begin(r->store, err);
	if (rc < 0)
		return -1;
	rc = store_run(r->store, err, "UPDATE outbox SET salt = randomblob(16) WHERE seq IN "
				      "(SELECT seq FROM outbox WHERE leaf IS NULL ORDER BY seq LIMIT ?) AND salt IS NULL", "i", (int64_t)limit);
	struct err ignored;
	return store_end(r->store, rc == 0, rc == 0 ? err : &ignored) < 0 ? -1 : rc;
}

static int list(struct rows *rows, json_t *events, bool with_leaf, struct err *err)
{
	int got;
	while ((got = rows_next(rows, err)) == 1) {
		struct span salt = rows_blob(rows, 8);
		if (salt.len != SALT) {
			got = err_set(err, ERR_CORRUPT, "an event of the outbox has no salt");
			break;
		}
		json_t *e = event_json(rows, (const uint8_t *)salt.at);
		if (with_leaf)
			json_object_set_new(e, "leaf", json_integer(rows_int(rows, 9)));
		json_array_append_new(events, e);
	}
	rows_end(rows);
	return got;
}

static bool any_open(struct registry *r)
{
	struct rows rows;
	struct err err;
	bool any = store_rows(r->store, &rows, &err, "SELECT 1 FROM outbox WHERE leaf IS NULL LIMIT 1", "") == 0 && rows_next(&rows, &err) == 1;
	rows_end(&rows);
	return any;
}

int registry_leaves(struct registry *r, size_t limit, json_t *events, struct err *err)
{
	struct rows rows;
	if (!any_open(r))
		return 0;
	if (salt_all(r, limit, err) < 0)
		return -1;
	if (store_rows(r->store, &rows, err,
		       "SELECT " COLUMNS " FROM outbox o JOIN event e ON e.seq = o.seq WHERE o.leaf IS NULL ORDER BY o.seq LIMIT ?", "i",
		       (int64_t)limit) < 0)
		return -1;
	return list(&rows, events, false, err);
}

int registry_leaf_taken(struct registry *r, int64_t *leaf, struct err *err)
{
	struct rows rows;
	*leaf = -1;
	if (store_rows(r->store, &rows, err, "SELECT leaf FROM outbox WHERE leaf IS NOT NULL ORDER BY seq DESC LIMIT 1", "") < 0)
		return -1;
	int got = rows_next(&rows, err);
	if (got == 1)
		*leaf = rows_int(&rows, 0);
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

int registry_leaves_taken(struct registry *r, const json_t *leaves, struct err *err)
{
	size_t i;
	json_t *l;
	if (store_begin(r->store, err) < 0)
		return -1;
	int rc = 0;
	json_array_foreach((json_t *)(uintptr_t)leaves, i, l)
		if (rc == 0)
			rc = registry_outbox_taken(r, (uint64_t)json_integer_value(json_object_get(l, "seq")),
						   (uint64_t)json_integer_value(json_object_get(l, "leaf")), err);
	struct err ignored;
	return store_end(r->store, rc == 0, rc == 0 ? err : &ignored) < 0 ? -1 : rc;
}

/* {after?} -> {events: [{seq, at, kind, vendor, version, sha256, leaf}], next?}: what the log should say of each. */
static int digests(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	struct rows rows;
	json_t *events = json_array();
	(void)who;
	(void)at;
	json_object_set_new(answer, "events", events);
	if (store_rows(r->store, &rows, err,
		       "SELECT " COLUMNS " FROM outbox o JOIN event e ON e.seq = o.seq WHERE o.leaf IS NOT NULL AND o.seq > ? ORDER BY o.seq LIMIT ?",
		       "ii", (int64_t)json_integer_value(json_object_get(request, "after")), (int64_t)SHOWN_MAX) < 0)
		return -1;
	if (list(&rows, events, true, err) < 0)
		return -1;
	size_t n = json_array_size(events);
	if (n == SHOWN_MAX)
		json_object_set(answer, "next", json_object_get(json_array_get(events, n - 1), "seq"));
	return 0;
}

const struct registry_word registry_log_words[] = {{"audit-events", digests}, {0}};
