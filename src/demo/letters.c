/* The last act: drafts, four eyes, letters to those concerned, and one of them as its reader sees it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "demo/act.h"
#include "demo/mail.h"

static const char *const what[CATCH_LANGS] = {"A company that counts for us how our service is used was attacked, and a data set was taken from it.",
					      "Ein Unternehmen, das f\u00fcr uns auswertet, wie unser Dienst genutzt wird, wurde angegriffen; dabei wurde ein Datensatz entwendet."};

/* weir.yaml gets the sender; the catcher takes the mail. */
int mail_set_up(struct demo *d, struct err *err)
{
	char bound[64], *ca = xasprintf("%s/mail-ca.pem", d->top), *yaml = xasprintf("%s/weir.yaml", d->dir);
	int r = catcher_start(ca, bound, &d->mail, err);
	FILE *f = r == 0 ? fopen(yaml, "ae") : NULL;
	if (r == 0 && !f)
		r = err_sys(err, "%s", yaml);
	if (f) {
		fprintf(f, "\nmail:\n  server: %s\n  ca: %s\n  from: privacy@chat.example\n  organisation: Chat Example Ltd\n"
			   "  contact: Data protection officer, privacy@chat.example\n  site: www.chat.example\n", bound, ca);
		if (fclose(f) != 0)
			r = err_sys(err, "%s", yaml);
	}
	free(ca);
	free(yaml);
	return r;
}

void mail_stop(struct demo *d)
{
	catcher_stop(d->mail);
}

static int drafts(struct demo *d, const char *id, struct err *err)
{
	static const char *const wanted[][2] = {{"authority", "en"}, {"people", "en"}, {"people", "de"}};
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		struct run r;
		const char *args[] = {"incident", "draft", id, "--kind", wanted[i][0], "--lang", wanted[i][1], "--what",
				      what[wanted[i][1][0] == 'd'], "--json", NULL};
		if (run_weir(d->dir, args, NULL, &r, err) < 0)
			return -1;
		const char *text = json_string_value(json_object_get(r.json, "text"));
		bool open = json_array_size(json_object_get(r.json, "missing")) > 0;
		say_line(d, PLAIN, "  draft %-10s %s  %5zu characters%s", wanted[i][0], wanted[i][1], text ? strlen(text) : 0,
			 !text ? "  (refused)" : open ? "  parts are still for a person to fill in" : "");
		bool ok = text && (!open || i == 0);
		run_release(&r);
		if (!ok)
			return err_set(err, ERR_BUG, "no draft for %s in %s", wanted[i][0], wanted[i][1]);
	}
	json_object_set_new(d->figures, "drafts", json_integer((json_int_t)(sizeof wanted / sizeof *wanted)));
	return 0;
}

/* Letters need a second person: as root somebody else can be had, else the letters wait. */
static int release(struct demo *d, const char *id, const char *campaign, bool *released, struct err *err)
{
	struct run r;
	const char *args[] = {"incident", "release", id, campaign, NULL};
	*released = false;
	if (geteuid() != 0) {
		say_line(d, PLAIN, "%s", "  A second person has to release them, and here is only you. Letters sent: 0.");
		return 0;
	}
	if (chmod(d->top, 0711) < 0 || chmod(d->dir, 0711) < 0)
		return err_sys(err, "%s", d->top);
	say_line(d, CYAN, "$ weir incident release %s %s          (as another user)", id, campaign);
	if (run_weir_as_other(d->dir, args, &r, err) < 0)
		return -1;
	*released = r.status == 0;
	if (!*released)	/* a folder that is kept may stand where nobody else can reach it */
		say_line(d, PLAIN, "  The other user couldn't: %.*s. Letters sent: 0.", (int)strcspn(r.err, "\n"), r.err);
	run_release(&r);
	return 0;
}

/* Quoted-printable is undone as far as it shows: soft breaks and =XX. */
static void decode(char *s)
{
	char *to = s;
	for (unsigned byte; *s;) {
		if (s[0] == '=' && s[1] == '\n')
			s += 2;
		else if (s[0] == '=' && sscanf(s + 1, "%2x", &byte) == 1)
			*to++ = (char)byte, s += 3;
		else
			*to++ = *s++;
	}
	*to = 0;
}

