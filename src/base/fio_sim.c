#include "base/fio_sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum { SECTOR = 512, NAME = 64, FD_BASE = 1000, NONE = -1 };

enum op_kind { OP_WRITE, OP_RESIZE, OP_PUNCH, OP_LINK, OP_UNLINK, OP_RENAME };

struct op {	/* a change that waits for a sync */
	enum op_kind kind;
	uint64_t off, len;
	uint8_t *data;
	int node;
	char name[NAME], to[NAME];
};

struct bytes {
	uint8_t *v;
	size_t n, cap;
};

struct entry {
	char name[NAME];
	int node;
};

struct entries {
	struct entry *v;
	size_t n, cap;
};

struct node {
	bool is_dir;
	struct bytes live, stable;
	struct entries names, stable_names;
	struct op *ops;
	size_t ops_n, ops_cap;
};

struct fio_sim {
	struct fio io;
	uint64_t random, calls, capacity;
	bool dead;
	struct fio_sim_faults faults;
	struct node *nodes;
	size_t nodes_n, nodes_cap;
	int *fds;	/* node, or NONE */
	size_t fds_n;
};

uint64_t fio_sim_random(struct fio_sim *s)
{
	/* SplitMix64 (Steele, Lea, Flood 2014) */
	uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool coin(struct fio_sim *s)
{
	return fio_sim_random(s) & 1;
}

/* ---- bytes and names ------------------------------------------------------------------------------------------ */

static void bytes_resize(struct bytes *b, size_t n)
{
	if (n > b->cap) {
		b->cap = n * 2;
		b->v = xrealloc(b->v, b->cap);
	}
	if (n > b->n)
		memset(b->v + b->n, 0, n - b->n);
	b->n = n;
}

static void bytes_write(struct bytes *b, const uint8_t *p, size_t n, uint64_t off)
{
	if (off + n > b->n)
		bytes_resize(b, (size_t)off + n);
	if (n == 0)
		return;
	if (p)
		memcpy(b->v + off, p, n);
	else
		memset(b->v + off, 0, n);
}

static void bytes_copy(struct bytes *to, const struct bytes *from)
{
	bytes_resize(to, from->n);
	if (from->n)
		memcpy(to->v, from->v, from->n);
}

static struct entry *entry_find(const struct entries *e, const char *name)
{
	for (size_t i = 0; i < e->n; i++)
		if (strcmp(e->v[i].name, name) == 0)
			return &e->v[i];
	return NULL;
}

static void entry_remove(struct entries *e, const char *name)
{
	struct entry *at = entry_find(e, name);
	if (at)
		*at = e->v[--e->n];
}

static void entry_set(struct entries *e, const char *name, int node)
{
	entry_remove(e, name);
	if (e->n == e->cap) {
		e->cap = e->cap ? e->cap * 2 : 8;
		e->v = xrealloc(e->v, e->cap * sizeof *e->v);
	}
	snprintf(e->v[e->n].name, NAME, "%s", name);
	e->v[e->n++].node = node;
}

static void entries_copy(struct entries *to, const struct entries *from)
{
	to->n = 0;
	for (size_t i = 0; i < from->n; i++)
		entry_set(to, from->v[i].name, from->v[i].node);
}

static int node_new(struct fio_sim *s, bool is_dir)
{
	if (s->nodes_n == s->nodes_cap) {
		s->nodes_cap = s->nodes_cap ? s->nodes_cap * 2 : 16;
		s->nodes = xrealloc(s->nodes, s->nodes_cap * sizeof *s->nodes);
	}
	s->nodes[s->nodes_n] = (struct node){.is_dir = is_dir};
	return (int)s->nodes_n++;
}

static struct op *op_add(struct node *n, enum op_kind kind)
{
	if (n->ops_n == n->ops_cap) {
		n->ops_cap = n->ops_cap ? n->ops_cap * 2 : 8;
		n->ops = xrealloc(n->ops, n->ops_cap * sizeof *n->ops);
	}
	n->ops[n->ops_n] = (struct op){.kind = kind};
	return &n->ops[n->ops_n++];
}

static void ops_clear(struct node *n)
{
	for (size_t i = 0; i < n->ops_n; i++)
		free(n->ops[i].data);
	n->ops_n = 0;
}

/* ---- what a sync or a cut makes stable ------------------------------------------------------------------------ */

static void apply_names(struct entries *e, const struct op *op)
{
	if (op->kind == OP_LINK)
		entry_set(e, op->name, op->node);
	if (op->kind == OP_UNLINK)
		entry_remove(e, op->name);
	if (op->kind == OP_RENAME) {
		entry_remove(e, op->name);
		entry_set(e, op->to, op->node);
	}
}

/* A write in pieces that end at multiples of 512: each may be there; the length may be there without them. */
static void apply_torn(struct fio_sim *s, struct bytes *b, const struct op *op)
{
	if (op->kind == OP_RESIZE) {
		if (coin(s))
			bytes_resize(b, (size_t)op->len);
		return;
	}
	for (uint64_t at = 0; at < op->len;) {
		uint64_t k = SECTOR - (op->off + at) % SECTOR;
		if (k > op->len - at)
			k = op->len - at;
		bool inside = op->kind == OP_WRITE || op->off + at + k <= b->n;
		if (inside && coin(s))
			bytes_write(b, op->data ? op->data + at : NULL, (size_t)k, op->off + at);
		at += k;
	}
	if (op->kind == OP_WRITE && op->off + op->len > b->n && coin(s))
		bytes_resize(b, (size_t)(op->off + op->len));
}

static void apply_bytes(struct bytes *b, const struct op *op)
{
	if (op->kind == OP_RESIZE) {
		bytes_resize(b, (size_t)op->len);
		return;
	}
	uint64_t len = op->len;
	if (op->kind == OP_PUNCH)
		len = op->off >= b->n ? 0 : op->off + len > b->n ? b->n - op->off : len;
	if (len)
		bytes_write(b, op->data, (size_t)len, op->off);
}

enum keep { KEEP_NOTHING, KEEP_ALL, KEEP_PREFIX, KEEP_SUBSET, KEEP_TORN, KEEP_KINDS };

/* Makes a part of the waiting changes stable and forgets the rest. */
static void settle(struct fio_sim *s, struct node *n, enum keep keep)
{
	size_t prefix = n->ops_n ? fio_sim_random(s) % (n->ops_n + 1) : 0;
	for (size_t i = 0; i < n->ops_n; i++) {
		const struct op *op = &n->ops[i];
		bool whole = keep == KEEP_ALL || (keep == KEEP_PREFIX && i < prefix) ||
			     ((keep == KEEP_SUBSET || (keep == KEEP_TORN && n->is_dir)) && coin(s));
		if (whole && n->is_dir)
			apply_names(&n->stable_names, op);
		else if (whole)
			apply_bytes(&n->stable, op);
		else if (!n->is_dir && (keep == KEEP_TORN || (keep == KEEP_PREFIX && i == prefix)))
			apply_torn(s, &n->stable, op);
	}
	ops_clear(n);
}

void fio_sim_kill(struct fio_sim *s)
{
	for (size_t i = 0; i < s->fds_n; i++)
		if (i > 0)
			s->fds[i] = NONE;
	bool lose_file = s->faults.lose_file_sync, lose_dir = s->faults.lose_dir_sync;
	s->faults = (struct fio_sim_faults){.lose_file_sync = lose_file, .lose_dir_sync = lose_dir};
	s->dead = false;
	s->calls = 0;
}

void fio_sim_power_cut(struct fio_sim *s)
{
	for (size_t i = 0; i < s->nodes_n; i++) {
		struct node *n = &s->nodes[i];
		settle(s, n, (enum keep)(fio_sim_random(s) % KEEP_KINDS));
		bytes_copy(&n->live, &n->stable);
		entries_copy(&n->names, &n->stable_names);
	}
	fio_sim_kill(s);
}

/* ---- calls ---------------------------------------------------------------------------------------------------- */

enum fate { FATE_DO, FATE_FAIL, FATE_DO_AND_DIE };

static enum fate fate(struct fio_sim *s, bool reads)
{
	if (s->dead) {
		errno = EIO;
		return FATE_FAIL;
	}
	uint64_t n = ++s->calls;
	const struct fio_sim_faults *f = &s->faults;
	if (f->crash_at && n >= f->crash_at) {
		s->dead = true;
		errno = EIO;
		return coin(s) ? FATE_DO_AND_DIE : FATE_FAIL;
	}
	if (f->fail_at && n >= f->fail_at && n < f->fail_at + f->fail_times && (!reads || f->fail_reads)) {
		errno = f->fail_errno;
		return FATE_FAIL;
	}
	return FATE_DO;
}

/* After the work of a call: -1 for one that died in it. */
static int outcome(enum fate f)
{
	if (f == FATE_DO_AND_DIE)
		errno = EIO;
	return f == FATE_DO ? 0 : -1;
}

static struct node *node_of(struct fio_sim *s, int fd)
{
	must(fd >= FD_BASE && (size_t)(fd - FD_BASE) < s->fds_n);
	int node = s->fds[fd - FD_BASE];
	must(node != NONE);
	return &s->nodes[node];
}

static int fd_new(struct fio_sim *s, int node)
{
	size_t i = 1;
	while (i < s->fds_n && s->fds[i] != NONE)
		i++;
	if (i == s->fds_n) {
		s->fds = xrealloc(s->fds, (s->fds_n + 1) * sizeof *s->fds);
		s->fds_n++;
	}
	s->fds[i] = node;
	return FD_BASE + (int)i;
}

/* The folder that holds the path's last name, which is left in *last; NULL with errno. */
static struct node *walk(struct fio_sim *s, int dir, const char *path, const char **last)
{
	struct node *n = node_of(s, dir);
	for (const char *slash; (slash = strchr(path, '/')); path = slash + 1) {
		char name[NAME];
		snprintf(name, sizeof name, "%.*s", (int)(slash - path), path);
		struct entry *e = entry_find(&n->names, name);
		if (!e || !s->nodes[e->node].is_dir) {
			errno = e ? ENOTDIR : ENOENT;
			return NULL;
		}
		n = &s->nodes[e->node];
	}
	*last = path;
	return n;
}

static int make(struct fio_sim *s, struct node *parent, const char *name, bool is_dir)
{
	size_t at = (size_t)(parent - s->nodes);
	int node = node_new(s, is_dir);	/* moves the nodes */
	parent = &s->nodes[at];
	entry_set(&parent->names, name, node);
	struct op *op = op_add(parent, OP_LINK);
	op->node = node;
	snprintf(op->name, NAME, "%s", name);
	return node;
}

static void resize(struct node *n, uint64_t size)
{
	op_add(n, OP_RESIZE)->len = size;
	bytes_resize(&n->live, (size_t)size);
}

static int sim_open(void *ctx, int dir, const char *path, int flags, unsigned mode)
{
	(void)mode;
	struct fio_sim *s = ctx;
	enum fate f = fate(s, !(flags & O_CREAT));
	if (f == FATE_FAIL)
		return -1;
	const char *name;
	struct node *parent = walk(s, dir, path, &name);
	if (!parent)
		return -1;
	struct entry *e = entry_find(&parent->names, name);
	if ((e && (flags & O_CREAT) && (flags & O_EXCL)) || (!e && !(flags & O_CREAT))) {
		errno = e ? EEXIST : ENOENT;
		return -1;
	}
	int node = e ? e->node : make(s, parent, name, false);
	if (flags & O_TRUNC)
		resize(&s->nodes[node], 0);
	return outcome(f) < 0 ? -1 : fd_new(s, node);
}

static int sim_close(void *ctx, int fd)
{
	struct fio_sim *s = ctx;
	node_of(s, fd);
	s->fds[fd - FD_BASE] = NONE;
	return 0;
}

static ssize_t sim_pread(void *ctx, int fd, void *p, size_t n, uint64_t off)
{
	struct fio_sim *s = ctx;
	if (fate(s, true) != FATE_DO)
		return -1;
	const struct bytes *b = &node_of(s, fd)->live;
	if (off >= b->n)
		return 0;
	size_t k = b->n - off < n ? (size_t)(b->n - off) : n;
	memcpy(p, b->v + off, k);
	return (ssize_t)k;
}

static uint64_t used(const struct fio_sim *s)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < s->nodes_n; i++)
		for (size_t k = 0; k < s->nodes[i].names.n; k++)
			sum += s->nodes[s->nodes[i].names.v[k].node].live.n;
	return sum;
}

