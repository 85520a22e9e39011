/* weir detect: personal data and secrets in files, line by line or as one JSON text. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

#include "cli/cli.h"
#include "detect/record.h"
#include "json/json.h"

enum { JSON, SHOW, TYPES };
static const struct opt opts[] = {{"--json", 0, false, JSON}, {"--show", 0, false, SHOW}, {"--types", 't', true, TYPES}};

enum { FLUSH_BYTES = 1 << 16 };
#define FILE_MAX ((size_t)1 << 31)	/* offsets are 32 bits */

struct report {
	bool json, show;
	uint64_t types;
	const char *file;
	size_t line;
	const char *record;	/* its first byte; offsets count from the first byte of the line that holds them */
	size_t line_at;		/* in the record: of the line that `line` counts */
	size_t lines_in;	/* lines of the record before that one */
	size_t found, not_utf8;
	struct buf out;
	struct detect_record scan;
};

static void flush(struct report *r)
{
	cli_write_all(STDOUT_FILENO, r->out.data, r->out.len);
	buf_reset(&r->out);
}

static const char *const tier_names[] = {[DETECT_STRONG] = "strong", [DETECT_WEAK] = "weak"};
static const struct {
	unsigned bit;
	const char *name;
} via_names[] = {
	{DETECT_VIA_PERCENT, "percent"}, {DETECT_VIA_BASE64, "base64"}, {DETECT_VIA_ESCAPE, "escape"}, {DETECT_VIA_LOOKALIKE, "lookalike"},
};

static void add_via(struct buf *b, unsigned via, const char *quote, const char *between)
{
	const char *sep = "";
	for (size_t i = 0; i < sizeof via_names / sizeof *via_names; i++)
		if (via & via_names[i].bit) {
			buf_addf(b, "%s%s%s%s", sep, quote, via_names[i].name, quote);
			sep = between;
		}
}

static void add_json(struct report *r, const char *pointer, const struct detect_hit *h, size_t start, size_t end)
{
	struct buf *b = &r->out;
	buf_adds(b, "{\"file\":");
	buf_add_json(b, r->file, strlen(r->file));
	buf_addf(b, ",\"line\":%zu,\"pointer\":", r->line + r->lines_in);
	buf_add_json(b, pointer, strlen(pointer));
	buf_addf(b, ",\"type\":\"%s\",\"tier\":\"%s\",\"start\":%zu,\"end\":%zu,\"score\":%u,\"via\":[", h->kind->name,
		 tier_names[h->tier], start, end, h->score);
	add_via(b, h->via, "\"", ",");
	buf_adds(b, "],\"why\":");
	buf_add_json(b, h->why, strlen(h->why));
	if (r->show) {
		buf_adds(b, ",\"text\":");
		buf_add_json(b, r->record + h->start, h->end - h->start);
	}
	buf_adds(b, "}\n");
}

static void add_text(struct report *r, const char *pointer, const struct detect_hit *h, size_t start, size_t end)
{
	struct buf *b = &r->out;
	buf_addf(b, "%s:%zu:%zu-%zu: %s", r->file, r->line + r->lines_in, start, end, h->kind->name);
	if (*pointer) {
		buf_adds(b, " at ");
		buf_add_json(b, pointer, strlen(pointer));	/* quoted: no name can move the cursor */
	}
	if (h->via) {
		buf_adds(b, " via ");
		add_via(b, h->via, "", ", ");
	}
	buf_addf(b, ": %s (%s, %u)", h->why, tier_names[h->tier], h->score);
	if (r->show) {
		buf_adds(b, ": ");
		buf_add_json(b, r->record + h->start, h->end - h->start);
	}
	buf_addc(b, '\n');
}

