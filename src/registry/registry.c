#include "registry/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/private.h"

const char *const life_names[3] = {[LIFE_PROPOSED] = "proposed", [LIFE_APPROVED] = "approved", [LIFE_OFFBOARDED] = "offboarded"};
const char *const asker_names[ASKERS] = {[ASK_PERSON] = "person", [ASK_RULE] = "rule", [ASK_INCIDENT] = "incident"};

int registry_open(const char *path, struct registry **out, struct err *err)
{
	struct store *s;
	*out = NULL;
	if (store_open(path, registry_migrations, registry_migrations_len, &s, err) < 0)
		return -1;
	*out = xcalloc(1, sizeof **out);
	(*out)->store = s;
	return 0;
}

struct store *registry_store(struct registry *r)
{
	return r->store;
}

void registry_close(struct registry **r)
{
	if (!*r)
		return;
	store_close(&(*r)->store);
	free(*r);
	*r = NULL;
}

/* ---- contract versions ------------------------------------------------------------------------------------------ */

void registry_contract_release(struct registry_contract *c)
{
	free(c->name);
	free(c->json);
	free(c->by);
	*c = (struct registry_contract){0};
}

/* 1 known with this digest, 0 unknown. */
static int known(struct registry *r, const struct registry_contract *c, struct err *err)
{
	struct rows rows;
	int got = store_rows(r->store, &rows, err, "SELECT digest FROM contract WHERE vendor = ? AND version = ?", "si", c->vendor,
			     c->version);
	if (got == 0)
		got = rows_next(&rows, err);
	if (got == 1 && (rows_blob(&rows, 0).len != 32 || memcmp(rows_blob(&rows, 0).at, c->digest, 32) != 0))
		got = err_set(err, ERR_CONFLICT,
			      "%s version %" PRId64 " was imported with other content; a version never changes: give this one a new number",
			      c->vendor, c->version);
	rows_end(&rows);
	return got;
}

static int check(const struct registry_contract *c, struct err *err)
{
	uint8_t digest[32];
	crypt_sha256(c->json, c->json_len, digest);
	if (!vendor_name_ok(c->vendor) || c->version < 1)
		return err_set(err, ERR_INPUT, "a contract needs a vendor and a version from 1");
	if (memcmp(digest, c->digest, 32) != 0)
		return err_set(err, ERR_CONFLICT, "%s version %" PRId64 ": the digest isn't that of the contract", c->vendor, c->version);
	return 0;
}

int registry_try(struct registry *r, const struct registry_contract *c, enum import *what, struct err *err)
{
	if (check(c, err) < 0)
		return -1;
	int got = known(r, c, err);
	*what = got == 1 ? IMPORT_SAME : IMPORT_NEW;
	return got < 0 ? -1 : 0;
}

static int insert(struct registry *r, const struct registry_contract *c, struct err *err)
{
	char digest[65];
	uint64_t seq;
	hex_encode(c->digest, 32, digest);
	const struct new_event e = {
		.at = c->at, .who = c->by, .kind = "import", .vendor = c->vendor, .version = c->version, .why = "",
		.detail = json_pack("{s:s}", "digest", digest),
	};
	if (event_add(r, &e, &seq, err) < 0)
		return -1;
	if (store_run(r->store, err,
		      "INSERT INTO vendor (vendor, name, at) VALUES (?1, ?2, ?3)"
		      " ON CONFLICT (vendor) DO UPDATE SET name = ?2, at = ?3", "ssi", c->vendor, c->name, c->at) < 0)
		return -1;
	return store_run(r->store, err, "INSERT INTO contract (vendor, version, digest, json, at, by) VALUES (?,?,?,?,?,?)", "sibsis",
			 c->vendor, c->version, c->digest, (size_t)32, c->json, c->at, c->by);
}

/* Ends a transaction and keeps the first error. */
static int end(struct registry *r, int so_far, struct err *err)
{
	struct err second;
	int e = store_end(r->store, so_far == 0, so_far == 0 ? err : &second);
	return so_far < 0 ? so_far : e;
}

