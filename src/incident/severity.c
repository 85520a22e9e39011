/* ENISA severity in integer quarters (law.h). */
#include "incident/law.h"

const char *const severity_names[4] = {"low", "medium", "high", "very high"};

int severity_score(const struct severity_input *in, struct severity *out, struct err *err)
{
	if (in->dpc < 1 || in->dpc > 4)
		return err_set(err, ERR_INPUT, "data processing context is 1 to 4");
	if (in->ei < 1 || in->ei > 4)
		return err_set(err, ERR_INPUT, "ease of identification is 1 to 4 quarters");
	if (in->confidentiality > 2 || in->integrity > 2 || in->availability > 2)
		return err_set(err, ERR_INPUT, "confidentiality, integrity and availability are 0, 1 or 2 quarters");
	if (in->malice != 0 && in->malice != 2)
		return err_set(err, ERR_INPUT, "malicious intent is 0 or 2 quarters");
	unsigned q = (unsigned)in->dpc * in->ei + in->confidentiality + in->integrity + in->availability + in->malice;
	out->quarters = q;
	out->band = q < 8 ? SEVERITY_LOW : q < 12 ? SEVERITY_MEDIUM : q < 16 ? SEVERITY_HIGH : SEVERITY_VERY_HIGH;
	return 0;
}

const char *severity_reason_dpc(unsigned dpc)
{
	static const char *const why[] = {
		"out of range",
		"simple data: name, contact, education, job, family; or worse data that gives no insight",
		"behavioural data, or simple data from which a profile or wealth can be guessed",
		"financial data, or data from which health, beliefs or habits can be guessed",
		"sensitive data, or data that endangers people or allows fraud",
	};
	return why[dpc <= 4 ? dpc : 0];
}

const char *severity_reason_ei(unsigned ei)
{
	static const char *const why[] = {
		"out of range",
		"negligible: the identifiers say nothing without another register",
		"limited: few people share them, and finding the person takes work",
		"significant: an address that is in use elsewhere, or a name in a small place",
		"maximum: the person is named, or the identifier leads straight to them",
	};
	return why[ei <= 4 ? ei : 0];
}

const char *severity_meaning(enum severity_band b)
{
	static const char *const meaning[] = {
		"none or small nuisances; presumed: register only",
		"significant inconvenience, overcome with some difficulty; presumed: tell the authority (Art. 33)",
		"significant consequences, overcome with serious difficulty; presumed: tell the authority and the people (Art. 33, 34)",
		"significant or irreversible consequences; presumed: tell the authority and the people (Art. 33, 34)",
	};
	return meaning[b];
}

unsigned severity_base(struct span c)
{
	static const struct {
		const char *prefix;
		unsigned base;
	} classes[] = {	/* longest first where they nest */
		{"user.health_and_medical", 4}, {"user.biometric", 4}, {"user.demographic.race_ethnicity", 4},
		{"user.demographic.religious_belief", 4}, {"user.demographic.political_opinion", 4},
		{"user.demographic.sexual_orientation", 4}, {"user.genetic", 4}, {"user.political_opinion", 4},
		{"user.race", 4}, {"user.religious_belief", 4}, {"user.sexual_orientation", 4}, {"user.criminal_history", 4},
		{"user.financial", 3}, {"user.payment", 3}, {"user.government_id", 3}, {"user.authorization", 3},
		{"user.account.payment", 3}, {"user.credentials", 3}, {"user.location", 2}, {"user.behavior", 2},
		{"user.content", 2}, {"user.social", 2}, {"user.telemetry", 2}, {"user.device.ip_address", 2},
		{"user.device.location", 2}, {"user.sensor", 2},
	};
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		size_t n = strlen(classes[i].prefix);
		if (c.len >= n && memcmp(c.at, classes[i].prefix, n) == 0 && (c.len == n || c.at[n] == '.'))
			return classes[i].base;
	}
	return 1;
}
