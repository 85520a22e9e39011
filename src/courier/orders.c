/* What the others tell the courier: plans, credentials, drops, questions, stop. */
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/hook.h"
#include "base/metrics.h"
#include "base/say.h"
#include "courier/inside.h"

enum { ASK_AGAIN_MS = 1000, STOP_MS = 3000, TELL_MS = 5000, TELL_CHANGED_MS = 500 };
/* A request may be under way in the gate for this long between its time of receipt and its commit. */
#define ARRIVED_LATE_US INT64_C(120000000)

static void answer(struct courier *c, enum role to, const char *verb, json_t *body)
{
	struct err err;
	if (channel_send(c->child->channel, to, verb, body, NULL, 0, &err) < 0)
		say(SAY_ERROR, "message-lost", "verb", S(verb), "why", S(err.msg), NULL);
}

static struct seat *named(struct courier *c, const struct message *m)
{
	const char *name = json_string_value(json_object_get(m->body, "vendor"));
	return name ? seat_of(c, name, strlen(name)) : NULL;
}

/* ---- plans ------------------------------------------------------------------------------------------------------ */

static void plan_done(struct courier *c, const struct seat *s, uint64_t id, uint64_t serial, const char *why)
{
	answer(c, ROLE_KEEPER, "plan-done", json_pack("{s:I, s:s, s:I, s:b, s:s*}", "id", (json_int_t)id, "vendor", s->v.name, "serial",
						      (json_int_t)serial, "ok", why == NULL, "why", why));
}

static int read_plan(struct courier *c, struct seat *s, const struct message *m, struct err *err)
{
	struct plan_file p;
	uint8_t sha[32];
	const char *hex = json_string_value(json_object_get(m->body, "sha256"));
	if (!hex || !hex_decode(hex, strlen(hex), sha, sizeof sha))
		return err_set(err, ERR_INPUT, "announced without a hash");
	if (plan_file_read(c->io, c->plan_dir, s->v.name, c->plan_public, hook_broken(4) ? NULL : sha, &p, err) < 0)
		return -1;
	vendor_plan(&s->v, &p);
	return 0;
}

static void on_plan(struct courier *c, struct message *m)
{
	struct seat *s = named(c, m);
	struct err err;
	uint64_t id = (uint64_t)json_integer_value(json_object_get(m->body, "id"));
	uint64_t serial = (uint64_t)json_integer_value(json_object_get(m->body, "serial"));
	if (!s)
		return;
	if (read_plan(c, s, m, &err) < 0) {
		say(SAY_ERROR, "plan-refused", "vendor", S(s->v.name), "serial", I(serial), "why", S(err.msg), NULL);
		vendor_no_plan(&s->v);
		seat_take_back(s, true);
		plan_done(c, s, id, serial, err.msg);
		courier_wake(c);
		return;
	}
	if (s->v.plan.flow == FLOW_QUARANTINED) {
		seat_take_back(s, true);
		wire_reset(s->wire);
		vendor_credential(&s->v, NULL);
	}
	struct ack *a = xcalloc(1, sizeof *a);
	*a = (struct ack){.next = s->acks, .id = id, .serial = serial};
	s->acks = a;
	s->cut_at_ms = clock_mono_ms() + CUT_OFF_MS;
	say(SAY_INFO, "plan", "vendor", S(s->v.name), "serial", I(s->v.plan.serial), "flow", S(flow_names[s->v.plan.flow]), NULL);
	orders_tend(c, s);
	courier_wake(c);
}

static bool forbidden_flies(const struct seat *s)
{
	for (const struct batch *b = s->v.flying.first; b; b = b->next)
		if (!vendor_batch_allowed(&s->v, b, clock_now()))
			return true;
	return false;
}

void orders_tend(struct courier *c, struct seat *s)
{
	if (!s->acks)
		return;
	if (forbidden_flies(s)) {
		if (clock_mono_ms() < s->cut_at_ms)
			return;
		seat_take_back(s, false);
	}
	for (struct ack *a; (a = s->acks);) {
		s->acks = a->next;
		plan_done(c, s, a->id, a->serial, NULL);
		free(a);
	}
}

