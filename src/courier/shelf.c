/* The queues without the process (courier.h). */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "courier/courier.h"
#include "courier/inside.h"

enum { FORGET_S = 600 };

struct stack {
	struct vendor v;
	struct stack *next;
};

struct shelf {
	struct shelf_place place;
	struct queue_keys keys;
	struct outcomes outcomes;
	struct stack *first;
	struct err err;		/* of the listing */
	bool failed;
};

static void snapshot(void *arg, struct outcome_list *l)
{
	const struct shelf *s = arg;
	for (const struct stack *k = s->first; k; k = k->next)
		vendor_snapshot(&k->v, l);
}

/*
 * Signed is enough here: what the plan lets go is shown, not done.  Whether a credential is there is for `weir serve` to
 * find out.
 */
static void learn_plan(struct shelf *s, struct vendor *v)
{
	struct plan_file p;
	struct err err;
	if (plan_file_read(s->place.io, s->place.plans, v->name, s->place.plan_public, NULL, &p, &err) < 0)
		return;
	vendor_plan(v, &p);
	vendor_credential(v, "unknown");
}

static bool open_one(void *arg, const char *name)
{
	struct shelf *s = arg;
	if (!vendor_name_good(name, strlen(name)))
		return true;
	struct stack *k = xcalloc(1, sizeof *k);
	vendor_init(&k->v, name, &s->outcomes);
	k->next = s->first;
	s->first = k;
	s->failed = queue_open(&k->v.queue, s->place.io, s->place.queue, name, &s->keys, outcomes_settled, &s->outcomes, &s->err) < 0;
	k->v.queue_ready = !s->failed;
	if (!s->failed)
		learn_plan(s, &k->v);
	return !s->failed;
}

static int open_all(struct shelf *s, struct err *err)
{
	const struct log_limits limits = {0};
	if (outcomes_open(&s->outcomes, s->place.io, s->place.own, &limits, snapshot, s, err) < 0)
		return -1;
	if (s->place.io->list(s->place.io->ctx, s->place.queue, open_one, s) < 0)
		return err_sys(err, "state/queue");
	if (s->failed) {
		*err = s->err;
		return -1;
	}
	outcomes_adopt(&s->outcomes);
	if (outcomes_commit(&s->outcomes, s->outcomes.passed, err) < 0)
		return -1;
	for (struct stack *k = s->first; k; k = k->next)
		vendor_tend(&k->v, clock_mono_ms(), clock_now(), FORGET_S);
	return 0;
}

int shelf_open(const struct shelf_place *p, struct shelf **out, struct err *err)
{
	struct shelf *s = xcalloc(1, sizeof *s);
	s->place = *p;
	memcpy(s->keys.public, p->public, sizeof s->keys.public);
	memcpy(s->keys.secret, p->secret, sizeof s->keys.secret);
	int r = open_all(s, err);
	if (r < 0)
		shelf_close(&s);
	*out = s;
	return r;
}

void shelf_close(struct shelf **p)
{
	struct shelf *s = *p;
	if (!s)
		return;
	for (struct stack *k; (k = s->first);) {
		s->first = k->next;
		vendor_release(&k->v);
		free(k);
	}
	outcomes_close(&s->outcomes);
	crypt_wipe(s, sizeof *s);
	free(s);
	*p = NULL;
}

json_t *shelf_queues(const struct shelf *s)
{
	json_t *list = json_array();
	for (const struct stack *k = s->first; k; k = k->next)
		json_array_append_new(list, vendor_status(&k->v));
	return list;
}

int shelf_drop(struct shelf *s, const char *vendor, uint64_t serial, uint64_t from, uint64_t to, uint64_t *dropped, struct err *err)
{
	const struct vendor_range r = {serial, from, to};
	struct stack *k = s->first;
	*dropped = 0;
	while (k && strcmp(k->v.name, vendor) != 0)
		k = k->next;
	if (!k)
		return 0;	/* nothing was ever queued */
	if (vendor_drop(&k->v, &r, clock_now(), dropped, err) < 0)
		return -1;
	return outcomes_commit(&s->outcomes, s->outcomes.passed, err);
}
