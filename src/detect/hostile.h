/*
 * Texts made to hurt, each repeated to the length that is wanted; for detect_test.c (never the square) and
 * bench/detect_bench.c (at most ten times slower).
 */
#ifndef DETECT_HOSTILE_H
#define DETECT_HOSTILE_H

#include <stddef.h>
#include <string.h>

static const char *const hostile_units[] = {
	"sk-ant-", "glpat-", "AB 12 ", "A1234567 ", "ABCDE1234 ", "61626364", "MFXG4QDF", "H4sIAAAA",
	"H4sIAAAAAAACA0vMy3NIrUjMLchJ1csvSgcAaKX4ZA8AAAA= ", "eJwD", "00-1B-", "00:1b:44:11:3a:b7 ",
	"-----BEGIN PRIVATE KEY-----MIIEowIBAAKCAQEA1c7+9z5Pad7OejecsQ0bu3aozN3tihPmljnnudb9",
	"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb ", "nhs 9434765918 ", "imei iccid vin nhs 943 476 5918 ", "@", "a@", "a.a@", "1",
	"1 ", "1.", "1.2.3.", "1.2.3.4 ", "1.2.3.4x", ":", "a:", "2001:", "2001:db8::1 ", "eyJ.", "ey.",
	"eyJhbGciOiJub25lIn0.", "bearer+", "Bearer ", "bearer a1b2c3d4e5f6 ", "4111 ", "4111 1111 1111 1112 ",
	"4111111111111112 ", "123-45-", "219-09-9998 ", "+1", " +49 30", "(212) ", "212-555-", "phone ", "phone 1234567 ",
	"AD12 ", "GB82 WEST 1234 5698 7654 33 ", "aA", "aA/", "YW5uQGV4", "a@b.cd ", "a@b.c ", "\"a", "\"\"@", "{a@b.cd",
	"%25", "%2540", "%40a.bc", "%40a.bc ", "[at]", "\\u0040", "&#64;", "\xef\xbc\xa0", "\xe2\x80\x8b", "\xc3\xa9",
	"0123456789.@:", "1.1.1.1@", "GB82", "a\0", "password=", "password=a", "pwd: a1 ", "my password is hunter2 ",
	"secret_key=", "token=a1b2c3d4", "api_key=", "=40", "a=40b", "=\n", "a=3D", "=61", "/home/a/", "/home/ann/x.py ",
	"C:\\Users\\a\\", "a at b dot ", "a at b dot com ", "dot-", "://a:b@", "a://b:", "a.bcde.", "001b.4411.3ab7 ",
	"abcdEFGHijklMNOP\n", "YW5uQGV4YW1wbGUub3Jn\n", "aaaaBBBB\\n", "0x616263646566", "\\x40", "D\xd0\x95", "KLUv/QRY",
	"4,1,", "4 - ", "+4+", "+49+30", "WVc1dVFH ", "JTI1NDA", "wallet 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed ",
	"WXpJNWRGcFRRakJhV0dnd1NVTlZNRTFEUW05YVdFcHNTVVowYUdSR01HZFpWelZyU1VjeGRtTnRWV2RqTWpsMFdsTkNNRnBZYURCSlExVXdUVU5DYjFwWVNteEpSblJvWkVZd1oxbFhOV3RKUnpGMlkyMVZadz09",
	"JTU5JTUzJTU1JTMwJTRkJTQzJTQyJTY5JTQ5JTQzJTY4JTY4JTY0JTQzJTZiJTY3JTU5JTc3JTNkJTNk",
	"%59%53%55%79%4e%54%51%77%49%46%74%68%64%46%30%67%59%69%41%6f%5a%47%39%30%4b%53%42%6a%49%41%3d%3d",
	"\\", "4\\n", "=\\\\n", "=\r\na", "H4sI/", "/H4sIAAAAAAACA", "/aA1bC2dE3fG4", "aA1bC2dE3fG4/", "%u0040", "\\100", "&amp;", "&amp;#64;", "\\u0430", "\\u{40}",
	"a+at+b+dot+com+", "1@:", "1@", "%3D%0A", "{\\\"a\\\":\\\"", "\\ud835\\udfd2",
	"a\0",
};
enum { HOSTILE_UNITS = sizeof hostile_units / sizeof *hostile_units };

static inline void hostile_fill(size_t unit, char *text, size_t n)
{
	size_t len = strlen(hostile_units[unit]) + (unit == HOSTILE_UNITS - 1);	/* the last one has a NUL */
	for (size_t i = 0; i < n; i++)
		text[i] = hostile_units[unit][i % len];
}

#endif
