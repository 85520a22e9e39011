/*
 * Check digits and structures of numbers that states and firms give out.  A check gets the number without its separators
 * (letters in capitals) and only of a length that its row's shapes allow.  Sources stand with the rows in
 * catalog/detectors; the vectors that these are tested with are other people's (tests/e2e_detectors).
 */
#include "detect/ids.h"

#include <string.h>

static unsigned digit(const char *s, unsigned i)
{
	return (unsigned)(s[i] - '0');
}

static unsigned number(const char *s, unsigned from, unsigned n)
{
	unsigned v = 0;
	for (unsigned i = 0; i < n; i++)
		v = v * 10 + digit(s, from + i);
	return v;
}

static unsigned weighted(const char *s, const char *weights)	/* weights as characters, '0' is 0, ':' is 10 */
{
	unsigned sum = 0;
	for (unsigned i = 0; weights[i]; i++)
		sum += digit(s, i) * (unsigned)(weights[i] - '0');
	return sum;
}

static bool all_same(const char *s, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		if (s[i] != s[0])
			return false;
	return true;
}

static bool date(unsigned month, unsigned day)
{
	static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}

static bool luhn(const char *s, unsigned n)
{
	static const uint8_t doubled[10] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
	unsigned sum = 0;
	for (unsigned i = 0; i < n; i++)
		sum += (n - i) % 2 ? digit(s, i) : doubled[digit(s, i)];
	return sum % 10 == 0;
}

static bool mod_11_10(const char *s, unsigned n)	/* ISO/IEC 7064, pure system */
{
	unsigned check = 5;
	for (unsigned i = 0; i < n; i++)
		check = ((check ? check : 10) * 2 % 11 + digit(s, i)) % 10;
	return check == 1;
}

bool verhoeff(const char *s, unsigned n)
{
	static const uint8_t mul[10][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6},
					    {3, 4, 0, 1, 2, 8, 9, 5, 6, 7}, {4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
					    {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3}, {8, 7, 6, 5, 9, 3, 2, 1, 0, 4},
					    {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}};
	static const uint8_t perm[8][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2},
					    {8, 9, 1, 6, 0, 4, 3, 5, 2, 7}, {9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
					    {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8}};
	unsigned c = 0;
	for (unsigned i = 0; i < n; i++)
		c = mul[c][perm[i % 8][digit(s, n - 1 - i)]];
	return c == 0;
}

/* ---- by country -------------------------------------------------------------------------------------------------- */

bool check_us_itin(const char *s, unsigned n)
{
	unsigned group = number(s, 3, 2);
	(void)n;
	return s[0] == '9' && ((group >= 50 && group <= 65) || (group >= 70 && group <= 88) || (group >= 90 && group <= 92) || group >= 94);
}

bool check_uk_nhs(const char *s, unsigned n)
{
	unsigned check = 11 - weighted(s, ":98765432") % 11;
	(void)n;
	return !all_same(s, 10) && check != 10 && check % 11 == digit(s, 9);
}

bool check_uk_nino(const char *s, unsigned n)
{
	static const char never[][3] = {"BG", "GB", "NK", "KN", "NT", "TN", "ZZ"};
	(void)n;
	for (size_t i = 0; i < sizeof never / sizeof *never; i++)
		if (memcmp(s, never[i], 2) == 0)
			return false;
	return !strchr("DFIQUV", s[0]) && !strchr("DFIOQUV", s[1]) && s[8] >= 'A' && s[8] <= 'D';
}

bool check_es_nif(const char *s, unsigned n)	/* and NIE: X, Y, Z stand for 0, 1, 2 */
{
	unsigned lead = s[0] >= 'X' ? (unsigned)(s[0] - 'X') : digit(s, 0);
	(void)n;
	return (s[0] <= '9' || s[0] >= 'X') && s[8] == "TRWAGMYFPDXBNJZSQVHLCKE"[(lead * 10000000 + number(s, 1, 7)) % 23];
}

/* Where digits belong, letters of "omocodia" may stand for them. */
static int omocodia(char c)
{
	const char *at = c >= '0' && c <= '9' ? NULL : strchr("LMNPQRSTUV", c);
	return at ? (int)(at - "LMNPQRSTUV") : c >= '0' && c <= '9' ? c - '0' : -1;
}

