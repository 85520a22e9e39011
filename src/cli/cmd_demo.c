/* `weir demo`: what Weir is for, in a minute. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/embed.h"
#include "demo/demo.h"

enum { HEADLESS, JSON, PEOPLE, API, KEEP };
enum { PEOPLE_MIN = 100, PEOPLE_MAX = 1000000 };
static const struct opt opts[] = {
	{"--headless", 0, false, HEADLESS}, {"--json", 0, false, JSON}, {"--people", 0, true, PEOPLE}, {"--api", 0, true, API}, {"--keep", 0, true, KEEP},
};

static bool parse_people(const char *s, unsigned *out)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(s, &end, 10);
	*out = (unsigned)n;
	return *s >= '0' && *s <= '9' && !*end && !errno && n >= PEOPLE_MIN && n <= PEOPLE_MAX;
}

static struct span contract(void)
{
	for (const struct embedded *e = embedded_files; e->name; e++)
		if (strcmp(e->name, "demo/contract.yaml") == 0)
			return (struct span){e->at, e->len};
	return (struct span){0};
}

static int run(const struct command *self, int argc, char **argv)
{
	struct demo_options o = {.people = 100000, .api = "127.0.0.1:0", .colour = cli_colour(STDOUT_FILENO), .terminal = isatty(STDOUT_FILENO), .contract = contract()};
	struct opt_state st;
	struct err err = {.off = ERR_NOOFF};
	opt_init(&st, argc, argv);
	for (int key; (key = opt_next(&st, self, opts, sizeof opts / sizeof *opts)) != OPT_END;) {
		switch (key) {
		case HEADLESS: o.headless = true; break;
		case JSON: o.json = true; break;
		case API: o.api = st.value; break;
		case KEEP: o.keep = st.value; break;
		case PEOPLE:
			if (!parse_people(st.value, &o.people))
				return cli_wrong(self, "--people takes a number from %d to %d", PEOPLE_MIN, PEOPLE_MAX);
			break;
		case OPT_HELP: return cli_help(self);
		case OPT_OPERAND: return cli_wrong(self, "takes no operand");
		default: return EXIT_USE;
		}
	}
	o.headless |= o.json;
	int r = demo_run(&o, &err);
	return r < 0 ? cli_fail("demo", &err) : r;
}

const struct command cmd_demo = {
	"demo", "a breach at a vendor, replayed in a minute",
	"usage: weir demo [--headless] [--json] [--people N] [--api ADDRESS] [--keep FOLDER]\n"
	"\n"
	"Starts a Weir of its own in a temporary folder with a stand-in vendor, sends a chat product's analytics of 100,000\n"
	"synthetic people through it, lets the vendor be breached, cuts it off, counts who is affected with and without the\n"
	"contract, starts the law's clocks and writes the letters.  The page to watch it is named at the start.  Nothing leaves\n"
	"this machine, and every figure is measured.\n"
	"\n"
	"  --headless       no pauses, and end at the end; without it the page stays until Ctrl-C\n"
	"  --json           headless, and the figures as one JSON line\n"
	"  --people N       {100000} 100 to 1000000\n"
	"  --api ADDRESS    where the page stands {127.0.0.1:0; port 0 picks one}\n"
	"  --keep FOLDER    use this folder, which must not exist, and leave it there\n"
	"\n"
	"Exit status: 0 the story held; 1 a figure wasn't as it must be, or interrupted; 2 wrong use; 3 own fault.\n",
	run,
};
