#include "posture/book.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "contract/contract.h"
#include "contract/model.h"
#include "posture/report.h"
#include "store/store.h"

/* ---- which hosts ------------------------------------------------------------------------------------------------ */

int posture_upstream(struct registry *r, const char *vendor, char url[static POSTURE_URL_MAX], struct err *err)
{
	struct registry_vendor v;
	struct registry_contract c;
	if (registry_vendor(r, vendor, &v, err) < 0)
		return -1;
	int64_t version = v.version;
	registry_vendor_release(&v);
	if (registry_contract(r, vendor, version, &c, err) < 0)
		return -1;
	struct contract *k = contract_from_json(c.json, c.json_len, err);
	registry_contract_release(&c);
	if (!k)
		return -1;
	snprintf(url, POSTURE_URL_MAX, "%.*s", (int)k->upstream.len, k->upstream.at);
	contract_free(&k);
	return *url ? 0 : err_set(err, ERR_NOTFOUND, "%s: its contract names no upstream", vendor);
}

static int probed_at(struct registry *r, const char *vendor, int64_t *at, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err, "SELECT at FROM posture_probe WHERE vendor = ?", "s", vendor);
	if (got == 0)
		got = rows_next(&rows, err);
	*at = got == 1 ? rows_int(&rows, 0) : INT64_MIN / 2;
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static bool take_approved(void *arg, const struct registry_vendor *v)
{
	if (v->life == LIFE_APPROVED)
		json_array_append_new(arg, json_string(v->vendor));
	return true;
}

int posture_due(struct registry *r, int64_t at, int64_t interval, json_t **vendors, struct err *err)
{
	json_t *all = json_array();
	char url[POSTURE_URL_MAX];
	int64_t last;
	int rc = registry_vendors(r, take_approved, all, err);
	*vendors = json_array();
	for (size_t i = 0; rc == 0 && i < json_array_size(all); i++) {
		const char *vendor = json_string_value(json_array_get(all, i));
		struct err none;
		rc = probed_at(r, vendor, &last, err);
		if (rc == 0 && at - last >= interval && posture_upstream(r, vendor, url, &none) == 0 && strncmp(url, "https://", 8) == 0)
			json_array_append_new(*vendors, json_string(vendor));
	}
	json_decref(all);
	return rc;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static int newest_grade(struct registry *r, const char *vendor, char grade[static 4], struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err, "SELECT grade FROM posture_grade WHERE vendor = ? ORDER BY at DESC, id DESC LIMIT 1", "s",
			     vendor);
	if (got == 0)
		got = rows_next(&rows, err);
	snprintf(grade, 4, "%.3s", got == 1 ? rows_text(&rows, 0) : "");
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static int write_probe(struct registry *r, const char *vendor, int64_t at, struct err *err)
{
	return store_run(registry_store(r), err, "INSERT INTO posture_probe VALUES (?, ?) ON CONFLICT (vendor) DO UPDATE SET at = excluded.at", "si", vendor,
			 at);
}

static int write_results(struct registry *r, const char *vendor, const char *host, const struct posture_report *p, int64_t at, struct err *err)
{
	struct store *s = registry_store(r);
	int rc = store_run(s, err, "DELETE FROM posture_result WHERE vendor = ?", "s", vendor);
	for (size_t i = 0; rc == 0 && i < p->findings_len; i++) {
		const struct posture_finding *f = &p->findings[i];
		rc = store_run(s, err, "INSERT INTO posture_result VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", "sssisssii", vendor, host, f->rule->id,
			       (int64_t)f->rule->version, f->outcome ? f->outcome->name : NULL, posture_verdict_names[f->verdict], f->evidence, at, (int64_t)i);
	}
	return rc;
}

struct record {
	const char *vendor, *host, *target;
	const struct posture_report *report;
	enum posture_profile profile;
	int64_t at;
};

static int write_grade(struct registry *r, const struct record *x, bool *changed, struct err *err)
{
	const struct posture_report *p = x->report;
	char before[4], why[64];
	if (newest_grade(r, x->vendor, before, err) < 0)
		return -1;
	*changed = strcmp(before, p->grade) != 0;
	if (store_run(registry_store(r), err,
		      "INSERT INTO posture_grade (vendor, host, target, profile, pack, grade, score, coverage, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		      "ssssssiii", x->vendor, x->host, x->target, posture_profile_names[x->profile], POSTURE_PACK, p->grade, (int64_t)p->score,
		      (int64_t)p->coverage, x->at) < 0)
		return -1;
	if (!*changed)
		return 0;
	snprintf(why, sizeof why, *before ? "graded %s, was %s" : "graded %s", p->grade, before);
	return registry_note(r, x->vendor, "posture-grade", "weir", why, x->at,
			     json_pack("{s:s, s:i, s:i, s:s}", "grade", p->grade, "score", p->score, "coverage", (int)p->coverage, "pack", POSTURE_PACK), NULL,
			     err);
}

/* The host of the target's URL; brackets go. */
static void host_of(const char *url, char host[static 256])
{
	const char *p = strstr(url, "://");
	p = p ? p + 3 : url;
	bool v6 = *p == '[';
	snprintf(host, 256, "%.*s", (int)strcspn(p + v6, v6 ? "]" : ":/"), p + v6);
}

static int write_all(struct registry *r, const struct record *x, bool *changed, struct err *err)
{
	if (store_begin(registry_store(r), err) < 0)
		return -1;
	int rc = write_probe(r, x->vendor, x->at, err);
	if (rc == 0 && x->report->grade)
		rc = write_results(r, x->vendor, x->host, x->report, x->at, err);
	if (rc == 0 && x->report->grade)
		rc = write_grade(r, x, changed, err);
	struct err end;
	if (store_end(registry_store(r), rc == 0, &end) < 0 && rc == 0) {
		*err = end;
		rc = -1;
	}
	return rc;
}

int posture_record(struct registry *r, const char *vendor, const json_t *report, int64_t at, bool *changed, struct err *err)
{
	struct posture_report p;
	char url[POSTURE_URL_MAX], host[256];
	struct record x = {.vendor = vendor, .host = host, .target = url, .report = &p, .at = at};
	*changed = false;
	/* The target is the contract's, not what the prober says it was. */
	if (posture_report_read(report, &x.profile, &p, err) < 0 || posture_upstream(r, vendor, url, err) < 0)
		return -1;
	host_of(url, host);
	return write_all(r, &x, changed, err);
}

int posture_missed(struct registry *r, const char *vendor, int64_t at, struct err *err)
{
	return write_probe(r, vendor, at, err);
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

static int word_list(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	struct rows rows;
	json_t *list = json_array();
	char when[21];
	(void)request;
	(void)who;
	(void)at;
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT v.vendor, g.grade, g.score, g.coverage, g.host, g.at, g.profile FROM vendor v LEFT JOIN posture_grade g ON g.id = "
			     "(SELECT id FROM posture_grade WHERE vendor = v.vendor ORDER BY at DESC, id DESC LIMIT 1) ORDER BY v.vendor", "");
	while (got >= 0 && (got = rows_next(&rows, err)) == 1) {
		json_t *v = json_pack("{s:s, s:n}", "vendor", rows_text(&rows, 0), "grade");
		if (!rows_null(&rows, 1)) {
			clock_format(rows_int(&rows, 5), when);
			json_object_update_new(v, json_pack("{s:s, s:I, s:I, s:s, s:s, s:s}", "grade", rows_text(&rows, 1), "score", (json_int_t)rows_int(&rows, 2),
							    "coverage", (json_int_t)rows_int(&rows, 3), "host", rows_text(&rows, 4), "at", when, "profile",
							    rows_text(&rows, 6)));
		}
		json_array_append_new(list, v);
	}
	rows_end(&rows);
	json_object_set_new(answer, "vendors", list);
	return got < 0 ? -1 : 0;
}

static int read_results(struct registry *r, const char *vendor, json_t *results, struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err, "SELECT rule, outcome, evidence FROM posture_result WHERE vendor = ? ORDER BY n", "s", vendor);
	while (got >= 0 && (got = rows_next(&rows, err)) == 1)
		json_array_append_new(results, json_pack("{s:s, s:s?, s:s}", "rule", rows_text(&rows, 0), "outcome",
							 rows_null(&rows, 1) ? NULL : rows_text(&rows, 1), "evidence", rows_text(&rows, 2)));
	rows_end(&rows);
	return got < 0 ? -1 : 0;
}

