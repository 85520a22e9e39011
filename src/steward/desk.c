#include "steward/desk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "assess/assess.h"
#include "assurance/assurance.h"
#include "audit/audit.h"
#include "base/say.h"
#include "canary/canary.h"
#include "discover/discover.h"
#include "incident/incident.h"
#include "keeper/control.h"
#include "keeper/keeper.h"
#include "notice/notice.h"
#include "posture/book.h"
#include "share/share.h"

enum { APPLY_MAX = 1000, EVENTS_SHOWN = 50, RULES_BYTES = 1 << 20 };

static json_t *hex32(const uint8_t d[static 32])
{
	char hex[65];
	hex_encode(d, 32, hex);
	return json_string(hex);
}

/* ---- apply ------------------------------------------------------------------------------------------------------ */

struct proposal {
	struct contract *c;
	struct registry_contract row;
	enum import what;
};

static void proposal_release(struct proposal *p)
{
	contract_free(&p->c);
	registry_contract_release(&p->row);
}

/* What came must be what we would write ourselves: the digest is of that. */
static int canonical(const char *json, size_t n, const struct contract *c, struct err *err)
{
	struct buf again;
	buf_init(&again, 0);
	contract_to_json(c, &again);
	bool same = again.len == n && memcmp(again.data, json, n) == 0;
	buf_release(&again);
	return same ? 0 : err_set(err, ERR_INPUT, "a contract came in another form than the canonical one");
}

static char *text(struct span s)
{
	return xstrndup(s.len ? s.at : "", s.len);
}

static int propose(const json_t *item, const char *who, int64_t at, struct proposal *p, struct err *err)
{
	const json_t *v = json_object_get(item, "json");
	const char *json = json_string_value(v);
	*p = (struct proposal){0};
	if (!json)
		return err_set(err, ERR_INPUT, "a contract is missing");
	p->c = contract_from_json(json, json_string_length(v), err);
	if (!p->c || canonical(json, json_string_length(v), p->c, err) < 0)
		return -1;
	p->row = (struct registry_contract){.version = p->c->version, .json = xstrdup(json), .json_len = strlen(json), .at = at};
	p->row.by = xstrdup(who);
	p->row.name = text(p->c->name.len ? p->c->name : p->c->vendor);
	snprintf(p->row.vendor, sizeof p->row.vendor, "%.*s", (int)p->c->vendor.len, p->c->vendor.at);
	contract_digest(p->c, p->row.digest);
	return 0;
}

/* The contract to compare with: in force, or NULL.  *version says which. */
static int in_force(struct registry *r, const char *vendor, struct contract **out, int64_t *version, struct err *err)
{
	struct registry_vendor v;
	struct registry_contract row;
	*out = NULL;
	*version = 0;
	if (registry_vendor(r, vendor, &v, err) < 0)
		return err->code == ERR_NOTFOUND ? 0 : -1;
	*version = v.life == LIFE_APPROVED ? v.version : 0;
	registry_vendor_release(&v);
	if (*version == 0)
		return 0;
	if (registry_contract(r, vendor, *version, &row, err) < 0)
		return -1;
	int got = keeper_contract(row.json, row.json_len, row.digest, vendor, *version, out, err);
	registry_contract_release(&row);
	return got;
}

static json_t *lines_of(const struct contract_changes *c)
{
	json_t *lines = json_array();
	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(lines, json_pack("{s:b, s:s}", "wider", c->v[i].wider, "text", c->v[i].text));
	return lines;
}

static int describe(struct registry *r, const struct proposal *p, json_t *changes, struct err *err)
{
	struct contract *now;
	int64_t version;
	struct contract_changes c = {0};
	if (in_force(r, p->row.vendor, &now, &version, err) < 0)
		return -1;
	if (p->what == IMPORT_NEW)
		contract_diff(now, p->c, &c);
	json_array_append_new(changes,
			      json_pack("{s:s, s:I, s:o, s:b, s:I, s:b, s:o}", "vendor", p->row.vendor, "version", (json_int_t)p->row.version,
					"digest", hex32(p->row.digest), "new", p->what == IMPORT_NEW, "against", (json_int_t)version, "wider",
					c.wider, "lines", lines_of(&c)));
	contract_changes_release(&c);
	contract_free(&now);
	return 0;
}

static int no_twins(const struct proposal *p, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			if (strcmp(p[i].row.vendor, p[k].row.vendor) == 0 && p[i].row.version == p[k].row.version &&
			    memcmp(p[i].row.digest, p[k].row.digest, 32) != 0)
				return err_set(err, ERR_CONFLICT, "%s version %" PRId64 " is given twice, with other content", p[i].row.vendor,
					       p[i].row.version);
	return 0;
}

