/* What was learned of a vendor, for a suggested contract: summed over days and sources, events apart from places. */
#include <stdlib.h>
#include <string.h>

#include "discover/inside.h"

struct sum {
	struct sum *next;
	int64_t kind;
	char *event, *path;
	struct shape_counts c;
};

enum { SLOTS = 4096 };

static struct sum *sum_of(struct sum **slots, int64_t kind, const char *event, const char *path)
{
	uint64_t h = 14695981039346656037u + (uint64_t)kind;
	for (const char *p = *path ? path : event; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	struct sum **slot = &slots[(h >> 17) % SLOTS], *s = *slot;
	while (s && (s->kind != kind || strcmp(s->event, event) != 0 || strcmp(s->path, path) != 0))
		s = s->next;
	if (!s) {
		s = xcalloc(1, sizeof *s);
		*s = (struct sum){.next = *slot, .kind = kind, .event = xstrdup(event), .path = xstrdup(path)};
		*slot = s;
	}
	return s;
}

static int read_all(struct store *s, const char *vendor, struct sum **slots, json_t *answer, struct err *err)
{
	struct rows q;
	if (store_rows(s, &q, err, "SELECT day, kind, event, path, counts FROM shape WHERE vendor=? ORDER BY day", "s", vendor) < 0)
		return -1;
	int got;
	while ((got = rows_next(&q, err)) == 1) {
		struct shape_counts c;
		const char *path = rows_text(&q, 3);
		json_t *j = json_loads(rows_text(&q, 4), 0, NULL);
		if (shape_from_json(j, &c))
			shape_add(&sum_of(slots, rows_int(&q, 1), *path ? "" : rows_text(&q, 2), path)->c, &c);
		json_decref(j);
		if (!json_object_get(answer, "first"))
			json_object_set_new(answer, "first", json_string(rows_text(&q, 0)));
		json_object_set_new(answer, "last", json_string(rows_text(&q, 0)));
	}
	rows_end(&q);
	return got;
}

static json_t *rows_of(struct sum **slots)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < SLOTS; i++)
		for (struct sum *s = slots[i], *next; s; s = next) {
			next = s->next;
			json_array_append_new(rows, json_pack("{s:I, s:s, s:s, s:o}", "k", (json_int_t)s->kind, "e", s->event, "p", s->path, "c",
							      shape_to_json(&s->c)));
			free(s->event);
			free(s->path);
			free(s);
		}
	return rows;
}

static int adapter_of(struct registry *r, const char *vendor, json_t *answer, struct err *err)
{
	struct registry_contract row;
	struct err ignored;
	if (registry_contract(r, vendor, 0, &row, err) < 0)
		return -1;
	struct contract *c = contract_from_json(row.json, row.json_len, &ignored);
	json_object_set_new(answer, "adapter", json_string(c ? c->adapter->name : ""));
	contract_free(&c);
	registry_contract_release(&row);
	return 0;
}

int discover_learned(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *vendor = json_string_value(json_object_get(request, "vendor"));
	(void)who;
	(void)at;
	if (!vendor)
		return err_set(err, ERR_INPUT, "which vendor?");
	if (adapter_of(r, vendor, answer, err) < 0)
		return -1;
	struct sum **slots = xcalloc(SLOTS, sizeof *slots);
	int rc = read_all(registry_store(r), vendor, slots, answer, err);
	json_object_set_new(answer, "vendor", json_string(vendor));
	json_object_set_new(answer, "rows", rows_of(slots));
	free(slots);
	if (rc == 0 && !json_object_get(answer, "first"))
		return err_set(err, ERR_NOTFOUND, "nothing was learned of %s yet: no event of a known source has come", vendor);
	return rc;
}

const struct registry_word discover_words[] = {{"drift", discover_drift}, {"learned", discover_learned}, {NULL, NULL}};
