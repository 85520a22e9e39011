/*
 * The suggested contract.  Three blocks a section: what is known and passes in its safest useful form; what is known and
 * stays behind, with the reason; what nobody knows yet, as lines to uncomment.
 */
#include "contract/suggest.h"

#include <stdlib.h>
#include <string.h>

#include "detect/detect.h"

enum { EVENTS_LISTED = 100, RULE_COLUMN = 68 };

struct known {
	const char *path;	/* a trailing * matches what begins so */
	const char *rule;	/* NULL: left behind */
	const char *why;
};

#define DEVICE ", category: user.device}"
#define PAGE ", category: user.behavior.browsing_history}"
#define WHO "who it is"
#define WHERE "where somebody is"
#define CLICK "an advertiser's identifier of one click"
#define TEXT "what stood on the page"

/* Default properties of Mixpanel's SDKs, by what is done about them; the first that fits. */
static const struct known event_fields[] = {
	{"properties.mp_lib", "{keep: true, max: 32}", NULL},
	{"properties.$lib_version", "{keep: true, max: 32}", NULL},
	{"properties.$os", "{keep: true, max: 32" DEVICE, NULL},
	{"properties.$browser", "{keep: true, max: 32" DEVICE, NULL},
	{"properties.$browser_version", "{round: 0" DEVICE, NULL},
	{"properties.$screen_width", "{bucket: [0, 480, 768, 1024, 1440, 1920]" DEVICE, NULL},
	{"properties.$duration", "{round: 0}", NULL},
	{"properties.$app_version_string", "{keep: true, max: 32}", NULL},
	{"properties.$app_version", "{keep: true, max: 32}", NULL},
	{"properties.$current_url", "{url: origin+path" PAGE, NULL},
	{"properties.$referrer", "{domain: true" PAGE, NULL},
	{"properties.$initial_referrer", "{domain: true" PAGE, NULL},
	{"properties.$search_engine", "{oneof: [google, bing, yahoo, duckduckgo]" PAGE, NULL},
	{"properties.utm_source", "{keep: true, max: 64}", NULL},
	{"properties.utm_medium", "{keep: true, max: 64}", NULL},
	{"properties.utm_campaign", "{keep: true, max: 64}", NULL},
	{"properties.utm_*", NULL, "campaign text that often carries addresses"},
	{"properties.mp_sent_by_lib_version", NULL, "says nothing that $lib_version doesn't"},
	{"properties.$had_persisted_distinct_id", NULL, "an SDK's own state"},
	{"properties.$screen_*", NULL, "exact screens single people out; the width's class passes"},
	{"properties.$viewport_*", NULL, "exact sizes single people out"},
	{"properties.$device", NULL, "the device's model"},
	{"properties.$model", NULL, "the device's model"},
	{"properties.$manufacturer", NULL, "the device's maker"},
	{"properties.$brand", NULL, "the device's maker"},
	{"properties.$carrier", NULL, "the phone company"},
	{"properties.$os_version", NULL, "exact builds single people out"},
	{"properties.$initial_referring_domain", NULL, "in $initial_referrer"},
	{"properties.$referring_domain", NULL, "in $referrer"},
	{"properties.current_page_title", NULL, "titles name people and documents"},
	{"properties.current_*", NULL, "in $current_url; the query is never needed"},
	{"properties.mp_keyword", NULL, "what somebody searched for"},
	{"properties.ph_keyword", NULL, "what somebody searched for"},
	{"properties.mp_country_code", "{keep: true, max: 2, category: user.location.imprecise}", NULL},
	{"properties.$city", NULL, WHERE},
	{"properties.$region", NULL, WHERE},
	{"properties.$timezone", NULL, WHERE},
	{"properties.$latitude", NULL, WHERE},
	{"properties.$longitude", NULL, WHERE},
	{"properties.ip", NULL, "Mixpanel derives a place, and without an identifier a person, from it"},
	{"properties.$ip", NULL, "Mixpanel derives a place, and without an identifier a person, from it"},
	{"properties.$user_agent", NULL, "$browser and $os say what is needed"},
	{"properties.$email", NULL, WHO},
	{"properties.$phone", NULL, WHO},
	{"properties.$name", NULL, WHO},
	{"properties.$first_name", NULL, WHO},
	{"properties.$last_name", NULL, WHO},
	{"properties.$avatar", NULL, WHO},
	{"properties.$username", NULL, WHO},
	{"properties.$el_*", NULL, TEXT},
	{"properties.$elements*", NULL, TEXT},
	{"properties.$attr*", NULL, TEXT},
	{"properties.dclid", NULL, CLICK},
	{"properties.fbclid", NULL, CLICK},
	{"properties.gclid", NULL, CLICK},
	{"properties.ko_click_id", NULL, CLICK},
	{"properties.li_fat_id", NULL, CLICK},
	{"properties.msclkid", NULL, CLICK},
	{"properties.sccid", NULL, CLICK},
	{"properties.ttclid", NULL, CLICK},
	{"properties.twclid", NULL, CLICK},
	{"properties.wbraid", NULL, CLICK},
};

