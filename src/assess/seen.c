/* What Weir sees itself of a vendor: results of its own probes, and the contract. */
#include <stdio.h>
#include <string.h>

#include "assess/inside.h"
#include "contract/contract.h"
#include "store/store.h"

enum { NOTICE_MAX_S = 72 * 3600 };

bool assess_table(struct registry *r, const char *name)
{
	struct rows rows;
	struct err err;
	bool there = store_rows(registry_store(r), &rows, &err, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", "s", name) == 0 &&
		     rows_next(&rows, &err) == 1;
	rows_end(&rows);
	return there;
}

int assess_contract(struct registry *r, const char *vendor, struct contract **out, struct err *err)
{
	struct registry_vendor v;
	struct registry_contract row;
	if (registry_vendor(r, vendor, &v, err) < 0)
		return -1;
	int64_t version = v.version;
	registry_vendor_release(&v);
	if (registry_contract(r, vendor, version, &row, err) < 0)
		return -1;
	*out = contract_from_json(row.json, row.json_len, err);
	registry_contract_release(&row);
	return *out ? 0 : -1;
}

static void see(json_t *seen, const char *control, const char *verdict, const char *why)
{
	json_object_set_new(seen, control, json_pack("{s:s, s:s}", "verdict", verdict, "why", why));
}

/* The worst verdict of a control's rules on the vendor's hosts; 1: there is one. */
static int worst(struct registry *r, const char *vendor, const json_t *rules, char verdict[static 8], char why[static 160], struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err, "SELECT rule, verdict, host FROM posture_result WHERE vendor = ? ORDER BY host, rule", "s",
			     vendor);
	static const char *const order[] = {"pass", "warn", "fail"};
	int worst = -1;
	while (got >= 0 && (got = rows_next(&rows, err)) == 1) {
		const char *rule = rows_text(&rows, 0);
		bool ours = false;
		for (size_t i = 0; i < json_array_size(rules); i++) {
			const char *prefix = json_string_value(json_array_get(rules, i));
			ours |= strncmp(rule, prefix, strlen(prefix)) == 0;
		}
		for (int k = 0; ours && k < 3; k++)
			if (k > worst && strcmp(order[k], rows_text(&rows, 1)) == 0) {
				worst = k;
				snprintf(verdict, 8, "%s", order[k]);
				snprintf(why, 160, "%s is %s at %.90s", rule, order[k], rows_text(&rows, 2));
			}
	}
	rows_end(&rows);
	return got < 0 ? -1 : worst >= 0;
}

static int by_posture(struct registry *r, const char *vendor, const json_t *control, const char *id, json_t *seen, struct err *err)
{
	char verdict[8], why[160];
	int got = worst(r, vendor, json_object_get(control, "rules"), verdict, why, err);
	if (got == 1)
		see(seen, id, verdict, why);
	return got < 0 ? -1 : 0;
}

static void by_notice(const struct contract *c, const char *id, json_t *seen)
{
	int64_t seconds;
	char why[160];
	if (!c->breach_notice.len || !duration_parse(c->breach_notice, &seconds))
		return;
	snprintf(why, sizeof why, "contract version %lld asks for notice within %.*s", (long long)c->version, (int)c->breach_notice.len,
		 c->breach_notice.at);
	see(seen, id, seconds <= NOTICE_MAX_S ? "pass" : "warn", why);
}

static void by_places(const struct contract *c, const char *id, json_t *seen)
{
	struct plan *p;
	struct err err;
	const struct plan_leaf *leaves;
	char why[160];
	if (plan_compile(c, FLOW_OPEN, &p, &err) < 0)
		return;
	snprintf(why, sizeof why, "contract version %lld names every place that may leave: %zu", (long long)c->version, plan_leaves(p, &leaves));
	see(seen, id, "pass", why);
	plan_free(&p);
}

int assess_seen(struct registry *r, const char *vendor, const json_t *questionnaire, json_t *seen, struct err *err)
{
	struct contract *c;
	const json_t *list = json_object_get(questionnaire, "controls");
	bool probed = assess_table(r, "posture_result");
	if (assess_contract(r, vendor, &c, err) < 0)
		return err->code == ERR_NOTFOUND ? 0 : -1;
	int rc = 0;
	for (size_t i = 0; i < json_array_size(list) && rc == 0; i++) {
		const json_t *control = json_array_get(list, i);
		const char *how = json_string_value(json_object_get(control, "seen")), *id = json_string_value(json_object_get(control, "id"));
		if (!how)
			continue;
		if (strcmp(how, "contract-notice") == 0)
			by_notice(c, id, seen);
		else if (strcmp(how, "contract-data") == 0)
			by_places(c, id, seen);
		else if (probed)
			rc = by_posture(r, vendor, control, id, seen, err);
	}
	contract_free(&c);
	return rc;
}
