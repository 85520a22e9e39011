/*
 * The keys of a contract file, as tables, and a reader for each.  Rows are read in their order, so that a reader may
 * rely on what stands above it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "contract/read.h"

enum { TEXT_MAX = 200 };

#define SECTION(name, rows) {name, rows, sizeof rows / sizeof *rows}
#define MEMBER(r, k, type) ((type *)(void *)((char *)(r)->c + (k)->at))
#define AT(field) .at = offsetof(struct contract, field)

/* ---- readers of one value ------------------------------------------------------------------------------------- */

static bool visible(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((uint8_t)s.at[i] < 0x20 || s.at[i] == 0x7f)
			return false;
	return s.len > 0;
}

static void k_format(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	(void)k;
	if (v->type != YN_SCALAR || v->quoted || !span_eq(v->text, "1"))
		FAULT(r, v, format_version, "this Weir reads version 1 of the format: `weir: 1`");
}

static void k_text(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (!expect_scalar(r, v, k->name))
		return;
	if (!visible(v->text) || v->text.len > TEXT_MAX)
		FAULT(r, v, bad_value, "%s is one line of 1 to %d bytes", k->name, TEXT_MAX);
	*MEMBER(r, k, struct span) = v->text;
}

static bool check_name(struct reader *r, const struct ynode *v)
{
	if (word_name(v->text))
		return true;
	FAULT(r, v, bad_name, "a name here is [a-z0-9-]{1,63}");
	return false;
}

static void k_name(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (expect_scalar(r, v, k->name) && check_name(r, v))
		*MEMBER(r, k, struct span) = v->text;
}

static void k_names(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	read_texts(r, v, k->name, check_name, &r->c->subprocessors, &r->c->subprocessors_len);
}

static bool check_country(struct reader *r, const struct ynode *v)
{
	if (country_known(v->text))
		return true;
	FAULT(r, v, bad_country, "not an ISO 3166-1 code of two capital letters");
	if (span_eq(v->text, "UK"))
		diags_hint(r->d, "the United Kingdom is GB");
	return false;
}

static void k_country(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (expect_scalar(r, v, k->name) && check_country(r, v))
		*MEMBER(r, k, struct span) = v->text;
}

static bool check_region(struct reader *r, const struct ynode *v)
{
	return span_eq(v->text, "EU") || span_eq(v->text, "EEA") || check_country(r, v);
}

static void k_regions(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	read_texts(r, v, k->name, check_region, &r->c->data_regions, &r->c->data_regions_len);
}

/* One of k->words; index, or -1 when reported. */
static int enum_word(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	int i = v->type == YN_SCALAR ? word_index(v->text, k->words) : -1;
	if (i >= 0 || !expect_scalar(r, v, k->name))
		return i;
	struct buf b;
	buf_init(&b, 0);
	for (size_t w = 0; k->words[w]; w++)
		buf_addf(&b, "%s%s", !w ? "" : k->words[w + 1] ? ", " : " or ", k->words[w]);
	FAULT(r, v, unknown_word, "%s is %s", k->name, (const char *)b.data);
	buf_release(&b);
	hint_nearest(r, v->text, k->words);
	return -1;
}

static void k_word(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (enum_word(r, v, k) >= 0)
		*MEMBER(r, k, struct span) = v->text;
}

/* True for the second word. */
static void k_either(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	*MEMBER(r, k, bool) = enum_word(r, v, k) == 1;
}

static void k_identity(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	int i = enum_word(r, v, k);
	*MEMBER(r, k, enum identity) = i < 0 ? IDENTITY_KEEP : (enum identity)i;	/* misspelt: blame nothing else for it */
}

static void k_version(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	read_int(r, v, k->name, 1, 999999999, MEMBER(r, k, int64_t));
}

static void k_date(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	int64_t days;
	if (!expect_scalar(r, v, k->name))
		return;
	if (!date_parse(v->text, &days))
		FAULT(r, v, bad_date, "%s is a date such as 2026-01-15", k->name);
	else
		*MEMBER(r, k, struct span) = v->text;
}

static bool read_duration(struct reader *r, const struct ynode *v, const char *what, int64_t *seconds)
{
	if (!expect_scalar(r, v, what))
		return false;
	if (duration_parse(v->text, seconds))
		return true;
	FAULT(r, v, bad_duration, "%s is an ISO 8601 duration such as PT24H, P30D or P13M", what);
	return false;
}

