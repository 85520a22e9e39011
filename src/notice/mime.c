/* One letter as RFC 5322 with quoted-printable UTF-8 (RFC 2045 6.7) and encoded words (RFC 2047). */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "notice/notice.h"

enum { LINE_MAX_QP = 75, WORD_BYTES = 39 };	/* 39 bytes are 52 of base64: "Subject: =?utf-8?B?...?=" is 73 */

static bool atom(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

bool mail_address_ok(const char *s)
{
	size_t n = strlen(s);
	const char *at = strchr(s, '@');
	if (n > 254 || !at || at == s || at - s > 64 || !at[1] || s[0] == '-')
		return false;
	for (const char *p = s; p < at; p++)
		if (!atom(*p))
			return false;
	for (const char *p = at + 1; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '.'))
			return false;
	return at[1] != '.' && s[n - 1] != '.' && !strstr(s, "..");
}

static bool plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 32 || (unsigned char)*s > 126 || strchr("\"\\<>@,;:()[]", *s))
			return false;
	return true;
}

/* Encoded words, cut between characters. */
static void header_text(struct buf *out, const char *s)
{
	size_t n = strlen(s);
	if (plain(s) && n < 60) {
		buf_add(out, s, n);
		return;
	}
	for (size_t at = 0; at < n;) {
		size_t len = n - at < WORD_BYTES ? n - at : WORD_BYTES;
		char b64[4 * ((WORD_BYTES + 2) / 3) + 1];
		while (len > 1 && at + len < n && ((unsigned char)s[at + len] & 0xc0) == 0x80)
			len--;
		base64_encode(s + at, len, b64);
		buf_addf(out, "%s=?utf-8?B?%s?=", at ? "\r\n " : "", b64);
		at += len;
	}
}

static void quoted_line(struct buf *out, const char *s, size_t n)
{
	size_t col = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		bool raw = (c >= 33 && c <= 126 && c != '=') || ((c == ' ' || c == '\t') && i + 1 < n);
		size_t need = raw ? 1 : 3;
		if (col + need > LINE_MAX_QP) {
			buf_adds(out, "=\r\n");
			col = 0;
		}
		if (raw)
			buf_addc(out, (char)c);
		else
			buf_addf(out, "=%02X", c);
		col += need;
	}
	buf_adds(out, "\r\n");
}

static void date(struct buf *out, int64_t at)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm t;
	time_t s = (time_t)at;
	gmtime_r(&s, &t);
	buf_addf(out, "Date: %.3s, %d %.3s %d %02d:%02d:%02d +0000\r\n", days + 3 * t.tm_wday, t.tm_mday, months + 3 * t.tm_mon,
		 t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

void mail_format(const struct mail *m, struct buf *out)
{
	buf_adds(out, "From: ");
	if (m->organisation && *m->organisation) {
		header_text(out, m->organisation);
		buf_adds(out, "\r\n ");
	}
	buf_addf(out, "<%s>\r\nTo: <%s>\r\nSubject: ", m->from, m->to);
	header_text(out, m->subject);
	buf_adds(out, "\r\n");
	date(out, m->at);
	buf_addf(out,
		 "Message-ID: <%s>\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Language: %s\r\n"
		 "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
		 m->message_id, m->lang);
	for (const char *p = m->body; *p; p += strcspn(p, "\n"), p += *p == '\n')
		quoted_line(out, p, strcspn(p, "\n"));
}
