/* What the processes say to one another and to the supervisor: it passes on what is allowed and answers what is meant for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/metrics.h"
#include "base/say.h"
#include "supervisor/inside.h"

enum { BURST = 32, HELD_MAX = 4096 };

/* ---- messages out ---------------------------------------------------------------------------------------------- */

static void hold(struct proc *p, struct packet *k)
{
	if (p->held_len >= HELD_MAX) {
		say(SAY_ERROR, "message-lost", "to", S(role_names[p->role]), "verb", S(k->head.verb), "why", S("too many wait"), NULL);
		packet_release(k);
		return;
	}
	struct held *h = xcalloc(1, sizeof *h);
	h->packet = *k;
	*p->last = h;
	p->last = &h->next;
	p->held_len++;
}

void messages_flush(struct proc *p)
{
	while (p->first && proc_alive(p)) {
		struct held *h = p->first;
		if (packet_send(p->channel, &h->packet) <= 0)
			return;
		p->first = h->next;
		if (!p->first)
			p->last = &p->first;
		p->held_len--;
		packet_release(&h->packet);
		free(h);
	}
}

void messages_drop(struct proc *p)
{
	for (struct held *h; (h = p->first);) {
		p->first = h->next;
		packet_release(&h->packet);
		free(h);
	}
}

/* Takes the packet over. */
static void deliver(struct supervisor *s, struct packet *k)
{
	struct proc *p = &s->procs[k->head.to];
	if (!(s->o->roles >> p->role & 1) || p->state == GONE) {
		packet_release(k);
		return;
	}
	hold(p, k);
	messages_flush(p);
}

void message_send(struct supervisor *s, enum role to, const char *verb, json_t *body)
{
	struct packet k;
	struct err err;
	if (packet_make(to, verb, body, NULL, 0, &k, &err) < 0)
		say(SAY_ERROR, "message-lost", "to", S(role_names[to]), "verb", S(verb), "why", S(err.msg), NULL);
	else
		deliver(s, &k);
}

/* ---- messages to the supervisor itself ------------------------------------------------------------------------- */

static void send_secrets(struct supervisor *s, const char *vendor, enum role role)
{
	json_t *body = secrets_for(&s->secrets, vendor, role);
	if (body)
		message_send(s, role, "secrets", body);
}

static void send_both(struct supervisor *s, const char *vendor)
{
	send_secrets(s, vendor, ROLE_GATE);
	send_secrets(s, vendor, ROLE_COURIER);
}

void messages_secrets(struct supervisor *s, enum role role)
{
	const char *vendor;
	json_t *entry;
	json_object_foreach(s->secrets.vendors, vendor, entry)
		send_secrets(s, vendor, role);
}

static void announce(struct supervisor *s)
{
	struct err err;
	for (enum role r = ROLE_GATE; r < ROLES; r++)
		if (s->o->roles >> r & 1 && s->procs[r].state != READY)
			return;
	if (s->announced)
		return;
	s->announced = true;
	if (handout_write_ready(&s->hand, &err) < 0)
		say(SAY_ERROR, "ready-file", "why", S(err.msg), NULL);
	printf("weir: ready gate=%s api=%s\n", s->hand.gate_url, s->hand.api_url);
	fflush(stdout);
}

static void on_ready(struct supervisor *s, struct message *m)
{
	struct proc *p = &s->procs[m->from];
	if (p->state != STARTING)
		return;
	p->state = READY;
	p->failures = 0;
	say(SAY_INFO, "process-ready", "role", S(role_names[p->role]), "pid", I(p->pid), NULL);
	announce(s);
}

static void on_pong(struct supervisor *s, struct message *m)
{
	s->procs[m->from].pinged = false;
	s->procs[m->from].silent = s->procs[m->from].hung = 0;
}

static void on_resolve(struct supervisor *s, struct message *m)
{
	const char *vendor = json_string_value(json_object_get(m->body, "vendor"));
	json_t *id = json_object_get(m->body, "id"), *missing = secrets_resolve(&s->secrets, s->hand.folder, m->body);
	if (vendor && json_array_size(missing) == 0 && !json_is_true(json_object_get(m->body, "hold")))
		send_both(s, vendor);
	message_send(s, ROLE_KEEPER, "resolved", json_pack("{s:O*, s:o}", "id", id, "missing", missing));
}

