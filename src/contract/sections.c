/*
 * The keys of a contract file, as tables, and a reader for each.  Rows are read in their order, so that a reader may
 * rely on what stands above it.  Here: what one key may hold, what the contract promises, the file; where data goes is in
 * section_delivery.c, which data in section_data.c.
 */
#include <stdlib.h>
#include <string.h>

#include "contract/sections.h"

enum { TEXT_MAX = 200 };

const char *const identity_words[] = {"keep", "pseudonym", "daily", "drop", NULL};

/* ---- readers of one value ------------------------------------------------------------------------------------- */

bool one_line(struct span s)
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
	if (!one_line(v->text) || v->text.len > TEXT_MAX)
		FAULT(r, v, bad_value, "%s is one line of 1 to %d bytes", k->name, TEXT_MAX);
	*MEMBER(r, k, struct span) = v->text;
}

bool check_name(struct reader *r, const struct ynode *v)
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
int enum_word(struct reader *r, const struct ynode *v, const struct key_row *k)
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
	{.name = "detectors", .read = k_detectors},
	{.name = "on_hit", .read = k_on_hit},
	{.name = "fields", .read = k_fields},
	{.name = "profiles", .read = k_profiles},
	{.name = "groups", .read = k_groups},
	{.name = "links", .read = k_either, AT(links), .words = link_words},
	{.name = "restricted", .read = k_restricted},
};
static const struct key_section file_section = SECTION("", file_rows);
const struct key_section *const contract_sections[] = {
	&file_section, &delivery_section, &source_section, &requires_section, &assessment_section, &posture_section, &consent_section,
	&subject_section, &attribute_section, &profile_section, &group_section, &restricted_section,
};
const size_t contract_sections_len = sizeof contract_sections / sizeof *contract_sections;

/* ---- the published schema ------------------------------------------------------------------------------------- */

extern const char contract_schema_text[];	/* catalog/contract.schema.json */

const char *contract_schema(void)
{
	return contract_schema_text;
}
