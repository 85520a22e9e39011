/*
 * Two clocks.  Wall time is UTC and moves in tests: WEIR_NOW sets it for offline commands, and builds with
 * -Dtest_clock=true add the seconds in run/clock (clock_watch) to it.  Time-outs use the monotonic clock.
 * clock_now is safe from any thread; clock_init is called once at start.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Start value (RFC 3339), or NULL for the real clock.  A frozen clock stays at the value, else it runs on from it. */
int clock_init(const char *start, bool frozen, struct err *err);
/* What clock_init added to the real clock, and the same for a process that another one starts. */
int64_t clock_offset_us(void);
void clock_set_offset_us(int64_t us);
/* Test builds: add the number of seconds in this open file, read again at most every 50 ms; -1 to stop. */
void clock_watch(int fd);

int64_t clock_now_us(void);	/* wall, microseconds since 1970 UTC */
static inline int64_t clock_now(void)
{
	return clock_now_us() / 1000000;
}
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/* RFC 3339 with Z, offset or a bare date (00:00 UTC) to seconds; false when it isn't one. */
bool clock_parse(const char *s, size_t n, int64_t *seconds);
/* "2026-01-15T10:00:00Z"; out holds 21 bytes. */
void clock_format(int64_t seconds, char out[static 21]);
/* "2026-01-15"; out holds 11 bytes. */
void clock_format_day(int64_t seconds, char out[static 11]);
/* Proleptic Gregorian days since 1970-01-01. */
int64_t clock_days_from_civil(int64_t y, unsigned m, unsigned d);
void clock_civil_from_days(int64_t days, int64_t *y, unsigned *m, unsigned *d);

#endif
