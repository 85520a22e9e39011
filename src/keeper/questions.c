/*
 * Questions to the ledger: a caller's own connection, or the steward's `ask`.  An answer may be larger than a socket
 * takes at once: it is written as the caller reads it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/say.h"
#include "keeper/private.h"

enum { DAY_SECONDS = 86400, LATE_S = 60, REPLY_MS = 30000, FOLD_FRAMES = 1 << 16 };

struct reply {
	struct reply *next;
	struct keeper *k;
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned handles;
	char *line;
	size_t n, at;
};

/* ---- the ledger ----------------------------------------------------------------------------------------------------- */

static void lost(struct keeper *k, const struct err *err)
{
	k->ledger_err = *err;
	say(SAY_ERROR, "ledger-damaged", "why", S(err->msg), NULL);
	ledger_close(&k->ledger);
}

static bool seal(struct keeper *k)
{
	notarise_people(k);
	return notarise_days(k);
}

void questions_open(struct keeper *k, const uint8_t subject_key[static KEY_BYTES])
{
	struct ledger_place p = {.io = &fio_os, .dir = child_fd(k->c, "ledger"), .plans = k->books.plans};
	struct err err;
	memcpy(p.public_key, k->books.public_key, sizeof p.public_key);
	k->subject = pseudo_new(subject_key, 0);
	if (ledger_open(&p, copier_mark(k->copier), &k->ledger, &err) < 0)
		lost(k, &err);
	else	/* what a crash left without its leaf */
		seal(k);
}

/* Days end LATE_S behind midnight, so that what was received just before is in. */
static void end_days(struct keeper *k)
{
	struct err err;
	const struct ledger_stats before = ledger_stats(k->ledger);
	int n = ledger_close_days(k->ledger, (clock_now() - LATE_S) / DAY_SECONDS, &err);
	if (n < 0 && !k->close_failing)
		say(SAY_ERROR, "ledger-day-held", "why", S(err.msg), NULL);
	k->close_failing = n < 0;
	const struct ledger_stats now = ledger_stats(k->ledger);
	if (now.days_closed == before.days_closed && now.erasures == before.erasures)
		return;
	bool sealed = seal(k);
	if (now.days_closed != before.days_closed)
		say(SAY_INFO, "ledger-day-closed", "days", I(now.days_closed - before.days_closed), NULL);
	if (sealed && copier_release(k->copier, ledger_passed(k->ledger), &err) < 0)
		say(SAY_ERROR, "ledger-day-held", "why", S(err.msg), NULL);
}

/* Without them answers are as right, and slower. */
static void roll_up(struct keeper *k)
{
	struct err err;
	bool fails = ledger_roll_up(k->ledger, (clock_now() - LATE_S) / DAY_SECONDS, false, &err) < 0;
	if (fails && !k->rollup_failing)
		say(SAY_WARN, "ledger-rollup-held", "why", S(err.msg), NULL);
	k->rollup_failing = fails;
}

void questions_fold(struct keeper *k, bool caught_up)
{
	struct err err;
	if (!k->ledger)
		return;
	int64_t n;
	do
		n = ledger_catch_up(k->ledger, FOLD_FRAMES, &err);
	while (n == FOLD_FRAMES);
	if (n >= 0 && caught_up) {
		end_days(k);
		n = ledger_check(k->ledger, 1, &err);	/* what nobody has asked for yet: damage is seen soon after the start */
		roll_up(k);
	}
	if (n < 0)
		lost(k, &err);
}

/* ---- what has arrived ------------------------------------------------------------------------------------------------ */

static void note_arrival(struct keeper *k, const char *vendor, int64_t before)
{
	struct buf body;
	struct err err;
	buf_init(&body, LOG_BODY_MAX);
	ledger_arrived(vendor, before, clock_now(), &body);
	if (copier_record(k->copier, body.data, body.len, &err) < 0)	/* the next one will do */
		say(SAY_WARN, "arrival-not-noted", "vendor", S(vendor), "why", S(err.msg), NULL);
	buf_release(&body);
}

