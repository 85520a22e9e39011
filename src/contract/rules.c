/*
 * Rules: one action a field, its argument, its options.  The table below is the one list of actions; reader and
 * canonical form go through it.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/err.h"
#include "contract/read.h"

const char *const rule_options[] = {"max", "category", "detect", "query", "on_hit", NULL};
enum { OPT_MAX, OPT_CATEGORY, OPT_DETECT, OPT_QUERY, OPT_ON_HIT };

enum { ONEOF_MAX = 1000, MAX_MAX = 1 << 20, MASK_MAX = 64, DECIMALS_MAX = 15 };

/* ---- arguments: read ------------------------------------------------------------------------------------------ */

#define WRONG_ARG(r, v, ...) FAULT(r, v, bad_argument, __VA_ARGS__)

static void read_true(struct reader *r, const struct ynode *v, struct rule *o)
{
	if (v->type != YN_SCALAR || v->quoted || !span_eq(v->text, "true"))
		WRONG_ARG(r, v, "%s takes only `true`", action_names[o->action]);
}

static void read_const(struct reader *r, const struct ynode *v, struct rule *o)
{
	if (v->type != YN_SCALAR)
		WRONG_ARG(r, v, "const takes text, a number, true, false or null");
	else
		read_scalar(r, v, &o->constant);
}

static bool scalar_same(const struct scalar *a, const struct scalar *b)
{
	return a->json.len == b->json.len && memcmp(a->json.at, b->json.at, a->json.len) == 0;
}

static bool oneof_has(const struct rule *o, const struct scalar *s)
{
	for (size_t i = 0; i < o->oneof_len; i++)
		if (scalar_same(&o->oneof[i], s))
			return true;
	return false;
}

static void read_oneof(struct reader *r, const struct ynode *v, struct rule *o)
{
	if (v->type != YN_LIST || v->n == 0 || v->n > ONEOF_MAX) {
		WRONG_ARG(r, v, "oneof takes a list of 1 to %d values, such as [free, pro]", ONEOF_MAX);
		return;
	}
	o->oneof = arena_alloc(r->a, v->n * sizeof *o->oneof);
	for (const struct ynode *i = v->first; i; i = i->next) {
		struct scalar s;
		if (i->bad)
			continue;
		if (i->type != YN_SCALAR)
			WRONG_ARG(r, i, "oneof lists text, numbers, true, false or null");
		else if (!read_scalar(r, i, &s))
			continue;
		else if (oneof_has(o, &s))
			FAULT(r, i, duplicate_value, "%s stands twice in oneof", i->text.at);
		else
			o->oneof[o->oneof_len++] = s;
	}
}

/* A scalar argument that is one of a closed list; -1 when reported. */
static int arg_word(struct reader *r, const struct ynode *v, const char *action, const char *const *words, const char *shown)
{
	int i = v->type == YN_SCALAR ? word_index(v->text, words) : -1;
	if (i < 0) {
		WRONG_ARG(r, v, "%s takes %s", action, shown);
		if (v->type == YN_SCALAR)
			hint_nearest(r, v->text, words);
	}
	return i;
}

static void read_pseudonym(struct reader *r, const struct ynode *v, struct rule *o)
{
	const char *words[ID_KINDS + 1] = {0};
	memcpy(words, id_kind_names, ID_KINDS * sizeof *words);
	int k = arg_word(r, v, "pseudonym", words, "user, device, email, phone, account or other");
	o->kind = k < 0 ? ID_OTHER : (enum id_kind)k;
}

static void read_redact(struct reader *r, const struct ynode *v, struct rule *o)
{
	const char *names[DETECT_TYPES + 1] = {0};
	for (unsigned t = 0; t < DETECT_TYPES; t++)
		names[t] = detect_name((enum detect_type)t);
	if (v->type == YN_SCALAR && span_eq(v->text, "all")) {
		o->redact_types = DETECT_ALL;
		return;
	}
	if (v->type != YN_LIST || v->n == 0) {
		WRONG_ARG(r, v, "redact takes `all` or a list such as [email, phone]");
		return;
	}
	for (const struct ynode *i = v->first; i; i = i->next) {
		int t = i->type == YN_SCALAR ? word_index(i->text, names) : -1;
		if (i->bad)
			continue;
		if (t < 0) {
			WRONG_ARG(r, i, "no detector has this name");
			if (i->type == YN_SCALAR)
				hint_nearest(r, i->text, names);
		} else if (o->redact_types & DETECT_BIT(t)) {
			FAULT(r, i, duplicate_value, "%s stands twice in redact", names[t]);
		} else {
			o->redact_types |= DETECT_BIT(t);
		}
	}
}

