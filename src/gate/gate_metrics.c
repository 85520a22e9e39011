/* What the gate counts. */
#include "base/metrics.h"
#include "detect/detect.h"
#include "gate/inside.h"

/* Rows of weir_events_total behind plan_apply's.  Refusals of a request that wasn't taken apart count once. */
static const struct {
	const char *outcome, *reason;
} rows[COUNTS] = {
	[COUNT_KEPT] = {"kept", "rule"},
	[COUNT_UNKNOWN_SOURCE] = {"dropped", "unknown_source"}, [COUNT_CONSENT] = {"dropped", "consent"},
	[COUNT_LEARN] = {"dropped", "learn"},
	[COUNT_UNREADABLE] = {"refused", "unreadable"}, [COUNT_TOO_LARGE] = {"refused", "limit"},
	[COUNT_ROUTE] = {"refused", "route"}, [COUNT_REFUSED] = {"refused", "detector"}, [COUNT_SUSPENDED] = {"refused", "suspended"},
	[COUNT_QUARANTINED] = {"refused", "quarantined"}, [COUNT_EXPIRED] = {"refused", "expired"},
	[COUNT_RESTRICTED] = {"refused", "restricted"}, [COUNT_NOT_APPROVED] = {"refused", "not_approved"},
	[COUNT_NO_PLAN] = {"retry", "no_plan"}, [COUNT_QUOTA] = {"retry", "quota"}, [COUNT_DISK] = {"retry", "disk"},
	[COUNT_MEMORY] = {"retry", "memory"},
};

static const uint32_t bounds_us[COMMIT_BUCKETS] = {100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 500000, 1000000};

const char *gate_count_reason(enum count c)
{
	return rows[c].reason;
}

