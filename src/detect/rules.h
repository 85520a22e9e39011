/*
 * A user's own detectors: rows of a YAML file, compiled into one database of Vectorscan (or Hyperscan).
 *
 *   weir: 1
 *   detectors:
 *     - name: customer_no
 *       pattern: 'KD-[0-9]{6}'         # Hyperscan's syntax; three fixed characters in a row make it fast
 *       check: luhn                    # optional, over its digits: luhn | mod97 | mod11_10 | verhoeff
 *       context: [kunde, customer]     # optional: only with one of these words within 30 bytes before it
 *       examples: [KD-123455]          # each must be found, no counterexample may be
 *       counterexamples: [KD-12345]
 *
 * Third public header of this folder: reading allocates, and the engine is looked for at run time (libhs.so.5), so that
 * nobody without rules pays for it.
 */
#ifndef DETECT_RULES_H
#define DETECT_RULES_H

#include "base/diag.h"
#include "base/err.h"
#include "detect/detect.h"

enum { DETECT_RULES_MAX = 1000, DETECT_PATTERN_MAX = 1000, DETECT_RULE_NAME_MAX = 40 };
/* May a rule be called so?  2 to DETECT_RULE_NAME_MAX of a-z 0-9 _ . from a letter on, and not what a type is called. */
bool detect_rule_name(const char *name, size_t n);

/* The file's rules, or NULL and every mistake in d; ERR_NOTFOUND-like trouble with the library is one, too.  Free it. */
struct detect_rules *detect_rules_read(const char *text, size_t n, struct diags *d);
void detect_rules_free(struct detect_rules **r);
/* One more owner, who frees it, too; any thread. */
struct detect_rules *detect_rules_ref(struct detect_rules *r);
size_t detect_rules_count(const struct detect_rules *r);
/* The rule of a hit of type DETECT_CUSTOM, by its place. */
size_t detect_rules_index(const struct detect_rules *r, const struct detect_hit *h);

/* A rule without its examples: what is left of it once they passed. */
struct detect_row {
	const char *name, *pattern, *check;	/* check: NULL for none */
	const char *const *words;		/* context, lower case */
	size_t words_len;
};
/* Lives as long as the rules. */
struct detect_row detect_rules_row(const struct detect_rules *r, size_t i);
/* Rules of rows that were read and tried before; the rows aren't needed afterwards.  NULL and err for what can't be a rule. */
struct detect_rules *detect_rules_make(const struct detect_row *rows, size_t n, struct err *err);
/*
 * Loads the engine.  A process that confines itself calls this before it does: afterwards there is no opening of a library.
 * False: this machine has none.
 */
bool detect_rules_ready(void);

/* What one thread needs to use rules: any number of threads may share the rules, each with its own room. */
struct detect_room *detect_room_new(const struct detect_rules *r);
void detect_room_free(struct detect_room **room);
/* Makes room for these rules, too; cheap when it is there.  NULL becomes a new room. */
void detect_room_fit(struct detect_room **room, const struct detect_rules *r);
/* Does any pattern show in the text at all?  Checks and words aren't asked. */
bool detect_rules_maybe(const struct detect_rules *r, struct detect_room *room, const char *text, size_t n);

/*
 * detect_scan, and the rules besides: their hits have type DETECT_CUSTOM and the rule's name.  Rules look at all that the
 * kinds of Weir's own look at: what is decoded, within the same bounds, and what is left between hits.  kind and why live as
 * long as the rules.
 */
size_t detect_scan_with(const struct detect_rules *r, struct detect_room *room, const char *text, size_t n, uint64_t types,
			struct detect_hit *hits, size_t max);

#endif
