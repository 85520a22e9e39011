#include "posture/csp.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "posture/html.h"
#include "posture/rules.h"

enum { SHORTEST_POLICY = 6 };	/* shorter can't hold a directive */

/* ---- parsing ---------------------------------------------------------------------------------------------------- */

struct source {
	const char *text;
	size_t policy, order;
	bool keep;
};
struct entry {
	const char *name;
	struct source *s;
	size_t n;
};
struct parse {
	struct arena *a;
	struct entry e[CSP_DIRECTIVES_MAX];
	size_t n, sources;
	bool repeated_reports;
};

static bool space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The order in which people's dictionaries put these characters; the rule about prefixes below looks at neighbours. */
static int rank(char c)
{
	static const char order[] = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz";
	const char *at = c ? strchr(order, c) : NULL;
	return at ? (int)(at - order) + 1 : 128 + (unsigned char)c;
}

static int compare(const void *x, const void *y)
{
	const struct source *a = x, *b = y;
	const char *p = a->text, *q = b->text;
	while (*p && *p == *q)
		p++, q++;
	if (*p != *q)
		return !*p ? -1 : !*q ? 1 : rank(*p) - rank(*q);
	return a->order < b->order ? -1 : 1;
}

static const char *lower(struct arena *a, struct span s)
{
	char *t = arena_strndup(a, s.at, s.len);
	for (char *p = t; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return t;
}

/* One segment of a path with %XX undone; false when it can't be. */
static bool unescape(struct span in, char *out, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < in.len; i++) {
		if (in.at[i] != '%') {
			out[(*n)++] = in.at[i];
			continue;
		}
		if (i + 2 >= in.len || !hex_decode(in.at + i + 1, 2, out + *n, 1))
			return false;
		++*n;
		i += 2;
	}
	return true;
}

static struct span segment(const char **p)
{
	const char *from = *p;
	size_t n = strcspn(from, "/");
	*p = from[n] ? from + n + 1 : NULL;
	return (struct span){from, n};
}

static size_t segments(const char *s)
{
	size_t n = 1;
	for (; *s; s++)
		n += *s == '/';
	return n;
}

/* CSP3 6.7.2.12: 1 every segment of a is b's (all of b's, unless a ends with a slash), 0 not, -1 a bad escape. */
static int path_match(struct arena *ar, const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), na = segments(a), nb = segments(b), x, y;
	bool exact = !la || a[la - 1] != '/';
	if (!la || (strcmp(a, "/") == 0 && !lb))
		return 1;
	if (na > nb || (exact && na != nb))
		return 0;
	char *u = arena_alloc(ar, la + 1), *v = arena_alloc(ar, lb + 1);
	if (!u || !v)
		return -1;
	for (size_t i = 0, n = exact ? na : na - 1; i < n; i++) {
		if (!unescape(segment(&a), u, &x) || !unescape(segment(&b), v, &y))
			return -1;
		if (x != y || memcmp(u, v, x) != 0)
			return 0;
	}
	return 1;
}

static bool starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/*
 * Neighbours in sorted order: within one policy what begins with the one before it is superfluous; across policies what
 * the one before it covers is in both, and stays.
 */
static int mark(struct parse *p, struct source *s, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (s[i].policy == s[i - 1].policy) {
			if (starts(s[i].text, s[i - 1].text))
				s[i].keep = false;
			continue;
		}
		int m = path_match(p->a, s[i - 1].text, s[i].text);
		if (m < 0)
			return -1;
		if (m)
			s[i].keep = true;
	}
	return 0;
}

static struct entry *entry_of(struct parse *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->e[i].name, name) == 0)
			return &p->e[i];
	if (p->n == CSP_DIRECTIVES_MAX)
		return NULL;
	p->e[p->n] = (struct entry){.name = name};
	return &p->e[p->n++];
}

