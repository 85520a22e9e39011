/* Any JSON: nothing outside of it is read, and every place that comes out may be kept. */
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "json/json.h"
#include "shape/shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(void *arg, const struct shape_row *row)
{
	(void)arg;
	must(shape_path_ok(row->path, strlen(row->path)));
	must(strcmp(row->event, "*") == 0 || !*row->event || shape_name_ok(row->event, strlen(row->event)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct shape_table *t;
	const struct json_limits limits = {.depth = JSON_DEPTH_MAX};
	const struct shape_where w = {.source = 1, .name = "event"};
	struct err err;
	struct buf b;
	if (!t)
		t = shape_table_new(7);
	buf_init(&b, 0);
	buf_add(&b, data, n);
	buf_add(&b, (char[JSON_PAD]){0}, JSON_PAD);
	size_t from = 0;
	while (from < n && strchr(" \t\r\n", data[from]) && data[from])
		from++;
	if (json_check((const char *)b.data, n, &limits, &err) == 0 && b.data[from] == '{') {
		shape_observe(t, &w, (const char *)b.data, n, from);
		shape_take(t, check, NULL);
		if (shape_bytes(t) > 1 << 20)
			shape_clear(t);
	}
	buf_release(&b);
	return 0;
}
