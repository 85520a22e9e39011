/*
 * Deliberately broken behaviour, one switch an invariant, so that each property test is seen failing.  In test builds
 * (-Dtest_clock=true) the file run/broken holds the digits of the invariants to break; everywhere else it is false at
 * compile time.
 */
#ifndef BASE_HOOK_H
#define BASE_HOOK_H

#include <stdbool.h>

#ifdef WEIR_TEST_CLOCK
extern unsigned hook_broken_bits;
void hook_init(const char *digits);
static inline bool hook_broken(int invariant)
{
	return hook_broken_bits >> invariant & 1;
}
#else
static inline bool hook_broken(int invariant)
{
	(void)invariant;
	return false;
}
#endif

#endif
