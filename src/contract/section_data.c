/* The keys that say which data leaves: `events`, `fields`, `profiles`, `groups`, `restricted`. */
#include <string.h>

#include "contract/sections.h"

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

void k_events(struct reader *r, const struct ynode *v, const struct key_row *k)
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

void k_detectors(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	(void)k;
	read_detectors(r, v);
}

void k_on_hit(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	(void)k;
	read_on_hit(r, v, &r->c->on_hit);
}

void k_fields(struct reader *r, const struct ynode *v, const struct key_row *k)
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
const struct key_section profile_section = SECTION("profiles", profile_rows);

void k_profiles(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	r->c->profiles = true;
	if (!takes_kind(r->c->adapter, OBJECT_PROFILE))
		FAULT(r, v->key, unsupported, "%s has no profiles", r->c->adapter->title);
	if (expect_map(r, v, k->name))
		read_map(r, v, &profile_section);
}

static bool check_group_key(struct reader *r, const struct ynode *v)
{
	if (one_line(v->text) && v->text.len <= 256)
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
const struct key_section group_section = SECTION("groups", group_rows);

void k_groups(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	r->c->groups = true;
	if (!takes_kind(r->c->adapter, OBJECT_GROUP))
		FAULT(r, v->key, unsupported, "%s has no groups", r->c->adapter->title);
	if (expect_map(r, v, k->name))
		read_map(r, v, &group_section);
}

/* ---- restricted ----------------------------------------------------------------------------------------------- */

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
const struct key_section restricted_section = SECTION("restricted", restricted_rows);

void k_restricted(struct reader *r, const struct ynode *v, const struct key_row *k)
{
	r->c->restricted = true;
	r->c->restricted_identity = r->c->identity;
	if (expect_map(r, v, k->name))
		read_map(r, v, &restricted_section);
}
