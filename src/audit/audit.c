/* Making, keeping and finding audits. */
#include "audit/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assess/assess.h"
#include "assurance/assurance.h"
#include "base/clock.h"
#include "store/store.h"

enum { DAY_SECONDS = 86400 };

enum tier { TIER_LOW, TIER_MEDIUM, TIER_HIGH };
static const struct {
	const char *name;
	int64_t every_s;
	const char *why;
} tiers[] = {
	[TIER_LOW] = {"low", INT64_C(730) * DAY_SECONDS, "nobody can be followed from day to day"},
	[TIER_MEDIUM] = {"medium", INT64_C(365) * DAY_SECONDS, "people are followed under lasting pseudonyms"},
	[TIER_HIGH] = {"high", INT64_C(180) * DAY_SECONDS, "what identifies people, or is sensitive, leaves as it is"},
};

/* Categories (Fideslang prefixes) that make a place identifying or sensitive when its value is kept. */
static const char *const telling[] = {
	"user.contact", "user.name", "user.government_id", "user.financial", "user.health", "user.biometric", "user.credentials",
	"user.account", "user.location.precise", "user.genetic", "user.criminal", "user.political", "user.religious", "user.sexual", "user.race",
};

/* ---- what leaves --------------------------------------------------------------------------------------------------- */

static bool tells(struct span category)
{
	for (size_t i = 0; i < sizeof telling / sizeof *telling; i++) {
		size_t n = strlen(telling[i]);
		if (category.len >= n && memcmp(category.at, telling[i], n) == 0)
			return true;
	}
	return false;
}

static enum tier tier_of(const struct contract *c)
{
	struct plan *p;
	struct err err;
	const struct plan_leaf *leaves;
	enum tier t = c->identity == IDENTITY_KEEP ? TIER_HIGH : c->identity == IDENTITY_PSEUDONYM ? TIER_MEDIUM : TIER_LOW;
	if (plan_compile(c, FLOW_OPEN, &p, &err) < 0)
		return TIER_HIGH;	/* unknown counts as the worst */
	size_t n = plan_leaves(p, &leaves);
	for (size_t i = 0; i < n; i++)
		if (tells(leaves[i].category) && leaves[i].what.len >= 4 && memcmp(leaves[i].what.at, "keep", 4) == 0)	/* "keep, max: 32", too */
			t = TIER_HIGH;
	plan_free(&p);
	return t;
}

static json_t *text(struct span s)
{
	return json_stringn(s.len ? s.at : "", s.len);
}

static const json_t *named(const json_t *list, const char *member, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_object_get(json_array_get(list, i), member));
		if (s && strcmp(s, name) == 0)
			return json_array_get(list, i);
	}
	return NULL;
}

static void finding(json_t *report, const char *severity, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void finding(json_t *report, const char *severity, const char *fmt, ...)
{
	char line[300];
	va_list args;
	va_start(args, fmt);
	vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	json_array_append_new(json_object_get(report, "findings"), json_pack("{s:s, s:s}", "severity", severity, "text", line));
}

/* Each place that the contract lets out, with how many people's data was seen there. */
static int declared(const struct contract *c, const json_t *fields, json_t *report, struct err *err)
{
	struct plan *p;
	const struct plan_leaf *leaves;
	json_t *list = json_array();
	size_t unused = 0;
	json_object_set_new(report, "declared", list);
	if (plan_compile(c, FLOW_OPEN, &p, err) < 0)
		return -1;
	size_t n = plan_leaves(p, &leaves);
	for (size_t i = 0; i < n; i++) {
		json_t *path = text(leaves[i].path);
		const json_t *seen = named(fields, "path", json_string_value(path));
		json_int_t people = json_integer_value(json_object_get(seen, "people"));
		json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:b, s:b, s:I}", "path", path, "action", text(leaves[i].what), "category",
						      text(leaves[i].category), "from_adapter", leaves[i].from_adapter, "used", seen != NULL, "people",
						      people));
		unused += !seen && !leaves[i].from_adapter;
	}
	plan_free(&p);
	if (unused)
		finding(report, "medium", "%zu of the contract's places were never used: take them out of the next version", unused);
	return 0;
}

