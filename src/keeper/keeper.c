/* The keeper process: its loop and messages.  Decisions: jobs.c; exposures: copier.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/say.h"
#include "keeper/private.h"

enum { COPY_MS = 20, COPY_FRAMES = 512, COPY_STEPS = 32, EXIT_FAILED = 3 };

/* Ids of the resolves at the start: this and the vendor's place in told; those of jobs are far smaller. */
#define START_ID ((json_int_t)1 << 40)

void keeper_send(struct keeper *k, enum role to, const char *verb, json_t *body)
{
	struct err err;
	if (channel_send(k->c->channel, to, verb, body, NULL, 0, &err) < 0)
		say(SAY_ERROR, "send-failed", "verb", S(verb), "to", S(role_names[to]), "why", S(err.msg), NULL);
}

/* ---- plans, as gate and courier are told ------------------------------------------------------------------------ */

struct told *told_find(struct keeper *k, const char *vendor, bool add)
{
	for (size_t i = 0; i < k->told_len; i++)
		if (strcmp(k->told[i].vendor, vendor) == 0)
			return &k->told[i];
	if (!add)
		return NULL;
	k->told = xrealloc(k->told, (k->told_len + 1) * sizeof *k->told);
	struct told *t = &k->told[k->told_len++];
	*t = (struct told){0};
	snprintf(t->vendor, sizeof t->vendor, "%s", vendor);
	return t;
}

void told_announce(struct keeper *k, const struct told *t, enum role to, uint64_t id)
{
	char sha[65];
	hex_encode(t->sha256, 32, sha);
	keeper_send(k, to, "plan",
		    json_pack("{s:I, s:s, s:I, s:s*, s:s}", "id", (json_int_t)id, "vendor", t->vendor, "serial", (json_int_t)t->serial,
			      "sha256", t->serial ? sha : NULL, "flow", flow_names[t->flow]));
}

static json_t *text(struct span s)
{
	return json_stringn(s.at ? s.at : "", s.len);
}

json_t *resolve_body(uint64_t id, const struct contract *c)
{
	json_t *sources = json_array();
	for (size_t i = 0; i < c->sources_len; i++)
		json_array_append_new(sources, json_pack("{s:o, s:o}", "name", text(c->sources[i].name), "token", text(c->sources[i].token)));
	return json_pack("{s:I, s:o, s:o, s:o}", "id", (json_int_t)id, "vendor", text(c->vendor), "sources", sources, "credential",
			 text(c->credential));
}

static void tell_all(struct keeper *k, enum role to)
{
	for (size_t i = 0; i < k->told_len; i++)
		told_announce(k, &k->told[i], to, 0);
	keeper_send(k, to, "plans-end", json_object());
}

/* The last vendor's secrets have been looked for: whoever asked for plans meanwhile gets them now. */
static void started_one(struct keeper *k)
{
	if (--k->starting)
		return;
	for (enum role r = ROLE_GATE; r <= ROLE_COURIER; r++)
		if (k->waiting & 1U << r)
			tell_all(k, r);
	k->waiting = 0;
}

static void report_plan(struct keeper *k, const struct plan_file *p)
{
	struct decided x;
	keeper_decided(NULL, p, &x);
	json_t *body = decided_to_json(&x);
	json_object_set_new(body, "id", json_integer(0));
	json_object_set_new(body, "found", json_true());
	keeper_send(k, ROLE_STEWARD, "event", body);
}

/*
 * A plan that isn't ours, or damaged: its vendor is announced without a hash, so that gate and courier know it and keep
 * it closed.  Where a secret is missing, they keep it closed by themselves: they have no tokens, no credential.
 */