static void k_duration(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	int64_t seconds;
	if (read_duration(r, v, k->name, &seconds))
		*MEMBER(r, k, struct span) = v->text;
}

static void k_basis(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (!expect_scalar(r, v, k->name) || !check_name(r, v))
		return;
	r->c->basis = v->text;
	if (word_index(v->text, basis_words) >= 0)
		return;
	WARN(r, v, unknown_basis, "GDPR Art. 6(1) has no basis %s", v->text.at);
	hint_nearest(r, v->text, basis_words);
}

static bool check_clause(struct reader *r, const struct ynode *v)
{
	if (!check_name(r, v))
		return false;
	if (word_index(v->text, clause_words) < 0) {
		WARN(r, v, unknown_clause, "%s isn't a clause that Weir knows", v->text.at);
		hint_nearest(r, v->text, clause_words);
	}
	return true;
}

static void k_clauses(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	read_texts(r, v, k->name, check_clause, &r->c->clauses, &r->c->clauses_len);
}

/* ---- delivery, sources ---------------------------------------------------------------------------------------- */

static void k_adapter(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (!expect_scalar(r, v, k->name))
		return;
	r->c->adapter = adapter_find(v->text.at);
	if (r->c->adapter)
		return;
	const char *names[32] = {0};
	for (size_t i = 0; adapters[i] && i < 31; i++)
		names[i] = adapters[i]->name;
	FAULT(r, v, unknown_adapter, "there is no adapter %s", v->text.at);
	hint_nearest(r, v->text, names);
}

/* https://host[:port][/path], of characters that need no quoting in a request; no user, query or fragment. */
static bool upstream_good(struct span s, bool *plain, bool *local)
{
	*plain = strncmp(s.at, "http://", 7) == 0;
	if (!*plain && strncmp(s.at, "https://", 8) != 0)
		return false;
	const char *host = s.at + (*plain ? 7 : 8), *p;
	if (*host == '[') {
		p = host + 1 + strspn(host + 1, "0123456789abcdefABCDEF:.");
		if (p == host + 1 || *p++ != ']')
			return false;
	} else {
		p = host + strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
	}
	struct span h = {host, (size_t)(p - host)};
	if (h.len == 0 || h.len > 253)
		return false;
	*local = span_eq(h, "localhost") || span_eq(h, "[::1]") || strncmp(host, "127.", 4) == 0;
	if (*p == ':') {
		size_t n = strspn(p + 1, "0123456789");
		int64_t port;
		if (!word_int((struct span){p + 1, n}, 1, 65535, &port))
			return false;
		p += 1 + n;
	}
	if (*p && *p != '/')
		return false;
	p += strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._~-%+,;=:!$&'()");
	return *p == 0;
}

static void k_upstream(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	bool plain = false, local = false;
	if (!expect_scalar(r, v, k->name))
		return;
	if (v->text.len > 1000 || !upstream_good(v->text, &plain, &local))
		FAULT(r, v, bad_url, "upstream is https://host[:port][/path], without user, query or fragment");
	else if (plain && !local)
		WARN(r, v, plain_http, "anyone on the way can read what is sent here: use https");
	r->c->upstream = v->text;
}

