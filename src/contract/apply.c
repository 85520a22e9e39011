/*
 * The walk: the structure of each object is read once; where the plan's trie has a node, the bytes are copied or changed;
 * where it has none they are checked and passed over.  Everything is written as it is met and taken back (the length of
 * the output set to where it was) when a value, or in the end the whole object, turns out not to be allowed.
 *
 * An event whose name makes it a link is read again from its brace with the link's trie: the name may stand last.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/hook.h"
#include "contract/program.h"

#ifdef APPLY_BROKEN	/* the positive control of I1_default_deny compiles this file again, with the hook on */
#define hook_broken(i) ((i) == 1)
#define plan_apply plan_apply_broken
int plan_apply_broken(const struct plan *p, struct apply_env *env, enum object_kind kind, const char *json, size_t n, bool ndjson,
		      struct apply_out *out, struct err *err);
#endif

static bool visit(struct walk *w, const struct node *n, uint32_t off, uint32_t depth, uint32_t *end, bool *kept);

static bool fail(struct walk *w, uint32_t off, const char *why)
{
	return json_fail(w->s, ERR_SYNTAX, off, off >= w->s->n ? "the text ends too early" : why);
}

/* ---- what the gate adds ------------------------------------------------------------------------------------------- */

static void make(struct walk *w, const struct node *n, bool *first);

static void make_kids(struct walk *w, const struct node *n, bool *first, uint64_t visit_no)
{
	for (size_t i = 0; i < n->makes_len; i++)
		if (w->sc->done[n->makes[i]->id] != visit_no)
			make(w, n->makes[i], first);
}

static void make_leaf(struct walk *w, const struct node *n, bool *kept)
{
	char text[32 + 1 + JSON_PAD] = {0};	/* room for readers that look ahead */
	struct value v = {.at = text, .transient = true};
	if (n->act->role == SLOT_TIME) {
		v.type = '0';
		v.len = (uint32_t)snprintf(text, 32, "%lld", (long long)w->env->received_s);
	} else {
		uint8_t mac[32], index[4];
		put_u32(index, w->index);
		pseudo_mac(w->env->vendor, w->env->request_no, sizeof w->env->request_no, index, sizeof index, mac);
		v.type = '"';
		text[0] = '"';
		v.at = text + 1;
		v.len = (uint32_t)base32_encode(mac, 15, text + 1);
		text[1 + v.len] = '"';
	}
	bool explaining = w->explaining;
	w->explaining = false;
	scalar_value(w, n, &v, kept);
	w->explaining = explaining;
}

static void make(struct walk *w, const struct node *n, bool *first)
{
	size_t mark = w->b->len;
	bool kept = true;
	if (!*first)
		putc_raw(w->b, ',');
	put(w->b, n->key.at, n->key.len);
	if (n->act) {
		make_leaf(w, n, &kept);
	} else {
		bool none = true;
		putc_raw(w->b, '{');
		if (n->splice)
			w->a->splice = (uint32_t)(w->b->len - w->a->at);
		make_kids(w, n, &none, UINT64_MAX);
		putc_raw(w->b, '}');
	}
	w->made += kept && n->act;
	if (kept)
		*first = false;
	else
		w->b->len = mark;
}

/* ---- containers ----------------------------------------------------------------------------------------------------- */

/* A value that has no place in the plan. */
static bool unnamed(struct walk *w, uint32_t off, uint32_t depth, uint32_t *end)
{
	if (__builtin_expect(w->explaining, 0))
		return explain_unnamed(w, off, depth, end);
	if (w->s->text[off] == '"') {
		uint32_t close;
		bool escaped;
		if (!json_string(w->s, &close, &escaped))
			return false;
		*end = close + 1;
		return true;
	}
	return json_skip(w->s, off, depth, end);
}

/* Read past a value at a node where its type can't stand. */
static bool refused(struct walk *w, const struct node *n, uint32_t off, uint32_t depth, uint32_t *end)
{
	if (!json_skip(w->s, off, depth, end))
		return false;
	found_none(w);
	if (w->explaining)
		explain_result(w, n->act, n->act && n->act->action == ACT_DROP ? R_RULE : !n->act && !n->kept ? R_RULE : R_TYPE);
	return true;
}

