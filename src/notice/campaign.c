/*
 * Drafts, their release by a second person, and the state of every letter: words of the registry.
 *
 * A campaign is exactly these texts for exactly this list (both by digest).  Who planned it can't release it; another
 * text or another list is another campaign.  A letter belongs to a person and an incident, not to a campaign: whoever has
 * been told isn't told again by a wider list, only those newly in it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "crypt/crypt.h"
#include "notice/private.h"
#include "store/store.h"

enum { DRAFT_MAX = 64 << 10, GROUP_MAX = 64 };

enum letter { LETTER_SENDING, LETTER_ACCEPTED, LETTER_SOFT, LETTER_HARD, LETTER_UNCERTAIN, LETTERS };
static const char *const letter_names[LETTERS] = {"sending", "accepted", "soft", "hard", "uncertain"};

/* From which states a letter may be handed out for sending; `again`: a person decided that an uncertain one is resent. */
static const struct {
	bool lease, again;
} moves[LETTERS] = {
	[LETTER_SENDING] = {false, false}, [LETTER_ACCEPTED] = {false, false}, [LETTER_SOFT] = {true, true},
	[LETTER_HARD] = {false, true},	   [LETTER_UNCERTAIN] = {false, true},
};

static json_t *when(int64_t at)
{
	char text[21];
	clock_format(at, text);
	return json_string(text);
}

static int get_incident(struct registry *r, const json_t *request, struct incident *x, struct err *err)
{
	const json_t *id = json_object_get(request, "id");
	if (!json_is_integer(id))
		return err_set(err, ERR_INPUT, "which incident?");
	return incident_get(r, json_integer_value(id), x, err);
}

static int end(struct registry *r, int so_far, struct err *err)
{
	struct err second;
	int e = store_end(registry_store(r), so_far == 0, so_far == 0 ? err : &second);
	return so_far < 0 ? so_far : e;
}

static void hex_of(const uint8_t digest[static 32], char out[static 65])
{
	hex_encode(digest, 32, out);
}

/* ---- drafts ------------------------------------------------------------------------------------------------------ */

static int store_draft(struct registry *r, struct incident *x, const char *kind, const char *lang, const struct buf *text,
		       const json_t *missing, const char *who, int64_t at, uint8_t digest[static 32], struct err *err)
{
	char *absent = json_dumps(missing, JSON_COMPACT), *body = xstrndup((const char *)text->data, text->len), hex[65];
	crypt_sha256(text->data, text->len, digest);
	hex_of(digest, hex);
	int rc = store_begin(registry_store(r), err);
	if (rc == 0) {
		rc = store_run(registry_store(r), err,
			       "INSERT INTO notice_draft (incident, n, kind, lang, text, missing, digest, by, at) VALUES (?1,"
			       " (SELECT coalesce(max(n), 0) + 1 FROM notice_draft WHERE incident = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
			       "issssbsi", x->id, kind, lang, body, absent, digest, (size_t)32, who, at);
		if (rc == 0)
			rc = incident_do(r, x, ACT_DRAFT, who, "", at, json_pack("{s:s, s:s, s:s}", "kind", kind, "lang", lang, "sha256", hex), err);
		rc = end(r, rc, err);
	}
	free(absent);
	free(body);
	return rc;
}

