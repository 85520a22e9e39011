/* Vendors, their plans and their source tokens, as the keeper and the supervisor hand them over. */
#include <stdlib.h>

#include "base/hook.h"
#include "base/clock.h"
#include "base/say.h"
#include "gate/inside.h"

/* ---- parts ---------------------------------------------------------------------------------------------------- */

static void plan_unref(struct plan_part *p)
{
	if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	plan_free(&p->plan);
	plan_file_release(&p->file);
	free(p->masks);
	free(p->own);
	free(p);
}

static void tokens_unref(struct token_part *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	for (size_t i = 0; i < t->n; i++)
		explicit_bzero((char *)(uintptr_t)t->v[i].token.at, t->v[i].token.len);
	free(t);
}

static struct vendor *find(struct gate *g, struct span name)
{
	for (size_t i = 0; i < g->vendors_len; i++) {
		struct vendor *v = g->vendors[i];
		if (v->name_len == name.len && memcmp(v->name, name.at, name.len) == 0)
			return v;
	}
	return NULL;
}

static bool name_ok(const char *s)
{
	size_t n = strlen(s);
	return n >= 1 && n <= VENDOR_NAME_MAX && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

struct vendor *gate_vendor_get(struct gate *g, const char *name)
{
	if (!name || !name_ok(name))
		return NULL;
	pthread_mutex_lock(&g->lock);
	struct vendor *v = find(g, (struct span){name, strlen(name)});
	if (!v) {
		v = xcalloc(1, sizeof(*v));
		v->name_len = strlen(name);
		memcpy(v->name, name, v->name_len + 1);
		v->hash = shared_vendor_hash(name);
		v->index = (unsigned)g->vendors_len;
		g->vendors = xrealloc(g->vendors, (g->vendors_len + 1) * sizeof(*g->vendors));
		g->vendors[g->vendors_len++] = v;
	}
	pthread_mutex_unlock(&g->lock);
	return v;
}

bool gate_view_take(struct gate *g, struct span name, struct view *out)
{
	pthread_mutex_lock(&g->lock);
	struct vendor *v = find(g, name);
	if (v) {
		*out = (struct view){v, v->adapter, v->plan, v->tokens};
		if (out->plan)
			atomic_fetch_add_explicit(&out->plan->refs, 1, memory_order_relaxed);
		if (out->tokens)
			atomic_fetch_add_explicit(&out->tokens->refs, 1, memory_order_relaxed);
	}
	pthread_mutex_unlock(&g->lock);
	return v != NULL;
}

void gate_view_release(struct view *v)
{
	plan_unref(v->plan);
	tokens_unref(v->tokens);
	v->plan = NULL;
	v->tokens = NULL;
}

static void put_plan(struct gate *g, struct vendor *v, struct plan_part *p)
{
	pthread_mutex_lock(&g->lock);
	struct plan_part *old = v->plan;
	v->plan = p;
	if (p)
		v->adapter = p->file.contract->adapter;
	pthread_mutex_unlock(&g->lock);
	plan_unref(old);
}

/* ---- flow counts ---------------------------------------------------------------------------------------------- */

/* The place of a name in a list that only grows; the last place takes what no longer fits.  Under gate.lock. */
static unsigned name_place(char (*names)[FLOW_NAME_MAX + 1], unsigned max, _Atomic unsigned *len, struct span name)
{
	unsigned n = atomic_load(len);
	if (name.len > FLOW_NAME_MAX)
		name.len = FLOW_NAME_MAX;
	for (unsigned i = 0; i < n; i++)
		if (strlen(names[i]) == name.len && memcmp(names[i], name.at, name.len) == 0)
			return i;
	if (n == max)
		return max - 1;
	if (n == max - 1)
		name = SPAN("other");
	for (size_t i = 0; i < name.len; i++)	/* a label's value: no quote, no backslash, no control */
		names[n][i] = name.at[i] == '"' || name.at[i] == '\\' || (unsigned char)name.at[i] < ' ' ? '_' : name.at[i];
	atomic_store(len, n + 1);
	return n;
}

static void mask_add(struct plan_part *p, unsigned category, size_t leaf)
{
	struct flow_mask *m = p->masks;
	while (m < p->masks + p->masks_len && m->category != category)
		m++;
	if (m == p->masks + p->masks_len)
		*m = (struct flow_mask){.category = category}, p->masks_len++;
	m->leaves[leaf / 64] |= 1ull << (leaf % 64);
}

static void make_masks(struct gate *g, struct vendor *v, struct plan_part *p)
{
	const struct plan_leaf *leaves;
	size_t n = plan_leaves(p->plan, &leaves);
	p->masks = xcalloc(FLOW_CATEGORIES, sizeof(*p->masks));
	pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < n; i++) {
		struct span name = leaves[i].category.len ? leaves[i].category : SPAN("uncategorised");
		mask_add(p, name_place(v->flow.categories, FLOW_CATEGORIES, &v->flow.categories_len, name), i);
	}
	pthread_mutex_unlock(&g->lock);
}

