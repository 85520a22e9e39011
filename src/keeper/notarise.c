/*
 * The keeper's hand in the transparency log.  When the log is damaged or can't be written, exposures and decisions go on:
 * open/ keeps what has no leaf, and the registry's outbox what it wasn't told.
 */
#include "base/clock.h"
#include "base/say.h"
#include "keeper/private.h"

enum { BATCH_MS = 10000 };

static void lost(struct keeper *k, const struct err *err)
{
	k->notary_err = *err;
	say(SAY_ERROR, "tlog-damaged", "why", S(err->msg), NULL);
	notary_close(&k->notary);
}

/* A full disk passes; what is damaged stays so until somebody looks. */
static void failed(struct keeper *k, const struct err *err)
{
	if (err->code == ERR_CORRUPT || err->code == ERR_CRYPTO)
		lost(k, err);
	else if (k->notary_err.code != err->code)
		say(SAY_ERROR, "tlog-held", "why", S(err->msg), NULL);
	k->notary_err = *err;
}

void notarise_open(struct keeper *k)
{
	struct notary_place p = {.io = &fio_os, .tlog = child_fd(k->c, "tlog"), .open = child_fd(k->c, "open"), .mark = copier_mark(k->copier),
				 .secret = k->books.secret};
	struct err err;
	memcpy(p.public_key, k->books.public_key, sizeof p.public_key);
	if (notary_open(&p, &k->notary, &err) < 0)
		lost(k, &err);
	k->batched_ms = clock_mono_ms();
}

void notarise_close(struct keeper *k)
{
	if (k->notary)
		notarise_now(k);
	notary_close(&k->notary);
}

void notarise_now(struct keeper *k)
{
	struct err err;
	k->batched_ms = clock_mono_ms();
	if (!k->notary)
		return;
	if (notary_batch(k->notary, clock_now(), &err) < 0)
		failed(k, &err);
	else
		k->notary_err.code = 0;
}

void notarise_due(struct keeper *k)
{
	if (clock_mono_ms() - k->batched_ms >= BATCH_MS)
		notarise_now(k);
}

void notarise_people(struct keeper *k)
{
	struct err err;
	if (k->notary && notary_people(k->notary, k->ledger, clock_now(), &err) < 0)
		failed(k, &err);
}

bool notarise_days(struct keeper *k)
{
	struct err err;
	notarise_now(k);
	if (k->notary && notary_days(k->notary, k->ledger, clock_now(), &err) < 0)
		failed(k, &err);
	return k->notary && k->notary_err.code == 0;
}

int notarise_answer(struct keeper *k, const json_t *answer, struct err *err)
{
	if (!k->notary)
		return err_set(err, ERR_AGAIN, "the transparency log can't take it: %s", k->notary_err.msg);
	if (notary_answer(k->notary, k->ledger, clock_now(), answer, err) == 0)
		return 0;
	failed(k, err);
	return err_prefix(err, "the transparency log can't take it: ");
}

void notarise_events(struct keeper *k, const struct message *m)
{
	json_t *leaves = json_array(), *body;
	const json_t *taken = json_object_get(m->body, "taken");
	struct err err = k->notary_err;
	int r = k->notary ? notary_events(k->notary, json_object_get(m->body, "events"), json_is_integer(taken) ? json_integer_value(taken) : -1,
					  leaves, &err)
			  : -1;
	if (r < 0 && k->notary)
		failed(k, &err);
	/* Those before the one that failed have their places. */
	body = r == 0 ? json_pack("{s:b}", "ok", 1) : control_refusal(&err);
	json_object_set_new(body, "leaves", leaves);
	json_object_set(body, "id", json_object_get(m->body, "id"));
	keeper_send(k, ROLE_STEWARD, "leaves-done", body);
}
