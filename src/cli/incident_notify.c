/*
 * `weir incident draft, release, notify`: letters to the people concerned.  The list (id, email, lang) is read here, the
 * ledger says who of it is affected, and the letters go out in the foreground; the registry holds each one's state.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/ask.h"
#include "cli/incident.h"
#include "config/config.h"
#include "crypt/crypt.h"
#include "notice/notice.h"

enum { LIST_MAX = 256 << 20, PORTION_BYTES = 40 << 10, PORTION_IDS = 2000, TRIES = 3, HARD_IN_A_ROW = 10, GROUP_MAX = 64 };

/* ---- settings ---------------------------------------------------------------------------------------------------- */

static int load_config(const char *given, char **dir, struct config *c, struct err *err)
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

/* env:NAME or file:PATH (relative to the folder); the caller wipes and frees. */
static int load_secret(const char *dir, const char *reference, char **out, struct err *err)
{
	*out = NULL;
	if (!reference)
		return 0;
	if (strncmp(reference, "env:", 4) == 0) {
		const char *v = getenv(reference + 4);
		*out = v ? xstrdup(v) : NULL;
		return v ? 0 : err_set(err, ERR_NOTFOUND, "mail.password: the environment has no %s", reference + 4);
	}
	struct buf b;
	char *path = reference[5] == '/' ? xstrdup(reference + 5) : xasprintf("%s/%s", dir, reference + 5);
	buf_init(&b, 0);
	int r = cli_read(path, 4096, &b, err);
	if (r == 0)
		*out = xstrndup((const char *)b.data, strcspn((const char *)b.data, "\r\n"));
	buf_wipe(&b);
	free(path);
	return r;
}

static void add(json_t *request, const char *name, const char *value)
{
	if (value)
		json_object_set_new(request, name, json_string(value));
}

/* ---- draft, release ---------------------------------------------------------------------------------------------- */

int incident_draft(const struct command *self, struct incident_args *a)
{
	struct err err;
	struct config c;
	char *dir = NULL;
	json_t *answer, *v;
	size_t i;
	if (!a->kind || !a->lang)
		return cli_wrong(self, "draft ID --kind people|authority --lang en|de [--what TEXT]");
	if (load_config(a->dir, &dir, &c, &err) < 0)
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
	char *end = NULL;
	long long campaign = a->operands_len == 3 ? strtoll(a->operands[2], &end, 10) : 0;
	if (a->operands_len != 3 || *end || campaign < 1)
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

/* ---- the list ---------------------------------------------------------------------------------------------------- */

struct entry {
	char *id, *email, *lang;
};
struct people {
	struct entry *v;
	size_t n, cap;
};

static void people_release(struct people *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].id);
		free(p->v[i].email);
		free(p->v[i].lang);
	}
	free(p->v);
}

/* One field of RFC 4180; *end is behind it (at a comma, a line's end or the file's).  NULL: a quote isn't closed. */
static char *field(const char *p, const char **end)
{
	struct buf b;
	buf_init(&b, 0);
	buf_adds(&b, "");
	if (*p != '"') {
		size_t n = strcspn(p, ",\r\n");
		*end = p + n;
		return xstrndup(p, n);
	}
	for (p++; *p; p++) {
		if (*p == '"' && p[1] != '"')
			break;
		p += *p == '"';
		buf_addc(&b, *p);
	}
	*end = p + (*p == '"');
	char *s = *p == '"' ? xstrndup(b.len ? (const char *)b.data : "", b.len) : NULL;
	buf_release(&b);
	return s;
}

enum { COLUMNS = 3, FIELDS_MAX = 32 };
static const char *const columns[COLUMNS] = {"id", "email", "lang"};

