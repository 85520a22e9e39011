/* Contract files: what is read, what is refused and where, the canonical form, the digest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "contract/read.h"

static char *slurp(const char *name, size_t *n)
{
	char path[4096];
	snprintf(path, sizeof path, WEIR_SOURCE "/%s", name);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	char *text = calloc(1, 1 << 20);
	*n = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	return text;
}

/* "7:9 [code]" a diagnostic, joined by spaces; warnings with a w in front. */
static void brief(const struct diags *d, struct buf *out)
{
	buf_reset(out);
	buf_adds(out, "");
	for (size_t i = 0; i < d->n; i++)
		buf_addf(out, "%s%s%zu:%zu [%s]", i ? " " : "", d->v[i].level == DIAG_WARNING ? "w" : "", d->v[i].line,
			 d->v[i].col, d->v[i].code);
}

#define BASE                                                                                                           \
	"weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: [{name: a, token: env:A}]\nevents: [a]\n"

static const struct row {
	const char *text;	/* follows BASE, from line 7 on; behind a ! it is the whole file */
	const char *want;
} mistakes[] = {
	/* YAML and its restrictions */
	{"!", "1:1 [yaml]"},
	{"!weir: 1\nvendor: [\n", "3:1 [yaml]"},
	{"!weir: 1\nvendor: \xff\n", "2:9 [utf8]"},
	{"!- a\n", "1:1 [wrong_shape]"},
	{"!hello\n", "1:1 [wrong_shape]"},
	{"country: &a US\n", "7:10 [yaml_anchor]"},
	{"country: US\nname: *a\n", "8:7 [yaml_anchor]"},
	{"name: &n X\nservice: *n\n", "7:7 [yaml_anchor] 8:10 [yaml_anchor]"},
	{"country: !!str US\n", "7:10 [yaml_tag]"},
	{"country: ! US\n", "7:10 [yaml_tag]"},
	{"---\nweir: 1\n", "7:1 [yaml_documents]"},
	{"country: US\ncountry: DE\n", "8:1 [duplicate_key]"},
	{"fields:\n  event: keep\n  event: keep\n", "9:3 [duplicate_key]"},
	{"? [a, b]\n: c\n", "7:3 [yaml_key]"},
	{"name: \"a\\0b\"\n", "7:7 [bad_value]"},
	/* keys */
	{"contry: US\n", "7:1 [unknown_key]"},
	{"Country: US\n", "7:1 [unknown_key]"},
	{"consent: {refuse_wen: [sec-gpc]}\n", "7:10 [missing_key] 7:11 [unknown_key]"},
	{"!vendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: []\nevents: [a]\n", "1:1 [missing_key]"},
	{"!weir: 1\n", "1:1 [missing_key] 1:1 [missing_key] 1:1 [missing_key] w1:1 [advice] w1:1 [advice]"},
	{"!weir: 2\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: []\nevents: [a]\n", "1:7 [format_version]"},
	{"!weir: '1'\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: []\nevents: [a]\n", "1:7 [format_version]"},
	{"!weir: 1\nvendor: v\ndelivery: {quota: 1GiB}\nversion: 1\nsources: []\nevents: [a]\n", "3:11 [missing_key]"},
	{"country:\n", "7:9 [wrong_shape]"},
	{"fields:\n", "7:8 [wrong_shape]"},
	{"fields: keep\n", "7:9 [wrong_shape]"},
	{"fields: [event]\n", "7:9 [wrong_shape]"},
	{"data_regions: US\n", "7:15 [wrong_shape]"},
	{"country: [US]\n", "7:10 [wrong_shape]"},
	{"consent: sec-gpc\n", "7:10 [wrong_shape]"},
	{"groups: [company]\n", "7:9 [wrong_shape]"},
	/* who */
	{"!weir: 1\nvendor: My_Vendor\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: []\nevents: [a]\n", "2:9 [bad_name]"},
	{"name: \"two\\nlines\"\n", "7:7 [bad_value]"},
	{"country: USA\n", "7:10 [bad_country]"},
	{"country: us\n", "7:10 [bad_country]"},
	{"country: UK\n", "7:10 [bad_country]"},
	{"data_regions: [US, XX]\n", "7:20 [bad_country]"},
	{"data_regions: [US, US]\n", "7:20 [duplicate_value]"},
	{"role: procesor\n", "7:7 [unknown_word]"},
	{"subprocessors: [google-cloud, Google Cloud]\n", "7:31 [bad_name]"},
	/* delivery and sources */
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpannel}\nversion: 1\nsources: []\nevents: [a]\n", "3:21 [unknown_adapter]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel, quota: 2GB}\nversion: 1\nsources: []\nevents: [a]\n", "3:38 [bad_size]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel, quota: 0}\nversion: 1\nsources: []\nevents: [a]\n", "3:38 [bad_size]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel, upstream: ftp://a}\nversion: 1\nsources: []\nevents: [a]\n", "3:41 [bad_url]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel, upstream: 'https://u:p@a'}\nversion: 1\nsources: []\nevents: [a]\n", "3:41 [bad_url]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel, upstream: 'https://a/?q'}\nversion: 1\nsources: []\nevents: [a]\n", "3:41 [bad_url]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel, upstream: 'https://a:0'}\nversion: 1\nsources: []\nevents: [a]\n", "3:41 [bad_url]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel, credential: hunter2}\nversion: 1\nsources: []\nevents: [a]\n", "3:43 [bad_secret]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel, credential: env:A-B}\nversion: 1\nsources: []\nevents: [a]\n", "3:43 [bad_secret]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel, credential: 'file:'}\nversion: 1\nsources: []\nevents: [a]\n", "3:43 [bad_secret]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: [{name: a, token: abc}]\nevents: [a]\n", "5:28 [bad_secret]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: [{name: a}]\nevents: [a]\n", "5:11 [missing_key]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: [a]\nevents: [a]\n", "5:11 [wrong_shape]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: [{name: a, token: env:A}, {name: a, token: env:A}]\nevents: [a]\n",
	 "5:43 [duplicate_value] 5:53 [duplicate_value]"},
	/* terms */
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 0\nsources: []\nevents: [a]\n", "4:10 [bad_value]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: '1'\nsources: []\nevents: [a]\n", "4:10 [bad_value]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1.5\nsources: []\nevents: [a]\n", "4:10 [bad_value]"},
	{"signed: 15.1.2026\n", "7:9 [bad_date]"},
	{"signed: 2026-02-29\n", "7:9 [bad_date]"},
	{"expires: 2026-01-15T00:00:00Z\n", "7:10 [bad_date]"},
	{"signed: 2026-01-15\nexpires: 2026-01-14\n", "8:10 [date_order]"},
	{"purpose: Product Analytics\n", "7:10 [bad_name]"},
	{"breach_notice: 24h\n", "7:16 [bad_duration]"},
	{"breach_notice: P\n", "7:16 [bad_duration]"},
	{"breach_notice: P1DT\n", "7:16 [bad_duration]"},
	{"retention: P1M1Y\n", "7:12 [bad_duration]"},
	{"retention: P1W2D\n", "7:12 [bad_duration]"},
	{"clauses: [gdpr-28-3-a, gdpr-28-3-a]\n", "7:24 [duplicate_value]"},
	{"requires: {assessment: {standard: mvsp, score: 101}}\n", "7:48 [bad_value]"},
	{"requires: {assessment: {score: 80}}\n", "7:24 [missing_key]"},
	{"requires: {assessment: {standard: mvsp, within: 1Y}}\n", "7:49 [bad_duration]"},
	{"requires: {posture: {grade: E}}\n", "7:29 [bad_value]"},
	{"requires: {posture: B}\n", "7:21 [wrong_shape]"},
	{"mode: off\n", "7:7 [unknown_word]"},
	{"consent: {refuse_when: [dnt]}\n", "7:25 [unknown_word]"},
	/* people */
	{"identity: pseudonim\n", "7:11 [unknown_word]"},
	{"identity: off\n", "7:11 [unknown_word]"},
	{"subject: {kind: person}\n", "7:17 [unknown_word]"},
	{"subject: {kind: phone}\n", "7:17 [unsupported]"},
	{"attributes: {jurisdictoin: a}\n", "7:14 [unknown_key]"},
	{"attributes: {minor: 'a..b'}\n", "7:21 [bad_path]"},
	/* events */
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: []\nevents: [a*b]\n", "6:10 [event_pattern]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: []\nevents: ['**']\n", "6:10 [event_pattern]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: []\nevents: ['']\n", "6:10 [bad_value]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: []\nevents: [a, a]\n", "6:13 [duplicate_value]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: []\nevents: [[a]]\n", "6:10 [wrong_shape]"},
	/* paths */
	{"fields:\n  properties..a: keep\n", "8:14 [bad_path]"},
	{"fields:\n  properties.: keep\n", "8:14 [bad_path]"},
	{"fields:\n  .a: keep\n", "8:3 [bad_path]"},
	{"fields:\n  '[].a': keep\n", "8:3 [bad_path]"},
	{"fields:\n  '': keep\n", "8:3 [bad_path]"},
	{"fields:\n  a[0]: keep\n", "8:4 [bad_path]"},
	{"fields:\n  a[]b: keep\n", "8:6 [bad_path]"},
	{"fields:\n  a[\"b: keep\n", "8:4 [bad_path]"},
	{"fields:\n  Plan Name: keep\n", "8:7 [bad_path]"},
	{"fields:\n  a[\"\\x\"]: keep\n", "8:6 [bad_path]"},
	{"fields:\n  a[\"\\ud800\"]: keep\n", "8:6 [bad_path]"},
	{"fields:\n  properties.*: keep\n", "8:14 [path_wildcard]"},
	{"fields:\n  properties.utm_*: keep\n", "8:18 [path_wildcard]"},
	{"fields:\n  a[*]: keep\n", "8:5 [path_wildcard]"},
	{"fields:\n  a.b: keep\n  a[\"b\"]: keep\n", "9:3 [path_conflict]"},
	{"fields:\n  a: keep\n  a.b: keep\n", "9:3 [path_conflict]"},
	{"fields:\n  a.b: keep\n  a: drop\n", "8:3 [path_conflict]"},
	{"fields:\n  a.b: keep\n  a[]: keep\n", "9:3 [path_conflict]"},
	{"fields:\n  a[].b: keep\n  a[]: keep\n", "8:3 [path_conflict]"},
	/* slots */
	{"fields:\n  event: drop\n", "8:3 [path_slot]"},
	{"fields:\n  properties: keep\n", "8:3 [path_slot]"},
	{"fields:\n  properties[]: keep\n", "8:3 [path_slot]"},
	{"fields:\n  properties.distinct_id: keep\n", "8:3 [path_slot]"},
	{"fields:\n  properties.$user_id: {pseudonym: user}\n", "8:3 [path_slot]"},
	{"fields:\n  properties.token: keep\n", "8:3 [path_slot]"},
	{"fields:\n  properties.time.hour: keep\n", "8:3 [path_slot]"},
	{"fields:\n  properties.company: keep\ngroups: {keys: [company]}\n", "8:3 [path_slot]"},
	/* actions */
	{"fields:\n  a: {}\n", "8:6 [no_action]"},
	{"fields:\n  a: {category: user.content}\n", "8:6 [no_action]"},
	{"fields:\n  a:\n", "8:5 [unknown_action]"},
	{"fields:\n  a: [keep]\n", "8:6 [wrong_shape]"},
	{"fields:\n  a: kep\n", "8:6 [unknown_action]"},
	{"fields:\n  a: off\n", "8:6 [unknown_action]"},
	{"detectors: customers\n", "7:12 [wrong_shape]"},
	{"detectors: [Customers]\n", "7:13 [bad_name]"},
	{"detectors: [a, b, a]\n", "7:19 [duplicate_value]"},
	{"detectors: [{name: a_b, pattern: 'KD-[0-9]{6}'}]\n", "7:13 [wrong_shape]"},
	{"on_hit: mask\n", "7:9 [bad_argument]"},
	{"on_hit: {mask: 5}\n", "7:16 [bad_argument]"},
	{"on_hit: {mask: '4'}\n", "7:16 [bad_argument]"},
	{"on_hit: dorp\n", "7:9 [unknown_word]"},
	{"on_hit: {drop: true}\n", "7:10 [unknown_word]"},
	{"on_hit: [drop]\n", "7:9 [unknown_word]"},
	{"fields:\n  a: {keep: true, on_hit: block}\n", "8:27 [unknown_word]"},
	{"fields:\n  a: {keep: true, on_hit: {mask: -1}}\n", "8:34 [bad_argument]"},
	{"fields:\n  a: {redact: all, on_hit: drop}\n", "8:20 [useless_option]"},
	{"fields:\n  a: {oneof: [x], on_hit: drop}\n", "8:19 [useless_option]"},
	{"fields:\n  a: {keep: true, on_hit: drop, detect: off}\n", "8:19 [useless_option]"},
	{"fields:\n  properties.$insert_id: {keep: true, on_hit: drop}\n", "8:3 [path_slot]"},
	{"fields:\n  a: redact\n", "8:6 [bad_argument]"},
	{"fields:\n  a: {kep: true}\n", "8:7 [unknown_action]"},
	{"fields:\n  a: {keep: true, maks: 4}\n", "8:19 [unknown_action]"},
	{"fields:\n  a: {keep: true, drop: true}\n", "8:19 [many_actions]"},
	{"fields:\n  a: {keep: false}\n", "8:13 [bad_argument]"},
	{"fields:\n  a: {keep: 'true'}\n", "8:13 [bad_argument]"},
	{"fields:\n  a: {const: [x]}\n", "8:14 [bad_argument]"},
	{"fields:\n  a: {const: TRUE}\n", "8:14 [ambiguous_scalar]"},
	{"fields:\n  a: {const: 010}\n", "8:14 [ambiguous_scalar]"},
	{"fields:\n  a: {const: 1_000}\n", "8:14 [ambiguous_scalar]"},
	{"fields:\n  a: {const: 1:30}\n", "8:14 [ambiguous_scalar]"},
	{"fields:\n  a: {const: .5}\n", "8:14 [ambiguous_scalar]"},
	{"fields:\n  a: {const: 0x1F}\n", "8:14 [ambiguous_scalar]"},
	{"fields:\n  a: {const: ~}\n", "8:14 [ambiguous_scalar]"},
	{"fields:\n  a: {const: 9007199254740993}\n", "8:14 [inexact_number]"},
	{"fields:\n  a: {const: 1e400}\n", "8:14 [inexact_number]"},
	{"fields:\n  a: {oneof: []}\n", "8:14 [bad_argument]"},
	{"fields:\n  a: {oneof: free}\n", "8:14 [bad_argument]"},
	{"fields:\n  a: {oneof: [a, [b]]}\n", "8:18 [bad_argument]"},
	{"fields:\n  a: {oneof: [1, 1.0]}\n", "8:18 [duplicate_value]"},
	{"fields:\n  a: {pseudonym: usr}\n", "8:18 [bad_argument]"},
	{"fields:\n  a: {redact: al}\n", "8:15 [bad_argument]"},
	{"fields:\n  a: {redact: []}\n", "8:15 [bad_argument]"},
	{"fields:\n  a: {redact: [emial]}\n", "8:16 [bad_argument]"},
	{"fields:\n  a: {redact: [email, email]}\n", "8:23 [duplicate_value]"},
	{"fields:\n  a: {mask: -1}\n", "8:13 [bad_argument]"},
	{"fields:\n  a: {mask: 65}\n", "8:13 [bad_argument]"},
	{"fields:\n  a: {truncate: week}\n", "8:17 [bad_argument]"},
	{"fields:\n  a: {ip: 24}\n", "8:11 [bad_argument]"},
	{"fields:\n  a: {ip: /32}\n", "8:11 [bad_argument]"},
	{"fields:\n  a: {url: path}\n", "8:12 [bad_argument]"},
	{"fields:\n  a: {url: origin, query: [q]}\n", "8:20 [useless_option]"},
	{"fields:\n  a: {url: origin+path, query: q}\n", "8:32 [wrong_shape]"},
	{"fields:\n  a: {round: 16}\n", "8:14 [bad_argument]"},
	{"fields:\n  a: {bucket: [1, 1]}\n", "8:19 [bad_argument]"},
	{"fields:\n  a: {bucket: [a]}\n", "8:16 [bad_argument]"},
	{"fields:\n  a: {bucket: 5}\n", "8:15 [bad_argument]"},
	{"fields:\n  a: {domain: yes}\n", "8:15 [bad_argument]"},
	/* options */
	{"fields:\n  a: {keep: true, max: 0}\n", "8:24 [bad_value]"},
	{"fields:\n  a: {keep: true, max: '5'}\n", "8:24 [bad_value]"},
	{"fields:\n  a: {round: 1, max: 5}\n", "8:17 [useless_option]"},
	{"fields:\n  a: {pseudonym: user, detect: off}\n", "8:24 [useless_option]"},
	{"fields:\n  a: {keep: true, detect: no}\n", "8:27 [bad_value]"},
	{"fields:\n  a: {keep: true, category: E-Mail}\n", "8:29 [bad_value]"},
	/* profiles, groups, links, restricted */
	{"profiles: {fields: {plan: keep}}\n", "7:11 [missing_key]"},
	{"profiles: {operations: [set, sett_once]}\n", "7:30 [unsupported]"},
	{"profiles: {operations: [set], fields: {a: keep, a.b: keep}}\n", "7:49 [path_conflict]"},
	{"groups: {fields: {seats: keep}}\n", "7:9 [missing_key]"},
	{"groups: {keys: ['']}\n", "7:17 [bad_value]"},
	{"links: yes\n", "7:8 [unknown_word]"},
	{"restricted: {identity: keep}\n", "7:24 [not_narrower]"},
	{"identity: drop\nrestricted: {identity: daily}\n", "8:24 [not_narrower]"},
	{"fields: {a: keep}\nrestricted: {drop: [b]}\n", "8:21 [unknown_path]"},
	{"fields: {a: keep}\nrestricted: {drop: [a, a]}\n", "8:24 [duplicate_value]"},
	{"restricted: {flow: open}\n", "7:14 [unknown_key]"},
	/* warnings alone: the file is good */
	{"basis: legitimate-interests\n", "w7:8 [unknown_basis]"},
	{"clauses: [gdpr-28-3-z]\n", "w7:11 [unknown_clause]"},
	{"fields:\n  a: {keep: true, category: user.contact.emial}\n", "w8:29 [unknown_category]"},
	{"identity: keep\n", "w7:11 [advice]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel, upstream: 'http://a.example'}\nversion: 1\nsources: []\nevents: [a]\n", "w3:41 [plain_http]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\nsources: []\nevents: [$identify]\n", "w6:10 [link_event]"},
	{"!weir: 1\nvendor: v\ndelivery: {adapter: mixpanel}\nversion: 1\n", "w1:1 [advice] w1:1 [advice]"},
};

