/* `weir contract`: reads, shows and compares contract files.  Needs no folder. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/contract.h"
#include "cli/contract_file.h"
#include "cli/contract_suggest.h"

static const struct command *const subs[] = {
#define X(n) &contract_sub_##n,
	CONTRACT_COMMANDS(X)
#undef X
};
enum { SUBS = sizeof subs / sizeof *subs };

static const struct command *find_sub(const char *name)
{
	for (size_t i = 0; i < SUBS; i++) {
		const char *word = strchr(subs[i]->name, ' ') + 1;	/* "contract check" */
		if (strcmp(word, name) == 0)
			return subs[i];
	}
	return NULL;
}

static int run(const struct command *self, int argc, char **argv)
{
	if (argc < 2)
		return cli_wrong(self, "say what to do: check, show, diff, suggest or schema");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return cli_help(self);
	const struct command *c = find_sub(argv[1]);
	if (c)
		return c->run(c, argc - 1, argv + 1);
	const char *words[SUBS];
	for (size_t i = 0; i < SUBS; i++)
		words[i] = strchr(subs[i]->name, ' ') + 1;
	const char *near = diag_nearest(argv[1], strlen(argv[1]), words, SUBS);
	return cli_wrong(self, "there is no `contract %s`%s%s%s", argv[1], near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
}

const struct command cmd_contract = {
	"contract", "check, show, compare and suggest contracts",
	"usage: weir contract check [--json] FILE...\n"
	"       weir contract show [--effective] [--state open|restricted] [--json] FILE\n"
	"       weir contract diff [--json] OLD NEW\n"
	"       weir contract suggest [--adapter NAME] FILE...\n"
	"       weir contract suggest --vendor V [--dir FOLDER]\n"
	"       weir contract schema\n\n"
	"check    names every mistake of each file at once: FILE:LINE:COL: error|warning: MESSAGE [CODE]\n"
	"show     the contract as Weir understands it, with every default and its digest;\n"
	"         --effective lists each place that may leave, the protocol's own included, with its number\n"
	"diff     what NEW changes, a line each; what lets the vendor receive more is marked wider\n"
	"suggest  a contract from captured traffic, or from what was learned; `weir contract suggest --help` says more\n"
	"schema   the JSON Schema of the format, for editors\n\n"
	"FILE may be - for standard input.  The format is in weir-contract(5), the codes in docs/errors.md.\n\n"
	"exit status: 0 done; 1 check found errors, diff found something wider; 2 a file can't be read, or wrong use\n",
	run};

/* ---- reading -------------------------------------------------------------------------------------------------- */

static bool is_utf8_fault(const struct diags *d)
{
	return d->n == 1 && strcmp(d->v[0].code, "utf8") == 0;
}

static void print_diags(const struct diags *d, FILE *to)
{
	struct buf b;
	buf_init(&b, 0);
	diags_print(d, &b);
	if (b.len)
		fwrite(b.data, 1, b.len, to);
	buf_release(&b);
}

/* -1: unreadable, said.  Else 0, with the model or NULL. */
static int read_and_parse(const char *path, struct contract **c, struct diags *d, void (*said)(void *arg, const struct diags *d))
{
	struct buf text;
	struct err err;
	buf_init(&text, 0);
	diags_init(d, path);
	*c = NULL;
	if (cli_read(path, CONTRACT_FILE_MAX, &text, &err) < 0) {
		cli_fail("contract", &err);
		buf_release(&text);
		return -1;
	}
	*c = contract_file_parse(path, (const char *)text.data, text.len, d, said, NULL);
	buf_release(&text);
	return 0;
}

int contract_load(const char *path, struct contract **out)
{
	struct diags d;
	int r = read_and_parse(path, out, &d, contract_file_complain);
	if (r == 0 && !*out)
		print_diags(&d, stderr);
	diags_release(&d);
	return *out ? EXIT_DONE : EXIT_USE;
}

static void digest_text(const struct contract *c, char out[static 65])
{
	uint8_t raw[32];
	contract_digest(c, raw);
	hex_encode(raw, 32, out);
}

/* What compile says beyond the file's own mistakes. */
static void check_compiles(const struct contract *c, struct diags *d)
{
	struct plan *p = NULL;
	struct err err;
	if (c && plan_compile(c, FLOW_OPEN, &p, &err) < 0)
		diags_add(d, DIAG_ERROR, 1, 1, "limit", "%s", err.msg);
	plan_free(&p);
}

/* ---- check ---------------------------------------------------------------------------------------------------- */

enum { O_JSON, O_EFFECTIVE, O_STATE };
static const struct opt json_opt[] = {{"--json", 0, false, O_JSON}};

/* One JSON object a file: {"file","ok","digest"?,"diagnostics":[...]} */
static void check_json(const char *path, const struct contract *c, const struct diags *d)
{
	struct buf b;
	buf_init(&b, 0);
	buf_adds(&b, "{\"file\":");
	buf_add_json(&b, path, strlen(path));
	buf_addf(&b, ",\"ok\":%s", d->errors ? "false" : "true");
	if (c && !d->errors) {
		char hex[65];
		digest_text(c, hex);
		buf_addf(&b, ",\"digest\":\"%s\"", hex);
	}
	buf_adds(&b, ",\"diagnostics\":");
	diags_print_json(d, &b);
	b.len -= b.len && b.data[b.len - 1] == '\n';
	buf_adds(&b, "}\n");
	fwrite(b.data, 1, b.len, stdout);
	buf_release(&b);
}

/* A file of detectors is told like a contract's, before it. */
static void detectors_json(void *arg, const struct diags *d)
{
	(void)arg;
	check_json(d->file, NULL, d);
}

static void detectors_text(void *arg, const struct diags *d)
{
	(void)arg;
	print_diags(d, stdout);
}

static int check_one(const char *path, bool json)
{
	struct contract *c;
	struct diags d;
	int r = EXIT_USE;
	if (read_and_parse(path, &c, &d, json ? detectors_json : detectors_text) == 0) {
		check_compiles(c, &d);
		if (json)
			check_json(path, c, &d);
		else
			print_diags(&d, stdout);
		if (!json && !d.errors)
			printf("%s: good%s\n", path, d.n ? ", with warnings" : "");
		r = is_utf8_fault(&d) ? EXIT_USE : d.errors ? EXIT_NO : EXIT_DONE;
	}
	contract_free(&c);
	diags_release(&d);
	return r;
}

static size_t folder_len(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? (size_t)(slash - path) + 1 : 0;
}

static bool first_of_folder(const char *const *files, size_t at)
{
	size_t len = folder_len(files[at]);
	for (size_t i = 0; i < at; i++)
		if (folder_len(files[i]) == len && memcmp(files[i], files[at], len) == 0)
			return false;
	return true;
}

static int run_check(const struct command *self, int argc, char **argv)
{
	const char **files = calloc((size_t)argc + 1, sizeof *files);
	size_t n = 0;
	bool json = false;
	int worst = EXIT_DONE;
	struct opt_state s;
	opt_init(&s, argc, argv);
	for (int o; (o = opt_next(&s, self, json_opt, 1)) != OPT_END;) {
		if (o == OPT_BAD || o == OPT_HELP) {
			free(files);
			return o == OPT_BAD ? EXIT_USE : cli_help(&cmd_contract);
		}
		json |= o == O_JSON;
		if (o == OPT_OPERAND)
			files[n++] = s.value;
	}
	if (n == 0)
		worst = cli_wrong(self, "which file?");
	for (size_t i = 0; i < n; i++) {
		int r = check_one(files[i], json);
		worst = r > worst ? r : worst;
	}
	for (size_t i = 0; i < n; i++)
		if (first_of_folder(files, i))
			contract_file_unnamed(files[i], json ? detectors_json : detectors_text, NULL);
	free(files);
	return worst;
}

const struct command contract_sub_check = {"contract check", "every mistake of contract files", "", run_check};

/* ---- show ----------------------------------------------------------------------------------------------------- */

static const char *const kind_names[OBJECT_KINDS] = {"event", "profile", "group", "link"};

#define T(s) (int)(s).len, (s).at ? (s).at : ""

/* Something else than redacting happens to a hit. */
static bool hides(const struct plan_leaf *l)
{
	return l->on_hit.len && !span_eq(l->on_hit, "redact");
}

static json_t *leaf_json(size_t n, const struct plan_leaf *l)
{
	json_t *o = json_pack("{s:I,s:s,s:s%,s:s%,s:s%,s:s}", "n", (json_int_t)n, "kind", kind_names[l->kind], "path", l->path.at,
			 l->path.len, "action", l->what.at, l->what.len, "category", l->category.len ? l->category.at : "",
			 l->category.len, "from", l->from_adapter ? "adapter" : "contract");
	if (hides(l))
		json_object_set_new(o, "on_hit", json_stringn(l->on_hit.at, l->on_hit.len));
	return o;
}

static void leaf_print(size_t n, const struct plan_leaf *l)
{
	bool hit = hides(l);
	printf("%3zu  %-8s %-9s %-36.*s %.*s%s%.*s%s%.*s\n", n, kind_names[l->kind], l->from_adapter ? "adapter" : "contract", T(l->path),
	       T(l->what), hit ? ", on_hit: " : "", hit ? (int)l->on_hit.len : 0, hit ? l->on_hit.at : "", l->category.len ? "  # " : "", T(l->category));
}

static int show_effective(const struct contract *c, enum flow flow, bool json)
{
	struct plan *p;
	struct err err;
	const struct plan_leaf *leaves;
	if (plan_compile(c, flow, &p, &err) < 0)
		return cli_fail("contract show", &err);
	size_t n = plan_leaves(p, &leaves);
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		const struct plan_leaf *l = &leaves[i];
		if (json)
			json_array_append_new(list, leaf_json(i, l));
		else
			leaf_print(i, l);
	}
	if (json) {
		char hex[65];
		digest_text(c, hex);
		json_t *o = json_pack("{s:s%,s:I,s:s,s:s,s:o}", "vendor", c->vendor.at, c->vendor.len, "version", (json_int_t)c->version,
				      "digest", hex, "state", flow_names[flow], "effective", json_incref(list));
		json_dumpf(o, stdout, JSON_COMPACT);
		puts("");
		json_decref(o);
	}
	json_decref(list);
	plan_free(&p);
	return EXIT_DONE;
}

