/* Names of members: the rows' own examples, the rule of the match, and real names of public interfaces. */
#include "detect/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "detect/fields_rows.h"

static const char *of(const char *path, unsigned seen)
{
	const char *c = detect_field(path, strlen(path), seen);
	return c ? c : "-";
}

static void examples(void **state)
{
	unsigned n = 0, bad = 0;
	(void)state;
	for (const struct field_example *x = field_examples; x->category; x++, n++) {
		const char *got = of(x->path, 0);
		if ((strcmp(got, x->category) == 0) == (x->fits != 0))
			continue;
		bad++;
		print_error("%s: %s, not %s%s\n", x->path, got, x->fits ? "" : "anything but ", x->category);
	}
	assert_true(n > 400);
	assert_int_equal(bad, 0);
}

struct row {
	const char *path, *category;
	unsigned seen;
};

static void check(const struct row *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(of(v[i].path, v[i].seen), v[i].category) != 0)
			fail_msg("%s: %s, not %s", v[i].path, of(v[i].path, v[i].seen), v[i].category);
}

static void word_before_a_number(void **state)
{
	(void)state;
	static const char *const rows[][2] = {{"telefon", "phone"}, {"user.handynummer", "phone"}, {"fax_no", "fax"}, {"geburtsdatum", "dob"},
					      {"card_number", "card"}, {"bsn", ""}, {"email", NULL}, {"seats", NULL}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *got = detect_field_word(detect_field(rows[i][0], strlen(rows[i][0]), 0));
		if (!got != !rows[i][1] || (got && strcmp(got, rows[i][1]) != 0))
			fail_msg("%s: %s", rows[i][0], got ? got : "nothing");
	}
	assert_null(detect_field_word(NULL));
}

static void words(void **state)
{
	static const struct row rows[] = {
		{"userEmail", "user.contact.email", 0}, {"USER_EMAIL", "user.contact.email", 0}, {"user-email", "user.contact.email", 0},
		{"user email", "user.contact.email", 0}, {"IPAddress", "user.device.ip_address", 0}, {"clientIPs", "user.device.ip_address", 0},
		{"$email", "user.contact.email", 0}, {"email2", "user.contact.email", 0}, {"addressLine2", "user.contact.address.street", 0},
		{"userIDs", "user.unique_id", 0}, {"PRÉNOM", "user.name.first", 0}, {"pre\xcc\x81nom", "user.name.first", 0},
		{"Gr\xc3\xb6\xc3\x9f""e", "-", 0}, {"stra\xc3\x9f""e", "user.contact.address.street", 0}, {"e\xc2\xadmail", "user.contact.email", 0},
		{"\xef\xbd\x85\xef\xbd\x8d\xef\xbd\x81\xef\xbd\x89\xef\xbd\x8c", "user.contact.email", 0},	/* full width */
		{"properties[\"E-Mail Adresse\"]", "user.contact.email", 0}, {"a.b.c.d.e.f.email", "user.contact.email", 0},
		{"", "-", 0}, {".", "-", 0}, {"[]", "-", 0}, {"\xff\xfe", "-", 0}, {"[\"", "-", 0}, {"\"", "-", 0},
		/* whole words only */
		{"public", "-", 0}, {"classname", "-", 0}, {"max_tokens", "-", 0}, {"gossip", "-", 0}, {"mailing", "-", 0},
	};
	(void)state;
	check(rows, sizeof rows / sizeof *rows);
}

static void parents(void **state)
{
	static const struct row rows[] = {
		{"emails[].value", "user.contact.email", 0}, {"emails[].type", "-", 0}, {"phones[0].number", "user.contact.phone_number", 0},
		{"shipping.name", "user.name", 0}, {"campaign.name", "-", 0}, {"user.campaign.name", "-", 0}, {"user.data.name", "user.name", 0},
		{"name", "-", 0}, {"name", "user.name", FIELD_OF_PERSON}, {"campaign_name", "-", FIELD_OF_PERSON},
		{"billing_address.number", "user.contact.address.street", 0}, {"order.number", "-", 0}, {"card.number", "user.financial.credit_card", 0},
		{"email.verified", "-", 0}, {"contact.email.primary", "user.contact.email", 0}, {"email_settings.color", "-", 0},
	};
	(void)state;
	check(rows, sizeof rows / sizeof *rows);
}

