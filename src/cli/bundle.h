/*
 * An evidence bundle: a folder with an answer and what others need to check it, and its check, from its files and a public key.
 * bundle_make.c writes it, bundle_check.c reads it; what stands in it, its README.txt says.
 */
#ifndef CLI_BUNDLE_H
#define CLI_BUNDLE_H

#include <jansson.h>

#include "cli/args.h"
#include "tlog/tlog.h"

enum { BUNDLE_FILE_MAX = 64 << 20 };
extern const char bundle_readme[];

/*
 * dir: --dir.  folder is made, and must not be there (ERR_CONFLICT).  known: a file with a checkpoint that the reader has from
 * before, to which consistency is proved; or NULL.  answer: of a question that was asked with `proof`.
 */
int bundle_make(const char *dir, const char *folder, const char *known, const json_t *answer, struct err *err)
	__attribute__((warn_unused_result));

/* `weir audit verify BUNDLE --key KEY [--remember FILE] [--witness KEY].. [--ca FILE]`: the exit status. */
int bundle_check(const struct args *a);

/* What a leaf says of a closed day. */
struct bundle_day {
	uint64_t index, number;
	char name[24];		/* of its file: "2026-01-15", "2026-01-15.2" */
	uint8_t head[32], root[32], sha256[32];
};
bool bundle_day_of(const json_t *leaf, uint64_t index, struct bundle_day *out);
/* "2026-01-15" and a generation. */
void bundle_day_name(const char *day, uint64_t generation, char out[static 24]);
/* What a leaf `state` says. */
struct bundle_state {
	uint64_t index, days;
	uint32_t subjects;
	uint8_t dict[32], answer[32];
};
bool bundle_state_of(const json_t *leaf, uint64_t index, struct bundle_state *out);

#endif
