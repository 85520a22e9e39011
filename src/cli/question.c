#include "cli/question.h"

#include <stdio.h>

bool asked_take(struct asked *a, int key, const char *value)
{
	const char **where[] = {&a->vendor, &a->since, &a->until, &a->category, &a->jurisdiction};
	if (key < OPT_VENDOR || key > OPT_JURISDICTION)
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
	return json_pack("{s:s, s:s*, s:s*, s:s*, s:s*, s:s*}", "do", word, "vendor", a->vendor, "since", a->since, "until", a->until,
			 "category", a->category, "jurisdiction", a->jurisdiction);
}

void asked_print_counts(const json_t *answer, const char *list, const char *name, const char *title)
{
	const json_t *v = json_object_get(answer, list);
	size_t i;
	json_t *x;
	if (json_array_size(v) == 0)
		return;
	printf("\n%s\n", title);
	json_array_foreach((json_t *)(uintptr_t)v, i, x)
		printf("  %10lld  %s\n", (long long)json_integer_value(json_object_get(x, "people")), json_string_value(json_object_get(x, name)));
}