/* What the ledger holds and the contract in force doesn't name; it left under an earlier version, or by another way. */
static void undeclared(const json_t *ledger, json_t *report)
{
	static const struct {
		const char *list, *member, *of;
	} rows[] = {{"fields", "path", "path"}, {"categories", "category", "category"}};
	json_t *out = json_array();
	json_object_set_new(report, "undeclared", out);
	for (size_t k = 0; k < 2; k++) {
		const json_t *list = json_object_get(ledger, rows[k].list);
		for (size_t i = 0; i < json_array_size(list); i++) {
			const json_t *row = json_array_get(list, i);
			const char *name = json_string_value(json_object_get(row, rows[k].member));
			if (!name || !*name || named(json_object_get(report, "declared"), rows[k].of, name))
				continue;
			json_array_append_new(out, json_pack("{s:s, s:s, s:O}", "kind", rows[k].member, "name", name, "people",
							     json_object_get(row, "people")));
			finding(report, "high", "the vendor holds %s %.200s, which the contract in force doesn't name", rows[k].member, name);
		}
	}
}

/* ---- clauses ------------------------------------------------------------------------------------------------------- */

/* For a processor; GDPR Art. 28 and 33(2).  The list is not verified against the official text. */
static const struct {
	const char *clause, *says;
} clauses[] = {
	{"gdpr-28-2", "sub-processors only with authorisation, changes announced"},
	{"gdpr-28-3-a", "only on documented instructions, transfers included"},
	{"gdpr-28-3-b", "staff bound to confidentiality"},
	{"gdpr-28-3-c", "security as Art. 32 asks"},
	{"gdpr-28-3-d", "conditions for sub-processors kept"},
	{"gdpr-28-3-e", "help with people's requests"},
	{"gdpr-28-3-f", "help with Arts. 32 to 36"},
	{"gdpr-28-3-g", "deletion or return at the end"},
	{"gdpr-28-3-h", "information and audits allowed"},
	{"gdpr-28-4", "same duties for sub-processors"},
	{"gdpr-33-2", "notice of breaches without undue delay"},
};

static void clause_list(const struct contract *c, json_t *report)
{
	json_t *list = json_array();
	size_t absent = 0;
	json_object_set_new(report, "clauses", list);
	json_object_set_new(report, "clauses_verified", json_false());
	for (size_t i = 0; i < sizeof clauses / sizeof *clauses; i++) {
		bool there = false;
		for (size_t k = 0; k < c->clauses_len; k++)
			there |= span_eq(c->clauses[k], clauses[i].clause);
		json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "clause", clauses[i].clause, "says", clauses[i].says, "present", there));
		absent += !there;
	}
	if (absent && !span_eq(c->role, "controller") && !span_eq(c->role, "joint-controller"))
		finding(report, "medium", "%zu of %zu clauses that a processor's contract is expected to hold are absent", absent,
			sizeof clauses / sizeof *clauses);
	if (c->breach_notice.len == 0)
		finding(report, "medium", "the contract names no time for notice of a breach");
}

/* ---- evidence ------------------------------------------------------------------------------------------------------ */

static int word(struct registry *r, const struct registry_word *table, const char *name, const char *vendor, int64_t at, json_t *answer,
		struct err *err)
{
	json_t *q = json_pack("{s:s}", "vendor", vendor);
	int rc = -1;
	for (const struct registry_word *w = table; w->word; w++)
		if (strcmp(w->word, name) == 0)
			rc = w->handle(r, q, "weir", at, answer, err);
	json_decref(q);
	return rc;
}

static int evidence(struct registry *r, const char *vendor, int64_t at, json_t *report, struct err *err)
{
	json_t *shown = json_object(), *list = json_array();
	json_object_set_new(report, "evidence", list);
	int rc = word(r, assess_words, "assess-show", vendor, at, shown, err);
	if (rc < 0 && err->code == ERR_NOTFOUND) {
		json_decref(shown);
		json_object_set_new(report, "assessment", json_null());
		finding(report, "medium", "the vendor was never assessed");
		return 0;
	}
	const json_t *controls = json_object_get(shown, "controls"), *found = json_object_get(shown, "findings");
	for (size_t i = 0; rc == 0 && i < json_array_size(controls); i++) {
		const json_t *c = json_array_get(controls, i), *es = json_object_get(c, "evidence");
		for (size_t k = 0; k < json_array_size(es); k++) {
			const json_t *e = json_array_get(es, k), *end = json_object_get(e, "valid_until");
			bool over = json_is_integer(end) && json_integer_value(end) <= at;
			json_array_append_new(list, json_pack("{s:O, s:O, s:O, s:O, s:b}", "control", json_object_get(c, "control"), "name",
							      json_object_get(e, "name"), "sha256", json_object_get(e, "sha256"), "valid_until", end,
							      "expired", over));
		}
	}
	for (size_t i = 0; rc == 0 && i < json_array_size(found); i++) {
		const json_t *f = json_array_get(found, i);
		finding(report, json_string_value(json_object_get(f, "severity")), "assessment %s: %s", json_string_value(json_object_get(f, "control")),
			json_string_value(json_object_get(f, "text")));
	}
	if (rc == 0)
		json_object_set_new(report, "assessment",
				    json_pack("{s:O, s:O, s:O, s:O, s:O}", "standard", json_object_get(shown, "standard"), "version",
					      json_object_get(shown, "version"), "score", json_object_get(shown, "score"), "complete",
					      json_object_get(shown, "complete"), "reviewed", json_object_get(shown, "reviewed")));
	json_decref(shown);
	return rc;
}