static ssize_t sim_pwrite(void *ctx, int fd, const void *p, size_t n, uint64_t off)
{
	struct fio_sim *s = ctx;
	enum fate f = fate(s, false);
	if (f == FATE_FAIL && (s->dead || !s->faults.fail_short || n < 2))
		return -1;
	struct node *node = node_of(s, fd);
	if (f == FATE_FAIL)	/* the next call is the one that says why */
		n = 1 + fio_sim_random(s) % (n - 1);
	uint64_t grow = off + n > node->live.n ? off + n - node->live.n : 0, held = s->capacity ? used(s) : 0;
	if (s->capacity && held + grow > s->capacity) {
		uint64_t over = held + grow - s->capacity;
		if (over >= n) {
			errno = ENOSPC;
			return -1;
		}
		n -= (size_t)over;
	}
	struct op *op = op_add(node, OP_WRITE);
	op->off = off;
	op->len = n;
	op->data = xmalloc(n + 1);
	memcpy(op->data, p, n);
	bytes_write(&node->live, p, n, off);
	return f == FATE_DO_AND_DIE ? -1 : (ssize_t)n;
}

static int sim_sync(void *ctx, int fd)
{
	struct fio_sim *s = ctx;
	enum fate f = fate(s, false);
	struct node *n = node_of(s, fd);
	if (f == FATE_FAIL && !s->dead)
		settle(s, n, (enum keep)(fio_sim_random(s) % KEEP_KINDS));
	if (f == FATE_FAIL)
		return -1;
	if (!(n->is_dir ? s->faults.lose_dir_sync : s->faults.lose_file_sync))
		settle(s, n, KEEP_ALL);
	return outcome(f);
}

