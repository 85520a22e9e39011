/*
 * What begins with digits: IPv4 (RFC 791 dotted quad), telephone (ITU-T E.164, NANP), US social security (SSA
 * numbering), payment card (ISO/IEC 7812-1, Luhn), IBAN (ISO 13616).
 *
 * Each run of digits is looked at once, at its first digit; the shapes that may start there are known from its length.
 * A checksum alone is not enough (one random number in ten passes Luhn), so ungrouped numbers need an issuer's prefix
 * and length, or a word that says what they are.
 */
#include "detect/ids.h"

enum { RUN_MAX = 20 };	/* longer than anything known here */

static unsigned run(const struct scan *s, size_t p)
{
	unsigned n = 0;
	while (n < RUN_MAX && is(at(s, p + n), C_DIGIT))
		n++;
	return n;
}

static unsigned value(const struct scan *s, size_t p, unsigned n)
{
	unsigned v = 0;
	for (unsigned i = 0; i < n; i++)
		v = v * 10 + (unsigned)(s->t[p + i] - '0');
	return v;
}

/* A digit behind one separator: the number goes on to the left of p. */
static bool goes_on_left(const struct scan *s, size_t p)
{
	return is(before(s, p), C_SEP) && p - 1 > s->lo && is(before(s, p - 1), C_DIGIT);
}

static bool word_ends(const struct scan *s, size_t p)
{
	return !is(at(s, p), C_ALNUM);
}

static void found(struct scan *s, size_t start, size_t end, const struct finding *f)
{
	hit_add(s, start, end, f, 0);
	s->numbers_until = end;
}

/* ---- IPv4 ------------------------------------------------------------------------------------------------------- */

static bool behind(const struct scan *s, size_t p, size_t reach, const char *const *words)
{
	return s->letters && near_word(s, p, reach, words);
}

static bool says_version(const struct scan *s, size_t p)
{
	static const char *const words[] = {"version", "ver", "release", "build", "firmware", "sdk", NULL};
	return behind(s, p, 12, words);
}

/* Chrome/119.0.0.0: a product and its version (RFC 9110 10.1.5), unless the name holds more than letters. */
static bool after_product(const struct scan *s, size_t p)
{
	if (before(s, p) != '/' || p - 1 <= s->lo || !is(before(s, p - 1), C_ALPHA))
		return false;
	size_t i = p - 1;
	while (p - i < 32 && is(before(s, i), C_ALPHA))
		i--;
	return !is(before(s, i), C_DIGIT) && before(s, i) != '.' && before(s, i) != '-';
}

/* 1 a hit, 0 no; -1 four numbers that are something else (a version). */
static int ipv4(struct scan *s, size_t p)
{
	static const struct finding f = {DETECT_IPV4, DETECT_STRONG, 75, "four numbers to 255, not after a version's name", NULL};
	unsigned octet[4];
	size_t i = p;
	if (before(s, p) == '.' && goes_on_left(s, p))
		return 0;	/* the second part of five */
	for (unsigned k = 0; k < 4; k++) {
		unsigned n = run(s, i);
		if (n == 0 || n > 3 || (n > 1 && s->t[i] == '0'))
			return 0;
		octet[k] = value(s, i, n);
		if (octet[k] > 255)
			return 0;
		i += n;
		if (k < 3 && at(s, i++) != '.')
			return 0;
	}
	if ((at(s, i) == '.' && is(at(s, i + 1), C_DIGIT)) || !word_ends(s, i))
		return 0;
	bool file = is(before(s, p), C_SEP) && before(s, p) != ' ' && p - 1 > s->lo && is(before(s, p - 1), C_ALPHA) &&
		    at(s, i) == '.' && is(at(s, i + 1), C_ALPHA);	/* lib-1.2.3.4.jar */
	bool nobody = octet[0] == 0 || octet[0] == 127 || (octet[1] | octet[2] | octet[3]) == 0 ||
		      (octet[0] & octet[1] & octet[2] & octet[3]) == 255;
	if (nobody || file || after_product(s, p) || says_version(s, p)) {
		s->numbers_until = i;
		return -1;
	}
	found(s, p, i, &f);
	return 1;
}

/* ---- telephone -------------------------------------------------------------------------------------------------- */

enum { E164_MAX = 15 };
struct digits {
	uint8_t d[E164_MAX];
	unsigned n, groups;
	size_t end;
};

