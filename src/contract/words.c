/* Closed lists of the file format, dates and durations. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "contract/read.h"

const char *const action_names[ACTIONS] = {
	[ACT_KEEP] = "keep",	     [ACT_DROP] = "drop",     [ACT_CONST] = "const", [ACT_ONEOF] = "oneof",
	[ACT_PSEUDONYM] = "pseudonym", [ACT_REDACT] = "redact", [ACT_MASK] = "mask",   [ACT_TRUNCATE] = "truncate",
	[ACT_IP] = "ip",	     [ACT_URL] = "url",	      [ACT_ROUND] = "round", [ACT_BUCKET] = "bucket",
	[ACT_DOMAIN] = "domain",
};
const char *const identity_names[4] = {"keep", "pseudonym", "daily", "drop"};
const char *const trunc_names[] = {"minute", "hour", "day", "month", NULL};

const char *const role_words[] = {"processor", "controller", "joint-controller", "sub-processor", NULL};

/* GDPR Art. 6(1), (a) to (f) */
const char *const basis_words[] = {"consent",	   "contract",	  "legal-obligation", "vital-interests",
				   "public-task", "legitimate-interest", NULL};

/*
 * GDPR Art. 28(2), (3)(a) to (h), (4), 32, 33(2); standard contractual clauses of Implementing Decision (EU) 2021/914
 * by module; UK addendum and IDTA; CCPA Regulations s. 7051 and Civil Code 1798.100(d); HIPAA 45 CFR 164.504(e).
 */
const char *const clause_words[] = {
	"gdpr-28-2",   "gdpr-28-3-a", "gdpr-28-3-b", "gdpr-28-3-c", "gdpr-28-3-d", "gdpr-28-3-e", "gdpr-28-3-f",
	"gdpr-28-3-g", "gdpr-28-3-h", "gdpr-28-4",   "gdpr-32",	   "gdpr-33-2",	  "scc-module-1", "scc-module-2",
	"scc-module-3", "scc-module-4", "uk-addendum", "uk-idta",   "ccpa-7051",  "ccpa-1798-100-d", "hipaa-164-504-e",
	NULL};

const char *const flag_words[] = {"on", "off", "names", NULL};

/* ISO 3166-1 alpha-2, the officially assigned codes, and the blocs that contracts name as regions. */
static const char countries[] =
	"AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
	"CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
	"FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
	"JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
	"MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
	"PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
	"TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

bool country_known(struct span s)
{
	if (s.len != 2)
		return false;
	for (const char *c = countries; *c; c += c[2] ? 3 : 2)
		if (memcmp(c, s.at, 2) == 0)
			return true;
	return false;
}

bool date_parse(struct span s, int64_t *days)
{
	int64_t seconds;
	if (s.len != 10 || !clock_parse(s.at, s.len, &seconds))
		return false;
	*days = seconds / 86400;
	return true;
}

bool duration_parse(struct span s, int64_t *seconds)
{
	static const struct {
		char unit;
		bool time;
		int64_t seconds;
	} units[] = {{'Y', false, 365 * 86400}, {'M', false, 30 * 86400}, {'W', false, 7 * 86400}, {'D', false, 86400},
		     {'H', true, 3600},		{'M', true, 60},	  {'S', true, 1}};
	const size_t count = sizeof units / sizeof *units;
	if (s.len < 3 || s.len > 40 || s.at[0] != 'P')
		return false;
	int64_t total = 0;
	size_t next = 0, parts = 0;
	bool time = false, fresh = false;	/* fresh: a T that nothing follows yet */
	for (size_t i = 1; i < s.len;) {
		if (s.at[i] == 'T' && !time) {
			time = fresh = true;
			i++;
			continue;
		}
		int64_t v = 0;
		size_t from = i;
		while (i < s.len && s.at[i] >= '0' && s.at[i] <= '9' && i - from < 9)
			v = v * 10 + (s.at[i++] - '0');
		if (i == from || i == s.len)
			return false;
		while (next < count && (units[next].unit != s.at[i] || units[next].time != time))
			next++;
		if (next == count)
			return false;
		total += v * units[next].seconds;
		if (units[next].unit == 'W' && (parts || i + 1 < s.len))
			return false;	/* weeks stand alone */
		next++;
		parts++;
		i++;
		fresh = false;
	}
	if (!parts || fresh || total <= 0 || total > INT64_C(100) * 365 * 86400)
		return false;
	*seconds = total;
	return true;
}