/* ---- a run --------------------------------------------------------------------------------------------------------- */

static int take_vendor(struct registry *r, const json_t *request, struct registry_vendor *v, struct err *err)
{
	const char *name = json_string_value(json_object_get(request, "vendor"));
	if (!name || !vendor_name_ok(name))
		return err_set(err, ERR_INPUT, "which vendor?");
	return registry_vendor(r, name, v, err);
}

static void observe(const json_t *said, json_t *report)
{
	const json_t *ledger = json_array_get(said, 0);
	static const char *const shown[] = {"people", "identifiers", "events", "attested_deleted", "over_approximate", "first", "last"};
	json_t *observed = json_object();
	json_object_set_new(report, "observed", observed);
	if (!json_is_true(json_object_get(ledger, "ok")) && !json_object_get(ledger, "people")) {
		finding(report, "high", "the ledger could not be asked, so nothing observed stands in this report");
		return;
	}
	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
		json_object_set(observed, shown[i], json_object_get(ledger, shown[i]));
}

static int make(struct registry *r, const struct registry_vendor *v, const struct contract *c, const json_t *said, const char *who,
		const char *why, int64_t at, json_t *report, struct err *err)
{
	enum tier t = tier_of(c);
	json_t *rules = json_object();
	json_object_set_new(report, "weir_audit", json_integer(1));
	json_object_set_new(report, "vendor", json_string(v->vendor));
	json_object_set_new(report, "name", json_string(v->name));
	json_object_set_new(report, "at", json_integer(at));
	json_object_set_new(report, "by", json_string(who));
	json_object_set_new(report, "why", json_string(why));
	json_object_set_new(report, "life", json_string(life_names[v->life]));
	json_object_set_new(report, "flow", json_string(flow_names[registry_flow(v)]));
	json_object_set_new(report, "tier", json_string(tiers[t].name));
	json_object_set_new(report, "tier_why", json_string(tiers[t].why));
	json_object_set_new(report, "next", json_integer(at + tiers[t].every_s));
	json_object_set_new(report, "contract", json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "version", (json_int_t)c->version, "purpose", text(c->purpose),
							  "basis", text(c->basis), "retention", text(c->retention), "breach_notice",
							  text(c->breach_notice), "expires", text(c->expires)));
	json_object_set_new(report, "findings", json_array());
	observe(said, report);
	int rc = declared(c, json_object_get(json_array_get(said, 0), "fields"), report, err);
	if (rc == 0)
		undeclared(json_array_get(said, 0), report);
	clause_list(c, report);
	if (rc == 0)
		rc = evidence(r, v->vendor, at, report, err);
	if (rc == 0)
		rc = word(r, assurance_words, "assurance-explain", v->vendor, at, rules, err);
	if (rc == 0)
		json_object_set(report, "rules", json_object_get(rules, "rules"));
	json_decref(rules);
	return rc;
}

static int keep(struct registry *r, const char *vendor, const json_t *report, const char *who, const char *why, int64_t at, struct err *err)
{
	struct err second;
	uint8_t sha[32];
	char hex[65], *line = json_dumps(report, JSON_COMPACT | JSON_SORT_KEYS);
	must(line);
	crypt_sha256(line, strlen(line), sha);
	hex_encode(sha, 32, hex);
	int rc = store_begin(registry_store(r), err);
	if (rc == 0) {
		rc = store_run(registry_store(r), err, "INSERT INTO audit (vendor, at, by, report) VALUES (?,?,?,?)", "siss", vendor, at, who, line);
		if (rc == 0)
			rc = registry_note(r, vendor, "audit", who, why, at, json_pack("{s:s}", "sha256", hex), NULL, err);
		int end = store_end(registry_store(r), rc == 0, rc == 0 ? err : &second);
		rc = rc < 0 ? rc : end;
	}
	free(line);
	return rc;
}