static bool phone_sep(uint8_t c)
{
	return c == ' ' || c == '-' || c == '.' || c == '/' || c == '(' || c == ')' || c == '_' || c == '\t' || c == '\n';
}

/*
 * Digits in groups, up to three of " -./()" between them, or single + (blanks of a form); a group that would pass 15 digits
 * stays out, but not of a row of + and digits, whose next number would be taken for this one's end.
 */
static void gather_phone(const struct scan *s, size_t p, struct digits *out)
{
	bool plus = false;
	*out = (struct digits){.end = p};
	for (size_t i = p;;) {
		unsigned n = run(s, i);
		if (plus && out->n + n > E164_MAX)
			while (is(at(s, out->end), C_DIGIT) || at(s, out->end) == '+')
				out->end++;
		if (n == 0 || out->n + n > E164_MAX)
			return;
		for (unsigned k = 0; k < n; k++)
			out->d[out->n++] = (uint8_t)(s->t[i + k] - '0');
		out->groups++;
		i += n;
		out->end = i;
		if (at(s, i) == '+' && is(at(s, i + 1), C_DIGIT)) {
			plus = true;
			i++;
		}
		for (unsigned k = 0; !plus && k < 3 && phone_sep(at(s, i)); k++)
			i++;
	}
}

static bool nanp(const uint8_t *d)	/* area and exchange start with 2 to 9; area is not a service code N11 */
{
	return d[0] >= 2 && d[3] >= 2 && !(d[1] == 1 && d[2] == 1);
}

/* Country codes by their first two digits: all but 28, 83 and 89 are given out (ITU-T E.164 list of 2016). */
static bool country_code(const struct digits *g)
{
	if (g->d[0] == 1)
		return g->n >= 11 && nanp(g->d + 1);
	unsigned two = g->d[0] * 10u + g->d[1];
	return g->d[0] != 0 && two != 28 && two != 83 && two != 89;
}

static bool phone_plus(struct scan *s, size_t p)
{
	static const struct finding f = {DETECT_PHONE, DETECT_STRONG, 90, "+, country code, 8 to 15 digits", NULL};
	struct digits g;
	size_t start = p - 1;
	if (is(before(s, start), C_ALNUM))
		return false;
	gather_phone(s, p, &g);
	if (g.n < (g.groups > 1 ? 8 : 9) || !country_code(&g) || !word_ends(s, g.end))
		return false;
	found(s, start, g.end, &f);
	return true;
}

/* (212) 555-0123, 212-555-0123, 212.555.0123, 1-212-555-0123; with blanks only behind a bracket or a 1. */
static bool phone_nanp(struct scan *s, size_t p)
{
	static const struct finding f = {DETECT_PHONE, DETECT_STRONG, 80, "area code, exchange, number of the NANP", NULL};
	bool bracket = before(s, p) == '(' && at(s, p + 3) == ')';
	size_t start = bracket ? p - 1 : p, i = p + 3;
	uint8_t first = at(s, i);
	if (bracket) {
		i++;
		if (at(s, i) == ' ' || at(s, i) == '-')
			i++;
	} else if (first == '-' || first == '.' || first == ' ' || first == '/') {
		i++;
	} else {
		return false;
	}
	if (run(s, i) != 3)
		return false;
	size_t exchange = i;
	uint8_t second = at(s, exchange + 3);
	if ((second != '-' && second != '.' && second != ' ') || run(s, exchange + 4) != 4)
		return false;
	size_t end = exchange + 8;
	const uint8_t d[6] = {(uint8_t)(s->t[p] - '0'), (uint8_t)(s->t[p + 1] - '0'), (uint8_t)(s->t[p + 2] - '0'),
			      (uint8_t)(s->t[exchange] - '0')};
	if (!nanp(d) || !word_ends(s, end) || (at(s, end) != ' ' && is(at(s, end), C_SEP) && is(at(s, end + 1), C_DIGIT)))
		return false;
	bool one = false;
	if (goes_on_left(s, start) && before(s, start) != ' ' && before(s, start) != '/') {
		one = before(s, start - 1) == '1' && !is(before(s, start - 2), C_ALNUM | C_SEP);
		if (!one)
			return false;
		start -= 2;
	}
	if (first == ' ' && second == ' ' && !bracket && !one)
		return false;
	found(s, start, end, &f);
	return true;
}