static int word_show(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *vendor = json_string_value(json_object_get(request, "vendor"));
	struct registry_vendor v;
	struct rows rows;
	struct posture_report p;
	struct posture_capture c = {0};
	char target[POSTURE_URL_MAX] = "";
	(void)who;
	(void)at;
	if (!vendor)
		return err_set(err, ERR_INPUT, "which vendor?");
	if (registry_vendor(r, vendor, &v, err) < 0)
		return -1;
	registry_vendor_release(&v);
	int got = store_rows(registry_store(r), &rows, err,
			     "SELECT target, profile, at FROM posture_grade WHERE vendor = ? ORDER BY at DESC, id DESC LIMIT 1", "s", vendor);
	if (got == 0)
		got = rows_next(&rows, err);
	json_t *stored = json_pack("{s:s, s:[]}", "profile", got == 1 ? rows_text(&rows, 1) : "", "results");
	if (got == 1) {
		snprintf(target, sizeof target, "%s", rows_text(&rows, 0));
		c.at = rows_int(&rows, 2);
	}
	rows_end(&rows);
	int rc = got == 1 ? 0 : got == 0 ? err_set(err, ERR_NOTFOUND, "%s: never graded; `weir posture run %s` does", vendor, vendor) : -1;
	if (rc == 0)
		rc = read_results(r, vendor, json_object_get(stored, "results"), err);
	if (rc == 0)
		rc = posture_report_read(stored, &c.profile, &p, err);
	if (rc == 0) {
		json_t *report = posture_report_json(target, &c, &p);
		json_object_del(report, "protocols");	/* told by the rules' evidence */
		json_object_set_new(answer, "vendor", json_string(vendor));
		json_object_set_new(answer, "report", report);
	}
	json_decref(stored);
	return rc;
}

static int word_run(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	(void)r;
	(void)request;
	(void)who;
	(void)at;
	(void)answer;
	return err_set(err, ERR_CONFLICT, "the prober belongs to the running Weir: start `weir serve`, or look with `weir posture check HOST`");
}

const struct registry_word posture_words[] = {
	{"posture-list", word_list}, {"posture-show", word_show}, {"posture-run", word_run}, {NULL, NULL},
};
