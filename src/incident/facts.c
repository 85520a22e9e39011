/* Everything about one incident, as people, drafts and exports see it: counts and categories, never a person. */
#include <string.h>

#include "base/clock.h"
#include "incident/private.h"

/* ---- the catalogue ----------------------------------------------------------------------------------------------- */

const struct deadlines *incident_laws(void)
{
	static struct deadlines laws;
	struct diags d;
	size_t n;
	if (laws.n)
		return &laws;
	const char *text = deadlines_builtin(&n);
	diags_init(&d, "deadlines.json");
	must(deadlines_load(text, n, &laws, &d) == 0);	/* the build's own file: law_test loads it */
	diags_release(&d);
	return &laws;
}

const struct deadline *incident_law(const char *id)
{
	const struct deadlines *all = incident_laws();
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->v[i].id, id) == 0)
			return &all->v[i];
	return NULL;
}

json_t *incident_time(int64_t at)
{
	char text[21];
	if (at == CLOCK_UNKNOWN)
		return json_null();
	clock_format(at, text);
	return json_string(text);
}

/* ---- people by jurisdiction -------------------------------------------------------------------------------------- */

/*
 * The ledger's codes (ISO 3166-1, US-TX for a state) that a jurisdiction of the catalogue covers.  People of an unknown
 * place count everywhere: the largest reading (facts B4).
 */
static const struct {
	const char *name, *codes;
} places[] = {
	{"EU", "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"},
	{"EU/EEA", "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO"},
	{"United States", "US"}, {"United Kingdom", "GB"}, {"Brazil", "BR"}, {"India", "IN"}, {"Australia", "AU"}, {"Canada", "CA"},
	{"Singapore", "SG"}, {"Japan", "JP"}, {"South Korea", "KR"}, {"China", "CN"}, {"Switzerland", "CH"}, {"Turkey", "TR"},
	{"New Zealand", "NZ"}, {"Kenya", "KE"}, {"Philippines", "PH"}, {"Thailand", "TH"}, {"Indonesia", "ID"}, {"Malaysia", "MY"},
	{"Vietnam", "VN"}, {"Hong Kong", "HK"}, {"South Africa", "ZA"}, {"Nigeria", "NG"}, {"Saudi Arabia", "SA"},
};

static bool covers(const char *codes, const char *code)
{
	size_t n = strcspn(code, "-");
	for (const char *p = codes; *p; p += strcspn(p, " "), p += *p == ' ')
		if (strcspn(p, " ") == n && strncmp(p, code, n) == 0)
			return true;
	return false;
}

/* -1: a place that the ledger's codes can't tell (a state of the United States). */
static int64_t people_of(void *arg, const char *jurisdiction)
{
	const json_t *list = arg;
	const char *codes = NULL;
	int64_t n = 0;
	size_t i;
	const json_t *j;
	for (i = 0; i < sizeof places / sizeof *places; i++)
		if (strcmp(places[i].name, jurisdiction) == 0)
			codes = places[i].codes;
	if (!codes)
		return -1;
	json_array_foreach(list, i, j) {
		const char *code = json_string_value(json_object_get(j, "code"));
		if (code && (strcmp(code, "unknown") == 0 || covers(codes, code)))
			n += json_integer_value(json_object_get(j, "people"));
	}
	return n;
}

/* ---- clocks ------------------------------------------------------------------------------------------------------ */

static int load_anchors(struct registry *r, int64_t id, struct clock_facts *f, json_t *shown, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err, "SELECT anchor, at, by, why FROM incident_anchor WHERE incident = ? ORDER BY at, anchor",
			     "i", id);
	while (got >= 0 && (got = rows_next(&rows, err)) == 1) {
		int k = anchor_of(rows_text(&rows, 0));
		if (k >= 0)
			f->anchors[k] = rows_int(&rows, 1);
		json_object_set_new(shown, rows_text(&rows, 0), json_pack("{s:o, s:s, s:s}", "at", incident_time(rows_int(&rows, 1)), "by",
									  rows_text(&rows, 2), "why", rows_text(&rows, 3)));
	}
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