static int sim_truncate(void *ctx, int fd, uint64_t size)
{
	struct fio_sim *s = ctx;
	enum fate f = fate(s, false);
	if (f != FATE_FAIL)
		resize(node_of(s, fd), size);
	return outcome(f);
}

static int sim_punch(void *ctx, int fd, uint64_t off, uint64_t n)
{
	struct fio_sim *s = ctx;
	enum fate f = fate(s, false);
	if (f == FATE_FAIL)
		return -1;
	struct node *node = node_of(s, fd);
	struct op *op = op_add(node, OP_PUNCH);
	op->off = off;
	op->len = n;
	apply_bytes(&node->live, op);
	return outcome(f);
}

static int sim_stat(void *ctx, int fd, struct fio_stat *st)
{
	struct fio_sim *s = ctx;
	if (fate(s, true) != FATE_DO)
		return -1;
	const struct node *n = node_of(s, fd);
	*st = (struct fio_stat){.size = n->live.n, .on_disk = n->live.n, .is_dir = n->is_dir};
	return 0;
}

static int sim_rename(void *ctx, int dir, const char *from, const char *to)
{
	struct fio_sim *s = ctx;
	enum fate f = fate(s, false);
	if (f == FATE_FAIL)
		return -1;
	const char *a, *b;
	struct node *n = walk(s, dir, from, &a), *m = walk(s, dir, to, &b);
	must(n == m);	/* nothing of ours renames from folder to folder */
	struct entry *e = n ? entry_find(&n->names, a) : NULL;
	if (!e) {
		errno = ENOENT;
		return -1;
	}
	struct op *op = op_add(n, OP_RENAME);
	op->node = e->node;
	snprintf(op->name, NAME, "%s", a);
	snprintf(op->to, NAME, "%s", b);
	apply_names(&n->names, op);
	return outcome(f);
}

