/*
 * A contract, from YAML or from canonical JSON: both become the same tree (base/yamldoc.h) and meet the same readers
 * (sections.c).  What needs several keys at once is checked here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/err.h"
#include "contract/read.h"

#define QUOTA_DEFAULT (UINT64_C(1) << 30)

/* ---- what needs several keys ---------------------------------------------------------------------------------- */

static void check_dates(struct reader *r, const struct ynode *root)
{
	struct contract *c = r->c;
	int64_t from, to;
	c->expires_at = INT64_MAX;
	if (c->expires.len == 0 || !date_parse(c->expires, &to))
		return;
	c->expires_at = (to + 1) * 86400;	/* the day itself still counts, to 24:00 UTC */
	if (c->signed_on.len && date_parse(c->signed_on, &from) && to < from)
		FAULT(r, ynode_get(root, "expires"), date_order, "the contract expires before it was signed");
}

/* Why this rule may not stand on that slot, to follow the slot's path; NULL: it may. */
static const char *slot_conflict(const struct rule *o, const struct slot *s, enum path_relation rel)
{
	switch (rel) {
	case PATH_APART:
		return NULL;
	case PATH_SAME:
		break;
	case PATH_ABOVE:
	case PATH_BELOW:
	case PATH_CLASH:
		return "is a place of the protocol, which this rule would take apart";
	}
	switch (s->role) {
	case SLOT_NAME:
		return o->action == ACT_KEEP ? NULL : "is the event's name: `events` chooses, and the only rule is keep";
	case SLOT_TOKEN:
		return o->action == ACT_DROP ? NULL : "is the source's token: it never leaves";
	case SLOT_ID:
		return o->action == ACT_DROP ? NULL : "is a linked identifier: `identity` decides about all of them";
	case SLOT_INSERT_ID:
		return o->on_hit_said ? "is the insert id: what is found in it makes it a pseudonym, whatever on_hit says" : NULL;
	case SLOT_TIME:
	case SLOT_KEEP:
		break;
	}
	return NULL;
}

static void check_slots(struct reader *r)
{
	const struct contract *c = r->c;
	bool *told = arena_alloc(r->a, c->fields_len + 1);	/* one complaint a rule */
	memset(told, 0, c->fields_len + 1);
	for (size_t s = 0; c->adapter && s < c->adapter->slots_len; s++) {
		const struct slot *slot = &c->adapter->slots[s];
		struct path p;
		struct path_fault f;
		if (slot->kind != OBJECT_EVENT)
			continue;
		must(path_parse(r->a, (struct span){slot->path, strlen(slot->path)}, &p, &f));
		for (size_t i = 0; i < c->fields_len; i++) {
			const char *why = slot_conflict(&c->fields[i], slot, path_relate(&c->fields[i].path, &p));
			if (!why || told[i])
				continue;
			FAULT(r, &c->fields[i], path_slot, "%s %s", slot->path, why);
			told[i] = true;
		}
	}
}

/* Event properties named in groups.keys are identifiers of kind account. */
static void check_group_slots(struct reader *r)
{
	const struct contract *c = r->c;
	const char *above = c->adapter ? c->adapter->splice_path[OBJECT_EVENT] : NULL;
	for (size_t g = 0; above && g < c->group_keys_len; g++) {
		for (size_t i = 0; i < c->fields_len; i++) {
			const struct path *p = &c->fields[i].path;
			size_t deep = *above ? 1 : 0;
			if (p->n <= deep || (deep && (!p->v[0].key.at || !span_eq(p->v[0].key, above))))
				continue;
			struct span k = p->v[deep].key;
			if (!k.at || k.len != c->group_keys[g].len || memcmp(k.at, c->group_keys[g].at, k.len) != 0)
				continue;
			if (p->n > deep + 1 || c->fields[i].action != ACT_DROP)
				FAULT(r, &c->fields[i], path_slot, "%s is a group's identifier (groups.keys): `identity` decides about it",
				      c->fields[i].path.text.at);
		}
	}
}

static void check_leaves(struct reader *r, const struct ynode *root)
{
	const struct contract *c = r->c;
	if (c->fields_len + c->profile_fields_len + c->group_fields_len > PLAN_LEAVES_MAX)
		FAULT(r, root, limit, "more than %d rules together", PLAN_LEAVES_MAX);
}

static void advise(struct reader *r, const struct ynode *root)
{
	const struct contract *c = r->c;
	if (!ynode_get(root, "sources"))
		WARN(r, root, advice, "no sources: `weir serve` refuses every event, because no token is known");
	const struct ynode *events = ynode_get(root, "events");
	if ((!events || (events->type == YN_LIST && !events->n)) && !c->profiles && !c->groups && !c->links)
		WARN(r, root, advice, "no events, profiles, groups or links: nothing will leave");
	const struct ynode *identity = ynode_get(root, "identity");
	if (identity && span_eq(identity->text, "keep"))
		WARN(r, identity, advice, "identity: keep sends your own identifiers to the vendor");
}

