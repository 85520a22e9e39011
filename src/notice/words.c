/* The words of a language (catalog/notices/words.LANG.txt), and filling values into text. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "notice/private.h"

const char *const notice_kinds[2] = {"people", "authority"};
const char *const notice_langs[2] = {"en", "de"};

static const char *const word_files[LANGS] = {notice_words_en, notice_words_de};

int notice_lang(const char *lang)
{
	for (int i = 0; lang && i < LANGS; i++)
		if (strcmp(notice_langs[i], lang) == 0)
			return i;
	return -1;
}

static struct span value_at(const char *line, size_t key_len)
{
	if (strncmp(line + key_len, " = ", 3) != 0)
		return (struct span){0};
	return (struct span){line + key_len + 3, strcspn(line + key_len + 3, "\n")};
}

struct span notice_word(int lang, const char *key)
{
	size_t n = strlen(key);
	for (const char *p = word_files[lang]; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		if (strncmp(p, key, n) != 0)
			continue;
		struct span v = value_at(p, n);
		if (v.len)
			return v;
	}
	return (struct span){0};
}

struct span notice_category(int lang, const char *prefix, const char *category)
{
	char key[160];
	int n = snprintf(key, sizeof key, "%s%s", prefix, category);
	if (n < 0 || (size_t)n >= sizeof key)
		return (struct span){0};
	for (;;) {
		struct span v = notice_word(lang, key);
		char *dot = strrchr(key, '.');
		if (v.len || !dot || dot < key + strlen(prefix))
			return v;
		*dot = 0;
	}
}

void notice_date(int lang, int64_t at, struct buf *out)
{
	int64_t y;
	unsigned m, d;
	clock_civil_from_days(at >= 0 ? at / 86400 : -((-at + 86399) / 86400), &y, &m, &d);
	struct span month = notice_word(lang, "months");
	for (unsigned i = 1; i < m; i++) {
		const char *space = memchr(month.at, ' ', month.len);
		must(space);
		month.len -= (size_t)(space + 1 - month.at);
		month.at = space + 1;
	}
	const char *end = memchr(month.at, ' ', month.len);
	json_t *v = json_pack("{s:s%, s:o, s:o}", "month", month.at, end ? (size_t)(end - month.at) : month.len, "d",
			      json_sprintf("%u", d), "y", json_sprintf("%lld", (long long)y));
	bool empty;
	notice_fill(notice_word(lang, "date"), v, NULL, out, &empty);
	json_decref(v);
}

static const char *category_of(const json_t *j)
{
	return json_is_string(j) ? json_string_value(j) : json_string_value(json_object_get(j, "category"));
}

static bool wanted(int lang, const char *prefix, const json_t *categories, struct span text)
{
	size_t i;
	const json_t *c;
	json_array_foreach(categories, i, c) {
		const char *name = category_of(c);
		if (name && notice_category(lang, prefix, name).at == text.at)
			return true;
	}
	return false;
}

/* Whether a line "- TEXT" stands there already: another category has the same words. */
static bool said(const struct buf *b, size_t from, struct span text)
{
	const char *p = (const char *)b->data + from, *end = (const char *)b->data + b->len;
	for (const char *stop; p < end; p = stop + 1) {
		stop = memchr(p, '\n', (size_t)(end - p));
		stop = stop ? stop : end;
		if ((size_t)(stop - p) == text.len + 2 && memcmp(p + 2, text.at, text.len) == 0)
			return true;
	}
	return false;
}

void notice_lines(int lang, const char *prefix, const json_t *categories, struct buf *out)
{
	size_t n = strlen(prefix), from = out->len;
	for (const char *p = word_files[lang]; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		if (strncmp(p, prefix, n) != 0)
			continue;
		struct span text = value_at(p, strcspn(p, " \n"));
		if (!text.len || !wanted(lang, prefix, categories, text))
			continue;
		if (out->len > from && said(out, from, text))
			continue;
		if (out->len > from)
			buf_addc(out, '\n');
		buf_adds(out, "- ");
		buf_add(out, text.at, text.len);
	}
}

static bool listed(const char *const *list, const char *name, size_t n)
{
	for (; list && *list; list++)
		if (strlen(*list) == n && memcmp(*list, name, n) == 0)
			return true;
	return false;
}

void notice_fill(struct span text, const json_t *values, const char *const *open, struct buf *out, bool *empty)
{
	const char *p = text.at, *end = text.at + text.len;
	*empty = false;
	while (p < end) {
		const char *brace = memchr(p, '{', (size_t)(end - p));
		const char *close = brace ? memchr(brace, '}', (size_t)(end - brace)) : NULL;
		if (!close) {
			buf_add(out, p, (size_t)(end - p));
			return;
		}
		size_t n = (size_t)(close - brace - 1);
		buf_add(out, p, (size_t)(brace - p));
		char *name = xstrndup(brace + 1, n);
		const json_t *v = json_object_get(values, name);
		if (listed(open, brace + 1, n))
			buf_add(out, brace, n + 2);
		else if (json_string_length(v))
			buf_add(out, json_string_value(v), json_string_length(v));
		else
			*empty = true;
		free(name);
		p = close + 1;
	}
}