void gate_metrics_commit(struct commit_stats *s, int64_t took_us, bool ok, uint64_t frames)
{
	size_t i = 0;
	while (i < COMMIT_BUCKETS && took_us > (int64_t)bounds_us[i])
		i++;
	atomic_fetch_add_explicit(&s->bucket[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->sum_us, (uint64_t)took_us, memory_order_relaxed);
	atomic_store_explicit(&s->failing, !ok, memory_order_relaxed);
	atomic_fetch_add_explicit(ok ? &s->frames : &s->failed, ok ? frames : 1, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static void add(_Atomic uint64_t *to, uint64_t *n)
{
	if (*n)
		atomic_fetch_add_explicit(to, *n, memory_order_relaxed);
	*n = 0;
}

void gate_flow_settle(struct flow_tally *t)
{
	struct flow_counts *f = &t->vendor->flow;
	if (!t->events)
		return;
	for (size_t i = 0; i < t->plan->masks_len; i++) {
		unsigned c = t->plan->masks[i].category;
		add(&f->left[t->source][c], &t->left[c]);
	}
	add(&f->held[t->source], &t->held);
	add(&f->events[t->source], &t->events);
}

void gate_flow_count(struct flow_tally *t, unsigned source, const struct applied *a, bool kept)
{
	if (source != t->source) {
		gate_flow_settle(t);
		t->source = source;
	}
	size_t words = ((size_t)t->plan->leaf_bytes + 7) / 8;
	for (size_t i = 0; i < t->plan->masks_len; i++) {
		const struct flow_mask *m = &t->plan->masks[i];
		uint64_t n = 0;
		for (size_t w = 0; w < words; w++)
			n += (uint64_t)__builtin_popcountll(a->leaves[w] & m->leaves[w]);
		*(kept ? &t->left[m->category] : &t->held) += n;	/* not kept: would have left, but for learn or consent */
	}
	t->held += a->held;
	t->events++;
}

static void flow(const struct vendor *v, struct buf *b)
{
	const struct flow_counts *f = &v->flow;
	unsigned sources = atomic_load(&f->sources_len), categories = atomic_load(&f->categories_len);
	for (unsigned s = 0; s < sources; s++)
		for (unsigned c = 0; c < categories; c++) {
			uint64_t n = get(&f->left[s][c]);
			if (n)
				buf_addf(b, "weir_flow_total{vendor=\"%s\",source=\"%s\",category=\"%s\"} %llu\n", v->name, f->sources[s],
					 f->categories[c], (unsigned long long)n);
		}
}

static void flows(struct gate *g, struct buf *b)
{
	metrics_head(b, "weir_flow_total", "counter", "Fields that left towards a vendor, by source and category.");
	for (size_t i = 0; i < g->vendors_len; i++)
		flow(g->vendors[i], b);
	metrics_head(b, "weir_held_total", "counter", "Fields held back, by source: unnamed, dropped, or of a dropped object.");
	for (size_t i = 0; i < g->vendors_len; i++) {
		const struct flow_counts *f = &g->vendors[i]->flow;
		for (unsigned s = 0; s < atomic_load(&f->sources_len); s++)
			buf_addf(b, "weir_held_total{vendor=\"%s\",source=\"%s\"} %llu\n", g->vendors[i]->name, f->sources[s],
				 (unsigned long long)get(&f->held[s]));
	}
	metrics_head(b, "weir_source_events_total", "counter", "Objects read from a known source.");
	for (size_t i = 0; i < g->vendors_len; i++) {
		const struct flow_counts *f = &g->vendors[i]->flow;
		for (unsigned s = 0; s < atomic_load(&f->sources_len); s++)
			buf_addf(b, "weir_source_events_total{vendor=\"%s\",source=\"%s\"} %llu\n", g->vendors[i]->name, f->sources[s],
				 (unsigned long long)get(&f->events[s]));
	}
}

static void redactions(const struct vendor *v, const char *type, _Atomic uint64_t *count, struct buf *b)
{
	uint64_t n = get(count);
	if (n)
		buf_addf(b, "weir_redactions_total{vendor=\"%s\",type=\"%s\"} %llu\n", v->name, type, (unsigned long long)n);
}

static void events(struct gate *g, struct buf *b)
{
	metrics_head(b, "weir_events_total", "counter", "Objects by outcome; a request refused before it was read counts once.");
	for (size_t i = 0; i < g->vendors_len; i++)
		for (size_t k = 0; k < COUNTS; k++) {
			bool ours = k == COUNT_KEPT || k >= DROP_REASONS;
			uint64_t n = get(&g->vendors[i]->counts[k]);
			if (n || k == COUNT_KEPT)
				buf_addf(b, "weir_events_total{vendor=\"%s\",outcome=\"%s\",reason=\"%s\"} %llu\n", g->vendors[i]->name,
					 ours ? rows[k].outcome : "dropped", ours ? rows[k].reason : drop_reason_names[k],
					 (unsigned long long)n);
		}
	metrics_head(b, "weir_redactions_total", "counter", "What the detectors found in kept fields.");
	for (size_t i = 0; i < g->vendors_len; i++) {
		for (size_t t = 0; t < DETECT_TYPES; t++)
			if (t != DETECT_CUSTOM)
				redactions(g->vendors[i], detect_name((enum detect_type)t), &g->vendors[i]->found[t], b);
		for (struct own_count *c = g->vendors[i]->own; c; c = c->next)
			redactions(g->vendors[i], c->name, &c->n, b);
	}
}

static void commits(const struct commit_stats *s, struct buf *b)
{
	uint64_t sum = 0;
	metrics_head(b, "weir_commit_seconds", "histogram", "Write and sync of one batch of the log.");
	for (size_t i = 0; i < COMMIT_BUCKETS; i++) {
		sum += get(&s->bucket[i]);
		buf_addf(b, "weir_commit_seconds_bucket{le=\"%g\"} %llu\n", bounds_us[i] / 1e6, (unsigned long long)sum);
	}
	buf_addf(b, "weir_commit_seconds_bucket{le=\"+Inf\"} %llu\n", (unsigned long long)(sum + get(&s->bucket[COMMIT_BUCKETS])));
	buf_addf(b, "weir_commit_seconds_sum %.6f\n", (double)get(&s->sum_us) / 1e6);
	buf_addf(b, "weir_commit_seconds_count %llu\n", (unsigned long long)get(&s->count));
}

static void http(struct gate *g, struct buf *b)
{
	uint64_t accepted = 0, requests = 0, syntax = 0, limit = 0, timeouts = 0, open = 0, held = 0;
	for (unsigned i = 0; i < g->loops_len; i++) {
		struct loop *l = &g->loops[i];
		accepted += get(&l->stats.accepted), requests += get(&l->stats.requests), syntax += get(&l->stats.syntax);
		limit += get(&l->stats.limit), timeouts += get(&l->stats.timeouts), open += get(&l->stats.open);
		held += get(&l->stats.held);
	}
	metrics_single(b, "weir_gate_connections", "gauge", "Open connections.", open);
	metrics_single(b, "weir_gate_accepted_total", "counter", "Accepted connections.", accepted);
	metrics_single(b, "weir_gate_requests_total", "counter", "Requests whose framing was sound.", requests);
	metrics_single(b, "weir_gate_body_bytes", "gauge", "Request bodies held in memory.", held);
	metrics_head(b, "weir_gate_refused_total", "counter", "Requests refused below the protocols.");
	buf_addf(b, "weir_gate_refused_total{reason=\"syntax\"} %llu\n", (unsigned long long)syntax);
	buf_addf(b, "weir_gate_refused_total{reason=\"limit\"} %llu\n", (unsigned long long)limit);
	buf_addf(b, "weir_gate_refused_total{reason=\"timeout\"} %llu\n", (unsigned long long)timeouts);
}

void gate_metrics_text(struct gate *g, struct buf *b)
{
	const struct commit_stats *s = &g->committer.stats;
	events(g, b);
	flows(g, b);
	commits(s, b);
	metrics_single(b, "weir_commit_failed_total", "counter", "Batches refused: full or failing disk.", get(&s->failed));
	metrics_single(b, "weir_log_frames_total", "counter", "Frames made durable.", get(&s->frames));
	metrics_single(b, "weir_log_bytes", "gauge", "Bytes of the gate's log on disk.", get(&s->log_bytes));
	http(g, b);
}