bool check_it_cf(const char *s, unsigned n)
{
	static const uint8_t odd[36] = {1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17,
					19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
	static const uint8_t places[] = {6, 7, 9, 10, 12, 13, 14};
	int d[16];
	unsigned sum = 0;
	(void)n;
	for (unsigned i = 0; i < sizeof places; i++)
		if ((d[places[i]] = omocodia(s[places[i]])) < 0)
			return false;
	for (unsigned i = 0; i < 6; i++)
		if (s[i] < 'A')
			return false;
	int day = d[9] * 10 + d[10];
	if (s[11] < 'A' || s[15] < 'A' || !strchr("ABCDEHLMPRST", s[8]) || day < 1 || day > 71 || (day > 31 && day < 41))
		return false;
	for (unsigned i = 0; i < 15; i++) {
		unsigned v = s[i] <= '9' ? digit(s, i) : (unsigned)(s[i] - 'A');
		sum += i % 2 ? v : odd[s[i] <= '9' ? v : v + 10];
	}
	return s[15] == (char)('A' + sum % 26);
}

bool check_de_steuerid(const char *s, unsigned n)
{
	uint8_t seen[10] = {0};
	unsigned twice = 0;
	(void)n;
	for (unsigned i = 0; i < 10; i++)
		seen[digit(s, i)]++;
	for (unsigned i = 0; i < 10; i++) {
		if (seen[i] > 3)
			return false;
		twice += seen[i] > 1;
	}
	return s[0] != '0' && twice == 1 && mod_11_10(s, 11);
}

bool check_fr_nir(const char *s, unsigned n)
{
	uint64_t v = 0;
	unsigned month = number(s, 3, 2);
	bool corsica = s[6] == 'A' || s[6] == 'B';
	(void)n;
	if ((s[6] > '9' && !(corsica && s[5] == '2')) || s[0] == '0' || s[0] == '9' || (s[0] > '4' && s[0] < '7'))
		return false;
	if (!((month >= 1 && month <= 12) || month == 20 || (month >= 30 && month <= 42) || month >= 50))
		return false;
	for (unsigned i = 0; i < 13; i++)	/* 2A counts as 19, 2B as 18 */
		v = v * 10 + (i == 5 && corsica ? 1 : i == 6 && corsica ? (s[6] == 'A' ? 9 : 8) : digit(s, i));
	return 97 - v % 97 == number(s, 13, 2);
}

bool check_pl_pesel(const char *s, unsigned n)
{
	(void)n;
	return date(number(s, 2, 2) % 20, number(s, 4, 2)) && weighted(s, "13791379131") % 10 == 0;
}

bool check_nl_bsn(const char *s, unsigned n)
{
	(void)n;
	return !all_same(s, 9) && (weighted(s, "98765432") + 10 * digit(s, 8)) % 11 == 0;	/* -1 is 10 modulo 11 */
}

bool check_be_nn(const char *s, unsigned n)
{
	unsigned base = number(s, 0, 9), check = number(s, 9, 2), month = number(s, 2, 2) % 20;
	(void)n;
	if (month > 12 || number(s, 4, 2) > 31)
		return false;
	return 97 - base % 97 == check || 97 - (base + 2000000000u) % 97 == check;
}

bool check_pt_nif(const char *s, unsigned n)
{
	(void)n;
	return s[0] != '0' && (11 - weighted(s, "98765432") % 11) % 11 % 10 == digit(s, 8);
}

bool check_se_pnr(const char *s, unsigned n)
{
	s += n - 10;	/* the century counts for nothing */
	unsigned day = number(s, 4, 2);
	return date(number(s, 2, 2), day > 60 ? day - 60 : day) && luhn(s, 10);
}

bool check_fi_hetu(const char *s, unsigned n)
{
	(void)n;
	return date(number(s, 2, 2), number(s, 0, 2)) && strchr("+-YXWVUABCDEF", s[6]) &&
	       s[10] == "0123456789ABCDEFHJKLMNPRSTUVWXY"[(number(s, 0, 6) * 1000 + number(s, 7, 3)) % 31];
}

bool check_no_fnr(const char *s, unsigned n)
{
	unsigned day = number(s, 0, 2), month = number(s, 2, 2);
	(void)n;
	day -= day > 40 ? 40 : 0;	/* D numbers */
	month -= month > 80 ? 80 : month > 40 ? 40 : 0;
	unsigned first = 11 - weighted(s, "376189452") % 11, second = 11 - weighted(s, "5432765432") % 11;
	return date(month, day) && first % 11 == digit(s, 9) && second % 11 == digit(s, 10);
}

bool check_dk_cpr(const char *s, unsigned n)	/* its check digit was given up in 2007 */
{
	(void)n;
	return date(number(s, 2, 2), number(s, 0, 2));
}

bool check_ie_pps(const char *s, unsigned n)
{
	unsigned extra = n == 9 && s[8] != 'W' && s[8] != 'T' && s[8] != 'X' ? 9 * (unsigned)(s[8] - 'A' + 1) : 0;
	unsigned sum = weighted(s, "8765432") + extra;
	return (n == 8 || (s[8] >= 'A' && s[8] <= 'I') || strchr("WTX", s[8])) && s[7] == "WABCDEFGHIJKLMNOPQRSTUV"[sum % 23];
}

bool check_ro_cnp(const char *s, unsigned n)
{
	unsigned check = weighted(s, "279146358279") % 11;
	(void)n;
	return s[0] != '0' && date(number(s, 3, 2), number(s, 5, 2)) && (check == 10 ? 1 : check) == digit(s, 12);
}

bool check_cz_rc(const char *s, unsigned n)
{
	unsigned month = number(s, 2, 2);
	uint64_t v = (uint64_t)number(s, 0, 9);
	(void)n;
	month -= month > 50 ? 50 : 0;
	month -= month > 20 ? 20 : 0;
	return date(month, number(s, 4, 2)) && v % 11 % 10 == digit(s, 9);
}

bool check_bg_egn(const char *s, unsigned n)
{
	(void)n;
	return date(number(s, 2, 2) % 20, number(s, 4, 2)) && weighted(s, "2485:9736") % 11 % 10 == digit(s, 9);
}

bool check_hr_oib(const char *s, unsigned n)
{
	return mod_11_10(s, n);
}

bool check_lt_ee(const char *s, unsigned n)	/* Lithuania and Estonia share the form */
{
	unsigned check = weighted(s, "1234567891") % 11;
	(void)n;
	if (check == 10)
		check = weighted(s, "3456789123") % 11 % 10;
	return s[0] >= '1' && s[0] <= '8' && date(number(s, 3, 2), number(s, 5, 2)) && check == digit(s, 10);
}

bool check_ch_ahv(const char *s, unsigned n)
{
	(void)n;
	return memcmp(s, "756", 3) == 0 && weighted(s, "1313131313131") % 10 == 0;
}

static bool two_mod_11(const char *s, unsigned n, const char *weights)	/* for the last digit; one place later for the one before */
{
	unsigned first = weighted(s, weights + 1) % 11, second = weighted(s, weights) % 11;
	return (first < 2 ? 0 : 11 - first) == digit(s, n - 2) && (second < 2 ? 0 : 11 - second) == digit(s, n - 1);
}

bool check_br_cpf(const char *s, unsigned n)
{
	return !all_same(s, n) && two_mod_11(s, n, ";:98765432");
}

bool check_br_cnpj(const char *s, unsigned n)	/* letters count as their ASCII code minus 48 (alphanumeric from July 2026) */
{
	return !all_same(s, n) && s[12] <= '9' && s[13] <= '9' && two_mod_11(s, n, "6543298765432");
}

bool check_in_aadhaar(const char *s, unsigned n)
{
	bool palindrome = true;
	for (unsigned i = 0; i < n / 2; i++)
		palindrome &= s[i] == s[n - 1 - i];
	return s[0] >= '2' && !palindrome && verhoeff(s, n);
}

bool check_in_pan(const char *s, unsigned n)
{
	(void)n;
	return strchr("ABCFGHJLPT", s[3]) && memcmp(s + 5, "0000", 4) != 0;
}

bool check_au_tfn(const char *s, unsigned n)
{
	(void)n;
	return !all_same(s, 9) && weighted(s, "14375869:") % 11 == 0;
}

bool check_au_medicare(const char *s, unsigned n)
{
	(void)n;
	return s[0] >= '2' && s[0] <= '6' && weighted(s, "13791379") % 10 == digit(s, 8);
}

bool check_au_abn(const char *s, unsigned n)
{
	static const uint8_t weights[] = {10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19};
	unsigned sum = 0;
	for (unsigned i = 0; i < n; i++)
		sum += (digit(s, i) - (i == 0)) * weights[i];
	return s[0] != '0' && sum % 89 == 0;
}

bool check_sg_nric(const char *s, unsigned n)
{
	static const struct {
		char series;
		const char *letters;
		unsigned offset;
	} kinds[] = {{'S', "JZIHGFEDCBA", 0}, {'T', "JZIHGFEDCBA", 4}, {'F', "XWUTRQPNMLK", 0}, {'G', "XWUTRQPNMLK", 4}, {'M', "KLJNPQRTUWX", 3}};
	(void)n;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].series == s[0]) {
			unsigned at = (weighted(s + 1, "2765432") + kinds[i].offset) % 11;
			return s[8] == kinds[i].letters[s[0] == 'M' ? 10 - at : at];
		}
	return false;
}

