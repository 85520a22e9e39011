/*
 * Model -> plan: one trie of keys per kind of object.
 *
 * Slots of the adapter come first, then the contract's rules; a rule on a slot takes its place (never that of a token; on
 * an identifier only `drop` does).  Everything the plan needs is copied: the model may be freed afterwards.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "contract/compile.h"
#include "detect/fields.h"

const char *const flow_names[4] = {"open", "restricted", "suspended", "quarantined"};

/* ---- acts ----------------------------------------------------------------------------------------------------- */

static uint64_t detect_of(const struct rule *r)
{
	uint64_t more = r->detect_off ? 0 : DETECT_ALL | (r->detect_names ? DETECT_BIT(DETECT_NAME) : 0);
	switch (r->action) {
	case ACT_REDACT:
		return r->redact_types | more;
	case ACT_IP:
		return more & ~(DETECT_BIT(DETECT_IPV4) | DETECT_BIT(DETECT_IPV6));	/* a shortened address is what was asked for */
	case ACT_KEEP:
	case ACT_MASK:
	case ACT_URL:
	case ACT_DOMAIN:
	case ACT_ROUND:
		return more;
	case ACT_DROP:
	case ACT_CONST:
	case ACT_ONEOF:
	case ACT_PSEUDONYM:
	case ACT_TRUNCATE:
	case ACT_BUCKET:
	case ACTIONS:
		return 0;	/* the contract's own text, keyed, or a number without detail */
	}
	return more;
}

static struct act *act_new(struct compiler *c, struct node *n)
{
	if (!n->act) {
		n->act = plan_take(c->p, sizeof *n->act);
		n->act->leaf = -1;
		n->act->max = -1;
	}
	return n->act;
}

static void slot_add(struct compiler *c, struct node *n, const struct slot *s, unsigned rank)
{
	struct act *a = act_new(c, n);
	a->action = ACT_KEEP;
	a->slot = s;
	a->role = s->role;
	a->id = s->id;
	a->identity = c->identity;
	a->rank = rank;
	a->on_hit = s->role == SLOT_INSERT_ID ? (struct on_hit){HIT_REDACT, 0} : c->c->on_hit;
	a->on_hit_own = false;
	a->detect = s->role == SLOT_TIME || s->role == SLOT_ID ? 0 : DETECT_ALL;
	a->max = -1;
	a->rule = NULL;
}

/* Is one of the words that the contract's own detectors ask for in this name? */
static bool own_word(const struct contract *c, struct span name)
{
	for (size_t i = 0; i < c->own_len; i++)
		for (size_t k = 0; k < c->own[i].words_len; k++) {
			struct span word = c->own[i].words[k];
			for (size_t at = 0; at + word.len <= name.len; at++)
				if (strncasecmp(name.at + at, word.at, word.len) == 0)
					return true;
		}
	return false;
}

/* What the name of the place says to the weak detectors: a telephone number needs no word in its text there. */
static struct span context_of(struct compiler *c, const struct path *path)
{
	const char *word = detect_field_word(detect_field(path->text.at, path->text.len, 0));
	struct span key = {0};
	for (size_t i = 0; i < path->n; i++)
		key = path->v[i].key.at ? path->v[i].key : key;
	if (!word && own_word(c->c, key))
		word = "";
	if (!word || key.len > CONTEXT_MAX)
		return (struct span){0};
	struct buf b;
	buf_init(&b, 0);
	buf_add(&b, key.at, key.len);
	buf_addf(&b, "%s%s: ", *word ? " " : "", word);
	struct span s = plan_text(c->p, (struct span){(const char *)b.data, b.len});
	buf_release(&b);
	return s;
}

static void rule_add(struct compiler *c, struct node *n, const struct rule *r)
{
	struct act *a = act_new(c, n);
	if (a->slot && (a->role == SLOT_TOKEN || (a->role == SLOT_ID && r->action != ACT_DROP)))
		return;
	a->rule = plan_rule(c->p, r);
	a->action = r->action;
	a->max = r->max;
	a->detect = detect_of(r);
	a->context = context_of(c, &r->path);
	a->on_hit_own = r->on_hit_said;
	if (r->action == ACT_REDACT || (a->slot && a->role == SLOT_INSERT_ID))	/* these say themselves what happens */
		a->on_hit = (struct on_hit){HIT_REDACT, 0};
	else
		a->on_hit = r->on_hit_said ? r->on_hit : c->c->on_hit;
}