static void on_hand_over(struct supervisor *s, struct message *m)
{
	const char *vendor = json_string_value(json_object_get(m->body, "vendor"));
	if (vendor && secrets_release_held(&s->secrets, vendor))
		send_both(s, vendor);
}

static void on_status(struct supervisor *s, struct message *m)
{
	json_t *list = json_array();
	for (enum role r = ROLE_GATE; r < ROLES; r++) {
		const struct proc *p = &s->procs[r];
		if (s->o->roles >> r & 1)
			json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:b}", "process", role_names[r], "state",
							      proc_states[p->state], "pid", (json_int_t)p->pid, "restarts",
							      (json_int_t)p->restarts, "silent", proc_silent(p)));
	}
	message_send(s, m->from, "status-is", json_pack("{s:O*, s:o}", "id", json_object_get(m->body, "id"), "processes", list));
}

static void on_metrics(struct supervisor *s, struct message *m)
{
	struct buf b;
	buf_init(&b, 0);
	metrics_head(&b, "weir_process_restarts_total", "counter", "Restarts of a process since the start of Weir.");
	for (enum role r = ROLE_GATE; r < ROLES; r++)
		if (s->o->roles >> r & 1)
			buf_addf(&b, "weir_process_restarts_total{process=\"%s\"} %llu\n", role_names[r],
				 (unsigned long long)s->procs[r].restarts);
	metrics_head(&b, "weir_process_up", "gauge", "1: the process is ready and answers the supervisor.");
	for (enum role r = ROLE_GATE; r < ROLES; r++)
		if (s->o->roles >> r & 1)
			buf_addf(&b, "weir_process_up{process=\"%s\"} %d\n", role_names[r], s->procs[r].state == READY && !proc_silent(&s->procs[r]));
	message_send(s, m->from, "metrics-text", json_pack("{s:O*, s:s}", "id", json_object_get(m->body, "id"), "text", (const char *)b.data));
	buf_release(&b);
}

static const struct {
	const char *verb;
	void (*handle)(struct supervisor *s, struct message *m);
} own_verbs[] = {
	{"ready", on_ready},
	{"pong", on_pong},
	{"resolve", on_resolve},
	{"hand-over", on_hand_over},
	{"status", on_status},
	{"metrics", on_metrics},
};

static void take(struct supervisor *s, struct packet *k)
{
	struct message m;
	struct err err;
	enum role from = (enum role)k->head.from;
	if (packet_open(k, &m, &err) < 0) {
		say(SAY_ERROR, "message-bad", "from", S(role_names[from]), "why", S(err.msg), NULL);
		return;
	}
	for (size_t i = 0; i < sizeof own_verbs / sizeof *own_verbs; i++)
		if (strcmp(own_verbs[i].verb, m.verb) == 0)
			own_verbs[i].handle(s, &m);
	message_release(&m);
}

static void route(struct supervisor *s, struct proc *p, struct packet *k)
{
	k->head.from = (uint8_t)p->role;	/* whatever it claims */
	if (!ipc_allowed(k->head.from, k->head.to, k->head.verb, k->fds_len - k->head.in_memfd)) {
		say(SAY_ERROR, "message-refused", "from", S(role_names[p->role]), "to",
		    S(k->head.to < ROLES ? role_names[k->head.to] : "nobody"), "verb", S(k->head.verb), NULL);
		packet_release(k);
	} else if (k->head.to == ROLE_SUPERVISOR) {
		take(s, k);
	} else {
		deliver(s, k);
	}
}

void messages_read(struct supervisor *s, struct proc *p)
{
	struct packet k;
	struct err err;
	for (int i = 0; i < BURST; i++) {
		int r = packet_receive(p->channel, &k, &err);
		if (r == 0)
			return;
		if (r < 0 && err.code == ERR_CORRUPT) {
			say(SAY_ERROR, "message-bad", "from", S(role_names[p->role]), "why", S(err.msg), NULL);
			continue;
		}
		if (r < 0) {	/* it is dying; SIGCHLD says the rest */
			close(p->channel);
			p->channel = -1;
			return;
		}
		route(s, p, &k);
	}
}
