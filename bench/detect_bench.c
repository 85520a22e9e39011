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

static double cpu(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
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
static void strings(const struct text *v, size_t count, size_t bytes, double events, const char *kernel)
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
}

/* Seconds for all strings and kinds, with these rules besides unless NULL: the best of some rounds. */
static double all_kinds(const struct text *v, size_t count, const struct detect_rules *r, struct detect_room *room)
{
	double best = 1e9;
	for (int round = 0; round < 9; round++) {
		struct detect_hit hits[32];
		double start = now();
		for (size_t i = 0; i < count; i++)
			if (r)
				detect_scan_with(r, room, v[i].at, v[i].n, DETECT_ALL, hits, 32);
			else
				detect_scan(v[i].at, v[i].n, DETECT_ALL, hits, 32);
		double took = now() - start;
		best = took < best ? took : best;
	}
	return best;
}

/* What n rules of a user's own cost besides. */
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
	double with = all_kinds(v, count, r, room), without = all_kinds(v, count, NULL, NULL);
	printf("own rules: %4u add %7.1f ns/event\n", n, (with - without) * 1e9 / events);
	detect_room_free(&room);
	detect_rules_free(&r);
	diags_release(&d);
	buf_release(&yaml);
}

/* ---- texts made to hurt ------------------------------------------------------------------------------------------- */

/* Processor time of a byte, in ns: the best of some rounds.  Room for few hits would end it early, so there is room for all. */
static double of_a_byte(const char *text, size_t n, struct detect_hit *hits, size_t max)
{
	double best = 1e9;
	for (size_t done = 0, rounds = 0; done < (size_t)1 << 20 || rounds < 2; rounds++) {
		double start = cpu();
		size_t some = 0;
		for (; some < (size_t)1 << 17 || some < n; some += n)
			detect_scan(text, n, DETECT_ALL, hits, max);
		double took = (cpu() - start) / (double)some * 1e9;
		best = took < best ? took : best;
		done += some;
	}
	return best;
}

/* The strings of events, one a line: what the others are compared with. */
static void benign_fill(const struct text *v, size_t count, char *text, size_t n)
{
	size_t at = 0;
	for (size_t i = 0; at < n; i = i + 1 < count ? i + 1 : 0) {
		size_t k = v[i].n < n - at - 1 ? v[i].n : n - at - 1;
		memcpy(text + at, v[i].at, k);
		text[at + k] = '\n';
		at += k + 1;
	}
}

enum { LENGTHS = 8, SIZE = 16 << 20, HITS = SIZE / 4 + 2 };
static const size_t lengths[LENGTHS] = {1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, SIZE};

static void row(const char *name, const double *ns, double times)
{
	char shown[27] = {0};
	for (size_t i = 0; i < sizeof shown - 1 && name[i]; i++)
		shown[i] = name[i] >= ' ' && name[i] < 127 ? name[i] : '?';
	printf("%-27s", shown);
	for (size_t k = 0; k < LENGTHS; k++)
		printf("%8.2f", ns[k]);
	printf("%8.1f\n", times);
}

static void hostile(const struct text *v, size_t count)
{
	struct detect_hit *hits = xcalloc(HITS, sizeof *hits);
	char *text = xcalloc(SIZE + 64, 1);
	double benign[LENGTHS], worst = 0, growth = 0;
	const char *slowest = "", *bent = "";
	printf("ns a byte, by length; times slower than the strings of events, one a line, of the same length\n%-27s", "");
	for (size_t k = 0; k < LENGTHS; k++)
		printf("%6zuKB", lengths[k] >> 10);
	puts("   times");
	for (size_t k = 0; k < LENGTHS; k++) {
		benign_fill(v, count, text, lengths[k]);
		memset(text + lengths[k], 0, 64);
		benign[k] = of_a_byte(text, lengths[k], hits, HITS);
	}
	row("strings of events", benign, 1);
	for (size_t i = 0; i < HOSTILE_UNITS; i++) {
		double ns[LENGTHS], times = 0;
		for (size_t k = 0; k < LENGTHS; k++) {
			hostile_fill(i, text, lengths[k]);
			memset(text + lengths[k], 0, 64);
			ns[k] = of_a_byte(text, lengths[k], hits, HITS);
			times = ns[k] / benign[k] > times ? ns[k] / benign[k] : times;
		}
		row(hostile_units[i], ns, times);
		if (times > worst) {
			worst = times;
			slowest = hostile_units[i];
		}
		if (ns[LENGTHS - 1] > benign[LENGTHS - 1] && ns[LENGTHS - 1] / ns[2] > growth) {
			growth = ns[LENGTHS - 1] / ns[2];
			bent = hostile_units[i];
		}
	}
	printf("at most %.1f times slower (\"%s\"); of those slower at 16 MB, a byte costs there at most %.2f times what it does at 16 KB (\"%s\")\n", worst,
	       slowest, growth, bent);
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
	const char *only = getenv("DETECT_KERNEL");	/* "avx2": for a profile */
	for (int k = MARKS_PLAIN; k <= MARKS_AVX2; k++)
		if ((!only || strcmp(only, names[k]) == 0) && marks_force((enum marks_kernel)k))
			strings(v, count, bytes, events, names[k]);
	for (unsigned n = 1; !only && n <= 1000; n *= 10)
		own_rules(v, count, events, n);
	if (!only)
		hostile(v, count);
	free(v);
	buf_release(&file);
	return 0;
}
