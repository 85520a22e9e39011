/*
 * As much of HTML as the rules need: the start tags of a page with their attributes.  What stands in comments and in
 * raw text (script, style, title, textarea) isn't a tag.  Forgiving like a browser; never fails.
 */
#ifndef POSTURE_HTML_H
#define POSTURE_HTML_H

#include "posture/posture.h"

enum { HTML_ATTRIBUTES_MAX = 32 };

struct html_tag {
	struct span name;	/* as spelled; compare with html_is */
	struct {
		struct span name, value;	/* value before entities */
	} attributes[HTML_ATTRIBUTES_MAX];
	size_t n;
};
struct html {
	struct span page;
	size_t at;
};

/* 1 a start tag, 0 the end. */
int html_next(struct html *h, struct html_tag *t);
bool html_is(struct span name, const char *lower);
/* With entities decoded, in the arena; NULL when absent. */
const char *html_attribute(const struct html_tag *t, const char *lower, struct arena *a);

#endif
