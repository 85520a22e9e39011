/*
 * detect: what is found is shown as the text with placeholders, so that a change of behaviour shows as text.  Rows
 * without a second text must come back unchanged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "detect/core.h"
#include "detect/hostile.h"

enum { MAX = 64 };

/* The text as detect_scan wants it: 64 readable bytes behind, and no more, so that ASan sees a read too far. */
static char *padded(const char *text, size_t n)
{
	char *p = xcalloc(n + 64, 1);
	memcpy(p, text, n);
	return p;
}

static struct buf redact(const char *text, size_t n, uint64_t types, unsigned *via)
{
	struct detect_hit hits[MAX];
	char *p = padded(text, n);
	size_t k = detect_scan(p, n, types, hits, MAX), at = 0;
	struct buf out;
	buf_init(&out, 0);
	buf_add(&out, "", 0);
	*via = 0;
	for (size_t i = 0; i < k; i++) {
		assert_true(hits[i].start >= at && hits[i].start < hits[i].end && hits[i].end <= n);
		buf_add(&out, p + at, hits[i].start - at);
		buf_adds(&out, hits[i].kind->placeholder);
		at = hits[i].end;
		*via |= hits[i].via;
		assert_non_null(hits[i].why);
		assert_true(hits[i].score <= 100);
	}
	buf_add(&out, p + at, n - at);
	if (k)
		assert_true(detect_maybe(p, n));
	free(p);
	return out;
}

struct row {
	const char *text, *want;	/* want NULL: nothing is found */
};

static void check(const struct row *rows, size_t n, unsigned want_via)
{
	int bad = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned via;
		struct buf got = redact(rows[i].text, strlen(rows[i].text), DETECT_ALL, &via);
		const char *want = rows[i].want ? rows[i].want : rows[i].text;
		if (strcmp((char *)got.data, want) != 0 || (rows[i].want && (via & want_via) != want_via)) {
			print_message("row %zu: %s\n   got: %s (via %u)\n  want: %s\n", i, rows[i].text, (char *)got.data, via, want);
			bad++;
		}
		struct buf again = redact((char *)got.data, got.len, DETECT_ALL, &via);
		if (strcmp((char *)again.data, (char *)got.data) != 0) {
			print_message("row %zu: %s\n   redacted: %s\n  again: %s\n", i, rows[i].text, (char *)got.data, (char *)again.data);
			bad++;
		}
		buf_release(&got);
		buf_release(&again);
	}
	assert_int_equal(bad, 0);
}
#define CHECK(rows, via) check(rows, sizeof rows / sizeof *rows, via)

static void emails(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"ann@example.org", "[EMAIL]"},
		{"write to Ann.Lee+news@mail.example.co.uk, please", "write to [EMAIL], please"},
		{"<ann@example.org>", "<[EMAIL]>"},
		{"mailto:ann@example.org?subject=x", "mailto:[EMAIL]?subject=x"},
		{"/users/ann@example.org/edit", "/users/[EMAIL]/edit"},
		{"https://h.example/?e=ann@example.org&x=1", "https://h.example/?e=[EMAIL]&x=1"},
		{"{\"email\":\"x@y.de\"}", "{\"email\":\"[EMAIL]\"}"},
		{"X@Y.DE", "[EMAIL]"},
		{"m\xc3\xbcller@b\xc3\xbc""cher.example", "[EMAIL]"},
		{"ann@xn--bcher-kva.example.", "[EMAIL]."},
		{"ann@\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88", "[EMAIL]"},
		{"\xe3\x83\xa1\xe3\x83\xbc\xe3\x83\xab\xe3\x81\xaf" "ann@example.jp\xe3\x81\xa7\xe3\x81\x99",
		 "\xe3\x83\xa1\xe3\x83\xbc\xe3\x83\xab\xe3\x81\xaf" "[EMAIL]\xe3\x81\xa7\xe3\x81\x99"},
		{"\"Ann Lee\"@example.org", "[EMAIL]"},
		{"ann@[192.0.2.7] ann@[IPv6:2001:db8::7]", "[EMAIL] [EMAIL]"},
		{"o'brien@example.ie **ann@example.org**", "[EMAIL] **[EMAIL]**"},
		{"ann{lee}@example.org", "[EMAIL]"},
		{"a@b.cd,e@f.gh;i@j.kl", "[EMAIL],[EMAIL];[EMAIL]"},
		{"ann..lee.@example.org", "[EMAIL]"},
		{"12345678901234567890123456789012345678901234567890123456789012345678901234567890@example.org", "[EMAIL]"},
		{"+4915112345678@example.org", "[EMAIL]"},
		{"10.1.2.3@example.org", "[EMAIL]"},
		{"ann@example.org@example.com", "[EMAIL]"},
		{"@ann", NULL},
		{"@scope/pkg.js", NULL},
		{"git@github.com:o/r.git", NULL},
		{"https://0123456789abcdef0123456789abcdef@o1.ingest.example/1", NULL},
		{"icon@2x.png", NULL},
		{"react@18.2.0", NULL},
		{"lodash@4.17.21.tgz", NULL},
		{"user@localhost", NULL},
		{"a@b", NULL},
		{"a @ b.cd", NULL},
		{"@media (min-width: 100px)", NULL},
		{"[EMAIL]@example.org", NULL},
		{"ann@.de", NULL},
		{"\"handle\":\"@example.org\"", NULL},
	};
	CHECK(rows, 0);
}

