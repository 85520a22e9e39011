/* Any bytes as a record and as a table: hits lie inside and apart, in order within a value, and pointers are RFC 6901's. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "detect/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct bounds {
	size_t n, at;
};

static void each(void *arg, const char *pointer, const struct detect_hit *h)
{
	struct bounds *b = arg;
	must(h->start < h->end && h->end <= b->n && h->start >= b->at);
	must(*pointer == 0 || *pointer == '/');
	b->at = h->end;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct detect_record r;
	char *text = xcalloc(n + 64, 1);
	struct bounds record = {.n = n}, table = {.n = n};
	if (n)
		memcpy(text, p, n);
	detect_record_init(&r);
	detect_record_scan(&r, text, n, DETECT_ALL | DETECT_BIT(DETECT_NAME), each, &record);
	detect_record_table(&r, text, n, DETECT_ALL, each, &table);
	detect_record_release(&r);
	free(text);
	return 0;
}