static bool phone_named(struct scan *s, size_t p)
{
	static const struct finding f = {DETECT_PHONE, DETECT_WEAK, 60, "7 to 15 digits behind a word for telephone", NULL};
	/* English, German, French, Italian, Spanish, Polish, Romanian, Dutch, Hungarian, Portuguese, Czech, Swedish: by their ASCII part */
	static const char *const words[] = {"phone", "phonenumber", "telephone", "tel", "telefon", "telefono", "telefone", "telefoon", "telefoonnummer",
					    "telefonnummer", "telefonszam", "telefonu", "rufnummer", "handynummer", "mobilnummer", "mobiltelefon",
					    "mobile", "mobil", "mobiel", "mobilni", "movil", "celular", "cellulare", "komorka", "cell", "cellphone",
					    "handy", "fax", "whatsapp", "sms", NULL};
	struct digits g;
	if (!s->letters)
		return false;
	gather_phone(s, p, &g);
	bool date = g.n >= 8 && at(s, p + 4) == '-' && at(s, p + 7) == '-';	/* 2026-01-15 */
	if (g.n < 7 || date || after_product(s, p) || !word_ends(s, g.end) || !behind(s, p, NEAR, words))
		return false;
	found(s, before(s, p) == '(' ? p - 1 : p, g.end, &f);
	return true;
}

/* ---- US social security ----------------------------------------------------------------------------------------- */

/* SSA: areas 000, 666 and 900 to 999, group 00 and serial 0000 are never issued; three numbers became samples. */
static bool issued(unsigned area, unsigned group, unsigned serial)
{
	static const unsigned samples[][3] = {{78, 5, 1120}, {457, 55, 5462}, {219, 9, 9999}};
	if (area == 0 || area == 666 || area >= 900 || group == 0 || serial == 0)
		return false;
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
		if (area == samples[i][0] && group == samples[i][1] && serial == samples[i][2])
			return false;
	return true;
}

static bool ssn(struct scan *s, size_t p)
{
	static const struct finding dashed = {DETECT_US_SSN, DETECT_STRONG, 90, "3-2-4 digits, issued area, group and serial", NULL};
	static const struct finding other = {DETECT_US_SSN, DETECT_STRONG, 75, "3 2 4 digits, issued area, group and serial", NULL};
	uint8_t sep = at(s, p + 3);
	size_t end = p + 11;
	if (!is(sep, C_SEP) || run(s, p + 4) != 2 || at(s, p + 6) != sep || run(s, p + 7) != 4)
		return false;
	if (!word_ends(s, end) || (at(s, end) == sep && is(at(s, end + 1), C_DIGIT)))
		return false;
	if (before(s, p) == sep && goes_on_left(s, p))
		return false;
	if (!issued(value(s, p, 3), value(s, p + 4, 2), value(s, p + 7, 4)))
		return false;
	found(s, p, end, sep == '-' ? &dashed : &other);
	return true;
}

static bool ssn_named(struct scan *s, size_t p)
{
	static const struct finding f = {DETECT_US_SSN, DETECT_WEAK, 70, "nine digits behind a word for social security", NULL};
	static const char *const words[] = {"ssn", "socialsecurity", "social", NULL};
	if (!word_ends(s, p + 9) || !issued(value(s, p, 3), value(s, p + 3, 2), value(s, p + 5, 4)) || !behind(s, p, NEAR, words))
		return false;
	found(s, p, p + 9, &f);
	return true;
}

/* ---- payment card ----------------------------------------------------------------------------------------------- */

/* Issuer prefixes (ISO/IEC 7812-1 registers; ranges over the first four digits) and the lengths that they use. */
static const struct {
	uint16_t from, to;
	uint8_t min, max;
	bool bare;	/* enough without grouping, when the length is 14 to 16 */
} brands[] = {
	{4000, 4999, 13, 19, true},					/* Visa */
	{5100, 5599, 16, 16, true}, {2221, 2720, 16, 16, true},		/* Mastercard */
	{3400, 3499, 15, 15, true}, {3700, 3799, 15, 15, true},		/* American Express */
	{3000, 3059, 14, 19, true}, {3095, 3095, 14, 19, true}, {3600, 3699, 14, 19, true}, {3800, 3999, 14, 19, true},	/* Diners */
	{3528, 3589, 16, 19, true},					/* JCB */
	{6011, 6011, 16, 19, true}, {6440, 6599, 16, 19, true},		/* Discover */
	{6200, 6299, 16, 19, true},					/* UnionPay */
	{2200, 2204, 16, 19, true},					/* Mir */
	{5000, 5099, 12, 19, false}, {5600, 5899, 12, 19, false}, {6000, 6999, 12, 19, false},	/* Maestro, RuPay, Elo */
	{8100, 8299, 16, 16, false},					/* RuPay */
};

