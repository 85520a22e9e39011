/*
 * What is suggested is a contract that the checker takes, also with every line uncommented; it holds no value of an
 * event and no key that is somebody's data.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/contract.h"
#include "contract/suggest.h"

static char *suggest(const char *text, struct suggest_counts *counts)
{
	struct buf yaml;
	struct err err;
	buf_init(&yaml, 0);
	if (contract_suggest(adapter_find("mixpanel"), text, strlen(text), &yaml, counts, &err) != 0)
		fail_msg("%s", err.msg);
	return (char *)yaml.data;	/* the caller frees it */
}

static void assert_contract(const char *yaml)
{
	struct diags d;
	diags_init(&d, "suggested.yaml");
	struct contract *c = contract_parse(yaml, strlen(yaml), &d);
	if (!c || d.errors) {
		struct buf out;
		buf_init(&out, 0);
		diags_print(&d, &out);
		fail_msg("%s\n%s", (char *)out.data, yaml);
	}
	contract_free(&c);
	diags_release(&d);
}

/* The same text with all its suggestions taken: "  # path: rule   # count" loses its first "# ". */
static char *uncommented(const char *yaml)
{
	struct buf b;
	buf_init(&b, 0);
	for (const char *p = yaml; *p;) {
		const char *nl = strchr(p, '\n');
		size_t n = nl ? (size_t)(nl - p) + 1 : strlen(p);
		size_t blank = strspn(p, " ");
		char *line = xstrndup(p, n);
		char *count = blank < n ? strstr(line + blank, "  # ") : NULL;
		bool rule = blank && strncmp(p + blank, "# ", 2) == 0 && count && strstr(line, ": ") && strstr(line, ": ") < count;
		char *none = strstr(line, "fields: {}");
		if (none)
			memcpy(none + 8, "  ", 2);
		buf_add(&b, line, rule ? blank : n);
		if (rule)
			buf_adds(&b, line + blank + 2);
		free(line);
		p += n;
	}
	return (char *)b.data;
}

#define EVENT(name, props) "{\"event\":\"" name "\",\"properties\":{\"token\":\"SECRET-TOKEN\",\"distinct_id\":\"alice-1\"," props "}}"

static const char traffic[] =
	EVENT("signup", "\"$os\":\"Linux\",\"$browser_version\":119.5,\"Plan Name\":\"gold\",\"email\":\"alice@example.com\","
	      "\"$current_url\":\"https://app.example.com/reset?token=SECRET\",\"seats\":3,\"beta\":true,\"gone\":null") "\n"
	EVENT("signup", "\"$city\":\"Berlin\",\"items\":[{\"sku\":\"A-1\",\"price\":3.5},{\"sku\":\"B-2\"}],\"it's\":\"x\",\"a#b: c\":1,"
	      "\"alice@example.com\":1,\"order8812344\":2,\"company\":\"acme\",\"gr\xc3\xb6\xc3\x9f""e\":\"x\",\"\":1") "\n"
	"not json\n"
	EVENT("Invoice of bob@example.com", "\"utm_content\":\"x\",\"order_id\":\"o-1\",\"userEmail\":\"a@b.example\",\"grid\":\"x\"") "\n"
	EVENT("$identify", "\"$anon_distinct_id\":\"$device:d-1\"") "\n"
	"[{\"$token\":\"t\",\"$distinct_id\":\"alice-1\",\"$set\":{\"$email\":\"alice@example.com\",\"$os\":\"Linux\",\"tier\":\"gold\"}},\n"
	"{\"$token\":\"t\",\"$distinct_id\":\"alice-1\",\"$delete\":\"alice-1\"}]\n"
	"{\"$token\":\"t\",\"$group_key\":\"company\",\"$group_id\":\"acme\",\"$set\":{\"industry\":\"fish\"}}\n";