/* RFC 2047 in the form that the letters use: base64 words, folded. */
static void show_subject(const struct demo *d, const char *text)
{
	static const char mark[] = "=?utf-8?B?";
	const char *at = strstr(text, "\nSubject:"), *stop;
	char subject[512];
	size_t n = 0;
	if (!at)
		return;
	for (stop = at + 1; (stop = strchr(stop, '\n')) && stop[1] == ' '; stop++)
		;
	while ((at = strstr(at, mark)) && stop && at < stop) {
		at += sizeof mark - 1;
		size_t len = strcspn(at, "?");
		if (n + len >= sizeof subject)
			break;
		ssize_t got = base64_decode(at, len, subject + n);
		n += got > 0 ? (size_t)got : 0;
	}
	say_line(d, PLAIN, "  │ Subject: %.*s", (int)n, subject);
}

static void show_letter(const struct demo *d)
{
	char *text = catcher_first(d->mail, CATCH_EN);
	if (!text || d->o->json) {
		free(text);
		return;
	}
	char *body = strstr(text, "\n\n");
	if (body)
		decode(body);
	say_line(d, DIM, "%s", "  one of them:");
	for (char *at = text, *next; at && *at; at = next) {
		size_t n = strcspn(at, "\n");
		next = at[n] ? at + n + 1 : NULL;
		bool head = body && at < body;
		if (body && next == body + 1)
			show_subject(d, text);
		if (!head || strncmp(at, "To:", 3) == 0 || strncmp(at, "From:", 5) == 0)
			say_line(d, PLAIN, "  │ %.*s", (int)n, at);
	}
	free(text);
}

static int send_letters(struct demo *d, const char *id, const char *list, struct err *err)
{
	struct run r;
	char campaign[24], a[FIGURE_MAX];
	bool released;
	const char *notify[] = {"incident", "notify", id, "--list", list, "--json", NULL};
	if (run_weir(d->dir, notify, NULL, &r, err) < 0)	/* plans; "waits for a second person" is status 1 */
		return -1;
	snprintf(campaign, sizeof campaign, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(r.json, "campaign")));
	json_int_t planned = json_integer_value(json_object_get(r.json, "letters"));
	int rc = r.json && planned > 0 ? 0 : err_set(err, ERR_BUG, "weir incident notify exits with %d: %.*s", r.status, (int)strcspn(r.err, "\n"), r.err);
	run_release(&r);
	if (rc < 0 || release(d, id, campaign, &released, err) < 0)
		return -1;
	json_object_set_new(d->figures, "letters_planned", json_integer(planned));
	if (!released)
		return 0;
	if (do_weir(d, notify, NULL, true, &r, err) < 0)
		return -1;
	run_release(&r);
	d->letters = (int64_t)catcher_letters(d->mail);
	say_line(d, GREEN, "  %s letters reached the mail catcher, each with its reader's own data, dates and advice.", figure(d->letters, a));
	show_letter(d);
	return 0;
}

int act_letters(struct demo *d, struct err *err)
{
	char id[24], today[21];
	char *list = xasprintf("%s/people.csv", d->top);
	snprintf(id, sizeof id, "%" PRId64, d->incident);
	clock_format(clock_now(), today);
	today[10] = 0;
	say_act(d, "Telling those concerned");
	const char *scope[] = {"incident", "scope", id, "--category", "user.content", "--until", today, "--why", "whose own words left", NULL};
	struct run r;
	int rc = do_weir(d, scope, NULL, true, &r, err);
	if (rc == 0)
		run_release(&r);
	if (rc == 0)
		rc = drafts(d, id, err);
	if (rc == 0)
		rc = people_write(list, d->o->people, err);
	if (rc == 0)
		rc = send_letters(d, id, list, err);
	free(list);
	json_object_set_new(d->figures, "letters", json_integer(d->letters < 0 ? 0 : d->letters));
	return rc;
}
