/* The clocks that laws start (law.h); the rules are facts B4 in the catalogue's own words. */
#include <string.h>

#include "base/clock.h"
#include "incident/law.h"

const char *const anchor_names[ANCHOR_KINDS] = {
#define X(n) [ANCHOR_##n] = #n,
	ANCHORS(X)
#undef X
};

const char *const clock_state_names[9] = {
	"not started", "running", "no number", "overdue", "met", "late", "suspended", "not applicable", "proposed law",
};

int anchor_of(const char *name)
{
	for (int i = 0; i < ANCHOR_KINDS; i++)
		if (strcmp(anchor_names[i], name) == 0)
			return i;
	return -1;
}

void clock_facts_init(struct clock_facts *f, int64_t now)
{
	*f = (struct clock_facts){.now = now};
	for (int i = 0; i < ANCHOR_KINDS; i++)
		f->anchors[i] = CLOCK_UNKNOWN;
}

static int64_t local_days(const char *place, int64_t at)
{
	int64_t s = at + zone_offset(place, at);
	return s >= 0 ? s / 86400 : -((-s + 86399) / 86400);
}

/* The last second of a local day. */
static int64_t day_end(const char *place, int64_t days)
{
	int64_t end = (days + 1) * 86400 - 1;
	int64_t guess = end - zone_offset(place, end);
	return end - zone_offset(place, guess);
}

static int64_t add_months(int64_t days, unsigned months)
{
	int64_t y;
	unsigned m, d;
	clock_civil_from_days(days, &y, &m, &d);
	y += (m - 1 + months) / 12;
	m = (m - 1 + months) % 12 + 1;
	int64_t next = m == 12 ? clock_days_from_civil(y + 1, 1, 1) : clock_days_from_civil(y, m + 1, 1);
	int64_t to = clock_days_from_civil(y, m, 1) + (int64_t)d - 1;
	return to < next ? to : next - 1;
}

static int64_t add_business_days(const char *place, int64_t days, unsigned n)
{
	while (n)
		if (!is_holiday(place, ++days))
			n--;
	return days;
}

int64_t law_due(const struct deadline *l, int64_t at)
{
	switch (l->unit) {
	case DURATION_NONE:
		return CLOCK_UNKNOWN;
	case DURATION_HOURS:
		return at + (int64_t)l->amount * 3600;
	case DURATION_DAYS:
		return day_end(l->jurisdiction, local_days(l->jurisdiction, at) + l->amount);
	case DURATION_MONTHS:
		return day_end(l->jurisdiction, add_months(local_days(l->jurisdiction, at), l->amount));
	case DURATION_BUSINESS_DAYS:
		return day_end(l->jurisdiction, add_business_days(l->jurisdiction, local_days(l->jurisdiction, at), l->amount));
	}
	return CLOCK_UNKNOWN;
}

/* The end of the year of discovery, for the rows that count from it. */
static int64_t anchor_time(const struct deadline *l, const struct clock_facts *f)
{
	int64_t at = f->anchors[l->starts];
	if (l->starts != ANCHOR_calendar_year_end || at != CLOCK_UNKNOWN)
		return at;
	int64_t found = f->anchors[ANCHOR_discovery], y;
	unsigned m, d;
	if (found == CLOCK_UNKNOWN)
		return CLOCK_UNKNOWN;
	clock_civil_from_days(local_days(l->jurisdiction, found), &y, &m, &d);
	return day_end(l->jurisdiction, clock_days_from_civil(y, 12, 31));
}

/*
 * Deadlines with two arms (DORA, RTS 2025/301 Art. 5): the earlier of classification + 4 h and awareness + 24 h, but
 * when it was classified only after those 24 h, classification + 4 h alone.
 */
static const struct {
	const char *first, *second;
} two_armed[] = {{"eu-dora-initial-classification", "eu-dora-initial-awareness"}};

static const struct deadline *by_id(const struct deadlines *all, const char *id)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->v[i].id, id) == 0)
			return &all->v[i];
	return NULL;
}

static void both_arms(const struct deadlines *all, const struct clock_facts *f, struct law_clock *c)
{
	for (size_t i = 0; i < sizeof two_armed / sizeof *two_armed; i++) {
		bool is_first = strcmp(c->law->id, two_armed[i].first) == 0;
		if (!is_first && strcmp(c->law->id, two_armed[i].second) != 0)
			continue;
		const struct deadline *a = by_id(all, two_armed[i].first), *b = by_id(all, two_armed[i].second);
		if (!a || !b)
			return;
		int64_t classified = f->anchors[a->starts], aware = f->anchors[b->starts];
		if (classified == CLOCK_UNKNOWN || aware == CLOCK_UNKNOWN)
			return;
		int64_t by_class = law_due(a, classified), by_aware = law_due(b, aware);
		bool late = classified > by_aware;
		c->due = late || by_class < by_aware ? by_class : by_aware;
		c->why = late ? "classified after the 24 hours: counts from classification alone"
			 : by_class < by_aware ? "the earlier arm: classification"
					       : "the earlier arm: awareness";
	}
}

static bool applies(const struct deadline *l, const struct clock_facts *f, const char **why)
{
	if (l->at_least == 0 && l->at_most == INT64_MAX)
		return true;
	int64_t n = f->people ? f->people(f->people_arg, l->jurisdiction) : -1;
	if (n < 0) {
		*why = "how many people there is not known: taken as applying";
		return true;
	}
	if (n < l->at_least) {
		*why = "fewer people than its threshold";
		return false;
	}
	if (n > l->at_most) {
		*why = "more people than its threshold";
		return false;
	}
	return true;
}

void law_clock_of(const struct deadlines *all, const struct deadline *law, const struct clock_facts *f,
		  const struct clock_mark *mark, struct law_clock *c)
{
	*c = (struct law_clock){.law = law, .started = anchor_time(law, f), .due = CLOCK_UNKNOWN};
	if (law->status != LAW_IN_FORCE) {
		c->state = CLOCK_PROPOSED_LAW;
		c->why = law->status == LAW_PROPOSED ? "proposed, never due" : "not yet in force, never due";
		return;
	}
	if (mark && mark->not_applicable) {
		c->state = CLOCK_NOT_APPLICABLE;
		c->why = mark->not_applicable;
		return;
	}
	if (!applies(law, f, &c->why)) {
		c->state = CLOCK_NOT_APPLICABLE;
		return;
	}
	if (c->started != CLOCK_UNKNOWN) {
		c->due = law_due(law, c->started);
		both_arms(all, f, c);
	}
	if (mark && mark->filed != CLOCK_UNKNOWN) {
		c->state = c->due == CLOCK_UNKNOWN || mark->filed <= c->due ? CLOCK_MET : CLOCK_LATE;
	} else if (c->started == CLOCK_UNKNOWN) {
		c->state = CLOCK_NOT_STARTED;
	} else if (mark && mark->suspended_until != CLOCK_UNKNOWN && f->now < mark->suspended_until) {
		c->state = CLOCK_SUSPENDED;
		c->why = "suspended by law enforcement";
	} else if (c->due == CLOCK_UNKNOWN) {
		c->state = CLOCK_NO_NUMBER;
		c->why = law->text;
	} else {
		c->state = f->now > c->due ? CLOCK_OVERDUE : CLOCK_RUNNING;
	}
}