static int apply_all(struct registry *r, struct proposal *p, size_t n, bool dry, json_t *changes, struct err *err)
{
	if (no_twins(p, n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (registry_try(r, &p[i].row, &p[i].what, err) < 0 || describe(r, &p[i], changes, err) < 0)
			return -1;
	for (size_t i = 0; i < n && !dry; i++)
		if (registry_import(r, &p[i].row, &p[i].what, err) < 0)
			return -1;
	return 0;
}

static int desk_apply(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const json_t *list = json_object_get(request, "contracts");
	size_t n = json_array_size(list), done = 0;
	if (n == 0 || n > APPLY_MAX)
		return err_set(err, ERR_INPUT, "apply takes 1 to %d contracts", APPLY_MAX);
	struct proposal *p = xcalloc(n, sizeof *p);
	int rc = 0;
	for (; done < n && rc == 0; done++)
		rc = propose(json_array_get(list, done), who, at, &p[done], err);
	json_t *changes = json_array();
	if (rc == 0)
		rc = apply_all(r, p, n, json_is_true(json_object_get(request, "dry_run")), changes, err);
	for (size_t i = 0; i < done; i++)
		proposal_release(&p[i]);
	free(p);
	json_object_set_new(answer, "changes", changes);
	return rc;
}

/* ---- showing ---------------------------------------------------------------------------------------------------- */

static json_t *vendor_json(const struct registry_vendor *v)
{
	json_t *asks = json_object();
	for (int i = 0; i < ASKERS; i++)
		json_object_set_new(asks, asker_names[i], json_string(flow_names[v->asks[i]]));
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:I}", "vendor", v->vendor, "name", v->name, "life",
			 life_names[v->life], "flow", flow_names[registry_flow(v)], "asks", asks, "version", (json_int_t)v->version, "newest",
			 (json_int_t)v->newest, "serial", (json_int_t)v->serial, "not_after",
			 v->not_after == INT64_MAX ? json_null() : json_integer(v->not_after), "at", (json_int_t)v->at);
}

static bool add_vendor(void *arg, const struct registry_vendor *v)
{
	json_array_append_new(arg, vendor_json(v));
	return true;
}

static int desk_vendors(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	(void)request;
	(void)who;
	(void)at;
	json_t *list = json_array();
	json_object_set_new(answer, "vendors", list);
	return registry_vendors(r, add_vendor, list, err);
}

/* The newest EVENTS_SHOWN stay. */
static bool add_event(void *arg, const struct registry_event *e)
{
	json_t *list = arg;
	json_array_append_new(list, json_pack("{s:I, s:I, s:s, s:s, s:I, s:s}", "seq", (json_int_t)e->seq, "at", (json_int_t)e->at, "who",
					      e->who, "kind", e->kind, "version", (json_int_t)e->version, "why", e->why));
	if (json_array_size(list) > EVENTS_SHOWN)
		json_array_remove(list, 0);
	return true;
}

static int desk_vendor(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	(void)who;
	(void)at;
	const char *name = json_string_value(json_object_get(request, "vendor"));
	struct registry_vendor v;
	if (!name)
		return err_set(err, ERR_INPUT, "which vendor?");
	if (registry_vendor(r, name, &v, err) < 0)
		return -1;
	json_t *events = json_array();
	json_object_set_new(answer, "vendor", vendor_json(&v));
	json_object_set_new(answer, "events", events);
	registry_vendor_release(&v);
	return registry_events(r, name, 0, INT32_MAX, add_event, events, err);
}

static int desk_contract(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	(void)who;
	(void)at;
	const char *name = json_string_value(json_object_get(request, "vendor"));
	int64_t version = json_integer_value(json_object_get(request, "version"));
	struct registry_contract c;
	struct registry_vendor v;
	if (!name)
		return err_set(err, ERR_INPUT, "which vendor?");
	if (version == 0 && registry_vendor(r, name, &v, err) == 0) {
		version = v.version;
		registry_vendor_release(&v);
	}
	if (registry_contract(r, name, version, &c, err) < 0)
		return -1;
	json_object_set_new(answer, "vendor", json_string(c.vendor));
	json_object_set_new(answer, "version", json_integer(c.version));
	json_object_set_new(answer, "digest", hex32(c.digest));
	json_object_set_new(answer, "json", json_stringn(c.json, c.json_len));
	registry_contract_release(&c);
	return 0;
}