static void rules_add(struct compiler *c, struct node *root, const struct rule *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rule_add(c, trie_at(c->p, root, &v[i].path), &v[i]);
}

static void rule_leaves(struct compiler *c, enum object_kind kind, struct node *root, const struct rule *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		leaf_for(c, trie_at(c->p, root, &v[i].path), kind, v[i].path.text);
}

static void slots_add(struct compiler *c, enum object_kind kind)
{
	const struct adapter *ad = c->p->adapter;
	for (size_t i = 0; i < ad->slots_len; i++)
		if (ad->slots[i].kind == kind)
			slot_add(c, trie_at_slot(c->p, c->p->root[kind], ad->slots[i].path), &ad->slots[i], (unsigned)i);
}

static void slot_leaves(struct compiler *c, enum object_kind kind)
{
	const struct adapter *ad = c->p->adapter;
	for (size_t i = 0; i < ad->slots_len; i++) {
		const char *path = ad->slots[i].path;
		if (ad->slots[i].kind == kind)
			leaf_for(c, trie_at_slot(c->p, c->p->root[kind], path), kind, (struct span){path, strlen(path)});
	}
}

/* An event property named in groups.keys holds the identifier of an account, or a list of them (design section 4). */
static const struct slot group_slot = {OBJECT_EVENT, NULL, .role = SLOT_ID, .id = ID_ACCOUNT, .category = "user.account"};

static void group_properties(struct compiler *c, bool leaves)
{
	struct plan *p = c->p;
	const char *under = p->adapter->splice_path[OBJECT_EVENT];
	for (size_t i = 0; i < c->c->group_keys_len; i++) {
		struct span key = c->c->group_keys[i];
		struct node *n = trie_kid(p, trie_at_slot(p, p->root[OBJECT_EVENT], under ? under : ""), key);
		struct node *both[] = {n, trie_element(p, n)};
		for (int k = 0; k < 2; k++) {
			struct buf b;
			if (!leaves) {
				if (!(both[k]->act && both[k]->act->action == ACT_DROP) && !(both[k]->act && both[k]->act->slot))
					slot_add(c, both[k], &group_slot, UINT_MAX - 1);
				continue;
			}
			buf_init(&b, 0);
			buf_addf(&b, "%s%s%.*s%s", under ? under : "", under && *under ? "." : "", (int)key.len, key.at,
				 k ? "[]" : "");
			leaf_for(c, both[k], OBJECT_EVENT, (struct span){(const char *)b.data, b.len});
			buf_release(&b);
		}
	}
}

/* ---- what the gate adds ----------------------------------------------------------------------------------------- */

static void mark_made(struct node *root, const char *path, bool splice)
{
	struct node *n = root;
	while (*path) {
		size_t len = strcspn(path, ".[");
		struct node *next = NULL;
		for (size_t i = 0; i < n->kids_len; i++)
			if (n->kids[i]->name.len == len && memcmp(n->kids[i]->name.at, path, len) == 0)
				next = n->kids[i];
		if (!next || path[len] == '[')
			return;
		n = next;
		n->made = true;
		path += len + (path[len] == '.');
	}
	n->splice |= splice;
}

static void made(struct compiler *c, enum object_kind kind)
{
	const struct adapter *ad = c->p->adapter;
	for (size_t i = 0; i < ad->slots_len && (kind == OBJECT_EVENT || kind == OBJECT_LINK); i++) {
		const struct slot *s = &ad->slots[i];
		if (s->kind != kind || (s->role != SLOT_INSERT_ID && s->role != SLOT_TIME))
			continue;
		if (trie_at_slot(c->p, c->p->root[kind], s->path)->act->action != ACT_DROP)
			mark_made(c->p->root[kind], s->path, false);
	}
	if (ad->splice_path[kind]) {
		struct node *n = trie_at_slot(c->p, c->p->root[kind], ad->splice_path[kind]);
		n->kept = true;
		mark_made(c->p->root[kind], ad->splice_path[kind], true);
	}
}

/* ---- restricted --------------------------------------------------------------------------------------------------- */

