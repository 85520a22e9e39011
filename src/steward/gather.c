/* Asking the other processes for what they alone know, with a bound of a second. */
#include <stdlib.h>
#include <string.h>

#include "steward/private.h"

enum { GATHER_MS = 1000 };

static const enum role asked[] = {ROLE_SUPERVISOR, ROLE_GATE, ROLE_COURIER, ROLE_KEEPER, ROLE_PROBER};

struct gather {
	struct gather *next;
	struct steward *s;
	uv_timer_t timer;
	uint64_t id;
	unsigned waiting;	/* 1 << role */
	json_t *answers;
	gather_done done;
	void *arg;
};

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void finish(struct gather *g)
{
	for (struct gather **p = &g->s->gathers; *p; p = &(*p)->next)
		if (*p == g) {
			*p = g->next;
			break;
		}
	g->done(g->s, g->answers, g->arg);
	json_decref(g->answers);
	uv_close((uv_handle_t *)&g->timer, on_closed);
}

static void on_time(uv_timer_t *t)
{
	finish(t->data);
}

void gather_start(struct steward *s, const char *verb, gather_done done, void *arg)
{
	struct gather *g = xcalloc(1, sizeof *g);
	*g = (struct gather){.next = s->gathers, .s = s, .id = ++s->next_id, .answers = json_object(), .done = done, .arg = arg};
	s->gathers = g;
	uv_timer_init(&s->loop, &g->timer);
	g->timer.data = g;
	uv_timer_start(&g->timer, on_time, GATHER_MS, 0);
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		g->waiting |= 1U << asked[i];
		steward_send(s, asked[i], verb, json_pack("{s:I}", "id", (json_int_t)g->id), NULL, 0);
	}
}

bool gather_take(struct steward *s, const struct message *m)
{
	if (strcmp(m->verb, "metrics-text") != 0 && strcmp(m->verb, "status-is") != 0)
		return false;
	uint64_t id = (uint64_t)json_integer_value(json_object_get(m->body, "id"));
	for (struct gather *g = s->gathers; g; g = g->next) {
		if (g->id != id)
			continue;
		json_object_set(g->answers, role_names[m->from], m->body);
		g->waiting &= ~(1U << m->from);
		if (!g->waiting)
			finish(g);
		return true;
	}
	return true;	/* too late: nobody waits any more */
}
