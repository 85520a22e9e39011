/* What the processes say of themselves, for /healthz and `weir vendor`. */
#include <string.h>

#include "steward/private.h"

static const char *text_of(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "";
}

/* ---- health ------------------------------------------------------------------------------------------------------ */

static const enum role needed[] = {ROLE_SUPERVISOR, ROLE_GATE, ROLE_COURIER, ROLE_KEEPER};

/* Refused though nobody decided so: the rest is somebody's will. */
static bool is_fault(const char *does)
{
	return strcmp(does, "no_plan") == 0 || strcmp(does, "quota") == 0;
}

static const json_t *gate_vendor(const json_t *gate, const char *vendor)
{
	size_t i;
	json_t *v;
	json_array_foreach(json_object_get(gate, "vendors"), i, v)
		if (strcmp(text_of(v, "vendor"), vendor) == 0)
			return v;
	return NULL;
}

struct lost {
	const json_t *gate;
	struct buf *out;
	size_t n;
};

/* Approved, and the gate has never heard of it: its plan is gone from state/plan. */
static bool add_lost(void *arg, const struct registry_vendor *v)
{
	struct lost *l = arg;
	if (v->life != LIFE_APPROVED || gate_vendor(l->gate, v->vendor))
		return true;
	buf_addf(l->out, "gate: %s is unknown, but plan %llu was signed: state/plan has lost it\n", v->vendor, (unsigned long long)v->serial);
	l->n++;
	return true;
}

/* False when every vendor that should pass is refused. */
static bool add_vendors(struct registry *r, const json_t *gate, struct buf *out)
{
	struct lost l = {.gate = gate, .out = out};
	struct err err;
	if (gate && !*text_of(gate, "refuses") && registry_vendors(r, add_lost, &l, &err) < 0)
		buf_adds(out, "steward: the registry can't be read\n");
	size_t i, faults = l.n, pass = 0;
	json_t *v;
	json_array_foreach(json_object_get(gate, "vendors"), i, v) {
		const char *does = text_of(v, "does");
		pass += strcmp(does, "passes") == 0;
		if (!is_fault(does))
			continue;
		faults++;
		buf_addf(out, "gate: %s is refused: %s\n", text_of(v, "vendor"), does);
	}
	return faults == 0 || pass > 0;
}

bool truth_health(struct registry *r, const json_t *answers, struct buf *text)
{
	struct buf wrong;
	bool good = true;
	buf_init(&wrong, 0);
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		if (json_object_get(answers, role_names[needed[i]]))
			continue;
		buf_addf(&wrong, "%s: does not answer\n", role_names[needed[i]]);
		good = false;
	}
	if (!json_object_get(answers, role_names[ROLE_PROBER]))	/* it moves no event */
		buf_addf(&wrong, "%s: does not answer\n", role_names[ROLE_PROBER]);
	const json_t *gate = json_object_get(answers, role_names[ROLE_GATE]);
	const char *refuses = text_of(gate, "refuses");
	if (*refuses)
		buf_addf(&wrong, "gate: takes no events: %s\n", refuses);
	good = add_vendors(r, gate, &wrong) && good && !*refuses;
	if (good)
		buf_adds(text, "ok\n");
	if (wrong.len)
		buf_add(text, wrong.data, wrong.len);
	buf_release(&wrong);
	return good;
}

/* ---- vendors ----------------------------------------------------------------------------------------------------- */

static const char *does_of(const json_t *gate, const char *vendor)
{
	if (!gate)
		return "unknown";
	if (*text_of(gate, "refuses"))
		return text_of(gate, "refuses");
	const json_t *v = gate_vendor(gate, vendor);
	return v ? text_of(v, "does") : "no_plan";
}

static void add_truth(json_t *v, const json_t *gate)
{
	json_object_set_new(v, "gate", json_string(does_of(gate, text_of(v, "vendor"))));
}

void truth_vendors(json_t *answer, const json_t *answers)
{
	const json_t *gate = json_object_get(answers, role_names[ROLE_GATE]);
	json_t *one = json_object_get(answer, "vendor"), *v;
	size_t i;
	json_array_foreach(json_object_get(answer, "vendors"), i, v)
		add_truth(v, gate);
	if (json_is_object(one))
		add_truth(one, gate);
}
