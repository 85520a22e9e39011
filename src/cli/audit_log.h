/* `weir audit checkpoint|prove|verify`: the transparency log, from files and a public key alone. */
#ifndef CLI_AUDIT_LOG_H
#define CLI_AUDIT_LOG_H

#include "cli/args.h"

/* Keys of cmd_audit's options that these words read. */
enum {
	AUDIT_WHY = ARG_OWN, AUDIT_HTML, AUDIT_PDF,
	AUDIT_VKEY, AUDIT_KEY, AUDIT_LOG, AUDIT_REMEMBER, AUDIT_PROOF, AUDIT_ENTRY, AUDIT_EVENT,
};

int audit_checkpoint(const struct command *self, const struct args *a);
int audit_prove(const struct command *self, const struct args *a);
int audit_verify(const struct command *self, const struct args *a);

#endif
