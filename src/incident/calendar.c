/*
 * Zones and holidays, as far as the deadlines need them.
 *
 * Zones: standard offset and which summer time rule.  EU: Directive 2000/84/EC, last Sunday of March to last Sunday of
 * October at 01:00 UTC.  US: 15 U.S.C. 260a, second Sunday of March to first Sunday of November at 02:00 local.
 * A federation that spans zones takes its capital's (US: Eastern; Brazil: Brasilia).
 * Holidays: 5 U.S.C. 6103 (a fixed holiday on a Saturday is kept on the Friday before, on a Sunday the Monday after);
 * Brazil: Lei 662/1949, 6.802/1980, 14.759/2023 and Good Friday.  Unverified against the texts; said so by its callers.
 */
#include <string.h>

#include "base/clock.h"
#include "incident/law.h"

enum summer { SUMMER_NONE, SUMMER_EU, SUMMER_US, SUMMER_AU, SUMMER_NZ };

static const struct zone {
	const char *place;
	int minutes;
	enum summer summer;
} zones[] = {
	{"EU/EEA", 60, SUMMER_EU}, {"EU", 60, SUMMER_EU}, {"United Kingdom", 0, SUMMER_EU}, {"Switzerland", 60, SUMMER_EU},
	{"United States: California", -480, SUMMER_US}, {"United States: Washington", -480, SUMMER_US},
	{"United States: Oregon", -480, SUMMER_US}, {"United States: Arizona", -420, SUMMER_NONE},
	{"United States: Colorado", -420, SUMMER_US}, {"United States: New Mexico", -420, SUMMER_US},
	{"United States: Texas", -360, SUMMER_US}, {"United States: Illinois", -360, SUMMER_US},
	{"United States: Iowa", -360, SUMMER_US}, {"United States: Louisiana", -360, SUMMER_US},
	{"United States: Alabama", -360, SUMMER_US}, {"United States: Oklahoma", -360, SUMMER_US},
	{"United States: South Dakota", -360, SUMMER_US}, {"United States: Tennessee", -360, SUMMER_US},
	{"United States: Wisconsin", -360, SUMMER_US}, {"United States: Puerto Rico", -240, SUMMER_NONE},
	{"United States", -300, SUMMER_US}, {"Canada: Alberta", -420, SUMMER_US}, {"Canada", -300, SUMMER_US},
	{"Brazil", -180, SUMMER_NONE}, {"India", 330, SUMMER_NONE}, {"Australia", 600, SUMMER_AU},
	{"New Zealand", 720, SUMMER_NZ}, {"Singapore", 480, SUMMER_NONE}, {"Japan", 540, SUMMER_NONE},
	{"South Korea", 540, SUMMER_NONE}, {"China", 480, SUMMER_NONE}, {"Hong Kong", 480, SUMMER_NONE},
	{"Philippines", 480, SUMMER_NONE}, {"Malaysia", 480, SUMMER_NONE}, {"Thailand", 420, SUMMER_NONE},
	{"Indonesia", 420, SUMMER_NONE}, {"Vietnam", 420, SUMMER_NONE}, {"Turkey", 180, SUMMER_NONE},
	{"Saudi Arabia", 180, SUMMER_NONE}, {"Kenya", 180, SUMMER_NONE}, {"South Africa", 120, SUMMER_NONE},
	{"Nigeria", 60, SUMMER_NONE},
};

static const struct zone *zone_of(const char *place)
{
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
		size_t n = strlen(zones[i].place);
		if (strncmp(place, zones[i].place, n) == 0 && (place[n] == 0 || place[n] == ':'))
			return &zones[i];
	}
	return NULL;
}

/* 0 is Sunday; 1970-01-01 was a Thursday. */
static unsigned weekday(int64_t days)
{
	return (unsigned)(((days + 4) % 7 + 7) % 7);
}

/* The nth Sunday of a month (n from 1), or the last (n 0), as days. */
static int64_t sunday(int64_t year, unsigned month, unsigned n)
{
	if (n == 0) {
		int64_t next = month == 12 ? clock_days_from_civil(year + 1, 1, 1) : clock_days_from_civil(year, month + 1, 1);
		return next - 1 - (int64_t)weekday(next - 1);
	}
	int64_t first = clock_days_from_civil(year, month, 1);
	return first + (7 - (int64_t)weekday(first)) % 7 + 7 * ((int64_t)n - 1);
}