/* env:NAME or file:PATH.  Whatever else stands here may be the secret itself, so it is never quoted. */
static bool secret_ref(struct span s)
{
	if (s.len > 4 && memcmp(s.at, "env:", 4) == 0) {
		size_t n = strspn(s.at + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
		return 4 + n == s.len && s.len <= 200 && !(s.at[4] >= '0' && s.at[4] <= '9');
	}
	return s.len > 5 && s.len <= 1024 && memcmp(s.at, "file:", 5) == 0 && visible(s);
}

static void read_secret(struct reader *r, const struct ynode *v, const char *what, struct span *out)
{
	if (v->type != YN_SCALAR || !secret_ref(v->text))
		FAULT(r, v, bad_secret, "%s is env:NAME or file:PATH; a secret itself never stands in a contract", what);
	else
		*out = v->text;
}

static void k_credential(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	read_secret(r, v, k->name, &r->c->credential);
}

static void k_quota(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (expect_scalar(r, v, k->name) && !word_size(v->text, &r->c->quota_bytes))
		FAULT(r, v, bad_size, "quota is a size such as 512MiB or 2GiB");
}

static const struct key_row delivery_rows[] = {
	{.name = "adapter", .read = k_adapter, .required = true},
	{.name = "upstream", .read = k_upstream},
	{.name = "credential", .read = k_credential},
	{.name = "quota", .read = k_quota},
};
static const struct key_section delivery_section = SECTION("delivery", delivery_rows);

static void k_delivery(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (expect_map(r, v, k->name))
		read_map(r, v, &delivery_section);
}

static void k_source_name(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	struct contract *c = r->c;
	if (!expect_scalar(r, v, k->name) || !check_name(r, v))
		return;
	for (size_t i = 0; i < c->sources_len; i++)
		if (c->sources[i].name.len == v->text.len && memcmp(c->sources[i].name.at, v->text.at, v->text.len) == 0)
			FAULT(r, v, duplicate_value, "two sources have the name %s", v->text.at);
	c->sources[c->sources_len].name = v->text;
}

static void k_source_token(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	struct contract *c = r->c;
	struct span t = {"", 0};
	read_secret(r, v, k->name, &t);
	for (size_t i = 0; i < c->sources_len; i++)
		if (t.len && c->sources[i].token.len == t.len && memcmp(c->sources[i].token.at, t.at, t.len) == 0)
			FAULT(r, v, duplicate_value, "two sources have the same token");
	c->sources[c->sources_len].token = t;
}

static const struct key_row source_rows[] = {
	{.name = "name", .read = k_source_name, .required = true},
	{.name = "token", .read = k_source_token, .required = true},
};
static const struct key_section source_section = SECTION("sources[]", source_rows);

static void k_sources(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (!expect_list(r, v, k->name))
		return;
	r->c->sources = arena_alloc(r->a, (v->n + 1) * sizeof *r->c->sources);
	for (const struct ynode *i = v->first; i; i = i->next) {
		if (i->bad || !expect_map(r, i, "a source"))
			continue;
		r->c->sources[r->c->sources_len] = (struct source){SPAN(""), SPAN("")};
		read_map(r, i, &source_section);
		r->c->sources_len++;
	}
}

/* ---- requires, consent ---------------------------------------------------------------------------------------- */

static void k_standard(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (expect_scalar(r, v, k->name) && check_name(r, v))
		r->c->requires.standard = v->text;
}

static void k_score(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	int64_t n;
	if (read_int(r, v, k->name, 0, 100, &n))
		r->c->requires.score = (int32_t)n;
}

static void k_within(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	read_duration(r, v, k->name, &r->c->requires.within_s);
}

static const char *const grade_words[] = {"A+", "A", "A-", "B+", "B", "B-", "C+", "C", "C-", "D+", "D", "D-", "F", NULL};

static void k_grade(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (v->type != YN_SCALAR || word_index(v->text, k->words) < 0)
		FAULT(r, v, bad_value, "a grade is A+, A, A-, B+ and so on to D-, or F");
	else
		r->c->requires.grade = v->text;
}

static const struct key_row assessment_rows[] = {
	{.name = "standard", .read = k_standard, .required = true},
	{.name = "score", .read = k_score},
	{.name = "within", .read = k_within},
};
static const struct key_section assessment_section = SECTION("requires.assessment", assessment_rows);

static const struct key_row posture_rows[] = {{.name = "grade", .read = k_grade, .words = grade_words, .required = true}};
static const struct key_section posture_section = SECTION("requires.posture", posture_rows);

static void k_assessment(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	r->c->requires.assessment = true;
	if (expect_map(r, v, k->name))
		read_map(r, v, &assessment_section);
}

static void k_posture(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	r->c->requires.posture = true;
	if (expect_map(r, v, k->name))
		read_map(r, v, &posture_section);
}

static const struct key_row requires_rows[] = {{.name = "assessment", .read = k_assessment}, {.name = "posture", .read = k_posture}};
static const struct key_section requires_section = SECTION("requires", requires_rows);

static void k_requires(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (expect_map(r, v, k->name))
		read_map(r, v, &requires_section);
}

static const char *const refuse_words[] = {"sec-gpc", NULL};

static bool check_refuse(struct reader *r, const struct ynode *v)
{
	if (word_index(v->text, refuse_words) >= 0)
		return true;
	FAULT(r, v, unknown_word, "refuse_when lists sec-gpc (the Global Privacy Control header)");
	hint_nearest(r, v->text, refuse_words);
	return false;
}

static void k_refuse_when(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	struct span *list;
	size_t n = 0;
	read_texts(r, v, k->name, check_refuse, &list, &n);
	r->c->refuse_sec_gpc = n > 0;
}

static const struct key_row consent_rows[] = {{.name = "refuse_when", .read = k_refuse_when, .required = true}};
static const struct key_section consent_section = SECTION("consent", consent_rows);

static void k_consent(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (expect_map(r, v, k->name))
		read_map(r, v, &consent_section);
}

/* ---- people: subject, attributes ------------------------------------------------------------------------------ */

static void k_kind(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	const char *words[ID_KINDS + 1] = {0};
	memcpy(words, id_kind_names, ID_KINDS * sizeof *words);
	struct key_row row = *k;
	row.words = words;
	int i = enum_word(r, v, &row);
	const struct adapter *a = r->c->adapter;
	if (i < 0)
		return;
	r->c->subject_kind = v->text;
	for (size_t s = 0; a && s < a->slots_len; s++)
		if (a->slots[s].role == SLOT_ID &&
		    ((int)a->slots[s].id == i || (a->slots[s].prefix && (int)a->slots[s].prefix_id == i)))
			return;
	if (a)
		FAULT(r, v, unsupported, "%s has no place for an identifier of kind %s", a->title, v->text.at);
}

static const struct key_row subject_rows[] = {{.name = "kind", .read = k_kind, .required = true}};
static const struct key_section subject_section = SECTION("subject", subject_rows);

static void k_subject(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (expect_map(r, v, k->name))
		read_map(r, v, &subject_section);
}

static void k_attribute(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	struct contract *c = r->c;
	struct attribute *at = &c->attributes[c->attributes_len];
	if (!expect_scalar(r, v, k->name) || !read_path(r, v, &at->path))
		return;
	at->name = (struct span){k->name, strlen(k->name)};
	c->attributes_len++;
}

static const struct key_row attribute_rows[] = {{.name = "business", .read = k_attribute}, {.name = "jurisdiction", .read = k_attribute}, {.name = "minor", .read = k_attribute}};
static const struct key_section attribute_section = SECTION("attributes", attribute_rows);

static void k_attributes(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	if (!expect_map(r, v, k->name))
		return;
	r->c->attributes = arena_alloc(r->a, attribute_section.n * sizeof *r->c->attributes);
	read_map(r, v, &attribute_section);
}

/* ---- events, fields, profiles, groups ------------------------------------------------------------------------- */

static bool check_event(struct reader *r, const struct ynode *v)
{
	const char *star = memchr(v->text.at, '*', v->text.len);
	const struct adapter *a = r->c->adapter;
	if (v->text.len == 0 || v->text.len > 256) {
		FAULT(r, v, bad_value, "an event's name is 1 to 256 bytes long");
		return false;
	}
	if (star && star != v->text.at + v->text.len - 1) {
		FAULT(r, v, event_pattern, "only a trailing * matches anything");
		return false;
	}
	for (size_t i = 0; a && i < a->links_len; i++)
		if (span_eq(v->text, a->links[i].event)) {
			WARN(r, v, link_event, "%s joins identifiers: `links` decides about it, not `events`", v->text.at);
			break;
		}
	return true;
}

static void k_events(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	struct span *names = NULL;
	struct contract *c = r->c;
	read_texts(r, v, k->name, check_event, &names, &c->events_len);
	c->events = arena_alloc(r->a, (c->events_len + 1) * sizeof *c->events);
	for (size_t i = 0; i < c->events_len; i++) {
		bool prefix = names[i].at[names[i].len - 1] == '*';
		c->events[i] = (struct event_match){{names[i].at, names[i].len - prefix}, prefix};
	}
}

static void k_on_hit(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	(void)k;
	read_on_hit(r, v, &r->c->on_hit);
}

static void k_fields(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	(void)k;
	read_rules(r, v, &r->c->fields, &r->c->fields_len);
}

static bool takes_kind(const struct adapter *a, enum object_kind kind)
{
	for (size_t i = 0; a && i < a->routes_len; i++)
		if (a->routes[i].mode == ROUTE_DELIVER && a->routes[i].kind == kind)
			return true;
	return !a;	/* unknown adapter: said elsewhere */
}

static bool check_operation(struct reader *r, const struct ynode *v)
{
	const struct adapter *a = r->c->adapter;
	const char *words[33] = {0};
	for (size_t i = 0; a && i < a->operations_len && i < 32; i++)
		words[i] = a->operations[i].word;
	if (!a || word_index(v->text, words) >= 0)
		return true;
	FAULT(r, v, unsupported, "%s has no operation %s", a->title, v->text.at);
	hint_nearest(r, v->text, words);
	return false;
}

static void k_operations(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	read_texts(r, v, k->name, check_operation, &r->c->profile_ops, &r->c->profile_ops_len);
}

static void k_profile_fields(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	(void)k;
	read_rules(r, v, &r->c->profile_fields, &r->c->profile_fields_len);
}

static const struct key_row profile_rows[] = {{.name = "operations", .read = k_operations, .required = true}, {.name = "fields", .read = k_profile_fields}};
static const struct key_section profile_section = SECTION("profiles", profile_rows);

static void k_profiles(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	r->c->profiles = true;
	if (!takes_kind(r->c->adapter, OBJECT_PROFILE))
		FAULT(r, v->key, unsupported, "%s has no profiles", r->c->adapter->title);
	if (expect_map(r, v, k->name))
		read_map(r, v, &profile_section);
}

static bool check_group_key(struct reader *r, const struct ynode *v)
{
	if (visible(v->text) && v->text.len <= 256)
		return true;
	FAULT(r, v, bad_value, "a group key is one line of 1 to 256 bytes");
	return false;
}

static void k_group_keys(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	read_texts(r, v, k->name, check_group_key, &r->c->group_keys, &r->c->group_keys_len);
}

static void k_group_fields(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	(void)k;
	read_rules(r, v, &r->c->group_fields, &r->c->group_fields_len);
}

static const struct key_row group_rows[] = {{.name = "keys", .read = k_group_keys, .required = true}, {.name = "fields", .read = k_group_fields}};
static const struct key_section group_section = SECTION("groups", group_rows);

static void k_groups(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	r->c->groups = true;
	if (!takes_kind(r->c->adapter, OBJECT_GROUP))
		FAULT(r, v->key, unsupported, "%s has no groups", r->c->adapter->title);
	if (expect_map(r, v, k->name))
		read_map(r, v, &group_section);
}

/* ---- restricted ----------------------------------------------------------------------------------------------- */

static const char *const identity_words[] = {"keep", "pseudonym", "daily", "drop", NULL};

/* A place that may leave, or one that contains such a place. */
static bool names_a_place(struct reader *r, const struct path *p)
{
	const struct contract *c = r->c;
	for (size_t i = 0; i < c->fields_len; i++) {
		enum path_relation rel = path_relate(p, &c->fields[i].path);
		if (rel == PATH_SAME || rel == PATH_ABOVE)
			return true;
	}
	for (size_t i = 0; c->adapter && i < c->adapter->slots_len; i++) {
		const struct slot *s = &c->adapter->slots[i];
		struct path at;
		struct path_fault f;
		if (s->kind != OBJECT_EVENT || s->role == SLOT_TOKEN || s->role == SLOT_NAME)
			continue;
		must(path_parse(r->a, (struct span){s->path, strlen(s->path)}, &at, &f));
		if (path_relate(p, &at) == PATH_SAME)
			return true;
	}
	return false;
}

static void hint_path(struct reader *r, const struct path *p)
{
	const char *words[PLAN_LEAVES_MAX + 1];
	size_t n = 0;
	for (size_t i = 0; i < r->c->fields_len && n < PLAN_LEAVES_MAX; i++)
		words[n++] = r->c->fields[i].path.text.at;
	words[n] = NULL;
	hint_nearest(r, p->text, words);
}

static void k_restricted_drop(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	struct contract *c = r->c;
	if (!expect_list(r, v, k->name))
		return;
	c->restricted_drop = arena_alloc(r->a, (v->n + 1) * sizeof *c->restricted_drop);
	for (const struct ynode *i = v->first; i; i = i->next) {
		struct path *p = &c->restricted_drop[c->restricted_drop_len];
		if (i->bad || !expect_scalar(r, i, "an entry of drop") || !read_path(r, i, p))
			continue;
		if (!names_a_place(r, p)) {
			FAULT(r, i, unknown_path, "no rule in fields is for %s or below it", p->text.at);
			hint_path(r, p);
			continue;
		}
		bool again = false;
		for (size_t j = 0; j < c->restricted_drop_len; j++)
			again |= path_relate(&c->restricted_drop[j], p) == PATH_SAME;
		if (again)
			FAULT(r, i, duplicate_value, "%s stands twice", p->text.at);
		else
			c->restricted_drop_len++;
	}
}

static void k_restricted_identity(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	int i = enum_word(r, v, k);
	if (i < 0)
		return;
	if (i < (int)r->c->identity)
		FAULT(r, v, not_narrower, "%s lets out more than `identity: %s`, and restricted may only narrow", v->text.at,
		      identity_names[r->c->identity]);
	else
		r->c->restricted_identity = (enum identity)i;
}

static const struct key_row restricted_rows[] = {
	{.name = "identity", .read = k_restricted_identity, .words = identity_words},
	{.name = "drop", .read = k_restricted_drop},
};
static const struct key_section restricted_section = SECTION("restricted", restricted_rows);

static void k_restricted(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	r->c->restricted = true;
	r->c->restricted_identity = r->c->identity;
	if (expect_map(r, v, k->name))
		read_map(r, v, &restricted_section);
}

/* ---- the file ------------------------------------------------------------------------------------------------- */

static const char *const mode_words[] = {"enforce", "learn", NULL};
static const char *const link_words[] = {"deny", "allow", NULL};

/* Rows are read in this order: the adapter before what depends on it, identity before restricted. */
static const struct key_row file_rows[] = {
	{.name = "weir", .read = k_format, .required = true},
	{.name = "vendor", .read = k_name, AT(vendor), .required = true},
	{.name = "name", .read = k_text, AT(name)},
	{.name = "country", .read = k_country, AT(country)},
	{.name = "role", .read = k_word, AT(role), .words = role_words},
	{.name = "service", .read = k_text, AT(service)},
	{.name = "data_regions", .read = k_regions},
	{.name = "subprocessors", .read = k_names},
	{.name = "delivery", .read = k_delivery, .required = true},
	{.name = "sources", .read = k_sources},
	{.name = "version", .read = k_version, AT(version), .required = true},
	{.name = "signed", .read = k_date, AT(signed_on)},
	{.name = "expires", .read = k_date, AT(expires)},
	{.name = "purpose", .read = k_name, AT(purpose)},
	{.name = "basis", .read = k_basis},
	{.name = "breach_notice", .read = k_duration, AT(breach_notice)},
	{.name = "retention", .read = k_duration, AT(retention)},
	{.name = "clauses", .read = k_clauses},
	{.name = "requires", .read = k_requires},
	{.name = "mode", .read = k_either, AT(learn), .words = mode_words},
	{.name = "consent", .read = k_consent},
	{.name = "identity", .read = k_identity, AT(identity), .words = identity_words},
	{.name = "subject", .read = k_subject},
	{.name = "attributes", .read = k_attributes},
	{.name = "events", .read = k_events},
	{.name = "on_hit", .read = k_on_hit},
	{.name = "fields", .read = k_fields},
	{.name = "profiles", .read = k_profiles},
	{.name = "groups", .read = k_groups},
	{.name = "links", .read = k_either, AT(links), .words = link_words},
	{.name = "restricted", .read = k_restricted},
};
const struct key_section contract_sections[] = {
	SECTION("", file_rows),
	SECTION("delivery", delivery_rows),
	SECTION("sources[]", source_rows),
	SECTION("requires", requires_rows),
	SECTION("requires.assessment", assessment_rows),
	SECTION("requires.posture", posture_rows),
	SECTION("consent", consent_rows),
	SECTION("subject", subject_rows),
	SECTION("attributes", attribute_rows),
	SECTION("profiles", profile_rows),
	SECTION("groups", group_rows),
	SECTION("restricted", restricted_rows),
};
const size_t contract_sections_len = sizeof contract_sections / sizeof *contract_sections;

/* ---- the published schema ------------------------------------------------------------------------------------- */

extern const char contract_schema_text[];	/* catalog/contract.schema.json */

const char *contract_schema(void)
{
	return contract_schema_text;
}