static bool start_vendor(void *arg, const char *vendor)
{
	struct keeper *k = arg;
	struct plan_file p;
	struct err err;
	int got = keeper_load(&k->books, vendor, &p, &err);
	if (got == 0)
		return true;
	if (got < 0) {
		say(SAY_ERROR, "plan-refused", "vendor", S(vendor), "why", S(err.msg), NULL);
		told_find(k, vendor, true)->flow = FLOW_QUARANTINED;
		return true;
	}
	struct told *t = told_find(k, vendor, true);
	t->serial = p.serial;
	t->flow = p.flow;
	memcpy(t->sha256, p.sha256, 32);
	report_plan(k, &p);
	if (p.flow == FLOW_QUARANTINED || !p.approved) {	/* nobody needs its secrets */
		t->open = true;
	} else {
		k->starting++;
		keeper_send(k, ROLE_SUPERVISOR, "resolve", resolve_body((uint64_t)(START_ID + (t - k->told)), p.contract));
	}
	plan_file_release(&p);
	return true;
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

static void on_plans(struct keeper *k, struct message *m)
{
	if (k->starting)
		k->waiting |= 1U << m->from;
	else
		tell_all(k, m->from);
}

static void on_decision(struct keeper *k, struct message *m)
{
	if (m->fds_len != 1)
		return;
	jobs_add(k, m->fds[0], false);
	m->fds[0] = -1;
}

static void on_refresh(struct keeper *k, struct message *m)
{
	const char *vendor = json_string_value(json_object_get(m->body, "vendor"));
	if (vendor && vendor_name_ok(vendor))
		jobs_refresh(k, vendor, json_integer_value(json_object_get(m->body, "id")));
}

/* Of the start; those of jobs went to jobs_take. */
static void on_resolved(struct keeper *k, struct message *m)
{
	json_int_t place = json_integer_value(json_object_get(m->body, "id")) - START_ID;
	if (place < 0 || (size_t)place >= k->told_len || !k->starting)
		return;
	const json_t *missing = json_object_get(m->body, "missing");
	for (size_t i = 0; i < json_array_size(missing); i++)
		say(SAY_ERROR, "secret-missing", "vendor", S(k->told[place].vendor), "why",
		    S(json_string_value(json_array_get(missing, i))), NULL);
	if (json_array_size(missing) == 0)
		k->told[place].open = true;
	started_one(k);
}

static void on_metrics(struct keeper *k, struct message *m)
{
	const struct copier_stats s = copier_stats(k->copier);
	const struct {
		const char *name, *type, *help;
		uint64_t n;
	} rows[] = {
		{"weir_exposures_total", "counter", "Exposures copied from the gate's log.", s.exposures},
		{"weir_exposure_position", "gauge", "The last frame of the gate's log whose exposures are in the ledger.", s.passed},
		{"weir_exposure_gaps_total", "counter", "Stretches of the gate's log that were damaged or missing.", s.gaps},
		{"weir_ledger_subjects", "gauge", "Identifiers that the ledger knows.", k->ledger ? ledger_stats(k->ledger).subjects : 0},
		{"weir_ledger_damaged", "gauge", "1: the ledger couldn't be opened and answers nothing.", !k->ledger},
		{"weir_tlog_entries", "gauge", "Leaves of the transparency log.", k->notary ? notary_size(k->notary) : 0},
		{"weir_tlog_damaged", "gauge", "1: the transparency log couldn't be opened and grows no more.", !k->notary},
	};
	struct buf b;
	buf_init(&b, 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		metrics_single(&b, rows[i].name, rows[i].type, rows[i].help, rows[i].n);
	metrics_head(&b, "weir_decisions_total", "counter", "Decisions of people and rules, by whether gate and courier confirmed them.");
	buf_addf(&b, "weir_decisions_total{result=\"done\"} %llu\nweir_decisions_total{result=\"failed\"} %llu\n",
		 (unsigned long long)k->decisions, (unsigned long long)k->refused);
	metrics_head(&b, "weir_vendor_closed", "gauge", "1: gate and courier haven't confirmed the vendor's plan, nothing of it passes.");
	for (size_t i = 0; i < k->told_len; i++)
		buf_addf(&b, "weir_vendor_closed{vendor=\"%s\"} %d\n", k->told[i].vendor, !k->told[i].open);
	keeper_send(k, ROLE_STEWARD, "metrics-text",
		    json_pack("{s:O*, s:s}", "id", json_object_get(m->body, "id"), "text", (const char *)b.data));
	buf_release(&b);
}

static void on_status(struct keeper *k, struct message *m)
{
	json_t *plans = json_array();
	for (size_t i = 0; i < k->told_len; i++)
		json_array_append_new(plans, json_pack("{s:s, s:I, s:s, s:b}", "vendor", k->told[i].vendor, "serial",
						       (json_int_t)k->told[i].serial, "flow", flow_names[k->told[i].flow], "announced",
						       k->told[i].open));
	keeper_send(k, ROLE_STEWARD, "status-is",
		    json_pack("{s:O*, s:o, s:I}", "id", json_object_get(m->body, "id"), "plans", plans, "passed",
			      (json_int_t)copier_stats(k->copier).passed));
}

static void on_stop(struct keeper *k, struct message *m)
{
	(void)m;
	keeper_copy(k);
	jobs_release(k);
	uv_stop(&k->loop);
}

static void on_question(struct keeper *k, struct message *m)
{
	if (m->fds_len != 1)
		return;
	questions_take(k, m->fds[0]);
	m->fds[0] = -1;
}

static void on_leaves(struct keeper *k, struct message *m)
{
	notarise_events(k, m);
}

static void on_ask(struct keeper *k, struct message *m)
{
	questions_ask(k, m);
}

static void on_arrived(struct keeper *k, struct message *m)
{
	questions_arrived(k, m);
}

static const struct {
	const char *verb;
	void (*handle)(struct keeper *k, struct message *m);
} verbs[] = {
	{"arrived", on_arrived},
	{"question", on_question}, {"ask", on_ask}, {"leaves", on_leaves},
	{"plans", on_plans}, {"decision", on_decision}, {"refresh", on_refresh}, {"resolved", on_resolved}, {"metrics", on_metrics}, {"status", on_status},
	{"stop", on_stop},
};

static void on_message(struct message *m, void *arg)
{
	struct keeper *k = arg;
	if (jobs_take(k, m))
		return;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verbs[i].verb, m->verb) == 0)
			verbs[i].handle(k, m);
}

