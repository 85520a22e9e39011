/* What a decision makes of a plan. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "keeper/keeper.h"

enum {
	HISTORY_SEEN = 64,	/* newest serials compared; frames older than so many plans need a person */
	DRAINS_MAX = 256,
	PLAN_BYTES_MAX = 8 << 20,
	DAY_SECONDS = 86400,
};

/* ---- what a plan lets out --------------------------------------------------------------------------------------- */

/* NULL: nothing leaves under it (or we can't say what would, which is treated alike). */
static struct plan *effective(const struct plan_file *f)
{
	struct plan *p = NULL;
	struct err err;
	if (!f->approved || f->flow >= FLOW_SUSPENDED || f->contract->learn)
		return NULL;
	return plan_compile(f->contract, f->flow, &p, &err) == 0 ? p : NULL;
}

/* Everything that left under `then` may leave under `next`. */
static bool widens_or_equals(const struct plan_file *next, const struct plan *next_plan, const struct plan_file *then)
{
	if (then->contract->adapter != next->contract->adapter)
		return false;
	if (next->contract->refuse_sec_gpc && !then->contract->refuse_sec_gpc)
		return false;	/* then let those through that now refuse */
	struct plan *p = effective(then);
	bool within = p && plan_within(p, next_plan);
	plan_free(&p);
	return within;
}

/* ---- history ---------------------------------------------------------------------------------------------------- */

