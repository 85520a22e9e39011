/*
 * Notices about an incident: the notification to the authority (GDPR Art. 33), the letter to people (Art. 34), their
 * release by a second person, and sending them one by one.
 *
 * A draft is a template of catalog/notices with the incident's facts filled in.  A template's parts are named elements;
 * an element with a value missing is empty, and a draft with an empty element that its law requires can't be released.
 * In a letter the places {your_data}, {your_consequences}, {your_advice}, {when}, {first} and {last} stay open: each
 * person's own, from the ledger, are filled in when it is sent.
 *
 *   letter of a person   (none) -> sending -> accepted | soft | hard | uncertain
 *                        soft -> sending;  uncertain -> sending only when a person says so (--send-again)
 *
 * `sending` is durable before the mail server gets the text, and the reply's state right after: a run that dies leaves at
 * most that one letter unknown, and the next run calls it uncertain and doesn't send it.  The registry knows recipients by
 * the ledger's pseudonym; addresses stay in the list of whoever sends.
 */
#ifndef NOTICE_NOTICE_H
#define NOTICE_NOTICE_H

#include "incident/incident.h"

extern const struct registry_word notice_words[];

extern const char *const notice_kinds[2];	/* "people", "authority" */
extern const char *const notice_langs[2];	/* "en", "de" */

/* What the folder says about the sender (weir.yaml, mail:); NULL or "": not set. */
struct notice_sender {
	const char *organisation, *contact, *site;
};
/*
 * facts: incident_facts.  what: what happened, in a person's words; NULL: from the vendor's first message.
 * missing: an array that the empty elements are added to.  ERR_INPUT: no such kind or language, or braces in a value.
 */
int notice_draft(const char *kind, const char *lang, const json_t *facts, const struct notice_sender *from, const char *what,
		 int64_t now, struct buf *text, json_t *missing, struct err *err) __attribute__((warn_unused_result));
/* The EDPB template's fields (version 1.0, adopted 8 June 2026) that Weir knows: {"field_68": 120, ...}; new reference. */
json_t *notice_form(const json_t *facts, const struct notice_sender *from, const char *what);

/* One person's letter from a released draft: {categories: [..], first, last}.  ERR_INPUT when nothing is known of them. */
int notice_letter(const char *draft, const char *lang, const json_t *person, struct buf *subject, struct buf *body,
		  struct err *err) __attribute__((warn_unused_result));

/* ---- mail -------------------------------------------------------------------------------------------------------- */

struct mail {
	const char *from, *organisation, *to, *lang;
	const char *message_id;		/* without <> */
	const char *subject, *body;	/* UTF-8, lines end with \n */
	int64_t at;
};
/* An address that can stand in a header and an SMTP command as it is: ASCII, one @, no quoting, at most 254 bytes. */
bool mail_address_ok(const char *s);
/* RFC 5322 with quoted-printable text; lines end with CRLF and have at most 76 characters. */
void mail_format(const struct mail *m, struct buf *out);

/* A connection to the mail server that stays open between letters.  One thread. */
struct mailer;
struct mailer_settings {
	const char *server;		/* HOST:PORT; STARTTLS is required, port 465 is TLS from the start */
	const char *ca;			/* file with the authority to trust, NULL: the system's */
	const char *user, *password;	/* NULL: none */
	const char *from;
};
int mailer_new(const struct mailer_settings *s, struct mailer **out, struct err *err) __attribute__((warn_unused_result));
void mailer_free(struct mailer **m);

enum mail_result {
	MAIL_ACCEPTED,	/* the server took it over */
	MAIL_SOFT,	/* 4xx: later */
	MAIL_HARD,	/* 5xx: never */
	MAIL_UNCERTAIN,	/* the text was handed over and no reply came */
	MAIL_DOWN,	/* no server, no TLS, wrong password: nothing was handed over, and the next letter would fare the same */
};
/* code: the server's newest reply, 0: none.  err is filled for MAIL_DOWN. */
enum mail_result mailer_send(struct mailer *m, const char *to, const void *message, size_t n, long *code, struct err *err);

#endif
