/* usage: shape_bench EVENTS.ndjson [ROUNDS]: what looking at an event costs (src/shape), on one thread, in us an event and MB/s. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "shape/shape.h"

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct buf b;
	FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
	size_t k, events = 0;
	if (!f) {
		fprintf(stderr, "usage: shape_bench EVENTS.ndjson [ROUNDS]\n");
		return 2;
	}
	buf_init(&b, 0);
	do {
		must(buf_reserve(&b, 1 << 20));
		k = fread(b.data + b.len, 1, 1 << 20, f);
		b.len += k;
	} while (k);
	fclose(f);
	size_t n = b.len;
	buf_add(&b, (char[64]){0}, 64);
	const struct shape_where w = {.name = "event"};
	struct shape_table *t = shape_table_new(1);
	double best = 1e9;
	for (int round = argc > 2 ? atoi(argv[2]) : 7; round > 0; round--) {
		double began = now();
		events = 0;
		for (size_t at = 0; at < n; events++) {
			shape_observe(t, &w, (const char *)b.data, n, at);
			const uint8_t *nl = memchr(b.data + at, '\n', n - at);
			at = nl ? (size_t)(nl - b.data) + 1 : n;
		}
		double took = now() - began;
		best = took < best ? took : best;
	}
	printf("%zu events of %zu bytes: %.3f us an event, %.0f MB/s; table %zu bytes\n", events, n / (events ? events : 1), best / (double)events * 1e6,
	       (double)n / best / 1e6, shape_bytes(t));
	shape_table_free(&t);
	return 0;
}
