/* The queues while Weir is stopped: the courier's library, on the folder's files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/keys.h"
#include "courier/courier.h"
#include "steward/office.h"

/* A folder that never ran has none of these yet. */
static int open_dir(const char *dir, const char *name, int *out, struct err *err)
{
	char *path = xasprintf("%s/%s", dir, name);
	*out = mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = *out < 0 ? err_sys(err, "%s", path) : 0;
	free(path);
	return r;
}

static int read_keys(const char *dir, struct shelf_place *p, struct err *err)
{
	int keys;
	if (open_dir(dir, "keys", &keys, err) < 0)
		return -1;
	int r = key_file_read(keys, KEY_SIGNING_PUBLIC, p->plan_public, err);
	if (r == 0)
		r = key_file_read(keys, KEY_COURIER_PUBLIC, p->public, err);
	if (r == 0)
		r = key_file_read(keys, KEY_COURIER_SECRET, p->secret, err);
	close(keys);
	return r;
}

static int open_place(const char *dir, struct shelf_place *p, struct err *err)
{
	int log;
	if (open_dir(dir, "state/log", &log, err) < 0)
		return -1;
	close(log);
	if (open_dir(dir, "state/log/courier", &p->own, err) < 0 || open_dir(dir, "state/queue", &p->queue, err) < 0 ||
	    open_dir(dir, "state/plan", &p->plans, err) < 0)
		return -1;
	return read_keys(dir, p, err);
}

static void close_place(struct shelf_place *p)
{
	int fds[] = {p->own, p->queue, p->plans};
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	crypt_wipe(p, sizeof *p);
}

static int with_shelf(const char *dir, int (*use)(struct shelf *s, void *arg, struct err *err), void *arg, struct err *err)
{
	struct shelf_place p = {.io = &fio_os, .own = -1, .queue = -1, .plans = -1};
	struct shelf *s = NULL;
	int r = open_place(dir, &p, err);
	if (r == 0)
		r = shelf_open(&p, &s, err);
	if (r == 0)
		r = use(s, arg, err);
	shelf_close(&s);
	close_place(&p);
	return r;
}

static int list(struct shelf *s, void *arg, struct err *err)
{
	json_t **out = arg;
	(void)err;
	*out = shelf_queues(s);
	return 0;
}

int office_queues(const char *dir, json_t **queues, struct err *err)
{
	return with_shelf(dir, list, queues, err);
}

static int drop(struct shelf *s, void *arg, struct err *err)
{
	struct decided *x = arg;
	return shelf_drop(s, x->d.vendor, x->d.serial, x->d.from, x->d.to, &x->dropped, err);
}

int office_queue_drop(const char *dir, struct decided *x, struct err *err)
{
	return with_shelf(dir, drop, x, err);
}
