#include "posture/html.h"
#include "posture/rules.h"

static const char *const good[] = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin", NULL};
static const char *const bad[] = {"origin", "origin-when-cross-origin", "unsafe-url", "no-referrer-when-downgrade", NULL};

static bool among(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (rules_word_is(word, *list))
			return true;
	return false;
}

/* The last known word of the list wins. */
static void read_list(const char *v, struct arena *a, const char **last)
{
	for (const char *p = v; p;) {
		const char *comma = strchr(p, ',');
		const char *word = arena_strndup(a, p, comma ? (size_t)(comma - p) : strlen(p));
		if (word && (among(word, good) || among(word, bad)))
			*last = word;
		p = comma ? comma + 1 : NULL;
	}
}

static const char *of_page(const struct posture_response *r, struct arena *a)
{
	struct html h = {.page = r->body};
	struct html_tag t;
	const char *found = NULL;
	while (posture_is_html(r) && html_next(&h, &t)) {
		if (!html_is(t.name, "meta"))
			continue;
		const char *name = html_attribute(&t, "name", a), *content = html_attribute(&t, "content", a);
		if (name && content && *content && rules_word_is(name, "referrer"))
			found = content;
	}
	return found;
}

void rule_referrer(const struct posture_capture *c, struct arena *a, struct posture_finding *f)
{
	const char *v, *last = NULL;
	size_t n = 0;
	if (!c->page)
		return;
	for (; (v = posture_header_at(c->page, "referrer-policy", n)); n++) {
		posture_evidence(f, "%s%.100s", n ? ", " : "referrer policy: ", v);
		read_list(v, a, &last);
	}
	if ((v = of_page(c->page, a))) {
		posture_evidence(f, "%s%.100s (page)", n++ ? ", " : "referrer policy: ", v);
		read_list(v, a, &last);
	}
	if (n == 0)
		posture_is(f, "referrer-policy-not-implemented");
	else if (!last)
		posture_is(f, "referrer-policy-header-invalid");
	else
		posture_is(f, among(last, good) ? "referrer-policy-private" : "referrer-policy-unsafe");
}