static void each_mistake_is_placed(void **state)
{
	(void)state;
	struct buf text, got;
	buf_init(&text, 0);
	buf_init(&got, 0);
	size_t wrong = 0;
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		struct diags d;
		diags_init(&d, "f");
		buf_reset(&text);
		bool whole = mistakes[i].text[0] == '!';
		buf_adds(&text, whole ? "" : BASE);
		buf_adds(&text, mistakes[i].text + whole);
		struct contract *c = contract_parse((const char *)text.data, text.len, &d);
		brief(&d, &got);
		if (strcmp((char *)got.data, mistakes[i].want) != 0 || !c != (d.errors > 0)) {
			print_error("row %zu: %s\n  got  %s\n  want %s\n", i, mistakes[i].text, (char *)got.data, mistakes[i].want);
			wrong++;
		}
		contract_free(&c);
		diags_release(&d);
	}
	buf_release(&text);
	buf_release(&got);
	assert_int_equal(wrong, 0);
	print_message("%zu mistakes\n", sizeof mistakes / sizeof *mistakes);
}

/* A code that nothing can provoke is dead text in docs/errors.md. */
static void each_code_is_provoked(void **state)
{
	(void)state;
	static const char *const elsewhere[] = {"limit", "bad_detectors", "bad_address", "bad_host", "tls_pair", NULL};	/* limits below; e2e_contract; config_test */
	for (size_t i = 0; diag_codes[i]; i++) {
		char want[64];
		bool found = word_index((struct span){diag_codes[i], strlen(diag_codes[i])}, elsewhere) >= 0;
		snprintf(want, sizeof want, "[%s]", diag_codes[i]);
		for (size_t r = 0; r < sizeof mistakes / sizeof *mistakes && !found; r++)
			found = strstr(mistakes[r].want, want) != NULL;
		if (!found)
			fail_msg("no row provokes %s", diag_codes[i]);
	}
}

