/*
 * Runs of letters, digits, + / - _: keys with a prefix of their own (catalog/detectors/keys.yaml), addresses of coins, MAC
 * addresses with dashes, vehicle numbers, private keys in PEM, and passwords behind "Basic".
 *
 * A key may begin wherever no letter or digit stands before; each place costs one look into an index by first byte.
 */
#include <string.h>

#include "base/bytes.h"
#include "detect/ids.h"

static bool in_class(uint8_t c, unsigned class)
{
	return key_classes[c] >> class & 1;
}

static void found_kind(struct scan *s, size_t start, size_t end, enum detect_type t, const struct detect_kind *kind, const char *why)
{
	const struct finding f = {t, DETECT_STRONG, 95, why, kind};
	hit_add(s, start, end, &f, 0);
}

/* ---- checks that rows name: `end` may be moved ------------------------------------------------------------------- */

/* The last six characters are the CRC-32 of the rest in base 62 (GitHub's blog of 2021-04-05). */
bool check_key_github(const struct scan *s, size_t body, size_t *end)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	uint32_t crc = 0xffffffffu;
	for (size_t i = body; i < *end - 6; i++) {
		crc ^= s->t[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	crc = ~crc;
	for (size_t i = *end; i > *end - 6; crc /= 62)
		if (s->t[--i] != (uint8_t)digits[crc % 62])
			return false;
	return true;
}

bool check_key_openai(const struct scan *s, size_t body, size_t *end)
{
	return *end - body == 48 && memcmp(s->t + body + 20, "T3BlbkFJ", 8) == 0;
}

/* Not further than it matters: a prefix may begin every few bytes of a long run. */
static size_t body_end(const struct scan *s, size_t p, unsigned class, size_t most)
{
	size_t to = p;
	while (to - p <= most && in_class(at(s, to), class))
		to++;
	return to;
}

/* A second part of so many characters behind a dot. */
static bool second_part(const struct scan *s, size_t *end, unsigned class, size_t n)
{
	size_t to = at(s, *end) == '.' ? body_end(s, *end + 1, class, n) : 0;
	if (to != *end + 1 + n)
		return false;
	*end = to;
	return true;
}

bool check_key_sendgrid(const struct scan *s, size_t body, size_t *end)
{
	(void)body;
	return second_part(s, end, KEY_URL, 43);
}

bool check_key_airtable(const struct scan *s, size_t body, size_t *end)
{
	(void)body;
	return second_part(s, end, KEY_HEX, 64);
}

/* 123456789:AA...: a bot's number stands before it. */
bool check_key_telegram(const struct scan *s, size_t body, size_t *end)
{
	size_t p = body - 2, digits = 0;
	(void)end;
	if (before(s, p) != ':')
		return false;
	for (p--; digits < 11 && is(before(s, p), C_DIGIT); p--)
		digits++;
	return digits >= 8 && digits <= 10;
}

bool check_key_uuid(const struct scan *s, size_t body, size_t *end)
{
	for (size_t i = 0; i < *end - body; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s->t[body + i] != '-' : !in_class(s->t[body + i], KEY_HEX))
			return false;
	return true;
}

/* ---- prefixes ---------------------------------------------------------------------------------------------------- */

/* A fixed filler (xxxx, 0000) is no key. */
static bool varied(const struct scan *s, size_t p, size_t end)
{
	uint64_t seen[2] = {0};
	for (size_t i = p; i < end; i++)
		seen[s->t[i] >> 6 & 1] |= (uint64_t)1 << (s->t[i] & 63);
	unsigned different = (unsigned)(__builtin_popcountll(seen[0]) + __builtin_popcountll(seen[1]));
	return different >= 6;
}

/* In a run of - and _ a prefix may begin every few bytes: the run is measured once. */
static size_t url_end(struct scan *s, size_t p)
{
	if (p < s->url_from || p >= s->url_end) {
		s->url_from = p;
		for (s->url_end = p; in_class(at(s, s->url_end), KEY_URL);)
			s->url_end++;
	}
	return s->url_end;
}

/* Returns where the key ends, or 0. */
static size_t key_at(struct scan *s, size_t p, const struct key_row *r)
{
	uint32_t head = get_u32(s->t + p);	/* 64 bytes are readable behind the text */
	if ((head & r->mask) != r->head || s->hi - p < (size_t)r->len + r->min ||
	    (r->len > 4 && memcmp(s->t + p + 4, r->prefix + 4, r->len - 4u) != 0))
		return 0;
	size_t body = p + r->len, end = r->class == KEY_URL ? url_end(s, body) : body_end(s, body, r->class, r->max);
	if (end - body < r->min || end - body > r->max || is(at(s, end), C_ALNUM) || !varied(s, body, end))
		return 0;
	if (r->check && !r->check(s, body, &end))
		return 0;
	found_kind(s, p, end, DETECT_KEY, &r->kind, "a service's prefix, characters and length of its keys");
	return end;
}

static size_t prefixed(struct scan *s, size_t p, bool dotted)
{
	uint8_t c = s->t[p];
	if (c >= 128)
		return 0;
	for (unsigned i = key_first[c]; i < key_first[c + 1]; i++) {
		size_t end = !key_rows[i].dotted == dotted ? 0 : key_at(s, p, &key_rows[i]);
		if (end)
			return end;
	}
	return 0;
}

/* SG.abc...: the run begins behind the dot, the prefix in front of it. */
static size_t dotted(struct scan *s, size_t p)
{
	size_t start = p - 1;
	while (p - start < 10 && (is(before(s, start), C_ALNUM) || before(s, start) == '.'))
		start--;
	return start < p - 1 ? prefixed(s, start, true) : 0;
}

/* ---- other runs -------------------------------------------------------------------------------------------------- */

static bool mac_with(const struct scan *s, size_t p, uint8_t sep)	/* IEEE 802-2014 8.1: six octets in hex */
{
	bool zeros = true, ones = true;
	for (unsigned i = 0; i < 17; i++) {
		uint8_t c = at(s, p + i);
		if (i % 3 == 2 ? c != sep : !is(c, C_HEX))
			return false;
		zeros &= i % 3 == 2 || c == '0';
		ones &= i % 3 == 2 || (c | 0x20) == 'f';
	}
	return !zeros && !ones && !is(at(s, p + 17), C_ALNUM) && at(s, p + 17) != sep;
}

void find_mac(struct scan *s, size_t p, uint8_t sep)
{
	static const struct finding f = {DETECT_MAC, DETECT_STRONG, 85, "six octets in hex", NULL};
	if (!is(before(s, p), C_ALNUM) && before(s, p) != sep && mac_with(s, p, sep))
		hit_add(s, p, p + 17, &f, 0);
}

/* As Cisco writes it; with a letter at least: 2026.0115.1200 is a version. */
void find_mac_dotted(struct scan *s, size_t dot)
{
	static const struct finding f = {DETECT_MAC, DETECT_STRONG, 80, "six octets in hex, in three groups", NULL};
	size_t p = dot - 9, letters = 0, different = 0;
	if (dot < s->lo + 9 || is(before(s, p), C_ALNUM) || before(s, p) == '.')
		return;
	for (unsigned i = 0; i < 14; i++) {
		uint8_t c = at(s, p + i);
		if (i % 5 == 4 ? c != '.' : !is(c, C_HEX))
			return;
		letters += is(c, C_ALPHA);
		different += c != s->t[p];
	}
	if (letters && different > 2 && !is(at(s, p + 14), C_ALNUM) && !(at(s, p + 14) == '.' && is(at(s, p + 15), C_ALNUM)))
		hit_add(s, p, p + 14, &f, 0);
}

static void vehicle(struct scan *s, size_t p)
{
	static const struct finding f = {DETECT_VIN, DETECT_WEAK, 75, "17 characters, check digit, behind a word for vehicle", NULL};
	static const char *const words[] = {"vin", "vehicle", "chassis", "fahrgestellnummer", "fin", NULL};
	char text[18] = {0};
	memcpy(text, s->t + p, 17);
	for (int i = 0; i < 17; i++)
		if (is((uint8_t)text[i], C_LOWER))
			return;
	if (check_vin(text, 17) && near_word(s, p, NEAR, words))
		hit_add(s, p, p + 17, &f, 0);
}

/* Authorization: Basic dXNlcjpwYXNz (RFC 7617). */
static bool basic(struct scan *s, size_t p, size_t end)
{
	static const struct detect_kind kind = {"key.basic_auth", "[KEY.BASIC_AUTH]"};
	enum { LOOK = 128 };
	char out[LOOK];
	if (p - s->lo < 6 || before(s, p) != ' ' || memcmp(s->t + p - 5, "asic ", 5) != 0 || (s->t[p - 6] | 0x20) != 'b')
		return false;
	size_t n = end - p > LOOK ? LOOK : end - p;
	ssize_t len = base64_decode((const char *)s->t + p, n - (n % 4 == 1), out);
	if (len <= 0 || !memchr(out, ':', (size_t)len))
		return false;
	for (; at(s, end) == '='; end++)
		;
	found_kind(s, p, end, DETECT_KEY, &kind, "user and password of HTTP's Basic scheme");
	return true;
}

/* -----BEGIN RSA PRIVATE KEY-----, line breaks (also as \n) and base64 (RFC 7468). */
static bool pem(struct scan *s, size_t p)
{
	static const struct detect_kind kind = {"key.private", "[KEY.PRIVATE]"};
	static const char mark[] = "PRIVATE KEY", begin[] = "-----BEGIN ";
	size_t i = p;
	while (p - i < 8 && before(s, i) != '-' && i > s->lo)
		i--;
	if (i < s->lo + 5 || memcmp(s->t + i - 5, "-----", 5) != 0)
		return false;
	size_t low = i - s->lo > 64 ? i - 64 : s->lo;
	const uint8_t *key = memmem(s->t + low, i - low, mark, sizeof mark - 1);
	const uint8_t *from = key ? memmem(s->t + low, (size_t)(key - s->t) - low, begin, sizeof begin - 1) : NULL;
	if (!from)
		return false;
	size_t end = p;
	for (uint8_t c; c = at(s, end), is(c, C_TOKEN) || c == '+' || c == '/' || c == '=' || c == '\n' || c == '\r' || c == '\\';)
		end++;
	const uint8_t *tail = memmem(s->t + end, s->hi - end > 32 ? 32 : s->hi - end, "-----", 5);
	if (tail)
		end = (size_t)(tail - s->t) + 5;
	found_kind(s, (size_t)(from - s->t), end, DETECT_KEY, &kind, "a private key between its PEM lines");
	return true;
}

static bool mixed_case(const uint8_t *t, size_t n)
{
	unsigned seen = 0;
	for (size_t i = 0; i < n; i++)
		seen |= is(t[i], C_UPPER) ? 1u : is(t[i], C_LOWER) ? 2u : 0u;
	return seen == 3;
}

static void wallet(struct scan *s, size_t p, const struct detect_kind *kind)
{
	static const char *const words[] = {"eth", "ethereum", "wallet", "metamask", "erc", "address", "polygon", NULL};
	const struct finding f = {DETECT_CRYPTO, DETECT_WEAK, 70, "0x and 40 hex digits behind a word for a wallet", kind};
	if (near_word(s, p, NEAR, words))
		hit_add(s, p, p + 42, &f, 0);
}

void find_run(struct scan *s, size_t start, size_t end)
{
	if (end - start >= 17 && s->t[start + 2] == '-' && wanted(s, DETECT_MAC))
		find_mac(s, start, '-');
	if (!wanted(s, DETECT_KEY))
		return;
	if (before(s, start) == '.')
		dotted(s, start);
	else if (!(before(s, start) == ' ' && basic(s, start, end)) && end - start >= 32)
		pem(s, start);
}

void find_token(struct scan *s, size_t p, size_t len)
{
	if (wanted(s, DETECT_KEY) && prefixed(s, p, false))
		return;
	if (len >= 12 && s->depth < DEPTH_MAX) {
		if (s->t[p] == '0' && s->t[p + 1] == 'x')
			scan_hex(s, p + 2, p + len);
		else if (hex_text(s->t + p))
			scan_hex(s, p, p + len);
		else if (base32_text(s->t + p))
			scan_base32(s, p, p + len);
	}
	const struct detect_kind *kind = wanted(s, DETECT_CRYPTO) && len >= 26 && len <= 74 ? coin_of(s->t + p, len) : NULL;
	if (kind && len == 42 && s->t[p] == '0' && !mixed_case(s->t + p + 2, 40))
		wallet(s, p, kind);
	else if (kind)
		found_kind(s, p, p + len, DETECT_CRYPTO, kind, "a coin's address with its checksum");
	else if (len == 17 && wanted(s, DETECT_VIN) && is(s->t[p + 16], C_DIGIT))
		vehicle(s, p);
}