static int draft_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *kind, *lang, *what;
	struct notice_sender from = {0};
	struct incident x;
	uint8_t digest[32];
	char hex[65];
	if (get_incident(r, request, &x, err) < 0 || incident_text(request, "kind", INCIDENT_WHY_MAX, true, &kind, err) < 0 ||
	    incident_text(request, "lang", INCIDENT_WHY_MAX, true, &lang, err) < 0 ||
	    incident_text(request, "what", INCIDENT_TEXT_MAX, false, &what, err) < 0 ||
	    incident_text(request, "organisation", INCIDENT_WHY_MAX, false, &from.organisation, err) < 0 ||
	    incident_text(request, "contact", INCIDENT_WHY_MAX, false, &from.contact, err) < 0 ||
	    incident_text(request, "site", INCIDENT_WHY_MAX, false, &from.site, err) < 0)
		return -1;
	json_t *facts = json_object(), *missing = json_array();
	struct buf text;
	buf_init(&text, DRAFT_MAX);
	int rc = incident_facts(r, x.id, at, facts, err);
	if (rc == 0)
		rc = notice_draft(kind, lang, facts, &from, what, at, &text, missing, err);
	if (rc == 0 && (text.over || !text.len))
		rc = err_set(err, ERR_LIMIT, "the draft is longer than %d bytes", DRAFT_MAX);
	if (rc == 0)
		rc = store_draft(r, &x, kind, lang, &text, missing, who, at, digest, err);
	if (rc == 0) {
		hex_of(digest, hex);
		json_object_set_new(answer, "kind", json_string(kind));
		json_object_set_new(answer, "lang", json_string(lang));
		json_object_set_new(answer, "text", json_stringn((const char *)text.data, text.len));
		json_object_set_new(answer, "sha256", json_string(hex));
		json_object_set(answer, "missing", missing);
		if (strcmp(kind, "authority") == 0)
			json_object_set_new(answer, "form", notice_form(facts, &from, what));
	}
	buf_release(&text);
	json_decref(facts);
	json_decref(missing);
	return rc;
}

/* ---- campaigns --------------------------------------------------------------------------------------------------- */

/* The newest letter in a language: its text, and its digest into the running concatenation. */
static int take_text(struct registry *r, int64_t id, const char *lang, json_t *texts, struct buf *sum, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT text, digest, missing FROM notice_draft WHERE incident = ? AND kind = 'people' AND lang = ? ORDER BY n DESC LIMIT 1",
			     "is", id, lang);
	if (got == 0)
		got = rows_next(&rows, err);
	if (got == 0) {
		got = err_set(err, ERR_CONFLICT, "there is no draft in %s: `weir incident draft %" PRId64 " --kind people --lang %s`", lang, id, lang);
	} else if (got == 1 && strcmp(rows_text(&rows, 2), "[]") != 0) {
		got = err_set(err, ERR_CONFLICT, "the draft in %s lacks %s: it can't be sent", lang, rows_text(&rows, 2));
	} else if (got == 1) {
		json_object_set_new(texts, lang, json_string(rows_text(&rows, 0)));
		buf_adds(sum, lang);
		buf_add(sum, rows_blob(&rows, 1).at, 32);
	}
	rows_end(&rows);
	return got == 1 ? 0 : -1;
}

struct campaign {
	int64_t id;
	char by[WHO_MAX + 1], released_by[WHO_MAX + 1];
	bool released;
	int64_t letters;
};

static int find_campaign(struct registry *r, int64_t incident, const uint8_t digest[32], int64_t id, struct campaign *c, struct err *err)
{
	struct rows rows;
	*c = (struct campaign){0};
	int got = digest ? store_rows(registry_store(r), &rows, err,
				      "SELECT id, by, released_by, letters FROM notice_campaign WHERE incident = ? AND digest = ?", "ib", incident,
				      digest, (size_t)32)
			 : store_rows(registry_store(r), &rows, err,
				      "SELECT id, by, released_by, letters FROM notice_campaign WHERE incident = ? AND id = ?", "ii", incident, id);
	if (got == 0)
		got = rows_next(&rows, err);
	if (got == 1) {
		c->id = rows_int(&rows, 0);
		snprintf(c->by, sizeof c->by, "%s", rows_text(&rows, 1));
		c->released = !rows_null(&rows, 2);
		snprintf(c->released_by, sizeof c->released_by, "%s", rows_text(&rows, 2));
		c->letters = rows_int(&rows, 3);
	}
	rows_end(&rows);
	return got;
}

