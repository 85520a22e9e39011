/*
 * What a new version of a contract changes, in words.  "Wider" is whatever may bring the vendor more: another place, a
 * weaker action, another event, another recipient, a longer time, a dropped condition.  Every doubt counts as wider.
 * Places are compared as leaves of the two plans, so that what the protocol adds by itself counts too: taking away the
 * rule `properties.time: {truncate: hour}` widens, because the slot then keeps the time as it is.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "contract/program.h"
#include "contract/read.h"

struct differ {
	const struct contract *a, *b;
	struct contract_changes *out;
};

static void say_change(struct differ *d, bool wider, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say_change(struct differ *d, bool wider, const char *fmt, ...)
{
	struct contract_changes *o = d->out;
	va_list ap;
	va_start(ap, fmt);
	o->v = xrealloc(o->v, (o->n + 1) * sizeof *o->v);
	if (vasprintf(&o->v[o->n].text, fmt, ap) < 0)
		o->v[o->n].text = xstrdup("?");
	va_end(ap);
	o->v[o->n++].wider = wider;
	o->wider |= wider;
}

static bool same(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

#define T(s) (int)(s).len, (s).at ? (s).at : ""

static void diff_text(struct differ *d, const char *what, struct span a, struct span b, bool wider)
{
	if (same(a, b))
		return;
	if (a.len && b.len)
		say_change(d, wider, "%s: %.*s, was %.*s", what, T(b), T(a));
	else if (b.len)
		say_change(d, wider, "%s: %.*s, was not said", what, T(b));
	else
		say_change(d, wider, "%s: no longer said, was %.*s", what, T(a));
}

static bool has(const struct span *v, size_t n, struct span s)
{
	for (size_t i = 0; i < n; i++)
		if (same(v[i], s))
			return true;
	return false;
}

/* Lists of words; added_wider: one more of them brings the vendor more. */
static void diff_list(struct differ *d, const char *what, const struct span *a, size_t an, const struct span *b, size_t bn,
		      bool added_wider)
{
	for (size_t i = 0; i < bn; i++)
		if (!has(a, an, b[i]))
			say_change(d, added_wider, "%s: adds %.*s", what, T(b[i]));
	for (size_t i = 0; i < an; i++)
		if (!has(b, bn, a[i]))
			say_change(d, false, "%s: takes away %.*s", what, T(a[i]));
}

/* ---- who, where, until when ----------------------------------------------------------------------------------- */

static void diff_terms(struct differ *d)
{
	static const struct {
		const char *what;
		size_t at;
		bool wider;
	} rows[] = {
#define ROW(name, field, wider) {name, offsetof(struct contract, field), wider}
		ROW("vendor", vendor, true),	 ROW("name", name, false),	   ROW("country", country, true),
		ROW("role", role, true),	 ROW("service", service, false),   ROW("delivery.upstream", upstream, true),
		ROW("delivery.credential", credential, false),			   ROW("signed", signed_on, false),
		ROW("purpose", purpose, true),	 ROW("basis", basis, false),	   ROW("breach_notice", breach_notice, false),
		ROW("retention", retention, true), ROW("subject.kind", subject_kind, false),
#undef ROW
	};
	const struct contract *a = d->a, *b = d->b;
	if (a->version != b->version)
		say_change(d, false, "version: %lld, was %lld", (long long)b->version, (long long)a->version);
	if (a->adapter != b->adapter)
		say_change(d, true, "delivery.adapter: %s, was %s", b->adapter->name, a->adapter->name);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		diff_text(d, rows[i].what, *(const struct span *)(const void *)((const char *)a + rows[i].at),
			  *(const struct span *)(const void *)((const char *)b + rows[i].at), rows[i].wider);
	diff_text(d, "expires", a->expires, b->expires, b->expires_at > a->expires_at);
	if (a->quota_bytes != b->quota_bytes)
		say_change(d, false, "delivery.quota: %llu bytes, was %llu", (unsigned long long)b->quota_bytes,
			   (unsigned long long)a->quota_bytes);
	diff_list(d, "data_regions", a->data_regions, a->data_regions_len, b->data_regions, b->data_regions_len, true);
	diff_list(d, "subprocessors", a->subprocessors, a->subprocessors_len, b->subprocessors, b->subprocessors_len, true);
	diff_list(d, "clauses", a->clauses, a->clauses_len, b->clauses, b->clauses_len, false);
}

