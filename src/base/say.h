/*
 * Log lines: structured, one JSON object a line on standard error, with a stable name (docs/events.md lists them) and
 * typed fields:
 *   {"at":"2026-01-15T10:00:00Z","process":"gate","level":"warn","event":"plan-refused","vendor":"mixpanel",...}
 * Never a value of an event, never a request target.  Safe from any thread; one write a line.
 *
 *   say(SAY_WARN, "plan-refused", "vendor", S(name), "serial", I(serial), NULL);
 */
#ifndef BASE_SAY_H
#define BASE_SAY_H

#include <stdint.h>

enum say_level { SAY_INFO, SAY_WARN, SAY_ERROR };

struct say_field {
	enum { SAY_STR, SAY_INT } type;
	const char *s;
	int64_t i;
};
#define S(x) (&(const struct say_field){.type = SAY_STR, .s = (x)})
#define I(x) (&(const struct say_field){.type = SAY_INT, .i = (int64_t)(x)})

void say_init(const char *process);
/* From now on lines below this level aren't written: a command answers its caller, and says besides only what went wrong. */
void say_least(enum say_level level);
/* Pairs of name and S() or I(), closed with NULL. */
void say(enum say_level level, const char *event, ...) __attribute__((sentinel));

#endif
