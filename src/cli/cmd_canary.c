/* `weir canary`: plants an identity that belongs to nobody, and waits for whoever uses it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "canary/canary.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "config/config.h"
#include "crypt/crypt.h"
#include "http/http.h"

enum { OPT_VENDOR = ARG_OWN, OPT_TOKEN, OPT_WEB, OPT_MAIL, OPT_LISTEN };

static const struct opt opts[] = {
	ARGS_COMMON, {"--vendor", 0, true, OPT_VENDOR}, {"--source-token", 0, true, OPT_TOKEN}, {"--web", 0, true, OPT_WEB},
	{"--mail", 0, true, OPT_MAIL}, {"--listen", 0, true, OPT_LISTEN},
};

/* ---- plant ------------------------------------------------------------------------------------------------------ */

static int contract_of(const struct args *a, struct contract **c, struct err *err)
{
	json_t *answer;
	if (ask(a->value[ARG_DIR], json_pack("{s:s, s:s, s:i}", "do", "contract", "vendor", a->value[OPT_VENDOR], "version", 0), &answer, err) < 0)
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
static const char *source_token(const struct args *a, const struct contract *c)
{
	char name[128];
	struct span ref = c->sources_len ? c->sources[0].token : (struct span){0};
	if (a->value[OPT_TOKEN] || ref.len < 5 || memcmp(ref.at, "env:", 4) != 0 || ref.len - 4 >= sizeof name)
		return a->value[OPT_TOKEN];
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

static int send_one(const struct args *a, const struct contract *c, const char *gate, enum object_kind kind, const struct buf *object, struct err *err)
{
	const char *path = path_for(c, kind);
	if (!object->len)
		return 0;
	if (!path)
		return err_set(err, ERR_INPUT, "the protocol has no route for it");
	char *url = xasprintf("%.*s/%s%s", (int)(strlen(gate) - (gate[strlen(gate) - 1] == '/')), gate, a->value[OPT_VENDOR], path);
	int r = post(url, object, err);
	free(url);
	return r;
}

/* Noted before it is sent: what is out is known. */
static int send_it(const struct args *a, const struct contract *c, const char *gate, const char *token, const struct canary_found *f, struct err *err)
{
	json_t *answer;
	struct buf places;
	buf_init(&places, 0);
	for (size_t i = 0; i < f->n; i++)
		buf_addf(&places, "%s%s", i ? ", " : "", f->v[i].path);
	json_t *request = json_pack("{s:s, s:s, s:s, s:s%, s:s}", "do", "canary-plant", "vendor", a->value[OPT_VENDOR], "token", token, "place",
				    (const char *)places.data, places.len, "form", f->v[0].form);
	buf_release(&places);
	if (ask(a->value[ARG_DIR], request, &answer, err) < 0)
		return -1;
	json_decref(answer);
	if (send_one(a, c, gate, OBJECT_EVENT, &f->object[0], err) < 0)
		return -1;
	return send_one(a, c, gate, OBJECT_PROFILE, &f->object[1], err);
}

static void planted(const struct args *a, const struct canary_found *f)
{
	json_t *all = json_array();
	for (size_t i = 0; i < f->n; i++) {
		json_array_append_new(all, json_pack("{s:s, s:s, s:s}", "place", f->v[i].path, "form", f->v[i].form, "value", f->v[i].value));
		if (!a->value[ARG_JSON])
			printf("weir: canary: %s was given %s in %s\n", a->value[OPT_VENDOR], f->v[i].value, f->v[i].path);
	}
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", a->value[OPT_VENDOR], "place", f->v[0].path, "form", f->v[0].form, "value", f->v[0].value,
			      "places", all);
	if (a->value[ARG_JSON])
		ask_print(j);
	json_decref(j);
}

static int plant_in(const struct args *a, const struct contract *c, const json_t *ready, struct err *err)
{
	char token[CANARY_TOKEN + 1], *web;
	struct canary_found f;
	const char *gate = json_string_value(json_object_get(ready, "gate")), *api = json_string_value(json_object_get(ready, "api"));
	if (!gate || !api)
		return err_set(err, ERR_CONFLICT, "Weir isn't running: start `weir serve` first");
	web = xasprintf("%.*s", (int)(7 + strcspn((a->value[OPT_WEB] ? a->value[OPT_WEB] : api) + 7, "/")), a->value[OPT_WEB] ? a->value[OPT_WEB] : api);
	canary_token(token);
	int found = canary_find(c, token, web, a->value[OPT_MAIL] ? a->value[OPT_MAIL] : "mail.example", source_token(a, c), &f, err);
	int r = found;
	if (found == 0)
		r = err_set(err, ERR_DENIED, "%s: nothing can be planted: no place of the contract lets an address or a link through with its token, "
					     "so whoever takes this vendor's data learns none", a->value[OPT_VENDOR]);
	if (found == 1)
		r = send_it(a, c, gate, token, &f, err);
	if (r == 0)
		planted(a, &f);
	canary_found_release(&f);
	free(web);
	return r;
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

static int plant(const struct command *self, const struct args *a)
{
	const char *web = a->value[OPT_WEB], *mail = a->value[OPT_MAIL];
	struct err err = {.off = ERR_NOOFF};
	struct contract *c = NULL;
	if (!a->value[OPT_VENDOR])
		return cli_wrong(self, "which vendor? --vendor V");
	if (web && (strncmp(web, "http://", 7) != 0 || !host_ok(web + 7, ":/")))
		return cli_wrong(self, "--web takes http://HOST[:PORT]");
	if (mail && !host_ok(mail, ""))
		return cli_wrong(self, "--mail takes a domain");
	json_t *ready = running(a->value[ARG_DIR]);
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
	const char *dir = arg;
	char token[CANARY_TOKEN + 1];
	json_t *answer;
	struct err err;
	if (!canary_find_token(address, token))
		return;
	if (ask(dir, json_pack("{s:s, s:s, s:s}", "do", "canary-hit", "token", token, "via", "mail"), &answer, &err) < 0) {
		if (err.code != ERR_NOTFOUND)
			cli_fail("canary", &err);
		return;
	}
	printf("weir: canary: somebody wrote to the identity that only %s was given\n", json_string_value(json_object_get(answer, "vendor")));
	fflush(stdout);
	json_decref(answer);
}

static int trap(const struct command *self, const struct args *a)
{
	struct err err = {.off = ERR_NOOFF};
	const char *listen = a->value[OPT_LISTEN];
	char bound[64], *dir = NULL;
	int fd;
	(void)self;
	if (folder_find(a->value[ARG_DIR], &dir, &err) < 0 || http_listen(listen ? listen : "127.0.0.1:7025", &fd, bound, &err) < 0) {
		free(dir);
		return cli_fail("canary", &err);
	}
	printf("weir: canary trap ready smtp://%s\n", bound);
	fflush(stdout);
	int r = smtp_receive(fd, &(const struct smtp_hooks){.recipient = on_recipient, .arg = dir}, &err);
	close(fd);
	free(dir);
	return r < 0 ? cli_fail("canary", &err) : EXIT_DONE;
}

static void print_list(const json_t *answer)
{
	json_t *v;
	size_t i;
	printf("%-20s %-28s %-14s %-20s  %s\n", "VENDOR", "PLACE", "FORM", "SINCE", "HITS");
	json_array_foreach(json_object_get(answer, "canaries"), i, v) {
		char at[21];
		clock_format(ask_number(v, "at"), at);
		printf("%-20s %-28s %-14s %-20s  %lld\n", ask_text(v, "vendor"), ask_text(v, "place"), ask_text(v, "form"), at,
		       ask_number(v, "hits"));
	}
}

static int list(const struct command *self, const struct args *a)
{
	(void)self;
	return ask_show("canary", a->value[ARG_DIR], a->value[ARG_JSON], json_pack("{s:s}", "do", "canary-list"), print_list);
}

static const struct word words[] = {
	{"plant", 0, 0, "", 1u << OPT_VENDOR | 1u << OPT_TOKEN | 1u << OPT_WEB | 1u << OPT_MAIL, plant},
	{"trap", 0, 0, "", 1u << OPT_LISTEN, trap}, {"list", 0, 0, "", 0, list},
};

static int run(const struct command *self, int argc, char **argv)
{
	return args_words(self, argc, argv, opts, sizeof opts / sizeof *opts, words, sizeof words / sizeof *words);
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