static const struct source *source_named(const struct contract *c, struct span name)
{
	for (size_t i = 0; i < c->sources_len; i++)
		if (same(c->sources[i].name, name))
			return &c->sources[i];
	return NULL;
}

static void diff_sources(struct differ *d)
{
	for (size_t i = 0; i < d->b->sources_len; i++) {
		const struct source *s = &d->b->sources[i], *was = source_named(d->a, s->name);
		if (!was)
			say_change(d, true, "sources: adds %.*s", T(s->name));
		else if (!same(was->token, s->token))
			say_change(d, false, "sources: %.*s has another token", T(s->name));
	}
	for (size_t i = 0; i < d->a->sources_len; i++)
		if (!source_named(d->b, d->a->sources[i].name))
			say_change(d, false, "sources: takes away %.*s", T(d->a->sources[i].name));
}

static int grade_rank(struct span g)
{
	/* "A+" 0, "A" 1, "A-" 2, "B+" 3 ... */
	if (!g.len)
		return 100;
	int mark = g.len < 2 ? 1 : g.at[1] == '+' ? 0 : 2;
	return 3 * (g.at[0] - 'A') + mark;
}

static void diff_requires(struct differ *d)
{
	const struct requires *a = &d->a->requires, *b = &d->b->requires;
	if (a->assessment != b->assessment)
		say_change(d, a->assessment, "requires.assessment: %s", b->assessment ? "is asked for now" : "no longer asked for");
	if (a->assessment && b->assessment) {
		int64_t aw = a->within_s ? a->within_s : INT64_MAX, bw = b->within_s ? b->within_s : INT64_MAX;
		diff_text(d, "requires.assessment.standard", a->standard, b->standard, true);
		if (a->score != b->score)
			say_change(d, b->score < a->score, "requires.assessment.score: %d, was %d", b->score, a->score);
		if (aw != bw)
			say_change(d, bw > aw, "requires.assessment.within: a %s time", bw > aw ? "longer" : "shorter");
	}
	if (a->posture != b->posture)
		say_change(d, a->posture, "requires.posture: %s", b->posture ? "is asked for now" : "no longer asked for");
	else
		diff_text(d, "requires.posture.grade", a->grade, b->grade, grade_rank(b->grade) > grade_rank(a->grade));
}

/* ---- what passes ---------------------------------------------------------------------------------------------- */

static bool matches(const struct event_match *by, const struct event_match *e)
{
	if (!by->prefix)
		return !e->prefix && same(by->text, e->text);
	return e->text.len >= by->text.len && (by->text.len == 0 || memcmp(e->text.at, by->text.at, by->text.len) == 0);
}

static bool any_matches(const struct contract *c, const struct event_match *e)
{
	for (size_t i = 0; i < c->events_len; i++)
		if (matches(&c->events[i], e))
			return true;
	return false;
}

static bool listed(const struct contract *c, const struct event_match *e)
{
	for (size_t i = 0; i < c->events_len; i++)
		if (c->events[i].prefix == e->prefix && same(c->events[i].text, e->text))
			return true;
	return false;
}

static void diff_events(struct differ *d)
{
	for (size_t i = 0; i < d->b->events_len; i++) {
		const struct event_match *e = &d->b->events[i];
		if (!listed(d->a, e))
			say_change(d, !any_matches(d->a, e), "events: adds %.*s%s", T(e->text), e->prefix ? "*" : "");
	}
	for (size_t i = 0; i < d->a->events_len; i++) {
		const struct event_match *e = &d->a->events[i];
		if (!listed(d->b, e))
			say_change(d, false, "events: takes away %.*s%s", T(e->text), e->prefix ? "*" : "");
	}
}

static const struct own_row *row_named(const struct contract *c, struct span name)
{
	for (size_t i = 0; i < c->own_len; i++)
		if (same(c->own[i].name, name))
			return &c->own[i];
	return NULL;
}

static void diff_detectors(struct differ *d)
{
	for (size_t i = 0; i < d->b->own_len; i++) {
		const struct own_row *row = &d->b->own[i], *was = row_named(d->a, row->name);
		if (!was)
			say_change(d, false, "detectors: adds %.*s", T(row->name));
		else if (!own_row_same(row, was))	/* who knows what it no longer finds */
			say_change(d, true, "detectors: %.*s is another one: %.*s, was %.*s", T(row->name), T(row->pattern), T(was->pattern));
	}
	for (size_t i = 0; i < d->a->own_len; i++)
		if (!row_named(d->b, d->a->own[i].name))
			say_change(d, true, "detectors: takes away %.*s", T(d->a->own[i].name));
}