static void limits(void **state)
{
	(void)state;
	struct buf b;
	struct diags d;
	buf_init(&b, 0);
	buf_adds(&b, BASE "fields:\n");
	for (int i = 0; i < PLAN_LEAVES_MAX + 1; i++)
		buf_addf(&b, "  f%d: keep\n", i);
	diags_init(&d, "f");
	assert_null(contract_parse((const char *)b.data, b.len, &d));
	assert_string_equal(d.v[0].code, "limit");
	diags_release(&d);

	buf_reset(&b);	/* together too many */
	buf_adds(&b, BASE "fields:\n");
	for (int i = 0; i < 300; i++)
		buf_addf(&b, "  f%d: keep\n", i);
	buf_adds(&b, "profiles:\n  operations: [set]\n  fields:\n");
	for (int i = 0; i < 300; i++)
		buf_addf(&b, "    f%d: keep\n", i);
	diags_init(&d, "f");
	assert_null(contract_parse((const char *)b.data, b.len, &d));
	assert_string_equal(d.v[0].code, "limit");
	diags_release(&d);

	buf_reset(&b);
	for (int i = 0; i < 300000; i++)
		buf_adds(&b, "# x\n");
	diags_init(&d, "f");
	assert_null(contract_parse((const char *)b.data, b.len, &d));
	assert_string_equal(d.v[0].code, "limit");
	diags_release(&d);
	buf_release(&b);
}

