/* How a vendor's queue stands: for the running courier's status, and for commands while Weir is stopped. */
#include <stdio.h>

#include "base/clock.h"
#include "courier/inside.h"

int64_t vendor_oldest_us(const struct vendor *v)
{
	int64_t oldest = INT64_MAX;
	for (const struct bundle *b = v->queue_ready ? v->queue.first : NULL; b; b = b->next)
		if (b->events && b->oldest_us < oldest)
			oldest = b->oldest_us;
	return oldest;
}

int64_t vendor_oldest_seconds(const struct vendor *v)
{
	int64_t oldest = vendor_oldest_us(v), age = oldest == INT64_MAX ? 0 : (clock_now_us() - oldest) / 1000000;
	return age > 0 ? age : 0;
}

/* By plan, over all bundles. */
static json_t *serials_of(const struct vendor *v)
{
	json_t *by = json_object(), *list = json_array(), *row;
	const char *key;
	for (const struct bundle *b = v->queue_ready ? v->queue.first : NULL; b; b = b->next)
		for (uint8_t i = 0; i < b->serials_len; i++) {
			const struct bundle_serial *s = &b->serials[i];
			char name[24];
			if (!s->events)
				continue;
			snprintf(name, sizeof name, "%llu", (unsigned long long)s->serial);
			json_int_t from = (json_int_t)s->from, to = (json_int_t)s->to, events = s->events;
			bool sends = vendor_serial_sends(v, s) == SENDS_ALL;
			row = json_object_get(by, name);
			if (row) {
				json_int_t f = json_integer_value(json_object_get(row, "from")), t = json_integer_value(json_object_get(row, "to"));
				from = f < from ? f : from;
				to = t > to ? t : to;
				events += json_integer_value(json_object_get(row, "events"));
				sends = sends && json_is_true(json_object_get(row, "sends"));
			}
			json_object_set_new(by, name, json_pack("{s:I, s:I, s:I, s:I, s:b}", "serial", (json_int_t)s->serial, "events", events,
								"from", from, "to", to, "sends", sends));
		}
	json_object_foreach(by, key, row)
		json_array_append(list, row);
	json_decref(by);
	return list;
}

json_t *vendor_status(const struct vendor *v)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:s?, s:I, s:s?, s:o, s:I}", "vendor", v->name, "events",
			 (json_int_t)(v->queue_ready ? v->queue.events : 0), "bytes", (json_int_t)(v->queue_ready ? v->queue.bytes : 0),
			 "oldest_seconds", (json_int_t)vendor_oldest_seconds(v), "held", vendor_held(v, clock_now()), "in_flight",
			 (json_int_t)v->flights, "error", v->last_error, "serials", serials_of(v), "damaged",
			 (json_int_t)(v->queue_ready ? v->queue.damaged : 0));
}
