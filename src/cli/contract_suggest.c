#include "cli/contract_suggest.h"

#include <stdio.h>
#include <unistd.h>

#include "contract/suggest.h"

enum { ADAPTER, FILES_MAX_BYTES = 1 << 30 };
static const struct opt opts[] = {{"--adapter", 'a', true, ADAPTER}};

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

int contract_suggest_run(const struct command *self, int argc, char **argv)
{
	const struct adapter *a = adapters[0];
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
		case OPT_OPERAND: bad = read_into(st.value, &text, files++); break;
		case OPT_HELP: buf_release(&text); return cli_help(self);
		default: bad = EXIT_USE;
		}
	}
	if (bad == EXIT_DONE && files == 0)
		bad = read_into("-", &text, 0);
	if (bad == EXIT_DONE)
		bad = suggest(a, &text);
	buf_release(&text);
	return bad;
}
