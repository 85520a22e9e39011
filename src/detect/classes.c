#include "detect/core.h"

#define WORD (C_TOKEN | C_ATOM)
const uint8_t classes[256] = {
	['0' ... '9'] = C_DIGIT | C_HEX | WORD,
	['A' ... 'F'] = C_UPPER | C_HEX | WORD,
	['G' ... 'Z'] = C_UPPER | WORD,
	['a' ... 'f'] = C_LOWER | C_HEX | WORD,
	['g' ... 'z'] = C_LOWER | WORD,
	['-'] = WORD | C_SEP,
	['_'] = WORD | C_SEP,
	['.'] = C_ATOM | C_SEP,
	['+'] = C_ATOM | C_SEP,
	[' '] = C_SEP, ['\t'] = C_SEP, ['\n'] = C_SEP,
	['/'] = C_SEP,
	['%'] = C_ATOM,
	['~'] = C_ATOM,
	['!'] = C_RARE, ['#'] = C_RARE, ['$'] = C_RARE, ['\''] = C_RARE, ['*'] = C_RARE, ['^'] = C_RARE, ['`'] = C_RARE,
	['{'] = C_RARE, ['|'] = C_RARE, ['}'] = C_RARE,
	[0x80 ... 0xff] = C_ATOM,
};
