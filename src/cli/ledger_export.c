#include "cli/ledger_export.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/embed.h"
#include "config/config.h"
#include "config/keys.h"
#include "crypt/crypt.h"
#include "ledger/ledger.h"
#include "supervisor/supervisor.h"

enum { TRIES = 20 };

/* ---- the ledger, from its files ------------------------------------------------------------------------------------------ */

struct origin {
	struct ledger_place place;
	int folder, lock;
	struct ledger *l;
};

static void origin_close(struct origin *s)
{
	int fds[] = {s->place.dir, s->place.plans, s->folder, s->lock};
	ledger_close(&s->l);
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int open_in(int at, const char *name, int *out, struct err *err)
{
	*out = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out < 0 ? err_sys(err, "%s", name) : 0;
}

/* Which closed days there are, and which files they are: changes when one is written. */
static uint64_t days_mark(int ledger)
{
	uint64_t mark = 0;
	struct stat st;
	int fd = openat(ledger, "day", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	for (const struct dirent *e; d && (e = readdir(d));)
		if (fstatat(fd, e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			mark += ((uint64_t)st.st_ino * 31 + (uint64_t)st.st_size) * UINT64_C(0x9e3779b97f4a7c15);
	if (d)
		closedir(d);
	return mark;
}

/*
 * While Weir runs, a day may be closed between the look into day/ and that into open/, and would be in neither: then again.
 * What the gate recorded last is with the keeper within a moment; while Weir stands still it is read here.
 */
static int open_ledger(struct origin *s, struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		uint64_t before = days_mark(s->place.dir);
		ledger_close(&s->l);
		if (ledger_open(&s->place, NULL, &s->l, err) < 0)
			return -1;
		if (days_mark(s->place.dir) == before)
			break;
	}
	int gate = s->lock < 0 ? -1 : openat(s->folder, "state/log/gate", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (gate < 0)
		return s->lock < 0 || errno == ENOENT ? 0 : err_sys(err, "state/log/gate");
	int r = ledger_add_gate(s->l, gate, err);
	close(gate);
	return r;
}

/* Held while it stands still.  -1 without an error: Weir runs. */
static int lock(const char *dir, int *fd, struct err *err)
{
	if (folder_lock(dir, fd, err) == 0)
		return 0;
	*fd = -1;
	return err->code == ERR_CONFLICT ? 0 : -1;
}

static int open_all(const char *dir, struct origin *s, int *keys, struct err *err)
{
	if (lock(dir, &s->lock, err) < 0 || open_in(AT_FDCWD, dir, &s->folder, err) < 0 || open_in(s->folder, "keys", keys, err) < 0 ||
	    key_file_read(*keys, KEY_SIGNING_PUBLIC, s->place.public_key, err) < 0 ||
	    open_in(s->folder, "state/ledger", &s->place.dir, err) < 0 || open_in(s->folder, "state/plan", &s->place.plans, err) < 0)
		return -1;
	return open_ledger(s, err);
}

static int origin_open(const char *given, struct origin *s, struct err *err)
{
	char *dir = NULL;
	int keys = -1;
	*s = (struct origin){.place = {.io = &fio_os, .dir = -1, .plans = -1}, .folder = -1, .lock = -1};
	int r = crypt_init(err) < 0 || folder_find(given, &dir, err) < 0 ? -1 : 0;
	if (r == 0)
		r = open_all(dir, s, &keys, err);
	if (keys >= 0)
		close(keys);
	free(dir);
	return r;
}

/* ---- ClickHouse ------------------------------------------------------------------------------------------------------------- */

static const char data_suffix[] = ".rowbinary", schema[] = "schema.sql", load[] = "load.sql", views[] = "clickhouse/views.sql";

struct target {
	int dir;
	int fd[LEDGER_TABLES];
};

static int create(int dir, const char *name, struct err *err)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(err, "%s", name) : fd;
}

static int put_table(void *arg, enum ledger_table t, const void *p, size_t n, struct err *err)
{
	const struct target *to = arg;
	return cli_write_all(to->fd[t], p, n) < 0 ? err_sys(err, "%s%s", ledger_tables[t].name, data_suffix) : 0;
}

static int put_text(int dir, const char *name, const struct buf *text, struct err *err)
{
	int fd = create(dir, name, err);
	if (fd < 0)
		return -1;
	bool good = cli_write_all(fd, text->data, text->len) == 0;
	good = close(fd) == 0 && good;
	return good ? 0 : err_sys(err, "%s", name);
}

static int put_sql(int dir, struct err *err)
{
	struct buf tables, rows;
	const struct embedded *e = embedded_files;
	buf_init(&tables, 0);
	buf_init(&rows, 0);
	for (size_t i = 0; i < LEDGER_TABLES; i++) {
		const struct ledger_table_info *t = &ledger_tables[i];
		buf_addf(&tables, "CREATE TABLE %s (%s) ENGINE = %s;\n", t->name, t->columns, t->engine);
		buf_addf(&rows, "INSERT INTO %s FROM INFILE '%s%s' FORMAT RowBinary;\n", t->name, t->name, data_suffix);
	}
	while (strcmp(e->name, views) != 0)
		e++;
	buf_addc(&tables, '\n');
	buf_add(&tables, e->at, e->len);
	int r = put_text(dir, schema, &tables, err);
	if (r == 0)
		r = put_text(dir, load, &rows, err);
	buf_release(&tables);
	buf_release(&rows);
	return r;
}

static int fill(struct origin *s, struct target *to, struct err *err)
{
	const struct ledger_sink sink = {put_table, to};
	char name[64];
	for (size_t i = 0; i < LEDGER_TABLES; i++) {
		snprintf(name, sizeof name, "%s%s", ledger_tables[i].name, data_suffix);
		if ((to->fd[i] = create(to->dir, name, err)) < 0)
			return -1;
	}
	if (ledger_export_clickhouse(s->l, &sink, err) < 0)
		return -1;
	return put_sql(to->dir, err);
}

/* What this command made, and nothing else. */
static void take_away(int dir, const char *folder)
{
	char name[64];
	for (size_t i = 0; i < LEDGER_TABLES; i++) {
		snprintf(name, sizeof name, "%s%s", ledger_tables[i].name, data_suffix);
		unlinkat(dir, name, 0);
	}
	unlinkat(dir, schema, 0);
	unlinkat(dir, load, 0);
	rmdir(folder);
}

static int make_folder(struct origin *s, const char *folder, struct err *err)
{
	struct target to = {.dir = -1};
	for (size_t i = 0; i < LEDGER_TABLES; i++)
		to.fd[i] = -1;
	if (mkdir(folder, 0700) < 0)
		return errno == EEXIST ? err_set(err, ERR_INPUT, "%s is there already", folder) : err_sys(err, "%s", folder);
	int r = open_in(AT_FDCWD, folder, &to.dir, err);
	if (r == 0)
		r = fill(s, &to, err);
	for (size_t i = 0; i < LEDGER_TABLES; i++)
		if (to.fd[i] >= 0 && close(to.fd[i]) < 0 && r == 0)
			r = err_sys(err, "%s%s", ledger_tables[i].name, data_suffix);
	if (r < 0)
		take_away(to.dir, folder);
	if (to.dir >= 0)
		close(to.dir);
	return r;
}

int ledger_export_to_clickhouse(const char *dir, const char *folder, struct err *err)
{
	struct origin s;
	int r = origin_open(dir, &s, err);
	if (r == 0)
		r = make_folder(&s, folder, err);
	origin_close(&s);
	return r;
}

/* ---- lines -------------------------------------------------------------------------------------------------------------------- */

static int put_lines(void *arg, enum ledger_table t, const void *p, size_t n, struct err *err)
{
	const int *fd = arg;
	(void)t;
	return cli_write_all(*fd, p, n) < 0 ? err_sys(err, "can't write") : 0;
}

static int write_lines(struct origin *s, const char *file, struct err *err)
{
	bool standard = strcmp(file, "-") == 0;
	int fd = standard ? STDOUT_FILENO : open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const struct ledger_sink sink = {put_lines, &fd};
	if (fd < 0)
		return err_sys(err, "%s", file);
	int r = ledger_export_lines(s->l, &sink, err);
	if (!standard && close(fd) < 0 && r == 0)
		r = err_sys(err, "%s", file);
	if (!standard && r < 0)
		unlink(file);
	return r;
}

int ledger_export_to_lines(const char *dir, const char *file, struct err *err)
{
	struct origin s;
	int r = origin_open(dir, &s, err);
	if (r == 0)
		r = write_lines(&s, file, err);
	origin_close(&s);
	return r;
}
