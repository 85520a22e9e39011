/* `weir blast --proof FOLDER`: an answer with what others need to check it. */
#ifndef CLI_BLAST_PROOF_H
#define CLI_BLAST_PROOF_H

#include <jansson.h>

#include "base/err.h"

/* dir: --dir.  folder is made, and must not be there (ERR_CONFLICT). */
int blast_proof(const char *dir, const char *folder, const json_t *answer, struct err *err) __attribute__((warn_unused_result));

#endif
