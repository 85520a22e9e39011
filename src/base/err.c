#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[] = {
	[ERR_SYNTAX] = "syntax", [ERR_LIMIT] = "limit", [ERR_INPUT] = "input", [ERR_NOTFOUND] = "not_found",
	[ERR_DENIED] = "denied", [ERR_CONFLICT] = "conflict", [ERR_IO] = "io", [ERR_FULL] = "full",
	[ERR_CORRUPT] = "corrupt", [ERR_CRYPTO] = "crypto", [ERR_AGAIN] = "again", [ERR_BUG] = "bug",
};

const char *err_code_name(enum err_code code)
{
	return (size_t)code < sizeof names / sizeof *names && names[code] ? names[code] : "unknown";
}

__attribute__((format(printf, 5, 0))) static int fill(struct err *e, enum err_code code, size_t off, int sys, const char *fmt,
						      va_list ap)
{
	e->code = code;
	e->off = off;
	e->sys = sys;
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	return -1;
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fill(e, code, ERR_NOOFF, 0, fmt, ap);
	va_end(ap);
	return -1;
}

int err_at(struct err *e, enum err_code code, size_t off, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fill(e, code, off, 0, fmt, ap);
	va_end(ap);
	return -1;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int sys = errno;
	enum err_code code = sys == ENOSPC || sys == EDQUOT ? ERR_FULL : sys == ENOENT ? ERR_NOTFOUND : ERR_IO;
	va_list ap;
	va_start(ap, fmt);
	fill(e, code, ERR_NOOFF, sys, fmt, ap);
	va_end(ap);
	size_t n = strlen(e->msg);
	snprintf(e->msg + n, sizeof e->msg - n, ": %s", strerror(sys));
	return -1;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char head[sizeof e->msg], tail[sizeof e->msg];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(head, sizeof head, fmt, ap);
	va_end(ap);
	memcpy(tail, e->msg, sizeof tail);
	size_t n = strlen(head), left = sizeof e->msg - 1;
	if (n > left)
		n = left;
	memcpy(e->msg, head, n);
	size_t m = strlen(tail);
	if (m > left - n)
		m = left - n;
	memcpy(e->msg + n, tail, m);
	e->msg[n + m] = 0;
	return -1;
}

void must_fail(const char *file, int line, const char *cond)
{
	fprintf(stderr, "weir: bug: %s:%d: %s does not hold\n", file, line, cond);
	abort();
}

static void *checked(void *p)
{
	if (p)
		return p;
	fputs("weir: out of memory\n", stderr);
	_exit(3);
}

void *xmalloc(size_t n)
{
	return checked(malloc(n ? n : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return checked(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t n)
{
	return checked(realloc(p, n ? n : 1));
}

char *xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return checked(strndup(s, n));
}

char *xasprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return checked(n < 0 ? NULL : s);
}
