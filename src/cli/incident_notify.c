/*
 * `weir incident notify`: the letters go out in the foreground, one after the other; the registry holds each one's state, and
 * is told before and after each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/ask.h"
#include "cli/letters.h"
#include "crypt/crypt.h"
#include "notice/notice.h"

enum { LIST_MAX = 256 << 20, TRIES = 3, HARD_IN_A_ROW = 10 };

struct run {
	const struct command *self;
	struct incident_args *a;
	struct config config;
	char *dir, *password;
	struct addressees people;
	struct letters letters;
	json_t *texts;
	long long campaign;
	char mailer[33];
	struct mailer *mail;
	long long accepted, soft, hard, uncertain, told;
	int hard_in_a_row;
};

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

/* ---- the plan ---------------------------------------------------------------------------------------------------- */

/* The audience: who is written to and in which language, independent of the list's order. */
static void audience(const struct run *r, char hex[static 65], json_t *langs)
{
	struct buf b;
	uint8_t sum[32];
	buf_init(&b, 0);
	for (size_t i = 0; i < r->letters.n; i++)
		buf_addf(&b, "%s %s %s\n", r->letters.v[i].lang, json_string_value(json_array_get(r->letters.v[i].persons, 0)), r->letters.v[i].email);
	crypt_sha256(b.data, b.len, sum);
	buf_wipe(&b);
	hex_encode(sum, 32, hex);
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; i < r->letters.n; i++)
			if (strcmp(r->letters.v[i].lang, notice_langs[l]) == 0) {
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
	json_t *q = json_pack("{s:s, s:I, s:o}", "audience", hex, "letters", (json_int_t)r->letters.n, "langs", langs);
	if (letters_ask(r->a, "notice-plan", q, &answer, err) < 0)
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
	return letters_ask(r->a, "notice-step", q, answer, err);
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
		fprintf(stderr, "\r%zu of %zu letters, %lld accepted ", at, r->letters.n, r->accepted);
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
	for (size_t i = 0; i < r->letters.n && rc == 0; i++) {
		progress(r, i);
		if (step(r, done, &r->letters.v[i], &answer, err) < 0)
			return -1;
		done = NULL;
		bool go = json_is_true(json_object_get(answer, "go"));
		json_decref(answer);
		if (!go) {
			r->told++;
			continue;
		}
		if (send_one(r, &r->letters.v[i], &done, err) == MAIL_DOWN)
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
		rc = letters_ask(r->a, "notice-resume", json_pack("{s:s}", "mailer", r->mailer), &answer, err);
	if (rc == 0)
		json_decref(answer);
	return rc;
}

static void report(struct run *r, bool waits)
{
	json_t *j = json_pack("{s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "campaign", (json_int_t)r->campaign, "letters",
			      (json_int_t)r->letters.n, "released", !waits, "accepted", (json_int_t)r->accepted, "soft", (json_int_t)r->soft, "hard",
			      (json_int_t)r->hard, "uncertain", (json_int_t)r->uncertain, "already_told", (json_int_t)r->told, "not_affected",
			      (json_int_t)r->letters.unaffected);
	if (!waits && r->campaign) {
		struct err err;
		json_t *answer;
		if (letters_ask(r->a, "notice-finish", json_pack("{s:O}", "counts", j), &answer, &err) == 0)
			json_decref(answer);
	}
	if (r->a->json) {
		ask_print(j);
	} else if (waits) {
		printf("campaign %lld: %zu letters (%zu of the list not affected) wait for a second person:\n  weir incident release %lld %lld\n",
		       r->campaign, r->letters.n, r->letters.unaffected, r->a->id, r->campaign);
	} else {
		printf("campaign %lld: %lld accepted, %lld to be tried again, %lld refused, %lld uncertain; %lld told before or under way; %zu not "
		       "affected\n",
		       r->campaign, r->accepted, r->soft, r->hard, r->uncertain, r->told, r->letters.unaffected);
	}
	json_decref(j);
}

static int read_list(struct run *r, struct err *err)
{
	struct buf b;
	buf_init(&b, 0);
	int rc = cli_read(r->a->list, LIST_MAX, &b, err);
	if (rc == 0)
		rc = addressees_read(b.len ? (const char *)b.data : "", b.len, &r->people, err);
	buf_wipe(&b);
	return rc;
}

/* The plan waits, or the letters go. */
static int plan_and_send(struct run *r, struct err *err)
{
	int waits = plan(r, err);
	if (waits < 0)
		return incident_exit(r->self, err);
	if (waits) {
		report(r, true);
		return EXIT_NO;
	}
	int rc = begin(r, err);
	if (rc == 0)
		rc = send_all(r, err);
	report(r, false);
	if (rc < 0)
		return cli_fail("incident notify", err), EXIT_FAULT;
	return r->soft || r->hard || r->uncertain ? EXIT_NO : EXIT_DONE;
}

static int notify(struct run *r)
{
	struct err err;
	if (read_list(r, &err) < 0)
		return cli_fail("incident notify", &err), EXIT_USE;
	if (letters_resolve(r->a, &r->people, &r->letters, &err) < 0)
		return cli_fail("incident notify", &err);
	if (r->letters.n)
		return plan_and_send(r, &err);
	report(r, false);
	return EXIT_DONE;
}

static void release_run(struct run *r)
{
	letters_release(&r->letters);
	addressees_release(&r->people);
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
	if (clock_init(getenv("WEIR_NOW"), true, &err) < 0 || letters_config(a->dir, &r.dir, &r.config, &err) < 0)
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