static void values(void **state)
{
	static const struct row rows[] = {
		{"email", "user.contact.email", FIELD_SAW_TEXT}, {"email", "-", FIELD_SAW_FLAG}, {"email", "-", FIELD_SAW_NUMBER},
		{"email", "user.contact.email", FIELD_SAW_FLAG | FIELD_SAW_TEXT}, {"phone", "user.contact.phone_number", FIELD_SAW_NUMBER},
		{"phone", "-", FIELD_SAW_FLAG}, {"pregnant", "user.health_and_medical", FIELD_SAW_FLAG}, {"consent", "user.privacy_preferences", FIELD_SAW_FLAG},
	};
	(void)state;
	check(rows, sizeof rows / sizeof *rows);
}

static void long_ones(void **state)
{
	static char text[20000];
	(void)state;
	for (size_t i = 0; i + 10 < sizeof text; i += 2)
		memcpy(text + i, "a.", 2);
	memcpy(text + 19990, "email", 6);
	assert_string_equal(of(text, 0), "user.contact.email");
	memset(text, 'e', 19990);
	memcpy(text + 19989, ".email", 7);
	assert_string_equal(of(text, 0), "user.contact.email");
	assert_true(detect_category_in("user.contact.email", "user.contact"));
	assert_true(detect_category_in("user", "user"));
	assert_false(detect_category_in("user.contacts", "user.contact"));
}

/* ---- real names --------------------------------------------------------------------------------------------------- */

/* Is got one of the label's answers, or under one, or one's parent? */
static bool answers(const char *label, const char *got)
{
	for (const char *at = label; *at;) {
		size_t n = strcspn(at, "|");
		char one[128];
		snprintf(one, sizeof one, "%.*s", (int)n, at);
		if (strcmp(one, got) == 0 || (*got != '-' && (detect_category_in(got, one) || (strchr(got, '.') && detect_category_in(one, got)))))
			return true;
		at += n + (at[n] == '|');
	}
	return false;
}

struct score {
	unsigned names, said, right, personal, found;
};

/* Precision: what was said and is right.  Recall: of names that are personal for sure, what was found, and rightly. */
static void count(struct score *s, const char *label, const char *got)
{
	bool good = answers(label, got), sure = strchr(label, '-') == NULL;
	s->names++;
	s->said += *got != '-';
	s->right += *got != '-' && good;
	s->personal += sure;
	s->found += sure && good;
}

static void say_score(const char *source, const struct score *s)
{
	print_message("%-15s %4u names, %4u said: precision %.3f; %4u personal: recall %.3f\n", source, s->names, s->said,
		      s->said ? (double)s->right / s->said : 1.0, s->personal, s->personal ? (double)s->found / s->personal : 1.0);
}

static void real_names(void **state)
{
	FILE *f = fopen(WEIR_SOURCE "/src/detect/samples/names.tsv", "re");
	char line[512], last[64] = "";
	struct score all = {0}, one = {0};
	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		char source[64], name[256], label[160];
		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%63[^\t]\t%255[^\t]\t%159[^\n]", source, name, label), 3);
		const char *got = of(name, 0);
		if (strcmp(source, last) != 0 && *last) {
			say_score(last, &one);
			one = (struct score){0};
		}
		strcpy(last, source);
		count(&one, label, got);
		count(&all, label, got);
		if (getenv("SHOW") && !answers(label, got))
			print_message("  %s %s: %s, not %s\n", source, name, got, label);
	}
	fclose(f);
	say_score(last, &one);
	say_score("all", &all);
	assert_true(all.names > 700);
	assert_true((double)all.right / all.said >= 0.9);
	assert_true((double)all.found / all.personal >= 0.9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_names),
		cmocka_unit_test(examples), cmocka_unit_test(words), cmocka_unit_test(word_before_a_number), cmocka_unit_test(parents), cmocka_unit_test(values),
		cmocka_unit_test(long_ones),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL), all = (int)(sizeof tests / sizeof *tests);
	printf("%d passed, %d failed\n", all - failed, failed);
	return failed != 0;
}
