#include "adapter/adapter.h"

#include "adapter/mixpanel.h"

const char *const id_kind_names[ID_KINDS] = {
	[ID_USER] = "user",   [ID_DEVICE] = "device",	[ID_EMAIL] = "email",
	[ID_PHONE] = "phone", [ID_ACCOUNT] = "account", [ID_OTHER] = "other",
};

const struct adapter *const adapters[] = {&adapter_mixpanel, NULL};

const char *adapter_name_path(const struct adapter *a, enum object_kind kind)
{
	for (size_t i = 0; i < a->slots_len; i++)
		if (a->slots[i].kind == kind && a->slots[i].role == SLOT_NAME)
			return a->slots[i].path;
	return NULL;
}

const struct adapter *adapter_find(const char *name)
{
	for (const struct adapter *const *a = adapters; *a; a++)
		if (strcmp((*a)->name, name) == 0)
			return *a;
	return NULL;
}

static bool path_fits(const struct route *r, struct span path)
{
	size_t n = strlen(r->path);
	if (path.len < n || memcmp(path.at, r->path, n) != 0)
		return false;
	return path.len == n || (r->prefix && path.at[n] == '/');
}

const struct route *adapter_route(const struct adapter *a, struct span path, unsigned method, unsigned *index)
{
	/* Mixpanel documents its profile calls as /engage#profile-set, and some clients send the fragment. */
	const char *hash = path.len ? memchr(path.at, '#', path.len) : NULL;
	if (hash)
		path.len = (size_t)(hash - path.at);
	if (path.len > 1 && path.at[path.len - 1] == '/')
		path.len--;
	for (unsigned i = 0; i < a->routes_len; i++) {
		if (!(a->routes[i].methods & method) || !path_fits(&a->routes[i], path))
			continue;
		*index = i;
		return &a->routes[i];
	}
	return NULL;
}

size_t slot_prefix(const struct slot *s, struct span value, enum id_kind *kind)
{
	size_t n = s->prefix ? strlen(s->prefix) : 0;
	if (n && value.len >= n && memcmp(value.at, s->prefix, n) == 0) {
		*kind = s->prefix_id;
		return n;
	}
	*kind = s->id;
	return 0;
}