static const struct registry_word words[] = {
	{"apply", desk_apply}, {"vendors", desk_vendors}, {"vendor", desk_vendor}, {"contract", desk_contract},
	{NULL, NULL},
};

/* Each capability's words; a new one is a line here. */
static const struct registry_word *const tables[] = {
	words, incident_words, notice_words, share_words, api_words, posture_words, assess_words, assurance_words,
	audit_words, canary_words, discover_words, registry_log_words,
};

static const struct registry_word *word_of(const char *word)
{
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (const struct registry_word *w = tables[i]; w->word; w++)
			if (strcmp(w->word, word) == 0)
				return w;
	return NULL;
}

/* answer is taken over. */
static json_t *close_answer(json_t *answer, int rc, const struct err *err)
{
	if (rc == 0) {
		json_object_set_new(answer, "ok", json_true());
		return answer;
	}
	json_decref(answer);
	return control_refusal(err);
}

/* ---- rules of the folder ------------------------------------------------------------------------------------------ */

/* 1 there it is, 0 there is none, -1. */
static int slurp(const char *path, struct buf *out, struct err *err)
{
	FILE *f = fopen(path, "rbe");
	if (!f)
		return errno == ENOENT ? 0 : err_sys(err, "%s", path);
	size_t n = 1;
	while (n && buf_reserve(out, 4096)) {
		n = fread(out->data + out->len, 1, 4096, f);
		out->len += n;
	}
	bool bad = ferror(f) || out->over;
	fclose(f);
	return bad ? err_set(err, ERR_LIMIT, "%s can't be read, or is too long", path) : 1;
}

static void say_diags(const struct diags *d)
{
	for (size_t i = 0; i < d->n; i++)
		say(SAY_ERROR, "rules-refused", "line", I((int64_t)d->v[i].line), "code", S(d->v[i].code), "why", S(d->v[i].msg), NULL);
}

void desk_rules(struct registry *r, const char *dir, int64_t at)
{
	char *path = xasprintf("%s/assurance.yaml", dir);
	struct buf text;
	struct diags d;
	struct err err;
	buf_init(&text, RULES_BYTES);
	diags_init(&d, path);
	int got = slurp(path, &text, &err);
	if (got >= 0)
		got = assurance_use(r, got ? (const char *)text.data : NULL, text.len, "weir", at, &d, &err);
	say_diags(&d);
	if (got < 0)
		say(SAY_ERROR, "rules-refused", "why", S(err.msg), NULL);
	diags_release(&d);
	buf_release(&text);
	free(path);
}

/* ---- what follows ------------------------------------------------------------------------------------------------- */

/* What capabilities look at once a second, and behind every request that may have changed something. */
static const struct registry_tick *const ticks[] = {
	&assurance_tick, &discover_tick, NULL,
};

static bool listed(const json_t *list, const char *vendor)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_array_get(list, i)), vendor) == 0)
			return true;
	return false;
}

static bool add_stale(void *arg, const struct registry_vendor *v)
{
	if (v->life == LIFE_APPROVED && v->plan_flow != (int)registry_flow(v) && !listed(arg, v->vendor))
		json_array_append_new(arg, json_string(v->vendor));
	return true;
}

void desk_tick(struct registry *r, int64_t at, json_t *refresh)
{
	struct err err;
	for (const struct registry_tick *const *t = ticks; *t; t++)
		if ((*t)->run(r, at, &err) < 0)
			say(SAY_ERROR, "tick-failed", "of", S((*t)->name), "why", S(err.msg), NULL);
	if (registry_vendors(r, add_stale, refresh, &err) < 0)
		say(SAY_ERROR, "tick-failed", "of", S("plans"), "why", S(err.msg), NULL);
}

int desk_refreshed(struct registry *r, const json_t *body, struct err *err)
{
	const char *vendor = json_string_value(json_object_get(body, "vendor"));
	const char *flow = json_string_value(json_object_get(body, "flow"));
	for (int i = 0; vendor && flow && i < 4; i++)
		if (strcmp(flow, flow_names[i]) == 0)
			return registry_plan_flow(r, vendor, (enum flow)i, err);
	return err_set(err, ERR_BUG, "the keeper's answer names no flow");
}

static json_t *refresh_of(json_t *answer)
{
	json_t *list = json_object_get(answer, "refresh");
	if (!list) {
		list = json_array();
		json_object_set_new(answer, "refresh", list);
	}
	return list;
}

/* The desk's own words but `apply` change nothing. */
static bool reads_only(const struct registry_word *w)
{
	return w >= words && w < words + sizeof words / sizeof *words && w->handle != desk_apply;
}