static void addresses(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"203.0.113.9", "[IPV4]"},
		{"from 203.0.113.9:8080 to http://198.51.100.7/x", "from [IPV4]:8080 to http://[IPV4]/x"},
		{"10.0.0.0/8, 192.168.1.20", "10.0.0.0/8, [IPV4]"},
		{"ip=203.0.113.9;", "ip=[IPV4];"},
		{"203.0.113.9-203.0.113.12", "[IPV4]-[IPV4]"},
		{"ip-10-1-2-3.ec2/10.1.2.3:80", "ip-10-1-2-3.ec2/[IPV4]:80"},
		{"::ffff:203.0.113.9", "::ffff:[IPV4]"},
		{"203.0.113.9.", "[IPV4]."},
		{"2001:db8::1", "[IPV6]"},
		{"[2001:DB8:0:0:0:0:0:1]:443", "[[IPV6]]:443"},
		{"ip:2001:db8:85a3::8a2e:370:7334, x", "ip:[IPV6], x"},
		{"2001:db8::1: connection refused", "[IPV6]: connection refused"},
		{"fe80::1ff:fe23:4567:890a%eth0", "[IPV6]"},
		{"fd12:3456:789a:1::1", "[IPV6]"},
		{"2001:db8:1:2::", "[IPV6]"},	/* a household's network */
		{"2a02:c0::192.0.2.33", "[IPV6]"},
		{"Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36 Edg/119.0.0.1", NULL},
		{"app version 1.2.3.4", NULL},
		{"v1.2.3.4 1.2.3 1.2.3.4.5 1.2.3.256 01.2.3.4", NULL},
		{"lib-1.2.3.4.jar", NULL},
		{"127.0.0.1 0.0.0.0 255.255.255.255 2.0.0.0", NULL},
		{"12:34:56 2026:01:15 10:20:30:40 std::vector a::b", NULL},
		{"16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48", NULL},
		{"2001:2001:2001:2001:2001:2001:2001:2001:2001:2001", NULL},
		{"::1", NULL},
		{"dead::beef", NULL},
	};
	CHECK(rows, 0);
}

static void numbers(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"+49 30 1234567", "[PHONE]"},
		{"call +1 (212) 555-0123 now", "call [PHONE] now"},
		{"+15552345678", "[PHONE]"},
		{"tel:+442079460958", "tel:[PHONE]"},
		{"+49 (0)30 123456-78", "[PHONE]"},
		{"(212) 555-0123", "[PHONE]"},
		{"212-555-0123", "[PHONE]"},
		{"212.555.0123", "[PHONE]"},
		{"1-212-555-0123", "[PHONE]"},
		{"/users/212-555-0123", "/users/[PHONE]"},
		{"Phone: 030 1234567", "Phone: [PHONE]"},
		{"mobile 06 12 34 56 78", "mobile [PHONE]"},
		{"{\"phone\":15552345678}", "{\"phone\":[PHONE]}"},
		{"[PHONE] 1234567", NULL},
		{"phone_model: 5552345678 mobile os 5552345678", NULL},
		{"phone_number: 5552345678", "phone_number: [PHONE]"},
		{"219-09-9998", "[US_SSN]"},
		{"ssn 219099998", "ssn [US_SSN]"},
		{"219 09 9998", "[US_SSN]"},
		{"219.09.9998", "[US_SSN]"},
		{"000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000 078-05-1120 219-09-9999", NULL},
		{"1-219-09-9998", NULL},
		{"219-09-9998-1", NULL},
		{"219099998", NULL},
		{"4111 1111 1111 1111", "[CARD]"},
		{"4111-1111-1111-1111 12/28 123", "[CARD] 12/28 123"},
		{"4111 - 1111 - 1111 - 1111", "[CARD]"},
		{"{\"d\":[4,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}", "{\"d\":[[CARD]]}"},
		{"[\"4\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\"]", "[\"[CARD]\"]"},
		{"[9,4,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", NULL}, {"[4,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", NULL},
		{"tel=+49+30+1234567", "tel=[PHONE]"}, {"+49+30+1234567+49+30+7654321&x", "[PHONE]&x"}, {"1+2+3+4+5+6+7", NULL},
		{"4111.1111/1111_1111", "[CARD]"},
		{"card=4111+1111+1111+1111", "card=[CARD]"},
		{"3782 822463 10005", "[CARD]"},
		{"4111111111111111", "[CARD]"},
		{"id_5555555555554444", "id_[CARD]"},
		{"378282246310005", "[CARD]"},
		{"{\"pan\":6304000000000000}", "{\"pan\":[CARD]}"},
		{"6304000000000000", NULL},
		{"4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[CARD]"},
		{"41 11 11 11 11 11 11 11", "[CARD]"},
		{"4111 1111 1111 1112", NULL},
		{"1737000000 1737000000000 1737000000000000", NULL},
		{"550e8400-e29b-41d4-a716-446655440000", NULL},
		{"00000000-4111-1111-1111-111111111111", NULL},
		{"d41d8cd98f00b204e9800998ecf8427e", NULL},
		{"0.4111111111111111", NULL},
		{"a4111111111111111 4111111111111111a", NULL},
		{"order 112-1234567-1234567, ORD-20260115-0001, SKU 0012345678905", NULL},
		{"2026-01-15 10:00:00 2026-01-15T10:00:00+0200", NULL},
		{"hosted-eu-20260812-09", NULL},
		{"1.5E+10 +12345678 +000000000", NULL},
		{"200 300 4000", NULL},
		{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", NULL},
		{"DE89 3704 0044 0532 0130 00 to other bank", "[IBAN] to other bank"},
		{"de89370400440532013000", "[IBAN]"},
		{"GB82 WEST 1234 5698 7654 32", "[IBAN]"},
		{"iban:NO9386011117947.", "iban:[IBAN]."},
		{"MT84MALT011000012345MTLCAST001S", "[IBAN]"},
		{"DE89-3704-0044-0532-0130-00", "[IBAN]"},
		{"DE88 3704 0044 0532 0130 00", NULL},
		{"XX89 3704 0044 0532 0130 00", NULL},
		{"DE893704004405320130001", NULL},
		{"ADE89370400440532013000", NULL},
	};
	CHECK(rows, 0);
}