static void on_plans_end(struct courier *c, struct message *m)
{
	(void)m;
	c->plans_known = true;
	courier_wake(c);
}

void orders_ask_plans(struct courier *c)
{
	if (c->plans_known || clock_mono_ms() < c->ask_plans_ms)
		return;
	c->ask_plans_ms = clock_mono_ms() + ASK_AGAIN_MS;
	answer(c, ROLE_KEEPER, "plans", json_object());
}

/* ---- the rest --------------------------------------------------------------------------------------------------- */

static void on_secrets(struct courier *c, struct message *m)
{
	struct seat *s = named(c, m);
	if (!s)
		return;
	vendor_credential(&s->v, json_string_value(json_object_get(m->body, "credential")));
	courier_wake(c);
}

static uint64_t number(const struct message *m, const char *name, uint64_t otherwise)
{
	const json_t *v = json_object_get(m->body, name);
	return json_is_integer(v) && json_integer_value(v) >= 0 ? (uint64_t)json_integer_value(v) : otherwise;
}

static void on_queue_drop(struct courier *c, struct message *m)
{
	struct seat *s = named(c, m);
	struct err err;
	struct vendor_range r = {number(m, "serial", 0), number(m, "from", 0), number(m, "to", UINT64_MAX)};
	uint64_t dropped = 0;
	int rc = -1;
	if (!s) {
		err_set(&err, ERR_NOTFOUND, "no such vendor");
	} else {
		seat_take_back(s, true);	/* what is in flight is asked for too; whether it arrived is open */
		rc = courier_flush_seat(c, s, &err);
		if (rc == 0)
			rc = vendor_drop(&s->v, &r, clock_now(), &dropped, &err);
	}
	say(rc < 0 ? SAY_ERROR : SAY_INFO, "queue-dropped", "vendor", S(s ? s->v.name : NULL), "events", I(dropped), NULL);
	answer(c, ROLE_KEEPER, "queue-done", json_pack("{s:O*, s:b, s:s*, s:I}", "id", json_object_get(m->body, "id"), "ok", rc == 0, "why",
						       rc < 0 ? err.msg : NULL, "dropped", (json_int_t)dropped));
	courier_wake(c);
}

static void count_deliveries(struct buf *b, const struct vendor *v)
{
	const struct {
		const char *result;
		uint64_t n;
	} rows[] = {{"delivered", v->counts.delivered}, {"parked", v->counts.parked}, {"dead", v->counts.dead}, {"dropped", v->counts.dropped},
		    {"retry", v->counts.retry}, {"hold", v->counts.hold}, {"split", v->counts.split}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		buf_addf(b, "weir_delivery_total{vendor=\"%s\",result=\"%s\"} %llu\n", v->name, rows[i].result, (unsigned long long)rows[i].n);
}

static uint64_t queued_events(const struct vendor *v)
{
	return v->queue_ready ? v->queue.events : 0;
}

static uint64_t queued_bytes(const struct vendor *v)
{
	return v->queue_ready ? v->queue.bytes : 0;
}

static uint64_t damaged_events(const struct vendor *v)
{
	return (v->queue_ready ? v->queue.damaged : 0) + (v->dead_ready ? v->dead.damaged : 0);
}

static uint64_t oldest_seconds(const struct vendor *v)
{
	return (uint64_t)vendor_oldest_seconds(v);
}

static void on_metrics(struct courier *c, struct message *m)
{
	static const struct {
		const char *name, *type, *help;
		uint64_t (*of)(const struct vendor *v);
	} families[] = {
		{"weir_queue_events", "gauge", "Events that wait in the vendor's queue.", queued_events},
		{"weir_queue_bytes", "gauge", "Bytes of the vendor's queue.", queued_bytes},
		{"weir_queue_oldest_seconds", "gauge", "Age of the oldest event in the queue.", oldest_seconds},
		{"weir_queue_damaged_events_total", "counter", "Queued or dead events that can't be read.", damaged_events},
	};
	struct buf b;
	buf_init(&b, 0);
	metrics_single(&b, "weir_courier_position", "gauge", "The last frame of the gate's log that the courier is done with.", c->outcomes.passed);
	metrics_head(&b, "weir_delivery_total", "counter", "Events by what became of them; retry, hold and split count requests.");
	for (const struct seat *s = c->seats; s; s = s->next)
		count_deliveries(&b, &s->v);
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		metrics_head(&b, families[i].name, families[i].type, families[i].help);
		for (const struct seat *s = c->seats; s; s = s->next)
			buf_addf(&b, "%s{vendor=\"%s\"} %llu\n", families[i].name, s->v.name, (unsigned long long)families[i].of(&s->v));
	}
	answer(c, m->from, "metrics-text", json_pack("{s:O*, s:s}", "id", json_object_get(m->body, "id"), "text", (const char *)b.data));
	buf_release(&b);
}

