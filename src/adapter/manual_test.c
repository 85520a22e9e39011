/* man/weir-NAME.7 says what the adapter's table says: each marked block is built from the table and compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/adapter.h"
#include "base/buf.h"

/* Text for roff: a hyphen that can be copied. */
static void add(struct buf *b, const char *s)
{
	for (; *s; s++)
		buf_adds(b, *s == '-' ? "\\-" : (char[]){*s, 0});
}

static const char *const kind_words[OBJECT_KINDS] = {"events", "profiles", "groups", "links"};
static const char *const mode_words[] = {"deliver", "sync", "pin", "refuse"};

static void routes(const struct adapter *a, struct buf *b)
{
	for (size_t i = 0; i < a->routes_len; i++) {
		const struct route *r = &a->routes[i];
		add(b, r->path);
		buf_adds(b, r->prefix ? "[/...]\t" : "\t");
		buf_adds(b, r->methods == METHOD_GET ? "GET" : r->methods == METHOD_POST ? "POST" : "GET, POST");
		buf_addf(b, "\t%s\t%s\n", mode_words[r->mode], r->mode == ROUTE_DELIVER ? kind_words[r->kind] : "none");
	}
}

static void reasons(const struct adapter *a, struct buf *b)
{
	for (size_t i = 0; i < a->routes_len; i++) {
		if (!a->routes[i].why)
			continue;
		buf_adds(b, ".TP\n.B ");
		add(b, a->routes[i].path);
		buf_addc(b, '\n');
		add(b, a->routes[i].why);
		buf_addc(b, '\n');
	}
}

static void slots(const struct adapter *a, struct buf *b)
{
	static const char *const roles[] = {
		[SLOT_NAME] = "named by the contract", [SLOT_TOKEN] = "source token, never kept", [SLOT_ID] = NULL,
		[SLOT_INSERT_ID] = "kept; minted", [SLOT_TIME] = "kept or as ruled; minted",
		[SLOT_KEEP] = "kept",
	};
	for (size_t i = 0; i < a->slots_len; i++) {
		const struct slot *s = &a->slots[i];
		add(b, s->path);
		buf_addf(b, "\t%s\t", kind_words[s->kind]);
		if (s->role == SLOT_ID)
			buf_addf(b, "identity %s%s", id_kind_names[s->id], s->subject ? "; person" : "");
		else
			buf_adds(b, roles[s->role]);
		buf_addc(b, '\n');
	}
}

static void links(const struct adapter *a, struct buf *b)
{
	for (size_t i = 0; i < a->links_len; i++)
		buf_addf(b, ".BR %s%s\n", a->links[i].event, i + 1 < a->links_len ? " ," : " .");
}

static void operations(const struct adapter *a, struct buf *b)
{
	static const char *const shapes[] = {"fields", "names of fields", "nothing (what stands there is not kept)"};
	for (size_t i = 0; i < a->operations_len; i++)
		buf_addf(b, "%s\t%s\t%s\n", a->operations[i].word, a->operations[i].key, shapes[a->operations[i].shape]);
}

static void limits(const struct adapter *a, struct buf *b)
{
	buf_addf(b, "A delivery holds at most %u objects and %u bytes, an object %u bytes; /track takes events of the last %u days.\n",
		 a->limits.batch_objects, a->limits.batch_bytes, a->limits.object_bytes, a->limits.max_age_s / 86400);
}

static void hosts(const struct adapter *a, struct buf *b)
{
	for (size_t i = 0; a->side_channels[i]; i++)
		buf_addf(b, ".BR %s%s\n", a->side_channels[i], a->side_channels[i + 1] ? " ," : " .");
}

static const struct {
	const char *name;
	void (*build)(const struct adapter *a, struct buf *b);
} blocks[] = {
	{"routes", routes}, {"reasons", reasons}, {"slots", slots}, {"links", links}, {"operations", operations},
	{"limits", limits}, {"hosts", hosts},
};

static char *page(const char *name)
{
	char path[512];
	struct buf b;
	snprintf(path, sizeof path, WEIR_SOURCE "/man/weir-%s.7", name);
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	buf_init(&b, 0);
	for (int c; (c = getc(f)) != EOF;)
		buf_addc(&b, (char)c);
	fclose(f);
	return (char *)b.data;
}

static void pages_match(void **state)
{
	(void)state;
	for (const struct adapter *const *a = adapters; *a; a++) {
		char *text = page((*a)->name);
		assert_non_null(text);
		for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
			struct buf want;
			char mark[64];
			buf_init(&want, 0);
			blocks[i].build(*a, &want);
			snprintf(mark, sizeof mark, ".\\\" %s", blocks[i].name);
			char *from = strstr(text, mark), *to = from ? strstr(from, ".\\\" end") : NULL;
			assert_non_null(to);
			char *at = strstr(from, (const char *)want.data);
			if (!at || at > to) {
				fprintf(stderr, "block %s should hold\n%s", blocks[i].name, (const char *)want.data);
				fail_msg("weir-%s.7 says otherwise", (*a)->name);
			}
			buf_release(&want);
		}
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(pages_match)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