/* What stands where a secret reference belongs may be the secret: it is in no message. */
static void secrets_are_not_quoted(void **state)
{
	(void)state;
	static const char text[] = "weir: 1\nvendor: v\ndelivery: {adapter: mixpanel, upstream: 'https://u:hunter2@a', credential: "
				   "hunter2}\nversion: 1\nsources: [{name: hunter, token: hunter2}, {name: b, token: [hunter2]}]\nevents: [a]\n";
	struct diags d;
	struct buf out;
	diags_init(&d, "f");
	buf_init(&out, 0);
	assert_null(contract_parse(text, strlen(text), &d));
	assert_int_equal(d.errors, 4);
	diags_print(&d, &out);
	diags_print_json(&d, &out);
	assert_null(strstr((char *)out.data, "hunter2"));
	buf_release(&out);
	diags_release(&d);
}

static struct contract *good(const char *text, size_t n)
{
	struct diags d;
	struct buf out;
	diags_init(&d, "good.yaml");
	buf_init(&out, 0);
	struct contract *c = contract_parse(text, n, &d);
	diags_print(&d, &out);
	if (!c || d.n)
		fail_msg("%s", out.data ? (char *)out.data : "?");
	buf_release(&out);
	diags_release(&d);
	return c;
}

static struct contract *good_file(const char *name)
{
	size_t n;
	char *text = slurp(name, &n);
	struct contract *c = good(text, n);
	free(text);
	return c;
}

