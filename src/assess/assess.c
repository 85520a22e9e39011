/* Assessments in the registry: tables assessment, assess_answer, evidence (registry/schema.c), and their words. */
#include <stdio.h>
#include <string.h>

#include "assess/inside.h"
#include "base/clock.h"
#include "store/store.h"

enum { DAY_SECONDS = 86400 };

struct row {
	int64_t id, started, reviewed;	/* id 0: none */
	char standard[64];
};

/* reviewed_first: the one that counts; else the newest, which takes answers. */
static int find(struct registry *r, const char *vendor, const char *standard, bool reviewed_first, struct row *out, struct err *err)
{
	struct rows rows;
	*out = (struct row){0};
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT id, started, coalesce(reviewed, 0), standard FROM assessment"
			     " WHERE vendor = ?1 AND (?2 IS NULL OR standard = ?2)"
			     " ORDER BY CASE WHEN ?3 AND reviewed IS NULL THEN 1 ELSE 0 END, id DESC LIMIT 1", "ssi", vendor, standard,
			     (int64_t)reviewed_first);
	if (got == 0)
		got = rows_next(&rows, err);
	if (got == 1) {
		*out = (struct row){rows_int(&rows, 0), rows_int(&rows, 1), rows_int(&rows, 2), ""};
		snprintf(out->standard, sizeof out->standard, "%s", rows_text(&rows, 3));
	}
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