/* A line into fields; how many, 0 for an empty line, -1. */
static int line_of(const char **p, char *out[FIELDS_MAX])
{
	int n = 0;
	while (**p == '\r' || **p == '\n')
		(*p)++;
	if (!**p)
		return 0;
	for (;;) {
		if (n == FIELDS_MAX || !(out[n] = field(*p, p)))
			break;
		n++;
		if (**p != ',')
			return **p == 0 || **p == '\r' || **p == '\n' ? n : (free(out[--n]), -1 - n);
		(*p)++;
	}
	return -1 - n;
}

static void drop(char *fields[FIELDS_MAX], int n)
{
	for (int i = 0; i < n; i++)
		free(fields[i]);
}

static int check(const struct entry *e, size_t line, struct err *err)
{
	if (!*e->id || strlen(e->id) > 512)
		return err_set(err, ERR_INPUT, "line %zu: an id is 1 to 512 bytes", line);
	if (!mail_address_ok(e->email))
		return err_set(err, ERR_INPUT, "line %zu: the address can't be written to", line);
	for (size_t i = 0; i < 2; i++)
		if (strcmp(e->lang, notice_langs[i]) == 0)
			return 0;
	return err_set(err, ERR_INPUT, "line %zu: lang is en or de", line);
}

static int parse_list(const char *text, struct people *p, struct err *err)
{
	char *f[FIELDS_MAX];
	int at[COLUMNS] = {-1, -1, -1};
	size_t line = 1;
	int n = line_of(&text, f);
	for (int i = 0; i < n; i++)
		for (int k = 0; k < COLUMNS; k++)
			if (strcmp(f[i], columns[k]) == 0)
				at[k] = i;
	drop(f, n < 0 ? -1 - n : n);
	if (n <= 0 || at[0] < 0 || at[1] < 0 || at[2] < 0)
		return err_set(err, ERR_INPUT, "the first line names the columns: id,email,lang");
	for (;;) {
		int got = line_of(&text, f);
		if (got == 0)
			return p->n ? 0 : err_set(err, ERR_INPUT, "the list names nobody");
		line++;
		if (got != n) {
			drop(f, got < 0 ? -1 - got : got);
			return err_set(err, ERR_INPUT, "line %zu: not %d fields", line, n);
		}
		if (p->n == p->cap) {
			p->cap = p->cap ? 2 * p->cap : 1024;
			p->v = xrealloc(p->v, p->cap * sizeof *p->v);
		}
		struct entry *e = &p->v[p->n++];
		*e = (struct entry){f[at[0]], f[at[1]], f[at[2]]};
		for (int i = 0; i < n; i++)
			if (i != at[0] && i != at[1] && i != at[2])
				free(f[i]);
		if (check(e, line, err) < 0)
			return -1;
	}
}

/* ---- who is affected --------------------------------------------------------------------------------------------- */

/* One letter: everybody of the list with this address. */
struct letter {
	const char *email, *lang;
	json_t *persons, *categories;
	char first[11], last[11];
};
struct run {
	const struct command *self;
	struct incident_args *a;
	struct config config;
	char *dir, *password;
	struct people people;
	struct letter *letters;
	size_t letters_len;
	json_t *texts;
	long long campaign;
	char mailer[33];
	struct mailer *mail;
	long long accepted, soft, hard, uncertain, told, unaffected;
	int hard_in_a_row;
};

static int ask_word(struct run *r, const char *word, json_t *request, json_t **answer, struct err *err)
{
	json_object_set_new(request, "do", json_string(word));
	json_object_set_new(request, "id", json_integer(r->a->id));
	return ask(r->a->dir, request, answer, err);
}

