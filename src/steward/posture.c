/*
 * Probes of vendors' hosts: on demand, and by themselves when due.  The prober looks, the registry keeps; the newest grade
 * is then there for assurance, whose turn comes at the next tick.
 */
#include "posture/book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/say.h"
#include "steward/private.h"

enum { PROBE_MS = 28000, LOOK_MS = 5000, AT_ONCE = 4, HOUR = 3600 };

struct probing {
	struct probing *next;
	struct steward *s;
	uv_timer_t timer;
	uint64_t id;
	char vendor[VENDOR_MAX + 1];
	answer_done done;	/* NULL: nobody waits */
	void *arg;
};

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static json_t *answer_of(const struct probing *p, const json_t *report)
{
	json_t *a = json_pack("{s:s, s:O}", "vendor", p->vendor, "report", (json_t *)(uintptr_t)report);
	json_object_set_new(a, "ok", json_true());
	return a;
}

/* report NULL: err says why there is none. */
static void finish(struct probing *p, const json_t *report, const struct err *err)
{
	struct steward *s = p->s;
	struct err e;
	bool changed = false;
	for (struct probing **x = &s->probes; *x; x = &(*x)->next)
		if (*x == p) {
			*x = p->next;
			break;
		}
	int r = report ? posture_record(s->registry, p->vendor, report, clock_now(), &changed, &e) : posture_missed(s->registry, p->vendor, clock_now(), &e);
	if (r < 0 || !report)
		say(SAY_WARN, "posture-failed", "vendor", S(p->vendor), "why", S(r < 0 ? e.msg : err->msg), NULL);
	if (changed) {
		say(SAY_INFO, "posture-changed", "vendor", S(p->vendor), "grade", S(json_string_value(json_object_get(report, "grade"))), NULL);
		tick_soon(s);
	}
	if (p->done)
		p->done(p->arg, r < 0 ? control_refusal(&e) : report ? answer_of(p, report) : control_refusal(err));
	uv_close((uv_handle_t *)&p->timer, on_closed);
}

static void on_time(uv_timer_t *t)
{
	struct err err;
	err_set(&err, ERR_AGAIN, "the prober did not answer in time");
	finish(t->data, NULL, &err);
}

static void start(struct steward *s, const char *vendor, const char *url, answer_done done, void *arg)
{
	struct probing *p = xcalloc(1, sizeof *p);
	*p = (struct probing){.next = s->probes, .s = s, .id = ++s->next_id, .done = done, .arg = arg};
	snprintf(p->vendor, sizeof p->vendor, "%s", vendor);
	s->probes = p;
	uv_timer_init(&s->loop, &p->timer);
	p->timer.data = p;
	uv_timer_start(&p->timer, on_time, PROBE_MS, 0);
	steward_send(s, ROLE_PROBER, "probe",
		     json_pack("{s:I, s:s, s:s, s:s}", "id", (json_int_t)p->id, "vendor", vendor, "url", url, "profile",
			       posture_profile_names[PROFILE_API]), NULL, 0);
}

void posture_take(struct steward *s, struct message *m)
{
	uint64_t id = (uint64_t)json_integer_value(json_object_get(m->body, "id"));
	const json_t *report = json_object_get(m->body, "report");
	const char *why = json_string_value(json_object_get(m->body, "why"));
	struct err err;
	for (struct probing *p = s->probes; p; p = p->next) {
		if (p->id != id)
			continue;
		if (!report)
			err_set(&err, ERR_INPUT, "the prober can't look there: %s", why ? why : "it doesn't say why");
		finish(p, report, &err);
		return;
	}
}

void posture_run(struct steward *s, const json_t *request, answer_done done, void *arg)
{
	const char *vendor = json_string_value(json_object_get(request, "vendor"));
	char url[POSTURE_URL_MAX];
	struct err err;
	size_t running = 0;
	for (const struct probing *p = s->probes; p; p = p->next)
		running++;
	int r = vendor ? posture_upstream(s->registry, vendor, url, &err) : err_set(&err, ERR_INPUT, "which vendor?");
	if (r == 0 && running >= 2 * AT_ONCE)
		r = err_set(&err, ERR_AGAIN, "%zu probes are under way; ask again", running);
	if (r < 0)
		done(arg, control_refusal(&err));
	else
		start(s, vendor, url, done, arg);
}

/* ---- by themselves ---------------------------------------------------------------------------------------------- */

static bool under_way(const struct steward *s, const char *vendor, size_t *running)
{
	bool found = false;
	*running = 0;
	for (const struct probing *p = s->probes; p; p = p->next) {
		++*running;
		found |= strcmp(p->vendor, vendor) == 0;
	}
	return found;
}

static void look(uv_timer_t *t)
{
	struct steward *s = t->data;
	int64_t hours = child_int(s->c, "posture_hours", 24);
	json_t *due = NULL;
	struct err err;
	char url[POSTURE_URL_MAX];
	size_t running;
	if (posture_due(s->registry, clock_now(), hours * HOUR, &due, &err) < 0)
		say(SAY_ERROR, "posture-failed", "vendor", S(""), "why", S(err.msg), NULL);
	for (size_t i = 0; i < json_array_size(due); i++) {
		const char *vendor = json_string_value(json_array_get(due, i));
		if (!under_way(s, vendor, &running) && running < AT_ONCE && posture_upstream(s->registry, vendor, url, &err) == 0)
			start(s, vendor, url, NULL, NULL);
	}
	json_decref(due);
}

void posture_start(struct steward *s)
{
	uv_timer_init(&s->loop, &s->posture);
	s->posture.data = s;
	if (child_int(s->c, "posture_hours", 24) > 0)
		uv_timer_start(&s->posture, look, LOOK_MS, LOOK_MS);
}
