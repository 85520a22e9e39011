/*
 * What a vendor's host shows to everyone: rules over captured bytes, verdicts out.  No socket, no clock: the prober
 * captures (prober/prober.h), these functions judge, and the same capture gives the same verdicts again.
 *
 * A rule has an id and a version (a change of what it says is a new version), a few named outcomes, and points for each
 * outcome by profile.  The score starts at 100; penalties are added, and bonuses only when the penalties leave 90 or
 * more; it never falls below 0.  The grade is the score rounded down to 5, by one chart.  Rules with source
 * "observatory" are MDN HTTP Observatory's algorithm 6 (names, order and points as there), so their part of the score
 * is that tool's score; the rest is Weir's choice and stands in rules.c with its reason.
 *
 * What could not be observed is unknown: no points, but it lowers the coverage that stands beside the score.
 */
#ifndef POSTURE_POSTURE_H
#define POSTURE_POSTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

#define POSTURE_PACK "2026.1"	/* of the rules as a whole; goes with every result */

/* web: pages that people look at.  api: hosts that receive data by machines; what only browsers read isn't asked of them. */
enum posture_profile { PROFILE_WEB, PROFILE_API, PROFILES };
extern const char *const posture_profile_names[PROFILES];

enum posture_verdict { POSTURE_PASS, POSTURE_WARN, POSTURE_FAIL, POSTURE_UNKNOWN };
extern const char *const posture_verdict_names[4];

/* ---- what was captured: everything lives as long as the capture's arena ------------------------------------------ */

struct posture_header {
	const char *name, *value;	/* name in any case; value trimmed */
};
struct posture_response {
	int status;
	bool verified;			/* TLS trusted the certificate, or there was no TLS */
	const struct posture_header *headers;
	size_t headers_len;
	struct span body;
};
struct posture_hop {
	bool https;
	const char *host;
	int status;
};
struct posture_cookie {
	const char *host;		/* that set it */
	const char *value;		/* of Set-Cookie */
};

enum tried { NOT_TRIED, TRY_ACCEPTED, TRY_REFUSED };
enum tls_version { TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3, TLS_VERSIONS };
extern const char *const tls_version_names[TLS_VERSIONS];

struct posture_tls {
	enum tried spoken;		/* any handshake at all */
	const char *why_not;		/* when not: for people, no addresses */
	enum tried versions[TLS_VERSIONS];
	enum tried no_authentication;	/* suites without certificate or without encryption */
	enum tried forward_secrecy;	/* TLS 1.3, or 1.2 with ephemeral keys */
	const struct span *certs;	/* DER as sent, the leaf first */
	size_t certs_len;
};

/* security.txt as fetched; status 0: not tried. */
struct posture_document {
	int status;
	bool https, verified, fallback;	/* fallback: found at /security.txt only */
	const char *type;		/* Content-Type, or NULL */
	struct span body;
	const char *url;		/* last of the redirect chain */
};

struct posture_capture {
	const char *host;		/* lower case; an address without brackets */
	enum posture_profile profile;
	bool cleartext_only;		/* the target was named as http://: nothing of TLS was tried */
	bool loopback;
	int64_t at;
	const void *roots;		/* X509_STORE; NULL: trust is unknown */
	struct posture_tls tls;
	/* The last response of each redirect chain; NULL: none.  page is https's, else http's. */
	const struct posture_response *page, *http, *https, *cors;
	bool page_https;
	const char *no_page;		/* why page is NULL, for people; or NULL */
	const char *cors_origin;	/* that was sent */
	const struct posture_hop *route;	/* of http */
	size_t route_len;
	const struct posture_cookie *cookies;	/* of all responses and robots.txt */
	size_t cookies_len;
	bool (*preloaded)(const char *host);	/* HSTS preload list; NULL: not consulted */
	struct posture_document security_txt;
};

/* ---- rules ------------------------------------------------------------------------------------------------------ */

enum { NA = INT16_MIN, EVIDENCE_MAX = 320 };	/* NA: the rule isn't asked in this profile */

struct posture_outcome {
	const char *name;
	int16_t points[PROFILES];
	const char *says;		/* one line for people */
};

struct posture_finding {
	const struct posture_rule *rule;
	const struct posture_outcome *outcome;	/* NULL: unknown */
	enum posture_verdict verdict;
	int points;			/* of the outcome in this profile */
	bool counted;			/* a bonus may not count */
	char evidence[EVIDENCE_MAX];	/* UTF-8 without control characters; names and settings, never a cookie's value */
};

struct posture_rule {
	const char *id;
	unsigned version;
	const char *source;		/* "observatory", "rfc9116", "weir" */
	const char *title;
	const struct posture_outcome *outcomes;
	/* Fills outcome by posture_is and evidence by posture_evidence; leaves outcome NULL for unknown. */
	void (*check)(const struct posture_capture *c, struct arena *a, struct posture_finding *f);
};
extern const struct posture_rule posture_rules[];	/* closed with a NULL id; outcomes are closed with a NULL name */

enum { POSTURE_RULES_MAX = 40 };

struct posture_report {
	struct posture_finding findings[POSTURE_RULES_MAX];
	size_t findings_len;
	int score;
	const char *grade;		/* "A+" to "F"; NULL when nothing could be observed */
	unsigned coverage;		/* percent of the asked rules with a verdict other than unknown */
	int observatory_score;		/* of the observatory rules alone; -1 unless profile web and one of them was answered */
};

void posture_judge(const struct posture_capture *c, struct posture_report *r);
/* The second half of it: verdicts, points, score and grade from the outcomes alone. */
void posture_total(struct posture_report *r, enum posture_profile profile);
const char *posture_grade(int score);
/* 0 for F to 12 for A+; -1 for anything else. */
int posture_grade_rank(const char *grade);
enum posture_verdict posture_verdict_of(int points);	/* from 0 pass, to -10 warn, else fail */

/* For rules. */
void posture_is(struct posture_finding *f, const char *outcome);	/* must exist */
void posture_evidence(struct posture_finding *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));	/* appends */
/* The n-th header of that name, or NULL. */
const char *posture_header_at(const struct posture_response *r, const char *name, size_t n);
bool posture_is_html(const struct posture_response *r);

#endif