static int new_campaign(struct registry *r, struct incident *x, const uint8_t digest[static 32], int64_t letters, const char *who, int64_t at,
			struct err *err)
{
	char hex[65];
	hex_of(digest, hex);
	if (store_begin(registry_store(r), err) < 0)
		return -1;
	int rc = store_run(registry_store(r), err, "INSERT INTO notice_campaign (incident, digest, letters, by, at) VALUES (?,?,?,?,?)", "ibisi", x->id,
			   digest, (size_t)32, letters, who, at);
	if (rc == 0)
		rc = incident_do(r, x, ACT_NOTIFY, who, "planned; another person releases it", at,
				 json_pack("{s:s, s:I}", "sha256", hex, "letters", (json_int_t)letters), err);
	return end(r, rc, err);
}

static int plan_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *audience;
	uint8_t list[32], digest[32];
	struct incident x;
	struct campaign c;
	size_t i;
	json_t *lang;
	const json_t *letters = json_object_get(request, "letters"), *langs = json_object_get(request, "langs");
	if (get_incident(r, request, &x, err) < 0 || incident_text(request, "audience", 64, true, &audience, err) < 0)
		return -1;
	if (!hex_decode(audience, strlen(audience), list, 32) || !json_is_integer(letters) || json_integer_value(letters) < 1 ||
	    json_array_size(langs) == 0 || json_array_size(langs) > LANGS)
		return err_set(err, ERR_INPUT, "a plan needs the list's digest, the number of letters and their languages");
	if (x.state != INCIDENT_OPEN)
		return err_set(err, ERR_CONFLICT, "incident %" PRId64 " is %s: only of an open one people are told", x.id, incident_state_names[x.state]);
	json_t *texts = json_object();
	struct buf sum;
	buf_init(&sum, 0);
	buf_add(&sum, list, 32);
	int rc = 0;
	json_array_foreach(langs, i, lang) {
		if (notice_lang(json_string_value(lang)) < 0)
			rc = err_set(err, ERR_INPUT, "there are letters in en and de");
		else if (rc == 0)
			rc = take_text(r, x.id, json_string_value(lang), texts, &sum, err);
		if (rc < 0)
			break;
	}
	if (rc == 0) {
		crypt_sha256(sum.data, sum.len, digest);
		rc = find_campaign(r, x.id, digest, 0, &c, err);
		if (rc == 0)
			rc = new_campaign(r, &x, digest, json_integer_value(letters), who, at, err) < 0 ? -1 : find_campaign(r, x.id, digest, 0, &c, err);
		rc = rc == 1 ? 0 : -1;
	}
	buf_release(&sum);
	if (rc == 0) {
		json_object_set_new(answer, "campaign", json_integer(c.id));
		json_object_set_new(answer, "by", json_string(c.by));
		json_object_set_new(answer, "released", json_boolean(c.released));
		json_object_set_new(answer, "released_by", c.released ? json_string(c.released_by) : json_null());
		json_object_set(answer, "texts", texts);
	}
	json_decref(texts);
	return rc;
}

static int release_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const json_t *id = json_object_get(request, "campaign");
	struct incident x;
	struct campaign c;
	if (get_incident(r, request, &x, err) < 0)
		return -1;
	if (!json_is_integer(id))
		return err_set(err, ERR_INPUT, "which campaign?");
	int got = find_campaign(r, x.id, NULL, json_integer_value(id), &c, err);
	if (got <= 0)
		return got < 0 ? -1 : err_set(err, ERR_NOTFOUND, "incident %" PRId64 " has no such campaign", x.id);
	if (c.released)
		return err_set(err, ERR_CONFLICT, "campaign %" PRId64 " was released already", c.id);
	if (strcmp(c.by, who) == 0)
		return err_set(err, ERR_DENIED, "%s planned it: another person releases it", c.by);
	if (store_begin(registry_store(r), err) < 0)
		return -1;
	int rc = store_run(registry_store(r), err, "UPDATE notice_campaign SET released_by = ?, released_at = ? WHERE id = ?", "sii", who, at, c.id);
	if (rc == 0)
		rc = incident_do(r, &x, ACT_RELEASE, who, "", at, json_pack("{s:I}", "campaign", (json_int_t)c.id), err);
	json_object_set_new(answer, "campaign", json_integer(c.id));
	json_object_set_new(answer, "letters", json_integer(c.letters));
	json_object_set_new(answer, "released_by", json_string(who));
	return end(r, rc, err);
}

