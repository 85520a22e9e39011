/*
 * What the readers of a contract file's sections share: sections.c (values, promises, the file), section_delivery.c,
 * section_data.c.  Nobody else includes this.
 */
#ifndef CONTRACT_SECTIONS_H
#define CONTRACT_SECTIONS_H

#include "base/err.h"
#include "contract/read.h"

#define SECTION(name, rows) {name, rows, sizeof rows / sizeof *rows}
#define MEMBER(r, k, type) ((type *)(void *)((char *)(r)->c + (k)->at))
#define AT(field) .at = offsetof(struct contract, field)

/* ---- sections.c --------------------------------------------------------------------------------------------------------- */

extern const char *const identity_words[];	/* in the order of enum identity */
/* Not empty, no control characters. */
bool one_line(struct span s);
/* [a-z0-9-]{1,63}; false when reported. */
bool check_name(struct reader *r, const struct ynode *v);
/* One of k->words: its index, or -1 when reported. */
int enum_word(struct reader *r, const struct ynode *v, const struct key_row *k);

/* ---- readers of whole sections, for the rows of the file ----------------------------------------------------------------- */

extern const struct key_section delivery_section, source_section, profile_section, group_section, restricted_section;
void k_delivery(struct reader *r, const struct ynode *v, const struct key_row *k);
void k_sources(struct reader *r, const struct ynode *v, const struct key_row *k);
void k_events(struct reader *r, const struct ynode *v, const struct key_row *k);
void k_detectors(struct reader *r, const struct ynode *v, const struct key_row *k);
void k_on_hit(struct reader *r, const struct ynode *v, const struct key_row *k);
void k_fields(struct reader *r, const struct ynode *v, const struct key_row *k);
void k_profiles(struct reader *r, const struct ynode *v, const struct key_row *k);
void k_groups(struct reader *r, const struct ynode *v, const struct key_row *k);
void k_restricted(struct reader *r, const struct ynode *v, const struct key_row *k);

#endif
