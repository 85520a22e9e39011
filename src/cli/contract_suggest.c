#include "cli/contract_suggest.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/ask.h"
#include "contract/suggest.h"
#include "shape/form.h"

enum { ADAPTER, VENDOR, DIR, FILES_MAX_BYTES = 1 << 30 };
static const struct opt opts[] = {{"--adapter", 'a', true, ADAPTER}, {"--vendor", 0, true, VENDOR}, {"--dir", 0, true, DIR}};

/* Several files become one text; a newline between them keeps their lines apart. */
static int read_into(const char *path, struct buf *all, size_t files)
{
	struct err err;
	struct buf one;
	buf_init(&one, 0);
	int r = cli_read(path, FILES_MAX_BYTES, &one, &err);
	if (r == 0 && files)
		buf_addc(all, '\n');
	if (r == 0)
		buf_add(all, one.data, one.len);
	buf_release(&one);
	return r == 0 ? EXIT_DONE : cli_fail("contract suggest", &err);
}

static int suggest(const struct adapter *a, const struct buf *text)
{
	struct suggest_counts n;
	struct buf yaml;
	struct err err = {.off = ERR_NOOFF};
	buf_init(&yaml, 0);
	if (contract_suggest(a, (const char *)text->data, text->len, &yaml, &n, &err) != 0)
		return cli_fail("contract suggest", &err);
	if (n.skipped)
		fprintf(stderr, "weir: contract suggest: %zu lines or requests weren't %s's and are left out\n", n.skipped, a->title);
	int r = cli_write_all(STDOUT_FILENO, yaml.data, yaml.len) == 0 ? EXIT_DONE : EXIT_FAULT;
	buf_release(&yaml);
	return r;
}

/* From what the gate has learned (discover/discover.h, the word `learned`). */
static int suggest_learned(const char *dir, const char *vendor)
{
	struct suggest_counts n;
	struct buf yaml;
	struct err err = {.off = ERR_NOOFF};
	json_t *answer, *row;
	size_t i;
	if (ask(dir, json_pack("{s:s, s:s}", "do", "learned", "vendor", vendor), &answer, &err) < 0)
		return cli_fail("contract suggest", &err);
	const struct adapter *a = adapter_find(ask_text(answer, "adapter"));
	struct suggestion *s = suggest_begin(a ? a : adapters[0]);
	json_array_foreach(json_object_get(answer, "rows"), i, row) {
		struct shape_row r = {.kind = (unsigned)ask_number(row, "k") & 3, .event = ask_text(row, "e"), .path = ask_text(row, "p")};
		if (shape_from_json(json_object_get(row, "c"), &r.counts))
			suggest_row(s, &r);
	}
	buf_init(&yaml, 0);
	int r = EXIT_DONE;
	if (suggest_end(&s, vendor, ask_text(answer, "first"), ask_text(answer, "last"), &yaml, &n, &err) != 0)
		r = cli_fail("contract suggest", &err);
	else if (cli_write_all(STDOUT_FILENO, yaml.data, yaml.len) != 0)
		r = EXIT_FAULT;
	json_decref(answer);
	buf_release(&yaml);
	return r;
}

int contract_suggest_run(const struct command *self, int argc, char **argv)
{
	const struct adapter *a = adapters[0];
	const char *vendor = NULL, *dir = NULL;
	struct opt_state st;
	struct buf text;
	size_t files = 0;
	int bad = EXIT_DONE;
	buf_init(&text, 0);
	opt_init(&st, argc, argv);
	for (int key; bad == EXIT_DONE && (key = opt_next(&st, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		switch (key) {
		case ADAPTER:
			if (!(a = adapter_find(st.value)))
				bad = cli_wrong(self, "no adapter is called %s", st.value);
			break;
		case VENDOR: vendor = st.value; break;
		case DIR: dir = st.value; break;
		case OPT_OPERAND: bad = read_into(st.value, &text, files++); break;
		case OPT_HELP: buf_release(&text); return cli_help(self);
		default: bad = EXIT_USE;
		}
	}
	if (bad == EXIT_DONE && vendor && files)
		bad = cli_wrong(self, "--vendor takes what was learned: no file besides");
	if (bad == EXIT_DONE && vendor) {
		buf_release(&text);
		return suggest_learned(dir, vendor);
	}
	if (bad == EXIT_DONE && files == 0)
		bad = read_into("-", &text, 0);
	if (bad == EXIT_DONE)
		bad = suggest(a, &text);
	buf_release(&text);
	return bad;
}
