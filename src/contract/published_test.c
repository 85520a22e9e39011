/* What is published says what the code does: JSON Schema, docs/errors.md and the manual pages against the tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "contract/read.h"

static char *slurp(const char *name)
{
	char path[4096];
	snprintf(path, sizeof path, WEIR_SOURCE "/%s", name);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	char *text = calloc(1, 1 << 18);
	fread(text, 1, (1 << 18) - 1, f);
	fclose(f);
	return text;
}

/* ---- schema --------------------------------------------------------------------------------------------------- */

/* The schema of a section: "" the file, "delivery", "sources[]", "requires.assessment". */
static json_t *schema_of(json_t *schema, const char *section)
{
	char name[64];
	json_t *s = schema;
	snprintf(name, sizeof name, "%s", section);
	for (char *save = NULL, *w = strtok_r(name, ".", &save); w; w = strtok_r(NULL, ".", &save)) {
		char *list = strstr(w, "[]");
		if (list)
			*list = 0;
		s = json_object_get(json_object_get(s, "properties"), w);
		if (list)
			s = json_object_get(s, "items");
	}
	return s;
}

static bool required(json_t *schema, const char *name)
{
	size_t i;
	json_t *v;
	json_array_foreach(json_object_get(schema, "required"), i, v) if (strcmp(json_string_value(v), name) == 0) return true;
	return false;
}

static void schema_has_the_readers_keys(void **state)
{
	(void)state;
	json_error_t why;
	json_t *schema = json_loads(contract_schema(), JSON_REJECT_DUPLICATES, &why);
	if (!schema)
		fail_msg("schema: %s", why.text);
	for (size_t i = 0; i < contract_sections_len; i++) {
		const struct key_section *s = contract_sections[i];
		json_t *at = schema_of(schema, s->name), *props = json_object_get(at, "properties");
		if (!props || json_object_size(props) != s->n)
			fail_msg("schema of %s has other keys than the reader", s->name);
		assert_true(json_is_false(json_object_get(at, "additionalProperties")));
		for (size_t k = 0; k < s->n; k++) {
			json_t *p = json_object_get(props, s->rows[k].name);
			if (!p)
				fail_msg("schema lacks %s of %s", s->rows[k].name, s->name);
			if (required(at, s->rows[k].name) != s->rows[k].required)
				fail_msg("schema and reader disagree whether %s of %s is required", s->rows[k].name, s->name);
			json_t *words = json_object_get(p, "enum");
			for (size_t w = 0; words && s->rows[k].words && s->rows[k].words[w]; w++)
				assert_string_equal(json_string_value(json_array_get(words, w)), s->rows[k].words[w]);
		}
	}
	json_decref(schema);
}

static void schema_has_every_action(void **state)
{
	(void)state;
	json_t *schema = json_loads(contract_schema(), 0, NULL);
	json_t *rule = json_object_get(json_object_get(schema, "$defs"), "rule");
	json_t *map = json_array_get(json_object_get(rule, "oneOf"), 1), *props = json_object_get(map, "properties");
	size_t options = 0;
	for (int i = 0; i < ACTIONS; i++)
		assert_non_null(json_object_get(props, action_names[i]));
	for (; rule_options[options]; options++)
		assert_non_null(json_object_get(props, rule_options[options]));
	assert_int_equal(json_object_size(props), ACTIONS + options);
	assert_int_equal(json_array_size(json_object_get(map, "oneOf")), ACTIONS);	/* exactly one of them */
	json_t *types = json_object_get(json_array_get(json_object_get(json_object_get(props, "redact"), "oneOf"), 1), "items");
	assert_int_equal(json_array_size(json_object_get(types, "enum")), DETECT_TYPES);
	for (unsigned t = 0; t < DETECT_TYPES; t++)
		assert_string_equal(json_string_value(json_array_get(json_object_get(types, "enum"), t)),
				    detect_name((enum detect_type)t));
	json_decref(schema);
}

/* ---- docs/errors.md ------------------------------------------------------------------------------------------- */