static int read_answers(struct registry *r, int64_t id, json_t *out, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err, "SELECT control, answer, note, at, who FROM assess_answer WHERE assessment = ?", "i", id);
	while (got >= 0 && (got = rows_next(&rows, err)) == 1)
		json_object_set_new(out, rows_text(&rows, 0),
				    json_pack("{s:s, s:s, s:I, s:s, s:[]}", "answer", rows_text(&rows, 1), "note", rows_text(&rows, 2), "at",
					      (json_int_t)rows_int(&rows, 3), "who", rows_text(&rows, 4), "evidence"));
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static int read_evidence(struct registry *r, int64_t id, json_t *out, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT control, name, sha256, bytes, valid_until, at FROM evidence WHERE assessment = ? ORDER BY id", "i", id);
	while (got >= 0 && (got = rows_next(&rows, err)) == 1) {
		char hex[65] = "";
		if (rows_blob(&rows, 2).len == 32)
			hex_encode(rows_blob(&rows, 2).at, 32, hex);
		json_array_append_new(json_object_get(json_object_get(out, rows_text(&rows, 0)), "evidence"),
				      json_pack("{s:s, s:s, s:I, s:o, s:I}", "name", rows_text(&rows, 1), "sha256", hex, "bytes",
						(json_int_t)rows_int(&rows, 3), "valid_until",
						rows_null(&rows, 4) ? json_null() : json_integer(rows_int(&rows, 4)), "at",
						(json_int_t)rows_int(&rows, 5)));
	}
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static int score(struct registry *r, const char *vendor, const struct row *w, int64_t at, json_t **out, struct err *err)
{
	const json_t *q = questionnaire_find(w->standard);
	json_t *answers = json_object(), *seen = json_object();
	int rc = q ? 0 : err_set(err, ERR_CORRUPT, "an assessment against a standard that this Weir doesn't know");
	if (rc == 0)
		rc = read_answers(r, w->id, answers, err);
	if (rc == 0)
		rc = read_evidence(r, w->id, answers, err);
	if (rc == 0)
		rc = assess_seen(r, vendor, q, seen, err);
	if (rc == 0)
		*out = assess_score(q, answers, seen, at);
	json_decref(answers);
	json_decref(seen);
	return rc;
}

int assess_state(struct registry *r, const char *vendor, const char *standard, int64_t at, struct assess_state *out, struct err *err)
{
	struct row w;
	json_t *s;
	*out = (struct assess_state){0};
	if (find(r, vendor, standard, true, &w, err) < 0)
		return -1;
	if (!w.id)
		return 0;
	if (score(r, vendor, &w, at, &s, err) < 0)
		return -1;
	const json_t *expired = json_object_get(s, "evidence_expired");
	*out = (struct assess_state){
		.there = true, .complete = json_is_true(json_object_get(s, "complete")),
		.score = (int)json_integer_value(json_object_get(s, "score")), .reviewed = w.reviewed, .expired = json_array_size(expired),
	};
	if (out->expired)
		snprintf(out->which, sizeof out->which, "%s", json_string_value(json_array_get(expired, 0)));
	json_decref(s);
	return 0;
}

/* ---- requests ------------------------------------------------------------------------------------------------------ */

static int take_vendor(struct registry *r, const json_t *request, const char **vendor, struct err *err)
{
	struct registry_vendor v;
	*vendor = json_string_value(json_object_get(request, "vendor"));
	if (!*vendor || !vendor_name_ok(*vendor))
		return err_set(err, ERR_INPUT, "which vendor?");
	if (registry_vendor(r, *vendor, &v, err) < 0)
		return -1;
	registry_vendor_release(&v);
	return 0;
}

static int take_standard(const json_t *request, const json_t **q, struct err *err)
{
	const json_t *v = json_object_get(request, "standard");
	const char *name = v ? json_string_value(v) : "mvsp";
	*q = name ? questionnaire_find(name) : NULL;
	return *q ? 0 : err_set(err, ERR_INPUT, "this Weir knows no standard of that name; it knows: mvsp");
}

static bool text_ok(const json_t *v, size_t max)
{
	return !v || (json_is_string(v) && json_string_length(v) <= max && strlen(json_string_value(v)) == json_string_length(v));
}

static int check_evidence(const json_t *e, struct err *err)
{
	const json_t *name = json_object_get(e, "name"), *sha = json_object_get(e, "sha256"), *end = json_object_get(e, "valid_until");
	const json_t *bytes = json_object_get(e, "bytes");
	uint8_t digest[32];
	int64_t at;
	if (!name || !text_ok(name, ASSESS_NAME_MAX) || json_string_length(name) == 0)
		return err_set(err, ERR_INPUT, "evidence needs a name of at most %d bytes", ASSESS_NAME_MAX);
	if (!json_is_string(sha) || !hex_decode(json_string_value(sha), json_string_length(sha), digest, 32))
		return err_set(err, ERR_INPUT, "evidence needs its SHA-256");
	if (bytes && (!json_is_integer(bytes) || json_integer_value(bytes) < 0))
		return err_set(err, ERR_INPUT, "the evidence's size is a count of bytes");
	if (end && (!json_is_string(end) || json_string_length(end) != 10 || !clock_parse(json_string_value(end), 10, &at)))
		return err_set(err, ERR_INPUT, "valid until is a date such as 2027-01-31");
	return 0;
}

static int check_answer(const json_t *q, const json_t *a, struct err *err)
{
	const char *control = json_string_value(json_object_get(a, "control")), *answer = json_string_value(json_object_get(a, "answer"));
	const json_t *note = json_object_get(a, "note"), *evidence = json_object_get(a, "evidence");
	bool known = false;
	if (!control || !questionnaire_control(q, control))
		return err_set(err, ERR_INPUT, "%s has no such control", json_string_value(json_object_get(q, "id")));
	for (int i = 0; answer && i < ANSWERS; i++)
		known |= strcmp(answer, answer_names[i]) == 0;
	if (!known)
		return err_set(err, ERR_INPUT, "%s: an answer is yes, partial, no or na", control);
	if (!text_ok(note, ASSESS_NOTE_MAX))
		return err_set(err, ERR_INPUT, "%s: a note has at most %d bytes", control, ASSESS_NOTE_MAX);
	if (strcmp(answer, "na") == 0 && json_string_length(note) == 0)
		return err_set(err, ERR_INPUT, "%s: `na` needs a note that says why", control);
	if ((evidence && !json_is_array(evidence)) || json_array_size(evidence) > ASSESS_EVIDENCE_MAX)
		return err_set(err, ERR_INPUT, "%s: evidence is a list of at most %d", control, ASSESS_EVIDENCE_MAX);
	for (size_t i = 0; i < json_array_size(evidence); i++)
		if (check_evidence(json_array_get(evidence, i), err) < 0)
			return err_prefix(err, "%s: ", control);
	return 0;
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static int start(struct registry *r, const char *vendor, const json_t *q, const char *who, const char *why, int64_t at, int64_t *id,
		 struct err *err)
{
	const char *standard = json_string_value(json_object_get(q, "id")), *version = json_string_value(json_object_get(q, "version"));
	if (store_run(registry_store(r), err, "INSERT INTO assessment (vendor, standard, version, started, by) VALUES (?,?,?,?,?)", "sssis", vendor,
		      standard, version, at, who) < 0)
		return -1;
	*id = store_last_id(registry_store(r));
	return registry_note(r, vendor, "assess-start", who, why, at,
			     json_pack("{s:s, s:s, s:I}", "standard", standard, "version", version, "assessment", (json_int_t)*id), NULL, err);
}

static int put_evidence(struct registry *r, int64_t id, const char *control, const json_t *e, const char *who, int64_t at, struct err *err)
{
	const json_t *end = json_object_get(e, "valid_until"), *sha = json_object_get(e, "sha256");
	const char *name = json_string_value(json_object_get(e, "name"));
	int64_t bytes = json_integer_value(json_object_get(e, "bytes")), until;
	uint8_t digest[32];
	must(hex_decode(json_string_value(sha), json_string_length(sha), digest, 32));
	if (!end)
		return store_run(registry_store(r), err, "INSERT INTO evidence (assessment, control, name, sha256, bytes, at, who) VALUES (?,?,?,?,?,?,?)",
				 "issbiis", id, control, name, digest, (size_t)32, bytes, at, who);
	must(clock_parse(json_string_value(end), 10, &until));
	return store_run(registry_store(r), err,
			 "INSERT INTO evidence (assessment, control, name, sha256, bytes, valid_until, at, who) VALUES (?,?,?,?,?,?,?,?)", "issbiiis", id,
			 control, name, digest, (size_t)32, bytes, until + DAY_SECONDS, at, who);
}

static int put_answer(struct registry *r, int64_t id, const json_t *a, const char *who, int64_t at, struct err *err)
{
	const char *control = json_string_value(json_object_get(a, "control")), *note = json_string_value(json_object_get(a, "note"));
	const json_t *evidence = json_object_get(a, "evidence");
	if (store_run(registry_store(r), err,
		      "INSERT INTO assess_answer (assessment, control, answer, note, at, who) VALUES (?1,?2,?3,?4,?5,?6)"
		      " ON CONFLICT (assessment, control) DO UPDATE SET answer = ?3, note = ?4, at = ?5, who = ?6", "isssis", id, control,
		      json_string_value(json_object_get(a, "answer")), note ? note : "", at, who) < 0)
		return -1;
	if (evidence && store_run(registry_store(r), err, "DELETE FROM evidence WHERE assessment = ? AND control = ?", "is", id, control) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(evidence); i++)
		if (put_evidence(r, id, control, json_array_get(evidence, i), who, at, err) < 0)
			return -1;
	return 0;
}

/* Marks it reviewed when it became complete; renew: also when it was before. */
static int review(struct registry *r, const char *vendor, struct row *w, bool renew, int64_t at, json_t *answer, struct err *err)
{
	json_t *s;
	if (score(r, vendor, w, at, &s, err) < 0)
		return -1;
	bool complete = json_is_true(json_object_get(s, "complete"));
	static const char *const shown[] = {"score", "complete", "unanswered"};
	for (size_t i = 0; i < 3; i++)
		json_object_set(answer, shown[i], json_object_get(s, shown[i]));
	json_object_set_new(answer, "vendor", json_string(vendor));
	json_object_set_new(answer, "standard", json_string(w->standard));
	json_decref(s);
	if (!complete || (w->reviewed && !renew))
		return 0;
	return store_run(registry_store(r), err, "UPDATE assessment SET reviewed = ? WHERE id = ?", "ii", at, w->id);
}

static int save(struct registry *r, const char *vendor, const json_t *q, const json_t *list, const char *kind, const char *who, int64_t at,
		json_t *answer, struct err *err)
{
	struct row w;
	const char *standard = json_string_value(json_object_get(q, "id"));
	if (find(r, vendor, standard, false, &w, err) < 0)
		return -1;
	snprintf(w.standard, sizeof w.standard, "%s", standard);
	if (!w.id && start(r, vendor, q, who, "with its first answers", at, &w.id, err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (put_answer(r, w.id, json_array_get(list, i), who, at, err) < 0)
			return -1;
	/* The answers are in the event: what was said stays said. */
	if (registry_note(r, vendor, kind, who, "", at,
			  json_pack("{s:I, s:O}", "assessment", (json_int_t)w.id, "answers", (json_t *)(uintptr_t)list), NULL, err) < 0)
		return -1;
	return review(r, vendor, &w, strcmp(kind, "assess-import") == 0, at, answer, err);
}

static int save_all(struct registry *r, const char *vendor, const json_t *q, const json_t *list, const char *kind, const char *who, int64_t at,
		    json_t *answer, struct err *err)
{
	struct err second;
	if (store_begin(registry_store(r), err) < 0)
		return -1;
	int rc = save(r, vendor, q, list, kind, who, at, answer, err);
	int end = store_end(registry_store(r), rc == 0, rc == 0 ? err : &second);
	return rc < 0 ? rc : end;
}

/* ---- words --------------------------------------------------------------------------------------------------------- */

static int do_start(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *vendor, *why = json_string_value(json_object_get(request, "why"));
	const json_t *q;
	struct err second;
	int64_t id;
	if (take_vendor(r, request, &vendor, err) < 0 || take_standard(request, &q, err) < 0)
		return -1;
	if (!text_ok(json_object_get(request, "why"), WHY_MAX))
		return err_set(err, ERR_INPUT, "the reason (--why) has at most %d bytes", WHY_MAX);
	if (store_begin(registry_store(r), err) < 0)
		return -1;
	int rc = start(r, vendor, q, who, why ? why : "", at, &id, err);
	int end = store_end(registry_store(r), rc == 0, rc == 0 ? err : &second);
	if (rc < 0 || end < 0)
		return -1;
	json_object_set_new(answer, "vendor", json_string(vendor));
	json_object_set(answer, "standard", json_object_get(q, "id"));
	json_object_set(answer, "version", json_object_get(q, "version"));
	json_object_set_new(answer, "controls", json_integer((json_int_t)json_array_size(json_object_get(q, "controls"))));
	return 0;
}

static int do_answer(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *vendor;
	const json_t *q;
	if (take_vendor(r, request, &vendor, err) < 0 || take_standard(request, &q, err) < 0 || check_answer(q, request, err) < 0)
		return -1;
	json_t *one = json_object(), *list;
	static const char *const members[] = {"control", "answer", "note", "evidence"};
	for (size_t i = 0; i < 4; i++)
		if (json_object_get(request, members[i]))
			json_object_set(one, members[i], json_object_get(request, members[i]));
	list = json_pack("[o]", one);
	int rc = save_all(r, vendor, q, list, "assess-answer", who, at, answer, err);
	json_decref(list);
	return rc;
}

static int do_import(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *vendor;
	const json_t *q, *list = json_object_get(request, "answers");
	if (take_vendor(r, request, &vendor, err) < 0 || take_standard(request, &q, err) < 0)
		return -1;
	if (!json_equal(json_object_get(request, "version"), json_object_get(q, "version")))
		return err_set(err, ERR_INPUT, "the answers are to another version of the standard");
	if (json_array_size(list) == 0)
		return err_set(err, ERR_INPUT, "the file answers nothing");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *a = json_array_get(list, i);
		if (check_answer(q, a, err) < 0)
			return -1;
		for (size_t k = 0; k < i; k++)
			if (json_equal(json_object_get(a, "control"), json_object_get(json_array_get(list, k), "control")))
				return err_set(err, ERR_INPUT, "a control is answered twice");
	}
	return save_all(r, vendor, q, list, "assess-import", who, at, answer, err);
}

static int do_show(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *vendor;
	const json_t *q;
	struct row w;
	json_t *s;
	(void)who;
	if (take_vendor(r, request, &vendor, err) < 0 || take_standard(request, &q, err) < 0)
		return -1;
	bool newest = json_is_true(json_object_get(request, "newest"));
	if (find(r, vendor, json_string_value(json_object_get(q, "id")), !newest, &w, err) < 0)
		return -1;
	snprintf(w.standard, sizeof w.standard, "%s", json_string_value(json_object_get(q, "id")));
	if (!w.id && !newest)	/* a file to fill in may come before anything was started */
		return err_set(err, ERR_NOTFOUND, "%s was never assessed; `weir assess start %s` begins", vendor, vendor);
	if (score(r, vendor, &w, at, &s, err) < 0)
		return -1;
	json_object_update(answer, s);
	json_decref(s);
	static const char *const members[] = {"title", "version", "source", "wording"};
	for (size_t i = 0; i < 4; i++)
		json_object_set(answer, members[i], json_object_get(q, members[i]));
	json_object_set_new(answer, "vendor", json_string(vendor));
	json_object_set_new(answer, "standard", json_string(w.standard));
	json_object_set_new(answer, "started", w.id ? json_integer(w.started) : json_null());
	json_object_set_new(answer, "reviewed", w.reviewed ? json_integer(w.reviewed) : json_null());
	return 0;
}

const struct registry_word assess_words[] = {
	{"assess-start", do_start}, {"assess-answer", do_answer}, {"assess-import", do_import}, {"assess-show", do_show},
	{NULL, NULL},
};
