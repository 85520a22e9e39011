/*
 * A stand-in vendor: takes what any adapter's vendor would take, answers as that vendor would, and shows what arrived.
 * For first looks, demonstrations and tests; it judges nothing and stores only what --capture asks for.
 */
#ifndef SINK_SINK_H
#define SINK_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct sink_options {
	const char *listen;	/* "127.0.0.1:7090"; port 0 picks one */
	const char *capture;	/* file to append a JSON line a request to, or NULL */
	bool json;		/* JSON lines on standard output instead of text; with capture only there */
	bool colour;
	uint32_t width;		/* of the terminal; 0: don't wrap */
	int fail_status;	/* this status for a share of the requests; 200: taken, and refused in the body */
	double fail_share;	/* 0..1 */
	uint32_t delay_ms;	/* before each answer */
	bool hang;		/* read and never answer */
};

/*
 * Serve until SIGINT or SIGTERM.  Prints "weir: sink ready URL" to standard output when it listens.  A capture line is
 * written before its answer goes out.
 */
int sink_run(const struct sink_options *o, struct err *err);

#endif
