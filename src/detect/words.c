/*
 * What begins with letters or signs: e-mail addresses (RFC 5321, 5322, 6531), IPv6 (RFC 4291), JWT (RFC 7519) and
 * bearer tokens (RFC 6750).
 */
#include <string.h>

#include "base/bytes.h"
#include "detect/core.h"

static uint8_t lower(uint8_t c)
{
	return is(c, C_UPPER) ? (uint8_t)(c | 0x20) : c;
}

static bool same_word(const uint8_t *t, size_t n, const char *word)
{
	if (n == 0 || lower(t[0]) != (uint8_t)word[0] || strlen(word) != n)	/* most words end at the first letter */
		return false;
	for (size_t i = 0; i < n; i++)
		if (lower(t[i]) != (uint8_t)word[i])
			return false;
	return true;
}

static bool in_list(const uint8_t *t, size_t n, const char *const *words)
{
	for (; *words; words++)
		if (same_word(t, n, *words))
			return true;
	return false;
}

/* phone_model, mobile_os, card_type: the word is about another thing. */
static bool of_something(const struct scan *s, size_t p)
{
	static const char *const things[] = {"model", "os", "type", "count", "version", "brand", "name", "size", "plan", "app", NULL};
	if (at(s, p) != '_' && at(s, p) != '-' && at(s, p) != ' ')
		return false;
	size_t end = p + 1;
	while (end - p < 10 && is(at(s, end), C_ALPHA))
		end++;
	return in_list(s->t + p + 1, end - p - 1, things);
}

bool near_word(const struct scan *s, size_t p, size_t reach, const char *const *words)
{
	size_t low = p - s->lo > reach ? p - reach : s->lo;
	for (size_t end = p; end > low;) {
		if (s->t[end - 1] == ']')
			return false;	/* what was redacted stands between: its words are not about this */
		if (!is(s->t[end - 1], C_ALPHA)) {
			end--;
			continue;
		}
		size_t start = end;
		while (start > low && is(s->t[start - 1], C_ALPHA))
			start--;
		if (!is(before(s, start), C_ALPHA) && in_list(s->t + start, end - start, words) && !of_something(s, end))
			return true;
		end = start;
	}
	return false;
}

/* ---- e-mail ----------------------------------------------------------------------------------------------------- */

static bool east_asian(uint8_t lead)	/* U+3000 to U+D7FF: scripts that stand against Latin words without a space */
{
	return lead >= 0xe3 && lead <= 0xed;
}

static bool cjk_ends_at(const struct scan *s, size_t p)
{
	return p >= s->lo + 3 && east_asian(s->t[p - 3]) && (s->t[p - 2] & 0xc0) == 0x80 && (s->t[p - 1] & 0xc0) == 0x80;
}

static size_t local_part(const struct scan *s, size_t sign)
{
	size_t start = sign;
	bool ascii = false;
	while (is(before(s, start), C_ATOM | C_RARE)) {
		uint8_t c = before(s, start);
		if (ascii && c >= 0x80 && cjk_ends_at(s, start))
			break;
		ascii |= c < 0x80;
		start--;
	}
	while (start < sign && (is(s->t[start], C_RARE) || s->t[start] == '.' || s->t[start] == '-'))
		start++;
	return start;
}

/* "Ann Lee"@example.org: RFC 5321 Quoted-string, of words only. */
static size_t quoted_part(const struct scan *s, size_t sign)
{
	if (before(s, sign) != '"')
		return sign;
	size_t i = sign - 1;
	bool letter = false;
	while (sign - i < 66 && (is(before(s, i), C_ATOM) || before(s, i) == ' ' || before(s, i) == '@')) {
		letter |= is(before(s, i), C_ALNUM) || before(s, i) >= 0x80;
		i--;
	}
	return letter && before(s, i) == '"' && !is(before(s, i - 1), C_ALNUM) ? i - 1 : sign;
}

/* user@[192.0.2.1], user@[IPv6:2001:db8::1]: end of it, or 0. */
static size_t address_literal(const struct scan *s, size_t p)
{
	if (at(s, p) != '[')
		return 0;
	size_t i = p + 1;
	if (at(s, i) == 'I' && at(s, i + 1) == 'P' && at(s, i + 2) == 'v' && at(s, i + 3) == '6')
		i += 4;
	size_t digits = 0;
	while (i - p < 48 && (is(at(s, i), C_HEX) || at(s, i) == ':' || at(s, i) == '.'))
		digits += is(at(s, i++), C_DIGIT);
	return digits > 1 && at(s, i) == ']' ? i + 1 : 0;
}

