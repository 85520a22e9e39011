/*
 * Which rule to suggest for a member that no table of an adapter's defaults knows: by the category that its name says
 * (detect/fields.h), else by what its values hold or look like.  Of each category the least that is still of use.
 */
#include "contract/suggest.h"

#include <stdio.h>
#include <string.h>

#include "detect/fields.h"

enum needs { ANY, TEXT, NUMBER };
enum { FEW_OF = 20 };	/* few different words among so many objects are one of a list */

struct by_category {
	const char *category;	/* it, and what is under it */
	enum needs needs;	/* a rule for these values; else the next row that fits */
	const char *rule;	/* without braces; NULL: drop */
	const char *why;	/* of a drop */
};

#define SPECIAL "a special category (GDPR Art. 9)"
#define SECRET "a secret"
#define WHO "who it is"
#define WHERE "where somebody is"

/* The first that fits; the last one fits all. */
static const struct by_category by_category[] = {
	{"user.contact.email", TEXT, "domain: true", NULL},
	{"user.contact.phone_number", TEXT, "mask: 2", NULL},
	{"user.contact.address.country", TEXT, "keep: true, max: 3", NULL},
	{"user.contact.address.city", TEXT, "keep: true, max: 64", NULL},
	{"user.contact.address.state", TEXT, "keep: true, max: 32", NULL},
	{"user.contact.address.postal_code", ANY, NULL, WHERE},
	{"user.contact.organization", TEXT, "redact: all, max: 100", NULL},
	{"user.contact.url", TEXT, "domain: true", NULL},
	{"user.contact", ANY, NULL, WHO},
	{"user.name", ANY, NULL, WHO},
	{"user.account.username", ANY, "pseudonym: user", NULL},
	{"user.account", ANY, "redact: all, max: 100", NULL},
	{"user.unique_id", ANY, "pseudonym: user", NULL},
	{"user.social", ANY, NULL, WHO},
	{"user.device.ip_address", TEXT, "ip: /24", NULL},
	{"user.device.device_id", ANY, "pseudonym: device", NULL},
	{"user.device.cookie_id", ANY, "pseudonym: device", NULL},
	{"user.device.cookie", ANY, NULL, SECRET},
	{"user.device", TEXT, "keep: true, max: 64", NULL},
	{"user.device", NUMBER, "bucket: [0, 320, 480, 768, 1024, 1440, 1920]", NULL},
	{"user.authorization", ANY, NULL, SECRET},
	{"user.government_id", ANY, NULL, "a number of the state's"},
	{"user.financial.bank_account", ANY, NULL, "a bank account"},
	{"user.financial.credit_card", ANY, NULL, "a payment card"},
	{"user.financial", NUMBER, "bucket: [0, 1000, 10000, 100000]", NULL},
	{"user.financial", ANY, NULL, "what somebody has or earns"},
	{"user.payment", ANY, "redact: all, max: 32", NULL},
	{"user.health_and_medical", ANY, NULL, SPECIAL},
	{"user.biometric", ANY, NULL, SPECIAL},
	{"user.demographic.race_ethnicity", ANY, NULL, SPECIAL},
	{"user.demographic.religious_belief", ANY, NULL, SPECIAL},
	{"user.demographic.political_opinion", ANY, NULL, SPECIAL},
	{"user.demographic.sexual_orientation", ANY, NULL, SPECIAL},
	{"user.criminal_history", ANY, NULL, "convictions (GDPR Art. 10)"},
	{"user.childrens", ANY, NULL, "about a child"},
	{"user.demographic.age_range", NUMBER, "bucket: [0, 18, 25, 35, 45, 55, 65]", NULL},
	{"user.demographic.date_of_birth", ANY, NULL, "a day of birth singles people out"},
	{"user.demographic", TEXT, "keep: true, max: 32", NULL},
	{"user.demographic", ANY, NULL, WHO},
	{"user.location.precise", NUMBER, "round: 1", NULL},
	{"user.location.imprecise", TEXT, "keep: true, max: 64", NULL},
	{"user.location", ANY, NULL, WHERE},
	{"user.behavior.search_history", TEXT, "redact: all, max: 100", NULL},
	{"user.behavior.browsing_history", TEXT, "redact: all, max: 200", NULL},
	{"user.content.self_image", ANY, NULL, WHO},
	{"user.content", TEXT, "redact: all, max: 500", NULL},
	{"user.privacy_preferences", ANY, "keep: true", NULL},
	{"user.job_title", TEXT, "redact: all, max: 100", NULL},
	{"user.workplace", TEXT, "redact: all, max: 100", NULL},
	{"", ANY, NULL, NULL},
};

/* Categories of what the detectors find, for a field that holds little else. */
static const struct {
	const char *type, *category;
} by_found[] = {
	{"email", "user.contact.email"}, {"phone", "user.contact.phone_number"}, {"ipv4", "user.device.ip_address"},
	{"ipv6", "user.device.ip_address"}, {"iban", "user.financial.bank_account"}, {"card", "user.financial.credit_card"},
	{"mac", "user.device.device_id"}, {"imei", "user.device.device_id"}, {"jwt", "user.authorization.credentials"},
	{"bearer", "user.authorization.credentials"}, {"key", "user.authorization.credentials"}, {"crypto", "user.financial"},
	{"dob", "user.demographic.date_of_birth"}, {"vin", "user.government_id.vehicle_registration"},
};

