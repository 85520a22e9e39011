/* A peer's bundle: whatever it is, it is refused or bounded, and nothing that the detectors know stands in what is taken. */
#include <stdlib.h>
#include <string.h>

#include "detect/detect.h"
#include "share/share.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const char *s, size_t max)
{
	struct detect_hit hit;
	size_t n = strlen(s);
	must(n <= max);
	char *padded = calloc(1, n + 64);
	must(padded);
	memcpy(padded, s, n);
	must(detect_scan(padded, n, DETECT_ALL, &hit, 1) == 0);
	free(padded);
	for (; *s; s++)
		must((unsigned char)*s >= 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct share_found f;
	struct err err;
	if (share_read((const char *)data, n, &f, &err) == 0) {
		must(f.names_len <= SHARE_NAMES_MAX && f.hosts_len <= SHARE_NAMES_MAX && f.tlp < TLPS);
		check(f.title, SHARE_TEXT_MAX);
		for (size_t i = 0; i < f.names_len; i++)
			check(f.names[i], SHARE_TEXT_MAX);
	}
	share_found_release(&f);
	return 0;
}