/* End of a host name whose last labels can be a top-level domain, or 0: two letters or more after a dot. */
static size_t host_end(const struct scan *s, size_t p)
{
	static const char *const endings[] = {	/* file names: logo@2x.png */
		"png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "bmp", "css", "scss", "js", "mjs", "cjs", "jsx", "tsx",
		"json", "html", "htm", "xml", "php", "tgz", "gz", "tar", "jar", "exe", "dll", "pdf", "wasm", "yaml", "yml",
		"lock", "log", "txt", "csv", NULL};
	size_t i = p, label = p, letters = 0;
	bool good = false, ascii = false;	/* ascii: this label has such a character */
	for (;; i++) {
		uint8_t c = at(s, i);
		if (c == '.') {
			if (i == label)
				break;
			label = i + 1;
			letters = 0;
			ascii = false;
			continue;
		}
		if (good && ascii && east_asian(c))
			break;
		ascii |= c < 0x80;
		if (!is(c, C_ALNUM) && c < 0x80 && c != '-' && c != '_')
			break;
		bool letter = is(c, C_ALPHA) || c >= 0x80;
		if (label > p && letter && i - label == letters && ++letters == 2)
			good = true;
	}
	while (i > p && (s->t[i - 1] == '.' || s->t[i - 1] == '-' || s->t[i - 1] == '_'))
		i--;
	if (!good || (label < i && in_list(s->t + label, i - label, endings)))
		return 0;
	return i;
}

/* https://0123456789abcdef0123456789abcdef@o1.ingest.example/1: a project's public key, not a person. */
static bool is_dsn(const struct scan *s, size_t start, size_t sign)
{
	if (before(s, start) != '/' || sign - start < 16)
		return false;
	for (size_t i = start; i < sign; i++)
		if (!is(s->t[i], C_HEX))
			return false;
	return true;
}

void find_email(struct scan *s, size_t sign)
{
	static const struct finding f = {DETECT_EMAIL, DETECT_STRONG, 95, "local part, @, host name with a top-level domain", NULL};
	size_t start = local_part(s, sign);
	if (before(s, start) > ' ' && before(s, start) != ']' && wanted(s, DETECT_KEY) && find_url_password(s, sign))
		return;
	if (!wanted(s, DETECT_EMAIL))
		return;
	if (start == sign)
		start = quoted_part(s, sign);
	if (start == sign)
		return;
	size_t end = address_literal(s, sign + 1);
	if (!end)
		end = host_end(s, sign + 1);
	if (!end || same_word(s->t + start, sign - start, "git") || is_dsn(s, start, sign))
		return;
	hit_add(s, start, end, &f, 0);
}

/* ---- IPv6 ------------------------------------------------------------------------------------------------------- */

static bool colon_or_hex(uint8_t c)
{
	return c == ':' || is(c, C_HEX);
}

/*
 * RFC 4291 2.2 at p: groups of 1 to 4 hex digits, "::" at most once, a dotted tail.  Returns where it ends or stops
 * being one; *valid says which.
 */
static size_t parse6(const struct scan *s, size_t p, bool *valid)
{
	unsigned groups = 0;
	bool gap = false;
	size_t i = p;
	*valid = false;
	for (;;) {
		size_t start = i;
		while (i - start < 5 && is(at(s, i), C_HEX))
			i++;
		if (i - start > 4)
			return i;
		if (i > start)
			groups++;
		if (at(s, i) != ':' || groups > 8)
			break;
		bool two = at(s, i + 1) == ':';
		if (two && (gap || at(s, i + 2) == ':'))
			break;
		if (!two && !is(at(s, i + 1), C_HEX))
			break;	/* "2001:db8::1: text" ends before the colon */
		gap |= two;
		i += two ? 2 : 1;
		if (!is(at(s, i), C_HEX))
			break;	/* "2001:db8::" */
	}
	bool whole = !is(at(s, i), C_ALNUM) && at(s, i) != '_' && !(at(s, i) == ':' && colon_or_hex(at(s, i + 1)));
	*valid = whole && (gap ? groups >= 2 && groups <= 7 : groups == 8);
	return i;
}

/* Somebody's: global unicast 2000::/3, unique local fc00::/7, link-local fe80::/10 (often made from a MAC address). */
static bool personal6(const struct scan *s, size_t p)
{
	uint8_t a = lower(at(s, p)), b = lower(at(s, p + 1)), c = lower(at(s, p + 2));
	if (!is(a, C_HEX) || !is(b, C_HEX) || !is(c, C_HEX) || !is(at(s, p + 3), C_HEX) || at(s, p + 4) != ':')
		return false;
	return a == '2' || a == '3' || (a == 'f' && (b == 'c' || b == 'd')) ||
	       (a == 'f' && b == 'e' && (c == '8' || c == '9' || c == 'a' || c == 'b'));
}