static const struct known profile_fields[] = {
	{"$os", "{keep: true, max: 32" DEVICE, NULL},
	{"$browser", "{keep: true, max: 32" DEVICE, NULL},
	{"$browser_version", "{round: 0" DEVICE, NULL},
	{"$initial_referrer", "{domain: true" PAGE, NULL},
	{"$created", "{truncate: month}", NULL},
	{"$initial_referring_domain", NULL, "in $initial_referrer"},
	{"$email", NULL, WHO},
	{"$name", NULL, WHO},
	{"$first_name", NULL, WHO},
	{"$last_name", NULL, WHO},
	{"$phone", NULL, WHO},
	{"$avatar", NULL, WHO},
	{"$username", NULL, WHO},
	{"$ip", NULL, WHERE},
	{"$city", NULL, WHERE},
	{"$region", NULL, WHERE},
	{"$country_code", "{keep: true, max: 2, category: user.location.imprecise}", NULL},
	{"$timezone", NULL, WHERE},
	{"$transactions*", NULL, "what somebody paid, and when"},
	{"utm_*", NULL, "campaign text that often carries addresses"},
};

static bool fits(const char *pattern, const char *path)
{
	size_t n = strlen(pattern);
	return pattern[n - 1] == '*' ? strncmp(pattern, path, n - 1) == 0 : strcmp(pattern, path) == 0;
}

static const struct known *known_of(const struct seen_field *f)
{
	bool event = f->part == SEEN_EVENT;
	const struct known *k = event ? event_fields : profile_fields;
	size_t n = event ? sizeof event_fields / sizeof *k : sizeof profile_fields / sizeof *k;
	for (size_t i = 0; i < n; i++)
		if (fits(k[i].path, f->name))
			return &k[i];
	return NULL;
}

/* ---- order ---- */

static int by_count(const void *a, const void *b)
{
	const struct seen_field *x = *(const struct seen_field *const *)a, *y = *(const struct seen_field *const *)b;
	if (x->c.objects != y->c.objects)
		return x->c.objects < y->c.objects ? 1 : -1;
	return strcmp(x->name, y->name);
}

static size_t part_of(const struct suggestion *s, enum seen_part part, const struct seen_field **out)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n; i++)
		if (s->fields[i].part == part)
			out[n++] = &s->fields[i];
	qsort(out, n, sizeof *out, by_count);
	return n;
}

/* ---- lines ---- */

static bool starts_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '$' || c == '_';
}

/* A key of YAML: in quotes unless it can't be misread. */
static void add_key(struct buf *b, const char *path)
{
	bool plain = starts_plain(path[0]);
	for (const char *p = path; *p; p++)
		plain &= starts_plain(*p) || (*p >= '0' && *p <= '9') || strchr(".[]-", *p) != NULL;
	if (plain) {
		buf_adds(b, path);
		return;
	}
	buf_addc(b, '\'');
	for (const char *p = path; *p; p++)
		buf_adds(b, *p == '\'' ? "''" : (char[]){*p, 0});
	buf_addc(b, '\'');
}

