/* Sharing in the registry: what was written, and whom of ours a peer's bundle names. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "share/share.h"
#include "store/store.h"

enum { MATCHES_MAX = 20 };

static int end(struct registry *r, int so_far, struct err *err)
{
	struct err second;
	int e = store_end(registry_store(r), so_far == 0, so_far == 0 ? err : &second);
	return so_far < 0 ? so_far : e;
}

static int note_bundle(struct registry *r, const uint8_t sha[static 32], int64_t incident, const char *way, const char *tlp, const char *who,
		       int64_t at, struct err *err)
{
	static const char sql[] = "INSERT OR IGNORE INTO share_bundle (sha256, incident, way, tlp, by, at) VALUES (?1, nullif(?2, 0), ?3, ?4, ?5, ?6)";
	return store_run(registry_store(r), err, sql, "bisssi", sha, (size_t)32, incident, way, tlp, who, at);
}

/* ---- export ------------------------------------------------------------------------------------------------------ */

static int export_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *organisation, *tlp;
	const json_t *id = json_object_get(request, "id");
	struct incident x;
	json_t *bundle = NULL;
	if (incident_text(request, "organisation", INCIDENT_WHY_MAX, false, &organisation, err) < 0 ||
	    incident_text(request, "tlp", INCIDENT_WHY_MAX, true, &tlp, err) < 0)
		return -1;
	if (!json_is_integer(id) || tlp_of(tlp) < 0)
		return err_set(err, ERR_INPUT, "which incident, and clear, green, amber, amber+strict or red?");
	json_t *facts = json_object();
	int rc = incident_get(r, json_integer_value(id), &x, err);
	if (rc == 0)
		rc = incident_facts(r, x.id, at, facts, err);
	if (rc == 0)
		rc = share_bundle(facts, organisation, (enum tlp)tlp_of(tlp), &bundle, err);
	json_decref(facts);
	if (rc < 0)
		return -1;
	/* The bytes that are written: their digest is what was shared. */
	char *text = json_dumps(bundle, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_ENSURE_ASCII), hex[65];
	uint8_t sha[32];
	must(text);
	crypt_sha256(text, strlen(text), sha);
	hex_encode(sha, 32, hex);
	rc = store_begin(registry_store(r), err);
	if (rc == 0) {
		rc = incident_do(r, &x, ACT_SHARE, who, "", at, json_pack("{s:s, s:s}", "tlp", tlp, "sha256", hex), err);
		if (rc == 0)
			rc = note_bundle(r, sha, x.id, "export", tlp, who, at, err);
		rc = end(r, rc, err);
	}
	json_object_set_new(answer, "bundle", json_string(text));
	json_object_set_new(answer, "sha256", json_string(hex));
	free(text);
	json_decref(bundle);
	return rc;
}

/* ---- import ------------------------------------------------------------------------------------------------------ */

struct match {
	const json_t *names, *hosts;
	struct registry *r;
	json_t *vendors;
};

/* Lower case letters and digits alone, without what companies are called by law. */
static void plain_name(const char *s, char out[static 128])
{
	static const char *const endings[] = {"incorporated", "inc", "llc", "ltd", "limited", "gmbh", "corp", "corporation", "ag", "bv", "sa", "plc"};
	size_t n = 0, word = 0;
	for (;; s++) {
		char c = *s >= 'A' && *s <= 'Z' ? (char)(*s + 32) : *s;
		bool in = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c > 127;
		if (in && n < 127) {
			out[n++] = c;
			continue;
		}
		out[n] = 0;
		for (size_t i = 0; word && i < sizeof endings / sizeof *endings; i++)
			if (strcmp(out + word, endings[i]) == 0)
				out[n = word] = 0;
		word = n;
		if (!*s)
			return;
	}
}

static bool name_listed(const json_t *list, const char *name)
{
	char ours[128], theirs[128];
	size_t i;
	const json_t *v;
	plain_name(name, ours);
	json_array_foreach(list, i, v) {
		plain_name(json_string_value(v) ? json_string_value(v) : "", theirs);
		if (*ours && strcmp(ours, theirs) == 0)
			return true;
	}
	return false;
}

/* Our host is theirs, or stands under it. */
static bool host_listed(const json_t *list, const char *host)
{
	size_t i, n = strlen(host);
	const json_t *v;
	json_array_foreach(list, i, v) {
		const char *s = json_string_value(v);
		size_t k = s ? strlen(s) : 0;
		if (k && strchr(s, '.') && k <= n && strcmp(host + n - k, s) == 0 && (k == n || host[n - k - 1] == '.'))
			return true;
	}
	return false;
}