static void every_code_is_explained(void **state)
{
	(void)state;
	char *text = slurp("docs/errors.md");
	size_t listed = 0, codes = 0;
	for (const char *p = text; (p = strstr(p, "\n| `")) != NULL; p++)
		listed++;
	for (; diag_codes[codes]; codes++) {
		char row[80];
		snprintf(row, sizeof row, "\n| `%s` |", diag_codes[codes]);
		const char *at = strstr(text, row);
		if (!at)
			fail_msg("docs/errors.md doesn't explain %s", diag_codes[codes]);
		if (strstr(at + 1, row))
			fail_msg("docs/errors.md explains %s twice", diag_codes[codes]);
	}
	assert_int_equal(listed, codes);	/* and nothing else */
	free(text);
}

/* ---- manual pages --------------------------------------------------------------------------------------------- */

/* Text without roff's escapes and fonts, so that words can be looked for. */
static char *unroff(char *text)
{
	char *o = text;
	for (const char *p = text; *p; p++) {
		if (*p == '\\' && p[1] == 'f' && p[2]) {
			p += 2;
			continue;
		}
		if (*p == '\\')
			continue;
		*o++ = *p;
	}
	*o = 0;
	return text;
}

/* Is there a .TP whose tag starts with this word?  within: ".\" keys" */
static bool has_entry(const char *page, const char *within, const char *word)
{
	const char *from = strstr(page, within), *end = from ? strstr(from, "\n.\" end") : NULL;
	if (!end)
		fail_msg("no block %s", within);
	for (const char *p = from; (p = strstr(p, "\n.TP\n")) != NULL && p < end; p++) {
		const char *tag = p + 5 + strcspn(p + 5, " ");	/* behind .B, .BR, .BI */
		tag += strspn(tag, " \"{");
		size_t n = strlen(word);
		if (strncmp(tag, word, n) == 0 && !strchr("abcdefghijklmnopqrstuvwxyz_.", tag[n] ? tag[n] : ' '))
			return true;
	}
	return false;
}

static void every_key_has_its_entry(void **state)
{
	(void)state;
	char *page = unroff(slurp("man/weir-contract.5"));
	for (size_t i = 0; i < contract_sections_len; i++) {
		const struct key_section *s = contract_sections[i];
		for (size_t k = 0; k < s->n; k++) {
			char name[64];
			/* sections that are maps of their own entries: delivery, requires; the others are told in one */
			bool deep = strcmp(s->name, "delivery") == 0 || strcmp(s->name, "requires") == 0;
			if ((*s->name && !deep) || (!*s->name && strcmp(s->rows[k].name, "delivery") == 0))
				continue;
			snprintf(name, sizeof name, "%s%s%s", s->name, *s->name ? "." : "", s->rows[k].name);
			if (!has_entry(page, "\n.\" keys", name))
				fail_msg("weir-contract(5) has no entry for %s", name);
		}
		for (size_t k = 0; k < s->n; k++)
			if (!strstr(page, s->rows[k].name))
				fail_msg("weir-contract(5) doesn't name %s of %s", s->rows[k].name, s->name);
	}
	for (int i = 0; i < ACTIONS; i++)
		if (!has_entry(page, "\n.\" actions", action_names[i]))
			fail_msg("weir-contract(5) has no entry for %s", action_names[i]);
	for (size_t i = 0; rule_options[i]; i++)
		if (!has_entry(page, "\n.\" actions", rule_options[i]))
			fail_msg("weir-contract(5) has no entry for %s", rule_options[i]);
	for (unsigned t = 0; t < DETECT_TYPES; t++)
		assert_non_null(strstr(page, detect_name((enum detect_type)t)));
	free(page);
}

static void every_setting_has_its_entry(void **state)
{
	(void)state;
	char *page = unroff(slurp("man/weir.yaml.5"));
	struct buf help;
	buf_init(&help, 0);
	config_help(&help);
	size_t n = 0;
	for (char *save = NULL, *line = strtok_r((char *)help.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char name[40];
		if (sscanf(line, " %39s", name) != 1)
			continue;
		if (!has_entry(page, "\n.\" settings", name))
			fail_msg("weir.yaml(5) has no entry for %s", name);
		n++;
	}
	assert_true(n > 10);
	free(page);
	buf_release(&help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schema_has_the_readers_keys), cmocka_unit_test(schema_has_every_action),
		cmocka_unit_test(every_code_is_explained),     cmocka_unit_test(every_key_has_its_entry),
		cmocka_unit_test(every_setting_has_its_entry),
	};
	return cmocka_run_group_tests_name("published", tests, NULL, NULL);
}
