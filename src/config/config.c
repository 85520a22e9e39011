#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/codes.h"
#include "base/yamldoc.h"

enum kind { ADDRESS, FILENAME, TEXT, SECRET, HOSTS, COUNT, SIZE };

/* Every setting.  A dotted name is a place in the file: gate.tls.cert is `gate: {tls: {cert: F}}`. */
static const struct setting {
	const char *name;
	enum kind kind;
	size_t at;		/* in struct config */
	const char *text;	/* default of an address or file */
	int64_t number, lo, hi;	/* default and range of a count or size */
	const char *help;
} settings[] = {
#define AT(field) offsetof(struct config, field)
	{"gate.listen", ADDRESS, AT(gate_listen), "127.0.0.1:7080", 0, 0, 0, "where SDKs connect; port 0 picks a free one"},
	{"gate.hosts", HOSTS, 0, NULL, 0, 0, 0, "host name to vendor: requests with that Host go to that vendor without a path prefix"},
	{"gate.tls.cert", FILENAME, AT(tls_cert), NULL, 0, 0, 0, "certificate chain in PEM, relative to the folder; with gate.tls.key"},
	{"gate.tls.key", FILENAME, AT(tls_key), NULL, 0, 0, 0, "private key in PEM, relative to the folder"},
	{"gate.loops", COUNT, AT(gate_loops), NULL, 1, 1, 64, "event loops, a thread each"},
	{"api.listen", ADDRESS, AT(api_listen), "127.0.0.1:7081", 0, 0, 0, "API, console, /metrics and /healthz"},
	{"log.segment", SIZE, AT(segment_bytes), NULL, 16 << 20, 64 << 10, 1 << 30, "the log starts a new segment at this size"},
	{"log.seconds", COUNT, AT(segment_seconds), NULL, 60, 1, 3600, "and at this age in seconds"},
	{"limits.reserve", SIZE, AT(reserve_bytes), NULL, 64 << 20, 1, INT64_C(1) << 50, "below this much free disk every request is refused"},
	{"limits.body", SIZE, AT(body_bytes), NULL, 20 << 20, 1 << 10, 1 << 30, "largest request body, after decompression"},
	{"limits.memory", SIZE, AT(memory_bytes), NULL, 256 << 20, 16 << 20, INT64_C(1) << 40, "what all request bodies together may hold in memory"},
	{"limits.connections", COUNT, AT(connections), NULL, 10000, 1, 1000000, "open connections of the gate"},
	{"limits.forget", COUNT, AT(forget_seconds), NULL, 600, 1, 600, "seconds after which delivered payload is gone from log and queue"},
	{"limits.dead", COUNT, AT(dead_days), NULL, 7, 1, 7, "days that what a vendor finally refused is kept"},
	{"limits.learned", COUNT, AT(learned_days), NULL, 90, 1, 3650, "days that shapes of what flows are kept, for `weir discover` and `weir contract suggest`"},
	{"posture.hours", COUNT, AT(posture_hours), NULL, 24, 0, 8760, "hours between probes of an approved vendor's https host; 0 is never"},
	{"posture.roots", FILENAME, AT(posture_roots), NULL, 0, 0, 0, "certificates in PEM that probes trust besides the system's, relative to the folder"},
	{"mail.server", ADDRESS, AT(mail_server), NULL, 0, 0, 0, "mail server for letters, HOST:PORT; STARTTLS is required (TLS from the start on port 465)"},
	{"mail.from", TEXT, AT(mail_from), NULL, 0, 0, 0, "sender's address of letters"},
	{"mail.user", TEXT, AT(mail_user), NULL, 0, 0, 0, "name at the mail server"},
	{"mail.password", SECRET, AT(mail_password), NULL, 0, 0, 0, "env:NAME or file:PATH"},
	{"mail.ca", FILENAME, AT(mail_ca), NULL, 0, 0, 0, "PEM file of the authority that signed the mail server's certificate; else the system's"},
	{"mail.organisation", TEXT, AT(mail_organisation), NULL, 0, 0, 0, "who writes: stands in letters, notifications and shared bundles"},
	{"mail.contact", TEXT, AT(mail_contact), NULL, 0, 0, 0, "contact point named in letters and notifications (GDPR 33(3)(b))"},
	{"mail.site", TEXT, AT(mail_site), NULL, 0, 0, 0, "where people can check that a letter is real, such as www.example.org"},
#undef AT
};
enum { SETTINGS = sizeof settings / sizeof *settings };

static char **text_of(struct config *c, const struct setting *s)
{
	return (char **)(void *)((char *)c + s->at);
}

static int64_t *number_of(struct config *c, const struct setting *s)
{
	return (int64_t *)(void *)((char *)c + s->at);
}

static bool is_text(const struct setting *s)
{
	return s->kind == ADDRESS || s->kind == FILENAME || s->kind == TEXT || s->kind == SECRET;
}

void config_defaults(struct config *c)
{
	*c = (struct config){0};
	for (const struct setting *s = settings; s < settings + SETTINGS; s++)
		if (is_text(s))
			*text_of(c, s) = s->text ? xstrdup(s->text) : NULL;
		else if (s->kind != HOSTS)
			*number_of(c, s) = s->number;
}