/* Puts the values of one directive of one policy to what is known of it. */
static int merge(struct parse *p, const char *name, const char *const *values, size_t n, size_t policy, bool more)
{
	struct entry *e = entry_of(p, name);
	size_t had = e && policy ? e->n : 0, kept = 0;
	p->sources += n;
	if (!e || p->sources > CSP_SOURCES_MAX)
		return -1;
	struct source *s = arena_alloc(p->a, (had + n + 1) * sizeof *s);
	if (!s)
		return -1;
	for (size_t i = 0; i < had + n; i++) {
		s[i] = i < had ? e->s[i] : (struct source){values[i - had], policy, 0, policy == 0};
		s[i].order = i;
	}
	qsort(s, had + n, sizeof *s, compare);
	if (mark(p, s, had + n) < 0)
		return -1;
	for (size_t i = 0; i < had + n; i++)
		if (s[i].keep)
			s[kept++] = s[i];
	for (size_t i = 0; i < kept && policy == 0 && more; i++)
		s[i].keep = false;	/* the next policy must confirm it */
	e->s = s;
	e->n = kept;
	return 0;
}

static bool is_source_list(const char *name)
{
	size_t n = strlen(name);
	return n >= 4 && strcmp(name + n - 4, "-src") == 0;
}

static int directive(struct parse *p, struct span d, size_t policy, bool more, const char *seen[], size_t *seen_len)
{
	static const char *const none = "'none'";
	const char *values[CSP_SOURCES_MAX], *name = NULL;
	size_t n = 0;
	for (size_t i = 0; i < d.len;) {
		size_t from;
		for (; i < d.len && space(d.at[i]); i++)
			;
		for (from = i; i < d.len && !space(d.at[i]); i++)
			;
		if (i == from)
			break;
		const char *word = lower(p->a, (struct span){d.at + from, i - from});
		if (!word || n == CSP_SOURCES_MAX)
			return -1;
		if (!name)
			name = word;
		else
			values[n++] = word;
	}
	if (!name)
		return 0;
	for (size_t i = 0; i < *seen_len; i++) {
		if (strcmp(seen[i], name) != 0)
			continue;
		if (strcmp(name, "report-uri") != 0 && strcmp(name, "report-to") != 0)
			return -1;
		p->repeated_reports = true;
	}
	if (*seen_len == CSP_DIRECTIVES_MAX)
		return -1;
	seen[(*seen_len)++] = name;
	if (n == 0 && is_source_list(name))
		values[n++] = none;
	return merge(p, name, values, n, policy, more);
}

static int one_policy(struct parse *p, struct span s, size_t policy, bool more)
{
	const char *seen[CSP_DIRECTIVES_MAX];
	size_t seen_len = 0;
	for (size_t i = 0; i <= s.len;) {
		const char *end = memchr(s.at + i, ';', s.len - i);
		size_t n = end ? (size_t)(end - s.at) - i : s.len - i;
		if (directive(p, (struct span){s.at + i, n}, policy, more, seen, &seen_len) < 0)
			return -1;
		i += n + 1;
	}
	return 0;
}

/* Without line ends, and trimmed. */
static struct span clean(struct arena *a, struct span s)
{
	char *t = arena_alloc(a, s.len + 1);
	size_t n = 0, from = 0;
	if (!t)
		return (struct span){"", 0};
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] != '\r' && s.at[i] != '\n')
			t[n++] = s.at[i];
	while (n && space(t[n - 1]))
		n--;
	while (from < n && space(t[from]))
		from++;
	return (struct span){t + from, n - from};
}

static void flatten(const struct parse *p, struct csp *out)
{
	static const char *const none = "'none'";
	out->n = p->n;
	out->repeated_reports = p->repeated_reports;
	for (size_t i = 0; i < p->n; i++) {
		const struct entry *e = &p->e[i];
		const char **v = arena_alloc(p->a, (e->n + 1) * sizeof *v);
		size_t n = 0;
		for (size_t k = 0; v && k < e->n; k++)
			if (n == 0 || strcmp(v[n - 1], e->s[k].text) != 0)
				v[n++] = e->s[k].text;
		if (v && n == 0)
			v[n++] = none;
		out->d[i] = (struct csp_directive){e->name, v, n};
	}
}

int csp_parse(const struct span *policies, size_t n, struct arena *a, struct csp *out)
{
	struct parse p = {.a = a};
	size_t bytes = 0;
	*out = (struct csp){0};
	if (n > CSP_POLICIES_MAX)
		return -1;
	for (size_t i = 0; i < n; i++)
		if ((bytes += policies[i].len) > CSP_BYTES_MAX || clean(a, policies[i]).len < SHORTEST_POLICY)
			return -1;
	for (size_t i = 0; i < n; i++)
		if (one_policy(&p, clean(a, policies[i]), i, n > 1) < 0)
			return -1;
	flatten(&p, out);
	return a->over ? -1 : 0;
}

