/* Templates and words of every language, letters, and their form on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "notice/private.h"

static const struct notice_sender sender = {"Example Ltd", "The officer", "www.example.org"};

static json_t *facts(void)
{
	return json_pack("{s:i, s:s, s:s, s:b, s:[{s:s}], s:[{s:s, s:s}], s:[{s:s, s:{s:i, s:i, s:i, s:[{s:s, s:i}], s:[{s:s, s:i}]}}]}", "id", 3,
			 "vendor", "acme", "vendor_name", "Acme, Inc.", "cut_off", 1, "messages", "received", "2025-11-25T09:00:00Z", "timeline",
			 "kind", "incident-open", "at", "2025-11-25T10:00:00Z", "scopes", "sha256", "00", "counts", "people", 120, "identifiers",
			 130, "events", 900, "categories", "category", "user.contact.email", "people", 120, "jurisdictions", "code", "DE", "people", 120);
}

static void every_draft_is_complete(void **state)
{
	(void)state;
	json_t *f = facts();
	for (size_t k = 0; k < 2; k++)
		for (size_t l = 0; l < LANGS; l++) {
			struct buf b;
			struct err err;
			json_t *missing = json_array();
			buf_init(&b, 0);
			assert_int_equal(notice_draft(notice_kinds[k], notice_langs[l], f, &sender, NULL, 1764064800, &b, missing, &err), 0);
			assert_int_equal(json_array_size(missing), 0);
			assert_non_null(strstr((char *)b.data, "Acme, Inc."));
			assert_null(strstr((char *)b.data, "\n@ "));
			buf_release(&b);
			json_decref(missing);
		}
	json_decref(f);
}

static void what_is_missing_is_said(void **state)
{
	(void)state;
	static const struct {
		const char *drop, *element;
	} rows[] = {{"messages", "nature"}, {"cut_off", "measures"}};
	for (size_t i = 0; i < 2; i++) {
		json_t *f = facts(), *missing = json_array();
		struct buf b;
		struct err err;
		buf_init(&b, 0);
		json_object_del(f, rows[i].drop);
		assert_int_equal(notice_draft("people", "de", f, &sender, NULL, 1764064800, &b, missing, &err), 0);
		assert_int_equal(json_array_size(missing), 1);
		assert_string_equal(json_string_value(json_array_get(missing, 0)), rows[i].element);
		buf_release(&b);
		json_decref(missing);
		json_decref(f);
	}
	struct buf b;
	struct err err;
	json_t *f = facts(), *missing = json_array();
	buf_init(&b, 0);
	assert_int_equal(notice_draft("people", "fr", f, &sender, NULL, 0, &b, missing, &err), -1);
	assert_int_equal(notice_draft("press", "en", f, &sender, NULL, 0, &b, missing, &err), -1);
	assert_int_equal(notice_draft("people", "en", f, &sender, "a {your_data} b", 0, &b, missing, &err), -1);
	buf_release(&b);
	json_decref(missing);
	json_decref(f);
}

/* Every category of the catalogue has words in every language, and the languages have the same keys. */
static void words_are_complete(void **state)
{
	(void)state;
	extern const char *const contract_categories[];
	for (int l = 0; l < LANGS; l++)
		for (const char *const *c = contract_categories; *c; c++) {
			assert_int_not_equal(notice_category(l, "data.", *c).len, 0);
			if (strncmp(*c, "user", 4) == 0) {
				assert_int_not_equal(notice_category(l, "means.", *c).len, 0);
				assert_int_not_equal(notice_category(l, "do.", *c).len, 0);
			}
		}
	for (const char *p = notice_words_en; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		const char *equals = strstr(p, " = ");
		if (*p == '#' || !equals || equals > p + strcspn(p, "\n"))
			continue;
		char *key = xstrndup(p, (size_t)(equals - p));
		if (!notice_word(1, key).len)
			fail_msg("words.de.txt lacks %s", key);
		free(key);
	}
}

