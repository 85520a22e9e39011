/* `weir apply`: contract files into the registry, after a look at what changes. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "cli/contract_file.h"
#include "config/config.h"
#include "contract/contract.h"

enum { CONTRACT_MAX = 4 << 20, FILES_MAX = 1000 };
enum { OPT_FILE = ARG_OWN, OPT_YES, OPT_DRY };

static const struct opt opts[] = {
	ARGS_COMMON, {"--file", 'f', true, OPT_FILE}, {"--yes", 'y', false, OPT_YES}, {"--dry-run", 0, false, OPT_DRY},
};

/* ---- files ------------------------------------------------------------------------------------------------------ */

/* Appends {json} for the file.  Its mistakes go to standard error, all of them. */
static int read_contract(const char *path, json_t *list, struct err *err)
{
	struct buf text, out;
	struct diags d;
	buf_init(&text, 0);
	buf_init(&out, 0);
	diags_init(&d, path);
	int r = cli_read(path, CONTRACT_MAX, &text, err);
	if (r == 0) {
		struct contract *c = contract_file_parse(path, (const char *)text.data, text.len, &d, contract_file_complain, NULL);
		diags_print(&d, &out);
		if (out.len)
			(void)!cli_write_all(STDERR_FILENO, out.data, out.len);
		buf_reset(&out);
		if (c) {
			contract_to_json(c, &out);
			json_array_append_new(list, json_pack("{s:s%}", "json", (const char *)out.data, out.len));
		} else {
			r = err_set(err, ERR_INPUT, "%s: %zu mistake%s", path, d.errors, d.errors == 1 ? "" : "s");
		}
		contract_free(&c);
	}
	diags_release(&d);
	buf_release(&text);
	buf_release(&out);
	return r;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Every file is read, so that all mistakes are seen at once; the first error is returned. */
static int read_folder(const char *path, json_t *list, struct err *err)
{
	struct dirent **names;
	int n = scandir(path, &names, contract_file_is_yaml, by_name), r = 0;
	if (n < 0)
		return err_sys(err, "%s", path);
	for (int i = 0; i < n; i++) {
		struct err this;
		char *file = xasprintf("%s/%s", path, names[i]->d_name);
		if (read_contract(file, list, &this) < 0 && r == 0) {
			*err = this;
			r = -1;
		}
		free(file);
		free(names[i]);
	}
	free(names);
	if (r == 0 && json_array_size(list) == 0)
		return err_set(err, ERR_NOTFOUND, "%s: no contracts (*.yaml) in it", path);
	if (r == 0 && json_array_size(list) > FILES_MAX)
		return err_set(err, ERR_LIMIT, "%s: more than %d contracts", path, FILES_MAX);
	return r;
}

static int read_all(const struct args *a, json_t *list, struct err *err)
{
	struct stat st;
	char *dir = NULL;
	if (!a->value[OPT_FILE] && folder_find(a->value[ARG_DIR], &dir, err) < 0)
		return -1;
	char *path = a->value[OPT_FILE] ? xstrdup(a->value[OPT_FILE]) : xasprintf("%s/contracts", dir);
	int r;
	if (stat(path, &st) < 0)
		r = err_sys(err, "%s", path);
	else
		r = S_ISDIR(st.st_mode) ? read_folder(path, list, err) : read_contract(path, list, err);
	if (r == 0)
		(S_ISDIR(st.st_mode) ? contract_folder_unnamed : contract_file_unnamed)(path, contract_file_complain, NULL);
	free(path);
	free(dir);
	return r;
}

/* ---- the plan of change ----------------------------------------------------------------------------------------- */

static size_t count_new(const json_t *changes)
{
	size_t i, n = 0;
	json_t *c;
	json_array_foreach((json_t *)(uintptr_t)changes, i, c) n += json_is_true(json_object_get(c, "new"));
	return n;
}

static void show_change(const json_t *c, bool colour)
{
	const char *vendor = json_string_value(json_object_get(c, "vendor"));
	long long version = json_integer_value(json_object_get(c, "version")), against = json_integer_value(json_object_get(c, "against"));
	if (!json_is_true(json_object_get(c, "new"))) {
		printf("%s@%lld  as it was\n", vendor, version);
		return;
	}
	if (against)
		printf("%s@%lld  new, against %lld in force:\n", vendor, version, against);
	else
		printf("%s@%lld  new; nothing of %s is in force:\n", vendor, version, vendor);
	size_t i;
	json_t *line;
	json_array_foreach(json_object_get(c, "lines"), i, line) {
		bool wider = json_is_true(json_object_get(line, "wider"));
		printf("%s  %s %s%s\n", wider && colour ? "\033[31m" : "", wider ? "wider" : "     ",
		       json_string_value(json_object_get(line, "text")), wider && colour ? "\033[0m" : "");
	}
	if (json_array_size(json_object_get(c, "lines")) == 0)
		puts("        no rule changes");
}

static void show(const json_t *answer)
{
	size_t i;
	json_t *c;
	json_array_foreach(json_object_get(answer, "changes"), i, c) show_change(c, cli_colour(STDOUT_FILENO));
}

static bool agreed(size_t n)
{
	char line[16];
	printf("Add %zu contract version%s to the registry? [y/N] ", n, n == 1 ? "" : "s");
	fflush(stdout);
	return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static void tell(const json_t *answer)
{
	size_t i;
	json_t *c;
	json_array_foreach(json_object_get(answer, "changes"), i, c) if (json_is_true(json_object_get(c, "new")))
		printf("applied %s@%lld; it takes effect with: weir approve %s@%lld --why TEXT\n",
		       json_string_value(json_object_get(c, "vendor")), (long long)json_integer_value(json_object_get(c, "version")),
		       json_string_value(json_object_get(c, "vendor")), (long long)json_integer_value(json_object_get(c, "version")));
}

static int apply(const struct command *self, const struct args *a, json_t *list)
{
	struct err err;
	json_t *answer;
	if (ask(a->value[ARG_DIR], json_pack("{s:s, s:O, s:b}", "do", "apply", "contracts", list, "dry_run", 1), &answer, &err) < 0)
		return cli_fail(self->name, &err);
	size_t n = count_new(json_object_get(answer, "changes"));
	if (!a->value[ARG_JSON])
		show(answer);
	bool asks = n && !a->value[OPT_DRY] && !a->value[OPT_YES];
	int r = a->value[OPT_DRY] && n ? EXIT_NO : EXIT_DONE;
	if (asks && (a->value[ARG_JSON] || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		r = cli_wrong(self, "no terminal to ask on: look at the changes and give --yes");
	else if (asks && !agreed(n))
		r = EXIT_NO;
	else if (n && !a->value[OPT_DRY]) {
		json_decref(answer);
		if (ask(a->value[ARG_DIR], json_pack("{s:s, s:O, s:b}", "do", "apply", "contracts", list, "dry_run", 0), &answer, &err) < 0)
			return cli_fail(self->name, &err);
		if (!a->value[ARG_JSON])
			tell(answer);
	}
	if (a->value[ARG_JSON] && r != EXIT_USE)
		ask_print(answer);
	json_decref(answer);
	return r;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct args a;
	struct err err;
	int r;
	if (!args_read(self, argc, argv, opts, sizeof opts / sizeof *opts, 1, &a, &r))
		return r;
	if (a.n)
		return cli_wrong(self, "%s: contracts are given with -f FILE or -f FOLDER", a.operand[0]);
	json_t *list = json_array();
	r = read_all(&a, list, &err) < 0 ? cli_fail(self->name, &err) : apply(self, &a, list);
	json_decref(list);
	return r;
}

const struct command cmd_apply = {
	"apply", "put contract files into the registry",
	"usage: weir apply [-f FILE|FOLDER] [--yes] [--dry-run] [--dir FOLDER] [--json]\n"
	"\n"
	"  -f FILE|FOLDER   a contract, or every *.yaml of a folder (default: contracts/)\n"
	"  --yes            don't ask\n"
	"  --dry-run        only show what would change\n"
	"\n"
	"Shows what each contract changes against the version in force; what becomes wider is marked, and red on a\n"
	"terminal.  Nothing flows under a new version until `weir approve` names it.  A version never changes: a file\n"
	"with the same version and other content is refused, and then nothing of this apply is taken.\n"
	"\n"
	"Exit status: 0 done, or (--dry-run) nothing would change; 1 (--dry-run) something would change, or you said no;\n"
	"2 wrong use, a contract with mistakes, or a version with other content; 3 own fault.\n",
	run,
};