struct csp_directive *csp_find(struct csp *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->d[i].name, name) == 0)
			return &c->d[i];
	return NULL;
}

/* ---- where policies stand --------------------------------------------------------------------------------------- */

static void split(const char *value, struct span *v, size_t *n, bool *over)
{
	for (const char *p = value; p;) {
		const char *comma = strchr(p, ',');
		if (*n == CSP_POLICIES_MAX) {
			*over = true;
			return;
		}
		v[(*n)++] = (struct span){p, comma ? (size_t)(comma - p) : strlen(p)};
		p = comma ? comma + 1 : NULL;
	}
}

void csp_collect(const struct posture_response *r, struct arena *a, struct csp_policies *p)
{
	struct html h = {.page = r->body};
	struct html_tag t;
	const char *v;
	*p = (struct csp_policies){0};
	for (size_t i = 0; (v = posture_header_at(r, "content-security-policy", i)); i++)
		split(v, p->header, &p->header_len, &p->over);
	while (posture_is_html(r) && html_next(&h, &t)) {
		if (!html_is(t.name, "meta"))
			continue;
		const char *equiv = html_attribute(&t, "http-equiv", a);
		v = html_attribute(&t, "content", a);
		if (equiv && v && *v && rules_word_is(equiv, "content-security-policy"))
			split(v, p->meta, &p->meta_len, &p->over);
	}
}

static int parse_all(const struct csp_policies *p, struct arena *a, struct csp *out)
{
	struct span all[2 * CSP_POLICIES_MAX];
	memcpy(all, p->header, p->header_len * sizeof *all);
	memcpy(all + p->header_len, p->meta, p->meta_len * sizeof *all);
	return p->over ? -1 : csp_parse(all, p->header_len + p->meta_len, a, out);
}

bool csp_names_ancestors(const struct posture_response *r, struct arena *a)
{
	struct csp_policies p;
	struct csp c;
	csp_collect(r, a, &p);
	return parse_all(&p, a, &c) == 0 && csp_parse(p.header, p.header_len, a, &c) == 0 && csp_find(&c, "frame-ancestors");
}

/* ---- the rule --------------------------------------------------------------------------------------------------- */

static const char *const broad[] = {"ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*", NULL};
static const char *const inline_too[] = {"ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*",
					 "'unsafe-inline'", "data:", NULL};
static const char *const nonces[] = {"'sha256-", "'sha384-", "'sha512-", "'nonce-", NULL};
static const char *const insecure[] = {"http:", "ftp:", NULL};

static bool has(const struct csp_directive *d, const char *source)
{
	for (size_t i = 0; d && i < d->n; i++)
		if (strcmp(d->sources[i], source) == 0)
			return true;
	return false;
}

static bool has_any(const struct csp_directive *d, const char *const *list)
{
	for (; *list; list++)
		if (has(d, *list))
			return true;
	return false;
}

static bool source_starts(const char *source, const char *const *list)
{
	for (; *list; list++)
		if (starts(source, *list))
			return true;
	return false;
}

static bool any_starts(const struct csp_directive *d, const char *const *list)
{
	for (size_t i = 0; d && i < d->n; i++)
		if (source_starts(d->sources[i], list))
			return true;
	return false;
}

static void drop_inline(struct csp_directive *d, bool dynamic)
{
	size_t n = 0;
	for (size_t i = 0; i < d->n; i++) {
		const char *s = d->sources[i];
		bool gone = strcmp(s, "'unsafe-inline'") == 0 || (dynamic && (source_starts(s, broad) || strcmp(s, "'self'") == 0));
		if (!gone)
			d->sources[n++] = s;
	}
	d->n = n;
}

static bool is_passive(const char *name)
{
	return strcmp(name, "img-src") == 0 || strcmp(name, "media-src") == 0;
}