static void read_mask(struct reader *r, const struct ynode *v, struct rule *o)
{
	int64_t n = 0;
	if (v->type != YN_SCALAR || v->quoted || !word_int(v->text, 0, MASK_MAX, &n))
		WRONG_ARG(r, v, "mask takes how many of the last characters stay, 0 to %d", MASK_MAX);
	o->mask_keep = (uint32_t)n;
}

static void read_truncate(struct reader *r, const struct ynode *v, struct rule *o)
{
	int u = arg_word(r, v, "truncate", trunc_names, "minute, hour, day or month");
	o->unit = u < 0 ? TRUNC_MONTH : (enum trunc_unit)u;
}

static void read_ip(struct reader *r, const struct ynode *v, struct rule *o)
{
	static const char *const words[] = {"/8", "/16", "/24", NULL};
	int i = arg_word(r, v, "ip", words, "/8, /16 or /24 (IPv6 always becomes /48)");
	o->ip4_bits = (uint8_t)(8 * (i + 1));
}

static const char *const url_names[] = {"origin", "origin+path", NULL};

static void read_url(struct reader *r, const struct ynode *v, struct rule *o)
{
	o->url_path = arg_word(r, v, "url", url_names, "origin or origin+path") == 1;
}

static void read_round(struct reader *r, const struct ynode *v, struct rule *o)
{
	int64_t n = 0;
	if (v->type != YN_SCALAR || v->quoted || !word_int(v->text, 0, DECIMALS_MAX, &n))
		WRONG_ARG(r, v, "round takes a number of decimals, 0 to %d", DECIMALS_MAX);
	o->decimals = (uint8_t)n;
}

static void read_bucket(struct reader *r, const struct ynode *v, struct rule *o)
{
	if (v->type != YN_LIST || v->n == 0 || v->n > ONEOF_MAX) {
		WRONG_ARG(r, v, "bucket takes a rising list of numbers, such as [1, 10, 100]");
		return;
	}
	o->bounds = arena_alloc(r->a, v->n * sizeof *o->bounds);
	o->bound_text = arena_alloc(r->a, v->n * sizeof *o->bound_text);
	for (const struct ynode *i = v->first; i; i = i->next) {
		struct scalar s;
		if (i->bad || (i->type == YN_SCALAR && !read_scalar(r, i, &s)))
			continue;
		if (i->type != YN_SCALAR || s.type != SCALAR_NUMBER) {
			WRONG_ARG(r, i, "bucket lists numbers");
			continue;
		}
		double b = strtod(s.json.at, NULL);
		if (o->bounds_len && b <= o->bounds[o->bounds_len - 1]) {
			WRONG_ARG(r, i, "the bounds of bucket must rise");
			continue;
		}
		o->bounds[o->bounds_len] = b;
		o->bound_text[o->bounds_len++] = s.json;
	}
}

/* ---- arguments: canonical form -------------------------------------------------------------------------------- */

static json_t *json_span(struct span s)
{
	return json_stringn_nocheck(s.at, s.len);
}

static json_t *json_scalar(const struct scalar *s)
{
	if (s->type == SCALAR_STRING)
		return json_span(s->text);
	return json_loadb(s->json.at, s->json.len, JSON_DECODE_ANY, NULL);
}

static json_t *arg_true(const struct rule *o)
{
	(void)o;
	return json_true();
}

static json_t *arg_const(const struct rule *o)
{
	return json_scalar(&o->constant);
}

static json_t *arg_oneof(const struct rule *o)
{
	json_t *l = json_array();
	for (size_t i = 0; i < o->oneof_len; i++)
		json_array_append_new(l, json_scalar(&o->oneof[i]));
	return l;
}

static json_t *arg_pseudonym(const struct rule *o)
{
	return json_string(id_kind_names[o->kind]);
}