/* A key met twice decides what leaves, or who is named: such an object is dropped.  An explicit drop doesn't mind. */
static void key_seen(struct walk *w, const struct node *n, uint64_t visit_no)
{
	bool minds = n->kept || n->attribute != ATTR_NONE || (n->act && n->act->slot);
	if (w->sc->seen[n->id] == visit_no && minds && w->drop == DROP_NONE)
		w->drop = DROP_DUPLICATE_KEY;
	w->sc->seen[n->id] = visit_no;
}

static const struct node *lookup(struct walk *w, const struct node *n, const char *key, uint32_t len, bool escaped)
{
	if (!escaped)
		return node_child(n, key, len);
	struct value v = {.type = '"', .escaped = true, .at = key, .len = len};
	struct span text;
	return value_text(w, &v, true, &text) ? node_child(n, text.at, (uint32_t)text.len) : NULL;
}

/* A member whose key is named; key: with quotes. */
static bool member(struct walk *w, const struct node *n, struct span key, uint32_t off, uint32_t depth, uint32_t *end, bool *first)
{
	size_t mark = w->b->len;
	bool kept = false;
	if (!*first)
		putc_raw(w->b, ',');
	put(w->b, key.at, key.len);
	putc_raw(w->b, ':');
	if (!visit(w, n, off, depth, end, &kept))
		return false;
	if (kept)
		*first = false;
	else
		w->b->len = mark;
	w->boxes += kept && !n->act;
	w->operation_seen |= kept && n->operation;
	return true;
}

/* The member of an unnamed key: nothing of it is written (but by the broken build that proves the test). */
static bool stranger(struct walk *w, struct span key, uint32_t off, uint32_t depth, uint32_t *end, bool *first)
{
	if (!unnamed(w, off, depth, end))
		return false;
	if (hook_broken(1)) {
		if (!*first)
			putc_raw(w->b, ',');
		put(w->b, key.at, key.len);
		putc_raw(w->b, ':');
		put(w->b, w->s->text + off, *end - off);
		*first = false;
	}
	return true;
}

/* One key: its text, and where its value starts. */
struct key_at {
	uint32_t open, close, value;
	bool escaped;
};

static bool read_key(struct walk *w, struct key_at *k)
{
	w->s->keys++;
	if (!json_string(w->s, &k->close, &k->escaped))
		return false;
	uint32_t colon = json_next(w->s);
	if (w->s->text[colon] != ':')
		return fail(w, colon, "a colon belongs here");
	k->value = json_next(w->s);
	return true;
}

static bool walk_key(struct walk *w, const struct node *n, const struct key_at *key, uint64_t visit_no, uint32_t depth,
		     uint32_t *end, bool *first)
{
	const char *const t = w->s->text;
	const struct span quoted = {t + key->open, key->close + 1 - key->open};
	const struct node *k = lookup(w, n, quoted.at + 1, (uint32_t)quoted.len - 2, key->escaped);
	if (__builtin_expect(w->explaining, 0))
		explain_push_key(w, (struct span){quoted.at + 1, quoted.len - 2}, key->escaped);
	if (!k)
		return stranger(w, quoted, key->value, depth, end, first);
	size_t before = w->b->len;
	key_seen(w, k, visit_no);
	if (!member(w, k, quoted, key->value, depth, end, first))
		return false;
	if (w->b->len > before)
		w->sc->done[k->id] = visit_no;
	return true;
}

/* `"key":value` of a bare keep, in one copy when nothing stands between. */
static void plain_member(struct walk *w, const struct node *k, const char *key, const char *close, const char *value,
			 const char *end, bool first)
{
	struct buf *b = w->b;
	size_t most = (size_t)(end - key) + 128;
	if (b->len + most > b->cap && !buf_reserve(b, most))
		return;
	if (!first)
		b->data[b->len++] = ',';
	if (__builtin_expect(value == close + 2, 1)) {
		put(b, key, (size_t)(end - key));
	} else {
		put(b, key, (size_t)(close + 1 - key));
		putc_raw(b, ':');
		put(b, value, (size_t)(end - value));
	}
	leaf_left(w, k->act->leaf);
}