/* In the order of Observatory's csp.js: the first that holds is the outcome. */
static const char *judge(struct csp *c, bool https)
{
	static const char *any[] = {"*"};
	struct csp_directive all = {"", any, 1}, *otherwise = csp_find(c, "default-src");
	struct csp_directive *script = csp_find(c, "script-src"), *style = csp_find(c, "style-src"), *object = csp_find(c, "object-src");
	struct csp_directive *given = script;
	script = script ? script : otherwise ? otherwise : &all;
	style = style ? style : otherwise ? otherwise : &all;
	object = object ? object : otherwise ? otherwise : &all;
	if (any_starts(script, nonces))
		drop_inline(script, false);
	if (any_starts(style, nonces))
		drop_inline(style, false);
	if (has(script, "'strict-dynamic'")) {
		if (!any_starts(script, nonces))
			return "csp-header-invalid";
		drop_inline(script, true);
	}
	if (has_any(script, inline_too) || has_any(object, broad))
		return "csp-implemented-with-unsafe-inline";
	bool active = any_starts(script, insecure), passive = false;
	for (size_t i = 0; i < c->n; i++)
		if (&c->d[i] != given && !is_passive(c->d[i].name))
			active |= any_starts(&c->d[i], insecure);
	static const char *const passives[] = {"img-src", "media-src"};
	for (size_t i = 0; i < 2; i++) {
		const struct csp_directive *d = csp_find(c, passives[i]);
		passive |= any_starts(d ? d : otherwise, insecure);
	}
	if (https && active)
		return "csp-implemented-with-insecure-scheme";
	if (has(script, "'unsafe-eval'") || has(style, "'unsafe-eval'"))
		return "csp-implemented-with-unsafe-eval";
	if (https && passive)
		return "csp-implemented-with-insecure-scheme-in-passive-content-only";
	if (has_any(style, inline_too))
		return "csp-implemented-with-unsafe-inline-in-style-src-only";
	if (otherwise && otherwise->n == 1 && has(otherwise, "'none'"))
		return "csp-implemented-with-no-unsafe-default-src-none";
	return "csp-implemented-with-no-unsafe";
}

/* Only beside these is reporting named twice worth a word. */
static const char *const passing[] = {"csp-implemented-with-no-unsafe", "csp-implemented-with-no-unsafe-default-src-none",
				      "csp-implemented-with-unsafe-inline-in-style-src-only",
				      "csp-implemented-with-insecure-scheme-in-passive-content-only", NULL};
static const char *const not_in_pages[] = {"frame-ancestors", "report-uri", "sandbox", NULL};

/* Does the page's part say anything that counts in a page? */
static bool meta_counts(const struct csp_policies *p, struct arena *a)
{
	struct csp meta;
	size_t n = 0;
	if (csp_parse(p->meta, p->meta_len, a, &meta) < 0)
		return false;
	for (size_t i = 0; i < meta.n; i++) {
		bool out = false;
		for (const char *const *w = not_in_pages; *w; w++)
			out |= strcmp(meta.d[i].name, *w) == 0;
		n += !out;
	}
	return n > 0 || meta.repeated_reports;
}

static void evidence(struct posture_finding *f, const struct csp *c, const struct csp_policies *p)
{
	posture_evidence(f, "%zu %s in headers, %zu in the page; directives", p->header_len, p->header_len == 1 ? "policy" : "policies", p->meta_len);
	for (size_t i = 0; i < c->n; i++)
		posture_evidence(f, "%s %s", i ? "," : ":", c->d[i].name);
}

void rule_csp(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	struct csp_policies p;
	struct csp all, header;
	if (!c->page)
		return;
	csp_collect(c->page, a, &p);
	if (parse_all(&p, a, &all) < 0) {
		posture_evidence(f, "%zu policies, one of them invalid", p.header_len + p.meta_len);
		posture_is(f, "csp-header-invalid");
		return;
	}
	bool has_header = csp_parse(p.header, p.header_len, a, &header) == 0 && header.n > 0;
	if (!has_header && !meta_counts(&p, a)) {
		posture_is(f, posture_header_at(c->page, "content-security-policy-report-only", 0)
				      ? "csp-not-implemented-but-reporting-enabled" : "csp-not-implemented");
		return;
	}
	evidence(f, &all, &p);
	const char *outcome = judge(&all, c->page_https);
	posture_is(f, outcome);
	for (const char *const *w = passing; all.repeated_reports && *w; w++)
		if (strcmp(outcome, *w) == 0)
			posture_is(f, "csp-implemented-but-duplicate-directives");
}
