/* Who of the list is affected: the ledger's answer, as one letter for each address. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/letters.h"

enum { PORTION_BYTES = 40 << 10, PORTION_IDS = 2000, GROUP_MAX = 64 };

int letters_ask(const struct incident_args *a, const char *word, json_t *request, json_t **answer, struct err *err)
{
	json_object_set_new(request, "do", json_string(word));
	json_object_set_new(request, "id", json_integer(a->id));
	return ask(a->dir, request, answer, err);
}

static int by_address(const void *a, const void *b)
{
	const struct letter *x = a, *y = b;
	return strcasecmp(x->email, y->email);
}

static void merge(struct letter *to, struct letter *from)
{
	size_t i;
	json_t *v;
	json_array_extend(to->persons, from->persons);
	json_array_foreach(from->categories, i, v) {
		size_t k = 0;
		while (k < json_array_size(to->categories) && !json_equal(json_array_get(to->categories, k), v))
			k++;
		if (k == json_array_size(to->categories))
			json_array_append(to->categories, v);
	}
	if (strcmp(from->first, to->first) < 0)
		memcpy(to->first, from->first, sizeof to->first);
	if (strcmp(from->last, to->last) > 0)
		memcpy(to->last, from->last, sizeof to->last);
	json_decref(from->persons);
	json_decref(from->categories);
}

/* Several accounts with one address get one letter with everything about them. */
static int group(struct letters *l, struct err *err)
{
	size_t n = 0, most = 0;
	if (l->n)
		qsort(l->v, l->n, sizeof *l->v, by_address);
	for (size_t i = 0; i < l->n; i++) {
		if (!n || strcasecmp(l->v[n - 1].email, l->v[i].email) != 0) {
			l->v[n++] = l->v[i];
			continue;
		}
		merge(&l->v[n - 1], &l->v[i]);
		if (json_array_size(l->v[n - 1].persons) > most)
			most = json_array_size(l->v[n - 1].persons);
	}
	l->n = n;
	return most <= GROUP_MAX ? 0 : err_set(err, ERR_INPUT, "more than %d accounts have one address", GROUP_MAX);
}

static int take_found(const struct addressees *list, size_t from, const json_t *found, struct letters *out, struct err *err)
{
	size_t i;
	const json_t *f;
	json_array_foreach(found, i, f) {
		size_t at = from + (size_t)json_integer_value(json_object_get(f, "i"));
		const char *subject = json_string_value(json_object_get(f, "subject")), *first = json_string_value(json_object_get(f, "first")),
			   *last = json_string_value(json_object_get(f, "last"));
		if (at >= list->n || out->n == list->n || !subject || !first || !last)
			return err_set(err, ERR_BUG, "the ledger's answer isn't complete");
		struct letter *l = &out->v[out->n++];
		*l = (struct letter){.email = list->v[at].email, .lang = list->v[at].lang, .persons = json_pack("[s]", subject),
				     .categories = json_deep_copy(json_object_get(f, "categories"))};
		snprintf(l->first, sizeof l->first, "%s", first);
		snprintf(l->last, sizeof l->last, "%s", last);
	}
	return 0;
}

/* The newest scope's range, and the vendor, as the ledger's question. */
static int question(const struct incident_args *a, json_t **out, struct err *err)
{
	json_t *shown;
	if (letters_ask(a, "incident-show", json_object(), &shown, err) < 0)
		return -1;
	const json_t *scopes = json_object_get(shown, "scopes");
	const json_t *q = json_object_get(json_array_get(scopes, json_array_size(scopes) - 1), "request");
	*out = q ? json_deep_copy(q) : json_pack("{s:O}", "vendor", json_object_get(shown, "vendor"));
	json_decref(shown);
	return 0;
}

/* Ids from *at on, as many as fit a request. */
static json_t *portion(const struct addressees *list, size_t *at)
{
	json_t *ids = json_array();
	for (size_t bytes = 0; *at < list->n && json_array_size(ids) < PORTION_IDS && bytes < PORTION_BYTES; ++*at) {
		bytes += 2 * strlen(list->v[*at].id) + 3;	/* with escapes */
		json_array_append_new(ids, json_string(list->v[*at].id));
	}
	return ids;
}

static int ask_resolve(const struct incident_args *a, const json_t *question, const char *without, json_t *ids, json_t **answer, struct err *err)
{
	json_t *q = json_deep_copy(question);
	json_object_del(q, without);
	json_object_set_new(q, "do", json_string("resolve"));
	json_object_set_new(q, "ids", ids);
	return ask(a->dir, q, answer, err);
}

/*
 * A scope may be about one category.  It says who is written to; what stands in their letters is all of theirs that went, or
 * the letter would tell them less than happened.  *answer is replaced by one about the same people.
 */
static int widen(const struct incident_args *a, const json_t *question, const json_t *ids, json_t **answer, struct err *err)
{
	json_t *chosen = json_array(), *all, *f;
	const json_t *found = json_object_get(*answer, "found");
	size_t i;
	json_array_foreach(found, i, f)
		json_array_append(chosen, json_array_get(ids, (size_t)json_integer_value(json_object_get(f, "i"))));
	if (ask_resolve(a, question, "category", chosen, &all, err) < 0)
		return -1;
	bool whole = json_array_size(json_object_get(all, "found")) == json_array_size(found);
	json_array_foreach(json_object_get(all, "found"), i, f) {
		const json_t *same = json_array_get(found, (size_t)json_integer_value(json_object_get(f, "i")));
		json_object_set(f, "i", json_object_get(same, "i"));
	}
	json_decref(*answer);
	*answer = all;
	return whole ? 0 : err_set(err, ERR_BUG, "the ledger's answer isn't complete");
}

static int resolve_portion(const struct incident_args *a, const json_t *question, const struct addressees *list, size_t at, json_t *ids,
			   struct letters *out, struct err *err)
{
	json_t *answer;
	if (ask_resolve(a, question, "", json_incref(ids), &answer, err) < 0)
		return -1;
	int rc = 0;
	if (json_object_get(question, "category") && json_array_size(json_object_get(answer, "found")))
		rc = widen(a, question, ids, &answer, err);
	if (rc == 0)
		rc = take_found(list, at, json_object_get(answer, "found"), out, err);
	json_decref(answer);
	return rc;
}

int letters_resolve(const struct incident_args *a, const struct addressees *list, struct letters *out, struct err *err)
{
	json_t *q;
	*out = (struct letters){0};
	if (question(a, &q, err) < 0)
		return -1;
	out->v = xcalloc(list->n + 1, sizeof *out->v);
	int rc = 0;
	for (size_t at = 0, to = 0; at < list->n && rc == 0; at = to) {
		json_t *ids = portion(list, &to);
		rc = resolve_portion(a, q, list, at, ids, out, err);
		json_decref(ids);
	}
	json_decref(q);
	out->unaffected = list->n - out->n;
	return rc < 0 ? rc : group(out, err);
}

void letters_release(struct letters *l)
{
	for (size_t i = 0; i < l->n; i++) {
		json_decref(l->v[i].persons);
		json_decref(l->v[i].categories);
	}
	free(l->v);
	*l = (struct letters){0};
}
