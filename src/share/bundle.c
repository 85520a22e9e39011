/* An incident as a STIX 2.1 bundle. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "detect/detect.h"
#include "share/share.h"

const char *const tlp_names[TLPS] = {"clear", "green", "amber", "amber+strict", "red"};

/* TLP 2.0's published marking definitions (extension-definition--60a3c5c5-...). */
static const char *const tlp_ids[TLPS] = {
	"marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487", "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
	"marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421", "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
	"marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
};
static const char tlp_extension[] = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";
static const char incident_core[] = "extension-definition--ef765651-680c-498d-9894-99799f2fa126";

/* STIX 2.1 section 2.9, for cyber-observables alone. */
static const uint8_t sco_space[16] = {0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7};
/* Weir's own, random, for everything else. */
static const uint8_t own_space[16] = {0x5b, 0x1f, 0x0c, 0x7e, 0x9d, 0x42, 0x4c, 0x1a, 0x8e, 0x53, 0x2a, 0x77, 0xd0, 0x61, 0xb9, 0x34};

int tlp_of(const char *name)
{
	for (int i = 0; i < TLPS; i++)
		if (strcmp(tlp_names[i], name) == 0)
			return i;
	return -1;
}

struct writing {
	const json_t *facts;
	const char *organisation, *vendor;
	char host[256];
	char at[32];			/* created and modified: from the incident, so that writing again is the same */
	char since[32];
	enum tlp tlp;
	json_t *objects;
	char me[80], they[80], infra[80], incident[80], domain[80];
};

static void id_of(const char *type, const char *what, const char *key, char out[static 80])
{
	char uuid[37], *name = xasprintf("%s\n%s\n%s", type, what, key);
	uuid5(own_space, name, strlen(name), uuid);
	free(name);
	snprintf(out, 80, "%s--%s", type, uuid);
}

static const char *text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "";
}

/* "2025-11-25T09:00:00Z" with the three digits that STIX wants (section 3.2). */
static void stamp(const char *time, char out[static 32])
{
	int64_t t = 0;
	char whole[21];
	if (!clock_parse(time, strlen(time), &t))
		t = 0;
	clock_format(t, whole);
	snprintf(out, 32, "%.19s.000Z", whole);
}

static json_t *object(struct writing *w, const char *type, const char *id)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:[s]}", "type", type, "spec_version", "2.1", "id", id, "created_by_ref", w->me,
			      "created", w->at, "modified", w->at, "object_marking_refs", tlp_ids[w->tlp]);
	json_array_append_new(w->objects, o);
	return o;
}

static void set(json_t *o, const char *name, const char *s)
{
	if (s && *s)
		json_object_set_new(o, name, json_string(s));
}

static void add_marking(struct writing *w)
{
	/* As published: TLP:AMBER+STRICT and so on. */
	char name[24] = "TLP:";
	for (size_t i = 0; tlp_names[w->tlp][i] && i < 16; i++) {
		char c = tlp_names[w->tlp][i];
		name[4 + i] = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
	}
	json_array_append_new(w->objects, json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:{s:s, s:s}}}", "type", "marking-definition", "spec_version", "2.1",
						    "id", tlp_ids[w->tlp], "created", "2022-10-01T00:00:00.000Z", "name", name, "extensions",
						    tlp_extension, "extension_type", "property-extension", "tlp_2_0", tlp_names[w->tlp]));
}

static void add_identity(struct writing *w, const char *id, const char *name)
{
	json_t *o = object(w, "identity", id);
	set(o, "name", name);
	set(o, "identity_class", "organization");
}

/* Never an exact number: the next power of ten. */
static long long bucket(long long n)
{
	long long b = 10;
	while (b <= n && b < 1000000000000LL)
		b *= 10;
	return b;
}

static const json_t *counts_of(const json_t *facts)
{
	const json_t *scopes = json_object_get(facts, "scopes");
	return json_object_get(json_array_get(scopes, json_array_size(scopes) - 1), "counts");
}

