/* Any bytes as a path: an answer, and the same one in a copy without anything behind it (nothing outside is read). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "detect/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n == 0)
		return 0;
	char *copy = malloc(n);
	memcpy(copy, data + 1, n - 1);
	const char *a = detect_field(copy, n - 1, data[0] & 15), *b = detect_field((const char *)data + 1, n - 1, data[0] & 15);
	must(a == b);
	free(copy);
	return 0;
}
