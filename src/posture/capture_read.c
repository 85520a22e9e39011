#include "posture/capture_read.h"

#include <strings.h>

static const json_t *preload_list;

static bool preloaded(const char *host)
{
	size_t i;
	json_t *v;
	for (const char *p = host; p; p = strchr(p, '.') ? strchr(p, '.') + 1 : NULL)
		json_array_foreach(preload_list, i, v)
			if (strcmp(json_string_value(v), p) == 0)
				return true;
	return false;
}

static const struct posture_response *response(const json_t *j, const char *page, struct arena *a)
{
	const char *name;
	json_t *v;
	size_t n = 0, max = 0;
	if (!json_is_object(j))
		return NULL;
	const json_t *headers = json_object_get(j, "headers");
	json_object_foreach((json_t *)(uintptr_t)headers, name, v)
		max += json_is_array(v) ? json_array_size(v) : 1;
	struct posture_header *h = arena_alloc(a, (max + 1) * sizeof *h);
	json_object_foreach((json_t *)(uintptr_t)headers, name, v)
		for (size_t i = 0; i < (json_is_array(v) ? json_array_size(v) : 1); i++)
			h[n++] = (struct posture_header){name, json_string_value(json_is_array(v) ? json_array_get(v, i) : v)};
	struct posture_response *r = arena_alloc(a, sizeof *r);
	*r = (struct posture_response){(int)json_integer_value(json_object_get(j, "status")), json_is_true(json_object_get(j, "verified")), h, n,
				       {page ? page : "", page ? strlen(page) : 0}};
	return r;
}

static struct posture_hop hop(const json_t *j, struct arena *a)
{
	const char *url = json_string_value(json_object_get(j, "url")), *host = strstr(url, "://") + 3;
	return (struct posture_hop){strncmp(url, "https:", 6) == 0, arena_strndup(a, host, strcspn(host, ":/")),
				    (int)json_integer_value(json_object_get(j, "status"))};
}

void capture_read(const json_t *j, struct arena *a, struct posture_capture *out)
{
	const json_t *r = json_object_get(j, "responses"), *route = json_object_get(r, "httpRedirects"), *cookies = json_object_get(j, "cookies");
	const char *page = json_string_value(json_object_get(json_object_get(j, "resources"), "path"));
	const char *url = json_string_value(json_object_get(json_object_get(j, "session"), "url"));
	const char *profile = json_string_value(json_object_get(j, "profile"));
	struct posture_hop *hops = arena_alloc(a, (json_array_size(route) + 1) * sizeof *hops);
	struct posture_cookie *jar = arena_alloc(a, (json_array_size(cookies) + 1) * sizeof *jar);
	*out = (struct posture_capture){
		.host = json_string_value(json_object_get(json_object_get(j, "site"), "hostname")),
		.profile = profile && strcmp(profile, "api") == 0 ? PROFILE_API : PROFILE_WEB,
		.at = json_integer_value(json_object_get(j, "at")),
		.page = response(json_object_get(r, "auto"), page, a), .http = response(json_object_get(r, "http"), NULL, a),
		.https = response(json_object_get(r, "https"), NULL, a), .cors = response(json_object_get(r, "cors"), NULL, a),
		.page_https = url && strncmp(url, "https:", 6) == 0, .cors_origin = json_string_value(json_object_get(j, "corsOrigin")),
		.route = hops, .route_len = json_array_size(route), .cookies = jar, .cookies_len = json_array_size(cookies), .preloaded = preloaded,
	};
	preload_list = json_object_get(j, "preloaded");
	for (size_t i = 0; i < out->route_len; i++)
		hops[i] = hop(json_array_get(route, i), a);
	for (size_t i = 0; i < out->cookies_len; i++)
		jar[i] = (struct posture_cookie){out->host, json_string_value(json_array_get(cookies, i))};
}