#define JWT_HEAD "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
#define JWT_BODY "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0"

static void tokens(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{JWT_HEAD "." JWT_BODY ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c", "[JWT]"},
		{"token=" JWT_HEAD "." JWT_BODY "; path=/", "token=[JWT]; path=/"},
		{"Authorization: Bearer " JWT_HEAD "." JWT_BODY ".c2ln", "Authorization: Bearer [JWT]"},
		{"x." JWT_HEAD "." JWT_BODY ".c2ln", "x.[JWT]"},
		{JWT_HEAD "." JWT_BODY, "[JWT]"},
		{"Bearer abcdef0123456789", "Bearer [BEARER]"},
		{"authorization: bearer  AbCdEfGhIjKlMnOpQrStUvWx", "authorization: bearer  [BEARER]"},
		{"Bearer mF_9.B5f-4.1JqM==, x", "Bearer [BEARER], x"},
		/* alone, + behind a letter is no telephone number; behind a placeholder it is one */
		{JWT_HEAD "." JWT_BODY "+4930123456789", "[JWT][PHONE]"},
		{"x+4930123456789", NULL},
		{"bearer of bad news", NULL},
		{"Bearer authentication-required", NULL},
		{"the key they survey", NULL},
		{"eyJhbGciOi.eyJ", NULL},
		{"eyebrow.eyelash.eyeliner", NULL},
		{"Bearer [BEARER]", NULL},
	};
	CHECK(rows, 0);
}

