/* Decisions about people: restrict, release, erase.  What they do to the ledger's files stands in ledger/erase.c. */
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/say.h"
#include "keeper/keeper.h"
#include "ledger/ledger.h"

static const char restrict_word[] = "subject-restrict", release_word[] = "subject-release", erase_word[] = "subject-erase";

bool keeper_people_word(const char *word)
{
	return strcmp(word, restrict_word) == 0 || strcmp(word, release_word) == 0 || strcmp(word, erase_word) == 0;
}

static int catch_up(struct ledger *l, struct err *err)
{
	return ledger_catch_up(l, SIZE_MAX, err) < 0 ? -1 : 0;
}

static int restrict_people(struct copier *c, struct ledger *l, struct pseudo *subject, const json_t *request, const char *who, json_t *answer,
			   struct err *err)
{
	struct buf body;
	buf_init(&body, LOG_BODY_MAX);
	int r = ledger_restrict(l, request, subject, who, clock_now(), &body, answer, err);
	if (r == 0)
		r = copier_record(c, body.data, body.len, err);
	buf_release(&body);
	return r < 0 ? -1 : catch_up(l, err);
}

/* What is open closes first: then nobody stands in open/ but behind the erasure. */
static int erase_people(struct copier *c, struct ledger *l, struct pseudo *subject, const json_t *request, const char *who, json_t *answer,
			struct err *err)
{
	struct buf body;
	if (ledger_close_days(l, INT64_MAX, err) < 0)
		return -1;
	buf_init(&body, LOG_BODY_MAX);
	int r = ledger_erase(l, request, subject, who, clock_now(), copier_stats(c).passed, &body, answer, err);
	if (r == 0 && body.len)
		r = copier_erase(c, body.data, body.len, err);
	if (r == 0)
		r = catch_up(l, err);
	if (r == 0)
		r = ledger_finish_erasing(l, err);
	buf_release(&body);
	return r < 0 ? -1 : copier_release(c, ledger_passed(l), err);
}

int keeper_people(struct copier *c, struct ledger *l, struct pseudo *subject, const json_t *request, const char *who, json_t *answer, struct err *err)
{
	const char *word = json_string_value(json_object_get(request, "do"));
	bool erases = word && strcmp(word, erase_word) == 0;
	if ((erases ? erase_people : restrict_people)(c, l, subject, request, who, answer, err) < 0)
		return -1;
	json_object_set(answer, "record", json_object_get(request, "record"));
	say(SAY_INFO, "people-decided", "do", S(word), "identifiers", I(json_integer_value(json_object_get(answer, "identifiers"))), "who", S(who), NULL);
	return 0;
}