static json_t *arg_redact(const struct rule *o)
{
	if (o->redact_types == DETECT_ALL)
		return json_string("all");
	json_t *l = json_array();
	for (unsigned t = 0; t < DETECT_TYPES; t++)
		if (o->redact_types & DETECT_BIT(t))
			json_array_append_new(l, json_string(detect_name((enum detect_type)t)));
	return l;
}

static json_t *arg_mask(const struct rule *o)
{
	return json_integer(o->mask_keep);
}

static json_t *arg_truncate(const struct rule *o)
{
	return json_string(trunc_names[o->unit]);
}

static json_t *arg_ip(const struct rule *o)
{
	return json_sprintf("/%u", o->ip4_bits);
}

static json_t *arg_url(const struct rule *o)
{
	return json_string(url_names[o->url_path]);
}

static json_t *arg_round(const struct rule *o)
{
	return json_integer(o->decimals);
}

static json_t *arg_bucket(const struct rule *o)
{
	json_t *l = json_array();
	for (size_t i = 0; i < o->bounds_len; i++)
		json_array_append_new(l, json_loadb(o->bound_text[i].at, o->bound_text[i].len, JSON_DECODE_ANY, NULL));
	return l;
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

static const struct action_row {
	void (*read)(struct reader *r, const struct ynode *v, struct rule *o);
	json_t *(*json)(const struct rule *o);
	const char *example;	/* of the argument */
	bool max, detect;	/* which options mean something */
} actions[ACTIONS] = {
	[ACT_KEEP] = {read_true, arg_true, "true", true, true},
	[ACT_DROP] = {read_true, arg_true, "true", false, false},
	[ACT_CONST] = {read_const, arg_const, "web", false, false},
	[ACT_ONEOF] = {read_oneof, arg_oneof, "[free, pro]", false, false},
	[ACT_PSEUDONYM] = {read_pseudonym, arg_pseudonym, "user", false, false},
	[ACT_REDACT] = {read_redact, arg_redact, "all", true, true},
	[ACT_MASK] = {read_mask, arg_mask, "4", true, true},
	[ACT_TRUNCATE] = {read_truncate, arg_truncate, "hour", false, false},
	[ACT_IP] = {read_ip, arg_ip, "/24", false, true},
	[ACT_URL] = {read_url, arg_url, "origin+path", true, true},
	[ACT_ROUND] = {read_round, arg_round, "1", false, true},
	[ACT_BUCKET] = {read_bucket, arg_bucket, "[1, 10, 100]", false, false},
	[ACT_DOMAIN] = {read_true, arg_true, "true", true, true},
};

static int action_index(struct span s)
{
	for (int i = 0; i < ACTIONS; i++)
		if (span_eq(s, action_names[i]))
			return i;
	return -1;
}

static void hint_action(struct reader *r, struct span word, bool options)
{
	const char *words[ACTIONS + sizeof rule_options / sizeof *rule_options] = {0};
	size_t n = 0;
	for (int i = 0; i < ACTIONS; i++)
		words[n++] = action_names[i];
	for (size_t i = 0; options && rule_options[i]; i++)
		words[n++] = rule_options[i];
	hint_nearest(r, word, words);
}

/* ---- options -------------------------------------------------------------------------------------------------- */

static void read_max(struct reader *r, const struct ynode *v, struct rule *o)
{
	if (!actions[o->action].max)
		FAULT(r, v->key, useless_option, "max means nothing with %s", action_names[o->action]);
	else
		read_int(r, v, "max", 1, MAX_MAX, &o->max);
}

static void read_category(struct reader *r, const struct ynode *v, struct rule *o)
{
	if (!expect_scalar(r, v, "category"))
		return;
	size_t ok = strspn(v->text.at, "abcdefghijklmnopqrstuvwxyz0123456789_.");
	if (ok != v->text.len || ok == 0 || ok > 100) {
		FAULT(r, v, bad_value, "a category is a Fideslang key such as user.contact.email");
		return;
	}
	o->category = v->text;
	if (word_index(v->text, contract_categories) < 0) {
		WARN(r, v, unknown_category, "Fideslang has no category %s", v->text.at);
		hint_nearest(r, v->text, contract_categories);
	}
}

static void read_detect(struct reader *r, const struct ynode *v, struct rule *o)
{
	int i = v->type == YN_SCALAR ? word_index(v->text, flag_words) : -1;
	if (!actions[o->action].detect)
		FAULT(r, v->key, useless_option, "detect means nothing with %s", action_names[o->action]);
	else if (i < 0)
		FAULT(r, v, bad_value, "detect is on, off or names");
	else
		o->detect_off = i == 1, o->detect_names = i == 2;
}

static bool check_query(struct reader *r, const struct ynode *v)
{
	if (v->text.len && v->text.len <= 256)
		return true;
	FAULT(r, v, bad_value, "a query key is 1 to 256 bytes long");
	return false;
}

static void read_query(struct reader *r, const struct ynode *v, struct rule *o)
{
	if (o->action != ACT_URL || !o->url_path)
		FAULT(r, v->key, useless_option, "query goes with url: origin+path only");
	else
		read_texts(r, v, "query", check_query, &o->query, &o->query_len);
}

static void read_hit(struct reader *r, const struct ynode *v, struct rule *o)
{
	if (!actions[o->action].detect)
		FAULT(r, v->key, useless_option, "on_hit means nothing with %s", action_names[o->action]);
	else if (o->action == ACT_REDACT)
		FAULT(r, v->key, useless_option, "redact says what becomes of a hit");
	else
		o->on_hit_said = read_on_hit(r, v, &o->on_hit) && !on_hit_same(o->on_hit, r->c->on_hit);
}

static void (*const option_read[])(struct reader *r, const struct ynode *v, struct rule *o) = {
	[OPT_MAX] = read_max, [OPT_CATEGORY] = read_category, [OPT_DETECT] = read_detect, [OPT_QUERY] = read_query,
	[OPT_ON_HIT] = read_hit};

/* ---- a rule --------------------------------------------------------------------------------------------------- */

/* `keep` or `drop` without braces. */
static void read_short(struct reader *r, const struct ynode *v, struct rule *o)
{
	int i = action_index(v->text);
	if (i == ACT_KEEP || i == ACT_DROP) {
		o->action = (enum action)i;
	} else if (i >= 0) {
		FAULT(r, v, bad_argument, "%s needs an argument", action_names[i]);
		diags_hint(r->d, "write {%s: %s}", action_names[i], actions[i].example);
	} else {
		FAULT(r, v, unknown_action, "%s isn't an action", v->text.len ? v->text.at : "nothing");
		hint_action(r, v->text, false);
	}
}

static const struct ynode *find_action(struct reader *r, const struct ynode *v, bool *misspelt)
{
	const struct ynode *found = NULL;
	for (const struct ynode *m = v->first; m; m = m->next) {
		if (m->bad)
			continue;
		if (action_index(m->key->text) < 0) {
			if (word_index(m->key->text, rule_options) < 0) {
				FAULT(r, m->key, unknown_action, "%s is neither an action nor an option", m->key->text.at);
				hint_action(r, m->key->text, true);
				*misspelt = true;
			}
		} else if (found) {
			FAULT(r, m->key, many_actions, "a field has exactly one action, and %s stands here already",
			      found->key->text.at);
		} else {
			found = m;
		}
	}
	return found;
}

static void read_rule(struct reader *r, const struct ynode *v, struct rule *o)
{
	o->max = -1;
	if (v->type == YN_SCALAR) {
		read_short(r, v, o);
		return;
	}
	if (v->type != YN_MAP) {
		FAULT(r, v, wrong_shape, "a rule is an action such as keep, or a map such as {truncate: hour}");
		return;
	}
	bool misspelt = false;
	const struct ynode *act = find_action(r, v, &misspelt);
	if (!act) {
		if (!misspelt)
			FAULT(r, v, no_action, "no action here: keep, drop, const, oneof, pseudonym, ...");
		return;
	}
	o->action = (enum action)action_index(act->key->text);
	actions[o->action].read(r, act, o);
	for (const struct ynode *m = v->first; m; m = m->next) {
		int i = m->bad ? -1 : word_index(m->key->text, rule_options);
		if (i >= 0)
			option_read[i](r, m, o);
	}
	const struct ynode *hit = ynode_get(v, "on_hit");
	if (hit && o->detect_off)
		FAULT(r, hit->key, useless_option, "on_hit means nothing where detect is off");
}

/* ---- a map of rules ------------------------------------------------------------------------------------------- */

bool read_path(struct reader *r, const struct ynode *at, struct path *out)
{
	struct path_fault f = {0};
	if (path_parse(r->a, at->text, out, &f))
		return true;
	/* Text without quotes on one line is as long in the file as here: point into it. */
	struct ynode here = *at;
	if (!at->quoted && at->col)
		for (size_t i = 0; i < f.off; i++)
			here.col += ((uint8_t)at->text.at[i] & 0xc0) != 0x80;
	if (f.wildcard)
		FAULT(r, &here, path_wildcard, "a path names one place: there is no * over fields");
	else
		FAULT(r, &here, bad_path, "not a path: %s", f.why);
	if (f.wildcard)
		diags_hint(r->d, "a key that holds a * is written [\"*\"]");
	return false;
}

static int by_path(const void *a, const void *b)
{
	const struct rule *x = a, *y = b;
	int c = canon_compare(x->path.text, y->path.text);
	return c ? c : x->line != y->line ? (x->line < y->line ? -1 : 1) : x->col < y->col ? -1 : x->col > y->col;
}

static void check_conflicts(struct reader *r, const struct rule *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			enum path_relation rel = i == j ? PATH_APART : path_relate(&v[j].path, &v[i].path);
			if (rel == PATH_SAME && j < i)
				FAULT(r, &v[i], path_conflict, "line %u has a rule for the same place, %s", v[j].line,
				      v[j].path.text.at);
			else if (rel == PATH_ABOVE)
				FAULT(r, &v[i], path_conflict, "line %u has a rule for %s, which contains this place",
				      v[j].line, v[j].path.text.at);
			else if (rel == PATH_CLASH && j < i)
				FAULT(r, &v[i], path_conflict, "%s on line %u takes for an object what this takes for an array, or the other way round",
				      v[j].path.text.at, v[j].line);
			else
				continue;
			break;	/* one complaint a rule */
		}
	}
}

