/*
 * Errors: functions that can fail return 0 or -1 and fill a struct err, last argument; iterators return 1, 0 or -1.
 *
 * On success err is untouched.  A message is one line for a person, points (offset, JSON pointer, rule) and never
 * quotes payload.  On the way up a caller may put its context in front with err_prefix.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

enum err_code {
	ERR_SYNTAX = 1,	/* input breaks its grammar */
	ERR_LIMIT,	/* a stated ceiling was passed */
	ERR_INPUT,	/* input is well formed and wrong */
	ERR_NOTFOUND,	/* the thing named does not exist */
	ERR_DENIED,	/* a rule, state or permission says no */
	ERR_CONFLICT,	/* exists already, or another holder has it */
	ERR_IO,		/* the operating system failed us; err.sys holds errno */
	ERR_FULL,	/* no space: disk or quota */
	ERR_CORRUPT,	/* what we wrote earlier is damaged */
	ERR_CRYPTO,	/* wrong key, bad signature, forged bytes */
	ERR_AGAIN,	/* may work later */
	ERR_BUG,	/* our own fault */
};

#define ERR_NOOFF ((size_t)-1)

struct err {
	enum err_code code;
	int sys;	/* errno, or 0 */
	size_t off;	/* byte offset in the input, or ERR_NOOFF */
	char msg[240];
};

/* All return -1, so that a caller can write `return err_set(...)`. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_at(struct err *e, enum err_code code, size_t off, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* ERR_FULL for ENOSPC and EDQUOT, ERR_NOTFOUND for ENOENT, else ERR_IO; appends strerror(errno). */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *err_code_name(enum err_code code);

/* A broken invariant: prints file, line and condition, then aborts, in every build. */
#define must(cond) ((cond) ? (void)0 : must_fail(__FILE__, __LINE__, #cond))
void must_fail(const char *file, int line, const char *cond) __attribute__((noreturn));

/* Heap that succeeds or does not return (Postfix mymalloc). */
void *xmalloc(size_t n) __attribute__((malloc));
void *xcalloc(size_t n, size_t size) __attribute__((malloc));
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s) __attribute__((malloc));
char *xstrndup(const char *s, size_t n) __attribute__((malloc));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
