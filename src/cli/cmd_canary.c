/* `weir canary`: plants an identity that belongs to nobody, and waits for whoever uses it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "canary/canary.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "config/config.h"
#include "crypt/crypt.h"
#include "http/http.h"

enum { OPT_DIR, OPT_JSON, OPT_VENDOR, OPT_TOKEN, OPT_WEB, OPT_MAIL, OPT_LISTEN };

static const struct opt opts[] = {
	{"--dir", 0, true, OPT_DIR}, {"--json", 0, false, OPT_JSON}, {"--vendor", 0, true, OPT_VENDOR}, {"--source-token", 0, true, OPT_TOKEN},
	{"--web", 0, true, OPT_WEB}, {"--mail", 0, true, OPT_MAIL},  {"--listen", 0, true, OPT_LISTEN},
};

struct arguments {
	const char *dir, *word, *vendor, *token, *web, *mail, *listen;
	bool json;
};

static int parse(const struct command *self, int argc, char **argv, struct arguments *a)
{
	struct opt_state s;
	opt_init(&s, argc, argv);
	for (int k; (k = opt_next(&s, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		const char **to[] = {[OPT_DIR] = &a->dir, [OPT_VENDOR] = &a->vendor, [OPT_TOKEN] = &a->token, [OPT_WEB] = &a->web,
				     [OPT_MAIL] = &a->mail, [OPT_LISTEN] = &a->listen};
		if (k == OPT_HELP || k == OPT_BAD)
			return k;
		if (k == OPT_JSON) {
			a->json = true;
		} else if (k == OPT_OPERAND) {
			if (a->word) {
				cli_wrong(self, "%s: one word is enough", s.value);
				return OPT_BAD;
			}
			a->word = s.value;
		} else {
			*to[k] = s.value;
		}
	}
	return 0;
}

/* ---- plant ------------------------------------------------------------------------------------------------------ */

static int contract_of(const struct arguments *a, struct contract **c, struct err *err)
{
	json_t *answer;
	if (ask(a->dir, json_pack("{s:s, s:s, s:i}", "do", "contract", "vendor", a->vendor, "version", 0), &answer, err) < 0)
		return -1;
	const json_t *json = json_object_get(answer, "json");
	*c = contract_from_json(json_string_value(json), json_string_length(json), err);
	json_decref(answer);
	return *c ? 0 : -1;
}

/* What run/ready.json says, or NULL: Weir is stopped. */
static json_t *running(const char *given)
{
	struct err err;
	char *dir = NULL;
	json_t *j = NULL;
	if (folder_find(given, &dir, &err) == 0) {
		char *path = xasprintf("%s/run/ready.json", dir);
		j = json_load_file(path, 0, NULL);
		free(path);
	}
	free(dir);
	return j;
}

/* The first source's token: --source-token, or the environment variable that the contract names. */
static const char *source_token(const struct arguments *a, const struct contract *c)
{
	char name[128];
	struct span ref = c->sources_len ? c->sources[0].token : (struct span){0};
	if (a->token || ref.len < 5 || memcmp(ref.at, "env:", 4) != 0 || ref.len - 4 >= sizeof name)
		return a->token;
	snprintf(name, sizeof name, "%.*s", (int)ref.len - 4, ref.at + 4);
	return getenv(name);
}

static size_t ignore(char *at, size_t size, size_t n, void *arg)
{
	(void)at;
	(void)arg;
	return size * n;
}

static int post(const char *url, const struct buf *body, struct err *err)
{
	long status = 0;
	CURL *c = curl_easy_init();
	struct curl_slist *h = curl_slist_append(NULL, "Content-Type: application/json");
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, h);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, (const char *)body->data);
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)body->len);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, 10L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	CURLcode r = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(h);
	curl_easy_cleanup(c);
	if (r != CURLE_OK)
		return err_set(err, ERR_IO, "the gate: %s", curl_easy_strerror(r));
	return status == 200 ? 0 : err_set(err, ERR_DENIED, "the gate answered %ld: the vendor is cut off, or the source token is wrong", status);
}

/* The adapter's route that takes single objects of a kind. */
static const char *path_for(const struct contract *c, enum object_kind kind)
{
	for (size_t i = 0; i < c->adapter->routes_len; i++) {
		const struct route *r = &c->adapter->routes[i];
		if (r->mode == ROUTE_DELIVER && r->kind == kind && (r->methods & METHOD_POST))
			return r->path;
	}
	return NULL;
}