static int open_dir(const struct keeper_books *b, int at, const char *name, bool make)
{
	if (make && b->io->mkdir(b->io->ctx, at, name, 0700) < 0 && errno != EEXIST)
		return -1;
	return b->io->open(b->io->ctx, at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

/* state/plan/history/VENDOR; -1 with errno. */
static int open_history(const struct keeper_books *b, const char *vendor, bool make)
{
	int top = open_dir(b, b->plans, "history", make);
	if (top < 0)
		return -1;
	int fd = open_dir(b, top, vendor, make);
	int sys = errno;
	if (make && fd >= 0 && (b->io->sync(b->io->ctx, top) < 0 || b->io->sync(b->io->ctx, b->plans) < 0)) {
		sys = errno;
		b->io->close(b->io->ctx, fd);
		fd = -1;
	}
	b->io->close(b->io->ctx, top);
	errno = sys;
	return fd;
}

struct serials {
	uint64_t *v;
	size_t n;
};

static bool note_serial(void *arg, const char *name)
{
	struct serials *s = arg;
	char *end;
	uint64_t serial = strtoull(name, &end, 10);
	if (end == name || strcmp(end, ".plan") != 0)
		return true;
	s->v = xrealloc(s->v, (s->n + 1) * sizeof *s->v);
	s->v[s->n++] = serial;
	return true;
}

static int newest_first(const void *a, const void *b)
{
	uint64_t x, y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? 1 : x > y ? -1 : 0;
}

/* Serials of every plan that was ever signed for a vendor, newest first. */
static void list_history(const struct keeper_books *b, int dir, struct serials *s)
{
	if (dir >= 0 && b->io->list(b->io->ctx, dir, note_serial, s) == 0 && s->n)
		qsort(s->v, s->n, sizeof *s->v, newest_first);
}

/* The whole file; false when it can't be read. */
static bool slurp(const struct keeper_books *b, int dir, const char *name, struct buf *bytes)
{
	struct fio_stat st;
	int fd = b->io->open(b->io->ctx, dir, name, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool ok = b->io->stat(b->io->ctx, fd, &st) == 0 && buf_reserve(bytes, (size_t)st.size);
	ssize_t n = ok ? fio_read_all(b->io, fd, bytes->data, (size_t)st.size, 0) : -1;
	b->io->close(b->io->ctx, fd);
	bytes->len = n > 0 ? (size_t)n : 0;
	return n >= 0;
}

/* A plan of the history: ours, of this vendor, of this serial. */
static bool read_past(const struct keeper_books *b, int dir, uint64_t serial, const char *vendor, struct plan_file *out)
{
	char name[32];
	struct err err;
	struct buf bytes;
	snprintf(name, sizeof name, "%" PRIu64 ".plan", serial);
	buf_init(&bytes, PLAN_BYTES_MAX);
	bool ok = slurp(b, dir, name, &bytes) && plan_file_parse(bytes.data, bytes.len, b->public_key, out, &err) == 0;
	buf_release(&bytes);
	if (ok && (strcmp(out->vendor, vendor) != 0 || out->serial != serial)) {
		plan_file_release(out);
		return false;
	}
	return ok;
}

/* The newest serial that was signed and is in the history; 0: none. */
static uint64_t newest_signed(const struct keeper_books *b, const char *vendor)
{
	struct serials s = {0};
	uint64_t newest = 0;
	int dir = open_history(b, vendor, false);
	list_history(b, dir, &s);
	for (size_t i = 0; i < s.n && !newest; i++) {
		struct plan_file f;
		if (!read_past(b, dir, s.v[i], vendor, &f))
			continue;
		newest = f.serial;
		plan_file_release(&f);
	}
	if (dir >= 0)
		b->io->close(b->io->ctx, dir);
	free(s.v);
	return newest;
}

static int to_history(const struct keeper_books *b, const char *vendor, uint64_t serial, const struct buf *bytes, struct err *err)
{
	char name[24];
	snprintf(name, sizeof name, "%" PRIu64, serial);
	int dir = open_history(b, vendor, true);
	if (dir < 0)
		return err_sys(err, "state/plan/history/%s", vendor);
	int r = plan_file_write(b->io, dir, name, bytes, err);
	b->io->close(b->io->ctx, dir);
	return r;
}

/* The plan in force, where its copy in the history was lost: before another one takes its place. */
static int keep_old(const struct keeper_books *b, const char *vendor, struct err *err)
{
	char path[VENDOR_MAX + 8];
	struct plan_file f;
	struct buf bytes;
	struct err ignored;
	snprintf(path, sizeof path, "%s.plan", vendor);
	buf_init(&bytes, PLAN_BYTES_MAX);
	int r = 0;
	if (slurp(b, b->plans, path, &bytes) && plan_file_parse(bytes.data, bytes.len, b->public_key, &f, &ignored) == 0) {
		if (strcmp(f.vendor, vendor) == 0 && newest_signed(b, vendor) < f.serial)
			r = to_history(b, vendor, f.serial, &bytes, err);
		plan_file_release(&f);
	}
	buf_release(&bytes);
	return r;
}

/*
 * Fills next->serial (above every one that was ever signed, also where the plan in force was removed or damaged) and
 * next->sends.  What can't be read or isn't signed is left out: its frames wait for a person.
 */
static void look_back(const struct keeper_books *b, const struct plan_file *now, struct plan_file *next)
{
	struct serials s = {0};
	struct plan *p = effective(next);
	int dir = open_history(b, next->vendor, false);
	list_history(b, dir, &s);
	if (s.n && s.v[0] >= next->serial)
		next->serial = s.v[0] + 1;
	next->sends = xcalloc(HISTORY_SEEN + 1, sizeof *next->sends);
	if (p && now && widens_or_equals(next, p, now))	/* its copy may be missing */
		next->sends[next->sends_len++] = now->serial;
	for (size_t i = 0, seen = 0; p && i < s.n && seen < HISTORY_SEEN; i++) {
		struct plan_file then;
		if ((now && s.v[i] == now->serial) || !read_past(b, dir, s.v[i], next->vendor, &then))
			continue;
		seen++;
		if (widens_or_equals(next, p, &then))
			next->sends[next->sends_len++] = then.serial;
		plan_file_release(&then);
	}
	if (dir >= 0)
		b->io->close(b->io->ctx, dir);
	free(s.v);
	plan_free(&p);
}

/* ---- loading ---------------------------------------------------------------------------------------------------- */

int keeper_load(const struct keeper_books *b, const char *vendor, struct plan_file *now, struct err *err)
{
	bool there = plan_file_read(b->io, b->plans, vendor, b->public_key, NULL, now, err) == 0;
	if (!there && err->code != ERR_NOTFOUND)
		return -1;
	uint64_t newest = newest_signed(b, vendor);
	if (there && newest <= now->serial)
		return 1;
	if (!there && newest == 0)
		return 0;
	if (there)
		plan_file_release(now);
	return err_set(err, ERR_CORRUPT, "state/plan/%s.plan is %s: plan %" PRIu64 " was signed", vendor,
		       there ? "an old one" : "gone", newest);
}

int keeper_load_for(const struct keeper_books *b, const struct decision *d, struct plan_file *now, struct err *err)
{
	int got = keeper_load(b, d->vendor, now, err);
	bool unusable = got < 0 && (err->code == ERR_CRYPTO || err->code == ERR_CORRUPT);
	return unusable && d->kind == DECIDE_APPROVE ? 0 : got;
}

struct names {
	char (*v)[VENDOR_MAX + 1];
	size_t n;
};

/* "VENDOR.plan", or in the history "VENDOR". */
static bool note_name(void *arg, const char *name)
{
	struct names *s = arg;
	char vendor[VENDOR_MAX + 1];
	size_t n = strcspn(name, ".");
	if (n > VENDOR_MAX || (name[n] && strcmp(name + n, ".plan") != 0))
		return true;
	snprintf(vendor, sizeof vendor, "%.*s", (int)n, name);
	if (!vendor_name_ok(vendor))
		return true;
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i], vendor) == 0)
			return true;
	s->v = xrealloc(s->v, (s->n + 1) * sizeof *s->v);
	memcpy(s->v[s->n++], vendor, sizeof vendor);
	return true;
}