/* A named member, its value a scalar from value to end, a string without escapes.  False: read the object again as a link. */
static bool easy_member(struct walk *w, const struct node *k, const char *key, const char *close, const char *value,
			const char *end, uint64_t visit_no, bool *first)
{
	const size_t quotes = *value == '"', len = (size_t)(end - value), mark = w->b->len;
	bool kept = true;
	w->sc->seen[k->id] = visit_no;
	if (k->plain && (!quotes || len - 2 <= k->plain_max) && (!w->env->detect || keep_clean(w, k->act, value, (uint32_t)len))) {
		plain_member(w, k, key, close, value, end, *first);
	} else {
		const char c = *value;
		const struct value v = {.type = quotes || c == 't' || c == 'f' || c == 'n' ? c : '0',
					.at = value + quotes, .len = (uint32_t)(len - 2 * quotes)};
		if (!*first)
			putc_raw(w->b, ',');
		put(w->b, key, (size_t)(close + 1 - key));
		putc_raw(w->b, ':');
		if (!scalar_value(w, k, &v, &kept))
			return false;
	}
	if (!kept) {
		w->b->len = mark;
		return true;
	}
	*first = false;
	w->sc->done[k->id] = visit_no;
	w->operation_seen |= k->operation;
	return true;
}

/*
 * The ordinary members of an object: a key of plain ASCII whose value is such a string, a number or a literal, or is
 * dropped whatever it is.  *open is the quote of the first key.  Stops at the quote of the first member that is anything
 * else (*open; pos is behind it) and at the closing brace.
 */
static bool easy_members(struct walk *w, const struct node *n, uint64_t visit_no, uint32_t depth, uint32_t *open, bool *first)
{
	struct json_scan *const s = w->s;
	const char *const t = s->text;
	const char *key = t + *open, *p;
	uint32_t end;
	for (;;) {
		const char *close = json_find(s, key + 1);
		if (*close != '"')
			break;
		p = json_space(close + 1);
		if (*p != ':')
			break;
		const char *value = json_space(p + 1);
		const struct node *k = node_child(n, key + 1, (uint32_t)(close - key - 1));
		const bool box = *value == '{' || *value == '[';
		if (k && (box || k->flag || w->sc->seen[k->id] == visit_no))
			break;
		if (*value == '"') {
			p = json_find_far(s, value + 1);
			if (*p++ != '"')
				break;
		} else {
			s->pos = (uint32_t)(value - t) + 1;
			if (!(box ? json_skip(s, (uint32_t)(value - t), depth, &end) : json_scalar(s, (uint32_t)(value - t), &end)))
				return false;
			p = t + end;
		}
		s->keys++;
		if (k && !easy_member(w, k, key, close, value, p, visit_no, first))
			return false;
		p = json_space(p);
		key = p;
		if (*p != ',')
			goto out;
		key = json_space(p + 1);
		if (*key != '"')
			return fail(w, (uint32_t)(key - t), "a key belongs here");
	}
out:
	*open = (uint32_t)(key - t);
	s->pos = *open + 1;
	return true;
}

static bool walk_object(struct walk *w, const struct node *n, uint32_t depth, uint32_t *end)
{
	const char *const t = w->s->text;
	const uint64_t visit_no = ++w->sc->gen;
	const size_t path = w->sc->path.len;
	struct key_at key;
	bool first = true;
	putc_raw(w->b, '{');
	if (n->splice)
		w->a->splice = (uint32_t)(w->b->len - w->a->at);
	uint32_t e = json_next(w->s);
	if (t[e] != '}' && t[e] != '"')
		return fail(w, e, "a key belongs here");
	while (t[e] != '}') {
		if (!w->explaining && !hook_broken(1) && !easy_members(w, n, visit_no, depth, &e, &first))
			return false;
		if (t[e] == '}')
			break;
		if (t[e] != '"')
			return fail(w, e, "a comma or } belongs here");
		key.open = e;
		if (!read_key(w, &key) || !walk_key(w, n, &key, visit_no, depth, end, &first))
			return false;
		w->sc->path.len = path;
		e = json_next(w->s);
		if (t[e] == '}')
			break;
		if (t[e] != ',')
			return fail(w, e, "a comma or } belongs here");
		e = json_next(w->s);
		if (t[e] != '"')
			return fail(w, e, "a key belongs here");
	}
	*end = e + 1;
	if (w->env->mint)
		make_kids(w, n, &first, visit_no);
	putc_raw(w->b, '}');
	return true;
}

