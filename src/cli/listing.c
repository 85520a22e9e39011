#include "cli/listing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum { EVERY_MS = 200 };

/* ---- CSV ---------------------------------------------------------------------------------------------------------------------- */

static void add_text(struct buf *b, const json_t *v)
{
	const json_t *x;
	size_t i;
	if (json_is_string(v))
		buf_add(b, json_string_value(v), json_string_length(v));
	if (json_is_integer(v))
		buf_addf(b, "%lld", (long long)json_integer_value(v));
	json_array_foreach((json_t *)(uintptr_t)v, i, x) {
		if (i)
			buf_addc(b, ' ');
		add_text(b, x);
	}
}

static void print_cell(const json_t *v)
{
	struct buf b;
	buf_init(&b, 0);
	add_text(&b, v);
	const char *s = b.len ? (const char *)b.data : "";
	if (!s[strcspn(s, ",\"\r\n")]) {
		fputs(s, stdout);
	} else {
		putchar('"');
		for (; *s; s++) {
			if (*s == '"')
				putchar('"');
			putchar(*s);
		}
		putchar('"');
	}
	buf_release(&b);
}

static void print_header(struct listing *r)
{
	for (size_t i = 0; r->csv && !r->begun && r->columns[i]; i++)
		printf("%s%s", i ? "," : "", r->columns[i]);
	if (r->csv && !r->begun)
		fputs("\r\n", stdout);
	r->begun = true;
}

void listing_print(struct listing *r, json_t *object)
{
	print_header(r);
	if (!r->csv) {
		char *line = json_dumps(object, JSON_COMPACT);
		puts(line);
		free(line);
		return;
	}
	for (size_t i = 0; r->columns[i]; i++) {
		if (i)
			putchar(',');
		print_cell(json_object_get(object, r->columns[i]));
	}
	fputs("\r\n", stdout);
}

void listing_end(struct listing *r)
{
	print_header(r);
}

/* ---- progress ------------------------------------------------------------------------------------------------------------------- */

static bool shown;

void listing_progress(size_t done, size_t total)
{
	static int64_t last;
	int64_t now = clock_mono_ms();
	if (!isatty(STDERR_FILENO) || isatty(STDOUT_FILENO) || now - last < EVERY_MS)
		return;
	last = now;
	shown = true;
	fprintf(stderr, total ? "\r\033[K  %zu of %zu" : "\r\033[K  %zu", done, total);
}

void listing_progress_end(void)
{
	if (shown)
		fputs("\r\033[K", stderr);
	shown = false;
}