static void on_status(struct courier *c, struct message *m)
{
	json_t *queues = json_array();
	for (const struct seat *s = c->seats; s; s = s->next)
		json_array_append_new(queues, vendor_status(&s->v));
	answer(c, m->from, "status-is", json_pack("{s:O*, s:o, s:I}", "id", json_object_get(m->body, "id"), "queues", queues, "passed",
						  (json_int_t)c->outcomes.passed));
}

/* ---- what has arrived -------------------------------------------------------------------------------------------- */

struct arrived {
	int64_t before_us;	/* everything that came before has arrived, or never will */
	uint64_t waiting, dead;	/* events */
};

static void count_fresh(const struct items *l, struct arrived *a)
{
	for (const struct item *it = l->first; it; it = it->next) {
		a->waiting += it->unsettled;
		if (it->unsettled && it->received_us < a->before_us)
			a->before_us = it->received_us;
	}
}

static struct arrived arrived_of(const struct courier *c, const struct vendor *v)
{
	int64_t queued = vendor_oldest_us(v), all = c->in.all_us - ARRIVED_LATE_US;
	struct arrived a = {.before_us = queued < all ? queued : all, .waiting = v->queue_ready ? v->queue.events : 0,
			    .dead = v->dead_ready ? v->dead.events : 0};
	count_fresh(&v->fresh, &a);
	count_fresh(&v->late, &a);
	return a;
}

void orders_tell_arrived(struct courier *c)
{
	int64_t now = clock_mono_ms();
	uint64_t events = 0;
	if (c->in.all_us == 0 || (c->told_ms && now - c->told_ms < TELL_CHANGED_MS))
		return;
	json_t *list = json_array();
	for (const struct seat *s = c->seats; s; s = s->next) {
		struct arrived a = arrived_of(c, &s->v);
		events = events * 31 + a.waiting * 7 + a.dead;
		json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I}", "vendor", s->v.name, "before", (json_int_t)(a.before_us / 1000000),
						      "waiting", (json_int_t)a.waiting, "dead", (json_int_t)a.dead));
	}
	if (!c->told_ms || events != c->told_events || now - c->told_ms >= TELL_MS) {
		answer(c, ROLE_KEEPER, "arrived", json_pack("{s:O}", "vendors", list));
		c->told_ms = now;
		c->told_events = events;
	}
	json_decref(list);
}

static void on_stop(struct courier *c, struct message *m)
{
	int64_t grace = (int64_t)number(m, "grace_ms", STOP_MS);
	c->stopping = true;
	c->stop_at_ms = clock_mono_ms() + (grace < STOP_MS ? grace : STOP_MS);
	courier_wake(c);
}

static const struct {
	const char *verb;
	void (*handle)(struct courier *c, struct message *m);
} verbs[] = {
	{"plan", on_plan}, {"plans-end", on_plans_end}, {"secrets", on_secrets}, {"queue-drop", on_queue_drop},
	{"metrics", on_metrics}, {"status", on_status}, {"stop", on_stop},
};

void orders_take(struct message *m, void *arg)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verbs[i].verb, m->verb) == 0) {
			verbs[i].handle(arg, m);
			return;
		}
	say(SAY_WARN, "message-unknown", "verb", S(m->verb), "from", S(role_names[m->from]), NULL);
}