static bool same_address(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

static int by_address(const void *a, const void *b)
{
	const struct letter *x = a, *y = b;
	return strcasecmp(x->email, y->email);
}

static void merge(struct letter *to, struct letter *from)
{
	size_t i;
	json_t *v;
	json_array_extend(to->persons, from->persons);
	json_array_foreach(from->categories, i, v) {
		size_t k = 0;
		while (k < json_array_size(to->categories) && !json_equal(json_array_get(to->categories, k), v))
			k++;
		if (k == json_array_size(to->categories))
			json_array_append(to->categories, v);
	}
	if (strcmp(from->first, to->first) < 0)
		memcpy(to->first, from->first, sizeof to->first);
	if (strcmp(from->last, to->last) > 0)
		memcpy(to->last, from->last, sizeof to->last);
	json_decref(from->persons);
	json_decref(from->categories);
}

/* Several accounts with one address get one letter with everything about them. */
static int group(struct run *r, struct err *err)
{
	size_t n = 0;
	if (r->letters_len)
		qsort(r->letters, r->letters_len, sizeof *r->letters, by_address);
	for (size_t i = 0; i < r->letters_len; i++) {
		if (n && same_address(r->letters[n - 1].email, r->letters[i].email)) {
			merge(&r->letters[n - 1], &r->letters[i]);
			if (json_array_size(r->letters[n - 1].persons) > GROUP_MAX) {
				r->letters_len = n;
				return err_set(err, ERR_INPUT, "more than %d accounts have one address", GROUP_MAX);
			}
		} else {
			r->letters[n++] = r->letters[i];
		}
	}
	r->letters_len = n;
	return 0;
}

static int take_found(struct run *r, size_t from, const json_t *found, struct err *err)
{
	size_t i;
	const json_t *f;
	json_array_foreach(found, i, f) {
		size_t at = from + (size_t)json_integer_value(json_object_get(f, "i"));
		const char *subject = json_string_value(json_object_get(f, "subject")), *first = json_string_value(json_object_get(f, "first")),
			   *last = json_string_value(json_object_get(f, "last"));
		if (at >= r->people.n || !subject || !first || !last)
			return err_set(err, ERR_BUG, "the ledger's answer isn't complete");
		struct letter *l = &r->letters[r->letters_len++];
		*l = (struct letter){.email = r->people.v[at].email, .lang = r->people.v[at].lang, .persons = json_pack("[s]", subject),
				     .categories = json_deep_copy(json_object_get(f, "categories"))};
		snprintf(l->first, sizeof l->first, "%s", first);
		snprintf(l->last, sizeof l->last, "%s", last);
	}
	return 0;
}

/* The newest scope's range, and the vendor, as the ledger's question. */
static int question(struct run *r, json_t **out, struct err *err)
{
	json_t *shown;
	if (ask_word(r, "incident-show", json_object(), &shown, err) < 0)
		return -1;
	const json_t *scopes = json_object_get(shown, "scopes");
	const json_t *q = json_object_get(json_array_get(scopes, json_array_size(scopes) - 1), "request");
	*out = q ? json_deep_copy(q) : json_pack("{s:O}", "vendor", json_object_get(shown, "vendor"));
	json_decref(shown);
	return 0;
}

static int resolve(struct run *r, struct err *err)
{
	json_t *q, *answer;
	if (question(r, &q, err) < 0)
		return -1;
	r->letters = xcalloc(r->people.n, sizeof *r->letters);
	int rc = 0;
	for (size_t at = 0, to; at < r->people.n && rc == 0; at = to) {
		json_t *ids = json_array(), *one = json_deep_copy(q);
		size_t bytes = 0;
		for (to = at; to < r->people.n && to < at + PORTION_IDS && bytes < PORTION_BYTES; to++) {
			bytes += 2 * strlen(r->people.v[to].id) + 3;	/* with escapes */
			json_array_append_new(ids, json_string(r->people.v[to].id));
		}
		json_object_set_new(one, "do", json_string("resolve"));
		json_object_set_new(one, "ids", ids);
		rc = ask(r->a->dir, one, &answer, err);
		if (rc == 0) {
			rc = take_found(r, at, json_object_get(answer, "found"), err);
			json_decref(answer);
		}
	}
	json_decref(q);
	r->unaffected = (long long)(r->people.n - r->letters_len);
	return rc < 0 ? rc : group(r, err);
}

/* ---- the plan ---------------------------------------------------------------------------------------------------- */

/* The audience: who is written to and in which language, independent of the list's order. */
static void audience(const struct run *r, char hex[static 65], json_t *langs)
{
	struct buf b;
	uint8_t sum[32];
	buf_init(&b, 0);
	for (size_t i = 0; i < r->letters_len; i++)
		buf_addf(&b, "%s %s %s\n", r->letters[i].lang, json_string_value(json_array_get(r->letters[i].persons, 0)), r->letters[i].email);
	crypt_sha256(b.data, b.len, sum);
	buf_wipe(&b);
	hex_encode(sum, 32, hex);
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; i < r->letters_len; i++)
			if (strcmp(r->letters[i].lang, notice_langs[l]) == 0) {
				json_array_append_new(langs, json_string(notice_langs[l]));
				break;
			}
}

