/* Drafts and letters: templates filled with what is known. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "notice/private.h"

/* The elements that the law requires (GDPR 33(3), 34(2)); an empty one of them keeps the draft from being released. */
static const struct template {
	const char *kind;
	const char *text[LANGS];
	const char *const *required;
} templates[] = {
	{"people", {notice_people_en, notice_people_de},
	 (const char *const[]){"subject", "nature", "data", "consequences", "measures", "advice", "contact", NULL}},
	{"authority", {notice_authority_en, notice_authority_de},
	 (const char *const[]){"subject", "nature", "people", "records", "categories", "contact", "consequences", "measures", NULL}},
};

static const char *const persons_own[] = {"your_data", "your_consequences", "your_advice", "when", "first", "last", NULL};

enum { DAY_S = 86400 };

/* ---- values ------------------------------------------------------------------------------------------------------ */

static bool time_of(const json_t *j, const char *name, int64_t *out)
{
	const json_t *v = json_object_get(j, name);
	return json_is_string(v) && clock_parse(json_string_value(v), json_string_length(v), out);
}

static void set(json_t *values, const char *name, struct buf *b)
{
	json_object_set_new(values, name, json_stringn(b->len ? (const char *)b->data : "", b->len));
	buf_release(b);
}

static void set_date(json_t *values, const char *name, int lang, int64_t at)
{
	struct buf b;
	buf_init(&b, 0);
	notice_date(lang, at, &b);
	set(values, name, &b);
}

static void set_phrase(json_t *values, const char *name, int lang, const char *key)
{
	struct buf b;
	bool empty;
	buf_init(&b, 0);
	notice_fill(notice_word(lang, key), values, NULL, &b, &empty);
	if (empty)
		buf_reset(&b);
	set(values, name, &b);
}

/* To the minute: deadlines count in hours. */
static void set_time(json_t *values, const char *name, int lang, const json_t *from, const char *member)
{
	char text[21];
	int64_t at;
	struct buf b;
	bool empty;
	if (!time_of(from, member, &at))
		return;
	json_t *v = json_object();
	clock_format(at, text);
	set_date(v, "day", lang, at);
	json_object_set_new(v, "clock", json_stringn(text + 11, 5));
	buf_init(&b, 0);
	notice_fill(notice_word(lang, "time"), v, NULL, &b, &empty);
	set(values, name, &b);
	json_decref(v);
}

static void set_text(json_t *values, const char *name, const char *text)
{
	if (text && *text)
		json_object_set_new(values, name, json_string(text));
}

static const json_t *counts_of(const json_t *facts)
{
	const json_t *scopes = json_object_get(facts, "scopes");
	return json_object_get(json_array_get(scopes, json_array_size(scopes) - 1), "counts");
}

static void set_number(json_t *values, const char *name, const json_t *counts, const char *member)
{
	const json_t *v = json_object_get(counts, member);
	if (json_is_integer(v))
		json_object_set_new(values, name, json_sprintf("%lld", (long long)json_integer_value(v)));
}

/* When it was cut off: the first event that opened it. */
static bool cut_off_at(const json_t *facts, int64_t *at)
{
	size_t i;
	const json_t *e;
	if (!json_is_true(json_object_get(facts, "cut_off")))
		return false;
	json_array_foreach(json_object_get(facts, "timeline"), i, e) {
		const char *kind = json_string_value(json_object_get(e, "kind"));
		if (kind && strcmp(kind, "incident-open") == 0)
			return time_of(e, "at", at);
	}
	return false;
}

static void set_categories(json_t *values, int lang, const json_t *counts)
{
	struct buf list, means;
	size_t i;
	const json_t *c;
	buf_init(&list, 0);
	buf_init(&means, 0);
	json_array_foreach(json_object_get(counts, "categories"), i, c) {
		const char *name = json_string_value(json_object_get(c, "category"));
		struct span words = name ? notice_category(lang, "data.", name) : (struct span){0};
		if (!name)
			continue;
		buf_addf(&list, "%s- %.*s (%s): %lld", list.len ? "\n" : "", (int)words.len, words.len ? words.at : "", name,
			 (long long)json_integer_value(json_object_get(c, "people")));
	}
	notice_lines(lang, "means.", json_object_get(counts, "categories"), &means);
	set(values, "categories", &list);
	set(values, "consequences", &means);
}