static int send_one(const struct arguments *a, const struct contract *c, const char *gate, enum object_kind kind, const struct buf *object, struct err *err)
{
	const char *path = path_for(c, kind);
	if (!object->len)
		return 0;
	if (!path)
		return err_set(err, ERR_INPUT, "the protocol has no route for it");
	char *url = xasprintf("%.*s/%s%s", (int)(strlen(gate) - (gate[strlen(gate) - 1] == '/')), gate, a->vendor, path);
	int r = post(url, object, err);
	free(url);
	return r;
}

/* Noted before it is sent: what is out is known. */
static int send_it(const struct arguments *a, const struct contract *c, const char *gate, const char *token, const struct canary_found *f, struct err *err)
{
	json_t *answer;
	struct buf places;
	buf_init(&places, 0);
	for (size_t i = 0; i < f->n; i++)
		buf_addf(&places, "%s%s", i ? ", " : "", f->v[i].path);
	json_t *request = json_pack("{s:s, s:s, s:s, s:s%, s:s}", "do", "canary-plant", "vendor", a->vendor, "token", token, "place",
				    (const char *)places.data, places.len, "form", f->v[0].form);
	buf_release(&places);
	if (ask(a->dir, request, &answer, err) < 0)
		return -1;
	json_decref(answer);
	if (send_one(a, c, gate, OBJECT_EVENT, &f->object[0], err) < 0)
		return -1;
	return send_one(a, c, gate, OBJECT_PROFILE, &f->object[1], err);
}

static void planted(const struct arguments *a, const struct canary_found *f)
{
	json_t *all = json_array();
	for (size_t i = 0; i < f->n; i++) {
		json_array_append_new(all, json_pack("{s:s, s:s, s:s}", "place", f->v[i].path, "form", f->v[i].form, "value", f->v[i].value));
		if (!a->json)
			printf("weir: canary: %s was given %s in %s\n", a->vendor, f->v[i].value, f->v[i].path);
	}
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", a->vendor, "place", f->v[0].path, "form", f->v[0].form, "value", f->v[0].value,
			      "places", all);
	if (a->json)
		ask_print(j);
	json_decref(j);
}

static int plant_in(const struct arguments *a, const struct contract *c, const json_t *ready, struct err *err)
{
	char token[CANARY_TOKEN + 1], *web;
	struct canary_found f;
	const char *gate = json_string_value(json_object_get(ready, "gate")), *api = json_string_value(json_object_get(ready, "api"));
	if (!gate || !api)
		return err_set(err, ERR_CONFLICT, "Weir isn't running: start `weir serve` first");
	web = xasprintf("%.*s", (int)(7 + strcspn((a->web ? a->web : api) + 7, "/")), a->web ? a->web : api);
	canary_token(token);
	int found = canary_find(c, token, web, a->mail ? a->mail : "mail.example", source_token(a, c), &f, err);
	int r = found;
	if (found == 0)
		r = err_set(err, ERR_DENIED, "%s: nothing can be planted: no place of the contract lets an address or a link through with its token, "
					     "so whoever takes this vendor's data learns none", a->vendor);
	if (found == 1)
		r = send_it(a, c, gate, token, &f, err);
	if (r == 0)
		planted(a, &f);
	canary_found_release(&f);
	free(web);
	return r;
}

static int plant(const struct arguments *a)
{
	struct err err = {.off = ERR_NOOFF};
	struct contract *c = NULL;
	json_t *ready = running(a->dir);
	int r = crypt_init(&err);
	if (r == 0)
		r = contract_of(a, &c, &err);
	if (r == 0)
		r = plant_in(a, c, ready, &err);
	contract_free(&c);
	json_decref(ready);
	return r < 0 ? cli_fail("canary", &err) : EXIT_DONE;
}

/* ---- trap, list ------------------------------------------------------------------------------------------------- */

static void on_recipient(void *arg, struct span address)
{
	const struct arguments *a = arg;
	char token[CANARY_TOKEN + 1];
	json_t *answer;
	struct err err;
	if (!canary_find_token(address, token))
		return;
	if (ask(a->dir, json_pack("{s:s, s:s, s:s}", "do", "canary-hit", "token", token, "via", "mail"), &answer, &err) < 0) {
		if (err.code != ERR_NOTFOUND)
			cli_fail("canary", &err);
		return;
	}
	printf("weir: canary: somebody wrote to the identity that only %s was given\n", json_string_value(json_object_get(answer, "vendor")));
	fflush(stdout);
	json_decref(answer);
}

