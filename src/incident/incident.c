/* Incidents: the table of moves, and the words that people use. */
#include "incident/incident.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "incident/private.h"

const char *const incident_state_names[INCIDENT_STATES] = {"reported", "open", "closed", "dismissed"};

enum { REPORTED = 1 << INCIDENT_REPORTED, OPEN = 1 << INCIDENT_OPEN, CLOSED = 1 << INCIDENT_CLOSED, DISMISSED = 1 << INCIDENT_DISMISSED,
       ANY = REPORTED | OPEN | CLOSED | DISMISSED, STAY = -1 };

/* Which act is allowed in which states, where it leads, and how its event is called. */
static const struct move {
	const char *event;
	unsigned from;
	int to;
} moves[ACTS] = {
	[ACT_NOTE] = {"incident-note", ANY, STAY},
	[ACT_ANCHOR] = {"incident-anchor", REPORTED | OPEN, STAY},
	[ACT_MESSAGE] = {"incident-message", REPORTED | OPEN | CLOSED, STAY},
	[ACT_SCOPE] = {"incident-scope", REPORTED | OPEN, STAY},
	[ACT_SEVERITY] = {"incident-severity", REPORTED | OPEN, STAY},
	[ACT_FILE] = {"incident-file", OPEN | CLOSED, STAY},
	[ACT_CONFIRM] = {"incident-open", REPORTED, INCIDENT_OPEN},
	[ACT_CLOSE] = {"incident-close", OPEN, INCIDENT_CLOSED},
	[ACT_DISMISS] = {"incident-dismiss", REPORTED, INCIDENT_DISMISSED},
	[ACT_REOPEN] = {"incident-reopen", CLOSED | DISMISSED, INCIDENT_OPEN},
	[ACT_LIFT] = {"incident-lift", OPEN | CLOSED, STAY},
	[ACT_DRAFT] = {"incident-draft", REPORTED | OPEN, STAY},
	[ACT_RELEASE] = {"incident-release", OPEN, STAY},
	[ACT_NOTIFY] = {"incident-notify", OPEN, STAY},
	[ACT_SHARE] = {"incident-share", OPEN | CLOSED, STAY},
};

/* ---- requests ---------------------------------------------------------------------------------------------------- */

int incident_text(const json_t *request, const char *name, size_t max, bool required, const char **out, struct err *err)
{
	const json_t *v = json_object_get(request, name);
	*out = json_string_value(v);
	if (!v || json_is_null(v))
		return required ? err_set(err, ERR_INPUT, "%s is missing", name) : 0;
	if (!*out || strlen(*out) != json_string_length(v))
		return err_set(err, ERR_INPUT, "%s is text", name);
	if (required && !**out)
		return err_set(err, ERR_INPUT, "%s is empty", name);
	if (strlen(*out) > max)
		return err_set(err, ERR_INPUT, "%s is at most %zu bytes", name, max);
	for (const unsigned char *p = (const unsigned char *)*out; *p; p++)
		if (*p < 32 && (max <= INCIDENT_WHY_MAX || (*p != '\n' && *p != '\t')))
			return err_set(err, ERR_INPUT, "%s holds a control character", name);
	return 0;
}

/* A time of the request: RFC 3339 or a day; absent: otherwise.  Nothing here happens in the future. */
static int when(const json_t *request, const char *name, int64_t otherwise, int64_t now, int64_t *out, struct err *err)
{
	const char *text;
	if (incident_text(request, name, INCIDENT_WHY_MAX, false, &text, err) < 0)
		return -1;
	*out = otherwise;
	if (text && !clock_parse(text, strlen(text), out))
		return err_set(err, ERR_INPUT, "%s isn't a time such as 2025-11-25T09:30:00Z", name);
	if (*out != CLOCK_UNKNOWN && *out > now + 300)
		return err_set(err, ERR_INPUT, "%s lies in the future", name);
	return 0;
}

static int day(const json_t *request, const char *name, const char **out, struct err *err)
{
	int64_t t;
	char again[11];
	if (incident_text(request, name, INCIDENT_WHY_MAX, false, out, err) < 0 || !*out)
		return *out || !json_object_get(request, name) ? 0 : -1;
	if (!clock_parse(*out, strlen(*out), &t) || (clock_format_day(t, again), strcmp(again, *out) != 0))
		return err_set(err, ERR_INPUT, "%s isn't a day such as 2025-11-25", name);
	return 0;
}

