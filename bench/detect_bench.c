/*
 * How fast are the detectors?  usage: detect_bench STRINGS.bin [EVENTS]
 *
 * STRINGS.bin is what gen-events.py writes: u32 little-endian length and a value, again and again: the string values
 * of EVENTS events (default: 570 bytes are one event).  Prints GB/s for the strings, ns an event, what was found, and
 * the slowest of a list of texts made to hurt, on one thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "detect/core.h"
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

static void hostile(void)
{
	static const char *const units[] = {
		"sk-ant-", "glpat-", "AB 12 ", "A1234567 ", "ABCDE1234 ", "61626364", "MFXG4QDF", "H4sIAAAA", "H4sIAAAAAAACA0vMy3NIrUjMLchJ1csvSgcAaKX4ZA8AAAA= ", "eJwD", "00-1B-", "00:1b:44:11:3a:b7 ",
		"-----BEGIN PRIVATE KEY-----MIIEowIBAAKCAQEA1c7+9z5Pad7OejecsQ0bu3aozN3tihPmljnnudb9", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb ", "nhs 9434765918 ", "imei iccid vin nhs 943 476 5918 ",
		"@", "a@", "a.a@", "1", "1 ", "1.", "1.2.3.", "1.2.3.4 ", "1.2.3.4x", ":", "a:", "2001:", "2001:db8::1 ", "eyJ.", "ey.",
		"eyJhbGciOiJub25lIn0.", "bearer+", "Bearer ", "bearer a1b2c3d4e5f6 ", "4111 ", "4111 1111 1111 1112 ", "4111111111111112 ",
		"123-45-", "219-09-9998 ", "+1", " +49 30", "(212) ", "212-555-", "phone ", "phone 1234567 ", "AD12 ",
		"GB82 WEST 1234 5698 7654 33 ", "aA", "aA/", "YW5uQGV4", "a@b.cd ", "a@b.c ", "\"a", "\"\"@", "{a@b.cd",
		"%25", "%2540", "%40a.bc", "%40a.bc ", "[at]", "\\u0040", "&#64;", "\xef\xbc\xa0", "\xe2\x80\x8b", "\xc3\xa9", "0123456789.@:"};
	enum { SIZE = 1 << 20 };
	static struct detect_hit hits[32];
	char *text = xcalloc(SIZE + 64, 1);
	const char *worst = "";
	double slowest = 1e9;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		size_t len = strlen(units[i]);
		double best = 1e9;
		for (size_t j = 0; j < SIZE; j++)
			text[j] = units[i][j % len];
		for (int round = 0; round < 5; round++) {
			double start = now();
			for (size_t at = 0; at + 4096 <= SIZE; at += 4096)	/* an event's string, not one text: no early end */
				detect_scan(text + at, 4096 - 64, DETECT_ALL, hits, 32);
			double took = now() - start;
			best = took < best ? took : best;
		}
		double speed = SIZE / best / 1e9;
		if (getenv("DETECT_TIMES"))
			printf("%8.3f GB/s  %s\n", speed, units[i]);
		if (speed < slowest) {
			slowest = speed;
			worst = units[i];
		}
	}
	printf("hostile: slowest %.3f GB/s (\"%s\" repeated)\n", slowest, worst);
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
	static const char *const names[] = {"plain", "sse2", "avx2"};
	const char *only = getenv("DETECT_KERNEL");	/* "avx2": for a profile */
	for (int k = MARKS_PLAIN; k <= MARKS_AVX2; k++)
		if ((!only || strcmp(only, names[k]) == 0) && marks_force((enum marks_kernel)k))
			strings(v, count, bytes, events, names[k]);
	for (unsigned n = 1; !only && n <= 1000; n *= 10)
		own_rules(v, count, events, n);
	if (!only)
		hostile();
	free(v);
	buf_release(&file);
	return 0;
}
