/*
 * Mixpanel: routes, slots, operations and limits.
 *
 * What the slots leave out is as deliberate as what they hold.  `properties.ip` and `$ip` (Mixpanel derives a place, or
 * even an identifier, from them), `$time`, `$ignore_time`, `$latitude` and `$longitude` of profiles are no slots: they
 * leave only when a contract names them.
 */
#include "adapter/mixpanel.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const struct route routes[MIXPANEL_ROUTES] = {
	[MIXPANEL_TRACK] = {.name = "track", .path = "/track", .methods = METHOD_GET | METHOD_POST,
		.mode = ROUTE_DELIVER, .kind = OBJECT_EVENT},
	[MIXPANEL_IMPORT] = {.name = "import", .path = "/import", .methods = METHOD_GET | METHOD_POST,
		.mode = ROUTE_DELIVER, .kind = OBJECT_EVENT},
	[MIXPANEL_ENGAGE] = {.name = "engage", .path = "/engage", .methods = METHOD_GET | METHOD_POST,
		.mode = ROUTE_DELIVER, .kind = OBJECT_PROFILE},
	[MIXPANEL_GROUPS] = {.name = "groups", .path = "/groups", .methods = METHOD_GET | METHOD_POST,
		.mode = ROUTE_DELIVER, .kind = OBJECT_GROUP},
	/* The browser SDK applies every known key of sdk_config.config over the site's own configuration. */
	[MIXPANEL_SETTINGS] = {.name = "settings", .path = "/settings", .methods = METHOD_GET, .mode = ROUTE_PIN,
		.pin_type = "application/json",
		.pin_body = "{\"sdk_config\":{\"config\":{\"record_sessions_percent\":0}}}",
		.why = "remote configuration could widen collection; pinned to no session recording"},
	[MIXPANEL_FLAG_DEFINITIONS] = {.name = "flag-definitions", .path = "/flags/definitions", .methods = METHOD_GET,
		.mode = ROUTE_PIN, .pin_type = "application/json", .pin_body = "{\"flags\":[]}",
		.why = "feature flags are answered empty, so that every flag takes its fallback"},
	[MIXPANEL_FLAGS] = {.name = "flags", .path = "/flags", .prefix = true, .methods = METHOD_GET | METHOD_POST,
		.mode = ROUTE_PIN, .pin_type = "application/json", .pin_body = "{\"flags\":{}}",
		.why = "the request carries the user's whole context; answered empty, every flag takes its fallback"},
	[MIXPANEL_RECORD] = {.name = "record", .path = "/record", .methods = METHOD_GET | METHOD_POST,
		.mode = ROUTE_REFUSE, .why = "session replay carries page content, which no contract can name field by field"},
	[MIXPANEL_DECIDE] = {.name = "decide", .path = "/decide", .methods = METHOD_GET | METHOD_POST,
		.mode = ROUTE_REFUSE, .why = "retired in-app messages; the request names the person and the answer is script"},
	[MIXPANEL_LOOKUP_TABLES] = {.name = "lookup-tables", .path = "/lookup-tables", .prefix = true,
		.methods = METHOD_GET | METHOD_POST, .mode = ROUTE_REFUSE,
		.why = "lookup tables are bulk uploads of CSV; record them with `weir ledger record` instead"},
};

/* An anonymous browser is "$device:" + its $device_id, in whatever slot its identifier stands. */
#define PERSON .role = SLOT_ID, .id = ID_USER, .prefix = "$device:", .prefix_id = ID_DEVICE, .category = "user.unique_id"
#define DEVICE .role = SLOT_ID, .id = ID_DEVICE, .prefix = "$device:", .prefix_id = ID_DEVICE, .category = "user.device.device_id"
#define TOKEN .role = SLOT_TOKEN, .category = "system.operations"

