/* security.txt (RFC 9116): the file's faults and recommendations, each once. */
#ifndef POSTURE_SECURITYTXT_H
#define POSTURE_SECURITYTXT_H

#include "posture/posture.h"

enum { SECURITY_TXT_MAX = 100 << 10 };

/* Stable names; the first SECURITY_TXT_FAULTS are faults, the rest recommendations. */
#define SECURITY_TXT_CODES(X) \
	X(too_large) X(utf8) X(bom_in_file) X(no_line_separators) X(invalid_line) X(prec_ws) X(no_space) X(empty_key) X(empty_value) \
	X(no_contact) X(no_expire) X(multi_expire) X(invalid_expiry) X(expired) X(multi_lang) X(invalid_lang) X(no_uri) X(no_https) \
	X(no_canonical_match) X(signed_format_issue) X(data_after_sig) X(no_csaf_file) \
	X(long_expiry) X(no_encryption) X(not_signed) X(no_canonical) X(multiple_csaf_fields) X(unknown_field)
enum security_txt_code {
#define X(n) SECTXT_##n,
	SECURITY_TXT_CODES(X)
#undef X
	SECURITY_TXT_ALL,
	SECURITY_TXT_FAULTS = SECTXT_long_expiry,
};
extern const char *const security_txt_names[SECURITY_TXT_ALL];

struct security_txt {
	uint32_t found;		/* 1u << code */
	int64_t expires;	/* seconds; 0: none */
	unsigned contacts;
};
/* url: where it was found, for Canonical; NULL: not compared. */
void security_txt_read(struct span body, const char *url, int64_t now, struct security_txt *out);

#endif