static void phrases(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"password=hunter2", "password=[KEY.PASSWORD]"}, {"my password is hunter2!", "my password is [KEY.PASSWORD]!"},
		{"{\"user\":\"ann\",\"password\":\"hunter2\"}", "{\"user\":\"ann\",\"password\":\"[KEY.PASSWORD]\"}"},
		{"DB_PASSWORD: s3cr3t, x", "DB_PASSWORD: [KEY.PASSWORD], x"}, {"?user=a&pwd=Tr0ub4dor%263&x=1", "?user=a&pwd=[KEY.PASSWORD]&x=1"},
		{"dbPassword => 'correct!horse'", "dbPassword => '[KEY.PASSWORD]'"},
		{"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key = [KEY.GENERIC]"},
		{"api_key=9f8e7d6c5b4a39281706f5e4d3c2b1a0", "api_key=[KEY.GENERIC]"}, {"accessToken: \"ab12CD34ef56GH78ij90\"", "accessToken: \"[KEY.GENERIC]\""},
		{"postgres://app:s3cret@db:5432/x", "postgres://[KEY.URL_PASSWORD]@db:5432/x"},
		{"ftp://user:pw@host.example/x", "ftp://[KEY.URL_PASSWORD]@host.example/x"},
		{"File \"/home/ann.lee/app/x.py\", line 3", "File \"/home/[USER_PATH]/app/x.py\", line 3"},
		{"at f (/Users/ann/src/x.js:10:5)", "at f (/Users/[USER_PATH]/src/x.js:10:5)"}, {"C:\\Users\\Ann Lee\\x", "C:\\Users\\[USER_PATH]\\x"},
		{"file:///home/ann/x", "file:///home/[USER_PATH]/x"},
		{"001b.4411.3ab7 AABB.CCDD.EEF0", "[MAC] [MAC]"},
		{"wallet 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", "wallet [CRYPTO.ETH]"},
		{"password: required, password=true, password: ${DB_PASSWORD}", NULL}, {"password must contain 8 letters", NULL}, {"the pass is 120 m long", NULL},
		{"forgot-password: reset-password-link", NULL}, {"password=********", NULL}, {"password: [KEY.PASSWORD]", NULL},
		{"max_tokens: 4096, token_count=12000", NULL}, {"secret santa: 2026-01-15", NULL}, {"token: authentication_required", NULL}, {"api key missing", NULL},
		{"https://example.com:8080/@ann", NULL}, {"https://example.com/a:b@c", NULL},
		{"/home/garden/tools", NULL}, {"/home/garden/tools.html", NULL}, {"https://h.example/home/ann/x.js", NULL}, {"/Users/Login", NULL},
		{"/home/runner/work/x.py", NULL}, {"/home/ann", NULL},
		{"2026.0115.1200", NULL}, {"1.abcd.ef01.2345", NULL}, {"aaaa.aaaa.aaaa", NULL}, {"abcd.ef01.2345.6789", NULL},
		{"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", NULL},
	};
	CHECK(rows, 0);
	static const struct row numbers_of[] = {
		{"Telefonnummer: 030 1234567", "Telefonnummer: [PHONE]"}, {"t\xc3\xa9l\xc3\xa9phone 01 23 45 67 89", "t\xc3\xa9l\xc3\xa9phone [PHONE]"},
		{"numer telefonu 22 123 45 67", "numer telefonu [PHONE]"}, {"telefoonnummer 020-1234567", "telefoonnummer [PHONE]"},
		{"Cellulare: 333 1234567", "Cellulare: [PHONE]"}, {"celular 11 91234-5678", "celular [PHONE]"}, {"movil 612345678", "movil [PHONE]"},
		{"Rufnummer 030/1234567", "Rufnummer [PHONE]"}, {"mobiel 0612345678", "mobiel [PHONE]"}, {"Auftragsnummer 0612345678", NULL},
	};
	CHECK(numbers_of, 0);
}

