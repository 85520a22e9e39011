/* What `weir incident` shows on a terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/incident.h"

static const char *text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));
	return s ? s : "-";
}

static long long number(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

static void print_counts(const json_t *scope)
{
	const json_t *c = json_object_get(scope, "counts"), *newly = json_object_get(scope, "newly");
	size_t i;
	json_t *v;
	printf("  people     %lld (%lld identifiers, %lld events)", number(c, "people"), number(c, "identifiers"), number(c, "events"));
	if (json_is_integer(newly))
		printf(", %lld of them new in this version", (long long)json_integer_value(newly));
	printf("\n  digest     %s\n", text(scope, "sha256"));
	json_array_foreach(json_object_get(c, "categories"), i, v)
		printf("  %-32s %lld\n", text(v, "category"), number(v, "people"));
}

void incident_print_opened(const json_t *a)
{
	const json_t *scope = json_object_get(a, "scope");
	if (json_object_get(a, "vendor"))
		printf("incident %lld: %s is %s%s\n", number(a, "id"), text(a, "vendor"), text(a, "state"),
		       json_is_true(json_object_get(a, "cut_off")) ? ", cut off: gate and courier obey" : "");
	if (scope)
		print_counts(scope);
	if (json_object_get(a, "uncounted"))
		printf("  not counted: %s\n", text(a, "uncounted"));
}

static void print_severity(const char *title, const json_t *s)
{
	if (!json_is_object(s))
		return;
	printf("  %-10s %s: %lld quarters (DPC %lld, EI %lld, +%lld)\n", title, text(s, "band"), number(s, "quarters"), number(s, "dpc"),
	       number(s, "ei"), number(s, "confidentiality") + number(s, "integrity") + number(s, "availability") + number(s, "malice"));
	if (json_object_get(s, "by"))
		printf("             by %s: %s\n", text(s, "by"), text(s, "why"));
}

static bool quiet_clock(const json_t *c)
{
	const char *s = text(c, "state");
	return strcmp(s, "not started") == 0 || strcmp(s, "not applicable") == 0 || strcmp(s, "proposed law") == 0;
}

static int by_due(const void *a, const void *b)
{
	const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
	const char *p = json_string_value(json_object_get(x, "due")), *q = json_string_value(json_object_get(y, "due"));
	return p && q ? strcmp(p, q) : (q != NULL) - (p != NULL);
}

/* The soonest first; those without a number behind them. */
static void print_clocks(const json_t *list, bool all)
{
	size_t n = json_array_size(list), hidden = 0;
	const json_t **sorted = xcalloc(n + 1, sizeof *sorted);
	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(list, i);
	qsort(sorted, n, sizeof *sorted, by_due);
	for (size_t i = 0; i < n; i++) {
		const json_t *c = sorted[i];
		if (quiet_clock(c) && !all) {
			hidden++;
			continue;
		}
		printf("  %-12s %-20s  %s (%s)%s\n", text(c, "state"), text(c, "due"), text(c, "id"), text(c, "jurisdiction"),
		       json_is_true(json_object_get(c, "verified")) ? "" : "  UNVERIFIED");
		if (json_is_string(json_object_get(c, "why")))
			printf("  %36s%s\n", "", text(c, "why"));
	}
	free(sorted);
	if (hidden)
		printf("  %zu more that have not started or don't apply: --all shows them\n", hidden);
}

void incident_print_shown(const json_t *j, bool all)
{
	size_t i;
	json_t *v;
	const char *name;
	printf("incident %lld: %s, %s%s\n  opened     %s by %s: %s\n", number(j, "id"), text(j, "vendor"), text(j, "state"),
	       json_is_true(json_object_get(j, "cut_off")) ? ", cut off" : "", text(j, "at"), text(j, "by"), text(j, "why"));
	json_array_foreach(json_object_get(j, "scopes"), i, v) {
		printf("\nscope %lld, %s by %s: %s\n", number(v, "n"), text(v, "at"), text(v, "by"), text(v, "why"));
		print_counts(v);
	}
	puts("\nseverity (ENISA 2013; quarters)");
	print_severity("proposed", json_object_get(json_object_get(j, "severity"), "proposed"));
	print_severity("confirmed", json_object_get(json_object_get(j, "severity"), "confirmed"));
	puts("\nanchors");
	json_object_foreach(json_object_get(j, "anchors"), name, v)
		printf("  %-26s %s by %s: %s\n", name, text(v, "at"), text(v, "by"), text(v, "why"));
	puts("\nmessages");
	json_array_foreach(json_object_get(j, "messages"), i, v)
		printf("  %lld %s from %s; if this made us aware, GDPR 33(1) is due %s\n", number(v, "n"), text(v, "received"), text(v, "from"),
		       text(v, "if_aware_gdpr_33_due"));
	puts("\nclocks (not legal advice; UNVERIFIED rows were never compared with the law's text)");
	print_clocks(json_object_get(j, "clocks"), all);
	puts("\ntimeline");
	json_array_foreach(json_object_get(j, "timeline"), i, v)
		printf("  %s  %-12s %-18s %s\n", text(v, "at"), text(v, "who"), text(v, "kind"), text(v, "text"));
}

void incident_print_list(const json_t *answer)
{
	size_t i;
	json_t *v;
	printf("%-4s %-20s %-10s %-8s %10s  %s\n", "ID", "VENDOR", "STATE", "CUT OFF", "PEOPLE", "OPENED");
	json_array_foreach(json_object_get(answer, "incidents"), i, v)
		printf("%-4lld %-20s %-10s %-8s %10lld  %s\n", number(v, "id"), text(v, "vendor"), text(v, "state"),
		       json_is_true(json_object_get(v, "cut_off")) ? "yes" : "no", number(v, "people"), text(v, "at"));
}

void incident_print_done(const json_t *a)
{
	printf("incident %lld: %s is %s%s\n", number(a, "id"), text(a, "vendor"), text(a, "state"),
	       json_is_true(json_object_get(a, "cut_off")) ? ", cut off" : "");
}

void incident_print_scored(const json_t *a)
{
	print_severity("confirmed", json_object_get(a, "severity"));
}
