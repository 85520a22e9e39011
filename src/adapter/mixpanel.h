/*
 * Mixpanel's parts, private to this folder: the table stands in mixpanel.c, each function of it in a file of its own.
 * Sources: Mixpanel's ingestion API reference and the published SDKs (npm mixpanel 0.24, mixpanel-browser 2.83).
 */
#ifndef ADAPTER_MIXPANEL_H
#define ADAPTER_MIXPANEL_H

#include "adapter/adapter.h"

/* Places in the route table: stored in log frames, so new ones go to the end and none is ever reused. */
enum mixpanel_route {
	MIXPANEL_TRACK,
	MIXPANEL_IMPORT,
	MIXPANEL_ENGAGE,
	MIXPANEL_GROUPS,
	MIXPANEL_SETTINGS,
	MIXPANEL_FLAG_DEFINITIONS,
	MIXPANEL_FLAGS,
	MIXPANEL_RECORD,
	MIXPANEL_DECIDE,
	MIXPANEL_LOOKUP_TABLES,
	MIXPANEL_ROUTES
};

extern const struct adapter adapter_mixpanel;

int mixpanel_decode(const struct route *r, const struct wire_request *rq, size_t max_bytes, struct arena *a,
		    struct wire_objects *out, struct err *err);
void mixpanel_reply(const struct route *r, const struct wire_style *s, enum outcome o, uint32_t kept, uint32_t dropped,
		    const char *error, struct arena *a, struct wire_reply *out);
void mixpanel_encode(unsigned route, const struct stored_object *o, size_t n, struct span credential, struct arena *a,
		     struct upstream_request *out);
void mixpanel_judge(unsigned route, size_t n, int status, struct span body, struct arena *a, struct judgement *out);

#endif
