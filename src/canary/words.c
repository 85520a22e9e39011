/* Planted tokens and their hits, in the registry. */
#include <stdio.h>
#include <string.h>

#include "canary/canary.h"
#include "incident/incident.h"
#include "store/store.h"

enum { QUIET_S = 60 };	/* further hits of a token within this time are the same one */

static bool token_ok(const char *token)
{
	return token && strlen(token) == CANARY_TOKEN && strspn(token, "abcdefghijklmnopqrstuvwxyz") == CANARY_TOKEN;
}

static const char *text_of(const json_t *request, const char *name, size_t max)
{
	const char *s = json_string_value(json_object_get(request, name));
	return s && *s && strlen(s) <= max ? s : NULL;
}

static int plant(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *vendor = text_of(request, "vendor", VENDOR_MAX), *token = json_string_value(json_object_get(request, "token"));
	const char *place = text_of(request, "place", CANARY_PLACE_TEXT_MAX), *form = text_of(request, "form", 32);
	struct registry_vendor v;
	struct store *s = registry_store(r);
	if (!vendor || !token_ok(token) || !place || !form)
		return err_set(err, ERR_INPUT, "a canary has a vendor, a token, a place and a form");
	if (registry_vendor(r, vendor, &v, err) < 0)
		return -1;
	enum flow flow = registry_flow(&v);
	registry_vendor_release(&v);
	if (flow >= FLOW_SUSPENDED)	/* it would be noted as planted, and never arrive */
		return err_set(err, ERR_DENIED, "%s is %s: nothing reaches it", vendor, flow == FLOW_SUSPENDED ? "suspended" : "quarantined");
	if (store_begin(s, err) < 0)
		return -1;
	int rc = store_run(s, err, "INSERT INTO canary (token, vendor, place, form, at, by) VALUES (?,?,?,?,?,?)", "ssssis", token, vendor, place, form,
			   at, who);
	if (rc == 0)	/* the token isn't told: whoever reads the log can't ring the trap */
		rc = registry_note(r, vendor, "canary-planted", who, place, at, json_pack("{s:s, s:s}", "place", place, "form", form), NULL, err);
	struct err ended;
	int closed = store_end(s, rc == 0, rc == 0 ? err : &ended);
	json_object_set_new(answer, "vendor", json_string(vendor));
	return rc == 0 ? closed : -1;
}

static int list(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	struct rows rows;
	json_t *all = json_array();
	int got = 0;
	(void)request;
	(void)who;
	(void)at;
	json_object_set_new(answer, "canaries", all);
	int rc = store_rows(registry_store(r), &rows, err,
			    "SELECT vendor, place, form, at, by, (SELECT count(*) FROM canary_hit h WHERE h.token = c.token),"
			    " (SELECT max(at) FROM canary_hit h WHERE h.token = c.token) FROM canary c ORDER BY at, vendor", "");
	while (rc == 0 && (got = rows_next(&rows, err)) == 1)
		json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:I, s:s, s:I, s:o}", "vendor", rows_text(&rows, 0), "place", rows_text(&rows, 1),
						     "form", rows_text(&rows, 2), "at", (json_int_t)rows_int(&rows, 3), "by", rows_text(&rows, 4),
						     "hits", (json_int_t)rows_int(&rows, 5), "last_hit",
						     rows_null(&rows, 6) ? json_null() : json_integer(rows_int(&rows, 6))));
	rows_end(&rows);
	return rc < 0 || got < 0 ? -1 : 0;
}

/* 1 known, 0 not; *fresh: nothing came by lately. */
static int known(struct registry *r, const char *token, int64_t at, char vendor[static VENDOR_MAX + 1], bool *fresh, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT vendor, (SELECT max(at) FROM canary_hit h WHERE h.token = c.token) FROM canary c WHERE token = ?", "s", token);
	if (got == 0)
		got = rows_next(&rows, err);
	if (got == 1) {
		snprintf(vendor, VENDOR_MAX + 1, "%s", rows_text(&rows, 0));
		*fresh = rows_null(&rows, 1) || at - rows_int(&rows, 1) >= QUIET_S;
	}
	rows_end(&rows);
	return got;
}

/* Is there a report of ours, or an open incident, that this hit belongs to? */
static int underway(struct registry *r, const char *vendor, int64_t *id, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT id FROM incident WHERE vendor = ? AND state IN (?, ?) ORDER BY id DESC LIMIT 1", "sii", vendor,
			     (int64_t)INCIDENT_REPORTED, (int64_t)INCIDENT_OPEN);
	if (got == 0)
		got = rows_next(&rows, err);
	*id = got == 1 ? rows_int(&rows, 0) : 0;
	rows_end(&rows);
	return got;
}

static int record(struct registry *r, const char *token, const char *vendor, const char *via, int64_t at, struct err *err)
{
	struct store *s = registry_store(r);
	if (store_begin(s, err) < 0)
		return -1;
	int rc = store_run(s, err, "INSERT INTO canary_hit (token, at, via) VALUES (?,?,?)", "sis", token, at, via);
	if (rc == 0)
		rc = registry_note(r, vendor, "canary-hit", "canary", via, at, json_pack("{s:s}", "via", via), NULL, err);
	struct err ended;
	int closed = store_end(s, rc == 0, rc == 0 ? err : &ended);
	return rc == 0 ? closed : -1;
}

int canary_hit(struct registry *r, const char *token, const char *via, int64_t at, json_t *answer, struct err *err)
{
	char vendor[VENDOR_MAX + 1];
	bool fresh = false;
	int64_t id = 0;
	int got = token_ok(token) ? known(r, token, at, vendor, &fresh, err) : 0;
	if (got <= 0)
		return got < 0 ? -1 : err_set(err, ERR_NOTFOUND, "nobody planted this token");
	json_object_set_new(answer, "vendor", json_string(vendor));
	if (!fresh)
		return 0;
	if (record(r, token, vendor, via, at, err) < 0 || (got = underway(r, vendor, &id, err)) < 0)
		return -1;
	if (got == 0) {
		const struct incident_report w = {.vendor = vendor, .source = "canary", .who = "canary", .at = at,
						  .why = "somebody used an identity that only this vendor was given"};
		if (incident_report(r, &w, &id, err) < 0)
			return -1;
	}
	json_object_set_new(answer, "incident", json_integer(id));
	return 0;
}

static int hit(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *via = text_of(request, "via", 32);
	(void)who;
	if (!via || (strcmp(via, "mail") != 0 && strcmp(via, "web") != 0))
		return err_set(err, ERR_INPUT, "a hit comes by mail or web");
	return canary_hit(r, json_string_value(json_object_get(request, "token")), via, at, answer, err);
}

const struct registry_word canary_words[] = {{"canary-plant", plant}, {"canary-list", list}, {"canary-hit", hit}, {NULL, NULL}};
