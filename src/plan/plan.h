/*
 * Signed plans: state/plan/VENDOR.plan, the only thing that gate and courier obey (I4, design section 4).
 *
 * Bytes: one line of canonical JSON (RFC 8785), "\n", "weir-plan-ed25519 " + base64(signature over the line and its
 * newline) + "\n".  Signed by the keeper; written to a temporary file, synced, renamed, directory synced.  The keeper
 * tells gate and courier serial and SHA-256 of the whole file over a socket; a file with another hash is refused and
 * that vendor closed with the retryable reply.
 *
 * The JSON: {"weir_plan":1,"vendor","serial","life":"approved"|"offboarded","flow":"open","not_after":SECONDS|null,"at":SECONDS,
 *   "person":"open" (only where it isn't `flow`), "by":WHO,"contract":{canonical model},"sends":[earlier serials this plan doesn't narrow],
 *   "drains":[{"serial","from","to"}]   (sequence numbers a person released, inclusive)}
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "base/fio.h"
#include "contract/contract.h"

struct plan_drain {
	uint64_t serial, from, to;
};

struct plan_file {
	char vendor[64];
	uint64_t serial;
	bool approved;		/* life: false when proposed or offboarded: nothing flows */
	enum flow flow;		/* the strictest of person, rule and incident */
	enum flow person;	/* what a person asks; never stricter than flow.  Only a person's own decision moves it */
	int64_t not_after;	/* seconds; INT64_MAX: none.  Nothing passes from this second on */
	int64_t at;
	char *by;
	struct contract *contract;
	uint64_t *sends;
	size_t sends_len;
	struct plan_drain *drains;
	size_t drains_len;
	uint8_t sha256[32];	/* of the whole file */
};

/* ERR_CRYPTO for a bad signature, ERR_CORRUPT for anything else wrong. */
int plan_file_parse(const void *p, size_t n, const uint8_t public_key[static 32], struct plan_file *out, struct err *err);
void plan_file_release(struct plan_file *f);
/* The bytes to write; fills f->sha256.  Numbers up to 2^53 (RFC 8785); vendor, by and contract are set: all asserted. */
void plan_file_make(struct plan_file *f, const uint8_t secret[static SIGN_SECRET_BYTES], struct buf *out);
/* Durable and atomic. dir: state/plan. */
int plan_file_write(const struct fio *io, int dir, const char *vendor, const struct buf *bytes, struct err *err);
/* Reads and parses VENDOR.plan; when expect isn't NULL its hash must match (ERR_CRYPTO). */
int plan_file_read(const struct fio *io, int dir, const char *vendor, const uint8_t public_key[static 32],
		   const uint8_t *expect, struct plan_file *out, struct err *err);
/* May a frame of this serial and seq go out under f?  not_after is the caller's to check: nothing here knows the time. */
bool plan_file_sends(const struct plan_file *f, uint64_t serial, uint64_t seq);

#endif
