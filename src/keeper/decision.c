#include "keeper/decision.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"

const char *const decision_names[DECISIONS] = {
	[DECIDE_APPROVE] = "approve",	    [DECIDE_SUSPEND] = "suspend", [DECIDE_RESTRICT] = "restrict",
	[DECIDE_QUARANTINE] = "quarantine", [DECIDE_RELEASE] = "release", [DECIDE_OFFBOARD] = "offboard",
	[DECIDE_DRAIN] = "queue-drain",	    [DECIDE_DROP] = "queue-drop",
	[DECIDE_REFRESH] = "refresh",
};
const char *const requirement_names[REQUIREMENTS] = {[REQUIRE_ASSESSMENT] = "assessment", [REQUIRE_POSTURE] = "posture"};

enum { DAY_SECONDS = 86400 };

bool vendor_name_ok(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return n >= 1 && n <= VENDOR_MAX && s[n] == 0;
}

static int kind_below(const char *word, int end)
{
	for (int i = 0; i < end; i++)
		if (strcmp(decision_names[i], word) == 0)
			return i;
	return -1;
}

bool decision_cuts_off(enum decision_kind k)
{
	return k == DECIDE_SUSPEND || k == DECIDE_RESTRICT || k == DECIDE_QUARANTINE || k == DECIDE_OFFBOARD;
}

int decision_kind_of(const char *word)
{
	return kind_below(word, DECIDE_REFRESH);
}

/* ---- members of a request --------------------------------------------------------------------------------------- */

static int take_vendor(const json_t *v, struct decision *d, struct err *err)
{
	const char *s = json_string_value(v);
	if (!s || !vendor_name_ok(s))
		return err_set(err, ERR_INPUT, "a vendor's name is 1 to %d of a-z, 0-9 and -", VENDOR_MAX);
	snprintf(d->vendor, sizeof d->vendor, "%s", s);
	return 0;
}

static int take_why(const json_t *v, struct decision *d, struct err *err)
{
	const char *s = json_string_value(v);
	if (!s || s[strspn(s, " \t\r\n")] == 0)
		return err_set(err, ERR_INPUT, "the reason (--why) is empty");
	if (json_string_length(v) > WHY_MAX || json_string_length(v) != strlen(s))
		return err_set(err, ERR_INPUT, "the reason (--why) is longer than %d bytes", WHY_MAX);
	snprintf(d->why, sizeof d->why, "%s", s);
	return 0;
}

static int take_version(const json_t *v, struct decision *d, struct err *err)
{
	d->version = json_integer_value(v);
	return d->version >= 1 ? 0 : err_set(err, ERR_INPUT, "a version is a whole number from 1");
}

static int take_waive(const json_t *v, struct decision *d, struct err *err)
{
	for (size_t i = 0; i < json_array_size(v); i++) {
		const char *s = json_string_value(json_array_get(v, i));
		unsigned bit = 0;
		for (int q = 0; q < REQUIREMENTS; q++)
			if (s && strcmp(s, requirement_names[q]) == 0)
				bit = 1U << q;
		if (!bit)
			return err_set(err, ERR_INPUT, "only `assessment` and `posture` can be waived");
		d->waive |= bit;
	}
	return json_is_array(v) ? 0 : err_set(err, ERR_INPUT, "waive is a list");
}

static int take_until(const json_t *v, struct decision *d, struct err *err)
{
	const char *s = json_string_value(v);
	if (!s || strlen(s) != 10 || !clock_parse(s, 10, &d->until))
		return err_set(err, ERR_INPUT, "the waiver's end (--until) is a date like 2026-06-30");
	d->until += DAY_SECONDS;	/* dates last to 24:00 UTC */
	return 0;
}

static int take_number(const json_t *v, uint64_t *out, const char *name, struct err *err)
{
	json_int_t n = json_integer_value(v);
	if (n < 1)
		return err_set(err, ERR_INPUT, "%s is a whole number from 1", name);
	*out = (uint64_t)n;
	return 0;
}

static int take_serial(const json_t *v, struct decision *d, struct err *err)
{
	return take_number(v, &d->serial, "the plan's serial", err);
}

static int take_from(const json_t *v, struct decision *d, struct err *err)
{
	return take_number(v, &d->from, "the range's start", err);
}

