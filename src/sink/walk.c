/* Members of JSON text that json_check has passed: no grammar is checked again, brackets and quotes are enough. */
#include <string.h>

#include "sink/seen.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *skip_blank(const char *p, const char *end)
{
	while (p < end && blank(*p))
		p++;
	return p;
}

/* Behind the string that opens at p. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : end;
}

static const char *skip_value(const char *p, const char *end)
{
	unsigned depth = 0;
	if (p < end && *p == '"')
		return skip_string(p, end);
	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		if (*p == '}' || *p == ']') {
			if (depth == 0)
				return p;
			if (--depth == 0)
				return p + 1;
		}
		if (depth == 0 && (*p == ',' || blank(*p)))
			return p;
		p++;
	}
	return end;
}

bool walk_init(struct walk *w, struct span value)
{
	const char *end = value.at + value.len, *p = skip_blank(value.at, end);
	if (p == end || (*p != '{' && *p != '['))
		return false;
	*w = (struct walk){.at = p + 1, .end = end, .object = *p == '{'};
	return true;
}

bool walk_next(struct walk *w, struct member *m)
{
	const char *p = skip_blank(w->at, w->end);
	if (p < w->end && *p == ',')
		p = skip_blank(p + 1, w->end);
	if (p == w->end || *p == '}' || *p == ']')
		return false;
	*m = (struct member){0};
	if (w->object) {
		const char *close = skip_string(p, w->end);
		m->key = (struct span){p + 1, (size_t)(close - p) - 2};
		p = skip_blank(close, w->end);
		p = skip_blank(p + 1, w->end);	/* the colon */
	}
	const char *close = skip_value(p, w->end);
	m->value = (struct span){p, (size_t)(close - p)};
	w->at = close;
	return true;
}

struct span walk_get(struct span object, const char *key)
{
	struct walk w;
	struct member m;
	if (object.len && walk_init(&w, object) && w.object)
		while (walk_next(&w, &m))
			if (span_eq(m.key, key))
				return m.value;
	return (struct span){NULL, 0};
}
