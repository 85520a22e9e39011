/* catalog/questionnaires/: what each file must hold, and the ones that are built in. */
#include <stdlib.h>
#include <string.h>

#include "assess/assess.h"

extern const char questionnaire_mvsp[];

static const struct {
	const char *id, *text;
} builtin[] = {{"mvsp", questionnaire_mvsp}};
enum { BUILTIN = sizeof builtin / sizeof *builtin };

static const char *const evidence_words[] = {"no", "expected", NULL}, *const seen_words[] = {"posture", "contract-notice", "contract-data", NULL};

static bool listed(const json_t *v, const char *const *words)
{
	const char *s = json_string_value(v);
	for (; s && *words; words++)
		if (strcmp(*words, s) == 0)
			return true;
	return false;
}

static bool filled(const json_t *o, const char *name)
{
	return json_string_length(json_object_get(o, name)) > 0;
}

static int check_control(const json_t *q, size_t i, struct err *err)
{
	static const char *const texts[] = {"id", "title", "question"};
	const json_t *list = json_object_get(q, "controls"), *c = json_array_get(list, i), *seen = json_object_get(c, "seen");
	for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
		if (!filled(c, texts[k]))
			return err_set(err, ERR_INPUT, "/controls/%zu/%s is missing or empty", i, texts[k]);
	json_int_t weight = json_integer_value(json_object_get(c, "weight"));
	if (weight < 1 || weight > 10)
		return err_set(err, ERR_INPUT, "/controls/%zu/weight is a whole number from 1 to 10", i);
	if (!json_is_boolean(json_object_get(c, "verified")))
		return err_set(err, ERR_INPUT, "/controls/%zu/verified is true or false", i);
	if (!listed(json_object_get(c, "evidence"), evidence_words) || (seen && !listed(seen, seen_words)))
		return err_set(err, ERR_INPUT, "/controls/%zu: evidence or seen isn't one of its words", i);
	if (seen && strcmp(json_string_value(seen), "posture") == 0 && json_array_size(json_object_get(c, "rules")) == 0)
		return err_set(err, ERR_INPUT, "/controls/%zu/rules names no posture rule", i);
	for (size_t k = 0; k < i; k++) {
		const json_t *other = json_array_get(list, k);
		/* MVSP's own catalogue once carried 1.1's text under 2.1. */
		if (json_equal(json_object_get(other, "id"), json_object_get(c, "id")) ||
		    json_equal(json_object_get(other, "question"), json_object_get(c, "question")))
			return err_set(err, ERR_INPUT, "/controls/%zu says the same as /controls/%zu", i, k);
	}
	return 0;
}

int questionnaire_check(const json_t *q, struct err *err)
{
	static const char *const texts[] = {"id", "title", "version", "source", "licence", "wording"};
	size_t n = json_array_size(json_object_get(q, "controls"));
	if (json_integer_value(json_object_get(q, "weir_questionnaire")) != 1)
		return err_set(err, ERR_INPUT, "/weir_questionnaire is not 1");
	for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
		if (!filled(q, texts[k]))
			return err_set(err, ERR_INPUT, "/%s is missing or empty", texts[k]);
	if (n == 0 || n > 1000)
		return err_set(err, ERR_INPUT, "/controls holds 1 to 1000");
	for (size_t i = 0; i < n; i++)
		if (check_control(q, i, err) < 0)
			return -1;
	return 0;
}

const json_t *questionnaire_find(const char *id)
{
	static json_t *parsed[BUILTIN];
	for (size_t i = 0; i < BUILTIN; i++) {
		struct err err;
		if (strcmp(builtin[i].id, id) != 0)
			continue;
		if (!parsed[i])
			parsed[i] = json_loads(builtin[i].text, JSON_REJECT_DUPLICATES, NULL);
		must(parsed[i] && questionnaire_check(parsed[i], &err) == 0);
		return parsed[i];
	}
	return NULL;
}

const json_t *questionnaire_control(const json_t *q, const char *id)
{
	const json_t *list = json_object_get(q, "controls");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *c = json_array_get(list, i);
		if (strcmp(json_string_value(json_object_get(c, "id")), id) == 0)
			return c;
	}
	return NULL;
}
