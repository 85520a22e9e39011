/*
 * Content-Security-Policy as MDN HTTP Observatory reads it (algorithm 6): several policies become one, in which a
 * source stays only if every policy has it.  Second header of this folder because csp.c and frames.c share it.
 */
#ifndef POSTURE_CSP_H
#define POSTURE_CSP_H

#include "posture/posture.h"

enum { CSP_POLICIES_MAX = 32, CSP_DIRECTIVES_MAX = 64, CSP_SOURCES_MAX = 1024, CSP_BYTES_MAX = 64 << 10 };

struct csp_directive {
	const char *name;
	const char **sources;	/* lower case, each once, in the order of their characters */
	size_t n;
};
struct csp {
	struct csp_directive d[CSP_DIRECTIVES_MAX];
	size_t n;
	bool repeated_reports;	/* report-uri or report-to twice in one policy */
};

/* 0, or -1 for an invalid policy or one past the limits above.  No policies: an empty result. */
int csp_parse(const struct span *policies, size_t n, struct arena *a, struct csp *out);
struct csp_directive *csp_find(struct csp *c, const char *name);	/* NULL: absent */

/* Policies of a response: its headers split at commas, and its page's <meta http-equiv>. */
struct csp_policies {
	struct span header[CSP_POLICIES_MAX], meta[CSP_POLICIES_MAX];
	size_t header_len, meta_len;
	bool over;
};
void csp_collect(const struct posture_response *r, struct arena *a, struct csp_policies *p);

/* Are frame ancestors named by the header?  (In a page they have no effect.)  False when any policy is invalid. */
bool csp_names_ancestors(const struct posture_response *r, struct arena *a);

#endif
