/*
 * How fast are the detectors?  usage: detect_bench STRINGS.bin [EVENTS]
 *
 * STRINGS.bin is what gen-events.py writes: u32 little-endian length and a value, again and again: the string values
 * of EVENTS events (default: 570 bytes are one event).  Prints GB/s for the strings, ns an event, what was found, what rules
 * of one's own cost, and a table of texts made to hurt by their length, on one thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "detect/core.h"
#include "detect/hostile.h"
#include "detect/rules.h"

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);	/* others may be at work on this machine */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct text {
	const char *at;
	size_t n;
};

/* The values stay where the file has them, one behind the other, as in a request. */
static struct text *load(const char *path, struct buf *file, size_t *count, size_t *bytes)
{
	struct text *v = NULL;
	size_t cap = 0, k;
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		exit(2);
	}
	do {
		must(buf_reserve(file, 1 << 20));
		k = fread(file->data + file->len, 1, 1 << 20, f);
		file->len += k;
	} while (k);
	fclose(f);
	buf_add(file, (char[64]){0}, 64);
	*count = *bytes = 0;
	for (size_t at = 0, n; at + 4 < file->len - 64; at += 4 + n) {
		n = get_u32(file->data + at);
		if (*count == cap)
			v = xrealloc(v, (cap = cap ? cap * 2 : 4096) * sizeof *v);
		v[(*count)++] = (struct text){(char *)file->data + at + 4, n};
		*bytes += n;
	}
	return v;
}

/*
 * The machine is shared and its clock moves: the strings are taken in pieces of some 50 microseconds, and of each piece
 * the best of all rounds counts.
 */
static double strings(const struct text *v, size_t count, size_t bytes, double events, const char *kernel)
{
	enum { ROUNDS = 15, PIECE = 1000 };
	size_t found[DETECT_TYPES] = {0}, pieces = (count + PIECE - 1) / PIECE;
	double best = 0, *took = xcalloc(pieces, sizeof *took);
	for (int round = 0; round < ROUNDS; round++)
		for (size_t p = 0; p < pieces; p++) {
			double start = now();
			for (size_t i = p * PIECE; i < (p + 1) * PIECE && i < count; i++) {
				struct detect_hit hits[32];
				size_t n = detect_scan(v[i].at, v[i].n, DETECT_ALL, hits, 32);
				for (size_t k = 0; k < n && round == 0; k++)
					found[hits[k].type]++;
			}
			double t = now() - start;
			took[p] = round == 0 || t < took[p] ? t : took[p];
		}
	for (size_t p = 0; p < pieces; p++)
		best += took[p];
	free(took);
	printf("%-6s %6.3f GB/s  %7.1f ns/event  %5.1f ns/string\n", kernel, (double)bytes / best / 1e9, best * 1e9 / events,
	       best * 1e9 / (double)count);
	if (strcmp(kernel, "avx2") == 0) {
		printf("found:");
		for (int t = 0; t < DETECT_TYPES; t++)
			printf(" %s %zu", detect_name((enum detect_type)t), found[t]);
		printf("\n");
	}
	return (double)bytes / best / 1e9;
}

/* What n rules of a user's own cost. */
static void own_rules(const struct text *v, size_t count, double events, unsigned n)
{
	struct buf yaml;
	struct diags d;
	buf_init(&yaml, 0);
	diags_init(&d, "bench");
	buf_adds(&yaml, "weir: 1\ndetectors:\n");
	for (unsigned i = 0; i < n; i++)
		buf_addf(&yaml, "  - {name: own_%u, pattern: 'K%03uD-[0-9]{6}', examples: [K%03uD-123456]}\n", i, i, i);
	struct detect_rules *r = detect_rules_read((char *)yaml.data, yaml.len, &d);
	must(r);
	struct detect_room *room = detect_room_new(r);
	double best = 1e9;
	for (int round = 0; round < 7; round++) {
		struct detect_hit hits[32];
		double start = now();
		for (size_t i = 0; i < count; i++)
			detect_scan_with(r, room, v[i].at, v[i].n, DETECT_BIT(DETECT_CUSTOM), hits, 32);
		double took = now() - start;
		best = took < best ? took : best;
	}
	printf("own rules: %4u add %7.1f ns/event\n", n, best * 1e9 / events);
	detect_room_free(&room);
	detect_rules_free(&r);
	diags_release(&d);
	buf_release(&yaml);
}