void config_release(struct config *c)
{
	for (const struct setting *s = settings; s < settings + SETTINGS; s++)
		if (is_text(s))
			free(*text_of(c, s));
	for (size_t i = 0; i < c->hosts_len; i++) {
		free(c->hosts[i].host);
		free(c->hosts[i].vendor);
	}
	free(c->hosts);
	*c = (struct config){0};
}

/* ---- values --------------------------------------------------------------------------------------------------- */

#define WRONG(d, n, code, ...) diags_add(d, DIAG_ERROR, (n)->line, (n)->col, CODE(code), __VA_ARGS__)

static bool host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static bool host_name(struct span s)
{
	if (s.len == 0 || s.len > 253)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!host_char(s.at[i]))
			return false;
	return true;
}

/* HOST:PORT with a name, an IPv4 address or an IPv6 address in brackets. */
static bool address(struct span s)
{
	const char *colon = memrchr(s.at, ':', s.len);
	int64_t port;
	if (!colon || !word_int((struct span){colon + 1, s.len - (size_t)(colon + 1 - s.at)}, 0, 65535, &port))
		return false;
	struct span host = {s.at, (size_t)(colon - s.at)};
	if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
		return strspn(host.at + 1, "0123456789abcdefABCDEF:.") == host.len - 2;
	return host_name(host);
}

static void read_hosts(const struct ynode *v, struct config *c, struct diags *d)
{
	if (v->type != YN_MAP) {
		WRONG(d, v, wrong_shape, "gate.hosts is a map of host names to vendors");
		return;
	}
	c->hosts = xcalloc(v->n + 1, sizeof *c->hosts);
	for (const struct ynode *m = v->first; m; m = m->next) {
		if (m->bad)
			continue;
		if (!host_name(m->key->text)) {
			WRONG(d, m->key, bad_host, "a host name is lower-case letters, digits, - and .");
		} else if (m->type != YN_SCALAR || !word_name(m->text)) {
			WRONG(d, m, bad_name, "a vendor's name is [a-z0-9-]{1,63}");
		} else {
			c->hosts[c->hosts_len++] = (struct config_host){xstrdup(m->key->text.at), xstrdup(m->text.at)};
		}
	}
}

enum { TEXT_MAX = 300 };

/* Braces mean something in the templates of notices. */
static bool plain_text(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] < 32 || s.at[i] == 127 || s.at[i] == '{' || s.at[i] == '}')
			return false;
	return s.len > 0 && s.len <= TEXT_MAX;
}

static void read_value(const struct setting *s, const struct ynode *v, struct config *c, struct diags *d)
{
	if (s->kind == HOSTS) {
		read_hosts(v, c, d);
		return;
	}
	if (v->type != YN_SCALAR) {
		WRONG(d, v, wrong_shape, "%s is one value", s->name);
		return;
	}
	if (s->kind == ADDRESS && !address(v->text)) {
		WRONG(d, v, bad_address, "%s is HOST:PORT, such as %s", s->name, s->text ? s->text : "mail.example.org:587");
		return;
	}
	if (s->kind == FILENAME && v->text.len == 0) {
		WRONG(d, v, bad_value, "%s is the name of a file", s->name);
		return;
	}
	if (s->kind == TEXT && !plain_text(v->text)) {
		WRONG(d, v, bad_value, "%s is one line of 1 to %d bytes, without braces", s->name, TEXT_MAX);
		return;
	}
	if (s->kind == SECRET && !((v->text.len > 4 && memcmp(v->text.at, "env:", 4) == 0) || (v->text.len > 5 && memcmp(v->text.at, "file:", 5) == 0))) {
		WRONG(d, v, bad_secret, "%s is env:NAME or file:PATH: a secret doesn't stand in weir.yaml", s->name);
		return;
	}
	if (is_text(s)) {
		free(*text_of(c, s));
		*text_of(c, s) = xstrdup(v->text.at);
		return;
	}
	int64_t n = 0;
	uint64_t bytes = 0;
	if (s->kind == SIZE && !word_size(v->text, &bytes)) {
		WRONG(d, v, bad_size, "%s is a size such as 64MiB", s->name);
		return;
	}
	if (s->kind == SIZE)
		n = (int64_t)bytes;
	else if (!word_int(v->text, 0, INT64_MAX, &n))
		n = -1;
	if (n < s->lo || n > s->hi)
		WRONG(d, v, bad_value, "%s is a whole number from %lld to %lld", s->name, (long long)s->lo, (long long)s->hi);
	else
		*number_of(c, s) = n;
}

/* ---- the tree ------------------------------------------------------------------------------------------------- */

