/* Questions to the ledger: what is asked, and which function answers (design section 7). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ledger/answer.h"

enum { DAY_SECONDS = 86400, RECORDS_SHOWN = 100 };

json_t *day_json(int64_t day)
{
	char s[11];
	clock_format_day(day * DAY_SECONDS, s);
	return json_string(s);
}

json_t *count_json(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* ---- the request -------------------------------------------------------------------------------------------------------- */

static int text_of(const json_t *request, const char *name, char *out, size_t n, struct err *err)
{
	const json_t *v = json_object_get(request, name);
	const char *s = json_string_value(v);
	out[0] = 0;
	if (!v || json_is_null(v))
		return 0;
	if (!s || !*s || strlen(s) >= n)
		return err_set(err, ERR_INPUT, "`%s` is empty or too long", name);
	memcpy(out, s, strlen(s) + 1);
	return 0;
}

static int day_of(const json_t *request, const char *name, bool *given, int64_t *day, struct err *err)
{
	const json_t *v = json_object_get(request, name);
	const char *s = json_string_value(v);
	int64_t at;
	*given = v && !json_is_null(v);
	if (!*given)
		return 0;
	if (!s || !clock_parse(s, strlen(s), &at))
		return err_set(err, ERR_INPUT, "--%s: a day reads 2026-01-15", name);
	*day = at >= 0 ? at / DAY_SECONDS : (at - DAY_SECONDS + 1) / DAY_SECONDS;
	return 0;
}

int question_of(const struct ledger *l, const json_t *request, int64_t now, struct question *q, struct err *err)
{
	bool until;
	*q = (struct question){.until = now / DAY_SECONDS, .effective = INT64_MIN};
	if (text_of(request, "vendor", q->vendor, sizeof q->vendor, err) < 0 ||
	    text_of(request, "category", q->category, sizeof q->category, err) < 0 ||
	    text_of(request, "jurisdiction", q->jurisdiction, sizeof q->jurisdiction, err) < 0 ||
	    text_of(request, "field", q->field, sizeof q->field, err) < 0 ||
	    day_of(request, "since", &q->has_since, &q->since, err) < 0 || day_of(request, "until", &until, &q->until, err) < 0)
		return -1;
	if (!q->vendor[0])
		return err_set(err, ERR_INPUT, "which vendor?");
	if (q->jurisdiction[0] && strcmp(q->jurisdiction, "unknown") != 0 &&
	    (strlen(q->jurisdiction) != 2 || strspn(q->jurisdiction, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 2))
		return err_set(err, ERR_INPUT, "--jurisdiction is two capital letters (ISO 3166), or `unknown`");
	if (q->has_since && q->since > q->until)
		return err_set(err, ERR_INPUT, "--since is after --until");
	if (q->has_since)
		q->effective = ledger_reach(l, q->vendor, q->since);
	return 0;
}

/* ---- status ----------------------------------------------------------------------------------------------------------------- */

json_t *record_json(const struct record *r, int64_t day)
{
	char id[33], at[21];
	hex_encode(r->id, 16, id);
	clock_format(r->at, at);
	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:s, s:s}", "record", id, "what", record_names[r->what],
			 "vendor", r->vendor, "day", day_json(day), "at", at, "people",
			 r->people == UINT32_MAX ? json_null() : json_integer(r->people), "who", r->who, "why", r->why);
}

static json_t *erased_json(const struct erased *e, int64_t day)
{
	char id[33], at[21];
	hex_encode(e->id, 16, id);
	clock_format(e->at, at);
	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:I, s:s, s:s}", "record", id, "what", e->forced ? "erased, forced" : "erased", "vendor", "",
			 "day", day_json(day), "at", at, "people", (json_int_t)e->people, "who", e->who, "why", e->why);
}

static int ask_status(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	struct ledger_stats s = ledger_stats(l);
	size_t open = 0, closed = 0;
	json_t *records = json_array();
	(void)request;
	(void)subject;
	(void)now;
	json_object_set_new(answer, "records", records);
	ledger_forget_checks(l);
	if (ledger_check(l, SIZE_MAX, err) < 0)
		return -1;
	for (size_t i = 0; i < l->parts_n; i++) {
		open += l->parts[i]->generation == 0;
		closed += l->parts[i]->generation != 0;
		for (size_t k = 0; k < l->parts[i]->records_n; k++) {
			if (l->parts[i]->records[k].what == RECORD_ARRIVED)
				continue;
			json_array_append_new(records, record_json(&l->parts[i]->records[k], l->parts[i]->day));
			if (json_array_size(records) > RECORDS_SHOWN)
				json_array_remove(records, 0);
		}
		for (size_t k = 0; k < l->parts[i]->erased_n; k++)
			json_array_append_new(records, erased_json(&l->parts[i]->erased[k], l->parts[i]->day));
	}
	json_object_set_new(answer, "subjects", count_json(s.subjects));
	json_object_set_new(answer, "combos", count_json(l->combos.n));
	json_object_set_new(answer, "open_days", count_json(open));
	json_object_set_new(answer, "closed", count_json(closed));
	json_object_set_new(answer, "unreadable", count_json(s.unreadable));
	return 0;
}

static int ask_rebuild(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	(void)request;
	(void)subject;
	int n = ledger_roll_up(l, now / DAY_SECONDS, true, err);
	json_object_set_new(answer, "rebuilt", json_integer(n));
	return n < 0 ? -1 : 0;
}

/* ---- words ------------------------------------------------------------------------------------------------------------------ */

static const struct {
	const char *word;
	ask_function *ask;
} words[] = {
	{"blast", ask_blast},	  {"blast-list", ask_list},	 {"holdings", ask_holdings},	{"subject", ask_subject},
	{"resolve", ask_resolve}, {"ledger-status", ask_status}, {"ledger-rebuild", ask_rebuild}, {"ledger-record", NULL}, {"ledger-deleted", NULL},
	{"subject-restrict", NULL}, {"subject-release", NULL}, {"subject-erase", NULL},
};
enum { WORDS = sizeof words / sizeof *words };

bool ledger_word(const char *word, bool *writes)
{
	for (size_t i = 0; i < WORDS; i++)
		if (strcmp(words[i].word, word) == 0) {
			*writes = !words[i].ask;
			return true;
		}
	return false;
}

/* A roll-up that can't be read any more is gone: the days answer. */
static int ask_soundly(ask_function *f, struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	int r, sound;
	do {
		r = f(l, request, subject, now, answer, err);
		sound = ledger_sound(l, err);
		if (sound)
			json_object_clear(answer);
	} while (sound > 0);
	return sound < 0 ? -1 : r;
}

int ledger_ask(struct ledger *l, const json_t *request, struct pseudo *subject, int64_t now, json_t *answer, struct err *err)
{
	const char *word = json_string_value(json_object_get(request, "do"));
	if (l->damage.code) {
		*err = l->damage;
		return -1;
	}
	if (ledger_finish_erasing(l, err) < 0)
		return -1;
	persons_update(l);
	for (size_t i = 0; i < WORDS; i++)
		if (word && words[i].ask && strcmp(words[i].word, word) == 0)
			return ask_soundly(words[i].ask, l, request, subject, now, answer, err);
	return err_set(err, ERR_INPUT, "the ledger doesn't know the question");
}