static void percent_forms(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"https://h.example/?e=x%40y.de&n=1", "https://h.example/?e=[EMAIL]&n=1"},
		{"x%2540y%2ede", "[EMAIL]"},
		{"x%252540y.de", "[EMAIL]"},
		{"x%25%34%30y.de", "[EMAIL]"},
		{"tel=%2B49%2030%201234567", "tel=[PHONE]"},
		{"4111%201111%201111%201111", "[CARD]"},
		{"x%C1%80y.de", "[EMAIL]"},	/* longer than it needs to be */
		{"x%u0040y%u002Ede", "[EMAIL]"}, {"https://h.example/a#u=219%2D09%2D9998", "https://h.example/a#u=[US_SSN]"}, {"u=4012%2D8888%2D8888%2D1881", "u=[CARD]"},
		{"Bearer%20abcdef0123456789%3D", "Bearer%20[BEARER]"},
	};
	CHECK(rows, DETECT_VIA_PERCENT);
	static const struct row escapes[] = {
		{"x\\u0040y.de", "[EMAIL]"},
		{"{\\\"a\\\":\\\"x\\\\u0040y.de\\\"}", "{\\\"a\\\":\\\"[EMAIL]\\\"}"},
		{"x\\100y\\056de", "[EMAIL]"}, {"x\\u{40}y.de", "[EMAIL]"}, {"x&amp;#64;y.de", "[EMAIL]"}, {"\\u0430nn\\u0430@exampl\\u0435.org", "[EMAIL]"},
		{"{\\\"a\\\":\\\"4111\\\\n1111\\\\n1111\\\\n1111\\\"}", "{\\\"a\\\":\\\"[CARD]\\\"}"}, {"\\\\ud835\\\\udfd211 1111 1111 1111 11", NULL},
		{"\\\\ud835\\\\udfd2111 1111 1111 1111", "[CARD]"},
		{"x&#64;y.de x&#x40;y.de x&commat;y&#46;de", "[EMAIL] [EMAIL] [EMAIL]"},
	};
	CHECK(escapes, DETECT_VIA_ESCAPE);
	static const struct row more[] = {
		{"x\\x40y.de", "[EMAIL]"}, {"ann=40example=2Eorg", "[EMAIL]"},
		{"Subject: x\nwrite to ann@exam=\nple.org", "Subject: x\nwrite to [EMAIL]"}, {"card 4111 1111 =\r\n1111 1111.", "card [CARD]."},
		{"=61=6E=6E=40example.org", "[EMAIL]"}, {"a=3Db ann=40example.org", "a=3Db [EMAIL]"},
	};
	CHECK(more, 0);
	static const struct row lookalikes[] = {
		{"ann [at] example [dot] org", "[EMAIL]"},
		{"ann(at)example.org or x [at] y dot de", "[EMAIL] or [EMAIL]"},
		{"x\xef\xbc\xa0y.de", "[EMAIL]"},				/* full-width @ */
		{"x\xef\xb9\xaby\xef\xbc\x8e""de", "[EMAIL]"},			/* small @, full-width dot */
		{"4111\xc2\xa0""1111\xe2\x80\x93""1111\xe2\x80\x91""1111", "[CARD]"},	/* no-break space, en dash, hyphen */
		{"\xef\xbc\x94""111 1111 1111 111\xef\xbc\x91", "[CARD]"},	/* full-width digits */
		{"4111\xe2\x80\x8b""1111\xe2\x80\x8b""1111\xe2\x80\x8b""1111", "[CARD]"},	/* zero-width spaces */
		{"\xd9\xa2\xd9\xa1\xd9\xa9-\xd9\xa0\xd9\xa9-\xd9\xa9\xd9\xa9\xd9\xa9\xd9\xa8", "[US_SSN]"},	/* Arabic digits */
		{"\xf0\x9d\x9f\x92\xf0\x9d\x9f\x8f\xf0\x9d\x9f\x8f\xf0\x9d\x9f\x8f 1111 1111 1111", "[CARD]"},	/* mathematical */
		{"D\xd0\x95""89370400440532013000", "[IBAN]"}, {"\xce\x95S9121000418450200051332", "[IBAN]"},	/* Cyrillic, Greek E */
		{"ann at example dot org", "[EMAIL]"}, {"write to ann.lee AT mail DOT example DOT org now", "write to [EMAIL] now"},
		{"ann@example dot com", "[EMAIL]"}, {"ann_at_example_dot_com", "[EMAIL]"},
	};
	CHECK(lookalikes, DETECT_VIA_LOOKALIKE);
	static const struct row none[] = {
		{"100% of 50%", NULL}, {"a%20b%2Fc", NULL}, {"look [at] this (at) home", NULL}, {"x&amp;y &#8364;", NULL},
		{"\xe6\x97\xa5\xe6\x9c\xac\xef\xbc\x88\xe6\x9d\xb1\xe4\xba\xac\xef\xbc\x89", NULL},
		{"?n=40&m=50", NULL}, {"a=40", NULL}, {"x = 3 = y", NULL}, {"look at that dot on the map", NULL}, {"dot com", NULL},
		{"polka dot dress, a dot com bubble", NULL}, {"\xd0\x94\xd0\xbe\xd0\xbc 5", NULL}, {"the dot org chart", NULL},
		{"%", NULL}, {"%4", NULL}, {"\\u004", NULL}, {"&#", NULL}, {"&#;", NULL}, {"\xef\xbc", NULL}, {"\xf0\x9d", NULL},
	};
	CHECK(none, 0);
}

static void invisible(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"x@\xe2\x80\x8by.de", "[EMAIL]"}, {"a\xe2\x80\x8bnn@y.d\xc2\xad""e", "[EMAIL]"}, {"x\xef\xbb\xbf@y.de", "[EMAIL]"},
	};
	CHECK(rows, 0);
	static const char wide[] = "x\0@\0y\0.\0d\0e";	/* UTF-16 read as bytes */
	unsigned via;
	struct buf got = redact(wide, sizeof wide - 1, DETECT_ALL, &via);
	assert_string_equal((char *)got.data, "[EMAIL]");
	buf_release(&got);
}

