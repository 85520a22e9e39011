/*
 * weir detect: personal data and secrets in files, folders and streams.  A file is one JSON text, a table (CSV), or lines,
 * each of them JSON or plain; gzip and zstd are opened first.  Standard input is read line by line as it comes, unless its
 * first line is the beginning of a longer JSON text.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>

#include "base/inflate.h"
#include "base/yamldoc.h"
#include "cli/cli.h"
#include "cli/detect_report.h"
#include "detect/record.h"
#include "json/json.h"

enum { JSON, SHOW, TYPES, PRETTY, SARIF, CSV, RULES, NAMES };
static const struct opt opts[] = {{"--json", 0, false, JSON},	  {"--show", 0, false, SHOW},	{"--types", 't', true, TYPES}, {"--names", 0, false, NAMES},
				  {"--pretty", 0, false, PRETTY}, {"--sarif", 0, false, SARIF}, {"--csv", 0, false, CSV},
				  {"--rules", 'r', true, RULES}};

#define FILE_MAX ((size_t)1 << 31)	/* offsets are 32 bits */
enum { FOLDER_DEPTH_MAX = 64 };

struct job {
	struct detect_report report;
	struct detect_record scan;
	uint64_t types;
	const struct detect_rules *rules;
	bool csv;
	const char *file;
	size_t line;
	const char *record;	/* its first byte; offsets count from the first byte of the line that holds them */
	size_t record_len;
	size_t line_at;		/* in the record: of the line that `line` counts */
	size_t lines_in;	/* lines of the record before that one */
	size_t not_utf8, binary;
};

static void each_hit(void *arg, const char *pointer, const struct detect_hit *h)
{
	struct job *j = arg;
	for (const char *p; (p = memchr(j->record + j->line_at, '\n', h->start - j->line_at));) {
		j->line_at = (size_t)(p - j->record) + 1;
		j->lines_in++;
	}
	const char *line = j->record + j->line_at, *nl = memchr(j->record + h->end, '\n', j->record_len - h->end);
	const struct detect_place place = {.file = j->file, .pointer = pointer, .line = j->line + j->lines_in, .start = h->start - j->line_at,
					   .end = h->end - j->line_at, .line_text = line,
					   .line_len = (size_t)((nl ? nl : j->record + j->record_len) - line)};
	detect_report_hit(&j->report, &place, h);
}

static bool is_utf8(const char *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		utf8proc_int32_t c;
		utf8proc_ssize_t k = utf8proc_iterate((const utf8proc_uint8_t *)p + i, (utf8proc_ssize_t)(n - i), &c);
		if (k <= 0)
			return false;
		i += (size_t)k;
	}
	return true;
}

static void begin_record(struct job *j, const char *p, size_t n)
{
	j->record = p;
	j->record_len = n;
	j->line_at = j->lines_in = 0;
	j->not_utf8 += !is_utf8(p, n);
}

static void one_record(struct job *j, const char *p, size_t n)
{
	begin_record(j, p, n);
	detect_record_scan(&j->scan, p, n, j->types, each_hit, j);
}

/* A file that is one JSON text of several lines is one record; else each line is one. */
static bool is_json(const char *p, size_t n)
{
	const struct json_limits limits = {.depth = JSON_DEPTH_MAX};
	struct err err;
	size_t i = strspn(p, " \t\r\n");
	return (p[i] == '{' || p[i] == '[') && json_check(p, n, &limits, &err) == 0;
}

static void one_line(struct job *j, struct buf *line, const uint8_t *p, size_t n)
{
	buf_reset(line);
	if (n && buf_reserve(line, n + JSON_PAD)) {
		memcpy(line->data, p, n);
		memset(line->data + n, 0, JSON_PAD);
		one_record(j, (char *)line->data, n);
	}
	j->line++;
}