static void each_hit(void *arg, const char *pointer, const struct detect_hit *h)
{
	struct report *r = arg;
	for (const char *p; (p = memchr(r->record + r->line_at, '\n', h->start - r->line_at));) {
		r->line_at = (size_t)(p - r->record) + 1;
		r->lines_in++;
	}
	r->found++;
	(r->json ? add_json : add_text)(r, pointer, h, h->start - r->line_at, h->end - r->line_at);
	if (r->out.len > FLUSH_BYTES)
		flush(r);
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

static void one_record(struct report *r, const char *p, size_t n)
{
	r->record = p;
	r->line_at = r->lines_in = 0;
	r->not_utf8 += !is_utf8(p, n);
	detect_record_scan(&r->scan, p, n, r->types, each_hit, r);
}

/* A file that is one JSON text of several lines is one record; else each line is one. */
static bool is_one_json(const struct buf *b)
{
	const struct json_limits limits = {.depth = JSON_DEPTH_MAX};
	struct err err;
	size_t i = strspn((char *)b->data, " \t\r\n");
	return (b->data[i] == '{' || b->data[i] == '[') && json_check((char *)b->data, b->len, &limits, &err) == 0;
}

static void each_line(struct report *r, const struct buf *b)
{
	struct buf line;
	buf_init(&line, 0);
	for (size_t at = 0; at < b->len; r->line++) {
		const uint8_t *nl = memchr(b->data + at, '\n', b->len - at);
		size_t n = nl ? (size_t)(nl - b->data) - at : b->len - at;
		buf_reset(&line);
		if (n && buf_reserve(&line, n + JSON_PAD)) {
			memcpy(line.data, b->data + at, n);
			memset(line.data + n, 0, JSON_PAD);
			one_record(r, (char *)line.data, n);
		}
		at += n + 1;
	}
	buf_release(&line);
}

static int one_file(struct report *r, const char *path)
{
	struct buf b;
	struct err err;
	buf_init(&b, 0);
	r->file = path;
	r->line = 1;
	r->not_utf8 = 0;
	if (cli_read(path, FILE_MAX - 1, &b, &err)) {
		buf_release(&b);
		cli_fail("detect", &err);
		return EXIT_USE;
	}
	if (is_one_json(&b))
		one_record(r, (char *)b.data, b.len);
	else
		each_line(r, &b);
	buf_release(&b);
	if (r->not_utf8) {
		flush(r);
		fprintf(stderr, "weir: detect: %s: not UTF-8 in %zu lines: looked at as bytes\n", path, r->not_utf8);
		return EXIT_USE;
	}
	return EXIT_DONE;
}

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

static int run(const struct command *self, int argc, char **argv)
{
	struct report r = {.types = DETECT_ALL};
	struct opt_state st;
	const char *files[256];
	size_t n = 0;
	opt_init(&st, argc, argv);
	for (int key; (key = opt_next(&st, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		switch (key) {
		case JSON: r.json = true; break;
		case SHOW: r.show = true; break;
		case TYPES:
			if (take_types(self, st.value, &r.types))
				return EXIT_USE;
			break;
		case OPT_HELP: return cli_help(self);
		case OPT_OPERAND:
			if (n == sizeof files / sizeof *files)
				return cli_wrong(self, "takes at most %zu files at once", n);
			files[n++] = st.value;
			break;
		default: return EXIT_USE;
		}
	}
	if (n == 0)
		files[n++] = "-";
	int worst = EXIT_DONE;
	buf_init(&r.out, 0);
	detect_record_init(&r.scan);
	for (size_t i = 0; i < n; i++) {
		int x = one_file(&r, files[i]);
		worst = x > worst ? x : worst;
	}
	flush(&r);
	buf_release(&r.out);
	detect_record_release(&r.scan);
	return worst == EXIT_DONE && r.found ? EXIT_NO : worst;
}

const struct command cmd_detect = {
	"detect", "find personal data and secrets in text or JSON",
	"usage: weir detect [--json] [--show] [--types LIST] [FILE...]\n"
	"\n"
	"Looks at each line of the files (or of standard input, or -) and prints what it finds: where, what, and why it\n"
	"thinks so; never the text itself unless asked.  A line that is JSON is looked at value by value; so is a file that is\n"
	"one JSON text.  Names, street addresses and whatever only a reader can tell are not found.\n"
	"\n"
	"  --json        a JSON line a hit\n"
	"  --show        the text that was found, too\n"
	"  --types LIST  only these, with commas: email, phone, card, key, de_steuerid ... (weir-detect(1) has them all)\n"
	"\n"
	"exit status: 0 nothing found, 1 something found, 2 a file can't be read or isn't UTF-8\n"
	"\n"
	"  weir detect --json events.ndjson | jq -r .type | sort | uniq -c\n",
	run,
};
