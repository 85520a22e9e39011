/*
 * Any bytes: hits are sorted, apart and in range; the kernels agree; redacting leaves nothing that is found again;
 * with room for fewer hits nothing is left over.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "detect/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { MAX = 256 };

static char *padded(const void *p, size_t n)
{
	char *t = xmalloc(n + 64);
	if (n)
		memcpy(t, p, n);
	memset(t + n, 0, 64);
	return t;
}

static size_t scan(const char *t, size_t n, struct detect_hit *hits, size_t max)
{
	size_t k = detect_scan(t, n, DETECT_ALL, hits, max), at = 0;
	must(k <= max);
	for (size_t i = 0; i < k; i++) {
		must(hits[i].start >= at && hits[i].start < hits[i].end && hits[i].end <= n);
		must((size_t)hits[i].type < DETECT_TYPES && hits[i].why && hits[i].score <= 100);
		at = hits[i].end;
	}
	must(k == 0 || detect_maybe(t, n));
	return k;
}

static void redact(const char *t, size_t n, size_t max, struct buf *out)
{
	struct detect_hit hits[MAX];
	size_t k = scan(t, n, hits, max), at = 0;
	for (size_t i = 0; i < k; i++) {
		buf_add(out, t + at, hits[i].start - at);
		buf_adds(out, hits[i].kind->placeholder);
		at = hits[i].end;
	}
	buf_add(out, t + at, n - at);
}

static void redact_and_look_again(const char *t, size_t n, size_t max)
{
	struct buf out;
	struct detect_hit hits[1];
	buf_init(&out, 0);
	redact(t, n, max, &out);
	char *again = padded(out.data, out.len);
	must(scan(again, out.len, hits, 1) == 0);
	free(again);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct detect_hit a[MAX], b[MAX];
	char *t = padded(p, n);
	size_t an = 0;
	for (int k = MARKS_PLAIN; k <= MARKS_AVX2; k++) {
		if (!marks_force((enum marks_kernel)k))
			continue;
		memset(b, 0, sizeof b);	/* padding too: compared as bytes */
		size_t bn = scan(t, n, b, MAX);
		must(k == MARKS_PLAIN || bn == an);
		for (size_t i = 0; k != MARKS_PLAIN && i < bn; i++)
			must(a[i].start == b[i].start && a[i].end == b[i].end && a[i].type == b[i].type);
		memcpy(a, b, sizeof a);
		an = bn;
	}
	redact_and_look_again(t, n, MAX);
	redact_and_look_again(t, n, 1);
	redact_and_look_again(t, n, 3);
	detect_key_name(t, n);
	free(t);
	return 0;
}