/* NULL: nothing was said about this deadline.  The strings live in j. */
static const struct clock_mark *mark_of(const json_t *marks, const char *id, struct clock_mark *m)
{
	const json_t *j = json_object_get(marks, id), *filed = json_object_get(j, "filed"), *until = json_object_get(j, "until");
	if (!j)
		return NULL;
	m->filed = json_is_integer(filed) ? json_integer_value(filed) : CLOCK_UNKNOWN;
	m->suspended_until = json_is_integer(until) ? json_integer_value(until) : CLOCK_UNKNOWN;
	m->not_applicable = json_string_value(json_object_get(j, "not_applicable"));
	return m;
}

static int load_marks(struct registry *r, int64_t id, json_t *marks, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT deadline, filed, suspended_until, not_applicable, proof FROM incident_mark WHERE incident = ?", "i", id);
	while (got >= 0 && (got = rows_next(&rows, err)) == 1) {
		json_t *j = json_pack("{s:s}", "proof", rows_text(&rows, 4));
		if (!rows_null(&rows, 1))
			json_object_set_new(j, "filed", json_integer(rows_int(&rows, 1)));
		if (!rows_null(&rows, 2))
			json_object_set_new(j, "until", json_integer(rows_int(&rows, 2)));
		if (!rows_null(&rows, 3))
			json_object_set_new(j, "not_applicable", json_string(rows_text(&rows, 3)));
		json_object_set_new(marks, rows_text(&rows, 0), j);
	}
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static json_t *or_null(const char *s)
{
	return s ? json_string(s) : json_null();
}

static json_t *clock_json(const struct law_clock *c, const json_t *mark)
{
	const struct deadline *l = c->law;
	const json_t *filed = json_object_get(mark, "filed");
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:b, s:s}", "id", l->id, "jurisdiction", l->jurisdiction, "law",
			      l->law, "article", l->article, "to", l->recipient, "to_type", l->recipient_type, "counts_from",
			      anchor_names[l->starts], "state", clock_state_names[c->state], "started", incident_time(c->started), "due",
			      incident_time(c->due), "why", or_null(c->why ? c->why : l->text), "verified", l->verified, "source", l->source);
	json_object_set_new(j, "as_of", or_null(l->as_of));
	json_object_set_new(j, "threshold", or_null(l->threshold));
	if (!l->verified)
		json_object_set_new(j, "warning", json_string("unverified: check the law before relying on this"));
	if (json_is_integer(filed))
		json_object_set_new(j, "filed", incident_time(json_integer_value(filed)));
	if (mark)
		json_object_set(j, "proof", json_object_get(mark, "proof"));
	return j;
}

int clocks_facts(struct registry *r, const struct incident *x, int64_t at, json_t *answer, struct err *err)
{
	struct clock_facts f;
	json_t *anchors = json_object(), *list = json_array(), *marks = json_object(), *counts = scope_newest(r, x->id);
	const struct deadlines *all = incident_laws();
	clock_facts_init(&f, at);
	if (counts) {
		f.people = people_of;
		f.people_arg = json_object_get(counts, "jurisdictions");
	}
	json_object_set_new(answer, "anchors", anchors);
	json_object_set_new(answer, "clocks", list);
	int rc = load_anchors(r, x->id, &f, anchors, err);
	if (rc == 0)
		rc = load_marks(r, x->id, marks, err);
	for (size_t i = 0; i < all->n && rc == 0; i++) {
		struct clock_mark m;
		struct law_clock c;
		law_clock_of(all, &all->v[i], &f, mark_of(marks, all->v[i].id, &m), &c);
		if (f.people && c.state != CLOCK_PROPOSED_LAW && c.state != CLOCK_MET && c.state != CLOCK_LATE &&
		    people_of(f.people_arg, all->v[i].jurisdiction) == 0) {
			c.state = CLOCK_NOT_APPLICABLE;
			c.why = "nobody of this place is in the scope";
		}
		json_array_append_new(list, clock_json(&c, json_object_get(marks, all->v[i].id)));
	}
	json_decref(marks);
	json_decref(counts);
	return rc;
}

/* ---- messages, timeline ------------------------------------------------------------------------------------------ */

