/*
 * Decisions, and plans that follow what rules and incidents ask (refresh), one after the other.  A job moves
 *
 *   cut-off that makes the flow stricter   READ -> (write) -> CONFIRM -> RECORD_AFTER -> done
 *   everything else                        READ -> ASK [-> RESOLVE] -> RECORD_FIRST -> (write) -> CONFIRM -> done
 *   drop                                   READ -> DROP -> RECORD_AFTER -> done
 *   refresh, stricter                      READ -> ASK -> (write) -> CONFIRM -> RECORD_AFTER -> done
 *   refresh, looser                        READ -> ASK -> RESOLVE -> RECORD_FIRST -> (write) -> CONFIRM -> done
 *   refresh, the flow is what it should be READ -> ASK -> done
 *
 * Each state but READ waits for one kind of message, for so long as its row says.  When the time is over the caller is
 * told; what was signed and written by then stays.
 *
 * A cut-off waits for nobody who isn't needed for it: it goes before the others, and one of them that is still asking
 * (ASK, RESOLVE) starts anew behind it.  What acted first is owed to the registry until it said that it recorded it; the
 * caller waits for that only a moment.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/say.h"
#include "keeper/private.h"

enum { OWED_MS = 2000, OWED_MAX_MS = 60000 };

enum state { READ, ASK, RESOLVE, RECORD_FIRST, CONFIRM, RECORD_AFTER, DROP, STATES };

struct job {
	struct job *next;
	int fd;			/* the caller; -1: the steward, who gave `asked_as` */
	json_int_t asked_as;
	enum state state;
	uint64_t id;
	struct decision d;
	struct plan_file now, then;	/* in force; to come */
	bool has_now, has_then;
	struct buf bytes;
	struct decided x;
	unsigned unconfirmed;	/* 1 << role */
	bool cut_off;
	bool read;		/* d is filled: it starts anew */
	bool resolved;		/* its secrets are held for it */
	bool acted_first;	/* stricter: recorded when it is done */
	bool unrecorded;	/* and that is still owed */
	bool failed;
	struct err err;		/* the first thing that went wrong */
};

static const struct {
	const char *verb;	/* waited for */
	const char *who;	/* doesn't answer */
	uint32_t ms;
} waits[STATES] = {
	[ASK] = {"contract", "the registry", 2000},
	[RESOLVE] = {"resolved", "the supervisor", 2000},
	[RECORD_FIRST] = {"event-done", "the registry", 2000},
	[CONFIRM] = {"plan-done", NULL, 1000},	/* design section 4 */
	[RECORD_AFTER] = {"event-done", "the registry", 700},
	[DROP] = {"queue-done", "the courier", 10000},
};

static void job_start(struct keeper *k);

static void job_free(struct job *j)
{
	if (j->fd >= 0)
		close(j->fd);
	if (j->has_now)
		plan_file_release(&j->now);
	if (j->has_then)
		plan_file_release(&j->then);
	buf_release(&j->bytes);
	free(j);
}

/* ---- the caller ------------------------------------------------------------------------------------------------- */