/* Only files end in .plan here; the folder `history` itself is no vendor. */
static bool note_plan(void *arg, const char *name)
{
	return strchr(name, '.') ? note_name(arg, name) : true;
}

int keeper_vendors(const struct keeper_books *b, bool (*each)(void *arg, const char *vendor), void *arg, struct err *err)
{
	struct names s = {0};
	int r = b->io->list(b->io->ctx, b->plans, note_plan, &s) < 0 ? err_sys(err, "state/plan") : 0;
	int history = open_dir(b, b->plans, "history", false);
	if (r == 0 && history >= 0 && b->io->list(b->io->ctx, history, note_name, &s) < 0)
		r = err_sys(err, "state/plan/history");
	if (history >= 0)
		b->io->close(b->io->ctx, history);
	for (size_t i = 0; r == 0 && i < s.n; i++)
		if (!each(arg, s.v[i]))
			break;
	free(s.v);
	return r;
}

int keeper_contract(const char *json, size_t n, const uint8_t digest[static 32], const char *vendor, int64_t version,
		    struct contract **out, struct err *err)
{
	uint8_t real[32];
	*out = NULL;
	crypt_sha256(json, n, real);
	if (memcmp(real, digest, 32) != 0)
		return err_set(err, ERR_CORRUPT, "%s@%" PRId64 ": the registry's copy doesn't have the digest it was imported with", vendor,
			       version);
	struct contract *c = contract_from_json(json, n, err);
	if (!c)
		return err_prefix(err, "%s@%" PRId64 ": ", vendor, version);
	if (!span_eq(c->vendor, vendor) || c->version != version) {
		contract_free(&c);
		return err_set(err, ERR_CORRUPT, "%s@%" PRId64 ": the registry handed over another contract", vendor, version);
	}
	*out = c;
	return 0;
}

/* ---- decisions -------------------------------------------------------------------------------------------------- */

/* The flow that a decision asks for; -1: it isn't about the flow. */
static int wanted(enum decision_kind k)
{
	switch (k) {
	case DECIDE_RELEASE:
		return FLOW_OPEN;
	case DECIDE_RESTRICT:
		return FLOW_RESTRICTED;
	case DECIDE_SUSPEND:
		return FLOW_SUSPENDED;
	case DECIDE_QUARANTINE:
		return FLOW_QUARANTINED;
	case DECIDE_APPROVE:
	case DECIDE_OFFBOARD:
	case DECIDE_DRAIN:
	case DECIDE_DROP:
	case DECIDE_REFRESH:
	case DECISIONS:
		break;
	}
	return -1;
}

bool keeper_asks_first(const struct decision *d, const struct plan_file *now)
{
	if (!now || d->kind == DECIDE_REFRESH)
		return true;
	if (d->kind == DECIDE_OFFBOARD)
		return false;
	return !decision_cuts_off(d->kind) || wanted(d->kind) < (int)now->flow;
}

static enum flow strictest(enum flow a, enum flow b)
{
	return a > b ? a : b;
}

static struct contract *copy(const struct contract *c, struct err *err)
{
	struct buf json;
	buf_init(&json, 0);
	contract_to_json(c, &json);
	struct contract *again = contract_from_json((const char *)json.data, json.len, err);
	buf_release(&json);
	return again;
}