/* The incident core extension (facts D1), only members that its published schema names. */
static json_t *core_extension(const struct writing *w)
{
	const json_t *counts = counts_of(w->facts), *s = json_object_get(json_object_get(w->facts, "severity"), "confirmed");
	const char *state = text(w->facts, "state");
	json_t *x = json_pack("{s:s, s:s, s:s, s:[s]}", "extension_type", "property-extension", "determination",
			      strcmp(state, "dismissed") == 0 ? "false-positive" : "suspected", "investigation_status",
			      strcmp(state, "closed") == 0 ? "closed" : strcmp(state, "open") == 0 ? "open" : "new", "incident_types",
			      "supply-chain-vendor");
	if (counts)
		json_object_set_new(x, "impacted_entity_counts",
				    json_pack("{s:I}", "individuals", (json_int_t)bucket(json_integer_value(json_object_get(counts, "people")))));
	if (json_is_object(s))
		json_object_set_new(x, "scores", json_pack("[{s:s, s:f, s:s}]", "name", "ENISA personal data breach severity v1.0 (2013)", "value",
							   (double)json_integer_value(json_object_get(s, "quarters")) / 4, "description",
							   text(s, "band")));
	return x;
}

static void add_incident(struct writing *w)
{
	json_t *o = object(w, "incident", w->incident), *c;
	const json_t *counts = counts_of(w->facts);
	struct buf b;
	size_t i;
	char *name = xasprintf("Security incident at %s", w->vendor);
	set(o, "name", name);
	free(name);
	buf_init(&b, 0);
	buf_addf(&b, "%s, a service provider, had a security incident. Data of fewer than %lld people of the reporter may be concerned. Categories:",
		 w->vendor, bucket(json_integer_value(json_object_get(counts, "people"))));
	json_array_foreach(json_object_get(counts, "categories"), i, c) buf_addf(&b, "%s %s", i ? "," : "", text(c, "category"));
	buf_addc(&b, '.');
	json_object_set_new(o, "description", json_stringn((const char *)b.data, b.len));
	buf_release(&b);
	json_object_set_new(o, "extensions", json_pack("{s:o}", incident_core, core_extension(w)));
}

static void add_infrastructure(struct writing *w)
{
	json_t *o = object(w, "infrastructure", w->infra);
	char *name = xasprintf("%s service", w->vendor);
	set(o, "name", name);
	free(name);
	json_object_set_new(o, "infrastructure_types", json_pack("[s]", "unknown"));
	set(o, "description", "The service provider's systems that hold data of its customers' users. Not malicious in itself.");
}

static void add_domain(struct writing *w)
{
	struct buf b;
	char uuid[37];
	buf_init(&b, 0);
	buf_adds(&b, "{\"value\":");
	buf_add_json(&b, w->host, strlen(w->host));
	buf_addc(&b, '}');
	uuid5(sco_space, (const char *)b.data, b.len, uuid);
	buf_release(&b);
	snprintf(w->domain, sizeof w->domain, "domain-name--%s", uuid);
	json_array_append_new(w->objects, json_pack("{s:s, s:s, s:s, s:s, s:[s]}", "type", "domain-name", "spec_version", "2.1", "id", w->domain, "value",
						    w->host, "object_marking_refs", tlp_ids[w->tlp]));
}

static void add_indicator(struct writing *w, char id[static 80])
{
	id_of("indicator", "host", w->incident, id);
	json_t *o = object(w, "indicator", id);
	set(o, "name", "Data still sent to the service provider");
	set(o, "description", "Traffic to this host since the incident means that data still goes there. The host is the provider's own: don't treat it as malicious.");
	json_object_set_new(o, "indicator_types", json_pack("[s]", "anomalous-activity"));
	json_object_set_new(o, "pattern", json_sprintf("[domain-name:value = '%s']", w->host));
	set(o, "pattern_type", "stix");
	set(o, "pattern_version", "2.1");
	set(o, "valid_from", w->since);
}

static void relate(struct writing *w, const char *from, const char *how, const char *to)
{
	char id[80], *key = xasprintf("%s\n%s", from, to);
	id_of("relationship", how, key, id);
	free(key);
	json_t *o = object(w, "relationship", id);
	set(o, "relationship_type", how);
	set(o, "source_ref", from);
	set(o, "target_ref", to);
}

/* The host of an upstream, "" when it is a bare address: an address isn't a vendor's name. */
static void host_of(const char *url, char out[static 256])
{
	const char *p = strstr(url, "://");
	size_t n = p ? strcspn(p + 3, "/:?#") : 0;
	out[0] = 0;
	if (!p || n == 0 || n > 253 || p[3] == '[')
		return;
	bool name = false;
	for (size_t i = 0; i < n; i++) {
		char c = p[3 + i];
		name = name || (c >= 'a' && c <= 'z');
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'))
			return;
	}
	if (name)
		snprintf(out, 256, "%.*s", (int)n, p + 3);
}