static int take_to(const json_t *v, struct decision *d, struct err *err)
{
	return take_number(v, &d->to, "the range's end", err);
}

#define K(x) (1U << (x))
enum { EVERY = K(DECISIONS) - 1, RANGED = K(DECIDE_DRAIN) | K(DECIDE_DROP), TO_APPROVE = K(DECIDE_APPROVE) };

static const struct member {
	const char *name;
	unsigned needed, allowed;	/* K() bits of decision kinds */
	int (*take)(const json_t *v, struct decision *d, struct err *err);
} members[] = {
	{"vendor", EVERY, EVERY, take_vendor},	    {"why", EVERY, EVERY, take_why},
	{"version", TO_APPROVE, TO_APPROVE, take_version}, {"waive", 0, TO_APPROVE, take_waive},
	{"until", 0, TO_APPROVE, take_until},	    {"serial", RANGED, RANGED, take_serial},
	{"from", RANGED, RANGED, take_from},	    {"to", RANGED, RANGED, take_to},
};
enum { MEMBERS = sizeof members / sizeof *members };

static int refuse_unknown(const json_t *request, unsigned kind, struct err *err)
{
	const char *name;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)request, name, v) {
		bool known = strcmp(name, "do") == 0;
		for (size_t i = 0; i < MEMBERS && !known; i++)
			known = (members[i].allowed & kind) && strcmp(members[i].name, name) == 0;
		if (!known)
			return err_set(err, ERR_INPUT, "unknown member in the request");
	}
	return 0;
}

static int check_whole(const struct decision *d, struct err *err)
{
	if (d->waive && !d->until)
		return err_set(err, ERR_INPUT, "a waiver needs an end: --until DATE");
	if (d->until && !d->waive)
		return err_set(err, ERR_INPUT, "--until without --waive");
	if (d->from > d->to)
		return err_set(err, ERR_INPUT, "the range ends before it starts");
	return 0;
}

int decision_parse(const json_t *request, struct decision *d, struct err *err)
{
	*d = (struct decision){0};
	const char *word = json_string_value(json_object_get(request, "do"));
	int kind = word ? decision_kind_of(word) : -1;
	if (kind < 0)
		return err_set(err, ERR_INPUT, "not a decision");
	d->kind = (enum decision_kind)kind;
	if (refuse_unknown(request, K(kind), err) < 0)
		return -1;
	for (size_t i = 0; i < MEMBERS; i++) {
		const json_t *v = json_object_get(request, members[i].name);
		if (!v && !(members[i].needed & K(kind)))
			continue;
		if (members[i].take(v, d, err) < 0)
			return -1;
	}
	return check_whole(d, err);
}

/* ---- what the registry knows -------------------------------------------------------------------------------------- */

static json_t *waive_list(unsigned waive)
{
	json_t *list = json_array();
	for (int q = 0; q < REQUIREMENTS; q++)
		if (waive & 1U << q)
			json_array_append_new(list, json_string(requirement_names[q]));
	return list;
}

json_t *decision_question(const struct decision *d)
{
	bool approve = d->kind == DECIDE_APPROVE;
	return json_pack("{s:s, s:I, s:b, s:o}", "vendor", d->vendor, "version", (json_int_t)(approve ? d->version : 0), "approve", approve,
			 "waive", waive_list(d->waive));
}

static unsigned requirements(const json_t *list)
{
	unsigned bits = 0;
	for (size_t i = 0; i < json_array_size(list); i++)
		for (int q = 0; q < REQUIREMENTS; q++)
			if (json_is_string(json_array_get(list, i)) &&
			    strcmp(requirement_names[q], json_string_value(json_array_get(list, i))) == 0)
				bits |= 1U << q;
	return bits;
}

/* What the registry left out is the strictest. */
static enum flow asked_of(const json_t *answer, const char *name)
{
	const json_t *v = json_object_get(answer, name);
	json_int_t f = json_is_integer(v) ? json_integer_value(v) : FLOW_QUARANTINED;
	return f >= FLOW_OPEN && f <= FLOW_QUARANTINED ? (enum flow)f : FLOW_QUARANTINED;
}

