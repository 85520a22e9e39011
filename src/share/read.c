/* A peer's bundle: checked whole, and little is taken from it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "detect/detect.h"
#include "share/share.h"

/* Markings that a bundle may carry: TLP 2.0's and the four that STIX 2.1 has of TLP 1 (red and amber keep their meaning). */
static const struct {
	const char *uuid;
	enum tlp tlp;
} markings[] = {
	{"94868c89-83c2-464b-929b-a1a8aa3c8487", TLP_CLEAR},	    {"bab4a63c-aed9-4cf5-a766-dfca5abac2bb", TLP_GREEN},
	{"55d920b0-5e8b-4f79-9ee9-91f868d9b421", TLP_AMBER},	    {"939a9414-2ddd-4d32-a0cd-375ea402b003", TLP_AMBER_STRICT},
	{"e828b379-4e03-4974-9ac4-e53a884c97c1", TLP_RED},	    {"613f2e26-407d-48c7-9eca-b8e91df99dc9", TLP_CLEAR},
	{"34098fce-860f-48ae-8e50-ebd3cc5e41da", TLP_GREEN},	    {"f88d31f6-486f-44da-b317-01333bde0b82", TLP_AMBER},
	{"5e57c739-391a-4eb3-b6be-7d15ca92d5ed", TLP_RED},
};

struct reading {
	struct share_found *out;
	bool marked, incident;
	size_t at;
};

/* No deeper than that, before a parser that recurses sees it. */
static int depth_ok(const char *s, size_t n, struct err *err)
{
	unsigned depth = 0;
	bool string = false;
	for (size_t i = 0; i < n; i++) {
		if (string) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				string = false;
		} else if (s[i] == '"') {
			string = true;
		} else if ((s[i] == '{' || s[i] == '[') && ++depth > SHARE_DEPTH_MAX) {
			return err_at(err, ERR_LIMIT, i, "nested deeper than %d", SHARE_DEPTH_MAX);
		} else if ((s[i] == '}' || s[i] == ']') && depth) {
			depth--;
		}
	}
	return 0;
}

/* Peers' text is data: one line, cut between characters, withheld when it holds personal data. */
static char *cleaned(const json_t *v)
{
	const char *s = json_string_value(v);
	size_t n = s ? json_string_length(v) : 0;
	struct detect_hit hit;
	if (n > SHARE_TEXT_MAX)
		for (n = SHARE_TEXT_MAX; n && ((unsigned char)s[n] & 0xc0) == 0x80;)
			n--;
	char *out = xcalloc(1, n + 64);
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)s[i] < 32 || s[i] == 127 ? ' ' : s[i];
	if (detect_scan(out, n, DETECT_ALL, &hit, 1)) {
		free(out);
		return xstrdup("(withheld: personal data)");
	}
	return out;
}

static void add_name(struct reading *r, const json_t *v)
{
	struct share_found *f = r->out;
	if (json_string_length(v) && f->names_len < SHARE_NAMES_MAX)
		f->names[f->names_len++] = cleaned(v);
}

static void add_host(struct reading *r, const json_t *v)
{
	struct share_found *f = r->out;
	const char *s = json_string_value(v);
	size_t n = s ? json_string_length(v) : 0;
	if (n == 0 || n > 253 || f->hosts_len == SHARE_NAMES_MAX)
		return;
	char *host = xstrndup(s, n);
	for (char *p = host; *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 32);
		if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '.')) {
			free(host);
			return;
		}
	}
	f->hosts[f->hosts_len++] = host;
}

static void take_identity(struct reading *r, const json_t *o)
{
	add_name(r, json_object_get(o, "name"));
}

static void take_domain(struct reading *r, const json_t *o)
{
	add_host(r, json_object_get(o, "value"));
}

static void take_incident(struct reading *r, const json_t *o)
{
	if (r->incident)
		return;
	r->incident = true;
	free(r->out->title);
	r->out->title = cleaned(json_object_get(o, "name"));
}

static const struct {
	const char *type;
	void (*take)(struct reading *r, const json_t *o);
} kinds[] = {
	{"identity", take_identity}, {"infrastructure", take_identity}, {"domain-name", take_domain}, {"incident", take_incident},
};

static int take_markings(struct reading *r, const json_t *o, struct err *err)
{
	const json_t *list = json_object_get(o, "object_marking_refs");
	size_t i;
	const json_t *v;
	if (list && !json_is_array(list))
		return err_set(err, ERR_INPUT, "/objects/%zu/object_marking_refs: not a list", r->at);
	json_array_foreach(list, i, v) {
		const char *s = json_string_value(v);
		if (!s)
			return err_set(err, ERR_INPUT, "/objects/%zu/object_marking_refs/%zu: not an identifier", r->at, i);
		for (size_t k = 0; k < sizeof markings / sizeof *markings; k++) {
			const char *u = strstr(s, "--");
			if (!u || strcmp(u + 2, markings[k].uuid) != 0)
				continue;
			r->marked = true;
			if (markings[k].tlp > r->out->tlp)
				r->out->tlp = markings[k].tlp;
		}
	}
	return 0;
}

static bool type_ok(const char *type, const char *id)
{
	size_t n = type ? strlen(type) : 0;
	return n && n <= 100 && id && strncmp(id, type, n) == 0 && strncmp(id + n, "--", 2) == 0 && strlen(id + n + 2) == 36;
}

static int take(struct reading *r, const json_t *o, struct err *err)
{
	const char *type = json_string_value(json_object_get(o, "type"));
	if (!type_ok(type, json_string_value(json_object_get(o, "id"))))
		return err_set(err, ERR_INPUT, "/objects/%zu: type and id don't fit", r->at);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].type, type) == 0)
			kinds[i].take(r, o);
	return take_markings(r, o, err);
}

static int read_bundle(const json_t *b, struct reading *r, struct err *err)
{
	const json_t *objects = json_object_get(b, "objects"), *o;
	const char *type = json_string_value(json_object_get(b, "type"));
	if (!type || strcmp(type, "bundle") != 0 || !json_is_array(objects) ||
	    !type_ok("bundle", json_string_value(json_object_get(b, "id"))))
		return err_set(err, ERR_INPUT, "not a STIX 2.1 bundle");
	if (json_array_size(objects) > SHARE_OBJECTS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d objects", SHARE_OBJECTS_MAX);
	json_array_foreach(objects, r->at, o) if (take(r, o, err) < 0)
		return -1;
	if (!r->incident)
		return err_set(err, ERR_INPUT, "the bundle holds no incident");
	return r->marked ? 0 : err_set(err, ERR_INPUT, "nothing in the bundle says to whom it may go on (no TLP marking)");
}

int share_read(const char *text, size_t n, struct share_found *out, struct err *err)
{
	json_error_t why;
	struct reading r = {.out = out};
	*out = (struct share_found){.title = xstrdup("")};
	if (n > SHARE_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "a bundle is at most %d bytes", SHARE_BYTES_MAX);
	if (depth_ok(text, n, err) < 0)
		return -1;
	json_t *b = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
	if (!b)
		return err_at(err, ERR_SYNTAX, why.position >= 0 ? (size_t)why.position : 0, "not JSON");
	int rc = read_bundle(b, &r, err);
	json_decref(b);
	return rc;
}

void share_found_release(struct share_found *f)
{
	free(f->title);
	free(f->since);
	for (size_t i = 0; i < f->names_len; i++)
		free(f->names[i]);
	for (size_t i = 0; i < f->hosts_len; i++)
		free(f->hosts[i]);
	*f = (struct share_found){0};
}
