/* `weir incident draft, release, letters`: what will be said, who allowed it, and what became of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/letters.h"

int letters_config(const char *given, char **dir, struct config *c, struct err *err)
{
	struct buf b;
	struct diags d;
	if (folder_find(given, dir, err) < 0)
		return -1;
	char *path = xasprintf("%s/weir.yaml", *dir);
	buf_init(&b, 0);
	diags_init(&d, "weir.yaml");
	int r = cli_read(path, 1 << 20, &b, err);
	if (r == 0) {
		config_parse((const char *)b.data, b.len, c, &d);
		if (d.errors) {
			r = err_set(err, ERR_INPUT, "weir.yaml: %s", d.v[0].msg);
			config_release(c);
		}
	}
	diags_release(&d);
	buf_release(&b);
	free(path);
	return r;
}

static void add(json_t *request, const char *name, const char *value)
{
	if (value)
		json_object_set_new(request, name, json_string(value));
}

int incident_draft(const struct command *self, struct incident_args *a)
{
	struct err err;
	struct config c;
	char *dir = NULL;
	json_t *answer, *v;
	size_t i;
	if (!a->kind || !a->lang)
		return cli_wrong(self, "draft ID --kind people|authority --lang en|de [--what TEXT]");
	if (letters_config(a->dir, &dir, &c, &err) < 0)
		return free(dir), cli_fail("incident draft", &err);
	add(a->request, "kind", a->kind);
	add(a->request, "lang", a->lang);
	add(a->request, "organisation", c.mail_organisation);
	add(a->request, "contact", c.mail_contact);
	add(a->request, "site", c.mail_site);
	config_release(&c);
	free(dir);
	int bad = incident_ask(self, a, "notice-draft", &answer);
	if (bad)
		return bad;
	bad = json_array_size(json_object_get(answer, "missing")) ? EXIT_NO : EXIT_DONE;
	if (a->json) {
		ask_print(answer);
	} else {
		puts(json_string_value(json_object_get(answer, "text")));
		json_array_foreach(json_object_get(answer, "missing"), i, v)
			fprintf(stderr, "weir: incident draft: nothing for the part `%s`: it can't be released\n", json_string_value(v));
	}
	json_decref(answer);
	return bad;
}

int incident_release(const struct command *self, struct incident_args *a)
{
	json_t *answer;
	char *end;
	long long campaign = strtoll(a->operand, &end, 10);
	if (*end || campaign < 1)
		return cli_wrong(self, "release ID CAMPAIGN (`weir incident letters ID` shows them)");
	json_object_set_new(a->request, "campaign", json_integer(campaign));
	int bad = incident_ask(self, a, "notice-release", &answer);
	if (bad)
		return bad;
	if (a->json)
		ask_print(answer);
	else
		printf("campaign %lld, %lld letters: released by %s; `weir incident notify` sends them\n", campaign,
		       (long long)json_integer_value(json_object_get(answer, "letters")),
		       json_string_value(json_object_get(answer, "released_by")));
	json_decref(answer);
	return EXIT_DONE;
}

int incident_letters(const struct command *self, struct incident_args *a)
{
	json_t *answer, *v;
	const char *name;
	size_t i;
	int bad = incident_ask(self, a, "notice-list", &answer);
	if (bad)
		return bad;
	if (a->json) {
		ask_print(answer);
	} else {
		json_array_foreach(json_object_get(answer, "drafts"), i, v)
			printf("draft %lld  %s %s by %s\n", (long long)json_integer_value(json_object_get(v, "n")), json_string_value(json_object_get(v, "kind")),
			       json_string_value(json_object_get(v, "lang")), json_string_value(json_object_get(v, "by")));
		json_array_foreach(json_object_get(answer, "campaigns"), i, v) {
			const char *by = json_string_value(json_object_get(v, "released_by"));
			printf("campaign %lld  %lld letters, planned by %s, %s%s\n", (long long)json_integer_value(json_object_get(v, "campaign")),
			       (long long)json_integer_value(json_object_get(v, "letters")), json_string_value(json_object_get(v, "by")),
			       by ? "released by " : "waits for a second person", by ? by : "");
		}
		json_object_foreach(json_object_get(answer, "letters"), name, v) printf("%-10s %lld\n", name, (long long)json_integer_value(v));
		json_array_foreach(json_object_get(answer, "uncertain"), i, v)
			printf("uncertain  %s  (the mail server may have it; --send-again sends it once more)\n", json_string_value(v));
	}
	json_decref(answer);
	return EXIT_DONE;
}

