#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

void diags_init(struct diags *d, const char *file)
{
	*d = (struct diags){.file = xstrdup(file)};
}

void diags_release(struct diags *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].msg);
		free(d->v[i].hint);
	}
	free(d->v);
	free(d->file);
	*d = (struct diags){0};
}

void diags_add(struct diags *d, enum diag_level level, size_t line, size_t col, const char *code, const char *fmt, ...)
{
	if (d->n == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 8;
		d->v = xrealloc(d->v, d->cap * sizeof *d->v);
	}
	struct diag *g = &d->v[d->n++];
	*g = (struct diag){.level = level, .line = line, .col = col, .code = code};
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(&g->msg, fmt, ap) < 0)
		g->msg = xstrdup("?");
	va_end(ap);
	d->errors += level == DIAG_ERROR;
}

void diags_hint(struct diags *d, const char *fmt, ...)
{
	must(d->n > 0);
	va_list ap;
	va_start(ap, fmt);
	free(d->v[d->n - 1].hint);
	if (vasprintf(&d->v[d->n - 1].hint, fmt, ap) < 0)
		d->v[d->n - 1].hint = NULL;
	va_end(ap);
}

static int by_place(const void *a, const void *b)
{
	const struct diag *x = a, *y = b;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->col < y->col ? -1 : x->col > y->col;
}

void diags_sort(struct diags *d)
{
	if (d->n)
		qsort(d->v, d->n, sizeof *d->v, by_place);
}

void diags_print(const struct diags *d, struct buf *out)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct diag *g = &d->v[i];
		buf_addf(out, "%s:%zu:%zu: %s: %s%s%s%s [%s]\n", d->file, g->line, g->col,
			 g->level == DIAG_ERROR ? "error" : "warning", g->msg, g->hint ? " (" : "", g->hint ? g->hint : "",
			 g->hint ? ")" : "", g->code);
	}
}

void diags_print_json(const struct diags *d, struct buf *out)
{
	buf_addc(out, '[');
	for (size_t i = 0; i < d->n; i++) {
		const struct diag *g = &d->v[i];
		buf_adds(out, i ? ",{\"file\":" : "{\"file\":");
		buf_add_json(out, d->file, strlen(d->file));
		buf_addf(out, ",\"line\":%zu,\"column\":%zu,\"level\":\"%s\",\"code\":\"%s\",\"message\":", g->line, g->col,
			 g->level == DIAG_ERROR ? "error" : "warning", g->code);
		buf_add_json(out, g->msg, strlen(g->msg));
		if (g->hint) {
			buf_adds(out, ",\"hint\":");
			buf_add_json(out, g->hint, strlen(g->hint));
		}
		buf_addc(out, '}');
	}
	buf_adds(out, "]\n");
}

enum { WORD_MAX = 40 };

static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t row[3][WORD_MAX + 1];
	size_t *two = row[0], *one = row[1], *now = row[2];
	for (size_t j = 0; j <= m; j++)
		one[j] = j;
	for (size_t i = 1; i <= n; i++) {
		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = one[j - 1] + (a[i - 1] != b[j - 1]);
			if (one[j] + 1 < best)
				best = one[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && two[j - 2] + 1 < best)
				best = two[j - 2] + 1;
			now[j] = best;
		}
		size_t *t = two;
		two = one;
		one = now;
		now = t;
	}
	return one[m];
}

const char *diag_nearest(const char *w, size_t n, const char *const *list, size_t list_len)
{
	const char *best = NULL;
	size_t least = 3;
	if (n > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < list_len; i++) {
		size_t m = strlen(list[i]);
		if (m > WORD_MAX)
			continue;
		size_t d = distance(w, n, list[i], m);
		if (d < least && 2 * d < (n > m ? n : m)) {
			least = d;
			best = list[i];
		}
	}
	return best;
}
