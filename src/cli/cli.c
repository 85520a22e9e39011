#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void opt_init(struct opt_state *s, int argc, char **argv)
{
	*s = (struct opt_state){.at = 1, .argc = argc, .argv = argv};
}

static const struct opt *match(const char *arg, const struct opt *opts, size_t n, const char **value)
{
	*value = NULL;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(opts[i].name);
		if (strncmp(arg, opts[i].name, len) == 0 && (arg[len] == 0 || arg[len] == '=')) {
			*value = arg[len] ? arg + len + 1 : NULL;
			return &opts[i];
		}
		if (opts[i].brief && arg[1] == opts[i].brief && arg[2] == 0)
			return &opts[i];
	}
	return NULL;
}

int opt_next(struct opt_state *s, const struct command *self, const struct opt *opts, size_t n)
{
	if (s->at >= s->argc)
		return OPT_END;
	const char *arg = s->argv[s->at++];
	if (!s->ended && strcmp(arg, "--") == 0) {
		s->ended = true;
		return opt_next(s, self, opts, n);
	}
	if (s->ended || arg[0] != '-' || arg[1] == 0) {
		s->value = arg;
		return OPT_OPERAND;
	}
	if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
		return OPT_HELP;
	const struct opt *o = match(arg, opts, n, &s->value);
	if (!o) {
		cli_wrong(self, "unknown option %s", arg);
		return OPT_BAD;
	}
	if (o->value && !s->value) {
		if (s->at >= s->argc) {
			cli_wrong(self, "%s needs a value", o->name);
			return OPT_BAD;
		}
		s->value = s->argv[s->at++];
	} else if (!o->value && s->value) {
		cli_wrong(self, "%s takes no value", o->name);
		return OPT_BAD;
	}
	return o->key;
}

int cli_fail(const char *what, const struct err *err)
{
	if (err->off != ERR_NOOFF)
		fprintf(stderr, "weir: %s: byte %zu: %s\n", what, err->off, err->msg);
	else
		fprintf(stderr, "weir: %s: %s\n", what, err->msg);
	switch (err->code) {
	case ERR_DENIED:
	case ERR_CORRUPT:
	case ERR_CRYPTO:
		return EXIT_NO;
	case ERR_SYNTAX:
	case ERR_LIMIT:
	case ERR_INPUT:
	case ERR_NOTFOUND:
	case ERR_CONFLICT:
		return EXIT_USE;
	case ERR_IO:
	case ERR_FULL:
	case ERR_AGAIN:
	case ERR_BUG:
		return EXIT_FAULT;
	}
	return EXIT_FAULT;
}

int cli_wrong(const struct command *self, const char *fmt, ...)
{
	va_list ap;
	fprintf(stderr, "weir: %s: ", self->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; `weir help %s` says more\n", self->name);
	return EXIT_USE;
}

int cli_help(const struct command *self)
{
	printf("%s: %s\n\n%s", self->name, self->brief, self->usage);
	return EXIT_DONE;
}

bool cli_colour(int fd)
{
	const char *no = getenv("NO_COLOR");
	return isatty(fd) && !(no && *no);
}

int cli_read(const char *path, size_t max, struct buf *out, struct err *err)
{
	enum { STEP = 1 << 20, PAD = 64 };
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "%s", path);
	struct stat st;
	size_t step = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (size_t)st.st_size + 1 : STEP;
	int r = 0;
	for (;;) {
		if (!buf_reserve(out, step + PAD)) {
			r = err_set(err, ERR_LIMIT, "%s: larger than this machine lets us hold", path);
			break;
		}
		ssize_t n = read(fd, out->data + out->len, step);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = err_sys(err, "%s", path);
			break;
		}
		out->len += (size_t)n;
		if (n == 0)
			break;
		if (out->len > max) {
			r = err_set(err, ERR_LIMIT, "%s: larger than %zu bytes", path, max);
			break;
		}
		if ((size_t)n == step)
			step = STEP;
	}
	if (r == 0)
		memset(out->data + out->len, 0, PAD);
	if (fd != STDIN_FILENO)
		close(fd);
	return r;
}

int cli_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;
	while (n) {
		ssize_t k = write(fd, at, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return -1;
		at += k;
		n -= (size_t)k;
	}
	return 0;
}