/* A name in the list of an OP_NAMES operation: kept when the contract names such a field. */
static bool field_name(struct walk *w, const struct node *n, uint32_t off, uint32_t depth, uint32_t *end, bool *kept)
{
	const struct node *fields = w->kind == OBJECT_GROUP ? w->plan->group_fields : w->plan->profile_fields;
	struct value v;
	if (w->s->text[off] != '"')
		return refused(w, n, off, depth, end);
	if (!scalar_read(w, off, &v, end))
		return false;
	const struct node *field = lookup(w, fields, v.at, v.len, v.escaped);
	*kept = field && field->kept;
	if (*kept) {
		put(w->b, v.at - 1, v.len + 2);
		leaf_left(w, n->act->leaf);
	}
	found_none(w);
	if (w->explaining)
		explain_result(w, n->act, *kept ? R_KEPT : R_RULE);
	return true;
}

static bool walk_array(struct walk *w, const struct node *n, uint32_t depth, uint32_t *end)
{
	const char *const t = w->s->text;
	const size_t path = w->sc->path.len;
	bool first = true;
	putc_raw(w->b, '[');
	uint32_t off = json_next(w->s);
	while (t[off] != ']') {
		size_t mark = w->b->len;
		bool kept = false;
		if (!first)
			putc_raw(w->b, ',');
		if (__builtin_expect(w->explaining, 0))
			explain_push_element(w);
		bool ok = n->names ? field_name(w, n->element, off, depth, end, &kept)
				   : visit(w, n->element, off, depth, end, &kept);
		if (!ok)
			return false;
		w->sc->path.len = path;
		if (kept)
			first = false;
		else
			w->b->len = mark;
		off = json_next(w->s);
		if (t[off] == ']')
			break;
		if (t[off] != ',')
			return fail(w, off, "a comma or ] belongs here");
		off = json_next(w->s);
		if (t[off] == ']')
			return fail(w, off, "not a JSON value (RFC 8259 section 3)");
	}
	*end = off + 1;
	putc_raw(w->b, ']');
	return true;
}

/* "$delete": the protocol ignores what stands there, and SDKs put the person's identifier there. */
static bool visit_flag(struct walk *w, const struct node *n, uint32_t off, uint32_t depth, uint32_t *end, bool *kept)
{
	if (!json_skip(w->s, off, depth, end))
		return false;
	buf_add(w->b, "\"\"", 2);
	leaf_left(w, n->act->leaf);
	*kept = true;
	found_none(w);
	if (w->explaining)
		explain_result(w, n->act, *end - off == 2 ? R_KEPT : R_CHANGED);
	return true;
}

/* A rule that puts the contract's own text there whatever came. */
static bool visit_const(struct walk *w, const struct node *n, uint32_t off, uint32_t depth, uint32_t *end, bool *kept)
{
	struct value v = {.type = '{'};
	return json_skip(w->s, off, depth, end) && scalar_value(w, n, &v, kept);
}

static bool visit(struct walk *w, const struct node *n, uint32_t off, uint32_t depth, uint32_t *end, bool *kept)
{
	const char c = w->s->text[off];
	struct value v;
	if (n->flag)
		return visit_flag(w, n, off, depth, end, kept);
	if (c != '{' && c != '[')
		return scalar_read(w, off, &v, end) && scalar_value(w, n, &v, kept);
	if (n->act && n->act->action == ACT_CONST)
		return visit_const(w, n, off, depth, end, kept);
	if ((c == '{' ? !n->kids_len : !n->element) || (n->act && n->act->action == ACT_DROP && n->act->rule))
		return refused(w, n, off, depth, end);
	if (depth + 1 > w->s->depth_max)
		return json_fail(w->s, ERR_LIMIT, off, "nested too deep");
	*kept = n->kept;	/* on the way to an attribute only: nothing of it stays */
	return c == '{' ? walk_object(w, n, depth + 1, end) : walk_array(w, n, depth + 1, end);
}

/* ---- an object of the request --------------------------------------------------------------------------------------- */