static void each_line(struct job *j, const struct buf *b)
{
	struct buf line;
	buf_init(&line, 0);
	for (size_t at = 0; at < b->len;) {
		const uint8_t *nl = memchr(b->data + at, '\n', b->len - at);
		size_t n = nl ? (size_t)(nl - b->data) - at : b->len - at;
		one_line(j, &line, b->data + at, n);
		at += n + 1;
	}
	buf_release(&line);
}

static void each_row(struct job *j, const struct buf *b)
{
	begin_record(j, (char *)b->data, b->len);
	detect_record_table(&j->scan, (char *)b->data, b->len, j->types, each_hit, j);
}

/* ---- files --------------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);
	return n >= k && strcasecmp(s + n - k, tail) == 0;
}

static bool is_table(const char *path)
{
	static const char *const tails[] = {".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zst", ".tsv.zst"};
	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
		if (ends_with(path, tails[i]))
			return true;
	return false;
}

/* Opens what is packed; b becomes the content. */
static int unpack(struct buf *b, struct err *err)
{
	enum inflate_kind kind;
	struct buf out;
	if (!inflate_sniff(b->data, b->len, &kind))
		return 0;
	buf_init(&out, 0);
	if (inflate_body(kind, b->data, b->len, FILE_MAX - 1, &out, err)) {
		buf_release(&out);
		return -1;
	}
	buf_release(b);
	*b = out;
	return 0;
}

static int say_not_utf8(struct job *j)
{
	if (!j->not_utf8)
		return EXIT_DONE;
	detect_report_flush(&j->report);
	fprintf(stderr, "weir: detect: %s: not UTF-8 in %zu lines: looked at as bytes\n", j->file, j->not_utf8);
	j->not_utf8 = 0;
	return EXIT_USE;
}

static void begin_file(struct job *j, const char *path)
{
	j->file = path;
	j->line = 1;
	j->not_utf8 = 0;
}

static int content(struct job *j, const struct buf *b)
{
	if (j->csv || is_table(j->file))
		each_row(j, b);
	else if (is_json((char *)b->data, b->len))
		one_record(j, (char *)b->data, b->len);
	else
		each_line(j, b);
	return say_not_utf8(j);
}

/* git's rule: a NUL among the first bytes. */
static bool is_binary(const struct buf *b)
{
	return memchr(b->data, 0, b->len < 8000 ? b->len : 8000);
}

static int one_file(struct job *j, const char *path, bool walked)
{
	struct buf b;
	struct err err;
	int x = EXIT_USE;
	buf_init(&b, 0);
	begin_file(j, path);
	if (cli_read(path, FILE_MAX - 1, &b, &err) == 0 && unpack(&b, &err)) {
		struct err why = err;
		err_set(&err, why.code, "%s: %s", path, why.msg);
		cli_fail("detect", &err);
	} else if (!b.data) {
		cli_fail("detect", &err);
	} else if (walked && is_binary(&b)) {
		j->binary++;
		x = EXIT_DONE;
	} else {
		x = content(j, &b);
	}
	buf_release(&b);
	return x;
}