static int sim_unlink(void *ctx, int dir, const char *path)
{
	struct fio_sim *s = ctx;
	enum fate f = fate(s, false);
	if (f == FATE_FAIL)
		return -1;
	const char *name;
	struct node *n = walk(s, dir, path, &name);
	if (!n)
		return -1;
	if (!entry_find(&n->names, name)) {
		errno = ENOENT;
		return -1;
	}
	struct op *op = op_add(n, OP_UNLINK);
	snprintf(op->name, NAME, "%s", name);
	apply_names(&n->names, op);
	return outcome(f);
}

static int sim_mkdir(void *ctx, int dir, const char *path, unsigned mode)
{
	(void)mode;
	struct fio_sim *s = ctx;
	enum fate f = fate(s, false);
	if (f == FATE_FAIL)
		return -1;
	const char *name;
	struct node *n = walk(s, dir, path, &name);
	if (!n)
		return -1;
	if (entry_find(&n->names, name)) {
		errno = EEXIST;
		return -1;
	}
	make(s, n, name, true);
	return outcome(f);
}

static int sim_list(void *ctx, int dir, bool (*each)(void *arg, const char *name), void *arg)
{
	struct fio_sim *s = ctx;
	if (fate(s, true) != FATE_DO)
		return -1;
	const struct entries *e = &node_of(s, dir)->names;
	for (size_t i = 0; i < e->n; i++)
		if (!each(arg, e->v[i].name))
			break;
	return 0;
}

