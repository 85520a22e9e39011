/* A report as one page: no script, no image, nothing from elsewhere; prints well. */
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"

static const char head[] =
	"<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
	"<title>Audit</title><style>"
	"body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2430}"
	"h1{font-size:1.7rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:2px solid #1f6f78;padding-bottom:.2rem}"
	".facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.6rem;margin:1.2rem 0}"
	".facts div{background:#f1f5f6;border-radius:6px;padding:.6rem .8rem}.facts b{display:block;font-size:1.25rem}"
	"table{border-collapse:collapse;width:100%;font-size:.9rem}td,th{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #dde4e8;"
	"vertical-align:top;overflow-wrap:anywhere}th{color:#566;font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums}"
	".high{color:#a61b1b;font-weight:600}.medium{color:#9a5b00;font-weight:600}.low{color:#566}.no{color:#a61b1b}.yes{color:#1b6b3a}"
	"code{font-size:.88em}small{color:#566}@media print{body{margin:0;max-width:none}h2{break-after:avoid}tr{break-inside:avoid}}"
	"</style></head><body>\n";

static void text(struct buf *b, const char *s)
{
	for (; s && *s; s++)
		switch (*s) {
		case '<':
			buf_adds(b, "&lt;");
			break;
		case '>':
			buf_adds(b, "&gt;");
			break;
		case '&':
			buf_adds(b, "&amp;");
			break;
		case '"':
			buf_adds(b, "&quot;");
			break;
		default:
			buf_addc(b, *s);
		}
}

static const char *str(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));
	return s ? s : "";
}

static void day(struct buf *b, const json_t *v, int64_t less)
{
	char out[11] = "-";
	if (json_is_integer(v))
		clock_format_day(json_integer_value(v) - less, out);
	buf_adds(b, out);
}

/* 1234567 as 1,234,567 */
static void count(struct buf *b, const json_t *v)
{
	char digits[24];
	if (!json_is_integer(v)) {
		buf_adds(b, "-");
		return;
	}
	snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(v));
	for (size_t i = 0, n = strlen(digits); i < n; i++) {
		if (i && (n - i) % 3 == 0)
			buf_addc(b, ',');
		buf_addc(b, digits[i]);
	}
}

static void cell(struct buf *b, const char *class, const char *s)
{
	buf_addf(b, *class ? "<td class=\"%s\">" : "<td>", class);
	text(b, s);
	buf_adds(b, "</td>");
}

static void fact(struct buf *b, const char *label, const char *value)
{
	buf_adds(b, "<div>");
	text(b, label);
	buf_adds(b, "<b>");
	text(b, value);
	buf_adds(b, "</b></div>");
}

static void facts(const json_t *r, struct buf *b)
{
	const json_t *observed = json_object_get(r, "observed"), *assessment = json_object_get(r, "assessment");
	char score[32] = "never";
	struct buf people, events;
	buf_init(&people, 0);
	buf_init(&events, 0);
	count(&people, json_object_get(observed, "people"));
	count(&events, json_object_get(observed, "events"));
	if (json_is_object(assessment))
		snprintf(score, sizeof score, "%lld of 100", (long long)json_integer_value(json_object_get(assessment, "score")));
	buf_adds(b, "<div class=\"facts\">");
	fact(b, "Flow", str(r, "flow"));
	fact(b, "Tier", str(r, "tier"));
	fact(b, "Assessment", score);
	fact(b, "People whose data it holds", (const char *)people.data);
	fact(b, "Events received", (const char *)events.data);
	buf_adds(b, "</div><p><small>Tier: ");
	text(b, str(r, "tier_why"));
	buf_adds(b, ". Next audit by ");
	day(b, json_object_get(r, "next"), 0);
	buf_adds(b, ". Data from ");
	text(b, *str(observed, "first") ? str(observed, "first") : "-");
	buf_adds(b, " to ");
	text(b, *str(observed, "last") ? str(observed, "last") : "-");
	buf_adds(b, ".</small></p>\n");
	buf_release(&people);
	buf_release(&events);
}

static void findings(const json_t *r, struct buf *b)
{
	static const char *const order[] = {"high", "medium", "low"};
	const json_t *list = json_object_get(r, "findings");
	buf_adds(b, "<h2>Findings</h2>");
	if (json_array_size(list) == 0) {
		buf_adds(b, "<p>None.</p>\n");
		return;
	}
	buf_adds(b, "<table>");
	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; i < json_array_size(list); i++) {
			const json_t *f = json_array_get(list, i);
			if (strcmp(str(f, "severity"), order[k]) != 0)
				continue;
			buf_adds(b, "<tr>");
			cell(b, order[k], order[k]);
			cell(b, "", str(f, "text"));
			buf_adds(b, "</tr>");
		}
	buf_adds(b, "</table>\n");
}

