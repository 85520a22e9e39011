/*
 * One byte says how, the rest is what is hidden so: text that reaches each decoder, which any bytes hardly ever do.  Hits lie
 * inside and apart, redacting leaves nothing behind, and an address alone is found however it is written.
 */
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "detect/core.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* ---- ways of writing --------------------------------------------------------------------------------------------- */

typedef void encode_fn(struct buf *out, const uint8_t *p, size_t n);

#define EACH(name, form) \
	static void name(struct buf *out, const uint8_t *p, size_t n) \
	{ \
		for (size_t i = 0; i < n; i++) \
			buf_addf(out, form, p[i]); \
	}
EACH(percent, "%%%02X")
EACH(percent_u, "%%u%04x")
EACH(unicode, "\\u%04x")
EACH(unicode_deep, "\\\\u%04x")
EACH(c_hex, "\\x%02x")
EACH(octal, "\\%03o")
EACH(html, "&#%u;")
EACH(html_hex, "&#x%x;")
EACH(html_twice, "&amp;#%u;")
EACH(quoted, "=%02X")
EACH(hex, "%02x")
EACH(zero_width, "%c\xe2\x80\x8b")

static void plain(struct buf *out, const uint8_t *p, size_t n)
{
	buf_add(out, p, n);
}

static void wide(struct buf *out, const uint8_t *p, size_t n)	/* UTF-16 */
{
	for (size_t i = 0; i < n; i++) {
		buf_add(out, &p[i], 1);
		buf_add(out, "", 1);
	}
}

static void full_width(struct buf *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned cp = 0xff00u + p[i] - ' ';
		if (p[i] > ' ' && p[i] < 127)
			buf_addf(out, "%c%c%c", 0xe0 | cp >> 12, 0x80 | (cp >> 6 & 63), 0x80 | (cp & 63));
		else
			buf_add(out, &p[i], 1);
	}
}

static void json(struct buf *out, const uint8_t *p, size_t n)
{
	buf_adds(out, "{\"u\":\"");
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '"' || p[i] == '\\')
			buf_adds(out, "\\");
		buf_add(out, &p[i], 1);
	}
	buf_adds(out, "\"}");
}

static void base64(struct buf *out, const uint8_t *p, size_t n)
{
	must(buf_reserve(out, 4 * ((n + 2) / 3) + 1));
	out->len += base64_encode(p, n, (char *)out->data + out->len);
}

static void base64_lines(struct buf *out, const uint8_t *p, size_t n)
{
	enum { LINE = 12 };
	for (size_t i = 0; i < n; i += LINE) {
		base64(out, p + i, n - i < LINE ? n - i : LINE);
		buf_adds(out, i + LINE < n ? "\r\n" : "");
	}
}

static void base32(struct buf *out, const uint8_t *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint32_t bits = 0, have = 0;
	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | p[i];
		for (have += 8; have >= 5; have -= 5)
			buf_add(out, &digits[bits >> (have - 5) & 31], 1);
	}
	if (have)
		buf_add(out, &digits[bits << (5 - have) & 31], 1);
}

static void deflated(struct buf *out, const uint8_t *p, size_t n, bool gzip)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
	size_t cap = libdeflate_gzip_compress_bound(c, n);
	uint8_t *packed = xcalloc(cap, 1);
	base64(out, packed, gzip ? libdeflate_gzip_compress(c, p, n, packed, cap) : libdeflate_zlib_compress(c, p, n, packed, cap));
	free(packed);
	libdeflate_free_compressor(c);
}

static void gzip64(struct buf *out, const uint8_t *p, size_t n)
{
	deflated(out, p, n, true);
}

static void zlib64(struct buf *out, const uint8_t *p, size_t n)
{
	deflated(out, p, n, false);
}

static void zstd64(struct buf *out, const uint8_t *p, size_t n)
{
	size_t cap = ZSTD_compressBound(n);
	uint8_t *packed = xcalloc(cap, 1);
	base64(out, packed, ZSTD_compress(packed, cap, p, n, 3));
	free(packed);
}

static encode_fn *const ways[] = {plain, percent, percent_u, unicode, unicode_deep, c_hex, octal, html, html_hex, html_twice, quoted, hex, zero_width,
				  wide, full_width, json, base64, base64_lines, base32, gzip64, zlib64, zstd64};
enum { WAYS = sizeof ways / sizeof *ways };

/* ---- what must hold ---------------------------------------------------------------------------------------------- */

enum { MAX = 64 };

static size_t scan(struct buf *b, struct detect_hit *hits)
{
	must(buf_reserve(b, 64));
	memset(b->data + b->len, 0, 64);
	size_t k = detect_scan((char *)b->data, b->len, DETECT_ALL, hits, MAX), at = 0;
	for (size_t i = 0; i < k; i++) {
		must(hits[i].start >= at && hits[i].start < hits[i].end && hits[i].end <= b->len);
		at = hits[i].end;
	}
	return k;
}

static void nothing_stays(struct buf *b)
{
	struct detect_hit hits[MAX];
	struct buf left;
	size_t k = scan(b, hits), at = 0;
	buf_init(&left, 0);
	for (size_t i = 0; i < k; i++) {
		buf_add(&left, b->data + at, hits[i].start - at);
		buf_adds(&left, hits[i].kind->placeholder);
		at = hits[i].end;
	}
	buf_add(&left, b->data + at, b->len - at);
	must(scan(&left, hits) == 0);
	buf_release(&left);
}

static void address_is_found(encode_fn *way, const uint8_t *p, size_t n)
{
	enum { LOCAL = 20 };
	struct detect_hit hits[MAX];
	struct buf address, b;
	buf_init(&address, 0);
	buf_init(&b, 0);
	buf_adds(&address, "a");
	for (size_t i = 0; i < n && address.len < LOCAL; i++)
		if (is(p[i], C_ALNUM))
			buf_add(&address, &p[i], 1);
	buf_adds(&address, "@example.org");
	way(&b, address.data, address.len);
	must(scan(&b, hits) > 0);
	buf_release(&address);
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf once, twice;
	if (n < 2)
		return 0;
	encode_fn *inner = ways[p[0] % WAYS], *outer = ways[p[1] % WAYS];
	buf_init(&once, 0);
	buf_init(&twice, 0);
	inner(&once, p + 2, n - 2);
	buf_adds(&once, " ");
	outer(&twice, once.data, once.len);
	nothing_stays(&once);
	nothing_stays(&twice);
	address_is_found(inner, p + 2, n - 2);
	buf_release(&once);
	buf_release(&twice);
	return 0;
}
