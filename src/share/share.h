/*
 * Sharing what was learned, without anybody's data: an incident as a STIX 2.1 bundle (OASIS, 2021) with TLP 2.0 marking,
 * and reading a peer's.
 *
 * What leaves holds the vendor, its hosts, the kind of data and counts in powers of ten; every string of it is looked at
 * by the detectors, and a bundle in which they find anything isn't written.  Identifiers are UUIDv5: of a domain-name by
 * STIX 2.1 section 2.9, of everything else in a namespace of Weir's, so that writing it again gives the same objects.
 *
 * A peer's bundle is untrusted: bounded, checked whole, and only names, hosts and the marking are taken from it.
 */
#ifndef SHARE_SHARE_H
#define SHARE_SHARE_H

#include "incident/incident.h"

extern const struct registry_word share_words[];

enum tlp { TLP_CLEAR, TLP_GREEN, TLP_AMBER, TLP_AMBER_STRICT, TLP_RED, TLPS };
extern const char *const tlp_names[TLPS];	/* "clear" ... "amber+strict", "red" */
int tlp_of(const char *name);			/* -1 */

/* ns: 16 bytes.  RFC 4122 4.3 with SHA-1; out holds 37 bytes. */
void uuid5(const uint8_t ns[static 16], const char *name, size_t n, char out[static 37]);

/*
 * facts: incident_facts.  organisation: who writes; NULL is ERR_INPUT.  New reference in *bundle.
 * ERR_DENIED: the detectors found personal data in it (err names the place, never the text), or the incident came from a
 * peer under a stricter marking.
 */
int share_bundle(const json_t *facts, const char *organisation, enum tlp tlp, json_t **bundle, struct err *err)
	__attribute__((warn_unused_result));

/* ---- import ------------------------------------------------------------------------------------------------------ */

enum { SHARE_BYTES_MAX = 4 << 20, SHARE_OBJECTS_MAX = 2000, SHARE_DEPTH_MAX = 24, SHARE_NAMES_MAX = 200, SHARE_TEXT_MAX = 200 };

/* What is taken from a bundle. */
struct share_found {
	char *title;			/* of the incident, cleaned; never NULL */
	char *since;			/* day of the incident's first activity, or NULL */
	enum tlp tlp;			/* the strictest marking in it */
	char *names[SHARE_NAMES_MAX];	/* of identities and infrastructure */
	size_t names_len;
	char *hosts[SHARE_NAMES_MAX];	/* of domain-names, lower case */
	size_t hosts_len;
};
/*
 * ERR_SYNTAX, ERR_LIMIT, ERR_INPUT (not a STIX 2.1 bundle, no incident in it, an object without type or id, no TLP
 * marking).  Text is cut, freed of control characters, and withheld where the detectors find personal data.
 */
int share_read(const char *text, size_t n, struct share_found *out, struct err *err) __attribute__((warn_unused_result));
void share_found_release(struct share_found *f);

#endif
