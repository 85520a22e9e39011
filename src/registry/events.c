/* Events and the outbox. */
#include <inttypes.h>
#include <stdlib.h>

#include "registry/private.h"

int event_add(struct registry *r, const struct new_event *e, uint64_t *seq, struct err *err)
{
	char *detail = json_dumps(e->detail, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(e->detail);
	must(detail);
	int rc = store_run(r->store, err, "INSERT INTO event (at, who, kind, vendor, version, why, detail) VALUES (?,?,?,?,?,?,?)",
			   "isssiss", e->at, e->who, e->kind, e->vendor, e->version, e->why, detail);
	free(detail);
	if (rc < 0)
		return -1;
	*seq = (uint64_t)store_last_id(r->store);
	return store_run(r->store, err, "INSERT INTO outbox (seq) VALUES (?)", "i", (int64_t)*seq);
}

int registry_note(struct registry *r, const char *vendor, const char *kind, const char *who, const char *why, int64_t at,
		  json_t *detail, uint64_t *seq, struct err *err)
{
	uint64_t number;
	const struct new_event e = {.at = at, .who = who, .kind = kind, .vendor = vendor, .why = why, .detail = detail};
	return event_add(r, &e, seq ? seq : &number, err);
}

static int give(struct rows *rows, bool (*each)(void *arg, const struct registry_event *e), void *arg, struct err *err)
{
	int got;
	while ((got = rows_next(rows, err)) == 1) {
		const struct registry_event e = {
			.seq = (uint64_t)rows_int(rows, 0),
			.at = rows_int(rows, 1),
			.who = rows_text(rows, 2),
			.kind = rows_text(rows, 3),
			.vendor = rows_text(rows, 4),
			.version = rows_int(rows, 5),
			.why = rows_text(rows, 6),
			.detail = rows_text(rows, 7),
		};
		if (!each(arg, &e))
			break;
	}
	return got < 0 ? -1 : 0;
}

#define COLUMNS "seq, at, who, kind, vendor, version, why, detail"

int registry_events(struct registry *r, const char *vendor, uint64_t after, size_t limit,
		    bool (*each)(void *arg, const struct registry_event *e), void *arg, struct err *err)
{
	struct rows rows;
	int rc = store_rows(r->store, &rows, err,
			    "SELECT " COLUMNS " FROM event WHERE seq > ?2 AND (?1 IS NULL OR vendor = ?1) ORDER BY seq LIMIT ?3",
			    "sii", vendor, (int64_t)after, (int64_t)limit);
	if (rc == 0)
		rc = give(&rows, each, arg, err);
	rows_end(&rows);
	return rc;
}

int registry_outbox(struct registry *r, size_t limit, bool (*each)(void *arg, const struct registry_event *e), void *arg,
		    struct err *err)
{
	struct rows rows;
	int rc = store_rows(r->store, &rows, err,
			    "SELECT " COLUMNS " FROM event WHERE seq IN (SELECT seq FROM outbox WHERE leaf IS NULL) ORDER BY seq LIMIT ?",
			    "i", (int64_t)limit);
	if (rc == 0)
		rc = give(&rows, each, arg, err);
	rows_end(&rows);
	return rc;
}

int registry_outbox_taken(struct registry *r, uint64_t seq, uint64_t leaf, struct err *err)
{
	if (store_run(r->store, err, "UPDATE outbox SET leaf = ? WHERE seq = ?", "ii", (int64_t)leaf, (int64_t)seq) < 0)
		return -1;
	return store_changed(r->store) == 1 ? 0 : err_set(err, ERR_NOTFOUND, "no event %" PRIu64 " in the outbox", seq);
}
