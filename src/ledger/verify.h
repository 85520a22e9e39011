/* Private to ledger/verify.c: the frames of one log's folder. */
#ifndef LEDGER_VERIFY_H
#define LEDGER_VERIFY_H

#include "ledger/ledger.h"
#include "log/segment.h"

struct verify_log {
	const struct fio *io;
	int dir;
	const char *name;	/* "state/ledger/open" */
	uint64_t must;		/* frames up to this number were there once; 0: not known */
	void (*each)(void *arg, const struct ledger_damage *d);
	void (*frame)(void *arg, const struct frame *f);	/* may be NULL */
	void *arg;
};
/* torn: bytes at the very end that nobody was told of. */
int verify_log(const struct verify_log *l, uint64_t *torn, struct err *err);

#endif