static void from_lines(void **state)
{
	(void)state;
	struct suggest_counts n;
	/* An array over two lines isn't NDJSON; one of each line is. */
	char *text = xstrdup(traffic);
	char *joined = strstr(text, "}},\n{");
	memcpy(joined, "}}, {", 5);
	char *yaml = suggest(text, &n);
	assert_int_equal(n.events, 3);
	assert_int_equal(n.links, 1);
	assert_int_equal(n.profiles, 2);
	assert_int_equal(n.groups, 1);
	assert_int_equal(n.skipped, 1);
	static const char *const never[] = {
		"SECRET", "alice", "bob", "Linux", "gold", "Berlin", "A-1", "acme", "fish", "example.com", "8812344", "119", "o-1",
		"properties.distinct_id", "properties.token", "properties.company",
	};
	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		if (strstr(yaml, never[i]))
			fail_msg("%s stands in\n%s", never[i], yaml);
	static const char *const wanted[] = {
		"\nlinks: allow", "\n  - \"signup\"", "\n  properties.$os: {keep: true", "\n  properties.$browser_version: {round: 0",
		"\n  properties.$current_url: {url: origin+path", "\n  # properties.$city: drop", "; where somebody is\n",
		"\n  # properties.email: {domain: true", "\n  # properties.seats: {bucket: [", "\n  # properties.beta: keep",
		"\n  # 'properties[\"Plan Name\"]': {redact: all", "\n  # properties.items[].sku: {redact: all", "\n  # properties.order_id: {pseudonym: other}",
		"\n  # properties.userEmail: {domain: true", "\n  # properties.grid: {redact: all", "\n  # 'properties.it''s': ",
		"# in 1 of 3 events, text, 1 different value; looks like e-mail addresses", "\n  operations: [\"delete\", \"set\"]", "\n    $os: {keep: true", "\n    # $email: drop",
		"\n  keys: [\"company\"]", "\n    # industry: ", "\n  properties.$insert_id: keep",
	};
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		if (!strstr(yaml, wanted[i]))
			fail_msg("%s isn't in\n%s", wanted[i], yaml);
	assert_contract(yaml);
	char *all = uncommented(yaml);
	assert_non_null(strstr(all, "\n  properties.email: {domain"));
	assert_contract(all);
	free(all);
	free(yaml);
	free(text);
}

static void from_har(void **state)
{
	(void)state;
	static const char har[] =
		"{\"log\":{\"version\":\"1.2\",\"entries\":["
		"{\"request\":{\"method\":\"POST\",\"url\":\"https://api-js.mixpanel.com/track/?verbose=1&ip=1\",\"postData\":{\"mimeType\":"
		"\"application/x-www-form-urlencoded\",\"text\":\"data=%5B%7B%22event%22%3A%22seen%22%2C%22properties%22%3A%7B%22%24os%22%3A%22Mac%22%7D%7D%5D\"}}},"
		"{\"request\":{\"method\":\"POST\",\"url\":\"https://shop.example/mp/engage/\",\"postData\":{\"mimeType\":\"text/plain\",\"params\":"
		"[{\"name\":\"data\",\"value\":\"%7B%22%24set%22%3A%7B%22tier%22%3A%22x%22%7D%7D\"}]}}},"
		"{\"request\":{\"method\":\"GET\",\"url\":\"https://api.mixpanel.com/track?data=eyJldmVudCI6ImdldCIsInByb3BlcnRpZXMiOnsibiI6MX19\"}},"
		"{\"request\":{\"method\":\"GET\",\"url\":\"https://shop.example/index.html\"}},"
		"{\"request\":{\"method\":\"POST\",\"url\":\"https://other.example/track\",\"postData\":{\"mimeType\":\"application/json\",\"text\":\"{\\\"x\\\":1}\"}}},"
		"{\"request\":{}},{}]}}";
	struct suggest_counts n;
	char *yaml = suggest(har, &n);
	assert_int_equal(n.events, 2);
	assert_int_equal(n.profiles, 1);
	assert_int_equal(n.skipped, 4);
	assert_non_null(strstr(yaml, "\"seen\""));
	assert_non_null(strstr(yaml, "\"get\""));
	assert_non_null(strstr(yaml, "properties.$os: {keep"));
	assert_contract(yaml);
	free(yaml);
}