static bool issuer(const uint8_t *d, unsigned n, bool bare)
{
	unsigned four = d[0] * 1000u + d[1] * 100u + d[2] * 10u + d[3];
	for (size_t i = 0; i < sizeof brands / sizeof *brands; i++)
		if (four >= brands[i].from && four <= brands[i].to && n >= brands[i].min && n <= brands[i].max &&
		    (!bare || brands[i].bare))
			return true;
	return false;
}

static bool luhn(const uint8_t *d, unsigned n)
{
	static const uint8_t doubled[10] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
	unsigned sum = 0;
	for (unsigned i = 0; i < n; i++)
		sum += (n - i) % 2 ? d[i] : doubled[d[i]];
	return sum % 10 == 0;
}

enum { PAN_MAX = 19, PAN_MIN = 12 };
struct pan {
	uint8_t d[PAN_MAX];
	uint8_t len[PAN_MAX];	/* of each group */
	size_t end[PAN_MAX];	/* where each group ends */
	unsigned n, groups;
};

static bool list_sign(uint8_t c)
{
	return is(c, C_SEP) || c == ',' || c == '"' || c == '\'';
}

static void gather_pan(const struct scan *s, size_t p, struct pan *out)
{
	out->n = out->groups = 0;
	for (size_t i = p; out->n < PAN_MAX;) {
		unsigned n = run(s, i);
		if (n == 0 || out->n + n > PAN_MAX)
			return;
		for (unsigned k = 0; k < n; k++)
			out->d[out->n++] = (uint8_t)(s->t[i + k] - '0');
		i += n;
		out->len[out->groups] = (uint8_t)n;
		out->end[out->groups++] = i;
		size_t signs = i;
		while (i - signs < 3 && (is(at(s, i), C_SEP) || (n < 3 && list_sign(at(s, i)))))
			i++;
		if (i == signs)
			return;
	}
}

/* How people write card numbers; the first groups of a longer row will do (an expiry date often follows). */
static const struct shape {
	uint8_t groups, len[5];
} shapes[] = {
	{5, {4, 4, 4, 4, 3}}, {4, {4, 4, 4, 4}}, {3, {4, 6, 5}}, {3, {4, 6, 4}}, {4, {4, 3, 3, 3}}, {2, {8, 8}}, {2, {6, 13}},
};

static bool fits(const struct pan *g, const struct shape *f, unsigned *n)
{
	*n = 0;
	if (g->groups < f->groups)
		return false;
	for (unsigned i = 0; i < f->groups; i++) {
		if (g->len[i] != f->len[i])
			return false;
		*n += f->len[i];
	}
	return true;
}

static bool card_grouped(struct scan *s, size_t p)
{
	static const struct finding f = {DETECT_CARD, DETECT_STRONG, 100, "groups as on a card, issuer prefix and length, Luhn", NULL};
	struct pan g;
	unsigned n;
	if (at(s, p) < '2' || at(s, p) > '8')
		return false;	/* no issuer's first digit */
	gather_pan(s, p, &g);
	if (g.groups < 2 || g.n < PAN_MIN)
		return false;
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		if (!fits(&g, &shapes[i], &n) || !issuer(g.d, n, false) || !luhn(g.d, n))
			continue;
		size_t end = g.end[shapes[i].groups - 1];
		if (!word_ends(s, end))
			continue;
		found(s, p, end, &f);
		return true;
	}
	return false;
}

/* Is what begins at p part of a longer list?  Then the sign before it is the one behind its first element. */
static bool list_goes_on_left(const struct scan *s, size_t p, uint8_t sign)
{
	size_t i = p;
	if (before(s, p) != sign)
		return false;
	while (p - i < 3 && list_sign(before(s, i)))
		i--;
	return i < p && is(before(s, i), C_DIGIT);
}

