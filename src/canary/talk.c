/* The server's side of SMTP (RFC 5321) over bytes: no socket, no clock. */
#include "canary/talk.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MESSAGE_MAX = 1 << 20, RCPTS_MAX = 100 };

void smtp_talk_init(struct smtp_talk *c, const struct smtp_hooks *h, void (*say)(void *arg, const char *text), void *arg)
{
	*c = (struct smtp_talk){.h = h, .say = say, .arg = arg};
	buf_init(&c->line, 0);
	buf_init(&c->message, MESSAGE_MAX);
}

void smtp_talk_release(struct smtp_talk *c)
{
	buf_release(&c->line);
	buf_release(&c->message);
}

static void reply(struct smtp_talk *c, const char *text)
{
	c->say(c->arg, text);
}

static void reset(struct smtp_talk *c)
{
	c->from[0] = c->to[0] = 0;
	c->rcpts = 0;
	c->data = false;
	buf_reset(&c->message);
}

/* "<ADDRESS>" behind the colon; parameters are passed over. */
static bool address(const char *line, const char *word, char out[static SMTP_LINE_MAX])
{
	size_t n = strlen(word);
	if (strncasecmp(line, word, n) != 0)
		return false;
	const char *open = line + n;
	open += strspn(open, " ");
	const char *close = *open == '<' ? strchr(open, '>') : NULL;
	if (!close)
		return false;
	snprintf(out, SMTP_LINE_MAX, "%.*s", (int)(close - open - 1), open + 1);
	return true;
}

static void on_rcpt(struct smtp_talk *c, const char *line)
{
	char to[SMTP_LINE_MAX];
	if (!c->greeted || !address(line, "RCPT TO:", to) || !*to) {
		reply(c, "501 RCPT TO:<address> is wanted\r\n");
		return;
	}
	if (c->rcpts == RCPTS_MAX) {
		reply(c, "452 too many recipients\r\n");
		return;
	}
	c->rcpts++;
	memcpy(c->to, to, sizeof to);
	if (c->h->recipient)
		c->h->recipient(c->h->arg, (struct span){to, strlen(to)});
	reply(c, "250 ok\r\n");
}

static void command(struct smtp_talk *c, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0 || strncasecmp(line, "HELO", 4) == 0) {
		reset(c);
		c->greeted = true;
		reply(c, (line[0] | 0x20) == 'e' ? "250-weir\r\n250 8BITMIME\r\n" : "250 weir\r\n");
	} else if (strncasecmp(line, "MAIL FROM:", 10) == 0) {
		reset(c);
		reply(c, c->greeted && address(line, "MAIL FROM:", c->from) ? "250 ok\r\n" : "503 say EHLO, then MAIL FROM:<address>\r\n");
	} else if (strncasecmp(line, "RCPT", 4) == 0) {
		on_rcpt(c, line);
	} else if (strcasecmp(line, "DATA") == 0) {
		c->data = c->rcpts > 0;
		reply(c, c->data ? "354 end with a dot\r\n" : "503 no recipient yet\r\n");
	} else if (strcasecmp(line, "RSET") == 0) {
		reset(c);
		reply(c, "250 ok\r\n");
	} else if (strncasecmp(line, "NOOP", 4) == 0) {
		reply(c, "250 ok\r\n");
	} else if (strncasecmp(line, "VRFY", 4) == 0) {
		reply(c, "252 try it\r\n");
	} else if (strcasecmp(line, "QUIT") == 0) {
		reply(c, "221 bye\r\n");
		c->ended = true;
	} else {
		reply(c, "500 not understood\r\n");
	}
}

static void data_line(struct smtp_talk *c, const char *line, size_t n)
{
	if (n == 1 && line[0] == '.') {
		struct span whole = {c->message.data ? (const char *)c->message.data : "", c->message.len};
		bool over = c->message.over;
		if (!over && c->h->message)
			c->h->message(c->h->arg, (struct span){c->from, strlen(c->from)}, (struct span){c->to, strlen(c->to)}, whole);
		reset(c);
		reply(c, over ? "552 too large\r\n" : "250 ok\r\n");
		return;
	}
	if (n && line[0] == '.')	/* 4.5.2 */
		line++, n--;
	buf_add(&c->message, line, n);
	buf_add(&c->message, "\r\n", 2);
}

static void take_line(struct smtp_talk *c)
{
	size_t n = c->line.len;
	if (n && c->line.data[n - 1] == '\r')
		n--;
	c->line.data[n] = 0;
	if (c->data)
		data_line(c, (const char *)c->line.data, n);
	else if (memchr(c->line.data, 0, n))
		reply(c, "500 not text\r\n");
	else
		command(c, (const char *)c->line.data);
	buf_reset(&c->line);
}

void smtp_talk_feed(struct smtp_talk *c, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n && !c->ended; i++) {
		if (bytes[i] == '\n') {
			buf_reserve(&c->line, 1);
			take_line(c);
		} else if (c->line.len < SMTP_LINE_MAX - 2) {
			buf_addc(&c->line, bytes[i]);
		} else {
			reply(c, "500 line too long\r\n");
			c->ended = true;
		}
	}
}
