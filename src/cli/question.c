#include "cli/question.h"

#include <stdio.h>
#include <unistd.h>

bool asked_take(struct asked *a, int key, const char *value)
{
	const char **where[] = {&a->vendor, &a->since, &a->until, &a->category, &a->jurisdiction, &a->field};
	if (key < OPT_VENDOR || key > OPT_FIELD)
		return false;
	*where[key - OPT_VENDOR] = value;
	return true;
}

int asked_fail(const char *what, const struct err *err)
{
	int rc = cli_fail(what, err);
	return err->code == ERR_CORRUPT ? EXIT_FAULT : rc;
}

json_t *asked_request(const struct asked *a, const char *word)
{
	return json_pack("{s:s, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*}", "do", word, "vendor", a->vendor, "since", a->since, "until", a->until,
			 "category", a->category, "jurisdiction", a->jurisdiction, "field", a->field);
}

enum { BAR = 24 };

/* In a terminal, how much of the highest it is. */
static void print_bar(long long n, long long highest)
{
	if (!isatty(STDOUT_FILENO) || highest <= 0)
		return;
	long long full = (n * BAR + highest - 1) / highest;
	for (long long i = 0; i < BAR; i++)
		fputs(i < full ? "#" : " ", stdout);
	fputs("  ", stdout);
}

void asked_print_counts(const json_t *answer, const char *list, const char *name, const char *title)
{
	const json_t *v = json_object_get(answer, list);
	size_t i;
	json_t *x;
	if (json_array_size(v) == 0)
		return;
	long long highest = 0;
	json_array_foreach((json_t *)(uintptr_t)v, i, x)
		highest = json_integer_value(json_object_get(x, "people")) > highest ? json_integer_value(json_object_get(x, "people")) : highest;
	printf("\n%s\n", title);
	json_array_foreach((json_t *)(uintptr_t)v, i, x) {
		long long n = json_integer_value(json_object_get(x, "people"));
		printf("  %10lld  ", n);
		print_bar(n, highest);
		printf("%s\n", json_string_value(json_object_get(x, name)));
	}
}
