/* What a vendor calls one of our identifiers, for who may read the folder's keys. */
#ifndef CLI_VENDOR_ID_H
#define CLI_VENDOR_ID_H

#include <jansson.h>

/*
 * dir: the folder as given, or NULL.  id: "[KIND:]ID" or "$device:ID", found as this kind.  By the vendor's plan of now: its
 * pseudonym, or the identifier itself where the contract keeps it.  null where there is no one name (identity daily, drop),
 * the vendor has no plan, or the keys are somebody else's.  New reference.
 */
json_t *vendor_id(const char *dir, const char *vendor, const char *kind, const char *id);

#endif
