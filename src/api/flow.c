/*
 * The console's flow, out of the metrics that Weir has anyway: one source of figures, the same as in any dashboard.
 *
 *   {"flows": [{"source", "category", "vendor", "fields"}], "held": [{"source", "vendor", "fields"}],
 *    "events": [{"vendor", "outcome", "reason", "events"}], "delivered": [{"vendor", "result", "events"}]}
 */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"

enum { LABELS_MAX = 4 };

static const struct {
	const char *metric, *list, *labels[LABELS_MAX], *count;
} wanted[] = {
	{"weir_flow_total", "flows", {"source", "category", "vendor"}, "fields"},
	{"weir_held_total", "held", {"source", "vendor"}, "fields"},
	{"weir_source_events_total", "sources", {"source", "vendor"}, "events"},
	{"weir_events_total", "events", {"vendor", "outcome", "reason"}, "events"},
	{"weir_delivery_total", "delivered", {"vendor", "result"}, "events"},
	{"weir_queue_events", "queued", {"vendor"}, "events"},
};
enum { WANTED = sizeof wanted / sizeof *wanted };

/* `NAME="` inside the braces; our own metrics have no quote and no backslash in a value. */
static struct span label(const char *at, const char *end, const char *name)
{
	size_t n = strlen(name);
	while (at < end) {
		const char *eq = memchr(at, '=', (size_t)(end - at));
		if (!eq || eq + 1 >= end || eq[1] != '"')
			break;
		const char *close = memchr(eq + 2, '"', (size_t)(end - eq - 2));
		if (!close)
			break;
		if ((size_t)(eq - at) == n && memcmp(at, name, n) == 0)
			return (struct span){eq + 2, (size_t)(close - eq - 2)};
		at = close + 1;
		if (at < end && *at == ',')
			at++;
	}
	return (struct span){"", 0};
}

static void add_line(json_t *out, size_t i, const char *at, const char *end)
{
	const char *close = memchr(at, '}', (size_t)(end - at));
	if (!close)
		return;
	json_t *row = json_object();
	for (size_t k = 0; k < LABELS_MAX && wanted[i].labels[k]; k++) {
		struct span s = label(at, close, wanted[i].labels[k]);
		json_object_set_new(row, wanted[i].labels[k], json_stringn(s.at, s.len));
	}
	json_object_set_new(row, wanted[i].count, json_integer(strtoll(close + 1, NULL, 10)));
	json_array_append_new(json_object_get(out, wanted[i].list), row);
}

json_t *api_flow(const char *metrics)
{
	json_t *out = json_object();
	for (size_t i = 0; i < WANTED; i++)
		json_object_set_new(out, wanted[i].list, json_array());
	for (const char *at = metrics, *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, '\n');
		const char *brace = memchr(at, '{', (size_t)(end - at));
		for (size_t i = 0; brace && i < WANTED; i++)
			if ((size_t)(brace - at) == strlen(wanted[i].metric) && memcmp(at, wanted[i].metric, (size_t)(brace - at)) == 0)
				add_line(out, i, brace + 1, end);
	}
	return out;
}