/* The words that may stand below prefix ("", "gate."), each once; returns how many. */
static size_t words_below(const char *prefix, char words[SETTINGS][24], const char *list[SETTINGS])
{
	size_t n = 0, skip = strlen(prefix);
	for (const struct setting *s = settings; s < settings + SETTINGS; s++) {
		if (strncmp(s->name, prefix, skip) != 0)
			continue;
		size_t len = strcspn(s->name + skip, ".");
		if (n && strlen(words[n - 1]) == len && memcmp(words[n - 1], s->name + skip, len) == 0)
			continue;
		must(len < sizeof words[0]);
		memcpy(words[n], s->name + skip, len);
		words[n][len] = 0;
		list[n] = words[n];
		n++;
	}
	return n;
}

static void unknown(const struct ynode *key, const char *prefix, struct diags *d)
{
	char words[SETTINGS][24];
	const char *list[SETTINGS];
	size_t n = words_below(prefix, words, list);
	WRONG(d, key, unknown_key, "%s%s isn't a setting", prefix, key->text.at);
	const char *near = diag_nearest(key->text.at, key->text.len, list, n);
	if (near)
		diags_hint(d, "did you mean %s?", near);
}

static void read_map(const struct ynode *map, const char *prefix, struct config *c, struct diags *d)
{
	for (const struct ynode *m = map->first; m; m = m->next) {
		if (m->bad)
			continue;
		char name[64], below[sizeof name + 1];
		int len = snprintf(name, sizeof name, "%s%s", prefix, m->key->text.at);
		const struct setting *s = settings;
		if (len >= 0 && (size_t)len < sizeof name) {
			snprintf(below, sizeof below, "%s.", name);
			while (s < settings + SETTINGS && strcmp(s->name, name) != 0 &&
			       strncmp(s->name, below, strlen(below)) != 0)
				s++;
		} else {
			s = settings + SETTINGS;
		}
		if (*prefix == 0 && strcmp(name, "weir") == 0)
			continue;
		if (s == settings + SETTINGS)
			unknown(m->key, prefix, d);
		else if (strcmp(s->name, name) == 0)
			read_value(s, m, c, d);
		else if (m->type != YN_MAP)
			WRONG(d, m, wrong_shape, "%s is a map of settings", name);
		else
			read_map(m, below, c, d);
	}
}

static void check_version(const struct ynode *root, struct diags *d)
{
	for (const struct ynode *m = root->first; m; m = m->next)
		if (!m->bad && span_eq(m->key->text, "weir")) {
			if (m->type != YN_SCALAR || !span_eq(m->text, "1"))
				WRONG(d, m, format_version, "this Weir reads version 1");
			return;
		}
	WRONG(d, root, missing_key, "`weir: 1` must be there");
}

void config_parse(const char *text, size_t n, struct config *c, struct diags *d)
{
	struct arena a;
	arena_init(&a, 0);
	config_defaults(c);
	const struct ynode *root = yaml_tree(text, n, &a, d);
	if (root && root->type != YN_MAP) {
		WRONG(d, root, wrong_shape, "weir.yaml is a map of settings");
	} else if (root) {
		check_version(root, d);
		read_map(root, "", c, d);
		if (!c->tls_cert != !c->tls_key)
			WRONG(d, root, tls_pair, "gate.tls needs both cert and key");
	}
	diags_sort(d);
	arena_release(&a);
}

void config_help(struct buf *out)
{
	for (const struct setting *s = settings; s < settings + SETTINGS; s++) {
		buf_addf(out, "  %-20s %s", s->name, s->help);
		if (is_text(s) && s->text)
			buf_addf(out, " {%s}", s->text);
		else if (s->kind == SIZE)
			buf_addf(out, " {%lldMiB}", (long long)(s->number >> 20));
		else if (s->kind == COUNT)
			buf_addf(out, " {%lld; %lld..%lld}", (long long)s->number, (long long)s->lo, (long long)s->hi);
		buf_addc(out, '\n');
	}
}

/* ---- the folder ----------------------------------------------------------------------------------------------- */

static bool is_folder(const char *dir)
{
	char *file = xasprintf("%s/weir.yaml", dir);
	bool yes = access(file, F_OK) == 0;
	free(file);
	return yes;
}

static int take(const char *dir, const char *from, char **path, struct err *err)
{
	if (!is_folder(dir))
		return err_set(err, ERR_NOTFOUND, "%s (%s) isn't a weir folder: it has no weir.yaml; `weir init %s` makes one", dir,
			       from, dir);
	char *real = realpath(dir, NULL);
	if (!real)
		return err_sys(err, "%s", dir);
	*path = real;
	return 0;
}

int folder_find(const char *given, char **path, struct err *err)
{
	if (given)
		return take(given, "--dir", path, err);
	const char *env = getenv("WEIR_DIR");
	if (env && *env)
		return take(env, "WEIR_DIR", path, err);
	char *here = realpath(".", NULL);
	if (!here)
		return err_sys(err, "current directory");
	for (;;) {
		if (is_folder(here)) {
			*path = here;
			return 0;
		}
		char *slash = strrchr(here, '/');
		if (!slash || here[1] == 0)
			break;
		slash[slash == here] = 0;	/* "/a" has "/" above it */
	}
	free(here);
	return err_set(err, ERR_NOTFOUND, "no weir folder here or above: give --dir, set WEIR_DIR, or make one with `weir init DIR`");
}
