/* Any bytes: names lie inside, apart and in order, and nothing outside is read. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "detect/detect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct detect_hit hits[16];
	char *copy = calloc(1, n + 64);
	memcpy(copy, data, n);
	size_t k = detect_scan(copy, n, DETECT_BIT(DETECT_NAME) | DETECT_BIT(DETECT_EMAIL), hits, 16);
	for (size_t i = 0, end = 0; i < k; i++) {
		must(hits[i].start >= end && hits[i].start < hits[i].end && hits[i].end <= n);
		end = hits[i].end;
	}
	free(copy);
	return 0;
}
