/*
 * Paths: seg(.seg|["any text"]|[])*, where the first part may be ["any text"] too.  A seg is one or more characters
 * without . [ ] " * white space and controls; the text in quotes takes JSON's escapes.  The canonical spelling uses seg
 * wherever the key allows it, so that two spellings of one place compare equal.
 */
#include <string.h>

#include "contract/read.h"

enum { SEGMENTS_MAX = 32, PATH_BYTES_MAX = 1024 };

static bool plain(char c)
{
	uint8_t u = (uint8_t)c;
	return u > 0x20 && u != 0x7f && !strchr(".[]\"*", c);
}

static bool fail(struct path_fault *f, size_t off, const char *why)
{
	*f = (struct path_fault){.off = off, .why = why};
	return false;
}

static int hex4(const char *s, size_t n)
{
	int v = 0;
	if (n < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef", *p = s[i] ? strchr(digits, s[i] | 0x20) : NULL;
		if (!p || (s[i] < '0'))
			return -1;
		v = v * 16 + (int)(p - digits);
	}
	return v;
}

static size_t utf8_put(char *out, unsigned cp)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

/* One escape at s (behind the backslash); adds its bytes to out.  Returns bytes read, 0 for a wrong one. */
static size_t escape(const char *s, size_t n, char *out, size_t *len)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *p = n && s[0] ? strchr(from, s[0]) : NULL;
	if (p) {
		out[(*len)++] = to[p - from];
		return 1;
	}
	int hi = n && s[0] == 'u' ? hex4(s + 1, n - 1) : -1;
	if (hi <= 0 || (hi >= 0xdc00 && hi < 0xe000))
		return 0;
	if (hi < 0xd800 || hi >= 0xe000) {
		*len += utf8_put(out + *len, (unsigned)hi);
		return 5;
	}
	int lo = n > 6 && s[5] == '\\' && s[6] == 'u' ? hex4(s + 7, n - 7) : -1;
	if (lo < 0xdc00 || lo >= 0xe000)
		return 0;
	*len += utf8_put(out + *len, 0x10000u + ((unsigned)(hi - 0xd800) << 10) + (unsigned)(lo - 0xdc00));
	return 11;
}

/* ["any text"] at text[i] == '['; leaves i behind it. */
static bool quoted(struct span t, size_t *i, char *out, struct span *key, struct path_fault *f)
{
	size_t len = 0, at = *i + 2;
	while (at < t.len && t.at[at] != '"') {
		if (t.at[at] != '\\') {
			out[len++] = t.at[at++];
			continue;
		}
		size_t k = escape(t.at + at + 1, t.len - at - 1, out, &len);
		if (!k)
			return fail(f, at, "not an escape of JSON");
		at += 1 + k;
	}
	if (at + 1 >= t.len || t.at[at + 1] != ']')
		return fail(f, *i, "[\" needs \"] at its end");
	*key = (struct span){out, len};
	*i = at + 2;
	return true;
}

static bool segment(struct span t, size_t *i, char *out, struct span *key, struct path_fault *f)
{
	size_t from = *i;
	while (*i < t.len && plain(t.at[*i]))
		out[*i - from] = t.at[*i], ++*i;
	if (*i < t.len && t.at[*i] == '*') {
		fail(f, *i, "");
		f->wildcard = true;
		return false;
	}
	if (*i == from)
		return fail(f, from, from == t.len ? "a name must follow" : "a name with this character needs [\"...\"]");
	if (*i < t.len && t.at[*i] != '.' && t.at[*i] != '[')
		return fail(f, *i, "a name with this character needs [\"...\"]");
	*key = (struct span){out, *i - from};
	return true;
}

static void spell(struct arena *a, struct path *p)
{
	struct buf b;
	buf_init(&b, 0);
	for (size_t i = 0; i < p->n; i++) {
		struct span k = p->v[i].key;
		size_t ok = 0;
		while (k.at && ok < k.len && plain(k.at[ok]))
			ok++;
		if (!k.at) {
			buf_adds(&b, "[]");
		} else if (ok == k.len && k.len) {
			buf_adds(&b, i ? "." : "");
			buf_add(&b, k.at, k.len);
		} else {
			buf_addc(&b, '[');
			canon_string(k.at, k.len, &b);
			buf_addc(&b, ']');
		}
	}
	p->text = (struct span){arena_strndup(a, (const char *)b.data, b.len), b.len};
	buf_release(&b);
}

bool path_parse(struct arena *a, struct span t, struct path *out, struct path_fault *f)
{
	struct path_seg v[SEGMENTS_MAX];
	size_t n = 0;
	if (t.len == 0)
		return fail(f, 0, "it is empty");
	if (t.len > PATH_BYTES_MAX)
		return fail(f, 0, "it is longer than 1024 bytes");
	for (size_t i = 0; i < t.len;) {
		if (n == SEGMENTS_MAX)
			return fail(f, i, "it has more than 32 parts");
		char *key = arena_alloc(a, t.len - i + 1);
		v[n].key = (struct span){NULL, 0};
		if (t.at[i] == '[' && i + 1 < t.len && t.at[i + 1] == '"') {
			if (!quoted(t, &i, key, &v[n].key, f))
				return false;
		} else if (t.at[i] == '[' && i + 1 < t.len && t.at[i + 1] == ']') {
			if (n == 0)
				return fail(f, i, "it starts at an object, not at an array");
			i += 2;
		} else if (t.at[i] == '[' && i + 1 < t.len && t.at[i + 1] == '*') {
			fail(f, i + 1, "");
			f->wildcard = true;
			return false;
		} else if (t.at[i] == '[') {
			return fail(f, i, "behind [ comes ] or \"");
		} else {
			if (n > 0 && t.at[i] != '.')
				return fail(f, i, "behind ] comes . or [");
			i += n > 0;
			if (!segment(t, &i, key, &v[n].key, f))
				return false;
		}
		n++;
	}
	out->v = arena_alloc(a, n * sizeof *v);
	memcpy(out->v, v, n * sizeof *v);
	out->n = n;
	spell(a, out);
	return true;
}

static bool same_key(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

enum path_relation path_relate(const struct path *a, const struct path *b)
{
	size_t n = a->n < b->n ? a->n : b->n;
	for (size_t i = 0; i < n; i++) {
		if (!a->v[i].key.at != !b->v[i].key.at)
			return PATH_CLASH;
		if (a->v[i].key.at && !same_key(a->v[i].key, b->v[i].key))
			return PATH_APART;
	}
	return a->n == b->n ? PATH_SAME : a->n < b->n ? PATH_ABOVE : PATH_BELOW;
}