static bool upstream_listed(struct registry *r, const char *vendor, const json_t *hosts)
{
	struct registry_contract c;
	struct err err;
	char host[256] = "";
	if (registry_contract(r, vendor, 0, &c, &err) < 0)
		return false;
	json_t *model = json_loadb(c.json, c.json_len, 0, NULL);
	const char *url = json_string_value(json_object_get(json_object_get(model, "delivery"), "upstream")), *p = url ? strstr(url, "://") : NULL;
	if (p)
		snprintf(host, sizeof host, "%.*s", (int)strcspn(p + 3, "/:?#"), p + 3);
	json_decref(model);
	registry_contract_release(&c);
	return *host && host_listed(hosts, host);
}

static bool try_vendor(void *arg, const struct registry_vendor *v)
{
	struct match *m = arg;
	if (name_listed(m->names, v->name) || name_listed(m->names, v->vendor) || upstream_listed(m->r, v->vendor, m->hosts))
		json_array_append_new(m->vendors, json_string(v->vendor));
	return json_array_size(m->vendors) < MATCHES_MAX;
}

static int seen(struct registry *r, const uint8_t sha[static 32], struct err *err)
{
	struct rows rows;
	int got = store_rows(registry_store(r), &rows, err, "SELECT 1 FROM share_bundle WHERE sha256 = ? AND way = 'import'", "b", sha, (size_t)32);
	if (got == 0)
		got = rows_next(&rows, err);
	rows_end(&rows);
	return got;
}

static int texts_ok(const json_t *list, struct err *err)
{
	size_t i;
	const json_t *v;
	if (!json_is_array(list) || json_array_size(list) > SHARE_NAMES_MAX)
		return err_set(err, ERR_INPUT, "names and hosts are lists of at most %d", SHARE_NAMES_MAX);
	json_array_foreach(list, i, v) if (!json_is_string(v) || json_string_length(v) > 255)
		return err_set(err, ERR_INPUT, "names and hosts are short texts");
	return 0;
}

static int report(struct registry *r, const char *vendor, const char *title, const char *tlp, const char *who, int64_t at, json_t *opened,
		  int64_t *id, struct err *err)
{
	char why[INCIDENT_WHY_MAX + 1];
	snprintf(why, sizeof why, "a peer reports: %.400s", title);
	const struct incident_report w = {.vendor = vendor, .source = "peer", .who = who, .why = why, .tlp = tlp, .at = at};
	if (incident_report(r, &w, id, err) < 0)
		return -1;
	json_array_append_new(opened, json_pack("{s:I, s:s}", "incident", (json_int_t)*id, "vendor", vendor));
	return 0;
}

/* Nothing is cut off: a person confirms the report.  Our own exposure is counted meanwhile, for the first match at once. */
static int import_word(struct registry *r, const json_t *request, const char *who, int64_t at, json_t *answer, struct err *err)
{
	const char *title, *tlp, *hex;
	uint8_t sha[32];
	int64_t id = 0;
	struct match m = {.names = json_object_get(request, "names"), .hosts = json_object_get(request, "hosts"), .r = r};
	if (incident_text(request, "title", INCIDENT_WHY_MAX, true, &title, err) < 0 ||
	    incident_text(request, "tlp", INCIDENT_WHY_MAX, true, &tlp, err) < 0 ||
	    incident_text(request, "sha256", 64, true, &hex, err) < 0 || texts_ok(m.names, err) < 0 || texts_ok(m.hosts, err) < 0)
		return -1;
	if (tlp_of(tlp) < 0 || !hex_decode(hex, strlen(hex), sha, 32))
		return err_set(err, ERR_INPUT, "an import needs the marking and the digest");
	int known = seen(r, sha, err);
	if (known)
		return known < 0 ? -1 : err_set(err, ERR_CONFLICT, "this bundle was imported already");
	m.vendors = json_array();
	json_t *opened = json_array();
	json_object_set_new(answer, "opened", opened);
	int rc = registry_vendors(r, try_vendor, &m, err);
	for (size_t i = 0; i < json_array_size(m.vendors) && rc == 0; i++)
		rc = report(r, json_string_value(json_array_get(m.vendors, i)), title, tlp, who, at, opened, &id, err);
	json_decref(m.vendors);
	if (rc == 0)
		rc = store_begin(registry_store(r), err) < 0 ? -1 : end(r, note_bundle(r, sha, id, "import", tlp, who, at, err), err);
	return rc;
}

const struct registry_word share_words[] = {{"share-export", export_word}, {"share-import", import_word}, {NULL, NULL}};