static int show_model(const struct contract *c, bool json)
{
	struct buf b;
	char hex[65];
	buf_init(&b, 0);
	contract_to_json(c, &b);
	digest_text(c, hex);
	if (json) {
		printf("{\"digest\":\"%s\",\"contract\":%s}\n", hex, (const char *)b.data);
	} else {
		json_t *v = json_loadb((const char *)b.data, b.len, 0, NULL);
		printf("# %.*s version %lld, digest sha256 %s\n", T(c->vendor), (long long)c->version, hex);
		json_dumpf(v, stdout, JSON_INDENT(2));	/* in the canonical order */
		puts("");
		json_decref(v);
	}
	buf_release(&b);
	return EXIT_DONE;
}

static int run_show(const struct command *self, int argc, char **argv)
{
	static const struct opt opts[] = {
		{"--json", 0, false, O_JSON}, {"--effective", 0, false, O_EFFECTIVE}, {"--state", 0, true, O_STATE}};
	bool json = false, effective = false;
	const char *file = NULL;
	enum flow flow = FLOW_OPEN;
	struct opt_state s;
	opt_init(&s, argc, argv);
	for (int o; (o = opt_next(&s, self, opts, 3)) != OPT_END;) {
		if (o == OPT_BAD || o == OPT_HELP)
			return o == OPT_BAD ? EXIT_USE : cli_help(&cmd_contract);
		json |= o == O_JSON;
		effective |= o == O_EFFECTIVE || o == O_STATE;
		if (o == O_STATE && strcmp(s.value, "restricted") == 0)
			flow = FLOW_RESTRICTED;
		else if (o == O_STATE && strcmp(s.value, "open") != 0)
			return cli_wrong(self, "--state is open or restricted");
		if (o == OPT_OPERAND && file)
			return cli_wrong(self, "one file at a time");
		if (o == OPT_OPERAND)
			file = s.value;
	}
	if (!file)
		return cli_wrong(self, "which file?");
	struct contract *c;
	int r = contract_load(file, &c);
	if (r == EXIT_DONE)
		r = effective ? show_effective(c, flow, json) : show_model(c, json);
	contract_free(&c);
	return r;
}