bool check_ca_sin(const char *s, unsigned n)
{
	return s[0] != '0' && s[0] != '8' && luhn(s, n);
}

bool check_za_id(const char *s, unsigned n)
{
	return date(number(s, 2, 2), number(s, 4, 2)) && s[10] <= '2' && luhn(s, n);
}

bool check_tr_tckn(const char *s, unsigned n)
{
	unsigned odd = 0, even = 0, all = 0;
	(void)n;
	for (unsigned i = 0; i < 9; i++)
		*(i % 2 ? &even : &odd) += digit(s, i);
	for (unsigned i = 0; i < 10; i++)
		all += digit(s, i);
	return s[0] != '0' && (odd * 7 + even * 9) % 10 == digit(s, 9) && all % 10 == digit(s, 10);
}

bool check_kr_rrn(const char *s, unsigned n)	/* no check digit since October 2020: the date and the century must do */
{
	(void)n;
	return date(number(s, 2, 2), number(s, 4, 2)) && s[6] >= '0';
}

bool check_th_id(const char *s, unsigned n)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < 12; i++)
		sum += digit(s, i) * (13 - i);
	return s[0] != '0' && (11 - sum % 11) % 10 == digit(s, n - 1);
}

bool check_cn_ric(const char *s, unsigned n)	/* GB 11643: ISO 7064 mod 11-2, X for 10 */
{
	unsigned sum = 0, year = number(s, 6, 4);
	for (unsigned i = 0; i < n - 1; i++)
		sum = (sum + digit(s, i)) * 2 % 11;
	unsigned check = (12 - sum) % 11;
	return s[0] >= '1' && s[0] <= '8' && year >= 1900 && year < 2100 && date(number(s, 10, 2), number(s, 12, 2)) &&
	       s[17] == "0123456789X"[check];
}