static void base64_forms(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"YW5uQGV4YW1wbGUub3Jn", "[EMAIL]"},				/* ann@example.org */
		{"uid=YW5uLmxlZUBleGFtcGxlLm9yZw==&x", "uid=[EMAIL]&x"},	/* ann.lee@example.org */
		{"/users/YW5uQGV4YW1wbGUub3Jn/edit", "[EMAIL]"},		/* the path goes too: / is base64 */
		{"/v1/users/MjE5LTA5LTk5OTg/orders/all", "/v1/users/[US_SSN]/orders/all"},	/* too short for all of it: the part alone */
		{"/v1/users/H4sIAAAAAAACA0vMy3NI", "/v1/users/[PACKED]"},
		{"eyJlbWFpbCI6ImFubkBleGFtcGxlLm9yZyJ9", "[EMAIL]"},		/* {"email":"ann@example.org"} */
		{"NDExMSAxMTExIDExMTEgMTExMQ", "[CARD]"},			/* 4111 1111 1111 1111 */
		{"YW5uJTQwZXhhbXBsZS5vcmc=", "[EMAIL]"},			/* ann%40example.org */
		{"WVc1dVFHVjRZVzF3YkdVdWIzSm4=", "[EMAIL]"},			/* base64 of the base64 */
		{"YQBuAG4AQABlAHgAYQBtAHAAbABlAC4AbwByAGcA", "[EMAIL]"},	/* UTF-16 */
		/* in lines, the address across a break */
		{"RGVhciBTaXIgb3IgTWFkYW0sIHRoaXMgaXMgYSBsb25nZXIgdGV4dCB3aGljaCB0ZWxscyB5b3UgdG8gd3JpdGUgdG8gYW5u\nQGV4YW1wbGUub3JnIGFuZCBub2JvZHkgZWxzZS4gVGhhbmsgeW91Lg==", "[EMAIL]"},
		{"x: RGVhciBTaXIgb3IgTWFkYW0sIHRoaXMgaXMgYSBsb25nZXIg\r\n dGV4dCB3aGljaCB0ZWxscyB5b3UgdG8gd3JpdGUgdG8gYW5u\r\n QGV4YW1wbGUub3JnIGFuZCBub2JvZHkgZWxzZS4gVGhhbmsg\r\n eW91Lg== end", "x: [EMAIL] end"},
		{"RGVhciBTaXIgb3IgTWFkYW0sIHRoaXMgaXMgYSBsb25nZXIg\\ndGV4dCB3aGljaCB0ZWxscyB5b3UgdG8gd3JpdGUgdG8gYW5u\\nQGV4YW1wbGUub3JnIGFuZCBub2JvZHkgZWxzZS4gVGhhbmsg\\neW91Lg==", "[EMAIL]"},
	};
	CHECK(rows, DETECT_VIA_BASE64);
	static const struct row none[] = {
		{"550E8400-e29b-41d4-a716-446655440000", NULL}, {"getElementsByClassName", NULL},
		{"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", NULL},
		{"01ARZ3NDEKTSV4RRFFQ69G5FAV", NULL}, {"aGVsbG8gd29ybGQsIHRoaXMgaXMgdGV4dA==", NULL},
		{"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", NULL},
	};
	CHECK(none, 0);
}

static void other_encodings(void **state)
{
	(void)state;
	static const struct row hex[] = {
		{"616e6e406578616d706c652e6f7267", "[EMAIL]"}, {"id=616E6E406578616D706C652E6F7267;", "id=[EMAIL];"},
		{"0x616e6e406578616d706c652e6f7267", "0x[EMAIL]"}, {"MFXG4QDFPBQW24DMMUXG64TH", "[EMAIL]"}, {"GQYTCMJAGEYTCMJAGEYTCMJAGEYTCMI=", "[CARD]"},
	};
	CHECK(hex, DETECT_VIA_HEX);
	static const struct row gzip[] = {
		{"H4sIAAAAAAACA0vMy3NIrUjMLchJ1csvSgcAaKX4ZA8AAAA=", "[EMAIL]"},	/* ann@example.org */
		{"eJxLzMtzSK1IzC3ISdXLL0oHAC8RBeA=", "[EMAIL]"},			/* the same by zlib */
		{"KLUv/QRYeQAAYW5uQGV4YW1wbGUub3JnrncM9Q==", "[EMAIL]"},		/* and by zstd */
	};
	CHECK(gzip, DETECT_VIA_GZIP);
	static const struct row none[] = {
		{"d41d8cd98f00b204e9800998ecf8427e", NULL}, {"2f7a616e6e2f6578616d706c652e6f7267", NULL}, {"JBSWY3DPEBLW64TMMQ", NULL},
		{"eJxLzMtzSK1IzC3I", NULL},	/* zlib says too little of itself */
	};
	CHECK(none, 0);
	static const struct row closed[] = {
		{"H4sIAAAAAAACA0vMy3NI", "[PACKED]"}, {"data:application/gzip;base64,H4sIAAAAAAACA0vMy3NI", "data:application/gzip;base64,[PACKED]"},
		{"KLUv/QRYeQAAYW5uQGV4YW1w", "[PACKED]"}, {"H4sI4AAAAAACA0vMy3NI", NULL},
	};
	CHECK(closed, 0);
	static const struct row forms[] = {
		{"4111\t1111\t1111\t1111", "[CARD]"}, {"4111\n1111\n1111\n1111", "[CARD]"}, {"+49_30_1234567", "[PHONE]"},
		{"\xe2\x91\xa3\xe2\x91\xa0\xe2\x91\xa0\xe2\x91\xa0 1111 1111 1111", "[CARD]"}, {"x&commat;y&period;de", "[EMAIL]"},
	};
	CHECK(forms, 0);
}

