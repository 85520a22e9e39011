#include "cli/detect_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

enum { FLUSH_BYTES = 1 << 16, CONTEXT = 40 };

static const char *const tier_names[] = {[DETECT_STRONG] = "strong", [DETECT_WEAK] = "weak"};
static const struct {
	unsigned bit;
	const char *name;
} via_names[] = {
	{DETECT_VIA_PERCENT, "percent"}, {DETECT_VIA_BASE64, "base64"}, {DETECT_VIA_ESCAPE, "escape"}, {DETECT_VIA_LOOKALIKE, "lookalike"}, {DETECT_VIA_HEX, "hex"}, {DETECT_VIA_GZIP, "gzip"},
};

void detect_report_flush(struct detect_report *r)
{
	cli_write_all(STDOUT_FILENO, r->out.data, r->out.len);
	buf_reset(&r->out);
}

static void add_via(struct buf *b, unsigned via, const char *quote, const char *between)
{
	const char *sep = "";
	for (size_t i = 0; i < sizeof via_names / sizeof *via_names; i++)
		if (via & via_names[i].bit) {
			buf_addf(b, "%s%s%s%s", sep, quote, via_names[i].name, quote);
			sep = between;
		}
}

static void add_json_text(struct buf *b, const char *name, const char *text)
{
	buf_addf(b, "\"%s\":", name);
	buf_add_json(b, text, strlen(text));
}

/* ---- JSON lines -------------------------------------------------------------------------------------------------- */