/* 4 1 1 1 ..., [4,1,1,1,...] and 41 11 ...: one digit or two at a time, when that is all of it. */
static bool card_spelled(struct scan *s, size_t p, unsigned each)
{
	static const struct finding f = {DETECT_CARD, DETECT_STRONG, 80, "a card's digits one by one, issuer prefix and length, Luhn", NULL};
	struct pan g;
	if (list_goes_on_left(s, p, at(s, p + each)))
		return false;
	gather_pan(s, p, &g);
	if (g.n < 14 || g.n > 16 || g.groups * each != g.n)
		return false;
	for (unsigned i = 0; i < g.groups; i++)
		if (g.len[i] != each)
			return false;
	size_t end = g.end[g.groups - 1];
	if ((at(s, end) == at(s, p + each) && is(at(s, end + 1), C_DIGIT)) || !word_ends(s, end) || !issuer(g.d, g.n, true) || !luhn(g.d, g.n))
		return false;
	found(s, p, end, &f);
	return true;
}

static bool card_bare(struct scan *s, size_t p, unsigned n)
{
	static const struct finding alone = {DETECT_CARD, DETECT_STRONG, 85, "14 to 16 digits, issuer prefix and length, Luhn", NULL};
	static const struct finding named = {DETECT_CARD, DETECT_WEAK, 80, "issuer prefix and length, Luhn, behind a word for card", NULL};
	static const char *const words[] = {"card", "cardnumber", "creditcard", "credit", "debit", "pan", "cc", "ccnum", "visa",
					    "mastercard", "maestro", "amex", "paid", "bezahlt", "karte", "carte", "tarjeta", "carta", NULL};
	uint8_t d[PAN_MAX];
	if (n < PAN_MIN || n > PAN_MAX || !word_ends(s, p + n))
		return false;
	bool fraction = (before(s, p) == '.' && goes_on_left(s, p)) || (at(s, p + n) == '.' && is(at(s, p + n + 1), C_DIGIT));
	if (fraction)
		return false;
	for (unsigned i = 0; i < n; i++)
		d[i] = (uint8_t)(s->t[p + i] - '0');
	if (!issuer(d, n, false) || !luhn(d, n))
		return false;
	if (n >= 14 && n <= 16 && issuer(d, n, true))
		found(s, p, p + n, &alone);
	else if (behind(s, p, NEAR, words))
		found(s, p, p + n, &named);
	else
		return false;
	return true;
}

/* ---- IBAN ------------------------------------------------------------------------------------------------------- */

#define CC(a, b) [(a - 'A') * 26 + (b - 'A')]
static const uint8_t iban_length[26 * 26] = {	/* registry v101 */
	CC('N', 'O') = 15, CC('B', 'E') = 16, CC('D', 'K') = 18, CC('F', 'I') = 18, CC('F', 'K') = 18, CC('F', 'O') = 18,
	CC('G', 'L') = 18, CC('N', 'L') = 18, CC('S', 'D') = 18, CC('M', 'K') = 19, CC('S', 'I') = 19, CC('A', 'T') = 20,
	CC('B', 'A') = 20, CC('E', 'E') = 20, CC('K', 'Z') = 20, CC('L', 'T') = 20, CC('L', 'U') = 20, CC('M', 'N') = 20,
	CC('X', 'K') = 20, CC('C', 'H') = 21, CC('H', 'R') = 21, CC('L', 'I') = 21, CC('L', 'V') = 21, CC('B', 'G') = 22,
	CC('B', 'H') = 22, CC('C', 'R') = 22, CC('D', 'E') = 22, CC('G', 'B') = 22, CC('G', 'E') = 22, CC('I', 'E') = 22,
	CC('M', 'E') = 22, CC('R', 'S') = 22, CC('V', 'A') = 22, CC('A', 'E') = 23, CC('G', 'I') = 23, CC('I', 'L') = 23,
	CC('I', 'Q') = 23, CC('O', 'M') = 23, CC('S', 'O') = 23, CC('T', 'L') = 23, CC('A', 'D') = 24, CC('C', 'Z') = 24,
	CC('E', 'S') = 24, CC('M', 'D') = 24, CC('P', 'K') = 24, CC('R', 'O') = 24, CC('S', 'A') = 24, CC('S', 'E') = 24,
	CC('S', 'K') = 24, CC('T', 'N') = 24, CC('V', 'G') = 24, CC('L', 'Y') = 25, CC('P', 'T') = 25, CC('S', 'T') = 25,
	CC('I', 'S') = 26, CC('T', 'R') = 26, CC('B', 'I') = 27, CC('D', 'J') = 27, CC('F', 'R') = 27, CC('G', 'R') = 27,
	CC('I', 'T') = 27, CC('M', 'C') = 27, CC('M', 'R') = 27, CC('S', 'M') = 27, CC('A', 'L') = 28, CC('A', 'Z') = 28,
	CC('B', 'Y') = 28, CC('C', 'Y') = 28, CC('D', 'O') = 28, CC('G', 'T') = 28, CC('H', 'N') = 28, CC('H', 'U') = 28,
	CC('L', 'B') = 28, CC('N', 'I') = 28, CC('P', 'L') = 28, CC('S', 'V') = 28, CC('B', 'R') = 29, CC('E', 'G') = 29,
	CC('P', 'S') = 29, CC('Q', 'A') = 29, CC('U', 'A') = 29, CC('J', 'O') = 30, CC('K', 'W') = 30, CC('M', 'U') = 30,
	CC('Y', 'E') = 30, CC('M', 'T') = 31, CC('S', 'C') = 31, CC('L', 'C') = 32, CC('R', 'U') = 33,
};