/* Past OWN_COUNTS names, what else there is counts as `custom`. */
static struct own_count *own_count_of(struct vendor *v, struct span name)
{
	struct own_count *c = v->own;
	if (v->own_len + 1 >= OWN_COUNTS)
		name = SPAN("custom");
	while (c && !span_eq(name, c->name))
		c = c->next;
	if (c)
		return c;
	c = xcalloc(1, sizeof(*c));
	memcpy(c->name, name.at, name.len < DETECT_RULE_NAME_MAX ? name.len : DETECT_RULE_NAME_MAX);
	c->next = v->own;
	v->own = c;
	v->own_len++;
	return c;
}

static void make_own_counts(struct vendor *v, struct plan_part *p)
{
	const struct own_row *rows;
	size_t n = plan_own(p->plan, &rows);
	p->own = xcalloc(n + 1, sizeof(*p->own));
	for (size_t i = 0; i < n; i++)
		p->own[i] = own_count_of(v, rows[i].name);
}

/* ---- plans ---------------------------------------------------------------------------------------------------- */

static enum closed closed_by(const struct plan_file *f)
{
	if (!f->approved)
		return CLOSED_NOT_APPROVED;
	switch (f->flow) {
	case FLOW_OPEN:
	case FLOW_RESTRICTED:
		return PASSES;
	case FLOW_SUSPENDED:
		return CLOSED_SUSPENDED;
	case FLOW_QUARANTINED:
		return CLOSED_QUARANTINED;
	}
	return CLOSED_NO_PLAN;
}

/* Making a thousand detectors ready takes a second: once for all plans that have them. */
static void share_detectors(const struct gate *g, struct plan *p)
{
	for (size_t i = 0; i < g->vendors_len; i++) {
		const struct plan_part *with = g->vendors[i]->plan;	/* this thread changes them */
		if (with && with->plan && plan_arm_like(p, with->plan))
			return;
	}
}

/* A plan that is signed and can't be compiled closes its vendor; a restriction without a `restricted` block rejects. */
static int compile(const struct gate *g, struct plan_part *p, struct err *err)
{
	p->closed = closed_by(&p->file);
	if (p->closed != PASSES)
		return 0;
	if (plan_compile(p->file.contract, p->file.flow, &p->plan, err) == 0) {
		share_detectors(g, p->plan);
		const struct plan_leaf *leaves;
		p->leaf_bytes = (uint16_t)((plan_leaves(p->plan, &leaves) + 7) / 8);
		return 0;
	}
	if (p->file.flow == FLOW_RESTRICTED && err->code == ERR_DENIED) {
		p->closed = CLOSED_RESTRICTED;
		return 0;
	}
	return -1;
}