static struct contract *contract_new(void)
{
	struct contract *c = xcalloc(1, sizeof *c);
	arena_init(&c->arena, 0);
	struct span *texts[] = {&c->vendor, &c->name, &c->country, &c->role, &c->service, &c->upstream, &c->credential,
				&c->signed_on, &c->expires, &c->purpose, &c->basis, &c->breach_notice, &c->retention,
				&c->requires.standard, &c->requires.grade, &c->subject_kind};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		*texts[i] = SPAN("");
	c->quota_bytes = QUOTA_DEFAULT;
	c->requires.score = -1;
	c->identity = IDENTITY_PSEUDONYM;
	return c;
}

void contract_free(struct contract **c)
{
	if (*c)
		arena_release(&(*c)->arena);
	free(*c);
	*c = NULL;
}

static void read_file(struct reader *r, const struct ynode *root)
{
	if (root->type != YN_MAP) {
		FAULT(r, root, wrong_shape, "a contract is a map that starts with `weir: 1`");
		return;
	}
	struct contract *c = r->c;
	read_map(r, root, contract_sections[0]);
	if (c->upstream.len == 0 && c->adapter && c->adapter->upstream)
		c->upstream = (struct span){c->adapter->upstream, strlen(c->adapter->upstream)};
	check_dates(r, root);
	check_slots(r);
	check_group_slots(r);
	check_leaves(r, root);
	advise(r, root);
}

struct contract *contract_parse(const char *text, size_t n, struct diags *d)
{
	size_t before = d->errors;
	struct contract *c = contract_new();
	struct reader r = {c, &c->arena, d, .canonical = false};
	const struct ynode *root = yaml_tree(text, n, &c->arena, d);
	if (root)
		read_file(&r, root);
	diags_sort(d);
	if (d->errors > before)
		contract_free(&c);
	return c;
}

/* ---- canonical JSON, read back -------------------------------------------------------------------------------- */

static struct ynode *node_of(struct arena *a, const json_t *v)
{
	struct ynode *n = arena_alloc(a, sizeof *n), *last = NULL;
	*n = (struct ynode){.type = YN_SCALAR, .text = {"", 0}};
	char number[48];
	const char *text = number;
	if (json_is_object(v)) {
		const char *key;
		json_t *child;
		n->type = YN_MAP;
		json_object_foreach((json_t *)(uintptr_t)v, key, child) {
			struct ynode *k = arena_alloc(a, sizeof *k);
			*k = (struct ynode){.type = YN_SCALAR, .quoted = true, .text = {arena_strndup(a, key, strlen(key)), strlen(key)}};
			ynode_append(n, &last, k, node_of(a, child));
		}
		return n;
	}
	if (json_is_array(v)) {
		n->type = YN_LIST;
		for (size_t i = 0; i < json_array_size(v); i++)
			ynode_append(n, &last, NULL, node_of(a, json_array_get(v, i)));
		return n;
	}
	if (json_is_string(v)) {
		n->quoted = true;
		text = json_string_value(v);
	} else if (json_is_integer(v)) {
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
	} else if (json_is_real(v)) {
		canon_number(json_real_value(v), number);
	} else {
		text = json_is_null(v) ? "null" : json_is_true(v) ? "true" : "false";
	}
	n->text = (struct span){arena_strndup(a, text, strlen(text)), strlen(text)};
	return n;
}

struct contract *contract_from_json(const char *json, size_t n, struct err *err)
{
	json_error_t why;
	json_t *v = n > YAML_BYTES_MAX ? NULL : json_loadb(json, n, JSON_REJECT_DUPLICATES, &why);
	if (!v && n > YAML_BYTES_MAX)
		err_set(err, ERR_LIMIT, "contract: larger than %d bytes", YAML_BYTES_MAX);
	else if (!v)
		err_at(err, ERR_SYNTAX, (size_t)why.position, "contract: not JSON");
	if (!v)
		return NULL;
	struct contract *c = contract_new();
	struct diags d;
	diags_init(&d, "contract");
	struct reader r = {c, &c->arena, &d, .canonical = true};
	read_file(&r, node_of(&c->arena, v));
	json_decref(v);
	for (size_t i = 0; i < d.n && c; i++)
		if (d.v[i].level == DIAG_ERROR) {
			err_set(err, ERR_INPUT, "contract: %s [%s]", d.v[i].msg, d.v[i].code);
			contract_free(&c);
		}
	diags_release(&d);
	return c;
}