static int unmet(const struct decision *d, const struct contract *c, struct err *err)
{
	const struct requires *q = &c->requires;
	unsigned needs = (q->assessment ? 1U << REQUIRE_ASSESSMENT : 0) | (q->posture ? 1U << REQUIRE_POSTURE : 0);
	unsigned idle = d->waive & ~(needs | d->waivable), missing = needs & ~(d->waive | d->met);
	const char *found;
	if (idle)
		return err_set(err, ERR_INPUT, "%s@%" PRId64 " doesn't require %s, so there is nothing to waive", d->vendor, d->version,
			       idle & 1U << REQUIRE_ASSESSMENT ? "an assessment" : "a posture");
	found = d->unmet[REQUIRE_ASSESSMENT];
	if (missing & 1U << REQUIRE_ASSESSMENT)
		return err_set(err, ERR_DENIED, "%s@%" PRId64 " requires an assessment (%.*s) and %s; do one, or "
			       "--waive assessment --until DATE", d->vendor, d->version, (int)q->standard.len, q->standard.at,
			       *found ? found : "there is none");
	found = d->unmet[REQUIRE_POSTURE];
	if (missing & 1U << REQUIRE_POSTURE)
		return err_set(err, ERR_DENIED, "%s@%" PRId64 " requires posture grade %.*s and %s; probe the vendor, or "
			       "--waive posture --until DATE", d->vendor, d->version, (int)q->grade.len, q->grade.at,
			       *found ? found : "there is none");
	return 0;
}

static int approve(const struct decision *d, struct contract **proposed, struct plan_file *next, struct err *err)
{
	const struct contract *c = *proposed;
	char day[11];
	struct plan *p;
	if (c->expires_at <= d->at) {
		clock_format_day(c->expires_at - DAY_SECONDS, day);
		return err_set(err, ERR_DENIED, "%s@%" PRId64 " expired at the end of %s", d->vendor, d->version, day);
	}
	if (d->waive && d->until <= d->at)
		return err_set(err, ERR_INPUT, "the waiver would have ended already");
	if (unmet(d, c, err) < 0)
		return -1;
	if (plan_compile(c, FLOW_OPEN, &p, err) < 0)
		return err_prefix(err, "%s@%" PRId64 ": ", d->vendor, d->version);
	plan_free(&p);
	next->approved = true;
	next->not_after = d->waive && d->until < c->expires_at ? d->until : c->expires_at;
	next->contract = *proposed;
	*proposed = NULL;
	return 0;
}

static bool goes_already(const struct plan_file *now, uint64_t serial)
{
	for (size_t i = 0; i < now->sends_len; i++)
		if (now->sends[i] == serial)
			return true;
	return serial == now->serial;
}

static int may_touch_queue(const struct decision *d, const struct plan_file *now, struct err *err)
{
	if (d->serial > now->serial)
		return err_set(err, ERR_INPUT, "%s has no plan %" PRIu64 "; the newest is %" PRIu64, d->vendor, d->serial, now->serial);
	return 0;
}

static int drain(const struct decision *d, const struct plan_file *now, struct plan_file *next, struct err *err)
{
	if (may_touch_queue(d, now, err) < 0)
		return -1;
	if (now->flow >= FLOW_SUSPENDED)
		return err_set(err, ERR_DENIED, "%s is %s: release it first", d->vendor, flow_names[now->flow]);
	if (now->not_after <= d->at)
		return err_set(err, ERR_DENIED, "%s has expired: approve a version that hasn't", d->vendor);
	if (goes_already(now, d->serial))
		return err_set(err, ERR_INPUT, "what was queued under plan %" PRIu64 " goes out by itself", d->serial);
	if (next->drains_len >= DRAINS_MAX)
		return err_set(err, ERR_LIMIT, "%d ranges are drained already; approve a version to start afresh", DRAINS_MAX);
	next->drains = xrealloc(next->drains, (next->drains_len + 1) * sizeof *next->drains);
	next->drains[next->drains_len++] = (struct plan_drain){d->serial, d->from, d->to};
	return 0;
}

int keeper_check_drop(const struct decision *d, const struct plan_file *now, struct err *err)
{
	if (!now)
		return err_set(err, ERR_DENIED, "nothing of %s was ever approved, so nothing is queued", d->vendor);
	return may_touch_queue(d, now, err);
}

/* A person released ranges under rules that they knew; narrower ones ask them again. */
static void keep_drains(const struct plan_file *now, struct plan_file *next)
{
	uint8_t a[32], b[32];
	contract_digest(now->contract, a);
	contract_digest(next->contract, b);
	bool narrower = next->flow == FLOW_RESTRICTED && now->flow != FLOW_RESTRICTED;
	if (memcmp(a, b, 32) != 0 || narrower || now->drains_len == 0)
		return;
	next->drains = xcalloc(now->drains_len, sizeof *next->drains);
	memcpy(next->drains, now->drains, now->drains_len * sizeof *next->drains);
	next->drains_len = now->drains_len;
}

