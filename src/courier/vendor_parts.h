/* What vendor.c, vendor_send.c and vendor_park.c share. */
#ifndef COURIER_VENDOR_PARTS_H
#define COURIER_VENDOR_PARTS_H

#include "courier/vendor.h"

/* The event's outcome is written down. */
void vendor_settle(struct vendor *v, struct item *it, uint32_t i, enum outcome_kind kind, int64_t now_s);
/* The item leaves the list when nothing of it is open any more. */
void vendor_let_go(struct vendor *v, struct items *l, struct item *it);
/* How large a bundle is made, from the vendor's quota. */
void vendor_size_bundles(struct vendor *v);

#endif