/* ---- letters ----------------------------------------------------------------------------------------------------- */

static bool person_ok(const json_t *v)
{
	uint8_t id[SUBJECT_BYTES];
	return json_is_string(v) && hex_decode(json_string_value(v), json_string_length(v), id, sizeof id);
}

static int persons_ok(const json_t *list, struct err *err)
{
	size_t i;
	const json_t *v;
	if (json_array_size(list) == 0 || json_array_size(list) > GROUP_MAX)
		return err_set(err, ERR_INPUT, "a letter is for 1 to %d identifiers of a person", GROUP_MAX);
	json_array_foreach(list, i, v) if (!person_ok(v))
		return err_set(err, ERR_INPUT, "a person is a pseudonym of the ledger");
	return 0;
}

/* The state of a person's letter, -1: none, -2 with err. */
static int state_of(struct registry *r, int64_t incident, const char *person, char mailer[static 33], struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err, "SELECT state, mailer FROM notice_letter WHERE incident = ? AND person = ?", "is",
			     incident, person);
	if (got == 0)
		got = rows_next(&rows, err);
	int state = got == 1 ? (int)rows_int(&rows, 0) : got == 0 ? -1 : -2;
	snprintf(mailer, 33, "%s", got == 1 ? rows_text(&rows, 1) : "");
	rows_end(&rows);
	return state;
}

/*
 * May this letter go?  When every identifier of the person was told, or one is uncertain or under way: no.  *why is the
 * state that says so.
 */
static int may_send(struct registry *r, int64_t incident, const json_t *persons, bool again, bool *go, enum letter *why, struct err *err)
{
	size_t i;
	const json_t *v;
	char mailer[33];
	*go = false;
	*why = LETTER_ACCEPTED;
	json_array_foreach(persons, i, v) {
		int s = state_of(r, incident, json_string_value(v), mailer, err);
		if (s == -2)
			return -1;
		if (s >= 0 && s != LETTER_ACCEPTED && !(again ? moves[s].again : moves[s].lease)) {
			*go = false;
			*why = (enum letter)s;
			return 0;
		}
		if (s != LETTER_ACCEPTED)
			*go = true;
	}
	return 0;
}

static int lease(struct registry *r, int64_t incident, int64_t campaign, const json_t *persons, const char *mailer, int64_t at, struct err *err)
{
	size_t i;
	const json_t *v;
	json_array_foreach(persons, i, v) if (store_run(registry_store(r), err,
							"INSERT INTO notice_letter (incident, person, campaign, state, tries, mailer, at) VALUES (?1,?2,?3,0,1,?4,?5)"
							" ON CONFLICT (incident, person) DO UPDATE SET campaign = ?3, state = 0, tries = tries + 1, code = 0, mailer = ?4, at = ?5",
							"isisi", incident, json_string_value(v), campaign, mailer, at) < 0)
		return -1;
	return 0;
}