static void prune(struct node *n)
{
	if (n->act && !(n->act->slot && (n->act->role == SLOT_TOKEN || n->act->role == SLOT_NAME)))
		n->act->action = ACT_DROP;
	for (size_t i = 0; i < n->kids_len; i++)
		prune(n->kids[i]);
	if (n->element)
		prune(n->element);
}

/* ---- kinds ------------------------------------------------------------------------------------------------------ */

static bool listed(const struct span *v, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(v[i], word))
			return true;
	return false;
}

/* Every operation that holds fields shares one subtree. */
static void operations_add(struct compiler *c, enum object_kind kind, struct node *fields, const struct span *ops, size_t ops_len,
			   bool all)
{
	struct plan *p = c->p;
	for (size_t i = 0; i < p->adapter->operations_len; i++) {
		const struct operation *o = &p->adapter->operations[i];
		if (!all && !listed(ops, ops_len, o->word))
			continue;
		struct node *n = trie_kid(p, p->root[kind], (struct span){o->key, strlen(o->key)});
		n->operation = true;
		n->names = o->shape == OP_NAMES;
		n->flag = o->shape == OP_FLAG;
		n->kept = true;
		if (o->shape == OP_FIELDS) {
			n->kids = fields->kids;
			n->kids_len = n->kids_cap = fields->kids_len;
			continue;
		}
		struct act *a = act_new(c, n->names ? trie_element(p, n) : n);
		a->leaf = leaf_add(c, (struct plan_leaf){.kind = kind,
							 .path = plan_text(p, (struct span){o->key, strlen(o->key)}),
							 .what = n->names ? SPAN("names of fields") : SPAN("flag"),
							 .category = SPAN(""),
							 .on_hit = SPAN(""),
							 .from_adapter = true},
				   NULL);
	}
}

static void compile_event(struct compiler *c)
{
	struct plan *p = c->p;
	struct node *root = p->root[OBJECT_EVENT];
	slots_add(c, OBJECT_EVENT);
	rules_add(c, root, c->c->fields, c->c->fields_len);
	group_properties(c, false);
	for (size_t i = 0; i < c->c->attributes_len; i++) {
		const struct attribute *a = &c->c->attributes[i];
		trie_at(p, root, &a->path)->attribute = span_eq(a->name, "jurisdiction") ? ATTR_JURISDICTION
							: span_eq(a->name, "minor")	 ? ATTR_MINOR
											 : ATTR_BUSINESS;
	}
	for (size_t i = 0; c->restricted && i < c->c->restricted_drop_len; i++)
		prune(trie_at(p, root, &c->c->restricted_drop[i]));
	slot_leaves(c, OBJECT_EVENT);
	rule_leaves(c, OBJECT_EVENT, root, c->c->fields, c->c->fields_len);
	group_properties(c, true);
}

static void compile_update(struct compiler *c, enum object_kind kind, const struct rule *rules, size_t n)
{
	struct plan *p = c->p;
	bool group = kind == OBJECT_GROUP;
	struct node *fields = trie_node(p);
	slots_add(c, kind);
	rules_add(c, fields, rules, n);
	slot_leaves(c, kind);
	rule_leaves(c, kind, fields, rules, n);
	if (group)
		p->group_fields = fields;
	else
		p->profile_fields = fields;
	operations_add(c, kind, fields, p->profile_ops, p->profile_ops_len, group);
	trie_finish(p, fields);
}

static void compile_kinds(struct compiler *c)
{
	struct plan *p = c->p;
	for (int k = 0; k < OBJECT_KINDS; k++)
		p->root[k] = trie_node(p);
	compile_event(c);
	if (p->profiles)
		compile_update(c, OBJECT_PROFILE, c->c->profile_fields, c->c->profile_fields_len);
	else
		slots_add(c, OBJECT_PROFILE);	/* for the token: the source must be known to answer it */
	if (p->groups)
		compile_update(c, OBJECT_GROUP, c->c->group_fields, c->c->group_fields_len);
	else
		slots_add(c, OBJECT_GROUP);
	slots_add(c, OBJECT_LINK);
	if (p->links)
		slot_leaves(c, OBJECT_LINK);
	for (int k = 0; k < OBJECT_KINDS; k++) {
		made(c, (enum object_kind)k);
		trie_finish(p, p->root[k]);
	}
}