static int do_run(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	struct registry_vendor v;
	const json_t *why = json_object_get(request, "why");
	(void)who;
	(void)at;
	if (why && (!json_is_string(why) || json_string_length(why) > WHY_MAX))
		return err_set(err, ERR_INPUT, "the reason (--why) has at most %d bytes", WHY_MAX);
	if (take_vendor(r, request, &v, err) < 0)
		return -1;
	json_object_set_new(answer, "ledger", json_pack("[{s:s, s:s}]", "do", "holdings", "vendor", v.vendor));
	json_object_set_new(answer, "then", json_pack("{s:s, s:s, s:s}", "do", "audit-counted", "vendor", v.vendor, "why",
						      why ? json_string_value(why) : ""));
	registry_vendor_release(&v);
	return 0;
}

/* With the ledger's answer, which comes from the keeper alone. */
static int do_counted(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	struct registry_vendor v;
	struct contract *c;
	const json_t *said = json_object_get(request, "ledger");
	const char *why = json_string_value(json_object_get(request, "why"));
	if (json_array_size(said) == 0)
		return err_set(err, ERR_INPUT, "the counts come from the ledger; `weir audit run` asks for them");
	if (take_vendor(r, request, &v, err) < 0)
		return -1;
	int rc = assess_contract(r, v.vendor, &c, err);
	if (rc == 0) {
		rc = make(r, &v, c, said, who, why ? why : "", at, answer, err);
		if (rc == 0)
			rc = keep(r, v.vendor, answer, who, why ? why : "", at, err);
		contract_free(&c);
	}
	registry_vendor_release(&v);
	return rc;
}

/* ---- plan, report -------------------------------------------------------------------------------------------------- */

static int last_of(struct registry *r, const char *vendor, int64_t *at, json_t **report, struct err *err)
{
	struct rows rows;
	*at = 0;
	int got = store_rows(registry_store(r), &rows, err, "SELECT at, report FROM audit WHERE vendor = ? ORDER BY id DESC LIMIT 1", "s", vendor);
	if (got == 0)
		got = rows_next(&rows, err);
	if (got == 1) {
		*at = rows_int(&rows, 0);
		if (report)
			*report = json_loads(rows_text(&rows, 1), 0, NULL);
	}
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static int do_report(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	struct registry_vendor v;
	json_t *report = NULL;
	int64_t when;
	(void)who;
	(void)at;
	if (take_vendor(r, request, &v, err) < 0)
		return -1;
	int rc = last_of(r, v.vendor, &when, &report, err);
	if (rc == 0 && !report)
		rc = err_set(err, ERR_NOTFOUND, "%s was never audited; `weir audit run %s` does it", v.vendor, v.vendor);
	if (rc == 0)
		json_object_update(answer, report);
	json_decref(report);
	registry_vendor_release(&v);
	return rc;
}

static bool add_approved(void *arg, const struct registry_vendor *v)
{
	if (v->life == LIFE_APPROVED)
		json_array_append_new(arg, json_string(v->vendor));
	return true;
}

static int plan_one(struct registry *r, const char *vendor, int64_t at, json_t *list, struct err *err)
{
	struct contract *c;
	int64_t last;
	if (assess_contract(r, vendor, &c, err) < 0)
		return -1;
	enum tier t = tier_of(c);
	contract_free(&c);
	if (last_of(r, vendor, &last, NULL, err) < 0)
		return -1;
	int64_t due = last ? last + tiers[t].every_s : at;
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o, s:I, s:b}", "vendor", vendor, "tier", tiers[t].name, "why", tiers[t].why, "last",
					      last ? json_integer(last) : json_null(), "due", (json_int_t)due, "overdue", due <= at));
	return 0;
}

static int do_plan(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	json_t *names = json_array(), *list = json_array();
	(void)request;
	(void)who;
	json_object_set_new(answer, "at", json_integer(at));
	json_object_set_new(answer, "vendors", list);
	int rc = registry_vendors(r, add_approved, names, err);
	for (size_t i = 0; rc == 0 && i < json_array_size(names); i++)
		rc = plan_one(r, json_string_value(json_array_get(names, i)), at, list, err);
	json_decref(names);
	return rc;
}

const struct registry_word audit_words[] = {
	{"audit-plan", do_plan}, {"audit-run", do_run}, {"audit-counted", do_counted}, {"audit-report", do_report}, {NULL, NULL},
};