/* 1204 as "1,204". */
static void add_number(struct buf *b, uint64_t n)
{
	if (n >= 1000)
		add_number(b, n / 1000);
	buf_addf(b, n >= 1000 ? ",%03u" : "%u", (unsigned)(n % 1000));
}

/* "in 98.2 % of 1,204 events"; "in 3 of 14 events" where there are few. */
static void add_share(struct buf *b, uint64_t n, uint64_t of, const char *what)
{
	buf_adds(b, "in ");
	if (of >= 100) {
		buf_addf(b, n && n * 1000 < of ? "under 0.1 %% of " : "%.1f %% of ", 100.0 * (double)n / (double)of);
	} else {
		add_number(b, n);
		buf_adds(b, " of ");
	}
	add_number(b, of);
	buf_addf(b, " %s", what);
}

static void add_types(struct buf *b, const struct shape_counts *c)
{
	const char *between = ", ";
	for (unsigned i = 0; i < SHAPE_TYPES; i++) {
		if (!c->types[i] || i == SHAPE_OBJECT)
			continue;
		buf_addf(b, "%s%s", between, shape_type_names[i]);
		between = " or ";
	}
	if ((c->types[SHAPE_TEXT] || c->types[SHAPE_NUMBER]) && c->distinct <= SHAPE_FEW)
		buf_addf(b, ", %u different value%s", c->distinct, c->distinct == 1 ? "" : "s");
}

/* What the detectors found first: that says more than what it looks like. */
static void add_looks(struct buf *b, const struct shape_counts *c)
{
	static const unsigned telling = 1u << LOOK_UUID | 1u << LOOK_TIME | 1u << LOOK_URL | 1u << LOOK_HEX | 1u << LOOK_TOKEN | 1u << LOOK_PROSE |
					1u << LOOK_DIGITS;
	uint64_t texts = c->types[SHAPE_TEXT], values = texts + c->types[SHAPE_NUMBER];
	for (unsigned i = 0; i < c->found_len; i++) {
		const struct shape_found *f = &c->found[i];
		bool looks = f->whole * 10 >= texts * 8;
		buf_addf(b, "; %s %s", looks ? "looks like" : "carries", shape_found_words(f->type));
		if (!looks && texts >= 100)
			buf_addf(b, " (%.1f %%)", 100.0 * (double)f->n / (double)texts);
	}
	for (unsigned i = 0; i < SHAPE_LOOKS && !c->found_len; i++)
		if (telling >> i & 1 && values && c->looks[i] * 10 >= values * 8)
			buf_addf(b, "; looks like %s", shape_look_words[i]);
}

static void line_start(struct buf *b, size_t *at, bool off, const char *indent)
{
	*at = b->len;
	buf_adds(b, indent);
	buf_adds(b, off ? "# " : "");
}

static void add_column(struct buf *b, size_t line)
{
	buf_addc(b, ' ');
	do
		buf_addc(b, ' ');
	while (b->len - line < RULE_COLUMN);
	buf_adds(b, "# ");
}

/* Objects of a part: how many there were, and what they are called. */
struct part_of {
	uint64_t n;
	const char *what;
};

static void field_line(struct buf *b, const struct seen_field *f, const char *rule, const char *why, bool off, const char *indent,
		       struct part_of of)
{
	size_t line;
	line_start(b, &line, off, indent);
	add_key(b, f->name);
	buf_addf(b, ": %s", rule);
	add_column(b, line);
	add_share(b, f->c.objects, of.n, of.what);
	add_types(b, &f->c);
	add_looks(b, &f->c);
	if (why)
		buf_addf(b, "; %s", why);
	buf_addc(b, '\n');
}