/* Lines as they come.  A first line that begins a longer JSON text makes the whole one record. */
static int stream(struct job *j)
{
	enum { STEP = 1 << 16 };
	struct buf b, line;
	struct err err;
	bool lines = false, first = true;
	buf_init(&b, 0);
	buf_init(&line, 0);
	begin_file(j, "-");
	for (;;) {
		if (b.len > FILE_MAX - STEP - JSON_PAD || !buf_reserve(&b, STEP + JSON_PAD))
			break;
		ssize_t n = read(STDIN_FILENO, b.data + b.len, STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		b.len += (size_t)n;
		memset(b.data + b.len, 0, JSON_PAD);
		uint8_t *nl = memchr(b.data, '\n', b.len);
		enum inflate_kind kind;
		if (first && nl) {
			first = false;
			size_t at = strspn((char *)b.data, " \t\r\n"), len = (size_t)(nl - b.data);
			uint8_t keep = *nl;
			*nl = 0;
			bool opens = b.data[at] == '{' || b.data[at] == '[';
			lines = !j->csv && !inflate_sniff(b.data, b.len, &kind) && (!opens || is_json((char *)b.data, len));
			*nl = keep;
		}
		size_t at = 0;
		for (; lines && (nl = memchr(b.data + at, '\n', b.len - at)); at = (size_t)(nl - b.data) + 1)
			one_line(j, &line, b.data + at, (size_t)(nl - b.data) - at);
		if (at) {
			memmove(b.data, b.data + at, b.len - at);
			b.len -= at;
			detect_report_flush(&j->report);
		}
	}
	int x = EXIT_DONE;
	if (lines && b.len) {
		one_line(j, &line, b.data, b.len);
	} else if (b.len && unpack(&b, &err)) {
		cli_fail("detect", &err);
		x = EXIT_USE;
	} else if (b.len) {
		x = content(j, &b);
	}
	buf_release(&line);
	buf_release(&b);
	int y = say_not_utf8(j);
	return x > y ? x : y;
}

static int not_hidden(const struct dirent *d)
{
	return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 && strcmp(d->d_name, ".git") != 0;
}

/* A file, a folder and what is in it (links aren't followed), or - for standard input. */
static int one_path(struct job *j, const char *path, unsigned depth)
{
	struct stat st;
	struct dirent **names;
	if (strcmp(path, "-") == 0)
		return stream(j);
	if ((depth ? lstat(path, &st) : stat(path, &st)) || !S_ISDIR(st.st_mode))
		return depth && !S_ISREG(st.st_mode) ? EXIT_DONE : one_file(j, path, depth > 0);
	int n = depth < FOLDER_DEPTH_MAX ? scandir(path, &names, not_hidden, alphasort) : -1, worst = EXIT_DONE;
	if (n < 0) {
		fprintf(stderr, "weir: detect: %s: %s\n", path, depth < FOLDER_DEPTH_MAX ? strerror(errno) : "too deep");
		return EXIT_USE;
	}
	for (int i = 0; i < n; i++) {
		struct buf inner;
		buf_init(&inner, 0);
		buf_addf(&inner, "%s%s%s", path, ends_with(path, "/") ? "" : "/", names[i]->d_name);
		int x = one_path(j, (char *)inner.data, depth + 1);
		worst = x > worst ? x : worst;
		buf_release(&inner);
		free(names[i]);
	}
	free(names);
	return worst;
}

/* ---- arguments ----------------------------------------------------------------------------------------------------- */

static int take_types(const struct command *self, const char *list, uint64_t *types)
{
	*types = 0;
	for (const char *p = list;; p++) {
		size_t n = strcspn(p, ",");
		int t = detect_type_of(p, n);
		if (t < 0)
			return cli_wrong(self, "unknown type %.*s", (int)n, p);
		*types |= DETECT_BIT(t);
		p += n;
		if (!*p)
			return EXIT_DONE;
	}
}

/* Mistakes in it go to standard error, all at once. */
static struct detect_rules *read_rules(const char *path)
{
	struct detect_rules *rules = NULL;
	struct buf text, out;
	struct diags d;
	struct err err;
	buf_init(&text, 0);
	buf_init(&out, 0);
	diags_init(&d, path);
	if (cli_read(path, YAML_BYTES_MAX, &text, &err))
		cli_fail("detect", &err);
	else
		rules = detect_rules_read((char *)text.data, text.len, &d);
	diags_print(&d, &out);
	cli_write_all(STDERR_FILENO, out.data, out.len);
	diags_release(&d);
	buf_release(&out);
	buf_release(&text);
	return rules;
}

static int run_over(struct job *j, const char *const *paths, size_t n)
{
	int worst = EXIT_DONE;
	j->report.colour = cli_colour(STDOUT_FILENO);
	if (j->report.form == FORM_TEXT && isatty(STDOUT_FILENO))
		j->report.form = FORM_PRETTY;
	detect_report_begin(&j->report);
	detect_record_init(&j->scan);
	j->scan.rules = j->rules;
	for (size_t i = 0; i < n; i++) {
		int x = one_path(j, paths[i], 0);
		worst = x > worst ? x : worst;
	}
	detect_report_end(&j->report);
	detect_record_release(&j->scan);
	if (j->binary)
		fprintf(stderr, "weir: detect: %zu binary files passed over\n", j->binary);
	return worst == EXIT_DONE && j->report.found ? EXIT_NO : worst;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct job j = {.types = DETECT_ALL};
	struct detect_rules *rules = NULL;
	struct opt_state st;
	const char *paths[256];
	uint64_t names = 0;
	size_t n = 0;
	opt_init(&st, argc, argv);
	for (int key; (key = opt_next(&st, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		switch (key) {
		case JSON: j.report.form = FORM_JSON; break;
		case PRETTY: j.report.form = FORM_PRETTY; break;
		case SARIF: j.report.form = FORM_SARIF; break;
		case SHOW: j.report.show = true; break;
		case CSV: j.csv = true; break;
		case RULES:
			if (rules)
				return cli_wrong(self, "--rules can be given once");
			if (!(rules = read_rules(st.value)))
				return EXIT_USE;
			break;
		case TYPES:
			if (take_types(self, st.value, &j.types))
				return EXIT_USE;
			break;
		case NAMES: names = DETECT_BIT(DETECT_NAME); break;
		case OPT_HELP: return cli_help(self);
		case OPT_OPERAND:
			if (n == sizeof paths / sizeof *paths)
				return cli_wrong(self, "takes at most %zu files at once", n);
			paths[n++] = st.value;
			break;
		default: return EXIT_USE;
		}
	}
	if (n == 0)
		paths[n++] = "-";
	j.rules = rules;
	j.types |= names;
	int x = run_over(&j, paths, n);
	detect_rules_free(&rules);
	return x;
}

const struct command cmd_detect = {
	"detect", "find personal data and secrets in text, JSON and tables",
	"usage: weir detect [--json | --sarif | --pretty] [--show] [--csv] [--rules FILE] [--types LIST] [--names]\n"
	"                   [FILE|FOLDER...]\n"
	"\n"
	"Looks at each line of the files (or of standard input as it comes) and prints what it finds: where, what, and why it\n"
	"thinks so; never the text itself unless asked.  A line that is JSON is looked at value by value; so is a file that is\n"
	"one JSON text, and a table (.csv, .tsv) cell by cell.  gzip and zstd are opened, folders are walked (not .git, not\n"
	"links, not binary files).  Street addresses and whatever only a reader can tell are not found; names of people only\n"
	"with --names, and not all of them.\n"
	"\n"
	"  --json        a JSON line a hit\n"
	"  --sarif       one SARIF 2.1.0 document, for code hosts\n"
	"  --pretty      grouped by file, in colour; what a terminal gets anyway\n"
	"  --show        the text that was found, too; with --pretty what stands around it\n"
	"  --rules FILE  detectors of your own besides (YAML; weir-detect(1))\n"
	"  --csv         the input is a table whose first row names the columns\n"
	"  --types LIST  only these, with commas: email, phone, card, key, de_steuerid ... (weir-detect(1) has them all)\n"
	"  --names       names of people, too: behind words such as `my name is`, `Frau`, `Dear`, `first_name`, and a given name\n"
	"                with a word behind it.  Weak: misses some, takes others for one (docs/DETECTION.md says how many)\n"
	"\n"
	"exit status: 0 nothing found, 1 something found, 2 a file can't be read or isn't UTF-8\n"
	"\n"
	"  weir detect --json events.ndjson | jq -r .type | sort | uniq -c\n",
	run,
};
