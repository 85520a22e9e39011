#include "base/hook.h"

#ifdef WEIR_TEST_CLOCK
unsigned hook_broken_bits;

void hook_init(const char *digits)
{
	hook_broken_bits = 0;
	for (; *digits >= '0' && *digits <= '9'; digits++)
		hook_broken_bits |= 1u << (*digits - '0');
}
#else
typedef int hook_no_empty_unit;
#endif
