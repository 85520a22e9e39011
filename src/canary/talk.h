/*
 * One SMTP conversation, the server's side: bytes in, answers and hooks out.  Second header of this folder because the
 * receiver (smtp.c) owns the sockets and the fuzz target has none.
 */
#ifndef CANARY_TALK_H
#define CANARY_TALK_H

#include "base/buf.h"
#include "canary/canary.h"

enum { SMTP_LINE_MAX = 1000 };	/* RFC 5321 4.5.3.1.6, with its CRLF */

struct smtp_talk {
	const struct smtp_hooks *h;
	void (*say)(void *arg, const char *text);	/* whole answers, closed by CRLF */
	void *arg;
	bool greeted, data;
	bool ended;	/* nothing more is read: set by QUIT, a line too long, or the owner */
	struct buf line, message;
	char from[SMTP_LINE_MAX], to[SMTP_LINE_MAX];
	unsigned rcpts;
};
void smtp_talk_init(struct smtp_talk *t, const struct smtp_hooks *h, void (*say)(void *arg, const char *text), void *arg);
void smtp_talk_release(struct smtp_talk *t);
/* However the bytes are cut, the same comes out. */
void smtp_talk_feed(struct smtp_talk *t, const char *bytes, size_t n);

#endif