/* Only the run that sends it may say what became of it. */
static int settle(struct registry *r, int64_t incident, const json_t *done, const char *mailer, int64_t at, struct err *err)
{
	const char *name = json_string_value(json_object_get(done, "state"));
	const json_t *persons = json_object_get(done, "persons");
	int state = -1;
	size_t i;
	const json_t *v;
	for (int k = LETTER_ACCEPTED; name && k < LETTERS; k++)
		if (strcmp(letter_names[k], name) == 0)
			state = k;
	if (state < 0)
		return err_set(err, ERR_INPUT, "a letter is accepted, soft, hard or uncertain");
	if (persons_ok(persons, err) < 0)
		return -1;
	json_array_foreach(persons, i, v) {
		if (store_run(registry_store(r), err,
			      "UPDATE notice_letter SET state = ?, code = ?, at = ? WHERE incident = ? AND person = ? AND mailer = ? AND state IN (0, 4)",
			      "iiiiss", (int64_t)state, json_integer_value(json_object_get(done, "code")), at, incident, json_string_value(v), mailer) < 0)
			return -1;
		if (store_changed(registry_store(r)) != 1)
			return err_set(err, ERR_CONFLICT, "this letter wasn't under way here");
	}
	return 0;
}

/* One commit a letter: what became of the one before, and that the next one is under way. */
static int step_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const json_t *done = json_object_get(request, "done"), *next = json_object_get(request, "next"), *id = json_object_get(request, "campaign");
	const char *mailer;
	struct incident x;
	struct campaign c;
	bool go = false;
	enum letter why;
	(void)who;
	if (get_incident(r, request, &x, err) < 0 || incident_text(request, "mailer", 32, true, &mailer, err) < 0 ||
	    (next && persons_ok(json_object_get(next, "persons"), err) < 0))
		return -1;
	int got = find_campaign(r, x.id, NULL, json_integer_value(id), &c, err);
	if (got <= 0)
		return got < 0 ? -1 : err_set(err, ERR_NOTFOUND, "no such campaign");
	if (!c.released)
		return err_set(err, ERR_DENIED, "campaign %" PRId64 " waits for a second person: `weir incident release %" PRId64 " %" PRId64 "`", c.id, x.id,
			       c.id);
	if (next && x.state != INCIDENT_OPEN)
		return err_set(err, ERR_CONFLICT, "incident %" PRId64 " is %s", x.id, incident_state_names[x.state]);
	if (store_begin(registry_store(r), err) < 0)
		return -1;
	int rc = done ? settle(r, x.id, done, mailer, at, err) : 0;
	if (rc == 0 && next) {
		const json_t *persons = json_object_get(next, "persons");
		rc = may_send(r, x.id, persons, json_is_true(json_object_get(next, "again")), &go, &why, err);
		if (rc == 0 && go)
			rc = lease(r, x.id, c.id, persons, mailer, at, err);
		if (rc == 0)
			json_object_set_new(answer, "go", json_boolean(go));
		if (rc == 0 && !go)
			json_object_set_new(answer, "state", json_string(letter_names[why]));
	}
	return end(r, rc, err);
}

/* A run begins: what an earlier one left under way is uncertain. */
static int resume_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	struct incident x;
	const char *mailer;
	if (get_incident(r, request, &x, err) < 0 || incident_text(request, "mailer", 32, true, &mailer, err) < 0 ||
	    store_begin(registry_store(r), err) < 0)
		return -1;
	int rc = store_run(registry_store(r), err, "UPDATE notice_letter SET state = 4, at = ? WHERE incident = ? AND state = 0 AND mailer <> ?", "iis",
			   at, x.id, mailer);
	int64_t n = rc == 0 ? store_changed(registry_store(r)) : 0;
	if (rc == 0 && n)
		rc = incident_do(r, &x, ACT_NOTIFY, who, "a run ended unexpectedly: what it was sending is uncertain", at,
				 json_pack("{s:I}", "uncertain", (json_int_t)n), err);
	json_object_set_new(answer, "uncertain", json_integer(n));
	return end(r, rc, err);
}

/* A run ends: one event with its counts. */
static int finish_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	struct incident x;
	const json_t *counts = json_object_get(request, "counts");
	(void)answer;
	if (get_incident(r, request, &x, err) < 0)
		return -1;
	json_t *kept = json_object();
	static const char *const names[] = {"accepted", "soft", "hard", "uncertain", "already_told", "not_affected"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (json_is_integer(json_object_get(counts, names[i])))
			json_object_set(kept, names[i], json_object_get(counts, names[i]));
	if (store_begin(registry_store(r), err) < 0) {
		json_decref(kept);
		return -1;
	}
	return end(r, incident_do(r, &x, ACT_NOTIFY, who, "a run of letters ended", at, json_pack("{s:o}", "counts", kept), err), err);
}

