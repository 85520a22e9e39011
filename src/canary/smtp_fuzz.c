/* Whatever a stranger says to the trap: answers are whole, addresses are text of a line, and cuts change nothing. */
#include <stdlib.h>
#include <string.h>

#include "canary/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct heard {
	struct buf said, recipients, messages;
};

static void say(void *arg, const char *text)
{
	size_t n = strlen(text);
	must(n > 5 && text[0] >= '2' && text[0] <= '5' && strcmp(text + n - 2, "\r\n") == 0);
	buf_adds(&((struct heard *)arg)->said, text);
}

static void recipient(void *arg, struct span address)
{
	char token[CANARY_TOKEN + 1];
	must(address.len > 0 && address.len < SMTP_LINE_MAX && !memchr(address.at, '\n', address.len) && !memchr(address.at, 0, address.len));
	if (canary_find_token(address, token))
		must(strlen(token) == CANARY_TOKEN && strspn(token, "abcdefghijklmnopqrstuvwxyz") == CANARY_TOKEN);
	buf_add(&((struct heard *)arg)->recipients, address.at, address.len);
}

static void message(void *arg, struct span from, struct span to, struct span text)
{
	must(from.len < SMTP_LINE_MAX && to.len > 0 && to.len < SMTP_LINE_MAX && text.len <= 1 << 20);
	buf_add(&((struct heard *)arg)->messages, text.at, text.len);
}

static void talk(struct heard *h, const char *bytes, size_t n, size_t step)
{
	struct smtp_hooks hooks = {.recipient = recipient, .message = message, .arg = h};
	struct smtp_talk t;
	buf_init(&h->said, 0);
	buf_init(&h->recipients, 0);
	buf_init(&h->messages, 0);
	smtp_talk_init(&t, &hooks, say, h);
	for (size_t at = 0; at < n; at += step)
		smtp_talk_feed(&t, bytes + at, n - at < step ? n - at : step);
	smtp_talk_release(&t);
}

static bool same(struct buf *a, struct buf *b)
{
	bool is = a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
	buf_release(a);
	buf_release(b);
	return is;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct heard whole, cut;
	talk(&whole, (const char *)data, n, n ? n : 1);
	talk(&cut, (const char *)data, n, 3);
	must(same(&whole.said, &cut.said) && same(&whole.recipients, &cut.recipients) && same(&whole.messages, &cut.messages));
	return 0;
}