int registry_import(struct registry *r, const struct registry_contract *c, enum import *what, struct err *err)
{
	if (check(c, err) < 0 || store_begin(r->store, err) < 0)
		return -1;
	int rc = known(r, c, err);
	if (rc >= 0)
		*what = rc == 1 ? IMPORT_SAME : IMPORT_NEW;
	if (rc == 0)
		rc = insert(r, c, err);
	return end(r, rc < 0 ? -1 : 0, err);
}

static int list_into(struct registry *r, const char *sql, const char *vendor, char *out, size_t n)
{
	struct rows rows;
	struct err err;
	size_t at = 0;
	out[0] = 0;
	int got = vendor ? store_rows(r->store, &rows, &err, sql, "s", vendor) : store_rows(r->store, &rows, &err, sql, "");
	while (got == 0 && rows_next(&rows, &err) == 1 && at < n) {
		int k = snprintf(out + at, n - at, "%s%s", at ? ", " : "", rows_text(&rows, 0));
		at += k > 0 ? (size_t)k : 0;
	}
	rows_end(&rows);
	return at > 0;
}

static int no_vendor(struct registry *r, const char *vendor, struct err *err)
{
	char there[120];
	bool any = list_into(r, "SELECT vendor FROM vendor ORDER BY vendor", NULL, there, sizeof there);
	return err_set(err, ERR_NOTFOUND, "no vendor %s; %s%s", vendor, any ? "there are: " : "nothing was applied yet (`weir apply`)",
		       any ? there : "");
}

static int no_version(struct registry *r, const char *vendor, int64_t version, struct err *err)
{
	char there[120];
	if (!list_into(r, "SELECT version FROM contract WHERE vendor = ? ORDER BY version", vendor, there, sizeof there))
		return no_vendor(r, vendor, err);
	return err_set(err, ERR_NOTFOUND, "no version %" PRId64 " of %s; there are: %s", version, vendor, there);
}

int registry_contract(struct registry *r, const char *vendor, int64_t version, struct registry_contract *out, struct err *err)
{
	struct rows rows;
	*out = (struct registry_contract){0};
	int got = store_rows(r->store, &rows, err,
			     "SELECT c.version, c.digest, c.json, c.at, c.by, v.name FROM contract c JOIN vendor v USING (vendor)"
			     " WHERE vendor = ?1 AND (?2 = 0 OR c.version = ?2) ORDER BY c.version DESC LIMIT 1", "si", vendor, version);
	if (got == 0)
		got = rows_next(&rows, err);
	if (got == 1 && rows_blob(&rows, 1).len == 32) {
		snprintf(out->vendor, sizeof out->vendor, "%s", vendor);
		out->version = rows_int(&rows, 0);
		memcpy(out->digest, rows_blob(&rows, 1).at, 32);
		out->json = xstrdup(rows_text(&rows, 2));
		out->json_len = strlen(out->json);
		out->at = rows_int(&rows, 3);
		out->by = xstrdup(rows_text(&rows, 4));
		out->name = xstrdup(rows_text(&rows, 5));
	}
	rows_end(&rows);
	return got == 1 ? 0 : got < 0 ? -1 : no_version(r, vendor, version, err);
}

/* ---- vendors ---------------------------------------------------------------------------------------------------- */

void registry_vendor_release(struct registry_vendor *v)
{
	free(v->name);
	*v = (struct registry_vendor){0};
}

enum flow registry_flow(const struct registry_vendor *v)
{
	enum flow f = FLOW_OPEN;
	for (int i = 0; i < ASKERS; i++)
		if (v->asks[i] > f)
			f = v->asks[i];
	return f;
}

#define VENDOR_COLUMNS                                                                                                          \
	"vendor, name, life, ask_person, ask_rule, ask_incident, version, serial, not_after, at,"                               \
	" coalesce((SELECT max(c.version) FROM contract c WHERE c.vendor = vendor.vendor), 0), plan_flow"

static void take_vendor(const struct rows *rows, struct registry_vendor *v)
{
	snprintf(v->vendor, sizeof v->vendor, "%s", rows_text(rows, 0));
	v->name = xstrdup(rows_text(rows, 1));
	v->life = (enum life)rows_int(rows, 2);
	for (int i = 0; i < ASKERS; i++)
		v->asks[i] = (enum flow)rows_int(rows, 3 + i);
	v->version = rows_int(rows, 6);
	v->serial = (uint64_t)rows_int(rows, 7);
	v->not_after = rows_null(rows, 8) ? INT64_MAX : rows_int(rows, 8);
	v->at = rows_int(rows, 9);
	v->newest = rows_int(rows, 10);
	v->plan_flow = (int)rows_int(rows, 11);
}