/*
 * Texts made to hurt, by length: GB/s, and how much slower than `normal` the slowest length is.  Room for few hits would end
 * it early, so there is room for all.
 */
static void hostile(double normal)
{
	static const size_t lengths[] = {64, 256, 1024, 4096, 16384, 65536, 262144, 1048576};
	enum { LENGTHS = sizeof lengths / sizeof *lengths, SIZE = 1 << 20, HITS = SIZE / 4 + 2 };
	struct detect_hit *hits = xcalloc(HITS, sizeof *hits);
	char *text = xcalloc(SIZE + 64, 1);
	double all = 1e9, lowest[LENGTHS], drop = 1;
	const char *worst = "", *bent = "";
	for (size_t k = 0; k < LENGTHS; k++)
		lowest[k] = 1e9;
	printf("text made to hurt, GB/s by length, and times slower than %.3f GB/s\n%-28.26s", normal, "");
	for (size_t k = 0; k < LENGTHS; k++)
		printf("%9zu", lengths[k]);
	puts("    times");
	for (size_t i = 0; i < HOSTILE_UNITS; i++) {
		double speed[LENGTHS], slowest = 1e9;
		for (size_t k = 0; k < LENGTHS; k++) {
			double best = 1e9;
			for (int round = 0; round < 9; round++) {
				size_t n = lengths[k], done = 0;
				hostile_fill(i, text, n);
				memset(text + n, 0, 64);
				double start = now();
				for (; done < SIZE / 4 || done < n; done += n)
					detect_scan(text, n, DETECT_ALL, hits, HITS);
				double took = (now() - start) / (double)done;
				best = took < best ? took : best;
			}
			speed[k] = 1 / best / 1e9;
			lowest[k] = speed[k] < lowest[k] ? speed[k] : lowest[k];
			slowest = speed[k] < slowest ? speed[k] : slowest;
		}
		printf("%-28.26s", hostile_units[i][0] == '\n' ? "" : hostile_units[i]);
		for (size_t k = 0; k < LENGTHS; k++)
			printf("%9.3f", speed[k]);
		printf("%9.1f\n", normal / slowest);
		if (slowest < all) {
			all = slowest;
			worst = hostile_units[i];
		}
		if (speed[3] / speed[LENGTHS - 1] > drop) {
			drop = speed[3] / speed[LENGTHS - 1];
			bent = hostile_units[i];
		}
	}
	printf("%-28s", "slowest of each");
	for (size_t k = 0; k < LENGTHS; k++)
		printf("%9.3f", lowest[k]);
	printf("\nslowest %.3f GB/s, %.1f times slower than normal (\"%s\"); from 4 KB to 1 MB no text loses more than %.2f times (\"%s\")\n",
	       all, normal / all, worst, drop, bent);
	free(hits);
	free(text);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fputs("usage: detect_bench STRINGS.bin [EVENTS]\n", stderr);
		return 2;
	}
	size_t count, bytes;
	struct buf file;
	buf_init(&file, 0);
	struct text *v = load(argv[1], &file, &count, &bytes);
	double events = argc > 2 ? atof(argv[2]) : (double)bytes / 570;
	static const char *const names[] = {"plain", "ssse3", "avx2"};
	double normal = 0;
	const char *only = getenv("DETECT_KERNEL");	/* "avx2": for a profile */
	for (int k = MARKS_PLAIN; k <= MARKS_AVX2; k++)
		if ((!only || strcmp(only, names[k]) == 0) && marks_force((enum marks_kernel)k))
			normal = strings(v, count, bytes, events, names[k]);
	for (unsigned n = 1; !only && n <= 1000; n *= 10)
		own_rules(v, count, events, n);
	if (!only)
		hostile(normal);
	free(v);
	buf_release(&file);
	return 0;
}