/* ---- sections ---- */

/* Slots have a rule of their own; so has a group's identifier in an event. */
static bool is_slot(const struct suggestion *s, const struct seen_field *f)
{
	const struct adapter *a = s->adapter;
	for (size_t i = 0; i < a->slots_len; i++)
		if (f->part == SEEN_EVENT && a->slots[i].kind == OBJECT_EVENT && strcmp(a->slots[i].path, f->name) == 0)
			return true;
	for (size_t i = 0; i < s->n; i++)
		if (f->part == SEEN_EVENT && s->fields[i].part == SEEN_GROUP_KEY && strncmp(f->name, "properties.", 11) == 0 &&
		    strcmp(s->fields[i].name, f->name + 11) == 0)
			return true;
	return false;
}

enum block { PASSES, STAYS, UNKNOWN };

static bool in_block(const struct suggestion *s, const struct seen_field *f, enum block block)
{
	const struct known *k = known_of(f);
	/* A list or an object says nothing by itself; what is in it has a line. */
	const uint64_t *t = f->c.types;
	if (is_slot(s, f) || t[SHAPE_TEXT] + t[SHAPE_NUMBER] + t[SHAPE_FLAG] + t[SHAPE_NULL] == 0)
		return false;
	return block == UNKNOWN ? !k : k && (block == PASSES) == (k->rule != NULL);
}

static void add_block(const struct suggestion *s, struct buf *b, const struct seen_field **v, size_t n, enum block block,
		      const char *indent, struct part_of of)
{
	static const char *const titles[] = {
		[PASSES] = NULL,
		[STAYS] = "Known, and left behind:",
		[UNKNOWN] = "Yours.  Uncomment what the purpose needs, and choose how much of it:",
	};
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		const struct known *k = known_of(v[i]);
		if (!in_block(s, v[i], block))
			continue;
		if (!any && titles[block])
			buf_addf(b, "\n%s# %s\n", indent, titles[block]);
		any = true;
		if (block == PASSES)
			field_line(b, v[i], k->rule, NULL, false, indent, of);
		else if (block == STAYS)
			field_line(b, v[i], "drop", k->why, true, indent, of);
		else {
			struct suggested_rule rule;
			suggest_rule(v[i], &rule);
			field_line(b, v[i], rule.text, rule.why, true, indent, of);
		}
	}
}

static void add_hidden(struct buf *b, size_t hidden, const char *indent)
{
	if (hidden)
		buf_addf(b, "%s# %zu more time%s a name that is data itself (an address, a number) or one too many; not shown\n",
			 indent, hidden, hidden == 1 ? "" : "s");
}

static bool any_passes(const struct suggestion *s, const struct seen_field **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (in_block(s, v[i], PASSES))
			return true;
	return false;
}

static void add_fields(const struct suggestion *s, struct buf *b, enum seen_part part, const char *indent, struct part_of of,
		       const struct seen_field **v)
{
	size_t n = part_of(s, part, v);
	for (enum block k = PASSES; k <= UNKNOWN; k++)
		add_block(s, b, v, n, k, indent, of);
	add_hidden(b, s->hidden[part], indent);
}