/* ---- the gate ---------------------------------------------------------------------------------------------------- */

/* Our own ids and times have a form in which nothing personal fits; their digits must not look like a card. */
static bool is_id(const char *s)
{
	const char *u = strstr(s, "--");
	if (!u || strlen(u + 2) != 36)
		return false;
	for (const char *p = s; p < u; p++)
		if (!((*p >= 'a' && *p <= 'z') || *p == '-'))
			return false;
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? u[2 + i] != '-' : !strchr("0123456789abcdef", u[2 + i]))
			return false;
	}
	return true;
}

static bool is_time(const char *s)
{
	int64_t t;
	return strlen(s) == 24 && s[10] == 'T' && s[23] == 'Z' && clock_parse(s, 24, &t);
}

static bool clean(const char *s, size_t n)
{
	struct detect_hit hit;
	if (is_id(s) || is_time(s))
		return true;
	char *padded = xcalloc(1, n + 64);
	memcpy(padded, s, n);
	bool none = detect_scan(padded, n, DETECT_ALL, &hit, 1) == 0;
	free(padded);
	return none;
}

static int gate(const json_t *j, const char *where, struct err *err)
{
	const char *key;
	json_t *v;
	size_t i;
	if (json_is_string(j) && !clean(json_string_value(j), json_string_length(j)))
		return err_set(err, ERR_DENIED, "not written: the detectors find personal data in %s", where);
	json_array_foreach(j, i, v) if (gate(v, where, err) < 0)
		return -1;
	json_object_foreach((json_t *)(uintptr_t)j, key, v) {
		if (!clean(key, strlen(key)))
			return err_set(err, ERR_DENIED, "not written: the detectors find personal data in a key");
		if (gate(v, key, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static void write_objects(struct writing *w)
{
	char indicator[80];
	add_marking(w);
	add_identity(w, w->me, w->organisation);
	add_identity(w, w->they, w->vendor);
	add_infrastructure(w);
	add_incident(w);
	relate(w, w->incident, "impacts", w->infra);
	if (!*w->host)
		return;
	add_domain(w);
	add_indicator(w, indicator);
	relate(w, w->infra, "consists-of", w->domain);
	relate(w, indicator, "indicates", w->incident);
}

int share_bundle(const json_t *facts, const char *organisation, enum tlp tlp, json_t **bundle, struct err *err)
{
	struct writing w = {.facts = facts, .organisation = organisation, .tlp = tlp, .objects = json_array()};
	const char *peer = json_string_value(json_object_get(facts, "tlp"));
	char id[80], *key;
	*bundle = NULL;
	w.vendor = *text(facts, "vendor_name") ? text(facts, "vendor_name") : text(facts, "vendor");
	if (!organisation || !*organisation) {
		json_decref(w.objects);
		return err_set(err, ERR_INPUT, "weir.yaml needs mail.organisation: a bundle says who writes it");
	}
	if (peer && tlp_of(peer) > (int)tlp) {
		json_decref(w.objects);
		return err_set(err, ERR_DENIED, "this incident came to us as TLP:%s: it can't go on under a looser marking", peer);
	}
	stamp(text(facts, "at"), w.at);
	stamp(text(facts, "at"), w.since);
	host_of(text(json_object_get(facts, "contract"), "upstream"), w.host);
	key = xasprintf("%s\n%lld\n%s", organisation, (long long)json_integer_value(json_object_get(facts, "id")), text(facts, "at"));
	id_of("identity", "reporter", organisation, w.me);
	id_of("identity", "vendor", w.vendor, w.they);
	id_of("infrastructure", "vendor", w.vendor, w.infra);
	id_of("incident", "incident", key, w.incident);
	id_of("bundle", tlp_names[tlp], key, id);
	free(key);
	write_objects(&w);
	json_t *b = json_pack("{s:s, s:s, s:o}", "type", "bundle", "id", id, "objects", w.objects);
	if (gate(b, "the bundle", err) < 0) {
		json_decref(b);
		return -1;
	}
	*bundle = b;
	return 0;
}
