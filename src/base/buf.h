/*
 * A growable byte buffer with a ceiling.  Overflow is sticky: appends past the ceiling do nothing and set `over`,
 * so a caller checks once at the end.  data[len] is always 0 once anything was appended.  One owner, one thread.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;	/* bytes allocated */
	size_t max;	/* ceiling; 0 means none */
	bool over;
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);
void buf_wipe(struct buf *b);	/* zeroes what was held, then releases */
/* Room for n more bytes and the closing 0; false when over. */
bool buf_reserve(struct buf *b, size_t n);
void buf_add_grow(struct buf *b, const void *p, size_t n);	/* buf_add, when there may be no room yet */
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with quotes, spelled as RFC 8785 section 3.2.2.2 does; invalid UTF-8 becomes U+FFFD. */
void buf_add_json(struct buf *b, const char *s, size_t n);

/* Inline: most appends are a few bytes into room that is there. */
static inline void buf_add(struct buf *b, const void *p, size_t n)
{
	if (b->over || n >= b->cap - b->len || (b->max && b->len + n > b->max)) {
		buf_add_grow(b, p, n);
		return;
	}
	if (n)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = 0;
}
static inline void buf_reset(struct buf *b)
{
	b->len = 0;
	b->over = false;
}
static inline void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}
static inline void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

#endif