static void words_and_placeholders(void **state)
{
	(void)state;
	for (int t = 0; t < DETECT_TYPES; t++) {
		const char *name = detect_name((enum detect_type)t), *mark = detect_placeholder((enum detect_type)t);
		assert_int_equal(detect_type_of(name, strlen(name)), t);
		assert_int_equal(strlen(mark), strlen(name) + 2);
		const struct row row = {mark, NULL};
		check(&row, 1, 0);
	}
	assert_int_equal(detect_type_of("emai", 4), -1);
	assert_int_equal(detect_type_of("EMAIL", 5), -1);
	static const struct row plain[] = {
		{"", NULL}, {"signup", NULL}, {"Plan Name", NULL}, {"The quick brown fox jumps over the lazy dog", NULL}, {"1.0.0-rc.1", NULL},
		{"https://example.com/pricing?utm_source=google&utm_medium=cpc", NULL}, {"US", NULL}, {"2026-01-15T10:00:00.000Z", NULL},
	};
	CHECK(plain, 0);
}

static void only_asked_types(void **state)
{
	(void)state;
	unsigned via;
	static const char text[] = "ann@example.org 203.0.113.9";
	struct buf a = redact(text, sizeof text - 1, DETECT_BIT(DETECT_EMAIL), &via);
	assert_string_equal((char *)a.data, "[EMAIL] 203.0.113.9");
	struct buf b = redact(text, sizeof text - 1, DETECT_BIT(DETECT_IPV4), &via);
	assert_string_equal((char *)b.data, "ann@example.org [IPV4]");
	struct buf c = redact(text, sizeof text - 1, 0, &via);
	assert_string_equal((char *)c.data, text);
	buf_release(&a);
	buf_release(&b);
	buf_release(&c);
}

/* With room for fewer hits than there are, the last one reaches to the end. */
static void overflow(void **state)
{
	(void)state;
	static const char text[] = "a@b.cd and e@f.gh and YW5uQGV4YW1wbGUub3Jn and 203.0.113.9 and x";
	for (size_t max = 1; max <= 5; max++) {
		struct detect_hit hits[5];
		char *p = padded(text, sizeof text - 1);
		size_t n = detect_scan(p, sizeof text - 1, DETECT_ALL, hits, max);
		assert_int_equal(n, max < 4 ? max : 4);
		if (max < 4)
			assert_int_equal(hits[n - 1].end, sizeof text - 1);
		assert_int_equal(hits[0].start, 0);
		free(p);
	}
}

static void key_names(void **state)
{
	(void)state;
	static const char *const personal[] = {"x@y.de", "+4930123456789", "15552345678", "550e8400-e29b-41d4-a716-446655440000",
					       "203.0.113.9", "user_203.0.113.9", "x%40y.de", "4111 1111 1111 1111"};
	static const char *const names[] = {"", "email", "@type", "$browser", "Plan Name", "utm_source", "$insert_id", "step_2",
					    "items[].sku", "h264", "feature_20260115", "iso_3166_1"};
	for (size_t i = 0; i < sizeof personal / sizeof *personal; i++)
		assert_true(detect_key_name(personal[i], strlen(personal[i])));
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		assert_false(detect_key_name(names[i], strlen(names[i])));
	char longest[300];
	memset(longest, 'a', sizeof longest);
	assert_true(detect_key_name(longest, sizeof longest));
}

/* ---- kernels ---------------------------------------------------------------------------------------------------- */

static uint64_t seed = 88172645463325252u;

static uint64_t next_random(void)	/* xorshift64: the same bytes in every run */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

/* The table says of exactly these words that they may begin something; of others it may. */
static void word_tables(void **state)
{
	static const char *const words[8][3] = {{"bea"}, {"ey"}, {"dot", "=40"}, {"pas", "pwd"}, {"sec"}, {"tok", "api"}, {"=\n", "=\r", "=\\"}, {"/us", "/ho", "\\us"}};
	struct word_table want = {0};
	(void)state;
	for (unsigned bit = 0; bit < 8; bit++)
		for (size_t w = 0; w < 3 && words[bit][w]; w++)
			for (unsigned i = 0; i < 3; i++)
				for (unsigned c = 0; c < 0x80; c++) {
					char any = words[bit][w][i < strlen(words[bit][w]) ? i : 0], small = (char)(c >= 'A' && c <= 'Z' && bit != 1 ? c | 0x20 : c);
					if (small != any && i < strlen(words[bit][w]))
						continue;
					for (unsigned half = 0; half < 32; half += 16) {
						want.low[i][half + (c & 15)] |= (uint8_t)(1 << bit);
						if (i == 0)
							want.high[half + (c >> 4)] |= (uint8_t)(1 << bit);
					}
				}
	assert_memory_equal(&want, &word_table, sizeof want);
}

