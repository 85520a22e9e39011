/*
 * Plans that follow what rules and incidents ask: the registry holds the ask, the keeper signs, and whoever waits is
 * told when gate and courier confirmed.  Who waits sends a request of their own, since one on its way may be answered from
 * an older ask; the tick doesn't ask again while one is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/say.h"
#include "steward/desk.h"
#include "steward/private.h"

/* taken up: the keeper says at once that it has it; alone: the next tick asks again */
enum { TAKEN_UP_MS = 1000, REFRESH_MS = 8000, ALONE_MS = 2000, TICK_MS = 1000 };

struct refresh {
	struct refresh *next;
	struct steward *s;
	uv_timer_t timer;
	uint64_t id;
	char vendor[VENDOR_MAX + 1];
	refresh_done done;
	void *arg;
};

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void finish(struct refresh *f, const struct err *err)
{
	for (struct refresh **p = &f->s->refreshes; *p; p = &(*p)->next)
		if (*p == f) {
			*p = f->next;
			break;
		}
	if (f->done)
		f->done(f->arg, err);
	uv_close((uv_handle_t *)&f->timer, on_closed);
}

static void on_time(uv_timer_t *t)
{
	struct refresh *f = t->data;
	struct err err;
	err_set(&err, ERR_AGAIN, "%s: the ask is recorded, but the keeper did not answer", f->vendor);
	finish(f, &err);
}

void steward_refresh(struct steward *s, const char *vendor, refresh_done done, void *arg)
{
	struct refresh *f = xcalloc(1, sizeof *f);
	*f = (struct refresh){.next = s->refreshes, .s = s, .id = ++s->next_id, .done = done, .arg = arg};
	snprintf(f->vendor, sizeof f->vendor, "%s", vendor);
	s->refreshes = f;
	uv_timer_init(&s->loop, &f->timer);
	f->timer.data = f;
	uv_timer_start(&f->timer, on_time, done ? TAKEN_UP_MS : ALONE_MS, 0);
	steward_send(s, ROLE_KEEPER, "refresh", json_pack("{s:I, s:s}", "id", (json_int_t)f->id, "vendor", f->vendor), NULL, 0);
}

static struct refresh *find(struct steward *s, const struct message *m)
{
	uint64_t id = (uint64_t)json_integer_value(json_object_get(m->body, "id"));
	struct refresh *f = s->refreshes;
	while (f && f->id != id)
		f = f->next;
	return f;
}

void refresh_taken_up(struct steward *s, struct message *m)
{
	struct refresh *f = find(s, m);
	if (f && f->done)
		uv_timer_start(&f->timer, on_time, REFRESH_MS, 0);
}

void refresh_take(struct steward *s, struct message *m)
{
	struct err err;
	struct refresh *f = find(s, m);
	if (!f)
		return;	/* too late */
	if (control_check(m->body, &err) < 0) {
		say(SAY_WARN, "refresh-failed", "vendor", S(f->vendor), "why", S(err.msg), NULL);
		finish(f, &err);
		return;
	}
	if (desk_refreshed(s->registry, m->body, &err) < 0)
		say(SAY_ERROR, "refresh-not-noted", "vendor", S(f->vendor), "why", S(err.msg), NULL);
	finish(f, NULL);
}

/* ---- an answer that waits ---------------------------------------------------------------------------------------- */

struct waiting {
	json_t *answer;
	size_t left;
	struct err err;
	bool failed;
	answer_done done;
	void *arg;
};

static void answered(struct waiting *w)
{
	if (w->failed) {
		json_t *no = control_refusal(&w->err);
		json_object_update(w->answer, no);
		json_decref(no);
	}
	w->done(w->arg, w->answer);
	free(w);
}

static void one_done(void *arg, const struct err *err)
{
	struct waiting *w = arg;
	if (err && !w->failed) {
		w->err = *err;
		w->failed = true;
	}
	if (--w->left == 0)
		answered(w);
}

void steward_answer_after(struct steward *s, json_t *answer, answer_done done, void *arg)
{
	json_t *vendors = json_incref(json_object_get(answer, "refresh"));
	struct waiting *w = xcalloc(1, sizeof *w);
	*w = (struct waiting){.answer = answer, .left = json_array_size(vendors) + 1, .done = done, .arg = arg};
	json_object_del(answer, "refresh");
	for (size_t i = 0; i < json_array_size(vendors); i++)
		steward_refresh(s, json_string_value(json_array_get(vendors, i)), one_done, w);
	json_decref(vendors);
	one_done(w, NULL);	/* so that it isn't over before the last was asked for */
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

static bool on_its_way(const struct steward *s, const char *vendor)
{
	for (const struct refresh *f = s->refreshes; f; f = f->next)
		if (strcmp(f->vendor, vendor) == 0)
			return true;
	return false;
}

static void on_tick(uv_timer_t *t)
{
	struct steward *s = t->data;
	json_t *vendors = json_array();
	if (s->stopping) {
		uv_timer_stop(t);
	} else {
		desk_tick(s->registry, clock_now(), vendors);
		leaves_tick(s);
	}
	for (size_t i = 0; i < json_array_size(vendors); i++) {
		const char *v = json_string_value(json_array_get(vendors, i));
		if (!on_its_way(s, v))
			steward_refresh(s, v, NULL, NULL);
	}
	json_decref(vendors);
}

void tick_soon(struct steward *s)
{
	uv_timer_start(&s->tick, on_tick, 0, TICK_MS);
}

void tick_start(struct steward *s)
{
	uv_timer_init(&s->loop, &s->tick);
	s->tick.data = s;
	tick_soon(s);
}
