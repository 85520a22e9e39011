/*
 * Every stored file of the ledger against itself, without opening it: all the damage there is, each by file and bytes.
 * What a file can't know of itself (that it is gone, that frames are missing at the end of open/) the transparency log
 * knows: keeper/recheck.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/inside.h"
#include "ledger/verify.h"

enum { FILE_NAME = 96, CLAIMS_STEP = 64 };

struct verify {
	const struct ledger_place *p;
	void (*each)(void *arg, const struct ledger_damage *d);
	void *arg;
	struct ledger_verified *out;
	struct combos combos;
	struct dict_claim *claims;
	size_t claims_n;
	uint64_t copied;	/* the highest frame of the gate's log that was counted */
};

static void damage(struct verify *v, const char *file, uint64_t from, uint64_t to, const char *why)
{
	const struct ledger_damage d = {file, from, to, why};
	v->out->damages++;
	v->each(v->arg, &d);
}

/* ---- names -------------------------------------------------------------------------------------------------------- */

struct names {
	char (*v)[FILE_NAME];
	size_t n;
};

/* A file that a write left behind (.new) isn't part of the ledger. */
static bool note_name(void *arg, const char *name)
{
	struct names *s = arg;
	size_t n = strlen(name);
	if (n >= FILE_NAME || (n > 4 && strcmp(name + n - 4, ".new") == 0))
		return true;
	s->v = xrealloc(s->v, (s->n + 1) * sizeof *s->v);
	memcpy(s->v[s->n++], name, n + 1);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* -1 with errno; a folder that isn't there is empty. */
static int open_sorted(const struct verify *v, const char *folder, int *dir, struct names *s)
{
	const struct fio *io = v->p->io;
	*dir = io->open(io->ctx, v->p->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (*dir < 0)
		return errno == ENOENT ? 0 : -1;
	int r = io->list(io->ctx, *dir, note_name, s);
	if (s->n)
		qsort(s->v, s->n, sizeof *s->v, by_name);
	return r;
}

static int slurp(const struct fio *io, int dir, const char *name, struct buf *b)
{
	struct fio_stat st;
	int fd = io->open(io->ctx, dir, name, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	int r = io->stat(io->ctx, fd, &st) == 0 && buf_reserve(b, (size_t)st.size) ? 0 : -1;
	ssize_t n = r == 0 ? fio_read_all(io, fd, b->data, (size_t)st.size, 0) : -1;
	io->close(io->ctx, fd);
	b->len = n > 0 ? (size_t)n : 0;
	return n < 0 ? -1 : 0;
}

/* ---- days --------------------------------------------------------------------------------------------------------- */

/* The head's checksum is over all of it: nothing closer can be said. */
static bool head_good(const uint8_t *p, size_t n, size_t *containers)
{
	if (n < DAY_HEAD)
		return false;
	size_t meta = get_u32(p + 32);
	*containers = meta <= n - DAY_HEAD ? DAY_HEAD + meta : n;
	return meta <= n - DAY_HEAD && crc32c(crc32c(0, p, 92), p + DAY_HEAD, meta) == get_u32(p + 92);
}

static void name_containers(struct verify *v, const char *file, const uint8_t *p, size_t n, size_t at)
{
	size_t before = v->out->damages, i = 0, size;
	uint32_t want = get_u32(p + 28);
	for (; at < n && i < want; i++, at += size) {
		struct container c;
		const char *why;
		char text[96];
		size = 0;
		if (container_read(p + at, n - at, &c, &size, &why) == 0)
			continue;
		snprintf(text, sizeof text, "container %zu of %u: %.40s", i, want, why);
		damage(v, file, at, size ? at + size : n, text);
		if (!size)
			return;	/* where the next begins isn't known */
	}
	if (i < want)
		damage(v, file, n, UINT64_MAX, "cut off");
	else if (at < n)
		damage(v, file, at, n, "something follows the last container");
	else if (v->out->damages == before)	/* whole parts that don't belong together */
		damage(v, file, 0, n, "its parts are whole, and aren't those that it was closed with");
}

static void verify_day(struct verify *v, int dir, const char *name)
{
	struct buf b;
	struct part part;
	struct err err;
	char file[FILE_NAME + 32];
	size_t containers = 0;
	snprintf(file, sizeof file, "state/ledger/day/%s", name);
	buf_init(&b, 0);
	if (slurp(v->p->io, dir, name, &b) < 0) {
		damage(v, file, 0, UINT64_MAX, "it can't be read");
		buf_release(&b);
		return;
	}
	uint8_t *copy = xmalloc(b.len + 1);	/* taken over by day_read */
	if (b.len)
		memcpy(copy, b.data, b.len);
	v->out->days++;
	if (day_read(copy, b.len, &v->combos, &part, &err) == 0) {
		v->claims = v->claims_n % CLAIMS_STEP ? v->claims : xrealloc(v->claims, (v->claims_n + CLAIMS_STEP) * sizeof *v->claims);
		v->claims[v->claims_n++] = (struct dict_claim){.n = part.dict_n, .crc = part.dict_crc};
		v->out->containers += part.containers_n;
		if (part.sources.n && part.sources.v[part.sources.n - 1].to > v->copied)
			v->copied = part.sources.v[part.sources.n - 1].to;
		part_release(&part);
	} else if (!head_good(b.data, b.len, &containers)) {
		damage(v, file, 0, containers ? containers : b.len, "its head's checksum doesn't fit");
	} else if (get_u32(b.data + 8) > DAY_VERSION) {
		damage(v, file, 8, 12, err.msg);
	} else {
		name_containers(v, file, b.data, b.len, containers);
	}
	buf_release(&b);
}

/* ---- roll-ups ------------------------------------------------------------------------------------------------------ */

static void verify_rollup(struct verify *v, const char *folder, int dir, const char *name)
{
	struct buf b;
	char file[FILE_NAME + 32];
	uint64_t bytes[2];
	snprintf(file, sizeof file, "state/ledger/%s/%s", folder, name);
	buf_init(&b, 0);
	const char *why = slurp(v->p->io, dir, name, &b) < 0 ? "it can't be read" : rollup_damage(b.data, b.len, bytes);
	if (why && b.len == 0)
		damage(v, file, 0, UINT64_MAX, why);
	else if (why)
		damage(v, file, bytes[0], bytes[1], why);
	buf_release(&b);
}

/* Derived, and made again by Weir or by `weir ledger rebuild`: named all the same. */
static int verify_rollups(struct verify *v, const char *folder, struct err *err)
{
	struct names s = {0};
	int dir, r = open_sorted(v, folder, &dir, &s) < 0 ? err_sys(err, "state/ledger/%s", folder) : 0;
	for (size_t i = 0; i < s.n && r == 0; i++)
		verify_rollup(v, folder, dir, s.v[i]);
	if (dir >= 0)
		v->p->io->close(v->p->io->ctx, dir);
	free(s.v);
	return r;
}

/* ---- dictionary --------------------------------------------------------------------------------------------------- */

static int by_claim(const void *a, const void *b)
{
	const struct dict_claim *x = a, *y = b;
	return x->n < y->n ? -1 : x->n > y->n;
}

/* Each stretch between two days' claims has a checksum of its own: it starts where the day before says that it stood. */
static void verify_keys(struct verify *v, const uint8_t *p, size_t n)
{
	static const char file[] = "state/ledger/dict/keys";
	uint32_t at = 0, crc = 0;
	for (size_t i = 0; i < v->claims_n; i++) {
		const struct dict_claim *c = &v->claims[i];
		size_t from = (size_t)at * SUBJECT_BYTES, to = (size_t)c->n * SUBJECT_BYTES;
		if (to > n) {
			damage(v, file, n, to, "cut off: days name subjects that it doesn't hold");
			return;
		}
		if (crc32c(crc, p + from, to - from) != c->crc)
			damage(v, file, from, to, "not the subjects that were in it when a day was closed");
		at = c->n;
		crc = c->crc;
	}
	v->out->subjects = at;
}

static void verify_dict(struct verify *v)
{
	const struct fio *io = v->p->io;
	struct buf b;
	if (v->claims_n == 0)
		return;
	qsort(v->claims, v->claims_n, sizeof *v->claims, by_claim);
	buf_init(&b, 0);
	int dir = io->open(io->ctx, v->p->dir, "dict", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir >= 0)
		(void)!slurp(io, dir, "keys", &b);
	verify_keys(v, b.len ? b.data : (const uint8_t *)"", b.len);
	if (dir >= 0)
		io->close(io->ctx, dir);
	buf_release(&b);
}

static void note_damage(void *arg, const struct ledger_damage *d)
{
	struct verify *v = arg;
	damage(v, d->file, d->from, d->to, d->why);
}

/* What a frame of open/ is a copy of. */
static void note_copied(void *arg, const struct frame *f)
{
	struct verify *v = arg;
	bool copy = (f->type == LOG_EXPOSURE || f->type == LOG_LINK) && f->len >= 8;
	if (copy && get_u64(f->body) > v->copied)
		v->copied = get_u64(f->body);
	v->out->frames++;
}

static int verify_open(struct verify *v, uint64_t must, struct err *err)
{
	const struct fio *io = v->p->io;
	struct verify_log l = {.io = io, .name = "state/ledger/open", .must = must, .each = note_damage, .frame = note_copied, .arg = v};
	int dir = io->open(io->ctx, v->p->dir, "open", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(err, "state/ledger/open");
	l.dir = dir;
	int r = verify_log(&l, &v->out->torn_bytes, err);
	io->close(io->ctx, dir);
	return r;
}

int ledger_verify(const struct ledger_place *p, uint64_t must, void (*each)(void *arg, const struct ledger_damage *d), void *arg,
		  struct ledger_verified *out, struct err *err)
{
	struct verify v = {.p = p, .each = each, .arg = arg, .out = out};
	struct names days = {0};
	int dir = -1;
	*out = (struct ledger_verified){0};
	int r = open_sorted(&v, "day", &dir, &days) < 0 ? err_sys(err, "state/ledger/day") : 0;
	for (size_t i = 0; i < days.n && r == 0; i++)
		verify_day(&v, dir, days.v[i]);
	if (r == 0)
		verify_dict(&v);
	if (r == 0)
		r = verify_rollups(&v, "month", err);
	if (r == 0)
		r = verify_rollups(&v, "total", err);
	if (r == 0)
		r = verify_open(&v, must, err);
	out->copied = v.copied;
	if (dir >= 0)
		p->io->close(p->io->ctx, dir);
	free(days.v);
	free(v.claims);
	combos_release(&v.combos);
	return r;
}
