/* What a text or a number is like. */
#include "shape/look.h"

#include <string.h>

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool hex(char c)
{
	return digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* RFC 9562 section 4, any version. */
static bool is_uuid(const char *s, size_t n)
{
	if (n != 36)
		return false;
	for (size_t i = 0; i < n; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : !hex(s[i]))
			return false;
	return true;
}

/* YYYY-MM-DD, alone or with a time behind it; DD.MM.YYYY and its like. */
static bool is_time(const char *s, size_t n)
{
	static const char *const forms[] = {"9999-99-99", "9999/99/99", "99.99.9999", "99/99/9999", "99-99-9999"};
	for (size_t f = 0; n >= 10 && f < sizeof forms / sizeof *forms; f++) {
		size_t i = 0;
		while (i < 10 && (forms[f][i] == '9' ? digit(s[i]) : s[i] == forms[f][i]))
			i++;
		if (i == 10)
			return n == 10 || (n <= 40 && strchr("Tt ,", s[10]) != NULL);
	}
	return n >= 5 && n <= 12 && digit(s[0]) && digit(s[1]) && s[2] == ':' && digit(s[3]) && digit(s[4]);
}

static bool is_url(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n && i < 16 && (((s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'z') || s[i] == '+' || s[i] == '-'))
		i++;
	return i && i + 3 <= n && memcmp(s + i, "://", 3) == 0;
}

enum shape_look look_of_text(const char *s, size_t n)
{
	size_t digits = 0, hexes = 0, letters = 0, gaps = 0, marks = 0, switches = 0;
	if (n == 0)
		return LOOK_EMPTY;
	if (is_uuid(s, n))
		return LOOK_UUID;
	if (is_time(s, n))
		return LOOK_TIME;
	if (is_url(s, n))
		return LOOK_URL;
	size_t end = n < 256 ? n : 256;
	for (size_t i = 0; i < end; i++) {
		char c = s[i];
		bool d = digit(c), l = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c & 0x80);
		digits += d;
		letters += l;
		hexes += hex(c);
		gaps += (c == ' ' || c == '\n' || c == '\t') && i + 1 < end;
		marks += c == '-' || c == '_' || c == '.' || c == '/' || c == '+' || c == '=' || c == ':';
		switches += i && (d != digit(s[i - 1]));
	}
	if (hexes == n && n >= 16 && digits)
		return LOOK_HEX;
	if (digits && digits + marks == end && n <= 40)
		return LOOK_DIGITS;
	if (gaps >= 2 && letters > digits)
		return LOOK_PROSE;
	if (gaps == 0 && n >= 12 && digits && letters && switches >= 4)
		return LOOK_TOKEN;
	if (gaps == 0 && n >= 40 && letters + digits + marks == end)
		return LOOK_TOKEN;
	if (gaps <= 1 && n <= 64 && letters && letters + digits + marks + gaps == end)
		return LOOK_WORD;
	return LOOK_OTHER;
}

enum shape_look look_of_number(const char *s, size_t n)
{
	size_t whole = 0;
	while (whole < n && digit(s[whole]))
		whole++;
	/* Seconds of 2001 to 2033, or milliseconds of the same years. */
	bool time = (whole == 10 && s[0] == '1') || (whole == 13 && s[0] == '1');
	if (time && (whole == n || s[whole] == '.'))
		return LOOK_TIME;
	for (size_t i = 0; i < n; i++)
		if (s[i] == '.' || s[i] == 'e' || s[i] == 'E')
			return LOOK_FRACTION;
	return LOOK_WHOLE;
}

unsigned length_class(size_t n)
{
	static const size_t upto[SHAPE_LENGTHS - 1] = {0, 8, 16, 32, 64, 128, 256};
	unsigned i = 0;
	while (i < SHAPE_LENGTHS - 1 && n > upto[i])
		i++;
	return i;
}