static int read_plan(struct gate *g, struct vendor *v, json_t *body, struct plan_part *p, struct err *err)
{
	const char *hex = json_string_value(json_object_get(body, "sha256"));
	json_int_t serial = json_integer_value(json_object_get(body, "serial"));
	uint8_t expect[32];
	if (!hex || !hex_decode(hex, strlen(hex), expect, sizeof(expect)))
		return err_set(err, ERR_NOTFOUND, "no plan");
	if (plan_file_read(g->io, g->plan_dir, v->name, g->plan_public, hook_broken(4) ? NULL : expect, &p->file, err) != 0)
		return -1;
	if (p->file.serial != (uint64_t)serial && !hook_broken(4))
		return err_set(err, ERR_CORRUPT, "the plan has another serial than announced");
	if (v->plan && p->file.serial < v->plan->file.serial)
		return err_set(err, ERR_CONFLICT, "the plan is older than the one in force");
	if (compile(g, p, err) != 0)
		return -1;
	return 0;
}

/* ---- from announced to obeyed ----------------------------------------------------------------------------------- */

/* A plan on its way.  While its detectors are made it is the worker's; before and afterwards the main thread's. */
struct arriving {
	uv_work_t work;
	struct gate *g;
	struct vendor *v;
	struct plan_part *p;
	uint64_t announced;
	json_t *answer;
	gate_plan_done *done;
	struct err err;
	bool refused;
};

static void obey(struct arriving *a)
{
	struct plan_part *p = a->p;
	uint64_t serial = p->file.serial;
	const char *flow = flow_names[p->file.flow];
	if (p->plan) {
		make_masks(a->g, a->v, p);
		make_own_counts(a->v, p);
	}
	a->p = NULL;
	put_plan(a->g, a->v, p);
	say(SAY_INFO, "plan-obeyed", "vendor", S(a->v->name), "serial", I(serial), "flow", S(flow), NULL);
}

static void arrived(struct arriving *a)
{
	if (a->announced != a->v->announced) {	/* what came since holds, were it that the vendor is closed */
		a->refused = true;
		err_set(&a->err, ERR_CONFLICT, "another plan was announced before its detectors were ready");
	} else if (a->refused) {
		put_plan(a->g, a->v, NULL);	/* fail closed: not even the old one */
		say(SAY_ERROR, "plan-refused", "vendor", S(a->v->name), "why", S(a->err.msg), NULL);
	} else {
		obey(a);
	}
	plan_unref(a->p);
	a->done(a->g, a->answer, a->refused ? &a->err : NULL);
	free(a);
}

/* Not the detectors that were approved: closed. */
static void arm(uv_work_t *work)
{
	struct arriving *a = work->data;
	a->refused = plan_arm(a->p->plan, &a->err) != 0;
}

static void armed(uv_work_t *work, int status)
{
	(void)status;	/* nobody cancels it */
	arrived(work->data);
}

static bool waits_for_detectors(const struct plan_part *p)
{
	const struct own_row *rows;
	return p->plan && plan_own(p->plan, &rows) && !plan_own_rules(p->plan);
}

void gate_plan_load(struct gate *g, json_t *body, json_t *answer, gate_plan_done *done)
{
	struct arriving *a = xcalloc(1, sizeof(*a));
	*a = (struct arriving){.g = g, .v = gate_vendor_get(g, json_string_value(json_object_get(body, "vendor"))), .answer = answer, .done = done};
	a->work.data = a;
	if (!a->v) {
		err_set(&a->err, ERR_INPUT, "no vendor's name");
		done(g, answer, &a->err);
		free(a);
		return;
	}
	a->announced = ++a->v->announced;
	a->p = xcalloc(1, sizeof(*a->p));
	atomic_init(&a->p->refs, 1);
	a->refused = read_plan(g, a->v, body, a->p, &a->err) != 0;
	if (!a->refused && waits_for_detectors(a->p)) {
		if (g->ready && uv_queue_work(&g->main, &a->work, arm, armed) == 0)
			return;
		arm(&a->work);	/* nobody is served yet */
	}
	arrived(a);
}

