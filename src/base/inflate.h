/*
 * Decompression of whole bodies with a cap (the bomb guard): gzip (RFC 1952), zlib and raw deflate (RFC 1950, 1951),
 * zstd (RFC 8878).  Pure.  Contexts are kept per thread.
 */
#ifndef BASE_INFLATE_H
#define BASE_INFLATE_H

#include "base/buf.h"
#include "base/err.h"

enum inflate_kind { INFLATE_GZIP, INFLATE_DEFLATE, INFLATE_ZSTD };

/* What the first bytes say: gzip or zstd magic; false when neither. */
bool inflate_sniff(const void *p, size_t n, enum inflate_kind *kind);
/* Appends to out, 64 zeroed bytes beyond out->len are reserved behind it.  ERR_LIMIT when more than max_bytes come
 * out, ERR_SYNTAX for damage, a truncated stream or trailing bytes. */
int inflate_body(enum inflate_kind kind, const void *p, size_t n, size_t max_bytes, struct buf *out, struct err *err);

#endif