static const struct rule *rule_at(const struct contract *c, const char *path)
{
	for (size_t i = 0; i < c->fields_len; i++)
		if (span_eq(c->fields[i].path.text, path))
			return &c->fields[i];
	fail_msg("no rule %s", path);
	return NULL;
}

static void design_example(void **state)
{
	(void)state;
	struct contract *c = good_file("src/contract/samples/design.yaml");
	assert_true(span_eq(c->vendor, "mixpanel"));
	assert_string_equal(c->adapter->name, "mixpanel");
	assert_int_equal(c->quota_bytes, UINT64_C(2) << 30);
	assert_int_equal(c->version, 3);
	assert_int_equal(c->expires_at, 1799971200 + 86400);	/* 2027-01-15T24:00Z */
	assert_int_equal(c->requires.within_s, 365 * 86400);
	assert_int_equal(c->requires.score, 80);
	assert_true(c->refuse_sec_gpc && c->links && c->profiles && c->groups && c->restricted && !c->learn);
	assert_int_equal(c->identity, IDENTITY_PSEUDONYM);
	assert_int_equal(c->restricted_identity, IDENTITY_DAILY);
	assert_int_equal(c->events_len, 2);
	assert_true(c->events[1].prefix && span_eq(c->events[1].text, "chat_"));
	assert_int_equal(c->fields_len, 12);
	const struct rule *o = rule_at(c, "properties[\"Plan Name\"]");
	assert_int_equal(o->action, ACT_ONEOF);
	assert_true(span_eq(o->oneof[2].json, "\"pro\""));
	o = rule_at(c, "properties.message");
	assert_int_equal(o->redact_types, DETECT_ALL);
	assert_int_equal(o->max, 500);
	assert_int_equal(rule_at(c, "properties.ip")->ip4_bits, 24);
	assert_true(rule_at(c, "properties.$current_url")->url_path);
	assert_int_equal(rule_at(c, "properties.seats")->bounds_len, 4);
	assert_true(span_eq(rule_at(c, "properties.seats")->bound_text[3], "1000"));
	assert_int_equal(rule_at(c, "properties.time")->unit, TRUNC_HOUR);
	assert_int_equal(rule_at(c, "properties.items[].sku")->path.n, 4);
	assert_true(span_eq(c->attributes[0].path.text, "properties.country_code"));
	contract_free(&c);
	assert_null(c);
	contract_free(&c);
}