static int days(const json_t *request, const char **since, const char **until, struct err *err)
{
	if (day(request, "since", since, err) < 0 || day(request, "until", until, err) < 0)
		return -1;
	return *since && *until && strcmp(*since, *until) > 0 ? err_set(err, ERR_INPUT, "since lies after until") : 0;
}

/* ---- one incident ------------------------------------------------------------------------------------------------ */

int incident_get(struct registry *r, int64_t id, struct incident *out, struct err *err)
{
	struct rows rows;
	*out = (struct incident){.id = id};
	int got = store_rows(registry_store(r), &rows, err, "SELECT vendor, state, cut_off, since, until FROM incident WHERE id = ?", "i", id);
	if (got == 0)
		got = rows_next(&rows, err);
	if (got == 1) {
		snprintf(out->vendor, sizeof out->vendor, "%s", rows_text(&rows, 0));
		out->state = (enum incident_state)rows_int(&rows, 1);
		out->cut_off = rows_int(&rows, 2) != 0;
		snprintf(out->since, sizeof out->since, "%s", rows_text(&rows, 3));
		snprintf(out->until, sizeof out->until, "%s", rows_text(&rows, 4));
	}
	rows_end(&rows);
	return got == 1 ? 0 : got < 0 ? -1 : err_set(err, ERR_NOTFOUND, "no incident %" PRId64 "; `weir incident list` shows them", id);
}

int incident_do(struct registry *r, struct incident *x, enum incident_act act, const char *who, const char *why, int64_t at,
		json_t *detail, struct err *err)
{
	const struct move *m = &moves[act];
	json_t *d = detail ? detail : json_object();
	json_object_set_new(d, "incident", json_integer(x->id));
	if (!(m->from & 1U << x->state)) {
		json_decref(d);
		return err_set(err, ERR_CONFLICT, "incident %" PRId64 " is %s: this can't be done now", x->id, incident_state_names[x->state]);
	}
	if (m->to != STAY) {
		x->state = (enum incident_state)m->to;
		if (store_run(registry_store(r), err, "UPDATE incident SET state = ? WHERE id = ?", "ii", (int64_t)x->state, x->id) < 0) {
			json_decref(d);
			return -1;
		}
	}
	return registry_note(r, x->vendor, m->event, who, why ? why : "", at, d, NULL, err);
}

int incident_end(struct registry *r, int so_far, struct err *err)
{
	struct err second;
	int e = store_end(registry_store(r), so_far == 0, so_far == 0 ? err : &second);
	return so_far < 0 ? so_far : e;
}