static void ipv6(struct scan *s, size_t colon)
{
	static const struct finding f = {DETECT_IPV6, DETECT_STRONG, 90, "eight groups or ::, global, unique local or link-local", NULL};
	if (colon < s->colons_until || !(colon_or_hex(at(s, colon + 1)) && colon_or_hex(before(s, colon))))
		return;
	size_t g = colon;
	while (colon - g < 5 && is(before(s, g), C_HEX))
		g--;
	if (is(before(s, g), C_ALNUM))
		g = colon;
	while (colon_or_hex(at(s, g)) || at(s, g) == '.') {
		if (!personal6(s, g) || is(before(s, g), C_ALNUM)) {
			do
				g++;
			while (is(before(s, g), C_HEX) && (colon_or_hex(at(s, g)) || at(s, g) == '.'));
			continue;
		}
		bool valid;
		size_t end = parse6(s, g, &valid);
		if (valid) {
			if (at(s, end) == '%' && is(at(s, end + 1), C_ALNUM))	/* RFC 4007 zone */
				for (end++; is(at(s, end), C_ALNUM);)
					end++;
			hit_add(s, g, end, &f, 0);
		}
		g = end > g ? end : g + 1;
	}
	s->colons_until = g;
}

void find_ipv6(struct scan *s, size_t colon)
{
	if (wanted(s, DETECT_MAC) && colon >= s->lo + 2 && at(s, colon + 3) == ':')
		find_mac(s, colon - 2, ':');
	if (wanted(s, DETECT_IPV6))
		ipv6(s, colon);
}

/* ---- JWT -------------------------------------------------------------------------------------------------------- */

/* RFC 7515 4.1: a JOSE header is a JSON object with "alg". */
static bool jose_header(const struct scan *s, size_t start, size_t end)
{
	enum { LOOK = 512 };
	char out[3 * LOOK / 4 + 4];
	size_t n = end - start > LOOK ? LOOK : end - start;
	ssize_t len = base64_decode((const char *)s->t + start, n - (n % 4 == 1), out);
	return len > 2 && out[0] == '{' && memmem(out, (size_t)len, "\"alg\"", 5);
}

static size_t segment_end(const struct scan *s, size_t p)
{
	while (is(at(s, p), C_TOKEN))
		p++;
	return p;
}

/* A header that is cut or mangled may still have its payload behind it: eyJ is how base64 of {" begins. */
static bool looks_like_jwt(const struct scan *s, size_t start, size_t end)
{
	return end - start >= 12 && s->t[start + 2] == 'J' && at(s, end + 1) == 'e' && at(s, end + 2) == 'y' &&
	       at(s, end + 3) == 'J';
}

static void jwt(struct scan *s, size_t p)
{
	static const struct finding f = {DETECT_JWT, DETECT_STRONG, 100, "JOSE header with alg and a payload, or eyJ.eyJ", NULL};
	if (p < s->jwt_until || is(before(s, p), C_TOKEN))
		return;
	size_t start = p, end, found = 0;
	for (;; p = end + 1) {	/* every segment of this dotted run, once */
		end = segment_end(s, p);
		if (!found && at(s, end) == '.' && is(at(s, end + 1), C_TOKEN) && end - p >= 12 && s->t[p] == 'e' &&
		    s->t[p + 1] == 'y' && (looks_like_jwt(s, p, end) || jose_header(s, p, end))) {
			found = 1;
			start = p;
		}
		if (at(s, end) != '.' || end == p)
			break;
	}
	s->jwt_until = end;
	while (end > start && s->t[end - 1] == '.')
		end--;
	if (found)
		hit_add(s, start, end, &f, 0);
}

/* ---- bearer tokens ---------------------------------------------------------------------------------------------- */

static bool token68(uint8_t c)	/* RFC 6750 2.1 */
{
	return is(c, C_TOKEN) || c == '.' || c == '~' || c == '+' || c == '/' || c == '=';
}

static void bearer(struct scan *s, size_t p)
{
	static const struct finding f = {DETECT_BEARER, DETECT_STRONG, 90, "Bearer and a token that no word looks like", NULL};
	if (p < s->bearer_until || p + 6 > s->hi || !same_word(s->t + p, 6, "bearer") || is(before(s, p), C_ALNUM))
		return;
	size_t start = p + 6;
	while (start - p < 10 && at(s, start) && strchr(" \t:=+\"'", at(s, start)))
		start++;
	if (start == p + 6)
		return;
	size_t end = start, digits = 0, upper = 0, small = 0;
	for (; token68(at(s, end)); end++) {
		digits += is(s->t[end], C_DIGIT);
		upper += is(s->t[end], C_UPPER);
		small += is(s->t[end], C_LOWER);
	}
	s->bearer_until = end;
	if (end - start >= 12 && (digits || (upper && small && end - start >= 20)))
		hit_add(s, start, end, &f, 0);
}

void find_word(struct scan *s, size_t p)
{
	switch (s->t[p]) {
	case 'e':
		if (wanted(s, DETECT_JWT))
			jwt(s, p);
		break;
	case 'b':
	case 'B':
		if (wanted(s, DETECT_BEARER))
			bearer(s, p);
		break;
	case '=':
		if (s->depth < DEPTH_MAX)
			scan_decoded(s, p);
		break;
	default:
		find_phrase(s, p);
	}
}
