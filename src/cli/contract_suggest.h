/* `weir contract suggest`: called by cmd_contract.c with the words behind "contract"; argv[0] is "suggest". */
#ifndef CLI_CONTRACT_SUGGEST_H
#define CLI_CONTRACT_SUGGEST_H

#include "cli/cli.h"

#define CONTRACT_SUGGEST_USAGE                                                                                               \
	"usage: weir contract suggest [--adapter NAME] [FILE...]\n"                                                         \
	"       weir contract suggest --vendor V [--dir FOLDER]\n"                                                          \
	"\n"                                                                                                                \
	"Reads event objects (one a line, or an array), the lines of `weir sink --capture`, or a HAR file saved by a\n"     \
	"browser, and writes a contract to standard output.  Known fields stand there in their safest useful form, known\n" \
	"risks are left behind with the reason, and everything else is listed as lines to uncomment, with how often it\n"   \
	"was seen and its shape.  No value of an event is ever printed, and no key name that is somebody's data.\n"         \
	"\n"                                                                                                                \
	"With --vendor it is made of what a running Weir has learned of that vendor's events: in `mode: learn` of all of\n" \
	"them, else of a sample (weir-discover(1)).\n"                                                                      \
	"\n"                                                                                                                \
	"  --adapter, -a NAME   the vendor's protocol {mixpanel}\n"                                                         \
	"\n"                                                                                                                \
	"examples:\n"                                                                                                       \
	"  weir sink --capture seen.ndjson                        point your SDK at it for a while, then\n"                 \
	"  weir contract suggest seen.ndjson > mixpanel.yaml\n"                                                             \
	"\n"                                                                                                                \
	"  weir contract suggest --vendor mixpanel > next.yaml    behind some days in `mode: learn`\n"                      \
	"\n"                                                                                                                \
	"exit status: 0 done; 2 nothing of this vendor in it, or it can't be read\n"

int contract_suggest_run(const struct command *self, int argc, char **argv);

#endif