json_t *desk_do(struct registry *r, const json_t *request, const char *who, int64_t at)
{
	struct err err;
	const char *word = json_string_value(json_object_get(request, "do"));
	const struct registry_word *w = word ? word_of(word) : NULL;
	if (w) {
		json_t *answer = json_object();
		int rc = w->handle(r, request, who, at, answer, &err);
		if (rc == 0 && !reads_only(w))
			desk_tick(r, at, refresh_of(answer));
		return close_answer(answer, rc, &err);
	}
	err_set(&err, ERR_INPUT, "this Weir doesn't know the request");
	return control_refusal(&err);
}

/* ---- the keeper's ----------------------------------------------------------------------------------------------- */

static json_t *requirements(unsigned bits)
{
	json_t *list = json_array();
	for (int q = 0; q < REQUIREMENTS; q++)
		if (bits & 1U << q)
			json_array_append_new(list, json_string(requirement_names[q]));
	return list;
}

/* What the rules make of an approval with these waivers: what is met, and the flow they would then ask for. */
static int would(struct registry *r, const struct registry_contract *row, const json_t *waive, int64_t at, enum flow incident, json_t *answer,
		 struct err *err)
{
	struct assurance_would w;
	unsigned bits = 0;
	struct contract *c = contract_from_json(row->json, row->json_len, err);
	if (!c)
		return -1;
	for (size_t i = 0; i < json_array_size(waive); i++)
		for (int q = 0; q < REQUIREMENTS; q++)
			if (strcmp(requirement_names[q], json_string_value(json_array_get(waive, i))) == 0)
				bits |= 1U << q;
	int rc = assurance_would(r, row->vendor, c, bits, at, &w, err);
	contract_free(&c);
	if (rc < 0)
		return -1;
	json_t *unmet = json_object();
	for (int q = 0; q < REQUIREMENTS; q++)
		if (w.unmet[q][0])
			json_object_set_new(unmet, requirement_names[q], json_string(w.unmet[q]));
	json_object_set_new(answer, "others", json_integer(w.flow > incident ? w.flow : incident));
	json_object_set_new(answer, "met", requirements(w.met));
	json_object_set_new(answer, "waivable", requirements(w.waivable));
	json_object_set_new(answer, "unmet", unmet);
	return 0;
}

static int contract_get(struct registry *r, const json_t *body, int64_t at, json_t *answer, struct err *err)
{
	const char *name = json_string_value(json_object_get(body, "vendor"));
	int64_t version = json_integer_value(json_object_get(body, "version"));
	struct registry_vendor v;
	struct registry_contract c;
	if (registry_vendor(r, name ? name : "", &v, err) < 0)
		return -1;
	enum flow rule = v.asks[ASK_RULE], incident = v.asks[ASK_INCIDENT];
	json_object_set_new(answer, "others", json_integer(rule > incident ? rule : incident));
	json_object_set_new(answer, "person", json_integer(v.asks[ASK_PERSON]));
	json_object_set_new(answer, "serial", json_integer((json_int_t)v.serial));
	registry_vendor_release(&v);
	if (version == 0)
		return 0;
	if (registry_contract(r, name, version, &c, err) < 0)
		return -1;
	json_object_set_new(answer, "digest", hex32(c.digest));
	json_object_set_new(answer, "json", json_stringn(c.json, c.json_len));
	int rc = json_is_true(json_object_get(body, "approve")) ? would(r, &c, json_object_get(body, "waive"), at, incident, answer, err) : 0;
	registry_contract_release(&c);
	return rc;
}

json_t *desk_contract_get(struct registry *r, const json_t *body, int64_t at)
{
	struct err err;
	json_t *answer = json_object();
	return close_answer(answer, contract_get(r, body, at, answer, &err), &err);
}

static int event(struct registry *r, const json_t *body, struct err *err)
{
	struct decided x;
	bool differed;
	if (decided_from_json(body, &x, err) < 0)
		return -1;
	if (json_is_true(json_object_get(body, "again")) && registry_has_recorded(r, &x))
		return 0;
	if (!json_is_true(json_object_get(body, "found")))
		return registry_record(r, &x, NULL, err);
	int rc = registry_reconcile(r, &x, &differed, err);
	if (rc == 0 && differed)
		say(SAY_WARN, "plan-found", "vendor", S(x.d.vendor), "serial", I(x.serial), NULL);
	return rc;
}

json_t *desk_event(struct registry *r, const json_t *body)
{
	struct err err;
	json_t *answer = json_object();
	return close_answer(answer, event(r, body, &err), &err);
}
