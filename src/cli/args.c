#include "cli/args.h"

#include <stdio.h>
#include <string.h>

#include "base/diag.h"

static bool take(const struct command *self, struct args *a, int key, const char *name_or_value)
{
	if (a->given_len == ARGS_GIVEN) {
		cli_wrong(self, "more than %d options", ARGS_GIVEN);
		return false;
	}
	a->given[a->given_len++] = (struct args_given){key, name_or_value};
	a->value[key] = name_or_value;
	return true;
}

static const char *name_of(const struct opt *opts, size_t n, int key)
{
	for (size_t i = 0; i < n; i++)
		if (opts[i].key == key)
			return opts[i].name;
	return "";
}

static bool operand(const struct command *self, struct args *a, const char *text, unsigned most)
{
	if (most == 0)
		cli_wrong(self, "%s: only options belong here", text);
	else if (a->n == most)
		cli_wrong(self, most == 1 ? "%s: one at a time" : "%s: one word too many", text);
	else
		a->operand[a->n++] = text;
	return most && a->n <= most && a->operand[a->n - 1] == text;
}

bool args_read(const struct command *self, int argc, char **argv, const struct opt *opts, size_t opts_len, unsigned most,
	       struct args *out, int *status)
{
	struct opt_state s;
	*out = (struct args){0};
	*status = EXIT_USE;
	opt_init(&s, argc, argv);
	for (int k; (k = opt_next(&s, self, opts, opts_len)) != OPT_END;) {
		if (k == OPT_HELP)
			*status = cli_help(self);
		if (k == OPT_HELP || k == OPT_BAD)
			return false;
		if (k == OPT_OPERAND ? !operand(self, out, s.value, most)
				     : !take(self, out, k, s.value ? s.value : name_of(opts, opts_len, k)))
			return false;
	}
	*status = EXIT_DONE;
	return true;
}

/* "list, explain, check or load" */
static void name_words(const struct word *words, size_t n, char *out, size_t size)
{
	size_t len = 0;
	out[0] = 0;
	for (size_t i = 0; i < n && len < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", words[i].name);
}

static bool fits(const struct command *self, const struct args *a, const struct word *w, const struct opt *opts, size_t opts_len)
{
	for (size_t i = 0; i < a->given_len; i++) {
		int key = a->given[i].key;
		if (key != ARG_DIR && key != ARG_JSON && !(w->options & 1u << key)) {
			cli_wrong(self, "%s has no use for %s", w->name, name_of(opts, opts_len, key));
			return false;
		}
	}
	if (a->n >= w->least && a->n <= w->most)
		return true;
	if (w->most == 0)
		cli_wrong(self, "%s: %s takes nothing behind it", a->operand[0], w->name);
	else if (a->n > w->most)
		cli_wrong(self, "%s: %s takes %s and no more", a->operand[w->most], w->name, w->takes);
	else
		cli_wrong(self, "%s takes %s", w->name, w->takes);
	return false;
}

static int unknown(const struct command *self, const char *word, const struct word *words, size_t n, const char *all)
{
	const char *names[32];
	size_t k = n < sizeof names / sizeof *names ? n : sizeof names / sizeof *names;
	for (size_t i = 0; i < k; i++)
		names[i] = words[i].name;
	const char *near = diag_nearest(word, strlen(word), names, k);
	return near ? cli_wrong(self, "%s: no such word; did you mean %s?", word, near) : cli_wrong(self, "%s: no such word; %s?", word, all);
}

int args_words(const struct command *self, int argc, char **argv, const struct opt *opts, size_t opts_len, const struct word *words,
	       size_t words_len)
{
	char names[256];
	struct args a;
	int status;
	if (!args_read(self, argc, argv, opts, opts_len, ARGS_OPERANDS, &a, &status))
		return status;
	name_words(words, words_len, names, sizeof names);
	if (!a.n)
		return cli_wrong(self, "%s?", names);
	a.word = a.operand[0];
	memmove(a.operand, a.operand + 1, a.n-- * sizeof *a.operand);
	for (size_t i = 0; i < words_len; i++)
		if (strcmp(words[i].name, a.word) == 0)
			return fits(self, &a, &words[i], opts, opts_len) ? words[i].run(self, &a) : EXIT_USE;
	return unknown(self, a.word, words, words_len, names);
}