static enum drop_reason denied(const struct walk *w)
{
	switch (w->kind) {
	case OBJECT_EVENT:
		return w->name_ok ? DROP_NONE : DROP_EVENT;
	case OBJECT_LINK:
		return w->plan->links && (w->name_ok || !w->plan->adapter->links_len) ? DROP_NONE : DROP_LINK;
	case OBJECT_PROFILE:
		return w->plan->profiles && w->operation_seen ? DROP_NONE : DROP_OPERATION;
	case OBJECT_GROUP:
		return w->plan->groups && w->operation_seen && w->name_ok ? DROP_NONE : DROP_OPERATION;
	case OBJECT_KINDS:
		break;
	}
	return DROP_EVENT;
}

static void subject_make(struct walk *w)
{
	if (w->subject_rank != UINT_MAX &&
	    !pseudo_subject(w->env->subject, id_kind_names[w->subject_kind], w->subject.at, w->subject.len, w->a->subject))
		memset(w->a->subject, 0, sizeof w->a->subject);
}

static struct applied *applied_next(struct apply_out *o)
{
	if (o->n == o->cap) {
		o->cap = o->cap ? 2 * o->cap : 256;
		o->v = xrealloc(o->v, o->cap * sizeof *o->v);
	}
	return &o->v[o->n++];
}

static void object_begin(struct walk *w, enum object_kind kind, uint32_t off)
{
	w->kind = kind;
	w->drop = DROP_NONE;
	w->stop = HIT_REDACT;
	w->name_ok = w->link = w->operation_seen = false;
	w->name = (struct span){0};
	w->boxes = w->made = 0;
	w->subject_rank = UINT_MAX;
	w->sc->notes_len = 0;
	w->sc->members_n = 0;
	w->sc->path.len = 0;
	*w->a = (struct applied){.kind = kind, .at = (uint32_t)w->b->len, .src = off, .splice = SPLICE_NONE, .token = {"", 0}};
}

static bool object_read(struct walk *w, enum object_kind kind, uint32_t off, uint32_t depth, uint32_t *end)
{
	uint32_t keys = w->s->keys;
	object_begin(w, kind, off);
	if (w->s->text[off] != '{') {
		w->drop = DROP_TYPE_MISMATCH;
		return json_skip(w->s, off, depth, end);
	}
	if (depth + 1 > w->s->depth_max)
		return json_fail(w->s, ERR_LIMIT, off, "nested too deep");
	if (walk_object(w, w->plan->root[kind], depth + 1, end))
		return true;
	if (!w->link || w->s->code)
		return false;
	w->s->keys = keys;
	w->b->len = w->a->at;
	w->s->pos = off + 1;	/* behind the brace */
	object_begin(w, OBJECT_LINK, off);
	return walk_object(w, w->plan->root[OBJECT_LINK], depth + 1, end);
}

/* Members that came, without containers, the token (it has its own way) and what left. */
static uint32_t held_back(const struct walk *w)
{
	uint32_t came = w->s->keys + w->made, went = w->boxes + (w->a->token.len != 0);
	for (size_t i = 0; i < (w->plan->leaves_len + 63) / 64; i++)
		went += (uint32_t)__builtin_popcountll(w->a->leaves[i]);
	return came > went ? came - went : 0;
}

static bool object(struct walk *w, enum object_kind kind, uint32_t off, uint32_t depth, uint32_t *end)
{
	const struct apply_limits *l = &w->env->limits;
	uint32_t keys_max = l->keys ? l->keys : 10000, bytes_max = l->object_bytes ? l->object_bytes : 1 << 20;
	if (w->out->n == (l->objects ? l->objects : 20000))
		return json_fail(w->s, ERR_LIMIT, off, "too many objects in one request");
	w->index = (uint32_t)w->out->n;
	w->a = applied_next(w->out);
	w->s->keys = 0;
	if (!object_read(w, kind, off, depth, end))
		return false;
	if (w->s->keys > keys_max)
		return json_fail(w->s, ERR_LIMIT, off, "too many members in one object");
	if (w->drop == DROP_NONE)
		w->drop = denied(w);
	if (*end - off > bytes_max)
		w->drop = DROP_LIMIT;
	if (__builtin_expect(w->stop >= HIT_DROP_EVENT, 0) && w->drop == DROP_NONE)
		w->drop = DROP_DETECTOR;
	w->a->dropped = w->drop;
	if (w->drop == DROP_NONE)
		w->a->held = held_back(w);
	else
		w->a->held = w->s->keys;
	if (w->drop != DROP_NONE) {
		w->b->len = w->a->at;
		w->a->splice = SPLICE_NONE;
		w->a->time_s = 0;
		memset(w->a->leaves, 0, sizeof w->a->leaves);
		memset(w->a->attributes, 0, sizeof w->a->attributes);
	} else {
		subject_make(w);
		if (w->kind == OBJECT_LINK)
			link_make(w);
	}
	w->a->len = (uint32_t)(w->b->len - w->a->at);
	if (w->drop == DROP_NONE)
		putc_raw(w->b, '\n');
	if (w->explaining)
		explain_flush(w);
	return w->drop != DROP_DETECTOR || w->stop != HIT_REFUSE || json_fail(w->s, ERR_DENIED, off, "refused by the contract");
}