/* ---- exposures -------------------------------------------------------------------------------------------------- */

void keeper_copy(struct keeper *k)
{
	struct err err;
	int64_t n = COPY_FRAMES;
	for (int i = 0; i < COPY_STEPS && n == COPY_FRAMES; i++)	/* decisions get their turn */
		n = copier_step(k->copier, COPY_FRAMES, &err);
	if (n < 0 && !k->copy_failing)
		say(SAY_ERROR, "exposures-held", "why", S(err.msg), NULL);
	if (n >= 0 && k->copy_failing)
		say(SAY_INFO, "exposures-resumed", NULL);
	k->copy_failing = n < 0;
	questions_fold(k, n >= 0 && n < COPY_FRAMES);
	notarise_due(k);
}

static void on_copy(uv_timer_t *t)
{
	keeper_copy(t->data);
}

/* ---- start ------------------------------------------------------------------------------------------------------ */

static int open_all(struct keeper *k, struct err *err)
{
	struct child *c = k->c;
	uint8_t subject[KEY_BYTES];
	k->books = (struct keeper_books){.io = &fio_os, .plans = child_fd(c, "plan")};
	if (crypt_init(err) < 0 || child_key(c, "plan_public", k->books.public_key, 32, err) < 0 ||
	    child_key(c, "signing_secret", k->books.secret, SIGN_SECRET_BYTES, err) < 0 ||
	    child_key(c, "subject", subject, sizeof subject, err) < 0)
		return -1;
	const struct log_mark *mark = shared_map(child_fd(c, "mark"), false, err);
	struct keeper_mark *passed = mark ? shared_map(child_fd(c, "keeper_mark"), true, err) : NULL;
	if (!passed)
		return -1;
	k->users = users_load();
	if (child_confine(c, err) < 0)
		return -1;
	if (copier_open(&fio_os, child_fd(c, "log"), mark, child_fd(c, "open"), passed, &k->copier, err) < 0)
		return -1;
	notarise_open(k);
	questions_open(k, subject);
	crypt_wipe(subject, sizeof subject);
	return 0;
}

static int begin(struct keeper *k, struct err *err)
{
	if (uv_loop_init(&k->loop) < 0)
		return err_set(err, ERR_IO, "no event loop");
	jobs_init(k);
	uv_timer_init(&k->loop, &k->copy_timer);
	k->copy_timer.data = k;
	if (open_all(k, err) < 0)
		return -1;
	if (door_open(k, child_fd(k->c, "cutoff"), err) < 0)
		return -1;
	if (channel_watch_start(&k->loop, &k->watch, k->c->channel, on_message, k, err) < 0)
		return -1;
	k->starting = 1;	/* so that it isn't over before the last was begun */
	if (keeper_vendors(&k->books, start_vendor, k, err) < 0)
		return -1;
	started_one(k);
	uv_timer_start(&k->copy_timer, on_copy, 0, COPY_MS);
	return child_ready(k->c, err);
}

int keeper_run(struct child *c)
{
	static struct keeper k;
	struct err err;
	k.c = c;
	if (begin(&k, &err) < 0) {
		say(SAY_ERROR, "start-failed", "why", S(err.msg), NULL);
		crypt_wipe(&k.books, sizeof k.books);
		return EXIT_FAILED;
	}
	uv_run(&k.loop, UV_RUN_DEFAULT);
	notarise_close(&k);
	questions_close(&k);
	copier_close(&k.copier);
	users_free(&k.users);
	free(k.told);
	crypt_wipe(&k.books, sizeof k.books);
	return 0;
}
