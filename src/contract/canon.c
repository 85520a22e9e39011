/* Canonical JSON, RFC 8785 (JSON Canonicalization Scheme). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/err.h"
#include "contract/read.h"

/* Section 3.2.2.2: the two-character escapes where JSON has them, else \u00xx in lower case, nothing else escaped. */
void canon_string(const char *s, size_t n, struct buf *out)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	buf_addc(out, '"');
	for (size_t i = 0; i < n; i++) {
		const char *p = s[i] ? strchr(from, s[i]) : NULL;
		if (p) {
			buf_addc(out, '\\');
			buf_addc(out, to[p - from]);
		} else if ((uint8_t)s[i] < 0x20) {
			buf_addf(out, "\\u%04x", (unsigned)(uint8_t)s[i]);
		} else {
			buf_addc(out, s[i]);
		}
	}
	buf_addc(out, '"');
}

/* ECMA-262 Number::toString: shortest digits that read back, exponents only outside 1e-7 < |v| < 1e21. */
void canon_number(double v, char out[static 48])
{
	must(isfinite(v));
	char e[40], digits[20];
	int precision = 0;
	if (v == 0) {
		strcpy(out, "0");
		return;
	}
	do
		snprintf(e, sizeof e, "%.*e", precision, v);
	while (precision++ < 17 && strtod(e, NULL) != v);
	const char *p = e;
	char *o = out;
	size_t room = 48;
	if (*p == '-') {
		*o++ = '-';
		room--;
		p++;
	}
	int k = 0, point = (int)strtol(strchr(p, 'e') + 1, NULL, 10) + 1;	/* digits before the point */
	for (; *p != 'e'; p++)
		if (*p != '.')
			digits[k++] = *p;
	while (k > 1 && digits[k - 1] == '0')
		k--;
	digits[k] = 0;
	if (k <= point && point <= 21)
		snprintf(o, room, "%s%.*s", digits, point - k, "000000000000000000000");
	else if (0 < point && point <= 21)
		snprintf(o, room, "%.*s.%s", point, digits, digits + point);
	else if (-6 < point && point <= 0)
		snprintf(o, room, "0.%.*s%s", -point, "000000", digits);
	else if (k == 1)
		snprintf(o, room, "%ce%+d", digits[0], point - 1);
	else
		snprintf(o, room, "%c.%se%+d", digits[0], digits + 1, point - 1);
}

int canon_compare(struct span a, struct span b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	for (size_t i = 0; i < n; i++) {
		uint8_t x = (uint8_t)a.at[i], y = (uint8_t)b.at[i];
		if (x == y)
			continue;
		/* UTF-8 orders by code point; in UTF-16 what lies past the BMP (f0..) comes before U+E000 (ee, ef). */
		bool x4 = x >= 0xf0, y4 = y >= 0xf0, xh = x == 0xee || x == 0xef, yh = y == 0xee || y == 0xef;
		if (x4 && yh)
			return -1;
		if (y4 && xh)
			return 1;
		return x < y ? -1 : 1;
	}
	return a.len < b.len ? -1 : a.len > b.len;
}

struct member {
	struct span key;
	const json_t *value;
};

static int by_key(const void *a, const void *b)
{
	return canon_compare(((const struct member *)a)->key, ((const struct member *)b)->key);
}

static void write_object(const json_t *o, struct buf *out)
{
	size_t n = json_object_size(o), i = 0;
	struct member *m = xcalloc(n + 1, sizeof *m);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)o, key, value) m[i++] = (struct member){{key, strlen(key)}, value};
	qsort(m, n, sizeof *m, by_key);
	buf_addc(out, '{');
	for (i = 0; i < n; i++) {
		if (i)
			buf_addc(out, ',');
		canon_string(m[i].key.at, m[i].key.len, out);
		buf_addc(out, ':');
		canon_write(m[i].value, out);
	}
	buf_addc(out, '}');
	free(m);
}

void canon_write(const json_t *v, struct buf *out)
{
	char number[48];
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		write_object(v, out);
		return;
	case JSON_ARRAY:
		buf_addc(out, '[');
		for (size_t i = 0; i < json_array_size(v); i++) {
			if (i)
				buf_addc(out, ',');
			canon_write(json_array_get(v, i), out);
		}
		buf_addc(out, ']');
		return;
	case JSON_STRING:
		canon_string(json_string_value(v), json_string_length(v), out);
		return;
	case JSON_INTEGER:
	case JSON_REAL:
		canon_number(json_number_value(v), number);
		buf_adds(out, number);
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		buf_adds(out, json_is_true(v) ? "true" : "false");
		return;
	case JSON_NULL:
		buf_adds(out, "null");
		return;
	}
}