static void defaults(void **state)
{
	(void)state;
	struct contract *c = good(BASE, strlen(BASE));
	assert_true(span_eq(c->upstream, "https://api.mixpanel.com"));
	assert_int_equal(c->quota_bytes, 1 << 30);
	assert_int_equal(c->identity, IDENTITY_PSEUDONYM);
	assert_false(c->links || c->profiles || c->groups || c->restricted || c->learn || c->refuse_sec_gpc);
	assert_int_equal(c->expires_at, INT64_MAX);
	assert_int_equal(c->requires.score, -1);
	contract_free(&c);
}

static void plain_words_stay_text(void **state)
{
	(void)state;
	static const char text[] = BASE "country: NO\nfields:\n"
					"  a: {keep: true, detect: off}\n"
					"  b: {oneof: [no, yes, on, off, y, null, true, 1.50, \"1.50\", 2026-01-15, 1.2.3]}\n";
	static const char *const want[] = {"\"no\"", "\"yes\"", "\"on\"", "\"off\"",  "\"y\"",	       "null",
					   "true",   "1.5",	"\"1.50\"", "\"2026-01-15\"", "\"1.2.3\""};
	struct contract *c = good(text, strlen(text));
	assert_true(span_eq(c->country, "NO"));
	assert_true(rule_at(c, "a")->detect_off);
	const struct rule *o = rule_at(c, "b");
	assert_int_equal(o->oneof_len, 11);
	for (size_t i = 0; i < 11; i++)
		assert_true(span_eq(o->oneof[i].json, want[i]));
	contract_free(&c);
}

static void paths(void **state)
{
	(void)state;
	static const struct {
		const char *text, *canonical;
		size_t parts;
	} rows[] = {
		{"a", "a", 1},
		{"a.b", "a.b", 2},
		{"a[\"b\"]", "a.b", 2},
		{"[\"a\"].b", "a.b", 2},
		{"a[][].c", "a[][].c", 4},
		{"a[\"x y\"][]", "a[\"x y\"][]", 3},
		{"[\"Plan Name\"]", "[\"Plan Name\"]", 1},
		{"a[\"\"]", "a[\"\"]", 2},
		{"a[\"\\u0041\\n\\\"\\\\\\/\"]", "a[\"A\\n\\\"\\\\/\"]", 2},
		{"a[\"\\ud83d\\ude00\"]", "a.\xf0\x9f\x98\x80", 2},
		{"$k.\xc3\xa9-1", "$k.\xc3\xa9-1", 2},
		{"a[\"*\"]", "a[\"*\"]", 2},
		{"a[\"b.c\"]", "a[\"b.c\"]", 2},
	};
	struct arena a;
	arena_init(&a, 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct path p, again;
		struct path_fault f;
		if (!path_parse(&a, (struct span){rows[i].text, strlen(rows[i].text)}, &p, &f))
			fail_msg("%s: byte %zu: %s", rows[i].text, f.off, f.why);
		assert_string_equal(p.text.at, rows[i].canonical);
		assert_int_equal(p.n, rows[i].parts);
		assert_true(path_parse(&a, p.text, &again, &f));
		assert_int_equal(path_relate(&p, &again), PATH_SAME);
		assert_string_equal(again.text.at, p.text.at);
	}
	arena_release(&a);
}

