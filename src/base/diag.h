/*
 * Diagnostics for files that people write: all mistakes at once, each
 *   FILE:LINE:COL: error|warning: MESSAGE [CODE]
 * Contract text may be quoted, payload never.  Codes are stable (docs/errors.md).
 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum diag_level { DIAG_ERROR, DIAG_WARNING };

struct diag {
	enum diag_level level;
	size_t line, col;	/* from 1; 0 when unknown */
	const char *code;	/* static */
	char *msg;
	char *hint;		/* "did you mean ...", or NULL */
};

struct diags {
	char *file;
	struct diag *v;
	size_t n, cap;
	size_t errors;
};

void diags_init(struct diags *d, const char *file);
void diags_release(struct diags *d);
void diags_add(struct diags *d, enum diag_level level, size_t line, size_t col, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* Attaches a suggestion to the newest entry. */
void diags_hint(struct diags *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* In order of line and column. */
void diags_sort(struct diags *d);
void diags_print(const struct diags *d, struct buf *out);
void diags_print_json(const struct diags *d, struct buf *out);	/* one JSON array */

/* The word of the list nearest to w (Damerau-Levenshtein distance <= 2 and < half its length), or NULL. */
const char *diag_nearest(const char *w, size_t n, const char *const *list, size_t list_len);

#endif