void read_rules(struct reader *r, const struct ynode *map, struct rule **out, size_t *n)
{
	if (!expect_map(r, map, "fields"))
		return;
	if (map->n > PLAN_LEAVES_MAX) {
		FAULT(r, map, limit, "more than %d rules", PLAN_LEAVES_MAX);
		return;
	}
	struct rule *v = arena_alloc(r->a, (map->n + 1) * sizeof *v);
	size_t k = 0;
	for (const struct ynode *m = map->first; m; m = m->next) {
		if (m->bad)
			continue;
		v[k] = (struct rule){.line = m->key->line, .col = m->key->col};
		bool good = read_path(r, m->key, &v[k].path);
		read_rule(r, m, &v[k]);
		k += good;
	}
	qsort(v, k, sizeof *v, by_path);
	check_conflicts(r, v, k);
	*out = v;
	*n = k;
}

/* ---- out ------------------------------------------------------------------------------------------------------ */

static json_t *json_spans(const struct span *v, size_t n)
{
	json_t *l = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(l, json_span(v[i]));
	return l;
}

json_t *rule_json(const struct rule *o)
{
	bool brief = o->action == ACT_KEEP || o->action == ACT_DROP;
	if (brief && o->max < 0 && !o->detect_off && !o->detect_names && !o->on_hit_said && o->category.len == 0)
		return json_string(action_names[o->action]);
	json_t *m = json_object();
	json_object_set_new(m, action_names[o->action], actions[o->action].json(o));
	if (o->query_len)
		json_object_set_new(m, "query", json_spans(o->query, o->query_len));
	if (o->max >= 0)
		json_object_set_new(m, "max", json_integer(o->max));
	if (o->detect_off)
		json_object_set_new(m, "detect", json_string("off"));
	else if (o->detect_names)
		json_object_set_new(m, "detect", json_string("names"));
	if (o->on_hit_said)
		json_object_set_new(m, "on_hit", on_hit_json(o->on_hit));
	if (o->category.len)
		json_object_set_new(m, "category", json_span(o->category));
	return m;
}
