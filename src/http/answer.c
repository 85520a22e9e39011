/* The head of an answer, composed into the loop's own buffer.  RFC 9110 sections 6.6.1, 8.6, 15. */
#include <time.h>

#include "base/clock.h"
#include "http/conn.h"

static const struct {
	int status;
	const char *text;
} texts[] = {
	{200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"}, {304, "Not Modified"},
	{400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
	{405, "Method Not Allowed"}, {406, "Not Acceptable"}, {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"},
	{413, "Content Too Large"}, {414, "URI Too Long"}, {415, "Unsupported Media Type"}, {417, "Expectation Failed"},
	{422, "Unprocessable Content"}, {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"}, {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"},
	{504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"},
};

const char *http_status_text(int status)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "Status";
}

static void date_refresh(struct hub *h)
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	int64_t now = clock_now();
	if (now == h->date_at)
		return;
	h->date_at = now;
	time_t t = (time_t)now;
	struct tm tm;
	if (!gmtime_r(&t, &tm))
		return;
	struct buf b;
	buf_init(&b, sizeof(h->date));
	buf_addf(&b, "%s, %02d %s %d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
		 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (!b.over && b.len < sizeof(h->date))
		memcpy(h->date, b.data, b.len + 1);
	buf_release(&b);
}

/* A field that could end its line is left out: handlers echo what clients sent (Origin). */
static bool field_clean(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] < 0x20 && s.at[i] != '\t')
			return false;
	return true;
}

static void add_field(struct buf *b, struct span name, struct span value)
{
	if (!field_clean(name) || !field_clean(value))
		return;
	buf_add(b, name.at, name.len);
	buf_add(b, ": ", 2);
	buf_add(b, value.at, value.len);
	buf_add(b, "\r\n", 2);
}

static void add_number(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t n = sizeof(digits);
	do
		digits[--n] = (char)('0' + v % 10);
	while (v /= 10);
	buf_add(b, digits + n, sizeof(digits) - n);
}

void answer_head(struct hub *h, const struct http_answer *a, bool close, bool http10)
{
	struct buf *b = &h->head;
	buf_reset(b);
	date_refresh(h);
	buf_add(b, "HTTP/1.1 ", 9);
	add_number(b, (uint64_t)a->status);
	buf_add(b, " ", 1);
	buf_adds(b, http_status_text(a->status));
	buf_adds(b, "\r\nDate: ");
	buf_adds(b, h->date);
	buf_add(b, "\r\n", 2);
	for (size_t i = 0; i < a->headers_len; i++)
		add_field(b, a->headers[i].name, a->headers[i].value);
	if (a->status >= 200 && a->status != 204 && a->status != 304) {
		buf_adds(b, "Content-Length: ");
		add_number(b, a->body.len);
		buf_add(b, "\r\n", 2);
	}
	if (close)
		buf_adds(b, "Connection: close\r\n");
	else if (http10)
		buf_adds(b, "Connection: keep-alive\r\n");
	buf_add(b, "\r\n", 2);
}