/* Everything but approve: the contract stays. */
static int carry_on(const struct decision *d, const struct plan_file *now, struct plan_file *next, struct err *err)
{
	if (!now || (!now->approved && d->kind != DECIDE_OFFBOARD))
		return err_set(err, ERR_DENIED, "nothing of %s is approved, so nothing flows", d->vendor);
	next->contract = copy(now->contract, err);
	if (!next->contract)
		return -1;
	next->approved = now->approved && d->kind != DECIDE_OFFBOARD;
	next->not_after = now->not_after;
	return 0;
}

/* What a person asks stands in the plan: the registry can't lift it. */
static enum flow next_person(const struct decision *d, const struct plan_file *now)
{
	int asked = wanted(d->kind);
	if (asked >= 0)
		return (enum flow)asked;
	enum flow known = d->kind == DECIDE_APPROVE ? d->person : FLOW_OPEN;
	return now ? strictest(now->person, known) : known;
}

static enum flow next_flow(const struct decision *d, const struct plan_file *now, enum flow person, enum flow others)
{
	/* Nobody was asked: what rules and incidents hold stays. */
	return strictest(person, d->kind == DECIDE_OFFBOARD && now ? now->flow : others);
}

int keeper_next(const struct keeper_books *b, const struct decision *d, const struct plan_file *now, enum flow others,
		struct contract **proposed, struct plan_file *next, struct err *err)
{
	/* I4: plan and history may have been removed together; then only the registry remembers. */
	if (!now && d->recorded && d->kind != DECIDE_APPROVE)
		return err_set(err, ERR_CORRUPT, "plan %" PRIu64 " of %s was signed, and state/plan doesn't hold it any more: put it back from a "
			       "backup, or approve a version anew", d->recorded, d->vendor);
	uint64_t before = now && now->serial > d->recorded ? now->serial : d->recorded;	/* numbers are never given out twice */
	*next = (struct plan_file){.serial = before + 1, .at = d->at, .person = next_person(d, now)};
	next->flow = next_flow(d, now, next->person, others);
	snprintf(next->vendor, sizeof next->vendor, "%s", d->vendor);
	next->by = xstrdup(d->who);
	int r = d->kind == DECIDE_APPROVE ? approve(d, proposed, next, err) : carry_on(d, now, next, err);
	if (r == 0 && now)
		keep_drains(now, next);
	if (r == 0 && d->kind == DECIDE_DRAIN)
		r = drain(d, now, next, err);
	if (r == 0)
		look_back(b, now, next);
	else
		plan_file_release(next);
	return r;
}

void keeper_refresh(const char *vendor, int64_t at, struct decision *d)
{
	*d = (struct decision){.kind = DECIDE_REFRESH, .at = at};
	snprintf(d->vendor, sizeof d->vendor, "%s", vendor);
	snprintf(d->who, sizeof d->who, "weir");
	snprintf(d->why, sizeof d->why, "what rules and incidents ask has changed");
}

void keeper_sign(const struct keeper_books *b, struct plan_file *next, struct buf *bytes)
{
	plan_file_make(next, b->secret, bytes);
}

int keeper_write(const struct keeper_books *b, const struct plan_file *next, const struct buf *bytes, struct err *err)
{
	struct err later;
	if (keep_old(b, next->vendor, err) < 0 || plan_file_write(b->io, b->plans, next->vendor, bytes, err) < 0)
		return -1;
	/* It is in force; where its copy fails, keep_old makes it before the next one. */
	(void)!to_history(b, next->vendor, next->serial, bytes, &later);
	return 0;
}

void keeper_decided(const struct decision *d, const struct plan_file *p, struct decided *out)
{
	*out = (struct decided){
		.serial = p->serial, .version = p->contract->version, .approved = p->approved, .flow = p->flow, .person = p->person,
		.not_after = p->not_after,
	};
	memcpy(out->sha256, p->sha256, 32);
	if (d) {
		out->d = *d;
		return;
	}
	out->d = (struct decision){.kind = DECIDE_APPROVE, .at = p->at};
	snprintf(out->d.vendor, sizeof out->d.vendor, "%s", p->vendor);
	snprintf(out->d.who, sizeof out->d.who, "%s", p->by);
	snprintf(out->d.why, sizeof out->d.why, "the signed plan, as found at the start");
}