static void from_capture(void **state)
{
	(void)state;
	struct suggest_counts n;
	char *yaml = suggest("{\"at\":\"x\",\"body_b64\":\"\",\"events\":[{\"event\":\"a\",\"properties\":{}},{\"event\":\"b\"}]}\n"
			     "{\"at\":\"x\",\"body_b64\":\"\",\"events\":[]}\n", &n);
	assert_int_equal(n.events, 2);
	assert_contract(yaml);
	free(yaml);
}

static void nothing_to_suggest(void **state)
{
	(void)state;
	static const char *const rows[] = {"", "\n\n", "{}", "[]", "null", "not json", "{\"log\":{\"entries\":[]}}", "[[[{\"a\":1}]]]"};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct suggest_counts n;
		struct buf yaml;
		struct err err;
		buf_init(&yaml, 0);
		assert_int_equal(contract_suggest(adapter_find("mixpanel"), rows[i], strlen(rows[i]), &yaml, &n, &err), -1);
		assert_int_equal(err.code, ERR_INPUT);
		assert_int_equal(yaml.len, 0);
	}
}

/* Keys without end and without a bottom: bounded, counted, still a contract. */
static void hostile_shapes(void **state)
{
	(void)state;
	struct buf b;
	struct suggest_counts n;
	buf_init(&b, 0);
	buf_adds(&b, "{\"event\":\"a\",\"properties\":{");
	for (int i = 0; i < 9000; i++)
		buf_addf(&b, "\"k%c%c%c%c\":1,", 'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676 % 26, 'a' + i / 17576);
	for (int i = 0; i < 200; i++)
		buf_adds(&b, "\"d\":{");
	buf_adds(&b, "\"x\":1");
	for (int i = 0; i < 200; i++)
		buf_addc(&b, '}');
	buf_adds(&b, "}}\n");
	char *yaml = suggest((char *)b.data, &n);
	assert_non_null(strstr(yaml, "not shown"));
	assert_contract(yaml);
	free(yaml);
	buf_release(&b);
}

/* A key can't end the comment that it stands in, nor show a reviewer another line than the parser reads. */
static void breaking_out(void **state)
{
	(void)state;
	static const char *const rows[] = {"\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9", "\\n", "\\r", "\xe2\x80\xae", "\xef\xbb\xbf", "\x7f", "\xe2\x80\x8b"};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[256];
		struct suggest_counts n;
		snprintf(text, sizeof text, "{\"event\":\"a%sb\",\"properties\":{\"x%s  properties.y: keep\":1,\"ok\":1}}", rows[i], rows[i]);
		char *yaml = suggest(text, &n);
		assert_null(strstr(yaml, "properties.y"));
		assert_non_null(strstr(yaml, "properties.ok"));
		assert_contract(yaml);
		free(yaml);
	}
	struct suggest_counts n;
	char *yaml = suggest("[{\"event\":\"a*b\"},{\"event\":\"c*\"}]", &n);	/* a pattern in a list of names */
	assert_null(strstr(yaml, "a*b"));
	assert_null(strstr(yaml, "c*"));
	assert_contract(yaml);
	free(yaml);
}