static void add_head(const struct suggestion *s, struct buf *b)
{
	const struct suggest_counts *c = &s->counts;
	char env[64] = {0};
	for (size_t i = 0; i < sizeof env - 1 && s->adapter->name[i]; i++) {
		char ch = s->adapter->name[i];
		env[i] = ch >= 'a' && ch <= 'z' ? (char)(ch - 32) : '_';
	}
	if (s->vendor)
		buf_addf(b, "# Suggested from what was learned of %s, %s to %s:\n# ", s->vendor, s->first, s->last);
	else
		buf_adds(b, "# Suggested from ");
	buf_addf(b,
		 "%zu events, %zu profile updates, %zu group updates and %zu links; no value of theirs stands here.\n"
		 "# What is active passes; what is behind a # stays here until somebody uncomments it.  Look at each line, then:\n"
		 "#   weir contract check FILE && weir contract show --effective FILE\n"
		 "weir: 1\n"
		 "vendor: %s\n"
		 "name: %s                       # the company in your agreement\n"
		 "country: US\n"
		 "role: processor\n"
		 "delivery:\n"
		 "  adapter: %s\n"
		 "  upstream: %s\n"
		 "  credential: env:%s_TOKEN\n"
		 "sources:\n"
		 "  - {name: web, token: env:WEB_TOKEN}\n"
		 "version: 1\n"
		 "purpose: product-analytics\n"
		 "basis: legitimate-interest\n"
		 "mode: enforce\n"
		 "identity: pseudonym                     # every identifier of a person\n\n",
		 c->events, c->profiles, c->groups, c->links, s->vendor ? s->vendor : s->adapter->name, s->adapter->title, s->adapter->name,
		 s->adapter->upstream, env);
	if (c->links)
		buf_addf(b, "links: allow                            # %zu aliases, merges or identifies\n\n", c->links);
}

static void add_events(const struct suggestion *s, struct buf *b, const struct seen_field **v)
{
	size_t n = part_of(s, SEEN_EVENT_NAME, v);
	buf_adds(b, n ? "events:\n" : "events: []                              # none was seen\n");
	for (size_t i = 0; i < n && i < EVENTS_LISTED; i++) {
		size_t line = b->len;
		buf_adds(b, "  - ");
		buf_add_json(b, v[i]->name, strlen(v[i]->name));
		add_column(b, line);
		add_share(b, v[i]->c.objects, s->counts.events, "events");
		buf_addc(b, '\n');
	}
	if (n > EVENTS_LISTED)
		buf_addf(b, "  # and %zu rarer names: a prefix may say them, such as \"chat_*\"\n", n - EVENTS_LISTED);
	add_hidden(b, s->hidden[SEEN_EVENT_NAME], "  ");
	buf_adds(b, "\nfields:\n  event: keep\n  properties.time: keep\n  properties.$insert_id: keep\n");
	add_fields(s, b, SEEN_EVENT, "  ", (struct part_of){s->counts.events, "events"}, v);
}

static void add_words(struct buf *b, const struct seen_field **v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_adds(b, i ? ", " : "[");
		buf_add_json(b, v[i]->name, strlen(v[i]->name));
	}
	buf_adds(b, "]\n");
}

static void add_profiles(const struct suggestion *s, struct buf *b, const struct seen_field **v)
{
	if (!s->counts.profiles)
		return;
	buf_adds(b, "\nprofiles:\n  operations: ");
	add_words(b, v, part_of(s, SEEN_OPERATION, v));
	bool any = any_passes(s, v, part_of(s, SEEN_PROFILE, v));
	buf_adds(b, any ? "  fields:\n" : "  fields: {}                            # without the {} once a line is uncommented\n");
	add_fields(s, b, SEEN_PROFILE, "    ", (struct part_of){s->counts.profiles, "profile updates"}, v);
}

static void add_groups(const struct suggestion *s, struct buf *b, const struct seen_field **v)
{
	size_t n = part_of(s, SEEN_GROUP_KEY, v);
	if (!s->counts.groups || n == 0)
		return;
	buf_adds(b, "\ngroups:\n  keys: ");
	add_words(b, v, n);
	bool any = any_passes(s, v, part_of(s, SEEN_GROUP, v));
	buf_adds(b, any ? "  fields:\n" : "  fields: {}                            # without the {} once a line is uncommented\n");
	add_fields(s, b, SEEN_GROUP, "    ", (struct part_of){s->counts.groups, "group updates"}, v);
}

void suggest_print(const struct suggestion *s, struct buf *b)
{
	const struct seen_field **v = xcalloc(s->n + 1, sizeof *v);
	add_head(s, b);
	add_events(s, b, v);
	add_profiles(s, b, v);
	add_groups(s, b, v);
	free(v);
}