/* The incident that the request names, inside a transaction that was begun; incident_end ends it in every case. */
int incident_begin(struct registry *r, const json_t *request, struct incident *x, struct err *err)
{
	const json_t *id = json_object_get(request, "id");
	if (!json_is_integer(id))
		return err_set(err, ERR_INPUT, "which incident?");
	if (store_begin(registry_store(r), err) < 0)
		return -1;
	if (incident_get(r, json_integer_value(id), x, err) == 0)
		return 0;
	return incident_end(r, -1, err);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static int vendor_known(struct registry *r, const char *vendor, bool *flows, struct err *err)
{
	struct registry_vendor v;
	if (registry_vendor(r, vendor, &v, err) < 0)
		return -1;
	*flows = v.life == LIFE_APPROVED;
	registry_vendor_release(&v);
	return 0;
}

static int insert(struct registry *r, const struct incident_report *w, enum incident_state state, bool cut_off, struct incident *x,
		  struct err *err)
{
	if (store_run(registry_store(r), err,
		      "INSERT INTO incident (vendor, state, source, at, by, why, cut_off, since, until, tlp) VALUES (?,?,?,?,?,?,?,?,?,?)",
		      "sisississs", w->vendor, (int64_t)state, w->source, w->at, w->who, w->why, (int64_t)cut_off, w->since, w->until, w->tlp) < 0)
		return -1;
	*x = (struct incident){.id = store_last_id(registry_store(r)), .state = state, .cut_off = cut_off};
	snprintf(x->vendor, sizeof x->vendor, "%s", w->vendor);
	snprintf(x->since, sizeof x->since, "%s", w->since ? w->since : "");
	snprintf(x->until, sizeof x->until, "%s", w->until ? w->until : "");
	return registry_note(r, w->vendor, state == INCIDENT_OPEN ? "incident-open" : "incident-report", w->who, w->why, w->at,
			     json_pack("{s:I, s:s}", "incident", (json_int_t)x->id, "source", w->source), NULL, err);
}

int incident_report(struct registry *r, const struct incident_report *w, int64_t *id, struct err *err)
{
	struct incident x;
	bool flows;
	if (vendor_known(r, w->vendor, &flows, err) < 0 || store_begin(registry_store(r), err) < 0)
		return -1;
	int rc = incident_end(r, insert(r, w, INCIDENT_REPORTED, false, &x, err), err);
	*id = rc == 0 ? x.id : 0;
	return rc;
}

static int set_anchor(struct registry *r, int64_t id, const char *anchor, int64_t t, const char *who, const char *why, struct err *err)
{
	return store_run(registry_store(r), err,
			 "INSERT INTO incident_anchor (incident, anchor, at, by, why) VALUES (?1,?2,?3,?4,?5)"
			 " ON CONFLICT (incident, anchor) DO UPDATE SET at = ?3, by = ?4, why = ?5", "isiss", id, anchor, t, who, why);
}

/* The cut-off acts first: the registry's ask, then the answer's `refresh` makes the keeper sign and gate and courier obey. */
static int cut_off(struct registry *r, const char *vendor, const char *why, int64_t at, json_t *answer, struct err *err)
{
	char text[INCIDENT_WHY_MAX + 16];
	snprintf(text, sizeof text, "incident: %s", why);
	text[INCIDENT_WHY_MAX] = 0;
	if (registry_ask(r, vendor, ASK_INCIDENT, FLOW_QUARANTINED, text, at, err) < 0)
		return -1;
	json_object_set_new(answer, "refresh", json_pack("[s]", vendor));
	return 0;
}

static void name_it(const struct incident *x, json_t *answer)
{
	json_object_set_new(answer, "id", json_integer(x->id));
	json_object_set_new(answer, "vendor", json_string(x->vendor));
	json_object_set_new(answer, "state", json_string(incident_state_names[x->state]));
	json_object_set_new(answer, "cut_off", json_boolean(x->cut_off));
}

static int open_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *vendor, *why, *since, *until;
	struct incident x;
	bool flows = false;
	if (incident_text(request, "vendor", INCIDENT_WHY_MAX, true, &vendor, err) < 0 ||
	    incident_text(request, "why", INCIDENT_WHY_MAX - 10, true, &why, err) < 0 || days(request, &since, &until, err) < 0 ||
	    vendor_known(r, vendor, &flows, err) < 0)
		return -1;
	if (flows && cut_off(r, vendor, why, at, answer, err) < 0)
		return -1;
	if (store_begin(registry_store(r), err) < 0)
		return -1;
	const struct incident_report w = {.vendor = vendor, .source = "person", .who = who, .why = why, .since = since, .until = until, .at = at};
	int rc = insert(r, &w, INCIDENT_OPEN, flows, &x, err);
	/* Opening it is noticing it; every other moment is for a person to say. */
	if (rc == 0)
		rc = set_anchor(r, x.id, "noticed", at, who, "the incident was opened", err);
	if (incident_end(r, rc, err) < 0)
		return -1;
	name_it(&x, answer);
	scope_ask(&x, answer);
	return 0;
}

static int confirm_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *why;
	struct incident x;
	bool flows = false;
	const json_t *id = json_object_get(request, "id");
	if (incident_text(request, "why", INCIDENT_WHY_MAX - 10, true, &why, err) < 0)
		return -1;
	if (!json_is_integer(id))
		return err_set(err, ERR_INPUT, "which incident?");
	if (incident_get(r, json_integer_value(id), &x, err) < 0 || vendor_known(r, x.vendor, &flows, err) < 0)
		return -1;
	bool again = x.state == INCIDENT_CLOSED || x.state == INCIDENT_DISMISSED;
	if (!again && x.state != INCIDENT_REPORTED)
		return err_set(err, ERR_CONFLICT, "incident %" PRId64 " is open already", x.id);
	if (flows && cut_off(r, x.vendor, why, at, answer, err) < 0)
		return -1;
	if (store_begin(registry_store(r), err) < 0)
		return -1;
	x.cut_off = flows;
	int rc = incident_do(r, &x, again ? ACT_REOPEN : ACT_CONFIRM, who, why, at, NULL, err);
	if (rc == 0)
		rc = store_run(registry_store(r), err, "UPDATE incident SET cut_off = ? WHERE id = ?", "ii", (int64_t)flows, x.id);
	if (rc == 0)
		rc = store_run(registry_store(r), err,
			       "INSERT OR IGNORE INTO incident_anchor (incident, anchor, at, by, why) VALUES (?,'noticed',?,?,'the incident was opened')",
			       "iis", x.id, at, who);
	if (incident_end(r, rc, err) < 0)
		return -1;
	name_it(&x, answer);
	scope_ask(&x, answer);
	return 0;
}

