/* What a plan lets out, place by place, in words and categories: `weir contract show --effective`, the ledger. */
#include <stdlib.h>
#include <string.h>

#include "contract/compile.h"

int leaf_add(struct compiler *c, struct plan_leaf leaf, struct act *act)
{
	struct plan *p = c->p;
	if (p->leaves_len == PLAN_LEAVES_MAX) {
		c->full = true;
		return -1;
	}
	if (!p->leaves) {
		p->leaves = plan_take(p, PLAN_LEAVES_MAX * sizeof *p->leaves);
		p->leaf_acts = plan_take(p, PLAN_LEAVES_MAX * sizeof *p->leaf_acts);
	}
	p->leaves[p->leaves_len] = leaf;
	p->leaf_acts[p->leaves_len] = act;
	return (int)p->leaves_len++;
}

static void describe_list(struct buf *b, const struct span *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%s%.*s", i ? ", " : "[", (int)v[i].len, v[i].at);
	buf_adds(b, n ? "]" : "[]");
}

static void describe_argument(struct buf *b, const struct rule *r)
{
	static const char *const units[] = {"minute", "hour", "day", "month"};
	switch (r->action) {
	case ACT_KEEP:
	case ACT_DROP:
	case ACT_DOMAIN:
	case ACTIONS:
		break;
	case ACT_CONST:
		buf_addf(b, ": %.*s", (int)r->constant.json.len, r->constant.json.at);
		break;
	case ACT_ONEOF:
		buf_adds(b, ": [");
		for (size_t i = 0; i < r->oneof_len; i++)
			buf_addf(b, "%s%.*s", i ? ", " : "", (int)r->oneof[i].json.len, r->oneof[i].json.at);
		buf_addc(b, ']');
		break;
	case ACT_PSEUDONYM:
		buf_addf(b, ": %s", id_kind_names[r->kind]);
		break;
	case ACT_REDACT:
		buf_adds(b, ": ");
		if (r->redact_types == DETECT_ALL)
			buf_adds(b, "all");
		for (unsigned t = 0, n = 0; r->redact_types != DETECT_ALL && t < DETECT_TYPES; t++)
			if (r->redact_types >> t & 1)
				buf_addf(b, "%s%s", n++ ? ", " : "", detect_name((enum detect_type)t));
		break;
	case ACT_MASK:
		buf_addf(b, ": %u", r->mask_keep);
		break;
	case ACT_TRUNCATE:
		buf_addf(b, ": %s", units[r->unit]);
		break;
	case ACT_IP:
		buf_addf(b, ": /%u", r->ip4_bits);
		break;
	case ACT_URL:
		buf_adds(b, r->url_path ? ": origin+path" : ": origin");
		if (r->query_len) {
			buf_adds(b, ", query: ");
			describe_list(b, r->query, r->query_len);
		}
		break;
	case ACT_ROUND:
		buf_addf(b, ": %u", r->decimals);
		break;
	case ACT_BUCKET:
		buf_adds(b, ": ");
		describe_list(b, r->bound_text, r->bounds_len);
		break;
	}
}

static struct span describe(struct plan *p, const struct act *a)
{
	struct buf b;
	buf_init(&b, 0);
	if (a->slot && a->role == SLOT_ID && !a->rule) {
		buf_addf(&b, "identity: %s", identity_names[a->identity]);
	} else {
		buf_adds(&b, action_names[a->action]);
		if (a->rule) {
			describe_argument(&b, a->rule);
			if (a->rule->max >= 0)
				buf_addf(&b, ", max: %lld", (long long)a->rule->max);
			if (a->rule->detect_off)
				buf_adds(&b, ", detect: off");
			else if (a->rule->detect_names)
				buf_adds(&b, ", detect: names");
		}
	}
	struct span s = plan_text(p, (struct span){(const char *)b.data, b.len});
	buf_release(&b);
	return s;
}

static struct span hit_of(struct plan *p, const struct act *a)
{
	struct buf b;
	if (!a->detect)
		return (struct span)SPAN("");
	buf_init(&b, 0);
	on_hit_text(a->on_hit, &b);
	struct span s = plan_text(p, (struct span){(const char *)b.data, b.len});
	buf_release(&b);
	return s;
}

static struct span category_of(struct plan *p, const struct act *a)
{
	struct buf b;
	buf_init(&b, 0);
	category_left(a, &b);
	struct span s = plan_text(p, (struct span){b.data ? (const char *)b.data : "", b.len});
	buf_release(&b);
	return s;
}

static bool act_leaves(const struct act *a)
{
	if (a->action == ACT_DROP || (a->slot && a->role == SLOT_TOKEN))
		return false;
	return !(a->slot && a->role == SLOT_ID && !a->rule && a->identity == IDENTITY_DROP);
}

void leaf_for(struct compiler *c, struct node *n, enum object_kind kind, struct span path)
{
	struct act *a = n->act;
	if (!a || a->leaf >= 0 || !act_leaves(a))
		return;
	a->leaf = leaf_add(c, (struct plan_leaf){.kind = kind,
						 .path = plan_text(c->p, path),
						 .what = describe(c->p, a),
						 .category = category_of(c->p, a),
						 .on_hit = hit_of(c->p, a),
						 .from_adapter = a->slot && !a->rule},
			   a);
	n->kept = true;
}
