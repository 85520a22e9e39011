#include "base/inflate.h"

#include <libdeflate.h>
#include <zstd.h>

enum { PAD = 64 };

bool inflate_sniff(const void *p, size_t n, enum inflate_kind *kind)
{
	const uint8_t *b = p;
	if (n >= 3 && b[0] == 0x1f && b[1] == 0x8b && b[2] == 8) {
		*kind = INFLATE_GZIP;
		return true;
	}
	if (n >= 4 && b[0] == 0x28 && b[1] == 0xb5 && b[2] == 0x2f && b[3] == 0xfd) {
		*kind = INFLATE_ZSTD;
		return true;
	}
	return false;
}

static _Thread_local struct libdeflate_decompressor *lib;

static enum libdeflate_result step(enum inflate_kind kind, const void *p, size_t n, void *out, size_t cap, size_t *in_used,
				   size_t *out_used)
{
	if (kind == INFLATE_GZIP)
		return libdeflate_gzip_decompress_ex(lib, p, n, out, cap, in_used, out_used);
	enum libdeflate_result r = libdeflate_zlib_decompress_ex(lib, p, n, out, cap, in_used, out_used);
	if (r == LIBDEFLATE_BAD_DATA)	/* HTTP's "deflate" is zlib; some senders mean the bare stream */
		r = libdeflate_deflate_decompress_ex(lib, p, n, out, cap, in_used, out_used);
	return r;
}

static int by_libdeflate(enum inflate_kind kind, const void *p, size_t n, size_t max, struct buf *out, struct err *err)
{
	if (!lib && !(lib = libdeflate_alloc_decompressor()))
		return err_set(err, ERR_BUG, "no memory for a decompressor");
	size_t cap = n < max / 4 ? n * 4 + 1024 : max;
	for (;;) {
		size_t in_used = 0, out_used = 0;
		if (cap > max)
			cap = max;
		if (!buf_reserve(out, cap + PAD))
			return err_set(err, ERR_LIMIT, "body decompresses to more than %zu bytes", max);
		enum libdeflate_result r = step(kind, p, n, out->data + out->len, cap, &in_used, &out_used);
		if (r == LIBDEFLATE_INSUFFICIENT_SPACE) {
			if (cap == max)
				return err_set(err, ERR_LIMIT, "body decompresses to more than %zu bytes", max);
			cap *= 4;
			continue;
		}
		if (r != LIBDEFLATE_SUCCESS || in_used != n)
			return err_set(err, ERR_SYNTAX, "compressed body is damaged or cut off");
		out->len += out_used;
		return 0;
	}
}

static _Thread_local ZSTD_DCtx *zstd;

static int by_zstd(const void *p, size_t n, size_t max, struct buf *out, struct err *err)
{
	if (!zstd && !(zstd = ZSTD_createDCtx()))
		return err_set(err, ERR_BUG, "no memory for a decompressor");
	ZSTD_DCtx_reset(zstd, ZSTD_reset_session_only);
	ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, 23);
	size_t start = out->len, rest = 1;
	ZSTD_inBuffer in = {p, n, 0};
	while (rest != 0) {
		size_t have = out->len - start, want = 128 * 1024;
		if (have + want > max + 1)
			want = max + 1 - have;
		if (want == 0 || !buf_reserve(out, want + PAD))
			return err_set(err, ERR_LIMIT, "body decompresses to more than %zu bytes", max);
		ZSTD_outBuffer o = {out->data + out->len, want, 0};
		size_t before = in.pos;
		rest = ZSTD_decompressStream(zstd, &o, &in);
		out->len += o.pos;
		if (ZSTD_isError(rest) || (rest != 0 && o.pos == 0 && in.pos == before))
			return err_set(err, ERR_SYNTAX, "compressed body is damaged or cut off");
		if (out->len - start > max)
			return err_set(err, ERR_LIMIT, "body decompresses to more than %zu bytes", max);
	}
	return in.pos == n ? 0 : err_set(err, ERR_SYNTAX, "bytes follow the compressed body");
}

int inflate_body(enum inflate_kind kind, const void *p, size_t n, size_t max, struct buf *out, struct err *err)
{
	int r = kind == INFLATE_ZSTD ? by_zstd(p, n, max, out, err) : by_libdeflate(kind, p, n, max, out, err);
	if (r == 0 && buf_reserve(out, PAD))
		memset(out->data + out->len, 0, PAD);
	return r;
}