static void hit_json(struct detect_report *r, const struct detect_place *p, const struct detect_hit *h)
{
	struct buf *b = &r->out;
	buf_addc(b, '{');
	add_json_text(b, "file", p->file);
	buf_addf(b, ",\"line\":%zu,", p->line);
	add_json_text(b, "pointer", p->pointer);
	buf_addf(b, ",\"type\":\"%s\",\"tier\":\"%s\",\"start\":%zu,\"end\":%zu,\"score\":%u,\"via\":[", h->kind->name,
		 tier_names[h->tier], p->start, p->end, h->score);
	add_via(b, h->via, "\"", ",");
	buf_adds(b, "],");
	add_json_text(b, "why", h->why);
	if (r->show) {
		buf_adds(b, ",\"text\":");
		buf_add_json(b, p->line_text + p->start, p->end - p->start);
	}
	buf_adds(b, "}\n");
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

static void hit_text(struct detect_report *r, const struct detect_place *p, const struct detect_hit *h)
{
	struct buf *b = &r->out;
	buf_addf(b, "%s:%zu:%zu-%zu: %s", p->file, p->line, p->start, p->end, h->kind->name);
	if (*p->pointer) {
		buf_adds(b, " at ");
		buf_add_json(b, p->pointer, strlen(p->pointer));	/* quoted: no name can move the cursor */
	}
	if (h->via) {
		buf_adds(b, " via ");
		add_via(b, h->via, "", ", ");
	}
	buf_addf(b, ": %s (%s, %u)", h->why, tier_names[h->tier], h->score);
	if (r->show) {
		buf_adds(b, ": ");
		buf_add_json(b, p->line_text + p->start, p->end - p->start);
	}
	buf_addc(b, '\n');
}

/* ---- for a person ------------------------------------------------------------------------------------------------ */

static void paint(struct detect_report *r, const char *code)
{
	if (r->colour)
		buf_addf(&r->out, "\033[%sm", code);
}

/* Text as a terminal may have it: JSON's escapes without its quotes. */
static void add_safe(struct buf *b, const char *text, size_t n)
{
	size_t at = b->len;
	buf_add_json(b, text, n);
	if (b->len < at + 2)
		return;
	memmove(b->data + at, b->data + at + 1, b->len - at - 2);
	b->len -= 2;
	b->data[b->len] = 0;
}

static bool continues(char c)
{
	return (c & 0xc0) == 0x80;
}

static void add_context(struct detect_report *r, const struct detect_place *p)
{
	struct buf *b = &r->out;
	size_t from = p->start > CONTEXT ? p->start - CONTEXT : 0, to = p->end + CONTEXT < p->line_len ? p->end + CONTEXT : p->line_len;
	while (from < p->start && continues(p->line_text[from]))
		from++;
	while (to > p->end && to < p->line_len && continues(p->line_text[to]))
		to--;
	buf_adds(b, from ? "      ..." : "      ");
	add_safe(b, p->line_text + from, p->start - from);
	paint(r, "1;31");
	add_safe(b, p->line_text + p->start, p->end - p->start);
	paint(r, "0");
	add_safe(b, p->line_text + p->end, to - p->end);
	buf_adds(b, to < p->line_len ? "...\n" : "\n");
}

static void hit_pretty(struct detect_report *r, const struct detect_place *p, const struct detect_hit *h)
{
	struct buf *b = &r->out;
	if (strncmp(r->last_file, p->file, sizeof r->last_file - 1) != 0) {
		paint(r, "1");
		buf_addf(b, "%s%s", r->found > 1 ? "\n" : "", p->file);
		paint(r, "0");
		buf_addc(b, '\n');
		snprintf(r->last_file, sizeof r->last_file, "%s", p->file);
	}
	buf_addf(b, "  %zu:%zu  ", p->line, p->start + 1);
	paint(r, h->tier == DETECT_STRONG ? "31" : "33");
	buf_addf(b, "%s", h->kind->name);
	paint(r, "0");
	if (*p->pointer) {
		buf_adds(b, "  ");
		add_safe(b, p->pointer, strlen(p->pointer));
	}
	paint(r, "2");
	buf_addf(b, "  %s", h->why);
	if (h->via) {
		buf_adds(b, ", behind ");
		add_via(b, h->via, "", ", ");
	}
	paint(r, "0");
	buf_addc(b, '\n');
	if (r->show)
		add_context(r, p);
}

/* ---- SARIF 2.1.0 (OASIS): what code hosts take --------------------------------------------------------------------- */

/* RFC 3986 section 3.3: a path of a URI reference. */
static void add_uri(struct buf *b, const char *path)
{
	for (const unsigned char *p = (const unsigned char *)path; *p; p++)
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-._~/", *p))
			buf_addc(b, (char)*p);
		else
			buf_addf(b, "%%%02X", *p);
}

static void met(struct detect_report *r, const struct detect_hit *h)
{
	if (h->type != DETECT_CUSTOM) {
		r->rules |= DETECT_BIT(h->type);
		return;
	}
	for (size_t i = 0; i < r->own_len; i++)
		if (r->own[i] == h->kind->name)
			return;
	r->own = xrealloc(r->own, (r->own_len + 1) * sizeof *r->own);
	r->own[r->own_len++] = h->kind->name;
}

/* Columns count UTF-16 units by default; ours say that they are bytes of the file. */
static void hit_sarif(struct detect_report *r, const struct detect_place *p, const struct detect_hit *h)
{
	struct buf *b = &r->out;
	met(r, h);
	buf_addf(b, "%s{\"ruleId\":\"%s\",\"level\":\"%s\",\"message\":{\"text\":", r->found > 1 ? ",\n" : "", detect_hit_name(h),
		 h->tier == DETECT_STRONG ? "error" : "warning");
	struct buf say;
	buf_init(&say, 0);
	buf_addf(&say, "%s: %s", h->kind->name, h->why);
	buf_add_json(b, (char *)say.data, say.len);
	buf_release(&say);
	buf_adds(b, "},\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":\"");
	add_uri(b, p->file);
	buf_addf(b, "\"},\"region\":{\"startLine\":%zu,\"startColumn\":%zu,\"endColumn\":%zu}}}]}", p->line, p->start + 1, p->end + 1);
}

static void begin_sarif(struct detect_report *r)
{
	buf_adds(&r->out, "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{\"results\":[\n");
}

static void end_sarif(struct detect_report *r)
{
	struct buf *b = &r->out;
	const char *sep = "";
	buf_adds(b, "\n],\"tool\":{\"driver\":{\"name\":\"weir\",\"version\":\"" WEIR_VERSION "\",\"rules\":[");
	for (int t = 0; t < DETECT_TYPES; t++)
		if (r->rules & DETECT_BIT(t)) {
			buf_addf(b, "%s{\"id\":\"%s\"}", sep, detect_name((enum detect_type)t));
			sep = ",";
		}
	for (size_t i = 0; i < r->own_len; i++, sep = ",")
		buf_addf(b, "%s{\"id\":\"%s\"}", sep, r->own[i]);
	buf_adds(b, "]}}}]}\n");
	free(r->own);
	r->own = NULL;
	r->own_len = 0;
}

/* ------------------------------------------------------------------------------------------------------------------- */

static const struct {
	void (*begin)(struct detect_report *);
	void (*hit)(struct detect_report *, const struct detect_place *, const struct detect_hit *);
	void (*end)(struct detect_report *);
} forms[] = {
	[FORM_TEXT] = {NULL, hit_text, NULL},
	[FORM_JSON] = {NULL, hit_json, NULL},
	[FORM_PRETTY] = {NULL, hit_pretty, NULL},
	[FORM_SARIF] = {begin_sarif, hit_sarif, end_sarif},
};

void detect_report_begin(struct detect_report *r)
{
	buf_init(&r->out, 0);
	if (forms[r->form].begin)
		forms[r->form].begin(r);
}

void detect_report_hit(struct detect_report *r, const struct detect_place *p, const struct detect_hit *h)
{
	r->found++;
	forms[r->form].hit(r, p, h);
	if (r->out.len > FLUSH_BYTES)
		detect_report_flush(r);
}

void detect_report_end(struct detect_report *r)
{
	if (forms[r->form].end)
		forms[r->form].end(r);
	detect_report_flush(r);
	buf_release(&r->out);
}
