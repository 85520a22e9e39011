/*
 * Any bytes as a file of rules: taken, or refused with a place in the file.  What was taken looks at the same bytes: its hits
 * lie inside and apart, and so do those of rules that are always there; of these, nothing is found in what redacting leaves.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "detect/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static size_t look(const struct detect_rules *r, const char *text, size_t n, struct buf *left)
{
	enum { MAX = 64 };
	struct detect_hit hits[MAX];
	struct detect_room *room = detect_room_new(r);
	size_t k = detect_scan_with(r, room, text, n, DETECT_ALL, hits, MAX), at = 0;
	must(k <= MAX && detect_rules_count(r) <= DETECT_RULES_MAX);
	for (size_t i = 0; i < k; i++) {
		must(hits[i].start >= at && hits[i].start < hits[i].end && hits[i].end <= n);
		if (left) {
			buf_add(left, text + at, hits[i].start - at);
			buf_adds(left, hits[i].kind->placeholder);
		}
		at = hits[i].end;
	}
	if (left)
		buf_add(left, text + at, n - at);
	detect_room_free(&room);
	return k;
}

static void look_twice(const char *text, size_t n)
{
	static const char always[] = "weir: 1\ndetectors:\n  - {name: number, pattern: 'KD-[0-9]{4}', check: luhn, examples: [KD-1230]}\n"
				     "  - {name: seat, pattern: '\\bS-[0-9]{2,5}', examples: [S-12345]}\n";
	static struct detect_rules *r;	/* for the life of the process */
	struct diags d;
	struct buf left;
	if (!r) {
		diags_init(&d, "always");
		r = detect_rules_read(always, sizeof always - 1, &d);
		diags_release(&d);
		must(r);
	}
	buf_init(&left, 0);
	if (look(r, text, n, &left)) {
		must(buf_reserve(&left, 64));
		memset(left.data + left.len, 0, 64);
		must(look(r, (char *)left.data, left.len, NULL) == 0);
	}
	buf_release(&left);
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
		look(r, text, n, NULL);
	look_twice(text, n);
	detect_rules_free(&r);
	diags_release(&d);
	free(text);
	return 0;
}