static void numbers_and_strings_are_canonical(void **state)
{
	(void)state;
	static const struct {	/* RFC 8785 appendix B */
		uint64_t bits;
		const char *want;
	} rows[] = {
		{0x0000000000000000, "0"}, {0x8000000000000000, "0"}, {0x0000000000000001, "5e-324"}, {0x8000000000000001, "-5e-324"},
		{0x7fefffffffffffff, "1.7976931348623157e+308"}, {0xffefffffffffffff, "-1.7976931348623157e+308"},
		{0x4340000000000000, "9007199254740992"}, {0xc340000000000000, "-9007199254740992"},
		{0x4430000000000000, "295147905179352830000"}, {0x44b52d02c7e14af5, "9.999999999999997e+22"},
		{0x44b52d02c7e14af6, "1e+23"}, {0x44b52d02c7e14af7, "1.0000000000000001e+23"}, {0x444b1ae4d6e2ef4e, "999999999999999700000"},
		{0x444b1ae4d6e2ef4f, "999999999999999900000"}, {0x444b1ae4d6e2ef50, "1e+21"}, {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
		{0x3eb0c6f7a0b5ed8d, "0.000001"}, {0x41b3de4355555553, "333333333.3333332"}, {0x41b3de4355555554, "333333333.33333325"},
		{0x41b3de4355555555, "333333333.3333333"}, {0x41b3de4355555556, "333333333.3333334"}, {0x41b3de4355555557, "333333333.33333343"},
		{0xbecbf647612f3696, "-0.0000033333333333333333"}, {0x43143ff3c1cb0959, "1424953923781206.2"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		double v;
		char got[48];
		memcpy(&v, &rows[i].bits, 8);
		canon_number(v, got);
		assert_string_equal(got, rows[i].want);
	}
	/* RFC 8785 3.2.3: keys in the order of their UTF-16 code units. */
	const char *text = "{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7,\"s\":\"\\u20ac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
	json_t *v = json_loads(text, 0, NULL);
	struct buf out;
	buf_init(&out, 0);
	canon_write(v, &out);
	assert_string_equal((char *)out.data,
			    "{\"\\r\":2,\"1\":4,\"s\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\",\"\xc2\x80\":6,\"\xc3\xb6\":7,\"\xe2\x82\xac\":1,"
			    "\"\xf0\x9f\x98\x80\":5,\"\xef\xac\xb3\":3}");
	json_decref(v);
	buf_release(&out);
}

static void assert_same_digest(const struct contract *a, const struct contract *b, bool same)
{
	uint8_t x[32], y[32];
	contract_digest(a, x);
	contract_digest(b, y);
	assert_int_equal(memcmp(x, y, 32) == 0, same);
}

static void digest_is_of_the_meaning(void **state)
{
	(void)state;
	static const char one[] = BASE "fields:\n  a.b: keep\n  c: {oneof: [1, x]}\nlinks: deny\n";
	static const char two[] = "# reordered, reformatted, defaults spelt out\n"
				  "fields: {\"c\": {\"oneof\": [1.0, 'x']}, 'a[\"b\"]': {keep: true}}\nevents:\n- a\n"
				  "sources:\n- token: env:A\n  name: \"a\"\nversion: 1\nidentity: pseudonym\nmode: enforce\n"
				  "delivery:\n  quota: 1GiB\n  upstream: https://api.mixpanel.com\n  adapter: mixpanel\nvendor: v\nweir: 1\n";
	static const char three[] = BASE "fields:\n  a.b: keep\n  c: {oneof: [1, y]}\n";
	struct contract *a = good(one, strlen(one)), *b = good(two, strlen(two)), *c = good(three, strlen(three));
	assert_same_digest(a, b, true);
	assert_same_digest(a, c, false);
	contract_free(&a);
	contract_free(&b);
	contract_free(&c);
}

/* ---- random contracts ----------------------------------------------------------------------------------------- */

static uint64_t seed = 88172645463325252u;
static unsigned rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

static void random_rule(struct buf *b)
{
	static const char *const rules[] = {
		"keep", "drop", "{keep: true, max: 7, detect: off}", "{const: web}", "{const: 1.25e3}", "{const: null}",
		"{oneof: [free, 1, 2.5, true, \"q\\\"\\u00e9\\n\", \"\\U0001F600\"]}", "{pseudonym: email}", "{redact: all, max: 3}",
		"{redact: [email, phone], detect: off}", "{mask: 4, category: user.financial}", "{truncate: month}", "{ip: /8}",
		"{url: origin}", "{url: origin+path, query: [q, \"a b\"]}", "{round: 3}", "{bucket: [-1.5, 0, 1e-7, 1e21]}",
		"{domain: true, category: user.contact.email}",
	};
	buf_adds(b, rules[rnd(sizeof rules / sizeof *rules)]);
}

static void random_rules(struct buf *b, const char *indent)
{
	static const char *const paths[] = {"a", "b.c", "b[\"d e\"]", "f[].g", "f[].h[]", "[\"x.y\"]", "\xf0\x9f\x98\x80", "\xef\xac\xb3"};
	bool any = false;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		if (rnd(3) == 0)
			continue;
		buf_addf(b, "%s'%s': ", indent, paths[i]);
		random_rule(b);
		buf_addc(b, '\n');
		any = true;
	}
	if (!any)
		buf_addf(b, "%sz: keep\n", indent);
}

static void random_contract(struct buf *b)
{
	static const char *const lines[] = {
		"name: \"A \\\"B\\\" \\u00e9\"\n", "country: DE\n", "role: controller\n", "service: a service\n", "data_regions: [EU, US]\n",
		"subprocessors: [x, y-1]\n", "signed: 2026-01-15\n", "expires: 2030-12-31\n", "purpose: p\n", "basis: consent\n",
		"breach_notice: PT72H\n", "retention: P13M\n", "clauses: [gdpr-32]\n", "requires: {posture: {grade: B+}}\n",
		"mode: learn\n", "consent: {refuse_when: [sec-gpc]}\n", "subject: {kind: device}\n",
		"attributes: {minor: p.m, business: 'p[\"b b\"]'}\n", "links: allow\n",
	};
	buf_reset(b);
	buf_addf(b, "weir: 1\nvendor: v%u\ndelivery: {adapter: mixpanel, quota: %uMiB}\nversion: %u\n", rnd(9), 1 + rnd(4000), 1 + rnd(99));
	buf_adds(b, "sources: [{name: a, token: env:A}, {name: b, token: file:keys/b}]\nevents: [a, \"b_*\", \"\\u00e9 *\", '*']\n");
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		if (rnd(2))
			buf_adds(b, lines[i]);
	if (rnd(2))
		buf_addf(b, "identity: %s\n", identity_names[1 + rnd(3)]);
	buf_adds(b, "fields:\n");
	random_rules(b, "  ");
	if (rnd(2)) {
		buf_adds(b, "profiles:\n  operations: [set, unset]\n  fields:\n");
		random_rules(b, "    ");
	}
	if (rnd(2)) {
		buf_adds(b, "groups:\n  keys: [\"my company\"]\n  fields:\n");
		random_rules(b, "    ");
	}
	if (rnd(2))
		buf_adds(b, "restricted: {identity: drop, drop: [properties.time]}\n");
}

static void canonical_json_reads_back(void **state)
{
	(void)state;
	struct buf yaml, one, two;
	buf_init(&yaml, 0);
	buf_init(&one, 0);
	buf_init(&two, 0);
	for (int i = 0; i < 2000; i++) {
		struct err err;
		random_contract(&yaml);
		struct contract *a = good((const char *)yaml.data, yaml.len);
		buf_reset(&one);
		buf_reset(&two);
		contract_to_json(a, &one);
		struct contract *b = contract_from_json((const char *)one.data, one.len, &err);
		if (!b)
			fail_msg("%s\n%s", err.msg, (char *)one.data);
		contract_to_json(b, &two);
		assert_string_equal((char *)one.data, (char *)two.data);
		assert_same_digest(a, b, true);
		assert_int_equal(a->fields_len, b->fields_len);
		for (size_t k = 0; k < a->fields_len; k++)	/* same order: leaves keep their numbers */
			assert_string_equal(a->fields[k].path.text.at, b->fields[k].path.text.at);
		json_t *v = json_loadb((const char *)one.data, one.len, 0, NULL);	/* and it is canonical already */
		buf_reset(&two);
		canon_write(v, &two);
		json_decref(v);
		assert_string_equal((char *)one.data, (char *)two.data);
		contract_free(&a);
		contract_free(&b);
	}
	buf_release(&yaml);
	buf_release(&one);
	buf_release(&two);
}

static void bad_json(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum err_code code;
	} rows[] = {
		{"", ERR_SYNTAX}, {"{", ERR_SYNTAX}, {"[]", ERR_INPUT}, {"{\"weir\":1,\"weir\":1}", ERR_SYNTAX},
		{"{\"weir\":1}", ERR_INPUT}, {"{\"weir\":1.5}", ERR_INPUT}, {"{\"weir\":\"\\u0000\"}", ERR_SYNTAX},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {0};
		assert_null(contract_from_json(rows[i].text, strlen(rows[i].text), &err));
		assert_int_equal(err.code, rows[i].code);
	}
}