bool gate_plan_passes(const struct view *v, int64_t now_s, enum outcome *outcome, enum count *why)
{
	static const struct {
		enum outcome outcome;
		enum count why;
	} rows[] = {
		[CLOSED_NO_PLAN] = {OUTCOME_RETRY, COUNT_NO_PLAN},
		[CLOSED_NOT_APPROVED] = {OUTCOME_REJECTED, COUNT_NOT_APPROVED},
		[CLOSED_SUSPENDED] = {OUTCOME_REJECTED, COUNT_SUSPENDED},
		[CLOSED_QUARANTINED] = {OUTCOME_REJECTED, COUNT_QUARANTINED},
		[CLOSED_RESTRICTED] = {OUTCOME_REJECTED, COUNT_RESTRICTED},
	};
	enum closed c = v->plan ? v->plan->closed : CLOSED_NO_PLAN;
	if (c != PASSES) {
		*outcome = rows[c].outcome;
		*why = rows[c].why;
		return false;
	}
	if (now_s >= v->plan->file.not_after) {
		*outcome = OUTCOME_REJECTED;
		*why = COUNT_EXPIRED;
		return false;
	}
	if (!v->tokens) {	/* a reference that didn't resolve keeps its vendor closed */
		*outcome = OUTCOME_RETRY;
		*why = COUNT_NO_PLAN;
		return false;
	}
	return true;
}

const char *gate_vendor_does(const struct gate *g, struct vendor *v, int64_t now_s)
{
	const struct view now = {v, v->adapter, v->plan, v->tokens};	/* these change on this thread only */
	enum outcome outcome;
	enum count why;
	if (!gate_plan_passes(&now, now_s, &outcome, &why))
		return gate_count_reason(why);
	return courier_mark_is_full(g->courier, v->hash) ? gate_count_reason(COUNT_QUOTA) : "passes";
}

/* ---- source tokens -------------------------------------------------------------------------------------------- */

/* Which source each token stands for; rows without a token were passed over.  Under gate.lock. */
static void name_sources(struct vendor *v, json_t *list, struct token_part *t)
{
	json_t *row;
	size_t i, k = 0;
	json_array_foreach(list, i, row) {
		const char *name = json_string_value(json_object_get(row, "name"));
		struct span s = name && *name ? (struct span){name, strlen(name)} : SPAN("other");
		if (json_string_length(json_object_get(row, "token")) == 0)
			continue;
		t->v[k++].source = name_place(v->flow.sources, FLOW_SOURCES, &v->flow.sources_len, s);
	}
}

void gate_tokens_load(struct gate *g, json_t *body)
{
	struct vendor *v = gate_vendor_get(g, json_string_value(json_object_get(body, "vendor")));
	json_t *list = json_object_get(body, "tokens"), *row;
	size_t i, bytes = 0, n = json_array_size(list);
	if (!v)
		return;
	json_array_foreach(list, i, row)
		bytes += json_string_length(json_object_get(row, "token"));
	struct token_part *t = xcalloc(1, sizeof(*t) + n * sizeof(*t->v) + bytes);
	char *to = (char *)&t->v[n];
	atomic_init(&t->refs, 1);
	json_array_foreach(list, i, row) {
		const char *s = json_string_value(json_object_get(row, "token"));
		size_t len = json_string_length(json_object_get(row, "token"));
		if (!s || len == 0)
			continue;
		memcpy(to, s, len);
		t->v[t->n++].token = (struct span){to, len};
		to += len;
	}
	pthread_mutex_lock(&g->lock);
	name_sources(v, list, t);
	struct token_part *old = v->tokens;
	v->tokens = t;
	pthread_mutex_unlock(&g->lock);
	tokens_unref(old);
}

int gate_token_source(const struct token_part *t, struct span token)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].token.len == token.len && memcmp(t->v[i].token.at, token.at, token.len) == 0)
			return (int)t->v[i].source;
	return -1;
}

void gate_plans_release(struct gate *g)
{
	for (size_t i = 0; i < g->vendors_len; i++) {
		plan_unref(g->vendors[i]->plan);
		tokens_unref(g->vendors[i]->tokens);
		for (struct own_count *c; (c = g->vendors[i]->own);) {
			g->vendors[i]->own = c->next;
			free(c);
		}
		free(g->vendors[i]);
	}
	free(g->vendors);
	g->vendors = NULL;
	g->vendors_len = 0;
}