/* A rule is chosen by what the name says, then by what the values are like; and every one of them is one. */
static void rules_by_category(void **state)
{
	static const struct {
		const char *member, *rule;
	} rows[] = {
		{"\"userEmail\":\"a@b.example\"", "properties.userEmail: {domain: true, category: user.contact.email}"},
		{"\"email_verified\":true", "properties.email_verified: keep "},
		{"\"client_ip\":\"1.2.3.4\"", "properties.client_ip: {ip: /24, category: user.device.ip_address}"},
		{"\"last_seen_host\":\"1.2.3.4\"", "properties.last_seen_host: {ip: /24, category: user.device.ip_address}"},
		{"\"comment\":\"x\"", "properties.comment: {redact: all, max: 500, category: user.content}"},
		{"\"zzz\":\"would you please call me back\"", "properties.zzz: {redact: all, max: 500, category: user.content}"},
		{"\"Nachname\":\"x\"", "properties.Nachname: drop "}, {"\"apiKey\":\"x\"", "properties.apiKey: drop "},
		{"\"pregnant\":false", "properties.pregnant: drop "}, {"\"telefono\":\"612345678\"", "properties.telefono: {mask: 2, category: user.contact.phone_number}"},
		{"\"telefono\":612345678", "properties.telefono: drop "}, {"\"edad\":41", "properties.edad: {bucket: [0, 18,"},
		{"\"user_id\":\"u-1\"", "properties.user_id: {pseudonym: user, category: user.unique_id}"}, {"\"invoice_id\":\"x\"", "properties.invoice_id: {pseudonym: other} "},
		{"\"zz\":\"018f6e5c-2f3a-7c1e-9b1d-3a5f7e9c0b2d\"", "properties.zz: {pseudonym: other} "}, {"\"zz\":\"https://a.example/\"", "properties.zz: {url: origin+path} "},
		{"\"zz\":\"2026-11-17\"", "properties.zz: {truncate: day} "}, {"\"zz\":17", "properties.zz: {bucket: ["}, {"\"zz\":null", "properties.zz: keep "},
		{"\"zz\":\"DE89370400440532013000\"", "properties.zz: drop "}, {"\"lat\":52.5", "properties.lat: {round: 1, category: user.location.precise}"},
		{"\"page_url\":\"https://a.example/\"", "properties.page_url: {url: origin+path, category: user.behavior.browsing_history}"},
		{"\"pageTitle\":\"Ann's\"", "properties.pageTitle: {redact: all, max: 200, category: user.behavior.browsing_history}"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[512];
		struct suggest_counts n;
		snprintf(text, sizeof text, "{\"event\":\"e\",\"properties\":{%s}}", rows[i].member);
		char *yaml = suggest(text, &n), *all = uncommented(yaml);
		if (!strstr(yaml, rows[i].rule))
			fail_msg("%s isn't in\n%s", rows[i].rule, yaml);
		assert_contract(yaml);
		assert_contract(all);
		free(yaml);
		free(all);
	}
}

/* Shares of many: "in 2.0 % of 1,200 events". */
static void shares(void **state)
{
	struct suggest_counts n;
	struct buf b;
	(void)state;
	buf_init(&b, 0);
	for (int i = 0; i < 1200; i++)
		buf_addf(&b, "{\"event\":\"e\",\"properties\":{\"theme\":\"%s\"%s%s}}\n", i % 2 ? "dark" : "light",
			 i % 50 ? "" : ",\"zz\":\"write to a@b.example\"", i % 50 || i % 100 ? "" : ",\"z2\":\"x\"");
	for (int i = 0; i < 1000; i++)
		buf_adds(&b, "{\"event\":\"e\",\"properties\":{\"zz\":\"x\"}}\n");
	char *yaml = suggest((char *)b.data, &n);
	static const char *const wanted[] = {"# properties.theme: {keep: true, max: 32} ", "in 54.5 % of 2,200 events, text, 2 different values\n",
					     "in 46.5 % of 2,200 events, text, 2 different values; carries e-mail addresses (2.3 %)", "in 0.5 % of 2,200 events"};
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		if (!strstr(yaml, wanted[i]))
			fail_msg("%s isn't in\n%s", wanted[i], yaml);
	free(yaml);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_lines), cmocka_unit_test(from_har), cmocka_unit_test(from_capture),
		cmocka_unit_test(nothing_to_suggest), cmocka_unit_test(hostile_shapes), cmocka_unit_test(breaking_out), cmocka_unit_test(rules_by_category),
		cmocka_unit_test(shares),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
