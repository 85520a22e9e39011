/* weir sink: a stand-in vendor. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "sink/sink.h"

enum { LISTEN, JSON, FAIL, DELAY, HANG, CAPTURE };
static const struct opt opts[] = {
	{"--listen", 'l', true, LISTEN}, {"--json", 0, false, JSON}, {"--fail", 0, true, FAIL},
	{"--delay-ms", 0, true, DELAY},	 {"--hang", 0, false, HANG}, {"--capture", 0, true, CAPTURE},
};
enum { DELAY_MAX_MS = 3600000 };

/* "503" or "503:0.1". */
static bool parse_fail(const char *s, struct sink_options *o)
{
	char *end;
	long status = strtol(s, &end, 10);
	double share = 1;
	if (*end == ':')
		share = strtod(end + 1, &end);
	if (end == s || *end || status < 200 || status > 599 || !(share >= 0 && share <= 1))
		return false;
	o->fail_status = (int)status;
	o->fail_share = share;
	return true;
}

static bool parse_delay(const char *s, uint32_t *out)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);
	*out = (uint32_t)v;
	return *s >= '0' && *s <= '9' && *end == 0 && v <= DELAY_MAX_MS;
}

static uint32_t terminal_width(void)
{
	struct winsize w;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct sink_options o = {.listen = "127.0.0.1:7090", .colour = cli_colour(STDOUT_FILENO), .width = terminal_width()};
	struct opt_state st;
	struct err err;
	opt_init(&st, argc, argv);
	for (int key; (key = opt_next(&st, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		switch (key) {
		case LISTEN: o.listen = st.value; break;
		case JSON: o.json = true; break;
		case HANG: o.hang = true; break;
		case CAPTURE: o.capture = st.value; break;
		case FAIL:
			if (!parse_fail(st.value, &o))
				return cli_wrong(self, "--fail takes STATUS or STATUS:SHARE, such as 503:0.1");
			break;
		case DELAY:
			if (!parse_delay(st.value, &o.delay_ms))
				return cli_wrong(self, "--delay-ms takes milliseconds, up to %d", DELAY_MAX_MS);
			break;
		case OPT_HELP: return cli_help(self);
		case OPT_OPERAND: return cli_wrong(self, "takes no operand");
		default: return EXIT_USE;
		}
	}
	return sink_run(&o, &err) == 0 ? EXIT_DONE : cli_fail("sink", &err);
}

const struct command cmd_sink = {
	"sink", "a stand-in vendor that shows what arrives",
	"usage: weir sink [--listen ADDR] [--json] [--capture FILE] [--fail STATUS[:SHARE]] [--delay-ms N] [--hang]\n"
	"\n"
	"Takes every route of every adapter, answers as that vendor would and prints a line for each event.  Name it as\n"
	"`upstream` of a contract, or point an SDK at it directly to see what would leave without Weir.\n"
	"\n"
	"  --listen ADDR          address to listen on {127.0.0.1:7090}; port 0 picks one\n"
	"  --json                 a JSON line a request instead of text\n"
	"  --capture FILE         append the JSON lines to FILE (with --json: only there)\n"
	"  --fail STATUS[:SHARE]  answer a share of the requests with STATUS; 200 refuses in the body\n"
	"  --delay-ms N           wait before each answer\n"
	"  --hang                 read and never answer\n"
	"\n"
	"It prints `weir: sink ready URL` when it listens and ends with 0 on Ctrl-C or SIGTERM.\n",
	run};