/* One object, or an array of them. */
static bool batch(struct walk *w, enum object_kind kind, uint32_t off, uint32_t *end)
{
	const char *const t = w->s->text;
	if (t[off] != '[')
		return object(w, kind, off, 0, end);
	off = json_next(w->s);
	while (t[off] != ']') {
		if (!object(w, kind, off, 1, end))
			return false;
		off = json_next(w->s);
		if (t[off] == ']')
			break;
		if (t[off] != ',')
			return fail(w, off, "a comma or ] belongs here");
		off = json_next(w->s);
		if (t[off] == ']')
			return fail(w, off, "not a JSON value (RFC 8259 section 3)");
	}
	*end = off + 1;
	return true;
}

static bool lines(struct walk *w, enum object_kind kind)
{
	const char *const t = w->s->text;
	uint32_t end = 0;
	bool any = false;
	for (uint32_t off; (off = json_next(w->s)) < w->s->n; any = true) {
		if (any && !memchr(t + end, '\n', off - end))
			return fail(w, off, "text behind the value");
		if (!batch(w, kind, off, &end))
			return false;
	}
	return json_end(w->s);
}

/* Which place, and a hit's kind: what the contract or the catalogue say, never what stood there. */
static int refused_by_contract(const struct walk *w, struct err *err)
{
	const int leaf = w->stopped_by->leaf;
	const struct span path = leaf >= 0 ? w->plan->leaves[leaf].path : (struct span)SPAN("a place of the protocol");
	return err_at(err, ERR_DENIED, w->s->fail_at, "%s in %.*s: the contract refuses the request", w->stop_name, (int)path.len, path.at);
}

/* ---- a request ------------------------------------------------------------------------------------------------------- */

int plan_apply(const struct plan *p, struct apply_env *env, enum object_kind kind, const char *json, size_t n, bool ndjson,
	       struct apply_out *out, struct err *err)
{
	struct scratch *sc = out->scratch;
	struct walk w = {.plan = p, .env = env, .out = out, .sc = sc, .s = &sc->scan, .b = &out->bytes,
			 .explaining = env->explain != NULL, .quiet = !env->explain && !env->detect};
	uint32_t end, depth = env->limits.depth ? env->limits.depth : 64;
	if (n >= UINT32_MAX - JSON_PAD)
		return err_set(err, ERR_LIMIT, "longer than 4 GiB");
	if (json[n] != 0)
		return err_set(err, ERR_BUG, "no zero byte behind the text");
	if (p->own)
		apply_out_own(out, p->own);
	else if (p->own_len && env->detect)
		return err_set(err, ERR_BUG, "the contract's own detectors aren't ready");
	scratch_fit(sc, p->nodes);
	sc->request++;
	json_scan_init(&sc->scan, json, n, depth);
	bool ok = ndjson ? lines(&w, kind) : batch(&w, kind, json_next(&sc->scan), &end) && json_end(&sc->scan);
	if (out->bytes.data && out->bytes.len < out->bytes.cap)
		out->bytes.data[out->bytes.len] = 0;
	if (!ok)
		return sc->scan.code == ERR_DENIED ? refused_by_contract(&w, err) : json_scan_err(&sc->scan, err);
	if (out->bytes.over || out->arena.over)
		return err_set(err, ERR_LIMIT, "what is left is larger than %zu bytes", out->bytes.max);
	return 0;
}