static void set_countries(json_t *values, int lang, const json_t *counts)
{
	struct buf b;
	size_t i;
	const json_t *c;
	buf_init(&b, 0);
	json_array_foreach(json_object_get(counts, "jurisdictions"), i, c) {
		const char *code = json_string_value(json_object_get(c, "code"));
		if (!code)
			continue;
		struct span name = strcmp(code, "unknown") == 0 ? notice_word(lang, "country.unknown") : (struct span){code, strlen(code)};
		buf_addf(&b, "%s%.*s %lld", b.len ? ", " : "", (int)name.len, name.at, (long long)json_integer_value(json_object_get(c, "people")));
	}
	set(values, "countries", &b);
}

static void set_severity(json_t *values, int lang, const json_t *facts)
{
	const json_t *s = json_object_get(json_object_get(facts, "severity"), "confirmed");
	const char *band = json_string_value(json_object_get(s, "band"));
	char key[32];
	if (!band)
		return;
	snprintf(key, sizeof key, "band.%s", band);
	struct span w = notice_word(lang, key);
	long long q = json_integer_value(json_object_get(s, "quarters"));
	json_object_set_new(values, "severity", json_sprintf("%lld.%02lld (%.*s)", q / 4, q % 4 * 25, (int)w.len, w.len ? w.at : ""));
}

static const json_t *clock_of(const json_t *facts, const char *id)
{
	size_t i;
	const json_t *c;
	json_array_foreach(json_object_get(facts, "clocks"), i, c) {
		const char *is = json_string_value(json_object_get(c, "id"));
		if (is && strcmp(is, id) == 0)
			return c;
	}
	return NULL;
}

static json_t *values_of(int lang, const json_t *facts, const struct notice_sender *from, const char *what, int64_t now)
{
	json_t *v = json_object();
	const json_t *counts = counts_of(facts), *gdpr = clock_of(facts, "eu-gdpr-33-1"), *scopes = json_object_get(facts, "scopes");
	const json_t *name = json_object_get(facts, "vendor_name");
	int64_t at;
	set_text(v, "vendor_name", json_string_value(name ? name : json_object_get(facts, "vendor")));
	set_text(v, "organisation", from->organisation);
	set_text(v, "contact", from->contact);
	set_text(v, "site", from->site);
	set_date(v, "date", lang, now);
	json_object_set_new(v, "incident", json_sprintf("%lld", (long long)json_integer_value(json_object_get(facts, "id"))));
	if (time_of(json_array_get(json_object_get(facts, "messages"), 0), "received", &at)) {
		set_date(v, "told", lang, at);
		set_phrase(v, "what", lang, "told");
	}
	set_text(v, "what", what);
	if (cut_off_at(facts, &at)) {
		set_date(v, "cut_off", lang, at);
		set_phrase(v, "measures", lang, "cut-off");
	}
	set_phrase(v, "unknown", lang, "unknown");
	set_time(v, "aware", lang, gdpr, "started");
	set_time(v, "due", lang, gdpr, "due");
	set_number(v, "people", counts, "people");
	set_number(v, "identifiers", counts, "identifiers");
	set_number(v, "events", counts, "events");
	set_categories(v, lang, counts);
	set_countries(v, lang, counts);
	set_severity(v, lang, facts);
	set_text(v, "digest", json_string_value(json_object_get(json_array_get(scopes, json_array_size(scopes) - 1), "sha256")));
	return v;
}

/* ---- drafts ------------------------------------------------------------------------------------------------------ */

static bool required(const struct template *t, struct span element)
{
	for (const char *const *r = t->required; *r; r++)
		if (span_eq(element, *r))
			return true;
	return false;
}

