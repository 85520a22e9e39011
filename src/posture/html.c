#include "posture/html.h"

#include <stdlib.h>
#include <strings.h>

static bool space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool html_is(struct span name, const char *lower)
{
	return name.len == strlen(lower) && strncasecmp(name.at, lower, name.len) == 0;
}

static const char *const raw_text[] = {"script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes"};

/* Behind a raw element's start tag: on to its end tag, or the end. */
static size_t skip_raw(const struct html *h, struct span name)
{
	bool raw = false;
	for (size_t i = 0; i < sizeof raw_text / sizeof *raw_text; i++)
		raw |= html_is(name, raw_text[i]);
	if (!raw)
		return h->at;
	for (size_t i = h->at; i + 2 + name.len <= h->page.len; i++) {
		const char *p = h->page.at + i;
		if (p[0] == '<' && p[1] == '/' && strncasecmp(p + 2, name.at, name.len) == 0)
			return i;
	}
	return h->page.len;
}

/* "<!--" to "-->", "<!" and "<?" to ">". */
static size_t skip_markup(const struct html *h, size_t at)
{
	const char *p = h->page.at + at, *end = h->page.at + h->page.len;
	const char *stop;
	if (end - p >= 4 && memcmp(p, "<!--", 4) == 0) {
		stop = memmem(p + 4, (size_t)(end - p - 4), "-->", 3);
		return stop ? (size_t)(stop - h->page.at) + 3 : h->page.len;
	}
	stop = memchr(p, '>', (size_t)(end - p));
	return stop ? (size_t)(stop - h->page.at) + 1 : h->page.len;
}

static struct span take(const struct html *h, size_t from, size_t to)
{
	return (struct span){h->page.at + from, to - from};
}

static size_t value(const struct html *h, size_t i, struct span *out)
{
	const char *p = h->page.at;
	size_t n = h->page.len;
	while (i < n && space(p[i]))
		i++;
	if (i < n && (p[i] == '"' || p[i] == '\'')) {
		const char *close = memchr(p + i + 1, p[i], n - i - 1);
		size_t end = close ? (size_t)(close - p) : n;
		*out = take(h, i + 1, end);
		return close ? end + 1 : n;
	}
	size_t from = i;
	while (i < n && !space(p[i]) && p[i] != '>')
		i++;
	*out = take(h, from, i);
	return i;
}

/* From behind the tag's name; h->at is set behind its ">". */
static void attributes(struct html *h, size_t i, struct html_tag *t)
{
	const char *p = h->page.at;
	size_t n = h->page.len;
	while (i < n && p[i] != '>') {
		if (space(p[i]) || p[i] == '/') {
			i++;
			continue;
		}
		size_t from = i++;
		while (i < n && !space(p[i]) && p[i] != '=' && p[i] != '>' && p[i] != '/')
			i++;
		struct span name = take(h, from, i), v = {"", 0};
		size_t look = i;
		while (look < n && space(p[look]))
			look++;
		if (look < n && p[look] == '=')
			i = value(h, look + 1, &v);
		if (t->n < HTML_ATTRIBUTES_MAX) {
			t->attributes[t->n].name = name;
			t->attributes[t->n++].value = v;
		}
	}
	h->at = i < n ? i + 1 : n;
}

int html_next(struct html *h, struct html_tag *t)
{
	while (h->at < h->page.len) {
		const char *open = memchr(h->page.at + h->at, '<', h->page.len - h->at);
		size_t i = open ? (size_t)(open - h->page.at) : h->page.len;
		if (i + 1 >= h->page.len)
			break;
		char c = h->page.at[i + 1];
		if (!letter(c)) {
			h->at = c == '!' || c == '?' || c == '/' ? skip_markup(h, i) : i + 1;
			continue;
		}
		size_t from = ++i;
		while (i < h->page.len && !space(h->page.at[i]) && h->page.at[i] != '>' && h->page.at[i] != '/')
			i++;
		*t = (struct html_tag){.name = take(h, from, i)};
		attributes(h, i, t);
		h->at = skip_raw(h, t->name);
		return 1;
	}
	h->at = h->page.len;
	return 0;
}

/* ---- entities --------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name, *text;
} entities[] = {
	{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}, {"colon", ":"}, {"sol", "/"}, {"comma", ","},
	{"semi", ";"}, {"period", "."}, {"nbsp", "\xc2\xa0"}, {"Tab", "\t"}, {"NewLine", "\n"}, {"ast", "*"}, {"lowbar", "_"},
};

static size_t put_utf8(char *out, unsigned long c)
{
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
	for (size_t k = more; k; k--, c >>= 6)
		out[k] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(lead[more] | c);
	return more + 1;
}

/* An entity at s ("&..."): its text into out (at most 4 bytes, never longer than the entity); returns bytes read, 0 for none. */
static size_t entity(struct span s, char *out, size_t *len)
{
	char *end, digits[12] = "";
	const char *semicolon = memchr(s.at, ';', s.len < 12 ? s.len : 12);
	if (!semicolon)
		return 0;
	size_t n = (size_t)(semicolon - s.at) - 1;
	if (n == 0)
		return 0;
	if (s.at[1] != '#') {
		for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
			if (n == strlen(entities[i].name) && memcmp(s.at + 1, entities[i].name, n) == 0) {
				*len = strlen(entities[i].text);
				memcpy(out, entities[i].text, *len);
				return n + 2;
			}
		return 0;
	}
	memcpy(digits, s.at + 2, n - 1);
	bool hex = digits[0] == 'x' || digits[0] == 'X';
	char first = digits[hex];
	if (!(first >= '0' && first <= '9') && !(hex && letter(first)))
		return 0;
	unsigned long c = strtoul(digits + hex, &end, hex ? 16 : 10);
	if (*end)
		return 0;
	*len = put_utf8(out, c);
	return n + 2;
}

static const char *decode(struct span v, struct arena *a)
{
	char *out = arena_alloc(a, v.len + 1);
	size_t n = 0;
	if (!out)
		return "";
	for (size_t i = 0; i < v.len;) {
		size_t len = 0, read = 0;
		if (v.at[i] == '&')
			read = entity((struct span){v.at + i, v.len - i}, out + n, &len);
		if (!read) {
			out[n] = v.at[i];
			read = len = 1;
		}
		i += read;
		n += len;
	}
	out[n] = 0;
	return out;
}

const char *html_attribute(const struct html_tag *t, const char *lower, struct arena *a)
{
	for (size_t i = 0; i < t->n; i++)
		if (html_is(t->attributes[i].name, lower))
			return decode(t->attributes[i].value, a);
	return NULL;
}
