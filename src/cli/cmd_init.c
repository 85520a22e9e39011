/* `weir init DIR`: a folder with fresh keys, settings to read, and a contract to start from. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fio.h"
#include "cli/cli.h"
#include "cli/embed.h"
#include "config/keys.h"
#include "crypt/crypt.h"

/* keys and state are the owner's alone; run lets its group reach the control socket. */
static const struct {
	const char *path;
	mode_t mode;
} folders[] = {
	{"contracts", 0755},	    {"detectors", 0755},       {"keys", 0700},	       {"state", 0700},		   {"state/log", 0700},
	{"state/log/gate", 0700},   {"state/log/courier", 0700}, {"state/queue", 0700},	   {"state/dead", 0700},
	{"state/ledger", 0700},	    {"state/ledger/dict", 0700}, {"state/ledger/open", 0700}, {"state/ledger/day", 0700},
	{"state/ledger/month", 0700}, {"state/ledger/total", 0700}, {"state/tlog", 0700},	   {"state/plan", 0700},
	{"run", 0710},
};

static int make_folders(int dir, struct err *err)
{
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		if (mkdirat(dir, folders[i].path, folders[i].mode) < 0)
			return errno == EEXIST ? err_set(err, ERR_CONFLICT, "%s exists already", folders[i].path)
					       : err_sys(err, "%s", folders[i].path);
		if (fchmodat(dir, folders[i].path, folders[i].mode, 0) < 0)	/* whatever the umask is */
			return err_sys(err, "%s", folders[i].path);
	}
	return 0;
}

static int make_keys(int dir, struct err *err)
{
	uint8_t keys[KEY_NAMES][KEY_FILE_BYTES_MAX];
	int fd = openat(dir, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "keys");
	crypt_random(keys[KEY_VENDOR_ROOT], KEY_BYTES);
	crypt_random(keys[KEY_SUBJECT], KEY_BYTES);
	seal_keypair(keys[KEY_COURIER_PUBLIC], keys[KEY_COURIER_SECRET]);
	sign_keypair(keys[KEY_SIGNING_PUBLIC], keys[KEY_SIGNING_SECRET]);
	int r = 0;
	for (int k = 0; k < KEY_NAMES && r == 0; k++)
		r = key_file_write(fd, (enum key_name)k, keys[k], err);
	crypt_wipe(keys, sizeof keys);
	close(fd);
	return r;
}

static int put(int dir, const char *path, const struct embedded *e, struct err *err)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, "%s", path);
	int r = fio_write_all(&fio_os, fd, e->at, e->len, 0) < 0 ? err_sys(err, "%s", path) : 0;
	close(fd);
	return r;
}

/* It is no X.yaml: one that no contract names is warned of. */
#define EXAMPLE "detectors/customers.yaml.example"

/* starter/X.yaml becomes contracts/X.yaml; weir.yaml comes last, since it makes the folder a Weir folder. */
static int put_files(int dir, json_t *contracts, struct err *err)
{
	for (const struct embedded *e = embedded_files; e->name; e++) {
		char path[128];
		if (strncmp(e->name, "starter/", 8) != 0)
			continue;
		snprintf(path, sizeof path, "contracts/%s", e->name + 8);
		if (put(dir, path, e, err) < 0)
			return -1;
		json_array_append_new(contracts, json_string(path));
	}
	for (const struct embedded *e = embedded_files; e->name; e++)
		if (strcmp(e->name, "detectors.example") == 0 && put(dir, EXAMPLE, e, err) < 0)
			return -1;
	for (const struct embedded *e = embedded_files; e->name; e++)
		if (strcmp(e->name, "weir.yaml") == 0)
			return put(dir, e->name, e, err);
	return err_set(err, ERR_BUG, "weir.yaml is not in the program");
}

static bool any_name(void *arg, const char *name)
{
	snprintf(arg, 64, "%s", name);
	return false;
}

/* A new folder, or one that exists and is empty. */
static int open_new(const char *path, int *dir, struct err *err)
{
	char there[64] = "";
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys(err, "%s", path);
	*dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*dir < 0)
		return err_sys(err, "%s", path);
	if (faccessat(*dir, "weir.yaml", F_OK, 0) == 0)
		return err_set(err, ERR_CONFLICT, "%s is a Weir folder already", path);
	if (fio_os.list(NULL, *dir, any_name, there) < 0)
		return err_sys(err, "%s", path);
	return there[0] ? err_set(err, ERR_CONFLICT, "%s isn't empty (it holds %s)", path, there) : 0;
}

static int make(const char *path, json_t *contracts, struct err *err)
{
	int dir = -1;
	if (crypt_init(err) < 0)
		return -1;
	int r = open_new(path, &dir, err);
	if (r == 0)
		r = make_folders(dir, err);
	if (r == 0)
		r = make_keys(dir, err);
	if (r == 0)
		r = put_files(dir, contracts, err);
	if (r == 0 && syncfs(dir) < 0)
		r = err_sys(err, "%s", path);
	if (dir >= 0)
		close(dir);
	return r;
}

static void tell(const char *path, const json_t *contracts)
{
	printf("made %s with fresh keys\n", path);
	printf("  keys/subject.key is the ledger's own key and never rotates: keep a copy of keys/ in a safe place\n");
	if (json_array_size(contracts))
		printf("next: read %s/%s, then\n", path, json_string_value(json_array_get(contracts, 0)));
	else
		printf("next: write %s/contracts/VENDOR.yaml, then\n", path);
	printf("  weir apply --dir %s\n  weir approve VENDOR@VERSION --why TEXT --dir %s\n  weir serve --dir %s\n", path, path, path);
}

static int run(const struct command *self, int argc, char **argv)
{
	enum { JSON };
	static const struct opt opts[] = {{"--json", 0, false, JSON}};
	const char *path = NULL;
	bool json = false;
	struct opt_state s;
	opt_init(&s, argc, argv);
	for (int k; (k = opt_next(&s, self, opts, 1)) != OPT_END;) {
		if (k == OPT_HELP)
			return cli_help(self);
		if (k == OPT_BAD)
			return EXIT_USE;
		if (k == JSON)
			json = true;
		else if (path)
			return cli_wrong(self, "one folder at a time");
		else
			path = s.value;
	}
	if (!path)
		return cli_wrong(self, "which folder?");
	struct err err;
	json_t *contracts = json_array();
	int r = make(path, contracts, &err) < 0 ? cli_fail("init", &err) : EXIT_DONE;
	if (r == EXIT_DONE && json) {
		json_t *j = json_pack("{s:s, s:O}", "dir", path, "contracts", contracts);
		json_dumpf(j, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(j);
	} else if (r == EXIT_DONE) {
		tell(path, contracts);
	}
	json_decref(contracts);
	return r;
}

const struct command cmd_init = {
	"init", "make a folder with fresh keys and a contract to start from",
	"usage: weir init DIR [--json]\n"
	"\n"
	"Makes DIR (new, or empty): weir.yaml with every setting commented, contracts/ with a starter\n"
	"contract for each vendor Weir knows, detectors/ with an example of detectors of your own, keys/ with fresh keys\n"
	"(mode 0600), state/ and run/.  Nothing flows until a contract is applied and approved.\n"
	"\n"
	"Exit status: 0 made; 2 DIR is a Weir folder already, isn't empty, or can't be made.\n",
	run};
