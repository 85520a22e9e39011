/*
 * The model as canonical JSON: the file's own keys with every default filled in, so that contract_from_json is the
 * file's reader and two files that mean the same have the same digest.
 */
#include <string.h>

#include <jansson.h>

#include "contract/read.h"

static json_t *text(struct span s)
{
	return json_stringn_nocheck(s.at, s.len);
}

static void put_text(json_t *o, const char *key, struct span s)
{
	if (s.len)
		json_object_set_new(o, key, text(s));
}

static void put_texts(json_t *o, const char *key, const struct span *v, size_t n)
{
	if (n == 0)
		return;
	json_t *l = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(l, text(v[i]));
	json_object_set_new(o, key, l);
}

static json_t *rules(const struct rule *v, size_t n)
{
	json_t *o = json_object();
	for (size_t i = 0; i < n; i++)
		json_object_setn_new_nocheck(o, v[i].path.text.at, v[i].path.text.len, rule_json(&v[i]));
	return o;
}

static json_t *delivery(const struct contract *c)
{
	json_t *o = json_object();
	json_object_set_new(o, "adapter", json_string(c->adapter->name));
	put_text(o, "upstream", c->upstream);
	put_text(o, "credential", c->credential);
	json_object_set_new(o, "quota", json_integer((json_int_t)c->quota_bytes));
	return o;
}

static json_t *sources(const struct contract *c)
{
	json_t *l = json_array();
	for (size_t i = 0; i < c->sources_len; i++) {
		json_t *o = json_object();
		put_text(o, "name", c->sources[i].name);
		put_text(o, "token", c->sources[i].token);
		json_array_append_new(l, o);
	}
	return l;
}

static json_t *requires(const struct requires *q)
{
	json_t *o = json_object();
	if (q->assessment) {
		json_t *a = json_object();
		put_text(a, "standard", q->standard);
		if (q->score >= 0)
			json_object_set_new(a, "score", json_integer(q->score));
		if (q->within_s > 0)
			json_object_set_new(a, "within", json_sprintf("PT%lldS", (long long)q->within_s));
		json_object_set_new(o, "assessment", a);
	}
	if (q->posture) {
		json_t *p = json_object();
		put_text(p, "grade", q->grade);
		json_object_set_new(o, "posture", p);
	}
	return o;
}

static json_t *events(const struct contract *c)
{
	json_t *l = json_array();
	for (size_t i = 0; i < c->events_len; i++)
		json_array_append_new(l, json_sprintf("%.*s%s", (int)c->events[i].text.len, c->events[i].text.at,
						      c->events[i].prefix ? "*" : ""));
	return l;
}

static json_t *attributes(const struct contract *c)
{
	json_t *o = json_object();
	for (size_t i = 0; i < c->attributes_len; i++)
		json_object_set_new(o, c->attributes[i].name.at, text(c->attributes[i].path.text));
	return o;
}

static json_t *restricted(const struct contract *c)
{
	json_t *o = json_object(), *l = json_array();
	for (size_t i = 0; i < c->restricted_drop_len; i++)
		json_array_append_new(l, text(c->restricted_drop[i].text));
	json_object_set_new(o, "drop", l);
	json_object_set_new(o, "identity", json_string(identity_names[c->restricted_identity]));
	return o;
}

static void put_sections(json_t *o, const struct contract *c)
{
	if (c->detector_files_len + c->own_len)
		json_object_set_new(o, "detectors", detectors_json(c));
	if (c->on_hit.what != HIT_REDACT)
		json_object_set_new(o, "on_hit", on_hit_json(c->on_hit));
	json_object_set_new(o, "fields", rules(c->fields, c->fields_len));
	if (c->profiles) {
		json_t *p = json_object(), *none = json_array();
		json_object_set_new(p, "operations", none);
		put_texts(p, "operations", c->profile_ops, c->profile_ops_len);
		json_object_set_new(p, "fields", rules(c->profile_fields, c->profile_fields_len));
		json_object_set_new(o, "profiles", p);
	}
	if (c->groups) {
		json_t *g = json_object(), *none = json_array();
		json_object_set_new(g, "keys", none);
		put_texts(g, "keys", c->group_keys, c->group_keys_len);
		json_object_set_new(g, "fields", rules(c->group_fields, c->group_fields_len));
		json_object_set_new(o, "groups", g);
	}
	if (c->restricted)
		json_object_set_new(o, "restricted", restricted(c));
}

static json_t *model(const struct contract *c)
{
	json_t *o = json_object();
	json_object_set_new(o, "weir", json_integer(1));
	put_text(o, "vendor", c->vendor);
	put_text(o, "name", c->name);
	put_text(o, "country", c->country);
	put_text(o, "role", c->role);
	put_text(o, "service", c->service);
	put_texts(o, "data_regions", c->data_regions, c->data_regions_len);
	put_texts(o, "subprocessors", c->subprocessors, c->subprocessors_len);
	json_object_set_new(o, "delivery", delivery(c));
	json_object_set_new(o, "sources", sources(c));
	json_object_set_new(o, "version", json_integer(c->version));
	put_text(o, "signed", c->signed_on);
	put_text(o, "expires", c->expires);
	put_text(o, "purpose", c->purpose);
	put_text(o, "basis", c->basis);
	put_text(o, "breach_notice", c->breach_notice);
	put_text(o, "retention", c->retention);
	put_texts(o, "clauses", c->clauses, c->clauses_len);
	if (c->requires.assessment || c->requires.posture)
		json_object_set_new(o, "requires", requires(&c->requires));
	json_object_set_new(o, "mode", json_string(c->learn ? "learn" : "enforce"));
	if (c->refuse_sec_gpc)
		json_object_set_new(o, "consent", json_pack("{s:[s]}", "refuse_when", "sec-gpc"));
	json_object_set_new(o, "identity", json_string(identity_names[c->identity]));
	if (c->subject_kind.len)
		json_object_set_new(o, "subject", json_pack("{s:s}", "kind", c->subject_kind.at));
	if (c->attributes_len)
		json_object_set_new(o, "attributes", attributes(c));
	json_object_set_new(o, "events", events(c));
	json_object_set_new(o, "links", json_string(c->links ? "allow" : "deny"));
	put_sections(o, c);
	return o;
}

void contract_to_json(const struct contract *c, struct buf *out)
{
	json_t *m = model(c);
	canon_write(m, out);
	json_decref(m);
}

void contract_digest(const struct contract *c, uint8_t out[static 32])
{
	struct buf b;
	buf_init(&b, 0);
	contract_to_json(c, &b);
	crypt_sha256(b.data, b.len, out);
	buf_release(&b);
}
