/* Reading one node of the tree: maps by their table, lists, words, numbers, JSON scalars. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "contract/read.h"

enum { LIST_MAX = 1000 };
#define EXACT_MAX (INT64_C(1) << 53)	/* below it a double holds every whole number */

const struct ynode *ynode_get(const struct ynode *map, const char *key)
{
	if (map && map->type == YN_MAP)
		for (const struct ynode *m = map->first; m; m = m->next)
			if (!m->bad && span_eq(m->key->text, key))
				return m;
	return NULL;
}

int word_index(struct span s, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (span_eq(s, words[i]))
			return i;
	return -1;
}

void hint_nearest(struct reader *r, struct span word, const char *const *words)
{
	size_t n = 0;
	while (words[n])
		n++;
	const char *near = diag_nearest(word.at, word.len, words, n);
	if (near)
		diags_hint(r->d, "did you mean %s?", near);
}

bool expect_map(struct reader *r, const struct ynode *v, const char *what)
{
	if (v->type != YN_MAP)
		FAULT(r, v, wrong_shape, "%s is a map", what);
	return v->type == YN_MAP;
}

bool expect_list(struct reader *r, const struct ynode *v, const char *what)
{
	if (v->type != YN_LIST)
		FAULT(r, v, wrong_shape, "%s is a list", what);
	else if (v->n > LIST_MAX)
		FAULT(r, v, limit, "%s has more than %d entries", what, LIST_MAX);
	return v->type == YN_LIST && v->n <= LIST_MAX;
}

bool expect_scalar(struct reader *r, const struct ynode *v, const char *what)
{
	if (v->type != YN_SCALAR)
		FAULT(r, v, wrong_shape, "%s is one value", what);
	return v->type == YN_SCALAR;
}

static bool has_text(const struct span *v, size_t n, struct span s)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].len == s.len && memcmp(v[i].at, s.at, s.len) == 0)
			return true;
	return false;
}

void read_texts(struct reader *r, const struct ynode *list, const char *what,
		bool (*check)(struct reader *r, const struct ynode *v), struct span **out, size_t *n)
{
	if (!expect_list(r, list, what))
		return;
	*out = arena_alloc(r->a, (list->n + 1) * sizeof **out);
	for (const struct ynode *i = list->first; i; i = i->next) {
		if (i->bad || !expect_scalar(r, i, "an entry") || (check && !check(r, i)))
			continue;
		if (has_text(*out, *n, i->text))
			FAULT(r, i, duplicate_value, "%s stands twice", i->text.at);
		else
			(*out)[(*n)++] = i->text;
	}
}

bool read_int(struct reader *r, const struct ynode *v, const char *what, int64_t lo, int64_t hi, int64_t *out)
{
	if (v->type == YN_SCALAR && !v->quoted && word_int(v->text, lo, hi, out))
		return true;
	FAULT(r, v, bad_value, "%s is a whole number from %lld to %lld", what, (long long)lo, (long long)hi);
	return false;
}

/* RFC 8259 section 6 */
static bool json_number(const char *s)
{
	s += *s == '-';
	if (*s == '0')
		s++;
	else if (*s >= '1' && *s <= '9')
		s += strspn(s, "0123456789");
	else
		return false;
	if (*s == '.') {
		size_t n = strspn(s + 1, "0123456789");
		if (n == 0)
			return false;
		s += 1 + n;
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '+' || *s == '-';
		size_t n = strspn(s, "0123456789");
		if (n == 0)
			return false;
		s += n;
	}
	return *s == 0;
}