static bool is_summer(const struct zone *z, int64_t at)
{
	int64_t days = at >= 0 ? at / 86400 : -((-at + 86399) / 86400), year, off = z->minutes * 60, begin, end;
	unsigned m, d;
	clock_civil_from_days(days, &year, &m, &d);
	switch (z->summer) {
	case SUMMER_NONE:
		return false;
	case SUMMER_EU:
		return at >= sunday(year, 3, 0) * 86400 + 3600 && at < sunday(year, 10, 0) * 86400 + 3600;
	case SUMMER_US:
		begin = sunday(year, 3, 2) * 86400 + 7200 - off;
		end = sunday(year, 11, 1) * 86400 + 7200 - off - 3600;
		return at >= begin && at < end;
	case SUMMER_AU:	/* south-eastern states: first Sunday of October to first Sunday of April, 02:00 standard time */
		return at >= sunday(year, 10, 1) * 86400 + 7200 - off || at < sunday(year, 4, 1) * 86400 + 7200 - off;
	case SUMMER_NZ:	/* last Sunday of September to first Sunday of April, 02:00 standard time */
		return at >= sunday(year, 9, 0) * 86400 + 7200 - off || at < sunday(year, 4, 1) * 86400 + 7200 - off;
	}
	return false;
}

int64_t zone_offset(const char *place, int64_t at)
{
	const struct zone *z = zone_of(place);
	return z ? z->minutes * 60 + (is_summer(z, at) ? 3600 : 0) : 0;
}

/* Gregorian Easter Sunday (Meeus, Jones, Butcher), as days. */
static int64_t easter(int64_t year)
{
	int64_t a = year % 19, b = year / 100, c = year % 100, d = b / 4, e = b % 4, f = (b + 8) / 25, g = (b - f + 1) / 3;
	int64_t h = (19 * a + b - d - g + 15) % 30, i = c / 4, k = c % 4, l = (32 + 2 * e + 2 * i - h - k) % 7;
	int64_t m = (a + 11 * h + 22 * l) / 451, month = (h + l - 7 * m + 114) / 31, day = (h + l - 7 * m + 114) % 31 + 1;
	return clock_days_from_civil(year, (unsigned)month, (unsigned)day);
}

static const unsigned char us_fixed[][2] = {{1, 1}, {6, 19}, {7, 4}, {11, 11}, {12, 25}};
/* month, weekday, nth (0: last) */
static const unsigned char us_moving[][3] = {{1, 1, 3}, {2, 1, 3}, {5, 1, 0}, {9, 1, 1}, {10, 1, 2}, {11, 4, 4}};

static bool us_holiday(int64_t days)
{
	int64_t y;
	unsigned m, d, w = weekday(days);
	/* A fixed day is kept on the Friday before a Saturday and the Monday after a Sunday. */
	for (int shift = -1; shift <= 1; shift++) {
		clock_civil_from_days(days + shift, &y, &m, &d);
		if ((shift == 1 && w != 5) || (shift == -1 && w != 1))
			continue;
		for (size_t i = 0; i < sizeof us_fixed / sizeof *us_fixed; i++)
			if (us_fixed[i][0] == m && us_fixed[i][1] == d)
				return true;
	}
	clock_civil_from_days(days, &y, &m, &d);
	for (size_t i = 0; i < sizeof us_moving / sizeof *us_moving; i++) {
		if (us_moving[i][0] != m || us_moving[i][1] != w)
			continue;
		if (us_moving[i][2] ? (d + 6) / 7 == us_moving[i][2] : d > 24)	/* May has 31 days: the last Monday is past the 24th */
			return true;
	}
	return false;
}

static bool brazilian_holiday(int64_t days)
{
	static const unsigned char fixed[][2] = {{1, 1}, {4, 21}, {5, 1}, {9, 7}, {10, 12}, {11, 2}, {11, 15}, {11, 20}, {12, 25}};
	int64_t y;
	unsigned m, d;
	clock_civil_from_days(days, &y, &m, &d);
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (fixed[i][0] == m && fixed[i][1] == d)
			return true;
	return days == easter(y) - 2;
}

bool is_holiday(const char *place, int64_t days)
{
	unsigned w = weekday(days);
	if (w == 0 || w == 6)
		return true;
	if (strncmp(place, "United States", 13) == 0)
		return us_holiday(days);
	return strcmp(place, "Brazil") == 0 && brazilian_holiday(days);
}