/* ---- what people add --------------------------------------------------------------------------------------------- */

static int note_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *text;
	struct incident x;
	if (incident_text(request, "text", INCIDENT_TEXT_MAX, true, &text, err) < 0 || incident_begin(r, request, &x, err) < 0)
		return -1;
	name_it(&x, answer);
	return incident_end(r, incident_do(r, &x, ACT_NOTE, who, text, at, NULL, err), err);
}

static int anchors_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *names, json_t *answer,
			struct err *err)
{
	const char *why;
	struct incident x;
	int64_t t;
	size_t i;
	json_t *v;
	if (incident_text(request, "why", INCIDENT_WHY_MAX, true, &why, err) < 0 || when(request, "at", CLOCK_UNKNOWN, at, &t, err) < 0)
		return -1;
	if (t == CLOCK_UNKNOWN)
		return err_set(err, ERR_INPUT, "when was that? a time is missing");
	json_array_foreach(names, i, v) if (anchor_of(json_string_value(v) ? json_string_value(v) : "") < 0)
		return err_set(err, ERR_INPUT, "there is no such anchor; weir-incident(1) lists them");
	if (incident_begin(r, request, &x, err) < 0)
		return -1;
	int rc = 0;
	for (i = 0; i < json_array_size(names) && rc == 0; i++)
		rc = set_anchor(r, x.id, json_string_value(json_array_get(names, i)), t, who, why, err);
	if (rc == 0)
		rc = incident_do(r, &x, ACT_ANCHOR, who, why, at, json_pack("{s:O, s:o}", "anchors", names, "at", incident_time(t)), err);
	name_it(&x, answer);
	json_object_set(answer, "anchors", names);
	return incident_end(r, rc, err);
}

static int anchor_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *anchor;
	if (incident_text(request, "anchor", INCIDENT_WHY_MAX, true, &anchor, err) < 0)
		return -1;
	json_t *names = json_pack("[s]", anchor);
	int rc = anchors_word(r, request, who, at, names, answer, err);
	json_decref(names);
	return rc;
}

/* Awareness is a person's judgement and a legal one: from which moment, which clocks count from it, and why. */
static int aware_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const json_t *sets = json_object_get(request, "sets");
	if (sets && (!json_is_array(sets) || json_array_size(sets) == 0 || json_array_size(sets) > ANCHOR_KINDS))
		return err_set(err, ERR_INPUT, "sets is a list of anchors");
	json_t *names = sets ? json_deep_copy(sets) : json_pack("[s,s,s,s]", "aware", "controller_aware", "discovery", "discovery_or_notification");
	int rc = anchors_word(r, request, who, at, names, answer, err);
	json_decref(names);
	return rc;
}

static int message_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *sender, *summary, *hex;
	uint8_t sha[32];
	struct incident x;
	int64_t received;
	if (incident_text(request, "from", INCIDENT_WHY_MAX, true, &sender, err) < 0 ||
	    incident_text(request, "summary", INCIDENT_WHY_MAX, false, &summary, err) < 0 ||
	    incident_text(request, "sha256", 64, true, &hex, err) < 0 || when(request, "received", at, at, &received, err) < 0)
		return -1;
	if (!hex_decode(hex, strlen(hex), sha, 32))
		return err_set(err, ERR_INPUT, "sha256 is 64 hex digits");
	if (incident_begin(r, request, &x, err) < 0)
		return -1;
	int rc = store_run(registry_store(r), err,
			   "INSERT INTO incident_message (incident, n, received, sender, summary, sha256, by, at) VALUES (?1,"
			   " (SELECT coalesce(max(n), 0) + 1 FROM incident_message WHERE incident = ?1), ?2, ?3, ?4, ?5, ?6, ?7)",
			   "iissbsi", x.id, received, sender, summary ? summary : "", sha, (size_t)32, who, at);
	if (rc == 0)
		rc = incident_do(r, &x, ACT_MESSAGE, who, summary, at,
				 json_pack("{s:s, s:s, s:o}", "from", sender, "sha256", hex, "received", incident_time(received)), err);
	name_it(&x, answer);
	return incident_end(r, rc, err);
}

