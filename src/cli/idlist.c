#include "cli/idlist.h"

#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "cli/cli.h"

enum { FILE_MAX = 1 << 30, PORTION_BYTES = 48 << 10, PORTION_IDS = 4000, ID_MAX = 8 << 10 };

static size_t spelled(const char *s)
{
	size_t n = 3;
	for (; *s; s++)
		n += (unsigned char)*s < 0x20 ? 6 : *s == '"' || *s == '\\' ? 2 : 1;
	return n;
}

bool idlist_ok(const char *s, size_t n)
{
	json_t *check = memchr(s, 0, n) || n > ID_MAX ? NULL : json_stringn(s, n);	/* UTF-8 */
	json_decref(check);
	return check != NULL;
}

bool idlist_put(json_t *ids, size_t *bytes, const char *s)
{
	*bytes += spelled(s);
	if (json_array_size(ids) == PORTION_IDS || (*bytes > PORTION_BYTES && json_array_size(ids)))
		return false;
	json_array_append_new(ids, json_string(s));
	return true;
}

static int add(struct idlist *l, const char *s, size_t n, size_t line, struct err *err)
{
	if (n == 0)
		return 0;
	if (!idlist_ok(s, n))
		return err_set(err, ERR_INPUT, "line %zu: not an identifier: no UTF-8, or over %d bytes", line, ID_MAX);
	if ((l->n & (l->n + 1)) == 0)	/* full at 2^k - 1 */
		l->v = xrealloc(l->v, (2 * l->n + 2) * sizeof *l->v);
	l->v[l->n++] = xstrndup(s, n);
	return 0;
}

static const char *line_end(const char *at, const char *end)
{
	const char *p = memchr(at, '\n', (size_t)(end - at));
	return p ? p : end;
}

static int read_lines(struct idlist *l, const char *at, const char *end, struct err *err)
{
	for (size_t line = 1; at < end; line++) {
		const char *stop = line_end(at, end), *last = stop;
		while (last > at && (last[-1] == '\r' || last[-1] == ' ' || last[-1] == '\t'))
			last--;
		while (at < last && (*at == ' ' || *at == '\t'))
			at++;
		if (add(l, at, (size_t)(last - at), line, err) < 0)
			return -1;
		at = stop + 1;
	}
	return 0;
}

static int read_ndjson(struct idlist *l, const char *at, const char *end, const char *column, struct err *err)
{
	for (size_t line = 1; at < end; line++) {
		const char *stop = line_end(at, end);
		json_error_t why;
		size_t blank = strspn(at, " \t\r\n");
		if (blank < (size_t)(stop - at)) {
			json_t *o = json_loadb(at, (size_t)(stop - at), 0, &why), *v = json_object_get(o, column);
			char number[32] = "";
			if (json_is_integer(v))
				snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
			const char *s = json_is_string(v) ? json_string_value(v) : number;
			int r = !o ? err_set(err, ERR_INPUT, "line %zu: not JSON", line) : add(l, s, strlen(s), line, err);
			json_decref(o);
			if (r < 0)
				return -1;
		}
		at = stop + 1;
	}
	return 0;
}

/* The place of the column that is called so; SIZE_MAX: none, or the row isn't whole. */
static size_t column_of(struct csv *c, const char *name, struct buf *b)
{
	size_t found = SIZE_MAX;
	enum csv_cell step = csv_row(c) ? CSV_MORE : CSV_LAST;
	for (size_t i = 0; step == CSV_MORE; i++) {
		step = csv_cell(c, b);
		if (b->len == strlen(name) && b->len && memcmp(b->data, name, b->len) == 0)
			found = i;
	}
	return step == CSV_OPEN ? SIZE_MAX : found;
}

static int read_csv(struct idlist *l, const char *at, const char *end, const char *column, struct err *err)
{
	struct buf b;
	struct csv c = csv_of(at, (size_t)(end - at));
	buf_init(&b, 0);
	size_t want = column_of(&c, column, &b);
	int r = want == SIZE_MAX ? err_set(err, ERR_INPUT, "line 1: no column has the name that --id gives") : 0;
	while (r == 0 && csv_row(&c)) {
		const size_t line = c.line;
		enum csv_cell step = CSV_MORE;
		for (size_t i = 0; step == CSV_MORE && r == 0; i++) {
			step = csv_cell(&c, &b);
			if (step == CSV_OPEN)
				r = err_set(err, ERR_INPUT, "line %zu: a quote isn't closed", line);
			else if (i == want)
				r = add(l, b.len ? (const char *)b.data : "", b.len, line, err);
		}
	}
	buf_release(&b);
	return r;
}

int idlist_read(const char *path, const char *column, struct idlist *out, struct err *err)
{
	*out = (struct idlist){0};
	if (cli_read(path, FILE_MAX, &out->text, err) < 0)
		return -1;
	const char *at = (const char *)out->text.data, *end = at + out->text.len;
	if (end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	int r = !column ? read_lines(out, at, end, err)
		: at < end && at[strspn(at, " \t\r\n")] == '{' ? read_ndjson(out, at, end, column, err)
							       : read_csv(out, at, end, column, err);
	if (r < 0) {
		err_prefix(err, "%s: ", path);
		idlist_release(out);
	}
	return r;
}

void idlist_release(struct idlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	buf_wipe(&l->text);
	*l = (struct idlist){0};
}

json_t *idlist_portion(const struct idlist *l, size_t *at)
{
	json_t *ids = json_array();
	for (size_t bytes = 0; *at < l->n && idlist_put(ids, &bytes, l->v[*at]);)
		++*at;
	if (json_array_size(ids))
		return ids;
	json_decref(ids);
	return NULL;
}