/* ---- showing ----------------------------------------------------------------------------------------------------- */

static int list_drafts(struct registry *r, int64_t id, json_t *list, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT n, kind, lang, text, missing, digest, by, at FROM notice_draft WHERE incident = ? ORDER BY n", "i", id);
	while (got >= 0 && (got = rows_next(&rows, err)) == 1) {
		char hex[65];
		hex_encode(rows_blob(&rows, 5).at, 32, hex);
		json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:s, s:o, s:s, s:s, s:o}", "n", (json_int_t)rows_int(&rows, 0), "kind",
						      rows_text(&rows, 1), "lang", rows_text(&rows, 2), "text", rows_text(&rows, 3), "missing",
						      json_loads(rows_text(&rows, 4), 0, NULL), "sha256", hex, "by", rows_text(&rows, 6), "at",
						      when(rows_int(&rows, 7))));
	}
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static int list_campaigns(struct registry *r, int64_t id, json_t *list, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT id, letters, by, at, released_by, released_at FROM notice_campaign WHERE incident = ? ORDER BY id", "i", id);
	while (got >= 0 && (got = rows_next(&rows, err)) == 1)
		json_array_append_new(list, json_pack("{s:I, s:I, s:s, s:o, s:o, s:o}", "campaign", (json_int_t)rows_int(&rows, 0), "letters",
						      (json_int_t)rows_int(&rows, 1), "by", rows_text(&rows, 2), "at", when(rows_int(&rows, 3)),
						      "released_by", rows_null(&rows, 4) ? json_null() : json_string(rows_text(&rows, 4)), "released_at",
						      rows_null(&rows, 5) ? json_null() : when(rows_int(&rows, 5))));
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static int count_letters(struct registry *r, int64_t id, json_t *states, json_t *uncertain, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err, "SELECT state, count(*) FROM notice_letter WHERE incident = ? GROUP BY state", "i", id);
	for (int i = 0; i < LETTERS; i++)
		json_object_set_new(states, letter_names[i], json_integer(0));
	while (got >= 0 && (got = rows_next(&rows, err)) == 1)
		json_object_set_new(states, letter_names[rows_int(&rows, 0)], json_integer(rows_int(&rows, 1)));
	rows_end(&rows);
	if (got < 0)
		return -1;
	got = store_rows(registry_store(r), &rows, err, "SELECT person FROM notice_letter WHERE incident = ? AND state = 4 ORDER BY person LIMIT 1000",
			 "i", id);
	while (got >= 0 && (got = rows_next(&rows, err)) == 1)
		json_array_append_new(uncertain, json_string(rows_text(&rows, 0)));
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static int list_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	struct incident x;
	json_t *drafts = json_array(), *campaigns = json_array(), *letters = json_object(), *uncertain = json_array();
	(void)who;
	(void)at;
	json_object_set_new(answer, "drafts", drafts);
	json_object_set_new(answer, "campaigns", campaigns);
	json_object_set_new(answer, "letters", letters);
	json_object_set_new(answer, "uncertain", uncertain);
	if (get_incident(r, request, &x, err) < 0 || list_drafts(r, x.id, drafts, err) < 0 || list_campaigns(r, x.id, campaigns, err) < 0)
		return -1;
	return count_letters(r, x.id, letters, uncertain, err);
}

const struct registry_word notice_words[] = {
	{"notice-draft", draft_word}, {"notice-plan", plan_word},     {"notice-release", release_word}, {"notice-step", step_word},
	{"notice-resume", resume_word}, {"notice-finish", finish_word}, {"notice-list", list_word},	{NULL, NULL},
};