bool check_jp_my(const char *s, unsigned n)
{
	unsigned r = weighted(s, "65432765432") % 11;
	(void)n;
	return !all_same(s, 12) && (r <= 1 ? 0 : 11 - r) == digit(s, 11);
}

bool check_il_id(const char *s, unsigned n)
{
	return !all_same(s, n) && luhn(s, n);
}

/* ---- not by country ---------------------------------------------------------------------------------------------- */

bool check_vin(const char *s, unsigned n)	/* ISO 3779; check digit of 49 CFR 565.15 (North America) */
{
	static const char weights[] = "8765432:098765432", values[] = "12345678\0""12345\0""7\0""923456789";
	unsigned sum = 0, letters = 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned v = s[i] <= '9' ? digit(s, i) : (unsigned)(values[s[i] - 'A'] - '0');
		if (s[i] > '9' && !values[s[i] - 'A'])
			return false;	/* I, O, Q */
		letters += s[i] > '9';
		sum += v * (unsigned)(weights[i] - '0');
	}
	return letters > 1 && s[8] == "0123456789X"[sum % 11];
}

bool check_imei(const char *s, unsigned n)	/* 3GPP TS 23.003 */
{
	return !all_same(s, n) && luhn(s, n);
}

bool check_iccid(const char *s, unsigned n)	/* ITU-T E.118 */
{
	return s[0] == '8' && s[1] == '9' && luhn(s, n);
}

bool check_date_of_birth(const char *s, unsigned n)	/* year first, or day and month in either order */
{
	unsigned a = number(s, 0, 2), b = number(s, 2, 2), year = number(s, 4, 4), from = number(s, 0, 4);
	(void)n;
	if (from >= 1900 && from <= 2035 && date(number(s, 4, 2), number(s, 6, 2)))
		return true;
	return year >= 1900 && year <= 2035 && (date(a, b) || date(b, a));
}