static int id_kind_of(struct span s)
{
	for (int i = 0; i < ID_KINDS; i++)
		if (span_eq(s, id_kind_names[i]))
			return i;
	return -1;
}

static void copy_own(struct plan *p, const struct contract *c)
{
	p->own_rows = plan_take(p, c->own_len * sizeof *p->own_rows);
	p->own_len = c->own_len;
	for (size_t i = 0; i < c->own_len; i++) {
		const struct own_row *row = &c->own[i];
		p->own_rows[i] = (struct own_row){plan_text(p, row->name), plan_text(p, row->pattern), plan_text(p, row->check),
						  plan_texts(p, row->words, row->words_len), row->words_len};
	}
}

int plan_arm(struct plan *p, struct err *err)
{
	if (p->own_len && !p->own)
		p->own = own_rules(p->own_rows, p->own_len, err);
	return p->own_len && !p->own ? -1 : 0;
}

size_t plan_own(const struct plan *p, const struct own_row **rows)
{
	*rows = p->own_rows;
	return p->own_len;
}

const struct detect_rules *plan_own_rules(const struct plan *p)
{
	return p->own;
}

bool plan_arm_like(struct plan *p, const struct plan *armed)
{
	bool same = p->own_len && !p->own && armed->own && armed->own_len == p->own_len;
	for (size_t i = 0; same && i < p->own_len; i++) {
		struct span a = p->own_rows[i].name, b = armed->own_rows[i].name;
		same = own_row_same(&p->own_rows[i], &armed->own_rows[i]) && a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
	}
	if (same)
		p->own = detect_rules_ref(armed->own);
	return same;
}

int plan_compile(const struct contract *c, enum flow flow, struct plan **out, struct err *err)
{
	if (flow != FLOW_OPEN && flow != FLOW_RESTRICTED)
		return err_set(err, ERR_DENIED, "contract %.*s: nothing passes in this state", (int)c->vendor.len, c->vendor.at);
	if (flow == FLOW_RESTRICTED && !c->restricted)
		return err_set(err, ERR_DENIED, "contract %.*s has no `restricted` block: nothing passes", (int)c->vendor.len,
			       c->vendor.at);
	if (!contract_detectors_whole(c))
		return err_set(err, ERR_INPUT, "contract %.*s names detectors that weren't read", (int)c->vendor.len, c->vendor.at);
	struct plan *p = xcalloc(1, sizeof *p);
	struct compiler cc = {.p = p, .c = c, .err = err, .restricted = flow == FLOW_RESTRICTED, .identity = c->identity};
	if (cc.restricted && c->restricted_identity > cc.identity)
		cc.identity = c->restricted_identity;
	arena_init(&p->arena, 0);
	p->adapter = c->adapter;
	p->identity = cc.identity;
	p->profiles = c->profiles;
	p->groups = c->groups;
	p->links = c->links;
	p->subject_kind = c->subject_kind.len ? id_kind_of(c->subject_kind) : -1;
	p->profile_ops = plan_texts(p, c->profile_ops, c->profile_ops_len);
	p->profile_ops_len = c->profile_ops_len;
	p->group_keys = plan_texts(p, c->group_keys, c->group_keys_len);
	p->group_keys_len = c->group_keys_len;
	p->events = plan_take(p, c->events_len * sizeof *p->events);
	p->events_len = c->events_len;
	for (size_t i = 0; i < c->events_len; i++)
		p->events[i] = (struct event_match){plan_text(p, c->events[i].text), c->events[i].prefix};
	copy_own(p, c);
	compile_kinds(&cc);
	if (cc.full) {
		plan_free(&p);
		return err_set(err, ERR_LIMIT, "contract %.*s names more than %d places", (int)c->vendor.len, c->vendor.at,
			       PLAN_LEAVES_MAX);
	}
	*out = p;
	return 0;
}

void plan_free(struct plan **p)
{
	if (!*p)
		return;
	detect_rules_free(&(*p)->own);
	arena_release(&(*p)->arena);
	free(*p);
	*p = NULL;
}

size_t plan_leaves(const struct plan *p, const struct plan_leaf **out)
{
	*out = p->leaves;
	return p->leaves_len;
}