static void diff_default_hit(struct differ *d)
{
	struct on_hit a = d->a->on_hit, b = d->b->on_hit;
	struct buf text;
	if (on_hit_same(a, b))
		return;
	buf_init(&text, 0);
	on_hit_text(b, &text);
	buf_adds(&text, ", was ");
	on_hit_text(a, &text);
	say_change(d, !on_hit_within(b, a), "on_hit: %.*s", (int)text.len, (const char *)text.data);
	buf_release(&text);
}

static void diff_switches(struct differ *d)
{
	const struct contract *a = d->a, *b = d->b;
	if (a->learn != b->learn)
		say_change(d, a->learn, "mode: %s", b->learn ? "learn: nothing is forwarded any more" : "enforce: forwards now");
	if (a->refuse_sec_gpc != b->refuse_sec_gpc)
		say_change(d, a->refuse_sec_gpc, "consent: events with Sec-GPC are %s", b->refuse_sec_gpc ? "refused now" : "no longer refused");
	if (a->identity != b->identity)
		say_change(d, b->identity < a->identity, "identity: %s, was %s", identity_names[b->identity], identity_names[a->identity]);
	diff_detectors(d);
	diff_default_hit(d);
	if (a->links != b->links)
		say_change(d, b->links, "links: %s", b->links ? "allowed now" : "denied now");
	if (a->profiles != b->profiles)
		say_change(d, b->profiles, "profiles: %s", b->profiles ? "allowed now" : "denied now");
	if (a->groups != b->groups)
		say_change(d, b->groups, "groups: %s", b->groups ? "allowed now" : "denied now");
	diff_list(d, "profiles.operations", a->profile_ops, a->profile_ops_len, b->profile_ops, b->profile_ops_len, true);
	diff_list(d, "groups.keys", a->group_keys, a->group_keys_len, b->group_keys, b->group_keys_len, true);
}

static const struct attribute *attribute_named(const struct contract *c, struct span name)
{
	for (size_t i = 0; i < c->attributes_len; i++)
		if (same(c->attributes[i].name, name))
			return &c->attributes[i];
	return NULL;
}

static void diff_attributes(struct differ *d)
{
	static const char *const names[] = {"business", "jurisdiction", "minor"};
	for (size_t i = 0; i < 3; i++) {
		struct span name = {names[i], strlen(names[i])};
		const struct attribute *a = attribute_named(d->a, name), *b = attribute_named(d->b, name);
		char what[32];
		snprintf(what, sizeof what, "attributes.%s", names[i]);
		diff_text(d, what, a ? a->path.text : SPAN(""), b ? b->path.text : SPAN(""), false);
	}
}

static bool drops(const struct contract *c, const struct path *p)
{
	for (size_t i = 0; i < c->restricted_drop_len; i++) {
		enum path_relation rel = path_relate(&c->restricted_drop[i], p);
		if (rel == PATH_SAME || rel == PATH_ABOVE)
			return true;
	}
	return false;
}

static void diff_restricted(struct differ *d)
{
	const struct contract *a = d->a, *b = d->b;
	if (a->restricted != b->restricted)
		say_change(d, b->restricted, "restricted: %s", b->restricted ? "lets something through now" : "lets nothing through any more");
	if (!a->restricted || !b->restricted)
		return;
	if (a->restricted_identity != b->restricted_identity)
		say_change(d, b->restricted_identity < a->restricted_identity, "restricted.identity: %s, was %s",
			   identity_names[b->restricted_identity], identity_names[a->restricted_identity]);
	for (size_t i = 0; i < b->restricted_drop_len; i++)
		if (!drops(a, &b->restricted_drop[i]))
			say_change(d, false, "restricted.drop: adds %s", b->restricted_drop[i].text.at);
	for (size_t i = 0; i < a->restricted_drop_len; i++)
		if (!drops(b, &a->restricted_drop[i]))
			say_change(d, true, "restricted.drop: takes away %s", a->restricted_drop[i].text.at);
}

/* ---- places --------------------------------------------------------------------------------------------------- */

static const char *const kind_words[OBJECT_KINDS] = {"events", "profiles", "groups", "links"};