static int sim_free_bytes(void *ctx, int dir, uint64_t *bytes)
{
	(void)dir;
	struct fio_sim *s = ctx;
	uint64_t held = s->capacity ? used(s) : 0;
	*bytes = s->capacity ? (held < s->capacity ? s->capacity - held : 0) : UINT64_C(1) << 40;
	return 0;
}

static void sim_cool(void *ctx, int dir, const char *path, uint64_t off, uint64_t n)
{
	(void)ctx, (void)dir, (void)path, (void)off, (void)n;
}

/* ---- for tests ------------------------------------------------------------------------------------------------ */

struct fio_sim *fio_sim_new(uint64_t seed)
{
	struct fio_sim *s = xcalloc(1, sizeof *s);
	s->random = seed;
	s->io = (struct fio){
		.ctx = s, .open = sim_open, .close = sim_close, .pread = sim_pread, .pwrite = sim_pwrite,
		.sync = sim_sync, .truncate = sim_truncate, .punch = sim_punch, .stat = sim_stat, .rename = sim_rename,
		.unlink = sim_unlink, .mkdir = sim_mkdir, .list = sim_list, .free_bytes = sim_free_bytes,
		.cool = sim_cool,
	};
	s->fds = xmalloc(sizeof *s->fds);
	s->fds[0] = node_new(s, true);
	s->fds_n = 1;
	return s;
}

void fio_sim_free(struct fio_sim **sp)
{
	struct fio_sim *s = *sp;
	if (!s)
		return;
	for (size_t i = 0; i < s->nodes_n; i++) {
		struct node *n = &s->nodes[i];
		ops_clear(n);
		free(n->ops);
		free(n->live.v);
		free(n->stable.v);
		free(n->names.v);
		free(n->stable_names.v);
	}
	free(s->nodes);
	free(s->fds);
	free(s);
	*sp = NULL;
}

const struct fio *fio_sim_io(struct fio_sim *s)
{
	return &s->io;
}

int fio_sim_root(struct fio_sim *s)
{
	(void)s;
	return FD_BASE;
}

struct fio_sim_faults *fio_sim_faults(struct fio_sim *s)
{
	return &s->faults;
}

void fio_sim_capacity(struct fio_sim *s, uint64_t bytes)
{
	s->capacity = bytes;
}

uint64_t fio_sim_calls(const struct fio_sim *s)
{
	return s->calls;
}

bool fio_sim_dead(const struct fio_sim *s)
{
	return s->dead;
}

uint8_t *fio_sim_file(struct fio_sim *s, const char *name, size_t *n)
{
	struct entry *e = entry_find(&s->nodes[0].names, name);
	if (!e)
		return NULL;
	*n = s->nodes[e->node].live.n;
	return s->nodes[e->node].live.v;
}

void fio_sim_put(struct fio_sim *s, const char *name, const void *data, size_t n)
{
	if (!data) {
		entry_remove(&s->nodes[0].names, name);
		entry_remove(&s->nodes[0].stable_names, name);
		return;
	}
	int node = node_new(s, false);
	bytes_write(&s->nodes[node].live, data, n, 0);
	bytes_write(&s->nodes[node].stable, data, n, 0);
	entry_set(&s->nodes[0].names, name, node);
	entry_set(&s->nodes[0].stable_names, name, node);
}