/* 0 released, 1 it waits, -1. */
static int plan(struct run *r, struct err *err)
{
	char hex[65];
	json_t *langs = json_array(), *answer;
	audience(r, hex, langs);
	json_t *q = json_pack("{s:s, s:I, s:o}", "audience", hex, "letters", (json_int_t)r->letters_len, "langs", langs);
	if (ask_word(r, "notice-plan", q, &answer, err) < 0)
		return -1;
	r->campaign = json_integer_value(json_object_get(answer, "campaign"));
	r->texts = json_incref(json_object_get(answer, "texts"));
	bool released = json_is_true(json_object_get(answer, "released"));
	json_decref(answer);
	return released ? 0 : 1;
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

/* Stable: the same letter to the same person has the same number whenever it goes. */
static void message_id(const struct run *r, const struct letter *l, char out[static 128])
{
	struct buf b;
	uint8_t sum[32];
	char hex[65];
	const char *domain = strchr(r->config.mail_from, '@');
	buf_init(&b, 0);
	buf_addf(&b, "weir letter %lld %lld %s", r->a->id, r->campaign, json_string_value(json_array_get(l->persons, 0)));
	crypt_sha256(b.data, b.len, sum);
	buf_release(&b);
	hex_encode(sum, 16, hex);
	snprintf(out, 128, "%s@%.60s", hex, domain ? domain + 1 : "localhost");
}

static int write_letter(struct run *r, const struct letter *l, struct buf *out, struct err *err)
{
	char id[128];
	struct buf subject, body;
	json_t *person = json_pack("{s:O, s:s, s:s}", "categories", l->categories, "first", l->first, "last", l->last);
	buf_init(&subject, 0);
	buf_init(&body, 0);
	int rc = notice_letter(json_string_value(json_object_get(r->texts, l->lang)), l->lang, person, &subject, &body, err);
	if (rc == 0) {
		message_id(r, l, id);
		mail_format(&(struct mail){.from = r->config.mail_from, .organisation = r->config.mail_organisation, .to = l->email, .lang = l->lang,
					   .message_id = id, .subject = (const char *)subject.data, .body = (const char *)body.data, .at = clock_now()},
			    out);
	}
	json_decref(person);
	buf_release(&subject);
	buf_release(&body);
	return rc;
}

static int step(struct run *r, json_t *done, const struct letter *next, json_t **answer, struct err *err)
{
	json_t *q = json_pack("{s:I, s:s}", "campaign", (json_int_t)r->campaign, "mailer", r->mailer);
	if (done)
		json_object_set_new(q, "done", done);
	if (next)
		json_object_set_new(q, "next", json_pack("{s:O, s:b}", "persons", next->persons, "again", r->a->again));
	return ask_word(r, "notice-step", q, answer, err);
}

static const char *const result_names[] = {
	[MAIL_ACCEPTED] = "accepted", [MAIL_SOFT] = "soft", [MAIL_HARD] = "hard", [MAIL_UNCERTAIN] = "uncertain", [MAIL_DOWN] = "soft",
};

static void count(struct run *r, enum mail_result got)
{
	switch (got) {
	case MAIL_ACCEPTED:
		r->accepted++;
		break;
	case MAIL_SOFT:
	case MAIL_DOWN:
		r->soft++;
		break;
	case MAIL_HARD:
		r->hard++;
		break;
	case MAIL_UNCERTAIN:
		r->uncertain++;
		break;
	}
	r->hard_in_a_row = got == MAIL_HARD ? r->hard_in_a_row + 1 : 0;
}

static void progress(const struct run *r, size_t at)
{
	if (isatty(2))
		fprintf(stderr, "\r%zu of %zu letters, %lld accepted ", at, r->letters_len, r->accepted);
}

/* The letter that the registry says is under way.  *done: what to tell it. */
static enum mail_result send_one(struct run *r, const struct letter *l, json_t **done, struct err *err)
{
	struct buf message;
	long code = 0;
	enum mail_result got = MAIL_HARD;	/* a letter that can't be written isn't sent */
	buf_init(&message, 0);
	if (write_letter(r, l, &message, err) == 0)
		for (int i = 0; i < TRIES; i++) {
			got = mailer_send(r->mail, l->email, message.data, message.len, &code, err);
			if (got != MAIL_SOFT)
				break;
			usleep(200000);
		}
	buf_wipe(&message);
	count(r, got);
	*done = json_pack("{s:O, s:s, s:I}", "persons", l->persons, "state", result_names[got], "code", (json_int_t)code);
	return got;
}

static int send_all(struct run *r, struct err *err)
{
	json_t *done = NULL, *answer;
	int rc = 0;
	for (size_t i = 0; i < r->letters_len && rc == 0; i++) {
		progress(r, i);
		if (step(r, done, &r->letters[i], &answer, err) < 0)
			return -1;
		done = NULL;
		bool go = json_is_true(json_object_get(answer, "go"));
		json_decref(answer);
		if (!go) {
			r->told++;
			continue;
		}
		if (send_one(r, &r->letters[i], &done, err) == MAIL_DOWN)
			rc = err_prefix(err, "stopped: ");
		else if (r->hard_in_a_row >= HARD_IN_A_ROW)
			rc = err_set(err, ERR_DENIED, "stopped: the mail server refused %d letters in a row", HARD_IN_A_ROW);
	}
	struct err second;
	if (done && step(r, done, NULL, &answer, rc < 0 ? &second : err) < 0)
		return -1;
	if (done)
		json_decref(answer);
	if (isatty(2))
		fputc('\n', stderr);
	return rc;
}

static int begin(struct run *r, struct err *err)
{
	uint8_t random[16];
	json_t *answer;
	char *ca = NULL;
	if (crypt_init(err) < 0)
		return -1;
	crypt_random(random, sizeof random);
	hex_encode(random, sizeof random, r->mailer);
	if (r->config.mail_ca)
		ca = *r->config.mail_ca == '/' ? xstrdup(r->config.mail_ca) : xasprintf("%s/%s", r->dir, r->config.mail_ca);
	int rc = load_secret(r->dir, r->config.mail_password, &r->password, err);
	if (rc == 0)
		rc = mailer_new(&(struct mailer_settings){.server = r->config.mail_server, .ca = ca, .user = r->config.mail_user,
							  .password = r->password, .from = r->config.mail_from}, &r->mail, err);
	free(ca);
	if (rc == 0)
		rc = ask_word(r, "notice-resume", json_pack("{s:s}", "mailer", r->mailer), &answer, err);
	if (rc == 0)
		json_decref(answer);
	return rc;
}

static void report(struct run *r, bool waits)
{
	json_t *j = json_pack("{s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "campaign", (json_int_t)r->campaign, "letters",
			      (json_int_t)r->letters_len, "released", !waits, "accepted", (json_int_t)r->accepted, "soft", (json_int_t)r->soft, "hard",
			      (json_int_t)r->hard, "uncertain", (json_int_t)r->uncertain, "already_told", (json_int_t)r->told, "not_affected",
			      (json_int_t)r->unaffected);
	if (!waits && r->campaign) {
		struct err err;
		json_t *answer;
		if (ask_word(r, "notice-finish", json_pack("{s:O}", "counts", j), &answer, &err) == 0)
			json_decref(answer);
	}
	if (r->a->json) {
		ask_print(j);
	} else if (waits) {
		printf("campaign %lld: %zu letters (%lld of the list not affected) wait for a second person:\n  weir incident release %lld %lld\n",
		       r->campaign, r->letters_len, r->unaffected, r->a->id, r->campaign);
	} else {
		printf("campaign %lld: %lld accepted, %lld to be tried again, %lld refused, %lld uncertain; %lld told before or under way; %lld not "
		       "affected\n",
		       r->campaign, r->accepted, r->soft, r->hard, r->uncertain, r->told, r->unaffected);
	}
	json_decref(j);
}

static int notify(struct run *r)
{
	struct err err;
	struct buf b;
	buf_init(&b, 0);
	int rc = cli_read(r->a->list, LIST_MAX, &b, &err);
	if (rc == 0 && memchr(b.data, 0, b.len))
		rc = err_set(&err, ERR_INPUT, "the list isn't text");
	if (rc == 0)
		rc = parse_list((const char *)b.data, &r->people, &err);
	buf_wipe(&b);
	if (rc < 0) {
		cli_fail("incident notify", &err);
		return EXIT_USE;
	}
	if (resolve(r, &err) < 0)
		return cli_fail("incident notify", &err);
	if (!r->letters_len) {
		report(r, false);
		return EXIT_DONE;
	}
	int waits = plan(r, &err);
	if (waits < 0) {
		cli_fail("incident notify", &err);
		return err.code == ERR_CONFLICT || err.code == ERR_DENIED ? EXIT_NO : err.code == ERR_INPUT || err.code == ERR_NOTFOUND ? EXIT_USE : EXIT_FAULT;
	}
	if (waits) {
		report(r, true);
		return EXIT_NO;
	}
	rc = begin(r, &err);
	if (rc == 0)
		rc = send_all(r, &err);
	report(r, false);
	if (rc < 0) {
		cli_fail("incident notify", &err);
		return EXIT_FAULT;
	}
	return r->soft || r->hard || r->uncertain ? EXIT_NO : EXIT_DONE;
}

static void release_run(struct run *r)
{
	for (size_t i = 0; i < r->letters_len; i++) {
		json_decref(r->letters[i].persons);
		json_decref(r->letters[i].categories);
	}
	free(r->letters);
	people_release(&r->people);
	json_decref(r->texts);
	mailer_free(&r->mail);
	if (r->password)
		crypt_wipe(r->password, strlen(r->password));
	free(r->password);
	config_release(&r->config);
	free(r->dir);
}

int incident_notify(const struct command *self, struct incident_args *a)
{
	struct run r = {.self = self, .a = a};
	struct err err;
	if (!a->list)
		return cli_wrong(self, "notify ID --list FILE (CSV with the columns id, email, lang)");
	if (clock_init(getenv("WEIR_NOW"), true, &err) < 0 || load_config(a->dir, &r.dir, &r.config, &err) < 0)
		return free(r.dir), cli_fail("incident notify", &err);
	int rc = EXIT_USE;
	if (!r.config.mail_server || !r.config.mail_from || !r.config.mail_organisation)
		fprintf(stderr, "weir: incident notify: weir.yaml needs mail.server, mail.from and mail.organisation\n");
	else if (!mail_address_ok(r.config.mail_from))
		fprintf(stderr, "weir: incident notify: mail.from isn't an address\n");
	else
		rc = notify(&r);
	release_run(&r);
	return rc;
}
