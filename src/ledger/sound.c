/*
 * Files that go bad while they are mapped: pages that can't be read (base/view.c turns them to zeros), and files that are
 * shorter than they were.  What was read of them is thrown away.
 */
#include <fcntl.h>
#include <string.h>

#include "ledger/inside.h"

static int cannot(struct ledger *l, struct err *err, const char *file)
{
	err_set(err, ERR_CORRUPT, "%s can't be read: it was cut off, or its disk fails", file);
	l->damage = *err;
	return -1;
}

static int day_cannot(struct ledger *l, const struct part *p, struct err *err)
{
	char name[DAY_NAME], file[DAY_NAME + 24];
	ledger_day_name(p->day, p->generation, name);
	snprintf(file, sizeof file, "state/ledger/day/%s", name);
	return cannot(l, err, file);
}

int ledger_sound(struct ledger *l, struct err *err)
{
	int dropped = 0;
	if (fio_faults() == l->faults)
		return 0;
	l->faults = fio_faults();
	blast_free(&l->last);
	if (fio_faulted(&l->dict.file))
		return cannot(l, err, "state/ledger/dict/keys");
	for (size_t i = 0; i < l->parts_n; i++)
		if (fio_faulted(&l->parts[i]->view))
			return day_cannot(l, l->parts[i], err);
	for (size_t i = l->rollups_n; i-- > 0;)
		if (fio_faulted(&l->rollups[i]->file)) {
			rollup_drop(l, l->rollups[i]);
			dropped = 1;
		}
	return dropped;
}

bool ledger_faulted(const struct ledger *l)
{
	return l->damage.code || fio_faults() != l->faults;
}

/* 0: as long as when it was mapped. */
static int look_at(const struct ledger *l, int dir, const char *name, uint64_t size)
{
	const struct fio *io = l->place.io;
	struct fio_stat st;
	int fd = io->open(io->ctx, dir, name, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;	/* gone: what is mapped isn't */
	int r = io->stat(io->ctx, fd, &st) == 0 && st.size < size ? -1 : 0;
	io->close(io->ctx, fd);
	return r;
}

int ledger_look_at_one(struct ledger *l, struct err *err)
{
	char name[DAY_NAME];
	if (l->looked_at >= l->parts_n) {
		l->looked_at = 0;
		bool good = look_at(l, l->dict_dir, "keys", l->dict.file.n) == 0;
		return good ? 0 : cannot(l, err, "state/ledger/dict/keys");
	}
	struct part *p = l->parts[l->looked_at++];
	if (p->generation == 0)
		return 0;
	ledger_day_name(p->day, p->generation, name);
	return look_at(l, l->day_dir, name, p->view.n) == 0 ? 0 : day_cannot(l, p, err);
}