const struct command contract_sub_show = {"contract show", "a contract as Weir understands it", "", run_show};

/* ---- diff ----------------------------------------------------------------------------------------------------- */

static void print_changes(const struct contract_changes *ch, bool json)
{
	bool colour = cli_colour(1);
	json_t *list = json_array();
	for (size_t i = 0; i < ch->n; i++) {
		const struct contract_change *v = &ch->v[i];
		if (json)
			json_array_append_new(list, json_pack("{s:b,s:s}", "wider", v->wider, "text", v->text));
		else
			printf("%s%-6s %s%s\n", colour && v->wider ? "\033[31m" : "", v->wider ? "wider" : "", v->text,
			       colour && v->wider ? "\033[0m" : "");
	}
	if (json) {
		json_t *o = json_pack("{s:b,s:o}", "wider", ch->wider, "changes", json_incref(list));
		json_dumpf(o, stdout, JSON_COMPACT);
		puts("");
		json_decref(o);
	} else if (ch->n == 0) {
		puts("no change");
	}
	json_decref(list);
}

static int run_diff(const struct command *self, int argc, char **argv)
{
	const char *files[2];
	size_t n = 0;
	bool json = false;
	struct opt_state s;
	opt_init(&s, argc, argv);
	for (int o; (o = opt_next(&s, self, json_opt, 1)) != OPT_END;) {
		if (o == OPT_BAD || o == OPT_HELP)
			return o == OPT_BAD ? EXIT_USE : cli_help(&cmd_contract);
		json |= o == O_JSON;
		if (o == OPT_OPERAND && n < 2)
			files[n] = s.value;
		n += o == OPT_OPERAND;
	}
	if (n != 2)
		return cli_wrong(self, "two files: the old one and the new one");
	struct contract *a = NULL, *b = NULL;
	int ra = contract_load(files[0], &a), rb = contract_load(files[1], &b), r = ra > rb ? ra : rb;
	if (r == EXIT_DONE) {
		struct contract_changes ch;
		contract_diff(a, b, &ch);
		print_changes(&ch, json);
		r = ch.wider ? EXIT_NO : EXIT_DONE;
		contract_changes_release(&ch);
	}
	contract_free(&a);
	contract_free(&b);
	return r;
}

const struct command contract_sub_diff = {"contract diff", "what a new version changes", "", run_diff};

const struct command contract_sub_suggest = {"contract suggest", "a contract from captured traffic", CONTRACT_SUGGEST_USAGE,
					      contract_suggest_run};

/* ---- schema --------------------------------------------------------------------------------------------------- */

static int run_schema(const struct command *self, int argc, char **argv)
{
	struct opt_state s;
	opt_init(&s, argc, argv);
	int o = opt_next(&s, self, json_opt, 1);	/* --json: it is JSON anyway */
	if (o == OPT_HELP)
		return cli_help(&cmd_contract);
	if (o != OPT_END && o != O_JSON)
		return o == OPT_OPERAND ? cli_wrong(self, "takes no operand") : EXIT_USE;
	fputs(contract_schema(), stdout);
	return EXIT_DONE;
}

const struct command contract_sub_schema = {"contract schema", "the JSON Schema of the format", "", run_schema};
