/* `weir audit witness|timestamp`: others who saw the log; and what of it is on file. */
#ifndef CLI_AUDIT_WITNESS_H
#define CLI_AUDIT_WITNESS_H

#include <jansson.h>

#include "cli/args.h"
#include "tlog/tlog.h"

int audit_witness(const struct command *self, const struct args *a);
int audit_timestamp(const struct command *self, const struct args *a);

/*
 * What is on file against the log as it is now: adds {"witness", "size", "at"} or {"authority", "size", "at"} to list.
 * tlog: directory.  ERR_NOTFOUND: nothing by that key, or no timestamp; ERR_DENIED, ERR_CRYPTO: it doesn't fit.
 */
int audit_seen_by(int tlog, struct tlog *l, const struct tlog_key *log, const struct tlog_key *witness, json_t *list, struct err *err);
int audit_stamped(int tlog, struct tlog *l, const struct tlog_key *log, const char *roots_file, json_t *list, struct err *err);
/* The newest checkpoint that the witness cosigned, to out. */
int audit_cosigned(int tlog, const struct tlog_key *witness, struct buf *out, struct err *err);

#endif