/* A file with many mistakes, as `weir contract check` prints it: a change of any message shows here. */
static void snapshot(void **state)
{
	(void)state;
	size_t n, m;
	char *text = slurp("src/contract/samples/mistakes.yaml", &n), *want = slurp("src/contract/samples/mistakes.txt", &m);
	struct diags d;
	struct buf out;
	diags_init(&d, "mistakes.yaml");
	buf_init(&out, 0);
	assert_null(contract_parse(text, n, &d));
	diags_print(&d, &out);
	assert_string_equal((char *)out.data, want);
	assert_null(strstr((char *)out.data, "hunter2"));
	assert_null(strstr((char *)out.data, "4242"));
	assert_null(strstr((char *)out.data, "5f2c9d"));
	buf_release(&out);
	diags_release(&d);
	free(text);
	free(want);
}

/* Every action and option; seen by the fuzz target too. */
static void everything_is_good(void **state)
{
	(void)state;
	struct contract *c = good_file("src/contract/samples/everything.yaml");
	bool seen[ACTIONS] = {0};
	for (size_t i = 0; i < c->fields_len; i++)
		seen[c->fields[i].action] = true;
	for (int a = 0; a < ACTIONS; a++)
		assert_true(seen[a]);
	assert_int_equal(c->requires.within_s, (365 + 6 * 30) * 86400);
	assert_int_equal(c->expires_at, 1835481600);	/* 2028-03-01T00:00Z: behind a leap day */
	contract_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_placed),
		cmocka_unit_test(each_code_is_provoked),
		cmocka_unit_test(limits),
		cmocka_unit_test(secrets_are_not_quoted),
		cmocka_unit_test(design_example),
		cmocka_unit_test(defaults),
		cmocka_unit_test(plain_words_stay_text),
		cmocka_unit_test(paths),
		cmocka_unit_test(numbers_and_strings_are_canonical),
		cmocka_unit_test(digest_is_of_the_meaning),
		cmocka_unit_test(canonical_json_reads_back),
		cmocka_unit_test(bad_json),
		cmocka_unit_test(snapshot),
		cmocka_unit_test(everything_is_good),
	};
	return cmocka_run_group_tests_name("contract", tests, NULL, NULL);
}