enum flow decision_learn(struct decision *d, const json_t *answer)
{
	json_int_t serial = json_integer_value(json_object_get(answer, "serial"));
	d->recorded = serial > 0 ? (uint64_t)serial : 0;
	d->person = asked_of(answer, "person");
	d->met = requirements(json_object_get(answer, "met"));
	d->waivable = requirements(json_object_get(answer, "waivable"));
	for (int q = 0; q < REQUIREMENTS; q++) {
		const char *s = json_string_value(json_object_get(json_object_get(answer, "unmet"), requirement_names[q]));
		snprintf(d->unmet[q], sizeof d->unmet[q], "%s", s ? s : "");
	}
	return asked_of(answer, "others");
}

/* ---- what it led to --------------------------------------------------------------------------------------------- */

static json_t *moment(int64_t at)
{
	return at == INT64_MAX ? json_null() : json_integer(at);
}

json_t *decided_to_json(const struct decided *x)
{
	char sha[65];
	hex_encode(x->sha256, 32, sha);
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:b, s:s, s:o}", "do", decision_names[x->d.kind], "vendor",
			      x->d.vendor, "who", x->d.who, "why", x->d.why, "at", (json_int_t)x->d.at, "serial",
			      (json_int_t)x->serial, "sha256", sha, "version", (json_int_t)x->version, "approved", x->approved,
			      "flow", flow_names[x->flow], "not_after", moment(x->not_after));
	json_object_set_new(j, "person", json_string(flow_names[x->person]));
	must(j);
	if (x->d.waive) {
		json_object_set_new(j, "waive", waive_list(x->d.waive));
		json_object_set_new(j, "until", json_integer(x->d.until));
	}
	if (K(x->d.kind) & RANGED) {
		json_object_set_new(j, "of", json_integer((json_int_t)x->d.serial));
		json_object_set_new(j, "from", json_integer((json_int_t)x->d.from));
		json_object_set_new(j, "to", json_integer((json_int_t)x->d.to));
	}
	if (x->d.kind == DECIDE_DROP)
		json_object_set_new(j, "dropped", json_integer((json_int_t)x->dropped));
	return j;
}

static int flow_of(const char *s)
{
	for (int i = 0; i < 4; i++)
		if (s && strcmp(s, flow_names[i]) == 0)
			return i;
	return -1;
}

static uint64_t number(const json_t *j, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(j, name));
	return n < 0 ? 0 : (uint64_t)n;
}

int decided_from_json(const json_t *j, struct decided *x, struct err *err)
{
	*x = (struct decided){0};
	const char *word, *vendor, *who, *why, *sha, *flow;
	json_int_t at, version, serial;
	int approved;
	if (json_unpack((json_t *)(uintptr_t)j, "{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:b, s:s}", "do", &word, "vendor", &vendor,
			"who", &who, "why", &why, "at", &at, "serial", &serial, "sha256", &sha, "version", &version, "approved",
			&approved, "flow", &flow) < 0 ||
	    kind_below(word, DECISIONS) < 0 || flow_of(flow) < 0 || !vendor_name_ok(vendor) || serial < 0 ||
	    !hex_decode(sha, strlen(sha), x->sha256, 32))
		return err_set(err, ERR_BUG, "a decision's event is malformed");
	x->d.kind = (enum decision_kind)kind_below(word, DECISIONS);
	snprintf(x->d.vendor, sizeof x->d.vendor, "%s", vendor);
	snprintf(x->d.who, sizeof x->d.who, "%s", who);
	snprintf(x->d.why, sizeof x->d.why, "%s", why);
	x->d.at = at;
	x->serial = (uint64_t)serial;
	x->version = version;
	x->d.version = version;
	x->approved = approved != 0;
	x->flow = (enum flow)flow_of(flow);
	int person = flow_of(json_string_value(json_object_get(j, "person")));
	x->person = person >= 0 ? (enum flow)person : x->flow;
	const json_t *end = json_object_get(j, "not_after");
	x->not_after = json_is_integer(end) ? json_integer_value(end) : INT64_MAX;
	x->d.until = (int64_t)number(j, "until");
	x->d.serial = number(j, "of");
	x->d.from = number(j, "from");
	x->d.to = number(j, "to");
	x->dropped = number(j, "dropped");
	const json_t *waive = json_object_get(j, "waive");
	return waive ? take_waive(waive, &x->d, err) : 0;
}
