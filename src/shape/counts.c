/* Counts: their words, their sum, and their form in files and messages. */
#include <pthread.h>
#include <string.h>

#include "shape/form.h"

const char *const shape_type_names[SHAPE_TYPES] = {"text", "number", "true/false", "null", "list", "object"};
const char *const shape_look_names[SHAPE_LOOKS] = {"empty", "uuid", "time", "url", "hex", "digits", "token", "word", "prose", "other", "whole", "fraction"};
const char *const shape_look_words[SHAPE_LOOKS] = {
	"empty texts", "UUIDs", "times", "URLs", "hex strings", "digits in text", "random tokens", "words", "free text", "other text", "whole numbers",
	"fractions"};

const char *shape_found_words(const char *type)
{
	static const struct {
		const char *type, *words;
	} rows[] = {
		{"email", "e-mail addresses"}, {"phone", "telephone numbers"}, {"ipv4", "IP addresses"}, {"ipv6", "IPv6 addresses"},
		{"iban", "bank accounts (IBAN)"}, {"card", "card numbers"}, {"us_ssn", "US social security numbers"}, {"jwt", "tokens (JWT)"},
		{"bearer", "bearer tokens"}, {"mac", "MAC addresses"}, {"key", "keys of services"}, {"crypto", "coin addresses"},
		{"dob", "dates of birth"}, {"name", "names of people"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].type, type) == 0)
			return rows[i].words;
	return type;
}

/* Names of own detectors, which come and go with plans: each is kept once. */
const char *shape_found_type(const char *name, size_t n)
{
	static char names[SHAPE_OWN_NAMES][DETECT_RULE_NAME_MAX + 1];
	static size_t len;
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int type = detect_type_of(name, n);
	size_t i = 0;
	if (type >= 0)
		return detect_name((enum detect_type)type);
	if (!detect_rule_name(name, n))
		return NULL;
	pthread_mutex_lock(&lock);
	while (i < len && (strncmp(names[i], name, n) != 0 || names[i][n]))
		i++;
	if (i == len && i < SHAPE_OWN_NAMES)
		memcpy(names[len++], name, n);
	pthread_mutex_unlock(&lock);
	return i < SHAPE_OWN_NAMES ? names[i] : detect_name(DETECT_CUSTOM);
}

void shape_add(struct shape_counts *to, const struct shape_counts *more)
{
	to->objects += more->objects;
	for (size_t i = 0; i < SHAPE_TYPES; i++)
		to->types[i] += more->types[i];
	for (size_t i = 0; i < SHAPE_LENGTHS; i++)
		to->lengths[i] += more->lengths[i];
	for (size_t i = 0; i < SHAPE_LOOKS; i++)
		to->looks[i] += more->looks[i];
	for (unsigned i = 0; i < more->found_len; i++) {
		const struct shape_found *f = &more->found[i];
		unsigned k = 0;
		while (k < to->found_len && strcmp(to->found[k].type, f->type) != 0)
			k++;
		if (k == SHAPE_FOUND)
			continue;
		if (k == to->found_len)
			to->found[to->found_len++] = (struct shape_found){.type = f->type};
		to->found[k].n += f->n;
		to->found[k].whole += f->whole;
	}
	if (more->distinct > to->distinct)
		to->distinct = more->distinct;
}

/* ---- as JSON ----------------------------------------------------------------------------------------------------- */

static json_t *numbers(const uint64_t *v, size_t n)
{
	json_t *list = json_array();
	while (n && v[n - 1] == 0)	/* what is 0 at the end is left out */
		n--;
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_integer((json_int_t)v[i]));
	return list;
}

json_t *shape_to_json(const struct shape_counts *c)
{
	json_t *j = json_pack("{s:I, s:o, s:o, s:o, s:i}", "n", (json_int_t)c->objects, "t", numbers(c->types, SHAPE_TYPES), "l",
			      numbers(c->lengths, SHAPE_LENGTHS), "k", numbers(c->looks, SHAPE_LOOKS), "d", (int)c->distinct);
	if (c->found_len) {
		json_t *f = json_object();
		for (unsigned i = 0; i < c->found_len; i++)
			json_object_set_new(f, c->found[i].type, json_pack("[I,I]", (json_int_t)c->found[i].n, (json_int_t)c->found[i].whole));
		json_object_set_new(j, "f", f);
	}
	return j;
}

static bool number(const json_t *j, uint64_t *out)
{
	json_int_t v = json_integer_value(j);
	*out = (uint64_t)v;
	return json_is_integer(j) && v >= 0;
}

static bool read_numbers(const json_t *j, uint64_t *v, size_t n)
{
	size_t len = json_array_size(j);
	if (!json_is_array(j) || len > n)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!number(json_array_get(j, i), &v[i]))
			return false;
	return true;
}

bool shape_from_json(const json_t *j, struct shape_counts *c)
{
	json_t *f = json_object_get(j, "f"), *pair;
	const char *name;
	uint64_t d;
	*c = (struct shape_counts){0};
	if (!number(json_object_get(j, "n"), &c->objects) || !read_numbers(json_object_get(j, "t"), c->types, SHAPE_TYPES) ||
	    !read_numbers(json_object_get(j, "l"), c->lengths, SHAPE_LENGTHS) || !read_numbers(json_object_get(j, "k"), c->looks, SHAPE_LOOKS) ||
	    !number(json_object_get(j, "d"), &d) || d > SHAPE_FEW + 1)
		return false;
	c->distinct = (unsigned)d;
	json_object_foreach(f, name, pair) {
		const char *type = shape_found_type(name, strlen(name));
		if (!type)
			continue;
		uint64_t v[2] = {0};
		if (!read_numbers(pair, v, 2))
			return false;
		if (c->found_len < SHAPE_FOUND)
			c->found[c->found_len++] = (struct shape_found){type, v[0], v[1]};
	}
	return true;
}
