/* Sub-commands of `weir contract`: one file each or together in cmd_contract.c; a word in this list registers one. */
#ifndef CLI_CONTRACT_H
#define CLI_CONTRACT_H

#include "cli/cli.h"
#include "contract/contract.h"

#define CONTRACT_COMMANDS(X) X(check) X(show) X(diff) X(suggest) X(schema)
#define X(n) extern const struct command contract_sub_##n;
CONTRACT_COMMANDS(X)
#undef X

/*
 * Reads a contract file ("-" is standard input).  0 and *out, or the exit status after everything was said on standard
 * error: EXIT_USE.
 */
int contract_load(const char *path, struct contract **out);

enum { CONTRACT_FILE_MAX = 1 << 20 };

#endif