static void kernels_agree(void **state)
{
	(void)state;
	static uint8_t text[4096 + 64];
	static struct marks want[64], got[64];
	static const char alphabet[] = "019azAZbBeEaAy.@:%\\&[(+/-_. \x7f\x80\xff\x01\x08\x09GF=40dotpswckinuhm\n";
	for (unsigned round = 0; round < 400; round++) {
		size_t n = round < 130 ? round : next_random() % 4096;
		for (size_t i = 0; i < sizeof text; i++)
			text[i] = round & 1 ? (uint8_t)next_random() : (uint8_t)alphabet[next_random() % (sizeof alphabet - 1)];
		assert_true(marks_force(MARKS_PLAIN));
		marks_fill(text, n, want);
		for (int k = MARKS_SSSE3; k <= MARKS_AVX2; k++) {
			if (!marks_force((enum marks_kernel)k))
				continue;
			marks_fill(text, n, got);
			assert_memory_equal(got, want, (n + 63) / 64 * sizeof *got);
		}
	}
	if (!marks_force(MARKS_AVX2))
		print_message("no AVX2 here: compared SSSE3 and plain C only\n");
}

/* A hit is found wherever it stands: across blocks, windows and copies. */
static void every_offset(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum detect_type type;
	} rows[] = {
		{" ann@example.org ", DETECT_EMAIL}, {" 4111 1111 1111 1111 ", DETECT_CARD}, {" x%2540y.de ", DETECT_EMAIL},
		{" 2001:db8::77 ", DETECT_IPV6}, {" YW5uQGV4YW1wbGUub3Jn ", DETECT_EMAIL}, {" Bearer abcdef0123456789 ", DETECT_BEARER},
		{" " JWT_HEAD "." JWT_BODY " ", DETECT_JWT}, {" ann [at] example [dot] org ", DETECT_EMAIL},
		{" DE89 3704 0044 0532 0130 00 ", DETECT_IBAN}, {" +49 30 1234567 ", DETECT_PHONE},
	};
	enum { SIZE = 3 * WINDOW };
	static char text[SIZE + 64];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t at = 0; at + 100 < SIZE; at += at > 80 && at < WINDOW - 100 ? 61 : 1) {
			struct detect_hit hits[4];
			size_t len = strlen(rows[i].text);
			memset(text, 'q', SIZE);
			memcpy(text + at, rows[i].text, len);
			size_t n = detect_scan(text, SIZE, DETECT_ALL, hits, 4);
			if (n != 1 || hits[0].type != rows[i].type || hits[0].start > at + 8 || hits[0].start < at ||
			    hits[0].end != at + len - 1)
				fail_msg("row %zu at %zu: %zu hits", i, at, n);
		}
}

/* Too long to be a card, wherever a block ends in it. */
static void one_run(void **state)
{
	(void)state;
	static char text[256 + 64];
	for (size_t at = 0; at < 200; at++) {
		struct detect_hit hit;
		memset(text, 'q', 256);
		memcpy(text + at, " 9999994111111111111111 ", 24);
		assert_int_equal(detect_scan(text, 256, DETECT_ALL, &hit, 1), 0);
	}
}

/* Text made to hurt: each byte may cost a little more, never the square. */
static void hostile(void **state)
{
	(void)state;
	enum { SIZE = 1 << 20 };
	char *text = xcalloc(SIZE + 64, 1);
	static struct detect_hit hits[4096];
	for (size_t i = 0; i < HOSTILE_UNITS; i++) {
		hostile_fill(i, text, SIZE);
		struct timespec a, b;
		clock_gettime(CLOCK_MONOTONIC, &a);
		detect_scan(text, SIZE, DETECT_ALL, hits, sizeof hits / sizeof *hits);
		clock_gettime(CLOCK_MONOTONIC, &b);
		double s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
		if (getenv("DETECT_TIMES"))
			print_message("%8.3f GB/s  %s\n", SIZE / s / 1e9, hostile_units[i]);
		if (s > 2)
			fail_msg("unit %zu took %.1f s for 1 MiB", i, s);
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(emails), cmocka_unit_test(addresses), cmocka_unit_test(numbers), cmocka_unit_test(tokens),
		cmocka_unit_test(phrases), cmocka_unit_test(word_tables), cmocka_unit_test(percent_forms), cmocka_unit_test(invisible), cmocka_unit_test(base64_forms),
		cmocka_unit_test(other_encodings), cmocka_unit_test(words_and_placeholders), cmocka_unit_test(only_asked_types), cmocka_unit_test(overflow),
		cmocka_unit_test(key_names), cmocka_unit_test(kernels_agree), cmocka_unit_test(every_offset), cmocka_unit_test(one_run),
		cmocka_unit_test(hostile),
	};
	return cmocka_run_group_tests_name("detect", tests, NULL, NULL);
}