static const struct slot slots[] = {
	{OBJECT_EVENT, "event", .role = SLOT_NAME, .category = "user.behavior"},
	{OBJECT_EVENT, "properties.token", TOKEN},
	{OBJECT_EVENT, "properties.$user_id", PERSON, .subject = true},
	{OBJECT_EVENT, "properties.distinct_id", PERSON, .subject = true},
	{OBJECT_EVENT, "properties.$device_id", DEVICE, .subject = true},
	{OBJECT_EVENT, "properties.$insert_id", .role = SLOT_INSERT_ID, .category = "system.operations"},
	{OBJECT_EVENT, "properties.time", .role = SLOT_TIME, .category = "user.behavior"},

	/* $create_alias: distinct_id, alias.  $merge: $distinct_ids.  $identify: browser $anon_distinct_id (with
	 * distinct_id, $user_id and $device_id), import API $identified_id and $anon_id. */
	{OBJECT_LINK, "event", .role = SLOT_NAME, .category = "user.behavior"},
	{OBJECT_LINK, "properties.token", TOKEN},
	{OBJECT_LINK, "properties.$user_id", PERSON, .subject = true},
	{OBJECT_LINK, "properties.$identified_id", PERSON, .subject = true},
	{OBJECT_LINK, "properties.distinct_id", PERSON, .subject = true},
	{OBJECT_LINK, "properties.$distinct_ids[]", PERSON, .subject = true},
	{OBJECT_LINK, "properties.alias", PERSON, .subject = true},
	{OBJECT_LINK, "properties.$anon_distinct_id", PERSON, .subject = true, .anonymous = true},
	{OBJECT_LINK, "properties.$anon_id", PERSON, .subject = true, .anonymous = true},
	{OBJECT_LINK, "properties.$device_id", DEVICE, .subject = true, .anonymous = true},
	{OBJECT_LINK, "properties.$insert_id", .role = SLOT_INSERT_ID, .category = "system.operations"},
	{OBJECT_LINK, "properties.time", .role = SLOT_TIME, .category = "user.behavior"},

	{OBJECT_PROFILE, "$token", TOKEN},
	{OBJECT_PROFILE, "$user_id", PERSON, .subject = true},
	{OBJECT_PROFILE, "$distinct_id", PERSON, .subject = true},
	{OBJECT_PROFILE, "$device_id", DEVICE, .subject = true},

	{OBJECT_GROUP, "$token", TOKEN},
	{OBJECT_GROUP, "$group_key", .role = SLOT_NAME, .category = "system.operations"},
	{OBJECT_GROUP, "$group_id", .role = SLOT_ID, .id = ID_ACCOUNT, .category = "user.account"},
};

static const struct link_form links[] = {{"$create_alias"}, {"$identify"}, {"$merge"}};

static const struct operation operations[] = {
	{"set", "$set", OP_FIELDS},	  {"set_once", "$set_once", OP_FIELDS}, {"add", "$add", OP_FIELDS},
	{"append", "$append", OP_FIELDS}, {"union", "$union", OP_FIELDS},	{"remove", "$remove", OP_FIELDS},
	{"unset", "$unset", OP_NAMES},	  {"delete", "$delete", OP_FLAG},
};

/* Hosts that the SDKs reach whatever their host option says: loader and recorder script, retired in-app messages. */
static const char *const side_channels[] = {"cdn.mxpnl.com", "decide.mixpanel.com", NULL};

enum {
	DAY_S = 86400,
	TRACK_MAX_AGE_S = 5 * DAY_S,	/* API reference, /track: "the last 5 days" */
	AGE_MARGIN_S = 600,		/* an event must not grow too old on its way */
};

static unsigned route_now(unsigned route, const struct stored_object *o, int64_t now_s)
{
	bool old = o->time_s > 0 && now_s - o->time_s >= TRACK_MAX_AGE_S - AGE_MARGIN_S;
	return route == MIXPANEL_TRACK && old ? MIXPANEL_IMPORT : route;
}

const struct adapter adapter_mixpanel = {
	.name = "mixpanel",
	.title = "Mixpanel",
	.upstream = "https://api.mixpanel.com",
	.side_channels = side_channels,
	.routes = routes,
	.routes_len = COUNT(routes),
	.slots = slots,
	.slots_len = COUNT(slots),
	.links = links,
	.links_len = COUNT(links),
	.operations = operations,
	.operations_len = COUNT(operations),
	.splice_key = "token",
	.splice_path = {"properties", "", "", "properties"},
	.splice_name = {"token", "$token", "$token", "token"},
	/* The reference says 2 MB where newer pages say 10. */
	.limits = {.batch_objects = 2000, .batch_bytes = 2000000, .object_bytes = 1000000, .max_age_s = TRACK_MAX_AGE_S},
	.ordered = {[OBJECT_PROFILE] = true, [OBJECT_GROUP] = true, [OBJECT_LINK] = true},
	.decode = mixpanel_decode,
	.reply = mixpanel_reply,
	.route_now = route_now,
	.encode = mixpanel_encode,
	.judge = mixpanel_judge,
};
