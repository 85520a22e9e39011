/* Which names of members and events may stand in a file: those that aren't data in a name's place. */
#include <string.h>

#include "shape/shape.h"

enum {
	DIGITS_MAX = 5,		/* a run of more digits in a name is somebody's number */
	SWITCHES_MAX = 3,	/* between letters and digits in one word: "x86_64" has one, random text many */
	RANDOM_MIN = 24,	/* letters and digits in a row, in both cases: base64 */
};

/*
 * Characters that a name in a file of ours can't have: what YAML takes for a line break or doesn't print, and what
 * changes the order of a line or can't be seen by whoever reviews it.
 */
static bool unprintable(uint32_t cp)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {{0, 0x1f}, {0x7f, 0x9f}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xffff},
		      {0xe0000, 0xe007f}};
	for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++)
		if (cp >= ranges[k].from && cp <= ranges[k].to)
			return true;
	return false;
}

/* UTF-8, every character printable. */
static bool readable(const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)s[i++];
		unsigned more = c < 0x80 ? 0 : c < 0xc2 ? 9 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : 9;
		uint32_t cp = more == 0 ? c : c & (0x3fu >> more);
		if (more == 9)
			return false;
		for (; more; more--) {
			if (i == n || ((unsigned char)s[i] & 0xc0) != 0x80)
				return false;
			cp = cp << 6 | ((unsigned char)s[i++] & 0x3fu);
		}
		if (unprintable(cp))
			return false;
	}
	return true;
}

static bool letter(char c)
{
	return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* Looks like an identifier or a token rather than like words. */
static bool random_text(const char *s, size_t n)
{
	size_t digits = 0, switches = 0, run = 0, upper = 0, lower = 0;
	char was = 0;
	for (size_t i = 0; i <= n; i++) {
		bool d = i < n && s[i] >= '0' && s[i] <= '9', l = i < n && letter(s[i]);
		digits = d ? digits + 1 : 0;
		if (digits > DIGITS_MAX)
			return true;
		if (!d && !l) {
			run = switches = upper = lower = 0;
			was = 0;
			continue;
		}
		switches += was && was != (d ? 'd' : 'l');
		was = d ? 'd' : 'l';
		run++;
		upper += l && !(s[i] & 0x20);
		lower += l && (s[i] & 0x20);
		if (switches > SWITCHES_MAX || (run >= RANDOM_MIN && upper > run / 3 && lower > run / 4))
			return true;
	}
	return false;
}

bool shape_name_ok(const char *s, size_t n)
{
	char padded[SHAPE_NAME_BYTES + 64] = {0};
	struct detect_hit hit;
	if (n == 0 || n > SHAPE_NAME_BYTES || !readable(s, n) || random_text(s, n) || memchr(s, '*', n))
		return false;
	memcpy(padded, s, n);
	return !detect_key_name(padded, n) && detect_scan(padded, n, DETECT_ALL, &hit, 1) == 0;
}

bool shape_path_ok(const char *path, size_t n)
{
	char padded[SHAPE_PATH_BYTES + 64] = {0};
	struct detect_hit hit;
	if (n > SHAPE_PATH_BYTES || !readable(path, n) || random_text(path, n))
		return false;
	memcpy(padded, path, n);
	return detect_scan(padded, n, DETECT_ALL, &hit, 1) == 0;
}
