#include "cli/question.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/diag.h"
#include "cli/ask.h"
#include "contract/contract.h"

enum { VENDORS_NAMED = 200 };

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

/* ---- is it there at all? --------------------------------------------------------------------------------------------- */

bool asked_nobody(const json_t *answer)
{
	static const char *const counts[] = {"people", "identifiers", "events", "attested_deleted", "erased"};
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		if (json_integer_value(json_object_get(answer, counts[i])) != 0)
			return false;
	return true;
}

/* 1: the registry has it; 0: it hasn't, *near may be what was meant; -1: it can't be asked just now. */
static int registered(const char *dir, const char *vendor, char near[static 80])
{
	const char *names[VENDORS_NAMED];
	size_t n = 0, i;
	json_t *answer, *v;
	struct err err;
	bool found = false;
	near[0] = 0;
	if (ask(dir, json_pack("{s:s}", "do", "vendors"), &answer, &err) < 0)
		return -1;
	json_array_foreach(json_object_get(answer, "vendors"), i, v) {
		if (n < VENDORS_NAMED)
			names[n++] = ask_text(v, "vendor");
		found |= strcmp(ask_text(v, "vendor"), vendor) == 0;
	}
	const char *nearest = found ? NULL : diag_nearest(vendor, strlen(vendor), names, n);
	if (nearest)
		snprintf(near, 80, "; did you mean %s?", nearest);
	json_decref(answer);
	return found;
}

static bool category_recorded(const json_t *holdings, const char *category)
{
	const size_t n = strlen(category);
	size_t i;
	json_t *c;
	json_array_foreach(json_object_get(holdings, "categories"), i, c) {
		const char *name = ask_text(c, "category");
		if (strncmp(name, category, n) == 0 && (name[n] == 0 || name[n] == '.'))
			return true;
	}
	return false;
}

static int category_known(const json_t *holdings, const char *category, struct err *err)
{
	bool same = false;
	const char *near = category_nearest(category, &same);
	if (same || category_recorded(holdings, category))
		return 0;
	return err_set(err, ERR_INPUT, "no category %.60s: neither Fideslang nor what was recorded has it%s%s%s", category, near ? "; did you mean " : "",
		       near ? near : "", near ? "?" : "");
}

int asked_is_known(const char *dir, const struct asked *a, struct err *err)
{
	char near[80];
	json_t *holdings;
	int listed = registered(dir, a->vendor, near);
	if (listed < 0 || (listed == 1 && !a->category))
		return 0;
	if (ask(dir, json_pack("{s:s, s:s}", "do", "holdings", "vendor", a->vendor), &holdings, err) < 0)
		return -1;
	int r = 0;
	if (listed == 0 && asked_nobody(holdings))
		r = err_set(err, ERR_INPUT, "no vendor %.63s: neither the registry nor the ledger knows it%s", a->vendor, near);
	if (r == 0 && a->category)
		r = category_known(holdings, a->category, err);
	json_decref(holdings);
	return r;
}

/* ---- printing ---------------------------------------------------------------------------------------------------------- */

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
