#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/handout.h"

enum { SECRET_MAX = 64 << 10 };

void secrets_init(struct secrets *s)
{
	s->vendors = json_object();
	s->held = json_object();
}

void secrets_release(struct secrets *s)
{
	json_decref(s->vendors);
	json_decref(s->held);
	s->vendors = s->held = NULL;
}

static json_t *from_env(int folder, const char *name)
{
	(void)folder;
	const char *v = getenv(name);
	return v && *v ? json_string(v) : NULL;
}

static json_t *from_file(int folder, const char *path)
{
	char *text;
	struct err err;
	if (handout_read_text(folder, path, SECRET_MAX, &text, &err) < 0)
		return NULL;
	size_t n = strlen(text);
	size_t keep = n;
	while (keep && (text[keep - 1] == '\n' || text[keep - 1] == '\r'))
		keep--;
	json_t *v = keep ? json_stringn(text, keep) : NULL;
	explicit_bzero(text, n);
	free(text);
	return v;
}

static const struct {
	const char *prefix;
	json_t *(*get)(int folder, const char *rest);
	const char *why;
} kinds[] = {
	{"env:", from_env, "isn't set in the environment of `weir serve`"},
	{"file:", from_file, "can't be read as a text file"},
};

/* New reference, or NULL and a line in missing: the reference, never a value. */
static json_t *resolve(int folder, const char *ref, json_t *missing)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		size_t n = strlen(kinds[i].prefix);
		if (strncmp(ref, kinds[i].prefix, n) != 0)
			continue;
		json_t *v = kinds[i].get(folder, ref + n);
		if (!v)
			json_array_append_new(missing, json_sprintf("%s %s", ref, kinds[i].why));
		return v;
	}
	json_array_append_new(missing, json_string("a secret must be env:NAME or file:PATH"));
	return NULL;
}

json_t *secrets_resolve(struct secrets *s, int folder, json_t *body)
{
	json_t *missing = json_array(), *tokens = json_array(), *entry = json_object(), *source;
	const char *vendor = json_string_value(json_object_get(body, "vendor"));
	const char *credential = json_string_value(json_object_get(body, "credential"));
	size_t i;
	json_array_foreach(json_object_get(body, "sources"), i, source) {
		const char *ref = json_string_value(json_object_get(source, "token"));
		json_t *v = ref ? resolve(folder, ref, missing) : NULL;
		if (v)
			json_array_append_new(tokens, json_pack("{s:O, s:o}", "name", json_object_get(source, "name"), "token", v));
	}
	json_object_set_new(entry, "tokens", tokens);
	if (credential && *credential) {
		json_t *v = resolve(folder, credential, missing);
		if (v)
			json_object_set_new(entry, "credential", v);
	}
	if (vendor && json_array_size(missing) == 0)
		json_object_set(json_is_true(json_object_get(body, "hold")) ? s->held : s->vendors, vendor, entry);
	json_decref(entry);
	return missing;
}

bool secrets_release_held(struct secrets *s, const char *vendor)
{
	json_t *entry = json_object_get(s->held, vendor);
	if (!entry)
		return false;
	json_object_set(s->vendors, vendor, entry);
	json_object_del(s->held, vendor);
	return true;
}

json_t *secrets_for(const struct secrets *s, const char *vendor, enum role role)
{
	json_t *entry = json_object_get(s->vendors, vendor);
	if (!entry)
		return NULL;
	if (role == ROLE_GATE)
		return json_pack("{s:s, s:O}", "vendor", vendor, "tokens", json_object_get(entry, "tokens"));
	json_t *credential = json_object_get(entry, "credential");
	return json_pack("{s:s, s:O}", "vendor", vendor, "credential", credential ? credential : json_null());
}
