/*
 * The EDPB's common notification template, version 1.0 (adopted 8 June 2026, in consultation until August): the fields
 * that Weir can fill, by their numbers, with the letters of the template's own options; lists where several may apply.
 * It is a draft for a person, not a filing: what only a person can say (names, prose, the risk decision) is left out.
 */
#include <string.h>

#include "base/clock.h"
#include "notice/private.h"

/* Field 70: type of breached data, by category; the first that fits. */
static const struct {
	const char *category, *option;
} kinds[] = {
	{"user.name", "a"},	      {"user.demographic.date_of_birth", "a"}, {"user.contact", "b"},		 {"user.biometric", "c"},
	{"user.criminal_history", "d"}, {"user.demographic.political_opinion", "e"}, {"user.demographic.race_ethnicity", "f"},
	{"user.demographic.religious_belief", "g"}, {"user.demographic.sexual_orientation", "h"}, {"user.health_and_medical.genetic", "j"},
	{"user.health_and_medical", "k"}, {"user.financial.credit_card", "q"}, {"user.financial.bank_account", "q"}, {"user.payment", "q"},
	{"user.financial", "l"},	      {"user.government_id", "n"},	       {"user.location", "o"},	 {"user.device.ip_address", "o"},
	{"user.authorization", "s"},   {"user.account.username", "s"},	       {"user.behavior", "r"},	 {"user.social", "r"},
};

static bool under(const char *category, const char *prefix)
{
	size_t n = strlen(prefix);
	return strncmp(category, prefix, n) == 0 && (category[n] == 0 || category[n] == '.');
}

static const char *option_of(const char *category)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (under(category, kinds[i].category))
			return kinds[i].option;
	return "u";
}

static void add_once(json_t *list, const char *s)
{
	size_t i;
	json_t *v;
	json_array_foreach(list, i, v) if (strcmp(json_string_value(v), s) == 0)
		return;
	json_array_append_new(list, json_string(s));
}

static void set_text(json_t *form, const char *field, const char *s)
{
	if (s && *s)
		json_object_set_new(form, field, json_string(s));
}

static void people(json_t *form, const json_t *counts)
{
	json_t *types = json_array(), *countries = json_object();
	struct buf more;
	size_t i;
	const json_t *c;
	buf_init(&more, 0);
	json_array_foreach(json_object_get(counts, "categories"), i, c) {
		const char *name = json_string_value(json_object_get(c, "category"));
		if (!name)
			continue;
		add_once(types, option_of(name));
		buf_addf(&more, "%s%s: %lld", more.len ? "; " : "", name, (long long)json_integer_value(json_object_get(c, "people")));
	}
	json_array_foreach(json_object_get(counts, "jurisdictions"), i, c) {
		const char *code = json_string_value(json_object_get(c, "code"));
		if (code)
			json_object_set(countries, code, json_object_get(c, "people"));
	}
	json_object_set_new(form, "field_65", json_pack("[s]", "h"));
	/* The ledger can report too much, never too little: approximate where it says so. */
	bool approximate = json_is_true(json_object_get(counts, "over_approximate"));
	json_object_set_new(form, "field_67", json_string(approximate ? "b" : "a"));
	json_object_set(form, "field_68", json_object_get(counts, "people"));
	json_object_set_new(form, "field_70", types);
	set_text(form, "field_71", more.len ? (const char *)more.data : NULL);
	json_object_set_new(form, "field_72", json_string("b"));
	json_object_set(form, "field_73", json_object_get(counts, "events"));
	json_object_set_new(form, "field_117", countries);
	buf_release(&more);
}

static void severity(json_t *form, const json_t *facts)
{
	static const struct {
		const char *band, *option;
	} rows[] = {{"low", "a"}, {"medium", "b"}, {"high", "c"}, {"very high", "c"}};
	const json_t *s = json_object_get(json_object_get(facts, "severity"), "confirmed");
	const char *band = json_string_value(json_object_get(s, "band"));
	json_object_set_new(form, "field_87", json_string("d"));
	for (size_t i = 0; band && i < 4; i++)
		if (strcmp(rows[i].band, band) == 0)
			json_object_set_new(form, "field_87", json_string(rows[i].option));
	if (band)
		json_object_set_new(form, "field_90", json_sprintf("ENISA severity (v1.0, 2013): %lld quarters, %s; %s",
								   (long long)json_integer_value(json_object_get(s, "quarters")), band,
								   json_string_value(json_object_get(s, "why"))));
}

static const json_t *anchor(const json_t *facts, const char *name)
{
	return json_object_get(json_object_get(json_object_get(facts, "anchors"), name), "at");
}

json_t *notice_form(const json_t *facts, const struct notice_sender *from, const char *what)
{
	json_t *form = json_object();
	const json_t *scopes = json_object_get(facts, "scopes"), *told = json_array_get(json_object_get(facts, "messages"), 0);
	const json_t *last = json_array_get(scopes, json_array_size(scopes) - 1), *counts = json_object_get(last, "counts");
	const json_t *contract = json_object_get(facts, "contract");
	json_object_set_new(form, "field_3", json_string("a"));
	json_object_set_new(form, "field_4", json_string("b"));
	json_object_set_new(form, "field_7", json_sprintf("weir-%lld", (long long)json_integer_value(json_object_get(facts, "id"))));
	set_text(form, "field_12", from->organisation);
	set_text(form, "field_13", from->contact);
	set_text(form, "field_36", from->contact);
	json_object_set_new(form, "field_38", json_string("a"));
	set_text(form, "field_39", json_string_value(json_object_get(contract, "role")));
	set_text(form, "field_40", json_string_value(json_object_get(facts, "vendor_name")));
	json_object_set_new(form, "field_44", json_string("e"));
	json_object_set(form, "field_48", (json_t *)(uintptr_t)anchor(facts, "controller_aware"));
	json_object_set_new(form, "field_50", json_string(told ? "b" : "a"));
	if (json_is_string(json_object_get(told, "received")))
		json_object_set_new(form, "field_52", json_stringn(json_string_value(json_object_get(told, "received")), 10));
	json_object_set_new(form, "field_55", json_pack("[s]", "a"));
	json_object_set_new(form, "field_56", json_string("e"));
	json_object_set_new(form, "field_60", json_pack("[s]", "f"));
	json_object_set_new(form, "field_61", json_string("e"));
	set_text(form, "field_62", what);
	set_text(form, "field_63", json_string_value(json_object_get(contract, "service")));
	if (counts)
		people(form, counts);
	const char *identity = json_string_value(json_object_get(contract, "identity"));
	json_t *measures = json_pack("[s, s]", "f", "g");
	if (identity && (strcmp(identity, "pseudonym") == 0 || strcmp(identity, "daily") == 0))
		json_array_insert_new(measures, 0, json_string("a"));
	json_object_set_new(form, "field_75", measures);
	json_object_set_new(form, "field_79", json_pack("[s, s]", "b", "c"));
	severity(form, facts);
	if (json_is_true(json_object_get(facts, "cut_off")))
		set_text(form, "field_92", "The processor was cut off: nothing more is sent to it.");
	return form;
}
