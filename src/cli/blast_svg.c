#include "cli/blast_svg.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { DAY_SECONDS = 86400, WIDTH = 760, LEFT = 24, TOP = 64, HEIGHT = 160, ROW = 26, NAMES = 230, COUNTS = 90, GAP = 56 };

static long long people(const json_t *x)
{
	return json_integer_value(json_object_get(x, "people"));
}

static const char *text(const json_t *x, const char *name)
{
	const char *s = json_string_value(json_object_get(x, name));
	return s ? s : "";
}

static long long most(const json_t *list)
{
	long long n = 1;
	size_t i;
	json_t *x;
	json_array_foreach((json_t *)(uintptr_t)list, i, x) n = people(x) > n ? people(x) : n;
	return n;
}

/* Categories come from contracts: text like any other. */
static void escaped(struct buf *out, const char *s)
{
	for (; *s; s++) {
		const char *as = *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : *s == '&' ? "&amp;" : *s == '"' ? "&quot;" : NULL;
		if (as)
			buf_adds(out, as);
		else if ((unsigned char)*s >= ' ')
			buf_add(out, s, 1);
	}
}

static void label(struct buf *out, int x, int y, const char *anchor, const char *s)
{
	buf_addf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">", x, y, anchor);
	escaped(out, s);
	buf_adds(out, "</text>\n");
}

static int64_t day_of(const json_t *x)
{
	int64_t at = 0;
	const char *s = text(x, "day");
	return clock_parse(s, strlen(s), &at) ? at / DAY_SECONDS : 0;
}

/* Each day at its place in time, so that days without any show as gaps. */
static void days(struct buf *out, const json_t *list)
{
	size_t n = json_array_size(list), i;
	json_t *x;
	char note[64];
	if (n == 0)
		return;
	int64_t first = day_of(json_array_get(list, 0)), last = day_of(json_array_get(list, n - 1));
	double step = (double)(WIDTH - 2 * LEFT) / (double)(last - first + 1);
	long long top = most(list);
	snprintf(note, sizeof note, "People a day (highest: %lld)", top);
	label(out, LEFT, TOP - 8, "start", note);
	json_array_foreach((json_t *)(uintptr_t)list, i, x) {
		double h = (double)people(x) / (double)top * HEIGHT;
		buf_addf(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"><title>%s: %lld</title></rect>\n",
			 LEFT + (double)(day_of(x) - first) * step, TOP + HEIGHT - h, step > 3 ? step - 1 : step, h, text(x, "day"), people(x));
	}
	buf_addf(out, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n", LEFT, TOP + HEIGHT, WIDTH - LEFT, TOP + HEIGHT);
	label(out, LEFT, TOP + HEIGHT + 16, "start", text(json_array_get(list, 0), "day"));
	if (last > first)
		label(out, WIDTH - LEFT, TOP + HEIGHT + 16, "end", text(json_array_get(list, n - 1), "day"));
}

static void categories(struct buf *out, const json_t *list, int y)
{
	long long top = most(list);
	size_t i;
	json_t *x;
	if (json_array_size(list) == 0)
		return;
	label(out, LEFT, y - 12, "start", "People by category");
	json_array_foreach((json_t *)(uintptr_t)list, i, x) {
		char count[24];
		int at = y + (int)i * ROW;
		double w = (double)people(x) / (double)top * (WIDTH - 2 * LEFT - NAMES - COUNTS);
		label(out, LEFT, at + 14, "start", text(x, "category"));
		buf_addf(out, "<rect x=\"%d\" y=\"%d\" width=\"%.2f\" height=\"%d\"/>\n", LEFT + NAMES, at, w, ROW - 8);
		snprintf(count, sizeof count, "%lld", people(x));
		label(out, WIDTH - LEFT, at + 14, "end", count);
	}
}

void blast_svg(const json_t *answer, struct buf *out)
{
	const json_t *by_day = json_object_get(answer, "days"), *by_category = json_object_get(answer, "categories");
	char title[200];
	int below = json_array_size(by_day) ? TOP + HEIGHT + GAP : TOP + 12;
	int height = below + (int)json_array_size(by_category) * ROW + LEFT;
	snprintf(title, sizeof title, "%s: %lld people%s%s, until %s", text(answer, "vendor"), people(answer), *text(answer, "since") ? ", since " : "",
		 text(answer, "since"), text(answer, "until"));
	buf_addf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"t\">\n<title id=\"t\">",
		 WIDTH, height, WIDTH, height);
	escaped(out, title);
	buf_adds(out, "</title>\n<style>svg{background:#fff} text{font:13px sans-serif;fill:#222} rect{fill:#2b6cb0} line{stroke:#888}</style>\n");
	label(out, LEFT, 28, "start", title);
	days(out, by_day);
	categories(out, by_category, below);
	buf_adds(out, "</svg>\n");
}

int blast_svg_write(const json_t *answer, const char *file, struct err *err)
{
	struct buf b;
	buf_init(&b, 0);
	blast_svg(answer, &b);
	FILE *f = fopen(file, "we");
	bool good = f && fwrite(b.data, 1, b.len, f) == b.len;
	if (f)
		good = fclose(f) == 0 && good;
	buf_release(&b);
	return good ? 0 : err_sys(err, "%s", file);
}