static void each_their_own(void **state)
{
	(void)state;
	static const char draft[] = "Subject {first}\n\nA {first} B {last}, {when} C\n{your_data}\n{your_consequences}\n{your_advice}\n";
	json_t *one = json_pack("{s:[s,s], s:s, s:s}", "categories", "user.contact.email", "user.location", "first", "2025-11-03", "last", "2025-11-09");
	json_t *none = json_pack("{s:[], s:s, s:s}", "categories", "first", "2025-11-03", "last", "2025-11-09");
	struct buf subject, body;
	struct err err;
	buf_init(&subject, 0);
	buf_init(&body, 0);
	assert_int_equal(notice_letter(draft, "de", one, &subject, &body, &err), 0);
	assert_string_equal((char *)subject.data, "Subject 3. November 2025");
	assert_non_null(strstr((char *)body.data, "A 3. November 2025 B 9. November 2025, Zwischen dem 3. November 2025 und dem 9. November 2025 C\n"
									     "- Ihre E-Mail-Adresse\n- wo Sie waren\n"));
	assert_non_null(strstr((char *)body.data, "Seien Sie vorsichtig bei E-Mails"));
	assert_null(strstr((char *)body.data, "Bank"));
	json_object_set_new(one, "last", json_string("2025-11-03"));
	buf_reset(&subject);
	buf_reset(&body);
	assert_int_equal(notice_letter(draft, "en", one, &subject, &body, &err), 0);
	assert_non_null(strstr((char *)body.data, ", On 3 November 2025 C\n"));
	assert_int_equal(notice_letter(draft, "en", none, &subject, &body, &err), -1);
	buf_release(&subject);
	buf_release(&body);
	json_decref(one);
	json_decref(none);
}

/* Lines are the same only when they are equal: "wo Sie waren" stands in "ungefähr, wo Sie waren (...)". */
static void no_line_twice_and_none_lost(void **state)
{
	(void)state;
	json_t *c = json_pack("[s,s,s]", "user.financial", "user.payment", "user.contact.email");
	struct buf b;
	buf_init(&b, 0);
	notice_lines(0, "do.", c, &b);
	buf_addc(&b, 0);
	const char *bank = strstr((char *)b.data, "Tell your bank");
	assert_non_null(bank);
	assert_null(strstr(bank + 1, "Tell your bank"));
	json_decref(c);
	buf_reset(&b);
	c = json_pack("[s,s]", "user.location.imprecise", "system");
	json_array_append_new(c, json_string("user.location"));
	notice_lines(1, "data.", c, &b);
	buf_addc(&b, 0);
	assert_non_null(strstr((char *)b.data, "- wo Sie waren\n- ungef"));
	assert_non_null(strstr((char *)b.data, "- technische Angaben zu jedem"));
	json_decref(c);
	buf_release(&b);
}

static void addresses(void **state)
{
	(void)state;
	static const char *const good[] = {"a@b.de", "first.last+tag@sub.example.org", "o'neil@example.com"};
	static const char *const bad[] = {"", "a", "@b.de", "a@", "a@b@c", "a b@c.de", "a@b.de\r\nBcc: x@y.z", "<a@b.de>", "a@b..de", "a@.de", "-a@b.de",
					  "\"a\"@b.de", "a@b.de.", "\xc3\xa4@b.de"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(mail_address_ok(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(mail_address_ok(bad[i]));
}

static void on_the_wire(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 0);
	mail_format(&(struct mail){.from = "p@example.org", .organisation = "Müller & Söhne", .to = "a@b.de", .lang = "de", .message_id = "1@x",
				   .subject = "Ihre Daten bei Jürgens Äußerst Langer Firmenname GmbH & Co. KG in München", .at = 1764064800,
				   .body = "Zeile = eins \n.\n\nÄ" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"}, &b);
	const char *text = (const char *)b.data;
	for (const char *p = text; *p;) {
		const char *end = strstr(p, "\r\n");
		assert_non_null(end);
		assert_in_range(end - p, 0, 76);
		for (; p < end; p++)
			assert_in_range(*p, 1, 126);
		p += 2;
	}
	assert_non_null(strstr(text, "Date: Tue, 25 Nov 2025 10:00:00 +0000\r\n"));
	assert_non_null(strstr(text, "Zeile =3D eins=20\r\n.\r\n\r\n=C3=84aaa"));
	buf_release(&b);
}

static void form(void **state)
{
	(void)state;
	json_t *f = facts(), *j = notice_form(f, &sender, NULL);
	assert_int_equal(json_integer_value(json_object_get(j, "field_68")), 120);
	assert_int_equal(json_integer_value(json_object_get(j, "field_73")), 900);
	assert_string_equal(json_string_value(json_object_get(j, "field_52")), "2025-11-25");
	assert_string_equal(json_string_value(json_array_get(json_object_get(j, "field_70"), 0)), "b");
	assert_null(json_object_get(j, "field_89"));	/* the risk decision is a person's */
	json_decref(j);
	json_decref(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_draft_is_complete), cmocka_unit_test(what_is_missing_is_said), cmocka_unit_test(words_are_complete),
		cmocka_unit_test(each_their_own), cmocka_unit_test(no_line_twice_and_none_lost),
		cmocka_unit_test(addresses), cmocka_unit_test(on_the_wire), cmocka_unit_test(form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