/* Each part "@ NAME\nTEXT": the subject is the first line, the others follow with a line between them. */
static void render(const struct template *t, const char *text, const json_t *values, struct buf *out, json_t *missing)
{
	const char *p = text;
	while (p && *p) {
		if (p[0] != '@' || p[1] != ' ') {
			p = strchr(p, '\n');
			p = p ? p + 1 : NULL;
			continue;
		}
		struct span name = {p + 2, strcspn(p + 2, "\n")};
		const char *body = name.at + name.len + (name.at[name.len] == '\n');
		const char *end = strncmp(body, "@ ", 2) == 0 || !*body ? body : strstr(body, "\n@ ");
		size_t len = end ? (size_t)(end - body) : strlen(body);
		struct buf part;
		bool empty;
		buf_init(&part, 0);
		notice_fill((struct span){body, len}, values, persons_own, &part, &empty);
		if (empty && required(t, name))
			json_array_append_new(missing, json_stringn(name.at, name.len));
		if (!empty && len) {
			buf_adds(out, out->len ? "\n" : "");
			buf_add(out, part.data, part.len);
			buf_addc(out, '\n');
		}
		buf_release(&part);
		p = end ? end + (*end == '\n') : NULL;
	}
}

int notice_draft(const char *kind, const char *lang, const json_t *facts, const struct notice_sender *from, const char *what, int64_t now,
		 struct buf *text, json_t *missing, struct err *err)
{
	const struct template *t = NULL;
	int l = notice_lang(lang);
	for (size_t i = 0; kind && i < sizeof templates / sizeof *templates; i++)
		if (strcmp(templates[i].kind, kind) == 0)
			t = &templates[i];
	if (!t)
		return err_set(err, ERR_INPUT, "a draft is for people or for the authority");
	if (l < 0)
		return err_set(err, ERR_INPUT, "there are drafts in en and de");
	const char *const own[] = {what, from->organisation, from->contact, from->site};
	for (size_t i = 0; i < 4; i++)
		if (own[i] && strpbrk(own[i], "{}"))
			return err_set(err, ERR_INPUT, "braces mean something in a draft: leave them out");
	json_t *values = values_of(l, facts, from, what, now);
	render(t, t->text[l], values, text, missing);
	json_decref(values);
	return 0;
}

/* ---- letters ----------------------------------------------------------------------------------------------------- */

static void set_data(json_t *values, int lang, const json_t *person)
{
	static const struct {
		const char *name, *prefix;
	} lists[] = {{"your_data", "data."}, {"your_consequences", "means."}, {"your_advice", "do."}};
	for (size_t i = 0; i < 3; i++) {
		struct buf b;
		buf_init(&b, 0);
		notice_lines(lang, lists[i].prefix, json_object_get(person, "categories"), &b);
		set(values, lists[i].name, &b);
	}
}

int notice_letter(const char *draft, const char *lang, const json_t *person, struct buf *subject, struct buf *body, struct err *err)
{
	int l = notice_lang(lang);
	int64_t first, last;
	const char *end = strchr(draft, '\n');
	if (l < 0)
		return err_set(err, ERR_INPUT, "there are letters in en and de");
	if (!end)
		return err_set(err, ERR_INPUT, "the draft is empty");
	if (!time_of(person, "first", &first) || !time_of(person, "last", &last))
		return err_set(err, ERR_INPUT, "from when to when isn't known");
	json_t *v = json_object();
	bool empty, no_subject;
	set_data(v, l, person);
	set_date(v, "first", l, first);
	set_date(v, "last", l, last);
	set_phrase(v, "when", l, first / DAY_S == last / DAY_S ? "when.day" : "when.span");
	notice_fill((struct span){draft, (size_t)(end - draft)}, v, NULL, subject, &no_subject);
	end += strspn(end, "\n");
	notice_fill((struct span){end, strlen(end)}, v, NULL, body, &empty);
	json_decref(v);
	return empty || no_subject ? err_set(err, ERR_INPUT, "nothing is known of what went") : 0;
}