static bool is_identity(const struct plan_leaf *l)
{
	return l->what.len > 9 && memcmp(l->what.at, "identity:", 9) == 0;
}

static int leaf_like(const struct plan *p, const struct plan_leaf *l)
{
	for (size_t i = 0; p && i < p->leaves_len; i++)
		if (p->leaves[i].kind == l->kind && same(p->leaves[i].path, l->path))
			return (int)i;
	return -1;
}

static void diff_hit(struct differ *d, const char *kind, const struct plan_leaf *l, const struct act *b, const struct plan_leaf *k, const struct act *a)
{
	if (!l->on_hit.len || !k->on_hit.len || same(l->on_hit, k->on_hit) || (!a->on_hit_own && !b->on_hit_own))
		return;	/* said as `detect`, or once, as the contract's on_hit */
	say_change(d, !on_hit_within(b->on_hit, a->on_hit), "%s: %.*s: on_hit %.*s, was %.*s", kind, T(l->path), T(l->on_hit), T(k->on_hit));
}

/* Apart from what becomes of hits, which is told apart. */
static bool leaf_wider(const struct act *b, const struct act *a)
{
	struct act then;
	if (!a || !b || !a->detect || !b->detect)
		return !act_within(b, a);
	then = *a;
	then.on_hit = b->on_hit;
	return !act_within(b, &then);
}

static void diff_leaf(struct differ *d, const struct plan *a, int was, const struct plan *b, size_t i)
{
	const struct plan_leaf *l = &b->leaves[i], *k = was < 0 ? NULL : &a->leaves[was];
	const char *kind = kind_words[l->kind];
	if (!k) {
		say_change(d, true, "%s: %.*s may leave: %.*s", kind, T(l->path), T(l->what));
		return;
	}
	bool wider = leaf_wider(b->leaf_acts[i], a->leaf_acts[was]);
	if (is_identity(l) && is_identity(k))
		return;	/* said once, as `identity` */
	if (!same(l->what, k->what) || wider)
		say_change(d, wider, "%s: %.*s: %.*s, was %.*s", kind, T(l->path), T(l->what), T(k->what));
	diff_hit(d, kind, l, b->leaf_acts[i], k, a->leaf_acts[was]);
	if (!same(l->category, k->category))
		say_change(d, false, "%s: %.*s: category %.*s, was %.*s", kind, T(l->path), T(l->category), T(k->category));
}

static void diff_places(struct differ *d, bool fresh)
{
	struct plan *a = NULL, *b = NULL;
	struct err err;
	if ((!fresh && plan_compile(d->a, FLOW_OPEN, &a, &err) < 0) || plan_compile(d->b, FLOW_OPEN, &b, &err) < 0) {
		say_change(d, true, "cannot be compared: %s", err.msg);
		plan_free(&a);
		return;
	}
	for (size_t i = 0; i < b->leaves_len; i++)
		diff_leaf(d, a, leaf_like(a, &b->leaves[i]), b, i);
	for (size_t i = 0; a && i < a->leaves_len; i++)
		if (leaf_like(b, &a->leaves[i]) < 0)
			say_change(d, act_stops(a->leaf_acts[i]), "%s: %.*s no longer leaves, was %.*s%s", kind_words[a->leaves[i].kind],
				   T(a->leaves[i].path), T(a->leaves[i].what),
				   act_stops(a->leaf_acts[i]) ? ", and what is found there stops nothing any more" : "");
	plan_free(&a);
	plan_free(&b);
}

void contract_diff(const struct contract *a, const struct contract *b, struct contract_changes *out)
{
	struct contract none = {.adapter = b->adapter, .identity = IDENTITY_DROP, .learn = true, .requires.score = -1};
	struct differ d = {a ? a : &none, b, out};
	*out = (struct contract_changes){0};
	if (!a) {	/* nothing to compare its terms with: they are the file */
		say_change(&d, true, "new: %.*s receives data of people for the first time", T(b->vendor));
		none.restricted = b->restricted;
		none.restricted_identity = b->restricted_identity;
	} else {
		diff_terms(&d);
		diff_sources(&d);
		diff_requires(&d);
		diff_attributes(&d);
		diff_restricted(&d);
	}
	diff_switches(&d);
	diff_events(&d);
	diff_places(&d, !a);
}

void contract_changes_release(struct contract_changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].text);
	free(c->v);
	*c = (struct contract_changes){0};
}
