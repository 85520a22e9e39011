/*
 * Any header, page, cookie or security.txt: the rules end, and the report reads back as the same score.  The input is
 * cut at 0x01: policy, cookie, another header's value, page, security.txt.
 */
#include <stdlib.h>
#include <string.h>

#include "posture/report.h"

enum { PARTS = 5 };

static struct span part(const uint8_t **p, const uint8_t *end)
{
	const uint8_t *from = *p, *stop = from < end ? memchr(from, 1, (size_t)(end - from)) : NULL;
	if (!stop)
		stop = end;
	*p = stop < end ? stop + 1 : end;
	return (struct span){(const char *)from, (size_t)(stop - from)};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const names[] = {"cross-origin-opener-policy", "strict-transport-security", "referrer-policy", "x-frame-options",
					    "cross-origin-resource-policy", "cross-origin-embedder-policy", "access-control-allow-origin"};
	const uint8_t *p = data, *end = data + n;
	struct span v[PARTS];
	char *text[3];
	for (size_t i = 0; i < PARTS; i++)
		v[i] = part(&p, end);
	for (size_t i = 0; i < 3; i++)
		text[i] = xstrndup(v[i].len ? v[i].at : "", v[i].len);
	struct posture_header h[9] = {{"content-type", "text/html"}, {"content-security-policy", text[0]}};
	for (size_t i = 0; i < 7; i++)
		h[i + 2] = (struct posture_header){names[i], text[2]};
	struct posture_response r = {200, true, h, 9, v[3]};
	struct posture_cookie cookie = {"vendor.example", text[1]};
	struct posture_capture c = {.host = "vendor.example", .page = &r, .https = &r, .cors = &r, .page_https = true, .cookies = &cookie, .cookies_len = 1,
				    .security_txt = {.status = 200, .https = true, .verified = true, .type = "text/plain", .body = v[4], .url = "https://a/"}};
	struct posture_report one, two;
	enum posture_profile profile;
	struct err err;
	posture_judge(&c, &one);
	json_t *j = posture_report_json("x", &c, &one);
	must(j && posture_report_read(j, &profile, &two, &err) == 0 && two.score == one.score);
	json_decref(j);
	for (size_t i = 0; i < 3; i++)
		free(text[i]);
	return 0;
}
