/*
 * Learning what flows: which members events have and what their values are like, for suggestions and drift reports
 * (shape/shape.h; never a value).  In `mode: learn` every event is looked at.  Otherwise every one while a vendor's events
 * are few (QUIET a second and loop), and when they are many one in STRIDE by chance: looking costs about twice what an
 * event costs the gate, so that is under a hundredth of its work.
 *
 * A loop counts in tables of its own, a vendor each; the main loop takes what came since and sends it to the steward,
 * every LEARN_MS and before it answers `status`.  While it takes, a loop that samples passes over an event rather than
 * wait.  What a crash loses is at most those seconds of counting.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/say.h"
#include "gate/inside.h"
#include "shape/form.h"

enum { QUIET = 1000, CREDIT = 2000, STRIDE = 256, ROWS_MAX = 500 };

struct learned {	/* of a vendor, on a loop */
	struct shape_table *table;
	int64_t second;
	uint32_t seen;			/* in that second */
	uint32_t credit;		/* of a quiet vendor: so many are looked at, one behind the other */
	uint32_t skip;			/* so many not, without credit */
	int64_t day;			/* of what is in the table; the main loop's */
};

static struct learned *learned_of(struct loop *l, const struct vendor *v)
{
	if (v->index < l->learned_len && l->learned[v->index])
		return l->learned[v->index];
	uint64_t seed;
	crypt_random(&seed, sizeof(seed));
	struct learned *k = xcalloc(1, sizeof(*k));
	k->table = shape_table_new(seed);
	k->credit = CREDIT;
	pthread_mutex_lock(&l->learn_lock);
	if (v->index >= l->learned_len) {
		l->learned = xrealloc(l->learned, (v->index + 1) * sizeof(*l->learned));
		memset(l->learned + l->learned_len, 0, (v->index + 1 - l->learned_len) * sizeof(*l->learned));
		l->learned_len = v->index + 1;
	}
	l->learned[v->index] = k;
	pthread_mutex_unlock(&l->learn_lock);
	return k;
}

static void next_second(struct loop *l, struct learned *k, int64_t now_s)
{
	if (l->learn_second != now_s) {
		l->learn_busy = l->learn_vendors ? l->learn_vendors : 1;
		l->learn_vendors = 0;
		l->learn_second = now_s;
	}
	l->learn_vendors++;
	if (now_s != k->second + 1 || k->seen <= (uint32_t)QUIET / l->learn_busy)
		k->credit = CREDIT / l->learn_busy;
	k->second = now_s;
	k->seen = 0;
}

static uint32_t chance(struct loop *l, uint32_t below)
{
	l->learn_dice = l->learn_dice * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((l->learn_dice >> 33) * below >> 31);
}

static bool sampled(struct loop *l, struct learned *k, int64_t now_s)
{
	if (k->second != now_s)
		next_second(l, k, now_s);
	k->seen++;
	if (k->credit) {
		k->credit--;
		return true;
	}
	if (k->skip) {
		k->skip--;
		return false;
	}
	k->skip = chance(l, 2 * STRIDE - 1);
	return true;
}

void gate_learn(struct loop *l, const struct view *v, unsigned source, const struct applied *a, const char *text, size_t n, int64_t now_s)
{
	const struct contract *c = v->plan->file.contract;
	struct learned *k = learned_of(l, v->vendor);
	if (a->dropped == DROP_LIMIT || (!c->learn && !sampled(l, k, now_s)))
		return;
	const struct shape_where w = {.kind = a->kind, .source = source, .name = adapter_name_path(c->adapter, a->kind),
				      .rules = plan_own_rules(v->plan->plan), .room = apply_out_room(&l->out)};
	if (!c->learn && pthread_mutex_trylock(&l->learn_lock) != 0)
		return;
	if (c->learn)
		pthread_mutex_lock(&l->learn_lock);
	shape_observe(k->table, &w, text, n, a->src);
	pthread_mutex_unlock(&l->learn_lock);
}

/* ---- sending ------------------------------------------------------------------------------------------------------- */

struct sending {
	struct gate *g;
	const struct vendor *vendor;
	const char *day;
	json_t *rows;
};

static void send_rows(struct sending *s)
{
	struct err err;
	json_t *body = json_pack("{s:s, s:s, s:o}", "vendor", s->vendor->name, "day", s->day, "rows", s->rows);
	if (json_array_size(s->rows) == 0)
		json_decref(body);
	else if (channel_send(s->g->child->channel, ROLE_STEWARD, "shapes", body, NULL, 0, &err) != 0)
		say(SAY_WARN, "message-lost", "verb", S("shapes"), "why", S(err.msg), NULL);
	s->rows = json_array();
}

static void add_row(void *arg, const struct shape_row *row)
{
	struct sending *s = arg;
	const char *source = s->vendor->flow.sources[row->source];
	json_array_append_new(s->rows, json_pack("{s:i, s:s, s:s, s:s, s:o}", "k", (int)row->kind, "s", source, "e", row->event, "p", row->path,
						 "c", shape_to_json(&row->counts)));
	if (json_array_size(s->rows) == ROWS_MAX)
		send_rows(s);
}

static void take(struct gate *g, struct loop *l, const struct vendor *v, int64_t today)
{
	char day[11];
	clock_format_day(today * 86400, day);
	struct sending s = {.g = g, .vendor = v, .day = day, .rows = json_array()};
	pthread_mutex_lock(&l->learn_lock);
	struct learned *k = v->index < l->learned_len ? l->learned[v->index] : NULL;
	if (k) {
		shape_take(k->table, add_row, &s);
		if (k->day != today)	/* what was met yesterday needn't take up room today */
			shape_clear(k->table);
		k->day = today;
	}
	pthread_mutex_unlock(&l->learn_lock);
	send_rows(&s);
	json_decref(s.rows);
}

void gate_learn_send(struct gate *g)
{
	int64_t today = clock_now() / 86400;
	for (unsigned i = 0; i < g->loops_len; i++)
		for (size_t v = 0; v < g->vendors_len; v++)
			take(g, &g->loops[i], g->vendors[v], today);
}

void gate_learn_init(struct loop *l)
{
	pthread_mutex_init(&l->learn_lock, NULL);
	l->learn_busy = 1;
	crypt_random(&l->learn_dice, sizeof(l->learn_dice));
}

void gate_learn_release(struct loop *l)
{
	for (size_t i = 0; i < l->learned_len; i++)
		if (l->learned[i]) {
			shape_table_free(&l->learned[i]->table);
			free(l->learned[i]);
		}
	free(l->learned);
	l->learned = NULL;
	l->learned_len = 0;
}
