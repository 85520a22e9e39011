/* String contents: RFC 8259 section 7. */
#include "json/json.h"

static unsigned hex4(const char *p)
{
	unsigned v = 0;
	for (int i = 0; i < 4; i++) {
		unsigned c = (uint8_t)p[i];
		v = v << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return v;
}

static size_t put_utf8(char *d, unsigned c)
{
	if (c < 0x80) {
		d[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		d[0] = (char)(0xc0 | c >> 6);
		d[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		d[0] = (char)(0xe0 | c >> 12);
		d[1] = (char)(0x80 | (c >> 6 & 63));
		d[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	d[0] = (char)(0xf0 | c >> 18);
	d[1] = (char)(0x80 | (c >> 12 & 63));
	d[2] = (char)(0x80 | (c >> 6 & 63));
	d[3] = (char)(0x80 | (c & 63));
	return 4;
}

/* One \uXXXX, or two that form a pair; the code point, or 0xfffd with *lone. */
static unsigned unicode(const char *p, const char *end, size_t *used, bool *lone)
{
	unsigned c = hex4(p + 2);
	*used = 6;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
		unsigned low = hex4(p + 8);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*used = 12;
			return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	*lone = true;
	return 0xfffd;
}

static size_t unescape(const char *raw, size_t n, char *dst, bool *lone)
{
	static const char plain[128] = {['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f',
					['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
	const char *end = raw + n;
	char *d = dst;
	while (raw < end) {
		const char *bs = memchr(raw, '\\', (size_t)(end - raw));
		size_t run = (size_t)((bs ? bs : end) - raw), used = 2;
		memmove(d, raw, run);
		d += run;
		if (!bs)
			break;
		if (bs[1] == 'u')
			d += put_utf8(d, unicode(bs, end, &used, lone));
		else
			*d++ = plain[bs[1] & 127];
		raw = bs + used;
	}
	return (size_t)(d - dst);
}

ssize_t json_unescape(const char *raw, size_t n, char *dst)
{
	bool lone = false;
	size_t len = unescape(raw, n, dst, &lone);
	return lone ? -1 : (ssize_t)len;
}

size_t json_unescape_lossy(const char *raw, size_t n, char *dst)
{
	bool lone = false;
	return unescape(raw, n, dst, &lone);
}

void json_escape(struct buf *b, const char *text, size_t n)
{
	static const char brief[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
	size_t from = 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)text[i];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, text + from, i - from);
		from = i + 1;
		if (c >= 0x20)
			buf_add(b, (char[]){'\\', (char)c}, 2);
		else if (brief[c])
			buf_add(b, (char[]){'\\', brief[c]}, 2);
		else
			buf_addf(b, "\\u%04x", c);
	}
	buf_add(b, text + from, n - from);
}
