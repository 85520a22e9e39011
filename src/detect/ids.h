/*
 * The rows of catalog/detectors as script/detectors writes them into rows.c, and who reads them.
 */
#ifndef DETECT_IDS_H
#define DETECT_IDS_H

#include "detect/core.h"

/* ---- numbers: ids.yaml ------------------------------------------------------------------------------------------- */

enum alone { ALONE_NEVER, ALONE_GROUPED, ALONE_ALWAYS };
/* What needs no row. */
#define CORE_TYPES (DETECT_BIT(DETECT_IMEI) - 1)
enum { ID_SHAPES = 4, ID_COMPACT = 24 };
struct id_row {
	enum detect_type type;
	enum alone alone;
	uint8_t score;
	const char *shapes[ID_SHAPES];
	bool (*check)(const char *compact, unsigned n);
	const char *title;	/* of a hit that needed no word */
	const char *named;	/* of one that did */
};
extern const struct id_row id_rows[];	/* at most 64: sets of rows are bits of a uint64_t */
extern const uint64_t id_by_run[20];	/* rows with a shape that begins with so many digits */
extern const uint64_t id_by_letters[8];	/* with so many letters */
extern const uint64_t id_alone, id_always;	/* rows that may fire without a word: perhaps, in each of their forms */

/* Words that give a number its meaning: an open hash table of lower-case ASCII words. */
struct id_word {
	const char *word;
	uint64_t rows;
};
extern const struct id_word id_words[];
extern const unsigned id_words_mask;	/* a power of two minus 1 */
extern const uint32_t id_word_heads[26];	/* of each first letter: the second letters of words */

/* Looks for a number of ids.yaml whose first digit is p and whose first run has n digits; true when it was one. */
bool find_id(struct scan *s, size_t p, unsigned n);
/* The same with letters in front of the digits: p is the first digit. */
bool find_lettered_id(struct scan *s, size_t p);
/* One number, already cut out, against one type: for tests. */
bool id_is(enum detect_type t, const char *text);

/* ---- keys: keys.yaml --------------------------------------------------------------------------------------------- */

enum key_class { KEY_BASE62, KEY_HEX, KEY_BASE32, KEY_UPPER, KEY_LOWER, KEY_WORD, KEY_URL, KEY_CLASSES };
struct key_row {
	const char *prefix;
	uint32_t head, mask;	/* of its first four bytes, little-endian */
	uint8_t len, class;
	uint8_t dotted;		/* ends in a dot: the run of characters begins behind it */
	uint16_t min, max;
	bool (*check)(const struct scan *s, size_t body, size_t *end);
	struct detect_kind kind;
};
extern const struct key_row key_rows[];	/* by first byte, longer prefixes first */
extern const uint16_t key_first[128 + 1];	/* where the rows of a first byte begin */
extern const uint64_t key_pairs[128][2];	/* of each first byte: the second bytes of prefixes */
extern const uint8_t key_classes[256];	/* bit KEY_*: of that class; bit 7: a coin's address may begin so */

/*
 * A run of letters, digits, + / - _ of 12 characters and more: keys, coins, MAC addresses with dashes, vehicles.  find_run
 * looks at it as a whole, when run_matters; find_token at a word of len letters and digits in it, when token_matters.
 */
void find_run(struct scan *s, size_t start, size_t end);
void find_token(struct scan *s, size_t p, size_t len);

static inline bool run_matters(const struct scan *s, size_t start, size_t end)
{
	uint8_t c = before(s, start);
	return c == '.' || c == ' ' || c == 'n' || c == '\n' || c == '\\' || (end - start >= 17 && s->t[start + 2] == '-');
}
/* Text in hex: high halves of 2 to 7 at every other place.  Text in base32: E to P at every eighth. */
static inline bool hex_text(const uint8_t *t)
{
	return (uint8_t)(t[0] - '2') < 6 && (uint8_t)(t[2] - '2') < 6 && (uint8_t)(t[4] - '2') < 6 && (uint8_t)(t[6] - '2') < 6 &&
	       (uint8_t)(t[8] - '2') < 6 && (uint8_t)(t[10] - '2') < 6;
}
static inline bool base32_text(const uint8_t *t)
{
	return t[0] >= 'E' && t[0] <= 'P' && t[8] >= 'E' && t[8] <= 'P';
}
static inline bool token_matters(const struct scan *s, size_t p, size_t len)
{
	uint8_t a = s->t[p], b = s->t[p + 1];
	if (a >= 128 || b >= 128)
		return false;
	return key_pairs[a][b >> 6] >> (b & 63) & 1 || (key_classes[a] >> 7 && len >= 26) || len == 17 ||
	       (len >= 12 && (hex_text(s->t + p) || base32_text(s->t + p) || (a == '0' && b == 'x')));
}

/* ---- coins.c ----------------------------------------------------------------------------------------------------- */

/* What address text[0..n) is, or NULL: its checksum fits.  crypto.eth in one case has none. */
const struct detect_kind *coin_of(const uint8_t *text, size_t n);

/* ---- checks.c: the functions that rows name ---------------------------------------------------------------------- */

typedef bool check_fn(const char *s, unsigned n);
check_fn check_us_itin, check_uk_nhs, check_uk_nino, check_es_nif, check_it_cf, check_de_steuerid, check_fr_nir, check_pl_pesel,
	check_nl_bsn, check_be_nn, check_pt_nif, check_se_pnr, check_fi_hetu, check_no_fnr, check_dk_cpr, check_ie_pps, check_ro_cnp,
	check_cz_rc, check_bg_egn, check_hr_oib, check_lt_ee, check_ch_ahv, check_br_cpf, check_br_cnpj, check_in_aadhaar,
	check_in_pan, check_au_tfn, check_au_medicare, check_au_abn, check_sg_nric, check_ca_sin, check_za_id, check_tr_tckn,
	check_kr_rrn, check_th_id, check_cn_ric, check_jp_my, check_il_id, check_vin, check_imei, check_iccid, check_date_of_birth;
bool verhoeff(const char *s, unsigned n);
typedef bool key_check_fn(const struct scan *s, size_t body, size_t *end);
key_check_fn check_key_github, check_key_openai, check_key_sendgrid, check_key_airtable, check_key_telegram, check_key_uuid;

#endif
