/* The table of commands. */
#include <stdio.h>
#include <string.h>

#include "base/fio.h"
#include "base/diag.h"
#include "base/say.h"
#include "cli/cli.h"
#include "cli/processes.h"
#include "config/config.h"

static const struct command *const commands[] = {
#define X(n) &cmd_##n,
	COMMANDS(X)
#undef X
};
enum { COUNT = sizeof commands / sizeof *commands };

/* In the order of cli.h's list: a title stands before its first command. */
static const struct {
	const struct command *first;
	const char *title;
} chapters[] = {
	{&cmd_demo, "A first look"}, {&cmd_init, "Let data flow, minimised"}, {&cmd_assess, "Know a vendor before and while data flows"},
	{&cmd_blast, "Whose data went where"}, {&cmd_incident, "When a vendor is breached"}, {&cmd_user, "The rest"},
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int unknown(const char *name)
{
	const char *names[COUNT];
	for (size_t i = 0; i < COUNT; i++)
		names[i] = commands[i]->name;
	const char *near = diag_nearest(name, strlen(name), names, COUNT);
	fprintf(stderr, "weir: %s: no such command%s%s%s; `weir help` lists them\n", name, near ? "; did you mean " : "",
		near ? near : "", near ? "?" : "");
	return EXIT_USE;
}

static int run_help(const struct command *self, int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return cli_help(self);
	if (argc > 1 && strcmp(argv[1], "weir.yaml") == 0) {
		struct buf b;
		buf_init(&b, 0);
		config_help(&b);
		printf("weir.yaml: settings, {default; range}\n\n%s", (char *)b.data);
		buf_release(&b);
		return EXIT_DONE;
	}
	if (argc > 1) {
		const struct command *c = find(argv[1]);
		return c ? cli_help(c) : unknown(argv[1]);
	}
	puts("weir lets through to each vendor only what its contract names, and remembers what went.\n\n"
	     "usage: weir COMMAND [ARGUMENTS] [--dir FOLDER] [--json]\n");
	for (size_t i = 0, c = 0; i < COUNT; i++) {
		if (c < sizeof chapters / sizeof *chapters && commands[i] == chapters[c].first)
			printf("%s%s\n", c ? "\n" : "", chapters[c].title), c++;
		printf("  %-10s %s\n", commands[i]->name, commands[i]->brief);
	}
	puts("\n`weir help COMMAND` explains one; `weir help weir.yaml` the settings.");
	return EXIT_DONE;
}

const struct command cmd_help = {"help", "explain a command", "usage: weir help [COMMAND | weir.yaml]\n", run_help};

static int run_version(const struct command *self, int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return cli_help(self);
	if (argc > 1)
		return cli_wrong(self, "%s: takes no argument", argv[1]);
	puts("weir " WEIR_VERSION);
	return EXIT_DONE;
}

const struct command cmd_version = {"version", "print the version", "usage: weir version\n", run_version};

int main(int argc, char **argv)
{
	fio_guard();
	if (argc < 2) {
		run_help(&cmd_help, 1, argv);
		return EXIT_USE;
	}
	if (argc == 3 && strcmp(argv[1], "--child") == 0)
		process_main(argv[2]);
	const char *name = argv[1];
	if (strcmp(name, "--version") == 0)
		name = "version";
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "serve") != 0)
		say_least(SAY_WARN);
	const struct command *c = find(name);
	return c ? c->run(c, argc - 1, argv + 1) : unknown(name);
}
