/* `weir audit checkpoint|prove|verify`: the transparency log, from files and a public key alone. */
#ifndef CLI_AUDIT_LOG_H
#define CLI_AUDIT_LOG_H

#include "cli/args.h"
#include "tlog/tlog.h"

/* Keys of cmd_audit's options that these words read. */
enum {
	AUDIT_WHY = ARG_OWN, AUDIT_HTML, AUDIT_PDF,
	AUDIT_VKEY, AUDIT_KEY, AUDIT_LOG, AUDIT_REMEMBER, AUDIT_PROOF, AUDIT_ENTRY, AUDIT_EVENT,
	AUDIT_WITNESS, AUDIT_CA,
};

/* A Weir folder's log (--dir), or a copy of one (--log), and its key (--key). */
struct audit_place {
	char *dir;		/* the Weir folder; NULL: a copy of a log */
	int tlog, open, day, dict;
	struct tlog_key key;
};
int audit_place_open(const struct args *a, struct audit_place *p, struct err *err) __attribute__((warn_unused_result));
void audit_place_release(struct audit_place *p);
struct tlog_place audit_tlog(const struct audit_place *p);
/* A verifier key, or a file that holds one; option: for the message. */
int audit_key(const char *text, const char *option, struct tlog_key *key, struct err *err) __attribute__((warn_unused_result));

/* A whole file, or the one that was there; durable. */
int audit_replace(const char *path, const void *p, size_t n, struct err *err) __attribute__((warn_unused_result));

int audit_checkpoint(const struct command *self, const struct args *a);
int audit_prove(const struct command *self, const struct args *a);
int audit_verify(const struct command *self, const struct args *a);

#endif
