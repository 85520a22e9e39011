/* Traits of a place: what is noted when it begins. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "discover/inside.h"

const char *const discover_kinds[ALL_KINDS] = {"event", "profile", "group", "link"};

/* Looks that say something of their own; the rest is noise from one day to the next. */
static const unsigned telling = 1u << LOOK_UUID | 1u << LOOK_TIME | 1u << LOOK_URL | 1u << LOOK_HEX | 1u << LOOK_TOKEN | 1u << LOOK_PROSE;

bool discover_day(const char *s)
{
	for (size_t i = 0; i < DAY_LEN; i++)
		if (i == 4 || i == 7 ? s[i] != '-' : s[i] < '0' || s[i] > '9')
			return false;
	return s[DAY_LEN] == 0;
}

void discover_traits(const struct shape_counts *c, began_each *each, void *arg)
{
	char what[64];
	each(arg, "field");
	for (unsigned i = 0; i < c->found_len; i++) {
		snprintf(what, sizeof what, "holds:%s", c->found[i].type);
		each(arg, what);
	}
	for (unsigned i = 0; i < SHAPE_TYPES; i++) {
		snprintf(what, sizeof what, "type:%u", i);
		if (c->types[i])
			each(arg, what);
	}
	for (unsigned i = 0; i < SHAPE_LOOKS; i++) {
		snprintf(what, sizeof what, "look:%s", shape_look_names[i]);
		if (telling >> i & 1 && c->looks[i])
			each(arg, what);
	}
	if (c->distinct > SHAPE_FEW)
		each(arg, "many");
}

static uint64_t sum(const uint64_t *v, size_t n)
{
	uint64_t s = 0;
	for (size_t i = 0; i < n; i++)
		s += v[i];
	return s;
}

void discover_share(const struct shape_counts *c, const struct shape_counts *all, const char *what, uint64_t *n, uint64_t *of)
{
	*n = c->objects;
	*of = all->objects;
	if (strncmp(what, "holds:", 6) == 0) {
		*n = 0;
		for (unsigned i = 0; i < c->found_len; i++)
			if (strcmp(c->found[i].type, what + 6) == 0)
				*n = c->found[i].n;
		uint64_t values = sum(c->types, SHAPE_TYPES);
		*of = values > *n ? values : *n;
	} else if (strncmp(what, "type:", 5) == 0) {
		unsigned t = (unsigned)atoi(what + 5);
		*n = t < SHAPE_TYPES ? c->types[t] : 0;
		*of = sum(c->types, SHAPE_TYPES);
	} else if (strncmp(what, "look:", 5) == 0) {
		*n = 0;
		for (unsigned i = 0; i < SHAPE_LOOKS; i++)
			if (strcmp(shape_look_names[i], what + 5) == 0)
				*n = c->looks[i];
		*of = c->types[SHAPE_TEXT] + c->types[SHAPE_NUMBER];
	}
}
