/* `weir serve`: runs the gate and everything behind it, until SIGTERM. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "cli/cli.h"
#include "cli/processes.h"
#include "config/config.h"
#include "http/http.h"
#include "supervisor/supervisor.h"

enum { YAML_MAX = 1 << 20 };
enum { OPT_DIR, OPT_GATE, OPT_API };

static const struct opt opts[] = {
	{.name = "--dir", .value = true, .key = OPT_DIR},
	{.name = "--gate", .value = true, .key = OPT_GATE},
	{.name = "--api", .value = true, .key = OPT_API},
};

struct arguments {
	const char *dir, *gate, *api;
};

static int parse(const struct command *self, int argc, char **argv, struct arguments *a)
{
	struct opt_state s;
	int key;
	opt_init(&s, argc, argv);
	while ((key = opt_next(&s, self, opts, sizeof opts / sizeof *opts)) != OPT_END) {
		if (key == OPT_HELP || key == OPT_BAD)
			return key;
		if (key == OPT_OPERAND) {
			cli_wrong(self, "%s: no operand is wanted here", s.value);
			return OPT_BAD;
		}
		*(key == OPT_DIR ? &a->dir : key == OPT_GATE ? &a->gate : &a->api) = s.value;
	}
	return 0;
}

static int read_config(const char *dir, struct config *c, struct err *err)
{
	struct buf text, printed;
	struct diags d;
	char *path = xasprintf("%s/weir.yaml", dir);
	buf_init(&text, 0);
	buf_init(&printed, 0);
	int r = cli_read(path, YAML_MAX, &text, err);
	diags_init(&d, path);
	if (r == 0)
		config_parse((const char *)text.data, text.len, c, &d);
	if (d.n) {
		diags_print(&d, &printed);
		(void)!cli_write_all(2, printed.data, printed.len);
	}
	if (r == 0 && d.errors)
		r = err_set(err, ERR_INPUT, "%zu mistake%s in weir.yaml", d.errors, d.errors == 1 ? "" : "s");
	diags_release(&d);
	buf_release(&printed);
	buf_release(&text);
	free(path);
	return r;
}

static void override(char **setting, const char *given)
{
	if (given) {
		free(*setting);
		*setting = xstrdup(given);
	}
}

static int run_serve(const struct command *self, int argc, char **argv)
{
	struct arguments a = {0};
	struct config c;
	struct err err = {.off = ERR_NOOFF};
	char *dir = NULL;
	int r = parse(self, argc, argv, &a);
	if (r)
		return r == OPT_HELP ? cli_help(self) : EXIT_USE;
	config_defaults(&c);
	r = folder_find(a.dir, &dir, &err);
	if (r == 0)
		r = read_config(dir, &c, &err);
	if (r == 0) {
		override(&c.gate_listen, a.gate);
		override(&c.api_listen, a.api);
		struct supervisor_options o = {.dir = dir, .config = &c, .roles = processes_all(), .listen = http_listen};
		r = supervisor_run(&o, &err);
	}
	config_release(&c);
	free(dir);
	return r == 0 ? EXIT_DONE : cli_fail("serve", &err);
}

const struct command cmd_serve = {
	"serve", "run the gate and what stands behind it",
	"usage: weir serve [--dir FOLDER] [--gate ADDRESS] [--api ADDRESS]\n"
	"\n"
	"  --gate ADDRESS   where SDKs send to, instead of weir.yaml's gate.listen (127.0.0.1:7080; port 0 picks one)\n"
	"  --api ADDRESS    API, metrics and health, instead of api.listen (127.0.0.1:7081)\n"
	"\n"
	"Says `weir: ready gate=URL api=URL` when it serves, and writes run/ready.json.  SIGTERM ends it in order:\n"
	"the gate stops accepting and answers what is under way, then the rest stops.\n"
	"\n"
	"Exit status: 0 stopped when told to; 2 wrong use, another `weir serve` has the folder, a key or address is unusable;\n"
	"3 own fault.\n",
	run_serve,
};