static int mark(struct registry *r, const struct incident *x, const struct deadline *law, const struct clock_mark *m, const char *proof,
		const char *who, int64_t at, struct err *err)
{
	struct store *s = registry_store(r);
	if (store_run(s, err,
		      "INSERT INTO incident_mark (incident, deadline, not_applicable, proof, by, at) VALUES (?1,?2,?3,?4,?5,?6)"
		      " ON CONFLICT (incident, deadline) DO UPDATE SET not_applicable = ?3, proof = ?4, by = ?5, at = ?6",
		      "issssi", x->id, law->id, m->not_applicable, proof, who, at) < 0)
		return -1;
	if (m->filed != CLOCK_UNKNOWN &&
	    store_run(s, err, "UPDATE incident_mark SET filed = ? WHERE incident = ? AND deadline = ?", "iis", m->filed, x->id, law->id) < 0)
		return -1;
	if (m->suspended_until != CLOCK_UNKNOWN &&
	    store_run(s, err, "UPDATE incident_mark SET suspended_until = ? WHERE incident = ? AND deadline = ?", "iis", m->suspended_until, x->id,
		      law->id) < 0)
		return -1;
	return 0;
}

/*
 * What was filed starts the next clock of a chain (facts B4): the deadline whose filing it is, and the anchor that the
 * following deadlines count from.
 */
static const struct {
	const char *deadline, *anchor;
} chains[] = {
	{"eu-dora-initial-classification", "initial_submitted"},
	{"eu-dora-initial-awareness", "initial_submitted"},
	{"eu-dora-intermediate", "intermediate_submitted"},
	{"eu-nis2-23-4b", "incident_notification_submitted"},
};

static int file_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *id, *proof, *reason;
	struct incident x;
	struct clock_mark m = {.filed = CLOCK_UNKNOWN, .suspended_until = CLOCK_UNKNOWN};
	if (incident_text(request, "deadline", INCIDENT_WHY_MAX, true, &id, err) < 0 ||
	    incident_text(request, "why", INCIDENT_WHY_MAX, true, &proof, err) < 0 ||
	    incident_text(request, "not_applicable", INCIDENT_WHY_MAX, false, &reason, err) < 0 ||
	    when(request, "at", CLOCK_UNKNOWN, at, &m.filed, err) < 0 ||
	    when(request, "suspended_until", CLOCK_UNKNOWN, INT64_MAX / 2, &m.suspended_until, err) < 0)
		return -1;
	const struct deadline *law = incident_law(id);
	if (!law)
		return err_set(err, ERR_NOTFOUND, "no such deadline; `weir incident show` lists their ids");
	if ((m.filed != CLOCK_UNKNOWN) + (m.suspended_until != CLOCK_UNKNOWN) + (reason != NULL) != 1)
		return err_set(err, ERR_INPUT, "one of: filed at a time, suspended until a time, or not applicable");
	m.not_applicable = reason;
	if (incident_begin(r, request, &x, err) < 0)
		return -1;
	int rc = mark(r, &x, law, &m, proof, who, at, err);
	for (size_t i = 0; i < sizeof chains / sizeof *chains && rc == 0 && m.filed != CLOCK_UNKNOWN; i++)
		if (strcmp(chains[i].deadline, id) == 0)
			rc = set_anchor(r, x.id, chains[i].anchor, m.filed, who, "a filing started it", err);
	if (rc == 0 && m.filed != CLOCK_UNKNOWN && strcmp(law->recipient_type, "individual") == 0)
		rc = set_anchor(r, x.id, "individuals_notified", m.filed, who, "people were told", err);
	if (rc == 0)
		rc = incident_do(r, &x, ACT_FILE, who, proof, at,
				 json_pack("{s:s, s:o, s:o, s:s*}", "deadline", id, "filed", incident_time(m.filed), "suspended_until",
					   incident_time(m.suspended_until), "not_applicable", reason), err);
	name_it(&x, answer);
	return incident_end(r, rc, err);
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

static int confirmed_severity(struct registry *r, int64_t id, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err, "SELECT severity IS NOT NULL FROM incident WHERE id = ?", "i", id);
	if (got == 0)
		got = rows_next(&rows, err);
	bool yes = got == 1 && rows_int(&rows, 0);
	rows_end(&rows);
	if (got < 0 || yes)
		return got < 0 ? -1 : 0;
	return err_set(err, ERR_CONFLICT, "nobody confirmed the severity yet (`weir incident severity`): GDPR 33(5) wants the reasons kept");
}

