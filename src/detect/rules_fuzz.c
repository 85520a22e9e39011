/*
 * Any bytes as a file of rules: taken, or refused with a place in the file.  What was taken looks at the same bytes: its hits
 * lie inside and apart.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "detect/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void look(const struct detect_rules *r, const char *text, size_t n)
{
	enum { MAX = 64 };
	struct detect_hit hits[MAX];
	struct detect_room *room = detect_room_new(r);
	size_t k = detect_scan_with(r, room, text, n, DETECT_ALL, hits, MAX), at = 0;
	must(k <= MAX && detect_rules_count(r) <= DETECT_RULES_MAX);
	for (size_t i = 0; i < k; i++) {
		must(hits[i].start >= at && hits[i].start < hits[i].end && hits[i].end <= n);
		at = hits[i].end;
	}
	detect_room_free(&room);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	enum { TEXT_MAX = 4096 };	/* a pattern may take its time to compile */
	struct diags d;
	if (n > TEXT_MAX)
		return 0;
	char *text = xcalloc(n + 64, 1);
	if (n)
		memcpy(text, p, n);
	diags_init(&d, "rules.yaml");
	struct detect_rules *r = detect_rules_read(text, n, &d);
	must(r || d.errors);
	for (size_t i = 0; i < d.n; i++)
		must(d.v[i].line <= n + 1);	/* YAML knows five breaks of a line */
	if (r)
		look(r, text, n);
	detect_rules_free(&r);
	diags_release(&d);
	free(text);
	return 0;
}