void questions_arrived(struct keeper *k, const struct message *m)
{
	const json_t *list = json_object_get(m->body, "vendors");
	bool noted = false;
	json_t *v;
	size_t i;
	json_decref(k->arrived);
	k->arrived = json_object();
	keeper_copy(k);
	json_array_foreach((json_t *)(uintptr_t)list, i, v) {
		const char *vendor = json_string_value(json_object_get(v, "vendor"));
		int64_t before = json_integer_value(json_object_get(v, "before"));
		if (!vendor || !vendor_name_ok(vendor))
			continue;
		json_object_set(k->arrived, vendor, v);
		if (k->ledger && before > 0 && ledger_arrived_due(k->ledger, vendor, before)) {
			note_arrival(k, vendor, before);
			noted = true;
		}
	}
	if (noted)
		keeper_copy(k);
}

/*
 * How many of a blast's events the vendor never got so far.  Which days they are of isn't known here: with some under way
 * the figure is told for the whole only.
 */
static json_t *undelivered(const struct keeper *k, const json_t *answer, const json_t *request)
{
	const char *vendor = json_string_value(json_object_get(answer, "vendor")), *until = json_string_value(json_object_get(answer, "until"));
	const json_t *v = k->arrived && vendor ? json_object_get(k->arrived, vendor) : NULL;
	json_int_t n = json_integer_value(json_object_get(v, "waiting")) + json_integer_value(json_object_get(v, "dead"));
	char today[11];
	clock_format_day(clock_now(), today);
	bool whole = until && strcmp(until, today) >= 0 && json_is_null(json_object_get(answer, "since")) && !json_is_string(json_object_get(request, "category")) &&
		     !json_is_string(json_object_get(request, "field"));
	return k->arrived && (n == 0 || whole) ? json_integer(n) : json_null();
}

static int record(struct keeper *k, const json_t *request, const char *who, json_t *answer, struct err *err)
{
	struct buf body;
	buf_init(&body, LOG_BODY_MAX);
	int r = ledger_record(request, k->subject, who, clock_now(), &body, err);
	if (r == 0)
		r = copier_record(k->copier, body.data, body.len, err);
	buf_release(&body);
	if (r < 0)
		return -1;
	say(SAY_INFO, "ledger-record", "do", S(json_string_value(json_object_get(request, "do"))), "vendor",
	    S(json_string_value(json_object_get(request, "vendor"))), "who", S(who), NULL);
	json_object_set(answer, "record", json_object_get(request, "record"));
	keeper_copy(k);
	return 0;
}

/* The log first has what is about to go, then the decision, then the days without them. */
static int people(struct keeper *k, const json_t *request, const char *who, json_t *answer, struct err *err)
{
	notarise_now(k);
	if (!k->notary || k->notary_err.code)
		return err_set(err, ERR_AGAIN, "the transparency log can't take it: %s", k->notary_err.msg);
	int r = keeper_people(k->copier, k->ledger, k->subject, request, who, answer, err);
	(void)seal(k);
	return r;
}

/* who NULL: the steward, which only asks. */
static json_t *answer_of(struct keeper *k, const json_t *request, const char *who)
{
	const char *word = json_string_value(json_object_get(request, "do"));
	json_t *answer = json_object();
	bool writes = false;
	struct err err;
	int r = 0;
	keeper_copy(k);
	if (!word || !ledger_word(word, &writes) || (writes && !who))
		r = err_set(&err, ERR_INPUT, "the ledger doesn't know the question");
	else if (!k->ledger)
		r = err_set(&err, k->ledger_err.code, "%s", k->ledger_err.msg);
	else if (k->copy_failing)
		r = err_set(&err, ERR_AGAIN, "the newest exposures can't be copied: an answer would leave them out");
	else if (keeper_people_word(word))
		r = people(k, request, who, answer, &err);
	else if (writes)
		r = record(k, request, who, answer, &err);
	else
		r = ledger_ask(k->ledger, request, k->subject, clock_now(), answer, &err);
	if (r == 0 && strcmp(word, "blast") == 0)
		json_object_set_new(answer, "events_undelivered", undelivered(k, answer, request));
	bool proof = json_is_true(json_object_get(request, "proof"));
	if (r == 0 && proof)
		r = writes ? err_set(&err, ERR_INPUT, "a decision has its leaf anyway") : notarise_answer(k, answer, &err);
	if (r == 0 && (proof || json_object_get(answer, "checkpoint"))) {	/* one that holds everything that the answer counts */
		notarise_now(k);
		json_object_set_new(answer, "checkpoint", k->notary ? notary_checkpoint(k->notary) : json_null());
	}
	if (r == 0) {
		json_object_set_new(answer, "ok", json_true());
		return answer;
	}
	json_decref(answer);
	return control_refusal(&err);
}