/* ISO/IEC 7064 mod 97-10, letter A as 10; the remainder is taken when the next step might overflow. */
static uint64_t mod97_add(uint64_t sum, uint8_t c)
{
	if (sum > (uint64_t)1 << 50)
		sum %= 97;
	return is(c, C_DIGIT) ? sum * 10 + (uint64_t)(c - '0') : sum * 100 + (uint64_t)((c | 0x20) - 'a' + 10);
}

static bool iban(struct scan *s, size_t p)
{
	static const struct finding f = {DETECT_IBAN, DETECT_STRONG, 100, "country's length, mod-97 check digits", NULL};
	if (p < s->lo + 2 || !is(before(s, p - 1), C_ALPHA) || is(before(s, p - 2), C_ALNUM))
		return false;
	uint8_t a = s->t[p - 2], b = s->t[p - 1];
	unsigned length = iban_length[((a & 0xdfu) - 'A') * 26 + ((b & 0xdfu) - 'A')], n = 4;
	size_t i = p + 2;
	uint64_t sum = 0;
	if (!length)
		return false;
	while (n < length) {
		size_t j = i + (is(at(s, i), C_SEP) ? 1 : 0);
		if (!is(at(s, j), C_ALNUM))
			return false;
		sum = mod97_add(sum, s->t[j]);
		i = j + 1;
		n++;
	}
	sum = mod97_add(mod97_add(mod97_add(mod97_add(sum, a), b), s->t[p]), s->t[p + 1]);
	if (sum % 97 != 1 || !word_ends(s, i))
		return false;
	found(s, p - 2, i, &f);
	return true;
}

/* ---- one run of digits ------------------------------------------------------------------------------------------ */

static bool by_length(struct scan *s, size_t p, unsigned n)
{
	bool card = wanted(s, DETECT_CARD);
	switch (n) {
	case 1:
	case 2:
		return card && list_sign(at(s, p + n)) && card_spelled(s, p, n);
	case 3:
		return (wanted(s, DETECT_US_SSN) && ssn(s, p)) || (wanted(s, DETECT_PHONE) && phone_nanp(s, p));
	case 4:
	case 6:
	case 8:
		return card && is(at(s, p + n), C_SEP) && card_grouped(s, p);
	case 9:
		return wanted(s, DETECT_US_SSN) && ssn_named(s, p);
	default:
		return card && n >= PAN_MIN && card_bare(s, p, n);
	}
}

void find_number(struct scan *s, size_t p, enum may_be may)
{
	if (p < s->numbers_until)
		return;
	uint8_t prev = before(s, p);
	unsigned n = run(s, p);
	if (is(prev, C_ALPHA)) {
		if (n < 2 || !wanted(s, DETECT_IBAN) || !iban(s, p))
			find_lettered_id(s, p);
		return;
	}
	if (may == NUMBER_LETTERED) {
		find_lettered_id(s, p);
		return;
	}
	if (n <= 3 && at(s, p + n) == '.' && wanted(s, DETECT_IPV4) && ipv4(s, p) != 0)
		return;
	if (may == NUMBER_IPV4)
		return;
	if (prev == '+' && wanted(s, DETECT_PHONE) && phone_plus(s, p))
		return;
	if (s->types & ~CORE_TYPES && (find_id(s, p, n) || (n == 2 && prev == ' ' && find_lettered_id(s, p))))
		return;
	if (by_length(s, p, n))
		return;
	if (wanted(s, DETECT_PHONE) && !goes_on_left(s, p))
		phone_named(s, p);
}