static void answer(struct keeper *k, struct job *j, json_t *body)
{
	if (j->fd < 0) {
		json_object_set_new(body, "id", json_integer(j->asked_as));
		keeper_send(k, ROLE_STEWARD, "refreshed", body);
		return;
	}
	size_t n;
	char *line = control_line(body, &n);
	json_decref(body);
	if (send(j->fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
		say(SAY_WARN, "answer-lost", "why", S("the caller has gone"), NULL);
	free(line);
}

static void finish(struct keeper *k, struct job *j)
{
	uv_timer_stop(&k->job_timer);
	if (j->failed) {
		k->refused++;
		say(SAY_WARN, "decision-failed", "do", S(decision_names[j->d.kind]), "vendor", S(j->d.vendor), "who", S(j->d.who), "serial",
		    I(j->x.serial), "why", S(j->err.msg), NULL);
		answer(k, j, control_refusal(&j->err));
	} else {
		k->decisions += j->d.kind != DECIDE_REFRESH;
		if (j->d.kind != DECIDE_REFRESH || j->acted_first || j->bytes.len)
			say(SAY_INFO, "decision", "do", S(decision_names[j->d.kind]), "vendor", S(j->d.vendor), "who", S(j->d.who), "serial",
		    I(j->x.serial), "flow", S(flow_names[j->x.flow]), NULL);
		json_t *body = decided_to_json(&j->x);
		json_object_set_new(body, "ok", json_true());
		if (j->unrecorded)
			json_object_set_new(body, "recorded", json_false());
		answer(k, j, body);
	}
	k->first = j->next;
	if (!k->first)
		k->last = &k->first;
	job_free(j);
	job_start(k);
}

static void fail(struct keeper *k, struct job *j, const struct err *err)
{
	if (!j->failed)
		j->err = *err;
	j->failed = true;
	finish(k, j);
}

/* The steward passed a connection whose first line is complete. */
static int read_request(struct keeper *k, struct job *j, struct err *err)
{
	char *line = xmalloc(CONTROL_DECISION_MAX);
	json_t *request = NULL;
	ssize_t n = recv(j->fd, line, CONTROL_DECISION_MAX, MSG_DONTWAIT);
	char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
	int r = end ? control_parse(line, (size_t)(end - line), &request, err)
		    : err_set(err, ERR_SYNTAX, "a decision is one line of at most %d bytes", CONTROL_DECISION_MAX);
	free(line);
	if (r == 0)
		r = decision_parse(request, &j->d, err);
	json_decref(request);
	if (r == 0)
		r = control_peer(j->fd, k->users, j->d.who, sizeof j->d.who, err);
	j->d.at = clock_now();
	return r;
}

/* ---- moves ------------------------------------------------------------------------------------------------------ */

static void on_time(uv_timer_t *t);

/* The gate compiles a contract's own detectors before it confirms: 1 ms each here, and as much again for a busy machine. */
static uint32_t wait_ms(const struct job *j, enum state s)
{
	bool compiles = s == CONFIRM && j->has_then && j->then.contract;
	return waits[s].ms + (compiles ? 2 * (uint32_t)j->then.contract->own_len : 0);
}

static void enter(struct keeper *k, struct job *j, enum state s)
{
	j->state = s;
	uv_timer_start(&k->job_timer, on_time, wait_ms(j, s), 0);
}

static void ask(struct keeper *k, struct job *j)
{
	json_t *body = decision_question(&j->d);
	json_object_set_new(body, "id", json_integer((json_int_t)j->id));
	enter(k, j, ASK);
	keeper_send(k, ROLE_STEWARD, "contract-get", body);
}

/* ---- what the registry is owed ---------------------------------------------------------------------------------- */

struct owed {
	struct owed *next;
	uint64_t id;
	json_t *body;	/* of `event` */
	uint32_t wait_ms;
};

/* All of them, in order: the registry knows those that it has. */
static void owed_send(struct keeper *k)
{
	for (struct owed *o = k->owed; o; o = o->next) {
		json_object_set_new(o->body, "again", json_true());
		keeper_send(k, ROLE_STEWARD, "event", json_incref(o->body));
	}
}

static void on_owed(uv_timer_t *t)
{
	struct keeper *k = t->data;
	struct owed *o = k->owed;
	if (!o)
		return;
	say(SAY_WARN, "not-recorded-yet", "vendor", S(json_string_value(json_object_get(o->body, "vendor"))), NULL);
	owed_send(k);
	o->wait_ms = 2 * o->wait_ms < OWED_MAX_MS ? 2 * o->wait_ms : OWED_MAX_MS;
	uv_timer_start(t, on_owed, o->wait_ms, 0);
}

static void owe(struct keeper *k, uint64_t id, const json_t *body)
{
	struct owed *o = xcalloc(1, sizeof *o);
	*o = (struct owed){.id = id, .body = json_copy((json_t *)(uintptr_t)body), .wait_ms = OWED_MS};
	*k->owed_last = o;
	k->owed_last = &o->next;
	if (k->owed == o)
		uv_timer_start(&k->owed_timer, on_owed, OWED_MS, 0);
}

/* event-done: paid, unless it says that it could not be recorded. */
static void owed_take(struct keeper *k, const struct message *m)
{
	struct err err;
	uint64_t id = (uint64_t)json_integer_value(json_object_get(m->body, "id"));
	if (strcmp(m->verb, "event-done") != 0 || control_check(m->body, &err) < 0)
		return;
	for (struct owed **p = &k->owed, *o; (o = *p); p = &o->next) {
		if (o->id != id)
			continue;
		*p = o->next;
		if (!*p)
			k->owed_last = p;
		json_decref(o->body);
		free(o);
		break;
	}
	if (!k->owed)
		uv_timer_stop(&k->owed_timer);
}

static void record(struct keeper *k, struct job *j, enum state s)
{
	enter(k, j, s);
	json_t *body = decided_to_json(&j->x);
	json_object_set_new(body, "id", json_integer((json_int_t)j->id));
	owed_send(k);	/* older ones first */
	if (s == RECORD_AFTER) {
		owe(k, j->id, body);
		j->unrecorded = true;
	}
	keeper_send(k, ROLE_STEWARD, "event", body);
}

static void sign(struct keeper *k, struct job *j)
{
	keeper_sign(&k->books, &j->then, &j->bytes);
	keeper_decided(&j->d, &j->then, &j->x);
}

static void write_and_tell(struct keeper *k, struct job *j)
{
	struct err err;
	if (keeper_write(&k->books, &j->then, &j->bytes, &err) < 0) {
		fail(k, j, &err);
		return;
	}
	struct told *t = told_find(k, j->d.vendor, true);
	t->serial = j->then.serial;
	t->flow = j->then.flow;
	t->open = true;
	memcpy(t->sha256, j->then.sha256, 32);
	j->unconfirmed = 1U << ROLE_GATE | 1U << ROLE_COURIER;
	enter(k, j, CONFIRM);
	if (j->resolved)
		keeper_send(k, ROLE_SUPERVISOR, "hand-over", json_pack("{s:s}", "vendor", j->d.vendor));
	told_announce(k, t, ROLE_GATE, j->id);
	told_announce(k, t, ROLE_COURIER, j->id);
}

/* others: what rules and incidents ask; proposed: for approve, taken over. */
static bool make_next(struct keeper *k, struct job *j, enum flow others, struct contract **proposed)
{
	struct err err;
	if (keeper_next(&k->books, &j->d, j->has_now ? &j->now : NULL, others, proposed, &j->then, &err) == 0) {
		if (!j->has_now && j->d.recorded)
			say(SAY_ERROR, "plan-lost", "vendor", S(j->d.vendor), "serial", I(j->d.recorded), NULL);
		j->has_then = true;
		return true;
	}
	fail(k, j, &err);
	return false;
}

static void act_first(struct keeper *k, struct job *j)
{
	j->acted_first = true;
	sign(k, j);
	write_and_tell(k, j);
}

/* A refresh that finds the flow as it should be, or nothing approved, leaves the plan. */
static void nothing_to_do(struct keeper *k, struct job *j)
{
	if (j->has_now)
		keeper_decided(&j->d, &j->now, &j->x);
	else
		j->x.d = j->d;
	finish(k, j);
}

static void drop(struct keeper *k, struct job *j)
{
	struct err err;
	if (keeper_check_drop(&j->d, j->has_now ? &j->now : NULL, &err) < 0) {
		fail(k, j, &err);
		return;
	}
	keeper_decided(&j->d, &j->now, &j->x);
	j->x.serial = 0;	/* no plan changes */
	enter(k, j, DROP);
	keeper_send(k, ROLE_COURIER, "queue-drop",
		    json_pack("{s:I, s:s, s:I, s:I, s:I}", "id", (json_int_t)j->id, "vendor", j->d.vendor, "serial", (json_int_t)j->d.serial,
			      "from", (json_int_t)j->d.from, "to", (json_int_t)j->d.to));
}

static void job_start(struct keeper *k)
{
	struct job *j = k->first;
	struct err err;
	if (!j)
		return;
	j->id = ++k->next_id;
	int r = j->fd >= 0 && !j->read ? read_request(k, j, &err) : 0;
	j->read = true;
	if (r == 0)
		r = keeper_load_for(&k->books, &j->d, &j->now, &err);
	j->has_now = r == 1;
	if (r >= 0 && j->fd >= 0 && !j->cut_off && control_gone(j->fd))
		r = err_set(&err, ERR_AGAIN, "the caller has gone");
	if (r < 0) {
		fail(k, j, &err);
	} else if (j->d.kind == DECIDE_DROP) {
		drop(k, j);
	} else if (j->d.kind == DECIDE_REFRESH && !(j->has_now && j->now.approved)) {
		nothing_to_do(k, j);
	} else if (keeper_asks_first(&j->d, j->has_now ? &j->now : NULL)) {
		ask(k, j);
	} else if (make_next(k, j, FLOW_OPEN, &(struct contract *){NULL})) {
		act_first(k, j);
	}
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static int proposed_of(const struct job *j, const json_t *body, struct contract **out, struct err *err)
{
	const char *json = json_string_value(json_object_get(body, "json"));
	const char *hex = json_string_value(json_object_get(body, "digest"));
	uint8_t digest[32];
	if (!json || !hex || !hex_decode(hex, strlen(hex), digest, 32))
		return err_set(err, ERR_BUG, "the registry's answer holds no contract");
	return keeper_contract(json, strlen(json), digest, j->d.vendor, j->d.version, out, err);
}

static void on_contract(struct keeper *k, struct job *j, const struct message *m)
{
	struct err err;
	struct contract *proposed = NULL;
	if (control_check(m->body, &err) < 0 ||
	    (j->d.kind == DECIDE_APPROVE && proposed_of(j, m->body, &proposed, &err) < 0)) {
		fail(k, j, &err);
		return;
	}
	enum flow others = decision_learn(&j->d, m->body);
	bool made = make_next(k, j, others, &proposed);
	contract_free(&proposed);
	if (!made)
		return;
	bool refresh = j->d.kind == DECIDE_REFRESH;
	if (refresh && j->then.flow == j->now.flow) {
		nothing_to_do(k, j);
		return;
	}
	if (refresh && j->then.flow > j->now.flow) {
		act_first(k, j);
		return;
	}
	if (refresh || j->d.kind == DECIDE_APPROVE || j->d.kind == DECIDE_RELEASE) {
		enter(k, j, RESOLVE);
		json_t *body = resolve_body(j->id, j->then.contract);
		json_object_set_new(body, "hold", json_true());	/* nothing secret moves for a plan that isn't signed */
		keeper_send(k, ROLE_SUPERVISOR, "resolve", body);
		return;
	}
	sign(k, j);
	record(k, j, RECORD_FIRST);
}

static void on_resolved(struct keeper *k, struct job *j, const struct message *m)
{
	const json_t *missing = json_object_get(m->body, "missing");
	if (json_array_size(missing)) {
		struct err err;
		const char *first = json_string_value(json_array_get(missing, 0));
		err_set(&err, ERR_DENIED, "%s: %s", j->d.vendor, first ? first : "a secret is missing");
		fail(k, j, &err);
		return;
	}
	j->resolved = true;
	sign(k, j);
	record(k, j, RECORD_FIRST);
}

static void on_event_done(struct keeper *k, struct job *j, const struct message *m)
{
	struct err err;
	j->unrecorded = false;
	if (control_check(m->body, &err) < 0) {
		err_prefix(&err, j->state == RECORD_AFTER ? "it is done, but not recorded yet: " : "recording: ");
		fail(k, j, &err);
	} else if (j->state == RECORD_FIRST) {
		write_and_tell(k, j);
	} else {
		finish(k, j);
	}
}

/* Confirmed, or not in time: a decision that was recorded first is done, a cut-off is recorded now. */
static void confirmed(struct keeper *k, struct job *j)
{
	if (j->acted_first)
		record(k, j, RECORD_AFTER);
	else
		finish(k, j);
}

static void note_failure(struct job *j, const struct err *err)
{
	if (!j->failed)
		j->err = *err;
	j->failed = true;
}

static void on_plan_done(struct keeper *k, struct job *j, const struct message *m)
{
	if ((uint64_t)json_integer_value(json_object_get(m->body, "serial")) != j->then.serial)
		return;
	if (!json_is_true(json_object_get(m->body, "ok"))) {
		struct err err;
		const char *why = json_string_value(json_object_get(m->body, "why"));
		err_set(&err, ERR_AGAIN, "plan %" PRIu64 " of %s is signed, but %s refused it: %s", j->then.serial, j->d.vendor,
			role_names[m->from], why ? why : "no reason given");
		note_failure(j, &err);
	}
	j->unconfirmed &= ~(1U << m->from);
	if (!j->unconfirmed)
		confirmed(k, j);
}

static void on_queue_done(struct keeper *k, struct job *j, const struct message *m)
{
	if (!json_is_true(json_object_get(m->body, "ok"))) {
		struct err err;
		const char *why = json_string_value(json_object_get(m->body, "why"));
		err_set(&err, ERR_AGAIN, "%s: %s", j->d.vendor, why ? why : "the courier could not drop it");
		fail(k, j, &err);
		return;
	}
	json_int_t n = json_integer_value(json_object_get(m->body, "dropped"));
	j->x.dropped = n > 0 ? (uint64_t)n : 0;
	record(k, j, RECORD_AFTER);
}

static void (*const handlers[STATES])(struct keeper *k, struct job *j, const struct message *m) = {
	[ASK] = on_contract, [RESOLVE] = on_resolved, [RECORD_FIRST] = on_event_done, [CONFIRM] = on_plan_done,
	[RECORD_AFTER] = on_event_done, [DROP] = on_queue_done,
};

static void on_time(uv_timer_t *t)
{
	struct keeper *k = t->data;
	struct job *j = k->first;
	struct err err;
	if (!j)
		return;
	if (j->state == CONFIRM) {
		bool gate = j->unconfirmed & 1U << ROLE_GATE, courier = j->unconfirmed & 1U << ROLE_COURIER;
		err_set(&err, ERR_AGAIN, "plan %" PRIu64 " of %s is signed, but %s did not confirm it within %u s", j->then.serial, j->d.vendor,
			gate && courier ? "gate and courier" : gate ? "gate" : "courier", (wait_ms(j, CONFIRM) + 999) / 1000);
		note_failure(j, &err);
		confirmed(k, j);
		return;
	}
	if (j->state == RECORD_AFTER) {
		finish(k, j);	/* it is done, and owed */
		return;
	}
	err_set(&err, ERR_AGAIN, "%s does not answer", waits[j->state].who);
	fail(k, j, &err);
}

bool jobs_take(struct keeper *k, const struct message *m)
{
	struct job *j = k->first;
	owed_take(k, m);
	if (!j || j->state == READ || strcmp(m->verb, waits[j->state].verb) != 0 ||
	    (uint64_t)json_integer_value(json_object_get(m->body, "id")) != j->id)
		return false;
	handlers[j->state](k, j, m);
	return true;
}

/* ---- queue ------------------------------------------------------------------------------------------------------ */

void jobs_init(struct keeper *k)
{
	k->last = &k->first;
	uv_timer_init(&k->loop, &k->job_timer);
	k->job_timer.data = k;
	k->owed_last = &k->owed;
	uv_timer_init(&k->loop, &k->owed_timer);
	k->owed_timer.data = k;
}

/* It has changed nothing yet, and does what it did again. */
static void rewind_job(struct keeper *k, struct job *j)
{
	uv_timer_stop(&k->job_timer);
	if (j->has_now)
		plan_file_release(&j->now);
	if (j->has_then)
		plan_file_release(&j->then);
	j->has_now = j->has_then = false;
	j->state = READ;
}

static void add(struct keeper *k, struct job *j)
{
	bool begin = !k->first;
	struct job **at = k->last;
	buf_init(&j->bytes, 0);
	if (j->cut_off && k->first) {
		at = &k->first;
		begin = !k->first->cut_off && (k->first->state == ASK || k->first->state == RESOLVE);
		if (begin)
			rewind_job(k, k->first);
		else
			at = &k->first->next;
		while (*at && (*at)->cut_off)
			at = &(*at)->next;
	}
	j->next = *at;
	*at = j;
	if (!j->next)
		k->last = &j->next;
	if (begin)
		job_start(k);
}

void jobs_add(struct keeper *k, int fd, bool cut_off)
{
	struct job *j = xcalloc(1, sizeof *j);
	j->fd = fd;
	j->cut_off = cut_off;
	control_greet(fd);
	add(k, j);
}

void jobs_refresh(struct keeper *k, const char *vendor, json_int_t asked_as)
{
	struct job *j = xcalloc(1, sizeof *j);
	j->fd = -1;
	j->asked_as = asked_as;
	keeper_refresh(vendor, clock_now(), &j->d);
	keeper_send(k, ROLE_STEWARD, "refreshing", json_pack("{s:I}", "id", asked_as));
	add(k, j);
}

void jobs_release(struct keeper *k)
{
	struct err err;
	err_set(&err, ERR_AGAIN, "weir is stopping: see what `weir vendor show` says, then ask again");
	for (struct job *j; (j = k->first);) {
		answer(k, j, control_refusal(&err));
		k->first = j->next;
		job_free(j);
	}
	for (struct owed *o; (o = k->owed);) {
		k->owed = o->next;
		json_decref(o->body);
		free(o);
	}
}
