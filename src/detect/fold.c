#include "detect/fold.h"

#include <stdbool.h>
#include <utf8proc.h>

size_t fold_word(const char *s, size_t n, char *out)
{
	enum { POINTS = 4 * FOLD_BYTES };
	const utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK | UTF8PROC_IGNORE;
	static const struct {
		utf8proc_int32_t from, to;
	} bare[] = {{0x142, 'l'}, {0xf8, 'o'}, {0x111, 'd'}, {0x131, 'i'}};	/* no accent that could be taken off */
	utf8proc_int32_t points[POINTS];
	size_t len = 0;
	bool ascii = true;
	if (n > FOLD_BYTES)
		return 0;
	for (size_t i = 0; i < n; i++) {
		ascii &= (uint8_t)s[i] < 0x80;
		out[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 0x20 : s[i]);
	}
	if (ascii)
		return n;
	utf8proc_ssize_t k = utf8proc_decompose((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, points, POINTS, how);
	if (k < 0 || k > POINTS)
		return 0;
	for (utf8proc_ssize_t i = 0; i < k; i++) {
		for (size_t b = 0; b < sizeof bare / sizeof *bare; b++)
			if (points[i] == bare[b].from)
				points[i] = bare[b].to;
		if (len + 4 > FOLD_BYTES)
			return 0;
		len += (size_t)utf8proc_encode_char(points[i], (utf8proc_uint8_t *)out + len);
	}
	return len;
}

uint32_t fold_hash(const char *s, size_t n)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)s[i]) * 16777619u;
	return h ^ h >> 15;
}

enum fold_class fold_class_of(int32_t c)
{
	if (c < 0x80)
		return c >= '0' && c <= '9' ? FOLD_DIGIT : c >= 'a' && c <= 'z' ? FOLD_LOWER : c >= 'A' && c <= 'Z' ? FOLD_UPPER : FOLD_BETWEEN;
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LT:
		return FOLD_UPPER;
	case UTF8PROC_CATEGORY_LL:
		return FOLD_LOWER;
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
		return FOLD_UNCASED;
	case UTF8PROC_CATEGORY_ND:
		return FOLD_DIGIT;
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_CF:	/* a soft hyphen, a zero-width space: no border */
		return FOLD_MARK;
	default:
		return FOLD_BETWEEN;
	}
}
