/* `weir contract suggest`: called by cmd_contract.c with the words behind "contract"; argv[0] is "suggest". */
#ifndef CLI_CONTRACT_SUGGEST_H
#define CLI_CONTRACT_SUGGEST_H

#include "cli/cli.h"

#define CONTRACT_SUGGEST_USAGE                                                                                              \
	"weir contract suggest [--adapter NAME] FILE...\n"                                                                  \
	"  a contract from captured traffic: event objects (NDJSON or an array), lines of `weir sink --capture`, or a HAR\n" \
	"  file.  Known fields get their safest useful form; the rest stands as lines to uncomment.  No value of an event\n" \
	"  is ever printed.\n"

int contract_suggest_run(const struct command *self, int argc, char **argv);

#endif