void questions_ask(struct keeper *k, const struct message *m)
{
	json_t *answer = answer_of(k, json_object_get(m->body, "request"), NULL);
	keeper_send(k, ROLE_STEWARD, "answer", json_pack("{s:O*, s:o}", "id", json_object_get(m->body, "id"), "answer", answer));
}

/* ---- callers -------------------------------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *h)
{
	struct reply *r = h->data;
	if (--r->handles)
		return;
	for (struct reply **p = &r->k->replies; *p; p = &(*p)->next)
		if (*p == r) {
			*p = r->next;
			break;
		}
	close(r->fd);
	free(r->line);
	free(r);
}

static void reply_close(struct reply *r)
{
	if (r->handles)
		return;
	r->handles = 2;
	uv_close((uv_handle_t *)&r->poll, on_closed);
	uv_close((uv_handle_t *)&r->timer, on_closed);
}

static void on_late(uv_timer_t *t)
{
	reply_close(t->data);
}

static void on_writable(uv_poll_t *h, int status, int events)
{
	struct reply *r = h->data;
	(void)events;
	while (status == 0 && r->at < r->n) {
		ssize_t n = send(r->fd, r->line + r->at, r->n - r->at, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break;
		r->at += (size_t)n;
	}
	reply_close(r);
}

/* Takes answer and fd over. */
static void reply(struct keeper *k, int fd, json_t *answer)
{
	struct reply *r = xcalloc(1, sizeof *r);
	*r = (struct reply){.next = k->replies, .k = k, .fd = fd};
	r->line = control_line(answer, &r->n);
	json_decref(answer);
	if (uv_poll_init(&k->loop, &r->poll, fd) < 0) {
		close(fd);
		free(r->line);
		free(r);
		return;
	}
	uv_timer_init(&k->loop, &r->timer);
	r->poll.data = r->timer.data = r;
	k->replies = r;
	uv_poll_start(&r->poll, UV_WRITABLE, on_writable);
	uv_timer_start(&r->timer, on_late, REPLY_MS, 0);
}

void questions_take(struct keeper *k, int fd)
{
	char *line = xmalloc(CONTROL_DECISION_MAX), who[WHO_MAX + 1];
	json_t *request = NULL, *answer;
	struct err err;
	control_greet(fd);
	ssize_t n = recv(fd, line, CONTROL_DECISION_MAX, MSG_DONTWAIT);
	char *end = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
	int r = end ? control_parse(line, (size_t)(end - line), &request, &err)
		    : err_set(&err, ERR_SYNTAX, "a question is one line of at most %d bytes", CONTROL_DECISION_MAX);
	free(line);
	if (r == 0)
		r = control_peer(fd, k->users, who, sizeof who, &err);
	answer = r == 0 ? answer_of(k, request, who) : control_refusal(&err);
	json_decref(request);
	reply(k, fd, answer);
}

void questions_close(struct keeper *k)
{
	for (struct reply *r = k->replies; r; r = r->next)
		close(r->fd);	/* the process ends: its handles go with it */
	ledger_close(&k->ledger);
	pseudo_free(&k->subject);
	json_decref(k->arrived);
}
