/* Severity of one incident: proposed from what was exposed, confirmed by a person with a reason. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "contract/contract.h"
#include "incident/private.h"

static bool under(const char *category, const char *prefix)
{
	size_t n = strlen(prefix);
	return strncmp(category, prefix, n) == 0 && (category[n] == 0 || category[n] == '.');
}

/*
 * Ease of identification by what was exposed (facts B3): the best identifier, and the pairs that are worse together.  The
 * host of an e-mail address or a shortened IP address leads to nobody, so what was reduced doesn't count here.
 */
static const struct {
	const char *category, *with;	/* with: also there, or NULL */
	uint8_t ei;
} eases[] = {
	{"user.contact.email", "user.name", 4},	   {"user.contact.phone_number", "user.name", 4}, {"user.contact.address.street", "user.name", 4},
	{"user.government_id", "user.name", 3},	   {"user.contact.email", NULL, 3},		  {"user.biometric", NULL, 3},
	{"user.contact.phone_number", NULL, 2},	   {"user.contact.address.street", NULL, 2},	  {"user.name", NULL, 2},
	{"user.account.username", NULL, 2},	   {"user.device.ip_address", NULL, 2},		  {"user.government_id", NULL, 2},
};

static bool has(const json_t *categories, const char *prefix)
{
	size_t i;
	const json_t *c;
	json_array_foreach(categories, i, c) {
		const char *name = json_string_value(json_object_get(c, "category"));
		if (name && under(name, prefix) && !category_reduced((struct span){name, strlen(name)}))
			return true;
	}
	return false;
}

void severity_propose(const json_t *categories, struct severity_input *out)
{
	size_t i;
	const json_t *c;
	/* A breach at a vendor: who has the data now isn't known, and somebody meant it, until a person says otherwise. */
	*out = (struct severity_input){.dpc = 1, .ei = 1, .confidentiality = 2, .malice = 2};
	json_array_foreach(categories, i, c) {
		const json_t *name = json_object_get(c, "category");
		if (!json_is_string(name))
			continue;
		unsigned base = severity_base((struct span){json_string_value(name), json_string_length(name)});
		if (base > out->dpc)
			out->dpc = (uint8_t)base;
	}
	for (i = 0; i < sizeof eases / sizeof *eases; i++)
		if (eases[i].ei > out->ei && has(categories, eases[i].category) && (!eases[i].with || has(categories, eases[i].with)))
			out->ei = eases[i].ei;
}

json_t *severity_json(const struct severity_input *in)
{
	struct severity s;
	struct err err;
	if (severity_score(in, &s, &err) < 0)
		return json_null();
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:f, s:s, s:s, s:[s,s]}", "dpc", in->dpc, "ei", in->ei, "confidentiality",
			 in->confidentiality, "integrity", in->integrity, "availability", in->availability, "malice", in->malice, "quarters",
			 (int)s.quarters, "score", (double)s.quarters / 4, "band", severity_names[s.band], "meaning", severity_meaning(s.band),
			 "reasons", severity_reason_dpc(in->dpc), severity_reason_ei(in->ei));
}

static int part(const json_t *request, const char *name, uint8_t *out, struct err *err)
{
	const json_t *v = json_object_get(request, name);
	if (!v)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > 4)
		return err_set(err, ERR_INPUT, "%s is a whole number from 0 to 4", name);
	*out = (uint8_t)json_integer_value(v);
	return 0;
}

static void proposal(struct registry *r, int64_t id, struct severity_input *in)
{
	json_t *counts = scope_newest(r, id);
	severity_propose(json_object_get(counts, "categories"), in);
	json_decref(counts);
}

/* A person confirms: the proposal with what they change, and why. */
int severity_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *why;
	struct incident x;
	struct severity_input in;
	struct severity s;
	if (incident_text(request, "why", INCIDENT_WHY_MAX, true, &why, err) < 0 || incident_begin(r, request, &x, err) < 0)
		return -1;
	proposal(r, x.id, &in);
	int rc = part(request, "dpc", &in.dpc, err);
	rc = rc < 0 ? rc : part(request, "ei", &in.ei, err);
	rc = rc < 0 ? rc : part(request, "confidentiality", &in.confidentiality, err);
	rc = rc < 0 ? rc : part(request, "integrity", &in.integrity, err);
	rc = rc < 0 ? rc : part(request, "availability", &in.availability, err);
	rc = rc < 0 ? rc : part(request, "malice", &in.malice, err);
	rc = rc < 0 ? rc : severity_score(&in, &s, err);
	if (rc < 0)
		return incident_end(r, rc, err);
	json_t *j = severity_json(&in);
	char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	rc = store_run(registry_store(r), err,
		       "UPDATE incident SET severity = ?, severity_by = ?, severity_why = ?, severity_at = ? WHERE id = ?", "sssii", text, who, why,
		       at, x.id);
	free(text);
	json_object_set(answer, "severity", j);
	if (rc == 0)
		rc = incident_do(r, &x, ACT_SEVERITY, who, why, at, json_pack("{s:o}", "severity", j), err);
	else
		json_decref(j);
	return incident_end(r, rc, err);
}

int severity_facts(struct registry *r, int64_t id, json_t *answer, struct err *err)
{
	struct severity_input in;
	struct rows rows;
	json_t *both = json_object(), *counts = scope_newest(r, id);
	json_object_set_new(answer, "severity", both);
	if (counts) {
		severity_propose(json_object_get(counts, "categories"), &in);
		json_object_set_new(both, "proposed", severity_json(&in));
		json_object_set_new(both, "more_than_100", json_boolean(json_integer_value(json_object_get(counts, "people")) > 100));
	}
	json_decref(counts);
	int got = store_rows(registry_store(r), &rows, err, "SELECT severity, severity_by, severity_why, severity_at FROM incident WHERE id = ?", "i", id);
	if (got == 0)
		got = rows_next(&rows, err);
	if (got == 1 && !rows_null(&rows, 0)) {
		json_t *c = json_loads(rows_text(&rows, 0), 0, NULL);
		json_object_set_new(c, "by", json_string(rows_text(&rows, 1)));
		json_object_set_new(c, "why", json_string(rows_text(&rows, 2)));
		json_object_set_new(c, "at", incident_time(rows_int(&rows, 3)));
		json_object_set_new(both, "confirmed", c);
	} else {
		json_object_set_new(both, "confirmed", json_null());
	}
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}