/* What some YAML reader takes for null, a boolean or a number, and JSON doesn't (YAML 1.1 types; 1.2.2 section 10.3). */
static bool ambiguous(const char *s)
{
	static const char *const words[] = {"", "~", "Null", "NULL", "True", "TRUE", "False", "FALSE", NULL};
	if (word_index((struct span){s, strlen(s)}, words) >= 0)
		return true;
	s += *s == '-' || *s == '+';
	if (*s == '.' && (strcasecmp(s, ".inf") == 0 || strcasecmp(s, ".nan") == 0))
		return true;
	if (!((*s >= '0' && *s <= '9') || (*s == '.' && s[1] >= '0' && s[1] <= '9')))
		return false;
	if (*s == '0' && s[1] && strchr("xob", s[1]))
		return s[2 + strspn(s + 2, "0123456789abcdefABCDEF_")] == 0;
	size_t n = strspn(s, "0123456789_:");
	if (s[n] == '.')
		n += 1 + strspn(s + n + 1, "0123456789_");
	if (s[n] == 'e' || s[n] == 'E') {
		n++;
		n += s[n] == '-' || s[n] == '+';
		n += strspn(s + n, "0123456789_");
	}
	return s[n] == 0;
}

static bool read_number(struct reader *r, const struct ynode *v, struct scalar *out)
{
	double d = strtod(v->text.at, NULL);
	bool whole = strspn(v->text.at, "-0123456789") == v->text.len;
	if (!isfinite(d) || (whole && fabs(d) >= (double)EXACT_MAX)) {
		FAULT(r, v, inexact_number, "a number that a double can't hold exactly: write it as text in quotes");
		return false;
	}
	char text[48];
	canon_number(d, text);
	*out = (struct scalar){.type = SCALAR_NUMBER};
	out->json = (struct span){arena_strndup(r->a, text, strlen(text)), strlen(text)};
	return true;
}

bool read_scalar(struct reader *r, const struct ynode *v, struct scalar *out)
{
	bool yes = span_eq(v->text, "true");
	if (!v->quoted && json_number(v->text.at))
		return read_number(r, v, out);
	if (!v->quoted && ambiguous(v->text.at)) {
		FAULT(r, v, ambiguous_scalar, "YAML readers disagree about this: put it in quotes, or write null, true, false or a number as JSON does");
		return false;
	}
	if (!v->quoted && (yes || span_eq(v->text, "false"))) {
		*out = (struct scalar){.type = SCALAR_BOOL, .json = v->text};
		return true;
	}
	if (!v->quoted && span_eq(v->text, "null")) {
		*out = (struct scalar){.type = SCALAR_NULL, .json = v->text};
		return true;
	}
	struct buf b;
	buf_init(&b, 0);
	canon_string(v->text.at, v->text.len, &b);
	*out = (struct scalar){.type = SCALAR_STRING, .text = v->text};
	out->json = (struct span){arena_strndup(r->a, (const char *)b.data, b.len), b.len};
	buf_release(&b);
	return true;
}

static void unknown_key(struct reader *r, const struct ynode *key, const struct key_section *s)
{
	const char *words[40];
	must(s->n < 40);
	for (size_t i = 0; i < s->n; i++)
		words[i] = s->rows[i].name;
	words[s->n] = NULL;
	FAULT(r, key, unknown_key, "there is no key %s%s%s", key->text.len ? key->text.at : "\"\"", *s->name ? " in " : "", s->name);
	hint_nearest(r, key->text, words);
}

static bool section_has(const struct key_section *s, struct span key)
{
	for (size_t i = 0; i < s->n; i++)
		if (span_eq(key, s->rows[i].name))
			return true;
	return false;
}

static bool is_null(const struct ynode *v)
{
	return v->type == YN_SCALAR && !v->quoted && (v->text.len == 0 || span_eq(v->text, "null") || span_eq(v->text, "~"));
}

void read_map(struct reader *r, const struct ynode *map, const struct key_section *s)
{
	for (const struct ynode *m = map->first; m; m = m->next)
		if (!m->bad && !section_has(s, m->key->text))
			unknown_key(r, m->key, s);
	for (const struct key_row *k = s->rows; k < s->rows + s->n; k++) {
		const struct ynode *v = ynode_get(map, k->name);
		if (v && is_null(v))
			FAULT(r, v, wrong_shape, "%s is empty: leave it out or give it a value", k->name);
		else if (v)
			k->read(r, v, k);
		else if (k->required)
			FAULT(r, map, missing_key, "%s%s%s is missing", s->name, *s->name ? "." : "", k->name);
	}
}