static void declared(const json_t *r, struct buf *b)
{
	const json_t *list = json_object_get(r, "declared"), *more = json_object_get(r, "undeclared");
	buf_adds(b, "<h2>Declared and observed</h2><table><tr><th>Place</th><th>What happens to it</th><th>Category</th><th class=\"n\">People</th></tr>");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *d = json_array_get(list, i);
		buf_adds(b, "<tr>");
		cell(b, "", str(d, "path"));
		cell(b, "", str(d, "action"));
		cell(b, "", str(d, "category"));
		buf_adds(b, "<td class=\"n\">");
		if (json_is_true(json_object_get(d, "used")))
			count(b, json_object_get(d, "people"));
		else
			buf_adds(b, "never used");
		buf_adds(b, "</td></tr>");
	}
	for (size_t i = 0; i < json_array_size(more); i++) {
		const json_t *u = json_array_get(more, i);
		buf_adds(b, "<tr>");
		cell(b, "no", str(u, "name"));
		cell(b, "no", "not in the contract in force");
		cell(b, "", str(u, "kind"));
		buf_adds(b, "<td class=\"n\">");
		count(b, json_object_get(u, "people"));
		buf_adds(b, "</td></tr>");
	}
	buf_adds(b, "</table>\n");
}

static void clauses(const json_t *r, struct buf *b)
{
	const json_t *list = json_object_get(r, "clauses");
	buf_adds(b, "<h2>Clauses</h2><table>");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		bool there = json_is_true(json_object_get(c, "present"));
		buf_adds(b, "<tr>");
		cell(b, there ? "yes" : "no", there ? "present" : "absent");
		cell(b, "", str(c, "clause"));
		cell(b, "", str(c, "says"));
		buf_adds(b, "</tr>");
	}
	buf_adds(b, "</table><p><small>What a processor's contract is expected to hold (GDPR Art. 28 and 33(2)). "
		    "This list was not verified against the official text.</small></p>\n");
}

static void evidence(const json_t *r, struct buf *b)
{
	const json_t *list = json_object_get(r, "evidence");
	buf_adds(b, "<h2>Evidence</h2>");
	if (json_array_size(list) == 0)
		buf_adds(b, "<p>None.</p>\n");
	else
		buf_adds(b, "<table><tr><th>Control</th><th>File</th><th>Valid until</th><th>SHA-256</th></tr>");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *e = json_array_get(list, i);
		bool over = json_is_true(json_object_get(e, "expired"));
		buf_adds(b, "<tr>");
		cell(b, "", str(e, "control"));
		cell(b, "", str(e, "name"));
		buf_addf(b, "<td class=\"%s\">", over ? "no" : "");
		day(b, json_object_get(e, "valid_until"), 86400);
		buf_adds(b, over ? ", expired</td><td><code>" : "</td><td><code>");
		text(b, str(e, "sha256"));
		buf_adds(b, "</code></td></tr>");
	}
	if (json_array_size(list))
		buf_adds(b, "</table>\n");
}

static void rules(const json_t *r, struct buf *b)
{
	const json_t *list = json_object_get(r, "rules");
	buf_adds(b, "<h2>Rules</h2><table>");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *x = json_array_get(list, i);
		bool acts = json_is_true(json_object_get(x, "acts"));
		buf_adds(b, "<tr>");
		cell(b, acts ? "no" : "", acts ? "acts" : json_is_integer(json_object_get(x, "waived_until")) ? "waived" : "quiet");
		cell(b, "", str(x, "rule"));
		cell(b, "", str(x, "then"));
		cell(b, "", str(x, "found"));
		buf_adds(b, "</tr>");
	}
	buf_adds(b, "</table>\n");
}

void audit_html(const json_t *report, struct buf *out)
{
	const json_t *c = json_object_get(report, "contract");
	buf_adds(out, head);
	buf_adds(out, "<h1>");
	text(out, str(report, "name"));
	buf_adds(out, "</h1><p>Audit of ");
	text(out, str(report, "vendor"));
	buf_adds(out, " on ");
	day(out, json_object_get(report, "at"), 0);
	buf_adds(out, " by ");
	text(out, str(report, "by"));
	buf_addf(out, ", contract version %lld", (long long)json_integer_value(json_object_get(c, "version")));
	if (*str(c, "purpose")) {
		buf_adds(out, ", purpose ");
		text(out, str(c, "purpose"));
	}
	buf_adds(out, ".</p>\n");
	facts(report, out);
	findings(report, out);
	declared(report, out);
	clauses(report, out);
	evidence(report, out);
	rules(report, out);
	buf_adds(out, "<p><small>Places, categories and counts only: this report holds no personal data.</small></p></body></html>\n");
}
