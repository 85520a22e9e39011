/* usage: naive FILE: the patterns that one would write first, in Vectorscan, over the lines of FILE; prints MB/s. */
#include <hs/hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const patterns[] = {
	"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,200}\\.[A-Za-z]{2,24}", "\\b(?:\\d[ -]?){12,18}\\d\\b", "\\b\\d{3}-\\d{2}-\\d{4}\\b",
	"\\b(?:\\d{1,3}\\.){3}\\d{1,3}\\b", "\\b(?:[0-9A-Fa-f]{1,4}:){3,7}[0-9A-Fa-f]{1,4}\\b", "\\b[A-Z]{2}\\d{2}(?: ?[A-Z0-9]{4}){2,7}\\b",
	"\\+\\d{1,3}[ -]?(?:\\d[ -]?){6,12}\\d", "\\(?\\d{3}\\)?[ .-]\\d{3}[ .-]\\d{4}\\b", "\\b\\d{8,15}\\b", "\\b\\d{3} ?\\d{3} ?\\d{4}\\b",
	"\\b[A-Z]{2}\\d{6}[A-D]\\b", "\\b\\d{8}[A-Z]\\b", "\\b[A-Z]{6}\\d{2}[A-Z]\\d{2}[A-Z]\\d{3}[A-Z]\\b", "\\b\\d{6}[-+]\\d{4}\\b",
	"\\b\\d{3}\\.\\d{3}\\.\\d{3}-\\d{2}\\b", "\\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\\b", "eyJ[\\w-]{10,}\\.[\\w-]{10,}\\.[\\w-]*",
	"AKIA[A-Z2-7]{16}", "gh[pousr]_[0-9A-Za-z]{36}", "\\b[13][1-9A-HJ-NP-Za-km-z]{25,34}\\b", "\\b0x[0-9a-fA-F]{40}\\b"};
enum { N = sizeof patterns / sizeof *patterns };

static int matched(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	(void)id, (void)from, (void)to, (void)flags;
	++*(size_t *)arg;
	return 0;
}

int main(int argc, char **argv)
{
	unsigned flags[N], ids[N];
	hs_database_t *db;
	hs_compile_error_t *why;
	hs_scratch_t *scratch = NULL;
	size_t hits = 0;
	FILE *f = fopen(argv[argc - 1], "rb");
	for (unsigned i = 0; i < N; i++) {
		flags[i] = HS_FLAG_DOTALL;
		ids[i] = i;
	}
	if (!f || hs_compile_multi(patterns, flags, ids, N, HS_MODE_BLOCK, NULL, &db, &why) || hs_alloc_scratch(db, &scratch))
		return 1;
	fseek(f, 0, SEEK_END);
	size_t n = (size_t)ftell(f);
	rewind(f);
	char *text = malloc(n + 1);
	if (fread(text, 1, n, f) != n)
		return 1;
	struct timespec a, b;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	for (size_t at = 0; at < n;) {
		char *nl = memchr(text + at, '\n', n - at);
		size_t len = nl ? (size_t)(nl - text) - at : n - at;
		hs_scan(db, text + at, (unsigned)len, 0, scratch, matched, &hits);
		at += len + 1;
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	printf("%.3f\n", (double)n / 1e6 / ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9));
	return 0;
}
