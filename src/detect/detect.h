/*
 * Personal data and secrets in text: the core kinds.  Pure; no allocation; bounded time (linear in n).
 *
 * The text is already unescaped (a \u0040 hides an @).  Hits are half-open byte ranges, sorted, not overlapping; where
 * two kinds compete the stronger, then the longer, wins.  Sources for each check stand in detect.c's table
 * (docs/../facts A.4: RFC 5321/5322, E.164, RFC 4291, ISO 13616, ISO/IEC 7812-1, SSA, RFC 7519, RFC 6750).
 */
#ifndef DETECT_DETECT_H
#define DETECT_DETECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At most 64: sets of them are bits of a uint64_t.  Numbers of countries stand as CC_NAME (catalog/detectors/ids.yaml). */
#define DETECT_TYPE_LIST(X) \
	X(EMAIL, "email") X(PHONE, "phone") X(IPV4, "ipv4") X(IPV6, "ipv6") X(IBAN, "iban") X(CARD, "card") X(US_SSN, "us_ssn") \
	X(JWT, "jwt") X(BEARER, "bearer") X(MAC, "mac") X(KEY, "key") X(CRYPTO, "crypto") X(USER_PATH, "user_path") \
	X(PACKED, "packed") X(VIN, "vin") X(IMEI, "imei") \
	X(ICCID, "iccid") X(DOB, "dob") X(US_ITIN, "us_itin") X(UK_NHS, "uk_nhs") X(UK_NINO, "uk_nino") X(ES_NIF, "es_nif") \
	X(IT_CF, "it_cf") X(DE_STEUERID, "de_steuerid") X(FR_NIR, "fr_nir") X(PL_PESEL, "pl_pesel") X(NL_BSN, "nl_bsn") \
	X(BE_NN, "be_nn") X(PT_NIF, "pt_nif") X(SE_PNR, "se_pnr") X(FI_HETU, "fi_hetu") X(NO_FNR, "no_fnr") X(DK_CPR, "dk_cpr") \
	X(IE_PPS, "ie_pps") X(RO_CNP, "ro_cnp") X(CZ_RC, "cz_rc") X(BG_EGN, "bg_egn") X(HR_OIB, "hr_oib") X(LT_EE, "lt_ee") \
	X(CH_AHV, "ch_ahv") X(BR_CPF, "br_cpf") X(BR_CNPJ, "br_cnpj") X(IN_AADHAAR, "in_aadhaar") X(IN_PAN, "in_pan") \
	X(AU_TFN, "au_tfn") X(AU_MEDICARE, "au_medicare") X(AU_ABN, "au_abn") X(SG_NRIC, "sg_nric") X(CA_SIN, "ca_sin") \
	X(ZA_ID, "za_id") X(TR_TCKN, "tr_tckn") X(KR_RRN, "kr_rrn") X(TH_ID, "th_id") X(CN_RIC, "cn_ric") X(JP_MY, "jp_my") \
	X(IL_ID, "il_id") X(CUSTOM, "custom") X(NAME, "name")
enum detect_type {
#define X(id, name) DETECT_##id,
	DETECT_TYPE_LIST(X)
#undef X
	DETECT_TYPES
};

enum detect_tier { DETECT_STRONG, DETECT_WEAK };	/* weak fires only with a word that says what the number is */

/* What a hit is called: a type's own name, or a family of it ("key.aws", "crypto.btc"). */
struct detect_kind {
	const char *name, *placeholder;	/* "email", "[EMAIL]" */
};

struct detect_hit {
	uint32_t start, end;
	enum detect_type type;
	uint8_t tier, score;	/* 0..100 */
	uint8_t via;		/* DETECT_VIA_* decodings that led to it */
	const struct detect_kind *kind;	/* static */
	const char *why;	/* rule in words, static: "Luhn and issuer prefix" */
};
enum {
	DETECT_VIA_PERCENT = 1,
	DETECT_VIA_BASE64 = 2,
	DETECT_VIA_ESCAPE = 4,		/* \u0040 or &#64; left over from an inner JSON or HTML */
	DETECT_VIA_HEX = 16,		/* of text; base32 too */
	DETECT_VIA_GZIP = 32,		/* gzip or zlib inside of base64 */
	DETECT_VIA_LOOKALIKE = 8,	/* full-width and the like, invisible characters, "name [at] host" */
};

/* "email"; and as a placeholder "[EMAIL]". */
const char *detect_name(enum detect_type t);
const char *detect_placeholder(enum detect_type t);
/* What a hit is called where types are told apart: its type's name; of a user's rule the rule's (lives as long as the rule). */
const char *detect_hit_name(const struct detect_hit *h);
/* By name; -1 when unknown. */
int detect_type_of(const char *name, size_t n);

/* Bit t set: look for type t.  All of them, but names of people: those are asked for (weak, and far from sure). */
#define DETECT_BIT(t) ((uint64_t)1 << (t))
#define DETECT_ALL (DETECT_BIT(DETECT_NAME) - 1)

/*
 * Find at most max hits in text; returns how many.  When more would be found, the last one reaches to n, so that
 * redacting what is returned never leaves a hit behind: what is left, with placeholders in the places of the hits, is
 * looked at again before this returns.  64 readable bytes must follow the text (as for detect_maybe), max is at least 1
 * and the text is under 4 GiB: both asserted.  Any thread.
 */
size_t detect_scan(const char *text, size_t n, uint64_t types, struct detect_hit *hits, size_t max);
/* Cheap first look: false means that detect_scan would find nothing (but names). */
bool detect_maybe(const char *text, size_t n);

/* True when a key name carries personal data itself (an address as a key): such a name is never stored. */
bool detect_key_name(const char *text, size_t n);

#endif