static int close_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *why;
	struct incident x;
	if (incident_text(request, "why", INCIDENT_WHY_MAX, true, &why, err) < 0 || incident_begin(r, request, &x, err) < 0)
		return -1;
	bool dismiss = x.state == INCIDENT_REPORTED;
	int rc = dismiss ? 0 : confirmed_severity(r, x.id, err);
	if (rc == 0)
		rc = incident_do(r, &x, dismiss ? ACT_DISMISS : ACT_CLOSE, who, why, at, NULL, err);
	name_it(&x, answer);
	return incident_end(r, rc, err);
}

/* Another incident of the same vendor that still asks for the cut-off. */
static int others_ask(struct registry *r, const struct incident *x, bool *yes, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err, "SELECT count(*) FROM incident WHERE vendor = ? AND cut_off = 1 AND id <> ?", "si",
			     x->vendor, x->id);
	if (got == 0)
		got = rows_next(&rows, err);
	*yes = got == 1 && rows_int(&rows, 0) > 0;
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static int lift_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *why;
	struct incident x;
	bool others = false;
	if (incident_text(request, "why", INCIDENT_WHY_MAX, true, &why, err) < 0 || incident_begin(r, request, &x, err) < 0)
		return -1;
	int rc = x.cut_off ? 0 : err_set(err, ERR_CONFLICT, "incident %" PRId64 " doesn't ask for a cut-off", x.id);
	if (rc == 0)
		rc = incident_do(r, &x, ACT_LIFT, who, why, at, NULL, err);
	if (rc == 0)
		rc = store_run(registry_store(r), err, "UPDATE incident SET cut_off = 0 WHERE id = ?", "i", x.id);
	if (rc == 0)
		rc = others_ask(r, &x, &others, err);
	x.cut_off = false;
	name_it(&x, answer);
	if (incident_end(r, rc, err) < 0)
		return -1;
	json_object_set_new(answer, "others", json_boolean(others));
	if (others)
		return 0;
	if (registry_ask(r, x.vendor, ASK_INCIDENT, FLOW_OPEN, why, at, err) < 0)
		return -1;
	json_object_set_new(answer, "refresh", json_pack("[s]", x.vendor));
	return 0;
}

/* ---- showing ----------------------------------------------------------------------------------------------------- */

static int list_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	struct rows rows;
	json_t *list = json_array();
	(void)request;
	(void)who;
	(void)at;
	json_object_set_new(answer, "incidents", list);
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT i.id, i.vendor, i.state, i.source, i.at, i.by, i.why, i.cut_off,"
			     " (SELECT json_extract(s.answer, '$.people') FROM incident_scope s WHERE s.incident = i.id ORDER BY s.n DESC LIMIT 1)"
			     " FROM incident i ORDER BY i.id", "");
	while (got >= 0 && (got = rows_next(&rows, err)) == 1)
		json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:s, s:o, s:s, s:s, s:b, s:o}", "id", (json_int_t)rows_int(&rows, 0), "vendor",
						      rows_text(&rows, 1), "state", incident_state_names[rows_int(&rows, 2)], "source",
						      rows_text(&rows, 3), "at", incident_time(rows_int(&rows, 4)), "by", rows_text(&rows, 5), "why",
						      rows_text(&rows, 6), "cut_off", rows_int(&rows, 7) != 0, "people",
						      rows_null(&rows, 8) ? json_null() : json_integer(rows_int(&rows, 8))));
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static int show_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	(void)who;
	const json_t *id = json_object_get(request, "id");
	if (!json_is_integer(id))
		return err_set(err, ERR_INPUT, "which incident?");
	return incident_facts(r, json_integer_value(id), at, answer, err);
}

const struct registry_word incident_words[] = {
	{"incident-open", open_word},	      {"incident-confirm", confirm_word}, {"incident-list", list_word},
	{"incident-show", show_word},	      {"incident-note", note_word},	  {"incident-anchor", anchor_word},
	{"incident-aware", aware_word},	      {"incident-message", message_word}, {"incident-scope", scope_word},
	{"incident-counted", counted_word},   {"incident-severity", severity_word}, {"incident-file", file_word},
	{"incident-close", close_word},	      {"incident-lift", lift_word},	  {NULL, NULL},
};