int registry_vendor(struct registry *r, const char *vendor, struct registry_vendor *out, struct err *err)
{
	struct rows rows;
	*out = (struct registry_vendor){0};
	int got = store_rows(r->store, &rows, err, "SELECT " VENDOR_COLUMNS " FROM vendor WHERE vendor = ?", "s", vendor);
	if (got == 0)
		got = rows_next(&rows, err);
	if (got == 1)
		take_vendor(&rows, out);
	rows_end(&rows);
	return got == 1 ? 0 : got < 0 ? -1 : no_vendor(r, vendor, err);
}

int registry_vendors(struct registry *r, bool (*each)(void *arg, const struct registry_vendor *v), void *arg, struct err *err)
{
	struct rows rows;
	bool more = true;
	int got = store_rows(r->store, &rows, err, "SELECT " VENDOR_COLUMNS " FROM vendor ORDER BY vendor", "");
	while (got >= 0 && more && (got = rows_next(&rows, err)) == 1) {
		struct registry_vendor v;
		take_vendor(&rows, &v);
		more = each(arg, &v);
		registry_vendor_release(&v);
	}
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

/* ---- decisions -------------------------------------------------------------------------------------------------- */

static const char *const ask_sql[ASKERS] = {
	[ASK_PERSON] = "UPDATE vendor SET ask_person = ? WHERE vendor = ?",
	[ASK_RULE] = "UPDATE vendor SET ask_rule = ? WHERE vendor = ?",
	[ASK_INCIDENT] = "UPDATE vendor SET ask_incident = ? WHERE vendor = ?",
};

static int ask(struct registry *r, const char *vendor, enum asker who, enum flow flow, struct err *err)
{
	if (store_run(r->store, err, ask_sql[who], "is", (int64_t)flow, vendor) < 0)
		return -1;
	return store_changed(r->store) == 1 ? 0 : no_vendor(r, vendor, err);
}

int registry_ask(struct registry *r, const char *vendor, enum asker who, enum flow flow, const char *why, int64_t at,
		 struct err *err)
{
	uint64_t seq;
	const struct new_event e = {
		.at = at, .who = asker_names[who], .kind = "ask", .vendor = vendor, .why = why,
		.detail = json_pack("{s:s}", "flow", flow_names[flow]),
	};
	if (store_begin(r->store, err) < 0) {
		json_decref(e.detail);
		return -1;
	}
	int rc = event_add(r, &e, &seq, err);
	if (rc == 0)
		rc = ask(r, vendor, who, flow, err);
	return end(r, rc, err);
}

int registry_plan_flow(struct registry *r, const char *vendor, enum flow flow, struct err *err)
{
	return store_run(r->store, err, "UPDATE vendor SET plan_flow = ? WHERE vendor = ?", "is", (int64_t)flow, vendor);
}

/* What a person asks by a decision; -1: the decision isn't about the flow. */
static int asked_flow(enum decision_kind k)
{
	static const int flows[DECISIONS] = {
		[DECIDE_APPROVE] = -1,	[DECIDE_SUSPEND] = FLOW_SUSPENDED, [DECIDE_RESTRICT] = FLOW_RESTRICTED,
		[DECIDE_QUARANTINE] = FLOW_QUARANTINED, [DECIDE_RELEASE] = FLOW_OPEN, [DECIDE_OFFBOARD] = -1,
		[DECIDE_DRAIN] = -1, [DECIDE_DROP] = -1, [DECIDE_REFRESH] = -1,
	};
	return flows[k];
}

static int set_plan(struct registry *r, const struct decided *x, struct err *err)
{
	enum life life = x->approved ? LIFE_APPROVED : LIFE_OFFBOARDED;
	const char *sql = "UPDATE vendor SET life = ?, version = ?, serial = ?, plan_sha256 = ?, at = ?, plan_flow = ?, not_after = ? WHERE vendor = ?";
	int rc = x->not_after == INT64_MAX
			 ? store_run(r->store, err, sql, "iiibiins", (int64_t)life, x->version, (int64_t)x->serial, x->sha256,
				     (size_t)32, x->d.at, (int64_t)x->flow, x->d.vendor)
			 : store_run(r->store, err, sql, "iiibiiis", (int64_t)life, x->version, (int64_t)x->serial, x->sha256,
				     (size_t)32, x->d.at, (int64_t)x->flow, x->not_after, x->d.vendor);
	if (rc < 0)
		return -1;
	return store_changed(r->store) == 1 ? 0 : no_vendor(r, x->d.vendor, err);
}

static int add_waivers(struct registry *r, const struct decided *x, uint64_t seq, struct err *err)
{
	for (int q = 0; q < REQUIREMENTS; q++)
		if ((x->d.waive & 1U << q) &&
		    store_run(r->store, err, "INSERT INTO waiver (event, vendor, version, requirement, until) VALUES (?,?,?,?,?)",
			      "isisi", (int64_t)seq, x->d.vendor, x->version, requirement_names[q], x->d.until) < 0)
			return -1;
	return 0;
}

static int add_decision(struct registry *r, const struct decided *x, const char *kind, uint64_t *seq, struct err *err)
{
	const struct new_event e = {
		.at = x->d.at, .who = x->d.who, .kind = kind, .vendor = x->d.vendor, .version = x->version, .why = x->d.why,
		.detail = decided_to_json(x),
	};
	return event_add(r, &e, seq, err);
}

int registry_record(struct registry *r, const struct decided *x, uint64_t *seq, struct err *err)
{
	uint64_t at = 0;
	int flow = asked_flow(x->d.kind);
	if (store_begin(r->store, err) < 0)
		return -1;
	int rc = add_decision(r, x, decision_names[x->d.kind], &at, err);
	if (rc == 0 && flow >= 0)
		rc = ask(r, x->d.vendor, ASK_PERSON, (enum flow)flow, err);
	if (rc == 0 && x->serial)
		rc = set_plan(r, x, err);
	if (rc == 0)
		rc = add_waivers(r, x, at, err);
	rc = end(r, rc, err);
	if (rc == 0 && seq)
		*seq = at;
	return rc;
}

bool registry_has_recorded(struct registry *r, const struct decided *x)
{
	struct rows rows;
	struct err err;
	json_t *j = decided_to_json(x);
	char *detail = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(j);
	must(detail);
	int got = store_rows(r->store, &rows, &err, "SELECT 1 FROM event WHERE vendor = ? AND kind = ? AND at = ? AND detail = ?", "ssis", x->d.vendor,
			     decision_names[x->d.kind], x->d.at, detail);
	if (got == 0)
		got = rows_next(&rows, &err);
	rows_end(&rows);
	free(detail);
	return got == 1;
}

/* 1 the registry has another plan, 0 the same. */
static int differs(struct registry *r, const struct decided *plan, struct err *err)
{
	struct rows rows;
	int got = store_rows(r->store, &rows, err, "SELECT serial, plan_sha256 FROM vendor WHERE vendor = ?", "s", plan->d.vendor);
	if (got == 0)
		got = rows_next(&rows, err);
	int other = got == 1 && !((uint64_t)rows_int(&rows, 0) == plan->serial && rows_blob(&rows, 1).len == 32 &&
				  memcmp(rows_blob(&rows, 1).at, plan->sha256, 32) == 0);
	rows_end(&rows);
	return got == 1 ? other : got < 0 ? -1 : no_vendor(r, plan->d.vendor, err);
}

int registry_reconcile(struct registry *r, const struct decided *plan, bool *differed, struct err *err)
{
	uint64_t seq;
	*differed = false;
	if (store_begin(r->store, err) < 0)
		return -1;
	int rc = differs(r, plan, err);
	if (rc == 1) {
		struct registry_vendor v;
		*differed = true;
		rc = add_decision(r, plan, "plan-found", &seq, err);
		if (rc == 0)
			rc = set_plan(r, plan, err);
		if (rc == 0)
			rc = registry_vendor(r, plan->d.vendor, &v, err);
		if (rc == 0) {
			if (plan->person != v.asks[ASK_PERSON])
				rc = ask(r, plan->d.vendor, ASK_PERSON, plan->person, err);
			registry_vendor_release(&v);
		}
	}
	return end(r, rc, err);
}
