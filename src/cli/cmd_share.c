/* `weir share`: incidents to and from peers, as STIX 2.1 bundles. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "config/config.h"
#include "crypt/crypt.h"
#include "share/share.h"

enum { OPT_TLP = ARG_OWN };
static const struct opt opts[] = {ARGS_COMMON, {"--tlp", 0, true, OPT_TLP}};

static int exit_of(const struct err *err)
{
	return err->code == ERR_DENIED || err->code == ERR_CONFLICT					   ? EXIT_NO
	       : err->code == ERR_INPUT || err->code == ERR_NOTFOUND || err->code == ERR_SYNTAX || err->code == ERR_LIMIT ? EXIT_USE
															 : EXIT_FAULT;
}

static int fail(const char *what, const struct err *err)
{
	cli_fail(what, err);
	return exit_of(err);
}

/* ---- export ------------------------------------------------------------------------------------------------------ */

/* Who we are, as weir.yaml says; NULL when it doesn't. */
static int organisation(const char *given, char **out, struct err *err)
{
	char *dir = NULL;
	struct config c;
	struct diags d;
	struct buf b;
	*out = NULL;
	if (folder_find(given, &dir, err) < 0)
		return -1;
	char *path = xasprintf("%s/weir.yaml", dir);
	buf_init(&b, 0);
	diags_init(&d, "weir.yaml");
	int r = cli_read(path, 1 << 20, &b, err);
	if (r == 0) {
		config_parse((const char *)b.data, b.len, &c, &d);
		if (d.errors)
			r = err_set(err, ERR_INPUT, "weir.yaml: %s", d.v[0].msg);
		else if (c.mail_organisation)
			*out = xstrdup(c.mail_organisation);
		config_release(&c);
	}
	diags_release(&d);
	buf_release(&b);
	free(path);
	free(dir);
	return r;
}

static int do_export(const struct command *self, const struct args *a)
{
	struct err err;
	char *end = NULL, *who;
	json_t *answer;
	errno = 0;
	long long id = strtoll(a->operand[0], &end, 10);
	if (!*a->operand[0] || *end || errno || id < 1)
		return cli_wrong(self, "export INCIDENT: its number, as `weir incident list` shows it");
	const char *tlp = a->value[OPT_TLP] ? a->value[OPT_TLP] : "amber";
	if (tlp_of(tlp) < 0)
		return cli_wrong(self, "--tlp is clear, green, amber, amber+strict or red");
	if (organisation(a->value[ARG_DIR], &who, &err) < 0)
		return fail("share export", &err);
	int r = ask(a->value[ARG_DIR], json_pack("{s:s, s:I, s:s, s:s*}", "do", "share-export", "id", (json_int_t)id, "tlp", tlp, "organisation", who), &answer, &err);
	free(who);
	if (r < 0)
		return fail("share export", &err);
	puts(json_string_value(json_object_get(answer, "bundle")));
	json_decref(answer);
	return EXIT_DONE;
}

/* ---- import ------------------------------------------------------------------------------------------------------ */

static json_t *list_of(char *const *v, size_t n)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(v[i]));
	return list;
}

static json_t *request_of(const struct share_found *f, const struct buf *b)
{
	uint8_t sha[32];
	char hex[65];
	crypt_sha256(b->data, b->len, sha);
	hex_encode(sha, 32, hex);
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "do", "share-import", "title", *f->title ? f->title : "(no name)", "tlp", tlp_names[f->tlp],
			 "sha256", hex, "names", list_of(f->names, f->names_len), "hosts", list_of(f->hosts, f->hosts_len));
}

/* Our own exposure, now: a scope of the report. */
static void count_exposure(const struct args *a, json_t *opened)
{
	struct err err;
	json_t *answer;
	if (ask(a->value[ARG_DIR], json_pack("{s:s, s:O, s:s}", "do", "incident-scope", "id", json_object_get(opened, "incident"), "why", "our exposure"), &answer,
		&err) < 0) {
		json_object_set_new(opened, "uncounted", json_string(err.msg));
		return;
	}
	json_t *scope = json_object_get(answer, "scope"), *why = json_object_get(answer, "uncounted");
	if (scope)
		json_object_set(opened, "people", json_object_get(json_object_get(scope, "counts"), "people"));
	if (why)
		json_object_set(opened, "uncounted", why);
	json_decref(answer);
}

static void tell(const json_t *answer, const struct share_found *f)
{
	size_t i;
	const json_t *o;
	printf("TLP:%s, %s\n", tlp_names[f->tlp], *f->title ? f->title : "(no name)");
	json_array_foreach(json_object_get(answer, "opened"), i, o) {
		const json_t *people = json_object_get(o, "people");
		printf("incident %lld reported: %s", (long long)json_integer_value(json_object_get(o, "incident")),
		       json_string_value(json_object_get(o, "vendor")));
		if (people)
			printf(", %lld people of ours are in its data", (long long)json_integer_value(people));
		else
			printf(", not counted");
		puts("; nothing is cut off until `weir incident confirm`");
	}
	if (i == 0)
		puts("none of our vendors is named in it");
}

static int do_import(const struct command *self, const struct args *a)
{
	struct err err;
	struct buf b;
	struct share_found f = {0};
	json_t *answer, *o;
	size_t i;
	(void)self;
	buf_init(&b, 0);
	if (cli_read(a->operand[0], SHARE_BYTES_MAX + 1, &b, &err) < 0) {
		cli_fail("share import", &err);
		buf_release(&b);
		return EXIT_USE;
	}
	int r = share_read((const char *)b.data, b.len, &f, &err);
	if (r == 0)
		r = ask(a->value[ARG_DIR], request_of(&f, &b), &answer, &err);
	if (r < 0) {
		share_found_release(&f);
		buf_release(&b);
		return fail("share import", &err);
	}
	json_array_foreach(json_object_get(answer, "opened"), i, o) count_exposure(a, o);
	if (a->value[ARG_JSON])
		ask_print(answer);
	else
		tell(answer, &f);
	json_decref(answer);
	share_found_release(&f);
	buf_release(&b);
	return EXIT_DONE;
}

static const struct word words[] = {
	{"export", 1, 1, "INCIDENT", 1u << OPT_TLP, do_export}, {"import", 1, 1, "FILE", 0, do_import},
};

static int run(const struct command *self, int argc, char **argv)
{
	return args_words(self, argc, argv, opts, sizeof opts / sizeof *opts, words, sizeof words / sizeof *words);
}

const struct command cmd_share = {
	"share", "tell peers about an incident, without anybody's data",
	"usage: weir share export INCIDENT [--tlp clear|green|amber|amber+strict|red] [--dir FOLDER]\n"
	"       weir share import FILE [--dir FOLDER] [--json]\n"
	"\n"
	"  export  prints the incident as a STIX 2.1 bundle: vendor, host, categories, counts as powers of ten.  Every string\n"
	"          is looked at by the detectors; when they find anything, nothing is printed and the exit status is 1\n"
	"  import  reads a peer's bundle; a vendor of ours that it names (by name or host) gets a report with our own exposure\n"
	"          counted.  Nothing is cut off until a person says `weir incident confirm`\n"
	"\n"
	"The marking says who may get it (TLP 2.0, default amber).  weir.yaml needs mail.organisation: a bundle says who writes.\n"
	"\n"
	"Exit status: 0 done; 1 personal data found, a stricter marking, or imported before; 2 wrong use or not a bundle; 3 own\n"
	"fault.\n",
	run,
};