static unsigned seen_bits(const struct seen_field *f)
{
	return (f->c.types[SHAPE_TEXT] ? FIELD_SAW_TEXT : 0u) | (f->c.types[SHAPE_NUMBER] ? FIELD_SAW_NUMBER : 0u) |
	       (f->c.types[SHAPE_FLAG] ? FIELD_SAW_FLAG : 0u) | (f->part == SEEN_PROFILE ? FIELD_OF_PERSON : 0u);
}

/* Most of the texts are of this look. */
static bool looks(const struct seen_field *f, enum shape_look look)
{
	uint64_t of = f->c.types[SHAPE_TEXT] + f->c.types[SHAPE_NUMBER];
	return of && f->c.looks[look] * 10 >= of * 8;
}

static const char *category_of(const struct seen_field *f)
{
	const char *named = detect_field(f->name, strlen(f->name), seen_bits(f));
	if (named)
		return named;
	for (unsigned i = 0; i < f->c.found_len; i++) {
		const struct shape_found *x = &f->c.found[i];
		if (x->whole * 2 < f->c.types[SHAPE_TEXT])
			continue;
		for (size_t k = 0; k < sizeof by_found / sizeof *by_found; k++)
			if (strcmp(by_found[k].type, x->type) == 0)
				return by_found[k].category;
		bool ours = detect_type_of(x->type, strlen(x->type)) >= 0;
		return ours && strchr(x->type, '_') ? "user.government_id" : NULL;	/* numbers of countries */
	}
	return looks(f, LOOK_PROSE) ? "user.content" : NULL;
}

static bool has(const struct seen_field *f, enum needs needs)
{
	return needs == ANY || f->c.types[needs == TEXT ? SHAPE_TEXT : SHAPE_NUMBER];
}

static const struct by_category *row_of(const struct seen_field *f, const char *category)
{
	const struct by_category *r = by_category;
	while (*r->category && (!detect_category_in(category, r->category) || !has(f, r->needs)))
		r++;
	return r;
}

/* Without a category: by the look of it. */
static const char *rule_by_look(const struct seen_field *f)
{
	uint64_t texts = f->c.types[SHAPE_TEXT], numbers = f->c.types[SHAPE_NUMBER];
	if (looks(f, LOOK_URL))
		return "url: origin+path";
	if (looks(f, LOOK_TIME))
		return "truncate: day";
	if (f->c.distinct <= SHAPE_FEW && f->c.objects >= FEW_OF && looks(f, LOOK_WORD))
		return "keep: true, max: 32";
	if (looks(f, LOOK_UUID) || looks(f, LOOK_TOKEN) || looks(f, LOOK_HEX))
		return "pseudonym: other";
	if (texts)
		return "redact: all, max: 200";
	return numbers ? "bucket: [0, 1, 10, 100, 1000, 10000]" : NULL;
}

/* The last word of a key says what an id or a time is, whatever it looks like: "orderId" and "order_id" end in "id". */
static bool last_word_is(const char *name, const char *word)
{
	size_t n = strlen(name), w = strlen(word);
	while (n && strchr("[]\"", name[n - 1]))
		n--;
	if (n < w)
		return false;
	for (size_t i = 0; i < w; i++)
		if ((name[n - w + i] | 0x20) != word[i])
			return false;
	char before = n > w ? name[n - w - 1] : '.', first = name[n - w];
	bool lower = before >= 'a' && before <= 'z', letter = lower || (before >= 'A' && before <= 'Z');
	return !letter || (lower && first >= 'A' && first <= 'Z');
}

static const char *rule_by_word(const struct seen_field *f)
{
	static const struct {
		const char *word, *rule;
	} rows[] = {
		{"at", "truncate: day"}, {"date", "truncate: day"}, {"time", "truncate: hour"}, {"ts", "truncate: hour"}, {"timestamp", "truncate: hour"},
		{"id", "pseudonym: other"}, {"uuid", "pseudonym: other"}, {"guid", "pseudonym: other"}, {"hash", "pseudonym: other"},
		{"key", "pseudonym: other"}, {"number", "pseudonym: other"},
	};
	if (!f->c.types[SHAPE_TEXT] && !f->c.types[SHAPE_NUMBER])
		return NULL;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (last_word_is(f->name, rows[i].word))
			return rows[i].rule;
	return NULL;
}

void suggest_rule(const struct seen_field *f, struct suggested_rule *out)
{
	const char *category = category_of(f);
	const struct by_category *r = category ? row_of(f, category) : NULL;
	const char *rule = r ? r->rule : rule_by_word(f);
	out->why = r ? r->why : NULL;
	if (r && strcmp(category, "user.behavior.browsing_history") == 0 && looks(f, LOOK_URL))
		rule = "url: origin+path";
	if (!rule && (!r || !*r->category))
		rule = rule_by_look(f);
	if (out->why)
		snprintf(out->text, sizeof out->text, "drop");
	else if (category)
		snprintf(out->text, sizeof out->text, "{%s, category: %s}", rule ? rule : "keep: true", category);
	else
		snprintf(out->text, sizeof out->text, rule ? "{%s}" : "keep", rule);
}