/* Each message, and when GDPR 33(1) would be due had it made us aware: which one did is for a person to say. */
static int messages(struct registry *r, int64_t id, json_t *list, struct err *err)
{
	struct rows rows;
	const struct deadline *gdpr = incident_law("eu-gdpr-33-1");
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT n, received, sender, summary, sha256, by, at FROM incident_message WHERE incident = ? ORDER BY n", "i", id);
	while (got >= 0 && (got = rows_next(&rows, err)) == 1) {
		char hex[65];
		hex_encode(rows_blob(&rows, 4).at, 32, hex);
		json_array_append_new(list, json_pack("{s:I, s:o, s:s, s:s, s:s, s:s, s:o, s:o}", "n", (json_int_t)rows_int(&rows, 0), "received",
						      incident_time(rows_int(&rows, 1)), "from", rows_text(&rows, 2), "summary", rows_text(&rows, 3),
						      "sha256", hex, "by", rows_text(&rows, 5), "at", incident_time(rows_int(&rows, 6)),
						      "if_aware_gdpr_33_due", incident_time(gdpr ? law_due(gdpr, rows_int(&rows, 1)) : CLOCK_UNKNOWN)));
	}
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static int timeline(struct registry *r, const struct incident *x, json_t *list, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT seq, at, who, kind, why FROM event WHERE vendor = ? AND json_extract(detail, '$.incident') = ? ORDER BY seq",
			     "si", x->vendor, x->id);
	while (got >= 0 && (got = rows_next(&rows, err)) == 1)
		json_array_append_new(list, json_pack("{s:I, s:o, s:s, s:s, s:s}", "seq", (json_int_t)rows_int(&rows, 0), "at",
						      incident_time(rows_int(&rows, 1)), "who", rows_text(&rows, 2), "kind", rows_text(&rows, 3),
						      "text", rows_text(&rows, 4)));
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

/* What the contract in force says about the vendor; absent for one that never had a contract. */
static void contract_facts(struct registry *r, const char *vendor, json_t *answer)
{
	struct registry_contract c;
	struct err err;
	if (registry_contract(r, vendor, 0, &c, &err) < 0)
		return;
	json_t *model = json_loadb(c.json, c.json_len, 0, NULL);
	json_object_set_new(answer, "vendor_name", json_string(c.name));
	json_object_set_new(answer, "contract", json_pack("{s:I, s:O*, s:O*, s:O*, s:O*, s:O*, s:O*}", "version", (json_int_t)c.version, "service",
							  json_object_get(model, "service"), "role", json_object_get(model, "role"), "country",
							  json_object_get(model, "country"), "identity", json_object_get(model, "identity"),
							  "breach_notice", json_object_get(model, "breach_notice"), "upstream",
							  json_object_get(json_object_get(model, "delivery"), "upstream")));
	json_decref(model);
	registry_contract_release(&c);
}

static int row(struct registry *r, const struct incident *x, json_t *answer, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err, "SELECT source, at, by, why, tlp FROM incident WHERE id = ?", "i", x->id);
	if (got == 0)
		got = rows_next(&rows, err);
	if (got == 1) {
		json_object_set_new(answer, "source", json_string(rows_text(&rows, 0)));
		json_object_set_new(answer, "at", incident_time(rows_int(&rows, 1)));
		json_object_set_new(answer, "by", json_string(rows_text(&rows, 2)));
		json_object_set_new(answer, "why", json_string(rows_text(&rows, 3)));
		json_object_set_new(answer, "tlp", rows_null(&rows, 4) ? json_null() : json_string(rows_text(&rows, 4)));
	}
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

int incident_facts(struct registry *r, int64_t id, int64_t at, json_t *answer, struct err *err)
{
	struct incident x;
	json_t *scopes = json_array(), *said = json_array(), *events = json_array();
	json_object_set_new(answer, "scopes", scopes);
	json_object_set_new(answer, "messages", said);
	json_object_set_new(answer, "timeline", events);
	if (incident_get(r, id, &x, err) < 0)
		return -1;
	json_object_set_new(answer, "id", json_integer(id));
	json_object_set_new(answer, "vendor", json_string(x.vendor));
	json_object_set_new(answer, "state", json_string(incident_state_names[x.state]));
	json_object_set_new(answer, "cut_off", json_boolean(x.cut_off));
	contract_facts(r, x.vendor, answer);
	if (row(r, &x, answer, err) < 0 || scope_list(r, id, scopes, err) < 0 || severity_facts(r, id, answer, err) < 0 ||
	    clocks_facts(r, &x, at, answer, err) < 0 || messages(r, id, said, err) < 0)
		return -1;
	return timeline(r, &x, events, err);
}