static int trap(struct arguments *a)
{
	struct err err = {.off = ERR_NOOFF};
	char bound[64], *dir = NULL;
	int fd;
	if (folder_find(a->dir, &dir, &err) < 0 || http_listen(a->listen ? a->listen : "127.0.0.1:7025", &fd, bound, &err) < 0) {
		free(dir);
		return cli_fail("canary", &err);
	}
	a->dir = dir;
	printf("weir: canary trap ready smtp://%s\n", bound);
	fflush(stdout);
	int r = smtp_receive(fd, &(const struct smtp_hooks){.recipient = on_recipient, .arg = a}, &err);
	close(fd);
	free(dir);
	return r < 0 ? cli_fail("canary", &err) : EXIT_DONE;
}

static int list(const struct arguments *a)
{
	struct err err;
	json_t *answer, *v;
	size_t i;
	if (ask(a->dir, json_pack("{s:s}", "do", "canary-list"), &answer, &err) < 0)
		return cli_fail("canary", &err);
	if (a->json) {
		ask_print(answer);
	} else {
		printf("%-20s %-28s %-14s %-20s  %s\n", "VENDOR", "PLACE", "FORM", "SINCE", "HITS");
		json_array_foreach(json_object_get(answer, "canaries"), i, v) {
			char at[21];
			clock_format(json_integer_value(json_object_get(v, "at")), at);
			printf("%-20s %-28s %-14s %-20s  %lld\n", json_string_value(json_object_get(v, "vendor")),
			       json_string_value(json_object_get(v, "place")), json_string_value(json_object_get(v, "form")), at,
			       json_integer_value(json_object_get(v, "hits")));
		}
	}
	json_decref(answer);
	return EXIT_DONE;
}

/* Letters, digits, dots and hyphens, and what else is named; it begins with a letter or digit and fits a planted value. */
static bool host_ok(const char *s, const char *more)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t n = strlen(s);
	if (n == 0 || n > CANARY_VALUE_MAX - CANARY_TOKEN - 16 || !strchr(plain, s[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!strchr(plain, s[i]) && !strchr("-.", s[i]) && !strchr(more, s[i]))
			return false;
	return true;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct arguments a = {0};
	int k = parse(self, argc, argv, &a);
	if (k)
		return k == OPT_HELP ? cli_help(self) : EXIT_USE;
	if (a.word && strcmp(a.word, "list") == 0)
		return list(&a);
	if (a.word && strcmp(a.word, "trap") == 0)
		return trap(&a);
	if (!a.word || strcmp(a.word, "plant") != 0)
		return cli_wrong(self, "plant --vendor V, trap or list");
	if (!a.vendor)
		return cli_wrong(self, "which vendor? --vendor V");
	if (a.web && (strncmp(a.web, "http://", 7) != 0 || !host_ok(a.web + 7, ":/")))
		return cli_wrong(self, "--web takes http://HOST[:PORT]");
	if (a.mail && !host_ok(a.mail, ""))
		return cli_wrong(self, "--mail takes a domain");
	return plant(&a);
}

const struct command cmd_canary = {
	"canary", "plant an identity at a vendor, and notice who uses it",
	"usage: weir canary plant --vendor V [--web http://HOST] [--mail DOMAIN] [--source-token TOKEN]\n"
	"       weir canary trap [--listen ADDRESS]\n"
	"       weir canary list\n"
	"       (each with [--dir FOLDER] [--json])\n"
	"\n"
	"  plant   tries which places of the contract let an address or a link with a random token through: the identifier\n"
	"          itself, a property of an event, a field of a profile; and sends an event and a profile with it through the\n"
	"          gate.  A contract that lets none through can't be planted: exit 1, and why\n"
	"  trap    an SMTP receiver (127.0.0.1:7025 unless given): mail to a planted address is a hit; no mail is kept\n"
	"  list    what is planted, and how often it was used\n"
	"\n"
	"  --web http://HOST     where links lead; the API address unless given.  A request for /t/TOKEN there, or for a host\n"
	"                        that begins with TOKEN, is a hit\n"
	"  --mail DOMAIN         of planted addresses; its mail must reach the trap\n"
	"  --source-token TOKEN  what the gate knows the sender by; else the environment variable that the contract names\n"
	"\n"
	"A hit is an event of the vendor and a reported incident, which a person confirms: `weir incident confirm`.\n"
	"\n"
	"Exit status: 0 done; 1 nothing can be planted, or the gate refused; 2 wrong use; 3 own fault.\n",
	run,
};
