/*
 * Continuations: an answer with "ledger": [questions] and "then": a request.  The keeper is asked one question after the
 * other, and the request goes on with what it said; what that answers is put into the answer that waits.
 *
 * The answer never fails because the ledger doesn't answer: what was done (a cut-off) is done; "uncounted" says why.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "steward/desk.h"
#include "steward/private.h"

enum { COUNT_MS = 10000 };

struct count {
	struct count *next;
	struct steward *s;
	uv_timer_t timer;
	uint64_t id;
	size_t at;		/* question under way */
	json_t *answer, *questions, *then, *said;
	char who[WHO_MAX + 1];
	answer_done done;
	void *arg;
};

static void on_closed(uv_handle_t *h)
{
	struct count *c = h->data;
	json_decref(c->questions);
	json_decref(c->then);
	json_decref(c->said);
	free(c);
}

static void finish(struct count *c)
{
	for (struct count **p = &c->s->counts; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			break;
		}
	c->done(c->arg, c->answer);
	uv_close((uv_handle_t *)&c->timer, on_closed);
}

static void uncounted(struct count *c, const char *why)
{
	json_object_set_new(c->answer, "uncounted", json_string(why));
	finish(c);
}

static void on_time(uv_timer_t *t)
{
	uncounted(t->data, "the ledger did not answer");
}

static void ask(struct count *c)
{
	c->id = ++c->s->next_id;
	steward_send(c->s, ROLE_KEEPER, "ask",
		     json_pack("{s:I, s:O}", "id", (json_int_t)c->id, "request", json_array_get(c->questions, c->at)), NULL, 0);
}

void answer_merge(json_t *answer, json_t *more)
{
	struct err err;
	if (control_check(more, &err) < 0)
		json_object_set_new(answer, "uncounted", json_string(err.msg));
	else
		json_object_update(answer, more);
	json_decref(more);
}

static void go_on(struct count *c)
{
	json_object_set(c->then, "ledger", c->said);
	json_t *more = desk_do(c->s->registry, c->then, c->who, clock_now());
	json_object_del(more, "refresh");
	answer_merge(c->answer, more);
	finish(c);
}

bool answer_continues(json_t *answer, json_t **questions, json_t **then)
{
	struct err err;
	*questions = json_incref(json_object_get(answer, "ledger"));
	*then = json_incref(json_object_get(answer, "then"));
	json_object_del(answer, "ledger");
	json_object_del(answer, "then");
	if (*questions && *then && control_check(answer, &err) == 0)
		return true;
	json_decref(*questions);
	json_decref(*then);
	return false;
}

void steward_answer_count(struct steward *s, json_t *answer, const char *who, answer_done done, void *arg)
{
	json_t *questions, *then;
	if (!answer_continues(answer, &questions, &then)) {
		done(arg, answer);
		return;
	}
	struct count *c = xcalloc(1, sizeof *c);
	*c = (struct count){.next = s->counts, .s = s, .answer = answer, .questions = questions, .then = then, .said = json_array(),
			    .done = done, .arg = arg};
	snprintf(c->who, sizeof c->who, "%s", who);
	s->counts = c;
	uv_timer_init(&s->loop, &c->timer);
	c->timer.data = c;
	uv_timer_start(&c->timer, on_time, COUNT_MS, 0);
	ask(c);
}

void count_take(struct steward *s, struct message *m)
{
	uint64_t id = (uint64_t)json_integer_value(json_object_get(m->body, "id"));
	json_t *said = json_object_get(m->body, "answer");
	struct err err;
	struct count *c = s->counts;
	while (c && c->id != id)
		c = c->next;
	if (!c)
		return;	/* too late */
	if (control_check(said, &err) < 0) {
		uncounted(c, err.msg);
		return;
	}
	json_array_append(c->said, said);
	if (++c->at < json_array_size(c->questions))
		ask(c);
	else
		go_on(c);
}
